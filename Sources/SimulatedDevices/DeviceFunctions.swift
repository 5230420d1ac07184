/// Device class and functions (nmea2000.md, NAME).
enum DeviceFunctions {
  /// Class electrical generation.
  static let generation: UInt8 = 35
  static let battery: UInt8 = 170
  static let charger: UInt8 = 160
  static let inverterCharger: UInt8 = 161
  static let inverter: UInt8 = 162
  /// Class electrical distribution.
  static let distribution: UInt8 = 30
  static let loadController: UInt8 = 140
  /// Class display; a GX is its function 120 (vecan.md section 3.2).
  static let gxClass: UInt8 = 130
  static let gxFunction: UInt8 = 120
}
