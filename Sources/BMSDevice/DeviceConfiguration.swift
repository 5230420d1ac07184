public import BMSCore
public import NMEA2000

/// What the device is, where its measurements come from, and what it sends: everything that does not change while it
/// runs.
public struct DeviceConfiguration: Sendable {
  /// Who it is on the bus.
  public var identity = DeviceIdentity()
  /// The battery's settings at start.
  public var settings = Self.standardSettings
  /// Where voltage, current and temperature come from; nil when nothing is wired.
  public var monitor: MonitorWiring?
  /// Where cell voltages come from; nil when nothing is wired.
  public var cells: CellWiring?
  /// Where the voltage on the system side comes from; nil when nothing is wired.
  public var systemVoltage: ValueWiring?
  /// Where the battery temperature comes from when not from the monitor.
  public var batteryTemperature: ValueWiring?
  /// Where the temperature of the BMS's own place comes from (R115).
  public var bmsTemperature: ValueWiring?
  /// The contacts that are seen as an indicator of a bank: ``WiredRole/indicatorInputs``.
  public var indicators: [WiredRole: IndicatorWiring] = [:]
  /// What is commanded: ``WiredRole/outputs``. Without a contactor the device supervises a battery that protects itself.
  public var switches: [WiredRole: SwitchWiring] = [:]
  /// The pre-charge circuit as built.
  public var precharge = Precharge()
  /// The Lynx Distributors: ``WiredRole/distributors``.
  public var distributors: [WiredRole: DistributorWiring] = [:]
  /// The data instance of the 127508 and 127506 that it sends, 0...252.
  public var batteryInstance: UInt8 = 0
  /// The bank instance of the 127501 that it sends, 0...252.
  public var switchBankInstance: UInt8 = 0
  /// Whether it sends the 11-bit battery frames 0x351...0x35F beside the registers.
  public var sendsBatteryFrames = true
  /// The 11-bit frames have a bus of their own (a BMS-CAN), and none is sent or heard beside the registers.
  public var hasBatteryBus = false

  /// The names of the Distributors' fuses at start.
  public var fuseNames = FuseNames()

  /// A device without any source: its values are not available and its limits forbid.
  public init() {}

  /// Whether a battery with a BMS of its own is a source, by its 11-bit frames. What it limits and what it reports
  /// counts then, too: 0x351 and 0x35A.
  public var usesBatteryFrames: Bool { monitor?.place == .batteryFrames || cells?.place == .batteryFrames }

  /// What the core has to command.
  public var wiring: BMSCore.Wiring {
    let contactors: BMSCore.Wiring.Contactors =
      switches[.contactor] == nil ? .none : switches[.secondContactor] == nil ? .one : .two
    return BMSCore.Wiring(contactors: contactors, precharge: precharge)
  }

  /// Who feeds a role, or whose module it is; nil when nothing is wired.
  func sender(of role: WiredRole) -> DeviceSelector? {
    switch role {
    case .monitor: monitor?.sender
    case .cells: cells?.sender
    case .systemVoltage: systemVoltage?.sender
    case .batteryTemperature: batteryTemperature?.sender
    case .bmsTemperature: bmsTemperature?.sender
    case .contactorFeedback, .secondContactorFeedback, .thermalSwitch, .secondThermalSwitch, .remote, .fan, .secondFan,
      .supply, .lowCellSignal, .preAlarmSignal, .highCellSignal, .lowTemperatureSignal, .highTemperatureSignal,
      .batteryCable:
      indicators[role]?.sender
    case .contactor, .secondContactor, .precharge, .allowToCharge, .allowToDischarge, .relay, .auxiliary:
      switches[role]?.indicator.sender
    case .distributorA, .distributorB, .distributorC, .distributorD: distributors[role]?.sender
    }
  }

  /// The core's defaults, but for what a message of 1.5 s cannot meet: OD-20 calls a current of over 500 ms late, and a
  /// 127508 that comes as it should would be late most of the time. 1.8 s is its period and a fifth.
  public static let standardSettings: Settings = {
    var settings = Settings()
    try? settings.set(.measurementLate, to: 1.8)
    return settings
  }()
}

/// What was changed over the bus, so that it outlives a restart: what differs from the configuration.
public struct ChangedSettings: Sendable, Equatable {
  /// Settings with their values, all of them in force.
  public var values: [Setting: Double] = [:]
  /// Values of an earlier run that are not in force, by their keys, for one may be of another version: they contradict what
  /// is in force, or are not accepted. Each waits for a start or a reload of the configuration that accepts it, until
  /// somebody sets or resets that setting, or resets all.
  public var waiting: [String: Double] = [:]
  /// The names of all fuses, when one was changed.
  public var fuseNames: FuseNames?
  /// What was stored cannot be read: nothing is allowed on guessed settings, until they are reset (R29, R251).
  public var areLost = false

  /// Nothing was changed.
  public init() {}

  /// These were changed.
  public init(values: [Setting: Double], fuseNames: FuseNames? = nil) {
    self.values = values
    self.fuseNames = fuseNames
  }
}

/// Who the device is on the bus.
public struct DeviceIdentity: Hashable, Sendable {
  /// 21 bits, stable for the life of the installation; nil when the owner has to find one. Another one that was drawn
  /// against a twin counts before it, until this one changes.
  public var uniqueNumber: UInt32?
  /// 11 bits. The default is a code that NMEA has not given away: vecand has none of its own and does not borrow one.
  public var manufacturer: UInt16 = 2046
  /// The device instance; a GX merges BMSes that share it into one bank.
  public var deviceInstance: UInt8 = 0
  /// The system instance, 0...15.
  public var systemInstance: UInt8 = 0
  /// The address to begin with, 0...251.
  public var preferredAddress: UInt8 = 35
  /// The version that the product information shows.
  public var softwareVersion = Version.text
  /// The serial that the product information shows.
  public var serial = ""
  /// Free text of the installer, shown by plotters; one that the bus set counts before it, until the bus sets an empty one.
  public var installationDescription1 = ""
  /// Likewise.
  public var installationDescription2 = ""

  /// The identity of an installation that set nothing.
  public init() {}

  /// The NAME: battery (function 170) in electrical generation (class 35), R309.
  public var name: Name {
    Name(
      uniqueNumber: uniqueNumber ?? 0, manufacturer: manufacturer, deviceInstance: deviceInstance, function: 170,
      deviceClass: 35, systemInstance: systemInstance)
  }
}

/// The battery monitor: who sends 127508 and 127506, and with which data instance.
public struct MonitorWiring: Hashable, Sendable {
  /// The messages that carry voltage, current, temperature and state of charge.
  public enum Place: String, Hashable, Sendable, CaseIterable {
    /// 127508 and 127506.
    case batteryStatus = "127508"
    /// Registers 0xED8D, 0xED8F or 0xED8C, 0xEDEC, 0x0FFF.
    case registers = "registers"
    /// The 11-bit frames 0x356 and 0x355 of the one battery on this bus. They name no sender.
    case batteryFrames = "11-bit"
  }

  /// The sender, by its NAME.
  public var sender: DeviceSelector
  /// The messages.
  public var place: Place
  /// The data instance of 127508 and 127506, 0...252.
  public var instance: UInt8

  /// A monitor of this sender and data instance.
  public init(sender: DeviceSelector, place: Place = .batteryStatus, instance: UInt8 = 0) {
    self.sender = sender
    self.place = place
    self.instance = instance
  }
}

/// The cells: who sends the registers 0x0385 (extremes) or 0x0381 (each cell).
public struct CellWiring: Hashable, Sendable {
  /// The messages that carry cell voltages.
  public enum Place: String, Hashable, Sendable, CaseIterable {
    /// Registers 0x0385, 0x0386 and 0x0381.
    case registers = "registers"
    /// The 11-bit frame 0x373 of the one battery on this bus.
    case batteryFrames = "11-bit"
  }

  /// The messages.
  public var place: Place
  /// The sender, by its NAME.
  public var sender: DeviceSelector
  /// How many cells must report by 0x0381; nil takes the number from the settings (cells in series and batteries in
  /// parallel) when the sender reports single cells only.
  public var expectedCells: Int?

  /// Cells of this sender.
  public init(sender: DeviceSelector, place: Place = .registers, expectedCells: Int? = nil) {
    self.sender = sender
    self.place = place
    self.expectedCells = expectedCells
  }
}
