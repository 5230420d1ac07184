import MonotonicTime
import Testing

@testable import BMSCore

@Suite("What the battery itself reports (R82, R99, R100)")
struct BatteryReportTests {
  private func step(_ rig: inout Rig, _ change: (inout BatteryReport) -> Void) -> Outputs {
    change(&rig.inputs.battery)
    rig.inputs.battery.isWired = true
    rig.inputs.battery.taken = rig.now + rig.period
    return rig.step()
  }

  @Test("each condition forbids its direction, is told with its words, and gives back when it is gone")
  func conditions() {
    let rows: [(BatteryConditions, charge: Bool, discharge: Bool, AlarmSet)] = [
      (.lowCell, true, false, [.lowCell]), (.highCell, false, true, [.highCell]),
      (.lowTemperature, false, true, [.lowTemperature]),
      (.highTemperature, false, false, [.highTemperature, .veryHighTemperature]),
      (.highChargeTemperature, false, true, [.highTemperature]),
      (.highChargeCurrent, false, true, [.batteryAlarm]), (.highDischargeCurrent, true, false, [.batteryAlarm]),
      (.fault, false, false, [.batteryAlarm]), (.cableMissing, false, false, [.batteryLost]),
      (.acceptsNoCharge, false, true, []), (.givesNothing, true, false, []),
    ]
    for (condition, charge, discharge, alarms) in rows {
      var rig = Rig.resting()
      let outputs = step(&rig) { $0.conditions = condition }
      #expect(outputs.chargeAllowed == charge)
      #expect(outputs.dischargeAllowed == discharge)
      #expect((outputs.limits.chargeCurrent > 0) == charge)
      #expect((outputs.limits.dischargeCurrent > 0) == discharge)
      var expected = alarms
      if !discharge { expected.insert(.loadDisconnected) }
      #expect(outputs.alarms == expected)
      for alarm in alarms { #expect(rig.bms.record(of: alarm).cause?.rule == .battery, "\(alarm)") }
      #expect(outputs.protectiveChange)
      let reason = charge ? outputs.dischargeReason : outputs.chargeReason
      #expect("\(reason)".contains(condition.text))
      let after = step(&rig) { $0.conditions = [] }
      #expect(after.chargeAllowed && after.dischargeAllowed)
      #expect(after.alarms.isEmpty)
    }
  }

  @Test("a pre-alarm of the battery warns and forbids nothing")
  func preAlarm() {
    var rig = Rig.resting()
    let outputs = step(&rig) { $0.conditions = .preAlarm }
    #expect(outputs.chargeAllowed && outputs.dischargeAllowed)
    #expect(outputs.alarms.contains(.preAlarm))
  }

  @Test("R18: that the batteries have a pre-alarm is kept over a restart; a yes is not unsaid, a no may be")
  func preAlarmSignal() {
    var rig = Rig.resting()
    #expect(step(&rig) { _ in }.detectedPreAlarmSignal == nil)
    #expect(rig.bms.check(.preAlarmSignal).verdict == .confirm)
    #expect(step(&rig) { $0.hasPreAlarmSignal = false }.detectedPreAlarmSignal == false)
    #expect(rig.bms.check(.preAlarmSignal).verdict == .failed, "pre_alarm_signal is true by default")
    #expect(rig.bms.check(.preAlarmSignal).advice == "Set pre_alarm_signal.")
    var next = Rig(restoring: rig.bms.snapshot)
    #expect(next.step().detectedPreAlarmSignal == false)
    #expect(step(&next) { $0.hasPreAlarmSignal = true }.detectedPreAlarmSignal == true)
    #expect(next.bms.check(.preAlarmSignal).verdict == .passed && next.bms.check(.preAlarmSignal).advice.isEmpty)
    #expect(step(&next) { $0.hasPreAlarmSignal = false }.detectedPreAlarmSignal == true)
    #expect(step(&next) { $0.hasPreAlarmSignal = nil }.detectedPreAlarmSignal == true)
    #expect(next.bms.settings[.preAlarmSignal] == 1, "R19: only told")
  }

  @Test("R89: the settings of the pre-alarm are shown only where the batteries have one; all others always")
  func shownSettings() throws {
    func hidden(_ rig: Rig) -> [Setting] { Setting.allCases.filter { !rig.bms.isShown($0) } }
    var rig = Rig.resting()
    #expect(hidden(rig).isEmpty, "nobody said that there is none")
    _ = step(&rig) { $0.hasPreAlarmSignal = false }
    #expect(hidden(rig) == [.preAlarm, .preAlarmVoltage])
    _ = step(&rig) { $0.hasPreAlarmSignal = true }
    #expect(hidden(rig).isEmpty)
    #expect(hidden(Rig.resting(try settings((.preAlarmSignal, 0)))) == [.preAlarm, .preAlarmVoltage])
  }

  @Test("R348: communication, voltage difference, number of batteries and configuration each have their own entry")
  func forwardedErrors() {
    var rig = Rig.resting()
    var outputs = step(&rig) { $0.balance = .imbalance }
    #expect(outputs.alarms == [.batteryImbalance])
    #expect(outputs.chargeAllowed && outputs.dischargeAllowed && !outputs.protectiveChange)
    #expect(rig.bms.record(of: .batteryImbalance).cause.map { "\($0)".contains("cells apart") } == true)
    outputs = step(&rig) { $0.balance = .balanced }
    #expect(outputs.alarms.isEmpty)
    rig.inputs.batteryLowCellSettings = 2.6...2.8
    #expect(step(&rig) { _ in }.alarms == [.lowCellSettingsDiffer])
    rig.inputs.batteryLowCellSettings = nil
    rig.inputs.cells.expectedCount = 5
    #expect(step(&rig) { _ in }.alarms.contains(.batteryCount))
    rig.inputs.cells.expectedCount = 0
    #expect(step(&rig) { $0.conditions = .cableMissing }.alarms.contains(.batteryLost))
  }

  @Test("R349: unknown, balanced and imbalance are what the battery says, and unknown 5 s after it said it last")
  func balance() {
    var rig = Rig.resting()
    #expect(rig.step().balance == .unknown)
    #expect(step(&rig) { $0.balance = .balanced }.balance == .balanced)
    #expect(step(&rig) { $0.balance = .imbalance }.balance == .imbalance)
    #expect(rig.run(TimeSpan(seconds: 4.9)) { $0.balance != .imbalance } == false)
    #expect(rig.step().balance == .unknown)
    #expect(Balance.balancing.rawValue == 2)
  }

  @Test("its limits lower ours and never raise them; zero forbids, and CVL is never zero")
  func limits() {
    var rig = Rig.resting()
    var outputs = step(&rig) {
      $0.chargeVoltage = 13.4
      $0.chargeCurrent = 40
      $0.dischargeCurrent = 5000
    }
    #expect(outputs.limits.chargeVoltage == 13.4)
    #expect(outputs.limits.chargeCurrent == 40)
    #expect(outputs.limits.dischargeCurrent == 600)
    outputs = step(&rig) {
      $0.chargeVoltage = 0
      $0.chargeCurrent = 0
    }
    #expect(!outputs.chargeAllowed)
    #expect(outputs.dischargeAllowed)
    #expect(outputs.limits.chargeCurrent == 0)
    #expect(outputs.limits.chargeVoltage == 13.5)
    outputs = step(&rig) { $0.dischargeCurrent = 0 }
    #expect(!outputs.dischargeAllowed)
  }

  @Test("a charge voltage below that of an empty battery, 10.4 V, is a wish not to be charged, and never a CVL")
  func impossibleVoltage() {
    for (volts, isAllowed, limit) in [(10.4, true, 10.4), (10.39, false, 13.5), (1, false, 13.5), (.nan, false, 13.5)] {
      var rig = Rig.resting()
      let outputs = step(&rig) { ($0.chargeVoltage, $0.chargeCurrent) = (volts, 40) }
      #expect(outputs.chargeAllowed == isAllowed && outputs.dischargeAllowed, "\(volts)")
      #expect(outputs.limits.chargeVoltage == limit && outputs.limits.chargeCurrent == (isAllowed ? 40 : 0))
      if !isAllowed { #expect("\(outputs.chargeReason)".contains("accepts no charge")) }
    }
  }

  @Test("R51, R82, R92: a battery that says low cell is empty, whatever its cells show: Off after five minutes")
  func lowCellSwitchesOff() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    func tell(_ condition: BatteryConditions) {
      bench.rig.inputs.battery.isWired = true
      bench.rig.inputs.battery.conditions = condition
      bench.rig.inputs.battery.taken = bench.rig.now + bench.rig.period
      bench.step()
    }
    tell([])
    tell(.lowCell)
    #expect(bench.out.lowCellLevel == .low && bench.out.limits.dischargeCurrent == 0 && bench.out.chargeAllowed)
    #expect(bench.out.offIn == .minutes(5))
    for _ in 0..<2_999 { tell(.lowCell) }
    #expect(bench.out.mode == .on)
    tell(.lowCell)
    #expect(bench.out.mode == .off && bench.out.offCause == .lowCell)
    // 3.3 V is above the 3.2 V that end it (R46), but the battery does not agree yet.
    for _ in 0..<100 { tell(.lowCell) }
    #expect(bench.out.mode == .off)
    tell([])
    #expect(bench.out.mode == .on)
  }

  @Test("R46: a battery whose voice has no power in Off does not keep cells at 3.3 V from ending it")
  func wakesInSilence() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.cells(2.5, 3.0)
    bench.rig.inputs.battery.isWired = true
    bench.rig.inputs.battery.conditions = .lowCell
    for _ in 0..<3_100 where bench.out.mode == .on {
      bench.rig.inputs.battery.taken = bench.rig.now + bench.rig.period
      bench.step()
    }
    #expect(bench.out.mode == .off)
    bench.run(.seconds(10))
    #expect(bench.out.mode == .off)
    bench.rig.cells(3.3, 3.3)
    bench.step()
    #expect(bench.out.mode == .on && !bench.out.dischargeAllowed && bench.out.alarms.contains(.lowCell))
  }

  @Test("R51: its silence and a restart end neither the low cell nor the five minutes; its word does")
  func lowCellIsKept() {
    var rig = Rig.resting()
    #expect(step(&rig) { $0.conditions = .lowCell }.alarms.contains(.lowCell))
    rig.run(.seconds(6))
    #expect(rig.out.alarms.contains(.lowCell) && rig.out.alarms.contains(.batteryLost))
    var next = Rig(restoring: rig.bms.snapshot)
    next.inputs.battery.isWired = true
    #expect(next.step().alarms.contains(.lowCell) && next.bms.snapshot.isLowCellReported)
    #expect(step(&next) { $0.conditions = [] }.alarms.isEmpty && !next.bms.snapshot.isLowCellReported)
    // A battery that has no signals any more cannot say that it is over.
    var unwired = Rig(restoring: rig.bms.snapshot)
    #expect(unwired.step().alarms.isEmpty && unwired.out.dischargeAllowed)
  }

  @Test("R97, R141: its low cell begins a full charge cycle, once, and not again after a restart")
  func lowCellBeginsCycle() {
    var rig = Rig.resting()
    #expect(rig.out.chargePhase == .resting)
    #expect(step(&rig) { $0.conditions = .lowCell }.events.fullChargeStarted == .lowCell)
    var next = Rig(restoring: rig.bms.snapshot)
    next.inputs.battery.isWired = true
    #expect(next.step().events.fullChargeStarted == nil)
    #expect(step(&next) { $0.conditions = .lowCell }.events.fullChargeStarted == nil)
  }

  @Test("silent for 5 s it is a battery without its cable: nothing is allowed (R99)")
  func silence() {
    var rig = Rig.resting()
    #expect(step(&rig) { _ in }.chargeAllowed)
    rig.run(.milliseconds(4900))
    #expect(rig.out.chargeAllowed && rig.out.dischargeAllowed)
    rig.run(.milliseconds(200))
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
    #expect(rig.out.alarms.contains(.batteryLost))
    #expect(step(&rig) { _ in }.chargeAllowed)
  }

  @Test("what is not wired means nothing")
  func unwired() {
    var rig = Rig.resting()
    rig.inputs.battery.conditions = [.fault, .lowCell]
    #expect(rig.step().chargeAllowed)
    #expect(rig.out.alarms.isEmpty)
  }

  @Test("what the battery wants to be charged to is not exceeded while data is lost, nor with a wrong bank voltage")
  func ownVoltageWithoutData() throws {
    for isLost in [true, false] {
      var rig = Rig.resting()
      #expect(step(&rig) { $0.chargeVoltage = 13.0 }.limits.chargeVoltage == 13.0)
      if isLost { rig.current = nil } else { rig.voltage = 26.4 }
      for _ in 0..<30 { _ = step(&rig) { $0.chargeVoltage = 13.0 } }
      #expect(rig.out.chargeBlocks.contains(isLost ? .data : .voltageWindow))
      #expect(rig.out.limits.chargeVoltage == 13.0)
      #expect(step(&rig) { $0.chargeVoltage = 14.0 }.limits.chargeVoltage == 13.5, "and it raises nothing")
      #expect(step(&rig) { $0.chargeVoltage = 0 }.limits.chargeVoltage == 13.5, "no CVL of zero")
    }
  }

  @Test("R85, R90, R103, R237: the battery's own pre-alarm does what ours does, and is its own reason")
  func preAlarmCounts() throws {
    for (changes, amperes, isAnnounced) in [
      ([(Setting.dischargeLimitAtPreAlarm, 1.0)], 0.0, true), ([], 600, true),
      ([(.dischargeLimitAtPreAlarm, 1), (.preAlarm, 0)], 600, false),
    ] {
      var settings = Settings()
      for (setting, value) in changes { try settings.set(setting, to: value) }
      var rig = Rig.resting(settings)
      let outputs = step(&rig) { $0.conditions = .preAlarm }
      #expect(outputs.limits.dischargeCurrent == amperes && outputs.dischargeAllowed && outputs.chargeAllowed)
      #expect(outputs.alarms == (isAnnounced ? [.preAlarm, .loadWillDisconnect] : [.preAlarm]))
      #expect(outputs.lowCellLevel == (isAnnounced ? .almostDischarged : .fine))
      let cause = try #require(rig.bms.record(of: .preAlarm).cause)
      #expect(cause.rule == .battery, "\(cause)")
      if amperes == 0 { #expect(outputs.dischargeCurrentReason.rule == .battery) }
      #expect(step(&rig) { $0.conditions = [] }.alarms.isEmpty)
    }
  }
}
