import BMSCore

// Numbers and names as people read them. Without Foundation, whose formatters cost 7 MB of memory.

extension Double {
  /// The number with so many decimals.
  func text(_ decimals: Int) -> String {
    guard isFinite, magnitude < 1e15 else { return "\(self)" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let steps = Int((magnitude * scale).rounded())
    let whole = steps / Int(scale)
    let sign = self < 0 && steps > 0 ? "-" : ""
    if decimals == 0 { return "\(sign)\(whole)" }
    let fraction = String(steps % Int(scale))
    return "\(sign)\(whole).\(String(repeating: "0", count: decimals - fraction.count))\(fraction)"
  }
}

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
