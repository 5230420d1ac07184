import MonotonicTime
public import NMEA2000

/// What is known of the sender that feeds a role.
public enum SenderState: Hashable, Sendable {
  /// Nothing is wired to the role.
  case unwired
  /// Nobody that fits was heard yet.
  case notHeard
  /// This one feeds the role.
  case heard(Name)
  /// This one fed the role and fell silent.
  case silent(Name)
  /// Two that fit send at the same time. Neither is used: choosing by chance is how the wrong battery gets protected.
  case ambiguous(Name, Name)
}

extension Name {
  /// Stands for a sender that names itself nowhere, as that of an 11-bit frame.
  public static let nameless = Name(rawValue: 0)
}

/// Binds a role to the one sender that fits its wiring, and notices when there are two.
struct SenderWatch {
  /// A sender that was not heard for so long may be replaced by another that fits. Longer than any data limit of OD-20,
  /// so that a replacement never hides a loss.
  static let forgottenAfter = TimeSpan.seconds(10)

  let selector: DeviceSelector
  private(set) var state = SenderState.notHeard
  /// When the one that feeds the role was heard the last time; nil when nobody does.
  private(set) var lastHeard: Instant?
  private var conflictHeard = Instant.origin

  init(selector: DeviceSelector) {
    self.selector = selector
  }

  /// Whether data of this sender may be used for the role.
  mutating func accepts(_ sender: Name, at now: Instant) -> Bool {
    guard selector.matches(sender) else { return false }
    switch state {
    case .unwired: return false
    case .notHeard, .silent:
      state = .heard(sender)
      lastHeard = now
      return true
    case .heard(let bound):
      if bound == sender {
        lastHeard = now
        return true
      }
      state = .ambiguous(bound, sender)
      conflictHeard = now
      return false
    case .ambiguous(let first, let second):
      if sender == first {
        lastHeard = now
      } else {
        conflictHeard = now
        if sender != second { state = .ambiguous(first, sender) }
      }
      return false
    }
  }

  /// Ends a conflict whose one side is gone, and notes silence.
  mutating func tick(at now: Instant) {
    let firstGone = lastHeard.map { now - $0 > Self.forgottenAfter } ?? true
    switch state {
    case .unwired, .notHeard, .silent: break
    case .heard(let bound):
      if firstGone { state = .silent(bound) }
    case .ambiguous(let first, let second):
      if now - conflictHeard > Self.forgottenAfter {
        state = firstGone ? .silent(first) : .heard(first)
      } else if firstGone {
        state = .heard(second)
        lastHeard = conflictHeard
      }
    }
  }
}
