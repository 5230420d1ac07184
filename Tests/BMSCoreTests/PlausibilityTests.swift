import BatterySimulator
import MonotonicTime
import Testing

@testable import BMSCore

/// A rig with every cell of its bank in a table, and a load that moves all of it.
struct CellBench {
  var rig: Rig
  var cells: [Double]
  /// Volts a cell at rest.
  let rest = 3.3
  /// Cells whose sensor repeats this instead of the truth.
  var stuck: [Int: Double] = [:]

  init(_ settings: Settings = Settings(), cells count: Int = 4) {
    rig = Rig.resting(settings)
    rig.lowest = nil
    rig.highest = nil
    rig.inputs.cellExtremes = Extremes()
    rig.inputs.cells = CellTable(expectedCount: count)
    cells = Array(repeating: 3.3, count: count)
    run(.seconds(15))
  }

  @discardableResult
  mutating func step(after span: TimeSpan? = nil) -> Outputs {
    let next = rig.now + (span ?? rig.period)
    for (index, volts) in cells.enumerated() {
      guard let place = CellPlace(battery: 1 + index / 4, cell: 1 + index % 4) else { continue }
      rig.inputs.cells.report(stuck[index] ?? volts, of: place, at: next)
    }
    return rig.step(after: span)
  }

  @discardableResult
  mutating func run(_ span: TimeSpan, until met: (Outputs) -> Bool = { _ in false }) -> Bool {
    let end = rig.now + span
    while rig.now < end {
      step()
      if met(rig.out) { return true }
    }
    return false
  }

  /// Loads or charges so that every cell moves by this, for 25 s.
  mutating func load(_ volts: Double, amperes: Double? = nil, packVolts: Double? = nil) {
    cells = cells.map { _ in rest + volts }
    rig.voltage = packVolts ?? (rest + volts) * Double(rig.bms.settings.cellsInSeries)
    rig.current = amperes ?? volts * 2000
    run(.seconds(25))
  }

  var out: Outputs { rig.out }
}

@Suite("What cannot be true")
struct PlausibilityTests {
  static let all: AlarmSet = [
    .cellsAgainstPack, .cellsContradictPack, .cellsStuck, .cellsJump, .voltageStuck, .voltageJump, .currentStuck,
    .currentSign, .temperatureJump,
  ]

  @Test(
    "Sum of cells: 0.20 V from the pack is silent at 12 V, 0.21 V warns after 30 s and forbids nothing",
    arguments: [1, -1])
  func sum(sign: Double) {
    var bench = CellBench()
    bench.rig.voltage = 13.2 + sign * 0.2
    #expect(!bench.run(.minutes(3)) { !$0.alarms.isDisjoint(with: Self.all) })
    bench.rig.voltage = 13.2 + sign * 0.21
    #expect(!bench.run(TimeSpan(seconds: 29.9)) { $0.alarms.contains(.cellsAgainstPack) })
    #expect(bench.run(TimeSpan(seconds: 0.2)) { $0.alarms.contains(.cellsAgainstPack) })
    bench.run(.minutes(3))
    #expect(bench.out.chargeAllowed && bench.out.dischargeAllowed)
    bench.rig.voltage = 13.2
    #expect(!bench.run(TimeSpan(seconds: 9.9)) { !$0.alarms.contains(.cellsAgainstPack) })
    #expect(bench.run(TimeSpan(seconds: 0.2)) { !$0.alarms.contains(.cellsAgainstPack) })
  }

  @Test("Sum of cells: 0.40 V only warns; 0.41 V for 60 s forbids the direction in which a cell may be hidden")
  func contradiction() {
    var bench = CellBench()
    bench.rig.voltage = 13.6
    #expect(!bench.run(.minutes(3)) { !$0.chargeAllowed || !$0.dischargeAllowed })
    bench.rig.voltage = 13.61
    #expect(!bench.run(TimeSpan(seconds: 59.9)) { !$0.chargeAllowed })
    bench.run(TimeSpan(seconds: 0.2))
    #expect(bench.out.chargeBlocks == .contradiction && bench.out.dischargeAllowed)
    #expect(bench.out.alarms.contains(.cellsContradictPack) && !bench.out.alarms.contains(.cellsAgainstPack))
    #expect(
      bench.out.chargeText
        == "charge forbidden: the battery voltage differs from the sum of its cells by 0.41 V, "
        + "until by at most 0.2 V for 10 s")
    bench.rig.voltage = 13.2
    #expect(bench.run(TimeSpan(seconds: 10.2)) { $0.chargeAllowed })
    bench.rig.voltage = 12.79
    bench.run(TimeSpan(seconds: 60.1))
    #expect(bench.out.dischargeBlocks == .contradiction && bench.out.chargeAllowed)
  }

  @Test("Sum of cells: at 500 A 0.60 V is allowed at 12 V, for cables and links; 0.61 V is not")
  func sumUnderLoad() {
    var bench = CellBench()
    bench.rig.current = -500
    bench.rig.voltage = 12.6
    #expect(!bench.run(.minutes(1)) { $0.alarms.contains(.cellsAgainstPack) })
    bench.rig.voltage = 12.59
    #expect(bench.run(.minutes(1)) { $0.alarms.contains(.cellsAgainstPack) })
  }

  @Test("Sum of cells: strings in parallel count by their mean; a table that is no whole string is not compared")
  func strings() {
    var bench = CellBench(cells: 8)
    bench.cells = [3.3, 3.3, 3.3, 3.3, 3.31, 3.31, 3.31, 3.31]
    bench.rig.voltage = 13.42
    #expect(!bench.run(.minutes(1)) { $0.alarms.contains(.cellsAgainstPack) })
    bench.rig.voltage = 13.43
    #expect(bench.run(.minutes(1)) { $0.alarms.contains(.cellsAgainstPack) })
    bench = CellBench(cells: 6)
    bench.rig.voltage = 14.5
    #expect(!bench.run(.minutes(2)) { !$0.alarms.isDisjoint(with: Self.all) })
  }

  @Test("Sum of cells: with lowest and highest only, the pack must lie between both times the cells")
  func extremes() {
    var rig = Rig.resting()
    rig.cells(3.2, 3.4)
    rig.voltage = 13.8
    #expect(!rig.run(.minutes(1)) { $0.alarms.contains(.cellsAgainstPack) })
    rig.voltage = 13.81
    #expect(rig.run(.minutes(1)) { $0.alarms.contains(.cellsAgainstPack) })
  }

  @Test("Stuck: a cell unchanged over three changes of load with both signs is forbidden, over two it is not")
  func stuck() throws {
    var bench = CellBench()
    bench.stuck[2] = 3.3
    bench.load(-0.06)
    bench.load(0)
    #expect(bench.out.alarms.isDisjoint(with: Self.all))
    bench.load(-0.06)
    #expect(bench.out.alarms.contains(.cellsStuck) && !bench.out.alarms.contains(.cellsLost))
    #expect(!bench.out.chargeAllowed && !bench.out.dischargeAllowed)
    #expect(bench.out.dischargeReason.fault == .stuck)
    #expect(bench.out.dischargeReason.place == CellPlace(battery: 1, cell: 3))
    bench.stuck = [:]
    bench.step()
    #expect(bench.out.chargeAllowed && !bench.out.alarms.contains(.cellsStuck), "the first change ends it")
  }

  @Test("Stuck: 49 mV a cell is no change of load, and a voltage that only rises accuses nobody")
  func noEvent() {
    var bench = CellBench()
    bench.stuck[0] = 3.3
    for volts in [-0.049, 0, -0.049, 0, -0.049] { bench.load(volts) }
    #expect(bench.out.alarms.isDisjoint(with: Self.all))
    bench = CellBench()
    bench.stuck[0] = 3.3
    for volts in [0.05, 0.1, 0.15, 0.2] { bench.load(volts, amperes: 50) }
    #expect(!bench.out.alarms.contains(.cellsStuck) && !bench.out.alarms.contains(.currentStuck))
  }

  @Test("Stuck: what cables and fuses make of the current moves no cell: 25 mV a cell must be left of the 50")
  func outsideResistance() throws {
    // 0.2 mOhm a cell: 40 mV at 200 A.
    for (volts, isStuck) in [(0.064, false), (0.065, true)] {
      var bench = CellBench()
      for index in bench.cells.indices { bench.stuck[index] = 3.3 }
      for volts in [-volts, 0, -volts, 0] { bench.load(volts, amperes: volts * 200 / abs(volts == 0 ? 1 : volts)) }
      #expect(bench.rig.out.alarms.contains(.cellsStuck) == isStuck, "\(volts) V a cell")
    }
  }

  @Test("Stuck: at rest nothing moves again, so Off and On try it anew; three more changes of load accuse it again")
  func stuckTriedAnew() throws {
    var bench = CellBench()
    bench.stuck[2] = 3.3
    for volts in [-0.06, 0, -0.06] { bench.load(volts) }
    bench.stuck = [:]
    bench.load(0)
    bench.run(.hours(1))
    #expect(bench.rig.out.alarms.contains(.cellsStuck) && !bench.rig.out.chargeAllowed)
    try bench.rig.bms.perform(.requestMode(.off, by: .app))
    bench.step()
    try bench.rig.bms.perform(.requestMode(.on, by: .app))
    bench.step()
    #expect(bench.rig.out.chargeBlocks.contains(.data) == bench.rig.out.alarms.contains(.cellsStuck))
    bench.step()
    #expect(bench.rig.out.alarms.isEmpty && bench.rig.out.chargeAllowed)
    bench.stuck[2] = 3.3
    for volts in [-0.06, 0] { bench.load(volts) }
    #expect(bench.rig.out.alarms.isEmpty)
    bench.load(-0.06)
    #expect(bench.rig.out.alarms.contains(.cellsStuck))
  }

  @Test("Stuck: on a bank of 800 Ah 400 A are more than cables make, where the other cells move")
  func bigBank() throws {
    for (ampereHours, amperes) in [(200.0, 100.0), (400, 200), (800, 400), (800, 800)] {
      var bench = CellBench(try settings((.batteryCapacity, ampereHours)))
      bench.stuck[2] = 3.3
      for volts in [-0.06, 0, -0.06] { bench.load(volts, amperes: volts == 0 ? 0 : -amperes) }
      #expect(bench.rig.out.alarms.contains(.cellsStuck), "\(ampereHours) Ah, \(amperes) A")
    }
  }

  @Test("Stuck: one weak cell that moves, or a loose link, is no movement of the cells beside it")
  func weakCell() throws {
    let large = try settings((.batteryCapacity, 800))
    var rig = Rig.resting(large)
    func load(_ volts: Double) {
      rig.cells(3.3 + volts, 3.3)
      (rig.voltage, rig.current) = volts == 0 ? (13.2, 0) : (12.98, -160)
      rig.run(.seconds(25))
    }
    for volts in [-0.03, 0, -0.03, 0] { load(volts) }
    #expect(rig.out.alarms.isEmpty && rig.out.chargeAllowed)
    var bench = CellBench(large)
    for index in [0, 1, 3] { bench.stuck[index] = 3.3 }
    for volts in [-0.12, 0, -0.12, 0] {
      bench.load(volts, amperes: volts == 0 ? 0 : -160, packVolts: volts == 0 ? 13.2 : 12.98)
    }
    #expect(bench.rig.out.alarms.isEmpty && bench.rig.out.chargeAllowed)
  }

  @Test("R56: whoever forces an empty battery on has looked, and what seemed stuck is tried anew")
  func stuckAndForced() throws {
    var bench = ContactorBench(try settings((.dischargeFloor, 10)))
    bench.rig.period = .milliseconds(100)
    bench.run(.seconds(35))
    for volts in [-0.06, 0, -0.06, 0, -0.06, 0] {
      (bench.rig.lowest, bench.rig.highest) = (3.2, 3.3 + volts)
      (bench.rig.voltage, bench.rig.current) = (13.2 + 4 * volts, volts * 2000)
      bench.run(.seconds(25))
    }
    #expect(bench.out.alarms.contains(.cellsStuck))
    try bench.rig.bms.perform(.setStateOfCharge(5))
    #expect(bench.run(.minutes(10)) { $0.mode == .off } == true)
    try bench.rig.bms.perform(.requestMode(.off, by: .app))
    bench.run(.seconds(6))
    try bench.rig.bms.perform(.requestMode(.on, by: .app))
    bench.run(.seconds(10))
    #expect(!bench.out.alarms.contains(.cellsStuck) && bench.out.chargeAllowed && bench.contact)
  }

  @Test("Stuck: neither a charger that wakes an empty battery nor the voice of the remote's module ends it")
  func stuckStays() throws {
    var bench = CellBench()
    bench.rig.remote = true
    bench.stuck[2] = 3.3
    for volts in [-0.06, 0, -0.06] { bench.load(volts) }
    bench.rig.remote = nil
    #expect(bench.run(.seconds(70)) { $0.mode == .off } == true)
    bench.rig.remote = true
    bench.run(.seconds(1))
    #expect(bench.rig.out.mode == .on && bench.rig.out.alarms.contains(.cellsStuck) && !bench.rig.out.chargeAllowed)

    var other = ContactorBench(try settings((.dischargeFloor, 10)))
    other.rig.period = .milliseconds(100)
    other.run(.seconds(35))
    for volts in [-0.06, 0, -0.06, 0, -0.06] {
      (other.rig.highest, other.rig.voltage, other.rig.current) = (3.3 + volts, 13.2 + 4 * volts, volts * 2000)
      other.run(.seconds(25))
    }
    #expect(other.out.alarms.contains(.cellsStuck))
    try other.rig.bms.perform(.setStateOfCharge(5))
    #expect(other.run(.minutes(10)) { $0.mode == .off } == true)
    other.run(.minutes(1))
    other.charger = 14.2
    #expect(other.run(.seconds(30)) { $0.mode == .on } == true)
    other.run(.seconds(10))
    #expect(other.out.alarms.contains(.cellsStuck) && !other.out.chargeAllowed)
  }

  @Test("Stuck: a source of extremes that repeats itself is found in the same way")
  func stuckExtremes() {
    var rig = Rig.resting()
    rig.run(.seconds(15))
    for volts in [12.9, 13.2, 12.9] {
      rig.voltage = volts
      rig.current = (volts - 13.2) * 300
      rig.run(.seconds(25))
    }
    #expect(rig.out.alarms.contains(.cellsStuck) && !rig.out.dischargeAllowed)
    // One that moves is accused in no single step.
    rig = Rig.resting()
    rig.run(.seconds(15))
    for volts in [3.2, 3.3, 3.2, 3.3] {
      rig.cells(volts, volts)
      (rig.voltage, rig.current) = (4 * volts, (volts - 3.3) * 1000)
      #expect(!rig.run(.seconds(25)) { $0.alarms.contains(.cellsStuck) })
    }
  }

  @Test("Stuck: a current that stays through three changes of load warns, and so does a voltage through 0.5 C")
  func stuckCurrent() {
    var bench = CellBench()
    bench.rig.current = -5
    bench.run(.seconds(15))
    for volts in [-0.06, 0, -0.06] { bench.load(volts, amperes: -5) }
    #expect(bench.out.alarms.intersection(Self.all) == [.currentStuck])
    #expect(bench.out.chargeAllowed && bench.out.dischargeAllowed)
    bench.load(0, amperes: -4.9)
    #expect(!bench.out.alarms.contains(.currentStuck))
    bench = CellBench()
    for volts in [-0.049, 0, -0.049] { bench.load(volts, amperes: volts == 0 ? 0 : -99.9, packVolts: 13.2) }
    #expect(!bench.out.alarms.contains(.voltageStuck))
    for volts in [0, -0.049, 0, -0.049] { bench.load(volts, amperes: volts == 0 ? 0.1 : -100, packVolts: 13.2) }
    #expect(bench.out.alarms.contains(.voltageStuck) && bench.out.dischargeAllowed)
  }

  @Test("R81: a voltage that falls while the current rises, three times, says that the direction is wrong")
  func sign() {
    var bench = CellBench()
    bench.load(-0.06, amperes: 100)
    bench.load(0, amperes: 0)
    #expect(!bench.out.alarms.contains(.currentSign))
    bench.load(-0.06, amperes: 100)
    #expect(bench.out.alarms.contains(.currentSign) && bench.out.dischargeAllowed)
    bench.load(0, amperes: 200)
    #expect(!bench.out.alarms.contains(.currentSign), "once right is enough to doubt the doubt")
  }

  @Test("R81: a small bank's 0.6 A have a direction too")
  func signOfLittle() throws {
    var bench = CellBench(try settings((.batteryCapacity, 10)))
    for step in 1...4 {
      bench.load(Double(step) * 0.06, amperes: Double(step) * 0.6)
      #expect(!bench.out.alarms.contains(.currentSign))
    }
  }

  @Test("Rate: a cell that jumps 1.50 V within 5 s is believed, 1.51 V forbids both for 10 s")
  func jump() {
    var bench = CellBench()
    bench.cells[1] = 1.8
    #expect(bench.step().chargeAllowed)
    bench = CellBench()
    bench.cells[1] = 1.79
    #expect(bench.step().chargeReason.fault == .jump)
    #expect(bench.out.chargeReason.place == CellPlace(battery: 1, cell: 2))
    #expect(bench.out.alarms.contains(.cellsJump) && !bench.out.alarms.contains(.cellsLost))
    bench = CellBench()
    bench.cells[1] = 3.29
    bench.step()
    bench.cells[1] = 4.8
    #expect(!bench.step().dischargeAllowed)
    bench.run(TimeSpan(seconds: 9.9))
    #expect(!bench.out.dischargeAllowed)
    #expect(bench.step().dischargeAllowed && !bench.out.chargeAllowed, "believed from then on: a high cell")
  }

  @Test("Rate: two reports more than 5 s apart say nothing; extremes are judged in the same way")
  func slowJump() {
    var rig = Rig.resting()
    rig.cells(3.3, 4.81)
    rig.step(after: TimeSpan(seconds: 5.01))
    #expect(!rig.out.alarms.contains(.cellsJump))
    rig = Rig.resting()
    rig.cells(3.3, 4.81)
    rig.step(after: .seconds(5))
    #expect(rig.out.alarms.contains(.cellsJump) && !rig.out.dischargeAllowed)
  }

  @Test("Rate: the pack by 1.5 V a cell and a temperature by 20 K within 5 s warn and forbid nothing of themselves")
  func otherJumps() {
    var rig = Rig.resting()
    rig.voltage = 7.2
    #expect(!rig.step().alarms.contains(.voltageJump))
    rig = Rig.resting()
    rig.voltage = 7.19
    #expect(rig.step().alarms.contains(.voltageJump))
    rig = Rig.resting()
    rig.temperature = 40
    #expect(!rig.step().alarms.contains(.temperatureJump))
    rig.temperature = 20
    rig.step()
    rig.temperature = 40.1
    #expect(rig.step().alarms.contains(.temperatureJump) && rig.out.chargeAllowed)
    #expect(!rig.run(TimeSpan(seconds: 59.9)) { !$0.alarms.contains(.temperatureJump) })
    #expect(!rig.step(after: TimeSpan(seconds: 0.1)).alarms.contains(.temperatureJump))
  }

  @Test(
    "A healthy bank with noise, load steps of 500 A and cells that report 2 s late accuses nobody",
    arguments: [(12.0, 1, 200.0), (12, 2, 100), (48, 1, 200)])
  func healthy(nominal: Double, strings: Int, ampereHours: Double) throws {
    var parameters = BankParameters()
    parameters.batteriesInSeries = Int(nominal / 12)
    parameters.strings = strings
    parameters.battery.capacity = ampereHours
    parameters.stateOfCharge = 0.8
    var plant = Plant(Bank(parameters), seed: 7)
    plant.contactors[0].closeAtOnce()
    let loads: [Load] = [Load(.current(500)), Load(.current(37))]
    plant.loads = loads
    var commands = Commands()
    commands.closesContactor = true
    commands.allowsDischarge = true
    commands.areFresh = true
    let capacity = ampereHours * Double(strings)
    var bms = BMS(settings: try settings((.nominalVoltage, nominal), (.batteryCapacity, capacity)))
    var inputs = Inputs()
    let count = Int(nominal / 3) * strings
    inputs.cells = CellTable(expectedCount: count)
    inputs.batteryTemperature = .waiting
    var now = Instant.origin
    var seen = AlarmSet()
    // Steps of 2 to 61 s, so that they meet every phase of the 2 s in which the cells report.
    for step in 0..<4000 {
      now += .milliseconds(200)
      plant.loads[0].isOn = step / (10 + step / 40 * 3) % 2 == 0 && step < 3000
      plant.loads[1].isOn = step / 33 % 2 == 0
      plant.step(commands, seconds: 0.2)
      if let volts = plant.reading.batteryVoltage { inputs.batteryVoltage.report(volts, at: now) }
      if let amperes = plant.reading.current { inputs.current.report(amperes, at: now) }
      inputs.batteryTemperature.report(25, at: now)
      if step % 10 == 0 {
        plant.measureCells()
        for index in 0..<count {
          let place = try #require(CellPlace(battery: index / 4, cell: index % 4))
          if let volts = plant.cellReadings[index] { inputs.cells.report(volts, of: place, at: now) }
        }
      }
      let out = bms.step(inputs, at: now)
      for alarm in out.events.raised { seen.insert(alarm) }
    }
    #expect(seen.isDisjoint(with: Self.all), "\(seen.map { $0.definition.code })")
  }
}
