import BMSCore
public import MonotonicTime

// Times as people write them: "06:30", "day 3 06:30", "+2h15m", "end"; spans as "90 s", "2h15m", "1 d 12 h".

/// The clock on the wall of a scenario.
public struct ScenarioClock: Sendable, Hashable {
  /// The time of day at the beginning.
  public let start: TimeSpan
  /// How long the scenario is.
  public let duration: TimeSpan

  static let day = TimeSpan.days(1)

  /// A clock that shows `start` at the beginning.
  public init(start: TimeSpan = .zero, duration: TimeSpan) {
    self.start = start
    self.duration = duration
  }

  /// "day 2 06:30:15", with the fraction where there is one.
  public func text(_ span: TimeSpan) -> String {
    let total = start + span
    let milliseconds = total.nanoseconds / 1_000_000
    let seconds = milliseconds / 1000
    let fraction = milliseconds % 1000
    let clock = "\(two(seconds / 3600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
    let rest = fraction == 0 ? "" : ".\(three(fraction))"
    return "day \(seconds / 86_400 + 1) \(clock)\(rest)"
  }

  /// The time of day as hours, 0..<24.
  func hour(_ span: TimeSpan) -> Double {
    let inDay = (start + span).nanoseconds % ScenarioClock.day.nanoseconds
    return TimeSpan(nanoseconds: inDay).hours
  }

  /// A point of time as a span since the beginning: "06:30", "day 2 06:30", "+2h15m", "end"; nil when it is none.
  public func time(_ text: String) -> TimeSpan? { try? point(text).get() }

  /// A point of time as a span since the beginning; the message says what was expected.
  func point(_ text: String) -> Result<TimeSpan, TextError> {
    let expected =
      "\"\(text)\" is no time; write \"06:30\" (the first time the clock shows it), \"day 2 06:30\", \"+2h15m\" since the "
      + "beginning, or \"end\""
    var words = text.split(separator: " ").map { String($0) }
    if words == ["end"] { return .success(duration) }
    if text.hasPrefix("+") {
      guard let span = parseSpan(String(text.dropFirst())) else { return .failure(TextError(expected)) }
      return inside(span, text)
    }
    var day: Int64?
    if words.first == "day", words.count == 3, let number = Int64(words[1]), 1...10_000 ~= number {
      day = number
      words.removeFirst(2)
    }
    guard words.count == 1, let clock = parseClock(words[0]) else { return .failure(TextError(expected)) }
    if let day {
      let span = TimeSpan.days(day - 1) + clock - start
      if span < .zero { return .failure(TextError("\"\(text)\" is before the beginning, \(self.text(.zero))")) }
      return inside(span, text)
    }
    let span = clock - start
    return inside(span < .zero ? span + ScenarioClock.day : span, text)
  }

  private func inside(_ span: TimeSpan, _ text: String) -> Result<TimeSpan, TextError> {
    guard span <= duration else {
      return .failure(TextError("\"\(text)\" is \(self.text(span)), after the end, \(self.text(duration))"))
    }
    return .success(span)
  }
}

/// A message for the person who wrote the text.
struct TextError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// "06:30" or "06:30:15" as a span since midnight; nil when it is none.
func parseClock(_ text: String) -> TimeSpan? {
  let parts = text.split(separator: ":", omittingEmptySubsequences: false)
  guard parts.count == 2 || parts.count == 3, parts.allSatisfy({ (1...2).contains($0.utf8.count) }) else { return nil }
  let numbers = parts.compactMap { UInt8($0) }
  guard numbers.count == parts.count, numbers[0] < 24, numbers[1] < 60, numbers.count < 3 || numbers[2] < 60 else {
    return nil
  }
  return .hours(Int64(numbers[0])) + .minutes(Int64(numbers[1]))
    + .seconds(numbers.count == 3 ? Int64(numbers[2]) : 0)
}

/// "2h15m", "90 s", "1.5 h", "1 d 12 h" as a span; nil when it is none. Minutes are `m` or `min`.
func parseSpan(_ text: String) -> TimeSpan? {
  var rest = Substring(text)
  var total = 0.0
  var isEmpty = true
  func skip() { while rest.first == " " { rest.removeFirst() } }
  skip()
  while !rest.isEmpty {
    let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
    guard let number = Double(digits) else { return nil }
    rest = rest.dropFirst(digits.count)
    skip()
    let unit = rest.prefix { $0.isASCII && $0.isLetter }
    rest = rest.dropFirst(unit.count)
    guard let seconds = secondsIn(unit) else { return nil }
    total += number * seconds
    isEmpty = false
    skip()
  }
  // A hundred years: an input that makes a run without an end is a mistake.
  return isEmpty || total > 3.2e9 ? nil : TimeSpan(seconds: total)
}

private func secondsIn(_ unit: Substring) -> Double? {
  switch unit {
  case "d": 86_400
  case "h": 3600
  case "m", "min": 60
  case "s": 1
  case "ms": 0.001
  default: nil
  }
}

/// A span as people write it: "2 h 15 min", "1.5 s".
func lasting(_ span: TimeSpan) -> String {
  if span.nanoseconds < 60_000_000_000 { return "\(span.seconds.text(upTo: 3)) s" }
  var seconds = span.nanoseconds / 1_000_000_000
  var parts: [String] = []
  for (unit, length) in [("d", Int64(86_400)), ("h", 3600), ("min", 60), ("s", 1)] {
    if seconds >= length { parts.append("\(seconds / length) \(unit)") }
    seconds %= length
  }
  return parts.joined(separator: " ")
}

private func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
private func three(_ number: Int64) -> String {
  number < 10 ? "00\(number)" : number < 100 ? "0\(number)" : "\(number)"
}
