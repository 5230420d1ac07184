public import BMSCore

// The battery's settings as a table of a TOML file. The core's own table names keys, units and ranges (R325...R345).

extension TOMLSection {
  /// Takes the settings of this table over. Values are judged one by one, then taken over together, so that two that
  /// belong together may stand in any order.
  public func readSettings(into settings: inout Settings) {
    var changes: [(Setting, Double)] = []
    for setting in Setting.allCases {
      let key = setting.definition.key
      ask(key)
      let isSwitch = setting.definition.choices == [0, 1]
      guard has(key), let value = isSwitch ? bool(key).map({ $0 ? 1 : 0 }) : number(key) else { continue }
      var scratch = Settings()
      do throws(SettingError) {
        try scratch.set(setting, to: value)
      } catch {
        // A contradiction may be resolved by another key.
        if case .notAccepted = error {
          report(key, "\(error)")
          continue
        }
      }
      changes.append((setting, value))
    }
    do throws(SettingError) {
      try settings.set(changes)
    } catch {
      switch error {
      case .notAccepted(let setting, _): report(setting.definition.key, "\(error)")
      case .contradictions(let all):
        for found in all {
          let other = found.other.definition.key
          // What stands here and was not taken over has its own error, and its default is nothing to argue with.
          if has(other), !found.isBoth { continue }
          report(
            found.setting.definition.key,
            found.isBoth ? "\(found)" : "\(found.finding); give \(other) a value here too")
        }
      }
    }
    finish()
  }
}
