import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Battery monitor and charge control at their edges, areas H and I")
struct MonitorEdgeTests {
  func run(_ rig: inout Rig, _ amperes: Double, _ span: TimeSpan) {
    rig.period = .seconds(1)
    rig.current = amperes
    rig.step(after: .zero)  // the new current holds from here on
    rig.run(span)
  }

  @Test("A monitor that restores nothing has counted nothing, and impossible signs are cut to zero")
  func restoring() {
    let fresh = BatteryMonitor(restoring: nil, unseenFor: nil, Parameters(Settings()))
    #expect(fresh.consumed == 0 && fresh.missing == 0 && fresh.uncountedSeconds == 0 && !fresh.isKnown)
    var snapshot = Snapshot()
    (snapshot.consumed, snapshot.missing, snapshot.uncountedSeconds) = (0.5, -0.5, -0.5)
    let cut = BatteryMonitor(restoring: snapshot, unseenFor: .zero, Parameters(Settings()))
    #expect(cut.consumed == 0 && cut.missing == 0 && cut.uncountedSeconds == 0)
    (snapshot.consumed, snapshot.missing, snapshot.uncountedSeconds) = (-0.5, 0.5, 0.5)
    let kept = BatteryMonitor(restoring: snapshot, unseenFor: .zero, Parameters(Settings()))
    #expect(kept.consumed == -0.5 && kept.missing == 0.5 && kept.uncountedSeconds == 0.5)
  }

  @Test("What nobody saw is counted as that: 60 s between two runs, and what was before")
  func unseen() {
    var snapshot = Snapshot()
    snapshot.uncountedSeconds = 0.5
    snapshot.secondsSinceSynchronisation = 10
    let monitor = BatteryMonitor(restoring: snapshot, unseenFor: .seconds(60), Parameters(Settings()))
    #expect(abs(monitor.uncountedSeconds - 60.5) < 1e-9)
    #expect(abs((monitor.secondsSinceSynchronisation ?? 0) - 70) < 1e-9)
  }

  @Test("What nobody sees makes the count uncertain by 1 C: 36 s of a lost current are 2 Ah of 200, at most 100 %")
  func uncertain() throws {
    let parameters = Parameters(Settings())
    var rig = Rig.resting(soc: 50)
    try rig.bms.perform(.setStateOfCharge(50))
    let before = try #require(rig.bms.snapshot.uncertainAmpereHours)
    #expect(before == 10, "5 % by hand")
    rig.current = nil
    rig.period = .seconds(1)
    rig.run(.seconds(5))
    let silent = try #require(rig.bms.snapshot.uncertainAmpereHours)
    rig.run(.seconds(36))
    #expect(abs(try #require(rig.bms.snapshot.uncertainAmpereHours) - silent - 2) < 1e-6)
    var snapshot = rig.bms.snapshot
    snapshot.uncertainAmpereHours = 300
    let monitor = BatteryMonitor(restoring: snapshot, unseenFor: .zero, parameters)
    #expect(monitor.stateOfChargeError(parameters) == 100)
  }

  @Test("R173: the average begins at zero and rises with 100 ms steps as with steps of a second")
  func averaging() throws {
    let snapshot = Rig.resting(soc: 100).bms.snapshot
    var rig = Rig(restoring: snapshot)
    rig.current = -10
    #expect(rig.step().timeToGo == .days(10), "nothing has flowed for any time yet")
    rig.run(.seconds(23))
    // 6.32 A for 90 % of 200 Ah
    #expect(abs(try #require(rig.out.timeToGo).hours - 28.47) < 0.1)
  }

  @Test("R158: strings in series are not added: 100 Ah out of 200 Ah is 50 % at 12 and at 48 V", arguments: [12.0, 48])
  func capacity(nominal: Double) throws {
    var rig = Rig.resting(try settings((.nominalVoltage, nominal)), soc: 100)
    run(&rig, -10, .hours(10))
    #expect(abs(try #require(rig.out.stateOfCharge) - 50) < 1e-6)
  }

  @Test("A capacity set below what is missing reads 0 %, not less")
  func smallerCapacity() throws {
    var rig = Rig.resting(soc: 25)
    rig.bms.apply(try settings((.batteryCapacity, 100)))
    #expect(rig.step().stateOfCharge == 0)
  }

  @Test(
    "A reported 120 % begins at 100 % and -5 % at 0 %, with consumed to match", arguments: [(120.0, 100.0), (-5, 0)])
  func reported(said: Double, taken: Double) {
    var rig = Rig()
    rig.inputs.reportedStateOfCharge.report(said, at: rig.now)
    rig.step()
    #expect(rig.out.stateOfCharge == taken && rig.out.consumed == (taken == 100 ? 0 : -200))
    #expect(rig.out.events.synchronised?.after == said)
  }

  @Test("R166: 0 % and 100 % are taken by hand, with consumed 0 and -200 Ah; -0.01 % and 100.01 % are not")
  func byHand() throws {
    var rig = Rig()
    for (percent, consumed) in [(0.0, -200.0), (100, 0), (37.5, -125)] {
      try rig.bms.perform(.setStateOfCharge(percent))
      rig.step()
      #expect(rig.out.stateOfCharge == percent && rig.out.consumed == consumed)
      #expect(rig.out.events.synchronised?.after == percent && rig.out.isStateOfChargeTrusted)
    }
    for refused in [-0.01, 100.01] {
      #expect(throws: CommandError.stateOfChargeOutOfRange(refused)) {
        try rig.bms.perform(.setStateOfCharge(refused))
      }
    }
    #expect(rig.step().stateOfCharge == 37.5)
  }

  @Test(
    "R167, R168, R169, R182: a synchronisation tells cause, before, after, V and A; consumed is 0, age and trust new")
  func synchronised() throws {
    var rig = Rig()
    rig.inputs.reportedStateOfCharge.report(80, at: rig.now)
    (rig.voltage, rig.current) = (14.1, 5)
    rig.step()
    #expect(!rig.out.isStateOfChargeTrusted && rig.bms.snapshot.secondsSinceSynchronisation == nil)
    rig.run(.minutes(4)) { $0.events.synchronised != nil }
    let record = try #require(rig.out.events.synchronised)
    #expect(record.cause == .charged && record.after == 100 && record.voltage == 14.1 && record.current == 5)
    #expect(abs(try #require(record.before) - 80.1) < 0.1)
    #expect(rig.out.isStateOfChargeTrusted && rig.out.consumed == 0 && rig.out.stateOfCharge == 100)
    #expect(rig.bms.snapshot.secondsSinceSynchronisation == 0 && rig.bms.snapshot.uncountedSeconds == 0)
    (rig.voltage, rig.current) = (13.2, 0)
    rig.run(.seconds(10))
    #expect(abs((rig.bms.snapshot.secondsSinceSynchronisation ?? 0) - 10) < 1e-6)
    rig.current = nil
    rig.run(.seconds(10))
    #expect(rig.bms.snapshot.uncountedSeconds > 8)
    rig.current = 0
    try rig.bms.perform(.synchronise)
    #expect(rig.bms.snapshot.uncountedSeconds == 0 && rig.bms.snapshot.secondsSinceSynchronisation == 0)
    rig.step()
    let commanded = try #require(rig.out.events.synchronised)
    #expect(commanded.cause == .commanded && commanded.after == 100 && commanded.voltage == 13.2)
  }

  @Test("R162: no more than 0.05 A may flow out to be charged: -0.05 A syncs, -0.06 A does not")
  func smallDischarge() {
    for (amperes, syncs) in [(-0.05, true), (-0.06, false)] {
      var rig = Rig.resting(soc: 80)
      (rig.voltage, rig.current) = (14.1, amperes)
      rig.step()
      rig.run(.minutes(4))
      #expect((rig.out.stateOfCharge == 100) == syncs, "\(amperes) A")
      guard syncs else { continue }
      rig.run(.hours(1))
      #expect(rig.out.consumed == 0, "what stays full is full again in every step")
    }
  }

  @Test("R164: a gap of 2 s in the steps keeps the 3 min, one of 2.001 s restarts it")
  func gap() {
    for (span, keeps) in [(TimeSpan.seconds(2), true), (.milliseconds(2_001), false)] {
      var rig = Rig.resting(soc: 80)
      (rig.voltage, rig.current) = (14.1, 5)
      rig.step()
      rig.run(.seconds(170))
      rig.step(after: span)
      rig.run(.seconds(8))
      #expect((rig.out.stateOfCharge == 100) == keeps)
    }
  }

  @Test(
    "R160: the factor is that of the present current: 15 A 1.0205, then 56.5 A 1.0904, then 10 A 1, then 100 A 1.122")
  func factors() throws {
    var rig = Rig.resting(soc: 100)
    for (amperes, factor) in [(15.0, 1.020_48), (56.5, 1.090_45), (10, 1), (100, 1.122_02), (10.5, 1.002_44)] {
      let before = rig.bms.snapshot
      run(&rig, -amperes, .minutes(6))
      let after = rig.bms.snapshot
      let ratio = (after.missing - before.missing) / (before.consumed - after.consumed)
      #expect(abs(ratio - factor) < 0.00002, "\(amperes) A")
    }
    var other = Rig.resting(try settings((.batteryCapacity, 100)), soc: 100)
    run(&other, -10, .minutes(6))
    #expect(abs(other.bms.snapshot.missing / -other.bms.snapshot.consumed - 1.035_26) < 0.00002, "2 I20")
  }

  @Test("R161, R174: of 1 Ah, 0.05 A leaves 18 h, 0.04 A is no discharge; 0.04 A in is not charging, 0.05 A is")
  func timeToGoThreshold() throws {
    func settled(_ amperes: Double) throws -> TimeSpan? {
      var rig = Rig.resting(try settings((.batteryCapacity, 1)), soc: 100)
      rig.current = amperes
      rig.period = .seconds(1)
      rig.run(.minutes(5))
      return rig.out.timeToGo
    }
    let small = try #require(try settled(-0.05))
    #expect(small > .hours(17) && small < .hours(18))
    #expect(try settled(-0.04) == .days(10))
    #expect(try settled(0.04) == .days(10))
    #expect(try settled(0.05) == nil)
  }

  @Test("R174, R175: 0.8 Ah above the floor at 20 A is 2 min, not 0; 0.1 A out of 180 Ah is 10 days, not 75")
  func timeToGoEdges() throws {
    var rig = Rig.resting(soc: 90)
    run(&rig, -20, .minutes(5))
    try rig.bms.perform(.setStateOfCharge(10.4))
    #expect(rig.step(after: .zero).timeToGo == .seconds(120))
    rig = Rig.resting(soc: 100)
    run(&rig, -0.1, .minutes(5))
    #expect(rig.out.timeToGo == .seconds(864_000))
  }

  @Test("R175: with floor 0 it is the time to 0 %: 200 Ah at 10 A is 20 h")
  func timeToGoToZero() throws {
    var rig = Rig.resting(try settings((.dischargeFloor, 0)), soc: 100)
    run(&rig, -10, .minutes(10))
    let hours = (try #require(rig.out.timeToGo)).hours
    #expect(abs(hours - (20 - 1.0 / 6)) < 0.02)
  }

  @Test("R178: the floor's alarm ends 5 % above it, whatever the cells; at 99 % floor it ends at 100 %")
  func floorEnds() throws {
    var rig = Rig.resting(soc: 50)
    func alarm(_ percent: Double) throws -> Bool {
      try rig.bms.perform(.setStateOfCharge(percent))
      return rig.step().alarms.contains(.lowStateOfCharge)
    }
    #expect(try alarm(10))
    #expect(rig.out.dischargeReason.endsAt == 15)
    #expect(try alarm(14.99))
    #expect(try !alarm(15))
    rig = Rig.resting(try settings((.lowStateOfChargeWarning, 99), (.dischargeFloor, 99)), soc: 50)
    #expect(try alarm(99.9))
    #expect(rig.out.alarms.contains(.lowStateOfChargeWarning))
    #expect(try !alarm(100))
    #expect(!rig.out.alarms.contains(.lowStateOfChargeWarning))
  }

  @Test("R238: W-B07 at 15 %, not at 15.01 %; it ends above 16 %, and says so")
  func warning() throws {
    var rig = Rig.resting(soc: 50)
    func alarm(_ percent: Double) throws -> Bool {
      try rig.bms.perform(.setStateOfCharge(percent))
      return rig.step().alarms.contains(.lowStateOfChargeWarning)
    }
    #expect(try !alarm(15.01))
    #expect(try alarm(15))
    #expect(rig.bms.record(of: .lowStateOfChargeWarning).cause?.endsAt == 16)
    #expect(rig.bms.record(of: .lowStateOfChargeWarning).cause?.value == 15)
    #expect(try alarm(16))
    #expect(try !alarm(16.01))
  }

  // MARK: Charge control

  @Test("R346: bulk is 3, absorption 4, rest 249")
  func phases() {
    #expect([ChargePhase.bulk, .absorption, .resting].map(\.rawValue) == [3, 4, 249])
    var rig = Rig()
    rig.voltage = 14.14
    #expect(rig.step().chargePhase == .bulk)
    rig.voltage = 14.15
    #expect(rig.step().chargePhase == .absorption)
    #expect(Rig.resting().out.chargePhase == .resting)
  }

  @Test("R150: 2.6 V per cell: 10.4, 20.8 and 41.6 V", arguments: [(12.0, 10.4), (24, 20.8), (48, 41.6)])
  func lowVoltage(nominal: Double, volts: Double) throws {
    #expect(Rig.resting(try settings((.nominalVoltage, nominal))).out.limits.lowVoltage == volts)
  }

  @Test("R145, R332, R333, R334: absorption time, interval and threshold are taken from the settings")
  func adjustable() throws {
    var snapshot = Snapshot()
    snapshot.secondsSinceFullCharge = 86_400 - 1
    let changed = try settings((.repeatedAbsorptionInterval, 1), (.absorptionTime, 0.5), (.stateOfChargeThreshold, 40))
    var rig = Rig(changed, restoring: snapshot)
    rig.voltage = 14.15
    #expect(rig.step().chargePhase == .resting)
    #expect(rig.step(after: .seconds(1)).events.fullChargeStarted == .interval)
    rig.step()
    rig.period = .seconds(1)
    rig.run(.seconds(1_799))
    #expect(rig.out.chargePhase == .absorption)
    rig.step()
    #expect(rig.out.chargePhase == .resting && rig.bms.snapshot.absorbedSeconds == 0)
    rig.voltage = 13.2
    try rig.bms.perform(.setStateOfCharge(40))
    #expect(rig.step().chargePhase == .resting)
    try rig.bms.perform(.setStateOfCharge(39.9))
    #expect(rig.step().events.fullChargeStarted == .stateOfCharge)
  }

  @Test("Z-6, R161: 0.05 A of charge begin the mean of the discharge anew, 0.04 A do not")
  func meanBeginsAnew() {
    for (amperes, isAnew) in [(0.05, true), (0.04, false)] {
      var rig = Rig.resting()
      rig.current = -50
      rig.run(.minutes(10))
      rig.current = amperes
      rig.step()
      rig.current = -50
      #expect((rig.step().timeToGo == Outputs.longestTimeToGo) == isAnew, "\(amperes) A")
    }
  }

  @Test("A trigger in a cycle that has absorbed nothing is no news; after half a second of absorption it is")
  func triggerInCycle() throws {
    var rig = Rig(try unannounced())
    rig.step()
    rig.cells(2.8, 3.3)
    #expect(rig.step().events.fullChargeStarted == nil)
    rig.cells(3.3, 3.3)
    rig.voltage = 14.2
    rig.step()
    rig.step(after: .milliseconds(500))
    #expect(rig.bms.snapshot.absorbedSeconds == 0.5)
    let next = Rig(restoring: rig.bms.snapshot)
    #expect(next.bms.snapshot.absorbedSeconds == 0.5)
    rig.cells(2.8, 3.3)
    #expect(rig.step().events.fullChargeStarted == .lowCell)
    #expect(BMS().snapshot.absorbedSeconds == 0 && BMS().snapshot.chargeConditions == 0)
  }

  @Test("CVL says why: full cycle, rest, following the battery, or the installer's cap; and which input")
  func voltageReasons() throws {
    var rig = Rig()
    #expect(rig.step().chargeVoltageReason.rule == .fullCharge)
    rig = Rig.resting()
    func rule(_ volts: Double) -> Rule {
      rig.voltage = volts
      return rig.step().chargeVoltageReason.rule
    }
    #expect(rule(13.65) == .resting && rig.out.chargeVoltageReason.input == .batteryVoltage)
    #expect(rule(13.66) == .restingFollowsBattery)
    rig = Rig.resting(try settings((.maximumChargeVoltage, 13.8)))
    #expect(rule(13.95) == .restingFollowsBattery && rig.out.limits.chargeVoltage == 13.8)
    #expect(rule(13.96) == .installerCap && rig.out.limits.chargeVoltage == 13.8)
    #expect(rig.out.chargeVoltageReason.input == .setting)
  }

  @Test("R154: CCL and DCL say why: capacity, rating or cap; the equal one that comes later changes nothing")
  func currentReasons() throws {
    func reasons(_ changes: (Setting, Double)...) throws -> [Rule] {
      var settings = Settings()
      try settings.set(changes)
      let out = Rig.resting(settings).out
      return [out.chargeCurrentReason.rule, out.dischargeCurrentReason.rule]
    }
    #expect(try reasons() == [.capacity, .rating])
    #expect(try reasons((.batteryCapacity, 500)) == [.capacity, .rating])
    #expect(try reasons((.batteryCapacity, 501)) == [.rating, .rating])
    #expect(
      try reasons((.maximumChargeCurrent, 199), (.maximumDischargeCurrent, 599)) == [.installerCap, .installerCap])
    #expect(try reasons((.maximumChargeCurrent, 200), (.maximumDischargeCurrent, 600)) == [.capacity, .rating])
  }

  @Test("R177, R54: a floor of 1 % stops discharge at 1 %, not at 1.01 %; 0 is off even at 0 %")
  func smallFloor() throws {
    for (floor, percent, stops) in [(1.0, 1.0, true), (1, 1.01, false), (0.5, 0.5, true), (0, 0, false)] {
      var rig = Rig.resting(try settings((.dischargeFloor, floor)))
      try rig.bms.perform(.setStateOfCharge(percent))
      #expect(rig.step().dischargeBlocks.contains(.dischargeFloor) == stops, "\(floor) %, at \(percent) %")
    }
  }

  @Test("R176: a warning level of 99 % is left at 100 %, not at 99.99 %")
  func highWarning() throws {
    var rig = Rig.resting(try settings((.lowStateOfChargeWarning, 99)), soc: 50)
    rig.step()
    for (percent, warns) in [(99.99, true), (100.0, false)] {
      try rig.bms.perform(.setStateOfCharge(percent))
      #expect(rig.step().alarms.contains(.lowStateOfChargeWarning) == warns, "\(percent) %")
    }
  }

  @Test("R173: a current that is first heard after the first step is averaged from then on")
  func averagingLater() throws {
    let snapshot = Rig.resting(soc: 100).bms.snapshot
    var rig = Rig(restoring: snapshot)
    rig.current = nil
    rig.step()
    rig.current = -10
    rig.run(.seconds(23))
    #expect(abs(try #require(rig.out.timeToGo).hours - 28.47) < 0.2)
  }

  @Test("R160: at one current another capacity has another factor: 56.5 A are 1.0904 of 200 Ah and 1.1289 of 100 Ah")
  func factorOfCapacity() throws {
    var rig = Rig.resting(soc: 100)
    for (capacity, factor) in [(200.0, 1.090_45), (100, 1.128_90)] {
      rig.bms.apply(try settings((.batteryCapacity, capacity)))
      let before = rig.bms.snapshot
      run(&rig, -56.5, .minutes(6))
      let after = rig.bms.snapshot
      let ratio = (after.missing - before.missing) / (before.consumed - after.consumed)
      #expect(abs(ratio - factor) < 0.0001, "\(capacity) Ah")
    }
  }

  @Test("R175: at the floor nothing is left, whether a current flows or not")
  func atTheFloor() throws {
    for amperes in [0.0, -20] {
      var rig = Rig.resting(soc: 50)
      rig.current = amperes
      try rig.bms.perform(.setStateOfCharge(10))
      #expect(rig.step(after: .zero).timeToGo == .zero, "\(amperes) A")
    }
  }
}
