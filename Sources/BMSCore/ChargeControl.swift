import MonotonicTime

// The charge algorithm of area H: 13.5 V per 12 V at rest, 14.2 V in a full charge cycle with a counted absorption.

/// What begins a full charge cycle.
public enum FullChargeTrigger: UInt8, Sendable, Hashable {
  /// First start, or no stored state (R17, R26).
  case firstStart
  /// After an update (R139).
  case update
  /// The state of charge fell below the threshold, or the threshold was raised above it (R137, R144).
  case stateOfCharge
  /// The repeated absorption interval has passed (R138).
  case interval
  /// Battery voltage below 12 V per 12 V (R140).
  case lowVoltage
  /// A low cell (R141).
  case lowCell
}

struct ChargeControl: Sendable {
  private(set) var isFullCharge: Bool
  private(set) var isAbsorbing = false
  /// Absorption counted in this cycle, seconds.
  private(set) var absorbedSeconds: Double
  /// Running seconds since the last completed cycle (OD-23); nil before the first.
  private(set) var secondsSinceFullCharge: Double?
  private var pending: FullChargeTrigger?
  private var conditions: Conditions

  /// The conditions that begin a cycle when they come true, not while they stay true: a bank whose state of charge
  /// reads low after a completed absorption would otherwise be absorbed for ever.
  private struct Conditions: OptionSet {
    let rawValue: UInt8
    static let belowThreshold = Conditions(rawValue: 1)
    static let lowVoltage = Conditions(rawValue: 2)
    static let lowCell = Conditions(rawValue: 4)
  }

  var phase: ChargePhase { !isFullCharge ? .resting : isAbsorbing ? .absorption : .bulk }
  var storedConditions: UInt8 { conditions.rawValue }

  /// - Parameter unseen: for how long nobody counted before this start; nil when that is not known. The month goes on in it
  ///   (R138, OD-23).
  init(restoring snapshot: Snapshot?, unseenFor unseen: TimeSpan?, afterUpdate: Bool) {
    isFullCharge = snapshot?.isFullCharge ?? false
    absorbedSeconds = max(snapshot?.absorbedSeconds ?? 0, 0)
    secondsSinceFullCharge = snapshot?.secondsSinceFullCharge.map { $0 + max(unseen?.seconds ?? 0, 0) }
    conditions = Conditions(rawValue: snapshot?.chargeConditions ?? 0)
    pending = snapshot == nil ? .firstStart : afterUpdate ? .update : nil
  }

  mutating func step(
    _ judged: borrowing Judgement, _ parameters: Parameters, stateOfCharge: Double?, lowCell: Bool, elapsed: TimeSpan,
    events: inout StepEvents
  ) {
    if let since = secondsSinceFullCharge { secondsSinceFullCharge = since + elapsed.seconds }
    if let trigger = trigger(judged, parameters, stateOfCharge, lowCell) {
      if !isFullCharge || absorbedSeconds > 0 { events.fullChargeStarted = trigger }
      isFullCharge = true
      isAbsorbing = false
      absorbedSeconds = 0
    }
    if isFullCharge { absorb(judged.voltage, parameters, elapsed, &events) }
  }

  private mutating func trigger(
    _ judged: borrowing Judgement, _ parameters: Parameters, _ stateOfCharge: Double?, _ lowCell: Bool
  ) -> FullChargeTrigger? {
    var present = conditions
    func note(_ condition: Conditions, _ isTrue: Bool) {
      if isTrue { present.insert(condition) } else { present.remove(condition) }
    }
    if let stateOfCharge { note(.belowThreshold, stateOfCharge < parameters.threshold) }
    if let voltage = judged.voltage { note(.lowVoltage, voltage < parameters.lowVoltageTrigger) }
    note(.lowCell, lowCell)
    let new = present.subtracting(conditions)
    conditions = present
    if let trigger = pending {
      pending = nil
      return trigger
    }
    if new.contains(.lowCell) { return .lowCell }
    if new.contains(.lowVoltage) { return .lowVoltage }
    if new.contains(.belowThreshold) { return .stateOfCharge }
    if !isFullCharge, parameters.intervalSeconds > 0, let since = secondsSinceFullCharge,
      since >= parameters.intervalSeconds
    {
      return .interval
    }
    return nil
  }

  /// OD-19: counts from CVL - 0.05 V per 12 V on, pauses below CVL - 0.2 V and keeps what was counted.
  private mutating func absorb(
    _ voltage: Double?, _ parameters: Parameters, _ elapsed: TimeSpan, _ events: inout StepEvents
  ) {
    guard let voltage, voltage >= parameters.absorptionPause else {
      isAbsorbing = false
      return
    }
    guard isAbsorbing else {
      isAbsorbing = voltage >= parameters.absorptionStart
      return
    }
    // A gap is not absorption: nobody saw the voltage hold.
    absorbedSeconds += min(elapsed, parameters.measurementStale).seconds
    guard absorbedSeconds >= parameters.absorptionSeconds else { return }
    isFullCharge = false
    isAbsorbing = false
    absorbedSeconds = 0
    secondsSinceFullCharge = 0
    events.fullChargeCompleted = true
  }

  /// CVL while data is good (R136, R152).
  func chargeVoltage(_ voltage: Double?, _ parameters: Parameters) -> (volts: Double, rule: Rule) {
    if isFullCharge {
      return (parameters.fullChargeVoltage, parameters.isCapped ? .installerCap : .fullCharge)
    }
    guard let voltage else { return (parameters.restingVoltage, .resting) }
    let follow = quantised(voltage - parameters.restingDrop)
    if follow <= parameters.restingVoltage { return (parameters.restingVoltage, .resting) }
    if follow <= parameters.fullChargeVoltage { return (follow, .restingFollowsBattery) }
    return (parameters.fullChargeVoltage, parameters.isCapped ? .installerCap : .restingFollowsBattery)
  }
}

extension Parameters {
  /// Whether the installer's cap is what limits the full charge voltage.
  fileprivate var isCapped: Bool { fullChargeVoltage >= voltageCap && voltageCap < fullChargeVoltageUncapped }
}
