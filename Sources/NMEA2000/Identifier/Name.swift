/// The ISO NAME: who a node is, in 64 bits, unique on the bus and the arbiter of addresses (nmea2000.md section 1.4).
///
/// The lower NAME, as an unsigned number, keeps a contested address.
@frozen
public struct Name: Hashable, Comparable, Sendable {
  /// All 64 bits, as they stand little-endian in 60928.
  public var rawValue: UInt64

  /// The NAME with these bits.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// A NAME of its parts. Each part is cut to its width.
  ///
  /// - Parameters:
  ///   - uniqueNumber: 21 bits, stable for the life of the device.
  ///   - manufacturer: 11 bits, assigned by NMEA.
  ///   - deviceInstance: 8 bits; the lower three and the upper five are separate fields of 60928.
  ///   - function: 8 bits, meaningful only together with the class (170 in class 35: battery).
  ///   - deviceClass: 7 bits (35: electrical generation).
  ///   - systemInstance: 4 bits.
  ///   - industryGroup: 3 bits (4: marine).
  ///   - isArbitraryAddressCapable: whether the node may take another address when it loses one.
  public init(
    uniqueNumber: UInt32, manufacturer: UInt16, deviceInstance: UInt8 = 0, function: UInt8, deviceClass: UInt8,
    systemInstance: UInt8 = 0, industryGroup: UInt8 = 4, isArbitraryAddressCapable: Bool = true
  ) {
    rawValue = 0
    set(Part.uniqueNumber, UInt64(uniqueNumber))
    set(Part.manufacturer, UInt64(manufacturer))
    set(Part.deviceInstance, UInt64(deviceInstance))
    set(Part.function, UInt64(function))
    set(Part.deviceClass, UInt64(deviceClass))
    set(Part.systemInstance, UInt64(systemInstance))
    set(Part.industryGroup, UInt64(industryGroup))
    set(Part.arbitraryAddressCapable, isArbitraryAddressCapable ? 1 : 0)
  }

  /// Where each part lies: the first bit and the number of bits.
  enum Part {
    static let uniqueNumber = (0, 21)
    static let manufacturer = (21, 11)
    static let deviceInstance = (32, 8)
    static let function = (40, 8)
    static let deviceClass = (49, 7)
    static let systemInstance = (56, 4)
    static let industryGroup = (60, 3)
    static let arbitraryAddressCapable = (63, 1)
  }

  func value(of part: (first: Int, count: Int)) -> UInt64 {
    rawValue >> UInt64(part.first) & ((1 << UInt64(part.count)) - 1)
  }

  mutating func set(_ part: (first: Int, count: Int), _ value: UInt64) {
    let mask: UInt64 = ((1 << UInt64(part.count)) - 1) << UInt64(part.first)
    rawValue = rawValue & ~mask | (value << UInt64(part.first)) & mask
  }

  /// The unique number, 21 bits.
  public var uniqueNumber: UInt32 {
    get { UInt32(value(of: Part.uniqueNumber)) }
    set { set(Part.uniqueNumber, UInt64(newValue)) }
  }

  /// The manufacturer code, 11 bits (Victron 358).
  public var manufacturer: UInt16 { UInt16(value(of: Part.manufacturer)) }

  /// The device instance, lower and upper field together.
  public var deviceInstance: UInt8 {
    get { UInt8(value(of: Part.deviceInstance)) }
    set { set(Part.deviceInstance, UInt64(newValue)) }
  }

  /// The device function, to be read together with ``deviceClass``.
  public var function: UInt8 { UInt8(value(of: Part.function)) }

  /// The device class.
  public var deviceClass: UInt8 { UInt8(value(of: Part.deviceClass)) }

  /// The system instance, 0...15.
  public var systemInstance: UInt8 {
    get { UInt8(value(of: Part.systemInstance)) }
    set { set(Part.systemInstance, UInt64(newValue)) }
  }

  /// The industry group (4: marine).
  public var industryGroup: UInt8 { UInt8(value(of: Part.industryGroup)) }

  /// Whether the node may take another address when it loses one.
  public var isArbitraryAddressCapable: Bool { value(of: Part.arbitraryAddressCapable) == 1 }

  /// Whether `left` wins an address against `right`.
  @inlinable
  public static func < (left: Name, right: Name) -> Bool { left.rawValue < right.rawValue }
}

extension Name: CustomStringConvertible {
  /// The 16 hexadecimal digits, as can-utils writes a NAME.
  public var description: String {
    let digits = String(rawValue, radix: 16, uppercase: true)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
