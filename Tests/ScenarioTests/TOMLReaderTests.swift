import TOMLReading
import Testing

@Suite("A problem in a TOML file")
struct TOMLReaderTests {
  private func problems(_ text: String, _ read: (TOMLSection) -> Void) -> [String] {
    let reader = TOMLReader()
    if let top = reader.parse(text) { read(top) }
    return reader.problems.map(\.description)
  }

  @Test("has the line of its key, however the key is written")
  func lines() {
    let text = """
      # a comment = 1
      story = \"\"\"
      wrong = "no key"
      \"\"\"
      outer.inner = 1
      points = [
        { at = 1 },
        { at = "x" },
      ]

      [[list]]
      good = 1
      [list.sub]
      bad = 2
      [[list]]
      "bad" = 3
      """
    let found = problems(text) { top in
      _ = top.string("story")
      _ = top.section("outer")?.string("inner")
      for point in top.sections("points") { _ = point.number("at") }
      for element in top.sections("list") {
        element.ask("good")
        element.section("sub")?.finish()
        element.finish()
      }
    }
    #expect(
      found == [
        "line 5: outer.inner: is an integer, expected text in quotes",
        "line 8: points[2].at: is a string, expected a number",
        "line 14: list[1].sub.bad: unknown key; known here: ",
        "line 16: list[2].bad: unknown key; known here: good, sub",
      ])
  }

  @Test("is told with its line when the text is no TOML at all", arguments: ["a = 1\nb = = 2", "a = 1\n[b"])
  func noTOML(text: String) {
    let found = problems(text) { _ in Issue.record("this is no TOML") }
    #expect(found.count == 1 && found[0].hasPrefix("line 2: "), "\(found)")
  }

  @Test("names what stands there: each kind of value where text is expected")
  func kinds() {
    let kinds = [
      ("1", "an integer"), ("1.5", "a floating-point number"), ("true", "a boolean"), ("06:00:00", "a date or time"),
      ("2026-01-01", "a date or time"), ("[1]", "an array"), ("{ a = 1 }", "a table"),
    ]
    for (value, kind) in kinds {
      #expect(
        problems("a = \(value)") { _ = $0.string("a") } == ["line 1: a: is \(kind), expected text in quotes"])
    }
    let escaped = problems("a = \"\\u00fc\"") { top in #expect(top.string("a") == "ü") }
    #expect(escaped.isEmpty)
  }
}
