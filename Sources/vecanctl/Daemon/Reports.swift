import ArgumentParser
import BMSCore
import ControlAPI
import FoundationEssentials

// The commands that ask one question.

struct Explain: ReportCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells why outputs and states are what they are.",
    discussion: """
      For each: what it is, the rule, the input that decides, since when, and what ends it. Without a name, all of them.

      Example: vecanctl explain
      Example: vecanctl explain charge-current
      Example: vecanctl explain charge-current --json | jq .rule
      """)

  @OptionGroup var daemon: DaemonOptions

  @Argument(help: ArgumentHelp("One of them, as the first column of all names it.", valueName: "output"))
  var output: String?

  // For people one of them and all of them have the same form: a list.
  var path: String { ControlPath.explanations }

  func run() async throws {
    guard daemon.json, let output else { return try await printReport() }
    try say(try await one(output).line)
  }

  /// The daemon's answer for one of them.
  func one(_ output: String) async throws -> Data {
    let names = try await daemon.client.ask(.GET, path).decoded(ExplanationsReport.self).explanations.map(\.output)
    guard names.contains(output) else { throw Self.unknown(output, names) }
    return try await daemon.client.ask(.GET, "\(path)/\(output)")
  }

  /// "status LED orangeBlinking: ..." begins with a name for programs; what follows is a sentence already.
  private static func sentence(_ explanation: ExplanationReport) -> String {
    let beginning = "\(explanation.name) \(explanation.value)"
    guard explanation.text.hasPrefix(beginning) else { return explanation.text }
    return "\(explanation.name) \(Layout.words(explanation.value))\(explanation.text.dropFirst(beginning.count))"
  }

  private static func unknown(_ output: String, _ names: [String]) -> Failure {
    let guess = TypedArguments.meant(output, among: names)
    return Failure("\"\(Plain.safe(output))\" is no output:\(guess) there are \(names.joined(separator: ", "))")
  }

  func text(_ report: ExplanationsReport, _ palette: Palette) throws -> String {
    let chosen = report.explanations.filter { output == nil || $0.output == output }
    guard !chosen.isEmpty else { throw Self.unknown(output ?? "", report.explanations.map(\.output)) }
    let width = 2 + (chosen.map(\.output.count).max() ?? 0)
    return chosen.map { explanation in
      let line =
        Plain.left(Plain.safe(explanation.output), width) + Plain.safe(Self.sentence(explanation))
        + palette.faint(", since \(Age.text(explanation.sinceSeconds))")
      return palette.wrapped(line, under: width) + "\n"
    }.joined()
  }
}

struct Alarms: ReportCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the active alarms with what raised them and what to do.",
    discussion: """
      The most serious first. Codes are those of the manual, E-Bnn, A-Bnn and W-Bnn, and V-Bnn for vecand's own.
      """)

  @OptionGroup var daemon: DaemonOptions

  // The status has the same alarms, and whether there is something that can be done about them from here.
  var path: String { daemon.json ? ControlPath.alarms : ControlPath.status }

  func text(_ report: StatusReport, _ palette: Palette) -> String {
    let control = ControlText(palette: palette).lines(report).map { palette.wrapped($0, under: Layout.column) + "\n" }
    return alarms(report.alarms, palette) + (control.isEmpty ? "" : "\n" + control.joined())
  }

  private func alarms(_ alarms: [AlarmReport], _ palette: Palette) -> String {
    guard !alarms.isEmpty else { return palette.good("no alarm is active") + "\n" }
    return alarms.map { alarm in
      let lines =
        AlarmText(palette: palette).lines([alarm]) + [
          Layout.row("", palette.faint(Plain.safe("effect: \(alarm.effect); until \(alarm.clearedWhen)")))
        ]
      return lines.map { palette.wrapped($0, under: Layout.column) + "\n" }.joined()
    }.joined(separator: "\n")
  }
}

struct HistoryCommand: ReportCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Shows the battery's history.",
    discussion: "What never was has a dash. The last four errors stand at the end, the newest first.")

  @OptionGroup var daemon: DaemonOptions

  var path: String { ControlPath.history }

  func text(_ report: HistoryReport, _ palette: Palette) -> String {
    func quantity(_ value: Double?, _ decimals: Int, _ unit: String) -> String {
      value.map { "\($0.text(decimals)) \(unit)" } ?? "-"
    }
    func range(_ lowest: Double?, _ highest: Double?, _ decimals: Int, _ unit: String) -> String {
      "\(quantity(lowest, decimals, unit)) to \(quantity(highest, decimals, unit))"
    }
    let rows: [(String, String)] = [
      ("Running", Age.text(report.runningSeconds)),
      ("Deepest discharge", quantity(report.deepestDischargeAmpereHours, 1, "Ah")),
      ("Last discharge", quantity(report.lastDischargeAmpereHours, 1, "Ah")),
      ("Average discharge", quantity(report.averageDischargeAmpereHours, 1, "Ah")),
      ("Drawn in all", quantity(report.drawnAmpereHours, 0, "Ah")),
      ("Energy", "\(report.chargedKilowattHours.text(1)) kWh in, \(report.dischargedKilowattHours.text(1)) kWh out"),
      ("Charge cycles", "\(report.chargeCycles)"),
      ("Full discharges", "\(report.fullDischarges)"),
      ("Synchronisations", "\(report.synchronisations)"),
      ("Last full charge", report.secondsSinceFullCharge.map { "\(Age.text($0)) ago" } ?? "-"),
      ("Voltage", range(report.lowestVoltageVolts, report.highestVoltageVolts, 2, "V")),
      ("Cells", range(report.lowestCellVolts, report.highestCellVolts, 3, "V")),
      ("Temperature", range(report.lowestTemperatureCelsius, report.highestTemperatureCelsius, 1, "°C")),
      ("Error shutdowns", "\(report.errorShutdowns)"),
    ]
    let errors = report.lastErrors.map {
      Plain.safe("\($0.code) (#\($0.gxNumber)), \(Age.text($0.ageSeconds)) of running ago")
    }
    let last = (errors.isEmpty ? ["none"] : errors).enumerated().map { ($0 == 0 ? "Last errors" : "", $1) }
    return (rows + last).map { Plain.left($0.0, 20) + $0.1 + "\n" }.joined()
  }
}

struct LogCommand: ReportCommand {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "Shows the stored log: alarms that came and went, decisions, the links.",
    discussion: """
      It outlives restarts and power cuts; the daemon keeps 4,000 entries of at most 400 days. The newest stand last. A time \
      with a ~ was told by a clock that had not been set. The whole of what the daemon says is in journalctl -u vecand.

      Example: vecanctl log --count 500
      """)

  @OptionGroup var daemon: DaemonOptions

  @Option(help: ArgumentHelp("How many entries, at most \(LogReport.mostCount).", valueName: "number"))
  var count = 40

  var path: String { "\(ControlPath.log)?limit=\(count)" }

  func validate() throws {
    guard 1...LogReport.mostCount ~= count else { throw ValidationError("--count is 1 to \(LogReport.mostCount).") }
  }

  func text(_ report: LogReport, _ palette: Palette) -> String {
    let lines = report.entries.map { entry in
      let time = "\(Wording.localTime(entry.unixSeconds))\(entry.isTimeCertain ? " " : "~")"
      let what = Plain.left(entry.kind, 8) + Plain.left(Plain.safe(entry.code), 18)
      let colour = entry.kind == "raised" ? palette.bad : entry.kind == "cleared" ? palette.good : { $0 }
      return palette.faint(time) + " " + colour(what) + Plain.safe(entry.text) + "\n"
    }
    let damaged = report.damaged == 0 ? "" : palette.doubtful("\(report.damaged) damaged entries are left out") + "\n"
    return (lines.isEmpty ? "nothing is stored yet\n" : lines.joined()) + damaged
  }
}

struct Fuses: ReportCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the Lynx Distributors and their fuses.",
    discussion: """
      A fuse without a name is not used (R259). Names stand in [fuses] of the configuration file, or are set by registers \
      0x2160 to 0x216F.
      """)

  @OptionGroup var daemon: DaemonOptions

  var path: String { ControlPath.fuses }

  func text(_ report: FusesReport, _ palette: Palette) -> String {
    report.distributors.map { distributor in
      var lines = [
        "Distributor \(Plain.safe(distributor.distributor)): " + coloured(distributor.state, palette)
      ]
      // Of one that is not there nothing can be known.
      for fuse in distributor.fuses where distributor.state != "absent" {
        let name = fuse.name.isEmpty ? "-" : Plain.safe(fuse.name)
        lines.append(
          "  \(Plain.right("\(fuse.fuse)", 2))  \(Plain.left(name, 18))\(coloured(fuse.state, palette))")
      }
      return lines.joined(separator: "\n") + "\n"
    }.joined()
  }

  private func coloured(_ state: String, _ palette: Palette) -> String {
    switch state {
    case "ok": palette.good(state)
    case "absent", "notUsed", "notAvailable": palette.faint(Layout.words(state))
    default: palette.bad(Layout.words(state))
    }
  }
}

struct Checklist: ReportCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Shows the commissioning checklist as it stands.",
    discussion: """
      What the daemon saw to be right or wrong by itself, what it has not seen yet, and what only a person can say, with \
      what to do.
      """)

  @OptionGroup var daemon: DaemonOptions

  var path: String { ControlPath.check }

  func text(_ report: CheckReport, _ palette: Palette) -> String {
    let width = 2 + (report.items.map { Layout.words($0.item).count }.max() ?? 0)
    return report.items.map { item in
      let verdict = Plain.left(Plain.safe(item.verdict), 9)
      let coloured =
        switch item.verdict {
        case "passed": palette.good(verdict)
        case "failed": palette.bad(verdict)
        default: palette.doubtful(verdict)
        }
      let indent = String(repeating: " ", count: width + 9)
      let lines =
        [Plain.left(Layout.words(item.item), width) + coloured + Plain.safe(item.finding)]
        + (item.advice.isEmpty ? [] : [indent + Plain.safe(item.advice)])
      return lines.map { palette.wrapped($0, under: width + 9) + "\n" }.joined()
    }.joined()
  }
}
