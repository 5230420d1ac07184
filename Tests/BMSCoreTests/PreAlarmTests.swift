import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Pre-alarm and low cell, area E")
struct PreAlarmTests {
  @Test("R83, R85, R129, R233, R237, R343: 3.11 V is silent, 3.10 V warns, drives the relay and leaves the loads alone")
  func begins() {
    var rig = Rig.resting()
    rig.cells(3.11, 3.3)
    #expect(rig.step().alarms.isEmpty)
    #expect(rig.out.lowCellLevel == .fine)
    rig.cells(3.10, 3.3)
    rig.step()
    #expect(rig.out.alarms == [.preAlarm, .loadWillDisconnect])
    #expect(rig.out.relayActive)
    #expect(rig.out.lowCellLevel == .almostDischarged)
    #expect(rig.out.chargeAllowed && rig.out.dischargeAllowed)
    #expect(rig.out.limits.dischargeCurrent == 600, "R91: the default leaves DCL")
    #expect(rig.bms.record(of: .loadWillDisconnect).cause?.value == 3.10)
    #expect(Alarm.preAlarm.definition.ledBlinks == 3)
  }

  @Test("R84: a cell that falls from full to 2.8 V disconnects 30 s after the pre-alarm, not 0.1 s sooner")
  func grace() {
    var rig = Rig.resting()
    rig.cells(2.80, 3.3)
    rig.step()
    let began = rig.now
    #expect(rig.out.alarms == [.preAlarm, .loadWillDisconnect])
    #expect(!rig.run(.milliseconds(29_900)) { !$0.dischargeAllowed })
    rig.step()
    #expect(rig.now - began == .seconds(30))
    #expect(!rig.out.dischargeAllowed && rig.out.protectiveChange)
    #expect(rig.out.alarms == [.lowCell, .loadDisconnected])
    #expect(rig.out.lowCellLevel == .low)
    #expect(rig.out.dischargeReason.rule == .lowCell)
  }

  @Test("R84: the next step is due exactly when the 30 s end, whatever the period")
  func deadline() {
    var rig = Rig.resting()
    rig.cells(2.80, 3.3)
    rig.step()
    let began = rig.now
    rig.period = .milliseconds(70)
    rig.run(.milliseconds(29_960))
    #expect(rig.out.nextDeadline == began + .seconds(30))
    #expect(rig.step(after: rig.out.nextDeadline - rig.now).dischargeAllowed == false)
  }

  @Test("A pre-alarm 30 s old leaves no more grace: 2.8 V disconnects at once, 2.81 V does not")
  func noSecondGrace() {
    var rig = Rig.resting()
    rig.cells(3.0, 3.3)
    rig.step()
    rig.run(.seconds(30))
    rig.cells(2.81, 3.3)
    #expect(rig.step().dischargeAllowed)
    rig.cells(2.80, 3.3)
    #expect(!rig.step().dischargeAllowed)
  }

  @Test("A cell that recovers within the 30 s disconnects nothing")
  func recovers() {
    var rig = Rig.resting()
    rig.cells(2.7, 3.3)
    rig.run(.seconds(29))
    rig.cells(2.81, 3.3)
    #expect(!rig.run(.minutes(5)) { !$0.dischargeAllowed })
    #expect(rig.out.alarms == [.preAlarm, .loadWillDisconnect])
  }

  @Test("OD-12: 2.60 V waits for the 30 s, 2.59 V does not, and the reason says so")
  func hardLimit() {
    var rig = Rig.resting()
    rig.cells(2.60, 3.3)
    #expect(rig.step().dischargeAllowed)
    rig.cells(2.59, 3.3)
    #expect(!rig.step().dischargeAllowed)
    #expect(
      rig.out.dischargeText
        == "discharge forbidden: lowest cell at 2.59 V after a cell fell below 2.6 V, which stops at once, "
        + "until every cell is at 3.2 V or above for 30 s")
    rig.cells(3.19, 3.3)
    #expect(!rig.run(.minutes(1)) { $0.dischargeAllowed })
    rig.cells(3.20, 3.3)
    rig.step()
    #expect(!rig.run(TimeSpan(seconds: 29.9)) { $0.dischargeAllowed })
    #expect(rig.step().dischargeAllowed)
    #expect(rig.out.alarms.isEmpty, "R93: it ends together with its announcement")
  }

  @Test("OD-12: an empty cell under load, back at 3.3 V a second after each opening, opens ATD twice a minute at most")
  func noChatter() {
    var rig = Rig.resting()
    var openings = 0
    var wasAllowed = true
    for _ in 0..<6000 {
      let volts = rig.out.dischargeAllowed ? 2.5 : 3.3
      rig.cells(volts, 3.3)
      rig.step()
      if wasAllowed, !rig.out.dischargeAllowed { openings += 1 }
      wasAllowed = rig.out.dischargeAllowed
    }
    #expect((19...20).contains(openings), "\(openings) in ten minutes")
  }

  @Test("OD-12: after a hard low cell a dip, silence and a gap without steps begin the 30 s anew; a restart does, too")
  func hardHold() {
    for disturbance in 0..<4 {
      var rig = Rig.resting()
      rig.cells(2.59, 3.3)
      rig.step()
      rig.cells(3.2, 3.3)
      rig.run(.seconds(20))
      switch disturbance {
      case 0:
        rig.cells(3.19, 3.3)
        rig.step()
      case 1:
        (rig.lowest, rig.highest) = (nil, nil)
        rig.run(.seconds(6))
      case 2: rig.step(after: .seconds(5))
      default: rig.bms = BMS(restoring: rig.bms.snapshot, unseenFor: .zero)
      }
      rig.cells(3.2, 3.3)
      rig.step()
      #expect(!rig.run(.seconds(29)) { $0.dischargeAllowed }, "\(disturbance)")
      #expect(rig.run(.seconds(2)) { $0.dischargeAllowed }, "\(disturbance)")
    }
  }

  @Test("OD-3: 3.14 V keeps the pre-alarm, 3.15 V ends it after 10 s, and a dip starts the 10 s again")
  func release() {
    var rig = Rig.resting()
    rig.cells(3.1, 3.3)
    rig.step()
    rig.cells(3.14, 3.3)
    #expect(!rig.run(.minutes(1)) { !$0.alarms.contains(.preAlarm) })
    rig.cells(3.15, 3.3)
    rig.run(.seconds(9))
    rig.cells(3.14, 3.3)
    rig.step()
    rig.cells(3.15, 3.3)
    rig.step()
    #expect(!rig.run(.milliseconds(9_900)) { !$0.alarms.contains(.preAlarm) })
    #expect(rig.step().alarms.isEmpty)
    #expect(!rig.out.relayActive)
  }

  @Test("OD-3: silence and a gap without steps do not count as recovered")
  func releaseNeedsData() {
    var rig = Rig.resting()
    rig.cells(3.1, 3.3)
    rig.step()
    rig.cells(3.2, 3.3)
    rig.run(.seconds(5))
    rig.step(after: .minutes(2))
    #expect(rig.out.alarms.contains(.preAlarm))
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.seconds(20))
    #expect(rig.out.alarms.contains(.preAlarm))
  }

  @Test("The 30 s run on while the cells are silent")
  func graceRunsInSilence() {
    var rig = Rig.resting()
    rig.cells(2.8, 3.3)
    rig.step()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.seconds(29))
    rig.cells(2.8, 3.3)
    rig.step()
    #expect(rig.out.dischargeAllowed)
    rig.run(.seconds(1))
    #expect(rig.out.dischargeBlocks == .lowCell)
  }

  @Test("A restart does not grant the 30 s again")
  func restart() {
    var rig = Rig.resting()
    rig.cells(2.8, 3.3)
    rig.step()
    rig.run(.seconds(20))
    var next = Rig(restoring: rig.bms.snapshot)
    next.cells(2.8, 3.3)
    next.step()
    #expect(!next.run(.milliseconds(9_900)) { !$0.dischargeAllowed })
    #expect(!next.step().dischargeAllowed)
    var last = Rig(restoring: next.bms.snapshot)
    last.cells(3.1, 3.3)
    #expect(!last.step().dischargeAllowed)
  }

  @Test("R88: without the batteries' signal 2.81 V is silent, 2.80 V announces, and 30 s later it disconnects")
  func oldBatteries() throws {
    var rig = Rig.resting(try settings((.preAlarmSignal, 0)))
    rig.cells(2.81, 3.3)
    #expect(rig.step().alarms.isEmpty)
    rig.cells(2.80, 3.3)
    #expect(rig.step().alarms == [.preAlarm, .loadWillDisconnect])
    #expect(!rig.run(.milliseconds(29_900)) { !$0.dischargeAllowed })
    #expect(!rig.step().dischargeAllowed)
  }

  @Test("R86, R328: switched off, nothing is announced and 2.80 V disconnects at once")
  func switchedOff() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(2.81, 3.3)
    #expect(rig.step().alarms.isEmpty)
    rig.cells(2.80, 3.3)
    #expect(rig.step().alarms == [.lowCell, .loadDisconnected])
  }

  @Test("R90: DCL at pre-alarm is 0 at 3.10 V and not at 3.11 V, both contacts stay closed; R87: not when switched off")
  func dischargeLimit() throws {
    var rig = Rig.resting(try settings((.dischargeLimitAtPreAlarm, 1)))
    rig.cells(3.11, 3.3)
    #expect(rig.step().limits.dischargeCurrent == 600)
    rig.cells(3.10, 3.3)
    rig.step()
    #expect(rig.out.limits.dischargeCurrent == 0 && rig.out.protectiveChange)
    #expect(rig.out.chargeAllowed && rig.out.dischargeAllowed)
    #expect(
      "\(rig.out.dischargeCurrentReason)"
        == "pre-alarm, lowest cell at 3.1 V, until every cell is at 3.15 V for 10 s")
    rig = Rig.resting(try unannounced((.dischargeLimitAtPreAlarm, 1)))
    rig.cells(3.10, 3.3)
    #expect(rig.step().limits.dischargeCurrent == 600)
  }

  @Test("R343: the pre-alarm voltage is above the low cell voltage and at most 3.15 V")
  func setting() {
    var settings = Settings()
    #expect(throws: SettingError.contradictions([.init(.preAlarmVoltage, 2.8, with: .lowCellVoltage, 2.8)])) {
      try settings.set(.preAlarmVoltage, to: 2.8)
    }
    #expect(throws: Never.self) { try settings.set(.preAlarmVoltage, to: 2.81) }
    #expect(throws: SettingError.notAccepted(.preAlarmVoltage, 3.16)) { try settings.set(.preAlarmVoltage, to: 3.16) }
  }
}
