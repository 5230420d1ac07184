/// Codes of Victron's registers (vecan.md sections 2.6 and 2.7).
extension Lookup {
  static let bmsStates: [UInt32: String] = Dictionary(
    uniqueKeysWithValues: (0...8).map { ($0, "initialising") } + [
      (9, "running"), (10, "error"), (12, "shutdown"), (13, "updating"), (14, "standby"), (15, "going to run"),
      (16, "pre-charging"), (17, "contactor check"), (18, "pending"),
    ])

  /// 0x0200 (vecan.md section 2.1).
  static let deviceModes: [UInt32: String] = [
    1: "charger only", 2: "inverter only", 3: "on", 4: "off", 5: "eco", 0xFC: "standby", 0xFD: "hibernate",
  ]

  /// 0x0201 (vecan.md section 2.1).
  static let deviceStates: [UInt32: String] = [
    0: "off", 1: "low power", 2: "fault", 3: "bulk", 4: "absorption", 5: "float", 6: "storage", 7: "equalise",
    8: "passthru", 9: "inverting", 10: "assisting", 11: "power supply", 0xF9: "on", 0xFA: "blocked", 0xFB: "test",
    0xFC: "external control",
  ]

  /// 0x2101 (vecan.md section 2.6; the wording of the alarms beyond 100 is that of the requirements' area N).
  static let bmsErrors: [UInt32: String] = [
    0: "none", 1: "battery initialisation", 2: "no battery", 3: "unknown product", 4: "battery type",
    5: "number of batteries", 6: "no shunt", 7: "measure", 8: "calculate", 9: "battery voltage not allowed",
    10: "number of batteries", 11: "hardware", 12: "watchdog", 13: "overvoltage", 14: "undervoltage",
    15: "overtemperature", 16: "undertemperature", 17: "input/output expander", 18: "undercharge standby",
    20: "contactor startup", 22: "analogue inputs", 23: "slave", 25: "pre-charge", 26: "contactor",
    28: "slave update", 29: "slave update", 32: "BMS cable", 33: "reference voltage", 34: "wrong system voltage",
    35: "pre-charge timeout", 36: "ATC/ATD", 101: "high BMS temperature", 103: "low cell voltage",
    105: "high discharge current", 106: "high charge current", 112: "bad contactor", 116: "calibration lost",
    119: "settings invalid",
  ]
}
