import BMSCore
import BMSDevice
import MonotonicTime
import NMEA2000

/// What this run takes over from the one before.
struct RestoredState {
  /// What differs from the configuration; lost when there was a state and it cannot be used (R29).
  var settings = ChangedSettings()
  /// What the bus changed of the node.
  var node = StoredNode()
  /// The core's state; nil on a first start and when it is lost.
  var snapshot: Snapshot?
  /// How long nobody counted; nil when nobody knows.
  var unseen: TimeSpan?
  /// Another version of the program left it.
  var isUpdated = false
  /// What there is to say about it. Which settings of it are in force says the device, which knows the configuration too.
  var lines: [EventLine] = []

  /// Reads the state; `now` is the moment of the reading.
  init(from store: StateStore, at now: Moment) {
    do throws(StateDefect) {
      guard let values = try store.open() else {
        lines.append(EventLine(level: .notice, text: "no state is stored: this is a first start"))
        return
      }
      settings = values.settings
      node = values.node
      // Earlier versions did not store what it replaced. Mostly that was the machine's own, as on two copies of one card: a
      // number that stands in the file then was given since, and counts.
      if node.uniqueNumber != nil, node.replacedUniqueNumber == nil {
        node.replacedUniqueNumber = MachineIdentity.uniqueNumber()
      }
      snapshot = values.core.snapshot
      unseen = now.elapsed(since: values.core.moment)
      isUpdated = values.core.program != Version.text
      lines.append(EventLine(level: .notice, text: Self.sentence(values.core, unseen, isUpdated)))
      if let line = store.copyLine { lines.append(line) }
    } catch {
      settings.areLost = true
      lines.append(
        EventLine(
          level: .critical,
          text: "\(error.text(of: store.path)). Charge and discharge stay forbidden (E-B119) until then, or until the "
            + "settings are reset, which keeps the file and begins a new one"))
    }
  }

  private static func sentence(_ state: StoredState, _ unseen: TimeSpan?, _ isUpdated: Bool) -> String {
    let age = unseen.map { "of \($0.seconds.text(1)) s ago" } ?? "of nobody knows when (the worst case counts)"
    let soc = state.snapshot.isStateOfChargeKnown ? "" : ", without a state of charge"
    let contactor = state.snapshot.isContactorClosed ? ", contactor closed" : ""
    return "state \(age) restored\(soc)\(contactor)\(isUpdated ? "; it was left by version \(state.program)" : "")"
  }
}
