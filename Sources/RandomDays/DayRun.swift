public import BMSCore
public import BatterySimulator
import MonotonicTime

// Runs a day: from event to event, every step checked and counted.

/// What came out of a day.
public struct DayResult: Sendable {
  /// What broke.
  public var breaks: [InvariantBreak] = []
  /// What occurred.
  public var tally = DayTally()
  /// The run in a number.
  public var digest = LoopDigest()
  /// Steps that were made.
  public var steps = 0
}

extension DayPlan {
  /// The settings in force at the beginning.
  public var initialSettings: Settings {
    var all = Settings()
    try? all.set([
      (.nominalVoltage, nominalVoltage), (.batteryCapacity, min(max(capacity * Double(strings), 1), 12_000)),
      (.batteriesInParallel, Double(strings)),
    ])
    // One by one, so that a plan that lost one of two by shrinking keeps the other where it can.
    try? all.set(settings.map { ($0.setting, $0.value) })
    return all
  }

  /// BMS and plant as they are at the beginning.
  public func loop() -> ClosedLoop {
    var parameters = BankParameters()
    parameters.battery = .uniform
    parameters.battery.cellCount = cellsPerBattery
    parameters.batteriesInSeries = cellsInSeries / cellsPerBattery
    parameters.strings = strings
    parameters.battery.capacity = capacity
    parameters.battery.leakage = 0.002 * capacity / 200
    parameters.stateOfCharge = stateOfCharge / 100
    parameters.celsius = celsius
    parameters.battery.capacitySpread = capacitySpread / 100
    parameters.battery.chargeSpread = chargeSpread / 100
    parameters.battery.resistanceSpread = resistanceSpread / 100
    parameters.seed = seed
    let settings = initialSettings
    let wiring = Wiring(contactors: Wiring.Contactors(rawValue: contactors) ?? .one)

    var plant = Plant(Bank(parameters), seed: seed)
    plant.contactors = Array(repeating: Contactor(), count: contactors == 2 ? 2 : 1)
    plant.precharge.resistance = wiring.precharge.resistance
    plant.busCapacitance = busCapacitance / 1000
    for rating in chargers {
      var charger = Charger(rating: rating)
      charger.ownVoltage = 14.2 * settings.bankFactor
      plant.chargers.append(charger)
    }
    for planned in alternators {
      var alternator = Alternator(rating: planned.rating, nominalVoltage: nominalVoltage)
      alternator.hasEnableInput = planned.obeys
      plant.alternators.append(alternator)
    }
    for planned in loads {
      var load = Load(.power(planned.power))
      load.isOn = false
      load.obeysContact = planned.obeys
      plant.loads.append(load)
    }
    // As in a scenario: an open bus does not hold its voltage for days.
    var leak = Load(.resistance(5000))
    leak.obeysContact = false
    plant.loads.append(leak)
    plant.inverters = inverters.map { Inverter(rating: $0, nominalVoltage: nominalVoltage) }
    plant.distributors = (0..<distributors).map { Distributor(address: UInt8($0)) }

    var sensing = LoopSensing()
    sensing.isEachCellTold = isEachCellTold
    sensing.contactorFeedback = hasFeedback
    sensing.temperatures = hasTemperatures
    var loop = ClosedLoop(
      plant: plant, settings: settings, wiring: wiring, sensing: sensing, restoring: isFirstStart ? nil : memory)
    loop.remote = hasRemote ? .closed : .notWired
    loop.isAlternatorOnRelay = alternators.contains(where: \.obeys) && settings[.relayAlternator] != 0
    return loop
  }

  /// The BMS has run before: it knows its state of charge, and the last full charge is over.
  private var memory: Snapshot {
    let settings = initialSettings
    var snapshot = Snapshot()
    snapshot.isStateOfChargeKnown = true
    snapshot.isStateOfChargeTrusted = true
    snapshot.missing = settings[.batteryCapacity] * (1 - stateOfCharge / 100)
    snapshot.consumed = snapshot.missing == 0 ? 0 : -snapshot.missing
    snapshot.secondsSinceFullCharge = 0
    snapshot.detectedNominalVoltage = settings[.nominalVoltage]
    return snapshot
  }

  /// Runs the day.
  ///
  /// - Parameters:
  ///   - invariant: The day ends when this one breaks; with nil when any does.
  ///   - tamper: What a broken BMS would have decided instead; for tests of the checker.
  public func run(
    until invariant: Invariant? = nil, tamper: ((inout Outputs, inout Commands, ClosedLoop) -> Void)? = nil
  ) -> DayResult {
    var result = DayResult()
    var loop = loop()
    var checker = InvariantChecker(loop)
    let moments = moments
    var next = 0
    let end = Instant.origin + .seconds(Int64(seconds))
    for event in events where event.at < seconds { result.tally.count(event.action) }
    while loop.now < end {
      while next < moments.count, moments[next].at <= loop.now {
        moments[next].perform(on: &loop, remote: hasRemote ? .closed : .notWired)
        next += 1
      }
      loop.step(until: next < moments.count ? min(moments[next].at, end) : end)
      result.steps += 1
      if let tamper {
        var (outputs, commands) = (loop.outputs, loop.commands)
        tamper(&outputs, &commands, loop)
        checker.check(loop, outputs: outputs, commands: commands)
      } else {
        checker.check(loop)
      }
      result.digest.take(loop)
      result.tally.look(loop)
      guard let last = checker.breaks.last else { continue }
      if invariant == nil || last.invariant == invariant { break }
    }
    checker.finish(loop)
    result.breaks = checker.breaks
    return result
  }

  private struct Moment {
    var at: Instant
    var action: DayAction
    var isEnd: Bool

    func perform(on loop: inout ClosedLoop, remote: LoopRemote) {
      switch action {
      case .fault(let fault): if isEnd { loop.end(fault) } else { loop.begin(fault) }
      case .outside(let fault): set(fault, &loop)
      case .mode(let mode, let requester): ask(.requestMode(mode, by: requester), &loop)
      case .remote(let state):
        loop.remote = isEnd ? remote : state
        loop.excite()
      case .load(let index, let isOn): change(&loop) { $0.loads[index].isOn = isOn }
      case .inverter(let index, let watts): change(&loop) { $0.inverters[index].demand = watts }
      case .charger(let index, let percent): change(&loop) { $0.chargers[index].availability = percent / 100 }
      case .alternator(let index, let percent): change(&loop) { $0.alternators[index].speed = percent / 100 }
      case .setting(let planned):
        var settings = loop.bms.settings
        guard (try? settings.set(planned.setting, to: planned.value)) != nil else { return }
        loop.apply(settings)
      case .stateOfCharge(let percent): ask(.setStateOfCharge(percent), &loop)
      case .synchronise: ask(.synchronise, &loop)
      case .restart(let areOutputsHeld, let isMemoryKept):
        guard isEnd else { return loop.stop(areOutputsHeld ? .outputsHeld : .powerCut) }
        guard !loop.isRunning else { return }
        loop.start(restoring: isMemoryKept ? loop.bms.snapshot : nil)
      case .bmsTemperature(let celsius):
        loop.bmsCelsius = celsius
        loop.excite()
      }
    }

    private func ask(_ command: Command, _ loop: inout ClosedLoop) {
      guard loop.isRunning else { return }
      try? loop.perform(command)
    }

    private func change(_ loop: inout ClosedLoop, _ body: (inout Plant) -> Void) {
      body(&loop.plant)
      loop.plant.forgetPeaks()
      loop.excite()
    }

    private func set(_ fault: OutsideFault, _ loop: inout ClosedLoop) {
      switch fault {
      case .busbarHot: loop.hotBusbars.first = !isEnd
      case .settingsLost: loop.inputs.areSettingsLost = !isEnd
      case .calibrationLost: loop.inputs.isCalibrationLost = !isEnd
      case .groupRefuses: loop.inputs.mayJoin = isEnd
      case .leaving: loop.inputs.shutdown = !isEnd
      }
      loop.excite()
    }
  }

  /// Events and their ends in the order of time; of two at one time the one that stands first.
  private var moments: [Moment] {
    var all: [(moment: Moment, place: Int)] = []
    for event in events {
      let at = Instant.origin + .seconds(Int64(event.at))
      all.append((Moment(at: at, action: event.action, isEnd: false), all.count))
      if let lasting = event.lasting, event.at + lasting <= seconds {
        all.append((Moment(at: at + .seconds(Int64(lasting)), action: event.action, isEnd: true), all.count))
      }
    }
    return all.sorted { ($0.moment.at, $0.place) < ($1.moment.at, $1.place) }.map(\.moment)
  }
}
