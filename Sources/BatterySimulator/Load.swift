// A load that follows DCL and the allow-to-discharge contact.

/// A load that takes what it wants within DCL, and nothing when discharging is not allowed.
public struct Load: Sendable, Hashable {
  /// What it wants, amperes.
  public var demand: Double
  /// What it takes now, amperes.
  public private(set) var current = 0.0
  /// Lag of its control loop, seconds.
  public var lag = 1.0

  /// A load that wants so many amperes.
  public init(demand: Double) { self.demand = demand }

  /// Moves its current for so many seconds. `discharge` is DCL plus what chargers give at the same time.
  public mutating func step(allowed: Bool, limit discharge: Double, seconds: Double) {
    guard allowed, discharge > 0 else {
      current = 0
      return
    }
    current += (min(demand, discharge) - current) * seconds / (lag + seconds)
    current = min(max(current, 0), discharge)
  }
}
