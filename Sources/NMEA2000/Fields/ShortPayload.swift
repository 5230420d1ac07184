/// Up to 16 payload bytes, held as one number: all single frames and the short fast packets.
@frozen
public struct ShortPayload: Hashable, Sendable {
  @usableFromInline var storedBytes: UInt128
  @usableFromInline var storedCount: Int

  /// The bytes, byte 0 least significant. Bytes past `count` are ones, so that they read as not available.
  @inlinable
  public var bytes: UInt128 { storedBytes }

  /// How many bytes there are, 0...16.
  @inlinable
  public var count: Int { storedCount }

  /// A payload of `count` bytes of ones: every number not available, every reserved bit as it must be sent.
  @inlinable
  public init(count: Int) {
    storedBytes = .max
    storedCount = Swift.max(0, Swift.min(16, count))
  }

  /// The first `count` bytes of `bytes`, byte 0 least significant.
  @inlinable
  public init(littleEndian bytes: UInt128, count: Int) {
    storedCount = Swift.max(0, Swift.min(16, count))
    storedBytes = storedCount == 16 ? bytes : bytes | UInt128.max << UInt128(storedCount &* 8)
  }

  /// The first 16 bytes of `span`, or as many as there are.
  @inlinable
  public init(_ span: RawSpan) {
    let count = Swift.min(16, span.byteCount)
    var bytes = UInt128.zero
    if count >= 8 {
      bytes = UInt128(UInt64(littleEndian: span.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)))
      for index in 8..<count {
        bytes |= UInt128(span.unsafeLoadUnaligned(fromByteOffset: index, as: UInt8.self)) << UInt128(index &* 8)
      }
    } else {
      for index in 0..<count {
        bytes |= UInt128(span.unsafeLoadUnaligned(fromByteOffset: index, as: UInt8.self)) << UInt128(index &* 8)
      }
    }
    self.init(littleEndian: bytes, count: count)
  }

  /// The byte at `index`; 0xFF outside the payload.
  @inlinable
  public subscript(index: Int) -> UInt8 {
    index >= 0 && index < 16 ? UInt8(truncatingIfNeeded: bytes >> UInt128(index &* 8)) : 0xFF
  }

}

extension ShortPayload: FieldStorage {
  @inlinable
  public func bits(at bitOffset: Int, count: Int) -> UInt64? {
    guard bitOffset &+ count <= self.count &* 8 else { return nil }
    return UInt64(truncatingIfNeeded: bytes >> UInt128(bitOffset)) & (UInt64.max >> UInt64(64 &- count))
  }

  @inlinable
  public mutating func setBits(at bitOffset: Int, count: Int, to value: UInt64) {
    guard bitOffset &+ count <= self.count &* 8 else { return }
    let mask = UInt128(UInt64.max >> UInt64(64 &- count)) << UInt128(bitOffset)
    storedBytes = storedBytes & ~mask | (UInt128(value) << UInt128(bitOffset)) & mask
  }
}
