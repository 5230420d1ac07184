public import BatterySimulator
public import MonotonicTime
import TOMLReading

// A scenario's plant alone: the BMS is another process, on a bus. Events that do something to the plant are done at their
// time; what asks something of the BMS is refused in words, for it is asked there. Expectations and `when` need a BMS to
// look into and are left out.

/// The plant of a scenario, moved on by somebody else's commands.
public struct PlantRun: Sendable {
  /// A charger of the plant, for who puts it on a bus.
  public struct ChargerKind: Sendable, Hashable {
    /// Its name in the file.
    public let name: String
    /// Whether its power is the sun's.
    public let isSolar: Bool
  }

  /// The chargers, as the plant's.
  public let chargers: [ChargerKind]
  /// The names of the inverters, as the plant's.
  public let inverters: [String]
  /// Whether each cell is told, or the lowest and the highest only.
  public let isEachCellTold: Bool
  /// The bank's capacity, ampere-hours.
  public let capacity: Double
  /// Whether the alternator's enable input hangs on the programmable relay; otherwise on ATC.
  public let isAlternatorOnRelay: Bool
  /// The clock on the wall.
  public let clock: ScenarioClock
  /// Since the beginning.
  public private(set) var now = TimeSpan.zero

  private var scenario: Scenario
  private var loop: ClosedLoop
  private var timeLine = TimeLine()
  private var told = 0
  private var nextEvent = 0
  private var suns: [Scenario.ScenarioSun]
  private var sunsAt = TimeSpan.zero

  /// How often the sun moves.
  private static let sunInterval = TimeSpan.seconds(10)

  /// The plant as it is at the beginning.
  public init(_ scenario: Scenario) {
    self.scenario = scenario
    chargers = scenario.scope.chargers.enumerated().map { index, name in
      ChargerKind(name: name, isSolar: scenario.suns.contains { $0.charger == index })
    }
    inverters = scenario.scope.inverters
    isEachCellTold = scenario.sensing.isEachCellTold
    capacity = scenario.bank.battery.capacity * Double(scenario.bank.strings)
    clock = scenario.clock
    suns = scenario.suns
    loop = scenario.loop()
    isAlternatorOnRelay = loop.isAlternatorOnRelay
    loop.stop(.powerCut)
    followSun(seconds: 0.001)
    act()
  }

  /// The plant. To be changed between steps only.
  public var plant: Plant {
    get { loop.plant }
    _modify { yield &loop.plant }
  }

  /// When the next event is due; nil when none is.
  public var nextEventTime: TimeSpan? {
    nextEvent < scenario.events.count ? scenario.events[nextEvent].at : nil
  }

  /// Whether the scenario is at its end.
  public var isOver: Bool { now >= clock.duration }

  /// One step to this time, with what is due before it.
  public mutating func advance(to end: TimeSpan, under commands: Commands) {
    while now < end {
      act()
      let until = min(end, nextEventTime.map { max($0, now + .milliseconds(1)) } ?? end)
      loop.advance(by: until - now, under: commands)
      now = until
      timeLine.look(loop, at: now)
      if now - sunsAt >= Self.sunInterval { followSun(seconds: (now - sunsAt).seconds) }
    }
    loop.plant.measureCells()
  }

  /// What happened since the last call.
  public mutating func takeEntries() -> [TimeLineEntry] {
    let entries = Array(timeLine.entries[told...])
    told = timeLine.entries.count
    return entries
  }

  /// Does now what a line says, written as the inside of an `[[event]]`: `do = "fault", fault = "cell_charge", ah = 5`.
  ///
  /// - Throws: ``ScenarioError`` with what is wrong with the line.
  public mutating func perform(_ line: String) throws(ScenarioError) {
    let text = "event = { at = \"+\(now.seconds + 0.001) s\", \(line) }"
    let reader = TOMLReader()
    var changed = scenario
    changed.events.removeFirst(nextEvent)
    if let section = reader.parse(text)?.section("event") { changed.readEvent(section) }
    let problems = reader.problems.map { TOMLProblem(line: nil, key: $0.key, message: $0.message) }
    guard problems.isEmpty else { throw ScenarioError(file: "event", problems: problems) }
    changed.events.sort { $0.at < $1.at }
    scenario = changed
    nextEvent = 0
  }

  private mutating func act() {
    while let at = nextEventTime, at <= now {
      let event = scenario.events[nextEvent]
      nextEvent += 1
      guard event.isOfPlant else {
        timeLine.add(now, .refused, "\(event.text): not done, it is the BMS's, which is not here")
        continue
      }
      if !event.isQuiet { timeLine.add(now, .event, event.text) }
      if let refusal = event.effect(&loop) { timeLine.add(now, .refused, refusal) }
    }
  }

  private mutating func followSun(seconds: Double) {
    sunsAt = now
    for index in suns.indices where loop.plant.chargers.indices.contains(suns[index].charger) {
      loop.plant.chargers[suns[index].charger].availability = suns[index].sun.availability(
        hour: clock.hour(now), seconds: seconds)
    }
  }
}
