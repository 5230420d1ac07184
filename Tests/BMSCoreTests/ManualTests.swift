import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Sentences of the manual that belong to no single rule")
struct ManualTests {
  @Test(
    "R13: a short circuit of 2400 A is told at once, stops nothing for 30 s, and the text says that this is no fuse")
  func noFuse() {
    var rig = Rig.resting(soc: 100)
    rig.current = -2400
    #expect(rig.step().alarms.contains(.highDischargeCurrent))
    #expect(!rig.run(.milliseconds(29_900)) { !$0.dischargeAllowed })
    #expect(!rig.step().dischargeAllowed)
    #expect(Alarm.highDischargeCurrent.definition.advice.contains("no fuse"))
  }

  @Test("R16: it starts with a battery and a closed remote input: without one of them nothing is commanded")
  func starts() {
    for (hasBattery, isClosed) in [(false, true), (true, false), (true, true)] {
      var bench = ContactorBench()
      bench.rig.voltage = hasBattery ? 13.2 : nil
      bench.rig.remote = isClosed
      let began = bench.run(.seconds(3)) { $0.prechargeCommand }
      #expect(began == (hasBattery && isClosed))
      if !isClosed { #expect(bench.out.mode == .off) }
      if !hasBattery { #expect(bench.out.state == .waiting) }
    }
  }

  @Test("R82: low cell, pre-alarm and low temperature are settings; the high cell of 3.75 V is none")
  func thresholds() throws {
    let changed = try settings((.lowCellVoltage, 2.7), (.preAlarmVoltage, 3.0), (.minimumChargeTemperature, 0))
    var rig = Rig.resting(changed)
    rig.cells(3.01, 3.3)
    rig.temperature = 0
    #expect(rig.step().alarms.isEmpty && rig.out.chargeAllowed)
    rig.temperature = -0.1
    rig.cells(3.0, 3.3)
    rig.step()
    #expect(rig.out.alarms == [.preAlarm, .loadWillDisconnect, .lowTemperature])
    rig.run(.seconds(30))
    rig.cells(2.71, 3.3)
    #expect(rig.step().dischargeAllowed)
    rig.cells(2.7, 3.3)
    #expect(!rig.step().dischargeAllowed)
    #expect(Parameters.highCell == 3.75)
    #expect(!Setting.allCases.contains { $0.definition.key.contains("high_cell") })
  }

  @Test("R114, C-5: low temperature alone never leads to Off; with a low cell it is Off after 5 min")
  func coldAndEmpty() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(500)
    bench.rig.temperature = 4
    bench.rig.current = -1
    #expect(!bench.run(.minutes(10)) { $0.mode == .off || $0.offIn != nil })
    #expect(!bench.out.chargeAllowed && bench.out.dischargeAllowed)
    bench.rig.cells(2.59, 3.3)
    bench.step()
    bench.rig.current = 0
    bench.rig.voltage = 11.5
    #expect(!bench.run(.minutes(5) - .seconds(1)) { $0.mode == .off })
    #expect(bench.run(.seconds(2)) { $0.mode == .off })
    #expect(bench.out.offCause == .lowCell)
  }

  @Test("R134: DVCC cannot be switched off: there is no setting for it, and limits exist whenever it runs")
  func dvcc() {
    #expect(!Setting.allCases.contains { $0.definition.key.contains("dvcc") })
    let rig = Rig.resting()
    #expect(rig.out.limits.isAvailable && rig.out.limits.chargeVoltage == 13.5)
    #expect(rig.out.limits.chargeCurrent == 200 && rig.out.limits.dischargeCurrent == 600)
  }
}
