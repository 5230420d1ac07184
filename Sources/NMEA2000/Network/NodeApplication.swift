public import MonotonicTime

/// The device behind a ``Node``: it gets the messages and decides what is not the network's business.
///
/// All of it runs inside ``Node/receive(_:at:application:)``. The application notes what to send and sends after that
/// call has returned; it never calls the node from here.
public protocol NodeApplication {
  /// A complete message from the bus, to all or to us. The payload is valid during the call only.
  mutating func received(_ header: MessageHeader, _ payload: RawSpan)

  /// Somebody asks for one of our ``TransmittedPGN``s (by 59904, or by 126208 with filters).
  mutating func requested(_ request: PGNRequest) -> RequestAnswer

  /// Somebody commands, by 126208, fields of a PGN that is not the node's own. The answer goes out as the
  /// acknowledgement.
  mutating func commanded(_ command: PGNCommand) -> GroupFunctionAnswer
}

extension NodeApplication {
  /// Sends whatever is asked for, unless it is filtered: fields can only be matched by the one who knows them.
  public mutating func requested(_ request: PGNRequest) -> RequestAnswer {
    request.filters.isEmpty ? .willSend : .notAvailable
  }

  /// Refuses any command.
  public mutating func commanded(_ command: PGNCommand) -> GroupFunctionAnswer {
    .refused(.functionNotSupported)
  }
}

/// A request for a PGN of the application.
public struct PGNRequest: Hashable, Sendable {
  /// What is asked for.
  public var pgn: PGN
  /// Who asks; 254 and even 0 for nodes without an address.
  public var source: UInt8
  /// True when everybody was asked: it is met or ignored, never refused.
  public var isBroadcast: Bool
  /// Field values that all must match (126208); empty for 59904.
  public var filters: [ParameterPair]
}

/// What becomes of a request.
public enum RequestAnswer: Hashable, Sendable {
  /// The application sends the PGN after this call.
  case willSend
  /// Nothing to send now, or no message matches the filters.
  case notAvailable
  /// Not to this one.
  case accessDenied
}

/// A field number of a PGN, from 1 in table order with reserved fields counted, and a value for it (126208).
public struct ParameterPair: Hashable, Sendable {
  /// The field's number, from 1.
  public var field: UInt8
  /// The value.
  public var value: Value

  /// What a parameter says.
  public enum Value: Hashable, Sendable {
    /// The field's bits, unsigned, as on the wire: the field's codes for "not available" are among them.
    case bits(UInt64)
    /// A text.
    case text(String)
  }

  /// A pair.
  public init(field: UInt8, value: Value) {
    self.field = field
    self.value = value
  }

  /// The bits, or nil for a text.
  public var bits: UInt64? {
    if case .bits(let bits) = value { bits } else { nil }
  }
}

/// A command by 126208 to fields of a PGN of the application. All its fields exist and all its values could be read.
public struct PGNCommand: Hashable, Sendable {
  /// Whose fields.
  public var pgn: PGN
  /// Who commands.
  public var source: UInt8
  /// When it arrived.
  public var instant: Instant
  /// The fields and their values, in the order of the command.
  public var parameters: [ParameterPair]
}

/// What a command comes to: the contents of the acknowledgement.
public struct GroupFunctionAnswer: Hashable, Sendable {
  /// About the PGN.
  public var pgn: GroupFunctionAcknowledge.PGNError
  /// About the interval or priority.
  public var interval: GroupFunctionAcknowledge.IntervalError
  /// One for each parameter, in order; missing ones are sent as "none".
  public var parameters: [GroupFunctionAcknowledge.ParameterError]

  /// An answer of these parts.
  public init(
    pgn: GroupFunctionAcknowledge.PGNError = .none, interval: GroupFunctionAcknowledge.IntervalError = .none,
    parameters: [GroupFunctionAcknowledge.ParameterError] = []
  ) {
    self.pgn = pgn
    self.interval = interval
    self.parameters = parameters
  }

  /// Done.
  public static let accepted = GroupFunctionAnswer()

  /// Nothing was done, for this reason.
  public static func refused(_ reason: GroupFunctionAcknowledge.PGNError) -> GroupFunctionAnswer {
    GroupFunctionAnswer(pgn: reason)
  }

  /// Whether nothing was refused.
  public var isAccepted: Bool {
    pgn == .none && interval == .none && parameters.allSatisfy { $0 == .none }
  }
}
