import MonotonicTime

// Whether a charger stands on the system side (R45, R59, C-1, OD-7). What it means depends on the contactor: while that
// is open the load's capacitors still hold the battery's voltage and must not be taken for a charger.

/// What a charger on the system side can do for the battery.
enum ChargerPresence: Sendable, Hashable {
  /// Nobody can say: the system voltage is not known, or it may be the battery's own.
  case unknown
  case absent
  /// It stands before a contactor that stays open whatever it does.
  case shutOut
  case present
  /// Current flows into the battery, and may.
  case charging

  /// R45: the charge voltage is there.
  @inline(__always)
  var isThere: Bool { self == .shutOut || mayCharge }

  /// R52: it charges, or can be let in.
  @inline(__always)
  var mayCharge: Bool { self == .present || self == .charging }
}

struct ChargeVoltage: Sendable {
  private(set) var isPresent = false
  /// The system side has been below the level since the contactor opened.
  private var hasFallen = false
  private var wasClosed = true
  private var aboveFor: TimeSpan?
  private var wasFed = false
  /// A charger stood there when the pre-charge began: it is not forgotten for that.
  private var stoodBefore = false

  /// The contactor has been closed since the step before: what is present is then decided anew in every step.
  var isAtRest: Bool { wasClosed }

  /// R45, per 12 V.
  static let level = 11.7
  /// C-1, OD-7: or so much above the battery.
  static let aboveBattery = 0.5
  /// OD-7.
  static let hold = TimeSpan.seconds(2)

  /// - Parameter isFed: the pre-charge resistor feeds the system side. What stands there is then the battery itself, and
  ///   stays in the load's capacitors afterwards.
  @inline(__always)
  mutating func evaluate(
    system: Double?, battery: Double?, current: Double?, isClosed: Bool, isFed: Bool, _ parameters: Parameters,
    elapsed: TimeSpan
  ) {
    if isClosed != wasClosed {
      hasFallen = false
      aboveFor = nil
    }
    wasClosed = isClosed
    if isFed, !wasFed { stoodBefore = isPresent }
    if isFed, !stoodBefore { hasFallen = false }
    wasFed = isFed
    guard let system, !isFed else {
      aboveFor = nil
      isPresent = false
      return
    }
    let isAbove = system > parameters.chargeVoltageLevel
    if isClosed {
      // OD-7 has "not negative". But a battery that rests behind open loads is above 11.7 V too and carries nothing: it
      // would be its own charger and the five minutes (R51, R53) would never begin. What charges, flows.
      isPresent = isAbove && (current.map { $0 > Parameters.currentThreshold } ?? false)
      return
    }
    if !isAbove { hasFallen = true }
    let isCharger = isAbove && hasFallen || battery.map { system > quantised($0 + ChargeVoltage.aboveBattery) } ?? false
    aboveFor = isCharger ? aboveFor.map { $0 + elapsed } ?? .zero : nil
    isPresent = (aboveFor ?? .zero) >= ChargeVoltage.hold
  }
}
