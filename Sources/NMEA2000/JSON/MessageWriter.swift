/// Writes messages out, in canboat's JSON or as text for people.
///
/// Everything that can be known before the first message is made ready once: for each field the bytes of its name, for
/// each code the bytes of its value and name. Writing a message is then copying pieces and printing whole numbers.
/// The facts come from ``Catalogue``; this file only knows how canboat writes each kind of field:
/// - lookups are `{"value":1,"name":"On"}`, without a name `{"value":1}`; key fields carry `"key":true`
/// - a missing, erroneous or reserved value leaves its field out; no field at all leaves `fields` out
/// - reserved bits are shown only when they are not all ones, spare bits when they are not zero
/// - lengths of time are `{"value":65520,"name":"18:12:00"}`, the value in seconds, or in the field's steps below
public final class MessageWriter {
  /// The form that is written.
  public let style: MessageStyle

  private let pieces: Pieces
  private let plans: [MessagePlan]
  /// By PGN: the first plan's number plus 1, times 16, and how many there are; 0 for none.
  private let directory: [UInt16]
  /// PGNs with a name, as the value of a field.
  private let namedPGNs: [UInt32: Piece]

  /// As the value of a field canboat names a PGN that several messages share by the first of its definitions, even
  /// where that is the message of one maker (canboat 8.0.0, PGN List).
  private static let firstOfSeveral: [UInt32: String] = [
    60416: "ISO Transport Protocol, Connection Management - Request To Send",
    61184: "Seatalk: Wireless Keypad Light Control",
    129808: "DSC Distress Call Information",
  ]

  /// Device functions with a name, by class and function.
  private let functionNames: [UInt32: Piece]
  /// Fields as the values of other fields, by PGN, number and that field's name.
  private let parameters: [ParameterKey: FieldPlan]

  private struct ParameterKey: Hashable {
    /// Nil for the fields that every proprietary message begins with.
    let pgn: PGN?
    let number: Int
    /// Which of the names a value can have (``FieldPlan/nameIndex``).
    let name: Int
  }

  /// A writer of this form.
  public init(_ style: MessageStyle) {
    self.style = style
    var pieces = Pieces()
    var plans: [MessagePlan] = []
    var directory = [UInt16](repeating: 0, count: 1 << 18)
    var parameters: [ParameterKey: FieldPlan] = [:]
    for (pgn, definitions) in Catalogue.definitions {
      directory[Int(pgn.rawValue)] = UInt16(plans.count + 1) << 4 | UInt16(definitions.count)
      for definition in definitions { plans.append(MessagePlan(definition, style, &pieces)) }
    }
    for (nameIndex, name) in FieldPlan.valueNames.enumerated() {
      for (pgn, definitions) in Catalogue.definitions where !pgn.isProprietary {
        for (index, field) in (definitions.first?.fields ?? []).enumerated() {
          parameters[ParameterKey(pgn: pgn, number: index + 1, name: nameIndex)] = FieldPlan(
            field, named: name, style: style, isKey: false, &pieces)
        }
      }
      for (index, field) in ProprietaryHeader.fields.enumerated() {
        parameters[ParameterKey(pgn: nil, number: index + 1, name: nameIndex)] = FieldPlan(
          field, named: name, style: style, isKey: false, &pieces)
      }
      // Number 0: what is not known, as bytes.
      parameters[ParameterKey(pgn: nil, number: 0, name: nameIndex)] = FieldPlan(
        Field(name, at: 0, bits: 0, .binary), style: style, isKey: false, &pieces)
    }

    var names = PGNNames.fastPackets.merging(PGNNames.singleFrames, uniquingKeysWith: { $1 })
    for (pgn, definitions) in Catalogue.definitions where !pgn.isProprietary {
      if let name = definitions.first?.name { names[pgn.rawValue] = name }
    }
    if style == .json { names.merge(Self.firstOfSeveral, uniquingKeysWith: { $1 }) }
    namedPGNs = names.reduce(into: [:]) { named, entry in
      named[entry.key] = pieces.add(
        style == .json ? "{\"value\":\(entry.key),\"name\":\"\(entry.value)\"}" : "\(entry.key) (\(entry.value))")
    }
    var functionNames: [UInt32: Piece] = [:]
    for (deviceClass, functions) in Lookup.deviceFunctions {
      for (function, name) in functions {
        functionNames[deviceClass << 8 | function] = pieces.add(
          style == .json ? "{\"value\":\(function),\"name\":\"\(name)\"" : name)
      }
    }
    self.functionNames = functionNames
    self.pieces = pieces
    self.plans = plans
    self.directory = directory
    self.parameters = parameters
  }

  /// Adds a line for a message.
  ///
  /// - Parameters:
  ///   - payload: The whole payload.
  ///   - header: Who sent it to whom.
  ///   - microseconds: Wall time since 1970; nil leaves the time out.
  ///   - clock: Remembers the last second, which is printed again and again.
  public func write(
    _ payload: RawSpan, _ header: MessageIdentifier, microseconds: Int64?, clock: inout WallClockText,
    to text: inout TextBuffer
  ) {
    if payload.byteCount <= 16 {
      write(ShortPayload(payload), header, microseconds, &clock, &text)
    } else {
      write(LongPayload(payload), header, microseconds, &clock, &text)
    }
  }

  @inline(__always)
  private func write<Storage: FieldStorage>(
    _ payload: Storage, _ header: MessageIdentifier, _ microseconds: Int64?, _ clock: inout WallClockText,
    _ text: inout TextBuffer
  ) {
    switch style {
    case .json:
      text.append("{\"timestamp\":\"")
      if let microseconds { clock.append(microseconds, to: &text) }
      text.append("\",\"prio\":")
    case .text:
      if let microseconds {
        clock.append(microseconds, to: &text)
        text.append(" ")
      }
    }
    text.append(unsigned: UInt64(header.priority))
    text.append(style == .json ? ",\"src\":" : " ")
    text.append(unsigned: UInt64(header.source))
    text.append(style == .json ? ",\"dst\":" : " > ")
    text.append(unsigned: UInt64(header.destination))
    writeContent(payload, header.pgn, &text)
  }

  /// Adds what follows the header: from the PGN to the end of the line. In the style of JSON that is no object of its own.
  public func writeContent(_ payload: RawSpan, of pgn: PGN, to text: inout TextBuffer) {
    if payload.byteCount <= 16 {
      writeContent(ShortPayload(payload), pgn, &text)
    } else {
      writeContent(LongPayload(payload), pgn, &text)
    }
  }

  @inline(__always)
  private func writeContent<Storage: FieldStorage>(_ payload: Storage, _ pgn: PGN, _ text: inout TextBuffer) {
    let entry = directory[Int(pgn.rawValue)]
    var number = Int(entry >> 4) &- 1
    if entry & 15 > 1 {
      let end = number &+ Int(entry & 15)
      while number < end, !plans[number].applies(to: payload) { number &+= 1 }
      if number == end { number = -1 }
    }

    guard number >= 0 else {
      writeUnknown(payload, pgn, &text)
      return
    }
    plans.withUnsafeBufferPointer { plans in
      pieces.withBase { base in
        let plan = plans[number]
        plan.title.copy(from: base, to: &text)
        let start = text.count
        var walk = FieldWalk(payload: payload)
        plan.fields.withUnsafeBufferPointer { fields in
          for index in fields.indices {
            guard writeField(fields[index], &walk, base, &text) else { break }
          }
        }
        if !plan.repeated.isEmpty { writeRepeated(plan, &walk, base, &text) }
        finish(start, &text)
      }
    }
  }

  /// Every field begins with a comma; the first one's becomes the opening brace, and without fields nothing is opened.
  @inline(__always)
  private func finish(_ start: Int, _ text: inout TextBuffer) {
    if text.count > start {
      text.replace(at: start, with: style == .json ? 0x7B : 0x3A)
      if style == .json { text.append("}}") }
    } else if style == .json {
      // The title ends with this, for the usual case.
      text.truncate(to: start &- ",\"fields\":".utf8.count)
      text.append(0x7D)
    }
    text.append(0x0A)
  }

  private func writeUnknown(_ payload: some FieldStorage, _ pgn: PGN, _ text: inout TextBuffer) {
    text.append(style == .json ? ",\"pgn\":" : " ")
    text.append(unsigned: UInt64(pgn.rawValue))
    text.append(style == .json ? ",\"description\":\"" : " ")
    // A payload that is none of the PGN's known messages has none of their names.
    let isKnown = directory[Int(pgn.rawValue)] != 0
    text.append(isKnown ? PGNNames.rangeName(of: pgn) : PGNNames.name(of: pgn) ?? PGNNames.rangeName(of: pgn))
    text.append(style == .json ? "\",\"fields\":{\"Data\":\"" : ": Data: ")
    writeHexadecimal(payload, at: 0, count: payload.count * 8, &text)
    text.append(style == .json ? "\"}}\n" : "\n")
  }

  // MARK: - Fields

  /// Adds one field; false when the payload ends before it.
  @inline(__always)
  func writeField<Storage: FieldStorage>(
    _ field: FieldPlan, _ walk: inout FieldWalk<Storage>, _ base: UnsafePointer<UInt8>, _ text: inout TextBuffer
  ) -> Bool {
    if field.isProprietaryOnly, !walk.reference.isProprietary {
      // The fields behind it move up.
      walk.base &-= field.bitCount
      return true
    }
    let offset = walk.base &+ field.bitOffset
    switch field.kind {
    case .table:
      guard let bits = walk.payload.bits(at: offset, count: field.bitCount) else { return false }
      let piece = pieces.table(field.table &+ Int(bits))
      if piece.count > 0 { piece.copy(from: base, to: &text) }
    case .number:
      guard let bits = walk.payload.bits(at: offset, count: field.bitCount) else { return false }
      let steps = field.steps(bits)
      if steps <= field.largest {
        field.prefix.copy(from: base, to: &text)
        text.append(fixed: steps &* field.multiplier &+ field.addend, decimals: field.decimals)
        if field.suffix.count > 0 { field.suffix.copy(from: base, to: &text) }
      } else {
        writeMissing(field, above: steps &- field.largest, base, &text)
      }
      if field.isCount { walk.counts[field.number] = steps <= field.largest ? steps : 0 }
    default:
      return writeUnusual(field, at: offset, &walk, base, &text)
    }
    return true
  }

  /// An error is something else than nothing, for people; canboat's JSON leaves out both.
  private func writeMissing(
    _ field: FieldPlan, above: Int, _ base: UnsafePointer<UInt8>, _ text: inout TextBuffer
  ) {
    guard style == .text, field.largest < field.top, above == field.top &- field.largest &- 1 else { return }
    field.prefix.copy(from: base, to: &text)
    text.append("error")
  }

  @inline(never)
  private func writeUnusual<Storage: FieldStorage>(
    _ field: FieldPlan, at offset: Int, _ walk: inout FieldWalk<Storage>, _ base: UnsafePointer<UInt8>,
    _ text: inout TextBuffer
  ) -> Bool {
    let payload = walk.payload
    switch field.kind {
    case .table, .number:
      return true
    case .duration:
      guard let bits = payload.bits(at: offset, count: field.bitCount) else { return false }
      let steps = field.steps(bits)
      guard steps <= field.largest else {
        writeMissing(field, above: steps &- field.largest, base, &text)
        return true
      }
      writeDuration(field, steps, base, &text)
    case .lookup:
      guard let bits = payload.bits(at: offset, count: field.bitCount) else { return false }
      let piece = pieces.table(field.table &+ Int(bits))
      if piece.count > 0 {
        field.prefix.copy(from: base, to: &text)
        piece.copy(from: base, to: &text)
        field.suffix.copy(from: base, to: &text)
      } else {
        writeUnnamed(field, bits, base, &text)
      }
    case .deviceFunction:
      guard let bits = payload.bits(at: offset, count: field.bitCount) else { return false }
      let deviceClass = payload.bits(at: offset &+ 9, count: 7) ?? 0x7F
      if let piece = functionNames[UInt32(deviceClass << 8 | bits)] {
        field.prefix.copy(from: base, to: &text)
        piece.copy(from: base, to: &text)
        field.suffix.copy(from: base, to: &text)
      } else {
        writeUnnamed(field, bits, base, &text)
      }
    case .pgn:
      guard let bits = payload.bits(at: offset, count: field.bitCount) else { return false }
      walk.reference = PGN(UInt32(truncatingIfNeeded: bits))
      guard bits < 0xFF_FFFD else { return true }
      field.prefix.copy(from: base, to: &text)
      if let piece = namedPGNs[UInt32(truncatingIfNeeded: bits)] {
        piece.copy(from: base, to: &text)
      } else {
        if style == .json { text.append("{\"value\":") }
        text.append(unsigned: bits)
        if style == .json { text.append(0x7D) }
      }
    case .reserved, .spare:
      guard let bits = payload.bits(at: offset, count: field.bitCount) else { return true }
      let asItShouldBe = field.kind == .spare ? 0 : UInt64.max >> UInt64(64 &- field.bitCount)
      if bits != asItShouldBe { writeBinary(field, payload, at: offset, field.bitCount, base, &text) }
    case .binary:
      let available = payload.count &* 8 &- offset
      guard available > 0 else { return false }
      let count = field.bitCount == 0 ? available : min(field.bitCount, available)
      writeBinary(field, payload, at: offset, count, base, &text)
    case .text:
      let available = min(field.bitCount / 8, payload.count &- offset / 8)
      guard available > 0 else { return false }
      writeText(field, payload, at: offset / 8, count: available, base, &text)
    case .variableText:
      let start = offset / 8
      guard start < payload.count else { return false }
      let long = LongPayload(copying: payload)
      guard let end = VariableText.end(in: long, at: start) else { return false }
      if let value = VariableText.text(in: long, at: start) {
        field.prefix.copy(from: base, to: &text)
        for byte in value.utf8 { appendCharacter(byte, &text) }
        field.suffix.copy(from: base, to: &text)
      }
      walk.base &+= (end - start) * 8
    case .fieldNumber:
      guard let bits = payload.bits(at: offset, count: 8) else { return false }
      walk.parameter = Int(bits)
      field.prefix.copy(from: base, to: &text)
      text.append(unsigned: bits)
      field.suffix.copy(from: base, to: &text)
    case .fieldValue:
      return writeFieldValue(field, at: offset, &walk, base, &text)
    }
    return true
  }

  private func writeUnnamed(
    _ field: FieldPlan, _ bits: UInt64, _ base: UnsafePointer<UInt8>, _ text: inout TextBuffer
  ) {
    let top = UInt64.max >> UInt64(64 &- field.bitCount)
    if bits >= top &- (field.bitCount > 2 ? 2 : 1) {
      if style == .text, bits == top &- 1 {
        field.prefix.copy(from: base, to: &text)
        text.append("error")
      }
      return
    }
    field.prefix.copy(from: base, to: &text)
    if style == .json { text.append("{\"value\":") }
    text.append(unsigned: bits)
    field.suffix.copy(from: base, to: &text)
  }

  private func writeDuration(
    _ field: FieldPlan, _ steps: Int, _ base: UnsafePointer<UInt8>, _ text: inout TextBuffer
  ) {
    let value = steps &* field.multiplier &+ field.addend
    field.prefix.copy(from: base, to: &text)
    if style == .json {
      text.append("{\"value\":")
      text.append(fixed: value, decimals: 0)
      text.append(",\"name\":\"")
    }
    let divisor = UInt64(field.divisor)
    let magnitude = UInt64(value.magnitude)
    if value < 0 { text.append(0x2D) }
    let seconds = magnitude / divisor
    text.append(twoDigits: seconds / 3600)
    text.append(0x3A)
    text.append(twoDigits: seconds / 60 % 60)
    text.append(0x3A)
    text.append(twoDigits: seconds % 60)
    if field.decimals > 0 {
      text.append(0x2E)
      var place = divisor / 10
      while place > 0 {
        text.append(0x30 &+ UInt8(truncatingIfNeeded: magnitude / place % 10))
        place /= 10
      }
    }
    if style == .json { text.append("\"}") }
  }

  private func writeBinary<Storage: FieldStorage>(
    _ field: FieldPlan, _ payload: Storage, at offset: Int, _ count: Int, _ base: UnsafePointer<UInt8>,
    _ text: inout TextBuffer
  ) {
    field.prefix.copy(from: base, to: &text)
    if style == .json { text.append(0x22) }
    writeHexadecimal(payload, at: offset, count: count, &text)
    if style == .json { text.append(0x22) }
  }

  /// The bytes that the bits lie in, each bit in its place and the others zero.
  private func writeHexadecimal<Storage: FieldStorage>(
    _ payload: Storage, at offset: Int, count: Int, _ text: inout TextBuffer
  ) {
    var bit = offset
    let end = offset &+ count
    while bit < end {
      let width = min(8 &- bit & 7, end &- bit)
      let byte = (payload.bits(at: bit, count: width) ?? 0) << UInt64(bit & 7)
      if bit > offset { text.append(0x20) }
      text.append(hexadecimal: UInt8(truncatingIfNeeded: byte))
      bit &+= width
    }
  }

  private func appendCharacter(_ byte: UInt8, _ text: inout TextBuffer) {
    if style == .json {
      text.append(escaped: byte)
    } else {
      // Nothing from a bus may steer a terminal.
      text.append(byte < 0x20 || byte == 0x7F ? 0x3F : byte)
    }
  }

  private func writeText<Storage: FieldStorage>(
    _ field: FieldPlan, _ payload: Storage, at start: Int, count: Int, _ base: UnsafePointer<UInt8>,
    _ text: inout TextBuffer
  ) {
    var fixed = FixedText()
    for index in 0..<min(count, FixedText.capacity) {
      fixed.append(UInt8(truncatingIfNeeded: payload.bits(at: (start &+ index) &* 8, count: 8) ?? 0xFF))
    }
    fixed.trim()
    guard !fixed.isEmpty else { return }
    field.prefix.copy(from: base, to: &text)
    if fixed.isASCII {
      for index in 0..<fixed.count { appendCharacter(fixed[index], &text) }
    } else {
      for byte in fixed.description.utf8 { appendCharacter(byte, &text) }
    }
    field.suffix.copy(from: base, to: &text)
  }

  // MARK: - Repeated sets and parameters

  private func writeRepeated<Storage: FieldStorage>(
    _ plan: MessagePlan, _ walk: inout FieldWalk<Storage>, _ base: UnsafePointer<UInt8>, _ text: inout TextBuffer
  ) {
    walk.base &+= plan.endBit
    let end = walk.payload.count &* 8
    for (index, set) in plan.repeated.enumerated() {
      var remaining = set.countField < 0 ? Int.max : walk.counts[set.countField]
      guard remaining > 0, walk.base &+ set.fixedBits <= end else { continue }
      text.append(style == .text ? ", " : index == 0 ? ",\"list\":[" : ",\"list2\":[")
      var isFirst = true
      while remaining > 0, walk.base &+ set.fixedBits <= end {
        remaining &-= 1
        if !isFirst { text.append(style == .json ? 0x2C : 0x20) }
        let start = text.count
        for field in set.fields {
          guard writeField(field, &walk, base, &text) else {
            remaining = 0
            break
          }
        }
        // As with the message itself: the first field's comma becomes the opening bracket.
        if text.count > start {
          text.replace(at: start, with: style == .json ? 0x7B : 0x5B)
          text.append(style == .json ? 0x7D : 0x5D)
          isFirst = false
        } else if !isFirst {
          text.truncate(to: start &- 1)
        }
        walk.base &+= set.fixedBits
      }
      if style == .json { text.append(0x5D) }
    }
  }

  /// The value of a field of another message. What is not known of it is shown as bytes to the end.
  private func writeFieldValue<Storage: FieldStorage>(
    _ field: FieldPlan, at offset: Int, _ walk: inout FieldWalk<Storage>, _ base: UnsafePointer<UInt8>,
    _ text: inout TextBuffer
  ) -> Bool {
    let available = walk.payload.count &* 8 &- offset
    guard available > 0 else { return false }
    let isProprietary = walk.reference.isProprietary
    let key = ParameterKey(
      pgn: isProprietary ? nil : walk.reference, number: max(1, walk.parameter), name: field.nameIndex)
    guard let target = parameters[key] ?? parameters[ParameterKey(pgn: nil, number: 0, name: field.nameIndex)] else {
      return false
    }
    guard target.bitCount > 0 else {
      if target.kind == .variableText { return writeUnusual(target, at: offset, &walk, base, &text) }
      writeBinary(target, walk.payload, at: offset, available, base, &text)
      walk.base = walk.payload.count &* 8
      return false
    }
    let width = (target.bitCount &+ 7) / 8 * 8
    guard available >= width else { return false }
    var inner = FieldWalk(payload: walk.payload)
    inner.base = offset &- target.bitOffset
    _ = writeField(target, &inner, base, &text)
    walk.base &+= width
    return true
  }
}

/// How far a message is written.
struct FieldWalk<Storage: FieldStorage> {
  let payload: Storage
  /// What is added to the offset of every field: texts of variable length, and sets, move what follows them.
  var base = 0
  /// The values of the message's fields that count something, by field number.
  var counts = InlineArray<16, Int>(repeating: 0)
  /// The PGN that a group function is about.
  var reference = PGN(0)
  /// The field of it whose value comes next.
  var parameter = 0

  @inline(__always)
  init(payload: Storage) { self.payload = payload }
}
