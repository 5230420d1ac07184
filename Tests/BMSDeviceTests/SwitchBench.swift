import BMSCore
import BMSDevice
import CANBus
import MonotonicTime
import NMEA2000
import Testing
import VECan

/// A switching module: a node of its own with a 127501 bank that is commanded by 126208, as a good one does it, or as a
/// bad one.
struct SwitchModule {
  static let name = Name(uniqueNumber: 2001, manufacturer: 137, function: 140, deviceClass: 30)

  /// What the module makes of commands.
  enum Behaviour {
    case obeys
    /// Answers that access is denied.
    case refuses
    /// Answers that there is no such field.
    case doesNotSupport
    /// Answers that it is done, and does nothing.
    case pretends
  }

  struct Bank: NodeApplication {
    var instance: UInt8 = 3
    var isOn = [Bool](repeating: false, count: 29)
    var behaviour: [Int: Behaviour] = [:]
    var commands: [(indicator: Int, isOn: Bool, instant: Instant)] = []
    var isChanged = false
    /// A relay takes its time.
    static let moveTime = TimeSpan.milliseconds(20)
    private var moves: [(indicator: Int, isOn: Bool, instant: Instant)] = []

    mutating func move(at now: Instant) {
      while let next = moves.first, next.instant <= now {
        moves.removeFirst()
        set(next.indicator, next.isOn)
      }
    }

    mutating func commanded(_ command: PGNCommand) -> GroupFunctionAnswer {
      guard command.pgn == 127501, command.parameters.count == 2, command.parameters[0].bits == UInt64(instance) else {
        return .refused(.notAvailable)
      }
      let indicator = Int(command.parameters[1].field) - 1
      let wanted = command.parameters[1].bits == 1
      commands.append((indicator, wanted, command.instant))
      switch behaviour[indicator] ?? .obeys {
      case .obeys: moves.append((indicator, wanted, command.instant + Self.moveTime))
      case .refuses: return .refused(.accessDenied)
      case .doesNotSupport: return GroupFunctionAnswer(parameters: [.none, .invalidField])
      case .pretends: break
      }
      return .accepted
    }

    mutating func requested(_ request: PGNRequest) -> RequestAnswer {
      isChanged = true
      return .willSend
    }

    mutating func received(_ header: MessageHeader, _ payload: RawSpan) {
      guard header.pgn == SwitchBankControl.definition.pgn else { return }
      let control = SwitchBankControl(payload: payload)
      guard control.instance.value == Int(instance) else { return }
      for number in 1...28 {
        if case .value(let wanted) = control[switch: number] {
          commands.append((number, wanted, header.instant))
          moves.append((number, wanted, header.instant + Self.moveTime))
        }
      }
    }

    mutating func set(_ indicator: Int, _ wanted: Bool) {
      if isOn[indicator] != wanted { isChanged = true }
      isOn[indicator] = wanted
    }
  }

  var node: Node
  var bank = Bank()
  /// Whether it is connected.
  var isAlive = true
  /// Whether it hears commands.
  var isDeaf = false
  /// It obeys and says nothing of its switches.
  var isMute = false
  /// It sends its bank this often, and on change.
  var period = TimeSpan.seconds(1)
  private var nextBank = Instant.origin

  init(_ name: Name = SwitchModule.name, address: UInt8 = 50) {
    node = Node(
      identity: NodeIdentity(
        name: name, preferredAddress: address,
        product: ProductDescription(productCode: 1, model: "relays", softwareVersion: "1", serialNumber: "1")),
      transmitted: [TransmittedPGN(127501)], received: [127501, 127502], randomSeed: UInt64(address))
    node.start(at: .origin)
  }

  mutating func receive(_ frame: CANDataFrame, at now: Instant) {
    guard isAlive, frame.identifier.isExtended else { return }
    if isDeaf, MessageIdentifier(frame.identifier)?.pgn == 126208 { return }
    node.receive(frame, at: now, application: &bank)
  }

  mutating func run(at now: Instant) {
    bank.move(at: now)
    guard isAlive else {
      node.outbox.removeAll()
      return
    }
    node.tick(at: now)
    while node.nextEvent() != nil {}
    guard !isMute, node.address != nil, bank.isChanged || nextBank <= now else { return }
    bank.isChanged = false
    nextBank = now + period
    var status = BinarySwitchBankStatus()
    status.instance = .value(Int(bank.instance))
    for number in 1...8 { status[indicator: number] = .value(bank.isOn[number]) }
    node.send(status, at: now)
  }
}

/// A BMS with a contactor: battery, pre-charge circuit and switching modules around the device.
struct SwitchBench {
  static let contactor = 1
  static let precharge = 2
  static let allowToCharge = 3
  static let allowToDischarge = 4
  static let auxiliary = 5
  static let thermal = 8

  var bench: Bench
  var modules: [SwitchModule]
  /// Volts behind the contactor.
  var system = 0.0
  /// Volts of a charger on the system side; nil while there is none.
  var charger: Double?
  /// Whether the module's relay moves the contactor.
  var isStuckOpen = false
  private var delivered = 0
  private var nextBattery = Instant.origin

  static func configuration(command: SwitchWiring.Command = .groupFunction) -> DeviceConfiguration {
    var configuration = Bench.configuration()
    let module = DeviceSelector(manufacturer: 137, function: 140)
    func output(_ number: Int) -> SwitchWiring {
      SwitchWiring(IndicatorWiring(sender: module, bank: 3, indicator: UInt8(number)), command: command)
    }
    configuration.switches = [
      .contactor: output(contactor), .precharge: output(precharge), .allowToCharge: output(allowToCharge),
      .allowToDischarge: output(allowToDischarge), .auxiliary: output(auxiliary),
    ]
    configuration.systemVoltage = ValueWiring(
      sender: DeviceSelector(manufacturer: 358, uniqueNumber: 1001), place: .batteryStatus(instance: 1))
    return configuration
  }

  init(_ configuration: DeviceConfiguration = SwitchBench.configuration(), modules: [SwitchModule] = [SwitchModule()]) {
    bench = Bench(configuration)
    self.modules = modules
    bench.isAlive = false
    bench.claim()
  }

  /// A device whose contactor is closed.
  static func closed(_ configuration: DeviceConfiguration = SwitchBench.configuration()) -> SwitchBench {
    var bench = SwitchBench(configuration)
    bench.advance(.seconds(8))
    return bench
  }

  /// Everything is closed, then it is switched off, for so long.
  mutating func switchOff(for span: TimeSpan) throws {
    advance(.seconds(8))
    try request(.off)
    advance(span)
  }

  /// A second module, with bank 5: it sends it on change and when it is asked. What is wired to it is on.
  static func onChange(_ indicators: [WiredRole: UInt8]) -> SwitchBench {
    var configuration = SwitchBench.configuration()
    var module = SwitchModule(
      Name(uniqueNumber: 2002, manufacturer: 137, function: 130, deviceClass: 30), address: 60)
    module.period = .minutes(60)
    module.bank.instance = 5
    for (role, indicator) in indicators {
      configuration.indicators[role] = IndicatorWiring(
        sender: DeviceSelector(manufacturer: 137, uniqueNumber: 2002), bank: 5, indicator: indicator)
      module.bank.isOn[Int(indicator)] = true
    }
    var bench = SwitchBench(configuration, modules: [SwitchModule(), module])
    bench.bench.current = 0
    return bench
  }

  /// What an app asks for.
  mutating func request(_ mode: Mode) throws { try bench.device.perform(.requestMode(mode, by: .app), at: now) }

  var isSilent: Bool { bench.device.status(at: now).isSilent }

  var now: Instant { bench.now }
  var outputs: Outputs { bench.device.status(at: bench.now).outputs }
  var alarms: AlarmSet { outputs.alarms }
  func isOn(_ indicator: Int) -> Bool { modules[0].bank.isOn[indicator] }
  func state(_ role: WiredRole) -> SwitchState? { bench.device.status(at: bench.now).switches[role] }
  func commands(_ indicator: Int, since: Instant = .origin) -> [(isOn: Bool, instant: Instant)] {
    modules[0].bank.commands.filter { $0.indicator == indicator && $0.instant >= since }.map { ($0.isOn, $0.instant) }
  }

  /// Moves time on in steps of 10 ms.
  mutating func advance(_ span: TimeSpan, until met: (SwitchBench) -> Bool = { _ in false }) {
    let end = bench.now + span
    while bench.now < end {
      bench.now += .milliseconds(10)
      moveCircuit()
      if nextBattery <= bench.now {
        nextBattery = bench.now + .milliseconds(250)
        bench.sendBattery()
        sendSystem()
      }
      if bench.device.nextDeadline <= bench.now { bench.device.run(at: bench.now) }
      exchange()
      if met(self) { return }
    }
  }

  /// Frames go both ways until nobody has anything to say.
  mutating func exchange() {
    for _ in 0..<10 {
      bench.collect()
      let news = bench.sent[delivered...]
      delivered = bench.sent.count
      var isQuiet = news.isEmpty
      for index in modules.indices {
        for item in news { modules[index].receive(item.entry.frame, at: bench.now) }
        modules[index].run(at: bench.now)
        while let entry = modules[index].node.outbox.popFirst() {
          isQuiet = false
          bench.put(entry.frame)
          for other in modules.indices where other != index { modules[other].receive(entry.frame, at: bench.now) }
        }
      }
      if isQuiet { return }
    }
  }

  private mutating func moveCircuit() {
    let battery = bench.voltage ?? 0
    if isOn(Self.contactor), !isStuckOpen {
      system = battery
    } else if isOn(Self.precharge) {
      system += (battery - system) * 0.04  // a time constant of 250 ms
    } else {
      system = charger ?? system * 0.998
    }
  }

  private mutating func sendSystem() {
    var status = BatteryStatus()
    status.instance = .value(1)
    status.voltage = .value(system)
    bench.put(status.payload, BatteryStatus.definition.pgn, priority: 6, from: Bench.batteryAddress)
  }
}

extension SwitchBench: CustomTestStringConvertible {
  /// Short: a bench that is printed whole fills the screen a hundred times.
  var testDescription: String { "a bench at \((now - .origin).seconds) s" }
}
