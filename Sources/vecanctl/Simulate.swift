import ArgumentParser
import MonotonicTime
import Scenario

struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a battery, its chargers and loads, faults and the BMS in virtual time.",
    discussion: """
      Reads scenario files, runs each, prints what happened with the reasons that the BMS gives, and judges the \
      expectations in the file. The format is described in Tests/Scenarios/README.md.

      What repeats itself is told three times and then counted; --all tells everything.

      --trace writes each second and each step in which something happened as CSV (.csv) or JSON lines (.jsonl), or \
      slower with --trace-interval. --plot draws a picture (.svg): voltage, cells, current, limits, state of charge, \
      states and alarms over time; --plot-from and --plot-to show a part of it.

      Example: vecanctl simulate --offline --scenario Tests/Scenarios/*.toml
      Example: vecanctl simulate --offline --scenario night.toml --plot night.svg --trace night.csv

      Exit code 0 when every expectation of every file holds, 1 when one is broken or a file is wrong, 64 for wrong \
      arguments.
      """)

  @Flag(help: "In virtual time, without a bus.")
  var offline = false

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("The scenario files.", valueName: "file"), completion: .file())
  var scenario: [String] = []

  @Option(help: ArgumentHelp("Write the run as a table, .csv or .jsonl.", valueName: "file"), completion: .file())
  var trace: String?

  @Option(help: ArgumentHelp("Least time between two rows in which nothing happens.", valueName: "seconds"))
  var traceInterval = 1.0

  @Option(help: ArgumentHelp("Draw the run, .svg.", valueName: "file"), completion: .file())
  var plot: String?

  @Option(help: ArgumentHelp("Where the picture begins: \"06:30\", \"day 2 06:30\", \"+2h15m\".", valueName: "time"))
  var plotFrom: String?

  @Option(help: ArgumentHelp("Where the picture ends.", valueName: "time"))
  var plotTo: String?

  @Option(help: ArgumentHelp("Seed of spreads, noise and clouds, instead of the file's.", valueName: "number"))
  var seed: UInt64?

  @Flag(help: "Print one JSON object a line, one a scenario.")
  var json = false

  @Flag(help: "Tell everything, also what repeats itself.")
  var all = false

  @Flag(help: "Print one line a scenario, and broken expectations.")
  var brief = false

  func validate() throws {
    guard offline else {
      throw ValidationError("Only --offline is there: the plant as devices on a bus is not.")
    }
    guard !scenario.isEmpty else { throw ValidationError("--scenario FILE is missing.") }
    guard scenario.count == 1 || (trace == nil && plot == nil) else {
      throw ValidationError("--trace and --plot go with one scenario.")
    }
    if let trace, !trace.hasSuffix(".csv"), !trace.hasSuffix(".jsonl") {
      throw ValidationError("--trace writes .csv or .jsonl, not \(trace).")
    }
    if let plot, !plot.hasSuffix(".svg") {
      throw ValidationError("--plot writes .svg only, not \(plot). To a PNG: rsvg-convert plot.svg > plot.png")
    }
    guard traceInterval >= 0, traceInterval.isFinite else {
      throw ValidationError("--trace-interval is 0 seconds or more.")
    }
    guard plot != nil || (plotFrom == nil && plotTo == nil) else {
      throw ValidationError("--plot-from and --plot-to go with --plot.")
    }
  }

  func run() throws {
    var failures = 0
    for file in scenario {
      do {
        if try !run(file) { failures += 1 }
      } catch let error as ScenarioError {
        failures += 1
        if json {
          try say(SimulationReport.json(error))
        } else {
          for problem in error.problems { complain("\(file): \(problem)") }
        }
      }
    }
    if scenario.count > 1, !json {
      try say("\(scenario.count - failures) of \(scenario.count) scenarios as expected\n")
    }
    guard failures == 0 else { throw ExitCode.failure }
  }

  /// Runs one; whether everything was as expected.
  private func run(_ file: String) throws -> Bool {
    let scenario = try Scenario(text: try text(of: file), file: file, seed: seed)
    var picture = try plot.map { _ in try self.picture(of: scenario) }
    var table = trace.map { path in
      Trace(
        of: scenario, format: path.hasSuffix(".csv") ? .csv : .jsonLines, interval: TimeSpan(seconds: traceInterval))
    }
    let output = try trace.map { try OutputFile(creating: $0) }
    var rows = table?.header ?? ""
    var broken: FileError?
    func flush(_ limit: Int) {
      guard let output, rows.utf8.count > limit, broken == nil else { return }
      do throws(FileError) { try output.write(rows) } catch { broken = error }
      rows = ""
    }
    let result = scenario.run { loop, now, isEventful in
      picture?.look(loop, at: now)
      if let row = table?.row(loop, at: now, isEventful: isEventful) {
        rows += row
        flush(1 << 18)
      }
    }
    flush(0)
    if let broken { throw Failure(broken.description) }
    if let plot, let picture {
      let output = try OutputFile(creating: plot)
      do throws(FileError) { try output.write(picture.svg(result.entries)) } catch { throw Failure(error.description) }
    }
    let report = SimulationReport(scenario: scenario, result: result)
    try say(json ? report.json : brief ? report.brief : report.text(all: all))
    return result.isPassed
  }

  private func picture(of scenario: Scenario) throws -> Plot {
    func point(_ words: String?, _ option: String) throws -> TimeSpan? {
      guard let words else { return nil }
      guard let span = scenario.clock.time(words) else {
        throw Failure(
          "\(option) \"\(words)\" is no time of this scenario: \"06:30\", \"day 2 06:30\", \"+2h15m\", \"end\"")
      }
      return span
    }
    let from = try point(plotFrom, "--plot-from") ?? .zero
    let to = try point(plotTo, "--plot-to")
    if let to, to <= from { throw Failure("--plot-to is not after --plot-from") }
    return Plot(of: scenario, from: from, to: to)
  }

  private func text(of file: String) throws -> String {
    var bytes: [UInt8] = []
    let input = try InputFile(file)
    try input.read { span in for index in 0..<span.count { bytes.append(span[index]) } }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure("\(file): is no UTF-8 text") }
    return text
  }

  private func say(_ text: String) throws {
    do throws(FileError) {
      try OutputFile.standardOutput.write(text)
    } catch .readerIsGone {
      throw ExitCode.success
    } catch {
      throw Failure(error.description)
    }
  }
}

/// A run for people and for programs.
private struct SimulationReport {
  let scenario: Scenario
  let result: ScenarioResult

  func text(all: Bool) -> String {
    let clock = scenario.clock
    var text = "\(scenario.title)\n"
    if !scenario.story.isEmpty { text += scenario.story.hasSuffix("\n") ? scenario.story : scenario.story + "\n" }
    text += "\n"
    let lines = all ? result.entries.map { (at: $0.at, text: $0.text) } : result.groupedEntries
    for line in lines { text += "\(Plain.left(clock.text(line.at), 20))  \(line.text)\n" }
    text += "\n"
    for (name, value) in result.summary { text += "\(Plain.left(name, 20))  \(value)\n" }
    return text + "\n" + verdict + "\n"
  }

  var brief: String { "\(scenario.file): \(verdict)" }

  private var verdict: String {
    guard let first = result.broken.first else {
      return "as expected: \(result.expectationCount) of \(result.expectationCount)\n"
    }
    var text = "BROKEN at \(scenario.clock.text(first.at)): \(words(first))\n"
    for broken in result.broken.dropFirst() {
      text += "  also at \(scenario.clock.text(broken.at)): \(words(broken))\n"
    }
    return text
  }

  private func words(_ broken: BrokenExpectation) -> String {
    "expectation \(broken.number) (\(broken.name)): expected \(broken.expected); found: \(broken.found)"
  }

  var json: String {
    var object = JSONObject()
    object.add("file", scenario.file)
    object.add("title", scenario.title)
    object.add("passed", json: result.isPassed ? "true" : "false")
    object.add("expectations", result.expectationCount)
    object.add(
      "broken",
      json: JSONObject.list(
        result.broken.map { broken in
          var entry = JSONObject()
          entry.add("number", broken.number)
          entry.add("name", broken.name)
          entry.add("time", json: "\(broken.at.seconds)")
          entry.add("clock", scenario.clock.text(broken.at))
          entry.add("expected", broken.expected)
          entry.add("found", broken.found)
          return entry.text
        }))
    object.add(
      "events",
      json: JSONObject.list(
        result.entries.map { line in
          var entry = JSONObject()
          entry.add("time", json: "\(line.at.seconds)")
          entry.add("clock", scenario.clock.text(line.at))
          entry.add("kind", line.kind.rawValue)
          entry.add("text", line.text)
          return entry.text
        }))
    var summary = JSONObject()
    for (name, value) in result.summary { summary.add(name, value) }
    object.add("summary", json: summary.text)
    return object.text + "\n"
  }

  static func json(_ error: ScenarioError) -> String {
    var object = JSONObject()
    object.add("file", error.file)
    object.add("passed", json: "false")
    object.add(
      "problems",
      json: JSONObject.list(
        error.problems.map { problem in
          var entry = JSONObject()
          if let line = problem.line { entry.add("line", line) }
          entry.add("key", problem.key)
          entry.add("message", problem.message)
          return entry.text
        }))
    return object.text + "\n"
  }
}
