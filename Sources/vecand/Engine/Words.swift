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

extension Setting {
  /// "tail_current = 4 %", as it would stand in the file, with its unit.
  func assignment(of value: Double) -> String { "\(definition.key) = \(valueText(of: value))" }
}
