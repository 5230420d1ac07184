import BMSCore
import BMSDevice
import CANBus
import MonotonicTime
import NMEA2000
import Testing
import VECan

@Suite("Switching modules: contactor, pre-charge, ATC, ATD, AUX (design section 4)")
struct SwitchTests {
  @Test("pre-charge comes first, the contactor when the system side is up, then charge and discharge are allowed (R20)")
  func closes() throws {
    var bench = SwitchBench()
    bench.advance(.seconds(8)) { $0.outputs.contactorCommand }
    #expect(bench.isOn(SwitchBench.precharge))
    #expect(bench.system >= 0.95 * 13.3)
    #expect(!bench.outputs.chargeAllowed)
    bench.advance(.seconds(1))
    let order = bench.modules[0].bank.commands.filter(\.isOn).map(\.indicator)
    let precharge = try #require(order.firstIndex(of: SwitchBench.precharge))
    let contactor = try #require(order.firstIndex(of: SwitchBench.contactor))
    #expect(precharge < contactor)
    #expect(contactor < (try #require(order.firstIndex(of: SwitchBench.allowToCharge))))
    #expect(contactor < (try #require(order.firstIndex(of: SwitchBench.allowToDischarge))))
    #expect(bench.outputs.state == .running)
    #expect(bench.outputs.contactorClosed == true)
    #expect(bench.isOn(SwitchBench.contactor))
    #expect(!bench.isOn(SwitchBench.precharge))
    #expect(bench.isOn(SwitchBench.allowToCharge))
    #expect(bench.isOn(SwitchBench.allowToDischarge))
    #expect(bench.isOn(SwitchBench.auxiliary))
    #expect(bench.state(.contactor) == .follows(isOn: true))
    #expect(bench.state(.precharge) == .follows(isOn: false))
    #expect(bench.alarms.isEmpty)
    #expect(try #require(bench.bench.last(127501))[1] & 0b11 == 1)
  }

  @Test("no contactor is commanded while the pre-charge switch does not close: E-B35 (R66)")
  func prechargeRefused() {
    var bench = SwitchBench()
    bench.modules[0].bank.behaviour[SwitchBench.precharge] = .refuses
    bench.advance(.seconds(9))
    #expect(bench.commands(SwitchBench.contactor).allSatisfy { !$0.isOn })
    #expect(bench.bench.raised.contains(.switchRefused))
    #expect(bench.alarms.contains(.prechargeTimeout))
    #expect(!bench.outputs.chargeAllowed)
  }

  @Test("before it opens on purpose ATC opens; the contactor follows 2 s later (R76)")
  func opens() throws {
    var bench = SwitchBench.closed()
    let start = bench.now
    try bench.bench.device.perform(.requestMode(.standby, by: .app), at: start)
    bench.advance(.seconds(4))
    let charge = try #require(bench.commands(SwitchBench.allowToCharge, since: start).first)
    let contactor = try #require(bench.commands(SwitchBench.contactor, since: start).first)
    #expect(!charge.isOn)
    #expect(!contactor.isOn)
    #expect(charge.instant - start <= .milliseconds(20))
    #expect(contactor.instant - charge.instant >= .seconds(2))
    #expect(contactor.instant - charge.instant <= .milliseconds(2150))
    #expect(!bench.isOn(SwitchBench.contactor))
    #expect(bench.outputs.contactorClosed == false)
    #expect(bench.isOn(SwitchBench.auxiliary))
    #expect(bench.alarms.isEmpty)
  }

  @Test("ATC opens with the very frame that said 3.76 V, and the contactor stays (R104, R112)")
  func highCell() throws {
    var bench = SwitchBench.closed()
    let start = bench.now
    bench.bench.highest = 3.76
    bench.bench.sendCells()
    bench.exchange()
    // No time has passed: this is what the very call sent.
    #expect(bench.commands(SwitchBench.allowToCharge, since: start).map(\.isOn) == [false])
    bench.advance(.milliseconds(50))
    #expect(!bench.isOn(SwitchBench.allowToCharge))
    #expect(bench.isOn(SwitchBench.contactor))
    #expect(bench.isOn(SwitchBench.allowToDischarge))
  }

  @Test("a module that refuses to close: it is told, E-B26 follows, nothing is allowed")
  func refuses() {
    var bench = SwitchBench()
    bench.modules[0].bank.behaviour[SwitchBench.contactor] = .refuses
    var seen: Set<SwitchState> = []
    bench.advance(.seconds(8)) {
      if let state = $0.state(.contactor) { seen.insert(state) }
      return $0.alarms.contains(.contactorError)
    }
    #expect(seen.contains(.refused))
    #expect(bench.bench.raised.contains(.switchRefused))
    #expect(bench.alarms.contains(.contactorError))
    bench.advance(.seconds(1))
    #expect(!bench.outputs.chargeAllowed)
    #expect(!bench.outputs.dischargeAllowed)
    #expect(bench.outputs.contactorClosed == false)
  }

  @Test("a refusal and a command that is not supported are two things; the reason names role and cause")
  func notSupported() {
    let cases: [(SwitchModule.Behaviour, SwitchState)] = [(.refuses, .refused), (.doesNotSupport, .notSupported)]
    for (behaviour, expected) in cases {
      var bench = SwitchBench()
      bench.modules[0].bank.behaviour[SwitchBench.auxiliary] = behaviour
      bench.advance(.seconds(3))
      #expect(bench.state(.auxiliary) == expected)
      #expect(bench.alarms.contains(.switchRefused))
      bench.modules[0].bank.behaviour = [:]
      bench.advance(.seconds(3))
      #expect(bench.state(.auxiliary) == .follows(isOn: true))
      #expect(!bench.alarms.contains(.switchRefused))
    }
  }

  @Test("a module that takes the command and does not act: V-B42, and for the contactor E-B26")
  func pretends() {
    var bench = SwitchBench()
    bench.modules[0].bank.behaviour = [SwitchBench.contactor: .pretends, SwitchBench.auxiliary: .pretends]
    bench.advance(.seconds(8))
    #expect(bench.state(.auxiliary) == .notActing)
    #expect(bench.alarms.contains(.switchNotFollowing))
    #expect(bench.alarms.contains(.contactorError))
    #expect(bench.outputs.contactorClosed == false)
    #expect(!bench.outputs.chargeAllowed)
    bench.modules[0].bank.behaviour = [:]
    bench.advance(.seconds(3))
    #expect(!bench.alarms.contains(.switchNotFollowing))
  }

  @Test("commands that are lost are sent again: two lost ones harm nothing")
  func lostCommands() {
    var bench = SwitchBench()
    bench.advance(.seconds(8)) { $0.outputs.contactorCommand }
    #expect(bench.outputs.contactorCommand)
    bench.modules[0].isDeaf = true
    bench.advance(.milliseconds(150))
    bench.modules[0].isDeaf = false
    bench.advance(.seconds(1))
    #expect(bench.outputs.contactorClosed == true)
    #expect(bench.bench.raised.isEmpty)
  }

  @Test("a module that neither answers nor acts is named so; opening is repeated until the bank says open")
  func unanswered() {
    var bench = SwitchBench.closed()
    bench.modules[0].isDeaf = true
    let start = bench.now
    bench.bench.highest = 3.76
    bench.advance(.seconds(3))
    #expect(bench.isOn(SwitchBench.allowToCharge))
    #expect(bench.state(.allowToCharge) == .unanswered)
    #expect(bench.alarms.contains(.switchNotFollowing))
    let tries = bench.bench.commands(field: UInt8(SwitchBench.allowToCharge) + 1, since: start)
    #expect(tries.count >= 12)
    #expect(tries.count <= 20)
    bench.modules[0].isDeaf = false
    bench.advance(.milliseconds(600))
    #expect(!bench.isOn(SwitchBench.allowToCharge))
    #expect(bench.state(.allowToCharge) == .follows(isOn: false))
  }

  @Test("a contactor that closes by itself: told, commanded open at once, E-B26")
  func closesUnasked() throws {
    var bench = SwitchBench.closed()
    try bench.bench.device.perform(.requestMode(.standby, by: .app), at: bench.now)
    bench.advance(.seconds(5))
    #expect(bench.alarms.isEmpty)
    let start = bench.now
    bench.modules[0].bank.behaviour[SwitchBench.contactor] = .pretends
    bench.modules[0].bank.set(SwitchBench.contactor, true)
    bench.advance(.milliseconds(50))
    #expect(bench.state(.contactor) == .actedUnasked)
    #expect(bench.commands(SwitchBench.contactor, since: start).contains { !$0.isOn })
    #expect(bench.alarms.contains(.switchedUnasked))
    bench.advance(.seconds(1))
    #expect(bench.alarms.contains(.contactorError))
    #expect(bench.outputs.contactorClosed == true)
    bench.modules[0].bank.behaviour = [:]
    bench.advance(.seconds(1))
    #expect(!bench.isOn(SwitchBench.contactor))
  }

  @Test("a contactor that opens by itself is never closed again by a repetition: E-B26, and no command to close")
  func opensUnasked() {
    var bench = SwitchBench.closed()
    let start = bench.now
    bench.modules[0].bank.set(SwitchBench.contactor, false)
    bench.advance(.seconds(15))
    #expect(bench.bench.raised.contains(.switchedUnasked))
    #expect(bench.alarms.contains(.contactorError))
    #expect(!bench.outputs.chargeAllowed)
    #expect(bench.commands(SwitchBench.contactor, since: start).allSatisfy { !$0.isOn })
    #expect(!bench.isOn(SwitchBench.allowToCharge))
  }

  @Test("AUX that somebody switches off is switched on again, and told for 10 s")
  func auxiliaryUnasked() {
    var bench = SwitchBench.closed()
    bench.modules[0].bank.set(SwitchBench.auxiliary, false)
    bench.advance(.seconds(2))
    #expect(bench.isOn(SwitchBench.auxiliary))
    #expect(bench.alarms.contains(.switchedUnasked))
    bench.advance(.seconds(11))
    #expect(!bench.alarms.contains(.switchedUnasked))
  }

  @Test("a module that vanishes with the contactor closed: unknown after 5 s, told after 10 s, opened when it is back")
  func vanishes() throws {
    var bench = SwitchBench.closed()
    bench.modules[0].isAlive = false
    bench.advance(.milliseconds(3900))
    #expect(bench.outputs.contactorClosed == true)
    bench.advance(.seconds(2))
    #expect(bench.outputs.contactorClosed == nil)
    #expect(bench.alarms.contains(.feedbackLost))
    bench.advance(.seconds(6))
    #expect(try #require(bench.bench.last(127501))[1] & 0b11 == 3)
    #expect(bench.state(.contactor) == .silent(SwitchModule.name))
    #expect(bench.alarms.contains(.moduleLost))
    try bench.bench.device.perform(.requestMode(.standby, by: .app), at: bench.now)
    bench.advance(.seconds(6))
    bench.modules[0].isAlive = true
    bench.advance(.seconds(1))
    #expect(!bench.isOn(SwitchBench.contactor))
    #expect(!bench.isOn(SwitchBench.allowToCharge))
    #expect(!bench.alarms.contains(.moduleLost))
  }

  @Test("two modules that fit: neither closes anything, and the alarm tells")
  func ambiguous() {
    var bench = SwitchBench(
      SwitchBench.configuration(),
      modules: [
        SwitchModule(),
        SwitchModule(Name(uniqueNumber: 2002, manufacturer: 137, function: 140, deviceClass: 30), address: 60),
      ])
    bench.advance(.seconds(8))
    #expect(bench.alarms.contains(.senderAmbiguous))
    #expect(!bench.isOn(SwitchBench.contactor))
    #expect(!bench.modules[1].bank.isOn[SwitchBench.contactor])
    #expect(bench.outputs.contactorClosed == nil)
    #expect(!bench.outputs.chargeAllowed)
  }

  @Test("the auxiliary contact is the feedback where it is wired: a contactor that does not follow its coil is E-B26")
  func auxiliaryContact() {
    var configuration = SwitchBench.configuration()
    configuration.indicators[.contactorFeedback] = IndicatorWiring(
      sender: DeviceSelector(manufacturer: 137, function: 140), bank: 3, indicator: 7)
    var bench = SwitchBench(configuration)
    bench.isStuckOpen = true
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == false)
    #expect(bench.alarms.contains(.contactorError))
  }

  @Test("Off: everything opens, says so, then the bus is silent; switched on it claims again (R35)")
  func silence() throws {
    var bench = SwitchBench.closed()
    try bench.bench.device.perform(.requestMode(.off, by: .app), at: bench.now)
    bench.advance(.seconds(7))
    #expect(!bench.isOn(SwitchBench.contactor))
    #expect(!bench.isOn(SwitchBench.auxiliary))
    #expect(bench.bench.device.status(at: bench.now).isSilent)
    #expect(bench.bench.register(.bmsState)?.code(.bmsState) == 12)
    let count = bench.bench.sent.count
    bench.advance(.seconds(30))
    #expect(bench.bench.sent.count == count)
    let start = bench.now
    try bench.bench.device.perform(.requestMode(.on, by: .app), at: bench.now)
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
    let claim = bench.bench.sent.dropFirst(count).first { MessageIdentifier($0.entry.frame.identifier)?.pgn == 60928 }
    #expect(try #require(claim).instant - start <= .milliseconds(300))
  }

  @Test("Off does not silence a device whose contactor does not open: the alarm must be heard")
  func noSilenceWhileClosed() throws {
    var bench = SwitchBench.closed()
    bench.modules[0].bank.behaviour[SwitchBench.contactor] = .pretends
    try bench.bench.device.perform(.requestMode(.off, by: .app), at: bench.now)
    bench.advance(.seconds(20))
    #expect(!bench.bench.device.status(at: bench.now).isSilent)
    #expect(bench.alarms.contains(.contactorError))
    bench.modules[0].bank.behaviour = [:]
    bench.advance(.seconds(5))
    #expect(!bench.isOn(SwitchBench.contactor))
    #expect(bench.bench.device.status(at: bench.now).isSilent)
  }

  @Test("leaving opens ATC at once and the contactor after its 2 s; released only when the module says so")
  func leaving() {
    var bench = SwitchBench.closed()
    bench.bench.device.withdraw(at: bench.now)
    bench.exchange()
    bench.advance(.milliseconds(50))
    #expect(!bench.isOn(SwitchBench.allowToCharge))
    #expect(!bench.bench.device.isReleased)
    bench.advance(.seconds(3))
    #expect(!bench.isOn(SwitchBench.contactor))
    #expect(bench.commands(SwitchBench.contactor).last?.isOn == false)
  }

  @Test("old modules are told by 127502, which nobody answers; the bank that comes back decides")
  func switchBankControl() {
    let bench = SwitchBench.closed(SwitchBench.configuration(command: .switchBankControl))
    #expect(bench.outputs.contactorClosed == true)
    #expect(bench.bench.sent.contains { MessageIdentifier($0.entry.frame.identifier)?.pgn == 127502 })
    #expect(!bench.bench.sent.contains { MessageIdentifier($0.entry.frame.identifier)?.pgn == 126208 })
    #expect(bench.alarms.isEmpty)
  }

  @Test("the relay of our own bank is where its module says, not where it was told to be")
  func relay() throws {
    var configuration = SwitchBench.configuration()
    configuration.switches[.relay] = SwitchWiring(
      IndicatorWiring(sender: DeviceSelector(manufacturer: 137, function: 140), bank: 3, indicator: 6))
    var bench = SwitchBench.closed(configuration)
    func indicator() throws -> UInt8 { try #require(bench.bench.last(127501))[2] & 0b11 }
    #expect(try indicator() == 0)
    bench.modules[0].bank.behaviour[6] = .pretends
    bench.bench.lowest = 2.59
    bench.advance(.seconds(3))
    #expect(bench.outputs.relayActive)
    #expect(try indicator() == 0)
    bench.modules[0].bank.behaviour = [:]
    bench.advance(.seconds(3))
    #expect(try indicator() == 1)
  }

  @Test("a command on our own bank is refused: contacts are not for plotters to switch (R308)")
  func ownBank() throws {
    var bench = SwitchBench.closed()
    let own = try #require(bench.bench.device.status(at: bench.now).address)
    var command = GroupFunctionCommand(127501)
    command.append(field: 1, value: 0, byteCount: 1)
    command.append(field: 2, value: 0, byteCount: 1)
    bench.modules[0].node.send(command, to: own, at: bench.now)
    let start = bench.now
    bench.exchange()
    let answer = bench.bench.sent.last {
      MessageIdentifier($0.entry.frame.identifier)?.pgn == 126208 && $0.instant >= start
        && $0.entry.frame.payload[0] & 0x1F == 0 && $0.entry.frame.payload[2] == 2
    }
    // 02 0D F2 01, then PGN error 3: access denied.
    #expect(Array(try #require(answer).entry.frame.payload[2...6]) == [2, 0x0D, 0xF2, 0x01, 0x03])
    #expect(bench.isOn(SwitchBench.contactor))
  }

  @Test("system voltage by register 0xED7D closes the contactor as well")
  func systemVoltageRegister() {
    var configuration = SwitchBench.configuration()
    configuration.systemVoltage?.place = .register
    var bench = SwitchBench(configuration)
    for _ in 0..<80 {
      bench.advance(.milliseconds(100))
      let bits = UInt64(bench.system * 100) << 32 | 0xED7D_9966
      bench.bench.put(
        CANDataFrame(
          MessageIdentifier(priority: 7, pgn: 61184, source: Bench.batteryAddress).canIdentifier,
          CANPayload(littleEndian: bits, count: 8)))
    }
    #expect(bench.outputs.contactorClosed == true)
    #expect(bench.alarms.isEmpty)
  }

  @Test(
    "R20: a repetition closes no contactor whose module restarted open in between, however seldom it sends its bank",
    arguments: [1.0, 2.5, 3600])
  func refreshAfterRestart(period: Double) {
    var configuration = SwitchBench.configuration()
    configuration.switches[.contactor]?.refresh = .seconds(1)
    var closed = SwitchBench(configuration)
    closed.modules[0].period = TimeSpan(seconds: period)
    closed.advance(.seconds(8))
    #expect(closed.isOn(SwitchBench.contactor))
    let began = closed.now
    closed.advance(.seconds(10))
    let repetitions = closed.commands(SwitchBench.contactor, since: began)
    #expect(repetitions.count >= 8 && repetitions.count <= 10 && repetitions.allSatisfy(\.isOn), "it is repeated")
    for phase in 0..<20 {
      var bench = closed
      bench.advance(.milliseconds(Int64(phase) * 50))
      bench.modules[0].isAlive = false
      for indicator in 1...8 { bench.modules[0].bank.isOn[indicator] = false }
      bench.system = 0
      bench.advance(.milliseconds(400))
      bench.modules[0].isAlive = true
      let back = bench.now
      bench.advance(.seconds(5)) { $0.isOn(SwitchBench.contactor) || $0.isOn(SwitchBench.precharge) }
      #expect(!bench.isOn(SwitchBench.contactor), "phase \(phase)")
      #expect(bench.commands(SwitchBench.contactor, since: back).allSatisfy { !$0.isOn }, "phase \(phase)")
    }
  }

  @Test("a module that does not say where its contactor is gets no repetition, and opens by its own time-out")
  func refreshUnseen() {
    var configuration = SwitchBench.configuration()
    configuration.switches[.contactor]?.refresh = .seconds(1)
    var bench = SwitchBench.closed(configuration)
    bench.advance(.milliseconds(500))
    let since = bench.now + .milliseconds(210)
    bench.modules[0].isMute = true
    bench.advance(.seconds(8))
    #expect(bench.commands(SwitchBench.contactor, since: since).isEmpty)
  }

  @Test("design rule 7: 0x2108 and 0x034E say of relay and AUX what their module says, and not what it was told")
  func seenContacts() throws {
    var configuration = SwitchBench.configuration()
    configuration.switches[.relay] = SwitchWiring(
      IndicatorWiring(sender: DeviceSelector(manufacturer: 137, function: 140), bank: 3, indicator: 6))
    var bench = SwitchBench(configuration)
    bench.modules[0].bank.behaviour = [6: .pretends, SwitchBench.auxiliary: .pretends]
    bench.bench.lowest = 3.1
    bench.advance(.seconds(8))
    #expect(bench.outputs.relayActive && bench.outputs.auxiliary)
    let since = bench.now
    bench.advance(.seconds(15))
    let contacts = try #require(bench.bench.register(.bmsContacts, since: since))
    #expect(contacts[BMSContact.relay] == .no && contacts[BMSContact.auxiliary] == .no)
  }
}
