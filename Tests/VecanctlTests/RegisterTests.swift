import ArgumentParser
import CANBus
import MonotonicTime
import NMEA2000
import Testing
import VECan

@testable import vecanctl

/// A client on a quiet bus: what it sends is kept as text, what devices say is put in by hand.
private struct Rig {
  var client: RegisterClient
  var now = Instant.origin
  var sent: [String] = []

  init(_ requests: [RegisterClient.Request], to target: RegisterClient.Target = .address(35)) {
    client = RegisterClient(requests, to: target, patience: .seconds(2), seed: 7, at: now)
  }

  mutating func advance(_ span: TimeSpan) {
    let end = now + span
    while now < end {
      now += .milliseconds(1)
      client.tick(at: now)
      collect()
    }
  }

  mutating func say(_ text: String) throws {
    guard case .frame(let record) = CandumpLine(cansend: text), case .data(let frame) = record.frame else {
      Issue.record("\(text) is no frame")
      return
    }
    client.receive(frame, at: now)
    collect()
  }

  mutating func collect() {
    while let entry = client.outbox.popFirst() { sent.append(CandumpText.compact(.data(entry.frame))) }
  }

  /// What was sent of registers.
  var asked: [String] { sent.filter { $0.dropFirst(2).hasPrefix("EF") } }

  var lines: [String] { client.answers.map { RegisterRead.line($0, isNamed: false) } }
}

@Suite("vecanctl register: what is asked, and what comes of it")
struct RegisterClientTests {
  @Test("it asks from an address of its own, and the answer to all is the answer")
  func read() throws {
    var rig = Rig([.read(0x0390, mask: 0xFFFF)])
    rig.advance(.milliseconds(600))
    #expect(rig.sent.contains { $0.hasPrefix("18EEFFC8#") })
    #expect(rig.asked == ["1CEF23C8#669901009003FFFF"])
    // Another register, another device, another maker.
    try rig.say("1CEFFF23#66999103D0070000")
    try rig.say("1CEFFF24#669990038C050000")
    try rig.say("1CEFFF23#679990038C050000")
    #expect(!rig.client.isFinished)
    try rig.say("1CEFFF23#669990038C050000")
    #expect(rig.client.isFinished && rig.client.failure == nil)
    #expect(rig.lines == ["0x0390 Charge Voltage Limit: 14.20 V"])
    let answer = try #require(rig.client.answers.first)
    #expect(
      RegisterRead.json(answer) == #"{"src":35,"register":912,"name":"Charge Voltage Limit","value":14.20,"unit":"V"}"#)
  }

  @Test("several are asked one after the other")
  func several() throws {
    var rig = Rig([.read(0x0FFF, mask: 0xFFFF), .read(0x2102, mask: 0xFFFF)])
    rig.advance(.milliseconds(600))
    try rig.say("1CEFFF23#6699FF0F10270000")
    rig.advance(.milliseconds(10))
    #expect(rig.asked == ["1CEF23C8#66990100FF0FFFFF", "1CEF23C8#669901000221FFFF"])
    try rig.say("1CEFFF23#6699022109000000")
    #expect(rig.client.isFinished)
    #expect(rig.lines == ["0x0FFF State of Charge: 100.00 %", "0x2102 Lynx BMS State: running"])
  }

  @Test("a block ends half a second after its last register; each device's register is told once")
  func masked() throws {
    var rig = Rig([.read(0x0390, mask: 0xFFF0)], to: .all)
    rig.advance(.milliseconds(600))
    #expect(rig.asked == ["1CEFFFC8#669901009003F0FF"])
    try rig.say("1CEFFF23#669990038C050000")
    rig.advance(.milliseconds(400))
    try rig.say("1CEFFF24#669990038C050000")
    try rig.say("1CEFFF23#669990038D050000")
    try rig.say("1CEFFF23#66999103FFFFFFFF")
    rig.advance(.milliseconds(490))
    #expect(!rig.client.isFinished)
    rig.advance(.milliseconds(20))
    #expect(rig.client.isFinished && rig.client.failure == nil)
    #expect(rig.client.answers.map(\.source) == [35, 36, 35])
    #expect(rig.lines.last == "0x0391 Charge Current Limit: not available")
    let last = try #require(rig.client.answers.last)
    #expect(RegisterRead.json(last) == #"{"src":35,"register":913,"name":"Charge Current Limit"}"#)
  }

  @Test("a text comes as a fast packet")
  func text() throws {
    var rig = Rig([.read(0x2160, mask: 0xFFFF)])
    rig.advance(.milliseconds(600))
    try rig.say("1DEFFF23#000B669960214675")
    try rig.say("1DEFFF23#0173655F3100FFFF")
    #expect(rig.lines == ["0x2160 Fuse Name A1: \"Fuse_1\""])
  }

  @Test("a refusal is told with its register and code, and is no matter of others")
  func refused() throws {
    var rig = Rig([.read(0x1234, mask: 0xFFFF)])
    rig.advance(.milliseconds(600))
    try rig.say("1CEFC824#6699020034120080")
    try rig.say("1CEFC823#6699020090030080")
    #expect(!rig.client.isFinished)
    try rig.say("1CEFC823#6699020034120080")
    #expect(rig.client.failure == "device 35 refuses 0x1234: no such register to read (0x8000)")
  }

  @Test("a read is repeated once after half of its time; then nobody was there")
  func timeout() {
    var rig = Rig([.read(0x0390, mask: 0xFFFF)])
    rig.advance(.milliseconds(3000))
    #expect(rig.asked.count == 2)
    #expect(rig.client.failure == "device 35 did not answer for 0x0390 Charge Voltage Limit in 2.00 s")
  }

  @Test("a write is done when the new value is told, and never repeated")
  func write() throws {
    var rig = Rig([.write(0x0200, LongPayload(ShortPayload(littleEndian: 0xFC, count: 1)))])
    rig.advance(.milliseconds(600))
    #expect(rig.asked == ["1CEF23C8#66990002FC000000"])
    try rig.say("1CEFFF23#6699000203000000")
    #expect(!rig.client.isFinished)
    try rig.say("1CEFFF23#66990002FC000000")
    #expect(rig.client.isFinished && rig.client.failure == nil)
    #expect(rig.lines == ["0x0200 Device Mode: standby"])

    rig = Rig([.write(0x0200, LongPayload(ShortPayload(littleEndian: 0xFC, count: 1)))])
    rig.advance(.milliseconds(600))
    try rig.say("1CEFFF23#6699000203000000")
    rig.advance(.milliseconds(2000))
    #expect(rig.asked.count == 1)
    #expect(rig.client.failure == "device 35 did not take the value of 0x0200 Device Mode: it still says on")
  }

  @Test("a device is found by its NAME, wherever it is; one that is not there is told")
  func name() throws {
    let name = Name(uniqueNumber: 42, manufacturer: 2046, function: 170, deviceClass: 35)
    var rig = Rig([.read(0x0390, mask: 0xFFFF)], to: .name(name))
    rig.advance(.milliseconds(500))
    var bytes = ""
    for index in 0..<8 {
      let byte = UInt8(truncatingIfNeeded: name.rawValue >> UInt64(index * 8))
      bytes += (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
    try rig.say("18EEFF4D#\(bytes)")
    rig.advance(.milliseconds(200))
    #expect(rig.asked == ["1CEF4DC8#669901009003FFFF"])

    rig = Rig([.read(0x0390, mask: 0xFFFF)], to: .name(name))
    rig.advance(.milliseconds(4000))
    #expect(rig.asked.isEmpty)
    #expect(rig.client.failure?.hasPrefix("there is no device with NAME") == true)
  }
}

@Suite("vecanctl register: arguments and values")
struct RegisterArgumentTests {
  private static func bytes(_ key: String, _ text: String?) throws -> String {
    let definition = try #require(Register(key: key)).definition
    let payload = try definition.bytes(typed: text)
    return payload.hexadecimal(from: 0, to: payload.count)
  }

  @Test("numbers in the unit that is shown, codes by number or name, flags as one number, texts")
  func values() throws {
    #expect(try Self.bytes("battery-capacity", "300") == "2C 01")
    #expect(try Self.bytes("charged-voltage", "14.2") == "8E 00")
    #expect(try Self.bytes("minimum-charge-temperature", "5") == "A7 6C")
    #expect(try Self.bytes("charged-detection-time", "180") == "03 00")
    #expect(try Self.bytes("device-mode", "standby") == "FC")
    #expect(try Self.bytes("device-mode", "3") == "03")
    #expect(try Self.bytes("lynx-bms-settings", "0x17") == "17 00 00 00")
    #expect(try Self.bytes("fuse-name-a1", "Bow") == "42 6F 77 00")
    #expect(try Self.bytes("clear-history", nil) == "00 00 00 00")
  }

  @Test("what a register cannot hold is a wrong argument")
  func impossible() {
    for (key, text) in [
      ("battery-capacity", "many"), ("battery-capacity", "70000"), ("battery-capacity", "-1"), ("device-mode", "fast"),
      ("lynx-bms-settings", "on"), ("fuse-name-a1", "seventeen letters"), ("clear-history", "1"),
    ] {
      #expect(throws: Failure.self, "\(key) \(text)") { try Self.bytes(key, text) }
    }
    #expect(throws: Failure.self) { try Self.bytes("battery-capacity", nil) }
  }

  @Test("devices are addresses and NAMEs; registers numbers and names; all only to read from")
  func arguments() throws {
    let read = try RegisterRead.parse(["--device", "0x23", "912", "charge-current-limit"])
    #expect(try read.target.target() == .address(35))
    #expect(try read.requests().map(\.id) == [0x0390, 0x0391])
    #expect(
      try RegisterRead.parse(["--device", "C0AA4600FFC0002A", "1"]).target.target()
        == .name(Name(rawValue: 0xC0AA_4600_FFC0_002A)))
    for arguments in [
      ["912"], ["--device", "252", "912"], ["--device", "35"], ["--device", "35", "65536"],
      ["--device", "35", "no-such"], ["--device", "35", "--mask", "0xFF00", "1", "2"],
      ["--device", "35", "--mask", "0x1FFFF", "1"], ["--device", "35", "--timeout", "0", "1"],
    ] {
      #expect(throws: (any Error).self, "\(arguments)") { try RegisterRead.parse(arguments) }
    }
    for arguments in [
      ["--device", "all", "0x1000", "1"], ["--device", "35", "0x0390", "1"], ["--device", "35", "0x1000"],
      ["--device", "35", "0x7000", "1"], ["--device", "35", "0x7000", "--raw", "1"],
      ["--device", "35", "0x1000", "1", "--raw", "01"],
    ] {
      #expect(throws: (any Error).self, "\(arguments)") { try RegisterWrite.parse(arguments) }
    }
    #expect(try RegisterWrite.parse(["--device", "35", "0x7000", "--raw", "2C 01"]).request().id == 0x7000)
  }

  @Test("the list finds by name and by number")
  func list() throws {
    let row = try #require(Register(key: "charge-voltage-limit")).definition
    #expect(RegisterList.line(row).hasPrefix("0x0390  charge-voltage-limit"))
    #expect(RegisterList.passes(row, "Limit") && RegisterList.passes(row, "0x039") && !RegisterList.passes(row, "fuse"))
    #expect(
      RegisterList.json(row)
        == #"{"register":912,"key":"charge-voltage-limit","name":"Charge Voltage Limit","length":4,"unit":"V","#
        + #""access":"read","sent":"on change","confidence":"V","source":"REGS"}"#)
  }
}
