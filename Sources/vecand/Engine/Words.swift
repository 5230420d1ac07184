import BMSCore

// Quantities and names as people read them.

extension Double? {
  /// Volts, or that there are none.
  var volts: String { map { "\($0.text(2)) V" } ?? "- V" }
  /// Amperes with their sign.
  var amperes: String { map { "\($0 > 0 ? "+" : "")\($0.text(1)) A" } ?? "- A" }
  /// Percent.
  var percent: String { map { "\($0.text(1)) %" } ?? "unknown" }
}

extension ChargePhase {
  /// The phase in a word.
  var text: String {
    switch self {
    case .bulk: "bulk"
    case .absorption: "absorption"
    case .resting: "resting"
    }
  }
}

extension SynchronisationRecord.Cause {
  /// Who set it, in words.
  var text: String {
    switch self {
    case .charged: "charged voltage and tail current held"
    case .commanded: "synchronised by command"
    case .set: "set by command"
    case .reported: "as the battery monitor reports it, to begin with"
    }
  }
}

extension FullChargeTrigger {
  /// What began the cycle, in words.
  var text: String {
    switch self {
    case .firstStart: "first start, or nothing was stored"
    case .update: "the program was updated"
    case .stateOfCharge: "the state of charge is below soc_threshold"
    case .interval: "repeated_absorption_interval has passed"
    case .lowVoltage: "the battery is below 12 V per 12 V"
    case .lowCell: "a cell was low"
    }
  }
}
