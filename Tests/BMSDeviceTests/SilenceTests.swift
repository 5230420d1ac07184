import BMSCore
import BMSDevice
import CANBus
import MonotonicTime
import NMEA2000
import Testing

@Suite("Off is silent (R35): nobody asks, and modules that send their bank on change say nothing")
struct SilenceTests {
  @Test("after 5 min of Off, On is taken: the remote's last word counts; V-B15 is for one that does not answer then")
  func softOff() throws {
    var bench = SwitchBench.onChange([.remote: 1])
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
    try bench.request(.off)
    bench.advance(.minutes(5))
    #expect(bench.isSilent)
    var dead = bench
    try bench.request(.on)
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
    #expect(bench.bench.raised.isEmpty)
    dead.modules[1].isAlive = false
    try dead.request(.on)
    dead.advance(.milliseconds(4900))
    #expect(!dead.alarms.contains(.remoteLost))
    dead.advance(.milliseconds(300))
    #expect(dead.alarms.contains(.remoteLost))
    dead.advance(.seconds(61))
    #expect(dead.outputs.mode == .off)
  }

  @Test("an open remote that a module tells of in the silence counts at once, and so does a closed one (R44, R48)")
  func remoteOpens() throws {
    var bench = SwitchBench.onChange([.remote: 1])
    try bench.switchOff(for: .minutes(2))
    bench.modules[1].bank.set(1, false)
    bench.advance(.milliseconds(10))
    #expect(throws: (any Error).self) { try bench.request(.on) }
    bench.advance(.minutes(2))
    #expect(bench.isSilent && bench.outputs.mode == .off)
    bench.modules[1].bank.set(1, true)
    bench.advance(.milliseconds(10))
    #expect(bench.outputs.mode == .on)
  }

  @Test("a remote that was lost before the silence stays lost in it, and its voice ends it")
  func remoteLostBefore() throws {
    var bench = SwitchBench.onChange([.remote: 1])
    bench.advance(.seconds(8))
    bench.modules[1].isAlive = false
    bench.advance(.seconds(70))
    #expect(bench.isSilent)
    bench.advance(.minutes(2))
    #expect(bench.isSilent && bench.alarms.contains(.remoteLost))
    bench.modules[1].isAlive = true
    bench.modules[1].bank.isChanged = true
    bench.advance(.milliseconds(10))
    #expect(bench.outputs.mode == .on)
  }

  @Test("R45: a charger wakes a battery that low cells switched off, 13.6 V on the system side for 2 s")
  func charger() throws {
    var bench = SwitchBench.onChange([.remote: 1])
    bench.advance(.seconds(8))
    bench.bench.voltage = 12
    bench.bench.lowest = 2.59
    bench.advance(.seconds(310))
    #expect(bench.outputs.offCause == .lowCell)
    bench.advance(.minutes(5))
    #expect(bench.isSilent)
    bench.charger = 13.6
    bench.advance(.milliseconds(1900))
    #expect(bench.outputs.mode == .off)
    bench.advance(.milliseconds(500))
    #expect(bench.outputs.mode == .on)
    bench.advance(.seconds(5))
    #expect(bench.outputs.contactorClosed == true)
  }

  @Test(
    "the module of the outputs falls silent with us: nothing is sent and nothing told for 10 min, then On closes",
    arguments: [9.0, 15, 3600])
  func outputs(period: Double) throws {
    var bench = SwitchBench()
    bench.bench.current = 0
    bench.modules[0].period = TimeSpan(seconds: period)
    try bench.switchOff(for: .seconds(7))
    #expect(bench.isSilent)
    let (sent, events) = (bench.bench.sent.count, bench.bench.events.count)
    bench.advance(.minutes(10))
    #expect(bench.isSilent && bench.outputs.contactorClosed == false)
    #expect(bench.state(.contactor) == .follows(isOn: false))
    #expect(bench.bench.sent.count == sent)
    #expect(bench.bench.events.count == events)
    let start = bench.now
    try bench.request(.on)
    bench.advance(.milliseconds(400))
    #expect(bench.commands(SwitchBench.precharge, since: start).allSatisfy { !$0.isOn })
    bench.advance(.seconds(5))
    #expect(bench.outputs.contactorClosed == true)
    #expect(bench.bench.raised.isEmpty)
  }

  @Test("a bank that says on ends the silence: it is told, opened and silent again")
  func closesUnasked() throws {
    var bench = SwitchBench()
    bench.bench.current = 0
    bench.modules[0].period = .minutes(60)
    try bench.switchOff(for: .minutes(2))
    #expect(bench.isSilent)
    bench.modules[0].bank.set(SwitchBench.contactor, true)
    bench.advance(.milliseconds(20))
    #expect(!bench.isSilent && bench.alarms.contains(.switchedUnasked))
    bench.advance(.seconds(5))
    #expect(!bench.isOn(SwitchBench.contactor))
    #expect(bench.isSilent)
    #expect(!bench.bench.raised.contains(.moduleLost) && !bench.bench.raised.contains(.feedbackLost))
  }

  @Test("a module that died in the silence: nothing is closed; V-B16 comes 5 s after it and V-B44 10 s, none before")
  func dies() throws {
    var bench = SwitchBench()
    bench.bench.current = 0
    bench.modules[0].period = .minutes(60)
    try bench.switchOff(for: .seconds(7))
    bench.modules[0].isAlive = false
    bench.advance(.minutes(5))
    #expect(bench.isSilent && bench.bench.raised.isEmpty)
    try bench.request(.on)
    bench.advance(.milliseconds(4900))
    #expect(bench.bench.raised.isEmpty)
    bench.advance(.milliseconds(300))
    #expect(bench.alarms.contains(.feedbackLost) && !bench.alarms.contains(.moduleLost))
    bench.advance(.seconds(5))
    #expect(bench.alarms.contains(.moduleLost))
    #expect(!bench.outputs.prechargeCommand && !bench.outputs.contactorCommand)
    bench.modules[0].isAlive = true
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
  }

  @Test("nothing is closed on an old word: remote and auxiliary contact are heard again before the pre-charge begins")
  func oldWord() throws {
    for role in [WiredRole.remote, .contactorFeedback] {
      var bench = SwitchBench.onChange([role: 7])
      func run(_ span: TimeSpan) {
        let end = bench.now + span
        while bench.now < end {
          if role == .contactorFeedback { bench.modules[1].bank.set(7, bench.isOn(SwitchBench.contactor)) }
          bench.advance(.milliseconds(10))
        }
      }
      run(.seconds(8))
      #expect(bench.outputs.contactorClosed == true)
      try bench.request(.off)
      run(.minutes(1))
      #expect(bench.isSilent && bench.bench.raised.isEmpty)
      bench.modules[1].isAlive = false
      let start = bench.now
      try bench.request(.on)
      run(.seconds(20))
      #expect(bench.outputs.mode == .on)
      #expect(bench.commands(SwitchBench.precharge, since: start).allSatisfy { !$0.isOn })
      #expect(bench.commands(SwitchBench.contactor, since: start).allSatisfy { !$0.isOn })
      bench.modules[1].isAlive = true
      run(.seconds(8))
      #expect(bench.outputs.contactorClosed == true)
    }
  }

  @Test("an auxiliary contact that is found closed after the silence is E-B26: the contactor is not closed beside it")
  func welded() throws {
    var bench = SwitchBench.onChange([.contactorFeedback: 7])
    func run(_ span: TimeSpan, isWelded: Bool = false) {
      let end = bench.now + span
      while bench.now < end {
        if !isWelded { bench.modules[1].bank.set(7, bench.isOn(SwitchBench.contactor)) }
        bench.advance(.milliseconds(10))
      }
    }
    run(.seconds(8))
    try bench.request(.off)
    run(.minutes(1))
    bench.modules[1].isAlive = false
    bench.modules[1].bank.set(7, true)
    run(.seconds(10), isWelded: true)
    let start = bench.now
    try bench.request(.on)
    bench.modules[1].isAlive = true
    run(.seconds(8), isWelded: true)
    #expect(bench.alarms.contains(.contactorError))
    #expect(bench.commands(SwitchBench.precharge, since: start).allSatisfy { !$0.isOn })
  }

  @Test("the alarm of a thermal switch, a supply or a fan that nobody asks for is not raised in the silence")
  func inputs() throws {
    var bench = SwitchBench.onChange([.thermalSwitch: 1, .supply: 2, .fan: 3])
    try bench.switchOff(for: .minutes(2))
    #expect(bench.isSilent)
    var dead = bench
    try bench.request(.on)
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
    #expect(bench.bench.raised.isEmpty)
    // R72, R78: nothing closes on what they said before.
    dead.modules[1].isAlive = false
    let start = dead.now
    try dead.request(.on)
    dead.advance(.seconds(30))
    #expect(dead.outputs.contactorClosed == false && dead.alarms.contains(.feedbackLost))
    #expect(dead.commands(SwitchBench.precharge, since: start).allSatisfy { !$0.isOn })
    dead.modules[1].isAlive = true
    dead.advance(.seconds(8))
    #expect(dead.outputs.contactorClosed == true)
  }

  @Test("another module that fits and comes in the silence replaces none that is not asked: both are, V-B45")
  func secondModule() throws {
    let other = Name(uniqueNumber: 2002, manufacturer: 137, function: 140, deviceClass: 30)
    var bench = SwitchBench(SwitchBench.configuration(), modules: [SwitchModule(), SwitchModule(other, address: 60)])
    bench.bench.current = 0
    for index in 0...1 { bench.modules[index].period = .minutes(60) }
    bench.modules[1].isAlive = false
    try bench.switchOff(for: .minutes(2))
    #expect(bench.isSilent)
    bench.modules[1].isAlive = true
    bench.advance(.seconds(30))
    #expect(!bench.isSilent && bench.alarms.contains(.senderAmbiguous))
    #expect(bench.state(.contactor) == .ambiguous(SwitchModule.name, other))
    bench.modules[0].isAlive = false
    bench.advance(.seconds(20))
    #expect(bench.isSilent && !bench.alarms.contains(.senderAmbiguous))
    #expect(bench.state(.contactor) == .follows(isOn: false))
  }

  @Test("a remote whose module is replaced in the silence: the old one is asked, and then the new one's word counts")
  func replacedRemote() throws {
    var configuration = SwitchBench.configuration()
    configuration.indicators[.remote] = IndicatorWiring(
      sender: DeviceSelector(manufacturer: 137, function: 130), bank: 5, indicator: 1)
    func remote(_ number: UInt32, address: UInt8) -> SwitchModule {
      var module = SwitchModule(
        Name(uniqueNumber: number, manufacturer: 137, function: 130, deviceClass: 30), address: address)
      module.period = .minutes(60)
      module.bank.instance = 5
      module.bank.isOn[1] = true
      return module
    }
    var bench = SwitchBench(
      configuration, modules: [SwitchModule(), remote(2002, address: 60), remote(2003, address: 61)])
    bench.bench.current = 0
    bench.modules[2].isAlive = false
    try bench.switchOff(for: .minutes(2))
    bench.modules[1].isAlive = false
    bench.modules[2].isAlive = true
    bench.advance(.seconds(1))
    #expect(!bench.isSilent && bench.alarms.contains(.senderAmbiguous))
    bench.advance(.seconds(20))
    #expect(bench.isSilent && !bench.alarms.contains(.senderAmbiguous))
    bench.advance(.minutes(2))
    try bench.request(.on)
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
  }

  @Test("an alarm of before the silence goes on in it and after it: V-B44 of a fan")
  func lostBefore() throws {
    var bench = SwitchBench.onChange([.fan: 3])
    bench.advance(.seconds(8))
    bench.modules[1].isAlive = false
    bench.advance(.seconds(15))
    #expect(bench.alarms.contains(.moduleLost))
    try bench.request(.off)
    bench.advance(.minutes(1)) { !$0.alarms.contains(.moduleLost) }
    #expect(bench.isSilent && bench.alarms.contains(.moduleLost))
    try bench.request(.on)
    bench.advance(.seconds(8)) { !$0.alarms.contains(.moduleLost) }
    #expect(bench.outputs.contactorClosed == true && bench.alarms.contains(.moduleLost))
  }
}
