public import BMSCore
public import CANBus
import CANBusBMS
public import MonotonicTime
public import NMEA2000
public import VECan

/// The BMS as a device on the bus: messages become the core's inputs, the core's outputs become messages.
///
/// It does no I/O. Frames and time go in; frames wait in ``outbox``, events in ``nextEvent()``. So the same device runs
/// on SocketCAN, in the demo, in a test and in a replay.
public struct BMSDevice: Sendable {
  /// 0x305 comes about once a second (dvcc-dbus.md A.1); ten missed ones are a silence.
  static let keepAliveTimeout = TimeSpan.seconds(10)
  /// The core is stepped at least this often, for what only time changes (OD-20's shortest limit is 500 ms).
  static let stepInterval = TimeSpan.milliseconds(100)
  /// Before it falls silent in Off every publication carries what Off means at least once: the longest period is 1.5 s.
  static let lastWords = TimeSpan.seconds(2)

  /// The model that product information and registers show.
  static let model = "vecand battery monitor"

  var node: Node
  var core: BMS
  var mapping: InputMapping
  private var switchboard: Switchboard
  var publisher: Publisher
  var outputs = Outputs()
  let identity: DeviceIdentity
  let started: Instant
  var configuredSettings: Settings
  var configuredFuseNames: FuseNames
  /// What was set at run time and is not in force: ``ChangedSettings/waiting``.
  var waiting: [String: Double]
  let parts: WiredParts
  private let hasDistributors: Bool
  private let usesBatteryFrames: Bool
  /// The 11-bit frames have a bus of their own.
  private let hasBatteryBus: Bool
  /// That bus carries frames.
  private var isBatteryBusUp = false
  private var nextStep: Instant
  private var configurationSent = Instant(nanoseconds: .min)
  /// When the Distributors are looked at next: a fuse is not to cost memory with each frame.
  private var nextDistributors = Instant(nanoseconds: .min)
  /// The core has decided since the outputs were last looked through.
  private var isUnpublished = true
  var events: [DeviceEvent] = []
  private var decisions = DecisionWatch()
  /// What was told of each role, by its number.
  private var reportedSenders = WiredRole.allCases.map { _ in SenderState.unwired }
  private var keepAliveHeard: Instant?
  private var outboxRefused: UInt64 = 0
  /// The address that the filters were last made for: nil before the first, `.some(nil)` for those without an address.
  private var filteredAddress: UInt8??
  /// The link carries frames.
  private var hasLink = false
  /// Since when there is nothing left to say in Off; nil while there is.
  private var quietSince: Instant?
  /// Nothing is sent any more, because the mode is Off (R35).
  private var isSilent = false
  /// Whether the claim is decided. Until then nothing but the claim is sent, 11-bit frames included.
  private var isOnBus = false

  /// A device that is not on the bus yet.
  ///
  /// - Parameters:
  ///   - configuration: what it is, its wiring and its settings.
  ///   - stored: what an earlier run left of the node.
  ///   - changed: what an earlier run was told over the bus; it counts before the configuration, but for each setting that
  ///     contradicts it or is not accepted: that one waits.
  ///   - snapshot: what an earlier run left of the core; nil for a first start.
  ///   - unseen: how long ago it left that; nil when nobody knows, which is the worst case.
  ///   - afterUpdate: whether another version of the program left it (R26).
  ///   - randomSeed: anything that differs between devices and runs.
  ///   - now: the present.
  public init(
    configuration: DeviceConfiguration, stored: StoredNode = StoredNode(), changed: ChangedSettings = ChangedSettings(),
    snapshot: Snapshot? = nil, unseenFor unseen: TimeSpan? = nil, afterUpdate: Bool = false, randomSeed: UInt64,
    at now: Instant
  ) {
    let identity = configuration.identity
    self.identity = identity
    started = now
    configuredSettings = configuration.settings
    configuredFuseNames = configuration.fuseNames
    let settable = TimeSpan.milliseconds(100)...TimeSpan.seconds(60)
    let periodic = [
      BatteryStatus.definition.pgn, DCDetailedStatus.definition.pgn, BinarySwitchBankStatus.definition.pgn,
    ]
    let registers = [VictronRegister.definition.pgn, ProprietaryFastPacket.definition.pgn]
    node = Node(
      identity: NodeIdentity(
        name: identity.name, preferredAddress: identity.preferredAddress,
        product: ProductDescription(
          productCode: 0, model: Self.model, softwareVersion: identity.softwareVersion,
          serialNumber: identity.serial),
        manufacturerInformation: "vecand, a software BMS for Linux",
        installationDescription1: identity.installationDescription1,
        installationDescription2: identity.installationDescription2),
      transmitted: periodic.map {
        TransmittedPGN($0, interval: .milliseconds(1500), settableIntervals: settable)
      } + [TransmittedPGN(BatteryConfigurationStatus.definition.pgn)]
        + registers.map { TransmittedPGN($0, isRequestable: false) },
      received: [
        BatteryStatus.definition.pgn, DCDetailedStatus.definition.pgn, BinarySwitchBankStatus.definition.pgn,
      ] + registers,
      stored: stored, randomSeed: randomSeed)
    var settings = configuration.settings
    let waiting = settings.restore(changed)
    self.waiting = waiting.stored
    core = BMS(
      settings: settings, wiring: configuration.wiring, fuseNames: changed.fuseNames ?? configuration.fuseNames,
      restoring: snapshot, unseenFor: unseen, afterUpdate: afterUpdate)
    mapping = InputMapping(configuration: configuration)
    parts = WiredParts(configuration)
    hasDistributors = !configuration.distributors.isEmpty
    usesBatteryFrames = configuration.usesBatteryFrames
    hasBatteryBus = configuration.hasBatteryBus
    mapping.apply(settings)
    mapping.inputs.areSettingsLost = changed.areLost
    switchboard = Switchboard(configuration: configuration)
    publisher = Publisher(configuration: configuration, at: now)
    publisher.apply(settings)
    publisher.describe(node.installationDescription(1))
    nextStep = now
    for (number, text) in [(1, identity.installationDescription1), (2, identity.installationDescription2)] {
      let inForce = node.installationDescription(number)
      if !text.isEmpty, inForce != text {
        events.append(.descriptionNotInForce(number, configured: text, inForce: inForce))
      }
    }
    // What is in force of it, for the log, and what waits now, to be stored.
    if changed != ChangedSettings(), !changed.areLost { events.append(.settingsChanged(changedSettings)) }
    if !waiting.isEmpty { events.append(.settingsWaiting(waiting)) }
  }

  // MARK: Events in

  /// Takes a frame from the bus. Only data frames mean anything to a device.
  ///
  /// What is measured is as old as the frame; what is answered is sent now.
  public mutating func receive(_ received: ReceivedFrame, at now: Instant) {
    guard case .data(let frame) = received.frame else { return }
    if frame.identifier.isExtended {
      mapping.arrival = received.instant
      node.receive(frame, at: now, application: &mapping)
    } else if frame.identifier == BatteryFrameID.keepAlive {
      if keepAliveHeard == nil { events.append(.keepAlive(isHeard: true)) }
      keepAliveHeard = received.instant
    } else {
      mapping.arrival = received.instant
      mapping.receive(frame)
    }
  }

  /// Frames for the device were lost before it could take them. Measurements come again; who asked is told to ask again.
  public mutating func noteLostFrames() { mapping.server.noteLostFrames() }

  /// Whether what a restart must find is stored, or cannot be.
  public mutating func setStateStored(_ isStored: Bool) {
    guard mapping.inputs.isStateNotStored == isStored else { return }
    mapping.inputs.isStateNotStored = !isStored
    mapping.changed = true
  }

  /// Decides and sends what is due. To be called after each batch of frames and at ``nextDeadline``.
  public mutating func run(at now: Instant) {
    node.tick(at: now)
    mapping.tick(at: now)
    noteNode(at: now)
    noteSenders(at: now)
    takeWrites(at: now)
    if mapping.changed || nextStep <= now { step(at: now) }
    // Before anything is published: what is commanded may be an opening.
    runSwitches(at: now)
    noteSilence(at: now)
    for pgn in mapping.requested {
      if pgn == BatteryConfigurationStatus.definition.pgn { sendConfiguration(at: now) }
      publisher.request(pgn, at: now)
    }
    mapping.requested.removeAll(keepingCapacity: true)
    // Most frames of a bus concern others: they cost no look at what there is to say.
    let carries = carries(at: now)
    if carries, isUnpublished || publisher.nextDeadline <= now {
      publisher.energy = EnergyFrame(
        charged: core.history.chargedEnergy, discharged: core.history.dischargedEnergy)
      publisher.publish(outputs, isUrgent: outputs.protectiveChange, through: &node, at: now)
      outputs.protectiveChange = false
      isUnpublished = false
    }
    if isOnBus { sendAnswers(at: now) }
    if node.outbox.refused != outboxRefused {
      outboxRefused = node.outbox.refused
      events.append(.outboxFull(refused: outboxRefused))
    }
  }

  /// The link carries frames: claims an address; after an interruption the same NAME claims the same address again.
  public mutating func join(at now: Instant) {
    hasLink = true
    isOnBus = false
    mapping.server.removeAll()
    if !isSilent { node.start(at: now) }
  }

  /// The link carries nothing: nothing is queued until ``join(at:)``. The core goes on deciding.
  public mutating func linkLost(at now: Instant) {
    hasLink = false
    isOnBus = false
    node.stop(at: now)
  }

  /// The bus of the 11-bit frames carries frames, or carries nothing any more. Neither bus waits for the other.
  public mutating func batteryBus(isUp: Bool) { isBatteryBusUp = isUp }

  /// Withdraws all limits and forbids everything. The frames that say so wait in the outbox; after they are sent,
  /// ``leave(at:)``.
  public mutating func withdraw(at now: Instant) {
    mapping.inputs.shutdown = true
    step(at: now)
    runSwitches(at: now)
    if carries(at: now) { publisher.publish(outputs, isUrgent: true, through: &node, at: now) }
  }

  /// After ``withdraw(at:)``: whether every switch says that it is off, so that nothing is left closed behind.
  public var isReleased: Bool { !outputs.contactorCommand && switchboard.isReleased }

  /// Leaves the bus: gives the address up and sends nothing any more.
  public mutating func leave(at now: Instant) {
    node.stop(at: now)
  }

  // MARK: What it wants

  /// When ``run(at:)`` is due at the latest.
  public var nextDeadline: Instant {
    let deadline = min(node.nextDeadline, nextStep, switchboard.nextDeadline)
    let published = min(deadline, publisher.nextDeadline)
    return isOnBus ? min(published, mapping.server.nextDeadline) : published
  }

  /// The frames to be sent, in order.
  public var outbox: Outbox {
    get { node.outbox }
    _modify { yield &node.outbox }
  }

  /// Takes the oldest event; nil when there is none.
  public mutating func nextEvent() -> DeviceEvent? {
    events.isEmpty ? nil : events.removeFirst()
  }

  /// The frames that the device has to hear from now on; nil when that is what it was the last time.
  public mutating func takeFilters() -> [CANFilter]? {
    if let filteredAddress, filteredAddress == node.address { return nil }
    filteredAddress = .some(node.address)
    let frames = usesBatteryFrames ? BatteryFrameID.sources : [BatteryFrameID.keepAlive]
    return node.filters + frames.map { CANFilter($0) }
  }

  /// The device now.
  public func status(at now: Instant) -> DeviceStatus {
    var senders: [WiredRole: SenderState] = [:]
    var switches: [WiredRole: SwitchState] = [:]
    for role in WiredRole.allCases {
      let sender = mapping.state(of: role)
      if sender != .unwired { senders[role] = sender }
      let state = switchboard.state(of: role)
      if state != .unwired { switches[role] = state }
    }
    return DeviceStatus(
      instant: now, address: node.address, name: node.name, outputs: outputs, monitor: mapping.state(of: .monitor),
      cells: mapping.state(of: .cells), senders: senders, switches: switches, isSilent: isSilent,
      statistics: node.statistics)
  }

  /// Carries out what is asked of the core, or says why not.
  public mutating func perform(_ command: Command, at now: Instant) throws(CommandError) {
    try core.perform(command)
    nextStep = now
  }

  /// Who else is on the bus.
  public var devices: DeviceTable { node.devices }

  /// What a restart must not forget of the node.
  public var stored: StoredNode { node.stored }

  /// What a restart must not forget of what was changed over the bus.
  public var changedSettings: ChangedSettings {
    var changed = ChangedSettings()
    for setting in Setting.allCases where core.settings[setting] != configuredSettings[setting] {
      changed.values[setting] = core.settings[setting]
    }
    changed.waiting = waiting
    if core.fuseNames != configuredFuseNames { changed.fuseNames = core.fuseNames }
    changed.areLost = mapping.inputs.areSettingsLost
    return changed
  }

  /// What was asked of the registers, and what became of it.
  public var registerStatistics: RegisterServer.Statistics { mapping.server.statistics }

  /// What a restart must not forget of the core; nil while what was stored is lost. A new state would hide that at the
  /// next start (R29).
  public var snapshot: Snapshot? { mapping.inputs.areSettingsLost ? nil : core.snapshot }

  // MARK: Inside

  private mutating func step(at now: Instant) {
    // A protective change that could not be published yet is not forgotten with the next step.
    let isPending = outputs.protectiveChange
    mapping.settleContacts(within: TimeSpan(seconds: core.settings[.cellStale]), at: now)
    outputs = core.step(mapping.inputs, at: now)
    if isPending { outputs.protectiveChange = true }
    if hasDistributors, nextDistributors <= now {
      publisher.distributors = distributorMessages
      nextDistributors = now + Self.stepInterval
    }
    mapping.changed = false
    isUnpublished = true
    nextStep = min(now + Self.stepInterval, outputs.nextDeadline)
    noteDecisions(at: now)
    node.isOperational = !outputs.alarms.hasAlarm
  }

  /// What raised an alarm is told with the alarm, or with the decision that it made: once.
  private mutating func noteDecisions(at now: Instant) {
    let explanations = decisions.changes(outputs, at: now).map { core.explanation(of: $0) }
    if !outputs.events.raised.isEmpty {
      events.append(
        .raised(
          outputs.events.raised.map { alarm in
            let cause = core.record(of: alarm).cause
            let isTold = explanations.contains {
              ($0.subject == .charge || $0.subject == .discharge) && $0.reason.rule == cause?.rule
                && $0.reason.input == cause?.input && $0.reason.place == cause?.place
            }
            return (alarm, isTold ? nil : cause)
          }))
    }
    if !outputs.events.isEmpty { events.append(.core(outputs.events, outputs)) }
    if !explanations.isEmpty { events.append(.decided(explanations)) }
  }

  /// 127513 comes when somebody asks for it, and many who ask at once get one.
  private mutating func sendConfiguration(at now: Instant) {
    guard isOnBus, now - configurationSent >= Publisher.requestInterval else { return }
    let message = publisher.batteryConfiguration(core.settings)
    guard node.send(message, urgency: .answer, validity: Publisher.validity, at: now) == .queued else { return }
    configurationSent = now
  }

  /// What can be sent now; false when nothing can. 11-bit frames need no address, but while they share the bus they wait
  /// for the claim like everything else.
  private mutating func carries(at now: Instant) -> Bool {
    publisher.carry(messages: isOnBus, frames: hasBatteryBus ? isBatteryBusUp && !isSilent : isOnBus, at: now)
    return publisher.carriesAnything
  }

  private mutating func noteNode(at now: Instant) {
    while let event = node.nextEvent() {
      switch event {
      case .addressClaimed, .cannotClaim:
        isOnBus = true
        publisher.restart(at: now)
      case .descriptionsChanged: publisher.describe(node.installationDescription(1))
      default: break
      }
      events.append(.node(event))
    }
  }

  private mutating func noteSenders(at now: Instant) {
    for role in mapping.wired {
      let state = mapping.state(of: role)
      guard state != reportedSenders[Int(role.rawValue)] else { continue }
      if case .silent = state, mapping.isExcused(role, at: now) { continue }
      reportedSenders[Int(role.rawValue)] = state
      events.append(.sender(role, state))
    }
    if let heard = keepAliveHeard, now - heard > Self.keepAliveTimeout {
      keepAliveHeard = nil
      events.append(.keepAlive(isHeard: false))
    }
  }
  /// What the core decided goes to the modules; what is wrong with them goes to the core's next step.
  private mutating func runSwitches(at now: Instant) {
    switchboard.run(outputs, &mapping, through: &node, at: now)
    publisher.seen = SeenContacts(relay: switchboard.seen(.relay), auxiliary: switchboard.seen(.auxiliary))
    while let change = switchboard.nextChange() { events.append(.output(change.role, change.state)) }
    if mapping.inputs.wiringFaults != switchboard.faults {
      mapping.inputs.wiringFaults = switchboard.faults
      nextStep = now
    }
  }

  /// R35: in Off the bus is silent. Not before everything is open and says so, and everybody was told; and not while two
  /// senders are taken for one.
  private mutating func noteSilence(at now: Instant) {
    guard outputs.isBusSilent, isReleased, !mapping.isBankAmbiguous else {
      quietSince = nil
      if isSilent {
        isSilent = false
        mapping.setSilent(false, at: now)
        events.append(.silence(false))
        if hasLink { join(at: now) }
      }
      return
    }
    let since = quietSince ?? now
    quietSince = since
    guard !isSilent, now - since >= Self.lastWords else { return }
    isSilent = true
    mapping.setSilent(true, at: now)
    isOnBus = false
    node.stop(at: now)
    events.append(.silence(true))
  }
}
