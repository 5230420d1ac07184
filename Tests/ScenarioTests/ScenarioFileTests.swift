import BMSCore
import MonotonicTime
import Testing

@testable import Scenario

@Suite("The scenario file")
struct ScenarioFileTests {
  private func problems(_ text: String) -> [String] {
    do {
      _ = try Scenario(text: text, file: "test.toml")
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  private func condition(_ text: String) -> String? {
    let scope = ConditionScope(
      cellsOfBatteries: [4, 4], strings: 1, chargers: ["solar"], loads: ["fridge"])
    do throws(TextError) {
      _ = try Condition(parsing: text, scope)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("the shortest file is a bank at rest for a while")
  func shortest() throws {
    let scenario = try Scenario(text: "duration = \"10s\"", file: "a/b.toml")
    #expect(scenario.title == "b.toml")
    #expect(scenario.settings[.batteryCapacity] == 200)
    #expect(scenario.run().isPassed)
  }

  @Test("all problems come at once, in the order of the lines, each with its key")
  func allProblems() {
    let found = problems(
      """
      duration = "10 parsecs"
      [bank]
      soc = 50
      cells_in_series = 5
      [[load]]
      name = "fridge"
      [[event]]
      at = "25:00"
      do = "load"
      name = "frigde"
      [[expect]]
      never = "alarm lowcell"
      always = "soc > 3"
      [[expect]]
      never = "alarm lowcell"
      [settings]
      soc_threshold = 99
      """)
    #expect(found.count == 9, "\(found)")
    #expect(
      found[0]
        == "line 1: duration: \"10 parsecs\" is no length of time, as \"90 s\", \"2h15m\" or \"1 d 12 h\" (d, h, m or min, s, ms)"
    )
    #expect(found[1] == "line 3: bank.soc: unknown key; did you mean soc_percent?")
    #expect(found[2].hasPrefix("line 4: bank.cells_in_series: 5 is not accepted: 4, 8 or 16"))
    #expect(found[3].hasPrefix("line 5: load[1]: takes exactly one of power_w, current_a"))
    #expect(found[4].hasPrefix("line 8: event[1].at: \"25:00\" is no time; write \"06:30\""))
    #expect(found[5].hasPrefix("line 10: event[1].name: \"frigde\" is not there: one of fridge"))
    #expect(found[6].hasPrefix("line 11: expect[1]: takes exactly one of that, always"))
    #expect(found[7].hasPrefix("line 15: expect[2].never: \"lowcell\" is no alarm; did you mean low_cell?"))
    #expect(found[8].hasPrefix("line 17: settings.soc_threshold:"))
    #expect(found[8].contains("0 to 95"))
  }

  @Test("what lies in an element of a list is found by its number, also in its tables")
  func places() {
    let found = problems(
      """
      duration = "1h"
      [[charger]]
      rating_a = 10
      [[charger]]
      rating_a = 10
      [charger.sun]
      rises = "6"
      [[event]]
      at = "+2h"
      do = "settings"
      change = { soc_treshold = 3 }
      """)
    #expect(found.count == 3, "\(found)")
    #expect(found[0].hasPrefix("line 7: charger[2].sun.rises: \"6\" is no time of day"))
    #expect(found[1].contains("line 9: event[1].at: \"+2h\" is day 1 02:00:00, after the end, day 1 01:00:00"))
    #expect(found[2].hasPrefix("line 11: event[1].change.soc_treshold: unknown key; did you mean soc_threshold?"))
  }

  @Test("a file that is no TOML names its line")
  func noTOML() {
    let found = problems("duration = \"1h\"\n[bank\n")
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("line 2: ") == true)
  }

  @Test(
    "times of day, days and spans since the beginning",
    arguments: [
      ("22:00", 0.0), ("23:30", 1.5), ("06:30", 8.5), ("day 1 23:00", 1), ("day 2 22:00", 24), ("+2h15m", 2.25),
      ("+90 min", 1.5), ("end", 48),
    ])
  func times(text: String, hours: Double) throws {
    let clock = ScenarioClock(start: .hours(22), duration: .days(2))
    #expect(clock.time(text)?.hours == hours)
  }

  @Test(
    "what is no time, or not in the scenario, is refused",
    arguments: ["24:00", "6:3x", "day 0 06:00", "day 1 21:59", "day 4 06:00", "+49h", "+", "2h", ""])
  func noTimes(text: String) {
    #expect(ScenarioClock(start: .hours(22), duration: .days(2)).time(text) == nil)
  }

  @Test(
    "conditions that are understood",
    arguments: [
      "soc < 20", "soc < 20 %", "not (atc is open or atd is not closed) and mode is on", "alarm low_cell",
      "alarm A-B01 or alarm W-B02", "no alarm and no error and not any warning", "cell.2.4 between 3500 mV and 3.6 V",
      "soc not between 1 and 2", "cvl == voltage - 0.15 V", "-5 A < load.fridge + charger.solar", "off_in < 4 min",
      "time_to_go is not known", "temperature.2 > -3.5 °C", "discharge_energy_is_no_quantity < 3 or soc > 1",
    ])
  func conditions(text: String) {
    if text.hasPrefix("discharge_energy_is") {
      #expect(condition(text)?.contains("is no quantity") == true)
    } else {
      #expect(condition(text) == nil)
    }
  }

  @Test(
    "conditions that are not, with what to write instead",
    arguments: [
      ("", "ends too early"), ("soc <", "must stand"), ("soc < 20 V", "does not fit"), ("soc", "comparison is missing"),
      ("atc = shut", "one of open, closed"), ("atc > 3", "goes with is"),
      ("soc < voltage", "voltage is in V, the other side in %"),
      ("(soc < 3", ") is missing"), ("soc < 3 4", "too much"), ("cell.3.1 > 3", "batteries 1 to 2"),
      ("cell.0.1 > 3", "batteries 1 to 2"), ("cell.1.5 > 3", "cells 1 to 4"), ("load.kettle > 3", "one of fridge"),
      ("inverter.x > 3", "there is no inverter"), ("no fun", "go with alarm"), ("sco > 3", "did you mean soc?"),
      ("soc between 3 or 4", "between goes as"), ("soc < 3..4", "is no number"), ("soc < {", "is not understood"),
      ("alarms < 3 V", "has no unit"), ("alarm", "must follow"),
    ])
  func wrongConditions(text: String, hint: String) {
    #expect(condition(text)?.contains(hint) == true, "\(text): \(condition(text) ?? "accepted")")
  }

  @Test("what people may get wrong in an event or an expectation leads to the mending")
  func hints() {
    func only(_ rest: String) -> String {
      problems("duration = \"1h\"\n[[load]]\nname = \"tv\"\npower_w = 5\n" + rest).joined(separator: "\n")
    }
    #expect(only("[[event]]\nat = \"+1s\"\ndo = \"lod\"\nname = \"tv\"").contains("did you mean \"load\"?"))
    #expect(only("[[event]]\nat = \"+1s\"\ndo = \"load\"\nname = \"tv\"").contains("changes nothing: give on"))
    #expect(only("[[event]]\ndo = \"synchronise\"").contains("exactly one of at, daily, every, when"))
    #expect(only("[[event]]\nat = \"+1s\"\ndo = \"synchronise\"\nfor = \"1s\"").contains("has no end"))
    #expect(only("[[event]]\nat = \"+1s\"\ndo = \"restart\"").contains("for: is missing"))
    #expect(
      only("[[event]]\nat = \"+1s\"\ndo = \"fault\"\nfault = \"cell_shrot\"").contains("did you mean cell_short?"))
    #expect(only("[[event]]\nat = \"+1s\"\ndo = \"fault\"\nfault = \"cell_short\"").contains("a: is missing"))
    #expect(only("[[event]]\nat = \"+1s\"\ndo = \"fault\"\nfault = \"cell_short\"\na = 3\ncell = 9").contains("1 to 4"))
    #expect(
      only("[[event]]\nat = \"+1s\"\ndo = \"fault\"\nfault = \"sensor_lost\"\nsensor = \"volt\"").contains(
        "is no sensor"))
    #expect(only("[[event]]\nat = \"+1s\"\ndo = \"mode\"\nto = \"of\"").contains("did you mean \"off\"?"))
    #expect(only("[[expect]]\nthat = \"soc > 1\"").contains("needs at or daily"))
    #expect(only("[[expect]]\ncount = \"atc is open\"").contains("needs min, max or both, or is"))
    #expect(only("[[expect]]\ntime = \"atc is open\"\nmax = 30").contains("expected text in quotes"))
    #expect(only("[[expect]]\nthen = \"atc is open\"\nwithin = \"1s\"").contains("after: is missing"))
    #expect(only("[[expect]]\nhighest = \"volts\"\nmax = 3").contains("is no quantity"))
    #expect(only("[[expect]]\nnever = \"any alarm\"\nform = \"+1s\"").contains("did you mean from?"))
    #expect(only("[bms]\nmemory = \"none\"\nsoc_percent = 3").contains("a first start knows nothing"))
    #expect(only("[bms]\nremote = \"shut\"").contains("\"closed\""))
    #expect(only("[bank]\nsoc_percent = 120").contains("120 is out of range: 0 to 100"))
    #expect(only("[bank]\nstrings = 20\ncells_in_series = 16").contains("at most 20"))
  }
}
