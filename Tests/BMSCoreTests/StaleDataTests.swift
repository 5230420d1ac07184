import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Lost data, OD-20")
struct StaleDataTests {
  @Test("Before the first data: nothing allowed, no limits, state 8, no false alarm for 5 s")
  func beforeFirstData() {
    var rig = Rig()
    (rig.voltage, rig.current, rig.temperature, rig.lowest, rig.highest) = (nil, nil, nil, nil, nil)
    rig.step()
    #expect(rig.out.limits == .withdrawn)
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
    #expect(rig.out.state == .waiting)
    #expect(!rig.run(.milliseconds(4_900)) { !$0.alarms.isEmpty })
    rig.step()
    #expect(rig.out.alarms.contains(.cellsLost) && rig.out.alarms.contains(.currentLost))
    #expect(rig.out.limits == .withdrawn)
  }

  @Test("Nobody feeds a role: named as such, distinct from silence")
  func unassigned() {
    var bms = BMS()
    let out = bms.step(Inputs(), at: .origin)
    #expect(out.chargeReason.fault == .unassigned)
    #expect(out.chargeText == "charge forbidden: waiting for the first complete data: cell voltages without a source")
    var rig = Rig()
    (rig.lowest, rig.highest) = (nil, nil)
    #expect(rig.step().chargeReason.fault == .neverSeen)
  }

  @Test("Cells silent: warned at 2 s, forbidden at 5 s, withdrawn at 60 s, given back at once")
  func cellsSilent() {
    var rig = Rig.resting()
    let last = rig.now
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.milliseconds(1_900))
    #expect(!rig.out.alarms.contains(.cellsLate))
    rig.step()
    #expect(rig.out.alarms.contains(.cellsLate) && rig.out.chargeAllowed)
    rig.run(.milliseconds(2_900))
    #expect(rig.out.chargeAllowed && rig.out.dischargeAllowed)
    rig.step()
    #expect(rig.now - last == .seconds(5))
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
    #expect(rig.out.protectiveChange)
    #expect(rig.out.state == .error)
    #expect(rig.out.limits == Limits(chargeVoltage: 13.5, chargeCurrent: 0, dischargeCurrent: 0, lowVoltage: 10.4))
    #expect(rig.out.chargeText == "charge forbidden: cell voltages stale, until good values arrive")
    #expect(rig.out.lowestCell == nil)
    rig.run(.milliseconds(54_900))
    #expect(rig.out.limits.chargeVoltage == 13.5)
    rig.step()
    #expect(rig.out.limits == .withdrawn)
    #expect(rig.out.protectiveChange)
    #expect(rig.out.chargeVoltageReason.rule == .withdrawn)
    rig.cells(3.3, 3.3)
    rig.step()
    #expect(rig.out.chargeAllowed && rig.out.dischargeAllowed)
    #expect(rig.out.limits.chargeVoltage == 13.5)
    #expect(!rig.out.alarms.contains(.cellsLost))
  }

  @Test("Current and voltage silent: warned at 0.5 s, forbidden at 2 s", arguments: [true, false])
  func measurementSilent(isCurrent: Bool) {
    var rig = Rig.resting()
    if isCurrent { rig.current = nil } else { rig.voltage = nil }
    rig.run(.milliseconds(400))
    #expect(rig.out.alarms.isEmpty)
    rig.step()
    #expect(rig.out.alarms == [isCurrent ? .currentLate : .voltageLate])
    rig.run(.milliseconds(1_400))
    #expect(rig.out.chargeAllowed && rig.out.dischargeAllowed)
    rig.step()
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
    #expect(rig.out.chargeReason.input == (isCurrent ? .current : .batteryVoltage))
    #expect((isCurrent ? rig.out.current : rig.out.voltage) == nil)
    #expect(rig.out.power == nil)
  }

  @Test("A dead voltage leaves the constant 13.5 V, never a CVL that followed it (R152)")
  func noLimitFromDeadMeasurement() {
    var rig = Rig.resting()
    rig.voltage = 14.0
    #expect(rig.step().limits.chargeVoltage == 13.85)
    rig.voltage = nil
    rig.run(.seconds(3))
    #expect(rig.out.limits.chargeVoltage == 13.5)
  }

  @Test("One silent cell among four is stale and named")
  func oneSilentCell() throws {
    var rig = Rig.resting()
    rig.inputs.cellExtremes = Extremes()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.inputs.cells = CellTable(expectedCount: 4)
    let places = try (1...4).map { try #require(CellPlace(battery: 1, cell: $0)) }
    for place in places.prefix(3) { rig.inputs.cells.report(3.3, of: place, at: rig.now) }
    #expect(rig.step().chargeReason.fault == .incomplete)
    rig.inputs.cells.report(3.3, of: places[3], at: rig.now)
    #expect(rig.step().chargeAllowed)
    for _ in 0..<49 {
      for place in places.prefix(3) { rig.inputs.cells.report(3.3, of: place, at: rig.now) }
      rig.step()
    }
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
    #expect(rig.out.chargeText == "charge forbidden: cell voltages of battery 1 cell 4 stale, until good values arrive")
  }

  @Test("R31: the impossible forbids at once: 5.1 V cell, not a number, negative bank, swapped extremes")
  func implausible() throws {
    var rig = Rig.resting()
    rig.cells(3.3, 4.7)
    #expect(rig.step().chargeReason.rule == .highCell)
    rig.cells(3.3, 5.1)
    #expect(rig.step().dischargeReason.fault == .outOfRange)
    rig.cells(3.3, .nan)
    #expect(rig.step().dischargeReason.fault == .outOfRange)
    rig.cells(3.4, 3.3)
    #expect(rig.step().dischargeReason.fault == .outOfRange)
    rig.cells(3.3, 3.3)
    #expect(rig.step().dischargeAllowed)
    rig.voltage = -0.1  // R31
    #expect(rig.step().dischargeReason.input == .batteryVoltage)
    rig.voltage = .infinity
    #expect(rig.step().dischargeReason.fault == .outOfRange)
    rig.voltage = 13.2
    rig.current = .nan
    #expect(rig.step().dischargeReason.input == .current)
    var table = CellTable(expectedCount: 1)
    let place = try #require(CellPlace(battery: 1, cell: 1))
    table.report(.nan, of: place, at: .origin)
    #expect(table[place].validity == .outOfRange && table[place].lastGood == nil)
  }

  @Test("An input that goes on sending the impossible is withdrawn after 60 s too, however often it is repeated")
  func impossibleForEver() {
    var rig = Rig.resting()
    rig.cells(3.3, 6)
    rig.step()
    rig.run(.milliseconds(59_900))
    #expect(rig.out.limits.chargeVoltage == 13.5)
    rig.step()
    #expect(rig.out.limits == .withdrawn)
  }

  @Test("Not available is silence, not zero")
  func notAvailable() {
    var rig = Rig.resting()
    rig.current = nil
    for _ in 0..<19 {
      rig.inputs.current.report(.notAvailable)
      rig.step()
    }
    #expect(rig.out.chargeAllowed)
    rig.step()
    #expect(rig.out.chargeReason.fault == .notAvailable)
    #expect(rig.out.current == nil)
  }

  @Test("A sample from the future does not stay fresh")
  func future() {
    var rig = Rig.resting()
    rig.voltage = nil
    rig.inputs.batteryVoltage.report(13.2, at: rig.now + .hours(1))
    #expect(rig.step().chargeReason.input == .batteryVoltage)
  }

  @Test("A temperature that was told and is lost forbids after 5 s, required or not", arguments: [0.0, 1.0])
  func temperatureLost(required: Double) throws {
    var rig = Rig.resting(try settings((.temperatureRequired, required)))
    rig.temperature = nil
    rig.run(.milliseconds(4_900))
    #expect(rig.out.chargeAllowed)
    rig.step()
    #expect(rig.out.chargeReason.input == .temperature && !rig.out.dischargeAllowed)
    #expect(rig.out.alarms.contains(.temperatureLost))
    var restarted = Rig(try settings((.temperatureRequired, required)), restoring: rig.bms.snapshot)
    restarted.temperature = nil
    restarted.run(.seconds(6))
    #expect(!restarted.out.chargeAllowed, "a restart does not forget that there is a sensor")
  }

  @Test("A sensor that was taken away is missed until a person says so: required, then no more")
  func temperatureTakenAway() throws {
    var rig = Rig.resting(try settings((.temperatureRequired, 0)))
    rig.temperature = nil
    rig.inputs.batteryTemperature = .waiting
    rig.run(.seconds(6))
    #expect(!rig.out.chargeAllowed)
    for (required, isAllowed) in [(0.0, false), (1, false), (0, true)] {
      rig.bms.apply(try settings((.temperatureRequired, required)))
      rig.run(.seconds(6))
      #expect(rig.out.chargeAllowed == isAllowed && rig.out.dischargeAllowed == isAllowed)
      #expect(rig.out.alarms.contains(isAllowed ? .temperatureLate : .temperatureLost))
    }
    #expect(!rig.bms.snapshot.hasTemperature)
    rig.temperature = 20
    rig.step()
    #expect(rig.out.alarms.isEmpty && rig.bms.snapshot.hasTemperature)
    for required in [1.0, 0] { rig.bms.apply(try settings((.temperatureRequired, required))) }
    rig.step()
    #expect(rig.bms.snapshot.hasTemperature)
  }

  @Test("A temperature that was never told warns, and forbids where it is required")
  func temperatureNeverTold() throws {
    var rig = Rig(try settings((.temperatureRequired, 0)))
    rig.temperature = nil
    rig.run(.seconds(6))
    #expect(rig.out.chargeAllowed && rig.out.dischargeAllowed)
    #expect(rig.out.alarms.contains(.temperatureLate))
    rig = Rig(try settings((.temperatureRequired, 1)))
    rig.temperature = nil
    rig.run(.seconds(6))
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
  }

  @Test("A low cell stays low while its source is silent, and a fresh danger counts beside a lost neighbour")
  func latchWithLoss() throws {
    var rig = Rig.resting(try unannounced())
    rig.cells(2.7, 3.3)
    rig.step()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.seconds(6))
    #expect(rig.out.dischargeBlocks == [.data, .lowCell])
    rig.lowest = 3.3
    rig.step()
    #expect(rig.out.dischargeBlocks == [.data, .lowCell], "half of the cells cannot end it")
    rig.highest = 3.3
    #expect(rig.step().dischargeAllowed)
    rig.highest = nil
    rig.run(.seconds(6))
    rig.lowest = 2.7
    #expect(rig.step().dischargeBlocks == [.data, .lowCell])
  }

  @Test("OD-20: one cell of a table with a failed sensor forbids at once, one without a value after 5 s, by name")
  func oneBadCell() throws {
    for (fault, named, after) in [
      (Validity.sensorError, InputFault.sensorError, TimeSpan.milliseconds(200)),
      (.notAvailable, .notAvailable, .seconds(5)),
    ] {
      var rig = Rig.resting()
      rig.inputs.cellExtremes = Extremes()
      (rig.lowest, rig.highest) = (nil, nil)
      rig.inputs.cells = CellTable(expectedCount: 4)
      let places = try (1...4).map { try #require(CellPlace(battery: 0, cell: $0)) }
      let taken = rig.now
      for place in places { rig.inputs.cells.report(3.3, of: place, at: taken) }
      #expect(rig.step().chargeAllowed && rig.out.highestCell?.value == 3.3)
      var forbidden: TimeSpan?
      for _ in 0..<60 where forbidden == nil {
        for place in places where place != places[1] {
          rig.inputs.cells.report(3.3, of: place, at: rig.now + .milliseconds(100))
        }
        rig.inputs.cells.report(fault, of: places[1])
        if !rig.step().chargeAllowed { forbidden = rig.now - taken }
      }
      #expect(forbidden == after, "\(fault)")
      #expect(rig.out.chargeBlocks == .data && rig.out.dischargeBlocks == .data && rig.out.highestCell == nil)
      #expect(rig.out.chargeReason.place == places[1] && rig.out.chargeReason.fault == named)
    }
  }

  @Test("A high cell ends only when every cell says so, not when the high one fell silent")
  func highCellFallsSilent() throws {
    var rig = Rig.resting()
    rig.inputs.cellExtremes = Extremes()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.inputs.cells = CellTable(expectedCount: 2)
    let high = try #require(CellPlace(battery: 1, cell: 1))
    let other = try #require(CellPlace(battery: 1, cell: 2))
    rig.inputs.cells.report(3.76, of: high, at: rig.now)
    rig.inputs.cells.report(3.4, of: other, at: rig.now)
    rig.step()
    for _ in 0..<100 {
      rig.inputs.cells.report(3.4, of: other, at: rig.now)
      rig.step()
    }
    #expect(rig.out.chargeBlocks == [.data, .highCell])
    rig.inputs.cells.report(3.5, of: high, at: rig.now)
    #expect(rig.step().chargeAllowed)
  }

  @Test("OD-6, OD-4: one warm sensor ends neither cold nor heat while another is lost")
  func oneSensorOfTwo() {
    var rig = Rig.resting()
    func both(_ degrees: Double) {
      rig.inputs.temperatureExtremes = Extremes(
        lowest: Measurement(degrees, at: rig.now), highest: Measurement(degrees, at: rig.now))
    }
    for (bad, block) in [(4.0, Blocks.lowTemperature), (50.0, .highTemperature)] {
      rig = Rig.resting()
      both(bad)
      rig.step()
      rig.run(.seconds(70))
      #expect(rig.out.chargeBlocks == [.data, block])
      both(20)
      #expect(rig.step().chargeBlocks == (block == .lowTemperature ? block : []))
    }
  }

  @Test("Shutdown withdraws everything and says so")
  func shutdown() {
    var rig = Rig.resting()
    rig.inputs.shutdown = true
    rig.step()
    #expect(rig.out.limits == .withdrawn)
    #expect(rig.out.state == .shutdown)
    #expect(rig.out.protectiveChange)
    #expect(!rig.out.chargeAllowed && !rig.out.dischargeAllowed)
  }

  @Test("Contactor: what feedback says, and nothing when it is old")
  func contactor() {
    var rig = Rig.resting()
    #expect(rig.out.contactorClosed == nil)
    rig.inputs.contactorFeedback = ContactFeedback(isClosed: true, at: rig.now)
    #expect(rig.step().contactorClosed == true)
    rig.run(.seconds(5))
    #expect(rig.out.contactorClosed == nil)
  }

  @Test("Reasons keep the instant they began")
  func since() {
    var rig = Rig.resting()
    rig.cells(3.3, 3.76)
    rig.step()
    let began = rig.now
    rig.cells(3.3, 3.8)
    rig.run(.seconds(3))
    #expect(rig.out.chargeReason.since == began)
    #expect(rig.out.chargeReason.value == 3.8)
    #expect(rig.bms.record(of: .highCell).firstSeen == began)
    #expect(rig.bms.record(of: .highCell).lastSeen == rig.now)
    #expect(rig.bms.record(of: .highCell).cause?.value == 3.76)
  }
}
