public import MonotonicTime

/// Frames that wait for the interface to take them.
///
/// The transmit queue of a CAN interface is short (often 10 frames) and refuses with ENOBUFS when the bus is busy; a
/// poll for "writable" does not help there. So refused frames wait here and are offered again after 2 ms, then after
/// twice as long each time, up to 50 ms. That is never a spin, and never longer than a few frames' time on the bus.
///
/// - Protective frames (a limit that was lowered, a contactor that must open) go before all others.
/// - Frames of one identifier are never reordered, as this would tear fast packets: a protective frame takes waiting
///   frames of its own identifier along.
/// - A message is its frames: it is queued whole or not at all, and dropped whole when its deadline has passed. A limit
///   from a second ago must not go out after a newer one was computed.
/// - The capacity is fixed. When a protective message finds no room, the newest ordinary messages give way.
public struct TransmitQueue: Sendable {
  /// What goes first.
  public enum Urgency: Hashable, Sendable {
    /// Goes before everything that is not protective.
    case protective
    /// In the order of coming.
    case ordinary
  }

  /// The wait after the first refusal.
  public static let firstRetry = TimeSpan.milliseconds(2)
  /// The longest wait between two tries.
  public static let longestRetry = TimeSpan.milliseconds(50)

  private struct Entry {
    var frame: CANFrame
    var identifier: CANIdentifier
    var deadline: Instant
    var message: UInt64
  }

  /// Protective entries first, then ordinary ones, each in the order of coming.
  private var entries: [Entry] = []
  private var protectiveCount = 0
  private var lastMessage: UInt64 = 0
  private var retrySpan = TransmitQueue.firstRetry
  private var lastRefusal: Instant?

  /// The number of frames that can wait.
  public let capacity: Int
  /// When frames may be offered again after a refusal; nil when nothing waits for that.
  public private(set) var nextRetry: Instant?
  /// Messages that were dropped, or not even queued, for lack of room.
  public private(set) var overflowed: UInt64 = 0
  /// Frames that were dropped because their deadline had passed.
  public private(set) var expired: UInt64 = 0

  /// An empty queue for `capacity` frames, at least 1. 256 hold one fast packet of every kind a device sends.
  public init(capacity: Int = 256) {
    self.capacity = max(1, capacity)
    entries.reserveCapacity(self.capacity)
  }

  /// The number of frames that wait.
  public var count: Int { entries.count }

  /// Whether nothing waits.
  public var isEmpty: Bool { entries.isEmpty }

  /// Queues one frame. Returns whether there was room; an error frame is nothing to send and is refused.
  @discardableResult
  public mutating func enqueue(_ frame: CANFrame, urgency: Urgency, deadline: Instant) -> Bool {
    enqueue(CollectionOfOne(frame), urgency: urgency, deadline: deadline)
  }

  /// Queues the frames of one message, whole or not at all. Returns whether there was room.
  ///
  /// A message of no frames, or one with an error frame, is nothing to send and is refused.
  @discardableResult
  public mutating func enqueue(_ message: some Collection<CANFrame>, urgency: Urgency, deadline: Instant) -> Bool {
    let frames = message.count
    guard frames > 0, message.allSatisfy({ $0.identifier != nil }) else { return false }
    if entries.count + frames > capacity, urgency == .protective, protectiveCount + frames <= capacity {
      makeRoom(for: frames)
    }
    guard entries.count + frames <= capacity else {
      overflowed += 1
      return false
    }
    lastMessage += 1
    for frame in message {
      guard let identifier = frame.identifier else { continue }
      let entry = Entry(frame: frame, identifier: identifier, deadline: deadline, message: lastMessage)
      switch urgency {
      case .ordinary:
        entries.append(entry)
      case .protective:
        promote(identifier)
        entries.insert(entry, at: protectiveCount)
        protectiveCount += 1
      }
    }
    if urgency == .protective, let lastRefusal, let retry = nextRetry {
      // It must not sit out the long wait that ordinary frames have earned.
      nextRetry = min(retry, lastRefusal + Self.firstRetry)
      retrySpan = Self.firstRetry
    }
    return true
  }

  /// Replaces the content of `batch` with the next frames to offer, at most `limit`; none before ``nextRetry``.
  ///
  /// They stay queued until ``accepted(_:)``, which must follow before anything else is queued.
  public mutating func next(_ limit: Int, at now: Instant, into batch: inout [CANFrame]) {
    batch.removeAll(keepingCapacity: true)
    dropExpired(at: now)
    if entries.isEmpty { nextRetry = nil }
    if let nextRetry, now < nextRetry { return }
    for entry in entries.prefix(max(0, limit)) { batch.append(entry.frame) }
  }

  /// The interface took the first `count` frames of the last batch.
  public mutating func accepted(_ count: Int) {
    let taken = min(max(0, count), entries.count)
    guard taken > 0 else { return }
    entries.removeFirst(taken)
    protectiveCount = max(0, protectiveCount - taken)
    startRetriesAnew()
  }

  /// The interface refused a frame at `now`, after it took those told to ``accepted(_:)``.
  public mutating func refused(at now: Instant) {
    lastRefusal = now
    nextRetry = now + retrySpan
    retrySpan = min(Self.longestRetry, retrySpan + retrySpan)
  }

  /// There is nothing to offer them to until the link is back.
  public mutating func waitForLink() { startRetriesAnew() }

  /// Drops everything: what waited while the link was down is out of date.
  public mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    protectiveCount = 0
    startRetriesAnew()
  }

  private mutating func startRetriesAnew() {
    nextRetry = nil
    lastRefusal = nil
    retrySpan = Self.firstRetry
  }

  /// Drops what is past its deadline. The frames of one message share it, so messages are dropped whole.
  private mutating func dropExpired(at now: Instant) {
    var kept = 0
    var keptProtective = 0
    for index in entries.indices {
      guard entries[index].deadline > now else { continue }
      if index < protectiveCount { keptProtective += 1 }
      if kept != index { entries[kept] = entries[index] }
      kept += 1
    }
    guard kept < entries.count else { return }
    expired += UInt64(entries.count - kept)
    entries.removeLast(entries.count - kept)
    protectiveCount = keptProtective
  }

  /// Drops the newest ordinary messages, each whole, until `frames` fit.
  private mutating func makeRoom(for frames: Int) {
    while entries.count + frames > capacity, entries.count > protectiveCount, let message = entries.last?.message {
      while entries.count > protectiveCount, entries.last?.message == message { entries.removeLast() }
      overflowed += 1
    }
  }

  /// Moves waiting ordinary frames of `identifier` to the end of the protective ones, in their order.
  private mutating func promote(_ identifier: CANIdentifier) {
    for index in protectiveCount..<entries.count where entries[index].identifier == identifier {
      let entry = entries.remove(at: index)
      entries.insert(entry, at: protectiveCount)
      protectiveCount += 1
    }
  }
}
