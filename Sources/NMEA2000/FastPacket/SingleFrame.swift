public import CANBus

extension CANPayload {
  /// The payload of a message that travels in one frame: the first 8 bytes, or as many as there are.
  @inlinable
  public init(singleFrame payload: RawSpan) {
    let count = Swift.min(8, payload.byteCount)
    var bits: UInt64 = 0
    if count == 8 {
      bits = UInt64(littleEndian: payload.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
    } else {
      for index in 0..<count {
        bits |= UInt64(payload.unsafeLoadUnaligned(fromByteOffset: index, as: UInt8.self)) << UInt64(index &* 8)
      }
    }
    self.init(littleEndian: bits, count: count)
  }
}
