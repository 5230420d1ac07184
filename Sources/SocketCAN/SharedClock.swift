// Accelerated time for a simulation on a virtual bus: one clock that several programs share.
//
// A clock that simply ran 144 times as fast would make 14 ms that a process waits for its turn into 2 s, which OD-20 calls
// a stale current: what is seen then is the machine's scheduler and not the system. So time is led by one program and
// followed by the others, and it moves only when all of them have done what was due and no frame waits. All intervals
// and time-outs, on both sides, are those of the simulated time, and a slow machine makes the day longer and nothing else.
//
// Leader and followers meet at a socket in the abstract namespace of unix(7), named after the interface, so that the clock
// belongs to the network namespace of the bus. A packet is two numbers: from the leader a question's number and the time,
// back from a follower that number and when it is due next.

public import CANBus
internal import CSocketCAN
internal import Glibc
public import MonotonicTime

/// What a shared clock accepts.
public enum SharedClock {
  /// Simulated seconds a second: how fast time may be led. A machine that is slower takes longer.
  public static let speeds: ClosedRange<Double> = 1...1000

  static func name(of interface: String) -> String { "vecan-clock-\(interface)" }
}

/// Two numbers on their way between leader and follower.
private struct Packet {
  var number: Int64
  var instant: Int64

  static func receive(from descriptor: Int32) -> Received {
    var packet = Packet(number: 0, instant: 0)
    let count = recv(descriptor, &packet, MemoryLayout<Packet>.size, Int32(MSG_DONTWAIT))
    if count == MemoryLayout<Packet>.size { return .packet(packet) }
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? .nothing : .end
  }

  /// False when there is nobody to take it.
  func send(to descriptor: Int32) -> Bool {
    var packet = self
    let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    return Glibc.send(descriptor, &packet, MemoryLayout<Packet>.size, flags) == MemoryLayout<Packet>.size
  }

  enum Received {
    case packet(Packet)
    case nothing
    case end
  }
}

private func openClockSocket(
  _ interface: String, _ use: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
) -> Int32? {
  let descriptor = socket(
    AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
  guard descriptor >= 0 else { return nil }
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  let name = Array(SharedClock.name(of: interface).utf8)
  withUnsafeMutableBytes(of: &address.sun_path) { path in
    // The first byte stays zero: the abstract namespace.
    for (index, byte) in name.prefix(path.count - 1).enumerated() { path[index + 1] = byte }
  }
  let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.count)
  let result = withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { use(descriptor, $0, length) }
  }
  guard result == 0 else {
    close(descriptor)
    return nil
  }
  return descriptor
}

/// Whether a descriptor has something to read, waiting at most so many milliseconds.
private func isReadable(_ descriptor: Int32, within milliseconds: Int32 = 0) -> Bool {
  var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  return poll(&entry, 1, milliseconds) > 0
}

/// A port in the shared time: frames pass as they are and count from the time that all agree on.
///
/// A frame that was sent is not yet heard: a busy kernel may deliver it some 20 ms of real time later. So nobody lets time
/// pass before all frames of its own have come back.
public class SharedTimePort {
  /// A frame that is not back after so long, in real time, was lost with the link.
  private static let patience = TimeSpan.seconds(1)

  fileprivate let inner: SocketCANPort
  fileprivate var time: Instant
  /// Since when nobody leads, by the system's clock; time goes on as it is then.
  fileprivate var leftAt: Instant?
  private var held: [ReceivedFrame] = []

  fileprivate init(_ port: SocketCANPort) {
    inner = port
    time = port.now
    port.followOwnFrames()
  }

  /// The shared time.
  public var now: Instant { leftAt.map { time + (inner.now - $0) } ?? time }
  public var link: LinkState { inner.link }
  public var counters: TransportCounters { inner.counters }

  @discardableResult
  public func receive(into frames: inout [ReceivedFrame], limit: Int) -> Instant {
    let first = frames.count
    let taken = min(held.count, limit)
    frames.append(contentsOf: held[..<taken])
    held.removeFirst(taken)
    if taken < limit { inner.receive(into: &frames, limit: limit - taken) }
    let now = now
    for index in frames.indices[first...] { frames[index].instant = now }
    return now
  }

  public func send(_ frames: [CANFrame]) -> SendOutcome { inner.send(frames) }
  public func takeEvents() -> [LinkEvent] {
    inner.takeEvents().map { LinkEvent($0.state, at: now, text: $0.text) }
  }

  /// Everything is heard: a filter would keep the own frames away.
  public func hear(_ filters: [CANFilter]) {}

  /// Waits until all own frames are on the bus. What there is to do before time may pass; empty for nothing.
  fileprivate func settle(_ wakeup: Int32?) -> WakeReasons {
    let end = inner.now + Self.patience
    while held.isEmpty {
      let isWaiting = inner.framesOnTheirWay > 0
      let reasons = inner.wait(until: isWaiting ? end : Instant(nanoseconds: .min), wakeup: wakeup)
      if reasons.isEmpty, isWaiting { inner.forgetOwnFrames() }
      guard reasons == .frames else { return reasons }
      inner.receive(into: &held, limit: 256)
    }
    return .frames
  }
}

/// A transport whose clock others follow. Used by one thread.
public final class LeadingTransport: SharedTimePort, CANTransport {
  /// A follower that does not answer for so long, in real time, is left behind: it hangs or is being debugged.
  private static let patience: Int32 = 10_000

  /// Time moves by no less than this while nothing else is due sooner, so that a day does not take millions of rounds.
  public var leastStep = TimeSpan.milliseconds(10)

  private let speed: Double
  private let start: Instant
  private let listener: Int32
  private var followers: [Int32] = []
  private var number: Int64 = 0

  /// Leads the clock of `port`'s interface.
  ///
  /// - Throws: If somebody else does.
  public init(_ port: SocketCANPort, speed: Double) throws(SocketCANError) {
    self.speed = speed
    start = port.now
    let opened = openClockSocket(port.interface) { descriptor, address, length in
      bind(descriptor, address, length) == 0 ? listen(descriptor, 8) : -1
    }
    guard let opened else {
      throw SocketCANError(
        "lead the simulated time, which another program does", interface: port.interface, code: errno)
    }
    listener = opened
    super.init(port)
    time = start
  }

  deinit {
    for follower in followers { close(follower) }
    close(listener)
  }

  /// Lets the followers do what is due now, and when they and the bus are quiet moves time on.
  public func wait(until deadline: Instant, wakeup: Int32?, beside other: (any CANTransport)?) -> WakeReasons {
    var reasons = settle(wakeup)
    guard reasons.isEmpty else { return reasons }
    let due = ask()
    // What the followers said is still of this time.
    reasons = settle(wakeup)
    guard reasons.isEmpty else { return reasons }
    let next = max(min(deadline, due), now + leastStep)
    let real = start + TimeSpan(seconds: (next - start).seconds / speed)
    if real > inner.now {
      reasons = inner.wait(until: real, wakeup: wakeup)
      guard reasons.isEmpty else {
        // Something came from outside: it came now.
        let passed = start + TimeSpan(seconds: (inner.now - start).seconds * speed)
        time = min(max(now, passed), next)
        return reasons
      }
    }
    time = next
    return []
  }

  /// Tells the time to all and waits until each has done what is due; when the next one is due.
  private func ask() -> Instant {
    while true {
      let follower = accept(listener, nil, nil)
      guard follower >= 0 else { break }
      _ = fcntl(follower, F_SETFD, FD_CLOEXEC)
      followers.append(follower)
    }
    var due = Instant(nanoseconds: .max)
    number += 1
    followers.removeAll { follower in
      guard Packet(number: number, instant: now.nanoseconds).send(to: follower), let answer = answer(of: follower)
      else {
        close(follower)
        return true
      }
      due = min(due, answer)
      return false
    }
    return due
  }

  private func answer(of follower: Int32) -> Instant? {
    while isReadable(follower, within: Self.patience) {
      switch Packet.receive(from: follower) {
      case .packet(let packet): if packet.number == number { return Instant(nanoseconds: packet.instant) }
      case .nothing: continue
      case .end: return nil
      }
    }
    return nil
  }
}

/// A transport that follows the clock of another program on the same interface. Used by one thread.
///
/// When the leader is gone, time goes on as it is: the bus is silent then, and silence has to be noticed.
public final class FollowingTransport: SharedTimePort, CANTransport {
  private let clock: Int32
  private let waiting: Int32
  private var watched: Int32?
  private var question: Int64?

  /// Follows the clock of `port`'s interface, and waits for its leader for so long.
  ///
  /// - Throws: If nobody leads.
  public init(_ port: SocketCANPort, patience: TimeSpan = .seconds(10)) throws(SocketCANError) {
    let end = port.now + patience
    var opened: Int32?
    while opened == nil, port.now < end {
      opened = openClockSocket(port.interface) { connect($0, $1, $2) }
      if opened == nil { poll(nil, 0, 50) }
    }
    guard let opened else {
      throw SocketCANError(
        "follow the simulated time: no \"vecanctl simulate --speed\" is there", interface: port.interface,
        code: ECONNREFUSED)
    }
    clock = opened
    waiting = epoll_create1(Int32(EPOLL_CLOEXEC))
    super.init(port)
    watch(opened)
    // The leader's time counts from the beginning on.
    if isReadable(opened, within: 10_000) { takeTime() }
  }

  deinit {
    close(clock)
    close(waiting)
  }

  public func wait(until deadline: Instant, wakeup: Int32?, beside other: (any CANTransport)?) -> WakeReasons {
    if let wakeup, wakeup != watched {
      watch(wakeup)
      watched = wakeup
    }
    guard leftAt == nil else {
      return inner.wait(until: inner.now + max(deadline - now, .zero), wakeup: wakeup)
    }
    while true {
      if let number = question {
        // What came meanwhile is still of this time.
        let reasons = settle(wakeup)
        guard reasons.isEmpty else { return reasons }
        if now >= deadline { return [] }
        question = nil
        if !Packet(number: number, instant: deadline.nanoseconds).send(to: clock) {
          leftAt = inner.now
          return []
        }
      }
      let reasons = inner.wait(until: inner.now + .seconds(3600), wakeup: waiting)
      takeTime()
      guard leftAt == nil else { return [] }
      var own = reasons
      own.remove(.wakeup)
      if let wakeup, reasons.contains(.wakeup), isReadable(wakeup) { own.insert(.wakeup) }
      if !own.isEmpty { return own }
    }
  }

  private func watch(_ descriptor: Int32) {
    var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: descriptor))
    epoll_ctl(waiting, EPOLL_CTL_ADD, descriptor, &event)
  }

  private func takeTime() {
    switch Packet.receive(from: clock) {
    case .packet(let packet):
      time = max(time, Instant(nanoseconds: packet.instant))
      question = packet.number
    case .nothing: break
    case .end: leftAt = inner.now
    }
  }
}
