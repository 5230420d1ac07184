// An alternator that follows no limits: it charges to its own voltage as hard as it can. Its regulator has an enable
// input (alternator ATC), its field decays slowly, and when the contactor opens under charge its current has nowhere to
// go: the load dump, which the diodes clamp (battery-physics.md section 9: 50 to 200 A, spike when K opens).

/// An uncontrolled source on the system side.
public struct Alternator: Sendable, Hashable {
  /// The most it gives, amperes.
  public var rating = 100.0
  /// The speed of its engine as a share of what the rating needs; 0 stands still.
  public var speed = 0.0
  /// Whether its regulator listens to the enable input.
  public var hasEnableInput = true
  /// What its regulator holds, volts.
  public var regulatedVoltage = 14.4
  /// Where its diodes clamp a load dump, volts.
  public var clampVoltage = 40.0
  /// Time constant of its field, seconds.
  public var fieldTime = 0.3
  /// What it gives now, amperes.
  public internal(set) var current = 0.0
  /// Energy that it gave, joules.
  public internal(set) var energy = 0.0

  /// What it can do in this step, and the piece of it where the circuit is.
  private var line = SourceLine()
  private(set) var piece = Branch()

  /// An alternator for a system of this nominal voltage that stands still.
  public init(rating: Double = 100, nominalVoltage: Double = 12) {
    self.rating = rating
    regulatedVoltage = 14.4 * nominalVoltage / 12
    clampVoltage = 40 * max(nominalVoltage / 12, 1)
  }

  mutating func begin(_ commands: Commands, seconds: Double) {
    let isOn = speed > 0 && (commands.allowsAlternator || !hasEnableInput)
    let decay = exponential(-seconds / fieldTime)
    line.setVoltage = regulatedVoltage
    line.clamp = clampVoltage
    // The field holds the current up; a stopped engine has none.
    line.least = speed > 0 ? max(current, 0) * decay : 0
    let target = isOn ? rating * min(max(speed, 0), 1) : 0
    line.most = max(line.least, target + (current - target) * decay)
  }

  /// Goes to the piece that holds at these volts.
  mutating func seek(_ volts: Double) { piece = line.branch(at: volts) }

  /// Gives what its piece gives at these volts; returns the watts.
  mutating func advance(_ volts: Double, seconds: Double) -> Double {
    current = -piece.current(at: volts)
    energy += current * volts * seconds
    return current * volts
  }
}
