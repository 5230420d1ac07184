import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Faults of the wiring (design section 4)")
struct WiringFaultTests {
  @Test("each fault raises its alarm with role and cause, and both go with it")
  func alarms() throws {
    let expected: [(WiringFault, Alarm)] = [
      (.refused, .switchRefused), (.notSupported, .switchRefused), (.unanswered, .switchNotFollowing),
      (.notActing, .switchNotFollowing), (.faulty, .switchNotFollowing), (.actedUnasked, .switchedUnasked),
      (.lost, .moduleLost), (.ambiguous, .senderAmbiguous),
    ]
    #expect(Set(expected.map(\.0)) == Set(WiringFault.allCases))
    for (fault, alarm) in expected {
      var rig = Rig.resting()
      #expect(rig.step().alarms.isEmpty)
      rig.inputs.wiringFaults[fault, .allowToCharge] = true
      let outputs = rig.step()
      #expect(outputs.alarms == [alarm])
      #expect(rig.bms.record(of: alarm).cause?.description == "ATC: \(fault.text)")
      rig.inputs.wiringFaults[fault, .allowToCharge] = false
      #expect(rig.step().alarms.isEmpty)
    }
  }

  @Test("the first of the roles is named too where it is the only one")
  func firstRole() {
    var rig = Rig.resting()
    rig.inputs.wiringFaults[.lost, .monitor] = true
    rig.step()
    #expect(rig.bms.record(of: .moduleLost).cause?.wiring?.role == .monitor)
  }

  @Test("two sets are the same when every fault of every role is, and not otherwise")
  func equality() {
    var left = WiringFaults()
    var right = WiringFaults()
    #expect(left == right && left.isEmpty)
    left[.lost, .auxiliary] = true
    #expect(left != right && !left.isEmpty)
    #expect(left[.lost, .auxiliary] && !left[.lost, .relay] && !left[.faulty, .auxiliary])
    right[.lost, .auxiliary] = true
    #expect(left == right)
    right[.ambiguous, .monitor] = true
    #expect(left != right)
  }

  @Test("what cannot be switched is named before what cannot be heard")
  func order() {
    var rig = Rig.resting()
    rig.inputs.wiringFaults[.ambiguous, .monitor] = true
    rig.inputs.wiringFaults[.ambiguous, .precharge] = true
    rig.step()
    #expect(rig.bms.record(of: .senderAmbiguous).cause?.wiring?.role == .precharge)
  }

  @Test("a pre-charge begins when its switch is closed: 900 ms on the way over the bus are no short circuit (R68)")
  func prechargeFeedback() {
    var rig = Rig.resting(wiring: Wiring(contactors: .one))
    rig.system = 0
    func step(precharge: Bool) {
      rig.inputs.contactorFeedback = ContactFeedback(isClosed: false, at: rig.now + rig.period)
      rig.inputs.prechargeFeedback = ContactFeedback(isClosed: precharge, at: rig.now + rig.period)
      rig.step()
    }
    for _ in 0..<20 where rig.out.contactorPhase != .precharge { step(precharge: false) }
    #expect(rig.out.contactorPhase == .precharge)
    for _ in 0..<9 { step(precharge: false) }
    #expect(rig.out.contactorPhase == .precharge)
    #expect(rig.out.contactorFault == nil)
    // From here on 100 ms without a rise are one.
    for _ in 0..<3 { step(precharge: true) }
    #expect(rig.out.contactorFault == .prechargeOverload)
  }

  @Test("a pre-charge switch that never closes is E-B35 (R66)")
  func prechargeNeverCloses() {
    var rig = Rig.resting(wiring: Wiring(contactors: .one))
    rig.system = 0
    for _ in 0..<80 {
      rig.inputs.contactorFeedback = ContactFeedback(isClosed: false, at: rig.now + rig.period)
      rig.inputs.prechargeFeedback = ContactFeedback(isClosed: false, at: rig.now + rig.period)
      rig.step()
      if rig.out.contactorFault != nil { break }
    }
    #expect(rig.out.contactorFault == .prechargeTimeout)
    #expect(rig.out.contactorCommand == false)
  }

  @Test("What is commanded are the contactors, pre-charge, ATC, ATD, relay and AUX; all else is heard")
  func outputs() {
    let commanded: Set<WiredRole> = [
      .contactor, .secondContactor, .precharge, .allowToCharge, .allowToDischarge, .relay, .auxiliary,
    ]
    for role in WiredRole.allCases { #expect(role.isOutput == commanded.contains(role), "\(role)") }
  }
}
