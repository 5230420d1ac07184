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

  /// By default a supervisor with nothing to command.
  public init(contactors: Contactors = .none) {
    self.contactors = contactors
  }
}
