import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Protections, areas E and F")
struct ProtectionTests {
  @Test("R104, R146, R155: 3.74 V charges, 3.75 V does not")
  func highCellStops() {
    var rig = Rig.resting()
    rig.cells(3.3, 3.74)
    #expect(rig.step().chargeAllowed)
    rig.cells(3.3, 3.75)
    rig.step()
    #expect(!rig.out.chargeAllowed)
    #expect(rig.out.limits.chargeCurrent == 0)
    #expect(rig.out.protectiveChange)
    #expect(rig.out.events.raised.contains(.highCell))
    #expect(rig.out.dischargeAllowed)
    #expect(rig.out.limits.chargeVoltage == 13.5)
    rig.step()
    #expect(!rig.out.protectiveChange)
    #expect(rig.out.events.raised.isEmpty)
  }

  @Test("R105: 3.60 V keeps charging forbidden, 3.59 V gives it back")
  func highCellResumes() {
    var rig = Rig.resting()
    rig.cells(3.3, 3.76)
    rig.step()
    rig.cells(3.3, 3.60)
    #expect(!rig.step().chargeAllowed)
    rig.cells(3.3, 3.59)
    #expect(rig.step().chargeAllowed)
    #expect(rig.out.events.cleared.contains(.highCell))
    #expect(rig.out.limits.chargeCurrent == 200)
  }

  @Test("R106: cycling for hours locks nothing out and is one counted record")
  func highCellCycles() {
    var rig = Rig.resting()
    for _ in 0..<500 {
      rig.cells(3.3, 3.76)
      rig.step()
      rig.cells(3.3, 3.5)
      rig.step()
    }
    #expect(rig.out.chargeAllowed)
    #expect(rig.bms.record(of: .highCell).count == 500)
  }

  @Test("R92, R147: 2.81 V discharges, 2.80 V as a bus field does not")
  func lowCellStops() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(281 * 0.01, 3.3)
    #expect(rig.step().dischargeAllowed)
    rig.cells(280 * 0.01, 3.3)  // 2.8000000000000003 in binary
    rig.step()
    #expect(!rig.out.dischargeAllowed)
    #expect(rig.out.limits.dischargeCurrent == 0)
    #expect(rig.out.chargeAllowed)
    #expect(rig.out.protectiveChange)
    #expect(rig.out.alarms.contains(.lowCell))
    #expect(rig.out.alarms.contains(.loadDisconnected))
    #expect(rig.out.relayActive)
  }

  @Test("R93, R94: loads return at 3.20 V, not at 3.19 V")
  func lowCellResumes() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(2.7, 3.3)
    rig.step()
    rig.cells(3.19, 3.3)
    #expect(!rig.step().dischargeAllowed)
    rig.cells(3.20, 3.3)
    #expect(rig.step().dischargeAllowed)
    #expect(rig.out.events.cleared.contains(.lowCell))
    #expect(!rig.out.alarms.contains(.loadDisconnected))
  }

  @Test("R342: the low cell threshold is a setting")
  func lowCellIsAdjustable() throws {
    var rig = Rig.resting(try unannounced((.lowCellVoltage, 2.6)))
    rig.cells(2.61, 3.3)
    #expect(rig.step().dischargeAllowed)
    rig.cells(2.6, 3.3)
    #expect(!rig.step().dischargeAllowed)
  }

  @Test("R153, OD-2: after a low cell CCL is 0.1 C until every cell is above 3.0 V")
  func reducedCharge() {
    var rig = Rig.resting()
    rig.cells(2.7, 3.3)
    #expect(rig.step().limits.chargeCurrent == 20)
    #expect(rig.out.chargeCurrentReason.rule == .reducedAfterLowCell)
    #expect(rig.out.protectiveChange)
    rig.cells(3.0, 3.3)
    #expect(rig.step().limits.chargeCurrent == 20)
    rig.cells(3.01, 3.3)
    #expect(rig.step().limits.chargeCurrent == 200)
  }

  @Test("R95: one cell of twenty batteries is enough, and it is named")
  func everyCellCounts() throws {
    var rig = Rig.resting(try unannounced())
    rig.inputs.cellExtremes = Extremes()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.inputs.cells = CellTable(expectedCount: 80)
    for battery in 1...20 {
      for cell in 1...4 {
        rig.inputs.cells.report(3.3, of: try #require(CellPlace(battery: battery, cell: cell)), at: rig.now)
      }
    }
    #expect(rig.step().chargeAllowed)
    let bad = try #require(CellPlace(battery: 20, cell: 4))
    rig.inputs.cells.report(3.76, of: bad, at: rig.now)
    rig.step()
    #expect(rig.out.chargeReason.place == bad)
    #expect(rig.out.highestCell == PlacedValue(value: 3.76, place: bad))
    #expect(
      rig.out.chargeText == "charge forbidden: battery 20 cell 4 at 3.76 V, until every cell is below 3.6 V")
    rig.inputs.cells.report(2.8, of: bad, at: rig.now)
    rig.step()
    #expect(
      rig.out.dischargeText
        == "discharge forbidden: battery 20 cell 4 at 2.8 V, until every cell is at 3.2 V or above")
  }

  @Test("R109, R112, R113: 5.0 degC charges, 4.9 degC does not and leaves discharging alone")
  func coldStops() {
    var rig = Rig.resting()
    rig.temperature = 5
    #expect(rig.step().chargeAllowed)
    rig.temperature = 4.9
    rig.step()
    #expect(!rig.out.chargeAllowed)
    #expect(rig.out.dischargeAllowed)
    #expect(rig.out.alarms.contains(.lowTemperature))
  }

  @Test("OD-6: charging returns after 60 s at 7 degC; a dip starts the 60 s again")
  func coldResumes() {
    var rig = Rig.resting()
    rig.temperature = 4
    rig.step()
    rig.temperature = 6.9
    #expect(!rig.run(.seconds(120)) { $0.chargeAllowed })
    rig.temperature = 7
    #expect(!rig.run(.seconds(59)) { $0.chargeAllowed })
    rig.temperature = 6.9
    rig.step()
    rig.temperature = 7
    rig.step()
    #expect(!rig.run(.milliseconds(59_900)) { $0.chargeAllowed })
    #expect(rig.step().chargeAllowed)
  }

  @Test("OD-6: silence of the sensor does not count as warm")
  func coldWithSilence() {
    var rig = Rig.resting()
    rig.temperature = 4
    rig.step()
    rig.temperature = 7
    rig.run(.seconds(30))
    rig.temperature = nil
    rig.run(.seconds(40))
    rig.temperature = 7
    rig.step()
    #expect(!rig.run(.milliseconds(59_900)) { $0.chargeAllowed })
    #expect(rig.step().chargeAllowed)
  }

  @Test("R110, OD-4: charge stops at 50 degC and returns at 45; discharge stops at 55 and returns at 50")
  func hot() {
    var rig = Rig.resting()
    func at(_ degrees: Double) -> (Bool, Bool) {
      rig.temperature = degrees
      rig.step()
      return (rig.out.chargeAllowed, rig.out.dischargeAllowed)
    }
    #expect(at(49.9) == (true, true))
    #expect(at(50) == (false, true))
    #expect(at(54.9) == (false, true))
    #expect(at(55) == (false, false))
    #expect(at(50.1) == (false, false))
    #expect(at(50) == (false, true))
    #expect(at(45.1) == (false, true))
    #expect(at(45) == (true, true))
  }

  @Test("The coldest of all sensors decides on cold, the hottest on heat")
  func extremesOfTemperature() {
    var rig = Rig.resting()
    rig.inputs.temperatureExtremes = Extremes(
      lowest: Measurement(4, at: rig.now), highest: Measurement(20, at: rig.now))
    rig.step()
    #expect(rig.out.chargeReason.rule == .lowTemperature)
    rig.inputs.temperatureExtremes = Extremes(
      lowest: Measurement(20, at: rig.now), highest: Measurement(55, at: rig.now))
    rig.step()
    #expect(rig.out.dischargeReason.rule == .highTemperature)
  }

  @Test("A restart remembers a low cell: 3.1 V gives no loads")
  func latchesSurvive() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(2.7, 3.3)
    rig.step()
    var next = Rig(restoring: rig.bms.snapshot)
    next.cells(3.1, 3.3)
    #expect(!next.step().dischargeAllowed)
    next.cells(3.2, 3.3)
    #expect(next.step().dischargeAllowed)
  }

  @Test("R177, R243: the floor stops discharge at 10 %, gives it back at 15 %; R54: 0 is off")
  func floor() throws {
    var rig = Rig.resting(soc: 50)
    func at(_ percent: Double) throws -> Outputs {
      try rig.bms.perform(.setStateOfCharge(percent))
      return rig.step()
    }
    #expect(try at(10.1).dischargeAllowed)
    #expect(try at(10).dischargeReason.rule == .dischargeFloor)
    #expect(rig.out.limits.dischargeCurrent == 0)
    #expect(rig.out.chargeAllowed)
    #expect(try !at(14.9).dischargeAllowed)
    #expect(try at(15).dischargeAllowed)
    rig = Rig.resting(try settings((.dischargeFloor, 0)), soc: 50)
    #expect(try at(0).dischargeAllowed)
  }

  @Test("R176: the warning comes at 15 % and goes above 16 %")
  func lowStateOfCharge() throws {
    var rig = Rig.resting(soc: 50)
    func at(_ percent: Double) throws -> Bool {
      try rig.bms.perform(.setStateOfCharge(percent))
      return rig.step().alarms.contains(.lowStateOfChargeWarning)
    }
    #expect(try !at(15.1))
    #expect(try at(15))
    #expect(try at(16))
    #expect(try !at(16.1))
  }

  @Test("R29, R251: lost settings allow nothing, whatever the defaults would; R30, R252: a lost calibration only warns")
  func storageLost() {
    var rig = Rig.resting()
    rig.inputs.areSettingsLost = true
    rig.step()
    #expect(rig.out.chargeBlocks == .settings && rig.out.dischargeBlocks == .settings)
    #expect(rig.out.alarms.contains(.settingsLost))
    #expect(rig.out.statusPattern == .red(blinks: 9))
    #expect(rig.out.chargeText == "charge forbidden: the stored settings are damaged, until they are reset")
    rig.inputs.areSettingsLost = false
    rig.inputs.isCalibrationLost = true
    #expect(rig.step().chargeAllowed && rig.out.alarms == [.calibrationLost])
    rig.inputs.isCalibrationLost = false
    rig.inputs.isStateNotStored = true
    #expect(rig.step().chargeAllowed && rig.out.dischargeAllowed && rig.out.alarms == [.stateNotStored])
    let cause = rig.bms.record(of: .stateNotStored).cause
    #expect(cause.map { "\($0)" } == "state or event log cannot be written, until there is room or another disk")
    rig.inputs.isStateNotStored = false
    #expect(rig.step().alarms.isEmpty)
  }
}
