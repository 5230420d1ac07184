/// Which frames are heard: those with `identifier & mask == filter.identifier & mask` (Documentation/networking/can.rst of
/// the kernel, CAN_RAW_FILTER).
public struct CANFilter: Hashable, Sendable {
  /// The identifier, with its kind: an 11-bit filter passes no 29-bit frame and the other way round.
  public var identifier: CANIdentifier
  /// The bits of the identifier that matter. All by default.
  public var mask: UInt32

  /// A filter; by default for exactly one identifier.
  public init(_ identifier: CANIdentifier, mask: UInt32 = 0x1FFF_FFFF) {
    self.identifier = identifier
    self.mask = mask
  }

  /// Passes every 29-bit frame.
  public static let allExtended = CANFilter(.extended(0), mask: 0)

  /// Whether a frame with this identifier passes.
  public func passes(_ other: CANIdentifier) -> Bool {
    other.isExtended == identifier.isExtended && (other.value ^ identifier.value) & mask == 0
  }
}
