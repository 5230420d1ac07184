import BMSCore
import ControlAPI
import MonotonicTime

/// The daemon's status for people: one screen of 80 columns that answers "is it all right, and if not, why".
struct StatusText {
  let palette: Palette

  func text(_ status: StatusReport) -> String {
    var lines = [headline(status)]
    lines += status.problems.map { "  " + palette.bad(Plain.safe($0)) }
    lines.append("")
    lines.append(row("Battery", measured(status)))
    lines.append(row("Charge", charge(status)))
    if let cells = range(
      status.lowestCell.map { ($0.volts, $0.place) }, status.highestCell.map { ($0.volts, $0.place) }, 3, "V")
    {
      lines.append(row("Cells", cells))
    }
    if let temperatures = range(
      status.lowestTemperature.map { ($0.celsius, $0.place) }, status.highestTemperature.map { ($0.celsius, $0.place) },
      1, "°C")
    {
      lines.append(row("Temperatures", temperatures))
    }
    lines.append("")
    lines += LimitsText(palette: palette).lines(status.limits)
    lines.append(row("Contactor", contactor(status.contacts)))
    lines.append("")
    lines += status.alarms.isEmpty ? [row("Alarms", "none")] : AlarmText(palette: palette).lines(status.alarms)
    lines.append("")
    lines.append(row("Bus", bus(status)))
    for role in status.roles where !role.isAllRight {
      lines.append(row("", palette.bad(Plain.safe("\(role.role): \(role.text)"))))
    }
    lines.append(row("vecand", "\(status.version), running for \(Age.text(status.uptimeSeconds))"))
    lines += ControlText(palette: palette).lines(status)
    return lines.enumerated().map { number, line in
      palette.wrapped(line, under: number == 0 ? 2 : number <= status.problems.count ? 4 : Layout.column) + "\n"
    }.joined()
  }

  private func headline(_ status: StatusReport) -> String {
    var words = [
      status.isAllRight ? palette.good("All right") : palette.bad("NOT all right"), Layout.words(status.state),
    ]
    if status.mode != .on { words.append("mode \(status.mode.rawValue)") }
    if let cause = status.offCause { words.append(Layout.words(cause)) }
    if let seconds = status.offInSeconds { words.append("off in \(Age.text(seconds))") }
    words.append(Layout.words(status.chargePhase))
    return words.joined(separator: ", ")
  }

  private func measured(_ status: StatusReport) -> String {
    var parts = [status.voltageVolts.quantity(2, "V"), status.currentAmperes.quantity(1, "A", signed: true)]
    if let watts = status.powerWatts { parts.append("\(watts.text(0)) W") }
    if let celsius = status.temperatureCelsius { parts.append("\(celsius.text(1)) °C") }
    return parts.joined(separator: "   ")
  }

  private func charge(_ status: StatusReport) -> String {
    guard let charge = status.stateOfCharge else {
      return palette.doubtful("unknown: charge full, or vecanctl soc PERCENT")
    }
    var text = "\(charge.percent.text(1)) %"
    if let error = charge.errorPercent { text += " ± \(error.text(0)) %" }
    if let age = charge.ageSeconds {
      text += ", full \(Age.text(age)) ago"
    } else if !charge.isTrusted {
      text += palette.doubtful(", never synchronised")
    }
    if let consumed = status.consumedAmpereHours { text += ", \(consumed.text(1)) Ah" }
    if let seconds = status.timeToGoSeconds { text += ", \(Age.text(seconds)) to go" }
    return text
  }

  /// "3.301 V (battery 1 cell 2) to 3.305 V (battery 1 cell 4)"; nil where neither end is known.
  private func range(
    _ lowest: (Double, String?)?, _ highest: (Double, String?)?, _ decimals: Int, _ unit: String
  ) -> String? {
    guard lowest != nil || highest != nil else { return nil }
    func end(_ end: (value: Double, place: String?)?) -> String {
      guard let end else { return "?" }
      return "\(end.value.text(decimals)) \(unit)" + (end.place.map { " (\(Plain.safe($0)))" } ?? "")
    }
    return "\(end(lowest)) to \(end(highest))"
  }

  private func contactor(_ contacts: ContactsReport) -> String {
    var text = "none to command"
    if contacts.hasContactor {
      text = contacts.isContactorClosed.map { $0 ? "closed" : "open" } ?? "no feedback"
      text += ", commanded \(contacts.isContactorCommanded ? "closed" : "open")"
      if !contacts.contactorPhase.isEmpty { text += ", \(Layout.words(contacts.contactorPhase))" }
    }
    if let fault = contacts.contactorFault { text += ", " + palette.bad(Layout.words(fault)) }
    if contacts.isRelayActive { text += "; relay active" }
    return text
  }

  private func bus(_ status: StatusReport) -> String {
    let link = status.link == "up" ? status.link : palette.bad(Plain.safe(status.link))
    let fed = status.roles.filter(\.isAllRight).count
    // Off gives the address up.
    let without = status.state == "off" ? "no address while it is off" : palette.bad("no address")
    let address = status.address.map { "address \($0)" } ?? without
    return "\(link), \(address), \(fed) of \(status.roles.count) roles in order"
  }

  private func row(_ name: String, _ text: String) -> String { Layout.row(name, text) }
}

/// The layout of what is printed of the daemon.
enum Layout {
  /// Where the text of a row begins.
  static let column = 14

  static func row(_ name: String, _ text: String) -> String { Plain.left(name, column) + text }

  /// A name for programs as one for people; a text that is none, "13.5 V", as it is.
  static func words(_ name: String) -> String {
    let isName = name.first?.isLowercase == true && name.allSatisfy(\.isLetter)
    return isName ? Wording.words(name) : Plain.safe(name)
  }
}

/// That nothing can be commanded here, and what changes it.
struct ControlText {
  let palette: Palette

  func lines(_ status: StatusReport) -> [String] {
    guard !status.isControlEnabled else { return [] }
    let words = "disabled over this socket (R320): sudo vecanctl set remote_control 1"
    return [Layout.row("Control", palette.doubtful(words))]
  }
}

/// What is allowed, and why.
struct LimitsText {
  let palette: Palette

  func lines(_ limits: LimitsReport) -> [String] {
    func permission(_ name: String, _ isAllowed: Bool, _ values: [String], _ reasons: [String]) -> [String] {
      let word = isAllowed ? palette.good("allowed") : palette.bad("forbidden")
      var lines = [Layout.row(name, ([word] + values).joined(separator: "   "))]
      var told: Set<String> = []
      for reason in reasons where !reason.isEmpty && told.insert(reason).inserted {
        lines.append(Layout.row("", palette.faint(Plain.safe(reason))))
      }
      return lines
    }
    return permission(
      "Charging", limits.isChargeAllowed,
      ["CVL \(limits.chargeVoltageVolts.quantity(2, "V"))", "CCL \(limits.chargeCurrentAmperes.quantity(1, "A"))"],
      [limits.chargeReason, limits.chargeVoltageReason, limits.chargeCurrentReason])
      + permission(
        "Discharging", limits.isDischargeAllowed, ["DCL \(limits.dischargeCurrentAmperes.quantity(1, "A"))"],
        [limits.dischargeReason, limits.dischargeCurrentReason])
  }
}

/// Alarms with what to do.
struct AlarmText {
  let palette: Palette

  func lines(_ alarms: [AlarmReport]) -> [String] {
    alarms.flatMap { alarm in
      let since = alarm.sinceSeconds.map { ", since \(Age.text($0))" } ?? ""
      let cause = alarm.cause.map { ": \($0)" } ?? ""
      let title = Plain.safe("\(alarm.message)\(cause)") + since
      let code = Plain.left(Plain.safe(alarm.code), 14)
      var lines = [(alarm.severity == "warning" ? palette.doubtful(code) : palette.bad(code)) + title]
      if !alarm.advice.isEmpty { lines.append(Layout.row("", Plain.safe(alarm.advice))) }
      return lines
    }
  }
}

/// How long something is.
enum Age {
  /// "12 s", "3 min 12 s", "5 h 3 min", "2 d 5 h".
  static func text(_ seconds: Double) -> String { TimeSpan(seconds: max(0, seconds)).age }
}

extension Double? {
  /// The number with its unit, or a dash.
  fileprivate func quantity(_ decimals: Int, _ unit: String, signed: Bool = false) -> String {
    map { "\(signed && $0 > 0 ? "+" : "")\($0.text(decimals)) \(unit)" } ?? "- \(unit)"
  }
}
