import BatterySimulator
import CANBus
import Glibc
import MonotonicTime
import SocketCAN

/// The bus in memory that the demo runs on: the simulated battery is a node beside the daemon's, and simulated time runs
/// `speed` times as fast as the clock on the wall.
final class DemoBus {
  private let bus = InMemoryBus(seed: 1, transmitQueueLength: 256)
  private let node: InMemoryBus.Node
  private let speed: Double
  private let wakeup: Int32
  private let started: Instant
  private var battery: DemoBattery
  private var received: [ReceivedFrame] = []

  init(speed: Double, battery: SimpleBattery.Configuration, wakeup: Int32) {
    self.speed = speed
    self.wakeup = wakeup
    started = SystemClock.now()
    node = bus.attach()
    self.battery = DemoBattery(configuration: battery, at: .origin)
  }

  /// The daemon's place on the bus.
  func transport() -> InMemoryTransport {
    InMemoryTransport(bus, interface: "demo") { [self] in pause(until: $0) }
  }

  /// Waits until the daemon's deadline or the battery's, whichever is first, and lets the battery do its part.
  private func pause(until deadline: Instant) -> Instant {
    let target = min(deadline, battery.nextDeadline)
    let real = started + TimeSpan(seconds: (target - .origin).seconds / speed)
    let milliseconds = ((real - SystemClock.now()).seconds * 1000).rounded(.up)
    if milliseconds > 0 {
      var descriptor = pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0)
      poll(&descriptor, 1, Int32(min(milliseconds, 60_000)))
    }
    let now = min(target, Instant.origin + TimeSpan(seconds: (SystemClock.now() - started).seconds * speed))
    received.removeAll(keepingCapacity: true)
    bus.receive(for: node, until: now, into: &received)
    for frame in received { battery.receive(frame) }
    battery.run(at: now) { _ = bus.send($0, from: node, at: now) }
    return now
  }
}
