public import BMSCore
public import MonotonicTime
public import NMEA2000

// Where roles are wired to on the bus (design section 4). A sender is picked by its NAME and its data instance, never by
// its address, for addresses move.

/// An indicator of a 127501 bank, which shows or is a contact.
public struct IndicatorWiring: Hashable, Sendable {
  /// Who sends the bank, by its NAME.
  public var sender: DeviceSelector
  /// The bank's data instance, 0...252.
  public var bank: UInt8
  /// The indicator, 1...28.
  public var indicator: UInt8
  /// Whether "off" on the bus means a closed contact. For inputs only: an output that is on without power cannot fail safe.
  public var isInverted: Bool

  /// An indicator of this sender's bank.
  public init(sender: DeviceSelector, bank: UInt8 = 0, indicator: UInt8, isInverted: Bool = false) {
    self.sender = sender
    self.bank = bank
    self.indicator = indicator
    self.isInverted = isInverted
  }
}

/// A switch of a module that is commanded, and read back from the same indicator.
public struct SwitchWiring: Hashable, Sendable {
  /// How the module is told.
  public enum Command: String, Hashable, Sendable, CaseIterable {
    /// 126208 on the indicator of 127501: to this module only, and answered.
    case groupFunction = "126208"
    /// 127502, for old modules: to whoever has a bank of this instance, and not answered (nmea2000.md section 1.3).
    case switchBankControl = "127502"
  }

  /// The switch.
  public var indicator: IndicatorWiring
  /// How the module is told.
  public var command: Command
  /// The command is repeated this often although nothing changed, for modules that switch off when they hear nothing;
  /// nil for never.
  public var refresh: TimeSpan?

  /// A switch at this indicator.
  public init(_ indicator: IndicatorWiring, command: Command = .groupFunction, refresh: TimeSpan? = nil) {
    self.indicator = indicator
    self.command = command
    self.refresh = refresh
  }
}

/// Where a single value comes from.
public struct ValueWiring: Hashable, Sendable {
  /// The message that carries it.
  public enum Place: Hashable, Sendable {
    /// 127508 with this data instance, 0...252.
    case batteryStatus(instance: UInt8)
    /// The role's register: 0xED7D for the system voltage, 0xEDEC for a temperature.
    case register
  }

  /// The sender, by its NAME.
  public var sender: DeviceSelector
  /// The message.
  public var place: Place

  /// A value of this sender.
  public init(sender: DeviceSelector, place: Place) {
    self.sender = sender
    self.place = place
  }
}

/// Where a Lynx Distributor is seen (R257).
public struct DistributorWiring: Hashable, Sendable {
  /// The messages that carry it.
  public enum Place: Hashable, Sendable {
    /// Registers 0x2150 and 0x2152 to 0x2155 of a device that reads it.
    case registers
    /// Four indicators of a 127501 bank, one for each fuse; on is blown, or good where `isInverted`.
    case bank(instance: UInt8, firstFuse: UInt8, isInverted: Bool)
  }

  /// The sender, by its NAME.
  public var sender: DeviceSelector
  /// The messages.
  public var place: Place

  /// A Distributor that this sender tells of.
  public init(sender: DeviceSelector, place: Place = .registers) {
    self.sender = sender
    self.place = place
  }
}

extension WiredRole {
  /// The role's key in the configuration.
  public var key: String {
    switch self {
    case .monitor: "inputs.monitor"
    case .cells: "inputs.cells"
    case .systemVoltage: "inputs.system_voltage"
    case .batteryTemperature: "inputs.battery_temperature"
    case .contactorFeedback: "inputs.contactor_feedback"
    case .secondContactorFeedback: "inputs.contactor_feedback_2"
    case .thermalSwitch: "inputs.thermal_switch"
    case .secondThermalSwitch: "inputs.thermal_switch_2"
    case .remote: "inputs.remote"
    case .lowCellSignal: "inputs.low_cell_signal"
    case .preAlarmSignal: "inputs.pre_alarm_signal"
    case .highCellSignal: "inputs.high_cell_signal"
    case .lowTemperatureSignal: "inputs.low_temperature_signal"
    case .highTemperatureSignal: "inputs.high_temperature_signal"
    case .batteryCable: "inputs.battery_cable"
    case .distributorA: "inputs.distributor_a"
    case .distributorB: "inputs.distributor_b"
    case .distributorC: "inputs.distributor_c"
    case .distributorD: "inputs.distributor_d"
    case .bmsTemperature: "inputs.bms_temperature"
    case .fan: "inputs.fan"
    case .secondFan: "inputs.fan_2"
    case .supply: "inputs.supply"
    case .contactor: "outputs.contactor"
    case .secondContactor: "outputs.contactor_2"
    case .precharge: "outputs.precharge"
    case .allowToCharge: "outputs.atc"
    case .allowToDischarge: "outputs.atd"
    case .relay: "outputs.relay"
    case .auxiliary: "outputs.aux"
    }
  }

  /// The inputs that are an indicator of a bank.
  public static let indicatorInputs: [WiredRole] =
    [
      .contactorFeedback, .secondContactorFeedback, .thermalSwitch, .secondThermalSwitch, .remote, .fan, .secondFan,
      .supply,
    ] + signals

  /// The battery's signals: on is that the battery says so, and that its cable is there.
  static let signals: [WiredRole] = [
    .lowCellSignal, .preAlarmSignal, .highCellSignal, .lowTemperatureSignal, .highTemperatureSignal, .batteryCable,
  ]

  /// The Lynx Distributors A to D.
  public static let distributors: [WiredRole] = [.distributorA, .distributorB, .distributorC, .distributorD]

  /// What is commanded, in the order in which it is told: what stops current first.
  public static let outputs: [WiredRole] = [
    .allowToCharge, .allowToDischarge, .contactor, .secondContactor, .precharge, .relay, .auxiliary,
  ]
}
