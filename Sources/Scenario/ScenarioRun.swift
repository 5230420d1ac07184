import BMSCore
public import BatterySimulator
public import MonotonicTime

// A scenario's run: from stop to stop, with what is due done at its time and every step looked at.

/// An expectation that broke, or an invariant, which every run is expected to hold.
public struct BrokenExpectation: Sendable, Hashable {
  /// Its number in the file, from 1; 0 for an invariant.
  public let number: Int
  /// What it is called.
  public let name: String
  /// What was expected.
  public let expected: String
  /// When it broke, since the beginning.
  public let at: TimeSpan
  /// What was found.
  public let found: String
}

/// What came out of a run.
public struct ScenarioResult: Sendable {
  /// What happened.
  public let entries: [TimeLineEntry]
  /// The expectations that broke, the first one first.
  public let broken: [BrokenExpectation]
  /// How many expectations there were.
  public let expectationCount: Int
  /// A few numbers for people: name and value.
  public let summary: [(name: String, value: String)]
  /// How many steps were made.
  public let steps: Int

  /// Whether everything was as expected.
  public var isPassed: Bool { broken.isEmpty }

  /// What happened, with what repeats itself counted.
  public var groupedEntries: [(at: TimeSpan, text: String)] { TimeLine.grouped(entries) }
}

extension Scenario {
  /// Runs it.
  ///
  /// - Parameter observe: Sees the loop after each step with the time since the beginning, and whether anything
  ///   happened in the step.
  public func run(
    observe: (_ loop: ClosedLoop, _ at: TimeSpan, _ isEventful: Bool) -> Void = { _, _, _ in }
  ) -> ScenarioResult {
    var run = ScenarioRun(self)
    return run.run(observe: observe)
  }
}

private struct ScenarioRun {
  let scenario: Scenario
  var loop: ClosedLoop
  var timeLine = TimeLine()
  var expectations: [Expectation]
  var triggers: [(event: Scenario.TriggeredEvent, was: Bool, isOver: Bool)]
  var pending: [(at: TimeSpan, text: String, effect: FaultKind.Effect)] = []
  var suns: [Scenario.ScenarioSun]
  var sunsAt = TimeSpan.zero
  var nextEvent = 0
  var stops: [TimeSpan]
  var nextStop = 0
  var figures = Figures()
  var checker: InvariantChecker

  init(_ scenario: Scenario) {
    self.scenario = scenario
    loop = scenario.loop()
    checker = InvariantChecker(loop)
    expectations = scenario.expectations
    triggers = scenario.triggers.map { ($0, false, false) }
    suns = scenario.suns
    var all = scenario.events.map(\.at) + [scenario.clock.duration]
    for expectation in expectations { all += expectation.stops }
    stops = Array(Set(all)).sorted()
  }

  mutating func run(observe: (ClosedLoop, TimeSpan, Bool) -> Void) -> ScenarioResult {
    let end = scenario.clock.duration
    var now = TimeSpan.zero
    var steps = 0
    followSun(now, seconds: 0.001)
    figures.begin(loop)
    while now < end {
      act(now)
      while nextStop < stops.count, stops[nextStop] <= now { nextStop += 1 }
      var until = nextStop < stops.count ? stops[nextStop] : end
      for action in pending { until = min(until, max(action.at, now)) }
      if until <= now { until = end }
      loop.step(until: .origin + until)
      now = loop.now - .origin
      steps += 1
      let count = timeLine.entries.count
      timeLine.look(loop, at: now)
      for index in expectations.indices { expectations[index].look(loop, at: now) }
      figures.look(loop)
      checker.check(loop)
      for index in triggers.indices where !triggers[index].isOver { pull(index, now) }
      if now - sunsAt >= .seconds(10) { followSun(now, seconds: (now - sunsAt).seconds) }
      observe(loop, now, timeLine.entries.count != count)
    }
    for index in expectations.indices { expectations[index].finish(at: end) }
    checker.finish(loop)
    var broken = expectations.compactMap { expectation -> BrokenExpectation? in
      expectation.broken.map {
        BrokenExpectation(
          number: expectation.number, name: expectation.name, expected: expectation.expected(scenario.clock), at: $0.at,
          found: $0.found)
      }
    }
    broken += checker.breaks.map {
      BrokenExpectation(
        number: 0, name: "\($0.invariant)", expected: "\($0.invariant.rule) (\($0.invariant.source))",
        at: $0.at - .origin, found: $0.found)
    }
    return ScenarioResult(
      entries: timeLine.entries, broken: broken.sorted { ($0.at, $0.number) < ($1.at, $1.number) },
      expectationCount: expectations.count, summary: figures.summary(loop), steps: steps)
  }

  private mutating func act(_ now: TimeSpan) {
    while nextEvent < scenario.events.count, scenario.events[nextEvent].at <= now {
      let event = scenario.events[nextEvent]
      nextEvent += 1
      if !event.isQuiet { timeLine.add(now, .event, event.text) }
      perform(event.effect, now)
    }
    guard !pending.isEmpty else { return }
    let due = pending.filter { $0.at <= now }
    pending.removeAll { $0.at <= now }
    for action in due {
      timeLine.add(now, .event, action.text)
      perform(action.effect, now)
    }
  }

  private mutating func perform(_ effect: FaultKind.Effect, _ now: TimeSpan) {
    if let refusal = effect(&loop) { timeLine.add(now, .refused, refusal) }
  }

  private mutating func pull(_ index: Int, _ now: TimeSpan) {
    let holds = triggers[index].event.condition.holds(loop)
    if holds, !triggers[index].was {
      for action in triggers[index].event.actions { pending.append((now + action.after, action.text, action.effect)) }
      pending.sort { $0.at < $1.at }
      if !triggers[index].event.isRepeated { triggers[index].isOver = true }
    }
    triggers[index].was = holds
  }

  private mutating func followSun(_ now: TimeSpan, seconds: Double) {
    sunsAt = now
    for index in suns.indices where loop.plant.chargers.indices.contains(suns[index].charger) {
      loop.plant.chargers[suns[index].charger].availability = suns[index].sun.availability(
        hour: scenario.clock.hour(now), seconds: seconds)
    }
  }
}

/// The numbers of the summary.
private struct Figures {
  private var startOfCharge = 0.0
  private var lowestCell = Double.infinity
  private var highestCell = -Double.infinity
  private var changes = (atc: 0, atd: 0, contactor: 0)
  private var was = (atc: false, atd: false, contactor: false)
  private var raised = [Int](repeating: 0, count: Alarm.allCases.count)

  mutating func begin(_ loop: ClosedLoop) { startOfCharge = loop.plant.bank.stateOfCharge }

  mutating func look(_ loop: ClosedLoop) {
    if let cell = loop.outputs.lowestCell { lowestCell = min(lowestCell, cell.value) }
    if let cell = loop.outputs.highestCell { highestCell = max(highestCell, cell.value) }
    // Commands, not contacts: a closing contactor bounces.
    if was.atc, !loop.commands.allowsCharge { changes.atc += 1 }
    if was.atd, !loop.commands.allowsDischarge { changes.atd += 1 }
    if !was.contactor, loop.commands.closesContactor { changes.contactor += 1 }
    was = (loop.commands.allowsCharge, loop.commands.allowsDischarge, loop.commands.closesContactor)
    for alarm in loop.outputs.events.raised { raised[Int(alarm.rawValue)] += 1 }
  }

  func summary(_ loop: ClosedLoop) -> [(name: String, value: String)] {
    func times(_ count: Int) -> String { count == 1 ? "once" : "\(count) times" }
    func percent(_ share: Double) -> String { "\((share * 100).text(upTo: 1)) %" }
    let history = loop.bms.history
    let alarms = Alarm.allCases.filter { raised[Int($0.rawValue)] > 0 }.map { alarm in
      let count = raised[Int(alarm.rawValue)]
      return "\(alarm.definition.code) \(alarm.word)" + (count > 1 ? " \(count) times" : "")
    }
    let said = loop.outputs.stateOfCharge.map { "\($0.text(upTo: 1)) %" } ?? "not known"
    return [
      (
        "state of charge",
        "\(percent(startOfCharge)) to \(percent(loop.plant.bank.stateOfCharge)), the BMS says \(said)"
      ),
      (
        "cells",
        lowestCell <= highestCell
          ? "\(lowestCell.text(upTo: 3)) to \(highestCell.text(upTo: 3)) V" : "not known"
      ),
      ("ATC opened", times(changes.atc)), ("ATD opened", times(changes.atd)),
      ("contactor closed", times(changes.contactor)),
      (
        "energy",
        "\(history.chargedEnergy.text(upTo: 2)) kWh in, \(history.dischargedEnergy.text(upTo: 2)) kWh out"
      ),
      ("alarms", alarms.isEmpty ? "none" : alarms.joined(separator: ", ")),
      ("at the end", "mode \(loop.outputs.mode), \(loop.outputs.chargeText); \(loop.outputs.dischargeText)"),
    ]
  }
}
