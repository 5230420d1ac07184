import BatterySimulator
import Testing

@Suite("The simulated plant")
struct PlantTests {
  /// A 12 V bank with a closed contactor.
  static func plant(_ stateOfCharge: Double = 0.7, strings: Int = 1, closed: Bool = true) -> Plant {
    var parameters = BankParameters()
    parameters.stateOfCharge = stateOfCharge
    parameters.strings = strings
    var plant = Plant(Bank(parameters))
    plant.shunt = .ideal
    if closed { plant.contactors[0].closeAtOnce() }
    return plant
  }

  /// Everything allowed, contactor closed.
  static func commands() -> Commands {
    var commands = Commands()
    commands.closesContactor = true
    commands.allowsCharge = true
    commands.allowsDischarge = true
    commands.allowsAlternator = true
    commands.chargeVoltage = 14.2
    commands.chargeCurrent = 400
    commands.dischargeCurrent = 500
    return commands
  }

  // MARK: Bank

  @Test("Two equal strings share a current evenly, a fuller one takes its part of an equalising current")
  func strings() {
    var parameters = BankParameters()
    parameters.battery = .uniform
    parameters.strings = 2
    var bank = Bank(parameters)
    bank.advance(current: -100, seconds: 1)
    #expect(abs(bank.strings[0].current + 50) < 1e-9)
    var low = parameters
    low.strings = 1
    low.stateOfCharge = 0.3
    bank = Bank([bank.strings[0], Bank(low).strings[0]])
    bank.advance(current: 0, seconds: 1)
    #expect(bank.strings[0].current < -10 && abs(bank.strings[0].current + bank.strings[1].current) < 1e-9)
    #expect(abs(bank.strings[0].voltage - bank.strings[1].voltage) < 0.003)
  }

  @Test("A blown string fuse leaves the whole current to the other string")
  func stringFuse() {
    var plant = Self.plant(strings: 2)
    plant.loads = [Load(.current(100))]
    plant.begin(.stringFuse(0))
    plant.step(Self.commands(), seconds: 5)
    #expect(plant.bank.strings[0].current == 0)
    #expect(abs(plant.bank.strings[1].current + 100) < 0.1)
  }

  // MARK: Contactor and pre-charge

  @Test("The contactor closes after 30 ms, bounces for 3 ms, and opens after 15 ms")
  func contactor() {
    var plant = Self.plant(closed: false)
    plant.step(Self.commands(), seconds: 0.029)
    #expect(!plant.contactors[0].isClosed)
    plant.step(Self.commands(), seconds: 0.006)
    #expect(plant.contactors[0].isClosed && plant.contactors[0].closings == 2)
    var off = Self.commands()
    off.closesContactor = false
    plant.step(off, seconds: 0.014)
    #expect(plant.contactors[0].isClosed)
    plant.step(off, seconds: 0.002)
    #expect(!plant.contactors[0].isClosed)
  }

  @Test("A contactor can be welded, stuck open, burnt and wrong about itself")
  func contactorFaults() {
    var off = Self.commands()
    off.closesContactor = false
    var plant = Self.plant()
    plant.begin(.contactor(0, .welded))
    plant.step(off, seconds: 1)
    #expect(plant.contactors[0].isClosed && plant.reading.contactorClosed)
    plant.end(.contactor(0, .welded))
    plant.step(off, seconds: 1)
    #expect(!plant.contactors[0].isClosed)

    plant.begin(.contactor(0, .stuckOpen))
    plant.step(Self.commands(), seconds: 1)
    #expect(!plant.contactors[0].isClosed && !plant.reading.contactorClosed)
    plant.end(.contactor(0, .stuckOpen))

    plant.begin(.contactor(0, .highResistance(0.006)))
    plant.loads = [Load(.current(100))]
    plant.step(Self.commands(), seconds: 5)
    #expect(abs(plant.batteryVoltage - plant.systemVoltage - 0.61) < 0.01)

    plant.begin(.contactor(0, .highResistance(0.002)))
    plant.step(Self.commands(), seconds: 5)
    #expect(abs(plant.batteryVoltage - plant.systemVoltage - 0.61) < 0.01, "of two resistances the larger")

    plant.begin(.contactor(0, .feedbackStuck(closed: false)))
    plant.step(Self.commands(), seconds: 1)
    #expect(plant.contactors[0].isClosed && !plant.reading.contactorClosed)
  }

  @Test("Two contactors share the current (model 1000); with one stuck open the other carries all of it and says so")
  func twoContactors() {
    var plant = Self.plant()
    plant.contactors = [Contactor(), Contactor()]
    plant.loads = [Load(.current(400))]
    plant.step(Self.commands(), seconds: 5)
    let shared = plant.batteryVoltage - plant.systemVoltage
    #expect(abs(shared - 400 * (0.00015 / 2 + 0.0001)) < 0.001 && plant.reading.contactorClosed)
    plant.begin(.contactor(1, .stuckOpen))
    plant.step(Self.commands(), seconds: 5)
    let single = plant.batteryVoltage - plant.systemVoltage
    #expect(abs(single - 400 * (0.00015 + 0.0001)) < 0.001 && !plant.reading.contactorClosed)
  }

  @Test("Pre-charge is RC: 63 % of the battery after one time constant, half of the energy becomes heat")
  func precharge() {
    var plant = Self.plant(closed: false)
    plant.busCapacitance = 0.050
    var commands = Commands()
    commands.closesPrecharge = true
    plant.step(commands, seconds: 0.050)
    #expect(abs(plant.systemVoltage / plant.batteryVoltage - 0.632) < 0.01)
    plant.step(commands, seconds: 1)
    #expect(abs(plant.systemVoltage - plant.batteryVoltage) < 0.005)
    let half = 0.5 * 0.050 * plant.batteryVoltage * plant.batteryVoltage
    #expect(abs(plant.precharge.energy / half - 1) < 0.03, "\(plant.precharge.energy) J of \(half) J")
    #expect(plant.precharge.warmth > 0.5)
  }

  @Test("OD-18: a load of 20 Ohm reaches 95 % through 1 Ohm, a short stays below 5 %, an open resistor gives nothing")
  func prechargeLoads() {
    var commands = Commands()
    commands.closesPrecharge = true
    for (ohms, low, high) in [(20.0, 0.94, 0.96), (0.02, 0, 0.05)] {
      var plant = Self.plant(closed: false)
      plant.begin(.busResistance(ohms: ohms))
      plant.step(commands, seconds: 1)
      let share = plant.systemVoltage / plant.batteryVoltage
      #expect(share >= low && share <= high, "\(ohms) Ohm: \(share)")
    }
    var plant = Self.plant(closed: false)
    plant.begin(.prechargeOpen)
    plant.step(commands, seconds: 1)
    #expect(plant.systemVoltage == 0)
  }

  // MARK: Loads and sources

  @Test("Loads of constant resistance, current and power take what they say")
  func loads() {
    for (demand, expected) in [(Load.Kind.resistance(0.1), 130.0), (.current(50), 50), (.power(600), 46)] {
      var plant = Self.plant()
      plant.loads = [Load(demand)]
      plant.step(Self.commands(), seconds: 10)
      #expect(abs(plant.current + expected) < 3, "\(demand): \(plant.current) A")
      var off = Self.commands()
      off.allowsDischarge = false
      plant.step(off, seconds: 1)
      #expect(abs(plant.current) < 0.1)
    }
  }

  @Test("A load of constant power stops below its lock-out of 9.3 V and starts again 10 % above it")
  func lockout() {
    var plant = Self.plant(0.03)
    var load = Load(.power(2000))
    load.lockoutVoltage = 9.3
    plant.loads = [load]
    var lowest = 100.0
    for _ in 0..<600 {
      plant.step(Self.commands(), seconds: 1)
      lowest = min(lowest, plant.systemVoltage)
    }
    #expect(lowest < 9.3 && lowest > 5)
    #expect(plant.loads[0].current == 0 && plant.systemVoltage < 10.3)
  }

  @Test("R179: the shunt does not see a bypass load, the bank does")
  func bypass() {
    var plant = Self.plant()
    plant.begin(.bypassLoad(amperes: 20))
    plant.step(Self.commands(), seconds: 5)
    #expect(abs(plant.current) < 0.1 && abs(plant.bank.current + 20) < 0.1)
  }

  @Test("R135: a charger beside the loads follows CCL, ramps, holds CVL, stops 60 s after commands vanish, ATC at once")
  func charger() {
    var plant = Self.plant()
    plant.chargers = [Charger(rating: 200)]
    plant.loads = [Load(.current(20))]
    var commands = Self.commands()
    commands.chargeCurrent = 50
    plant.step(commands, seconds: 1)
    #expect(plant.chargers[0].current <= 5, "5 A a second")
    plant.step(commands, seconds: 30)
    #expect(abs(plant.current - 50) < 0.5 && abs(plant.chargers[0].current - 70) < 0.5)
    commands.areFresh = false
    plant.step(commands, seconds: 58)
    #expect(plant.chargers[0].current > 60)
    plant.step(commands, seconds: 3)
    #expect(plant.chargers[0].current == 0)
    commands.areFresh = true
    plant.step(commands, seconds: 60)
    #expect(plant.current > 49)
    commands.allowsCharge = false
    plant.step(commands, seconds: 1)
    #expect(plant.chargers[0].current == 0)

    plant = Self.plant(0.995)
    plant.chargers = [Charger(rating: 50)]
    for _ in 0..<1800 { plant.step(Self.commands(), seconds: 1) }
    #expect(plant.systemVoltage > 14.1 && plant.systemVoltage < 14.201)
    #expect(plant.current < 20)
  }

  @Test("A runaway charger ignores every limit")
  func runaway() {
    var plant = Self.plant(0.99)
    plant.chargers = [Charger(rating: 100)]
    plant.begin(.chargerRunaway(charger: 0, volts: 16))
    plant.step(Commands(), seconds: 1)
    var commands = Commands()
    commands.closesContactor = true
    plant = Self.plant(0.99)
    plant.chargers = [Charger(rating: 100)]
    plant.begin(.chargerRunaway(charger: 0, volts: 16))
    for _ in 0..<1800 { plant.step(commands, seconds: 1) }
    #expect(plant.batteryVoltage > 15.5)
  }

  @Test("An inverter follows DCL with its loop and ramp, and stops without ATD")
  func inverter() {
    var plant = Self.plant()
    plant.inverters = [Inverter(rating: 3000)]
    plant.inverters[0].demand = 2600
    var commands = Self.commands()
    plant.step(commands, seconds: 1)
    plant.step(commands, seconds: 10)
    #expect(plant.current < -195 && plant.current > -230)
    commands.dischargeCurrent = 50
    plant.step(commands, seconds: 5)
    #expect(abs(plant.current + 50) < 1.5)
    commands.allowsDischarge = false
    plant.step(commands, seconds: 0.1)
    #expect(plant.inverters[0].current == 0)
  }

  @Test("An alternator on an open bus holds its regulated voltage, in steps of a second as in steps of a millisecond")
  func alternatorAlone() {
    var plant = PlantTests.plant(closed: false)
    plant.alternators = [Alternator()]
    plant.alternators[0].speed = 1
    var leak = Load(.resistance(5000))
    leak.obeysContact = false
    plant.loads = [leak]
    var commands = PlantTests.commands()
    commands.closesContactor = false
    for _ in 0..<300 { plant.step(commands, seconds: 1) }
    // The diodes clamp what the field gives at the start, and nothing is above that.
    #expect(plant.highestSystemVoltage < 41)
    #expect(abs(plant.systemVoltage - 14.4) < 0.1)
    #expect(abs(plant.energy.imbalance) < 0.001)
  }

  @Test("A charger that holds the bus above the battery gives what flows through the pre-charge resistor, steadily")
  func chargerAgainstPrecharge() {
    var plant = Self.plant(closed: false)
    plant.chargers = [Charger(rating: 40)]
    plant.chargers[0].link = LinkOrder(voltage: 14.2, current: 200)
    var commands = Commands()
    for _ in 0..<100 { plant.step(commands, seconds: 0.1) }
    #expect(abs(plant.systemVoltage - 14.2) < 0.01)
    commands.closesPrecharge = true
    // 5 A/s: about an ampere is there after 0.3 s, and the capacitors are full again.
    for _ in 0..<50 { plant.step(commands, seconds: 0.01) }
    for _ in 0..<200 {
      plant.step(commands, seconds: 0.01)
      let through = (plant.systemVoltage - plant.batteryVoltage) / plant.precharge.resistance
      #expect(abs(plant.systemVoltage - 14.2) < 0.01, "\(plant.systemVoltage) V")
      #expect(abs(plant.current - through) < 0.01, "\(plant.current) A into the battery")
    }
    #expect(abs(plant.energy.imbalance) < 0.001)
  }

  @Test("An alternator follows no limit but its enable input; opened under charge it dumps its load on the bus")
  func alternator() {
    var plant = Self.plant(0.5)
    plant.alternators = [Alternator()]
    plant.alternators[0].speed = 1
    var commands = Self.commands()
    commands.chargeCurrent = 0
    commands.allowsCharge = false
    plant.step(commands, seconds: 10)
    #expect(plant.current > 99)
    commands.allowsAlternator = false
    plant.step(commands, seconds: 2)
    #expect(plant.current < 1, "the field is gone within 2 s")
    commands.allowsAlternator = true
    plant.step(commands, seconds: 10)
    commands.closesContactor = false
    plant.forgetPeaks()
    plant.step(commands, seconds: 1)
    #expect(plant.highestSystemVoltage > 35 && plant.highestSystemVoltage < 45, "\(plant.highestSystemVoltage) V")
    #expect(plant.contactors[0].lastBrokenCurrent.magnitude > 90)
  }

  @Test("The sun is up from six to eighteen, clouds take three quarters, and a seed gives the same day")
  func sun() {
    var clear = Sun()
    clear.cloudiness = 0
    #expect(clear.availability(hour: 5.9, seconds: 1) == 0 && clear.availability(hour: 18.1, seconds: 1) == 0)
    #expect(abs(clear.availability(hour: 12, seconds: 1) - 1) < 1e-9)
    #expect(abs(clear.availability(hour: 8, seconds: 1) - 0.5) < 0.002)
    var (one, same) = (Sun(seed: 4), Sun(seed: 4))
    var sum = 0.0
    for minute in 0..<1440 {
      let share = one.availability(hour: Double(minute) / 60, seconds: 60)
      #expect(share == same.availability(hour: Double(minute) / 60, seconds: 60))
      sum += share / 60
    }
    #expect(sum > 4.5 && sum < 7.6, "\(sum) hours of full sun")
  }

  // MARK: Sensors

  @Test("The shunt has gain, offset, steps and a clip; noise has the stated deviation")
  func shunt() throws {
    var random = SeededGenerator(seed: 1)
    var shunt = Shunt()
    shunt.noise = 0
    shunt.offset = 0.05
    let shown = try #require(shunt.measure(100, random: &random))
    #expect(abs(shown - 100.25) < 1e-9)
    #expect(shunt.measure(2000, random: &random) == 1200 && shunt.measure(-2000, random: &random) == -1200)
    shunt = Shunt()
    shunt.resolution = 0
    var sum = 0.0
    for _ in 0..<10_000 {
      let value = try #require(shunt.measure(0, random: &random))
      sum += value * value
    }
    #expect(abs((sum / 10_000).squareRoot() - 0.020) < 0.001)
  }

  @Test("A cell sensor has steps, an offset, a delay, drop-outs, and can freeze")
  func sensors() {
    var random = SeededGenerator(seed: 1)
    var sensor = VoltageSensor()
    #expect(abs((sensor.measure(3.30049, seconds: 1, random: &random) ?? 0) - 3.3) < 1e-9)
    sensor.offset = 0.002
    #expect(abs((sensor.measure(3.3, seconds: 1, random: &random) ?? 0) - 3.302) < 1e-9)
    sensor.fault = .frozen
    #expect(abs((sensor.measure(3.9, seconds: 1, random: &random) ?? 0) - 3.302) < 1e-9)
    sensor.fault = .lost
    #expect(sensor.measure(3.9, seconds: 1, random: &random) == nil)
    sensor = VoltageSensor()
    sensor.delay = 0.5
    _ = sensor.measure(3.0, seconds: 0.25, random: &random)
    _ = sensor.measure(3.5, seconds: 0.25, random: &random)
    #expect(sensor.measure(3.5, seconds: 0.25, random: &random) == 3.0)
    #expect(sensor.measure(3.5, seconds: 0.5, random: &random) == 3.5)
    sensor.delay = 0
    sensor.dropout = 0.1
    let lost = (0..<10_000).count { _ in sensor.measure(3.5, seconds: 1, random: &random) == nil }
    #expect(lost > 900 && lost < 1100)
  }

  // MARK: Faults

  /// One of each that is physical, and what shows it.
  @Test("Every sensor fault shows in its reading and nowhere else, and ends")
  func sensorFaults() throws {
    var plant = Self.plant()
    plant.loads = [Load(.current(30))]
    plant.step(Self.commands(), seconds: 5)
    plant.measureCells()
    let healthy = plant.cellReadings
    plant.begin(.sensorLost(.cell(battery: 0, cell: 2)))
    plant.begin(.sensorOffset(.cell(battery: 0, cell: 1), by: 0.1))
    plant.begin(.sensorFrozen(.current))
    plant.begin(.sensorLost(.systemVoltage))
    plant.begin(.sensorOffset(.temperature(battery: 0), by: 30))
    let shown = plant.reading.current
    plant.loads[0].demand = .current(100)
    plant.step(Self.commands(), seconds: 5)
    plant.measureCells()
    #expect(plant.cellReadings[2] == nil)
    let first = try #require(plant.cellReadings[0])
    let second = try #require(plant.cellReadings[1])
    #expect(second - first > 0.09)
    #expect(plant.reading.current == shown && plant.current < -99)
    #expect(plant.reading.systemVoltage == nil && plant.reading.batteryVoltage != nil)
    #expect(abs((plant.temperature(ofBattery: 0) ?? 0) - 55) < 0.5)
    for fault in plant.faults { plant.end(fault) }
    plant.loads[0].demand = .current(30)
    plant.step(Self.commands(), seconds: 5)
    plant.measureCells()
    #expect(abs((plant.cellReadings[1] ?? 0) - (healthy[1] ?? 1)) < 0.01)
    #expect(plant.faults.isEmpty)
  }

  @Test("A frozen cell sensor repeats what it showed last, also what it showed before the bus fell silent")
  func frozenCell() throws {
    var plant = Self.plant()
    plant.loads = [Load(.current(30))]
    plant.step(Self.commands(), seconds: 5)
    plant.measureCells()
    let shown = try #require(plant.cellReadings[1])
    plant.begin(.busSilent)
    plant.measureCells()
    plant.begin(.sensorFrozen(.cell(battery: 0, cell: 1)))
    plant.end(.busSilent)
    plant.loads[0].demand = .current(400)
    plant.step(Self.commands(), seconds: 5)
    plant.measureCells()
    #expect(plant.cellReadings[1] == shown)
    #expect(try #require(plant.cellReadings[0]) < shown - 0.05)
    plant.end(.sensorFrozen(.cell(battery: 0, cell: 1)))
    plant.measureCells()
    #expect(try #require(plant.cellReadings[1]) < shown - 0.05)
  }

  @Test("Faults of cells, temperature, current and bus do to the plant what their names say")
  func plantFaults() {
    var plant = Self.plant()
    plant.begin(.cellCharge(battery: 0, cell: 1, ampereHours: 70))
    #expect(plant.bank.strings[0].batteries[0].voltage(ofCell: 1, at: 0) > 3.75)
    plant.begin(.cellCharge(battery: 0, cell: 2, ampereHours: -140))
    #expect(plant.bank.strings[0].batteries[0].voltage(ofCell: 2, at: 0) < 2.8)
    plant.begin(.temperature(battery: 0, celsius: -10))
    #expect(abs((plant.temperature(ofBattery: 0) ?? 0) + 10) < 0.01)
    plant = Self.plant()
    plant.begin(.surgeCharge(amperes: 450))
    plant.step(Commands.closed, seconds: 2)
    #expect(abs(plant.current - 450) < 1)
    plant.end(.surgeCharge(amperes: 450))
    plant.begin(.surgeDischarge(amperes: 700))
    plant.step(Commands.closed, seconds: 2)
    #expect(abs(plant.current + 700) < 1)
    plant.end(.surgeDischarge(amperes: 700))
    let before = plant.bank.strings[0].batteries[0].cells.map(\.charge)
    plant.begin(.cellShort(battery: 0, cell: 3, amperes: 10))
    plant.step(Commands.closed, seconds: 360)
    let after = plant.bank.strings[0].batteries[0].cells.map(\.charge)
    #expect(abs((before[3] - after[3]) - (before[0] - after[0]) - 1) < 0.001)
    plant.begin(.busSilent)
    plant.step(Commands.closed, seconds: 1)
    plant.measureCells()
    #expect(plant.reading.current == nil && plant.cellReadings.allSatisfy { $0 == nil })
    #expect(plant.temperature(ofBattery: 0) == nil)
  }

  @Test("A distributor's fuse blows and comes back, and a silent distributor does not answer")
  func distributor() {
    var plant = Self.plant()
    plant.distributors = [Distributor(address: 0), Distributor(address: 1)]
    plant.begin(.fuse(distributor: 1, fuse: 3))
    plant.begin(.distributorSilent(0))
    #expect(!plant.distributors[1].conducts(3) && plant.distributors[1].conducts(2))
    #expect(!plant.distributors[0].answers && plant.distributors[1].answers)
    plant.end(.fuse(distributor: 1, fuse: 3))
    plant.end(.distributorSilent(0))
    #expect(plant.distributors[1].conducts(3) && plant.distributors[0].answers)
  }

  @Test("When commands vanish a charger goes on for 60 s and stops, while the contactor holds")
  func commandsLost() {
    var plant = Self.plant()
    plant.chargers = [Charger(rating: 50)]
    plant.step(Self.commands(), seconds: 30)
    plant.begin(.commandsLost)
    plant.step(Self.commands(), seconds: 55)
    #expect(plant.current > 49)
    plant.step(Self.commands(), seconds: 6)
    #expect(abs(plant.current) < 0.1 && plant.contactors[0].isClosed && plant.reading.current != nil)
  }

  @Test("The air of a cold morning cools a battery over hours, and ending it brings the old air back")
  func ambient() {
    var plant = Self.plant()
    plant.begin(.ambient(celsius: -5))
    plant.step(Self.commands(), seconds: 3600)
    let after = plant.temperature(ofBattery: 0) ?? 0
    // 22 kJ/K through 0.8 K/W: 4.9 h.
    #expect(abs(after - (25 - 30 * 0.185)) < 0.3, "\(after) °C")
    plant.end(.ambient(celsius: -5))
    plant.step(Self.commands(), seconds: 36_000)
    #expect((plant.temperature(ofBattery: 0) ?? 0) > 24)
  }

  @Test("Faults that name what does not exist, or belong to who drives the plant, change nothing")
  func foreignFaults() {
    var plant = Self.plant()
    plant.step(Self.commands(), seconds: 1)
    let before = plant.bank.totalEnergy
    for fault in [
      Fault.cellCharge(battery: 9, cell: 0, ampereHours: 5), .cellShort(battery: 0, cell: 99, amperes: 5),
      .stringFuse(7), .contactor(5, .welded), .fuse(distributor: 0, fuse: 9), .sensorLost(.cell(battery: -1, cell: 0)),
      .duplicateAddress, .clockJump(seconds: 3600), .stateCorrupt, .diskFull, .processKilled, .memberLost,
    ] {
      plant.begin(fault)
      plant.end(fault)
    }
    #expect(plant.bank.totalEnergy == before)
    #expect(!Fault.diskFull.isPhysical && Fault.busSilent.isPhysical)
  }
}

extension Commands {
  /// Nothing but the contactor.
  static var closed: Commands {
    var commands = Commands()
    commands.closesContactor = true
    return commands
  }
}
