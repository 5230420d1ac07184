import MonotonicTime

// Area J: the history (R183-R195, OD-10). A value of its own: clearing it changes nothing else (R190), and what never
// was has no number instead of a false one (R193, Z-10).

/// A fault as the list of last errors keeps it (R194).
public struct ErrorEntry: Sendable, Hashable, Codable {
  /// The alarm's code, for example "E-B36".
  public let code: String
  /// Its number on a GX device.
  public let gxNumber: Int
  /// Running seconds of the history when it was raised; ``History/runningSeconds`` less this is its age.
  public let at: Double
}

/// The history of the battery since it was last cleared.
public struct History: Sendable, Hashable, Codable {
  /// Seconds counted since it was cleared.
  public internal(set) var runningSeconds = 0.0
  /// The most ampere-hours that were missing, 0 or negative (R183); nil before the state of charge was known.
  public internal(set) var deepestDischarge: Double?
  /// The deepest discharge since the last synchronisation, 0 or negative (R191).
  public internal(set) var lastDischarge: Double?
  /// Cycles: below 65 % and then above 90 % (R184).
  public internal(set) var chargeCycles = 0
  /// Below 5 % (R185).
  public internal(set) var fullDischarges = 0
  /// Ampere-hours drawn, raw (R186).
  public internal(set) var drawnAmpereHours = 0.0
  /// Battery voltage, volts, while running (R187).
  public internal(set) var lowestVoltage: Double?
  /// Battery voltage, volts, while running.
  public internal(set) var highestVoltage: Double?
  /// Cell voltage, volts, while running (R192).
  public internal(set) var lowestCell: Double?
  /// Cell voltage, volts, while running.
  public internal(set) var highestCell: Double?
  /// Degrees Celsius, while running (R192).
  public internal(set) var lowestTemperature: Double?
  /// Degrees Celsius, while running.
  public internal(set) var highestTemperature: Double?
  /// Synchronisations from below 90 % (R188).
  public internal(set) var synchronisations = 0
  /// Kilowatt-hours out of the battery (R189).
  public internal(set) var dischargedEnergy = 0.0
  /// Kilowatt-hours into the battery (R189).
  public internal(set) var chargedEnergy = 0.0
  /// How often an error ended running (R195).
  public internal(set) var errorShutdowns = 0
  /// The last four errors, newest first (R194).
  public internal(set) var lastErrors: [ErrorEntry] = []

  var isCycleBegun = false
  var isFullDischargeCounted = false

  /// A history of nothing.
  public init() {}

  /// Ampere-hours of a mean discharge, 0 or negative (R191); nil before the first cycle.
  public var averageDischarge: Double? {
    // Not with a sign before it: of nothing that is -0.
    chargeCycles > 0 ? (0 - drawnAmpereHours) / Double(chargeCycles) : nil
  }

  /// R184.
  static let cycleBelow = 65.0
  static let cycleAbove = 90.0
  /// R185, OD-10.
  static let fullDischargeBelow = 5.0
  static let fullDischargeRearm = 15.0
  /// R188.
  static let countsSynchronisationBelow = 90.0
  /// R194.
  static let errorSlots = 4

  /// Whether every number can be one (see ``Snapshot/defect``).
  var isSound: Bool {
    let sums = [runningSeconds, drawnAmpereHours, dischargedEnergy, chargedEnergy]
    let extremes = [
      deepestDischarge, lastDischarge, lowestVoltage, highestVoltage, lowestCell, highestCell, lowestTemperature,
      highestTemperature,
    ]
    return sums.allSatisfy { $0.isFinite && $0 >= 0 } && extremes.allSatisfy { $0?.isFinite ?? true }
      && min(chargeCycles, fullDischarges, synchronisations, errorShutdowns) >= 0
      && lastErrors.count <= History.errorSlots
  }
}

/// Writes the history: what was held since the last step, then what this step found.
struct HistoryKeeper: Sendable {
  var history: History
  private var lastCurrent: Double?
  private var lastVoltage: Double?
  private var wasRunning = false

  init(restoring snapshot: Snapshot?) { history = snapshot?.history ?? History() }

  @inline(__always)
  mutating func step(_ outputs: inout Outputs, _ parameters: Parameters, elapsed: TimeSpan) {
    history.runningSeconds += elapsed.seconds
    integrate(min(elapsed, parameters.measurementStale))
    lastCurrent = outputs.current
    lastVoltage = outputs.voltage
    if let percent = outputs.stateOfCharge { countCycles(percent) }
    noteDischarge(outputs.consumed, outputs.events.synchronised)
    let isRunning = outputs.state == .running
    if isRunning { noteExtremes(&outputs) }
    if wasRunning, outputs.state == .error { history.errorShutdowns += 1 }
    wasRunning = isRunning
    for alarm in outputs.events.raised {
      let row = alarm.definition
      if row.severity == .error, let number = row.gxNumber { noteError(row.code, number) }
    }
  }

  /// R190.
  mutating func clear() { history = History() }

  /// Zero order hold, as the battery monitor counts; a gap is bounded in the same way.
  @inline(__always)
  private mutating func integrate(_ span: TimeSpan) {
    guard let current = lastCurrent, abs(current) >= Parameters.currentThreshold else { return }
    let ampereHours = current * span.hours
    history.drawnAmpereHours -= min(ampereHours, 0)
    guard let voltage = lastVoltage else { return }
    let kilowattHours = ampereHours * voltage / 1000
    history.dischargedEnergy -= min(kilowattHours, 0)
    history.chargedEnergy += max(kilowattHours, 0)
  }

  @inline(__always)
  private mutating func countCycles(_ percent: Double) {
    if percent < History.cycleBelow {
      history.isCycleBegun = true
    } else if percent > History.cycleAbove, history.isCycleBegun {
      history.isCycleBegun = false
      history.chargeCycles += 1
    }
    if percent < History.fullDischargeBelow {
      if !history.isFullDischargeCounted { history.fullDischarges += 1 }
      history.isFullDischargeCounted = true
    } else if percent > History.fullDischargeRearm {
      history.isFullDischargeCounted = false
    }
  }

  @inline(__always)
  private mutating func noteDischarge(_ consumed: Double?, _ synchronisation: SynchronisationRecord?) {
    if let record = synchronisation, record.cause == .charged || record.cause == .commanded {
      if let before = record.before, before < History.countsSynchronisationBelow { history.synchronisations += 1 }
      history.lastDischarge = nil
    }
    guard let consumed else { return }
    history.deepestDischarge = min(history.deepestDischarge ?? consumed, consumed)
    history.lastDischarge = min(history.lastDischarge ?? consumed, consumed)
  }

  /// R187: only what is good and running; real units keep the 0.70 V of a power-up for ever.
  @inline(__always)
  private mutating func noteExtremes(_ outputs: inout Outputs) {
    @inline(__always)
    func note(_ low: Double?, _ high: Double?, _ lowest: inout Double?, _ highest: inout Double?) {
      guard let low, let high else { return }
      if low < lowest ?? .infinity { lowest = low }
      if high >= highest ?? -.infinity { highest = high }
    }
    note(outputs.voltage, outputs.voltage, &history.lowestVoltage, &history.highestVoltage)
    note(
      outputs.lowestCell?.value, outputs.highestCell?.value, &history.lowestCell, &history.highestCell)
    note(
      outputs.lowestTemperature?.value, outputs.highestTemperature?.value, &history.lowestTemperature,
      &history.highestTemperature)
  }

  private mutating func noteError(_ code: String, _ number: Int) {
    if history.lastErrors.count == History.errorSlots { history.lastErrors.removeLast() }
    history.lastErrors.insert(ErrorEntry(code: code, gxNumber: number, at: history.runningSeconds), at: 0)
  }
}
