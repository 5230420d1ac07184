public import MonotonicTime

/// A transport whose clock runs faster than the real one, for simulation on a virtual bus.
///
/// The clock is scaled here, at the edge, and nowhere else: behind it an instant is an instant, so all intervals and all
/// time-outs shorten equally, and programs that share a bus agree as long as all of them have the same speed. What does not
/// shorten is the machine: its delays count so many times as long. At 144 a process that waits 14 ms for its turn has
/// waited 2 s, which is what OD-20 calls a stale current.
public final class AcceleratedTransport: CANTransport {
  /// What makes sense on a virtual bus: from 200 on a turn of the scheduler is seconds.
  public static let speeds: ClosedRange<Double> = 1...200

  private let inner: any CANTransport
  private let speed: Double
  private let start: Instant

  /// A clock that runs `speed` times as fast from now on, held to ``speeds``.
  public init(_ inner: any CANTransport, speed: Double) {
    self.inner = inner
    let limits = AcceleratedTransport.speeds
    self.speed = speed.isFinite ? min(max(speed, limits.lowerBound), limits.upperBound) : 1
    start = inner.now
  }

  private func accelerated(_ instant: Instant) -> Instant {
    start + TimeSpan(seconds: (instant - start).seconds * speed)
  }

  /// The accelerated clock. It agrees with the real one when it starts.
  public var now: Instant { accelerated(inner.now) }

  public var link: LinkState { inner.link }
  public var counters: TransportCounters { inner.counters }

  @discardableResult
  public func receive(into frames: inout [ReceivedFrame], limit: Int) -> Instant {
    let first = frames.count
    let now = inner.receive(into: &frames, limit: limit)
    for index in frames.indices[first...] { frames[index].instant = accelerated(frames[index].instant) }
    return accelerated(now)
  }

  public func send(_ frames: [CANFrame]) -> SendOutcome { inner.send(frames) }

  public func wait(until deadline: Instant, wakeup: Int32?) -> WakeReasons {
    inner.wait(until: start + TimeSpan(seconds: (deadline - start).seconds / speed), wakeup: wakeup)
  }

  public func takeEvents() -> [LinkEvent] {
    inner.takeEvents().map { LinkEvent($0.state, at: accelerated($0.instant), text: $0.text) }
  }

  public func hear(_ filters: [CANFilter]) { inner.hear(filters) }
}
