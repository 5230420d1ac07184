public import CANBus
public import MonotonicTime

/// A node on an NMEA 2000 bus: an address and everything that must be answered to keep it and to be understood
/// (nmea2000.md sections 1.4 to 1.7).
///
/// It does no I/O: frames and time go in, frames wait in ``outbox`` and events in ``nextEvent()``.
public struct Node: Sendable {
  /// The frames to be sent, in order.
  public var outbox: Outbox
  /// Who else is on the bus.
  public private(set) var devices: DeviceTable
  /// What a restart must not forget; ``NodeEvent/storedChanged`` says when to save it.
  public private(set) var stored: StoredNode
  /// Counters since the start.
  public private(set) var statistics: Statistics

  /// A node that is not on the bus yet.
  ///
  /// - Parameters:
  ///   - identity: who it is.
  ///   - transmitted: the PGNs that the application sends; those of the network are added.
  ///   - received: the PGNs that the application understands; those of the network are added.
  ///   - stored: what an earlier run left.
  ///   - randomSeed: anything that differs between devices and runs.
  public init(
    identity: NodeIdentity, transmitted: [TransmittedPGN], received: [PGN], stored: StoredNode = StoredNode(),
    randomSeed: UInt64
  ) {
    fatalError()
  }

  /// The address the node may send from; nil while it has none.
  public var address: UInt8? { nil }
  /// The NAME as it is now.
  public var name: Name { Name(rawValue: 0) }

  /// Goes on the bus: asks who is there, claims, and is ready after at most 0.6 s on a quiet bus.
  public mutating func start(at now: Instant) {}

  /// The interface came back: claims again with the address held before. Whatever waited is dropped.
  public mutating func restart(at now: Instant) {}

  /// The interface is gone or the program ends: sends nothing any more.
  public mutating func stop(at now: Instant) {}

  /// Takes a frame from the bus.
  public mutating func receive(
    _ frame: CANDataFrame, at now: Instant, application: inout some NodeApplication
  ) {}

  /// Does what is due. To be called at ``nextDeadline``; calling earlier or more often changes nothing.
  public mutating func tick(at now: Instant) {}

  /// When ``tick(at:)`` is due next.
  public var nextDeadline: Instant { .origin }

  /// Sends a message, by fast packet when its definition says so. Nothing is queued unless ``SendOutcome/queued``.
  ///
  /// - Parameters:
  ///   - destination: for an addressed PGN; 255 for all.
  ///   - priority: nil for the message's default.
  ///   - validity: how long it stays true if the bus is busy.
  @discardableResult
  public mutating func send(
    _ message: some Message, to destination: UInt8 = BusAddress.global, priority: UInt8? = nil,
    urgency: Outbox.Urgency = .periodic, validity: TimeSpan = .seconds(1), at now: Instant
  ) -> SendOutcome { .notClaimed }

  /// Sends bytes: by fast packet or in one frame, filled up with 0xFF.
  @discardableResult
  public mutating func send(
    pgn: PGN, _ payload: RawSpan, framing: MessageDefinition.Framing, to destination: UInt8 = BusAddress.global,
    priority: UInt8, urgency: Outbox.Urgency = .periodic, validity: TimeSpan = .seconds(1), at now: Instant
  ) -> SendOutcome { .notClaimed }

  /// What became of a message.
  public enum SendOutcome: Hashable, Sendable {
    /// It waits in the outbox.
    case queued
    /// The node has no address.
    case notClaimed
    /// The outbox is full.
    case outboxFull
    /// It fits in no fast packet (223 bytes).
    case tooLong
  }

  /// Takes the oldest event; nil when there is none.
  public mutating func nextEvent() -> NodeEvent? { nil }

  /// How often the application is to send this PGN: as set by 126208, else as declared; nil for on request.
  public func interval(of pgn: PGN) -> TimeSpan? { nil }

  /// What the heartbeat says of the device: true while it works as it should.
  public var isOperational: Bool = true

  /// Counters since the start.
  public struct Statistics: Hashable, Sendable {
    /// Frames taken.
    public var framesReceived: UInt64 = 0
    /// Frames with an 11-bit identifier or another kind of no NMEA 2000 message.
    public var foreignFrames: UInt64 = 0
    /// Complete messages.
    public var messagesReceived: UInt64 = 0
    /// Messages queued.
    public var messagesSent: UInt64 = 0
    /// Messages not sent for want of an address.
    public var refusedUnclaimed: UInt64 = 0
    /// Network messages that could not be understood.
    public var malformed: UInt64 = 0
    /// Our own claims heard back.
    public var echoes: UInt64 = 0
    /// Address contests won.
    public var contestsWon: UInt64 = 0
    /// Address contests lost.
    public var contestsLost: UInt64 = 0
  }
}
