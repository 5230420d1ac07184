import MonotonicTime
import Testing

@testable import BMSCore

/// The settings of requirements R325 to R345, written down once more and by hand.
@Suite("The table of settings, area T")
struct SettingsTableTests {
  struct Row: CustomTestStringConvertible {
    let setting: Setting
    let key: String
    let standard: Double
    let range: ClosedRange<Double>
    var choices: [Double] = []

    var testDescription: String { key }
  }

  static let onOff: [Double] = [0, 1]

  static let rows: [Row] = [
    Row(setting: .nominalVoltage, key: "nominal_voltage", standard: 12, range: 12...48, choices: [12, 24, 48]),
    Row(setting: .batteryCapacity, key: "battery_capacity", standard: 200, range: 1...12_000),
    Row(setting: .batteriesInParallel, key: "batteries_in_parallel", standard: 1, range: 1...20),
    Row(setting: .model, key: "model", standard: 500, range: 500...1000, choices: [500, 1000]),
    Row(setting: .lowCellVoltage, key: "low_cell_voltage", standard: 2.8, range: 2.6...2.8),
    Row(setting: .preAlarm, key: "pre_alarm", standard: 1, range: 0...1, choices: onOff),
    Row(setting: .preAlarmSignal, key: "pre_alarm_signal", standard: 1, range: 0...1, choices: onOff),
    Row(setting: .preAlarmVoltage, key: "pre_alarm_voltage", standard: 3.1, range: 2.6...3.15),
    Row(setting: .dischargeLimitAtPreAlarm, key: "dcl_at_pre_alarm", standard: 0, range: 0...1, choices: onOff),
    Row(setting: .relayAlternator, key: "relay_alternator_atc", standard: 0, range: 0...1, choices: onOff),
    Row(setting: .relayIntermittent, key: "relay_intermittent", standard: 0, range: 0...1, choices: onOff),
    Row(setting: .relayOnWarning, key: "relay_on_warning", standard: 0, range: 0...1, choices: onOff),
    Row(setting: .minimumChargeTemperature, key: "minimum_charge_temperature", standard: 5, range: -10...20),
    Row(setting: .absorptionTime, key: "absorption_time", standard: 2, range: 0.5...24),
    Row(setting: .repeatedAbsorptionInterval, key: "repeated_absorption_interval", standard: 30, range: 0...180),
    Row(setting: .stateOfChargeThreshold, key: "soc_threshold", standard: 70, range: 0...95),
    Row(setting: .chargedVoltage, key: "charged_voltage", standard: 14.0, range: 13.0...14.6),
    Row(setting: .tailCurrent, key: "tail_current", standard: 4, range: 0.5...10),
    Row(setting: .chargedDetectionTime, key: "charged_detection_time", standard: 3, range: 1...50),
    Row(setting: .dischargeFloor, key: "discharge_floor", standard: 10, range: 0...99),
    Row(setting: .lowStateOfChargeWarning, key: "low_soc_warning", standard: 15, range: 0...99),
    Row(setting: .currentReversed, key: "current_reversed", standard: 0, range: 0...1, choices: onOff),
    Row(setting: .maximumChargeVoltage, key: "maximum_charge_voltage", standard: 14.2, range: 13.0...14.2),
    Row(setting: .maximumChargeCurrent, key: "maximum_charge_current", standard: 1000, range: 1...1000),
    Row(setting: .maximumDischargeCurrent, key: "maximum_discharge_current", standard: 1200, range: 1...1200),
    Row(setting: .limitsNearCellEnds, key: "smooth_limits", standard: 0, range: 0...1, choices: onOff),
    Row(
      setting: .contactorAfterDischargeContact, key: "contactor_opens_after_atd", standard: 0, range: 0...1,
      choices: onOff),
    Row(setting: .temperatureRequired, key: "temperature_required", standard: 0, range: 0...1, choices: onOff),
    Row(setting: .cellLate, key: "cell_late", standard: 2, range: 0.1...5),
    Row(setting: .cellStale, key: "cell_stale", standard: 5, range: 0.5...10),
    Row(setting: .measurementLate, key: "measurement_late", standard: 0.5, range: 0.1...5),
    Row(setting: .measurementStale, key: "measurement_stale", standard: 2, range: 0.5...10),
    Row(setting: .limitsWithdrawn, key: "limits_withdrawn", standard: 60, range: 10...60),
    Row(setting: .remoteControl, key: "remote_control", standard: 1, range: 0...1, choices: onOff),
  ]

  @Test("R325-R339, R341-R344: default, lowest and highest value of each, and the choices where there are few")
  func table() {
    #expect(Set(Self.rows.map(\.setting)) == Set(Setting.allCases), "every setting stands in the table")
    for row in Self.rows {
      let definition = row.setting.definition
      #expect(definition.key == row.key)
      #expect(definition.standard == row.standard, "\(row.key)")
      #expect(definition.range == row.range, "\(row.key)")
      #expect(definition.choices == row.choices, "\(row.key)")
      #expect(definition.isWhole == (row.setting == .batteriesInParallel), "\(row.key)")
      #expect(Settings()[row.setting] == row.standard, "\(row.key)")
    }
  }

  @Test("R345: fixed are Peukert 1.05 at 20 h, efficiency 99 %, 0.05 A, 23 s for Delta-T 1, 65 and 90 %, 5 %")
  func fixed() {
    #expect(Parameters.peukertExponent == 1.05 && Parameters.peukertHours == 20)
    #expect(Parameters.chargeEfficiency == 0.99)
    #expect(Parameters.currentThreshold == 0.05)
    #expect(BatteryMonitor.averagingSeconds == 23)
    #expect(History.cycleBelow == 65 && History.cycleAbove == 90)
    #expect(History.fullDischargeBelow == 5)
    // None of them is a setting.
    for key in ["peukert", "charge_efficiency", "current_threshold", "time_to_go_averaging"] {
      #expect(Setting(key: key) == nil)
    }
  }

  @Test("R340: 16 names, \"Fuse_1\" to \"Fuse_16\" at first, of at most 16 characters; fuse 17 and fuse 0 do not exist")
  func fuseNames() {
    var names = FuseNames()
    #expect(names.names == (1...16).map { "Fuse_\($0)" })
    #expect(names.used == 0xFFFF)
    #expect(names.set("sixteen letters!", of: 16) == true)
    #expect(names.set("seventeen letters", of: 16) == false)
    #expect(names.set("x", of: 17) == false)
    #expect(names.set("x", of: 0) == false)
    #expect(names.names[15] == "sixteen letters!")
    #expect(names.set("", of: 1) == true)
    #expect(names.used == 0xFFFE)
  }

  @Test("R2: 4, 8 and 16 cells in series at 12, 24 and 48 V; R5: 500 and 600 A, or 1000 and 1200 A, by the model")
  func derived() throws {
    for (nominal, cells) in [(12.0, 4), (24, 8), (48, 16)] {
      let bank = try settings((.nominalVoltage, nominal))
      #expect(bank.cellsInSeries == cells && bank.bankFactor == nominal / 12)
    }
    for (model, continuous, peak) in [(500.0, 500.0, 600.0), (1000, 1000, 1200)] {
      let bank = try settings((.model, model))
      #expect(bank.continuousRating == continuous && bank.peakRating == peak)
    }
    #expect(throws: SettingError.notAccepted(.model, 750)) { try settings((.model, 750)) }
  }

  @Test("R1: 12, 24 and 48 V are taken, nothing else is", arguments: [11.9, 12.1, 23, 24.1, 36, 47.9, 48.1, 96])
  func nominalVoltages(refused: Double) throws {
    var settings = Settings()
    #expect(throws: SettingError.notAccepted(.nominalVoltage, refused)) {
      try settings.set(.nominalVoltage, to: refused)
    }
    for volts in [12.0, 24, 48] {
      try settings.set(.nominalVoltage, to: volts)
      #expect(settings[.nominalVoltage] == volts)
    }
  }

  @Test("R3, R327: 20 batteries in parallel are taken, 21, 0 and 1.5 are not")
  func batteries() throws {
    var settings = Settings()
    for refused in [21.0, 0, 1.5] {
      #expect(throws: SettingError.notAccepted(.batteriesInParallel, refused)) {
        try settings.set(.batteriesInParallel, to: refused)
      }
    }
    try settings.set(.batteriesInParallel, to: 20)
    #expect(settings[.batteriesInParallel] == 20)
    #expect(CellPlace(battery: 20, cell: 16) != nil)
    #expect(CellPlace(battery: 21, cell: 1) == nil && CellPlace(battery: 1, cell: 17) == nil)
  }

  @Test("R165: the bank's voltages move with the nominal voltage: 14.0, 28.0 and 56.0 V to be charged")
  func scaled() throws {
    for (nominal, factor) in [(12.0, 1.0), (24, 2), (48, 4)] {
      let parameters = Parameters(try settings((.nominalVoltage, nominal)))
      #expect(parameters.chargedVoltage == 14.0 * factor)
      #expect(parameters.fullChargeVoltage == 14.2 * factor && parameters.restingVoltage == 13.5 * factor)
      #expect(parameters.voltageCap == 14.2 * factor && parameters.fullChargeVoltageUncapped == 14.2 * factor)
      #expect(parameters.absorptionStart == quantised(14.15 * factor))
      #expect(parameters.absorptionPause == quantised(14.0 * factor))
      #expect(parameters.restingDrop == 0.15 * factor)
      #expect(parameters.lowVoltageTrigger == 12 * factor)
      #expect(parameters.chargeVoltageLevel == quantised(11.7 * factor))
      #expect(parameters.lowVoltageLimit == quantised(10.4 * factor))
    }
  }

  @Test("R326, R336, R332, R333: Ah, tail current in % of them, hours and days become amperes and seconds")
  func units() throws {
    let parameters = Parameters(
      try settings((.batteryCapacity, 300), (.tailCurrent, 2.5), (.absorptionTime, 3), (.repeatedAbsorptionInterval, 7))
    )
    #expect(parameters.capacity == 300 && parameters.tailCurrent == 7.5)
    #expect(parameters.absorptionSeconds == 10_800 && parameters.intervalSeconds == 604_800)
    #expect(parameters.chargedDetection == .minutes(3))
    #expect(parameters.cellLate == .seconds(2) && parameters.cellStale == .seconds(5))
    #expect(parameters.measurementLate == .milliseconds(500) && parameters.measurementStale == .seconds(2))
    #expect(parameters.withdrawn == .seconds(60))
  }

  @Test("R321, R343, OD-20: contradictions are refused at the edge and taken beside it, whichever of the two moves")
  func contradictions() throws {
    func refuses(_ changes: (Setting, Double)...) -> Bool {
      var settings = Settings()
      do {
        try settings.set(changes)
        return false
      } catch {
        #expect(settings == Settings(), "a refusal changes nothing")
        return true
      }
    }
    #expect(!refuses((.dischargeFloor, 15)) && refuses((.dischargeFloor, 15.1)))
    #expect(!refuses((.lowStateOfChargeWarning, 10)) && refuses((.lowStateOfChargeWarning, 9.9)))
    #expect(refuses((.preAlarmVoltage, 2.8)) && !refuses((.preAlarmVoltage, 2.801)))
    #expect(!refuses((.cellLate, 5)) && refuses((.cellLate, 3), (.cellStale, 2.9)))
    #expect(!refuses((.cellLate, 3), (.cellStale, 3)))
    #expect(!refuses((.measurementLate, 2)) && refuses((.measurementLate, 2.001)))
  }

  @Test("Equal settings are equal in every row, and one changed row makes them unequal")
  func equality() throws {
    #expect(Settings() == Settings())
    for row in Self.rows {
      var changed = Settings()
      let other = row.range.lowerBound == row.standard ? row.range.upperBound : row.range.lowerBound
      guard (try? changed.set(row.setting, to: other)) != nil else { continue }
      #expect(changed != Settings(), "\(row.key)")
    }
  }

  @Test("Numbers in texts: three decimals, rounded, and no trailing zero")
  func decimals() {
    #expect(0.0.text(upTo: 3) == "0" && 1000.0.text(upTo: 3) == "1000" && (-12.5).text(upTo: 3) == "-12.5")
    #expect(0.001.text(upTo: 3) == "0.001" && 0.0004.text(upTo: 3) == "0" && 0.0005.text(upTo: 3) == "0.001")
    #expect(3.0.text(upTo: 1) == "3" && (-0.01).text(2) == "-0.01" && (-0.004).text(2) == "0.00")
    #expect(3.05.text(upTo: 1) == "3.1" && 300.4.text(upTo: 0) == "300")
    #expect(10.01.text(upTo: 2) == "10.01")
    #expect(999_999_999_999.0.text(upTo: 3) == "999999999999" && 1e15.text(upTo: 3) == "1000000000000000")
    #expect(Double.infinity.text(upTo: 3) == "inf" && Double.nan.text(upTo: 3) == "nan")
  }
}
