import BMSCore
import BatterySimulator

// Makes days at random, the same for the same seed. What is drawn is meant to reach every rule within some hundred days:
// banks at both ends, cells apart, cold and heat, sources that obey nobody, and faults that overlap.

extension DayPlan {
  /// The day of this seed.
  public static func random(seed: UInt64) -> DayPlan {
    var maker = DayMaker(seed: seed)
    return maker.make()
  }
}

private struct DayMaker {
  private var generator: SeededGenerator
  private var plan = DayPlan()

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
    plan.seed = seed & 0x7FFF_FFFF
  }

  // MARK: Drawing

  private mutating func chance(_ share: Double) -> Bool { uniform() < share }
  private mutating func uniform() -> Double { Double(generator.next() >> 11) * 0x1p-53 }
  private mutating func whole(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(generator.next() % UInt64(range.count))
  }
  /// A number of so many decimals, so that a file holds the same.
  private mutating func number(_ range: ClosedRange<Double>, places: Int = 1) -> Double {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let value = range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
    return (value * scale).rounded() / scale
  }
  private mutating func one<Element>(of all: [Element]) -> Element { all[whole(0...all.count - 1)] }

  /// A time of the day, and a length of time from seconds to hours: each decade is as likely as the others.
  private mutating func time() -> Int { whole(60...plan.seconds - 1) }
  private mutating func length() -> Int {
    var limit = 10
    for _ in 0..<whole(0...3) { limit *= 10 }
    return whole(1...limit)
  }

  // MARK: The bank and what hangs on it

  mutating func make() -> DayPlan {
    plan.cellsInSeries = one(of: [4, 4, 4, 8, 16])
    plan.cellsPerBattery = plan.cellsInSeries == 8 && chance(0.5) ? 8 : 4
    plan.strings = plan.cellsInSeries == 16 ? whole(1...2) : plan.cellsInSeries == 8 ? whole(1...3) : whole(1...4)
    if chance(0.5) { plan.strings = 1 }
    plan.capacity = one(of: [50, 100, 200, 200, 300, 600])
    plan.stateOfCharge = chance(0.25) ? number(1...15) : chance(0.3) ? number(90...100) : number(15...90)
    plan.celsius = chance(0.2) ? number(-10...8) : chance(0.1) ? number(40...54) : number(10...35)
    if chance(0.7) {
      plan.capacitySpread = number(0...3)
      plan.chargeSpread = number(0...4)
      plan.resistanceSpread = number(0...10)
    }
    plan.contactors = chance(0.1) ? 0 : chance(0.25) ? 2 : 1
    plan.isEachCellTold = chance(0.75)
    plan.hasFeedback = plan.contactors > 0 ? chance(0.85) : true
    plan.hasTemperatures = chance(0.9)
    plan.hasRemote = chance(0.3)
    plan.isFirstStart = chance(0.1)
    plan.busCapacitance = number(1...50)
    makeSettings()
    makeParts()
    makeHabits()
    for _ in 0..<(chance(0.15) ? 0 : whole(1...9)) { makeFault() }
    for _ in 0..<whole(0...3) { makeCommand() }
    plan.events.sort { $0.at < $1.at }
    return plan
  }

  private mutating func makeSettings() {
    var settings = plan.initialSettings
    func set(_ setting: Setting, _ value: Double) {
      guard (try? settings.set(setting, to: value)) != nil else { return }
      plan.settings.append(PlannedSetting(setting: setting, value: settings[setting]))
    }
    if plan.contactors == 2 { set(.model, 1000) }
    if chance(0.2) { set(.lowCellVoltage, number(2.6...2.8, places: 2)) }
    if chance(0.15) { set(.preAlarm, 0) }
    if chance(0.15) { set(.preAlarmSignal, 0) }
    if chance(0.2) { set(.preAlarmVoltage, number(2.85...3.15, places: 2)) }
    if chance(0.3) { set(.dischargeLimitAtPreAlarm, 1) }
    if chance(0.3) { set(.relayAlternator, 1) }
    if chance(0.4) { set(.relayIntermittent, 1) }
    if chance(0.2) { set(.relayOnWarning, 1) }
    if chance(0.2) { set(.minimumChargeTemperature, number(-10...20)) }
    if chance(0.3) { set(.absorptionTime, number(0.5...4)) }
    if chance(0.2) { set(.repeatedAbsorptionInterval, Double(whole(0...3))) }
    if chance(0.2) { set(.stateOfChargeThreshold, Double(whole(0...95))) }
    if chance(0.1) { set(.chargedVoltage, number(13.0...14.6)) }
    if chance(0.1) { set(.tailCurrent, number(0.5...10)) }
    if chance(0.2) { set(.lowStateOfChargeWarning, Double(whole(10...60))) }
    if chance(0.2) { set(.dischargeFloor, Double(whole(0...30))) }
    if chance(0.15) { set(.maximumChargeVoltage, number(13.0...14.2)) }
    if chance(0.2) { set(.maximumChargeCurrent, Double(whole(1...400))) }
    if chance(0.2) { set(.maximumDischargeCurrent, Double(whole(1...800))) }
    if chance(0.1) { set(.temperatureRequired, 1) }
    if chance(0.1) { set(.cellStale, number(2...10)) }
    if chance(0.1) { set(.measurementStale, number(1...10)) }
    if chance(0.1) { set(.limitsWithdrawn, Double(whole(10...60))) }
  }

  private mutating func makeParts() {
    let bank = plan.capacity * Double(plan.strings)
    for _ in 0..<whole(0...2) { plan.chargers.append(number(5...max(bank, 20))) }
    if chance(0.4) {
      plan.alternators.append(PlannedAlternator(rating: number(30...250), obeys: chance(0.7)))
    }
    for _ in 0..<whole(0...3) {
      plan.loads.append(PlannedLoad(power: number(5...bank * plan.nominalVoltage / 3), obeys: chance(0.8)))
    }
    if chance(0.5) { plan.inverters.append(Double(whole(1...8)) * 1000) }
    plan.distributors = chance(0.3) ? whole(1...4) : 0
  }

  /// What a day brings without anything going wrong: the sun, an engine, consumers.
  private mutating func makeHabits() {
    for charger in plan.chargers.indices {
      guard chance(0.7) else { continue }  // a mains charger: all that it can, always
      add(0, .charger(charger, percent: 0))
      for hour in 6...18 {
        let fromNoon = Double(hour - 12) / 6.5
        let clear = (1 - fromNoon * fromNoon) * 100
        add(hour * 3600 + whole(0...1800), .charger(charger, percent: number(0...max(clear, 1))))
      }
    }
    for alternator in plan.alternators.indices {
      for _ in 0..<whole(1...3) {
        let start = time()
        add(start, .alternator(alternator, percent: number(30...100)))
        add(min(start + whole(600...14_400), plan.seconds - 1), .alternator(alternator, percent: 0))
      }
    }
    for load in plan.loads.indices {
      for _ in 0..<whole(1...4) {
        let start = time()
        add(start, .load(load, isOn: true))
        if chance(0.8) { add(min(start + length(), plan.seconds - 1), .load(load, isOn: false)) }
      }
    }
    for inverter in plan.inverters.indices {
      for _ in 0..<whole(1...5) {
        add(time(), .inverter(inverter, watts: chance(0.3) ? 0 : number(50...plan.inverters[inverter], places: 0)))
      }
    }
  }

  private mutating func add(_ at: Int, _ action: DayAction, lasting: Int? = nil) {
    plan.events.append(DayEvent(at: at, lasting: lasting, action: action))
  }

  // MARK: What goes wrong

  private mutating func makeFault() {
    let at = time()
    if chance(0.12) {
      add(at, .outside(one(of: OutsideFault.allCases)), lasting: length())
      return
    }
    if chance(0.12) {
      // Of two that overlap the second would start what runs.
      let (length, areHeld, isKept) = (min(length(), 3600), chance(0.4), chance(0.8))
      let isFree = plan.events.allSatisfy { event in
        guard case .restart = event.action else { return true }
        return at + length < event.at || at > event.at + (event.lasting ?? 0)
      }
      if isFree { add(at, .restart(areOutputsHeld: areHeld, isMemoryKept: isKept), lasting: length) }
      return
    }
    if plan.hasRemote, chance(0.15) {
      add(at, .remote(chance(0.7) ? .open : .silent), lasting: length())
      return
    }
    let fault = makePlantFault()
    switch fault {
    case .cellCharge, .temperature: add(at, .fault(fault))
    default: add(at, .fault(fault), lasting: chance(0.9) ? length() : nil)
    }
  }

  private mutating func makePlantFault() -> Fault {
    let battery = whole(0...plan.batteryCount - 1)
    let cell = whole(0...plan.cellsPerBattery - 1)
    let contactor = plan.contactors == 2 ? whole(0...1) : 0
    let rating = plan.contactors == 2 ? 1200.0 : 600.0
    switch whole(0...24) {
    case 0:
      return .cellCharge(
        battery: battery, cell: cell, ampereHours: number(plan.capacity * -0.2...plan.capacity * 0.1))
    case 1: return .cellShort(battery: battery, cell: cell, amperes: number(0.1...20))
    case 2 where !plan.chargers.isEmpty:
      return .chargerRunaway(
        charger: whole(0...plan.chargers.count - 1), volts: number(13.8...15.6) * plan.nominalVoltage / 12)
    case 3: return .temperature(battery: battery, celsius: number(-15...65))
    case 4: return .ambient(celsius: number(-25...60))
    case 5: return .surgeCharge(amperes: number(10...rating * 1.3))
    case 6: return .surgeDischarge(amperes: number(10...rating * 1.3))
    case 7: return .bypassLoad(amperes: number(0.1...30))
    case 8, 9, 10: return .sensorLost(sensor(battery, cell))
    case 11: return .sensorFrozen(sensor(battery, cell))
    case 12, 13:
      let sensor = sensor(battery, cell)
      switch sensor {
      case .current: return .sensorOffset(sensor, by: number(-50...50))
      case .batteryVoltage, .systemVoltage: return .sensorOffset(sensor, by: number(-8...8))
      case .cell: return .sensorOffset(sensor, by: number(-3.5...2, places: 2))
      case .temperature: return .sensorOffset(sensor, by: number(-60...60))
      }
    case 14: return .contactor(contactor, .welded)
    case 15: return .contactor(contactor, .stuckOpen)
    case 16: return .contactor(contactor, .highResistance(number(1...50) / 1000))
    case 17: return .contactor(contactor, .feedbackStuck(closed: chance(0.5)))
    case 18: return .contactor(contactor, .feedbackInverted)
    case 19: return .prechargeOpen
    case 20: return .busResistance(ohms: one(of: [0.01, 0.1, 1, 5, 20]))
    case 21 where plan.distributors > 0:
      let distributor = whole(0...plan.distributors - 1)
      return chance(0.5) ? .distributorSilent(distributor) : .fuse(distributor: distributor, fuse: whole(0...3))
    case 22: return .stringFuse(whole(0...plan.strings - 1))
    case 23: return .commandsLost
    default: return .busSilent
    }
  }

  private mutating func sensor(_ battery: Int, _ cell: Int) -> Sensor {
    one(of: [
      .current, .batteryVoltage, .systemVoltage, .cell(battery: battery, cell: cell),
      .cell(battery: battery, cell: cell), .temperature(battery: battery),
    ])
  }

  private mutating func makeCommand() {
    let at = time()
    switch whole(0...6) {
    case 0:
      add(at, .mode(.standby, by: chance(0.5) ? .app : .gx))
      add(min(at + length(), plan.seconds - 1), .mode(.on, by: chance(0.5) ? .app : .gx))
    case 1:
      add(at, .mode(.off, by: .app))
      let back = min(at + length(), plan.seconds - 10)
      add(back, .mode(.off, by: .app))
      add(back + 6, .mode(.on, by: .app))
    case 2: add(at, .stateOfCharge(number(0...100)))
    case 3: add(at, .synchronise)
    case 4: add(at, .bmsTemperature(number(20...90)))
    case 5:
      var settings = plan.initialSettings
      let fixed: Set<Setting> = [.nominalVoltage, .model, .currentReversed, .remoteControl]
      let setting = one(of: Setting.allCases.filter { !fixed.contains($0) })
      let row = setting.definition
      let value =
        row.choices.isEmpty
        ? number(row.range, places: row.isWhole ? 0 : 1) : one(of: row.choices)
      if (try? settings.set(setting, to: value)) != nil {
        add(at, .setting(PlannedSetting(setting: setting, value: value)))
      }
    default: add(at, .mode(one(of: [.on, .off, .standby]), by: .app))
    }
  }
}
