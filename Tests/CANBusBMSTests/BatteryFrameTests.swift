import CANBus
import CANBusBMS
import Testing

@Suite("11-bit battery frames (dvcc-dbus.md section A)")
struct BatteryFrameTests {
  @Test("0x351 carries CVL, CCL, DCL and discharge voltage in tenths")
  func limits() throws {
    let frame = try #require(
      LimitsFrame(chargeVoltage: 14.2, chargeCurrent: 200, dischargeCurrent: 600, dischargeVoltage: 10.4).frame)
    #expect(frame.identifier == .standard(0x351))
    #expect(Array(frame.payload) == [142, 0, 0xD0, 0x07, 0x70, 0x17, 104, 0])
  }

  @Test("a limit rounds down, never up")
  func limitsRoundDown() throws {
    let frame = try #require(
      LimitsFrame(chargeVoltage: 13.59, chargeCurrent: 20.19, dischargeCurrent: 0.09, dischargeVoltage: 10.4).frame)
    #expect(Array(frame.payload.prefix(6)) == [135, 0, 201, 0, 0, 0])
  }

  @Test("a charge voltage of zero is never sent", arguments: [0, 0.05, -1, .nan])
  func noZeroChargeVoltage(voltage: Double) {
    #expect(
      LimitsFrame(chargeVoltage: voltage, chargeCurrent: 0, dischargeCurrent: 0, dischargeVoltage: 10.4).frame == nil)
  }

  @Test("0x355 carries 1 %, health and 0.01 %")
  func stateOfCharge() {
    let frame = StateOfChargeFrame(stateOfCharge: 87.65).frame
    #expect(frame.identifier == .standard(0x355))
    #expect(Array(frame.payload) == [88, 0, 100, 0, 0x3D, 0x22])
  }

  @Test("0x356 carries signed hundredths and tenths; without a temperature it ends before it")
  func measurements() {
    let frame = MeasurementsFrame(voltage: 13.27, current: -60.5, temperature: -4.5).frame
    #expect(Array(frame.payload) == [0x2F, 0x05, 0xA3, 0xFD, 0xD3, 0xFF])
    #expect(MeasurementsFrame(voltage: 13.27, current: 1).frame.payload.count == 4)
  }

  @Test("0x35A: 10 is fine, 01 active, 00 not supported, alarms below and warnings above")
  func alarms() {
    var frame = AlarmsFrame()
    #expect(Array(frame.frame.payload) == [0, 0, 0, 0, 0, 0, 0, 0])
    frame[.highVoltage] = .alarm
    frame[.lowVoltage] = .fine
    frame[.lowChargeTemperature] = .warning
    #expect(Array(frame.frame.payload) == [0b0010_0100, 0b0010_0000, 0, 0, 0b0010_1000, 0b0001_0000, 0, 0])
    #expect(frame[.highVoltage] == .alarm)
    #expect(frame[.lowVoltage] == .fine)
    #expect(frame[.lowChargeTemperature] == .warning)
    #expect(frame[.cellImbalance] == .unsupported)
    frame[.highVoltage] = .fine
    #expect(frame[.highVoltage] == .fine)
  }

  @Test("names are cut to eight characters and filled with zeros")
  func names() {
    #expect(Array(ManufacturerFrame(name: "vecand").frame.payload) == Array("vecand".utf8) + [0, 0])
    #expect(Array(ManufacturerFrame(name: "vecand-long-name").frame.payload) == Array("vecand-l".utf8))
  }

  @Test("0x35F carries product, version in memory order and capacity")
  func product() {
    let frame = ProductFrame(product: 0x0102, version: (2, 4), capacity: 200).frame
    #expect(Array(frame.payload) == [0x02, 0x01, 2, 4, 200, 0, 0, 0])
  }

  @Test("what is sent is read again: limits, state of charge, measurements, alarms, maker, product")
  func roundTrip() throws {
    let limits = LimitsFrame(chargeVoltage: 56.8, chargeCurrent: 0, dischargeCurrent: 600.5, dischargeVoltage: 40)
    #expect(LimitsFrame(try #require(limits.frame)) == limits)
    let charge = StateOfChargeFrame(stateOfCharge: 87.65, stateOfHealth: 99)
    #expect(StateOfChargeFrame(charge.frame) == charge)
    let measured = MeasurementsFrame(voltage: 13.27, current: -60.5, temperature: -4.5)
    #expect(MeasurementsFrame(measured.frame) == measured)
    let withoutTemperature = MeasurementsFrame(voltage: -0.01, current: 0.1)
    #expect(MeasurementsFrame(withoutTemperature.frame) == withoutTemperature)
    var alarms = AlarmsFrame()
    for (index, condition) in AlarmsFrame.Condition.allCases.enumerated() {
      alarms[condition] = [.alarm, .warning, .fine, .unsupported][index % 4]
    }
    #expect(AlarmsFrame(alarms.frame) == alarms)
    #expect(ManufacturerFrame(ManufacturerFrame(name: "vecand").frame)?.name == "vecand")
    #expect(ManufacturerFrame(ManufacturerFrame(name: "12345678").frame)?.name == "12345678")
    let product = ProductFrame(product: 0x0102, version: (2, 4), capacity: 200)
    #expect(ProductFrame(product.frame) == product)
  }

  @Test("a charge voltage of zero from others is told, not hidden")
  func zeroIsRead() throws {
    let frame = CANDataFrame(.standard(0x351), [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(try #require(LimitsFrame(frame)).chargeVoltage == 0)
  }

  @Test("a fine state of charge of zero beside 54 % is one that BYD leaves out; 0 % is 0 %")
  func stateOfChargeWithoutHundredths() throws {
    let read = { (bytes: CANPayload) in StateOfChargeFrame(CANDataFrame(.standard(0x355), bytes))?.stateOfCharge }
    #expect(read([54, 0, 100, 0, 0, 0]) == 54)
    #expect(read([54, 0, 100, 0]) == 54)
    #expect(read([0, 0, 100, 0, 0, 0]) == 0)
    #expect(read([54, 0, 100, 0, 0x18, 0x15]) == 54)
    #expect(read([54, 0, 100]) == nil)
  }

  @Test("a frame too short for its values, or of another identifier, is none: also of the same number in 29 bits")
  func notThisFrame() {
    #expect(LimitsFrame(CANDataFrame(.standard(0x351), [142, 0, 0, 0, 0, 0, 104])) == nil)
    #expect(LimitsFrame(CANDataFrame(.extended(0x351), [142, 0, 0, 0, 0, 0, 104, 0])) == nil)
    #expect(MeasurementsFrame(CANDataFrame(.standard(0x356), [1, 2, 3])) == nil)
    #expect(AlarmsFrame(CANDataFrame(.standard(0x35A), [1, 2, 3, 4])) == nil)
    #expect(ProductFrame(CANDataFrame(.standard(0x35F), [1, 2, 3, 4, 5])) == nil)
    #expect(ManufacturerFrame(CANDataFrame(.standard(0x35F), [65])) == nil)
  }

  @Test("a maker's name with control characters can't steer a terminal")
  func nameIsPrintable() {
    #expect(ManufacturerFrame(CANDataFrame(.standard(0x35E), [0x42, 0x1B, 0xC3, 0x41, 0, 0x42]))?.name == "B??A")
  }
}
