// Walks a TOML document table by table and collects every problem instead of stopping at the first.
//
// A decoder would report a wrong type as a missing key, which sends people looking in the wrong place; and an unknown key
// is most often a misspelt one, which must not be ignored in silence.

/// Something wrong in a file, for the person who can mend it.
public struct TOMLProblem: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line, where it is known.
  public var line: Int?
  /// The key with its tables, as `inputs.monitor.instance`; empty for the whole file.
  public var key: String
  /// What is wrong, what was expected, what to do.
  public var message: String

  /// A problem at a place.
  public init(line: Int?, key: String, message: String) {
    self.line = line
    self.key = key
    self.message = message
  }

  /// "line 3: bus.interface: …".
  public var description: String {
    let place = line.map { "line \($0): " } ?? ""
    return key.isEmpty ? place + message : "\(place)\(key): \(message)"
  }
}

/// A document that is read, and what is wrong with it.
public final class TOMLReader {
  private var found: [TOMLProblem] = []
  private var lines: [String: Int] = [:]

  /// A reader that has read nothing.
  public init() {}

  /// Every problem so far, in the order of the lines.
  public var problems: [TOMLProblem] { found.sorted { ($0.line ?? 0, $0.key) < ($1.line ?? 0, $1.key) } }

  /// Reports a problem of a key with its tables; an element without a line of its own has that of what it is in.
  public func report(_ key: String, _ message: String) {
    var place = key[...]
    var line = lines[key]
    while line == nil, let end = place.lastIndex(where: { $0 == "." || $0 == "[" }) {
      place = place[..<end]
      line = lines[String(place)]
    }
    found.append(TOMLProblem(line: line, key: key, message: message))
  }

  /// Whether something of a table or key is wrong already: what follows from it is no second mistake.
  public func hasProblem(in key: String) -> Bool {
    found.contains { $0.key == key || $0.key.hasPrefix("\(key).") }
  }

  /// The top table; nil when the text is no TOML, with the problem reported.
  public func parse(_ text: String) -> TOMLSection? {
    do throws(TOMLProblem) {
      let document = try TOMLDocument(text)
      lines = document.lines
      return TOMLSection(path: "", table: document.top, reader: self)
    } catch {
      found.append(error)
      return nil
    }
  }
}

/// One table of the document. Every key must be asked for; those that nobody asked for are unknown.
public final class TOMLSection {
  /// Its name with the tables it is in.
  public let path: String
  private let table: [String: TOMLNode]
  private let reader: TOMLReader
  private var asked: Set<String> = []

  init(path: String, table: [String: TOMLNode], reader: TOMLReader) {
    self.path = path
    self.table = table
    self.reader = reader
  }

  /// A key with the tables it is in.
  public func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// Reports a problem of a key here.
  public func report(_ key: String, _ message: String) { reader.report(path(of: key), message) }

  /// Reports a problem of this table.
  public func report(_ message: String) { reader.report(path, message) }

  /// Whether the key stands in the table.
  public func has(_ key: String) -> Bool { table[key] != nil }

  /// The keys that stand in the table, in the order of the alphabet.
  public var keys: [String] { table.keys.sorted() }

  /// A text.
  public func string(_ key: String) -> String? {
    value(key, expected: "text in quotes") { $0.string }
  }

  /// True or false.
  public func bool(_ key: String) -> Bool? {
    value(key, expected: "true or false") { $0.boolean }
  }

  /// A whole number within a range.
  public func integer(_ key: String, _ range: ClosedRange<Int>) -> Int? {
    guard let number = value(key, expected: "a whole number", { $0.integer }) else { return nil }
    guard range.contains(number) else {
      report(key, "\(number) is out of range: \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  /// A number.
  public func number(_ key: String) -> Double? {
    value(key, expected: "a number") { $0.number }
  }

  /// A table.
  public func section(_ key: String) -> TOMLSection? {
    guard let table = value(key, expected: "a table, as [\(path(of: key))]", { $0.table }) else { return nil }
    return TOMLSection(path: path(of: key), table: table, reader: reader)
  }

  /// A list of tables; empty when it is not there.
  public func sections(_ key: String) -> [TOMLSection] {
    let expected = "a list of tables, each as [[\(path(of: key))]]"
    guard let array = value(key, expected: expected, { $0.array }) else { return [] }
    var sections: [TOMLSection] = []
    for (index, element) in array.enumerated() {
      let place = "\(path(of: key))[\(index + 1)]"
      if let table = element.table {
        sections.append(TOMLSection(path: place, table: table, reader: reader))
      } else {
        reader.report(place, "is \(element.kind), expected a table")
      }
    }
    return sections
  }

  /// A list of texts; nil when it is not there.
  public func strings(_ key: String) -> [String]? {
    guard let array = value(key, expected: "a list of texts, as [\"a\", \"b\"]", { $0.array }) else { return nil }
    var strings: [String] = []
    for (index, element) in array.enumerated() {
      if let string = element.string {
        strings.append(string)
      } else {
        reader.report("\(path(of: key))[\(index + 1)]", "is \(element.kind), expected text in quotes")
      }
    }
    return strings
  }

  /// A list of pairs of text and number, as `[["06:00", 40], ["22:00", 5]]`; nil when it is not there.
  public func pairs(_ key: String) -> [(String, Double)]? {
    let expected = "a list of pairs, as [[\"06:00\", 40], [\"22:00\", 5]]"
    guard let array = value(key, expected: expected, { $0.array }) else { return nil }
    var pairs: [(String, Double)] = []
    for (index, element) in array.enumerated() {
      if let pair = element.array, pair.count == 2, let text = pair[0].string,
        let number = pair[1].number
      {
        pairs.append((text, number))
      } else {
        reader.report("\(path(of: key))[\(index + 1)]", "expected a pair of text and number, as [\"06:00\", 40]")
      }
    }
    return pairs
  }

  /// A text, number or switch as it is written; nil for anything else. It makes no key known.
  public func plain(_ key: String) -> String? {
    guard let found = table[key] else { return nil }
    return found.string ?? found.integer.map { "\($0)" } ?? found.number.map { "\($0)" }
      ?? found.boolean.map { "\($0)" }
  }

  /// Makes a key known that is read in another way.
  public func ask(_ key: String) { asked.insert(key) }

  /// Reports the keys that nobody asked for.
  public func finish() {
    for key in table.keys.sorted() where !asked.contains(key) {
      // Of names that differ in their number only, none is more likely than the others.
      if let guess = nearest(key, among: asked), split(guess).name != split(key).name {
        report(key, "unknown key; did you mean \(guess)?")
      } else {
        report(key, "unknown key; known here: \(listed(asked))")
      }
    }
  }

  private func value<Value>(_ key: String, expected: String, _ read: (TOMLNode) -> Value?) -> Value? {
    asked.insert(key)
    guard let found = table[key] else { return nil }
    if let value = read(found) { return value }
    report(key, "is \(found.kind), expected \(expected)")
    return nil
  }
}

/// A name without the number that it ends with, and that number.
private func split(_ name: String) -> (name: Substring, number: Int?) {
  let digits = name.utf8.reversed().prefix { 0x30...0x39 ~= $0 }.count
  return (name.dropLast(digits), Int(name.suffix(digits)))
}

/// Names in the order of the alphabet and of their numbers; three and more that follow each other as a range.
private func listed(_ names: Set<String>) -> String {
  let sorted = names.map { (whole: $0, parts: split($0)) }.sorted {
    ($0.parts.name, $0.parts.number ?? -1, $0.whole) < ($1.parts.name, $1.parts.number ?? -1, $1.whole)
  }
  var texts: [String] = []
  var rest = sorted[...]
  while let first = rest.popFirst() {
    var last = first
    var count = 1
    while let next = rest.first, next.parts.name == last.parts.name, let number = last.parts.number,
      next.parts.number == number + 1
    {
      (last, count) = (next, count + 1)
      rest.removeFirst()
    }
    switch count {
    case 1: texts.append(first.whole)
    case 2: texts += [first.whole, last.whole]
    default: texts.append("\(first.whole) to \(last.whole)")
    }
  }
  return texts.joined(separator: ", ")
}

/// The word that another one was most likely meant to be: one that it begins, or that differs by a third of its letters
/// at most; nil when there is none.
public func nearest(_ word: String, among words: some Sequence<String>) -> String? {
  let words = words.sorted()
  if word.utf8.count >= 3, let longer = words.first(where: { $0.hasPrefix(word + "_") }) { return longer }
  var best: (word: String, distance: Int)?
  for other in words {
    let distance = changes(Array(word.lowercased().utf8), Array(other.lowercased().utf8))
    if distance <= max(word.utf8.count, 3) / 3, distance < best?.distance ?? .max { best = (other, distance) }
  }
  return best?.word
}

/// How many letters must be changed, added, left out or swapped with their neighbour to make one of the other
/// (optimal string alignment).
private func changes(_ left: [UInt8], _ right: [UInt8]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for (index, letter) in left.enumerated() {
    var row = [index + 1]
    for (column, other) in right.enumerated() {
      var least = min(last[column] + (letter == other ? 0 : 1), last[column + 1] + 1, row[column] + 1)
      if index > 0, column > 0, letter == right[column - 1], left[index - 1] == other {
        least = min(least, beforeLast[column - 1] + 1)
      }
      row.append(least)
    }
    (beforeLast, last) = (last, row)
  }
  return last[right.count]
}
