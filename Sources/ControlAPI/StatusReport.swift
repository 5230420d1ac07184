/// `GET /v1/status`: is it all right, and if not, why.
public struct StatusReport: Codable, Sendable, Equatable {
  /// Whether there is nothing that an operator should know of: no problem stands below.
  public var isAllRight = false
  /// What is not as it should be, the most serious first, each as a sentence.
  public var problems: [String] = []

  /// What was asked for: on, standby, off.
  public var mode = OperatingMode.on
  /// Why it is off; left out while it is not.
  public var offCause: String?
  /// Until an empty battery is switched off, seconds; left out while nothing runs.
  public var offInSeconds: Double?
  /// The state as a word, and its number on a GX device (R63).
  public var state = ""
  public var stateNumber = 0
  /// bulk, absorption or resting.
  public var chargePhase = ""

  /// State of charge; left out while nobody knows it.
  public var stateOfCharge: StateOfChargeReport?
  /// Ampere-hours since the last full charge, 0 or negative.
  public var consumedAmpereHours: Double?
  /// Until the discharge floor at the mean current; left out while charging, and where it is 10 days or more.
  public var timeToGoSeconds: Double?

  /// Measured, and left out while it is not: voltage, current (charge positive), power, temperature.
  public var voltageVolts: Double?
  public var currentAmperes: Double?
  public var powerWatts: Double?
  public var temperatureCelsius: Double?
  /// The lowest and the highest cell and temperature, with their places.
  public var lowestCell: CellReport?
  public var highestCell: CellReport?
  public var lowestTemperature: TemperatureReport?
  public var highestTemperature: TemperatureReport?

  /// Whether charging and discharging are allowed (ATC, ATD), CVL, CCL and DCL, each with its reason.
  public var limits = LimitsReport()
  /// Contactor, pre-charge and relay.
  public var contacts = ContactsReport()
  /// Active alarms, the most serious first.
  public var alarms: [AlarmReport] = []

  /// The interface's state: up, down, absent, error-passive, bus-off.
  public var link = ""
  /// The address on the bus; left out while it has none.
  public var address: Int?
  /// The NAME, 16 hexadecimal digits.
  public var name = ""
  /// Who feeds each wired role, or is its module.
  public var roles: [RoleReport] = []

  /// Whether commands are taken over this socket (R320).
  public var isControlEnabled = true
  /// The daemon's version.
  public var version = ""
  /// For how long the daemon has run, seconds of its own clock.
  public var uptimeSeconds = 0.0

  public init() {}
}

/// On, Standby, Off (R32).
public enum OperatingMode: String, Codable, Sendable, CaseIterable {
  case on, standby, off
}

/// The state of charge, and how far it can be trusted (R182).
public struct StateOfChargeReport: Codable, Sendable, Equatable {
  public var percent: Double
  /// Whether it was ever synchronised or set by hand.
  public var isTrusted: Bool
  /// By how much it may be wrong, percent points either way; left out while nobody knows.
  public var errorPercent: Double?
  /// Since the last synchronisation; left out before the first.
  public var ageSeconds: Double?

  public init(percent: Double, isTrusted: Bool, errorPercent: Double?, ageSeconds: Double?) {
    self.percent = percent
    self.isTrusted = isTrusted
    self.errorPercent = errorPercent
    self.ageSeconds = ageSeconds
  }
}

/// A cell voltage with its place, where that is known.
public struct CellReport: Codable, Sendable, Equatable {
  public var volts: Double
  /// "battery 2 cell 3".
  public var place: String?

  public init(volts: Double, place: String?) {
    self.volts = volts
    self.place = place
  }
}

/// A temperature with its place, where that is known.
public struct TemperatureReport: Codable, Sendable, Equatable {
  public var celsius: Double
  public var place: String?

  public init(celsius: Double, place: String?) {
    self.celsius = celsius
    self.place = place
  }
}

/// `GET /v1/limits`: what chargers and loads are told, each with its reason.
public struct LimitsReport: Codable, Sendable, Equatable {
  /// ATC and ATD.
  public var isChargeAllowed = false
  public var isDischargeAllowed = false
  public var chargeReason = ""
  public var dischargeReason = ""
  /// CVL; left out while no limit exists. Never 0.
  public var chargeVoltageVolts: Double?
  public var chargeVoltageReason = ""
  /// CCL and DCL; left out while they do not exist, which is not 0 A (R151).
  public var chargeCurrentAmperes: Double?
  public var chargeCurrentReason = ""
  public var dischargeCurrentAmperes: Double?
  public var dischargeCurrentReason = ""
  /// The voltage at which loads should stop (R150).
  public var lowVoltageVolts: Double?

  public init() {}
}

/// Contactor, pre-charge, relay: what is commanded, and what is seen.
public struct ContactsReport: Codable, Sendable, Equatable {
  /// False where there is none to command: the battery protects itself (design section 4).
  public var hasContactor = true
  public var isContactorCommanded = false
  /// As its feedback says; left out when nothing says so.
  public var isContactorClosed: Bool?
  /// Where the sequence stands: open, precharge, closed, failed ...
  public var contactorPhase = ""
  /// What went wrong; left out when nothing did.
  public var contactorFault: String?
  public var isPrechargeCommanded = false
  public var isRelayActive = false
  public var isAuxiliaryOn = false

  public init() {}
}

/// A wired role: who feeds it, or what is known of the switch behind it.
public struct RoleReport: Codable, Sendable, Equatable {
  /// As in the configuration: "inputs.monitor".
  public var role: String
  /// Whether it is as it should be.
  public var isAllRight: Bool
  /// "fed by NAME c0508c0022200001".
  public var text: String

  public init(role: String, isAllRight: Bool, text: String) {
    self.role = role
    self.isAllRight = isAllRight
    self.text = text
  }
}

/// An alarm that is active, with what to do about it.
public struct AlarmReport: Codable, Sendable, Equatable {
  /// The code that people look up: "E-B36".
  public var code: String
  /// The number on a GX device, where there is one.
  public var gxNumber: Int?
  /// warning, alarm, error.
  public var severity: String
  public var message: String
  /// What raised it; left out where the message says it all.
  public var cause: String?
  /// What it does to charging and discharging.
  public var effect: String
  public var clearedWhen: String
  /// What to do.
  public var advice: String
  /// How long ago it was raised.
  public var sinceSeconds: Double?
  /// How often since the daemon started.
  public var count: Int

  public init(
    code: String, gxNumber: Int?, severity: String, message: String, cause: String?, effect: String,
    clearedWhen: String, advice: String, sinceSeconds: Double?, count: Int
  ) {
    self.code = code
    self.gxNumber = gxNumber
    self.severity = severity
    self.message = message
    self.cause = cause
    self.effect = effect
    self.clearedWhen = clearedWhen
    self.advice = advice
    self.sinceSeconds = sinceSeconds
    self.count = count
  }
}

/// `GET /v1/alarms`.
public struct AlarmsReport: Codable, Sendable, Equatable {
  public var alarms: [AlarmReport]

  public init(alarms: [AlarmReport]) { self.alarms = alarms }
}
