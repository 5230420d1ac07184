import NMEA2000
import Testing
import VECan

private func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
}

private func wire(_ message: RegisterMessage) -> String {
  hexadecimal((0..<message.message.payload.count).map { message.message.payload[$0] })
}

/// The eight bytes of vecan.md section 1 for a register and the bits of its value: 66 99, number, value, zeros.
private func frame(_ id: UInt16, _ value: UInt64) -> [UInt8] {
  [0x66, 0x99, UInt8(id & 0xFF), UInt8(id >> 8)] + (0..<4).map { UInt8(value >> ($0 * 8) & 0xFF) }
}

private func read(_ bytes: [UInt8]) -> RegisterMessage? { RegisterMessage(VictronRegister(payload: bytes.span.bytes)) }

@Suite("The table of registers against vecan.md, row by row")
struct RegisterTableTests {
  @Test("every register of the table is one of vecan.md, once")
  func complete() {
    #expect(RegisterSheet.rows.map(\.id).sorted() == Register.allCases.map(\.rawValue).sorted())
  }

  @Test("each part of each value lies where vecan.md has it, with its width and sign")
  func layout() throws {
    for row in RegisterSheet.rows {
      let definition = try #require(Register(RegisterID(row.id))).definition
      let name = Comment(rawValue: "\(definition.id) \(definition.name)")
      switch row.value {
      case .text(let longest): #expect(definition.longestText == longest, name)
      case .conditions(let bits, let bytes):
        #expect(definition.length == bytes, name)
        #expect(definition.fields.allSatisfy { $0.bitCount == bits && $0.bitOffset % bits == 0 }, name)
      case .numbers(let parts):
        #expect(definition.length == row.byteCount, name)
        #expect(definition.fields.map(\.bitOffset) == parts.map(\.offset), name)
        #expect(definition.fields.map(\.bitCount) == parts.map(\.bits), name)
        #expect(definition.fields.map { $0.format?.isSigned ?? false } == parts.map(\.isSigned), name)
      }
    }
  }

  @Test("each number has the steps of vecan.md in both directions: small, large, and below zero where it has a sign")
  func steps() throws {
    var compared = 0
    for row in RegisterSheet.rows {
      let register = try #require(Register(RegisterID(row.id)))
      guard case .numbers(let parts) = row.value else { continue }
      for (index, part) in parts.enumerated() {
        guard let step = part.step else { continue }
        let largest = Int64(1) << (part.isSigned ? part.bits - 1 : part.bits) - 4
        for raw in [0, 1, 100, largest / 3, largest] + (part.isSigned ? [-1, -100, -largest] : []) {
          let bits = UInt64(bitPattern: raw) & (1 << UInt64(part.bits) - 1)
          let number = Double(raw) * step
          let name = Comment(rawValue: "\(register.definition.id) \(register.definition.name): \(raw) steps")
          // In: the bytes mean the number.
          let message = try #require(read(frame(row.id, bits << UInt64(part.offset))))
          guard case .value(let told)? = message.number(register, field: index) else {
            Issue.record(name)
            continue
          }
          #expect(abs(told - number) < step / 1000 + abs(number) * 1e-12, name)
          // Out: the number is these bytes.
          var sent = RegisterMessage(register)
          sent.set(.value(number), field: index, of: register)
          let mask = (UInt64(1) << UInt64(part.bits) - 1) << UInt64(part.offset)
          #expect(UInt64(truncatingIfNeeded: sent.value.bytes) & mask == bits << UInt64(part.offset), name)
          compared += 1
        }
      }
    }
    #expect(compared > 400)
  }

  @Test("what is not available has the code of vecan.md where it states one, in and out")
  func notAvailable() throws {
    var compared = 0
    for row in RegisterSheet.rows {
      let register = try #require(Register(RegisterID(row.id)))
      guard case .numbers(let parts) = row.value else { continue }
      for (index, part) in parts.enumerated() {
        guard let code = part.notAvailable else { continue }
        let name = Comment(rawValue: "\(register.definition.id) \(register.definition.name)")
        let mask = UInt64(1) << UInt64(part.bits) - 1
        #expect(
          UInt64(truncatingIfNeeded: RegisterMessage(register).value.bytes) >> UInt64(part.offset) & mask == code, name)
        let message = try #require(read(frame(row.id, code << UInt64(part.offset))))
        if case .lookup = register.definition.fields[index].kind {
          #expect(message.code(register).map(UInt64.init) == code, name)
        } else {
          #expect(message.number(register, field: index) == .notAvailable, name)
        }
        compared += 1
      }
    }
    #expect(compared == 22)
  }

  @Test("each register that nothing is known of goes out as eight bytes: its number, its value, zeros behind")
  func blank() throws {
    for row in RegisterSheet.rows {
      let register = try #require(Register(RegisterID(row.id)))
      guard register.definition.longestText == nil else { continue }
      let bytes = wire(RegisterMessage(register))
      #expect(bytes.count == 16)
      #expect(bytes.hasPrefix(hexadecimal(Array(frame(row.id, 0)[..<4]))))
      #expect(bytes.hasSuffix(String(repeating: "00", count: 4 - row.byteCount)), "\(register.definition.name)")
    }
  }

  @Test("0x2100: the flags that vecan.md numbers, by their bits")
  func flags() throws {
    let numbered: [(BMSFlag, UInt64)] = [
      (.charged, 0), (.almostCharged, 1), (.discharged, 2), (.almostDischarged, 3), (.charging, 4), (.discharging, 5),
      (.balancing, 6), (.relayDischarged, 7), (.relayCharged, 8), (.overvoltageAlarm, 9), (.overvoltageWarning, 10),
      (.undervoltageAlarm, 11), (.undervoltageWarning, 12), (.chargeCurrentWarning, 13), (.dischargeCurrentWarning, 14),
      (.overtemperatureAlarm, 15), (.overtemperatureWarning, 16), (.chargeUndertemperatureWarning, 17),
      (.chargeUndertemperatureAlarm, 18), (.dischargeUndertemperatureWarning, 19),
      (.dischargeUndertemperatureAlarm, 20), (.lowStateOfCharge, 21), (.undertemperatureAlarm, 22),
      (.shortCircuit, 23), (.hardwareFailure, 24), (.allowedToCharge, 25), (.allowedToDischarge, 26), (.preAlarm, 27),
      (.badContactorWarning, 28), (.highCurrentAlarm, 29),
    ]
    #expect(numbered.count == BMSFlag.allCases.count)
    for (flag, bit) in numbered {
      let message = try #require(read(frame(0x2100, 1 << bit)))
      for other in BMSFlag.allCases { #expect(message[other] == (other == flag), "bit \(bit), \(other)") }
    }
  }
}

@Suite("The worked examples of vecan.md")
struct WorkedExampleTests {
  /// Section 2.7: the decrypted record of a real Lynx Smart BMS.
  static let record: [UInt8] = [
    0x00, 0x40, 0x38, 0x8B, 0x0A, 0xFA, 0xFF, 0x95, 0x15, 0x55, 0x14, 0x8C, 0xCF, 0x02, 0x00, 0xFF,
  ]

  /// So many bits of the record from an offset on, little-endian.
  static func bits(_ offset: Int, _ count: Int) -> UInt64 {
    let whole = record.reversed().reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
    return UInt64(truncatingIfNeeded: whole >> UInt128(offset) & (1 << UInt128(count) - 1))
  }

  @Test("section 2.7: what the real unit says of itself is what the same registers mean on VE.Can")
  func instantReadout() throws {
    let error = try #require(read(frame(0x2101, Self.bits(0, 8))))
    #expect(error.code(.bmsError) == 0)
    let timeToGo = try #require(read(frame(0x0FFE, Self.bits(8, 16))))
    #expect(timeToGo.number(.timeToGo) == .value(14_400 * 60))
    let voltage = try #require(read(frame(0xED8D, Self.bits(24, 16))))
    #expect(voltage.number(.voltage) == .value(26.99))
    let current = try #require(read(frame(0xED8F, Self.bits(40, 16))))
    #expect(current.number(.current) == .value(-0.6))
    // 10 bits of 0.1 % there, 16 bits of 0.01 % here; consumed ampere-hours with the sign turned.
    #expect(Self.bits(90, 10) == 995)
    #expect(wire(RegisterMessage(.stateOfCharge, .value(99.5))) == "6699FF0FDE260000")
    #expect(Self.bits(100, 20) == 44)
    #expect(wire(RegisterMessage(.consumed, .value(-4.4))) == "6699FC0FD4FFFFFF")
    #expect(wire(RegisterMessage(.consumedOld, .value(-4.4))) == "6699FFEED4FFFFFF")
    // 7 bits of ones there: not available.
    #expect(Self.bits(120, 7) == 0x7F)
    #expect(wire(RegisterMessage(.temperature)) == "6699ECEDFFFF0000")
  }

  @Test("section 2.7: its contacts 0x1595 and its conditions 0x01455, each pair")
  func pairs() throws {
    #expect(Self.bits(56, 16) == 0x1595)
    let contacts = try #require(read(frame(0x2108, Self.bits(56, 16))))
    #expect(
      BMSContact.allCases.map { contacts[$0] } == [.yes, .yes, .yes, .no, .yes, .yes, .yes],
      "contactor, ATC, ATD, relay, AUX, remote, alternator ATC")
    #expect(Self.bits(72, 18) == 0x1455)
    let conditions = try #require(read(frame(0x2107, Self.bits(72, 18))))
    #expect(
      BMSCondition.allCases.map { conditions[$0] }
        == [.fine, .fine, .fine, .fine, .unsupported, .fine, .fine, .unsupported],
      "low cell, current, BMS temperature, contactor, cable, load, state of charge, high temperature")
  }

  @Test("section 4, captures 21 and 22: a GX tells 12.72 V and -2.8 A to all, from address 227 with priority 7")
  func linkCaptures() throws {
    let identifier = try #require(MessageIdentifier(.extended(0x1CEF_FFE3)))
    #expect(identifier.pgn == VictronRegister.definition.pgn)
    #expect(identifier.priority == 7 && identifier.source == 227 && identifier.destination == 255)
    let voltage = try #require(read([0x66, 0x99, 0x02, 0x20, 0xF8, 0x04, 0x00, 0x00]))
    #expect(voltage.number(.linkVoltageSense) == .value(12.72))
    #expect(wire(RegisterMessage(.linkVoltageSense, .value(12.72))) == "66990220F8040000")
    let current = try #require(read([0x66, 0x99, 0x1C, 0x20, 0x10, 0xF5, 0xFF, 0xFF]))
    #expect(current.number(.linkExtraCurrent) == .value(-2.8))
    #expect(wire(RegisterMessage(.linkExtraCurrent, .value(-2.8))) == "66991C2010F5FFFF")
  }

  @Test("section 4, documented: mode off, and absorption at 58 V")
  func documented() throws {
    let mode = try #require(read([0x66, 0x99, 0x00, 0x02, 0x04, 0x00, 0x00, 0x00]))
    #expect(mode.code(.deviceMode) == 4)
    #expect(wire(RegisterMessage(.deviceMode, code: 4)) == "6699000204000000")
    let absorption = try #require(read([0x66, 0x99, 0xF7, 0xED, 0xA8, 0x16, 0x00, 0x00]))
    #expect(absorption.number(.absorptionVoltage) == .value(58))
    #expect(wire(RegisterMessage(.absorptionVoltage, .value(58))) == "6699F7EDA8160000")
  }

  @Test("section 4, capture 23: the claim of a battery of Victron's, read and written")
  func claim() throws {
    let identifier = try #require(MessageIdentifier(.extended(0x18EE_FF05)))
    #expect(identifier.pgn == 60928 && identifier.priority == 6 && identifier.source == 5)
    let bytes: [UInt8] = [0xF5, 0x01, 0xC0, 0x2C, 0xEF, 0xAA, 0x46, 0xC0]
    let name = Name(rawValue: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    #expect(name.uniqueNumber == 501 && name.manufacturer == 358)
    #expect(name.deviceInstance == 239 && name.function == 170 && name.deviceClass == 35 && name.systemInstance == 0)
    #expect(
      Name(uniqueNumber: 501, manufacturer: 358, deviceInstance: 239, function: 170, deviceClass: 35).rawValue
        == name.rawValue)
  }

  @Test("section 4, captures 1 to 20: 127507 of a GX as fast packets of one frame, in their order with two missing")
  func chargerCaptures() {
    let sequences: [UInt8] = [
      0x40, 0x60, 0x80, 0xA0, 0xC0, 0xE0, 0x00, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0, 0xE0, 0x00, 0x20, 0x40, 0xA0, 0xC0,
      0xE0,
    ]
    var decoder = CaptureDecoder(.text)
    for first in sequences {
      let line = "(1.000000) can0 19F213E1#\(hexadecimal([first, 0x06, 0x00, 0xFF, 0xF8, 0xFD, 0xFF, 0xFF]))\n"
      decoder.decode(Array(line.utf8).span) { _ in }
    }
    decoder.finish()
    let lines = decoder.text.string.split(separator: "\n")
    #expect(lines.count == 20 && decoder.fastPackets.incomplete == 0)
    for line in lines {
      #expect(line.hasSuffix("6 225 > 255 127507 Charger Status: Instance: 0, Operating State: Disabled, Enabled: On"))
    }
  }

  @Test("section 1: what is asked and what is refused, by the bytes of the table of operations")
  func operations() {
    #expect(wire(.read(0x2100, mask: 0xFF00)) == "66990100002100FF")
    #expect(wire(.read(0x0390)) == "669901009003FFFF")
    #expect(wire(.refusal(of: 0x1234, .unknownRead)) == "6699020034120080")
    #expect(wire(.refusal(of: 0x1234, .unknownWrite)) == "6699020034120081")
    #expect(wire(.refusal(of: .refusal, .overflow)) == "6699020002000085")
    let codes: [(RefusalCode, UInt16)] = [
      (.busy, 0x8200), (.invalid, 0x8300), (.timeout, 0x8400), (.overflow, 0x8500), (.initialising, 0x8600),
    ]
    for (code, number) in codes { #expect(code.rawValue == number) }
  }
}
