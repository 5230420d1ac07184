import BMSCore
import BatterySimulator
import MonotonicTime
import Testing

@Suite("The simulated battery")
struct SimpleBatteryTests {
  static let open = Limits(chargeVoltage: 14.2, chargeCurrent: 200, dischargeCurrent: 600, lowVoltage: 10.4)

  @Test("Charge is conserved: what every cell gained is the integral of the current")
  func conservation() {
    var battery = SimpleBattery()
    let before = battery.cells
    var now = Instant.origin
    battery.step(Self.open, chargeAllowed: true, dischargeAllowed: true, at: now)
    var moved = 0.0
    for _ in 0..<60_000 {
      now += .milliseconds(100)
      moved += battery.step(Self.open, chargeAllowed: true, dischargeAllowed: true, at: now).current * 0.1 / 3600
    }
    #expect(abs(moved) > 1)
    for (index, cell) in battery.cells.enumerated() {
      let account = battery.battery.chargeAccount(ofCell: index)
      #expect(abs(account.charged - account.discharged - moved) < 1e-6)
      #expect(abs(cell.charge - before[index].charge - account.gained) < 1e-9)
    }
  }

  @Test("Without limits or permission nothing flows")
  func obeys() {
    var battery = SimpleBattery()
    var now = Instant.origin
    battery.step(Self.open, chargeAllowed: true, dischargeAllowed: true, at: now)
    now += .seconds(30)
    #expect(battery.step(Self.open, chargeAllowed: true, dischargeAllowed: true, at: now).current > 50)
    now += .milliseconds(100)
    #expect(battery.step(.withdrawn, chargeAllowed: true, dischargeAllowed: true, at: now).current.magnitude < 0.05)
    var capped = Self.open
    capped.chargeCurrent = 20
    now += .seconds(30)
    #expect(battery.step(capped, chargeAllowed: true, dischargeAllowed: true, at: now).current <= 20.01)
    now += .seconds(30)
    #expect(battery.step(Self.open, chargeAllowed: false, dischargeAllowed: false, at: now).current.magnitude < 0.05)
    now += .seconds(30)
    #expect(battery.step(Self.open, chargeAllowed: false, dischargeAllowed: true, at: now).current < -4)
  }

  /// Battery and BMS in one loop, cell extremes as a bus would give them; visits each step.
  func loop(_ configuration: SimpleBattery.Configuration, _ span: TimeSpan, _ visit: (Outputs, BatteryReading) -> Void)
    throws
  {
    var settings = Settings()
    try settings.set(.nominalVoltage, to: Double(configuration.cellsInSeries) * 3)
    try settings.set(.batteryCapacity, to: configuration.capacity)
    var bms = BMS(settings: settings)
    try bms.perform(.setStateOfCharge(configuration.stateOfCharge * 100))
    var battery = SimpleBattery(configuration)
    var inputs = Inputs()
    var now = Instant.origin
    var outputs = Outputs()
    while now < .origin + span {
      now += .seconds(1)
      let reading = battery.step(following: outputs, at: now)
      inputs.batteryVoltage.report(reading.voltage, at: now)
      inputs.current.report(reading.current, at: now)
      inputs.batteryTemperature.report(reading.temperature, at: now)
      inputs.cellExtremes.lowest.report(reading.lowestCell, at: now)
      inputs.cellExtremes.highest.report(reading.highestCell, at: now)
      outputs = bms.step(inputs, at: now)
      visit(outputs, reading)
    }
  }

  @Test("The story shows bulk, absorption, rest, discharge and bulk again, without a protection", arguments: [4, 16])
  func story(cells: Int) throws {
    var configuration = SimpleBattery.Configuration()
    configuration.cellsInSeries = cells
    var phases: [ChargePhase] = []
    var synchronisations = 0
    var highest = 0.0
    var lowest = 10.0
    try loop(configuration, .hours(10)) { out, reading in
      if phases.last != out.chargePhase { phases.append(out.chargePhase) }
      if out.events.synchronised?.cause == .charged { synchronisations += 1 }
      highest = max(highest, reading.highestCell)
      lowest = min(lowest, reading.lowestCell)
    }
    #expect(phases.prefix(4) == [.bulk, .absorption, .resting, .bulk])
    #expect(synchronisations >= 1)
    #expect(highest > 3.5 && highest < 3.75, "R108: a balanced bank at 14.2 V stays below 3.75 V, was \(highest)")
    #expect(lowest > 2.8)
  }

  @Test("One cell 1 % ahead reaches 3.75 V, charging stops and comes back")
  func highCell() throws {
    var configuration = SimpleBattery.Configuration()
    configuration.firstCellAhead = 0.01
    var raised = 0
    var cleared = 0
    var highest = 0.0
    try loop(configuration, .hours(4)) { out, reading in
      if out.events.raised.contains(.highCell) { raised += 1 }
      if out.events.cleared.contains(.highCell) { cleared += 1 }
      highest = max(highest, reading.highestCell)
      if out.alarms.contains(.highCell) { #expect(out.limits.chargeCurrent == 0) }
    }
    #expect(raised >= 1 && cleared >= 1, "raised \(raised), cleared \(cleared)")
    #expect(highest < 4)
  }

  @Test("The same seed gives the same battery")
  func seeded() {
    var configuration = SimpleBattery.Configuration()
    let cells = SimpleBattery(configuration).cells
    #expect(SimpleBattery(configuration).cells == cells)
    configuration.seed = 2
    #expect(SimpleBattery(configuration).cells != cells)
  }
}
