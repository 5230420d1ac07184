public import MonotonicTime

// The core. One step: judge the inputs, evaluate protection, count charge, run the charge algorithm, decide.
//
// Pure and in virtual time: no clock, no file, no bus, no allocation in a step. Two runs on the same inputs are the same
// to the bit. Protection comes first in every step and in every state, and nothing can skip it (design rule 2).

/// Something an operator asks for.
public enum Command: Sendable, Hashable {
  /// Set the state of charge, 0...100 % (R166).
  case setStateOfCharge(Double)
  /// The battery is full: synchronise to 100 % (R167).
  case synchronise
  /// Begin the history anew, and nothing else (R190).
  case clearHistory
  /// Another mode (R36, R37).
  case requestMode(Mode, by: ModeRequester)
}

/// Why a command was refused. Nothing is changed then.
public enum CommandError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Not a number from 0 to 100.
  case stateOfChargeOutOfRange(Double)
  /// The mode is not to be had.
  case modeRefused(ModeRefusal)

  /// A sentence.
  public var description: String {
    switch self {
    case .stateOfChargeOutOfRange(let value): "state of charge \(value) is refused: from 0 to 100 %"
    case .modeRefused(let refusal): refusal.description
    }
  }
}

// The parts of a step are mutating also where they only read, and take what is large as `inout` or as a local of the
// step: the compiler copies all of a large value for a call that is not (2.5 kB of BMS, more than a dozen times: half of
// a step). Those with one caller are inlined: they are small, and there are so many that the calls themselves count.

/// A software Lynx Smart BMS: measurements in, permissions, limits and alarms out.
public struct BMS: Sendable {
  /// The settings in force.
  public private(set) var settings: Settings

  var parameters: Parameters
  private var monitor: BatteryMonitor
  let wiring: Wiring
  var protection: Protection
  var modes: ModeControl
  var chargeVoltage = ChargeVoltage()
  var overcurrent: CurrentSupervision
  var contactor: ContactorSequence
  var contacts = ContactFailure()
  var secondLine: SecondLine
  var updateFailsFor = TimeSpan.zero
  var relay = Relay()
  private(set) var keeper: HistoryKeeper
  private(set) var sawCablePull = false
  private(set) var hasCellTable = false
  private(set) var isVoltageImpossible = false
  private(set) var capacityHint: CapacityHint?
  private var sawCellsLost = false
  var distributors = DistributorSupervision()
  var reported: ReportedBattery
  /// The names of the Distributors' fuses.
  public private(set) var fuseNames: FuseNames
  private(set) var usedFuses: UInt16
  /// Made with the BMS, not in the step that raises the first alarm: making it asks for memory.
  let ledPriority = LEDPriority.table
  var isBusbarHot = false
  var isFeedbackLost = false
  /// The contactor carries, and its feedback is missing.
  private(set) var isContactorUnseen = false
  /// What the contactors said in the last step that looked at all.
  var feedback = (Feedback.State.unassigned, Feedback.State.unassigned)
  private var contactDrop: Double?
  var isSupplyBad = false
  /// What each thermal switch said last.
  private var areSwitchesHot = (false, false)
  var isFanStill = false
  var reversedFor = TimeSpan.zero
  var window = VoltageSupervision()
  var plausibility = Plausibility()
  var detectedNominalVoltage: Double?
  private var detectedPreAlarmSignal: Bool?
  private(set) var charge: ChargeControl
  var derating = Derating()
  private var started: Instant?
  private var last = Instant.origin
  /// When a charger or the cells had a try at what was opened for a fault or for who obeys nobody.
  private var retried: Instant?
  /// Ours: at 20 A a try takes 0.3 Ah out of a cell in danger.
  static let retryInterval = TimeSpan.hours(24)
  private var wasComplete = false
  /// The run before left ATC and ATD in some state, and this one has not decided on them yet (R24).
  var leavesContacts: Bool
  private var hasRun = false
  /// A temperature was told once: from then on its loss forbids, required or not, until a person says otherwise.
  private var hasTemperature: Bool
  private var dataLostSince: Instant?
  /// What the last step decided; nothing known and nothing allowed before the first.
  public private(set) var decided = Outputs()
  private(set) var valueTimes = ValueTimes()
  /// The last step left every rule at rest, and nobody has asked for anything since (QuietStep.swift).
  private(set) var isSettled = false
  /// The last step was a quiet one.
  private(set) var isQuiet = false
  private var records = [AlarmRecord](repeating: AlarmRecord(), count: Alarm.allCases.count)
  private var commanded: SynchronisationRecord?

  /// A BMS that has not seen anything yet.
  ///
  /// - Parameters:
  ///   - settings: The settings in force.
  ///   - wiring: What there is to command; by default nothing.
  ///   - fuseNames: The names of the Distributors' fuses.
  ///   - snapshot: What the last run left; a defective one counts as none (see ``Snapshot/defect``).
  ///   - unseen: How long ago the snapshot was made, by a clock that ran meanwhile; nil when nobody knows.
  ///   - afterUpdate: Whether the program changed since, which begins a full charge cycle (R139).
  public init(
    settings: Settings = Settings(), wiring: Wiring = Wiring(), fuseNames: FuseNames = FuseNames(),
    restoring snapshot: Snapshot? = nil, unseenFor unseen: TimeSpan? = nil, afterUpdate: Bool = false
  ) {
    let sound = snapshot?.defect == nil ? snapshot : nil
    self.settings = settings
    parameters = Parameters(settings)
    monitor = BatteryMonitor(restoring: sound, unseenFor: unseen, parameters)
    self.wiring = wiring
    self.fuseNames = fuseNames
    usedFuses = fuseNames.used
    keeper = HistoryKeeper(restoring: sound)
    contactor = ContactorSequence(wiring, restoring: sound, unseenFor: unseen)
    leavesContacts = sound?.mode == Mode.on.rawValue && ContactorSequence.isRestart(unseenFor: unseen)
    secondLine = SecondLine(restoring: sound)
    protection = Protection(restoring: sound)
    reported = ReportedBattery(restoring: sound)
    modes = ModeControl(
      restoring: sound,
      keepsOutputs: ContactorSequence.isRestart(unseenFor: unseen)
        && (wiring.contactors == .none || sound?.isContactorClosed == true))
    overcurrent = CurrentSupervision(restoring: sound)
    detectedNominalVoltage = sound?.detectedNominalVoltage
    detectedPreAlarmSignal = sound?.detectedPreAlarmSignal
    charge = ChargeControl(restoring: sound, unseenFor: unseen, afterUpdate: afterUpdate)
    hasTemperature = sound?.hasTemperature ?? false
    // To leave Off in the first step is to leave it.
    decided.mode = modes.mode
    decided.offCause = modes.offCause
  }

  /// Takes other settings into force from the next step on.
  public mutating func apply(_ settings: Settings) {
    if settings[.nominalVoltage] != self.settings[.nominalVoltage] { window.reset() }
    if settings[.batteryCapacity] != self.settings[.batteryCapacity] { capacityHint = nil }
    // Required no more, says a person, who may have taken the sensor away. One that is there is heard in the next step.
    if self.settings[.temperatureRequired] != 0, settings[.temperatureRequired] == 0 { hasTemperature = false }
    self.settings = settings
    parameters = Parameters(settings)
    isSettled = false
  }

  /// Takes other fuse names into force from the next step on (R259, R260).
  public mutating func apply(_ names: FuseNames) {
    fuseNames = names
    usedFuses = names.used
  }

  /// Carries out what an operator asks for, or says why not. Its effect is in the next step's outputs.
  public mutating func perform(_ command: Command) throws(CommandError) {
    isSettled = false
    let before = monitor.stateOfCharge(parameters)
    switch command {
    case .setStateOfCharge(let percent):
      guard percent.isFinite, 0...100 ~= percent else { throw .stateOfChargeOutOfRange(percent) }
      monitor.set(percent, parameters)
      commanded = SynchronisationRecord(
        cause: .set, before: before, after: percent, voltage: decided.voltage, current: decided.current)
    case .requestMode(let mode, let requester):
      do throws(ModeRefusal) {
        try modes.request(mode, by: requester)
      } catch {
        throw .modeRefused(error)
      }
    case .clearHistory: keeper.clear()
    case .synchronise:
      monitor.synchronise(parameters)
      commanded = SynchronisationRecord(
        cause: .commanded, before: before, after: 100, voltage: decided.voltage, current: decided.current)
    }
  }

  /// What must survive a power cut.
  public var snapshot: Snapshot {
    var snapshot = Snapshot()
    snapshot.isStateOfChargeKnown = monitor.isKnown
    snapshot.isStateOfChargeTrusted = monitor.isTrusted
    snapshot.consumed = monitor.consumed
    snapshot.missing = monitor.missing
    snapshot.uncountedSeconds = monitor.uncountedSeconds
    snapshot.secondsSinceSynchronisation = monitor.secondsSinceSynchronisation
    snapshot.uncertainAmpereHours = monitor.uncertainty
    snapshot.isFullCharge = charge.isFullCharge
    snapshot.absorbedSeconds = charge.absorbedSeconds
    snapshot.secondsSinceFullCharge = charge.secondsSinceFullCharge
    snapshot.chargeConditions = charge.storedConditions
    snapshot.hasTemperature = hasTemperature
    snapshot.lowCell = protection.lowCell
    snapshot.isLowCellReported = reported.isCellLow
    snapshot.isLowCellHard = protection.cell.isHard
    snapshot.preAlarm = protection.cell.isPreAlarm
    snapshot.overcurrentSeconds = overcurrent.budgetUsed.seconds
    snapshot.chargeGraceSeconds = overcurrent.charge.graceUsed.seconds
    snapshot.dischargeGraceSeconds = overcurrent.discharge.graceUsed.seconds
    snapshot.chargeRetrySeconds = overcurrent.charge.retryIn?.seconds
    snapshot.dischargeRetrySeconds = overcurrent.discharge.retryIn?.seconds
    snapshot.detectedNominalVoltage = detectedNominalVoltage
    snapshot.detectedPreAlarmSignal = detectedPreAlarmSignal
    let stored = modes.stored
    snapshot.mode = stored.mode.rawValue
    snapshot.offCause = stored.cause?.rawValue
    snapshot.isRemoteSilent = stored.isSilenced
    snapshot.emptySeconds = modes.emptyFor?.seconds
    snapshot.isContactorClosed =
      wiring.contactors != .none && (contactor.phase == .closed || contactor.phase == .takeover)
    snapshot.takeoverSeconds = contactor.takeoverAge.seconds
    snapshot.prechargeHeat = contactor.heat
    snapshot.heldOpen = secondLine.holdsOpen?.rawValue
    snapshot.history = keeper.history
    snapshot.preAlarmSeconds = protection.cell.preAlarmAge.seconds
    snapshot.highCell = protection.highCell
    snapshot.lowTemperature = protection.lowTemperature
    snapshot.highTemperature = protection.highTemperature
    snapshot.veryHighTemperature = protection.veryHighTemperature
    snapshot.dischargeFloor = protection.dischargeFloor
    snapshot.isReduced = protection.isReduced
    return snapshot
  }

  /// What happened to the battery since the history was last cleared.
  public var history: History { keeper.history }

  /// When this alarm was seen and what caused it.
  public func record(of alarm: Alarm) -> AlarmRecord { records[Int(alarm.rawValue)] }

  /// Decides on the inputs as they are at `now`. A `now` that lies before the last one counts as the last one.
  public mutating func step(_ inputs: borrowing Inputs, at instant: Instant) -> Outputs {
    decide(inputs, at: instant)
    return decided
  }

  /// The same, and leaves it to the caller to look at ``decided``: the outputs are large, and a copy takes its time.
  public mutating func decide(_ inputs: borrowing Inputs, at instant: Instant) {
    let begin = started ?? instant
    let now = started == nil ? instant : max(instant, last)
    let elapsed = started == nil ? TimeSpan.zero : now - last
    let isFirst = started == nil
    started = begin
    last = now

    let parameters = parameters
    hasCellTable = inputs.cells.expectedCount > 0
    let before = Stance(decided)
    decided.forget()
    if isFirst { dateValues(now) }
    let judged = judge(inputs, parameters, at: now, elapsed: elapsed)
    isVoltageImpossible = judged.voltageState.fault == .outOfRange
    if judged.temperature != nil { hasTemperature = true }
    let system = inputs.systemVoltage.usable(
      Plausible.batteryVoltage, at: now, within: parameters.measurementStale)
    // The comparisons of a quiet step are those of the protections: they stand here, before everything else.
    isQuiet = isSettled && staysAtRest(judged, system, inputs, parameters, at: now)
    if !isQuiet { protect(judged, inputs, parameters, at: now, elapsed: elapsed) }
    let stateOfCharge = count(judged, inputs, parameters, at: now, elapsed: elapsed)
    protection.evaluate(stateOfCharge: stateOfCharge, isTrusted: monitor.isTrusted, parameters)
    if protection.lowCell || stateOfCharge == 0,
      let hint = hintOfCapacity(judged, stateOfCharge, error: monitor.stateOfChargeError(parameters), parameters)
    {
      capacityHint = hint
    }
    charge.step(
      judged, parameters, stateOfCharge: stateOfCharge, lowCell: isCellLow, elapsed: elapsed,
      events: &decided.events)
    report(judged, stateOfCharge, inputs, at: now)
    decided.timeToGo = monitor.timeToGo(judged.current, stateOfCharge, parameters)

    if isQuiet, protection.isCharged {
      // At rest nothing forbids, and no limit of current moves.
      decided.chargeAllowed = true
      decided.dischargeAllowed = true
      decided.limits = before.limits
      limitChargeVoltage(judged, parameters, at: now)
      BMS.set(&decided.channelPattern, to: inputs.channelPattern(.on), &valueTimes.channelLED, at: now)
    } else {
      conclude(judged, system, inputs, parameters, before, at: now, elapsed: elapsed, runningFor: now - begin)
    }
    keeper.step(&decided, parameters, elapsed: elapsed)
    decided.protectiveChange = isProtective(before)
    decided.nextDeadline = now + min(.milliseconds(100), protection.timeToDecision, relay.timeToChange)
  }

  /// What of the inputs may be decided on.
  private mutating func judge(
    _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan
  ) -> Judgement {
    var judged = Judgement(inputs, parameters, at: now)
    plausibility.evaluate(&judged, inputs, parameters, at: now, elapsed: elapsed)
    return judged
  }

  /// The protections that need no more than the inputs.
  @inline(__always)
  private mutating func protect(
    _ judged: borrowing Judgement, _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant,
    elapsed: TimeSpan
  ) {
    reported.evaluate(
      inputs.battery, at: now, within: parameters.cellStale, atLeast: parameters.lowVoltageLimit)
    protection.evaluate(judged, parameters, at: now, elapsed: elapsed)
    protection.evaluate(
      bmsTemperature: inputs.bmsTemperature.usable(Plausible.temperature, at: now, within: parameters.cellStale))
    overcurrent.evaluate(judged.current, parameters, elapsed: elapsed)
    window.evaluate(judged.voltage, parameters, elapsed: elapsed)
    if detectedNominalVoltage == nil { detectedNominalVoltage = judged.voltage.flatMap(VoltageWindows.nominal(of:)) }
    // A battery that once said that it has the signal has it, whatever a torn frame says later.
    if let told = inputs.battery.hasPreAlarmSignal, detectedPreAlarmSignal != true { detectedPreAlarmSignal = told }
  }

  /// Counts the time since the last step; the state of charge after it.
  @inline(__always)
  private mutating func count(
    _ judged: borrowing Judgement, _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant,
    elapsed: TimeSpan
  ) -> Double? {
    if !monitor.isKnown, let percent = inputs.reportedStateOfCharge.value(at: now, within: Parameters.reportedUntil) {
      monitor.begin(at: percent, parameters)
      commanded = SynchronisationRecord(
        cause: .reported, before: nil, after: percent, voltage: judged.voltage, current: judged.current)
    }
    let counted = monitor.stateOfCharge(parameters)
    if monitor.step(judged, parameters, at: now, elapsed: elapsed) {
      monitor.synchronise(parameters)
      decided.events.synchronised = SynchronisationRecord(
        cause: .charged, before: counted, after: 100, voltage: judged.voltage, current: judged.current)
    } else if let commanded {
      decided.events.synchronised = commanded
    }
    commanded = nil
    return monitor.stateOfCharge(parameters)
  }

  /// Everything that follows from the protections: mode, contactor, permissions, limits, alarms, indicators.
  private mutating func conclude(
    _ judged: borrowing Judgement, _ system: Double?, _ inputs: borrowing Inputs, _ parameters: Parameters,
    _ before: Stance, at now: Instant, elapsed: TimeSpan, runningFor running: TimeSpan
  ) {
    changeMode(judged, system, inputs, parameters, mayCharge: before.chargeAllowed, at: now, elapsed: elapsed)
    let lost = lostInput(judged)
    if lost == nil {
      wasComplete = true
      dataLostSince = nil
    } else if dataLostSince == nil {
      dataLostSince = now
    }
    updateFailsFor = inputs.isUpdateFailing ? updateFailsFor + elapsed : .zero
    moveContactor(judged, system, isDataLost: lost != nil, inputs, parameters, at: now, elapsed: elapsed)
    permit(judged, lost, inputs, at: now)
    leaveOutputs(parameters, runningFor: running)
    if let lost {
      if wasComplete, lost == .cells { sawCellsLost = true }
    } else if sawCellsLost {
      sawCablePull = true
    }
    // A pre-charge is no error 36, and neither are loads at the battery itself while the contactor is open (a bilge pump);
    // what charges then comes through a welded contact, or past it.
    contacts.evaluate(
      judged.current, chargeAllowed: decided.chargeAllowed || contactor.mayPass,
      dischargeAllowed: decided.dischargeAllowed || !contactor.carries, elapsed: elapsed
    )
    derating.evaluate(judged, parameters, elapsed: elapsed)
    limitVoltage(judged, lost, inputs.shutdown, parameters, at: now)
    // R151; and none before a restart decided: a zero would stop what is left running.
    decided.limits.isAvailable = modes.mode == .on && contactor.isProven && decided.left.isDisjoint(with: .contacts)
    limitCharge(judged, parameters, at: now)
    limitDischarge(judged, parameters, at: now)
    BMS.set(&decided.state, to: state(isDataLost: lost != nil, inputs.shutdown), &valueTimes.state, at: now)
    if decided.state == .running { hasRun = true }
    BMS.set(&decided.contactorCommand, to: contactor.closes, &valueTimes.contactor, at: now)
    BMS.set(&decided.prechargeCommand, to: contactor.precharges, &valueTimes.precharge, at: now)
    decided.contactorPhase = contactor.phase
    decided.contactorFault = contactor.fault
    BMS.set(&decided.mode, to: modes.mode, &valueTimes.mode, at: now)
    decided.offCause = modes.offCause
    decided.offIn = modes.offIn
    distributors.step(inputs.distributors, used: usedFuses, mode: modes.mode, at: now)
    raiseAlarms(judged, inputs, before, at: now, runningFor: running)
    indicate(inputs, parameters, at: now, elapsed: elapsed)
    isSettled = isAtRest()
  }

  /// What of the last step's decisions this step's are compared with.
  private struct Stance {
    let chargeAllowed, dischargeAllowed: Bool
    let limits: Limits
    let alarms: AlarmSet

    @inline(__always)
    init(_ decided: borrowing Outputs) {
      chargeAllowed = decided.chargeAllowed
      dischargeAllowed = decided.dischargeAllowed
      limits = decided.limits
      alarms = decided.alarms
    }
  }

  /// Only after the protections of this step: no mode can skip them, and what they found decides.
  @inline(__always)
  private mutating func changeMode(
    _ judged: borrowing Judgement, _ system: Double?, _ inputs: borrowing Inputs, _ parameters: Parameters,
    mayCharge: Bool, at now: Instant, elapsed: TimeSpan
  ) {
    chargeVoltage.evaluate(
      system: system, battery: judged.voltage, current: judged.current,
      isClosed: modes.mode == .on && contactor.carries, isFed: contactor.precharges, parameters,
      elapsed: elapsed)
    let wasSilenced = modes.stored.isSilenced
    modes.evaluate(
      remote: inputs.remote.state(at: now, within: parameters.cellStale), lowCell: isCellLow,
      lowStateOfCharge: protection.dischargeFloor,
      // Cells that are up again by our measurement and not by the battery's have not recovered. Its silence has no say: in
      // Off its module may have no power.
      lowestCell: judged.cellState.isUsable && (!reported.isCellLow || reported.isLost)
        ? judged.lowestCell?.value : nil,
      charger: charger(system, mayCharge: mayCharge), canTurnOff: wiring.contactors != .none, parameters,
      elapsed: elapsed)
    if decided.mode != .on, modes.mode == .on {
      restartFaults(isPerson: modes.waker == nil && !wasSilenced, at: now)
    }
    // R45, R59: a charger that comes within the five minutes is let in as one that comes in Off is, once error 36 is over.
    if !contactor.carries, chargeVoltage.isPresent, contacts.activeFor(.discharge) == .zero {
      secondLine.letChargerIn()
    }
  }

  /// Somebody who switches on has looked: everything is tried anew. What wakes it has not: what failed, or was opened for
  /// who obeys nobody, is tried once a day then: a load that pulls a charger down would make each try the cause of the next.
  /// And a remote that is heard again is neither.
  private mutating func restartFaults(isPerson: Bool, at now: Instant) {
    if isPerson {
      contactor.restart()
      secondLine.restart()
      plausibility.restart()
      return
    }
    guard modes.waker != nil else { return }
    // R104: who obeyed nobody is not let in while a cell is high, and that is no try.
    let staysHeld = secondLine.holdsOpen == .charge && protection.highCell
    if contactor.phase == .failed || secondLine.holdsOpen != nil && !staysHeld {
      guard retried.map({ now - $0 >= BMS.retryInterval }) ?? true else { return }
      retried = now
    }
    contactor.restart()
    if !staysHeld { secondLine.retry() }
  }

  /// - Parameter mayCharge: Charge was allowed in the step before.
  @inline(__always)
  private func charger(_ system: Double?, mayCharge: Bool) -> ChargerPresence {
    guard chargeVoltage.isPresent else {
      // What stands above the level may be a charger, the load's capacitors or our own pre-charge.
      return !contactor.carries && (system ?? .infinity) <= parameters.chargeVoltageLevel ? .absent : .unknown
    }
    if contactor.carries { return mayCharge ? .charging : .present }
    return contactor.phase == .failed || contactor.phase == .open ? .shutOut : .present
  }

  /// Gives an output its value, and dates it when it is another: for who asks for an explanation.
  @inline(__always)
  private static func set<Value: Equatable>(
    _ output: inout Value, to value: Value, _ since: inout Instant, at now: Instant
  ) {
    if output != value { since = now }
    output = value
  }

  /// At the first step there is nothing that a value or a reason could have had before.
  private mutating func dateValues(_ now: Instant) {
    valueTimes = ValueTimes(all: now)
    decided.dateReasons(now)
  }

  /// What the second line of defence holds the contactor open for.
  var heldOpen: CurrentDirection? { secondLine.holdsOpen }

  /// R25: a retry within the time keeps everything as it is.
  var hasUpdateFailed: Bool { updateFailsFor >= Parameters.updateGrace }

  /// The contactor follows what every rule before it agreed to.
  @inline(__always)
  private mutating func moveContactor(
    _ judged: borrowing Judgement, _ system: Double?, isDataLost: Bool, _ inputs: borrowing Inputs,
    _ parameters: Parameters,
    at now: Instant,
    elapsed: TimeSpan
  ) {
    let isStopped =
      isCellLow || protection.veryHighTemperature || protection.dischargeFloor || overcurrent.discharge.isOpen
      || plausibility.contradiction == .discharge
    secondLine.evaluate(
      contacts, judged, protection, isDischargeStopped: isStopped,
      isFed: system.map { $0 > parameters.chargeVoltageLevel }, carries: contactor.carries,
      parameters, elapsed: elapsed)
    let stale = parameters.cellStale
    let switches = (
      inputs.thermalSwitch.state(at: now, within: stale), inputs.secondThermalSwitch.state(at: now, within: stale)
    )
    // What was bad and says nothing any more is not known to be good (design rule 3).
    let supply = inputs.internalSupply.state(at: now, within: stale)
    areSwitchesHot = (
      switches.0 == .open || areSwitchesHot.0 && switches.0 == .unknown,
      switches.1 == .open || areSwitchesHot.1 && switches.1 == .unknown
    )
    isBusbarHot = areSwitchesHot.0 || areSwitchesHot.1
    isSupplyBad = supply == .open || isSupplyBad && supply == .unknown
    isFanStill =
      inputs.fan.state(at: now, within: stale) == .open || inputs.secondFan.state(at: now, within: stale) == .open
    var view = ContactorSequence.View()
    view.feedback = Feedback(inputs.contactorFeedback, at: now, within: stale)
    view.secondFeedback = Feedback(inputs.secondContactorFeedback, at: now, within: stale)
    feedback = (view.feedback.state, view.secondFeedback.state)
    view.precharge = Feedback(inputs.prechargeFeedback, at: now, within: stale)
    let contacts = (inputs.contactorFeedback.validity, inputs.secondContactorFeedback.validity)
    view.speaks = (
      contacts.0 == .valid && view.feedback.state != .unknown,
      contacts.1 == .valid && view.secondFeedback.state != .unknown
    )
    // Longer than it may be silent by far: who reports seldom is not back from anywhere with each report.
    let lostAfter = max(stale + stale, .seconds(10))
    view.isGone = (
      inputs.contactorFeedback.isSilent(at: now, within: lostAfter),
      inputs.secondContactorFeedback.isSilent(at: now, within: lostAfter)
    )
    // A switch that was hot before a restart, or a supply that was bad, is not known to be good before it says so (R72, R78).
    view.isHeard =
      !inputs.contactorFeedback.isSilent(at: now, within: stale)
      && (wiring.contactors != .two || !inputs.secondContactorFeedback.isSilent(at: now, within: stale))
      && !inputs.prechargeFeedback.isSilent(at: now, within: stale)
      && !inputs.systemVoltage.isSilent(at: now, within: parameters.measurementStale)
      && switches.0 != .unknown && switches.1 != .unknown && supply != .unknown
    isFeedbackLost =
      switches.0 == .unknown || switches.1 == .unknown || supply == .unknown || view.feedback.state == .unknown
      || view.secondFeedback.state == .unknown
    let silence = contactor.silence(view, at: now)
    isContactorUnseen = silence > .zero
    // To close takes everything; to stay closed takes what must not be missing for long (OD-20: 60 s).
    let isReady = !isDataLost && window.verdict == .inside
    // A takeover looks at both sides, and has no more than its minute for it.
    let isSeen = system != nil || !contactor.isTakingOver
    let mayCarry =
      contactor.isProven
      ? !isWithdrawn(judged, at: now) && silence < parameters.withdrawn
      : isReady && isSeen || contactor.mayTakeOver(parameters)
    view.isComplete = isReady
    view.isWanted =
      modes.mode == .on && !inputs.shutdown && !inputs.areSettingsLost && !isBusbarHot && secondLine.holdsOpen == nil
      && !hasUpdateFailed && !isSupplyBad && mayCarry
    view.mayJoin = inputs.mayJoin
    view.battery = judged.voltage
    view.system = system
    view.systemTaken = inputs.systemVoltage.taken
    view.current = judged.current
    // R80: only an open contactor shows which side is alive by itself.
    let isReversed =
      wiring.contactors != .none && !contactor.closes && !contactor.precharges && view.feedback.state != .closed
      && (view.system.map { system in
        VoltageWindows.window(of: parameters.nominal).contains(system) && (view.battery ?? system) < system / 2
      } ?? false)
    reversedFor = isReversed ? reversedFor + elapsed : .zero
    contactDrop = view.battery.flatMap { battery in view.system.map { abs(battery - $0) } }
    contactor.step(view, parameters, at: now, elapsed: elapsed)
  }

  @inline(__always)
  private mutating func indicate(
    _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan
  ) {
    relay.step(
      decided.alarms, mayAlternate: decided.chargeAllowed && contactor.allowsCharge, mode: modes.mode, parameters,
      elapsed: elapsed)
    BMS.set(&decided.relayActive, to: relay.isActive, &valueTimes.relay, at: now)
    decided.auxiliary = modes.mode != .off
    let status = statusPattern(decided.state, decided.alarms, isUpdating: inputs.isUpdating)
    BMS.set(&decided.statusPattern, to: status, &valueTimes.statusLED, at: now)
    BMS.set(&decided.channelPattern, to: inputs.channelPattern(modes.mode), &valueTimes.channelLED, at: now)
  }

  @inline(__always)
  private mutating func state(isDataLost: Bool, _ shutdown: Bool) -> State {
    if shutdown { return .shutdown }
    switch modes.mode {
    case .off: return .shutdown
    case .standby: return .standby
    case .on: break
    }
    // R208: a voltage that fits nothing keeps a start from being one.
    if !isDataLost, window.verdict != .inside { return hasRun ? .error : .waiting }
    if contactor.carries {
      return isDataLost ? wasComplete ? .error : .waiting : contactor.isProven ? .running : .shutdown
    }
    switch contactor.phase {
    case .open: return isDataLost && wasComplete ? .error : .waiting
    case .selfTest, .takeover: return .contactorCheck
    case .pending: return .pending
    case .precharge, .cooling: return .precharging
    case .closing: return .goingToRun
    case .closed, .lead: return .running
    case .opening: return .shutdown
    case .failed: return .error
    }
  }

  @inline(__always)
  private mutating func report(
    _ judged: borrowing Judgement, _ stateOfCharge: Double?, _ inputs: borrowing Inputs, at now: Instant
  ) {
    decided.voltage = judged.voltage
    decided.current = judged.current
    if let voltage = judged.voltage, let current = judged.current { decided.power = voltage * current }
    decided.temperature = judged.temperature
    if judged.cellState.isUsable {
      decided.lowestCell = judged.lowestCell
      decided.highestCell = judged.highestCell
    }
    if judged.temperatureState.isUsable {
      decided.lowestTemperature = judged.lowestTemperature
      decided.highestTemperature = judged.highestTemperature
    }
    decided.contactorClosed = Feedback(inputs.contactorFeedback, at: now, within: parameters.cellStale).isClosed
    if wiring.contactors == .two {
      // They lie in parallel: one that is welded closes the path, and one that is stuck leaves half of it.
      let second = Feedback(inputs.secondContactorFeedback, at: now, within: parameters.cellStale).isClosed
      if decided.contactorClosed != second { decided.contactorClosed = nil }
    }
    decided.stateOfCharge = stateOfCharge
    decided.isStateOfChargeTrusted = monitor.isTrusted
    decided.stateOfChargeAge = monitor.secondsSinceSynchronisation.map { TimeSpan(seconds: $0) }
    decided.stateOfChargeError = monitor.stateOfChargeError(parameters)
    if stateOfCharge != nil { decided.consumed = monitor.consumed }
    decided.chargePhase = charge.phase
    decided.detectedNominalVoltage = detectedNominalVoltage
    decided.detectedPreAlarmSignal = detectedPreAlarmSignal
    decided.balance = reported.balance
  }

  private var requiresTemperature: Bool { parameters.temperatureRequired || hasTemperature }

  /// The first required input that is lost; nil when all are usable.
  @inline(__always)
  private mutating func lostInput(_ judged: borrowing Judgement) -> InputRole? {
    if !judged.cellState.isUsable { return .cells }
    if !judged.voltageState.isUsable { return .batteryVoltage }
    if !judged.currentState.isUsable { return .current }
    return requiresTemperature && !judged.temperatureState.isUsable ? .temperature : nil
  }

  /// Why a required input that is lost forbids. Made only where it is said: a reason is large.
  mutating func dataReason(_ lost: InputRole, _ judged: borrowing Judgement) -> Reason {
    let state = judged.state(of: lost)
    return Reason(wasComplete ? .dataLost : .waitingForData, lost, fault: state.fault, place: state.place)
  }

  @inline(__always)
  private mutating func permit(
    _ judged: borrowing Judgement, _ lost: InputRole?, _ inputs: borrowing Inputs, at now: Instant
  ) {
    (decided.chargeBlocks, decided.dischargeBlocks) = blocks(
      isDataLost: lost != nil, isShutdown: inputs.shutdown, areSettingsLost: inputs.areSettingsLost)
    decided.chargeAllowed = decided.chargeBlocks.isEmpty
    decided.dischargeAllowed = decided.dischargeBlocks.isEmpty
    if let block = decided.chargeBlocks.first {
      decided.chargeReason.become(
        reason(block, .charge, judged, lost: lost, stateOfCharge: decided.stateOfCharge), at: now)
    } else {
      decided.chargeReason.become(.allowed, nil, at: now)
    }
    if let block = decided.dischargeBlocks.first {
      decided.dischargeReason.become(
        reason(block, .discharge, judged, lost: lost, stateOfCharge: decided.stateOfCharge), at: now)
    } else {
      decided.dischargeReason.become(.allowed, nil, at: now)
    }
  }

  /// R24: what a restart does not command yet. Contactor and pre-charge until the sequence has looked; ATC and ATD until
  /// the first complete data, where nothing else forbids, for as long as cells may be silent (OD-20).
  @inline(__always)
  private mutating func leaveOutputs(_ parameters: Parameters, runningFor age: TimeSpan) {
    decided.left = contactor.isLeft ? .contactor : []
    guard leavesContacts else { return }
    let isUndecided =
      !decided.chargeAllowed && !decided.dischargeAllowed && !isBusbarHot && age < parameters.cellStale
    let isKept = wiring.contactors == .none || contactor.phase == .takeover
    leavesContacts = isUndecided && isKept && modes.mode == .on
    guard leavesContacts else { return }
    let unheard: Blocks = [.data, .contactor]
    if decided.chargeBlocks.isSubset(of: unheard) { decided.left.insert(.allowToCharge) }
    if decided.dischargeBlocks.isSubset(of: unheard) { decided.left.insert(.allowToDischarge) }
  }

  /// CCL.
  @inline(__always)
  private mutating func limitCharge(_ judged: borrowing Judgement, _ parameters: Parameters, at now: Instant) {
    guard decided.chargeAllowed else {
      decided.limits.chargeCurrent = 0  // R146
      decided.chargeCurrentReason.become(decided.chargeReason, at: now)
      return
    }
    var amperes = parameters.capacity  // R148: 1 A per Ah
    var rule = Rule.capacity
    func cap(_ limit: Double, _ capRule: Rule) {
      if limit < amperes {
        amperes = limit
        rule = capRule
      }
    }
    cap(parameters.rating, .rating)
    cap(parameters.chargeCap, .installerCap)
    if let limit = reported.report.chargeCurrent { cap(limit, .battery) }
    if protection.isReduced { cap(quantised(parameters.capacity * Parameters.reducedRate), .reducedAfterLowCell) }
    if derating.charge < 1 {
      amperes = quantised(amperes * derating.charge)
      rule = .nearCellEnd
    }
    decided.limits.chargeCurrent = amperes
    switch rule {
    case .reducedAfterLowCell:
      decided.chargeCurrentReason.become(
        Reason(rule, .cells, of: judged.lowestCell, endsAt: Parameters.reducedUntil), at: now)
    case .nearCellEnd:
      decided.chargeCurrentReason.become(
        Reason(rule, .cells, of: judged.highestCell, endsAt: Derating.chargeTable[0].volts), at: now)
    case .battery: decided.chargeCurrentReason.become(Reason(.battery), at: now)
    default: decided.chargeCurrentReason.become(rule, .setting, at: now)
    }
  }

  /// DCL.
  @inline(__always)
  private mutating func limitDischarge(_ judged: borrowing Judgement, _ parameters: Parameters, at now: Instant) {
    guard decided.dischargeAllowed else {
      decided.limits.dischargeCurrent = 0  // R147
      decided.dischargeCurrentReason.become(decided.dischargeReason, at: now)
      return
    }
    if isPreAlarm(parameters), parameters.stopsDischargeAtPreAlarm {
      decided.limits.dischargeCurrent = 0  // R90: the contact stays closed for what must go on
      decided.dischargeCurrentReason.become(preAlarmReason(judged), at: now)
      return
    }
    var amperes = parameters.peak  // R149
    var rule = Rule.rating
    if parameters.dischargeCap < amperes {
      amperes = parameters.dischargeCap
      rule = .installerCap
    }
    if let limit = reported.report.dischargeCurrent, limit < amperes {
      amperes = limit
      rule = .battery
    }
    if derating.discharge < 1 {
      amperes = quantised(amperes * derating.discharge)
      decided.dischargeCurrentReason.become(
        Reason(
          .nearCellEnd, .cells, of: judged.lowestCell,
          endsAt: quantised(parameters.lowCell + Derating.dischargeTable[3].volts)), at: now)
    } else if rule == .battery {
      decided.dischargeCurrentReason.become(Reason(.battery), at: now)
    } else {
      decided.dischargeCurrentReason.become(rule, .setting, at: now)
    }
    decided.limits.dischargeCurrent = amperes
  }

  /// CVL. When data is lost it falls to the resting voltage, which is a constant: a GX forwards CCL 0 only while a CVL
  /// exists. It is withdrawn when data stays lost (OD-20), and before there was any.
  @inline(__always)
  private mutating func limitVoltage(
    _ judged: borrowing Judgement, _ lost: InputRole?, _ shutdown: Bool, _ parameters: Parameters, at now: Instant
  ) {
    guard !shutdown, modes.mode == .on, contactor.carries else {
      let reason =
        shutdown
        ? Reason(.shutdown, .command)
        : modes.mode != .on ? modeReason() : lost.map { dataReason($0, judged) } ?? contactorReason
      decided.chargeVoltageReason.become(reason, at: now)  // R151
      return
    }
    if let lost {
      var reason = dataReason(lost, judged)
      if wasComplete, isWithdrawn(judged, at: now) {
        reason.rule = .withdrawn
      } else if wasComplete {
        decided.limits.chargeVoltage = min(parameters.restingVoltage, reported.chargeVoltage)
        decided.limits.lowVoltage = parameters.lowVoltageLimit
      }
      decided.chargeVoltageReason.become(reason, at: now)
      return
    }
    guard window.verdict == .inside else {
      // Either the setting or the wire is wrong. Charge is forbidden, and who charges all the same is told no more than
      // the lower of the two banks rests at.
      let measured = judged.voltage.flatMap(VoltageWindows.nominal(of:)) ?? parameters.nominal
      decided.limits.chargeVoltage = min(
        parameters.restingVoltage * min(measured / parameters.nominal, 1), reported.chargeVoltage)
      decided.limits.lowVoltage = parameters.lowVoltageLimit
      decided.chargeVoltageReason.become(windowReason(judged), at: now)
      return
    }
    limitChargeVoltage(judged, parameters, at: now)
  }

  /// CVL while all data is good and the contactor carries.
  @inline(__always)
  private mutating func limitChargeVoltage(
    _ judged: borrowing Judgement, _ parameters: Parameters, at now: Instant
  ) {
    let (volts, rule) = charge.chargeVoltage(judged.voltage, parameters)
    decided.limits.chargeVoltage = volts
    decided.limits.lowVoltage = parameters.lowVoltageLimit
    if reported.chargeVoltage < volts {
      decided.limits.chargeVoltage = reported.chargeVoltage
      decided.chargeVoltageReason.become(Reason(.battery), at: now)
      return
    }
    decided.chargeVoltageReason.become(rule, rule == .installerCap ? .setting : .batteryVoltage, at: now)
    decided.chargeVoltageReason.value = judged.voltage
  }

  private mutating func isWithdrawn(_ judged: borrowing Judgement, at now: Instant) -> Bool {
    var age = max(judged.cellState.age, judged.voltageState.age, judged.currentState.age)
    if requiresTemperature { age = max(age, judged.temperatureState.age) }
    // An input that goes on sending the impossible has no age: then the time since the loss counts. It does, too, for cells
    // that were forgotten because their number was set anew.
    if let since = dataLostSince { age = age == .never ? now - since : max(age, now - since) }
    return age >= parameters.withdrawn
  }

  /// Before the first complete data nothing is "lost" yet: sources are given the time after which they would be stale,
  /// so that a start raises no false alarm (dvcc-dbus.md F.3).
  @inline(__always)
  private mutating func raiseAlarms(
    _ judged: borrowing Judgement, _ inputs: borrowing Inputs, _ before: Stance, at now: Instant,
    runningFor running: TimeSpan
  ) {
    let shutdown = inputs.shutdown
    var active = AlarmSet()
    func set(_ alarm: Alarm, _ isActive: Bool) { if isActive { active.insert(alarm) } }
    set(.lowCell, isCellLow)
    let isPreAlarm = isPreAlarm(parameters) && !isCellLow
    set(.preAlarm, isPreAlarm)
    let isDisconnecting = isPreAlarm || overcurrent.discharge.isExceeded
    set(.loadWillDisconnect, isDisconnecting && decided.dischargeAllowed)
    set(.highChargeCurrentWarning, overcurrent.warning == .charge && !overcurrent.charge.isAlarm)
    set(.highDischargeCurrentWarning, overcurrent.warning == .discharge && !overcurrent.discharge.isAlarm)
    set(.highChargeCurrent, overcurrent.charge.isAlarm)
    set(.highDischargeCurrent, overcurrent.discharge.isAlarm)
    set(.contactFailure, contacts.direction != nil && !shutdown)
    set(.wrongSystemVoltage, window.verdict == .wrongSystem || window.verdict == .betweenWindows)
    set(.voltageNotAllowed, window.verdict == .notAllowed)
    decided.lowCellLevel = isCellLow ? .low : isPreAlarm ? .almostDischarged : .fine
    let told = reported.conditions
    set(.highCell, protection.highCell || told.contains(.highCell))
    set(.lowTemperature, protection.lowTemperature || told.contains(.lowTemperature))
    set(
      .highTemperature,
      protection.highTemperature || !told.isDisjoint(with: [.highTemperature, .highChargeTemperature]))
    set(.veryHighTemperature, protection.veryHighTemperature || told.contains(.highTemperature))
    set(.lowStateOfCharge, protection.dischargeFloor)
    set(.lowStateOfChargeWarning, protection.lowStateOfChargeWarning)
    let wasAllowed = before.dischargeAllowed || before.alarms.contains(.loadDisconnected)
    set(.loadDisconnected, !decided.dischargeAllowed && wasAllowed && !shutdown && modes.mode == .on)
    set(.remoteLost, modes.isRemoteLost)
    set(.hardware, contactor.fault == .selfTest)
    set(.prechargeOverload, contactor.fault == .prechargeOverload)
    set(.prechargeTimeout, contactor.fault == .prechargeTimeout)
    set(.contactorError, contactor.fault == .welded || contactor.fault == .stuckOpen)
    set(.badContact, contactor.isContactBad)
    set(.busbarHot, isBusbarHot)
    set(.settingsLost, inputs.areSettingsLost)
    set(.calibrationLost, inputs.isCalibrationLost)
    set(.stateNotStored, inputs.isStateNotStored)
    set(.cellsAgainstPack, plausibility.isMismatch && plausibility.contradiction == nil)
    set(.cellsContradictPack, plausibility.contradiction != nil)
    set(.cellsStuck, judged.cellState.fault == .stuck)  // also in the step that tries it anew, which still forbids
    set(.cellsJump, plausibility.isCellJump)
    set(.voltageStuck, plausibility.isVoltageStuck)
    set(.voltageJump, plausibility.isVoltageJump)
    set(.currentStuck, plausibility.isCurrentStuck)
    set(.currentSign, plausibility.isSignWrong)
    set(.temperatureJump, plausibility.isTemperatureJump)
    if distributors.isAnyThere {
      let states = distributors.states
      set(.distributorALost, states[0] == .communicationLost)
      set(.distributorBLost, states[1] == .communicationLost)
      set(.distributorCLost, states[2] == .communicationLost)
      set(.distributorDLost, states[3] == .communicationLost)
      for index in states.indices { set(.distributorDuplicate, states[index] == .duplicate) }
      var blown = distributors.blown
      while blown != 0 {
        if let alarm = Alarm.fuse(blown.trailingZeroBitCount + 1) { active.insert(alarm) }
        blown &= blown - 1
      }
    }
    active.formUnion(inputs.wiringFaults.alarms)
    set(.batteryImbalance, reported.balance == .imbalance)
    set(.batteryAlarm, !told.isDisjoint(with: .alarms) && !reported.isLost)
    let isSilent = reported.isLost && running >= parameters.cellStale
    set(.batteryLost, isSilent || told.contains(.cableMissing))
    // With the function off it is told all the same, and that is all.
    if told.contains(.preAlarm), !isCellLow { active.insert(.preAlarm) }
    set(.fanFailed, isFanStill)
    set(.supplyError, isSupplyBad)
    set(.sidesReversed, reversedFor >= Parameters.reversedHold)
    if let reported = inputs.batteryLowCellSettings {
      set(
        .lowCellSettingsDiffer,
        quantised(max(reported.upperBound, parameters.lowCell) - min(reported.lowerBound, parameters.lowCell)) > 0.001)
    }
    set(.batteryCount, !parameters.fits(inputs.cells.expectedCount))
    set(.highBMSTemperature, protection.highBMSTemperature)
    set(.feedbackLost, isFeedbackLost && running >= parameters.cellStale)
    let isStarting = !wasComplete && running < parameters.cellStale
    func data(_ state: RoleState, _ late: Alarm, _ lost: Alarm, isRequired: Bool = true) {
      set(late, state.fault == .late || (!isRequired && !state.isUsable && !isStarting))
      let isNamed = state.fault == .stuck || state.fault == .jump  // by an alarm of its own
      set(lost, isRequired && !state.isUsable && !isStarting && !isNamed)
    }
    data(judged.cellState, .cellsLate, .cellsLost)
    data(judged.voltageState, .voltageLate, .voltageLost)
    data(judged.currentState, .currentLate, .currentLost)
    data(
      judged.temperatureState, .temperatureLate, .temperatureLost, isRequired: requiresTemperature)

    decided.alarms = active
    decided.events.raised = active.subtracting(before.alarms)
    decided.events.cleared = before.alarms.subtracting(active)
    guard !active.isEmpty || !decided.events.cleared.isEmpty else { return }
    for alarm in decided.events.raised {
      let index = Int(alarm.rawValue)
      records[index].isActive = true
      records[index].firstSeen = now
      records[index].count += 1
      records[index].cause = cause(of: alarm, judged, inputs.wiringFaults, at: now)
    }
    for alarm in active { records[Int(alarm.rawValue)].lastSeen = now }
    for alarm in decided.events.cleared { records[Int(alarm.rawValue)].isActive = false }
    if active.contains(.loadDisconnected) { renewCauseOfDisconnection() }
  }

  /// A cell is low: one that is measured, or one that the battery knows of, in which the thresholds live (R82, R92).
  private var isCellLow: Bool {
    @inline(__always) mutating get { protection.lowCell || reported.isCellLow }
  }

  /// Near the low threshold (R83), or told so by the battery itself (R85, R237).
  @inline(__always)
  private func isPreAlarm(_ parameters: Parameters) -> Bool {
    protection.cell.isPreAlarm || parameters.preAlarm && reported.conditions.contains(.preAlarm)
  }

  /// What disconnected the loads may end while something else keeps them off.
  private mutating func renewCauseOfDisconnection() {
    let index = Int(Alarm.loadDisconnected.rawValue)
    guard let cause = records[index].cause, cause.rule != decided.dischargeReason.rule else { return }
    records[index].cause = decided.dischargeReason
    records[index].cause?.since = cause.since
  }

  private mutating func cause(
    of alarm: Alarm, _ judged: borrowing Judgement, _ wiringFaults: WiringFaults, at now: Instant
  ) -> Reason {
    func data(_ role: InputRole, _ state: RoleState) -> Reason {
      Reason(.dataLost, role, fault: state.fault, place: state.place)
    }
    func block(_ block: Block, _ direction: CurrentDirection) -> Reason {
      self.reason(block, direction, judged, lost: nil, stateOfCharge: decided.stateOfCharge)
    }
    /// Where we measure nothing of it, it is the battery that says so.
    func block(_ block: Block, _ direction: CurrentDirection, isMeasured: Bool) -> Reason {
      isMeasured ? self.reason(block, direction, judged, lost: nil, stateOfCharge: nil) : batteryReason
    }
    var reason =
      switch alarm {
      case .lowCell: block(.lowCell, .discharge, isMeasured: protection.lowCell)
      case .highCell: block(.highCell, .charge, isMeasured: protection.highCell)
      case .lowTemperature: block(.lowTemperature, .charge, isMeasured: protection.lowTemperature)
      case .highTemperature: block(.highTemperature, .charge, isMeasured: protection.highTemperature)
      case .veryHighTemperature: block(.highTemperature, .discharge, isMeasured: protection.veryHighTemperature)
      case .lowStateOfCharge: block(.dischargeFloor, .discharge)
      case .lowStateOfChargeWarning:
        Reason(
          .dischargeFloor, .stateOfCharge, value: decided.stateOfCharge,
          endsAt: parameters.warningLevel + Parameters.warningHysteresis)
      case .loadDisconnected: decided.dischargeReason
      case .preAlarm: preAlarmReason(judged)
      case .loadWillDisconnect:
        isPreAlarm(parameters) ? preAlarmReason(judged) : Reason(.overcurrent, .current, value: judged.current)
      case .highChargeCurrentWarning, .highDischargeCurrentWarning, .highChargeCurrent, .highDischargeCurrent:
        Reason(.overcurrent, .current, value: judged.current, endsAt: parameters.rating)
      case .contactFailure: Reason(.contactFailure, .current, value: judged.current)
      case .hardware, .prechargeOverload, .prechargeTimeout, .contactorError: Reason(.contactorFault, .contactor)
      case .badContact: Reason(.contactDrop, .contactor, value: contactDrop, endsAt: ContactorSequence.contactDrop)
      case .busbarHot: Reason(.busbarHot, .contactor)
      case .settingsLost, .calibrationLost: Reason(.settingsLost, .setting)
      case .stateNotStored: Reason(.stateNotStored, .setting)
      case .highBMSTemperature:
        Reason(.highTemperature, .temperature, endsAt: Parameters.highBMSTemperatureResume)
      case .feedbackLost: Reason(.feedbackLost, .contactor, fault: .stale)
      case .distributorALost, .distributorBLost, .distributorCLost, .distributorDLost, .distributorDuplicate, .fuse1,
        .fuse2, .fuse3, .fuse4, .fuse5, .fuse6, .fuse7, .fuse8, .fuse9, .fuse10, .fuse11, .fuse12, .fuse13, .fuse14,
        .fuse15, .fuse16:
        Reason(.distributor, .distributor)
      case .switchRefused, .switchNotFollowing, .switchedUnasked, .moduleLost, .senderAmbiguous:
        Reason(wiringFaults.first(of: alarm))
      case .batteryAlarm, .batteryLost, .batteryImbalance: batteryReason
      case .remoteLost: Reason(.offByRemote, .command)
      case .wrongSystemVoltage, .voltageNotAllowed: windowReason(judged)
      case .fanFailed: Reason(.fan, .contactor)
      case .supplyError: Reason(.supplyError, .contactor)
      case .sidesReversed: Reason(.sidesReversed, .batteryVoltage, value: judged.voltage)
      case .lowCellSettingsDiffer, .batteryCount: Reason(.batteriesDiffer, .setting)
      case .cellsAgainstPack, .cellsContradictPack: sumReason
      case .cellsStuck: Reason(.dataLost, .cells, fault: .stuck, place: plausibility.stuckPlace)
      case .cellsJump: Reason(.dataLost, .cells, fault: .jump, place: judged.cellState.place)
      case .voltageStuck: Reason(.dataLost, .batteryVoltage, fault: .stuck, value: judged.voltage)
      case .voltageJump: Reason(.dataLost, .batteryVoltage, fault: .jump, value: judged.voltage)
      case .currentStuck: Reason(.dataLost, .current, fault: .stuck, value: judged.current)
      case .currentSign: Reason(.currentSign, .current, value: judged.current)
      case .temperatureJump: Reason(.dataLost, .temperature, fault: .jump, value: judged.temperature)
      case .cellsLate, .cellsLost: data(.cells, judged.cellState)
      case .voltageLate, .voltageLost: data(.batteryVoltage, judged.voltageState)
      case .currentLate, .currentLost: data(.current, judged.currentState)
      case .temperatureLate, .temperatureLost: data(.temperature, judged.temperatureState)
      }
    reason.since = now
    return reason
  }

  @inline(__always)
  private mutating func isProtective(_ before: Stance) -> Bool {
    if before.chargeAllowed, !decided.chargeAllowed { return true }
    if before.dischargeAllowed, !decided.dischargeAllowed { return true }
    // A limit that slides along its table is in time at the next period.
    if decided.limits.chargeCurrent < before.limits.chargeCurrent,
      decided.chargeCurrentReason.rule != .nearCellEnd
    {
      return true
    }
    if decided.limits.dischargeCurrent < before.limits.dischargeCurrent,
      decided.dischargeCurrentReason.rule != .nearCellEnd
    {
      return true
    }
    guard let old = before.limits.chargeVoltage else { return false }
    guard let new = decided.limits.chargeVoltage else { return true }
    // The end of an absorption lowers CVL too, but protects nothing.
    return new < old
      && (decided.chargeVoltageReason.rule == .dataLost || decided.chargeVoltageReason.rule == .installerCap
        || decided.chargeVoltageReason.rule == .battery)
  }
}
