import MonotonicTime

// Why each output and each state is what it is, made when somebody asks (design rule 8). The limits and permissions
// carry their reason in the outputs; this adds what follows from them: mode, state, contactor, pre-charge, relay, AUX and
// the LEDs. A step only notes since when each has its value.

/// What can be explained.
public enum Explained: UInt8, Sendable, Hashable, CaseIterable {
  /// ATC.
  case charge
  /// ATD.
  case discharge
  /// CVL.
  case chargeVoltage
  /// CCL.
  case chargeCurrent
  /// DCL.
  case dischargeCurrent
  /// On, Standby, Off.
  case mode
  /// The state number (R63).
  case state
  /// The contactors' command.
  case contactor
  /// The pre-charge switch.
  case precharge
  /// The programmable relay.
  case relay
  /// AUX.
  case auxiliary
  /// The status LED.
  case statusLED
  /// The Bluetooth LED.
  case channelLED

  /// The word for people.
  public var name: String {
    switch self {
    case .charge: "charge"
    case .discharge: "discharge"
    case .chargeVoltage: "CVL"
    case .chargeCurrent: "CCL"
    case .dischargeCurrent: "DCL"
    case .mode: "mode"
    case .state: "state"
    case .contactor: "contactor"
    case .precharge: "pre-charge"
    case .relay: "relay"
    case .auxiliary: "AUX"
    case .statusLED: "status LED"
    case .channelLED: "Bluetooth LED"
    }
  }
}

/// Why something is what it is.
public struct Explanation: Sendable, Hashable {
  /// What is explained.
  public let subject: Explained
  /// What it is, as a word: "forbidden", "closed", "13.5 V".
  public let value: String
  /// Rule, input, since when, what ends it.
  public let reason: Reason
  /// The alarm that decides, where one does.
  public let alarm: Alarm?

  /// A sentence: "contactor open: in standby, until switched on".
  public var text: String {
    let cause = alarm.map { "\($0.definition.code) \($0.definition.message): " } ?? ""
    return "\(subject.name) \(value): \(cause)\(reason)"
  }
}

/// Since when each has its value; written in a step.
struct ValueTimes: Sendable {
  var mode, state, contactor, precharge, relay, statusLED, channelLED: Instant

  init(all instant: Instant = .origin) {
    mode = instant
    state = instant
    contactor = instant
    precharge = instant
    relay = instant
    statusLED = instant
    channelLED = instant
  }
}

extension BMS {
  /// Why an output or a state is what the last step made it.
  public func explanation(of subject: Explained) -> Explanation {
    let out = decided
    func explain(_ value: String, _ reason: Reason, since: Instant? = nil, alarm: Alarm? = nil) -> Explanation {
      var dated = reason
      if let since { dated.since = since }
      return Explanation(subject: subject, value: value, reason: dated, alarm: alarm)
    }
    func volts(_ value: Double?) -> String { value.map { "\($0.text(upTo: 2)) V" } ?? "not available" }
    func amperes(_ value: Double) -> String {
      out.limits.isAvailable ? "\(value.text(upTo: 1)) A" : "not available"
    }
    /// What is open already and stays so for the mode does so since the mode.
    func held(since instant: Instant) -> Instant { out.mode == .on ? instant : max(instant, valueTimes.mode) }
    switch subject {
    case .charge:
      let word = out.left.contains(.allowToCharge) ? "left as it is" : out.chargeAllowed ? "allowed" : "forbidden"
      return explain(word, out.chargeReason)
    case .discharge:
      let word = out.left.contains(.allowToDischarge) ? "left as it is" : out.dischargeAllowed ? "allowed" : "forbidden"
      return explain(word, out.dischargeReason)
    case .chargeVoltage: return explain(volts(out.limits.chargeVoltage), out.chargeVoltageReason)
    case .chargeCurrent: return explain(amperes(out.limits.chargeCurrent), out.chargeCurrentReason)
    case .dischargeCurrent: return explain(amperes(out.limits.dischargeCurrent), out.dischargeCurrentReason)
    case .mode:
      let word = out.mode == .on ? "On" : out.mode == .standby ? "Standby" : "Off"
      guard let left = out.offIn else { return explain(word, modes.reason, since: valueTimes.mode) }
      var reason = Reason(.emptySoon, .command)
      reason.endsIn = left
      return explain(word, reason, since: valueTimes.mode)
    case .state: return explain("\(out.state)", stateReason, since: valueTimes.state)
    case .contactor:
      return explain(
        out.left.contains(.contactor) ? "left as it is" : out.contactorCommand ? "closed" : "open", contactReason,
        since: held(since: valueTimes.contactor))
    case .precharge:
      let reason =
        out.prechargeCommand
        ? Reason(.contactorStarts, .contactor) : out.contactorCommand ? Reason(.notNeeded) : contactReason
      return explain(out.prechargeCommand ? "on" : "off", reason, since: held(since: valueTimes.precharge))
    case .relay:
      let word = out.relayActive ? "active" : "inactive"
      if out.mode == .off { return explain(word, modes.reason, since: valueTimes.relay) }
      if parameters.relayIsAlternator {
        return explain(word, out.relayActive ? Reason(.allowed) : out.chargeReason, since: valueTimes.relay)
      }
      let drivers = out.alarms.intersection(
        parameters.relayOnWarning ? AlarmSet.warningRelayDrivers : AlarmSet.relayDrivers)
      guard let alarm = mostSerious(drivers) else { return explain(word, Reason(.notNeeded), since: valueTimes.relay) }
      return explain(word, record(of: alarm).cause ?? Reason(.notNeeded), alarm: alarm)
    case .auxiliary:
      let reason = out.auxiliary ? Reason(.allowed) : modes.reason
      return explain(out.auxiliary ? "on" : "off", reason, since: valueTimes.mode)
    case .statusLED:
      let word = "\(out.statusPattern)"
      if out.statusPattern == .alternating {
        return explain("alternating", Reason(.updating, .command), since: valueTimes.statusLED)
      }
      guard case .red(let blinks) = out.statusPattern else {
        return explain(word, out.mode == .off ? modes.reason : stateReason, since: valueTimes.statusLED)
      }
      let shown = out.alarms.reduce(into: AlarmSet()) { set, alarm in
        if alarm.definition.ledBlinks == blinks, !alarm.definition.isCompanion { set.insert(alarm) }
      }
      guard let alarm = mostSerious(shown) else { return explain(word, stateReason, since: valueTimes.statusLED) }
      return explain("red, \(blinks) in 4 s", record(of: alarm).cause ?? stateReason, alarm: alarm)
    case .channelLED:
      let rule: Rule =
        switch out.channelPattern {
        case .off: .controlDisabled
        case .on: .controlClient
        case .flashing: .notNeeded
        case .slowFlash: modes.reason.rule
        }
      return explain("\(out.channelPattern)", Reason(rule, .command), since: valueTimes.channelLED)
    }
  }

  /// A companion speaks only where there is nothing else (R255).
  private func mostSerious(_ alarms: AlarmSet) -> Alarm? {
    func weight(_ alarm: Alarm) -> UInt8 {
      alarm.definition.severity.rawValue * 2 + (alarm.definition.isCompanion ? 0 : 1)
    }
    return alarms.max { weight($0) < weight($1) }
  }

  private var stateReason: Reason {
    switch decided.state {
    case .running: Reason(.allowed)
    case .standby: modes.reason
    case .shutdown: decided.mode == .on ? decided.chargeReason : modes.reason
    case .contactorCheck, .goingToRun, .precharging, .pending: contactorReason
    case .waiting, .error:
      contactor.phase == .failed ? Reason(.contactorFault, .contactor) : decided.chargeReason
    }
  }

  /// Why the contactor is commanded as it is: what keeps it open comes in the order in which it is asked.
  private var contactReason: Reason {
    if decided.contactorCommand, contactor.phase == .closed { return Reason(.allowed) }
    if contactor.phase == .failed { return Reason(.contactorFault, .contactor) }
    if decided.mode != .on { return modes.reason }
    if isBusbarHot { return Reason(.busbarHot, .contactor) }
    if heldOpen != nil { return Reason(.secondLine, .current) }
    if wiring.contactors == .none { return Reason(.notNeeded) }
    if let block = decided.chargeBlocks.first, block != .contactor { return decided.chargeReason }
    return contactorReason
  }
}
