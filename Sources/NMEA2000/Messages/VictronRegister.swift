/// 61184 of Victron: a VE.Can register in one frame (vecan.md section 1).
///
/// The first two bytes, 66 99, are maker 358 and industry 4. Register ids and the meaning of values live elsewhere; here
/// is only the frame.
public struct VictronRegister: ShortMessage {
  /// Victron's manufacturer code.
  public static let manufacturer: UInt16 = 358

  static let header = ProprietaryHeader(manufacturer: manufacturer)
  static let registerField = Field.unsigned("Register Id", at: 16, bits: 16, isKey: true)
  static let valueField = Field("Value", at: 32, bits: 32, .binary)

  public static let definition = MessageDefinition(
    pgn: 61184, name: "Victron: VE.Can Register", framing: .single, length: 8, priority: 7, matches: header.matches,
    fields: ProprietaryHeader.fields + [registerField, valueField])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// A frame for a register with four value bytes, the first least significant. Unused ones are zero, not ones.
  public init(register: UInt16, value: UInt32) {
    payload = ShortPayload(
      littleEndian: UInt128(value) << 32 | UInt128(register) << 16 | UInt128(Self.header.rawValue), count: 8)
  }

  /// Whether the frame is Victron's at all; 61184 is every maker's own.
  public var isVictron: Bool {
    payload.bits(at: 0, count: 16) == UInt64(Self.header.rawValue)
  }

  /// The register's id; nil in a frame that ends before it. Every code is an id.
  public var register: UInt16? {
    payload.bits(at: 16, count: 16).map { UInt16(truncatingIfNeeded: $0) }
  }

  /// The value's bytes, the first least significant; nil in a frame that ends before the fourth.
  public var value: UInt32? {
    payload.bits(at: 32, count: 32).map { UInt32(truncatingIfNeeded: $0) }
  }
}
