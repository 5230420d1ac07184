public import MonotonicTime

/// What a message is: the one description that decode, encode, JSON, names and units come from.
public struct MessageDefinition: Sendable {
  /// How a message travels.
  public enum Framing: Sendable {
    /// One frame of 8 bytes.
    case single
    /// Up to 223 bytes in up to 32 frames, also when it would fit into one.
    case fastPacket
    /// ISO 11783 transport protocol only.
    case isoTransport
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
  /// The fields, in the order of the wire. Their place in this list, from 1, is their number in 126208.
  public let fields: [Field]
  /// Fields that repeat until the payload ends, with offsets from the start of one repetition.
  public let repeated: [Field]

  /// A definition of these parts.
  public init(
    pgn: PGN, name: String, framing: Framing, length: Int, priority: UInt8, interval: TimeSpan? = nil,
    fields: [Field], repeated: [Field] = []
  ) {
    self.pgn = pgn
    self.name = name
    self.framing = framing
    self.length = length
    self.priority = priority
    self.interval = interval
    self.fields = fields
    self.repeated = repeated
  }
}
