import BMSCore
import BatterySimulator
import CANBus
import MonotonicTime
import NMEA2000
import VECan

/// The simulated battery as a device on the bus: it measures itself and sends 127508, 127506 and cell registers, and its
/// charger and loads obey the limits that they read from the bus. Nothing passes between it and the BMS but frames.
struct DemoBattery {
  static let name = Name(uniqueNumber: 1, manufacturer: 2046, function: 170, deviceClass: 35)
  /// Chargers forget a limit that nobody repeats (dvcc-dbus.md section 0.1: 60 s).
  static let limitsForgottenAfter = TimeSpan.seconds(60)
  /// The plant is computed this often.
  static let plantInterval = TimeSpan.milliseconds(500)
  /// Cells and current are sent this often: OD-20 calls a current of over 500 ms late.
  static let sendInterval = TimeSpan.milliseconds(500)

  private(set) var battery: SimpleBattery
  private var node: Node
  private var listener = LimitListener()
  private var reading: BatteryReading
  private var nextPlant: Instant
  private var nextSend: Instant
  private var sequenceIdentifier = 0

  init(configuration: SimpleBattery.Configuration, at now: Instant) {
    battery = SimpleBattery(configuration)
    reading = battery.reading
    node = Node(
      identity: NodeIdentity(
        name: Self.name, preferredAddress: 20,
        product: ProductDescription(
          productCode: 0, model: "simulated battery", softwareVersion: "", serialNumber: "demo")),
      transmitted: [
        BatteryStatus.definition.pgn, DCDetailedStatus.definition.pgn, VictronRegister.definition.pgn,
      ].map { TransmittedPGN($0) },
      received: [VictronRegister.definition.pgn], randomSeed: 2)
    nextPlant = now
    nextSend = now
    node.start(at: now)
  }

  var nextDeadline: Instant { min(min(nextPlant, nextSend), node.nextDeadline) }

  mutating func receive(_ received: ReceivedFrame) {
    guard case .data(let frame) = received.frame, frame.identifier.isExtended else { return }
    node.receive(frame, at: received.instant, application: &listener)
  }

  mutating func run(at now: Instant, send: (CANFrame) -> Void) {
    node.tick(at: now)
    while node.nextEvent() != nil {}
    if nextPlant <= now {
      nextPlant = now + Self.plantInterval
      let isCommanded = listener.lastHeard.map { now - $0 < Self.limitsForgottenAfter } ?? false
      let limits = isCommanded ? listener.limits : .withdrawn
      reading = battery.step(
        limits, chargeAllowed: limits.chargeCurrent > 0, dischargeAllowed: limits.dischargeCurrent > 0, at: now)
    }
    if nextSend <= now {
      nextSend = now + Self.sendInterval
      report(at: now)
    }
    while let entry = node.outbox.popFirst() { send(.data(entry.frame)) }
  }

  private mutating func report(at now: Instant) {
    var status = BatteryStatus()
    status.instance = .value(0)
    status.voltage = .value(reading.voltage)
    status.current = .value(reading.current)
    status.temperature = .value(reading.temperature + 273.15)
    status.sequenceIdentifier = .value(sequenceIdentifier)
    sequenceIdentifier = (sequenceIdentifier + 1) % 253
    node.send(status, at: now)
    var detailed = DCDetailedStatus()
    detailed.instance = .value(0)
    detailed.type = .value(.battery)
    detailed.stateOfCharge = .value(reading.trueStateOfCharge)
    node.send(detailed, at: now)
    let cells = RegisterMessage(.cellVoltages, .value(reading.lowestCell), .value(reading.highestCell))
    node.send(cells.message, at: now)
  }
}

/// Reads the limits that the BMS publishes, as a charger does.
private struct LimitListener: NodeApplication {
  var limits = Limits.withdrawn
  var lastHeard: Instant?

  mutating func received(_ header: MessageHeader, _ payload: RawSpan) {
    guard header.pgn == VictronRegister.definition.pgn,
      let message = RegisterMessage(VictronRegister(payload: payload))
    else { return }
    if let limit = message.number(.chargeVoltageLimit) {
      limits.chargeVoltage = limit.value
    } else if let limit = message.number(.chargeCurrentLimit) {
      limits.chargeCurrent = limit.value ?? 0
      lastHeard = header.instant
    } else if let limit = message.number(.dischargeCurrentLimit) {
      limits.dischargeCurrent = limit.value ?? 0
    }
  }
}
