import MonotonicTime
import Testing

@testable import BMSCore

@Suite("What cannot be true, at its edges")
struct PlausibilityEdgeTests {
  /// Takes values at seconds; whether one of them completed an event.
  func event(_ samples: [(Double, Double)]) -> Bool {
    var changes = LoadChanges()
    var isFound = false
    for (seconds, value) in samples {
      let at = Instant.origin + TimeSpan(seconds: seconds)
      if changes.take(value, beside: 0, step: 1, at: at) != nil { isFound = true }
    }
    return isFound
  }

  @Test("A change of load is a whole step that is half there 10 s later, not 9.999 s later")
  func event() {
    #expect(event([(0, 0), (1, 1), (11, 1)]))
    #expect(!event([(0, 0), (1, 0.999), (11, 0.999)]))
    #expect(!event([(0, 0), (1, 1), (10.999, 1)]))
    #expect(event([(0, 0), (1, 1), (11, 0.5)]))
    #expect(!event([(0, 0), (1, 1), (11, 0.499)]))
    #expect(event([(0, 0), (1, -1), (11, -1)]))
  }

  @Test("What creeps is no change of load: after 10 s it is counted from where it has come to, after 9.999 s not yet")
  func creeping() {
    #expect(!event([(0, 0), (10, 0.6), (10.1, 1.1), (20.1, 1.1)]))
    #expect(event([(0, 0), (9.999, 0.6), (10.1, 1.1), (20.1, 1.1)]))
  }

  /// A bank whose current changes by so many amperes, and the cells as if the current were counted the wrong way.
  func signs(_ amperes: Double, wrong: Bool, every milliseconds: Int64 = 100) -> Plausibility {
    var rig = Rig.resting()
    var plausibility = Plausibility()
    #expect(plausibility.rightSigns == 0 && plausibility.wrongSigns == 0)
    for change in 0..<4 {
      let isLoaded = change % 2 == 1
      let volts = isLoaded ? 3.2 : 3.3
      let steps = 26_000 / milliseconds
      for _ in 0..<steps {
        rig.period = .milliseconds(milliseconds)
        rig.cells(volts, volts)
        rig.voltage = volts * 4
        rig.current = isLoaded == wrong ? amperes : 0
        rig.step()
        var judged = Judgement(rig.inputs, Parameters(Settings()), at: rig.now)
        plausibility.evaluate(
          &judged, rig.inputs, Parameters(Settings()), at: rig.now, elapsed: .milliseconds(milliseconds))
      }
    }
    return plausibility
  }

  @Test("R81: a change of 5 % C has a sign, of 4.99 % has none; steps 2 s apart see nothing")
  func signs() {
    #expect(signs(10, wrong: true).wrongSigns == 3 && signs(10, wrong: true).isSignWrong)
    #expect(signs(10, wrong: false).rightSigns == 3 && !signs(10, wrong: false).isSignWrong)
    #expect(signs(9.98, wrong: true).wrongSigns == 0)
    #expect(signs(10, wrong: true, every: 1_999).wrongSigns == 3)
    #expect(signs(10, wrong: true, every: 2_000).wrongSigns == 0)
  }

  @Test("Sum of cells: 0.21 V warns after 30 s and not 1 ms sooner; 0.20 V for 10 s ends it")
  func sum() {
    var rig = Rig.resting()
    let parameters = Parameters(Settings())
    rig.cells(3.3, 3.3)
    rig.step()
    var plausibility = Plausibility()
    func step(_ pack: Double, _ span: TimeSpan) {
      var judged = Judgement(rig.inputs, parameters, at: rig.now)
      judged.voltage = pack
      plausibility.evaluate(&judged, rig.inputs, parameters, at: rig.now, elapsed: span)
    }
    for _ in 0..<29 { step(13.41, .seconds(1)) }
    step(13.41, .milliseconds(999))
    #expect(!plausibility.isMismatch)
    step(13.41, .milliseconds(1))
    #expect(plausibility.isMismatch && plausibility.difference == 0.21 && plausibility.limit == 0.2)
    for _ in 0..<9 { step(13.4, .seconds(1)) }
    step(13.4, .milliseconds(999))
    #expect(plausibility.isMismatch)
    step(13.4, .milliseconds(1))
    #expect(!plausibility.isMismatch && plausibility.contradiction == nil)
    // Gross is more than twice as much, for 60 s: the direction in which a cell may be hidden.
    for (pack, direction) in [(13.61, CurrentDirection.charge), (12.79, .discharge)] {
      plausibility = Plausibility()
      for _ in 0..<59 { step(pack, .seconds(1)) }
      step(pack, .milliseconds(999))
      #expect(plausibility.contradiction == nil)
      step(pack, .milliseconds(1))
      #expect(plausibility.contradiction == direction)
    }
    plausibility = Plausibility()
    for _ in 0..<70 { step(13.6, .seconds(1)) }
    #expect(plausibility.isMismatch && plausibility.contradiction == nil)
  }

  @Test("A jump is more than its limit within 5 s; it is held for its time")
  func jumps() {
    func hasJumped(_ change: Double, _ milliseconds: Int64, after hold: Int64 = 0) -> Bool {
      var history = SampleHistory()
      let first = Instant.origin + .seconds(10)
      let second = first + .milliseconds(milliseconds)
      history.take(Measurement(3, at: first), 0...5, limit: 1.5, at: first)
      history.take(Measurement(3 - change, at: second), 0...5, limit: 1.5, at: second)
      return history.hasJumped(within: .seconds(10), at: second + .milliseconds(hold))
    }
    #expect(!hasJumped(1.5, 1_000) && hasJumped(1.501, 1_000))
    #expect(hasJumped(2, 5_000) && !hasJumped(2, 5_001))
    #expect(hasJumped(2, 100, after: 9_999) && !hasJumped(2, 100, after: 10_000))
    #expect(!SampleHistory().hasJumped(within: .seconds(10), at: .origin))
  }

  @Test("R81: a sign that is seen the other way round forgets what was counted before, in either direction")
  func signTurns() {
    for wrong in [false, true] {
      var bench = CellBench()
      func amperes(_ volts: Double, asWrong: Bool) -> Double { asWrong ? -volts * 2000 : volts * 2000 }
      for volts in [-0.06, 0] { bench.load(volts, amperes: amperes(volts, asWrong: wrong)) }
      let counts = bench.rig.bms.plausibility
      #expect((counts.rightSigns, counts.wrongSigns) == (wrong ? 0 : 2, wrong ? 2 : 0))
      bench.load(-0.06, amperes: amperes(-0.06, asWrong: !wrong))
      let turned = bench.rig.bms.plausibility
      #expect((turned.rightSigns, turned.wrongSigns) == (wrong ? 1 : 0, wrong ? 0 : 1))
    }
  }

  @Test("R81: half an ampere is a twentieth of 10 Ah, and has a sign")
  func smallBank() throws {
    var bench = CellBench(try settings((.batteryCapacity, 10)))
    bench.load(-0.06, amperes: -0.5)
    #expect(bench.rig.bms.plausibility.rightSigns == 1 && bench.rig.bms.plausibility.wrongSigns == 0)
    bench.load(0, amperes: -0.01)
    #expect(bench.rig.bms.plausibility.rightSigns == 1, "0.49 A has none")
  }

  /// Three changes of load, the first within 10 s of the first values ever, so that it began with them.
  func threeChanges(_ change: (inout Rig, Bool) -> Void) -> AlarmSet {
    var rig = Rig()
    for isLoaded in [false, true, false, true] {
      change(&rig, isLoaded)
      rig.step()
      rig.run(isLoaded || rig.now > .origin + .seconds(1010) ? .seconds(25) : .seconds(5))
    }
    return rig.out.alarms
  }

  @Test("Stuck: what changed last when the first of three changes of load began is stuck, and stays so")
  func unchangedSinceTheFirst() {
    let current = threeChanges { rig, isLoaded in
      rig.cells(isLoaded ? 3.2 : 3.3, isLoaded ? 3.2 : 3.3)
      (rig.voltage, rig.current) = (isLoaded ? 12.8 : 13.2, -5)
    }
    #expect(current.contains(.currentStuck) && !current.contains(.voltageStuck) && !current.contains(.cellsStuck))
    let voltage = threeChanges { rig, isLoaded in rig.current = isLoaded ? -100 : 0 }
    #expect(voltage.contains(.voltageStuck) && !voltage.contains(.currentStuck))
    let cells = threeChanges { rig, isLoaded in (rig.voltage, rig.current) = isLoaded ? (12.8, -100) : (13.2, 0) }
    #expect(cells.contains(.cellsStuck))
    let highest = threeChanges { rig, isLoaded in
      rig.cells(isLoaded ? 3.1 : 3.3, 3.4)
      (rig.voltage, rig.current) = isLoaded ? (12.8, -100) : (13.3, 0)
    }
    #expect(highest.contains(.cellsStuck), "the highest alone")
  }

  @Test("Stuck: only three changes with both signs among them accuse, whichever of the three differs")
  func bothSigns() {
    func mustHaveMoved(_ values: [Double]) -> Bool {
      var changes = LoadChanges()
      var now = Instant.origin
      for value in [0] + values {
        for _ in 0..<11 {
          now += .seconds(1)
          _ = changes.take(value, beside: 0, step: 1, at: now)
        }
      }
      return changes.mustHaveMovedSince != nil
    }
    #expect(mustHaveMoved([1, 2, 1]) && mustHaveMoved([1, 0, -1]) && mustHaveMoved([-1, 0, 1]))
    #expect(!mustHaveMoved([1, 2, 3]) && !mustHaveMoved([-1, -2, -3]) && !mustHaveMoved([1, 0]))
  }

  @Test("Sum of cells: steps 5 s apart are a gap and compare nothing, steps 4.999 s apart do")
  func sumGap() {
    for (gap, isFound) in [(TimeSpan.milliseconds(4_999), true), (.seconds(5), false)] {
      var rig = Rig.resting()
      let parameters = Parameters(Settings())
      var plausibility = Plausibility()
      for _ in 0..<8 {
        rig.step(after: gap)
        var judged = Judgement(rig.inputs, parameters, at: rig.now)
        judged.voltage = 13.41
        plausibility.evaluate(&judged, rig.inputs, parameters, at: rig.now, elapsed: gap)
      }
      #expect(plausibility.isMismatch == isFound)
    }
  }

  @Test("Sum of cells: a table of one cell is no string, and compared with nothing")
  func oneCell() {
    var bench = CellBench(cells: 1)
    bench.rig.voltage = 14.5
    #expect(!bench.run(.minutes(2)) { !$0.alarms.isDisjoint(with: PlausibilityTests.all) })
  }

  @Test("Nothing is accused before the first step")
  func fresh() {
    let none = Plausibility()
    #expect(!none.isMismatch && none.contradiction == nil && !none.isCellStuck && !none.isCellJump)
    #expect(!none.isVoltageJump && !none.isTemperatureJump && !none.isVoltageStuck && !none.isCurrentStuck)
    #expect(none.difference == 0 && none.limit == 0 && !none.isSignWrong)
  }
}
