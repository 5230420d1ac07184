public import CANBus

// The 11-bit battery frames that a GX and many inverters read (dvcc-dbus.md section A). Little-endian, sent each second.
// The protocol has no code for "not available": a frame whose first value does not exist is not sent, and the receiver's
// own time-out is the message. A charge voltage of 0 would make ESS systems discharge the battery towards it (A.4).

/// The identifiers of the frames.
public enum BatteryFrameID {
  /// What has to be heard where a battery's frames are a source, and whether somebody listens to ours.
  public static let sources = [keepAlive, limits, stateOfCharge, measurements, alarms, cells]
  /// From the GX or inverter: it is alive.
  public static let keepAlive = CANIdentifier.standard(0x305)
  /// Limits.
  public static let limits = CANIdentifier.standard(0x351)
  /// State of charge and health.
  public static let stateOfCharge = CANIdentifier.standard(0x355)
  /// Voltage, current, temperature.
  public static let measurements = CANIdentifier.standard(0x356)
  /// Alarms and warnings.
  public static let alarms = CANIdentifier.standard(0x35A)
  /// Manufacturer.
  public static let manufacturer = CANIdentifier.standard(0x35E)
  /// Product, version, capacity.
  public static let product = CANIdentifier.standard(0x35F)
}

/// 0x351: what chargers and loads may do.
public struct LimitsFrame: Hashable, Sendable {
  /// CVL in volts, sent in 0.1 V. Above zero.
  public var chargeVoltage: Double
  /// CCL in amperes, sent in 0.1 A, not negative.
  public var chargeCurrent: Double
  /// DCL in amperes, sent in 0.1 A, not negative.
  public var dischargeCurrent: Double
  /// Discharge voltage in volts, sent in 0.1 V; receivers show it and act by their own setting.
  public var dischargeVoltage: Double

  /// Limits in volts and amperes.
  public init(chargeVoltage: Double, chargeCurrent: Double, dischargeCurrent: Double, dischargeVoltage: Double) {
    self.chargeVoltage = chargeVoltage
    self.chargeCurrent = chargeCurrent
    self.dischargeCurrent = dischargeCurrent
    self.dischargeVoltage = dischargeVoltage
  }

  /// Reads a frame; nil for another identifier and for fewer than 8 bytes. What others send is told as it is: a charge
  /// voltage of zero too.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.limits, frame.payload.count == 8 else { return nil }
    chargeVoltage = Double(frame.payload.unsigned16(at: 0)) / 10
    chargeCurrent = Double(frame.payload.signed16(at: 2)) / 10
    dischargeCurrent = Double(frame.payload.signed16(at: 4)) / 10
    dischargeVoltage = Double(frame.payload.unsigned16(at: 6)) / 10
  }

  /// The frame; nil for a charge voltage that rounds to zero, which must never be sent. Limits round down: a limit may
  /// lose a tenth, never gain one.
  public var frame: CANDataFrame? {
    let voltage = Scaled.floored(chargeVoltage, by: 10, to: 0...0xFFFF)
    guard voltage > 0 else { return nil }
    var bytes = PayloadBuilder()
    bytes.append16(voltage)
    bytes.append16(Scaled.floored(chargeCurrent, by: 10, to: 0...0x7FFF))
    bytes.append16(Scaled.floored(dischargeCurrent, by: 10, to: 0...0x7FFF))
    bytes.append16(Scaled.rounded(dischargeVoltage, by: 10, to: 0...0xFFFF))
    return CANDataFrame(BatteryFrameID.limits, bytes.payload)
  }
}

/// 0x355: state of charge and health.
public struct StateOfChargeFrame: Hashable, Sendable {
  /// Percent, 0...100.
  public var stateOfCharge: Double
  /// Percent; nil is sent as 100, for the protocol has no code for unknown.
  public var stateOfHealth: Double?

  /// State of charge and health in percent.
  public init(stateOfCharge: Double, stateOfHealth: Double? = nil) {
    self.stateOfCharge = stateOfCharge
    self.stateOfHealth = stateOfHealth
  }

  /// Reads a frame; nil for another identifier and for fewer than 4 bytes.
  ///
  /// The state of charge in 0.01 % is taken where it is sent. Some leave it out, and BYD sends zero (dvcc-dbus.md A.2):
  /// then it is the one in whole percent.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.stateOfCharge, frame.payload.count >= 4 else { return nil }
    let fine = frame.payload.count >= 6 ? frame.payload.unsigned16(at: 4) : 0
    stateOfCharge = fine > 0 ? Double(fine) / 100 : Double(frame.payload.unsigned16(at: 0))
    stateOfHealth = Double(frame.payload.unsigned16(at: 2))
  }

  /// The frame: 1 % twice, then 0.01 %.
  public var frame: CANDataFrame {
    var bytes = PayloadBuilder()
    bytes.append16(Scaled.rounded(stateOfCharge, by: 1, to: 0...100))
    bytes.append16(Scaled.rounded(stateOfHealth ?? 100, by: 1, to: 0...100))
    bytes.append16(Scaled.rounded(stateOfCharge, by: 100, to: 0...10_000))
    return CANDataFrame(BatteryFrameID.stateOfCharge, bytes.payload)
  }
}

/// 0x356: what is measured.
public struct MeasurementsFrame: Hashable, Sendable {
  /// Volts, sent in 0.01 V.
  public var voltage: Double
  /// Amperes, positive into the battery, sent in 0.1 A.
  public var current: Double
  /// Degrees Celsius, sent in 0.1 °C; nil leaves the field out, and the frame ends before it.
  public var temperature: Double?

  /// Measured volts, amperes and degrees Celsius.
  public init(voltage: Double, current: Double, temperature: Double? = nil) {
    self.voltage = voltage
    self.current = current
    self.temperature = temperature
  }

  /// Reads a frame; nil for another identifier and for fewer than 4 bytes.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.measurements, frame.payload.count >= 4 else { return nil }
    voltage = Double(frame.payload.signed16(at: 0)) / 100
    current = Double(frame.payload.signed16(at: 2)) / 10
    temperature = frame.payload.count >= 6 ? Double(frame.payload.signed16(at: 4)) / 10 : nil
  }

  /// The frame: 6 bytes, or 4 without a temperature.
  public var frame: CANDataFrame {
    var bytes = PayloadBuilder()
    bytes.append16(Scaled.rounded(voltage, by: 100, to: -0x8000...0x7FFF))
    bytes.append16(Scaled.rounded(current, by: 10, to: -0x8000...0x7FFF))
    if let temperature { bytes.append16(Scaled.rounded(temperature, by: 10, to: -0x8000...0x7FFF)) }
    return CANDataFrame(BatteryFrameID.measurements, bytes.payload)
  }
}

/// 0x35E: who made it. Never a brand of others: receivers bend limits by the name ("BYD", "PYLON"; dvcc-dbus.md A.1).
public struct ManufacturerFrame: Hashable, Sendable {
  /// Up to 8 ASCII characters.
  public var name: String

  /// A maker of this name; characters past 8 bytes are cut.
  public init(name: String) { self.name = name }

  /// Reads a frame, up to the first zero byte; nil for another identifier. What is no printable ASCII becomes "?":
  /// nothing from a bus may steer a terminal.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.manufacturer else { return nil }
    name = ASCIIText.read(frame.payload)
  }

  /// The frame, filled with zeros.
  public var frame: CANDataFrame {
    CANDataFrame(BatteryFrameID.manufacturer, ASCIIText.payload(name))
  }
}

/// 0x35F: product, version and capacity.
public struct ProductFrame: Hashable, Sendable {
  /// Product id or chemistry, two bytes.
  public var product: UInt16
  /// Version, major and minor.
  public var version: (major: UInt8, minor: UInt8)
  /// Capacity available, Ah.
  public var capacity: Double

  /// A product of this version and capacity in Ah.
  public init(product: UInt16, version: (major: UInt8, minor: UInt8), capacity: Double) {
    self.product = product
    self.version = version
    self.capacity = capacity
  }

  /// Reads a frame; nil for another identifier and for fewer than 6 bytes.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.product, frame.payload.count >= 6 else { return nil }
    product = UInt16(frame.payload.unsigned16(at: 0))
    version = (frame.payload[2], frame.payload[3])
    capacity = Double(frame.payload.unsigned16(at: 4))
  }

  /// The frame; hardware version zero.
  public var frame: CANDataFrame {
    var bytes = PayloadBuilder()
    bytes.append16(Int(product))
    bytes.append16(Int(version.major) | Int(version.minor) << 8)
    bytes.append16(Scaled.rounded(capacity, by: 1, to: 0...0xFFFF))
    bytes.append16(0)
    return CANDataFrame(BatteryFrameID.product, bytes.payload)
  }

  /// The version as its makers print it, in hexadecimal digits: BYD's 01 17 is 1.17 (dvcc-dbus.md A.2).
  public var versionText: String { "\(String(version.major, radix: 16)).\(String(version.minor, radix: 16))" }

  public static func == (left: ProductFrame, right: ProductFrame) -> Bool { left.frame == right.frame }

  public func hash(into hasher: inout Hasher) { hasher.combine(frame) }
}

/// Physical values to whole steps.
enum Scaled {
  static func rounded(_ value: Double, by factor: Double, to range: ClosedRange<Int>) -> Int {
    limited((value * factor).rounded(), range)
  }

  /// The next step below, with 1e-9 of slack so that 14.2 V is 142 steps and not 141.
  static func floored(_ value: Double, by factor: Double, to range: ClosedRange<Int>) -> Int {
    limited((value * factor + 1e-9).rounded(.down), range)
  }

  private static func limited(_ steps: Double, _ range: ClosedRange<Int>) -> Int {
    guard !steps.isNaN else { return range.lowerBound }
    return Int(min(Double(range.upperBound), max(Double(range.lowerBound), steps)))
  }
}

/// Little-endian 16-bit values, one after the other.
struct PayloadBuilder {
  private var bits: UInt64 = 0
  private var count = 0

  mutating func append16(_ value: Int) {
    bits |= UInt64(UInt16(truncatingIfNeeded: value)) << UInt64(count * 8)
    count += 2
  }

  var payload: CANPayload { CANPayload(littleEndian: bits, count: count) }
}

extension CANPayload {
  func unsigned16(at index: Int) -> Int { Int(self[index]) | Int(self[index + 1]) << 8 }

  func signed16(at index: Int) -> Int { Int(Int16(truncatingIfNeeded: unsigned16(at: index))) }
}
