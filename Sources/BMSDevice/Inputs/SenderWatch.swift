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

  /// So many senders that fit are told apart; with more of them there is a conflict all the same.
  private static let most = 8

  let selector: DeviceSelector
  private(set) var state = SenderState.notHeard
  /// When the one that feeds the role was heard the last time; nil when nobody does.
  private(set) var lastHeard: Instant?
  /// Those that fit and are not forgotten, in the order in which they came: a conflict is named by the first two, whoever
  /// else sends, so that it is told once.
  private var present: [(name: Name, heard: Instant)] = []

  init(selector: DeviceSelector) {
    self.selector = selector
    present.reserveCapacity(Self.most)
  }

  /// Whether data of this sender may be used for the role.
  mutating func accepts(_ sender: Name, at now: Instant) -> Bool {
    guard selector.matches(sender) else { return false }
    if let index = present.firstIndex(where: { $0.name == sender }) {
      present[index].heard = now
    } else if present.count < Self.most {
      present.append((sender, now))
    }
    judge()
    return state == .heard(sender)
  }

  /// Ends a conflict of which one sender is left, and notes silence.
  mutating func tick(at now: Instant) {
    guard present.contains(where: { now - $0.heard > Self.forgottenAfter }) else { return }
    present.removeAll { now - $0.heard > Self.forgottenAfter }
    judge()
  }

  private mutating func judge() {
    guard let first = present.first else {
      switch state {
      case .heard(let name), .ambiguous(let name, _): state = .silent(name)
      case .unwired, .notHeard, .silent: break
      }
      return
    }
    lastHeard = first.heard
    state = present.count == 1 ? .heard(first.name) : .ambiguous(first.name, present[1].name)
  }
}
