// Batteries in series: one current through all of them.

/// Batteries in series with their cables and, when it blew, a fuse.
public struct BatteryString: Sendable {
  /// From minus to plus.
  public internal(set) var batteries: [Battery]
  /// Cables, lugs and fuse, ohms: 0.2 to 0.5 mOhm for each string (battery-physics.md section 3).
  public var wiring = 0.0003
  /// Whether it is connected to the others.
  public internal(set) var isConnected = true
  /// Current in the last step, amperes, charge positive.
  public private(set) var current = 0.0
  /// Heat of the cables, joules.
  public private(set) var wiringHeat = 0.0

  /// The source of the coming step, volts, and its conductance, siemens; 0 when it is not connected.
  private(set) var stepSource = 0.0
  private(set) var stepConductance = 0.0

  /// A string of these batteries.
  public init(_ batteries: [Battery]) { self.batteries = batteries }

  /// Voltage at its ends now, volts.
  public var voltage: Double {
    var sum = current * wiring
    for battery in batteries { sum += battery.voltage(at: current) }
    return sum
  }

  /// Makes ready for a step of this length.
  mutating func prepare(seconds: Double) {
    var source = 0.0
    var resistance = wiring
    for index in batteries.indices {
      batteries[index].prepare(seconds: seconds)
      source += batteries[index].stepSource
      resistance += batteries[index].stepResistance
    }
    setStep(source, resistance)
  }

  /// Moves the prepared step on with this voltage at its ends, and makes ready for another of the same length.
  @inline(__always)
  mutating func advance(voltage: Double, seconds: Double) {
    let amperes = (voltage - stepSource) * stepConductance
    current = amperes
    wiringHeat += amperes * amperes * wiring * seconds
    var source = 0.0
    var resistance = wiring
    var batteries = batteries.mutableSpan
    for index in batteries.indices {
      batteries[index].advance(amperes)
      source += batteries[index].stepSource
      resistance += batteries[index].stepResistance
    }
    setStep(source, resistance)
  }

  @inline(__always)
  private mutating func setStep(_ source: Double, _ resistance: Double) {
    stepSource = source
    stepConductance = isConnected && resistance > 0 ? 1 / resistance : 0
  }
}
