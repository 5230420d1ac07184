// One LiFePO4 cell: open circuit voltage, R0 and one RC pair, counted charge.
//
// Numbers: reference/battery-physics.md sections 1, 3 and 8. Resistances are specific (milliohm times ampere-hours), so
// that one set serves every capacity and 100 mOhm*Ah is 100 mV at 1 C.

/// What makes one cell differ from another.
public struct CellParameters: Sendable, Hashable {
  /// Charge from empty to full, ampere-hours.
  public var capacity: Double
  /// Specific ohmic resistance, milliohm times ampere-hours.
  public var ohmic = 55.0
  /// Specific resistance of the RC pair, milliohm times ampere-hours.
  public var polarisation = 50.0
  /// Time constant of the RC pair, seconds.
  public var timeConstant = 45.0

  /// A typical cell of this capacity in ampere-hours.
  public init(capacity: Double) { self.capacity = capacity }
}

/// A cell's state and the physics that moves it.
public struct Cell: Sendable, Hashable {
  /// What it is made of.
  public let parameters: CellParameters
  /// Charge in it, ampere-hours; above the capacity it is overfull.
  public private(set) var charge: Double
  /// Voltage over the RC pair, volts; positive after charging.
  public private(set) var polarisation = 0.0

  /// A rested cell at this state of charge, 0...1.
  public init(_ parameters: CellParameters, stateOfCharge: Double) {
    self.parameters = parameters
    charge = parameters.capacity * stateOfCharge
  }

  /// A rested cell that lacks so many ampere-hours to full.
  public init(_ parameters: CellParameters, missing: Double) {
    self.parameters = parameters
    charge = parameters.capacity - missing
  }

  /// State of charge, 1 is full; slightly above 1 when overfull.
  public var stateOfCharge: Double { charge / parameters.capacity }

  /// Ohmic resistance, ohms.
  public var resistance: Double { parameters.ohmic / 1000 / parameters.capacity }

  /// Voltage behind the ohmic resistance, volts.
  public var electromotiveForce: Double {
    Cell.openCircuitVoltage(percent: stateOfCharge * 100) + polarisation
  }

  /// Terminal voltage at a current, volts; charge positive.
  public func voltage(at current: Double) -> Double { electromotiveForce + current * resistance }

  /// Moves charge for so many seconds; what is counted in is what is there (efficiency 1).
  public mutating func step(current: Double, seconds: Double) {
    charge += current * seconds / 3600
    let target = current * parameters.polarisation / 1000 / parameters.capacity
    // Implicit Euler: stable for any step, and exact at rest.
    polarisation += (target - polarisation) * seconds / (parameters.timeConstant + seconds)
  }

  /// Rest voltage at 25 °C, volts. Above 100 % it runs away as in an overfull cell; below 0 % it falls steeply.
  public static func openCircuitVoltage(percent: Double) -> Double {
    guard percent.isFinite else { return 0 }
    guard let first = curve.first, let last = curve.last else { return 0 }
    if percent <= first.percent { return max(first.volts + (percent - first.percent), 0) }
    if percent >= last.percent { return last.volts + 1.5 * (percent - last.percent) }
    var lower = 0
    var upper = curve.count - 1
    while upper - lower > 1 {
      let middle = (lower + upper) / 2
      if curve[middle].percent <= percent { lower = middle } else { upper = middle }
    }
    let (a, b) = (curve[lower], curve[upper])
    return a.volts + (b.volts - a.volts) * (percent - a.percent) / (b.percent - a.percent)
  }

  /// Column A up to 90 % and the chosen top end.
  private static let curve: [(percent: Double, volts: Double)] = [
    (0, 2.0), (1, 2.837), (2, 2.948), (3, 3.035), (5, 3.137), (8, 3.181), (10, 3.188), (15, 3.204), (20, 3.230),
    (25, 3.254), (30, 3.267), (35, 3.273), (40, 3.275), (45, 3.276), (50, 3.278), (55, 3.281), (60, 3.286),
    (65, 3.295), (70, 3.306), (75, 3.314), (80, 3.318), (85, 3.321), (90, 3.323), (95, 3.327), (98, 3.335),
    (99, 3.350), (99.5, 3.380), (100, 3.420), (100.05, 3.55), (100.10, 3.75),
  ]
}
