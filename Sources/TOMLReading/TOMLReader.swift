import TOMLKit

/// Something wrong in a configuration file, for the person who can mend it.
struct ConfigurationProblem: Equatable, CustomStringConvertible {
  /// The line, where it is known.
  var line: Int?
  /// The key with its tables, as `inputs.monitor.instance`; empty for the whole file.
  var key: String
  /// What is wrong, what was expected, what to do.
  var message: String

  var description: String {
    let place = line.map { "line \($0): " } ?? ""
    return key.isEmpty ? place + message : "\(place)\(key): \(message)"
  }
}

/// Walks a TOML document table by table and collects every problem instead of stopping at the first.
///
/// The library's decoder reports a wrong type as a missing key, which sends people looking in the wrong place; and an
/// unknown key is most often a misspelt one, which must not be ignored in silence.
final class TOMLReader {
  private(set) var problems: [ConfigurationProblem] = []
  private let lines: [String: Int]

  init(text: String) {
    lines = TOMLReader.lines(of: text)
  }

  func report(_ key: String, _ message: String) {
    problems.append(ConfigurationProblem(line: lines[key], key: key, message: message))
  }

  func report(_ problem: ConfigurationProblem) { problems.append(problem) }

  /// The top table; nil when the text is no TOML, with the problem reported.
  func parse(_ text: String) -> TOMLSection? {
    do {
      return TOMLSection(path: "", table: try TOMLTable(string: text), reader: self)
    } catch let error as TOMLParseError {
      report(ConfigurationProblem(line: error.source.begin.line, key: "", message: error.description))
    } catch {
      report("", "no TOML: \(error)")
    }
    return nil
  }

  /// Where each key of the ordinary form `key = value` below a `[table]` line stands. The library does not tell.
  private static func lines(of text: String) -> [String: Int] {
    var result: [String: Int] = [:]
    var path = ""
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = line.drop { $0 == " " || $0 == "\t" }
      if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
        path = String(line[line.index(after: line.startIndex)..<end].filter { $0 != " " })
        result[path] = result[path] ?? number + 1
      } else if let equals = line.firstIndex(of: "="), !line.hasPrefix("#") {
        let key = line[..<equals].filter { $0 != " " && $0 != "\t" && $0 != "\"" }
        result[path.isEmpty ? String(key) : path + "." + key] = number + 1
      }
    }
    return result
  }
}

/// One table of the document. Every key must be asked for; those that nobody asked for are unknown.
final class TOMLSection {
  let path: String
  private let table: TOMLTable
  private let reader: TOMLReader
  private var asked: Set<String> = []

  init(path: String, table: TOMLTable, reader: TOMLReader) {
    self.path = path
    self.table = table
    self.reader = reader
  }

  func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  func report(_ key: String, _ message: String) { reader.report(path(of: key), message) }

  /// Whether the key stands in the table.
  func has(_ key: String) -> Bool { table[key] != nil }

  func string(_ key: String) -> String? {
    value(key, expected: "text in quotes") { $0.string }
  }

  func bool(_ key: String) -> Bool? {
    value(key, expected: "true or false") { $0.bool }
  }

  func integer(_ key: String, _ range: ClosedRange<Int>) -> Int? {
    guard let number = value(key, expected: "a whole number", { $0.int }) else { return nil }
    guard range.contains(number) else {
      report(key, "\(number) is out of range: \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  func number(_ key: String) -> Double? {
    value(key, expected: "a number") { $0.double ?? $0.int.map(Double.init) }
  }

  func section(_ key: String) -> TOMLSection? {
    guard let table = value(key, expected: "a table, as [\(path(of: key))]", { $0.table }) else { return nil }
    return TOMLSection(path: path(of: key), table: table, reader: reader)
  }

  /// Makes a key known that is read in another way.
  func ask(_ key: String) { asked.insert(key) }

  /// Reports the keys that nobody asked for.
  func finish() {
    for key in table.keys.sorted() where !asked.contains(key) {
      let known = asked.sorted().joined(separator: ", ")
      report(key, "unknown key; known here: \(known)")
    }
  }

  private func value<Value>(_ key: String, expected: String, _ read: (any TOMLValueConvertible) -> Value?) -> Value? {
    asked.insert(key)
    guard let found = table[key] else { return nil }
    if let value = read(found) { return value }
    report(key, "is \(Self.article(found.type)), expected \(expected)")
    return nil
  }

  private static func article(_ type: TOMLType) -> String {
    switch type {
    case .array, .int: "an \(type)"
    default: "a \(type)"
    }
  }
}
