/// A growing run of bytes that text is written into, made for lines by the million: no allocation once it has grown,
/// and short pieces are copied sixteen bytes at a time without asking how long they are.
public struct TextBuffer: ~Copyable {
  /// How far a copy may write past the end of what it means to write.
  @usableFromInline static let slack = 32

  @usableFromInline var base: UnsafeMutablePointer<UInt8>
  @usableFromInline var capacity: Int
  /// How many bytes are written.
  public private(set) var count: Int

  /// An empty buffer with room for `capacity` bytes.
  public init(capacity: Int = 4096) {
    self.capacity = max(64, capacity)
    base = .allocate(capacity: self.capacity + Self.slack)
    count = 0
  }

  deinit { base.deallocate() }

  /// Forgets the bytes and keeps the room.
  public mutating func removeAll() { count = 0 }

  /// Forgets the bytes from `count` on.
  mutating func truncate(to count: Int) { self.count = min(self.count, count) }

  /// Hands the bytes to `body`.
  public func withBytes<Result, Failure>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(start: base, count: count))
  }

  /// The bytes as text.
  public var string: String { withBytes { String(decoding: $0, as: UTF8.self) } }

  @inline(never)
  private mutating func grow(_ more: Int) {
    let larger = max(capacity * 2, count + more)
    let new = UnsafeMutablePointer<UInt8>.allocate(capacity: larger + Self.slack)
    new.update(from: base, count: count)
    base.deallocate()
    base = new
    capacity = larger
  }

  @inline(__always)
  mutating func reserve(_ more: Int) {
    if count &+ more > capacity { grow(more) }
  }

  @inline(__always)
  mutating func append(_ byte: UInt8) {
    reserve(1)
    base[count] = byte
    count &+= 1
  }

  /// Overwrites a byte that was written.
  @inline(__always)
  mutating func replace(at index: Int, with byte: UInt8) {
    if index >= 0, index < count { base[index] = byte }
  }

  /// Adds `length` bytes; up to 15 more are read behind them.
  @inline(__always)
  mutating func append(padded source: UnsafePointer<UInt8>, count length: Int) {
    reserve(length)
    var position = 0
    repeat {
      let chunk = UnsafeRawPointer(source + position).loadUnaligned(as: SIMD16<UInt8>.self)
      UnsafeMutableRawPointer(base + count + position).storeBytes(of: chunk, as: SIMD16<UInt8>.self)
      position &+= 16
    } while position < length
    count &+= length
  }

  /// Adds text that is known at compile time.
  @inline(__always)
  mutating func append(_ text: StaticString) {
    let length = text.utf8CodeUnitCount
    reserve(length)
    (base + count).update(from: text.utf8Start, count: length)
    count &+= length
  }

  /// Adds text.
  public mutating func append(_ text: String) {
    for byte in text.utf8 { append(byte) }
  }

  /// Adds a number of decimal digits without a sign.
  @inline(__always)
  mutating func append(unsigned value: UInt64) {
    if value < 10 {
      append(0x30 &+ UInt8(truncatingIfNeeded: value))
      return
    }
    append(digits: value, decimals: 0)
  }

  /// Adds `value / 10^decimals`, with all its decimals.
  @inline(__always)
  mutating func append(fixed value: Int, decimals: Int) {
    if value < 0 { append(0x2D) }
    append(digits: UInt64(value.magnitude), decimals: decimals)
  }

  @inline(__always)
  private mutating func append(digits value: UInt64, decimals: Int) {
    reserve(24)
    var length = Self.digitCount(value)
    if length <= decimals { length = decimals &+ 1 }
    var rest = value
    var position = count &+ length &+ (decimals > 0 ? 1 : 0)
    count = position
    var left = decimals
    while left > 0 {
      position &-= 1
      let quotient = rest / 10
      base[position] = 0x30 &+ UInt8(truncatingIfNeeded: rest &- quotient &* 10)
      rest = quotient
      left &-= 1
    }
    if decimals > 0 {
      position &-= 1
      base[position] = 0x2E
      length &-= decimals
    }
    while length > 0 {
      position &-= 1
      let quotient = rest / 10
      base[position] = 0x30 &+ UInt8(truncatingIfNeeded: rest &- quotient &* 10)
      rest = quotient
      length &-= 1
    }
  }

  @inline(__always)
  private static func digitCount(_ value: UInt64) -> Int {
    var count = 1
    var limit: UInt64 = 10
    while value >= limit, count < 19 {
      limit &*= 10
      count &+= 1
    }
    return value >= limit ? count &+ 1 : count
  }

  /// Adds a number of at least two digits.
  mutating func append(twoDigits value: UInt64) {
    if value < 10 { append(0x30) }
    append(unsigned: value)
  }

  /// Adds the two hexadecimal digits of a byte.
  mutating func append(hexadecimal byte: UInt8) {
    for nibble in [byte >> 4, byte & 15] { append(nibble < 10 ? 0x30 &+ nibble : 0x37 &+ nibble) }
  }

  /// Adds the characters of a text as they stand inside a JSON string.
  mutating func append(escaped byte: UInt8) {
    switch byte {
    case 0x22: append("\\\"")
    case 0x5C: append("\\\\")
    case 0x2F: append("\\/")
    case 0x08: append("\\b")
    case 0x09: append("\\t")
    case 0x0A: append("\\n")
    case 0x0C: append("\\f")
    case 0x0D: append("\\r")
    case 0..<0x20:
      append("\\u00")
      append(hexadecimal: byte)
    default: append(byte)
    }
  }
}
