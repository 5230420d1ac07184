import BMSCore
import BatterySimulator
import MonotonicTime
import Testing

@Suite("BMS and plant in one loop")
struct ClosedLoopTests {
  private func loop(stateOfCharge: Double = 0.5, _ change: (inout Plant) -> Void = { _ in }) -> ClosedLoop {
    var bank = BankParameters()
    bank.battery = .uniform
    bank.stateOfCharge = stateOfCharge
    var plant = Plant(Bank(bank))
    change(&plant)
    return ClosedLoop(plant: plant)
  }

  /// Steps for a span; returns when something came true, nil when it did not.
  @discardableResult
  private func run(
    _ loop: inout ClosedLoop, _ span: TimeSpan, until isMet: (ClosedLoop) -> Bool = { _ in false }
  ) -> TimeSpan? {
    let start = loop.now
    while loop.now < start + span {
      loop.step(until: start + span)
      if isMet(loop) { return loop.now - start }
    }
    return nil
  }

  @Test("it starts by self-test and pre-charge and then closes (R20, R65)")
  func start() {
    var loop = loop()
    var phases: [ContactorPhase] = []
    run(&loop, .seconds(5)) { loop in
      if phases.last != loop.outputs.contactorPhase { phases.append(loop.outputs.contactorPhase) }
      return loop.outputs.contactorPhase == .closed
    }
    #expect(phases == [.selfTest, .precharge, .closing, .closed])
    #expect(loop.plant.contactors[0].isClosed)
    #expect(abs(loop.plant.systemVoltage - loop.plant.batteryVoltage) < 0.01)
    #expect(loop.outputs.chargeAllowed)
    #expect(loop.outputs.dischargeAllowed)
  }

  @Test("a charger obeys CCL, and the reading that reaches 3.75 V opens ATC in its own step (R104)")
  func highCell() {
    var loop = loop(stateOfCharge: 0.97) { plant in
      plant.chargers = [Charger(rating: 300)]
      plant.chargers[0].side = .system
    }
    loop.begin(.cellCharge(battery: 0, cell: 2, ampereHours: 5.5))
    run(&loop, .minutes(30)) { !$0.outputs.chargeAllowed && $0.outputs.contactorPhase == .closed }
    #expect(loop.outputs.alarms.contains(.highCell))
    #expect((loop.outputs.highestCell?.value ?? 0) >= 3.75)
    #expect(loop.outputs.highestCell?.place == CellPlace(battery: 1, cell: 3))
    #expect(!loop.commands.allowsCharge)
    run(&loop, .seconds(1))
    #expect(loop.plant.chargers[0].current == 0)
    #expect(loop.plant.contactors[0].isClosed, "R112")
  }

  @Test("a lost cell forbids after 5 s and opens the contactor after 60 s and the lead of 2 s (OD-20, R76)")
  func lostCell() {
    var loop = loop { $0.loads = [Load(.current(60))] }
    run(&loop, .minutes(1))
    loop.begin(.sensorLost(.cell(battery: 0, cell: 1)))
    let forbidden = run(&loop, .seconds(30)) { !$0.outputs.dischargeAllowed }
    #expect((forbidden ?? .zero) > .seconds(4))
    #expect((forbidden ?? .never) <= .milliseconds(5100))
    let opened = run(&loop, .seconds(90)) { !$0.plant.contactors[0].isClosed }
    let total = (forbidden ?? .never) + (opened ?? .never)
    #expect(total >= .seconds(61))
    #expect(total <= .milliseconds(63_100))
  }

  @Test("what happens is met with short steps, and nothing with long ones")
  func steps() {
    var loop = loop { $0.loads = [Load(.current(20))] }
    run(&loop, .minutes(10))
    var count = 0
    run(&loop, .seconds(60)) { _ in
      count += 1
      return false
    }
    #expect(count == 60)
    loop.begin(.surgeDischarge(amperes: 100))
    count = 0
    run(&loop, .seconds(5)) { _ in
      count += 1
      return false
    }
    #expect(count == 50)
  }

  @Test("a power cut opens everything; the next run starts from the snapshot of the last")
  func powerCut() {
    var loop = loop()
    #expect(throws: Never.self) { try loop.perform(.setStateOfCharge(42)) }
    run(&loop, .minutes(1))
    let snapshot = loop.bms.snapshot
    loop.stop(.powerCut)
    run(&loop, .seconds(10))
    #expect(!loop.plant.contactors[0].isClosed)
    loop.start(restoring: snapshot)
    run(&loop, .seconds(10))
    #expect(loop.plant.contactors[0].isClosed)
    #expect(abs((loop.outputs.stateOfCharge ?? 0) - 42) < 0.1)
  }

  @Test("a process that is gone leaves the contacts as they are (R24), and chargers forget after 60 s")
  func killed() {
    var loop = loop { $0.chargers = [Charger(rating: 50)] }
    run(&loop, .minutes(1))
    loop.stop(.outputsHeld)
    run(&loop, .seconds(50))
    #expect(loop.plant.contactors[0].isClosed)
    #expect(loop.plant.chargers[0].current > 40)
    run(&loop, .seconds(20))
    #expect(loop.plant.contactors[0].isClosed)
    #expect(loop.plant.chargers[0].current == 0)
  }

  @Test("own consumption is 2.6 W in On, 0.6 W in Standby and 0.3 mA in Off (R8)")
  func ownConsumption() throws {
    var loop = loop()
    run(&loop, .minutes(1))
    #expect(abs((loop.plant.loads.last?.current ?? 0) * loop.plant.batteryVoltage - 2.6) < 0.01)
    try loop.perform(.requestMode(.standby, by: .app))
    run(&loop, .minutes(1))
    #expect(abs((loop.plant.loads.last?.current ?? 0) * loop.plant.batteryVoltage - 0.6) < 0.01)
    try loop.perform(.requestMode(.off, by: .app))
    run(&loop, .minutes(1))
    #expect(abs((loop.plant.loads.last?.current ?? 0) - 0.0003) < 1e-9)
    #expect(!loop.commands.areFresh, "R35: the bus is silent")
  }

  @Test("an open remote switch turns it off, and closing it turns it on (R44, R48)")
  func remote() {
    var loop = loop()
    loop.remote = .closed
    run(&loop, .seconds(10))
    #expect(loop.outputs.mode == .on)
    loop.remote = .open
    run(&loop, .seconds(10))
    #expect(loop.outputs.mode == .off)
    #expect(loop.outputs.offCause == .remote)
    #expect(!loop.plant.contactors[0].isClosed)
    loop.remote = .voltages(high: 3.1, low: nil)
    run(&loop, .seconds(10))
    #expect(loop.outputs.mode == .on)
    #expect(loop.plant.contactors[0].isClosed)
  }

  @Test("a Distributor's fuse reaches the alarm list by its number (R253, R258)")
  func distributor() {
    var loop = loop { $0.distributors = [Distributor(address: 1)] }
    run(&loop, .seconds(10))
    #expect(loop.bms.distributor(1) == .ok)
    loop.begin(.fuse(distributor: 0, fuse: 2))
    run(&loop, .seconds(1))
    #expect(loop.outputs.alarms.contains(.fuse7))
    loop.begin(.distributorSilent(0))
    run(&loop, .seconds(11))
    #expect(loop.outputs.alarms.contains(.distributorBLost))
  }

  @Test("with nothing to command the contacts stay closed and the BMS runs from its first data on")
  func supervisor() {
    var bank = BankParameters()
    bank.battery = .uniform
    var loop = ClosedLoop(plant: Plant(Bank(bank)), wiring: Wiring(contactors: .none))
    run(&loop, .seconds(2))
    #expect(loop.outputs.state == .running)
    #expect(loop.plant.contactors[0].isClosed)
  }

  @Test("two runs on the same seed are the same to the bit")
  func deterministic() {
    func end() -> (Double, Double, UInt128) {
      var bank = BankParameters()
      bank.seed = 7
      var plant = Plant(Bank(bank), seed: 7)
      plant.chargers = [Charger(rating: 80)]
      var loop = ClosedLoop(plant: plant)
      var sum = 0.0
      run(&loop, .minutes(20)) { loop in
        sum += loop.outputs.current ?? 0
        return false
      }
      return (sum, loop.plant.batteryVoltage, loop.outputs.alarms.bits)
    }
    #expect(end() == end())
  }
}
