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

/// Cells in series with a charger and a load that obey the limits they are given.
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
  /// The cells and their case.
  public private(set) var battery: Battery
  /// The cells, first to last.
  public var cells: [Cell] { battery.cells }
  /// The charger.
  public var charger: Charger
  /// The loads.
  public var load: Load
  /// Current, amperes, charge positive.
  public private(set) var current = 0.0
  /// Temperature, degrees Celsius.
  public var temperature: Double { battery.celsius }

  private var started: Instant?
  private var last = Instant.origin

  /// Length of the sunny part of the story.
  public static let sunSpan = TimeSpan.hours(4)
  /// Length of the heavy load in the story.
  public static let loadSpan = TimeSpan.hours(1)
  /// Steps inside a step: the voltage loop is stable up to about 0.5 s.
  private static let innerSeconds = 0.1

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
    self.battery = battery
    charger = Charger(rating: configuration.chargerRating)
    load = Load(demand: configuration.baseLoad)
  }

  /// Lets time pass until `now` under the given limits and permissions, and returns what can be measured then.
  @discardableResult
  public mutating func step(
    _ limits: Limits, chargeAllowed: Bool, dischargeAllowed: Bool, at now: Instant
  ) -> BatteryReading {
    let begin = started ?? now
    if started == nil { last = now }
    started = begin
    var left = min(max((now - last).seconds, 0), 86_400)
    last = max(last, now)
    if configuration.followsStory { followStory(now - begin) }
    while left > 1e-9 {
      let seconds = min(left, SimpleBattery.innerSeconds)
      left -= seconds
      advance(limits, chargeAllowed, dischargeAllowed, seconds)
    }
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
    var reading = BatteryReading(
      voltage: 0, current: current, temperature: temperature, lowestCell: .infinity, lowestIndex: 0,
      highestCell: -.infinity, highestIndex: 0, trueStateOfCharge: 0, contactorClosed: true)
    for (index, cell) in cells.enumerated() {
      let volts = cell.voltage(at: current)
      reading.voltage += volts
      reading.trueStateOfCharge += min(max(cell.stateOfCharge, 0), 1) * 100 / Double(cells.count)
      if volts < reading.lowestCell { (reading.lowestCell, reading.lowestIndex) = (volts, index) }
      if volts > reading.highestCell { (reading.highestCell, reading.highestIndex) = (volts, index) }
    }
    return reading
  }

  /// Every cell's voltage, first to last, volts.
  public var cellVoltages: [Double] { cells.map { $0.voltage(at: current) } }

  private mutating func followStory(_ elapsed: TimeSpan) {
    let cycle = SimpleBattery.sunSpan + SimpleBattery.loadSpan
    let isSunny = elapsed.nanoseconds % cycle.nanoseconds < SimpleBattery.sunSpan.nanoseconds
    charger.availability = isSunny ? 1 : 0
    load.demand = configuration.baseLoad + (isSunny ? 0 : configuration.heavyLoad)
  }

  private mutating func advance(_ limits: Limits, _ mayCharge: Bool, _ mayDischarge: Bool, _ seconds: Double) {
    battery.prepare(seconds: seconds)
    // A charger feeds the loads too, but without discharge permission the loads' contact is open altogether.
    load.step(
      allowed: mayDischarge, limit: limits.dischargeCurrent > 0 ? limits.dischargeCurrent + charger.current : 0,
      seconds: seconds)
    charger.step(
      chargeVoltage: mayCharge ? limits.chargeVoltage : nil, chargeCurrent: limits.chargeCurrent,
      battery: (battery.stepSource, battery.stepResistance), load: load.current, seconds: seconds)
    current = charger.current - load.current
    battery.advance(current)
  }
}
