import MonotonicTime
import Testing

@testable import BMSCore

@Suite("Invariants under random input")
struct InvariantTests {
  struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let mixed = (state ^ (state >> 33)) &* 0xff51_afd7_ed55_8ccd
      return mixed ^ (mixed >> 33)
    }
    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &self) == 0 }
  }

  /// When each role last brought a value that its range allows, kept apart from the core under test.
  struct Truth {
    var voltage: Instant?
    var current: Instant?
    var cells = [Instant?](repeating: nil, count: 4)
    var values = [Double](repeating: 0, count: 4)
    /// Since when each has been at 2.8 V or below without a break. A restart may lose the time of one step.
    var lowSince = [Instant?](repeating: nil, count: 4)
  }

  @Test("A hundred thousand random steps break nothing, twice the same", arguments: [1, 2, 3, 4] as [UInt64])
  func randomRun(seed: UInt64) throws {
    let first = try trace(seed, check: true)
    #expect(try trace(seed, check: false) == first, "same input, same output")
  }

  func trace(_ seed: UInt64, check: Bool) throws -> UInt64 {
    var random = Random(state: seed)
    let nominal = [12.0, 24, 48][Int(seed % 3)]
    var bms = BMS(settings: try settings((.nominalVoltage, nominal)))
    var inputs = Inputs()
    inputs.batteryVoltage = .waiting
    inputs.current = .waiting
    inputs.batteryTemperature = .waiting
    inputs.cells = CellTable(expectedCount: 4)
    let places = try (1...4).map { try #require(CellPlace(battery: 2, cell: $0)) }
    var truth = Truth()
    var now = Instant.origin
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    var centre = 3.3
    var isSilent = false
    var allowedSteps = 0
    for step in 0..<25_000 {
      now += .milliseconds(Int64.random(in: 1...400, using: &random))
      if random.chance(300) { centre = Double.random(in: 2.6...3.8, using: &random) }
      if random.chance(isSilent ? 40 : 400) { isSilent.toggle() }
      if !isSilent || random.chance(4) {
        for index in places.indices where !random.chance(4) {
          let noise = Double.random(in: -0.02...0.02, using: &random)
          let volts = random.chance(3000) ? [.nan, -1, 5.5, .infinity][index] : centre + noise
          inputs.cells.report(volts, of: places[index], at: now)
          if volts.isFinite, 0...5 ~= volts { (truth.cells[index], truth.values[index]) = (now, quantised(volts)) }
          truth.lowSince[index] = truth.values[index] <= 2.8 ? truth.lowSince[index] ?? now : nil
        }
        let volts = random.chance(2000) ? -5 : centre * nominal / 3
        inputs.batteryVoltage.report(volts, at: now)
        if volts >= 0 { truth.voltage = now }
        inputs.current.report(Double.random(in: -300...300, using: &random), at: now)
        truth.current = now
        inputs.batteryTemperature.report(random.chance(500) ? 2 : 20, at: now)
      }
      if random.chance(5000) { try bms.perform(.setStateOfCharge(Double.random(in: 0...100, using: &random))) }
      if random.chance(5000) { inputs.shutdown.toggle() }
      // A restart at any moment gives back nothing that was forbidden.
      if random.chance(4000) { bms = BMS(settings: bms.settings, restoring: bms.snapshot) }
      let out = bms.step(inputs, at: now)
      if out.chargeAllowed { allowedSteps += 1 }
      for value in [out.limits.chargeVoltage ?? -1, out.limits.chargeCurrent, out.limits.dischargeCurrent] {
        digest = (digest ^ value.bitPattern) &* 0x100_0000_01b3
      }
      digest =
        (digest ^ (out.stateOfCharge ?? -1).bitPattern
          ^ UInt64(truncatingIfNeeded: out.alarms.bits ^ out.alarms.bits >> 64)) &* 0x100_0000_01b3
      if check { try verify(out, truth, nominal, now, "seed \(seed) step \(step)") }
    }
    #expect(allowedSteps > 1000, "the run must also see charging allowed")
    return digest
  }

  func verify(_ out: Outputs, _ truth: Truth, _ nominal: Double, _ now: Instant, _ at: String) throws {
    if let volts = out.limits.chargeVoltage {
      try #require(volts > 0 && volts <= 3.65 * nominal / 3, "CVL \(volts), \(at)")
    }
    try #require(out.chargeAllowed || out.limits.chargeCurrent == 0, "CCL, \(at)")
    try #require(out.dischargeAllowed || out.limits.dischargeCurrent == 0, "DCL, \(at)")
    try #require(out.chargeAllowed == out.chargeBlocks.isEmpty, "\(at)")
    if let soc = out.stateOfCharge { try #require(0...100 ~= soc, "SoC \(soc), \(at)") }
    if let consumed = out.consumed { try #require(consumed <= 0, "consumed \(consumed), \(at)") }
    guard out.chargeAllowed || out.dischargeAllowed else { return }
    let voltage = try #require(truth.voltage)
    let current = try #require(truth.current)
    try #require(now - voltage < .seconds(2) && now - current < .seconds(2), "old data, \(at)")
    for (index, taken) in truth.cells.enumerated() {
      let value = truth.values[index]
      try #require(now - (try #require(taken)) < .seconds(5), "old cell, \(at)")
      if out.chargeAllowed { try #require(value < 3.75, "ATC with a cell at \(value), \(at)") }
      guard out.dischargeAllowed else { continue }
      try #require(value >= 2.6, "ATD with a cell at \(value), \(at)")
      if let since = truth.lowSince[index] { try #require(now - since < .seconds(31), "ATD with a low cell, \(at)") }
    }
  }
}
