/// 126208 function 2, acknowledge: the answer to a command, and to a request, read or write that failed
/// (nmea2000.md section 1.4).
public struct GroupFunctionAcknowledge: LongMessage, GroupFunctionMessage {
  /// What was wrong with the PGN.
  public enum PGNError: UInt8, Sendable {
    /// Nothing.
    case none = 0
    /// The PGN is not supported.
    case notSupported = 1
    /// The PGN is not available at this time.
    case notAvailable = 2
    /// Access denied.
    case accessDenied = 3
    /// The request or command is not supported.
    case functionNotSupported = 4
    /// The definer's tag is not supported.
    case tagNotSupported = 5
    /// Read or write is not supported.
    case readOrWriteNotSupported = 6
  }

  /// What was wrong with the interval or the priority.
  public enum IntervalError: UInt8, Sendable {
    /// Nothing.
    case none = 0
    /// The interval or priority is not supported.
    case notSupported = 1
    /// The interval is below the measuring interval.
    case tooLow = 2
    /// Access denied.
    case accessDenied = 3
    /// The request or command is not supported.
    case functionNotSupported = 4
  }

  /// What was wrong with a parameter.
  public enum ParameterError: UInt8, Sendable {
    /// Nothing.
    case none = 0
    /// There is no such field.
    case invalidField = 1
    /// Not possible at this time.
    case temporarilyUnable = 2
    /// The value is out of range.
    case outOfRange = 3
    /// Access denied.
    case accessDenied = 4
    /// The request or command is not supported.
    case functionNotSupported = 5
    /// Read or write is not supported.
    case readOrWriteNotSupported = 6
  }

  static let pgnErrorField = Field.lookup("PGN error code", at: 32, bits: 4, .pgnError)
  static let intervalErrorField = Field.lookup(
    "Transmission interval/Priority error code", at: 36, bits: 4, .intervalError)
  static let countField = Field.unsigned("Number of Parameters", at: 40, bits: 8)

  public static let function = GroupFunction.acknowledge
  public static let definition = MessageDefinition(
    pgn: 126208, name: "NMEA - Acknowledge group function", framing: .fastPacket, length: 6, priority: 3,
    matches: GroupFunction.acknowledge.matches,
    fields: GroupFunction.fields + [pgnErrorField, intervalErrorField, countField],
    repeated: [.init([Field.lookup("Parameter", at: 0, bits: 4, .parameterError)], countField: 5)])

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }

  /// An answer about a PGN. Errors beyond what fits a message are left out.
  public init(
    _ pgn: PGN, pgnError: PGNError = .none, intervalError: IntervalError = .none,
    parameters: some Collection<ParameterError> = EmptyCollection()
  ) {
    payload = GroupFunction.acknowledge.payload(pgn, length: Self.definition.length)
    payload.setBits(at: Self.pgnErrorField.bitOffset, count: 4, to: UInt64(pgnError.rawValue))
    payload.setBits(at: Self.intervalErrorField.bitOffset, count: 4, to: UInt64(intervalError.rawValue))
    var count = 0
    for error in parameters.prefix(252) {
      if count % 2 == 0 { payload.append(0xFF) }
      payload.setBits(at: 48 + count * 4, count: 4, to: UInt64(error.rawValue))
      count += 1
    }
    payload.set(Self.countField, steps: .value(count))
  }

  /// What was wrong with the PGN; nil for an unknown code or a message that ends before it.
  public var pgnError: PGNError? {
    payload.bits(at: Self.pgnErrorField.bitOffset, count: 4).flatMap {
      PGNError(rawValue: UInt8(truncatingIfNeeded: $0))
    }
  }

  /// What was wrong with the interval or priority; nil for an unknown code or a message that ends before it.
  public var intervalError: IntervalError? {
    payload.bits(at: Self.intervalErrorField.bitOffset, count: 4)
      .flatMap { IntervalError(rawValue: UInt8(truncatingIfNeeded: $0)) }
  }

  /// How many parameters are answered: what the message says, and no more than it holds.
  public var parameterCount: Int {
    min(payload.integer(Self.countField).value ?? 0, max(0, payload.count - 6) * 2)
  }

  /// What was wrong with parameter `index`, from 0; nil outside the list and for an unknown code.
  public func parameterError(_ index: Int) -> ParameterError? {
    guard index >= 0, index < parameterCount else { return nil }
    return payload.bits(at: 48 + index * 4, count: 4)
      .flatMap { ParameterError(rawValue: UInt8(truncatingIfNeeded: $0)) }
  }
}
