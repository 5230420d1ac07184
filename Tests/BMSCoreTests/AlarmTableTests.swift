import MonotonicTime
import Testing

@testable import BMSCore

/// What the manual's alarm table (§11.1) says of each row, written down once more and by hand.
@Suite("The table of warnings, alarms and errors, area N")
struct AlarmTableTests {
  struct Row {
    let alarm: Alarm
    let code: String
    let number: Int?
    let severity: AlarmSeverity
    let blinks: Int
    let relay: Bool
    let companion: Bool

    init(
      _ alarm: Alarm, _ code: String, _ number: Int?, _ severity: AlarmSeverity, _ blinks: Int, relay: Bool,
      companion: Bool = false
    ) {
      self.alarm = alarm
      self.code = code
      self.number = number
      self.severity = severity
      self.blinks = blinks
      self.relay = relay
      self.companion = companion
    }
  }

  static let manual: [Row] = [
    Row(.preAlarm, "W-B01", nil, .warning, 3, relay: true),
    Row(.highDischargeCurrentWarning, "W-B02", 105, .warning, 1, relay: false),
    Row(.highChargeCurrentWarning, "W-B02", 106, .warning, 1, relay: false),
    Row(.highBMSTemperature, "W-B03", 101, .warning, 4, relay: false),
    Row(.badContact, "W-B04", 112, .warning, 1, relay: false),
    Row(.loadWillDisconnect, "W-B06", nil, .warning, 1, relay: false, companion: true),
    Row(.lowStateOfChargeWarning, "W-B07", nil, .warning, 1, relay: false),
    Row(.distributorALost, "W-D01", 221, .warning, 1, relay: false),
    Row(.distributorBLost, "W-D02", 222, .warning, 1, relay: false),
    Row(.distributorCLost, "W-D03", 223, .warning, 1, relay: false),
    Row(.distributorDLost, "W-D04", 224, .warning, 1, relay: false),
    Row(.lowCell, "A-B01", 103, .alarm, 3, relay: true),
    Row(.highDischargeCurrent, "A-B02", 105, .alarm, 8, relay: true),
    Row(.highChargeCurrent, "A-B02", 106, .alarm, 8, relay: true),
    Row(.loadDisconnected, "A-B06", nil, .alarm, 1, relay: true, companion: true),
    Row(.lowStateOfCharge, "A-B07", nil, .alarm, 1, relay: true),
    Row(.voltageNotAllowed, "E-B09", 9, .error, 14, relay: true),
    Row(.hardware, "E-B11", 11, .error, 9, relay: true),
    Row(.prechargeOverload, "E-B25", 25, .error, 6, relay: true),
    Row(.contactorError, "E-B26", 26, .error, 10, relay: true),
    Row(.wrongSystemVoltage, "E-B34", 34, .error, 7, relay: true),
    Row(.prechargeTimeout, "E-B35", 35, .error, 5, relay: true),
    Row(.contactFailure, "E-B36", 36, .error, 1, relay: true),
    Row(.settingsLost, "E-B119", 119, .error, 9, relay: true),
  ]

  /// Rows that the manual has no code for: V, so that nobody takes them for its own.
  static let ours: [Row] = [
    Row(.highCell, "V-B01", nil, .alarm, 3, relay: false),
    Row(.lowTemperature, "V-B02", nil, .warning, 3, relay: false),
    Row(.highTemperature, "V-B03", nil, .warning, 3, relay: false),
    Row(.veryHighTemperature, "V-B04", nil, .alarm, 3, relay: true),
    Row(.busbarHot, "V-B05", nil, .alarm, 8, relay: true),
    Row(.cellsLate, "V-B11", nil, .warning, 1, relay: false),
    Row(.voltageLate, "V-B12", nil, .warning, 1, relay: false),
    Row(.currentLate, "V-B13", nil, .warning, 1, relay: false),
    Row(.temperatureLate, "V-B14", nil, .warning, 1, relay: false),
    Row(.remoteLost, "V-B15", nil, .warning, 1, relay: false),
    Row(.feedbackLost, "V-B16", nil, .warning, 1, relay: false),
    Row(.fanFailed, "V-B18", nil, .warning, 1, relay: false),
    Row(.supplyError, "V-B19", nil, .error, 12, relay: true),
    Row(.sidesReversed, "V-B40", nil, .warning, 1, relay: false),
    Row(.lowCellSettingsDiffer, "V-B47", nil, .warning, 1, relay: false),
    Row(.batteryCount, "V-B48", 10, .warning, 1, relay: false),
    Row(.calibrationLost, "V-B17", 116, .error, 1, relay: false),
    Row(.cellsLost, "V-B21", 32, .error, 2, relay: true),
    Row(.voltageLost, "V-B22", 32, .error, 2, relay: true),
    Row(.currentLost, "V-B23", 32, .error, 2, relay: true),
    Row(.temperatureLost, "V-B24", 32, .error, 2, relay: true),
    Row(.cellsAgainstPack, "V-B31", nil, .warning, 1, relay: false),
    Row(.cellsContradictPack, "V-B32", 32, .error, 2, relay: true),
    Row(.cellsStuck, "V-B33", 32, .error, 2, relay: true),
    Row(.cellsJump, "V-B34", 32, .error, 2, relay: true),
    Row(.voltageStuck, "V-B35", nil, .warning, 1, relay: false),
    Row(.voltageJump, "V-B36", nil, .warning, 1, relay: false),
    Row(.currentStuck, "V-B37", nil, .warning, 1, relay: false),
    Row(.currentSign, "V-B38", nil, .warning, 1, relay: false),
    Row(.temperatureJump, "V-B39", nil, .warning, 1, relay: false),
    Row(.switchRefused, "V-B41", nil, .error, 1, relay: true),
    Row(.switchNotFollowing, "V-B42", nil, .error, 1, relay: true),
    Row(.switchedUnasked, "V-B43", nil, .error, 1, relay: true),
    Row(.moduleLost, "V-B44", nil, .error, 1, relay: true),
    Row(.senderAmbiguous, "V-B45", nil, .error, 1, relay: true),
    Row(.batteryAlarm, "V-B51", nil, .alarm, 3, relay: true),
    Row(.batteryLost, "V-B25", 32, .error, 2, relay: true),
    Row(.batteryImbalance, "V-B52", nil, .warning, 1, relay: false),
    Row(.distributorDuplicate, "V-D05", nil, .warning, 1, relay: false),
    Row(.stateNotStored, "V-B49", nil, .warning, 1, relay: false),
  ]

  func check(_ row: Row) {
    let definition = row.alarm.definition
    #expect(definition.code == row.code)
    #expect(definition.gxNumber == row.number, "\(row.code)")
    #expect(definition.severity == row.severity, "\(row.code)")
    #expect(definition.ledBlinks == row.blinks, "\(row.code)")
    #expect(definition.isCompanion == row.companion, "\(row.code)")
    #expect(AlarmSet.relayDrivers.contains(row.alarm) == row.relay, "\(row.code)")
    #expect(AlarmSet.warningRelayDrivers.contains(row.alarm), "\(row.code): R133 takes all")
  }

  @Test("Code, GX number, severity, LED and relay of R233-R251, row by row", arguments: manual.indices)
  func manualRows(index: Int) { check(Self.manual[index]) }

  @Test("The same of our own rows, with #116 (R252) and #32 (R100)", arguments: ours.indices)
  func ownRows(index: Int) { check(Self.ours[index]) }

  @Test("Every alarm but the sixteen of the fuses stands in one of the two tables")
  func complete() {
    let listed = (Self.manual + Self.ours).map(\.alarm)
    for alarm in Alarm.allCases where alarm.fuse == nil { #expect(listed.contains(alarm), "\(alarm)") }
    #expect(listed.count + 16 == Alarm.allCases.count)
  }

  @Test("R253: A-F01 to A-F16 are alarms #201 to #216 with one blink, and drive the relay", arguments: 1...16)
  func fuses(fuse: Int) throws {
    let alarm = try #require(Alarm.fuse(fuse))
    check(Row(alarm, fuse < 10 ? "A-F0\(fuse)" : "A-F\(fuse)", 200 + fuse, .alarm, 1, relay: true))
    #expect(alarm.fuse == fuse)
  }

  @Test("R255: the two companions, W-B06 and A-B06, and no other entry are left out of an export to a GX")
  func companions() {
    let companions = Alarm.allCases.filter { $0.definition.isCompanion }
    #expect(companions.map(\.definition.code) == ["A-B06", "W-B06"])
  }

  @Test("R256: an error is more serious than an alarm, an alarm than a warning, and none than itself")
  func severities() {
    #expect(AlarmSeverity.warning < .alarm)
    #expect(AlarmSeverity.alarm < .error)
    #expect([AlarmSeverity.error, .warning, .alarm].sorted() == [.warning, .alarm, .error])
    for severity in [AlarmSeverity.warning, .alarm, .error] { #expect(!(severity < severity)) }
  }

  @Test("R253: the text of a fuse's alarm is its name; a set is as large as what was put in")
  func texts() {
    let bms = BMS()
    #expect(bms.message(of: .fuse1) == "Fuse blown: Fuse_1")
    #expect(bms.message(of: .fuse16) == "Fuse blown: Fuse_16")
    #expect(bms.message(of: .lowCell) == "Low cell voltage")
    #expect(Alarm.distributorDuplicate.fuse == nil && Alarm.lowCell.fuse == nil)
    var set: AlarmSet = []
    #expect(set.isEmpty && set.count == 0 && set.isDisjoint(with: [.lowCell]))
    set.insert(.fuse16)
    set.insert(.lowCell)
    #expect(Array(set) == [.lowCell, .fuse16] && set.count == 2 && !set.isEmpty)
    #expect(set.contains(.lowCell) && !set.contains(.preAlarm))
    #expect(Array(set.subtracting([.lowCell])) == [.fuse16])
    #expect(!set.isDisjoint(with: [.fuse16]) && set.isDisjoint(with: [.fuse15]))
  }

  @Test("R254: a record has first and last time, the count and the cause; it stays when the alarm is over")
  func records() {
    var rig = Rig.resting()
    #expect(rig.bms.record(of: .highCell) == AlarmRecord())
    #expect(AlarmRecord().count == 0 && !AlarmRecord().isActive && AlarmRecord().firstSeen == nil)
    rig.cells(3.3, 3.75)
    rig.step()
    let first = rig.now
    rig.run(.seconds(3))
    #expect(rig.bms.record(of: .highCell).isActive)
    let last = rig.now
    rig.cells(3.3, 3.5)
    rig.run(.seconds(3))
    let record = rig.bms.record(of: .highCell)
    #expect(!record.isActive && record.count == 1)
    #expect(record.firstSeen == first && record.lastSeen == last)
    #expect(record.cause?.value == 3.75 && record.cause?.since == first)
    rig.cells(3.3, 3.8)
    rig.step()
    #expect(rig.bms.record(of: .highCell).count == 2 && rig.bms.record(of: .highCell).firstSeen == rig.now)
  }
}
