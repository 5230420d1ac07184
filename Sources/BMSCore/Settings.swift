// The one table of settings: key, unit, default, range and where each number comes from (requirements R325-R345).
// Voltages of the bank are kept per 12 V and scaled by the nominal voltage, so that changing a 12 V bank's settings to
// 24 V can leave no voltage behind (R165).

/// One setting of the BMS. The order is the table's order.
public enum Setting: Int, CaseIterable, Sendable {
  /// R325.
  case nominalVoltage
  /// R326.
  case batteryCapacity
  /// R327.
  case batteriesInParallel
  /// R5.
  case model
  /// R342.
  case lowCellVoltage
  /// R86, R328: a low cell is announced 30 s before it disconnects the loads. Off: it disconnects at once.
  case preAlarm
  /// R88, R89: whether the batteries have the pre-alarm signal. Without, the low cell voltage itself is announced.
  case preAlarmSignal
  /// R343.
  case preAlarmVoltage
  /// R90, R91, R331.
  case dischargeLimitAtPreAlarm
  /// R329: the relay is the alternator's ATC instead of the alarm relay.
  case relayAlternator
  /// R330.
  case relayIntermittent
  /// R133: warnings drive the alarm relay too.
  case relayOnWarning
  /// R344.
  case minimumChargeTemperature
  /// R332.
  case absorptionTime
  /// R333.
  case repeatedAbsorptionInterval
  /// R334.
  case stateOfChargeThreshold
  /// R335, per 12 V.
  case chargedVoltage
  /// R336.
  case tailCurrent
  /// R337.
  case chargedDetectionTime
  /// R338.
  case dischargeFloor
  /// R339.
  case lowStateOfChargeWarning
  /// R341.
  case currentReversed
  /// OD-2, installer's cap on CVL, per 12 V.
  case maximumChargeVoltage
  /// OD-2, installer's cap on CCL.
  case maximumChargeCurrent
  /// OD-2, installer's cap on DCL.
  case maximumDischargeCurrent
  /// OD-2: CCL and DCL fall along a table near the cells' ends, instead of all or nothing.
  case limitsNearCellEnds
  /// R75: the contactor opens when more than 0.7 A flows 30 s after ATD opened.
  case contactorAfterDischargeContact
  /// Whether a temperature that was never told forbids; one that was told and is lost always does.
  case temperatureRequired
  /// OD-20.
  case cellLate
  /// OD-20.
  case cellStale
  /// OD-20.
  case measurementLate
  /// OD-20.
  case measurementStale
  /// OD-20.
  case limitsWithdrawn
  /// R320: whether commands are taken over the remote control channel. Anybody may switch it off, only somebody on the
  /// machine itself on again.
  case remoteControl

  /// The row of this setting.
  public var definition: SettingDefinition {
    switch self {
    case .nominalVoltage:
      .init("nominal_voltage", .volts, 12, 12...48, "R325", choices: [12, 24, 48])
    case .batteryCapacity:
      .init("battery_capacity", .ampereHours, 200, 1...12_000, "R326")
    case .batteriesInParallel:
      .init("batteries_in_parallel", .none, 1, 1...20, "R327", whole: true)
    case .model:
      .init("model", .none, 500, 500...1000, "R5", choices: [500, 1000])
    case .lowCellVoltage:
      .init("low_cell_voltage", .volts, 2.8, 2.6...2.8, "R342")
    case .preAlarm:
      .init("pre_alarm", .none, 1, 0...1, "R328", choices: [0, 1])
    case .preAlarmSignal:
      .init("pre_alarm_signal", .none, 1, 0...1, "R88", choices: [0, 1])
    case .preAlarmVoltage:
      .init("pre_alarm_voltage", .volts, 3.1, 2.6...3.15, "R343")
    case .dischargeLimitAtPreAlarm:
      .init("dcl_at_pre_alarm", .none, 0, 0...1, "R331", choices: [0, 1])
    case .relayAlternator:
      .init("relay_alternator_atc", .none, 0, 0...1, "R329", choices: [0, 1])
    case .relayIntermittent:
      .init("relay_intermittent", .none, 0, 0...1, "R330", choices: [0, 1])
    case .relayOnWarning:
      .init("relay_on_warning", .none, 0, 0...1, "R133", choices: [0, 1])
    case .minimumChargeTemperature:
      .init("minimum_charge_temperature", .celsius, 5, -10...20, "R344")
    case .absorptionTime:
      .init("absorption_time", .hours, 2, 0.5...24, "R332")
    case .repeatedAbsorptionInterval:
      .init("repeated_absorption_interval", .days, 30, 0...180, "R333, 0 is off")
    case .stateOfChargeThreshold:
      .init("soc_threshold", .percent, 70, 0...95, "R334")
    case .chargedVoltage:
      .init("charged_voltage", .voltsPer12, 14.0, 13.0...14.6, "R335")
    case .tailCurrent:
      .init("tail_current", .percent, 4, 0.5...10, "R336")
    case .chargedDetectionTime:
      .init("charged_detection_time", .minutes, 3, 1...50, "R337")
    case .dischargeFloor:
      .init("discharge_floor", .percent, 10, 0...99, "R338, 0 is off")
    case .lowStateOfChargeWarning:
      .init("low_soc_warning", .percent, 15, 0...99, "R339")
    case .currentReversed:
      .init("current_reversed", .none, 0, 0...1, "R341", choices: [0, 1])
    case .maximumChargeVoltage:
      .init("maximum_charge_voltage", .voltsPer12, 14.2, 13.0...14.2, "OD-2")
    case .maximumChargeCurrent:
      .init("maximum_charge_current", .amperes, 1000, 1...1000, "OD-2")
    case .maximumDischargeCurrent:
      .init("maximum_discharge_current", .amperes, 1200, 1...1200, "OD-2")
    case .limitsNearCellEnds:
      .init("smooth_limits", .none, 0, 0...1, "OD-2", choices: [0, 1])
    case .contactorAfterDischargeContact:
      .init("contactor_opens_after_atd", .none, 0, 0...1, "R75", choices: [0, 1])
    case .temperatureRequired:
      .init("temperature_required", .none, 0, 0...1, "R109", choices: [0, 1])
    case .cellLate:
      .init("cell_late", .seconds, 2, 0.1...5, "OD-20")
    case .cellStale:
      .init("cell_stale", .seconds, 5, 0.5...10, "OD-20")
    case .measurementLate:
      .init("measurement_late", .seconds, 0.5, 0.1...5, "OD-20")
    case .measurementStale:
      .init("measurement_stale", .seconds, 2, 0.5...10, "OD-20")
    case .limitsWithdrawn:
      .init("limits_withdrawn", .seconds, 60, 10...60, "OD-20")
    case .remoteControl:
      .init("remote_control", .none, 1, 0...1, "R320", choices: [0, 1])
    }
  }

  /// The setting with this key, or nil.
  public init?(key: String) {
    guard let match = Setting.allCases.first(where: { $0.definition.key == key }) else { return nil }
    self = match
  }
}

/// The unit of a setting.
public enum SettingUnit: String, Sendable {
  /// A number without a unit.
  case none = ""
  /// Volts.
  case volts = "V"
  /// Volts for a 12 V bank; twice that at 24 V, four times at 48 V.
  case voltsPer12 = "V per 12 V"
  /// Amperes.
  case amperes = "A"
  /// Ampere-hours.
  case ampereHours = "Ah"
  /// Percent.
  case percent = "%"
  /// Degrees Celsius.
  case celsius = "°C"
  /// Seconds.
  case seconds = "s"
  /// Minutes.
  case minutes = "min"
  /// Hours.
  case hours = "h"
  /// Days.
  case days = "d"
}

/// A row of the settings table.
public struct SettingDefinition: Sendable {
  /// The name in files and commands.
  public let key: String
  /// The unit.
  public let unit: SettingUnit
  /// The value when nothing is set.
  public let standard: Double
  /// The values that are accepted.
  public let range: ClosedRange<Double>
  /// Where the numbers come from.
  public let source: String
  /// The only values accepted, where there are only a few; otherwise empty.
  public let choices: [Double]
  /// Whether only whole numbers are accepted.
  public let isWhole: Bool

  init(
    _ key: String, _ unit: SettingUnit, _ standard: Double, _ range: ClosedRange<Double>, _ source: String,
    choices: [Double] = [], whole: Bool = false
  ) {
    self.key = key
    self.unit = unit
    self.standard = standard
    self.range = range
    self.source = source
    self.choices = choices
    isWhole = whole
  }
}

/// Why a setting was refused. Nothing is changed then.
public enum SettingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Not a number, or outside of the range or the choices.
  case notAccepted(Setting, Double)
  /// Settings contradict each other, in all these pairs.
  case contradictions([SettingContradiction])

  /// What was asked for, why it is refused, what would be accepted or what to do.
  public var description: String {
    switch self {
    case .notAccepted: finding
    case .contradictions(let all): all.map(\.description).joined(separator: "; ")
    }
  }

  /// The same without what to do, for who knows better.
  public var finding: String {
    switch self {
    case .notAccepted(let setting, let value):
      let row = setting.definition
      let unit = row.unit == .none ? "" : " \(row.unit.rawValue)"
      if !row.choices.isEmpty {
        let choices = row.choices.map { $0.text(upTo: 3) }.joined(separator: ", ")
        return "\(row.key) = \(value.text(upTo: 3)) is refused: one of \(choices)\(unit) (\(row.source))"
      }
      let whole = row.isWhole ? "whole numbers " : ""
      return "\(row.key) = \(value.text(upTo: 3)) is refused: \(whole)from \(row.range.lowerBound.text(upTo: 3)) to "
        + "\(row.range.upperBound.text(upTo: 3))\(unit) (\(row.source))"
    case .contradictions(let all): return all.map(\.finding).joined(separator: "; ")
    }
  }
}

/// Two settings that may not stand beside each other as they are.
public struct SettingContradiction: Sendable, Hashable, CustomStringConvertible {
  /// Which setting may not lie above which, whether both may be the same, and where that comes from.
  struct Rule {
    var lower: Setting
    var upper: Setting
    var source: String
    var mayBeEqual = true
  }

  /// A floor of 0 is off and contradicts nothing; late comes before stale.
  static let rules = [
    Rule(lower: .dischargeFloor, upper: .lowStateOfChargeWarning, source: "R321"),
    Rule(lower: .lowCellVoltage, upper: .preAlarmVoltage, source: "R343", mayBeEqual: false),
    Rule(lower: .cellLate, upper: .cellStale, source: "OD-20"),
    Rule(lower: .measurementLate, upper: .measurementStale, source: "OD-20"),
  ]

  /// The one that was asked for, and its value.
  public let setting: Setting
  /// See ``setting``.
  public let value: Double
  /// The one that stands against it, and its value.
  public let other: Setting
  /// See ``other``.
  public let otherValue: Double
  /// Whether both were asked for at once.
  public let isBoth: Bool

  /// A contradiction of what was asked for with another setting.
  public init(_ setting: Setting, _ value: Double, with other: Setting, _ otherValue: Double, isBoth: Bool = false) {
    self.setting = setting
    self.value = value
    self.other = other
    self.otherValue = otherValue
    self.isBoth = isBoth
  }

  /// The same, told from the other one.
  var mirrored: SettingContradiction { Self(other, otherValue, with: setting, value, isBoth: isBoth) }

  /// The requirement that it goes against.
  public var source: String { rule?.source ?? "" }

  private var rule: Rule? { Self.rules.first { Set([$0.lower, $0.upper]) == [setting, other] } }

  /// What was asked for, both values, and what to do.
  public var description: String { "\(finding); \(isBoth ? "change one of the two" : "set that first")" }

  /// What was asked for, and both values.
  public var finding: String {
    let isLower = rule?.lower == setting
    let isStrict = rule?.mayBeEqual == false
    let bounds = isStrict == isLower ? "above" : "below"
    return "\(setting.text(of: value)) is refused: \(other.definition.key) is \(other.valueText(of: otherValue)) and "
      + "\(isStrict ? "must" : "may not") lie \(bounds) it (\(source))"
  }
}

extension Setting {
  /// A value with its unit.
  public func valueText(of value: Double) -> String {
    let unit = definition.unit
    return "\(value.text(upTo: 3))\(unit == .none ? "" : " \(unit.rawValue)")"
  }

  /// Key, value and unit.
  public func text(of value: Double) -> String { "\(definition.key) \(valueText(of: value))" }
}

/// A complete and consistent set of settings. It cannot hold a refused value.
public struct Settings: Sendable, Equatable {
  private var values: InlineArray<40, Double>

  /// Every setting at its default.
  public init() {
    values = InlineArray { index in
      Setting(rawValue: index).map { quantised($0.definition.standard) } ?? 0
    }
  }

  /// The value of a setting, in the unit of its row.
  public subscript(_ setting: Setting) -> Double { values[setting.rawValue] }

  /// Sets one value, or refuses it and changes nothing.
  public mutating func set(_ setting: Setting, to value: Double) throws(SettingError) {
    try set([(setting, value)])
  }

  /// Sets several values that only together are consistent, or refuses and changes nothing.
  public mutating func set(_ changes: [(Setting, Double)]) throws(SettingError) {
    var changed = self
    for (setting, value) in changes {
      let row = setting.definition
      guard value.isFinite, row.range.contains(value), row.choices.isEmpty || row.choices.contains(value),
        !row.isWhole || value.rounded() == value
      else { throw .notAccepted(setting, value) }
      changed.values[setting.rawValue] = quantised(value)
    }
    let found = changed.contradictions(to: changes.map(\.0))
    guard found.isEmpty else { throw .contradictions(found) }
    self = changed
  }

  /// Takes of values that were stored all that are accepted, and leaves the others as they are here.
  ///
  /// What contradicts a value here gives way to it. Of two stored ones that contradict each other neither is taken: which of
  /// them is the mistake nobody knows, and both here fit together.
  ///
  /// - Returns: why each of the others is refused, told against what is in force afterwards.
  public mutating func restore(_ stored: [Setting: Double]) -> [Setting: SettingError] {
    var (rest, refused) = (stored, [Setting: SettingError]())
    func refuse(_ setting: Setting, _ error: SettingError) {
      rest[setting] = nil
      refused[setting] = error
    }
    while true {
      do throws(SettingError) {
        try set(rest.sorted { $0.key.rawValue < $1.key.rawValue })
        return refused
      } catch {
        // Each turn refuses one at least, and nothing is always accepted.
        switch error {
        case .notAccepted(let setting, _): refuse(setting, error)
        case .contradictions(let all):
          for found in all {
            refuse(found.setting, .contradictions([found]))
            if found.isBoth { refuse(found.other, .contradictions([found.mirrored])) }
          }
        }
      }
    }
  }

  /// All of them, each told from what was asked for.
  private func contradictions(to asked: [Setting]) -> [SettingContradiction] {
    SettingContradiction.rules.compactMap { rule in
      let (lower, upper) = (self[rule.lower], self[rule.upper])
      guard rule.mayBeEqual ? lower > upper : lower >= upper else { return nil }
      guard asked.contains(rule.lower) else {
        return SettingContradiction(rule.upper, upper, with: rule.lower, lower)
      }
      return SettingContradiction(rule.lower, lower, with: rule.upper, upper, isBoth: asked.contains(rule.upper))
    }
  }

  /// Cells in series: 4, 8 or 16 (R2).
  public var cellsInSeries: Int { self[.nominalVoltage] == 48 ? 16 : self[.nominalVoltage] == 24 ? 8 : 4 }

  /// How often the 12 V numbers count: 1, 2 or 4.
  public var bankFactor: Double { Double(cellsInSeries) / 4 }

  /// Continuous current of the model, amperes: 500 or 1000 (R5).
  public var continuousRating: Double { self[.model] }

  /// Peak current of the model, amperes: 600 or 1200 (R5).
  public var peakRating: Double { self[.model] == 1000 ? 1200 : 600 }

  /// R160, R345: of the charge that goes in, so much comes out again.
  public static var chargeEfficiency: Double { Parameters.chargeEfficiency }

  /// R159, R345.
  public static var peukertExponent: Double { Parameters.peukertExponent }

  /// R161, R345: less counts as no current, amperes.
  public static var currentThreshold: Double { Parameters.currentThreshold }

  /// Whether both hold the same values.
  public static func == (left: Settings, right: Settings) -> Bool {
    Setting.allCases.allSatisfy { left[$0] == right[$0] }
  }
}
