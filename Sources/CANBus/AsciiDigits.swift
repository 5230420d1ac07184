/// Eight ASCII digits at a time, in one register.
///
/// A capture is mostly hexadecimal digits, and whether a digit is a letter is as good as random: a branch for each one is
/// mispredicted too often to read millions of lines a second. So eight characters are tested and converted together.
enum AsciiDigits {
  private static let zeros: UInt64 = 0x3030_3030_3030_3030
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// The same byte eight times.
  @inline(__always)
  private static func every(_ byte: UInt64) -> UInt64 { byte &* 0x0101_0101_0101_0101 }

  /// Up to eight bytes of `line` from `offset`, the first one least significant. Bytes past `count` or past the end of
  /// the line read as "0".
  @inline(__always)
  static func load(_ line: Span<UInt8>, at offset: Int, count: Int = 8) -> UInt64 {
    if offset >= 0, offset &+ 8 <= line.count {
      let word = UInt64(littleEndian: line.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
      guard count < 8 else { return word }
      let mask = (1 as UInt64) << (UInt64(truncatingIfNeeded: max(0, count)) &* 8) &- 1
      return word & mask | zeros & ~mask
    }
    var word = zeros
    var index = 0
    while index < min(8, count), offset &+ index < line.count, offset >= 0 {
      let shift = UInt64(truncatingIfNeeded: index) &* 8
      word = word & ~(0xFF << shift) | UInt64(line[offset &+ index]) << shift
      index &+= 1
    }
    return word
  }

  /// The four bytes that eight hexadecimal digits spell, the first one least significant; nil if one is no digit.
  @inline(__always)
  static func hexadecimal(_ word: UInt64) -> UInt32? {
    let lower = word | every(0x20)
    // Bit 7 of each byte answers a comparison. No sum of two bytes below 0x80 carries into the next byte.
    let digit = (word &+ every(0x50)) & ~(word &+ every(0x46))
    let letter = (lower &+ every(0x1F)) & ~(lower &+ every(0x19))
    guard word & highBits == 0, (digit | letter) & highBits == highBits else { return nil }
    let nibbles = (word & every(0x0F)) &+ (word >> 6 & every(0x01)) &* 9
    var bytes = (nibbles << 4 | nibbles >> 8) & 0x00FF_00FF_00FF_00FF
    bytes = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF
    return UInt32(truncatingIfNeeded: bytes | bytes >> 16)
  }

  /// The number that eight decimal digits spell; nil if one is no digit.
  @inline(__always)
  static func decimal(_ word: UInt64) -> Int64? {
    let digit = (word &+ every(0x50)) & ~(word &+ every(0x46))
    guard word & highBits == 0, digit & highBits == highBits else { return nil }
    let digits = word & every(0x0F)
    let pairs = digits &* 10 &+ digits >> 8
    // Pairs 0 and 2 times 10^6 and 10^2, pairs 1 and 3 times 10^4 and 1, summed up in the upper half.
    let even = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
    let odd = (pairs >> 16 & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
    return Int64((even &+ odd) >> 32)
  }

  /// The value of one hexadecimal digit, nil if it is none.
  @inline(__always)
  static func value(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character &- 0x30
    case 0x41...0x46: character &- 0x37
    case 0x61...0x66: character &- 0x57
    default: nil
    }
  }

  /// The upper case hexadecimal digit of the low four bits.
  @inline(__always)
  static func digit(_ value: UInt8) -> UInt8 {
    let nibble = value & 0x0F
    return nibble < 10 ? nibble &+ 0x30 : nibble &+ 0x37
  }
}
