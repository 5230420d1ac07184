import MonotonicTime

// The programmable relay (R126-R133). Active means COM-NO closed.

struct Relay: Sendable {
  private(set) var isActive = false
  /// For how long an alarm has driven it in its pattern; nil while none does.
  private var drivenFor: TimeSpan?

  /// No alarm drives it.
  var isAtRest: Bool { drivenFor == nil && timeToChange == .never }

  /// R128: 0.8 s on, 0.8 s off.
  static let half = TimeSpan.milliseconds(800)

  /// When it changes by time alone.
  private(set) var timeToChange = TimeSpan.never

  /// - Parameter mayAlternate: charging is allowed and the main path carries (R130). It ends with the lead, 2 s before
  ///   the contactor opens (R131).
  mutating func step(
    _ alarms: AlarmSet, mayAlternate: Bool, mode: Mode, _ parameters: Parameters, elapsed: TimeSpan
  ) {
    timeToChange = .never
    guard mode != .off else {  // R35
      drivenFor = nil
      isActive = false
      return
    }
    guard !parameters.relayIsAlternator else {  // R130, R132
      drivenFor = nil
      isActive = mayAlternate
      return
    }
    let drivers = parameters.relayOnWarning ? AlarmSet.warningRelayDrivers : AlarmSet.relayDrivers
    guard !alarms.isDisjoint(with: drivers) else {
      drivenFor = nil
      isActive = false
      return
    }
    guard parameters.relayIsIntermittent else {
      drivenFor = nil  // made intermittent under an alarm, the pattern begins then
      isActive = true
      return
    }
    let driven = drivenFor.map { $0 + elapsed } ?? .zero
    drivenFor = driven
    let halves = driven.nanoseconds / Relay.half.nanoseconds
    isActive = halves % 2 == 0
    timeToChange = TimeSpan(nanoseconds: (halves + 1) * Relay.half.nanoseconds) - driven
  }
}

extension AlarmSet {
  /// The alarms that drive the relay in Alarm mode.
  static let relayDrivers: AlarmSet = Alarm.allCases.reduce(into: AlarmSet()) { set, alarm in
    if alarm.definition.drivesRelay { set.insert(alarm) }
  }

  /// The same where every warning drives it too (R133).
  static let warningRelayDrivers: AlarmSet = Alarm.allCases.reduce(into: AlarmSet()) { set, alarm in
    set.insert(alarm)
  }
}
