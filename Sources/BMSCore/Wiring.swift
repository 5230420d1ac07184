public import MonotonicTime

// What the core has to command, as the installation is built. It is wiring, not a setting of the battery.

/// How the BMS is wired.
public struct Wiring: Sendable, Hashable {
  /// How many contactors there are to command.
  public enum Contactors: Int, Sendable, Hashable {
    /// None: the battery protects itself, the BMS only supervises.
    case none = 0
    /// One: model 500.
    case one = 1
    /// Two that both must follow: model 1000 (R5, R77).
    case two = 2
  }

  /// How many contactors there are to command.
  public var contactors: Contactors
  /// The pre-charge circuit.
  public var precharge: Precharge

  /// By default a supervisor with nothing to command.
  public init(contactors: Contactors = .none, precharge: Precharge = Precharge()) {
    self.contactors = contactors
    self.precharge = precharge
  }
}

/// The pre-charge circuit and its limits (OD-18). Resistor, success level and smallest load belong together: 20 Ohm of
/// load behind the resistor can rise to 20 / (20 + resistance) of the battery at most (R9, R69).
public struct Precharge: Sendable, Hashable {
  /// The pre-charge resistor, Ohm.
  public let resistance: Double
  /// Pre-charge is complete at this share of the battery voltage.
  public let successShare: Double
  /// What the resistor may take in one try, joules.
  public let energyLimit: Double
  /// Longer than this is E-B35.
  public let timeout: TimeSpan

  /// OD-18's defaults. With 1 Ohm a load of 20 Ohm reaches 95.2 %. The energy is our number: the resistor heats with as
  /// much as the load's capacitors take, and 500 J charge 0.3 F at 57 V.
  public init() {
    resistance = 1
    successShare = 0.95
    energyLimit = 500
    timeout = .seconds(5)
  }

  /// A circuit as built; nil when a number makes no sense.
  public init?(resistance: Double, successShare: Double, energyLimit: Double, timeout: TimeSpan) {
    guard resistance.isFinite, resistance > 0, 0.5...0.99 ~= successShare, energyLimit.isFinite, energyLimit > 0,
      timeout > .zero
    else { return nil }
    self.resistance = resistance
    self.successShare = successShare
    self.energyLimit = energyLimit
    self.timeout = timeout
  }

  /// The smallest load resistance that still pre-charges, Ohm.
  public var smallestLoad: Double { resistance * successShare / (1 - successShare) }
}
