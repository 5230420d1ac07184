// Rest voltage of a LiFePO4 cell against its state of charge at 25 °C, without hysteresis.
//
// battery-physics.md section 1: column A from 0 to 90 %, and the chosen top end, where 100 % is "full at 3.42 V" and an
// overfull cell runs away. Between the points it is linear; the integral over charge is the energy in the cell, so that
// energy can be accounted exactly.

/// The rest voltage curve. The state of charge is a share here: 1 is full.
public enum OpenCircuitVoltage {
  /// The points of the curve.
  static let points: [(percent: Double, volts: Double)] = [
    (0, 2.0), (1, 2.837), (2, 2.948), (3, 3.035), (5, 3.137), (8, 3.181), (10, 3.188), (15, 3.204), (20, 3.230),
    (25, 3.254), (30, 3.267), (35, 3.273), (40, 3.275), (45, 3.276), (50, 3.278), (55, 3.281), (60, 3.286),
    (65, 3.295), (70, 3.306), (75, 3.314), (80, 3.318), (85, 3.321), (90, 3.323), (95, 3.327), (98, 3.335),
    (99, 3.350), (99.5, 3.380), (100, 3.420), (100.05, 3.55), (100.10, 3.75),
  ]

  /// Volts at a state of charge.
  public static func volts(_ stateOfCharge: Double) -> Double {
    let table = table
    return volts(stateOfCharge, on: table.span)
  }

  /// One stretch of the curve.
  struct Segment: Sendable {
    /// Where it begins.
    let start: Double
    /// Where it ends.
    let end: Double
    /// Volts at a state of charge: `base + slope * stateOfCharge`.
    let base: Double
    let slope: Double
    /// What the integral of these volts needs to be that of the curve from empty.
    let constant: Double

    /// From the volts and the integral at its start.
    init(start: Double, end: Double, volts: Double, slope: Double, integral: Double) {
      self.start = start
      self.end = end
      self.slope = slope
      base = volts - slope * start
      constant = integral - (base + slope / 2 * start) * start
    }
  }

  // The table comes from who asks: a lazy constant is asked each time whether it is there.

  /// Volts at a state of charge.
  @inline(__always)
  static func volts(_ stateOfCharge: Double, on table: Span<Segment>) -> Double {
    let segment = table[index(stateOfCharge)]
    return segment.base + segment.slope * stateOfCharge
  }

  /// Integral of the voltage from empty to a state of charge: watt-hours in a cell of 1 Ah.
  @inline(__always)
  static func integral(_ stateOfCharge: Double, on table: Span<Segment>) -> Double {
    let segment = table[index(stateOfCharge)]
    return segment.constant + (segment.base + segment.slope / 2 * stateOfCharge) * stateOfCharge
  }

  // Every point lies on a whole percent or, above 99 %, on a twentieth of one. Two even grids find a segment without a
  // search: a bank looks up sixteen of them in every step.
  private static let fineStart = 0.99
  private static let coarseCount = 99
  private static let fineCount = 22

  @inline(__always)
  static func index(_ stateOfCharge: Double) -> Int {
    // Minimum and maximum in this order take not-a-number to the dead cell below empty.
    if stateOfCharge < fineStart {
      let percent = max(-4, stateOfCharge * 100)
      return percent < 0 ? (percent < -2 ? 0 : 1) : 2 + Int(percent)
    }
    return 2 + coarseCount + Int(min(Double(fineCount), (stateOfCharge - fineStart) * 2000 + 1e-9))
  }

  static let table: [Segment] = {
    var table: [Segment] = [
      // Below -2 % the cell is dead at 0 V; from there it climbs 1 V for each percent. Below 2.0 V it is damaged.
      Segment(start: -1000, end: -0.02, volts: 0, slope: 0, integral: -0.02),
      Segment(start: -0.02, end: 0, volts: 0, slope: 100, integral: -0.02),
    ]
    func between(_ percent: Double) -> (volts: Double, slope: Double) {
      for (low, high) in zip(points, points.dropFirst()) where percent < high.percent - 1e-6 {
        let slope = (high.volts - low.volts) / (high.percent - low.percent)
        return (low.volts + slope * (percent - low.percent), slope * 100)
      }
      // "then 1.5 V per further percent"
      return (3.75, 150)
    }
    var integral = 0.0
    let starts =
      (0..<coarseCount).map { Double($0) } + (0...fineCount).map { 99 + Double($0) / 20 }
    for (place, percent) in starts.enumerated() {
      let (volts, slope) = between(percent)
      let end = place + 1 < starts.count ? starts[place + 1] / 100 : .infinity
      table.append(Segment(start: percent / 100, end: end, volts: volts, slope: slope, integral: integral))
      guard place + 1 < starts.count else { break }
      let width = (starts[place + 1] - percent) / 100
      integral += (volts + slope * width / 2) * width
    }
    return table
  }()
}
