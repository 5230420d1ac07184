import BMSCore
import BMSDevice
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import Testing
import VECan

@Suite("What the device publishes, area S")
struct PublishedTests {
  /// The bytes of the last fast packet of two frames.
  func detailed(_ bench: Bench) throws -> [UInt8] {
    let frames = bench.sent.compactMap { sent -> [UInt8]? in
      let frame = sent.entry.frame
      return MessageIdentifier(frame.identifier)?.pgn == 127506 ? Array(frame.payload) : nil
    }
    let first = try #require(frames.lastIndex { $0[0] & 0x1F == 0 })
    let second = try #require(frames[first...].first { $0[0] & 0x1F == 1 })
    #expect(frames[first][1] == 11)
    return Array((frames[first][2...] + second[1...]).prefix(11))
  }

  @Test("R307: 13.31 V is 1331, -12.3 A is -123, 23.00 °C is 296.15 K; instance as configured")
  func batteryStatus() throws {
    var configuration = Bench.configuration()
    configuration.batteryInstance = 7
    var bench = Bench.running(configuration)
    (bench.voltage, bench.current, bench.temperature) = (13.31, -12.3, 23)
    bench.advance(.seconds(3))
    let bytes = try #require(bench.last(127508))
    #expect(Array(bytes[0...6]) == [7, 0x33, 0x05, 0x85, 0xFF, 0xAF, 0x73])
  }

  @Test("R306, R312: 127506 is of a battery (0); what is not known is all ones, never 0")
  func unknown() throws {
    let bytes = try detailed(Bench.running())
    #expect(bytes[2] == 0, "battery")
    #expect(bytes[3] == 0xFF, "state of charge")
    #expect(bytes[4] == 0xFF, "state of health")
    #expect(Array(bytes[5...6]) == [0xFF, 0xFF], "time remaining")
    #expect(Array(bytes[9...10]) == [0xFF, 0xFF], "remaining capacity")
  }

  @Test("R306: at 50 % with 20 A the time to 10 % is in minutes, and 100 of 200 Ah remain")
  func detailedStatus() throws {
    var bench = Bench.running(snapshot: Bench.counted(50.5))
    bench.current = -20
    bench.advance(.minutes(3))  // 1 Ah, and the average of the current has settled
    let bytes = try detailed(bench)
    let minutes = Int(bytes[5]) | Int(bytes[6]) << 8
    #expect(bytes[3] == 50)
    // 80 Ah at 20 A and the factor 2^0.05.
    #expect((228...234).contains(minutes), "\(minutes) min")
    #expect(Int(bytes[9]) | Int(bytes[10]) << 8 == 100)
  }

  @Test("R313: 10 days are 14400 min; at 1 A of charge the time is not available")
  func timeRemaining() throws {
    var bench = Bench.running(snapshot: Bench.counted(50))
    bench.current = 0
    bench.advance(.seconds(4))
    #expect(try Array(detailed(bench)[5...6]) == [0x40, 0x38])
    bench.current = 1
    bench.advance(.seconds(4))
    #expect(try Array(detailed(bench)[5...6]) == [0xFF, 0xFF])
  }

  @Test("R308: 1 contactor, 2 alarm, 3 voltage low, 4 voltage high, 5 relay, and 23 that are not available")
  func switchBank() throws {
    func states(_ low: Double, _ high: Double) throws -> [Int] {
      var bench = Bench.running()
      (bench.lowest, bench.highest) = (low, high)
      bench.advance(.seconds(3))
      let bytes = try #require(bench.last(127501))
      return (0..<28).map { Int(bytes[1 + $0 / 4]) >> ($0 % 4 * 2) & 3 }
    }
    #expect(try states(3.3, 3.3) == [3, 0, 0, 0, 0] + [Int](repeating: 3, count: 23))
    #expect(try Array(states(2.59, 3.3).prefix(5)) == [3, 1, 1, 0, 1])
    #expect(try Array(states(3.3, 3.75).prefix(5)) == [3, 1, 0, 1, 0])
    #expect(try Array(states(3.1, 3.3).prefix(5)) == [3, 0, 0, 0, 1], "a warning is no alarm, but drives the relay")
  }

  @Test("R309, R311, R315: the claim is battery (170) of class 35, of our own maker's code, with the instance set")
  func claim() throws {
    var configuration = Bench.configuration()
    configuration.identity.deviceInstance = 5
    let bench = Bench.running(configuration)
    let bytes = try #require(bench.last(60928))
    let name = Name(rawValue: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    #expect(name.function == 170 && name.deviceClass == 35 && name.deviceInstance == 5)
    #expect(name.manufacturer == 2046, "358 is Victron's, and is not borrowed")
    #expect(DeviceIdentity().name.deviceInstance == 0)
  }

  @Test("R318: the contacts register says charge and discharge as they are allowed")
  func contacts() throws {
    func contacts(_ low: Double, _ high: Double) throws -> RegisterMessage {
      var bench = Bench.running()
      (bench.lowest, bench.highest) = (low, high)
      bench.advance(.seconds(3))
      return try #require(bench.register(.bmsContacts))
    }
    let good = try contacts(3.3, 3.74)
    #expect(
      good[BMSContact.allowToCharge] == .yes && good[BMSContact.allowToDischarge] == .yes
        && good[BMSContact.relay] == .no)
    let high = try contacts(3.3, 3.75)
    #expect(high[BMSContact.allowToCharge] == .no && high[BMSContact.allowToDischarge] == .yes)
    let low = try contacts(2.59, 3.3)
    #expect(low[BMSContact.allowToCharge] == .yes && low[BMSContact.allowToDischarge] == .no)
    #expect(low[BMSContact.relay] == .yes)
  }

  @Test("R347: on the 11-bit bus 0.01 %, 0.01 V and 0.1 A, each second or oftener")
  func resolution() throws {
    var bench = Bench.running(snapshot: Bench.counted(54.32))
    (bench.voltage, bench.current) = (13.31, -12.3)
    bench.advance(.seconds(1))
    bench.sent.removeAll()
    bench.advance(.seconds(2))
    let charge = try #require(bench.last(BatteryFrameID.stateOfCharge))
    let percent = Double(Int(charge[4]) | Int(charge[5]) << 8) / 100
    #expect(abs(percent - 54.32) < 0.02 && charge[0] == 54)
    let measured = try #require(bench.last(BatteryFrameID.measurements))
    #expect(Array(measured.prefix(4)) == [0x33, 0x05, 0x85, 0xFF])
    #expect(bench.sent.filter { $0.entry.frame.identifier == BatteryFrameID.measurements }.count >= 2)
  }

  @Test("cells that jump are lost, for a GX that knows no other name for it")
  func cellsNotBelieved() throws {
    var bench = Bench.running()
    bench.advance(.seconds(2))
    bench.lowest = 1.5
    bench.advance(.seconds(3))
    #expect(bench.device.status(at: bench.now).outputs.alarms.contains(.cellsJump))
    let frame = try #require(bench.last(.standard(0x35A), since: bench.now - .seconds(2)))
    #expect(frame[2] >> 6 == 0b01, "internal failure: \(frame)")
  }
}
