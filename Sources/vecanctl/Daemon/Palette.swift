import Glibc

/// Colour, where a terminal shows it and nobody asked for none (NO_COLOR).
struct Palette: Sendable {
  let isOn: Bool

  static let plain = Palette(isOn: false)

  /// As standard output is.
  static var standardOutput: Palette {
    let refusal = getenv("NO_COLOR")
    return Palette(isOn: isatty(STDOUT_FILENO) == 1 && (refusal.map { $0.pointee == 0 } ?? true))
  }

  func good(_ text: String) -> String { wrapped(text, "32") }
  func bad(_ text: String) -> String { wrapped(text, "1;31") }
  func doubtful(_ text: String) -> String { wrapped(text, "33") }
  func faint(_ text: String) -> String { wrapped(text, "2") }
  func strong(_ text: String) -> String { wrapped(text, "1") }

  private func wrapped(_ text: String, _ code: String) -> String { isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
}
