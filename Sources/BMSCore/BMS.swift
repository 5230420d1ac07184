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
  private var chargeVoltage = ChargeVoltage()
  var overcurrent: CurrentSupervision
  var contactor: ContactorSequence
  private var contacts = ContactFailure()
  private var secondLine: SecondLine
  private var updateFailsFor = TimeSpan.zero
  private var relay = Relay()
  private(set) var keeper: HistoryKeeper
  private(set) var sawCablePull = false
  private(set) var hasCellTable = false
  private(set) var isVoltageImpossible = false
  private(set) var capacityHint: CapacityHint?
  private var sawCellsLost = false
  var distributors = DistributorSupervision()
  var reported = ReportedBattery()
  /// The names of the Distributors' fuses.
  public private(set) var fuseNames: FuseNames
  private(set) var usedFuses: UInt16
  /// Made with the BMS, not in the step that raises the first alarm: making it asks for memory.
  let ledPriority = LEDPriority.table
  var isBusbarHot = false
  private var isFeedbackLost = false
  private var contactDrop: Double?
  var isSupplyBad = false
  private var isFanStill = false
  private var reversedFor = TimeSpan.zero
  var window = VoltageSupervision()
  var plausibility = Plausibility()
  private var detectedNominalVoltage: Double?
  private var detectedPreAlarmSignal: Bool?
  private(set) var charge: ChargeControl
  private var derating = Derating()
  private var started: Instant?
  private var last = Instant.origin
  private var wasComplete = false
  private var hasRun = false
  /// A temperature was told once: from then on its loss forbids, required or not.
  private var hasTemperature: Bool
  private var dataLostSince: Instant?
  /// What the last step decided; nothing known and nothing allowed before the first.
  public private(set) var decided = Outputs()
  private(set) var valueTimes = ValueTimes()
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
    secondLine = SecondLine(restoring: sound)
    protection = Protection(restoring: sound)
    modes = ModeControl(restoring: sound)
    overcurrent = CurrentSupervision(restoring: sound)
    detectedNominalVoltage = sound?.detectedNominalVoltage
    detectedPreAlarmSignal = sound?.detectedPreAlarmSignal
    charge = ChargeControl(restoring: sound, afterUpdate: afterUpdate)
    hasTemperature = sound?.hasTemperature ?? false
  }

  /// Takes other settings into force from the next step on.
  public mutating func apply(_ settings: Settings) {
    if settings[.nominalVoltage] != self.settings[.nominalVoltage] { window.reset() }
    if settings[.batteryCapacity] != self.settings[.batteryCapacity] { capacityHint = nil }
    self.settings = settings
    parameters = Parameters(settings)
  }

  /// Takes other fuse names into force from the next step on (R259, R260).
  public mutating func apply(_ names: FuseNames) {
    fuseNames = names
    usedFuses = names.used
  }

  /// Carries out what an operator asks for, or says why not. Its effect is in the next step's outputs.
  public mutating func perform(_ command: Command) throws(CommandError) {
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
    snapshot.isLowCellHard = protection.cell.isHard
    snapshot.preAlarm = protection.cell.isPreAlarm
    snapshot.overcurrentSeconds = overcurrent.budgetUsed.seconds
    snapshot.chargeGraceSeconds = overcurrent.charge.graceUsed.seconds
    snapshot.dischargeGraceSeconds = overcurrent.discharge.graceUsed.seconds
    snapshot.chargeRetrySeconds = overcurrent.charge.retryIn?.seconds
    snapshot.dischargeRetrySeconds = overcurrent.discharge.retryIn?.seconds
    snapshot.detectedNominalVoltage = detectedNominalVoltage
    snapshot.detectedPreAlarmSignal = detectedPreAlarmSignal
    snapshot.mode = modes.mode.rawValue
    snapshot.offCause = modes.offCause?.rawValue
    snapshot.emptySeconds = modes.emptyFor?.seconds
    snapshot.isContactorClosed = wiring.contactors != .none && contactor.phase == .closed
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
    var outputs = Outputs()
    let judged = judge(inputs, parameters, at: now, elapsed: elapsed)
    isVoltageImpossible = judged.voltageState.fault == .outOfRange
    if judged.temperature != nil { hasTemperature = true }
    reported.evaluate(inputs.battery, at: now, within: parameters.cellStale)
    protection.evaluate(judged, parameters, at: now, elapsed: elapsed)
    protection.evaluate(
      bmsTemperature: inputs.bmsTemperature.usable(Plausible.temperature, at: now, within: parameters.cellStale))
    overcurrent.evaluate(judged.current, parameters, elapsed: elapsed)
    window.evaluate(judged.voltage, parameters, elapsed: elapsed)
    if detectedNominalVoltage == nil { detectedNominalVoltage = judged.voltage.flatMap(VoltageWindows.nominal(of:)) }
    // A battery that once said that it has the signal has it, whatever a torn frame says later.
    if let told = inputs.battery.hasPreAlarmSignal, detectedPreAlarmSignal != true { detectedPreAlarmSignal = told }

    if !monitor.isKnown, let percent = inputs.reportedStateOfCharge.value(at: now, within: Parameters.reportedUntil) {
      monitor.begin(at: percent, parameters)
      commanded = SynchronisationRecord(
        cause: .reported, before: nil, after: percent, voltage: judged.voltage, current: judged.current)
    }
    let before = monitor.stateOfCharge(parameters)
    if monitor.step(judged, parameters, at: now, elapsed: elapsed) {
      monitor.synchronise(parameters)
      outputs.events.synchronised = SynchronisationRecord(
        cause: .charged, before: before, after: 100, voltage: judged.voltage, current: judged.current)
    } else if let commanded {
      outputs.events.synchronised = commanded
    }
    commanded = nil
    let stateOfCharge = monitor.stateOfCharge(parameters)
    protection.evaluate(stateOfCharge: stateOfCharge, isTrusted: monitor.isTrusted, parameters)
    if protection.lowCell || stateOfCharge == 0,
      let hint = hintOfCapacity(judged, stateOfCharge, error: monitor.stateOfChargeError(parameters), parameters)
    {
      capacityHint = hint
    }
    changeMode(judged, inputs, parameters, at: now, elapsed: elapsed)
    charge.step(
      judged, parameters, stateOfCharge: stateOfCharge, lowCell: protection.lowCell, elapsed: elapsed,
      events: &outputs.events)

    report(judged, stateOfCharge, inputs, at: now, into: &outputs)
    outputs.timeToGo = monitor.timeToGo(judged.current, stateOfCharge, parameters)

    let data = dataReason(judged)
    if data == nil {
      wasComplete = true
      dataLostSince = nil
    } else if dataLostSince == nil {
      dataLostSince = now
    }
    updateFailsFor = inputs.isUpdateFailing ? updateFailsFor + elapsed : .zero
    moveContactor(judged, data, inputs, parameters, at: now, elapsed: elapsed)
    permit(judged, data, inputs, into: &outputs)
    if let data {
      if wasComplete, data.input == .cells { sawCellsLost = true }
    } else if sawCellsLost {
      sawCablePull = true
    }
    // With the contactor open nothing is expected of ATC and ATD: the current of a pre-charge is no error 36.
    contacts.evaluate(
      judged.current, chargeAllowed: outputs.chargeAllowed || !contactor.carries,
      dischargeAllowed: outputs.dischargeAllowed || !contactor.carries, elapsed: elapsed
    )
    derating.evaluate(judged, parameters, elapsed: elapsed)
    limit(judged, data, inputs.shutdown, parameters, at: now, into: &outputs)
    outputs.state = state(data, inputs.shutdown)
    if outputs.state == .running { hasRun = true }
    outputs.contactorCommand = contactor.closes
    outputs.contactorIsLeft = contactor.isLeft
    outputs.prechargeCommand = contactor.precharges
    outputs.contactorPhase = contactor.phase
    outputs.contactorFault = contactor.fault
    outputs.mode = modes.mode
    outputs.offCause = modes.offCause
    outputs.offIn = modes.offIn
    distributors.step(inputs.distributors, used: usedFuses, mode: modes.mode, at: now)
    dateReasons(of: &outputs, at: now, isFirst: isFirst)
    raiseAlarms(judged, inputs, at: now, runningFor: now - begin, into: &outputs)
    keeper.step(&outputs, synchronisation: outputs.events.synchronised, parameters, elapsed: elapsed)
    indicate(inputs, parameters, elapsed: elapsed, into: &outputs)
    noteValues(of: &outputs, at: now, isFirst: isFirst)
    outputs.protectiveChange = isProtective(&outputs)
    outputs.nextDeadline = now + min(.milliseconds(100), protection.timeToDecision, relay.timeToChange)
    decided = outputs
  }

  /// Only after the protections of this step: no mode can skip them, and what they found decides.
  /// What of the inputs may be decided on.
  @inline(__always)
  private mutating func judge(
    _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan
  ) -> Judgement {
    var judged = Judgement(inputs, parameters, at: now)
    plausibility.evaluate(&judged, inputs, parameters, at: now, elapsed: elapsed)
    return judged
  }

  @inline(__always)
  private mutating func changeMode(
    _ judged: Judgement, _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan
  ) {
    chargeVoltage.evaluate(
      system: inputs.systemVoltage.usable(Plausible.batteryVoltage, at: now, within: parameters.measurementStale),
      battery: judged.voltage, current: judged.current, isClosed: modes.mode == .on && contactor.carries, parameters,
      elapsed: elapsed)
    modes.evaluate(
      remote: inputs.remote.state(at: now, within: parameters.cellStale), lowCell: protection.lowCell,
      lowStateOfCharge: protection.dischargeFloor,
      lowestCell: judged.cellState.isUsable ? judged.lowestCell?.value : nil,
      chargeVoltage: chargeVoltage.isPresent, canTurnOff: wiring.contactors != .none, parameters, elapsed: elapsed)
    if decided.mode != .on, modes.mode == .on { restartContactor() }
  }

  /// Since when each has its value, for who asks for an explanation.
  @inline(__always)
  private mutating func noteValues(of outputs: inout Outputs, at now: Instant, isFirst: Bool) {
    if isFirst || outputs.mode != decided.mode { valueTimes.mode = now }
    if isFirst || outputs.state != decided.state { valueTimes.state = now }
    if isFirst || outputs.contactorCommand != decided.contactorCommand { valueTimes.contactor = now }
    if isFirst || outputs.prechargeCommand != decided.prechargeCommand { valueTimes.precharge = now }
    if isFirst || outputs.relayActive != decided.relayActive { valueTimes.relay = now }
    if isFirst || outputs.statusPattern != decided.statusPattern { valueTimes.statusLED = now }
    if isFirst || outputs.channelPattern != decided.channelPattern { valueTimes.channelLED = now }
  }

  /// What the second line of defence holds the contactor open for.
  var heldOpen: CurrentDirection? { secondLine.holdsOpen }

  /// R25: a retry within the time keeps everything as it is.
  var hasUpdateFailed: Bool { updateFailsFor >= Parameters.updateGrace }

  private mutating func restartContactor() {
    contactor.restart()
    secondLine.restart()
  }

  /// The contactor follows what every rule before it agreed to.
  @inline(__always)
  private mutating func moveContactor(
    _ judged: Judgement, _ data: Reason?, _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant,
    elapsed: TimeSpan
  ) {
    let isStopped =
      protection.lowCell || protection.veryHighTemperature || protection.dischargeFloor || overcurrent.discharge.isOpen
      || plausibility.contradiction == .discharge
    secondLine.evaluate(contacts, judged, protection, isDischargeStopped: isStopped, parameters)
    let stale = parameters.cellStale
    let switches = (
      inputs.thermalSwitch.state(at: now, within: stale), inputs.secondThermalSwitch.state(at: now, within: stale)
    )
    isBusbarHot = switches.0 == .open || switches.1 == .open
    isSupplyBad = inputs.internalSupply.state(at: now, within: stale) == .open
    isFanStill =
      inputs.fan.state(at: now, within: stale) == .open || inputs.secondFan.state(at: now, within: stale) == .open
    var view = ContactorSequence.View()
    view.feedback = Feedback(inputs.contactorFeedback, at: now, within: stale)
    view.secondFeedback = Feedback(inputs.secondContactorFeedback, at: now, within: stale)
    view.precharge = Feedback(inputs.prechargeFeedback, at: now, within: stale)
    isFeedbackLost =
      switches.0 == .unknown || switches.1 == .unknown || view.feedback.state == .unknown
      || view.secondFeedback.state == .unknown
    // To close takes everything; to stay closed takes what must not be missing for long (OD-20: 60 s).
    let isReady = data == nil && window.verdict == .inside
    let mayCarry = contactor.carries ? !isWithdrawn(judged, at: now) : isReady || contactor.mayTakeOver(parameters)
    view.isComplete = isReady
    view.isWanted =
      modes.mode == .on && !inputs.shutdown && !inputs.areSettingsLost && !isBusbarHot && secondLine.holdsOpen == nil
      && !hasUpdateFailed && !isSupplyBad && mayCarry
    view.mayJoin = inputs.mayJoin
    view.battery = judged.voltage
    view.system = inputs.systemVoltage.usable(
      Plausible.batteryVoltage, at: now, within: parameters.measurementStale)
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
    _ inputs: borrowing Inputs, _ parameters: Parameters, elapsed: TimeSpan, into outputs: inout Outputs
  ) {
    relay.step(
      outputs.alarms, mayAlternate: outputs.chargeAllowed && contactor.allowsCharge, mode: modes.mode, parameters,
      elapsed: elapsed)
    outputs.relayActive = relay.isActive
    outputs.auxiliary = modes.mode != .off
    outputs.statusPattern = statusPattern(outputs.state, outputs.alarms, isUpdating: inputs.isUpdating)
    outputs.channelPattern = inputs.channelPattern(modes.mode)
  }

  @inline(__always)
  private mutating func state(_ data: Reason?, _ shutdown: Bool) -> State {
    if shutdown { return .shutdown }
    switch modes.mode {
    case .off: return .shutdown
    case .standby: return .standby
    case .on: break
    }
    // R208: a voltage that fits nothing keeps a start from being one.
    if data == nil, window.verdict != .inside { return hasRun ? .error : .waiting }
    if contactor.carries { return data == nil ? .running : wasComplete ? .error : .waiting }
    switch contactor.phase {
    case .open: return data != nil && wasComplete ? .error : .waiting
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
    _ judged: Judgement, _ stateOfCharge: Double?, _ inputs: borrowing Inputs, at now: Instant,
    into outputs: inout Outputs
  ) {
    outputs.voltage = judged.voltage
    outputs.current = judged.current
    if let voltage = judged.voltage, let current = judged.current { outputs.power = voltage * current }
    outputs.temperature = judged.temperature
    if judged.cellState.isUsable {
      outputs.lowestCell = judged.lowestCell
      outputs.highestCell = judged.highestCell
    }
    if judged.temperatureState.isUsable {
      outputs.lowestTemperature = judged.lowestTemperature
      outputs.highestTemperature = judged.highestTemperature
    }
    let feedback = inputs.contactorFeedback
    if feedback.validity == .valid, ageOf(feedback.taken, at: now) < parameters.cellStale {
      outputs.contactorClosed = feedback.isClosed
    }
    if wiring.contactors == .two, outputs.contactorClosed == true {
      let second = Feedback(inputs.secondContactorFeedback, at: now, within: parameters.cellStale)
      outputs.contactorClosed = second.state == .closed ? true : second.state == .open ? false : nil
    }
    outputs.stateOfCharge = stateOfCharge
    outputs.isStateOfChargeTrusted = monitor.isTrusted
    outputs.stateOfChargeAge = monitor.secondsSinceSynchronisation.map { TimeSpan(seconds: $0) }
    outputs.stateOfChargeError = monitor.stateOfChargeError(parameters)
    if stateOfCharge != nil { outputs.consumed = monitor.consumed }
    outputs.chargePhase = charge.phase
    outputs.detectedNominalVoltage = detectedNominalVoltage
    outputs.detectedPreAlarmSignal = detectedPreAlarmSignal
    outputs.balance = reported.balance
  }

  private var requiresTemperature: Bool { parameters.temperatureRequired || hasTemperature }

  /// The first required input that is lost, as a reason; nil when all are usable.
  @inline(__always)
  private mutating func dataReason(_ judged: Judgement) -> Reason? {
    func reason(_ role: InputRole, _ state: RoleState) -> Reason? {
      state.isUsable
        ? nil : Reason(wasComplete ? .dataLost : .waitingForData, role, fault: state.fault, place: state.place)
    }
    return reason(.cells, judged.cellState) ?? reason(.batteryVoltage, judged.voltageState)
      ?? reason(.current, judged.currentState)
      ?? (requiresTemperature ? reason(.temperature, judged.temperatureState) : nil)
  }

  @inline(__always)
  private mutating func permit(
    _ judged: Judgement, _ data: Reason?, _ inputs: borrowing Inputs, into outputs: inout Outputs
  ) {
    (outputs.chargeBlocks, outputs.dischargeBlocks) = blocks(
      isDataLost: data != nil, isShutdown: inputs.shutdown, areSettingsLost: inputs.areSettingsLost)
    outputs.chargeAllowed = outputs.chargeBlocks.isEmpty
    outputs.dischargeAllowed = outputs.dischargeBlocks.isEmpty
    explain(outputs.chargeBlocks, .charge, judged, data, outputs.stateOfCharge, in: &outputs.chargeReason)
    explain(outputs.dischargeBlocks, .discharge, judged, data, outputs.stateOfCharge, in: &outputs.dischargeReason)
  }

  /// In place: to hand a reason on by its fields takes as long as a whole part of the step.
  private mutating func explain(
    _ blocks: Blocks, _ direction: CurrentDirection, _ judged: Judgement, _ data: Reason?, _ stateOfCharge: Double?,
    in explained: inout Reason
  ) {
    explained = Reason(.allowed)
    guard let block = blocks.first else { return }
    explained = reason(block, direction, judged, data: data, stateOfCharge: stateOfCharge)
  }

  @inline(__always)
  private mutating func limit(
    _ judged: Judgement, _ data: Reason?, _ shutdown: Bool, _ parameters: Parameters, at now: Instant,
    into outputs: inout Outputs
  ) {
    limitVoltage(judged, data, shutdown, parameters, at: now, into: &outputs)
    outputs.limits.isAvailable = modes.mode == .on && contactor.carries  // R151
    if outputs.chargeAllowed {
      var amperes = parameters.capacity  // R148: 1 A per Ah
      var reason = Reason(.capacity, .setting)
      func cap(_ limit: Double, _ capReason: Reason) {
        if limit < amperes {
          amperes = limit
          reason = capReason
        }
      }
      cap(parameters.rating, Reason(.rating, .setting))
      cap(parameters.chargeCap, Reason(.installerCap, .setting))
      if let limit = reported.report.chargeCurrent { cap(limit, Reason(.battery)) }
      if protection.isReduced {
        cap(
          quantised(parameters.capacity * Parameters.reducedRate),
          Reason(
            .reducedAfterLowCell, .cells, place: judged.lowestCell?.place, value: judged.lowestCell?.value,
            endsAt: Parameters.reducedUntil))
      }
      if derating.charge < 1 {
        amperes = quantised(amperes * derating.charge)
        reason = Reason(
          .nearCellEnd, .cells, place: judged.highestCell?.place, value: judged.highestCell?.value,
          endsAt: Derating.chargeTable[0].volts)
      }
      outputs.limits.chargeCurrent = amperes
      outputs.chargeCurrentReason = reason
    } else {
      outputs.limits.chargeCurrent = 0  // R146
      outputs.chargeCurrentReason = outputs.chargeReason
    }
    if outputs.dischargeAllowed, protection.cell.isPreAlarm, parameters.stopsDischargeAtPreAlarm {
      outputs.limits.dischargeCurrent = 0  // R90: the contact stays closed for what must go on
      outputs.dischargeCurrentReason = preAlarmReason(judged)
    } else if outputs.dischargeAllowed {
      let isCapped = parameters.dischargeCap < parameters.peak
      outputs.limits.dischargeCurrent = min(parameters.peak, parameters.dischargeCap)  // R149
      outputs.dischargeCurrentReason = Reason(isCapped ? .installerCap : .rating, .setting)
      if let limit = reported.report.dischargeCurrent, limit < outputs.limits.dischargeCurrent {
        outputs.limits.dischargeCurrent = limit
        outputs.dischargeCurrentReason = Reason(.battery)
      }
      if derating.discharge < 1 {
        outputs.limits.dischargeCurrent = quantised(outputs.limits.dischargeCurrent * derating.discharge)
        outputs.dischargeCurrentReason = Reason(
          .nearCellEnd, .cells, place: judged.lowestCell?.place, value: judged.lowestCell?.value,
          endsAt: quantised(parameters.lowCell + Derating.dischargeTable[3].volts))
      }
    } else {
      outputs.limits.dischargeCurrent = 0  // R147
      outputs.dischargeCurrentReason = outputs.dischargeReason
    }
  }

  /// CVL. When data is lost it falls to the resting voltage, which is a constant: a GX forwards CCL 0 only while a CVL
  /// exists. It is withdrawn when data stays lost (OD-20), and before there was any.
  @inline(__always)
  private mutating func limitVoltage(
    _ judged: Judgement, _ data: Reason?, _ shutdown: Bool, _ parameters: Parameters, at now: Instant,
    into outputs: inout Outputs
  ) {
    if shutdown {
      outputs.chargeVoltageReason = Reason(.shutdown, .command)
      return
    }
    guard modes.mode == .on else {
      outputs.chargeVoltageReason = modeReason()  // R151
      return
    }
    guard contactor.carries else {
      outputs.chargeVoltageReason = data ?? contactorReason(judged)  // R151
      return
    }
    if var reason = data {
      guard wasComplete else {
        outputs.chargeVoltageReason = reason
        return
      }
      if isWithdrawn(judged, at: now) {
        reason.rule = .withdrawn
        outputs.chargeVoltageReason = reason
        return
      }
      outputs.limits.chargeVoltage = parameters.restingVoltage
      outputs.limits.lowVoltage = parameters.lowVoltageLimit
      outputs.chargeVoltageReason = reason
      return
    }
    let (volts, rule) = charge.chargeVoltage(judged.voltage, parameters)
    outputs.limits.chargeVoltage = volts
    outputs.limits.lowVoltage = parameters.lowVoltageLimit
    outputs.chargeVoltageReason = Reason(
      rule, rule == .installerCap ? .setting : .batteryVoltage, value: judged.voltage)
    // Its wish to be charged to nothing is its charge current of zero; a CVL of zero is never sent.
    if let limit = reported.report.chargeVoltage, limit > 0, limit < volts {
      outputs.limits.chargeVoltage = limit
      outputs.chargeVoltageReason = Reason(.battery)
    }
  }

  private mutating func isWithdrawn(_ judged: Judgement, at now: Instant) -> Bool {
    var age = max(judged.cellState.age, judged.voltageState.age, judged.currentState.age)
    if requiresTemperature { age = max(age, judged.temperatureState.age) }
    // An input that goes on sending the impossible has no age: then the time since the loss counts.
    if let since = dataLostSince { age = max(age, now - since) }
    return age >= parameters.withdrawn
  }

  @inline(__always)
  private mutating func dateReasons(of outputs: inout Outputs, at now: Instant, isFirst: Bool) {
    func date(_ reason: inout Reason, _ old: Reason) {
      let isSame = reason.rule == old.rule && reason.input == old.input && reason.fault == old.fault
      reason.since = isSame && !isFirst ? old.since : now
    }
    date(&outputs.chargeReason, decided.chargeReason)
    date(&outputs.dischargeReason, decided.dischargeReason)
    date(&outputs.chargeVoltageReason, decided.chargeVoltageReason)
    date(&outputs.chargeCurrentReason, decided.chargeCurrentReason)
    date(&outputs.dischargeCurrentReason, decided.dischargeCurrentReason)
  }

  /// Before the first complete data nothing is "lost" yet: sources are given the time after which they would be stale,
  /// so that a start raises no false alarm (dvcc-dbus.md F.3).
  @inline(__always)
  private mutating func raiseAlarms(
    _ judged: Judgement, _ inputs: borrowing Inputs, at now: Instant, runningFor running: TimeSpan,
    into outputs: inout Outputs
  ) {
    let shutdown = inputs.shutdown
    var active = AlarmSet()
    func set(_ alarm: Alarm, _ isActive: Bool) { if isActive { active.insert(alarm) } }
    set(.lowCell, protection.lowCell)
    let isPreAlarm = protection.cell.isPreAlarm && !protection.lowCell
    set(.preAlarm, isPreAlarm)
    let isDisconnecting = isPreAlarm || overcurrent.discharge.isExceeded
    set(.loadWillDisconnect, isDisconnecting && outputs.dischargeAllowed)
    set(.highChargeCurrentWarning, overcurrent.warning == .charge && !overcurrent.charge.isAlarm)
    set(.highDischargeCurrentWarning, overcurrent.warning == .discharge && !overcurrent.discharge.isAlarm)
    set(.highChargeCurrent, overcurrent.charge.isAlarm)
    set(.highDischargeCurrent, overcurrent.discharge.isAlarm)
    set(.contactFailure, contacts.direction != nil && !shutdown)
    set(.wrongSystemVoltage, window.verdict == .wrongSystem || window.verdict == .betweenWindows)
    set(.voltageNotAllowed, window.verdict == .notAllowed)
    outputs.lowCellLevel = protection.lowCell ? .low : isPreAlarm ? .almostDischarged : .fine
    set(.highCell, protection.highCell)
    set(.lowTemperature, protection.lowTemperature)
    set(.highTemperature, protection.highTemperature)
    set(.veryHighTemperature, protection.veryHighTemperature)
    set(.lowStateOfCharge, protection.dischargeFloor)
    set(.lowStateOfChargeWarning, protection.lowStateOfChargeWarning)
    let wasAllowed = decided.dischargeAllowed || decided.alarms.contains(.loadDisconnected)
    set(.loadDisconnected, !outputs.dischargeAllowed && wasAllowed && !shutdown && modes.mode == .on)
    set(.remoteLost, modes.isRemoteLost)
    set(.hardware, contactor.fault == .selfTest)
    set(.prechargeOverload, contactor.fault == .prechargeOverload)
    set(.prechargeTimeout, contactor.fault == .prechargeTimeout)
    set(.contactorError, contactor.fault == .welded || contactor.fault == .stuckOpen)
    set(.badContact, contactor.isContactBad)
    set(.busbarHot, isBusbarHot)
    set(.settingsLost, inputs.areSettingsLost)
    set(.calibrationLost, inputs.isCalibrationLost)
    set(.cellsAgainstPack, plausibility.isMismatch && plausibility.contradiction == nil)
    set(.cellsContradictPack, plausibility.contradiction != nil)
    set(.cellsStuck, plausibility.isCellStuck)
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
    set(.batteryAlarm, !reported.conditions.isDisjoint(with: .alarms) && !reported.isLost)
    let isSilent = reported.isLost && running >= parameters.cellStale
    set(.batteryLost, isSilent || reported.conditions.contains(.cableMissing))
    if reported.conditions.contains(.preAlarm), !protection.lowCell { active.insert(.preAlarm) }
    set(.fanFailed, isFanStill)
    set(.supplyError, isSupplyBad)
    set(.sidesReversed, reversedFor >= Parameters.reversedHold)
    if let reported = inputs.batteryLowCellSettings {
      set(
        .lowCellSettingsDiffer,
        quantised(max(reported.upperBound, parameters.lowCell) - min(reported.lowerBound, parameters.lowCell)) > 0.001)
    }
    let expected = inputs.cells.expectedCount
    set(.batteryCount, expected > 0 && Double(expected) != parameters.cells * parameters.strings)
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

    outputs.alarms = active
    outputs.events.raised = active.subtracting(decided.alarms)
    outputs.events.cleared = decided.alarms.subtracting(active)
    guard !active.isEmpty || !outputs.events.cleared.isEmpty else { return }
    for alarm in outputs.events.raised {
      let index = Int(alarm.rawValue)
      records[index].isActive = true
      records[index].firstSeen = now
      records[index].count += 1
      records[index].cause = cause(of: alarm, judged, outputs, inputs.wiringFaults, at: now)
    }
    for alarm in active { records[Int(alarm.rawValue)].lastSeen = now }
    for alarm in outputs.events.cleared { records[Int(alarm.rawValue)].isActive = false }
  }

  private mutating func cause(
    of alarm: Alarm, _ judged: Judgement, _ outputs: Outputs, _ wiringFaults: WiringFaults, at now: Instant
  ) -> Reason {
    func data(_ role: InputRole, _ state: RoleState) -> Reason {
      Reason(.dataLost, role, fault: state.fault, place: state.place)
    }
    func block(_ block: Block, _ direction: CurrentDirection) -> Reason {
      self.reason(block, direction, judged, data: nil, stateOfCharge: outputs.stateOfCharge)
    }
    var reason =
      switch alarm {
      case .lowCell: block(.lowCell, .discharge)
      case .highCell: block(.highCell, .charge)
      case .lowTemperature: block(.lowTemperature, .charge)
      case .highTemperature: block(.highTemperature, .charge)
      case .veryHighTemperature: block(.highTemperature, .discharge)
      case .lowStateOfCharge: block(.dischargeFloor, .discharge)
      case .lowStateOfChargeWarning:
        Reason(
          .dischargeFloor, .stateOfCharge, value: outputs.stateOfCharge,
          endsAt: parameters.warningLevel + Parameters.warningHysteresis)
      case .loadDisconnected: outputs.dischargeReason
      case .preAlarm: preAlarmReason(judged)
      case .loadWillDisconnect:
        protection.cell.isPreAlarm ? preAlarmReason(judged) : Reason(.overcurrent, .current, value: judged.current)
      case .highChargeCurrentWarning, .highDischargeCurrentWarning, .highChargeCurrent, .highDischargeCurrent:
        Reason(.overcurrent, .current, value: judged.current, endsAt: parameters.rating)
      case .contactFailure: Reason(.contactFailure, .current, value: judged.current)
      case .hardware, .prechargeOverload, .prechargeTimeout, .contactorError: Reason(.contactorFault, .contactor)
      case .badContact: Reason(.contactDrop, .contactor, value: contactDrop, endsAt: ContactorSequence.contactDrop)
      case .busbarHot: Reason(.busbarHot, .contactor)
      case .settingsLost, .calibrationLost: Reason(.settingsLost, .setting)
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
  private mutating func isProtective(_ outputs: inout Outputs) -> Bool {
    if decided.chargeAllowed, !outputs.chargeAllowed { return true }
    if decided.dischargeAllowed, !outputs.dischargeAllowed { return true }
    // A limit that slides along its table is in time at the next period.
    if outputs.limits.chargeCurrent < decided.limits.chargeCurrent,
      outputs.chargeCurrentReason.rule != .nearCellEnd
    {
      return true
    }
    if outputs.limits.dischargeCurrent < decided.limits.dischargeCurrent,
      outputs.dischargeCurrentReason.rule != .nearCellEnd
    {
      return true
    }
    guard let before = decided.limits.chargeVoltage else { return false }
    guard let after = outputs.limits.chargeVoltage else { return true }
    // The end of an absorption lowers CVL too, but protects nothing.
    return after < before
      && (outputs.chargeVoltageReason.rule == .dataLost || outputs.chargeVoltageReason.rule == .installerCap
        || outputs.chargeVoltageReason.rule == .battery)
  }
}
