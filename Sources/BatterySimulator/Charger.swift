// A charger that does as it is told: current up to CCL, voltage up to CVL, nothing without limits.

/// A charger that follows CVL and CCL with lag.
public struct Charger: Sendable, Hashable {
  /// The most it can give, amperes.
  public var rating: Double
  /// How much of that there is now, 0...1: the sun.
  public var availability = 1.0
  /// What it gives now, amperes.
  public private(set) var current = 0.0
  /// Lag of its control loop, seconds.
  public var lag = 1.0

  /// A charger of this rating in amperes.
  public init(rating: Double) { self.rating = rating }

  /// Moves its current for so many seconds.
  ///
  /// - Parameters:
  ///   - chargeVoltage: CVL; nil means that there is no limit to follow, and it stops.
  ///   - chargeCurrent: CCL, the most that may flow into the battery.
  ///   - battery: Voltage behind the battery's resistance and that resistance.
  ///   - load: What the loads take at the same time.
  ///   - seconds: How long.
  public mutating func step(
    chargeVoltage: Double?, chargeCurrent: Double, battery: (volts: Double, ohms: Double), load: Double,
    seconds: Double
  ) {
    guard let chargeVoltage, chargeCurrent > 0, battery.ohms > 0 else {
      current = 0
      return
    }
    // Half of the exact gain: a stiffer voltage loop rings in the steep end of the cells' curve.
    let regulated = (chargeVoltage - battery.volts) / (2 * battery.ohms)
    let wanted = min(rating * availability, min(chargeCurrent, regulated) + load)
    current += (max(wanted, 0) - current) * seconds / (lag + seconds)
    current = min(max(current, 0), chargeCurrent + load)
  }
}
