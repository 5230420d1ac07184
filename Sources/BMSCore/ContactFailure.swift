import MonotonicTime

// Error 36: current flows although ATC or ATD forbids it (R121-R123, OD-11). It is the fault users see most (Z-9):
// something is not wired to the contact that should stop it.

struct ContactFailure: Sendable {
  /// One direction.
  private struct Course {
    /// For how long the contact has been open; nil while it is closed.
    var openFor: TimeSpan?
    /// For how long no forbidden current has flowed, while the error is there.
    var quietFor: TimeSpan?
    var isActive = false
    /// For how long the error has been there.
    var activeFor = TimeSpan.zero

    /// Without an error the time without current means nothing.
    var isAtRest: Bool { openFor == nil && !isActive }
  }

  private var charge = Course()
  private var discharge = Course()

  /// Both contacts are closed and no error is there.
  var isAtRest: Bool { charge.isAtRest && discharge.isAtRest }

  /// R122.
  static let chargeLimit = 1.0
  /// R121.
  static let dischargeLimit = 1.5
  /// OD-11: chargers and loads need so long to stop, and so long without current ends the error.
  static let delay = TimeSpan.seconds(10)

  /// The direction that flows although it is forbidden.
  var direction: CurrentDirection? { discharge.isActive ? .discharge : charge.isActive ? .charge : nil }

  /// For how long a forbidden current has been an error (OD-12).
  func activeFor(_ direction: CurrentDirection) -> TimeSpan {
    let course = direction == .charge ? charge : discharge
    return course.isActive ? course.activeFor : .zero
  }

  /// For how long a contact has been open; nil while it is closed.
  func openFor(_ direction: CurrentDirection) -> TimeSpan? { (direction == .charge ? charge : discharge).openFor }

  @inline(__always)
  mutating func evaluate(_ current: Double?, chargeAllowed: Bool, dischargeAllowed: Bool, elapsed: TimeSpan) {
    ContactFailure.judge(
      current.map { $0 > ContactFailure.chargeLimit }, isOpen: !chargeAllowed, elapsed, &charge)
    ContactFailure.judge(
      current.map { $0 < -ContactFailure.dischargeLimit }, isOpen: !dischargeAllowed, elapsed, &discharge)
  }

  private static func judge(_ flows: Bool?, isOpen: Bool, _ elapsed: TimeSpan, _ course: inout Course) {
    course.openFor = isOpen ? course.openFor.map { $0 + elapsed } ?? .zero : nil
    if course.isActive { course.activeFor += elapsed }
    guard let flows else {
      course.quietFor = nil  // not known is not gone
      return
    }
    if flows, isOpen {
      course.quietFor = nil
      if !course.isActive, (course.openFor ?? .zero) >= delay {
        course.isActive = true
        course.activeFor = .zero
      }
      return
    }
    let quiet = course.quietFor.map { $0 + elapsed } ?? .zero
    course.quietFor = quiet
    if quiet >= delay { course.isActive = false }
  }
}
