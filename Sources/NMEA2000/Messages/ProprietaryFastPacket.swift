/// 126720 proprietary, addressed, as a fast packet. Victron sends registers longer than 4 bytes so: id, then the value
/// (vecan.md section 1).
///
/// Not every maker sends it as a fast packet: Maretron's SSC300 uses single frames (canboat/canboat#569).
public struct ProprietaryFastPacket: LongMessage {
  public static let definition = MessageDefinition(
    pgn: 126720, name: "0x1EF00: Manufacturer Proprietary fast-packet addressed", framing: .fastPacket, length: 2,
    priority: 7, fields: ProprietaryHeader.fields + [Field("Data", at: 16, bits: 0, .binary)])

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }

  /// A message of a maker with nothing behind the header yet.
  public init(_ header: ProprietaryHeader) {
    payload = LongPayload()
    payload.append(littleEndian: UInt64(header.rawValue), byteCount: 2)
  }

  /// Whose message it is; nil in a message that ends before that.
  public var header: ProprietaryHeader? {
    payload.bits(at: 0, count: 16).map { ProprietaryHeader(rawValue: UInt16(truncatingIfNeeded: $0)) }
  }
}
