import NMEA2000

/// What a message of 61184 or 126720 says about registers, in words (vecan.md section 1).
///
/// Besides values there are two messages with a number below all registers: 0x0001 asks for one or for all that match a
/// mask, 0x0002 refuses.
public struct RegisterReport: Sendable, CustomStringConvertible {
  static let requestID: RegisterID = 0x0001
  static let answerID: RegisterID = 0x0002

  /// The register, or one of the two numbers that are none.
  public let id: RegisterID
  /// What the message says.
  public let description: String

  /// Reads a payload, the maker's header included; nil for another maker's and for one too short for a register's number.
  public init?(_ payload: RawSpan) {
    let storage = LongPayload(payload)
    guard
      storage.bits(at: 0, count: 16) == UInt64(ProprietaryHeader(manufacturer: VictronRegister.manufacturer).rawValue),
      let number = storage.word(at: 2)
    else { return nil }
    id = RegisterID(number)
    switch (id, storage.word(at: 4), storage.word(at: 6)) {
    case (Self.requestID, let wanted?, let mask?):
      description =
        mask == 0xFFFF
        ? "Request for \(Self.name(RegisterID(wanted)))"
        : "Request for registers \(RegisterID(wanted)), mask \(RegisterID(mask))"
    case (Self.answerID, let refused?, let code?):
      description = "Answer about \(Self.name(RegisterID(refused))): \(Self.words(code))"
    default:
      description = "\(Self.name(id)): \(Self.value(of: id, in: storage))"
    }
  }

  private static func name(_ id: RegisterID) -> String {
    "\(id) \(RegisterCatalogue.definitions[id]?.name ?? "unknown register")"
  }

  private static func value(of id: RegisterID, in storage: LongPayload) -> String {
    guard let definition = RegisterCatalogue.definitions[id], storage.count >= 4 + definition.length else {
      return storage.count > 4 ? storage.hexadecimal(from: 4, to: storage.count) : "no value"
    }
    let value = ShortPayload(
      littleEndian: UInt128(storage.bits(at: 32, count: definition.length * 8) ?? 0), count: definition.length)
    if definition.fields.count == 1, let field = definition.fields.first { return value.describe(field) }
    return definition.fields.map { "\($0.name): \(value.describe($0))" }.joined(separator: ", ")
  }

  /// The codes of 0x0002 (vecan.md section 1).
  private static func words(_ code: UInt16) -> String {
    switch code {
    case 0x0000: "accepted"
    case 0x8000: "no such register to read"
    case 0x8100: "no such register to write, or out of range"
    case 0x8200: "busy"
    case 0x8300: "invalid"
    case 0x8400: "time-out"
    case 0x8500: "too many requests"
    case 0x8600: "still initialising"
    default: "code \(RegisterID(code))"
    }
  }
}

extension LongPayload {
  fileprivate func word(at index: Int) -> UInt16? {
    bits(at: index * 8, count: 16).map(UInt16.init(truncatingIfNeeded:))
  }
}
