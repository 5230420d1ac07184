import MonotonicTime
public import NMEA2000

// One switch of a module: what it shall be, what the module answered, and what its 127501 says that it is. The command
// is not the state (design rule 7): only the bank that comes back says where a switch is.

/// What is known of a switch that is commanded.
public enum SwitchState: Hashable, Sendable {
  /// Nothing is wired to the role.
  case unwired
  /// Its module was not heard yet.
  case notHeard
  /// Commanded; what it does is not known yet.
  case commanded
  /// The module says that it is as commanded.
  case follows(isOn: Bool)
  /// The module answered that it will not.
  case refused
  /// The module answered that it has no such switch or takes no such command.
  case notSupported
  /// The module neither answers nor acts.
  case unanswered
  /// The module took the command and its switch is where it was.
  case notActing
  /// It moved without a command.
  case actedUnasked
  /// The module says that its switch is faulty, or does not say where it is.
  case faulty
  /// Its module fell silent.
  case silent(Name)
  /// Two modules fit. Neither is believed; opening is sent to both.
  case ambiguous(Name, Name)
}

/// What a module answered to a command (126208 function 2).
enum SwitchAnswer: Hashable, Sendable {
  case accepted
  /// Not now.
  case busy
  case refused
  case notSupported

  /// The answer's meaning. A complaint about the priority alone is none about the switch.
  init(_ acknowledge: GroupFunctionAcknowledge) {
    switch acknowledge.pgnError {
    case .accessDenied, nil: self = .refused
    case .notAvailable: self = .busy
    case .notSupported, .functionNotSupported, .tagNotSupported, .readOrWriteNotSupported: self = .notSupported
    case .some(.none):
      self = .accepted
      for index in 0..<acknowledge.parameterCount {
        switch acknowledge.parameterError(index) {
        case .some(.none): continue
        case .temporarilyUnable: self = .busy
        case .accessDenied, .outOfRange, nil: self = .refused
        case .invalidField, .functionNotSupported, .readOrWriteNotSupported: self = .notSupported
        }
        return
      }
    }
  }
}

/// The course of one switch. Events in, and whether a command is due out.
struct SwitchChannel: Sendable {
  /// An answer comes within this, else the command is sent again: an opening that was lost on the bus is late by no
  /// more than this, and the core's 200 ms for a contact (OD-21) hold a second try.
  static let answerTime = TimeSpan.milliseconds(100)
  /// After so many tries in a row it is repeated slowly: the bus is not to be filled by a dead module.
  static let quickTries = 10
  static let slowRepeat = TimeSpan.milliseconds(500)
  /// A closing that did not happen is asked for again this late where it feeds no main current.
  static let closeRepeat = TimeSpan.seconds(1)
  /// A switch that has not moved by then does not act. Longer than a slow relay takes and than a lost command.
  static let actTime = TimeSpan.milliseconds(500)
  /// A main switch is closed at once or not at all: seconds after the command the pre-charge is over.
  static let closingWindow = TimeSpan.seconds(1)
  /// So old may be what a repetition of "on" of a main switch relies on: a module takes longer to restart.
  static let freshness = TimeSpan.milliseconds(200)
  /// A switch that moved by itself is told of at least so long.
  static let unaskedHold = TimeSpan.seconds(10)

  /// Whether it carries the battery's current: contactor and pre-charge. Such a switch is opened as often as it takes,
  /// and never closed by a repetition once it was seen closed: it would close onto a load without pre-charge.
  let carriesCurrent: Bool
  let refresh: TimeSpan?
  /// Whether commands are answered at all.
  let isAnswered: Bool

  private(set) var isWanted = false
  private(set) var state = SwitchState.notHeard
  /// When what is wanted changed the last time; nil before there was anything.
  private var changed: Instant?
  /// When it was first commanded so, to a module that is there.
  private var commanded: Instant?
  private var lastSent: Instant?
  private var tries = 0
  private var answer: SwitchAnswer?
  /// It was seen as commanded since the command.
  private var isConfirmed = false
  private var reading = Reading<Bool>.notAvailable
  private var taken: Instant?
  private var unaskedUntil: Instant?

  init(carriesCurrent: Bool, refresh: TimeSpan? = nil, isAnswered: Bool = true) {
    self.carriesCurrent = carriesCurrent
    self.refresh = refresh
    self.isAnswered = isAnswered
  }

  // MARK: Events

  /// What the switch shall be. A change ends what was wrong with the command before; that it moved by itself stays told
  /// for its time.
  mutating func want(_ isOn: Bool, at now: Instant) {
    guard changed == nil || isOn != isWanted else { return }
    let isTakenOver = changed == nil && isOn && carriesCurrent && reading == .value(true)
    isWanted = isOn
    changed = now
    isConfirmed = false
    begin()
    if isTakenOver { takeOver(at: now) }
  }

  /// After a restart, a main switch that is on and stays on (R24) is not commanded: should it have opened since its module
  /// said so, the command would close it without a pre-charge. Repetitions for a module that waits for them go on.
  private mutating func takeOver(at now: Instant) {
    commanded = now
    lastSent = now
    isConfirmed = true
  }

  /// What the module says that the switch is.
  mutating func read(_ reading: Reading<Bool>, at instant: Instant) {
    self.reading = reading
    taken = instant
  }

  mutating func answered(_ answer: SwitchAnswer) { self.answer = answer }

  /// A command was handed to the bus.
  mutating func sent(at now: Instant) {
    if commanded == nil { commanded = now }
    lastSent = now
    tries += 1
  }

  private mutating func begin() {
    commanded = nil
    lastSent = nil
    tries = 0
    answer = nil
  }

  // MARK: Judgement

  /// Whether it is to stay closed and was seen closed: then no repetition may close it again.
  private var isHeldClosed: Bool { carriesCurrent && isWanted && isConfirmed }

  /// Whether there is anything to command yet.
  var isCommanded: Bool { changed != nil }

  /// Where it is as its module says; not available while nobody says so.
  var seen: Reading<Bool> { taken == nil ? .notAvailable : reading }

  /// The switch says, after the command, that it is off.
  var isReleased: Bool { !isWanted && isConfirmed && reading == .value(false) }

  /// The command was taken by the bus, and what came back does not show it yet.
  var awaitsReading: Bool { commanded != nil && !(isConfirmed && reading == .value(isWanted)) }

  /// Judges by what was heard.
  mutating func evaluate(_ sender: SenderState) {
    switch sender {
    case .unwired: state = .unwired
    case .notHeard: lose(.notHeard)
    case .silent(let name): lose(.silent(name))
    case .ambiguous(let first, let second): lose(.ambiguous(first, second))
    case .heard: break
    }
  }

  /// The module is gone, or not known any more: it is commanded anew when it is back. What was seen closed is not
  /// forgotten.
  private mutating func lose(_ next: SwitchState) {
    state = next
    taken = nil
    guard !isHeldClosed else { return }
    isConfirmed = false
    begin()
  }

  /// Judges a module that is there.
  mutating func judge(at now: Instant) {
    guard let commanded, let taken, taken >= commanded else {
      // The module is there and says nothing of the switch, or nothing since the command.
      let isGivenUp = tries >= Self.quickTries && answer == nil && isAnswered
      note(named(isGivenUp ? .unanswered : .commanded), at: now)
      return
    }
    guard case .value(let isOn) = reading else {
      note(.faulty, at: now)
      return
    }
    if isOn == isWanted {
      isConfirmed = true
      tries = 0
      answer = nil
      note(.follows(isOn: isOn), at: now)
    } else if isConfirmed {
      unaskedUntil = now + Self.unaskedHold
      note(.actedUnasked, at: now)
    } else if taken - commanded >= Self.actTime {
      note(named(answer == nil && isAnswered ? .unanswered : .notActing), at: now)
    } else {
      note(named(.commanded), at: now)
    }
  }

  /// The answer decides where there was one that says no.
  private func named(_ other: SwitchState) -> SwitchState {
    switch answer {
    case .refused: .refused
    case .notSupported: .notSupported
    case .accepted, .busy, nil: other
    }
  }

  private mutating func note(_ next: SwitchState, at now: Instant) {
    if let end = unaskedUntil {
      if now < end {
        state = .actedUnasked
        return
      }
      unaskedUntil = nil
    }
    state = next
  }

  // MARK: Commands

  /// When the next command is due; nil when none is.
  func nextCommand(at now: Instant) -> Instant? {
    guard let changed else { return nil }
    let isAsWanted = isConfirmed && reading == .value(isWanted)
    if isAsWanted, let lastSent { return mustSeeFirst(at: now) ? nil : refresh.map { lastSent + $0 } }
    if isWanted, carriesCurrent, isConfirmed || now - changed > Self.closingWindow { return nil }
    guard let lastSent else { return changed }
    return lastSent + repetition
  }

  /// A repetition of "on" is due and what was seen of the switch is older than ``freshness``: its module may have restarted
  /// with an open switch since, and then "on" closes it without a pre-charge (R20). It is to be asked first; a module that
  /// does not answer gets no repetition, and opens.
  func mustSeeFirst(at now: Instant) -> Bool {
    guard isHeldClosed, let refresh, let lastSent, lastSent + refresh <= now else { return false }
    return taken.map { now - $0 > Self.freshness } ?? true
  }

  private var repetition: TimeSpan {
    let isQuick = (answer == nil || answer == .busy) && tries < Self.quickTries
    return isQuick ? Self.answerTime : isWanted ? Self.closeRepeat : Self.slowRepeat
  }
}
