import BMSCore
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

  /// A bus: the way to it, and what waits for it. A full one delays no other.
  private struct Line {
    let transport: any CANTransport
    var queue = TransmitQueue()
    var carriesFrames = false

    mutating func offer(_ batch: inout [CANFrame]) {
      // What waits would be out of date when the link is back; the device says it anew then.
      if !transport.link.carriesFrames { queue.removeAll() }
      guard !queue.isEmpty else { return }
      transport.transmit(&queue, batch: &batch)
    }
  }

  /// VE.Can or NMEA 2000.
  private var line: Line
  /// The bus of the 11-bit frames, where they have one of their own.
  private var batteryLine: Line?
  /// The clock of everything.
  private var transport: any CANTransport { line.transport }
  private let mailbox: Mailbox
  private let report: (EngineReport) -> Void
  private let statusInterval: TimeSpan
  private var device: BMSDevice
  private var received: [ReceivedFrame] = []
  private var batch: [CANFrame] = []
  private var message: [CANFrame] = []
  private var reportedLosses = Losses()
  private var nextLossReport = Instant.origin
  private var noticedDrops: UInt64 = 0
  private var nextLossNotice = Instant.origin
  private var reportedForged: UInt64 = 0
  private var nextForgedReport = Instant.origin
  private var nextStatus = Instant.origin
  private var trace = FrameTrace()

  init(
    transport: any CANTransport, batteryTransport: (any CANTransport)? = nil, device: BMSDevice,
    mailbox: Mailbox, statusInterval: TimeSpan = .seconds(1), report: @escaping (EngineReport) -> Void
  ) {
    line = Line(transport: transport)
    batteryLine = batteryTransport.map { Line(transport: $0) }
    self.device = device
    self.mailbox = mailbox
    self.report = report
    self.statusInterval = statusInterval
    received.reserveCapacity(Self.batchSize)
    batch.reserveCapacity(Self.batchSize)
    message.reserveCapacity(32)
  }

  /// How a run ends.
  private enum Ending {
    /// Limits withdrawn and everything opened.
    case stop
    /// Nothing changed.
    case handOver
  }

  /// Runs until it is told to shut down or to hand over.
  func run() {
    var ending: Ending?
    repeat {
      turn()
      if wait(until: nextDeadline).contains(.wakeup) { ending = takeCommands() }
    } while ending == nil
    switch ending {
    case .handOver:
      handOver()
      report(.handedOver)
    case .stop, nil:
      leave()
      report(.ended)
    }
  }

  /// A system call or two less in each turn is a good part of what an idle daemon costs: time is asked for once.
  ///
  /// What is left of a flood ends the wait that follows at once: it keeps no limit from the wire, and neither a stop nor the
  /// watchdog from its turn.
  private func turn() {
    noteLinks()
    let now = takeFrames()
    noticeDrops(at: now)
    device.run(at: now)
    if let filters = device.takeFilters() { hear(filters) }
    send(at: now)
    reportEvents(at: now)
  }

  /// Takes at most a batch from each bus; when it looked.
  @discardableResult
  private func takeFrames() -> Instant {
    received.removeAll(keepingCapacity: true)
    var now = transport.receive(into: &received, limit: Self.batchSize)
    guard let batteryLine else {
      for frame in received { take(frame, at: now) }
      return now
    }
    // 29-bit frames are for the one bus and 11-bit frames for the other, whatever else is spoken there.
    for frame in received where frame.frame.identifier?.isExtended == true { take(frame, at: now) }
    received.removeAll(keepingCapacity: true)
    now = max(now, batteryLine.transport.receive(into: &received, limit: Self.batchSize))
    for frame in received where frame.frame.identifier?.isExtended == false { take(frame, at: now) }
    return now
  }

  private func take(_ frame: ReceivedFrame, at now: Instant) {
    trace.note(frame.frame, at: frame.instant, isSent: false)
    device.receive(frame, at: now)
  }

  /// A request that the kernel dropped was never seen: nothing else could tell its sender.
  private func noticeDrops(at now: Instant) {
    let drops = transport.counters.kernelDrops
    guard drops != noticedDrops, now >= nextLossNotice else { return }
    noticedDrops = drops
    nextLossNotice = now + Self.lossNoticeInterval
    device.noteLostFrames()
  }

  private func hear(_ filters: [CANFilter]) {
    guard let batteryLine else { return transport.hear(filters) }
    transport.hear(filters.filter { $0.identifier.isExtended })
    batteryLine.transport.hear(filters.filter { !$0.identifier.isExtended })
  }

  private var nextDeadline: Instant {
    min(device.nextDeadline, nextStatus, nextRetry ?? Instant(nanoseconds: .max))
  }

  /// When what a full interface refused is offered again; nil while nothing is refused.
  private var nextRetry: Instant? {
    guard let second = batteryLine?.queue.nextRetry else { return line.queue.nextRetry }
    return line.queue.nextRetry.map { min($0, second) } ?? second
  }

  private func wait(until deadline: Instant) -> WakeReasons {
    transport.wait(until: deadline, wakeup: mailbox.wakeup.descriptor, beside: batteryLine?.transport)
  }

  /// Waits while it leaves: what is asked now is answered, or the next wait would end at once.
  private func pause(until deadline: Instant) {
    if wait(until: deadline).contains(.wakeup) { _ = takeCommands() }
  }

  /// Nil when nobody asks it to end. A stop goes before a hand-over, which would leave something on.
  private func takeCommands() -> Ending? {
    var ending: Ending?
    for command in mailbox.take() {
      switch command {
      case .shutDown: ending = .stop
      case .handOver: ending = ending ?? .handOver
      case .explain: report(.explanation(device.explanation(at: transport.now)))
      case .stateStored(let isStored): device.setStateStored(isStored)
      case .report(let reply): reply.resolve { snapshot }
      case .perform(let command, let isLocal, let words, let reply):
        reply.resolve {
          let refusal = perform(command, isLocal: isLocal)
          report(.commanded(words, refusal))
          // What is to be stored is on its way before it is told as done.
          reportEvents(at: transport.now)
          reportState()
          return refusal
        }
      case .reconfigure(let settings, let names, let reply): reply.resolve { reconfigure(settings, names) }
      case .trace(let reply): reply.resolve { trace }
      }
    }
    return ending
  }

  private var snapshot: EngineSnapshot {
    EngineSnapshot(
      device: device.report(at: transport.now), link: transport.link, batteryLink: batteryLine?.transport.link,
      losses: losses)
  }

  /// Why it was refused; nil when it was done. It is in force with the turn that follows.
  private func perform(_ command: OperatorCommand, isLocal: Bool) -> OperatorRefusal? {
    do throws(OperatorRefusal) {
      try device.perform(command, isLocal: isLocal, at: transport.now)
      return nil
    } catch {
      return error
    }
  }

  /// Why it was refused; nil when it was done.
  private func reconfigure(_ settings: Settings, _ names: FuseNames) -> SettingError? {
    do throws(SettingError) {
      try device.reconfigure(settings, names, at: transport.now)
      return nil
    } catch {
      return error
    }
  }

  /// Moves whole messages from the device to the queue of their bus, and from the queues to the buses.
  private func send(at now: Instant) {
    while let entry = device.outbox.popFirst() {
      message.append(.data(entry.frame))
      trace.note(.data(entry.frame), at: now, isSent: true)
      guard entry.remaining == 0 else { continue }
      let urgency: TransmitQueue.Urgency = entry.urgency == .protective ? .protective : .ordinary
      if batteryLine == nil || entry.frame.identifier.isExtended {
        line.queue.enqueue(message, urgency: urgency, deadline: entry.deadline)
      } else {
        batteryLine?.queue.enqueue(message, urgency: urgency, deadline: entry.deadline)
      }
      message.removeAll(keepingCapacity: true)
    }
    offer()
  }

  private func offer() {
    line.offer(&batch)
    batteryLine?.offer(&batch)
  }

  /// By the state and not by the events, which are rationed for the log.
  private func noteLinks() {
    let carriesFrames = transport.link.carriesFrames
    if carriesFrames != line.carriesFrames {
      line.carriesFrames = carriesFrames
      if carriesFrames {
        device.join(at: transport.now)
      } else {
        device.linkLost(at: transport.now)
      }
    }
    for event in transport.takeEvents() { report(.link(event)) }
    guard let second = batteryLine?.transport else { return }
    if second.link.carriesFrames != batteryLine?.carriesFrames {
      batteryLine?.carriesFrames = second.link.carriesFrames
      device.batteryBus(isUp: second.link.carriesFrames)
    }
    for event in second.takeEvents() { report(.batteryLink(event)) }
  }

  private func reportEvents(at now: Instant) {
    while let event = device.nextEvent() {
      report(.device(event))
      if case .node(.storedChanged) = event { report(.stored(device.stored)) }
    }
    if now >= nextStatus {
      nextStatus = now + statusInterval
      report(.status(device.status(at: now), transport.link))
      reportState()
    }
    let others = batteryLine?.transport.counters
    let forged = transport.counters.errorFramesForged + (others?.errorFramesForged ?? 0)
    if forged != reportedForged, now >= nextForgedReport {
      reportedForged = forged
      nextForgedReport = now + Self.lossReportInterval
      report(.forgedErrorFrames(forged))
    }
    let losses = losses
    if losses != reportedLosses, now >= nextLossReport {
      reportedLosses = losses
      nextLossReport = now + Self.lossReportInterval
      report(.losses(losses))
    }
  }

  /// What is to be stored; nothing while what was stored is lost.
  private func reportState() {
    if let snapshot = device.snapshot { report(.state(snapshot)) }
  }

  private var losses: Losses {
    var losses = Losses(line.transport.counters, line.queue)
    if let batteryLine { losses.add(Losses(batteryLine.transport.counters, batteryLine.queue)) }
    return losses
  }

  /// Limits are withdrawn first and on the wire before the address is given up.
  private func leave() {
    let begin = transport.now
    device.withdraw(at: begin)
    send(at: begin)
    flush()
    release()
    let now = transport.now
    device.leave(at: now)
    send(at: now)
    flush()
    reportEvents(at: now)
    reportState()
  }

  /// The last decision is on the wire and its state with the successor, which has 120 s to come (R25). Others hear nothing:
  /// the address, the limits and every switch stay as they are.
  private func handOver() {
    turn()
    flush()
    reportState()
  }

  /// Nothing is left closed behind: nobody would open it. ATC goes first, the contactor follows 2 s later (R76).
  private func release() {
    let end = transport.now + Self.releaseTime
    while !device.isReleased, transport.link.carriesFrames, transport.now < end {
      pause(until: min(device.nextDeadline, end))
      turn()
    }
  }

  private func flush() {
    let end = transport.now + Self.flushTime
    while !line.queue.isEmpty || batteryLine?.queue.isEmpty == false, transport.now < end {
      pause(until: min(nextRetry ?? end, end))
      // Left there, they would end each wait at once.
      takeFrames()
      offer()
    }
  }
}
