public import MonotonicTime

// Area M: the two LEDs (R209-R232, OD-14).

/// What the status LED shows.
public enum StatusPattern: Sendable, Hashable {
  /// Off mode (R213).
  case off
  /// Initialising or shutting down (R214).
  case orange
  /// Delayed shutdown, the pre-charge circuit cools (R61, R215).
  case orangeBlinking
  /// Running (R216).
  case green
  /// Pre-charging (R217).
  case greenBlinking
  /// Standby: a flash every 3 s (R218).
  case greenFlash
  /// Update: green and red in turns (R219).
  case alternating
  /// So many blinks in red every 4 s (R220-R231).
  case red(blinks: Int)
}

/// What the Bluetooth LED shows; here it stands for the control channel.
public enum ChannelPattern: Sendable, Hashable {
  /// Disabled (R209).
  case off
  /// A client is connected (R210).
  case on
  /// Enabled, no client (R211).
  case flashing
  /// Off mode and reachable: a flash every 3 s (R212).
  case slowFlash
}

/// A colour of the status LED.
public enum LEDColour: Sendable, Hashable {
  /// Dark.
  case dark
  /// Red.
  case red
  /// Green.
  case green
  /// Orange.
  case orange
}

extension StatusPattern {
  /// The colour at a time since the pattern's beginning. The 4 s and 3 s are the manual's; that a red blink takes
  /// 250 ms, half of it lit, so that 14 of them fit, and that other blinking has 1 s, is ours.
  public func colour(after span: TimeSpan) -> LEDColour {
    let milliseconds = max(span.nanoseconds, 0) / 1_000_000
    func blinks(_ colour: LEDColour, _ dark: LEDColour = .dark) -> LEDColour {
      milliseconds % 1000 < 500 ? colour : dark
    }
    switch self {
    case .off: return .dark
    case .orange: return .orange
    case .orangeBlinking: return blinks(.orange)
    case .green: return .green
    case .greenBlinking: return blinks(.green)
    case .greenFlash: return milliseconds % 3000 < 100 ? .green : .dark
    case .alternating: return blinks(.green, .red)
    case .red(let count):
      let inFrame = milliseconds % 4000
      return inFrame / 250 < Int64(count) && inFrame % 250 < 125 ? .red : .dark
    }
  }
}

/// Which pattern of a set of alarms wins: the most serious, then in the order of OD-14. A companion shows by its cause
/// (R237).
struct LEDPriority: Sendable {
  private let rows: [(blinks: Int, alarms: AlarmSet)]

  /// OD-14.
  static let order = [14, 12, 10, 9, 7, 6, 5, 8, 2, 3, 4, 1]
  static let table = LEDPriority()

  private init() {
    var rows: [(Int, AlarmSet)] = []
    for severity in [AlarmSeverity.error, .alarm, .warning] {
      for blinks in LEDPriority.order {
        let alarms = Alarm.allCases.reduce(into: AlarmSet()) { set, alarm in
          let row = alarm.definition
          if row.severity == severity, row.ledBlinks == blinks, !row.isCompanion { set.insert(alarm) }
        }
        if !alarms.isEmpty { rows.append((blinks, alarms)) }
      }
    }
    self.rows = rows
  }

  func blinks(_ alarms: AlarmSet) -> Int? {
    for row in rows where !row.alarms.isDisjoint(with: alarms) { return row.blinks }
    return nil
  }
}

extension BMS {
  /// R213-R232. Off is dark whatever is wrong; then what is wrong; then where the BMS stands.
  mutating func statusPattern(_ state: State, _ alarms: AlarmSet, isUpdating: Bool) -> StatusPattern {
    if isUpdating { return .alternating }
    if modes.mode == .off {
      switch contactor.phase {
      case .open, .failed: return contactor.isHot ? .orangeBlinking : .off
      case .takeover, .selfTest, .pending, .precharge, .cooling, .closing, .closed, .lead, .opening:
        return wiring.contactors == .none ? .off : .orange
      }
    }
    if !alarms.isEmpty, let blinks = ledPriority.blinks(alarms) { return .red(blinks: blinks) }
    switch state {
    case .waiting, .error, .shutdown, .contactorCheck, .goingToRun, .pending: return .orange
    case .precharging: return contactor.phase == .cooling ? .orangeBlinking : .greenBlinking
    case .running: return .green
    case .standby: return .greenFlash
    }
  }
}

extension Inputs {
  /// R209-R212.
  func channelPattern(_ mode: Mode) -> ChannelPattern {
    if !isControlEnabled { return .off }
    if hasControlClient { return .on }
    return mode == .off ? .slowFlash : .flashing
  }
}
