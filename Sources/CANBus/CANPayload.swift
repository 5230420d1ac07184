/// The 0 to 8 data bytes of a classic CAN frame, held inline.
@frozen
public struct CANPayload: Hashable, Sendable {
  /// The bytes as a little-endian number: byte 0 is the least significant. Bytes past `count` are zero.
  public let bits: UInt64
  /// How many bytes there are, 0...8.
  @usableFromInline let length: UInt8

  /// No bytes.
  public static let empty = CANPayload(littleEndian: 0, count: 0)

  /// The low `count` bytes of `bits`, byte 0 least significant. A count outside 0...8 is brought into it.
  @inlinable
  public init(littleEndian bits: UInt64, count: Int) {
    let count = Swift.max(0, Swift.min(8, count))
    self.bits = count == 8 ? bits : bits & ((1 << (UInt64(count) &* 8)) &- 1)
    length = UInt8(truncatingIfNeeded: count)
  }

  /// The given bytes; nil for more than 8.
  @inlinable
  public init?(_ bytes: some Sequence<UInt8>) {
    var bits: UInt64 = 0
    var count = 0
    for byte in bytes {
      guard count < 8 else { return nil }
      bits |= UInt64(byte) << (UInt64(count) &* 8)
      count += 1
    }
    self.init(littleEndian: bits, count: count)
  }
}

extension CANPayload: RandomAccessCollection {
  /// Always 0.
  @inlinable
  public var startIndex: Int { 0 }

  /// The number of bytes, 0...8.
  @inlinable
  public var endIndex: Int { Int(length) }

  /// The byte at `index`; 0 outside the payload, so that a short frame can never trap.
  @inlinable
  public subscript(index: Int) -> UInt8 {
    index >= 0 && index < 8 ? UInt8(truncatingIfNeeded: bits >> (UInt64(index) &* 8)) : 0
  }
}

extension CANPayload: ExpressibleByArrayLiteral {
  /// Up to 8 bytes, written out. Further ones are dropped.
  public init(arrayLiteral elements: UInt8...) {
    var bits: UInt64 = 0
    for (index, byte) in elements.prefix(8).enumerated() { bits |= UInt64(byte) << (UInt64(index) * 8) }
    self.init(littleEndian: bits, count: elements.count)
  }
}
