import ArgumentParser
import BMSCore
import BatterySimulator
import MonotonicTime

struct Year: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lets a BMS and a 16-cell bank live through a year by the second.",
    discussion: "Sun by day with clouds, loads in the evening. Prints the processor time and what became of the bank, "
      + "so that it can be seen that it lived.")

  @Option(help: "How many days.")
  var days = 365

  @Option(help: "The seed of cells, clouds and noise.")
  var seed: UInt64 = 1

  func run() throws {
    var boat = try Boat(seed: seed)
    boat.live(seconds: 3600)
    let watch = Stopwatch()
    boat.live(seconds: days * 86_400 - 3600)
    let seconds = watch.nanoseconds / 1e9
    let requests = watch.requests
    let steps = Double(days) * 86_400
    print(
      "\(days) days, \(Int(steps)) steps: \(text(seconds, places: 2)) s of processor time, "
        + "\(text(seconds * 1e9 / steps)) ns a step of both, \(requests) requests for memory after the first hour")
    boat.tell()
  }
}

/// A bank with sun, loads and a BMS that has a contactor to command.
private struct Boat {
  private var plant: Plant
  private var bms: BMS
  private var inputs = Inputs()
  private let places: [CellPlace]
  private var sun: Sun
  private var second = 0
  private var lowest = 100.0
  private var fullCharges = 0
  private var openingsOfATC = 0

  init(seed: UInt64) throws {
    var parameters = BatteryParameters()
    parameters.cellCount = 16
    parameters.capacity = 200
    // Balanced: what an unbalanced bank does for weeks is a scenario of its own.
    parameters.chargeSpread = 0.0005
    let battery = Battery(parameters, stateOfCharge: 0.6, celsius: 22, seed: seed)
    plant = Plant(Bank([BatteryString([battery])]), seed: seed)
    plant.chargers = [Charger(rating: 45)]
    plant.loads = [Load(.current(3))]
    plant.inverters = [Inverter(rating: 3000, nominalVoltage: 48)]
    sun = Sun(seed: seed)
    bms = try BMS(settings: .bank48, wiring: Wiring(contactors: .one))
    try bms.perform(.setStateOfCharge(60))
    places = CellPlace.series(16)
    inputs.cells = CellTable(expectedCount: places.count)
  }

  mutating func live(seconds: Int) {
    for _ in 0..<seconds { step() }
  }

  private mutating func step() {
    second += 1
    let now = Instant.origin + .seconds(Int64(second))
    let hour = Double(second % 86_400) / 3600
    plant.chargers[0].availability = sun.availability(hour: hour, seconds: 1)
    plant.inverters[0].demand = hour >= 18 && hour < 23 ? 800 : 0

    plant.measureCells()
    plant.measureTemperatures()
    let reading = plant.reading
    if let volts = reading.batteryVoltage { inputs.batteryVoltage.report(volts, at: now) }
    if let volts = reading.systemVoltage { inputs.systemVoltage.report(volts, at: now) }
    if let amperes = reading.current { inputs.current.report(amperes, at: now) }
    if let celsius = plant.temperatureReadings[0] { inputs.batteryTemperature.report(celsius, at: now) }
    inputs.contactorFeedback = ContactFeedback(isClosed: reading.contactorClosed, at: now)
    inputs.cells.report(plant.cellReadings, of: places, at: now)

    let wasAllowed = bms.decided.chargeAllowed
    bms.decide(inputs, at: now)
    if wasAllowed, !bms.decided.chargeAllowed { openingsOfATC += 1 }
    if bms.decided.events.fullChargeCompleted { fullCharges += 1 }
    if let percent = bms.decided.stateOfCharge { lowest = min(lowest, percent) }

    var commands = Commands()
    commands.chargeVoltage = bms.decided.limits.chargeVoltage
    commands.chargeCurrent = bms.decided.limits.chargeCurrent
    commands.dischargeCurrent = bms.decided.limits.dischargeCurrent
    commands.allowsCharge = bms.decided.chargeAllowed
    commands.allowsDischarge = bms.decided.dischargeAllowed
    commands.closesContactor = bms.decided.contactorCommand
    commands.closesPrecharge = bms.decided.prechargeCommand
    plant.step(commands, seconds: 1)
  }

  func tell() {
    let (history, outputs) = (bms.history, bms.decided)
    let real = plant.bank.stateOfCharge * 100
    print(
      "  \(outputs.state), \(text(plant.batteryVoltage, places: 2)) V, state of charge "
        + "\(outputs.stateOfCharge.map { text($0) } ?? "unknown") % by the BMS and \(text(real)) % in truth, "
        + "lowest \(text(lowest)) %")
    print(
      "  \(history.chargeCycles) cycles, \(fullCharges) full charges, "
        + "\(text(history.drawnAmpereHours, places: 0)) Ah drawn, \(text(history.chargedEnergy)) kWh in, "
        + "\(text(history.dischargedEnergy)) kWh out, ATC opened \(openingsOfATC) times, "
        + "\(history.lastErrors.count) errors")
    print(
      "  energy of the circuit: \(text(plant.energy.sources / 3.6e6)) kWh from sources, "
        + "imbalance \(text(plant.energy.imbalance, places: 6)) J")
    print("  digest of the end: \(digest)")
  }

  /// All that a year adds up to, as one number: a change that only makes a step faster leaves it as it was.
  private var digest: String {
    var text = "\(plant.energy)\(plant.bank.totalEnergy)\(plant.reading)\(plant.cellReadings)"
    for string in plant.bank.strings {
      for battery in string.batteries {
        for cell in battery.cells { text += "\(cell.charge) " }
      }
    }
    var value: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(text)\(bms.decided)\(bms.snapshot)\(bms.history)".utf8 {
      value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    return String(value, radix: 16)
  }
}
