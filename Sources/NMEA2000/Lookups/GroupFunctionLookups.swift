/// Names of the codes in 126208 (canboat docs/canboat.json; nmea2000.md section 1.4).
extension Lookup {
  static let groupFunctions: [UInt32: String] = [
    0: "Request", 1: "Command", 2: "Acknowledge", 3: "Read Fields", 4: "Read Fields Reply", 5: "Write Fields",
    6: "Write Fields Reply",
  ]

  static let groupPriorities: [UInt32: String] = [
    0: "0", 1: "1", 2: "2", 3: "3", 4: "4", 5: "5", 6: "6", 7: "7", 8: "Leave unchanged", 9: "Reset to default",
  ]

  static let pgnErrors: [UInt32: String] = [
    0: "Acknowledge", 1: "PGN not supported", 2: "PGN not available", 3: "Access denied", 4: "Not supported",
    5: "Tag not supported", 6: "Read or Write not supported",
  ]

  static let intervalErrors: [UInt32: String] = [
    0: "Acknowledge", 1: "Transmit Interval/Priority not supported", 2: "Transmit Interval too low",
    3: "Access denied", 4: "Not supported",
  ]

  static let parameterErrors: [UInt32: String] = [
    0: "Acknowledge", 1: "Invalid parameter field", 2: "Temporary error", 3: "Parameter out of range",
    4: "Access denied", 5: "Not supported", 6: "Read or Write not supported",
  ]
}
