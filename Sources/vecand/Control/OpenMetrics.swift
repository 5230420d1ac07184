/// The text of OpenMetrics 1.0: families of samples with type, unit and help, and the end that says that it is whole.
///
/// Of a family that has no sample only its description stands there: a value that is not known is not 0.
struct OpenMetrics {
  /// A label's name and value.
  typealias Label = (name: String, value: String)

  enum Kind: String {
    case gauge, counter, stateset, info
  }

  private(set) var text = ""

  /// Begins a family. Names end with their unit, and the unit stands in a line of its own.
  mutating func family(_ name: String, _ kind: Kind, unit: String? = nil, _ help: String) {
    text += "# TYPE \(name) \(kind.rawValue)\n"
    if let unit { text += "# UNIT \(name) \(unit)\n" }
    text += "# HELP \(name) \(Self.escaped(help))\n"
  }

  /// A sample; nothing where there is no value.
  mutating func sample(_ name: String, _ labels: [Label] = [], _ value: Double?) {
    guard let value, value.isFinite else { return }
    let list = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
    text += "\(name)\(list.isEmpty ? "" : "{\(list)}") \(Self.number(value))\n"
  }

  /// A family of one sample.
  mutating func gauge(_ name: String, unit: String? = nil, _ help: String, _ value: Double?) {
    family(name, .gauge, unit: unit, help)
    sample(name, [], value)
  }

  /// A family of one sample that only grows.
  mutating func counter(_ name: String, unit: String? = nil, _ help: String, _ value: Double) {
    family(name, .counter, unit: unit, help)
    sample("\(name)_total", [], value)
  }

  /// One of several states.
  mutating func states(_ name: String, _ help: String, _ all: [String], now: String) {
    family(name, .stateset, help)
    for state in all { sample(name, [(name, state)], state == now ? 1 : 0) }
  }

  /// The whole text.
  consuming func finished() -> String { text + "# EOF\n" }

  private static func number(_ value: Double) -> String {
    value.rounded() == value && value.magnitude < 1e15 ? "\(Int64(value))" : "\(value)"
  }

  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { escaped, letter in
      switch letter {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.append(letter)
      }
    }
  }
}
