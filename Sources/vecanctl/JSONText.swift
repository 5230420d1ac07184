/// A JSON object that is built member by member, in the order given.
struct JSONObject {
  private var members: [String] = []

  /// The object in one line.
  var text: String { "{" + members.joined(separator: ",") + "}" }

  /// Adds a text; nil and an empty one are left out.
  mutating func add(_ name: String, _ value: String?) {
    if let value, !value.isEmpty { add(name, json: Self.quoted(value)) }
  }

  /// Adds a whole number.
  mutating func add(_ name: String, _ value: some BinaryInteger) { add(name, json: String(value)) }

  /// Adds what is JSON already.
  mutating func add(_ name: String, json: String) { members.append(Self.quoted(name) + ":" + json) }

  /// A text in quotes.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16, uppercase: true)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// A list of what is JSON already.
  static func list(_ elements: [String]) -> String { "[" + elements.joined(separator: ",") + "]" }
}

/// Text for a terminal.
enum Plain {
  /// A text from a bus without anything that could steer the terminal.
  static func safe(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      result.unicodeScalars.append(isControl ? "?" : scalar)
    }
    return result
  }

  /// A text filled up with blanks at its end.
  static func left(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  /// A text filled up with blanks at its beginning.
  static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
