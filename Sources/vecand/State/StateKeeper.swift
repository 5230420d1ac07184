import BMSCore
import BMSDevice
import Glibc
import Logging
import MonotonicTime
import NMEA2000
import SocketCAN
import Synchronization

/// What is to be written, and when: at once when a setting, the node or a decision changed or an alarm came or went, each
/// ten seconds when only counters did and nobody waits for them, and never more often than once a second. A power cut costs
/// at most ten seconds of counting.
struct StateSchedule {
  static let shortest = TimeSpan.seconds(1)
  static let interval = TimeSpan.seconds(10)
  /// So many events may wait for a disk that takes none; the oldest are dropped for newer ones.
  static let mostWaiting = 512

  /// What a write takes.
  struct Content: Equatable {
    var settings: ChangedSettings
    var node: StoredNode
    var snapshot: Snapshot
  }

  private var settings: ChangedSettings
  private var node: StoredNode
  private var snapshot: Snapshot?
  private(set) var events: [StoredEvent] = []
  private var written: Content?
  private var lastTry: Instant?
  /// The disk takes the content and no events.
  private(set) var isFull = false
  /// So many of the events that a write was given were dropped while it went on.
  private var dropped = 0
  /// Offers are counted: the last one, the last that somebody waits for, that the write has, and that is on the disk.
  private var (offered, awaited, taken, stored) = (0, 0, 0, 0)

  /// What was restored is written already.
  init(_ restored: RestoredState) {
    settings = restored.settings
    node = restored.node
    written = restored.snapshot.map { Content(settings: restored.settings, node: restored.node, snapshot: $0) }
  }

  mutating func offer(_ snapshot: Snapshot) {
    self.snapshot = snapshot
    offered += 1
  }

  mutating func offer(_ node: StoredNode) {
    self.node = node
    offered += 1
  }

  mutating func offer(_ settings: ChangedSettings) {
    self.settings = settings
    offered += 1
  }

  mutating func offer(_ event: StoredEvent) {
    events.append(event)
    guard events.count > Self.mostWaiting else { return }
    events.removeFirst()
    dropped += 1
  }

  /// The newest of everything; nil before the first step, and while what was stored is lost: a new state would hide that
  /// at the next start (R29).
  var content: Content? {
    guard !settings.areLost, let snapshot else { return nil }
    return Content(settings: settings, node: node, snapshot: snapshot)
  }

  /// When it is to be written; nil when it is.
  func due() -> Instant? {
    guard let content, content != written || !events.isEmpty else { return nil }
    guard let lastTry else { return .origin }
    return lastTry + (isUrgent ? Self.shortest : Self.interval)
  }

  private var isUrgent: Bool {
    awaited > stored || !isWrittenButForCounts || !isFull && events.contains { $0.kind != .decided }
  }

  private var isWrittenButForCounts: Bool {
    guard let content, let written else { return false }
    return content.settings == written.settings && content.node == written.node
      && content.snapshot.decisions == written.snapshot.decisions
  }

  /// Somebody waits for all that was offered until now, counts too: they may be what a person set. Its number is for
  /// ``isStored(_:)``.
  mutating func hurry() -> Int {
    awaited = offered
    return offered
  }

  /// Whether all that was offered up to this number is on the disk.
  func isStored(_ offer: Int) -> Bool { content.map { offer <= stored || $0 == written } ?? false }

  /// What a write is to store; ``tried(_:at:)`` takes what became of it.
  mutating func take() -> (content: Content, events: [StoredEvent])? {
    dropped = 0
    taken = offered
    return content.map { ($0, events) }
  }

  /// A write ended; nil when it failed, else what it stored, and how many of how many events.
  mutating func tried(_ result: (content: Content, stored: Int, of: Int)?, at now: Instant) {
    lastTry = now
    guard let result else { return }
    written = result.content
    stored = taken
    isFull = result.stored < result.of
    events.removeFirst(max(0, result.stored - dropped))
  }
}

extension Snapshot {
  /// The snapshot without what counts all the time.
  fileprivate var decisions: Snapshot {
    var rest = self
    rest.consumed = 0
    rest.missing = 0
    rest.uncountedSeconds = 0
    rest.secondsSinceSynchronisation = secondsSinceSynchronisation.map { _ in 0 }
    rest.absorbedSeconds = 0
    rest.secondsSinceFullCharge = secondsSinceFullCharge.map { _ in 0 }
    rest.preAlarmSeconds = 0
    rest.takeoverSeconds = 0
    rest.overcurrentSeconds = 0
    rest.chargeGraceSeconds = 0
    rest.dischargeGraceSeconds = 0
    rest.chargeRetrySeconds = chargeRetrySeconds.map { _ in 0 }
    rest.dischargeRetrySeconds = dischargeRetrySeconds.map { _ in 0 }
    rest.uncertainAmpereHours = uncertainAmpereHours.map { _ in 0 }
    rest.emptySeconds = emptySeconds.map { _ in 0 }
    rest.prechargeHeat = 0
    rest.history = History()
    return rest
  }
}

/// Writes the state on a thread of its own: a card that takes seconds for a write delays neither the engine nor the log
/// nor the watchdog.
final class StateKeeper: Sendable {
  private struct Work {
    var schedule: StateSchedule
    var isEnding = false
    var hasEnded = false
    var questions: [@Sendable (StateStore) -> Void] = []
    /// Who waits for which offer to be on the disk.
    var waiting: [Waiter] = []
  }

  private typealias Waiter = (answer: CheckedContinuation<StateDefect?, Never>, offer: Int)

  /// Handed over to the keeper's thread, which is the only one to use it from then on.
  private nonisolated(unsafe) let store: StateStore
  private let logger: Logger
  private let tellStored: @Sendable (Bool) -> Void
  private let work: Mutex<Work>
  private let wakeup: Wakeup
  private let ended: Wakeup

  private static let hasEnded = StateDefect(.unwritable, "vecand ends")

  /// `tellStored` is called when writing begins to fail and when it succeeds again.
  ///
  /// - Throws: ``SocketCANError`` when the process has no descriptor left.
  init(
    store: sending StateStore, restored: RestoredState, logger: Logger, tellStored: @escaping @Sendable (Bool) -> Void
  ) throws(SocketCANError) {
    self.store = store
    self.logger = logger
    self.tellStored = tellStored
    work = Mutex(Work(schedule: StateSchedule(restored)))
    wakeup = try Wakeup()
    ended = try Wakeup()
  }

  func start() { EngineThread.start(named: "vecand-state") { self.run() } }

  // MARK: From other threads, none of which waits for the disk

  /// Takes from the engine's reports what is to be stored: the newest of it; what was not written before is forgotten.
  func note(_ report: EngineReport) {
    switch report {
    case .state(let snapshot): change { $0.schedule.offer(snapshot) }
    case .stored(let node): change { $0.schedule.offer(node) }
    case .device(.settingsChanged(let settings)): change { $0.schedule.offer(settings) }
    default: break
    }
  }

  func offer(_ events: [StoredEvent]) {
    guard !events.isEmpty else { return }
    change { work in events.forEach { work.schedule.offer($0) } }
  }

  /// Waits until all that was offered is on the disk; why it is not, if it is not. What is told as done is told after this.
  func settle() async throws(StateDefect) {
    let defect: StateDefect? = await withCheckedContinuation { continuation in
      change { work in
        guard !work.hasEnded else { return continuation.resume(returning: Self.hasEnded) }
        work.waiting.append((continuation, work.schedule.hurry()))
      }
    }
    if let defect { throw defect }
  }

  /// The events after a number, the oldest first; 0 begins with the oldest that is kept, nil asks for the newest. What
  /// happened in the last ten seconds may not be among them yet.
  func events(since id: Int64?, limit: Int) async throws(StateDefect) -> StoredEvents {
    let answer: Result<StoredEvents, StateDefect> = await withCheckedContinuation { continuation in
      change { work in
        guard !work.hasEnded else { return continuation.resume(returning: .failure(Self.hasEnded)) }
        work.questions.append { store in
          continuation.resume(returning: Result { () throws(StateDefect) in try store.events(since: id, limit: limit) })
        }
      }
    }
    return try answer.get()
  }

  /// Writes what is not written yet and ends; waits for that, but not for ever for a card that is stuck.
  func finish() {
    change { $0.isEnding = true }
    Self.wait(ended, milliseconds: 5000)
  }

  private func change(_ change: (inout Work) -> Void) {
    work.withLock { change(&$0) }
    wakeup.signal()
  }

  // MARK: On its own thread

  private func run() {
    var trouble: String?
    while true {
      let (questions, isEnding) = work.withLock { work in
        defer { work.questions = [] }
        work.hasEnded = work.isEnding
        return (work.questions, work.isEnding)
      }
      questions.forEach { $0(store) }
      if let due = work.withLock({ $0.schedule.due() }), due <= SystemClock.now() || isEnding { write(&trouble) }
      answerSettled(isEnding: isEnding)
      if isEnding { break }
      let wait = work.withLock { $0.schedule.due() }.map { max(0, ($0 - SystemClock.now()).seconds) }
      Self.wait(wakeup, milliseconds: wait.map { Int32($0 * 1000) + 1 } ?? -1)
      wakeup.clear()
    }
    ended.signal()
  }

  /// `trouble` is what was told last, and nil while all is well: it is told when it changes, not each second.
  private func write(_ trouble: inout String?) {
    guard let (content, events) = work.withLock({ $0.schedule.take() }) else { return }
    let now = SystemClock.now()
    var news: String?
    do throws(StateDefect) {
      let written = try store.write(
        StoredValues(
          settings: content.settings, node: content.node,
          core: StoredState(snapshot: content.snapshot, moment: .now(), program: Version.text)), events)
      work.withLock { $0.schedule.tried((content, stored: written.events, of: events.count), at: now) }
      if let remark = written.remark { logger.warning("\(remark)") }
      if written.events < events.count {
        news = "\(store.path) takes no more events, for the disk is full; make room. The state is still written"
      }
    } catch {
      let waiting = work.withLock { work in
        work.schedule.tried(nil, at: now)
        defer { work.waiting = [] }
        return work.waiting
      }
      waiting.forEach { $0.answer.resume(returning: error) }
      news = "\(error.text(of: store.path)). What changes now does not survive a restart"
    }
    guard news != trouble else { return }
    if (news == nil) != (trouble == nil) { tellStored(news == nil) }
    trouble = news
    if let news { logger.error("\(news)") } else { logger.notice("\(store.path) is written again") }
  }

  private func answerSettled(isEnding: Bool) {
    let (stored, refused) = work.withLock { work -> ([Waiter], [Waiter]) in
      let stored = work.waiting.filter { work.schedule.isStored($0.offer) }
      work.waiting.removeAll { work.schedule.isStored($0.offer) }
      guard isEnding || work.schedule.content == nil else { return (stored, []) }
      defer { work.waiting = [] }
      return (stored, work.waiting)
    }
    let defect = StateDefect(.unwritable, "nothing is stored before there is a state, and while it is lost")
    stored.forEach { $0.answer.resume(returning: nil) }
    refused.forEach { $0.answer.resume(returning: defect) }
  }

  private static func wait(_ wakeup: Wakeup, milliseconds: Int32) {
    var descriptor = pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0)
    poll(&descriptor, 1, milliseconds)
  }
}
