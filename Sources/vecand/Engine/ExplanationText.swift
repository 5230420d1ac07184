import BMSCore
import BMSDevice
import ControlAPI
import Glibc
import Logging
import MonotonicTime
import SocketCAN

/// Words for why everything is as it is: when it changes, and all of it when somebody asks.
struct ExplanationText {
  /// The names of the Distributors' fuses, for their alarms (R253).
  var fuseNames = FuseNames()

  /// What one step decided, each thing once. Charge and discharge are one line where one reason decides both.
  static func lines(for explanations: [Explanation]) -> [EventLine] {
    var rest = explanations
    var lines: [EventLine] = []
    if let charge = rest.first(where: { $0.subject == .charge }),
      let discharge = rest.first(where: { $0.subject == .discharge }), charge.value == discharge.value,
      "\(charge.reason)" == "\(discharge.reason)"
    {
      rest.removeAll { $0.subject == .charge || $0.subject == .discharge }
      lines.append(
        EventLine(
          level: level(charge), text: "charge and discharge \(charge.value): \(charge.reason)", fields: .decided(charge)
        )
      )
    }
    return lines + rest.map { EventLine(level: level($0), text: $0.text, fields: .decided($0)) }
  }

  private static func level(_ explanation: Explanation) -> Logger.Level {
    if explanation.isWithdrawal { return .warning }
    switch explanation.subject {
    case .chargeVoltage, .chargeCurrent, .dischargeCurrent, .precharge: return .info
    case .charge, .discharge, .mode, .state, .contactor, .relay, .auxiliary, .statusLED, .channelLED: return .notice
    }
  }

  /// All of it, with since when, for a person who asked. Nil is a clock that is not that of the wall: only ages are told.
  func lines(for all: DeviceExplanation, clock: WallClockReading?) -> [EventLine] {
    func line(_ text: String) -> EventLine { EventLine(level: .notice, text: "why: \(text)") }
    func since(_ instant: Instant) -> String {
      let age = all.instant - instant
      return clock.map { "since \($0.time(age)) (\(age.age))" } ?? "for \(age.age)"
    }
    var lines: [EventLine] = []
    for alarm in all.alarms {
      let row = alarm.alarm.definition
      let cause = alarm.record.cause.map { " (\($0))" } ?? ""
      let begun = alarm.record.firstSeen.map { ", \(since($0))" } ?? ""
      lines.append(line("\(row.code) \(fuseNames.message(of: alarm.alarm))\(cause)\(begun). \(row.advice)"))
    }
    if all.alarms.isEmpty { lines.append(line("no alarm is active")) }
    lines += all.explanations.map { line("\($0.text), \(since($0.reason.since))") }
    let words = EventText(fuseNames: fuseNames)
    lines += all.senders.map { line(words.line(for: $0.role, $0.state).text) }
    lines += all.switches.compactMap { words.line(for: $0.role, $0.state).map { line($0.text) } }
    lines += all.checks.map { check in
      let advice = check.advice.isEmpty ? "" : ". \(check.advice)"
      return line("check \(Wording.words("\(check.item)")): \(check.verdict), \(check.finding)\(advice)")
    }
    return lines
  }
}

/// Wall time at one moment, to tell people when something began. No decision sees it (design rule 6).
struct WallClockReading {
  /// Seconds since 1970.
  var seconds: Int

  static func now() -> WallClockReading { WallClockReading(seconds: Glibc.time(nil)) }

  /// The time of day that long ago; with its day where that is another one.
  func time(_ ago: TimeSpan) -> String {
    let then = Wording.localTime(Double(seconds - Int(ago.seconds)))
    let dayLength = "2026-11-22 ".count
    let isToday = then.prefix(dayLength) == Wording.localTime(Double(seconds)).prefix(dayLength)
    return isToday ? String(then.dropFirst(dayLength)) : then
  }
}
