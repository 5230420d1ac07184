import BMSCore
import BMSDevice
import MonotonicTime
import NMEA2000
import Testing

extension SwitchBench {
  /// The program ends without a word, and another run begins with what it left.
  mutating func restart(unseenFor unseen: TimeSpan?) {
    let snapshot = bench.device.snapshot
    bench.device = BMSDevice(
      configuration: SwitchBench.configuration(), snapshot: snapshot, unseenFor: unseen, randomSeed: 2, at: bench.now)
    bench.device.join(at: bench.now)
    bench.claim()
  }
}

@Suite("A restart of the device")
struct DeviceRestartTests {
  @Test("R24: a contactor that was closed 3 s ago stays closed, and no command touches it or its pre-charge")
  func kept() {
    var bench = SwitchBench.closed()
    #expect(bench.outputs.state == .running)
    let begin = bench.now
    bench.restart(unseenFor: .seconds(3))
    var wasOpen = false
    bench.advance(.seconds(20)) {
      if !$0.isOn(SwitchBench.contactor) { wasOpen = true }
      return false
    }
    #expect(!wasOpen)
    #expect(bench.commands(SwitchBench.contactor, since: begin).isEmpty)
    #expect(bench.commands(SwitchBench.precharge, since: begin).allSatisfy { !$0.isOn })
    #expect(bench.commands(SwitchBench.allowToCharge, since: begin).allSatisfy { $0.isOn })
    #expect(bench.commands(SwitchBench.allowToDischarge, since: begin).allSatisfy { $0.isOn })
    #expect(bench.outputs.state == .running && bench.outputs.chargeAllowed && bench.outputs.dischargeAllowed)
  }

  @Test("R24: until the module says where its switch is, none that carries current is commanded; then it is kept")
  func waits() {
    var bench = SwitchBench.closed()
    let begin = bench.now
    bench.modules[0].isAlive = false
    bench.restart(unseenFor: .seconds(3))
    bench.advance(.seconds(4))
    #expect(bench.outputs.left.contains(.contactor))
    #expect(bench.bench.commands(field: 2, since: begin).isEmpty)
    #expect(bench.bench.commands(field: 4, since: begin).isEmpty)
    bench.modules[0].isAlive = true
    bench.advance(.seconds(10))
    #expect(bench.commands(SwitchBench.contactor, since: begin).isEmpty)
    #expect(bench.isOn(SwitchBench.contactor) && bench.outputs.state == .running)
  }

  @Test(
    "R25: after 121 s, and when nobody knows how long, it is opened, pre-charged and closed anew",
    arguments: [121, nil])
  func opened(seconds: Int64?) throws {
    var bench = SwitchBench.closed()
    let begin = bench.now
    bench.restart(unseenFor: seconds.map { .seconds($0) })
    bench.advance(.seconds(30))
    let commands = bench.commands(SwitchBench.contactor, since: begin)
    #expect(try #require(commands.first).isOn == false)
    let closing = try #require(commands.first { $0.isOn })
    let precharge = try #require(bench.commands(SwitchBench.precharge, since: begin).first { $0.isOn })
    #expect(precharge.instant < closing.instant)
  }

  @Test("a contactor that opens after it was taken over is not closed again by any repetition")
  func opensLater() {
    var bench = SwitchBench.closed()
    let begin = bench.now
    bench.restart(unseenFor: .seconds(3))
    bench.advance(.seconds(5))
    bench.modules[0].bank.set(SwitchBench.contactor, false)
    bench.advance(.seconds(5))
    #expect(bench.commands(SwitchBench.contactor, since: begin).allSatisfy { !$0.isOn })
    #expect(bench.alarms.contains(.switchedUnasked) || bench.alarms.contains(.contactorError))
  }

  @Test("R26, R139: another version of the program begins a full charge cycle; the same one does not")
  func update() {
    for (isUpdated, cvl) in [(true, 14.2), (false, 13.5)] {
      var snapshot = Bench.counted(90)
      snapshot.chargeConditions = 0
      let device = BMSDevice(
        configuration: Bench.configuration(), snapshot: snapshot, unseenFor: .seconds(1), afterUpdate: isUpdated,
        randomSeed: 1, at: .origin)
      var bench = Bench()
      bench.device = device
      bench.device.join(at: bench.now)
      bench.claim()
      bench.advance(.seconds(3))
      #expect(bench.device.status(at: bench.now).outputs.limits.chargeVoltage == cvl)
    }
  }

  @Test("R29: while what was stored is lost, there is no new state that would hide it at the next start")
  func lost() {
    var lost = ChangedSettings()
    lost.areLost = true
    let device = BMSDevice(configuration: Bench.configuration(), changed: lost, randomSeed: 1, at: .origin)
    #expect(device.snapshot == nil)
    #expect(Bench().device.snapshot != nil)
  }
}
