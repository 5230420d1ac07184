public import MonotonicTime

/// A classic CAN frame, by kind.
///
/// The kinds are closed and carry different things, so that nobody can read a remote frame as a battery at 0 V, or a
/// controller's error report as PGN 0: both have happened to decoders that test flag bits (nmea2000.md section 4).
public enum CANFrame: Hashable, Sendable {
  /// Data from a node.
  case data(CANDataFrame)
  /// A request to send (RTR). It has a length code and no bytes.
  case remote(CANRemoteFrame)
  /// A report by the own controller or its driver. It was never on the bus.
  case error(CANErrorFrame)
}

extension CANFrame {
  /// The identifier that a frame has on the bus; nil for an error frame, which was never there.
  public var identifier: CANIdentifier? {
    switch self {
    case .data(let data): data.identifier
    case .remote(let remote): remote.identifier
    case .error: nil
    }
  }
}

/// A data frame: an identifier and 0 to 8 bytes.
@frozen
public struct CANDataFrame: Hashable, Sendable {
  /// Who and what.
  public var identifier: CANIdentifier
  /// The bytes.
  public var payload: CANPayload

  /// A frame of these bytes.
  @inlinable
  public init(_ identifier: CANIdentifier, _ payload: CANPayload) {
    self.identifier = identifier
    self.payload = payload
  }
}

/// A remote frame (RTR): asks the node that owns `identifier` to send. NMEA 2000 has no use for them.
@frozen
public struct CANRemoteFrame: Hashable, Sendable {
  /// The identifier that is asked for.
  public var identifier: CANIdentifier
  /// The length that is asked for, 0...8.
  public var requestedLength: UInt8

  /// A request for `identifier`; a length above 8 means 8, as on the wire.
  @inlinable
  public init(_ identifier: CANIdentifier, requestedLength: UInt8 = 0) {
    self.identifier = identifier
    self.requestedLength = min(8, requestedLength)
  }
}

/// A frame as it was received: what, when, and by which way.
public struct ReceivedFrame: Hashable, Sendable {
  /// The frame.
  public var frame: CANFrame
  /// When it arrived, on the monotonic clock; from the kernel's time stamp where there is one.
  public var instant: Instant

  /// A frame that arrived at `instant`.
  @inlinable
  public init(_ frame: CANFrame, at instant: Instant) {
    self.frame = frame
    self.instant = instant
  }
}
