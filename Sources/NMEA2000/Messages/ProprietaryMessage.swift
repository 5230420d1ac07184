/// 61184 proprietary, addressed, in one frame: of a maker whose content is not known here.
public struct ProprietaryMessage: ShortMessage {
  public static let definition = MessageDefinition(
    pgn: 61184, name: "0xEF00: Manufacturer Proprietary single-frame addressed", framing: .single, length: 8,
    priority: 7, fields: ProprietaryHeader.fields + [Field("Data", at: 16, bits: 48, .binary)])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// Whose message it is; nil in a frame that ends before that.
  public var header: ProprietaryHeader? {
    payload.bits(at: 0, count: 16).map { ProprietaryHeader(rawValue: UInt16(truncatingIfNeeded: $0)) }
  }
}
