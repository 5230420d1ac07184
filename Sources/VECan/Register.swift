public import NMEA2000

/// The number of a Victron register (VREG), the same on VE.Can, VE.Direct and Bluetooth (vecan.md section 1).
@frozen
public struct RegisterID: Hashable, Comparable, Sendable {
  /// The number.
  public let rawValue: UInt16

  /// The register of this number.
  @inlinable
  public init(_ number: UInt16) { rawValue = number }

  /// Whether the number of `left` is smaller.
  @inlinable
  public static func < (left: RegisterID, right: RegisterID) -> Bool { left.rawValue < right.rawValue }
}

extension RegisterID: ExpressibleByIntegerLiteral, CustomStringConvertible {
  /// The register of this number.
  @inlinable
  public init(integerLiteral value: UInt16) { self.init(value) }

  /// The number as `0x0390`.
  public var description: String {
    let digits = String(rawValue, radix: 16, uppercase: true)
    return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}

/// What a register is: the one description that encode, decode, names and units come from.
public struct RegisterDefinition: Sendable {
  /// Its number.
  public let id: RegisterID
  /// Its name, for people.
  public let name: String
  /// The length of its value in bytes: 1...4 travel in a single frame.
  public let length: Int
  /// The fields of the value, with offsets from its first bit.
  public let fields: [Field]

  /// A register of these parts.
  public init(_ id: RegisterID, _ name: String, length: Int, fields: [Field]) {
    self.id = id
    self.name = name
    self.length = length
    self.fields = fields
  }
}

/// A register's value with typed access. One type a register, each with the one table that describes it.
public protocol Register: Hashable, Sendable {
  /// What the register is.
  static var definition: RegisterDefinition { get }
  /// The value's bytes.
  var value: ShortPayload { get set }
  /// The register with this value.
  init(value: ShortPayload)
}

extension Register {
  /// The register with every field not available (all ones).
  public init() { self.init(value: ShortPayload(count: Self.definition.length)) }
}
