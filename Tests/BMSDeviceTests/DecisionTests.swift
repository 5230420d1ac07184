import BMSCore
import BMSDevice
import MonotonicTime
import Testing

extension Bench {
  /// What was told of decisions since the start, as sentences.
  var told: [String] {
    events.flatMap { event -> [String] in
      if case .decided(let explanations) = event { explanations.map(\.text) } else { [] }
    }
  }

  /// The alarms that were raised, each with its cause where no decision tells it.
  var causes: [(Alarm, Reason?)] {
    events.flatMap { event -> [(Alarm, Reason?)] in
      if case .raised(let alarms) = event { alarms.map { ($0.alarm, $0.cause) } } else { [] }
    }
  }
}

@Suite("What is told of decisions")
struct DecisionTests {
  @Test("a start is told once: waiting, then allowed, with the limits and the rules that make them")
  func start() {
    let bench = Bench.running()
    #expect(bench.told.filter { $0.hasPrefix("charge forbidden: waiting") }.count == 1)
    #expect(bench.told.filter { $0 == "charge allowed: nothing forbids it" }.count == 1)
    #expect(bench.told.contains("CVL 14.2 V: full charge cycle"))
    #expect(bench.told.contains("CCL 200 A: 1 A per Ah of capacity"))
  }

  @Test("a high cell is told once, with cause and end, however long it lasts and however its voltage moves (R104)")
  func highCell() throws {
    var bench = Bench.running()
    bench.events = []
    bench.current = 0  // or it would be an error 36 as well
    bench.highest = 3.76
    bench.advance(.seconds(3))
    for step in 0..<20 {
      bench.highest = 3.76 + Double(step % 5) * 0.01
      bench.advance(.seconds(1))
    }
    let charge = bench.told.filter { $0.hasPrefix("charge") }
    #expect(charge == ["charge forbidden: highest cell at 3.76 V, until every cell is below 3.6 V"])
    let (alarm, cause) = try #require(bench.causes.first)
    #expect(alarm == .highCell && cause == nil, "the decision tells the cause")
    bench.highest = 3.59
    bench.advance(.seconds(2))
    #expect(bench.told.filter { $0.hasPrefix("charge") }.count == 2)
    #expect(bench.told.contains("charge allowed: nothing forbids it"))
  }

  @Test("a warning that decides nothing brings its own cause")
  func warning() throws {
    var bench = Bench.running()
    bench.events = []
    bench.lowest = 3.09
    bench.advance(.seconds(2))
    let (_, cause) = try #require(bench.causes.first { $0.0 == .preAlarm })
    #expect("\(try #require(cause))".hasPrefix("pre-alarm, lowest cell at 3.09 V"))
    #expect(!bench.told.contains { $0.hasPrefix("charge") || $0.hasPrefix("discharge") })
  }

  @Test("asked, the device says the rule of everything that the core can explain, and the checklist")
  func asked() {
    let bench = Bench.running()
    let all = bench.device.explanation(at: bench.now)
    #expect(all.explanations.map(\.subject) == Explained.allCases)
    #expect(all.explanations.allSatisfy { $0.reason.since <= bench.now })
    #expect(all.checks.map(\.item) == CheckItem.allCases)
    #expect(all.senders.map(\.role) == [.monitor, .cells])
  }
}
