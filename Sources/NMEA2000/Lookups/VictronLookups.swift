/// Codes of Victron's registers (vecan.md sections 2.6 and 2.7).
extension Lookup {
  static let bmsStates: [UInt32: String] = Dictionary(
    uniqueKeysWithValues: (0...8).map { ($0, "initialising") } + [
      (9, "running"), (10, "error"), (12, "shutdown"), (13, "updating"), (14, "standby"), (15, "going to run"),
      (16, "pre-charging"), (17, "contactor check"), (18, "pending"),
    ])
}
