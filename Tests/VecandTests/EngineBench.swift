import BMSDevice
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import VECan

@testable import vecand

/// The engine on buses in memory, in virtual time, with a battery that is played by hand and a log of all frames.
final class EngineBench {
  /// What a BMS-CAN beside VE.Can is for.
  enum BatteryBus {
    /// The engine's 11-bit frames; nobody else is there.
    case output
    /// The battery, which speaks in 11-bit frames there instead of in registers on VE.Can.
    case source
  }

  static let battery = Name(uniqueNumber: 1001, manufacturer: 358, function: 170, deviceClass: 35)

  let bus: InMemoryBus
  let mailbox: Mailbox
  private(set) var heard: [ReceivedFrame] = []
  private(set) var heardOnBatteryBus: [ReceivedFrame] = []
  private(set) var reports: [EngineReport] = []
  /// How many frames it had received when it reported each.
  private(set) var receivedAtReport: [UInt64] = []
  /// The longest row of waits that let no time pass. A row of a thousand is taken for one without an end: then it passes.
  private(set) var longestSpin = 0
  private var spin = 0
  /// What to do in the third wait of such a row.
  var inSpin: ((EngineBench) -> Void)?
  private(set) var transport: InMemoryTransport?
  private(set) var batteryTransport: InMemoryTransport?
  /// The highest cell that the battery tells, volts.
  var highest = 3.33
  private let use: BatteryBus?
  private let node: InMemoryBus.Node
  private let second: (bus: InMemoryBus, node: InMemoryBus.Node)?
  private var script: [(instant: Instant, action: (EngineBench) -> Void)] = []
  private var nextBattery = Instant.origin

  init(bitrate: Int = 250_000, batteryBus use: BatteryBus? = nil) throws {
    bus = InMemoryBus(seed: 1, bitrate: bitrate, transmitQueueLength: bitrate == 0 ? 2000 : 10)
    node = bus.attach()
    self.use = use
    second = use.map { _ in
      let bus = InMemoryBus(seed: 2, bitrate: 500_000, transmitQueueLength: 10)
      return (bus, bus.attach())
    }
    mailbox = try Mailbox()
  }

  /// Does something at a moment of the run; of the same moment in the order in which it was asked for.
  func at(_ instant: Instant, _ action: @escaping (EngineBench) -> Void) { script.append((instant, action)) }

  /// From a moment on the battery's highest cell has so many volts, and it says so at once.
  func raiseCell(to volts: Double, at instant: Instant) {
    at(instant) {
      $0.highest = volts
      $0.sendCells(at: instant)
    }
  }

  /// Runs the engine from the origin until `end`, when it is told to shut down or `command`.
  func run(until end: Instant, then command: EngineCommand = .shutDown) {
    at(end) { $0.mailbox.post(command) }
    // Kept in order for equal moments, which sort(by:) does not promise.
    script = script.enumerated().sorted { ($0.element.instant, $0.offset) < ($1.element.instant, $1.offset) }
      .map(\.element)
    let transport = InMemoryTransport(bus) { [unowned self] in pause(until: $0) }
    self.transport = transport
    batteryTransport = second.map { InMemoryTransport($0.bus, interface: "bms-can") }
    let engine = Engine(
      transport: transport, batteryTransport: batteryTransport,
      device: BMSDevice(configuration: configuration, randomSeed: 1, at: .origin), mailbox: mailbox,
      report: { [unowned self] in
        reports.append($0)
        receivedAtReport.append(transport.counters.received)
      })
    engine.run()
    take(until: Instant(nanoseconds: .max))
  }

  private var configuration: DeviceConfiguration {
    var configuration = DeviceConfiguration()
    configuration.identity.uniqueNumber = 42
    configuration.hasBatteryBus = use != nil
    if use == .source {
      configuration.monitor = MonitorWiring(sender: DeviceSelector(), place: .batteryFrames)
      configuration.cells = CellWiring(sender: DeviceSelector(), place: .batteryFrames)
      configuration.sendsBatteryFrames = false
    } else {
      configuration.monitor = MonitorWiring(sender: DeviceSelector(uniqueNumber: 1001))
      configuration.cells = CellWiring(sender: DeviceSelector(uniqueNumber: 1001))
    }
    return configuration
  }

  private func take(until target: Instant) {
    bus.receive(for: node, until: target, into: &heard)
    if let second { second.bus.receive(for: second.node, until: target, into: &heardOnBatteryBus) }
  }

  private func pause(until deadline: Instant) -> Instant {
    var target = min(deadline, nextBattery, script.first?.instant ?? deadline)
    spin = target <= transport?.now ?? .origin ? spin + 1 : 0
    longestSpin = max(longestSpin, spin)
    if spin == 3 { inSpin?(self) }
    if spin >= 1000 { target = target + .milliseconds(1) }
    take(until: target)
    if nextBattery <= target {
      nextBattery = target + .milliseconds(500)
      if use == .source { sendFrames(at: target) } else { sendMessages(at: target) }
    }
    while let (instant, action) = script.first, instant <= target {
      script.removeFirst()
      action(self)
    }
    return target
  }

  // MARK: What the battery says

  private func sendMessages(at now: Instant) {
    send(60928, CANPayload(littleEndian: Self.battery.rawValue, count: 8), at: now)
    var status = BatteryStatus()
    status.instance = .value(0)
    status.voltage = .value(13.3)
    status.current = .value(10)
    send(127508, status.payload, at: now)
    sendCells(at: now)
  }

  private func sendCells(at now: Instant) {
    send(61184, RegisterMessage(.cellVoltages, .value(3.30), .value(highest)).message.payload, at: now)
  }

  private func sendFrames(at now: Instant) {
    guard let second else { return }
    let frames: [CANDataFrame?] = [
      LimitsFrame(chargeVoltage: 14, chargeCurrent: 50, dischargeCurrent: 80, dischargeVoltage: 11).frame,
      MeasurementsFrame(voltage: 13.3, current: 10, temperature: 25).frame, AlarmsFrame().frame,
      CellsFrame(lowestVoltage: 3.3, highestVoltage: highest, lowestTemperature: 25, highestTemperature: 25).frame,
    ]
    for frame in frames.compactMap(\.self) { _ = second.bus.send(.data(frame), from: second.node, at: now) }
    // The same on the wrong bus is nobody's.
    let wrong = LimitsFrame(chargeVoltage: 14, chargeCurrent: 1, dischargeCurrent: 1, dischargeVoltage: 11).frame
    guard let wrong else { return }
    _ = bus.send(.data(wrong), from: node, at: now)
  }

  private func send(_ pgn: PGN, _ payload: ShortPayload, at now: Instant) {
    send(pgn, CANPayload(littleEndian: UInt64(truncatingIfNeeded: payload.bytes), count: payload.count), at: now)
  }

  private func send(_ pgn: PGN, _ payload: CANPayload, at now: Instant) {
    let identifier = MessageIdentifier(priority: 6, pgn: pgn, source: 20).canIdentifier
    _ = bus.send(.data(CANDataFrame(identifier, payload)), from: node, at: now)
  }

  // MARK: What others say

  /// Asks the BMS at address 35 for a register.
  func ask(_ id: UInt16, at now: Instant) {
    say([0x66, 0x99, 0x01, 0x00, UInt8(id & 0xFF), UInt8(id >> 8), 0xFF, 0xFF], at: now)
  }

  /// Sends bytes of 61184 from address 50 to the BMS at address 35; whether the bus takes them.
  @discardableResult
  func say(_ bytes: [UInt8], at now: Instant) -> Bool {
    let identifier = MessageIdentifier(priority: 7, pgn: 61184, source: 50, destination: 35).canIdentifier
    let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return bus.send(
      .data(CANDataFrame(identifier, CANPayload(littleEndian: bits, count: bytes.count))), from: node, at: now)
  }

  // MARK: What was heard

  /// What was said in single frames of 61184, with its time.
  private var registers: [(instant: Instant, bytes: [UInt8])] {
    heard.compactMap { received in
      guard case .data(let frame) = received.frame, MessageIdentifier(frame.identifier)?.pgn == 61184 else {
        return nil
      }
      return (received.instant, Array(frame.payload))
    }
  }

  /// What was said in single frames of 61184.
  var payloads: [[UInt8]] { registers.map(\.bytes) }

  /// The values of a register in the order heard, with their times.
  func values(of register: Register) -> [(instant: Instant, number: Reading<Double>)] {
    registers.compactMap { instant, bytes in
      RegisterMessage(VictronRegister(payload: bytes.span.bytes))?.number(register).map { (instant, $0) }
    }
  }

  /// Its values within a time.
  func values(of register: Register, between begin: Instant, and end: Instant) -> [Reading<Double>] {
    values(of: register).filter { $0.instant > begin && $0.instant < end }.map(\.number)
  }

  /// The 11-bit frames of an identifier within a time.
  func batteryFrames(_ identifier: CANIdentifier, between begin: Instant, and end: Instant) -> [CANPayload] {
    heardOnBatteryBus.compactMap {
      guard case .data(let frame) = $0.frame, frame.identifier == identifier, $0.instant > begin, $0.instant < end
      else { return nil }
      return frame.payload
    }
  }

  /// The addresses that were claimed, in their order.
  var claims: [UInt8] {
    heard.compactMap { received in
      guard case .data(let frame) = received.frame, let identifier = MessageIdentifier(frame.identifier),
        identifier.pgn == 60928
      else { return nil }
      return identifier.source
    }
  }
}
