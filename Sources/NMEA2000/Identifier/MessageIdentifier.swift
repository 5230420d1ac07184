public import CANBus

/// The 29-bit identifier of an NMEA 2000 frame, taken apart (nmea2000.md section 1.5).
@frozen
public struct MessageIdentifier: Hashable, Sendable {
  /// 0 (first on the wire) to 7.
  public var priority: UInt8
  /// What the message is.
  public var pgn: PGN
  /// The sender's address; 254 for a node that has none.
  public var source: UInt8
  /// The receiver's address; 255 for all. Ignored on the wire for a PGN that is not addressed.
  public var destination: UInt8

  /// An identifier of these parts; priorities above 7 are cut to their low three bits.
  @inlinable
  public init(priority: UInt8, pgn: PGN, source: UInt8, destination: UInt8 = BusAddress.global) {
    self.priority = priority & 7
    self.pgn = pgn
    self.source = source
    self.destination = pgn.isAddressed ? destination : BusAddress.global
  }

  /// The parts of a CAN identifier; nil for an 11-bit one, which is no NMEA 2000 message.
  @inlinable
  public init?(_ identifier: CANIdentifier) {
    guard identifier.isExtended else { return nil }
    let value = identifier.value
    priority = UInt8(truncatingIfNeeded: value >> 26) & 7
    source = UInt8(truncatingIfNeeded: value)
    pgn = PGN(value >> 8)
    destination = pgn.isAddressed ? UInt8(truncatingIfNeeded: value >> 8) : BusAddress.global
  }

  /// The CAN identifier.
  @inlinable
  public var canIdentifier: CANIdentifier {
    let specific = pgn.isAddressed ? pgn.rawValue | UInt32(destination) : pgn.rawValue
    return .extended(UInt32(priority) << 26 | specific << 8 | UInt32(source))
  }
}

/// Addresses with a meaning of their own (nmea2000.md section 1.5).
public enum BusAddress {
  /// The highest address that a node may claim in NMEA 2000.
  public static let lastClaimable: UInt8 = 251
  /// The source of a node that has no address: requests before a claim, and "cannot claim".
  public static let null: UInt8 = 254
  /// The destination of messages to all.
  public static let global: UInt8 = 255
}
