public import MonotonicTime

// What must hold in every step of every run, whatever happens to the plant. One case for each rule; the rules
// themselves are in InvariantChecker.swift.

/// A rule that no run may break.
public enum Invariant: Int, Sendable, Hashable, CaseIterable {
  /// The contactor's coil follows a completed pre-charge only.
  case precharge
  /// Tries of pre-charge are spaced, few, and leave the resistor whole.
  case prechargeTries
  /// ATC opens 2 s before the contactor.
  case lead
  /// Nothing forbids charging while ATC is closed.
  case charge
  /// Nothing forbids discharging while ATD is closed.
  case discharge
  /// Loads are warned 30 s before a low cell disconnects them.
  case notice
  /// CCL and DCL agree with ATC and ATD, and with ratings and caps.
  case limits
  /// CVL is none, or between the resting voltage and 3.65 V per cell.
  case chargeVoltage
  /// What is sent is what was decided.
  case commands
  /// Nothing is allowed on lost data, and the contactor does not stay closed on it.
  case staleData
  /// Overcurrent opens its contact after 30 s, for 5 minutes.
  case overcurrent
  /// Nothing is allowed while the battery voltage is outside of its window.
  case voltageWindow
  /// A hot busbar opens the contactor.
  case hotBusbar
  /// Current that ATC or ATD did not stop is reported, and with a cell in danger the contactor stops it.
  case uncontrolledCurrent
  /// The relay is active when its mode allows, and does not toggle faster than its pattern.
  case relay
  /// Standby and Off leave nothing on.
  case off
  /// A BMS that does not run commands nothing, and sends no limits.
  case stopped
  /// An alarm that acts has an entry, and everything forbidden a reason.
  case alarms
  /// State, mode and contactor agree.
  case state
  /// The state of charge is within 0...100 % and moves as the current flows.
  case stateOfCharge
  /// With whole sensors the BMS shows what is true.
  case truth
  /// What would be stored can be restored.
  case snapshot
  /// The next step is asked for in time.
  case deadline
  /// The plant itself: currents flow where there is a path, sources obey.
  case plant

  /// The rule in words.
  public var rule: String {
    switch self {
    case .precharge: "the contactor's coil follows a completed pre-charge only"
    case .prechargeTries: "tries of pre-charge are spaced, few, and leave the resistor whole"
    case .lead: "ATC opens 2 s before the contactor"
    case .charge: "nothing forbids charging while ATC is closed"
    case .discharge: "nothing forbids discharging while ATD is closed"
    case .notice: "loads are warned 30 s before a low cell disconnects them"
    case .limits: "CCL and DCL agree with ATC and ATD, and with ratings and caps"
    case .chargeVoltage: "CVL is none, or between the resting voltage and 3.65 V per cell"
    case .commands: "what is sent is what was decided"
    case .staleData: "nothing is allowed on lost data, and the contactor does not stay closed on it"
    case .overcurrent: "overcurrent opens its contact after 30 s, for 5 minutes"
    case .voltageWindow: "nothing is allowed while the battery voltage is outside of its window"
    case .hotBusbar: "a hot busbar opens the contactor"
    case .uncontrolledCurrent:
      "current that ATC or ATD did not stop is reported, and with a cell in danger the contactor stops it"
    case .relay: "the relay is active when its mode allows, and does not toggle faster than its pattern"
    case .off: "Standby and Off leave nothing on"
    case .stopped: "a BMS that does not run commands nothing, and sends no limits"
    case .alarms: "an alarm that acts has an entry, and everything forbidden a reason"
    case .state: "state, mode and contactor agree"
    case .stateOfCharge: "the state of charge is within 0...100 % and moves as the current flows"
    case .truth: "with whole sensors the BMS shows what is true"
    case .snapshot: "what would be stored can be restored"
    case .deadline: "the next step is asked for in time"
    case .plant: "the plant itself: currents flow where there is a path, sources obey"
    }
  }

  /// The requirements and open numbers that it shows.
  public var source: String {
    switch self {
    case .precharge: "R20, R65, R68"
    case .prechargeTries: "R67, OD-18"
    case .lead: "R76, R131"
    case .charge: "R104, R105, R109, R110, R118, R119, OD-4, OD-6"
    case .discharge: "R92, R93, R110, R119, R177, OD-12"
    case .notice: "R84"
    case .limits: "R146-R149, R151, R90"
    case .chargeVoltage: "R136, R151, R152"
    case .commands: "R118, R135"
    case .staleData: "R99, OD-20"
    case .overcurrent: "R124, R125, R197, R198, R202"
    case .voltageWindow: "R204-R207"
    case .hotBusbar: "R72, R203"
    case .uncontrolledCurrent: "R74, R121-R123, OD-11, OD-12"
    case .relay: "R128, R130, R132"
    case .off: "R34, R35, R119"
    case .stopped: "R24, R118"
    case .alarms: "R233-R254"
    case .state: "R22, R62, R63"
    case .stateOfCharge: "R157, R159-R161, R169"
    case .truth: "R157, R306, R307"
    case .snapshot: "R50"
    case .deadline: "R84"
    case .plant: "R112, R118"
    }
  }
}

/// A rule that was broken.
public struct InvariantBreak: Sendable, Hashable, CustomStringConvertible {
  /// Which one.
  public let invariant: Invariant
  /// When, since the origin of the loop's time.
  public let at: Instant
  /// What was found.
  public let found: String

  /// A sentence.
  public var description: String {
    "\(invariant) (\(invariant.source)) after \(decimal((at - .origin).seconds, places: 3)) s: \(found)"
  }
}

/// A number with at most so many decimals and no trailing zeros, without Foundation and its locales.
func decimal(_ value: Double, places: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
  var scale = 1.0
  for _ in 0..<places { scale *= 10 }
  let scaled = Int64((abs(value) * scale).rounded())
  let sign = value < 0 && scaled != 0 ? "-" : ""
  var digits = String(scaled)
  while digits.count <= places { digits = "0" + digits }
  guard places > 0 else { return sign + digits }
  var fraction = digits.suffix(places)
  while fraction.last == "0" { fraction.removeLast() }
  let whole = digits.dropLast(places)
  return fraction.isEmpty ? "\(sign)\(whole)" : "\(sign)\(whole).\(fraction)"
}
