import BMSCore
public import BatterySimulator
public import MonotonicTime

// A run as a table: CSV or JSON lines, one row a second or slower, and one for each step in which something happened.

/// Makes the rows of a trace.
public struct Trace: Sendable {
  /// How a trace is written.
  public enum Format: Sendable {
    /// Comma separated values with a header.
    case csv
    /// One JSON object a line.
    case jsonLines
  }

  private let format: Format
  private let clock: ScenarioClock
  private let interval: TimeSpan
  private var last: TimeSpan?
  private let numbers: [Quantity]
  private let words: [WordQuantity]

  /// The columns between time and alarms.
  static let columns = [
    "voltage", "system_voltage", "current", "soc", "true_soc", "cell_low", "cell_high", "temperature", "cvl", "ccl",
    "dcl",
    "charger_current", "alternator_current", "load_current",
  ]
  /// The columns of words.
  static let wordColumns = ["mode", "state", "phase", "atc", "atd", "contactor", "charge_phase", "relay", "led"]

  /// A trace of a scenario with at least this much time between the rows in which nothing happens.
  public init(of scenario: Scenario, format: Format, interval: TimeSpan = .seconds(1)) {
    self.format = format
    self.interval = interval
    clock = scenario.clock
    numbers = Trace.columns.compactMap { name in Quantity.all.first { $0.name == name } }
    words = Trace.wordColumns.compactMap { name in WordQuantity.all.first { $0.name == name } }
  }

  /// The header, with its line end; empty for JSON lines.
  public var header: String {
    guard format == .csv else { return "" }
    let units = numbers.map { quantity in
      quantity.unit.isEmpty ? quantity.name : "\(quantity.name) (\(quantity.unit))"
    }
    return (["time (s)", "clock"] + units + words.map(\.name) + ["alarms"]).joined(separator: ",") + "\n"
  }

  /// The row of a step, with its line end; nil when it is too soon for one.
  public mutating func row(_ loop: ClosedLoop, at now: TimeSpan, isEventful: Bool) -> String? {
    if let last, now - last < interval, !isEventful { return nil }
    last = now
    let seconds = now.seconds.text(upTo: 3)
    let alarms = loop.outputs.alarms.map(\.definition.code)
    switch format {
    case .csv:
      var cells = [seconds, clock.text(now)]
      for quantity in numbers { cells.append(quantity.value(loop).map { $0.text(upTo: quantity.places) } ?? "") }
      for word in words { cells.append(word.text(loop)) }
      cells.append(alarms.joined(separator: " "))
      return cells.joined(separator: ",") + "\n"
    case .jsonLines:
      var members = ["\"time\":\(seconds)", "\"clock\":\"\(clock.text(now))\""]
      for quantity in numbers {
        if let value = quantity.value(loop) {
          members.append("\"\(quantity.name)\":\(value.text(upTo: quantity.places))")
        }
      }
      for word in words { members.append("\"\(word.name)\":\"\(word.text(loop))\"") }
      members.append("\"alarms\":[\(alarms.map { "\"\($0)\"" }.joined(separator: ","))]")
      return "{\(members.joined(separator: ","))}\n"
    }
  }
}
