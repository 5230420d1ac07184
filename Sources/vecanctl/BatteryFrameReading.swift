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
          .word("Version", product.versionText),
          .number("Capacity", product.capacity, 0, "Ah"),
        ])
    } else if let slow = Self.slow(frame) {
      self = slow
    } else {
      return nil
    }
  }

  /// The frames that come each ten seconds: names, counts, extremes, energy.
  private static func slow(_ frame: CANDataFrame) -> Self? {
    if let modules = ModulesFrame(frame) {
      return Self(
        "Battery modules",
        [
          .number("Online", Double(modules.online), 0, ""),
          .number("Blocking charge", Double(modules.blockingCharge), 0, ""),
          .number("Blocking discharge", Double(modules.blockingDischarge), 0, ""),
          .number("Offline", Double(modules.offline), 0, ""),
        ])
    }
    if let cells = CellsFrame(frame) {
      var values: [Value] = [
        .number("Lowest", cells.lowestVoltage, 3, "V"), .number("Highest", cells.highestVoltage, 3, "V"),
      ]
      if let coldest = cells.lowestTemperature { values.append(.number("Coldest", coldest, 0, "°C")) }
      if let hottest = cells.highestTemperature { values.append(.number("Hottest", hottest, 0, "°C")) }
      return Self("Battery cells", values)
    }
    if let cell = CellNameFrame(frame) {
      let name =
        switch cell.extreme {
        case .lowestVoltage: "Battery cell of the lowest voltage"
        case .highestVoltage: "Battery cell of the highest voltage"
        case .lowestTemperature: "Battery cell of the lowest temperature"
        case .highestTemperature: "Battery cell of the highest temperature"
        }
      return Self(name, [.word("Name", cell.name)])
    }
    if let energy = EnergyFrame(frame) {
      return Self(
        "Battery energy",
        [.number("Charged", energy.charged, 1, "kWh"), .number("Discharged", energy.discharged, 1, "kWh")])
    }
    if let installed = InstalledCapacityFrame(frame) {
      return Self("Battery capacity installed", [.number("Capacity", installed.capacity, 0, "Ah")])
    }
    if let part = BatteryText.Part(frame) {
      let name =
        switch part.kind {
        case .name: part.index == 0 ? "Battery name" : "Battery name, second half"
        case .serial: part.index == 0 ? "Battery serial number" : "Battery serial number, second half"
        case .family: "Battery family"
        }
      return Self(name, [.word("Text", part.text)])
    }
    return nil
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
