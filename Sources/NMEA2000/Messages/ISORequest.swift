/// 59904 ISO request: asks for a PGN. Three bytes, the only single frame without padding (nmea2000.md section 1.1).
public struct ISORequest: ShortMessage {
  static let pgnField = Field("PGN", at: 0, bits: 24, .pgn)

  public static let definition = MessageDefinition(
    pgn: 59904, name: "ISO Request", framing: .single, length: 3, priority: 6,
    fields: [pgnField])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The PGN that is asked for. Not available in a request of fewer than 3 bytes, which asks for nothing.
  public var requestedPGN: Reading<PGN> {
    get { payload.pgn(Self.pgnField) }
    set { payload.set(Self.pgnField, newValue) }
  }
}
