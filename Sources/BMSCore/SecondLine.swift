import MonotonicTime

// The contactor as the second line of defence (R74): current that ATC or ATD did not stop, while a cell is in danger.
//
// For discharge OD-12 gives the numbers: error 36 for 30 s more and a cell below 2.6 V. For charge no number is stated;
// the same 30 s and the cell at 3.75 V (R104) are taken, because an alternator that cannot be stopped is the worse case.
//
// Either way what obeys nobody is given one more try, and after that one an hour. It would otherwise be connected and torn
// off again for as long as it runs, each time under its full current.
//
// The older manual's rule (R75) is a setting: 30 s after ATD opened, whatever for, more than 0.7 A that is still drawn opens
// the contactor.

struct SecondLine: Sendable {
  private(set) var holdsOpen: CurrentDirection?
  /// A charger was let in, and what stops discharge has not ended since.
  private var hasLetIn = false
  /// It was held open for charge once before: then until no charger stands there any more.
  private var hasRetriedCharge = false
  /// For how long none has stood there.
  private var chargerGoneFor = TimeSpan.zero
  /// For how long none must have stood there. One whose voltage dies with the contactor is gone each time.
  private var mustBeGoneFor = SecondLine.delay
  /// For how long every charger has obeyed since, while charge was forbidden.
  private var obeyedFor = TimeSpan.zero
  /// It was held open for discharge once before, until what stopped it ended: a cell is up as soon as its load is torn off.
  private var hasRetriedDischarge = false
  /// For how long it has been held open for discharge; and after that has been closed.
  private var heldFor = TimeSpan.zero
  private var closedFor = TimeSpan.zero
  /// R75: how much of the 30 s was drawn behind the open ATD; time without it gives it back.
  private var drawnFor = TimeSpan.zero
  /// The last reading was of such a load.
  private var isDrawn = false

  var isAtRest: Bool {
    holdsOpen == nil && !hasRetriedCharge && mustBeGoneFor == SecondLine.delay && !hasRetriedDischarge && !isDrawn
      && drawnFor == .zero
  }

  /// OD-12.
  static let delay = TimeSpan.seconds(30)
  /// Ours: after so long without charge that was forbidden the next one is another's.
  static let forgiven = TimeSpan.minutes(10)
  /// R75.
  static let oldRuleCurrent = 0.7

  init(restoring snapshot: Snapshot?) { holdsOpen = snapshot?.heldOpen.flatMap(CurrentDirection.init(rawValue:)) }

  /// - Parameters:
  ///   - isStopped: a protection, not the mode or the contactor itself, forbids discharge.
  ///   - isFed: the system side has the voltage of R45, so that a charger may stand there; nil while nobody can say.
  ///   - carries: the contactor is closed, so that there is something to obey.
  @inline(__always)
  mutating func evaluate(
    _ contacts: ContactFailure, _ judged: borrowing Judgement, _ protection: Protection,
    isDischargeStopped isStopped: Bool, isFed: Bool?, carries: Bool,
    _ parameters: Parameters, elapsed: TimeSpan
  ) {
    watch(judged.current, isOpen: contacts.openFor(.discharge) != nil, elapsed)
    if contacts.activeFor(.discharge) >= SecondLine.delay, let cell = judged.lowestCell?.value,
      cell < LowCell.hardLimit
    {
      holdsOpen = .discharge
    } else if contacts.activeFor(.charge) >= SecondLine.delay, let cell = judged.highestCell?.value,
      cell >= Parameters.highCell
    {
      holdsOpen = .charge
      chargerGoneFor = .zero
    } else if parameters.opensAfterContact, isStopped, drawnFor >= SecondLine.delay, isDrawn, judged.current != nil {
      holdsOpen = .discharge
    }
    if !isStopped, !hasRetriedDischarge { hasLetIn = false }
    forgive(contacts, judged, carries: carries, elapsed)
    switch holdsOpen {
    case .discharge:
      (heldFor, closedFor) = (heldFor + elapsed, .zero)
      guard !isStopped, !hasRetriedDischarge || heldFor >= ModeControl.rest else { break }
      (holdsOpen, hasLetIn, hasRetriedDischarge, heldFor) = (nil, false, true, .zero)
    case .charge:
      if let isFed { chargerGoneFor = isFed ? .zero : chargerGoneFor + elapsed }
      guard !protection.highCell, !hasRetriedCharge || chargerGoneFor >= mustBeGoneFor else { break }
      holdsOpen = nil
      if hasRetriedCharge { mustBeGoneFor = ModeControl.rest }
      hasRetriedCharge.toggle()
    case nil: break
    }
  }

  /// A load beside a charger shows for a reading now and then, and one that goes on may dip for one. Time passes under
  /// what was seen last: a reading that is missing ends nothing.
  @inline(__always)
  private mutating func watch(_ current: Double?, isOpen: Bool, _ elapsed: TimeSpan) {
    guard isOpen else {
      (isDrawn, drawnFor) = (false, .zero)
      return
    }
    drawnFor = isDrawn ? min(drawnFor + elapsed, SecondLine.delay) : max(drawnFor - elapsed, .zero)
    if let current { isDrawn = current < -SecondLine.oldRuleCurrent }
  }

  /// Who has obeyed for long, or a load that has not come for long, has its two tries again.
  @inline(__always)
  private mutating func forgive(
    _ contacts: ContactFailure, _ judged: borrowing Judgement, carries: Bool, _ elapsed: TimeSpan
  ) {
    if hasRetriedDischarge, holdsOpen == nil, carries {
      closedFor += elapsed
      if closedFor >= ModeControl.rest { (hasRetriedDischarge, closedFor) = (false, .zero) }
    }
    let isForgiven = !hasRetriedCharge && mustBeGoneFor == SecondLine.delay
    if isForgiven || holdsOpen != nil || contacts.activeFor(.charge) > .zero {
      obeyedFor = .zero
    } else if carries, judged.current != nil, let open = contacts.openFor(.charge), open > .zero {
      obeyedFor += elapsed
      if obeyedFor >= SecondLine.forgiven { (hasRetriedCharge, mustBeGoneFor) = (false, SecondLine.delay) }
    }
  }

  /// Woken by a charger or by the cells: one try, as the one that a charger gets.
  mutating func retry() {
    if holdsOpen == .discharge { hasLetIn = true }
    holdsOpen = nil
  }

  /// Somebody switched on again: tried anew.
  mutating func restart() {
    holdsOpen = nil
    hasLetIn = false
    (hasRetriedCharge, mustBeGoneFor) = (false, SecondLine.delay)
    (hasRetriedDischarge, heldFor, closedFor) = (false, .zero, .zero)
  }

  /// A charger stands at the open contactor. It gets one try: where the load that obeys nobody goes on, it would close and
  /// open for ever, and empty the cell that is in danger.
  mutating func letChargerIn() {
    if holdsOpen == .discharge, !hasLetIn { retry() }
  }
}
