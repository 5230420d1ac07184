import BatterySimulator
import MonotonicTime
import Testing

@testable import BMSCore

/// A quiet step decides what a step that asks every rule decides.
@Suite struct QuietStepTests {
  /// Two of one kind are told the same: one takes quiet steps, of the other every rule is asked in every step, because
  /// settings came into force.
  struct Twins {
    var random: SeededGenerator
    var bms: BMS
    var asked: BMS
    let settings: Settings
    let wiring: Wiring
    var inputs = Inputs()
    let places: [CellPlace]
    let hasTable: Bool
    var now = Instant.origin + .seconds(100)
    var quietSteps = 0
    /// Both as they were when nothing was wrong: to come to rest takes a minute, and most events begin from there.
    var rested: (bms: BMS, asked: BMS)?

    // What the sources say; an event changes some of it for a while.
    var lowest = 3.3
    var highest = 3.31
    var voltage: Double?
    var drop = 0.0
    var current: Double? = 5
    var celsius: Double? = 20
    var isSilent = false
    var feedback: Bool?
    let hasDistributors: Bool
    var distributor = DistributorReport()
    var eventUntil: Instant?

    init(
      seed: UInt64, wiring: Wiring, hasTable: Bool, hasDistributors: Bool, _ changes: [(Setting, Double)] = []
    ) throws {
      self.hasDistributors = hasDistributors
      random = SeededGenerator(seed: seed)
      var settings = Settings()
      try settings.set([(.dischargeFloor, 20), (.lowStateOfChargeWarning, 25)] + changes)
      self.settings = settings
      self.wiring = wiring
      self.hasTable = hasTable
      bms = BMS(settings: settings, wiring: wiring)
      asked = bms
      places = (1...settings.cellsInSeries).compactMap { CellPlace(battery: 1 + ($0 - 1) / 4, cell: 1 + ($0 - 1) % 4) }
      inputs.batteryVoltage = .waiting
      inputs.current = .waiting
      inputs.batteryTemperature = .waiting
      if hasTable {
        inputs.cells = CellTable(expectedCount: places.count)
      } else {
        inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting)
      }
    }

    mutating func one(in count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

    mutating func step() throws {
      // A failed update is given two minutes.
      let longest: Int64 = inputs.isUpdateFailing ? 20_000 : one(in: 500) ? 90_000 : 450
      now += .milliseconds(Int64.random(in: 1...longest, using: &random))
      if let until = eventUntil, now >= until { end() }
      if eventUntil == nil, bms.isSettled {
        if rested == nil { rested = (bms, asked) }
        if one(in: 20) { try begin() }
      } else if eventUntil == nil, one(in: 400) {
        try begin()
      } else if one(in: 400) {
        // What only a restart ends would keep the rules awake for ever.
        end()
        bms = BMS(settings: settings, wiring: wiring)
        asked = bms
      }
      report()
      bms.decide(inputs, at: now)
      asked.apply(settings)
      asked.decide(inputs, at: now)
      #expect(!asked.isQuiet)
      if bms.isQuiet { quietSteps += 1 }
    }

    /// Back to a bank of which nothing is to be said.
    mutating func end() {
      eventUntil = nil
      (lowest, highest, voltage, drop) = (3.3, 3.31, nil, 0)
      // Each threshold is less than a jump away from one of them.
      celsius = one(in: 2) ? 20 : 35
      current = Double.random(in: -60...60, using: &random)
      (isSilent, feedback) = (false, nil)
      inputs.shutdown = false
      inputs.areSettingsLost = false
      inputs.isStateNotStored = false
      inputs.isCalibrationLost = false
      inputs.isUpdating = false
      inputs.isUpdateFailing = false
      inputs.batteryLowCellSettings = nil
      inputs.battery = BatteryReport()
      inputs.wiringFaults = WiringFaults()
      inputs.bmsTemperature = .unassigned
      inputs.thermalSwitch = .unassigned
      inputs.secondThermalSwitch = .unassigned
      inputs.internalSupply = .unassigned
      inputs.fan = .unassigned
      inputs.secondFan = .unassigned
      inputs.remote = RemoteTerminals()
      if wiring.contactors == .none { inputs.contactorFeedback = .unassigned }
      inputs.isControlEnabled = true
      inputs.hasControlClient = false
      inputs.cells.expectedCount = hasTable ? places.count : 0
      distributor = DistributorReport()
      inputs.distributors = InlineArray(repeating: DistributorReport())
      if let rested, !one(in: 4) { (bms, asked) = rested }
    }

    /// Each threshold is met, passed by the least step there is, or missed by it.
    mutating func begin() throws {
      eventUntil = now + .milliseconds(Int64.random(in: 1...(one(in: 4) ? 20_000 : 4000), using: &random))
      let contact = ContactFeedback(isClosed: one(in: 2), at: now)
      func near(_ value: Double) -> Double { value + ([0, 1e-6, -1e-6].randomElement(using: &random) ?? 0) }
      switch Int.random(in: 0..<31, using: &random) {
      case 0: lowest = near(settings[.preAlarmVoltage])
      case 1: lowest = near(settings[.lowCellVoltage])
      case 2: lowest = near(2.6)
      case 3: highest = near(Parameters.highCell)
      case 4: current = near(settings.continuousRating) * (one(in: 2) ? 1 : -1)
      case 5: current = near(settings.peakRating) * (one(in: 2) ? 1 : -1)
      case 6: current = one(in: 2) ? nil : Double.random(in: -3...3, using: &random)
      case 7: celsius = near(settings[.minimumChargeTemperature])
      case 8: celsius = near(Parameters.highTemperature)
      case 9: celsius = one(in: 2) ? nil : near(Parameters.veryHighTemperature)
      case 10: voltage = near(VoltageWindows.window(of: settings[.nominalVoltage]).lowerBound)
      case 11: voltage = near(VoltageWindows.window(of: settings[.nominalVoltage]).upperBound)
      case 12: drop = near(ContactorSequence.contactDrop)
      case 13: isSilent = true
      case 14: feedback = one(in: 2)
      case 15: inputs.contactorFeedback.validity = .sensorError
      case 16: inputs.shutdown = true
      case 17: inputs.areSettingsLost = true
      case 18: (inputs.isStateNotStored, inputs.isCalibrationLost) = (one(in: 2), one(in: 2))
      case 19:
        (inputs.isUpdating, inputs.isUpdateFailing) = (one(in: 2), one(in: 2))
        if inputs.isUpdateFailing { eventUntil = now + .seconds(200) }
      case 20: inputs.batteryLowCellSettings = 2.8...near(2.801)
      case 21:
        inputs.battery.isWired = one(in: 2)
        inputs.battery.taken = one(in: 2) ? now : nil
        inputs.battery.chargeCurrent = one(in: 2) ? 10 : nil
        inputs.battery.chargeVoltage = one(in: 2) ? 13.3 : nil
        inputs.battery.hasPreAlarmSignal = one(in: 2) ? one(in: 2) : nil
        inputs.battery.balance = one(in: 2) ? .imbalance : .unknown
      case 22: inputs.wiringFaults[.lost, .relay] = true
      case 23: inputs.bmsTemperature = Measurement(near(Parameters.highBMSTemperature), at: now)
      case 24: inputs.thermalSwitch = contact
      case 25: inputs.secondThermalSwitch = contact
      case 26:
        if one(in: 2) {
          inputs.internalSupply = contact
        } else if one(in: 2) {
          inputs.fan = contact
        } else {
          inputs.secondFan = contact
        }
      case 27: inputs.remote.bridge = contact
      case 28: inputs.cells.expectedCount += one(in: 2) ? 1 : -1
      case 29: (inputs.isControlEnabled, inputs.hasControlClient) = (one(in: 2), one(in: 2))
      default:
        distributor = DistributorReport(blown: one(in: 3) ? 4 : 0, hasPower: !one(in: 3), at: now)
        distributor.isDuplicate = one(in: 3)
        if !hasDistributors { inputs.distributors[one(in: 2) ? 0 : 3] = distributor }
      }
      if one(in: 4) { try command() }
    }

    mutating func command() throws {
      let levels = [20, 20.000_001, 24.999_999, 25, 25.000_001, 50, 0, 100]
      let percent = levels.randomElement(using: &random) ?? 50
      let command: Command =
        one(in: 3)
        ? .requestMode([Mode.on, .standby, .off].randomElement(using: &random) ?? .on, by: .app)
        : one(in: 8) ? .synchronise : .setStateOfCharge(percent)
      // A refusal is an answer too, and both give the same.
      let answers = (Result { try bms.perform(command) }, Result { try asked.perform(command) })
      #expect("\(answers.0)" == "\(answers.1)")
      if one(in: 2) {
        let on = Command.requestMode(.on, by: .app)
        _ = (Result { try bms.perform(on) }, Result { try asked.perform(on) })
      }
    }

    mutating func report() {
      guard !isSilent || one(in: 40) else { return }
      // The commands of one that has been on for long are kept by a contact that follows at once.
      let isClosed = feedback ?? bms.decided.contactorCommand
      // A source whose numbers stand still is stuck.
      let noise = eventUntil == nil ? Double.random(in: -0.001...0.001, using: &random) : 0
      if hasTable {
        for (index, place) in places.enumerated() {
          inputs.cells.report((index == 1 ? lowest : index == 2 ? highest : 3.305) + noise, of: place, at: now)
        }
      } else {
        inputs.cellExtremes.lowest.report(lowest + noise, at: now)
        inputs.cellExtremes.highest.report(highest + noise, at: now)
      }
      if hasDistributors {
        distributor.taken = now
        inputs.distributors[1] = distributor
      }
      if wiring.contactors == .two { inputs.bmsTemperature.report(eventUntil == nil ? 40 : 75 + noise, at: now) }
      let cells = Double(places.count)
      let volts = voltage ?? (hasTable ? (cells - 2) * 3.305 + lowest + highest : lowest * cells) + noise * cells
      inputs.batteryVoltage.report(volts, at: now)
      if let current { inputs.current.report(current + noise, at: now) }
      if let celsius { inputs.batteryTemperature.report(celsius, at: now) }
      guard wiring.contactors != .none else { return }
      inputs.systemVoltage.report(isClosed || bms.decided.prechargeCommand ? volts - drop : 3, at: now)
      inputs.contactorFeedback = ContactFeedback(isClosed: isClosed, at: now)
      if wiring.contactors == .two { inputs.secondContactorFeedback = ContactFeedback(isClosed: isClosed, at: now) }
    }
  }

  @Test(arguments: 0..<8) func decidesWhatAWholeStepDecides(_ way: Int) throws {
    let contactors: [Wiring.Contactors] = [.one, .none, .two, .one]
    var changes: [(Setting, Double)] = [(.nominalVoltage, way % 2 == 0 ? 12 : 48)]
    if way == 3 { changes += [(.preAlarm, 0), (.maximumChargeVoltage, 13.6)] }
    if way == 5 { changes += [(.relayAlternator, 1), (.temperatureRequired, 1)] }
    if way == 6 { changes += [(.limitsNearCellEnds, 1)] }
    if way == 7 { changes += [(.contactorAfterDischargeContact, 1), (.relayOnWarning, 1)] }
    var twins = try Twins(
      seed: UInt64(way + 1), wiring: Wiring(contactors: contactors[way % 4]), hasTable: way < 6,
      hasDistributors: way > 3, changes)
    for step in 0..<3000 {
      try twins.step()
      let (quick, whole) = ("\(twins.bms.decided)", "\(twins.asked.decided)")
      try #require(quick == whole, "step \(step)")
      try #require(twins.bms.snapshot == twins.asked.snapshot, "step \(step)")
      if step % 50 == 0 {
        for alarm in Alarm.allCases { try #require(twins.bms.record(of: alarm) == twins.asked.record(of: alarm)) }
        for subject in Explained.allCases {
          try #require(twins.bms.explanation(of: subject) == twins.asked.explanation(of: subject))
        }
      }
    }
    // Smooth limits are worked out in every step.
    #expect(way == 6 ? twins.quietSteps == 0 : twins.quietSteps > 300, "\(twins.quietSteps) quiet steps")
  }
}
