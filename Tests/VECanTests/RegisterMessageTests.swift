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
    var limit = ChargeVoltageLimit()
    limit.limit = .value(14.2)
    #expect(bytes(RegisterMessage(limit)) == [0x66, 0x99, 0x90, 0x03, 0x8C, 0x05, 0x00, 0x00])
    var current = ChargeCurrentLimit()
    current.limit = .value(200)
    #expect(bytes(RegisterMessage(current)) == [0x66, 0x99, 0x91, 0x03, 0xD0, 0x07, 0x00, 0x00])
  }

  @Test("a limit that does not exist is all ones, and zero is zero")
  func missingLimit() {
    #expect(bytes(RegisterMessage(ChargeVoltageLimit())) == [0x66, 0x99, 0x90, 0x03, 0xFF, 0xFF, 0xFF, 0xFF])
    var current = DischargeCurrentLimit()
    current.limit = .value(0)
    #expect(bytes(RegisterMessage(current)) == [0x66, 0x99, 0x93, 0x03, 0, 0, 0, 0])
  }

  @Test("a value shorter than four bytes is filled with zeros")
  func shortValue() {
    var state = BMSStateRegister()
    state.state = .value(9)
    #expect(bytes(RegisterMessage(state)) == [0x66, 0x99, 0x02, 0x21, 0x09, 0, 0, 0])
  }

  @Test("inputs and outputs of a real unit: 0x1595 (vecan.md 2.7)")
  func contactsOfRealUnit() {
    var contacts = BMSContactsRegister()
    contacts[.contactor] = .yes
    contacts[.allowToCharge] = .yes
    contacts[.allowToDischarge] = .yes
    contacts[.relay] = .no
    contacts[.auxiliary] = .yes
    contacts[.remote] = .yes
    contacts[.alternatorAllowToCharge] = .yes
    #expect(bytes(RegisterMessage(contacts)) == [0x66, 0x99, 0x08, 0x21, 0x95, 0x15, 0, 0])
  }

  @Test("alarms of a real unit: 0x01455, all fine and no cable function (vecan.md 2.7)")
  func alarmsOfRealUnit() throws {
    let report = try #require(message(from: [0x66, 0x99, 0x07, 0x21, 0x55, 0x14, 0x00, 0x00]))
    let alarms: BMSAlarmsRegister = try #require(report.value())
    #expect(alarms[.lowCellVoltage] == .fine)
    #expect(alarms[.highCurrent] == .fine)
    #expect(alarms[.highBMSTemperature] == .fine)
    #expect(alarms[.contactorResistance] == .fine)
    #expect(alarms[.batteryCable] == .unsupported)
    #expect(alarms[.loadDisconnect] == .fine)
    #expect(alarms[.lowStateOfCharge] == .fine)
  }

  @Test("cells are read from 0x0385 and 0x0381")
  func cells() throws {
    let extremes: CellExtremesRegister = try #require(
      message(from: [0x66, 0x99, 0x85, 0x03, 0x4A, 0x01, 0x78, 0x01])?.value())
    #expect(extremes.lowest == .value(3.30))
    #expect(extremes.highest == .value(3.76))
    let cell: CellVoltageRegister = try #require(
      message(from: [0x66, 0x99, 0x81, 0x03, 0x02, 0x03, 0x78, 0x01])?.value())
    #expect(cell.battery == .value(2))
    #expect(cell.cell == .value(3))
    #expect(cell.voltage == .value(3.76))
  }

  @Test("a cell that is not available is not zero volts")
  func missingCell() throws {
    let cell: CellVoltageRegister = try #require(message(from: [0x66, 0x99, 0x81, 0x03, 1, 1, 0xFF, 0xFF])?.value())
    #expect(cell.voltage == .notAvailable)
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
    let extremes: CellExtremesRegister? = register.value()
    #expect(extremes == nil)
  }
}
