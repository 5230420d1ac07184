// What hangs on the two nodes of the circuit, the battery side and the system side of the contactor, in the one form that
// the solver knows: for a voltage, a conductance to ground and a current beside it. Sources and loads are made of straight
// pieces, and each piece says how far it reaches: a solution within reach of all pieces is the solution, and otherwise a
// few rounds find the pieces that are. The current that a part is given is that of its straight piece at the solved
// voltage: the sum at a node is zero to rounding, and so energy is conserved whatever the pieces.

/// A straight piece: the current out of the node is `conductance * volts - injection`.
struct Branch: Sendable, Hashable {
  var conductance = 0.0
  var injection = 0.0
  /// It holds between these, volts.
  var lowest = -Double.infinity
  var highest = Double.infinity

  @inline(__always)
  func current(at volts: Double) -> Double { conductance * volts - injection }

  @inline(__always)
  func holds(at volts: Double) -> Bool { volts >= lowest && volts <= highest }

  /// Both at once: that holds where both do.
  @inline(__always)
  static func += (left: inout Branch, right: Branch) {
    left.conductance += right.conductance
    left.injection += right.injection
    left.lowest = right.lowest > left.lowest ? right.lowest : left.lowest
    left.highest = right.highest < left.highest ? right.highest : left.highest
  }
}

/// Which side of the contactor a part is connected to.
public enum Side: UInt8, Sendable, Hashable {
  /// Before contactor and shunt: what a bypass load uses, and a recovery charger.
  case battery
  /// Behind them.
  case system
}

/// A source that regulates to a voltage within a band of currents and is clamped above.
struct SourceLine: Sendable, Hashable {
  /// What it regulates to, volts.
  var setVoltage = 0.0
  /// How stiffly, siemens: the cable to the bus.
  var stiffness = 2000.0
  /// It cannot give less than this now, amperes.
  var least = 0.0
  /// It cannot give more than this now, amperes.
  var most = 0.0
  /// Above this voltage its diodes take what cannot go anywhere, volts.
  var clamp = Double.infinity

  @inline(__always)
  func branch(at volts: Double) -> Branch {
    // Falling with the voltage: most, then the regulated slope, then least, then the clamp.
    let wanted = stiffness * (setVoltage - volts)
    if wanted >= most && volts < clamp {
      return Branch(injection: most, highest: min(setVoltage - most / stiffness, clamp))
    }
    if wanted > least && volts < clamp {
      return Branch(
        conductance: stiffness, injection: stiffness * setVoltage, lowest: setVoltage - most / stiffness,
        highest: min(setVoltage - least / stiffness, clamp))
    }
    guard least > 0, volts >= clamp else {
      return Branch(
        injection: least, lowest: setVoltage - least / stiffness, highest: least > 0 ? clamp : .infinity)
    }
    let end = clamp + least / stiffness
    if volts > end { return Branch(lowest: end) }
    return Branch(conductance: stiffness, injection: least + stiffness * clamp, lowest: clamp, highest: end)
  }
}

/// What faults add to a circuit, amperes.
struct CircuitFaults: Sendable, Hashable {
  /// Into the bus, from a source of up to 100 V.
  var surge = 0.0 {
    didSet { noteWhetherAny() }
  }
  /// Out of the bus.
  var drain = 0.0 {
    didSet { noteWhetherAny() }
  }
  /// Out of the battery side.
  var bypass = 0.0 {
    didSet { noteWhetherAny() }
  }
  /// Whether there is none of them.
  private(set) var isNone = true

  private mutating func noteWhetherAny() { isNone = surge <= 0 && drain <= 0 && bypass <= 0 }

  /// The pieces of them that hold at these volts.
  struct Pieces {
    var surge = Branch()
    var drain = Branch()
    var bypass = Branch()
  }

  // Out of line: they are rare, and what they need would be kept ready in every step.
  @inline(never)
  func pieces(at volts: Circuit.Volts) -> Pieces {
    Pieces(
      surge: surge > 0 ? SourceLine(setVoltage: 100, most: surge).branch(at: volts.system) : Branch(),
      drain: Load.branch(drain, at: volts.system, knee: 1), bypass: Load.branch(bypass, at: volts.battery, knee: 1))
  }
}

/// The circuit of one step.
struct Circuit: Sendable {
  /// The bank with all that is always on the battery side.
  let bank: Branch
  /// From the battery side to the system side, siemens.
  let path: Double
  /// The capacitors of the bus with all that is always on the system side.
  let capacitor: Branch
  /// Whether a closed contactor lets the bank hold the voltage of the bus.
  let isHeld: Bool
  let faults: CircuitFaults

  typealias Volts = (battery: Double, system: Double)

  /// What a step came to: the voltages, and the watts that its parts gave and took.
  struct Solution {
    var battery: Double
    var system: Double
    var given = 0.0
    var taken = 0.0
  }

  /// Lets each part live through a step that starts at these voltages.
  @inline(__always)
  func advance(
    _ commands: Commands, from start: Volts, _ seconds: Double,
    _ chargers: inout [Charger], _ alternators: inout [Alternator], _ loads: inout [Load],
    _ inverters: inout [Inverter]
  ) -> Solution {
    // One question for each array whether it is shared.
    var chargers = chargers.mutableSpan
    var loads = loads.mutableSpan
    var inverters = inverters.mutableSpan

    // What the parts do before the step, for who reckons with the others.
    var available = 0.0
    var sources = 0.0
    var taken = 0.0
    for index in chargers.indices {
      if chargers[index].obeys { available += chargers[index].rating * chargers[index].availability }
      sources += chargers[index].current
    }
    for index in loads.indices where loads[index].side == .system { taken += loads[index].current }
    for index in inverters.indices { taken += inverters[index].current }
    // What feeds the loads already needs no charger.
    for index in alternators.indices {
      taken -= alternators[index].current
      sources += alternators[index].current
    }

    // Each gets ready, and goes to the piece that holds where the step starts.
    var (before, behind) = (bank, capacitor)
    for index in chargers.indices {
      let share = available > 0 ? chargers[index].rating * chargers[index].availability / available : 0
      let isBefore = chargers[index].side == .battery
      chargers[index].begin(commands, share: share, loads: taken, seconds: seconds)
      chargers[index].seek(isBefore ? start.battery : start.system)
      if isBefore { before += chargers[index].piece } else { behind += chargers[index].piece }
    }
    for index in loads.indices {
      let isBefore = loads[index].side == .battery
      let volts = isBefore ? start.battery : start.system
      loads[index].begin(commands, volts: volts)
      loads[index].seek(volts)
      if isBefore { before += loads[index].piece } else { behind += loads[index].piece }
    }
    for index in inverters.indices {
      inverters[index].begin(commands, volts: start.system, sources: sources, seconds: seconds)
      inverters[index].seek(start.system)
      behind += inverters[index].piece
    }
    if !alternators.isEmpty {
      Circuit.begin(&alternators, commands, seconds)
      behind += Circuit.seek(&alternators, start.system)
    }
    if !faults.isNone {
      let pieces = faults.pieces(at: start)
      before += pieces.bypass
      behind += pieces.surge
      behind += pieces.drain
    }

    let (guess, solved) = solve(from: start, (before, behind), &chargers, &alternators, &loads, &inverters)

    // Each gives or takes what its piece does there.
    var solution = Solution(battery: solved.battery, system: solved.system)
    for index in chargers.indices {
      let volts = chargers[index].side == .battery ? solved.battery : solved.system
      solution.given += chargers[index].advance(volts, seconds: seconds)
    }
    for index in loads.indices {
      let volts = loads[index].side == .battery ? solved.battery : solved.system
      solution.taken += loads[index].advance(volts, seconds: seconds)
    }
    for index in inverters.indices { solution.taken += inverters[index].advance(solved.system, seconds: seconds) }
    if !alternators.isEmpty { solution.given += Circuit.advance(&alternators, solved.system, seconds) }
    if !faults.isNone {
      let pieces = faults.pieces(at: guess)
      solution.given -= pieces.surge.current(at: solved.system) * solved.system
      solution.taken += pieces.drain.current(at: solved.system) * solved.system
      solution.taken += pieces.bypass.current(at: solved.battery) * solved.battery
    }
    return solution
  }

  /// Finds the voltages at which each part is on the piece that holds there, from those at which the pieces are now;
  /// returns where they are at last and the voltages that come of it.
  @inline(__always)
  private func solve(
    from start: Volts, _ pieces: (before: Branch, behind: Branch), _ chargers: inout MutableSpan<Charger>,
    _ alternators: inout [Alternator], _ loads: inout MutableSpan<Load>, _ inverters: inout MutableSpan<Inverter>
  ) -> (guess: Volts, solved: Volts) {
    var (before, behind) = pieces
    var guess = start
    // Where the solution of an open bus lies.
    var (floor, ceiling) = (-Double.infinity, Double.infinity)
    var rounds = isHeld ? 12 : 60
    while true {
      // own * B - path * S = into; other * S - path * B = out. Eliminating B keeps the digits when path is large.
      let inverse = 1 / (path + before.conductance)
      let other = path + behind.conductance
      let ratio = path * inverse
      let system = (behind.injection + ratio * before.injection) / (other - ratio * path)
      let battery = (before.injection + path * system) * inverse
      rounds -= 1
      if before.holds(at: battery) && behind.holds(at: system) || rounds == 0 { return (guess, (battery, system)) }
      let last = guess.system
      guess = (battery, system)
      if !isHeld {
        // Without the bank to hold the voltage, which a pre-charge resistor hardly does, two steep pieces can point at
        // each other over the one between them for ever (an alternator at its regulated voltage). More voltage never
        // draws less, so the solution lies where a guess points to: look in the middle.
        if system > last { floor = max(floor, last) } else { ceiling = min(ceiling, last) }
        if system != last, system <= floor || system >= ceiling { guess.system = (floor + ceiling) / 2 }
      }
      (before, behind) = seek(guess, &chargers, &alternators, &loads, &inverters)
    }
  }

  /// Puts each part on the piece that holds at these voltages; the sums of the pieces on each side. Out of line: the pieces
  /// of the step's start mostly hold.
  @inline(never)
  private func seek(
    _ guess: Volts, _ chargers: inout MutableSpan<Charger>, _ alternators: inout [Alternator],
    _ loads: inout MutableSpan<Load>, _ inverters: inout MutableSpan<Inverter>
  ) -> (before: Branch, behind: Branch) {
    var (before, behind) = (bank, capacitor)
    for index in chargers.indices {
      let isBefore = chargers[index].side == .battery
      chargers[index].seek(isBefore ? guess.battery : guess.system)
      if isBefore { before += chargers[index].piece } else { behind += chargers[index].piece }
    }
    for index in loads.indices {
      let isBefore = loads[index].side == .battery
      loads[index].seek(isBefore ? guess.battery : guess.system)
      if isBefore { before += loads[index].piece } else { behind += loads[index].piece }
    }
    for index in inverters.indices {
      inverters[index].seek(guess.system)
      behind += inverters[index].piece
    }
    if !alternators.isEmpty { behind += Circuit.seek(&alternators, guess.system) }
    if !faults.isNone {
      let pieces = faults.pieces(at: guess)
      before += pieces.bypass
      behind += pieces.surge
      behind += pieces.drain
    }
    return (before, behind)
  }

  // Alternators are rare, and to ask an empty array whether it is shared is to make a new one: out of line, and only if
  // there are any.

  @inline(never)
  static func begin(_ alternators: inout [Alternator], _ commands: Commands, _ seconds: Double) {
    for index in alternators.indices { alternators[index].begin(commands, seconds: seconds) }
  }

  @inline(never)
  private static func seek(_ alternators: inout [Alternator], _ volts: Double) -> Branch {
    var sum = Branch()
    for index in alternators.indices {
      alternators[index].seek(volts)
      sum += alternators[index].piece
    }
    return sum
  }

  @inline(never)
  private static func advance(_ alternators: inout [Alternator], _ volts: Double, _ seconds: Double) -> Double {
    var watts = 0.0
    for index in alternators.indices { watts += alternators[index].advance(volts, seconds: seconds) }
    return watts
  }
}
