/// One field of a message: its name, its place, and what its bits mean.
///
/// This is the only description of the field: typed access, JSON, names and units all come from it.
public struct Field: Sendable {
  /// What the bits are.
  public enum Kind: Sendable {
    /// A number of `resolution` steps. Signed numbers are two's complement.
    case number(signed: Bool, resolution: Double, unit: Unit)
    /// A code with names.
    case lookup(Lookup)
    /// Text of a fixed number of bytes, padded with 0xFF, spaces, `@` or zeros by different makers.
    case text
    /// Text that begins with its own length and a type byte.
    case variableText
    /// A PGN, 24 bits.
    case pgn
    /// Bytes without a meaning of their own.
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
  /// How many bits it has.
  public let bitCount: Int
  /// What the bits are.
  public let kind: Kind
  /// True for a field that tells apart messages of one sender, as an instance does.
  public let isKey: Bool

  /// A field of this place and kind.
  public init(_ name: String, at bitOffset: Int, bits bitCount: Int, _ kind: Kind, isKey: Bool = false) {
    self.name = name
    self.bitOffset = bitOffset
    self.bitCount = bitCount
    self.kind = kind
    self.isKey = isKey
  }

  /// An unsigned whole number without a unit.
  public static func unsigned(_ name: String, at bitOffset: Int, bits: Int, isKey: Bool = false) -> Field {
    Field(name, at: bitOffset, bits: bits, .number(signed: false, resolution: 1, unit: .none), isKey: isKey)
  }

  /// Bits to be sent as ones.
  public static func reserved(at bitOffset: Int, bits: Int) -> Field {
    Field("Reserved", at: bitOffset, bits: bits, .reserved)
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
}

/// Names for the codes of a field.
public struct Lookup: Sendable {
  /// What the codes are of.
  public let title: String
  /// The name of each known code.
  public let names: [UInt32: String]

  /// Names for codes.
  public init(_ title: String, _ names: [UInt32: String]) {
    self.title = title
    self.names = names
  }
}
