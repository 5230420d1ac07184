import MonotonicTime
import Testing

@testable import BMSCore

@Suite("What an installer must be told")
struct CommissioningTests {
  @Test(
    "R116: a fan that stands warns and changes nothing; one that is not wired or silent says nothing",
    arguments: [0, 1])
  func fan(which: Int) {
    var rig = Rig.resting()
    rig.step()
    #expect(!rig.out.alarms.contains(.fanFailed))
    let path: WritableKeyPath<Inputs, ContactFeedback> = which == 0 ? \.fan : \.secondFan
    rig.inputs[keyPath: path] = ContactFeedback(isClosed: true, at: rig.now)
    #expect(!rig.step().alarms.contains(.fanFailed))
    rig.inputs[keyPath: path] = ContactFeedback(isClosed: false, at: rig.now)
    #expect(rig.step().alarms.contains(.fanFailed) && rig.out.chargeAllowed)
    #expect(rig.run(.seconds(6)) { !$0.alarms.contains(.fanFailed) } == true, "5 s old feedback is none")
  }

  @Test("R78, R230: a bad internal supply keeps the contactor open, forbids both and blinks 12 times")
  func supply() {
    var bench = ContactorBench.closed()
    bench.rig.inputs.internalSupply = ContactFeedback(isClosed: false, at: bench.rig.now)
    bench.step()
    #expect(bench.out.statusPattern == .red(blinks: 12))
    #expect(bench.out.chargeBlocks.contains(.supply) && bench.out.dischargeBlocks.contains(.supply))
    #expect(bench.out.chargeReason.rule == .supplyError)
    bench = ContactorBench()
    bench.rig.inputs.internalSupply = ContactFeedback(isClosed: false, at: bench.rig.now)
    #expect(bench.run(.seconds(4)) { $0.contactorCommand || $0.prechargeCommand } == false)
    bench.rig.inputs.internalSupply = ContactFeedback(isClosed: true, at: bench.rig.now)
    #expect(bench.run(.seconds(4)) { $0.state == .running } == true)
  }

  @Test("R80: with the contactor open, a live system side and a battery side below half of it are exchanged")
  func reversed() {
    for (battery, isReversed) in [(6.5, false), (6.49, true)] {
      var rig = Rig(wiring: Wiring(contactors: .one))
      rig.inputs.contactorFeedback = .waiting
      rig.voltage = battery
      rig.system = 13.0
      rig.step()
      #expect(rig.run(TimeSpan(seconds: 1.9)) { $0.alarms.contains(.sidesReversed) } == false)
      rig.step()
      #expect(rig.out.alarms.contains(.sidesReversed) == isReversed, "2 s")
    }
    var bench = ContactorBench()
    bench.charger = 13.8
    #expect(bench.run(.seconds(10)) { $0.alarms.contains(.sidesReversed) } == false, "a charger is no battery")
  }

  @Test("R96: low cell settings that differ by more than 1 mV from each other or from ours are reported")
  func lowCellSettings() {
    var rig = Rig.resting()
    rig.inputs.batteryLowCellSettings = 2.8...2.8
    #expect(!rig.step().alarms.contains(.lowCellSettingsDiffer))
    rig.inputs.batteryLowCellSettings = 2.799...2.8
    #expect(!rig.step().alarms.contains(.lowCellSettingsDiffer))
    rig.inputs.batteryLowCellSettings = 2.798...2.8
    #expect(rig.step().alarms.contains(.lowCellSettingsDiffer) && rig.out.dischargeAllowed)
    rig.inputs.batteryLowCellSettings = 2.7...2.7
    #expect(rig.step().alarms.contains(.lowCellSettingsDiffer), "all the same, and not ours")
  }

  @Test(
    "R2, R322: the expected cells must make as many strings as batteries_in_parallel says",
    arguments: [
      (12.0, 1.0, 4, false), (12, 1, 8, true), (12, 2, 8, false), (12, 1, 5, true), (24, 1, 8, false), (48, 1, 4, true),
      (48, 3, 48, false),
    ])
  func count(nominal: Double, parallel: Double, cells: Int, isWrong: Bool) throws {
    var rig = Rig.resting(try settings((.nominalVoltage, nominal), (.batteriesInParallel, parallel)))
    rig.inputs.cells.expectedCount = cells
    #expect(rig.step().alarms.contains(.batteryCount) == isWrong)
  }
}
