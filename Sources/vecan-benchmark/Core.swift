import ArgumentParser
import BMSCore
import MonotonicTime

struct Core: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures one step of the BMS of a 16-cell bank.",
    discussion: "Every step sees new values of every input. What reporting them takes is measured by itself and "
      + "subtracted. Nothing is wrong, so that the steps are quiet ones; with a warning every rule is asked in each. "
      + "Prints the best and the median of the rounds in nanoseconds of processor time, and how often memory was asked "
      + "for.")

  @Option(help: "Steps in a round.")
  var steps = 200_000

  @Option(help: "How many rounds.")
  var rounds = 9

  func run() throws {
    var desk = try Desk()
    var stepping: [Double] = []
    var asking: [Double] = []
    var reporting: [Double] = []
    var requests: UInt64 = 0
    // The first round warms up.
    for round in 0...rounds {
      let reports = measure(&desk, decides: false)
      let both = measure(&desk, decides: true)
      desk.isWarned = true
      let warned = measure(&desk, decides: true)
      desk.isWarned = false
      guard round > 0 else { continue }
      requests += both.requests + warned.requests
      reporting.append(reports.nanoseconds)
      stepping.append(both.nanoseconds - reports.nanoseconds)
      asking.append(warned.nanoseconds - reports.nanoseconds)
    }
    print("a step of the BMS: \(summary(of: &stepping)), \(requests) requests for memory")
    print("a step with a warning, which asks every rule: \(summary(of: &asking))")
    print("reporting 16 cells, two voltages, current, temperature and a contact: \(summary(of: &reporting))")
    print("  \(desk.allowed) of \(2 * (rounds + 1) * steps) steps allowed both directions, checksum \(desk.checksum)")
  }

  private func measure(_ desk: inout Desk, decides: Bool) -> (nanoseconds: Double, requests: UInt64) {
    let watch = Stopwatch()
    desk.run(steps, decides: decides)
    return (watch.nanoseconds / Double(steps), watch.requests)
  }

  private func summary(of values: inout [Double]) -> String {
    values.sort()
    return "best \(text(values[0])) ns, median \(text(values[values.count / 2])) ns"
  }
}

/// A BMS in service with inputs that change in every step.
private struct Desk {
  private var bms: BMS
  private var inputs = Inputs()
  private let places: [CellPlace]
  private var now = Instant.origin
  private var phase = 0
  private(set) var allowed = 0
  private(set) var checksum = 0.0
  /// One that forbids nothing.
  var isWarned: Bool {
    get { inputs.isStateNotStored }
    set { inputs.isStateNotStored = newValue }
  }

  init() throws {
    bms = try BMS(settings: .bank48, wiring: Wiring(contactors: .one))
    places = CellPlace.series(16)
    inputs.cells = CellTable(expectedCount: places.count)
  }

  mutating func run(_ steps: Int, decides: Bool) {
    for _ in 0..<steps {
      report()
      if decides { decide() }
    }
  }

  private mutating func report() {
    now += .seconds(1)
    phase = (phase + 1) % 4096
    // A triangle of 68 minutes through charge and discharge, well inside of every limit.
    let swing = Double(abs(phase - 2048)) / 1024 - 1
    let volts = 53.2 + swing
    inputs.batteryVoltage.report(volts, at: now)
    inputs.systemVoltage.report(volts - 0.01, at: now)
    inputs.current.report(40 * swing + 0.01 * Double(phase % 7), at: now)
    inputs.batteryTemperature.report(20 + swing, at: now)
    inputs.contactorFeedback = ContactFeedback(isClosed: isClosed, at: now)
    for index in 0..<places.count {
      inputs.cells.report(volts / 16 + 0.0003 * Double((phase + 5 * index) % 16), of: places[index], at: now)
    }
  }

  private var isClosed = false

  private mutating func decide() {
    bms.decide(inputs, at: now)
    isClosed = bms.decided.contactorCommand
    if bms.decided.chargeAllowed, bms.decided.dischargeAllowed { allowed += 1 }
    checksum += bms.decided.limits.chargeVoltage ?? 0
  }
}

extension Settings {
  /// A bank of 16 cells of 200 Ah.
  static var bank48: Settings {
    get throws {
      var settings = Settings()
      try settings.set([(.nominalVoltage, 48), (.batteryCapacity, 200)])
      return settings
    }
  }
}

extension CellPlace {
  /// The places of so many cells in series in batteries of four.
  static func series(_ count: Int) -> [CellPlace] {
    (0..<count).compactMap { CellPlace(battery: 1 + $0 / 4, cell: 1 + $0 % 4) }
  }
}
