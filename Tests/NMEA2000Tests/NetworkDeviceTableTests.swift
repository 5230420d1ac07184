import CANBus
import MonotonicTime
import Testing

@testable import NMEA2000

/// Who is on the bus, and how a sender is picked (design.md section 4).
@Suite struct NetworkDeviceTableTests {
  static let shunt = Name(uniqueNumber: 1, manufacturer: 358, deviceInstance: 0, function: 170, deviceClass: 35)
  static let second = Name(uniqueNumber: 2, manufacturer: 358, deviceInstance: 1, function: 170, deviceClass: 35)
  static let charger = Name(uniqueNumber: 1, manufacturer: 358, deviceInstance: 0, function: 160, deviceClass: 35)

  static func at(_ seconds: Int64) -> Instant { .origin + .seconds(seconds) }

  @Test("A selector finds one by any of its parts, none when no one fits, and says when there are two")
  func selectors() {
    var table = DeviceTable()
    table.claim(Self.shunt, from: 10, at: Self.at(0))
    table.claim(Self.second, from: 11, at: Self.at(0))
    table.claim(Self.charger, from: 12, at: Self.at(0))
    let one = DeviceTable.Match.one(address: 10, name: Self.shunt)
    #expect(table.match(DeviceSelector(manufacturer: 358, uniqueNumber: 1, function: 170), at: Self.at(1)) == one)
    #expect(table.match(DeviceSelector(function: 170, deviceClass: 35, deviceInstance: 0), at: Self.at(1)) == one)
    #expect(table.match(DeviceSelector(function: 170), at: Self.at(1)) == .ambiguous(count: 2))
    #expect(table.match(DeviceSelector(), at: Self.at(1)) == .ambiguous(count: 3))
    #expect(table.match(DeviceSelector(manufacturer: 359), at: Self.at(1)) == .none)
    #expect(table.match(DeviceSelector(function: 160, deviceClass: 36), at: Self.at(1)) == .none)
  }

  @Test("A NAME keeps its selector when its address moves, and the old address is free")
  func moves() {
    var table = DeviceTable()
    table.claim(Self.shunt, from: 10, at: Self.at(0))
    table.claim(Self.shunt, from: 20, at: Self.at(1))
    #expect(table.match(DeviceSelector(uniqueNumber: 1), at: Self.at(1)) == .one(address: 20, name: Self.shunt))
    #expect(table[10] == nil)
    #expect(table.address(of: Self.shunt) == 20)
    table.claim(Self.shunt, from: 254, at: Self.at(2))
    #expect(table.address(of: Self.shunt) == nil)
    #expect(table.all.isEmpty)
  }

  @Test("A new NAME at an address inherits nothing of the old one")
  func newHolder() throws {
    var table = DeviceTable()
    table.claim(Self.shunt, from: 10, at: Self.at(0))
    table.hear(127508, from: 10, at: Self.at(0))
    table.describe(NetworkTestBus.product, of: 10)
    #expect(try #require(table[10]).pgns == [127508])
    #expect(try #require(table[10]).product == NetworkTestBus.product)
    table.claim(Self.charger, from: 10, at: Self.at(1))
    let device = try #require(table[10])
    #expect(device.name == Self.charger)
    #expect(device.pgns.isEmpty)
    #expect(device.product == nil)
  }

  @Test("A device that was silent for more than 3 minutes is not picked; at 3 minutes it is")
  func silence() {
    var table = DeviceTable()
    table.claim(Self.shunt, from: 10, at: Self.at(0))
    #expect(table.match(DeviceSelector(function: 170), at: Self.at(180)) == .one(address: 10, name: Self.shunt))
    #expect(table.match(DeviceSelector(function: 170), at: Self.at(181)) == .none)
    #expect(table.occupancy(of: 10, at: Self.at(180)) == .taken)
    #expect(table.occupancy(of: 10, at: Self.at(181)) == .abandoned)
    #expect(table.occupancy(of: 11, at: Self.at(0)) == .free)
  }

  @Test("Of one sender at most 32 PGNs are noted, each once, and a thousand others do no harm")
  func boundedPGNs() throws {
    var table = DeviceTable()
    for number in 0..<1000 {
      for _ in 0..<2 { table.hear(PGN(126_976 + UInt32(number)), from: 10, at: Self.at(0)) }
    }
    let pgns = try #require(table[10]).pgns
    #expect(pgns == (0..<32).map { PGN(126_976 + UInt32($0)) })
  }

  @Test("A sender without a claim is asked for it at 0, 2, 6, 14, 30 and 62 s, and then no more")
  func inquiries() {
    var bus = NetworkTestBus.single()
    let start = bus.now
    for _ in 0..<3000 {
      bus.inject(127508, from: 9, [0, 0, 0, 0, 0, 0, 0, 0])
      bus.run(.milliseconds(100))
    }
    let asked = bus.sent(59904)
    #expect(asked.map { ($0.at - start).nanoseconds / 1_000_000_000 } == [0, 2, 6, 14, 30, 62])
    #expect(asked.allSatisfy { $0.destination == 9 && $0.bytes == [0x00, 0xEE, 0x00] })
  }

  @Test("A sender whose claim was heard is not asked; one that answers is known")
  func known() {
    var bus = NetworkTestBus.single()
    bus.inject(127508, from: 9, [0, 0, 0, 0, 0, 0, 0, 0])
    bus.claim(Self.shunt, from: 9)
    bus.run(.seconds(10))
    bus.inject(127508, from: 9, [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(bus.sent(59904).count == 1)
    #expect(bus.nodes[0].devices.name(of: 9) == Self.shunt)
    #expect(bus.nodes[0].devices[9]?.pgns == [127508])
  }

  @Test("Two nodes know each other's NAME and, when asked, product")
  func introduction() {
    var bus = NetworkTestBus.single()
    bus.add(Self.charger)
    bus.run(.seconds(2))
    #expect(bus.nodes[0].devices.name(of: 23) == Self.charger)
    #expect(bus.nodes[1].devices.name(of: 22) == NetworkTestBus.ours)
    #expect(bus.nodes[0].devices[23]?.product == nil)
    var request = ISORequest()
    request.requestedPGN = .value(126996)
    bus.nodes[0].send(request, to: 23, at: bus.now)
    bus.drain()
    #expect(bus.nodes[0].devices[23]?.product == NetworkTestBus.product)
  }

  @Test("What was heard from an address before it became ours is forgotten")
  func becomesOurs() {
    var bus = NetworkTestBus.single()
    bus.inject(127508, from: 23, [0, 0, 0, 0, 0, 0, 0, 0])
    bus.run(.minutes(4))
    #expect(bus.nodes[0].devices[23] != nil)
    for address in UInt8(0)...251 where address != 22 && address != 23 {
      bus.inject(127508, from: address, [0, 0, 0, 0, 0, 0, 0, 0])
    }
    bus.claim(Name(rawValue: 1), from: 22)
    bus.run(.seconds(1))
    #expect(bus.nodes[0].address == 23)
    #expect(bus.nodes[0].devices[23] == nil)
  }

  @Test("Our own address is nobody's in the table")
  func ownAddress() {
    var bus = NetworkTestBus.single()
    bus.claim(Name(rawValue: .max), from: 22)
    #expect(bus.nodes[0].devices[22] == nil)
    bus.claim(Self.shunt, from: 22)
    #expect(bus.nodes[0].devices.name(of: 22) == Self.shunt)
  }
}
