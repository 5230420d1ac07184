/// 60928 ISO address claim: a node's NAME, sent from the address it claims (nmea2000.md section 1.4).
public struct ISOAddressClaim: ShortMessage {
  // The places are those of ``Name``, bit by bit. Every code of the two instance fields is an instance.
  static let fields = [
    Field.unsigned("Unique Number", at: 0, bits: 21),
    Field.lookup("Manufacturer Code", at: 21, bits: 11, .manufacturer),
    Field("Device Instance Lower", at: 32, bits: 3, .number(.everyCode)),
    Field("Device Instance Upper", at: 35, bits: 5, .number(.everyCode)),
    Field("Device Function", at: 40, bits: 8, .deviceFunction),
    Field("Spare", at: 48, bits: 1, .spare),
    Field.lookup("Device Class", at: 49, bits: 7, .deviceClass),
    Field.unsigned("System Instance", at: 56, bits: 4),
    Field.lookup("Industry Group", at: 60, bits: 3, .industry),
    Field.lookup("Arbitrary address capable", at: 63, bits: 1, .noYesBit),
  ]

  public static let definition = MessageDefinition(
    pgn: 60928, name: "ISO Address Claim", framing: .single, length: 8, priority: 6, fields: fields)

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// A claim of `name`.
  public init(_ name: Name) {
    payload = ShortPayload(littleEndian: UInt128(name.rawValue), count: 8)
  }

  /// The NAME; nil when there are fewer than 8 bytes. A short claim must not be taken for a NAME of ones, which would
  /// lose every contest (nmea2000.md section 4).
  public var name: Name? {
    payload.bits(at: 0, count: 64).map(Name.init(rawValue:))
  }
}
