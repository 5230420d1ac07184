public import BMSCore
public import MonotonicTime

// The battery of `vecand --demo`: cells in series, a solar charger, loads, and a story that keeps them moving: four
// hours of sun, one hour of heavy load, again and again. From its start at 88 % one sees bulk, two hours of absorption
// at the top, rest, discharge below the 70 % threshold, and the next full charge.

/// What the battery shows to a measuring eye.
public struct BatteryReading: Sendable, Hashable {
  /// Pack voltage, volts.
  public var voltage: Double
  /// Current, amperes, charge positive.
  public var current: Double
  /// Temperature, degrees Celsius.
  public var temperature: Double
  /// Lowest cell, volts.
  public var lowestCell: Double
  /// Index of the lowest cell.
  public var lowestIndex: Int
  /// Highest cell, volts.
  public var highestCell: Double
  /// Index of the highest cell.
  public var highestIndex: Int
  /// The state of charge as only a simulator knows it, percent.
  public var trueStateOfCharge: Double
  /// What the contactor's feedback says.
  public var contactorClosed: Bool
}

/// One string with a charger and loads that obey the limits they are given: a ``Plant`` with a story.
public struct SimpleBattery: Sendable {
  /// How the battery is made and how it starts.
  public struct Configuration: Sendable, Hashable {
    /// Cells in series: 4, 8 or 16.
    public var cellsInSeries = 4
    /// Capacity, ampere-hours.
    public var capacity = 200.0
    /// State of charge at the start, 0...1.
    public var stateOfCharge = 0.88
    /// How much further charged the first cell is, as a share of capacity. 0.01 drives it to 3.75 V at every full
    /// charge.
    public var firstCellAhead = 0.0
    /// What the charger can give, amperes.
    public var chargerRating = 100.0
    /// What the loads want in the evening, amperes.
    public var heavyLoad = 110.0
    /// What the loads want always, amperes.
    public var baseLoad = 5.0
    /// Air around the battery, degrees Celsius.
    public var ambient = 22.0
    /// The seed of the cells' spread.
    public var seed: UInt64 = 1
    /// Hours of sun, then hours of heavy load; false leaves charger and load as they are set.
    public var followsStory = true

    /// A 12 V bank of 200 Ah.
    public init() {}
  }

  /// How it was made.
  public let configuration: Configuration
  /// The parts.
  public var plant: Plant

  private var started: Instant?
  private var last = Instant.origin

  /// Length of the sunny part of the story.
  public static let sunSpan = TimeSpan.hours(4)
  /// Length of the heavy load in the story.
  public static let loadSpan = TimeSpan.hours(1)

  /// A rested battery.
  public init(_ configuration: Configuration = Configuration()) {
    self.configuration = configuration
    // Balanced at the top: every cell lacks nearly the same ampere-hours to full. A hundredth of a percent is already
    // 25 mV up there.
    var parameters = BatteryParameters()
    parameters.cellCount = min(max(configuration.cellsInSeries, 1), 16)
    parameters.capacity = configuration.capacity
    parameters.chargeSpread = 0.00003
    var battery = Battery(
      parameters, stateOfCharge: configuration.stateOfCharge, celsius: configuration.ambient, seed: configuration.seed)
    battery.inject(ampereHours: configuration.firstCellAhead * configuration.capacity, intoCell: 0)
    plant = Plant(Bank([BatteryString([battery])]), seed: configuration.seed)
    plant.contactors[0].closeAtOnce()
    plant.shunt = .ideal
    plant.longestStep = 0.5
    var charger = Charger(rating: configuration.chargerRating)
    charger.ramp = 50
    charger.loop = 1
    plant.chargers = [charger]
    plant.loads = [Load(.current(configuration.baseLoad))]
    plant.inverters = [Inverter(rating: 1, nominalVoltage: Double(parameters.cellCount) * 3)]
    plant.inverters[0].rating = configuration.heavyLoad * Double(parameters.cellCount) * 4
    plant.inverters[0].loop = 1
  }

  /// The cells, first to last.
  public var cells: [Cell] { battery.cells }
  /// The battery.
  public var battery: Battery { plant.bank.strings[0].batteries[0] }
  /// Current, amperes, charge positive.
  public var current: Double { plant.bank.current }
  /// Temperature, degrees Celsius.
  public var temperature: Double { battery.celsius }

  /// Lets time pass until `now` under the given limits and permissions, and returns what can be measured then.
  @discardableResult
  public mutating func step(
    _ limits: Limits, chargeAllowed: Bool, dischargeAllowed: Bool, at now: Instant
  ) -> BatteryReading {
    let begin = started ?? now
    if started == nil { last = now }
    started = begin
    let left = min(max((now - last).seconds, 0), 86_400)
    last = max(last, now)
    if configuration.followsStory { followStory(now - begin) }
    var commands = Commands()
    commands.closesContactor = true
    commands.chargeVoltage = limits.chargeVoltage
    commands.chargeCurrent = limits.chargeCurrent
    commands.dischargeCurrent = limits.dischargeCurrent
    // Without a limit to follow nothing runs: the demo has no contacts of its own.
    commands.allowsCharge = chargeAllowed && limits.chargeVoltage != nil && limits.chargeCurrent > 0
    commands.allowsDischarge = dischargeAllowed && limits.dischargeCurrent > 0
    plant.step(commands, seconds: left)
    return reading
  }

  /// Lets time pass under the outputs of a BMS.
  @discardableResult
  public mutating func step(following outputs: Outputs, at now: Instant) -> BatteryReading {
    step(
      outputs.limits, chargeAllowed: outputs.chargeAllowed, dischargeAllowed: outputs.dischargeAllowed, at: now)
  }

  /// What can be measured now.
  public var reading: BatteryReading {
    let battery = battery
    var reading = BatteryReading(
      voltage: battery.voltage(at: current), current: current, temperature: temperature, lowestCell: .infinity,
      lowestIndex: 0, highestCell: -.infinity, highestIndex: 0, trueStateOfCharge: 0, contactorClosed: true)
    for (index, cell) in battery.cells.enumerated() {
      let volts = battery.voltage(ofCell: index, at: current)
      reading.trueStateOfCharge += min(max(cell.stateOfCharge, 0), 1) * 100 / Double(battery.cellCount)
      if volts < reading.lowestCell { (reading.lowestCell, reading.lowestIndex) = (volts, index) }
      if volts > reading.highestCell { (reading.highestCell, reading.highestIndex) = (volts, index) }
    }
    return reading
  }

  /// Every cell's voltage, first to last, volts.
  public var cellVoltages: [Double] {
    let battery = battery
    return (0..<battery.cellCount).map { battery.voltage(ofCell: $0, at: current) }
  }

  private mutating func followStory(_ elapsed: TimeSpan) {
    let cycle = SimpleBattery.sunSpan + SimpleBattery.loadSpan
    let isSunny = elapsed.nanoseconds % cycle.nanoseconds < SimpleBattery.sunSpan.nanoseconds
    plant.chargers[0].availability = isSunny ? 1 : 0
    plant.inverters[0].demand = isSunny ? 0 : configuration.heavyLoad * battery.voltage(at: 0)
  }
}
