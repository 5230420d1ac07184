import BMSCore
import BatterySimulator
import MonotonicTime
import TOMLReading

// [[expect]]: what must be so. Each is one of a few kinds, and follows the run step by step.

/// An expectation, and where it stands.
struct Expectation: Sendable {
  /// What kind of expectation it is.
  enum Kind: Sendable {
    case that([TimeSpan])
    case always
    case never
    case eventually
    case count(ClosedRange<Double>)
    case time(ClosedRange<Double>)
    case follows(after: Condition, ClosedRange<Double>)
    case sequence([Condition])
    case highest(Quantity, ClosedRange<Double>)
    case lowest(Quantity, ClosedRange<Double>)
    case mean(Quantity, ClosedRange<Double>)
    case change(Quantity, ClosedRange<Double>)
  }

  /// Its number in the file, from 1.
  let number: Int
  /// What it is called.
  let name: String
  private let kind: Kind
  private let condition: Condition?
  private let from: TimeSpan
  private let to: TimeSpan

  /// What was found when it broke.
  private(set) var broken: (at: TimeSpan, found: String)?
  private var isDone = false
  private var next = 0
  private var was: Bool?
  private var wasAfter: Bool?
  private var count = 0.0
  private var waitingSince: TimeSpan?
  private var hasMet = false
  private var last: TimeSpan?
  private var value: Double?
  private var sum = 0.0
  private var weight = 0.0

  /// The keys that say what kind it is.
  static let kinds = [
    "that", "always", "never", "eventually", "count", "time", "then", "sequence", "highest", "lowest", "mean", "change",
  ]

  /// The points of time at which the run must look.
  var stops: [TimeSpan] {
    if case .that(let times) = kind { return times }
    return [from, to]
  }

  init?(_ section: TOMLSection, _ clock: ScenarioClock, _ scope: ConditionScope, number: Int) {
    self.number = number
    for key in Expectation.kinds { section.ask(key) }
    let found = Expectation.kinds.filter { section.has($0) }
    guard found.count == 1, let kind = found.first else {
      section.report("takes exactly one of \(Expectation.kinds.joined(separator: ", "))")
      for key in section.keys { section.ask(key) }
      return nil
    }
    from = section.point("from", clock) ?? .zero
    to = section.point("to", clock) ?? clock.duration
    if to < from { section.report("to", "is before from") }
    let words = section.plain(kind) ?? ""
    let given = section.string("name")
    var condition: Condition?
    var made: Kind?
    switch kind {
    case "that":
      condition = section.condition(kind, scope)
      made = Expectation.times(section, clock).map { .that($0) }
    case "always", "never", "eventually":
      condition = section.condition(kind, scope)
      made = kind == "always" ? .always : kind == "never" ? .never : .eventually
    case "count":
      condition = section.condition(kind, scope)
      made = Expectation.range(section, "").map { .count($0) }
    case "time":
      condition = section.condition(kind, scope)
      made = Expectation.spans(section, "min", "max").map { .time($0) }
    case "then":
      condition = section.condition(kind, scope)
      if !section.has("after") { section.report("after", "is missing: the condition that it follows") }
      if let after = section.condition("after", scope), let range = Expectation.spans(section, "not_before", "within") {
        made = .follows(after: after, range)
      }
    case "sequence":
      var conditions: [Condition] = []
      for words in section.strings(kind) ?? [] {
        do throws(TextError) { conditions.append(try Condition(parsing: words, scope)) } catch {
          section.report(kind, "\"\(words)\": \(error)")
        }
      }
      if conditions.count < 2 { section.report(kind, "needs two conditions at least") }
      made = .sequence(conditions)
    default:
      if let name = section.string(kind) {
        switch scope.quantity(name) {
        case .failure(let error): section.report(kind, error.description)
        case .success(let quantity):
          if let range = Expectation.range(section, quantity.unit) {
            switch kind {
            case "highest": made = .highest(quantity, range)
            case "lowest": made = .lowest(quantity, range)
            case "mean": made = .mean(quantity, range)
            default: made = .change(quantity, range)
            }
          }
        }
      }
    }
    section.finish()
    guard let made else { return nil }
    self.kind = made
    self.condition = condition
    name = given ?? "\(kind) \(words)"
    switch made {
    case .sequence, .highest, .lowest, .mean, .change: break
    case .that, .always, .never, .eventually, .count, .time, .follows: if condition == nil { return nil }
    }
  }

  private static func times(_ section: TOMLSection, _ clock: ScenarioClock) -> [TimeSpan]? {
    if section.has("at") == section.has("daily") {
      section.ask("at")
      section.ask("daily")
      section.report("that", "needs at or daily: when it must be so")
      return nil
    }
    if section.has("at") { return section.point("at", clock).map { [$0] } }
    guard let words = section.string("daily") else { return nil }
    guard let time = parseClock(words) else {
      section.report("daily", "\"\(words)\" is no time of day, as \"06:30\"")
      return nil
    }
    var times: [TimeSpan] = []
    var next = time - clock.start
    let from = section.point("from", clock) ?? .zero
    let to = section.point("to", clock) ?? clock.duration
    while next <= to {
      if next >= from { times.append(next) }
      next += .days(1)
    }
    if times.isEmpty { section.report("daily", "never comes between \(clock.text(from)) and \(clock.text(to))") }
    return times
  }

  /// min, max, or is (both).
  private static func range(_ section: TOMLSection, _ unit: String) -> ClosedRange<Double>? {
    let exact = section.number("is")
    let low = section.number("min")
    let high = section.number("max")
    if let exact {
      if low != nil || high != nil { section.report("is", "goes without min and max") }
      return exact...exact
    }
    guard low != nil || high != nil else {
      if !section.has("min"), !section.has("max"), !section.has("is") {
        section.report("needs min, max or both, or is\(unit.isEmpty ? "" : ", in \(unit)")")
      }
      return nil
    }
    guard low ?? -.infinity <= high ?? .infinity else {
      section.report("max", "is below min")
      return nil
    }
    return (low ?? -.infinity)...(high ?? .infinity)
  }

  /// The same for lengths of time, in seconds.
  private static func spans(_ section: TOMLSection, _ least: String, _ most: String) -> ClosedRange<Double>? {
    let range = TimeSpan.zero...TimeSpan.days(4000)
    let low = section.span(least, range)
    let high = section.span(most, range)
    guard low != nil || high != nil else {
      if !section.has(least), !section.has(most) {
        section.report("needs \(least), \(most) or both, as \(most) = \"30 s\"")
      }
      return nil
    }
    guard (low ?? .zero) <= (high ?? .never) else {
      section.report(most, "is less than \(least)")
      return nil
    }
    return (low?.seconds ?? 0)...(high?.seconds ?? .infinity)
  }

  // MARK: The run

  /// What was expected, in words.
  func expected(_ clock: ScenarioClock) -> String {
    let interval = from == .zero && to == clock.duration ? "" : " from \(clock.text(from)) to \(clock.text(to))"
    let text = condition?.text ?? ""
    func among(_ range: ClosedRange<Double>, _ unit: String = "") -> String {
      let unit = unit.isEmpty ? "" : " \(unit)"
      let (low, high) = (range.lowerBound.text(upTo: 4), range.upperBound.text(upTo: 4))
      if range.lowerBound == range.upperBound { return "\(low)\(unit)" }
      if range.upperBound == .infinity { return "at least \(low)\(unit)" }
      return range.lowerBound == -.infinity ? "at most \(high)\(unit)" : "\(low) to \(high)\(unit)"
    }
    func spans(_ range: ClosedRange<Double>) -> String {
      let low = lasting(TimeSpan(seconds: range.lowerBound))
      if range.upperBound == .infinity { return "at least \(low)" }
      let high = lasting(TimeSpan(seconds: range.upperBound))
      return range.lowerBound == 0 ? "at most \(high)" : "\(low) to \(high)"
    }
    switch kind {
    case .that(let times):
      let when = times.count == 1 ? clock.text(times[0]) : "\(times.count) times, daily"
      return "\(text) at \(when)"
    case .always: return "always \(text)\(interval)"
    case .never: return "never \(text)\(interval)"
    case .eventually: return "at some time \(text)\(interval)"
    case .count(let range): return "\(text) comes true \(among(range)) times\(interval)"
    case .time(let range): return "\(text) for \(spans(range)) altogether\(interval)"
    case .follows(let after, let range): return "\(text) follows \(after.text) after \(spans(range))\(interval)"
    case .sequence(let conditions):
      return "one after the other\(interval): \(conditions.map(\.text).joined(separator: "; "))"
    case .highest(let quantity, let range): return "highest \(quantity.name) \(among(range, quantity.unit))\(interval)"
    case .lowest(let quantity, let range): return "lowest \(quantity.name) \(among(range, quantity.unit))\(interval)"
    case .mean(let quantity, let range): return "mean \(quantity.name) \(among(range, quantity.unit))\(interval)"
    case .change(let quantity, let range): return "change of \(quantity.name) \(among(range, quantity.unit))\(interval)"
    }
  }

  private mutating func fail(_ at: TimeSpan, _ found: String) {
    guard broken == nil else { return }
    broken = (at, found)
    isDone = true
  }

  /// Looks after a step that ended at `now`.
  mutating func look(_ loop: ClosedLoop, at now: TimeSpan) {
    guard !isDone else { return }
    if case .that(let times) = kind {
      while next < times.count, now >= times[next] {
        next += 1
        if let condition, !condition.holds(loop) { return fail(now, condition.found(loop)) }
      }
      isDone = next == times.count
      return
    }
    guard now >= from else {
      // What is true when the interval begins has not come true in it.
      was = condition?.holds(loop)
      if case .follows(let after, _) = kind { wasAfter = after.holds(loop) }
      return
    }
    guard now <= to else { return finish(at: to) }
    let elapsed = last.map { (now - $0).seconds } ?? 0
    last = now
    switch kind {
    case .that: break
    case .always: if let condition, !condition.holds(loop) { fail(now, condition.found(loop)) }
    case .never: if let condition, condition.holds(loop) { fail(now, condition.found(loop)) }
    case .eventually: if let condition, condition.holds(loop) { isDone = true }
    case .count(let range):
      let holds = condition?.holds(loop) ?? false
      if holds, was == false { count += 1 }
      was = holds
      if count > range.upperBound { fail(now, "it came true \(count.text(upTo: 0)) times already") }
    case .time(let range):
      if condition?.holds(loop) ?? false { sum += elapsed }
      if sum > range.upperBound + 1e-9 { fail(now, "it was so for \(lasting(TimeSpan(seconds: sum))) already") }
    case .follows(let after, let range): follow(loop, after, range, now)
    case .sequence(let conditions):
      while next < conditions.count, conditions[next].holds(loop) { next += 1 }
      isDone = next == conditions.count
    case .highest(let quantity, _), .lowest(let quantity, _), .mean(let quantity, _), .change(let quantity, _):
      note(quantity.value(loop), elapsed)
    }
  }

  private mutating func note(_ found: Double?, _ elapsed: Double) {
    guard let found else { return }
    hasMet = true
    switch kind {
    case .highest: value = max(value ?? found, found)
    case .lowest: value = min(value ?? found, found)
    case .mean:
      sum += found * elapsed
      weight += elapsed
      value = weight > 0 ? sum / weight : found
    default:
      if weight == 0 {
        sum = found
        weight = 1
      }
      value = found - sum
    }
  }

  private mutating func follow(
    _ loop: ClosedLoop, _ after: Condition, _ range: ClosedRange<Double>, _ now: TimeSpan
  ) {
    let holds = after.holds(loop)
    if holds, wasAfter != true, waitingSince == nil {
      waitingSince = now
      hasMet = true
    }
    wasAfter = holds
    guard let since = waitingSince else { return }
    let waited = (now - since).seconds
    if condition?.holds(loop) ?? false {
      waitingSince = nil
      if waited < range.lowerBound - 1e-9 || waited > range.upperBound + 1e-9 {
        fail(now, "it followed after \(lasting(TimeSpan(seconds: waited)))")
      }
    } else if waited > range.upperBound + 1e-9 {
      fail(now, "after \(lasting(TimeSpan(seconds: waited))) it had not followed: \(condition?.found(loop) ?? "")")
    }
  }

  /// Judges what can be judged at the end only.
  mutating func finish(at end: TimeSpan) {
    guard !isDone else { return }
    isDone = true
    func judge(_ quantity: Quantity, _ range: ClosedRange<Double>) -> String? {
      guard let value else { return "\(quantity.name) was never known" }
      return range.contains(value) ? nil : "it was \(quantity.text(value))"
    }
    switch kind {
    case .that, .always, .never: break
    case .eventually: fail(end, "it never was")
    case .count(let range):
      if count < range.lowerBound { fail(end, "it came true \(count.text(upTo: 0)) times") }
    case .time(let range):
      if sum < range.lowerBound - 1e-9 { fail(end, "it was so for \(lasting(TimeSpan(seconds: sum)))") }
    case .follows(let after, _): if !hasMet { fail(end, "\(after.text) never came true") }
    case .sequence(let conditions): fail(end, "\"\(conditions[next].text)\" did not come true in its turn")
    case .highest(let quantity, let range), .lowest(let quantity, let range), .mean(let quantity, let range),
      .change(let quantity, let range):
      if let found = judge(quantity, range) { fail(end, found) }
    }
  }
}
