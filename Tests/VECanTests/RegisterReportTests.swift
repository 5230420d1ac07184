import NMEA2000
import Testing

@testable import VECan

private func text(_ bytes: [UInt8]) -> String? { RegisterReport(bytes.span.bytes)?.description }

@Suite("Registers in words")
struct RegisterReportTests {
  @Test("each register has a name of its own, at most 4 bytes or a text, and fields that are in it and do not overlap")
  func listed() {
    #expect(Set(Register.allCases.map { $0.definition.key }).count == Register.allCases.count)
    for register in Register.allCases {
      let definition = register.definition
      #expect(definition.length <= 4, "\(definition.name)")
      var end = 0
      for field in definition.fields {
        #expect(field.bitOffset >= end, "\(definition.name), \(field.name)")
        end = field.bitOffset + field.bitCount
      }
      #expect(end <= definition.length * 8, "\(definition.name)")
      #expect(Register(key: definition.key) == register)
      #expect(Register(definition.id) == register)
    }
  }

  @Test("a limit has its unit; one that does not exist is not available, and zero is zero")
  func limits() {
    #expect(text([0x66, 0x99, 0x90, 0x03, 0x8C, 0x05, 0, 0]) == "0x0390 Charge Voltage Limit: 14.20 V")
    #expect(text([0x66, 0x99, 0x91, 0x03, 0, 0, 0, 0]) == "0x0391 Charge Current Limit: 0.0 A")
    #expect(text([0x66, 0x99, 0x91, 0x03, 255, 255, 255, 255]) == "0x0391 Charge Current Limit: not available")
  }

  @Test("several fields are named; kelvin are shown in degrees Celsius, below zero too")
  func fields() {
    #expect(
      text([0x66, 0x99, 0x85, 0x03, 0x4A, 0x01, 0x78, 0x01])
        == "0x0385 Cell Voltages: Lowest: 3.30 V, Highest: 3.76 V")
    // 272.65 K and 298.15 K.
    #expect(
      text([0x66, 0x99, 0x86, 0x03, 0x81, 0x6A, 0x77, 0x74])
        == "0x0386 Cell Temperatures: Lowest: -0.50 °C, Highest: 25.00 °C")
  }

  @Test("the state, alarms and contacts of a real unit in words (vecan.md 2.7)")
  func bms() throws {
    #expect(text([0x66, 0x99, 0x02, 0x21, 9, 0, 0, 0]) == "0x2102 Lynx BMS State: running")
    #expect(
      text([0x66, 0x99, 0x08, 0x21, 0x95, 0x15, 0, 0])
        == "0x2108 Lynx BMS Inputs and Outputs: Contactor: yes, ATC: yes, ATD: yes, Relay: no, AUX: yes, Remote: yes, "
        + "Alternator ATC: yes")
    let alarms = try #require(text([0x66, 0x99, 0x07, 0x21, 0x57, 0x18, 0, 0]))
    #expect(alarms.hasPrefix("0x2107 Lynx BMS Warnings and Alarms: Low cell voltage: alarm, High current: ok,"))
    #expect(alarms.contains("Battery cable: not supported, Load disconnect: warning, Low state of charge: ok"))
  }

  @Test("an unknown register is its number and bytes, also a long one; a cut one is bytes and never a value")
  func unknown() {
    #expect(text([0x66, 0x99, 0xF8, 0x20, 0xF8, 0x04, 0, 0]) == "0x20F8 unknown register: F8 04 00 00")
    #expect(text([0x66, 0x99, 0xFA, 0x01, 1, 2, 3, 4, 5]) == "0x01FA unknown register: 01 02 03 04 05")
    #expect(text([0x66, 0x99, 0x90, 0x03, 0x8C, 0x05]) == "0x0390 Charge Voltage Limit: 8C 05")
    #expect(text([0x66, 0x99, 0x90, 0x03]) == "0x0390 Charge Voltage Limit: no value")
  }

  @Test("requests and refusals name the register that they are about")
  func requests() {
    #expect(text([0x66, 0x99, 1, 0, 0x90, 0x03, 0xFF, 0xFF]) == "Request for 0x0390 Charge Voltage Limit")
    #expect(text([0x66, 0x99, 1, 0, 0x00, 0x21, 0x00, 0xFF]) == "Request for registers 0x2100, mask 0xFF00")
    #expect(
      text([0x66, 0x99, 2, 0, 0x02, 0x21, 0x00, 0x81])
        == "Answer about 0x2102 Lynx BMS State: no such register to write, or out of range")
  }

  @Test("another maker's message and one without a number are none")
  func foreign() {
    #expect(text([0x98, 0x99, 0x90, 0x03, 0, 0, 0, 0]) == nil)
    #expect(text([0x66, 0x99, 0x90]) == nil)
    #expect(text([]) == nil)
  }
}
