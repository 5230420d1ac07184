public import CANBus
public import MonotonicTime

/// Puts fast packets together again: messages of up to 223 bytes from up to 32 frames (nmea2000.md section 1.6).
///
/// The rule above all others: a message is whole and of one piece, or it is not delivered. Half messages have shown
/// battery instances that do not exist, and glued ones look perfectly valid (nmea2000.md section 4).
///
/// - A message is known by its whole identifier and its sequence number, so senders, destinations and sequences of one
///   sender may interleave.
/// - Frames may come in any order, as Wi-Fi gateways deliver them. Only frame 0 must not be the one that completes a
///   message: then the rest is most likely the body of an earlier message whose frame 0 was lost (canboat/canboat#738).
/// - A frame that contradicts what is held (the same number again, a number beyond the length) ends the message.
/// - Frames of one message lie at most 750 ms apart from its first, and a body waits at most 90 ms for its frame 0.
///
/// Everything is allocated once; receiving does not allocate.
public struct FastPacketAssembler: Sendable {
  /// The longest time from the first frame of a message to its last; go-nmea-client and others use the same.
  public static let ageLimit = TimeSpan.milliseconds(750)
  /// The longest time that a body waits for its frame 0. Reordering is a matter of milliseconds; what is older is the
  /// rest of a message whose frame 0 was lost. The fastest sender seen repeats every 100 ms (nmea2000.md section 1.2).
  public static let reorderLimit = TimeSpan.milliseconds(90)
  /// How many messages can be under way at a time.
  public static let slotCount = 64

  /// What happened since the start.
  public struct Statistics: Hashable, Sendable {
    /// Whole messages that were delivered.
    public var messages = 0
    /// Messages that were given up: a frame contradicted them, or their time ran out.
    public var incomplete = 0
    /// Messages that had to make room for newer ones.
    public var evicted = 0
    /// First frames that announce 0 or more than 223 bytes.
    public var refusedLengths = 0
    /// Frames that hold fewer bytes than they must.
    public var shortFrames = 0
  }

  struct Slot {
    /// The identifier's 29 bits and, above them, the 3 bits of the sequence.
    var key: UInt32
    /// Bit n is set when frame n is held.
    var held: UInt32
    /// The bits that make a whole message; 0 before frame 0 has come.
    var needed: UInt32
    /// The payload's length; 0 before frame 0 has come.
    var length: Int
    /// Where its bytes begin in the storage.
    var base: Int
    /// When its first frame came.
    var start: Instant
  }

  /// The bytes of 32 frames (6 + 31 * 7 = 223), rounded up.
  static let stride = 224

  /// The first `count` are in use, newest last. Inline, like the bytes: an array's check whether it may be written took a
  /// fifth of the time of a frame.
  private var slots: InlineArray<64, Slot>
  private var count = 0
  @usableFromInline var storage = InlineArray<14_336, UInt8>(repeating: 0xFF)
  /// How many messages are under way from an address: mostly none or one.
  private var underWay = InlineArray<256, UInt8>(repeating: 0)
  /// Where the last one of an address is likely to be.
  private var hints = InlineArray<256, UInt8>(repeating: 0)

  /// What happened since the start, or since it was last set.
  public var statistics = Statistics()

  /// An assembler with nothing under way.
  public init() {
    slots = InlineArray { Slot(key: 0, held: 0, needed: 0, length: 0, base: $0 * Self.stride, start: .origin) }
  }

  /// Forgets what is under way, as between two captures.
  public mutating func removeAll() {
    statistics.incomplete &+= count
    count = 0
    underWay = InlineArray(repeating: 0)
  }

  /// Forgets what is under way from one address: its holder changed, and half a message of the one must not be completed
  /// by the other.
  public mutating func removeAll(from source: UInt8) {
    var index = count &- 1
    while index >= 0 {
      if UInt8(truncatingIfNeeded: slots[index].key) == source {
        statistics.incomplete &+= 1
        close(index)
      }
      index &-= 1
    }
  }

  /// Takes a frame; when it completes a message, hands the payload to `deliver` and returns what that returns.
  ///
  /// - Parameters:
  ///   - frame: A frame of a PGN that travels as a fast packet.
  ///   - instant: When it arrived. Steps backwards are tolerated as gaps are.
  ///   - deliver: Gets the payload of a whole message, for the time of the call.
  /// - Returns: What `deliver` returned; nil when the message is not complete yet.
  @inlinable
  public mutating func receive<Result>(
    _ frame: CANDataFrame, at instant: Instant, deliver: (RawSpan) throws -> Result
  ) rethrows -> Result? {
    guard let message = assemble(frame, at: instant) else { return nil }
    // In place: asking for a span copies all of the storage where the optimiser is off.
    return try withUnsafeBytes(of: &storage) { bytes in
      try deliver(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes[message])))
    }
  }

  /// Takes a frame; when it completes a message, the place of its bytes in the storage, where they stay until the next
  /// frame.
  @usableFromInline
  mutating func assemble(_ frame: CANDataFrame, at instant: Instant) -> Range<Int>? {
    let bits = frame.payload.bits
    let number = Int(bits & 0x1F)
    let key = frame.identifier.value | UInt32(truncatingIfNeeded: bits >> 5) << 29
    guard frame.payload.count > 1 else {
      statistics.shortFrames &+= 1
      return nil
    }

    if number == 0 {
      let length = Int(bits >> 8 & 0xFF)
      guard length >= 1, length <= 223 else {
        statistics.refusedLengths &+= 1
        abandon(key)
        return nil
      }
      guard frame.payload.count >= min(8, length &+ 2) else {
        statistics.shortFrames &+= 1
        abandon(key)
        return nil
      }
      return receiveFirst(key, length: length, bytes: bits >> 16, at: instant)
    }
    return receiveBody(key, number, frame.payload, at: instant)
  }

  private mutating func receiveFirst(
    _ key: UInt32, length: Int, bytes: UInt64, at instant: Instant
  ) -> Range<Int>? {
    let needed = UInt32.max >> UInt32(31 &- length / 7)
    var index = find(key)
    if index >= 0 {
      let held = slots[index].held | 1
      // Not a body that may belong to this frame: a frame 0 already, more frames than this length has, all of them, or
      // older than any reordering.
      if slots[index].held & 1 != 0 || held & ~needed != 0 || held == needed
        || Self.age(slots[index].start, instant) > Self.reorderLimit
      {
        statistics.incomplete &+= 1
        slots[index].held = 0
        slots[index].start = instant
      }
    } else {
      index = open(key, at: instant)
    }
    slots[index].held |= 1
    slots[index].needed = needed
    slots[index].length = length
    store(bytes, count: 6, at: slots[index].base)
    guard needed == 1 else { return nil }
    return finish(index)
  }

  @inline(__always)
  private mutating func receiveBody(
    _ key: UInt32, _ number: Int, _ payload: CANPayload, at instant: Instant
  ) -> Range<Int>? {
    var index = find(key)
    if index >= 0,
      Self.age(slots[index].start, instant) > (slots[index].needed == 0 ? Self.reorderLimit : Self.ageLimit)
    {
      close(index)
      statistics.incomplete &+= 1
      index = -1
    }
    if index < 0 { index = open(key, at: instant) }

    let bit: UInt32 = 1 &<< UInt32(truncatingIfNeeded: number)
    var held = slots[index].held
    if held & bit != 0 {
      // The same number twice: the earlier frames are of another message, and so is their frame 0.
      statistics.incomplete &+= 1
      held = 0
      slots[index].needed = 0
      slots[index].start = instant
    }
    let needed = slots[index].needed
    // Without its frame 0 a short frame can't be told from a damaged one. Bytes that lack are never made up.
    var expected = 7
    if needed != 0 {
      guard bit & needed != 0 else {
        statistics.incomplete &+= 1
        close(index)
        return nil
      }
      if bit > needed >> 1 { expected = slots[index].length &- (7 &* number &- 1) }
    }
    guard payload.count > expected else {
      statistics.shortFrames &+= 1
      close(index)
      return nil
    }

    held |= bit
    slots[index].held = held
    store(payload.bits >> 8, count: 7, at: slots[index].base &+ 7 &* number &- 1)
    guard held == needed else { return nil }
    return finish(index)
  }

  private mutating func finish(_ index: Int) -> Range<Int> {
    statistics.messages &+= 1
    let start = slots[index].base
    let end = start &+ slots[index].length
    close(index)
    return start..<end
  }

  // MARK: - Slots

  /// The slot of a message under way; -1 when there is none. The sender's last one is the likeliest, then the newest.
  @inline(__always)
  private mutating func find(_ key: UInt32) -> Int {
    let source = Int(key & 0xFF)
    guard underWay[source] != 0 else { return -1 }
    let hint = Int(hints[source])
    if hint < count, slots[hint].key == key { return hint }
    return search(key)
  }

  @inline(never)
  private mutating func search(_ key: UInt32) -> Int {
    var index = count &- 1
    while index >= 0, slots[index].key != key { index &-= 1 }
    if index >= 0 { hints[Int(key & 0xFF)] = UInt8(truncatingIfNeeded: index) }
    return index
  }

  private mutating func open(_ key: UInt32, at instant: Instant) -> Int {
    if count == Self.slotCount {
      var oldest = 0
      for index in 1..<count where Self.age(slots[index].start, instant) > Self.age(slots[oldest].start, instant) {
        oldest = index
      }
      if Self.age(slots[oldest].start, instant) > Self.ageLimit {
        statistics.incomplete &+= 1
      } else {
        statistics.evicted &+= 1
      }
      close(oldest)
    }
    slots[count].key = key
    slots[count].held = 0
    slots[count].needed = 0
    slots[count].length = 0
    slots[count].start = instant
    let source = Int(key & 0xFF)
    underWay[source] &+= 1
    hints[source] = UInt8(truncatingIfNeeded: count)
    count &+= 1
    return count &- 1
  }

  private mutating func close(_ index: Int) {
    count &-= 1
    underWay[Int(slots[index].key & 0xFF)] &-= 1
    if index != count {
      slots.swapAt(index, count)
      hints[Int(slots[index].key & 0xFF)] = UInt8(truncatingIfNeeded: index)
    }
  }

  private mutating func abandon(_ key: UInt32) {
    let index = find(key)
    guard index >= 0 else { return }
    statistics.incomplete &+= 1
    close(index)
  }

  /// The distance between a message's first frame and a later one, either way. Static, because a method that only reads
  /// copies the whole value where the optimiser is off.
  @inline(__always)
  private static func age(_ start: Instant, _ instant: Instant) -> TimeSpan {
    let distance = instant.nanoseconds &- start.nanoseconds
    return TimeSpan(nanoseconds: distance < 0 ? 0 &- distance : distance)
  }

  /// Writes 6 or 7 bytes: four, and the rest, which overlaps them.
  @inline(__always)
  private mutating func store(_ bytes: UInt64, count: Int, at offset: Int) {
    withUnsafeMutableBytes(of: &storage) { target in
      target.storeBytes(of: UInt32(truncatingIfNeeded: bytes).littleEndian, toByteOffset: offset, as: UInt32.self)
      let rest = UInt32(truncatingIfNeeded: bytes >> UInt64((count &- 4) &* 8))
      target.storeBytes(of: rest.littleEndian, toByteOffset: offset &+ count &- 4, as: UInt32.self)
    }
  }
}
