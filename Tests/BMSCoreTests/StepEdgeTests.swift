import MonotonicTime
import Testing

@testable import BMSCore

@Suite("One step of the core at its edges")
struct StepEdgeTests {
  @Test("R118: before the first step, and from inputs that nothing feeds, nothing is allowed and nothing commanded")
  func nothing() {
    let out = Outputs()
    #expect(!out.chargeAllowed && !out.dischargeAllowed && out.limits == .withdrawn)
    #expect(!out.contactorCommand && !out.prechargeCommand && !out.relayActive)
    #expect(!out.isStateOfChargeTrusted && out.stateOfCharge == nil && !out.protectiveChange)
    #expect(out.mode == .on && out.state == .waiting && out.auxiliary)
    #expect(out.statusPattern == .orange && out.channelPattern == .flashing)
    #expect(Limits.withdrawn.chargeCurrent == 0 && Limits.withdrawn.dischargeCurrent == 0)
    #expect(Limits.withdrawn.isAvailable && Limits.withdrawn.chargeVoltage == nil)
    var bms = BMS()
    let first = bms.step(Inputs(), at: .origin)
    #expect(!first.chargeAllowed && !first.dischargeAllowed && !first.contactorCommand)
    let inputs = Inputs()
    #expect(inputs.mayJoin && inputs.isControlEnabled && !inputs.hasControlClient && !inputs.shutdown)
    #expect(!inputs.areSettingsLost && !inputs.isCalibrationLost && !inputs.isUpdating)
    #expect(!ContactFeedback.waiting.isClosed && !ContactFeedback.unassigned.isClosed)
  }

  @Test("At rest the next step is due after 100 ms; time that goes back counts as standing still")
  func time() {
    var rig = Rig.resting()
    rig.current = -100
    rig.step()
    #expect(rig.out.nextDeadline == rig.now + .milliseconds(100))
    let last = rig.now
    let before = rig.bms.snapshot
    rig.step(after: .seconds(-5))
    #expect(rig.out.nextDeadline == last + .milliseconds(100))
    #expect(rig.bms.snapshot.consumed == before.consumed)
    #expect(rig.bms.snapshot.history.runningSeconds == before.history.runningSeconds)
  }

  @Test("R157, R181, R316, R317: volts, amperes, watts, state of charge, consumed and time to go stand side by side")
  func values() throws {
    var rig = Rig.resting(soc: 80)
    (rig.voltage, rig.current, rig.temperature) = (13.25, -20, 21.5)
    rig.step()
    #expect(rig.out.voltage == 13.25 && rig.out.current == -20 && rig.out.power == -265)
    #expect(rig.out.temperature == 21.5 && rig.out.stateOfCharge == 80)
    #expect(abs((rig.out.consumed ?? 0) + 40) < 1e-9)
    #expect(rig.out.timeToGo != nil && rig.out.alarms.isEmpty)
  }

  @Test("R79, R341: reversed, 20 A out of the sensor are 20 A in: current, power, count and history turn round")
  func reversed() throws {
    var rig = Rig.resting(try settings((.currentReversed, 1)), soc: 50)
    rig.period = .seconds(1)
    rig.current = -20
    rig.run(.hours(1))
    #expect(rig.out.current == 20 && rig.out.power == 264)
    #expect(abs((rig.out.stateOfCharge ?? 0) - 59.9) < 0.05)
    #expect(rig.bms.history.drawnAmpereHours == 0 && rig.bms.history.chargedEnergy > 0.26)
    rig.current = 601
    rig.step()
    #expect(rig.out.alarms.contains(.highDischargeCurrent) && !rig.out.alarms.contains(.highChargeCurrent))
  }

  @Test("Allowed current is no error 36, in either direction, for a minute", arguments: [100.0, -100])
  func allowedCurrent(current: Double) {
    var rig = Rig.resting(soc: 60)
    rig.current = current
    #expect(!rig.run(.minutes(1)) { !$0.alarms.isEmpty })
  }

  @Test("R208: with a contactor to close, a voltage in no window or missing cells pre-charge nothing")
  func startsOnlyInside() {
    var bench = ContactorBench()
    bench.rig.voltage = 15.5
    #expect(!bench.run(.seconds(10)) { $0.prechargeCommand || $0.contactorCommand })
    #expect(bench.out.state == .waiting && bench.out.alarms == [.wrongSystemVoltage])
    bench = ContactorBench()
    (bench.rig.lowest, bench.rig.highest) = (nil, nil)
    #expect(!bench.run(.seconds(4)) { $0.prechargeCommand || $0.contactorCommand || $0.state != .waiting })
    bench = ContactorBench()
    bench.hot = true
    #expect(!bench.run(.seconds(4)) { $0.prechargeCommand || $0.contactorCommand || $0.state != .waiting })
  }

  @Test("R63: lost cells are state 10 while the contactor is closed, and when it has opened; 8 before they ever came")
  func errorState() {
    var bench = ContactorBench.closed()
    (bench.rig.lowest, bench.rig.highest) = (nil, nil)
    bench.run(.seconds(30))
    #expect(bench.out.state == .error && bench.out.contactorCommand)
    bench.run(.seconds(40))
    #expect(bench.out.state == .error && !bench.out.contactorCommand && bench.out.contactorPhase == .open)
    #expect(State.waiting.rawValue == 8 && State.error.rawValue == 10 && State.running.rawValue == 9)
    #expect(
      [State.shutdown, .standby, .goingToRun, .precharging, .contactorCheck, .pending].map(\.rawValue)
        == [12, 14, 15, 16, 17, 18])
  }

  @Test("R22: running is contactor closed, green steady and a lit Bluetooth LED for who is connected")
  func running() {
    var bench = ContactorBench.closed()
    bench.rig.inputs.hasControlClient = true
    bench.step()
    #expect(bench.out.state == .running && bench.out.contactorClosed == true)
    #expect(bench.out.statusPattern == .green && bench.out.channelPattern == .on)
  }

  @Test("R77: two contacts in parallel: closed is both closed, open is both open, and anything else is not known")
  func twoContacts() {
    var rig = Rig.resting(wiring: Wiring(contactors: .two))
    func closed(_ first: Bool?, _ second: Bool?) -> Bool? {
      rig.inputs.contactorFeedback = first.map { ContactFeedback(isClosed: $0, at: rig.now) } ?? .waiting
      rig.inputs.secondContactorFeedback = second.map { ContactFeedback(isClosed: $0, at: rig.now) } ?? .waiting
      return rig.step().contactorClosed
    }
    #expect(closed(true, true) == true)
    #expect(closed(false, false) == false)
    #expect(closed(true, false) == nil && closed(false, true) == nil, "one that is welded closes the path")
    #expect(closed(true, nil) == nil && closed(nil, true) == nil && closed(false, nil) == nil)
  }

  @Test("A contact's report is used while it is younger than 5 s, not at 5 s")
  func contactAge() {
    var rig = Rig.resting()
    rig.inputs.contactorFeedback = ContactFeedback(isClosed: true, at: rig.now)
    rig.run(.milliseconds(4_900))
    #expect(rig.out.contactorClosed == true)
    rig.step()
    #expect(rig.out.contactorClosed == nil)
  }

  @Test(
    "Each contact and thermal switch that is wired and silent warns, 5 s after the start and not sooner",
    arguments: 0..<4)
  func feedbackLost(which: Int) {
    var rig = Rig()
    switch which {
    case 0: rig.inputs.contactorFeedback = .waiting
    case 1: rig.inputs.secondContactorFeedback = .waiting
    case 2: rig.inputs.thermalSwitch = .waiting
    default: rig.inputs.secondThermalSwitch = .waiting
    }
    rig.step()
    #expect(!rig.run(.milliseconds(4_900)) { $0.alarms.contains(.feedbackLost) })
    #expect(rig.step().alarms.contains(.feedbackLost))
  }

  @Test("R72: either of the two thermal switches is enough", arguments: [true, false])
  func thermalSwitches(isFirst: Bool) {
    var rig = Rig.resting()
    let open = ContactFeedback(isClosed: false, at: rig.now)
    if isFirst { rig.inputs.thermalSwitch = open } else { rig.inputs.secondThermalSwitch = open }
    rig.step()
    #expect(rig.out.alarms == [.busbarHot, .loadDisconnected])
    #expect(rig.out.chargeBlocks == .contactor && rig.out.dischargeBlocks == .contactor)
  }

  @Test("R71: the reason of W-B04 tells the volts across the contactor and the limit of 0.5 V")
  func dropReason() {
    var bench = ContactorBench.closed()
    bench.drop = 0.75
    bench.run(.seconds(3)) { $0.alarms.contains(.badContact) }
    let cause = bench.rig.bms.record(of: .badContact).cause
    #expect(abs((cause?.value ?? 0) - 0.75) < 1e-6 && cause?.endsAt == 0.5)
  }

  @Test("Reasons tell what ends them: 7 °C, 45 °C, 50 °C, 3.6 V, 3.2 V")
  func ends() {
    var rig = Rig.resting()
    func ends(_ degrees: Double, _ low: Double = 3.3, _ high: Double = 3.3) -> [Double?] {
      rig = Rig.resting()
      rig.temperature = degrees
      rig.cells(low, high)
      rig.step()
      return [rig.out.chargeReason.endsAt, rig.out.dischargeReason.endsAt]
    }
    #expect(ends(4) == [7, nil])
    #expect(ends(50) == [45, nil])
    #expect(ends(55) == [45, 50])
    #expect(ends(20, 3.3, 3.75) == [3.6, nil])
    #expect(ends(20, 2.5, 3.3) == [nil, 3.2])
  }

  @Test("A reason keeps its beginning while rule, input and fault are the same, and begins anew with another input")
  func since() {
    var rig = Rig.resting()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.seconds(6))
    let first = rig.out.chargeReason.since
    #expect(rig.out.chargeReason.rule == .dataLost && rig.out.chargeReason.input == .cells)
    rig.run(.seconds(3))
    #expect(rig.out.chargeReason.since == first)
    rig.cells(3.3, 3.3)
    rig.current = nil
    rig.step()
    rig.run(.seconds(3))
    rig.cells(3.3, 3.3)
    rig.step()
    #expect(rig.out.chargeReason.rule == .dataLost && rig.out.chargeReason.input == .current)
    #expect(rig.out.chargeReason.since > first)
    // Both are lost, and then only one: the rule and the fault are the same, the input is another.
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.seconds(6))
    #expect(rig.out.chargeReason.input == .cells)
    let both = rig.out.chargeReason.since
    rig.cells(3.3, 3.3)
    rig.step()
    #expect(rig.out.chargeReason.input == .current && rig.out.chargeReason.since > both)
    let second = rig.out.chargeReason.since
    rig.inputs.current.report(.sensorError)
    rig.step()
    #expect(rig.out.chargeReason.fault == .sensorError && rig.out.chargeReason.since > second)
  }

  @Test("R196, R241: while a charge current alarms, the warning of the same direction is not told beside it")
  func warningBesideAlarm() {
    for (current, alarm) in [(700.0, Alarm.highChargeCurrent), (-700, .highDischargeCurrent)] {
      var rig = Rig.resting()
      rig.current = current
      rig.run(.seconds(15))
      #expect(rig.out.alarms.contains(alarm))
      #expect(!rig.out.alarms.contains(.highChargeCurrentWarning))
      #expect(!rig.out.alarms.contains(.highDischargeCurrentWarning))
    }
  }

  @Test("R99, R100: lost cells are told as lost (#32, two blinks), no more as late; both directions are forbidden")
  func lostNotLate() {
    var rig = Rig.resting()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.milliseconds(4_900))
    #expect(rig.out.alarms == [.cellsLate] && rig.out.statusPattern == .red(blinks: 1))
    #expect(rig.out.chargeAllowed && rig.out.dischargeAllowed)
    rig.step()
    #expect(rig.out.alarms == [.cellsLost, .loadDisconnected] && rig.out.statusPattern == .red(blinks: 2))
    #expect(rig.out.chargeBlocks == .data && rig.out.dischargeBlocks == .data)
    #expect(Alarm.cellsLost.definition.gxNumber == 32)
  }

  @Test("R101: a healthy bank has no alarm, no reason and level 0; R103: pre-alarm is level 1, low cell level 2")
  func levels() throws {
    var rig = Rig.resting()
    rig.run(.minutes(1))
    #expect(rig.out.alarms.isEmpty && rig.out.lowCellLevel.rawValue == 0)
    #expect(rig.out.chargeReason.rule == .allowed && rig.out.dischargeReason.rule == .allowed)
    rig.cells(3.10, 3.3)
    #expect(rig.step().lowCellLevel.rawValue == 1)
    rig.cells(2.59, 3.3)
    #expect(rig.step().lowCellLevel.rawValue == 2)
  }

  @Test(
    "R102, R94: A-B01 names the battery and the cell, stays while one cell is at 3.19 V, and ends when that one is gone"
  )
  func named() throws {
    var rig = Rig.resting(try unannounced())
    rig.inputs.cellExtremes = Extremes()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.inputs.cells = CellTable(expectedCount: 2)
    let bad = try #require(CellPlace(battery: 2, cell: 3))
    let good = try #require(CellPlace(battery: 1, cell: 1))
    func report(_ volts: Double) {
      rig.inputs.cells.report(volts, of: bad, at: rig.now)
      rig.inputs.cells.report(3.3, of: good, at: rig.now)
    }
    report(2.8)
    #expect(rig.step().alarms.contains(.lowCell))
    #expect(rig.bms.record(of: .lowCell).cause?.place == bad)
    report(3.19)
    #expect(rig.step().alarms.contains(.lowCell))
    // The faulty battery is bypassed: the table is made anew without it.
    rig.inputs.cells = CellTable(expectedCount: 1)
    rig.inputs.cells.report(3.3, of: good, at: rig.now)
    #expect(!rig.step().alarms.contains(.lowCell) && rig.out.dischargeAllowed)
    #expect(rig.out.alarms == [.batteryCount], "R322: one cell is no string")
  }

  @Test("A first step that allows is no protective change; a CVL that falls for lost data or a cap is one, once")
  func protective() throws {
    var rig = Rig()
    rig.step()
    #expect(rig.out.chargeAllowed && !rig.out.protectiveChange)
    rig.bms.apply(try settings((.maximumChargeVoltage, 13.6)))
    #expect(rig.step().protectiveChange && rig.out.limits.chargeVoltage == 13.6)
    #expect(!rig.step().protectiveChange)

    rig = Rig.resting(try unannounced())
    rig.voltage = 14.15
    rig.cells(2.7, 3.76)
    rig.step()
    #expect(rig.out.limits.chargeVoltage == 14.2 && rig.out.limits.chargeCurrent == 0)
    #expect(!rig.step().protectiveChange)
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.seconds(4))
    #expect(!rig.out.protectiveChange)
    #expect(rig.run(.seconds(2)) { $0.protectiveChange })
    #expect(rig.out.limits.chargeVoltage == 13.5 && rig.out.chargeVoltageReason.rule == .dataLost)
    #expect(!rig.step().protectiveChange)
  }

  @Test("R248, R165: another nominal voltage is judged anew at once; any other setting is not")
  func apply() throws {
    var rig = Rig.resting()
    rig.voltage = 26
    rig.run(.seconds(3))
    #expect(!rig.out.chargeAllowed)
    rig.bms.apply(try settings((.nominalVoltage, 24)))
    #expect(rig.step().chargeAllowed)
    rig = Rig.resting()
    rig.voltage = 15.01
    rig.run(.seconds(3))
    rig.voltage = 14.9
    rig.bms.apply(try settings((.absorptionTime, 3)))
    #expect(!rig.run(.seconds(9)) { $0.chargeAllowed })
  }

  @Test("R52: a charger on a closed contactor keeps an empty bank from going off; on an open one it must show itself")
  func chargeVoltage() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.voltage = 12
    bench.rig.cells(2.5, 3)
    bench.rig.current = 0.06
    bench.run(.seconds(1))
    #expect(bench.out.offIn == nil, "12.0 V, and 0.06 A flow in")
    bench.rig.current = 0.05
    bench.run(.seconds(1))
    #expect(bench.out.offIn != nil)
    // On, never closed, and the system side has held 12 V ever since.
    var rig = Rig.resting(wiring: Wiring(contactors: .one))
    rig.system = 12
    rig.cells(2.5, 3)
    rig.run(.seconds(10))
    #expect(!rig.out.contactorCommand && rig.out.offIn != nil)
    // It falls, and a charger comes: through an open contactor no current says so.
    rig.system = 11
    rig.step()
    rig.system = 12
    rig.run(TimeSpan(seconds: 2.1))
    #expect(!rig.out.contactorCommand && rig.out.offIn == nil)
  }

  @Test("Extremes that come with one silent half, single cells beside them, and ties")
  func extremes() throws {
    var rig = Rig.resting()
    rig.inputs.cellExtremes = Extremes(lowest: .waiting, highest: .unassigned)
    rig.highest = nil
    #expect(rig.step().chargeBlocks == .data)
    rig = Rig.resting()
    let place = try #require(CellPlace(battery: 3, cell: 2))
    rig.inputs.cells.report(3.75, of: place, at: rig.now)
    #expect(rig.step().chargeReason.place == place)
    // It says nothing any more, and the extremes speak for all.
    rig.run(.milliseconds(4_800))
    #expect(!rig.out.chargeAllowed, "the extremes are at 3.3 V: but a fresh cell at 3.75 V is believed")
    rig.step()
    #expect(rig.out.chargeAllowed)
    rig.inputs.cells.report(3.75, of: place, at: rig.now)
    rig.inputs.cells.report(.sensorError, of: place)
    #expect(rig.step().chargeAllowed, "a cell whose newest report is a fault says nothing")
    // Of two equal cells the first is named.
    rig = Rig.resting()
    rig.inputs.cellExtremes.lowestPlace = CellPlace(battery: 1, cell: 1)
    rig.inputs.cellExtremes.highestPlace = CellPlace(battery: 1, cell: 1)
    rig.inputs.cells.report(3.3, of: place, at: rig.now)
    rig.step()
    #expect(rig.out.lowestCell?.place == CellPlace(battery: 1, cell: 1))
    #expect(rig.out.highestCell?.place == CellPlace(battery: 1, cell: 1))
  }

  @Test(
    "The worst fault speaks for all: out of range before sensor error, silence before late; the first of two equals")
  func worst() throws {
    let order: [InputFault] = [
      .none, .late, .notAvailable, .stale, .incomplete, .neverSeen, .unassigned, .sensorError, .outOfRange,
      .jump, .stuck,
    ]
    let first = CellPlace(battery: 1, cell: 1)
    let second = CellPlace(battery: 1, cell: 2)
    for (index, fault) in order.enumerated() {
      for (otherIndex, other) in order.enumerated() {
        var state = RoleState()
        state.worsen(fault, age: .seconds(1), place: first)
        state.worsen(other, age: .seconds(2), place: second)
        #expect(state.fault == (otherIndex > index ? other : fault), "\(fault) and \(other)")
        #expect(state.age == .seconds(2))
        if max(index, otherIndex) > 0 { #expect(state.place == (otherIndex > index ? second : first)) }
      }
    }
  }

  @Test("Plausible is -2400...2400 A, 0...5 V a cell, 0...75 V a bank (R7), -50...120 °C (R12), both ends included")
  func plausible() {
    func usable(_ change: (inout Rig) -> Void) -> Bool {
      var rig = Rig.resting()
      change(&rig)
      return rig.step().chargeReason.fault == .none && !rig.out.dischargeBlocks.contains(.data)
    }
    for (value, isGood) in [(-2400.0, true), (2400, true), (-2400.01, false), (2400.01, false)] {
      #expect(usable { $0.current = value } == isGood, "\(value) A")
    }
    #expect(Plausible.cellVoltage == 0...5)
    for value in [-0.01, 5.01] { #expect(!usable { $0.cells(value, value) }, "\(value) V cell") }
    for (value, isGood) in [(0.0, true), (75, true), (-0.01, false), (75.01, false)] {
      #expect(usable { $0.voltage = value } == isGood, "\(value) V")
    }
    for (value, isGood) in [(-50.0, true), (120, true), (-50.01, false), (120.01, false)] {
      #expect(usable { $0.temperature = value } == isGood, "\(value) °C")
    }
  }

  @Test("A measurement below a billion is kept, a billion is not; a source that begins anew forgets the value")
  func measurement() {
    let now = Instant.origin + .seconds(10)
    #expect(Measurement(999_999_999, at: now).lastGood == 999_999_999)
    #expect(Measurement(1e9, at: now).lastGood == nil && Measurement(-1e9, at: now).validity == .outOfRange)
    for forgets in [Validity.unassigned, .waiting] {
      var measurement = Measurement(5, at: now)
      measurement.report(forgets)
      #expect(measurement.lastGood == nil && measurement.validity == forgets)
    }
    for keeps in [Validity.notAvailable, .sensorError, .outOfRange] {
      var measurement = Measurement(5, at: now)
      measurement.report(keeps)
      #expect(measurement.lastGood == 5 && measurement.validity == keeps)
      #expect(measurement.value(at: now, within: .seconds(1)) == nil)
    }
    let measurement = Measurement(5, at: now)
    #expect(measurement.value(at: now + .seconds(1), within: .seconds(1)) == 5)
    #expect(measurement.value(at: now + .milliseconds(1001), within: .seconds(1)) == nil)
    #expect(measurement.usable(0...5, at: now + .milliseconds(999), within: .seconds(1)) == 5)
    #expect(measurement.usable(0...5, at: now + .seconds(1), within: .seconds(1)) == nil)
    #expect(measurement.usable(0...4.9, at: now, within: .seconds(1)) == nil)
    #expect(measurement.age(at: now - .seconds(1)) == .zero, "a second ahead is a clock's noise")
    #expect(measurement.age(at: now - .milliseconds(1001)) == .never)
    #expect(Measurement.waiting.age(at: now) == .never)
  }

  @Test("A table of cells counts who reported, keeps what a silent one said, and forgets when told to")
  func table() throws {
    var table = CellTable(expectedCount: 2)
    let place = try #require(CellPlace(battery: 0, cell: 0))
    let last = try #require(CellPlace(battery: 20, cell: 16))
    #expect(table.reportedCount == 0 && table[place].validity == .waiting)
    table.report(3.3, of: place, at: .origin)
    table.report(0, of: last, at: .origin)
    #expect(table.reportedCount == 2 && table[place].lastGood == 3.3 && table[last].lastGood == 0)
    for fault in [Validity.notAvailable, .sensorError, .outOfRange] {
      table.report(fault, of: place)
      #expect(table[place].validity == fault && table[place].lastGood == 3.3)
    }
    for none in [Validity.valid, .waiting, .unassigned] {
      table.report(none, of: place)
      #expect(table[place].validity == .outOfRange)
    }
    table.report(5.001, of: last, at: .origin)
    #expect(table[last].validity == .outOfRange && table[last].lastGood == 0)
    table.removeAll()
    #expect(table.reportedCount == 0 && table.expectedCount == 2 && table[place].lastGood == nil)
    #expect(CellTable()[place].validity == .unassigned)
    #expect(CellTable(expectedCount: -1).expectedCount == 0 && CellTable(expectedCount: 400).expectedCount == 357)
    #expect(CellPlace(battery: -1, cell: 0) == nil && CellPlace(battery: 0, cell: -1) == nil)
    #expect(CellPlace(index: last.index) == last && CellPlace(index: 18) == CellPlace(battery: 1, cell: 1))
  }

  @Test("Cells that are told together each keep their own value, in whatever order they are told")
  func toldInAnotherOrder() throws {
    let places = try (1...4).map { try #require(CellPlace(battery: 0, cell: $0)) }
    var table = CellTable(expectedCount: 4)
    table.report([], of: [], at: .origin)
    table.report([], of: places, at: .origin)
    #expect(table.reportedCount == 0 && table.summary == nil)
    table.report([3.1, 3.2, 3.3, 3.4], of: places, at: .origin)
    table.report([3.24, 3.23, 3.22, 3.21], of: places.reversed(), at: .origin + .seconds(1))
    #expect(places.map { table[$0].lastGood } == [3.21, 3.22, 3.23, 3.24])
    // Of equal cells the first is named, as where each is told alone.
    table.report([3.2, 3.4, 3.4, 3.2], of: places, at: .origin + .seconds(2))
    #expect(table.summary?.highest.place == places[1] && table.summary?.lowest.place == places[0])
    table.report([3.21, 3.22, 3.23, 3.24], of: places, at: .origin + .seconds(2))
    table.report([3.34, 3.31, 3.32], of: [places[3], places[0], places[1]], at: .origin + .seconds(2))
    #expect(places.map { table[$0].lastGood } == [3.31, 3.32, 3.23, 3.34])
    // Who says nothing of all of them changes nothing of what single reports said before.
    table.report([3.21, 3.22, 3.23, 3.24], of: places, at: .origin + .seconds(3))
    table.report(3.5, of: places[2], at: .origin + .seconds(3))
    table.report([nil, nil, nil, nil], of: places, at: .origin + .seconds(4))
    #expect(table.summary?.highest.value == 3.5)
  }

  @Test("R80: with the system side unknown nobody says that the sides are exchanged")
  func sidesUnknown() {
    var rig = Rig.resting(wiring: Wiring(contactors: .one))
    #expect(!rig.run(.seconds(4)) { $0.alarms.contains(.sidesReversed) })
  }

  @Test("R80: nothing to open, a contactor that is or may be closed, and a pre-charge: none says which side is alive")
  func sidesUndecided() throws {
    var rig = Rig.resting()
    (rig.voltage, rig.system) = (6.5, 13.2)
    #expect(!rig.run(.seconds(4)) { $0.alarms.contains(.sidesReversed) }, "nothing to open")
    var bench = ContactorBench.closed()
    (bench.rig.voltage, bench.drop) = (6.5, -6.7)
    #expect(!bench.run(.seconds(4)) { $0.alarms.contains(.sidesReversed) || !$0.contactorCommand }, "closed")
    rig = Rig.resting(wiring: Wiring(contactors: .one))
    (rig.voltage, rig.system) = (6.5, 13.2)
    for _ in 0..<50 {
      rig.inputs.contactorFeedback = ContactFeedback(isClosed: true, at: rig.now + rig.period)
      #expect(!rig.step().alarms.contains(.sidesReversed) && !rig.out.contactorCommand, "welded")
    }
    rig = Rig.resting(wiring: Wiring(contactors: .one))
    rig.system = 6
    rig.run(.seconds(1)) { $0.prechargeCommand }
    try #require(rig.out.prechargeCommand)
    rig.voltage = 6.5
    // It swings, so that the pre-charge does not end; after 2 s the voltage is in no window, and the BMS gives up.
    for index in 0..<30 {
      rig.system = index % 2 == 0 ? 13.2 : 14
      #expect(!rig.step().alarms.contains(.sidesReversed), "pre-charge")
    }
  }

  @Test("R24: a snapshot says closed for a contactor that is closed, not for one that is open or not there")
  func storedContactor() {
    #expect(ContactorBench.closed().rig.bms.snapshot.isContactorClosed)
    var bench = ContactorBench()
    bench.run(.milliseconds(100))
    #expect(!bench.rig.bms.snapshot.isContactorClosed && !Rig.resting().bms.snapshot.isContactorClosed)
  }

  @Test("A battery that is wired and was never heard is told 5 s after the start, not at 4.9 s")
  func batteryNeverHeard() {
    var rig = Rig()
    rig.inputs.battery.isWired = true
    rig.step()
    #expect(!rig.out.chargeAllowed && !rig.run(.milliseconds(4_900)) { $0.alarms.contains(.batteryLost) })
    #expect(rig.step().alarms.contains(.batteryLost))
  }

  @Test("R109: where a temperature is required, none at all forbids; where it is not, it does not")
  func noTemperature() throws {
    for isRequired in [true, false] {
      var rig = Rig(try settings((.temperatureRequired, isRequired ? 1 : 0)))
      rig.inputs.batteryTemperature = .unassigned
      rig.temperature = nil
      #expect(rig.step().chargeBlocks == (isRequired ? .data : []))
    }
  }

  @Test("OD-20: a current that is silent, or not available, is late at 0.5 s and lost at 2 s, and 1 ms sooner is not")
  func currentAge() {
    let rows: [(Int64, InputFault)] = [(499, .none), (500, .late), (1_999, .late), (2_000, .stale)]
    for (milliseconds, fault) in rows {
      for isNotAvailable in [false, true] {
        var inputs = Inputs()
        let now = Instant.origin + .seconds(10)
        inputs.current = Measurement(5, at: now - .milliseconds(milliseconds))
        if isNotAvailable { inputs.current.report(.notAvailable) }
        let judged = Judgement(inputs, Parameters(Settings()), at: now).currentState.fault
        #expect(judged == (fault == .stale && isNotAvailable ? .notAvailable : fault), "\(milliseconds) ms")
      }
    }
  }

  @Test("A cell that falls from 3.00 to 1.50 V did not jump; to 1.49 V it did, within 5 s")
  func tableJump() throws {
    let rows: [(Double, Int64, Bool)] = [
      (1.5, 1_000, false), (1.49, 1_000, true), (1.49, 5_000, true), (1.49, 5_001, false),
    ]
    for (volts, milliseconds, jumps) in rows {
      var cells = CellTable(expectedCount: 1)
      let place = try #require(CellPlace(battery: 1, cell: 1))
      let now = Instant.origin + .seconds(10)
      cells.report(3, of: place, at: now)
      cells.report(volts, of: place, at: now + .milliseconds(milliseconds))
      #expect((cells.lastJump != nil) == jumps, "\(volts) V, \(milliseconds) ms")
    }
  }

  @Test("A step begins from nothing known, allowed or happened; its reasons keep since when they hold")
  func forgets() {
    var outputs = Outputs()
    outputs.chargeAllowed = true
    outputs.dischargeAllowed = true
    outputs.limits = Limits(chargeVoltage: 14.2, chargeCurrent: 100, dischargeCurrent: 200, lowVoltage: 10.4)
    outputs.limits.isAvailable = false
    (outputs.voltage, outputs.current, outputs.power, outputs.temperature) = (13.3, 10, 133, 20)
    let placed = PlacedValue(value: 3.3, place: CellPlace(battery: 1, cell: 2))
    (outputs.lowestCell, outputs.highestCell) = (placed, placed)
    (outputs.lowestTemperature, outputs.highestTemperature) = (placed, placed)
    outputs.contactorClosed = true
    (outputs.stateOfCharge, outputs.stateOfChargeError, outputs.consumed) = (80, 2, -40)
    outputs.timeToGo = .hours(3)
    outputs.events.fullChargeCompleted = true
    outputs.events.raised.insert(.lowCell)
    outputs.chargeReason.since = Instant.origin + .seconds(7)
    outputs.forget()
    #expect(outputs.chargeReason.since == Instant.origin + .seconds(7))
    outputs.chargeReason.since = .origin
    #expect("\(outputs)" == "\(Outputs())")
  }

  @Test("Cells that are told at once are as if they were told one after the other: new, known, silent and impossible")
  func tableAtOnce() throws {
    let places = try (1...4).map { try #require(CellPlace(battery: 1, cell: $0)) }
    // The first of all is new; then some are known, one is left out, one has no voltage that a cell can have, one jumps.
    let rounds: [([Double?], [Int])] = [
      ([3.3], [0]), ([3.31, 3.32, nil], [0, 2, 1]), ([3.31, 3.30, 9, 3.33], [0, 1, 2, 3]),
      ([3.31, 3.30, 3.35, 3.30], [0, 1, 2, 3]),
      ([nil, 1.7, 3.34], [0, 1, 2]), ([.nan, 3.3], [3, 0]), ([3.3, 3.3, 3.3], [0, 1]), ([], [0]),
    ]
    var (together, single) = (CellTable(expectedCount: 4), CellTable(expectedCount: 4))
    for (number, (volts, cells)) in rounds.enumerated() {
      let now = Instant.origin + .seconds(Int64(number) + 1)
      together.report(volts, of: cells.map { places[$0] }, at: now)
      for (volts, cell) in zip(volts, cells) {
        if let volts { single.report(volts, of: places[cell], at: now) }
      }
      try #require(together.entries.count == single.entries.count)
      for (left, right) in zip(together.entries, single.entries) {
        #expect(left.place == right.place && left.value == right.value && left.validity == right.validity, "\(number)")
        #expect(left.taken == right.taken && left.changed == right.changed, "\(number), \(left.place)")
      }
      #expect(together.lastJump?.at == single.lastJump?.at && together.lastJump?.place == single.lastJump?.place)
      let (all, each) = (together.summary, single.summary)
      #expect(all?.lowest == each?.lowest && all?.highest == each?.highest && all?.sum == each?.sum, "\(number)")
      #expect(all?.oldest == each?.oldest && all?.newest == each?.newest, "\(number)")
    }
    #expect(together.entries.count == 4 && together.entries.first?.value == 3.3)
    #expect(together.lastJump?.place == places[1])
  }

  @Test("OD-2: a smooth limit says where all is given again: CCL at 3.45 V, DCL 0.3 V above the low cell voltage")
  func smoothEnds() throws {
    var rig = Rig.resting(try settings((.limitsNearCellEnds, 1)))
    rig.cells(2.9, 3.6)
    rig.step()
    #expect(rig.out.chargeCurrentReason.endsAt == 3.45 && rig.out.dischargeCurrentReason.endsAt == 3.1)
    rig = Rig.resting(try settings((.limitsNearCellEnds, 1), (.lowCellVoltage, 2.6)))
    rig.cells(2.8, 3.3)
    #expect(rig.step().dischargeCurrentReason.endsAt == 2.9)
  }

  @Test("Of cells at one voltage the first is named, as lowest and as highest")
  func ties() throws {
    var bench = CellBench()
    let first = CellPlace(battery: 1, cell: 1)
    #expect(bench.step().lowestCell?.place == first && bench.out.highestCell?.place == first)
    bench.cells = [3.3, 3.2, 3.2, 3.3]
    bench.step()
    #expect(bench.out.lowestCell?.place == CellPlace(battery: 1, cell: 2) && bench.out.highestCell?.place == first)
  }

  @Test(
    "OD-20: a cell of the table is late when it is 2 s old, not at 1.999 s", arguments: [(1_999, false), (2_000, true)])
  func lateCell(milliseconds: Int64, isLate: Bool) {
    var bench = CellBench()
    // The rig alone: no cell reports any more.
    #expect(bench.rig.step(after: .milliseconds(milliseconds)).alarms.contains(.cellsLate) == isLate)
  }

  @Test("A reported state of charge begins the count while it is at most 9 s old, six periods of 127506")
  func reportedAge() {
    for (milliseconds, isTaken) in [(Int64(9_000), true), (9_001, false)] {
      var rig = Rig()
      rig.inputs.reportedStateOfCharge.report(80, at: rig.now)
      #expect((rig.step(after: .milliseconds(milliseconds)).stateOfCharge != nil) == isTaken, "\(milliseconds) ms")
    }
  }

  @Test("The sum of a table with a late cell is that of all; one cell of four is incomplete, none was never seen")
  func tableStates() throws {
    var cells = CellTable(expectedCount: 4)
    let now = Instant.origin + .seconds(10)
    func judged() -> Judgement {
      var inputs = Inputs()
      inputs.cells = cells
      return Judgement(inputs, Parameters(Settings()), at: now)
    }
    #expect(judged().cellState.fault == .neverSeen)
    for cell in 1...4 {
      let place = try #require(CellPlace(battery: 1, cell: cell))
      cells.report(3.3, of: place, at: now - .seconds(cell == 1 ? 3 : 0))
      #expect(cell == 4 || judged().cellState.fault == .incomplete)
    }
    #expect(judged().cellState.fault == .late && abs(judged().cellSum - 13.2) < 1e-9)
  }

  @Test("Lowest and highest at one voltage are each named by their own place")
  func placesOfExtremes() {
    var rig = Rig.resting()
    rig.inputs.cellExtremes.lowestPlace = CellPlace(battery: 1, cell: 2)
    rig.inputs.cellExtremes.highestPlace = CellPlace(battery: 3, cell: 4)
    rig.step()
    #expect(rig.out.lowestCell?.place == CellPlace(battery: 1, cell: 2))
    #expect(rig.out.highestCell?.place == CellPlace(battery: 3, cell: 4))
  }

  @Test("A step in which nothing happened says so, and one with an alarm does not")
  func events() {
    var rig = Rig.resting()
    #expect(rig.step().events.isEmpty)
    rig.cells(3.3, 3.75)
    #expect(!rig.step().events.isEmpty)
    #expect(rig.step().events.isEmpty)
  }

  @Test("Extremes of which one half is not wired forbid beside a full table too, and the other half still protects")
  func halfOfExtremes() throws {
    var bench = CellBench()
    bench.rig.inputs.cellExtremes = Extremes(lowest: .waiting, highest: .unassigned)
    bench.rig.lowest = 3.3
    #expect(bench.step().chargeBlocks.contains(.data) && bench.out.dischargeBlocks.contains(.data))
  }
}
