import CANBus
import MonotonicTime
import Testing

@testable import NMEA2000

/// Noise: a million frames that nobody should send (nmea2000.md section 4).
@Suite struct NetworkFuzzTests {
  struct Silent: NodeApplication {
    var messages = 0
    var requests = 0
    var commands = 0

    mutating func received(_ header: MessageHeader, _ payload: RawSpan) { messages += 1 }

    mutating func requested(_ request: PGNRequest) -> RequestAnswer {
      requests += 1
      return .willSend
    }

    mutating func commanded(_ command: PGNCommand) -> GroupFunctionAnswer {
      commands += 1
      return .accepted
    }
  }

  static let pgns: [PGN] = [
    59392, 59904, 60160, 60416, 60928, 61184, 65240, 126208, 126464, 126720, 126993, 126996, 126998, 127501, 127506,
    127508, 65280, 130816, 127999, 0,
  ]

  /// A frame that looks like something.
  static func frame(_ random: inout SeededGenerator, own: UInt8) -> CANDataFrame {
    let choice = random.next()
    let pgn =
      choice & 0xF == 0 ? PGN(UInt32(truncatingIfNeeded: choice >> 8)) : pgns[Int(choice >> 8 & 0xFF) % pgns.count]
    var payload = random.next()
    let source: UInt8 = choice >> 16 & 7 == 0 ? own : UInt8(truncatingIfNeeded: choice >> 20)
    let destination: UInt8 =
      switch choice >> 28 & 3 {
      case 0: 255
      case 1: UInt8(truncatingIfNeeded: choice >> 32)
      default: own
      }
    switch pgn {
    case 59904:
      let asked = pgns[Int(choice >> 40 & 0xFF) % pgns.count]
      payload = UInt64(asked.rawValue)
    case 126208 where choice >> 48 & 1 == 0:
      // A short group function in one frame: its first bytes are plausible.
      let about = pgns[Int(choice >> 40 & 0xFF) % pgns.count]
      payload = payload & 0xFFFF_0000_0000_00E0 | 0x0700 | (payload >> 8 & 7) << 16 | UInt64(about.rawValue) << 24
    case 60928:
      // Mostly NAMEs above ours, or the address would move all the time.
      if choice >> 49 & 7 != 0 { payload |= 0xFFFF << 48 }
      if choice >> 52 & 7 == 0 { payload = NetworkTestBus.ours.rawValue }
    case 60416:
      payload = payload & ~0xFF | [16, 17, 19, 32, 255][Int(choice >> 40 & 0xFF) % 5]
    case 60160: payload = payload & ~0xFF | choice >> 40 & 3
    default: break
    }
    let count = choice >> 56 & 7 == 0 ? Int(choice >> 59 & 7) : pgn == 59904 ? 3 : 8
    let identifier = MessageIdentifier(
      priority: UInt8(truncatingIfNeeded: choice >> 61), pgn: pgn, source: source, destination: destination)
    return CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: payload, count: count))
  }

  @Test("A million random frames: no trap, no move without a lower NAME, an order or a twin, at most 21 frames for one")
  func noise() throws {
    var random = SeededGenerator(seed: 2026)
    var node = Node(
      identity: NodeIdentity(name: NetworkTestBus.ours, product: NetworkTestBus.product),
      transmitted: NetworkTestBus.transmitted, received: [127508], randomSeed: 1)
    var application = Silent()
    var now = Instant.origin
    node.start(at: now)
    var most = 0
    var sent = 0
    var moves = 0
    var unexplained = 0
    for _ in 0..<1_000_000 {
      let before = node.claim.contestedAddress
      let nameBefore = node.name
      let frame = Self.frame(&random, own: before ?? 22)
      node.receive(frame, at: now, application: &application)
      most = max(most, node.outbox.count)
      sent += node.outbox.count
      node.outbox.removeAll()
      if let before, node.claim.contestedAddress != before {
        moves += 1
        let identifier = try #require(MessageIdentifier(frame.identifier))
        let other = Name(rawValue: frame.payload.bits)
        let isClaim = identifier.pgn == 60928 && frame.payload.count == 8
        let isContest = isClaim && identifier.source == before && other < nameBefore
        let isTwin = isClaim && other == nameBefore && node.name != nameBefore
        let isOrder = identifier.pgn == 60160
        if !isContest, !isTwin, !isOrder { unexplained += 1 }
      }
      while node.nextEvent() != nil {}
      let step = random.next()
      now += .microseconds(Int64(step & 0x3FF))
      if step >> 20 & 0xFFF == 0 { now += .seconds(1) }
      while node.nextDeadline <= now {
        let deadline = node.nextDeadline
        node.tick(at: now)
        sent += node.outbox.count
        #expect(node.nextDeadline > deadline)
        guard node.nextDeadline > deadline else { return }
        node.outbox.removeAll()
      }
    }
    #expect(unexplained == 0)
    // Product information, and the question who asked for it.
    #expect(most <= 21)
    // Half the noise asks for something; still the answers are fewer than the questions.
    #expect(sent < 1_000_000)
    // And the noise was no mere noise.
    #expect(moves > 100)
    #expect(application.messages > 100_000)
    #expect(application.requests > 1000)
    #expect(node.statistics.contestsWon > 100)
    #expect(node.statistics.malformed > 1000)
    node.stop(at: now)
    node.start(at: now)
    now += .seconds(1)
    for _ in 0..<10 { node.tick(at: now) }
    #expect(node.address != nil || node.isWithoutAddress || node.claim.contestedAddress != nil)
  }

  @Test("Two runs on the same noise are the same to the byte")
  func repeatable() {
    var logs: [[CANDataFrame]] = []
    for _ in 0..<2 {
      var random = SeededGenerator(seed: 7)
      var node = Node(
        identity: NodeIdentity(name: NetworkTestBus.ours, product: NetworkTestBus.product),
        transmitted: NetworkTestBus.transmitted, received: [], randomSeed: 3)
      var application = Silent()
      var now = Instant.origin
      var log: [CANDataFrame] = []
      node.start(at: now)
      for _ in 0..<20_000 {
        node.receive(Self.frame(&random, own: 22), at: now, application: &application)
        now += .microseconds(500)
        node.tick(at: now)
        while let entry = node.outbox.popFirst() { log.append(entry.frame) }
      }
      logs.append(log)
    }
    #expect(logs[0] == logs[1])
    #expect(logs[0].count > 100)
  }
}
