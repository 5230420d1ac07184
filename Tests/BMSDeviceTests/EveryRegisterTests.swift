import BMSCore
import CANBus
import MonotonicTime
import NMEA2000
import Testing
import VECan

@testable import BMSDevice

/// The frames of a fast packet as nmea2000.md has them: sequence and number, length, six bytes, then seven a frame,
/// ones behind the last. Made here and not by the program's own sender.
private func fastPacket(_ payload: [UInt8], sequence: UInt8) -> [[UInt8]] {
  var frames = [[sequence << 5, UInt8(payload.count)] + payload.prefix(6)]
  var rest = payload.dropFirst(6)
  while !rest.isEmpty {
    frames.append([sequence << 5 | UInt8(frames.count)] + rest.prefix(7))
    rest = rest.dropFirst(7)
  }
  return frames.map { $0 + [UInt8](repeating: 0xFF, count: 8 - $0.count) }
}

private func text(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
}

extension Bench {
  /// The value of a register of the device as its answer to a read has it: all that came, by frame.
  mutating func readWhole(_ register: Register) -> [String] {
    ask(
      [0x66, 0x99, 0x01, 0x00, UInt8(register.rawValue & 0xFF), UInt8(register.rawValue >> 8), 0xFF, 0xFF],
      within: .milliseconds(20))
  }

  /// Sends frames of 126720 to the device as they are.
  mutating func askLong(_ frames: [[UInt8]]) -> [String] {
    let start = sent.count
    let identifier = MessageIdentifier(priority: 7, pgn: 126720, source: Self.asker, destination: 35).canIdentifier
    for frame in frames {
      let bits = frame.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      put(CANDataFrame(identifier, CANPayload(littleEndian: bits, count: frame.count)))
    }
    advance(.milliseconds(30))
    return sent[start...].compactMap { entry in
      guard entry.entry.urgency == .answer, MessageIdentifier(entry.entry.frame.identifier)?.pgn != 59904 else {
        return nil
      }
      return CandumpText.compact(.data(entry.entry.frame))
    }
  }

  /// Writes bytes to a register by fast packet.
  mutating func writeLong(_ register: Register, _ value: [UInt8], sequence: UInt8 = 5) -> [String] {
    askLong(fastPacket(Self.header(register) + value, sequence: sequence))
  }

  static func header(_ register: Register) -> [UInt8] {
    [0x66, 0x99, UInt8(register.rawValue & 0xFF), UInt8(register.rawValue >> 8)]
  }

  /// What a text register is answered with, to all from address 35, as vecan.md section 1 has it.
  static func textFrames(_ register: Register, _ value: String, sequence: UInt8) -> [String] {
    fastPacket(header(register) + Array(value.utf8) + [0], sequence: sequence).map { "1DEFFF23#" + text($0) }
  }
}

@Suite("Every register of the device: read, block, write, refusal and cut frames, byte by byte (vecan.md section 1)")
struct EveryRegisterTests {
  static let texts = DeviceRegisters.all.filter { $0.definition.longestText != nil }
  static let commands = DeviceRegisters.all.filter { $0.definition.access == .command }
  static let writable = DeviceRegisters.all.filter { $0.definition.access == .readWrite }
  /// Settings that this BMS has fixed, or whose value follows from something else.
  static let fixed: Set<Register> = [.chargeEfficiency, .peukertExponent, .currentThreshold, .relayControl]

  @Test("each text: zero-ended, in 126720 to all with priority 7, one sequence for all of them")
  func readTexts() {
    var bench = Bench.running()
    let fuses = (1...16).map { "Fuse_\($0)" }  // C-7
    let values: [Register: String] = [
      .serialNumber: bench.device.identity.serial, .modelName: "vecand battery monitor", .description1: "",
      .description2: "",
    ].merging(zip(DeviceRegisters.fuseNames, fuses)) { $1 }
    #expect(Set(values.keys) == Set(Self.texts))
    for (number, register) in Self.texts.enumerated() {
      #expect(
        bench.readWhole(register)
          == Bench.textFrames(register, values[register] ?? "", sequence: UInt8(number % 8)),
        "\(register.definition.name)")
    }
  }

  @Test(
    "a masked read brings each register whose number matches, once, and nothing else",
    arguments: [0xFFFF, 0xFFFE, 0xFFFC, 0xFFF0, 0xFF00, 0xF000, 0x8000, 0x0000, 0x00FF, 0x0F0F] as [UInt16])
  func blocks(mask: UInt16) {
    var bench = Bench.running()
    let readable = DeviceRegisters.all.filter { $0.definition.access != .command }.map(\.rawValue)
    for block in Set(readable.map { $0 & mask }).sorted() {
      // The bits that the mask leaves out do not count.
      let id = block | ~mask & 0x5A5A
      let request = [0x66, 0x99, 0x01, 0x00, id & 0xFF, id >> 8, mask & 0xFF, mask >> 8].map(UInt8.init)
      let wanted = readable.filter { $0 & mask == block }.sorted()
      // 1.25 ms a frame, at most 11 frames a text.
      let answers = bench.ask(request, within: .milliseconds(10 + Int64(wanted.count) * 4))
      var told: [UInt16] = []
      for answer in answers {
        if answer.hasPrefix("1CEFFF23#6699") {
          #expect(answer.count == 9 + 16)
          told.append(Self.number(answer.dropFirst(13)))
        } else if answer.hasPrefix("1DEFFF23#"), answer.dropFirst(10).first == "0",
          answer.dropFirst(13).hasPrefix("6699")
        {
          told.append(Self.number(answer.dropFirst(17)))
        }
      }
      #expect(told.sorted() == wanted, "mask \(RegisterID(mask)), block \(RegisterID(block))")
      if mask == 0x0000 { break }
    }
  }

  /// A little-endian number of four hexadecimal digits.
  private static func number(_ digits: Substring) -> UInt16 {
    (UInt16(digits.prefix(4), radix: 16) ?? 0).byteSwapped
  }

  @Test("a block that holds nothing is refused with 0x8000 by the number that was asked for")
  func emptyBlock() {
    var bench = Bench.running()
    #expect(
      bench.ask([0x66, 0x99, 0x01, 0x00, 0x00, 0x30, 0x00, 0xFF]) == Bench.refusal(0x3000, 0x8000))
    // All of 0x102C's block are orders: there is nothing to read.
    #expect(
      bench.ask([0x66, 0x99, 0x01, 0x00, 0x2C, 0x10, 0xFC, 0xFF]) == Bench.refusal(0x102C, 0x8000))
  }

  @Test("the tables of writes name every register that can be written, with a value in range and one out of it")
  func tablesAreComplete() {
    let settings = Set(RegisterTests.changes.map(\.register))
    #expect(settings.union(Self.fixed).union([.deviceMode]) == Set(Self.writable).subtracting(Self.texts))
    for register in settings {
      #expect(RegisterTests.changes.contains { $0.register == register && !$0.refused.isEmpty }, "\(register)")
    }
  }

  @Test("each text takes its longest value and an empty one, and refuses one byte more and no text at all")
  func writeTexts() throws {
    for register in Self.writable where register.definition.longestText != nil {
      var bench = Bench.running()
      let name = Comment(rawValue: register.definition.name)
      let length = try #require(register.definition.longestText)
      let longest = String((0..<length).map { Character(UnicodeScalar(UInt8(0x41 + $0 % 26))) })
      #expect(
        bench.writeLong(register, Array(longest.utf8) + [0]) == Bench.textFrames(register, longest, sequence: 0), name)
      let tooLong = Array(longest.utf8) + [0x21, 0]
      #expect(bench.writeLong(register, tooLong) == Bench.refusal(register.rawValue, 0x8300), name)
      // A lone continuation byte is no UTF-8.
      #expect(
        bench.writeLong(register, [0x41, 0x80, 0x42, 0x43, 0x44, 0]) == Bench.refusal(register.rawValue, 0x8100), name)
      #expect(bench.readWhole(register) == Bench.textFrames(register, longest, sequence: 1), name)
      // An empty text fits one frame, as a short register.
      #expect(
        bench.ask(Bench.header(register) + [0, 0, 0, 0], within: .milliseconds(20))
          == Bench.textFrames(register, "", sequence: 2), name)
    }
  }

  @Test("each register that is only read refuses one frame and a fast packet, and says the same as before")
  func readOnly() {
    var bench = Bench.running()
    for register in DeviceRegisters.all where register.definition.access == .read {
      let name = Comment(rawValue: register.definition.name)
      let before = register.definition.longestText == nil ? bench.readWhole(register) : []
      #expect(bench.write(register.rawValue, 0) == Bench.refusal(register.rawValue, 0x8100), name)
      #expect(bench.write(register.rawValue, 0xFFFF_FFFF) == Bench.refusal(register.rawValue, 0x8100), name)
      #expect(
        bench.writeLong(register, Array("Not to be written".utf8) + [0])
          == Bench.refusal(register.rawValue, 0x8100), name)
      // Two clocks go on meanwhile.
      if register != .uptime, register != .secondsSinceFullCharge {
        #expect(register.definition.longestText != nil || bench.readWhole(register) == before, name)
      }
    }
  }

  @Test("a register next to one of ours is unknown: 0x8000 to read, 0x8100 to write, whoever asks")
  func unknown() {
    var bench = Bench.running()
    let known = Set(DeviceRegisters.all.map(\.rawValue))
    // Below 0x0005 are no registers, but orders.
    for id in Set(known.flatMap { [$0 &- 1, $0 &+ 1] }).subtracting(known).sorted() where id > 4 {
      #expect(
        bench.ask([0x66, 0x99, 0x01, 0x00, UInt8(id & 0xFF), UInt8(id >> 8), 0xFF, 0xFF])
          == Bench.refusal(id, 0x8000), "\(RegisterID(id))")
      #expect(bench.write(id, 1) == Bench.refusal(id, 0x8100), "\(RegisterID(id))")
    }
  }

  @Test("a read of each register that is cut is refused with 0x8300, one without its number is nobody's")
  func cutReads() {
    var bench = Bench.running()
    for register in DeviceRegisters.all {
      let id = register.rawValue
      let whole: [UInt8] = [0x66, 0x99, 0x01, 0x00, UInt8(id & 0xFF), UInt8(id >> 8), 0xFF, 0xFF]
      for count in 0..<8 {
        #expect(
          bench.ask(Array(whole[..<count])) == (count < 4 ? [] : Bench.refusal(0x0001, 0x8300)),
          "\(register.definition.name), \(count) bytes")
      }
    }
  }

  @Test("a write to each register that is cut in its value changes nothing and is refused")
  func cutWrites() {
    var bench = Bench.running()
    let settings = bench.settings
    let names = bench.device.core.fuseNames
    for register in DeviceRegisters.all {
      // A value that each setting would take, where ones are left of it.
      let whole = Bench.header(register) + [1, 0, 0, 0]
      for count in 0..<4 { #expect(bench.ask(Array(whole[..<count])).isEmpty) }
      let definition = register.definition
      let least = definition.longestText == nil ? definition.length : 1
      for count in 4..<(4 + least) {
        #expect(
          bench.ask(Array(whole[..<count]))
            == Bench.refusal(register.rawValue, definition.access == .read ? 0x8100 : 0x8300),
          "\(definition.name), \(count) bytes")
      }
    }
    #expect(bench.settings == settings)
    #expect(bench.device.core.fuseNames == names)
  }

  @Test("a fast packet of which a frame is missing writes nothing, whichever it is, and the next whole one counts")
  func cutFastPackets() {
    let register = Register.fuseNameA1
    let value = Array("Bow thruster".utf8) + [0]
    let frames = fastPacket(Bench.header(register) + value, sequence: 1)
    #expect(frames.count == 3)
    for kept in [[0], [0, 1], [0, 2], [1, 2], [2]] {
      var bench = Bench.running()
      let names = bench.device.core.fuseNames
      #expect(bench.askLong(kept.map { frames[$0] }).isEmpty, "frames \(kept)")
      #expect(bench.device.core.fuseNames == names)
      #expect(
        bench.writeLong(register, value, sequence: 2) == Bench.textFrames(register, "Bow thruster", sequence: 0))
      #expect(bench.device.core.fuseNames.names[0] == "Bow thruster")
    }
  }

  @Test("each order is carried out and told to all as its number with zeros; to all it is no order")
  func orders() {
    for register in Self.commands {
      var bench = Bench.running()
      #expect(bench.ask(Bench.header(register) + [0, 0, 0, 0], to: 255).isEmpty)
      #expect(
        bench.write(register.rawValue, 0)
          == ["1CEFFF23#6699\(Bench.hexadecimal(register.rawValue))00000000"], "\(register.definition.name)")
      #expect(bench.readWhole(register) == Bench.refusal(register.rawValue, 0x8000))
    }
  }
}
