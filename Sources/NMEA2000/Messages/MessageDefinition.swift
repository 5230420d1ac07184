public import MonotonicTime

/// What a message is: the one description that decode, encode, JSON, names and units come from.
public struct MessageDefinition: Sendable {
  /// How a message travels.
  public enum Framing: Sendable, Hashable {
    /// One frame of 8 bytes.
    case single
    /// Up to 223 bytes in up to 32 frames, also when it would fit into one.
    case fastPacket
    /// ISO 11783 transport protocol only.
    case isoTransport
  }

  /// Bits that tell a message apart from others of the same PGN.
  public struct Match: Sendable, Hashable {
    /// The place of the bits.
    public let bitOffset: Int
    /// How many they are.
    public let bitCount: Int
    /// What they must be.
    public let value: UInt64

    /// The bits of `field` must be `value`.
    public init(_ field: Field, _ value: UInt64) {
      bitOffset = field.bitOffset
      bitCount = field.bitCount
      self.value = value
    }
  }

  /// Fields that come again and again, after the others or after the set before.
  public struct RepeatedSet: Sendable {
    /// The fields, with offsets from the start of one repetition.
    public let fields: [Field]
    /// The number, from 1, of the field that says how often; nil for "until the payload ends".
    public let countField: Int?

    /// A set of fields that comes as often as the field `countField` says.
    public init(_ fields: [Field], countField: Int?) {
      self.fields = fields
      self.countField = countField
    }
  }

  /// The message's number.
  public let pgn: PGN
  /// The name, as canboat writes it.
  public let name: String
  /// How it travels.
  public let framing: Framing
  /// The payload's length in bytes; for a message of variable length the least.
  public let length: Int
  /// The default priority, 0...7.
  public let priority: UInt8
  /// The default interval; nil when sent on request or change.
  public let interval: TimeSpan?
  /// What tells it apart from others of the PGN; empty when nothing needs to.
  public let matches: [Match]
  /// The fields, in the order of the wire. Their place in this list, from 1, is their number in 126208.
  public let fields: [Field]
  /// Fields that repeat, at the end; at most two sets.
  public let repeated: [RepeatedSet]
  /// The first 16 bytes of a message in which nothing is available: ones, but not in the sign of a signed number, where
  /// all ones are a value just below zero, and not in spare bits.
  public let blank: UInt128

  /// A definition of these parts.
  public init(
    pgn: PGN, name: String, framing: Framing, length: Int, priority: UInt8, interval: TimeSpan? = nil,
    matches: [Match] = [], fields: [Field], repeated: [RepeatedSet] = []
  ) {
    self.pgn = pgn
    self.name = name
    self.framing = framing
    self.length = length
    self.priority = priority
    self.interval = interval
    self.matches = matches
    self.fields = fields
    self.repeated = repeated
    blank = fields.reduce(into: .max) { bits, field in
      let last = field.bitOffset + field.bitCount - 1
      guard field.bitCount > 0, last < 128 else { return }
      if field.format?.isSigned == true { bits &= ~(1 << UInt128(last)) }
      if field.kind == .spare { bits &= ~(((1 << UInt128(field.bitCount)) - 1) << UInt128(field.bitOffset)) }
    }
  }

  /// Whether a payload is of this message and not of another one of the PGN.
  public func applies(to payload: some FieldStorage) -> Bool {
    matches.allSatisfy { payload.bits(at: $0.bitOffset, count: $0.bitCount) == $0.value }
  }
}
