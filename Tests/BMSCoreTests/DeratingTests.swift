import BatterySimulator
import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Smooth limits near the cells' ends")
struct DeratingTests {
  @Test("OD-2, R148, R149: off by default, a cell at 3.74 V and one at 2.81 V change neither CCL nor DCL")
  func off() {
    var rig = Rig.resting()
    rig.cells(2.81, 3.74)
    rig.step()
    #expect(rig.out.limits.chargeCurrent == 200 && rig.out.limits.dischargeCurrent == 600)
  }

  @Test(
    "CCL by the highest cell: all at 3.45 V, half at 3.55 V, a tenth at 3.65 V, linear in between",
    arguments: [(3.3, 200.0), (3.45, 200), (3.47, 180), (3.5, 150), (3.55, 100), (3.6, 60), (3.65, 20), (3.7, 10)])
  func chargeTable(volts: Double, amperes: Double) throws {
    var rig = Rig.resting(try settings((.limitsNearCellEnds, 1)))
    rig.cells(3.3, volts)
    rig.step()
    #expect(rig.out.limits.chargeCurrent == amperes)
    #expect(rig.out.chargeAllowed && rig.out.limits.dischargeCurrent == 600)
    #expect((rig.out.chargeCurrentReason.rule == .nearCellEnd) == (amperes < 200))
    #expect(!rig.out.protectiveChange, "it slides; nothing was withdrawn")
  }

  @Test(
    "DCL by the lowest cell above its low threshold: all at 3.10 V, 60 % at 3.00 V, 20 % at 2.90 V",
    arguments: [(3.1, 600.0), (3.05, 480), (3.0, 360), (2.95, 240), (2.9, 120), (2.85, 60)])
  func dischargeTable(volts: Double, amperes: Double) throws {
    var rig = Rig.resting(try settings((.limitsNearCellEnds, 1)))
    rig.cells(volts, 3.3)
    rig.step()
    #expect(rig.out.limits.dischargeCurrent == amperes)
    #expect(rig.out.dischargeAllowed && rig.out.limits.chargeCurrent == 200)
    #expect((rig.out.dischargeCurrentReason.rule == .nearCellEnd) == (amperes < 600))
  }

  @Test("Never more at a higher cell, never more at a lower one, and zero where the contact opens")
  func monotone() {
    var last = (1.0, 0.0)
    for millivolts in 2000...4000 {
      let volts = Double(millivolts) / 1000
      let now = (
        Derating.share(Derating.chargeTable, volts), Derating.share(Derating.dischargeTable, volts - 2.8)
      )
      #expect(now.0 <= last.0 && now.1 >= last.1 && 0...1 ~= now.0 && 0...1 ~= now.1)
      last = now
    }
    #expect(Derating.share(Derating.chargeTable, 3.75) == 0 && Derating.share(Derating.dischargeTable, 0) == 0)
  }

  @Test("Off, as by default, and before anything was judged all is given: a share of 1, no less and no more")
  func nothingTaken() throws {
    var derating = Derating()
    #expect(derating.charge == 1 && derating.discharge == 1)
    var inputs = Inputs()
    inputs.cellExtremes = Extremes(lowest: Measurement(2.85, at: .origin), highest: Measurement(3.6, at: .origin))
    for isOn in [1.0, 0] {
      let parameters = Parameters(try settings((.limitsNearCellEnds, isOn)))
      derating.evaluate(Judgement(inputs, parameters, at: .origin), parameters, elapsed: .zero)
      #expect((derating.charge == 1) == (isOn == 0) && (derating.discharge == 1) == (isOn == 0))
    }
  }

  @Test("It falls at once and rises by its full scale in 60 s")
  func rises() throws {
    var rig = Rig.resting(try settings((.limitsNearCellEnds, 1)))
    rig.cells(3.3, 3.65)
    rig.step()
    rig.cells(3.3, 3.3)
    rig.run(.seconds(30))
    #expect(abs(rig.out.limits.chargeCurrent - 120) < 0.5)
    rig.run(.seconds(24))
    #expect(rig.out.limits.chargeCurrent == 200)
  }

  @Test("With an unbalanced bank and a charger that follows with its lag CCL does not swing, and ATC stays closed")
  func closedLoop() throws {
    var parameters = BankParameters()
    parameters.stateOfCharge = 0.93
    parameters.battery.isTopBalanced = false
    parameters.battery.chargeSpread = 0.02
    var plant = Plant(Bank(parameters), seed: 3)
    plant.contactors[0].closeAtOnce()
    plant.chargers = [Charger(rating: 200)]
    var commands = Commands()
    commands.closesContactor = true
    var bms = BMS(settings: try settings((.limitsNearCellEnds, 1)))
    var inputs = Inputs()
    inputs.cells = CellTable(expectedCount: 4)
    var now = Instant.origin
    var turns = 0
    var extreme = 200.0
    var isFalling = true
    var highest = 0.0
    for _ in 0..<3600 {
      now += .milliseconds(500)
      plant.step(commands, seconds: 0.5)
      plant.measureCells()
      if let volts = plant.reading.batteryVoltage { inputs.batteryVoltage.report(volts, at: now) }
      if let amperes = plant.reading.current { inputs.current.report(amperes, at: now) }
      inputs.batteryTemperature.report(25, at: now)
      for index in 0..<4 {
        let place = try #require(CellPlace(battery: 1, cell: index))
        if let volts = plant.cellReadings[index] { inputs.cells.report(volts, of: place, at: now) }
      }
      let out = bms.step(inputs, at: now)
      commands.allowsCharge = out.chargeAllowed
      commands.chargeVoltage = out.limits.chargeVoltage
      commands.chargeCurrent = out.limits.chargeCurrent
      highest = max(highest, out.highestCell?.value ?? 0)
      #expect(out.chargeAllowed)
      // A turn is a change of direction by more than a tenth of CCL.
      let ccl = out.limits.chargeCurrent
      if isFalling ? ccl > extreme + 20 : ccl < extreme - 20 {
        turns += 1
        isFalling.toggle()
        extreme = ccl
      } else {
        extreme = isFalling ? min(extreme, ccl) : max(extreme, ccl)
      }
    }
    #expect(highest > 3.5 && highest < 3.75, "\(highest)")
    #expect(turns <= 4, "\(turns)")
  }
}
