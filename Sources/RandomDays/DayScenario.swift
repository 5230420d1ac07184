import BMSCore
import BatterySimulator

// Writes a day as a scenario file (Tests/Scenarios/README.md), so that `vecanctl simulate --offline --scenario FILE` runs
// the same day to the bit, and a person can read what it takes.

extension DayPlan {
  /// The day as a scenario file.
  ///
  /// - Parameter story: What the file is about.
  public func scenario(story: String) -> String {
    var text = "title = \"Random day \(seed)\"\nstory = \"\(story.filter { $0 != "\"" && $0 != "\\" })\"\n"
    text += "seed = \(seed)\nduration = \"\(seconds) s\"\n\n[bank]\n"
    text += "cells_in_series = \(cellsInSeries)\ncells_per_battery = \(cellsPerBattery)\nstrings = \(strings)\n"
    text += "capacity_ah = \(capacity)\nsoc_percent = \(stateOfCharge)\ntemperature_c = \(celsius)\n"
    text += "capacity_spread_percent = \(capacitySpread)\nsoc_spread_percent = \(chargeSpread)\n"
    text += "resistance_spread_percent = \(resistanceSpread)\n\n[bms]\ncontactors = \(contactors)\n"
    text += "bus_capacitance_mf = \(busCapacitance)\n"
    if !isEachCellTold { text += "cells = \"extremes\"\n" }
    if !hasFeedback { text += "contactor_feedback = false\n" }
    if !hasTemperatures { text += "temperatures = false\n" }
    if hasRemote { text += "remote = \"closed\"\n" }
    if isFirstStart { text += "memory = \"none\"\n" }
    if !settings.isEmpty {
      text += "\n[settings]\n"
      for planned in settings { text += "\(planned.line)\n" }
    }
    for (index, rating) in chargers.enumerated() {
      text += "\n[[charger]]\nname = \"charger\(index + 1)\"\nrating_a = \(rating)\n"
    }
    let isOnRelay = initialSettings[.relayAlternator] != 0
    for (index, alternator) in alternators.enumerated() {
      text += "\n[[alternator]]\nname = \"alternator\(index + 1)\"\nrating_a = \(alternator.rating)\n"
      text += "enable = \"\(alternator.obeys ? isOnRelay ? "relay" : "atc" : "none")\"\n"
    }
    for (index, load) in loads.enumerated() {
      text += "\n[[load]]\nname = \"load\(index + 1)\"\npower_w = \(load.power)\nlockout_v = 0\non = false\n"
      if !load.obeys { text += "obeys_atd = false\n" }
    }
    for (index, rating) in inverters.enumerated() {
      text += "\n[[inverter]]\nname = \"inverter\(index + 1)\"\nrating_w = \(rating)\n"
    }
    for index in 0..<distributors { text += "\n[[distributor]]\nletter = \"\(letter(index))\"\n" }
    for event in events {
      text += "\n[[event]]\nat = \"+\(event.at) s\"\n\(event.action.lines)\n"
      if let lasting = event.lasting, event.action.hasEnd { text += "for = \"\(lasting) s\"\n" }
    }
    return text
  }
}

private func letter(_ index: Int) -> String { ["A", "B", "C", "D"][index & 3] }

extension PlannedSetting {
  /// A switch is true or false in a file.
  fileprivate var line: String {
    let row = setting.definition
    return row.choices == [0, 1] ? "\(row.key) = \(value != 0)" : "\(row.key) = \(value)"
  }
}

extension DayAction {
  fileprivate var hasEnd: Bool {
    switch self {
    case .fault, .outside, .remote, .restart: true
    default: false
    }
  }

  fileprivate var lines: String {
    switch self {
    case .fault(let fault): "do = \"fault\"\nfault = \"\(fault.word)\"" + fault.lines
    case .outside(let fault): "do = \"fault\"\nfault = \"\(fault.rawValue)\""
    case .mode(let mode, let requester): "do = \"mode\"\nto = \"\(mode)\"\nby = \"\(requester)\""
    case .remote(let state): "do = \"remote\"\nto = \"\(state)\""
    case .load(let index, let isOn): "do = \"load\"\nname = \"load\(index + 1)\"\non = \(isOn)"
    case .inverter(let index, let watts): "do = \"inverter\"\nname = \"inverter\(index + 1)\"\npower_w = \(watts)"
    case .charger(let index, let percent):
      "do = \"charger\"\nname = \"charger\(index + 1)\"\npower_percent = \(percent)"
    case .alternator(let index, let percent):
      "do = \"alternator\"\nname = \"alternator\(index + 1)\"\nspeed_percent = \(percent)"
    case .setting(let planned):
      "do = \"settings\"\nchange = { \(planned.line) }"
    case .stateOfCharge(let percent): "do = \"soc\"\npercent = \(percent)"
    case .synchronise: "do = \"synchronise\""
    case .restart(let areOutputsHeld, let isMemoryKept):
      "do = \"restart\"\noutputs = \"\(areOutputsHeld ? "held" : "off")\"\nmemory = \"\(isMemoryKept ? "kept" : "lost")\""
    case .bmsTemperature(let celsius): "do = \"bms_temperature\"\nc = \(celsius)"
    }
  }
}

extension Fault {
  fileprivate var lines: String {
    func place(_ battery: Int, _ cell: Int) -> String { "\nbattery = \(battery + 1)\ncell = \(cell + 1)" }
    switch self {
    case .cellCharge(let battery, let cell, let charge): return place(battery, cell) + "\nah = \(charge)"
    case .cellShort(let battery, let cell, let amperes): return place(battery, cell) + "\na = \(amperes)"
    case .chargerRunaway(let charger, let volts): return "\ncharger = \"charger\(charger + 1)\"\nv = \(volts)"
    case .temperature(let battery, let celsius): return "\nbattery = \(battery + 1)\nc = \(celsius)"
    case .ambient(let celsius): return "\nc = \(celsius)"
    case .surgeCharge(let amperes), .surgeDischarge(let amperes), .bypassLoad(let amperes): return "\na = \(amperes)"
    case .sensorLost(let sensor), .sensorFrozen(let sensor): return "\nsensor = \"\(sensor.word)\""
    case .sensorOffset(let sensor, let offset): return "\nsensor = \"\(sensor.word)\"\nby = \(offset)"
    case .contactor(let index, .highResistance(let ohms)):
      return "\ncontactor = \(index + 1)\nmilliohm = \(ohms * 1000)"
    case .contactor(let index, .feedbackStuck(let isClosed)):
      return "\ncontactor = \(index + 1)\nsays = \"\(isClosed ? "closed" : "open")\""
    case .contactor(let index, _): return "\ncontactor = \(index + 1)"
    case .busResistance(let ohms): return "\nohm = \(ohms)"
    case .stringFuse(let string): return "\nstring = \(string + 1)"
    case .fuse(let distributor, let fuse): return "\ndistributor = \"\(letter(distributor))\"\nfuse = \(fuse + 1)"
    case .distributorSilent(let distributor): return "\ndistributor = \"\(letter(distributor))\""
    case .prechargeOpen, .busSilent, .commandsLost, .duplicateAddress, .clockJump, .stateCorrupt, .diskFull,
      .processKilled, .memberLost:
      return ""
    }
  }
}

extension Sensor {
  fileprivate var word: String {
    switch self {
    case .current: "current"
    case .batteryVoltage: "battery_voltage"
    case .systemVoltage: "system_voltage"
    case .cell(let battery, let cell): "cell.\(battery + 1).\(cell + 1)"
    case .temperature(let battery): "temperature.\(battery + 1)"
    }
  }
}
