import BMSCore
import BatterySimulator
import MonotonicTime
import TOMLReading

// What hangs on the bank: [[charger]], [[alternator]], [[load]], [[inverter]], [[distributor]].

extension Scenario {
  mutating func readParts(_ top: TOMLSection) {
    for section in top.sections("charger") { readCharger(section) }
    for section in top.sections("alternator") { readAlternator(section) }
    for section in top.sections("load") { readLoad(section) }
    for section in top.sections("inverter") { readInverter(section) }
    for section in top.sections("distributor") {
      let letters = ["A", "B", "C", "D"]
      if !section.has("letter") { section.report("letter", "is missing: \"A\", \"B\", \"C\" or \"D\"") }
      if let letter = section.choice("letter", letters), let address = letters.firstIndex(of: letter) {
        if scope.distributors.contains(UInt8(address)) {
          section.report(
            "letter", "\(letter) is there already; for two on one address use the fault distributor_duplicate")
        }
        scope.distributors.append(UInt8(address))
      }
      section.finish()
    }
    if scope.distributors.isEmpty { top.ask("distributor") }
  }

  private func name(_ section: TOMLSection, _ kind: String, _ names: [String]) -> String {
    let name = section.string("name") ?? "\(kind)\(names.count + 1)"
    let isPlain = name.utf8.allSatisfy { byte in
      (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F || byte == 0x2D
    }
    if !isPlain || name.isEmpty || name.first?.isLetter != true {
      section.report("name", "\"\(name)\": a name has small letters, digits, _ and -, and begins with a letter")
    } else if names.contains(name) {
      section.report("name", "there are two with the name \"\(name)\"")
    }
    return name
  }

  private var factor: Double { settings.bankFactor }

  private func side(_ section: TOMLSection) -> Side {
    section.choice("side", ["system", "battery"]) == "battery" ? .battery : .system
  }

  private mutating func readCharger(_ section: TOMLSection) {
    let index = chargers.count
    let name = name(section, "charger", scope.chargers)
    var charger = Charger(rating: section.required("rating_a", 0...5000) ?? 50)
    charger.side = side(section)
    charger.obeys = section.bool("obeys") ?? true
    charger.ownVoltage = section.number("own_voltage_v", 0...75) ?? 14.2 * factor
    if let value = section.number("loop_s", 0...600) { charger.loop = value }
    if let value = section.number("ramp_a_per_s", 0.01...10_000) { charger.ramp = value }
    if let value = section.number("forgets_after_s", 0...86_400) { charger.forgetsAfter = value }
    let isOn = section.bool("on") ?? true
    charger.availability = isOn ? 1 : 0
    if let table = section.section("sun") {
      var sun = Sun(seed: seed &+ UInt64(index))
      sun.rises = clockTime(table, "rises").map(\.hours) ?? 6
      sun.sets = clockTime(table, "sets").map(\.hours) ?? 18
      if sun.sets <= sun.rises { table.report("sets", "is not after rises") }
      sun.cloudiness = (table.number("cloudiness_percent", 0...100) ?? 0) / 100
      if let value = table.number("under_cloud_percent", 0...100) { sun.underCloud = value / 100 }
      table.finish()
      charger.availability = 0
      suns.append(ScenarioSun(charger: index, sun: sun))
    }
    readProfile(section, "power_percent_daily", 0...100) { percent in
      { loop in
        guard loop.plant.chargers.indices.contains(index) else { return nil }
        loop.plant.chargers[index].availability = percent / 100
        loop.excite()
        return nil
      }
    }
    if section.has("sun"), section.has("power_percent_daily") {
      section.report("power_percent_daily", "goes without [charger.sun] only: both decide what there is")
    }
    chargers.append(charger)
    scope.chargers.append(name)
    section.finish()
  }

  private func clockTime(_ section: TOMLSection, _ key: String) -> TimeSpan? {
    guard let words = section.string(key) else { return nil }
    guard let time = parseClock(words) else {
      section.report(key, "\"\(words)\" is no time of day, as \"06:30\"")
      return nil
    }
    return time
  }

  /// A list of times of day with a value that holds from then on, every day.
  private mutating func readProfile(
    _ section: TOMLSection, _ key: String, _ range: ClosedRange<Double>,
    _ effect: (Double) -> FaultKind.Effect
  ) {
    guard let pairs = section.pairs(key) else { return }
    var points: [(time: TimeSpan, value: Double)] = []
    for (words, value) in pairs {
      guard let time = parseClock(words) else {
        section.report(key, "\"\(words)\" is no time of day, as \"06:30\"")
        continue
      }
      guard range.contains(value) else {
        let (low, high) = (range.lowerBound.text(upTo: 3), range.upperBound.text(upTo: 3))
        section.report(key, "\(value.text(upTo: 3)) is out of range: \(low) to \(high)")
        continue
      }
      points.append((time, value))
    }
    points.sort { $0.time < $1.time }
    guard let last = points.last else { return }
    // What holds at the beginning: the last step before it, or the one of the evening before.
    let first = points.last { $0.time <= clock.start } ?? last
    events.append(TimedEvent(at: .zero, text: "", isQuiet: true, effect: effect(first.value)))
    var day = TimeSpan.zero - clock.start
    while day <= clock.duration {
      for point in points where day + point.time > .zero && day + point.time <= clock.duration {
        events.append(TimedEvent(at: day + point.time, text: "", isQuiet: true, effect: effect(point.value)))
      }
      day += .days(1)
    }
  }

  private mutating func readAlternator(_ section: TOMLSection) {
    let index = alternators.count
    let name = name(section, "alternator", scope.alternators)
    var alternator = Alternator(
      rating: section.required("rating_a", 0...5000) ?? 100, nominalVoltage: settings[.nominalVoltage])
    if let value = section.number("speed_percent", 0...100) { alternator.speed = value / 100 }
    if let value = section.number("regulated_voltage_v", 0...75) { alternator.regulatedVoltage = value }
    if let value = section.number("clamp_voltage_v", 1...200) { alternator.clampVoltage = value }
    if let value = section.number("field_time_s", 0.001...60) { alternator.fieldTime = value }
    if let enable = section.choice("enable", ["atc", "relay", "none"]) {
      alternator.hasEnableInput = enable != "none"
      if enable != "none" { alternatorEnable = enable == "relay" ? .relay : .atc }
    }
    readProfile(section, "speed_percent_daily", 0...100) { percent in
      { loop in
        guard loop.plant.alternators.indices.contains(index) else { return nil }
        loop.plant.alternators[index].speed = percent / 100
        loop.excite()
        return nil
      }
    }
    alternators.append(alternator)
    scope.alternators.append(name)
    section.finish()
  }

  private mutating func readLoad(_ section: TOMLSection) {
    let index = loads.count
    let name = name(section, "load", scope.loads)
    let kinds = ["power_w", "current_a", "resistance_ohm"].filter { section.has($0) }
    let daily = ["power_w_daily", "current_a_daily"].filter { section.has($0) }
    for key in ["power_w", "current_a", "resistance_ohm", "power_w_daily", "current_a_daily"] { section.ask(key) }
    if kinds.count + daily.count != 1 {
      section.report("takes exactly one of power_w, current_a, resistance_ohm, power_w_daily, current_a_daily")
    }
    var load = Load(.power(0))
    if let value = section.number("power_w", 0...200_000) { load.demand = .power(value) }
    if let value = section.number("current_a", 0...5000) { load.demand = .current(value) }
    if let value = section.number("resistance_ohm", 0.001...1_000_000) { load.demand = .resistance(value) }
    load.side = side(section)
    load.isOn = section.bool("on") ?? true
    load.obeysContact = section.bool("obeys_atd") ?? true
    // What takes constant power is electronics, which stops when its supply is low; without that it would pull a dead
    // bus down for ever.
    if section.has("power_w") || section.has("power_w_daily") { load.lockoutVoltage = 9.3 * factor }
    if let value = section.number("lockout_v", 0...75) { load.lockoutVoltage = value }
    func profile(_ key: String, _ range: ClosedRange<Double>, _ kind: @escaping @Sendable (Double) -> Load.Kind) {
      readProfile(section, key, range) { value in
        { loop in
          guard loop.plant.loads.indices.contains(index) else { return nil }
          loop.plant.loads[index].demand = kind(value)
          loop.excite()
          return nil
        }
      }
    }
    profile("power_w_daily", 0...200_000) { .power($0) }
    profile("current_a_daily", 0...5000) { .current($0) }
    loads.append(load)
    scope.loads.append(name)
    section.finish()
  }

  private mutating func readInverter(_ section: TOMLSection) {
    let index = inverters.count
    let name = name(section, "inverter", scope.inverters)
    var inverter = Inverter(
      rating: section.number("rating_w", 1...200_000) ?? 3000, nominalVoltage: settings[.nominalVoltage])
    if let value = section.number("power_w", 0...200_000) { inverter.demand = value }
    if let value = section.number("loop_s", 0...600) { inverter.loop = value }
    if let value = section.number("ramp_s", 0...600) { inverter.ramp = value }
    if let value = section.number("forgets_after_s", 0...86_400) { inverter.forgetsAfter = value }
    if let value = section.number("lockout_v", 0...75) { inverter.lockoutVoltage = value }
    if let value = section.bool("obeys_dcl") { inverter.obeys = value }
    readProfile(section, "power_w_daily", 0...200_000) { watts in
      { loop in
        guard loop.plant.inverters.indices.contains(index) else { return nil }
        loop.plant.inverters[index].demand = watts
        loop.excite()
        return nil
      }
    }
    inverters.append(inverter)
    scope.inverters.append(name)
    section.finish()
  }
}
