// A real contactor (battery-physics.md section 9): it closes after 30 ms and bounces, opens after 15 ms, has 0.15 mOhm,
// and can be welded, stuck open, burnt or wrong about itself.

/// What a contactor can suffer from.
public enum ContactorFault: Sendable, Hashable {
  /// It does not open any more.
  case welded
  /// It does not close any more.
  case stuckOpen
  /// Its contacts have this resistance, ohms: 0.5 V at 500 A is 1 mOhm.
  case highResistance(Double)
  /// Its feedback always says this.
  case feedbackStuck(closed: Bool)
  /// Its feedback says the opposite.
  case feedbackInverted
}

/// A contactor and its auxiliary contact.
public struct Contactor: Sendable, Hashable {
  /// From coil on to the first touch, seconds.
  public var closeTime = 0.030
  /// How long it bounces then, seconds: open again in every second millisecond.
  public var bounceTime = 0.003
  /// From coil off to open, seconds.
  public var openTime = 0.015
  /// Of the closed contacts, ohms.
  public var resistance = 0.00015
  /// What is wrong with it.
  public var faults: Set<ContactorFault> = [] {
    didSet { resolveFaults() }
  }
  /// Whether current can flow.
  public private(set) var isClosed = false
  /// How often it closed.
  public private(set) var closings = 0
  /// The current that flowed when it opened last, amperes: what wears it.
  public internal(set) var lastBrokenCurrent = 0.0
  /// Heat of its contacts, joules.
  public internal(set) var heat = 0.0

  /// Whether its coil is on.
  var isCommanded: Bool { coil }

  private var coil = false
  private var moving = 0.0
  private var isWelded = false
  private var isStuck = false
  private var actual = 0.00015
  /// Siemens of the closed path.
  private(set) var pathConductance = 1 / 0.00015
  private var stuckFeedback: Bool?
  private var isInverted = false

  /// A healthy contactor, open.
  public init() {}

  /// Resistance of the closed path now, ohms.
  public var pathResistance: Double { actual }

  /// What the auxiliary contact says.
  public var feedback: Bool { stuckFeedback ?? (isInverted ? !isClosed : isClosed) }

  /// How long until the contacts may change, seconds; infinite when they rest.
  @inline(__always)
  var untilChange: Double {
    guard moving > 0 else { return .infinity }
    // The bounce is gone through by the millisecond.
    return coil && moving <= bounceTime ? min(moving, 0.001) : coil ? moving - bounceTime : moving
  }

  /// Closed from the start, without a move: for plants that begin in service.
  public mutating func closeAtOnce() {
    coil = true
    moving = 0
    isClosed = !isStuck
  }

  mutating func command(closed: Bool) {
    guard closed != coil else { return }
    coil = closed
    moving = closed ? closeTime + bounceTime : openTime
  }

  /// Lets time pass. Whether the contacts moved.
  @inline(__always)
  mutating func advance(seconds: Double, current: Double) -> Bool {
    // At rest only a command or a fault moves them.
    moving > 0 && move(seconds: seconds, current: current)
  }

  // Out of line: it is rare, and its constants would be kept ready in every step.
  @inline(never)
  private mutating func move(seconds: Double, current: Double) -> Bool {
    let was = isClosed
    moving -= seconds
    if moving < 1e-9 { moving = 0 }
    if coil {
      isClosed = moving == 0 || (moving <= bounceTime + 1e-9 && Int(moving * 1000 + 0.5) % 2 == 1)
    } else if moving == 0 {
      isClosed = false
    }
    if isWelded && was { isClosed = true }
    if isStuck { isClosed = false }
    if isClosed && !was { closings += 1 }
    if was && !isClosed { lastBrokenCurrent = current }
    return was != isClosed
  }

  private mutating func resolveFaults() {
    isWelded = faults.contains(.welded)
    isStuck = faults.contains(.stuckOpen)
    isInverted = faults.contains(.feedbackInverted)
    actual = resistance
    stuckFeedback = nil
    // Of two of a kind the worse: a set has no order, and a run must come out the same each time.
    for fault in faults {
      if case .highResistance(let ohms) = fault { actual = max(ohms, actual) }
      if case .feedbackStuck(let closed) = fault { stuckFeedback = closed || stuckFeedback == true }
    }
    pathConductance = 1 / actual
    if isStuck {
      isClosed = false
    } else if isWelded {
      isClosed = isClosed || !isStuck && coil
    } else if moving == 0 {
      isClosed = coil
    }
  }
}
