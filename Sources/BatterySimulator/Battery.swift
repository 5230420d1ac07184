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
  /// What differs from cell to cell and changes rarely; the charge in it is that of the last look at them.
  private var slowCells: [Cell]
  /// The same cells as a step moves them.
  private var lanes: CellLanes
  private var coefficients: StepCoefficients
  private var state = Polarisation()
  private var isDischarging = false
  private var source = Source()
  /// A balancer or a fault moves charge in its cells.
  private var isDrifting = false
  /// Turns of the hysteresis for an ampere-hour.
  private let turning: Double
  private var sinceSettled = 0.0
  private var energyAtSettling = 0.0
  private var energyInAtSettling = 0.0
  // Until the last count of the lanes.
  private var charged = 0.0
  private var discharged = 0.0
  private var hours = 0.0
  /// What balancer and faults moved in each cell, ampere-hours.
  private var ledger: [Ledger]

  private struct Ledger: Sendable {
    var balanced = 0.0
    var drained = 0.0
    var injected = 0.0
  }

  /// What makes the source of the coming step of the states; it stays while no cell leaves its piece of the curve.
  private struct Source: Sendable {
    var hysteresis = 0.0
    var fast = 0.0
    var slow = 0.0
    var lead = 0.0
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
    let count = min(max(parameters.cellCount, 1), CellLanes.most)
    cellCount = count
    var cells: [Cell] = []
    cells.reserveCapacity(count)
    for _ in 0..<count {
      var cell = CellParameters(capacity: parameters.capacity * (1 + parameters.capacitySpread * random.normal()))
      let resistance = max(1 + parameters.resistanceSpread * random.normal(), 0.1)
      cell.resistance = resistance
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
    ledger = Array(repeating: Ledger(), count: count)
    coefficients = StepCoefficients(seconds: 1, celsius: celsius)
    slowCells = cells
    lanes = CellLanes(cells)
    lookAtCells(isEvery: true)
    energyAtSettling = settleCells()
    arrange()
  }

  /// First to last, as they are now.
  public var cells: [Cell] {
    var cells = slowCells
    for index in cellIndices { cells[index].charge = lanes.charge(of: index) }
    return cells
  }

  /// How many of its cells were ever taken below the 2.0 V that damage them.
  public var damagedCells: Int { slowCells.count { $0.isDamaged } }

  /// Capacity of all cells, ampere-hours.
  public var capacity: Double { slowCells.reduce(0) { $0 + $1.parameters.capacity } }

  /// Charge in all cells, each within empty and full, ampere-hours.
  public var usableCharge: Double {
    var sum = 0.0
    for index in cellIndices { sum += min(max(lanes.charge(of: index), 0), slowCells[index].parameters.capacity) }
    return sum
  }

  /// Terminal voltage at a current, volts; charge positive.
  public func voltage(at current: Double) -> Double {
    let common = common(at: current)
    return lanes.rest(lead: common.lead) + Double(cellCount) * common.hysteresis + lanes.sums.weight * common.drop
      + lanes.sums.cold * common.coldCurrent
  }

  /// Voltage of one cell at a current, volts; charge positive. No such cell has 0 V.
  public func voltage(ofCell index: Int, at current: Double) -> Double {
    guard cellIndices.contains(index) else { return 0 }
    return lanes.voltage(of: index, common(at: current))
  }

  /// What all of its cells share at a current.
  @inline(__always)
  private func common(at current: Double) -> CellLanes.Common {
    CellLanes.Common(
      lead: lead, hysteresis: coefficients.hysteresis * state.hysteresis, drop: state.drop(at: current, coefficients),
      coldCurrent: isDischarging && coefficients.celsius < 25 ? current : 0)
  }

  /// By how much the surface of its cells leads, ampere-hours.
  private var lead: Double { coefficients.diffusion * state.surface }

  /// Lets plain sensors look at its cells, and puts what they show into the readings from `place` on, where there must be
  /// room. Mutating although it changes nothing: a call that is not copies the battery.
  @inline(__always)
  mutating func show(
    at current: Double, by sensors: Span<SensorPair>, in readings: inout MutableSpan<Double?>, from place: Int
  ) {
    let shown = lanes.shown(common(at: current), by: sensors)
    // Whoever calls has compared the counts.
    var next = place
    for pair in 0..<cellCount / 2 {
      readings[unchecked: next] = shown[pair].x
      readings[unchecked: next &+ 1] = shown[pair].y
      next &+= 2
    }
    if cellCount % 2 == 1 { readings[unchecked: next] = shown[cellCount / 2].x }
  }

  /// Energy in the cells, joules, against empty ones.
  public var storedEnergy: Double {
    let table = OpenCircuitVoltage.table
    return cells.reduce(0) { $0 + $1.energy(coefficients, state, on: table.span) }
  }

  /// Where the charge of a cell went.
  public func chargeAccount(ofCell index: Int) -> ChargeAccount {
    guard cellIndices.contains(index) else { return ChargeAccount() }
    let parameters = slowCells[index].parameters
    var account = ChargeAccount()
    account.charged = charged + lanes.charged
    account.discharged = discharged + lanes.discharged
    account.balanced = ledger[index].balanced + slowCells[index].balancing * lanes.hours
    account.lost = account.charged * (1 - parameters.efficiency)
    account.leaked =
      ledger[index].drained + slowCells[index].drain * lanes.hours + parameters.leakage * (hours + lanes.hours)
    account.injected = ledger[index].injected
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
    if coefficients.seconds != seconds { change(seconds: seconds) }
  }

  /// Out of line: its exponentials depend on nothing but the length, and the compiler would compute them in every step.
  @inline(never)
  private mutating func change(seconds: Double) {
    coefficients.change(seconds: seconds)
    if coefficients.celsius != celsius { coefficients.change(celsius: celsius) }
    arrange()
  }

  /// Moves everything on by the prepared step.
  mutating func advance(_ current: Double) {
    let volts = stepSource + current * stepResistance
    energyIn += volts * current * coefficients.seconds
    state.advance(current, coefficients, turning: turning)
    let hasTurned = isDischarging != (current < 0)
    isDischarging = current < 0
    let isOnPieces = lanes.advance(moved: current * coefficients.hours, hours: coefficients.hours, lead: lead)
    if !isOnPieces { lookAtCells() } else if hasTurned { arrange() } else { sumUp() }
    // A single high cell is near full, and so off its piece every few seconds; else the mean tells.
    let isHigh = volts > (balancer.startVoltage - 0.05) * Double(cellCount) || !isOnPieces
    if balancer.isActive || isHigh && lanes.atMost(common(at: current)) > balancer.startVoltage { balance(current) }
    sinceSettled += coefficients.seconds
    if sinceSettled >= Battery.settlingTime { settle() }
  }

  /// Counts what moved, and puts the cells that left their piece of the curve on another; every cell after a change of
  /// what else the pieces depend on.
  private mutating func lookAtCells(isEvery: Bool = false) {
    count()
    let lead = lead
    for index in cellIndices where isEvery || lanes.hasLeft(index, lead: lead) {
      lanes.put(index, on: slowCells[index].piece(lead: lead))
    }
    lanes.sumUp()
    arrange()
  }

  /// Brings the cells and what is known of their charge up to date with what the steps moved.
  private mutating func count() {
    charged += lanes.charged
    discharged += lanes.discharged
    hours += lanes.hours
    if isDrifting {
      for index in cellIndices {
        ledger[index].balanced += slowCells[index].balancing * lanes.hours
        ledger[index].drained += slowCells[index].drain * lanes.hours
      }
    }
    lanes.count(into: &slowCells)
  }

  private mutating func balance(_ current: Double) {
    let volts = lanes.voltages(common(at: current))
    var (bottom, top) = (volts[0].x, volts[0].x)
    for pair in 0..<(cellCount + 1) / 2 {
      // A last cell that is alone is compared with itself.
      let one = volts[pair].x
      let other = 2 * pair + 1 < cellCount ? volts[pair].y : one
      bottom = one < bottom ? one : bottom
      bottom = other < bottom ? other : bottom
      top = one > top ? one : top
      top = other > top ? other : top
    }
    let wasActive = balancer.isActive
    let spread = top - bottom
    let isHigh = top > balancer.startVoltage
    balancer.isActive =
      balancer.current > 0 && cellCount > 1
      && (balancer.isActive ? spread >= balancer.stopSpread : isHigh && spread > balancer.startSpread)
    guard wasActive || balancer.isActive else { return }
    let most = cellIndices.first { volts[$0 / 2][cell: $0] == top } ?? 0
    // From the same cell as before: nothing changes.
    if balancer.isActive, slowCells[most].balancing == -balancer.current { return }
    changeDrift { battery in
      for index in battery.cellIndices { battery.slowCells[index].balancing = 0 }
      if battery.balancer.isActive { battery.moveCharge(from: most) }
    }
  }

  /// Changes what moves charge in the cells beside the current: what moved until now is counted first.
  private mutating func changeDrift(_ change: (inout Battery) -> Void) {
    count()
    change(&self)
    isDrifting = slowCells.contains { $0.balancing != 0 || $0.drain != 0 }
    lanes.setDrift(slowCells)
    lanes.sumUp()
    arrange()
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
    let stored = settleCells()
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
    if abs(celsius - coefficients.celsius) > 0.02 { coefficients.change(celsius: celsius) }
    arrange()
  }

  /// Counts, and brings what changes slowly in the cells up to date; returns the energy in them, joules.
  private mutating func settleCells() -> Double {
    count()
    let (step, state, lead) = (coefficients, state, lead)
    let availableShare = CellModel.availableShare(celsius: celsius)
    let table = OpenCircuitVoltage.table
    let curve = table.span
    var sum = 0.0
    var cells = slowCells.mutableSpan
    for index in cells.indices {
      cells[index].settle(availableShare: availableShare, lead: lead, on: curve)
      sum += cells[index].energy(step, state, on: curve)
    }
    lanes.setCold(slowCells)
    lanes.sumUp()
    return sum
  }

  /// What the sums over the cells mean for the coming step: its mean voltage, with the current taken as constant, is that
  /// of a source and a resistance.
  private mutating func arrange() {
    let step = coefficients
    let sums = lanes.sums
    source.hysteresis = Double(cellCount) * step.hysteresis
    source.fast = sums.weight * step.fast * step.fastMean
    source.slow = sums.weight * step.slow * step.slowMean
    // The lead that is there fades in the step, and that of the current comes.
    source.lead = sums.steepness * step.diffusion * step.diffusionMean
    stepResistance =
      sums.weight * (step.ohmic + step.fast * (1 - step.fastMean) + step.slow * (1 - step.slowMean))
      + sums.steepness * (step.diffusion * (1 - step.diffusionMean) + step.hours / 2)
      + (isDischarging && step.celsius < 25 ? sums.cold : 0)
    sumUp()
  }

  /// The source of the coming step.
  @inline(__always)
  private mutating func sumUp() {
    stepSource =
      lanes.rest(lead: 0) + source.hysteresis * state.hysteresis + source.fast * state.fast
      + source.slow * state.slow + source.lead * state.surface
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
    lanes.inject(ampereHours, into: index)
    ledger[index].injected += ampereHours
    let added = storedEnergy - before
    energyAtSettling += added
    injected += added
    lookAtCells(isEvery: true)
  }

  /// A fault on command: drains one cell through a short inside, amperes; 0 ends it.
  public mutating func drain(amperes: Double, fromCell index: Int) {
    guard cellIndices.contains(index), amperes.isFinite else { return }
    changeDrift { $0.slowCells[index].drain = amperes }
  }

  /// A fault on command: sets the temperature at once, degrees Celsius.
  public mutating func setTemperature(_ celsius: Double) {
    guard celsius.isFinite, celsius != self.celsius else { return }
    injected += (celsius - self.celsius) * parameters.heatCapacity
    self.celsius = celsius
    _ = settleCells()
    coefficients.change(celsius: celsius)
    arrange()
  }
}
