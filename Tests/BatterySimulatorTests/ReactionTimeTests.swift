import BMSCore
import BatterySimulator
import Glibc
import MonotonicTime
import Testing

/// How long after each fault the BMS decides, and the contactor is open: from the fault in the plant, through sensors
/// that are read each 100 ms (each 10 ms while a contact moves), to the contact. Each row is held to the requirement
/// that gives its time. The table is printed, and written to .build/reaction-times.txt where that folder is.
@Suite("Detection and reaction time of each fault")
struct ReactionTimeTests {
  struct Row: Sendable {
    let name: String
    let source: String
    let inject: @Sendable (inout ClosedLoop) -> Void
    /// What is decided: one direction is forbidden.
    let decision: CurrentDirection
    /// From the fault to the decision, seconds.
    let decided: ClosedRange<Double>
    /// From the fault to the contact that is open, seconds; nil where it stays closed (R112).
    var opened: ClosedRange<Double>?
  }

  static let atOnce = 0.0...0.2

  static func fault(
    _ fault: Fault, _ name: String, _ source: String, _ decision: CurrentDirection, _ decided: ClosedRange<Double>,
    opened: ClosedRange<Double>? = nil
  ) -> Row {
    Row(
      name: name, source: source, inject: { $0.begin(fault) }, decision: decision, decided: decided, opened: opened)
  }

  static let rows: [Row] = [
    fault(.sensorOffset(.cell(battery: 0, cell: 1), by: 0.5), "a cell above 3.75 V", "R104", .charge, atOnce),
    fault(
      .sensorOffset(.cell(battery: 0, cell: 1), by: -0.55), "a cell below 2.8 V", "R84, R92", .discharge, 30...30.2),
    fault(.sensorOffset(.cell(battery: 0, cell: 1), by: -0.75), "a cell below 2.6 V", "OD-12", .discharge, atOnce),
    fault(.temperature(battery: 0, celsius: 52), "a battery at 52 °C", "R110, OD-4", .charge, atOnce),
    fault(.temperature(battery: 0, celsius: 58), "a battery at 58 °C", "R110, OD-4", .discharge, atOnce),
    fault(.temperature(battery: 0, celsius: 2), "a battery at 2 °C", "R109", .charge, atOnce),
    fault(.surgeDischarge(amperes: 700), "700 A out", "R197, R198", .discharge, 30...30.3),
    fault(.surgeCharge(amperes: 700), "700 A in", "R197, R198", .charge, 30...30.3),
    fault(
      .sensorLost(.cell(battery: 0, cell: 1)), "a cell's sensor is silent", "OD-20, R76", .discharge, 4.9...5.1,
      opened: 61.9...62.3),
    fault(.sensorLost(.current), "the shunt is silent", "OD-20, R76", .discharge, 1.9...2.1, opened: 61.9...62.3),
    fault(
      .sensorLost(.batteryVoltage), "the battery voltage is silent", "OD-20, R76", .discharge, 1.9...2.1,
      opened: 61.9...62.3),
    fault(.busSilent, "the bus is silent", "OD-20, R76", .discharge, 1.9...2.1, opened: 61.9...62.3),
    fault(
      .contactor(0, .feedbackStuck(closed: false)), "the contactor's feedback says open", "R73, OD-21", .discharge,
      0.1...0.4, opened: 0.1...0.5),
    Row(
      name: "a busbar at 130 °C", source: "R72, R76",
      inject: { loop in
        loop.hotBusbars.first = true
        loop.excite()
      }, decision: .charge, decided: atOnce, opened: 2...2.3),
    Row(
      name: "the remote switch is opened", source: "R44, R76",
      inject: { loop in
        loop.remote = .open
        loop.excite()
      }, decision: .discharge, decided: atOnce, opened: 2...2.3),
  ]

  struct Result {
    var decided: Double?
    var opened: Double?
  }

  static func measure(_ row: Row) -> Result {
    var bank = BankParameters()
    bank.battery = .uniform
    bank.stateOfCharge = 0.6
    var plant = Plant(Bank(bank))
    plant.loads = [Load(.current(20))]
    var loop = ClosedLoop(plant: plant)
    loop.remote = .closed
    (loop.interval, loop.fineInterval) = (.milliseconds(100), .milliseconds(100))
    let ready = loop.now + .seconds(30)
    while loop.now < ready { loop.step(until: ready) }
    guard loop.outputs.chargeAllowed, loop.outputs.dischargeAllowed, loop.plant.contactors[0].isClosed else {
      return Result()
    }
    let begin = loop.now
    row.inject(&loop)
    var result = Result()
    let end = begin + .seconds(70)
    while loop.now < end, result.decided == nil || result.opened == nil {
      loop.step(until: end)
      let isAllowed = row.decision == .charge ? loop.outputs.chargeAllowed : loop.outputs.dischargeAllowed
      if !isAllowed, result.decided == nil { result.decided = (loop.now - begin).seconds }
      if !loop.plant.contactors[0].isClosed, result.opened == nil { result.opened = (loop.now - begin).seconds }
    }
    return result
  }

  static func seconds(_ value: Double?) -> String { value.map { "\($0.text(2)) s" } ?? "stays closed" }

  @Test("Each fault is met in the time that its requirement gives, and the table says how long it took")
  func table() {
    var lines = ["fault | contact | decided after | contactor open after | requirement", "--- | --- | --- | --- | ---"]
    for row in Self.rows {
      let result = Self.measure(row)
      let contact = row.decision == .charge ? "ATC" : "ATD"
      lines.append(
        "\(row.name) | \(contact) | \(Self.seconds(result.decided)) | \(Self.seconds(result.opened)) | \(row.source)")
      #expect(result.decided.map { row.decided.contains($0) } == true, "\(row.name): \(Self.seconds(result.decided))")
      if let bound = row.opened {
        #expect(result.opened.map { bound.contains($0) } == true, "\(row.name): \(Self.seconds(result.opened))")
      } else {
        #expect(result.opened == nil, "R112: \(row.name) leaves the contactor closed")
      }
    }
    let text = lines.joined(separator: "\n") + "\n"
    print(text)
    if let file = fopen(".build/reaction-times.txt", "w") {
      fputs(text, file)
      fclose(file)
    }
  }
}
