import BMSCore
import CANBus
import MonotonicTime
import NMEA2000
import Testing
import VECan

@testable import BMSDevice

extension Bench {
  /// The address of somebody who asks.
  static let asker: UInt8 = 50

  /// Sends a message of registers to the device, or to all, and moves time on until everything is answered.
  ///
  /// - Returns: what the device answered, by CAN identifier and bytes; its own publications of other registers left out.
  mutating func ask(
    _ payload: [UInt8], to destination: UInt8 = 35, within span: TimeSpan = .milliseconds(5)
  ) -> [String] {
    let start = sent.count
    let identifier = MessageIdentifier(
      priority: 7, pgn: payload.count <= 8 ? 61184 : 126720, source: Self.asker, destination: destination)
    if payload.count <= 8 {
      var bits: UInt64 = 0
      for (index, byte) in payload.enumerated() { bits |= UInt64(byte) << UInt64(index * 8) }
      put(CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: bits, count: payload.count)))
    } else {
      var frames: [CANDataFrame] = []
      var sender = FastPacketSender()
      sender.send(payload.span.bytes, as: identifier) { frames.append($0) }
      for frame in frames { put(frame) }
    }
    advance(span)
    return sent[start...].compactMap { entry in
      let frame = entry.entry.frame
      // The node asks a stranger for its claim; that is no business of registers.
      guard entry.entry.urgency == .answer, MessageIdentifier(frame.identifier)?.pgn != 59904 else { return nil }
      return CandumpText.compact(.data(frame))
    }
  }

  /// Reads one register: the 8 bytes of the only answer, to all from address 35 with priority 7.
  mutating func read(_ id: UInt16) -> String? {
    let answers = ask([0x66, 0x99, 0x01, 0x00, UInt8(id & 0xFF), UInt8(id >> 8), 0xFF, 0xFF])
    guard answers.count == 1, answers[0].hasPrefix("1CEFFF23#") else { return nil }
    return String(answers[0].dropFirst(9))
  }

  /// Writes one register of up to four bytes.
  mutating func write(_ id: UInt16, _ value: UInt32) -> [String] {
    ask(
      [0x66, 0x99, UInt8(id & 0xFF), UInt8(id >> 8)] + (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) })
  }

  /// The refusal of a request by the asker: addressed, with priority 7.
  static func refusal(_ id: UInt16, _ code: UInt16) -> [String] {
    ["1CEF3223#66990200\(hexadecimal(id))\(hexadecimal(code))"]
  }

  static func hexadecimal(_ word: UInt16) -> String {
    [UInt8(word & 0xFF), UInt8(word >> 8)].map {
      ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true)
    }.joined()
  }

  var settings: Settings { device.core.settings }
}

/// What a register of a running 12 V bank of 200 Ah at 13.3 V, 10 A, 25 °C and cells of 3.32 and 3.33 V says.
private let expected: [(Register, String)] = [
  // Version 0.1 as Victron writes v00.01; no Victron product id and no hardware version are claimed.
  (.applicationVersion, "00010000"), (.bmsCapabilities, "01000000"),
  (.deviceMode, "03000000"), (.offReason, "00000000"),
  (.deepestDischarge, "FFFFFF7F"), (.lastDischarge, "FFFFFF7F"), (.averageDischarge, "FFFFFF7F"),
  (.chargeCycles, "00000000"), (.fullDischarges, "00000000"), (.cumulativeDrawn, "00000000"),
  (.minimumVoltage, "32050000"), (.maximumVoltage, "32050000"), (.secondsSinceFullCharge, "FFFFFF7F"),
  (.automaticSynchronisations, "00000000"), (.lowVoltageAlarms, "FFFFFF7F"), (.highVoltageAlarms, "FFFFFF7F"),
  (.dischargedEnergy, "00000000"), (.chargedEnergy, "00000000"),
  (.maximumTemperature, "77740000"), (.minimumTemperature, "77740000"),
  (.warningReason, "00000000"), (.alarmReason, "00000000"), (.relayControl, "00000000"),
  // Bit 4: charging.
  (.bmsFlagsOld, "10000000"),
  (.batteryConfiguration, "FFFF01FF"), (.cellVoltageHistory, "4C014D01"), (.cellVoltages, "4C014D01"),
  (.cellTemperatures, "77747774"), (.batteriesInParallel, "01000000"),
  (.chargeVoltageLimit, "8C050000"), (.chargeCurrentLimit, "D0070000"), (.dischargeVoltageLimit, "10040000"),
  (.dischargeCurrentLimit, "70170000"),
  // 5 °C is 278.15 K.
  (.minimumChargeTemperature, "A76C0000"),
  (.consumed, "FFFFFF7F"), (.consumedOld, "FFFFFF7F"), (.timeToGo, "FFFF0000"), (.stateOfCharge, "FFFF0000"),
  (.batteryCapacity, "C8000000"), (.chargedVoltage, "8C000000"), (.tailCurrent, "28000000"),
  (.chargedDetectionTime, "03000000"), (.chargeEfficiency, "63000000"), (.peukertExponent, "69000000"),
  (.currentThreshold, "05000000"), (.dischargeFloor, "64000000"), (.minimumStateOfCharge, "64000000"),
  // Charging, ATC, ATD.
  (.bmsFlags, "10000006"), (.bmsError, "00000000"), (.bmsState, "09000000"),
  // Pre-alarm, continuous alarm, follow remote, DVCC.
  (.bmsOptions, "17000000"), (.bmsRelayMode, "00000000"),
  // Low cell, high current, cable, load, state of charge and temperature fine; BMS temperature and contact unsupported.
  (.bmsConditions, "05150100"),
  // ATC and ATD yes, relay no; contactor, AUX, remote and alternator not there.
  (.bmsContacts, "94000000"), (.bmsWarnings, "AA000000"), (.bmsAlarms, "AA020000"),
  (.lastErrors, "00000000"), (.lastErrorTime1, "FFFFFFFF"), (.lastErrorTime2, "FFFFFFFF"),
  (.lastErrorTime3, "FFFFFFFF"), (.lastErrorTime4, "FFFFFFFF"), (.lastErrorUptime1, "FFFFFFFF"),
  (.lastErrorUptime2, "FFFFFFFF"), (.lastErrorUptime3, "FFFFFFFF"), (.lastErrorUptime4, "FFFFFFFF"),
  (.distributors, "00000000"), (.fusesA, "00000000"), (.fusesB, "00000000"), (.fusesC, "00000000"),
  (.fusesD, "00000000"),
  (.balancerStatus, "00000000"), (.dischargeOffReason, "00000000"), (.chargeOffReason, "00000000"),
  (.allowToDischargeOffReason, "00000000"), (.allowToChargeOffReason, "00000000"),
  (.currentFine, "10270000"), (.voltage, "32050000"), (.power, "85000000"), (.current, "64000000"),
  (.nominalVoltage, "0C000000"), (.temperature, "77740000"), (.nominalSystemVoltage, "0C000000"),
  (.synchronised, "00000000"),
]

@Suite("Registers of the device: bytes on the wire")
struct RegisterTests {
  @Test("each register that has a value of up to four bytes is answered with it, filled with zeros")
  func readAll() {
    var bench = Bench.running()
    for (register, value) in expected {
      #expect(
        bench.read(register.rawValue) == "6699\(Bench.hexadecimal(register.rawValue))\(value)",
        "\(register.definition.name)")
    }
    // The phase of the charge, and a clock.
    #expect(bench.read(0x0201)?.prefix(8) == "66990102")
    #expect(bench.read(0x0120)?.prefix(8) == "66992001")
  }

  @Test("the lists above name every register of the device, and every other one of the table is refused")
  func complete() {
    let texts: [Register] = [.serialNumber, .modelName, .description1, .description2] + DeviceRegisters.fuseNames
    let commands: [Register] = [.synchronise, .clearHistory]
    #expect(
      Set(expected.map(\.0) + texts + commands + [.uptime, .deviceState]) == Set(DeviceRegisters.all))
    #expect(Set(DeviceRegisters.all).count == DeviceRegisters.all.count)
    var bench = Bench.running()
    for register in Register.allCases where !DeviceRegisters.all.contains(register) {
      let id = register.rawValue
      #expect(
        bench.ask([0x66, 0x99, 0x01, 0x00, UInt8(id & 0xFF), UInt8(id >> 8), 0xFF, 0xFF])
          == Bench.refusal(id, 0x8000), "\(register.definition.name)")
      #expect(bench.write(id, 1) == Bench.refusal(id, 0x8100), "\(register.definition.name)")
    }
  }

  @Test("a text is a fast packet of 126720 to all, ended by a zero")
  func text() {
    var bench = Bench.running()
    #expect(
      bench.ask([0x66, 0x99, 0x01, 0x00, 0x60, 0x21, 0xFF, 0xFF])
        == ["1DEFFF23#000B669960214675", "1DEFFF23#0173655F3100FFFF"])
  }

  @Test("register 0x2100 with mask 0xFF00 brings the whole block, each register once")
  func block() {
    var bench = Bench.running()
    let answers = bench.ask([0x66, 0x99, 0x01, 0x00, 0x00, 0x21, 0x00, 0xFF], within: .milliseconds(300))
    let single = answers.filter { $0.hasPrefix("1CEFFF23#") }.map { $0.dropFirst(13).prefix(4) }
    let long = answers.filter { $0.hasPrefix("1DEFFF23#") && $0.dropFirst(10).first == "0" && $0.contains("6699") }
    let block = DeviceRegisters.all.filter { $0.rawValue & 0xFF00 == 0x2100 }
    let texts = block.filter { $0.definition.longestText != nil }
    #expect(
      single.map(String.init).sorted()
        == block.filter { !texts.contains($0) }.map { Bench.hexadecimal($0.rawValue) }.sorted())
    #expect(texts.count == 16)
    #expect(long.count >= 16)
  }

  @Test("a register that is only to be read refuses a write and keeps its value")
  func readOnly() {
    var bench = Bench.running()
    for register in DeviceRegisters.all where register.definition.access == .read {
      #expect(
        bench.write(register.rawValue, 1) == Bench.refusal(register.rawValue, 0x8100), "\(register.definition.name)")
    }
  }

  @Test("so do the numbers that are fixed in a Lynx, and the relay, which follows its mode (R345)")
  func fixed() {
    var bench = Bench.running()
    for id: UInt16 in [0x1004, 0x1005, 0x1006, 0x034E] {
      #expect(bench.write(id, 1) == Bench.refusal(id, 0x8100))
    }
  }

  /// A register, a value that it takes and its setting then, and values that it does not take.
  struct Change: CustomTestStringConvertible, Sendable {
    var register: Register
    var value: UInt32
    var setting: Setting
    var becomes: Double
    var refused: [UInt32]
    var testDescription: String { register.definition.name }
  }

  static let changes: [Change] = [
    // R326: 1 to 12,000 Ah.
    Change(
      register: .batteryCapacity, value: 12_000, setting: .batteryCapacity, becomes: 12_000, refused: [0, 12_001]),
    Change(register: .batteryCapacity, value: 1, setting: .batteryCapacity, becomes: 1, refused: [0xFFFF]),
    // R335: 13.0 to 14.6 V.
    Change(register: .chargedVoltage, value: 146, setting: .chargedVoltage, becomes: 14.6, refused: [129, 147]),
    // R336: 0.5 to 10 %.
    Change(register: .tailCurrent, value: 5, setting: .tailCurrent, becomes: 0.5, refused: [4, 101]),
    // R337: 1 to 50 min.
    Change(register: .chargedDetectionTime, value: 50, setting: .chargedDetectionTime, becomes: 50, refused: [0, 51]),
    // R338, R321: not above the warning level of 15 %.
    Change(register: .dischargeFloor, value: 150, setting: .dischargeFloor, becomes: 15, refused: [151, 1000]),
    Change(register: .minimumStateOfCharge, value: 0, setting: .dischargeFloor, becomes: 0, refused: [151]),
    // R325.
    Change(register: .nominalVoltage, value: 24, setting: .nominalVoltage, becomes: 24, refused: [0, 13, 36]),
    // R327: 1 to 20.
    Change(register: .batteriesInParallel, value: 20, setting: .batteriesInParallel, becomes: 20, refused: [0, 21]),
    // R344: -10 to 20 °C.
    Change(
      register: .minimumChargeTemperature, value: 26_315, setting: .minimumChargeTemperature, becomes: -10,
      refused: [26_314, 29_316, 0]),
    // R329.
    Change(register: .bmsRelayMode, value: 1, setting: .relayAlternator, becomes: 1, refused: [2]),
    // R328, R330, R331; the remote input and DVCC are not to be switched off.
    Change(register: .bmsOptions, value: 0b11110, setting: .preAlarm, becomes: 0, refused: [0b00111, 0b10011, 1 << 5]),
    Change(register: .bmsOptions, value: 0b11101, setting: .relayIntermittent, becomes: 1, refused: []),
    Change(register: .bmsOptions, value: 0b11111, setting: .dischargeLimitAtPreAlarm, becomes: 1, refused: []),
  ]

  @Test(
    "a setting that is accepted is in force, told to all and handed out; one that is not changes nothing",
    arguments: changes)
  func setting(change: Change) throws {
    var bench = Bench.running()
    let id = change.register.rawValue
    let before = bench.settings
    for value in change.refused {
      #expect(bench.write(id, value) == Bench.refusal(id, 0x8100), "\(value)")
      #expect(bench.settings == before)
    }
    bench.events.removeAll()
    let answer = RegisterMessage(RegisterID(id), value: ShortPayload(littleEndian: UInt128(change.value), count: 4))
    let value = (0..<4).map { answer.message.payload[4 + $0] }.map {
      ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true)
    }
    #expect(bench.write(id, change.value).contains("1CEFFF23#6699\(Bench.hexadecimal(id))\(value.joined())"))
    #expect(bench.settings[change.setting] == change.becomes)
    let handed = bench.events.compactMap { if case .settingsChanged(let changed) = $0 { changed } else { nil } }
    #expect(handed.first?.values[change.setting] == change.becomes)
    #expect(bench.events.contains { if case .registerWritten(RegisterID(id), 50) = $0 { true } else { false } })
  }

  @Test("a setting that two registers tell is told by both when one is written")
  func twice() {
    var bench = Bench.running()
    #expect(Set(bench.write(0x210B, 120)) == ["1CEFFF23#66990B2178000000", "1CEFFF23#6699081078000000"])
  }

  @Test("CCL follows a capacity that was written: 1 A per Ah (R148)")
  func capacity() {
    var bench = Bench.running()
    _ = bench.write(0x1000, 100)
    bench.advance(.seconds(2))
    #expect(bench.number(.chargeCurrentLimit) == .value(100))
  }

  @Test("what was changed counts again after a restart")
  func restart() {
    var bench = Bench.running()
    _ = bench.write(0x1000, 100)
    let changed = bench.device.changedSettings
    #expect(changed == ChangedSettings(values: [.batteryCapacity: 100]))
    let again = BMSDevice(configuration: Bench.configuration(), changed: changed, randomSeed: 1, at: .origin)
    #expect(again.core.settings[.batteryCapacity] == 100)
  }

  @Test("stored settings that cannot be read forbid everything until they are reset (R29, R251)")
  func lostSettings() {
    var changed = ChangedSettings()
    changed.areLost = true
    var bench = Bench()
    bench.device = BMSDevice(configuration: Bench.configuration(), changed: changed, randomSeed: 1, at: .origin)
    bench.device.join(at: bench.now)
    bench.claim()
    bench.advance(.seconds(5))
    #expect(!bench.device.status(at: bench.now).outputs.chargeAllowed)
    #expect(bench.read(0x2101) == "6699012177000000")  // error 119
    // What is set meanwhile is not taken for what was stored.
    _ = bench.write(0x1000, 100)
    #expect(bench.device.changedSettings.areLost)
    _ = bench.write(0x0004, 0)
    #expect(bench.device.changedSettings == ChangedSettings())
    bench.advance(.seconds(2))
    #expect(bench.device.status(at: bench.now).outputs.chargeAllowed)
  }

  @Test("restore defaults: settings as configured, history and names as they are (R323)")
  func restoreDefaults() {
    var bench = Bench.running()
    _ = bench.write(0x1000, 100)
    _ = bench.ask([0x66, 0x99, 0x60, 0x21] + Array("Bow".utf8) + [0, 0])
    #expect(bench.write(0x0004, 0) == ["1CEFFF23#6699040000000000"])
    #expect(bench.settings == Bench.configuration().settings)
    #expect(bench.device.core.fuseNames.names[0] == "Bow")
    #expect(bench.read(0x0306) == "6699060332050000")
  }

  @Test("a GX may choose On and Standby and nothing else, and ends no Off (R36, R37)")
  func mode() {
    var bench = Bench.running()
    // The documented example of a mode command (vecan.md section 4): a GX cannot switch off.
    #expect(bench.ask([0x66, 0x99, 0x00, 0x02, 0x04, 0x00, 0x00, 0x00]) == Bench.refusal(0x0200, 0x8300))
    #expect(bench.write(0x0200, 5) == Bench.refusal(0x0200, 0x8100))
    #expect(bench.device.status(at: bench.now).outputs.mode == .on)
    #expect(bench.write(0x0200, 0xFC) == ["1CEFFF23#66990002FC000000"])
    #expect(bench.device.status(at: bench.now).outputs.mode == .standby)
    #expect(bench.number(.chargeVoltageLimit) == .notAvailable)
    #expect(bench.write(0x0200, 3) == ["1CEFFF23#6699000203000000"])
    #expect(bench.device.status(at: bench.now).outputs.mode == .on)
  }

  @Test("to all, the same bytes are a report of somebody else's mode")
  func broadcastMode() {
    var bench = Bench.running()
    #expect(bench.ask([0x66, 0x99, 0x00, 0x02, 0xFC, 0, 0, 0], to: 255).isEmpty)
    #expect(bench.device.status(at: bench.now).outputs.mode == .on)
  }

  @Test("clearing the history clears the history, and synchronising says 100 % (R167, R190)")
  func commands() {
    var bench = Bench.running()
    #expect(bench.write(0x102C, 0) == ["1CEFFF23#66992C1000000000"])
    #expect(bench.read(0x0FFF) == "6699FF0F10270000")
    #expect(bench.read(0xEEB6) == "6699B6EE01000000")
    #expect(bench.read(0x0FFC) == "6699FC0F00000000")
    bench.voltage = 13.1
    bench.advance(.seconds(2))
    #expect(bench.read(0x0306) == "669906031E050000")
    bench.voltage = 13.3
    bench.advance(.seconds(2))
    #expect(bench.write(0x1030, 0) == ["1CEFFF23#6699301000000000"])
    #expect(bench.read(0x0306) == "6699060332050000")
    #expect(bench.read(0x0FFF) == "6699FF0F10270000")
  }

  @Test("a fuse is named by fast packet: 16 characters, and no more (R259); without a name it is not used (R260)")
  func fuseName() {
    var bench = Bench.running()
    let longest = "Bow thruster 24V"
    #expect(bench.ask([0x66, 0x99, 0x61, 0x21] + Array(longest.utf8) + [0]).count == 4)
    #expect(bench.device.core.fuseNames.names[1] == longest)
    #expect(
      bench.ask([0x66, 0x99, 0x61, 0x21] + Array("Bow thruster 24Vx".utf8) + [0]) == Bench.refusal(0x2161, 0x8300))
    #expect(bench.device.core.fuseNames.names[1] == longest)
    #expect(bench.ask([0x66, 0x99, 0x62, 0x21, 0]).count == 1)
    #expect(bench.read(0x2152) == "6699522110000000")
    #expect(bench.device.changedSettings.fuseNames?.names[1] == longest)
  }

  @Test("the installation descriptions are those of 126998, and stored with the node")
  func descriptions() {
    var bench = Bench.running()
    #expect(!bench.ask([0x66, 0x99, 0x0C, 0x01] + Array("House bank".utf8) + [0]).isEmpty)
    #expect(bench.device.stored.installationDescription1 == "House bank")
    #expect(bench.events.contains { if case .node(.storedChanged) = $0 { true } else { false } })
  }

  @Test("what can never be read, is cut, or is for somebody else (vecan.md section 1)")
  func malformed() {
    var bench = Bench.running()
    #expect(bench.ask([0x66, 0x99, 0x01, 0x00, 0x34, 0x12, 0xFF, 0xFF]) == Bench.refusal(0x1234, 0x8000))
    #expect(bench.write(0x1234, 0) == Bench.refusal(0x1234, 0x8100))
    #expect(bench.ask([0x66, 0x99, 0x01, 0x00, 0x90, 0x03]) == Bench.refusal(0x0001, 0x8300))
    #expect(bench.ask([0x66, 0x99, 0x00, 0x10, 0x64]) == Bench.refusal(0x1000, 0x8300))
    #expect(bench.settings[.batteryCapacity] == 200)
    #expect(bench.ask([0x66, 0x99, 0x01]).isEmpty)
    #expect(bench.ask([0x66, 0x99, 0x01, 0x00, 0x90, 0x03, 0xFF, 0xFF], to: 36).isEmpty)
    #expect(bench.ask([0x66, 0x99, 0x03, 0x00, 1, 2, 3, 4]) == ["1CEFFF23#6699030001020304"])
  }

  @Test("an error is kept with its time on the clock of 0x0120, and without a wall time")
  func lastErrors() {
    var bench = Bench.running()
    // 70 V is no voltage of a bank: error 9 (R206).
    bench.voltage = 70
    bench.advance(.seconds(4))
    #expect(bench.read(0x2101) == "6699012109000000")
    #expect(bench.read(0x2110) == "6699102109000000")
    #expect(bench.read(0x2111) == "66991121FFFFFFFF")
    // Told after 3 s, believed 2 s later.
    #expect(bench.read(0x2115) == "6699152105000000")
  }
}
