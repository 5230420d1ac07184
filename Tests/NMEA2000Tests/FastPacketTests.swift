import CANBus
import MonotonicTime
import NMEA2000
import Testing

/// What fast packets must do and what went wrong with them on real buses (nmea2000.md sections 1.6 and 4).
@Suite struct FastPacketTests {
  static let detailed = MessageIdentifier(priority: 6, pgn: 127506, source: 35)
  static let product = MessageIdentifier(priority: 6, pgn: 126996, source: 35)

  /// A receiver with a clock of its own.
  struct Receiver {
    var assembler = FastPacketAssembler()
    var now = Instant.origin

    mutating func take(_ frame: CANDataFrame, after span: TimeSpan = .milliseconds(1)) -> [UInt8]? {
      now += span
      return assembler.receive(frame, at: now) { span in
        (0..<span.byteCount).map { span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
      }
    }

    mutating func take(_ frames: [CANDataFrame]) -> [[UInt8]] {
      var messages: [[UInt8]] = []
      for frame in frames { if let message = take(frame) { messages.append(message) } }
      return messages
    }
  }

  /// The frames of a message; the sequence is that of the sender's next message of this PGN.
  static func frames(
    _ bytes: [UInt8], _ header: MessageIdentifier = detailed, _ sender: inout FastPacketSender
  ) -> [CANDataFrame] {
    var frames: [CANDataFrame] = []
    sender.send(bytes.span.bytes, as: header) { frames.append($0) }
    return frames
  }

  static func frames(_ bytes: [UInt8], _ header: MessageIdentifier = detailed, sequence: Int = 0) -> [CANDataFrame] {
    var sender = FastPacketSender()
    for _ in 0..<sequence { _ = frames([0], header, &sender) }
    return frames(bytes, header, &sender)
  }

  static func bytes(_ count: Int, from first: UInt8 = 0) -> [UInt8] { (0..<count).map { first &+ UInt8($0 % 250) } }

  // MARK: - The usual

  @Test("Every length from 1 to 223 bytes comes back as it was sent", arguments: 1...223)
  func roundTrip(length: Int) {
    var receiver = Receiver()
    let message = Self.bytes(length)
    let frames = Self.frames(message)
    #expect(frames.count == (length <= 6 ? 1 : 1 + (length + 0) / 7))
    #expect(frames.allSatisfy { $0.payload.count == 8 })
    #expect(receiver.take(frames) == [message])
    #expect(receiver.assembler.statistics.messages == 1)
  }

  @Test("The last frame is filled up with 0xFF, and the sequence counts modulo 8 for each PGN")
  func sending() {
    var sender = FastPacketSender()
    let first = Self.frames(Self.bytes(9), Self.detailed, &sender)
    #expect(Array(first[0].payload) == [0x00, 9, 0, 1, 2, 3, 4, 5])
    #expect(Array(first[1].payload) == [0x01, 6, 7, 8, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(Self.frames(Self.bytes(9), Self.product, &sender)[0].payload[0] == 0x00)
    for expected in [0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0, 0xE0, 0x00] {
      #expect(Int(Self.frames(Self.bytes(9), Self.detailed, &sender)[0].payload[0]) == expected)
    }
  }

  @Test("0 and 224 bytes are no fast packet", arguments: [0, 224])
  func unsendable(length: Int) {
    #expect(Self.frames([UInt8](repeating: 0, count: length)).isEmpty)
  }

  @Test("A message of one frame is a fast packet, too: 127507 with its 6 bytes is read without the header")
  func singleFrameFastPacket() throws {
    var receiver = Receiver()
    let message: [UInt8] = [0x00, 0x01, 0x01, 0xD1, 0x05, 0x00]
    let payload = try #require(
      receiver.take(Self.frames(message, MessageIdentifier(priority: 6, pgn: 127507, source: 1))).first)
    #expect(ChargerStatus(payload: payload.span.bytes).instance == .value(0))
    #expect(ChargerStatus(payload: payload.span.bytes).state == .value(.bulk))
  }

  // MARK: - Order

  @Test("Body frames come in any order")
  func reorderedBody() {
    var receiver = Receiver()
    let message = Self.bytes(134)
    let frames = Self.frames(message, Self.product)
    #expect(receiver.take([frames[0]] + frames[1...].reversed()) == [message])
  }

  @Test("Frame 0 may come late, but not as the frame that completes")
  func lateFirstFrame() {
    var receiver = Receiver()
    let message = Self.bytes(20)
    let frames = Self.frames(message)
    #expect(receiver.take([frames[1], frames[0], frames[2]]) == [message])
    #expect(receiver.take([frames[1], frames[2], frames[0]]).isEmpty)
  }

  @Test("Two sequences of one sender, and two senders, interleave")
  func interleaved() {
    var receiver = Receiver()
    let one = Self.frames(Self.bytes(11))
    let two = Self.frames(Self.bytes(11, from: 100), sequence: 1)
    let other = Self.frames(Self.bytes(11, from: 50), MessageIdentifier(priority: 6, pgn: 127506, source: 36))
    let mixed = [one[0], two[0], other[0], one[1], other[1], two[1]]
    #expect(receiver.take(mixed) == [Self.bytes(11), Self.bytes(11, from: 50), Self.bytes(11, from: 100)])
  }

  @Test("One sender's messages to two nodes do not mix, even with the same sequence")
  func destinations() {
    var receiver = Receiver()
    let one = Self.frames(Self.bytes(11), MessageIdentifier(priority: 3, pgn: 126208, source: 1, destination: 2))
    let two = Self.frames(
      Self.bytes(11, from: 9), MessageIdentifier(priority: 3, pgn: 126208, source: 1, destination: 3))
    #expect(receiver.take([one[0], two[1], two[0]]).isEmpty)
    #expect(receiver.take([one[1]]) == [Self.bytes(11)])
  }

  // MARK: - Loss

  @Test("A missing second frame never delivers")
  func missingSecondFrame() {
    var receiver = Receiver()
    for sequence in 0..<8 { #expect(receiver.take([Self.frames(Self.bytes(11), sequence: sequence)[0]]).isEmpty) }
    #expect(receiver.assembler.statistics.messages == 0)
  }

  @Test("Frame 0 lost: the next frame 0 with the same sequence never gets the old body (canboat#738)")
  func noGlue() {
    var receiver = Receiver()
    let old = Self.frames(Self.bytes(11, from: 100))
    let new = Self.frames(Self.bytes(11))
    #expect(receiver.take(old[1]) == nil)
    #expect(receiver.take(new[0]) == nil)
    #expect(receiver.take(new[1]) == Self.bytes(11))
  }

  @Test("Frames 0 and 1 lost: the rest of the old message is forgotten when the next begins 91 ms later")
  func noGlueOfLongMessages() {
    var receiver = Receiver()
    let old = Self.frames(Self.bytes(27, from: 100))
    let new = Self.frames(Self.bytes(27))
    #expect(receiver.take([old[2], old[3]]).isEmpty)
    #expect(receiver.take(new[0], after: .milliseconds(91)) == nil)
    #expect(receiver.take([new[1]]).isEmpty)
    #expect(receiver.take([new[2], new[3]]) == [Self.bytes(27)])
  }

  @Test("A lost frame in the middle, then the same sequence again: only the new message is delivered")
  func lostMiddle() {
    var receiver = Receiver()
    let old = Self.frames(Self.bytes(20, from: 100))
    let new = Self.frames(Self.bytes(20))
    #expect(receiver.take([old[0], old[2]]).isEmpty)
    #expect(receiver.take(new) == [Self.bytes(20)])
    #expect(receiver.assembler.statistics.incomplete == 1)
  }

  @Test("A frame that comes twice ends the message: its halves may be of two")
  func duplicate() {
    var receiver = Receiver()
    let frames = Self.frames(Self.bytes(20))
    #expect(receiver.take([frames[0], frames[1], frames[1], frames[2]]).isEmpty)
    #expect(receiver.take([frames[0], frames[0], frames[1], frames[2]]) == [Self.bytes(20)])
  }

  @Test("A frame number beyond the announced length ends the message")
  func wrongNumber() {
    var receiver = Receiver()
    let frames = Self.frames(Self.bytes(11))
    let long = Self.frames(Self.bytes(20))
    #expect(receiver.take([frames[0], long[2], frames[1]]).isEmpty)
    #expect(receiver.take([long[2], frames[0], frames[1]]) == [Self.bytes(11)])
  }

  // MARK: - Time

  @Test("750 ms from first to last frame is a message, 751 ms is none", arguments: [(750, true), (751, false)])
  func age(milliseconds: Int, isDelivered: Bool) {
    var receiver = Receiver()
    let frames = Self.frames(Self.bytes(11))
    #expect(receiver.take(frames[0]) == nil)
    let message = receiver.take(frames[1], after: .milliseconds(Int64(milliseconds)))
    #expect((message != nil) == isDelivered)
  }

  @Test("A clock that steps back a little loses nothing")
  func backwards() {
    var receiver = Receiver()
    let frames = Self.frames(Self.bytes(11))
    #expect(receiver.take(frames[0]) == nil)
    #expect(receiver.take(frames[1], after: .milliseconds(-500)) == Self.bytes(11))
  }

  // MARK: - Impossible frames

  @Test("Announced lengths of 0, 224 and 255 are refused and counted", arguments: [0, 224, 255])
  func impossibleLength(length: UInt8) {
    var receiver = Receiver()
    let frame = CANDataFrame(Self.detailed.canIdentifier, [0x00, length, 1, 2, 3, 4, 5, 6])
    #expect(receiver.take(frame) == nil)
    #expect(receiver.assembler.statistics.refusedLengths == 1)
    #expect(receiver.take(Self.frames(Self.bytes(11))) == [Self.bytes(11)])
  }

  @Test("Empty and short frames never make up bytes", arguments: 0...7)
  func shortFrames(count: Int) throws {
    var receiver = Receiver()
    let frames = Self.frames(Self.bytes(20))
    let cut = CANDataFrame(frames[1].identifier, CANPayload(littleEndian: frames[1].payload.bits, count: count))
    #expect(receiver.take([frames[0], cut, frames[2]]).isEmpty)
    #expect(receiver.assembler.statistics.shortFrames == 1)
  }

  @Test("A last frame without its padding is whole")
  func unpaddedLastFrame() {
    var receiver = Receiver()
    let frames = Self.frames(Self.bytes(9))
    let unpadded = CANDataFrame(frames[1].identifier, CANPayload(littleEndian: frames[1].payload.bits, count: 4))
    #expect(receiver.take([frames[0], unpadded]) == [Self.bytes(9)])
    let cut = CANDataFrame(frames[1].identifier, CANPayload(littleEndian: frames[1].payload.bits, count: 3))
    #expect(receiver.take([frames[0], cut]).isEmpty)
  }

  @Test("More messages under way than slots: the oldest makes room, the newest is delivered")
  func eviction() {
    var receiver = Receiver()
    for source in 0..<65 {
      let header = MessageIdentifier(priority: 6, pgn: 127506, source: UInt8(source))
      #expect(receiver.take(Self.frames(Self.bytes(11), header)[0]) == nil)
    }
    #expect(receiver.assembler.statistics.evicted == 1)
    func second(_ source: UInt8) -> CANDataFrame {
      Self.frames(Self.bytes(11), MessageIdentifier(priority: 6, pgn: 127506, source: source))[1]
    }
    #expect(receiver.take(second(0)) == nil)
    #expect(receiver.take(second(64)) == Self.bytes(11))
  }

  @Test("Random frames never trap and never deliver what was not sent whole")
  func noise() {
    var random = SeededGenerator(seed: 5)
    var receiver = Receiver()
    for _ in 0..<20_000 {
      let payload = CANPayload(littleEndian: random.next(), count: Int.random(in: 0...8, using: &random))
      let header = MessageIdentifier(priority: 6, pgn: 127506, source: UInt8.random(in: 0...3, using: &random))
      if let message = receiver.take(CANDataFrame(header.canIdentifier, payload)) {
        #expect((1...223).contains(message.count))
      }
    }
  }
}
