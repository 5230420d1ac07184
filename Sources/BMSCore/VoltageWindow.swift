import MonotonicTime

// Area L: the windows of battery voltage (R204-R208, C-4) and which bank a voltage means (R17).

/// What a battery voltage says about the bank, against the nominal voltage that is set.
public enum VoltageVerdict: UInt8, Sendable, Hashable {
  /// In the window of the nominal voltage that is set (R204).
  case inside
  /// In the window of another nominal voltage: E-B34 (R205).
  case wrongSystem
  /// In the gap between two windows: E-B34 (R207).
  case betweenWindows
  /// Outside 9...60 V: E-B09 (R206).
  case notAllowed
}

/// The windows of R204.
public enum VoltageWindows {
  /// The window of a nominal voltage: 9...15, 16...30 or 32...60 V.
  public static func window(of nominal: Double) -> ClosedRange<Double> {
    nominal == 48 ? 32...60 : nominal == 24 ? 16...30 : 9...15
  }

  /// The nominal voltage that a battery voltage means; nil in a gap and outside, where nothing is guessed (R17, R208).
  public static func nominal(of volts: Double) -> Double? {
    switch volts {
    case window(of: 12): 12
    case window(of: 24): 24
    case window(of: 48): 48
    default: nil
    }
  }

  static func verdict(_ volts: Double, nominal: Double) -> VoltageVerdict {
    if window(of: nominal).contains(volts) { return .inside }
    if !(9...60 ~= volts) { return .notAllowed }
    return VoltageWindows.nominal(of: volts) == nil ? .betweenWindows : .wrongSystem
  }
}

/// Watches the window. A bank that was inside is given as long as a silent one before it is forbidden, so that one
/// torn sample opens nothing. Nothing is given to a bank that was not inside just before: after a start, and where the
/// voltage was lost or impossible, the first one decides.
struct VoltageSupervision: Sendable {
  /// What is in force.
  private(set) var verdict = VoltageVerdict.inside
  private var wasInside = false
  /// Inside when it was seen last, and seen without a gap since.
  private var hasGrace = false
  private var outsideFor: TimeSpan?
  private var insideFor: TimeSpan?

  /// Inside for now, and no time counts.
  var isAtRest: Bool { verdict == .inside && wasInside && hasGrace && outsideFor == nil }

  /// Our number, as long as the other releases of OD-3 and OD-11: a voltage at the edge must not make contacts chatter.
  static let hold = TimeSpan.seconds(10)

  @inline(__always)
  mutating func evaluate(_ voltage: Double?, _ parameters: Parameters, elapsed: TimeSpan) {
    guard let voltage else {
      insideFor = nil  // not seen is not inside
      hasGrace = false
      return
    }
    let now = VoltageWindows.verdict(voltage, nominal: parameters.nominal)
    guard now == .inside else {
      insideFor = nil
      let outside = outsideFor.map { $0 + elapsed } ?? .zero
      outsideFor = outside
      if !hasGrace || verdict != .inside || outside >= parameters.measurementStale { verdict = now }
      return
    }
    outsideFor = nil
    hasGrace = true
    if !wasInside {
      // The first good voltage after a start, or after the nominal voltage was changed.
      wasInside = true
      verdict = .inside
    }
    guard verdict != .inside else { return }
    let inside = elapsed < parameters.measurementStale ? insideFor.map { $0 + elapsed } ?? .zero : .zero
    insideFor = inside
    if inside >= VoltageSupervision.hold { verdict = .inside }
  }

  /// The nominal voltage was changed (R248): the next voltage decides anew.
  mutating func reset() { self = VoltageSupervision() }
}
