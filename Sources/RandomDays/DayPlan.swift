public import BMSCore
public import BatterySimulator
import MonotonicTime

// A day as a value: a bank with everything around it, a BMS, and what happens to them. All numbers are such that the
// scenario file that is written of it (DayScenario.swift) holds the same numbers.

/// A day in the life of a bank.
public struct DayPlan: Sendable, Hashable {
  /// Seed of spreads and noise.
  public var seed: UInt64 = 1
  /// How long it is, seconds.
  public var seconds = 86_400

  /// Cells in series: 4, 8 or 16.
  public var cellsInSeries = 4
  /// Cells in a battery; divides ``cellsInSeries``.
  public var cellsPerBattery = 4
  /// Strings in parallel.
  public var strings = 1
  /// Capacity of a string, ampere-hours.
  public var capacity = 200.0
  /// State of charge at the beginning, percent.
  public var stateOfCharge = 50.0
  /// Temperature at the beginning, degrees Celsius.
  public var celsius = 25.0
  /// Deviation of the cells' capacities, percent.
  public var capacitySpread = 0.0
  /// Deviation of the cells' states of charge, percent.
  public var chargeSpread = 0.0
  /// Deviation of the cells' resistances, percent.
  public var resistanceSpread = 0.0

  /// What is set beside nominal voltage, capacity and strings.
  public var settings: [PlannedSetting] = []
  /// Contactors: 0, 1 or 2.
  public var contactors = 1
  /// Whether each cell is told.
  public var isEachCellTold = true
  /// Whether the contactor has feedback.
  public var hasFeedback = true
  /// Whether temperatures are told.
  public var hasTemperatures = true
  /// Whether a switch is wired to the remote terminals.
  public var hasRemote = false
  /// Whether the BMS begins without a memory.
  public var isFirstStart = false
  /// Capacitors of the load bus, millifarads.
  public var busCapacitance = 20.0

  /// Ratings of the chargers, amperes.
  public var chargers: [Double] = []
  /// Alternators.
  public var alternators: [PlannedAlternator] = []
  /// Loads.
  public var loads: [PlannedLoad] = []
  /// Ratings of the inverters, watts.
  public var inverters: [Double] = []
  /// Distributors, from A on.
  public var distributors = 0

  /// What happens.
  public var events: [DayEvent] = []

  /// A quiet day of a 12 V bank.
  public init() {}

  /// Nominal voltage, volts.
  public var nominalVoltage: Double { Double(cellsInSeries) * 3 }
  /// Batteries over all strings.
  public var batteryCount: Int { strings * (cellsInSeries / cellsPerBattery) }
}

/// A setting with its value.
public struct PlannedSetting: Sendable, Hashable {
  /// Which.
  public var setting: Setting
  /// Its value in the unit of its row.
  public var value: Double

  /// A setting with its value.
  public init(setting: Setting, value: Double) {
    self.setting = setting
    self.value = value
  }
}

/// An alternator.
public struct PlannedAlternator: Sendable, Hashable {
  /// The most it gives, amperes.
  public var rating: Double
  /// Whether ATC stops it; otherwise nothing does.
  public var obeys: Bool

  /// An alternator of this rating, amperes.
  public init(rating: Double, obeys: Bool) {
    self.rating = rating
    self.obeys = obeys
  }
}

/// A load.
public struct PlannedLoad: Sendable, Hashable {
  /// Watts.
  public var power: Double
  /// Whether ATD switches it.
  public var obeys: Bool

  /// A load of this power, watts.
  public init(power: Double, obeys: Bool) {
    self.power = power
    self.obeys = obeys
  }
}

/// Something that happens.
public struct DayEvent: Sendable, Hashable {
  /// When, seconds since the beginning.
  public var at: Int
  /// After how many seconds it is taken back; nil never.
  public var lasting: Int?
  /// What.
  public var action: DayAction

  /// Something that happens at this second, for so many seconds or for good.
  public init(at: Int, lasting: Int? = nil, action: DayAction) {
    self.at = at
    self.lasting = lasting
    self.action = action
  }
}

/// What can happen.
public enum DayAction: Sendable, Hashable {
  /// A fault of the plant.
  case fault(Fault)
  /// A fault beside the plant.
  case outside(OutsideFault)
  /// A mode is asked for.
  case mode(Mode, by: ModeRequester)
  /// The switch at the remote terminals.
  case remote(LoopRemote)
  /// A load is switched.
  case load(Int, isOn: Bool)
  /// What the consumers of an inverter want, watts.
  case inverter(Int, watts: Double)
  /// What a charger could give, percent of its rating.
  case charger(Int, percent: Double)
  /// Speed of an alternator, percent.
  case alternator(Int, percent: Double)
  /// A setting is changed.
  case setting(PlannedSetting)
  /// The state of charge is set, percent.
  case stateOfCharge(Double)
  /// It is full, somebody says.
  case synchronise
  /// The BMS stops and starts again.
  case restart(areOutputsHeld: Bool, isMemoryKept: Bool)
  /// Temperature of the BMS itself, degrees Celsius.
  case bmsTemperature(Double)
}

/// A fault that is not the plant's.
public enum OutsideFault: String, Sendable, Hashable, CaseIterable {
  /// A busbar is above 130 °C.
  case busbarHot = "busbar_hot"
  /// The stored settings are damaged.
  case settingsLost = "settings_lost"
  /// The stored calibration is damaged.
  case calibrationLost = "calibration_lost"
  /// The group does not let this BMS join.
  case groupRefuses = "group_refuses"
  /// The program is told to leave.
  case leaving
}
