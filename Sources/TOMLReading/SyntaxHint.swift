// What a line that is no TOML was most likely meant to be. The library says what it expected of a letter; whoever wrote the
// file thinks of values, switches and numbers.

/// A guess from the text of the line, for a text that the library refused.
struct SyntaxHint {
  private let lines: [Substring]
  /// Counts from 0.
  private let index: Int
  private let message: String

  /// - Parameters:
  ///   - line: where the library stopped, from 1 on.
  ///   - message: its words.
  init?(text: String, line: Int, message: String) {
    // "\r\n" is one Character. Other newlines of Unicode are none of TOML.
    lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    // A line that no person wrote is not worth the time.
    guard lines.indices.contains(line - 1), lines[line - 1].utf8.count <= 1000 else { return nil }
    index = line - 1
    self.message = message
  }

  /// What is meant and how it is written; nil where nothing is better than the library's words.
  var text: String? {
    let line = Self.trimmed(lines[index])
    if message.contains("cannot redefine existing") { return first(line) }
    if line.hasPrefix("[") {
      return message.contains("expected ']'") ? "a table's name stands in brackets, as [battery]" : nil
    }
    guard let equals = line.firstIndex(of: "=") else {
      return message.contains("expected '='") ? "a key and its value have = between them" : nil
    }
    let key = Self.trimmed(line[..<equals])
    if message.contains("expected '='") { return "a key has letters, digits, _ and - and no spaces" }
    return ofValue(Self.trimmed(line[line.index(after: equals)...]), key)
  }

  private func ofValue(_ value: Substring, _ key: Substring) -> String? {
    guard let begin = value.first else { return "a value is missing behind =" }
    if "“”„‘’«»".contains(begin) { return "text stands in straight quotes: \"" }
    if begin == "\"" || begin == "'" { return ofQuoted(value, begin) }
    if "[{".contains(begin) { return nil }
    let bare = Self.trimmed(value.prefix { $0 != "#" })
    if ["yes", "no", "on", "off", "true", "false"].contains(bare.lowercased()) {
      return "a switch is true or false, in small letters and without quotes"
    }
    if bare.wholeMatch(of: #/[+-]?[0-9]+,[0-9]+/#) != nil {
      return "a number has a decimal point, as \(bare.replacing(",", with: "."))"
    }
    if bare.wholeMatch(of: #/[+-]?(\.[0-9]+|[0-9]+\.)/#) != nil {
      return "a number has a digit before and behind its point, as 0.5"
    }
    if bare.wholeMatch(of: #/[+-]?[0-9]+([.,][0-9]+)? *(V|mV|A|Ah|W|J|Ohm|%|°C|degC|C|s|ms|min|h|d)/#) != nil {
      return "a number stands without its unit"
    }
    guard message.contains("could not determine value type") || message.contains("expected") else { return nil }
    let example = Self.isPlain(bare) && Self.isPlain(key) ? ", as \(key) = \"\(bare)\"" : ""
    return bare.contains(where: \.isLetter) ? "text stands in quotes\(example)" : nil
  }

  private func ofQuoted(_ value: Substring, _ quote: Character) -> String? {
    guard let end = value.dropFirst().firstIndex(of: quote) else { return "the closing quote is missing" }
    if message.contains("escape sequence") {
      return "a backslash begins an escape: write it twice, or the text between single quotes"
    }
    let rest = Self.trimmed(value[value.index(after: end)...])
    if rest.hasPrefix("//") || rest.hasPrefix(";") { return "a comment begins with #" }
    return rest.contains("=") ? "each key has a line of its own" : nil
  }

  /// Where a key or table that stands twice is for the first time.
  private func first(_ line: Substring) -> String? {
    let found =
      line.hasPrefix("[")
      ? lines[..<index].firstIndex { Self.header($0) == Self.header(line) }
      : lines[..<index].lastIndex { Self.key($0) == Self.key(line) }
    guard let found else { return nil }
    let hasHeaderBetween = lines[found..<index].dropFirst().contains { Self.header($0) != nil }
    if !line.hasPrefix("["), hasHeaderBetween { return nil }
    return "it stands in line \(found + 1) already: leave one of the two, and all of a table's keys below one"
  }

  /// The name of a table that a line begins.
  private static func header(_ line: Substring) -> Substring? {
    let line = trimmed(line)
    guard line.hasPrefix("["), let end = line.firstIndex(of: "]") else { return nil }
    return trimmed(line[..<end].dropFirst())
  }

  private static func key(_ line: Substring) -> Substring? {
    line.firstIndex(of: "=").map { trimmed(line[..<$0]) }
  }

  /// Without the spaces at both ends.
  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
  }

  /// Whether it can be shown as it is: short, and nothing that a terminal would obey or a quote would end.
  private static func isPlain(_ text: Substring) -> Bool {
    text.utf8.count <= 60 && text.unicodeScalars.allSatisfy { 0x20..<0x7F ~= $0.value && $0 != "\"" && $0 != "\\" }
  }
}
