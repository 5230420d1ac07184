public import BMSCore
public import MonotonicTime

/// All of the device at one moment, for an operator. Made when somebody asks.
public struct DeviceReport: Sendable {
  /// Measurements, decisions, who is heard.
  public var status: DeviceStatus
  /// Why everything is as it is, and the commissioning checklist.
  public var explanation: DeviceExplanation
  /// The settings in force.
  public var settings: Settings
  /// The settings as configured, to which a reset goes back.
  public var configuredSettings: Settings
  /// What was set at run time and is not in force, by key: ``ChangedSettings/waiting``.
  public var waitingSettings: [String: Double]
  /// The settings that mean nothing for these batteries (R89).
  public var hiddenSettings: Set<Setting>
  /// What happened to the battery.
  public var history: History
  /// Since the last full charge cycle ended, seconds; nil before the first.
  public var secondsSinceFullCharge: Double?
  /// The Lynx Distributors A to D.
  public var distributors: [DistributorState]
  /// The fuses 1 to 16.
  public var fuses: [FuseState]
  /// Their names.
  public var fuseNames: FuseNames
  /// When the device began.
  public var started: Instant
}

extension BMSDevice {
  /// All of it, as it is now.
  public func report(at now: Instant) -> DeviceReport {
    DeviceReport(
      status: status(at: now), explanation: explanation(at: now), settings: core.settings,
      configuredSettings: configuredSettings, waitingSettings: waiting,
      hiddenSettings: Set(Setting.allCases.filter { !core.isShown($0) }), history: core.history,
      secondsSinceFullCharge: core.snapshot.secondsSinceFullCharge, distributors: (0..<4).map { core.distributor($0) },
      fuses: (1...FuseNames.count).map { core.fuse($0) }, fuseNames: core.fuseNames, started: started)
  }
}
