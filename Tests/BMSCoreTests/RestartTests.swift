import MonotonicTime
import Testing

@testable import BMSCore

extension ContactorBench {
  /// The program ends without opening anything, and another run begins with nothing heard yet.
  mutating func restart(unseenFor unseen: TimeSpan? = .seconds(3), snapshot: Snapshot? = nil) {
    let stored = snapshot ?? rig.bms.snapshot
    rig.bms = BMS(settings: rig.bms.settings, wiring: rig.bms.wiring, restoring: stored, unseenFor: unseen)
    rig.inputs = Inputs()
    rig.inputs.batteryVoltage = .waiting
    rig.inputs.current = .waiting
    rig.inputs.batteryTemperature = .waiting
    rig.inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting)
    rig.inputs.systemVoltage = .waiting
    rig.inputs.contactorFeedback = .waiting
    if rig.bms.wiring.contactors == .two { rig.inputs.secondContactorFeedback = .waiting }
    rig.inputs.thermalSwitch = .waiting
    rig.out = Outputs()
  }

  /// Runs and returns whether the contact was closed all the time.
  mutating func staysClosed(_ span: TimeSpan) -> Bool {
    let end = rig.now + span
    while rig.now < end {
      step()
      if !contact { return false }
    }
    return true
  }
}

@Suite("A restart of the program")
struct RestartTests {
  @Test("R24: a restart within 120 s keeps a closed contactor closed, without another pre-charge", arguments: [1, 2])
  func kept(contactors: Int) throws {
    var bench = ContactorBench.closed(contactors: try #require(Wiring.Contactors(rawValue: contactors)))
    #expect(bench.rig.bms.snapshot.isContactorClosed)
    bench.restart(unseenFor: .seconds(120))
    bench.step()
    #expect(bench.contact && bench.out.contactorCommand && !bench.out.prechargeCommand)
    #expect(bench.out.chargeAllowed && bench.out.state == .running, "all data came with the first step here")
    #expect(bench.staysClosed(.minutes(2)) == true)
  }

  @Test("R24, R25: after more than 120 s, or when nobody knows how long it was, a start opens it and pre-charges")
  func tooOld() {
    for unseen in [TimeSpan.seconds(121), .seconds(-1), nil] {
      var bench = ContactorBench.closed()
      bench.restart(unseenFor: unseen)
      #expect(bench.staysClosed(.seconds(1)) == false)
      #expect(bench.run(.seconds(5)) { $0.prechargeCommand } == true)
    }
  }

  @Test(
    "R24, R76: until the feedback was heard no command is given; after 5 s without any ATC opens, 2 s later the contactor"
  )
  func left() {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.hasFeedback = false
    let began = bench.rig.now
    #expect(bench.run(.seconds(6)) { !$0.left.contains(.allowToCharge) } == true)
    #expect(bench.rig.now - began == .milliseconds(5_020) && bench.out.left == .contactor && bench.contact)
    #expect(!bench.out.chargeAllowed)
    #expect(bench.run(.seconds(3)) { !$0.left.contains(.contactor) } == true)
    #expect(bench.rig.now - began == .milliseconds(7_020) && !bench.out.contactorCommand)
  }

  @Test(
    "R76: what forbids before the feedback is heard opens ATC first, and the contactor 2 s later", arguments: [0, 4])
  func forbiddenUnheard(seconds: Int64) throws {
    var bench = ContactorBench.closed()
    bench.rig.remote = true
    bench.run(.seconds(5))
    bench.rig.current = 20
    bench.restart()
    bench.hasFeedback = false
    bench.run(.seconds(seconds))
    bench.rig.remote = false
    let began = bench.rig.now
    #expect(bench.run(.seconds(1)) { !$0.left.contains(.allowToCharge) && !$0.chargeAllowed } == true)
    let open = bench.rig.now
    #expect(open - began <= .milliseconds(100) && bench.out.left.contains(.contactor))
    #expect(bench.run(.seconds(5)) { !$0.left.contains(.contactor) && !$0.contactorCommand } == true)
    #expect(bench.rig.now - open >= .seconds(2) && bench.rig.now - open < .milliseconds(2_200))
  }

  @Test(
    "R24: however late the step comes that hears the first feedback, no contact is called welded",
    arguments: [180, 200, 400, 1000])
  func lateFirstFeedback(milliseconds: Int64) {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.hasFeedback = false
    bench.step()
    bench.hasFeedback = true
    bench.step(.milliseconds(milliseconds))
    #expect(bench.contact && bench.out.contactorCommand)
    #expect(bench.staysClosed(.seconds(5)) == true)
  }

  @Test("R24, R73: a module that boots slower than the BMS opens when it is heard, and is started again; not welded")
  func slowModule() {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.hasFeedback = false
    bench.isOffline = true
    #expect(bench.run(.seconds(30)) { $0.contactorFault != nil } == false)
    #expect(bench.contact && !bench.out.contactorCommand)
    #expect(bench.out.chargeReason.rule == .waitingForData && bench.out.chargeReason.input == .contactor)
    bench.hasFeedback = true
    bench.isOffline = false
    #expect(bench.staysClosed(.seconds(1)) == false)
    #expect(bench.run(.seconds(5)) { $0.state == .running } == true)
    #expect(!bench.wasClosedEarly && bench.out.contactorFault == nil)
  }

  @Test("R73: a welded contact whose module boots late is found 300 ms after it is heard")
  func slowModuleWelded() {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.hasFeedback = false
    bench.run(.seconds(10))
    bench.contact = true
    bench.isWelded = true
    bench.hasFeedback = true
    let began = bench.rig.now
    #expect(bench.run(.seconds(5)) { $0.contactorFault == .welded } == true)
    #expect(bench.rig.now - began <= .milliseconds(340) && bench.rig.now - began >= .milliseconds(280))
  }

  @Test("R24: ATC and ATD are left as they are until the first complete data, 5 s at most, and then follow it")
  func contactsLeft() {
    for contactors in [Wiring.Contactors.none, .one] {
      var bench = ContactorBench.closed(contactors: contactors)
      bench.restart()
      bench.rig.lowest = nil
      bench.step()
      #expect(bench.out.left.isSuperset(of: .contacts) && !bench.out.chargeAllowed && !bench.out.dischargeAllowed)
      #expect(!bench.out.limits.isAvailable, "a limit of zero would stop what is left running")
      #expect(bench.rig.bms.explanation(of: .charge).value == "left as it is")
      #expect(bench.rig.bms.explanation(of: .discharge).value == "left as it is")
      let began = bench.rig.now
      #expect(bench.run(.seconds(10)) { $0.left.isDisjoint(with: .contacts) } == true)
      #expect(bench.rig.now - began == .seconds(5) && !bench.out.chargeAllowed && !bench.out.dischargeAllowed)
      bench.rig.lowest = 3.3
      bench.step()
      #expect(bench.out.chargeAllowed && bench.out.dischargeAllowed && bench.out.left.isEmpty)
      bench.rig.lowest = nil
      #expect(bench.run(.seconds(10)) { !$0.left.isEmpty } == false, "left once, not at each loss")
    }
  }

  @Test("R24: once one direction was allowed nothing is left any more, though data are lost within the 5 s")
  func decidedOnce() {
    var rig = Rig()
    rig.bms = BMS(restoring: Snapshot(), unseenFor: .seconds(3))
    rig.cells(3.3, 3.76)
    rig.step()
    #expect(!rig.out.chargeAllowed && rig.out.dischargeAllowed && rig.out.left.isEmpty)
    rig.current = nil
    for _ in 0..<25 { rig.step() }
    #expect(rig.out.dischargeBlocks == .data && rig.out.left.isEmpty)
  }

  @Test(
    "R73, R77: of two modules that boot late, the second has its own 300 ms from when it is heard, whatever the first says",
    arguments: [false, true])
  func secondModuleLate(isFirstBroken: Bool) {
    for (milliseconds, isWelded) in [(Int64(280), false), (320, true)] {
      var rig = Rig(wiring: Wiring(contactors: .two))
      rig.period = .milliseconds(20)
      rig.inputs.contactorFeedback = .waiting
      rig.inputs.secondContactorFeedback = .waiting
      rig.step()
      for step in 0..<100 {
        let next = rig.now + rig.period
        rig.inputs.contactorFeedback = ContactFeedback(isClosed: false, at: next)
        let since = Int64(step - 50) * 20
        if since >= 0 {
          rig.inputs.secondContactorFeedback = ContactFeedback(isClosed: since < milliseconds, at: next)
          if isFirstBroken { rig.inputs.contactorFeedback.validity = .sensorError }
        }
        rig.step()
      }
      #expect((rig.out.contactorFault == .welded) == isWelded, "\(milliseconds) ms")
    }
  }

  @Test("R24: what is known to forbid, from before the restart or in a single value, leaves nothing allowed")
  func contactsNotLeft() {
    for (wasHigh, isHot) in [(true, false), (false, true)] {
      var snapshot = Snapshot()
      snapshot.highCell = wasHigh
      var rig = Rig(restoring: snapshot)
      rig.bms = BMS(restoring: snapshot, unseenFor: .seconds(3))
      rig.lowest = nil
      rig.temperature = isHot ? 70 : nil
      rig.step()
      #expect(rig.out.chargeBlocks.contains(wasHigh ? .highCell : .highTemperature))
      #expect(!rig.out.left.contains(.allowToCharge))
      #expect(rig.out.left.contains(.allowToDischarge) == wasHigh)
    }
  }

  @Test("R24, R72: a busbar that is seen to be hot leaves a supervisor nothing to leave")
  func hotBusbarNotLeft() {
    for isHot in [true, false] {
      var rig = Rig()
      rig.bms = BMS(restoring: Snapshot(), unseenFor: .seconds(3))
      rig.lowest = nil
      rig.inputs.thermalSwitch = ContactFeedback(isClosed: !isHot, at: rig.now)
      rig.step()
      #expect(rig.out.left == (isHot ? [] : .contacts))
      rig.lowest = 3.3
      rig.step()
      #expect(rig.out.left.isEmpty && rig.out.chargeAllowed == !isHot && rig.out.dischargeAllowed == !isHot)
      #expect(rig.out.limits.isAvailable && rig.out.limits.chargeVoltage != nil)
    }
  }

  @Test("Contactor, ATC and ATD are left each for itself")
  func leftOutputs() {
    #expect([LeftOutputs.contactor, .allowToCharge, .allowToDischarge].map(\.rawValue) == [1, 2, 4])
    #expect(LeftOutputs.contacts == [.allowToCharge, .allowToDischarge])
  }

  @Test("R24, R25: ATC and ATD are left by a restart within 120 s that was On, by nothing else")
  func contactsAreCommanded() {
    for (unseen, mode, isLeft) in [
      (TimeSpan.seconds(120), Mode.on, true), (.zero, .on, true), (.seconds(121), .on, false),
      (.seconds(-1), .on, false), (nil, .on, false), (.seconds(3), .standby, false), (.seconds(3), .off, false),
    ] {
      var snapshot = Snapshot()
      snapshot.mode = mode.rawValue
      var bms = BMS(restoring: snapshot, unseenFor: unseen)
      var inputs = Inputs()
      inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting)
      #expect(bms.step(inputs, at: .origin).left == (isLeft ? .contacts : []), "\(mode) \(String(describing: unseen))")
    }
  }

  @Test("R20, R24: a contact that is found open is pre-charged, whatever the snapshot says")
  func foundOpen() {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.contact = false
    bench.system = 0
    bench.step()
    #expect(!bench.out.contactorCommand && !bench.out.left.contains(.contactor))
    #expect(bench.run(.seconds(5)) { $0.state == .running } == true)
    #expect(!bench.wasClosedEarly)
  }

  @Test("R24: what forbids after a restart opens it 2 s after; 0.5 V across it is no closed contact")
  func forbidden() {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.hot = true
    #expect(bench.staysClosed(TimeSpan(seconds: 1.9)) == true)
    #expect(bench.staysClosed(.seconds(1)) == false)
    bench = ContactorBench.closed()
    bench.restart()
    bench.drop = 0.5
    bench.system = 12.7
    #expect(bench.staysClosed(.seconds(10)) == true)
    bench.restart()
    bench.drop = 0.51
    bench.system = 12.69
    let began = bench.rig.now
    #expect(bench.run(.seconds(3)) { $0.contactorPhase == .lead } == true, "R76: ATC goes first")
    #expect(bench.out.state == .shutdown)
    #expect(bench.rig.now - began == .milliseconds(2_020) && bench.out.left == .contactor && !bench.out.chargeAllowed)
    #expect(bench.staysClosed(TimeSpan(seconds: 1.9)) == true)
    bench.drop = 0
    bench.system = 13.2
    #expect(bench.staysClosed(.seconds(1)) == false, "and nothing calls it back")
  }

  @Test("R71, R24, R147: a contact that a restart finds bad is given no load while it waits and opens")
  func noLoadThroughBadContact() {
    var bench = ContactorBench.closed()
    bench.restart()
    (bench.drop, bench.system) = (3, 10.2)
    bench.rig.lowest = nil
    bench.run(.seconds(20))
    bench.rig.lowest = 3.3
    #expect(
      bench.run(.seconds(8)) {
        $0.dischargeAllowed || $0.chargeAllowed || $0.limits.isAvailable || $0.contactorCommand
          || !$0.left.contains(.contactor)
      }
        == true)
    #expect(!bench.out.contactorCommand && !bench.out.dischargeAllowed && !bench.out.limits.isAvailable)
    #expect(!bench.out.chargeAllowed && bench.out.contactorPhase == .opening)
    #expect(!bench.out.alarms.contains(.loadDisconnected))
  }

  /// A power cut let the contactor fall, its feedback says closed all the same, and a restart finds that.
  private func fallen(system: Double) -> ContactorBench {
    var bench = ContactorBench.closed()
    bench.restart()
    (bench.contact, bench.told) = (false, true)
    bench.system = system
    return bench
  }

  @Test(
    "R20, R24, R71: what fell behind feedback that is stuck at closed is not closed onto its load, but called E-B26",
    arguments: [nil, .systemVoltage, .monitor, .cells] as [WiredRole?])
  func feedbackStuckClosed(unheard: WiredRole?) {
    var bench = fallen(system: 12.69)
    bench.load = 2
    let (volts, lowest) = (bench.rig.voltage, bench.rig.lowest)
    switch unheard {
    case .systemVoltage: bench.hasSystemVoltage = false
    case .monitor: bench.rig.voltage = nil
    case .cells: bench.rig.lowest = nil
    default: break
    }
    #expect(bench.run(.seconds(20)) { $0.contactorCommand || $0.prechargeCommand } == false)
    #expect(bench.out.left.contains(.contactor) == (unheard != nil))
    (bench.hasSystemVoltage, bench.rig.voltage, bench.rig.lowest) = (true, volts, lowest)
    #expect(bench.run(.minutes(2)) { $0.contactorCommand || $0.prechargeCommand } == false)
    #expect(bench.out.alarms.contains(.contactorError) && bench.out.contactorFault == .welded)
    #expect(bench.out.contactorPhase == .failed && !bench.out.chargeAllowed && !bench.out.dischargeAllowed)
  }

  @Test("R24, R71: with no more than 0.5 V across it, it is closed without a blow")
  func fallenAndLevel() {
    for (system, closes) in [(12.7, true), (13.7, true), (12.69, false), (13.71, false)] {
      var bench = fallen(system: system)
      bench.farads = 1e6
      #expect(bench.run(.seconds(1)) { $0.contactorCommand } == closes)
      bench.run(.seconds(5))
      #expect((bench.out.state == .running) == closes && bench.contact == closes)
    }
  }

  @Test("R24: a takeover that is forbidden before it held anything commands nothing closed while ATC leads")
  func forbiddenBeforeHeld() {
    for isLevel in [true, false] {
      var bench = fallen(system: isLevel ? 13.2 : 3)
      bench.hot = true
      #expect(bench.run(TimeSpan(seconds: 1.9)) { $0.contactorCommand || !$0.left.contains(.contactor) } == false)
      #expect(bench.out.contactorPhase == .lead && !bench.out.chargeAllowed)
      #expect(bench.run(.seconds(1)) { !$0.left.contains(.contactor) } == true)
      #expect(bench.run(.minutes(1)) { $0.contactorCommand } == false)
    }
  }

  @Test("R24, R73: a contact that a takeover leaves closed and then opens has its time to do so; it is not welded")
  func openedAfterLeft() {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.hasSystemVoltage = false
    #expect(bench.run(.minutes(2)) { $0.contactorFault != nil || !$0.left.contains(.contactor) } == true)
    #expect(bench.out.contactorPhase == .opening && bench.contact)
    #expect(bench.run(.seconds(5)) { $0.contactorFault != nil } == false)
    #expect(!bench.contact)
  }

  @Test("R24, R71: a voltage from before a load emptied that side closes nothing", arguments: [500, 1000, 1900])
  func oldVoltage(milliseconds: Int64) {
    var bench = fallen(system: 13.2)
    bench.load = 2
    bench.rig.voltage = nil
    bench.step()
    bench.hasSystemVoltage = false
    bench.run(.milliseconds(milliseconds))
    bench.rig.voltage = 13.2
    #expect(bench.run(.milliseconds(500)) { $0.contactorCommand } == false)
  }

  @Test(
    "R24: sides that are apart end a takeover, though its minute is over and the voltage there one step of thirty",
    arguments: [true, false])
  func seldomSystemVoltage(isFallen: Bool) {
    var bench = isFallen ? fallen(system: 3) : ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.farads = 1e6
    if !isFallen {
      bench.restart()
      (bench.drop, bench.system) = (3, 10.2)
    }
    bench.rig.lowest = nil
    bench.run(.seconds(61))
    bench.rig.lowest = 3.3
    var isCommanded = false
    for step in 0..<300 where bench.out.left.contains(.contactor) {
      bench.hasSystemVoltage = step % 30 == 0
      bench.step()
      isCommanded = isCommanded || bench.out.contactorCommand
    }
    #expect(!bench.out.left.contains(.contactor) && !isCommanded)
  }

  @Test("OD-20, R24: voltages that are never fresh together end a takeover after its minute", arguments: [2500, 1500])
  func neverTogether(milliseconds: Int) throws {
    let isSlow = milliseconds == 2500
    var bench = ContactorBench.closed(try settings((.measurementStale, isSlow ? 2 : 1)))
    bench.rig.period = .milliseconds(100)
    bench.restart()
    let (every, later) = isSlow ? (25, 22) : (15, 12)
    let began = bench.rig.now
    for step in 0..<1000 where bench.out.left.contains(.contactor) || step == 0 {
      bench.rig.voltage = step % every == 0 ? 13.2 : nil
      bench.hasSystemVoltage = step % every == later
      bench.step()
      // The bench's battery is there, whether it is told or not.
      if bench.contact { bench.system = 13.2 }
    }
    #expect(!bench.out.left.contains(.contactor) && bench.out.contactorPhase == .opening)
    #expect(bench.rig.now - began > .seconds(62) && bench.rig.now - began < .seconds(67))
  }

  @Test("R71, R24: drops of 0.3 s with level voltages between them are none of 2 s, nor are two around a lead")
  func shortDrops() throws {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.restart()
    var level = 13.2
    for step in 0..<300 {
      // The load swings both, the battery's voltage is told 0.3 s after the other.
      if step % 15 == 0 { level = 25.8 - level }
      (bench.hasSystemVoltage, bench.rig.voltage) = (step % 15 == 0, step % 15 == 3 ? level : nil)
      bench.system = level
      bench.step()
      #expect(bench.out.contactorPhase == .takeover && !bench.out.alarms.contains(.badContact))
    }
    bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.restart()
    func drop(_ volts: Double, _ seconds: Double) {
      (bench.drop, bench.system) = (volts, 13.2 - volts)
      bench.run(TimeSpan(seconds: seconds))
    }
    drop(1, 1.4)
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    drop(0, 1)
    try bench.rig.bms.perform(.requestMode(.on, by: .app))
    drop(1, 0.8)
    #expect(bench.out.contactorPhase == .takeover)
    drop(0, 0.2)
    #expect(bench.out.state == .running && bench.contact)
  }

  @Test("R24, R36: Standby and On each second do not keep a takeover from its end")
  func toggledTakeover() throws {
    var bench = fallen(system: 3)
    bench.rig.period = .milliseconds(100)
    bench.farads = 1e6
    for second in 0..<20 where bench.out.left.contains(.contactor) || second == 0 {
      try bench.rig.bms.perform(.requestMode(second % 2 == 0 ? .standby : .on, by: .app))
      #expect(bench.run(.seconds(1)) { $0.contactorCommand } == false)
    }
    #expect(!bench.out.left.contains(.contactor))
  }

  @Test("R71, R236: W-B04 tells why a takeover opens what is closed badly")
  func badContactTold() {
    var bench = ContactorBench.closed()
    bench.restart()
    (bench.drop, bench.system) = (3, 10.2)
    #expect(bench.run(.seconds(3)) { $0.alarms.contains(.badContact) } == true)
    #expect(bench.out.contactorPhase == .lead && bench.contact)
  }

  @Test("R76, R77: where one of two contacts is found open, or none is wired any more, ATC leads the opening by 2 s")
  func leadWithoutTakeover() {
    for isWired in [true, false] {
      var bench = ContactorBench.closed(contactors: isWired ? .two : .one)
      bench.restart()
      if isWired {
        bench.second = false
      } else {
        bench.hasFeedback = false
        bench.rig.inputs.contactorFeedback = .unassigned
      }
      let began = bench.rig.now
      #expect(bench.run(.seconds(1)) { $0.left == .contactor && !$0.chargeAllowed } == true)
      #expect(bench.rig.now - began <= .milliseconds(40) && bench.contact)
      #expect(bench.run(.seconds(6)) { $0.contactorCommand || !$0.left.contains(.contactor) } == true)
      #expect(bench.rig.now - began >= .seconds(2) && !bench.out.contactorCommand)
    }
  }

  @Test("OD-20, R24: a takeover that cannot look at the system side ends after its minute")
  func takeoverWithoutSystemVoltage() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.restart()
    bench.hasSystemVoltage = false
    let began = bench.rig.now
    var isCommanded = false
    bench.run(.minutes(2)) {
      isCommanded = isCommanded || $0.contactorCommand
      return $0.left.isEmpty
    }
    #expect(!isCommanded, "nobody saw both sides at one voltage")
    #expect(bench.rig.now - began > .seconds(61) && bench.rig.now - began < .seconds(67))
    bench.run(.seconds(10))
    bench.hasSystemVoltage = true
    #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
  }

  @Test("R71, R24: two voltages of which one is from before a change of load do not open what is closed")
  func skewedVoltages() {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.drop = 0.6
    bench.system = 12.6
    for _ in 0..<99 { bench.step() }
    #expect(bench.out.contactorPhase == .takeover)
    bench.drop = 0
    bench.system = 13.2
    bench.step()
    bench.step()
    #expect(bench.out.contactorPhase == .closed && bench.contact)
  }

  @Test("R72, R78: what was hot or bad before a restart is waited for: nothing closes before it says that it is good")
  func hotBeforeRestart() {
    for isSupply in [false, true] {
      var bench = ContactorBench.closed()
      if isSupply {
        bench.rig.inputs.internalSupply = ContactFeedback(isClosed: false, at: bench.rig.now)
      } else {
        bench.hot = true
      }
      #expect(bench.run(.seconds(6)) { !$0.contactorCommand } == true)
      bench.restart()
      if isSupply { bench.rig.inputs.internalSupply = .waiting } else { bench.hearsThermalSwitch = false }
      if !isSupply { bench.rig.inputs.thermalSwitch = .waiting }
      #expect(bench.run(.minutes(2)) { $0.contactorCommand || $0.prechargeCommand } == false)
      #expect(bench.out.alarms.contains(.feedbackLost) && bench.out.contactorFault == nil)
      (bench.hot, bench.hearsThermalSwitch) = (false, true)
      if isSupply { bench.rig.inputs.internalSupply = ContactFeedback(isClosed: true, at: bench.rig.now) }
      #expect(bench.run(.seconds(4)) { $0.contactorCommand } == true)
    }
  }

  @Test("OD-20: a restart without data keeps the contactor for 60 s and the 2 s of the lead, and allows nothing")
  func withoutData() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.restart()
    bench.rig.lowest = nil
    var isAnyAllowed = false
    let began = bench.rig.now
    bench.run(.minutes(2)) {
      if $0.chargeAllowed || $0.dischargeAllowed { isAnyAllowed = true }
      return !$0.contactorCommand && !$0.left.contains(.contactor)
    }
    #expect(!isAnyAllowed)
    #expect(bench.rig.now - began >= .seconds(62) && bench.rig.now - began < TimeSpan(seconds: 62.5))
  }

  @Test("R51: five minutes of an empty battery are five minutes over a restart, not five more")
  func emptyTimer() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.voltage = 11.5
    bench.rig.cells(2.5, 3.0)
    bench.run(.seconds(200))
    #expect(bench.out.mode == .on)
    bench.restart()
    bench.step()
    let left = bench.out.offIn ?? .zero
    #expect(left <= .seconds(101) && left > .seconds(99))
    bench.run(.seconds(102))
    #expect(bench.out.mode == .off && bench.out.offCause == .lowCell)
  }

  @Test("R74: what the second line of defence opened stays open over a restart")
  func secondLine() {
    var snapshot = Snapshot()
    snapshot.heldOpen = CurrentDirection.discharge.rawValue
    snapshot.lowCell = true
    var bench = ContactorBench()
    bench.rig.cells(3.0, 3.3)
    bench.restart(snapshot: snapshot)
    #expect(bench.run(.seconds(20)) { $0.contactorCommand || $0.prechargeCommand } == false)
    bench.rig.cells(3.2, 3.3)
    #expect(bench.run(.seconds(20)) { $0.contactorCommand } == true)
  }

  @Test("OD-18: a pre-charge resistor that was hot cools before a restart tries it again")
  func hotResistor() {
    var bench = ContactorBench()
    bench.load = 0.01
    bench.run(.seconds(2)) { $0.contactorFault != nil }
    let heat = bench.rig.bms.snapshot.prechargeHeat
    #expect(heat > 0)
    bench.restart()
    let began = bench.rig.now
    #expect(bench.run(.seconds(60)) { $0.prechargeCommand } == true)
    // 500 J cool in 30 s.
    #expect(bench.rig.now - began >= TimeSpan(seconds: heat / 500 * 30) - .milliseconds(40))
  }

  @Test("R50: Off without its cause is told as such and ended like a soft Off")
  func causeLost() throws {
    var snapshot = Snapshot()
    snapshot.mode = Mode.off.rawValue
    var rig = Rig(restoring: snapshot)
    rig.step()
    #expect(rig.out.offCause == .error && rig.out.chargeReason.rule == .offAfterError)
    try rig.bms.perform(.requestMode(.on, by: .app))
    #expect(rig.step().mode == .on)
  }

  @Test(
    "R25: an update that fails opens ATC, ATD and then the contactor after 120 s; R27: a retry within them, or later")
  func updateFails() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.inputs.isUpdateFailing = true
    bench.step()
    #expect(bench.run(TimeSpan(seconds: 119.8)) { !$0.chargeAllowed || !$0.dischargeAllowed } == false)
    bench.rig.inputs.isUpdateFailing = false  // a retry
    bench.step()
    bench.rig.inputs.isUpdateFailing = true
    bench.step()
    #expect(bench.run(TimeSpan(seconds: 119.8)) { !$0.chargeAllowed || !$0.dischargeAllowed } == false)
    bench.run(TimeSpan(seconds: 0.2))
    #expect(bench.out.chargeBlocks.contains(.update) && bench.out.dischargeBlocks.contains(.update))
    #expect(bench.out.contactorCommand, "R76: 2 s later")
    bench.run(TimeSpan(seconds: 2.2))
    #expect(!bench.out.contactorCommand)
    bench.rig.inputs.isUpdateFailing = false
    #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
  }

  @Test("R24, R28: while an update goes on the outputs keep their state and the LED alternates")
  func updating() {
    var bench = ContactorBench.closed()
    bench.rig.inputs.isUpdating = true
    #expect(bench.run(.minutes(3)) { !$0.chargeAllowed || !$0.dischargeAllowed || !$0.contactorCommand } == false)
    #expect(bench.out.statusPattern == .alternating)
  }

  @Test("R75: as a setting, more than 0.7 A 30 s after ATD opened opens the contactor; 0.7 A does not; off by default")
  func oldRule() throws {
    for (isOn, amperes, opens) in [(1.0, -0.71, true), (1, -0.7, false), (0, -5, false)] {
      var bench = ContactorBench.closed(try settings((.contactorAfterDischargeContact, isOn)))
      bench.rig.period = .milliseconds(100)
      bench.rig.temperature = 55
      bench.rig.current = amperes
      bench.step()
      #expect(!bench.out.dischargeAllowed)
      let began = bench.rig.now
      #expect(bench.run(.minutes(2)) { !$0.contactorCommand } == opens)
      if opens { #expect(bench.rig.now - began >= .seconds(32) && bench.rig.now - began < .milliseconds(32_300)) }
    }
  }

  @Test("R75: a load that dips for one reading each 25 s is still drawn; one that shows half the time is not")
  func oldRuleAndDips() throws {
    for (drawn, opens) in [(249, true), (1, false), (125, false)] {
      var bench = ContactorBench.closed(try settings((.contactorAfterDischargeContact, 1)))
      bench.rig.period = .milliseconds(100)
      bench.rig.temperature = 55
      var opened = false
      for step in 0..<6000 {
        bench.rig.current = step % 250 < drawn ? -20 : 2
        bench.step()
        opened = opened || !bench.out.contactorCommand
      }
      #expect(opened == opens, "\(drawn) of 250")
    }
  }

  @Test("R24, R76: a second restart before the first saw any data keeps it closed as well, 60 s in all (OD-20)")
  func secondRestart() {
    var bench = ContactorBench.closed()
    var whole = TimeSpan.zero
    for seconds in [3, 20, 30, 40] as [Int64] {
      bench.restart()
      bench.rig.lowest = nil
      let began = bench.rig.now
      let isKept = bench.staysClosed(.seconds(seconds))
      whole += bench.rig.now - began
      guard isKept else { break }
    }
    #expect(whole > .seconds(60) && whole < .seconds(63), "\(whole.seconds) s")
  }

  @Test("R71, R24: a takeover that was broken off still has to see both sides at one voltage")
  func brokenTakeover() throws {
    var bench = ContactorBench.closed()
    bench.restart()
    bench.drop = 3
    bench.system = 10.2
    bench.rig.lowest = nil
    bench.step()
    try bench.rig.bms.perform(.requestMode(.standby, by: .app))
    bench.step()
    #expect(bench.out.contactorPhase == .lead)
    try bench.rig.bms.perform(.requestMode(.on, by: .app))
    bench.rig.lowest = 3.3
    bench.step()
    bench.step()
    #expect(bench.out.contactorPhase == .takeover && !bench.out.chargeAllowed)
    #expect(bench.run(.seconds(5)) { $0.contactorCommand || !$0.left.contains(.contactor) } == true)
    #expect(bench.out.contactorPhase == .opening && !bench.out.contactorCommand)
  }

  @Test("R48, R74: a remote that is closed at the first look tries anew what was held open, as it does in one run")
  func heldOpenAndSwitchedOn() {
    var snapshot = Snapshot()
    (snapshot.mode, snapshot.offCause) = (Mode.off.rawValue, OffCause.remote.rawValue)
    (snapshot.heldOpen, snapshot.lowCell) = (CurrentDirection.discharge.rawValue, true)
    var rig = Rig(restoring: snapshot)
    #expect(rig.bms.decided.mode == .off && rig.bms.decided.offCause == .remote)
    rig.cells(3.0, 3.0)
    rig.remote = true
    #expect(rig.step().mode == .on && rig.bms.heldOpen == nil)
  }

  @Test("R24, R44: a restart that keeps the contactor closed waits 5 s for the remote, not longer")
  func remoteNotHeardAndClosed() {
    var bench = ContactorBench()
    bench.rig.remote = true
    #expect(bench.run(.seconds(5)) { $0.state == .running } == true)
    bench.step()
    bench.restart()
    (bench.rig.remote, bench.rig.inputs.remote.bridge) = (nil, .waiting)
    let began = bench.rig.now
    #expect(bench.run(.seconds(6)) { $0.mode != .on } == true)
    #expect(bench.rig.now - began == .milliseconds(5_020) && bench.contact)
  }

  @Test("R24, R44: a restart that keeps no contactor closed does not wait for the remote either")
  func remoteNotHeardAndOpen() {
    for isSilent in [true, false] {
      var bench = ContactorBench()
      bench.rig.remote = true
      #expect(bench.run(.seconds(5)) { $0.state == .running } == true)
      if isSilent {
        (bench.rig.remote, bench.rig.inputs.remote.bridge) = (nil, .waiting)
      } else {
        bench.rig.remote = false
      }
      #expect(bench.run(.seconds(75)) { $0.contactorPhase == .open } == true)
      #expect(!bench.rig.bms.snapshot.isContactorClosed && bench.rig.bms.snapshot.isRemoteSilent == isSilent)
      for _ in 0..<3 {
        bench.restart()
        (bench.rig.remote, bench.rig.inputs.remote.bridge) = (nil, .waiting)
        #expect(bench.run(.seconds(20)) { $0.contactorCommand || $0.prechargeCommand || $0.mode != .off } == false)
      }
      bench.rig.remote = true
      #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
    }
  }

  @Test("R24, R49: a supervisor that silence forced Off is Off after a restart, and back in its mode when heard")
  func silencedSupervisor() throws {
    var rig = Rig.resting()
    rig.remote = true
    rig.step()
    try rig.bms.perform(.requestMode(.standby, by: .app))
    rig.step()
    rig.remote = nil
    rig.run(.seconds(70))
    #expect(rig.out.mode == .off && rig.bms.snapshot.mode == Mode.standby.rawValue)
    rig.bms = BMS(restoring: rig.bms.snapshot, unseenFor: .seconds(3))
    rig.inputs.remote.bridge = .waiting
    #expect(rig.step().mode == .off && !rig.out.chargeAllowed && rig.out.left.isEmpty)
    rig.remote = true
    #expect(rig.step().mode == .standby)
  }

  @Test("OD-20, R208: a takeover that sees a voltage of no bank, or impossible cells, ends after 60 s and opens once")
  func takeoverThatNeverCompletes() {
    for isVoltage in [true, false] {
      var bench = ContactorBench.closed()
      bench.restart()
      if isVoltage { bench.rig.voltage = 16.5 } else { bench.rig.lowest = 6.5 }
      var phases = [ContactorPhase]()
      let began = bench.rig.now
      bench.run(.seconds(90)) {
        if phases.last != $0.contactorPhase { phases.append($0.contactorPhase) }
        return !$0.contactorCommand && !$0.left.contains(.contactor)
      }
      #expect(phases == [.takeover, .lead, .opening], "\(phases)")
      #expect(bench.rig.now - began > .seconds(61) && bench.rig.now - began < .seconds(63))
    }
  }
}
