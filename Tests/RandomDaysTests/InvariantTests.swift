import BMSCore
import BatterySimulator
import MonotonicTime
import RandomDays
import Testing

// A checker that finds nothing proves nothing. Here a right BMS runs beside the checker, and what the checker is shown is
// what a wrong one would have decided.

@Suite("each invariant catches a BMS that breaks it")
struct InvariantTests {
  typealias Wrong = (inout Outputs, inout Commands, ClosedLoop) -> Void

  /// Minutes of a bank with a charger and a load that both obey, and what happens to it.
  private func plan(_ events: [(Int, Int?, DayAction)] = [], _ change: (inout DayPlan) -> Void = { _ in }) -> DayPlan {
    var plan = DayPlan()
    plan.seconds = 180
    plan.chargers = [40]
    plan.loads = [PlannedLoad(power: 300, obeys: true)]
    plan.events = [DayEvent(at: 30, lasting: nil, action: .load(0, isOn: true))]
    plan.events += events.map { DayEvent(at: $0.0, lasting: $0.1, action: $0.2) }
    change(&plan)
    return plan
  }

  private func expect(
    _ invariant: Invariant, _ plan: DayPlan, _ wrong: @escaping Wrong, _ location: SourceLocation = #_sourceLocation
  ) {
    let right = plan.run()
    #expect(right.breaks.isEmpty, "\(right.breaks)", sourceLocation: location)
    let breaks = plan.run(until: invariant, tamper: wrong).breaks
    #expect(breaks.contains { $0.invariant == invariant }, "\(breaks)", sourceLocation: location)
  }

  private func seconds(_ loop: ClosedLoop) -> Double { (loop.now - .origin).seconds }

  @Test("a contactor that closes without pre-charge (R20)")
  func precharge() {
    expect(.precharge, plan()) { _, commands, loop in
      if loop.outputs.contactorPhase == .selfTest { commands.closesContactor = true }
    }
    // A pre-charge that is cut short: the bus is not at the battery's voltage yet.
    expect(.precharge, plan()) { _, commands, loop in
      if loop.outputs.contactorPhase == .precharge { commands.closesContactor = true }
    }
  }

  @Test("a contact that is welded is taken over after a restart without pre-charge, and an open one is not (R24)")
  func takeover() {
    let restart = DayAction.restart(areOutputsHeld: false, isMemoryKept: true)
    #expect(plan([(60, nil, .fault(.contactor(0, .welded))), (90, 6, restart)]).run().breaks.isEmpty)
    expect(.precharge, plan([(90, 6, restart)])) { _, commands, loop in
      if seconds(loop) > 96, loop.outputs.contactorPhase == .selfTest { commands.closesContactor = true }
    }
    // Longer than an update may take (R25): what is closed then was not closed by this BMS.
    expect(.precharge, plan([(60, nil, .fault(.contactor(0, .welded))), (70, 125, restart)]) { $0.seconds = 300 }) {
      _, commands, loop in
      if seconds(loop) > 195 { commands.closesContactor = true }
    }
  }

  @Test("a restart behind feedback that sticks at closed closes nothing that fell onto a load, or without a look (R24)")
  func takeoverBehindStuckFeedback() {
    let events: [(Int, Int?, DayAction)] = [
      (60, nil, .fault(.contactor(0, .feedbackStuck(closed: true)))),
      (90, 53, .restart(areOutputsHeld: false, isMemoryKept: true)),
    ]
    let (fallen, level) = (plan(events), plan(events) { $0.loads = [PlannedLoad(power: 0, obeys: true)] })
    let unseen = plan(events + [(80, nil, .fault(.sensorLost(.systemVoltage)))]) { $0.seconds = 260 }
    for day in [fallen, level, unseen] { #expect(day.run().breaks.isEmpty) }
    for day in [fallen, unseen] {
      expect(.precharge, day) { _, commands, loop in
        if loop.outputs.contactorPhase == .takeover { commands.closesContactor = true }
      }
    }
  }

  @Test("a takeover of a contact that is told to be open, or later than R25 and OD-20 let it be")
  func noTakeover() {
    for (isToldClosed, stopped) in [(true, 125), (false, 53)] {
      let events: [(Int, Int?, DayAction)] = [
        (60, nil, .fault(.contactor(0, .feedbackStuck(closed: isToldClosed)))),
        (90, stopped, .restart(areOutputsHeld: false, isMemoryKept: true)),
      ]
      let level = plan(events) {
        $0.seconds = 300
        $0.loads = [PlannedLoad(power: 0, obeys: true)]
      }
      expect(.precharge, level) { outputs, commands, loop in
        let since = seconds(loop) - Double(90 + stopped)
        if since > 0, since < 3 { outputs.contactorPhase = .takeover }
        if since > 2 { commands.closesContactor = true }
      }
    }
    // A weld that is held as soon as both sides are heard, in the takeover's minute.
    let late: [(Int, Int?, DayAction)] = [
      (60, nil, .fault(.contactor(0, .welded))), (70, 110, .restart(areOutputsHeld: false, isMemoryKept: true)),
      (75, 145, .fault(.sensorLost(.systemVoltage))),
    ]
    #expect(plan(late) { $0.seconds = 300 }.run().breaks.isEmpty)
  }

  @Test("a fourth try, and a second one too soon (OD-18)")
  func prechargeTries() {
    let short = plan([(0, nil, .fault(.busResistance(ohms: 0.01)))]) { $0.seconds = 320 }
    expect(.prechargeTries, short) { _, commands, loop in
      if loop.outputs.contactorPhase == .cooling, seconds(loop).truncatingRemainder(dividingBy: 4) < 1 {
        commands.closesPrecharge = true
      }
    }
    expect(.prechargeTries, short) { _, commands, loop in
      if loop.outputs.contactorPhase == .failed, seconds(loop) > 300 { commands.closesPrecharge = true }
    }
  }

  @Test("a contactor that opens with ATC (R76)")
  func lead() {
    expect(.lead, plan([(60, nil, .mode(.standby, by: .app))])) { outputs, commands, loop in
      if loop.outputs.contactorPhase == .lead { commands.closesContactor = false }
    }
  }

  @Test("ATC that stays closed with a full cell, a cold and a hot battery (R104, R109, R110)")
  func charge() {
    func closed(_ outputs: inout Outputs, _ commands: inout Commands, _ loop: ClosedLoop) {
      guard loop.outputs.contactorPhase == .closed else { return }
      outputs.chargeAllowed = true
      outputs.chargeBlocks = []
      commands.allowsCharge = true
    }
    let full = plan([(60, nil, .fault(.sensorOffset(.cell(battery: 0, cell: 1), by: 0.5)))])
    expect(.charge, full, closed)
    for celsius in [4.0, 51.0] {
      expect(.charge, plan([(60, nil, .fault(.temperature(battery: 0, celsius: celsius)))]), closed)
    }
  }

  @Test("ATD that stays closed with an empty cell and at the floor (R92, R177)")
  func discharge() {
    func closed(_ outputs: inout Outputs, _ commands: inout Commands, _ loop: ClosedLoop) {
      guard loop.outputs.contactorPhase == .closed else { return }
      outputs.dischargeAllowed = true
      outputs.dischargeBlocks = []
    }
    let empty = plan([(60, nil, .fault(.cellCharge(battery: 0, cell: 2, ampereHours: -104)))])
    expect(.discharge, empty, closed)
    expect(.discharge, plan([(60, nil, .stateOfCharge(9))]), closed)
  }

  @Test("loads that go at the pre-alarm, without the 30 s (R84)")
  func notice() {
    let low = plan([(60, nil, .fault(.sensorOffset(.cell(battery: 0, cell: 2), by: -0.28)))])
    expect(.notice, low) { outputs, _, loop in
      guard loop.outputs.alarms.contains(.preAlarm) else { return }
      outputs.dischargeBlocks.insert(.lowCell)
      outputs.dischargeAllowed = false
    }
  }

  @Test("a CCL with ATC open, one above the capacity, a sign that is flipped (R146, R148)")
  func limits() {
    let cold = plan([(60, nil, .fault(.temperature(battery: 0, celsius: 4)))])
    expect(.limits, cold) { outputs, commands, loop in
      if !loop.outputs.chargeAllowed { outputs.limits.chargeCurrent = 10 }
    }
    expect(.limits, plan()) { outputs, _, _ in
      if outputs.limits.chargeCurrent > 0 { outputs.limits.chargeCurrent = 201 }
    }
    expect(.limits, plan()) { outputs, _, _ in outputs.limits.dischargeCurrent *= -1 }
  }

  @Test("limits that are missing while it runs (R151); none are given in the lead of a takeover that proved nothing")
  func missingLimits() {
    let restart = DayAction.restart(areOutputsHeld: true, isMemoryKept: true)
    let unseen = plan([(60, nil, .fault(.sensorLost(.systemVoltage))), (120, 4, restart)]) { $0.seconds = 200 }
    #expect(unseen.run().breaks.isEmpty)
    expect(.limits, unseen) { outputs, _, loop in
      if loop.outputs.contactorPhase == .closed { outputs.limits.isAvailable = false }
    }
  }

  @Test("a CVL of 0, and one above 3.65 V per cell")
  func chargeVoltage() {
    for volts in [0, 14.61, -14.2, 13.4, Double.nan] {
      expect(.chargeVoltage, plan()) { outputs, commands, _ in
        guard outputs.limits.chargeVoltage != nil else { return }
        outputs.limits.chargeVoltage = volts
        commands.chargeVoltage = volts
      }
    }
  }

  @Test("an opening that is decided and not carried out (R118)")
  func commands() {
    let cold = plan([(60, nil, .fault(.temperature(battery: 0, celsius: 4)))])
    expect(.commands, cold) { _, commands, loop in
      if loop.outputs.contactorPhase == .closed { commands.allowsCharge = true }
    }
  }

  @Test("the last good values repeated while a cell is silent (OD-20)")
  func staleData() {
    let lost = plan([(60, nil, .fault(.sensorLost(.cell(battery: 0, cell: 3))))])
    expect(.staleData, lost) { outputs, _, loop in
      if loop.outputs.contactorPhase == .closed { outputs.dischargeAllowed = true }
    }
    expect(.staleData, lost) { outputs, commands, loop in
      if seconds(loop) > 120 {
        outputs.contactorCommand = true
        commands.closesContactor = true
      }
    }
  }

  @Test("overcurrent that opens nothing, and a retry too soon (R198, R202)")
  func overcurrent() {
    // A large bank, so that no cell is empty first.
    let surge = plan([(60, 120, .fault(.surgeDischarge(amperes: 700)))]) { plan in
      plan.seconds = 260
      plan.capacity = 2000
      plan.stateOfCharge = 90
    }
    expect(.overcurrent, surge) { outputs, _, loop in
      if loop.outputs.contactorPhase == .closed { outputs.dischargeAllowed = true }
    }
    expect(.overcurrent, surge) { outputs, _, loop in
      if seconds(loop) > 250, loop.outputs.contactorPhase == .closed { outputs.dischargeAllowed = true }
    }
    // A restart in the five minutes does not begin them anew.
    var restarted = surge
    restarted.seconds = 440
    restarted.events.append(
      DayEvent(at: 200, lasting: 10, action: .restart(areOutputsHeld: true, isMemoryKept: true)))
    expect(.overcurrent, restarted) { outputs, _, loop in
      if seconds(loop) > 250, loop.outputs.contactorPhase == .closed { outputs.dischargeAllowed = true }
    }
  }

  @Test("a voltage of another bank that is not noticed (R205)")
  func voltageWindow() {
    let wrong = plan([(60, 60, .fault(.sensorOffset(.batteryVoltage, by: 5)))])
    expect(.voltageWindow, wrong) { outputs, _, loop in
      if loop.outputs.contactorPhase == .closed { outputs.dischargeAllowed = true }
    }
  }

  @Test("a contactor that stays closed on a hot busbar (R72)")
  func hotBusbar() {
    expect(.hotBusbar, plan([(60, nil, .outside(.busbarHot))])) { _, commands, _ in commands.closesContactor = true }
  }

  @Test("error 36 that is not raised (R121)")
  func uncontrolledCurrent() {
    let load = plan([(60, nil, .stateOfCharge(5))]) { plan in
      plan.chargers = []
      plan.loads = [PlannedLoad(power: 300, obeys: false)]
    }
    expect(.uncontrolledCurrent, load) { outputs, _, _ in outputs.alarms = [] }
  }

  @Test("an alternator that is enabled with ATC open, and a relay that toggles every 100 ms (R130, R128)")
  func relay() {
    let cold = plan([(60, nil, .fault(.temperature(battery: 0, celsius: 4)))]) { plan in
      plan.settings = [PlannedSetting(setting: .relayAlternator, value: 1)]
    }
    expect(.relay, cold) { outputs, _, loop in
      if loop.outputs.contactorPhase == .closed { outputs.relayActive = true }
    }
    let intermittent = plan([(60, nil, .stateOfCharge(5))]) { plan in
      plan.settings = [PlannedSetting(setting: .relayIntermittent, value: 1)]
    }
    var isOn = false
    expect(.relay, intermittent) { outputs, _, loop in
      isOn.toggle()
      if !outputs.alarms.isEmpty { outputs.relayActive = isOn }
    }
  }

  @Test("a setting may move the relay within its 0.8 s (R128, R133)")
  func relaySetAnew() {
    for second in 61...65 {
      let off = DayAction.setting(PlannedSetting(setting: .relayOnWarning, value: 0))
      let changed = plan([(60, nil, .stateOfCharge(12)), (second, nil, off)]) { plan in
        plan.settings = [.relayIntermittent, .relayOnWarning].map { PlannedSetting(setting: $0, value: 1) }
      }
      #expect(changed.run().breaks.isEmpty)
    }
  }

  @Test("an Off that leaves the contactor, AUX or the relay on (R35)")
  func off() {
    let off = plan([(60, nil, .mode(.off, by: .app))])
    expect(.off, off) { _, commands, _ in commands.closesContactor = true }
    expect(.off, off) { outputs, _, _ in outputs.auxiliary = true }
    expect(.off, off) { outputs, _, loop in if loop.outputs.mode == .off { outputs.relayActive = true } }
  }

  @Test("limits that are repeated by nobody (R118)")
  func stopped() {
    let stop = plan([(60, 60, .restart(areOutputsHeld: false, isMemoryKept: true))])
    expect(.stopped, stop) { _, commands, _ in commands.areFresh = true }
  }

  @Test("an alarm without an entry, something forbidden without a reason")
  func alarms() {
    expect(.alarms, plan()) { outputs, _, _ in outputs.alarms.insert(.highCell) }
    expect(.alarms, plan()) { outputs, _, loop in
      guard loop.outputs.contactorPhase == .closed else { return }
      outputs.chargeAllowed = false
      outputs.limits.chargeCurrent = 0
    }
    let cold = plan([(60, nil, .fault(.temperature(battery: 0, celsius: 4)))])
    expect(.alarms, cold) { outputs, _, _ in outputs.events.raised = [] }
  }

  @Test("a state that says running with the contactor open (R22)")
  func state() {
    expect(.state, plan()) { outputs, _, loop in if !loop.outputs.contactorCommand { outputs.state = .running } }
  }

  @Test("a state of charge above 100 %, one that leaps, and a wrong sign of what was consumed")
  func stateOfCharge() {
    expect(.stateOfCharge, plan()) { outputs, _, _ in outputs.stateOfCharge = 100.1 }
    expect(.stateOfCharge, plan()) { outputs, _, loop in if seconds(loop) > 60 { outputs.stateOfCharge = 51 } }
    expect(.stateOfCharge, plan()) { outputs, _, _ in outputs.consumed = 1 }
  }

  @Test("a current with the wrong sign, a cell of somewhere else")
  func truth() {
    expect(.truth, plan()) { outputs, _, _ in outputs.current = outputs.current.map { -$0 } }
    expect(.truth, plan()) { outputs, _, _ in outputs.voltage = outputs.voltage.map { $0 + 0.05 } }
  }

  @Test("a next step that is asked for too late")
  func deadline() {
    expect(.deadline, plan()) { outputs, _, loop in outputs.nextDeadline = loop.now + .milliseconds(101) }
  }

  @Test("a charger that goes on after ATC opened is a fault of the plant")
  func plant() {
    expect(.plant, plan()) { _, commands, _ in commands.allowsCharge = false }
  }
}
