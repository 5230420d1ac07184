import CANBus
import CANBusBMS
import Testing

@Suite("Slow 11-bit battery frames: names, counts, extremes, energy (dvcc-dbus.md A.2)")
struct ModuleFrameTests {
  @Test("0x372 carries modules online, blocking charge, blocking discharge, offline")
  func modules() {
    let frame = ModulesFrame(online: 2, blockingCharge: 1, blockingDischarge: 0, offline: 258).frame
    #expect(frame.identifier == .standard(0x372))
    #expect(Array(frame.payload) == [2, 0, 1, 0, 0, 0, 2, 1])
    let odd = ModulesFrame(online: -1, blockingCharge: 70_000, blockingDischarge: 0, offline: 0)
    #expect(Array(odd.frame.payload) == [0, 0, 0xFF, 0xFF, 0, 0, 0, 0])
  }

  @Test("0x373 carries mV and whole kelvin; 25 °C is 298 K, and without temperatures it ends before them")
  func cells() throws {
    let frame = CellsFrame(
      lowestVoltage: 3.298, highestVoltage: 3.331, lowestTemperature: 25, highestTemperature: -4
    ).frame
    #expect(frame.identifier == .standard(0x373))
    #expect(Array(frame.payload) == [0xE2, 0x0C, 0x03, 0x0D, 0x2A, 0x01, 0x0D, 0x01])
    #expect(CellsFrame(lowestVoltage: 3.3, highestVoltage: 3.3).frame.payload.count == 4)
    #expect(CellsFrame(lowestVoltage: 3.3, highestVoltage: 3.3, lowestTemperature: 20).frame.payload.count == 4)
    let zero = try #require(CellsFrame(CANDataFrame(.standard(0x373), [0xE2, 0x0C, 0x03, 0x0D, 0, 0, 0, 0])))
    #expect(zero.lowestTemperature == nil)
    #expect(zero.highestTemperature == nil)
  }

  @Test("what is sent is read again: every slow frame")
  func roundTrip() {
    let modules = ModulesFrame(online: 3, blockingCharge: 1, blockingDischarge: 2, offline: 4)
    #expect(ModulesFrame(modules.frame) == modules)
    let cells = CellsFrame(
      lowestVoltage: 2.801, highestVoltage: 3.749, lowestTemperature: -20, highestTemperature: 55)
    #expect(CellsFrame(cells.frame) == cells)
    let cold = CellsFrame(lowestVoltage: 3.3, highestVoltage: 3.31)
    #expect(CellsFrame(cold.frame) == cold)
    for extreme in CellNameFrame.Extreme.allCases {
      let name = CellNameFrame(extreme, name: "B2C3")
      #expect(CellNameFrame(name.frame) == name)
    }
    let energy = EnergyFrame(charged: 1234.5, discharged: 429_496_729.5)
    #expect(EnergyFrame(energy.frame) == energy)
    let capacity = InstalledCapacityFrame(capacity: 800)
    #expect(InstalledCapacityFrame(capacity.frame) == capacity)
    for kind in BatteryText.Kind.allCases {
      let text = kind == .family ? "vecand" : "House bank, port"
      let parts = BatteryText(kind, text).frames.compactMap { BatteryText.Part($0) }
      #expect(parts.map(\.text).joined() == text)
      #expect(parts.allSatisfy { $0.kind == kind })
      #expect(parts.map(\.index) == Array(0..<parts.count))
    }
  }

  @Test("identifiers: names 0x370 and 0x371, cells 0x374 to 0x377, serial 0x380 and 0x381, family 0x382")
  func identifiers() {
    #expect(BatteryText(.name, "a").frames.map(\.identifier) == [.standard(0x370), .standard(0x371)])
    #expect(BatteryText(.serial, "a").frames.map(\.identifier) == [.standard(0x380), .standard(0x381)])
    #expect(BatteryText(.family, "a").frames.map(\.identifier) == [.standard(0x382)])
    #expect(
      CellNameFrame.Extreme.allCases.map { CellNameFrame($0, name: "x").frame.identifier }
        == [.standard(0x374), .standard(0x375), .standard(0x376), .standard(0x377)])
  }

  @Test("a text that is cut, too long or not ASCII cannot steer a terminal")
  func texts() {
    #expect(Array(BatteryText(.family, "123456789").frames[0].payload) == Array("12345678".utf8))
    #expect(Array(BatteryText(.family, "a\u{1B}b").frames[0].payload) == [0x61, 0x3F, 0x62, 0, 0, 0, 0, 0])
    #expect(CellNameFrame(CANDataFrame(.standard(0x374), [0x42, 0x1B, 0xC3, 0, 0x41]))?.name == "B??")
  }

  @Test("frames too short, or of another identifier, are none")
  func notThisFrame() {
    #expect(ModulesFrame(CANDataFrame(.standard(0x372), [1, 2, 3, 4, 5, 6, 7])) == nil)
    #expect(CellsFrame(CANDataFrame(.standard(0x373), [1, 2, 3])) == nil)
    #expect(EnergyFrame(CANDataFrame(.standard(0x378), [1, 2, 3, 4])) == nil)
    #expect(InstalledCapacityFrame(CANDataFrame(.standard(0x379), [1])) == nil)
    #expect(CellNameFrame(CANDataFrame(.standard(0x378), [1])) == nil)
    #expect(BatteryText.Part(CANDataFrame(.extended(0x370), [1])) == nil)
  }

  @Test("the frames of dvcc-dbus.md: in a BYD's 0x35A AA is fine, 04, 10, 40 and 01 are alarms; versions 1.17 and 2.4")
  func examples() throws {
    func alarms(_ first: UInt8) throws -> AlarmsFrame {
      try #require(AlarmsFrame(CANDataFrame(.standard(0x35A), [first, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA])))
    }
    let fine = try alarms(0xAA)
    for condition in AlarmsFrame.Condition.allCases { #expect(fine[condition] == .fine) }
    #expect(try alarms(0x04)[.highVoltage] == .alarm)
    #expect(try alarms(0x10)[.lowVoltage] == .alarm)
    #expect(try alarms(0x40)[.highTemperature] == .alarm)
    #expect(try alarms(0x01)[.general] == .alarm)
    let byd = try #require(ProductFrame(CANDataFrame(.standard(0x35F), [0x4C, 0x69, 0x01, 0x17, 0xC8, 0, 0, 0])))
    #expect(byd.versionText == "1.17")
    #expect(byd.capacity == 200)
    let yambms = try #require(ProductFrame(CANDataFrame(.standard(0x35F), [0, 0, 0x02, 0x04, 0xC8, 0, 0, 0])))
    #expect(yambms.versionText == "2.4")
  }

  /// dvcc-dbus.md A.3: the alarm of each condition by byte and lower bit; its warning is four bytes further.
  static let places: [(AlarmsFrame.Condition, byte: Int, bit: UInt8)] = [
    (.general, 0, 0), (.highVoltage, 0, 2), (.lowVoltage, 0, 4), (.highTemperature, 0, 6), (.lowTemperature, 1, 0),
    (.highChargeTemperature, 1, 2), (.lowChargeTemperature, 1, 4), (.highDischargeCurrent, 1, 6),
    (.highChargeCurrent, 2, 0), (.contactor, 2, 2), (.shortCircuit, 2, 4), (.internalFailure, 2, 6),
    (.cellImbalance, 3, 0),
  ]

  @Test("0x35A: each condition has its byte and bits, as alarm and as warning, read and written; 11 is neither")
  func alarmTable() throws {
    #expect(Set(Self.places.map(\.0)) == Set(AlarmsFrame.Condition.allCases))
    for (condition, byte, bit) in Self.places {
      var bytes = [UInt8](repeating: 0xAA, count: 8)
      func read() throws -> AlarmsFrame {
        let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return try #require(
          AlarmsFrame(CANDataFrame(.standard(0x35A), CANPayload(littleEndian: bits, count: 8))))
      }
      var written = try read()
      bytes[byte] ^= 3 << bit
      #expect(try read()[condition] == .alarm)
      for other in AlarmsFrame.Condition.allCases where other != condition { #expect(try read()[other] == .fine) }
      written[condition] = .alarm
      #expect(Array(written.frame.payload) == bytes, "\(condition)")
      bytes[byte] ^= 3 << bit
      bytes[byte + 4] ^= 3 << bit
      #expect(try read()[condition] == .warning)
      written[condition] = .warning
      #expect(Array(written.frame.payload) == bytes, "\(condition)")
      for byte in [byte, byte + 4] { bytes[byte] |= 3 << bit }
      #expect(try read()[condition] == .unsupported)
      for byte in [byte, byte + 4] { bytes[byte] &= ~(3 << bit) }
      #expect(try read()[condition] == .unsupported)
    }
  }

  @Test("the layouts of dvcc-dbus.md A.2 as bytes that were put together by hand")
  func layouts() throws {
    func frame(_ id: UInt16, _ bytes: CANPayload) -> CANDataFrame { CANDataFrame(.standard(id), bytes) }
    // CVL 56.8 V, CCL 45.5 A, DCL 120 A, 44 V.
    let limits = try #require(LimitsFrame(frame(0x351, [0x38, 0x02, 0xC7, 0x01, 0xB0, 0x04, 0xB8, 0x01])))
    #expect(limits.chargeVoltage == 56.8 && limits.chargeCurrent == 45.5)
    #expect(limits.dischargeCurrent == 120 && limits.dischargeVoltage == 44)
    // 54 % by BYD, without hundredths; health 99 %.
    let charge = try #require(StateOfChargeFrame(frame(0x355, [54, 0, 99, 0, 0, 0])))
    #expect(charge.stateOfCharge == 54 && charge.stateOfHealth == 99)
    // 53.21 V, -12.5 A, 21.5 °C.
    let measured = try #require(MeasurementsFrame(frame(0x356, [0xC9, 0x14, 0x83, 0xFF, 0xD7, 0x00])))
    #expect(measured.voltage == 53.21 && measured.current == -12.5 && measured.temperature == 21.5)
    let modules = try #require(ModulesFrame(frame(0x372, [4, 0, 1, 0, 2, 0, 3, 0])))
    #expect(modules.online == 4 && modules.blockingCharge == 1)
    #expect(modules.blockingDischarge == 2 && modules.offline == 3)
    // 3,298 mV, 3,331 mV, 296 K, 299 K.
    let cells = try #require(CellsFrame(frame(0x373, [0xE2, 0x0C, 0x03, 0x0D, 0x28, 0x01, 0x2B, 0x01])))
    #expect(cells.lowestVoltage == 3.298 && cells.highestVoltage == 3.331)
    #expect(cells.lowestTemperature == 23 && cells.highestTemperature == 26)
    // 100 Wh a step: 123.4 and 100 kWh.
    let energy = try #require(EnergyFrame(frame(0x378, [0xD2, 0x04, 0, 0, 0xE8, 0x03, 0, 0])))
    #expect(energy.charged == 123.4 && energy.discharged == 100)
    #expect(try #require(InstalledCapacityFrame(frame(0x379, [0x20, 0x03]))).capacity == 800)
  }
}
