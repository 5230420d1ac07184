// A charger that does as it is told: a solar or mains charger behind a GX device.
//
// battery-physics.md section 9: limits CVL and CCL, 3 s command loop, ramp 1 to 5 A/s, own stop when commands vanish
// for 60 s, follows ATC at once (within 1 s).

/// What a BMS tells chargers and loads.
public struct Commands: Sendable, Hashable {
  /// CVL, volts; nil when there is none.
  public var chargeVoltage: Double?
  /// CCL, amperes into the battery.
  public var chargeCurrent = 0.0
  /// DCL, amperes out of the battery.
  public var dischargeCurrent = 0.0
  /// ATC: the contact that allows to charge.
  public var allowsCharge = false
  /// ATD: the contact that allows to discharge.
  public var allowsDischarge = false
  /// The enable input of the alternator's regulator.
  public var allowsAlternator = false
  /// The contactor's coil.
  public var closesContactor = false
  /// The pre-charge switch.
  public var closesPrecharge = false
  /// Whether the limits were repeated in this step: false is a bus that is silent. Contacts are wires and hold.
  public var areFresh = true

  /// Everything off.
  public init() {}
}

/// What a charger or an inverter was told itself, over a link of its own, instead of what is told to all.
public struct LinkOrder: Sendable, Hashable {
  /// Volts that a charger may regulate to; nil stops it.
  public var voltage: Double?
  /// The most it may give or take, amperes; 0 stops it.
  public var current: Double

  /// An order.
  public init(voltage: Double? = nil, current: Double) {
    self.voltage = voltage
    self.current = current
  }

  /// Nobody tells it anything any more.
  public static let stop = LinkOrder(current: 0)
}

/// A charger that follows CVL and CCL with lag.
public struct Charger: Sendable, Hashable {
  /// The most it can give, amperes.
  public var rating: Double
  /// How much of that there is now, 0...1: the sun.
  public var availability = 1.0
  /// Where it is connected.
  public var side = Side.system
  /// How often it takes in commands, seconds.
  public var loop = 3.0
  /// How fast its current rises, amperes a second.
  public var ramp = 5.0
  /// It stops this long after the last command, seconds.
  public var forgetsAfter = 60.0
  /// Whether it obeys; false charges by itself to ``ownVoltage``.
  public var obeys = true
  /// What it regulates to without commands, volts.
  public var ownVoltage = 14.2
  /// What its link tells it. Then neither ``Commands`` nor the ATC contact count: who gives the order has the cycle and the
  /// time-out, and what is left here is the ramp.
  public var link: LinkOrder?
  /// What it gives now, amperes.
  public internal(set) var current = 0.0
  /// Energy that it gave, joules.
  public internal(set) var energy = 0.0

  /// What it can do in this step, and the piece of it where the circuit is.
  private var line = SourceLine()
  private(set) var piece = Branch()
  private var untilLoop = 0.0
  private var silence = 0.0
  private var setVoltage = 0.0
  private var setCurrent = 0.0

  /// A charger of this rating in amperes.
  public init(rating: Double) { self.rating = rating }

  /// Gets ready for a step. `share` is its part of all chargers, `loads` what they feed beside the battery.
  @inline(__always)
  mutating func begin(_ commands: Commands, share: Double, loads: Double, seconds: Double) {
    line.setVoltage = 0
    line.most = 0
    guard obeys else {
      setVoltage = ownVoltage
      line.setVoltage = ownVoltage
      line.most = min(rating * availability, current + ramp * seconds)
      return
    }
    if let link {
      setVoltage = link.voltage ?? 0
      setCurrent = setVoltage > 0 ? max(link.current, 0) : 0
      line.setVoltage = setVoltage
      line.most = max(min(rating * availability, setCurrent, current + ramp * seconds), 0)
      return
    }
    silence = commands.areFresh ? 0 : silence + seconds
    untilLoop -= seconds
    if untilLoop <= 0, commands.areFresh {
      untilLoop = max(untilLoop + loop, 0)
      setVoltage = commands.chargeVoltage ?? 0
      setCurrent = commands.chargeVoltage == nil ? 0 : max(commands.chargeCurrent + loads, 0) * share
    }
    guard commands.allowsCharge, silence < forgetsAfter, setVoltage > 0 else {
      // Off at once, and it begins with a fresh command.
      untilLoop = 0
      setCurrent = 0
      return
    }
    line.setVoltage = setVoltage
    line.most = max(min(rating * availability, setCurrent, current + ramp * seconds), 0)
  }

  /// Goes to the piece that holds at these volts.
  @inline(__always)
  mutating func seek(_ volts: Double) { piece = line.branch(at: volts) }

  /// Gives what its piece gives at these volts; returns the watts.
  @inline(__always)
  mutating func advance(_ volts: Double, seconds: Double) -> Double {
    current = -piece.current(at: volts)
    energy += current * volts * seconds
    return current * volts
  }
}
