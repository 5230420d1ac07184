// A battery: four or eight cells in one case, with one temperature and one balancer.
//
// Numbers: battery-physics.md sections 6 (heat), 7 (balancing and spreads) and 10 (defaults).

/// How a battery is made.
public struct BatteryParameters: Sendable, Hashable {
  /// Cells in series: 4 or 8; other numbers from 1 to 16 are taken as they are.
  public var cellCount = 4
  /// Capacity, ampere-hours.
  public var capacity = 200.0
  /// Deviation of the cells' capacities, as a share.
  public var capacitySpread = 0.01
  /// Deviation of the cells' states of charge at the start.
  public var chargeSpread = 0.01
  /// Deviation of the cells' self-discharge, as a share.
  public var leakageSpread = 0.2
  /// Deviation of the cells' efficiency.
  public var efficiencySpread = 0.0001
  /// Deviation of the cells' resistances, as a share.
  public var resistanceSpread = 0.03
  /// Whether equal cells lack equal ampere-hours to full, as after a finished balancing, and the spread is on top of
  /// that. Otherwise they have equal shares of their capacity.
  public var isTopBalanced = true
  /// Self-discharge of a cell, amperes: 2 mA for 200 Ah.
  public var leakage = 0.002
  /// Heat capacity, joules per kelvin: 1 kJ/(kg K), 5.5 kg for each cell of 200 Ah.
  public var heatCapacity: Double { 5500 * Double(cellCount) * capacity / 200 }
  /// Thermal resistance to the air, kelvin per watt: 0.8 for four cells of 200 Ah.
  public var thermalResistance: Double { 0.8 * 4 / Double(max(cellCount, 1)) * 200 / capacity }
  /// The balancer.
  public var balancer = Balancer()

  /// 12.8 V, 200 Ah.
  public init() {}

  /// All spreads are zero: equal cells.
  public static var uniform: BatteryParameters {
    var parameters = BatteryParameters()
    parameters.capacitySpread = 0
    parameters.chargeSpread = 0
    parameters.leakageSpread = 0
    parameters.efficiencySpread = 0
    parameters.resistanceSpread = 0
    return parameters
  }
}

/// Where the charge of a cell went, ampere-hours. `gained` is the sum of all others.
public struct ChargeAccount: Sendable, Hashable {
  /// Came in through the terminals.
  public var charged = 0.0
  /// Went out through the terminals.
  public var discharged = 0.0
  /// Came from the balancer.
  public var balanced = 0.0
  /// Did not come back: the efficiency.
  public var lost = 0.0
  /// Leaked away, by itself or by a fault.
  public var leaked = 0.0
  /// Put there by a fault on command.
  public var injected = 0.0

  /// What the cell must have more than at the start.
  public var gained: Double { charged - discharged + balanced - lost - leaked + injected }
}

/// Cells in series with one temperature.
public struct Battery: Sendable {
  /// How it was made.
  public let parameters: BatteryParameters
  /// How many cells there are.
  public let cellCount: Int
  var cellIndices: Range<Int> { 0..<cellCount }
  /// Temperature of all its cells, degrees Celsius.
  public private(set) var celsius: Double
  /// Air around it, degrees Celsius.
  public var ambient: Double
  /// Its balancer.
  public var balancer: Balancer
  /// Energy that came in through the terminals, joules.
  public private(set) var energyIn = 0.0
  /// Heat that its cells made, joules.
  public private(set) var heat = 0.0
  /// Heat that went into the air, joules.
  public private(set) var heatLost = 0.0
  /// Energy and heat put there by faults on command, joules.
  public private(set) var injected = 0.0

  /// Source and resistance of the coming step.
  private(set) var stepSource = 0.0
  private(set) var stepResistance = 0.0
  /// What differs from cell to cell and changes rarely; the charge in it is that of ``updateCells()``.
  private var slowCells: [Cell]
  /// The same cells as a step moves them.
  private var lanes = CellLanes()
  private var coefficients: StepCoefficients
  private var state = Polarisation()
  private var isDischarging = false
  private var sums = Sums()
  /// Turns of the hysteresis for an ampere-hour.
  private let turning: Double
  private var sinceSettled = 0.0
  private var energyAtSettling = 0.0
  private var energyInAtSettling = 0.0
  private var charged = 0.0
  private var discharged = 0.0
  private var elapsed = 0.0
  private var balanced: [Double]
  private var drained: [Double]
  private var injectedCharge: [Double]

  /// Sums over the cells; all but the rest voltage stay while no cell leaves its piece of the curve.
  private struct Sums: Sendable {
    var rest = 0.0
    var ohmic = 0.0
    var fast = 0.0
    var slow = 0.0
    var lead = 0.0
    var charge = 0.0
  }

  /// The heat is counted and the slow things are done this often, seconds.
  static let settlingTime = 30.0

  /// A rested battery.
  ///
  /// - Parameters:
  ///   - parameters: How it is made.
  ///   - stateOfCharge: Of a cell in the middle of the spread, 0...1.
  ///   - celsius: Of the battery and of the air.
  ///   - seed: The seed of its spreads.
  public init(_ parameters: BatteryParameters, stateOfCharge: Double, celsius: Double = 25, seed: UInt64 = 1) {
    var random = SeededGenerator(seed: seed)
    self.init(parameters, stateOfCharge: stateOfCharge, celsius: celsius, random: &random)
  }

  init(
    _ parameters: BatteryParameters, stateOfCharge: Double, celsius: Double, random: inout SeededGenerator
  ) {
    self.parameters = parameters
    let count = min(max(parameters.cellCount, 1), PerCell.most)
    cellCount = count
    var cells: [Cell] = []
    cells.reserveCapacity(count)
    for _ in 0..<count {
      var cell = CellParameters(capacity: parameters.capacity * (1 + parameters.capacitySpread * random.normal()))
      let resistance = max(1 + parameters.resistanceSpread * random.normal(), 0.1)
      cell.ohmic *= resistance
      cell.fast *= resistance
      cell.slow *= resistance
      cell.efficiency = min(cell.efficiency + parameters.efficiencySpread * random.normal(), 1)
      cell.leakage = max(parameters.leakage * (1 + parameters.leakageSpread * random.normal()), 0)
      let offset = parameters.chargeSpread * random.normal()
      let share =
        parameters.isTopBalanced ? 1 - (1 - stateOfCharge) * parameters.capacity / cell.capacity : stateOfCharge
      // No cell starts overfull by chance: the spread would put it to many volts.
      cells.append(Cell(cell, stateOfCharge: min(share + offset, max(stateOfCharge, 1))))
    }
    self.celsius = celsius
    ambient = celsius
    turning = 1 / (CellModel.hysteresisShare * max(parameters.capacity, 0.001))
    balancer = parameters.balancer
    balanced = Array(repeating: 0, count: count)
    drained = balanced
    injectedCharge = balanced
    coefficients = StepCoefficients(seconds: 1, celsius: celsius)
    slowCells = cells
    lanes.begin(cells)
    prepareCells()
    settleCells()
    energyAtSettling = storedEnergy
  }

  /// First to last, as they are now.
  public var cells: [Cell] {
    var battery = self
    battery.updateCells()
    return battery.slowCells
  }

  /// How many of its cells were ever taken below the 2.0 V that damage them.
  public var damagedCells: Int { slowCells.count { $0.isDamaged } }

  /// Capacity of all cells, ampere-hours.
  public var capacity: Double { slowCells.reduce(0) { $0 + $1.parameters.capacity } }

  /// Charge in all cells, each within empty and full, ampere-hours.
  public var usableCharge: Double {
    var sum = 0.0
    for index in cellIndices { sum += min(max(lanes.charge[index], 0), slowCells[index].parameters.capacity) }
    return sum
  }

  /// Terminal voltage at a current, volts; charge positive.
  public func voltage(at current: Double) -> Double {
    sums.rest + Double(cellCount) * coefficients.hysteresis * state.hysteresis + sums.fast * state.fast
      + sums.slow * state.slow + current * sums.ohmic
  }

  /// Voltage of one cell at a current, volts; charge positive. No such cell has 0 V.
  public func voltage(ofCell index: Int, at current: Double) -> Double {
    guard cellIndices.contains(index) else { return 0 }
    return lanes.voltage(of: index, at: current, state, hysteresis: coefficients.hysteresis * state.hysteresis)
  }

  /// The voltages of all cells at a current.
  @inline(__always)
  private func cellVoltages(at current: Double) -> InlineArray<16, Double> {
    PerCell(lanes.voltage(at: current, state, hysteresis: coefficients.hysteresis * state.hysteresis)).values
  }

  /// Lets the sensors from `place` on look at its cells; returns the place of the next battery's first cell.
  /// Mutating although it changes nothing: a call that is not copies the battery.
  mutating func measure(
    at current: Double, by sensors: inout [VoltageSensor], into readings: inout [Double?], from place: Int,
    seconds: Double, _ random: inout SeededGenerator
  ) -> Int {
    let end = place + cellCount
    guard place >= 0, end <= sensors.count, end <= readings.count else { return end }
    let cells = cellVoltages(at: current)
    let volts = cells.span
    var sensors = sensors.mutableSpan
    var readings = readings.mutableSpan
    // The counts were compared above.
    var cell = 0
    while cell < cellCount {
      readings[unchecked: place + cell] =
        sensors[unchecked: place + cell].measure(volts[unchecked: cell], seconds: seconds, random: &random)
      cell += 1
    }
    return end
  }

  /// Energy in the cells, joules, against empty ones.
  public var storedEnergy: Double {
    var sum = 0.0
    for index in cellIndices {
      var cell = slowCells[index]
      cell.charge = lanes.charge[index]
      sum += cell.energy(coefficients, state)
    }
    return sum
  }

  /// Where the charge of a cell went.
  public func chargeAccount(ofCell index: Int) -> ChargeAccount {
    guard cellIndices.contains(index) else { return ChargeAccount() }
    let parameters = slowCells[index].parameters
    var account = ChargeAccount()
    account.charged = charged
    account.discharged = discharged
    account.balanced = balanced[index]
    account.lost = charged * (1 - parameters.efficiency)
    account.leaked = drained[index] + parameters.leakage * elapsed / 3600
    account.injected = injectedCharge[index]
    return account
  }

  /// Moves on by a step with a given current, amperes, charge positive.
  public mutating func advance(_ current: Double, seconds: Double) {
    guard seconds > 0, seconds.isFinite, current.isFinite else { return }
    prepare(seconds: seconds)
    advance(current)
  }

  /// Makes ready for a step of this length: nothing to do when it is as long as the last one.
  @inline(__always)
  mutating func prepare(seconds: Double) {
    if coefficients.seconds != seconds { change(StepCoefficients(seconds: seconds, celsius: celsius)) }
  }

  /// Moves everything on by the prepared step.
  mutating func advance(_ current: Double) {
    let step = coefficients
    energyIn += (stepSource + current * stepResistance) * current * step.seconds
    elapsed += step.seconds
    let moved = current * step.hours
    if moved > 0 { charged += moved } else { discharged -= moved }
    state.advance(current, step, turning: turning)
    let hasTurned = isDischarging != (current < 0)
    isDischarging = current < 0
    let hasLeft = !lanes.advance(moved: moved, hours: step.hours, lead: step.diffusionFactor * state.surface)
    sums.rest = lanes.rest.all.sum()
    if hasLeft || (hasTurned && step.celsius < 25) { prepareCells() } else { sumUp() }
    if balancer.isActive || hasDrain { countBalancing(step.hours) }
    // A single high cell is near full, and so off its piece; else the mean tells.
    let isHigh = stepSource + current * stepResistance > (balancer.startVoltage - 0.05) * Double(cellCount)
    if balancer.isActive || hasLeft || isHigh { balance(current) }
    sinceSettled += step.seconds
    if sinceSettled >= Battery.settlingTime { settle() }
  }

  /// Balancing and faults that drain: rare, so that their sums stay out of the loop over the cells.
  private mutating func countBalancing(_ hours: Double) {
    for index in cellIndices {
      balanced[index] += slowCells[index].balancing * hours
      drained[index] += slowCells[index].drain * hours
    }
  }

  /// Brings the cells up to date with what the steps moved.
  private mutating func updateCells() {
    for index in cellIndices { slowCells[index].charge = lanes.charge[index] }
  }

  private var hasDrain = false

  private mutating func balance(_ current: Double) {
    var most = 0
    var top = -Double.infinity
    var bottom = Double.infinity
    let wasActive = balancer.isActive
    let cells = cellVoltages(at: current)
    let voltages = cells.span
    for index in cellIndices {
      let volts = voltages[index]
      if volts > top { (most, top) = (index, volts) }
      bottom = min(bottom, volts)
    }
    let spread = top - bottom
    let isHigh = top > balancer.startVoltage
    balancer.isActive =
      balancer.current > 0 && cellCount > 1
      && (balancer.isActive ? spread >= balancer.stopSpread : isHigh && spread > balancer.startSpread)
    guard wasActive || balancer.isActive else { return }
    for index in cellIndices { slowCells[index].balancing = 0 }
    if balancer.isActive { moveCharge(from: most) }
    lanes.drift(slowCells)
  }

  private mutating func moveCharge(from most: Int) {
    slowCells[most].balancing = -balancer.current
    guard balancer.method == .shuttle else { return }
    let share = balancer.current * balancer.efficiency / 2
    slowCells[(most + 1) % cellCount].balancing += share
    slowCells[(most + cellCount - 1) % cellCount].balancing += share
  }

  /// Counts the heat, warms the battery, and brings what depends on temperature up to date.
  ///
  /// The heat is what came in and is not stored: ohmic loss, RC pairs, diffusion, hysteresis, self-discharge, balancing.
  private mutating func settle() {
    settleCells()
    let stored = storedEnergy
    let made = energyIn - energyInAtSettling - (stored - energyAtSettling)
    heat += made
    let capacity = parameters.heatCapacity
    let ratio = sinceSettled / (parameters.thermalResistance * capacity)
    let warmed = celsius + made / capacity
    let cooled = ambient + (warmed - ambient) / (1 + ratio)
    heatLost += (warmed - cooled) * capacity
    celsius = cooled
    sinceSettled = 0
    energyInAtSettling = energyIn
    // New temperature, new resistances: the same state stands for a slightly different energy, which the next count of
    // heat starts from the old one, so that nothing is made or lost.
    energyAtSettling = stored
    if abs(celsius - coefficients.celsius) > 0.02 {
      change(StepCoefficients(seconds: coefficients.seconds, celsius: celsius))
    } else {
      prepareCells()
    }
  }

  private mutating func change(_ step: StepCoefficients) {
    coefficients = step
    prepareCells()
  }

  private mutating func settleCells() {
    for index in cellIndices {
      slowCells[index].charge = lanes.charge[index]
      slowCells[index].settle(celsius: celsius, restVoltage: lanes.rest[index])
    }
  }

  private mutating func prepareCells() {
    sums = Sums()
    for index in cellIndices {
      slowCells[index].charge = lanes.charge[index]
      let piece = slowCells[index].piece(coefficients, state, isDischarging: isDischarging)
      lanes.put(index, on: piece)
      sums.rest += lanes.rest[index]
      sums.ohmic += piece.ohmic
      sums.fast += piece.fast
      sums.slow += piece.slow
      sums.lead += piece.lead
      sums.charge += piece.charge
    }
    sumUp()
  }

  /// Source and resistance of the coming step: its mean voltage, with the current taken as constant.
  @inline(__always)
  private mutating func sumUp() {
    let step = coefficients
    let follows = sums.lead * (1 - step.diffusionMean)
    stepSource =
      sums.rest + Double(cellCount) * step.hysteresis * state.hysteresis + sums.fast * state.fast * step.fastMean
      + sums.slow * state.slow * step.slowMean - follows * state.surface
    stepResistance =
      sums.ohmic + sums.fast * (1 - step.fastMean) + sums.slow * (1 - step.slowMean) + follows
      + sums.charge * step.hours
  }

  /// What is in the battery, as energy and heat: with ``energyIn``, ``heatLost`` and ``injected`` it makes a balance
  /// that holds to rounding at every moment.
  public var totalEnergy: Double { storedEnergy + parameters.heatCapacity * celsius + uncountedHeat }

  /// Heat since the last count.
  private var uncountedHeat: Double { energyIn - energyInAtSettling - (storedEnergy - energyAtSettling) }

  /// A fault on command: puts charge into one cell or takes it out, ampere-hours.
  public mutating func inject(ampereHours: Double, intoCell index: Int) {
    guard cellIndices.contains(index), ampereHours.isFinite else { return }
    let before = storedEnergy
    lanes.charge[index] += ampereHours
    injectedCharge[index] += ampereHours
    let added = storedEnergy - before
    energyAtSettling += added
    injected += added
    prepareCells()
  }

  /// A fault on command: drains one cell through a short inside, amperes; 0 ends it.
  public mutating func drain(amperes: Double, fromCell index: Int) {
    guard cellIndices.contains(index), amperes.isFinite else { return }
    slowCells[index].drain = amperes
    hasDrain = slowCells.contains { $0.drain != 0 }
    lanes.drift(slowCells)
  }

  /// A fault on command: sets the temperature at once, degrees Celsius.
  public mutating func setTemperature(_ celsius: Double) {
    guard celsius.isFinite, celsius != self.celsius else { return }
    injected += (celsius - self.celsius) * parameters.heatCapacity
    self.celsius = celsius
    settleCells()
    change(StepCoefficients(seconds: coefficients.seconds, celsius: celsius))
  }
}
