/// Why an output or a state is what it is.
public struct ExplanationReport: Codable, Sendable, Equatable {
  /// What is explained, as its path: "charge-voltage" in `/v1/explanations/charge-voltage`.
  public var output: String
  /// The word for people: "CVL".
  public var name: String
  /// What it is: "forbidden", "13.5 V".
  public var value: String
  /// The sentence: "CVL 13.5 V: resting".
  public var text: String
  /// The rule that decides, as the program calls it.
  public var rule: String
  /// The input that the rule decided on, where it did on one.
  public var input: String?
  /// The code of the alarm that decides, where one does.
  public var alarm: String?
  /// For how long it has been so, seconds.
  public var sinceSeconds: Double

  public init(
    output: String, name: String, value: String, text: String, rule: String, input: String?, alarm: String?,
    sinceSeconds: Double
  ) {
    self.output = output
    self.name = name
    self.value = value
    self.text = text
    self.rule = rule
    self.input = input
    self.alarm = alarm
    self.sinceSeconds = sinceSeconds
  }
}

/// `GET /v1/explanations`.
public struct ExplanationsReport: Codable, Sendable, Equatable {
  public var explanations: [ExplanationReport]

  public init(explanations: [ExplanationReport]) { self.explanations = explanations }
}

/// `GET /v1/history` (R183-R195). What never was is left out.
public struct HistoryReport: Codable, Sendable, Equatable {
  public var runningSeconds = 0.0
  public var deepestDischargeAmpereHours: Double?
  public var lastDischargeAmpereHours: Double?
  public var averageDischargeAmpereHours: Double?
  public var chargeCycles = 0
  public var fullDischarges = 0
  public var drawnAmpereHours = 0.0
  public var lowestVoltageVolts: Double?
  public var highestVoltageVolts: Double?
  public var lowestCellVolts: Double?
  public var highestCellVolts: Double?
  public var lowestTemperatureCelsius: Double?
  public var highestTemperatureCelsius: Double?
  public var synchronisations = 0
  public var dischargedKilowattHours = 0.0
  public var chargedKilowattHours = 0.0
  public var secondsSinceFullCharge: Double?
  public var errorShutdowns = 0
  /// The last four errors, the newest first.
  public var lastErrors: [ErrorEntryReport] = []

  public init() {}
}

/// An error of the history.
public struct ErrorEntryReport: Codable, Sendable, Equatable {
  public var code: String
  public var gxNumber: Int
  /// How many running seconds ago.
  public var ageSeconds: Double

  public init(code: String, gxNumber: Int, ageSeconds: Double) {
    self.code = code
    self.gxNumber = gxNumber
    self.ageSeconds = ageSeconds
  }
}

/// A setting with its value and what it may be.
public struct SettingReport: Codable, Sendable, Equatable {
  /// As in the configuration: "charged_voltage".
  public var key: String
  /// "V per 12 V"; empty for a number without one.
  public var unit: String
  public var value: Double
  /// Who set it.
  public var setBy: SettingOrigin
  /// What the configuration says, to which a reset goes back.
  public var configured: Double
  /// What was set at run time and is refused beside the configuration; it counts at the next start or reload that accepts
  /// it. Left out where nothing waits.
  public var waiting: Double?
  /// What it is when nothing is set.
  public var standard: Double
  public var lowest: Double
  public var highest: Double
  /// The only values that are taken, where there are few; else empty.
  public var choices: [Double]
  /// Whether only whole numbers are taken.
  public var isWhole: Bool
  /// Whether it means something for these batteries; those of a pre-alarm do not where they have none (R89).
  public var isShown: Bool
  /// Where the numbers come from: "R335".
  public var source: String

  public init(
    key: String, unit: String, value: Double, setBy: SettingOrigin, configured: Double, waiting: Double? = nil,
    standard: Double, lowest: Double, highest: Double, choices: [Double], isWhole: Bool, isShown: Bool, source: String
  ) {
    self.key = key
    self.unit = unit
    self.value = value
    self.setBy = setBy
    self.configured = configured
    self.waiting = waiting
    self.standard = standard
    self.lowest = lowest
    self.highest = highest
    self.choices = choices
    self.isWhole = isWhole
    self.isShown = isShown
    self.source = source
  }
}

/// Who set a setting.
public enum SettingOrigin: String, Codable, Sendable, CaseIterable {
  /// Nobody: the default.
  case standard = "default"
  /// The configuration file.
  case configuration
  /// Somebody at run time, over the bus or over this socket.
  case changed
}

/// `GET /v1/settings`.
public struct SettingsReport: Codable, Sendable, Equatable {
  public var settings: [SettingReport]

  public init(settings: [SettingReport]) { self.settings = settings }
}

/// `GET /v1/fuses`: Lynx Distributors A to D with four fuses each.
public struct FusesReport: Codable, Sendable, Equatable {
  public var distributors: [DistributorReport]

  public init(distributors: [DistributorReport]) { self.distributors = distributors }
}

/// A Lynx Distributor.
public struct DistributorReport: Codable, Sendable, Equatable {
  /// A to D.
  public var distributor: String
  /// absent, ok, fuseBlown, noPower, communicationLost, duplicate.
  public var state: String
  public var fuses: [FuseReport]

  public init(distributor: String, state: String, fuses: [FuseReport]) {
    self.distributor = distributor
    self.state = state
    self.fuses = fuses
  }
}

/// A fuse.
public struct FuseReport: Codable, Sendable, Equatable {
  /// 1 to 16.
  public var fuse: Int
  /// An empty name says that it is not used.
  public var name: String
  /// notAvailable, notUsed, ok, blown.
  public var state: String

  public init(fuse: Int, name: String, state: String) {
    self.fuse = fuse
    self.name = name
    self.state = state
  }
}

/// `GET /v1/check`: the commissioning checklist (R324).
public struct CheckReport: Codable, Sendable, Equatable {
  public var items: [CheckItemReport]

  public init(items: [CheckItemReport]) { self.items = items }
}

/// An item of the checklist.
public struct CheckItemReport: Codable, Sendable, Equatable {
  public var item: String
  /// passed, failed, open (not seen yet), confirm (only a person can say).
  public var verdict: String
  public var finding: String
  /// What to do; empty when passed.
  public var advice: String

  public init(item: String, verdict: String, finding: String, advice: String) {
    self.item = item
    self.verdict = verdict
    self.finding = finding
    self.advice = advice
  }
}

/// `GET /v1/log`: what outlives a restart, the oldest first.
public struct LogReport: Codable, Sendable, Equatable {
  /// As many as one answer has where the question does not say.
  public static let usualCount = 100
  /// As many as one answer may have.
  public static let mostCount = 1000

  public var entries: [LogEntryReport]
  /// The number to ask on from: `?after=` this.
  public var last: Int64
  /// So many between them were damaged and are left out.
  public var damaged: Int

  public init(entries: [LogEntryReport], last: Int64, damaged: Int) {
    self.entries = entries
    self.last = last
    self.damaged = damaged
  }
}

/// A line of the stored log.
public struct LogEntryReport: Codable, Sendable, Equatable {
  /// Grows by one from entry to entry.
  public var number: Int64
  /// raised, cleared, decided, link.
  public var kind: String
  /// The alarm's code, what was decided, or the link's state.
  public var code: String
  public var text: String
  /// The value that decided, in the unit that the text names.
  public var value: Double?
  /// Wall time.
  public var unixSeconds: Double
  /// Whether the machine's clock was set when it happened.
  public var isTimeCertain: Bool

  public init(
    number: Int64, kind: String, code: String, text: String, value: Double?, unixSeconds: Double, isTimeCertain: Bool
  ) {
    self.number = number
    self.kind = kind
    self.code = code
    self.text = text
    self.value = value
    self.unixSeconds = unixSeconds
    self.isTimeCertain = isTimeCertain
  }
}

/// An event of `GET /v1/events`, and a decision of the trace: a line of the log.
public struct EventReport: Codable, Sendable, Equatable {
  /// On the daemon's monotonic clock, which begins anywhere.
  public var atSeconds: Double
  /// info, notice, warning, error, critical.
  public var level: String
  public var text: String

  public init(atSeconds: Double, level: String, text: String) {
    self.atSeconds = atSeconds
    self.level = level
    self.text = text
  }
}

/// The state in short, once a second: a `status` of `GET /v1/events`, and of the trace.
public struct StatusSample: Codable, Sendable, Equatable {
  /// On the daemon's monotonic clock.
  public var atSeconds: Double
  public var mode: OperatingMode
  public var state: String
  public var voltageVolts: Double?
  public var currentAmperes: Double?
  public var temperatureCelsius: Double?
  public var lowestCellVolts: Double?
  public var highestCellVolts: Double?
  public var stateOfChargePercent: Double?
  public var isChargeAllowed: Bool
  public var isDischargeAllowed: Bool
  public var chargeVoltageVolts: Double?
  public var chargeCurrentAmperes: Double?
  public var dischargeCurrentAmperes: Double?
  public var isContactorCommanded: Bool
  /// The codes of the active alarms.
  public var alarms: [String]

  public init(
    atSeconds: Double, mode: OperatingMode, state: String, voltageVolts: Double?, currentAmperes: Double?,
    temperatureCelsius: Double?, lowestCellVolts: Double?, highestCellVolts: Double?, stateOfChargePercent: Double?,
    isChargeAllowed: Bool, isDischargeAllowed: Bool, chargeVoltageVolts: Double?, chargeCurrentAmperes: Double?,
    dischargeCurrentAmperes: Double?, isContactorCommanded: Bool, alarms: [String]
  ) {
    self.atSeconds = atSeconds
    self.mode = mode
    self.state = state
    self.voltageVolts = voltageVolts
    self.currentAmperes = currentAmperes
    self.temperatureCelsius = temperatureCelsius
    self.lowestCellVolts = lowestCellVolts
    self.highestCellVolts = highestCellVolts
    self.stateOfChargePercent = stateOfChargePercent
    self.isChargeAllowed = isChargeAllowed
    self.isDischargeAllowed = isDischargeAllowed
    self.chargeVoltageVolts = chargeVoltageVolts
    self.chargeCurrentAmperes = chargeCurrentAmperes
    self.dischargeCurrentAmperes = dischargeCurrentAmperes
    self.isContactorCommanded = isContactorCommanded
    self.alarms = alarms
  }
}
