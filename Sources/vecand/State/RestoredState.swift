import BMSCore
import BMSDevice
import MonotonicTime

/// What this run takes over from the one before.
struct RestoredState {
  /// The core's state; nil on a first start and when it is lost.
  var snapshot: Snapshot?
  /// How long nobody counted; nil when nobody knows.
  var unseen: TimeSpan?
  /// Another version of the program left it.
  var isUpdated = false
  /// There was a state and it cannot be used (R29).
  var isLost = false
  /// What there is to say about it.
  var lines: [EventLine] = []

  /// Reads the state; `now` is the moment of the reading.
  init(from store: StateStore, at now: Moment) {
    do {
      guard let state = try store.load() else {
        lines.append(EventLine(level: .notice, text: "no state is stored: this is a first start"))
        return
      }
      snapshot = state.snapshot
      unseen = now.elapsed(since: state.moment)
      isUpdated = state.program != Version.text
      lines.append(EventLine(level: .notice, text: Self.sentence(state, unseen, isUpdated)))
    } catch {
      isLost = true
      lines.append(
        EventLine(
          level: .critical,
          text: "\(error): charge and discharge stay forbidden (E-B119); restore the file, or delete it and start again"
        ))
    }
  }

  private static func sentence(_ state: StoredState, _ unseen: TimeSpan?, _ isUpdated: Bool) -> String {
    let age = unseen.map { "of \($0.seconds.text(1)) s ago" } ?? "of nobody knows when (the worst case counts)"
    let soc = state.snapshot.isStateOfChargeKnown ? "" : ", without a state of charge"
    let contactor = state.snapshot.isContactorClosed ? ", contactor closed" : ""
    return "state \(age) restored\(soc)\(contactor)\(isUpdated ? "; it was left by version \(state.program)" : "")"
  }
}
