public import CANBus

/// Cuts messages into fast packets (nmea2000.md section 1.6).
///
/// The sequence number counts per PGN, as VE.Can and most others do. A dictionary entry is made when a PGN is sent for
/// the first time; after that nothing is allocated.
public struct FastPacketSender: Sendable {
  private var sequences: [PGN: UInt8] = [:]

  /// A sender that starts every PGN with sequence 0.
  public init() {}

  /// Hands the frames of a message to `send`, in order, the last one filled up with 0xFF.
  ///
  /// - Parameters:
  ///   - payload: 1 to 223 bytes.
  ///   - header: The identifier of every frame.
  /// - Returns: How many frames were made: 1...32; 0 for a payload that is no fast packet.
  @discardableResult
  public mutating func send(
    _ payload: RawSpan, as header: MessageIdentifier, _ send: (CANDataFrame) throws -> Void
  ) rethrows -> Int {
    let length = payload.byteCount
    guard length >= 1, length <= LongPayload.capacity else { return 0 }
    let sequence = sequences[header.pgn, default: 0]
    sequences[header.pgn] = (sequence &+ 1) & 7

    let identifier = header.canIdentifier
    var bits = UInt64(sequence) << 5 | UInt64(length) << 8
    var position = 2
    var number: UInt64 = 0
    for index in 0..<length {
      let byte = payload.unsafeLoadUnaligned(fromByteOffset: index, as: UInt8.self)
      bits |= UInt64(byte) << UInt64(position &* 8)
      position &+= 1
      if position == 8 {
        try send(CANDataFrame(identifier, CANPayload(littleEndian: bits, count: 8)))
        number &+= 1
        bits = UInt64(sequence) << 5 | number
        position = 1
      }
    }
    if position > 1 {
      bits |= .max << UInt64(position &* 8)
      try send(CANDataFrame(identifier, CANPayload(littleEndian: bits, count: 8)))
      number &+= 1
    }
    return Int(number)
  }
}
