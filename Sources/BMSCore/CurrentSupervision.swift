import MonotonicTime

// Area K: current above the continuous rating (R196-R203, OD-22, OD-24).
//
// Above the continuous rating a budget of 5 minutes is used up, below it the budget refills at the same rate (OD-22), so
// that pulses add up. Above the peak, or with the budget used up, the alarm begins; after 30 s of it the contact of the
// direction concerned is opened (R198, R124) and tried again 5 minutes later (R202). The 30 s fill and empty in the
// same way as the budget: a current that dips for one sample every 29 s must not go on for ever. The contactor warms
// the same in both directions, so there is one budget; the contact that opens is the one of the present direction.

/// Which way current flows.
public enum CurrentDirection: UInt8, Sendable, Hashable, CaseIterable {
  /// Into the battery; its contact is ATC.
  case charge = 0
  /// Out of the battery; its contact is ATD.
  case discharge = 1
}

struct CurrentSupervision: Sendable {
  /// One direction's course from the alarm to the retry.
  struct Course: Sendable {
    /// How much of the 30 s is used.
    var graceUsed = TimeSpan.zero
    /// Until the contact is tried again; nil while it is not held open.
    var retryIn: TimeSpan?
    /// Above the peak, or above the rating without budget, now.
    var isExceeded = false

    var isOpen: Bool { retryIn != nil }
    /// The alarm gives the reason of a stop, so it stays as long as the stop.
    var isAlarm: Bool { isExceeded || isOpen }
    var isAtRest: Bool { graceUsed == .zero && !isAlarm }
  }

  private(set) var charge: Course
  private(set) var discharge: Course
  /// How much of the 5 minutes is used.
  private(set) var budgetUsed: TimeSpan
  /// W-B02 (OD-24).
  private(set) var warning: CurrentDirection?
  private var overFor: TimeSpan?
  /// The last step knew the current.
  private var wasKnown = false

  /// No contact is open, and no budget is used that time would give back.
  var isAtRest: Bool {
    budgetUsed == .zero && overFor == nil && warning == nil && charge.isAtRest && discharge.isAtRest
  }

  /// R196.
  static let budget = TimeSpan.minutes(5)
  /// R198.
  static let grace = TimeSpan.seconds(30)
  /// R202.
  static let retry = TimeSpan.minutes(5)
  /// OD-24.
  static let warningDelay = TimeSpan.seconds(10)

  init(restoring snapshot: Snapshot?) {
    func course(_ grace: Double?, _ retry: Double?) -> Course {
      Course(
        graceUsed: min(TimeSpan(seconds: grace ?? 0), CurrentSupervision.grace),
        retryIn: retry.map { min(TimeSpan(seconds: $0), CurrentSupervision.retry) })
    }
    charge = course(snapshot?.chargeGraceSeconds, snapshot?.chargeRetrySeconds)
    discharge = course(snapshot?.dischargeGraceSeconds, snapshot?.dischargeRetrySeconds)
    budgetUsed = min(TimeSpan(seconds: snapshot?.overcurrentSeconds ?? 0), CurrentSupervision.budget)
  }

  subscript(_ direction: CurrentDirection) -> Course {
    switch direction {
    case .charge: charge
    case .discharge: discharge
    }
  }

  @inline(__always)
  mutating func evaluate(_ current: Double?, _ parameters: Parameters, elapsed: TimeSpan) {
    // In a gap nobody saw the current fall: it refills nothing beyond the time that makes a current stale.
    let known = wasKnown ? min(elapsed, parameters.measurementStale) : .zero
    wasKnown = current != nil
    let wasOver = overFor != nil
    budgetUsed = wasOver ? min(budgetUsed + elapsed, CurrentSupervision.budget) : max(budgetUsed - known, .zero)
    CurrentSupervision.pass(elapsed, known, &charge)
    CurrentSupervision.pass(elapsed, known, &discharge)
    // A lost current ends nothing; both contacts are open by then for the loss itself.
    guard let current else { return }
    let direction = current > 0 ? CurrentDirection.charge : .discharge
    let isOver = abs(current) > parameters.rating
    overFor = isOver ? (wasOver ? (overFor ?? .zero) + elapsed : .zero) : nil
    warning = (overFor ?? .zero) >= CurrentSupervision.warningDelay ? direction : nil
    let isExceeded =
      abs(current) > parameters.peak || (isOver && budgetUsed >= CurrentSupervision.budget)  // R197
    CurrentSupervision.judge(isExceeded && direction == .charge, &charge)
    CurrentSupervision.judge(isExceeded && direction == .discharge, &discharge)
  }

  /// Time passes under what the last step saw.
  private static func pass(_ elapsed: TimeSpan, _ known: TimeSpan, _ course: inout Course) {
    course.graceUsed = course.isExceeded ? min(course.graceUsed + elapsed, grace) : max(course.graceUsed - known, .zero)
    guard let left = course.retryIn else { return }
    course.retryIn = left > elapsed ? left - elapsed : nil
  }

  private static func judge(_ isExceeded: Bool, _ course: inout Course) {
    course.isExceeded = isExceeded
    guard isExceeded, course.graceUsed >= grace, !course.isOpen else { return }
    course.retryIn = retry
    course.graceUsed = .zero
  }
}
