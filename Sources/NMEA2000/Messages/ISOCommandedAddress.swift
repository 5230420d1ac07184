/// 65240 ISO commanded address: tells the node of a NAME to take another address (nmea2000.md section 1.4).
///
/// Accepted only by transport protocol, though some tables list it as a fast packet.
public struct ISOCommandedAddress: ShortMessage {
  static let addressField = Field.unsigned("New Source Address", at: 64, bits: 8)

  public static let definition = MessageDefinition(
    pgn: 65240, name: "ISO Commanded Address", framing: .isoTransport, length: 9, priority: 6,
    fields: [
      Field("Unique Number", at: 0, bits: 21, .binary),
      Field.lookup("Manufacturer Code", at: 21, bits: 11, .manufacturer),
      Field("Device Instance Lower", at: 32, bits: 3, .number(.everyCode)),
      Field("Device Instance Upper", at: 35, bits: 5, .number(.everyCode)),
      Field("Device Function", at: 40, bits: 8, .deviceFunction),
      Field.reserved(at: 48, bits: 1),
      Field.lookup("Device Class", at: 49, bits: 7, .deviceClass),
      Field.unsigned("System Instance", at: 56, bits: 4),
      Field.lookup("Industry Code", at: 60, bits: 3, .industry),
      Field.reserved(at: 63, bits: 1),
      addressField,
    ])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// An order to the node called `name` to take `address`.
  public init(_ name: Name, address: UInt8) {
    payload = ShortPayload(littleEndian: UInt128(name.rawValue) | UInt128(address) << 64, count: 9)
  }

  /// Whom it is meant for; nil when there are fewer than 8 bytes.
  public var name: Name? {
    payload.bits(at: 0, count: 64).map(Name.init(rawValue:))
  }

  /// The address that it shall take; nil when the payload ends before it. Whether it can be claimed is not checked here.
  public var address: UInt8? {
    payload.bits(at: Self.addressField.bitOffset, count: 8).map { UInt8(truncatingIfNeeded: $0) }
  }
}
