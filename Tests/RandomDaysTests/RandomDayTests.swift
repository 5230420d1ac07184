import BMSCore
import BatterySimulator
import MonotonicTime
import RandomDays
import Testing

@Suite("random days")
struct RandomDayTests {
  @Test("the same seed is the same day")
  func same() { #expect(DayPlan.random(seed: 7) == DayPlan.random(seed: 7)) }
}
