import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Why each output is what it is")
struct ExplanationTests {
  @Test("Every output and state has a reason, whatever happens, and it is not older than the run")
  func everything() throws {
    var random = InvariantTests.Random(state: 5)
    var bench = ContactorBench()
    let start = bench.rig.now
    for _ in 0..<2000 {
      if random.chance(40) { bench.load = [0.01, 20, 1000][Int.random(in: 0..<3, using: &random)] }
      if random.chance(60) { bench.hot.toggle() }
      if random.chance(60) { bench.rig.cells([2.5, 3.2, 3.3][Int.random(in: 0..<3, using: &random)], 3.3) }
      if random.chance(60) { bench.rig.inputs.isUpdating.toggle() }
      if random.chance(50) {
        let mode = Mode.allCases[Int.random(in: 0..<3, using: &random)]
        try? bench.rig.bms.perform(.requestMode(mode, by: .app))
      }
      bench.step(.milliseconds(100))
      for subject in Explained.allCases {
        let explanation = bench.rig.bms.explanation(of: subject)
        try #require(explanation.text.hasPrefix(subject.name) && explanation.text.contains(": "))
        try #require(explanation.reason.since >= start || explanation.reason.since == .origin)
      }
      // An open contactor that nothing explains, or a closed one that something forbids, is a lie.
      let contactor = bench.rig.bms.explanation(of: .contactor).reason.rule
      if bench.out.contactorCommand == false { try #require(contactor != .allowed && contactor != .notNeeded) }
      if bench.out.relayActive { try #require(bench.rig.bms.explanation(of: .relay).reason.rule != .notNeeded) }
    }
  }

  @Test("R34, R35: Standby and Off explain mode, state, contactor, AUX and LED")
  func modes() throws {
    var bench = ContactorBench.closed()
    #expect(bench.rig.bms.explanation(of: .contactor).text == "contactor closed: nothing forbids it")
    #expect(bench.rig.bms.explanation(of: .precharge).text == "pre-charge off: nothing asks for it")
    try bench.rig.bms.perform(.requestMode(.standby, by: .gx))
    bench.run(.seconds(5))
    #expect(bench.rig.bms.explanation(of: .contactor).text == "contactor open: in standby, until switched on")
    #expect(bench.rig.bms.explanation(of: .mode).text == "mode Standby: in standby, until switched on")
    #expect(bench.rig.bms.explanation(of: .auxiliary).text == "AUX on: nothing forbids it")
    try bench.rig.bms.perform(.requestMode(.off, by: .app))
    bench.step()
    #expect(bench.rig.bms.explanation(of: .auxiliary).text == "AUX off: off, until switched on")
    #expect(bench.rig.bms.explanation(of: .statusLED).text == "status LED off: off, until switched on")
  }

  @Test("R51: while an empty battery waits for charge voltage the mode says for how long")
  func emptySoon() {
    var bench = ContactorBench.closed()
    bench.rig.voltage = 11.5
    bench.rig.cells(2.5, 3.0)
    bench.step()
    bench.step()
    #expect(
      bench.rig.bms.explanation(of: .mode).text
        == "mode On: on, an empty battery is switched off in 300 s unless charge voltage comes")
  }

  @Test("Relay and LED name the alarm and its cause; a hot busbar and the second line explain the contactor")
  func alarms() {
    var bench = ContactorBench.closed()
    bench.hot = true
    bench.run(.seconds(3))
    #expect(
      bench.rig.bms.explanation(of: .relay).text
        == "relay active: V-B05 Busbar too hot: a busbar is above 130 °C, until its switch closes")
    #expect(bench.rig.bms.explanation(of: .statusLED).alarm == .busbarHot)
    #expect(bench.rig.bms.explanation(of: .contactor).reason.rule == .busbarHot)
    var snapshot = Snapshot()
    snapshot.heldOpen = 1
    snapshot.lowCell = true
    bench = ContactorBench()
    bench.rig.cells(3.0, 3.3)
    bench.restart(snapshot: snapshot)
    bench.run(.seconds(1))
    #expect(bench.rig.bms.explanation(of: .contactor).reason.rule == .secondLine)
  }

  @Test("What the second line holds open for charge is said of both permissions, and stored as the cause of its alarm")
  func heldForCharge() {
    let bench = ContactorBench.heldForCharge()
    #expect(bench.out.chargeReason.rule == .secondLine && bench.out.dischargeReason.rule == .secondLine)
    #expect(bench.rig.bms.record(of: .loadDisconnected).cause?.rule == .secondLine)
  }

  @Test("Since when: the instant at which the value changed")
  func since() throws {
    var bench = ContactorBench.closed()
    bench.run(.seconds(3))
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.step()
    let changed = bench.rig.now
    bench.run(.seconds(10))
    #expect(bench.rig.bms.explanation(of: .mode).reason.since == changed)
    let opened = bench.rig.bms.explanation(of: .contactor).reason.since
    #expect(opened - changed >= .seconds(2) && opened - changed < .milliseconds(2100))
  }
}

@Suite("The commissioning checklist")
struct SelfCheckTests {
  @Test("R324: nothing is passed before it was seen, and each open item says what to do")
  func open() {
    let checks = BMS().selfCheck()
    #expect(checks.map(\.item) == CheckItem.allCases)
    for check in checks where check.item != .contactor {
      #expect(check.verdict == .open || check.verdict == .confirm)
      #expect(!check.advice.isEmpty)
    }
  }

  @Test("R324, R17, R31, R322: polarity, voltage and number of batteries")
  func values() throws {
    var rig = Rig.resting()
    #expect(rig.bms.check(.polarity).verdict == .passed)
    #expect(rig.bms.check(.systemVoltage).verdict == .passed)
    #expect(rig.bms.check(.batteriesInParallel).verdict == .confirm)
    rig.inputs.cells.expectedCount = 8
    rig.step()
    #expect(rig.bms.check(.batteriesInParallel).verdict == .failed)
    rig.bms.apply(try settings((.batteriesInParallel, 2)))
    rig.step()
    #expect(rig.bms.check(.batteriesInParallel).verdict == .passed)
    rig = Rig()
    rig.voltage = -13
    rig.step()
    #expect(rig.bms.check(.polarity).verdict == .failed)
    rig = Rig(try settings((.nominalVoltage, 24)))
    rig.step()
    #expect(rig.bms.check(.systemVoltage).verdict == .failed)
  }

  @Test("R324, R99, R101: the cable pull is passed when both were forbidden and came back, not before")
  func cablePull() {
    var rig = Rig.resting()
    rig.lowest = nil
    rig.highest = nil
    rig.run(.seconds(6))
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
    #expect(rig.bms.check(.cablePull).verdict == .open)
    rig.cells(3.3, 3.3)
    rig.step()
    #expect(rig.bms.check(.cablePull).verdict == .passed && rig.out.alarms.isEmpty)
  }

  @Test("R81, R324: a load must show a negative current: seen, asked, or found wrong")
  func sign() {
    var bench = CellBench()
    #expect(bench.rig.bms.check(.loadSign).verdict == .open)
    bench.rig.current = -3
    bench.run(.seconds(2))
    #expect(bench.rig.bms.check(.loadSign).verdict == .confirm)
    bench.load(-0.06)
    #expect(bench.rig.bms.check(.loadSign).verdict == .passed)
    bench = CellBench()
    for volts in [-0.06, 0, -0.06] { bench.load(volts, amperes: -volts * 2000) }
    #expect(bench.rig.bms.check(.loadSign).verdict == .failed)
  }

  @Test("R143, R324: the last absorption is at most 31 days ago; a synchronisation was seen; the contactor closed")
  func full() throws {
    var snapshot = Snapshot()
    snapshot.secondsSinceFullCharge = 31 * 86_400 - 1
    var rig = Rig(restoring: snapshot)
    rig.step()
    #expect(rig.bms.check(.monthlyAbsorption).verdict == .passed)
    rig.step(after: .seconds(2))
    #expect(rig.bms.check(.monthlyAbsorption).verdict == .failed)
    #expect(rig.bms.check(.fullCharge).verdict == .open)
    try rig.bms.perform(.synchronise)
    rig.step()
    #expect(rig.bms.check(.fullCharge).verdict == .passed)
    #expect(ContactorBench().rig.bms.check(.contactor).verdict == .open)
    #expect(ContactorBench.closed().rig.bms.check(.contactor).verdict == .passed)
    var bench = ContactorBench()
    bench.isStuck = true
    bench.run(.seconds(5))
    #expect(bench.rig.bms.check(.contactor).verdict == .failed)
  }

  @Test("R163, R324: a bank that may not be charged above charged_voltage never synchronises, as the checklist says")
  func chargedVoltageOutOfReach() throws {
    var rig = Rig(try settings((.chargedVoltage, 14.0), (.maximumChargeVoltage, 14.01)))
    rig.step()
    #expect(rig.bms.check(.fullCharge).verdict == .open)
    rig = Rig(try settings((.chargedVoltage, 14.0), (.maximumChargeVoltage, 14.0)))
    rig.step()
    try rig.bms.perform(.synchronise)
    let check = rig.bms.check(.fullCharge)
    #expect(check.verdict == .failed)
    #expect(check.finding == "charged_voltage means 14 V, and no charger may go above 14 V")
    #expect(check.advice == "Set charged_voltage below that: it would never synchronise.")
  }

  static let dated: [Explained] = [.mode, .state, .contactor, .precharge, .relay, .auxiliary, .statusLED, .channelLED]

  @Test("What begins with a value has had it since the first step, and each change is dated by its own step")
  func since() throws {
    var rig = Rig(try settings((.relayIntermittent, 0)), wiring: Wiring(contactors: .one))
    (rig.lowest, rig.highest) = (nil, nil)
    rig.step()
    let first = rig.now
    for _ in 0..<5 { rig.step() }
    for subject in Self.dated {
      #expect(rig.bms.explanation(of: subject).reason.since == first, "\(subject.name)")
    }
    // Each by another cause; the rest keep their time.
    func changed(_ cause: () throws -> Void) rethrows -> Set<Explained> {
      let before = Self.dated.map { rig.bms.explanation(of: $0).reason.since }
      try cause()
      rig.step()
      let now = rig.now
      rig.run(.seconds(1))
      return Set(
        zip(Self.dated, before).filter { rig.bms.explanation(of: $0.0).reason.since == now && $0.1 != now }.map(\.0))
    }
    #expect(changed { rig.inputs.hasControlClient = true } == [.channelLED])
    #expect(changed { rig.inputs.isUpdating = true } == [.statusLED])
    #expect(changed { rig.inputs.isUpdating = false } == [.statusLED])
    #expect(
      try changed { try rig.bms.perform(.requestMode(.standby, by: .app)) }
        == [.mode, .auxiliary, .state, .statusLED, .contactor, .precharge])
  }

  @Test("A-B06 names what keeps the loads off now, and since when they are off")
  func disconnectedByAnother() {
    var rig = Rig.resting()
    rig.temperature = 56
    rig.step()
    let since = rig.now
    #expect(rig.bms.record(of: .loadDisconnected).cause?.rule == .highTemperature)
    rig.cells(2.5, 3.3)
    rig.run(.seconds(2))
    rig.temperature = 20
    rig.run(.seconds(2))
    let record = rig.bms.record(of: .loadDisconnected)
    #expect(record.cause?.rule == .veryLowCell && record.cause?.since == since && record.count == 1)
  }

  @Test("The contactor, the pre-charge and the relay are dated by the step that changed them")
  func sinceOfContacts() throws {
    var bench = ContactorBench()
    bench.run(.seconds(5)) { $0.prechargeCommand }
    #expect(bench.rig.bms.explanation(of: .precharge).reason.since == bench.rig.now)
    bench.run(.seconds(5)) { $0.contactorCommand }
    let closed = bench.rig.now
    bench.run(.seconds(5)) { $0.state == .running }
    let running = bench.rig.now
    bench.run(.seconds(2))
    #expect(bench.rig.bms.explanation(of: .contactor).reason.since == closed)
    #expect(bench.rig.bms.explanation(of: .state).reason.since == running)
    #expect(bench.rig.bms.explanation(of: .precharge).reason.since == running)
    var rig = Rig.resting(try settings((.relayAlternator, 1)))
    rig.run(.seconds(2))
    rig.cells(3.3, 3.75)
    rig.step()
    let open = rig.now
    rig.run(.seconds(2))
    #expect(rig.bms.explanation(of: .relay).reason.since == open)
  }

  @Test("A contactor that is about to open says why while it is still closed")
  func lead() {
    var bench = ContactorBench.closed()
    bench.hot = true
    bench.run(.seconds(1))
    #expect(bench.out.contactorPhase == .lead && bench.out.contactorCommand)
    #expect(bench.rig.bms.explanation(of: .contactor).reason.rule == .busbarHot)
  }

  @Test("An open contactor names what is missing before it names itself")
  func contactorWaits() {
    var bench = ContactorBench()
    (bench.rig.lowest, bench.rig.highest) = (nil, nil)
    bench.run(.seconds(1))
    for subject in [Explained.contactor, .state, .statusLED] {
      #expect(bench.rig.bms.explanation(of: subject).reason.rule == .waitingForData, "\(subject.name)")
    }
    bench.rig.cells(3.3, 3.3)
    bench.rig.inputs.mayJoin = false
    bench.run(.seconds(2))
    #expect(bench.rig.bms.explanation(of: .contactor).reason.rule == .waitingForGroup)
  }

  @Test("Before the first step no busbar is hot, no voltage impossible and nothing known of the cells")
  func beforeTheFirstStep() {
    let bms = BMS(wiring: Wiring(contactors: .one))
    #expect(bms.explanation(of: .contactor).reason.rule == .contactorStarts)
    #expect(bms.check(.polarity).verdict == .open && bms.check(.batteriesInParallel).verdict == .confirm)
    #expect(bms.check(.cablePull).verdict == .open && bms.check(.loadSign).verdict == .open)
  }

  @Test("R143: 31 days to the second are recent")
  func month() {
    var snapshot = Snapshot()
    snapshot.secondsSinceFullCharge = 31 * 86_400
    #expect(BMS(restoring: snapshot).check(.monthlyAbsorption).verdict == .passed)
    snapshot.secondsSinceFullCharge = 31 * 86_400 + 1
    #expect(BMS(restoring: snapshot).check(.monthlyAbsorption).verdict == .failed)
  }

  @Test("Of two alarms that are equally serious the first of the table explains the relay")
  func equallySerious() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(2.5, 3.75)
    rig.step()
    let (low, high) = (Alarm.lowCell, Alarm.highCell)
    #expect(rig.out.alarms.contains(low) && rig.out.alarms.contains(high) && low.rawValue < high.rawValue)
    #expect(low.definition.severity == high.definition.severity)
    #expect(rig.bms.explanation(of: .relay).alarm == low && rig.bms.explanation(of: .statusLED).alarm == low)
  }

  @Test("State 10 is explained by the contactor that failed, state 12 by who leaves or by the switch")
  func failedAndLeaving() throws {
    var bench = ContactorBench()
    bench.isStuck = true
    bench.run(.seconds(5)) { $0.contactorPhase == .failed }
    #expect(bench.out.state == .error && bench.rig.bms.explanation(of: .state).reason.rule == .contactorFault)
    var rig = Rig.resting()
    rig.inputs.shutdown = true
    rig.step()
    #expect(rig.out.state == .shutdown && rig.bms.explanation(of: .state).reason.rule == .shutdown)
    rig.inputs.shutdown = false
    try rig.bms.perform(.requestMode(.off, by: .app))
    rig.step()
    #expect(rig.out.state == .shutdown && rig.bms.explanation(of: .state).reason.rule == .offByCommand)
  }

  @Test("R180: a low cell with 20 % left beyond the count's error hints at a capacity set too large, with less not")
  func capacityTooLarge() throws {
    // Set by hand the count may be wrong by 5 %.
    for (percent, amperes, hints) in [(25.01, 0.0, true), (24.99, 0, false), (50, -10, true), (50, -10.1, false)] {
      var rig = Rig.resting()
      try rig.bms.perform(.setStateOfCharge(percent))
      rig.current = amperes
      rig.step()
      #expect(rig.bms.check(.capacity).verdict == .confirm)
      rig.cells(2.5, 3.3)
      rig.step()
      #expect((rig.bms.check(.capacity).verdict == .failed) == hints, "\(percent) %, \(amperes) A")
      // What is left at least.
      if hints { #expect(rig.bms.check(.capacity).finding.contains("\((percent - 5).text(0)) %")) }
      rig.bms.apply(try settings((.batteryCapacity, 150)))
      #expect(rig.bms.check(.capacity).verdict == .confirm, "another capacity is judged anew")
    }
    var rig = Rig.resting()
    rig.cells(2.5, 3.3)
    rig.step()
    #expect(rig.bms.check(.capacity).verdict == .confirm, "nobody knows how wrong the count is")
    try rig.bms.perform(.setStateOfCharge(50))
    rig.step()
    #expect(rig.bms.check(.capacity).verdict == .confirm, "it was low before")
  }

  @Test("R180: 0 % and every cell at 3.25 V hint at a capacity set too small; 3.24 V, 0.01 % or 0.05 C and more do not")
  func capacityTooSmall() throws {
    let rows = [(0.0, 3.25, 0.0, true), (0, 3.24, 0, false), (0.01, 3.25, 0, false), (0, 3.25, -10.1, false)]
    for (percent, volts, amperes, hints) in rows {
      var rig = Rig.resting()
      try rig.bms.perform(.setStateOfCharge(percent))
      rig.cells(volts, 3.3)
      rig.current = amperes
      rig.step()
      #expect((rig.bms.check(.capacity).verdict == .failed) == hints, "\(percent) %, \(volts) V, \(amperes) A")
    }
  }
}
