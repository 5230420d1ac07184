import BMSCore
import BMSDevice
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import VECan

/// A device on a bench: frames are put in by hand, time is moved by hand, and what comes out is kept.
struct Bench {
  /// The battery that plays against the device, as its NAME is wired in ``configuration()``.
  static let batteryName = Name(uniqueNumber: 1001, manufacturer: 358, function: 170, deviceClass: 35)
  static let batteryAddress: UInt8 = 20

  var device: BMSDevice
  var now = Instant.origin
  /// Everything the device has sent, with the time.
  var sent: [(instant: Instant, entry: Outbox.Entry)] = []
  var events: [DeviceEvent] = []
  /// What the battery says each half second while it is alive.
  var voltage: Double? = 13.3
  var current: Double? = 10
  var temperature: Double? = 25
  var lowest: Double? = 3.32
  var highest: Double? = 3.33
  var isAlive = true
  private var nextBattery = Instant.origin

  static func configuration() -> DeviceConfiguration {
    var configuration = DeviceConfiguration()
    configuration.identity.uniqueNumber = 42
    let sender = DeviceSelector(manufacturer: 358, uniqueNumber: 1001)
    configuration.monitor = MonitorWiring(sender: sender)
    configuration.cells = CellWiring(sender: sender)
    return configuration
  }

  init(_ configuration: DeviceConfiguration = Bench.configuration(), snapshot: Snapshot? = nil) {
    device = BMSDevice(configuration: configuration, snapshot: snapshot, randomSeed: 1, at: .origin)
    device.join(at: now)
    collect()
  }

  /// Moves time on in steps of a millisecond, with the battery talking.
  mutating func advance(_ span: TimeSpan) {
    let end = now + span
    while now < end {
      now += .milliseconds(1)
      if isAlive, nextBattery <= now {
        nextBattery = now + .milliseconds(500)
        sendBattery()
      }
      if device.nextDeadline <= now { device.run(at: now) }
      collect()
    }
  }

  /// Puts a frame in, as the engine does.
  mutating func put(_ frame: CANDataFrame) {
    device.receive(ReceivedFrame(.data(frame), at: now), at: now)
    device.run(at: now)
    collect()
  }

  mutating func claim(_ name: Name = Bench.batteryName, at address: UInt8 = Bench.batteryAddress) {
    put(
      CANDataFrame(
        MessageIdentifier(priority: 6, pgn: 60928, source: address).canIdentifier,
        CANPayload(littleEndian: name.rawValue, count: 8)))
  }

  mutating func sendBattery(from address: UInt8 = Bench.batteryAddress) {
    sendMonitor(from: address)
    sendCells(from: address)
  }

  mutating func sendMonitor(from address: UInt8 = Bench.batteryAddress) {
    var status = BatteryStatus()
    status.instance = .value(0)
    status.voltage = Reading(voltage)
    status.current = Reading(current)
    status.temperature = Reading(temperature.map { $0 + 273.15 })
    put(status.payload, BatteryStatus.definition.pgn, priority: 6, from: address)
  }

  mutating func sendCells(from address: UInt8 = Bench.batteryAddress) {
    let cells = RegisterMessage(.cellVoltages, Reading(lowest), Reading(highest))
    put(cells.message.payload, VictronRegister.definition.pgn, priority: 7, from: address)
  }

  mutating func sendCell(battery: Int, cell: Int, _ volts: Double) {
    var register = RegisterMessage(.cellVoltage, .value(Double(battery)), .value(Double(cell)))
    register.set(.value(volts), field: 2, of: .cellVoltage)
    put(
      register.message.payload, VictronRegister.definition.pgn, priority: 7,
      from: Self.batteryAddress)
  }

  mutating func put(_ payload: ShortPayload, _ pgn: PGN, priority: UInt8, from address: UInt8) {
    put(
      CANDataFrame(
        MessageIdentifier(priority: priority, pgn: pgn, source: address).canIdentifier,
        CANPayload(littleEndian: UInt64(truncatingIfNeeded: payload.bytes), count: payload.count)))
  }

  mutating func collect() {
    while let entry = device.outbox.popFirst() { sent.append((now, entry)) }
    while let event = device.nextEvent() { events.append(event) }
  }

  /// A claimed device with a battery that was heard for a while: running, limits given.
  static func running(
    _ configuration: DeviceConfiguration = Bench.configuration(), snapshot: Snapshot? = nil
  ) -> Bench {
    var bench = Bench(configuration, snapshot: snapshot)
    bench.claim()
    bench.advance(.seconds(3))
    return bench
  }

  /// What a run left that knew the state of charge.
  static func counted(_ percent: Double) -> Snapshot {
    var snapshot = Snapshot()
    (snapshot.isStateOfChargeKnown, snapshot.isStateOfChargeTrusted) = (true, true)
    snapshot.missing = 200 * (1 - percent / 100)
    snapshot.consumed = -snapshot.missing
    snapshot.secondsSinceFullCharge = 0
    return snapshot
  }

  // MARK: What was sent

  /// The last sent frame of an 11-bit identifier, since `since`.
  func last(_ identifier: CANIdentifier, since: Instant = .origin) -> [UInt8]? {
    sent.last { $0.entry.frame.identifier == identifier && $0.instant >= since }.map { Array($0.entry.frame.payload) }
  }

  /// The last sent single-frame payload of a PGN, since `since`.
  func last(_ pgn: PGN, since: Instant = .origin) -> [UInt8]? {
    sent.last {
      MessageIdentifier($0.entry.frame.identifier)?.pgn == pgn && $0.instant >= since
    }.map { Array($0.entry.frame.payload) }
  }

  /// The last sent value of a register, since `since`.
  func register(_ register: Register, since: Instant = .origin) -> RegisterMessage? {
    for (instant, entry) in sent.reversed() where instant >= since {
      guard MessageIdentifier(entry.frame.identifier)?.pgn == VictronRegister.definition.pgn,
        let message = RegisterMessage(VictronRegister(payload: Array(entry.frame.payload).span.bytes)),
        message.id == register.id
      else { continue }
      return message
    }
    return nil
  }

  /// The last sent value of a register of one number, since `since`; nil when none was sent.
  func number(_ register: Register, since: Instant = .origin) -> Reading<Double>? {
    self.register(register, since: since)?.number(register)
  }

  var senders: [SenderState] {
    events.compactMap { if case .sender(_, let state) = $0 { state } else { nil } }
  }
}

extension Bench {
  /// Every alarm that was raised since the start.
  var raised: AlarmSet {
    var alarms = AlarmSet()
    for event in events { if case .core(let step, _) = event { alarms.formUnion(step.raised) } }
    return alarms
  }

  /// The commands by 126208 on a field of 127501, as their second frames show them.
  func commands(field: UInt8, since: Instant = .origin) -> [Instant] {
    sent.filter {
      MessageIdentifier($0.entry.frame.identifier)?.pgn == 126208 && $0.instant >= since
        && $0.entry.frame.payload[0] & 0x1F == 1 && $0.entry.frame.payload[3] == field
    }.map(\.instant)
  }
}

extension Bench {
  /// A register report with these value bits.
  mutating func sendRegister(_ number: UInt16, _ value: UInt32, from address: UInt8 = Bench.batteryAddress) {
    let bits = UInt64(value) << 32 | UInt64(number) << 16 | 0x9966
    put(
      CANDataFrame(
        MessageIdentifier(priority: 7, pgn: 61184, source: address).canIdentifier,
        CANPayload(littleEndian: bits, count: 8)))
  }
}
