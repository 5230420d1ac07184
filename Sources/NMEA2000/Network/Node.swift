import CANBus
public import MonotonicTime

/// A node on an NMEA 2000 bus: an address and everything that must be answered to keep it and to be understood
/// (nmea2000.md sections 1.4 to 1.7).
///
/// It does no I/O: frames and time go in, frames wait in ``outbox`` and events in ``nextEvent()``. Nothing leaves it
/// from an address that it does not hold, and while it claims, nothing but the claim.
///
/// A frame in causes at most the frames of its one answer, and once in a while a request for its sender's claim: 1 for a
/// claim or a refusal, 8 for a grant of the transport protocol, 20 for product information, about 12 for both PGN lists.
/// Answers to all are given at most every 50 ms however often they are asked for, and together answers fill at most half
/// of the outbox.
public struct Node: Sendable {
  /// The frames to be sent, in order.
  public var outbox = Outbox()
  /// Who else is on the bus.
  public internal(set) var devices = DeviceTable()
  /// What a restart must not forget; ``NodeEvent/storedChanged`` says when to save it.
  public internal(set) var stored: StoredNode
  /// What the heartbeat says of the device: true while it works as it should.
  public var isOperational = true
  /// What the heartbeat says of the CAN controller.
  public var controllerState = ControllerState.errorActive

  /// The state of a CAN controller, as the heartbeat codes it.
  public enum ControllerState: UInt32, Sendable {
    /// Works.
    case errorActive = 0
    /// Sees many errors.
    case errorPassive = 1
  }

  let identity: NodeIdentity
  let transmitted: [TransmittedPGN]
  let received: [PGN]
  let framing = FramingTable.shared
  var claim: AddressClaim
  var transport = ISOTransport()
  var assembler = FastPacketAssembler()
  var packets = FastPacketSender()
  var events = NodeEventQueue()
  var counters = Statistics()
  /// Intervals set by 126208, beside ``transmitted``.
  var intervals: [TimeSpan?]
  /// Every PGN that was or may be sent from our address, so that a stranger on it is recognised by the others.
  var sentPGNs: [PGN]
  var heartbeatSequence = 0
  var nextHeartbeat = Instant(nanoseconds: .max)
  var productAnswer = PacedAnswer()
  var configurationAnswer = PacedAnswer()

  /// The least distance of two answers to all of one kind.
  static let answerDistance = TimeSpan.milliseconds(50)
  /// After this an asker has given up.
  static let answerValidity = TimeSpan.seconds(2)
  static let defaultHeartbeat = TimeSpan.seconds(60)
  static let heartbeatRange: ClosedRange<TimeSpan> = .milliseconds(1000)...(.milliseconds(60_000))

  /// An answer that goes to all: asked for by many at once, it is given once.
  struct PacedAnswer: Sendable {
    var last = Instant(nanoseconds: .min)
    var isDue = false

    var deadline: Instant { isDue ? last + Node.answerDistance : Instant(nanoseconds: .max) }
  }

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
    self.identity = identity
    self.transmitted = transmitted.filter { !NetworkPGN.transmitted.contains($0.pgn) }
    self.received = Set(received + NetworkPGN.received).sorted()
    let fitted = stored.fitted(to: identity)
    if fitted != stored { events.append(.storedChanged) }
    self.stored = fitted
    intervals = [TimeSpan?](repeating: nil, count: self.transmitted.count)
    sentPGNs = Set(self.transmitted.map(\.pgn) + NetworkPGN.transmitted).sorted()
    var name = identity.name
    if let number = fitted.uniqueNumber { name.uniqueNumber = number }
    if let instance = stored.deviceInstance { name.deviceInstance = instance }
    if let instance = stored.systemInstance { name.systemInstance = instance }
    claim = AddressClaim(
      name: name, preferredAddress: stored.address ?? identity.preferredAddress, addresses: identity.addresses,
      interval: identity.claimInterval, randomSeed: randomSeed)
  }

  // MARK: - Questions

  /// The address the node may send from; nil while it has none.
  public var address: UInt8? { claim.address }

  /// The NAME as it is now.
  public var name: Name { claim.name }

  /// True when it looked for an address and there is none.
  public var isWithoutAddress: Bool { claim.isWithoutAddress }

  /// The installation description, 1 or 2, that is in force: what the bus set, else the configured one.
  public func installationDescription(_ number: Int) -> String {
    let (set, configured) =
      number == 1
      ? (stored.installationDescription1, identity.installationDescription1)
      : (stored.installationDescription2, identity.installationDescription2)
    return set.isEmpty ? configured : set
  }

  /// The heartbeat's interval.
  public var heartbeatInterval: TimeSpan {
    guard let interval = stored.heartbeatInterval, Self.heartbeatRange.contains(interval) else {
      return Self.defaultHeartbeat
    }
    return interval
  }

  /// How often the application is to send this PGN: as set by 126208, else as declared; nil for on request.
  public func interval(of pgn: PGN) -> TimeSpan? {
    if pgn == NetworkPGN.heartbeat { return heartbeatInterval }
    guard let index = transmitted.firstIndex(where: { $0.pgn == pgn }) else { return nil }
    return intervals[index] ?? transmitted[index].interval
  }

  /// Counters since the start.
  public var statistics: Statistics {
    var result = counters
    result.echoes &+= claim.echoes
    result.contestsWon = claim.contestsWon
    result.contestsLost = claim.contestsLost
    result.eventsDropped = events.dropped
    return result
  }

  /// Counters of the transport protocol.
  public var transportStatistics: ISOTransport.Statistics { transport.statistics }

  /// Counters of the fast packets.
  public var fastPacketStatistics: FastPacketAssembler.Statistics { assembler.statistics }

  /// Counters since the start.
  public struct Statistics: Hashable, Sendable {
    /// Frames taken.
    public var framesReceived: UInt64 = 0
    /// Frames with an 11-bit identifier: no NMEA 2000.
    public var foreignFrames: UInt64 = 0
    /// Frames of PGNs whose framing nobody knows.
    public var unknownFraming: UInt64 = 0
    /// Complete messages, to all or to us.
    public var messagesReceived: UInt64 = 0
    /// Messages queued.
    public var messagesSent: UInt64 = 0
    /// Messages not sent for want of an address.
    public var refusedUnclaimed: UInt64 = 0
    /// Network messages that could not be understood.
    public var malformed: UInt64 = 0
    /// Our own frames heard back.
    public var echoes: UInt64 = 0
    /// Address contests won.
    public var contestsWon: UInt64 = 0
    /// Address contests lost.
    public var contestsLost: UInt64 = 0
    /// Events that nobody took.
    public var eventsDropped: UInt64 = 0
  }

  /// Takes the oldest event; nil when there is none.
  public mutating func nextEvent() -> NodeEvent? { events.popFirst() }

  // MARK: - The bus comes and goes

  /// Goes on the bus, for the first time or after the interface came back: asks who is there, claims the address held
  /// before if there was one, and is ready after at most 0.5 s on a quiet bus. Whatever waited is dropped.
  public mutating func start(at now: Instant) {
    silence()
    perform(claim.start(at: now), at: now)
  }

  /// The interface is gone, the controller is off the bus, or the program ends: sends nothing any more.
  ///
  /// A claim that never left the machine claims nothing, and the node cannot see that: its owner must stop it when the
  /// link goes and start it when it is back.
  public mutating func stop(at now: Instant) {
    silence()
    claim.stop()
  }

  mutating func silence() {
    outbox.removeAll()
    transport.reset()
    assembler.removeAll()
    stopAnswers()
  }

  mutating func stopAnswers() {
    nextHeartbeat = Instant(nanoseconds: .max)
    productAnswer.isDue = false
    configurationAnswer.isDue = false
  }

  // MARK: - Time

  /// When ``tick(at:)`` is due next.
  public var nextDeadline: Instant {
    min(
      claim.nextDeadline, transport.nextDeadline, nextHeartbeat,
      min(productAnswer.deadline, configurationAnswer.deadline))
  }

  /// Does what is due. To be called at ``nextDeadline``; calling earlier or more often changes nothing.
  public mutating func tick(at now: Instant) {
    // One step may make the next one due; three are the most that follow each other.
    for _ in 0..<4 where claim.nextDeadline <= now { perform(claim.tick(at: now, in: devices), at: now) }
    transport.tick(at: now, own: address, outbox: &outbox)
    if productAnswer.deadline <= now { sendProductInformation(at: now) }
    if configurationAnswer.deadline <= now { sendConfigurationInformation(at: now) }
    if nextHeartbeat <= now { sendHeartbeat(at: now) }
  }

  mutating func perform(_ step: AddressClaim.Step, at now: Instant) {
    if let contested = claim.contestedAddress { devices.forget(contested) }
    if let event = step.event { note(event, at: now) }
    let isLost = if case .addressLost = step.event { true } else { false }
    if isLost || claim.address == nil && nextHeartbeat.nanoseconds != .max {
      // Whatever waits would go out under an address that is no longer ours, the claim of it included.
      outbox.removeAll()
      transport.reset()
      stopAnswers()
    }
    guard let frame = step.frame else { return }
    guard outbox.reserve(1, for: .network) else {
      claim.postpone(at: now)
      return
    }
    outbox.append(
      Outbox.Entry(
        frame: frame, urgency: .network, queued: now, deadline: now + .milliseconds(250), remaining: 0))
  }

  mutating func note(_ event: NodeEvent, at now: Instant) {
    events.append(event)
    switch event {
    case .addressClaimed(let address):
      nextHeartbeat = now
      if stored.address != address {
        stored.address = address
        events.append(.storedChanged)
      }
    case .twinName(_, let number):
      stored.uniqueNumber = number
      stored.replacedUniqueNumber = identity.name.uniqueNumber
      events.append(.storedChanged)
    case .instancesChanged(let device, let system):
      stored.deviceInstance = device
      stored.systemInstance = system
      events.append(.storedChanged)
    case .descriptionsChanged:
      events.append(.storedChanged)
    case .intervalChanged(let pgn, _):
      if pgn == NetworkPGN.heartbeat { events.append(.storedChanged) }
    case .addressLost, .cannotClaim, .addressCommanded, .addressUsedByAnother, .storedChanged:
      break
    }
  }
}
