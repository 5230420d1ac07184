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

  /// A payload of `count` bytes of ones. A message in which nothing is available is ``MessageDefinition/blank`` instead:
  /// ones in a signed field are a value.
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
      // The first eight bytes, and the last eight, of which those that are in both are shifted out.
      let first = UInt64(littleEndian: span.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
      let last = UInt64(littleEndian: span.unsafeLoadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
      bytes = UInt128(first)
      if count > 8 { bytes |= UInt128(last &>> UInt64((16 &- count) &* 8)) &<< 64 }
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
  // Most fields lie in the first eight bytes, and 64 bits are shifted in one instruction.
  @inlinable
  @inline(__always)
  public func bits(at bitOffset: Int, count: Int) -> UInt64? {
    guard bitOffset >= 0, count > 0, count <= 64, bitOffset &+ count <= self.count &* 8 else { return nil }
    let mask = UInt64.max &>> UInt64(64 &- count)
    if bitOffset &+ count <= 64 {
      return UInt64(truncatingIfNeeded: bytes) &>> UInt64(bitOffset) & mask
    }
    return UInt64(truncatingIfNeeded: bytes &>> UInt128(bitOffset)) & mask
  }

  @inlinable
  @inline(__always)
  public mutating func setBits(at bitOffset: Int, count: Int, to value: UInt64) {
    guard bitOffset >= 0, count > 0, count <= 64, bitOffset &+ count <= self.count &* 8 else { return }
    let mask = UInt64.max &>> UInt64(64 &- count)
    storedBytes = storedBytes & ~(UInt128(mask) &<< UInt128(bitOffset)) | UInt128(value & mask) &<< UInt128(bitOffset)
  }
}
