import MonotonicTime

// Area I: state of charge, consumed ampere-hours, time to go, synchronisation (R157-R182).
//
// Two counts run side by side (R170): `consumed` is raw with 99 % on charge, `missing` is what the state of charge
// lacks, enlarged by Peukert on discharge. On charge both shrink in proportion and reach full together (R171).
//
// Beside them a bound of the error is counted in ampere-hours. It begins with what a synchronisation can be wrong by and
// grows until the next (battery-physics.md section 12): gain of the shunt times throughput, offset times time, the
// efficiency's error times charge, Peukert's whole addition on discharge, and one capacity per hour while nobody looked.

struct BatteryMonitor: Sendable {
  private(set) var isKnown: Bool
  private(set) var isTrusted: Bool
  /// Ampere-hours since full, 0 or negative.
  private(set) var consumed: Double
  /// Ampere-hours the state of charge lacks, 0...capacity.
  private(set) var missing: Double
  /// Seconds that passed without being counted, since the last synchronisation.
  private(set) var uncountedSeconds: Double
  /// Seconds since the last synchronisation; nil before the first.
  private(set) var secondsSinceSynchronisation: Double?
  /// How much the count may be wrong, ampere-hours; nil when nobody can say.
  private(set) var uncertainty: Double?

  private var chargedSince: Instant?
  /// And has held for long enough: the battery is full.
  private var isCharged = false
  private var lastCurrent: Double?
  private var averageDischarge = 0.0
  private var peukert = PeukertCache()
  private var averagePeukert = PeukertCache()
  private var decay = (seconds: 0.0, share: 0.0)

  /// R173 as recorded (Z-6).
  static let averagingSeconds = 23.0

  /// - Parameter unseen: for how long nobody counted before this start; nil when that is not known.
  init(restoring snapshot: Snapshot?, unseenFor unseen: TimeSpan?, _ parameters: Parameters) {
    isKnown = snapshot?.isStateOfChargeKnown ?? false
    isTrusted = snapshot?.isStateOfChargeTrusted ?? false
    consumed = min(snapshot?.consumed ?? 0, 0)
    missing = max(snapshot?.missing ?? 0, 0)
    uncountedSeconds = max(snapshot?.uncountedSeconds ?? 0, 0)
    secondsSinceSynchronisation = snapshot?.secondsSinceSynchronisation
    uncertainty = snapshot?.uncertainAmpereHours
    if let unseen, unseen >= .zero {
      uncertainty? += parameters.unseenRate * unseen.hours
      uncountedSeconds += unseen.seconds
      if let since = secondsSinceSynchronisation { secondsSinceSynchronisation = since + unseen.seconds }
    } else {
      uncertainty = nil
    }
  }

  func stateOfCharge(_ parameters: Parameters) -> Double? {
    guard isKnown else { return nil }
    return max(quantised(100 * (1 - missing / parameters.capacity)), 0)
  }

  /// Sets the state of charge by hand (R166), which makes it trusted (R182).
  mutating func set(_ percent: Double, _ parameters: Parameters) {
    missing = parameters.capacity * (1 - percent / 100)
    consumed = -missing
    isKnown = true
    isTrusted = true
    uncertainty = parameters.capacity * Parameters.setUncertainty
  }

  /// By how much the state of charge may be wrong, percent points either way; nil while it is not trusted, and after a
  /// time nobody knows the length of.
  func stateOfChargeError(_ parameters: Parameters) -> Double? {
    guard isKnown, isTrusted, let uncertainty else { return nil }
    return min(100 * uncertainty / parameters.capacity, 100)
  }

  /// Begins to count from what an outside monitor reports. Not trusted (R182): nobody here saw it full.
  mutating func begin(at percent: Double, _ parameters: Parameters) {
    set(min(max(percent, 0), 100), parameters)
    isTrusted = false
  }

  /// Full: 100 % and nothing consumed (R162, R167).
  mutating func synchronise(_ parameters: Parameters) {
    uncertainty = parameters.capacity * Parameters.synchronisedUncertainty
    missing = 0
    consumed = 0
    isKnown = true
    isTrusted = true
    secondsSinceSynchronisation = 0
    uncountedSeconds = 0
  }

  /// Counts the time since the last step; returns whether the rule of R162 synchronised in this step.
  @inline(__always)
  mutating func step(
    _ judged: borrowing Judgement, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan
  ) -> Bool {
    if let since = secondsSinceSynchronisation { secondsSinceSynchronisation = since + elapsed.seconds }
    count(judged.current, parameters, elapsed)
    lastCurrent = judged.current
    average(judged.current, elapsed)
    return watchForFull(judged, parameters, at: now, elapsed: elapsed)
  }

  /// Zero order hold: until this step the current was what the last step knew. A gap is bounded by the limit that
  /// makes the current stale; what lies beyond it is counted as uncounted, never integrated.
  @inline(__always)
  private mutating func count(_ current: Double?, _ parameters: Parameters, _ elapsed: TimeSpan) {
    let bounded = min(elapsed, parameters.measurementStale)
    guard let held = lastCurrent, current != nil else {
      uncountedSeconds += elapsed.seconds
      uncertainty? += parameters.unseenRate * elapsed.hours
      return
    }
    uncountedSeconds += (elapsed - bounded).seconds
    uncertainty? += parameters.unseenRate * (elapsed - bounded).hours + Parameters.shuntOffset * bounded.hours
    guard isKnown, abs(held) >= Parameters.currentThreshold else { return }  // R161
    let charge = held * bounded.hours
    if charge < 0 {
      let factor = peukert.factor(-held, parameters.capacity)
      consumed += charge
      missing = min(missing - charge * factor, parameters.capacity)
      uncertainty? -= charge * (Parameters.shuntGain + factor - 1)
    } else {
      let counted = charge * Parameters.chargeEfficiency  // R159
      let left = consumed + counted
      uncertainty? += charge * (Parameters.shuntGain + Parameters.efficiencyError)
      if left >= 0 {
        consumed = 0
        missing = 0
      } else {
        missing *= left / consumed
        consumed = left
      }
    }
  }

  @inline(__always)
  private mutating func average(_ current: Double?, _ elapsed: TimeSpan) {
    guard let current, current < Parameters.currentThreshold else {
      averageDischarge = 0  // Z-6: starts from zero after a charge
      return
    }
    let discharge = current <= -Parameters.currentThreshold ? -current : 0  // R161, as it is counted
    if decay.seconds != elapsed.seconds {
      decay = (elapsed.seconds, 1 - exponential(-elapsed.seconds / BatteryMonitor.averagingSeconds))
    }
    averageDischarge += (discharge - averageDischarge) * decay.share
  }

  /// Time to the discharge floor (R172-R175).
  @inline(__always)
  mutating func timeToGo(_ current: Double?, _ stateOfCharge: Double?, _ parameters: Parameters) -> TimeSpan? {
    guard let current, current < Parameters.currentThreshold, let stateOfCharge else { return nil }
    let left = (stateOfCharge - parameters.floor) / 100 * parameters.capacity
    guard left > 0 else { return .zero }
    guard averageDischarge > 1e-6 else { return Outputs.longestTimeToGo }
    let hours = left / (averageDischarge * averagePeukert.factor(averageDischarge, parameters.capacity))
    return min(TimeSpan(seconds: (hours * 60).rounded() * 60), Outputs.longestTimeToGo)
  }

  /// R162-R164: above the charged voltage with a charge current below the tail current, for the detection time without
  /// a break. A current that flows out is no tail current, however small: a wrong sign must not synchronise.
  @inline(__always)
  private mutating func watchForFull(
    _ judged: borrowing Judgement, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan
  ) -> Bool {
    guard let voltage = judged.voltage, let current = judged.current,
      voltage > parameters.chargedVoltage,
      current >= -Parameters.currentThreshold, current < parameters.tailCurrent
    else {
      chargedSince = nil
      isCharged = false
      return false
    }
    // Nobody looked in between: the condition is not known to have held.
    if elapsed > parameters.measurementStale { chargedSince = nil }
    let since = chargedSince ?? now
    chargedSince = since
    let held = now - since
    // While it stays full it is full again in every step, but it is news only once.
    let wasCharged = isCharged
    isCharged = held >= parameters.chargedDetection
    if wasCharged, isCharged { synchronise(parameters) }
    return isCharged && !wasCharged
  }
}

/// Peukert's factor for the last current asked for; a steady current is worked out once.
private struct PeukertCache: Sendable {
  private var current = -1.0
  private var capacity = -1.0
  private var value = 1.0

  /// How much more than the current itself the state of charge falls: (I / I20)^(k - 1) (R160). Never below 1: a bank
  /// does not give more than its capacity at small currents, and too low is the safe side.
  mutating func factor(_ discharge: Double, _ ampereHours: Double) -> Double {
    if discharge == current, ampereHours == capacity { return value }
    current = discharge
    capacity = ampereHours
    let ratio = discharge * Parameters.peukertHours / ampereHours
    value = ratio <= 1 ? 1 : exponential((Parameters.peukertExponent - 1) * naturalLogarithm(ratio))
    return value
  }
}
