public import BMSCore
public import BatterySimulator
public import MonotonicTime
public import TOMLReading

// A scenario: a bank with everything around it, a BMS with its settings, what happens to them, and what is expected.
// The format is described in Tests/Scenarios/README.md; each reader below is one of its sections.

/// The problems that make a scenario file unusable, all at once.
public struct ScenarioError: Error, CustomStringConvertible {
  /// The file.
  public let file: String
  /// What is wrong, in the order of the lines.
  public let problems: [TOMLProblem]

  /// One line for each.
  public var description: String { problems.map { "\(file): \($0)" }.joined(separator: "\n") }
}

/// A scenario that can be run.
public struct Scenario: Sendable {
  /// The name of the file.
  public let file: String
  /// What it is called; the file's name when it does not say.
  public internal(set) var title: String
  /// What it tells.
  public internal(set) var story = ""
  /// When it begins and how long it is.
  public internal(set) var clock = ScenarioClock(duration: .zero)
  /// Seed of spreads, noise and clouds.
  public internal(set) var seed: UInt64 = 1
  /// Length of a step while nothing happens.
  public internal(set) var interval = TimeSpan.seconds(1)
  /// The same in Off.
  public internal(set) var offInterval = TimeSpan.seconds(1)
  /// The bank.
  public internal(set) var bank = BankParameters()
  /// The BMS's settings.
  public internal(set) var settings = Settings()

  var scope = ConditionScope()
  var wiring = Wiring(contactors: .one)
  var sensing = LoopSensing()
  var fuseNames = FuseNames()
  var remote = LoopRemote.notWired
  var memory: Snapshot?
  var bmsCelsius = 25.0
  var busCapacitance = 0.020
  /// Ohms: an open bus does not hold its voltage for days.
  var busLeakage = 5000.0
  var shunt = Shunt()
  var cellChanges: [CellChange] = []
  var chargers: [Charger] = []
  var suns: [ScenarioSun] = []
  var alternators: [Alternator] = []
  var alternatorEnable = AlternatorEnable.atc
  var loads: [Load] = []
  var inverters: [Inverter] = []
  var events: [TimedEvent] = []
  var triggers: [TriggeredEvent] = []
  var expectations: [Expectation] = []

  /// A cell that is not like the others.
  struct CellChange: Sendable {
    var battery: Int
    var cell: Int
    var ampereHours: Double
  }

  /// A charger whose power is the sun's.
  struct ScenarioSun: Sendable {
    var charger: Int
    var sun: Sun
  }

  enum AlternatorEnable: Sendable { case atc, relay, none }

  /// Something that is done at a time.
  struct TimedEvent: Sendable {
    var at: TimeSpan
    var text: String
    /// A profile's step is not worth a line.
    var isQuiet = false
    /// Whether it is done to the plant; else to the BMS, which is not there when the plant runs alone.
    var isOfPlant = true
    var effect: FaultKind.Effect
  }

  /// Something that is done when a condition comes true.
  struct TriggeredEvent: Sendable {
    var condition: Condition
    var delay: TimeSpan
    var isRepeated: Bool
    var actions: [(after: TimeSpan, text: String, effect: FaultKind.Effect)]
  }

  /// Reads a scenario.
  ///
  /// - Parameters:
  ///   - text: TOML.
  ///   - file: The file's name, for the messages.
  ///   - seed: Instead of the file's own.
  /// - Throws: ``ScenarioError`` with every problem found.
  public init(text: String, file: String, seed: UInt64? = nil) throws(ScenarioError) {
    self.file = file
    title = file.split(separator: "/").last.map { String($0) } ?? file
    let reader = TOMLReader()
    if let top = reader.parse(text) { read(top, seed: seed) }
    let problems = reader.problems
    if !problems.isEmpty { throw ScenarioError(file: file, problems: problems) }
  }

  private mutating func read(_ top: TOMLSection, seed other: UInt64?) {
    if let name = top.string("title") { title = name }
    if let words = top.string("story") { story = words }
    if let number = top.integer("seed", 0...Int.max) { seed = UInt64(number) }
    if let other { seed = other }
    readClock(top)
    if let step = top.span("step", .milliseconds(10)...(.seconds(1))) { interval = step }
    offInterval = interval
    if let step = top.span("off_step", .milliseconds(10)...(.minutes(10))) { offInterval = step }
    let bankSection = top.section("bank")
    if let bankSection { readBank(bankSection) }
    bank.seed = seed
    scope.strings = bank.strings
    scope.cellsOfBatteries = Array(
      repeating: bank.battery.cellCount, count: bank.strings * bank.batteriesInSeries)
    readSettings(top)
    readParts(top)
    if let section = top.section("bms") { readBMS(section) } else { remember(stateOfCharge: bank.stateOfCharge * 100) }
    for section in top.sections("event") { readEvent(section) }
    for section in top.sections("expect") {
      if let expectation = Expectation(section, clock, scope, number: expectations.count + 1) {
        expectations.append(expectation)
      }
    }
    top.finish()
    events.sort { $0.at < $1.at }
  }

  private mutating func readClock(_ top: TOMLSection) {
    var start = TimeSpan.zero
    if let text = top.string("start") {
      if let time = parseClock(text) {
        start = time
      } else {
        top.report("start", "\"\(text)\" is no time of day, as \"06:30\"")
      }
    }
    if !top.has("duration") {
      top.ask("duration")
      top.report("duration", "is missing: how long the scenario runs, as \"2h30m\" or \"3d\"")
    }
    // Without a duration times could not be judged: then they are, against a long one.
    let duration = top.span("duration", .seconds(1)...(.days(4000))) ?? .days(4000)
    clock = ScenarioClock(start: start, duration: duration)
  }

  // MARK: [bank]

  private mutating func readBank(_ section: TOMLSection) {
    bank.battery = .uniform
    let cells = section.integer("cells_in_series", 1...16) ?? 4
    if ![4, 8, 16].contains(cells) { section.report("cells_in_series", "\(cells) is not accepted: 4, 8 or 16 (R2)") }
    var each = section.integer("cells_per_battery", 1...16) ?? min(cells, 4)
    if ![4, 8, 16].contains(cells) {
      each = 4
    } else if cells % each != 0 {
      section.report("cells_per_battery", "\(each) does not divide cells_in_series = \(cells)")
      each = min(cells, 4)
    }
    bank.battery.cellCount = each
    bank.batteriesInSeries = max(cells / each, 1)
    bank.strings = section.integer("strings", 1...20) ?? 1
    if bank.strings * bank.batteriesInSeries > CellPlace.lastBattery {
      let count = bank.strings * bank.batteriesInSeries
      section.report("strings", "makes \(count) batteries: at most 20 (R3)")
      bank.strings = 1
    }
    if let value = section.number("capacity_ah", 1...12_000) { bank.battery.capacity = value }
    bank.battery.leakage = 0.002 * bank.battery.capacity / 200
    if let value = section.number("soc_percent", 0...100) { bank.stateOfCharge = value / 100 }
    if let value = section.number("temperature_c", -40...80) { bank.celsius = value }
    if let value = section.number("capacity_spread_percent", 0...20) { bank.battery.capacitySpread = value / 100 }
    if let value = section.number("soc_spread_percent", 0...20) { bank.battery.chargeSpread = value / 100 }
    if let value = section.number("resistance_spread_percent", 0...50) { bank.battery.resistanceSpread = value / 100 }
    if let value = section.number("self_discharge_spread_percent", 0...100) {
      bank.battery.leakageSpread = value / 100
    }
    if let value = section.number("self_discharge_ma", 0...1000) { bank.battery.leakage = value / 1000 }
    if let value = section.number("balancing_a", 0...20) { bank.battery.balancer.current = value }
    if let method = section.choice("balancing", ["shuttle", "burn"]) {
      bank.battery.balancer.method = method == "burn" ? .burn : .shuttle
    }
    if let value = section.bool("top_balanced") { bank.battery.isTopBalanced = value }
    for cell in section.sections("cell") {
      let count = bank.strings * bank.batteriesInSeries
      let battery = cell.has("battery") ? cell.index("battery", count) : 0
      let place = cell.has("cell") ? cell.index("cell", each) : 0
      if let percent = cell.required("soc_offset_percent", -100...100), let battery, let place {
        cellChanges.append(
          CellChange(battery: battery, cell: place, ampereHours: percent / 100 * bank.battery.capacity))
      }
      cell.finish()
    }
    section.finish()
  }

  // MARK: [settings]

  /// What the bank is decides what the settings are, unless the file says otherwise.
  private mutating func readSettings(_ top: TOMLSection) {
    let cells = bank.battery.cellCount * bank.batteriesInSeries
    let capacity = min(max(bank.battery.capacity * Double(bank.strings), 1), 12_000)
    try? settings.set([
      (.nominalVoltage, cells == 16 ? 48 : cells == 8 ? 24 : 12), (.batteryCapacity, capacity),
      (.batteriesInParallel, Double(bank.strings)),
    ])
    if let section = top.section("settings") { section.readSettings(into: &settings) }
  }

  // MARK: [bms]

  private mutating func readBMS(_ section: TOMLSection) {
    let model = settings[.model] == 1000 ? 2 : 1
    let count = section.integer("contactors", 0...2) ?? model
    var circuit = BMSCore.Precharge()
    let resistance = section.number("precharge_ohm", 0.01...100) ?? circuit.resistance
    let share = section.number("precharge_success_percent", 50...99).map { $0 / 100 } ?? circuit.successShare
    let energy = section.number("precharge_energy_j", 1...100_000) ?? circuit.energyLimit
    let timeout = section.span("precharge_timeout", .milliseconds(100)...(.minutes(5))) ?? circuit.timeout
    circuit =
      BMSCore.Precharge(resistance: resistance, successShare: share, energyLimit: energy, timeout: timeout) ?? circuit
    wiring = Wiring(contactors: Wiring.Contactors(rawValue: count) ?? .one, precharge: circuit)
    if let farads = section.number("bus_capacitance_mf", 0.1...1000) { busCapacitance = farads / 1000 }
    if let ohms = section.number("bus_leakage_ohm", 10...1e9) { busLeakage = ohms }
    if let cells = section.choice("cells", ["each", "extremes"]) { sensing.isEachCellTold = cells == "each" }
    if let value = section.bool("system_voltage") { sensing.systemVoltage = value }
    if let value = section.bool("contactor_feedback") { sensing.contactorFeedback = value }
    if let value = section.bool("thermal_switches") { sensing.thermalSwitches = value }
    if let value = section.bool("temperatures") { sensing.temperatures = value }
    if let value = section.bool("ideal_shunt"), value { shunt = .ideal }
    if let value = section.number("temperature_c", -50...120) { bmsCelsius = value }
    if let words = section.string("remote"), let read = section.remote("remote", words) { remote = read }
    if let names = section.section("fuse_names") {
      for key in names.keys {
        names.ask(key)
        if let fuse = Int(key), 1...FuseNames.count ~= fuse, let name = names.string(key) {
          if !fuseNames.set(name, of: fuse) { names.report(key, "a name has at most 16 characters (R259)") }
        } else {
          names.report(key, "fuses are 1 to 16, as 5 = \"Bow thruster\"")
        }
      }
    }
    readMemory(section)
    section.finish()
  }

  private mutating func readMemory(_ section: TOMLSection) {
    let stateOfCharge = section.number("soc_percent", 0...100) ?? bank.stateOfCharge * 100
    let mode = section.choice("mode", ["on", "standby", "off"])
    let causes = OffCause.allCases.map { snakeCase("\($0)") }
    let cause = section.choice("off_cause", causes)
    let isTrusted = section.bool("soc_trusted")
    let days = section.number("days_since_full_charge", 0...10_000)
    if let kept = section.choice("memory", ["kept", "none"]), kept == "none" {
      for key in ["soc_percent", "mode", "off_cause", "soc_trusted", "days_since_full_charge"] where section.has(key) {
        section.report(key, "contradicts memory = \"none\": a first start knows nothing")
      }
      return
    }
    remember(stateOfCharge: stateOfCharge)
    memory?.isStateOfChargeTrusted = isTrusted ?? true
    memory?.secondsSinceFullCharge = (days ?? 0) * 86_400
    memory?.mode = (mode == "off" ? Mode.off : mode == "standby" ? .standby : .on).rawValue
    if let cause {
      if mode != "off" { section.report("off_cause", "goes with mode = \"off\" only") }
      memory?.offCause = causes.firstIndex(of: cause).map { OffCause.allCases[$0].rawValue }
    }
  }

  /// The BMS has run before: it knows its state of charge, and the last full charge is over.
  private mutating func remember(stateOfCharge: Double) {
    var snapshot = Snapshot()
    snapshot.isStateOfChargeKnown = true
    snapshot.isStateOfChargeTrusted = true
    snapshot.missing = settings[.batteryCapacity] * (1 - stateOfCharge / 100)
    snapshot.consumed = snapshot.missing == 0 ? 0 : -snapshot.missing
    snapshot.secondsSinceFullCharge = 0
    snapshot.detectedNominalVoltage = settings[.nominalVoltage]
    memory = snapshot
  }

  /// The plant as it is at the beginning.
  func plant() -> Plant {
    var plant = Plant(Bank(bank), seed: seed)
    plant.contactors = Array(repeating: Contactor(), count: wiring.contactors == .two ? 2 : 1)
    plant.precharge.resistance = wiring.precharge.resistance
    plant.busCapacitance = busCapacitance
    plant.shunt = shunt
    plant.chargers = chargers
    plant.alternators = alternators
    var leak = Load(.resistance(busLeakage))
    leak.obeysContact = false
    plant.loads = loads + [leak]
    plant.inverters = inverters
    plant.distributors = scope.distributors.map { Distributor(address: $0) }
    for change in cellChanges {
      plant.begin(.cellCharge(battery: change.battery, cell: change.cell, ampereHours: change.ampereHours))
    }
    return plant
  }

  /// BMS and plant as they are at the beginning.
  public func loop() -> ClosedLoop {
    var loop = ClosedLoop(
      plant: plant(), settings: settings, wiring: wiring, fuseNames: fuseNames, sensing: sensing, restoring: memory)
    loop.remote = remote
    loop.bmsCelsius = bmsCelsius
    loop.interval = interval
    loop.fineInterval = min(.milliseconds(100), interval)
    loop.contactorInterval = min(.milliseconds(10), interval)
    loop.offInterval = offInterval
    if alternatorEnable != .none { loop.isAlternatorOnRelay = alternatorEnable == .relay }
    return loop
  }
}

extension TOMLSection {
  /// A span of time within a range.
  func span(_ key: String, _ range: ClosedRange<TimeSpan>) -> TimeSpan? {
    guard let words = string(key) else { return nil }
    guard let span = parseSpan(words) else {
      report(key, "\"\(words)\" is no length of time, as \"90 s\", \"2h15m\" or \"1 d 12 h\" (d, h, m or min, s, ms)")
      return nil
    }
    guard range.contains(span) else {
      report(key, "\"\(words)\" is out of range: \(lasting(range.lowerBound)) to \(lasting(range.upperBound))")
      return nil
    }
    return span
  }

  /// A point of time.
  func point(_ key: String, _ clock: ScenarioClock) -> TimeSpan? {
    guard let words = string(key) else { return nil }
    switch clock.point(words) {
    case .success(let span): return span
    case .failure(let error):
      report(key, error.description)
      return nil
    }
  }

  /// What stands on the remote terminals.
  func remote(_ key: String, _ words: String) -> LoopRemote? {
    switch words {
    case "not wired": return .notWired
    case "closed": return .closed
    case "open": return .open
    case "silent": return .silent
    default: break
    }
    let parts = words.split(separator: " ").map { String($0) }
    if parts.count == 3, parts[2] == "V", let volts = Double(parts[1]), abs(volts) <= 100 {
      if parts[0] == "H" { return .voltages(high: volts, low: nil) }
      if parts[0] == "L" { return .voltages(high: nil, low: volts) }
    }
    report(
      key, "\"\(words)\" is not accepted: \"not wired\", \"closed\", \"open\", \"silent\", \"H 12 V\" or \"L 0 V\"")
    return nil
  }

  /// A condition.
  func condition(_ key: String, _ scope: ConditionScope) -> Condition? {
    guard let words = string(key) else { return nil }
    do throws(TextError) {
      return try Condition(parsing: words, scope)
    } catch {
      report(key, error.description)
      return nil
    }
  }
}
