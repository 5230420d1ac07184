import BMSCore
import BatterySimulator
import MonotonicTime

// What a condition can speak of: numbers with a unit, words, alarms. One table each; the documentation in
// Tests/Scenarios/README.md lists the same rows, and a test compares them.

/// A number that can be watched; nil is "not known", which is never zero.
struct Quantity: Sendable {
  let name: String
  let unit: String
  let meaning: String
  let places: Int
  let value: @Sendable (ClosedLoop) -> Double?

  init(
    _ name: String, _ unit: String, _ meaning: String, places: Int = 2,
    _ value: @escaping @Sendable (ClosedLoop) -> Double?
  ) {
    self.name = name
    self.unit = unit
    self.meaning = meaning
    self.places = places
    self.value = value
  }

  /// "3.76 V".
  func text(_ loop: ClosedLoop) -> String { text(value(loop)) }

  func text(_ value: Double?) -> String {
    guard let value else { return "not known" }
    return value.text(upTo: places) + (unit.isEmpty ? "" : " \(unit)")
  }
}

/// A state with a name for each of its values.
struct WordQuantity: Sendable {
  let name: String
  let meaning: String
  let words: [String]
  /// Which word it is.
  let value: @Sendable (ClosedLoop) -> Int

  init(_ name: String, _ meaning: String, _ words: [String], _ value: @escaping @Sendable (ClosedLoop) -> Int) {
    self.name = name
    self.meaning = meaning
    self.words = words
    self.value = value
  }

  func text(_ loop: ClosedLoop) -> String {
    let index = value(loop)
    return words.indices.contains(index) ? words[index] : "unknown"
  }
}

extension Quantity {
  /// What the BMS says.
  static let said: [Quantity] = [
    Quantity("voltage", "V", "battery voltage as the BMS shows it") { $0.outputs.voltage },
    Quantity("current", "A", "battery current as the BMS shows it, charge positive") { $0.outputs.current },
    Quantity("power", "W", "their product, charge positive", places: 1) { $0.outputs.power },
    Quantity("soc", "%", "state of charge that the BMS counts") { $0.outputs.stateOfCharge },
    Quantity("consumed", "Ah", "since the last full charge, 0 or negative") { $0.outputs.consumed },
    Quantity("time_to_go", "s", "until the discharge floor; not known while charging", places: 0) {
      $0.outputs.timeToGo?.seconds
    },
    Quantity("cell_low", "V", "the lowest cell as the BMS sees it", places: 3) { $0.outputs.lowestCell?.value },
    Quantity("cell_high", "V", "the highest cell as the BMS sees it", places: 3) { $0.outputs.highestCell?.value },
    Quantity("cell_spread", "V", "cell_high less cell_low", places: 3) { loop in
      loop.outputs.highestCell.flatMap { high in loop.outputs.lowestCell.map { high.value - $0.value } }
    },
    Quantity("temperature", "°C", "battery temperature as the BMS shows it", places: 1) { $0.outputs.temperature },
    Quantity("temperature_low", "°C", "the lowest of all batteries", places: 1) {
      $0.outputs.lowestTemperature?.value
    },
    Quantity("temperature_high", "°C", "the highest of all batteries", places: 1) {
      $0.outputs.highestTemperature?.value
    },
    Quantity("cvl", "V", "charge voltage limit; not known where there is none") { $0.outputs.limits.chargeVoltage },
    Quantity("ccl", "A", "charge current limit; not known where there is none") {
      $0.outputs.limits.isAvailable ? $0.outputs.limits.chargeCurrent : nil
    },
    Quantity("dcl", "A", "discharge current limit; not known where there is none") {
      $0.outputs.limits.isAvailable ? $0.outputs.limits.dischargeCurrent : nil
    },
    Quantity("low_voltage_limit", "V", "where loads are to stop, as told to a GX") { $0.outputs.limits.lowVoltage },
    Quantity("off_in", "s", "until an empty battery switches itself off; not known while nothing runs", places: 1) {
      $0.outputs.offIn?.seconds
    },
    Quantity("alarms", "", "how many alarms, warnings and errors are active", places: 0) {
      Double($0.outputs.alarms.count)
    },
  ]

  /// What the history says (what the BMS counted since the beginning or the last `clear_history`).
  static let history: [Quantity] = [
    Quantity("charge_cycles", "", "history: below 65 % and then above 90 %", places: 0) {
      Double($0.bms.history.chargeCycles)
    },
    Quantity("full_discharges", "", "history: below 5 %", places: 0) { Double($0.bms.history.fullDischarges) },
    Quantity("synchronisations", "", "history: synchronisations from below 90 %", places: 0) {
      Double($0.bms.history.synchronisations)
    },
    Quantity("drawn", "Ah", "history: drawn from the battery, 0 or positive") { $0.bms.history.drawnAmpereHours },
    Quantity("deepest_discharge", "Ah", "history: 0 or negative") { $0.bms.history.deepestDischarge },
    Quantity("charged_energy", "kWh", "history", places: 3) { $0.bms.history.chargedEnergy },
    Quantity("discharged_energy", "kWh", "history", places: 3) { $0.bms.history.dischargedEnergy },
    Quantity("lowest_voltage", "V", "history: battery voltage while running") { $0.bms.history.lowestVoltage },
    Quantity("highest_voltage", "V", "history: battery voltage while running") { $0.bms.history.highestVoltage },
    Quantity("error_shutdowns", "", "history: how often an error ended running", places: 0) {
      Double($0.bms.history.errorShutdowns)
    },
  ]

  /// What is so, whatever sensors say.
  static let truth: [Quantity] = [
    Quantity("true_soc", "%", "mean charge of the cells") { $0.plant.bank.stateOfCharge * 100 },
    Quantity("true_voltage", "V", "before the contactor", places: 3) { $0.plant.batteryVoltage },
    Quantity("system_voltage", "V", "behind the contactor", places: 3) { $0.plant.systemVoltage },
    Quantity("contact_drop", "V", "true_voltage less system_voltage", places: 3) {
      $0.plant.batteryVoltage - $0.plant.systemVoltage
    },
    Quantity("bus_peak", "V", "the highest voltage behind the contactor since the beginning or the last event") {
      $0.plant.highestSystemVoltage
    },
    Quantity("true_current", "A", "through the shunt, charge positive") { $0.plant.current },
    Quantity("true_cell_low", "V", "the lowest cell", places: 3) { $0.extremeCells.low },
    Quantity("true_cell_high", "V", "the highest cell", places: 3) { $0.extremeCells.high },
    Quantity("true_temperature", "°C", "of the first battery", places: 1) { $0.plant.battery(0)?.celsius },
    Quantity("charger_current", "A", "all chargers together") { loop in
      loop.plant.chargers.reduce(0) { $0 + $1.current }
    },
    Quantity("alternator_current", "A", "all alternators together") { loop in
      loop.plant.alternators.reduce(0) { $0 + $1.current }
    },
    Quantity("load_current", "A", "all loads and inverters together, without the BMS's own") { loop in
      loop.plant.loads.dropLast(2).reduce(0) { $0 + $1.current }
        + loop.plant.inverters.reduce(0) { $0 + $1.current }
    },
    Quantity("precharge_energy", "J", "into the pre-charge resistor since it was switched on last", places: 1) {
      $0.plant.precharge.energy
    },
    Quantity("precharge_warmth", "K", "the pre-charge resistor above the air", places: 1) { $0.plant.precharge.warmth },
    Quantity("balancing", "", "how many batteries balance now", places: 0) { loop in
      Double(loop.plant.bank.strings.reduce(0) { $0 + $1.batteries.count { $0.balancer.isActive } })
    },
    Quantity("broken_current", "A", "through the first contactor when it opened last, charge positive") {
      $0.plant.contactors.first.map { -$0.lastBrokenCurrent }
    },
    Quantity("damaged_cells", "", "cells that were ever below 2.0 V", places: 0) { loop in
      Double(
        loop.plant.bank.strings.reduce(0) { sum, string in
          sum + string.batteries.reduce(0) { $0 + $1.damagedCells }
        })
    },
  ]

  static let all = said + history + truth
}

extension ClosedLoop {
  /// The lowest and the highest true cell voltage.
  fileprivate var extremeCells: (low: Double, high: Double) {
    var (low, high) = (Double.infinity, -Double.infinity)
    for string in plant.bank.strings {
      for battery in string.batteries {
        for cell in 0..<battery.cellCount {
          let volts = battery.voltage(ofCell: cell, at: string.current)
          low = min(low, volts)
          high = max(high, volts)
        }
      }
    }
    return (low, high)
  }
}

extension WordQuantity {
  static let all: [WordQuantity] = [
    of("mode", "the BMS's mode", [Mode.on, .standby, .off]) { $0.outputs.mode },
    of("state", "the BMS's state (R63)", every(State.init(rawValue:))) { $0.outputs.state },
    orNone("off_cause", "why the BMS is off", OffCause.allCases) { $0.outputs.offCause },
    pair("atc", "the ATC contact: charging is allowed while it is closed", "open", "closed") {
      $0.commands.allowsCharge
    },
    pair("atd", "the ATD contact: loads are allowed while it is closed", "open", "closed") {
      $0.commands.allowsDischarge
    },
    pair("contactor", "the main contacts, truly; with two, whether any is closed", "open", "closed") { loop in
      loop.plant.contactors.contains { $0.isClosed }
    },
    pair("contactor_command", "what the BMS commands", "open", "close") { $0.commands.closesContactor },
    pair("precharge", "the pre-charge switch", "off", "on") { $0.commands.closesPrecharge },
    of("phase", "where the contactor sequence stands", every(ContactorPhase.init(rawValue:))) {
      $0.outputs.contactorPhase
    },
    orNone(
      "contactor_fault", "what went wrong with contactor or pre-charge", every(BMSCore.ContactorFault.init(rawValue:))
    ) {
      $0.outputs.contactorFault
    },
    of("charge_phase", "the charge algorithm's phase", every(ChargePhase.init(rawValue:))) {
      $0.outputs.chargePhase
    },
    of("low_cell_level", "the low cell alarm as a GX shows it (R103)", every(LowCellLevel.init(rawValue:))) {
      $0.outputs.lowCellLevel
    },
    pair("relay", "the programmable relay", "inactive", "active") { $0.outputs.relayActive },
    pair("aux", "the AUX output", "off", "on") { $0.isRunning && $0.outputs.auxiliary },
    pair("bus", "whether the BMS speaks on VE.Can", "silent", "alive") { $0.commands.areFresh },
    pair("bms", "the program", "stopped", "running") { $0.isRunning },
    pair("soc_trust", "whether the state of charge was ever synchronised or set", "untrusted", "trusted") {
      $0.outputs.isStateOfChargeTrusted
    },
    of("charge_reason", "the rule why charging is allowed or not", every(Rule.init(rawValue:))) {
      $0.outputs.chargeReason.rule
    },
    of("discharge_reason", "the rule why discharging is allowed or not", every(Rule.init(rawValue:))) {
      $0.outputs.dischargeReason.rule
    },
    of("cvl_reason", "the rule that made the CVL", every(Rule.init(rawValue:))) { $0.outputs.chargeVoltageReason.rule },
    of("ccl_reason", "the rule that made the CCL", every(Rule.init(rawValue:))) { $0.outputs.chargeCurrentReason.rule },
    of("dcl_reason", "the rule that made the DCL", every(Rule.init(rawValue:))) {
      $0.outputs.dischargeCurrentReason.rule
    },
    WordQuantity("led", "the status LED; red_3 is three blinks in red every 4 s", ledWords) { loop in
      ledWords.firstIndex(of: ledWord(loop.outputs.statusPattern)) ?? -1
    },
  ]

  static let ledWords =
    ["off", "orange", "orange_blinking", "green", "green_blinking", "green_flash", "alternating"]
    + (1...14).map { "red_\($0)" }

  static func ledWord(_ pattern: StatusPattern) -> String {
    if case .red(let blinks) = pattern { return "red_\(blinks)" }
    return snakeCase("\(pattern)")
  }

  /// Every value of an enumeration by number.
  static func every<Value>(_ make: (UInt8) -> Value?) -> [Value] { (UInt8.min...UInt8.max).compactMap(make) }

  private static func pair(
    _ name: String, _ meaning: String, _ no: String, _ yes: String, _ value: @escaping @Sendable (ClosedLoop) -> Bool
  ) -> WordQuantity {
    WordQuantity(name, meaning, [no, yes]) { value($0) ? 1 : 0 }
  }

  private static func of<Value: Equatable & Sendable>(
    _ name: String, _ meaning: String, _ values: [Value], _ value: @escaping @Sendable (ClosedLoop) -> Value
  ) -> WordQuantity {
    WordQuantity(name, meaning, values.map { snakeCase("\($0)") }) { loop in
      let now = value(loop)
      return values.firstIndex(of: now) ?? -1
    }
  }

  private static func orNone<Value: Equatable & Sendable>(
    _ name: String, _ meaning: String, _ values: [Value], _ value: @escaping @Sendable (ClosedLoop) -> Value?
  ) -> WordQuantity {
    WordQuantity(name, meaning, ["none"] + values.map { snakeCase("\($0)") }) { loop in
      guard let now = value(loop) else { return 0 }
      return (values.firstIndex(of: now) ?? -2) + 1
    }
  }
}

extension Alarm {
  /// The name in a scenario: `low_cell`.
  var word: String { snakeCase("\(self)") }
}

/// "lowCell" as "low_cell", "fuse12" as "fuse_12".
func snakeCase(_ name: String) -> String {
  var result = ""
  var wasDigit = false
  for character in name {
    if character.isUppercase || (character.isNumber && !wasDigit && !result.isEmpty) { result += "_" }
    wasDigit = character.isNumber
    result += character.lowercased()
  }
  return result
}
