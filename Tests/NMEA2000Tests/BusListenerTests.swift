import CANBus
import MonotonicTime
import Testing

@testable import NMEA2000

/// A listener with what it delivered.
private struct Ear {
  var listener = BusListener()
  var messages: [(pgn: PGN, source: UInt8, destination: UInt8, bytes: [UInt8], transport: MessageHeader.Transport)] = []

  @discardableResult
  mutating func hear(_ line: String, at milliseconds: Int64 = 0) throws -> BusListener.Outcome {
    guard case .frame(let record) = CandumpLine(cansend: line), case .data(let frame) = record.frame else {
      throw CandumpFault(.identifier, column: 1)
    }
    var heard: (MessageHeader, [UInt8])?
    let outcome = listener.receive(frame, at: .origin + .milliseconds(milliseconds)) { header, payload in
      heard = (header, (0..<payload.byteCount).map { payload.unsafeLoadUnaligned(fromByteOffset: $0, as: UInt8.self) })
    }
    if let (header, bytes) = heard {
      messages.append((header.pgn, header.source, header.destination, bytes, header.transport))
    }
    return outcome
  }
}

@Suite("Hearing a whole bus without a word")
struct BusListenerTests {
  @Test("a single frame to somebody else is heard")
  func addressedToOthers() throws {
    var ear = Ear()
    #expect(try ear.hear("18EA2A24#00EE00") == .delivered)
    #expect(ear.messages.first?.pgn == 59904)
    #expect(ear.messages.first?.destination == 0x2A)
  }

  @Test("a message between two others by RTS and CTS is heard, a packet sent twice counts once")
  func transportOfOthers() throws {
    var ear = Ear()
    #expect(try ear.hear("18EC2A24#100900020200EE00") == .part)
    #expect(try ear.hear("18EC242A#110201FFFF00EE00", at: 5) == .part)
    #expect(try ear.hear("18EB2A24#0101020304050607", at: 10) == .part)
    #expect(try ear.hear("18EB2A24#0101020304050607", at: 12) == .part)
    #expect(try ear.hear("18EB2A24#020809FFFFFFFFFF", at: 15) == .delivered)
    #expect(ear.messages.map(\.bytes) == [[1, 2, 3, 4, 5, 6, 7, 8, 9]])
    #expect(ear.messages.first?.transport == .isoTransport)
    #expect(ear.listener.incompleteTransports == 0)
  }

  @Test("a broadcast by the transport protocol is heard in spite of a packet out of order")
  func broadcast() throws {
    var ear = Ear()
    try ear.hear("1CECFF24#20090002FFD8FE00")
    try ear.hear("1CEBFF24#020809FFFFFFFFFF", at: 50)
    #expect(try ear.hear("1CEBFF24#0101020304050607", at: 100) == .delivered)
    #expect(ear.messages.first?.pgn == 65240)
    #expect(ear.messages.first?.bytes == [1, 2, 3, 4, 5, 6, 7, 8, 9])
  }

  @Test("1,250 ms between two packets are waited for, 1,251 ms are not")
  func age() throws {
    var ear = Ear()
    try ear.hear("1CECFF24#20090002FFD8FE00")
    try ear.hear("1CEBFF24#0101020304050607", at: 1250)
    #expect(try ear.hear("1CEBFF24#020809FFFFFFFFFF", at: 2500) == .delivered)
    try ear.hear("1CECFF24#20090002FFD8FE00", at: 3000)
    try ear.hear("1CEBFF24#0101020304050607", at: 3100)
    #expect(try ear.hear("1CEBFF24#020809FFFFFFFFFF", at: 4351) == .part)
    #expect(ear.listener.incompleteTransports == 1)
  }

  @Test("an abort by either side ends the message")
  func abort() throws {
    for abort in ["18EC2A24#FF01FFFFFF00EE00", "18EC242A#FF01FFFFFF00EE00"] {
      var ear = Ear()
      try ear.hear("18EC2A24#100900020200EE00")
      try ear.hear("18EB2A24#0101020304050607")
      #expect(try ear.hear(abort) == .part)
      #expect(try ear.hear("18EB2A24#020809FFFFFFFFFF") == .part)
      #expect(ear.messages.isEmpty)
      #expect(ear.listener.incompleteTransports == 1)
    }
  }

  @Test("impossible transports are refused: no bytes, 1,786 bytes, a packet count that does not fit")
  func impossibleTransports() throws {
    var ear = Ear()
    #expect(try ear.hear("18EC2A24#10000000FF00EE00") == .malformed)
    #expect(try ear.hear("18EC2A24#10FA06FFFF00EE00") == .malformed)
    #expect(try ear.hear("18EC2A24#10F906FFFF00EE00") == .part)
    #expect(try ear.hear("18EC2A24#10090003FF00EE00") == .malformed)
    #expect(try ear.hear("18EC2A24#10") == .malformed)
    #expect(try ear.hear("18EB2A24#00FFFFFFFFFFFFFF") == .part)
    #expect(ear.messages.isEmpty)
  }

  @Test("a product belongs to the NAME: when the address changes hands it is forgotten")
  func products() throws {
    var ear = Ear()
    try ear.hear("18EEFF24#0102030405060708")
    #expect(ear.listener.devices.name(of: 0x24) == Name(rawValue: 0x0807_0605_0403_0201))
    var sender = FastPacketSender()
    var product = ProductInformation()
    product.model = "Battery"
    _ = product.withPayload { payload in
      sender.send(payload, as: MessageIdentifier(priority: 6, pgn: 126996, source: 0x24)) { frame in
        _ = ear.listener.receive(frame, at: .origin) { _, _ in }
      }
    }
    #expect(ear.listener.devices[0x24]?.product?.model == "Battery")
    try ear.hear("18EEFF24#0102030405060709")
    #expect(ear.listener.devices[0x24]?.product == nil)
  }

  @Test("frames that are no messages are told apart")
  func others() throws {
    var ear = Ear()
    #expect(try ear.hear("351#8E00D00770176800") == .foreign)
    #expect(try ear.hear("18EEFF24#01020304050607") == .malformed)
    #expect(try ear.hear("19F219FF#0102030405060708") == .malformed)
    // 0x1F0AA lies where the standard mixes single frames and fast packets, and is in no list.
    #expect(try ear.hear("19F0AA24#0102030405060708") == .unknownFraming)
    #expect(ear.messages.isEmpty)
  }
}
