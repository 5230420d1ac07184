/// Up to 223 payload bytes, held inline: every fast packet (nmea2000.md section 1.6).
public struct LongPayload: Sendable {
  /// The most bytes that fit: 6 in the first frame and 7 in each of 31 more.
  public static let capacity = 223

  /// The bytes, and seven more so that eight can be loaded at once from any of them.
  @usableFromInline var storage: InlineArray<230, UInt8>
  @usableFromInline var storedCount: Int

  /// How many bytes there are, 0...223.
  @inlinable
  public var count: Int { storedCount }

  /// A payload of `count` bytes of ones: not available for every field that is no signed number.
  @inlinable
  public init(count: Int = 0) {
    storage = InlineArray(repeating: 0xFF)
    storedCount = Swift.max(0, Swift.min(Self.capacity, count))
  }

  /// The first 223 bytes of `span`, or as many as there are.
  @inlinable
  public init(_ span: RawSpan) {
    self.init(count: span.byteCount)
    let count = storedCount
    var target = storage.mutableSpan
    target.withUnsafeMutableBytes { destination in
      span.withUnsafeBytes { source in
        destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
      }
    }
  }

  /// The bytes of another storage.
  init(copying other: some FieldStorage) {
    self.init(count: other.count)
    for index in 0..<storedCount {
      storage[index] = UInt8(truncatingIfNeeded: other.bits(at: index * 8, count: 8) ?? 0xFF)
    }
  }

  /// The byte at `index`; 0xFF outside the payload.
  @inlinable
  public subscript(index: Int) -> UInt8 {
    index >= 0 && index < storedCount ? storage[index] : 0xFF
  }

  /// Hands the bytes to `body`.
  @inlinable
  public func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
    try body(storage.span.bytes.extracting(first: storedCount))
  }

  /// Adds a byte; false when the payload is full.
  @inlinable
  @discardableResult
  public mutating func append(_ byte: UInt8) -> Bool {
    guard storedCount < Self.capacity else { return false }
    storage[storedCount] = byte
    storedCount &+= 1
    return true
  }

  /// Adds the low `byteCount` bytes of `value`, least significant first; false, and no change, when they do not fit.
  @inlinable
  @discardableResult
  public mutating func append(littleEndian value: UInt64, byteCount: Int) -> Bool {
    guard byteCount >= 0, storedCount &+ byteCount <= Self.capacity else { return false }
    for index in 0..<byteCount {
      append(index < 8 ? UInt8(truncatingIfNeeded: value >> UInt64(index &* 8)) : 0)
    }
    return true
  }
}

extension LongPayload: FieldStorage {
  @inlinable
  public func bits(at bitOffset: Int, count: Int) -> UInt64? {
    guard bitOffset >= 0, count > 0, count <= 64, bitOffset &+ count <= storedCount &* 8 else { return nil }
    let word = UInt64(
      littleEndian: storage.span.bytes.unsafeLoadUnaligned(fromByteOffset: bitOffset >> 3, as: UInt64.self))
    return (word >> UInt64(bitOffset & 7)) & (UInt64.max >> UInt64(64 &- count))
  }

  @inlinable
  public mutating func setBits(at bitOffset: Int, count: Int, to value: UInt64) {
    guard bitOffset >= 0, count > 0, count <= 64, bitOffset &+ count <= storedCount &* 8 else { return }
    var bit = 0
    while bit < count {
      let offset = bitOffset &+ bit
      let width = Swift.min(8 &- offset & 7, count &- bit)
      let mask = UInt8((1 << width) &- 1) << UInt8(offset & 7)
      let part = UInt8(truncatingIfNeeded: value >> UInt64(bit)) << UInt8(offset & 7)
      storage[offset >> 3] = storage[offset >> 3] & ~mask | part & mask
      bit &+= width
    }
  }
}

extension LongPayload {
  /// The text of a fixed field, without its padding; nil when the payload ends before the text does or there is none.
  public func text(_ field: Field) -> FixedText? {
    let byteCount = Swift.min(field.bitCount / 8, FixedText.capacity)
    guard field.bitOffset >= 0, field.bitOffset & 7 == 0, field.bitOffset &+ field.bitCount <= storedCount &* 8 else {
      return nil
    }
    let bytes = withUnsafeBytes(of: storage) { storage in
      // The storage is seven bytes longer than the longest payload; a text that ends there is read byte by byte.
      if field.bitOffset / 8 &+ FixedText.capacity <= storage.count {
        return storage.loadUnaligned(fromByteOffset: field.bitOffset / 8, as: SIMD32<UInt8>.self)
      }
      var bytes = SIMD32<UInt8>(repeating: 0xFF)
      for index in 0..<byteCount { bytes[index] = storage[field.bitOffset / 8 &+ index] }
      return bytes
    }
    let text = FixedText(padded: bytes, count: byteCount)
    return text.isEmpty ? nil : text
  }
}

extension LongPayload: Hashable {
  /// Whether both have the same bytes.
  public static func == (left: LongPayload, right: LongPayload) -> Bool {
    guard left.count == right.count else { return false }
    for index in 0..<left.count where left.storage[index] != right.storage[index] { return false }
    return true
  }

  /// Feeds the bytes.
  public func hash(into hasher: inout Hasher) {
    for index in 0..<count { hasher.combine(storage[index]) }
  }
}
