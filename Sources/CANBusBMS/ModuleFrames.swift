public import CANBus

// The slow 11-bit frames: names, counts, extremes, energy, capacity, serial (dvcc-dbus.md A.2). What is not known is
// not sent, as with the fast ones: a frame that could end before a value does, and others stay away as a whole.

extension BatteryFrameID {
  /// The first and second half of the battery's name.
  public static let name = (CANIdentifier.standard(0x370), CANIdentifier.standard(0x371))
  /// Modules online, blocking and offline.
  public static let modules = CANIdentifier.standard(0x372)
  /// Lowest and highest cell voltage and temperature.
  public static let cells = CANIdentifier.standard(0x373)
  /// Energy charged and discharged.
  public static let energy = CANIdentifier.standard(0x378)
  /// Capacity installed.
  public static let installedCapacity = CANIdentifier.standard(0x379)
  /// The first and second half of the serial number.
  public static let serial = (CANIdentifier.standard(0x380), CANIdentifier.standard(0x381))
  /// Product or family.
  public static let family = CANIdentifier.standard(0x382)
}

/// 0x372: how many modules are there and what they do. Receivers hide the blocking ones: some makers send nonsense in
/// them (dvcc-dbus.md A.2).
public struct ModulesFrame: Hashable, Sendable {
  /// Modules that take part.
  public var online: Int
  /// Modules that forbid charging.
  public var blockingCharge: Int
  /// Modules that forbid discharging.
  public var blockingDischarge: Int
  /// Modules that do not take part.
  public var offline: Int

  /// These numbers of modules.
  public init(online: Int, blockingCharge: Int, blockingDischarge: Int, offline: Int) {
    self.online = online
    self.blockingCharge = blockingCharge
    self.blockingDischarge = blockingDischarge
    self.offline = offline
  }

  /// Reads a frame; nil for another identifier and for fewer than 8 bytes.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.modules, frame.payload.count == 8 else { return nil }
    online = frame.payload.unsigned16(at: 0)
    blockingCharge = frame.payload.unsigned16(at: 2)
    blockingDischarge = frame.payload.unsigned16(at: 4)
    offline = frame.payload.unsigned16(at: 6)
  }

  /// The frame.
  public var frame: CANDataFrame {
    var bytes = PayloadBuilder()
    for count in [online, blockingCharge, blockingDischarge, offline] { bytes.append16(min(max(count, 0), 0xFFFF)) }
    return CANDataFrame(BatteryFrameID.modules, bytes.payload)
  }
}

/// 0x373: the lowest and the highest cell voltage and temperature.
public struct CellsFrame: Hashable, Sendable {
  /// Volts, sent in mV.
  public var lowestVoltage: Double
  /// Volts, sent in mV.
  public var highestVoltage: Double
  /// Degrees Celsius, sent in whole kelvin; nil when the frame ends before it.
  public var lowestTemperature: Double?
  /// Degrees Celsius, sent in whole kelvin; nil when the frame ends before it.
  public var highestTemperature: Double?

  /// Whole kelvin are 273 more than whole degrees: senders use 273 and 273.15 (dvcc-dbus.md A.2), which rounds to the same.
  static let zeroCelsius = 273.0

  /// Extremes in volts and degrees Celsius. Temperatures are sent only when there are both.
  public init(
    lowestVoltage: Double, highestVoltage: Double, lowestTemperature: Double? = nil, highestTemperature: Double? = nil
  ) {
    self.lowestVoltage = lowestVoltage
    self.highestVoltage = highestVoltage
    self.lowestTemperature = lowestTemperature
    self.highestTemperature = highestTemperature
  }

  /// Reads a frame; nil for another identifier and for fewer than 4 bytes. A temperature of 0 K is none: some makers
  /// leave the field zero.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.cells, frame.payload.count >= 4 else { return nil }
    lowestVoltage = Double(frame.payload.unsigned16(at: 0)) / 1000
    highestVoltage = Double(frame.payload.unsigned16(at: 2)) / 1000
    guard frame.payload.count == 8 else { return }
    func celsius(_ kelvin: Int) -> Double? { kelvin == 0 ? nil : Double(kelvin) - Self.zeroCelsius }
    lowestTemperature = celsius(frame.payload.unsigned16(at: 4))
    highestTemperature = celsius(frame.payload.unsigned16(at: 6))
  }

  /// The frame: 8 bytes, or 4 without temperatures.
  public var frame: CANDataFrame {
    var bytes = PayloadBuilder()
    bytes.append16(Scaled.rounded(lowestVoltage, by: 1000, to: 0...0xFFFF))
    bytes.append16(Scaled.rounded(highestVoltage, by: 1000, to: 0...0xFFFF))
    if let lowestTemperature, let highestTemperature {
      bytes.append16(Scaled.rounded(lowestTemperature + Self.zeroCelsius, by: 1, to: 1...0xFFFF))
      bytes.append16(Scaled.rounded(highestTemperature + Self.zeroCelsius, by: 1, to: 1...0xFFFF))
    }
    return CANDataFrame(BatteryFrameID.cells, bytes.payload)
  }
}

/// 0x374 to 0x377: which cell is the lowest, the highest, the coldest, the hottest.
public struct CellNameFrame: Hashable, Sendable {
  /// What the cell is.
  public enum Extreme: UInt16, CaseIterable, Sendable {
    /// Lowest voltage.
    case lowestVoltage = 0x374
    /// Highest voltage.
    case highestVoltage = 0x375
    /// Lowest temperature.
    case lowestTemperature = 0x376
    /// Highest temperature.
    case highestTemperature = 0x377
  }

  /// What the cell is.
  public var extreme: Extreme
  /// Its name, up to 8 ASCII characters.
  public var name: String

  /// The cell of this name.
  public init(_ extreme: Extreme, name: String) {
    self.extreme = extreme
    self.name = name
  }

  /// Reads a frame; nil for another identifier.
  public init?(_ frame: CANDataFrame) {
    guard let extreme = Extreme.allCases.first(where: { .standard($0.rawValue) == frame.identifier }) else {
      return nil
    }
    self.extreme = extreme
    name = ASCIIText.read(frame.payload)
  }

  /// The frame, filled with zeros.
  public var frame: CANDataFrame {
    CANDataFrame(.standard(extreme.rawValue), ASCIIText.payload(name))
  }
}

/// 0x378: energy charged and discharged since ever.
public struct EnergyFrame: Hashable, Sendable {
  /// kWh, sent in 0.1 kWh.
  public var charged: Double
  /// kWh, sent in 0.1 kWh.
  public var discharged: Double

  /// Energies in kWh.
  public init(charged: Double, discharged: Double) {
    self.charged = charged
    self.discharged = discharged
  }

  /// Reads a frame; nil for another identifier and for fewer than 8 bytes.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.energy, frame.payload.count == 8 else { return nil }
    charged = Double(frame.payload.bits & 0xFFFF_FFFF) / 10
    discharged = Double(frame.payload.bits >> 32) / 10
  }

  /// The frame.
  public var frame: CANDataFrame {
    let all = 0...Int(UInt32.max)
    let bits =
      UInt64(Scaled.rounded(charged, by: 10, to: all)) | UInt64(Scaled.rounded(discharged, by: 10, to: all)) << 32
    return CANDataFrame(BatteryFrameID.energy, CANPayload(littleEndian: bits, count: 8))
  }
}

/// 0x379: the capacity that is installed.
public struct InstalledCapacityFrame: Hashable, Sendable {
  /// Ah.
  public var capacity: Double

  /// A capacity in Ah.
  public init(capacity: Double) { self.capacity = capacity }

  /// Reads a frame; nil for another identifier and for fewer than 2 bytes.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.installedCapacity, frame.payload.count >= 2 else { return nil }
    capacity = Double(frame.payload.unsigned16(at: 0))
  }

  /// The frame, 2 bytes.
  public var frame: CANDataFrame {
    var bytes = PayloadBuilder()
    bytes.append16(Scaled.rounded(capacity, by: 1, to: 0...0xFFFF))
    return CANDataFrame(BatteryFrameID.installedCapacity, bytes.payload)
  }
}

/// A text in one frame or two: the battery's name (0x370, 0x371), its serial number (0x380, 0x381), its family (0x382).
public struct BatteryText: Hashable, Sendable {
  /// Which text.
  public enum Kind: CaseIterable, Sendable {
    /// 0x370 and 0x371, 16 characters.
    case name
    /// 0x380 and 0x381, 16 characters.
    case serial
    /// 0x382, 8 characters.
    case family

    var identifiers: [CANIdentifier] {
      switch self {
      case .name: [BatteryFrameID.name.0, BatteryFrameID.name.1]
      case .serial: [BatteryFrameID.serial.0, BatteryFrameID.serial.1]
      case .family: [BatteryFrameID.family]
      }
    }
  }

  /// A part of a text, as one frame brings it.
  public struct Part: Hashable, Sendable {
    /// Which text.
    public var kind: Kind
    /// 0 for the first eight characters, 1 for the others.
    public var index: Int
    /// The characters.
    public var text: String

    /// Reads a frame; nil when it carries no text of these.
    public init?(_ frame: CANDataFrame) {
      for kind in Kind.allCases {
        guard let index = kind.identifiers.firstIndex(of: frame.identifier) else { continue }
        self.kind = kind
        self.index = index
        text = ASCIIText.read(frame.payload)
        return
      }
      return nil
    }
  }

  /// Which text.
  public var kind: Kind
  /// The text, up to 16 ASCII characters, 8 for a family. Characters past that are cut.
  public var text: String

  /// A text of this kind.
  public init(_ kind: Kind, _ text: String) {
    self.kind = kind
    self.text = text
  }

  /// The frames, filled with zeros.
  public var frames: [CANDataFrame] {
    kind.identifiers.enumerated().map { index, identifier in
      CANDataFrame(identifier, ASCIIText.payload(text, from: index * 8))
    }
  }
}

/// ASCII in eight bytes, filled with zeros.
enum ASCIIText {
  /// Up to the first zero byte. What is no printable ASCII becomes "?": nothing from a bus may steer a terminal.
  static func read(_ payload: CANPayload) -> String {
    let bytes = payload.prefix { $0 != 0 }.map { (0x20..<0x7F).contains($0) ? $0 : 0x3F }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func payload(_ text: String, from start: Int = 0) -> CANPayload {
    var bits: UInt64 = 0
    for (index, byte) in text.utf8.dropFirst(start).prefix(8).enumerated() {
      bits |= UInt64((0x20..<0x7F).contains(byte) ? byte : 0x3F) << UInt64(index * 8)
    }
    return CANPayload(littleEndian: bits, count: 8)
  }
}
