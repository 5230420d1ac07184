import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Charge control, area H")
struct ChargeControlTests {
  @Test("R136: 14.2 and 13.5 V per 12 V at 12, 24 and 48 V", arguments: [12.0, 24, 48])
  func voltages(nominal: Double) throws {
    let bank = try settings((.nominalVoltage, nominal))
    let factor = nominal / 12
    var rig = Rig(bank)
    rig.voltage = 13.2 * factor
    rig.step()
    #expect(rig.out.limits.chargeVoltage == 14.2 * factor)
    #expect(rig.out.events.fullChargeStarted == .firstStart)
    #expect(rig.out.chargePhase == .bulk)
    #expect(rig.out.limits.lowVoltage == quantised(10.4 * factor))  // R150
    rig = Rig.resting(bank)
    #expect(rig.out.limits.chargeVoltage == 13.5 * factor)
    #expect(rig.out.chargePhase == .resting)
  }

  @Test("R142, OD-19: absorption counts from 14.15 V, pauses below 14.0 V, ends after 2 h")
  func absorption() {
    var rig = Rig()
    rig.period = .seconds(1)
    rig.voltage = 14.14
    rig.run(.hours(3))
    #expect(rig.out.chargePhase == .bulk)
    rig.voltage = 14.15
    rig.step()
    #expect(rig.out.chargePhase == .absorption)
    rig.run(.hours(1))
    rig.voltage = 14.0
    rig.run(.minutes(30))
    #expect(rig.out.chargePhase == .absorption)
    rig.voltage = 13.99
    rig.run(.hours(5))
    #expect(rig.out.chargePhase == .bulk)
    #expect(rig.out.limits.chargeVoltage == 14.2)
    rig.voltage = 14.1
    rig.run(.hours(1))
    #expect(rig.out.chargePhase == .bulk)
    rig.voltage = 14.15
    rig.step()
    rig.run(.seconds(1799))
    #expect(rig.out.chargePhase == .absorption)
    rig.step()
    #expect(rig.out.events.fullChargeCompleted)
    #expect(rig.out.chargePhase == .resting)
    #expect(rig.out.limits.chargeVoltage == 14.0)  // follows 14.15 V down
    #expect(!rig.out.protectiveChange)
    #expect(rig.bms.snapshot.secondsSinceFullCharge == 0)
  }

  @Test("A gap in the data is not absorption")
  func absorptionGap() {
    var rig = Rig()
    rig.voltage = 14.2
    rig.step()
    rig.run(.seconds(10))
    let counted = rig.bms.snapshot.absorbedSeconds
    rig.step(after: .hours(3))
    #expect(rig.bms.snapshot.absorbedSeconds == counted + 2)
  }

  @Test("R137: 70.0 % rests, below it a cycle starts; it starts once")
  func threshold() throws {
    var rig = Rig.resting(soc: 80)
    try rig.bms.perform(.setStateOfCharge(70))
    #expect(rig.step().limits.chargeVoltage == 13.5)
    try rig.bms.perform(.setStateOfCharge(69.9))
    rig.step()
    #expect(rig.out.events.fullChargeStarted == .stateOfCharge)
    #expect(rig.out.limits.chargeVoltage == 14.2)
    #expect(rig.step().events.fullChargeStarted == nil)
  }

  @Test("A state of charge that stays low does not absorb for ever")
  func noEndlessAbsorption() throws {
    var rig = Rig.resting(soc: 60)
    #expect(rig.out.chargePhase == .bulk)
    rig.period = .seconds(1)
    rig.voltage = 14.2
    rig.current = -1  // flows out, so that nothing synchronises
    rig.run(.hours(2) + .seconds(2))
    #expect(rig.out.chargePhase == .resting)
    rig.run(.hours(1))
    #expect(rig.out.chargePhase == .resting)
    try rig.bms.perform(.setStateOfCharge(75))
    rig.step()
    try rig.bms.perform(.setStateOfCharge(65))
    #expect(rig.step().events.fullChargeStarted == .stateOfCharge)
  }

  @Test("R144: raising the threshold above the state of charge starts at once")
  func raisedThreshold() throws {
    var rig = Rig.resting(soc: 80)
    rig.bms.apply(try settings((.stateOfChargeThreshold, 80)))
    #expect(rig.step().chargePhase == .resting)
    rig.bms.apply(try settings((.stateOfChargeThreshold, 81)))
    #expect(rig.step().chargePhase == .bulk)
  }

  @Test("R138, OD-23: 30 counted days start a cycle, a second less does not, 0 never does")
  func interval() throws {
    func started(after seconds: Double, _ settings: Settings) -> FullChargeTrigger? {
      var snapshot = Snapshot()
      snapshot.secondsSinceFullCharge = seconds
      var rig = Rig(settings, restoring: snapshot)
      return rig.step().events.fullChargeStarted
    }
    #expect(started(after: 30 * 86_400 - 1, Settings()) == nil)
    #expect(started(after: 30 * 86_400, Settings()) == .interval)
    #expect(started(after: 300 * 86_400, try settings((.repeatedAbsorptionInterval, 0))) == nil)
  }

  @Test("R140: 12.00 V rests, 11.99 V starts; at 48 V 48.00 and 47.99 V", arguments: [12.0, 48])
  func lowVoltage(nominal: Double) throws {
    var rig = Rig.resting(try settings((.nominalVoltage, nominal)))
    rig.voltage = nominal
    #expect(rig.step().chargePhase == .resting)
    rig.voltage = nominal - 0.01
    #expect(rig.step().events.fullChargeStarted == .lowVoltage)
  }

  @Test("R97, R141: a low cell starts a cycle, and starts a running absorption anew")
  func lowCell() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(2.8, 3.3)
    #expect(rig.step().events.fullChargeStarted == .lowCell)
    rig.cells(3.3, 3.4)
    rig.voltage = 14.2
    rig.step()
    rig.run(.seconds(10))
    #expect(rig.bms.snapshot.absorbedSeconds > 9)
    rig.cells(2.8, 3.3)
    rig.step()
    #expect(rig.bms.snapshot.absorbedSeconds == 0)
  }

  @Test("R139: an update starts a cycle, a plain restart does not, a missing state does")
  func update() {
    let snapshot = Rig.resting().bms.snapshot
    var same = Rig(restoring: snapshot)
    #expect(same.step().chargePhase == .resting)
    var updated = Rig(restoring: snapshot, afterUpdate: true)
    #expect(updated.step().events.fullChargeStarted == .update)
    var damaged = snapshot
    damaged.missing = .nan
    var fresh = Rig(restoring: damaged)
    #expect(fresh.step().events.fullChargeStarted == .firstStart)
    #expect(fresh.out.stateOfCharge == nil)
  }

  @Test("R26: an update begins a full charge cycle even at 100 %; one that goes on or fails begins none")
  func updateAndFailure() throws {
    let snapshot = Rig.resting(soc: 100).bms.snapshot
    var updated = Rig(restoring: snapshot, afterUpdate: true)
    #expect(updated.step().events.fullChargeStarted == .update && updated.out.limits.chargeVoltage == 14.2)
    for isFailing in [false, true] {
      var rig = Rig(restoring: snapshot)
      rig.step()
      (rig.inputs.isUpdating, rig.inputs.isUpdateFailing) = (!isFailing, isFailing)
      #expect(!rig.run(.minutes(3)) { $0.events.fullChargeStarted != nil || $0.chargePhase != .resting })
      // Given up: the program is the same as before.
      (rig.inputs.isUpdating, rig.inputs.isUpdateFailing) = (false, false)
      #expect(!rig.run(.minutes(1)) { $0.events.fullChargeStarted != nil })
      var restarted = Rig(restoring: rig.bms.snapshot)
      #expect(restarted.step().chargePhase == .resting && restarted.out.limits.chargeVoltage == 13.5)
    }
  }

  @Test("R152: at rest CVL is the battery less 0.15 V per 12 V, from 13.65 V on and never above 14.2 V")
  func restingFollows() {
    var rig = Rig.resting()
    func at(_ volts: Double) -> Double? {
      rig.voltage = volts
      return rig.step().limits.chargeVoltage
    }
    #expect(at(13.65) == 13.5)
    #expect(at(13.7) == 13.55)
    #expect(rig.out.chargeVoltageReason.rule == .restingFollowsBattery)
    #expect(at(14.35) == 14.2)
    #expect(at(15) == 14.2)
  }

  @Test("Z-5: 55.27 V at 48 V gives 54.67 V, below 54.6 V it is 54.00 V")
  func restingFollowsAsRecorded() throws {
    var rig = Rig.resting(try settings((.nominalVoltage, 48)))
    rig.voltage = 55.27
    #expect(rig.step().limits.chargeVoltage == 54.67)
    rig.voltage = 54.59
    #expect(rig.step().limits.chargeVoltage == 54)
  }

  @Test("R148: CCL is 1 A per Ah, at most the continuous rating; R149: DCL is the peak rating")
  func currents() throws {
    func limits(_ changes: (Setting, Double)...) throws -> Limits {
      var settings = Settings()
      try settings.set(changes)
      return Rig.resting(settings).out.limits
    }
    #expect(try limits((.batteryCapacity, 50)).chargeCurrent == 50)
    #expect(try limits((.batteryCapacity, 800)).chargeCurrent == 500)
    #expect(try limits((.batteryCapacity, 800), (.model, 1000)).chargeCurrent == 800)
    #expect(try limits().dischargeCurrent == 600)
    #expect(try limits((.model, 1000)).dischargeCurrent == 1200)
  }

  @Test("OD-2: the installer's caps hold for CCL, DCL and CVL, at rest and in the cycle")
  func caps() throws {
    let capped = try settings(
      (.maximumChargeCurrent, 80), (.maximumDischargeCurrent, 150), (.maximumChargeVoltage, 13.8))
    var rig = Rig.resting(capped)
    #expect(rig.out.limits.chargeCurrent == 80)
    #expect(rig.out.limits.dischargeCurrent == 150)
    rig.voltage = 14.2
    #expect(rig.step().limits.chargeVoltage == 13.8)
    rig = Rig(capped)
    #expect(rig.step().limits.chargeVoltage == 13.8)
    #expect(rig.out.chargeVoltageReason.rule == .installerCap)
  }

  @Test("R138, R143, OD-23: the month goes on while nobody counts, as far as a clock knows how long that was")
  func intervalUnseen() {
    for (unseen, isDue) in [(TimeSpan.days(29), true), (.days(29) - .seconds(1), false), (nil, false)] {
      var snapshot = Snapshot()
      snapshot.secondsSinceFullCharge = 86_400
      var rig = Rig()
      rig.bms = BMS(restoring: snapshot, unseenFor: unseen)
      #expect(rig.step().events.fullChargeStarted == (isDue ? .interval : nil))
    }
    var snapshot = Snapshot()
    snapshot.secondsSinceFullCharge = 86_400
    #expect(BMS(restoring: snapshot, unseenFor: .seconds(-5)).snapshot.secondsSinceFullCharge == 86_400)
    #expect(BMS(restoring: Snapshot(), unseenFor: .days(9)).snapshot.secondsSinceFullCharge == nil)
  }
}
