// The cells of a battery side by side, and what moved them since they were looked at last.
//
// One current flows through all of them, and each is on a straight piece of the curve. So until one may have left its
// piece, no cell needs to be touched: the ampere-hours in and out and the time since the last count give the charge of
// each, and sums over the cells give the voltage of the battery. Exactly so: it is the same line, computed when somebody
// asks for it. What is decided cell by cell, and rarely, is in Cell.swift.

/// Two cells side by side, a lane for each: what the processor's vector unit takes at once. A cell that does not exist has
/// no capacity and stays at rest at 0 V.
struct CellPair: Sendable {
  /// Charge at the last count, ampere-hours.
  var counted = SIMD2<Double>()

  // Each cell's piece of the curve (``Cell/Piece``).
  var start = SIMD2(repeating: -Double.infinity)
  var end = SIMD2(repeating: Double.infinity)
  var base = SIMD2<Double>()
  var steepness = SIMD2<Double>()
  var weight = SIMD2<Double>()
  /// What the cold adds in discharge, ohms.
  var cold = SIMD2<Double>()
  /// Volts at the counted charge.
  var level = SIMD2<Double>()

  // What each cell is made of.
  var efficiency = SIMD2<Double>()
  /// What moves charge beside the current: balancer, faults and self-discharge, amperes.
  var drift = SIMD2<Double>()
}

extension SIMD2<Double> {
  // Lane by lane; those of the standard library look for what is not a number first.

  @inline(__always)
  func smaller(_ other: SIMD2) -> SIMD2 { SIMD2(other.x < x ? other.x : x, other.y < y ? other.y : y) }

  @inline(__always)
  func larger(_ other: SIMD2) -> SIMD2 { SIMD2(other.x > x ? other.x : x, other.y > y ? other.y : y) }

  /// One of two, by the last bit of a cell's number.
  subscript(cell cell: Int) -> Double {
    get { cell & 1 == 0 ? x : y }
    set { if cell & 1 == 0 { x = newValue } else { y = newValue } }
  }
}

/// Volts of a battery's cells, pair by pair.
typealias CellVolts = InlineArray<8, SIMD2<Double>>

/// All cells of a battery.
struct CellLanes: Sendable {
  /// How many cells there can be.
  static let most = 16

  /// Sums over the cells; they stay while no cell leaves its piece.
  struct Sums: Sendable {
    /// Volts at the counted charge.
    var level = 0.0
    /// Volts for an ampere-hour in each cell, that much put in through the terminals, and an hour at rest.
    var steepness = 0.0
    var efficient = 0.0
    var drifting = 0.0
    /// Makes resistances of the specific ones, 1 / Ah.
    var weight = 0.0
    /// What the cold adds in discharge, ohms.
    var cold = 0.0
  }

  private(set) var sums = Sums()
  private var pairs: [CellPair]
  private let cellCount: Int

  // Since the last count: through the terminals, ampere-hours, and the time.
  private(set) var charged = 0.0
  private(set) var discharged = 0.0
  private(set) var hours = 0.0

  // Between these the charge that moved and the lead can be, ampere-hours, until the first cell leaves its piece. How much
  // moved differs a little from cell to cell: the cells that go furthest count.
  private var ceiling = Double.infinity
  private var floor = -Double.infinity
  private let bestEfficiency: Double
  private let worstEfficiency: Double
  private var mostDrift = 0.0
  private var leastDrift = 0.0
  // The most that a cell has of each.
  private var mostLevel = 0.0
  private var mostSteepness = 0.0
  private var mostWeight = 0.0

  init(_ cells: [Cell]) {
    cellCount = cells.count
    pairs = Array(repeating: CellPair(), count: (cells.count + 1) / 2)
    let efficiencies = cells.map(\.parameters.efficiency)
    bestEfficiency = efficiencies.max() ?? 1
    worstEfficiency = efficiencies.min() ?? 1
    for (index, cell) in cells.enumerated() {
      pairs[index / 2].counted[cell: index] = cell.charge
      pairs[index / 2].efficiency[cell: index] = cell.parameters.efficiency
    }
    setDrift(cells)
  }

  /// Takes over what a balancer or a fault changed. What moved before must have been counted.
  mutating func setDrift(_ cells: [Cell]) {
    (mostDrift, leastDrift) = (-.infinity, .infinity)
    for (index, cell) in cells.enumerated() {
      let amperes = cell.balancing - cell.drain - cell.parameters.leakage
      pairs[index / 2].drift[cell: index] = amperes
      mostDrift = max(mostDrift, amperes)
      leastDrift = min(leastDrift, amperes)
    }
  }

  // MARK: Moving

  /// Moves the charge of one step; what a balancer and the cell itself move comes on top. False when a cell may have left
  /// its piece: then all must be counted and looked at.
  @inline(__always)
  mutating func advance(moved: Double, hours span: Double, lead: Double) -> Bool {
    if moved > 0 { charged += moved } else { discharged -= moved }
    hours += span
    let common = lead - discharged
    return common + bestEfficiency * charged + mostDrift * hours < ceiling
      && common + worstEfficiency * charged + leastDrift * hours >= floor
  }

  /// Charge of a cell now, ampere-hours.
  func charge(of cell: Int) -> Double {
    let pair = pairs[cell / 2]
    return (pair.counted + (pair.efficiency * charged + pair.drift * hours - discharged))[cell: cell]
  }

  /// Puts what moved into the charge of each cell.
  mutating func count(into cells: inout [Cell]) {
    let (charged, discharged, hours) = (charged, discharged, hours)
    (self.charged, self.discharged, self.hours) = (0, 0, 0)
    var pairs = pairs.mutableSpan
    var cells = cells.mutableSpan
    for index in pairs.indices {
      pairs[index].counted += pairs[index].efficiency * charged + pairs[index].drift * hours - discharged
      cells[2 * index].charge = pairs[index].counted.x
      if 2 * index + 1 < cells.count { cells[2 * index + 1].charge = pairs[index].counted.y }
    }
  }

  /// Puts charge into one cell from outside, ampere-hours.
  mutating func inject(_ ampereHours: Double, into cell: Int) { pairs[cell / 2].counted[cell: cell] += ampereHours }

  // MARK: Pieces

  /// Whether a cell left its piece; all must have been counted.
  @inline(__always)
  func hasLeft(_ cell: Int, lead: Double) -> Bool {
    let surface = pairs[cell / 2].counted[cell: cell] + lead
    return !(surface >= pairs[cell / 2].start[cell: cell] && surface < pairs[cell / 2].end[cell: cell])
  }

  mutating func put(_ cell: Int, on piece: Cell.Piece) {
    pairs[cell / 2].start[cell: cell] = piece.start
    pairs[cell / 2].end[cell: cell] = piece.end
    pairs[cell / 2].base[cell: cell] = piece.base
    pairs[cell / 2].steepness[cell: cell] = piece.steepness
    pairs[cell / 2].weight[cell: cell] = piece.weight
  }

  /// Takes over what the cold adds now.
  mutating func setCold(_ cells: [Cell]) {
    for (index, cell) in cells.enumerated() { pairs[index / 2].cold[cell: index] = cell.coldResistance }
  }

  /// After a count and all changes of pieces: what holds until the next.
  mutating func sumUp() {
    let zero = SIMD2<Double>()
    var (level, steepness, efficient, drifting, weight, cold) = (zero, zero, zero, zero, zero, zero)
    var (highest, steepest, heaviest) = (zero, zero, zero)
    var (above, below) = (SIMD2(repeating: Double.infinity), SIMD2(repeating: -Double.infinity))
    var pairs = pairs.mutableSpan
    for index in pairs.indices {
      pairs[index].level = pairs[index].base + pairs[index].steepness * pairs[index].counted
      let pair = pairs[index]
      level += pair.level
      steepness += pair.steepness
      efficient += pair.steepness * pair.efficiency
      drifting += pair.steepness * pair.drift
      weight += pair.weight
      cold += pair.cold
      highest = highest.larger(pair.level)
      steepest = steepest.larger(pair.steepness)
      heaviest = heaviest.larger(pair.weight)
      above = above.smaller(pair.end - pair.counted)
      below = below.larger(pair.start - pair.counted)
    }
    sums = Sums(
      level: level.sum(), steepness: steepness.sum(), efficient: efficient.sum(), drifting: drifting.sum(),
      weight: weight.sum(), cold: cold.sum())
    (mostLevel, mostSteepness, mostWeight) = (highest.max(), steepest.max(), heaviest.max())
    (floor, ceiling) = (below.max(), above.min())
  }

  // MARK: Voltages

  /// What is the same for all cells when their voltages are asked for.
  struct Common: Sendable {
    /// Lead of the surface, ampere-hours.
    var lead: Double
    /// Volts of the hysteresis.
    var hysteresis: Double
    /// Volts over the resistances of a cell of 1 Ah.
    var drop: Double
    /// The current that meets the resistance of the cold, amperes.
    var coldCurrent: Double
  }

  /// Rest voltage of all cells in series, volts, without hysteresis.
  @inline(__always)
  func rest(lead: Double) -> Double {
    sums.level + sums.steepness * (lead - discharged) + sums.efficient * charged + sums.drifting * hours
  }

  @inline(__always)
  private func voltages(of pair: CellPair, _ common: Common) -> SIMD2<Double> {
    let moved = pair.efficiency * charged + pair.drift * hours + (common.lead - discharged)
    let resting = pair.steepness * moved + pair.level + common.hysteresis
    return resting + pair.weight * common.drop + pair.cold * common.coldCurrent
  }

  /// What plain sensors show of the terminal voltages, volts.
  @inline(__always)
  func shown(_ common: Common, by sensors: Span<SensorPair>) -> CellVolts {
    let pairs = pairs.span
    return CellVolts { index in
      index < pairs.count ? sensors[index].shown(voltages(of: pairs[index], common)) : SIMD2()
    }
  }

  /// No cell is above this, volts. The cold only makes less of a discharging one.
  @inline(__always)
  func atMost(_ common: Common) -> Double {
    let moved = bestEfficiency * charged + max(mostDrift, 0) * hours + max(common.lead - discharged, 0)
    return mostLevel + mostSteepness * moved + common.hysteresis + mostWeight * max(common.drop, 0)
  }

  /// Terminal voltage of one cell, volts: the same to the bit.
  func voltage(of cell: Int, _ common: Common) -> Double { voltages(of: pairs[cell / 2], common)[cell: cell] }

  /// Terminal voltages of all cells, volts.
  @inline(__always)
  func voltages(_ common: Common) -> CellVolts {
    var volts = CellVolts(repeating: SIMD2())
    let pairs = pairs.span
    for index in pairs.indices { volts[index] = voltages(of: pairs[index], common) }
    return volts
  }
}
