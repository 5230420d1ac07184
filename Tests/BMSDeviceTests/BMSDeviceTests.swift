import BMSCore
import BMSDevice
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import Testing
import VECan

@Suite("The BMS as a device on the bus")
struct BMSDeviceTests {
  @Test("without a source values are not available and limits forbid (design section 4)")
  func withoutSource() throws {
    var bench = Bench(DeviceConfiguration())
    bench.isAlive = false
    bench.advance(.seconds(5))
    let status = try #require(bench.last(127508))
    #expect(Array(status[1...6]) == [0xFF, 0x7F, 0xFF, 0x7F, 0xFF, 0xFF])
    #expect(bench.number(.chargeVoltageLimit) == .notAvailable)
    #expect(bench.number(.chargeCurrentLimit) == .value(0))
    #expect(bench.number(.dischargeCurrentLimit) == .value(0))
    #expect(bench.last(BatteryFrameID.limits) == nil)
    #expect(bench.last(BatteryFrameID.measurements) == nil)
  }

  @Test("nothing but the claim leaves before the claim's 250 ms are over")
  func silentDuringClaim() throws {
    let bench = Bench.running()
    let claim = try #require(
      bench.sent.first { MessageIdentifier($0.entry.frame.identifier)?.pgn == 60928 })
    let first = try #require(
      bench.sent.first {
        guard let identifier = MessageIdentifier($0.entry.frame.identifier) else { return false }
        return identifier.pgn != 60928 && identifier.source != BusAddress.null
      })
    #expect(first.instant - claim.instant >= .milliseconds(250))
  }

  @Test("a running battery is published as measured, with limits of 1 C and the peak rating (R148, R149)")
  func running() throws {
    let bench = Bench.running()
    let status = try #require(bench.last(127508))
    #expect(Array(status[0...6]) == [0, 0x32, 0x05, 100, 0, 0x77, 0x74])
    #expect(bench.number(.chargeCurrentLimit) == .value(200))
    #expect(bench.number(.dischargeCurrentLimit) == .value(600))
    #expect(bench.number(.chargeVoltageLimit) == .value(14.2))
    #expect(bench.number(.dischargeVoltageLimit) == .value(10.4))
    #expect(bench.register(.bmsState)?.code(.bmsState) == 9)
    #expect(bench.last(BatteryFrameID.limits) == [142, 0, 0xD0, 0x07, 0x70, 0x17, 104, 0])
    let contacts = try #require(bench.register(.bmsContacts))
    #expect(contacts[BMSContact.allowToCharge] == .yes)
    #expect(contacts[BMSContact.allowToDischarge] == .yes)
    #expect(contacts[BMSContact.contactor] == .notAvailable)
  }

  @Test("R156: 127508 and 127506 leave each 1.5 s, tied by one SID")
  func period() throws {
    var bench = Bench.running()
    bench.sent.removeAll()
    bench.advance(.seconds(15))
    let status = bench.sent.filter { MessageIdentifier($0.entry.frame.identifier)?.pgn == 127508 }
    #expect(status.count == 10)
    let detailed = bench.sent.filter {
      MessageIdentifier($0.entry.frame.identifier)?.pgn == 127506 && $0.entry.frame.payload[0] & 0x1F == 0
    }
    #expect(detailed.count == 10)
    for (one, other) in zip(status, detailed) { #expect(one.entry.frame.payload[7] == other.entry.frame.payload[2]) }
  }

  @Test("a cell at 3.76 V: CCL 0 and the alarm leave with the frame that said so; 3.60 V keeps, 3.59 V gives back")
  func highCell() throws {
    var bench = Bench.running()
    bench.highest = 3.74
    bench.sendCells()
    bench.advance(.seconds(2))
    #expect(bench.number(.chargeCurrentLimit) == .value(200))
    let start = bench.now
    bench.highest = 3.76
    bench.sendCells()
    // No time has passed: this is what the very call sent.
    #expect(bench.number(.chargeCurrentLimit, since: start) == .value(0))
    #expect(try #require(bench.last(BatteryFrameID.limits, since: start))[2...3] == [0, 0])
    #expect(try #require(bench.last(127501, since: start))[1] == 0b0100_0111)
    #expect(try #require(bench.last(BatteryFrameID.alarms, since: start))[0] & 0b1100 == 0b0100)
    #expect(bench.sent.last { $0.entry.frame.identifier == BatteryFrameID.limits }?.entry.urgency == .protective)
    #expect(bench.number(.dischargeCurrentLimit) == .value(600))

    bench.highest = 3.60
    bench.advance(.seconds(5))
    #expect(bench.number(.chargeCurrentLimit) == .value(0))
    bench.highest = 3.59
    bench.advance(.seconds(2))
    #expect(bench.number(.chargeCurrentLimit) == .value(200))
  }

  @Test("a low cell stops discharging at once and not charging; all cells at 3.20 V give it back (R92, R93)")
  func lowCell() throws {
    var configuration = Bench.configuration()
    try configuration.settings.set(.preAlarm, to: 0)  // announced, it would be 30 s later (R84)
    var bench = Bench.running(configuration)
    bench.lowest = 2.81
    bench.sendCells()
    #expect(bench.number(.dischargeCurrentLimit) == .value(600))
    let start = bench.now
    bench.lowest = 2.80
    bench.sendCells()
    #expect(bench.number(.dischargeCurrentLimit, since: start) == .value(0))
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    bench.lowest = 3.19
    bench.advance(.seconds(3))
    #expect(bench.number(.dischargeCurrentLimit) == .value(0))
    bench.lowest = 3.20
    bench.advance(.seconds(3))
    #expect(bench.number(.dischargeCurrentLimit) == .value(600))
  }

  @Test("a low cell that was not announced is a warning for 30 s, then it stops discharging (R84, R92)")
  func announcedLowCell() throws {
    var bench = Bench.running()
    bench.lowest = 2.80
    bench.advance(.seconds(29))
    #expect(bench.number(.dischargeCurrentLimit) == .value(600))
    let alarms = try #require(bench.register(.bmsConditions))
    #expect(alarms[BMSCondition.lowCellVoltage] == .warning)
    #expect(alarms[BMSCondition.loadDisconnect] == .warning)
    bench.advance(.seconds(2))
    #expect(bench.number(.dischargeCurrentLimit) == .value(0))
    #expect(try #require(bench.register(.bmsConditions))[BMSCondition.lowCellVoltage] == .alarm)
  }

  @Test("an empty battery without a contactor to open goes on telling chargers what they may do")
  func emptySupervised() throws {
    var bench = Bench.running()
    bench.lowest = 2.80
    bench.advance(.seconds(400))
    #expect(bench.number(.chargeCurrentLimit, since: bench.now - .seconds(2)) == .value(20))
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
  }

  @Test("a battery that falls silent: forbidden after 2 s, CVL gone after 60 s, back with the battery (OD-20)")
  func silence() throws {
    var bench = Bench.running()
    bench.sendBattery()
    bench.isAlive = false
    let silent = bench.now
    bench.advance(.milliseconds(1990))
    #expect(bench.number(.chargeCurrentLimit) == .value(200))
    bench.advance(.milliseconds(20))
    #expect(bench.number(.chargeCurrentLimit, since: silent + .seconds(2)) == .value(0))
    #expect(bench.number(.dischargeCurrentLimit, since: silent + .seconds(2)) == .value(0))
    // The resting voltage of the settings, never what the dead battery asked for.
    #expect(bench.number(.chargeVoltageLimit, since: silent + .seconds(2)) == .value(13.5))
    bench.advance(.seconds(65))
    let gone = bench.now
    bench.advance(.seconds(5))
    #expect(bench.number(.chargeVoltageLimit, since: gone) == .notAvailable)
    #expect(bench.number(.chargeCurrentLimit, since: gone) == .value(0))
    #expect(bench.last(BatteryFrameID.limits, since: gone) == nil)
    #expect(bench.last(BatteryFrameID.measurements, since: gone) == nil)
    #expect(try #require(bench.last(127508, since: gone))[1...2] == [0xFF, 0x7F])

    bench.isAlive = true
    bench.advance(.seconds(3))
    #expect(bench.number(.chargeCurrentLimit) == .value(200))
    #expect(bench.number(.chargeVoltageLimit) == .value(14.2))
  }

  @Test("cells that fall silent alone forbid after 5 s (OD-20)")
  func silentCells() throws {
    var bench = Bench.running()
    bench.sendBattery()
    bench.isAlive = false
    for _ in 0..<49 {
      bench.advance(.milliseconds(100))
      bench.sendMonitor()
    }
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    for _ in 0..<2 {
      bench.advance(.milliseconds(100))
      bench.sendMonitor()
    }
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(!bench.device.status(at: bench.now).outputs.dischargeAllowed)
    #expect(bench.number(.chargeCurrentLimit) == .value(0))
  }

  @Test("CVL is never zero and never the battery's own voltage after its death")
  func chargeVoltageNeverZero() {
    var bench = Bench.running()
    bench.highest = 3.80
    bench.advance(.seconds(3))
    bench.isAlive = false
    bench.advance(.seconds(70))
    bench.device.withdraw(at: bench.now)
    bench.collect()
    for (_, entry) in bench.sent where entry.frame.identifier == BatteryFrameID.limits {
      #expect(entry.frame.payload[0] != 0 || entry.frame.payload[1] != 0)
    }
    for (_, entry) in bench.sent where entry.frame.payload.starts(with: [0x66, 0x99, 0x90, 0x03]) {
      #expect(Array(entry.frame.payload.dropFirst(4)) != [0, 0, 0, 0])
    }
  }

  @Test("leaving withdraws all limits first, and nothing follows")
  func leaving() throws {
    var bench = Bench.running()
    let start = bench.now
    bench.isAlive = false
    bench.device.withdraw(at: bench.now)
    bench.collect()
    #expect(bench.number(.chargeVoltageLimit, since: start) == .notAvailable)
    #expect(bench.number(.chargeCurrentLimit, since: start) == .value(0))
    #expect(bench.number(.dischargeCurrentLimit, since: start) == .value(0))
    #expect(bench.register(.bmsState, since: start)?.code(.bmsState) == 12)
    bench.device.leave(at: bench.now)
    bench.collect()
    let count = bench.sent.count
    for _ in 0..<50 {
      bench.now += .milliseconds(100)
      bench.device.run(at: bench.now)
    }
    bench.collect()
    #expect(bench.sent.dropFirst(count).allSatisfy { !$0.entry.frame.identifier.isExtended })
  }

  @Test("0x305 is watched: heard once, silent after 10 s")
  func keepAlive() {
    var bench = Bench.running()
    bench.events.removeAll()
    bench.put(CANDataFrame(BatteryFrameID.keepAlive, CANPayload(littleEndian: 0, count: 8)))
    bench.put(CANDataFrame(BatteryFrameID.keepAlive, CANPayload(littleEndian: 0, count: 8)))
    bench.advance(.milliseconds(9900))
    let before = bench.events.compactMap { if case .keepAlive(let isHeard) = $0 { isHeard } else { nil } }
    #expect(before == [true])
    bench.advance(.milliseconds(300))
    let after = bench.events.compactMap { if case .keepAlive(let isHeard) = $0 { isHeard } else { nil } }
    #expect(after == [true, false])
  }
}

@Suite("Who feeds a role")
struct SenderTests {
  @Test("a sender whose claim was not heard is asked for it, and its data count after the claim")
  func unknownSender() {
    var bench = Bench()
    bench.advance(.seconds(1))
    let asked = bench.sent.contains {
      MessageIdentifier($0.entry.frame.identifier)
        == MessageIdentifier(priority: 6, pgn: 59904, source: 35, destination: Bench.batteryAddress)
        && $0.entry.frame.payload.starts(with: [0x00, 0xEE, 0x00])
    }
    #expect(asked)
    #expect(bench.device.status(at: bench.now).outputs.voltage == nil)
    bench.claim()
    bench.advance(.seconds(1))
    #expect(bench.device.status(at: bench.now).outputs.voltage == 13.3)
  }

  @Test("a device that does not fit the wiring is not listened to")
  func foreignSender() {
    var bench = Bench()
    bench.claim(Name(uniqueNumber: 1002, manufacturer: 358, function: 170, deviceClass: 35))
    bench.advance(.seconds(2))
    #expect(bench.device.status(at: bench.now).outputs.voltage == nil)
  }

  @Test("another data instance of the right sender is not listened to")
  func foreignInstance() {
    var configuration = Bench.configuration()
    configuration.monitor?.instance = 1
    var bench = Bench(configuration)
    bench.claim()
    bench.advance(.seconds(2))
    #expect(bench.device.status(at: bench.now).outputs.voltage == nil)
  }

  @Test("two that fit: neither is used, charge and discharge end forbidden; one gone, the other is used")
  func ambiguous() {
    var configuration = Bench.configuration()
    configuration.monitor?.sender.uniqueNumber = nil
    var bench = Bench.running(configuration)
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    bench.claim(Name(uniqueNumber: 7, manufacturer: 358, function: 170, deviceClass: 35), at: 99)
    for _ in 0..<30 {
      bench.sendMonitor(from: 99)
      bench.advance(.milliseconds(100))
    }
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(bench.senders.contains { if case .ambiguous = $0 { true } else { false } })
    bench.advance(.seconds(11))
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(bench.device.status(at: bench.now).monitor == .heard(Bench.batteryName))
  }

  @Test(
    "three that fit are told once, and none is used before the last but one was silent for 10 s",
    arguments: [[0], [1], [2], [0, 1], [0, 2], [1, 2]])
  func threeSenders(silent: [Int]) throws {
    let names = [1001, 7, 9].map { Name(uniqueNumber: $0, manufacturer: 358, function: 170, deviceClass: 35) }
    var configuration = Bench.configuration()
    configuration.monitor?.sender.uniqueNumber = nil
    var bench = Bench(configuration)
    bench.isAlive = false
    for (index, name) in names.enumerated() { bench.claim(name, at: UInt8(90 + index)) }
    func run(_ span: TimeSpan, _ talking: [Int]) {
      let end = bench.now + span
      while bench.now < end {
        for index in talking { bench.sendMonitor(from: UInt8(90 + index)) }
        bench.advance(.milliseconds(500))
      }
    }
    func told() -> [SenderState] {
      bench.events.compactMap { if case .sender(.monitor, let state) = $0 { state } else { nil } }
    }
    let conflict: [SenderState] = [.notHeard, .heard(names[0]), .ambiguous(names[0], names[1])]
    run(.minutes(1), [0, 1, 2])
    #expect(told() == conflict)
    let left = [0, 1, 2].filter { !silent.contains($0) }
    run(.milliseconds(9500), left)
    #expect(told() == conflict)
    run(.seconds(2), left)
    let end = left.count == 1 ? SenderState.heard(names[left[0]]) : .ambiguous(names[left[0]], names[left[1]])
    #expect(told() == (silent == [2] ? conflict : conflict + [end]))
    run(.minutes(1), left)
    #expect(bench.device.status(at: bench.now).monitor == end)
    #expect(told().count <= 4)
  }

  @Test("a sender that moves to another address is still the same sender")
  func moved() {
    var bench = Bench.running()
    bench.isAlive = false
    bench.claim(at: 77)
    for _ in 0..<20 {
      bench.sendBattery(from: 77)
      bench.advance(.milliseconds(500))
    }
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
  }

  @Test("data of a fault code are no data: the value is not zero and charging ends forbidden")
  func faultCodes() {
    var bench = Bench.running()
    bench.voltage = nil
    bench.current = nil
    bench.advance(.seconds(3))
    let outputs = bench.device.status(at: bench.now).outputs
    #expect(outputs.voltage == nil)
    #expect(!outputs.chargeAllowed)
    #expect(!outputs.dischargeAllowed)
  }

  @Test("single cells by 0x0381, numbered from 0 as they come: the one that is high is named")
  func singleCells() throws {
    var bench = Bench()
    bench.isAlive = false
    bench.claim()
    for _ in 0..<20 {
      bench.sendMonitor()
      for cell in 0..<4 { bench.sendCell(battery: 0, cell: cell, 3.33) }
      bench.advance(.milliseconds(200))
    }
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
    bench.sendCell(battery: 0, cell: 2, 3.76)
    let outputs = bench.device.status(at: bench.now).outputs
    #expect(!outputs.chargeAllowed)
    #expect(outputs.chargeText.contains("battery 0 cell 2 at 3.76 V"))
  }

  @Test("three of four single cells are not a battery")
  func missingSingleCell() {
    var bench = Bench()
    bench.isAlive = false
    bench.claim()
    for _ in 0..<20 {
      bench.sendMonitor()
      for cell in 1..<4 { bench.sendCell(battery: 1, cell: cell, 3.33) }
      bench.advance(.milliseconds(200))
    }
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
  }

  @Test("a single cell beside the extremes is believed while it is fresh")
  func singleCellBesideExtremes() {
    var bench = Bench.running()
    bench.sendCell(battery: 1, cell: 3, 3.76)
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
    bench.advance(.milliseconds(5100))
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
  }

  @Test("a register that is sent to one node is no report of a cell")
  func addressedRegister() {
    var bench = Bench.running()
    let payload = RegisterMessage(.cellVoltages, .value(3.3), .value(3.8)).message.payload
    bench.put(
      CANDataFrame(
        MessageIdentifier(priority: 7, pgn: 61184, source: Bench.batteryAddress, destination: 35).canIdentifier,
        CANPayload(littleEndian: UInt64(truncatingIfNeeded: payload.bytes), count: 8)))
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
  }
}
