import CANBus
import MonotonicTime
import Testing

@testable import NMEA2000

/// A node's answers: nmea2000.md sections 1.4, 1.5 and 4.
@Suite struct NetworkNodeTests {
  typealias Bus = NetworkTestBus

  @Test("Before 250 ms after its claim a node sends nothing but the request and the claim; then a heartbeat")
  func start() throws {
    var bus = Bus()
    bus.add()
    bus.run(.milliseconds(600))
    let claimed = try #require(bus.sent(60928).first).at
    for entry in bus.log where entry.at < claimed + .milliseconds(265) {
      #expect(entry.pgn == 59904 || entry.pgn == 60928)
    }
    #expect(bus.nodes[0].address == 22)
    let beat = try #require(bus.sent(126993).first)
    #expect(beat.at == claimed + .milliseconds(265))
    #expect(beat.bytes == [0x60, 0xEA, 0x00, 0xCC, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(bus.events() == [.addressClaimed(22), .storedChanged])
    #expect(bus.nodes[0].stored.address == 22)
  }

  @Test("Sending is refused and nothing queued while there is no address")
  func refusesUnclaimed() {
    var bus = Bus()
    bus.add()
    #expect(bus.nodes[0].send(BatteryStatus(), at: bus.now) == .notClaimed)
    #expect(bus.nodes[0].outbox.isEmpty)
    bus.run(.milliseconds(600))
    #expect(bus.nodes[0].send(BatteryStatus(), at: bus.now) == .queued)
    #expect(bus.nodes[0].outbox.next?.frame.identifier == .extended(0x19F2_1416))
  }

  @Test("R314: the heartbeat comes each 60 s and counts from 0 to 252 and on from 0")
  func heartbeat() {
    var bus = Bus()
    bus.add()
    bus.run(.seconds(1) + .seconds(60) * 254)
    let counters = bus.sent(126993).map { Int($0.bytes[2]) }
    #expect(counters == Array(0...252) + [0, 1])
    let times = bus.sent(126993).map(\.at)
    for (earlier, later) in zip(times, times.dropFirst()) { #expect(later - earlier == .seconds(60)) }
  }

  @Test("The heartbeat says fault while the device has one")
  func heartbeatFault() throws {
    var bus = Bus.single()
    bus.nodes[0].isOperational = false
    bus.run(.seconds(61))
    #expect(try #require(bus.sent(126993).last).bytes[3] == 0xDC)
  }

  // MARK: - 59904

  @Test(
    "R305: product information is 134 bytes to all, asked for by anyone: a node, 254, or 0 by mistake",
    arguments: [UInt8(5), 0, 254])
  func productInformation(asker: UInt8) throws {
    var bus = Bus.single()
    bus.inject(59904, from: asker, to: 22, [0x14, 0xF0, 0x01])
    let answer = try #require(bus.fastPackets(126996).first)
    #expect(answer.payload.count == 134)
    #expect(Array(answer.payload[0..<4]) == [0x34, 0x08, 0xE5, 0xA3])
    #expect(Array(answer.payload[4..<11]) == Array("vecand".utf8) + [0xFF])
    #expect(bus.sent(126996).count == 20)
    #expect(bus.sent(126996).allSatisfy { $0.destination == 255 })
    #expect(bus.sent(59392).isEmpty)
  }

  @Test("Configuration information holds two descriptions and the maker, empty ones as 02 01")
  func configurationInformation() throws {
    var bus = Bus.single()
    bus.inject(59904, from: 5, [0x16, 0xF0, 0x01])
    let expected: [UInt8] = [2, 1, 2, 1, 7, 1] + "maker".utf8
    #expect(try #require(bus.fastPackets(126998).first).payload == expected)
  }

  @Test("R314: a request for the PGN lists gets both, addressed to the asker")
  func pgnLists() throws {
    var bus = Bus.single()
    bus.inject(59904, from: 5, to: 22, [0x00, 0xEE, 0x01])
    let lists = bus.fastPackets(126464)
    #expect(lists.map(\.destination) == [5, 5])
    #expect(lists.map { $0.payload.first } == [0, 1])
    let transmit = try #require(lists.first).payload
    let pgns = stride(from: 1, to: transmit.count, by: 3).map { index -> UInt32 in
      transmit[index..<index + 3].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    #expect(
      pgns == [
        59392, 59904, 60160, 60416, 60928, 61184, 126208, 126464, 126993, 126996, 126998, 127501, 127506, 127508,
      ])
    #expect(try #require(lists.last).payload.count % 3 == 1)
  }

  @Test("R314: 60928 is answered to all, also when we alone were asked")
  func addressClaimRequest() throws {
    var bus = Bus.single()
    bus.inject(59904, from: 5, to: 22, [0x00, 0xEE, 0x00])
    let answer = try #require(bus.sent(60928).first)
    #expect(answer.destination == 255)
    #expect(answer.bytes == (0..<8).map { UInt8(truncatingIfNeeded: Bus.ours.rawValue >> UInt64($0 * 8)) })
  }

  @Test("R314: a PGN we do not have is refused to the asker when we were asked, silence when all were")
  func unknownRequest() throws {
    var bus = Bus.single()
    bus.inject(59904, from: 5, [0x0D, 0xFD, 0x01])
    #expect(bus.log.filter { $0.destination != 5 || $0.pgn != 59904 }.isEmpty)
    bus.inject(59904, from: 5, to: 22, [0x0D, 0xFD, 0x01])
    let answer = try #require(bus.sent(59392).first)
    #expect(answer.destination == 5)
    #expect(answer.bytes == [1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0D, 0xFD, 0x01])
  }

  @Test("The heartbeat cannot be asked for by 59904")
  func heartbeatRequest() {
    var bus = Bus.single()
    bus.inject(59904, from: 5, to: 22, [0x11, 0xF0, 0x01])
    #expect(bus.sent(126993).isEmpty)
    #expect(bus.sent(59392).count == 1)
  }

  @Test("A request of two bytes, or for somebody else, or from us, is no request")
  func noRequest() {
    var bus = Bus.single()
    bus.inject(59904, from: 5, to: 22, [0x14, 0xF0])
    bus.inject(59904, from: 5, to: 23, [0x14, 0xF0, 0x01])
    bus.inject(59904, from: 22, to: 22, [0x14, 0xF0, 0x01])
    #expect(bus.sent(126996).isEmpty)
    #expect(bus.sent(59392).isEmpty)
    #expect(bus.nodes[0].statistics.malformed == 1)
  }

  @Test("A request for a PGN of the application reaches it; what it cannot give is refused, what it may not is denied")
  func applicationRequest() {
    var bus = Bus.single()
    bus.inject(59904, from: 5, to: 22, [0x14, 0xF2, 0x01])
    #expect(bus.applications[0].requests == [PGNRequest(pgn: 127508, source: 5, isBroadcast: false, filters: [])])
    #expect(bus.sent(59392).isEmpty)
    bus.applications[0].requestAnswer = .notAvailable
    bus.inject(59904, from: 5, to: 22, [0x14, 0xF2, 0x01])
    bus.applications[0].requestAnswer = .accessDenied
    bus.inject(59904, from: 5, to: 22, [0x14, 0xF2, 0x01])
    bus.inject(59904, from: 5, [0x14, 0xF2, 0x01])
    #expect(bus.sent(59392).map { $0.bytes[0] } == [1, 2])
    #expect(bus.applications[0].requests.count == 4)
  }

  @Test("A thousand requests for product information in a second get at most 21 answers, the last one too")
  func noFlood() {
    var bus = Bus.single()
    for _ in 0..<1000 {
      bus.inject(59904, from: 5, [0x14, 0xF0, 0x01])
      bus.run(.milliseconds(1))
    }
    let last = bus.now
    bus.run(.milliseconds(100))
    #expect(bus.fastPackets(126996).count <= 21)
    #expect((bus.sent(126996).last?.at ?? .origin) >= last - .milliseconds(1))
  }

  @Test("During the claim no request is answered")
  func silentWhileClaiming() throws {
    var bus = Bus()
    bus.add()
    while bus.sent(60928).isEmpty { bus.run(.milliseconds(1)) }
    bus.run(.milliseconds(10))
    bus.inject(59904, from: 5, [0x14, 0xF0, 0x01])
    bus.inject(59904, from: 5, to: 22, [0x0D, 0xFD, 0x01])
    bus.run(.milliseconds(200))
    #expect(bus.sent(126996).isEmpty)
    #expect(bus.sent(59392).isEmpty)
  }

  @Test("A request that comes by the transport protocol is answered by it, to the asker alone")
  func transportRequest() throws {
    var bus = Bus.single()
    bus.inject(60416, from: 5, to: 22, [16, 3, 0, 1, 0xFF, 0x00, 0xEA, 0x00])
    bus.log = []
    bus.inject(60160, from: 5, to: 22, [1, 0x14, 0xF0, 0x01, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(
      bus.sent(60416).map(\.bytes) == [[19, 3, 0, 1, 0xFF, 0x00, 0xEA, 0x00], [16, 134, 0, 20, 8, 0x14, 0xF0, 0x01]])
    #expect(bus.sent(60416).allSatisfy { $0.destination == 5 })
    bus.inject(60416, from: 5, to: 22, [17, 8, 1, 0xFF, 0xFF, 0x14, 0xF0, 0x01])
    #expect(bus.sent(60160).count == 8)
    #expect(Array(try #require(bus.sent(60160).first).bytes[0..<5]) == [1, 0x34, 0x08, 0xE5, 0xA3])
    #expect(bus.sent(126996).isEmpty)
  }

  // MARK: - Claims

  @Test("A claim of 5 bytes on our address is ignored: read as a NAME full of ones, it was defended against")
  func shortClaim() {
    var bus = Bus.single()
    bus.inject(60928, from: 22, [1, 2, 3, 4, 5])
    #expect(bus.log.isEmpty)
    #expect(bus.nodes[0].address == 22)
  }

  @Test("Two nodes that want 22: the lower NAME has it, the other the next, whoever comes first")
  func fight() {
    let low = Name(uniqueNumber: 1, manufacturer: 358, function: 170, deviceClass: 35)
    let high = Name(uniqueNumber: 2, manufacturer: 358, function: 170, deviceClass: 35)
    for seed in UInt64(0)..<50 {
      for names in [[low, high], [high, low]] {
        var bus = Bus()
        bus.add(names[0], seed: seed * 2)
        bus.add(names[1], seed: seed * 2 + 1)
        bus.run(.seconds(2))
        let addresses = bus.nodes.map(\.address)
        #expect(Set(addresses) == [22, 23])
      }
    }
  }

  @Test("A node that joins later takes the next address without disturbing the first")
  func joins() {
    var bus = Bus.single()
    bus.add(Name(uniqueNumber: 1, manufacturer: 358, function: 170, deviceClass: 35))
    bus.run(.seconds(2))
    #expect(bus.nodes.map(\.address) == [22, 23])
    #expect(bus.events(0).isEmpty)
  }

  @Test("Of 253 nodes that all want 22, 252 get an address of their own and one says that it has none")
  func crowd() {
    var bus = Bus()
    bus.isLogging = false
    for index in 0..<253 {
      bus.add(
        Name(uniqueNumber: UInt32(1000 - index), manufacturer: 358, function: 170, deviceClass: 35),
        seed: UInt64(index))
      bus.applications[index].isCounting = false
    }
    bus.run(.seconds(60))
    let addresses = bus.nodes.compactMap(\.address)
    #expect(addresses.count == 252)
    #expect(Set(addresses).count == 252)
    #expect(addresses.allSatisfy { $0 <= 251 })
    #expect(bus.nodes.count { $0.isWithoutAddress } == 1)
  }

  @Test("Twins end with two NAMEs and two addresses, and stay so", arguments: [false, true])
  func twins(echoes: Bool) {
    var bus = Bus()
    bus.echoes = echoes
    bus.add(seed: 1)
    bus.run(.seconds(3))
    bus.add(seed: 2)
    bus.run(.seconds(60))
    #expect(Set(bus.nodes.map(\.name)).count == 2)
    #expect(Set(bus.nodes.map(\.address)).count == 2)
    #expect(bus.nodes.allSatisfy { $0.address != nil })
    let names = bus.nodes.map(\.name)
    bus.log = []
    bus.run(.seconds(600))
    #expect(bus.nodes.map(\.name) == names)
    #expect(bus.log.allSatisfy { $0.pgn == 126993 })
  }

  @Test("Twins that start at the same instant are parted when one of them claims again")
  func simultaneousTwins() {
    var bus = Bus()
    bus.add(seed: 1, claimInterval: .seconds(60))
    bus.add(seed: 2, claimInterval: .seconds(60))
    bus.run(.seconds(300))
    #expect(Set(bus.nodes.map(\.name)).count == 2)
    #expect(Set(bus.nodes.map(\.address)).count == 2)
  }

  @Test("With all own frames heard back, a node starts, sends and stays where it is")
  func echo() {
    var bus = Bus()
    bus.echoes = true
    bus.add(claimInterval: .seconds(60))
    bus.run(.seconds(1))
    for _ in 0..<600 {
      bus.nodes[0].send(BatteryStatus(), at: bus.now)
      bus.run(.seconds(1))
    }
    #expect(bus.nodes[0].address == 22)
    #expect(bus.nodes[0].name == Bus.ours)
    #expect(bus.sent(60928).count == 11)
    #expect(bus.events() == [.addressClaimed(22), .storedChanged])
  }

  @Test("An address that is lost while its claim waits in the queue is not claimed any more")
  func lossDropsClaim() {
    var application = NotingApplication()
    var node = Bus.single().nodes[0]
    node.start(at: .origin + .seconds(2))
    node.outbox.removeAll()
    while node.claim.contestedAddress == nil { node.tick(at: node.nextDeadline) }
    let claimed = node.claim.nextDeadline - .milliseconds(265)
    #expect(node.outbox.count == 1)
    let identifier = MessageIdentifier(priority: 6, pgn: 60928, source: 22)
    let lower = CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: 1, count: 8))
    node.receive(lower, at: claimed + .milliseconds(1), application: &application)
    #expect(node.outbox.isEmpty)
    node.tick(at: claimed + .milliseconds(50))
    #expect(node.outbox.next.flatMap { MessageIdentifier($0.frame.identifier)?.source } == 23)
  }

  @Test("A lost address silences the node at once: what waits is not sent under the old address")
  func lossDropsOutbox() {
    var bus = Bus.single()
    bus.nodes[0].send(BatteryStatus(), at: bus.now)
    bus.claim(Name(rawValue: 1), from: 22)
    #expect(bus.log.map(\.pgn) == [60928])
    #expect(bus.nodes[0].send(BatteryStatus(), at: bus.now) == .notClaimed)
    bus.run(.milliseconds(300))
    #expect(bus.nodes[0].address == 23)
    #expect(bus.nodes[0].stored.address == 23)
  }

  @Test("After the interface came back, nothing old goes out and the address is the last one")
  func restart() {
    var bus = Bus.single()
    bus.claim(Name(rawValue: 1), from: 22)
    bus.run(.seconds(1))
    bus.nodes[0].send(BatteryStatus(), at: bus.now)
    bus.nodes[0].stop(at: bus.now)
    bus.log = []
    bus.run(.seconds(100))
    #expect(bus.log.isEmpty)
    bus.nodes[0].start(at: bus.now)
    bus.run(.milliseconds(600))
    #expect(bus.nodes[0].address == 23)
    #expect(bus.sent(127508).isEmpty)
  }

  @Test("A stored address, unique number and instances win over the configured ones")
  func storedWins() {
    var bus = Bus()
    bus.add(stored: StoredNode(address: 77, uniqueNumber: 4711, deviceInstance: 9, systemInstance: 3))
    bus.run(.seconds(1))
    #expect(bus.nodes[0].address == 77)
    #expect(bus.nodes[0].name.uniqueNumber == 4711)
    #expect(bus.nodes[0].name.deviceInstance == 9)
    #expect(bus.nodes[0].name.systemInstance == 3)
  }

  @Test("A unique number that was drawn against a twin counts as long as the configured one is the one it replaced")
  func storedUniqueNumber() throws {
    var bus = Bus.single()
    // The twin answers the request for its claim.
    for _ in 0..<2 { bus.claim(Bus.ours, from: 50) }
    let stored = bus.nodes[0].stored
    let drawn = try #require(stored.uniqueNumber)
    #expect(stored.replacedUniqueNumber == Bus.ours.uniqueNumber)
    bus = Bus()
    bus.add(stored: stored)
    #expect(bus.nodes[0].name.uniqueNumber == drawn && bus.nodes[0].stored == stored && bus.events().isEmpty)
    var name = Bus.ours
    name.uniqueNumber = 101
    bus = Bus()
    bus.add(name, stored: stored)
    #expect(bus.nodes[0].name.uniqueNumber == 101)
    #expect(bus.nodes[0].stored.uniqueNumber == nil && bus.nodes[0].stored.replacedUniqueNumber == nil)
    #expect(bus.events() == [.storedChanged])
  }

  @Test("A commanded address comes by BAM, 9 bytes, with our NAME; in a single frame it is nothing")
  func commandedAddress() {
    var bus = Bus.single()
    let name = (0..<8).map { UInt8(truncatingIfNeeded: Bus.ours.rawValue >> UInt64($0 * 8)) }
    bus.inject(65240, from: 5, name)
    bus.run(.seconds(1))
    #expect(bus.nodes[0].address == 22)
    bus.inject(60416, from: 5, [32, 9, 0, 2, 0xFF, 0xD8, 0xFE, 0x00])
    bus.inject(60160, from: 5, [1] + name[0..<7])
    bus.inject(60160, from: 5, [2, name[7], 66, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
    bus.run(.milliseconds(265))
    #expect(bus.nodes[0].address == 66)
    #expect(bus.nodes[0].stored.address == 66)
    #expect(bus.events() == [.addressCommanded(66), .addressClaimed(66), .storedChanged])
  }

  @Test("65240 of 8 or 10 bytes commands nothing")
  func commandedLength() {
    let name = (0..<8).map { UInt8(truncatingIfNeeded: Bus.ours.rawValue >> UInt64($0 * 8)) }
    for length: UInt8 in [8, 10] {
      var bus = Bus.single()
      bus.inject(60416, from: 5, [32, length, 0, 2, 0xFF, 0xD8, 0xFE, 0x00])
      bus.inject(60160, from: 5, [1] + name[0..<7])
      bus.inject(60160, from: 5, [2, name[7], 66, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
      bus.run(.seconds(1))
      #expect(bus.nodes[0].address == 22)
      #expect(bus.nodes[0].statistics.malformed == 1)
    }
  }

  @Test("A claim by the transport protocol is no claim")
  func transportedClaim() {
    var bus = Bus.single()
    bus.inject(60416, from: 23, [32, 8, 0, 2, 0xFF, 0x00, 0xEE, 0x00])
    bus.inject(60160, from: 23, [1, 0, 0, 0, 0, 0, 0, 0])
    bus.inject(60160, from: 23, [2, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(bus.applications[0].messages.isEmpty)
    #expect(bus.nodes[0].devices.name(of: 23) == nil)
  }

  @Test("A session of the transport protocol does not outlive the address it was opened at")
  func lossEndsSessions() {
    var bus = Bus.single()
    bus.inject(60416, from: 5, to: 22, [16, 70, 0, 10, 0xFF, 0xD8, 0xFE, 0x00])
    #expect(bus.sent(60416).count == 1)
    bus.claim(Name(rawValue: 1), from: 22)
    bus.log = []
    bus.run(.seconds(3))
    #expect(bus.nodes[0].address == 23)
    #expect(bus.sent(60416).isEmpty)
  }

  @Test("A claim that found the outbox full is sent as soon as there is room")
  func claimWaitsForRoom() {
    var bus = Bus.single()
    let filler = Outbox.Entry(
      frame: CANDataFrame(.extended(0x1CFF_0016), [0]), urgency: .network, queued: bus.now, deadline: bus.now,
      remaining: 0)
    for _ in 0..<bus.nodes[0].outbox.capacity { bus.nodes[0].outbox.append(filler) }
    var application = NotingApplication()
    bus.nodes[0].receive(
      CANDataFrame(.extended(0x18EE_FF16), CANPayload(littleEndian: .max, count: 8)), at: bus.now,
      application: &application)
    bus.drain()
    #expect(bus.sent(60928).isEmpty)
    bus.run(.milliseconds(50))
    #expect(bus.sent(60928).count == 1)
  }

  @Test("A frame of a PGN that we never send, from our address, is reported")
  func intrusion() {
    var bus = Bus.single()
    bus.inject(129025, from: 22, [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(bus.events() == [.addressUsedByAnother(pgn: 129025)])
    #expect(bus.sent(60928).count == 1)
    #expect(bus.applications[0].messages.isEmpty)
  }

  // MARK: - Messages

  @Test("A message is delivered with the NAME that claimed its address, or none")
  func attribution() throws {
    var bus = Bus.single()
    let name = Name(uniqueNumber: 7, manufacturer: 229, function: 130, deviceClass: 30)
    bus.inject(127508, from: 9, [0, 1, 2, 3, 4, 5, 6, 7])
    bus.claim(name, from: 9)
    bus.inject(127508, from: 9, [0, 1, 2, 3, 4, 5, 6, 7])
    let other = Name(uniqueNumber: 8, manufacturer: 229, function: 130, deviceClass: 30)
    bus.claim(other, from: 9)
    bus.inject(127508, from: 9, [0, 1, 2, 3, 4, 5, 6, 7])
    let battery = bus.applications[0].messages.filter { $0.header.pgn == 127508 }
    #expect(battery.map(\.header.sender) == [nil, name, other])
    #expect(battery.first?.payload == [0, 1, 2, 3, 4, 5, 6, 7])
  }

  @Test("Half a fast packet of one NAME is not completed by the NAME that follows at its address")
  func tornByNewHolder() {
    var bus = Bus.single()
    bus.claim(Name(rawValue: 0x1000), from: 9)
    bus.inject(127506, from: 9, [0x20, 11, 0, 1, 0, 50, 100, 0xFF])
    bus.claim(Name(rawValue: 0x2000), from: 9)
    bus.inject(127506, from: 9, [0x21, 0xFF, 0xFF, 0xFF, 100, 0, 0xFF, 0xFF])
    #expect(!bus.applications[0].messages.contains { $0.header.pgn == 127506 })
  }

  @Test("Half a broadcast of one NAME is not completed by the NAME that follows at its address")
  func tornBroadcast() {
    var bus = Bus.single()
    bus.claim(Name(rawValue: 0x1000), from: 9)
    bus.inject(60416, from: 9, [32, 9, 0, 2, 0xFF, 0x12, 0xF2, 0x01])
    bus.inject(60160, from: 9, [1, 0, 0, 0, 0, 0, 0, 0])
    bus.claim(Name(rawValue: 0x2000), from: 9)
    bus.inject(60160, from: 9, [2, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(!bus.applications[0].messages.contains { $0.header.pgn == 127506 })
  }

  @Test("Messages to others are not delivered, and a PGN of unknown framing is none")
  func notOurs() {
    var bus = Bus.single()
    bus.inject(61184, from: 9, to: 23, [0x66, 0x99, 0, 0, 0, 0, 0, 0])
    bus.inject(127999, from: 9, [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(bus.applications[0].messages.isEmpty)
    #expect(bus.nodes[0].statistics.unknownFraming == 1)
    bus.inject(61184, from: 9, to: 22, [0x66, 0x99, 0, 0, 0, 0, 0, 0])
    #expect(bus.applications[0].messages.count == 1)
  }

  @Test("A full outbox refuses a message whole; a claim still finds room")
  func fullOutbox() {
    var bus = Bus.single()
    var outcomes: [Node.SendOutcome] = []
    for _ in 0..<20 { outcomes.append(bus.nodes[0].send(bus.nodes[0].productInformation, at: bus.now)) }
    #expect(outcomes.count { $0 == .queued } == 12)
    #expect(outcomes.last == .outboxFull)
    #expect(bus.nodes[0].outbox.count == 240)
    for _ in 0..<50 { bus.nodes[0].send(BatteryStatus(), at: bus.now) }
    #expect(bus.nodes[0].outbox.count == 252)
    let claim = Name(rawValue: .max)
    var application = NotingApplication()
    bus.nodes[0].receive(
      CANDataFrame(.extended(0x18EE_FF16), CANPayload(littleEndian: claim.rawValue, count: 8)), at: bus.now,
      application: &application)
    #expect(bus.nodes[0].outbox.count == 253)
  }

  @Test("Answers fill half of the outbox; product information that found no room follows when there is some")
  func answerWaitsForRoom() {
    var bus = Bus.single()
    var application = NotingApplication()
    for _ in 0..<109 { bus.nodes[0].send(BatteryStatus(), at: bus.now) }
    let request = CANDataFrame(.extended(0x18EA_1605), [0x14, 0xF0, 0x01])
    bus.nodes[0].receive(request, at: bus.now, application: &application)
    // 109 and the question who asked: 20 more would be over 128.
    #expect(bus.nodes[0].outbox.count == 110)
    bus.drain()
    #expect(bus.sent(126996).isEmpty)
    bus.run(.milliseconds(49))
    #expect(bus.sent(126996).isEmpty)
    bus.run(.milliseconds(1))
    #expect(bus.fastPackets(126996).count == 1)
    bus.run(.seconds(1))
    #expect(bus.fastPackets(126996).count == 1)
  }

  @Test("The frames of one message say how many of them follow, down to 0, and carry their deadline")
  func outboxEntries() {
    var bus = Bus.single()
    bus.nodes[0].send(bus.nodes[0].productInformation, validity: .milliseconds(300), at: bus.now)
    var remaining: [UInt8] = []
    while let entry = bus.nodes[0].outbox.popFirst() {
      remaining.append(entry.remaining)
      #expect(entry.deadline == bus.now + .milliseconds(300))
    }
    #expect(remaining == (0..<20).reversed().map { UInt8($0) })
  }
}

extension TimeSpan {
  static func * (span: TimeSpan, count: Int64) -> TimeSpan { TimeSpan(nanoseconds: span.nanoseconds * count) }
}
