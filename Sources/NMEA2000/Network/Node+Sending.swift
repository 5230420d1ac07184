import CANBus
public import MonotonicTime

/// From a message to frames in the outbox, all of it or nothing.
extension Node {
  /// What became of a message.
  public enum SendOutcome: Hashable, Sendable {
    /// It waits in the outbox.
    case queued
    /// The node has no address.
    case notClaimed
    /// The outbox is full.
    case outboxFull
    /// It has no bytes, or more than its framing can carry (single 8, fast packet 223).
    case wrongLength
  }

  /// Sends a message, framed as its definition says. Nothing is queued unless the outcome is ``SendOutcome/queued``.
  ///
  /// - Parameters:
  ///   - destination: for an addressed PGN; 255 for all.
  ///   - priority: nil for the message's default.
  ///   - urgency: decides who gets the last room, and tells the owner of the socket what may be dropped.
  ///   - validity: how long it stays true if the bus is busy.
  @discardableResult
  public mutating func send<Sent: Message>(
    _ message: Sent, to destination: UInt8 = BusAddress.global, priority: UInt8? = nil,
    urgency: Outbox.Urgency = .periodic, validity: TimeSpan = .seconds(1), at now: Instant
  ) -> SendOutcome {
    let definition = Sent.definition
    return message.withPayload { payload in
      send(
        pgn: definition.pgn, payload, framing: definition.framing, to: destination,
        priority: priority ?? definition.priority, urgency: urgency, validity: validity, at: now)
    }
  }

  /// Sends bytes: by fast packet, by the transport protocol to one address, or in one frame. A single frame is filled up
  /// with 0xFF to 8 bytes, except a request (59904).
  @discardableResult
  public mutating func send(
    pgn: PGN, _ payload: RawSpan, framing: MessageDefinition.Framing, to destination: UInt8 = BusAddress.global,
    priority: UInt8, urgency: Outbox.Urgency = .periodic, validity: TimeSpan = .seconds(1), at now: Instant
  ) -> SendOutcome {
    guard let own = address else {
      counters.refusedUnclaimed &+= 1
      return .notClaimed
    }
    let identifier = MessageIdentifier(priority: priority, pgn: pgn, source: own, destination: destination)
    let length = payload.byteCount
    noteSent(pgn)
    switch framing {
    case .single:
      guard length >= 1, length <= 8 else { return .wrongLength }
      guard outbox.reserve(1, for: urgency) else { return .outboxFull }
      let bits = ShortPayload(payload).bytes
      outbox.append(
        Outbox.Entry(
          frame: CANDataFrame(
            identifier.canIdentifier,
            CANPayload(
              littleEndian: UInt64(truncatingIfNeeded: bits), count: pgn == NetworkPGN.request ? length : 8)),
          urgency: urgency, queued: now, deadline: now + validity, remaining: 0))
    case .fastPacket:
      guard length >= 1, length <= LongPayload.capacity else { return .wrongLength }
      let frames = 1 + length / 7
      guard outbox.reserve(frames, for: urgency) else { return .outboxFull }
      var remaining = frames
      packets.send(payload, as: identifier) { frame in
        remaining -= 1
        outbox.append(
          Outbox.Entry(
            frame: frame, urgency: urgency, queued: now, deadline: now + validity, remaining: UInt8(max(0, remaining))))
      }
    case .isoTransport:
      guard transport.send(payload, pgn: pgn, from: own, to: destination, at: now, outbox: &outbox) else {
        return length < 1 || length > ISOTransport.Limits.length ? .wrongLength : .outboxFull
      }
    }
    counters.messagesSent &+= 1
    return .queued
  }

  /// Asks for a PGN (59904), of one node or of all.
  @discardableResult
  public mutating func request(
    _ pgn: PGN, from destination: UInt8 = BusAddress.global, urgency: Outbox.Urgency = .periodic, at now: Instant
  ) -> SendOutcome {
    var request = ISORequest()
    request.requestedPGN = .value(pgn)
    return send(request, to: destination, urgency: urgency, at: now)
  }

  mutating func sendByTransport(_ message: some LongMessage, to asker: UInt8, at now: Instant) -> Bool {
    guard let own = address else { return false }
    let pgn = type(of: message).definition.pgn
    return message.withPayload {
      transport.send($0, pgn: pgn, from: own, to: asker, at: now, outbox: &outbox)
    }
  }

  mutating func noteSent(_ pgn: PGN) {
    if !sentPGNs.contains(pgn), sentPGNs.count < 128 { sentPGNs.append(pgn) }
  }
}
