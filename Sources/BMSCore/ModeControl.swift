import MonotonicTime

// Area C in time: remote terminals, the 5 minute rules, waking, forcing (R44-R59, OD-9).

/// What wakes an empty battery.
enum Waker: Sendable, Hashable {
  case charger
  case cells
}

struct ModeControl: Sendable {
  /// How long what woke it in vain still rests; nil where it may wake it.
  private typealias Rests = (charger: TimeSpan?, cells: TimeSpan?)

  private(set) var mode: Mode
  private(set) var offCause: OffCause?
  /// Until an empty battery switches off; nil while nothing runs (R51, R53, OD-9).
  private(set) var offIn: TimeSpan?
  /// The remote input is wired and says nothing usable.
  private(set) var isRemoteLost = false
  /// Whether the soft switch works (R39).
  private(set) var isRemoteOpen: Bool
  private var remoteUnknownFor = TimeSpan.zero
  private var hasRemote = false
  /// A restart that keeps the outputs as they are (R24) waits for the remote's module too.
  private let keepsOutputs: Bool
  /// For how long the remote has said "open", nil while it has not since it was closed: what was not heard is no edge (R48)
  /// and holds nothing off (R56).
  private var remoteOffFor: TimeSpan?
  /// The mode before the silence of the remote forced Off, to which its voice returns.
  private var silenced: Mode?
  /// For how long the soft switch has been held off in an Off that protects the battery (R56).
  private var softOffFor: TimeSpan?
  /// What was there before, to which too short an Off returns.
  private var offBefore: (cause: OffCause, rests: Rests)?
  /// For how long it has been empty without charge voltage.
  private(set) var emptyFor: TimeSpan?
  /// What woke it, while nothing has charged it for long since.
  private(set) var waker: Waker?
  /// For how long it was charged since it was woken.
  private var chargedFor = TimeSpan.zero
  /// Woken in vain: until a charger, or its cells, may wake it again. Each has its own, or they would wake it in turns.
  private var rests: Rests = (nil, nil)
  /// For how long no charger has stood there since it was woken: the next one is another.
  private var chargerGoneFor = TimeSpan.zero

  /// Until something that woke it in vain may do so again.
  var restsFor: TimeSpan? {
    guard let charger = rests.charger, let cells = rests.cells else { return rests.charger ?? rests.cells }
    return min(charger, cells)
  }

  /// On, by the remote terminals too, and no time counts.
  var isAtRest: Bool {
    mode == .on && offIn == nil && restsFor == nil && emptyFor == nil && softOffFor == nil && remoteOffFor == nil
      && hasRemote && !isRemoteOpen && !isRemoteLost && remoteUnknownFor == .zero
  }

  /// R51, R53, R58.
  static let grace = TimeSpan.minutes(5)
  /// OD-9.
  static let standbyGrace = TimeSpan.seconds(60)
  /// R56.
  static let forcing = TimeSpan.seconds(5)
  /// Ours: a charger that stands there and may not charge (a cold battery) would close the contactor each five minutes.
  static let rest = TimeSpan.minutes(60)
  static let chargerGone = TimeSpan.seconds(30)
  /// Ours: what charges for some seconds and is torn off again was woken in vain as well.
  static let charged = TimeSpan.minutes(1)

  init(restoring snapshot: Snapshot?, keepsOutputs: Bool = false) {
    self.keepsOutputs = keepsOutputs && snapshot?.isRemoteSilent == false
    mode = snapshot.flatMap { Mode(rawValue: $0.mode) } ?? .on
    offCause = snapshot?.offCause.flatMap(OffCause.init(rawValue:))
    if mode == .off, offCause == nil { offCause = .error }
    if mode != .off { offCause = nil }
    // Closed at the first look is then the edge that ends it; opening was seen by the last run.
    isRemoteOpen = offCause == .remote
    // For how long is not stored. It was somebody's Off, no glitch of it: On forces.
    softOffFor = offCause == .softSwitchWhenEmpty ? ModeControl.forcing : nil
    remoteOffFor = isRemoteOpen ? .zero : nil
    if mode != .off, snapshot?.isRemoteSilent == true {
      silenced = mode
      (mode, offCause, isRemoteOpen) = (.off, .remote, true)
    }
    // A program that is restarted again and again must not grant an empty battery five minutes each time.
    if mode != .off || silenced != nil, let seconds = snapshot?.emptySeconds {
      emptyFor = min(TimeSpan(seconds: seconds), ModeControl.grace)
    }
  }

  /// What an operator or a GX asks for (R36-R39, R49, R56).
  mutating func request(_ target: Mode, by requester: ModeRequester) throws(ModeRefusal) {
    if isRemoteOpen, requester != .remote { throw .remoteOpen }
    switch mode.answer(to: requester, asking: target) {
    case .refused(let refusal): throw refusal
    case .unchanged:
      // Off again while an empty battery is off: the switch is held off, which is how forcing begins.
      if let cause = offCause, cause.cellsEndAbove != nil {
        let found = (cause, rests)
        change(to: .off, because: .softSwitchWhenEmpty)
        (softOffFor, offBefore) = (.zero, found)
      }
    case .allowed:
      if offCause?.isEmptyBattery == true, target != .off, (softOffFor ?? .zero) < ModeControl.forcing {
        // Who takes the Off back has said nothing. Standby is no On: it takes nothing back.
        if target == .on, let (cause, resting) = offBefore {
          change(to: .off, because: cause)
          rests = resting
        }
        throw .offTooShort
      }
      change(to: target, because: target == .off ? .softSwitch : nil)
    }
  }

  /// - Parameters:
  ///   - canTurnOff: whether an empty battery may switch itself off. Not where nothing is to be opened: a supervisor
  ///     that falls silent would only stop the chargers that the battery needs.
  mutating func evaluate(
    remote: RemoteTerminals.State, lowCell: Bool, lowStateOfCharge: Bool, lowestCell: Double?, charger: ChargerPresence,
    canTurnOff: Bool, _ parameters: Parameters, elapsed: TimeSpan
  ) {
    func left(of span: TimeSpan?) -> TimeSpan? { span.flatMap { $0 > elapsed ? $0 - elapsed : nil } }
    rests = (left(of: rests.charger), left(of: rests.cells))
    if let held = softOffFor { softOffFor = min(held + elapsed, ModeControl.forcing) }
    evaluateRemote(remote, parameters, elapsed)
    switch charger {
    case .unknown: break
    case .absent: chargerGoneFor += elapsed
    case .shutOut, .present: if chargerGoneFor < ModeControl.chargerGone { chargerGoneFor = .zero }
    case .charging:
      chargerGoneFor = .zero
      chargedFor += elapsed
    }
    if mode == .off {
      wake(lowestCell, charger)
      return
    }
    let isEmpty = (lowCell || lowStateOfCharge) && canTurnOff
    // R52: charge voltage cancels the shutdown while On. In Standby the contactor is open and nothing would charge, and
    // neither does it behind one that stays open.
    guard isEmpty, mode == .standby || !charger.mayCharge else {
      emptyFor = nil
      offIn = nil
      if !isEmpty || chargedFor >= ModeControl.charged { (waker, rests) = (nil, (nil, nil)) }
      return
    }
    let spent = emptyFor.map { $0 + elapsed } ?? .zero
    emptyFor = spent
    let limit = mode == .standby ? ModeControl.standbyGrace : ModeControl.grace
    offIn = max(limit - spent, .zero)
    if spent >= limit {
      let (vain, others) = (waker, rests)
      change(to: .off, because: lowCell ? .lowCell : .lowStateOfCharge)
      switch vain {
      case .charger: rests = (ModeControl.rest, others.cells)
      case .cells: rests = (others.charger, ModeControl.rest)
      case nil: break
      }
    }
  }

  private mutating func evaluateRemote(
    _ remote: RemoteTerminals.State, _ parameters: Parameters, _ elapsed: TimeSpan
  ) {
    let wasOpen = isRemoteOpen
    switch remote {
    case .closed: isRemoteOpen = false
    case .open: isRemoteOpen = true
    case .unknown:
      // A broken wire is open. A silent module is given as long as lost battery data (OD-20): after a restart, or where it
      // was heard before.
      remoteUnknownFor += elapsed
      let patience = hasRemote ? parameters.withdrawn : keepsOutputs ? parameters.cellStale : .zero
      if remoteUnknownFor >= patience { isRemoteOpen = true }
    }
    isRemoteLost = remote == .unknown && (hasRemote || remoteUnknownFor >= parameters.cellStale)
    if remote != .unknown {
      hasRemote = true
      remoteUnknownFor = .zero
    }
    if remote == .open {
      remoteOffFor = remoteOffFor.map { min($0 + elapsed, ModeControl.forcing) } ?? .zero
      silenced = nil
    }
    if isRemoteOpen {
      guard mode != .off else { return }
      let before = (mode, emptyFor)
      change(to: .off, because: .remote)  // R44
      if remote == .unknown { (silenced, emptyFor) = before }
      return
    }
    guard remote == .closed, wasOpen else { return }
    let held = remoteOffFor.map { $0 + elapsed }
    remoteOffFor = nil
    if let before = silenced {
      // The voice is no edge, and grants an empty battery nothing either.
      let spent = emptyFor
      change(to: before, because: nil)
      emptyFor = spent
      return
    }
    guard let held, mode == .off, let cause = offCause else { return }
    // R48: the edge switches on; R56: an empty battery only after 5 s.
    if !cause.isEmptyBattery || held >= ModeControl.forcing { change(to: .on, because: nil) }
  }

  /// The mode that a power cut leaves (R50), and whether the silence of the remote keeps it from being in force.
  var stored: (mode: Mode, cause: OffCause?, isSilenced: Bool) {
    silenced.map { ($0, nil, true) } ?? (mode, offCause, false)
  }

  private mutating func wake(_ lowestCell: Double?, _ charger: ChargerPresence) {
    guard !isRemoteOpen, let end = offCause?.cellsEndAbove else { return }
    let isAnother = chargerGoneFor >= ModeControl.chargerGone
    let areUp = lowestCell.map { $0 > end } ?? false
    let byCharger = charger.isThere && (rests.charger == nil || isAnother)
    guard byCharger || areUp && rests.cells == nil else { return }
    let others = rests
    change(to: .on, because: nil)
    (waker, rests) = (byCharger ? .charger : .cells, others)
  }

  private mutating func change(to target: Mode, because cause: OffCause?) {
    mode = target
    offCause = target == .off ? cause : nil
    silenced = nil
    (softOffFor, offBefore) = (nil, nil)
    emptyFor = nil
    offIn = nil
    waker = nil
    rests = (nil, nil)
    chargedFor = .zero
    if target != .off { chargerGoneFor = .zero }
  }
}
