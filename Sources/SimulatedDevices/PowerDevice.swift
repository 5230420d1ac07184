public import BatterySimulator
public import CANBus
public import MonotonicTime
import NMEA2000
import VECan

/// A charger, an inverter, or both in one: it does what a coordinator writes into its link registers, and stops by itself
/// when the coordinator falls silent.
///
/// Registers 0x2001 (charge voltage set-point, 60 s), 0x2015 and 0x2017 (limits of charge and discharge current) and 0x200E
/// (network mode) of vecan.md section 2.6. That they are written to each device and not told to all is inferred: only
/// 0x2002 was ever captured, and that goes to all.
public struct PowerDevice: SimulatedDevice {
  /// The orders' time-out (vecan.md section 2.6, register 0x2001).
  static let forgetsAfter = TimeSpan.seconds(60)
  static let statusInterval = TimeSpan.milliseconds(1500)
  static let registers: [Register] = [
    .deviceState, .linkChargeVoltage, .linkNetworkMode, .linkChargeCurrentLimit, .linkDischargeCurrentLimit, .voltage,
    .current,
  ]

  public var port: DevicePort
  /// Its place among the plant's chargers; nil if it charges nothing.
  public let charger: Int?
  /// Its place among the plant's inverters; nil if it is none.
  public let inverter: Int?
  /// What it does now.
  public private(set) var order = LinkOrder.stop
  private var ear = Ear(Self.registers)
  private var status: Pacer
  private var voltage: Double?
  private var chargeLimit: Double?
  private var dischargeLimit: Double?
  private var mode = 0.0
  private var lastOrder: Instant?
  private var isStopped = true
  private var hasNewOrder = false
  private var current = 0.0
  private var bus = 0.0
  private var news: [String] = []

  init(_ port: DevicePort, charger: Int?, inverter: Int?, at now: Instant) {
    self.port = port
    self.charger = charger
    self.inverter = inverter
    status = Pacer(Self.statusInterval, from: now)
  }

  public var nextDeadline: Instant {
    if hasNewOrder { return Instant(nanoseconds: .min) }
    let own = min(port.nextDeadline, status.next, ear.server.nextDeadline)
    return isStopped ? own : min(own, lastOrder.map { $0 + Self.forgetsAfter } ?? own)
  }

  public mutating func receive(_ frame: CANDataFrame, at now: Instant) {
    port.receive(frame, at: now, ear: &ear)
    for heard in ear.registers where heard.header.destination != BusAddress.global {
      hasNewOrder = true
      if let volts = heard.message.number(.linkChargeVoltage) {
        voltage = volts.value
        lastOrder = now
      } else if let amperes = heard.message.number(.linkChargeCurrentLimit) {
        chargeLimit = amperes.value
        lastOrder = now
      } else if let amperes = heard.message.number(.linkDischargeCurrentLimit) {
        dischargeLimit = amperes.value
        lastOrder = now
      } else if let bits = heard.message.number(.linkNetworkMode) {
        mode = bits.value ?? 0
      }
    }
    ear.registers.removeAll(keepingCapacity: true)
  }

  public mutating func takeNews() -> [String] {
    defer { news.removeAll() }
    return news
  }

  public mutating func run(at now: Instant, plant: inout Plant) {
    port.tick(at: now)
    hasNewOrder = false
    let isOrdered = lastOrder.map { now - $0 < Self.forgetsAfter } ?? false
    if isOrdered == isStopped, lastOrder != nil {
      isStopped = !isOrdered
      news.append(isOrdered ? "has orders" : "stops: no orders for \(Int(Self.forgetsAfter.seconds)) s")
    }
    order = isOrdered ? LinkOrder(voltage: voltage, current: chargeLimit ?? .greatestFiniteMagnitude) : .stop
    current = 0
    if let charger, plant.chargers.indices.contains(charger) {
      plant.chargers[charger].link = order
      current += plant.chargers[charger].current
    }
    if let inverter, plant.inverters.indices.contains(inverter) {
      plant.inverters[inverter].link = LinkOrder(
        current: isOrdered ? dischargeLimit ?? .greatestFiniteMagnitude : 0)
      current -= plant.inverters[inverter].current
    }
    bus = plant.systemVoltage
    guard port.mayTalk else { return }
    if status.isDue(at: now) { report(at: now) }
    let own = self
    ear.answer(through: &port, at: now) { own.message($0) }
  }

  private mutating func report(at now: Instant) {
    if charger != nil {
      var status = ChargerStatus()
      status.instance = .value(0)
      status.batteryInstance = .value(0)
      status.state = .value(current > 0.05 ? .constantVI : isStopped ? .disabled : .notCharging)
      status.isEnabled = .value(!isStopped)
      port.node.send(status, at: now)
    }
    if inverter != nil {
      var status = InverterStatus()
      status.instance = .value(0)
      status.acInstance = .value(0)
      status.dcInstance = .value(0)
      status.state = .value(isStopped ? 4 : 0)
      status.isEnabled = .value(!isStopped)
      port.node.send(status, at: now)
    }
    for register in [Register.voltage, .current] {
      if let message = message(register) { port.report(message, at: now) }
    }
  }

  private func message(_ register: Register) -> RegisterMessage? {
    switch register {
    // 0xFC external control, 0 off.
    case .deviceState: RegisterMessage(register, code: isStopped ? 0 : 0xFC)
    case .linkChargeVoltage: RegisterMessage(register, Reading(voltage))
    case .linkNetworkMode: RegisterMessage(register, .value(mode))
    case .linkChargeCurrentLimit: RegisterMessage(register, Reading(chargeLimit))
    case .linkDischargeCurrentLimit: RegisterMessage(register, Reading(dischargeLimit))
    case .voltage: RegisterMessage(register, .value(bus))
    case .current: RegisterMessage(register, .value(current))
    default: nil
    }
  }
}
