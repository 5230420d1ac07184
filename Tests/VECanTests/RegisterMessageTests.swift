import NMEA2000
import Testing
import VECan

/// Bytes of a payload of 61184, for comparison with vecan.md.
private func bytes(_ message: RegisterMessage) -> [UInt8] {
  (0..<message.message.payload.count).map { message.message.payload[$0] }
}

private func message(from bytes: [UInt8]) -> RegisterMessage? {
  RegisterMessage(VictronRegister(payload: bytes.span.bytes))
}

@Suite("Registers in PGN 61184 (vecan.md sections 1 and 2)")
struct RegisterMessageTests {
  @Test("a limit is little-endian behind 66 99 and its number")
  func limitBytes() {
    #expect(
      bytes(RegisterMessage(.chargeVoltageLimit, .value(14.2))) == [0x66, 0x99, 0x90, 0x03, 0x8C, 0x05, 0x00, 0x00])
    #expect(
      bytes(RegisterMessage(.chargeCurrentLimit, .value(200))) == [0x66, 0x99, 0x91, 0x03, 0xD0, 0x07, 0x00, 0x00])
  }

  @Test("a limit that does not exist is all ones, and zero is zero")
  func missingLimit() {
    #expect(bytes(RegisterMessage(.chargeVoltageLimit)) == [0x66, 0x99, 0x90, 0x03, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(bytes(RegisterMessage(.dischargeCurrentLimit, .value(0))) == [0x66, 0x99, 0x93, 0x03, 0, 0, 0, 0])
  }

  @Test("a value shorter than four bytes is filled with zeros")
  func shortValue() {
    #expect(bytes(RegisterMessage(.bmsState, code: 9)) == [0x66, 0x99, 0x02, 0x21, 0x09, 0, 0, 0])
  }

  @Test("inputs and outputs of a real unit: 0x1595 (vecan.md 2.7)")
  func contactsOfRealUnit() {
    var contacts = RegisterMessage(.bmsContacts)
    contacts[BMSContact.contactor] = .yes
    contacts[BMSContact.allowToCharge] = .yes
    contacts[BMSContact.allowToDischarge] = .yes
    contacts[BMSContact.relay] = .no
    contacts[BMSContact.auxiliary] = .yes
    contacts[BMSContact.remote] = .yes
    contacts[BMSContact.alternatorAllowToCharge] = .yes
    #expect(bytes(contacts) == [0x66, 0x99, 0x08, 0x21, 0x95, 0x15, 0, 0])
  }

  @Test("alarms of a real unit: 0x01455, all fine and no cable function (vecan.md 2.7)")
  func alarmsOfRealUnit() throws {
    let alarms = try #require(message(from: [0x66, 0x99, 0x07, 0x21, 0x55, 0x14, 0x00, 0x00]))
    #expect(alarms[BMSCondition.lowCellVoltage] == .fine)
    #expect(alarms[BMSCondition.highCurrent] == .fine)
    #expect(alarms[BMSCondition.highBMSTemperature] == .fine)
    #expect(alarms[BMSCondition.contactorResistance] == .fine)
    #expect(alarms[BMSCondition.batteryCable] == .unsupported)
    #expect(alarms[BMSCondition.loadDisconnect] == .fine)
    #expect(alarms[BMSCondition.lowStateOfCharge] == .fine)
  }

  @Test("cells are read from 0x0385 and 0x0381")
  func cells() throws {
    let extremes = try #require(message(from: [0x66, 0x99, 0x85, 0x03, 0x4A, 0x01, 0x78, 0x01]))
    #expect(extremes.number(.cellVoltages) == .value(3.30))
    #expect(extremes.number(.cellVoltages, field: 1) == .value(3.76))
    #expect(extremes.number(.cellTemperatures) == nil)
    let cell = try #require(message(from: [0x66, 0x99, 0x81, 0x03, 0x02, 0x03, 0x78, 0x01]))
    #expect(cell.number(.cellVoltage) == .value(2))
    #expect(cell.number(.cellVoltage, field: 1) == .value(3))
    #expect(cell.number(.cellVoltage, field: 2) == .value(3.76))
  }

  @Test("a cell that is not available is not zero volts")
  func missingCell() throws {
    let cell = try #require(message(from: [0x66, 0x99, 0x81, 0x03, 1, 1, 0xFF, 0xFF]))
    #expect(cell.number(.cellVoltage, field: 2) == .notAvailable)
  }

  @Test("another maker's 61184 and a cut one are no register")
  func foreign() {
    #expect(message(from: [0x98, 0x99, 0x85, 0x03, 0x4A, 0x01, 0x78, 0x01]) == nil)
    #expect(message(from: [0x66, 0x99, 0x85]) == nil)
    #expect(message(from: []) == nil)
  }

  @Test("a register whose value is cut has no value", arguments: [4, 5, 6, 7])
  func cut(count: Int) throws {
    let whole: [UInt8] = [0x66, 0x99, 0x85, 0x03, 0x4A, 0x01, 0x78, 0x01]
    let register = try #require(message(from: Array(whole[..<count])))
    #expect(register.number(.cellVoltages) == nil)
  }
}
