/// A classic CAN identifier: 11 bits ("standard") or 29 bits ("extended").
///
/// The two spaces are separate: 11-bit 0x351 and 29-bit 0x351 are different identifiers. A value of this type is always
/// inside its range.
@frozen
public struct CANIdentifier: Hashable, Sendable {
  /// Bit 31 tells the space, as the kernel's `CAN_EFF_FLAG` does (linux/can.h); the identifier lies below.
  @usableFromInline let packed: UInt32

  @inlinable
  init(packed: UInt32) {
    self.packed = packed
  }

  /// An 11-bit identifier, 0...0x7FF. Nil above.
  @inlinable
  public init?(standard value: UInt32) {
    guard value <= 0x7FF else { return nil }
    packed = value
  }

  /// A 29-bit identifier, 0...0x1FFF_FFFF. Nil above.
  @inlinable
  public init?(extended value: UInt32) {
    guard value <= 0x1FFF_FFFF else { return nil }
    packed = value | 0x8000_0000
  }

  /// The 11-bit identifier in the low bits of `value`; the other bits are dropped.
  @inlinable
  public static func standard(_ value: UInt16) -> CANIdentifier {
    CANIdentifier(packed: UInt32(value) & 0x7FF)
  }

  /// The 29-bit identifier in the low bits of `value`; the other bits are dropped.
  @inlinable
  public static func extended(_ value: UInt32) -> CANIdentifier {
    CANIdentifier(packed: value & 0x1FFF_FFFF | 0x8000_0000)
  }

  /// True for 29 bits.
  @inlinable
  public var isExtended: Bool { packed & 0x8000_0000 != 0 }

  /// The identifier without its kind: 0...0x7FF or 0...0x1FFF_FFFF.
  @inlinable
  public var value: UInt32 { packed & 0x1FFF_FFFF }
}
