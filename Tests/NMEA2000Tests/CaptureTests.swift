import CANBus
import NMEA2000
import Testing

/// Captures to text and back, as the tool does it.
@Suite struct CaptureTests {
  struct Outcome {
    var lines: [String]
    var report: CaptureDecoder.Report
    var incomplete: Int
    var incompleteTransfers: Int
  }

  /// Decodes a text that arrives in pieces of `size` bytes.
  static func decode(_ text: String, _ style: MessageStyle = .json, piecesOf size: Int = 1 << 16) -> Outcome {
    var decoder = CaptureDecoder(style)
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + size)
      let piece = Array(bytes[start..<end])
      decoder.decode(piece.span) { _ in }
      start = end
    }
    decoder.finish()
    return Outcome(
      lines: decoder.text.string.split(separator: "\n").map(String.init), report: decoder.report,
      incomplete: decoder.fastPackets.incomplete, incompleteTransfers: decoder.incompleteTransfers)
  }

  @Test("127508 as canboat prints it, to the byte", arguments: [1, 7, 65536])
  func batteryStatus(piece: Int) {
    let log = "(1587256555.571000) can0 19F21423#0120050A00FFFF07\n"
    #expect(
      Self.decode(log, piecesOf: piece).lines == [
        #"{"timestamp":"2020-04-19T00:35:55.571Z","prio":6,"src":35,"dst":255,"pgn":127508,"description":"Battery Status","#
          + #""fields":{"Instance":{"value":1,"key":true},"Voltage":13.12,"Current":1.0,"SID":7}}"#
      ])
    #expect(
      Self.decode(log, .text).lines == [
        #"2020-04-19T00:35:55.571Z 6 35 > 255 127508 Battery Status: Instance: 1, Voltage: 13.12 V, Current: 1.0 A, SID: 7"#
      ])
  }

  @Test("Console lines with a date, and without a time, which then is left out")
  func consoleLines() {
    let frame = "can0  19F21423   [8]  01 20 05 0A 00 FF FF 07"
    let words = "6 35 > 255 127508 Battery Status: Instance: 1, Voltage: 13.12 V, Current: 1.0 A, SID: 7"
    let dated = "(2026-11-29 02:00:00.123456)  \(frame)\n"
    #expect(Self.decode(dated, .text).lines == ["2026-11-29T02:00:00.123Z \(words)"])
    #expect(Self.decode(dated).lines[0].hasPrefix(#"{"timestamp":"2026-11-29T02:00:00.123Z","prio":6,"src":35,"#))
    #expect(Self.decode("  \(frame)\n", .text).lines == [words])
    #expect(Self.decode("  \(frame)\n").lines[0].hasPrefix(#"{"timestamp":"","prio":6,"src":35,"dst":255,"#))
  }

  @Test("A message without any value has no fields; negative and small numbers keep their digits")
  func numbers() {
    let log = """
      (1.0) can0 19F21423#FFFF7FFF7FFFFFFF
      (1.0) can0 19F21423#FFFFFFFFFFFFFFFF
      """
    let lines = Self.decode(log).lines
    #expect(lines[0].hasSuffix(#""description":"Battery Status"}"#))
    #expect(lines[1].hasSuffix(#""fields":{"Voltage":-0.01,"Current":-0.1}}"#))
  }

  @Test("A message by BAM is shown once, whole, at the time of its announcement; its packets are not")
  func broadcastTransfer() {
    let log = """
      (1600000001.000000) can0 1CECFF21#20090002FFD8FE00
      (1600000001.050000) can0 1CEBFF21#01010203040506C0
      (1600000001.100000) can0 1CEBFF21#028025FFFFFFFFFF
      """
    let outcome = Self.decode(log)
    #expect(outcome.lines.count == 1)
    #expect(
      outcome.lines.first?.hasPrefix(
        #"{"timestamp":"2020-09-13T12:26:41.000Z","prio":7,"src":33,"dst":255,"pgn":65240,"#
          + #""description":"ISO Commanded Address","fields":{"Unique Number":"01 02 03","#) == true)
    #expect(outcome.lines.first?.hasSuffix(#""New Source Address":37}}"#) == true)
    #expect(outcome.report.messages == 1 && outcome.report.strayTransportFrames == 0)
  }

  @Test("A message between two others by RTS/CTS is shown; what is incomplete, aborted or stray is counted")
  func transferBetweenOthers() {
    let log = """
      (1.000) can0 1CEC3022#10090002FF14F001
      (1.001) can0 1CEC2230#110201FFFF14F001
      (1.002) can0 1CEB3022#0101020304050607
      (1.003) can0 1CEB3022#0108090000000000
      (1.004) can0 1CEB3022#0208090000000000
      (1.005) can0 1CEC2230#13090002FF14F001
      (2.000) can0 1CEB3022#0101020304050607
      (3.000) can0 1CECFF21#20090002FFD8FE00
      # another capture
      (3.001) can0 1CEBFF21#01010203040506C0
      (3.002) can0 1CEBFF21#028025FFFFFFFFFF
      """
    let outcome = Self.decode(log)
    #expect(outcome.lines.count == 1)
    #expect(outcome.lines.first?.contains(#""src":34,"dst":48,"pgn":126996"#) == true)
    #expect(outcome.report.strayTransportFrames == 3)
    #expect(outcome.incompleteTransfers == 1)
  }

  @Test("A PGN that several messages share is named in a list as canboat names it")
  func namesInLists() {
    let log = """
      (1.0) can0 19EE80A4#000A0000EC0000EF
      (1.0) can0 19EE80A4#010010FB01FFFFFF
      """
    #expect(
      Self.decode(log).lines.first?.hasSuffix(
        #"{"PGN":{"value":60416,"name":"ISO Transport Protocol, Connection Management - Request To Send"}},"#
          + #"{"PGN":{"value":61184,"name":"Seatalk: Wireless Keypad Light Control"}},"#
          + #"{"PGN":{"value":129808,"name":"DSC Distress Call Information"}}]}}"#) == true)
  }

  @Test("People see an error as an error")
  func errorsInText() {
    let lines = Self.decode("(1.0) can0 19F21423#00FE7FFF7FFFFF00\n", .text).lines
    #expect(lines == ["1970-01-01T00:00:01.000Z 6 35 > 255 127508 Battery Status: Instance: 0, Voltage: error, SID: 0"])
  }

  @Test("An unknown PGN keeps its header and shows its bytes")
  func unknown() {
    let lines = Self.decode("(1.0) can0 09F80123#0102030405060708\n(1.0) can0 18F00223#0A0B\n").lines
    #expect(
      lines[0].hasSuffix(
        #""pgn":129025,"description":"Position, Rapid Update","fields":{"Data":"01 02 03 04 05 06 07 08"}}"#))
    #expect(lines[1].hasSuffix(#""fields":{"Data":"0A 0B"}}"#))
  }

  @Test("A group function that nobody knows is bytes, to JSON and back")
  func unknownGroupFunction() throws {
    let lines = Self.decode("(1.0) can0 0DED2201#00060914F001AABB\n").lines
    let line = try #require(lines.first)
    #expect(line.hasSuffix(#""fields":{"Data":"09 14 F0 01 AA BB"}}"#))
    #expect(!line.contains("Request"))
    #expect(Self.bytes(try Self.read(line)) == [0x09, 0x14, 0xF0, 0x01, 0xAA, 0xBB])
  }

  @Test("Half a field is no field: canboat would make 0.38 V of one byte of a voltage")
  func halfField() {
    let lines = Self.decode("(1.0) can0 19F21423#0226\n").lines
    #expect(lines.first?.hasSuffix(#""fields":{"Instance":{"value":2,"key":true}}}"#) == true)
  }

  @Test("What is no message is counted and ends nothing")
  func faults() throws {
    let log = """
      (1.0) can0 19F21423#0120050A00FFFF07
      this is no frame
      (1.0) can0 123#0102
      (1.0) can0 19F21423#R
      (1.0) can0 20000004#0000000000000000
      (1.0) can0 19F21423##10102

      (1.0) can0 19F21423#01
      """
    let outcome = Self.decode(log)
    #expect(outcome.lines.count == 2)
    #expect(outcome.report.brokenLines == 1)
    #expect(try #require(outcome.report.firstFault).line == 2)
    #expect(outcome.report.standardFrames == 1)
    #expect(outcome.report.remoteFrames == 1)
    #expect(outcome.report.errorFrames == 1)
    #expect(outcome.report.flexibleDataRateFrames == 1)
  }

  @Test("A line that begins with # drops what is incomplete, and so does the end")
  func comment() {
    let first = "(1.0) can0 19F21223#000B000102030405\n"
    let second = "(1.0) can0 19F21223#0106070809FFFFFF\n"
    #expect(Self.decode(first + second).lines.count == 1)
    #expect(Self.decode(first + "# another\n" + second).lines.isEmpty)
    #expect(Self.decode(first + "# another\n" + second).incomplete == 2)
  }

  @Test("A line without end is skipped and counted once")
  func endless() {
    let endless = "# first\n" + String(repeating: "x", count: 100_000) + "\n(1.0) can0 19F21423#01\n"
    for size in [1000, 1 << 20] {
      let outcome = Self.decode(endless, piecesOf: size)
      #expect(outcome.report.brokenLines == 1)
      #expect(outcome.report.firstFault?.line == 2)
      #expect(outcome.report.lines == 3 && outcome.report.frames == 1)
      #expect(outcome.lines.count == 1)
    }
  }

  // MARK: - The way back

  static func read(_ text: String) throws -> MessageReader.Message {
    try MessageReader().message(try JSONValue(parsing: Array(text.utf8).span))
  }

  static func bytes(_ message: MessageReader.Message) -> [UInt8] {
    (0..<message.payload.count).map { message.payload[$0] }
  }

  @Test("Lookups are taken as value, plain number or name; absent fields are not available")
  func lookups() throws {
    for enabled in [#"{"value":1,"name":"On"}"#, "1", #""On""#] {
      let text = #"{"pgn":127507,"src":1,"fields":{"Instance":0,"Enabled":\#(enabled),"Operating State":"Bulk"}}"#
      #expect(Self.bytes(try Self.read(text)) == [0x00, 0xFF, 0xF1, 0xFD, 0xFF, 0xFF])
    }
  }

  @Test("The real group command is made from canboat's words")
  func groupCommand() throws {
    let text = #"""
      {"pgn":126208,"src":1,"dst":35,"fields":{"Function Code":{"value":1},"PGN":{"value":127501},
      "Priority":{"value":8},"list":[{"Parameter":6,"Value":{"value":0}}]}}
      """#
    #expect(Self.bytes(try Self.read(text)) == [0x01, 0x0D, 0xF2, 0x01, 0xF8, 0x01, 0x06, 0x00])
  }

  @Test(
    "What can't be said is refused with its name",
    arguments: [
      (#"{"pgn":127508,"src":1,"fields":{"Voltage":400}}"#, "Voltage"),
      (#"{"pgn":127508,"src":1,"fields":{"Voltage":327.65}}"#, "Voltage"),
      (#"{"pgn":127508,"src":1,"fields":{"Volts":1}}"#, "Volts"),
      (#"{"pgn":127508,"src":256}"#, "src"), (#"{"pgn":127508}"#, "src"), (#"{"src":1}"#, "pgn"),
      (#"{"pgn":127507,"src":1,"fields":{"Operating State":"Boiling"}}"#, "Boiling"),
      (#"{"pgn":127508,"src":1,"timestamp":"yesterday"}"#, "timestamp"),
      (#"{"pgn":12345,"src":1,"fields":{"A":1}}"#, "12345 is no PGN: 12288"),
      (#"{"pgn":59905,"src":1}"#, "59905 is no PGN: 59904"),
      (#"{"pgn":129025,"src":1,"fields":{"Data":"1 2"}}"#, "Data"),
      (#"{"pgn":129025,"src":1,"fields":{"Data":"01 02 03 04 05 06 07 08 09"}}"#, "9 bytes"),
    ])
  func refused(text: String, word: String) {
    #expect {
      try Self.read(text)
    } throws: {
      "\($0)".contains(word)
    }
  }

  @Test(
    "Broken JSON is refused with the column",
    arguments: [("{\"pgn\":127508,}", 15), ("{\"pgn\" 1}", 8), ("", 1), ("[1,2", 5), ("{} x", 4), ("\"\\q\"", 3)])
  func broken(text: String, column: Int) {
    #expect {
      try JSONValue(parsing: Array(text.utf8).span)
    } throws: {
      ($0 as? JSONFault)?.column == column
    }
  }

  @Test("Functions 3 to 6 and 65240, to JSON and back")
  func rareMessages() throws {
    let samples: [(UInt32, [UInt8])] = [
      (126208, [0x03, 0x0D, 0xF2, 0x01, 0x01, 0x01, 0x01, 0x01, 0x05, 0x02]),
      (126208, [0x04, 0x00, 0xEF, 0x01, 0x66, 0x99, 0x05, 0x00, 0x01, 0x03, 0x04]),
      (126208, [0x05, 0x0D, 0xF2, 0x01, 0x01, 0x01, 0x01, 0x01, 0x05, 0x02, 0x01]),
      (65240, [0x09, 0x00, 0xC0, 0x2C, 0x00, 0xAA, 0x46, 0x40, 0x42]),
      (126998, [4, 1, 0x41, 0x42, 2, 1, 4, 1, 0x5C, 0x22]),
      (126464, [0x00, 0x14, 0xF0, 0x01, 0x11, 0xF0, 0x01]),
    ]
    let writer = MessageWriter(.json)
    for (pgn, payload) in samples {
      var text = TextBuffer()
      var clock = WallClockText()
      let header = MessageIdentifier(priority: 6, pgn: PGN(pgn), source: 1)
      writer.write(payload.span.bytes, header, microseconds: 0, clock: &clock, to: &text)
      #expect(Self.bytes(try Self.read(text.string)) == payload, "\(text.string)")
    }
  }
}
