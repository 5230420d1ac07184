/// Makes messages from canboat's JSON: the way back from ``MessageWriter``, by the same definitions.
///
/// Absent fields become not available and reserved bits ones. What can't be said in the message is refused with its name;
/// nothing is cut or clamped in silence.
public struct MessageReader: Sendable {
  /// A message that was read.
  public struct Message: Sendable {
    /// From whom to whom.
    public var header: MessageIdentifier
    /// The payload.
    public var payload: LongPayload
    /// How it travels.
    public var framing: MessageDefinition.Framing
    /// Wall time since 1970, if there was one.
    public var microseconds: Int64?
  }

  /// What is wrong with an object.
  public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The fault in words, with the field's name.
    public let description: String

    init(_ description: String) { self.description = description }
  }

  private let names: [Lookup: [String: UInt32]]

  /// A reader.
  public init() {
    names = Lookup.allCases.reduce(into: [:]) { tables, lookup in
      tables[lookup] = lookup.names.reduce(into: [:]) { $0[$1.value] = $1.key }
    }
  }

  /// Reads one object.
  public func message(_ object: JSONValue) throws(Fault) -> Message {
    guard case .object = object else { throw Fault("expected an object") }
    let number = UInt32(try whole(object["pgn"], "pgn", 0...0x3FFFF))
    let pgn = PGN(number)
    guard pgn.rawValue == number else {
      throw Fault("pgn: \(number) is no PGN: \(pgn) is, and dst says to whom it goes")
    }
    let fields = object["fields"] ?? .object([])
    guard case .object(let members) = fields else { throw Fault("fields: expected an object") }
    let definition = try definition(of: pgn, fields)
    let priority = object["prio"] == nil ? Int(definition?.priority ?? 6) : try whole(object["prio"], "prio", 0...7)
    let source = try whole(object["src"], "src", 0...255)
    let destination = object["dst"] == nil ? 255 : try whole(object["dst"], "dst", 0...255)

    var writer = BitWriter()
    if let definition {
      try write(definition, members, &writer)
    } else {
      for member in members where member.name != "Data" {
        throw Fault("\(member.name): PGN \(pgn) is not known field by field; give its bytes as Data")
      }
      guard let data = fields["Data"] else { throw Fault("fields: PGN \(pgn) is not known field by field; give Data") }
      try writeBytes(data, "Data", &writer)
    }
    let framing = definition?.framing ?? PGNNames.framing(of: pgn)
    guard writer.fits else { throw Fault("fields: more than 223 bytes") }
    guard framing != .single || writer.payload.count <= 8 else {
      throw Fault("fields: \(writer.payload.count) bytes do not fit into the single frame of PGN \(pgn)")
    }
    return Message(
      header: MessageIdentifier(
        priority: UInt8(priority), pgn: pgn, source: UInt8(source), destination: UInt8(destination)),
      payload: writer.payload, framing: framing, microseconds: try time(object["timestamp"]))
  }

  /// The definition that the fields ask for, when a PGN has several; nil for a PGN that is not known.
  private func definition(of pgn: PGN, _ fields: JSONValue) throws(Fault) -> MessageDefinition? {
    guard let candidates = Catalogue.definitions[pgn] else { return nil }
    for candidate in candidates {
      var applies = true
      for match in candidate.matches {
        guard let field = candidate.fields.first(where: { $0.bitOffset == match.bitOffset }),
          let value = fields[field.name], try code(value, field, deviceClass: nil) == match.value
        else {
          applies = false
          break
        }
      }
      if applies { return candidate }
    }
    // None of them: bytes are bytes, as they were shown.
    if case .object(let members) = fields, members.count == 1, members.first?.name == "Data" { return nil }
    let names = Set(candidates.flatMap { $0.matches.isEmpty ? [] : [$0.fields[0].name] })
    throw Fault("fields: which message of PGN \(pgn) it is must be told by \(names.sorted().joined(separator: ", "))")
  }

  // MARK: - Fields

  private func write(
    _ definition: MessageDefinition, _ members: [JSONValue.Member], _ writer: inout BitWriter
  ) throws(Fault) {
    let object = JSONValue.object(members)
    let setNames = ["list", "list2"].prefix(definition.repeated.count)
    for member in members where !setNames.contains(member.name) {
      guard definition.fields.contains(where: { $0.name == member.name }) else {
        throw Fault("\(member.name): \(definition.name) has no such field")
      }
    }
    var reference = PGN(0)
    var hexadecimals = members.filter { $0.name == "Reserved" || $0.name == "Spare" }
    for (index, field) in definition.fields.enumerated() {
      if field.isProprietaryOnly, !reference.isProprietary { continue }
      var value = object[field.name]
      if field.kind == .reserved || field.kind == .spare {
        // Several fields can have this name; the number of bytes tells which one is meant.
        let width = (field.bitOffset % 8 + field.bitCount + 7) / 8
        let place = hexadecimals.firstIndex { Self.byteCount($0.value) == width && $0.name == field.name }
        value = place.map { hexadecimals.remove(at: $0).value }
      }
      // A set's size can be left to the set.
      if value == nil, let set = definition.repeated.firstIndex(where: { $0.countField == index + 1 }),
        case .array(let elements) = object[setNames[set]] ?? .array([])
      {
        value = .number(Double(elements.count))
      }
      if field.kind == .deviceFunction, let name = value, case .string = name {
        var classCode: UInt64?
        if let deviceClass = definition.fields.first(where: { $0.kind == .lookup(.deviceClass) }),
          let named = object[deviceClass.name]
        {
          classCode = try code(named, deviceClass, deviceClass: nil)
        }
        value = .number(Double(try code(name, field, deviceClass: classCode)))
      }
      try write(value, field, &writer)
      if field.kind == .pgn, let value { reference = PGN(UInt32(try code(value, field, deviceClass: nil))) }
    }
    for (index, set) in definition.repeated.enumerated() {
      guard case .array(let elements) = object[setNames[index]] ?? .array([]) else {
        throw Fault("\(setNames[index]): expected a list")
      }
      for element in elements { try write(set, element, reference, setNames[index], &writer) }
    }
  }

  private func write(
    _ set: MessageDefinition.RepeatedSet, _ element: JSONValue, _ reference: PGN, _ name: String,
    _ writer: inout BitWriter
  ) throws(Fault) {
    guard case .object(let members) = element else { throw Fault("\(name): expected a list of objects") }
    for member in members where !set.fields.contains(where: { $0.name == member.name }) {
      throw Fault("\(name): \(member.name): no such field")
    }
    var number = 0
    for field in set.fields {
      let value = element[field.name]
      switch field.kind {
      case .fieldNumber:
        number = try whole(value, "\(name): \(field.name)", 0...255)
        writer.put(UInt64(number), count: 8)
      case .fieldValue:
        guard let target = Catalogue.field(number, of: reference) else {
          if let value { try writeBytes(value, "\(name): \(field.name)", &writer) }
          continue
        }
        try write(value, target, &writer)
        writer.fillByte()
      default:
        try write(value, field, &writer)
      }
    }
  }

  private func write(_ value: JSONValue?, _ field: Field, _ writer: inout BitWriter) throws(Fault) {
    var value = value
    if case .null = value { value = nil }
    guard let value else {
      switch field.kind {
      case .variableText: writer.put(0x0102, count: 16)
      case .spare: writer.put(0, count: field.bitCount)
      case .number(let format), .duration(let format):
        writer.put(Codes.notAvailable(bitCount: field.bitCount, signed: format.isSigned), count: field.bitCount)
      default: writer.putOnes(count: field.bitCount)
      }
      return
    }
    switch field.kind {
    case .number(let format):
      guard case .number(let number) = Self.plain(value) else { throw Fault("\(field.name): expected a number") }
      try put(format.steps(value: number), field, format, &writer)
    case .duration(let format):
      try put(try steps(value, field, format), field, format, &writer)
    case .lookup, .deviceFunction, .pgn, .fieldNumber:
      let code = try code(value, field, deviceClass: nil)
      guard code <= UInt64.max >> UInt64(64 - field.bitCount) else {
        throw Fault("\(field.name): \(code) does not fit into \(field.bitCount) bits")
      }
      writer.put(code, count: field.bitCount)
    case .text:
      guard case .string(let text) = value else { throw Fault("\(field.name): expected a text") }
      guard text.utf8.count <= field.bitCount / 8 else {
        throw Fault("\(field.name): more than \(field.bitCount / 8) bytes")
      }
      for byte in text.utf8 { writer.put(UInt64(byte), count: 8) }
      writer.putOnes(count: field.bitCount - text.utf8.count * 8)
    case .variableText:
      guard case .string(let text) = value else { throw Fault("\(field.name): expected a text") }
      guard text.count <= VariableText.characterLimit else {
        throw Fault("\(field.name): more than \(VariableText.characterLimit) characters")
      }
      writer.put(text)
    case .reserved, .spare, .binary:
      guard field.bitCount > 0 else {
        try writeBytes(value, field.name, &writer)
        return
      }
      let bytes = try bytes(value, field.name)
      // The first byte holds the bits in their place (``MessageWriter``).
      for bit in 0..<field.bitCount {
        let place = field.bitOffset % 8 + bit
        let index = place / 8
        writer.put(index < bytes.count ? UInt64(bytes[index] >> UInt8(place % 8)) & 1 : 1, count: 1)
      }
    case .fieldValue:
      throw Fault("\(field.name): has no meaning here")
    }
  }

  private func put(
    _ steps: Int?, _ field: Field, _ format: NumberFormat, _ writer: inout BitWriter
  ) throws(Fault) {
    let top = Int(Codes.notAvailable(bitCount: field.bitCount, signed: format.isSigned))
    let largest = top - (format.hasMissingCodes ? Int(Codes.missingCount(bitCount: field.bitCount)) : 0)
    // The most negative code is no value by the standard, but devices send it and canboat shows it.
    let smallest = format.isSigned ? -top - 1 : 0
    guard let steps, steps >= smallest, steps <= largest else {
      throw Fault(
        "\(field.name): outside \(format.value(steps: smallest))...\(format.value(steps: largest)) \(format.unit.rawValue)"
      )
    }
    writer.put(UInt64(bitPattern: Int64(steps)), count: field.bitCount)
  }

  // MARK: - Values

  /// The value of `{"value":1,"name":"On"}`, or the value itself.
  private static func plain(_ value: JSONValue) -> JSONValue { value["value"] ?? value }

  /// The code of a lookup: a number, `{"value"}`, or a name.
  private func code(_ value: JSONValue, _ field: Field, deviceClass: UInt64?) throws(Fault) -> UInt64 {
    switch Self.plain(value) {
    case .number(let number):
      guard let code = UInt64(exactly: number) else { throw Fault("\(field.name): expected a whole number") }
      return code
    case .string(let name):
      switch field.kind {
      case .lookup(let lookup):
        if let code = names[lookup]?[name] { return UInt64(code) }
      case .deviceFunction:
        let functions = deviceClass.flatMap { Lookup.deviceFunctions[UInt32(truncatingIfNeeded: $0)] }
        if let code = functions?.first(where: { $0.value == name })?.key { return UInt64(code) }
      default: break
      }
      throw Fault("\(field.name): no code is named \(name)")
    default:
      throw Fault("\(field.name): expected a number or a name")
    }
  }

  /// The steps of a length of time: a number or `{"value"}` as ``MessageWriter`` prints it, or a text `HH:MM:SS`.
  private func steps(_ value: JSONValue, _ field: Field, _ format: NumberFormat) throws(Fault) -> Int? {
    switch Self.plain(value) {
    case .number(let number):
      let steps = (number / Double(format.multiplier)).rounded()
      return steps.magnitude < 0x1p62 ? Int(steps) : nil
    case .string(let text):
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 3, let hours = Int(parts[0]), let minutes = Int(parts[1]), let seconds = Double(parts[2]),
        (0...99_999_999).contains(hours), (0..<60).contains(minutes), (0..<60).contains(seconds)
      else { throw Fault("\(field.name): expected a time such as 01:30:00") }
      return format.steps(value: Double(hours * 3600 + minutes * 60) + seconds)
    default:
      throw Fault("\(field.name): expected a number or a time")
    }
  }

  private func whole(_ value: JSONValue?, _ name: String, _ range: ClosedRange<Int>) throws(Fault) -> Int {
    guard let value else { throw Fault("\(name): missing") }
    guard case .number(let number) = Self.plain(value), let whole = Int(exactly: number), range.contains(whole) else {
      throw Fault("\(name): expected a whole number of \(range.lowerBound) to \(range.upperBound)")
    }
    return whole
  }

  private static func byteCount(_ value: JSONValue) -> Int? {
    guard case .string(let text) = value else { return nil }
    return text.split(separator: " ").count
  }

  private func bytes(_ value: JSONValue, _ name: String) throws(Fault) -> [UInt8] {
    guard case .string(let text) = value else { throw Fault("\(name): expected bytes such as 2A 05 01") }
    var bytes: [UInt8] = []
    for part in text.split(separator: " ") {
      guard part.utf8.count == 2, let byte = UInt8(part, radix: 16), part.first != "+" else {
        throw Fault("\(name): expected bytes such as 2A 05 01, not \(part)")
      }
      bytes.append(byte)
    }
    return bytes
  }

  private func writeBytes(_ value: JSONValue, _ name: String, _ writer: inout BitWriter) throws(Fault) {
    for byte in try bytes(value, name) { writer.put(UInt64(byte), count: 8) }
  }

  /// Microseconds since 1970 of `2020-04-19T00:35:55.571Z`; nil for no or an empty text.
  private func time(_ value: JSONValue?) throws(Fault) -> Int64? {
    guard let value, value != .string("") else { return nil }
    guard case .string(let text) = value, let time = WallClockText.microseconds(text) else {
      throw Fault("timestamp: expected a time such as 2020-04-19T00:35:55.571Z")
    }
    return time
  }
}

/// Bits that are written one after the other into a payload that grows.
struct BitWriter {
  private(set) var payload = LongPayload()
  private(set) var bitCount = 0
  /// False when something did not fit.
  private(set) var fits = true

  mutating func put(_ bits: UInt64, count: Int) {
    while payload.count * 8 < bitCount + count, fits { fits = payload.append(0xFF) }
    if count > 0 { payload.setBits(at: bitCount, count: count, to: bits) }
    bitCount += count
  }

  mutating func putOnes(count: Int) {
    var rest = count
    while rest > 0 {
      put(.max, count: min(8, rest))
      rest -= 8
    }
  }

  /// Goes on with the next whole byte. The bits between are zeros, as all devices send the values in group functions.
  mutating func fillByte() { put(0, count: (8 - bitCount % 8) % 8) }

  mutating func put(_ text: String) {
    if !VariableText.append(text, to: &payload) { fits = false }
    bitCount = payload.count * 8
  }
}
