/// Bytes that were made ready once: a place in ``Pieces``.
struct Piece {
  var start: Int32 = 0
  var length: Int32 = 0

  var count: Int { Int(length) }

  @inline(__always)
  func copy(from base: UnsafePointer<UInt8>, to text: inout TextBuffer) {
    text.append(padded: base + Int(start), count: Int(length))
  }
}

/// All bytes that were made ready, one behind the other.
struct Pieces {
  private var bytes: [UInt8] = []
  private var tables: [Piece] = []
  private var lookups: [Lookup: Int] = [:]

  /// Adds bytes, and sixteen behind them that may be read.
  mutating func add(_ text: String) -> Piece {
    if bytes.isEmpty { bytes = [UInt8](repeating: 0, count: 16) }
    bytes.removeLast(16)
    let piece = Piece(start: Int32(bytes.count), length: Int32(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
    bytes.append(contentsOf: repeatElement(0, count: 16))
    return piece
  }

  /// Adds a table, one piece a code; the place of its first.
  mutating func addTable(_ entries: [Piece]) -> Int {
    tables.append(contentsOf: entries)
    return tables.count - entries.count
  }

  /// The table of a lookup's codes, made once for all fields that use it.
  mutating func lookupTable(_ lookup: Lookup, bitCount: Int, _ make: (UInt32, String) -> String) -> Int {
    if let known = lookups[lookup] { return known }
    var entries = [Piece](repeating: Piece(), count: 1 << bitCount)
    for (code, name) in lookup.names where Int(code) < entries.count {
      entries[Int(code)] = add(make(code, name))
    }
    let place = addTable(entries)
    lookups[lookup] = place
    return place
  }

  @inline(__always)
  func table(_ index: Int) -> Piece { tables.withUnsafeBufferPointer { $0[index] } }

  @inline(__always)
  func withBase<Result>(_ body: (UnsafePointer<UInt8>) throws -> Result) rethrows -> Result {
    // Never empty: the titles of the catalogue are in it.
    try bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return try body(Self.nothing) }
      return try body(base)
    }
  }

  private static var nothing: UnsafePointer<UInt8> { StaticString("                ").utf8Start }
}

/// A field, ready to be written.
struct FieldPlan {
  enum Kind {
    case number, table, duration, lookup, deviceFunction, pgn, reserved, spare, binary, text, variableText, fieldNumber,
      fieldValue
  }

  var kind: Kind
  var isSigned = false
  /// Whether its value says how often a set is repeated.
  var isCount = false
  var decimals = 0
  var bitOffset: Int
  var bitCount: Int
  var multiplier = 1
  var addend = 0
  var divisor = 1
  /// The largest number of steps that is a value, and the code "not available".
  var largest = Int.max
  var top = Int.max
  /// What stands before and behind the value.
  var prefix = Piece()
  var suffix = Piece()
  /// The first piece of its table.
  var table = 0
  /// The field's number in its message, from 1.
  var number = 0
  /// Whether it is there only when the PGN that a group function is about is proprietary.
  let isProprietaryOnly: Bool
  /// The place of its name among ``valueNames``.
  let nameIndex: Int

  /// The names that the value of a field of another message can have (126208).
  static let valueNames = ["Value", "Selection Value"]

  init(_ field: Field, named name: String? = nil, style: MessageStyle, isKey: Bool, _ pieces: inout Pieces) {
    let name = name ?? field.name
    nameIndex = Self.valueNames.firstIndex(of: name) ?? 0
    isProprietaryOnly = field.isProprietaryOnly
    bitOffset = field.bitOffset
    bitCount = field.bitCount
    let opening = style == .json ? ",\"\(name)\":" : ", \(name): "
    let closing = style == .json ? (isKey ? ",\"key\":true}" : "}") : ""

    switch field.kind {
    case .number(let format), .duration(let format):
      isSigned = format.isSigned
      decimals = Int(format.decimals)
      multiplier = Int(format.multiplier)
      addend = Int(format.offset)
      divisor = format.divisor
      top = Int(Codes.notAvailable(bitCount: field.bitCount, signed: format.isSigned))
      largest = format.hasMissingCodes ? top - Int(Codes.missingCount(bitCount: field.bitCount)) : top
      if case .duration = field.kind {
        kind = .duration
        prefix = pieces.add(opening)
      } else {
        kind = .number
        prefix = pieces.add(style == .json && isKey ? opening + "{\"value\":" : opening)
        var unit = format.unit == .none ? "" : " " + format.unit.rawValue
        if style == .text, format.unit == .kelvin, format.decimals == 2 {
          // The bus counts temperatures from absolute zero, people do not.
          addend -= 27_315
          unit = " °C"
        }
        suffix = style == .json ? (isKey ? pieces.add(closing) : Piece()) : pieces.add(unit)
      }
    case .lookup(let lookup):
      let names = lookup.names
      let value = { (code: UInt32, name: String) in style == .json ? "{\"value\":\(code),\"name\":\"\(name)\"" : name }
      if field.bitCount <= 4 {
        kind = .table
        let count = 1 << field.bitCount
        let hidden = field.bitCount > 2 ? 3 : field.bitCount == 2 ? 2 : 0
        table = pieces.addTable(
          (0..<count).map { code in
            if let known = names[UInt32(code)] {
              return pieces.add(opening + value(UInt32(code), known) + closing)
            }
            if code < count - hidden {
              return pieces.add(opening + (style == .json ? "{\"value\":\(code)" : "\(code)") + closing)
            }
            return style == .text && code == count - 2 ? pieces.add(opening + "error") : Piece()
          })
      } else {
        kind = .lookup
        prefix = pieces.add(opening)
        suffix = pieces.add(closing)
        table = pieces.lookupTable(lookup, bitCount: field.bitCount, value)
      }
    case .deviceFunction:
      kind = .deviceFunction
      prefix = pieces.add(opening)
      suffix = pieces.add(closing)
    case .pgn:
      kind = .pgn
      prefix = pieces.add(opening)
    case .reserved, .spare, .binary:
      kind = field.kind == .reserved ? .reserved : field.kind == .spare ? .spare : .binary
      prefix = pieces.add(opening)
    case .text, .variableText:
      kind = field.kind == .text ? .text : .variableText
      prefix = pieces.add(opening + "\"")
      suffix = pieces.add("\"")
    case .fieldNumber:
      kind = .fieldNumber
      prefix = pieces.add(opening)
    case .fieldValue:
      kind = .fieldValue
      prefix = pieces.add(opening)
    }
  }

  @inline(__always)
  func steps(_ bits: UInt64) -> Int {
    guard isSigned else { return Int(truncatingIfNeeded: bits) }
    let shift = UInt64(64 &- bitCount)
    return Int(Int64(bitPattern: bits << shift) >> Int64(shift))
  }
}

/// A message, ready to be written.
struct MessagePlan {
  struct RepeatedSet {
    let fields: [FieldPlan]
    /// The number of the field that counts the sets; -1 for none.
    let countField: Int
    /// The bits of a set whose fields have a fixed width; values that tell their own come on top.
    let fixedBits: Int
  }

  /// What stands between the destination and the first field: from `,"pgn":` to `"fields":`.
  let title: Piece
  let fields: [FieldPlan]
  let repeated: [RepeatedSet]
  /// Where the repeated sets begin.
  let endBit: Int
  private let matches: [MessageDefinition.Match]

  init(_ definition: MessageDefinition, _ style: MessageStyle, _ pieces: inout Pieces) {
    title = pieces.add(
      style == .json
        ? ",\"pgn\":\(definition.pgn),\"description\":\"\(definition.name)\",\"fields\":"
        : " \(definition.pgn) \(definition.name)")
    matches = definition.matches
    let counting = Set(definition.repeated.compactMap(\.countField))
    var plans: [FieldPlan] = []
    for (index, field) in definition.fields.enumerated() {
      var plan = FieldPlan(field, style: style, isKey: field.isKey, &pieces)
      plan.number = index + 1
      plan.isCount = counting.contains(index + 1)
      plans.append(plan)
    }
    fields = plans
    endBit = definition.fields.map { $0.bitOffset + $0.bitCount }.max() ?? 0
    repeated = definition.repeated.map { set in
      RepeatedSet(
        fields: set.fields.enumerated().map { index, field in
          var plan = FieldPlan(field, style: style, isKey: field.isKey, &pieces)
          plan.number = index + 1
          return plan
        }, countField: set.countField ?? -1, fixedBits: set.fields.map { $0.bitOffset + $0.bitCount }.max() ?? 0)
    }
  }

  func applies(to payload: some FieldStorage) -> Bool {
    matches.allSatisfy { payload.bits(at: $0.bitOffset, count: $0.bitCount) == $0.value }
  }
}
