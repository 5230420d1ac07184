import MonotonicTime
import Testing

@testable import BMSCore

/// A BMS with a contactor, pre-charge resistor, load capacitors and a load. The contacts move 60 ms after the command.
struct ContactorBench {
  var rig: Rig
  var farads = 0.05
  var load = 1000.0
  var resistance = 1.0
  var system = 0.0
  var isWelded = false
  var isStuck = false
  var isSecondStuck = false
  var contact = false
  var second = false
  var hasFeedback = true
  var hasSystemVoltage = true
  /// The module hears no command.
  var isOffline = false
  /// The feedback says this, wherever the contact is.
  var told: Bool?
  var hot = false
  var hearsThermalSwitch = true
  /// Volts across the closed contactor.
  var drop = 0.0
  /// A charger on the system side.
  var charger: Double?
  private var moving = TimeSpan.zero
  /// Set when a contactor was commanded with less than 95 % on the system side, which must never happen.
  var wasClosedEarly = false

  init(_ settings: Settings = Settings(), contactors: Wiring.Contactors = .one, soc: Double = 90) {
    var snapshot = Snapshot()
    snapshot.isStateOfChargeKnown = true
    snapshot.isStateOfChargeTrusted = true
    snapshot.missing = settings[.batteryCapacity] * (1 - soc / 100)
    snapshot.consumed = -snapshot.missing
    snapshot.secondsSinceFullCharge = 0
    rig = Rig(settings, wiring: Wiring(contactors: contactors), restoring: snapshot)
    rig.period = .milliseconds(20)
  }

  @discardableResult
  mutating func step(_ span: TimeSpan? = nil) -> Outputs {
    rig.system = hasSystemVoltage ? system : nil
    let next = rig.now + (span ?? rig.period)
    if hasFeedback {
      rig.inputs.contactorFeedback = ContactFeedback(isClosed: told ?? contact, at: next)
      if rig.bms.wiring.contactors == .two {
        rig.inputs.secondContactorFeedback = ContactFeedback(isClosed: second, at: next)
      }
    }
    if hearsThermalSwitch { rig.inputs.thermalSwitch = ContactFeedback(isClosed: !hot, at: next) }
    let wasCommanded = rig.out.contactorCommand
    let out = rig.step(after: span)
    if out.contactorCommand, !wasCommanded, system < 0.95 * (rig.voltage ?? 0) - 1e-6 { wasClosedEarly = true }
    move(out, (span ?? rig.period))
    return out
  }

  private mutating func move(_ out: Outputs, _ span: TimeSpan) {
    let command = out.left.contains(.contactor) || isOffline ? contact : out.contactorCommand
    moving = command == contact ? .zero : moving + span
    if moving >= .milliseconds(60) {
      contact = isStuck ? false : isWelded ? true : command
      second = isSecondStuck ? false : command
    }
    let battery = rig.voltage ?? 0
    if contact {
      system = battery - drop
      return
    }
    let seconds = span.seconds / 20
    for _ in 0..<20 {
      let into = out.prechargeCommand ? (battery - system) / resistance : 0
      system = max(system + (into - system / load) / farads * seconds, 0)
    }
    if let charger { system = max(system, charger) }
  }

  @discardableResult
  mutating func run(_ span: TimeSpan, until met: (Outputs) -> Bool = { _ in false }) -> Bool {
    let end = rig.now + span
    while rig.now < end {
      step()
      if met(rig.out) { return true }
    }
    return false
  }

  static func closed(_ settings: Settings = Settings(), contactors: Wiring.Contactors = .one) -> ContactorBench {
    var bench = ContactorBench(settings, contactors: contactors)
    bench.run(.seconds(5)) { $0.state == .running }
    bench.step()
    return bench
  }

  /// A charger that obeys nobody opened it twice, and still stands there: held open for it, with cells that are full no more.
  static func heldForCharge() -> ContactorBench {
    var bench = closed()
    bench.rig.period = .milliseconds(100)
    bench.charger = 14.4
    for _ in 0..<2 {
      #expect(bench.run(.minutes(2)) { $0.state == .running } == true)
      bench.rig.cells(3.3, 3.76)
      bench.rig.current = 20
      #expect(bench.run(.minutes(2)) { !$0.contactorCommand } == true)
      bench.rig.current = 0
      bench.rig.cells(3.3, 3.4)
    }
    bench.run(.minutes(10))
    #expect(bench.rig.bms.heldOpen == .charge)
    return bench
  }

  var out: Outputs { rig.out }
}

@Suite("Contactor and pre-charge, area D")
struct ContactorTests {
  @Test("R20, R21, R62, R63, R65: contactor check 17, pre-charge 16, closing 15, running 9, in this order")
  func order() {
    var bench = ContactorBench()
    var states: [State] = []
    bench.run(.seconds(3)) {
      if states.last != $0.state { states.append($0.state) }
      return $0.state == .running
    }
    #expect(states == [.contactorCheck, .precharging, .goingToRun, .running])
    #expect(bench.rig.now - (.origin + .seconds(1000)) < .seconds(2))
    #expect(!bench.wasClosedEarly)
    #expect(bench.out.contactorClosed == true && !bench.out.prechargeCommand)
    #expect(bench.out.chargeAllowed && bench.out.dischargeAllowed && bench.out.limits.isAvailable)
  }

  @Test("OD-21: the self-test looks at the contacts for 200 ms; feedback 5 s old is none (OD-20)")
  func selfTestTime() {
    var bench = ContactorBench()
    bench.run(.seconds(1)) { $0.state == .contactorCheck }
    let began = bench.rig.now
    bench.run(.seconds(1)) { $0.prechargeCommand }
    #expect(bench.rig.now - began == .milliseconds(200))
    let report = ContactFeedback(isClosed: true, at: .origin)
    let old = Instant.origin + .seconds(5)
    #expect(Feedback(report, at: old - .milliseconds(1), within: .seconds(5)).state == .closed)
    #expect(Feedback(report, at: old, within: .seconds(5)).state == .unknown)
    #expect(Feedback(.unassigned, at: old, within: .seconds(5)).state == .unassigned)
    #expect(Feedback(.waiting, at: old, within: .seconds(5)).state == .unknown)
  }

  @Test("R151: until the contactor is closed nothing is allowed and no limit exists")
  func nothingBefore() {
    var bench = ContactorBench()
    bench.run(.seconds(3)) { out in
      guard out.state != .running else { return true }
      #expect(!out.chargeAllowed && !out.dischargeAllowed)
      #expect(!out.limits.isAvailable && out.limits.chargeVoltage == nil)
      return false
    }
    #expect(bench.out.state == .running)
    #expect(bench.out.alarms.isEmpty)
  }

  @Test("A supervisor has nothing to command and runs at once")
  func supervisor() {
    let rig = Rig.resting()
    #expect(rig.out.state == .running && rig.out.chargeAllowed)
    #expect(!rig.out.contactorCommand && !rig.out.prechargeCommand)
  }

  @Test("R9, R69, OD-18: with 1 Ohm a load of 20 Ohm pre-charges, one of 18 Ohm is E-B35 and never closes")
  func parallelLoad() {
    #expect(Precharge().smallestLoad < 20 && Precharge().smallestLoad > 18)
    var bench = ContactorBench()
    bench.load = 20
    #expect(bench.run(.seconds(6)) { $0.state == .running } == true)
    #expect(!bench.wasClosedEarly)
    bench = ContactorBench()
    bench.load = 18
    let closed = bench.run(.seconds(6)) { $0.contactorCommand }
    #expect(!closed)
    #expect(bench.out.contactorFault == .prechargeTimeout)
    #expect(bench.out.alarms == [.prechargeTimeout])
    #expect(Alarm.prechargeTimeout.definition.ledBlinks == 5)
  }

  @Test("R66, OD-18: the timeout is 5 s, and there are three tries 30 s apart; a restart begins anew")
  func tries() throws {
    var bench = ContactorBench()
    bench.load = 18
    var begins: [Instant] = []
    var ends: [Instant] = []
    var was = false
    bench.run(.minutes(5)) {
      if $0.prechargeCommand, !was { begins.append($0.nextDeadline) }
      if !$0.prechargeCommand, was { ends.append($0.nextDeadline) }
      was = $0.prechargeCommand
      return false
    }
    #expect(begins.count == 3 && ends.count == 3)
    for (begin, end) in zip(begins, ends) { #expect(end - begin == .seconds(5)) }
    for (first, next) in zip(begins, begins.dropFirst()) { #expect(next - first == .seconds(30)) }
    #expect(bench.out.state == .error && bench.out.contactorPhase == .failed)
    #expect(bench.out.chargeReason.rule == .contactorFault)
    bench.load = 1000
    try bench.rig.bms.perform(.requestMode(.off, by: .app))
    bench.step()
    try bench.rig.bms.perform(.requestMode(.on, by: .app))
    let runs = bench.run(.seconds(40)) { $0.state == .running }
    #expect(runs && bench.out.alarms.isEmpty)
  }

  @Test("R67, R68: a short is E-B25 after 0.1 s, and the contactor is never commanded")
  func short() {
    var bench = ContactorBench()
    bench.load = 0.01
    bench.run(.seconds(2)) { $0.prechargeCommand }
    let began = bench.rig.now
    let ended = bench.run(.seconds(1)) { $0.contactorFault == .prechargeOverload }
    #expect(ended && bench.rig.now - began == .milliseconds(100))
    let closed = bench.run(.minutes(3)) { $0.contactorCommand }
    #expect(!closed && bench.out.contactorPhase == .failed)
    #expect(bench.out.alarms == [.prechargeOverload])
  }

  @Test("R67: capacitors that take more than the resistor may are E-B25, not a timeout")
  func energy() {
    var bench = ContactorBench()
    bench.farads = 10
    let ended = bench.run(.seconds(6)) { $0.contactorFault != nil }
    #expect(ended && bench.out.contactorFault == .prechargeOverload)
  }

  @Test("R78: without a system voltage the self-test ends in E-B11 after 5 s")
  func selfTest() {
    var bench = ContactorBench()
    bench.run(.seconds(1)) { $0.state == .contactorCheck }
    bench = ContactorBench()
    bench.system = .nan
    for _ in 0..<240 { bench.rig.step() }
    #expect(bench.out.contactorFault == nil)
    for _ in 0..<20 { bench.rig.step() }
    #expect(bench.out.contactorFault == .selfTest)
    #expect(bench.out.alarms.contains(.hardware))
  }

  @Test(
    "R20, R78, R245: what was never heard fails no self-test: it waits, says so, and starts when all modules are up",
    arguments: [WiredRole.contactorFeedback, .secondContactorFeedback, .precharge, .systemVoltage])
  func neverHeard(role: WiredRole) {
    var bench = ContactorBench(contactors: .two)
    bench.hasFeedback = false
    bench.rig.inputs.contactorFeedback = ContactFeedback(isClosed: false, at: bench.rig.now)
    bench.rig.inputs.secondContactorFeedback = ContactFeedback(isClosed: false, at: bench.rig.now)
    switch role {
    case .contactorFeedback: bench.rig.inputs.contactorFeedback = .waiting
    case .secondContactorFeedback: bench.rig.inputs.secondContactorFeedback = .waiting
    case .precharge: bench.rig.inputs.prechargeFeedback = .waiting
    default:
      bench.rig.inputs.systemVoltage = .waiting
      bench.hasSystemVoltage = false
    }
    #expect(bench.run(.minutes(1)) { $0.contactorFault != nil || $0.prechargeCommand } == false)
    #expect(bench.out.state == .waiting && bench.out.alarms.contains(.hardware) == false)
    let reason = bench.rig.bms.explanation(of: .contactor).reason
    #expect(reason.rule == .waitingForData && reason.input == .contactor && reason.fault == .neverSeen)
    bench.hasFeedback = true
    bench.hasSystemVoltage = true
    bench.rig.inputs.prechargeFeedback = .unassigned
    #expect(bench.run(.seconds(5)) { $0.state == .running } == true)
  }

  @Test("R151: why there is no CVL: the contactor starts, or the mode is not On")
  func noChargeVoltage() throws {
    var bench = ContactorBench()
    #expect(bench.run(.seconds(5)) { $0.prechargeCommand } == true)
    #expect(bench.out.limits.chargeVoltage == nil && bench.out.chargeVoltageReason.rule == .contactorStarts)
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.step()
    #expect(bench.out.limits.chargeVoltage == nil && bench.out.chargeVoltageReason.rule == .standby)
  }

  @Test(
    "OD-20: a closed contactor that is not heard for 5 s forbids both, of two the second too; after 60 s it opens",
    arguments: [Wiring.Contactors.one, .two])
  func unheardWhileClosed(contactors: Wiring.Contactors) {
    var bench = ContactorBench.closed(contactors: contactors)
    let heard = bench.rig.inputs.contactorFeedback.taken
    bench.hasFeedback = false
    func wait(_ seconds: Double, _ look: (Outputs) -> Void = { _ in }) {
      while bench.rig.now - heard < TimeSpan(seconds: seconds) {
        // Of two the first goes on saying what it says.
        if contactors == .two {
          bench.rig.inputs.contactorFeedback = ContactFeedback(isClosed: true, at: bench.rig.now)
        }
        look(bench.step())
      }
    }
    wait(4.9) { #expect($0.chargeAllowed && $0.dischargeAllowed && $0.limits.chargeCurrent > 0) }
    wait(5)
    #expect(bench.out.chargeBlocks == .contactor && bench.out.dischargeBlocks == .contactor)
    #expect(bench.out.limits.chargeCurrent == 0 && bench.out.limits.dischargeCurrent == 0)
    #expect(bench.out.chargeReason.rule == .feedbackLost && bench.out.dischargeReason.rule == .feedbackLost)
    #expect(bench.out.alarms.contains(.feedbackLost) && bench.out.contactorCommand)
    var back = bench
    back.hasFeedback = true
    back.step()
    #expect(back.out.chargeAllowed && back.out.dischargeAllowed, "heard again")
    wait(59.9) { #expect($0.contactorPhase == .closed && $0.dischargeBlocks.isSubset(of: .contactor)) }
    wait(60)
    #expect(bench.out.contactorPhase == .lead && bench.out.contactorCommand)
    wait(62.1)
    #expect(!bench.out.contactorCommand && !bench.contact)
  }

  @Test("R73, R76: a closed contactor that is told to be open is E-B26 and opens 2 s after ATC: its wire may be broken")
  func toldOpen() {
    var bench = ContactorBench.closed()
    bench.rig.current = 30
    bench.told = false
    let began = bench.rig.now
    #expect(bench.run(.seconds(1)) { $0.alarms.contains(.contactorError) } == true)
    #expect(bench.out.chargeBlocks == .contactor && bench.out.contactorCommand && bench.out.limits.chargeCurrent == 0)
    // It may come back within the lead, and is not believed any more.
    let raised = bench.rig.now
    #expect(raised - began <= .milliseconds(340))
    bench.run(.seconds(1))
    bench.told = nil
    #expect(bench.run(.seconds(9)) { !$0.contactorCommand } == true)
    #expect(bench.rig.now - raised == .seconds(2) && !bench.out.dischargeAllowed)
    bench.run(.seconds(5))
    #expect(bench.out.contactorFault == .stuckOpen && bench.out.contactorPhase == .failed && !bench.contact)
  }

  @Test("R122: charge through an open contactor is error 36 in Standby, too, and ends when the current does")
  func chargeThroughOpen() throws {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.isWelded = true
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.rig.current = 1
    bench.run(.minutes(1))
    #expect(!bench.out.alarms.contains(.contactFailure) && !bench.out.contactorCommand)
    bench.rig.current = 1.01
    #expect(bench.run(.seconds(11)) { $0.alarms.contains(.contactFailure) } == true)
    #expect(!bench.run(.minutes(5)) { !$0.alarms.contains(.contactFailure) })
    // Loads may be wired to the battery itself: a bilge pump.
    bench.rig.current = -5
    #expect(bench.run(.seconds(11)) { !$0.alarms.contains(.contactFailure) } == true)
    #expect(!bench.run(.minutes(1)) { $0.alarms.contains(.contactFailure) })
  }

  @Test("R123: what a charger pushes through pre-charge and closing contacts is no error 36")
  func chargeThroughPrecharge() {
    var bench = ContactorBench()
    bench.rig.lowest = nil
    bench.run(.seconds(15))
    bench.rig.lowest = 3.3
    bench.charger = 13.8
    #expect(bench.run(.seconds(5)) { $0.prechargeCommand })
    bench.rig.current = 1.8
    #expect(!bench.run(.seconds(5)) { $0.alarms.contains(.contactFailure) })
    #expect(bench.out.state == .running)
  }

  @Test("R73: a contactor that is welded from the start is E-B26 before any pre-charge")
  func weldedAtStart() {
    var bench = ContactorBench()
    bench.isWelded = true
    bench.contact = true
    let commanded = bench.run(.minutes(2)) { $0.prechargeCommand || $0.contactorCommand }
    #expect(!commanded)
    #expect(bench.out.contactorFault == .welded && bench.out.alarms.contains(.contactorError))
  }

  @Test("R24: after a crash with the contact still closed the first command opens it, and that is no weld")
  func closedAtStart() {
    var bench = ContactorBench()
    bench.contact = true
    bench.system = 13.2
    let runs = bench.run(.seconds(4)) { $0.state == .running || $0.contactorFault != nil }
    #expect(runs && bench.out.contactorFault == nil && bench.out.contactorClosed == true)
  }

  @Test("With feedback the contactor counts as closed as soon as it says so, before 200 ms")
  func closesByFeedback() {
    var bench = ContactorBench()
    bench.run(.seconds(3)) { $0.state == .goingToRun }
    let began = bench.rig.now
    bench.run(.seconds(1)) { $0.state == .running }
    #expect(bench.rig.now - began < .milliseconds(200))
  }

  @Test("R73, OD-21: one that welds while closed is found 200 ms after it should open, and never closed again")
  func welds() throws {
    var bench = ContactorBench.closed()
    bench.isWelded = true
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.run(.seconds(3)) { !$0.contactorCommand }
    let began = bench.rig.now
    let found = bench.run(.seconds(3)) { $0.contactorFault == .welded }
    #expect(found && bench.rig.now - began <= .milliseconds(320))
    #expect(bench.out.contactorClosed == true, "the command is not the state")
    try bench.rig.bms.perform(.requestMode(.on, by: .app))
    let commanded = bench.run(.minutes(1)) { $0.prechargeCommand || $0.contactorCommand }
    #expect(!commanded && bench.out.contactorFault == .welded)
  }

  @Test("R73: a contactor that does not close is E-B26 and commanded open")
  func stuck() {
    var bench = ContactorBench()
    bench.isStuck = true
    let found = bench.run(.seconds(4)) { $0.contactorFault == .stuckOpen }
    #expect(found && !bench.out.contactorCommand && !bench.out.prechargeCommand)
    #expect(!bench.out.chargeAllowed)
  }

  @Test("R73: one that drops out while running forbids both within 0.4 s")
  func dropsOut() {
    var bench = ContactorBench.closed()
    bench.isStuck = true
    bench.contact = false
    let found = bench.run(.milliseconds(400)) { $0.contactorFault == .stuckOpen }
    #expect(found && !bench.out.chargeAllowed && !bench.out.dischargeAllowed)
    #expect(bench.out.protectiveChange)
  }

  @Test("R77: with two contactors both must follow")
  func two() {
    var bench = ContactorBench.closed(contactors: .two)
    #expect(bench.out.state == .running)
    bench = ContactorBench(contactors: .two)
    bench.isSecondStuck = true
    let found = bench.run(.seconds(4)) { $0.contactorFault == .stuckOpen }
    #expect(found && !bench.out.contactorCommand)
  }

  @Test("Without feedback the two voltages must agree; opening is not seen")
  func withoutFeedback() throws {
    var bench = ContactorBench()
    bench.hasFeedback = false
    #expect(bench.run(.seconds(3)) { $0.state == .running } == true)
    #expect(bench.out.contactorClosed == nil)
    bench = ContactorBench()
    bench.hasFeedback = false
    bench.drop = 0.6
    #expect(bench.run(.seconds(5)) { $0.contactorFault == .stuckOpen } == true)
  }

  @Test("R76: Standby opens ATC and ATD at once and the contactor 2 s later, not sooner")
  func lead() throws {
    var bench = ContactorBench.closed()
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.step()
    let began = bench.rig.now
    #expect(!bench.out.chargeAllowed && bench.out.contactorCommand)
    bench.run(.seconds(5)) { !$0.contactorCommand }
    #expect(bench.rig.now - began == .seconds(2))
    bench.run(.seconds(1))
    #expect(bench.out.state == .standby && bench.out.contactorClosed == false)
    try bench.rig.bms.perform(.requestMode(.on, by: .gx))
    #expect(bench.run(.seconds(5)) { $0.state == .running } == true, "R65: from Standby through pre-charge")
    #expect(!bench.wasClosedEarly)
  }

  @Test("Opening waits for less than a tenth of the rating, at most 3 s longer")
  func lowCurrent() throws {
    for (current, span) in [(-50.0, TimeSpan.seconds(2)), (-51, .seconds(5))] {
      var bench = ContactorBench.closed()
      bench.rig.current = current
      try bench.rig.bms.perform(.requestMode(.standby, by: .app))
      bench.step()
      let began = bench.rig.now
      bench.run(.seconds(10)) { !$0.contactorCommand }
      #expect(bench.rig.now - began == span, "\(current) A")
    }
  }

  @Test("R72, R76, R203: at 130 °C charging stops at once, the contactor opens 2 s later, and closes again when cool")
  func thermalSwitch() {
    var bench = ContactorBench.closed()
    bench.hot = true
    bench.step()
    #expect(bench.out.alarms.contains(.busbarHot))
    #expect(!bench.out.chargeAllowed && bench.out.dischargeAllowed)
    #expect(bench.out.chargeReason.rule == .busbarHot)
    let began = bench.rig.now
    bench.run(.seconds(5)) { !$0.contactorCommand }
    #expect(bench.rig.now - began == .seconds(2))
    #expect(!bench.out.dischargeAllowed)
    bench.run(.minutes(1))
    #expect(bench.out.contactorClosed == false)
    bench.hot = false
    #expect(bench.run(.seconds(40)) { $0.state == .running } == true)
  }

  @Test("R72: a busbar that was hot and whose switch falls silent is not known to be cool: open until it is heard")
  func thermalSwitchSilent() {
    var bench = ContactorBench.closed()
    bench.hot = true
    bench.run(.seconds(3))
    #expect(!bench.contact)
    bench.hearsThermalSwitch = false
    #expect(bench.run(.minutes(5)) { $0.contactorCommand || $0.chargeAllowed } == false)
    #expect(bench.out.alarms.contains(.busbarHot) && bench.out.alarms.contains(.feedbackLost))
    (bench.hearsThermalSwitch, bench.hot) = (true, false)
    #expect(bench.run(.seconds(40)) { $0.state == .running } == true)
    bench.hearsThermalSwitch = false
    #expect(bench.staysClosed(.seconds(30)) == true, "one that was cool is only warned of")
    #expect(bench.out.alarms == [.feedbackLost])
  }

  @Test("R72: each thermal switch remembers for itself: one that is cool again is not hot for the silence of the other")
  func thermalSwitchesApart() {
    var rig = Rig.resting()
    rig.inputs.secondThermalSwitch = .waiting
    rig.inputs.thermalSwitch = ContactFeedback(isClosed: false, at: rig.now)
    #expect(rig.step().alarms.contains(.busbarHot))
    rig.inputs.thermalSwitch = ContactFeedback(isClosed: true, at: rig.now)
    #expect(!rig.step().alarms.contains(.busbarHot) && rig.out.chargeAllowed)
  }

  @Test("R74: a charger is let in once: beside a load that obeys nobody it would close and open for ever")
  func chargerLetInOnce() {
    var bench = ContactorBench.closed()
    bench.rig.cells(2.45, 2.5)
    bench.rig.voltage = 9.9
    bench.charger = 13.8
    var closings = 0
    var wasClosed = bench.contact
    func run(_ span: TimeSpan) {
      let began = bench.rig.now
      while bench.rig.now - began < span {
        bench.rig.current = bench.contact ? -20 : 0
        bench.step()
        if bench.contact, !wasClosed { closings += 1 }
        wasClosed = bench.contact
      }
    }
    run(.minutes(4))
    #expect(closings == 1)
    run(.minutes(6))
    // R52: it goes Off, and each day a charger that wakes it has a try, be it the same or another.
    #expect(bench.run(.minutes(2)) { $0.mode == .off } == true)
    bench.rig.period = .seconds(1)
    run(.hours(23))
    #expect(closings == 2 && !bench.contact)
    bench.rig.period = .milliseconds(200)
    run(.hours(2))
    #expect(closings == 3 && !bench.contact)
    for _ in 0..<12 {
      (bench.charger, bench.system) = (nil, 0)
      run(.seconds(40))
      bench.charger = 13.8
      run(.minutes(10))
    }
    #expect(closings == 3 && !bench.contact && bench.rig.bms.heldOpen == .discharge)
    bench.rig.cells(3.3, 3.3)
    bench.rig.voltage = 13.2
    bench.rig.current = 0
    #expect(bench.run(.minutes(1)) { $0.state == .running } == true)
  }

  @Test(
    "R74: a charger that was off for a while is another, in Off and while the contactor is held open",
    arguments: [true, false])
  func chargerThatWasOff(isOff: Bool) {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.cells(2.45, 2.5)
    bench.rig.voltage = 9.9
    bench.charger = 13.8
    func run(_ span: TimeSpan, load amperes: Double, until met: (Outputs) -> Bool = { _ in false }) -> Bool {
      let end = bench.rig.now + span
      while bench.rig.now < end {
        bench.rig.current = bench.contact ? amperes : 0
        if met(bench.step()) { return true }
      }
      return false
    }
    _ = run(.minutes(4), load: -20)
    #expect(bench.rig.bms.heldOpen == .discharge && !bench.contact)
    if isOff { #expect(run(.minutes(12), load: -20) { $0.mode == .off }) }
    (bench.charger, bench.system) = (nil, 0)
    _ = run(.seconds(40), load: 20)
    bench.charger = 13.8
    #expect(run(.minutes(10), load: 20) { $0.state == .running })
  }

  @Test("R48, R74: a remote that falls silent and is heard again has nothing tried anew")
  func remoteHeardAgain() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.remote = true
    bench.run(.seconds(5))
    bench.rig.cells(2.45, 2.5)
    bench.rig.voltage = 9.9
    var closings = 0
    for second in 0..<7200 {
      bench.rig.remote = second % 240 < 150 ? true : nil
      for _ in 0..<10 {
        let wasClosed = bench.contact
        bench.rig.current = wasClosed ? -20 : 0
        bench.step()
        if bench.contact, !wasClosed { closings += 1 }
      }
    }
    #expect(closings == 0)
  }

  @Test("R78: a supply that was bad and falls silent stays bad; one that was good and falls silent is warned of")
  func supplySilent() {
    var rig = Rig.resting()
    rig.inputs.internalSupply = ContactFeedback(isClosed: true, at: rig.now)
    rig.run(.seconds(6))
    #expect(rig.out.alarms == [.feedbackLost] && rig.out.chargeAllowed)
    rig.inputs.internalSupply = ContactFeedback(isClosed: false, at: rig.now)
    rig.run(.seconds(60))
    #expect(rig.out.alarms == [.supplyError, .feedbackLost, .loadDisconnected])
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
    rig.inputs.internalSupply = ContactFeedback(isClosed: true, at: rig.now)
    rig.step()
    #expect(rig.out.alarms.isEmpty && rig.out.chargeAllowed)
  }

  @Test("R45, R57, R59, R74: a charger within the five minutes is let in, though discharge holds the contactor open")
  func chargerAgainstSecondLine() {
    var bench = ContactorBench.closed()
    bench.rig.cells(2.55, 2.6)
    bench.rig.voltage = 10.3
    bench.rig.current = -20
    #expect(bench.run(.seconds(90)) { !$0.contactorCommand } == true)
    #expect(bench.rig.bms.heldOpen == .discharge)
    bench.rig.current = 0
    #expect(bench.run(.seconds(20)) { $0.contactorCommand } == false)
    bench.charger = 13.8
    #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
    #expect(bench.out.chargeAllowed, "\(bench.out.chargeReason)")
    #expect(!bench.out.dischargeAllowed && bench.rig.bms.heldOpen == nil)
  }

  @Test("R72: a supervisor that hears of a hot busbar forbids both directions")
  func thermalSwitchOfSupervisor() {
    var rig = Rig.resting()
    rig.inputs.secondThermalSwitch = ContactFeedback(isClosed: false, at: rig.now)
    rig.step()
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed && rig.out.alarms.contains(.busbarHot))
    rig.inputs.secondThermalSwitch = ContactFeedback(isClosed: true, at: rig.now)
    #expect(rig.step().chargeAllowed && rig.out.alarms.isEmpty)
  }

  @Test("R71, R236: 0.50 V across the contactor is silent, 0.501 V warns after 2 s and changes nothing")
  func drop() {
    var bench = ContactorBench.closed()
    bench.drop = 0.5
    bench.run(.seconds(10))
    #expect(bench.out.alarms.isEmpty)
    bench.drop = 0.501
    bench.run(.milliseconds(1_980))
    #expect(bench.out.alarms.isEmpty)
    bench.run(.milliseconds(100))
    #expect(bench.out.alarms == [.badContact] && bench.out.chargeAllowed)
    bench.drop = 0
    bench.run(.milliseconds(100))
    #expect(bench.out.alarms.isEmpty)
  }

  @Test("State 18: a member waits for its group and pre-charges only then")
  func pending() {
    var bench = ContactorBench()
    bench.rig.inputs.mayJoin = false
    let commanded = bench.run(.minutes(1)) { $0.prechargeCommand || $0.contactorCommand }
    #expect(!commanded && bench.out.state == .pending && bench.out.mode == .on)
    #expect(!bench.out.limits.isAvailable, "Z-7")
    bench.rig.inputs.mayJoin = true
    #expect(bench.run(.seconds(3)) { $0.state == .running } == true)
  }

  @Test("OD-20: lost cells open the contactor after 60 s and the 2 s lead, not sooner; it comes back by pre-charge")
  func dataLost() {
    var bench = ContactorBench.closed()
    let last = bench.rig.now
    (bench.rig.lowest, bench.rig.highest) = (nil, nil)
    bench.run(.minutes(2)) { !$0.contactorCommand }
    #expect(bench.rig.now - last == .seconds(62))
    bench.rig.cells(3.3, 3.3)
    #expect(bench.run(.seconds(5)) { $0.state == .running } == true)
    #expect(!bench.wasClosedEarly)
  }

  @Test(
    "R74, OD-12: discharge that ATD does not stop opens the contactor below 2.6 V 30 s after error 36, not at 2.6 V")
  func secondLineDischarge() {
    for (cell, opens) in [(2.59, true), (2.60, false)] {
      var bench = ContactorBench.closed()
      bench.rig.period = .milliseconds(100)
      bench.rig.cells(2.59, 3.3)
      bench.step()
      bench.rig.cells(cell, 3.3)
      bench.rig.current = -20
      bench.run(.milliseconds(10_200)) { $0.alarms.contains(.contactFailure) }
      #expect(bench.out.alarms.contains(.contactFailure))
      let began = bench.rig.now
      let opened = bench.run(.minutes(2)) { !$0.contactorCommand }
      #expect(opened == opens)
      if opened { #expect(bench.rig.now - began >= .seconds(32) && bench.rig.now - began < .milliseconds(32_300)) }
    }
  }

  @Test("R74, OD-12: pulses that pull the cell below 2.6 V open the contactor, though its voltage is told later")
  func secondLinePulses() {
    for (length, pause, lag) in [(1, 10, 0), (5, 50, 0), (5, 50, 7)] {
      var bench = ContactorBench.closed()
      bench.rig.period = .milliseconds(100)
      func draws(_ step: Int) -> Bool { step < 150 || step % pause < length }
      var steps = 0
      repeat {
        bench.rig.current = draws(steps) ? -20 : 0
        bench.rig.cells(draws(steps - lag) ? 2.55 : 2.62, 3.3)
        bench.step()
        steps += 1
      } while bench.out.contactorCommand && steps < 600
      #expect(bench.rig.bms.heldOpen == .discharge, "\(length) of \(pause), \(lag) later")
    }
  }

  @Test("R74: charge that ATC does not stop opens the contactor while a cell is at 3.75 V, not at 3.74 V")
  func secondLineCharge() {
    for (cell, opens) in [(3.75, true), (3.74, false)] {
      var bench = ContactorBench.closed()
      bench.rig.period = .milliseconds(100)
      bench.rig.cells(3.3, 3.75)
      bench.rig.current = 20
      bench.step()
      bench.rig.cells(3.3, cell)
      let opened = bench.run(.minutes(2)) { !$0.contactorCommand }
      #expect(opened == opens)
    }
  }

  @Test("R74: an alternator that obeys nobody is given one more try, and then not before it has stood still for 30 s")
  func alternatorObeysNobody() throws {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.charger = 14.2
    var highest = 3.5
    var openings = 0
    /// A cell rises by 0.25 V in 30 s under 60 A, and falls by 0.2 V in 60 s without.
    func run(_ span: TimeSpan) {
      let end = bench.rig.now + span
      while bench.rig.now < end {
        let was = bench.contact
        highest = min(max(highest + (was ? 0.025 / 30 : -0.02 / 60), 3.4), 3.8)
        bench.rig.cells(3.4, highest)
        bench.rig.voltage = 3 * 3.4 + highest
        bench.rig.current = was && bench.charger != nil ? 60 : 0
        bench.step()
        if was, !bench.contact { openings += 1 }
      }
    }
    run(.hours(2))
    #expect(openings == 2 && !bench.contact && highest == 3.4)
    #expect(bench.rig.bms.heldOpen == .charge)
    (bench.charger, bench.system) = (nil, 0)
    run(.seconds(29))
    #expect(bench.rig.bms.heldOpen == .charge)
    run(.seconds(6))
    #expect(bench.contact && bench.rig.bms.heldOpen == nil)
    // Somebody who switches it on again has it tried anew.
    bench.charger = 14.2
    run(.hours(1))
    #expect(openings == 4 && !bench.contact)
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.step()
    try bench.rig.bms.perform(.requestMode(.on, by: .app))
    run(.seconds(5))
    #expect(bench.contact)
  }

  @Test("R74: an alternator whose voltage dies with the contactor has not stood still: one more try, then one an hour")
  func alternatorDiesWithTheContactor() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    var highest = 3.5
    var openings: [Instant] = []
    for _ in 0..<(36_000 * 4) {
      let was = bench.contact
      bench.charger = was ? 14.2 : nil
      highest = min(max(highest + (was ? 0.025 / 30 : -0.02 / 60), 3.4), 3.8)
      bench.rig.cells(3.4, highest)
      bench.rig.voltage = 3 * 3.4 + highest
      bench.rig.current = was ? 60 : 0
      bench.step()
      if was, !bench.contact { openings.append(bench.rig.now) }
    }
    // Two and two at first; then a pair for an hour.
    #expect(openings.count >= 6 && openings.count <= 10, "\(openings.count)")
    for index in openings.indices.dropFirst(4) where index.isMultiple(of: 2) {
      #expect(openings[index] - openings[index - 1] >= .hours(1))
    }
  }

  @Test("R74: a load that obeys nobody, while the cell is up as soon as it is gone: one more try, then one an hour")
  func loadObeysNobody() throws {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    var openings: [Instant] = []
    func run(_ span: TimeSpan) {
      let end = bench.rig.now + span
      while bench.rig.now < end {
        let was = bench.contact
        // Each report is another, or the cells would be stuck.
        let noise = Double((bench.rig.now - .origin).nanoseconds / 1_000_000_000 % 7) / 1000
        bench.rig.cells(was ? 2.5 + noise : 3.25 + noise, 3.3 + noise)
        bench.rig.voltage = (was ? 2.5 : 3.25) + 9.9 + noise
        bench.rig.current = was ? -100 - noise : 0
        bench.step()
        if was, !bench.contact { openings.append(bench.rig.now) }
      }
    }
    run(.hours(3))
    #expect(openings.count == 4, "\(openings.count)")
    for index in 2..<openings.count { #expect(openings[index] - openings[index - 1] >= .hours(1)) }
    // A charger that stands there lets it in no more often.
    bench.charger = 13.8
    run(.hours(3))
    #expect(openings.count <= 11, "\(openings.count)")
    // Somebody who switches it on again has it tried anew.
    let before = openings.count
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    run(.seconds(5))
    try bench.rig.bms.perform(.requestMode(.on, by: .app))
    run(.minutes(2))
    #expect(openings.count > before)
  }

  @Test("R74: a load that has not come back for an hour has its two tries again; after 59 minutes it has not")
  func loadForgiven() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.cells(2.5, 3.3)
    bench.rig.current = -100
    #expect(bench.run(.minutes(3)) { $0.contactorPhase == .open } == true)
    bench.rig.current = 0
    bench.rig.cells(3.25, 3.3)
    #expect(bench.run(.minutes(2)) { $0.state == .running } == true)
    bench.run(.minutes(59))
    #expect(!bench.rig.bms.secondLine.isAtRest)
    bench.run(.minutes(2))
    #expect(bench.rig.bms.secondLine.isAtRest)
  }

  /// A bank out of balance: one cell empty, or the state of charge at the floor, and one full.
  @Test(
    "R74, R104: while a cell is high a charger that obeys nobody is not let in by waking the battery",
    arguments: [true, false])
  func wakesOntoAHighCell(isCellEmpty: Bool) throws {
    var bench = ContactorBench.closed(try settings((.dischargeFloor, 10)))
    bench.rig.period = .milliseconds(100)
    bench.charger = 14.4
    if !isCellEmpty { try bench.rig.bms.perform(.setStateOfCharge(5)) }
    var highest = 3.7
    var (openings, closings) = (0, 0)
    for count in 0..<(600 * 15) {
      let was = bench.contact
      // Charged it rises, at rest it falls, and stays above the 3.6 V of R105.
      highest = was ? min(highest + 0.0005, 4.2) : max(highest - 0.0005, 3.65)
      let noise = Double(count / 10 % 7) / 1000
      bench.rig.cells((isCellEmpty ? 2.62 : 3.3) + noise, highest + noise)
      bench.rig.voltage = 3 * (isCellEmpty ? 2.62 : 3.3) + highest + noise
      bench.rig.current = was ? 60 + noise : 0
      bench.step()
      if was, !bench.contact { openings += 1 }
      if bench.contact, !was { closings += 1 }
    }
    #expect((openings, closings) == (1, 0))
    #expect(bench.out.alarms.contains(.highCell))
  }

  /// An alternator that obeys nobody opened the contactor, and was given its second try.
  private func benchAfterOneTry() -> ContactorBench {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.cells(3.3, 3.75)
    bench.rig.current = 20
    #expect(bench.run(.minutes(2)) { $0.contactorPhase == .open } == true)
    bench.rig.current = 0
    bench.rig.cells(3.3, 3.5)
    #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
    return bench
  }

  @Test(
    "R74: after ten minutes in which ATC was open and all obeyed, the next charger has its own try; 599 s are too few")
  func triedAndForgiven() {
    var bench = benchAfterOneTry()
    bench.run(.hours(1))
    #expect(!bench.rig.bms.secondLine.isAtRest, "nobody had to obey")
    bench.rig.temperature = 0
    #expect(bench.step().chargeAllowed == false)
    bench.run(.seconds(599))
    #expect(!bench.rig.bms.secondLine.isAtRest)
    bench.run(.seconds(2))
    #expect(bench.rig.bms.secondLine.isAtRest)
  }

  @Test("R74: time with an open contactor, or without a current, forgives no alternator", arguments: [true, false])
  func notForgivenUnseen(isOpen: Bool) {
    var bench = benchAfterOneTry()
    if isOpen { (bench.rig.lowest, bench.rig.highest) = (nil, nil) } else { bench.rig.current = nil }
    bench.run(.minutes(12))
    #expect(!bench.contact && !bench.rig.bms.secondLine.isAtRest)
  }

  @Test(
    "R73: a module that was off the bus when it was commanded, and reports once more before it obeys, is not welded",
    arguments: [5.0, 1.0])
  func commandedWhileOffTheBus(stale: Double) throws {
    var bench = ContactorBench.closed(try settings((.cellStale, stale), (.cellLate, min(stale, 2))))
    bench.rig.period = .milliseconds(100)
    (bench.hasFeedback, bench.isOffline) = (false, true)
    bench.run(.seconds(3))
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.run(.seconds(5))
    bench.hasFeedback = true
    bench.step()
    (bench.hasFeedback, bench.isOffline) = (false, false)
    bench.run(.milliseconds(900))
    bench.hasFeedback = true
    bench.run(.seconds(5))
    #expect(bench.out.contactorFault == nil && !bench.contact)
  }

  /// A module that reports seldom, and a little before the step; another that does so in between.
  @Test(
    "R73: a welded contact is found whatever the rhythm of its module", arguments: [1, 2, 3, 5], [0, 10] as [Int64])
  func weldedBehindAnyRhythm(period: Int64, late: Int64) throws {
    for contacts in [Wiring.Contactors.one, .two] {
      var bench = ContactorBench.closed(contactors: contacts)
      bench.rig.period = .milliseconds(100)
      (bench.hasFeedback, bench.isWelded) = (false, true)
      var count = 0
      func tick() -> Bool {
        let taken = bench.rig.now + bench.rig.period - .milliseconds(late)
        let report = ContactFeedback(isClosed: bench.contact, at: taken)
        if count % Int(period * 10) == 0 { bench.rig.inputs.contactorFeedback = report }
        if contacts == .two, count % Int(period * 10) == 5 { bench.rig.inputs.secondContactorFeedback = report }
        count += 1
        return bench.step().contactorFault == .welded
      }
      for _ in 0..<200 { #expect(!tick()) }
      #expect(bench.out.state == .running)
      try bench.rig.bms.perform(.requestMode(.standby, by: .app))
      #expect((0..<200).contains { _ in tick() }, "each \(period) s, \(contacts)")
    }
  }

  @Test("R77: a module that falls silent while the group or the resistor is waited for is waited for too")
  func silentInPending() {
    var bench = ContactorBench()
    bench.rig.period = .milliseconds(100)
    bench.rig.inputs.mayJoin = false
    bench.run(.seconds(5))
    #expect(bench.out.contactorPhase == .pending)
    bench.hasFeedback = false
    bench.isOffline = true
    bench.run(.minutes(1))
    bench.rig.inputs.mayJoin = true
    bench.run(.minutes(1))
    #expect(bench.out.contactorPhase == .open && bench.out.contactorFault == nil)
    bench.hasFeedback = true
    bench.isOffline = false
    #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
  }

  @Test(
    "R73, OD-20: a contactor that was opened for a silence of 62 s is not called welded, and closes when all is heard")
  func longSilence() {
    for isWholeBus in [false, true] {
      var bench = ContactorBench.closed()
      bench.rig.period = .milliseconds(100)
      bench.hasFeedback = false
      if isWholeBus {
        (bench.hasSystemVoltage, bench.hearsThermalSwitch) = (false, false)
        (bench.rig.voltage, bench.rig.current, bench.rig.lowest, bench.rig.highest) = (nil, nil, nil, nil)
      }
      #expect(bench.run(.seconds(70)) { !$0.contactorCommand } == true)
      bench.run(.minutes(5))
      #expect(bench.out.contactorFault == nil && bench.out.contactorPhase == .open && !bench.contact)
      (bench.hasFeedback, bench.hasSystemVoltage, bench.hearsThermalSwitch) = (true, true, true)
      (bench.rig.voltage, bench.rig.current, bench.rig.lowest, bench.rig.highest) = (13.2, 0, 3.3, 3.3)
      #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
    }
  }

  @Test("R73: a contactor that is welded after such a silence is E-B26 as soon as it is heard")
  func weldedInSilence() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    (bench.hasFeedback, bench.isWelded) = (false, true)
    #expect(bench.run(.seconds(70)) { $0.contactorPhase == .open } == true)
    bench.hasFeedback = true
    let began = bench.rig.now
    #expect(bench.run(.seconds(2)) { $0.contactorFault == .welded } == true)
    #expect(bench.rig.now - began == .milliseconds(300) && !bench.out.prechargeCommand)
  }

  @Test("R35: On before the last word of a module that has lost its power is old: it is waited for as well")
  func quickOffAndOn() throws {
    for wait in [1_000, 2_500, 3_000, 4_500, 6_000] as [Int64] {
      var bench = ContactorBench.closed()
      try bench.rig.bms.perform(.requestMode(.off, by: .app))
      bench.run(.milliseconds(100))
      bench.hasFeedback = false
      bench.run(.milliseconds(wait))
      try bench.rig.bms.perform(.requestMode(.on, by: .app))
      bench.run(.seconds(20))
      // Within the lead it is called back, and was never open.
      #expect(bench.out.contactorFault == nil && bench.out.contactorCommand == (wait < 2_000), "\(wait) ms")
      bench.hasFeedback = true
      #expect(bench.run(.seconds(10)) { $0.state == .running } == true, "\(wait) ms")
    }
  }

  @Test("R73: a module that is back on the bus closed is given 300 ms to open, as one at the start; then it is welded")
  func backOnTheBus() {
    for (milliseconds, isWelded) in [(Int64(100), false), (320, true)] {
      var bench = ContactorBench.closed()
      (bench.hasFeedback, bench.isOffline) = (false, true)
      bench.run(.seconds(75))
      #expect(bench.out.contactorPhase == .open && bench.contact)
      bench.hasFeedback = true
      bench.run(.milliseconds(milliseconds))
      bench.isOffline = false
      bench.run(.seconds(4))
      #expect((bench.out.contactorFault == .welded) == isWelded, "\(milliseconds) ms")
    }
  }

  @Test(
    "R73: a welded contact is found whatever the period of its module and the limit of its silence",
    arguments: [1, 2, 5.0])
  func weldedAndSeldomHeard(limit: Double) throws {
    for period in [1, 2, 4, 5] as [Int64] {
      var bench = ContactorBench.closed(try settings((.cellStale, limit), (.cellLate, min(limit, 2))))
      bench.rig.period = .milliseconds(100)
      bench.isWelded = true
      try bench.rig.bms.perform(.requestMode(.standby, by: .app))
      var next = bench.rig.now
      let isFound = (0..<1_200).contains { _ in
        bench.hasFeedback = bench.rig.now >= next
        if bench.hasFeedback { next = bench.rig.now + .seconds(period) }
        return bench.step().contactorFault == .welded
      }
      #expect(isFound, "each \(period) s")
    }
  }

  @Test(
    "R35, R46, R59: modules that AUX feeds boot after Off, and are waited for; one that tells of its fault is E-B11")
  func modulesBootAfterOff() throws {
    for isSystemVoltage in [true, false] {
      var bench = ContactorBench.closed()
      bench.rig.period = .milliseconds(100)
      try bench.rig.bms.perform(.requestMode(.off, by: .app))
      bench.run(.seconds(6))
      if isSystemVoltage { bench.hasSystemVoltage = false } else { bench.hasFeedback = false }
      bench.run(.seconds(60))
      try bench.rig.bms.perform(.requestMode(.on, by: .app))
      bench.run(.seconds(60))
      #expect(bench.out.contactorFault == nil && bench.out.state == .waiting && !bench.out.alarms.contains(.hardware))
      #expect(bench.out.chargeReason.rule == .waitingForData && bench.out.chargeReason.input == .contactor)
      (bench.hasFeedback, bench.hasSystemVoltage) = (true, true)
      #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
    }
    var bench = ContactorBench()
    bench.hasSystemVoltage = false
    bench.rig.inputs.systemVoltage.report(.sensorError)
    let began = bench.rig.now
    #expect(bench.run(.seconds(10)) { $0.contactorFault == .selfTest } == true)
    #expect(bench.rig.now - began <= .milliseconds(5_100) && bench.out.alarms.contains(.hardware))
  }

  @Test(
    "OD-20: cells whose number is set anew are lost until they report; the contactor waits 60 s for them, as for others"
  )
  func cellsCountedAnew() {
    for isAnswered in [true, false] {
      var bench = ContactorBench.closed()
      bench.rig.period = .milliseconds(100)
      (bench.rig.lowest, bench.rig.highest) = (nil, nil)
      bench.rig.inputs.cellExtremes = Extremes()
      bench.rig.inputs.cells = CellTable(expectedCount: 4)
      func report(_ cells: Int) {
        for cell in 1...cells {
          if let place = CellPlace(battery: 1, cell: cell) {
            bench.rig.inputs.cells.report(3.3, of: place, at: bench.rig.now)
          }
        }
        bench.step()
      }
      for _ in 0..<20 { report(4) }
      #expect(bench.out.chargeAllowed)
      bench.rig.inputs.cells = CellTable(expectedCount: 8)
      let began = bench.rig.now
      while bench.out.contactorCommand, bench.rig.now - began < .minutes(2) {
        report(isAnswered && bench.rig.now - began > .seconds(3) ? 8 : 4)
        if bench.rig.now - began < .seconds(3) { #expect(!bench.out.chargeAllowed) }
      }
      #expect(bench.out.contactorCommand == isAnswered && bench.out.chargeAllowed == isAnswered)
      if !isAnswered { #expect(bench.rig.now - began > .seconds(61) && bench.rig.now - began < .seconds(63)) }
    }
  }

  @Test(
    "R45, R51, R57, R58, R59, R65: an empty bank goes off after 5 min, a charger wakes it, ATC closes and ATD stays")
  func emptyBank() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.voltage = 11.5
    bench.rig.current = -5
    bench.rig.cells(2.5, 3.0)
    bench.step()
    #expect(!bench.out.dischargeAllowed && bench.out.chargeAllowed)
    #expect(bench.out.alarms.contains(.lowCell))
    let began = bench.rig.now
    bench.rig.current = 0
    bench.run(.minutes(10)) { $0.mode == .off }
    #expect(bench.rig.now - began == .minutes(5))
    #expect(bench.out.offCause == .lowCell)
    bench.run(.minutes(1))
    #expect(bench.out.contactorClosed == false && bench.system < 11)
    bench.charger = 13.8
    bench.run(.seconds(1))
    #expect(bench.out.mode == .off, "OD-7: 2 s")
    bench.rig.period = .milliseconds(20)
    #expect(bench.run(.seconds(5)) { $0.state == .running } == true)
    #expect(bench.out.chargeAllowed && !bench.out.dischargeAllowed)
    bench.rig.current = 10
    bench.rig.cells(3.2, 3.3)
    #expect(!bench.run(.seconds(30)) { $0.dischargeAllowed }, "OD-12: it was below 2.6 V")
    #expect(bench.step().dischargeAllowed, "R60, R93")
  }

  @Test("Whatever load, faults and requests come: never closed without pre-charge", arguments: 1...40)
  func neverEarly(seed: Int) throws {
    var random = InvariantTests.Random(state: UInt64(seed))
    var bench = ContactorBench(contactors: seed % 2 == 0 ? .one : .two)
    for _ in 0..<3000 {
      if random.chance(200) { bench.load = [0.01, 5, 19, 20, 1000][Int.random(in: 0..<5, using: &random)] }
      if random.chance(300) { bench.hot.toggle() }
      if random.chance(400) { bench.isWelded.toggle() }
      if random.chance(400) { bench.isStuck.toggle() }
      if random.chance(200) {
        let mode = Mode.allCases[Int.random(in: 0..<3, using: &random)]
        try? bench.rig.bms.perform(.requestMode(mode, by: .app))
      }
      if random.chance(300) { bench.rig.voltage = bench.rig.voltage == nil ? 13.2 : nil }
      if random.chance(200) { bench.rig.inputs.mayJoin.toggle() }
      bench.step()
      try #require(!bench.wasClosedEarly || bench.rig.voltage == nil)
      try #require(!bench.out.chargeAllowed || bench.out.contactorPhase == .closed)
      try #require(!bench.out.dischargeAllowed || bench.out.contactorCommand)
      try #require(bench.out.mode == .on || !bench.out.chargeAllowed && !bench.out.dischargeAllowed)
      try #require(!bench.out.prechargeCommand || bench.out.mode == .on)
      try #require(bench.out.limits.isAvailable || bench.out.limits.chargeVoltage == nil)
    }
  }
}
