public import MonotonicTime
public import NMEA2000

/// The protocol of a device that has registers (vecan.md section 1): who asks is answered or refused, and never left
/// waiting in silence.
///
/// - An answer to a read goes to all, a refusal to who asked.
/// - A register that many ask for before its answer leaves is answered once: all of them hear it. So reads need a mark a
///   register and no queue, and no burst can overflow it (so does Victron's own library).
/// - Writes and refusals wait in queues of fixed length. When one is full, everybody is told by one refusal of 0x0002 with
///   0x8500 (``RefusalCode/overflow``); so they are when frames were lost on the way here.
/// - What is sent to all is a report and never an order; only a read may be sent to all, and then nobody refuses.
/// - Answers leave at a pace that keeps half of the bus free, however much is asked: limits go between them.
///
/// It does no I/O: requests go in, the owner takes ``nextWrite()``, and asks for ``nextAnswer(at:)`` until there is none.
public struct RegisterServer: Sendable {
  /// Who wants to write what.
  public struct Write: Hashable, Sendable {
    /// Who.
    public var source: UInt8
    /// Which register, or ``RegisterID/restoreDefaults``.
    public var id: RegisterID
    /// The bytes behind the register's number. A single frame always brings four.
    public var value: LongPayload

    /// The value as that of a short register.
    public var message: RegisterMessage { RegisterMessage(id, value: value.short) }

    /// The value as a text; nil when it is none.
    public var text: String? { LongRegisterMessage(id, value).text }
  }

  /// What is to be sent.
  public enum Answer: Hashable, Sendable {
    /// The value of a register as it is now, to all.
    case value(Register)
    /// This, to all.
    case report(RegisterMessage)
    /// This, to one.
    case refusal(RegisterMessage, to: UInt8)
  }

  /// Counters since the start.
  public struct Statistics: Hashable, Sendable {
    /// Reads of registers that there are; a masked one counts for each.
    public var reads: UInt64 = 0
    /// Writes handed to the owner.
    public var writes: UInt64 = 0
    /// Refusals queued.
    public var refusals: UInt64 = 0
    /// Requests that were answered with 0x8500 to all.
    public var overflows: UInt64 = 0
  }

  /// So many writes, and so many refusals and echoes, can wait.
  public static let capacity = 64
  /// What each frame of an answer keeps the next one away: 43 % of a bus of 250 kbit/s, whose frames of 8 bytes take
  /// 0.54 ms.
  public static let pace = TimeSpan.microseconds(1250)

  /// Counters since the start.
  public private(set) var statistics = Statistics()

  private let registers: [Register]
  private let ids: [UInt16]
  private var isDue: [Bool]
  private var dueCount = 0
  private var cursor = 0
  private var writes: BoundedQueue<Write>
  private var replies: BoundedQueue<Answer>
  private var hasOverflowed = false
  private var nextAnswer = Instant(nanoseconds: .min)

  /// A device with these registers. Those that are only to be written are found by ``Register/definition``.
  public init(_ registers: [Register]) {
    self.registers = registers.sorted { $0.rawValue < $1.rawValue }
    ids = self.registers.map(\.rawValue)
    isDue = [Bool](repeating: false, count: registers.count)
    writes = BoundedQueue(capacity: Self.capacity)
    replies = BoundedQueue(capacity: Self.capacity)
  }

  /// Whether the device has a register.
  public func has(_ id: RegisterID) -> Bool { index(of: id) != nil }

  // MARK: - Requests

  /// Takes a message of 61184 or 126720 that came to us or to all. Anything that is no request is left alone.
  public mutating func receive(_ header: MessageHeader, _ payload: RawSpan) {
    let isBroadcast = header.destination == BusAddress.global
    // Most are reports of others.
    guard let beginning = RegisterMessage(VictronRegister(payload: payload)),
      !isBroadcast || beginning.id == .read,
      let message = LongRegisterMessage(ProprietaryFastPacket(payload: payload))
    else { return }
    switch message.id {
    case .read:
      guard let (id, mask) = message.short.words else {
        if !isBroadcast { refuse(.read, .invalid, to: header.source) }
        return
      }
      if !read(id, mask: mask), !isBroadcast { refuse(id, .unknownRead, to: header.source) }
    case .refusal:
      // An answer to something that we would have asked.
      break
    case .ping:
      guard !isBroadcast else { return }
      guard message.value.count >= 4 else {
        refuse(.ping, .invalid, to: header.source)
        return
      }
      reply(.report(message.short))
    default:
      guard !isBroadcast else { return }
      write(message, from: header.source)
    }
  }

  private mutating func read(_ id: RegisterID, mask: UInt16) -> Bool {
    if mask == 0xFFFF {
      guard let index = index(of: id), registers[index].definition.access != .command else { return false }
      statistics.reads &+= 1
      mark(index)
      return true
    }
    var found = false
    for index in ids.indices where ids[index] & mask == id.rawValue & mask {
      guard registers[index].definition.access != .command else { continue }
      statistics.reads &+= 1
      mark(index)
      found = true
    }
    return found
  }

  private mutating func write(_ message: LongRegisterMessage, from source: UInt8) {
    if message.id != .restoreDefaults {
      guard let index = index(of: message.id) else {
        refuse(message.id, .unknownWrite, to: source)
        return
      }
      let definition = registers[index].definition
      // That a register is only to be read has no code of its own; this one says "no such register to write".
      guard definition.access != .read else {
        refuse(message.id, .unknownWrite, to: source)
        return
      }
      guard definition.takes(byteCount: message.value.count) else {
        refuse(message.id, .invalid, to: source)
        return
      }
    }
    if writes.append(Write(source: source, id: message.id, value: message.value)) {
      statistics.writes &+= 1
    } else {
      overflow()
    }
  }

  // MARK: - The owner's side

  /// Takes the oldest write. The owner carries it out and says ``report(_:)``, or ``refuse(_:_:to:)``.
  public mutating func nextWrite() -> Write? { writes.popFirst() }

  /// The register's value is to be sent: it was written, or a write changed it.
  public mutating func report(_ register: Register) {
    if let index = index(of: register.id), register.definition.access != .command { mark(index) }
  }

  /// A command that has no value was carried out: its number goes to all, as the value of any register would.
  public mutating func acknowledge(_ id: RegisterID) {
    reply(.report(RegisterMessage(id, value: ShortPayload(littleEndian: 0, count: 0))))
  }

  /// Frames were lost before anybody read them, and requests may have been among them: all are told, as for a request
  /// that found no room.
  public mutating func noteLostFrames() { overflow() }

  /// Refuses a request.
  public mutating func refuse(_ id: RegisterID, _ code: RefusalCode, to source: UInt8) {
    statistics.refusals &+= 1
    reply(.refusal(.refusal(of: id, code), to: source))
  }

  /// What is to be sent now; nil when nothing is, or it is too early. It stays the next one until ``sent(frames:at:)``.
  public func nextAnswer(at now: Instant) -> Answer? {
    guard nextAnswer <= now else { return nil }
    if let reply = replies.first { return reply }
    if hasOverflowed { return .report(.refusal(of: .refusal, .overflow)) }
    guard dueCount > 0 else { return nil }
    for step in isDue.indices {
      let index = (cursor + step) % isDue.count
      if isDue[index] { return .value(registers[index]) }
    }
    return nil
  }

  /// The answer was sent, in so many frames.
  public mutating func sent(_ answer: Answer, frames: Int, at now: Instant) {
    nextAnswer = now + TimeSpan(nanoseconds: Self.pace.nanoseconds * Int64(max(1, frames)))
    switch answer {
    case .value(let register):
      guard let index = index(of: register.id), isDue[index] else { return }
      isDue[index] = false
      dueCount -= 1
      cursor = (index + 1) % isDue.count
    case .report, .refusal:
      if replies.first == answer { _ = replies.popFirst() } else { hasOverflowed = false }
    }
  }

  /// There was no room for the answer: it is tried again a little later.
  public mutating func postpone(at now: Instant) { nextAnswer = now + .milliseconds(5) }

  /// When ``nextAnswer(at:)`` has something to say.
  public var nextDeadline: Instant {
    dueCount > 0 || !replies.isEmpty || hasOverflowed ? nextAnswer : Instant(nanoseconds: .max)
  }

  /// Forgets everything that waits, as after the bus was gone: nobody waits for it any more.
  public mutating func removeAll() {
    for index in isDue.indices { isDue[index] = false }
    dueCount = 0
    writes.removeAll()
    replies.removeAll()
    hasOverflowed = false
  }

  // MARK: - Inside

  private mutating func mark(_ index: Int) {
    if !isDue[index] {
      isDue[index] = true
      dueCount += 1
    }
  }

  private mutating func reply(_ answer: Answer) {
    if !replies.append(answer) { overflow() }
  }

  private mutating func overflow() {
    statistics.overflows &+= 1
    hasOverflowed = true
  }

  private func index(of id: RegisterID) -> Int? {
    var low = 0
    var high = ids.count
    while low < high {
      let middle = (low + high) / 2
      if ids[middle] < id.rawValue { low = middle + 1 } else { high = middle }
    }
    return low < ids.count && ids[low] == id.rawValue ? low : nil
  }
}

/// A queue of fixed length.
struct BoundedQueue<Element: Sendable>: Sendable {
  private var elements: [Element] = []
  private let capacity: Int

  init(capacity: Int) {
    self.capacity = capacity
    elements.reserveCapacity(capacity)
  }

  var first: Element? { elements.first }
  var isEmpty: Bool { elements.isEmpty }

  /// False, and nothing is kept, when it is full.
  mutating func append(_ element: Element) -> Bool {
    guard elements.count < capacity else { return false }
    elements.append(element)
    return true
  }

  /// At most 64 elements move up: that is cheaper than being clever.
  mutating func popFirst() -> Element? { elements.isEmpty ? nil : elements.removeFirst() }

  mutating func removeAll() { elements.removeAll(keepingCapacity: true) }
}
