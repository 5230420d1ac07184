import BMSCore
import BMSDevice
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import Testing

@Suite("A battery with its own BMS, or with signals, as a source")
struct BatterySourceTests {
  private static func bench() -> Bench {
    var configuration = Bench.configuration()
    configuration.monitor = MonitorWiring(sender: DeviceSelector(), place: .batteryFrames)
    configuration.cells = CellWiring(sender: DeviceSelector(), place: .batteryFrames)
    configuration.sendsBatteryFrames = false
    var bench = Bench(configuration)
    bench.isAlive = false
    return bench
  }

  private static func send(
    _ bench: inout Bench, charge: Double = 100, discharge: Double = 200, highest: Double = 3.34,
    alarms: AlarmsFrame = AlarmsFrame()
  ) throws {
    let limits = LimitsFrame(
      chargeVoltage: 14.4, chargeCurrent: charge, dischargeCurrent: discharge, dischargeVoltage: 10.4)
    bench.put(try #require(limits.frame))
    bench.put(StateOfChargeFrame(stateOfCharge: 61.25).frame)
    bench.put(MeasurementsFrame(voltage: 13.31, current: -12.5, temperature: 21.5).frame)
    bench.put(
      CellsFrame(lowestVoltage: 3.32, highestVoltage: highest, lowestTemperature: 20, highestTemperature: 23).frame)
    bench.put(alarms.frame)
  }

  private static func run(_ bench: inout Bench, seconds: Int, _ send: (inout Bench) throws -> Void) throws {
    for _ in 0..<seconds * 2 {
      try send(&bench)
      bench.advance(.milliseconds(500))
    }
  }

  @Test("0x356, 0x355, 0x373 feed monitor and cells; its CCL and DCL of 0x351 lower ours")
  func source() throws {
    var bench = Self.bench()
    try Self.run(&bench, seconds: 3) { try Self.send(&$0) }
    let status = bench.device.status(at: bench.now)
    #expect(status.outputs.voltage == 13.31)
    #expect(status.outputs.current == -12.5)
    #expect(status.outputs.temperature == 21.5)
    #expect(status.outputs.lowestCell?.value == 3.32)
    #expect(status.outputs.highestTemperature?.value == 23)
    #expect(status.outputs.stateOfCharge.map { abs($0 - 61.25) < 0.1 } == true)
    #expect(status.outputs.chargeAllowed && status.outputs.dischargeAllowed)
    #expect(status.outputs.limits.chargeCurrent == 100)
    #expect(status.outputs.limits.dischargeCurrent == 200)
    #expect(status.monitor == .heard(.nameless))
    #expect(bench.last(BatteryFrameID.limits) == nil)
  }

  @Test("CCL 0 of the battery stops charging with the frame that says so; its alarm too")
  func stops() throws {
    var bench = Self.bench()
    try Self.run(&bench, seconds: 3) { try Self.send(&$0) }
    try Self.send(&bench, charge: 0)
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(bench.device.status(at: bench.now).outputs.dischargeAllowed)
    try Self.send(&bench)
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    var alarms = AlarmsFrame()
    alarms[.lowVoltage] = .alarm
    alarms[.highVoltage] = .fine
    try Self.send(&bench, alarms: alarms)
    #expect(!bench.device.status(at: bench.now).outputs.dischargeAllowed)
    #expect(bench.device.status(at: bench.now).outputs.alarms == [.lowCell, .loadDisconnected])
    try Self.send(&bench)
    #expect(bench.device.status(at: bench.now).outputs.dischargeAllowed)
  }

  @Test("R18, R348, R349: 0x35A tells of pre-alarm and cells apart; 0xEA15 and V-B52 tell it on")
  func cellsApart() throws {
    var bench = Self.bench()
    bench.claim()
    func outputs() -> Outputs { bench.device.status(at: bench.now).outputs }
    try Self.run(&bench, seconds: 3) { try Self.send(&$0) }
    #expect(outputs().detectedPreAlarmSignal == false, "all zeros: no function is supported")
    #expect(outputs().balance == .unknown)
    for (level, balance) in [(AlarmsFrame.Level.fine, Balance.balanced), (.warning, .imbalance), (.alarm, .imbalance)] {
      var alarms = AlarmsFrame()
      alarms[.cellImbalance] = level
      alarms[.lowVoltage] = .fine
      try Self.send(&bench, alarms: alarms)
      #expect(outputs().balance == balance)
      #expect(bench.read(0xEA15) == "669915EA0\(balance.rawValue)000000")
      #expect(outputs().alarms.contains(.batteryImbalance) == (balance == .imbalance))
      #expect(outputs().chargeAllowed && outputs().dischargeAllowed)
    }
    #expect(outputs().detectedPreAlarmSignal == true)
  }

  @Test("our own rules hold beside the battery's: a cell at 3.75 V stops charging whatever its BMS says (R104)")
  func ourRules() throws {
    var bench = Self.bench()
    try Self.run(&bench, seconds: 3) { try Self.send(&$0) }
    try Self.send(&bench, highest: 3.75)
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
  }

  @Test("0x351 missing for 5 s forbids although measurements go on: presence hangs on it")
  func presence() throws {
    var bench = Self.bench()
    try Self.run(&bench, seconds: 3) { try Self.send(&$0) }
    for _ in 0..<12 {
      bench.put(MeasurementsFrame(voltage: 13.31, current: -12.5, temperature: 21.5).frame)
      bench.put(CellsFrame(lowestVoltage: 3.32, highestVoltage: 3.33).frame)
      bench.advance(.milliseconds(500))
    }
    let outputs = bench.device.status(at: bench.now).outputs
    #expect(!outputs.chargeAllowed && !outputs.dischargeAllowed)
    #expect(outputs.alarms.contains(.batteryLost))
  }

  @Test("without the place in the wiring, 11-bit frames of others mean nothing")
  func unwired() throws {
    var bench = Bench.running()
    try Self.send(&bench, charge: 0, highest: 3.9)
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(bench.device.status(at: bench.now).outputs.voltage == 13.3)
  }

  @Test("signals of a bank: high cell stops charging, a missing cable everything, silence too")
  func signals() throws {
    var configuration = Bench.configuration()
    let sender = DeviceSelector(manufacturer: 358, uniqueNumber: 1001)
    for (index, role) in [WiredRole.highCellSignal, .batteryCable].enumerated() {
      configuration.indicators[role] = IndicatorWiring(sender: sender, bank: 2, indicator: UInt8(index + 1))
    }
    var bench = Bench.running(configuration)
    func send(_ bench: inout Bench, highCell: Bool, cable: Bool) -> Outputs {
      var status = BinarySwitchBankStatus()
      status.instance = .value(2)
      status[indicator: 1] = .value(highCell)
      status[indicator: 2] = .value(cable)
      bench.put(status.payload, 127501, priority: 3, from: Bench.batteryAddress)
      return bench.device.status(at: bench.now).outputs
    }
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(send(&bench, highCell: false, cable: true).chargeAllowed)
    let high = send(&bench, highCell: true, cable: true)
    #expect(!high.chargeAllowed && high.dischargeAllowed)
    let off = send(&bench, highCell: false, cable: false)
    #expect(!off.chargeAllowed && !off.dischargeAllowed)
    #expect(off.alarms.contains(.batteryLost))
    #expect(send(&bench, highCell: false, cable: true).dischargeAllowed)
    bench.advance(.seconds(6))
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
  }
}

@Suite("Slow 11-bit frames as a producer (dvcc-dbus.md A.2)")
struct SlowFramesTests {
  @Test("0x373 each second; names, counts, capacity, serial and family each ten; cells by their place")
  func sent() throws {
    var configuration = Bench.configuration()
    configuration.identity.installationDescription1 = "House bank, port"
    configuration.identity.serial = "V12345678"
    var bench = Bench(configuration)
    bench.isAlive = false
    bench.claim()
    for _ in 0..<60 {
      bench.sendMonitor()
      for cell in 1...4 { bench.sendCell(battery: 1, cell: cell, 3.30 + Double(cell) / 100) }
      bench.advance(.milliseconds(200))
    }
    func bytes(_ number: UInt16) -> [UInt8]? { bench.last(.standard(number)) }
    // 3.31 V, 3.34 V; 25 °C is 298 K.
    #expect(bytes(0x373) == [0xEE, 0x0C, 0x0C, 0x0D, 0x2A, 0x01, 0x2A, 0x01])
    #expect(bytes(0x372) == [1, 0, 0, 0, 0, 0, 0, 0])
    #expect(bytes(0x374) == Array("B1C1".utf8) + [0, 0, 0, 0])
    #expect(bytes(0x375) == Array("B1C4".utf8) + [0, 0, 0, 0])
    #expect(bytes(0x376) == nil)
    #expect(bytes(0x379) == [200, 0])
    #expect(bytes(0x370) == Array("House ba".utf8))
    #expect(bytes(0x371) == Array("nk, port".utf8))
    #expect(bytes(0x380) == Array("V1234567".utf8))
    #expect(bytes(0x381) == Array("8".utf8) + [0, 0, 0, 0, 0, 0, 0])
    #expect(bytes(0x382) == Array("vecand".utf8) + [0, 0])
    let cells = bench.sent.filter { $0.entry.frame.identifier == BatteryFrameID.cells }
    let names = bench.sent.filter { $0.entry.frame.identifier == BatteryFrameID.name.0 }
    #expect((9...12).contains(cells.count))
    #expect(names.count == 2)
  }

  @Test("0x378: 200 A at 13.3 V for 150 s are 0.1 kWh charged, and back again 0.1 kWh discharged")
  func energy() {
    var bench = Bench(Bench.configuration())
    bench.claim()
    func run(_ amperes: Double) {
      bench.current = amperes
      bench.advance(.seconds(165))
    }
    run(200)
    #expect(bench.last(.standard(0x378)) == [1, 0, 0, 0, 0, 0, 0, 0])
    run(-200)
    #expect(bench.last(.standard(0x378)) == [1, 0, 0, 0, 1, 0, 0, 0])
  }

  @Test("without cells there is no 0x373, without a serial no 0x380: what is not known is not sent")
  func notKnown() {
    var bench = Bench(DeviceConfiguration())
    bench.isAlive = false
    bench.advance(.seconds(12))
    for number: UInt16 in [0x373, 0x374, 0x375, 0x376, 0x377, 0x380, 0x381] {
      #expect(bench.last(.standard(number)) == nil)
    }
  }

  @Test("a cell that forbids charging blocks it in 0x372; the contactor shows in 0x35A only where there is one")
  func blocked() throws {
    var bench = Bench.running()
    bench.highest = 3.76
    bench.advance(.seconds(11))
    #expect(bench.last(.standard(0x372)) == [1, 0, 1, 0, 0, 0, 0, 0])
    #expect(try #require(bench.last(.standard(0x35A)))[2] & 0b1100 == 0)
    let closed = SwitchBench.closed()
    #expect(try #require(closed.bench.last(.standard(0x35A)))[2] & 0b1100 == 0b1000)
  }
}
