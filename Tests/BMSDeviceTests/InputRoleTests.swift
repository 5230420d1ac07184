import BMSCore
import BMSDevice
import CANBus
import MonotonicTime
import NMEA2000
import Testing

@Suite("Roles in: each from its place, by NAME and instance (design section 4)")
struct InputRoleTests {
  private static let module = DeviceSelector(manufacturer: 137, function: 140)

  @Test("a thermal switch that opens is V-B05; the contactor opens 2 s after ATC (R72, R76)")
  func thermalSwitch() {
    var configuration = SwitchBench.configuration()
    configuration.indicators[.thermalSwitch] = IndicatorWiring(
      sender: Self.module, bank: 3, indicator: UInt8(SwitchBench.thermal))
    var bench = SwitchBench(configuration)
    bench.modules[0].bank.set(SwitchBench.thermal, true)
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
    bench.modules[0].bank.set(SwitchBench.thermal, false)
    bench.advance(.seconds(1))
    #expect(bench.alarms.contains(.busbarHot))
    #expect(!bench.isOn(SwitchBench.allowToCharge))
    #expect(bench.isOn(SwitchBench.contactor))
    bench.advance(.seconds(2))
    #expect(!bench.isOn(SwitchBench.contactor))
    bench.modules[0].bank.set(SwitchBench.thermal, true)
    bench.advance(.seconds(1))
    #expect(!bench.alarms.contains(.busbarHot))
  }

  @Test("the remote contact: open is Off, closed is On; inverted it is the other way round (R40, R44, R48)")
  func remote() {
    for isInverted in [false, true] {
      var bench = Bench.claimed {
        $0.indicators[.remote] = IndicatorWiring(
          sender: DeviceSelector(unique: 1001), bank: 5, indicator: 2, isInverted: isInverted)
      }
      func send(_ bench: inout Bench, closed: Bool) {
        for _ in 0..<8 {
          bench.sendBank(5, [2: closed != isInverted])
          bench.advance(.milliseconds(500))
        }
      }
      send(&bench, closed: true)
      #expect(bench.device.status(at: bench.now).outputs.mode == .on)
      send(&bench, closed: false)
      #expect(bench.device.status(at: bench.now).outputs.mode == .off)
      #expect(bench.device.status(at: bench.now).isSilent)
      send(&bench, closed: true)
      #expect(bench.device.status(at: bench.now).outputs.mode == .on)
      #expect(!bench.device.status(at: bench.now).isSilent)
    }
  }

  @Test("another bank instance, and the same bank of another sender, mean nothing")
  func foreignBank() {
    var bench = Bench.claimed {
      $0.indicators[.remote] = IndicatorWiring(sender: DeviceSelector(unique: 1001), bank: 5, indicator: 2)
    }
    bench.claim(Name(uniqueNumber: 9, manufacturer: 137, function: 140, deviceClass: 30), at: 90)
    bench.sendBank(5, [2: true])
    for _ in 0..<4 {
      bench.sendBank(6, [2: false])
      bench.sendBank(5, [2: false], from: 90)
      bench.advance(.milliseconds(500))
    }
    #expect(bench.device.status(at: bench.now).outputs.mode == .on)
    bench.sendBank(5, [2: false])
    #expect(bench.device.status(at: bench.now).outputs.mode == .off)
  }

  @Test("the monitor by registers: 0xED8D 13.31 V, 0xED8F -12.5 A, 0xEDEC 21.5 °C, 0x0FFF 61.25 %")
  func registers() {
    var configuration = Bench.configuration()
    configuration.monitor?.place = .registers
    var bench = Bench(configuration)
    bench.isAlive = false
    bench.claim()
    for _ in 0..<6 {
      bench.sendRegister(0xED8D, 1331)
      bench.sendRegister(0xED8F, UInt32(UInt16(bitPattern: -125)))
      bench.sendRegister(0xEDEC, 29465)
      bench.sendRegister(0x0FFF, 6125)
      bench.sendCells()
      bench.sendMonitor()  // 127508 says 13.3 V, and is not wired
      bench.advance(.milliseconds(500))
    }
    let outputs = bench.device.status(at: bench.now).outputs
    #expect(outputs.voltage == 13.31)
    #expect(outputs.current == -12.5)
    #expect(outputs.temperature == 21.5)
    #expect(outputs.stateOfCharge.map { abs($0 - 61.25) < 0.1 } == true)
    #expect(outputs.chargeAllowed)
    bench.sendRegister(0xED8D, 0x7FFF)
    bench.advance(.seconds(3))
    #expect(bench.device.status(at: bench.now).outputs.voltage == nil)
  }

  @Test("a temperature sensor of its own wins over the monitor's: 4 °C stops charging although the monitor says 25 °C")
  func batteryTemperature() {
    var bench = Bench.claimed {
      $0.batteryTemperature = ValueWiring(sender: DeviceSelector(unique: 1001), place: .batteryStatus(instance: 2))
    }
    for _ in 0..<6 {
      bench.sendStatus(2) { $0.temperature = .value(277.15) }
      bench.advance(.milliseconds(500))
    }
    let outputs = bench.device.status(at: bench.now).outputs
    #expect(outputs.temperature == 4)
    #expect(!outputs.chargeAllowed)
    #expect(outputs.dischargeAllowed)
  }

  @Test("a system voltage that nobody sends is V-B44 after 10 s, and its sender's silence too")
  func systemVoltageLost() {
    var bench = Bench.claimed {
      $0.systemVoltage = ValueWiring(sender: DeviceSelector(unique: 1001), place: .batteryStatus(instance: 1))
    }
    bench.advance(.seconds(9))
    #expect(bench.device.status(at: bench.now).outputs.alarms.isEmpty)
    bench.advance(.seconds(2))
    #expect(bench.device.status(at: bench.now).outputs.alarms.contains(.moduleLost))
    #expect(bench.device.status(at: bench.now).senders[.systemVoltage] == .notHeard)
    bench.sendStatus(1) { $0.voltage = .value(13.2) }
    bench.advance(.seconds(1))
    #expect(bench.device.status(at: bench.now).outputs.alarms.isEmpty)
    bench.advance(.seconds(10))
    #expect(bench.device.status(at: bench.now).outputs.alarms.contains(.moduleLost))
    #expect(bench.device.status(at: bench.now).senders[.systemVoltage] == .silent(Bench.batteryName))
  }

  @Test("two that fit the monitor are V-B45 beside the lost data")
  func ambiguous() {
    var configuration = Bench.configuration()
    configuration.monitor?.sender.uniqueNumber = nil
    var bench = Bench.running(configuration)
    bench.claim(Name(uniqueNumber: 7, manufacturer: 358, function: 170, deviceClass: 35), at: 99)
    bench.sendMonitor(from: 99)
    bench.advance(.milliseconds(300))
    #expect(bench.device.status(at: bench.now).outputs.alarms.contains(.senderAmbiguous))
    bench.advance(.seconds(11))
    #expect(!bench.device.status(at: bench.now).outputs.alarms.contains(.senderAmbiguous))
  }
}

extension DeviceSelector {
  fileprivate init(unique number: UInt32) { self.init(manufacturer: 358, uniqueNumber: number) }
}

extension Bench {
  /// A bench with this wiring, which has heard who the battery is.
  static func claimed(_ wire: (inout DeviceConfiguration) -> Void) -> Bench {
    var configuration = Bench.configuration()
    wire(&configuration)
    var bench = Bench(configuration)
    bench.claim()
    return bench
  }

  /// A 127508 of the battery's node.
  mutating func sendStatus(_ instance: Int, _ change: (inout BatteryStatus) -> Void) {
    var status = BatteryStatus()
    status.instance = .value(instance)
    change(&status)
    put(status.payload, BatteryStatus.definition.pgn, priority: 6, from: Bench.batteryAddress)
  }

  /// A bank of indicators.
  mutating func sendBank(_ instance: Int, _ indicators: [Int: Bool], from address: UInt8 = Bench.batteryAddress) {
    var status = BinarySwitchBankStatus()
    status.instance = .value(instance)
    for (number, isOn) in indicators { status[indicator: number] = .value(isOn) }
    put(status.payload, BinarySwitchBankStatus.definition.pgn, priority: 3, from: address)
  }

  @Test("R312: a monitor or cells without a temperature sensor are no source beside another one, in any order")
  func missingTemperature() {
    var bench = Bench.claimed { _ in }
    bench.temperature = nil
    for _ in 0..<20 {
      bench.sendRegister(0x0386, 0x7477_7477)  // 25 °C twice
      bench.advance(.milliseconds(500))
    }
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(bench.device.status(at: bench.now).outputs.temperature == 25)
    bench = .running()
    bench.sendRegister(0x0386, 0xFFFF_FFFF)
    bench.advance(.seconds(10))
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(bench.device.status(at: bench.now).outputs.alarms.isEmpty)
    bench.temperature = nil
    bench.advance(.seconds(6))
    #expect(bench.device.status(at: bench.now).outputs.alarms.contains(.temperatureLost), "one that was there")
  }

  @Test("R312: extremes that are not available say nothing of cells that are reported one by one")
  func missingExtremes() {
    var bench = Bench.claimed { _ in }
    bench.isAlive = false
    for second in 0..<30 {
      bench.sendMonitor()
      for cell in 1...4 { bench.sendCell(battery: 0, cell: cell, 3.3) }
      if second == 10 { bench.sendRegister(0x0385, 0xFFFF_FFFF) }
      bench.advance(.milliseconds(500))
    }
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(bench.device.status(at: bench.now).outputs.lowestCell?.value == 3.3)
  }

  @Test("R2, R3: cells that a setting takes away are missed no more; those that are left go on")
  func fewerCells() throws {
    var bench = Bench.claimed { try? $0.settings.set(.batteriesInParallel, to: 2) }
    bench.isAlive = false
    func run(_ bench: inout Bench, batteries: Int) {
      for _ in 0..<20 {
        bench.sendMonitor()
        for battery in 0..<batteries { for cell in 1...4 { bench.sendCell(battery: battery, cell: cell, 3.3) } }
        bench.advance(.milliseconds(500))
      }
    }
    run(&bench, batteries: 2)
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    run(&bench, batteries: 1)
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
    try bench.device.perform(.set(.batteriesInParallel, to: 1), isLocal: true, at: bench.now)
    run(&bench, batteries: 1)
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
  }

  @Test(
    "a module that takes another's place may number its cells in another way, or report extremes",
    arguments: [false, true])
  func replacedCells(isExtremes: Bool) {
    var bench = Bench.claimed { $0.cells?.sender.uniqueNumber = nil }
    bench.isAlive = false
    var outputs: Outputs { bench.device.status(at: bench.now).outputs }
    func run(seconds: Int, cells: (inout Bench) -> Void) {
      for _ in 0..<seconds * 2 {
        bench.sendMonitor(from: 98)
        cells(&bench)
        bench.advance(.milliseconds(500))
      }
    }
    func one(_ battery: Int) -> (inout Bench) -> Void {
      { bench in for cell in 1...4 { bench.sendCell(battery: battery, cell: cell, 3.3) } }
    }
    func module(_ uniqueNumber: UInt32) -> Name {
      Name(uniqueNumber: uniqueNumber, manufacturer: 358, function: 170, deviceClass: 35)
    }
    bench.claim(at: 98)
    bench.claim(module(5))
    run(seconds: 5, cells: one(0))
    #expect(outputs.chargeAllowed && outputs.lowestCell?.place?.battery == 0)
    run(seconds: 12) { _ in }
    #expect(!outputs.chargeAllowed)
    bench.claim(module(9))
    run(seconds: 5, cells: isExtremes ? { $0.sendCells() } : one(1))
    #expect(outputs.chargeAllowed && outputs.lowestCell?.place?.battery == (isExtremes ? nil : 1))
    // The same one again, after a silence, has nothing to forget.
    run(seconds: 12) { _ in }
    bench.claim(module(9))
    run(seconds: 1, cells: isExtremes ? { $0.sendCells() } : { $0.sendCell(battery: 1, cell: 1, 3.3) })
    #expect(outputs.chargeAllowed == isExtremes)
  }

  @Test(
    "the same module may number its cells in another way, or report extremes, after a silence of more than 10 s",
    arguments: [(9, false), (9, true), (11, false), (11, true)])
  func renumberedCells(silence: Int, isExtremes: Bool) {
    var bench = Bench.claimed { _ in }
    bench.isAlive = false
    var outputs: Outputs { bench.device.status(at: bench.now).outputs }
    func run(seconds: Int, cells: (inout Bench) -> Void) {
      for _ in 0..<seconds * 2 {
        bench.sendMonitor()
        cells(&bench)
        bench.advance(.milliseconds(500))
      }
    }
    run(seconds: 5) { for cell in 1...4 { $0.sendCell(battery: 0, cell: cell, 3.3) } }
    #expect(outputs.chargeAllowed && outputs.lowestCell?.place?.battery == 0)
    run(seconds: silence) { _ in }
    #expect(!outputs.chargeAllowed)
    run(seconds: 15) {
      if isExtremes { return $0.sendCells() }
      for cell in 1...4 { $0.sendCell(battery: 1, cell: cell, 3.3) }
    }
    // What was silent for less is still missed.
    #expect(outputs.chargeAllowed == (silence > 10))
  }

  @Test("a state of charge beyond 100 % is none, and nobody begins at it", arguments: [(100.0, true), (101, false)])
  func impossibleStateOfCharge(percent: Double, isTaken: Bool) {
    var bench = Bench.claimed { $0.monitor?.place = .registers }
    bench.sendRegister(0x0FFF, UInt32(percent * 100))
    bench.advance(.seconds(1))
    #expect((bench.device.status(at: bench.now).outputs.stateOfCharge != nil) == isTaken)
  }
}
