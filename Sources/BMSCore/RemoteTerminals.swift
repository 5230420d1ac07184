import MonotonicTime

// The remote on/off terminals H and L (R40-R44).

/// What the remote terminals say. Not wired at all counts as the wire loop that closes them.
public struct RemoteTerminals: Sendable {
  /// Whether pins 10 and 11 are bridged (R40), or any other contact that means "on".
  public var bridge = ContactFeedback.unassigned
  /// Voltage at H, volts (R41).
  public var high = Measurement.unassigned
  /// Voltage at L, volts (R42).
  public var low = Measurement.unassigned

  /// Terminals that nothing feeds.
  public init() {}

  /// R43: beyond it the reading is a fault, not a command.
  static let accepted = -70.0...70.0
  /// R41.
  static let highAbove = 3.0
  /// R42.
  static let lowBelow = 5.0

  enum State: Sendable, Equatable {
    case closed
    case open
    /// Wired, and nothing usable says which.
    case unknown
  }

  func state(at now: Instant, within age: TimeSpan) -> State {
    let isWired = bridge.validity != .unassigned || high.validity != .unassigned || low.validity != .unassigned
    guard isWired else { return .closed }
    var isKnown = false
    if bridge.validity == .valid, ageOf(bridge.taken, at: now) < age {
      if bridge.isClosed { return .closed }
      isKnown = true
    }
    func volts(_ terminal: Measurement) -> Double? {
      terminal.validity == .valid && terminal.age(at: now) < age
        ? terminal.lastGood.flatMap { RemoteTerminals.accepted.contains($0) ? $0 : nil } : nil
    }
    if let volts = volts(high) {
      if volts > RemoteTerminals.highAbove { return .closed }
      isKnown = true
    }
    if let volts = volts(low) {
      if volts < RemoteTerminals.lowBelow { return .closed }
      isKnown = true
    }
    return isKnown ? .open : .unknown
  }
}
