import BMSCore
import BMSDevice
import CANBus
import MonotonicTime
import NMEA2000
import Testing
import VECan

@Suite("What the BMS is told of its own place, and what it tells of it")
struct OwnPlaceTests {
  private static let module = DeviceSelector(manufacturer: 358, uniqueNumber: 1001)

  private static func bench() -> Bench {
    var configuration = Bench.configuration()
    configuration.bmsTemperature = ValueWiring(sender: module, place: .batteryStatus(instance: 3))
    for (index, role) in [WiredRole.fan, .secondFan, .supply].enumerated() {
      configuration.indicators[role] = IndicatorWiring(sender: module, bank: 5, indicator: UInt8(index + 1))
    }
    return Bench.running(configuration)
  }

  private static func sendTemperature(_ celsius: Double, _ bench: inout Bench) {
    var status = BatteryStatus()
    status.instance = .value(3)
    status.temperature = .value(celsius + 273.15)
    bench.put(status.payload, BatteryStatus.definition.pgn, priority: 6, from: Bench.batteryAddress)
  }

  private static func sendBank(_ isOn: [Bool], _ bench: inout Bench) {
    var bank = BinarySwitchBankStatus()
    bank.instance = .value(5)
    for (index, isOn) in isOn.enumerated() { bank[indicator: index + 1] = .value(isOn) }
    bench.put(bank.payload, BinarySwitchBankStatus.definition.pgn, priority: 3, from: Bench.batteryAddress)
  }

  @Test("R117: 74.9 °C is fine and 75 °C a warning in 0x2107 and 0x2109; without a sensor there is no such condition")
  func temperature() throws {
    var bench = Self.bench()
    for (celsius, level, contact) in [(74.9, AlarmLevel.fine, ContactState.no), (75.1, .warning, .yes)] {
      let begin = bench.now
      Self.sendTemperature(celsius, &bench)
      bench.advance(.seconds(2))
      #expect(try #require(bench.register(.bmsConditions, since: begin))[BMSCondition.highBMSTemperature] == level)
      bench.sendRegister(0x0001, 0xFFFF_2109, to: try #require(bench.device.status(at: bench.now).address))
      bench.advance(.milliseconds(100))
      #expect(try #require(bench.register(.bmsWarnings, since: begin))[BMSWarning.highBMSTemperature] == contact)
    }
    let other = Bench.running()
    #expect(try #require(other.register(.bmsConditions))[BMSCondition.highBMSTemperature] == .unsupported)
  }

  @Test("R116: a fan that stands is told, either of the two; R78: a bad supply forbids")
  func contacts() {
    var bench = Self.bench()
    Self.sendBank([true, true, true], &bench)
    #expect(!bench.device.status(at: bench.now).outputs.alarms.contains(.fanFailed))
    for fans in [[false, true, true], [true, false, true]] {
      Self.sendBank(fans, &bench)
      #expect(bench.device.status(at: bench.now).outputs.alarms.contains(.fanFailed), "\(fans)")
    }
    Self.sendBank([true, true, true], &bench)
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    Self.sendBank([true, true, false], &bench)
    let outputs = bench.device.status(at: bench.now).outputs
    #expect(outputs.alarms.contains(.supplyError) && !outputs.chargeAllowed)
  }

  @Test("R268: fuses are published for each Distributor by themselves each 5 s, and within a second of a change")
  func fuses() throws {
    var configuration = Bench.configuration()
    configuration.distributors[.distributorB] = DistributorWiring(sender: Self.module)
    var bench = Bench.running(configuration)
    bench.sendRegister(0x2150, 0b0100)
    bench.sendRegister(0x2153, 0b1010_1010)
    bench.advance(.seconds(2))
    #expect(try #require(bench.register(.distributors))[DistributorPlace.b] == .connected)
    #expect(try #require(bench.register(.distributors))[DistributorPlace.a] == .notAvailable)
    #expect(try #require(bench.register(.fusesB))[FusePlace.fuse2] == .ok)
    #expect(try #require(bench.register(.fusesA))[FusePlace.fuse2] == .notAvailable)
    let blown = bench.now
    bench.sendRegister(0x2150, 0b0100)
    bench.sendRegister(0x2153, 0b1010_1110)
    bench.advance(.milliseconds(1200))
    #expect(try #require(bench.register(.fusesB, since: blown))[FusePlace.fuse2] == .blown)
    let begin = bench.now
    for _ in 0..<6 {
      bench.sendRegister(0x2150, 0b0100)
      bench.sendRegister(0x2153, 0b1010_1110)
      bench.advance(.seconds(1))
    }
    #expect(bench.register(.fusesB, since: begin) != nil)
    #expect(Bench.running().register(.distributors) == nil, "nothing where none is wired")
  }

  @Test("R350: strings in parallel in 0x0380, extremes in 0x0385 and 0x0386, where they sit in 0x374 to 0x377")
  func systemFigures() throws {
    var configuration = Bench.configuration()
    try configuration.settings.set(.batteriesInParallel, to: 2)
    var bench = Bench(configuration)
    bench.claim()
    bench.isAlive = false
    for _ in 0..<24 {
      bench.sendMonitor()
      for cell in 0..<8 { bench.sendCell(battery: cell / 4 + 1, cell: cell % 4 + 1, 3.31 + Double(cell) / 100) }
      bench.advance(.milliseconds(500))
    }
    let address = try #require(bench.device.status(at: bench.now).address)
    for register in [UInt32(0x0380), 0x0385] { bench.sendRegister(0x0001, 0xFFFF_0000 | register, to: address) }
    bench.advance(.milliseconds(200))
    let figures = try #require(bench.register(.batteryConfiguration))
    #expect(figures.number(.batteryConfiguration, field: 2) == .value(2))
    let cells = try #require(bench.register(.cellVoltages))
    #expect(cells.number(.cellVoltages) == .value(3.31) && cells.number(.cellVoltages, field: 1) == .value(3.38))
    #expect(String(decoding: try #require(bench.last(.standard(0x374))), as: UTF8.self).hasPrefix("B1C1"))
    #expect(String(decoding: try #require(bench.last(.standard(0x375))), as: UTF8.self).hasPrefix("B2C4"))
  }

  @Test("127513 comes on request, says lithium, volts and Ah, and never by itself")
  func configuration() throws {
    var bench = Bench.running()
    #expect(bench.last(127513) == nil)
    let address = try #require(bench.device.status(at: bench.now).address)
    for _ in 0..<5 { bench.request(127513, from: address) }
    let frames = bench.sent.filter { MessageIdentifier($0.entry.frame.identifier)?.pgn == 127513 }
      .map { Array($0.entry.frame.payload) }
    #expect(frames.count == 2, "two frames, however many ask at once")
    // Length 8, instance 0, type n/a and no equalisation, 12 V and lithium, 200 Ah, n/a; then 1.05 and 99 %.
    let first = try #require(frames.first)
    #expect(Array(first[1...]) == [8, 0x00, 0xCF, 0x11, 0xC8, 0x00, 0x7F])
    #expect(Array(try #require(frames.last)[1...2]) == [25, 99])
  }
}

extension Bench {
  /// A register message to one node: a command.
  mutating func sendRegister(_ number: UInt16, _ value: UInt32, to destination: UInt8) {
    let bits = UInt64(value) << 32 | UInt64(number) << 16 | 0x9966
    put(
      CANDataFrame(
        MessageIdentifier(priority: 7, pgn: 61184, source: Bench.batteryAddress, destination: destination)
          .canIdentifier, CANPayload(littleEndian: bits, count: 8)))
  }

  /// 59904 to one node.
  mutating func request(_ pgn: UInt32, from destination: UInt8) {
    put(
      CANDataFrame(
        MessageIdentifier(priority: 6, pgn: 59904, source: Bench.batteryAddress, destination: destination)
          .canIdentifier, CANPayload(littleEndian: UInt64(pgn), count: 3)))
  }
}
