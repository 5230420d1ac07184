import MonotonicTime
import Testing

@testable import Scenario

@Suite("Expectations of a scenario")
struct ExpectationTests {
  /// A bank with a load of 20 A from 00:01 to 00:02.
  private func broken(_ expectation: String) throws -> BrokenExpectation? {
    let scenario = try Scenario(
      text: """
        duration = "3min"
        [bank]
        soc_percent = 50
        [[load]]
        name = "heater"
        current_a = 20
        on = false
        [[event]]
        at = "00:01"
        do = "load"
        name = "heater"
        on = true
        for = "1min"
        [[expect]]
        \(expectation)
        """, file: "test.toml")
    return scenario.run().broken.first
  }

  @Test(
    "hold",
    arguments: [
      "that = \"load.heater == 20 A\"\nat = \"00:01:30\"",
      "that = \"load.heater == 0 A\"\nat = \"00:01\"",
      "always = \"atd is closed\"\nfrom = \"+2s\"",
      "never = \"any alarm\"",
      "eventually = \"current < -19 A\"",
      "count = \"load.heater > 10 A\"\nis = 1",
      "count = \"atd is open\"\nfrom = \"+2s\"\nmax = 0",
      "time = \"load.heater > 10 A\"\nmin = \"59 s\"\nmax = \"61 s\"",
      "after = \"load.heater > 10 A\"\nthen = \"load.heater < 1 A\"\nnot_before = \"59.5s\"\nwithin = \"60.5s\"",
      "sequence = [\"contactor is closed\", \"load.heater > 1 A\", \"load.heater < 1 A\"]",
      "highest = \"load.heater\"\nis = 20", "lowest = \"current\"\nmin = -21\nmax = -19",
      "mean = \"load.heater\"\nmin = 6.5\nmax = 6.9", "change = \"true_soc\"\nmin = -0.2\nmax = -0.15",
    ])
  func hold(expectation: String) throws {
    let broken = try broken(expectation)
    #expect(broken == nil, "\(broken?.found ?? "")")
  }

  @Test(
    "break, when they break, with what was found",
    arguments: [
      ("that = \"load.heater > 30 A\"\nat = \"00:01:30\"", 90.0, "load.heater = 20 A"),
      ("always = \"load.heater < 1 A\"", 60.1, "load.heater = 20 A"),
      ("never = \"load.heater > 1 A and atd is closed\"", 60.1, "load.heater = 20 A, atd = closed"),
      ("eventually = \"alarm high_cell\"", 180, "it never was"),
      ("count = \"load.heater > 10 A\"\nmin = 2", 180, "it came true 1 times"),
      ("count = \"load.heater > 10 A\"\nmax = 0", 60.1, "it came true 1 times already"),
      ("time = \"load.heater > 10 A\"\nmin = \"61.5 s\"", 180, "it was so for 1 min"),
      ("time = \"load.heater > 10 A\"\nmax = \"30 s\"", 90.2, "already"),
      (
        "after = \"load.heater > 10 A\"\nthen = \"load.heater < 1 A\"\nnot_before = \"61s\"", 120.1,
        "it followed after 1 min"
      ),
      (
        "after = \"load.heater > 10 A\"\nthen = \"load.heater < 1 A\"\nwithin = \"30s\"", 91,
        "it had not followed: load.heater = 20 A"
      ),
      ("after = \"alarm low_cell\"\nthen = \"atd is open\"\nwithin = \"1s\"", 180, "never came true"),
      ("sequence = [\"load.heater > 1 A\", \"alarm low_cell\"]", 180, "\"alarm low_cell\" did not come true"),
      ("highest = \"load.heater\"\nmax = 19", 180, "it was 20 A"),
      ("lowest = \"time_to_go\"\nmin = 1e9", 180, "it was "),
      ("mean = \"off_in\"\nmin = 0", 180, "off_in was never known"),
    ])
  func broke(expectation: String, seconds: Double, found: String) throws {
    let broken = try broken(expectation)
    #expect(broken != nil)
    #expect(abs((broken?.at.seconds ?? 0) - seconds) < 1.2, "\(broken?.at.seconds ?? 0) s")
    #expect(broken?.found.contains(found) == true, "\(broken?.found ?? "")")
  }

  @Test("an event by a condition comes when it comes true, and once unless each time is asked for")
  func triggers() throws {
    func count(_ each: Bool) throws -> Int {
      let scenario = try Scenario(
        text: """
          duration = "5min"
          [[load]]
          name = "heater"
          current_a = 20
          on = false
          [[event]]
          every = "1min"
          do = "load"
          name = "heater"
          on = true
          for = "10s"
          [[event]]
          when = "load.heater > 10 A"
          each = \(each)
          delay = "3s"
          do = "note"
          text = "warm"
          """, file: "test.toml")
      let result = scenario.run()
      let notes = result.entries.filter { $0.text == "warm" }
      #expect(notes.first.map { abs($0.at.seconds - 63.1) < 0.2 } == true)
      return notes.count
    }
    #expect(try count(false) == 1)
    #expect(try count(true) == 4)
  }

  @Test("what is refused is told and changes nothing")
  func refused() throws {
    let scenario = try Scenario(
      text: """
        duration = "1min"
        [[event]]
        at = "+10s"
        do = "mode"
        to = "off"
        by = "gx"
        [[expect]]
        always = "mode is on"
        """, file: "test.toml")
    let result = scenario.run()
    let refusals = result.entries.filter { $0.kind == .refused }.map(\.text)
    #expect(refusals.count == 1)
    #expect(refusals.first?.contains("cannot switch off (R37)") == true)
    #expect(result.isPassed)
  }

  @Test("the same file and seed give the same run, another seed another one")
  func seeds() throws {
    let text = """
      duration = "5min"
      [bank]
      soc_spread_percent = 1
      """
    func run(_ seed: UInt64?) throws -> [String] {
      var rows: [String] = []
      let scenario = try Scenario(text: text, file: "test.toml", seed: seed)
      var trace = Trace(of: scenario, format: .csv)
      _ = scenario.run { loop, now, isEventful in
        if let row = trace.row(loop, at: now, isEventful: isEventful) { rows.append(row) }
      }
      return rows
    }
    #expect(try run(nil) == run(1))
    #expect(try run(1) != run(2))
  }

  @Test("a trace has as many cells in each row as in its header, and a picture is SVG with a curve")
  func outputs() throws {
    let scenario = try Scenario(text: "duration = \"2min\"\ntitle = \"a < b & c\"", file: "test.toml")
    var trace = Trace(of: scenario, format: .csv, interval: .seconds(10))
    var lines = Trace(of: scenario, format: .jsonLines, interval: .seconds(10))
    var plot = Plot(of: scenario)
    var rows: [String] = []
    var objects: [String] = []
    let result = scenario.run { loop, now, isEventful in
      plot.look(loop, at: now)
      if let row = trace.row(loop, at: now, isEventful: isEventful) { rows.append(row) }
      if let row = lines.row(loop, at: now, isEventful: isEventful) { objects.append(row) }
    }
    #expect(rows.count >= 12)
    #expect(objects.count == rows.count)
    let width = trace.header.split(separator: ",").count
    #expect(rows.allSatisfy { $0.split(separator: ",", omittingEmptySubsequences: false).count == width })
    #expect(objects.allSatisfy { $0.hasPrefix("{\"time\":") && $0.hasSuffix("]}\n") })
    let svg = plot.svg(result.entries)
    #expect(svg.hasPrefix("<svg "))
    #expect(svg.contains("a &lt; b &amp; c"))
    #expect(svg.contains("<path d=\"M"))
    #expect(!svg.contains("nan") && !svg.contains("inf"))
  }
}
