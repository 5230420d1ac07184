public import CANBus
public import MonotonicTime

/// Frames on their way to the bus, in order, of a fixed capacity.
///
/// The node writes here and the owner of the socket takes from here. A queue of its own is needed because the kernel's
/// holds 10 frames by default and one 126996 has 20 (ENOBUFS, nmea2000.md section 4). When it is full, a message is
/// refused as a whole: a receiver can do nothing with half of one.
public struct Outbox: Sendable {
  /// What a frame is for, so that the owner knows what may be late and what may be dropped.
  public enum Urgency: UInt8, Comparable, Sendable {
    /// A protective output: a limit or a contact. Never to be dropped silently.
    case protective
    /// Address claims and transport control: wrong when late by a quarter of a second.
    case network
    /// An answer to somebody who waits for it.
    case answer
    /// A measurement, soon followed by a newer one.
    case periodic

    /// Whether `left` is more urgent.
    public static func < (left: Urgency, right: Urgency) -> Bool { left.rawValue < right.rawValue }
  }

  /// A frame with what its sender needs to know.
  public struct Entry: Hashable, Sendable {
    /// The frame.
    public var frame: CANDataFrame
    /// What it is for.
    public var urgency: Urgency
    /// When it was queued.
    public var queued: Instant
    /// After this instant it says something that is no longer true, or answers somebody who has given up.
    public var deadline: Instant
    /// How many further frames of the same message follow directly; 0 for the last.
    public var remaining: UInt8
  }

  private var entries: [Entry] = []
  private var first = 0
  /// How many frames wait.
  public private(set) var count = 0
  /// The most frames that can wait.
  public let capacity: Int
  /// How many messages were refused because the queue was full.
  public private(set) var refused: UInt64 = 0

  /// A queue of at most `capacity` frames (at least 64: twice the longest fast packet).
  public init(capacity: Int = 256) {
    self.capacity = max(64, capacity)
    let nothing = Entry(
      frame: CANDataFrame(.extended(0), .empty), urgency: .periodic, queued: .origin, deadline: .origin, remaining: 0)
    entries = [Entry](repeating: nothing, count: self.capacity)
  }

  /// Whether nothing waits.
  public var isEmpty: Bool { count == 0 }

  /// The next frame, left in place, so that a full kernel queue loses nothing.
  public var next: Entry? { count > 0 ? entries[first] : nil }

  /// Takes the next frame.
  public mutating func popFirst() -> Entry? {
    guard count > 0 else { return nil }
    let entry = entries[first]
    first = first + 1 == capacity ? 0 : first + 1
    count -= 1
    return entry
  }

  /// Drops everything, as after the interface went down: old frames must not surface when it comes back.
  public mutating func removeAll() {
    first = 0
    count = 0
  }

  /// Whether a message of so many frames fits; counts the refusal when not.
  ///
  /// Answers may fill half of the queue, so that nobody who asks much can keep our own messages out, and only claims
  /// and transport control the last places.
  mutating func reserve(_ frames: Int, for urgency: Urgency) -> Bool {
    let limit =
      switch urgency {
      case .network: capacity
      case .protective, .periodic: capacity - 4
      case .answer: capacity / 2
      }
    if count + frames <= limit { return true }
    refused += 1
    return false
  }

  /// Queues a frame that is no NMEA 2000 message, as an 11-bit one; false when there is no room.
  public mutating func append(
    _ frame: CANDataFrame, urgency: Urgency, validity: TimeSpan, at now: Instant
  ) -> Bool {
    append(Entry(frame: frame, urgency: urgency, queued: now, deadline: now + validity, remaining: 0))
  }

  /// Appends a frame; false when there is no room.
  @discardableResult
  mutating func append(_ entry: Entry) -> Bool {
    guard count < capacity else { return false }
    let place = first + count
    entries[place >= capacity ? place - capacity : place] = entry
    count += 1
    return true
  }
}
