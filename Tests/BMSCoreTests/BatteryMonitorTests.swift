import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Battery monitor, area I")
struct BatteryMonitorTests {
  /// Runs at a constant current in steps of a second.
  func run(_ rig: inout Rig, _ amperes: Double, _ span: TimeSpan) {
    rig.period = .seconds(1)
    rig.current = amperes
    rig.step(after: .zero)  // the new current holds from here on
    rig.run(span)
  }

  @Test("R162, R163: at 200 Ah 7.9 A syncs after 3 min, 8.0 A and 8.1 A never")
  func tailCurrent() {
    for (amperes, syncs) in [(7.9, true), (8.0, false), (8.1, false)] {
      var rig = Rig.resting(soc: 80)
      rig.voltage = 14.01
      rig.current = amperes
      rig.step()
      #expect(!rig.run(.milliseconds(179_900)) { $0.events.synchronised != nil }, "\(amperes) A")
      rig.step()
      #expect((rig.out.events.synchronised?.cause == .charged) == syncs, "\(amperes) A")
      #expect((rig.out.stateOfCharge == 100) == syncs, "\(amperes) A")
      if syncs { #expect(!rig.run(.minutes(5)) { $0.events.synchronised != nil }, "one sync is one event") }
    }
  }

  @Test("R168, R188: a detection time that is shortened below what has passed synchronises with an event, and counts")
  func shortenedDetection() throws {
    var rig = Rig.resting(soc: 80)
    rig.voltage = 14.01
    rig.current = 1
    rig.step()
    #expect(!rig.run(.seconds(100)) { $0.events.synchronised != nil })
    rig.bms.apply(try settings((.chargedDetectionTime, 1)))
    rig.step()
    #expect(rig.out.events.synchronised?.cause == .charged && rig.out.stateOfCharge == 100)
    #expect(rig.bms.history.synchronisations == 1)
    rig.bms.apply(Settings())
    #expect(!rig.run(.seconds(79)) { $0.events.synchronised != nil })
  }

  @Test("R163, R165: exactly 14.0 V does not sync, 14.01 V does; at 48 V 56.0 and 56.04 V")
  func chargedVoltage() throws {
    for (nominal, volts, syncs) in [(12.0, 14.0, false), (12, 14.01, true), (48, 56.0, false), (48, 56.04, true)] {
      var rig = Rig.resting(try settings((.nominalVoltage, nominal)), soc: 80)
      rig.voltage = volts
      rig.current = 1
      rig.step()
      rig.run(.minutes(3))
      #expect((rig.out.stateOfCharge == 100) == syncs, "\(volts) V")
    }
  }

  @Test("A current with the wrong sign never syncs; reversing it does (R341)")
  func sign() throws {
    var rig = Rig.resting(soc: 80)
    rig.voltage = 14.1
    rig.current = -5
    rig.run(.minutes(10))
    #expect(rig.out.stateOfCharge ?? 100 < 80)
    rig = Rig.resting(try settings((.currentReversed, 1)), soc: 80)
    rig.voltage = 14.1
    rig.current = -5
    rig.run(.minutes(4))
    #expect(rig.out.current == 5)
    #expect(rig.out.stateOfCharge == 100)
  }

  @Test("R164: a break of either condition, or a gap in the data, restarts the 3 min", arguments: 0..<4)
  func interruption(kind: Int) {
    var rig = Rig.resting(soc: 80)
    (rig.voltage, rig.current) = (14.1, 5)
    rig.run(.seconds(170))
    switch kind {
    case 0: rig.voltage = 13.99
    case 1: rig.current = 8.1
    case 2:
      rig.current = nil
      rig.run(.seconds(2))
    default: rig.step(after: .seconds(5))
    }
    if kind < 2 { rig.step() }
    (rig.voltage, rig.current) = (14.1, 5)
    rig.step()
    #expect(!rig.run(.milliseconds(179_800)) { $0.stateOfCharge == 100 })
    rig.run(.milliseconds(200))
    #expect(rig.out.stateOfCharge == 100)
  }

  @Test("R160, R170, Z-3: 56.5 A for 160 s: consumed 2.51 Ah raw, missing 1.0904 times that")
  func peukert() throws {
    var rig = Rig.resting(soc: 100)
    run(&rig, -56.5, .seconds(160))
    let raw = 56.5 * 160 / 3600
    #expect(abs(try #require(rig.out.consumed) + raw) < 1e-9)
    // (56.5 / 10)^0.05 = 1.090448...
    let missing = 100 - (try #require(rig.out.stateOfCharge))
    #expect(abs(missing / 100 * 200 / raw - 1.0904) < 0.0001)
  }

  @Test("At and below the 20 h rate Peukert adds nothing and gives nothing")
  func peukertAtTwentyHours() throws {
    for amperes in [10.0, 1] {
      var rig = Rig.resting(soc: 100)
      run(&rig, -amperes, .hours(1))
      #expect(abs(100 - (try #require(rig.out.stateOfCharge)) - amperes / 2) < 1e-6)
    }
  }

  @Test("R159, R171, Z-4: charge counts 99 %, and missing shrinks in proportion to consumed")
  func charging() throws {
    var rig = Rig.resting(soc: 100)
    run(&rig, -100, .minutes(30))
    let before = rig.bms.snapshot
    run(&rig, 100, .minutes(15))
    let after = rig.bms.snapshot
    #expect(abs(after.consumed - before.consumed - 25 * 0.99) < 1e-6)
    #expect(abs(after.missing / after.consumed - before.missing / before.consumed) < 1e-9)
    run(&rig, 100, .minutes(20))
    #expect(rig.out.stateOfCharge == 100)
    #expect(rig.out.consumed == 0)
  }

  @Test("R161: 0.04 A counts as nothing in both directions, 0.05 A counts")
  func threshold() {
    for (amperes, counts) in [(0.04, false), (-0.04, false), (0.05, true), (-0.05, true)] {
      var rig = Rig.resting(soc: 50)
      let before = rig.out.consumed
      run(&rig, amperes, .minutes(10))
      #expect((rig.out.consumed != before) == counts, "\(amperes) A")
    }
  }

  @Test("A gap is not integrated: 2 s of it at most, the rest is counted as uncounted")
  func gap() {
    var rig = Rig.resting(soc: 50)
    rig.current = -100
    rig.step()
    let before = rig.bms.snapshot
    rig.step(after: .hours(1))
    #expect(abs(rig.bms.snapshot.consumed - before.consumed + 100 * 2 / 3600.0) < 1e-9)
    #expect(rig.bms.snapshot.uncountedSeconds == 3598)
    rig.current = nil
    let last = rig.bms.snapshot
    rig.step(after: .seconds(3))
    #expect(rig.bms.snapshot.consumed == last.consumed, "it fell silent somewhere in these 3 s")
    rig.run(.seconds(10))
    let silent = rig.bms.snapshot
    rig.run(.minutes(10))
    #expect(rig.bms.snapshot.consumed == silent.consumed)
    #expect(abs(rig.bms.snapshot.uncountedSeconds - silent.uncountedSeconds - 600) < 1e-6)
  }

  @Test("R182: unknown before the first sync; a set value is trusted; 0...100 only")
  func unknown() throws {
    var rig = Rig()
    rig.step()
    #expect(rig.out.stateOfCharge == nil && rig.out.consumed == nil && rig.out.timeToGo == nil)
    #expect(!rig.out.isStateOfChargeTrusted)
    for refused in [-0.1, 100.1, .nan, .infinity] {
      #expect(throws: CommandError.self) { try rig.bms.perform(.setStateOfCharge(refused)) }
    }
    #expect(rig.step().stateOfCharge == nil)
    try rig.bms.perform(.setStateOfCharge(42))
    rig.step()
    #expect(rig.out.stateOfCharge == 42 && rig.out.isStateOfChargeTrusted)
    #expect(rig.out.events.synchronised?.cause == .set)
    try rig.bms.perform(.synchronise)
    rig.step()
    #expect(rig.out.stateOfCharge == 100 && rig.out.consumed == 0)
    #expect(rig.out.events.synchronised?.before == 42)
  }

  @Test("Counting begins at an outside monitor's state of charge when nothing is known; it is not trusted")
  func outsideMonitor() throws {
    var rig = Rig()
    rig.inputs.reportedStateOfCharge.report(5, at: rig.now)
    rig.step()
    #expect(rig.out.stateOfCharge == 5 && !rig.out.isStateOfChargeTrusted)
    #expect(rig.out.events.synchronised?.cause == .reported)
    #expect(rig.out.dischargeAllowed, "at 5 % it is below the floor, but nobody here saw it full")
    rig.inputs.reportedStateOfCharge.report(80, at: rig.now)
    #expect(try #require(rig.step().stateOfCharge) < 6, "later reports change nothing")
  }

  @Test("A reported state of charge that is old, missing or known better is not taken")
  func outsideMonitorRefused() {
    var rig = Rig()
    rig.inputs.reportedStateOfCharge.report(50, at: rig.now)
    rig.step(after: .milliseconds(9_001))
    #expect(rig.out.stateOfCharge == nil)
    rig.inputs.reportedStateOfCharge.report(.notAvailable)
    #expect(rig.step().stateOfCharge == nil)
    rig = Rig.resting(soc: 90)
    rig.inputs.reportedStateOfCharge.report(50, at: rig.now)
    #expect(rig.step().stateOfCharge == 90)
  }

  @Test("R172-R174, Z-6: at 89.9 % with 56.5 A the time to the 10 % floor is 9240...9350 s, in whole minutes")
  func timeToGo() throws {
    var rig = Rig.resting(soc: 90)
    run(&rig, -56.5, .seconds(10))
    let early = try #require(rig.out.timeToGo)
    run(&rig, -56.5, .seconds(170))
    try rig.bms.perform(.setStateOfCharge(89.9))
    let settled = try #require(rig.step().timeToGo)
    #expect(early > settled)
    #expect(settled.seconds >= 9240 && settled.seconds <= 9360)
    #expect(settled.seconds.truncatingRemainder(dividingBy: 60) == 0)
    rig.current = 1
    #expect(rig.step().timeToGo == nil)
  }

  @Test("R173: after 23 s of a step the average has 63 % of it")
  func averaging() throws {
    var rig = Rig.resting(soc: 100)
    run(&rig, -10, .seconds(23))
    // 10 A * 0.632 for (100 - 10) % of 200 Ah, no Peukert below 10 A
    let hours = (90 - 0.0639 / 2) / 100 * 200 / 6.3212
    #expect(abs((try #require(rig.out.timeToGo)).hours - hours) < 0.02)
  }

  @Test("R174, R175: 10 days at most; 0 at the floor and below")
  func timeToGoBounds() throws {
    var rig = Rig.resting(soc: 90)
    #expect(rig.out.timeToGo == .seconds(864_000))
    try rig.bms.perform(.setStateOfCharge(10))
    rig.current = -20
    #expect(rig.step().timeToGo == .zero)
    try rig.bms.perform(.setStateOfCharge(9))
    #expect(rig.step().timeToGo == .zero)
  }

  @Test("Logarithm and exponential against known values")
  func mathematics() {
    #expect(abs(naturalLogarithm(2) - 0.693_147_180_559_945_3) < 1e-15)
    #expect(abs(naturalLogarithm(10) - 2.302_585_092_994_045_7) < 1e-14)
    #expect(abs(naturalLogarithm(5.65) - 1.731_655_545_158_349) < 1e-13)
    #expect(abs(exponential(1) - 2.718_281_828_459_045) < 1e-14)
    #expect(abs(exponential(-10) - 4.539_992_976_248_485e-5) < 1e-17)
    #expect(exponential(0) == 1)
    #expect(exponential(-1e9) < 1e-300)
  }

  @Test("R182: the bound of the error is 2 % at a sync, 5 % when set by hand, and none before")
  func errorBegins() throws {
    var rig = Rig()
    #expect(rig.step().stateOfChargeError == nil)
    #expect(rig.out.stateOfChargeAge == nil)
    try rig.bms.perform(.setStateOfCharge(60))
    #expect(rig.step(after: .zero).stateOfChargeError == 5)
    try rig.bms.perform(.synchronise)
    #expect(rig.step(after: .zero).stateOfChargeError == 2)
    rig.step(after: .seconds(1))
    #expect(rig.out.stateOfChargeAge == .seconds(1))
    rig = Rig()
    rig.inputs.reportedStateOfCharge.report(60, at: rig.now)
    #expect(rig.step().stateOfChargeError == nil, "an outside monitor's is not trusted")
  }

  @Test("R182: the bound grows by 0.5 % of throughput, 0.1 A of time, 1 % of charge, all of Peukert; nothing lowers it")
  func errorGrows() throws {
    func grown(_ amperes: Double, from percent: Double = 50) throws -> Double {
      var rig = Rig.resting()
      rig.current = amperes
      rig.step()
      try rig.bms.perform(.setStateOfCharge(percent))
      var last = 0.0
      for _ in 0..<3600 {
        rig.step(after: .seconds(1))
        let error = try #require(rig.out.stateOfChargeError)
        #expect(error >= last)
        last = error
      }
      return last - 5
    }
    #expect(abs(try grown(0) - 0.05) < 1e-6, "0.1 Ah of 200 Ah")
    #expect(abs(try grown(-10) - 0.075) < 1e-6, "and 0.5 % of 10 Ah; at the 20 h rate Peukert adds nothing")
    #expect(abs(try grown(20) - 0.2) < 1e-6, "and 1.5 % of 20 Ah")
    #expect(abs(try grown(-56.5) - (0.05 + 56.5 * (0.005 + 0.0904) / 2)) < 0.003, "Z-3: Peukert 1.0904")
  }

  @Test("A gap adds what 1 C would have moved in it; a restart does so for the time nobody counted, or knows no bound")
  func errorUnseen() throws {
    var rig = Rig.resting()
    try rig.bms.perform(.synchronise)
    rig.step(after: .zero)
    rig.step(after: .seconds(38))  // 2 s counted, 36 s not: 1 % of an hour
    #expect(abs(try #require(rig.out.stateOfChargeError) - 3) < 0.001)
    let snapshot = rig.bms.snapshot
    var again = Rig(restoring: snapshot)
    #expect(again.step().stateOfChargeError == nil && again.out.stateOfCharge == 100)
    again.bms = BMS(restoring: snapshot, unseenFor: .seconds(36))
    again.now = .origin
    #expect(abs(try #require(again.step().stateOfChargeError) - 4) < 0.001)
    #expect(again.out.stateOfChargeAge == .seconds(74))
  }

  @Test("The count stays inside its bound for 5 days of half cycles on a shunt that reads 0.4 % and 40 mA too much")
  func errorHolds() throws {
    var rig = Rig.resting(try settings((.measurementStale, 10), (.measurementLate, 5)))
    try rig.bms.perform(.setStateOfCharge(80))
    rig.step(after: .zero)
    var truth = 160.0
    for step in 0..<720 {  // 10 minutes each
      let amperes = step / 12 % 2 == 0 ? -30.0 : 29.9
      truth += amperes / 6 * (amperes > 0 ? 0.9995 : 1)
      rig.current = amperes * 1.004 + 0.04
      for _ in 0..<60 { rig.step(after: .seconds(10)) }
      let soc = try #require(rig.out.stateOfCharge)
      let error = try #require(rig.out.stateOfChargeError)
      #expect(abs(soc - truth / 2) <= error, "\(soc) against \(truth / 2), bound \(error)")
      guard abs(soc - truth / 2) <= error else { return }
    }
  }
}
