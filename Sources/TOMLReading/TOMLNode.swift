internal import CTOML

/// A value of a TOML document, taken over whole, so that nothing hangs on the library's memory.
indirect enum TOMLNode {
  case string(String)
  case integer(Int)
  case floating(Double)
  case boolean(Bool)
  /// A date, a time, or both.
  case moment
  case array([TOMLNode])
  case table([String: TOMLNode])

  var string: String? { if case .string(let text) = self { text } else { nil } }
  var integer: Int? { if case .integer(let number) = self { number } else { nil } }
  var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
  var array: [TOMLNode]? { if case .array(let elements) = self { elements } else { nil } }
  var table: [String: TOMLNode]? { if case .table(let members) = self { members } else { nil } }
  /// A number, with or without a point.
  var number: Double? {
    switch self {
    case .floating(let number): number
    case .integer(let number): Double(number)
    default: nil
    }
  }

  /// What it is, with its article.
  var kind: String {
    switch self {
    case .string: "a string"
    case .integer: "an integer"
    case .floating: "a floating-point number"
    case .boolean: "a boolean"
    case .moment: "a date or time"
    case .array: "an array"
    case .table: "a table"
    }
  }
}

/// A TOML document, and the line of each key by its path, as `event[2].settings.pack`.
struct TOMLDocument {
  private(set) var top: [String: TOMLNode] = [:]
  private(set) var lines: [String: Int] = [:]

  /// - Throws: What is wrong with a text that is no TOML.
  init(_ whole: String) throws(TOMLProblem) {
    var text = whole
    var problem = ctoml_problem()
    guard let document = text.withUTF8({ ctoml_parse($0.baseAddress, $0.count, &problem) }) else {
      let message = withUnsafeBytes(of: problem.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      let line = Int(problem.line)
      let hint = SyntaxHint(text: whole, line: line, message: message)?.text
      throw TOMLProblem(line: line > 0 ? line : nil, key: "", message: hint.map { "\($0) (\(message))" } ?? message)
    }
    defer { ctoml_free(document) }
    top = members(of: ctoml_top(document), path: "")
  }

  private mutating func members(of table: OpaquePointer, path: String) -> [String: TOMLNode] {
    var members: [String: TOMLNode] = [:]
    for index in 0..<ctoml_count(table) {
      var name: UnsafePointer<CChar>?
      var line: UInt32 = 0
      guard let value = ctoml_member(table, index, &name, &line), let name else { continue }
      let key = String(cString: name)
      let place = path.isEmpty ? key : "\(path).\(key)"
      note(line, at: place)
      members[key] = node(value, path: place)
    }
    return members
  }

  private mutating func node(_ node: OpaquePointer, path: String) -> TOMLNode {
    switch ctoml_kind_of(node) {
    case .string:
      var length = 0
      let bytes = ctoml_string_value(node, &length)
      return .string(String(decoding: UnsafeRawBufferPointer(start: bytes, count: length), as: UTF8.self))
    case .integer: return .integer(Int(ctoml_integer_value(node)))
    case .floating: return .floating(ctoml_floating_value(node))
    case .boolean: return .boolean(ctoml_boolean_value(node))
    case .array:
      return .array(
        (0..<ctoml_count(node)).compactMap { index in
          guard let element = ctoml_element(node, index) else { return nil }
          let place = "\(path)[\(index + 1)]"
          note(ctoml_line_of(element), at: place)
          return self.node(element, path: place)
        })
    case .table: return .table(members(of: node, path: path))
    case .date, .time, .date_time: return .moment
    }
  }

  private mutating func note(_ line: UInt32, at path: String) { if line > 0 { lines[path] = Int(line) } }
}
