import MonotonicTime

// Area E: pre-alarm and low cell (R82-R97, OD-3, OD-12).
//
// One rule with two steps: the pre-alarm announces, and 30 s after it began, not before (R84), a cell at the low
// threshold disconnects the loads. A cell below 2.6 V does not wait for anything (OD-12's hard limit).
//
// Time is counted in spans, not instants, so that a restart goes on where the last run stopped: a program that is
// restarted again and again must not grant the loads 30 s each time.

struct LowCell: Sendable {
  /// Loads are to be disconnected; ends at 3.2 V (R93).
  private(set) var isActive: Bool
  /// It was a cell below the hard limit that disconnected them.
  private(set) var isHard: Bool
  /// A cell is near the low threshold (R83).
  private(set) var isPreAlarm: Bool
  /// For how long the pre-alarm has lasted; stops at ``grace``.
  private(set) var preAlarmAge: TimeSpan
  /// For how long every cell has been above the release voltage (OD-3).
  private var recoveredFor: TimeSpan?
  /// For how long every cell has been at ``resume``, while loads are disconnected.
  private var restedFor: TimeSpan?

  /// R84: at least so long between the pre-alarm and the disconnection.
  static let grace = TimeSpan.seconds(30)
  /// OD-3.
  static let preAlarmHysteresis = 0.05
  static let preAlarmHold = TimeSpan.seconds(10)
  /// OD-12: below it there is no grace.
  static let hardLimit = 2.6
  /// R93: loads return when every cell is here.
  static let resume = 3.2
  /// Ours, as OD-12 is: and after a cell below the hard limit only when it was so for as long as R84 lies between all other
  /// disconnections. An empty cell recovers in a second without its load, and the contact would chatter.
  static let hardHold = grace

  init(restoring snapshot: Snapshot?) {
    isActive = snapshot?.lowCell ?? false
    isHard = isActive && snapshot?.isLowCellHard ?? false
    isPreAlarm = snapshot?.preAlarm ?? false
    preAlarmAge = min(TimeSpan(seconds: snapshot?.preAlarmSeconds ?? 0), LowCell.grace)
  }

  /// Nothing holds and no time counts.
  var isAtRest: Bool { !isActive && !isPreAlarm }

  /// How long until the loads may be disconnected; zero when that is now.
  var graceLeft: TimeSpan { isPreAlarm ? LowCell.grace - preAlarmAge : LowCell.grace }

  @inline(__always)
  mutating func evaluate(_ judged: borrowing Judgement, _ parameters: Parameters, elapsed: TimeSpan) {
    // The pre-alarm goes on while nobody can see the cells: silence ends nothing and stops no clock.
    if isPreAlarm { preAlarmAge = min(preAlarmAge + elapsed, LowCell.grace) }
    guard let cell = judged.lowestCell?.value else {
      recoveredFor = nil
      restedFor = nil
      return
    }
    let isComplete = judged.cellState.isUsable
    evaluatePreAlarm(cell, isComplete, parameters, elapsed)
    let isRecovered = isComplete && cell >= LowCell.resume
    restedFor = isActive && isRecovered ? LowCell.held(restedFor, elapsed, parameters) : nil
    if cell < LowCell.hardLimit {
      isActive = true
      isHard = true
    } else if cell <= parameters.lowCell, !parameters.preAlarm || graceLeft == .zero {  // R92, R84
      isActive = true
    } else if isRecovered, !isHard || (restedFor ?? .zero) >= LowCell.hardHold {  // R93
      // Above every threshold the pre-alarm can have (R343): it is over with the alarm it announced.
      if isActive { isPreAlarm = false }
      isActive = false
      isHard = false
    }
  }

  /// Nobody looked in a gap: it does not count as recovered.
  private static func held(_ span: TimeSpan?, _ elapsed: TimeSpan, _ parameters: Parameters) -> TimeSpan {
    elapsed < parameters.cellStale ? span.map { $0 + elapsed } ?? .zero : .zero
  }

  private mutating func evaluatePreAlarm(
    _ cell: Double, _ isComplete: Bool, _ parameters: Parameters, _ elapsed: TimeSpan
  ) {
    guard parameters.preAlarm else {
      isPreAlarm = false
      return
    }
    if cell <= parameters.preAlarmCell {  // R83, R88
      if !isPreAlarm { preAlarmAge = .zero }
      isPreAlarm = true
    }
    guard isPreAlarm, isComplete, cell >= parameters.preAlarmRelease else {
      recoveredFor = nil
      return
    }
    let held = LowCell.held(recoveredFor, elapsed, parameters)
    recoveredFor = held
    if held >= LowCell.preAlarmHold {  // OD-3
      isPreAlarm = false
      recoveredFor = nil
    }
  }
}

/// The level of the low cell alarm as a GX device knows it (R103).
public enum LowCellLevel: UInt8, Sendable {
  /// 0.
  case fine
  /// 1: pre-alarm.
  case almostDischarged
  /// 2: loads are disconnected.
  case low
}
