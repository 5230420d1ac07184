import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Rules of their own file at their edges")
struct RuleEdgeTests {
  // MARK: Snapshot

  @Test("A BMS that never ran has latched, counted and known nothing")
  func emptySnapshot() {
    let empty = Snapshot()
    #expect(empty.version == 7 && empty.defect == nil && empty.mode == 3 && empty.offCause == nil)
    let flags = [
      empty.isStateOfChargeKnown, empty.isStateOfChargeTrusted, empty.isFullCharge, empty.hasTemperature,
      empty.lowCell, empty.highCell, empty.lowTemperature, empty.highTemperature, empty.veryHighTemperature,
      empty.dischargeFloor, empty.isReduced, empty.isLowCellHard, empty.preAlarm,
    ]
    #expect(!flags.contains(true))
    let numbers = [
      empty.consumed, empty.missing, empty.uncountedSeconds, empty.absorbedSeconds, empty.preAlarmSeconds,
      empty.overcurrentSeconds, empty.chargeGraceSeconds, empty.dischargeGraceSeconds,
    ]
    #expect(numbers.allSatisfy { $0 == 0 } && empty.chargeConditions == 0)
    #expect(empty.secondsSinceSynchronisation == nil && empty.secondsSinceFullCharge == nil)
    #expect(empty.chargeRetrySeconds == nil && empty.dischargeRetrySeconds == nil)
    #expect(empty.detectedPreAlarmSignal == nil)
    #expect(empty.detectedNominalVoltage == nil && empty.history == History())
    var expected = Snapshot()
    expected.version = Snapshot.currentVersion
    #expect(BMS().snapshot == expected, "and the core begins where an empty snapshot says")
  }

  @Test("Signs: 0 is sound everywhere; consumed above 0, and anything else below 0, is not")
  func signs() {
    func isSound(_ change: (inout Snapshot) -> Void) -> Bool {
      var snapshot = Snapshot()
      (snapshot.consumed, snapshot.missing) = (-1, 1)
      (snapshot.secondsSinceSynchronisation, snapshot.secondsSinceFullCharge) = (0, 0)
      (snapshot.chargeRetrySeconds, snapshot.dischargeRetrySeconds) = (0, 0)
      change(&snapshot)
      return snapshot.defect == nil
    }
    #expect(isSound { _ in })
    #expect(isSound { ($0.consumed, $0.missing) = (0, 0) })
    #expect(!isSound { ($0.consumed, $0.missing) = (0.5, 1) } && !isSound { ($0.consumed, $0.missing) = (-1, -0.5) })
    #expect(!isSound { ($0.consumed, $0.missing) = (0.5, 0) } && !isSound { ($0.consumed, $0.missing) = (0, -0.5) })
    #expect(!isSound { ($0.consumed, $0.missing) = (0, 0.5) } && !isSound { ($0.consumed, $0.missing) = (-0.5, 0) })
    #expect(!isSound { $0.uncountedSeconds = -0.5 } && isSound { $0.uncountedSeconds = 0.5 })
    #expect(!isSound { $0.absorbedSeconds = -0.5 } && isSound { $0.absorbedSeconds = 0.5 })
    #expect(!isSound { $0.secondsSinceSynchronisation = -0.5 } && isSound { $0.secondsSinceSynchronisation = nil })
    #expect(!isSound { $0.secondsSinceFullCharge = -0.5 } && isSound { $0.secondsSinceFullCharge = nil })
    #expect(!isSound { $0.preAlarmSeconds = -0.5 } && isSound { $0.preAlarmSeconds = 0.5 })
    #expect(!isSound { $0.version = 8 } && !isSound { $0.version = 0 } && isSound { $0.version = 1 })
    #expect(isSound { ($0.secondsSinceSynchronisation, $0.secondsSinceFullCharge) = (0.5, 0.5) })
    #expect(isSound { ($0.chargeRetrySeconds, $0.dischargeRetrySeconds) = (0.5, 0.5) })
    #expect(isSound { ($0.uncertainAmpereHours, $0.prechargeHeat, $0.emptySeconds) = (0.5, 0.5, 0.5) })
    #expect(!isSound { $0.uncertainAmpereHours = -0.5 } && !isSound { $0.prechargeHeat = -0.5 })
    #expect(!isSound { $0.takeoverSeconds = -0.5 } && isSound { $0.takeoverSeconds = 0.5 })
    #expect(!isSound { $0.chargeRetrySeconds = -0.5 } && !isSound { $0.emptySeconds = -0.5 })
    #expect(isSound { ($0.overcurrentSeconds, $0.chargeGraceSeconds, $0.dischargeGraceSeconds) = (0.5, 0.5, 0.5) })
    let numbers: [WritableKeyPath<Snapshot, Double>] = [
      \.consumed, \.missing, \.uncountedSeconds, \.absorbedSeconds, \.preAlarmSeconds, \.overcurrentSeconds,
      \.chargeGraceSeconds, \.dischargeGraceSeconds, \.takeoverSeconds,
    ]
    for number in numbers { #expect(!isSound { $0[keyPath: number] = .nan }) }
    let options: [WritableKeyPath<Snapshot, Double?>] = [
      \.secondsSinceSynchronisation, \.secondsSinceFullCharge, \.chargeRetrySeconds, \.dischargeRetrySeconds,
      \.detectedNominalVoltage,
    ]
    for number in options { #expect(!isSound { $0[keyPath: number] = .infinity }) }
  }

  @Test("A restart keeps what was latched: each protection, the reduced charge and the floor")
  func latches() {
    func restored(_ change: (inout Snapshot) -> Void) -> Protection {
      var snapshot = Snapshot()
      change(&snapshot)
      return Protection(restoring: snapshot)
    }
    #expect(restored { $0.dischargeFloor = true }.dischargeFloor && !restored { _ in }.dischargeFloor)
    #expect(restored { $0.isReduced = true }.isReduced && !restored { _ in }.isReduced)
    #expect(restored { $0.highCell = true }.highCell && restored { $0.lowTemperature = true }.lowTemperature)
    #expect(restored { $0.highTemperature = true }.highTemperature)
    #expect(restored { $0.veryHighTemperature = true }.veryHighTemperature)
    let none = Protection(restoring: nil)
    #expect(!none.highCell && !none.lowCell && !none.isReduced && !none.dischargeFloor && !none.lowTemperature)
    #expect(!none.highBMSTemperature && !none.lowStateOfChargeWarning)
    // A hard limit without a low cell means nothing.
    for (low, hard) in [(true, true), (true, false), (false, true), (false, false)] {
      let cell = restored { ($0.lowCell, $0.isLowCellHard) = (low, hard) }.cell
      #expect(cell.isActive == low && cell.isHard == (low && hard))
    }
    #expect(LowCell(restoring: nil).preAlarmAge == .zero && !LowCell(restoring: nil).isHard)
    let current = CurrentSupervision(restoring: nil)
    #expect(current.budgetUsed == .zero && current.charge.graceUsed == .zero && current.discharge.graceUsed == .zero)
  }

  // MARK: Windows

  @Test("R204-R207: what each voltage at an edge is for a 12, a 24 and a 48 V bank")
  func verdicts() {
    let rows: [(Double, VoltageVerdict, VoltageVerdict, VoltageVerdict)] = [
      (8.99, .notAllowed, .notAllowed, .notAllowed), (9, .inside, .wrongSystem, .wrongSystem),
      (9.5, .inside, .wrongSystem, .wrongSystem), (15, .inside, .wrongSystem, .wrongSystem),
      (15.01, .betweenWindows, .betweenWindows, .betweenWindows),
      (15.99, .betweenWindows, .betweenWindows, .betweenWindows), (16, .wrongSystem, .inside, .wrongSystem),
      (30, .wrongSystem, .inside, .wrongSystem), (30.01, .betweenWindows, .betweenWindows, .betweenWindows),
      (31.99, .betweenWindows, .betweenWindows, .betweenWindows), (32, .wrongSystem, .wrongSystem, .inside),
      (60, .wrongSystem, .wrongSystem, .inside), (60.01, .notAllowed, .notAllowed, .notAllowed),
    ]
    for (volts, twelve, twentyFour, fortyEight) in rows {
      #expect(VoltageWindows.verdict(volts, nominal: 12) == twelve, "\(volts) V")
      #expect(VoltageWindows.verdict(volts, nominal: 24) == twentyFour, "\(volts) V")
      #expect(VoltageWindows.verdict(volts, nominal: 48) == fortyEight, "\(volts) V")
    }
    #expect([9, 12, 15].map(VoltageWindows.nominal(of:)) == [12, 12, 12])
    #expect([16, 30, 32, 60].map(VoltageWindows.nominal(of:)) == [24, 24, 48, 48])
  }

  @Test("R244: E-B09 ends after 10 s inside; a gap of 2 s in the steps begins them anew")
  func windowReturns() {
    for (gap, returns) in [(TimeSpan.milliseconds(1_999), true), (.seconds(2), false)] {
      var supervision = VoltageSupervision()
      let parameters = Parameters(Settings())
      func step(_ volts: Double, _ elapsed: TimeSpan) {
        supervision.evaluate(volts, parameters, elapsed: elapsed)
      }
      step(13, .zero)
      step(61, .seconds(1))
      step(61, .seconds(2))
      #expect(supervision.verdict == .notAllowed)
      step(13, .seconds(1))  // the first sample inside: from here 10 s
      for _ in 0..<8 { step(13, .seconds(1)) }
      step(13, gap)
      #expect(supervision.verdict == .notAllowed)
      step(13, .milliseconds(1))
      #expect((supervision.verdict == .inside) == returns)
    }
  }

  @Test("R208: after a start the first good voltage counts at once; one that comes back later has its 10 s")
  func firstGoodVoltage() {
    var supervision = VoltageSupervision()
    let parameters = Parameters(Settings())
    func step(_ volts: Double) { supervision.evaluate(volts, parameters, elapsed: .seconds(1)) }
    step(61)
    #expect(supervision.verdict == .notAllowed)
    step(13)
    #expect(supervision.verdict == .inside)
    for _ in 0..<4 { step(61) }
    #expect(supervision.verdict == .notAllowed)
    for _ in 0..<10 { step(13) }
    #expect(supervision.verdict == .notAllowed)
    step(13)
    #expect(supervision.verdict == .inside)
  }

  // MARK: Low cell and second line

  @Test("OD-3: with steps 5 s apart nobody saw the 10 s; with steps 4.999 s apart they count")
  func preAlarmGap() {
    for (gap, ends) in [(TimeSpan.milliseconds(4_999), true), (.seconds(5), false)] {
      var rig = Rig.resting()
      rig.cells(3.1, 3.3)
      rig.step()
      rig.cells(3.2, 3.3)
      rig.step()
      for _ in 0..<3 { rig.step(after: gap) }
      #expect(rig.out.alarms.contains(.preAlarm) != ends)
    }
  }

  @Test("OD-2: a cell at the low cell voltage reduces the charge, 1 mV above does not; DCL 0 needs the pre-alarm")
  func reduced() {
    var rig = Rig.resting()
    rig.cells(2.801, 3.3)
    #expect(rig.step().limits.chargeCurrent == 200)
    rig.cells(2.8, 3.3)
    #expect(rig.step().limits.chargeCurrent == 20)
  }

  @Test("R84: after the 30 s the next step is due as usual; without a pre-alarm too")
  func deadlines() {
    var protection = Protection(restoring: nil)
    #expect(protection.timeToDecision == .never)
    var snapshot = Snapshot()
    snapshot.preAlarm = true
    snapshot.preAlarmSeconds = 29
    protection = Protection(restoring: snapshot)
    #expect(protection.timeToDecision == .seconds(1))
    snapshot.preAlarmSeconds = 30
    #expect(Protection(restoring: snapshot).timeToDecision == .never)
  }

  @Test("R74: 30 s of error 36 open the contactor, 29.9 s do not", arguments: [CurrentDirection.charge, .discharge])
  func secondLine(direction: CurrentDirection) {
    var rig = Rig.resting()
    if direction == .charge { rig.cells(3.3, 3.75) } else { rig.cells(2.59, 3.3) }
    rig.step()
    var judged = Judgement(rig.inputs, Parameters(Settings()), at: rig.now)
    judged.current = direction == .charge ? 2 : -2
    var contacts = ContactFailure()
    var line = SecondLine(restoring: nil)
    func step(_ span: TimeSpan) {
      contacts.evaluate(
        judged.current, chargeAllowed: direction != .charge, dischargeAllowed: direction != .discharge, elapsed: span)
      line.evaluate(
        contacts, judged, rig.bms.protection, isDischargeStopped: rig.bms.protection.lowCell, isFed: nil,
        carries: true, Parameters(Settings()), elapsed: span)
    }
    step(.zero)
    step(.seconds(10))
    #expect(contacts.direction == direction && contacts.activeFor(direction) == .zero)
    step(.milliseconds(29_900))
    #expect(line.holdsOpen == nil)
    step(.milliseconds(100))
    #expect(line.holdsOpen == direction)
    line.restart()
    #expect(line.holdsOpen == nil)
  }

  @Test("R74: after its second try a charger must have been gone for 30 s, 29.9 s are too few")
  func chargerGone() {
    var snapshot = Snapshot()
    snapshot.heldOpen = CurrentDirection.charge.rawValue
    var line = SecondLine(restoring: snapshot)
    var contacts = ContactFailure()
    let parameters = Parameters(Settings())
    var normal = Rig.resting()
    normal.step()
    var high = Rig.resting()
    high.cells(3.3, 3.75)
    high.step()
    func step(_ rig: Rig, _ amperes: Double, isFed: Bool, _ span: TimeSpan) {
      var judged = Judgement(rig.inputs, parameters, at: rig.now)
      judged.current = amperes
      contacts.evaluate(amperes, chargeAllowed: false, dischargeAllowed: true, elapsed: span)
      line.evaluate(
        contacts, judged, rig.bms.protection, isDischargeStopped: false, isFed: isFed, carries: true, parameters,
        elapsed: span)
    }
    step(normal, 0, isFed: true, .zero)
    #expect(line.holdsOpen == nil)
    for span in [TimeSpan.zero, .seconds(10), .seconds(30)] { step(high, 2, isFed: true, span) }
    #expect(line.holdsOpen == .charge)
    step(normal, 0, isFed: true, .hours(1))
    step(normal, 0, isFed: false, .milliseconds(29_900))
    #expect(line.holdsOpen == .charge)
    step(normal, 0, isFed: false, .milliseconds(100))
    #expect(line.holdsOpen == nil)
  }

  @Test("R75: where it is set, 30 s of more than 0.7 A after ATD opened open the contactor, 29.9 s do not, 0.7 A never")
  func olderRule() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(2.75, 3.3)
    rig.step()
    let parameters = Parameters(try unannounced((.contactorAfterDischargeContact, 1)))
    for (amperes, opens) in [(-0.71, true), (-0.7, false)] {
      var judged = Judgement(rig.inputs, parameters, at: rig.now)
      judged.current = amperes
      var contacts = ContactFailure()
      var line = SecondLine(restoring: nil)
      func step(_ span: TimeSpan) {
        contacts.evaluate(amperes, chargeAllowed: true, dischargeAllowed: false, elapsed: span)
        line.evaluate(
          contacts, judged, rig.bms.protection, isDischargeStopped: true, isFed: nil, carries: true, parameters,
          elapsed: span)
      }
      step(.zero)
      step(.milliseconds(29_900))
      #expect(line.holdsOpen == nil)
      step(.milliseconds(100))
      #expect((line.holdsOpen == .discharge) == opens, "\(amperes) A")
    }
  }

  @Test("R75: still drawn is 30 s of it; a reading without gives its time back, and one that is missing ends nothing")
  func stillDrawn() throws {
    let course: [(Double?, TimeSpan, Bool)] = [
      (5, .zero, false), (5, .minutes(5), false), (-5, .milliseconds(100), false), (-5, .milliseconds(29_900), false),
      (5, .milliseconds(50), false), (-5, .seconds(1), false), (-5, .milliseconds(900), false),
      (nil, .milliseconds(100), false), (-5, .milliseconds(49), false), (-5, .milliseconds(1), true),
    ]
    var rig = Rig.resting(try unannounced())
    rig.cells(2.75, 3.3)
    rig.step()
    let parameters = Parameters(try unannounced((.contactorAfterDischargeContact, 1)))
    var contacts = ContactFailure()
    var line = SecondLine(restoring: nil)
    for (index, (amperes, span, opens)) in course.enumerated() {
      var judged = Judgement(rig.inputs, parameters, at: rig.now)
      judged.current = amperes
      contacts.evaluate(amperes, chargeAllowed: true, dischargeAllowed: false, elapsed: span)
      line.evaluate(
        contacts, judged, rig.bms.protection, isDischargeStopped: true, isFed: nil, carries: true, parameters,
        elapsed: span)
      #expect((line.holdsOpen == .discharge) == opens, "step \(index)")
    }
  }

  @Test("R75: the 30 s begin when ATD opens, whatever for; what stops the load may come later")
  func drawnBeforeItIsStopped() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(2.75, 3.3)
    rig.step()
    let parameters = Parameters(try unannounced((.contactorAfterDischargeContact, 1)))
    var judged = Judgement(rig.inputs, parameters, at: rig.now)
    judged.current = -5
    var contacts = ContactFailure()
    var line = SecondLine(restoring: nil)
    for (isStopped, span) in [(false, TimeSpan.zero), (false, .seconds(40)), (true, .milliseconds(100))] {
      contacts.evaluate(-5, chargeAllowed: true, dischargeAllowed: false, elapsed: span)
      line.evaluate(
        contacts, judged, rig.bms.protection, isDischargeStopped: isStopped, isFed: nil, carries: true, parameters,
        elapsed: span)
      #expect((line.holdsOpen == .discharge) == isStopped)
    }
  }

  // MARK: Mode, remote, charge voltage

  @Test("R50: Off without a stored cause is one for an error; a stored cause without Off is none")
  func storedModes() {
    var snapshot = Snapshot()
    snapshot.mode = Mode.off.rawValue
    #expect(ModeControl(restoring: snapshot).offCause == .error)
    snapshot.offCause = OffCause.lowCell.rawValue
    #expect(ModeControl(restoring: snapshot).offCause == .lowCell)
    #expect(!ModeControl(restoring: snapshot).isRemoteOpen)
    snapshot.offCause = OffCause.remote.rawValue
    #expect(ModeControl(restoring: snapshot).isRemoteOpen)
    snapshot.mode = Mode.on.rawValue
    #expect(ModeControl(restoring: snapshot).offCause == nil)
    let fresh = ModeControl(restoring: nil)
    #expect(fresh.mode == .on && fresh.offCause == nil && !fresh.isRemoteLost && !fresh.isRemoteOpen)
    #expect(OffCause.lowCell.cellsEndAbove == 3.2 && OffCause.lowStateOfCharge.cellsEndAbove == 3.37)
    #expect(OffCause.remote.cellsEndAbove == nil && OffCause.softSwitch.cellsEndAbove == nil)
    #expect(OffCause.lowCell.isEmptyBattery && !OffCause.remote.isEmptyBattery)
  }

  @Test("Remote readings count while they are younger than 5 s, and while their newest report is good")
  func remoteAge() {
    let now = Instant.origin + .seconds(100)
    func state(_ change: (inout RemoteTerminals, Instant) -> Void, _ age: TimeSpan) -> RemoteTerminals.State {
      var terminals = RemoteTerminals()
      change(&terminals, now - age)
      return terminals.state(at: now, within: .seconds(5))
    }
    let readings: [(inout RemoteTerminals, Instant) -> Void] = [
      { $0.bridge = ContactFeedback(isClosed: true, at: $1) }, { $0.high = Measurement(12, at: $1) },
      { $0.low = Measurement(0, at: $1) },
    ]
    for reading in readings {
      #expect(state(reading, .milliseconds(4_999)) == .closed)
      #expect(state(reading, .seconds(5)) == .unknown)
    }
    #expect(
      state(
        { terminals, taken in
          terminals.high = Measurement(12, at: taken)
          terminals.high.report(.sensorError)
        }, .zero) == .unknown)
  }

  @Test("OD-7: nobody has seen the system side fall, or the battery, before they are told")
  func chargeVoltageAtFirst() {
    let parameters = Parameters(Settings())
    #expect(!ChargeVoltage().isPresent)
    var detector = ChargeVoltage()
    for _ in 0..<10 {
      detector.evaluate(
        system: 12.5, battery: nil, current: 0, isClosed: false, isFed: false, parameters, elapsed: .seconds(1))
    }
    #expect(!detector.isPresent, "not seen to fall, and no battery to compare with")
  }

  // MARK: Current

  @Test("R124: a discharge of 601 A is no charge; what flows nowhere belongs to discharge")
  func direction() {
    var supervision = CurrentSupervision(restoring: nil)
    let parameters = Parameters(Settings())
    supervision.evaluate(601, parameters, elapsed: .zero)
    #expect(supervision.charge.isAlarm && !supervision.discharge.isAlarm)
    supervision.evaluate(-601, parameters, elapsed: .zero)
    #expect(!supervision.charge.isAlarm && supervision.discharge.isAlarm)
    supervision.evaluate(0, parameters, elapsed: .zero)
    #expect(!supervision.charge.isAlarm && !supervision.discharge.isAlarm && supervision.warning == nil)
  }

  // MARK: What the battery reports

  @Test("The battery's conditions are twelve bits, and its report is lost at 5 s, not at 4.999 s")
  func batteryReport() {
    let bits: [BatteryConditions] = [
      .lowCell, .preAlarm, .highCell, .lowTemperature, .highTemperature, .highChargeTemperature, .highChargeCurrent,
      .highDischargeCurrent, .fault, .cableMissing, .acceptsNoCharge, .givesNothing,
    ]
    #expect(bits.map(\.rawValue) == (0..<12).map { 1 << $0 })
    var report = BatteryReport()
    report.isWired = true
    report.taken = .origin
    var battery = ReportedBattery(restoring: nil)
    #expect(!battery.isLost && battery.conditions.isEmpty && !battery.forbids(.charge))
    for (milliseconds, isLost) in [(Int64(4_999), false), (5_000, true)] {
      battery.evaluate(report, at: .origin + .milliseconds(milliseconds), within: .seconds(5), atLeast: 10.4)
      #expect(battery.isLost == isLost && battery.forbids(.charge) == isLost && battery.forbids(.discharge) == isLost)
    }
    for (amperes, forbids) in [(0.0, true), (0.1, false), (-1, true)] {
      report.chargeCurrent = amperes
      battery.evaluate(report, at: .origin, within: .seconds(5), atLeast: 10.4)
      #expect(battery.forbids(.charge) == forbids && !battery.forbids(.discharge))
    }
  }

  @Test("The battery's own charge voltage counts below CVL, not at it")
  func batteryVoltage() {
    for (volts, limit, isBatterys) in [(13.4, 13.4, true), (13.5, 13.5, false), (13.6, 13.5, false), (0, 13.5, false)] {
      var rig = Rig.resting()
      rig.inputs.battery.isWired = true
      rig.inputs.battery.chargeVoltage = volts
      rig.inputs.battery.taken = rig.now + rig.period
      rig.step()
      #expect(rig.out.limits.chargeVoltage == limit && (rig.out.chargeVoltageReason.rule == .battery) == isBatterys)
    }
  }

  // MARK: Relay and LEDs

  @Test("R128: made intermittent under an alarm it stays closed for 0.8 s, however long it was closed before")
  func relayMadeIntermittent() throws {
    for before in [TimeSpan.milliseconds(500), .milliseconds(1_400), .seconds(60)] {
      var relay = Relay()
      func step(_ intermittent: Double, _ elapsed: TimeSpan) throws {
        let parameters = Parameters(try settings((.relayIntermittent, intermittent)))
        relay.step([.lowCell], mayAlternate: true, mode: .on, parameters, elapsed: elapsed)
      }
      try step(0, .zero)
      try step(0, before)
      #expect(relay.isActive)
      try step(1, .milliseconds(100))
      #expect(relay.isActive && relay.timeToChange == Relay.half)
      try step(1, .milliseconds(799))
      #expect(relay.isActive)
      try step(1, .milliseconds(1))
      #expect(!relay.isActive && relay.timeToChange == Relay.half)
    }
  }

  @Test("R128: intermittent it changes 0.8 s and 1.6 s after it began, and says when")
  func relay() throws {
    var relay = Relay()
    #expect(!relay.isActive && relay.timeToChange == .never)
    let parameters = Parameters(try settings((.relayIntermittent, 1)))
    func step(_ milliseconds: Int64) -> (Bool, TimeSpan) {
      relay.step([.lowCell], mayAlternate: false, mode: .on, parameters, elapsed: .milliseconds(milliseconds))
      return (relay.isActive, relay.timeToChange)
    }
    #expect(step(100) == (true, .milliseconds(800)), "it begins now, whatever passed before")
    #expect(step(300) == (true, .milliseconds(500)))
    #expect(step(499) == (true, .milliseconds(1)))
    #expect(step(1) == (false, .milliseconds(800)))
    #expect(step(799) == (false, .milliseconds(1)))
    #expect(step(1) == (true, .milliseconds(800)))
    #expect(step(1000) == (false, .milliseconds(600)))
  }

  @Test("R218-R220: blinks of 125 ms each 250 ms in 4 s, a flash of 100 ms each 3 s, 0.5 s in a second")
  func patterns() {
    func lit(_ pattern: StatusPattern, _ colour: LEDColour, upTo end: Int64) -> [ClosedRange<Int64>] {
      var spans: [ClosedRange<Int64>] = []
      for at in 0..<end where pattern.colour(after: .milliseconds(at)) == colour {
        if let last = spans.last, last.upperBound == at - 1 {
          spans[spans.count - 1] = last.lowerBound...at
        } else {
          spans.append(at...at)
        }
      }
      return spans
    }
    #expect(
      lit(.red(blinks: 3), .red, upTo: 8000) == [0...124, 250...374, 500...624, 4000...4124, 4250...4374, 4500...4624])
    #expect(lit(.red(blinks: 14), .red, upTo: 4000).last == 3250...3374)
    #expect(lit(.greenFlash, .green, upTo: 6100) == [0...99, 3000...3099, 6000...6099])
    #expect(lit(.greenBlinking, .green, upTo: 2000) == [0...499, 1000...1499])
    #expect(lit(.orangeBlinking, .orange, upTo: 2000) == [0...499, 1000...1499])
    #expect(lit(.alternating, .red, upTo: 2000) == [500...999, 1500...1999])
    #expect(lit(.orange, .orange, upTo: 100) == [0...99] && lit(.off, .dark, upTo: 100) == [0...99])
    #expect(StatusPattern.greenFlash.colour(after: .seconds(-1)) == .green)
    // Hours later to the millisecond.
    #expect(StatusPattern.greenFlash.colour(after: .milliseconds(9_000_099)) == .green)
    #expect(StatusPattern.greenFlash.colour(after: .milliseconds(9_000_100)) == .dark)
    #expect(StatusPattern.greenFlash.colour(after: .milliseconds(8_999_999)) == .dark)
    #expect(StatusPattern.greenFlash.colour(after: .milliseconds(9_000_000)) == .green)
  }

  @Test("OD-14: 14, 12, 10, 9, 7, 6, 5, 8, 2, 3, 4, 1")
  func order() {
    #expect(LEDPriority.order == [14, 12, 10, 9, 7, 6, 5, 8, 2, 3, 4, 1])
  }

  // MARK: Distributors and history

  @Test("R257: four Distributors of four fuses; a report says nothing blown and power there unless it is told")
  func distributors() {
    #expect(FuseNames.count == 16 && FuseNames.longest == 16)
    #expect(DistributorReport().blown == 0 && DistributorReport().hasPower && !DistributorReport().isDuplicate)
    let supervision = DistributorSupervision()
    #expect(supervision.blown == 0 && supervision.known == 0)
    for fuse in 1...16 { #expect(supervision.state(ofFuse: fuse, used: 0xFFFF) == .notAvailable) }
    #expect(supervision.state(ofFuse: 0, used: 0xFFFF) == .notAvailable)
    #expect(supervision.state(ofFuse: 17, used: 0xFFFF) == .notAvailable)
    let bms = BMS()
    for index in 0..<4 { #expect(bms.distributor(index) == .absent) }
    #expect(bms.distributor(4) == .absent && bms.distributor(-1) == .absent)
  }

  @Test("A history of nothing is nothing, and a new one is sound with four errors, not with five")
  func history() {
    let empty = History()
    #expect(empty.runningSeconds == 0 && empty.drawnAmpereHours == 0 && empty.averageDischarge == nil)
    #expect(empty.dischargedEnergy == 0 && empty.chargedEnergy == 0 && empty.chargeCycles == 0)
    #expect(empty.fullDischarges == 0 && empty.synchronisations == 0 && empty.errorShutdowns == 0)
    #expect(!empty.isCycleBegun && !empty.isFullDischargeCounted && empty.isSound)
    #expect(empty.deepestDischarge == nil && empty.lastDischarge == nil && empty.lowestVoltage == nil)
    var full = empty
    full.lastErrors = [ErrorEntry](repeating: ErrorEntry(code: "E-B36", gxNumber: 36, at: 0), count: 4)
    #expect(full.isSound)
    full.chargeCycles = 4
    full.drawnAmpereHours = 100
    #expect(full.averageDischarge == -25)
  }

  @Test("R183, R191: the deepest discharge stays over a synchronisation, the last one begins anew; both are at most 0")
  func discharges() throws {
    var rig = Rig.resting(soc: 100)
    #expect(rig.bms.history.deepestDischarge == 0 && rig.bms.history.lastDischarge == 0)
    for (percent, deepest, last) in [(60.0, -80.0, -80.0), (80, -80, -80)] {
      try rig.bms.perform(.setStateOfCharge(percent))
      rig.step()
      #expect(abs((rig.bms.history.deepestDischarge ?? 0) - deepest) < 1e-9)
      #expect(abs((rig.bms.history.lastDischarge ?? 0) - last) < 1e-9)
    }
    try rig.bms.perform(.synchronise)
    rig.step()
    #expect(abs((rig.bms.history.deepestDischarge ?? 0) + 80) < 1e-9 && rig.bms.history.lastDischarge == 0)
  }

  @Test("R189: 100 A at 50 V for an hour are 5.000 kWh, out and in")
  func energy() throws {
    var rig = Rig.resting(try settings((.nominalVoltage, 48), (.batteryCapacity, 1000)), soc: 90)
    rig.period = .seconds(1)
    rig.voltage = 50
    for current in [-100.0, 100] {
      rig.current = current
      rig.step(after: .zero)
      rig.run(.hours(1))
    }
    #expect(abs(rig.bms.history.dischargedEnergy - 5) < 0.0001)
    #expect(abs(rig.bms.history.chargedEnergy - 5) < 0.0001)
    #expect(abs(rig.bms.history.drawnAmpereHours - 100) < 0.001)
    #expect(abs(rig.bms.history.runningSeconds - 7200.1) < 0.2)
  }

  @Test("R192: the seconds since the last full charge run every second, and since the history was cleared")
  func seconds() throws {
    var rig = Rig.resting()
    let before = rig.bms.snapshot
    rig.period = .seconds(1)
    rig.run(.seconds(90))
    let after = rig.bms.snapshot
    #expect((after.secondsSinceFullCharge ?? 0) - (before.secondsSinceFullCharge ?? 0) == 90)
    #expect(abs(after.history.runningSeconds - before.history.runningSeconds - 90) < 1e-6)
  }

  @Test("OD-20: a remote input that was heard and falls silent is open after 60 s, not after 59.999 s")
  func remoteSilent() {
    var modes = ModeControl(restoring: nil)
    let parameters = Parameters(Settings())
    func step(_ remote: RemoteTerminals.State, _ milliseconds: Int64) {
      modes.evaluate(
        remote: remote, lowCell: false, lowStateOfCharge: false, lowestCell: 3.3, charger: .absent,
        canTurnOff: true, parameters, elapsed: .milliseconds(milliseconds))
    }
    step(.closed, 0)
    step(.unknown, 59_999)
    #expect(modes.mode == .on && modes.isRemoteLost)
    step(.unknown, 1)
    #expect(modes.mode == .off && modes.offCause == .remote)
    modes = ModeControl(restoring: nil)
    step(.open, 0)
    step(.unknown, 1)
    #expect(modes.isRemoteLost, "also one that was only ever heard open")
  }

  @Test("R25: an update that fails for 120 s forbids everything, for 119.9 s nothing")
  func updateFails() {
    var rig = Rig.resting()
    rig.inputs.isUpdateFailing = true
    #expect(!rig.run(.milliseconds(119_900)) { !$0.chargeAllowed || !$0.dischargeAllowed })
    #expect(rig.step().chargeBlocks == .update && rig.out.dischargeBlocks == .update)
  }

  @Test("The battery's own discharge limit of 0 A forbids discharge, 0.1 A does not")
  func batteryGivesNothing() {
    for (amperes, forbids) in [(0.0, true), (0.1, false), (-1, true)] {
      var report = BatteryReport()
      report.isWired = true
      report.taken = .origin
      report.dischargeCurrent = amperes
      var battery = ReportedBattery(restoring: nil)
      battery.evaluate(report, at: .origin, within: .seconds(5), atLeast: 10.4)
      #expect(battery.forbids(.discharge) == forbids && !battery.forbids(.charge), "\(amperes) A")
    }
  }

  @Test("The battery's own current limits count below CCL and DCL, not at them")
  func batteryCurrents() {
    for (charge, discharge, isBatterys) in [(200.0, 600.0, false), (199.9, 599.9, true)] {
      var rig = Rig.resting()
      rig.inputs.battery.isWired = true
      (rig.inputs.battery.chargeCurrent, rig.inputs.battery.dischargeCurrent) = (charge, discharge)
      rig.inputs.battery.taken = rig.now + rig.period
      rig.step()
      #expect(rig.out.limits.chargeCurrent == charge && rig.out.limits.dischargeCurrent == discharge)
      #expect(rig.out.chargeCurrentReason.rule == (isBatterys ? .battery : .capacity))
      #expect(rig.out.dischargeCurrentReason.rule == (isBatterys ? .battery : .rating))
    }
  }

  @Test("A cell of the table is unchanged since the moment of its last change, and not since 1 ms before")
  func unchanged() throws {
    var cells = CellTable(expectedCount: 1)
    let place = try #require(CellPlace(battery: 1, cell: 1))
    let taken = Instant.origin + .seconds(10)
    cells.report(3.3, of: place, at: taken)
    #expect(cells.firstUnchanged(since: taken, at: taken + .seconds(1)) == place)
    #expect(cells.firstUnchanged(since: taken - .milliseconds(1), at: taken + .seconds(1)) == nil)
  }
}
