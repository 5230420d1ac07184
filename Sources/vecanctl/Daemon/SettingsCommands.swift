import ArgumentParser
import BMSCore
import ControlAPI

struct SettingsCommand: ReportCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings", abstract: "Lists the settings with their values and what they may be.",
    discussion: """
      A star stands where the value differs from the default. The last column tells who set it: "default" nobody, \
      "configuration" the configuration file, "changed" somebody at run time, over the bus or the control socket. \
      "vecanctl set" changes one. What means nothing for these batteries is left out, but not from --json (R89).

      Example: vecanctl settings
      Example: vecanctl settings --json | jq '.settings[] | {key, value}'
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
        + (setting.waiting.map { palette.strong(Self.notice(of: $0, setting)) + "\n" } ?? "")
    }.joined()
  }

  /// What somebody set and does not get.
  private static func notice(of value: Double, _ setting: SettingReport) -> String {
    let key = Plain.safe(setting.key)
    return
      "  set at run time to \(value.text(upTo: 3)) and not in force, for it is refused beside the configuration; the log "
      + "says why. vecanctl set \(key) VALUE sets another, vecanctl set \(key) --reset gives it up"
  }

  private static func range(_ setting: SettingReport) -> String {
    if TypedSetting.isSwitch(setting.choices) { return "switch 0 or 1" }
    return setting.choices.isEmpty
      ? "\(setting.lowest.text(upTo: 3))...\(setting.highest.text(upTo: 3))"
      : setting.choices.map { $0.text(upTo: 3) }.joined(separator: ", ")
  }
}

struct SetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Changes a setting, or gives it back to the configuration.",
    discussion: """
      A value is a number in the setting's unit, with a point before its decimals; a switch is also on or off, yes or no, \
      true or false. A value that is out of its range, or that contradicts another setting, is refused with the reason, and nothing \
      changes. What is set here counts before the configuration file, and survives a restart.

      Example: vecanctl set low_soc_warning 20
      Example: vecanctl set relay_on_warning on
      Example: vecanctl set minimum_charge_temperature -5
      Example: vecanctl set low_soc_warning --reset
      Example: vecanctl set --reset-all
      """)

  @OptionGroup var daemon: DaemonOptions

  @Argument(help: ArgumentHelp("The setting, as vecanctl settings names it.", valueName: "key"))
  var key: String?

  @Argument(help: ArgumentHelp("The value, in the setting's unit; on or off for a switch.", valueName: "value"))
  var value: String?

  @Flag(help: "Give the setting back to the configuration.")
  var reset = false

  @Flag(help: "Give all settings back to the configuration.")
  var resetAll = false

  func validate() throws {
    let isRight = resetAll ? key == nil && !reset : key != nil && (value != nil) != reset
    guard isRight else { throw ValidationError("Give a key with a value, a key with --reset, or --reset-all alone.") }
    _ = try number()
  }

  /// The value as the daemon takes it; nil where none was given.
  func number() throws -> Double? {
    guard let key else { return nil }
    guard let setting = Setting(key: key) else { throw Self.unknown(key) }
    guard let value else { return nil }
    guard let number = TypedSetting.number(value, setting.definition) else {
      throw ValidationError(TypedSetting.complaint(value, setting.definition))
    }
    return number
  }

  private static func unknown(_ key: String) -> ValidationError {
    let guess = TypedArguments.meant(key, among: Setting.allCases.map(\.definition.key))
    return ValidationError("there is no setting \"\(Plain.safe(key))\":\(guess) vecanctl settings lists them")
  }

  func run() async throws {
    guard let key else { return try await daemon.perform(.POST, ControlPath.settings + "/reset") }
    let path = "\(ControlPath.settings)/\(key)"
    if let number = try number() {
      try await daemon.perform(.PUT, path, SettingRequest(value: number))
    } else {
      try await daemon.perform(.DELETE, path)
    }
  }
}

/// A setting's value as people type it.
enum TypedSetting {
  private static let words: [String: Double] = ["on": 1, "yes": 1, "true": 1, "off": 0, "no": 0, "false": 0]

  /// Whether a setting with these choices is on or off.
  static func isSwitch(_ choices: [Double]) -> Bool { choices == [0, 1] }

  /// The number meant; nil for what is no value of this setting. Whether it is in range is the daemon's to say.
  static func number(_ text: String, _ setting: SettingDefinition) -> Double? {
    if isSwitch(setting.choices), let value = words[text.lowercased()] { return value }
    // Swift reads "0xA", "nan" and "inf" too, which nobody means.
    guard text.utf8.allSatisfy({ "+-.eE0123456789".utf8.contains($0) }), let number = Double(text) else { return nil }
    return number.isFinite ? number : nil
  }

  /// What a text is not, and what would be one: type, unit and range.
  static func complaint(_ text: String, _ setting: SettingDefinition) -> String {
    let range = "from \(setting.range.lowerBound.text(upTo: 3)) to \(setting.range.upperBound.text(upTo: 3))"
    let unit = setting.unit == .none ? "" : ", in \(setting.unit.rawValue)"
    let wanted =
      if isSwitch(setting.choices) {
        "a switch: on or off, 1 or 0"
      } else if !setting.choices.isEmpty {
        "one of \(setting.choices.map { $0.text(upTo: 3) }.joined(separator: ", "))\(unit)"
      } else {
        "a \(setting.isWhole ? "whole " : "")number \(range)\(unit)"
      }
    return "\"\(Plain.safe(text))\" is no value of \(setting.key), which is \(wanted)\(hint(text, setting))"
  }

  /// What is most likely wrong.
  private static func hint(_ text: String, _ setting: SettingDefinition) -> String {
    let point = String(text.map { $0 == "," ? "." : $0 })
    if text.contains(","), number(point, setting) != nil { return ": \(point)" }
    let bare = text.prefix { $0.isASCII && ($0.isNumber || "+-.".contains($0)) }
    let rest = text.dropFirst(bare.count).drop { $0 == " " }
    let unit = setting.unit.rawValue.prefix { $0 != " " }
    guard !rest.isEmpty, unit.hasSuffix(rest), number(String(bare), setting) != nil else { return "" }
    return ", typed without the unit: \(bare)"
  }
}
