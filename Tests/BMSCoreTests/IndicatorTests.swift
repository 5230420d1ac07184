import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Relay, AUX and LEDs")
struct IndicatorTests {
  @Test("R127: continuous by default; a warning of its own does not drive it, unless it is set to (R133)")
  func alarmRelay() throws {
    var rig = Rig.resting()
    rig.cells(3.3, 3.3)
    rig.temperature = 4
    rig.step()
    #expect(rig.out.alarms == [.lowTemperature] && !rig.out.relayActive)
    rig.cells(2.5, 3.3)
    #expect(rig.step().relayActive)
    #expect(!rig.run(.seconds(10)) { !$0.relayActive })
    rig = Rig.resting(try settings((.relayOnWarning, 1)))
    #expect(!rig.step().relayActive)
    rig.temperature = 4
    #expect(rig.step().relayActive)
  }

  @Test("R128, R330: intermittent is 0.8 s on and 0.8 s off, to the deadline")
  func intermittent() throws {
    var rig = Rig.resting(try settings((.relayIntermittent, 1)))
    rig.cells(2.5, 3.3)
    rig.step()
    let began = rig.now
    rig.period = .milliseconds(70)
    var changes: [TimeSpan] = []
    var was = rig.out.relayActive
    #expect(was)
    while rig.now - began < .seconds(5) {
      rig.step(after: rig.out.nextDeadline - rig.now)
      if rig.out.relayActive != was { changes.append(rig.now - began) }
      was = rig.out.relayActive
    }
    #expect(changes == [800, 1600, 2400, 3200, 4000, 4800].map { .milliseconds($0) })
  }

  @Test("R130-R132: as alternator ATC it follows charging, leads the contactor by 2 s, and no alarm drives it")
  func alternator() throws {
    var bench = ContactorBench(try settings((.relayAlternator, 1)))
    let early = bench.run(.seconds(3)) { $0.relayActive && $0.state != .running || $0.state == .running }
    #expect(early && bench.out.relayActive)
    bench.rig.cells(3.3, 3.75)
    #expect(!bench.step().relayActive)
    bench.rig.cells(3.3, 3.5)
    #expect(bench.step().relayActive)
    bench.rig.cells(2.5, 3.3)
    #expect(bench.step().relayActive, "an alarm, and charging is allowed")
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.step()
    #expect(!bench.out.relayActive && bench.out.contactorCommand)
    let began = bench.rig.now
    bench.run(.seconds(5)) { !$0.contactorCommand }
    #expect(bench.rig.now - began == .seconds(2))
  }

  @Test("R33-R35, R98: AUX is on in On and Standby and off in Off; the relay is off in Off")
  func auxiliary() throws {
    var rig = Rig.resting()
    rig.cells(2.5, 3.3)
    rig.step()
    #expect(rig.out.auxiliary && rig.out.relayActive)
    try rig.bms.perform(.requestMode(.standby, by: .app))
    #expect(rig.step().auxiliary)
    try rig.bms.perform(.requestMode(.off, by: .app))
    rig.step()
    #expect(!rig.out.auxiliary && !rig.out.relayActive && !rig.out.contactorCommand)
  }

  @Test("R70, R213-R219: where the BMS stands")
  func states() throws {
    var bench = ContactorBench()
    var seen: [StatusPattern] = []
    bench.run(.seconds(3)) {
      if seen.last != $0.statusPattern { seen.append($0.statusPattern) }
      return $0.state == .running
    }
    #expect(seen == [.orange, .greenBlinking, .orange, .green])
    bench.rig.inputs.isUpdating = true
    #expect(bench.step().statusPattern == .alternating)
    bench.rig.inputs.isUpdating = false
    try bench.rig.bms.perform(.requestMode(.off, by: .app))
    #expect(bench.step().statusPattern == .orange)
    bench.run(.seconds(4))
    #expect(bench.out.statusPattern == .off)
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    #expect(bench.step().statusPattern == .greenFlash)
  }

  @Test("R61, R215: Off while the pre-charge resistor is hot blinks orange and ends dark")
  func delayed() throws {
    var bench = ContactorBench()
    bench.farads = 10
    bench.run(.seconds(6)) { $0.contactorFault != nil }
    try bench.rig.bms.perform(.requestMode(.off, by: .app))
    bench.step()
    #expect(bench.step().statusPattern == .orangeBlinking)
    bench.run(.seconds(35))
    #expect(bench.out.statusPattern == .off)
  }

  @Test("R111, R220-R231: the code of each alarm")
  func codes() {
    let codes: [(Alarm, Int)] = [
      (.currentLate, 1), (.cellsLost, 2), (.lowCell, 3), (.highCell, 3), (.preAlarm, 3), (.lowTemperature, 3),
      (.highBMSTemperature, 4), (.prechargeTimeout, 5), (.prechargeOverload, 6), (.wrongSystemVoltage, 7),
      (.highDischargeCurrent, 8), (.hardware, 9), (.contactorError, 10), (.voltageNotAllowed, 14),
    ]
    for (alarm, blinks) in codes { #expect(LEDPriority.table.blinks([alarm]) == blinks, "\(alarm)") }
    #expect(LEDPriority.table.blinks([]) == nil)
  }

  @Test("R232, OD-14: the more serious wins, then 14, 12, 10, 9, 7, 6, 5, 8, 2, 3, 4, 1; companions show nothing")
  func priority() {
    #expect(LEDPriority.table.blinks([.contactorError, .voltageNotAllowed]) == 14)
    #expect(LEDPriority.table.blinks([.prechargeTimeout, .prechargeOverload]) == 6)
    #expect(LEDPriority.table.blinks([.lowCell, .highDischargeCurrent]) == 8)
    #expect(LEDPriority.table.blinks([.highBMSTemperature, .preAlarm]) == 3)
    #expect(LEDPriority.table.blinks([.contactFailure, .lowCell]) == 1, "an error before an alarm")
    #expect(LEDPriority.table.blinks([.loadDisconnected, .lowCell]) == 3)
    #expect(LEDPriority.table.blinks([.loadDisconnected]) == nil)
  }

  @Test("R220, R218: n blinks in a 4 s frame, a flash each 3 s")
  func shapes() {
    func flanks(_ pattern: StatusPattern, _ seconds: Int64) -> Int {
      var count = 0
      var was = LEDColour.dark
      for milliseconds in 0..<(seconds * 1000) {
        let colour = pattern.colour(after: .milliseconds(milliseconds))
        if was == .dark, colour != .dark { count += 1 }
        was = colour
      }
      return count
    }
    for blinks in [1, 3, 14] { #expect(flanks(.red(blinks: blinks), 8) == 2 * blinks) }
    #expect(flanks(.greenFlash, 9) == 3)
    #expect(flanks(.green, 9) == 1 && flanks(.off, 9) == 0)
    #expect(StatusPattern.alternating.colour(after: .zero) == .green)
    #expect(StatusPattern.alternating.colour(after: .milliseconds(500)) == .red)
  }

  @Test("R209-R212: the Bluetooth LED")
  func channel() throws {
    var rig = Rig.resting()
    #expect(rig.out.channelPattern == .flashing)
    rig.inputs.hasControlClient = true
    #expect(rig.step().channelPattern == .on)
    rig.inputs.hasControlClient = false
    try rig.bms.perform(.requestMode(.off, by: .app))
    #expect(rig.step().channelPattern == .slowFlash)
    rig.inputs.isControlEnabled = false
    #expect(rig.step().channelPattern == .off)
  }

  @Test("R115, R235, OD-5: 74.9 °C is silent, 75 warns, 70.1 keeps it, 70 ends it")
  func bmsTemperature() {
    var rig = Rig.resting()
    func warns(_ celsius: Double) -> Bool {
      rig.inputs.bmsTemperature = Measurement(celsius, at: rig.now + rig.period)
      return rig.step().alarms.contains(.highBMSTemperature)
    }
    #expect(!warns(74.9))
    #expect(warns(75))
    #expect(warns(70.1))
    #expect(!warns(70))
    #expect(rig.out.chargeAllowed)
  }
}
