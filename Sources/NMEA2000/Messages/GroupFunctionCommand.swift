/// 126208 function 1, command: sets fields of a PGN in another node (nmea2000.md section 1.4).
///
/// The real example: 01 0D F2 01 F8 01 06 00 switches indicator 5 (field 6) of 127501 off.
public struct GroupFunctionCommand: LongMessage, GroupFunctionMessage {
  static let priorityField = Field.lookup("Priority", at: 32, bits: 4, .groupPriority)
  static let countField = Field.unsigned("Number of Parameters", at: 40, bits: 8)

  public static let function = GroupFunction.command
  public static let definition = MessageDefinition(
    pgn: 126208, name: "NMEA - Command group function", framing: .fastPacket, length: 6, priority: 3,
    matches: GroupFunction.command.matches,
    fields: GroupFunction.fields + [priorityField, Field.reserved(at: 36, bits: 4), countField],
    repeated: [.init(GroupFunction.pairFields, countField: 5)])

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }

  /// A command on a PGN, without pairs, that leaves the priority unchanged.
  public init(_ pgn: PGN) {
    payload = GroupFunction.command.payload(pgn, length: Self.definition.length)
    priority = .value(8)
    payload.set(Self.countField, steps: .value(0))
  }

  /// The priority that the PGN shall have: 0...7, 8 unchanged, 9 reset to default.
  public var priority: Reading<UInt32> {
    get { payload.code(Self.priorityField) }
    set { payload.set(Self.priorityField, code: newValue) }
  }

  /// The pairs of field and value that are ordered.
  public var parameters: GroupParameters { GroupParameters(payload, at: 6, count: payload.integer(Self.countField)) }

  /// Adds a pair; false when it does not fit.
  @discardableResult
  public mutating func append(field number: Int, value: UInt64, byteCount: Int) -> Bool {
    payload.appendPair(number, value, byteCount: byteCount, countingIn: Self.countField)
  }

  /// Adds a field of 126998 with a text; false when it does not fit.
  @discardableResult
  public mutating func append(field number: Int, text: String) -> Bool {
    let before = payload
    guard payload.append(UInt8(truncatingIfNeeded: number)), VariableText.append(text, to: &payload),
      case .value(let count) = payload.integer(Self.countField), count < 252
    else {
      payload = before
      return false
    }
    payload.set(Self.countField, steps: .value(count + 1))
    return true
  }
}
