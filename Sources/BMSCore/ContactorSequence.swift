import MonotonicTime

// Area D: self-test, pre-charge, closing, opening (R20, R21, R65-R77, OD-18, OD-21).
//
// The state is what feedback says, never what was commanded (design rule 7). The sequence comes after every protection
// of the step and only ever closes on a request that all of them agreed to.
//
// A restart (R24) keeps a contactor closed when all of this holds: the snapshot says that it was closed, the snapshot is
// at most 120 s old (R25; older, or nobody knows, is no restart but a start), the feedback says that it is closed, and
// within a minute (OD-20) all data is complete, nothing forbids and both sides are at one voltage. Until the feedback
// was heard and both sides were seen at one voltage no command is given at all: feedback may be stuck at closed, and what
// fell with a power cut would be closed onto its load without pre-charge. Nothing is pre-charged, because nothing was
// opened; ATC and ATD are left as they are for at most 5 s, and then follow what the first complete data allow. In every
// other case a contact that is found closed is opened and the start begins with the self-test.
//
// Modules may boot later than the BMS, each time that it leaves Off when AUX feeds them, and they may be off the bus for a
// while. What is silent is waited for, with no end and an alarm of its own (V-B44), and is neither a failed self-test nor a
// welded contact.

/// Where the contactor sequence stands.
public enum ContactorPhase: UInt8, Sendable, Hashable {
  /// Open and nothing asks for more.
  case open
  /// A restart looks at a contactor that the run before left closed (R24).
  case takeover
  /// Voltages and contacts are looked at (R21).
  case selfTest
  /// Waits for the group (state 18).
  case pending
  /// The load's capacitors are charged through the resistor.
  case precharge
  /// A try failed and the resistor cools (OD-18).
  case cooling
  /// Commanded, waiting for the feedback.
  case closing
  /// Closed.
  case closed
  /// About to open: ATC is open, the contactor follows (R76).
  case lead
  /// Commanded open, waiting for the feedback.
  case opening
  /// A fault that a restart only can end (R247).
  case failed
}

/// What went wrong with contactor or pre-charge.
public enum ContactorFault: UInt8, Sendable, Hashable {
  /// E-B11: voltages or feedback could not be read in the self-test (R245).
  case selfTest
  /// E-B25: a short, or more energy than the resistor may take (R67, R68).
  case prechargeOverload
  /// E-B35: it took too long (R66).
  case prechargeTimeout
  /// E-B26: closed although commanded open (R73).
  case welded
  /// E-B26: open although commanded closed (R73, R77).
  case stuckOpen
}

/// What a contact's feedback says now, and since when it can be judged.
struct Feedback: Sendable, Equatable {
  enum State: Sendable, Equatable {
    /// No feedback is wired.
    case unassigned
    /// Wired, and nothing usable.
    case unknown
    case open
    case closed
  }

  var state = State.unassigned
  var taken = Instant.origin

  init() {}

  @inline(__always)
  init(_ feedback: ContactFeedback, at now: Instant, within age: TimeSpan) {
    taken = feedback.taken
    state = feedback.state(at: now, within: age)
  }

  /// Nil where nothing usable says so.
  @inline(__always)
  var isClosed: Bool? {
    switch state {
    case .closed: true
    case .open: false
    case .unassigned, .unknown: nil
    }
  }
}

extension ContactFeedback {
  /// Its source says nothing, good or bad; a source that reports its own fault is heard.
  func isSilent(at now: Instant, within limit: TimeSpan) -> Bool {
    validity == .waiting || validity == .valid && ageOf(taken, at: now) >= limit
  }

  /// What it says now, when its reports count for so long.
  @inline(__always)
  func state(at now: Instant, within age: TimeSpan) -> Feedback.State {
    if validity == .unassigned { return .unassigned }
    guard validity == .valid, ageOf(taken, at: now) < age else { return .unknown }
    return isClosed ? .closed : .open
  }
}

struct ContactorSequence: Sendable {
  /// What a step of the sequence decides on.
  struct View: Sendable {
    /// Mode, data and protections agree that the contactor may be closed.
    var isWanted = false
    /// The group agrees (the join condition); true for a BMS alone.
    var mayJoin = true
    /// Every required input is there.
    var isComplete = true
    /// Whether each contact says something usable.
    var speaks = (false, false)
    /// Whether each has been silent for so long that its module may have restarted since.
    var isGone = (false, false)
    /// Every wired contact and the system voltage are heard: their modules are up.
    var isHeard = true
    var battery: Double?
    var system: Double?
    /// When the system voltage was taken.
    var systemTaken = Instant.origin
    var current: Double?
    var feedback = Feedback()
    var secondFeedback = Feedback()
    var precharge = Feedback()

    /// Whether the two sides are further apart than a closed contact lets them be (R71); nil where one is not known.
    @inline(__always)
    var isDrop: Bool? {
      guard let battery, let system else { return nil }
      return quantised(abs(battery - system)) > ContactorSequence.contactDrop
    }
  }

  private(set) var phase = ContactorPhase.open
  private(set) var fault: ContactorFault?
  /// Joules in the pre-charge resistor.
  private(set) var heat: Double
  private var age = TimeSpan.zero
  private var began = Instant.origin
  private var tries = 0
  private var tried: TimeSpan?
  private var energy = 0.0
  /// Since when the pre-charge switch conducts in this try; nil while it is not known to.
  private var conducting: Instant?
  private var steadyFor: TimeSpan?
  private var lastSystem: Double?
  private var mismatchFor: (TimeSpan, TimeSpan) = (.zero, .zero)
  /// Since when the command is what it is, and can be followed; nil before the first step.
  private var commanded: Instant?
  /// When the command was given, whoever could hear it.
  private var given = Instant.origin
  /// Whether each contact was heard, and has not been gone since.
  private var heard = (false, false)
  /// When each contact's last report was taken.
  private var reported = (Instant.origin, Instant.origin)
  /// In ``ContactorPhase/open``: all agree, and a module is silent.
  private(set) var awaitsModule = false
  private var dropFor: TimeSpan?
  /// In ``ContactorPhase/takeover`` and the lead after it: the feedback says closed and both sides were at one voltage, so
  /// closed is the command.
  private var holds = false
  /// How long takeovers before this one lasted that came to nothing.
  private var takenOverFor = TimeSpan.zero
  /// In ``ContactorPhase/lead`` that began in a takeover: how long that had lasted.
  private var unproven: TimeSpan?
  /// In that lead: the two sides are apart, one of two contacts is open, or the minute is over, so it ends open whoever
  /// wants what.
  private var mustOpen = false
  /// In ``ContactorPhase/takeover``: for how long a contactor that nobody has heard is to open.
  private var unwantedFor: TimeSpan?
  private let wiring: Wiring

  /// OD-18.
  static let tries = 3
  static let tryInterval = TimeSpan.seconds(30)
  static let steady = TimeSpan.milliseconds(200)
  static let shortAfter = TimeSpan.milliseconds(100)
  static let shortShare = 0.05
  /// OD-18 says "small": within a step of the battery voltage's share.
  static let steadyShare = 0.01
  /// OD-21: 100 ms to move and 100 ms of debounce.
  static let moveTime = TimeSpan.milliseconds(100)
  static let feedbackTime = TimeSpan.milliseconds(200)
  /// Ours: who says nothing for longer may have been off the bus; modules report each second or when it changes.
  static let seldom = TimeSpan.seconds(2)
  /// R71.
  static let contactDrop = 0.5
  /// R76.
  static let lead = TimeSpan.seconds(2)
  /// Ours: opening waits for little current (a tenth of the rating), but not longer than this after the lead.
  static let lowCurrentWait = TimeSpan.seconds(3)
  static let lowCurrentShare = 0.1

  init(_ wiring: Wiring, restoring snapshot: Snapshot? = nil, unseenFor unseen: TimeSpan? = nil) {
    self.wiring = wiring
    // It cools while nobody counts, but nobody knows for how long: as hot as it was.
    heat = snapshot?.prechargeHeat ?? 0
    guard let snapshot, snapshot.isContactorClosed, ContactorSequence.isRestart(unseenFor: unseen) else { return }
    guard wiring.contactors != .none else { return }
    phase = .takeover
    // A program that is restarted again and again must not keep it closed without data for ever.
    takenOverFor = TimeSpan(seconds: snapshot.takeoverSeconds)
  }

  /// For how long it has been kept closed without a look at both sides, over restarts.
  var takeoverAge: TimeSpan { phase == .takeover ? takenOverFor + age : unproven.map { $0 + age } ?? .zero }

  /// In the lead of a takeover, which has not looked at both sides.
  @inline(__always)
  var isUnproven: Bool { unproven != nil }

  /// R25: whether what the run before left still holds. Older, or nobody knows, is no restart but a start.
  static func isRestart(unseenFor unseen: TimeSpan?) -> Bool {
    unseen.map { .zero...Parameters.updateGrace ~= $0 } ?? false
  }

  /// No command is given yet.
  @inline(__always)
  var isLeft: Bool { isTakingOver && !holds }

  /// What a restart may keep without complete data, and for how long (OD-20).
  func mayTakeOver(_ parameters: Parameters) -> Bool {
    isTakingOver && takeoverAge < parameters.withdrawn
  }

  /// Closed without a fault, and no time counts: the resistor is cold, and a new try need not wait.
  var isAtRest: Bool {
    isSupervisor
      || phase == .closed && fault == nil && !isHot && (tried ?? .never) >= ContactorSequence.tryInterval
        && dropFor == nil && mismatchFor == (.zero, .zero)
  }

  /// Nothing to command: what is asked for is so.
  @inline(__always)
  private var isSupervisor: Bool { wiring.contactors == .none }

  /// The command to the contactors.
  @inline(__always)
  var closes: Bool {
    switch phase {
    case .closing, .closed: true
    case .takeover, .lead: !isLeft
    case .open, .selfTest, .pending, .precharge, .cooling, .opening, .failed: false
    }
  }

  /// The command to the pre-charge switch; it stays on until the contacts carry.
  @inline(__always)
  var precharges: Bool { phase == .precharge || phase == .closing }

  /// The main path is closed and verified.
  @inline(__always)
  var carries: Bool { isSupervisor || phase == .closed || phase == .lead }

  /// It carries, and both sides were looked at: loads may go through it.
  @inline(__always)
  var isProven: Bool { carries && !isUnproven }

  /// A restart keeps what it has not looked at yet, or is about to open that.
  @inline(__always)
  var isTakingOver: Bool { phase == .takeover || isUnproven }

  /// Charging is possible; not in the lead before opening, when ATC is open already (R76).
  @inline(__always)
  var allowsCharge: Bool { isSupervisor || phase == .closed }

  /// A fault was found while it carried: it is about to open, and nobody knows whether it is still closed.
  @inline(__always)
  var isDoomed: Bool { phase == .lead && fault != nil }

  /// Charge may flow although the contactor does not carry: through the pre-charge resistor, through contacts on their way,
  /// and after a restart that has not looked yet.
  @inline(__always)
  var mayPass: Bool { phase == .precharge || phase == .closing || phase == .takeover }

  /// How old the feedback of the closed contactor is, where it is too old to count; zero where it counts or none is wired.
  /// What carries and is not seen is not known to open either (design rule 7), so it counts as data that is lost (OD-20).
  @inline(__always)
  func silence(_ view: View, at now: Instant) -> TimeSpan {
    guard !isSupervisor, carries else { return .zero }
    func age(_ feedback: Feedback) -> TimeSpan {
      feedback.state == .unknown ? ageOf(feedback.taken, at: now) : .zero
    }
    return max(age(view.feedback), wiring.contactors == .two ? age(view.secondFeedback) : .zero)
  }

  /// R61: the resistor is hot, so the BMS should not go to sleep yet.
  @inline(__always)
  var isHot: Bool { heat > 0 }

  /// A restart (Off to On): faults are tried again (R246, R247).
  mutating func restart() {
    if phase == .failed { enter(.open, at: began) }
    fault = nil
    tries = 0
    tried = nil
  }

  mutating func step(_ view: View, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan) {
    guard !isSupervisor else { return }
    // The first command of a run: a contact that a crash left closed is given its time to open.
    if commanded == nil { noteCommand(at: now) }
    // A module that boots later than the BMS, or is back on the bus, knows of no command before it is heard: once, so that
    // none is late twice.
    let missed = (hasMissed(view.feedback, since: reported.0), hasMissed(view.secondFeedback, since: reported.1))
    reported = (view.feedback.taken, view.secondFeedback.taken)
    heard = (heard.0 && !view.isGone.0 && !missed.0, heard.1 && !view.isGone.1 && !missed.1)
    if view.speaks.0 && !heard.0 || view.speaks.1 && !heard.1 {
      heard = (heard.0 || view.speaks.0, heard.1 || view.speaks.1)
      // While it closes its first report says that it did.
      if phase != .closing { commanded = now }
    }
    age += elapsed
    if let since = tried { tried = since + elapsed }
    if isHot {
      heat = max(heat - wiring.precharge.energyLimit / ContactorSequence.tryInterval.seconds * elapsed.seconds, 0)
    }
    if let found = contactFault(view, elapsed) {
      guard carries else { return fail(found, at: now) }
      // It may be the feedback that is wrong: R76 holds for what may carry, or an alternator is torn off its battery.
      fault = found
      if phase == .closed { enter(.lead, at: now) }
    }
    switch phase {
    case .open:
      // What is silent cannot fail a self-test; the module that is missing has an alarm of its own.
      awaitsModule = view.isWanted && !view.isHeard
      if view.isWanted, view.isHeard { enter(.selfTest, at: now) }
    case .takeover: takeOver(view, parameters, at: now, elapsed: elapsed)
    case .selfTest:
      guard view.isWanted, view.isHeard else { return enter(.open, at: now) }
      selfTest(view, parameters, at: now)
    case .pending:
      guard view.isWanted, view.isHeard else { return enter(.open, at: now) }
      if view.mayJoin { beginPrecharge(at: now) }
    case .cooling:
      guard view.isWanted, view.isHeard else { return enter(.open, at: now) }
      if !isHot, (tried ?? .never) >= ContactorSequence.tryInterval { beginPrecharge(at: now) }
    case .precharge:
      guard view.isWanted else { return enter(.open, at: now) }
      precharge(view, parameters, at: now, elapsed: elapsed)
    case .closing:
      guard view.isWanted else { return enter(.opening, at: now) }
      if isVerified(view) {
        enter(.closed, at: now)
      } else if age >= parameters.measurementStale {
        fail(.stuckOpen, at: now)
      }
    case .closed:
      fault = nil
      tries = 0
      noteDrop(view, parameters, elapsed)
      if !view.isWanted { enter(.lead, at: now) }
    case .lead:
      if isUnproven, !mustOpen { noteDrop(view, parameters, elapsed) }
      if view.isWanted, !isDoomed, !mustOpen {
        // A takeover that was broken off has not looked at both sides yet.
        if let unproven {
          takenOverFor = unproven + age
          enter(.takeover, at: now)
        } else {
          enter(.closed, at: now)
        }
      } else if age >= ContactorSequence.lead, isCalm(view, parameters) {
        if let fault { fail(fault, at: now) } else { enter(.opening, at: now) }
      }
    case .opening:
      // What is not seen to open is not known to be welded: it is looked at in every phase, and before the next self-test.
      if isVerified(view) || age >= parameters.measurementStale { enter(.open, at: now) }
    case .failed: break
    }
  }

  // MARK: The steps

  private mutating func takeOver(_ view: View, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan) {
    let feedbacks = (view.feedback.state, wiring.contactors == .two ? view.secondFeedback.state : view.feedback.state)
    switch feedbacks {
    case (.closed, .closed):
      // After its minute (OD-20) nothing calls it back: data that come and go would keep it looking for ever.
      guard view.isWanted else { return leaveTakeover(at: now, toOpen: !mayTakeOver(parameters)) }
      guard view.isDrop != nil else { return }
      noteDrop(view, parameters, elapsed)
      if !holds, dropFor == nil {
        // What was taken longer ago may be from before a load emptied that side.
        guard ageOf(view.systemTaken, at: now) <= max(elapsed, ContactorSequence.feedbackTime) else { return }
        holds = true
        noteCommand(at: now)
      }
      guard view.isComplete else { return }
      if dropFor == nil {
        enter(.closed, at: now)
      } else if isContactBad {
        leaveTakeover(at: now, toOpen: true)
      }
    case (.open, .open): enter(.open, at: now)
    case (.unknown, _), (_, .unknown):
      // ATC and ATD are left alone for `cellStale`, or until it is not wanted; the contactor follows them (R76).
      unwantedFor = view.isWanted ? nil : unwantedFor.map { $0 + elapsed } ?? .zero
      guard age >= parameters.cellStale + ContactorSequence.lead || (unwantedFor ?? .zero) >= ContactorSequence.lead
      else { return }
      enter(.opening, at: now)
    case (.unassigned, _), (_, .unassigned), (.open, .closed), (.closed, .open): leaveTakeover(at: now, toOpen: true)
    }
  }

  /// R76 holds for what nobody has proved, too: ATC first.
  private mutating func leaveTakeover(at now: Instant, toOpen: Bool = false) {
    enter(.lead, at: now, unproven: takeoverAge)
    mustOpen = toOpen
  }

  private mutating func selfTest(_ view: View, _ parameters: Parameters, at now: Instant) {
    func isOpen(_ feedback: Feedback) -> Bool { feedback.state == .open || feedback.state == .unassigned }
    let areOpen = isOpen(view.feedback) && (wiring.contactors != .two || isOpen(view.secondFeedback))
    if areOpen, view.battery != nil, view.system != nil {
      guard age >= ContactorSequence.feedbackTime else { return }
      if view.mayJoin { beginPrecharge(at: now) } else { enter(.pending, at: now) }
    } else if age >= parameters.cellStale {
      fail(.selfTest, at: now)
    }
  }

  private mutating func beginPrecharge(at now: Instant) {
    // R20: also after Pending and cooling nothing is commanded before the resistor may take a whole try.
    guard !isHot, (tried ?? .never) >= ContactorSequence.tryInterval || tries == 0 else {
      return enter(.cooling, at: now)
    }
    tries += 1
    tried = .zero
    energy = 0
    conducting = nil
    steadyFor = nil
    lastSystem = nil
    enter(.precharge, at: now)
  }

  private mutating func precharge(_ view: View, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan) {
    let circuit = wiring.precharge
    guard age < circuit.timeout else { return give(.prechargeTimeout, at: now) }
    if conducting == nil {
      switch view.precharge.state {
      case .unassigned: conducting = began
      case .closed where view.precharge.taken >= began: conducting = view.precharge.taken
      case .closed, .open, .unknown: return  // no current before it is closed; the time counts
      }
    }
    let start = conducting ?? began
    guard let battery = view.battery, let system = view.system, view.systemTaken > start else {
      // A voltage from before says nothing about this try; the resistor is taken to be at its worst meanwhile.
      return addEnergy(view.battery ?? 0, elapsed, at: now)
    }
    addEnergy(battery - system, elapsed, at: now)
    guard phase == .precharge else { return }
    let isShort =
      view.systemTaken - start >= ContactorSequence.shortAfter
      && system < battery * ContactorSequence.shortShare
    if isShort { return give(.prechargeOverload, at: now) }  // R68
    let isFlat = lastSystem.map { abs(system - $0) <= battery * ContactorSequence.steadyShare } ?? false
    lastSystem = system
    guard system >= battery * circuit.successShare, isFlat else {
      steadyFor = nil
      return
    }
    let steady = steadyFor.map { $0 + elapsed } ?? .zero
    steadyFor = steady
    if steady >= ContactorSequence.steady { enter(.closing, at: now) }
  }

  private mutating func addEnergy(_ volts: Double, _ elapsed: TimeSpan, at now: Instant) {
    let joules = volts * volts / wiring.precharge.resistance * elapsed.seconds
    energy += joules
    heat += joules
    if energy > wiring.precharge.energyLimit { give(.prechargeOverload, at: now) }  // R67
  }

  /// A try failed: after the third there is no other before a restart.
  private mutating func give(_ found: ContactorFault, at now: Instant) {
    fault = found
    enter(tries < ContactorSequence.tries ? .cooling : .failed, at: now)
  }

  private mutating func fail(_ found: ContactorFault, at now: Instant) {
    fault = found
    enter(.failed, at: now)
  }

  private mutating func enter(_ next: ContactorPhase, at now: Instant, unproven spent: TimeSpan? = nil) {
    let before = (isLeft, closes)
    phase = next
    unproven = spent
    unwantedFor = nil
    mustOpen = false
    if (isLeft, closes) != before { noteCommand(at: now) }
    // What makes a takeover leave and come back again and again must not keep it from seeing that they are apart.
    if !isTakingOver { dropFor = nil }
    age = .zero
    began = now
    mismatchFor = (.zero, .zero)
  }

  private mutating func noteCommand(at now: Instant) { (commanded, given) = (now, now) }

  // MARK: Contacts

  /// Whether its module may have been off the bus when the command was given, and so hears of it only now. Once for a
  /// command: each later report comes after one that was taken when the command was given already.
  @inline(__always)
  private func hasMissed(_ feedback: Feedback, since last: Instant) -> Bool {
    feedback.taken - last > ContactorSequence.seldom && given > last
  }

  /// R73, R77: each contactor follows its command within the feedback time, in every phase.
  @inline(__always)
  private mutating func contactFault(_ view: View, _ elapsed: TimeSpan) -> ContactorFault? {
    // Where no command was given there is none to follow, however late the first feedback of a run comes.
    guard phase != .failed, !isLeft else { return nil }
    func isWrong(_ feedback: Feedback) -> Bool {
      // What was reported before the contact could have moved says nothing about the command.
      guard let commanded, feedback.taken - commanded >= ContactorSequence.moveTime else { return false }
      return switch feedback.state {
      case .open: closes
      case .closed: !closes
      case .unassigned, .unknown: false
      }
    }
    let wrong = (isWrong(view.feedback), wiring.contactors == .two && isWrong(view.secondFeedback))
    // A step that comes late counts as one that is in time: in it one wrong report is no more than one.
    let counted = min(elapsed, ContactorSequence.moveTime)
    mismatchFor.0 = wrong.0 ? mismatchFor.0 + counted : .zero
    mismatchFor.1 = wrong.1 ? mismatchFor.1 + counted : .zero
    guard max(mismatchFor.0, mismatchFor.1) >= ContactorSequence.feedbackTime else { return nil }
    return closes ? .stuckOpen : .welded
  }

  /// Whether the contacts did as commanded: by feedback from after the command where there is one. Without feedback
  /// opening cannot be seen, and closing shows in both sides being at one voltage.
  private func isVerified(_ view: View) -> Bool {
    let wanted: Feedback.State = closes ? .closed : .open
    func isThere(_ feedback: Feedback) -> Bool? {
      switch feedback.state {
      case .unassigned: nil
      case .unknown: false
      case .open, .closed: feedback.state == wanted && commanded.map { feedback.taken >= $0 } ?? false
      }
    }
    let first = isThere(view.feedback)
    let second = wiring.contactors == .two ? isThere(view.secondFeedback) : true
    if first == false || second == false { return false }
    if first == true, second == true { return true }
    guard age >= ContactorSequence.feedbackTime else { return false }
    return !closes || view.isDrop == false
  }

  /// W-B04 (R71). The two voltages are not taken at the same moment, so the drop must last as long as makes a voltage
  /// stale.
  @inline(__always)
  var isContactBad: Bool { dropFor.map { $0 >= dropHold } ?? false }
  private var dropHold = TimeSpan.seconds(2)

  @inline(__always)
  private mutating func noteDrop(_ view: View, _ parameters: Parameters, _ elapsed: TimeSpan) {
    dropHold = parameters.measurementStale
    guard let isDrop = view.isDrop else { return }
    dropFor = isDrop ? dropFor.map { $0 + elapsed } ?? .zero : nil
  }

  private func isCalm(_ view: View, _ parameters: Parameters) -> Bool {
    guard age < ContactorSequence.lead + ContactorSequence.lowCurrentWait, let current = view.current else {
      return true
    }
    return abs(current) <= parameters.rating * ContactorSequence.lowCurrentShare
  }
}
