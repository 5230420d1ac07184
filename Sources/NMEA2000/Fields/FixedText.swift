/// A text of at most 32 bytes, held inline: the strings of product information (PGN 126996).
@frozen
public struct FixedText: Hashable, Sendable {
  /// The most bytes that fit.
  public static let capacity = 32

  @usableFromInline var bytes: SIMD32<UInt8>
  @usableFromInline var storedCount: Int

  /// How many bytes there are, 0...32.
  @inlinable
  public var count: Int { storedCount }

  /// No text.
  public init() {
    bytes = SIMD32(repeating: 0xFF)
    storedCount = 0
  }

  /// The first 32 bytes of a text in UTF-8. A character that would be cut in two is left out.
  public init(_ text: some StringProtocol) {
    self.init()
    for character in text {
      guard count + character.utf8.count <= Self.capacity else { break }
      for byte in character.utf8 { append(byte) }
    }
  }

  /// True when there is no byte.
  public var isEmpty: Bool { count == 0 }

  /// The byte at `index`; 0xFF, the padding, outside the text.
  @inlinable
  public subscript(index: Int) -> UInt8 {
    index >= 0 && index < count ? bytes[index] : 0xFF
  }

  /// Adds a byte; beyond the capacity it is dropped.
  mutating func append(_ byte: UInt8) {
    guard count < Self.capacity else { return }
    bytes[count] = byte
    storedCount += 1
  }

  /// Takes bytes as they are on the wire, and trims them.
  @inlinable
  init(padded bytes: SIMD32<UInt8>, count: Int) {
    self.bytes = bytes
    storedCount = Swift.min(count, Self.capacity)
    trim()
  }

  /// Ends the text before a zero byte or 0xFF, and before the paddings that makers use at its end: space and `@`.
  @usableFromInline
  mutating func trim() {
    var end = 0
    withUnsafeBytes(of: bytes) { bytes in
      while end < storedCount, bytes[end] != 0, bytes[end] != 0xFF { end &+= 1 }
      while end > 0, Self.isPadding(bytes[end &- 1]) { end &-= 1 }
    }
    storedCount = end
    // Equal texts must be equal whatever stood behind them.
    withUnsafeMutableBytes(of: &bytes) { bytes in
      for index in end..<Self.capacity { bytes[index] = 0xFF }
    }
  }

  static func isPadding(_ byte: UInt8) -> Bool {
    byte == 0xFF || byte == 0x20 || byte == 0x00 || byte == 0x40 || (0x09...0x0D).contains(byte)
  }

  /// Whether every byte is a character by itself.
  var isASCII: Bool {
    for index in 0..<count where bytes[index] >= 0x80 { return false }
    return true
  }

  /// The text of bytes from a bus: UTF-8, and where they are none, one character a byte as Latin-1 has it. So every byte
  /// shows and none becomes invalid JSON.
  static func decode(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    var text = ""
    for byte in bytes { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    return text
  }
}

extension FixedText: CustomStringConvertible, ExpressibleByStringLiteral {
  /// The text. Bytes that are no UTF-8 are read as Latin-1.
  public var description: String { Self.decode((0..<count).map { bytes[$0] }) }

  /// The first 32 bytes of a text.
  public init(stringLiteral value: String) { self.init(value) }
}
