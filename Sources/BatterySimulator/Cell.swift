// One LiFePO4 cell: rest voltage at the charge near the surface, hysteresis, R0 and two RC pairs, counted charge.
//
// Numbers: battery-physics.md sections 1 to 5 and 10. Resistances are specific (milliohm times ampere-hours), so that
// one set serves every capacity and 100 mOhm*Ah is 100 mV at 1 C.
//
// The same current flows through all cells of a battery, so the currents through the resistors of their RC pairs and the
// lead of the surface, as a current, are the battery's (``Polarisation``); a cell makes voltages of them by its own
// resistances, all of them the typical ones times one factor. That also makes a voltage follow at once when the
// resistance changes towards empty, as the regression numbers of section 10 have it.
//
// A step takes the current as constant. Its voltage is the mean over the step, which is linear in the current: a source
// and a resistance (as network simulators form them from a capacitor). So a network of cells is solved exactly, it is
// stable at the steep end of the curve with steps of a second, and mean voltage times current is the energy.

/// What makes one cell differ from another.
public struct CellParameters: Sendable, Hashable {
  /// Charge from empty to full at 25 °C, ampere-hours.
  public var capacity: Double
  /// How many times the typical one each of its resistances is.
  public var resistance = 1.0
  /// Share of the charge put in that comes back.
  public var efficiency = 0.9995
  /// Self-discharge, amperes.
  public var leakage = 0.002

  /// A typical cell of this capacity in ampere-hours.
  public init(capacity: Double) { self.capacity = max(capacity, 0.001) }
}

/// The numbers that are the same for all cells of this chemistry.
public enum CellModel {
  /// R0: specific ohmic resistance, milliohm times ampere-hours.
  public static let ohmic = 55.0
  /// R1: specific resistance of the fast RC pair, milliohm times ampere-hours.
  public static let fast = 30.0
  /// R2: specific resistance of the slow RC pair, milliohm times ampere-hours.
  public static let slow = 20.0
  /// Time constant of the fast RC pair, seconds.
  public static let fastTime = 20.0
  /// Time constant of the slow RC pair, seconds.
  public static let slowTime = 300.0
  /// Lead of the surface's state of charge at 1 C.
  public static let diffusion = 0.01
  /// Time constant of that lead, seconds.
  public static let diffusionTime = 60.0
  /// Share of the capacity that turns the hysteresis round.
  public static let hysteresisShare = 0.05
  /// Activation energy of the charge transfer, kJ/mol: R1, R2 and diffusion.
  public static let transferEnergy = 35.0
  /// Activation energy of the electrolyte, kJ/mol: R0.
  public static let electrolyteEnergy = 17.0
  /// The discharge rate at which the capacity of a cold cell is stated, as a share of the capacity in an hour. The
  /// manual gives none; C/5 is what data sheets use.
  public static let ratedRate = 0.2

  /// Half of the gap between rest voltages after charge and after discharge, volts: 10 mV at 25 °C, 15 mV at 0 °C.
  public static func hysteresis(celsius: Double) -> Double { min(max(0.015 - celsius * 0.0002, 0.005), 0.025) }

  /// How much larger a resistance is than at 25 °C, for an activation energy in kJ/mol.
  public static func resistanceFactor(celsius: Double, energy: Double) -> Double {
    let kelvin = min(max(celsius, -60), 120) + 273.15
    return exponential(energy / 0.008_314_462 * (1 / kelvin - 1 / 298.15))
  }

  /// Share of the capacity that the rated current can take out: 100 % at 25 °C, 80 % at 0 °C, 50 % at -20 °C.
  public static func availableShare(celsius: Double) -> Double {
    if celsius >= 25 { return 1 }
    return celsius >= 0 ? 0.8 + 0.008 * celsius : max(0.8 + 0.015 * celsius, 0.3)
  }
}

/// What a step of one length at one temperature has in common for all cells of a battery.
struct StepCoefficients: Sendable, Hashable {
  private(set) var seconds = 0.0
  private(set) var hours = 0.0
  // What is left of each state after the step, and its mean over the step.
  private(set) var fastDecay = 1.0
  private(set) var fastMean = 1.0
  private(set) var slowDecay = 1.0
  private(set) var slowMean = 1.0
  private(set) var diffusionDecay = 1.0
  private(set) var diffusionMean = 1.0

  private(set) var celsius = 25.0
  // Specific resistances at this temperature, ohms times ampere-hours.
  private(set) var ohmic = 0.0
  private(set) var fast = 0.0
  private(set) var slow = 0.0
  /// The surface's lead of an ampere, ampere-hours.
  private(set) var diffusion = 0.0
  /// Volts of a full turn.
  private(set) var hysteresis = 0.0

  init(seconds: Double, celsius: Double) {
    change(seconds: seconds)
    change(celsius: celsius)
  }

  /// Goes to steps of another length.
  mutating func change(seconds: Double) {
    self.seconds = seconds
    hours = seconds / 3600
    (fastDecay, fastMean) = StepCoefficients.decay(seconds, CellModel.fastTime)
    (slowDecay, slowMean) = StepCoefficients.decay(seconds, CellModel.slowTime)
    (diffusionDecay, diffusionMean) = StepCoefficients.decay(seconds, CellModel.diffusionTime)
  }

  /// Goes to another temperature.
  mutating func change(celsius: Double) {
    self.celsius = celsius
    ohmic = CellModel.ohmic / 1000 * CellModel.resistanceFactor(celsius: celsius, energy: CellModel.electrolyteEnergy)
    let transfer = CellModel.resistanceFactor(celsius: celsius, energy: CellModel.transferEnergy)
    fast = CellModel.fast / 1000 * transfer
    slow = CellModel.slow / 1000 * transfer
    diffusion = CellModel.diffusion * transfer
    hysteresis = CellModel.hysteresis(celsius: celsius)
  }

  private static func decay(_ seconds: Double, _ constant: Double) -> (after: Double, mean: Double) {
    let ratio = seconds / constant
    let after = exponential(-ratio)
    // The difference of nearly equal numbers would lose its digits in very short steps.
    return (after, ratio < 1e-5 ? 1 - ratio / 2 : (1 - after) / ratio)
  }
}

/// The states that follow the current and nothing else, as currents: amperes, charge positive.
struct Polarisation: Sendable, Hashable {
  /// Through the resistor of the fast RC pair.
  var fast = 0.0
  /// Through that of the slow one.
  var slow = 0.0
  /// The current that would hold the surface's lead.
  var surface = 0.0
  /// -1 after discharge, 1 after charge.
  var hysteresis = 0.0

  /// Moves on by one step.
  @inline(__always)
  mutating func advance(_ current: Double, _ step: StepCoefficients, turning: Double) {
    fast = current + (fast - current) * step.fastDecay
    slow = current + (slow - current) * step.slowDecay
    surface = current + (surface - current) * step.diffusionDecay
    // Section 2: the state goes towards the sign of the current, 5 % of the capacity for one turn. The series is e^-share
    // within 1e-8; only steps of many seconds need more of it.
    let share = abs(current) * step.hours * turning
    let left = share < 0.02 ? 1 - share * (1 - share * (0.5 - share * (1.0 / 6))) : exponential(-share)
    let target = current > 0 ? 1.0 : -1.0
    hysteresis = target + (hysteresis - target) * left
  }

  /// Volts over the resistances at a current, times the ampere-hours of a typical cell.
  @inline(__always)
  func drop(at current: Double, _ step: StepCoefficients) -> Double {
    step.ohmic * current + step.fast * fast + step.slow * slow
  }
}

/// A cell's state and the physics that moves it.
public struct Cell: Sendable, Hashable {
  /// What it is made of.
  public let parameters: CellParameters
  /// Charge in it, ampere-hours; above the capacity it is overfull.
  public internal(set) var charge: Double
  /// What a balancer puts in, amperes.
  public internal(set) var balancing = 0.0
  /// A fault that drains it, amperes: a short inside.
  public internal(set) var drain = 0.0

  /// What it lacks in the cold at the rated current, as a resistance in discharge, ohms.
  private(set) var coldResistance = 0.0
  let inverseCapacity: Double

  /// A rested cell at this state of charge, 0...1.
  public init(_ parameters: CellParameters, stateOfCharge: Double) {
    self.parameters = parameters
    charge = parameters.capacity * stateOfCharge
    inverseCapacity = 1 / parameters.capacity
  }

  /// State of charge, 1 is full; slightly above 1 when overfull.
  public var stateOfCharge: Double { charge * inverseCapacity }

  /// Whether it was ever taken below the 2.0 V that damage it.
  public private(set) var isDamaged = false

  /// The straight piece of the curve that a cell is on, and its resistance there. While it stays on the piece, away from
  /// both ends, nothing of this changes.
  struct Piece: Sendable, Hashable {
    /// It holds for the charge near the surface within these, ampere-hours.
    var start = 0.0
    var end = 0.0
    /// Volts at rest: `base + steepness * charge`.
    var base = 0.0
    var steepness = 0.0
    /// What makes its resistances of the specific ones, 1 / Ah.
    var weight = 0.0
  }

  /// The piece that the cell is on when its surface leads by these ampere-hours.
  func piece(lead: Double) -> Piece {
    let segment = OpenCircuitVoltage.table[OpenCircuitVoltage.index((charge + lead) * inverseCapacity)]
    var piece = Piece()
    piece.base = segment.base
    piece.steepness = segment.slope * inverseCapacity
    piece.weight = parameters.resistance * inverseCapacity * chargeFactor
    let isSteady =
      min(stateOfCharge, segment.start) >= 0.99
      || min(stateOfCharge, segment.start) >= 0.1 && max(stateOfCharge, segment.end) <= 0.98
    if isSteady {
      piece.start = segment.start * parameters.capacity
      piece.end = segment.end * parameters.capacity
    } else {
      // Below 10 % and from 98 to 99 % the resistance changes with every step: an empty piece, so that every step
      // comes here.
      piece.start = .infinity
      piece.end = -.infinity
    }
    return piece
  }

  /// What changes slowly: what the cold takes, and damage.
  @inline(__always)
  mutating func settle(availableShare: Double, lead: Double, on curve: Span<OpenCircuitVoltage.Segment>) {
    // Its surface is empty at 2.0 V.
    if charge + lead < 0 { isDamaged = true }
    guard availableShare < 1 else {
      coldResistance = 0
      return
    }
    // The cold cell is empty when the share that cannot be had is left: at the rated current its voltage is that of the
    // place on the curve where the missing charge, stretched, arrives.
    let stretched = 1 - (1 - stateOfCharge) * (1 / availableShare)
    let missing = OpenCircuitVoltage.volts(stateOfCharge, on: curve) - OpenCircuitVoltage.volts(stretched, on: curve)
    coldResistance = max(missing, 0) * inverseCapacity * (1 / CellModel.ratedRate)
  }

  /// Resistance against charge (section 3): twice as much at 0 %, 1.3 times above 98 %.
  @inline(__always)
  private var chargeFactor: Double {
    let share = stateOfCharge
    if share < 0.1 { return min(2 - share * 10, 2) }
    return share > 0.98 ? min(1 + (share - 0.98) * 30, 1.3) : 1
  }

  /// Energy in it, joules, against an empty one: the charge near the surface and the charge behind it, the RC pairs and
  /// the hysteresis. What goes in and is not in here is heat.
  ///
  /// The lead of the surface is a cell of two parts with a resistance between them; the front part is `td / (td + kd)`
  /// of the capacity, so that what is behind lags by `td` where the surface leads by `kd`.
  @inline(__always)
  func energy(
    _ step: StepCoefficients, _ state: Polarisation, on curve: Span<OpenCircuitVoltage.Segment>
  ) -> Double {
    let time = CellModel.diffusionTime / 3600
    let front = time / (time + step.diffusion)
    let inFront = OpenCircuitVoltage.integral((charge + step.diffusion * state.surface) * inverseCapacity, on: curve)
    let behind = OpenCircuitVoltage.integral((charge - time * state.surface) * inverseCapacity, on: curve)
    let pairs =
      CellModel.fastTime * step.fast * state.fast * state.fast
      + CellModel.slowTime * step.slow * state.slow * state.slow
    let turned = CellModel.hysteresisShare * step.hysteresis * state.hysteresis * state.hysteresis
    return 3600 * parameters.capacity * (front * inFront + (1 - front) * behind + turned / 2)
      + pairs / 2 * parameters.resistance * inverseCapacity * chargeFactor
  }
}
