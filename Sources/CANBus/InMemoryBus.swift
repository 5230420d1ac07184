public import MonotonicTime

/// A CAN bus in memory and in virtual time, for `--demo` and for tests.
///
/// It does what a real one does as far as a program can notice: one frame at a time, the lowest identifier of all nodes'
/// first waiting frames wins, a frame takes its time on the wire, each node has a short transmit queue that can be
/// full, and a node does not hear itself. On request it also does what a bad bus does: frames get lost, late, swapped,
/// or drown in a flood. All chance comes from one seed: the same calls give the same frames, to the byte.
///
/// Not thread-safe: one thread owns the bus and everything attached to it.
public final class InMemoryBus {
  /// A place on the bus.
  public struct Node: Hashable, Sendable {
    fileprivate let index: Int
  }

  /// What goes wrong, as probabilities 0...1 for each frame and each receiver.
  public struct Faults: Hashable, Sendable {
    /// The frame does not arrive.
    public var loss = 0.0
    /// The frame arrives twice.
    public var duplication = 0.0
    /// The frame arrives later, by up to ``longestDelay``; frames behind it can overtake it.
    public var delay = 0.0
    /// The longest delay.
    public var longestDelay = TimeSpan.milliseconds(100)
    /// The frame arrives before the one that came just before it, if that is not yet received.
    public var reordering = 0.0
    /// A babbling node sends ``floodLength`` frames of noise after this frame (drawn once a frame).
    public var flood = 0.0
    /// The length of such a flood, in frames.
    public var floodLength = 100

    /// Nothing goes wrong.
    public init() {}
  }

  private struct Pending {
    var frame: CANFrame
    var ready: Instant
  }

  private struct Station {
    var hearsItself: Bool
    var isConnected = true
    var waiting = Queue<Pending>()
    var arrived = Queue<ReceivedFrame>()
  }

  /// What goes wrong from now on.
  public var faults = Faults()

  /// How many frames a node can have waiting to be sent; the kernel's default for a CAN interface is 10.
  public let transmitQueueLength: Int

  private let bitrate: Int64
  private var stations: [Station] = []
  private var noise = Queue<Pending>()
  private var idleFrom = Instant(nanoseconds: .min)
  private var generator: SeededGenerator

  /// A bus whose chance starts from `seed`.
  ///
  /// At a `bitrate` of 0 frames take no time; VE.Can and NMEA 2000 use 250,000 bit/s.
  public init(seed: UInt64 = 0, bitrate: Int = 250_000, transmitQueueLength: Int = 10) {
    generator = SeededGenerator(seed: seed)
    self.bitrate = Int64(max(0, bitrate))
    self.transmitQueueLength = max(1, transmitQueueLength)
  }

  /// Adds a node. It hears its own frames only if asked to.
  public func attach(hearsItself: Bool = false) -> Node {
    stations.append(Station(hearsItself: hearsItself))
    return Node(index: stations.count - 1)
  }

  /// Takes a node off the bus (a pulled plug) or puts it back. Off the bus it hears nothing, and what it had waiting or
  /// not yet received is gone.
  public func setConnected(_ connected: Bool, _ node: Node) {
    stations[node.index].isConnected = connected
    if !connected {
      stations[node.index].waiting.removeAll()
      stations[node.index].arrived.removeAll()
    }
  }

  /// Queues a data or remote frame for sending at `instant`. False if the node's transmit queue is full, the node is off
  /// the bus, or the frame is an error frame.
  @discardableResult
  public func send(_ frame: CANFrame, from node: Node, at instant: Instant) -> Bool {
    guard frame.identifier != nil, stations[node.index].isConnected else { return false }
    run(until: instant, startingBefore: true)
    guard stations[node.index].waiting.count < transmitQueueLength else { return false }
    stations[node.index].waiting.append(Pending(frame: frame, ready: instant))
    return true
  }

  /// Lets a babbling node send `count` frames of noise from `instant` on: random identifiers and bytes, all one
  /// `identifier` if given.
  public func flood(_ count: Int, identifier: CANIdentifier? = nil, at instant: Instant) {
    for _ in 0..<max(0, count) {
      let random = generator.next()
      let payload = CANPayload(littleEndian: generator.next(), count: 8)
      let noisy = identifier ?? .extended(UInt32(truncatingIfNeeded: random))
      noise.append(Pending(frame: .data(CANDataFrame(noisy, payload)), ready: instant))
    }
  }

  /// Appends what has arrived at `node` until `now` to `frames`, oldest first, at most `limit`.
  public func receive(for node: Node, until now: Instant, into frames: inout [ReceivedFrame], limit: Int = .max) {
    run(until: now, startingBefore: false)
    var room = limit
    while room > 0, let next = stations[node.index].arrived.first, next.instant <= now {
      frames.append(next)
      stations[node.index].arrived.removeFirst()
      room -= 1
    }
  }

  /// The earliest instant at which something can arrive at `node`; nil while nothing is on its way. May be too early (the
  /// frame can be lost, or lose arbitration), never too late.
  public func nextArrival(for node: Node) -> Instant? {
    var earliest = stations[node.index].arrived.first?.instant ?? Instant(nanoseconds: .max)
    func consider(_ pending: Pending?) {
      guard let pending else { return }
      earliest = min(earliest, max(pending.ready, idleFrom) + duration(of: pending.frame))
    }
    for index in stations.indices where index != node.index || stations[index].hearsItself {
      consider(stations[index].waiting.first)
    }
    consider(noise.first)
    return earliest.nanoseconds == .max ? nil : earliest
  }

  // MARK: - The wire

  /// Runs the wire for all frames that start until `now`.
  ///
  /// A frame that starts at `now` itself waits for everything else that is sent at that instant (`startingBefore`), so
  /// that frames of one instant are arbitrated, whichever call came first.
  private func run(until now: Instant, startingBefore: Bool) {
    while true {
      var firstReady: Instant?
      for station in stations {
        if let pending = station.waiting.first { firstReady = min(firstReady ?? pending.ready, pending.ready) }
      }
      if let pending = noise.first { firstReady = min(firstReady ?? pending.ready, pending.ready) }
      guard let firstReady else { return }
      let start = max(firstReady, idleFrom)
      guard startingBefore ? start < now : start <= now else { return }

      // Arbitration: of all nodes that have a frame at this instant, the lowest identifier wins.
      var winner: Int?
      var best = UInt64.max
      for index in stations.indices {
        if let pending = stations[index].waiting.first, pending.ready <= start {
          let rank = Self.arbitrationRank(pending.frame)
          if rank < best { (best, winner) = (rank, index) }
        }
      }
      var sent: CANFrame?
      if let pending = noise.first, pending.ready <= start, Self.arbitrationRank(pending.frame) < best {
        winner = nil
        sent = noise.removeFirst()?.frame
      } else if let winner {
        sent = stations[winner].waiting.removeFirst()?.frame
      }
      guard let sent else { return }
      idleFrom = start + duration(of: sent)
      deliver(sent, from: winner, at: idleFrom)
    }
  }

  private func deliver(_ frame: CANFrame, from sender: Int?, at end: Instant) {
    if sender != nil, generator.chance(faults.flood) { flood(faults.floodLength, at: end) }
    for index in stations.indices where index != sender || stations[index].hearsItself {
      // Every number is drawn for every receiver, so that switching one fault on does not change the luck of another.
      let isLost = generator.chance(faults.loss)
      let isDoubled = generator.chance(faults.duplication)
      let isDelayed = generator.chance(faults.delay)
      let share = Double(generator.next() >> 11) * 0x1p-53
      let isSwapped = generator.chance(faults.reordering)
      guard stations[index].isConnected, !isLost else { continue }

      var received = ReceivedFrame(frame, at: end)
      if isDelayed { received.instant += TimeSpan(seconds: faults.longestDelay.seconds * share) }
      stations[index].arrived.insert(received) { $0.instant <= $1.instant }
      if isSwapped { stations[index].arrived.swapLastTwo { swap(&$0.frame, &$1.frame) } }
      if isDoubled { stations[index].arrived.insert(received) { $0.instant <= $1.instant } }
    }
  }

  /// The lower, the earlier: base identifier, then standard before extended, then data before remote, as the bits come
  /// on the wire (ISO 11898-1).
  static func arbitrationRank(_ frame: CANFrame) -> UInt64 {
    let isRemote: UInt64
    let identifier: CANIdentifier
    switch frame {
    case .data(let data): (identifier, isRemote) = (data.identifier, 0)
    case .remote(let remote): (identifier, isRemote) = (remote.identifier, 1)
    case .error: return .max
    }
    let value = UInt64(identifier.value)
    // 11 bits, SRR or RTR, IDE, 18 bits, RTR: as the field lies on the wire.
    if identifier.isExtended {
      return (value >> 18) << 21 | 1 << 20 | 1 << 19 | (value & 0x3_FFFF) << 1 | isRemote
    }
    return value << 21 | isRemote << 20
  }

  /// The time on the wire, with the pause of three bits behind and without stuff bits: 67 bits and the data for 29-bit
  /// identifiers, 47 and the data for 11-bit ones. A full 29-bit frame takes 0.524 ms at 250 kbit/s.
  private func duration(of frame: CANFrame) -> TimeSpan {
    guard bitrate > 0 else { return .zero }
    let bits: Int64 =
      switch frame {
      case .data(let data): (data.identifier.isExtended ? 67 : 47) + 8 * Int64(data.payload.count)
      case .remote(let remote): remote.identifier.isExtended ? 67 : 47
      case .error: 0
      }
    return TimeSpan(nanoseconds: bits * 1_000_000_000 / bitrate)
  }
}

/// First in, first out, without moving what stays.
private struct Queue<Element> {
  private var elements: [Element] = []
  private var head = 0

  var count: Int { elements.count - head }

  var first: Element? { head < elements.count ? elements[head] : nil }

  mutating func append(_ element: Element) {
    elements.append(element)
  }

  /// Inserts behind the last element that is `ordered` before the new one; at the end in the usual case.
  mutating func insert(_ element: Element, ordered: (Element, Element) -> Bool) {
    var index = elements.count
    while index > head, !ordered(elements[index - 1], element) { index -= 1 }
    elements.insert(element, at: index)
  }

  mutating func swapLastTwo(_ exchange: (inout Element, inout Element) -> Void) {
    guard count >= 2 else { return }
    let last = elements.count - 1
    var (left, right) = (elements[last - 1], elements[last])
    exchange(&left, &right)
    (elements[last - 1], elements[last]) = (left, right)
  }

  @discardableResult
  mutating func removeFirst() -> Element? {
    guard head < elements.count else { return nil }
    let element = elements[head]
    head += 1
    if head == elements.count {
      removeAll()
    } else if head >= 64, head * 2 > elements.count {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  mutating func removeAll() {
    elements.removeAll(keepingCapacity: true)
    head = 0
  }
}
