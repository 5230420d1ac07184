import BatterySimulator
import Testing

@Suite("Charge and energy are conserved")
struct ConservationTests {
  /// A plant of random make with random parts.
  static func plant(_ random: inout SeededGenerator) -> Plant {
    var parameters = BankParameters()
    parameters.seed = random.next()
    parameters.strings = Int.random(in: 1...3, using: &random)
    parameters.batteriesInSeries = [1, 2, 4].randomElement(using: &random) ?? 1
    parameters.battery.capacity = Double.random(in: 50...300, using: &random)
    parameters.battery.isTopBalanced = Bool.random(using: &random)
    parameters.stateOfCharge = Double.random(in: 0.05...0.99, using: &random)
    parameters.celsius = Double.random(in: -10...40, using: &random)
    var plant = Plant(Bank(parameters), seed: random.next())
    let volts = Double(parameters.batteriesInSeries) * 12
    for _ in 0..<Int.random(in: 1...2, using: &random) {
      var charger = Charger(rating: Double.random(in: 10...150, using: &random))
      charger.ownVoltage = volts * 1.2
      charger.side = Int.random(in: 0...4, using: &random) == 0 ? .battery : .system
      plant.chargers.append(charger)
    }
    plant.alternators = [Alternator(rating: 80, nominalVoltage: volts)]
    plant.inverters = [Inverter(nominalVoltage: volts)]
    plant.loads = [Load(.resistance(volts / 10)), Load(.current(8)), Load(.power(300)), Load(.power(100))]
    plant.loads[2].lockoutVoltage = volts * 0.775
    plant.loads[3].side = .battery
    plant.busCapacitance = Double.random(in: 0.001...0.05, using: &random)
    return plant
  }

  static func shuffle(_ plant: inout Plant, _ commands: inout Commands, _ random: inout SeededGenerator) {
    let volts = plant.bank.voltage
    commands.closesContactor = Int.random(in: 0...5, using: &random) > 0
    commands.closesPrecharge = Bool.random(using: &random)
    commands.allowsCharge = Bool.random(using: &random)
    commands.allowsDischarge = Bool.random(using: &random)
    commands.allowsAlternator = Bool.random(using: &random)
    commands.areFresh = Int.random(in: 0...9, using: &random) > 0
    commands.chargeVoltage = Bool.random(using: &random) ? volts * Double.random(in: 0.98...1.1, using: &random) : nil
    commands.chargeCurrent = Double.random(in: 0...300, using: &random)
    commands.dischargeCurrent = Double.random(in: 0...300, using: &random)
    plant.inverters[0].demand = Double.random(in: 0...3000, using: &random)
    plant.alternators[0].speed = Bool.random(using: &random) ? Double.random(in: 0...1, using: &random) : 0
    for index in plant.loads.indices { plant.loads[index].isOn = Bool.random(using: &random) }
    for fault in plant.faults { plant.end(fault) }
    switch Int.random(in: 0...11, using: &random) {
    case 0: plant.begin(.contactor(0, .welded))
    case 1: plant.begin(.busResistance(ohms: Double.random(in: 0.05...20, using: &random)))
    case 2: plant.begin(.surgeCharge(amperes: 200))
    case 3: plant.begin(.surgeDischarge(amperes: 300))
    case 4: plant.begin(.bypassLoad(amperes: 30))
    case 5: plant.begin(.cellCharge(battery: 0, cell: 1, ampereHours: Double.random(in: -5...5, using: &random)))
    case 6: plant.begin(.cellShort(battery: 0, cell: 0, amperes: 5))
    case 7: plant.begin(.stringFuse(0))
    case 8: plant.begin(.temperature(battery: 0, celsius: Double.random(in: -20...50, using: &random)))
    case 9: plant.begin(.chargerRunaway(charger: 0, volts: volts * 1.1))
    case 10: plant.begin(.contactor(0, .highResistance(0.005)))
    default: break
    }
  }

  @Test("Over random runs what comes in is stored, used or lost, to rounding", arguments: 1...20)
  func random(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var plant = Self.plant(&random)
    let start = plant
    let stored = plant.bank.totalEnergy
    var commands = Commands()
    let lengths: [Double] = [0.01, 0.1, 1, 7.3]
    var throughput = 1.0
    for round in 0..<30 {
      Self.shuffle(&plant, &commands, &random)
      let length = lengths.randomElement(using: &random) ?? 1
      for _ in 0..<20 { plant.step(commands, seconds: length) }
      let account: EnergyAccount = plant.energy
      throughput = max(throughput, account.sources + account.loads + account.path)
      let imbalance: Double = account.imbalance

      // A microjoule: the difference of two voltages through 0.25 mOhm keeps twelve digits of the current.
      // The circuit: sources, loads, bank, path and capacitors.
      #expect(abs(imbalance) < 1e-9 * throughput + 1e-6, "seed \(seed), round \(round)")
      let inBus = plant.busCapacitance * plant.systemVoltage * plant.systemVoltage / 2
      let inBusError: Double = abs(plant.energy.stored - inBus)
      #expect(inBusError < 1e-9 * throughput)
      // The bank: charge, heat and what left it.
      let gained = plant.bank.totalEnergy - stored + plant.bank.heatLost - plant.bank.injected
      #expect(
        abs(gained - plant.bank.energyIn) < 1e-10 * abs(stored) + 1e-9 * throughput, "seed \(seed), round \(round)")
      let meeting: Double = abs(plant.bank.energyIn - plant.energy.bank)
      #expect(meeting < 1e-9 * throughput)
      #expect(plant.energy.path >= 0 && plant.energy.capacitors >= 0 && plant.energy.loads >= 0)
      #expect(plant.energy.sources >= 0)
    }
    for (string, before) in zip(plant.bank.strings, start.bank.strings) {
      for (battery, old) in zip(string.batteries, before.batteries) {
        let worst: Double = CellTests.worstChargeError(battery, since: old)
        #expect(worst < 1e-9)
        #expect(battery.celsius.isFinite && battery.celsius > -60 && battery.celsius < 200)
      }
    }
  }

  @Test("The same seed gives the same run to the last bit")
  func deterministic() {
    func run() -> [Double?] {
      var random = SeededGenerator(seed: 99)
      var plant = Self.plant(&random)
      var commands = Commands()
      for _ in 0..<20 {
        Self.shuffle(&plant, &commands, &random)
        for _ in 0..<50 { plant.step(commands, seconds: 1) }
      }
      plant.measureCells()
      return plant.cellReadings + [plant.systemVoltage, plant.reading.current, plant.energy.sources]
    }
    #expect(run() == run())
  }
}
