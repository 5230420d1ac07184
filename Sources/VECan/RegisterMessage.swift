public import NMEA2000

/// A register report or command in one frame: PGN 61184, addressed, 8 bytes (vecan.md section 1).
///
/// `66 99`, register little-endian, value little-endian, filled with zeros. Reports go to 255 whoever asked; a value
/// that is sent to 255 is a report and never a command.
public struct RegisterMessage: Hashable, Sendable {
  /// Which register.
  public let id: RegisterID
  /// Its value: 4 bytes, of which a shorter register uses the first.
  private let value: ShortPayload

  /// A message with `register`'s value.
  public init(_ register: some Register) {
    id = type(of: register).definition.id
    value = register.value
  }

  /// The register in a message of 61184; nil for another maker's, and for one too short to hold a register's number.
  public init?(_ message: VictronRegister) {
    guard message.isVictron, let id = message.register else { return nil }
    self.id = RegisterID(id)
    value = ShortPayload(littleEndian: message.payload.bytes >> 32, count: min(4, message.payload.count - 4))
  }

  /// The value as `type`; nil when this is another register or too few bytes for it came.
  public func value<R: Register>(as type: R.Type = R.self) -> R? {
    guard id == R.definition.id, value.count >= R.definition.length else { return nil }
    return R(value: ShortPayload(littleEndian: value.bytes, count: R.definition.length))
  }

  /// The message as it is sent. Bytes past the value are zeros.
  public var message: VictronRegister {
    let used = UInt128(1) << UInt128(value.count * 8) - 1
    return VictronRegister(register: id.rawValue, value: UInt32(truncatingIfNeeded: value.bytes & used))
  }
}
