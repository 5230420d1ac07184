import MonotonicTime
import NMEA2000
import Testing

@testable import VECan

/// A server with two limits, the mode, a fuse name and a command, and somebody at address 50 who asks.
private struct Rig {
  static let registers: [Register] = [
    .chargeVoltageLimit, .chargeCurrentLimit, .deviceMode, .fuseNameA1, .clearHistory, .bmsState,
  ]
  var server = RegisterServer(Rig.registers)
  var now = Instant.origin

  mutating func send(_ payload: [UInt8], from source: UInt8 = 50, to destination: UInt8 = 35, _ pgn: PGN = 61184) {
    let identifier = MessageIdentifier(priority: 7, pgn: pgn, source: source, destination: destination)
    server.receive(MessageHeader(identifier, at: now), payload.span.bytes)
  }

  /// Everything that leaves until nothing waits, with its time.
  mutating func answers() -> [(answer: RegisterServer.Answer, at: Instant)] {
    var answers: [(answer: RegisterServer.Answer, at: Instant)] = []
    while server.nextDeadline < Instant(nanoseconds: .max) {
      now = max(now, server.nextDeadline)
      guard let answer = server.nextAnswer(at: now) else { break }
      answers.append((answer, now))
      server.sent(answer, frames: 1, at: now)
    }
    return answers
  }

  mutating func onlyAnswers() -> [RegisterServer.Answer] { answers().map(\.answer) }
}

private func refusal(_ id: RegisterID, _ code: UInt16, to address: UInt8 = 50) -> RegisterServer.Answer {
  .refusal(.refusal(of: id, RefusalCode(code)), to: address)
}

@Suite("The protocol of registers (vecan.md section 1)")
struct RegisterServerTests {
  @Test("a read of one register is answered by its value")
  func read() {
    var rig = Rig()
    rig.send([0x66, 0x99, 0x01, 0x00, 0x90, 0x03, 0xFF, 0xFF])
    #expect(rig.onlyAnswers() == [.value(.chargeVoltageLimit)])
  }

  @Test("a read with a mask is answered by all that match, and by no command")
  func maskedRead() {
    var rig = Rig()
    rig.send([0x66, 0x99, 0x01, 0x00, 0x90, 0x03, 0xF0, 0xFF])
    #expect(rig.onlyAnswers() == [.value(.chargeVoltageLimit), .value(.chargeCurrentLimit)])
    rig.send([0x66, 0x99, 0x01, 0x00, 0x34, 0x12, 0x00, 0x00])
    #expect(Set(rig.onlyAnswers()) == Set(Rig.registers.filter { $0 != .clearHistory }.map { .value($0) }))
  }

  @Test("an unknown register, a command and a mask that nothing matches are refused with 0x8000, to the one who asked")
  func unknownRead() {
    var rig = Rig()
    rig.send([0x66, 0x99, 0x01, 0x00, 0x34, 0x12, 0xFF, 0xFF], from: 7)
    rig.send([0x66, 0x99, 0x01, 0x00, 0x30, 0x10, 0xFF, 0xFF], from: 8)
    rig.send([0x66, 0x99, 0x01, 0x00, 0x00, 0x30, 0x00, 0xFF], from: 9)
    #expect(
      rig.onlyAnswers() == [
        refusal(0x1234, 0x8000, to: 7), refusal(0x1030, 0x8000, to: 8), refusal(0x3000, 0x8000, to: 9),
      ])
  }

  @Test("what goes to all is never refused and never an order; a read to all is answered")
  func broadcast() {
    var rig = Rig()
    rig.send([0x66, 0x99, 0x00, 0x02, 0x04, 0, 0, 0], to: 255)
    rig.send([0x66, 0x99, 0x30, 0x10, 0, 0, 0, 0], to: 255)
    rig.send([0x66, 0x99, 0x04, 0x00, 0, 0, 0, 0], to: 255)
    rig.send([0x66, 0x99, 0x03, 0x00, 1, 2, 3, 4], to: 255)
    rig.send([0x66, 0x99, 0x01, 0x00, 0x34, 0x12, 0xFF, 0xFF], to: 255)
    rig.send([0x66, 0x99, 0x01, 0x00], to: 255)
    #expect(rig.server.nextWrite() == nil)
    #expect(rig.onlyAnswers().isEmpty)
    rig.send([0x66, 0x99, 0x01, 0x00, 0x00, 0x02, 0xFF, 0xFF], to: 255)
    #expect(rig.onlyAnswers() == [.value(.deviceMode)])
  }

  @Test("a write reaches the owner; unknown and read-only ones are refused with 0x8100")
  func write() throws {
    var rig = Rig()
    rig.send([0x66, 0x99, 0x00, 0x02, 0xFC, 0, 0, 0])
    let next = rig.server.nextWrite()
    let write = try #require(next)
    #expect(write.id == 0x0200)
    #expect(write.source == 50)
    #expect(write.message.code(.deviceMode) == 0xFC)
    rig.send([0x66, 0x99, 0x34, 0x12, 0, 0, 0, 0])
    rig.send([0x66, 0x99, 0x90, 0x03, 0, 0, 0, 0])
    #expect(rig.server.nextWrite() == nil)
    #expect(rig.onlyAnswers() == [refusal(0x1234, 0x8100), refusal(0x0390, 0x8100)])
  }

  @Test("a text comes by 126720; one that is longer than the register, or empty of even its end, is refused")
  func text() {
    var rig = Rig()
    rig.send([0x66, 0x99, 0x60, 0x21] + Array("Bow".utf8) + [0], 126720)
    let short = rig.server.nextWrite()
    #expect(short?.text == "Bow")
    rig.send([0x66, 0x99, 0x60, 0x21] + [UInt8](repeating: 0x41, count: 16) + [0], 126720)
    let longest = rig.server.nextWrite()
    #expect(longest?.text == String(repeating: "A", count: 16))
    rig.send([0x66, 0x99, 0x60, 0x21] + [UInt8](repeating: 0x41, count: 17) + [0], 126720)
    rig.send([0x66, 0x99, 0x60, 0x21], 126720)
    #expect(rig.server.nextWrite() == nil)
    #expect(rig.onlyAnswers() == [refusal(0x2160, 0x8300), refusal(0x2160, 0x8300)])
  }

  @Test("a cut read, write or ping is refused with 0x8300; what has not even a number is nobody's", arguments: 0...7)
  func cut(count: Int) {
    var rig = Rig()
    rig.send(Array([0x66, 0x99, 0x01, 0x00, 0x90, 0x03, 0xFF, 0xFF][..<count]))
    rig.send(Array([0x66, 0x99, 0x03, 0x00, 1, 2, 3, 4][..<count]))
    #expect(rig.onlyAnswers() == (count < 4 ? [] : [refusal(0x0001, 0x8300), refusal(0x0003, 0x8300)]))
    rig.send(Array([0x66, 0x99, 0x00, 0x02, 0xFC, 0, 0, 0][..<count]))
    #expect((rig.server.nextWrite() != nil) == (count >= 5))
    #expect(rig.onlyAnswers() == (count == 4 ? [refusal(0x0200, 0x8300)] : []))
  }

  @Test("a ping is echoed to all")
  func ping() {
    var rig = Rig()
    rig.send([0x66, 0x99, 0x03, 0x00, 1, 2, 3, 4])
    #expect(rig.onlyAnswers() == [.report(RegisterMessage(0x0003, value: .init(littleEndian: 0x0403_0201, count: 4)))])
  }

  @Test("another maker's message and a refusal of somebody else are no requests")
  func foreign() {
    var rig = Rig()
    rig.send([0x98, 0x99, 0x01, 0x00, 0x90, 0x03, 0xFF, 0xFF])
    rig.send([0x66, 0x99, 0x02, 0x00, 0x90, 0x03, 0x00, 0x80])
    #expect(rig.onlyAnswers().isEmpty)
  }

  @Test("1,000 reads in one burst: every register that was asked for is answered, at 1.25 ms a frame")
  func burst() throws {
    var rig = Rig()
    for number in 0..<1000 {
      let id = [Register.chargeVoltageLimit, .chargeCurrentLimit, .bmsState][number % 3].rawValue
      rig.send([0x66, 0x99, 0x01, 0x00, UInt8(id & 0xFF), UInt8(id >> 8), 0xFF, 0xFF])
    }
    #expect(rig.server.statistics.reads == 1000)
    let answers = rig.answers()
    #expect(
      Set(answers.map(\.answer)) == [.value(.chargeVoltageLimit), .value(.chargeCurrentLimit), .value(.bmsState)])
    #expect(answers.count == 3)
    #expect(try #require(answers.last).at == .origin + .microseconds(2500))
  }

  @Test("64 refusals wait; the 65th is told to all as 0x8500, once, and the queue works on")
  func overflow() {
    var rig = Rig()
    for _ in 0..<64 { rig.send([0x66, 0x99, 0x34, 0x12, 0, 0, 0, 0]) }
    #expect(rig.onlyAnswers() == [RegisterServer.Answer](repeating: refusal(0x1234, 0x8100), count: 64))
    for _ in 0..<1000 { rig.send([0x66, 0x99, 0x34, 0x12, 0, 0, 0, 0]) }
    #expect(rig.server.statistics.overflows == 936)
    let answers = rig.onlyAnswers()
    #expect(answers.count == 65)
    #expect(answers.last == .report(.refusal(of: 0x0002, .overflow)))
    rig.send([0x66, 0x99, 0x34, 0x12, 0, 0, 0, 0])
    #expect(rig.onlyAnswers() == [refusal(0x1234, 0x8100)])
  }

  @Test("64 writes wait; the 65th is told to all as 0x8500")
  func writeOverflow() {
    var rig = Rig()
    for _ in 0..<65 { rig.send([0x66, 0x99, 0x00, 0x02, 0xFC, 0, 0, 0]) }
    var count = 0
    while rig.server.nextWrite() != nil { count += 1 }
    #expect(count == 64)
    #expect(rig.onlyAnswers() == [.report(.refusal(of: 0x0002, .overflow))])
  }

  @Test("an answer that found no room is the next one again")
  func postponed() {
    var rig = Rig()
    rig.send([0x66, 0x99, 0x01, 0x00, 0x90, 0x03, 0xFF, 0xFF])
    rig.server.postpone(at: rig.now)
    #expect(rig.server.nextAnswer(at: rig.now) == nil)
    #expect(rig.onlyAnswers() == [.value(.chargeVoltageLimit)])
  }
}
