import ControlAPI
import Glibc
import Testing

@testable import vecanctl

@Suite("What vecanctl prints of the daemon's answers")
struct DaemonTextTests {
  private static var running: StatusReport {
    var status = StatusReport()
    status.isAllRight = true
    (status.state, status.chargePhase, status.version, status.uptimeSeconds) = ("running", "resting", "1.2.3", 3723)
    (status.voltageVolts, status.currentAmperes, status.powerWatts) = (13.312, -12.45, -165.7)
    status.stateOfCharge = StateOfChargeReport(percent: 61.25, isTrusted: true, errorPercent: 3.4, ageSeconds: 180_000)
    (status.consumedAmpereHours, status.timeToGoSeconds) = (-77.5, 30_000)
    status.lowestCell = CellReport(volts: 3.3124, place: "battery 1 cell 2")
    status.highestCell = CellReport(volts: 3.334, place: nil)
    (status.limits.isChargeAllowed, status.limits.isDischargeAllowed) = (true, true)
    (status.limits.chargeVoltageVolts, status.limits.chargeCurrentAmperes) = (13.5, 200)
    (status.limits.dischargeCurrentAmperes, status.limits.chargeReason) = (600, "allowed")
    status.contacts.isContactorCommanded = true
    status.contacts.isContactorClosed = true
    (status.link, status.address) = ("up", 35)
    status.roles = [RoleReport(role: "inputs.monitor", isAllRight: true, text: "fed by NAME c0508c0022200001")]
    return status
  }

  private static func lines(_ status: StatusReport, _ palette: Palette = .plain) -> [String] {
    StatusText(palette: palette).text(status).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  @Test("a running battery: one line for each thing, no line longer than 80 columns, at most 24 lines")
  func running() {
    let lines = Self.lines(Self.running)
    #expect(lines[0] == "All right, running, resting")
    #expect(
      lines.contains("Battery       13.31 V   -12.4 A   -166 W")
        || lines.contains("Battery       13.31 V   -12.5 A   -166 W"))
    #expect(lines.contains("Charge        61.3 % ± 3 %, full 2 d 2 h ago, -77.5 Ah, 8 h 20 min to go"))
    #expect(lines.contains("Cells         3.312 V (battery 1 cell 2) to 3.334 V"))
    #expect(lines.contains("Charging      allowed   CVL 13.50 V   CCL 200.0 A"))
    #expect(lines.contains("Discharging   allowed   DCL 600.0 A"))
    #expect(lines.contains("Contactor     closed, commanded closed"))
    var supervised = Self.running
    supervised.contacts.hasContactor = false
    #expect(Self.lines(supervised).contains("Contactor     none to command"))
    #expect(lines.contains("Alarms        none"))
    #expect(lines.contains("Bus           up, address 35, 1 of 1 roles in order"))
    #expect(lines.contains("vecand        1.2.3, running for 1 h 2 min"))
    #expect(lines.allSatisfy { $0.count <= 80 } && lines.count <= 24)
  }

  @Test(
    "the log has a line for each entry, in the machine's zone, a ~ where its clock was not set, and no escape codes")
  func log() throws {
    setenv("TZ", "UTC", 1)
    tzset()
    func entry(_ number: Int64, _ kind: String, _ code: String, _ text: String, certain: Bool = true) -> LogEntryReport
    {
      LogEntryReport(
        number: number, kind: kind, code: code, text: text, value: nil, unixSeconds: 1_000_000_000 + Double(number),
        isTimeCertain: certain)
    }
    let report = LogReport(
      entries: [
        entry(1, "raised", "A-B01", "Low cell\u{1B}[2J"), entry(2, "decided", "discharge", "forbidden", certain: false),
      ], last: 2, damaged: 1)
    let lines = try LogCommand.parse([]).text(report, .plain).split(separator: "\n").map(String.init)
    #expect(lines[0].hasPrefix("2001-09-09 01:46:41  raised  A-B01             Low cell"))
    #expect(!lines[0].contains("\u{1B}"))
    #expect(lines[1] == "2001-09-09 01:46:42~ decided discharge         forbidden")
    #expect(lines[2] == "1 damaged entries are left out" && lines.count == 3)
    #expect(
      try LogCommand.parse([]).text(LogReport(entries: [], last: 0, damaged: 0), .plain) == "nothing is stored yet\n")
    #expect(try LogCommand.parse(["--count", "1000"]).path == "/v1/log?limit=1000")
    #expect(throws: (any Error).self) { try LogCommand.parse(["--count", "1001"]) }
  }

  @Test("what is not known is a dash and never a zero; what is wrong stands in the first lines and with its advice")
  func unknown() {
    var status = StatusReport()
    status.problems = ["charge forbidden: no cell voltages"]
    status.alarms = [
      AlarmReport(
        code: "V-B21", gxNumber: 32, severity: "error", message: "Cell voltages lost",
        cause: "battery 2 cell 3 is silent",
        effect: "charge and discharge forbidden", clearedWhen: "they are heard", advice: "Check the cable.",
        sinceSeconds: 192, count: 1)
    ]
    status.roles = [RoleReport(role: "inputs.cells", isAllRight: false, text: "silent for 12 s")]
    status.isControlEnabled = false
    let lines = Self.lines(status)
    #expect(lines[0].hasPrefix("NOT all right"))
    #expect(lines[1] == "  charge forbidden: no cell voltages")
    #expect(lines.contains("Battery       - V   - A"))
    #expect(lines.contains("Charging      forbidden   CVL - V   CCL - A"))
    #expect(lines.contains("Discharging   forbidden   DCL - A"))
    #expect(lines.contains { $0.hasPrefix("Charge        unknown") })
    #expect(lines.contains("V-B21         Cell voltages lost: battery 2 cell 3 is silent, since 3 min 12 s"))
    #expect(lines.contains("              Check the cable."))
    #expect(lines.contains("              inputs.cells: silent for 12 s"))
    #expect(lines.contains("Control       disabled over this socket (R320): sudo vecanctl set remote_control 1"))
    #expect(!lines.contains { $0.contains(" 0 A") || $0.contains(" 0.0 A") || $0.contains(" 0.00 V") })
  }

  @Test("no byte of the bus steers the terminal, and colour is only where it is asked for")
  func safety() {
    var status = Self.running
    status.problems = ["fuse \u{1B}]0;title\u{7} blown"]
    status.isAllRight = false
    #expect(Self.lines(status)[1] == "  fuse ?]0;title? blown")
    #expect(!Self.lines(status).joined().contains("\u{1B}"))
    #expect(Self.lines(status, Palette(isOn: true))[0].contains("\u{1B}[1;31mNOT all right\u{1B}[0m"))
  }

  @Test("a reason that decides several limits is told once")
  func reasons() {
    var status = Self.running
    status.limits.isChargeAllowed = false
    status.limits.chargeReason = "battery 2 cell 3 at 3.76 V, until every cell is below 3.6 V"
    status.limits.chargeCurrentReason = status.limits.chargeReason
    let told = Self.lines(status).filter { $0.contains("3.76 V") }
    #expect(told == ["              battery 2 cell 3 at 3.76 V, until every cell is below 3.6 V"])
  }

  @Test("a redrawn screen begins at the top, and each line and the screen are cleared to their end")
  func redrawn() {
    #expect(Watch.redrawn("a\nb\n") == "\u{1B}[Ha\u{1B}[K\nb\u{1B}[K\n\u{1B}[J")
  }

  @Test("on a terminal lines wrap at words, with what goes on below indented; colours take no room")
  func wrapping() {
    let line = "Charge        61.3 % ± 3 %, full 2 d 2 h ago"
    #expect(Screen.wrapped(line, indent: 14, to: 80) == line)
    #expect(Screen.wrapped(line, indent: 14, to: nil) == line)
    #expect(
      Screen.wrapped(line, indent: 14, to: 30)
        == "Charge        61.3 % ± 3 %,\n              full 2 d 2 h ago")
    let palette = Palette(isOn: true, columns: 12)
    let red = palette.bad("one two three")
    #expect(palette.wrapped(red, under: 2) == "\u{1B}[1;31mone two\n  three\u{1B}[0m")
    #expect(Screen.wrapped("ab cdefghijklm", indent: 2, to: 8) == "ab\n  cdefgh\n  ijklm")
    #expect(Screen.wrapped("a b c d e f", indent: 14, to: 4) == "a b\n  c\n  d\n  e\n  f")
  }

  @Test("what is wrong stays on a screen of 80 by 24: the headline first, and how much is cut")
  func fits() {
    var status = Self.running
    status.isAllRight = false
    status.problems = (1...30).map {
      "problem \($0): battery 2 cell 3 is silent, and nobody knows why this happens to it"
    }
    for isOn in [false, true] {
      let palette = Palette(isOn: isOn, columns: 79)
      let text = Screen.cut(StatusText(palette: palette).text(status), to: 23, palette)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      #expect(lines.count == 23)
      #expect(lines[0].contains("NOT all right"))
      #expect(lines[1].contains("problem 1:"))
      #expect(lines[22].contains("more lines: vecanctl status"))
      #expect(lines[22].hasPrefix(isOn ? "\u{1B}[0m" : "…"))
    }
    #expect(Screen.cut("a\nb\n", to: 2, .plain) == "a\nb\n")
    #expect(Screen.cut("a\nb\nc\n", to: 2, .plain) == "a\n… 2 more lines: vecanctl status\n")
  }

  @Test("explanations, alarms and the checklist wrap on a terminal")
  func wrappedReports() throws {
    let palette = Palette(isOn: false, columns: 40)
    let explanations = ExplanationsReport(explanations: [
      ExplanationReport(
        output: "charge-current", name: "CCL", value: "0 A", text: "CCL 0 A: battery 2 cell 3 at 3.76 V",
        rule: "highCell", input: nil, alarm: nil, sinceSeconds: 4)
    ])
    #expect(
      try Explain.parse([]).text(explanations, palette)
        == "charge-current  CCL 0 A: battery 2 cell\n                3 at 3.76 V, since 4 s\n")
    let check = CheckReport(items: [
      CheckItemReport(
        item: "tailCurrent", verdict: "open", finding: "no full charge was seen yet", advice: "Charge it.")
    ])
    #expect(
      try Checklist.parse([]).text(check, Palette(isOn: false, columns: 46))
        == """
        tail current  open     no full charge was seen
                               yet
                               Charge it.

        """)
  }

  @Test("alarms with what to do, and that nothing can be done from here where the channel is disabled")
  func alarms() throws {
    var status = Self.running
    #expect(try Alarms.parse([]).text(status, .plain) == "no alarm is active\n")
    status.isControlEnabled = false
    let control = "Control       disabled over this socket (R320): sudo vecanctl set remote_control 1\n"
    #expect(try Alarms.parse([]).text(status, .plain) == "no alarm is active\n\n\(control)")
    status.alarms = [
      AlarmReport(
        code: "V-B21", gxNumber: nil, severity: "warning", message: "Cell voltages lost", cause: nil, effect: "none",
        clearedWhen: "they come", advice: "Check the cable.", sinceSeconds: 192, count: 1)
    ]
    #expect(
      try Alarms.parse([]).text(status, .plain)
        == """
        V-B21         Cell voltages lost, since 3 min 12 s
                      Check the cable.
                      effect: none; until they come

        \(control)
        """)
  }

  @Test("names for programs are words for people, and nothing else is changed")
  func names() throws {
    var status = Self.running
    (status.mode, status.offCause, status.state) = (.off, "softSwitch", "shutDown")
    #expect(Self.lines(status)[0] == "All right, shut down, mode off, soft switch, resting")
    let words = ["13.5 V", "On", "CCL 0 A", "", "E-B36", "slowFlash"].map { Layout.words($0) }
    #expect(words == ["13.5 V", "On", "CCL 0 A", "", "E-B36", "slow flash"])
    func text(_ value: String, _ text: String) throws -> String {
      let report = ExplanationsReport(explanations: [
        ExplanationReport(
          output: "led", name: "Bluetooth LED", value: value, text: text, rule: "x", input: nil, alarm: nil,
          sinceSeconds: 4)
      ])
      return try Explain.parse([]).text(report, .plain)
    }
    #expect(try text("slowFlash", "Bluetooth LED slowFlash: off") == "led  Bluetooth LED slow flash: off, since 4 s\n")
    #expect(try text("0.5 kWh", "Bluetooth LED 0.5 kWh: x") == "led  Bluetooth LED 0.5 kWh: x, since 4 s\n")
    #expect(DaemonOptions.sentence(Done(done: "remote_control = 1 ")) == "remote_control = 1")
  }

  @Test("the history: a dash for what never was, the last errors in one column")
  func history() throws {
    var report = HistoryReport()
    #expect(try HistoryCommand.parse([]).text(report, .plain).hasSuffix("\nLast errors         none\n"))
    #expect(try HistoryCommand.parse([]).text(report, .plain).contains("\nAverage discharge   -\n"))
    report.lastErrors = [
      ErrorEntryReport(code: "E-B36", gxNumber: 36, ageSeconds: 60),
      ErrorEntryReport(code: "E-B22", gxNumber: 22, ageSeconds: 3600),
    ]
    let lines = try HistoryCommand.parse([]).text(report, .plain).split(separator: "\n").suffix(2)
    #expect(
      Array(lines) == [
        "Last errors         E-B36 (#36), \(Age.text(60)) of running ago",
        "                    E-B22 (#22), \(Age.text(3600)) of running ago",
      ])
  }

  @Test("explanations: all in one column, one by its name, and a wrong name is answered with the right ones")
  func explanations() throws {
    let report = ExplanationsReport(explanations: [
      ExplanationReport(
        output: "charge-current", name: "CCL", value: "0 A", text: "CCL 0 A: high cell", rule: "highCell", input: nil,
        alarm: nil, sinceSeconds: 4),
      ExplanationReport(
        output: "mode", name: "mode", value: "On", text: "mode On", rule: "allowed", input: nil, alarm: nil,
        sinceSeconds: 61),
    ])
    var command = try #require(try Explain.parse([]) as Explain?)
    #expect(
      try command.text(report, .plain)
        == "charge-current  CCL 0 A: high cell, since 4 s\nmode            mode On, since 1 min 1 s\n")
    command = try Explain.parse(["mode"])
    #expect(try command.text(report, .plain) == "mode  mode On, since 1 min 1 s\n")
    command = try Explain.parse(["moed"])
    #expect(throws: Failure.self) { try command.text(report, .plain) }
  }

  @Test("settings: a star where a value is not the default, the range or the choices, and who set it")
  func settings() throws {
    let report = SettingsReport(settings: [
      SettingReport(
        key: "discharge_floor", unit: "%", value: 20, setBy: .changed, configured: 10, standard: 10, lowest: 0,
        highest: 99, choices: [], isWhole: false, isShown: true, source: "R338"),
      SettingReport(
        key: "model", unit: "", value: 500, setBy: .standard, configured: 500, standard: 500, lowest: 500,
        highest: 1000,
        choices: [500, 1000], isWhole: false, isShown: true, source: "R5"),
      SettingReport(
        key: "pre_alarm", unit: "", value: 1, setBy: .standard, configured: 1, standard: 1, lowest: 0, highest: 1,
        choices: [0, 1], isWhole: false, isShown: true, source: "R328"),
      SettingReport(
        key: "low_soc_warning", unit: "%", value: 15, setBy: .standard, configured: 15, waiting: 8.5, standard: 15,
        lowest: 0, highest: 99, choices: [], isWhole: false, isShown: true, source: "R339"),
    ])
    let lines = try SettingsCommand.parse([]).text(report, .plain).split(separator: "\n")
    #expect(lines[0] == "discharge_floor  *20 %             0...99        changed")
    #expect(lines[1] == "model             500              500, 1000     default")
    #expect(lines[2] == "pre_alarm         1                switch 0 or 1 default")
    #expect(lines[3] == "low_soc_warning   15 %             0...99        default")
    #expect(lines[4].hasPrefix("  set at run time to 8.5 and not in force"))
    #expect(lines[4].contains("vecanctl set low_soc_warning --reset") && lines.count == 5)
  }

  @Test("set takes a key with a value, a key with --reset, or --reset-all; anything else is a mistake of usage")
  func setArguments() throws {
    let right = [
      ["discharge_floor", "20"], ["discharge_floor", "--reset"], ["--reset-all"], ["tail_current", "4.5"],
    ]
    for arguments in right { #expect(throws: Never.self) { try SetCommand.parse(arguments) } }
    let wrong = [
      [], ["discharge_floor"], ["discharge_floor", "20", "--reset"], ["discharge_floor", "--reset-all"], ["--reset"],
      ["a/../b", "1"], ["discharge_floor", "nan"], ["discharge_floor", "much"],
    ]
    for arguments in wrong { #expect(throws: (any Error).self, "\(arguments)") { try SetCommand.parse(arguments) } }
    for arguments in [[], ["101"], ["-1"], ["50", "--synchronise"]] {
      #expect(throws: (any Error).self, "\(arguments)") { try StateOfChargeCommand.parse(arguments) }
    }
    #expect(try StateOfChargeCommand.parse(["100"]).percent == 100)
    #expect(try ModeCommand.parse(["standby"]).mode == .standby)
    #expect(throws: (any Error).self) { try ModeCommand.parse(["sleep"]) }
  }

  @Test("a setting that is none is told the one that was meant")
  func unknownSetting() {
    func complaint(_ arguments: String...) -> String {
      do {
        _ = try SetCommand.parse(arguments)
        return ""
      } catch {
        return SetCommand.message(for: error)
      }
    }
    #expect(
      complaint("discharge_flor", "20")
        == "there is no setting \"discharge_flor\": did you mean discharge_floor? vecanctl settings lists them")
    #expect(complaint("discharge_flor", "--reset").contains("did you mean discharge_floor?"))
    #expect(complaint("", "5") == "there is no setting \"\": vecanctl settings lists them")
    #expect(complaint("\u{1B}[2J", "5") == "there is no setting \"?[2J\": vecanctl settings lists them")
  }

  @Test("a switch takes words, and what is no value is told what would be one")
  func typedValues() throws {
    func number(_ key: String, _ value: String) throws -> Double? { try SetCommand.parse([key, value]).number() }
    for word in ["on", "yes", "true", "1", "ON", "1.0"] { #expect(try number("remote_control", word) == 1) }
    for word in ["off", "no", "False", "0"] { #expect(try number("remote_control", word) == 0) }
    #expect(try number("charged_voltage", "14.1") == 14.1)
    #expect(try number("maximum_charge_current", "1e2") == 100)
    func complaint(_ key: String, _ value: String) -> String {
      do {
        _ = try SetCommand.parse([key, value])
        return ""
      } catch {
        return SetCommand.message(for: error)
      }
    }
    let floor = "is no value of discharge_floor, which is a number from 0 to 99, in %"
    for text in ["twenty", "nan", "inf", "0xA", "0x1p4", "1e999", "", "on", "1_0", "1.2.3"] {
      #expect(complaint("discharge_floor", text) == "\"\(text)\" \(floor)")
    }
    #expect(complaint("discharge_floor", "20,5") == "\"20,5\" \(floor): 20.5")
    #expect(complaint("discharge_floor", "20%") == "\"20%\" \(floor), typed without the unit: 20")
    #expect(complaint("charged_voltage", "14.1 V").hasSuffix(", in V per 12 V, typed without the unit: 14.1"))
    #expect(complaint("model", "big") == "\"big\" is no value of model, which is one of 500, 1000")
    #expect(
      complaint("batteries_in_parallel", "two")
        == "\"two\" is no value of batteries_in_parallel, which is a whole number from 1 to 20")
    #expect(
      complaint("remote_control", "enabled")
        == "\"enabled\" is no value of remote_control, which is a switch: on or off, 1 or 0")
  }

  @Test("why nobody answers is said with what to do")
  func failures() {
    #expect(ControlClient.words(ENOENT, "/x").contains("systemctl status vecand"))
    #expect(ControlClient.words(EACCES, "/x").contains("usermod -aG vecand"))
    #expect(ControlClient.words(EMFILE, "/x").hasPrefix("/x: "))
  }

  @Test("a socket that is not there is told within a moment, with its path")
  func missing() async {
    await #expect {
      _ = try await ControlClient(socket: "/nonexistent/control.sock").ask(.GET, ControlPath.status)
    } throws: { "\($0)".contains("/nonexistent/control.sock: no such socket") }
  }
}
