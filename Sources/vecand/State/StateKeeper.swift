import BMSCore
import BMSDevice
import Glibc
import Logging
import MonotonicTime
import SocketCAN
import Synchronization

/// When the state is written: at once when a decision changed, each ten seconds when only counters did, and never more
/// often than once a second. A power cut costs at most ten seconds of counting.
///
/// About 9,000 writes of 2 kB a day: with the file system's own blocks some 0.3 GB a day, or 100 GB a year on the card.
struct StateSchedule {
  static let shortest = TimeSpan.seconds(1)
  static let interval = TimeSpan.seconds(10)

  private(set) var newest: Snapshot?
  private var written: Snapshot?
  private var lastTry: Instant?

  mutating func offer(_ snapshot: Snapshot) { newest = snapshot }

  /// When the newest is to be written; nil when it is.
  func due() -> Instant? {
    guard let newest, newest != written else { return nil }
    guard let lastTry else { return .origin }
    let isUrgent = written.map { $0.decisions != newest.decisions } ?? true
    return lastTry + (isUrgent ? Self.shortest : Self.interval)
  }

  mutating func tried(_ snapshot: Snapshot, isWritten: Bool, at now: Instant) {
    lastTry = now
    if isWritten { written = snapshot }
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
    var schedule = StateSchedule()
    var isEnding = false
  }

  private let store: StateStore
  private let logger: Logger
  private let work = Mutex(Work())
  private let wakeup: Wakeup
  private let ended: Wakeup

  /// - Throws: ``SocketCANError`` when the process has no descriptor left.
  init(store: StateStore, logger: Logger) throws(SocketCANError) {
    self.store = store
    self.logger = logger
    wakeup = try Wakeup()
    ended = try Wakeup()
  }

  func start() { EngineThread.start(named: "vecand-state") { self.run() } }

  /// The newest state; the ones before that were not written are forgotten.
  func offer(_ snapshot: Snapshot) {
    work.withLock { $0.schedule.offer(snapshot) }
    wakeup.signal()
  }

  /// Writes what is not written yet and ends; waits for that, but not for ever for a card that is stuck.
  func finish() {
    work.withLock { $0.isEnding = true }
    wakeup.signal()
    Self.wait(ended, milliseconds: 5000)
  }

  private func run() {
    var isFailing = false
    while true {
      let (snapshot, due, isEnding) = work.withLock { ($0.schedule.newest, $0.schedule.due(), $0.isEnding) }
      let now = SystemClock.now()
      if let snapshot, let due, due <= now || isEnding {
        isFailing = write(snapshot, wasFailing: isFailing)
        work.withLock { $0.schedule.tried(snapshot, isWritten: !isFailing, at: now) }
      }
      if isEnding { break }
      let wait = work.withLock { $0.schedule.due() }.map { max(0, ($0 - SystemClock.now()).seconds) }
      Self.wait(wakeup, milliseconds: wait.map { Int32($0 * 1000) + 1 } ?? -1)
      wakeup.clear()
    }
    ended.signal()
  }

  /// Whether it failed. Told when it begins and when it ends, not each second.
  private func write(_ snapshot: Snapshot, wasFailing: Bool) -> Bool {
    do {
      try store.save(StoredState(snapshot: snapshot, moment: .now(), program: Version.text))
      if wasFailing { logger.notice("\(store.path) is written again") }
      return false
    } catch {
      if !wasFailing {
        logger.error(
          "\(error); state of charge, mode and protections will not survive a restart as long as this lasts")
      }
      return true
    }
  }

  private static func wait(_ wakeup: Wakeup, milliseconds: Int32) {
    var descriptor = pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0)
    poll(&descriptor, 1, milliseconds)
  }
}
