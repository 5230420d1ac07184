import Testing

@testable import BMSCore

@Suite("Settings and tables")
struct SettingsTests {
  @Test("Every default is accepted, both ends are accepted, just outside is refused with its key")
  func ranges() {
    for setting in Setting.allCases {
      let row = setting.definition
      var settings = Settings()
      #expect(settings[setting] == row.standard)
      #expect(row.choices.isEmpty ? row.range.contains(row.standard) : row.choices.contains(row.standard))
      for value in [row.range.lowerBound - 0.001, row.range.upperBound + 0.001, .nan, .infinity] {
        do {
          try settings.set(setting, to: value)
          Issue.record("\(row.key) accepted \(value)")
        } catch {
          #expect(error.description.hasPrefix(row.key))
        }
      }
      #expect(settings == Settings())
      #expect(Setting(key: row.key) == setting)
    }
    #expect(Set(Setting.allCases.map(\.definition.key)).count == Setting.allCases.count)
  }

  @Test("R1: 12, 24 and 48 V only; R327 counts whole batteries")
  func choices() {
    var settings = Settings()
    #expect(throws: SettingError.notAccepted(.nominalVoltage, 36)) { try settings.set(.nominalVoltage, to: 36) }
    #expect(throws: SettingError.notAccepted(.batteriesInParallel, 1.5)) {
      try settings.set(.batteriesInParallel, to: 1.5)
    }
    #expect(
      SettingError.notAccepted(.nominalVoltage, 36).description
        == "nominal_voltage = 36 is refused: one of 12, 24, 48 V (R325)")
    #expect(
      SettingError.notAccepted(.lowCellVoltage, 2.5).description
        == "low_cell_voltage = 2.5 is refused: from 2.6 to 2.8 V (R342)")
  }

  @Test("R321: the warning level is not below the floor; both together may move")
  func crossCheck() throws {
    var settings = Settings()
    #expect(throws: SettingError.contradictions([.init(.dischargeFloor, 16, with: .lowStateOfChargeWarning, 15)])) {
      try settings.set(.dischargeFloor, to: 16)
    }
    #expect(settings[.dischargeFloor] == 10)
    try settings.set(.dischargeFloor, to: 15)
    try settings.set([(.dischargeFloor, 30), (.lowStateOfChargeWarning, 40)])
    #expect(settings[.lowStateOfChargeWarning] == 40)
    #expect(throws: SettingError.contradictions([.init(.measurementLate, 2.1, with: .measurementStale, 2)])) {
      try settings.set(.measurementLate, to: 2.1)
    }
  }

  @Test("R321: of stored values one that the file contradicts gives way alone; two that contradict each other both do")
  func restored() throws {
    func restored(_ stored: [Setting: Double], over file: (Setting, Double)...) throws -> (
      Settings, [Setting: SettingError]
    ) {
      var settings = Settings()
      try settings.set(file)
      let refused = settings.restore(stored)
      return (settings, refused)
    }
    var (settings, refused) = try restored(
      [.maximumChargeCurrent: 20, .lowStateOfChargeWarning: 12, .remoteControl: 0], over: (.dischargeFloor, 14))
    #expect(settings[.maximumChargeCurrent] == 20 && settings[.remoteControl] == 0)
    #expect(settings[.lowStateOfChargeWarning] == 15)
    #expect(
      refused == [
        .lowStateOfChargeWarning: .contradictions([.init(.lowStateOfChargeWarning, 12, with: .dischargeFloor, 14)])
      ])

    // Only together are they consistent.
    (settings, refused) = try restored(
      [.dischargeFloor: 40, .lowStateOfChargeWarning: 50], over: (.dischargeFloor, 14))
    #expect(settings[.dischargeFloor] == 40 && settings[.lowStateOfChargeWarning] == 50 && refused.isEmpty)

    (settings, refused) = try restored([.dischargeFloor: 20, .lowStateOfChargeWarning: 18, .tailCurrent: 6])
    #expect(settings[.dischargeFloor] == 10 && settings[.lowStateOfChargeWarning] == 15 && settings[.tailCurrent] == 6)
    #expect(
      refused == [
        .dischargeFloor: .contradictions([
          .init(.dischargeFloor, 20, with: .lowStateOfChargeWarning, 18, isBoth: true)
        ]),
        .lowStateOfChargeWarning: .contradictions([
          .init(.lowStateOfChargeWarning, 18, with: .dischargeFloor, 20, isBoth: true)
        ]),
      ])

    // Without the one that is out of its range, the other stands against the file.
    (settings, refused) = try restored(
      [.dischargeFloor: 20, .lowStateOfChargeWarning: 100, .cellLate: .nan, .preAlarm: 0])
    #expect(settings[.dischargeFloor] == 10 && settings[.preAlarm] == 0)
    #expect(Set(refused.keys) == [.dischargeFloor, .lowStateOfChargeWarning, .cellLate])
    #expect(refused[.lowStateOfChargeWarning] == .notAccepted(.lowStateOfChargeWarning, 100))
    #expect(
      refused[.dischargeFloor] == .contradictions([.init(.dischargeFloor, 20, with: .lowStateOfChargeWarning, 15)]))
  }

  @Test("R321: what is refused is what was asked for, told with both values, with all that stand against it")
  func contradictionTold() throws {
    func refusal(_ changes: (Setting, Double)...) -> String {
      var settings = Settings()
      do {
        try settings.set(changes)
        return ""
      } catch {
        return error.description
      }
    }
    #expect(
      refusal((.dischargeFloor, 20))
        == "discharge_floor 20 % is refused: low_soc_warning is 15 % and may not lie below it (R321); set that first")
    #expect(
      refusal((.lowStateOfChargeWarning, 5))
        == "low_soc_warning 5 % is refused: discharge_floor is 10 % and may not lie above it (R321); set that first")
    #expect(
      refusal((.preAlarmVoltage, 2.8))
        == "pre_alarm_voltage 2.8 V is refused: low_cell_voltage is 2.8 V and must lie below it (R343); set that first")
    #expect(
      refusal((.cellLate, 4), (.cellStale, 3), (.measurementStale, 0.5), (.measurementLate, 0.6))
        == "cell_late 4 s is refused: cell_stale is 3 s and may not lie below it (OD-20); change one of the two; "
        + "measurement_late 0.6 s is refused: measurement_stale is 0.5 s and may not lie below it (OD-20); "
        + "change one of the two")
  }

  @Test("Alarm rows are complete and their codes unique (R254)")
  func alarms() {
    // The two directions of a high current share a code and differ in the GX number (R201).
    let codes = Set(Alarm.allCases.map { "\($0.definition.code) \($0.definition.gxNumber ?? 0)" })
    #expect(codes.count == Alarm.allCases.count)
    #expect(Alarm.allCases.count <= UInt128.bitWidth)
    #expect(Setting.allCases.count <= 40, "what the settings have room for")
    for alarm in Alarm.allCases {
      let row = alarm.definition
      #expect(![row.message, row.raisedWhen, row.effect, row.clearedWhen, row.advice, row.source].contains(""))
    }
    #expect(Array([.highCell, .lowCell] as AlarmSet) == [.lowCell, .highCell])
  }

  @Test("Numbers in texts")
  func decimals() {
    #expect(3.76.text(upTo: 3) == "3.76")
    #expect(3.6.text(upTo: 3) == "3.6")
    #expect((-0.05).text(upTo: 3) == "-0.05")
    #expect((-0.0001).text(upTo: 3) == "0")
    #expect(12.0.text(upTo: 3) == "12")
    #expect(2.9999.text(upTo: 3) == "3")
    #expect(100.0.text(upTo: 0) == "100")
    #expect(3.6.text(2) == "3.60")
    #expect((-0.004).text(2) == "0.00")
    #expect(0.05.text(2) == "0.05")
    #expect(12.5.text(0) == "13")
    #expect(Double.nan.text(2) == "nan")
    #expect(1e300.text(upTo: 3) == "1e+300")
    #expect(1e17.text(3) == "1e+17")
    #expect(1e18.text(0) == "1e+18" && 9e17.text(0) == "900000000000000000")
  }
}
