public import NMEA2000

/// A register report or command in one frame: PGN 61184, addressed, 8 bytes (vecan.md section 1).
///
/// `66 99`, register little-endian, value little-endian, filled with zeros. Reports go to 255 whoever asked; a value
/// that is sent to 255 is a report and never a command.
public struct RegisterMessage: Hashable, Sendable {
  /// The PGN of registers of up to four bytes.
  public static let pgn: PGN = 61184
  /// The priority of all register traffic.
  public static let priority: UInt8 = 7
  /// Manufacturer 358 (Victron), two reserved ones, industry group 4 (marine): the bytes 66 99.
  static let header: UInt16 = 0x9966

  /// Which register.
  public var id: RegisterID
  /// Its value: 4 bytes, of which a shorter register uses the first.
  public var value: ShortPayload

  /// A message with `register`'s value.
  public init(_ register: some Register) {
    id = type(of: register).definition.id
    value = register.value
  }

  /// The message in a payload of 61184; nil for another maker's, and for one too short to hold a register's number.
  public init?(payload: RawSpan) {
    let bytes = ShortPayload(payload)
    guard bytes.count >= 4, bytes.count <= 8, bytes.bits(at: 0, count: 16) == UInt64(Self.header),
      let id = bytes.bits(at: 16, count: 16)
    else { return nil }
    self.id = RegisterID(UInt16(truncatingIfNeeded: id))
    value = ShortPayload(littleEndian: bytes.bytes >> 32, count: bytes.count - 4)
  }

  /// The value as `type`; nil when this is another register or too few bytes for it came.
  public func value<R: Register>(as type: R.Type = R.self) -> R? {
    guard id == R.definition.id, value.count >= R.definition.length else { return nil }
    return R(value: ShortPayload(littleEndian: value.bytes, count: R.definition.length))
  }

  /// The payload as it is sent: 8 bytes.
  public var payload: ShortPayload {
    // Bytes past the value read as ones; on the wire they are zeros.
    let used = UInt128(1) << UInt128(min(4, value.count) * 8) - 1
    let bytes = UInt128(Self.header) | UInt128(id.rawValue) << 16 | (value.bytes & used) << 32
    return ShortPayload(littleEndian: bytes, count: 8)
  }
}
