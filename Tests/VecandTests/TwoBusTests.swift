import BMSDevice
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import Testing
import VECan

@testable import vecand

/// The engine on two buses in memory: VE.Can with a battery that is played by hand, and a BMS-CAN with nobody but us.
private final class TwoBuses {
  static let battery = Name(uniqueNumber: 1001, manufacturer: 358, function: 170, deviceClass: 35)

  let bus = InMemoryBus(seed: 1, bitrate: 250_000, transmitQueueLength: 10)
  let batteryBus = InMemoryBus(seed: 2, bitrate: 500_000, transmitQueueLength: 10)
  private(set) var heard: [ReceivedFrame] = []
  private(set) var heardOnBatteryBus: [ReceivedFrame] = []
  private(set) var reports: [EngineReport] = []
  private(set) var transport: InMemoryTransport?
  private(set) var batteryTransport: InMemoryTransport?
  /// What happens when, in order.
  var script: [(Instant, (TwoBuses) -> Void)] = []
  var highest = 3.33
  /// Whether the battery speaks in 11-bit frames on its own bus instead of in registers.
  let isBatterySource: Bool
  private let mailbox: Mailbox
  private let node: InMemoryBus.Node
  private let batteryNode: InMemoryBus.Node
  private var nextBattery = Instant.origin

  init(isBatterySource: Bool = false) throws {
    self.isBatterySource = isBatterySource
    mailbox = try Mailbox()
    node = bus.attach()
    batteryNode = batteryBus.attach()
  }

  func run(until end: Instant) {
    script.append((end, { $0.mailbox.post(.shutDown) }))
    let transport = InMemoryTransport(bus) { [unowned self] in pause(until: $0) }
    let batteryTransport = InMemoryTransport(batteryBus, interface: "bms-can")
    self.transport = transport
    self.batteryTransport = batteryTransport
    var configuration = DeviceConfiguration()
    configuration.identity.uniqueNumber = 42
    configuration.hasBatteryBus = true
    let sender = isBatterySource ? DeviceSelector() : DeviceSelector(uniqueNumber: 1001)
    configuration.monitor = MonitorWiring(sender: sender, place: isBatterySource ? .batteryFrames : .batteryStatus)
    configuration.cells = CellWiring(sender: sender, place: isBatterySource ? .batteryFrames : .registers)
    configuration.sendsBatteryFrames = !isBatterySource
    let engine = Engine(
      transport: transport, batteryTransport: batteryTransport,
      device: BMSDevice(configuration: configuration, randomSeed: 1, at: .origin), mailbox: mailbox,
      report: { [unowned self] in reports.append($0) })
    engine.run()
    take(until: Instant(nanoseconds: .max))
  }

  private func take(until target: Instant) {
    bus.receive(for: node, until: target, into: &heard)
    batteryBus.receive(for: batteryNode, until: target, into: &heardOnBatteryBus)
  }

  private func pause(until deadline: Instant) -> Instant {
    let target = min(deadline, nextBattery, script.first?.0 ?? deadline)
    take(until: target)
    if nextBattery <= target {
      nextBattery = target + .milliseconds(500)
      if isBatterySource { sendFrames(at: target) } else { sendMessages(at: target) }
    }
    while let (instant, action) = script.first, instant <= target {
      script.removeFirst()
      action(self)
    }
    return target
  }

  private func sendMessages(at now: Instant) {
    send(60928, CANPayload(littleEndian: Self.battery.rawValue, count: 8), at: now)
    var status = BatteryStatus()
    status.instance = .value(0)
    status.voltage = .value(13.3)
    status.current = .value(10)
    send(127508, status.payload, at: now)
    send(61184, RegisterMessage(.cellVoltages, .value(3.30), .value(highest)).message.payload, at: now)
  }

  private func sendFrames(at now: Instant) {
    let frames: [CANDataFrame?] = [
      LimitsFrame(chargeVoltage: 14, chargeCurrent: 50, dischargeCurrent: 80, dischargeVoltage: 11).frame,
      MeasurementsFrame(voltage: 13.3, current: 10, temperature: 25).frame, AlarmsFrame().frame,
      CellsFrame(lowestVoltage: 3.3, highestVoltage: highest, lowestTemperature: 25, highestTemperature: 25).frame,
    ]
    for frame in frames.compactMap(\.self) { _ = batteryBus.send(.data(frame), from: batteryNode, at: now) }
    // The same on the wrong bus is nobody's.
    let wrong = LimitsFrame(chargeVoltage: 14, chargeCurrent: 1, dischargeCurrent: 1, dischargeVoltage: 11).frame
    guard let wrong else { return }
    _ = bus.send(.data(wrong), from: node, at: now)
  }

  private func send(_ pgn: PGN, _ payload: ShortPayload, at now: Instant) {
    send(pgn, CANPayload(littleEndian: UInt64(truncatingIfNeeded: payload.bytes), count: payload.count), at: now)
  }

  private func send(_ pgn: PGN, _ payload: CANPayload, at now: Instant) {
    let identifier = MessageIdentifier(priority: 6, pgn: pgn, source: 20).canIdentifier
    _ = bus.send(.data(CANDataFrame(identifier, payload)), from: node, at: now)
  }

  func frames(_ identifier: CANIdentifier, between begin: Instant, and end: Instant) -> [CANPayload] {
    heardOnBatteryBus.compactMap {
      guard case .data(let frame) = $0.frame, frame.identifier == identifier, $0.instant > begin, $0.instant < end
      else { return nil }
      return frame.payload
    }
  }

  func limits(_ register: Register, between begin: Instant, and end: Instant) -> [Reading<Double>] {
    heard.compactMap {
      guard case .data(let frame) = $0.frame, MessageIdentifier(frame.identifier)?.pgn == 61184,
        $0.instant > begin, $0.instant < end,
        let message = RegisterMessage(VictronRegister(payload: Array(frame.payload).span.bytes))
      else { return nil }
      return message.number(register)
    }
  }
}

private func at(_ seconds: Double) -> Instant { .origin + TimeSpan(seconds: seconds) }
private let limitsFrame = CANIdentifier.standard(0x351)

@Suite("VE.Can and a BMS-CAN with one core")
struct TwoBusTests {
  @Test("29-bit frames are on the one bus only and 11-bit frames on the other only, with the same limits")
  func apart() throws {
    let buses = try TwoBuses()
    buses.run(until: at(8))
    #expect(buses.heard.allSatisfy { $0.frame.identifier?.isExtended == true })
    #expect(buses.heardOnBatteryBus.allSatisfy { $0.frame.identifier?.isExtended == false })
    let last = try #require(buses.frames(limitsFrame, between: at(5), and: at(7.9)).last)
    #expect(LimitsFrame(CANDataFrame(limitsFrame, last))?.chargeCurrent == 200)
    #expect(buses.limits(.chargeCurrentLimit, between: at(5), and: at(7.9)).last == .value(200))
  }

  @Test("the BMS-CAN goes down and comes back: VE.Can misses no limit, and 0x351 is back within a period")
  func batteryBusDown() throws {
    let buses = try TwoBuses()
    buses.script = [
      (at(6), { $0.batteryTransport?.setConnected(false) }), (at(16), { $0.batteryTransport?.setConnected(true) }),
    ]
    buses.run(until: at(20))
    #expect(buses.frames(limitsFrame, between: at(6.01), and: at(16)).isEmpty)
    #expect(!buses.frames(limitsFrame, between: at(16), and: at(17.1)).isEmpty)
    #expect(buses.limits(.chargeCurrentLimit, between: at(6), and: at(16)).count >= 6)
    let links = buses.reports.compactMap { if case .batteryLink(let event) = $0 { event.state } else { nil } }
    #expect(links == [.up, .down, .up])
  }

  @Test("VE.Can goes down: 0x351 goes on each second, and withdraws when the data are stale")
  func mainBusDown() throws {
    let buses = try TwoBuses()
    buses.script = [(at(6), { $0.transport?.setConnected(false) }), (at(16), { $0.transport?.setConnected(true) })]
    buses.run(until: at(22))
    let frames = buses.frames(limitsFrame, between: at(6.1), and: at(16))
    #expect(frames.count >= 9)
    // OD-20: what measured is on the dead bus; charging is forbidden, and the BMS-CAN hears it.
    let last = try #require(frames.last)
    #expect(LimitsFrame(CANDataFrame(limitsFrame, last))?.chargeCurrent == 0)
    #expect(buses.limits(.chargeCurrentLimit, between: at(18), and: at(21.9)).last == .value(200))
  }

  @Test("a high cell on VE.Can is CCL 0 on the BMS-CAN within 20 ms")
  func reaction() throws {
    let buses = try TwoBuses()
    buses.script = [(at(6), { $0.highest = 3.76 })]
    buses.run(until: at(9))
    let seen = try #require(
      buses.heardOnBatteryBus.first {
        guard case .data(let frame) = $0.frame, $0.instant > at(6) else { return false }
        return LimitsFrame(frame)?.chargeCurrent == 0
      })
    // The battery tells it each half second.
    #expect(seen.instant <= at(6.52))
  }

  @Test("a battery's own BMS on the BMS-CAN is the source, and the registers on VE.Can tell its limits")
  func source() throws {
    let buses = try TwoBuses(isBatterySource: true)
    buses.run(until: at(10))
    #expect(buses.limits(.chargeCurrentLimit, between: at(7), and: at(9.9)).last == .value(50))
    #expect(buses.limits(.dischargeCurrentLimit, between: at(7), and: at(9.9)).last == .value(80))
    #expect(buses.heardOnBatteryBus.isEmpty, "nothing is sent to the battery's bus")
  }
}
