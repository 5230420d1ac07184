import CANBus
import MonotonicTime
import NMEA2000
import Testing

/// Typed messages: the codes that are no values, the edges of ranges, short payloads, and the bytes of real devices.
@Suite struct MessageTests {
  static func bytes(_ message: some Message) -> [UInt8] {
    message.withPayload { span in
      (0..<span.byteCount).map { span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }
  }

  static func read<Kind: Message>(_ bytes: [UInt8], as: Kind.Type = Kind.self) -> Kind {
    Kind(payload: bytes.span.bytes)
  }

  // MARK: - The catalogue

  @Test("Every message of the folder is in the catalogue")
  func catalogue() {
    let listed = Set(Catalogue.messages.map { "\($0)" })
    for file in GoldenFiles.sources("Sources/NMEA2000/Messages") {
      let text = GoldenFiles.text("Sources/NMEA2000/Messages/\(file)")
      for line in text.split(separator: "\n") where line.hasPrefix("public struct ") {
        let words = line.dropFirst("public struct ".count).split(whereSeparator: { " :,{".contains($0) })
        guard words.contains("ShortMessage") || words.contains("LongMessage") || words.contains("GroupFunctionFields"),
          let name = words.first
        else { continue }
        #expect(listed.contains(String(name)), "\(name) in \(file) is missing in Catalogue.swift")
      }
    }
    #expect(listed.count == Catalogue.messages.count)
  }

  @Test("The fields of a message lie without gap or overlap, and fill its length")
  func layout() {
    for message in Catalogue.messages {
      let definition = message.definition
      var end = 0
      for field in definition.fields {
        guard field.kind != .variableText else { continue }
        #expect(field.bitOffset == end, "\(definition.name): \(field.name)")
        end = field.bitOffset + field.bitCount
      }
      if definition.repeated.isEmpty, !definition.fields.contains(where: { $0.bitCount == 0 }) {
        #expect(end == definition.length * 8, "\(definition.name)")
      }
    }
  }

  // MARK: - Codes that are no values

  @Test("127508: not available, error and reserved are told apart from each other and from zero")
  func missingCodes() {
    let message: BatteryStatus = Self.read([0xFD, 0xFF, 0x7F, 0xFE, 0x7F, 0xFD, 0xFF, 0x00])
    #expect(message.instance == .reserved)
    #expect(message.voltage == .notAvailable)
    #expect(message.current == .error)
    #expect(message.temperature == .reserved)
    #expect(message.sequenceIdentifier == .value(0))
  }

  @Test("127508 at the edges of its ranges, and one step beyond, which is sent as error")
  func edges() {
    var message = BatteryStatus()
    message.voltage = .value(327.64)
    message.current = .value(-3276.7)
    message.temperature = .value(655.32)
    #expect(Self.bytes(message) == [0xFF, 0xFC, 0x7F, 0x01, 0x80, 0xFC, 0xFF, 0xFF])
    #expect(message.voltage == .value(327.64))
    #expect(message.current == .value(-3276.7))
    #expect(message.temperature == .value(655.32))
    message.voltage = .value(327.65)
    message.current = .value(-3276.8)
    message.temperature = .value(655.33)
    #expect(message.voltage == .error)
    #expect(message.current == .error)
    #expect(message.temperature == .error)
    message.voltage = .value(.nan)
    message.current = .value(.infinity)
    #expect(message.voltage == .error)
    #expect(message.current == .error)
  }

  @Test("A 127508 of 3 bytes has instance and voltage and nothing else")
  func shortMessage() {
    let message: BatteryStatus = Self.read([0x01, 0x20, 0x05])
    #expect(message.instance == .value(1))
    #expect(message.voltage == .value(13.12))
    #expect(message.current == .notAvailable)
    #expect(message.temperature == .notAvailable)
    #expect(message.sequenceIdentifier == .notAvailable)
  }

  @Test("A new message has every field not available, signed ones too, and spare bits zero")
  func blank() {
    let message = BatteryStatus()
    #expect(Self.bytes(message) == [0xFF, 0xFF, 0x7F, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
    #expect(message.voltage == .notAvailable)
    #expect(message.current == .notAvailable)
    #expect(BatteryConfigurationStatus().chargeEfficiency == .notAvailable)
    #expect(Self.bytes(ISOAddressClaim())[6] == 0xFE)
  }

  // MARK: - Single messages

  @Test("127506 of 9 bytes has no capacity, of 11 bytes it has; the real 0xFFFE is an error and not 65534 minutes")
  func detailedStatus() {
    let old: DCDetailedStatus = Self.read([0x5D, 0x00, 0xFF, 0x49, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF])
    #expect(old.stateOfCharge == .value(73))
    #expect(old.type == .notAvailable)
    #expect(old.timeRemaining == .error)
    #expect(old.remainingCapacity == .notAvailable)
    var new = DCDetailedStatus()
    new.type = .value(.battery)
    new.timeRemaining = .value(.minutes(1092))
    new.rippleVoltage = .value(0.515)
    new.remainingCapacity = .value(200)
    #expect(Self.bytes(new) == [0xFF, 0xFF, 0x00, 0xFF, 0xFF, 0x44, 0x04, 0x03, 0x02, 0xC8, 0x00])
    #expect(new.timeRemaining == .value(.hours(18) + .minutes(12)))
  }

  @Test("127501: 28 indicators, each with off, on, error and not available")
  func indicators() {
    var message = BinarySwitchBankStatus()
    message.instance = .value(0)
    message[indicator: 1] = .value(true)
    message[indicator: 2] = .value(false)
    message[indicator: 5] = .error
    message[indicator: 28] = .value(true)
    #expect(Self.bytes(message) == [0x00, 0xF1, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])
    #expect(message[indicator: 1] == .value(true))
    #expect(message[indicator: 2] == .value(false))
    #expect(message[indicator: 3] == .notAvailable)
    #expect(message[indicator: 5] == .error)
    #expect(message[indicator: 28] == .value(true))
    for outside in [Int.min, -1, 0, 29, Int.max] {
      let before = message
      message[indicator: outside] = .value(true)
      #expect(message == before)
      #expect(message[indicator: outside] == .notAvailable)
    }
  }

  @Test("127502: what is not a clear order is sent as no change")
  func switchControl() {
    var message = SwitchBankControl()
    message[switch: 1] = .value(true)
    message[switch: 2] = .value(false)
    message[switch: 3] = .error
    #expect(Self.bytes(message) == [0xFF, 0xF1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
    let read: SwitchBankControl = Self.read([0x00, 0xE4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(read[switch: 3] == .reserved)
    #expect(read[switch: 4] == .notAvailable)
  }

  @Test("127507 with the mode of 7 that a real device sends, and with two bytes too many")
  func chargerStatus() {
    let message: ChargerStatus = Self.read([0x00, 0x01, 0x71, 0xF1, 0x05, 0x00, 0xFF, 0xFF])
    #expect(message.state == .value(.bulk))
    #expect(message.mode == .value(7))
    #expect(message.isEnabled == .value(true))
    #expect(message.isEqualizationPending == .value(false))
    #expect(message.equalizationTimeRemaining == .value(.minutes(5)))
  }

  @Test("127513: Peukert exponent 1 + 0.002 n, nominal voltage 4 is 36 V")
  func batteryConfiguration() {
    var message = BatteryConfigurationStatus()
    message.instance = .value(1)
    message.peukertExponent = .value(1.2)
    message.temperatureCoefficient = .value(-1)
    message.chemistry = .value(1)
    #expect(Self.bytes(message) == [0x01, 0xFF, 0x1F, 0xFF, 0xFF, 0xFF, 100, 0x7F])
    #expect(message.peukertExponent == .value(1.2))
    message.peukertExponent = .value(1.504)
    #expect(message.peukertExponent == .value(1.504))
    message.peukertExponent = .value(1.506)
    #expect(message.peukertExponent == .error)
    #expect(Lookup.batteryVoltage.name(of: 4) == "36V")
  }

  @Test("126993: 60 s are sent as 60000, the reserved bits as ones")
  func heartbeat() {
    var message = Heartbeat()
    message.interval = .value(.seconds(60))
    message.sequenceCounter = .value(252)
    message.controller1 = .value(0)
    #expect(Self.bytes(message) == [0x60, 0xEA, 0xFC, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF])
  }

  @Test("59904 has three bytes; with two it asks for nothing, not for PGN 0")
  func request() {
    var message = ISORequest()
    message.requestedPGN = .value(126996)
    #expect(Self.bytes(message) == [0x14, 0xF0, 0x01])
    #expect(Self.read([0x14, 0xF0], as: ISORequest.self).requestedPGN == .notAvailable)
  }

  @Test("60928: the worked example; a claim of 5 bytes has no NAME")
  func addressClaim() {
    let name = Name(uniqueNumber: 9, manufacturer: 2046, function: 170, deviceClass: 35)
    let bytes: [UInt8] = [0x09, 0x00, 0xC0, 0xFF, 0x00, 0xAA, 0x46, 0xC0]
    #expect(Self.bytes(ISOAddressClaim(name)) == bytes)
    #expect(Self.read(bytes, as: ISOAddressClaim.self).name == name)
    #expect(Self.read(Array(bytes[..<5]), as: ISOAddressClaim.self).name == nil)
    #expect(Self.bytes(ISOCommandedAddress(name, address: 66)) == bytes + [66])
    #expect(Self.read(bytes, as: ISOCommandedAddress.self).address == nil)
  }

  @Test("61184: 66 99, register, value; unused value bytes are zero")
  func victronRegister() {
    let message = VictronRegister(register: 0x2002, value: 0x0F)
    #expect(Self.bytes(message) == [0x66, 0x99, 0x02, 0x20, 0x0F, 0, 0, 0])
    #expect(message.isVictron)
    #expect(!Self.read([0x67, 0x98, 0x02, 0x20, 0, 0, 0, 0], as: VictronRegister.self).isVictron)
    #expect(Self.read([0x66, 0x99, 0x02, 0x20, 0, 0, 0], as: VictronRegister.self).value == nil)
  }

  // MARK: - Texts

  @Test(
    "126996: every padding is trimmed",
    arguments: [
      [UInt8](repeating: 0x20, count: 27), [UInt8](repeating: 0xFF, count: 27),
      [UInt8](repeating: 0x00, count: 27), [UInt8](repeating: 0x40, count: 27),
      [0x00] + [UInt8](repeating: 0x41, count: 26),
    ])
  func paddings(padding: [UInt8]) {
    let bytes = [0x34, 0x08, 0x64, 0x00] + Array("Lynx1".utf8) + padding + [UInt8](repeating: 0xFF, count: 98)
    let message: ProductInformation = Self.read(bytes)
    #expect(message.version == .value(2.1))
    #expect(message.model == "Lynx1")
    #expect(message.softwareVersion == nil)
  }

  @Test("126996 of 132 bytes has everything but the last two fields; a text may fill all 32 bytes")
  func shortProductInformation() {
    var full = ProductInformation()
    full.serial = "12345678901234567890123456789012"
    full.loadEquivalency = .value(1)
    let message: ProductInformation = Self.read(Array(Self.bytes(full)[..<132]))
    #expect(message.serial == "12345678901234567890123456789012")
    #expect(message.loadEquivalency == .notAvailable)
    #expect(Self.bytes(full).count == 134)
  }

  @Test("126998: three texts, an empty one is 02 01, a lone 0xFF is read as empty")
  func configurationInformation() {
    let message = ConfigurationInformation(installationDescription1: "AB", manufacturer: "vecand")
    #expect(Self.bytes(message) == [4, 1, 0x41, 0x42, 2, 1, 8, 1] + Array("vecand".utf8))
    #expect(message.installationDescription1 == "AB")
    #expect(message.installationDescription2 == nil)
    let lone: ConfigurationInformation = Self.read([0xFF, 0x04, 0x01, 0x41, 0x42, 0x02, 0x01])
    #expect(lone.installationDescription1 == nil)
    #expect(lone.installationDescription2 == "AB")
    let long = String(repeating: "x", count: 100)
    let longest = ConfigurationInformation(
      installationDescription1: long, installationDescription2: long, manufacturer: long)
    #expect(Self.bytes(longest).count == 216)
    let wide = ConfigurationInformation(installationDescription1: "Grüße")
    #expect(wide.installationDescription1 == "Grüße")
    let cut: ConfigurationInformation = Self.read([10, 1, 0x41])
    #expect(cut.installationDescription1 == nil)
  }

  @Test("126464: 74 PGNs fit; a PGN that was cut off does not count")
  func pgnList() {
    let list = PGNList(.transmit, (0..<80).map { _ in PGN(127508) })
    #expect(Self.bytes(list).count == 223)
    #expect(list.count == 74)
    #expect(list[73] == 127508)
    #expect(list[74] == nil)
    #expect(Self.read([0x01, 0x14, 0xF0, 0x01, 0x00, 0xEE], as: PGNList.self).count == 1)
  }

  // MARK: - Group functions

  @Test("126208: the real command that switches indicator 5 off, and its acknowledgement")
  func realCommand() throws {
    var command = GroupFunctionCommand(127501)
    let isAppended = command.append(field: BinarySwitchBankStatus.fieldNumber(ofIndicator: 5), value: 0, byteCount: 1)
    #expect(isAppended)
    #expect(Self.bytes(command) == [0x01, 0x0D, 0xF2, 0x01, 0xF8, 0x01, 0x06, 0x00])
    var parameters = command.parameters
    #expect(parameters.nextFieldNumber == 6)
    let next = parameters.next(Catalogue.field(6, of: 127501))
    let range = try #require(next)
    #expect(parameters.value(at: range) == 0)
    #expect(parameters.nextFieldNumber == nil)

    let answer: GroupFunctionAcknowledge = Self.read([0x02, 0x0D, 0xF2, 0x01, 0x00, 0x01, 0xF0])
    #expect(answer.pgn == .value(127501))
    #expect(answer.pgnError == GroupFunctionAcknowledge.PGNError.none)
    #expect(answer.parameterCount == 1)
    #expect(answer.parameterError(0) == GroupFunctionAcknowledge.ParameterError.none)
    #expect(
      Self.bytes(GroupFunctionAcknowledge(127501, parameters: [.none])) == [0x02, 0x0D, 0xF2, 0x01, 0x00, 0x01, 0xF0])
  }

  @Test("A command that is cut before its count has no parameters, not 255")
  func cutCommand() {
    for length in 0...5 {
      let command: GroupFunctionCommand = Self.read(Array([0x01, 0x0D, 0xF2, 0x01, 0xF8, 0x05][..<length]))
      #expect(command.parameters.remaining == 0)
    }
    var lying: GroupFunctionCommand = Self.read([0x01, 0x0D, 0xF2, 0x01, 0xF8, 0x05, 0x06])
    var parameters = lying.parameters
    let next = parameters.next(Catalogue.field(6, of: 127501))
    #expect(next == nil)
    lying.priority = .value(3)
    #expect(lying.priority == .value(3))
  }

  @Test("126208 request: off, restore, unchanged and an interval")
  func requestInterval() {
    var request = GroupFunctionRequest(126993)
    #expect(Self.bytes(request) == [0x00, 0x11, 0xF0, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00])
    #expect(request.interval == .unchanged)
    request.interval = .every(.seconds(1))
    #expect(Self.bytes(request)[4...7] == [0xE8, 0x03, 0x00, 0x00])
    request.interval = .off
    #expect(request.interval == .off)
    request.interval = .restoreDefault
    #expect(request.interval == .restoreDefault)
  }

  @Test("Fields 1 to 3 of a proprietary PGN are maker, reserved, industry, whoever made it")
  func proprietaryFields() {
    #expect(Catalogue.field(1, of: 126720)?.name == "Manufacturer Code")
    #expect(Catalogue.field(3, of: 130824)?.name == "Industry Code")
    #expect(Catalogue.field(4, of: 65379) == nil)
    #expect(Catalogue.field(0, of: 127501) == nil)
    #expect(Catalogue.field(29, of: 127501)?.name == "Indicator28")
    #expect(Catalogue.field(30, of: 127501) == nil)
  }
}
