import CANBus
import Testing

/// The forms of can-utils' text, read and written.
@Suite struct CandumpLineTests {
  private func record(_ line: String) throws -> CandumpRecord {
    let parsed = CandumpLine(line)
    guard case .frame(let record) = parsed else {
      throw Unexpected(line: line, parsed: parsed)
    }
    return record
  }

  private struct Unexpected: Error {
    var line: String
    var parsed: CandumpLine
  }

  @Test func logLineGivesTimeInterfaceAndFrame() throws {
    let line = "(1587256555.571000) can0 09ED4300#00150116F001FF01"
    let record = try record(line)
    #expect(record.microseconds == 1_587_256_555_571_000)
    #expect(Array(Array(line.utf8)[record.interface]) == Array("can0".utf8))
    #expect(
      record.frame
        == .data(CANDataFrame(.extended(0x09ED_4300), [0x00, 0x15, 0x01, 0x16, 0xF0, 0x01, 0xFF, 0x01])))
    #expect(record.direction == nil)
  }

  @Test(arguments: [
    ("351#", [UInt8]()), ("351#00", [0]), ("351#FFee", [0xFF, 0xEE]), ("351#aAbBcC", [0xAA, 0xBB, 0xCC]),
    ("351#01020304050607", [1, 2, 3, 4, 5, 6, 7]), ("351#0102030405060708", [1, 2, 3, 4, 5, 6, 7, 8]),
  ])
  func everyLengthOfData(text: String, bytes: [UInt8]) throws {
    let payload = try #require(CANPayload(bytes))
    #expect(try record("(1.0) vcan0 \(text)").frame == .data(CANDataFrame(.standard(0x351), payload)))
  }

  @Test func threeDigitsAreStandardAndEightAreExtended() throws {
    #expect(try record("(1.0) can0 7FF#").frame == .data(CANDataFrame(.standard(0x7FF), [])))
    #expect(try record("(1.0) can0 00000351#").frame == .data(CANDataFrame(.extended(0x351), [])))
    #expect(try record("(1.0) can0 1FFFFFFF#").frame == .data(CANDataFrame(.extended(0x1FFF_FFFF), [])))
    #expect(CandumpLine("(1.0) can0 800#") == .broken(CandumpFault(.identifierRange, column: 12)))
    #expect(CandumpLine("(1.0) can0 40000000#") == .broken(CandumpFault(.identifierRange, column: 12)))
  }

  @Test func remoteFramesAreNeverData() throws {
    #expect(try record("(1.0) can0 123#R").frame == .remote(CANRemoteFrame(.standard(0x123))))
    #expect(try record("(1.0) can0 123#R4").frame == .remote(CANRemoteFrame(.standard(0x123), requestedLength: 4)))
    #expect(
      try record("(1.0) can0 18EAFFFE#R8").frame == .remote(CANRemoteFrame(.extended(0x18EA_FFFE), requestedLength: 8)))
    #expect(
      try record("  can0  123   [4]  remote request").frame
        == .remote(CANRemoteFrame(.standard(0x123), requestedLength: 4)))
    #expect(CandumpLine("(1.0) can0 123#R9") == .broken(CandumpFault(.length, column: 17)))
  }

  @Test func errorFramesAreNeverData() throws {
    let busOff = CANErrorFrame(.busOff, details: [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(try record("(1.0) can0 20000040#0000000000000000").frame == .error(busOff))
    #expect(
      try record("  can0  20000004   [8]  00 04 00 00 00 00 00 60   ERRORFRAME").frame
        == .error(CANErrorFrame(.controller, details: [0, 4, 0, 0, 0, 0, 0, 0x60])))
    #expect(CandumpLine("\tcontroller-problem{rx-error-warning}") == .empty)
  }

  @Test func flexibleDataRateFramesAreTheirOwnOutcome() {
    #expect(CandumpLine("(1.0) can0 123##1112233") == .canFD)
    #expect(CandumpLine("(1.0) can0 18EEFF00##0") == .canFD)
    #expect(CandumpLine("  can0  123  [08]  11 22 33 44 55 66 77 88") == .canFD)
    #expect(CandumpLine("  can0  123  [64]  11 22 33") == .canFD)
  }

  @Test func consoleLines() throws {
    let expected = CANFrame.data(CANDataFrame(.extended(0x18EE_FF00), [1, 2, 3, 4, 5, 6, 7, 8]))
    let plain = try record("  can0  18EEFF00   [8]  01 02 03 04 05 06 07 08")
    #expect(plain.frame == expected)
    #expect(plain.microseconds == nil)
    #expect(plain.interface == 2..<6)

    let absolute = try record(" (1587256555.571000)  can0  18EEFF00   [8]  01 02 03 04 05 06 07 08   '........'")
    #expect(absolute.frame == expected)
    #expect(absolute.microseconds == 1_587_256_555_571_000)

    #expect(try record(" (000.000012)  can0  351   [0]").microseconds == 12)
    #expect(try record(" (0000000001.500000)  vcan0  351   [2]  00 01").microseconds == 1_500_000)
    #expect(try record(" (1.123456789)  vcan0  351   [2]  00 01").microseconds == 1_123_456)
    #expect(try record("  can0  351   [0]  ").frame == .data(CANDataFrame(.standard(0x351), [])))
  }

  @Test func directionOfExtraMessageInformation() throws {
    #expect(try record("(1.0) can0 123#11 R").direction == .received)
    #expect(try record("(1.0) can0 123#1122334455667788 T").direction == .sent)
    #expect(try record("(1.0) can0 123#R T").direction == .sent)
    let console = try record("  vcan0  TX - -  123   [2]  11 22")
    #expect(console.direction == .sent)
    #expect(console.frame == .data(CANDataFrame(.standard(0x123), [0x11, 0x22])))
    #expect(try record("  vcan0  RX B E  12345678   [1]  11").direction == .received)
  }

  @Test func dates() throws {
    for (time, seconds) in [
      ("1970-01-01 00:00:00", 0), ("2026-11-29 02:00:00", 1_795_917_600), ("2024-02-29 23:59:59", 1_709_251_199),
      ("2020-04-19 00:35:55", 1_587_256_555),
    ] as [(String, Int64)] {
      let line = try record("(\(time).123456)  can0  123   [2]  11 22")
      #expect(line.microseconds == seconds * 1_000_000 + 123_456, "\(time)")
      #expect(line.frame == .data(CANDataFrame(.standard(0x123), [0x11, 0x22])))
    }
  }

  @Test func commentsAndBlankLines() {
    #expect(CandumpLine("# block 0 canboat/126208.raw") == .comment)
    #expect(CandumpLine("  #") == .comment)
    #expect(CandumpLine("") == .empty)
    #expect(CandumpLine(" \r") == .empty)
  }

  @Test func carriageReturnsAreNoPartOfAFrame() throws {
    #expect(try record("(1.0) can0 123#11\r").frame == .data(CANDataFrame(.standard(0x123), [0x11])))
  }

  @Test(arguments: [
    ("(1587256555.571000 can0 123#", CandumpFault.Expected.timestamp, 19),
    ("(15872565x5.571000) can0 123#", .timestamp, 10),
    ("(2020-04-19T00:35:55.571000) can0 123#", .timestamp, 12),
    ("(2020-13-19 00:35:55.571000) can0 123#", .timestamp, 7),
    ("(2020-04-19 24:35:55.571000) can0 123#", .timestamp, 13),
    ("(1969-12-31 23:59:59.571000) can0 123#", .timestamp, 2),
    ("(2020-04-19 00:35:55) can0 123#", .timestamp, 21),
    ("(2020-04-19 00:35", .timestamp, 18),
    ("(2020-", .timestamp, 7),
    ("(1234567890123.5) can0 123#", .timestamp, 14),
    ("(1.) can0 123#", .timestamp, 4),
    ("(1.0)", .interface, 6),
    ("(1.0) an_interface_name 123#", .interface, 7),
    ("(1.0) can0", .identifier, 11),
    ("(1.0) can0 12#00", .identifier, 14),
    ("(1.0) can0 1234#00", .identifier, 16),
    ("(1.0) can0 123", .separator, 15),
    ("(1.0) can0 12G#00", .identifier, 14),
    ("(1.0) can0 123#0", .dataByte, 17),
    ("(1.0) can0 123#0G", .dataByte, 17),
    ("(1.0) can0 123#001122334455667", .dataByte, 31),
    ("(1.0) can0 123#001122334455667X", .dataByte, 31),
    ("(1.0) can0 123#00112233445566778", .atMostEightBytes, 32),
    ("(1.0) can0 123#00 nonsense", .endOfLine, 18),
    ("(1.0) can0 20000004#R", .dataByte, 21),
    ("  can0  123   [9]  00", .length, 16),
    ("  can0  123   []  00", .length, 16),
    ("  can0  123   8  00", .separator, 15),
    ("  can0  123   [2]  00", .dataByte, 22),
    ("  can0  123   [1]  00 11", .endOfLine, 23),
    ("  can0  123   [2]  0011", .dataByte, 22),
    ("\u{FF}\u{FF}\u{FF}", .identifier, 7),
  ])
  func brokenLinesSayWhatWasExpectedWhere(line: String, expected: CandumpFault.Expected, column: Int) {
    #expect(CandumpLine(line) == .broken(CandumpFault(expected, column: column)))
  }

  @Test func faultReadsAsASentence() {
    #expect(
      CandumpFault(.dataByte, column: 17).description == "column 17: expected a data byte of two hexadecimal digits")
  }

  @Test func cansendForm() {
    func frame(_ text: String) -> CANFrame? {
      guard case .frame(let record) = CandumpLine(cansend: text) else { return nil }
      return record.frame
    }
    #expect(
      frame("5A1#11.2233.44556677")
        == .data(CANDataFrame(.standard(0x5A1), [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77])))
    #expect(frame("18EEFF00#") == .data(CANDataFrame(.extended(0x18EE_FF00), [])))
    #expect(frame("123#R5\n") == .remote(CANRemoteFrame(.standard(0x123), requestedLength: 5)))
    #expect(
      frame("123#1122334455667788_E")
        == .data(CANDataFrame(.standard(0x123), [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88])))
    #expect(CandumpLine(cansend: "123##0112233") == .canFD)
    #expect(CandumpLine(cansend: "123") == .broken(CandumpFault(.separator, column: 4)))
    #expect(CandumpLine(cansend: "123#1") == .broken(CandumpFault(.dataByte, column: 6)))
    #expect(CandumpLine(cansend: "123#11 R") == .broken(CandumpFault(.endOfLine, column: 7)))
    #expect(CandumpLine(cansend: "") == .empty)
  }

  @Test func writtenLinesAreThoseOfCandump() {
    var text: [UInt8] = []
    let data = CANFrame.data(CANDataFrame(.extended(0x09ED_4300), [0x00, 0x15, 0xFF]))
    CandumpText.appendLogLine(data, microseconds: 1_587_256_555_000_012, interface: "can0", to: &text)
    CandumpText.appendLogLine(data, microseconds: 12_000_000_000_000_000, interface: "can0", to: &text)
    CandumpText.appendConsoleLine(data, interface: "can0", to: &text)
    CandumpText.appendConsoleLine(
      .remote(CANRemoteFrame(.standard(0x123), requestedLength: 4)), microseconds: 5, interface: "vcan0", to: &text)
    CandumpText.appendConsoleLine(
      .error(CANErrorFrame(.busOff, details: [0, 0, 0, 0, 0, 0, 0, 0])), interface: "can0", to: &text)
    #expect(
      String(decoding: text, as: UTF8.self) == """
        (1587256555.000012) can0 09ED4300#0015FF
        (12000000000.000000) can0 09ED4300#0015FF
          can0  09ED4300   [3]  00 15 FF
         (0000000000.000005)  vcan0       123   [4]  remote request
          can0  20000040   [8]  00 00 00 00 00 00 00 00   ERRORFRAME

        """)
  }

  /// What candump of can-utils 2020.11 printed for the same ten frames, by its options.
  @Test func whatCandumpPrintsIsReadInEveryForm() throws {
    let forms = [
      """
        vcan0  18EEFF00   [8]  01 02 03 04 05 06 07 08
        vcan0       351   [0]\u{20}
        vcan0       351   [1]  41
        vcan0       123   [0]  remote request
        vcan0       123   [4]  remote request
        vcan0  1FFFFFFF   [8]  remote request
        vcan1       123  [03]  11 22 33
        vcan0       123   [8]  11 22 33 44 55 66 77 88
        vcan0  20000004   [8]  00 04 00 00 00 00 00 60   ERRORFRAME
        vcan0  20000040   [1]  00                        ERRORFRAME
      """,
      """
      (1795250207.572076) vcan0 18EEFF00#0102030405060708
      (1795250207.592642) vcan0 351#
      (1795250207.616289) vcan0 351#41
      (1795250207.640569) vcan0 123#R
      (1795250207.710749) vcan0 123#R4
      (1795250207.739888) vcan0 1FFFFFFF#R8
      (1795250207.771686) vcan1 123##5112233
      (1795250207.795958) vcan0 123#1122334455667788
      (1795250207.816353) vcan0 20000004#0004000000000060
      (1795250207.840076) vcan0 20000040#00
      """,
      """
       (000.000000)  vcan0  TX - -  18EEFF00   [8]  01 02 03 04 05 06 07 08   '........'
       (000.016465)  vcan0  TX - -       351   [0]                            ''
       (000.015116)  vcan0  TX - -       351   [1]  41                        'A'
       (000.015425)  vcan0  TX - -       123   [0]  remote request
       (000.048372)  vcan0  TX - -       123   [4]  remote request
       (000.045223)  vcan0  TX - -  1FFFFFFF   [8]  remote request
       (000.015900)  vcan1  TX B -       123  [03]  11 22 33                  '."3'
       (000.040151)  vcan0  TX - -       123   [8]  11 22 33 44 55 66 77 88   '."3DUfw.'
       (000.035743)  vcan0  TX - -  20000004   [8]  00 04 00 00 00 00 00 60   ERRORFRAME
       (000.039112)  vcan0  TX - -  20000040   [1]  00                        ERRORFRAME
      """,
    ]
    let eight = try #require(CANPayload([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]))
    let expected: [CANFrame?] = [
      .data(CANDataFrame(.extended(0x18EE_FF00), [1, 2, 3, 4, 5, 6, 7, 8])),
      .data(CANDataFrame(.standard(0x351), [])),
      .data(CANDataFrame(.standard(0x351), [0x41])),
      .remote(CANRemoteFrame(.standard(0x123))),
      .remote(CANRemoteFrame(.standard(0x123), requestedLength: 4)),
      .remote(CANRemoteFrame(.extended(0x1FFF_FFFF), requestedLength: 8)),
      nil,
      .data(CANDataFrame(.standard(0x123), eight)),
      .error(CANErrorFrame(.controller, details: [0, 4, 0, 0, 0, 0, 0, 0x60])),
      .error(CANErrorFrame(.busOff, details: [0])),
    ]
    for form in forms {
      let lines = form.split(separator: "\n")
      #expect(lines.count == expected.count)
      for (line, frame) in zip(lines, expected) {
        if let frame {
          #expect(try record(String(line)).frame == frame)
        } else {
          #expect(CandumpLine(String(line)) == .canFD)
        }
      }
    }
    // And written as candump writes them.
    var console: [UInt8] = []
    var log: [UInt8] = []
    for line in forms[1].split(separator: "\n") {
      guard case .frame(let record) = CandumpLine(String(line)), let time = record.microseconds else { continue }
      CandumpText.appendConsoleLine(record.frame, interface: "vcan0", to: &console)
      CandumpText.appendLogLine(record.frame, microseconds: time, interface: "vcan0", to: &log)
    }
    func classicLines(_ form: String) -> [Substring] { form.split(separator: "\n").filter { !$0.contains("vcan1") } }
    #expect(String(decoding: console, as: UTF8.self).split(separator: "\n") == classicLines(forms[0]))
    #expect(String(decoding: log, as: UTF8.self).split(separator: "\n") == classicLines(forms[1]))
  }

  @Test func everyFrameSurvivesEveryForm() throws {
    var random = SeededGenerator(seed: 1)
    for _ in 0..<5_000 {
      let identifier: CANIdentifier =
        random.next() & 1 == 0
        ? .standard(UInt16(truncatingIfNeeded: random.next())) : .extended(UInt32(truncatingIfNeeded: random.next()))
      let payload = CANPayload(littleEndian: random.next(), count: Int(random.next() % 9))
      let frame: CANFrame =
        switch random.next() % 3 {
        case 0: .data(CANDataFrame(identifier, payload))
        case 1: .remote(CANRemoteFrame(identifier, requestedLength: UInt8(random.next() % 9)))
        default:
          .error(
            CANErrorFrame(
              CANErrorFrame.Conditions(rawValue: UInt32(truncatingIfNeeded: random.next()) & 0x1FFF_FFFF),
              details: payload))
        }
      let time = Int64(random.next() % 99_999_999_999_999_999)
      var log: [UInt8] = []
      CandumpText.appendLogLine(frame, microseconds: time, interface: "can0", to: &log)
      var console: [UInt8] = []
      CandumpText.appendConsoleLine(frame, microseconds: time, interface: "can0", to: &console)
      for text in [log, console] {
        let record = try record(String(decoding: text, as: UTF8.self))
        #expect(record.frame == frame)
        #expect(record.microseconds == time)
      }
      var compact: [UInt8] = []
      CandumpText.appendCompact(frame, to: &compact)
      #expect(CandumpLine(cansend: compact.span) == .frame(CandumpRecord(frame, microseconds: nil, interface: 0..<0)))
    }
  }

  /// Nothing may trap on what a file holds: every cut and many flipped bytes of every form, and pure noise.
  @Test func hostileLinesNeverTrap() {
    let forms = [
      "(1587256555.571000) can0 09ED4300#00150116F001FF01 T",
      "  can0  18EEFF00   [8]  01 02 03 04 05 06 07 08   '........'",
      " (000.000012)  vcan0  TX - -  123   [4]  remote request", "123#R8_F", "(1.0) can0 20000004#0001 R",
    ]
    var random = SeededGenerator(seed: 2)
    var outcomes = 0
    func read(_ bytes: [UInt8]) {
      if case .frame = CandumpLine(bytes.span) { outcomes += 1 }
      if case .frame = CandumpLine(cansend: bytes.span) { outcomes += 1 }
    }
    for form in forms {
      let bytes = Array(form.utf8)
      for length in 0...bytes.count {
        read(Array(bytes.prefix(length)))
        read(Array(bytes.suffix(length)))
      }
      for _ in 0..<5_000 {
        var changed = bytes
        for _ in 0...(random.next() % 3) {
          changed[Int(random.next() % UInt64(changed.count))] = UInt8(truncatingIfNeeded: random.next())
        }
        read(changed)
      }
    }
    for _ in 0..<5_000 {
      read((0..<Int(random.next() % 80)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }
    #expect(outcomes > 1_000)
  }
}
