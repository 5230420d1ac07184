import BMSCore
import BatterySimulator
import MonotonicTime
import TOMLReading

// [[event]]: when (at, daily, every, when) and what (do, with its own keys).

/// What an event can do; the documentation lists the same rows.
enum EventKind: String, CaseIterable, Sendable {
  case fault
  case endFault = "end_fault"
  case load
  case inverter
  case charger
  case alternator
  case mode
  case remote
  case settings
  case stateOfCharge = "soc"
  case synchronise
  case clearHistory = "clear_history"
  case restart
  case bmsTemperature = "bms_temperature"
  case note

  /// Whether it is done to the plant and not to the BMS.
  var isOfPlant: Bool {
    switch self {
    case .fault, .endFault, .load, .inverter, .charger, .alternator, .note: true
    case .mode, .remote, .settings, .stateOfCharge, .synchronise, .clearHistory, .restart, .bmsTemperature: false
    }
  }

  /// Whether `for` takes it back.
  var isReversible: Bool {
    switch self {
    case .fault, .load, .inverter, .charger, .alternator, .remote, .restart: true
    case .endFault, .mode, .settings, .stateOfCharge, .synchronise, .clearHistory, .bmsTemperature, .note: false
    }
  }
}

/// What an event does, and what takes it back.
private struct EventAction {
  var text: String
  var effect: FaultKind.Effect
  var endText = ""
  var end: FaultKind.Effect?
}

extension Scenario {
  mutating func readEvent(_ section: TOMLSection) {
    let times = readTimes(section)
    let length = section.span("for", .milliseconds(1)...(.days(4000)))
    if !section.has("do") {
      section.report("do", "is missing: one of \(EventKind.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let kind = section.choice("do", EventKind.allCases.map(\.rawValue)).flatMap(EventKind.init(rawValue:))
    let action = kind.flatMap { readAction($0, section) }
    if let kind, length != nil, !kind.isReversible {
      section.report("for", "do = \"\(kind.rawValue)\" has no end; leave it out")
    }
    if length == nil, kind == .restart { section.report("for", "is missing: how long the BMS is not running") }
    if let trigger = section.condition("when", scope) {
      let delay = section.span("delay", .zero...(.days(4000))) ?? .zero
      let isRepeated = section.bool("each") ?? false
      if let action {
        var actions = [(after: delay, text: action.text, effect: action.effect)]
        if let length, let end = action.end { actions.append((delay + length, action.endText, end)) }
        triggers.append(
          TriggeredEvent(condition: trigger, delay: delay, isRepeated: isRepeated, actions: actions))
      }
    } else if let action {
      for time in times {
        let isOfPlant = kind?.isOfPlant ?? true
        events.append(TimedEvent(at: time, text: action.text, isOfPlant: isOfPlant, effect: action.effect))
        if let length, let end = action.end, time + length <= clock.duration {
          events.append(TimedEvent(at: time + length, text: action.endText, isOfPlant: isOfPlant, effect: end))
        }
      }
    }
    // What was not read because something before it was wrong is not unknown too.
    if kind == nil || action == nil { for key in section.keys { section.ask(key) } }
    section.finish()
  }

  private func readTimes(_ section: TOMLSection) -> [TimeSpan] {
    let ways = ["at", "daily", "every", "when"].filter { section.has($0) }
    for key in ["at", "daily", "every", "when"] { section.ask(key) }
    if ways.count != 1 { section.report("takes exactly one of at, daily, every, when") }
    if section.has("at") { return section.point("at", clock).map { [$0] } ?? [] }
    guard section.has("daily") || section.has("every") else { return [] }
    let from = section.point("from", clock) ?? .zero
    let to = section.point("to", clock) ?? clock.duration
    var times: [TimeSpan] = []
    if let words = section.string("daily") {
      guard let time = parseClock(words) else {
        section.report("daily", "\"\(words)\" is no time of day, as \"06:30\"")
        return []
      }
      var next = time - clock.start
      while next < from { next += .days(1) }
      while next <= to {
        times.append(next)
        next += .days(1)
      }
    } else if let every = section.span("every", .seconds(1)...(.days(4000))) {
      var next = from
      // The beginning itself only when the file says so.
      if !section.has("from") { next += every }
      while next <= to {
        times.append(next)
        next += every
      }
      if times.count > 100_000 {
        section.report("every", "makes \(times.count) events: at most 100000")
        return []
      }
    }
    return times
  }

  // MARK: Actions

  private func readAction(_ kind: EventKind, _ section: TOMLSection) -> EventAction? {
    switch kind {
    case .fault:
      return FaultKind.read(section, scope).map {
        EventAction(text: "fault: \($0.text)", effect: $0.begin, endText: "fault ends: \($0.text)", end: $0.end)
      }
    case .endFault:
      return FaultKind.read(section, scope).map { EventAction(text: "fault ends: \($0.text)", effect: $0.end) }
    case .load: return readLoadAction(section)
    case .inverter: return readInverterAction(section)
    case .charger: return readChargerAction(section)
    case .alternator: return readAlternatorAction(section)
    case .mode: return readModeAction(section)
    case .remote:
      guard let words = required(section, "to", "\"closed\", \"open\", \"H 12 V\" ..."),
        let remote = section.remote("to", words)
      else { return nil }
      let before = self.remote
      return EventAction(
        text: "remote terminals: \(words)", effect: Self.setRemote(remote), endText: "remote terminals: as before",
        end: Self.setRemote(before))
    case .settings: return readSettingsAction(section)
    case .stateOfCharge:
      guard let percent = section.required("percent", 0...100) else { return nil }
      return EventAction(text: "state of charge set to \(percent.text(upTo: 2)) %") {
        Self.perform(.setStateOfCharge(percent), &$0)
      }
    case .synchronise: return EventAction(text: "synchronise to 100 %") { Self.perform(.synchronise, &$0) }
    case .clearHistory: return EventAction(text: "clear the history") { Self.perform(.clearHistory, &$0) }
    case .restart: return readRestartAction(section)
    case .bmsTemperature:
      guard let celsius = section.required("c", -50...120) else { return nil }
      return EventAction(text: "BMS at \(celsius.text(upTo: 1)) °C") { loop in
        loop.bmsCelsius = celsius
        loop.excite()
        return nil
      }
    case .note:
      guard let words = required(section, "text", "what the time line shall say") else { return nil }
      return EventAction(text: words) { _ in nil }
    }
  }

  private func required(_ section: TOMLSection, _ key: String, _ expected: String) -> String? {
    if !section.has(key) { section.report(key, "is missing: \(expected)") }
    return section.string(key)
  }

  private static func perform(_ command: Command, _ loop: inout ClosedLoop) -> String? {
    guard loop.isRunning else { return "refused: the BMS does not run" }
    do throws(CommandError) {
      try loop.perform(command)
      return nil
    } catch {
      return error.description
    }
  }

  private static func setRemote(_ remote: LoopRemote) -> FaultKind.Effect {
    { loop in
      loop.remote = remote
      loop.excite()
      return nil
    }
  }

  private func readLoadAction(_ section: TOMLSection) -> EventAction? {
    guard let index = section.part("name", scope.loads) else { return nil }
    let name = scope.loads[index]
    let isOn = section.bool("on")
    var demand: Load.Kind?
    var words: [String] = []
    if let value = section.number("power_w", 0...200_000) {
      demand = .power(value)
      words.append("\(value.text(upTo: 1)) W")
    }
    if let value = section.number("current_a", 0...5000) {
      demand = .current(value)
      words.append("\(value.text(upTo: 2)) A")
    }
    if let value = section.number("resistance_ohm", 0.001...1_000_000) {
      demand = .resistance(value)
      words.append("\(value.text(upTo: 3)) Ohm")
    }
    if words.count > 1 { section.report("takes one of power_w, current_a, resistance_ohm at most") }
    guard isOn != nil || demand != nil else {
      section.report("changes nothing: give on, power_w, current_a or resistance_ohm")
      return nil
    }
    if let isOn { words.insert(isOn ? "on" : "off", at: 0) }
    func set(_ isOn: Bool?, _ demand: Load.Kind?) -> FaultKind.Effect {
      { loop in
        guard loop.plant.loads.indices.contains(index) else { return nil }
        if let isOn { loop.plant.loads[index].isOn = isOn }
        if let demand { loop.plant.loads[index].demand = demand }
        loop.plant.forgetPeaks()
        loop.excite()
        return nil
      }
    }
    return EventAction(
      text: "load \(name) \(words.joined(separator: ", "))", effect: set(isOn, demand),
      endText: "load \(name) as before",
      end: set(isOn.map { !$0 }, demand == nil ? nil : loads[index].demand))
  }

  private func readInverterAction(_ section: TOMLSection) -> EventAction? {
    guard let index = section.part("name", scope.inverters), let watts = section.required("power_w", 0...200_000)
    else { return nil }
    func set(_ watts: Double) -> FaultKind.Effect {
      { loop in
        guard loop.plant.inverters.indices.contains(index) else { return nil }
        loop.plant.inverters[index].demand = watts
        loop.plant.forgetPeaks()
        loop.excite()
        return nil
      }
    }
    let name = scope.inverters[index]
    return EventAction(
      text: "inverter \(name) \(watts.text(upTo: 1)) W", effect: set(watts),
      endText: "inverter \(name) as before",
      end: set(inverters[index].demand))
  }

  private func readChargerAction(_ section: TOMLSection) -> EventAction? {
    guard let index = section.part("name", scope.chargers) else { return nil }
    let name = scope.chargers[index]
    let isOn = section.bool("on")
    let percent = section.number("power_percent", 0...100) ?? isOn.map { $0 ? 100 : 0 }
    let obeys = section.bool("obeys")
    let volts = section.number("own_voltage_v", 0...75)
    let rating = section.number("rating_a", 0...5000)
    guard percent != nil || obeys != nil || volts != nil || rating != nil else {
      section.report("changes nothing: give on, power_percent, rating_a, obeys or own_voltage_v")
      return nil
    }
    if suns.contains(where: { $0.charger == index }), percent != nil {
      section.report("on", "\(name) hangs on the sun, which decides again at once; give it a rating_a instead")
    }
    func set(_ percent: Double?, _ obeys: Bool?, _ volts: Double?, _ rating: Double?) -> FaultKind.Effect {
      { loop in
        guard loop.plant.chargers.indices.contains(index) else { return nil }
        if let percent { loop.plant.chargers[index].availability = percent / 100 }
        if let obeys { loop.plant.chargers[index].obeys = obeys }
        if let volts { loop.plant.chargers[index].ownVoltage = volts }
        if let rating { loop.plant.chargers[index].rating = rating }
        loop.plant.forgetPeaks()
        loop.excite()
        return nil
      }
    }
    var words: [String] = []
    if let isOn { words.append(isOn ? "on" : "off") }
    if isOn == nil, let percent { words.append("\(percent.text(upTo: 1)) % of its rating") }
    if let rating { words.append("\(rating.text(upTo: 1)) A") }
    if let obeys { words.append(obeys ? "obeys limits" : "obeys nobody") }
    if let volts { words.append("own voltage \(volts.text(upTo: 2)) V") }
    let old = chargers[index]
    return EventAction(
      text: "charger \(name) \(words.joined(separator: ", "))", effect: set(percent, obeys, volts, rating),
      endText: "charger \(name) as before",
      end: set(
        percent == nil ? nil : isOn.map { $0 ? 0 : 100 } ?? old.availability * 100, obeys.map { !$0 },
        volts == nil ? nil : old.ownVoltage, rating == nil ? nil : old.rating))
  }

  private func readAlternatorAction(_ section: TOMLSection) -> EventAction? {
    guard let index = section.part("name", scope.alternators), let percent = section.required("speed_percent", 0...100)
    else { return nil }
    func set(_ percent: Double) -> FaultKind.Effect {
      { loop in
        guard loop.plant.alternators.indices.contains(index) else { return nil }
        loop.plant.alternators[index].speed = percent / 100
        loop.plant.forgetPeaks()
        loop.excite()
        return nil
      }
    }
    let name = scope.alternators[index]
    return EventAction(
      text: "alternator \(name) at \(percent.text(upTo: 1)) %", effect: set(percent),
      endText: "alternator \(name) as before", end: set(alternators[index].speed * 100))
  }

  private func readModeAction(_ section: TOMLSection) -> EventAction? {
    if !section.has("to") { section.report("to", "is missing: \"on\", \"standby\" or \"off\"") }
    let words = section.choice("to", ["on", "standby", "off"])
    let by = section.choice("by", ["app", "gx"]) ?? "app"
    guard let words else { return nil }
    let mode: Mode = words == "on" ? .on : words == "standby" ? .standby : .off
    let requester: ModeRequester = by == "gx" ? .gx : .app
    return EventAction(text: "\(by) asks for \(words)") { Self.perform(.requestMode(mode, by: requester), &$0) }
  }

  private func readSettingsAction(_ section: TOMLSection) -> EventAction? {
    guard let table = section.section("change") else {
      if !section.has("change") { section.report("change", "is missing: a table, as change = { soc_threshold = 80 }") }
      return nil
    }
    let keys = table.keys
    if keys.isEmpty { table.report("changes nothing") }
    // Judged here against the file's settings, and again when it is done.
    var judged = settings
    table.readSettings(into: &judged)
    var changes: [(Setting, Double)] = []
    for key in keys { if let setting = Setting(key: key) { changes.append((setting, judged[setting])) } }
    let words = keys.map { "\($0) = \(table.plain($0) ?? "")" }.joined(separator: ", ")
    return EventAction(text: "settings: \(words)") { [changes] loop in
      var settings = loop.bms.settings
      do throws(SettingError) {
        try settings.set(changes)
        loop.apply(settings)
        return nil
      } catch {
        return error.description
      }
    }
  }

  private func readRestartAction(_ section: TOMLSection) -> EventAction? {
    let outputs = section.choice("outputs", ["off", "held"]) ?? "off"
    let memory = section.choice("memory", ["kept", "lost"]) ?? "kept"
    let isUpdate = section.bool("after_update") ?? false
    let stop: LoopStop = outputs == "held" ? .outputsHeld : .powerCut
    return EventAction(
      text: "the BMS stops, its outputs \(outputs == "held" ? "are held" : "are off")",
      effect: { loop in
        loop.stop(stop)
        return nil
      },
      endText: "the BMS starts\(memory == "lost" ? ", its memory is lost" : isUpdate ? " after an update" : "")",
      end: { loop in
        loop.start(restoring: memory == "lost" ? nil : loop.bms.snapshot, afterUpdate: isUpdate)
        return nil
      })
  }
}
