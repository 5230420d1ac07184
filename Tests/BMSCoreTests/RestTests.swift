import MonotonicTime
import Testing

@testable import BMSCore

/// When a rule says of itself that it is at rest (QuietStep.swift): never while something holds or a time counts, for a
/// quiet step would not ask it. The other way round costs time only, and is asserted too: else no step would be quiet.
@Suite("Rules at rest")
struct RestTests {
  private let parameters = Parameters(Settings())
  private let second = TimeSpan.seconds(1)

  private func restored(_ change: (inout Snapshot) -> Void) -> Snapshot {
    var snapshot = Snapshot()
    change(&snapshot)
    return snapshot
  }

  @Test("Error 36: not while a contact is open, and not until the error has ended")
  func contactFailure() {
    var contacts = ContactFailure()
    #expect(contacts.isAtRest)
    func evaluate(_ amperes: Double, charge: Bool = true, discharge: Bool = true) {
      contacts.evaluate(amperes, chargeAllowed: charge, dischargeAllowed: discharge, elapsed: second)
    }
    for (charge, discharge) in [(false, true), (true, false)] {
      evaluate(0, charge: charge, discharge: discharge)
      #expect(!contacts.isAtRest)
      evaluate(0)
      #expect(contacts.isAtRest)
    }
    for amperes in [5.0, -5] {
      for _ in 0..<12 { evaluate(amperes, charge: amperes < 0, discharge: amperes > 0) }
      evaluate(0)
      #expect(!contacts.isAtRest, "the error lasts until its current is gone for 10 s")
      for _ in 0..<10 { evaluate(0) }
      #expect(contacts.isAtRest)
    }
  }

  @Test("Current: not while a budget is used, a contact waits for its retry, or the rating is passed")
  func current() {
    #expect(CurrentSupervision(restoring: nil).isAtRest)
    for change: (inout Snapshot) -> Void in [
      { $0.overcurrentSeconds = 1 }, { $0.chargeGraceSeconds = 1 }, { $0.dischargeGraceSeconds = 1 },
      { $0.chargeRetrySeconds = 1 }, { $0.dischargeRetrySeconds = 1 },
    ] {
      var supervision = CurrentSupervision(restoring: restored(change))
      #expect(!supervision.isAtRest)
      supervision.evaluate(0, parameters, elapsed: .zero)
      supervision.evaluate(0, parameters, elapsed: .seconds(2))
      #expect(supervision.isAtRest)
    }
    for amperes in [500.1, -500.1, 600.1, -600.1] {
      var supervision = CurrentSupervision(restoring: nil)
      supervision.evaluate(amperes, parameters, elapsed: second)
      #expect(!supervision.isAtRest)
    }
  }

  @Test("Mode: On with the remote closed, and nothing that runs")
  func mode() throws {
    func modes(_ change: (inout Snapshot) -> Void = { _ in }) -> ModeControl {
      ModeControl(restoring: restored(change))
    }
    func evaluate(_ modes: inout ModeControl, _ remote: RemoteTerminals.State = .closed, low: Bool = false) {
      modes.evaluate(
        remote: remote, lowCell: low, lowStateOfCharge: false, lowestCell: 3.3, charger: .absent,
        canTurnOff: true, parameters, elapsed: second)
    }
    var control = modes()
    #expect(!control.isAtRest, "the remote was not looked at yet")
    evaluate(&control)
    #expect(control.isAtRest)
    evaluate(&control, low: true)
    #expect(!control.isAtRest, "five minutes run")
    evaluate(&control)
    #expect(control.isAtRest)
    for mode in [Mode.standby, .off] {
      var other = modes { $0.mode = mode.rawValue }
      evaluate(&other)
      #expect(!other.isAtRest)
    }
    var empty = modes { $0.emptySeconds = 1 }
    #expect(!empty.isAtRest)
    evaluate(&empty)
    #expect(empty.isAtRest)
    evaluate(&control, .unknown)
    #expect(!control.isAtRest, "nobody says whether it is open")
    evaluate(&control)
    #expect(control.isAtRest)
    evaluate(&control, .open)
    #expect(!control.isAtRest)
  }

  @Test("Protections: not while one holds, each alone")
  func protection() {
    #expect(Protection(restoring: nil).isAtRest)
    for change: (inout Snapshot) -> Void in [
      { $0.lowCell = true }, { $0.preAlarm = true }, { $0.highCell = true }, { $0.lowTemperature = true },
      { $0.highTemperature = true }, { $0.veryHighTemperature = true }, { $0.dischargeFloor = true },
      { $0.isReduced = true },
    ] {
      #expect(!Protection(restoring: restored(change)).isAtRest)
    }
    var protection = Protection(restoring: nil)
    protection.evaluate(bmsTemperature: 75)
    #expect(!protection.isAtRest)
    protection.evaluate(bmsTemperature: 70)
    protection.evaluate(stateOfCharge: 15, isTrusted: true, parameters)
    #expect(!protection.isAtRest && !protection.isCharged, "the warning of R176 is a rule too")
    protection.evaluate(stateOfCharge: 50, isTrusted: true, parameters)
    #expect(protection.isAtRest && protection.isCharged)
    #expect(ReportedBattery(restoring: nil).isAtRest)
    #expect(!ReportedBattery(restoring: restored { $0.isLowCellReported = true }).isAtRest)
    var line = SecondLine(restoring: restored { $0.heldOpen = CurrentDirection.charge.rawValue })
    #expect(!line.isAtRest)
    line.restart()
    #expect(line.isAtRest)
  }

  @Test("Voltage: seen inside, and inside since")
  func window() {
    var window = VoltageSupervision()
    #expect(!window.isAtRest)
    func evaluate(_ volts: Double?, _ elapsed: TimeSpan = .milliseconds(100)) {
      window.evaluate(volts, parameters, elapsed: elapsed)
    }
    evaluate(13)
    #expect(window.isAtRest)
    evaluate(15.1)
    #expect(!window.isAtRest && window.verdict == .inside, "its 2 s run")
    evaluate(13)
    #expect(window.isAtRest)
    evaluate(nil)
    #expect(!window.isAtRest, "what comes next decides at once")
    evaluate(13)
    evaluate(15.1, .seconds(3))
    evaluate(15.1, .seconds(3))
    evaluate(13)
    #expect(!window.isAtRest && window.verdict != .inside, "its 10 s run")
  }

  @Test("Charge voltage: closed, and nothing counts")
  func chargeVoltage() {
    var voltage = ChargeVoltage()
    func evaluate(isClosed: Bool) {
      voltage.evaluate(
        system: 13, battery: 12, current: 0, isClosed: isClosed, isFed: false, parameters, elapsed: .milliseconds(100))
    }
    evaluate(isClosed: true)
    #expect(voltage.isAtRest)
    evaluate(isClosed: false)
    #expect(!voltage.isAtRest)
  }

  @Test("Distributors: absent, or good; a fuse, a lost supply, silence and a second one are none")
  func distributors() {
    func supervised(_ report: DistributorReport, after span: TimeSpan = .zero) -> DistributorSupervision {
      var supervision = DistributorSupervision()
      var reports = InlineArray<4, DistributorReport>(repeating: DistributorReport())
      supervision.step(reports, used: .max, mode: .on, at: .origin)
      reports[1] = report
      supervision.step(reports, used: .max, mode: .on, at: .origin)
      supervision.step(reports, used: .max, mode: .on, at: .origin + span)
      return supervision
    }
    let good = DistributorReport(blown: 0, hasPower: true, at: .origin)
    var double = good
    double.isDuplicate = true
    #expect(DistributorSupervision().isAtRest && supervised(good).isAtRest)
    #expect(!supervised(good, after: .seconds(11)).isAtRest && !supervised(double).isAtRest)
    #expect(!supervised(DistributorReport(blown: 4, hasPower: true, at: .origin)).isAtRest)
    #expect(!supervised(DistributorReport(blown: 0, hasPower: false, at: .origin)).isAtRest)
    // What stays so from one step to the next.
    func stays(_ reports: InlineArray<4, DistributorReport>, _ supervision: DistributorSupervision) -> Bool {
      supervision.staysAtRest(reports, used: 0b0100_0000, at: .origin + .milliseconds(9_999))
    }
    for slot in 0..<4 {
      var reports = InlineArray<4, DistributorReport>(repeating: DistributorReport())
      #expect(stays(reports, DistributorSupervision()))
      reports[slot] = good
      #expect(!stays(reports, DistributorSupervision()), "one comes")
      #expect(stays(reports, supervised(good)) == (slot == 1))
    }
    for (report, isQuiet) in [
      (good, true), (double, false), (DistributorReport(blown: 0, hasPower: false, at: .origin), false),
      (DistributorReport(blown: 4, hasPower: true, at: .origin), false),
      (DistributorReport(blown: 8, hasPower: true, at: .origin), true),
      (DistributorReport(blown: 0, hasPower: true, at: .origin - .milliseconds(1)), false),
      (DistributorReport(), false),
    ] {
      var reports = InlineArray<4, DistributorReport>(repeating: DistributorReport())
      reports[1] = report
      #expect(stays(reports, supervised(good)) == isQuiet)
    }
  }

  @Test("R262: with all four Distributors there, a fuse of the last is still told")
  func fourDistributors() {
    var rig = Rig.resting()
    for index in 0..<4 { rig.inputs.distributors[index] = DistributorReport(blown: 0, at: rig.now) }
    #expect(rig.step().alarms.isEmpty)
    rig.inputs.distributors[3] = DistributorReport(blown: 1, at: rig.now)
    #expect(rig.step().alarms == [.fuse13])
  }

  @Test("The contactor: closed, cold, without a drop, a fault or a disagreement that counts")
  func contactor() {
    var bench = ContactorBench.closed()
    func isAtRest() -> Bool { bench.rig.bms.contactor.isAtRest }
    #expect(!isAtRest(), "the resistor is warm")
    bench.run(.minutes(1))
    #expect(isAtRest())
    bench.drop = 0.6
    bench.run(.milliseconds(200))
    #expect(!isAtRest())
    bench.drop = 0
    bench.run(.milliseconds(200))
    #expect(isAtRest())
    bench.told = false
    bench.step()
    bench.step()
    #expect(!isAtRest() && bench.out.contactorFault == nil)
    bench.told = nil
    bench.run(.milliseconds(200))
    #expect(isAtRest())
    bench.hot = true
    bench.run(.milliseconds(200))
    #expect(!isAtRest() && bench.out.contactorPhase == .lead)
    #expect(ContactorSequence(Wiring()).isAtRest && !ContactorSequence(Wiring(contactors: .one)).isAtRest)
  }

  // MARK: A quiet step

  /// A bank that has been in service for a minute, before its next step.
  private static let rested = {
    var bench = ContactorBench.closed()
    bench.run(.minutes(1))
    return bench
  }()

  /// Whether the next step is a quiet one.
  private func isQuiet(_ change: (inout ContactorBench) throws -> Void) rethrows -> Bool {
    var bench = Self.rested
    try change(&bench)
    bench.step()
    return bench.rig.bms.isQuiet
  }

  /// Not at once: that is no temperature but a jump.
  private static func warm(_ bench: inout ContactorBench, _ celsius: Double) {
    bench.rig.temperature = 35
    bench.run(.seconds(10))
    bench.rig.temperature = celsius
  }

  @Test("A step is quiet just inside each threshold, and not at it")
  func thresholds() {
    #expect(isQuiet { _ in })
    typealias Change = (inout ContactorBench) -> Void
    let edges: [(String, inside: Change, outside: Change)] = [
      ("R88, pre-alarm", { $0.rig.cells(3.101, 3.3) }, { $0.rig.cells(3.1, 3.3) }),
      ("R104, high cell", { $0.rig.cells(3.3, 3.749) }, { $0.rig.cells(3.3, 3.75) }),
      ("R196, charge", { $0.rig.current = 500 }, { $0.rig.current = 500.1 }),
      ("R196, discharge", { $0.rig.current = -500 }, { $0.rig.current = -500.1 }),
      ("R109, cold", { $0.rig.temperature = 5 }, { $0.rig.temperature = 4.9 }),
      ("OD-4, hot", { Self.warm(&$0, 49.9) }, { Self.warm(&$0, 50) }),
      ("R71, drop", { $0.system = 12.7 }, { $0.system = 12.69 }),
      ("R71, drop", { $0.system = 13.7 }, { $0.system = 13.71 }),
      (
        "R115, BMS", { $0.rig.inputs.bmsTemperature = Measurement(74.9, at: $0.rig.now) },
        { $0.rig.inputs.bmsTemperature = Measurement(75, at: $0.rig.now) }
      ),
    ]
    for (name, inside, outside) in edges {
      #expect(isQuiet(inside), "\(name), inside")
      #expect(!isQuiet(outside), "\(name), outside")
    }
    #expect([0, 3, 4, 5].map(parameters.fits) == [true, false, true, false], "R322")
    // R204, with the sides together.
    for (volts, quiet) in [(15.0, true), (15.01, false), (9, true), (8.99, false)] {
      #expect(
        isQuiet {
          $0.rig.voltage = volts
          $0.system = volts
        } == quiet, "\(volts) V")
    }
  }

  @Test("A step is not quiet when somebody asks for something, a contact says otherwise, or a value is missing")
  func flags() throws {
    let flags: [WritableKeyPath<Inputs, Bool>] = [
      \.shutdown, \.areSettingsLost, \.isStateNotStored, \.isCalibrationLost, \.isUpdating, \.isUpdateFailing,
    ]
    for flag in flags { #expect(!isQuiet { $0.rig.inputs[keyPath: flag] = true }) }
    let contacts: [WritableKeyPath<Inputs, ContactFeedback>] = [
      \.secondThermalSwitch, \.internalSupply, \.fan, \.secondFan, \.remote.bridge,
    ]
    for contact in contacts {
      #expect(isQuiet { $0.rig.inputs[keyPath: contact] = ContactFeedback(isClosed: true, at: $0.rig.now) })
      #expect(!isQuiet { $0.rig.inputs[keyPath: contact] = ContactFeedback(isClosed: false, at: $0.rig.now) })
    }
    #expect(!isQuiet { $0.hot = true })
    #expect(!isQuiet { $0.told = false })
    #expect(!isQuiet { $0.rig.inputs.secondContactorFeedback = ContactFeedback(isClosed: true, at: $0.rig.now) })
    #expect(!isQuiet { $0.rig.inputs.batteryLowCellSettings = 2.8...2.8 })
    #expect(!isQuiet { $0.rig.inputs.wiringFaults[.lost, .relay] = true })
    #expect(!isQuiet { $0.rig.inputs.battery.chargeCurrent = 10 })
    #expect(!isQuiet { $0.rig.inputs.distributors[2] = DistributorReport(blown: 0, at: $0.rig.now) })
    #expect(!isQuiet { $0.rig.bms.apply(Settings()) })
    #expect(try !isQuiet { try $0.rig.bms.perform(.setStateOfCharge(50)) })
    // Each value is late half a second or two after it was given last.
    let values: [(WritableKeyPath<Rig, Double?>, TimeSpan)] = [
      (\.current, .milliseconds(520)), (\.temperature, .seconds(2)), (\.lowest, .seconds(2)), (\.highest, .seconds(2)),
    ]
    for (value, late) in values {
      var bench = Self.rested
      bench.rig[keyPath: value] = nil
      bench.run(late - .milliseconds(100))
      let wasQuiet = bench.rig.bms.isQuiet
      bench.run(.milliseconds(200))
      #expect(wasQuiet && !bench.rig.bms.isQuiet, "\(value)")
    }
  }
}
