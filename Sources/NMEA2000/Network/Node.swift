public import CANBus
public import MonotonicTime

/// A node on an NMEA 2000 bus: an address and everything that must be answered to keep it and to be understood
/// (nmea2000.md sections 1.4 to 1.7).
///
/// It does no I/O: frames and time go in, frames wait in ``outbox`` and events in ``nextEvent()``. Nothing leaves it
/// from an address that it does not hold, and while it claims, nothing but the claim.
///
/// A frame in causes at most the frames of its one answer: 1 for a claim, a refusal or an inquiry, 8 for a grant of the
/// transport protocol, 20 for product information, about 12 for both PGN lists. Answers to all are given at most every
/// 50 ms however often they are asked for, and together they may fill half of the outbox.
public struct Node: Sendable {
  /// The frames to be sent, in order.
  public var outbox = Outbox()
  /// Who else is on the bus.
  public private(set) var devices = DeviceTable()
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
  private let received: [PGN]
  private let framing = FramingTable.shared
  var claim: AddressClaim
  private var transport = ISOTransport()
  private var assembler = FastPacketAssembler()
  private var packets = FastPacketSender()
  private var events = NodeEventQueue()
  private var counters = Statistics()
  /// Intervals set by 126208, beside ``transmitted``.
  var intervals: [TimeSpan?]
  /// Every PGN that was or may be sent from our address, so that a stranger on it is recognised by the others.
  private var sentPGNs: [PGN]
  private var heartbeatSequence = 0
  private var nextHeartbeat = Instant(nanoseconds: .max)
  private var productAnswer = PacedAnswer()
  private var configurationAnswer = PacedAnswer()

  /// The least distance of two answers to all of one kind.
  static let answerDistance = TimeSpan.milliseconds(50)
  /// After this an asker has given up.
  static let answerValidity = TimeSpan.seconds(2)
  static let defaultHeartbeat = TimeSpan.seconds(60)
  static let heartbeatRange: ClosedRange<TimeSpan> = .milliseconds(1000)...(.milliseconds(60_000))

  /// An answer that goes to all: asked for by many at once, it is given once.
  private struct PacedAnswer: Sendable {
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
    self.stored = stored
    intervals = [TimeSpan?](repeating: nil, count: self.transmitted.count)
    sentPGNs = Set(self.transmitted.map(\.pgn) + NetworkPGN.transmitted).sorted()
    var name = identity.name
    if let number = stored.uniqueNumber { name.uniqueNumber = number }
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

  /// Goes on the bus: asks who is there, claims, and is ready after at most 0.6 s on a quiet bus.
  public mutating func start(at now: Instant) {
    silence()
    perform(claim.start(at: now), at: now)
  }

  /// The interface came back: claims again with the address held before. Whatever waited is dropped.
  public mutating func restart(at now: Instant) {
    start(at: now)
  }

  /// The interface is gone or the program ends: sends nothing any more.
  public mutating func stop(at now: Instant) {
    silence()
    claim.stop()
  }

  private mutating func silence() {
    outbox.removeAll()
    transport.reset()
    assembler.removeAll()
    stopAnswers()
  }

  private mutating func stopAnswers() {
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

  private mutating func perform(_ step: AddressClaim.Step, at now: Instant) {
    if let contested = claim.contestedAddress { devices.forget(contested) }
    if let event = step.event { note(event, at: now) }
    if claim.address == nil, nextHeartbeat.nanoseconds != .max {
      // Whatever waits would go out under an address that is no longer ours.
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

  // MARK: - Receiving

  /// Takes a frame from the bus.
  public mutating func receive(
    _ frame: CANDataFrame, at now: Instant, application: inout some NodeApplication
  ) {
    counters.framesReceived &+= 1
    guard let identifier = MessageIdentifier(frame.identifier) else {
      counters.foreignFrames &+= 1
      return
    }
    guard identifier.source != BusAddress.global else {
      counters.malformed &+= 1
      return
    }
    if identifier.pgn == NetworkPGN.addressClaim {
      receiveClaim(frame.payload, identifier, at: now, application: &application)
      return
    }
    if identifier.source == claim.contestedAddress {
      receiveFromOwnAddress(identifier.pgn, at: now)
      return
    }
    if devices.hear(identifier.pgn, from: identifier.source, at: now), let own = address {
      devices.noteInquiry(to: identifier.source, at: now)
      inquire(identifier.source, from: own, at: now)
    }
    let destination = identifier.destination
    guard destination == BusAddress.global || destination == claim.contestedAddress else { return }

    switch identifier.pgn {
    case NetworkPGN.transportControl:
      transport.receiveControl(
        frame.payload, from: identifier.source, to: destination, own: address, at: now, outbox: &outbox)
    case NetworkPGN.transportData:
      receiveTransportData(frame.payload, identifier, at: now, application: &application)
    default:
      switch framing[identifier.pgn] {
      case .single: receiveSingle(frame.payload, identifier, at: now, application: &application)
      case .fastPacket: receiveFastPacket(frame, identifier, at: now, application: &application)
      case .isoTransport:
        // 65240 in a single frame: it has 9 bytes, so this is none.
        counters.malformed &+= 1
      case nil: counters.unknownFraming &+= 1
      }
    }
  }

  private mutating func receiveClaim(
    _ payload: CANPayload, _ identifier: MessageIdentifier, at now: Instant, application: inout some NodeApplication
  ) {
    // A claim has 8 bytes. A shorter one read as a NAME full of ones was defended against (nmea2000.md section 4).
    guard payload.count == 8 else {
      counters.malformed &+= 1
      return
    }
    let other = Name(rawValue: payload.bits)
    perform(claim.receive(other, from: identifier.source, at: now, in: devices), at: now)
    guard !claim.isOwn(other, at: now), identifier.source != claim.contestedAddress else { return }
    if devices.claim(other, from: identifier.source, at: now) {
      transport.reset(source: identifier.source)
      assembler.removeAll(from: identifier.source)
    }
    receiveSingle(payload, identifier, at: now, application: &application)
  }

  private mutating func receiveFromOwnAddress(_ pgn: PGN, at now: Instant) {
    if sentPGNs.contains(pgn) {
      // An echo, or a stranger that cannot be told from one.
      counters.echoes &+= 1
    } else if address != nil {
      perform(claim.receiveIntrusion(pgn, at: now), at: now)
    }
  }

  private mutating func receiveSingle(
    _ payload: CANPayload, _ identifier: MessageIdentifier, at now: Instant, application: inout some NodeApplication
  ) {
    counters.messagesReceived &+= 1
    let header = MessageHeader(identifier, at: now, sender: devices.name(of: identifier.source))
    let message = ShortPayload(littleEndian: UInt128(payload.bits), count: payload.count)
    ProprietaryMessage(payload: message).withPayload { application.received(header, $0) }
    if identifier.pgn == NetworkPGN.request {
      receiveRequest(ISORequest(payload: message), header, application: &application)
    }
  }

  private mutating func receiveFastPacket(
    _ frame: CANDataFrame, _ identifier: MessageIdentifier, at now: Instant, application: inout some NodeApplication
  ) {
    let header = MessageHeader(
      identifier, at: now, transport: .fastPacket, sender: devices.name(of: identifier.source))
    let isNetwork = Self.isForNode(identifier.pgn)
    var message: LongPayload?
    let isComplete: Bool? = assembler.receive(frame, at: now) { payload in
      application.received(header, payload)
      if isNetwork { message = LongPayload(payload) }
      return true
    }
    if isComplete == true { counters.messagesReceived &+= 1 }
    if let message { receiveForNode(message, header, application: &application) }
  }

  private mutating func receiveTransportData(
    _ payload: CANPayload, _ identifier: MessageIdentifier, at now: Instant, application: inout some NodeApplication
  ) {
    guard
      let message = transport.receiveData(
        payload, from: identifier.source, to: identifier.destination, own: address, at: now, outbox: &outbox)
    else { return }
    let pgn = message.pgn
    // A claim has no business here, and must not get past the checks of a claim.
    guard pgn != NetworkPGN.addressClaim else {
      counters.malformed &+= 1
      return
    }
    counters.messagesReceived &+= 1
    let header = MessageHeader(
      MessageIdentifier(
        priority: identifier.priority, pgn: pgn, source: message.source, destination: message.destination),
      at: now, transport: .isoTransport, sender: devices.name(of: message.source))
    let bytes = message.bytes.span.bytes.extracting(first: message.count)
    application.received(header, bytes)
    if pgn == NetworkPGN.request {
      receiveRequest(ISORequest(payload: bytes), header, application: &application)
    } else if pgn == NetworkPGN.commandedAddress {
      let command = ISOCommandedAddress(payload: bytes)
      guard message.count == 9, let name = command.name, let address = command.address else {
        counters.malformed &+= 1
        return
      }
      perform(claim.receiveCommand(name, address: address, at: now), at: now)
    } else if Self.isForNode(pgn), message.count <= LongPayload.capacity {
      receiveForNode(LongPayload(bytes), header, application: &application)
    }
  }

  private static func isForNode(_ pgn: PGN) -> Bool {
    pgn == NetworkPGN.groupFunction || pgn == NetworkPGN.productInformation
  }

  private mutating func receiveForNode(
    _ payload: LongPayload, _ header: MessageHeader, application: inout some NodeApplication
  ) {
    if header.pgn == NetworkPGN.productInformation {
      devices.describe(ProductDescription(ProductInformation(payload: payload)), of: header.source)
    } else {
      receiveGroupFunction(payload, header, application: &application)
    }
  }

  mutating func noteMalformed() { counters.malformed &+= 1 }

  // MARK: - Requests (59904)

  private mutating func receiveRequest(
    _ request: ISORequest, _ header: MessageHeader, application: inout some NodeApplication
  ) {
    // A request of two bytes asks for nothing; TL takes it for PGN 0 and refuses that.
    guard case .value(let pgn) = request.requestedPGN else {
      counters.malformed &+= 1
      return
    }
    let isBroadcast = header.destination == BusAddress.global
    let now = header.instant
    if pgn == NetworkPGN.addressClaim {
      answerClaimRequest(header)
      return
    }
    guard address != nil else { return }
    if answer(pgn, to: header.source, by: header.transport, at: now) { return }
    var refusal = ISOControl.negativeAcknowledge
    if let declared = transmitted.first(where: { $0.pgn == pgn }), declared.isRequestable {
      let request = PGNRequest(pgn: pgn, source: header.source, isBroadcast: isBroadcast, filters: [])
      switch application.requested(request) {
      case .willSend: return
      case .notAvailable: break
      case .accessDenied: refusal = .accessDenied
      }
    }
    guard !isBroadcast else { return }
    var answer = ISOAcknowledgement()
    answer.control = .value(refusal)
    answer.acknowledgedPGN = .value(pgn)
    send(answer, to: header.source, urgency: .answer, validity: Self.answerValidity, at: now)
  }

  /// Answers a request for a PGN of the network; false for any other.
  private mutating func answer(
    _ pgn: PGN, to asker: UInt8, by transport: MessageHeader.Transport, at now: Instant
  ) -> Bool {
    switch pgn {
    case NetworkPGN.productInformation:
      if transport == .isoTransport, sendByTransport(productInformation, to: asker, at: now) { return true }
      sendProductInformation(at: now)
    case NetworkPGN.configurationInformation:
      if transport == .isoTransport, sendByTransport(configurationInformation, to: asker, at: now) { return true }
      sendConfigurationInformation(at: now)
    case NetworkPGN.pgnList:
      sendList(transmitList, to: asker, at: now)
      sendList(receiveList, to: asker, at: now)
    default: return false
    }
    return true
  }

  mutating func answerClaimRequest(_ header: MessageHeader) {
    let isBroadcast = header.destination == BusAddress.global
    perform(
      claim.receiveRequest(from: header.source, isBroadcast: isBroadcast, at: header.instant), at: header.instant)
  }

  mutating func rename(_ name: Name, at now: Instant) {
    perform(claim.rename(name, at: now), at: now)
    note(.instancesChanged(device: name.deviceInstance, system: name.systemInstance), at: now)
  }

  // MARK: - What the node says of itself

  var productInformation: ProductInformation { ProductInformation(identity.product) }

  var configurationInformation: ConfigurationInformation {
    ConfigurationInformation(
      installationDescription1: stored.installationDescription1,
      installationDescription2: stored.installationDescription2, manufacturer: identity.manufacturerInformation)
  }

  var transmitList: PGNList {
    PGNList(.transmit, Set(transmitted.map(\.pgn) + NetworkPGN.transmitted).sorted())
  }

  var receiveList: PGNList { PGNList(.receive, received) }

  mutating func sendProductInformation(at now: Instant) {
    productAnswer.isDue = productAnswer.last + Self.answerDistance > now
    guard !productAnswer.isDue, address != nil else { return }
    productAnswer.last = now
    send(productInformation, urgency: .answer, validity: Self.answerValidity, at: now)
  }

  mutating func sendConfigurationInformation(at now: Instant) {
    configurationAnswer.isDue = configurationAnswer.last + Self.answerDistance > now
    guard !configurationAnswer.isDue, address != nil else { return }
    configurationAnswer.last = now
    send(configurationInformation, urgency: .answer, validity: Self.answerValidity, at: now)
  }

  mutating func sendList(_ list: PGNList, to asker: UInt8, at now: Instant) {
    send(list, to: asker, urgency: .answer, validity: Self.answerValidity, at: now)
  }

  mutating func sendHeartbeat(at now: Instant) {
    guard address != nil else {
      nextHeartbeat = Instant(nanoseconds: .max)
      return
    }
    nextHeartbeat = now + heartbeatInterval
    var beat = Heartbeat()
    beat.interval = .value(heartbeatInterval)
    beat.sequenceCounter = .value(heartbeatSequence)
    beat.controller1 = .value(controllerState.rawValue)
    beat.equipmentStatus = .value(isOperational ? 0 : 1)
    if send(beat, validity: .seconds(1), at: now) == .queued { heartbeatSequence = (heartbeatSequence + 1) % 253 }
  }

  // MARK: - Sending

  /// What became of a message.
  public enum SendOutcome: Hashable, Sendable {
    /// It waits in the outbox.
    case queued
    /// The node has no address.
    case notClaimed
    /// The outbox is full.
    case outboxFull
    /// It has no bytes, or more than its framing can carry (single 8, fast packet 223).
    case wrongLength
  }

  /// Sends a message, framed as its definition says. Nothing is queued unless the outcome is ``SendOutcome/queued``.
  ///
  /// - Parameters:
  ///   - destination: for an addressed PGN; 255 for all.
  ///   - priority: nil for the message's default.
  ///   - urgency: decides who gets the last room, and tells the owner of the socket what may be dropped.
  ///   - validity: how long it stays true if the bus is busy.
  @discardableResult
  public mutating func send<Sent: Message>(
    _ message: Sent, to destination: UInt8 = BusAddress.global, priority: UInt8? = nil,
    urgency: Outbox.Urgency = .periodic, validity: TimeSpan = .seconds(1), at now: Instant
  ) -> SendOutcome {
    let definition = Sent.definition
    return message.withPayload { payload in
      send(
        pgn: definition.pgn, payload, framing: definition.framing, to: destination,
        priority: priority ?? definition.priority, urgency: urgency, validity: validity, at: now)
    }
  }

  /// Sends bytes: by fast packet, by the transport protocol to one address, or in one frame. A single frame is filled up
  /// with 0xFF to 8 bytes, except a request (59904).
  @discardableResult
  public mutating func send(
    pgn: PGN, _ payload: RawSpan, framing: MessageDefinition.Framing, to destination: UInt8 = BusAddress.global,
    priority: UInt8, urgency: Outbox.Urgency = .periodic, validity: TimeSpan = .seconds(1), at now: Instant
  ) -> SendOutcome {
    guard let own = address else {
      counters.refusedUnclaimed &+= 1
      return .notClaimed
    }
    let identifier = MessageIdentifier(priority: priority, pgn: pgn, source: own, destination: destination)
    let length = payload.byteCount
    noteSent(pgn)
    switch framing {
    case .single:
      guard length >= 1, length <= 8 else { return .wrongLength }
      guard outbox.reserve(1, for: urgency) else { return .outboxFull }
      let bits = ShortPayload(payload).bytes
      outbox.append(
        Outbox.Entry(
          frame: CANDataFrame(
            identifier.canIdentifier,
            CANPayload(
              littleEndian: UInt64(truncatingIfNeeded: bits), count: pgn == NetworkPGN.request ? length : 8)),
          urgency: urgency, queued: now, deadline: now + validity, remaining: 0))
    case .fastPacket:
      guard length >= 1, length <= LongPayload.capacity else { return .wrongLength }
      let frames = 1 + length / 7
      guard outbox.reserve(frames, for: urgency) else { return .outboxFull }
      var remaining = frames
      packets.send(payload, as: identifier) { frame in
        remaining -= 1
        outbox.append(
          Outbox.Entry(
            frame: frame, urgency: urgency, queued: now, deadline: now + validity, remaining: UInt8(max(0, remaining))))
      }
    case .isoTransport:
      guard transport.send(payload, pgn: pgn, from: own, to: destination, at: now, outbox: &outbox) else {
        return length < 1 || length > ISOTransport.Limits.length ? .wrongLength : .outboxFull
      }
    }
    counters.messagesSent &+= 1
    return .queued
  }

  private mutating func sendByTransport(_ message: some LongMessage, to asker: UInt8, at now: Instant) -> Bool {
    guard let own = address else { return false }
    let pgn = type(of: message).definition.pgn
    return message.withPayload {
      transport.send($0, pgn: pgn, from: own, to: asker, at: now, outbox: &outbox)
    }
  }

  private mutating func inquire(_ destination: UInt8, from own: UInt8, at now: Instant) {
    var request = ISORequest()
    request.requestedPGN = .value(NetworkPGN.addressClaim)
    send(request, to: destination, urgency: .answer, validity: .seconds(1), at: now)
  }

  private mutating func noteSent(_ pgn: PGN) {
    if !sentPGNs.contains(pgn), sentPGNs.count < 128 { sentPGNs.append(pgn) }
  }
}

extension ProductInformation {
  /// The message that says this.
  public init(_ product: ProductDescription) {
    self.init()
    version = .value(Double(product.nmeaVersion) / 1000)
    productCode = .value(Int(product.productCode))
    model = FixedText(product.model)
    softwareVersion = FixedText(product.softwareVersion)
    modelVersion = FixedText(product.modelVersion)
    serial = FixedText(product.serialNumber)
    certificationLevel = product.certificationLevel == .max ? .notAvailable : .value(UInt32(product.certificationLevel))
    loadEquivalency = product.loadEquivalency == .max ? .notAvailable : .value(Int(product.loadEquivalency))
  }
}

extension ProductDescription {
  /// What a device says; a number that it does not give is all ones, a text empty.
  public init(_ message: ProductInformation) {
    self.init(
      nmeaVersion: message.version.value.map { UInt16(clamping: Int(($0 * 1000).rounded())) } ?? .max,
      productCode: message.productCode.value.map { UInt16(clamping: $0) } ?? .max,
      model: message.model.map(\.description) ?? "",
      softwareVersion: message.softwareVersion.map(\.description) ?? "",
      modelVersion: message.modelVersion.map(\.description) ?? "",
      serialNumber: message.serial.map(\.description) ?? "",
      certificationLevel: message.certificationLevel.value.map { UInt8(clamping: $0) } ?? .max,
      loadEquivalency: message.loadEquivalency.value.map { UInt8(clamping: $0) } ?? .max)
  }
}
