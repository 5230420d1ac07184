import NMEA2000
import VECan

// Values of registers for the command line: what people type, and JSON. All of it follows from the table's row.

extension RegisterDefinition {
  /// A value as JSON: a number in its unit, a code with its name, a text, or an object of the fields; nil when nothing is
  /// available or the value was cut. Names and forms are those of messages in canboat's JSON.
  func json(_ value: LongPayload) -> String? {
    switch content {
    case .text:
      return LongRegisterMessage(ProprietaryFastPacket(id, value))?.text.map { JSONObject.quoted($0) }
    case .fields(let fields, let length):
      guard value.count >= length, !fields.isEmpty else { return nil }
      if fields.count == 1, let field = fields.first { return Self.json(field, value) }
      var object = JSONObject()
      for field in fields {
        if let member = Self.json(field, value) { object.add(field.name, json: member) }
      }
      return object.text
    }
  }

  private static func json(_ field: Field, _ value: LongPayload) -> String? {
    if let format = field.format {
      guard case .value(let steps) = value.integer(field) else { return nil }
      return NumberFormat(multiplier: format.multiplier, decimals: format.decimals, offset: format.offset).text(
        steps: steps)
    }
    guard case .lookup(let lookup) = field.kind, let code = value.bits(at: field.bitOffset, count: field.bitCount)
    else {
      return nil
    }
    let name = lookup.name(of: UInt32(truncatingIfNeeded: code))
    if name == nil, field.bitCount == 8, code == 0xFF { return nil }
    var object = JSONObject()
    object.add("value", code)
    object.add("name", name)
    return object.text
  }

  /// The unit of a value of one number, as JSON and people see it.
  var unit: String? {
    guard fields.count == 1, let unit = fields.first?.format?.unit, unit != .none else { return nil }
    return unit.rawValue
  }

  /// The bytes of a value as people type it: a number in the unit that "read" shows, a code or its name, a text. A value
  /// of several fields is typed as one number of all its bits, as 0x17.
  func bytes(typed text: String?) throws -> LongPayload {
    guard let text else {
      guard access == .command else { throw Failure("\(id) \(name) needs a value") }
      return LongPayload(ShortPayload(littleEndian: 0, count: 4))
    }
    switch content {
    case .text(let longest):
      guard text.utf8.count <= longest else {
        throw Failure("\(id) \(name) holds \(longest) bytes: \"\(text)\" is longer")
      }
      var payload = LongPayload()
      for byte in text.utf8 { payload.append(byte) }
      payload.append(0)
      return payload
    case .fields(let fields, let length):
      guard let field = fields.first else { throw Failure("\(id) \(name) is a command and takes no value") }
      if fields.count > 1 || fields[0].bitCount < 8 { return try Self.bits(text, length, what: "\(id) \(name)") }
      var payload = blank
      if let format = field.format {
        guard let number = Double(text), number.isFinite else { throw Failure("\"\(text)\" is no number") }
        let isCelsius = format.unit == .kelvin
        payload.set(field, .value(isCelsius ? number + 273.15 : number))
        guard case .value = payload.integer(field) else { throw Failure("\(id) \(name) cannot express \(text)") }
      } else if case .lookup(let lookup) = field.kind {
        let code = UInt32(text) ?? lookup.names.first { $0.value.lowercased() == text.lowercased() }?.key
        guard let code, code <= 0xFF else {
          let known = lookup.names.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
          throw Failure("\"\(text)\" is no code of \(id) \(name): \(known.joined(separator: ", "))")
        }
        payload.setBits(at: 0, count: 8, to: UInt64(code))
      }
      return LongPayload(payload)
    }
  }

  private static func bits(_ text: String, _ length: Int, what: String) throws -> LongPayload {
    guard let number = Numbers.unsigned(text), number < 1 << UInt64(length * 8) else {
      throw Failure("the value of \(what) has several parts: give all its bits as one number, as 0x17")
    }
    return LongPayload(ShortPayload(littleEndian: UInt128(number), count: length))
  }
}

extension ProprietaryFastPacket {
  /// A message of a register with these bytes as its value.
  init(_ id: RegisterID, _ value: LongPayload) {
    self.init(ProprietaryHeader(manufacturer: VictronRegister.manufacturer))
    payload.append(littleEndian: UInt64(id.rawValue), byteCount: 2)
    for index in 0..<value.count { payload.append(value[index]) }
  }
}

extension LongPayload {
  /// The bytes of a short payload.
  init(_ short: ShortPayload) {
    self.init()
    for index in 0..<short.count { append(short[index]) }
  }
}

/// Numbers on the command line.
enum Numbers {
  /// A decimal number, or a hexadecimal one that begins with 0x.
  static func unsigned(_ text: String) -> UInt64? {
    text.lowercased().hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }
}
