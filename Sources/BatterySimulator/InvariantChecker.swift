public import BMSCore
import MonotonicTime

// Checks the invariants in every step. It works from what the plant's sensors delivered and from what is true in the
// plant, never from what the core made of it, so that a wrong core cannot fool it. Where a rule of the core counts time,
// the checker counts its own, and leaves it the length of a step: a decision is made once in a step.
//
// It asks in one direction: what must not be is not. What must be (a bank that is allowed to charge when nothing forbids
// it) is the business of scenarios.

/// Watches one run of a ``ClosedLoop``.
public struct InvariantChecker: Sendable {
  /// What broke, the first time for each invariant.
  public private(set) var breaks: [InvariantBreak] = []

  private var broken: Set<Invariant> = []
  private var delivered: Delivered
  private var last: Instant
  private var runningFor = TimeSpan.zero
  private var stoppedFor: TimeSpan?
  private var steps = 0
  private var memoryLosses = 0

  // What the last step showed.
  private var before = Outputs()
  private var hadCoil = false
  private var hadPrecharge = false
  private var hadCapacity = 0.0

  // Protections by what was delivered. They begin as late and end as early as the rules allow.
  private var isHighCell = false
  private var isLowCell = false
  private var isHot = false
  private var isVeryHot = false
  private var isCold = false
  private var warmFor = TimeSpan.zero
  private var nearLowFor: TimeSpan?
  private var recoveredFor = TimeSpan.zero
  private var outsideFor = TimeSpan.zero
  private var insideFor: TimeSpan?
  private var wasInside = false
  private var overPeakFor = (charge: TimeSpan.zero, discharge: TimeSpan.zero)
  private var heldFor: (charge: TimeSpan?, discharge: TimeSpan?) = (nil, nil)
  private var announcedFor = TimeSpan.zero
  private var lostFor = TimeSpan.zero
  private var hotBusbarFor = TimeSpan.zero
  private var notOnFor = TimeSpan.zero

  // Contacts.
  private var chargeOffFor = TimeSpan.zero
  private var chargeOffCarryingFor = TimeSpan.zero
  private var dischargeOffCarryingFor = TimeSpan.zero
  private var dangerFor = (charge: TimeSpan.zero, discharge: TimeSpan.zero)
  private var coilOffFor = TimeSpan.zero
  private var coilOnFor = TimeSpan.zero
  private var openWhileAllowedFor = TimeSpan.zero
  private var prechargeFor = TimeSpan.zero
  private var sincePrecharge: TimeSpan?
  private var tries = 0
  private var relayFor = TimeSpan.zero
  /// The relay's settings in the step before: with others it may be another way at once.
  private var relaySettings = (0.0, 0.0, 0.0)
  private var sourcesOffFor = TimeSpan.zero

  /// R104, R105.
  static let highCell = (opens: 3.75, closes: 3.6)
  /// R93, OD-12.
  static let lowCell = (hard: 2.6, closes: 3.2)
  /// OD-4.
  static let hot = (charge: (opens: 50.0, closes: 45.0), discharge: (opens: 55.0, closes: 50.0))
  /// OD-6.
  static let cold = (hysteresis: 2.0, hold: TimeSpan.seconds(60))
  /// R84, OD-3.
  static let notice = TimeSpan.seconds(30)
  static let noticeRelease = (volts: 0.05, hold: TimeSpan.seconds(10))
  /// R198, R202.
  static let overcurrent = (grace: TimeSpan.seconds(30), retry: TimeSpan.minutes(5))
  /// R76: the lead; ours: how long the contactor waits for little current after it.
  static let lead = (atLeast: TimeSpan.seconds(2), atMost: TimeSpan.seconds(5))
  /// R121, R122, OD-11, OD-12.
  static let uncontrolled = (charge: 1.0, discharge: 1.5, delay: TimeSpan.seconds(10), danger: TimeSpan.seconds(30))
  /// OD-18.
  static let tries = (most: 3, apart: TimeSpan.seconds(30), steady: TimeSpan.milliseconds(200))
  /// R25.
  static let takeover = TimeSpan.seconds(120)
  /// OD-20: a takeover looks for so long at the most.
  static let look = TimeSpan.seconds(60)
  /// R71.
  static let closedDrop = 0.5
  /// R128.
  static let relayHalf = TimeSpan.milliseconds(800)
  /// R22, battery-physics.md: the most that a cell may be charged to.
  static let mostPerCell = 3.65
  /// Steps are 1 s long when nothing happens: what counts time in the core and here may differ by so much.
  static let slack = TimeSpan.milliseconds(1100)
  /// A sensor's last digit, volts.
  static let digit = 1e-6
  /// What tells that data is lost, or not to be believed.
  static let dataAlarms: AlarmSet = [
    .cellsLost, .voltageLost, .currentLost, .temperatureLost, .cellsStuck, .cellsJump,
  ]
  /// How often what costs time is looked at, in steps.
  static let seldom = 64

  /// A checker for a loop that has not been stepped.
  public init(_ loop: ClosedLoop) {
    delivered = Delivered(cells: loop.plant.cellReadings.count)
    last = loop.now
    hadCapacity = loop.bms.settings[.batteryCapacity]
  }

  /// The memory of the BMS was lost between two runs: what it held open may be closed again.
  private mutating func forgetMemory() {
    isHighCell = false
    isLowCell = false
    isHot = false
    isVeryHot = false
    isCold = false
    nearLowFor = nil
    heldFor = (nil, nil)
    overPeakFor = (.zero, .zero)
  }

  /// Looks at a loop after a step.
  public mutating func check(_ loop: ClosedLoop) { check(loop, outputs: loop.outputs, commands: loop.commands) }

  /// Looks at a loop after a step in which these decisions were made: its own, or what a test makes of them.
  public mutating func check(_ loop: ClosedLoop, outputs: Outputs, commands: Commands) {
    let elapsed = loop.now - last
    guard elapsed > .zero else { return }
    last = loop.now
    steps += 1
    checkPlant(loop, commands, elapsed)
    guard loop.isRunning else {
      checkStopped(loop, outputs, commands, elapsed)
      return
    }
    if stoppedFor != nil { beginRun() }
    if loop.memoryLosses != memoryLosses {
      memoryLosses = loop.memoryLosses
      forgetMemory()
    }
    delivered.take(loop)
    runningFor += elapsed
    let settings = loop.bms.settings
    latch(loop, settings, outputs, elapsed)
    checkContactor(loop, outputs, commands, elapsed)
    checkPermissions(loop, settings, outputs, elapsed)
    checkLimits(loop, settings, outputs, commands)
    checkUncontrolled(loop, settings, outputs, elapsed)
    checkModes(loop, settings, outputs, commands, elapsed)
    checkAlarms(loop, settings, outputs)
    checkNumbers(loop, settings[.batteryCapacity], outputs, elapsed)
    if steps % InvariantChecker.seldom == 0 { checkSnapshot(loop.bms.snapshot.defect) }
    if steps % InvariantChecker.seldom == 0 || outputs.highestCell?.value ?? 0 > 3.7 { checkTruth(loop, outputs) }
    before = outputs
  }

  /// Looks at the end of a run: what would be stored, and that no energy came from nowhere.
  public mutating func finish(_ loop: ClosedLoop) {
    checkSnapshot(loop.bms.snapshot.defect)
    let energy = loop.plant.energy
    let turned = abs(energy.sources) + abs(energy.loads) + abs(energy.bank) + 1
    if !(abs(energy.imbalance) <= turned * 1e-6) { report(.plant, "\(energy.imbalance) J of \(turned) J are missing") }
  }

  /// Looks at what would be stored.
  mutating func checkSnapshot(_ defect: String?) { if let defect { report(.snapshot, defect) } }

  mutating func report(_ invariant: Invariant, _ found: String) {
    guard broken.insert(invariant).inserted else { return }
    breaks.append(InvariantBreak(invariant: invariant, at: last, found: found))
  }

  // MARK: Runs

  /// A new run: it has seen nothing, and begins with everything open.
  private mutating func beginRun() {
    stoppedFor = nil
    runningFor = .zero
    delivered.forget()
    before = Outputs()
    lostFor = .zero
    hotBusbarFor = .zero
    notOnFor = .zero
    tries = 0
    sincePrecharge = nil
    chargeOffCarryingFor = .zero
    dischargeOffCarryingFor = .zero
    dangerFor = (.zero, .zero)
    outsideFor = .zero
    insideFor = nil
    wasInside = false
    overPeakFor = (.zero, .zero)
  }

  private mutating func checkStopped(
    _ loop: ClosedLoop, _ outputs: Outputs, _ commands: Commands, _ elapsed: TimeSpan
  ) {
    stoppedFor = (stoppedFor ?? .zero) + elapsed
    if commands.areFresh { report(.stopped, "limits are still sent") }
    if outputs.chargeAllowed || outputs.dischargeAllowed || outputs.limits.chargeVoltage != nil {
      report(.stopped, "decisions remain")
    }
    hadCoil = commands.closesContactor
    hadPrecharge = commands.closesPrecharge
    coilOffFor = hadCoil ? .zero : coilOffFor + elapsed
    coilOnFor = .zero
    chargeOffFor = .zero
    if loop.wiring.contactors != .none, !hadCoil, coilOffFor > elapsed, isAnyClosed(loop), !isWelded(loop) {
      report(.stopped, "the contactor is closed without its coil")
    }
  }

  // MARK: What must forbid

  private mutating func latch(
    _ loop: ClosedLoop, _ settings: Settings, _ outputs: Outputs, _ elapsed: TimeSpan
  ) {
    let now = loop.now
    let stale = TimeSpan(seconds: settings[.cellStale])
    let areCellsFresh = delivered.cellAge < stale && !delivered.isCellImplausible
    latchCells(settings, areCellsFresh, elapsed)
    let isSeveral = loop.plant.bank.batteryCount > 1
    if loop.sensing.temperatures { latchTemperatures(settings, stale, isSeveral, at: now, elapsed) }

    let nominal = settings[.nominalVoltage]
    let window = nominal == 48 ? 32.0...60.0 : nominal == 24 ? 16.0...30.0 : 9.0...15.0
    if let volts = delivered.newBattery {
      if window.contains(volts) {
        if let inside = insideFor { insideFor = inside + elapsed }
        outsideFor = .zero
      } else {
        outsideFor += elapsed
        insideFor = nil
      }
    }
    // Before a run has seen the window for the first time, the first voltage inside of it is enough.
    if delivered.newBattery.map(window.contains) ?? false {
      wasInside = true
    } else if wasInside, outputs.chargeBlocks.contains(.voltageWindow), delivered.newBattery != nil {
      insideFor = .zero
    }

    let peak = settings.peakRating
    let sign = settings[.currentReversed] != 0 ? -1.0 : 1.0
    if let amperes = delivered.newCurrent {
      overPeakFor.charge = amperes * sign > peak ? overPeakFor.charge + elapsed : .zero
      overPeakFor.discharge = amperes * sign < -peak ? overPeakFor.discharge + elapsed : .zero
    }
    // What the first step of a run finds held was held by the run before, and goes on.
    let isFirst = runningFor <= elapsed
    func held(_ since: TimeSpan?, _ is: Bool, _ was: Bool) -> TimeSpan? {
      if `is`, !was, !isFirst || since == nil { return .zero }
      return since.map { $0 + elapsed }
    }
    heldFor.charge = held(
      heldFor.charge, outputs.chargeBlocks.contains(.overcurrent), before.chargeBlocks.contains(.overcurrent))
    heldFor.discharge = held(
      heldFor.discharge, outputs.dischargeBlocks.contains(.overcurrent), before.dischargeBlocks.contains(.overcurrent))
    hotBusbarFor =
      loop.sensing.thermalSwitches && (loop.hotBusbars.first || loop.hotBusbars.second) ? hotBusbarFor + elapsed : .zero
    notOnFor = outputs.mode == .on ? .zero : notOnFor + elapsed
  }

  private mutating func latchCells(_ settings: Settings, _ areFresh: Bool, _ elapsed: TimeSpan) {
    let digit = InvariantChecker.digit
    if let high = delivered.newHighestCell, high >= InvariantChecker.highCell.opens - digit { isHighCell = true }
    if areFresh, let high = delivered.highestCell, high < InvariantChecker.highCell.closes { isHighCell = false }

    let low = settings[.lowCellVoltage]
    let isAnnounced = settings[.preAlarm] != 0
    let near = settings[.preAlarmSignal] != 0 ? settings[.preAlarmVoltage] : low
    if let since = nearLowFor { nearLowFor = since + elapsed }
    if let lowest = delivered.newLowestCell {
      if lowest <= near, nearLowFor == nil { nearLowFor = .zero }
      let isOver = (nearLowFor ?? .zero) >= InvariantChecker.notice + InvariantChecker.slack
      if lowest < InvariantChecker.lowCell.hard - digit || lowest <= low - digit && (!isAnnounced || isOver) {
        isLowCell = true
      }
    }
    guard let lowest = delivered.lowestCell, areFresh else { return }
    if lowest >= InvariantChecker.lowCell.closes {
      isLowCell = false
      // The pre-alarm is over with the disconnection that it announced.
      if before.alarms.contains(.lowCell) { nearLowFor = nil }
    }
    recoveredFor = lowest >= near + InvariantChecker.noticeRelease.volts - digit ? recoveredFor + elapsed : .zero
    if recoveredFor + InvariantChecker.slack >= InvariantChecker.noticeRelease.hold || !isAnnounced { nearLowFor = nil }
  }

  private mutating func latchTemperatures(
    _ settings: Settings, _ stale: TimeSpan, _ isSeveral: Bool, at now: Instant, _ elapsed: TimeSpan
  ) {
    let digit = InvariantChecker.digit
    let isLost = delivered.isTemperatureLost(stale, isSeveral: isSeveral, at: now)
    guard let coldest = delivered.coldest, let hottest = delivered.hottest else { return }
    let least = settings[.minimumChargeTemperature]
    if !isLost, coldest < least - digit { isCold = true }
    warmFor = !isLost && coldest >= least + InvariantChecker.cold.hysteresis - digit ? warmFor + elapsed : .zero
    if warmFor + InvariantChecker.slack >= InvariantChecker.cold.hold { isCold = false }
    guard !isLost else { return }
    let (charge, discharge) = InvariantChecker.hot
    if hottest >= charge.opens + digit { isHot = true } else if hottest <= charge.closes + digit { isHot = false }
    if hottest >= discharge.opens + digit {
      isVeryHot = true
    } else if hottest <= discharge.closes + digit {
      isVeryHot = false
    }
  }

  private mutating func checkPermissions(
    _ loop: ClosedLoop, _ settings: Settings, _ outputs: Outputs, _ elapsed: TimeSpan
  ) {
    let now = loop.now
    let (charge, discharge) = (outputs.chargeAllowed, outputs.dischargeAllowed)
    if charge {
      if isHighCell { report(.charge, "ATC closed, highest cell \(volts(delivered.highestCell)) after 3.75 V") }
      if isCold { report(.charge, "ATC closed at \(number(delivered.coldest)) °C") }
      if isHot { report(.charge, "ATC closed at \(number(delivered.hottest)) °C") }
    }
    if discharge {
      if isLowCell { report(.discharge, "ATD closed, lowest cell \(volts(delivered.lowestCell))") }
      if isVeryHot { report(.discharge, "ATD closed at \(number(delivered.hottest)) °C") }
      if outputs.isStateOfChargeTrusted, let percent = outputs.stateOfCharge, settings[.dischargeFloor] > 0,
        percent <= settings[.dischargeFloor]
      {
        report(.discharge, "ATD closed at \(percent) %, floor \(settings[.dischargeFloor]) %")
      }
    }
    if charge { checkWhole(loop, outputs, "ATC", .charge) }
    if discharge { checkWhole(loop, outputs, "ATD", .discharge) }
    checkData(loop, outputs, settings, at: now, elapsed)
    checkNotice(settings, outputs, elapsed)

    let slack = InvariantChecker.slack + elapsed
    let (grace, retry) = InvariantChecker.overcurrent
    if charge, overPeakFor.charge > grace + slack { report(.overcurrent, "ATC closed above the peak for 30 s") }
    if discharge, overPeakFor.discharge > grace + slack { report(.overcurrent, "ATD closed above the peak for 30 s") }
    if charge, let held = heldFor.charge, held + slack < retry {
      report(.overcurrent, "ATC closed again \(held.seconds) s after overcurrent")
    }
    if discharge, let held = heldFor.discharge, held + slack < retry {
      report(.overcurrent, "ATD closed again \(held.seconds) s after overcurrent")
    }
    guard charge || discharge else { return }
    let stale = TimeSpan(seconds: settings[.measurementStale])
    if outsideFor > stale + slack { report(.voltageWindow, "allowed at \(number(delivered.newBattery)) V") }
    if let inside = insideFor, inside + slack < .seconds(10) {
      report(.voltageWindow, "allowed \(inside.seconds) s after the window was left")
    }
  }

  /// What forbids both directions.
  private mutating func checkWhole(_ loop: ClosedLoop, _ outputs: Outputs, _ name: String, _ rule: Invariant) {
    if outputs.mode != .on { report(rule, "\(name) closed in mode \(outputs.mode)") }
    if loop.inputs.areSettingsLost { report(rule, "\(name) closed with lost settings") }
    if loop.inputs.shutdown { report(rule, "\(name) closed while the program leaves") }
    if loop.wiring.contactors != .none, !outputs.contactorCommand { report(rule, "\(name) closed, contactor not") }
  }

  private mutating func checkData(
    _ loop: ClosedLoop, _ outputs: Outputs, _ settings: Settings, at now: Instant, _ elapsed: TimeSpan
  ) {
    let stale = TimeSpan(seconds: settings[.cellStale])
    let measurementStale = TimeSpan(seconds: settings[.measurementStale])
    var lost: String?
    if delivered.cellAge >= stale { lost = "cells" }
    if delivered.isCellImplausible { lost = "impossible cells" }
    if delivered.battery.age(at: now) >= measurementStale { lost = "battery voltage" }
    if delivered.battery.isImplausible { lost = "impossible battery voltage" }
    if delivered.current.age(at: now) >= measurementStale { lost = "current" }
    let isRequired = loop.sensing.temperatures && delivered.firstTemperature.value != nil
    if isRequired || settings[.temperatureRequired] != 0,
      delivered.isTemperatureLost(stale, isSeveral: loop.plant.bank.batteryCount > 1, at: now)
    {
      lost = "temperature"
    }
    lostFor = lost == nil ? .zero : lostFor + elapsed
    guard let lost else { return }
    if outputs.chargeAllowed || outputs.dischargeAllowed {
      report(.staleData, "allowed on lost \(lost), oldest cell \(number(delivered.cellAge.seconds)) s")
    }
    let withdrawn = TimeSpan(seconds: settings[.limitsWithdrawn]) + InvariantChecker.slack
    if lostFor > withdrawn, outputs.limits.chargeVoltage != nil { report(.staleData, "CVL on lost \(lost)") }
    if lostFor > withdrawn + InvariantChecker.lead.atMost + InvariantChecker.slack, loop.wiring.contactors != .none {
      if outputs.contactorCommand { report(.staleData, "contactor commanded on lost \(lost)") }
      if isAnyClosed(loop), !isWelded(loop) { report(.staleData, "contactor closed on lost \(lost)") }
    }
  }

  private mutating func checkNotice(_ settings: Settings, _ outputs: Outputs, _ elapsed: TimeSpan) {
    let isNew = outputs.dischargeBlocks.contains(.lowCell) && !before.dischargeBlocks.contains(.lowCell)
    let told = announcedFor + elapsed
    if isNew, settings[.preAlarm] != 0, runningFor > elapsed,
      !(delivered.lowestCell.map { $0 < InvariantChecker.lowCell.hard } ?? true)
    {
      if !before.alarms.contains(.preAlarm) || told + .milliseconds(1) < InvariantChecker.notice {
        let seconds = before.alarms.contains(.preAlarm) ? told.seconds : 0
        report(
          .notice, "ATD opened \(number(seconds)) s after the pre-alarm, lowest cell \(volts(delivered.lowestCell))")
      }
    }
    // Over a restart the time goes on, and it does not count while nothing runs.
    if outputs.alarms.contains(.preAlarm) {
      announcedFor = before.alarms.contains(.preAlarm) || runningFor == elapsed ? told : .zero
    }
  }

  // MARK: Limits

  private mutating func checkLimits(
    _ loop: ClosedLoop, _ settings: Settings, _ outputs: Outputs, _ commands: Commands
  ) {
    let limits = outputs.limits
    let most = min(settings[.batteryCapacity], settings.continuousRating, settings[.maximumChargeCurrent])
    if outputs.chargeAllowed != (limits.chargeCurrent > 0) {
      report(.limits, "CCL \(limits.chargeCurrent) A with ATC \(outputs.chargeAllowed ? "closed" : "open")")
    }
    if !(0...most + InvariantChecker.digit ~= limits.chargeCurrent) {
      report(.limits, "CCL \(limits.chargeCurrent) A, at most \(most) A")
    }
    let isStopped = settings[.dischargeLimitAtPreAlarm] != 0 && outputs.alarms.contains(.preAlarm)
    // OD-2: smooth limits end at the low cell voltage, and ATD stays closed there for the 30 s of R84.
    let lowest = delivered.newLowestCell ?? delivered.lowestCell ?? .infinity
    let isSmoothEnd =
      settings[.limitsNearCellEnds] != 0 && lowest <= settings[.lowCellVoltage] + InvariantChecker.digit
    if (outputs.dischargeAllowed && !isStopped) != (limits.dischargeCurrent > 0),
      !(isSmoothEnd && limits.dischargeCurrent == 0)
    {
      report(.limits, "DCL \(limits.dischargeCurrent) A with ATD \(outputs.dischargeAllowed ? "closed" : "open")")
    }
    if !(0...min(settings.peakRating, settings[.maximumDischargeCurrent]) ~= limits.dischargeCurrent) {
      report(.limits, "DCL \(limits.dischargeCurrent) A")
    }
    let carries = outputs.contactorPhase == .closed || outputs.contactorPhase == .lead
    let isInService =
      outputs.mode == .on && (loop.wiring.contactors == .none || carries) && outputs.left.isDisjoint(with: .contacts)
    // About to open, with both directions forbidden: zero and none say the same.
    let isLeaving = outputs.contactorPhase == .lead && !outputs.dischargeAllowed
    if limits.isAvailable != isInService, !isLeaving || limits.isAvailable {
      report(.limits, "limits available: \(limits.isAvailable)")
    }
    if !isInService, limits.chargeVoltage != nil || limits.chargeCurrent != 0 || limits.dischargeCurrent != 0 {
      report(.limits, "limits while the contactor is not closed")
    }
    if limits.chargeVoltage == nil, limits.chargeCurrent != 0 || limits.dischargeCurrent != 0 {
      report(.limits, "limits of current without CVL")
    }
    let low = 2.6 * Double(settings.cellsInSeries)
    if let volts = limits.lowVoltage, abs(volts - low) > InvariantChecker.digit {
      report(.limits, "low voltage limit \(volts) V")
    }
    if let volts = limits.chargeVoltage {
      let factor = settings.bankFactor
      let cap = settings[.maximumChargeVoltage] * factor
      // R205: of another bank's voltage no more is told than the lower of the two rests at.
      let measured = outputs.voltage.map { $0 > 30 ? 4.0 : $0 > 15 ? 2 : 1 } ?? factor
      let isOther = outputs.alarms.contains(.wrongSystemVoltage) && measured < factor
      let least = min(13.5 * factor, cap) * (isOther ? measured / factor : 1)
      if !(volts >= least - InvariantChecker.digit && volts <= cap + InvariantChecker.digit)
        || volts > InvariantChecker.mostPerCell * Double(settings.cellsInSeries)
      {
        report(.chargeVoltage, "CVL \(volts) V, from \(least) to \(cap) V")
      }
    }
    if commands.chargeVoltage != limits.chargeVoltage || commands.chargeCurrent != limits.chargeCurrent
      || commands.dischargeCurrent != limits.dischargeCurrent
    {
      report(.commands, "limits sent are not those decided")
    }
    let left = outputs.left
    if commands.allowsCharge != outputs.chargeAllowed && !left.contains(.allowToCharge)
      || commands.allowsDischarge != outputs.dischargeAllowed && !left.contains(.allowToDischarge)
    {
      report(.commands, "contacts are not as decided")
    }
    if commands.areFresh == (outputs.mode == .off) { report(.commands, "sending: \(commands.areFresh)") }
    if commands.allowsAlternator, !outputs.chargeAllowed, !loop.isAlternatorOnRelay || relayIsAlternator(settings) {
      report(.commands, "the alternator runs with ATC open")
    }
  }

  private func relayIsAlternator(_ settings: Settings) -> Bool { settings[.relayAlternator] != 0 }

  // MARK: Contactor

  private mutating func checkContactor(
    _ loop: ClosedLoop, _ outputs: Outputs, _ commands: Commands, _ elapsed: TimeSpan
  ) {
    guard loop.wiring.contactors != .none else {
      if outputs.contactorCommand || outputs.prechargeCommand { report(.state, "a supervisor commands a contactor") }
      return
    }
    let coil = commands.closesContactor
    if hadPrecharge { prechargeFor += elapsed }
    if let since = sincePrecharge { sincePrecharge = since + elapsed }
    if coil, !hadCoil { checkClosing(loop, elapsed) }
    // The first look of a run at what the last one left closed has no time for a lead.
    if !coil, hadCoil, runningFor > elapsed, before.contactorPhase != .takeover {
      checkOpening(loop, outputs, elapsed)
    }
    checkPrecharge(loop, outputs, commands)
    chargeOffFor = before.chargeAllowed ? .zero : chargeOffFor + elapsed
    coilOnFor = coil ? coilOnFor + elapsed : .zero
    coilOffFor = coil || hadCoil ? .zero : coilOffFor + elapsed
    if !coil, coilOffFor > elapsed, isAnyClosed(loop), !isWelded(loop) {
      report(.plant, "the contactor is closed without its coil")
    }
    // Nobody can know while the feedback lies: the time begins when it is honest again.
    let isTrulyOpen =
      (outputs.chargeAllowed || outputs.dischargeAllowed) && !isAnyClosed(loop) && isFeedbackHonest(loop)
    openWhileAllowedFor = isTrulyOpen ? openWhileAllowedFor + elapsed : .zero
    if openWhileAllowedFor > .seconds(1) + elapsed, loop.sensing.contactorFeedback {
      report(.state, "allowed with the contactor open")
    }
    let late = InvariantChecker.lead.atMost + InvariantChecker.slack + elapsed
    if hotBusbarFor > late, coil { report(.hotBusbar, "closed \(hotBusbarFor.seconds) s after the thermal switch") }
    if notOnFor > late, coil { report(.off, "contactor commanded \(notOnFor.seconds) s after mode \(outputs.mode)") }
    hadCoil = coil
    hadPrecharge = commands.closesPrecharge
    if !hadPrecharge { prechargeFor = .zero }
  }

  private mutating func checkClosing(_ loop: ClosedLoop, _ elapsed: TimeSpan) {
    // R24, R25: a run may take over what the last one closed, as long as nothing has opened it: a weld does that, too.
    let isStillClosed = loop.plant.contactors.allSatisfy(\.isClosed)
    let isLooking = before.contactorPhase == .takeover
    let most = InvariantChecker.takeover + (isLooking ? InvariantChecker.look : .zero) + InvariantChecker.slack
    if coilOffFor <= most {
      if isStillClosed { return }
      // Feedback that lies: nobody can know better than both sides' voltages tell.
      let isTold = loop.plant.contactors.allSatisfy(\.feedback)
      if isTold, isLooking || runningFor <= elapsed { return checkTakeover(loop) }
    }
    let share = loop.wiring.precharge.successShare
    if prechargeFor < InvariantChecker.tries.steady {
      report(.precharge, "closed after \(prechargeFor.seconds) s of pre-charge")
    }
    guard let battery = delivered.battery.value, let system = delivered.system.value else {
      report(.precharge, "closed without voltages of both sides")
      return
    }
    if system < battery * share - 0.02 { report(.precharge, "closed with \(system) V behind and \(battery) V before") }
    // Sensors that are whole must have told the truth about it.
    let plant = loop.plant
    if plant.faults.isEmpty, plant.systemVoltage < plant.batteryVoltage * share - 0.1 {
      report(.precharge, "closed with truly \(number(plant.systemVoltage)) V behind")
    }
  }

  /// R24, R71: feedback that is stuck at closed has a restart close what fell, but only where both sides are at one
  /// voltage.
  private mutating func checkTakeover(_ loop: ClosedLoop) {
    let most = InvariantChecker.closedDrop
    guard let battery = delivered.battery.value, let system = delivered.system.value else {
      report(.precharge, "taken over without voltages of both sides")
      return
    }
    let apart = abs(battery - system)
    if apart > most + InvariantChecker.digit { report(.precharge, "taken over with \(number(apart)) V across it") }
    let truly = abs(loop.plant.batteryVoltage - loop.plant.systemVoltage)
    if !isVoltageFaulty(loop), truly > most + 0.1 {
      report(.precharge, "taken over with truly \(number(truly)) V across it")
    }
  }

  private mutating func checkOpening(_ loop: ClosedLoop, _ outputs: Outputs, _ elapsed: TimeSpan) {
    // A contact that does not follow is given up at once (R73): by then it is open, or nothing can open it.
    let disagrees = loop.sensing.contactorFeedback && loop.plant.contactors.contains { !$0.feedback }
    if outputs.contactorFault == .stuckOpen || outputs.contactorFault == .welded,
      disagrees || !loop.sensing.contactorFeedback
    {
      return
    }
    if chargeOffFor + elapsed < InvariantChecker.lead.atLeast, chargeOffFor < coilOnFor {
      report(.lead, "the contactor opens \((chargeOffFor + elapsed).seconds) s after ATC")
    }
  }

  private mutating func checkPrecharge(_ loop: ClosedLoop, _ outputs: Outputs, _ commands: Commands) {
    if before.contactorPhase == .precharge, outputs.contactorPhase == .cooling || outputs.contactorPhase == .failed {
      tries += 1
    }
    if before.mode != .on || commands.closesContactor && prechargeFor > .zero && before.contactorPhase == .closed {
      tries = 0
      sincePrecharge = nil
    }
    if commands.closesPrecharge, !hadPrecharge {
      if let since = sincePrecharge, since + .milliseconds(1) < InvariantChecker.tries.apart {
        report(.prechargeTries, "again after \(since.seconds) s")
      }
      // One that data or a hot busbar cut short is no failed one; it may go on for ever, 30 s apart.
      if tries >= InvariantChecker.tries.most { report(.prechargeTries, "after \(tries) failures without a restart") }
      sincePrecharge = .zero
    }
    if before.contactorPhase == .closed {
      tries = 0
      sincePrecharge = nil
    }
    let circuit = loop.wiring.precharge
    let most =
      circuit.energyLimit * 1.3 + 0.1 * loop.plant.batteryVoltage * loop.plant.batteryVoltage / circuit.resistance
    if loop.plant.precharge.energy > most, !isVoltageFaulty(loop) {
      report(.prechargeTries, "\(number(loop.plant.precharge.energy)) J in the resistor")
    }
  }

  private mutating func checkUncontrolled(
    _ loop: ClosedLoop, _ settings: Settings, _ outputs: Outputs, _ elapsed: TimeSpan
  ) {
    let carries = loop.wiring.contactors == .none || before.contactorPhase == .closed || before.contactorPhase == .lead
    let isCarrying =
      carries
      && (loop.wiring.contactors == .none || outputs.contactorPhase == .closed || outputs.contactorPhase == .lead)
    chargeOffCarryingFor =
      isCarrying && !before.chargeAllowed && !outputs.chargeAllowed ? chargeOffCarryingFor + elapsed : .zero
    dischargeOffCarryingFor =
      isCarrying && !before.dischargeAllowed && !outputs.dischargeAllowed ? dischargeOffCarryingFor + elapsed : .zero
    let (chargeLimit, dischargeLimit, delay, danger) = InvariantChecker.uncontrolled
    guard let measured = delivered.newCurrent else {
      dangerFor = (.zero, .zero)
      return
    }
    let amperes = settings[.currentReversed] != 0 ? -measured : measured
    let flows = (
      charge: chargeOffCarryingFor > .zero && amperes > chargeLimit + InvariantChecker.digit,
      discharge: dischargeOffCarryingFor > .zero && amperes < -dischargeLimit - InvariantChecker.digit
    )
    let isTold = outputs.alarms.contains(.contactFailure) || loop.inputs.shutdown
    if flows.charge, chargeOffCarryingFor > delay + InvariantChecker.slack, !isTold {
      report(.uncontrolledCurrent, "\(amperes) A with ATC open, not reported")
    }
    if flows.discharge, dischargeOffCarryingFor > delay + InvariantChecker.slack, !isTold {
      report(.uncontrolledCurrent, "\(amperes) A with ATD open, not reported")
    }
    let high = delivered.newHighestCell.map { $0 >= InvariantChecker.highCell.opens } ?? false
    let low = delivered.newLowestCell.map { $0 < InvariantChecker.lowCell.hard } ?? false
    dangerFor.charge = flows.charge && high ? dangerFor.charge + elapsed : .zero
    dangerFor.discharge = flows.discharge && low ? dangerFor.discharge + elapsed : .zero
    let most = delay + danger + InvariantChecker.lead.atMost + InvariantChecker.slack + InvariantChecker.slack
    guard loop.wiring.contactors != .none, outputs.contactorCommand else { return }
    if dangerFor.charge > most { report(.uncontrolledCurrent, "\(amperes) A into a full cell, contactor closed") }
    if dangerFor.discharge > most {
      report(.uncontrolledCurrent, "\(amperes) A out of an empty cell, contactor closed")
    }
  }

  // MARK: Modes

  private mutating func checkModes(
    _ loop: ClosedLoop, _ settings: Settings, _ outputs: Outputs, _ commands: Commands, _ elapsed: TimeSpan
  ) {
    let mode = outputs.mode
    if mode != .on {
      if outputs.prechargeCommand || commands.closesPrecharge { report(.off, "pre-charge in mode \(mode)") }
      if outputs.limits.chargeVoltage != nil { report(.off, "CVL in mode \(mode)") }
      if outputs.chargeAllowed || outputs.dischargeAllowed { report(.off, "ATC or ATD closed in mode \(mode)") }
    }
    if outputs.auxiliary != (mode != .off) { report(.off, "AUX \(outputs.auxiliary) in mode \(mode)") }
    if mode == .off, outputs.relayActive { report(.off, "relay active in Off") }
    if mode == .off, outputs.offCause == nil { report(.state, "Off without a cause") }
    switch outputs.state {
    case .running:
      let carries = outputs.contactorPhase == .closed || outputs.contactorPhase == .lead
      if mode != .on || loop.wiring.contactors != .none && !carries {
        report(.state, "running with the contactor \(outputs.contactorPhase) in mode \(mode)")
      }
    case .standby: if mode != .standby { report(.state, "state standby in mode \(mode)") }
    case .precharging, .contactorCheck, .goingToRun, .pending:
      if mode != .on || outputs.chargeAllowed || outputs.dischargeAllowed {
        report(.state, "state \(outputs.state) in mode \(mode)")
      }
    case .waiting, .error, .shutdown: break
    }
    checkRelay(loop, settings, outputs, elapsed)
  }

  private mutating func checkRelay(
    _ loop: ClosedLoop, _ settings: Settings, _ outputs: Outputs, _ elapsed: TimeSpan
  ) {
    relayFor += elapsed
    let ways = (settings[.relayAlternator], settings[.relayIntermittent], settings[.relayOnWarning])
    let isSetAnew = ways != relaySettings
    relaySettings = ways
    if settings[.relayAlternator] != 0 {
      let isPossible = outputs.chargeAllowed && (loop.wiring.contactors == .none || outputs.contactorPhase == .closed)
      if outputs.relayActive, !isPossible { report(.relay, "alternator enabled, ATC \(outputs.chargeAllowed)") }
    } else if outputs.relayActive {
      if outputs.alarms.isEmpty { report(.relay, "active without an alarm") }
    }
    guard outputs.relayActive != before.relayActive else { return }
    // With no alarm and no setting coming or going, only the pattern of R128 changes it.
    let isSteady =
      !isSetAnew && outputs.events.raised.isEmpty && outputs.events.cleared.isEmpty && outputs.mode == before.mode
    if settings[.relayAlternator] == 0, isSteady, runningFor > elapsed, settings[.relayIntermittent] != 0,
      relayFor + elapsed < InvariantChecker.relayHalf
    {
      report(.relay, "toggles after \(relayFor.seconds) s")
    }
    relayFor = .zero
  }

  // MARK: Alarms and reasons

  private mutating func checkAlarms(_ loop: ClosedLoop, _ settings: Settings, _ outputs: Outputs) {
    let events = outputs.events
    if events.raised != outputs.alarms.subtracting(before.alarms)
      || events.cleared != before.alarms.subtracting(outputs.alarms)
    {
      report(.alarms, "the events do not say what changed")
    }
    for alarm in outputs.alarms {
      let record = loop.bms.record(of: alarm)
      if !record.isActive || record.lastSeen != loop.now || (record.firstSeen.map { $0 > loop.now } ?? true)
        || record.cause == nil || record.count < 1
      {
        report(.alarms, "\(alarm) has no entry")
      }
    }
    checkReasons(
      outputs, isStarting: runningFor < TimeSpan(seconds: settings[.cellStale]) + InvariantChecker.slack)
  }

  private mutating func checkReasons(_ outputs: Outputs, isStarting: Bool) {
    checkReason("charging", outputs.chargeAllowed, outputs.chargeBlocks, outputs.chargeReason)
    checkReason("discharging", outputs.dischargeAllowed, outputs.dischargeBlocks, outputs.dischargeReason)
    func need(_ blocks: Blocks, _ block: Blocks, _ alarms: AlarmSet) {
      if blocks.contains(block), outputs.alarms.isDisjoint(with: alarms) {
        report(.alarms, "block \(block.rawValue) without an alarm")
      }
    }
    let (charge, discharge) = (outputs.chargeBlocks, outputs.dischargeBlocks)
    guard !charge.isEmpty || !discharge.isEmpty else { return }
    need(charge, .highCell, [.highCell])
    need(charge, .lowTemperature, [.lowTemperature])
    need(charge, .highTemperature, [.highTemperature])
    need(charge, .overcurrent, [.highChargeCurrent])
    need(charge, .settings, [.settingsLost])
    need(charge, .contradiction, [.cellsContradictPack])
    need(discharge, .contradiction, [.cellsContradictPack])
    need(charge, .voltageWindow, [.wrongSystemVoltage, .voltageNotAllowed])
    if !isStarting { need(charge, .data, InvariantChecker.dataAlarms) }
    need(discharge, .lowCell, [.lowCell])
    need(discharge, .highTemperature, [.veryHighTemperature])
    need(discharge, .overcurrent, [.highDischargeCurrent])
    need(discharge, .dischargeFloor, [.lowStateOfCharge])
    if outputs.contactorPhase == .failed {
      need(charge, .contactor, [.hardware, .prechargeOverload, .prechargeTimeout, .contactorError])
    }
    if outputs.alarms.contains(.highCell), outputs.chargeAllowed { report(.alarms, "high cell does nothing") }
    if outputs.alarms.contains(.lowCell), outputs.dischargeAllowed { report(.alarms, "low cell does nothing") }
  }

  private mutating func checkReason(_ name: String, _ isAllowed: Bool, _ blocks: Blocks, _ reason: Reason) {
    if isAllowed != blocks.isEmpty { report(.alarms, "\(name) \(isAllowed) with blocks \(blocks.rawValue)") }
    if isAllowed != (reason.rule == .allowed) { report(.alarms, "\(name) \(isAllowed), reason \(reason.rule)") }
    if reason.since > last { report(.alarms, "\(name): a reason from the future") }
  }

  // MARK: Numbers

  private mutating func checkNumbers(
    _ loop: ClosedLoop, _ capacity: Double, _ outputs: Outputs, _ elapsed: TimeSpan
  ) {
    if let percent = outputs.stateOfCharge, !(0...100 ~= percent) { report(.stateOfCharge, "\(percent) %") }
    if let charge = outputs.consumed, !(charge <= 0) { report(.stateOfCharge, "\(charge) Ah consumed") }
    if let time = outputs.timeToGo, !(.zero...TimeSpan.days(10) ~= time) || time.nanoseconds % 60_000_000_000 != 0 {
      report(.stateOfCharge, "\(time.seconds) s to go")
    }
    if let percent = outputs.stateOfCharge, let old = before.stateOfCharge, outputs.events.synchronised == nil,
      runningFor > elapsed, capacity == hadCapacity
    {
      // R160: with Peukert's exponent 1.05 the rate counts up to a third more at the currents of R5; twice is wrong.
      let amperes = max(abs(outputs.current ?? 0), abs(before.current ?? 0), abs(loop.plant.current))
      let most = 2 * amperes * elapsed.hours / capacity * 100 + 0.001
      if abs(percent - old) > most { report(.stateOfCharge, "\(old) to \(percent) % with \(amperes) A") }
    }
    hadCapacity = capacity
    let wait = outputs.nextDeadline - loop.now
    if wait <= .zero || wait > .milliseconds(100) { report(.deadline, "next step in \(wait.seconds) s") }
  }

  /// With nothing broken the BMS shows what the plant truly has.
  private mutating func checkTruth(_ loop: ClosedLoop, _ outputs: Outputs) {
    let plant = loop.plant
    guard plant.faults.isEmpty else { return }
    let shunt = plant.shunt
    if let amperes = outputs.current, abs(plant.current) < shunt.clip {
      let sign = loop.bms.settings[.currentReversed] != 0 ? -1.0 : 1.0
      let most =
        abs(plant.current) * (abs(shunt.gainError) + 0.001) + abs(shunt.offset) + 4 * shunt.noise + shunt.resolution
      if abs(amperes * sign - plant.current) > most {
        report(.truth, "shows \(amperes) A of \(number(plant.current)) A")
      }
    }
    if let volts = outputs.voltage, abs(volts - plant.batteryVoltage) > 0.02 {
      report(.truth, "shows \(volts) V of \(number(plant.batteryVoltage)) V")
    }
    var (low, high) = (Double.infinity, -Double.infinity)
    for string in plant.bank.strings.indices {
      let amperes = plant.bank.strings[string].current
      for battery in plant.bank.strings[string].batteries.indices {
        for cell in 0..<plant.bank.strings[string].batteries[battery].cellCount {
          let volts = plant.bank.strings[string].batteries[battery].voltage(ofCell: cell, at: amperes)
          low = min(low, volts)
          high = max(high, volts)
        }
      }
    }
    if let cell = outputs.highestCell?.value, abs(cell - high) > 0.003 {
      report(.truth, "highest cell \(cell) V of \(number(high)) V")
    }
    if let cell = outputs.lowestCell?.value, abs(cell - low) > 0.003 {
      report(.truth, "lowest cell \(cell) V of \(number(low)) V")
    }
    if outputs.chargeAllowed, high > InvariantChecker.highCell.opens + 0.003 {
      report(.charge, "ATC closed with a cell truly at \(number(high)) V")
    }
  }

  // MARK: Plant

  private mutating func checkPlant(_ loop: ClosedLoop, _ commands: Commands, _ elapsed: TimeSpan) {
    // Not `let plant = loop.plant`: in every step that would be a copy of the whole plant.
    if !loop.plant.batteryVoltage.isFinite || !loop.plant.systemVoltage.isFinite || !loop.plant.current.isFinite {
      report(.plant, "a voltage or current is no number")
    }
    if !hadCoil, abs(loop.plant.current) > 1e-6, !isAnyClosed(loop), !loop.plant.precharge.isOn {
      report(.plant, "\(loop.plant.current) A through an open contactor")
    }
    // What obeys is off at once: the commands of the last step are those that the plant had in this one.
    sourcesOffFor = commands.allowsCharge ? .zero : sourcesOffFor + elapsed
    guard sourcesOffFor > elapsed else { return }
    for index in loop.plant.chargers.indices where loop.plant.chargers[index].current > 1e-6 {
      guard loop.plant.chargers[index].obeys else { continue }
      report(.plant, "a charger gives \(number(loop.plant.chargers[index].current)) A with ATC open")
    }
  }

  private func isAnyClosed(_ loop: ClosedLoop) -> Bool {
    for index in loop.plant.contactors.indices where loop.plant.contactors[index].isClosed { return true }
    return false
  }

  private func isWelded(_ loop: ClosedLoop) -> Bool {
    loop.plant.contactors.contains { $0.faults.contains(.welded) }
  }

  private func isFeedbackHonest(_ loop: ClosedLoop) -> Bool {
    !loop.plant.contactors.contains { contactor in
      contactor.faults.contains { fault in
        switch fault {
        case .feedbackStuck, .feedbackInverted: true
        case .welded, .stuckOpen, .highResistance: false
        }
      }
    }
  }

  private func isVoltageFaulty(_ loop: ClosedLoop) -> Bool {
    let plant = loop.plant
    return plant.batterySensor.fault != .none || plant.systemSensor.fault != .none || plant.batterySensor.offset != 0
      || plant.systemSensor.offset != 0 || plant.faults.contains(.busSilent) || isWelded(loop)
  }

  private func number(_ value: Double?) -> String { value.map { decimal($0, places: 3) } ?? "unknown" }
  private func volts(_ value: Double?) -> String { value.map { "\(decimal($0, places: 3)) V" } ?? "unknown" }
}
