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

  @Test(
    "is told in the words of who wrote the line, with the library's behind them",
    arguments: [
      ("a = can0", "text stands in quotes, as a = \"can0\""),
      ("a = 11-bit  # place", "text stands in quotes, as a = \"11-bit\""),
      ("a = /var/lib", "text stands in quotes, as a = \"/var/lib\""),
      ("a = \u{1B}[2Jx", "text stands in quotes (Error"),
      ("a = yes", "a switch is true or false, in small letters and without quotes"),
      ("a = True", "a switch is true or false"),
      ("a = off # now", "a switch is true or false"),
      ("a = \"can0\nb = 1", "the closing quote is missing"),
      ("a = 'can0", "the closing quote is missing"),
      ("a = “can0”", "text stands in straight quotes"),
      ("a = 2,5", "a number has a decimal point, as 2.5"),
      ("a = .5", "a number has a digit before and behind its point"),
      ("a = 5.", "a number has a digit before and behind its point"),
      ("a = 4 %", "a number stands without its unit"),
      ("a = 12V", "a number stands without its unit"),
      ("a =", "a value is missing behind ="),
      ("a 1", "a key and its value have = between them"),
      ("a: 1", "a key and its value have = between them"),
      ("a b = 1", "a key has letters, digits, _ and - and no spaces"),
      ("[a", "a table's name stands in brackets, as [battery]"),
      ("a = \"x\" b = 1", "each key has a line of its own"),
      ("a = \"x\" // y", "a comment begins with #"),
      ("a = \"C:\\d\"", "a backslash begins an escape"),
    ])
  func hints(line: String, hint: String) {
    let found = problems("# first\n\(line)\n") { _ in Issue.record("this is no TOML") }
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("line 2: \(hint)") == true, "\(found)")
    #expect(found.first?.contains("(Error while parsing") == true, "\(found)")
  }

  @Test("says where a key or table that stands twice is for the first time")
  func twice() {
    func found(_ text: String) -> String { problems(text) { _ in }.first ?? "" }
    #expect(found("[t]\na = 1\n\nb = 2\na = 3").hasPrefix("line 5: it stands in line 2 already: "))
    #expect(found("[t]\na = 1\n[u]\na = 1\r\n [ t ] # again\nb = 2").hasPrefix("line 5: it stands in line 1 already: "))
    // Of another table: not this one.
    #expect(!found("[u]\nb = 1\n[t]\nb.c = 1\nb = 3").contains("line 2"))
  }

  @Test("needs no list beside a good guess; without one names are in the order of their numbers, ranges as such")
  func unknown() {
    func found(_ text: String) -> [String] {
      problems(text) { top in
        for number in 1...16 { top.ask("fuse_\(number)") }
        for key in ["fan", "fan_2", "monitor", "out_1", "out_2"] { top.ask(key) }
        top.finish()
      }
    }
    #expect(found("moniter = 1") == ["line 1: moniter: unknown key; did you mean monitor?"])
    #expect(found("fuse_2 = 1").isEmpty)
    #expect(
      found("fuse_17 = 1") == [
        "line 1: fuse_17: unknown key; known here: fan, fan_2, fuse_1 to fuse_16, monitor, out_1, out_2"
      ])
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
