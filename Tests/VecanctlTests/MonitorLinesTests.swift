import CANBus
import MonotonicTime
import NMEA2000
import Testing

@testable import vecanctl

/// 2020-04-19T00:35:55.571Z.
private let noon: Int64 = 1_587_256_555_571_000

private func frame(_ text: String) throws -> CANFrame {
  guard case .frame(let record) = CandumpLine(cansend: text) else { throw CandumpFault(.identifier, column: 1) }
  return record.frame
}

/// The lines that a monitor writes for frames, without their time.
private func lines(
  _ frames: [String], _ style: MessageStyle = .text, filter: MonitorFilter = MonitorFilter(), limit: Int = .max
) throws -> [String] {
  var monitor = MonitorLines(style, filter: filter, limit: limit)
  for text in frames { monitor.receive(try frame(text), at: .origin, microseconds: noon) }
  return monitor.writer.text.string.split(separator: "\n").map {
    String($0.dropFirst(style == .text ? "2020-04-19T00:35:55.571Z ".count : 0))
  }
}

/// The frames of product information of a model, from 0x24.
private func product(_ model: FixedText) -> [String] {
  var message = ProductInformation()
  message.model = model
  var sender = FastPacketSender()
  var frames: [String] = []
  _ = message.withPayload { payload in
    sender.send(payload, as: MessageIdentifier(priority: 6, pgn: 126996, source: 0x24)) { frame in
      frames.append(CandumpText.compact(.data(frame)))
    }
  }
  return frames
}

@Suite("vecanctl monitor: what a line says")
struct MonitorLinesTests {
  private let battery = "19F21424#002F05A3FD777400"

  @Test("a message has time, source, PGN, name, and values with units; temperatures in degrees Celsius")
  func message() throws {
    var monitor = MonitorLines(.text)
    monitor.receive(try frame(battery), at: .origin, microseconds: noon)
    #expect(
      monitor.writer.text.string
        == "2020-04-19T00:35:55.571Z  36                          127508 Battery Status: Instance: 0, Voltage: 13.27 V, "
        + "Current: -60.5 A, Temperature: 25.00 °C, SID: 0\n")
  }

  @Test("the sender is called by its maker after its claim, and by its model once that is known")
  func names() throws {
    // 358 is Victron Energy.
    let name = Name(uniqueNumber: 7, manufacturer: 358, function: 170, deviceClass: 35)
    var claim = ""
    ISOAddressClaim(name).withPayload { payload in
      claim = "18EEFF24#" + LongPayload(payload).hexadecimal(from: 0, to: 8).filter { $0 != " " }
    }
    let heard = try lines([claim, battery] + product("Lynx Smart BMS 500") + [battery])
    #expect(heard.count == 4)
    #expect(heard[1].hasPrefix(" 36     Victron Energy       127508 Battery Status"))
    #expect(heard[3].hasPrefix(" 36     Lynx Smart BMS 500   127508 Battery Status"))
  }

  @Test("a model with an escape sequence can't steer the terminal")
  func hostileName() throws {
    let heard = try lines(product("A\u{1B}[2J") + [battery])
    #expect(heard.last?.hasPrefix(" 36     A?[2J                127508") == true)
    #expect(!heard.joined().contains("\u{1B}"))
  }

  @Test("a message to one address shows it")
  func addressed() throws {
    #expect(
      try lines(["18EA2A24#14F001"]) == [
        " 36>42                       59904 ISO Request: PGN: 126996 (Product Information)"
      ])
  }

  @Test("registers have names and units, unknown ones their number and bytes, another maker's message neither")
  func registers() throws {
    let heard = try lines([
      "1CEFFF24#669990038C050000", "1CEFFF24#66990220F8040000", "1CEFFF24#9899010203040506",
      "1CEFFF24#6699F820F8040000",
    ])
    #expect(heard[0].hasSuffix(" 61184 0x0390 Charge Voltage Limit: 14.20 V"))
    #expect(heard[1].hasSuffix(" 61184 0x2002 DC Voltage: 12.72 V"))
    #expect(heard[2].contains(" 61184 0xEF00: Manufacturer Proprietary single-frame addressed"))
    #expect(heard[3].hasSuffix(" 61184 0x20F8 unknown register: F8 04 00 00"))
  }

  @Test("the slow 11-bit frames have names too: cells, modules, texts, energy, capacity; a BYD's 01 17 is version 1.17")
  func slowBatteryFrames() throws {
    let told = try lines([
      "372#0400010002000300", "373#E20C030D28012B01", "373#E20C030D", "374#4231433100000000", "377#4231433400000000",
      "378#D2040000E8030000", "379#2003", "370#486F757365206261", "371#6E6B2C20706F7274", "380#5631323334353637",
      "381#3800000000000000", "382#766563616E640000", "35F#4C690117C8000000",
    ])
    let start = "11-bit                       "
    #expect(
      told == [
        start + "372 Battery modules: Online: 4, Blocking charge: 1, Blocking discharge: 2, Offline: 3",
        start + "373 Battery cells: Lowest: 3.298 V, Highest: 3.331 V, Coldest: 23 °C, Hottest: 26 °C",
        start + "373 Battery cells: Lowest: 3.298 V, Highest: 3.331 V",
        start + "374 Battery cell of the lowest voltage: Name: B1C1",
        start + "377 Battery cell of the highest temperature: Name: B1C4",
        start + "378 Battery energy: Charged: 123.4 kWh, Discharged: 100.0 kWh",
        start + "379 Battery capacity installed: Capacity: 800 Ah",
        start + "370 Battery name: Text: House ba", start + "371 Battery name, second half: Text: nk, port",
        start + "380 Battery serial number: Text: V1234567",
        start + "381 Battery serial number, second half: Text: 8", start + "382 Battery family: Text: vecand",
        start + "35F Battery product: Product: 26956, Version: 1.17, Capacity: 200 Ah",
      ])
  }

  @Test("every register that vecand sends by itself is told by its name, none by bytes")
  func ownRegisters() throws {
    let sent = [
      "0391D0070000", "039370170000", "03908C050000", "039210040000", "210894000000", "210705150100", "210209000000",
      "210010000006", "210100000000", "020003000000", "020103000000",
    ].map { "1CEFFF23#6699\($0.dropFirst(2).prefix(2))\($0.prefix(2))\($0.dropFirst(4).prefix(8))" }
    for line in try lines(sent) {
      #expect(line.contains(" 61184 0x"))
      #expect(!line.contains("unknown register") && line.contains(": "), "\(line)")
      // Two digits without a letter before or behind are bytes.
      #expect(line.firstMatch(of: /: [0-9A-F]{2} [0-9A-F]{2}/) == nil, "\(line)")
    }
  }

  @Test("11-bit battery frames have names and values; others and remote frames are told as they are")
  func elevenBits() throws {
    let heard = try lines([
      "351#8E00D00770176800", "355#58006400", "356#2F05A3FDD3FF", "35A#2400000028100000", "35E#766563616E640000",
      "35F#02010204C8000000", "305#0000000000000000", "351#8E00", "123#0102", "123#R4",
    ])
    let start = "11-bit                       "
    #expect(
      heard == [
        start + "351 Battery limits: CVL: 14.2 V, CCL: 200.0 A, DCL: 600.0 A, Discharge voltage: 10.4 V",
        start + "355 Battery state of charge: State of charge: 88.00 %, State of health: 100 %",
        start + "356 Battery measurements: Voltage: 13.27 V, Current: -60.5 A, Temperature: -4.5 °C",
        start
          + "35A Battery alarms: high voltage: alarm, low charge temperature: warning, the other 1 fine",
        start + "35E Battery manufacturer: Name: vecand",
        start + "35F Battery product: Product: 258, Version: 2.4, Capacity: 200 Ah",
        start + "305 Keep-alive of GX or inverter", start + "351 8E00", start + "123 0102",
        start + "123 remote frame, asks for 4 bytes",
      ])
  }

  @Test("alarms of which all are fine are told in three words, none supported in none; JSON names each")
  func alarms() throws {
    #expect(try lines(["35A#2800000028000000"]).first?.hasSuffix("35A Battery alarms: all 2 fine") == true)
    #expect(try lines(["35A#0000000000000000"]).first?.hasSuffix("35A Battery alarms") == true)
    #expect(
      try lines(["35A#2800000028000000"], .json).first?.hasSuffix(
        #""fields":{"high voltage":"fine","low voltage":"fine"}}"#) == true)
  }

  @Test("a fast packet is one line, and its pieces none")
  func fastPacket() throws {
    let frames = product("Battery")
    #expect(try lines(Array(frames.dropLast())).isEmpty)
    #expect(try lines(frames).count == 1)
  }

  @Test("a PGN whose framing nobody knows is shown frame by frame, as bytes")
  func unknownFraming() throws {
    #expect(
      try lines(["19F0AA24#0102030405060708"]).first?.hasSuffix(
        "127146 0x1F000-0x1FEFF: Standardized mixed single/fast packet non-addressed: Data: 01 02 03 04 05 06 07 08")
        == true)
  }

  @Test("error frames and changes of the link are lines of their own and do not count")
  func events() throws {
    var monitor = MonitorLines(.text, limit: 1)
    monitor.receive(try frame("20000040#0000000000000000"), at: .origin, microseconds: noon)
    monitor.note(LinkEvent(.down, at: .origin, text: "can0: the interface is down"), microseconds: noon)
    let isComplete = monitor.isComplete
    #expect(!isComplete)
    #expect(
      monitor.writer.text.string.split(separator: "\n").map { $0.dropFirst(25) } == [
        "error                        bus-off", "link                         can0: the interface is down",
      ])
  }

  @Test("a filter keeps PGNs and sources, and leaves out what has neither")
  func filtered() throws {
    let frames = [battery, "19F21425#002F05A3FD777400", "1CEFFF24#669990038C050000", "351#8E00D00770176800"]
    #expect(try lines(frames).count == 4)
    #expect(try lines(frames, filter: MonitorFilter(pgns: [127508])).count == 2)
    #expect(try lines(frames, filter: MonitorFilter(sources: [0x24])).count == 2)
    #expect(try lines(frames, filter: MonitorFilter(pgns: [127508], sources: [0x24])).count == 1)
  }

  @Test("no more lines than wanted")
  func limited() throws {
    #expect(try lines([battery, battery, battery], limit: 2).count == 2)
  }

  @Test("JSON has the form of canboat's analyzer for NMEA 2000, and objects with an id for other frames")
  func json() throws {
    #expect(
      try lines([battery, "351#8E00D00770176800", "35E#2241000000000000", "123#R4"], .json) == [
        #"{"timestamp":"2020-04-19T00:35:55.571Z","prio":6,"src":36,"dst":255,"pgn":127508,"description":"Battery Status","#
          + #""fields":{"Instance":{"value":0,"key":true},"Voltage":13.27,"Current":-60.5,"Temperature":298.15,"SID":0}}"#,
        #"{"timestamp":"2020-04-19T00:35:55.571Z","id":"351","description":"Battery limits","#
          + #""fields":{"CVL":14.2,"CCL":200.0,"DCL":600.0,"Discharge voltage":10.4}}"#,
        #"{"timestamp":"2020-04-19T00:35:55.571Z","id":"35E","description":"Battery manufacturer","#
          + #""fields":{"Name":"\"A"}}"#,
        #"{"timestamp":"2020-04-19T00:35:55.571Z","id":"123","description":"Remote frame","fields":{"Length":4}}"#,
      ])
  }
}
