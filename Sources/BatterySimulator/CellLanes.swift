// The cells of a battery side by side: each quantity is one vector with a lane for each cell, so that a step is a few
// lines of arithmetic for all of them, and the processor's vector unit does two cells or more at once. What is decided
// cell by cell, and rarely, is in Cell.swift.

/// One quantity of every cell of a battery. Stored in a row, because a vector that is asked for a single lane is written
/// out as a whole each time.
struct PerCell: Sendable {
  /// How many cells there can be.
  static let most = 16

  private(set) var values: InlineArray<16, Double>

  @inline(__always)
  init(_ value: Double = 0) { values = InlineArray(repeating: value) }

  @inline(__always)
  init(_ all: SIMD16<Double>) { values = unsafeBitCast(all, to: InlineArray<16, Double>.self) }

  @inline(__always)
  subscript(cell: Int) -> Double {
    get { values[cell] }
    set { values[cell] = newValue }
  }

  /// All of them as a vector; both are sixteen numbers in a row.
  @inline(__always)
  var all: SIMD16<Double> {
    get { unsafeBitCast(values, to: SIMD16<Double>.self) }
    set { values = unsafeBitCast(newValue, to: InlineArray<16, Double>.self) }
  }
}

/// What a step moves of up to sixteen cells. A cell that does not exist has no capacity and stays at rest at 0 V.
struct CellLanes: Sendable {
  /// Charge, ampere-hours.
  var charge = PerCell()
  /// Rest voltage at the surface, volts.
  private(set) var rest = PerCell()

  // Each cell's piece of the curve (``Cell/Piece``).
  private var start = PerCell(-.infinity)
  private var end = PerCell(.infinity)
  private var base = PerCell()
  private var slope = PerCell()
  private var ohmic = PerCell()
  private var fast = PerCell()
  private var slow = PerCell()

  // What each cell is made of.
  private var inverseCapacity = PerCell()
  private var efficiency = PerCell()
  /// What moves charge beside the current: balancer, faults and self-discharge, amperes.
  private var drift = PerCell()

  mutating func begin(_ cells: [Cell]) {
    for (lane, cell) in cells.enumerated() {
      charge[lane] = cell.charge
      inverseCapacity[lane] = cell.inverseCapacity
      efficiency[lane] = cell.parameters.efficiency
    }
    drift(cells)
  }

  /// Takes over what a balancer or a fault changed.
  mutating func drift(_ cells: [Cell]) {
    for (lane, cell) in cells.enumerated() {
      drift[lane] = cell.balancing - cell.drain - cell.parameters.leakage
    }
  }

  mutating func put(_ lane: Int, on piece: Cell.Piece) {
    start[lane] = piece.start
    end[lane] = piece.end
    base[lane] = piece.base
    slope[lane] = piece.slope
    ohmic[lane] = piece.ohmic
    fast[lane] = piece.fast
    slow[lane] = piece.slow
    rest[lane] = piece.base + piece.slope * piece.surface
  }

  /// Moves the charge of one step; what a balancer and the cell itself move comes on top. False when a cell left its
  /// piece and must be looked at again.
  @inline(__always)
  mutating func advance(moved: Double, hours: Double, lead: Double) -> Bool {
    let gained = moved > 0 ? moved * efficiency.all : SIMD16(repeating: moved)
    charge.all += gained + drift.all * hours
    let surface = (charge.all + lead) * inverseCapacity.all
    rest.all = base.all + slope.all * surface
    return all((surface .>= start.all) .& (surface .< end.all))
  }

  /// Terminal voltages, volts; `hysteresis` is that of all cells.
  @inline(__always)
  func voltage(at current: Double, _ state: Polarisation, hysteresis: Double) -> SIMD16<Double> {
    rest.all + hysteresis + fast.all * state.fast + slow.all * state.slow + current * ohmic.all
  }

  /// Terminal voltage of one cell, volts: the same to the bit.
  func voltage(of lane: Int, at current: Double, _ state: Polarisation, hysteresis: Double) -> Double {
    rest[lane] + hysteresis + fast[lane] * state.fast + slow[lane] * state.slow + current * ohmic[lane]
  }
}
