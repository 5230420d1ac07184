public import BatterySimulator
public import CANBus
public import MonotonicTime
import NMEA2000
import VECan

/// A shunt with two voltage inputs: 127508 of the battery (instance 0) and of the load side of the contactor (instance 1),
/// 127506, and the battery monitor's registers of vecan.md section 2.2.
///
/// Its state of charge is its own: it counts its own measured current from the charge that it began with, as a shunt does,
/// and knows nothing of the truth.
public struct BatteryMonitorDevice: SimulatedDevice {
  /// OD-20 calls a current of over 500 ms late.
  static let statusInterval = TimeSpan.milliseconds(400)
  /// While the load side moves, for a pre-charge is over in a second.
  static let fastInterval = TimeSpan.milliseconds(100)
  /// Less than this between two looks is no movement, volts.
  static let movement = 0.02
  /// VELIB's periodic group (vecan.md section 1).
  static let registerInterval = TimeSpan.seconds(5)

  static let registers: [Register] = [
    .stateOfCharge, .channel2Voltage, .currentFine, .voltage, .power, .current, .temperature,
  ]

  public var port: DevicePort
  private var ear = Ear(Self.registers)
  private var status: Pacer
  private var system: Pacer
  private var detail: Pacer
  private var periodic: Pacer
  private var sequence = 0
  private var shownSystem = 0.0
  private var lastLook: Instant
  private let capacity: Double
  private var charge: Double
  private var reading: PlantReading
  private var celsius: Double?

  init(_ port: DevicePort, plant: Plant, capacity: Double, at now: Instant) {
    self.port = port
    self.capacity = capacity
    reading = plant.reading
    charge = capacity * plant.bank.stateOfCharge
    lastLook = now
    status = Pacer(Self.statusInterval, from: now)
    system = Pacer(Self.fastInterval, from: now)
    detail = Pacer(.milliseconds(1500), from: now)
    periodic = Pacer(Self.registerInterval, from: now)
  }

  public var nextDeadline: Instant { min(port.nextDeadline, status.next, min(system.next, ear.server.nextDeadline)) }

  public mutating func receive(_ frame: CANDataFrame, at now: Instant) { port.receive(frame, at: now, ear: &ear) }

  public mutating func takeNews() -> [String] { [] }

  public mutating func run(at now: Instant, plant: inout Plant) {
    port.tick(at: now)
    ear.registers.removeAll(keepingCapacity: true)
    reading = plant.reading
    celsius = plant.temperature(ofBattery: 0)
    let hours = (now - lastLook).hours
    lastLook = now
    charge = min(max(charge + (reading.current ?? 0) * hours, 0), capacity)
    guard port.mayTalk else { return }
    if status.isDue(at: now) { sendBattery(at: now) }
    if system.isDue(at: now) { sendSystem(at: now) }
    if detail.isDue(at: now) { sendDetail(at: now) }
    if periodic.isDue(at: now) {
      for register in Self.registers { if let message = message(register) { port.report(message, at: now) } }
    }
    let own = self
    ear.answer(through: &port, at: now) { own.message($0) }
  }

  private var percent: Double { charge / capacity * 100 }

  private mutating func sendBattery(at now: Instant) {
    var status = BatteryStatus()
    status.instance = .value(0)
    status.voltage = Reading(reading.batteryVoltage)
    status.current = Reading(reading.current)
    status.temperature = Reading(celsius.map { $0 + 273.15 })
    status.sequenceIdentifier = .value(sequence)
    sequence = (sequence + 1) % 253
    port.node.send(status, at: now)
  }

  private mutating func sendSystem(at now: Instant) {
    let volts = reading.systemVoltage
    let isMoving = abs((volts ?? 0) - shownSystem) > Self.movement
    shownSystem = volts ?? 0
    system.interval = isMoving ? Self.fastInterval : Self.statusInterval
    if isMoving { system.hurry(at: now + Self.fastInterval) }
    var status = BatteryStatus()
    status.instance = .value(1)
    status.voltage = Reading(volts)
    port.node.send(status, at: now)
  }

  private mutating func sendDetail(at now: Instant) {
    var detail = DCDetailedStatus()
    detail.instance = .value(0)
    detail.type = .value(.battery)
    detail.stateOfCharge = .value(percent)
    port.node.send(detail, at: now)
  }

  private func message(_ register: Register) -> RegisterMessage? {
    let power = reading.current.flatMap { amperes in reading.batteryVoltage.map { $0 * amperes } }
    switch register {
    case .stateOfCharge: return RegisterMessage(register, .value(percent))
    case .channel2Voltage: return RegisterMessage(register, Reading(reading.systemVoltage))
    case .currentFine, .current: return RegisterMessage(register, Reading(reading.current))
    case .voltage: return RegisterMessage(register, Reading(reading.batteryVoltage))
    case .power: return RegisterMessage(register, Reading(power))
    case .temperature: return RegisterMessage(register, Reading(celsius.map { $0 + 273.15 }))
    default: return nil
    }
  }
}

extension Reading {
  /// What there is; nil is not available.
  init(_ value: Value?) { self = value.map { .value($0) } ?? .notAvailable }
}
