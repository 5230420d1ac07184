/// Names of the codes in 127506, 127507, 127509 and 127513 (canboat docs/canboat.json; nmea2000.md section 1.3).
extension Lookup {
  static let dcTypes: [UInt32: String] = [
    0: "Battery", 1: "Alternator", 2: "Convertor", 3: "Solar cell", 4: "Wind generator",
  ]

  static let chargerStates: [UInt32: String] = [
    0: "Not charging", 1: "Bulk", 2: "Absorption", 3: "Overcharge", 4: "Equalise", 5: "Float", 6: "No float",
    7: "Constant VI", 8: "Disabled", 9: "Fault",
  ]

  static let chargerModes: [UInt32: String] = [0: "Standalone", 1: "Primary", 2: "Secondary", 3: "Echo"]

  static let inverterStates: [UInt32: String] = [
    0: "Invert", 1: "AC passthru", 2: "Load sense", 3: "Fault", 4: "Disabled",
  ]

  static let batteryTypes: [UInt32: String] = [0: "Flooded", 1: "Gel", 2: "AGM"]

  static let batteryVoltages: [UInt32: String] = [
    0: "6V", 1: "12V", 2: "24V", 3: "32V", 4: "36V", 5: "42V", 6: "48V",
  ]

  static let batteryChemistries: [UInt32: String] = [0: "Pb (Lead)", 1: "Li", 2: "NiCd", 3: "ZnO", 4: "NiMH"]
}
