public import MonotonicTime

/// One node of an ``InMemoryBus`` as a transport: the daemon's `--demo` and its tests run on it.
public final class InMemoryTransport: CANTransport {
  private let bus: InMemoryBus
  private let node: InMemoryBus.Node
  private let pause: (Instant) -> Instant
  private var monitor: LinkMonitor
  private var reports: [CANErrorFrame] = []
  private var filters: [CANFilter]?

  /// The virtual time; ``wait(until:wakeup:)`` moves it on.
  public private(set) var now: Instant

  /// What has passed.
  public private(set) var counters = TransportCounters()

  /// Attaches a node to `bus`, at the instant `start`.
  ///
  /// `pause` waits until the given instant, in whatever way, and returns the time it is then; a `--demo` sleeps there.
  /// Without it time is virtual and a wait ends at once.
  public init(
    _ bus: InMemoryBus, interface: String = "memory", start: Instant = .origin,
    pause: @escaping (Instant) -> Instant = { $0 }
  ) {
    self.bus = bus
    self.pause = pause
    node = bus.attach()
    now = start
    monitor = LinkMonitor(interface: interface)
    monitor.interfaceIsUp(at: start)
  }

  /// Whether frames pass.
  public var link: LinkState { monitor.state }

  /// Pulls the plug, or puts it back.
  public func setConnected(_ connected: Bool) {
    bus.setConnected(connected, node)
    if connected { monitor.interfaceIsUp(at: now) } else { monitor.interfaceIsDown(at: now) }
  }

  /// Lets the controller report an error: it is received next, and moves the link as on a real interface.
  public func report(_ error: CANErrorFrame) {
    reports.append(error)
  }

  /// Drops what has arrived until `now` and was not yet taken, as the kernel does when it has no room, and counts it.
  public func dropArrived(at now: Instant) {
    var lost: [ReceivedFrame] = []
    bus.receive(for: node, until: now, into: &lost)
    counters.kernelDrops += UInt64(lost.count)
  }

  /// Appends what has arrived.
  @discardableResult
  public func receive(into frames: inout [ReceivedFrame], limit: Int) -> Instant {
    let reported = reports.prefix(max(0, limit))
    for report in reported {
      frames.append(ReceivedFrame(.error(report), at: now))
      counters.errorFrames += 1
      monitor.receive(report, at: now)
    }
    reports.removeFirst(reported.count)
    let before = frames.count
    bus.receive(for: node, until: now, into: &frames, limit: limit - reported.count)
    if let filters {
      var kept = before
      for index in before..<frames.count {
        guard let identifier = frames[index].frame.identifier, filters.contains(where: { $0.passes(identifier) }) else {
          continue
        }
        frames[kept] = frames[index]
        kept += 1
      }
      frames.removeLast(frames.count - kept)
    }
    counters.received += UInt64(frames.count - before)
    return now
  }

  /// Hands frames to the bus until its transmit queue is full.
  public func send(_ frames: [CANFrame]) -> SendOutcome {
    guard link.carriesFrames else { return SendOutcome(accepted: 0, refusal: .linkDown) }
    var accepted = 0
    for frame in frames {
      if frame.identifier != nil {
        guard bus.send(frame, from: node, at: now) else {
          counters.refusedFull += 1
          return SendOutcome(accepted: accepted, refusal: .full)
        }
        counters.sent += 1
      }
      accepted += 1
    }
    return SendOutcome(accepted: accepted)
  }

  /// Lets time pass until the next frame can arrive, at most until `deadline`.
  public func wait(until deadline: Instant, wakeup: Int32?, beside other: (any CANTransport)?) -> WakeReasons {
    let second = other as? InMemoryTransport
    guard reports.isEmpty, second?.reports.isEmpty ?? true else { return .frames }
    var target = deadline
    if let arrival = bus.nextArrival(for: node) { target = min(target, arrival) }
    if let second, let arrival = second.bus.nextArrival(for: second.node) { target = min(target, arrival) }
    now = max(now, pause(max(now, target)))
    second?.now = now
    // Whether the descriptor is readable takes a system call to know: the owner is to look.
    var reasons: WakeReasons = wakeup == nil ? [] : .wakeup
    if let arrival = bus.nextArrival(for: node), arrival <= now { reasons.insert(.frames) }
    return reasons
  }

  /// The changes of the link.
  public func takeEvents() -> [LinkEvent] { monitor.takeEvents(at: now) }

  /// Keeps away what passes none of these filters.
  public func hear(_ filters: [CANFilter]) { self.filters = filters }
}
