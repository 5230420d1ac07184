import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Current supervision, area K, and error 36")
struct CurrentTests {
  func rig(_ changes: (Setting, Double)...) throws -> Rig {
    var settings = Settings()
    try settings.set(changes)
    var rig = Rig.resting(settings, soc: 100)
    rig.period = .milliseconds(500)
    return rig
  }

  @Test(
    "R196, OD-24: 500 A (1000 A) is silent, 501 A (1001 A) warns after 10 s",
    arguments: [500.0, 1000])
  func warning(model: Double) throws {
    var rig = try rig((.model, model))
    rig.current = -model
    rig.run(.minutes(1))
    #expect(rig.out.alarms.isEmpty)
    rig.current = -model - 1
    rig.step()
    #expect(!rig.run(.milliseconds(9_500)) { !$0.alarms.isEmpty })
    #expect(rig.step().alarms == [.highDischargeCurrentWarning])
    #expect(rig.out.dischargeAllowed)
    rig.current = -model
    #expect(rig.step().alarms.isEmpty)
  }

  @Test(
    "R197, R198, R124, R125, R202: 600 A waits, 601 A alarms at once, ATD opens 30 s later and is tried again after 5 min"
  )
  func peak() throws {
    var rig = try rig()
    rig.current = -600
    #expect(!rig.step().alarms.contains(.highDischargeCurrent))
    rig.current = -601
    #expect(rig.step().alarms.contains(.highDischargeCurrent))
    #expect(rig.out.alarms.contains(.loadWillDisconnect))
    #expect(!rig.run(.milliseconds(29_500)) { !$0.dischargeAllowed })
    rig.step()
    #expect(!rig.out.dischargeAllowed && rig.out.chargeAllowed)
    #expect(rig.out.limits.dischargeCurrent == 0 && rig.out.protectiveChange)
    #expect(rig.out.dischargeText == "discharge forbidden: too much current for too long, tried again in 300 s")
    rig.current = 0
    #expect(!rig.run(.milliseconds(299_500)) { $0.dischargeAllowed })
    #expect(rig.out.alarms.contains(.highDischargeCurrent))
    #expect(rig.step().dischargeAllowed)
    #expect(!rig.out.alarms.contains(.highDischargeCurrent))
  }

  @Test("R124, R200, R201: a charge current opens ATC only, with the other GX number")
  func charge() throws {
    var rig = try rig()
    rig.current = 700
    rig.step()
    #expect(rig.out.alarms.contains(.highChargeCurrent) && !rig.out.alarms.contains(.highDischargeCurrent))
    rig.run(.seconds(30))
    #expect(rig.out.chargeBlocks == .overcurrent && rig.out.dischargeAllowed)
    #expect(Alarm.highChargeCurrent.definition.gxNumber == 106)
    #expect(Alarm.highDischargeCurrent.definition.gxNumber == 105)
    #expect(Alarm.highChargeCurrent.definition.ledBlinks == 8)
  }

  @Test("R6, R196, R197: 550 A alarms when its 5 minutes are used up, not half a second sooner")
  func budget() throws {
    var rig = try rig((.dischargeFloor, 0), (.lowStateOfChargeWarning, 0), (.batteryCapacity, 1000))
    rig.current = -550
    rig.step()
    #expect(!rig.run(.milliseconds(299_500)) { $0.alarms.contains(.highDischargeCurrent) })
    #expect(rig.step().alarms.contains(.highDischargeCurrent))
    #expect(!rig.run(.milliseconds(29_500)) { !$0.dischargeAllowed })
    #expect(!rig.step().dischargeAllowed)
  }

  @Test("OD-22: pulses add up: 4 min above, 2 min below, then 3 min are left")
  func pulses() throws {
    var rig = try rig((.dischargeFloor, 0), (.lowStateOfChargeWarning, 0), (.batteryCapacity, 1000))
    rig.current = -550
    rig.step()
    rig.run(.minutes(4) - .milliseconds(500))
    rig.current = -500
    rig.step()  // until here the current was above
    rig.run(.minutes(2) - .milliseconds(500))
    rig.current = -550
    rig.step()
    #expect(!rig.run(.milliseconds(179_500)) { $0.alarms.contains(.highDischargeCurrent) })
    #expect(rig.step().alarms.contains(.highDischargeCurrent))
  }

  @Test("R199: a current that falls back after 29.5 s disconnects nothing")
  func fallsBack() throws {
    var rig = try rig()
    rig.current = -700
    rig.step()
    rig.run(.milliseconds(29_500))
    rig.current = -100
    #expect(!rig.run(.minutes(10)) { !$0.dischargeAllowed })
    #expect(rig.out.alarms.isEmpty)
  }

  @Test("A dip of one sample every 29 s does not let 700 A go on for ever")
  func dips() throws {
    var rig = try rig((.dischargeFloor, 0), (.batteryCapacity, 12_000))
    let isStopped = (0..<3).contains { _ in
      rig.current = -700
      if rig.run(.seconds(29), until: { !$0.dischargeAllowed }) { return true }
      rig.current = -400
      rig.step()
      return false
    }
    #expect(isStopped)
  }

  @Test("OD-22: a current that is not known gives no budget back, however long it is lost")
  func lostCurrent() throws {
    var rig = try rig((.dischargeFloor, 0), (.lowStateOfChargeWarning, 0), (.batteryCapacity, 1000))
    rig.current = -550
    rig.step()
    rig.run(.minutes(3))
    // Known for 2 s more, and as above as before; then not.
    rig.current = nil
    rig.run(.hours(1))
    #expect(rig.bms.snapshot.overcurrentSeconds >= 180)
    rig.current = 0
    rig.step()
    let used = rig.bms.snapshot.overcurrentSeconds
    #expect(used >= 180)
    rig.run(.seconds(100))
    #expect(rig.bms.snapshot.overcurrentSeconds == used - 100)
  }

  @Test("A restart gives back neither the budget nor the 5 minutes")
  func restart() throws {
    var rig = try rig()
    rig.current = -700
    rig.step()
    rig.run(.seconds(30))
    rig.current = 0
    rig.run(.minutes(1))
    var next = Rig(restoring: rig.bms.snapshot)
    next.period = .milliseconds(500)
    next.step()
    #expect(next.out.dischargeBlocks == .overcurrent)
    #expect(!next.run(.milliseconds(239_500)) { $0.dischargeAllowed })
    #expect(next.step().dischargeAllowed)
  }

  @Test("R122, OD-11: with ATC open 1.0 A is silent, 1.01 A is error 36 after 10 s and for 10 s beyond its end")
  func chargeWithoutPermission() throws {
    var rig = try rig()
    rig.cells(3.3, 3.76)
    rig.current = 1
    #expect(!rig.run(.minutes(1)) { $0.alarms.contains(.contactFailure) })
    rig.current = 1.01
    #expect(rig.step().alarms.contains(.contactFailure))
    #expect("\(try #require(rig.bms.record(of: .contactFailure).cause))".hasPrefix("current at 1.01 A flows"))
    rig.current = 1
    rig.step()
    #expect(!rig.run(.milliseconds(9_500)) { !$0.alarms.contains(.contactFailure) })
    #expect(!rig.step().alarms.contains(.contactFailure))
  }

  @Test("R121, R123: with ATD open 1.5 A is silent, 1.51 A is error 36, but not before 10 s have passed")
  func dischargeWithoutPermission() throws {
    var rig = try rig((.preAlarm, 0))
    rig.cells(2.7, 3.3)
    rig.current = -1.51
    rig.step()
    #expect(!rig.run(.milliseconds(9_500)) { $0.alarms.contains(.contactFailure) })
    #expect(rig.step().alarms.contains(.contactFailure))
    rig.current = -1.5
    rig.run(.seconds(11))
    #expect(!rig.out.alarms.contains(.contactFailure))
    rig.run(.minutes(1))
    #expect(!rig.out.alarms.contains(.contactFailure))
  }

  @Test("R120: error 36 looks at each direction alone: discharge with ATC open is right")
  func otherDirection() throws {
    var rig = try rig()
    rig.cells(3.3, 3.76)
    rig.current = -50
    #expect(!rig.run(.minutes(1)) { $0.alarms.contains(.contactFailure) })
  }
}

@Suite("Voltage windows, area L")
struct VoltageWindowTests {
  @Test(
    "R204: both edges of each window are inside",
    arguments: [(12.0, 9.0...15.0), (24, 16...30), (48, 32...60)])
  func windows(nominal: Double, window: ClosedRange<Double>) throws {
    #expect(VoltageWindows.window(of: nominal) == window)
    for volts in [window.lowerBound, window.upperBound] {
      var rig = Rig(try settings((.nominalVoltage, nominal)))
      rig.voltage = volts
      #expect(rig.step().chargeAllowed && rig.out.dischargeAllowed)
    }
    for volts in [window.lowerBound - 0.01, window.upperBound + 0.01] {
      var rig = Rig(try settings((.nominalVoltage, nominal)))
      rig.voltage = volts
      rig.step()
      #expect(rig.out.chargeBlocks == .voltageWindow && rig.out.dischargeBlocks == .voltageWindow)
    }
  }

  @Test("R205-R207: which error a voltage is")
  func errors() throws {
    func alarms(_ volts: Double, _ nominal: Double = 12) throws -> (AlarmSet, Rule) {
      var rig = Rig(try settings((.nominalVoltage, nominal)))
      rig.voltage = volts
      rig.step()
      return (rig.out.alarms, rig.out.chargeReason.rule)
    }
    #expect(try alarms(8.99) == ([.voltageNotAllowed], .voltageNotAllowed))
    #expect(try alarms(9) == ([], .allowed))
    #expect(try alarms(15.5) == ([.wrongSystemVoltage], .voltageBetweenWindows))
    #expect(try alarms(26) == ([.wrongSystemVoltage], .wrongSystemVoltage))
    #expect(try alarms(31, 24) == ([.wrongSystemVoltage], .voltageBetweenWindows))
    #expect(try alarms(13, 48) == ([.wrongSystemVoltage], .wrongSystemVoltage))
    #expect(try alarms(60, 48) == ([], .allowed))
    #expect(try alarms(60.01, 48) == ([.voltageNotAllowed], .voltageNotAllowed))
    #expect(Alarm.wrongSystemVoltage.definition.ledBlinks == 7)
    #expect(Alarm.voltageNotAllowed.definition.ledBlinks == 14)
  }

  @Test(
    "R205: outside its window no CVL is above what the lower of the two banks rests at",
    arguments: [
      (24.0, 13.2, 13.5), (48, 13.2, 13.5), (48, 26.4, 27), (12, 26.4, 13.5), (24, 52.8, 27), (12, 15.5, 13.5),
      (24, 8, 27), (24, 15.5, 27),
    ])
  func chargeVoltage(nominal: Double, volts: Double, limit: Double) throws {
    var rig = Rig(try settings((.nominalVoltage, nominal)))
    rig.voltage = volts
    rig.step()
    #expect(rig.out.limits.chargeVoltage == limit && rig.out.limits.chargeCurrent == 0)
    #expect(rig.out.chargeVoltageReason.rule == rig.out.chargeReason.rule)
  }

  @Test("A running bank is given as long as a silent one (2 s), and comes back after 10 s inside")
  func whileRunning() {
    var rig = Rig.resting()
    rig.voltage = 15.01
    rig.step()
    #expect(!rig.run(.milliseconds(1_900)) { !$0.chargeAllowed })
    #expect(!rig.step().chargeAllowed && rig.out.alarms.contains(.wrongSystemVoltage))
    #expect(rig.out.state == .error)
    rig.voltage = 14.9
    rig.step()
    #expect(!rig.run(.milliseconds(9_900)) { $0.chargeAllowed })
    #expect(rig.step().chargeAllowed)
  }

  @Test("R205: no 2 s for a voltage that was lost or impossible before it was outside", arguments: [75.01, nil])
  func afterLoss(before: Double?) {
    var rig = Rig.resting()
    rig.voltage = before
    rig.run(.seconds(3))
    #expect(rig.out.chargeBlocks == .data && rig.out.dischargeBlocks == .data)
    rig.voltage = 15.01
    rig.step()
    #expect(rig.out.chargeBlocks == .voltageWindow && rig.out.dischargeBlocks == .voltageWindow)
    rig.voltage = 15
    rig.step()
    #expect(!rig.run(.milliseconds(9_900)) { $0.chargeAllowed })
    #expect(rig.step().chargeAllowed)
    // Lost and back inside takes no 10 s.
    rig.voltage = before
    rig.run(.seconds(3))
    rig.voltage = 15
    #expect(rig.step().chargeAllowed)
  }

  @Test("R248: setting the right nominal voltage ends it at once")
  func settingChanged() throws {
    var rig = Rig()
    rig.voltage = 26
    #expect(!rig.step().chargeAllowed)
    rig.bms.apply(try settings((.nominalVoltage, 24)))
    #expect(rig.step().chargeAllowed)
  }

  @Test("R17, R19, R208: 12.8, 25.6 and 51.2 V are told as 12, 24 and 48; a gap is not guessed; the first one stays")
  func detection() {
    func detected(_ volts: Double) -> Double? {
      var rig = Rig()
      rig.voltage = volts
      rig.step()
      #expect((rig.out.state == .running) == (9...15 ~= volts), "R208")
      #expect(rig.out.state == .running || rig.out.state == .waiting)
      return rig.out.detectedNominalVoltage
    }
    #expect([9, 15, 15.01, 16, 30, 31, 32, 60, 60.1].map(detected) == [12, 12, nil, 24, 24, nil, 48, 48, nil])
    var rig = Rig()
    rig.voltage = 26
    rig.step()
    #expect(rig.bms.settings[.nominalVoltage] == 12)
    rig.voltage = 13
    #expect(rig.step().detectedNominalVoltage == 24)
    var next = Rig(restoring: rig.bms.snapshot)
    next.voltage = 13
    #expect(next.step().detectedNominalVoltage == 24)
  }
}
