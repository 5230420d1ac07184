// The balancer inside a battery (battery-physics.md section 7): near the end of charge energy moves from the highest
// cell into its neighbours, also while the charger is off (manual 9.4.1, R107).
//
// Unverified: 1.8 A is lore, no source confirms it. The start and stop are LibreSolar's spread of 10 mV, at 3.40 V.

/// How a battery evens out its cells.
public struct Balancer: Sendable, Hashable {
  /// Where the charge of the highest cell goes.
  public enum Method: Sendable, Hashable {
    /// Half into each of the two cells beside it, with ``Balancer/efficiency``; the last cell is beside the first. The
    /// text says neighbours and no more; closed to a ring it reproduces the times of section 8 (without the ring an
    /// end cell takes twice as long, and straight into the lowest cell half as long).
    case shuttle
    /// Into a resistor.
    case burn
  }
  /// Where the charge goes.
  public var method = Method.shuttle
  /// What it takes from the highest cell, amperes; 0 balances nothing.
  public var current = 1.8
  /// Share of the energy that arrives.
  public var efficiency = 0.9
  /// It starts when the highest cell is above this, volts.
  public var startVoltage = 3.40
  /// and the spread above this, volts.
  public var startSpread = 0.010
  /// It stops when the spread is below this, volts.
  public var stopSpread = 0.005
  /// Whether it works now.
  public internal(set) var isActive = false

  /// The balancer of the default battery.
  public init() {}
}
