import BatterySimulator
import Testing

@Suite("The simulated cell")
struct CellTests {
  /// Equal cells at a temperature that stays.
  static func battery(_ stateOfCharge: Double, celsius: Double = 25, cells: Int = 4) -> Battery {
    var parameters = BatteryParameters.uniform
    parameters.cellCount = cells
    parameters.balancer.current = 0
    return Battery(parameters, stateOfCharge: stateOfCharge, celsius: celsius)
  }

  @Test("Rest voltages are the table's: column A up to 85 %, the chosen top end above, and 0 V for a dead cell")
  func openCircuit() {
    for (percent, volts) in [
      (-3.0, 0.0), (-1, 1), (0, 2.0), (1, 2.837), (2, 2.948), (3, 3.035), (4, 3.086), (5, 3.137), (8, 3.181),
      (10, 3.188), (15, 3.204), (20, 3.230), (25, 3.254), (30, 3.267), (35, 3.273), (40, 3.275), (45, 3.276),
      (50, 3.278), (55, 3.281), (60, 3.286), (65, 3.295), (70, 3.306), (75, 3.314), (80, 3.318), (85, 3.321),
      (90, 3.323), (95, 3.327), (98, 3.335), (99, 3.350), (99.5, 3.380), (99.75, 3.4), (100, 3.42), (100.05, 3.55),
      (100.1, 3.75), (101.1, 5.25),
    ] {
      let rest = OpenCircuitVoltage.volts(percent / 100)
      #expect(abs(rest - volts) < 1e-6, "\(percent) %: \(rest) V")
    }
    var last = -1.0
    for step in -500...10_200 {
      let volts = OpenCircuitVoltage.volts(Double(step) / 10_000)
      #expect(volts >= last, "the curve falls at \(Double(step) / 100) %")
      last = volts
    }
  }

  /// The table of section 10. "below 2.8" is nil.
  static let discharge: [(rate: Double, volts: [Double?], delivered: Double)] = [
    (0.05, [3.263, 3.214, 3.173, 3.116], 99.0), (0.5, [3.215, 3.165, 3.124, 3.022], 97.9),
    (1, [3.163, 3.109, 3.070, 2.918], 96.6), (2, [3.059, 2.999, 2.959, nil], 93.8),
  ]

  @Test("Discharged from full at 25 °C it shows the regression numbers within 3 mV", arguments: 0..<4)
  func regression(row: Int) {
    let (rate, volts, delivered) = Self.discharge[row]
    let current = -200 * rate
    var battery = Self.battery(1)
    var passed = 0
    let marks = [0.5, 0.2, 0.1, 0.05]
    var share = 1.0
    let seconds = 1.0
    while battery.voltage(ofCell: 0, at: current) > 2.8 || share > 0.9 {
      battery.advance(current, seconds: seconds)
      battery.setTemperature(25)
      share = battery.cells[0].stateOfCharge
      if passed < marks.count, share <= marks[passed] {
        let now = battery.voltage(ofCell: 0, at: current)
        if let expected = volts[passed] {
          #expect(abs(now - expected) < 0.003, "\(rate) C at \(marks[passed]): \(now) V, expected \(expected) V")
        } else {
          #expect(now < 2.8)
        }
        passed += 1
      }
    }
    #expect(passed >= 3)
    let shown = (1 - share) * 100
    #expect(abs(shown - delivered) < 0.15, "\(rate) C delivers \(shown) %, expected \(delivered) %")
  }

  @Test("1 C moves a 200 Ah cell by 55 mV at once, and by 105 mV, 10 mV of hysteresis and the diffusion in the end")
  func resistance() {
    var battery = Self.battery(0.75, cells: 1)
    let rest = battery.voltage(ofCell: 0, at: 0)
    #expect(abs(battery.voltage(ofCell: 0, at: -200) - rest + 0.055) < 1e-9)
    for _ in 0..<900 {
      battery.advance(-200, seconds: 1)
      battery.setTemperature(25)
    }
    let cell = battery.cells[0]
    let expected = OpenCircuitVoltage.volts(cell.stateOfCharge - 0.01) - 0.105 - 0.010
    #expect(
      abs(battery.voltage(ofCell: 0, at: -200) - expected) < 0.0015,
      "\(battery.voltage(ofCell: 0, at: -200)) V, expected \(expected) V")
  }

  @Test("Resistances grow in the cold: R0 1.9 times at 0 °C, the others 3.6 times; 0.63 times at 35 °C")
  func cold() {
    for (celsius, energy, factor) in [(0.0, 35.0, 3.6), (10, 35, 2.1), (35, 35, 0.63), (0, 17, 1.9), (25, 35, 1)] {
      let found = CellModel.resistanceFactor(celsius: celsius, energy: energy)
      #expect(abs(found / factor - 1) < 0.03, "\(celsius) °C, \(energy) kJ/mol: \(found), expected \(factor)")
    }
    #expect(abs(CellModel.hysteresis(celsius: 0) - 0.015) < 1e-12)
    #expect(abs(CellModel.hysteresis(celsius: 25) - 0.010) < 1e-12)
  }

  @Test(
    "At C/5 a cell gives 100, 80 and 50 % of its charge down to 2.8 V at 25, 0 and -20 °C",
    arguments: [
      (25.0, 98.7, 0.5), (0, 80, 2.5), (-20, 50, 4),
    ])
  func capacity(celsius: Double, expected: Double, tolerance: Double) {
    var battery = Self.battery(1, celsius: celsius, cells: 1)
    var hours = 0.0
    while battery.voltage(at: -40) > 2.8 {
      battery.advance(-40, seconds: 1)
      battery.setTemperature(celsius)
      hours += 1.0 / 3600
    }
    #expect(abs(hours * 20 - expected) < tolerance, "\(celsius) °C: \(hours * 20) %")
  }

  @Test("A rested cold cell shows the rest voltage, and warmed up it gives the rest of its charge")
  func coldRest() {
    var battery = Self.battery(0.3, celsius: -20, cells: 1)
    #expect(battery.voltage(at: 0) > 3.25)
    for _ in 0..<60 { battery.advance(-40, seconds: 1) }
    #expect(battery.voltage(at: -40) < 2.5, "\(battery.voltage(at: -40)) V at C/5")
    for _ in 0..<3600 { battery.advance(0, seconds: 1) }
    #expect(battery.voltage(at: 0) > 3.2)
    battery.setTemperature(25)
    for _ in 0..<60 { battery.advance(-40, seconds: 1) }
    #expect(battery.voltage(at: -40) > 3.2)
  }

  /// What every cell of a battery has more than at the start, against its account.
  static func worstChargeError(_ battery: Battery, since start: Battery) -> Double {
    var worst = 0.0
    for index in battery.cells.indices {
      let gained = battery.cells[index].charge - start.cells[index].charge
      worst = max(worst, abs(gained - battery.chargeAccount(ofCell: index).gained))
    }
    return worst
  }

  @Test("From full to empty and back each cell stays on the curve: rested it shows the table within the hysteresis")
  func onTheCurve() {
    var random = SeededGenerator(seed: 5)
    var battery = Battery(BatteryParameters(), stateOfCharge: 0.9, seed: 8)
    battery.balancer.current = 0
    for current in [-37.0, 41, -80, 23] {
      while true {
        let share = battery.cells.reduce(0) { $0 + $1.stateOfCharge } / 4
        if current < 0 ? share < 0.01 : share > 0.998 { break }
        let seconds = Double.random(in: 0.1...3, using: &random)
        for _ in 0..<Int.random(in: 1...100, using: &random) { battery.advance(current, seconds: seconds) }
        battery.setTemperature(25)
        var rested = battery
        for _ in 0..<3 { rested.advance(0, seconds: 3600) }
        for (index, cell) in rested.cells.enumerated() {
          let off = rested.voltage(ofCell: index, at: 0) - OpenCircuitVoltage.volts(cell.stateOfCharge)
          #expect(abs(off) < 0.0101, "cell \(index) at \(cell.stateOfCharge): \(off) V off the curve")
        }
        let sum = battery.cells.indices.reduce(0) { $0 + battery.voltage(ofCell: $1, at: current) }
        #expect(abs(sum - battery.voltage(at: current)) < 1e-9)
      }
    }
  }

  @Test("A cell gets back 99.95 % of what goes in, loses 2 mA, and its account shows where all of it went")
  func charge() {
    var battery = Self.battery(0.5)
    let start = battery
    for _ in 0..<3600 { battery.advance(100, seconds: 1) }
    for _ in 0..<3600 { battery.advance(-100, seconds: 1) }
    for _ in 0..<10 { battery.advance(0, seconds: 3600) }
    #expect(abs(battery.cells[0].charge - start.cells[0].charge + 0.05 + 12 * 0.002) < 1e-9)
    #expect(Self.worstChargeError(battery, since: start) < 1e-10)
  }

  @Test("The heat of a steady current is its square times the resistance, the hysteresis and the charge that is lost")
  func heat() {
    var battery = Self.battery(0.6)
    for _ in 0..<1200 { battery.advance(-100, seconds: 1) }
    let before = battery.heat
    for _ in 0..<1000 { battery.advance(-100, seconds: 1) }
    // Four cells, 0.105 Ohm*Ah / 200 Ah each at 100 A, some degrees warmer than 25; 10 mV; the slope of the curve is small here.
    let watts: Double = 5.25 + 1.0
    let expected = 4 * watts * 1000
    let warm = CellModel.resistanceFactor(celsius: battery.celsius, energy: 25)
    #expect(battery.celsius > 25.5 && battery.celsius < 30)
    #expect(abs((battery.heat - before) / (expected * warm) - 1) < 0.03, "\(battery.heat - before) J of \(expected) J")
  }

  @Test("Energy is conserved: what comes in is stored, warms the battery or leaves it as heat; heat is never negative")
  func energy() {
    var random = SeededGenerator(seed: 7)
    var battery = Battery(BatteryParameters(), stateOfCharge: 0.6, celsius: 10, seed: 3)
    let start = battery.totalEnergy
    var last = 0.0
    for _ in 0..<200 {
      let current = Double.random(in: -200...200, using: &random)
      let seconds = Double.random(in: 0.01...5, using: &random)
      if battery.cells[0].stateOfCharge > 0.95 && current > 0 || battery.cells[0].stateOfCharge < 0.05 { continue }
      for _ in 0..<200 { battery.advance(current, seconds: seconds) }
      let balance = battery.totalEnergy + battery.heatLost - start - battery.energyIn
      #expect(abs(balance) < 1e-9 * abs(start))
      #expect(battery.heat >= last - 1, "heat went backwards")
      last = battery.heat
    }
    #expect(battery.heat > 1e5)
  }
}
