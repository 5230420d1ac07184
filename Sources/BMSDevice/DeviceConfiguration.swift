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
  /// The data instance of the 127508 and 127506 that it sends, 0...252.
  public var batteryInstance: UInt8 = 0
  /// The bank instance of the 127501 that it sends, 0...252.
  public var switchBankInstance: UInt8 = 0
  /// Whether it sends the 11-bit battery frames 0x351...0x35F beside the registers.
  public var sendsBatteryFrames = true

  /// The names of the Distributors' fuses at start.
  public var fuseNames = FuseNames()

  /// A device without any source: its values are not available and its limits forbid.
  public init() {}

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
  /// Settings with their values.
  public var values: [Setting: Double] = [:]
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
public struct DeviceIdentity: Sendable {
  /// 21 bits, stable for the life of the installation; nil when the owner has to find one.
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
  /// Free text of the installer, shown by plotters.
  public var installationDescription1 = ""
  /// Free text of the installer, shown by plotters.
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
public struct MonitorWiring: Sendable {
  /// The sender, by its NAME.
  public var sender: DeviceSelector
  /// The data instance, 0...252.
  public var instance: UInt8

  /// A monitor of this sender and data instance.
  public init(sender: DeviceSelector, instance: UInt8 = 0) {
    self.sender = sender
    self.instance = instance
  }
}

/// The cells: who sends the registers 0x0385 (extremes) or 0x0381 (each cell).
public struct CellWiring: Sendable {
  /// The sender, by its NAME.
  public var sender: DeviceSelector
  /// How many cells must report by 0x0381; nil takes the number from the settings (cells in series and batteries in
  /// parallel) when the sender reports single cells only.
  public var expectedCells: Int?

  /// Cells of this sender.
  public init(sender: DeviceSelector, expectedCells: Int? = nil) {
    self.sender = sender
    self.expectedCells = expectedCells
  }
}
