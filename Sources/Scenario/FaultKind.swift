import BMSCore
import BatterySimulator
import MonotonicTime
import TOMLReading

// The faults by name, each with its parameters. The documentation lists the same rows; a test compares them.

/// A fault that a scenario can begin and end.
struct FaultKind: Sendable {
  /// Something that it needs to know.
  struct Parameter: Sendable {
    let key: String
    let meaning: String
    /// What it is when it is not given; nil is required.
    var standard: String?
  }

  let name: String
  let meaning: String
  let parameters: [Parameter]
  /// Makes the two actions; nil after a problem was reported.
  let make: @Sendable (TOMLSection, ConditionScope) -> (begin: Effect, end: Effect)?

  /// What an action does to the loop; it returns why it was refused.
  typealias Effect = @Sendable (inout ClosedLoop) -> String?

  init(
    _ name: String, _ meaning: String, _ parameters: [Parameter] = [],
    _ make: @escaping @Sendable (TOMLSection, ConditionScope) -> (begin: Effect, end: Effect)?
  ) {
    self.name = name
    self.meaning = meaning
    self.parameters = parameters
    self.make = make
  }

  /// A fault of the plant.
  private static func plant(
    _ name: String, _ meaning: String, _ parameters: [Parameter] = [],
    _ fault: @escaping @Sendable (TOMLSection, ConditionScope) -> Fault?
  ) -> FaultKind {
    FaultKind(name, meaning, parameters) { section, scope in
      guard let fault = fault(section, scope) else { return nil }
      return (
        {
          $0.begin(fault)
          return nil
        },
        {
          $0.end(fault)
          return nil
        }
      )
    }
  }

  /// A fault that is a value of the loop.
  private static func flag(
    _ name: String, _ meaning: String, _ set: @escaping @Sendable (inout ClosedLoop, Bool) -> Void
  ) -> FaultKind {
    FaultKind(name, meaning) { _, _ in
      (
        { loop in
          set(&loop, true)
          loop.excite()
          return nil
        },
        { loop in
          set(&loop, false)
          loop.excite()
          return nil
        }
      )
    }
  }

  private static let battery = Parameter(key: "battery", meaning: "its number over all strings, from 1", standard: "1")
  private static let cell = Parameter(key: "cell", meaning: "its number in the battery, from 1", standard: "1")
  private static let amperes = Parameter(key: "a", meaning: "amperes, above 0")
  private static let contactor = Parameter(key: "contactor", meaning: "1 or 2", standard: "1")
  private static let sensor = Parameter(
    key: "sensor",
    meaning: "\"current\", \"battery_voltage\", \"system_voltage\", \"cell.BATTERY.CELL\" or \"temperature.BATTERY\"")
  private static let letter = Parameter(key: "distributor", meaning: "its letter, \"A\" to \"D\"")

  static let all: [FaultKind] = [
    plant(
      "cell_charge", "charge appears in one cell, or with a minus is gone from it; it happens once",
      [battery, cell, Parameter(key: "ah", meaning: "ampere-hours, -1000 to 1000")]
    ) { section, scope in
      guard let place = section.cellPlace(scope), let charge = section.required("ah", -1000...1000) else { return nil }
      return .cellCharge(battery: place.battery, cell: place.cell, ampereHours: charge)
    },
    plant("cell_short", "a short inside of one cell drains it", [battery, cell, amperes]) { section, scope in
      guard let place = section.cellPlace(scope), let amperes = section.required("a", 0...1000) else { return nil }
      return .cellShort(battery: place.battery, cell: place.cell, amperes: amperes)
    },
    plant(
      "charger_runaway", "a charger obeys nobody and charges to its own voltage",
      [
        Parameter(key: "charger", meaning: "its name"),
        Parameter(key: "v", meaning: "what it charges to, volts, 0 to 75"),
      ]
    ) { section, scope in
      guard let index = section.part("charger", scope.chargers), let volts = section.required("v", 0...75) else {
        return nil
      }
      return .chargerRunaway(charger: index, volts: volts)
    },
    plant(
      "battery_temperature", "a battery has this temperature at once; it happens once",
      [battery, Parameter(key: "c", meaning: "degrees Celsius, -50 to 120")]
    ) { section, scope in
      guard let battery = section.battery(scope), let celsius = section.required("c", -50...120) else { return nil }
      return .temperature(battery: battery, celsius: celsius)
    },
    plant(
      "ambient", "the air around all batteries; its end brings back what was",
      [Parameter(key: "c", meaning: "degrees Celsius, -50 to 80")]
    ) { section, _ in section.required("c", -50...80).map { .ambient(celsius: $0) } },
    plant("surge_charge", "a source on the system side that obeys nobody", [amperes]) { section, _ in
      section.required("a", 0...5000).map { .surgeCharge(amperes: $0) }
    },
    plant("surge_discharge", "a load on the system side that obeys nobody", [amperes]) { section, _ in
      section.required("a", 0...5000).map { .surgeDischarge(amperes: $0) }
    },
    plant("bypass_load", "a load at the battery that the shunt does not see", [amperes]) { section, _ in
      section.required("a", 0...5000).map { .bypassLoad(amperes: $0) }
    },
    plant("sensor_lost", "a sensor says nothing", [sensor]) { section, scope in
      section.sensor(scope).map { .sensorLost($0) }
    },
    plant("sensor_frozen", "a sensor repeats its last value", [sensor]) { section, scope in
      section.sensor(scope).map { .sensorFrozen($0) }
    },
    plant(
      "sensor_offset", "a sensor reads this much too much",
      [sensor, Parameter(key: "by", meaning: "in the sensor's unit: V, A or °C; -1000 to 1000")]
    ) { section, scope in
      guard let sensor = section.sensor(scope), let offset = section.required("by", -1000...1000) else { return nil }
      return .sensorOffset(sensor, by: offset)
    },
    plant("contactor_welded", "a contactor does not open any more", [contactor]) { section, _ in
      section.contactor.map { .contactor($0, .welded) }
    },
    plant("contactor_stuck_open", "a contactor does not close any more", [contactor]) { section, _ in
      section.contactor.map { .contactor($0, .stuckOpen) }
    },
    plant(
      "contactor_resistance", "burnt contacts",
      [contactor, Parameter(key: "milliohm", meaning: "of the closed contacts, 0.1 to 1000")]
    ) { section, _ in
      guard let index = section.contactor, let ohms = section.required("milliohm", 0.1...1000) else { return nil }
      return .contactor(index, .highResistance(ohms / 1000))
    },
    plant(
      "contactor_feedback_stuck", "a contactor's feedback always says the same",
      [contactor, Parameter(key: "says", meaning: "\"open\" or \"closed\"")]
    ) { section, _ in
      guard let index = section.contactor, let says = section.choice("says", ["open", "closed"]) else { return nil }
      return .contactor(index, .feedbackStuck(closed: says == "closed"))
    },
    plant("contactor_feedback_inverted", "a contactor's feedback says the opposite", [contactor]) { section, _ in
      section.contactor.map { .contactor($0, .feedbackInverted) }
    },
    plant("precharge_open", "the pre-charge resistor is broken") { _, _ in .prechargeOpen },
    plant(
      "bus_resistance",
      "a resistance across the load bus: 0.01 is a short circuit, 5 is too large a load to pre-charge",
      [Parameter(key: "ohm", meaning: "0.0001 to 100000")]
    ) { section, _ in section.required("ohm", 0.0001...100_000).map { .busResistance(ohms: $0) } },
    plant(
      "string_fuse", "the fuse of a string is blown", [Parameter(key: "string", meaning: "its number, from 1")]
    ) { section, scope in section.index("string", scope.strings).map { .stringFuse($0) } },
    plant(
      "fuse", "a fuse of a Distributor is blown",
      [letter, Parameter(key: "fuse", meaning: "its number on that Distributor, 1 to 4")]
    ) { section, scope in
      guard let index = section.distributor(scope), let fuse = section.index("fuse", 4) else { return nil }
      return .fuse(distributor: index, fuse: fuse)
    },
    plant("distributor_silent", "a Distributor does not answer", [letter]) { section, scope in
      section.distributor(scope).map { .distributorSilent($0) }
    },
    FaultKind("distributor_duplicate", "two Distributors answer to one address", [letter]) { section, scope in
      guard let index = section.distributor(scope) else { return nil }
      let address = Int(scope.distributors[index])
      return (
        { loop in
          loop.duplicateDistributors.insert(address)
          loop.excite()
          return nil
        },
        { loop in
          loop.duplicateDistributors.remove(address)
          loop.excite()
          return nil
        }
      )
    },
    plant("bus_silent", "VE.Can carries nothing: no measurement arrives, and chargers hear no limits") { _, _ in
      .busSilent
    },
    plant("commands_lost", "chargers and inverters hear no limits; contacts go on to work") { _, _ in .commandsLost },
    flag("busbar_hot", "a busbar is above 130 °C and its thermal switch open") { $0.hotBusbars.first = $1 },
    flag("settings_lost", "the stored settings are damaged") { $0.inputs.areSettingsLost = $1 },
    flag("calibration_lost", "the stored calibration is damaged") { $0.inputs.isCalibrationLost = $1 },
    flag("group_refuses", "the parallel group does not let this BMS join") { $0.inputs.mayJoin = !$1 },
    flag("leaving", "the program is told to leave (systemd stops it)") { $0.inputs.shutdown = $1 },
  ]

  /// The fault that a section names in `fault`; nil after a problem was reported.
  static func read(_ section: TOMLSection, _ scope: ConditionScope) -> (text: String, begin: Effect, end: Effect)? {
    guard let name = section.string("fault") else {
      if !section.has("fault") {
        section.report("fault", "is missing: one of \(all.map(\.name).joined(separator: ", "))")
      }
      return nil
    }
    guard let kind = all.first(where: { $0.name == name }) else {
      let guess = nearest(name, among: all.map(\.name)).map { " did you mean \($0)?" } ?? ""
      section.report("fault", "\"\(name)\" is no fault;\(guess) there are \(all.map(\.name).joined(separator: ", "))")
      return nil
    }
    for parameter in kind.parameters { section.ask(parameter.key) }
    guard let effects = kind.make(section, scope) else { return nil }
    let details = kind.parameters.compactMap { parameter -> String? in
      guard section.has(parameter.key) else { return parameter.standard.map { "\(parameter.key) \($0)" } }
      return "\(parameter.key) \(section.plain(parameter.key) ?? "")"
    }
    return (details.isEmpty ? name : "\(name) (\(details.joined(separator: ", ")))", effects.begin, effects.end)
  }
}

// MARK: Parameters

extension TOMLSection {
  /// A number within a range; a problem when it is outside, with the range.
  func number(_ key: String, _ range: ClosedRange<Double>) -> Double? {
    guard let value = number(key) else { return nil }
    guard range.contains(value) else {
      let (low, high) = (range.lowerBound.text(upTo: 4), range.upperBound.text(upTo: 4))
      report(key, "\(value.text(upTo: 4)) is out of range: \(low) to \(high)")
      return nil
    }
    return value
  }

  /// A number that must be there.
  func required(_ key: String, _ range: ClosedRange<Double>) -> Double? {
    if !has(key) {
      ask(key)
      report(
        key,
        "is missing: a number from \(range.lowerBound.text(upTo: 4)) to \(range.upperBound.text(upTo: 4))")
      return nil
    }
    return number(key, range)
  }

  /// One of a few words.
  func choice(_ key: String, _ words: [String]) -> String? {
    guard let word = string(key) else { return nil }
    guard words.contains(word) else {
      let guess = nearest(word, among: words).map { " did you mean \"\($0)\"?" } ?? ""
      let known = words.map { "\"\($0)\"" }.joined(separator: ", ")
      report(key, "\"\(word)\" is not accepted;\(guess) one of \(known)")
      return nil
    }
    return word
  }

  /// A number of a thing, told from 1, as an index from 0. Required.
  func index(_ key: String, _ count: Int) -> Int? {
    guard has(key) else {
      ask(key)
      report(key, "is missing: a number from 1 to \(count)")
      return nil
    }
    return integer(key, 1...max(count, 1)).map { $0 - 1 }
  }

  /// A part of the file by its name. Required.
  func part(_ key: String, _ names: [String]) -> Int? {
    let known = names.isEmpty ? "this file has none" : "one of " + names.joined(separator: ", ")
    guard has(key) else {
      ask(key)
      report(key, "is missing: \(known)")
      return nil
    }
    guard let name = string(key) else { return nil }
    guard let index = names.firstIndex(of: name) else {
      report(key, "\"\(name)\" is not there: \(known)")
      return nil
    }
    return index
  }

  fileprivate func battery(_ scope: ConditionScope) -> Int? {
    has("battery") ? index("battery", scope.cellsOfBatteries.count) : 0
  }

  fileprivate func cellPlace(_ scope: ConditionScope) -> (battery: Int, cell: Int)? {
    guard let battery = battery(scope) else { return nil }
    guard has("cell") else { return (battery, 0) }
    return index("cell", scope.cellsOfBatteries[battery]).map { (battery, $0) }
  }

  fileprivate var contactor: Int? { has("contactor") ? index("contactor", 2) : 0 }

  fileprivate func distributor(_ scope: ConditionScope) -> Int? {
    let letters = ["A", "B", "C", "D"]
    return part("distributor", scope.distributors.map { letters[Int($0 & 3)] })
  }

  fileprivate func sensor(_ scope: ConditionScope) -> Sensor? {
    guard has("sensor") else {
      ask("sensor")
      report(
        "sensor", "is missing: \"current\", \"battery_voltage\", \"system_voltage\", \"cell.1.1\", \"temperature.1\"")
      return nil
    }
    guard let name = string("sensor") else { return nil }
    let parts = name.split(separator: ".").map { String($0) }
    switch parts.first {
    case "current" where parts.count == 1: return .current
    case "battery_voltage" where parts.count == 1: return .batteryVoltage
    case "system_voltage" where parts.count == 1: return .systemVoltage
    case "temperature" where parts.count == 2:
      if let number = Int(parts[1]), 1...max(scope.cellsOfBatteries.count, 1) ~= number {
        return .temperature(battery: number - 1)
      }
    case "cell" where parts.count == 3:
      if let battery = Int(parts[1]), let cell = Int(parts[2]), scope.cellsOfBatteries.indices.contains(battery - 1),
        1...scope.cellsOfBatteries[battery - 1] ~= cell
      {
        return .cell(battery: battery - 1, cell: cell - 1)
      }
    default: break
    }
    report(
      "sensor",
      "\"\(name)\" is no sensor: \"current\", \"battery_voltage\", \"system_voltage\", \"cell.BATTERY.CELL\" with batteries 1 "
        + "to \(scope.cellsOfBatteries.count) and cells 1 to \(scope.cellsOfBatteries.first ?? 4), \"temperature.BATTERY\""
    )
    return nil
  }
}
