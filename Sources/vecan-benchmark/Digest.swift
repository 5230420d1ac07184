import ArgumentParser
import BMSCore
import CANBus
import MonotonicTime

struct Digest: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints a digest of everything the BMS decides in random runs.",
    discussion: "A change that only makes the core faster leaves it as it was: compare before and after.")

  @Option(help: "Steps for each of eight ways to wire and to set.")
  var steps = 5000

  @Option(help: "The seed of the runs.")
  var seed: UInt64 = 1

  func run() throws {
    for way in 0..<8 {
      var run = try RandomRun(way: way, seed: seed)
      for _ in 0..<steps { try run.step() }
      let digest = String(run.digest, radix: 16)
      print("way \(way): \(digest), \(run.allowed) steps allowed something, \(run.raised) alarms raised")
    }
  }
}

/// A BMS that is told anything, and everything it answers as one number.
private struct RandomRun {
  private var random: SeededGenerator
  private var bms: BMS
  private let wiring: Wiring
  private var inputs = Inputs()
  private var out = Outputs()
  private let places: [CellPlace]
  private var now = Instant.origin + .seconds(100)
  private let nominal: Double
  private var centre = 3.3
  private var current = 0.0
  private var celsius = 20.0
  private var isSilent = false
  private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
  private(set) var allowed = 0
  private(set) var raised = 0

  init(way: Int, seed: UInt64) throws {
    random = SeededGenerator(seed: seed &* 8 &+ UInt64(way))
    nominal = way % 3 == 0 ? 48 : way % 3 == 1 ? 12 : 24
    var settings = Settings()
    var changes: [(Setting, Double)] = [
      (.nominalVoltage, nominal), (.dischargeFloor, 20), (.lowStateOfChargeWarning, 25),
    ]
    if way & 1 != 0 { changes += [(.relayIntermittent, 1), (.relayOnWarning, 1), (.dischargeLimitAtPreAlarm, 1)] }
    if way & 2 != 0 { changes += [(.preAlarm, 0), (.currentReversed, 1), (.temperatureRequired, 1)] }
    if way & 4 != 0 { changes += [(.relayAlternator, 1), (.maximumChargeCurrent, 60)] }
    try settings.set(changes)
    wiring = Wiring(contactors: [.one, .none, .two, .one][way & 3])
    bms = BMS(settings: settings, wiring: wiring)
    places = CellPlace.series(Int(nominal / 3))
    if way != 5 { inputs.cells = CellTable(expectedCount: places.count) }
    inputs.batteryVoltage = .waiting
    inputs.current = .waiting
    if way & 1 == 0 { inputs.batteryTemperature = .waiting }
    if way == 5 { inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting) }
  }

  mutating func step() throws {
    now += .milliseconds(
      one(in: 300) ? Int64.random(in: 1...90_000, using: &random) : Int64.random(in: 1...1200, using: &random))
    if one(in: 200) { centre = Double.random(in: 2.55...3.8, using: &random) }
    if one(in: 50) { centre = 3.3 }
    if one(in: 30) { current = Double.random(in: -700...700, using: &random) }
    if one(in: 20) { current = Double.random(in: -20...20, using: &random) }
    if one(in: 400) { celsius = Double.random(in: -5...60, using: &random) }
    if one(in: isSilent ? 5 : 200) { isSilent.toggle() }
    if !isSilent || one(in: 4) { report() }
    try command()
    out = bms.step(inputs, at: now)
    if out.chargeAllowed || out.dischargeAllowed { allowed += 1 }
    raised += out.events.raised.count
    fold("\(out)")
    if one(in: 100) { fold("\(bms.snapshot)\(bms.history)\(Alarm.allCases.map { bms.record(of: $0) })") }
  }

  private mutating func report() {
    for place in places where !one(in: 20) {
      if one(in: 4000) { inputs.cells.report(.sensorError, of: place) }
      let volts = one(in: 5000) ? 7 : centre + Double.random(in: -0.02...0.02, using: &random)
      inputs.cells.report(volts, of: place, at: now)
    }
    if inputs.cellExtremes.lowest.validity != .unassigned {
      inputs.cellExtremes.lowest.report(centre - 0.02, at: now)
      inputs.cellExtremes.highest.report(centre + 0.02, at: now)
    }
    let volts = centre * nominal / 3
    inputs.batteryVoltage.report(one(in: 2000) ? -5 : volts, at: now)
    inputs.current.report(current + Double.random(in: -0.1...0.1, using: &random), at: now)
    if one(in: 2) { inputs.batteryTemperature.report(celsius, at: now) }
    if one(in: 3000) { inputs.temperatureExtremes.lowest.report(celsius - 3, at: now) }
    if wiring.contactors != .none {
      let isThere = out.contactorCommand != one(in: 3000)
      let rises = isThere || out.prechargeCommand || one(in: 9)
      inputs.systemVoltage.report(rises ? volts - 0.01 : one(in: 3) ? volts + 1 : 3, at: now)
      inputs.contactorFeedback = ContactFeedback(isClosed: isThere, at: now)
      inputs.secondContactorFeedback = ContactFeedback(isClosed: isThere, at: now)
      if one(in: 900) { inputs.thermalSwitch = ContactFeedback(isClosed: !one(in: 2), at: now) }
    }
    if one(in: 500) { inputs.remote.bridge = ContactFeedback(isClosed: !one(in: 3), at: now) }
    if one(in: 60), inputs.remote.bridge.validity != .unassigned {
      inputs.remote.bridge = ContactFeedback(isClosed: true, at: now)
    }
    if one(in: 8) {
      let blown: UInt8 = one(in: 30) ? 4 : 0
      inputs.distributors[Int.random(in: 0..<4, using: &random)] = DistributorReport(
        blown: blown, hasPower: !one(in: 30), at: now)
    }
    if one(in: 700) { inputs.bmsTemperature.report(Double.random(in: 60...80, using: &random), at: now) }
  }

  private mutating func command() throws {
    if one(in: 2000) { inputs.shutdown.toggle() }
    if inputs.shutdown, one(in: 20) { inputs.shutdown = false }
    if one(in: 3000) { inputs.areSettingsLost = true } else if one(in: 30) { inputs.areSettingsLost = false }
    if one(in: 900) { try bms.perform(.setStateOfCharge(Double.random(in: 0...100, using: &random))) }
    if one(in: 2000) { try bms.perform(.synchronise) }
    if one(in: 2000) { try bms.perform(.clearHistory) }
    if one(in: 100), let mode = [Mode.on, .on, .standby, .off].randomElement(using: &random) {
      // A refusal is an answer too, and it shows in what comes after.
      do { try bms.perform(.requestMode(mode, by: .app)) } catch { fold("\(error)") }
    }
    if one(in: 900) { bms = BMS(settings: bms.settings, wiring: wiring, restoring: bms.snapshot) }
  }

  private mutating func one(in count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

  private mutating func fold(_ text: String) {
    for byte in text.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }
}
