/// 126464 PGN list: what a node sends, or what it receives (nmea2000.md section 1.4).
public struct PGNList: LongMessage {
  /// Which list it is.
  public enum Kind: UInt8, Sendable {
    /// What the node sends.
    case transmit = 0
    /// What the node receives.
    case receive = 1
  }

  /// The most PGNs that fit a fast packet.
  public static let capacity = 74

  static let kindField = Field.lookup("Function Code", at: 0, bits: 8, .pgnListFunction, isKey: true)

  public static let definition = MessageDefinition(
    pgn: 126464, name: "PGN List (Transmit and Receive)", framing: .fastPacket, length: 1, priority: 6,
    fields: [kindField], repeated: [.init([Field("PGN", at: 0, bits: 24, .pgn)], countField: nil)])

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }

  /// A list of the first 74 of `pgns`.
  public init(_ kind: Kind, _ pgns: some Sequence<PGN>) {
    payload = LongPayload()
    payload.append(kind.rawValue)
    for pgn in pgns.prefix(Self.capacity) { payload.append(littleEndian: UInt64(pgn.rawValue), byteCount: 3) }
  }

  /// Which list it is; nil for an unknown kind or an empty message.
  public var kind: Kind? { payload.count > 0 ? Kind(rawValue: payload[0]) : nil }

  /// How many PGNs there are; the bytes of a PGN that was cut off do not count.
  public var count: Int { max(0, payload.count - 1) / 3 }

  /// The PGN at `index`, from 0; nil outside the list.
  public subscript(index: Int) -> PGN? {
    guard index >= 0, index < count else { return nil }
    return payload.bits(at: 8 + index * 24, count: 24).map { PGN(UInt32(truncatingIfNeeded: $0)) }
  }
}
