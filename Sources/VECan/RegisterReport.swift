public import NMEA2000

/// What a message of 61184 or 126720 says about registers, in words (vecan.md section 1).
///
/// Besides values there are messages with a number below all registers, for example 0x0001 that asks for one register or
/// for all that match a mask, and 0x0002 that refuses.
public struct RegisterReport: Sendable, CustomStringConvertible {
  /// The register, or one of the numbers that are none.
  public let id: RegisterID
  /// What the message says.
  public let description: String

  /// Reads a payload, the maker's header included; nil for another maker's and for one too short for a register's number.
  public init?(_ payload: RawSpan) {
    guard let message = LongRegisterMessage(ProprietaryFastPacket(payload: payload)) else { return nil }
    id = message.id
    let value = message.value
    let words = message.short.words
    switch (id, words) {
    case (.read, (let wanted, let mask)?):
      description =
        mask == 0xFFFF
        ? "Request for \(Self.name(wanted))"
        : "Request for registers \(wanted), mask \(RegisterID(mask))"
    case (.refusal, (let refused, let code)?):
      description = "Answer about \(Self.name(refused)): \(RefusalCode(code))"
    case (.ping, _):
      description = "Ping: \(value.hexadecimal(from: 0, to: value.count))"
    case (.restoreDefaults, _):
      description = "Restore defaults"
    default:
      description = "\(Self.name(id)): \(Self.words(id, value))"
    }
  }

  private static func name(_ id: RegisterID) -> String {
    "\(id) \(Register(id)?.definition.name ?? "unknown register")"
  }

  /// The value of a register in words; bytes when it is not known or was cut.
  static func words(_ id: RegisterID, _ value: LongPayload) -> String {
    let bytes = value.count > 0 ? value.hexadecimal(from: 0, to: value.count) : "no value"
    guard let definition = Register(id)?.definition else { return bytes }
    return definition.words(value) ?? bytes
  }
}

extension RegisterDefinition {
  /// A value in words: one field without its name, several with theirs; nil when it was cut or is no text.
  public func words(_ value: LongPayload) -> String? {
    switch content {
    case .text:
      return LongRegisterMessage(id, value).text.map { "\"\($0)\"" }
    case .fields(let fields, let length):
      guard value.count >= length else { return nil }
      if fields.isEmpty { return "written" }
      if fields.count == 1, let field = fields.first { return value.describe(field) }
      if fields.allSatisfy({ $0.bitCount == 1 }) {
        let set = fields.filter { value.bits(at: $0.bitOffset, count: 1) == 1 }.map(\.name)
        return set.isEmpty ? "none" : set.joined(separator: ", ")
      }
      return fields.map { "\($0.name): \(value.describe($0))" }.joined(separator: ", ")
    }
  }
}

extension LongRegisterMessage {
  init(_ id: RegisterID, _ value: LongPayload) {
    self.id = id
    self.value = value
  }
}

extension LongPayload {
  /// The first four bytes, or as many as there are.
  var short: ShortPayload {
    var result = ShortPayload(count: min(4, count))
    for index in 0..<result.count { result.setBits(at: index * 8, count: 8, to: UInt64(self[index])) }
    return result
  }
}
