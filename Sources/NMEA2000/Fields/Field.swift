/// One field of a message: its name, its place, and what its bits mean.
///
/// This is the only description of the field: typed access, JSON, names and units all come from it. It is plain data
/// without references, so that a static field folds into the code that reads it.
public struct Field: Sendable {
  /// What the bits are.
  public enum Kind: Sendable, Hashable {
    /// A number.
    case number(NumberFormat)
    /// A length of time; its unit is the second.
    case duration(NumberFormat)
    /// A code with names.
    case lookup(Lookup)
    /// The device function of a NAME, whose name depends on the device class.
    case deviceFunction
    /// Text of a fixed number of bytes, padded with 0xFF, spaces, `@` or zeros by different makers.
    case text
    /// Text that begins with its own length and a type byte. It has no fixed place: it follows the field before it.
    case variableText
    /// A PGN, 24 bits.
    case pgn
    /// The number of a field in another message (126208).
    case fieldNumber
    /// The value of that field, in its width rounded up to whole bytes (126208).
    case fieldValue
    /// Bytes without a meaning of their own. With no bits: all bytes to the end.
    case binary
    /// Bits to be sent as ones and not to be read.
    case reserved
    /// Bits to be sent as zeros and not to be read.
    case spare
  }

  /// The name, as canboat writes it.
  public let name: String
  /// Where the field begins, counted from bit 0 of byte 0; bits fill a byte from its least significant.
  public let bitOffset: Int
  /// How many bits it has; 0 when the payload itself tells.
  public let bitCount: Int
  /// What the bits are.
  public let kind: Kind
  /// True for a field that tells apart messages of one sender, as an instance does.
  public let isKey: Bool
  /// True for a field that is there only when the PGN that a group function is about is proprietary. Otherwise the fields
  /// behind it move up.
  public let isProprietaryOnly: Bool

  /// A field of this place and kind.
  @inlinable
  public init(
    _ name: String, at bitOffset: Int, bits bitCount: Int, _ kind: Kind, isKey: Bool = false,
    isProprietaryOnly: Bool = false
  ) {
    self.isProprietaryOnly = isProprietaryOnly
    self.name = name
    self.bitOffset = bitOffset
    self.bitCount = bitCount
    self.kind = kind
    self.isKey = isKey
  }

  /// An unsigned whole number without a unit.
  @inlinable
  public static func unsigned(_ name: String, at bitOffset: Int, bits: Int, isKey: Bool = false) -> Field {
    Field(name, at: bitOffset, bits: bits, .number(.count), isKey: isKey)
  }

  /// A code with names.
  @inlinable
  public static func lookup(_ name: String, at bitOffset: Int, bits: Int, _ lookup: Lookup, isKey: Bool = false)
    -> Field
  {
    Field(name, at: bitOffset, bits: bits, .lookup(lookup), isKey: isKey)
  }

  /// Bits to be sent as ones.
  @inlinable
  public static func reserved(at bitOffset: Int, bits: Int) -> Field {
    Field("Reserved", at: bitOffset, bits: bits, .reserved)
  }

  /// How the bits of a numeric field make a number; nil for the other kinds.
  @inlinable
  public var format: NumberFormat? {
    switch kind {
    case .number(let format), .duration(let format): format
    default: nil
    }
  }

  /// How many bytes the field's value takes in 126208: its width, rounded up; nil when the value itself tells.
  public var wholeByteCount: Int? { bitCount == 0 ? nil : (bitCount + 7) / 8 }
}

extension Field.Kind {
  /// A number of steps of `resolution`, which must be a decimal of at most six places.
  public static func number(signed isSigned: Bool, resolution: Double, unit: Unit) -> Field.Kind {
    .number(NumberFormat(signed: isSigned, resolution: resolution, unit: unit))
  }
}

/// How the bits of a field make a number: `(bits * multiplier + offset) / 10^decimals`.
///
/// All whole numbers, so that a value prints to its resolution without passing through floating point.
@frozen
public struct NumberFormat: Sendable, Hashable {
  /// Two's complement if true.
  public let isSigned: Bool
  /// What one step is worth, in units of the last decimal.
  public let multiplier: Int32
  /// How many decimals the value has.
  public let decimals: UInt8
  /// What is added, in units of the last decimal.
  public let offset: Int32
  /// False for a field whose every code is a value, as the instances of a NAME.
  public let hasMissingCodes: Bool
  /// The unit.
  public let unit: Unit

  /// A format of these parts.
  @inlinable
  public init(
    signed isSigned: Bool = false, multiplier: Int32 = 1, decimals: UInt8 = 0, offset: Int32 = 0,
    hasMissingCodes: Bool = true, unit: Unit = .none
  ) {
    self.isSigned = isSigned
    self.multiplier = multiplier
    self.decimals = decimals
    self.offset = offset
    self.hasMissingCodes = hasMissingCodes
    self.unit = unit
  }

  /// A format of steps of `resolution`, which must be a decimal of at most six places.
  public init(signed isSigned: Bool, resolution: Double, unit: Unit) {
    var decimals: UInt8 = 0
    var multiplier = resolution
    while decimals < 6, (multiplier - multiplier.rounded()).magnitude > 1e-6 {
      multiplier *= 10
      decimals += 1
    }
    self.init(
      signed: isSigned, multiplier: Int32(max(1, min(1e9, multiplier.rounded()))), decimals: decimals, unit: unit)
  }

  /// A count or an identifier.
  public static let count = NumberFormat()
  /// An identifier that may use every code.
  public static let everyCode = NumberFormat(hasMissingCodes: false)

  /// 1, 10, 100...: what the value is divided by.
  @inlinable
  public var divisor: Int {
    switch decimals {
    case 0: 1
    case 1: 10
    case 2: 100
    case 3: 1_000
    case 4: 10_000
    case 5: 100_000
    default: 1_000_000
    }
  }

  /// The value of so many steps, the nearest number that a Double can hold.
  @inlinable
  public func value(steps: Int) -> Double {
    Double(steps &* Int(multiplier) &+ Int(offset)) / Double(divisor)
  }

  /// The steps nearest to a value; nil for one that no integer can count.
  @inlinable
  public func steps(value: Double) -> Int? {
    let steps = ((value * Double(divisor) - Double(offset)) / Double(multiplier)).rounded()
    return steps.magnitude < 0x1p62 ? Int(steps) : nil
  }
}

/// The unit of a number, in SI as canboat's `-si` prints it.
public enum Unit: String, Sendable {
  /// A count or an identifier.
  case none = ""
  /// Volts.
  case volts = "V"
  /// Amperes.
  case amperes = "A"
  /// Kelvin.
  case kelvin = "K"
  /// Seconds.
  case seconds = "s"
  /// Ampere-hours.
  case ampereHours = "Ah"
  /// Percent.
  case percent = "%"
  /// Watts.
  case watts = "W"
  /// Kilowatt-hours.
  case kilowattHours = "kWh"
  /// Degrees Celsius, where the bus has no kelvin.
  case celsius = "°C"
}
