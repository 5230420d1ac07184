// What hangs on the two nodes of the circuit, the battery side and the system side of the contactor, in the one form that
// the solver knows: for a voltage, a conductance to ground and a current beside it. Sources and loads are made of straight
// pieces, so a few rounds find the piece that each is on. The current that a part is given is that of its straight
// piece at the solved voltage: the sum at a node is zero to rounding, and so energy is conserved whatever the pieces.

/// A straight piece: the current out of the node is `conductance * volts - injection`.
struct Branch: Sendable, Hashable {
  var conductance = 0.0
  var injection = 0.0

  func current(at volts: Double) -> Double { conductance * volts - injection }

  static func += (left: inout Branch, right: Branch) {
    left.conductance += right.conductance
    left.injection += right.injection
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

  func branch(at volts: Double) -> Branch {
    // Falling with the voltage: most, then the regulated slope, then least, then the clamp.
    let wanted = stiffness * (setVoltage - volts)
    if wanted >= most && volts < clamp { return Branch(conductance: 0, injection: most) }
    if wanted > least && volts < clamp { return Branch(conductance: stiffness, injection: stiffness * setVoltage) }
    if least > 0, volts >= clamp {
      let left = least - stiffness * (volts - clamp)
      return left > 0 ? Branch(conductance: stiffness, injection: least + stiffness * clamp) : Branch()
    }
    return Branch(conductance: 0, injection: least)
  }
}
