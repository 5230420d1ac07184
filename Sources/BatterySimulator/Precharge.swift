// The pre-charge resistor beside the contactor, and how hot it gets.
//
// requirements.md OD-18: a 20 Ohm load must reach 90 % of the battery voltage, so the resistor is 2.2 Ohm at most
// (1.1 Ohm with a 10 Ohm load at 12 V). How much heat the real one stands is not known: 5 J/K and 60 s are a 50 W wire
// resistor's.

/// A resistor with a switch.
public struct Precharge: Sendable, Hashable {
  /// Ohms.
  public var resistance = 1.0
  /// Joules per kelvin.
  public var heatCapacity = 5.0
  /// Time constant of its cooling, seconds.
  public var coolingTime = 60.0
  /// Whether its switch is closed.
  public internal(set) var isOn = false
  /// Current, amperes, into the bus.
  public internal(set) var current = 0.0
  /// Its temperature above the air, kelvin.
  public internal(set) var warmth = 0.0
  /// Energy that it turned into heat since it was switched on last, joules.
  public internal(set) var energy = 0.0
  /// All of its heat, joules.
  public internal(set) var heat = 0.0

  /// A resistor for 12 V.
  public init() {}

  @inline(__always)
  mutating func advance(current: Double, seconds: Double) {
    guard isOn || warmth > 0 || self.current != 0 else { return }
    self.current = current
    let made = current * current * resistance * seconds
    energy += made
    heat += made
    warmth = (warmth + made / heatCapacity) / (1 + seconds / coolingTime)
    // Half a day later it would be the smallest number there is, which takes a processor a hundred times as long.
    if warmth < 1e-9 { warmth = 0 }
  }
}
