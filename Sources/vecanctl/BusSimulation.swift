import BatterySimulator
import CANBus
import MonotonicTime
import Scenario
import SimulatedDevices
import SocketCAN
import Synchronization

// The simulated system on a bus: the plant of a scenario, its devices, and the lines for the person who watches.

/// A line of what happened, or of how things stand.
struct SimulationLine {
  /// Since the beginning.
  var at: TimeSpan
  /// Who it happened to; nil for the plant.
  var source: String?
  var text: String
  /// Numbers, for a line of how things stand.
  var figures: [(name: String, value: Double?)] = []
}

/// Moves plant and devices on by one transport's clock. It prints nothing and reads nothing.
struct BusSimulation {
  /// Frames that waited so long for the bus say nothing about now.
  static let validity = TimeSpan.seconds(1)

  private(set) var run: PlantRun
  private(set) var system: SimulatedSystem
  private let converters: [SimulatedSystem.Converter]
  private let statusInterval: TimeSpan
  private let start: Instant
  private var queue = TransmitQueue(capacity: 512)
  private var batch: [CANFrame] = []
  private var received: [ReceivedFrame] = []
  private var nextPlant: Instant
  private var nextStatus: Instant
  private var isOnBus = true
  private var waiting: [SimulationLine] = []
  private var events: [SimulationLine] = []

  init(_ scenario: Scenario, source: Coordinator.Source, statusInterval: TimeSpan, at now: Instant) {
    run = PlantRun(scenario)
    self.statusInterval = statusInterval
    var configuration = SimulatedSystem.Configuration()
    configuration.capacity = run.capacity
    configuration.isEachCellTold = run.isEachCellTold
    configuration.coordinatorSource = source
    configuration.isAlternatorOnRelay = run.isAlternatorOnRelay
    converters = Self.converters(of: run)
    configuration.converters = converters
    start = now
    system = SimulatedSystem(configuration, plant: run.plant, at: now)
    nextPlant = now
    nextStatus = now
  }

  /// A charger and an inverter of one name are one device.
  private static func converters(of run: PlantRun) -> [SimulatedSystem.Converter] {
    var converters = run.chargers.enumerated().map { index, charger in
      SimulatedSystem.Converter(
        charger.name, charger: index, inverter: charger.isSolar ? nil : run.inverters.firstIndex(of: charger.name))
    }
    for (index, name) in run.inverters.enumerated() where !converters.contains(where: { $0.inverter == index }) {
      let isTaken = converters.contains { $0.label == name }
      converters.append(SimulatedSystem.Converter(isTaken ? "\(name)-inverter" : name, inverter: index))
    }
    return converters
  }

  /// Whether the scenario is at its end.
  var isOver: Bool { run.isOver }

  /// When the next turn is due.
  var nextDeadline: Instant {
    var deadline = min(system.nextDeadline, nextPlant, nextStatus)
    if let retry = queue.nextRetry { deadline = min(deadline, retry) }
    if let event = run.nextEventTime { deadline = min(deadline, start + event) }
    return deadline
  }

  /// The least step of a led clock: fine while contacts move, else what keeps a day short at this speed.
  func leastStep(_ speed: Double) -> TimeSpan {
    let isMoving = system.plantInterval(at: start + run.now) < SimulatedSystem.plantInterval
    return isMoving ? .milliseconds(5) : TimeSpan(seconds: min(max(speed * 0.0005, 0.001), 0.5))
  }

  /// One turn: what came in, what is due, what goes out.
  mutating func turn(on transport: some CANTransport) {
    noteLink(transport)
    received.removeAll(keepingCapacity: true)
    let now = transport.receive(into: &received, limit: 256)
    for frame in received {
      if case .data(let data) = frame.frame { system.receive(data, at: frame.instant) }
    }
    // Contacts act before the plant moves on, so that a command counts from when it came.
    system.run(at: now, plant: &run.plant)
    nextPlant = min(nextPlant, now + system.plantInterval(at: now))
    if now >= nextPlant || run.nextEventTime.map({ start + $0 <= now }) == true {
      run.advance(to: now - start, under: system.commands)
      nextPlant = now + system.plantInterval(at: now)
    }
    while let frame = system.nextFrame(at: now) {
      queue.enqueue(.data(frame), urgency: .ordinary, deadline: now + Self.validity)
    }
    if isOnBus, !queue.isEmpty { transport.transmit(&queue, batch: &batch) }
    note(at: now)
  }

  private mutating func noteLink(_ transport: some CANTransport) {
    let carriesFrames = transport.link.carriesFrames
    if carriesFrames != isOnBus {
      isOnBus = carriesFrames
      queue.removeAll()
      if carriesFrames { system.join(at: transport.now) } else { system.linkLost(at: transport.now) }
    }
    for event in transport.takeEvents() where event.state != .up {
      waiting.append(SimulationLine(at: event.instant - start, source: "bus", text: event.text))
    }
  }

  private mutating func note(at now: Instant) {
    for entry in run.takeEntries() { waiting.append(SimulationLine(at: entry.at, text: entry.text)) }
    for (label, text) in system.takeNews() {
      waiting.append(SimulationLine(at: now - start, source: label, text: text))
    }
    guard now >= nextStatus else { return }
    nextStatus = now + statusInterval
    waiting.append(status(at: now))
  }

  /// What was not told yet.
  mutating func takeLines() -> [SimulationLine] {
    defer { waiting.removeAll(keepingCapacity: true) }
    return waiting
  }

  // MARK: How things stand

  private func status(at now: Instant) -> SimulationLine {
    let plant = run.plant
    let cells = plant.cellReadings.compactMap { $0 }
    let limits = system.coordinator?.isControlled == true ? system.coordinator?.limits : nil
    var figures: [(name: String, value: Double?)] = [
      ("true_soc_percent", plant.bank.stateOfCharge * 100),
      ("bms_soc_percent", limits == nil ? nil : system.coordinator?.stateOfCharge), ("battery_v", plant.batteryVoltage),
      ("system_v", plant.systemVoltage), ("current_a", plant.current), ("lowest_cell_v", cells.min()),
      ("highest_cell_v", cells.max()), ("cvl_v", limits?.chargeVoltage), ("ccl_a", limits?.chargeCurrent),
      ("dcl_a", limits?.dischargeCurrent), ("contactor", plant.contactors.allSatisfy(\.isClosed) ? 1 : 0),
      ("atc", system.commands.allowsCharge ? 1 : 0), ("atd", system.commands.allowsDischarge ? 1 : 0),
    ]
    for converter in converters {
      if let index = converter.charger, plant.chargers.indices.contains(index) {
        figures.append(("\(converter.label)_charge_a", plant.chargers[index].current))
      }
      if let index = converter.inverter, plant.inverters.indices.contains(index) {
        figures.append(("\(converter.label)_load_a", plant.inverters[index].current))
      }
    }
    func number(_ value: Double?, _ digits: Int) -> String { value.map { $0.decimal(digits) } ?? "-" }
    let chargers = converters.compactMap { converter in
      converter.charger.map { "\(converter.label) \(number(plant.chargers[$0].current, 0)) A" }
    }
    let words = [
      "SoC \(number(plant.bank.stateOfCharge * 100, 1)) %", "\(number(plant.batteryVoltage, 2)) V",
      "\(number(plant.current, 1)) A", "cells \(number(cells.min(), 3))-\(number(cells.max(), 3)) V",
      chargers.joined(separator: ", "),
      "contactor \(plant.contactors.allSatisfy(\.isClosed) ? "closed" : "open")",
    ]
    return SimulationLine(
      at: now - start, text: words.filter { !$0.isEmpty }.joined(separator: "  "), figures: figures)
  }

  // MARK: Commands of the person who watches

  static let help = """
    unplug DEVICE | plug DEVICE       a device leaves the bus without a word, or is back
    plug twin                         a second battery monitor with the first one's instance
    refuse CONTACT | pretend CONTACT  the module refuses commands, or acknowledges and does nothing
    move CONTACT on|off               the module moves a contact that nobody commanded
    obey                              the module obeys again
    do = "fault", fault = ..., ...    any event of a scenario, as in Tests/Scenarios/README.md
    status | devices | help
    """

  /// Does what a line says; the answer, or nil when the time line tells.
  mutating func perform(_ line: String, at now: Instant) -> String? {
    let words = line.split(separator: " ").map(String.init)
    guard let verb = words.first else { return nil }
    switch verb {
    case "help": return Self.help
    case "devices":
      return system.labels.map { label in "\(label) at \(system.address(of: label).map(String.init) ?? "no address")" }
        .joined(separator: ", ")
    case "status":
      waiting.append(status(at: now))
      return nil
    case "plug", "unplug":
      guard words.count == 2, system.perform(verb == "plug" ? .plug : .unplug, on: words[1], at: now) else {
        return "\(verb): one of \(system.labels.joined(separator: ", "))"
      }
      return "\(words[1]) is \(verb)ged"
    case "refuse", "pretend":
      guard words.count == 2, let contact = Self.contact(words[1]) else { return Self.contacts(verb) }
      _ = system.perform(verb == "refuse" ? .refuse(contact) : .pretend(contact), on: "module", at: now)
      return "module: will \(verb) \(words[1])"
    case "move":
      guard words.count == 3, let contact = Self.contact(words[1]), ["on", "off"].contains(words[2]) else {
        return Self.contacts(verb) + ", then on or off"
      }
      _ = system.perform(.move(contact, isOn: words[2] == "on"), on: "module", at: now)
      return "module: moves \(words[1]) \(words[2])"
    case "obey":
      _ = system.perform(.obey, on: "module", at: now)
      return "module: obeys"
    default:
      do {
        try run.perform(line)
        return nil
      } catch {
        return error.problems.map(\.description).joined(separator: "; ") + "; \"help\" lists what there is"
      }
    }
  }

  private static func contact(_ word: String) -> Int? {
    SwitchingModuleDevice.Contact.allCases.first { $0.key == word }?.rawValue
  }

  private static func contacts(_ verb: String) -> String {
    "\(verb): one of \(SwitchingModuleDevice.Contact.allCases.map(\.key).joined(separator: ", "))"
  }
}

extension Double {
  /// With so many digits behind the point.
  func decimal(_ digits: Int) -> String {
    guard isFinite, abs(self) < 1e12 else { return "-" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let total = Int64((abs(self) * scale).rounded())
    let sign = self < 0 && total > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(total)" }
    let rest = String(total % Int64(scale))
    return "\(sign)\(total / Int64(scale)).\(String(repeating: "0", count: digits - rest.count))\(rest)"
  }
}

/// Lines that somebody types while the simulation runs. A thread of its own reads them; it ends with the process.
final class TypedLines: Sendable {
  private let lines = Mutex<[String]>([])

  /// Reads standard input and signals `wakeup` for each line.
  func start(waking wakeup: Wakeup) {
    ReaderThread.start { [self] in
      while let line = readLine() {
        lines.withLock { $0.append(line) }
        wakeup.signal()
      }
    }
  }

  func take() -> [String] {
    lines.withLock { waiting in
      defer { waiting.removeAll() }
      return waiting
    }
  }
}
