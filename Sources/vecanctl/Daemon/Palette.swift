import Glibc

/// Colour, where a terminal shows it and nobody asked for none (NO_COLOR), and how wide lines may be.
struct Palette: Sendable {
  let isOn: Bool
  /// The columns of the terminal, to which lines are wrapped; nil where output goes on to a program or a file.
  var columns: Int?

  static let plain = Palette(isOn: false)
  /// What ends every colour.
  static let end = "\u{1B}[0m"

  /// As standard output is.
  static var standardOutput: Palette {
    let refusal = getenv("NO_COLOR")
    let screen = Screen.now
    return Palette(isOn: screen != nil && (refusal.map { $0.pointee == 0 } ?? true), columns: screen?.columns)
  }

  func good(_ text: String) -> String { wrapped(text, "32") }
  func bad(_ text: String) -> String { wrapped(text, "1;31") }
  func doubtful(_ text: String) -> String { wrapped(text, "33") }
  func faint(_ text: String) -> String { wrapped(text, "2") }
  func strong(_ text: String) -> String { wrapped(text, "1") }

  private func wrapped(_ text: String, _ code: String) -> String { isOn ? "\u{1B}[\(code)m\(text)\(Self.end)" : text }

  /// A line as wide as the terminal; what goes on below stands under the column.
  func wrapped(_ line: String, under column: Int) -> String { Screen.wrapped(line, indent: column, to: columns) }
}
