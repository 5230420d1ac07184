/// A JSON value that was read from text, with nothing lost that matters here.
public enum JSONValue: Hashable, Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number.
  case number(Double)
  /// A text.
  case string(String)
  /// A list.
  case array([JSONValue])
  /// An object, in the order of its text; a name may come twice.
  case object([Member])

  /// A name and its value.
  public struct Member: Hashable, Sendable {
    /// The name.
    public let name: String
    /// The value.
    public let value: JSONValue
  }

  /// The value of the first member of this name, if it is an object that has one.
  public subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }
}

/// Where a text is no JSON.
public struct JSONFault: Error, Hashable, Sendable, CustomStringConvertible {
  /// What should have stood there.
  public let expected: String
  /// The column of the byte that did not fit, from 1.
  public let column: Int

  /// The fault in words.
  public var description: String { "column \(column): expected \(expected)" }
}

extension JSONValue {
  /// Reads one value that fills the text (RFC 8259). Deeper than 64 levels is refused: no message is, and a deep one
  /// must not overflow the stack.
  public init(parsing text: Span<UInt8>) throws(JSONFault) {
    var parser = JSONParser(offset: 0)
    self = try parser.value(text, depth: 0)
    parser.skipBlanks(text)
    guard parser.offset == text.count else { throw parser.fault("the end of the line") }
  }
}

private struct JSONParser {
  var offset: Int

  func fault(_ expected: String) -> JSONFault { JSONFault(expected: expected, column: offset + 1) }

  mutating func skipBlanks(_ text: Span<UInt8>) {
    while offset < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[offset]) { offset += 1 }
  }

  private func peek(_ text: Span<UInt8>) -> UInt8 { offset < text.count ? text[offset] : 0 }

  private mutating func take(_ byte: UInt8, _ name: String, _ text: Span<UInt8>) throws(JSONFault) {
    guard peek(text) == byte else { throw fault(name) }
    offset += 1
  }

  mutating func value(_ text: Span<UInt8>, depth: Int) throws(JSONFault) -> JSONValue {
    guard depth < 64 else { throw fault("fewer levels") }
    skipBlanks(text)
    switch peek(text) {
    case UInt8(ascii: "{"): return try object(text, depth: depth)
    case UInt8(ascii: "["): return try array(text, depth: depth)
    case UInt8(ascii: "\""): return .string(try string(text))
    case UInt8(ascii: "t"): return try word("true", .bool(true), text)
    case UInt8(ascii: "f"): return try word("false", .bool(false), text)
    case UInt8(ascii: "n"): return try word("null", .null, text)
    default: return .number(try number(text))
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue, _ text: Span<UInt8>) throws(JSONFault) -> JSONValue {
    for byte in word.utf8 { try take(byte, word, text) }
    return value
  }

  private mutating func object(_ text: Span<UInt8>, depth: Int) throws(JSONFault) -> JSONValue {
    try take(UInt8(ascii: "{"), "{", text)
    var members: [JSONValue.Member] = []
    skipBlanks(text)
    if peek(text) == UInt8(ascii: "}") {
      offset += 1
      return .object(members)
    }
    while true {
      skipBlanks(text)
      guard peek(text) == UInt8(ascii: "\"") else { throw fault("a name in quotes") }
      let name = try string(text)
      skipBlanks(text)
      try take(UInt8(ascii: ":"), "a colon", text)
      members.append(JSONValue.Member(name: name, value: try value(text, depth: depth + 1)))
      skipBlanks(text)
      if peek(text) == UInt8(ascii: ",") {
        offset += 1
        continue
      }
      try take(UInt8(ascii: "}"), "a comma or }", text)
      return .object(members)
    }
  }

  private mutating func array(_ text: Span<UInt8>, depth: Int) throws(JSONFault) -> JSONValue {
    try take(UInt8(ascii: "["), "[", text)
    var elements: [JSONValue] = []
    skipBlanks(text)
    if peek(text) == UInt8(ascii: "]") {
      offset += 1
      return .array(elements)
    }
    while true {
      elements.append(try value(text, depth: depth + 1))
      skipBlanks(text)
      if peek(text) == UInt8(ascii: ",") {
        offset += 1
        continue
      }
      try take(UInt8(ascii: "]"), "a comma or ]", text)
      return .array(elements)
    }
  }

  private mutating func string(_ text: Span<UInt8>) throws(JSONFault) -> String {
    try take(UInt8(ascii: "\""), "a text in quotes", text)
    var units: [UInt8] = []
    while true {
      guard offset < text.count, text[offset] >= 0x20 else { throw fault("the closing quote") }
      let byte = text[offset]
      offset += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: units, as: UTF8.self) else { throw fault("a text in UTF-8") }
        return string
      case UInt8(ascii: "\\"): try escape(text, to: &units)
      default: units.append(byte)
      }
    }
  }

  private mutating func escape(_ text: Span<UInt8>, to units: inout [UInt8]) throws(JSONFault) {
    let letter = peek(text)
    offset += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(letter)
    case UInt8(ascii: "b"): units.append(0x08)
    case UInt8(ascii: "f"): units.append(0x0C)
    case UInt8(ascii: "n"): units.append(0x0A)
    case UInt8(ascii: "r"): units.append(0x0D)
    case UInt8(ascii: "t"): units.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal(text)
      if (0xD800..<0xDC00).contains(code), peek(text) == UInt8(ascii: "\\") {
        offset += 1
        try take(UInt8(ascii: "u"), "the second half of a character", text)
        let low = try hexadecimal(text)
        guard (0xDC00..<0xE000).contains(low) else { throw fault("the second half of a character") }
        code = 0x10000 + (code - 0xD800) << 10 + low - 0xDC00
      }
      guard let scalar = Unicode.Scalar(code) else { throw fault("a whole character") }
      units.append(contentsOf: String(Character(scalar)).utf8)
    default:
      offset -= 1
      throw fault("an escape")
    }
  }

  private mutating func hexadecimal(_ text: Span<UInt8>) throws(JSONFault) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(peek(text))).hexDigitValue else {
        throw fault("four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
      offset += 1
    }
    return code
  }

  private mutating func number(_ text: Span<UInt8>) throws(JSONFault) -> Double {
    let start = offset
    var digits = ""
    while offset < text.count, "+-.0123456789eE".utf8.contains(text[offset]) {
      digits.unicodeScalars.append(Unicode.Scalar(text[offset]))
      offset += 1
    }
    guard !digits.isEmpty, let value = Double(digits), value.isFinite, digits.first != "+" else {
      offset = start
      throw fault("a value")
    }
    return value
  }
}
