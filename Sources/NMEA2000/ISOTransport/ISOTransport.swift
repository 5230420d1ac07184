public import CANBus
public import MonotonicTime

/// The ISO 11783 transport protocol, also J1939-21: messages of up to 1,785 bytes in packets of 7 (nmea2000.md
/// section 1.7).
///
/// Needed for the commanded address (65240), which comes by broadcast (BAM), and for the few that ask by RTS/CTS.
/// Ordinary data never travel this way. Sessions are few and fixed; each ends by completion, abort or time-out, so none
/// can be leaked. What one received frame can make us send is bounded: ``Limits/packetsPerGrant`` frames.
public struct ISOTransport: Sendable {
  /// The fixed sizes.
  public enum Limits {
    /// The longest message.
    public static let length = 1785
    /// Messages that can arrive at the same time.
    public static let incoming = 4
    /// Messages that can be under way to others at the same time.
    public static let outgoing = 2
    /// How many packets we grant, or send, at once (TL grants 5; small, so that others get on the bus between).
    public static let packetsPerGrant = 8
    /// How often a missing packet is asked for again in one message.
    static let repetitions = 3
  }

  /// The times of J1939-21.
  enum Timing {
    /// T1: between two packets.
    static let packet = TimeSpan.milliseconds(750)
    /// T2 and T3: from a grant to the packet, from the last packet to the next grant.
    static let grant = TimeSpan.milliseconds(1250)
    /// T4: after a grant of nothing.
    static let hold = TimeSpan.milliseconds(1050)
  }

  /// Why a session is broken off.
  public enum AbortReason: UInt8, Sendable {
    /// Too many sessions.
    case busy = 1
    /// Not enough room, or too long.
    case resources = 2
    /// Nothing came in time.
    case timeout = 3
  }

  /// A message that has arrived whole.
  public struct Completed: Hashable, Sendable {
    /// What it is.
    public var pgn: PGN
    /// Who sent it.
    public var source: UInt8
    /// To whom.
    public var destination: UInt8
    /// How many bytes of ``bytes`` belong to it.
    public var count: Int
    /// The bytes, followed by others.
    public var bytes: [UInt8]
  }

  /// Counters since the start.
  public struct Statistics: Hashable, Sendable {
    /// Messages received whole.
    public var received: UInt64 = 0
    /// Messages sent and acknowledged.
    public var sent: UInt64 = 0
    /// Sessions ended by time-out.
    public var timeouts: UInt64 = 0
    /// Sessions ended by an abort, theirs or ours.
    public var aborted: UInt64 = 0
    /// Frames that made no sense.
    public var malformed: UInt64 = 0
    /// Sessions refused for want of room.
    public var refused: UInt64 = 0
  }

  private struct Incoming: Sendable {
    var isOpen = false
    var source: UInt8 = 0
    var destination: UInt8 = 0
    var pgn: PGN = 0
    var size = 0
    var packets = 0
    /// The packet that comes next, from 1.
    var next = 1
    /// The last packet granted; all of them in a broadcast.
    var granted = 0
    var packetsPerGrant = 0
    var repetitions = 0
    /// True after a packet was missed, until it comes: the rest of that grant is of no use.
    var isRepeating = false
    var deadline = Instant.origin

    var isBroadcast: Bool { destination == BusAddress.global }
  }

  private struct Outgoing: Sendable {
    var isOpen = false
    var destination: UInt8 = 0
    var pgn: PGN = 0
    var size = 0
    var packets = 0
    /// Packets sent so far, repetitions included.
    var sent = 0
    var isComplete = false
    var deadline = Instant.origin
    var bytes: [UInt8] = []
  }

  private var incoming = [Incoming](repeating: Incoming(), count: Limits.incoming)
  /// One for each of ``incoming``; apart from it, so that a session can be looked at without copying its bytes.
  private var buffers = [[UInt8]](repeating: [UInt8](repeating: 0, count: Limits.length), count: Limits.incoming)
  private var outgoing = [Outgoing](repeating: Outgoing(), count: Limits.outgoing)
  /// Counters since the start.
  public private(set) var statistics = Statistics()
  /// When ``tick(at:own:outbox:)`` is due; the far future while no session is open.
  public private(set) var nextDeadline = Instant(nanoseconds: .max)

  /// A transport without sessions.
  public init() {}

  /// How many sessions are open, both ways.
  public var openSessions: Int {
    incoming.count { $0.isOpen } + outgoing.count { $0.isOpen }
  }

  /// Ends all sessions in silence: our address is gone.
  public mutating func reset() {
    for index in incoming.indices { incoming[index].isOpen = false }
    for index in outgoing.indices { outgoing[index].isOpen = false }
    updateDeadline()
  }

  /// Ends what comes from an address whose holder changed: half a message of one must not be joined to the other's.
  public mutating func reset(source: UInt8) {
    for index in incoming.indices where incoming[index].source == source { incoming[index].isOpen = false }
    for index in outgoing.indices where outgoing[index].destination == source { outgoing[index].isOpen = false }
    updateDeadline()
  }

  // MARK: - Receiving

  /// Takes a frame of 60416, to all or to us. `own` is our address; nil while we have none: then only broadcasts count.
  public mutating func receiveControl(
    _ payload: CANPayload, from source: UInt8, to destination: UInt8, own: UInt8?, at now: Instant,
    outbox: inout Outbox
  ) {
    guard payload.count == 8, source != BusAddress.global else {
      statistics.malformed &+= 1
      return
    }
    let pgnBits = UInt32(truncatingIfNeeded: payload.bits >> 40)
    let pgn = PGN(pgnBits)
    let isBroadcast = destination == BusAddress.global
    let isOurs = own == destination && !isBroadcast && source < BusAddress.null
    defer { updateDeadline() }
    switch (payload[0], isBroadcast) {
    case (Control.broadcast, true):
      openIncoming(payload, pgn, from: source, to: destination, own: own, at: now, outbox: &outbox)
    case (Control.requestToSend, false) where isOurs:
      openIncoming(payload, pgn, from: source, to: destination, own: own, at: now, outbox: &outbox)
    case (Control.clearToSend, false) where isOurs:
      receiveGrant(payload, pgn, from: source, own: destination, at: now, outbox: &outbox)
    case (Control.endOfMessage, false) where isOurs:
      guard let index = outgoingSession(to: source, pgn), outgoing[index].isComplete else { return }
      outgoing[index].isOpen = false
      statistics.sent &+= 1
    case (Control.abort, false) where isOurs:
      // The reason is of no use; either side may abort.
      if let index = outgoingSession(to: source, pgn) {
        outgoing[index].isOpen = false
        statistics.aborted &+= 1
      }
      if let index = incomingSession(from: source, isBroadcast: false), incoming[index].pgn == pgn {
        incoming[index].isOpen = false
        statistics.aborted &+= 1
      }
    default:
      statistics.malformed &+= 1
    }
  }

  /// Takes a frame of 60160, to all or to us; returns the message that it completes.
  public mutating func receiveData(
    _ payload: CANPayload, from source: UInt8, to destination: UInt8, own: UInt8?, at now: Instant,
    outbox: inout Outbox
  ) -> Completed? {
    let isBroadcast = destination == BusAddress.global
    guard payload.count >= 2, isBroadcast || destination == own,
      let index = incomingSession(from: source, isBroadcast: isBroadcast)
    else {
      // Without a session: the rest of one that was broken off, or of one that began before we listened.
      return nil
    }
    defer { updateDeadline() }
    guard incoming[index].deadline > now else {
      closeTimedOut(index, own: own, at: now, outbox: &outbox)
      return nil
    }
    let sequence = Int(payload[0])
    let session = incoming[index]
    guard sequence == session.next, sequence <= session.granted else {
      if sequence > session.next, sequence <= session.granted { missPacket(index, own: own, at: now, outbox: &outbox) }
      return nil
    }
    let offset = (sequence - 1) * 7
    let needed = min(7, session.size - offset)
    guard payload.count > needed else {
      missPacket(index, own: own, at: now, outbox: &outbox)
      return nil
    }
    for byte in 0..<needed { buffers[index][offset + byte] = payload[byte + 1] }
    incoming[index].next = sequence + 1
    incoming[index].isRepeating = false
    incoming[index].deadline = now + Timing.packet
    if sequence == session.packets {
      incoming[index].isOpen = false
      statistics.received &+= 1
      if !isBroadcast, let own {
        control(
          Control.endOfMessage, UInt64(session.size) | UInt64(session.packets) << 16 | 0xFF << 24, session.pgn,
          from: own, to: source, at: now, outbox: &outbox)
      }
      return Completed(
        pgn: session.pgn, source: source, destination: destination, count: session.size, bytes: buffers[index])
    }
    if !isBroadcast, sequence == session.granted { grant(index, own: own, at: now, outbox: &outbox) }
    return nil
  }

  private mutating func openIncoming(
    _ payload: CANPayload, _ pgn: PGN, from source: UInt8, to destination: UInt8, own: UInt8?, at now: Instant,
    outbox: inout Outbox
  ) {
    let isBroadcast = destination == BusAddress.global
    let size = Int(payload[1]) | Int(payload[2]) << 8
    let packets = Int(payload[3])
    let previous = incomingSession(from: source, isBroadcast: isBroadcast)
    // A sender can have one of each kind: with a new one the old is over.
    if let previous { incoming[previous].isOpen = false }
    let isNested = pgn == NetworkPGN.transportControl || pgn == NetworkPGN.transportData
    guard size >= 1, size <= Limits.length, packets == (size + 6) / 7, !isNested else {
      statistics.malformed &+= 1
      if !isBroadcast, let own, size > Limits.length || isNested {
        abort(.resources, pgn, from: own, to: source, at: now, outbox: &outbox)
      }
      return
    }
    guard let index = previous ?? incoming.firstIndex(where: { !$0.isOpen || $0.deadline <= now }) else {
      statistics.refused &+= 1
      if !isBroadcast, let own { abort(.busy, pgn, from: own, to: source, at: now, outbox: &outbox) }
      return
    }
    incoming[index].isOpen = true
    incoming[index].source = source
    incoming[index].destination = destination
    incoming[index].pgn = pgn
    incoming[index].size = size
    incoming[index].packets = packets
    incoming[index].next = 1
    incoming[index].repetitions = 0
    incoming[index].isRepeating = false
    incoming[index].granted = isBroadcast ? packets : 0
    incoming[index].packetsPerGrant = max(1, min(Limits.packetsPerGrant, Int(payload[4])))
    incoming[index].deadline = now + Timing.packet
    if !isBroadcast { grant(index, own: own, at: now, outbox: &outbox) }
  }

  /// Grants the next packets (CTS).
  private mutating func grant(_ index: Int, own: UInt8?, at now: Instant, outbox: inout Outbox) {
    guard let own else { return }
    let session = incoming[index]
    let count = min(session.packetsPerGrant, session.packets - session.next + 1)
    incoming[index].granted = session.next + count - 1
    incoming[index].deadline = now + Timing.grant
    control(
      Control.clearToSend, UInt64(count) | UInt64(session.next) << 8 | 0xFFFF << 16, session.pgn, from: own,
      to: session.source, at: now, outbox: &outbox)
  }

  /// A packet did not come, or came short. A broadcast is lost; an addressed sender is asked again, a few times.
  private mutating func missPacket(_ index: Int, own: UInt8?, at now: Instant, outbox: inout Outbox) {
    guard !incoming[index].isBroadcast else {
      incoming[index].isOpen = false
      statistics.aborted &+= 1
      return
    }
    guard !incoming[index].isRepeating else { return }
    guard incoming[index].repetitions < Limits.repetitions else {
      let session = incoming[index]
      incoming[index].isOpen = false
      statistics.aborted &+= 1
      if let own { abort(.timeout, session.pgn, from: own, to: session.source, at: now, outbox: &outbox) }
      return
    }
    incoming[index].repetitions += 1
    incoming[index].isRepeating = true
    grant(index, own: own, at: now, outbox: &outbox)
  }

  // MARK: - Sending

  /// Begins to send a message to one address by RTS/CTS. False when it is too long or no session is free.
  public mutating func send(
    _ payload: RawSpan, pgn: PGN, from own: UInt8, to destination: UInt8, at now: Instant, outbox: inout Outbox
  ) -> Bool {
    let size = payload.byteCount
    guard size >= 1, size <= Limits.length, destination < BusAddress.null, destination != own,
      !outgoing.contains(where: { $0.isOpen && $0.destination == destination }),
      let index = outgoing.firstIndex(where: { !$0.isOpen })
    else { return false }
    let packets = (size + 6) / 7
    guard
      control(
        Control.requestToSend,
        UInt64(size) | UInt64(packets) << 16 | UInt64(Limits.packetsPerGrant) << 24, pgn, from: own,
        to: destination, at: now, outbox: &outbox)
    else { return false }
    outgoing[index].isOpen = true
    outgoing[index].destination = destination
    outgoing[index].pgn = pgn
    outgoing[index].size = size
    outgoing[index].packets = packets
    outgoing[index].sent = 0
    outgoing[index].isComplete = false
    outgoing[index].deadline = now + Timing.grant
    outgoing[index].bytes.removeAll(keepingCapacity: true)
    for offset in 0..<size {
      outgoing[index].bytes.append(payload.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self))
    }
    updateDeadline()
    return true
  }

  private mutating func receiveGrant(
    _ payload: CANPayload, _ pgn: PGN, from source: UInt8, own: UInt8, at now: Instant, outbox: inout Outbox
  ) {
    guard let index = outgoingSession(to: source, pgn) else { return }
    let granted = Int(payload[1])
    let next = Int(payload[2])
    guard granted > 0 else {
      outgoing[index].deadline = now + Timing.hold
      return
    }
    let session = outgoing[index]
    guard next >= 1, next <= session.packets else {
      statistics.malformed &+= 1
      return
    }
    let count = min(granted, Limits.packetsPerGrant, session.packets - next + 1)
    // Who asks again and again for the same packets gets each of them a few times and no more.
    guard session.sent + count <= session.packets * (1 + Limits.repetitions), outbox.reserve(count, for: .network)
    else {
      outgoing[index].isOpen = false
      statistics.aborted &+= 1
      abort(.resources, pgn, from: own, to: source, at: now, outbox: &outbox)
      return
    }
    let identifier = MessageIdentifier(
      priority: 6, pgn: NetworkPGN.transportData, source: own, destination: source)
    for packet in next..<next + count {
      var bits = UInt64.max << 8 | UInt64(packet)
      for place in 0..<7 where (packet - 1) * 7 + place < session.size {
        let shift = UInt64(place * 8 + 8)
        bits = bits & ~(0xFF << shift) | UInt64(session.bytes[(packet - 1) * 7 + place]) << shift
      }
      outbox.append(
        Outbox.Entry(
          frame: CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: bits, count: 8)),
          urgency: .network, queued: now, deadline: now + Timing.packet, remaining: UInt8(next + count - 1 - packet)))
    }
    outgoing[index].sent += count
    outgoing[index].isComplete = next + count - 1 == session.packets
    outgoing[index].deadline = now + Timing.grant
  }

  // MARK: - Time

  /// Ends the sessions whose time is over.
  public mutating func tick(at now: Instant, own: UInt8?, outbox: inout Outbox) {
    guard nextDeadline <= now else { return }
    for index in incoming.indices where incoming[index].isOpen && incoming[index].deadline <= now {
      closeTimedOut(index, own: own, at: now, outbox: &outbox)
    }
    for index in outgoing.indices where outgoing[index].isOpen && outgoing[index].deadline <= now {
      outgoing[index].isOpen = false
      statistics.timeouts &+= 1
      if let own {
        abort(.timeout, outgoing[index].pgn, from: own, to: outgoing[index].destination, at: now, outbox: &outbox)
      }
    }
    updateDeadline()
  }

  private mutating func closeTimedOut(_ index: Int, own: UInt8?, at now: Instant, outbox: inout Outbox) {
    let session = incoming[index]
    incoming[index].isOpen = false
    statistics.timeouts &+= 1
    if !session.isBroadcast, let own {
      abort(.timeout, session.pgn, from: own, to: session.source, at: now, outbox: &outbox)
    }
  }

  // MARK: - Parts

  private enum Control {
    static let requestToSend: UInt8 = 16
    static let clearToSend: UInt8 = 17
    static let endOfMessage: UInt8 = 19
    static let broadcast: UInt8 = 32
    static let abort: UInt8 = 255
  }

  private func incomingSession(from source: UInt8, isBroadcast: Bool) -> Int? {
    incoming.firstIndex { $0.isOpen && $0.source == source && $0.isBroadcast == isBroadcast }
  }

  private func outgoingSession(to destination: UInt8, _ pgn: PGN) -> Int? {
    outgoing.firstIndex { $0.isOpen && $0.destination == destination && $0.pgn == pgn }
  }

  private mutating func updateDeadline() {
    var deadline = Instant(nanoseconds: .max)
    for session in incoming where session.isOpen { deadline = min(deadline, session.deadline) }
    for session in outgoing where session.isOpen { deadline = min(deadline, session.deadline) }
    nextDeadline = deadline
  }

  private func abort(
    _ reason: AbortReason, _ pgn: PGN, from own: UInt8, to destination: UInt8, at now: Instant, outbox: inout Outbox
  ) {
    control(
      Control.abort, UInt64(reason.rawValue) | 0xFF_FFFF << 8, pgn, from: own, to: destination, at: now,
      outbox: &outbox)
  }

  /// Sends a control frame: the code, four bytes of parameters, the PGN.
  @discardableResult
  private func control(
    _ code: UInt8, _ parameters: UInt64, _ pgn: PGN, from own: UInt8, to destination: UInt8, at now: Instant,
    outbox: inout Outbox
  ) -> Bool {
    let identifier = MessageIdentifier(
      priority: 6, pgn: NetworkPGN.transportControl, source: own, destination: destination)
    let bits = UInt64(code) | (parameters & 0xFFFF_FFFF) << 8 | UInt64(pgn.rawValue) << 40
    return outbox.reserve(1, for: .network)
      && outbox.append(
        Outbox.Entry(
          frame: CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: bits, count: 8)),
          urgency: .network, queued: now, deadline: now + Timing.packet, remaining: 0))
  }
}
