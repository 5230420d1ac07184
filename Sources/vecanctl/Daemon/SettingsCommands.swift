import ArgumentParser
import BMSCore
import ControlAPI
import TOMLReading

struct SettingsCommand: ReportCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings", abstract: "Lists the settings with their values and what they may be.",
    discussion: """
      A star stands where the value differs from the default; the last column tells who set it. "vecanctl set" changes one. \
      What means nothing for these batteries is left out, but not from --json (R89).

      Example: vecanctl settings
      Example: vecanctl settings --json | jq '.settings[] | select(.set_by == "changed")'
      """)

  @OptionGroup var daemon: DaemonOptions

  var path: String { ControlPath.settings }

  func text(_ report: SettingsReport, _ palette: Palette) -> String {
    let keys = 2 + (report.settings.map(\.key.count).max() ?? 0)
    return report.settings.filter(\.isShown).map { setting in
      let unit = setting.unit.isEmpty ? "" : " \(setting.unit)"
      let value = "\(setting.value == setting.standard ? " " : "*")\(setting.value.text(upTo: 3))\(unit)"
      let isChanged = setting.setBy != .standard
      return Plain.left(Plain.safe(setting.key), keys)
        + (isChanged ? palette.strong(Plain.left(value, 18)) : Plain.left(value, 18))
        + Plain.left(Self.range(setting), 14) + palette.faint(setting.setBy.rawValue) + "\n"
    }.joined()
  }

  private static func range(_ setting: SettingReport) -> String {
    setting.choices.isEmpty
      ? "\(setting.lowest.text(upTo: 3))...\(setting.highest.text(upTo: 3))"
      : setting.choices.map { $0.text(upTo: 3) }.joined(separator: ", ")
  }
}

struct SetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Changes a setting, or gives it back to the configuration.",
    discussion: """
      A value that is out of its range, or that contradicts another setting, is refused with the reason, and nothing \
      changes. What is set here counts before the configuration file, and survives a restart.

      Example: vecanctl set discharge_floor 20
      Example: vecanctl set minimum_charge_temperature -5
      Example: vecanctl set discharge_floor --reset
      Example: vecanctl set --reset-all
      """)

  @OptionGroup var daemon: DaemonOptions

  @Argument(help: ArgumentHelp("The setting, as vecanctl settings names it.", valueName: "key"))
  var key: String?

  @Argument(help: ArgumentHelp("The value, in the setting's unit.", valueName: "value"))
  var value: Double?

  @Flag(help: "Give the setting back to the configuration.")
  var reset = false

  @Flag(help: "Give all settings back to the configuration.")
  var resetAll = false

  func validate() throws {
    let isRight = resetAll ? key == nil && !reset : key != nil && (value != nil) != reset
    guard isRight else { throw ValidationError("Give a key with a value, a key with --reset, or --reset-all alone.") }
    if let key, Setting(key: key) == nil { throw Self.unknown(key) }
    guard value?.isFinite ?? true else { throw ValidationError("The value is a number.") }
  }

  private static func unknown(_ key: String) -> ValidationError {
    let guess = nearest(key, among: Setting.allCases.map(\.definition.key)).map { " did you mean \($0)?" } ?? ""
    return ValidationError("there is no setting \"\(Plain.safe(key))\":\(guess) vecanctl settings lists them")
  }

  func run() async throws {
    guard let key else { return try await daemon.perform(.POST, ControlPath.settings + "/reset") }
    let path = "\(ControlPath.settings)/\(key)"
    if let value {
      try await daemon.perform(.PUT, path, SettingRequest(value: value))
    } else {
      try await daemon.perform(.DELETE, path)
    }
  }
}
