import BMSCore
import BatterySimulator
import MonotonicTime
import RandomDays
import Scenario
import Testing

@Suite("random days")
struct RandomDayTests {
  @Test("the same seed is the same day, and another seed another")
  func seeds() {
    #expect(DayPlan.random(seed: 7) == DayPlan.random(seed: 7))
    #expect(DayPlan.random(seed: 7) != DayPlan.random(seed: 8))
  }

  @Test("an hour of random days break no invariant, and the same day gives the same outputs to the bit")
  func short() {
    var tally = DayTally()
    for seed in UInt64(1)...4 {
      var plan = DayPlan.random(seed: seed)
      // The same day in a quarter of an hour: events come closer, times of the core do not.
      plan.seconds = 900
      for index in plan.events.indices { plan.events[index].at /= 96 }
      let result = plan.run()
      #expect(result.breaks.isEmpty, "seed \(seed): \(result.breaks)")
      #expect(plan.run().digest == result.digest, "seed \(seed)")
      tally.add(result.tally)
    }
    // A campaign that exercises nothing would pass too.
    #expect(tally.closings.contactor >= 4)
    #expect(tally.closings.charge >= 4)
    #expect(Alarm.allCases.count - tally.unseenAlarms.count >= 8)
    #expect(tally.events.count >= 15)
  }

  @Test("a break shrinks to what it takes, and the file of it names nothing else")
  func shrinking() throws {
    var plan = DayPlan.random(seed: 12)
    plan.seconds = 1800
    for index in plan.events.indices { plan.events[index].at /= 48 }
    plan.contactors = 1
    plan.hasTemperatures = true
    plan.celsius = 25
    plan.events.append(DayEvent(at: 900, lasting: nil, action: .fault(.temperature(battery: 0, celsius: -9))))
    // A BMS that does not know cold.
    func breaks(_ plan: DayPlan) -> Bool {
      plan.run(until: .charge) { outputs, _, loop in
        if loop.outputs.contactorPhase == .closed { outputs.chargeAllowed = true }
      }.breaks.contains { $0.invariant == .charge && $0.found.contains("°C") }
    }
    try #require(breaks(plan))
    let small = plan.shrunk(budget: 60, while: breaks)
    #expect(breaks(small))
    #expect(small.events.count <= 2)
    #expect(small.seconds < 300)
    #expect(small.settings.isEmpty)
    let text = small.scenario(story: "cold")
    #expect(text.contains("battery_temperature"))
    #expect(!text.contains("[settings]"))
  }

  @Test("the file of a day replays to the bit")
  func replay() throws {
    for seed in UInt64(1)...6 {
      var plan = DayPlan.random(seed: seed)
      plan.seconds = 300
      for index in plan.events.indices { plan.events[index].at /= 288 }
      let scenario = try Scenario(text: plan.scenario(story: "replay"), file: "day-\(seed).toml")
      var digest = LoopDigest()
      let replay = scenario.run { loop, _, _ in digest.take(loop) }
      #expect(digest == plan.run().digest, "seed \(seed)")
      #expect(replay.isPassed, "seed \(seed): \(replay.broken)")
    }
  }
}
