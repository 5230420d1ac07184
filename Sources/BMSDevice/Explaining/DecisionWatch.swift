public import BMSCore
import MonotonicTime

// Which decisions of a step are news for people (design rule 8): what an output is, or the rule that makes it so, has
// changed. A number that moves under the same rule is none, and what follows from another decision is told with that one.

struct DecisionWatch: Sendable {
  /// A limit whose rule changes to and fro is told this often at most; that it is gone or back is told at once.
  static let limitInterval = TimeSpan.seconds(10)

  /// What is watched, in the order in which it is told.
  static let subjects: [Explained] = [
    .mode, .charge, .discharge, .contactor, .precharge, .relay, .chargeVoltage, .chargeCurrent, .dischargeCurrent,
  ]

  /// What a decision is, without the numbers that move all the time.
  private struct Decision: Equatable {
    /// Allowed, closed, active, available; 2 where it is left as it is; or the mode's number.
    var value: UInt8 = 0
    var rule = Rule.allowed
    var input: InputRole?
    var fault = InputFault.none
    var wiring: WiringFinding?
    var conditions: BatteryConditions = []

    init(_ value: Bool, isLeft: Bool = false, _ reason: Reason? = nil) {
      self.init(isLeft ? 2 : value ? 1 : 0, reason)
    }

    init(_ value: UInt8, _ reason: Reason?) {
      self.value = value
      guard let reason else { return }
      rule = reason.rule
      // At a start one input after the other arrives: that it waits is told once.
      guard rule != .waitingForData else { return }
      input = reason.input
      fault = reason.fault
      wiring = reason.wiring
      conditions = reason.conditions
    }
  }

  private var told = [Decision?](repeating: nil, count: subjects.count)
  private var toldAt = [Instant](repeating: Instant(nanoseconds: .min), count: subjects.count)

  /// The subjects that are to be told now. Asks for no memory while nothing changes.
  mutating func changes(_ outputs: Outputs, at now: Instant) -> [Explained] {
    var changes: [Explained] = []
    for index in Self.subjects.indices {
      let subject = Self.subjects[index]
      guard let decision = Self.decision(subject, outputs), decision != told[index] else { continue }
      let isLimit = subject == .chargeVoltage || subject == .chargeCurrent || subject == .dischargeCurrent
      let isValueNew = told[index]?.value != decision.value
      if isLimit, !isValueNew, now - toldAt[index] < Self.limitInterval { continue }
      let isFirst = told[index] == nil
      told[index] = decision
      toldAt[index] = now
      // At the start everything that is off is so because nothing has begun yet.
      if isFirst, decision.value == 0, subject != .charge, subject != .discharge { continue }
      changes.append(subject)
    }
    return changes
  }

  /// Nil where another decision tells it already.
  private static func decision(_ subject: Explained, _ outputs: Outputs) -> Decision? {
    switch subject {
    case .mode: Decision(outputs.mode.rawValue, nil)
    case .charge:
      Decision(outputs.chargeAllowed, isLeft: outputs.left.contains(.allowToCharge), outputs.chargeReason)
    case .discharge:
      Decision(outputs.dischargeAllowed, isLeft: outputs.left.contains(.allowToDischarge), outputs.dischargeReason)
    case .contactor: Decision(outputs.contactorCommand, isLeft: outputs.left.contains(.contactor))
    case .precharge: Decision(outputs.prechargeCommand)
    case .relay: Decision(outputs.relayActive)
    case .chargeVoltage:
      // That it is gone for the reason that forbids charging is told there.
      outputs.limits.chargeVoltage == nil && outputs.chargeVoltageReason.rule == outputs.chargeReason.rule
        ? nil : Decision(outputs.limits.chargeVoltage != nil, outputs.chargeVoltageReason)
    case .chargeCurrent:
      outputs.chargeAllowed ? Decision(outputs.limits.isAvailable, outputs.chargeCurrentReason) : nil
    case .dischargeCurrent:
      outputs.dischargeAllowed ? Decision(outputs.limits.isAvailable, outputs.dischargeCurrentReason) : nil
    case .state, .auxiliary, .statusLED, .channelLED: nil
    }
  }
}

extension Explanation {
  /// Whether it takes something away: that is what an operator looks for first.
  public var isWithdrawal: Bool {
    switch subject {
    case .charge, .discharge: value == "forbidden"
    case .contactor: value == "open"
    case .mode: value != "On"
    case .chargeVoltage, .chargeCurrent, .dischargeCurrent: value == "not available"
    case .state, .precharge, .relay, .auxiliary, .statusLED, .channelLED: false
    }
  }
}
