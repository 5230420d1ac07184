import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Modes, area C")
struct ModeTests {
  /// Mode, requester, target: done (+), so already (=), or why not.
  static let table: [(Mode, ModeRequester, Mode, ModeAnswer)] = [
    (.on, .app, .on, .unchanged), (.on, .app, .standby, .allowed), (.on, .app, .off, .allowed),
    (.standby, .app, .on, .allowed), (.standby, .app, .standby, .unchanged), (.standby, .app, .off, .allowed),
    (.off, .app, .on, .allowed), (.off, .app, .standby, .allowed), (.off, .app, .off, .unchanged),
    (.on, .gx, .on, .unchanged), (.on, .gx, .standby, .allowed), (.on, .gx, .off, .refused(.gxCannotSwitchOff)),
    (.standby, .gx, .on, .allowed), (.standby, .gx, .standby, .unchanged),
    (.standby, .gx, .off, .refused(.gxCannotSwitchOff)),
    (.off, .gx, .on, .refused(.gxOnlyFromStandby)), (.off, .gx, .standby, .refused(.gxOnlyFromStandby)),
    (.off, .gx, .off, .refused(.gxCannotSwitchOff)),
    (.on, .remote, .on, .unchanged), (.on, .remote, .standby, .refused(.remoteHasNoStandby)),
    (.on, .remote, .off, .allowed),
    (.standby, .remote, .on, .refused(.remoteOnlyFromOff)),
    (.standby, .remote, .standby, .refused(.remoteHasNoStandby)), (.standby, .remote, .off, .allowed),
    (.off, .remote, .on, .allowed), (.off, .remote, .standby, .refused(.remoteHasNoStandby)),
    (.off, .remote, .off, .unchanged),
  ]

  @Test("R36-R38, R64: the 27 cases")
  func allCases() {
    #expect(Self.table.count == 27)
    for (mode, requester, target, answer) in Self.table {
      #expect(mode.answer(to: requester, asking: target) == answer, "\(mode) \(requester) \(target)")
    }
    #expect(Mode.allCases.map(\.rawValue) == [3, 4, 252], "R63")
  }

  @Test("R32-R35, R119, R151: Standby and Off forbid both directions and have no limits, not limits of zero")
  func standbyAndOff() throws {
    for (mode, state) in [(Mode.standby, State.standby), (.off, .shutdown)] {
      var rig = Rig.resting()
      #expect(rig.out.mode == .on && rig.out.limits.isAvailable)
      try rig.bms.perform(.requestMode(mode, by: .app))
      rig.step()
      #expect(rig.out.mode == mode && rig.out.state == state)
      #expect(rig.out.chargeBlocks == .mode && rig.out.dischargeBlocks == .mode)
      #expect(!rig.out.limits.isAvailable)
      #expect(rig.out.limits.chargeVoltage == nil && rig.out.limits.lowVoltage == nil)
      #expect(rig.out.isBusSilent == (mode == .off))
      #expect(rig.out.protectiveChange)
      #expect(rig.out.alarms.isEmpty)
      try rig.bms.perform(.requestMode(.on, by: .app))  // R49
      #expect(rig.step().chargeAllowed)
    }
  }

  @Test("R37: a refused request says why and changes nothing")
  func refusal() throws {
    var rig = Rig.resting()
    #expect(throws: CommandError.modeRefused(.gxCannotSwitchOff)) {
      try rig.bms.perform(.requestMode(.off, by: .gx))
    }
    #expect(rig.step().mode == .on)
    #expect(
      CommandError.modeRefused(.gxCannotSwitchOff).description == "refused: a GX device cannot switch off (R37)")
  }

  @Test("R44, R48, R39: the remote switch forces Off from On and from Standby, and its edge brings On")
  func remote() throws {
    for start in [Mode.on, .standby] {
      var rig = Rig.resting()
      rig.remote = true
      rig.step()
      try rig.bms.perform(.requestMode(start, by: .app))
      rig.step()
      rig.remote = false
      rig.step()
      #expect(rig.out.mode == .off && rig.out.offCause == .remote)
      #expect(throws: CommandError.modeRefused(.remoteOpen)) { try rig.bms.perform(.requestMode(.on, by: .app)) }
      rig.run(.seconds(1))
      rig.remote = true
      #expect(rig.step().mode == .on)
    }
  }

  @Test("R49: a soft Off stays off by itself, for ever; R48: a remote edge ends it, its level does not")
  func softOff() throws {
    var rig = Rig.resting()
    rig.remote = true
    rig.step()
    try rig.bms.perform(.requestMode(.off, by: .app))
    rig.cells(3.4, 3.4)
    #expect(!rig.run(.minutes(10)) { $0.mode != .off })
    rig.remote = false
    rig.step()
    #expect(rig.out.offCause == .softSwitch)
    rig.remote = true
    #expect(rig.step().mode == .on)
  }

  @Test("R40-R43: bridge, H above 3 V, L below 5 V; readings beyond 70 V say nothing")
  func terminals() {
    let now = Instant.origin
    func state(bridge: Bool? = nil, high: Double? = nil, low: Double? = nil) -> RemoteTerminals.State {
      var terminals = RemoteTerminals()
      if let bridge { terminals.bridge = ContactFeedback(isClosed: bridge, at: now) }
      if let high { terminals.high = Measurement(high, at: now) }
      if let low { terminals.low = Measurement(low, at: now) }
      return terminals.state(at: now, within: .seconds(5))
    }
    #expect(state() == .closed, "not wired is the wire loop")
    #expect(state(bridge: true) == .closed && state(bridge: false) == .open)
    #expect(state(high: 3.0) == .open && state(high: 3.01) == .closed)
    #expect(state(low: 5.0) == .open && state(low: 4.99) == .closed)
    #expect(state(high: 70) == .closed && state(high: 70.1) == .unknown)
    #expect(state(low: -70) == .closed && state(low: -70.1) == .unknown)
    #expect(state(bridge: false, high: 0, low: 12) == .open)
  }

  @Test("A remote module that falls silent keeps On for 60 s, warned, and is Off then")
  func remoteSilent() {
    var rig = Rig.resting()
    rig.remote = true
    rig.step()
    rig.remote = nil
    rig.run(.seconds(6))
    #expect(rig.out.mode == .on && rig.out.alarms == [.remoteLost])
    #expect(!rig.run(.milliseconds(58_000)) { $0.mode == .off })
    rig.run(.seconds(2))
    #expect(rig.out.mode == .off && rig.out.offCause == .remote)
    rig.remote = true
    #expect(rig.step().mode == .on)
  }

  @Test("A remote that is wired and was never heard does not start")
  func remoteNeverHeard() {
    var rig = Rig()
    rig.inputs.remote.bridge = .waiting
    rig.step()
    #expect(rig.out.mode == .off)
    rig.remote = true
    #expect(rig.step().mode == .on)
  }

  /// The mode part alone, so that no contactor sequence stands between.
  struct Modes {
    var control = ModeControl(restoring: nil)
    var lowCell = false
    var lowStateOfCharge = false
    var cell: Double? = 2.9
    var charge = false
    var remote = RemoteTerminals.State.closed
    let parameters = Parameters(Settings())

    /// Steps of 0.5 s; returns whether the mode became `mode` at the end of it and not before.
    mutating func changes(to mode: Mode, after span: TimeSpan) -> Bool {
      var elapsed = TimeSpan.zero
      while elapsed < span {
        guard control.mode != mode else { return false }
        step()
        elapsed += .milliseconds(500)
      }
      return control.mode == mode
    }

    mutating func step(_ elapsed: TimeSpan = .milliseconds(500), canTurnOff: Bool = true) {
      control.evaluate(
        remote: remote, lowCell: lowCell, lowStateOfCharge: lowStateOfCharge, lowestCell: cell,
        charger: charge ? .present : .absent, canTurnOff: canTurnOff, parameters, elapsed: elapsed)
    }
  }

  @Test(
    "R51, R53: five minutes of low cell or low SoC without charge voltage, not half a second less",
    arguments: [true, false])
  func fiveMinutes(isCell: Bool) {
    var modes = Modes()
    if isCell { modes.lowCell = true } else { modes.lowStateOfCharge = true }
    modes.step()
    #expect(modes.control.offIn == .minutes(5))
    #expect(modes.changes(to: .off, after: .minutes(5)) == true)
    #expect(modes.control.offCause == (isCell ? .lowCell : .lowStateOfCharge))
  }

  @Test("R52: charge voltage within the five minutes cancels them; they begin anew when it goes")
  func cancelled() {
    var modes = Modes()
    modes.lowCell = true
    modes.step()
    #expect(modes.changes(to: .off, after: .seconds(299)) == false)
    modes.charge = true
    modes.step()
    #expect(modes.control.offIn == nil)
    #expect(modes.changes(to: .off, after: .minutes(20)) == false)
    modes.charge = false
    modes.step()
    #expect(modes.changes(to: .off, after: .minutes(5)) == true)
  }

  @Test("A supervisor does not switch itself off: it would only stop the chargers")
  func supervisor() {
    var modes = Modes()
    modes.lowCell = true
    for _ in 0..<2000 { modes.step(canTurnOff: false) }
    #expect(modes.control.mode == .on)
  }

  @Test("R55, OD-9: Standby with low cell is Off after 60 s, also with charge voltage")
  func standbyEmpty() throws {
    var modes = Modes()
    try modes.control.request(.standby, by: .gx)
    modes.lowCell = true
    modes.charge = true
    modes.step()
    #expect(modes.changes(to: .off, after: .seconds(60)) == true)
    #expect(modes.control.offCause == .lowCell)
  }

  func off(_ isCell: Bool) -> Modes {
    var modes = Modes()
    if isCell { modes.lowCell = true } else { modes.lowStateOfCharge = true }
    modes.step(.zero)
    modes.step(.minutes(5))
    return modes
  }

  @Test("R46, R47: every cell above 3.20 V after a low cell, above 3.37 V after low SoC; not at it, and not unseen")
  func wakesByCells() {
    for (isCell, limit) in [(true, 3.20), (false, 3.37)] {
      var modes = off(isCell)
      modes.cell = nil
      modes.step()
      #expect(modes.control.mode == .off)
      modes.cell = limit
      modes.step()
      #expect(modes.control.mode == .off)
      modes.cell = limit + 0.001
      modes.step()
      #expect(modes.control.mode == .on)
    }
  }

  @Test("R45, R59: charge voltage ends an Off that protects the battery, and no other")
  func wakesByChargeVoltage() throws {
    for isCell in [true, false] {
      var modes = off(isCell)
      modes.charge = true
      modes.step()
      #expect(modes.control.mode == .on)
    }
    var modes = Modes()
    try modes.control.request(.off, by: .app)
    modes.charge = true
    modes.step()
    #expect(modes.control.mode == .off)
  }

  @Test("R56: the remote held off for 4.5 s forces nothing, 5 s force On; R58: and 5 min later it is Off again")
  func forcedByRemote() {
    var modes = off(true)
    modes.remote = .open
    for _ in 0..<9 { modes.step() }
    modes.remote = .closed
    modes.step()
    #expect(modes.control.mode == .off)
    modes.remote = .open
    for _ in 0..<10 { modes.step() }
    modes.remote = .closed
    modes.step()
    #expect(modes.control.mode == .on)
    modes.step()
    #expect(modes.changes(to: .off, after: .milliseconds(299_500)) == true)
    #expect(modes.control.offCause == .lowCell)
  }

  @Test("R56: the soft switch held off for 4.5 s forces nothing, 5 s force On")
  func forcedBySoftSwitch() throws {
    var modes = off(true)
    #expect(throws: ModeRefusal.offTooShort) { try modes.control.request(.on, by: .app) }
    try modes.control.request(.off, by: .app)
    for _ in 0..<9 { modes.step() }
    #expect(throws: ModeRefusal.offTooShort) { try modes.control.request(.on, by: .app) }
    #expect(modes.control.mode == .off)
    try modes.control.request(.off, by: .app)
    for _ in 0..<10 { modes.step() }
    try modes.control.request(.on, by: .app)
    #expect(modes.control.mode == .on)
  }

  @Test("R36, R49: an empty battery that is switched off stays off; On before 5 s of it leaves it to the charger")
  func softOffOfAnEmptyBattery() throws {
    for isCell in [true, false] {
      var modes = off(isCell)
      try modes.control.request(.off, by: .app)
      (modes.charge, modes.cell) = (true, 3.4)
      let isKept = (0..<14_400).allSatisfy { _ in
        modes.step()
        return modes.control.mode == .off
      }
      #expect(isKept)
      var snapshot = Snapshot()
      (snapshot.mode, snapshot.offCause) = (Mode.off.rawValue, modes.control.stored.cause?.rawValue)
      modes.control = ModeControl(restoring: snapshot)
      modes.step()
      #expect(modes.control.offCause == .softSwitchWhenEmpty, "R50")
      try modes.control.request(.on, by: .app)
      #expect(modes.control.mode == .on)

      modes = off(isCell)
      try modes.control.request(.off, by: .app)
      modes.charge = true
      for _ in 0..<9 { modes.step() }
      #expect(throws: ModeRefusal.offTooShort) { try modes.control.request(.standby, by: .app) }
      modes.step(.zero)
      #expect(modes.control.offCause == .softSwitchWhenEmpty)
      #expect(throws: ModeRefusal.offTooShort) { try modes.control.request(.on, by: .app) }
      #expect(modes.control.offCause == (isCell ? .lowCell : .lowStateOfCharge))
      modes.step()
      #expect(modes.control.mode == .on)
    }
  }

  @Test("R56: an empty battery that is switched off as well is forced by 5 s of the remote, by no shorter pulse")
  func softOffAndRemotePulse() throws {
    for (steps, mode) in [(9, Mode.off), (10, .on)] {
      var modes = off(true)
      try modes.control.request(.off, by: .app)
      for _ in 0..<20 { modes.step() }
      modes.remote = .open
      for _ in 0..<steps { modes.step() }
      modes.remote = .closed
      modes.step()
      #expect(modes.control.mode == mode)
    }
  }

  @Test("R50: mode and cause outlive a power cut", arguments: OffCause.allCases)
  func remembered(cause: OffCause) {
    var snapshot = Snapshot()
    snapshot.mode = Mode.off.rawValue
    snapshot.offCause = cause.rawValue
    var modes = Modes()
    modes.control = ModeControl(restoring: snapshot)
    modes.step()
    // The remote switch is closed now, so its edge happened while nobody looked.
    #expect(modes.control.mode == (cause == .remote ? .on : .off))
    modes.cell = 3.3
    modes.step()
    #expect((modes.control.mode == .on) == (cause == .remote || cause == .lowCell))
  }

  @Test("OD-7: with the contactor open 11.7 V is no charger, 11.71 V is one after 2 s, if it had fallen before")
  func chargeVoltage() {
    let parameters = Parameters(Settings())
    var detector = ChargeVoltage()
    func run(_ volts: Double?, _ seconds: Double, closed: Bool = false, current: Double? = 0) -> Bool {
      for _ in 0..<Int(seconds * 2) {
        detector.evaluate(
          system: volts, battery: 12, current: current, isClosed: closed, isFed: false, parameters,
          elapsed: .milliseconds(500))
      }
      return detector.isPresent
    }
    #expect(!run(12.4, 60), "the load's capacitors, not a charger")
    #expect(!run(11.7, 10))
    #expect(!run(11.71, 2))
    #expect(run(11.71, 0.5))
    #expect(!run(nil, 0.5), "nobody sees it")
    detector = ChargeVoltage()
    #expect(!run(12.5, 10), "C-1: 0.5 V above the battery is not above it")
    #expect(run(12.501, 2.5))
    #expect(run(11.71, 1, closed: true, current: 1))
    #expect(!run(11.7, 1, closed: true, current: 1))
    #expect(run(13, 1, closed: true, current: 0.06))
    #expect(!run(13, 1, closed: true, current: 0.05), "R161: nothing flows, and the voltage is the battery's own")
    #expect(!run(13, 1, closed: true, current: nil))
  }

  /// A restart with a remote that is wired and was not heard yet.
  private func restarted(_ mode: Mode, _ cause: OffCause? = nil, unseenFor unseen: TimeSpan? = nil) -> Rig {
    var snapshot = Snapshot()
    (snapshot.mode, snapshot.offCause) = (mode.rawValue, cause?.rawValue)
    var rig = Rig()
    rig.bms = BMS(restoring: snapshot, unseenFor: unseen)
    rig.inputs.remote.bridge = .waiting
    return rig
  }

  /// 200 s heard, 80 s silent: Off for silence after 60 s, and On again with the voice.
  @Test("R51, R53: a remote that falls silent and is heard again grants an empty battery its five minutes once")
  func silenceGrantsNothing() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.remote = true
    bench.run(.seconds(5))
    var closings = 0
    for second in 0..<7200 {
      bench.rig.remote = second % 280 < 200 ? true : nil
      for _ in 0..<10 {
        let was = bench.contact
        let noise = Double(second % 7) / 1000
        bench.rig.cells(2.7 + noise, 3.2 + noise)
        bench.rig.voltage = 12.3 + noise
        bench.rig.current = was ? -1 - noise : 0
        bench.step()
        if bench.contact, !was { closings += 1 }
      }
    }
    #expect(bench.out.offCause == .lowCell && closings <= 2, "\(closings) closings")
  }

  @Test("R44, R50: a remote whose silence had switched off is heard at the first look: back to the mode before")
  func silenceEndsAtTheFirstLook() {
    for mode in [Mode.on, .standby] {
      var snapshot = Snapshot()
      (snapshot.mode, snapshot.isRemoteSilent) = (mode.rawValue, true)
      var rig = Rig(restoring: snapshot)
      rig.remote = true
      #expect(rig.step().mode == mode)
    }
  }

  @Test("R48, R49, R50: a remote that is heard late is no edge: it ends no Off of another cause, and keeps Standby")
  func silenceIsNoEdge() {
    for (mode, cause, after) in [
      (Mode.off, OffCause.softSwitch, Mode.off), (.off, .error, .off), (.off, .lowCell, .off), (.off, .remote, .on),
      (.standby, nil, .standby), (.on, nil, .on),
    ] {
      var rig = restarted(mode, cause)
      rig.cells(3.1, 3.1)
      rig.step()
      #expect(rig.out.mode == .off)
      rig.run(.seconds(6))
      rig.remote = true
      #expect(rig.step().mode == after, "\(mode) \(cause.map { "\($0)" } ?? "")")
      #expect(rig.out.offCause == (after == .off ? cause : nil))
    }
  }

  @Test("R50: what silence forced is no cause to remember; the mode before it is, until the remote is heard open")
  func silenceIsNotStored() {
    var rig = restarted(.standby)
    rig.step()
    #expect(rig.out.mode == .off && rig.bms.snapshot.mode == Mode.standby.rawValue && rig.bms.snapshot.offCause == nil)
    rig.remote = false
    rig.step()
    #expect(rig.bms.snapshot.mode == Mode.off.rawValue && rig.bms.snapshot.offCause == OffCause.remote.rawValue)
    rig.remote = true
    #expect(rig.step().mode == .on, "R48")
  }

  @Test("R39, R49: a soft Off outlives a remote that falls silent for 70 s and comes back closed")
  func softOffAndSilence() throws {
    var rig = Rig.resting()
    rig.remote = true
    rig.step()
    try rig.bms.perform(.requestMode(.off, by: .app))
    rig.step()
    rig.remote = nil
    rig.run(.seconds(70))
    rig.remote = true
    #expect(rig.step().mode == .off && rig.out.offCause == .softSwitch)
  }

  @Test("R56: silence holds no switch off: 4 s open and 10 s silent force nothing, 5 s open do")
  func silenceForcesNothing() {
    for (before, after, isForced) in [(40, 0, false), (30, 18, false), (30, 21, true)] {
      var rig = restarted(.off, .lowCell)
      rig.cells(2.7, 2.7)
      rig.remote = false
      for _ in 0..<before { rig.step() }
      (rig.remote, rig.inputs.remote.bridge) = (nil, .waiting)
      rig.run(.seconds(10))
      if after > 0 { rig.remote = false }
      for _ in 0..<after { rig.step() }
      rig.remote = true
      #expect((rig.step().mode == .on) == isForced, "\(before) and \(after)")
    }
  }

  @Test("R24: after a restart a remote that is not heard is waited for 5 s, then it is open and warned of")
  func remoteAfterRestart() {
    var rig = restarted(.on, unseenFor: .seconds(3))
    #expect(!rig.run(.milliseconds(4_900)) { $0.mode != .on })
    #expect(!rig.out.alarms.contains(.remoteLost))
    rig.run(.milliseconds(200))
    #expect(rig.out.mode == .off && rig.out.offCause == .remote && rig.out.alarms.contains(.remoteLost))
    rig.remote = true
    #expect(rig.step().mode == .on && !rig.out.alarms.contains(.remoteLost))
  }

  @Test("R51, R53, R58: what our own pre-charge lifts the system side to is no charge voltage, then or afterwards")
  func prechargeIsNoCharger() {
    var snapshot = Snapshot()
    (snapshot.lowCell, snapshot.emptySeconds) = (true, 290)
    var bench = ContactorBench()
    bench.rig.bms = BMS(wiring: Wiring(contactors: .one), restoring: snapshot)
    bench.rig.voltage = 13.0
    bench.rig.cells(3.1, 3.1)
    bench.load = 15
    var highest = 0.0
    while bench.rig.now - (.origin + .seconds(1000)) < .seconds(30), bench.step().mode != .off {
      highest = max(highest, bench.system)
    }
    #expect(bench.rig.now - (.origin + .seconds(1000)) < .milliseconds(10_100) && bench.out.mode == .off)
    #expect(highest > 11.7, "what the resistor alone lifts it to")
  }

  @Test(
    "R45, R51: a charger that may not charge wakes it, and again an hour later; one that comes anew wakes it at once")
  func wokenInVain() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.charger = 14.2
    bench.rig.cells(2.5, 3.3)
    bench.rig.temperature = 0
    var (closings, closed) = (0, Instant.origin)
    func run(_ span: TimeSpan, until met: (Outputs) -> Bool = { _ in false }) -> Bool {
      let end = bench.rig.now + span
      while bench.rig.now < end {
        let was = bench.out.contactorCommand
        bench.step()
        if bench.out.contactorCommand, !was { (closings, closed) = (closings + 1, bench.rig.now) }
        // A charger takes some seconds until it obeys.
        if bench.rig.temperature == 0 { bench.rig.current = bench.rig.now - closed < .seconds(3) ? 10 : 0 }
        if met(bench.out) { return true }
      }
      return false
    }
    #expect(run(.minutes(6)) { $0.mode == .off })
    #expect(run(.seconds(10)) { $0.mode == .on })
    #expect(run(.minutes(6)) { $0.mode == .off } && closings == 1)
    #expect("\(bench.rig.bms.modes.reason)".contains("in vain, so not before 3600 s"))
    #expect(!run(.minutes(59)) { $0.mode == .on })
    #expect(run(.minutes(2)) { $0.mode == .on })
    #expect(run(.minutes(6)) { $0.mode == .off } && closings == 2)
    for (seconds, wakes) in [(Int64(29), false), (33, true)] {
      (bench.charger, bench.system) = (nil, 0)
      _ = run(.seconds(seconds))
      bench.charger = 14.2
      #expect(run(.seconds(5)) { $0.mode == .on } == wakes, "\(seconds) s")
    }
    // What charges ends it, and the next time it is woken at once as ever.
    bench.rig.temperature = 20
    bench.rig.current = 20
    #expect(!run(.minutes(10)) { $0.mode == .off })
    bench.rig.current = 0
    #expect(run(.minutes(6)) { $0.mode == .off } && run(.seconds(5)) { $0.mode == .on })
  }

  @Test("R46, R47: what woke it in vain rests, and not the other: cells that are up end Off, and so does a charger")
  func otherWakes() throws {
    for isCharger in [true, false] {
      var control = ModeControl(restoring: nil)
      func evaluate(_ span: TimeSpan, charger: Bool = false, cell: Double = 3.0, isLow: Bool = true) {
        control.evaluate(
          remote: .closed, lowCell: isLow, lowStateOfCharge: false, lowestCell: cell,
          charger: charger ? .present : .unknown, canTurnOff: true, Parameters(Settings()), elapsed: span)
      }
      func goOff() {
        evaluate(.zero)
        evaluate(.minutes(5))
        #expect(control.mode == .off)
      }
      evaluate(.zero)
      goOff()
      evaluate(.seconds(1), charger: isCharger, cell: isCharger ? 3.0 : 3.3)
      #expect(control.mode == .on && control.waker == (isCharger ? .charger : .cells))
      goOff()
      evaluate(.seconds(1), charger: isCharger, cell: isCharger ? 3.0 : 3.3)
      #expect(control.mode == .off && control.restsFor != nil)
      // R56: too short an Off leaves that as it was.
      try control.request(.off, by: .app)
      #expect(throws: ModeRefusal.offTooShort) { try control.request(.on, by: .app) }
      evaluate(.seconds(1), charger: isCharger, cell: isCharger ? 3.0 : 3.3)
      #expect(control.mode == .off && control.restsFor != nil)
      evaluate(.seconds(1), charger: !isCharger, cell: isCharger ? 3.3 : 3.0)
      #expect(control.mode == .on)
    }
  }

  @Test(
    "A charger that may not charge and cells that are up do not wake an empty battery in turns",
    arguments: [true, false])
  func wokenInTurns(isReported: Bool) throws {
    var bench = ContactorBench.closed(try settings((.dischargeFloor, 10)))
    bench.rig.period = .milliseconds(100)
    bench.charger = 14.3
    bench.rig.cells(3.4, 3.4)
    bench.rig.voltage = 13.6
    bench.rig.temperature = 0
    bench.run(.seconds(2))
    if isReported { bench.rig.inputs.battery.isWired = true } else { try bench.rig.bms.perform(.setStateOfCharge(5)) }
    var closings = 0
    let end = bench.rig.now + .hours(2)
    while bench.rig.now < end {
      let was = bench.out.contactorCommand
      // AUX feeds the module that tells of it.
      if isReported, bench.out.auxiliary {
        bench.rig.inputs.battery.taken = bench.rig.now + .milliseconds(100)
        bench.rig.inputs.battery.conditions = [.lowCell]
      }
      bench.step()
      if bench.out.contactorCommand, !was { closings += 1 }
    }
    // Each once at first (in one case before the loop looks), and then each once an hour.
    #expect(closings == (isReported ? 4 : 3))
  }

  @Test("R52: behind a contactor that has failed charge voltage keeps nothing On that empties the battery")
  func emptyBehindFailed() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.cells(2.5, 3.2)
    bench.rig.voltage = 12.1
    bench.charger = 13.8
    (bench.isStuck, bench.contact) = (true, false)
    #expect(bench.run(.seconds(10)) { $0.contactorPhase == .failed } == true)
    #expect(bench.run(.seconds(285)) { $0.mode == .off } == false)
    #expect(bench.run(.seconds(15)) { $0.mode == .off } == true)
    #expect(bench.run(.seconds(5)) { $0.mode == .on } == true, "the charger has it tried anew")
    #expect(bench.run(.minutes(6)) { $0.mode == .off } == true)
    #expect(bench.run(.minutes(59)) { $0.mode == .on } == false, "and then once an hour")
    #expect(bench.run(.minutes(2)) { $0.mode == .on } == true)
  }

  @Test("A wake that finds nothing failed leaves the try of that day for what fails later")
  func tryNotUsedUp() {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.cells(2.5, 3.2)
    bench.rig.voltage = 12.1
    #expect(bench.run(.minutes(6)) { $0.mode == .off } == true)
    bench.charger = 13.8
    #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
    (bench.isStuck, bench.contact) = (true, false)
    #expect(bench.run(.seconds(10)) { $0.contactorPhase == .failed } == true)
    #expect(bench.run(.minutes(6)) { $0.mode == .off } == true)
    bench.isStuck = false
    #expect(bench.run(.minutes(61)) { $0.state == .running } == true)
  }

  @Test(
    "R52, R74: beside an empty battery an alternator that obeys nobody, and a contactor that drops out, have a try a day",
    arguments: ["floor", "cell", "drops out"])
  func noTriesInTurns(cause: String) throws {
    var bench = ContactorBench.closed(try settings((.dischargeFloor, 10)))
    bench.rig.period = .milliseconds(100)
    bench.charger = 14.4
    if cause == "floor" { try bench.rig.bms.perform(.setStateOfCharge(2)) }
    let lowest = cause == "floor" ? 3.3 : 2.6
    var (closings, highest, closedFor) = (0, 3.4, 0.0)
    for count in 0..<108_000 {
      let was = bench.out.contactorCommand
      closedFor = bench.contact ? closedFor + 0.1 : 0
      if cause == "drops out" {
        bench.told = closedFor > 3 ? false : nil
      } else {
        highest = bench.contact ? min(highest + 0.002, 3.78) : max(highest - 0.002, 3.4)
      }
      // Nothing stands still.
      let noise = Double(count / 10 % 7) / 1000
      bench.rig.current = (bench.contact ? 20 : 0) + noise
      bench.rig.cells(lowest + noise, highest - noise)
      bench.rig.voltage = lowest * 3 + highest + noise
      bench.step()
      if bench.out.contactorCommand, !was { closings += 1 }
    }
    #expect(closings <= 3)
  }

  @Test(
    "R52: behind a contactor that stays open, whatever for, charge voltage keeps nothing On that empties the battery",
    arguments: ["hot", "cells", "supply"])
  func emptyBehindOpen(cause: String) {
    var bench = ContactorBench.closed()
    bench.rig.period = .milliseconds(100)
    bench.rig.inputs.internalSupply = ContactFeedback(isClosed: true, at: bench.rig.now)
    bench.rig.cells(2.5, 3.0)
    bench.rig.voltage = 11.5
    bench.run(.milliseconds(500))
    bench.charger = 13.8
    switch cause {
    case "hot": bench.hot = true
    case "cells": (bench.rig.lowest, bench.rig.highest) = (nil, nil)
    default: bench.rig.inputs.internalSupply = ContactFeedback(isClosed: false, at: bench.rig.now)
    }
    #expect(bench.run(.minutes(7)) { $0.mode == .off } == true)
  }

  @Test("R52, R74: a battery that empties beside the charger it is held open for goes Off, and lets that charger in")
  func heldForChargeThenEmpty() {
    var bench = ContactorBench.heldForCharge()
    bench.rig.cells(2.5, 2.9)
    bench.rig.voltage = 11
    #expect(bench.run(.minutes(6)) { $0.mode == .off } == true)
    #expect(bench.run(.seconds(10)) { $0.state == .running } == true)
  }

  @Test("A charger whose voltage rises and falls and never goes is one, and wakes a cold battery once an hour")
  func huntingCharger() throws {
    var bench = ContactorBench.closed(try settings((.dischargeFloor, 10)))
    bench.rig.period = .milliseconds(200)
    bench.rig.cells(3.25, 3.26)
    bench.rig.voltage = 13.02
    bench.rig.temperature = 0
    try bench.rig.bms.perform(.setStateOfCharge(5))
    var closings = 0
    for count in 0..<54_000 {
      bench.charger = count % 600 < 300 ? 13.3 : 13.8
      if !bench.contact { bench.system = bench.charger ?? 0 }
      let was = bench.out.contactorCommand
      bench.step()
      if bench.out.contactorCommand, !was { closings += 1 }
    }
    #expect(closings >= 2 && closings <= 4)
  }

  @Test("A system voltage that is silent in Off does not make another charger of the same")
  func systemVoltageSilent() {
    var control = ModeControl(restoring: nil)
    func evaluate(_ span: TimeSpan, _ charger: ChargerPresence) {
      control.evaluate(
        remote: .closed, lowCell: true, lowStateOfCharge: false, lowestCell: 3.0, charger: charger, canTurnOff: true,
        Parameters(Settings()), elapsed: span)
    }
    for isWoken in [false, true] {
      evaluate(.zero, .unknown)
      evaluate(.minutes(5), .unknown)
      evaluate(.seconds(1), .present)
      #expect((control.mode == .on) != isWoken)
    }
    evaluate(.minutes(1), .unknown)
    evaluate(.seconds(1), .present)
    #expect(control.mode == .off)
    evaluate(.seconds(30), .absent)
    evaluate(.seconds(1), .present)
    #expect(control.mode == .on)
  }

  @Test("R52, R59: a charger that stood there before a pre-charge is there after one that came to nothing")
  func chargerBesideBrokenPrecharge() {
    var detector = ChargeVoltage()
    func run(_ volts: Double, _ seconds: Int, isFed: Bool = false) -> Bool {
      for _ in 0..<seconds * 10 {
        detector.evaluate(
          system: volts, battery: 13.2, current: 0, isClosed: false, isFed: isFed, Parameters(Settings()),
          elapsed: .milliseconds(100))
      }
      return detector.isPresent
    }
    #expect(!run(0, 1) && run(13.5, 3))
    #expect(!run(13.5, 5, isFed: true), "while we feed it, nobody knows")
    #expect(run(13.5, 3))
    #expect(!run(0, 1) && !run(12.5, 1, isFed: true) && !run(12.5, 10), "what only our resistor put there")
    #expect(!run(0, 1) && run(12.5, 3))
  }
}
