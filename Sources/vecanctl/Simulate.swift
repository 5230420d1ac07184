import ArgumentParser
import CANBus
import MonotonicTime
import Scenario
import SimulatedDevices
import SocketCAN

struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a battery with chargers, loads and faults: as devices on a bus, or with the BMS in virtual time.",
    discussion: """
      With --interface the plant is a system of devices on a bus, for a vecand beside it: battery monitor, cells, \
      switching module, chargers, inverters and a GX-like coordinator, each with its own NAME and address. \
      Config/simulator.toml is the wiring for it. What happens is printed as a time line. Lines typed meanwhile do things to it; "help" lists them. \
      Expectations in the file and its events for the BMS are left out; without a file there is a boat with a sunny week.

      Example: vecanctl simulate --interface vcan0
      Beside it: vecand --config Config/simulator.toml

      Example: vecanctl simulate --interface vcan0 --speed 60
      Beside it: vecand --config Config/simulator.toml --speed 60

      --speed makes time up to so many times as fast, on a virtual interface only. This program leads the time and a \
      vecand with --speed follows it: time moves when both have done what was due, so a slow machine makes the day longer \
      and nothing late.

      With --offline it runs in virtual time with the BMS inside. It reads scenario files, runs each, prints what \
      happened with the reasons that the BMS gives, and judges the expectations in the file. The format is described in Tests/Scenarios/README.md.

      What repeats itself is told three times and then counted; --all tells everything.

      --trace writes each second and each step in which something happened as CSV (.csv) or JSON lines (.jsonl), or \
      slower with --trace-interval. --plot draws a picture (.svg): voltage, cells, current, limits, state of charge, \
      states and alarms over time; --plot-from and --plot-to show a part of it.

      Example: vecanctl simulate --offline --scenario Tests/Scenarios/*.toml
      Example: vecanctl simulate --offline --scenario night.toml --plot night.svg

      Exit code 0 when every expectation of every file holds, 1 when one is broken or a file is wrong, 64 for wrong \
      arguments.
      """)

  @Flag(help: "In virtual time, without a bus.")
  var offline = false

  @Option(name: .shortAndLong, help: "As devices on this CAN interface.")
  var interface: String?

  @Option(
    help: ArgumentHelp(
      "With --interface: simulated seconds a second, 1 to 1000, virtual buses only.", valueName: "factor"))
  var speed: Double?

  @Option(
    help: ArgumentHelp(
      "With --interface: where the coordinator reads limits, registers or 11-bit.", valueName: "place"))
  var limits: LimitsPlace = .registers

  @Option(
    help: ArgumentHelp(
      "With --interface: how often it tells how things stand, in simulated time.", valueName: "seconds"))
  var status = 60.0

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
    if offline == (interface != nil) {
      throw ValidationError("Give one of --interface NAME, for devices on a bus, and --offline.")
    }
    if interface != nil {
      try validateBus()
      return
    }
    guard speed == nil else {
      throw ValidationError("--speed goes with --interface: --offline is as fast as it can be.")
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

  private func validateBus() throws {
    guard scenario.count <= 1 else { throw ValidationError("--interface takes one scenario.") }
    if let speed, !(SharedClock.speeds ~= speed) {
      throw ValidationError("--speed is \(speed), expected 1 to 1000.")
    }
    guard status >= 0.1, status.isFinite else { throw ValidationError("--status is 0.1 seconds or more.") }
    guard trace == nil, plot == nil, plotFrom == nil, plotTo == nil else {
      throw ValidationError("--trace and --plot go with --offline.")
    }
  }

  func run() throws {
    if let interface {
      try runOnBus(interface)
      return
    }
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

  // MARK: On a bus

  private func runOnBus(_ interface: String) throws {
    let bus = try LiveBus(interface)
    var transport: any CANTransport = bus.port
    if let speed, speed != 1 {
      guard bus.port.kind == "vcan" || bus.port.kind == "vxcan" else {
        throw Failure(
          "--speed is for virtual buses, and \(interface) is of kind \(bus.port.kind ?? "unknown"): there time is what it is"
        )
      }
      do throws(SocketCANError) {
        transport = try LeadingTransport(bus.port, speed: speed)
      } catch {
        throw Failure(error.description)
      }
    }
    guard transport.link.carriesFrames else { throw Failure(transport.link.words(interface)) }
    let file = scenario.first
    let description = try file.map { try text(of: $0) } ?? DefaultScenario.text
    let read: Scenario
    do throws(ScenarioError) {
      read = try Scenario(text: description, file: file ?? "the default", seed: seed)
    } catch {
      throw Failure(error.description)
    }
    try simulate(read, on: transport, stoppedBy: bus)
  }

  private func simulate(_ scenario: Scenario, on transport: some CANTransport, stoppedBy bus: LiveBus) throws {
    var simulation = BusSimulation(
      scenario, source: limits == .registers ? .registers : .batteryFrames, statusInterval: TimeSpan(seconds: status),
      at: transport.now)
    let typed = TypedLines()
    typed.start(waking: bus.wakeup)
    if !json {
      let labels = simulation.system.labels.joined(separator: ", ")
      try say("\(scenario.title)\ndevices: \(labels). \"help\" lists commands.\n")
    }
    let leader = transport as? LeadingTransport
    while !StopSignal.isRequested, !simulation.isOver {
      simulation.turn(on: transport)
      for line in typed.take() {
        if let answer = simulation.perform(line, at: transport.now) {
          try tell(
            SimulationLine(at: simulation.run.now, source: "typed", text: answer), scenario.clock)
        }
      }
      for line in simulation.takeLines() { try tell(line, scenario.clock) }
      leader?.leastStep = simulation.leastStep(speed ?? 1)
      let reasons = transport.wait(until: simulation.nextDeadline, wakeup: bus.stopDescriptor)
      if reasons.contains(.wakeup) { bus.wakeup.clear() }
    }
  }

  private func tell(_ line: SimulationLine, _ clock: ScenarioClock) throws {
    guard json else {
      let source = line.source.map { "\($0): " } ?? ""
      try say("\(Plain.left(clock.text(line.at), 20))  \(source)\(line.text)\n")
      return
    }
    var object = JSONObject()
    object.add("time", json: line.at.seconds.decimal(3))
    object.add("clock", clock.text(line.at))
    object.add("source", line.source)
    object.add("text", line.text)
    for (name, value) in line.figures { object.add(name, json: value.map { $0.decimal(3) } ?? "null") }
    try say(object.text + "\n")
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
}

/// Where a coordinator reads the limits.
enum LimitsPlace: String, CaseIterable, ExpressibleByArgument {
  case registers
  case elevenBit = "11-bit"
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
    let kind = broken.number > 0 ? "expectation \(broken.number)" : "invariant"
    return "\(kind) (\(broken.name)): expected \(broken.expected); found: \(broken.found)"
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
