public import BMSCore
public import MonotonicTime

/// Everything the device decides with its reason, made when somebody asks (design rule 8, R324).
public struct DeviceExplanation: Sendable {
  /// When.
  public var instant: Instant
  /// Each output and state: rule, input, since when, what ends it.
  public var explanations: [Explanation]
  /// The active alarms, most serious first, with what raised them.
  public var alarms: [(alarm: Alarm, record: AlarmRecord)]
  /// Who feeds each wired role, or is its module.
  public var senders: [(role: WiredRole, state: SenderState)]
  /// What is known of each switch that is commanded.
  public var switches: [(role: WiredRole, state: SwitchState)]
  /// The commissioning checklist as it stands (R324).
  public var checks: [Check]
}

extension BMSDevice {
  /// Why everything is as it is, and what an installer has still to see to.
  public func explanation(at now: Instant) -> DeviceExplanation {
    let status = status(at: now)
    let alarms = outputs.alarms.map { (alarm: $0, record: core.record(of: $0)) }
    return DeviceExplanation(
      instant: now, explanations: Explained.allCases.map { core.explanation(of: $0) },
      alarms: alarms.sorted { $0.alarm.definition.severity > $1.alarm.definition.severity },
      senders: WiredRole.allCases.compactMap { role in status.senders[role].map { (role, $0) } },
      switches: WiredRole.allCases.compactMap { role in status.switches[role].map { (role, $0) } },
      checks: core.selfCheck())
  }
}
