public import CANBus

/// Cuts messages of many senders into frames, as they would go over the bus: for tools that write captures.
public struct MessageFrames: Sendable {
  private var senders: [UInt8: FastPacketSender] = [:]

  /// Nothing sent yet.
  public init() {}

  /// The frames of a message.
  public mutating func frames(_ message: MessageReader.Message) -> [CANDataFrame] {
    var frames: [CANDataFrame] = []
    let header = message.header
    message.payload.withBytes { payload in
      switch message.framing {
      case .single:
        frames.append(CANDataFrame(header.canIdentifier, CANPayload(singleFrame: payload)))
      case .fastPacket:
        senders[header.source, default: FastPacketSender()].send(payload, as: header) { frames.append($0) }
      case .isoTransport:
        frames = Self.broadcast(message.payload, header)
      }
    }
    return frames
  }

  /// A broadcast announce message and its data (nmea2000.md section 1.7).
  private static func broadcast(_ payload: LongPayload, _ header: MessageIdentifier) -> [CANDataFrame] {
    let packets = (payload.count + 6) / 7
    let announce = MessageIdentifier(priority: header.priority, pgn: 60416, source: header.source).canIdentifier
    let data = MessageIdentifier(priority: header.priority, pgn: 60160, source: header.source).canIdentifier
    let words =
      0x20 | UInt64(payload.count) << 8 | UInt64(packets) << 24 | 0xFF << 32 | UInt64(header.pgn.rawValue) << 40
    var frames = [CANDataFrame(announce, CANPayload(littleEndian: words, count: 8))]
    for packet in 0..<packets {
      var bits = UInt64(packet + 1)
      for index in 0..<7 { bits |= UInt64(payload[packet * 7 + index]) << UInt64(8 + index * 8) }
      frames.append(CANDataFrame(data, CANPayload(littleEndian: bits, count: 8)))
    }
    return frames
  }
}
