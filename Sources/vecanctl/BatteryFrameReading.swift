import CANBus
import CANBusBMS
import NMEA2000

/// An 11-bit frame of a battery, in names and values (dvcc-dbus.md section A).
struct BatteryFrameReading {
  /// A value under its name, for people and for JSON.
  struct Value: Equatable {
    var name: String
    var text: String
    var json: String
  }

  /// What the frame is.
  let name: String
  /// What it says.
  let values: [Value]
  /// How many conditions are watched and fine: people are told the others.
  private var fineCount = 0

  /// Reads a frame; nil for one that is not of these, and for one too short for its values.
  init?(_ frame: CANDataFrame) {
    if frame.identifier == BatteryFrameID.keepAlive {
      // Some send eight zeros, some nothing: that it comes is all it says.
      self.init("Keep-alive of GX or inverter", [])
    } else if let limits = LimitsFrame(frame) {
      self.init(
        "Battery limits",
        [
          .number("CVL", limits.chargeVoltage, 1, "V"), .number("CCL", limits.chargeCurrent, 1, "A"),
          .number("DCL", limits.dischargeCurrent, 1, "A"),
          .number("Discharge voltage", limits.dischargeVoltage, 1, "V"),
        ])
    } else if let charge = StateOfChargeFrame(frame) {
      var values: [Value] = [.number("State of charge", charge.stateOfCharge, 2, "%")]
      if let health = charge.stateOfHealth { values.append(.number("State of health", health, 0, "%")) }
      self.init("Battery state of charge", values)
    } else if let measured = MeasurementsFrame(frame) {
      var values: [Value] = [
        .number("Voltage", measured.voltage, 2, "V"), .number("Current", measured.current, 1, "A"),
      ]
      if let temperature = measured.temperature { values.append(.number("Temperature", temperature, 1, "°C")) }
      self.init("Battery measurements", values)
    } else if let alarms = AlarmsFrame(frame) {
      let supported = AlarmsFrame.Condition.allCases.filter { alarms[$0] != .unsupported }
      self.init("Battery alarms", supported.map { .word($0.name, "\(alarms[$0])") })
      fineCount = supported.count { alarms[$0] == .fine }
    } else if let maker = ManufacturerFrame(frame) {
      self.init("Battery manufacturer", [.word("Name", maker.name)])
    } else if let product = ProductFrame(frame) {
      self.init(
        "Battery product",
        [
          .number("Product", Double(product.product), 0, ""),
          .word("Version", "\(product.version.major).\(product.version.minor)"),
          .number("Capacity", product.capacity, 0, "Ah"),
        ])
    } else {
      return nil
    }
  }

  private static let fine = "\(AlarmsFrame.Level.fine)"

  private init(_ name: String, _ values: [Value]) {
    self.name = name
    self.values = values
  }

  /// Name and values in one line.
  var text: String {
    var parts = values.filter { fineCount == 0 || $0.text != Self.fine }.map { "\($0.name): \($0.text)" }
    if fineCount > 0 { parts.append("\(parts.isEmpty ? "all" : "the other") \(fineCount) fine") }
    return parts.isEmpty ? name : name + ": " + parts.joined(separator: ", ")
  }
}

extension BatteryFrameReading.Value {
  static func number(_ name: String, _ value: Double, _ decimals: UInt8, _ unit: String) -> Self {
    let format = NumberFormat(signed: true, decimals: decimals)
    let digits = format.text(steps: format.steps(value: value) ?? 0)
    return Self(name: name, text: unit.isEmpty ? digits : "\(digits) \(unit)", json: digits)
  }

  static func word(_ name: String, _ value: String) -> Self {
    Self(name: name, text: value, json: JSONObject.quoted(value))
  }
}
