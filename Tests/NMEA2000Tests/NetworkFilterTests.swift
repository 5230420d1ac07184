import CANBus
import MonotonicTime
import Testing

@testable import NMEA2000

@Suite("What a node has to hear")
struct NetworkFilterTests {
  private func hears(_ node: Node, _ pgn: PGN, from source: UInt8, to destination: UInt8 = 255) -> Bool {
    let identifier = MessageIdentifier(priority: 3, pgn: pgn, source: source, destination: destination)
    return node.filters.contains { $0.passes(identifier.canIdentifier) }
  }

  @Test("Without an address everything, for any frame shows that an address is taken; with one, what concerns it")
  func wideThenNarrow() {
    var bus = NetworkTestBus()
    bus.add()
    #expect(hears(bus.nodes[0], 130306, from: 7))
    bus.run(.milliseconds(300))
    #expect(bus.nodes[0].address == nil)
    #expect(hears(bus.nodes[0], 130306, from: 7))
    bus.run(.seconds(1))
    #expect(bus.nodes[0].address == 22)
    #expect(!hears(bus.nodes[0], 130306, from: 7))
    #expect(hears(bus.nodes[0], 127508, from: 7))
  }

  @Test(
    "With an address: everything of the network, to anybody",
    arguments: [59392, 59904, 60160, 60416, 60928, 126208, 126993, 126996] as [PGN])
  func network(pgn: PGN) {
    let node = NetworkTestBus.single().nodes[0]
    #expect(hears(node, pgn, from: 7))
    #expect(hears(node, pgn, from: 7, to: 22))
  }

  @Test("Neighbours of a PGN it understands are not heard")
  func neighbours() {
    let node = NetworkTestBus.single().nodes[0]
    #expect(!hears(node, 127507, from: 7))
    #expect(!hears(node, 127509, from: 7))
    #expect(!hears(node, 60672, from: 7))
    #expect(!hears(node, 61184, from: 7))
  }

  @Test("Whatever comes from its own address is heard, and the address changes with it")
  func ownAddress() {
    var bus = NetworkTestBus.single()
    #expect(hears(bus.nodes[0], 130306, from: 22))
    #expect(!hears(bus.nodes[0], 130306, from: 23))
    bus.claim(Name(rawValue: 1), from: 22)
    #expect(hears(bus.nodes[0], 130306, from: 5), "it looks for an address again")
    bus.run(.seconds(1))
    #expect(bus.nodes[0].address == 23)
    #expect(hears(bus.nodes[0], 130306, from: 23))
    #expect(!hears(bus.nodes[0], 130306, from: 22))
  }

  @Test("11-bit frames are none of its business")
  func standard() {
    let node = NetworkTestBus.single().nodes[0]
    #expect(!node.filters.contains { $0.passes(.standard(0x351)) })
  }
}
