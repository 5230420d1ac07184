import BMSCore
import BatterySimulator
import Glibc
import MonotonicTime
import Testing

/// How long after each fault the BMS tells it, forbids a direction, and has the contactor open: from the fault in the
/// plant, through sensors that are read each 100 ms (each 10 ms while a contact moves), to the contact. The faults are
/// those of bms-anchors.md 4.3. Each row is held to the requirement that gives its time. The table is printed, and
/// written to .build/reaction-times.txt where that folder is; Tests/reaction-times shows it.
@Suite("Detection and reaction time of each fault")
struct ReactionTimeTests {
  struct Row: Sendable {
    let name: String
    let source: String
    /// From running to where the fault begins.
    var prepare: @Sendable (inout ClosedLoop) throws -> Void = { _ in }
    let inject: @Sendable (inout ClosedLoop) throws -> Void
    /// What tells it, and after how many seconds.
    let alarm: Alarm?
    var told: ClosedRange<Double> = ReactionTimeTests.atOnce
    /// The direction that is forbidden, and after how many seconds; nil where none is.
    var decision: CurrentDirection?
    var decided: ClosedRange<Double> = ReactionTimeTests.atOnce
    /// After how many seconds the contact is open; nil where it stays as it was (R112).
    var opened: ClosedRange<Double>?
    /// Whether a large load comes and goes, so that whatever is frozen must have moved.
    var loadComesAndGoes = false
  }

  static let atOnce = 0.0...0.2

  static func fault(
    _ fault: Fault, _ name: String, _ source: String, tells alarm: Alarm?, in told: ClosedRange<Double> = atOnce,
    stops decision: CurrentDirection? = nil, within decided: ClosedRange<Double> = atOnce,
    opens opened: ClosedRange<Double>? = nil
  ) -> Row {
    Row(
      name: name, source: source, inject: { $0.begin(fault) }, alarm: alarm, told: told, decision: decision,
      decided: decided, opened: opened)
  }

  /// A sensor that repeats itself is found by three changes of load, which come each 15 s here.
  static func frozen(_ sensor: Sensor, _ name: String, tells alarm: Alarm, stops decision: CurrentDirection?) -> Row {
    var row = fault(
      .sensorFrozen(sensor), name, "ours, three changes of load", tells: alarm, in: 20...70, stops: decision,
      within: 20...70)
    row.loadComesAndGoes = true
    return row
  }

  /// Something that shows when the contactor is asked to close.
  static func closing(
    _ fault: Fault, _ name: String, _ source: String, tells alarm: Alarm, in told: ClosedRange<Double>
  )
    -> Row
  {
    var row = Row(
      name: name, source: source,
      inject: { loop in
        loop.begin(fault)
        try loop.perform(.requestMode(.on, by: .app))
      }, alarm: alarm, told: told)
    row.prepare = { loop in
      try loop.perform(.requestMode(.standby, by: .app))
      // The system side's capacitors run empty meanwhile.
      loop.begin(.busResistance(ohms: 50))
      let rest = loop.now + .seconds(40)
      while loop.now < rest { loop.step(until: rest) }
      loop.end(.busResistance(ohms: 50))
    }
    return row
  }

  static let rows: [Row] = [
    fault(
      .sensorOffset(.cell(battery: 0, cell: 1), by: 0.5), "a cell above 3.75 V", "R104", tells: .highCell,
      stops: .charge),
    fault(
      .sensorOffset(.cell(battery: 0, cell: 1), by: -0.55), "a cell below 2.8 V", "R84, R92", tells: .preAlarm,
      stops: .discharge, within: 30...30.2),
    fault(
      .sensorOffset(.cell(battery: 0, cell: 1), by: -0.75), "a cell below 2.6 V", "OD-12", tells: .lowCell,
      stops: .discharge),
    fault(
      .temperature(battery: 0, celsius: 52), "a battery at 52 °C", "R110, OD-4", tells: .highTemperature,
      stops: .charge),
    fault(
      .temperature(battery: 0, celsius: 58), "a battery at 58 °C", "R110, OD-4", tells: .veryHighTemperature,
      stops: .discharge),
    fault(.temperature(battery: 0, celsius: 2), "a battery at 2 °C", "R109", tells: .lowTemperature, stops: .charge),
    fault(
      .surgeDischarge(amperes: 700), "700 A out", "R197, R198", tells: .highDischargeCurrent, stops: .discharge,
      within: 30...30.3),
    fault(
      .surgeCharge(amperes: 700), "700 A in", "R197, R198", tells: .highChargeCurrent, stops: .charge, within: 30...30.3
    ),
    fault(
      .surgeDischarge(amperes: 550), "550 A out", "R196, OD-24", tells: .highDischargeCurrentWarning, in: 10...10.3),
    fault(
      .sensorLost(.cell(battery: 0, cell: 1)), "a cell's sensor is silent", "OD-20, R76", tells: .cellsLate,
      in: 1.9...2.1, stops: .discharge, within: 4.9...5.1, opens: 61.9...62.3),
    fault(
      .sensorLost(.current), "the shunt is silent", "OD-20, R76", tells: .currentLate, in: 0.4...0.6,
      stops: .discharge, within: 1.9...2.1, opens: 61.9...62.3),
    fault(
      .sensorLost(.batteryVoltage), "the battery voltage is silent", "OD-20, R76", tells: .voltageLate, in: 0.4...0.6,
      stops: .discharge, within: 1.9...2.1, opens: 61.9...62.3),
    fault(
      .sensorLost(.temperature(battery: 0)), "a temperature is silent", "OD-20, R76", tells: .temperatureLate,
      in: 1.9...2.1, stops: .charge, within: 4.9...5.1, opens: 61.9...62.3),
    fault(
      .busSilent, "the bus is silent", "OD-20, R76", tells: .currentLate, in: 0.4...0.6, stops: .discharge,
      within: 1.9...2.1, opens: 61.9...62.3),
    frozen(
      .cell(battery: 0, cell: 1), "a cell's sensor repeats itself", tells: .cellsStuck, stops: .discharge),
    frozen(.current, "the shunt repeats itself", tells: .currentStuck, stops: nil),
    frozen(.batteryVoltage, "the battery voltage repeats itself", tells: .voltageStuck, stops: nil),
    fault(
      .contactor(0, .feedbackStuck(closed: false)), "the contactor's feedback says open", "R73, R76, OD-21",
      tells: .contactorError, in: 0.1...0.4, stops: .discharge, within: 0.1...0.4, opens: 2.1...2.5),
    Row(
      name: "the contactor is welded, and told to open", source: "R73, R76, OD-21",
      inject: { loop in
        loop.begin(.contactor(0, .welded))
        loop.remote = .open
        loop.excite()
      }, alarm: .contactorError, told: 2.1...2.5, decision: .discharge),
    closing(
      .contactor(0, .stuckOpen), "the contactor does not close", "R73, OD-21", tells: .contactorError, in: 0.4...2),
    closing(
      .busResistance(ohms: 0.01), "a short circuit at pre-charge", "R68", tells: .prechargeOverload, in: 0.3...0.6),
    closing(
      .busResistance(ohms: 5), "a load of 5 Ohm at pre-charge", "R9, R69", tells: .prechargeTimeout, in: 5...6),
    closing(.prechargeOpen, "a pre-charge resistor that is broken", "R68", tells: .prechargeOverload, in: 0.3...0.6),
    Row(
      name: "a busbar at 130 °C", source: "R72, R76",
      inject: { loop in
        loop.hotBusbars.first = true
        loop.excite()
      }, alarm: .busbarHot, decision: .charge, opened: 2...2.3),
    Row(
      name: "the remote switch is opened", source: "R44, R76",
      inject: { loop in
        loop.remote = .open
        loop.excite()
      }, alarm: nil, decision: .discharge, opened: 2...2.3),
    fault(.fuse(distributor: 0, fuse: 1), "a Distributor's fuse is blown", "R253", tells: .fuse2),
    fault(
      .distributorSilent(0), "a Distributor is silent", "R239, OD-15", tells: .distributorALost, in: 9.9...10.2),
    Row(
      name: "two Distributors with one address", source: "R263, OD-16",
      inject: { loop in
        loop.duplicateDistributors = [0]
        loop.excite()
      }, alarm: .distributorDuplicate),
    Row(
      name: "the stored settings are damaged", source: "R29, R251",
      inject: { loop in
        loop.inputs.areSettingsLost = true
        loop.excite()
      }, alarm: .settingsLost, decision: .charge, opened: 2...2.3),
    Row(
      name: "the supply of the BMS fails", source: "R118",
      inject: { $0.stop(.powerCut) }, alarm: nil, decision: .charge, opened: 0...0.2),
  ]

  /// What of the list is no fault of the plant, and where it is shown.
  static let elsewhere = [
    "a second device with the BMS's address: Tests/Bus/test_claim.py",
    "the wall clock jumps: the core has none, and time that goes back stands still (StepEdgeTests)",
    "the stored state is damaged: it is refused whole, as on a first start (SnapshotTests)",
    "the program is killed and its outputs are held: kept for 120 s at most (RestartTests, R24)",
    "a member of a group is lost: groups are not built yet",
  ]

  struct Result {
    var told: Double?
    var decided: Double?
    var opened: Double?
  }

  static func measure(_ row: Row) throws -> Result {
    var bank = BankParameters()
    bank.battery = .uniform
    bank.stateOfCharge = 0.6
    var plant = Plant(Bank(bank))
    plant.loads = [Load(.current(20)), Load(.current(400))]
    plant.loads[1].isOn = false
    plant.distributors = [Distributor(address: 0)]
    var loop = ClosedLoop(plant: plant)
    loop.remote = .closed
    (loop.interval, loop.fineInterval) = (.milliseconds(100), .milliseconds(100))
    let ready = loop.now + .seconds(30)
    while loop.now < ready { loop.step(until: ready) }
    try #require(loop.outputs.chargeAllowed && loop.outputs.dischargeAllowed && loop.plant.contactors[0].isClosed)
    try row.prepare(&loop)
    let begin = loop.now
    let isClosed = loop.plant.contactors[0].isClosed
    try row.inject(&loop)
    var result = Result()
    let end = begin + .seconds(75)
    while loop.now < end {
      if row.loadComesAndGoes {
        loop.plant.loads[1].isOn = Int((loop.now - begin).seconds / 15) % 2 == 0
      }
      loop.step(until: end)
      let seconds = (loop.now - begin).seconds
      if let alarm = row.alarm, loop.outputs.alarms.contains(alarm) { result.told = result.told ?? seconds }
      if let decision = row.decision {
        let isAllowed = decision == .charge ? loop.outputs.chargeAllowed : loop.outputs.dischargeAllowed
        if !isAllowed { result.decided = result.decided ?? seconds }
      }
      if loop.plant.contactors[0].isClosed != isClosed { result.opened = result.opened ?? seconds }
      let isTold = row.alarm == nil || result.told != nil
      let isDecided = row.decision == nil || result.decided != nil
      if isTold, isDecided, row.opened != nil, result.opened != nil { break }
    }
    return result
  }

  static func seconds(_ value: Double?, _ none: String) -> String { value.map { "\($0.text(2)) s" } ?? none }

  @Test("Each fault is met in the time that its requirement gives, and the table says how long it took")
  func table() throws {
    var lines = [
      "fault | told by | after | forbids | after | contactor open after | requirement",
      "--- | --- | --- | --- | --- | --- | ---",
    ]
    func meets(_ value: Double?, _ bound: ClosedRange<Double>) -> Bool { value.map { bound.contains($0) } ?? false }
    for row in Self.rows {
      let result = try Self.measure(row)
      let contact = row.decision.map { $0 == .charge ? "ATC" : "ATD" } ?? "-"
      let cells = [
        row.name, row.alarm?.definition.code ?? "-", Self.seconds(result.told, "-"), contact,
        Self.seconds(result.decided, "-"), Self.seconds(result.opened, "stays"), row.source,
      ]
      lines.append(cells.joined(separator: " | "))
      if row.alarm != nil { #expect(meets(result.told, row.told), "\(row.name): told, \(cells)") }
      if row.decision != nil { #expect(meets(result.decided, row.decided), "\(row.name): decided, \(cells)") }
      if let bound = row.opened {
        #expect(meets(result.opened, bound), "\(row.name): opened, \(cells)")
      } else {
        #expect(result.opened == nil, "R112: \(row.name) leaves the contactor as it was")
      }
    }
    lines += [""] + Self.elsewhere
    let text = lines.joined(separator: "\n") + "\n"
    print(text)
    if let file = fopen(".build/reaction-times.txt", "w") {
      fputs(text, file)
      fclose(file)
    }
  }
}
