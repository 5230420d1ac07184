import BMSCore
import BMSDevice
import ControlAPI
import MonotonicTime
import Synchronization

/// Where people and the engine meet: hands out what the engine told, asks it when that is too old, and passes commands on.
///
/// Everything here is bounded: what is kept, who follows, how long an answer may take.
final class ControlDesk: Sendable {
  /// The engine answers within a turn; whoever waits longer is told that it does not.
  static let patience = Duration.seconds(2)
  /// A picture that is not older than this is told again instead of asking the engine for another.
  static let freshness = Duration.milliseconds(250)
  /// Followers of the events at one time.
  static let followers = 16
  /// So many events may wait for a follower; one that falls further behind is dropped.
  static let backlog = 64
  /// Decisions and statuses that the trace keeps: ten minutes of statuses, and all events of most days.
  static let keptEvents = 512
  static let keptStatuses = 600

  /// What a follower is told.
  enum News: Sendable {
    case event(EventReport)
    case status(StatusSample)
  }

  private struct Kept {
    var picture: (snapshot: EngineSnapshot, taken: ContinuousClock.Instant)?
    var events = Ring<EventReport>(capacity: ControlDesk.keptEvents)
    var statuses = Ring<StatusSample>(capacity: ControlDesk.keptStatuses)
    var followers: [Int: AsyncStream<News>.Continuation] = [:]
    var nextFollower = 0
    var hasEnded = false
  }

  private let mailbox: Mailbox
  /// Returns when what a command changed is on the disk, or when it cannot be: then it says why.
  private let settle: @Sendable () async -> String?
  /// Reads the stored log.
  private let read: @Sendable (Int64?, Int) async throws(StateDefect) -> StoredEvents
  private let kept = Mutex(Kept())

  init(
    mailbox: Mailbox, settle: @escaping @Sendable () async -> String? = { nil },
    read: @escaping @Sendable (Int64?, Int) async throws(StateDefect) -> StoredEvents = {
      (_, _) throws(StateDefect) in StoredEvents()
    }
  ) {
    self.mailbox = mailbox
    self.settle = settle
    self.read = read
  }

  // MARK: From the engine

  /// Takes a report of the engine, with the lines that the log made of it.
  func note(_ report: EngineReport, _ lines: [EventLine], at instant: Instant) {
    switch report {
    case .status(let status, _):
      let sample = StatusSample(status)
      tell(.status(sample)) { $0.statuses.append(sample) }
      note(lines, at: instant)
    case .ended:
      note(lines, at: instant)
      let followers = kept.withLock { kept in
        kept.hasEnded = true
        defer { kept.followers.removeAll() }
        return kept.followers.values.map(\.self)
      }
      for follower in followers { follower.finish() }
    // Somebody asked for the log to have it all; who follows can ask here.
    case .explanation: break
    default: note(lines, at: instant)
    }
  }

  private func note(_ lines: [EventLine], at instant: Instant) {
    for line in lines {
      let event = EventReport(atSeconds: instant.traceSeconds, level: line.level.rawValue, text: line.text)
      tell(.event(event)) { $0.events.append(event) }
    }
  }

  /// A follower that has no room left is dropped: its stream ends, and its connection is closed.
  private func tell(_ news: News, keeping keep: (inout Kept) -> Void) {
    let dropped = kept.withLock { kept -> [AsyncStream<News>.Continuation] in
      keep(&kept)
      var dropped: [AsyncStream<News>.Continuation] = []
      for (number, follower) in kept.followers {
        guard case .dropped = follower.yield(news) else { continue }
        kept.followers[number] = nil
        dropped.append(follower)
      }
      return dropped
    }
    for follower in dropped { follower.finish() }
  }

  // MARK: For people

  /// Everything as it is; nil when the engine does not answer.
  func snapshot() async -> EngineSnapshot? {
    let fresh = kept.withLock { kept in
      kept.picture.flatMap { ContinuousClock.now - $0.taken < Self.freshness ? $0.snapshot : nil }
    }
    if let fresh { return fresh }
    guard let snapshot = await mailbox.ask(within: Self.patience, EngineCommand.report) else { return nil }
    kept.withLock { $0.picture = (snapshot, .now) }
    return snapshot
  }

  /// What became of a command.
  enum Outcome: Sendable {
    /// In force. Why a restart would not find it, where it is not on the disk.
    case done(notStored: String?)
    case refused(OperatorRefusal)
    /// The engine did not answer; nothing was done, and nothing will be.
    case noAnswer
  }

  /// - Parameter words: who asks for what, for the log.
  func perform(_ command: OperatorCommand, isLocal: Bool, words: String) async -> Outcome {
    let answer = await mailbox.ask(within: Self.patience) {
      .perform(command, isLocal: isLocal, words: words, $0)
    }
    // What was told before is no longer true.
    kept.withLock { $0.picture = nil }
    guard let answer else { return .noAnswer }
    if let refusal = answer { return .refused(refusal) }
    return .done(notStored: await whyNotStored())
  }

  /// Waits for the disk, but not for one that is stuck.
  private func whyNotStored() async -> String? {
    let (answers, continuation) = AsyncStream.makeStream(of: String?.self)
    let writing = Task { continuation.yield(await settle()) }
    let timer = Task {
      try await Task.sleep(for: Self.patience)
      continuation.yield("the disk takes longer than \(Self.patience.components.seconds) s")
    }
    defer {
      writing.cancel()
      timer.cancel()
    }
    for await answer in answers { return answer }
    return nil
  }

  /// The frames, decisions and states of the last minutes; nil when the engine does not answer.
  func trace() async -> (frames: FrameTrace, events: [EventReport], statuses: [StatusSample])? {
    guard let frames = await mailbox.ask(within: Self.patience, EngineCommand.trace) else { return nil }
    return kept.withLock { (frames, $0.events.elements, $0.statuses.elements) }
  }

  /// The stored log after a number, or the newest of it.
  func log(after number: Int64?, limit: Int) async throws(StateDefect) -> LogReport {
    let stored = try await read(number, limit)
    return LogReport(
      entries: stored.events.map { event in
        LogEntryReport(
          number: event.id, kind: event.kind.rawValue, code: event.code, text: event.text,
          value: event.value?.rounded(to: 3), unixSeconds: event.moment.wall.rounded(to: 3),
          isTimeCertain: event.moment.isWallTimeKept)
      }, last: stored.last, damaged: stored.damaged)
  }

  /// All news from now on, until the engine ends or this follower falls behind; nil when too many follow already.
  func follow() -> (news: AsyncStream<News>, number: Int)? {
    kept.withLock { kept in
      guard kept.followers.count < Self.followers, !kept.hasEnded else { return nil }
      let (stream, continuation) = AsyncStream.makeStream(
        of: News.self, bufferingPolicy: .bufferingOldest(Self.backlog))
      kept.nextFollower += 1
      kept.followers[kept.nextFollower] = continuation
      return (stream, kept.nextFollower)
    }
  }

  /// Waits for the engine's first word.
  func waitForEngine() async {
    guard let (news, number) = follow() else { return }
    for await _ in news { break }
    _ = unfollow(number)
  }

  /// Ends following; whether it had not been dropped already.
  func unfollow(_ number: Int) -> Bool {
    let follower = kept.withLock { $0.followers.removeValue(forKey: number) }
    follower?.finish()
    return follower != nil
  }

  /// Whether the engine has left the bus and ended.
  var hasEnded: Bool { kept.withLock { $0.hasEnded } }
}

extension Instant {
  /// On the daemon's own clock, to the microsecond: what events, samples and frames of a trace are put in order by.
  var traceSeconds: Double { (self - .origin).seconds.rounded(to: 6) }
}

/// The newest so many of something, the oldest first.
struct Ring<Element: Sendable>: Sendable {
  private let capacity: Int
  private var kept: [Element] = []
  /// Where the oldest is, once it is full.
  private var oldest = 0

  init(capacity: Int) { self.capacity = capacity }

  mutating func append(_ element: Element) {
    guard kept.count == capacity else {
      kept.append(element)
      return
    }
    kept[oldest] = element
    oldest = (oldest + 1) % capacity
  }

  var elements: [Element] { Array(kept[oldest...] + kept[..<oldest]) }
}

extension StatusSample {
  init(_ status: DeviceStatus) {
    let outputs = status.outputs
    let limits = LimitsReport(outputs)
    self.init(
      atSeconds: status.instant.traceSeconds, mode: OperatingMode(outputs.mode),
      state: "\(outputs.state)", voltageVolts: outputs.voltage?.rounded(to: 3),
      currentAmperes: outputs.current?.rounded(to: 3), temperatureCelsius: outputs.temperature?.rounded(to: 2),
      lowestCellVolts: outputs.lowestCell?.value.rounded(to: 3),
      highestCellVolts: outputs.highestCell?.value.rounded(to: 3),
      stateOfChargePercent: outputs.stateOfCharge?.rounded(to: 2), isChargeAllowed: outputs.chargeAllowed,
      isDischargeAllowed: outputs.dischargeAllowed, chargeVoltageVolts: limits.chargeVoltageVolts,
      chargeCurrentAmperes: limits.chargeCurrentAmperes, dischargeCurrentAmperes: limits.dischargeCurrentAmperes,
      isContactorCommanded: outputs.contactorCommand, alarms: outputs.alarms.map { $0.definition.code })
  }
}
