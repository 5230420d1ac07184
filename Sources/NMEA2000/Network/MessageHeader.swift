public import MonotonicTime

/// What is known of a complete message besides its payload.
public struct MessageHeader: Hashable, Sendable {
  /// The way a message came.
  public enum Transport: Hashable, Sendable {
    /// One frame.
    case single
    /// A fast packet.
    case fastPacket
    /// The ISO transport protocol.
    case isoTransport
  }

  /// Priority, PGN, source and destination.
  public var identifier: MessageIdentifier
  /// When its last frame arrived.
  public var instant: Instant
  /// The way it came.
  public var transport: Transport
  /// Who holds the source address, when a claim of it was heard. Data belong to a NAME, never to an address.
  public var sender: Name?

  /// A header of these parts.
  public init(
    _ identifier: MessageIdentifier, at instant: Instant, transport: Transport = .single, sender: Name? = nil
  ) {
    self.identifier = identifier
    self.instant = instant
    self.transport = transport
    self.sender = sender
  }

  /// What the message is.
  public var pgn: PGN { identifier.pgn }
  /// The sender's address.
  public var source: UInt8 { identifier.source }
  /// The receiver's address, 255 for all.
  public var destination: UInt8 { identifier.destination }
}
