import MonotonicTime

@testable import BMSCore

/// A BMS with a healthy 12 V 200 Ah bank in front of it. Every step reports every role anew unless it was silenced.
struct Rig {
  var bms: BMS
  var inputs = Inputs()
  var now = Instant.origin + .seconds(1000)
  var out = Outputs()
  var voltage: Double? = 13.2
  var current: Double? = 0
  var temperature: Double? = 20
  var lowest: Double? = 3.3
  var highest: Double? = 3.3
  var system: Double?
  var remote: Bool?
  var period = TimeSpan.milliseconds(100)

  init(
    _ settings: Settings = Settings(), wiring: Wiring = Wiring(), restoring snapshot: Snapshot? = nil,
    afterUpdate: Bool = false
  ) {
    bms = BMS(settings: settings, wiring: wiring, restoring: snapshot, afterUpdate: afterUpdate)
    inputs.batteryVoltage = .waiting
    inputs.current = .waiting
    inputs.batteryTemperature = .waiting
    inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting)
  }

  /// A bank at rest whose full charge cycle is over and whose state of charge is known.
  static func resting(_ settings: Settings = Settings(), wiring: Wiring = Wiring(), soc: Double = 90) -> Rig {
    var snapshot = Snapshot()
    snapshot.isStateOfChargeKnown = true
    snapshot.isStateOfChargeTrusted = true
    snapshot.missing = settings[.batteryCapacity] * (1 - soc / 100)
    snapshot.consumed = -snapshot.missing
    snapshot.secondsSinceFullCharge = 0
    var rig = Rig(settings, wiring: wiring, restoring: snapshot)
    let factor = settings.bankFactor
    rig.voltage = 13.2 * factor
    rig.step()
    return rig
  }

  /// One step after `span`, one period by default.
  @discardableResult
  mutating func step(after span: TimeSpan? = nil) -> Outputs {
    now += span ?? period
    if let voltage { inputs.batteryVoltage.report(voltage, at: now) }
    if let current { inputs.current.report(current, at: now) }
    if let temperature { inputs.batteryTemperature.report(temperature, at: now) }
    if let lowest { inputs.cellExtremes.lowest.report(lowest, at: now) }
    if let highest { inputs.cellExtremes.highest.report(highest, at: now) }
    if let system { inputs.systemVoltage.report(system, at: now) }
    if let remote { inputs.remote.bridge = ContactFeedback(isClosed: remote, at: now) }
    out = bms.step(inputs, at: now)
    return out
  }

  /// Steps of one period for `span`; returns whether anything in between met the condition.
  @discardableResult
  mutating func run(_ span: TimeSpan, until met: (Outputs) -> Bool = { _ in false }) -> Bool {
    let end = now + span
    while now < end {
      step(after: min(period, end - now))
      if met(out) { return true }
    }
    return false
  }

  mutating func cells(_ low: Double, _ high: Double) {
    lowest = low
    highest = high
  }
}

/// At once, as without pre-alarm (R328).
func unannounced(_ changes: (Setting, Double)...) throws -> Settings {
  var settings = Settings()
  try settings.set(changes + [(.preAlarm, 0)])
  return settings
}

func settings(_ changes: (Setting, Double)...) throws -> Settings {
  var settings = Settings()
  try settings.set(changes)
  return settings
}
