public import BatterySimulator
public import CANBus
import CANBusBMS
public import MonotonicTime
import NMEA2000
import VECan

/// A GX-like coordinator: it finds the BMS, takes its CVL, CCL and DCL, and hands them on to chargers and inverters, by the
/// rules of dvcc-dbus.md section C.
///
/// - A battery is a BMS as long as its CVL is available, and nothing else makes it one (C.1). Of several the one with the
///   lowest device instance is taken.
/// - Orders go out in a cycle of 3 s. For the five Lynx product ids a change of CVL goes out at once; a change of CCL waits
///   for the cycle with every product (C.2).
/// - Solar chargers share CCL; an inverter/charger gets what they leave of it. A CCL of 0 stops all. DCL is copied (C.3).
/// - When the BMS is gone or its CVL is not available nothing is written any more: chargers stop by their own time-out (C.4).
public struct Coordinator: SimulatedDevice {
  /// Where it reads the limits from.
  public enum Source: Sendable, Hashable {
    /// Registers 0x0390, 0x0391 and 0x0393.
    case registers
    /// The 11-bit frame 0x351.
    case batteryFrames
  }

  /// What it was told.
  public struct Limits: Sendable, Hashable {
    /// CVL, volts.
    public var chargeVoltage: Double?
    /// CCL, amperes; nil is no limit.
    public var chargeCurrent: Double?
    /// DCL, amperes; nil is no limit.
    public var dischargeCurrent: Double?
  }

  /// C.2: "everybody else waits for the 3 s cycle".
  public static let cycle = TimeSpan.seconds(3)
  /// A BMS that says no limits for so long is gone. What a GX takes is not known (dvcc-dbus.md section H); two of the longest
  /// periods that are told of, 5 s of VELIB (vecan.md section 1).
  public static let bmsTimeout = TimeSpan.seconds(10)
  static let keepAliveInterval = TimeSpan.seconds(1)
  static let lynxProducts: ClosedRange<Int> = 0xA3E3...0xA3E7
  /// 0x200E: networked 1, external control 4, BMS 8 (C.3).
  static let networkMode = 13.0

  private struct Battery {
    var limits = Limits()
    var heard: Instant
    var address: UInt8?
    var product: Int?
  }

  private struct Device {
    var name: Name
    var address: UInt8
    var isSolar: Bool
    var isInverter: Bool
    var current = 0.0
    var heard: Instant
  }

  public var port: DevicePort
  /// Whether a BMS is there.
  public private(set) var isControlled = false
  /// The state of charge that the BMS tells, percent.
  public private(set) var stateOfCharge: Double?
  /// What it hands on; the last ones when no BMS is there.
  public private(set) var limits = Limits()

  private let source: Source
  private var ear = Ear([], hearsCharge: true)
  private var batteries: [Name: Battery] = [:]
  private var chosen: Name?
  private var devices: [Device] = []
  private var cycle: Pacer
  private var keepAlive: Pacer
  private var isUrgent = false
  private var hasNewLimits = false
  private var told: String?
  private var news: [String] = []

  /// The name that frames without a sender have.
  private static let nameless = Name(rawValue: .max)

  init(_ port: DevicePort, source: Source, at now: Instant) {
    self.port = port
    self.source = source
    cycle = Pacer(Self.cycle, from: now)
    keepAlive = Pacer(Self.keepAliveInterval, from: now)
  }

  public var nextDeadline: Instant {
    isUrgent || hasNewLimits ? Instant(nanoseconds: .min) : min(port.nextDeadline, cycle.next, keepAlive.next)
  }

  public mutating func takeNews() -> [String] {
    defer { news.removeAll() }
    return news
  }

  // MARK: What it hears

  public mutating func receive(_ frame: CANDataFrame, at now: Instant) {
    guard port.isPlugged else { return }
    if source == .batteryFrames, let told = LimitsFrame(frame) {
      note(Self.nameless, nil, at: now) { limits in
        // 0x351 has no code for "not available", and a CVL of 0 is none that anybody means.
        limits.chargeVoltage = told.chargeVoltage > 0 ? told.chargeVoltage : nil
        limits.chargeCurrent = max(told.chargeCurrent, 0)
        limits.dischargeCurrent = max(told.dischargeCurrent, 0)
      }
      return
    }
    port.receive(frame, at: now, ear: &ear)
    for heard in ear.registers {
      guard heard.header.destination == BusAddress.global, let name = heard.header.sender else { continue }
      take(heard.message, of: name, heard.header, at: now)
    }
    ear.registers.removeAll(keepingCapacity: true)
    for heard in ear.charges where heard.sender == chosen { stateOfCharge = heard.percent }
    ear.charges.removeAll(keepingCapacity: true)
  }

  private mutating func take(_ message: RegisterMessage, of name: Name, _ header: MessageHeader, at now: Instant) {
    if source == .registers {
      if let volts = message.number(.chargeVoltageLimit) {
        note(name, header.source, at: now) { $0.chargeVoltage = volts.value }
      } else if let amperes = message.number(.chargeCurrentLimit) {
        note(name, header.source, at: now) { $0.chargeCurrent = amperes.value }
      } else if let amperes = message.number(.dischargeCurrentLimit) {
        note(name, header.source, at: now) { $0.dischargeCurrent = amperes.value }
      }
    }
    if let product = message.number(.productID, field: 1)?.value, batteries[name] != nil {
      batteries[name]?.product = Int(product)
    }
    // Section C.2: chargers are controlled when their device instance is 0.
    if let amperes = message.number(.current)?.value, Self.isCharger(name), name.deviceInstance == 0 {
      if let index = devices.firstIndex(where: { $0.name == name }) {
        devices[index].current = max(amperes, 0)
        devices[index].address = header.source
        devices[index].heard = now
      } else {
        devices.append(
          Device(
            name: name, address: header.source, isSolar: name.function == DeviceFunctions.charger,
            isInverter: name.function != DeviceFunctions.charger, current: max(amperes, 0), heard: now))
      }
    }
  }

  private static func isCharger(_ name: Name) -> Bool {
    name.deviceClass == DeviceFunctions.generation
      && [DeviceFunctions.charger, DeviceFunctions.inverterCharger, DeviceFunctions.inverter].contains(name.function)
  }

  private mutating func note(
    _ name: Name, _ address: UInt8?, at now: Instant, _ change: (inout Limits) -> Void
  ) {
    let isNew = batteries[name] == nil
    var battery = batteries[name] ?? Battery(heard: now)
    let before = battery.limits.chargeVoltage
    change(&battery.limits)
    if isNew || battery.limits != batteries[name]?.limits { hasNewLimits = true }
    battery.heard = now
    battery.address = address
    batteries[name] = battery
    if isNew, let address { port.node.send(RegisterMessage.read(Register.productID.id).message, to: address, at: now) }
    if name == chosen, battery.limits.chargeVoltage != before, battery.product.map(Self.lynxProducts.contains) == true {
      isUrgent = true
    }
  }

  // MARK: What it says

  public mutating func run(at now: Instant, plant: inout Plant) {
    port.tick(at: now)
    hasNewLimits = false
    choose(at: now)
    guard port.mayTalk else {
      isUrgent = false
      return
    }
    if keepAlive.isDue(at: now), source == .batteryFrames {
      // What else is in 0x305 is not known (dvcc-dbus.md section H).
      _ = port.node.outbox.append(
        CANDataFrame(BatteryFrameID.keepAlive, CANPayload(littleEndian: 0, count: 8)), urgency: .periodic,
        validity: Self.keepAliveInterval, at: now)
    }
    let isDue = cycle.isDue(at: now)
    if isDue || isUrgent {
      isUrgent = false
      order(at: now)
    }
    ear.answer(through: &port, at: now) { _ in nil }
  }

  private mutating func choose(at now: Instant) {
    for (name, battery) in batteries where now - battery.heard >= Self.bmsTimeout { batteries[name] = nil }
    let candidates = batteries.filter { $0.value.limits.chargeVoltage != nil }
    chosen = candidates.keys.min { ($0.deviceInstance, $0.rawValue) < ($1.deviceInstance, $1.rawValue) }
    isControlled = chosen != nil
    if let chosen, let battery = batteries[chosen] { limits = battery.limits }
    tell()
  }

  private mutating func tell() {
    func text(_ value: Double?, _ unit: String) -> String { value.map { "\(tenths($0)) \(unit)" } ?? "none" }
    let now =
      isControlled
      ? "CVL \(text(limits.chargeVoltage, "V")), CCL \(text(limits.chargeCurrent, "A")), "
        + "DCL \(text(limits.dischargeCurrent, "A"))"
      : "no BMS: nothing is written, chargers stop by themselves"
    guard now != told, told != nil || isControlled else { return }
    told = now
    news.append(now)
  }

  /// The orders of a cycle.
  private mutating func order(at now: Instant) {
    devices.removeAll { now - $0.heard > PowerDevice.forgetsAfter }
    guard isControlled, let volts = limits.chargeVoltage else { return }
    let solar = devices.filter(\.isSolar)
    let shares = limits.chargeCurrent.map { ChargeDistribution.shares(of: $0, among: solar.map(\.current)) }
    let left = limits.chargeCurrent.map { max($0 - solar.reduce(0) { $0 + $1.current }, 0) }
    var place = 0
    for device in devices {
      var amperes: Double?
      if device.isSolar {
        amperes = shares?[place]
        place += 1
      } else {
        amperes = left
      }
      write(RegisterMessage(.linkNetworkMode, .value(Self.networkMode)), to: device, at: now)
      write(RegisterMessage(.linkChargeVoltage, .value(volts)), to: device, at: now)
      write(Self.limit(.linkChargeCurrentLimit, amperes), to: device, at: now)
      if device.isInverter {
        write(Self.limit(.linkDischargeCurrentLimit, limits.dischargeCurrent), to: device, at: now)
      }
    }
  }

  /// A limit above what the register holds is none; it is rounded down, for a limit may lose a tenth and never gain one.
  private static func limit(_ register: Register, _ amperes: Double?) -> RegisterMessage {
    guard let amperes, amperes < 6553 else { return RegisterMessage(register) }
    return RegisterMessage(register, .value((amperes * 10).rounded(.down) / 10))
  }

  private mutating func write(_ message: RegisterMessage, to device: Device, at now: Instant) {
    port.node.send(message.message, to: device.address, at: now)
  }

  private func tenths(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
  }
}

/// How chargers share a current: those that give less than their part keep a little above what they give, and the others
/// share what that leaves. The sum of the shares is the current.
enum ChargeDistribution {
  /// What a charger may rise by until the next cycle, amperes.
  static let margin = 5.0

  static func shares(of total: Double, among currents: [Double]) -> [Double] {
    guard total > 0, !currents.isEmpty else { return currents.map { _ in 0 } }
    var shares = [Double](repeating: 0, count: currents.count)
    var left = total
    var open = currents.indices.sorted { currents[$0] < currents[$1] }
    while !open.isEmpty {
      let part = left / Double(open.count)
      let first = open.removeFirst()
      shares[first] = open.isEmpty ? part : min(part, currents[first] + margin)
      left -= shares[first]
    }
    return shares
  }
}
