/// A parameter group number: what a message is. 18 bits: data page, PDU format, PDU specific.
///
/// Below PDU format 240 a message is addressed and the PDU specific byte is the destination, no part of the PGN
/// (nmea2000.md section 1.5); such a PGN has a zero there.
@frozen
public struct PGN: Hashable, Comparable, Sendable {
  /// The number, 0...0x3FFFF.
  public let rawValue: UInt32

  /// The PGN of this number: the low 18 bits, and for an addressed one a zero in the place of the destination.
  @inlinable
  public init(_ number: UInt32) {
    let number = number & 0x3FFFF
    rawValue = (number >> 8) & 0xFF < 240 ? number & 0x3FF00 : number
  }

  /// True when messages of this PGN have a destination (PDU1); false when they go to all (PDU2).
  @inlinable
  public var isAddressed: Bool { (rawValue >> 8) & 0xFF < 240 }

  /// True when the maker decides on the content, and the first two bytes tell who that is: 61184, 65280...65535, 126720
  /// and 130816...131071.
  @inlinable
  public var isProprietary: Bool {
    let format = rawValue >> 8 & 0x2FF
    return format == 0xEF || format == 0xFF
  }

  /// Whether the number of `left` is smaller.
  @inlinable
  public static func < (left: PGN, right: PGN) -> Bool { left.rawValue < right.rawValue }
}

extension PGN: ExpressibleByIntegerLiteral, CustomStringConvertible {
  /// The PGN of this number, as ``init(_:)``.
  @inlinable
  public init(integerLiteral value: UInt32) { self.init(value) }

  /// The number in decimal, as people write it.
  public var description: String { String(rawValue) }
}
