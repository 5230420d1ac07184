// Loads of constant resistance, current and power, with under-voltage lock-out, and those that bypass the shunt.

/// A load.
public struct Load: Sendable, Hashable {
  /// What stays the same when the voltage changes.
  public enum Kind: Sendable, Hashable {
    /// Ohms.
    case resistance(Double)
    /// Amperes.
    case current(Double)
    /// Watts.
    case power(Double)
  }
  /// What it wants.
  public var demand: Kind
  /// Where it is connected; `battery` bypasses shunt and contactor.
  public var side = Side.system
  /// Whether it is switched on.
  public var isOn = true
  /// Whether the ATD contact switches it.
  public var obeysContact = true
  /// It stops below this voltage and starts again 10 % above; 0 never stops. 9.3 V for each 12 V.
  public var lockoutVoltage = 0.0
  /// What it takes now, amperes.
  public internal(set) var current = 0.0
  /// Energy that it took, joules.
  public internal(set) var energy = 0.0
  private var isLockedOut = false
  private var isRunning = false
  /// The volts at the start of this step, and the piece where the circuit is.
  private var previous = 0.0
  private(set) var piece = Branch()

  /// A load with this demand.
  public init(_ demand: Kind) { self.demand = demand }

  /// Gets ready for a step that starts at these volts.
  @inline(__always)
  mutating func begin(_ commands: Commands, volts: Double) {
    if volts < lockoutVoltage { isLockedOut = true } else if volts > lockoutVoltage * 1.1 { isLockedOut = false }
    isRunning = isOn && !isLockedOut && (commands.allowsDischarge || !obeysContact)
    previous = volts
  }

  /// Goes to the piece that holds at these volts. A source of current cannot pull a dead bus below zero: under a volt it is
  /// a resistance.
  @inline(__always)
  mutating func seek(_ volts: Double) {
    guard isRunning else {
      piece = Branch()
      return
    }
    switch demand {
    case .resistance(let ohms): piece = Branch(conductance: ohms > 0 ? 1 / ohms : 0)
    case .current(let amperes): piece = Load.branch(amperes, at: volts, knee: 1)
    case .power(let watts):
      let knee = max(lockoutVoltage, 1)
      piece = Load.branch(watts / max(previous, knee), at: volts, knee: knee)
    }
  }

  /// Takes what its piece takes at these volts; returns the watts.
  @inline(__always)
  mutating func advance(_ volts: Double, seconds: Double) -> Double {
    current = piece.current(at: volts)
    energy += current * volts * seconds
    return current * volts
  }

  @inline(__always)
  static func branch(_ amperes: Double, at volts: Double, knee: Double) -> Branch {
    guard amperes > 0 else { return Branch() }
    return volts >= knee
      ? Branch(injection: -amperes, lowest: knee) : Branch(conductance: amperes / knee, highest: knee)
  }
}

/// An inverter: constant power that follows DCL with a 3 s loop and a ramp, and stops below 9.3 V for each 12 V.
public struct Inverter: Sendable, Hashable {
  /// What its consumers want, watts on the battery's side.
  public var demand = 0.0
  /// The most it can take, watts.
  public var rating = 3000.0
  /// How often it takes in commands, seconds.
  public var loop = 3.0
  /// Time from nothing to its rating, seconds.
  public var ramp = 1.5
  /// It stops this long after the last command, seconds.
  public var forgetsAfter = 60.0
  /// It stops below this, volts.
  public var lockoutVoltage = 9.3
  /// Whether it obeys DCL; ATD always stops it.
  public var obeys = true
  /// What its link tells it, of which the current counts; then the limit of ``Commands`` does not.
  public var link: LinkOrder?
  /// What it takes now, amperes.
  public internal(set) var current = 0.0
  /// Energy that it took, joules.
  public internal(set) var energy = 0.0
  private var watts = 0.0
  private var limit = 0.0
  private var untilLoop = 0.0
  private var silence = 0.0
  private var isLockedOut = false
  /// The current that it takes in this step, and the piece where the circuit is.
  private var amperes = 0.0
  private(set) var piece = Branch()

  /// An inverter for a system of this nominal voltage.
  public init(rating: Double = 3000, nominalVoltage: Double = 12) {
    self.rating = rating
    lockoutVoltage = 9.3 * nominalVoltage / 12
  }

  /// Gets ready for a step that starts at these volts. `sources` is what chargers give: DCL is the battery's part.
  @inline(__always)
  mutating func begin(_ commands: Commands, volts: Double, sources: Double, seconds: Double) {
    if volts < lockoutVoltage { isLockedOut = true } else if volts > lockoutVoltage * 1.1 { isLockedOut = false }
    silence = commands.areFresh ? 0 : silence + seconds
    untilLoop -= seconds
    if let link {
      silence = 0
      limit = max(link.current, 0) * volts
    } else if untilLoop <= 0, commands.areFresh {
      untilLoop = max(untilLoop + loop, 0)
      limit = commands.dischargeCurrent > 0 ? (commands.dischargeCurrent + sources) * volts : 0
    }
    guard commands.allowsDischarge, !isLockedOut, !obeys || (silence < forgetsAfter && limit > 0) else {
      watts = 0
      untilLoop = 0
      amperes = 0
      return
    }
    let target = min(demand, rating, obeys ? limit : rating)
    let most = rating / max(ramp, 0.01) * seconds
    watts = target < watts ? target : min(target, watts + most)
    amperes = watts / max(volts, lockoutVoltage, 1)
  }

  /// Goes to the piece that holds at these volts.
  @inline(__always)
  mutating func seek(_ volts: Double) { piece = Load.branch(amperes, at: volts, knee: max(lockoutVoltage, 1)) }

  /// Takes what its piece takes at these volts; returns the watts.
  @inline(__always)
  mutating func advance(_ volts: Double, seconds: Double) -> Double {
    current = piece.current(at: volts)
    energy += current * volts * seconds
    return current * volts
  }
}
