import BMSDevice
import CANBus
import Glibc
import MonotonicTime
import NMEA2000

/// The one thread that owns transport, clock and device (design rule 5).
///
/// Each turn: take what arrived, decide, hand over what is to be sent, sleep until the next deadline or frame. Nothing in
/// it waits for a file, a client or a log.
final class Engine {
  /// So many frames are taken before the device decides again, so that a flood cannot keep a limit from the wire.
  static let batchSize = 64
  /// How long the last frames may take to leave the queue at shutdown.
  static let flushTime = TimeSpan.milliseconds(500)
  /// How long switches may take to open at shutdown: 2 s of lead, 3 s for the current to fall, and the module's answer.
  static let releaseTime = TimeSpan.seconds(10)
  /// Askers are told of frames that the kernel had no room for at most so often.
  static let lossNoticeInterval = TimeSpan.milliseconds(100)
  /// Loss counters are reported at most so often: a flooded bus must not flood the log too.
  static let lossReportInterval = TimeSpan.seconds(10)

  private let transport: any CANTransport
  private let mailbox: Mailbox
  private let report: (EngineReport) -> Void
  private let statusInterval: TimeSpan
  private var device: BMSDevice
  private var queue = TransmitQueue()
  private var received: [ReceivedFrame] = []
  private var batch: [CANFrame] = []
  private var message: [CANFrame] = []
  private var isOnBus = false
  private var reportedLosses = Losses()
  private var nextLossReport = Instant.origin
  private var noticedDrops: UInt64 = 0
  private var nextLossNotice = Instant.origin
  private var reportedForged: UInt64 = 0
  private var nextForgedReport = Instant.origin
  private var nextStatus = Instant.origin

  init(
    transport: any CANTransport, device: BMSDevice, mailbox: Mailbox, statusInterval: TimeSpan = .seconds(1),
    report: @escaping (EngineReport) -> Void
  ) {
    self.transport = transport
    self.device = device
    self.mailbox = mailbox
    self.report = report
    self.statusInterval = statusInterval
    received.reserveCapacity(Self.batchSize)
    batch.reserveCapacity(Self.batchSize)
    message.reserveCapacity(32)
  }

  /// Runs until it is told to shut down.
  func run() {
    repeat {
      turn()
    } while !wait(until: nextDeadline).contains(.wakeup) || !isToldToEnd()
    leave()
    report(.ended)
  }

  /// A system call or two less in each turn is a good part of what an idle daemon costs: time is asked for once a batch.
  private func turn() {
    noteLink()
    var now = Instant.origin
    repeat {
      received.removeAll(keepingCapacity: true)
      now = transport.receive(into: &received, limit: Self.batchSize)
      for frame in received { device.receive(frame, at: now) }
      noticeDrops(at: now)
      device.run(at: now)
      if let filters = device.takeFilters() { transport.hear(filters) }
      send()
    } while received.count == Self.batchSize
    reportEvents(at: now)
  }

  /// A request that the kernel dropped was never seen: nothing else could tell its sender.
  private func noticeDrops(at now: Instant) {
    let drops = transport.counters.kernelDrops
    guard drops != noticedDrops, now >= nextLossNotice else { return }
    noticedDrops = drops
    nextLossNotice = now + Self.lossNoticeInterval
    device.noteLostFrames()
  }

  private var nextDeadline: Instant {
    let deadline = min(device.nextDeadline, nextStatus)
    return queue.nextRetry.map { min($0, deadline) } ?? deadline
  }

  private func wait(until deadline: Instant) -> WakeReasons {
    transport.wait(until: deadline, wakeup: mailbox.wakeup.descriptor)
  }

  private func isToldToEnd() -> Bool {
    mailbox.take().contains {
      switch $0 {
      case .shutDown: true
      }
    }
  }

  /// Moves whole messages from the device to the queue, and from the queue to the bus.
  private func send() {
    guard transport.link.carriesFrames else {
      // What waits would be out of date when the link is back; the device says it anew then.
      device.outbox.removeAll()
      queue.removeAll()
      return
    }
    while let entry = device.outbox.popFirst() {
      message.append(.data(entry.frame))
      guard entry.remaining == 0 else { continue }
      queue.enqueue(
        message, urgency: entry.urgency == .protective ? .protective : .ordinary, deadline: entry.deadline)
      message.removeAll(keepingCapacity: true)
    }
    offer()
  }

  private func offer() {
    guard !queue.isEmpty else { return }
    transport.transmit(&queue, batch: &batch)
  }

  /// By the state and not by the events, which are rationed for the log.
  private func noteLink() {
    let carriesFrames = transport.link.carriesFrames
    if carriesFrames != isOnBus {
      isOnBus = carriesFrames
      if carriesFrames {
        device.join(at: transport.now)
      } else {
        device.linkLost(at: transport.now)
      }
    }
    for event in transport.takeEvents() { report(.link(event)) }
  }

  private func reportEvents(at now: Instant) {
    while let event = device.nextEvent() {
      report(.device(event))
      if case .node(.storedChanged) = event { report(.stored(device.stored)) }
    }
    if now >= nextStatus {
      nextStatus = now + statusInterval
      report(.status(device.status(at: now), transport.link))
      if let snapshot = device.snapshot { report(.state(snapshot)) }
    }
    let forged = transport.counters.errorFramesForged
    if forged != reportedForged, now >= nextForgedReport {
      reportedForged = forged
      nextForgedReport = now + Self.lossReportInterval
      report(.forgedErrorFrames(forged))
    }
    let losses = Losses(transport.counters, queue)
    if losses != reportedLosses, now >= nextLossReport {
      reportedLosses = losses
      nextLossReport = now + Self.lossReportInterval
      report(.losses(transport.counters, expired: queue.expired, overflowed: queue.overflowed))
    }
  }

  /// Limits are withdrawn first and on the wire before the address is given up.
  private func leave() {
    device.withdraw(at: transport.now)
    send()
    flush()
    release()
    device.leave(at: transport.now)
    send()
    flush()
    reportEvents(at: transport.now)
    if let snapshot = device.snapshot { report(.state(snapshot)) }
  }

  /// Nothing is left closed behind: nobody would open it. ATC goes first, the contactor follows 2 s later (R76).
  private func release() {
    let end = transport.now + Self.releaseTime
    while !device.isReleased, transport.link.carriesFrames, transport.now < end {
      _ = wait(until: min(device.nextDeadline, end))
      turn()
    }
  }

  private func flush() {
    let end = transport.now + Self.flushTime
    while !queue.isEmpty, transport.now < end {
      _ = wait(until: queue.nextRetry.map { min($0, end) } ?? end)
      offer()
    }
  }

  /// What was lost, of all that can be lost.
  private struct Losses: Equatable {
    var kernelDrops: UInt64 = 0
    var canFDRefused: UInt64 = 0
    var malformed: UInt64 = 0
    var expired: UInt64 = 0
    var overflowed: UInt64 = 0

    init() {}

    init(_ counters: TransportCounters, _ queue: TransmitQueue) {
      kernelDrops = counters.kernelDrops
      canFDRefused = counters.canFDRefused
      malformed = counters.malformed
      expired = queue.expired
      overflowed = queue.overflowed
    }
  }
}
