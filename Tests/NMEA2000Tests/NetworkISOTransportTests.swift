import CANBus
import MonotonicTime
import Testing

@testable import NMEA2000

/// The transport protocol: nmea2000.md section 1.7.
@Suite struct NetworkISOTransportTests {
  struct Peer {
    var transport = ISOTransport()
    var outbox = Outbox()
    var now = Instant.origin
    var own: UInt8? = 22

    mutating func control(_ bytes: [UInt8], from source: UInt8 = 5, to destination: UInt8 = 22) {
      guard let payload = CANPayload(bytes) else { return }
      transport.receiveControl(payload, from: source, to: destination, own: own, at: now, outbox: &outbox)
    }

    mutating func data(_ bytes: [UInt8], from source: UInt8 = 5, to destination: UInt8 = 22) -> ISOTransport.Completed?
    {
      guard let payload = CANPayload(bytes) else { return nil }
      return transport.receiveData(payload, from: source, to: destination, own: own, at: now, outbox: &outbox)
    }

    mutating func run(_ span: TimeSpan) {
      now += span
      transport.tick(at: now, own: own, outbox: &outbox)
    }

    mutating func sent() -> [[UInt8]] {
      var frames: [[UInt8]] = []
      while let entry = outbox.popFirst() { frames.append(Array(entry.frame.payload)) }
      return frames
    }
  }

  static func size(_ size: Int) -> [UInt8] { [UInt8(size & 0xFF), UInt8(size >> 8), UInt8(min(255, (size + 6) / 7))] }
  static func packet(_ number: Int) -> [UInt8] {
    [UInt8(number)] + (0..<7).map { UInt8(truncatingIfNeeded: (number - 1) * 7 + $0) }
  }
  static let pgn: [UInt8] = [0xD8, 0xFE, 0x00]

  static func isCounting(_ message: ISOTransport.Completed) -> Bool {
    message.bytes.prefix(message.count) == (0..<message.count).map { UInt8(truncatingIfNeeded: $0) }[...]
  }

  @Test("A broadcast arrives whole, from 1 to 1,785 bytes, and is not answered", arguments: [1, 7, 8, 9, 14, 1785])
  func broadcast(size: Int) throws {
    var peer = Peer()
    peer.control([32] + Self.size(size) + [0xFF] + Self.pgn, to: 255)
    var message: ISOTransport.Completed?
    for number in 1...(size + 6) / 7 {
      #expect(message == nil)
      peer.run(.milliseconds(200))
      message = peer.data(Self.packet(number), to: 255)
    }
    let whole = try #require(message)
    #expect(whole.count == size)
    #expect(whole.pgn == 65240)
    #expect(Self.isCounting(whole))
    #expect(peer.sent().isEmpty)
    #expect(peer.transport.openSessions == 0)
  }

  @Test("The next packet may come 749 ms after the last, not 750 ms")
  func broadcastTimeout() {
    for (wait, arrives) in [(Int64(749), true), (750, false)] {
      var peer = Peer()
      peer.control([32] + Self.size(9) + [0xFF] + Self.pgn, to: 255)
      #expect(peer.data(Self.packet(1), to: 255) == nil)
      peer.run(.milliseconds(wait))
      #expect((peer.data(Self.packet(2), to: 255) != nil) == arrives)
      #expect(peer.sent().isEmpty)
      #expect(peer.transport.openSessions == 0)
    }
  }

  @Test("A late packet ends the session even when no tick came between")
  func lateWithoutTick() {
    var peer = Peer()
    peer.control([32] + Self.size(9) + [0xFF] + Self.pgn, to: 255)
    #expect(peer.data(Self.packet(1), to: 255) == nil)
    peer.now += .milliseconds(751)
    #expect(peer.data(Self.packet(2), to: 255) == nil)
    #expect(peer.transport.openSessions == 0)
  }

  @Test("A broadcast with a gap is lost; a repeated packet does no harm")
  func broadcastGap() {
    var peer = Peer()
    peer.control([32] + Self.size(21) + [0xFF] + Self.pgn, to: 255)
    #expect(peer.data(Self.packet(1), to: 255) == nil)
    #expect(peer.data(Self.packet(1), to: 255) == nil)
    #expect(peer.transport.openSessions == 1)
    #expect(peer.data(Self.packet(3), to: 255) == nil)
    #expect(peer.transport.openSessions == 0)
  }

  @Test("An announcement that contradicts itself opens nothing: no bytes, over 1,785, a wrong number of packets")
  func malformedBroadcast() {
    var peer = Peer()
    peer.control([32, 0, 0, 0, 0xFF] + Self.pgn, to: 255)
    peer.control([32] + Self.size(1786) + [0xFF] + Self.pgn, to: 255)
    peer.control([32, 9, 0, 3, 0xFF] + Self.pgn, to: 255)
    peer.control([32, 9, 0, 1, 0xFF] + Self.pgn, to: 255)
    peer.control([32, 9, 0, 2, 0xFF, 0x00, 0xEB, 0x00], to: 255)
    peer.control([32, 9, 0, 2, 0xFF], to: 255)
    peer.control([], to: 255)
    #expect(peer.transport.openSessions == 0)
    #expect(peer.transport.statistics.malformed == 7)
    #expect(peer.sent().isEmpty)
  }

  @Test("An addressed message is granted in portions of at most 8 and acknowledged at its end")
  func addressed() throws {
    var peer = Peer()
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn)
    #expect(peer.sent() == [[17, 8, 1, 0xFF, 0xFF] + Self.pgn])
    for number in 1...8 { #expect(peer.data(Self.packet(number)) == nil) }
    #expect(peer.sent() == [[17, 2, 9, 0xFF, 0xFF] + Self.pgn])
    #expect(peer.data(Self.packet(9)) == nil)
    let last = peer.data(Self.packet(10))
    let message = try #require(last)
    #expect(message.count == 70)
    #expect(Self.isCounting(message))
    #expect(peer.sent() == [[19, 70, 0, 10, 0xFF] + Self.pgn])
    #expect(peer.transport.openSessions == 0)
  }

  @Test("No more is granted than the sender says it can send at once")
  func grantLimit() {
    var peer = Peer()
    peer.control([16] + Self.size(70) + [3] + Self.pgn)
    #expect(peer.sent() == [[17, 3, 1, 0xFF, 0xFF] + Self.pgn])
    var other = Peer()
    other.control([16] + Self.size(70) + [0] + Self.pgn)
    #expect(other.sent() == [[17, 1, 1, 0xFF, 0xFF] + Self.pgn])
  }

  @Test("A missing packet is asked for again, once for each gap, three times at most; then comes an abort")
  func repetition() {
    var peer = Peer()
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn)
    _ = peer.sent()
    #expect(peer.data(Self.packet(1)) == nil)
    for (missing, count) in [(2, UInt8(8)), (3, 8), (4, 7)] {
      // The rest of a portion with a gap is of no use and asks for nothing more.
      for number in missing + 1...missing + 3 { #expect(peer.data(Self.packet(number)) == nil) }
      #expect(peer.sent() == [[17, count, UInt8(missing), 0xFF, 0xFF] + Self.pgn])
      #expect(peer.data(Self.packet(missing)) == nil)
    }
    #expect(peer.data(Self.packet(6)) == nil)
    #expect(peer.sent() == [[255, 3, 0xFF, 0xFF, 0xFF] + Self.pgn])
    #expect(peer.transport.openSessions == 0)
  }

  @Test("A sender that starts and stops is told so 1,250 ms after the grant, 750 ms after a packet")
  func addressedTimeout() {
    var peer = Peer()
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn)
    _ = peer.sent()
    peer.run(.milliseconds(1249))
    #expect(peer.transport.openSessions == 1)
    peer.run(.milliseconds(1))
    #expect(peer.sent() == [[255, 3, 0xFF, 0xFF, 0xFF] + Self.pgn])
    #expect(peer.transport.openSessions == 0)
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn)
    #expect(peer.data(Self.packet(1)) == nil)
    _ = peer.sent()
    peer.run(.milliseconds(750))
    #expect(peer.sent() == [[255, 3, 0xFF, 0xFF, 0xFF] + Self.pgn])
  }

  @Test("1,786 bytes are refused for want of room; the fifth sender at a time because we are busy")
  func refused() {
    var peer = Peer()
    peer.control([16] + Self.size(1786) + [0xFF] + Self.pgn)
    #expect(peer.sent() == [[255, 2, 0xFF, 0xFF, 0xFF] + Self.pgn])
    for source in UInt8(1)...4 { peer.control([16] + Self.size(70) + [0xFF] + Self.pgn, from: source) }
    #expect(peer.sent().map { $0[0] } == [17, 17, 17, 17])
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn, from: 5)
    #expect(peer.sent() == [[255, 1, 0xFF, 0xFF, 0xFF] + Self.pgn])
    peer.run(.milliseconds(1250))
    _ = peer.sent()
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn, from: 5)
    #expect(peer.sent().map { $0[0] } == [17])
  }

  @Test("Sessions that are over make room also when no tick came between")
  func refusedWithoutTick() {
    var peer = Peer()
    for source in UInt8(1)...4 { peer.control([16] + Self.size(70) + [0xFF] + Self.pgn, from: source) }
    _ = peer.sent()
    peer.now += .milliseconds(1250)
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn, from: 5)
    #expect(peer.sent().map { $0[0] } == [17])
  }

  @Test("A packet that is shorter than its part of the message is none; the last may be as short as its part")
  func shortPacket() throws {
    for (length, arrives) in [(7, false), (8, true)] {
      var peer = Peer()
      peer.control([32] + Self.size(9) + [0xFF] + Self.pgn, to: 255)
      let first = peer.data(Array(Self.packet(1).prefix(length)), to: 255)
      #expect(first == nil)
      let last = peer.data(Array(Self.packet(2).prefix(3)), to: 255)
      #expect((last != nil) == arrives)
    }
    var peer = Peer()
    peer.control([32] + Self.size(9) + [0xFF] + Self.pgn, to: 255)
    _ = peer.data(Self.packet(1), to: 255)
    let last = peer.data(Array(Self.packet(2).prefix(2)), to: 255)
    #expect(last == nil)
  }

  @Test("Two senders interleave; a new announcement of one replaces only its own")
  func interleaved() {
    var peer = Peer()
    peer.control([32] + Self.size(9) + [0xFF] + Self.pgn, from: 1, to: 255)
    peer.control([32] + Self.size(9) + [0xFF] + Self.pgn, from: 2, to: 255)
    #expect(peer.data(Self.packet(1), from: 1, to: 255) == nil)
    #expect(peer.data(Self.packet(1), from: 2, to: 255) == nil)
    peer.control([32] + Self.size(9) + [0xFF] + Self.pgn, from: 1, to: 255)
    let message = peer.data(Self.packet(2), from: 2, to: 255)
    #expect(message?.source == 2)
    #expect(peer.data(Self.packet(2), from: 1, to: 255) == nil)
  }

  @Test("The sender's abort ends the session in silence, somebody else's does not")
  func aborted() {
    var peer = Peer()
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn)
    _ = peer.sent()
    peer.control([255, 3, 0xFF, 0xFF, 0xFF] + Self.pgn, from: 6)
    peer.control([255, 3, 0xFF, 0xFF, 0xFF, 0, 0, 0], from: 5)
    #expect(peer.transport.openSessions == 1)
    peer.control([255, 3, 0xFF, 0xFF, 0xFF] + Self.pgn)
    #expect(peer.transport.openSessions == 0)
    #expect(peer.sent().isEmpty)
  }

  @Test("Without an address, broadcasts arrive and addressed messages are not granted")
  func withoutAddress() {
    var peer = Peer()
    peer.own = nil
    peer.control([16] + Self.size(70) + [0xFF] + Self.pgn)
    #expect(peer.transport.openSessions == 0)
    peer.control([32] + Self.size(9) + [0xFF] + Self.pgn, to: 255)
    #expect(peer.transport.openSessions == 1)
    #expect(peer.sent().isEmpty)
  }

  // MARK: - Sending

  @Test("What one side sends the other receives, from 1 to 1,785 bytes", arguments: [1, 9, 56, 57, 222, 1785])
  func roundTrip(size: Int) throws {
    var sender = Peer()
    var receiver = Peer()
    receiver.own = 5
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
    let begun = sender.transport.send(
      bytes.span.bytes, pgn: 126996, from: 22, to: 5, at: sender.now, outbox: &sender.outbox)
    #expect(begun)
    var message: ISOTransport.Completed?
    while !(sender.outbox.isEmpty && receiver.outbox.isEmpty) {
      for frame in sender.sent() {
        if frame.count == 8, frame[0] == 16, message == nil, receiver.transport.openSessions == 0 {
          receiver.control(frame, from: 22, to: 5)
        } else if let whole = receiver.data(frame, from: 22, to: 5) {
          message = whole
        }
      }
      for frame in receiver.sent() { sender.control(frame) }
    }
    let whole = try #require(message)
    #expect(whole.count == size)
    #expect(whole.pgn == 126996)
    #expect(Self.isCounting(whole))
    #expect(sender.transport.openSessions == 0)
    #expect(sender.transport.statistics.sent == 1)
  }

  static let bytes = [UInt8](repeating: 7, count: 70)

  @Test("1,786 bytes, no bytes, to all, to us or twice to the same at a time are not sent")
  func sendLimits() {
    var peer = Peer()
    let long = [UInt8](repeating: 0, count: 1786)
    let none: [UInt8] = []
    #expect(!peer.transport.send(long.span.bytes, pgn: 126996, from: 22, to: 5, at: peer.now, outbox: &peer.outbox))
    #expect(!peer.transport.send(none.span.bytes, pgn: 126996, from: 22, to: 5, at: peer.now, outbox: &peer.outbox))
    for destination: UInt8 in [22, 254, 255] {
      #expect(
        !peer.transport.send(
          Self.bytes.span.bytes, pgn: 126996, from: 22, to: destination, at: peer.now, outbox: &peer.outbox))
    }
    #expect(
      peer.transport.send(Self.bytes.span.bytes, pgn: 126996, from: 22, to: 5, at: peer.now, outbox: &peer.outbox))
    #expect(
      !peer.transport.send(Self.bytes.span.bytes, pgn: 126998, from: 22, to: 5, at: peer.now, outbox: &peer.outbox))
    #expect(
      peer.transport.send(Self.bytes.span.bytes, pgn: 126996, from: 22, to: 6, at: peer.now, outbox: &peer.outbox))
    #expect(
      !peer.transport.send(Self.bytes.span.bytes, pgn: 126996, from: 22, to: 7, at: peer.now, outbox: &peer.outbox))
  }

  static let product: [UInt8] = [0x14, 0xF0, 0x01]

  func sending() -> Peer {
    var peer = Peer()
    _ = peer.transport.send(Self.bytes.span.bytes, pgn: 126996, from: 22, to: 5, at: peer.now, outbox: &peer.outbox)
    _ = peer.sent()
    return peer
  }

  @Test("A receiver that does not answer is given up after 1,250 ms; after a grant of nothing in 1,050 ms")
  func sendTimeout() {
    var peer = sending()
    peer.run(.milliseconds(1249))
    #expect(peer.sent().isEmpty)
    peer.run(.milliseconds(1))
    #expect(peer.sent() == [[255, 3, 0xFF, 0xFF, 0xFF] + Self.product])
    var held = sending()
    held.control([17, 0, 1, 0xFF, 0xFF] + Self.product)
    held.run(.milliseconds(1049))
    #expect(held.transport.openSessions == 1)
    held.run(.milliseconds(1))
    #expect(held.sent() == [[255, 3, 0xFF, 0xFF, 0xFF] + Self.product])
  }

  @Test("A grant of 255 sends 8 packets; one for packet 0 or behind the last sends none; one from another sends none")
  func grants() {
    var peer = sending()
    peer.control([17, 255, 1, 0xFF, 0xFF] + Self.product)
    #expect(peer.sent().map { $0[0] } == [1, 2, 3, 4, 5, 6, 7, 8])
    peer.control([17, 255, 0, 0xFF, 0xFF] + Self.product)
    peer.control([17, 255, 11, 0xFF, 0xFF] + Self.product)
    peer.control([17, 255, 9, 0xFF, 0xFF] + Self.product, from: 6)
    #expect(peer.sent().isEmpty)
    peer.control([17, 255, 9, 0xFF, 0xFF] + Self.product)
    #expect(peer.sent().map { $0[0] } == [9, 10])
  }

  @Test("Who asks for the same packets for ever gets four times the message and an abort")
  func repeatedGrants() {
    var peer = sending()
    var packets = 0
    for _ in 0..<1000 {
      peer.control([17, 8, 1, 0xFF, 0xFF] + Self.product)
      packets += peer.sent().count { $0[0] <= 10 }
    }
    #expect(packets == 40)
    #expect(peer.transport.openSessions == 0)
  }

  @Test("An acknowledgement before the last packet was sent ends nothing")
  func earlyEnd() {
    var peer = sending()
    peer.control([19, 70, 0, 10, 0xFF] + Self.product)
    #expect(peer.transport.openSessions == 1)
  }

  @Test("A million random frames leave no session behind and cause at most 8 frames each")
  func fuzz() {
    var random = SeededGenerator(seed: 42)
    var peer = Peer()
    let codes: [UInt8] = [16, 17, 19, 32, 255, 0]
    var most = 0
    for _ in 0..<1_000_000 {
      let bits = random.next()
      let choice = random.next()
      var payload = bits
      if choice & 1 == 0 {
        payload = bits & ~0xFF | UInt64(codes[Int(choice >> 8 & 0xFF) % codes.count])
        if choice & 2 == 0 {
          // A size and a number of packets that agree.
          let size = 1 + (bits >> 20) % 28
          payload = payload & ~0xFFFF_FF00 | size << 8 | ((size + 6) / 7) << 24
        }
        if choice & 4 == 0 { payload = payload & 0xFF_FFFF_FFFF | 0x01F014 << 40 }
      } else {
        payload = bits & ~0xFF | (choice >> 16 & 0x3)
      }
      let can = CANPayload(littleEndian: payload, count: choice & 0xF0 == 0 ? Int(choice >> 24 & 7) : 8)
      let source = UInt8(truncatingIfNeeded: choice >> 32 & 7)
      let destination: UInt8 = choice >> 40 & 1 == 0 ? 255 : 22
      if choice >> 41 & 0x3F == 0 {
        let sent = Self.bytes
        _ = peer.transport.send(
          sent.span.bytes, pgn: 126996, from: 22, to: source, at: peer.now, outbox: &peer.outbox)
        _ = peer.sent()
      }
      let before = peer.outbox.count
      if choice & 1 == 0 {
        peer.transport.receiveControl(
          can, from: source, to: destination, own: 22, at: peer.now, outbox: &peer.outbox)
      } else {
        _ = peer.transport.receiveData(
          can, from: source, to: destination, own: 22, at: peer.now, outbox: &peer.outbox)
      }
      most = max(most, peer.outbox.count - before)
      peer.outbox.removeAll()
      if choice >> 48 & 0xFF == 0 { peer.run(.milliseconds(Int64(choice >> 56))) }
    }
    #expect(most <= 8)
    // The noise did reach every corner.
    #expect(peer.transport.statistics.received > 100)
    #expect(peer.transport.statistics.aborted > 100)
    #expect(peer.transport.statistics.timeouts > 10)
    #expect(peer.transport.statistics.refused > 100)
    peer.run(.milliseconds(1250))
    #expect(peer.transport.openSessions == 0)
    #expect(peer.transport.nextDeadline.nanoseconds == .max)
  }
}
