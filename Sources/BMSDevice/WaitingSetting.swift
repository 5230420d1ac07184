public import BMSCore

/// A setting of an earlier run that is not in force: see ``ChangedSettings/waiting``.
public struct WaitingSetting: Sendable, Equatable {
  /// Its key: it may be that of a setting which is not known here.
  public var key: String
  /// Its value, in its unit.
  public var value: Double
  /// Why it is not in force; nil when it is not known here.
  public var refusal: SettingError?
  /// What is in force instead; nil when it is not known here.
  public var inForce: Double?
}

extension Settings {
  /// Takes what an earlier run was told into force, over the configuration, as far as it is accepted.
  ///
  /// What was in force then goes before what waited then: no restart takes a value back for one that was not in force. Each
  /// that is not accepted waits, and costs no other one. Which of two that contradict each other gives way says
  /// ``BMSCore/Settings/restore(_:)``.
  ///
  /// - Returns: what waits from now on, in the order of the settings.
  mutating func restore(_ changed: ChangedSettings) -> [WaitingSetting] {
    let refused = restore(changed.values)
    var waiting = changed.waiting
    for (setting, value) in changed.values { waiting[setting.definition.key] = refused[setting].map { _ in value } }
    return restore(waiting: waiting)
  }

  /// Takes of what waits all that is accepted now, and returns the rest.
  mutating func restore(waiting: [String: Double]) -> [WaitingSetting] {
    let stored = Setting.allCases.reduce(into: [Setting: Double]()) { $0[$1] = waiting[$1.definition.key] }
    let refused = restore(stored)
    let known = Setting.allCases.compactMap { setting -> WaitingSetting? in
      guard let refusal = refused[setting], let value = stored[setting] else { return nil }
      return WaitingSetting(key: setting.definition.key, value: value, refusal: refusal, inForce: self[setting])
    }
    let unknown = waiting.filter { Setting(key: $0.key) == nil }.sorted { $0.key < $1.key }
    return known + unknown.map { WaitingSetting(key: $0.key, value: $0.value, refusal: nil, inForce: nil) }
  }
}

extension [WaitingSetting] {
  /// As they are stored.
  var stored: [String: Double] { reduce(into: [:]) { $0[$1.key] = $1.value } }
}
