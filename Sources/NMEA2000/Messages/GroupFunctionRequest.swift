public import MonotonicTime

/// 126208 function 0, request: asks a node to send a PGN, now or at an interval (nmea2000.md section 1.4).
public struct GroupFunctionRequest: LongMessage, GroupFunctionMessage {
  static let intervalField = Field(
    "Transmission interval", at: 32, bits: 32, .duration(NumberFormat(decimals: 3, unit: .seconds)))
  static let offsetField = Field(
    "Transmission interval offset", at: 64, bits: 16, .duration(NumberFormat(decimals: 2, unit: .seconds)))
  static let countField = Field.unsigned("Number of Parameters", at: 80, bits: 8)

  public static let function = GroupFunction.request
  public static let definition = MessageDefinition(
    pgn: 126208, name: "NMEA - Request group function", framing: .fastPacket, length: 11, priority: 3,
    matches: GroupFunction.request.matches,
    fields: GroupFunction.fields + [intervalField, offsetField, countField],
    repeated: [.init(GroupFunction.pairFields, countField: 5)])

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }

  /// A request for a PGN, without pairs, that leaves interval and offset unchanged.
  public init(_ pgn: PGN) {
    payload = GroupFunction.request.payload(pgn, length: Self.definition.length)
    payload.set(Self.countField, steps: .value(0))
  }

  /// What the request asks about the interval.
  public enum Interval: Hashable, Sendable {
    /// Stop sending.
    case off
    /// The interval of the standard or the maker.
    case restoreDefault
    /// Leave it; with an offset that is left, too: send now, once.
    case unchanged
    /// This interval, in whole milliseconds.
    case every(TimeSpan)
  }

  /// What is asked about the interval; nil in a message that ends before it.
  public var interval: Interval? {
    get {
      guard let bits = payload.bits(at: Self.intervalField.bitOffset, count: 32) else { return nil }
      return switch bits {
      case 0: .off
      case 0xFFFF_FFFE: .restoreDefault
      case 0xFFFF_FFFF: .unchanged
      default: .every(.milliseconds(Int64(bits)))
      }
    }
    set {
      let bits: UInt64
      switch newValue {
      case .off: bits = 0
      case .restoreDefault: bits = 0xFFFF_FFFE
      case .every(let span): bits = UInt64(max(1, min(0xFFFF_FFFC, span.nanoseconds / 1_000_000)))
      case .unchanged, nil: bits = 0xFFFF_FFFF
      }
      payload.setBits(at: Self.intervalField.bitOffset, count: 32, to: bits)
    }
  }

  /// The offset of the sending, in steps of 10 ms; not available leaves it unchanged.
  public var offset: Reading<TimeSpan> {
    get { payload.duration(Self.offsetField) }
    set { payload.set(Self.offsetField, newValue) }
  }

  /// The pairs of field and value that a message must match to be meant.
  public var parameters: GroupParameters { GroupParameters(payload, at: 11, count: payload.integer(Self.countField)) }

  /// Adds a pair; false when it does not fit.
  @discardableResult
  public mutating func append(field number: Int, value: UInt64, byteCount: Int) -> Bool {
    payload.appendPair(number, value, byteCount: byteCount, countingIn: Self.countField)
  }
}
