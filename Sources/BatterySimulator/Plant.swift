// The whole plant in virtual time: bank, shunt, contactors with pre-charge, load bus, sources, loads, sensors.
//
// The circuit has two nodes, the battery side and the system side, joined by shunt and contactors. A step takes all of
// it as straight pieces (Circuit.swift), solves the two equations, and gives each part the current at the solved voltage.

/// What the sensors show. Nil is a sensor that says nothing; it is never zero.
public struct PlantReading: Sendable, Hashable {
  /// Before the contactor, volts.
  public var batteryVoltage: Double?
  /// Behind it, volts.
  public var systemVoltage: Double?
  /// Through the shunt, amperes, charge positive.
  public var current: Double?
  /// What the contactors' auxiliary contacts say: all of them closed.
  public var contactorClosed = false
}

/// Where the energy of the circuit went, joules.
public struct EnergyAccount: Sendable, Hashable {
  /// Chargers and alternator gave this.
  public var sources = 0.0
  /// Loads and the voltage taps took this.
  public var loads = 0.0
  /// The bank took this at its terminals.
  public var bank = 0.0
  /// Heat of contactors, shunt and pre-charge resistor.
  public var path = 0.0
  /// In the capacitors of the bus.
  public var stored = 0.0
  /// Heat inside of these capacitors.
  public var capacitors = 0.0

  /// What is missing: zero to rounding.
  public var imbalance: Double { sources - loads - bank - path - stored - capacitors }
}

/// A bank with everything around it.
public struct Plant: Sendable {
  /// The cells.
  public var bank: Bank
  /// One, or two in parallel (model 1000).
  public var contactors = [Contactor()]
  /// The resistor beside them.
  public var precharge = Precharge()
  /// The current sensor.
  public var shunt = Shunt()
  /// Capacitors on the load bus, farads: 1 to 50 mF.
  public var busCapacitance = 0.020
  /// Chargers.
  public var chargers: [Charger] = []
  /// Loads.
  public var loads: [Load] = []
  /// Inverters.
  public var inverters: [Inverter] = []
  /// Alternators.
  public var alternators: [Alternator] = []
  /// Distributors.
  public var distributors: [Distributor] = []
  /// Bank voltage before the contactor.
  public var batterySensor = VoltageSensor(resolution: 0.01)
  /// Voltage behind it.
  public var systemSensor = VoltageSensor(resolution: 0.01)
  /// One for each cell, in the order of strings, batteries, cells.
  public var cellSensors: [VoltageSensor] {
    get {
      var sensors = sensors
      for (index, reading) in cellReadings.enumerated() where sensors.indices.contains(index) {
        if let reading, sensors[index].isPlain { sensors[index].note(reading) }
      }
      return sensors
    }
    set {
      sensors = newValue
      arrangeSensors()
    }
  }
  /// No step inside is longer than this, seconds.
  public var longestStep = 1.0

  /// Volts before the contactor, mean of the last step.
  public private(set) var batteryVoltage: Double
  /// Volts behind it.
  public private(set) var systemVoltage = 0.0
  /// The highest voltage behind it since ``forgetPeaks()``: a load dump is over before the next reading.
  public private(set) var highestSystemVoltage = 0.0
  /// True current through the shunt, amperes, charge positive.
  public private(set) var current = 0.0
  /// Seconds since the start.
  public private(set) var elapsed = 0.0
  /// What the sensors show.
  public private(set) var reading = PlantReading()
  /// What each cell's sensor shows, volts, in the order of ``cellSensors``; brought up to date by ``measureCells()``.
  public private(set) var cellReadings: [Double?]
  /// What the temperature sensor of each battery shows, degrees Celsius; brought up to date by
  /// ``measureTemperatures()``.
  public private(set) var temperatureReadings: [Double?]
  /// Where the energy went.
  public private(set) var energy = EnergyAccount()
  /// The faults that are present.
  public private(set) var faults: Set<Fault> = []

  private var sensors: [VoltageSensor]
  /// The same in pairs, those of a battery from an even place on; empty when one of them is not plain.
  private var sensorPairs: [SensorPair] = []
  private var random: SeededGenerator
  private var isMoving = false
  private var sinceCells = 0.0
  // What faults add.
  private var circuitFaults = CircuitFaults()
  private var busConductance = 0.0
  private var isBusSilent = false
  private var isCommandless = false
  private var isPrechargeBroken = false
  private var usualAmbient = 25.0
  private var temperatureSensors = TemperatureSensors()

  /// The voltage taps of a BMS, siemens: they keep a bank without strings at a defined voltage.
  private static let tap = 1e-6
  /// The bus moves faster than this, volts in a millisecond, as long as it is stepped by the millisecond.
  private static let movement = 0.001

  /// Steps of a millisecond in one call: a charger and a load with lock-out can keep an open bus moving for ever.
  private static let mostFineSteps = 2000

  /// A plant around a bank, everything open and the bus empty.
  public init(_ bank: Bank, seed: UInt64 = 1) {
    self.bank = bank
    batteryVoltage = bank.voltage
    random = SeededGenerator(seed: seed)
    let cells = bank.strings.reduce(0) { $0 + $1.batteries.reduce(0) { $0 + $1.cellCount } }
    sensors = Array(repeating: VoltageSensor(), count: cells)
    cellReadings = Array(repeating: nil, count: cells)
    temperatureReadings = Array(repeating: nil, count: bank.batteryCount)
    arrangeSensors()
  }

  /// Lets time pass under these commands.
  public mutating func step(_ commands: Commands, seconds: Double) {
    guard seconds > 0, seconds.isFinite else { return }
    var commands = commands
    if isBusSilent || isCommandless { commands.areFresh = false }
    for index in contactors.indices where contactors[index].isCommanded != commands.closesContactor {
      contactors[index].command(closed: commands.closesContactor)
    }
    let switchesOn = commands.closesPrecharge && !isPrechargeBroken
    if switchesOn != precharge.isOn {
      if switchesOn { precharge.energy = 0 }
      precharge.isOn = switchesOn
      isMoving = true
    }
    var left = seconds
    var fineSteps = Plant.mostFineSteps
    while left > 1e-9 {
      var length = min(left, max(longestStep, 0.001))
      var isAnyClosed = false
      for index in contactors.indices {
        length = min(length, contactors[index].untilChange)
        if contactors[index].isClosed { isAnyClosed = true }
      }
      if isMoving && !isAnyClosed && fineSteps > 0 {
        length = min(length, 0.001)
        fineSteps -= 1
      }
      length = max(length, 1e-6)
      left -= length
      advance(commands, length)
    }
    measure(seconds)
  }

  private mutating func advance(_ commands: Commands, _ seconds: Double) {
    let volts = systemVoltage
    let (conductance, injection) = bank.prepare(seconds: seconds)

    // The path: shunt in series with the closed contactors and the pre-charge resistor.
    var contacts = precharge.isOn ? 1 / max(precharge.resistance, 1e-4) : 0
    var isHeld = false
    for index in contactors.indices where contactors[index].isClosed {
      contacts += contactors[index].pathConductance
      isHeld = true
    }
    let path = contacts / (1 + shunt.resistance * contacts)
    let capacitor = max(busCapacitance, 1e-5) / seconds
    let circuit = Circuit(
      bank: Branch(conductance: conductance + Plant.tap, injection: injection), path: path,
      capacitor: Branch(conductance: capacitor + busConductance, injection: capacitor * volts), isHeld: isHeld,
      faults: circuitFaults)
    let solution = circuit.advance(
      commands, from: (batteryVoltage, volts), seconds, &chargers, &alternators, &loads, &inverters)
    let (atBattery, atSystem) = (solution.battery, solution.system)
    batteryVoltage = atBattery
    systemVoltage = atSystem
    highestSystemVoltage = max(highestSystemVoltage, atSystem)
    let before = -current
    let discharge = path * (atBattery - atSystem)
    current = -discharge

    bank.advance(voltage: atBattery, seconds: seconds)
    energy.bank += atBattery * bank.current * seconds
    energy.sources += solution.given * seconds
    energy.loads +=
      (solution.taken + busConductance * atSystem * atSystem + Plant.tap * atBattery * atBattery) * seconds
    energy.path += discharge * (atBattery - atSystem) * seconds
    // Of the contacts; open ones carry nothing.
    let drop = contacts > 0 ? atBattery - atSystem - discharge * shunt.resistance : 0
    shunt.heat += discharge * discharge * shunt.resistance * seconds
    precharge.advance(current: precharge.isOn ? drop / max(precharge.resistance, 1e-4) : 0, seconds: seconds)
    let change = atSystem - volts
    let farads = capacitor * seconds
    energy.stored += farads * (atSystem + volts) / 2 * change
    // A step moves the charge of the capacitors at the voltage of its end; the rest is the heat of their resistance.
    energy.capacitors += farads * change * change / 2
    elapsed += seconds

    var moved = false
    var contactors = contactors.mutableSpan
    for index in contactors.indices {
      if contactors[index].isClosed {
        contactors[index].heat += drop * drop * contactors[index].pathConductance * seconds
      }
      if contactors[index].advance(seconds: seconds, current: before) { moved = true }
    }
    isMoving = moved || abs(change) > Plant.movement * max(seconds * 1000, 1)
  }

  @inline(__always)
  private mutating func measure(_ seconds: Double) {
    sinceCells += seconds
    var closed = true
    for index in contactors.indices where !contactors[index].feedback { closed = false }
    guard !isBusSilent else {
      reading = PlantReading(contactorClosed: closed)
      return
    }
    reading.current = shunt.measure(current, random: &random)
    reading.batteryVoltage = batterySensor.measure(batteryVoltage, seconds: seconds, random: &random)
    reading.systemVoltage = systemSensor.measure(systemVoltage, seconds: seconds, random: &random)
    reading.contactorClosed = closed
  }

  /// Brings ``cellReadings`` up to date. It is a call of its own: who reads extremes only need not pay for it.
  public mutating func measureCells() {
    if isBusSilent {
      for index in cellReadings.indices { cellReadings[index] = nil }
      sinceCells = 0
      return
    }
    if !bank.show(by: sensorPairs, in: &cellReadings) { measureSlowly() }
    sinceCells = 0
  }

  /// Lets each sensor look for itself.
  private mutating func measureSlowly() {
    var place = 0
    for string in bank.strings {
      for battery in string.batteries {
        for cell in battery.cellIndices where sensors.indices.contains(place + cell) {
          cellReadings[place + cell] = sensors[place + cell].measure(
            battery.voltage(ofCell: cell, at: string.current), seconds: sinceCells, random: &random)
        }
        place += battery.cellCount
      }
    }
  }

  private mutating func arrangeSensors() {
    sensorPairs = []
    guard sensors.allSatisfy(\.isPlain) else { return }
    var place = 0
    for battery in bank.strings.lazy.flatMap(\.batteries) {
      var pairs = Array(repeating: SensorPair(), count: (battery.cellCount + 1) / 2)
      for (cell, sensor) in sensors.dropFirst(place).prefix(battery.cellCount).enumerated() {
        pairs[cell / 2].put(sensor, cell)
      }
      sensorPairs += pairs
      place += battery.cellCount
    }
    if place != sensors.count { sensorPairs = [] }
  }

  /// What the temperature sensor of a battery shows, degrees Celsius.
  public func temperature(ofBattery index: Int) -> Double? {
    guard !isBusSilent, let battery = battery(index) else { return nil }
    return temperatureSensors.shown(battery.celsius, ofBattery: index)
  }

  /// Brings ``temperatureReadings`` up to date. To ask for them one by one copies the whole plant each time.
  public mutating func measureTemperatures() {
    guard !isBusSilent, temperatureSensors.areHealthy else {
      for index in temperatureReadings.indices { temperatureReadings[index] = temperature(ofBattery: index) }
      return
    }
    bank.showTemperatures(in: &temperatureReadings)
  }

  /// A battery by its number over all strings.
  public func battery(_ index: Int) -> Battery? {
    guard let (string, place) = locate(index) else { return nil }
    return bank.strings[string].batteries[place]
  }

  /// Forgets the highest bus voltage.
  public mutating func forgetPeaks() { highestSystemVoltage = systemVoltage }

  private func locate(_ battery: Int) -> (string: Int, place: Int)? {
    var left = battery
    for (index, string) in bank.strings.enumerated() {
      if string.batteries.indices.contains(left) { return (index, left) }
      left -= string.batteries.count
    }
    return nil
  }

  private func cellPlace(_ battery: Int, _ cell: Int) -> Int? {
    guard let (string, place) = locate(battery) else { return nil }
    var first = 0
    for earlier in bank.strings[..<string] { first += earlier.batteries.reduce(0) { $0 + $1.cellCount } }
    for earlier in bank.strings[string].batteries[..<place] { first += earlier.cellCount }
    guard bank.strings[string].batteries[place].cellIndices.contains(cell) else { return nil }
    return first + cell
  }

  // MARK: Faults

  /// Begins a fault. What names a part that does not exist does nothing; it is listed all the same.
  public mutating func begin(_ fault: Fault) {
    guard faults.insert(fault).inserted else { return }
    set(fault, true)
  }

  /// Ends a fault. What it did to charge and heat stays.
  public mutating func end(_ fault: Fault) {
    guard faults.remove(fault) != nil else { return }
    set(fault, false)
  }

  private mutating func set(_ fault: Fault, _ isOn: Bool) {
    switch fault {
    case .cellCharge(let battery, let cell, let ampereHours):
      guard isOn, let (string, place) = locate(battery) else { return }
      bank.strings[string].batteries[place].inject(ampereHours: ampereHours, intoCell: cell)
    case .cellShort(let battery, let cell, let amperes):
      guard let (string, place) = locate(battery) else { return }
      bank.strings[string].batteries[place].drain(amperes: isOn ? amperes : 0, fromCell: cell)
    case .chargerRunaway(let index, let volts):
      guard chargers.indices.contains(index) else { return }
      chargers[index].obeys = !isOn
      if isOn { chargers[index].ownVoltage = volts }
    case .temperature(let battery, let celsius):
      guard isOn, let (string, place) = locate(battery) else { return }
      bank.strings[string].batteries[place].setTemperature(celsius)
    case .ambient(let celsius):
      if isOn { usualAmbient = battery(0)?.ambient ?? 25 }
      bank.setAmbient(isOn ? celsius : usualAmbient)
    case .surgeCharge(let amperes): circuitFaults.surge = isOn ? max(amperes, 0) : 0
    case .surgeDischarge(let amperes): circuitFaults.drain = isOn ? max(amperes, 0) : 0
    case .bypassLoad(let amperes): circuitFaults.bypass = isOn ? max(amperes, 0) : 0
    case .sensorLost(let sensor): setSensor(sensor, isOn ? .lost : .none)
    case .sensorFrozen(let sensor): setSensor(sensor, isOn ? .frozen : .none)
    case .sensorOffset(let sensor, let offset): setOffset(sensor, isOn ? offset : -offset)
    case .contactor(let index, let fault):
      guard contactors.indices.contains(index) else { return }
      if isOn { contactors[index].faults.insert(fault) } else { contactors[index].faults.remove(fault) }
      isMoving = true
    case .prechargeOpen: isPrechargeBroken = isOn
    case .busResistance(let ohms):
      busConductance = isOn && ohms > 0 ? 1 / ohms : 0
      isMoving = true
    case .stringFuse(let index):
      guard bank.strings.indices.contains(index) else { return }
      bank.strings[index].isConnected = !isOn
    case .fuse(let index, let fuse):
      guard distributors.indices.contains(index), distributors[index].blown.indices.contains(fuse) else { return }
      distributors[index].blown[fuse] = isOn
    case .distributorSilent(let index):
      guard distributors.indices.contains(index) else { return }
      distributors[index].answers = !isOn
    case .busSilent:
      // What each showed last outlives the readings.
      if isOn { cellSensors = cellSensors }
      isBusSilent = isOn
    case .commandsLost: isCommandless = isOn
    case .duplicateAddress, .clockJump, .stateCorrupt, .diskFull, .processKilled, .memberLost: break
    }
  }

  private mutating func setSensor(_ sensor: Sensor, _ fault: SensorFault) {
    switch sensor {
    case .current: shunt.fault = fault
    case .batteryVoltage: batterySensor.fault = fault
    case .systemVoltage: systemSensor.fault = fault
    case .cell(let battery, let cell):
      guard let place = cellPlace(battery, cell), cellSensors.indices.contains(place) else { return }
      cellSensors[place].fault = fault
    case .temperature(let battery):
      temperatureSensors.frozen[battery] = fault == .frozen ? self.battery(battery)?.celsius : nil
      if fault == .lost { temperatureSensors.lost.insert(battery) } else { temperatureSensors.lost.remove(battery) }
    }
  }

  private mutating func setOffset(_ sensor: Sensor, _ change: Double) {
    switch sensor {
    case .current: shunt.offset += change
    case .batteryVoltage: batterySensor.offset += change
    case .systemVoltage: systemSensor.offset += change
    case .cell(let battery, let cell):
      guard let place = cellPlace(battery, cell), cellSensors.indices.contains(place) else { return }
      cellSensors[place].offset += change
    case .temperature(let battery): temperatureSensors.offsets[battery, default: 0] += change
    }
  }
}
