import CANBus
import MonotonicTime
import Testing

@testable import NMEA2000

/// 126208: nmea2000.md section 1.4.
@Suite struct NetworkGroupFunctionTests {
  typealias Bus = NetworkTestBus

  static let claim: [UInt8] = [0x00, 0xEE, 0x00]
  static let list: [UInt8] = [0x00, 0xEE, 0x01]
  static let heartbeat: [UInt8] = [0x11, 0xF0, 0x01]
  static let product: [UInt8] = [0x14, 0xF0, 0x01]
  static let configuration: [UInt8] = [0x16, 0xF0, 0x01]
  static let bank: [UInt8] = [0x0D, 0xF2, 0x01]
  static let battery: [UInt8] = [0x14, 0xF2, 0x01]
  static let detail: [UInt8] = [0x12, 0xF2, 0x01]
  static let register: [UInt8] = [0x00, 0xEF, 0x00]
  static let unknown: [UInt8] = [0x01, 0xF8, 0x01]

  static let unchanged: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
  static let restore: [UInt8] = [0xFE, 0xFF, 0xFF, 0xFF]
  static func interval(_ milliseconds: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: milliseconds >> ($0 * 8)) }
  }

  static func request(
    _ pgn: [UInt8], _ interval: [UInt8] = unchanged, offset: [UInt8] = [0xFF, 0xFF], pairs: [[UInt8]] = []
  ) -> [UInt8] {
    [0] + pgn + interval + offset + [UInt8(pairs.count)] + pairs.flatMap { $0 }
  }

  static func command(_ pgn: [UInt8], priority: UInt8 = 0xF8, _ pairs: [[UInt8]]) -> [UInt8] {
    [1] + pgn + [priority, UInt8(pairs.count)] + pairs.flatMap { $0 }
  }

  /// What one group function to our node draws: acknowledgements as payloads.
  func acknowledgements(_ bus: inout Bus, _ payload: [UInt8], to destination: UInt8 = 22) -> [[UInt8]] {
    bus.log = []
    bus.injectFast(126208, from: 5, to: destination, payload)
    let answers = bus.fastPackets(126208)
    #expect(answers.allSatisfy { $0.destination == 5 })
    return answers.map(\.payload)
  }

  // MARK: - Requests

  @Test(
    "R314: a request for each mandatory PGN is met without an acknowledgement, also when all were asked",
    arguments: [UInt8(22), 255])
  func mandatory(destination: UInt8) {
    var bus = Bus.single()
    for (bytes, pgn, count) in [
      (Self.claim, PGN(60928), 1), (Self.list, 126464, 2), (Self.product, 126996, 1), (Self.configuration, 126998, 1),
    ] {
      bus.run(.milliseconds(100))
      #expect(acknowledgements(&bus, Self.request(bytes), to: destination).isEmpty)
      #expect(pgn == 60928 ? bus.sent(pgn).count == 1 : bus.fastPackets(pgn).count == count)
    }
  }

  @Test("Pairs filter: a match is answered, another value is out of range, to all it is silence")
  func filters() {
    var bus = Bus.single()
    let function = Self.request(Self.claim, pairs: [[5, 170]])
    let other = Self.request(Self.claim, pairs: [[7, 35], [5, 171]])
    #expect(acknowledgements(&bus, function).isEmpty)
    #expect(bus.sent(60928).count == 1)
    bus.run(.milliseconds(100))
    #expect(acknowledgements(&bus, other) == [[2] + Self.claim + [0x00, 2, 0x30]])
    #expect(bus.sent(60928).isEmpty)
    #expect(acknowledgements(&bus, other, to: 255).isEmpty)
    #expect(bus.log.isEmpty)
  }

  @Test("The bits above a field's width mean nothing in a filter: F8 is instance 0, F9 is not")
  func filterWidth() {
    var bus = Bus.single()
    #expect(acknowledgements(&bus, Self.request(Self.claim, pairs: [[3, 0xF8]])).isEmpty)
    #expect(
      acknowledgements(&bus, Self.request(Self.claim, pairs: [[3, 0xF9]])) == [[2] + Self.claim + [0x00, 1, 0xF3]])
  }

  @Test("A filter on a text compares it without its padding")
  func textFilter() {
    var bus = Bus.single()
    let model = Array("vecand".utf8) + [UInt8](repeating: 0x20, count: 26)
    #expect(acknowledgements(&bus, Self.request(Self.product, pairs: [[3] + model])).isEmpty)
    #expect(bus.fastPackets(126996).count == 1)
    let wrong = Array("vecanx".utf8) + [UInt8](repeating: 0xFF, count: 26)
    #expect(
      acknowledgements(&bus, Self.request(Self.product, pairs: [[3] + wrong])) == [
        [2] + Self.product + [0x00, 1, 0xF3]
      ])
    #expect(acknowledgements(&bus, Self.request(Self.configuration, pairs: [[3, 7, 1] + Array("maker".utf8)])).isEmpty)
    #expect(bus.fastPackets(126998).count == 1)
  }

  @Test("A filter on the function of the PGN list gets that list only")
  func listFilter() {
    var bus = Bus.single()
    #expect(acknowledgements(&bus, Self.request(Self.list, pairs: [[1, 1]])).isEmpty)
    #expect(bus.fastPackets(126464).map { $0.payload[0] } == [1])
    #expect(acknowledgements(&bus, Self.request(Self.list, pairs: [[1, 7]])) == [[2] + Self.list + [0x00, 1, 0xF3]])
  }

  @Test("After an invalid field the rest cannot be read: temporarily unable for each of them")
  func invalidField() {
    var bus = Bus.single()
    let request = Self.request(Self.claim, pairs: [[7, 35], [99, 1], [5, 170], [8, 0]])
    #expect(acknowledgements(&bus, request) == [[2] + Self.claim + [0x00, 4, 0x10, 0x22]])
    #expect(bus.sent(60928).isEmpty)
  }

  @Test("These PGNs have no interval: one is refused, restoring it or turning it off asks for nothing")
  func mandatoryInterval() {
    var bus = Bus.single()
    #expect(
      acknowledgements(&bus, Self.request(Self.product, Self.interval(1000))) == [[2] + Self.product + [0x10, 0]])
    #expect(acknowledgements(&bus, Self.request(Self.product, offset: [5, 0])) == [[2] + Self.product + [0x10, 0]])
    #expect(bus.fastPackets(126996).isEmpty)
    for interval in [Self.restore, Self.interval(0)] {
      bus.run(.milliseconds(100))
      #expect(acknowledgements(&bus, Self.request(Self.product, interval)).isEmpty)
      #expect(bus.fastPackets(126996).count == 1)
    }
  }

  @Test("A PGN that nobody here knows: error 1 and a 0 for each parameter; to all, silence")
  func unknownRequest() {
    var bus = Bus.single()
    let request = Self.request(Self.unknown, pairs: [[1, 1], [2, 2], [3, 3]])
    #expect(acknowledgements(&bus, request) == [[2] + Self.unknown + [0x01, 3, 0x00, 0xF0]])
    #expect(acknowledgements(&bus, request, to: 255).isEmpty)
    #expect(bus.log.isEmpty)
  }

  @Test("A PGN that we send but that cannot be asked for: error 2")
  func notRequestable() {
    var bus = Bus.single()
    #expect(acknowledgements(&bus, Self.request(Self.register)) == [[2] + Self.register + [0x02, 0]])
    #expect(acknowledgements(&bus, Self.request([0x00, 0xEA, 0x00])) == [[2, 0x00, 0xEA, 0x00, 0x02, 0]])
  }

  @Test("A request for a PGN of the application reaches it with its filters, and its refusal comes back")
  func applicationRequest() {
    var bus = Bus.single()
    #expect(acknowledgements(&bus, Self.request(Self.battery, pairs: [[1, 3]])).isEmpty)
    #expect(
      bus.applications[0].requests == [
        PGNRequest(
          pgn: 127508, source: 5, isBroadcast: false, filters: [ParameterPair(field: 1, value: .bits(3))])
      ])
    bus.applications[0].requestAnswer = .notAvailable
    #expect(acknowledgements(&bus, Self.request(Self.battery)) == [[2] + Self.battery + [0x02, 0]])
    #expect(acknowledgements(&bus, Self.request(Self.battery), to: 255).isEmpty)
    bus.applications[0].requestAnswer = .accessDenied
    #expect(acknowledgements(&bus, Self.request(Self.battery)) == [[2] + Self.battery + [0x03, 0]])
  }

  @Test("The interval of 127508 can be set from 100 ms to 5 s, is restored, and never turned off")
  func applicationInterval() {
    var bus = Bus.single()
    for (interval, error) in [(UInt32(99), UInt8(0x20)), (5001, 0x10), (0, 0x10)] {
      #expect(
        acknowledgements(&bus, Self.request(Self.battery, Self.interval(interval)))
          == [[2] + Self.battery + [error, 0]])
      #expect(bus.nodes[0].interval(of: 127508) == .milliseconds(1500))
    }
    for interval: UInt32 in [100, 5000] {
      #expect(acknowledgements(&bus, Self.request(Self.battery, Self.interval(interval))).isEmpty)
      #expect(bus.nodes[0].interval(of: 127508) == .milliseconds(Int64(interval)))
    }
    #expect(bus.applications[0].requests.count == 2)
    #expect(acknowledgements(&bus, Self.request(Self.battery, Self.restore)).isEmpty)
    #expect(bus.nodes[0].interval(of: 127508) == .milliseconds(1500))
    #expect(
      bus.events() == [
        .intervalChanged(127508, .milliseconds(100)), .intervalChanged(127508, .milliseconds(5000)),
        .intervalChanged(127508, .milliseconds(1500)),
      ])
    #expect(
      acknowledgements(&bus, Self.request(Self.detail, Self.interval(1000))) == [[2] + Self.detail + [0x10, 0]])
  }

  @Test("An interval for one instance alone, or an offset, is refused: one interval holds for a PGN")
  func intervalWithPairs() {
    var bus = Bus.single()
    #expect(
      acknowledgements(&bus, Self.request(Self.battery, Self.interval(1000), pairs: [[1, 0]]))
        == [[2] + Self.battery + [0x10, 1, 0xF0]])
    #expect(
      acknowledgements(&bus, Self.request(Self.battery, Self.interval(1000), offset: [1, 0]))
        == [[2] + Self.battery + [0x10, 0]])
    #expect(bus.nodes[0].interval(of: 127508) == .milliseconds(1500))
    #expect(bus.applications[0].requests.isEmpty)
  }

  @Test("While the address is only claimed, a command changes nothing and is not answered")
  func commandWhileClaiming() {
    var bus = Bus()
    bus.add()
    while bus.sent(60928).isEmpty { bus.run(.milliseconds(1)) }
    #expect(acknowledgements(&bus, Self.command(Self.claim, [[8, 3]])).isEmpty)
    bus.run(.seconds(1))
    #expect(bus.nodes[0].name == Bus.ours)
  }

  @Test("The heartbeat's interval: 1,000 and 60,000 ms are taken, 999 and 60,001 are not")
  func heartbeatInterval() {
    var bus = Bus.single()
    for (interval, error) in [(UInt32(999), UInt8(0x20)), (60_001, 0x10), (0, 0x10)] {
      #expect(
        acknowledgements(&bus, Self.request(Self.heartbeat, Self.interval(interval)))
          == [[2] + Self.heartbeat + [error, 0]])
      #expect(bus.nodes[0].heartbeatInterval == .seconds(60))
    }
    #expect(acknowledgements(&bus, Self.request(Self.heartbeat, Self.interval(1000))).isEmpty)
    #expect(bus.sent(126993).map { Array($0.bytes[0..<2]) } == [[0xE8, 0x03]])
    #expect(bus.nodes[0].stored.heartbeatInterval == .seconds(1))
    #expect(bus.events() == [.intervalChanged(126993, .seconds(1)), .storedChanged])
    bus.log = []
    bus.run(.seconds(10))
    #expect(bus.sent(126993).count == 10)
    #expect(acknowledgements(&bus, Self.request(Self.heartbeat, Self.interval(60_000))).isEmpty)
    #expect(acknowledgements(&bus, Self.request(Self.heartbeat, Self.interval(2000))).isEmpty)
    #expect(acknowledgements(&bus, Self.request(Self.heartbeat, Self.restore)).isEmpty)
    #expect(bus.nodes[0].heartbeatInterval == .seconds(60))
  }

  @Test("The heartbeat cannot be asked for now, nor with pairs, nor commanded")
  func heartbeatRefusals() {
    var bus = Bus.single()
    #expect(acknowledgements(&bus, Self.request(Self.heartbeat)) == [[2] + Self.heartbeat + [0x02, 0]])
    #expect(
      acknowledgements(&bus, Self.request(Self.heartbeat, Self.interval(2000), pairs: [[1, 0, 0]]))
        == [[2] + Self.heartbeat + [0x04, 1, 0xF0]])
    #expect(
      acknowledgements(&bus, Self.command(Self.heartbeat, [[1, 0, 0]])) == [[2] + Self.heartbeat + [0x04, 1, 0xF0]])
    #expect(bus.sent(126993).isEmpty)
    #expect(bus.nodes[0].heartbeatInterval == .seconds(60))
  }

  // MARK: - Commands

  @Test("The instances are set by fields 3, 4 and 8 of 60928, claimed at once and stored")
  func instances() throws {
    var bus = Bus.single()
    let answer = acknowledgements(&bus, Self.command(Self.claim, [[3, 5], [4, 2], [8, 3]]))
    #expect(answer == [[2] + Self.claim + [0x00, 3, 0x00, 0xF0]])
    #expect(bus.nodes[0].name.deviceInstance == 2 << 3 | 5)
    #expect(bus.nodes[0].name.systemInstance == 3)
    #expect(bus.nodes[0].address == 22)
    let claim = try #require(bus.sent(60928).first)
    #expect(claim.frame.payload.bits == bus.nodes[0].name.rawValue)
    #expect(bus.events() == [.instancesChanged(device: 21, system: 3), .storedChanged])
    #expect(bus.nodes[0].stored.deviceInstance == 21)
    #expect(bus.nodes[0].stored.systemInstance == 3)
  }

  @Test("7, 31 and 15 are the highest instances; one more is out of range and changes nothing")
  func instanceLimits() {
    var bus = Bus.single()
    for (field, top) in [(UInt8(3), UInt8(7)), (4, 31), (8, 15)] {
      #expect(
        acknowledgements(&bus, Self.command(Self.claim, [[field, top + 1]])) == [[2] + Self.claim + [0x00, 1, 0xF3]])
      #expect(bus.sent(60928).isEmpty)
      #expect(
        acknowledgements(&bus, Self.command(Self.claim, [[field, top]])) == [[2] + Self.claim + [0x00, 1, 0xF0]])
    }
    #expect(bus.nodes[0].name.deviceInstance == 255)
    #expect(bus.nodes[0].name.systemInstance == 15)
  }

  @Test("Other fields of 60928 are denied, unknown ones invalid, and what stands before them is done")
  func claimFields() {
    var bus = Bus.single()
    #expect(
      acknowledgements(&bus, Self.command(Self.claim, [[8, 2], [5, 130], [99, 0], [3, 1]]))
        == [[2] + Self.claim + [0x00, 4, 0x40, 0x21]])
    #expect(bus.nodes[0].name.systemInstance == 2)
    #expect(bus.nodes[0].name.function == 170)
    #expect(bus.nodes[0].name.deviceInstance == 0)
  }

  @Test("A priority is not changed: refused as such; 8, 9 and 15 leave it")
  func priority() {
    var bus = Bus.single()
    #expect(
      acknowledgements(&bus, Self.command(Self.claim, priority: 0xF3, [[8, 1]])) == [
        [2] + Self.claim + [0x10, 1, 0xF0]
      ])
    for priority: UInt8 in [0xF8, 0xF9, 0xFF] {
      #expect(
        acknowledgements(&bus, Self.command(Self.claim, priority: priority, [[8, 1]]))
          == [[2] + Self.claim + [0x00, 1, 0xF0]])
    }
  }

  @Test("The installation descriptions are set by fields 1 and 2 of 126998, and said from then on; the third is denied")
  func descriptions() throws {
    var bus = Bus.single()
    let text: [UInt8] = [7, 1] + Array("house".utf8)
    #expect(
      acknowledgements(&bus, Self.command(Self.configuration, [[1] + text, [2, 4, 1, 0x41, 0x42], [3] + text]))
        == [[2] + Self.configuration + [0x00, 3, 0x00, 0xF4]])
    #expect(bus.nodes[0].stored.installationDescription1 == "house")
    #expect(bus.nodes[0].stored.installationDescription2 == "AB")
    #expect(bus.events() == [.descriptionsChanged, .storedChanged])
    bus.inject(59904, from: 5, to: 22, Self.configuration)
    #expect(
      try #require(bus.fastPackets(126998).last).payload
        == text + [4, 1, 0x41, 0x42, 7, 1] + Array("maker".utf8))
  }

  @Test("A description is stored when the bus set it and it is not the configured one; an empty one gives it back")
  func configuredDescriptions() {
    func node(_ configured: (String, String), _ stored: StoredNode = StoredNode()) -> Bus {
      var bus = Bus()
      bus.add(stored: stored, descriptions: configured)
      bus.run(.seconds(2))
      return bus
    }
    func set(_ bus: inout Bus, _ text: String) {
      let bytes = [1, UInt8(text.utf8.count + 2), 1] + Array(text.utf8)
      #expect(
        acknowledgements(&bus, Self.command(Self.configuration, [bytes]))
          == [[2] + Self.configuration + [0x00, 1, 0xF0]])
    }
    func said(_ bus: Bus) -> [String?] {
      let said = bus.nodes[0].configurationInformation
      return [said.installationDescription1, said.installationDescription2]
    }
    var bus = node(("house", "port"))
    #expect(said(bus) == ["house", "port"])
    #expect(bus.nodes[0].stored == StoredNode(address: 22))
    // The configuration changed, and nobody set anything.
    bus = node(("bow", "port"), bus.nodes[0].stored)
    #expect(said(bus) == ["bow", "port"])
    set(&bus, "stern")
    #expect(said(bus) == ["stern", "port"])
    #expect(bus.nodes[0].stored == StoredNode(address: 22, installationDescription1: "stern"))
    bus = node(("house", "port"), bus.nodes[0].stored)
    #expect(said(bus) == ["stern", "port"])
    while bus.nodes[0].nextEvent() != nil {}
    set(&bus, "")
    #expect(said(bus) == ["house", "port"])
    #expect(bus.nodes[0].stored == StoredNode(address: 22))
    #expect(bus.events() == [.descriptionsChanged, .storedChanged])
    set(&bus, "house")
    #expect(bus.nodes[0].stored == StoredNode(address: 22) && bus.events().isEmpty)
    // An earlier version stored the configured one as if the bus had set it.
    bus = node(("house", ""), StoredNode(address: 22, installationDescription1: "house"))
    #expect(bus.nodes[0].stored == StoredNode(address: 22))
    #expect(bus.events().contains(.storedChanged))
  }

  @Test("70 characters are taken, 71 are out of range and change nothing")
  func descriptionLength() {
    var bus = Bus.single()
    for (count, error) in [(70, UInt8(0xF0)), (71, 0xF3)] {
      let text = [UInt8](repeating: 0x61, count: count)
      #expect(
        acknowledgements(&bus, Self.command(Self.configuration, [[1, UInt8(count + 2), 1] + text]))
          == [[2] + Self.configuration + [0x00, 1, error]])
      #expect(bus.nodes[0].stored.installationDescription1.count == 70)
    }
  }

  @Test("The real command of a Maretron pair: indicator 5 off, acknowledged byte for byte as the real switch did")
  func realPair() {
    var bus = Bus.single()
    let answer = acknowledgements(&bus, [0x01, 0x0D, 0xF2, 0x01, 0xF8, 0x01, 0x06, 0x00])
    #expect(answer == [[0x02, 0x0D, 0xF2, 0x01, 0x00, 0x01, 0xF0]])
    #expect(
      bus.applications[0].commands == [
        PGNCommand(
          pgn: 127501, source: 5, instant: bus.now, parameters: [ParameterPair(field: 6, value: .bits(0))])
      ])
  }

  @Test("A command that the application denies is denied with its code")
  func denied() {
    var bus = Bus.single()
    bus.applications[0].commandAnswer = .refused(.accessDenied)
    #expect(
      acknowledgements(&bus, Self.command(Self.bank, [[1, 0], [2, 1]])) == [[2] + Self.bank + [0x03, 2, 0x00]])
    bus.applications[0].commandAnswer = GroupFunctionAnswer(parameters: [.none, .accessDenied])
    #expect(
      acknowledgements(&bus, Self.command(Self.bank, [[1, 0], [2, 1]])) == [[2] + Self.bank + [0x00, 2, 0x40]])
  }

  @Test("A command to the application of which a part cannot be read is not handed over, and no part reported as done")
  func unreadable() {
    var bus = Bus.single()
    #expect(
      acknowledgements(&bus, Self.command(Self.bank, [[2, 1], [99, 1]])) == [[2] + Self.bank + [0x00, 2, 0x12]])
    #expect(
      acknowledgements(&bus, Self.command(Self.bank, priority: 0xF3, [[2, 1]])) == [[2] + Self.bank + [0x10, 1, 0xF2]])
    #expect(bus.applications[0].commands.isEmpty)
  }

  @Test("A command to all, a read or a write to all is ignored")
  func broadcastSilence() {
    var bus = Bus.single()
    for payload in [
      Self.command(Self.claim, [[8, 3]]), Self.command(Self.bank, [[2, 1]]), Self.command(Self.unknown, [[2, 1]]),
      [3] + Self.claim + [1, 0, 1, 3], [5] + Self.claim + [1, 0, 1, 3, 1], [1] + Self.claim,
    ] {
      #expect(acknowledgements(&bus, payload, to: 255).isEmpty)
      // Its claim may be asked for, as that of any stranger.
      #expect(bus.log.allSatisfy { $0.pgn == 59904 })
    }
    #expect(bus.nodes[0].name == Bus.ours)
    #expect(bus.applications[0].commands.isEmpty)
  }

  @Test("A command to a PGN that nobody here knows: error 1 and a 0 for each parameter")
  func unknownCommand() {
    var bus = Bus.single()
    #expect(
      acknowledgements(&bus, Self.command(Self.unknown, [[2, 1], [3, 1]])) == [[2] + Self.unknown + [0x01, 2, 0x00]])
    #expect(acknowledgements(&bus, Self.command(Self.product, [[2, 1, 0]])) == [[2] + Self.product + [0x04, 1, 0xF0]])
  }

  @Test("A command cut before its count draws one frame, not twenty; cut before its PGN, none")
  func cut() {
    var bus = Bus.single()
    for length in 1...5 {
      let payload = Array(Self.command(Self.claim, [[3, 1]]).prefix(length))
      let answers = acknowledgements(&bus, payload)
      #expect(answers == (length < 4 ? [] : [[2] + Self.claim + [0x04, 0]]))
      #expect(bus.sent(126208).count == answers.count)
    }
    #expect(bus.nodes[0].statistics.malformed == 5)
  }

  @Test("A command that counts 252 pairs and holds one is answered for what it holds")
  func countTooHigh() {
    var bus = Bus.single()
    #expect(
      acknowledgements(&bus, [1] + Self.claim + [0xF8, 252, 8, 1]) == [[2] + Self.claim + [0x00, 1, 0xF0]])
    #expect(acknowledgements(&bus, [1] + Self.unknown + [0xF8, 252, 8, 1]) == [[2] + Self.unknown + [0x01, 1, 0xF0]])
    #expect(acknowledgements(&bus, [1] + Self.unknown + [0xF8, 252]) == [[2] + Self.unknown + [0x01, 0]])
    #expect(
      acknowledgements(&bus, [0] + Self.unknown + Self.unchanged + [0xFF, 0xFF, 252])
        == [[2] + Self.unknown + [0x01, 0]])
  }

  @Test("Reading and writing fields is refused as such; for an unknown PGN, the PGN is")
  func readAndWrite() {
    var bus = Bus.single()
    #expect(acknowledgements(&bus, [3] + Self.claim + [1, 0, 1, 3]) == [[2] + Self.claim + [0x06, 1, 0xF0]])
    #expect(acknowledgements(&bus, [5] + Self.battery + [1, 0, 1, 1, 0]) == [[2] + Self.battery + [0x06, 1, 0xF0]])
    #expect(acknowledgements(&bus, [5] + Self.unknown + [1, 0, 252, 1, 0]) == [[2] + Self.unknown + [0x01, 2, 0x00]])
  }

  @Test("Answers and unknown functions are not answered", arguments: [UInt8(2), 4, 6, 7, 100, 255])
  func answers(function: UInt8) {
    var bus = Bus.single()
    #expect(acknowledgements(&bus, [function] + Self.claim + [0, 1, 3, 3, 1, 1, 1]).isEmpty)
  }
}
