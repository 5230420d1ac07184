import MonotonicTime
import Testing

@testable import BMSCore

/// The sequence alone, with feedback and voltages put in by hand. 100 V make shares readable as volts.
struct SequenceBench {
  var sequence: ContactorSequence
  var view = ContactorSequence.View()
  var now = Instant.origin + .seconds(100)
  var parameters = Parameters(Settings())
  /// Whether each step brings a new system voltage.
  var isMeasured = true

  init(_ contactors: Wiring.Contactors = .one, _ precharge: Precharge = Precharge()) {
    sequence = ContactorSequence(Wiring(contactors: contactors, precharge: precharge))
    view.isWanted = true
    view.battery = 100
    view.system = 0
    view.current = 0
  }

  mutating func step(_ milliseconds: Int64 = 10) {
    now += .milliseconds(milliseconds)
    if isMeasured { view.systemTaken = now }
    sequence.step(view, parameters, at: now, elapsed: .milliseconds(milliseconds))
  }

  /// Steps of 10 ms until the phase is reached; how many milliseconds that took, or nil.
  mutating func wait(for phase: ContactorPhase, atMost milliseconds: Int64 = 10_000) -> Int64? {
    var passed: Int64 = 0
    while passed < milliseconds {
      step()
      passed += 10
      if sequence.phase == phase { return passed }
    }
    return nil
  }

  mutating func report(_ state: Feedback.State, second: Feedback.State? = nil, after milliseconds: Int64 = 0) {
    view.feedback.state = state
    view.feedback.taken = now + .milliseconds(milliseconds)
    view.secondFeedback.state = second ?? .unassigned
    view.secondFeedback.taken = view.feedback.taken
  }

  /// In pre-charge, with the resistor cold and the system side at 0 V.
  static func precharging(_ contactors: Wiring.Contactors = .one, _ precharge: Precharge = Precharge()) -> SequenceBench
  {
    var bench = SequenceBench(contactors, precharge)
    _ = bench.wait(for: .precharge)
    return bench
  }

  /// Commanded to close a moment ago; with both sides at 100 V.
  static func closing(_ contactors: Wiring.Contactors = .one) -> SequenceBench {
    var bench = precharging(contactors)
    bench.view.system = 100
    _ = bench.wait(for: .closing)
    return bench
  }

  static func closed(_ contactors: Wiring.Contactors = .one) -> SequenceBench {
    var bench = closing(contactors)
    _ = bench.wait(for: .closed)
    return bench
  }
}

@Suite("Contactor sequence at its edges, area D")
struct ContactorEdgeTests {
  @Test("Nothing is wanted and nothing is hot before somebody says so; joining needs no permission by itself")
  func defaults() {
    #expect(!ContactorSequence.View().isWanted && ContactorSequence.View().mayJoin)
    #expect(ContactorSequence.View().isComplete && ContactorSequence.View().isHeard)
    #expect(ContactorSequence.View().speaks == (false, false))
    var bench = SequenceBench()
    #expect(bench.sequence.heat == 0 && !bench.sequence.isHot && !bench.sequence.closes)
    bench.view.isWanted = false
    for _ in 0..<100 { bench.step() }
    #expect(bench.sequence.phase == .open && !bench.sequence.precharges)
  }

  @Test("R20, OD-18: 95 of 100 V flat for 200 ms closes, not 10 ms sooner; 94.99 V does not")
  func success() {
    for (volts, closes) in [(95.0, true), (94.99, false)] {
      var bench = SequenceBench.precharging()
      bench.view.system = volts
      bench.step()  // the first sample
      bench.step()  // the second is flat: from here 200 ms
      for _ in 0..<19 { bench.step() }
      #expect(bench.sequence.phase == .precharge && !bench.sequence.closes)
      bench.step()
      #expect((bench.sequence.phase == .closing) == closes, "\(volts) V")
    }
  }

  @Test("OD-18: a system side that moves by 1 % of the battery from sample to sample is flat, by 1.01 % it is not")
  func flat() {
    for (step, closes) in [(1.0, true), (1.01, false)] {
      var bench = SequenceBench.precharging()
      for index in 0..<60 {
        bench.view.system = 95 + (index % 2 == 0 ? 0 : step)
        bench.step()
      }
      #expect((bench.sequence.phase == .closing || bench.sequence.phase == .closed) == closes, "\(step) V")
    }
  }

  @Test("R68: 4.99 of 100 V after 100 ms is a short, 5 V is not; after 90 ms nothing is")
  func short() {
    for (volts, isShort) in [(4.99, true), (5.0, false)] {
      var bench = SequenceBench.precharging(
        .one, Precharge(resistance: 10, successShare: 0.9, energyLimit: 1e6, timeout: .seconds(5)) ?? Precharge())
      bench.view.system = volts
      for _ in 0..<9 { bench.step() }
      #expect(bench.sequence.fault == nil)
      bench.step()
      #expect((bench.sequence.fault == .prechargeOverload) == isShort, "\(volts) V")
    }
  }

  @Test(
    "R68, OD-18: a system voltage that was taken 100 ms after the resistor was switched on tells a short, 99 ms not")
  func shortTime() {
    for (milliseconds, isShort) in [(Int64(99), false), (100, true)] {
      var bench = SequenceBench.precharging(
        .one, Precharge(resistance: 10, successShare: 0.9, energyLimit: 1e6, timeout: .seconds(5)) ?? Precharge())
      bench.view.system = 0
      bench.step(milliseconds)
      #expect((bench.sequence.fault == .prechargeOverload) == isShort, "\(milliseconds) ms")
    }
  }

  @Test("R68: a pre-charge switch whose report is as old as the command conducts since then; an older one says nothing")
  func switchReport() {
    for (age, isShort) in [(Int64(0), true), (1, false)] {
      var bench = SequenceBench(
        .one, Precharge(resistance: 10, successShare: 0.9, energyLimit: 1e6, timeout: .seconds(5)) ?? Precharge())
      bench.view.precharge.state = .open
      _ = bench.wait(for: .precharge)
      bench.view.precharge.state = .closed
      bench.view.precharge.taken = bench.now - .milliseconds(age)
      for _ in 0..<11 { bench.step() }
      #expect((bench.sequence.fault == .prechargeOverload) == isShort)
    }
  }

  @Test("R20: a system voltage taken when pre-charge began says nothing about it")
  func oldVoltage() {
    var bench = SequenceBench.precharging()
    bench.isMeasured = false
    bench.view.system = 100
    bench.view.systemTaken = bench.now
    #expect(bench.wait(for: .closing, atMost: 40) == nil)
    // As long as nothing is known the resistor is taken to have the whole battery across it.
    #expect(bench.sequence.heat > 300)
    bench.view.battery = nil
    let heat = bench.sequence.heat
    bench.step()
    let cooling = Precharge().energyLimit / 30 * 0.01
    #expect(abs(heat - bench.sequence.heat - cooling) < 1e-9, "without a battery voltage nothing heats it")
  }

  @Test(
    "R67: 10 V across 2 Ohm for 0.1 s are 5 J; at 10 J of 10 J it goes on, above it is E-B25, in the second try too")
  func energy() throws {
    let circuit = try #require(Precharge(resistance: 2, successShare: 0.9, energyLimit: 10, timeout: .seconds(5)))
    var bench = SequenceBench.precharging(.one, circuit)
    bench.view.battery = 10
    bench.view.system = 0
    bench.isMeasured = false  // no voltage from this try: the whole battery counts, and no short is seen
    for _ in 0..<2 {
      let before = bench.sequence.heat
      #expect(before == 0)
      bench.step(100)
      #expect(abs(bench.sequence.heat - 5) < 1e-9)
      bench.step(100)
      #expect(abs(bench.sequence.heat - (10 - 10 / 30 * 0.1)) < 1e-9, "it cools by a try's energy in 30 s")
      #expect(bench.sequence.fault == nil && bench.sequence.isHot)
      bench.step(100)
      #expect(bench.sequence.fault == .prechargeOverload && bench.sequence.phase == .cooling)
      let waited = bench.wait(for: .precharge, atMost: 60_000)
      #expect((waited ?? 0) > 29_000)
      bench.sequence.restart()
    }
  }

  @Test("R61: a resistor with half a joule in it is still hot")
  func hot() {
    var bench = SequenceBench.precharging()
    bench.view.system = 93
    bench.step()
    bench.view.isWanted = false
    bench.step()
    #expect(bench.sequence.heat > 0.1 && bench.sequence.heat < 1 && bench.sequence.isHot)
    for _ in 0..<10 { bench.step() }
    #expect(bench.sequence.heat == 0 && !bench.sequence.isHot)
  }

  @Test("OD-18: three tries after a start, three after it was closed, three after a restart")
  func tries() {
    func failures(_ bench: inout SequenceBench) -> Int {
      bench.view.system = 50
      var count = 0
      while bench.sequence.phase != .failed, count < 10 {
        if bench.wait(for: .precharge, atMost: 60_000) != nil { count += 1 }
        while bench.sequence.phase == .precharge { bench.step() }
      }
      return count
    }
    let circuit = Precharge(resistance: 100, successShare: 0.9, energyLimit: 1e6, timeout: .seconds(5)) ?? Precharge()
    var bench = SequenceBench(.one, circuit)
    #expect(failures(&bench) == 3)
    bench.sequence.restart()
    #expect(bench.sequence.phase == .open && bench.sequence.fault == nil)
    #expect(failures(&bench) == 3)
    bench = SequenceBench(.one, circuit)
    bench.view.system = 100
    _ = bench.wait(for: .closed)
    bench.view.isWanted = false
    _ = bench.wait(for: .open)
    bench.view.isWanted = true
    // Closed meanwhile: no 30 s between this try and the last.
    let waited = bench.wait(for: .precharge, atMost: 60_000)
    #expect(waited != nil && (waited ?? 0) < 1_000)
    bench.view.isWanted = false
    _ = bench.wait(for: .open)
    bench.view.isWanted = true
    // Not closed meanwhile: now it waits.
    #expect((bench.wait(for: .precharge, atMost: 60_000) ?? 0) > 25_000)
  }

  @Test("R78, R245: the self-test without a system voltage is E-B11 at 5 s, not at 4.99 s")
  func selfTest() {
    var bench = SequenceBench()
    bench.view.system = nil
    bench.step()
    #expect(bench.sequence.phase == .selfTest)
    for _ in 0..<499 { bench.step() }
    #expect(bench.sequence.fault == nil)
    bench.step()
    #expect(bench.sequence.fault == .selfTest && bench.sequence.phase == .failed)
  }

  @Test("R77: the second contactor's feedback must be known where there are two, and is nobody's business with one")
  func secondUnknown() {
    for (contactors, starts) in [(Wiring.Contactors.two, false), (.one, true)] {
      var bench = SequenceBench(contactors)
      bench.report(.open, second: .unknown)
      #expect((bench.wait(for: .precharge, atMost: 3_000) != nil) == starts)
    }
  }

  @Test("R73, R77, OD-21: the second contact alone, wrong for 200 ms, is E-B26; with one contactor it is not looked at")
  func secondWrong() {
    for (contactors, fails) in [(Wiring.Contactors.two, true), (.one, false)] {
      var bench = SequenceBench.closing(contactors)
      bench.report(.closed, second: .closed)
      #expect(bench.wait(for: .closed) != nil)
      for _ in 0..<200 {
        bench.report(.closed, second: .closed)
        bench.step()
      }
      bench.report(.closed, second: .open)
      for _ in 0..<19 { bench.step() }
      #expect(bench.sequence.fault == nil)
      bench.step()
      #expect((bench.sequence.fault == .stuckOpen) == fails)
      #expect(bench.sequence.isDoomed == fails && bench.sequence.closes, "R76: ATC goes first")
    }
  }

  @Test("R73, OD-21: a report from 99 ms after the command accuses nobody, one from 100 ms does, 200 ms later")
  func moveTime() {
    for (taken, phase, found) in [(Int64(99), ContactorPhase.open, Int64(2_000)), (100, .failed, 200)] {
      var bench = SequenceBench.closed()
      bench.report(.closed)
      bench.view.isWanted = false
      _ = bench.wait(for: .opening)
      bench.report(.closed, after: taken)
      #expect(bench.wait(for: phase) == found, "\(taken) ms")
      #expect((bench.sequence.fault == .welded) == (phase == .failed))
    }
  }

  @Test("R73: a contact that is seen closed after 280 ms is late, not stuck; after 300 ms it is stuck")
  func slow() {
    for (milliseconds, closes) in [(Int64(280), true), (300, false)] {
      var bench = SequenceBench.closing()
      var passed: Int64 = 0
      while bench.sequence.phase == .closing {
        bench.report(passed + 10 >= milliseconds ? .closed : .open, after: 10)
        bench.step()
        passed += 10
      }
      #expect((bench.sequence.phase == .closed) == closes, "\(milliseconds) ms")
      #expect(closes || bench.sequence.fault == .stuckOpen)
    }
  }

  @Test(
    "A feedback that says nothing: closing is given 2 s, then it is E-B26; opening is, then it is open; closed is no fault"
  )
  func unknownFeedback() {
    var bench = SequenceBench.closing()
    bench.report(.unknown)
    #expect(bench.wait(for: .failed) == 2_000 && bench.sequence.fault == .stuckOpen)
    bench = SequenceBench.closing()
    bench.report(.closed)
    _ = bench.wait(for: .closed)
    for _ in 0..<500 {
      bench.report(.unknown)
      bench.step()
    }
    #expect(bench.sequence.phase == .closed && bench.sequence.fault == nil)
    bench.view.isWanted = false
    _ = bench.wait(for: .opening)
    #expect(bench.wait(for: .open) == 2_000 && bench.sequence.fault == nil)
    bench.report(.closed)
    #expect(bench.wait(for: .failed) == 200 && bench.sequence.fault == .welded, "when it is seen")
  }

  @Test(
    "R73: one wrong report in a step that comes 250 ms late is one report; the next step that sees it makes it E-B26")
  func lateStep() {
    for milliseconds in [Int64(100), 250] {
      var bench = ContactorBench.closed()
      bench.told = false
      #expect(bench.step(.milliseconds(milliseconds)).contactorFault == nil)
      var other = bench
      other.told = nil
      #expect(!other.run(.seconds(1)) { $0.contactorFault != nil })
      #expect(bench.step(.milliseconds(100)).contactorFault == .stuckOpen)
    }
  }

  @Test("A report from the instant of the command confirms it, one from before does not")
  func confirmation() {
    for (taken, confirms) in [(Int64(0), true), (-1, false)] {
      var bench = SequenceBench.closing()
      bench.report(.closed, after: taken)
      bench.step()
      #expect((bench.sequence.phase == .closed) == confirms)
    }
  }

  @Test("Without feedback: opening counts as done after 200 ms; closing needs both voltages within 0.5 V after 200 ms")
  func withoutFeedback() {
    var bench = SequenceBench.closing()
    #expect(bench.wait(for: .closed) == 200)
    bench.view.isWanted = false
    _ = bench.wait(for: .opening)
    #expect(bench.wait(for: .open) == 200)
    for (system, closes) in [(99.5, true), (99.49, false)] {
      bench = SequenceBench.closing()
      bench.view.system = system
      #expect((bench.wait(for: .closed) != nil) == closes, "\(system) V")
    }
    bench = SequenceBench.closing()
    bench.view.system = nil
    #expect(bench.wait(for: .closed) == nil && bench.sequence.fault == .stuckOpen)
  }

  @Test(
    "R71, R236: 0.51 V across the closed contactor for 2 s is W-B04, for 1.99 s it is not; 0.50 V never; gone at once")
  func drop() {
    for (system, isBad) in [(99.49, true), (99.5, false), (100.51, true)] {
      var bench = SequenceBench.closed()
      bench.view.system = system
      bench.step()
      for _ in 0..<199 { bench.step() }
      #expect(!bench.sequence.isContactBad)
      bench.step()
      #expect(bench.sequence.isContactBad == isBad, "\(system) V")
      bench.view.system = 100
      bench.step()
      #expect(!bench.sequence.isContactBad)
    }
  }

  @Test("R76: the contactor waits 2 s behind ATC, and for 10 % of the rating: 50 A opens, 50.1 A waits 3 s longer")
  func lead() {
    for (current, span) in [(50.0, Int64(2_000)), (-50, 2_000), (50.1, 5_000), (-50.1, 5_000)] {
      var bench = SequenceBench.closed()
      bench.view.current = current
      bench.view.isWanted = false
      bench.step()
      #expect(bench.sequence.phase == .lead && bench.sequence.carries && !bench.sequence.allowsCharge)
      #expect(bench.wait(for: .opening) == span, "\(current) A")
    }
  }

  @Test("OD-18: the system side is flat for 200 ms, to the millisecond")
  func steady() {
    var bench = SequenceBench.precharging()
    bench.view.system = 100
    for _ in 0..<201 { bench.step(1) }
    #expect(bench.sequence.phase == .precharge)
    bench.step(1)
    #expect(bench.sequence.phase == .closing)
  }

  @Test("OD-21: the feedback time is 200 ms to the millisecond")
  func feedbackTime() {
    var bench = SequenceBench.closing()
    for _ in 0..<199 { bench.step(1) }
    #expect(bench.sequence.phase == .closing)
    bench.step(1)
    #expect(bench.sequence.phase == .closed)
  }

  @Test("Wanted again within the lead: closed, and the next lead is 2 s again")
  func leadEnds() {
    var bench = SequenceBench.closed()
    bench.view.isWanted = false
    bench.step()
    for _ in 0..<150 { bench.step() }
    bench.view.isWanted = true
    bench.step()
    #expect(bench.sequence.phase == .closed && bench.sequence.allowsCharge)
    bench.view.isWanted = false
    bench.step()
    #expect(bench.wait(for: .opening) == 2_000)
  }

  @Test("R66: the timeout is 5 s, not 10 ms sooner")
  func timeout() {
    let circuit = Precharge(resistance: 100, successShare: 0.9, energyLimit: 1e6, timeout: .seconds(5)) ?? Precharge()
    var bench = SequenceBench.precharging(.one, circuit)
    bench.view.system = 80
    for _ in 0..<499 { bench.step() }
    #expect(bench.sequence.fault == nil)
    bench.step()
    #expect(bench.sequence.fault == .prechargeTimeout)
  }

  @Test("A pre-charge circuit: 1 Ohm, 95 %, 500 J, 5 s by default; numbers that make no sense are none")
  func circuit() {
    let standard = Precharge()
    #expect(standard.resistance == 1 && standard.successShare == 0.95)
    #expect(standard.energyLimit == 500 && standard.timeout == .seconds(5))
    #expect(abs(standard.smallestLoad - 19) < 1e-9)
    func isAccepted(_ ohm: Double = 1, _ share: Double = 0.9, _ joules: Double = 1, _ span: TimeSpan = .seconds(1))
      -> Bool
    {
      Precharge(resistance: ohm, successShare: share, energyLimit: joules, timeout: span) != nil
    }
    #expect(isAccepted())
    #expect(!isAccepted(0) && !isAccepted(-1) && !isAccepted(.infinity) && isAccepted(0.001))
    #expect(isAccepted(1, 0.5) && isAccepted(1, 0.99) && !isAccepted(1, 0.499) && !isAccepted(1, 0.991))
    #expect(!isAccepted(1, 0.9, 0) && !isAccepted(1, 0.9, .infinity) && isAccepted(1, 0.9, 0.001))
    #expect(!isAccepted(1, 0.9, 1, .zero) && isAccepted(1, 0.9, 1, .milliseconds(1)))
  }

  @Test("R24, OD-20: a contactor that was found closed may stay so without complete data for less than 60 s")
  func takeoverTime() {
    var snapshot = Snapshot()
    snapshot.isContactorClosed = true
    for system in [nil, 12.6, 12.7, 13.7, 13.8] {
      var sequence = ContactorSequence(Wiring(contactors: .one), restoring: snapshot, unseenFor: .zero)
      let parameters = Parameters(Settings())
      var view = ContactorSequence.View()
      (view.isWanted, view.isComplete) = (true, false)
      (view.battery, view.system) = (13.2, system)
      let isLevel = system.map { abs($0 - 13.2) < 0.55 } ?? false
      var now = Instant.origin + .seconds(100)
      for (milliseconds, may) in [(Int64(59_999), true), (1, false)] {
        now += .milliseconds(milliseconds)
        view.feedback.state = .closed
        view.feedback.taken = now
        view.systemTaken = now
        sequence.step(view, parameters, at: now, elapsed: .milliseconds(milliseconds))
        #expect(sequence.phase == .takeover && sequence.mayTakeOver(parameters) == may)
        #expect(sequence.closes == isLevel, "held while data are missing, if both sides are at one voltage")
        #expect(sequence.isLeft == !isLevel)
      }
    }
  }

  @Test("Its module is waited for while the contactor is wanted and was never heard, and only then")
  func awaitsModule() {
    for (isWanted, isHeard) in [(false, false), (false, true), (true, false), (true, true)] {
      var sequence = ContactorSequence(Wiring(contactors: .one))
      var view = ContactorSequence.View()
      (view.isWanted, view.isHeard) = (isWanted, isHeard)
      sequence.step(view, Parameters(Settings()), at: .origin + .seconds(1), elapsed: .milliseconds(100))
      #expect(sequence.awaitsModule == (isWanted && !isHeard))
    }
  }

  @Test("R24, R76: a restart waits for the contactor's feedback for 7 s, not for 6.999 s, and then opens it")
  func takeoverWithoutFeedback() {
    var snapshot = Snapshot()
    snapshot.isContactorClosed = true
    var sequence = ContactorSequence(Wiring(contactors: .one), restoring: snapshot, unseenFor: .zero)
    var view = ContactorSequence.View()
    view.isWanted = true
    view.feedback.state = .unknown
    var now = Instant.origin + .seconds(100)
    for (milliseconds, phase) in [(Int64(6_999), ContactorPhase.takeover), (1, .opening)] {
      now += .milliseconds(milliseconds)
      sequence.step(view, Parameters(Settings()), at: now, elapsed: .milliseconds(milliseconds))
      #expect(sequence.phase == phase)
    }
  }
}
