import Glibc

/// The terminal that standard output is.
struct Screen: Equatable, Sendable {
  var columns = 80
  var rows = 24

  /// As large as it is now, for people pull at windows; nil where standard output is no terminal.
  static var now: Screen? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 && size.ws_row > 0
    return isKnown ? Screen(columns: Int(size.ws_col), rows: Int(size.ws_row)) : Screen()
  }

  /// A line, wrapped at words to so many columns; what goes on below is indented. Nil wraps nothing.
  static func wrapped(_ line: String, indent: Int, to columns: Int?) -> String {
    guard let columns, columns > 0, width(line) > columns else { return line }
    // Where little room is left, words matter more than the column.
    let indent = min(indent, max(columns / 2, columns - 20))
    let below = "\n" + String(repeating: " ", count: indent)
    var result = ""
    var column = 0
    var hasWord = false
    var rest = line[...]
    while !rest.isEmpty {
      let blanks = rest.prefix { $0 == " " }
      let word = rest[blanks.endIndex...].prefix { $0 != " " }
      rest = rest[word.endIndex...]
      if hasWord, column >= indent, column + blanks.count + width(word) > columns {
        result += below
        column = indent
      } else {
        result += blanks
        column += blanks.count
      }
      hasWord = true
      // A word that is longer than a line is cut.
      for (character, isShown) in shown(word) {
        if isShown, column >= columns {
          result += below
          column = indent
        }
        result.append(character)
        column += isShown ? 1 : 0
      }
    }
    return result
  }

  /// The lines that fit, and how many more there are.
  static func cut(_ text: String, to rows: Int, _ palette: Palette) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast(text.hasSuffix("\n") ? 1 : 0)
    let rows = max(2, rows)
    guard lines.count > rows else { return text }
    let kept = lines.prefix(rows - 1).map(String.init)
    let last = palette.faint("… \(lines.count - kept.count) more lines: vecanctl status")
    // A colour that ends in what is cut must not go on.
    return (kept + [(palette.isOn ? Palette.end : "") + last]).joined(separator: "\n") + "\n"
  }

  /// How many columns a text takes: colours take none.
  private static func width(_ text: some StringProtocol) -> Int { shown(text).count { $0.isShown } }

  private static func shown(_ text: some StringProtocol) -> [(character: Character, isShown: Bool)] {
    var isColour = false
    return text.map { character in
      if character == "\u{1B}" { isColour = true }
      defer { if isColour, character.isLetter { isColour = false } }
      return (character, !isColour)
    }
  }
}
