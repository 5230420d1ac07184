import CANBus
import MonotonicTime

/// Puts messages of the ISO transport protocol together as a listener: also those of two others, of whom neither knows
/// that somebody listens (nmea2000.md section 1.7).
///
/// A listener asks for nothing, so a packet that is lost stays lost; one that is sent again counts once. The sizes are
/// fixed and nothing is kept longer than a time-out.
struct TransportListener: Sendable {
  static let sessionCount = 16
  /// T2 and T3 of J1939-21, the longest that either side waits for the other.
  static let ageLimit = TimeSpan.milliseconds(1250)

  /// What a packet was.
  enum Packet {
    /// The last that its message lacked.
    case last
    /// One of a message that still lacks others, or one that was there already.
    case part
    /// One of no message that was announced: it says nothing.
    case stray
  }

  private struct Session: Sendable {
    var isOpen = false
    var source: UInt8 = 0
    var destination: UInt8 = 0
    var pgn: PGN = 0
    var size = 0
    var missing = 0
    /// Bit n is set when packet n + 1 is held.
    var held = InlineArray<4, UInt64>(repeating: 0)
    var opened = Instant.origin
    var lastHeard = Instant.origin
  }

  private var sessions = [Session](repeating: Session(), count: sessionCount)
  private var buffers = [[UInt8]](
    repeating: [UInt8](repeating: 0, count: ISOTransport.Limits.length + 7), count: sessionCount)
  /// Messages that were begun and never became whole.
  private(set) var incomplete = 0

  /// Forgets what is under way, as between two captures.
  mutating func removeAll() {
    for index in sessions.indices { giveUp(index) }
  }

  /// Forgets what is under way from or to an address whose holder changed.
  mutating func reset(_ address: UInt8) {
    for index in sessions.indices where sessions[index].source == address || sessions[index].destination == address {
      giveUp(index)
    }
  }

  /// Takes a frame of 60416. False when it makes no sense.
  mutating func receiveControl(
    _ payload: CANPayload, from source: UInt8, to destination: UInt8, at now: Instant
  ) -> Bool {
    guard payload.count == 8 else { return false }
    let pgn = PGN(UInt32(truncatingIfNeeded: payload.bits >> 40))
    switch payload[0] {
    case 16, 32:
      let size = Int(payload[1]) | Int(payload[2]) << 8
      let isBroadcast = payload[0] == 32
      guard size >= 1, size <= ISOTransport.Limits.length, Int(payload[3]) == (size + 6) / 7,
        isBroadcast == (destination == BusAddress.global)
      else { return false }
      open(pgn, size: size, from: source, to: destination, at: now)
    case 17:
      // A grant keeps the session of the other direction alive.
      if let index = session(from: destination, to: source) { sessions[index].lastHeard = now }
    case 19:
      break
    case 255:
      if let index = session(from: source, to: destination), sessions[index].pgn == pgn { giveUp(index) }
      if let index = session(from: destination, to: source), sessions[index].pgn == pgn { giveUp(index) }
    default:
      return false
    }
    return true
  }

  /// Takes a frame of 60160; hands the message that it completes to `deliver`, with the time it was announced.
  mutating func receiveData(
    _ payload: CANPayload, from source: UInt8, to destination: UInt8, at now: Instant,
    deliver: (PGN, RawSpan, Instant) -> Void
  ) -> Packet {
    guard let index = session(from: source, to: destination) else { return .stray }
    guard now - sessions[index].lastHeard <= Self.ageLimit else {
      giveUp(index)
      return .stray
    }
    let number = Int(payload[0]) - 1
    let offset = number * 7
    let size = sessions[index].size
    guard number >= 0, offset < size, payload.count > min(7, size - offset) else { return .stray }
    sessions[index].lastHeard = now
    let bit: UInt64 = 1 << UInt64(number & 63)
    guard sessions[index].held[number >> 6] & bit == 0 else { return .part }
    sessions[index].held[number >> 6] |= bit
    for place in 0..<7 { buffers[index][offset + place] = payload[place + 1] }
    sessions[index].missing -= 1
    guard sessions[index].missing == 0 else { return .part }
    sessions[index].isOpen = false
    let bytes = buffers[index]
    deliver(sessions[index].pgn, bytes.span.bytes.extracting(first: size), sessions[index].opened)
    return .last
  }

  private mutating func open(_ pgn: PGN, size: Int, from source: UInt8, to destination: UInt8, at now: Instant) {
    let old = session(from: source, to: destination)
    let oldest = sessions.indices.min { left, right in
      sessions[left].isOpen != sessions[right].isOpen
        ? !sessions[left].isOpen : sessions[left].lastHeard < sessions[right].lastHeard
    }
    guard let index = old ?? oldest else { return }
    giveUp(index)
    sessions[index] = Session(
      isOpen: true, source: source, destination: destination, pgn: pgn, size: size, missing: (size + 6) / 7,
      opened: now, lastHeard: now)
  }

  private mutating func giveUp(_ index: Int) {
    guard sessions[index].isOpen else { return }
    sessions[index].isOpen = false
    incomplete += 1
  }

  private func session(from source: UInt8, to destination: UInt8) -> Int? {
    sessions.firstIndex { $0.isOpen && $0.source == source && $0.destination == destination }
  }
}
