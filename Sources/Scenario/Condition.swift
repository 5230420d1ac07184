import BMSCore
import BatterySimulator
import MonotonicTime
import TOMLReading

// Conditions: "soc < 20 % and atc is closed", "alarm high_cell", "cell.1.3 between 3.5 V and 3.6 V".
//
//   condition := term { "or" term }          term := factor { "and" factor }
//   factor    := "not" factor | "(" condition ")" | atom
//   atom      := "alarm" NAME | "no" "alarm" | "any" "alarm" | "no" SEVERITY | "any" SEVERITY
//              | WORDS "is" [ "not" ] NAME | NUMBER-NAME "is" [ "not" ] "known" | value OP value
//              | value [ "not" ] "between" value "and" value
//   value     := ( NUMBER [UNIT] | NUMBER-NAME ) { ( "+" | "-" ) ( NUMBER [UNIT] | NUMBER-NAME ) }

/// What the names of a scenario's own parts mean.
struct ConditionScope: Sendable {
  /// Batteries, in the order of strings, with their number of cells.
  var cellsOfBatteries: [Int] = []
  var strings = 1
  var chargers: [String] = []
  var alternators: [String] = []
  var loads: [String] = []
  var inverters: [String] = []
  /// Addresses, 0 is A.
  var distributors: [UInt8] = []

  /// A quantity by its name; the message says which names there are.
  func quantity(_ name: String) -> Result<Quantity, TextError> {
    if let found = Quantity.all.first(where: { $0.name == name }) { return .success(found) }
    let parts = name.split(separator: ".").map { String($0) }
    if parts.count >= 2 { return part(name, parts) }
    let guess = nearest(name, among: Quantity.all.map(\.name) + WordQuantity.all.map(\.name))
    let hint = guess.map { "; did you mean \($0)?" } ?? ""
    let known = Quantity.all.map(\.name).joined(separator: ", ")
    return .failure(
      TextError(
        "\"\(name)\" is no quantity\(hint) (numbers: \(known), cell.BATTERY.CELL, temperature.BATTERY, string.NUMBER, "
          + "charger.NAME, alternator.NAME, load.NAME, inverter.NAME; words: "
          + WordQuantity.all.map(\.name).joined(separator: ", ") + "; alarm NAME)"))
  }

  private func part(_ name: String, _ parts: [String]) -> Result<Quantity, TextError> {
    func own(
      _ kind: String, _ names: [String], _ value: @escaping @Sendable (Plant, Int) -> Double
    ) -> Result<Quantity, TextError> {
      guard parts.count == 2, let index = names.firstIndex(of: parts[1]) else {
        let known = names.isEmpty ? "there is no \(kind) in this file" : "one of " + names.joined(separator: ", ")
        return .failure(TextError("\"\(name)\" is no \(kind) of this file: \(known)"))
      }
      return .success(Quantity(name, "A", "") { value($0.plant, index) })
    }
    switch parts[0] {
    case "charger": return own("charger", chargers) { $0.chargers[$1].current }
    case "alternator": return own("alternator", alternators) { $0.alternators[$1].current }
    case "load": return own("load", loads) { $0.loads[$1].current }
    case "inverter": return own("inverter", inverters) { $0.inverters[$1].current }
    case "string":
      guard parts.count == 2, let number = Int(parts[1]), 1...strings ~= number else {
        return .failure(TextError("\"\(name)\": strings are string.1 to string.\(strings)"))
      }
      return .success(Quantity(name, "A", "") { $0.plant.bank.strings[number - 1].current })
    case "temperature":
      guard parts.count == 2, let number = Int(parts[1]), 1...max(cellsOfBatteries.count, 1) ~= number else {
        return .failure(
          TextError("\"\(name)\": batteries are temperature.1 to temperature.\(cellsOfBatteries.count)"))
      }
      return .success(Quantity(name, "°C", "", places: 1) { $0.plant.battery(number - 1)?.celsius })
    case "cell":
      guard parts.count == 3, let battery = Int(parts[1]), let cell = Int(parts[2]),
        1...max(cellsOfBatteries.count, 1) ~= battery, 1...cellsOfBatteries[battery - 1] ~= cell
      else {
        return .failure(
          TextError(
            "\"\(name)\": cells are cell.BATTERY.CELL with batteries 1 to \(cellsOfBatteries.count) and cells 1 to "
              + "\(cellsOfBatteries.first ?? 4)"))
      }
      let place = cellsOfBatteries.prefix(battery - 1).reduce(0, +) + cell - 1
      return .success(Quantity(name, "V", "", places: 3) { $0.plant.trueCell(place) })
    default: return .failure(TextError("\"\(name)\" is no quantity; \(parts[0]). is nothing that has parts"))
    }
  }
}

extension Plant {
  /// The true voltage of a cell by its place over all batteries.
  func trueCell(_ place: Int) -> Double? {
    var left = place
    for string in bank.strings {
      for battery in string.batteries {
        if left < battery.cellCount { return battery.voltage(ofCell: left, at: string.current) }
        left -= battery.cellCount
      }
    }
    return nil
  }
}

/// A condition on BMS and plant.
struct Condition: Sendable {
  /// As it was written.
  let text: String
  private let node: Node

  indirect enum Node: Sendable {
    case all([Node])
    case any([Node])
    case not(Node)
    case compare(Value, Comparison, Value)
    case between(Value, Value, Value)
    case word(WordQuantity, Int)
    case known(Value)
    case alarm(AlarmSet)
  }

  enum Comparison: String, Sendable {
    case below = "<"
    case atMost = "<="
    case above = ">"
    case atLeast = ">="
    case equal = "=="
    case different = "!="
  }

  /// A number, a quantity, or a sum of them.
  struct Value: Sendable {
    var terms: [(sign: Double, quantity: Quantity?, number: Double)] = []

    func callAsFunction(_ loop: ClosedLoop) -> Double? {
      var sum = 0.0
      for term in terms {
        guard let value = term.quantity.map({ $0.value(loop) }) ?? term.number else { return nil }
        sum += term.sign * value
      }
      return sum
    }

    var unit: String? { terms.lazy.compactMap { $0.quantity?.unit }.first }
  }

  init(parsing text: String, _ scope: ConditionScope) throws(TextError) {
    self.text = text
    var parser = ConditionParser(try Token.all(in: text), scope)
    node = try parser.parse()
  }

  /// Whether it holds. A comparison with what is not known does not hold.
  func holds(_ loop: ClosedLoop) -> Bool { Condition.holds(node, loop) }

  private static func holds(_ node: Node, _ loop: ClosedLoop) -> Bool {
    switch node {
    case .all(let nodes): return nodes.allSatisfy { holds($0, loop) }
    case .any(let nodes): return nodes.contains { holds($0, loop) }
    case .not(let inner): return !holds(inner, loop)
    case .word(let quantity, let index): return quantity.value(loop) == index
    case .known(let value): return value(loop) != nil
    case .alarm(let set): return !loop.outputs.alarms.isDisjoint(with: set)
    case .between(let value, let low, let high):
      guard let value = value(loop), let low = low(loop), let high = high(loop) else { return false }
      return value >= low && value <= high
    case .compare(let left, let comparison, let right):
      guard let left = left(loop), let right = right(loop) else { return false }
      switch comparison {
      case .below: return left < right
      case .atMost: return left <= right
      case .above: return left > right
      case .atLeast: return left >= right
      // What is written with three decimals is compared with three.
      case .equal: return abs(left - right) < 0.0005
      case .different: return abs(left - right) >= 0.0005
      }
    }
  }

  /// Everything the condition speaks of, as it is now: "soc = 19.2 %, atc = open".
  func found(_ loop: ClosedLoop) -> String {
    var parts: [String] = []
    func add(_ part: String) { if !parts.contains(part) { parts.append(part) } }
    func add(_ value: Value) {
      for term in value.terms { if let quantity = term.quantity { add("\(quantity.name) = \(quantity.text(loop))") } }
    }
    func walk(_ node: Node) {
      switch node {
      case .all(let nodes), .any(let nodes): for node in nodes { walk(node) }
      case .not(let inner): walk(inner)
      case .word(let quantity, _): add("\(quantity.name) = \(quantity.text(loop))")
      case .known(let value): add(value)
      case .compare(let left, _, let right):
        add(left)
        add(right)
      case .between(let value, let low, let high):
        add(value)
        add(low)
        add(high)
      case .alarm:
        let active = loop.outputs.alarms.map(\.word)
        add(active.isEmpty ? "no alarm" : "alarms \(active.joined(separator: ", "))")
      }
    }
    walk(node)
    return parts.joined(separator: ", ")
  }
}

/// A piece of a condition's text.
enum Token: Hashable, Sendable {
  case word(String)
  case number(Double)
  case symbol(String)

  var text: String {
    switch self {
    case .word(let word): word
    case .number(let number): number.text(upTo: 6)
    case .symbol(let symbol): symbol
    }
  }

  static func all(in text: String) throws(TextError) -> [Token] {
    var tokens: [Token] = []
    var rest = Substring(text)
    while let first = rest.first {
      if first == " " || first == "\n" || first == "\t" {
        rest.removeFirst()
      } else if first.isASCII, first.isNumber {
        let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        guard let number = Double(digits) else { throw TextError("\"\(digits)\" is no number") }
        tokens.append(.number(number))
        rest = rest.dropFirst(digits.count)
      } else if first.isLetter || first == "°" {
        let word = rest.prefix { $0.isLetter || $0.isNumber || "_.-°".contains($0) }
        tokens.append(.word(String(word)))
        rest = rest.dropFirst(word.count)
      } else if let symbol = ["<=", ">=", "==", "!=", "<", ">", "=", "(", ")", "+", "-", "%"].first(
        where: rest.hasPrefix)
      {
        tokens.append(.symbol(symbol))
        rest = rest.dropFirst(symbol.count)
      } else {
        throw TextError("\"\(first)\" is not understood in \"\(text)\"")
      }
    }
    return tokens
  }
}

private struct ConditionParser {
  private var tokens: ArraySlice<Token>
  private let scope: ConditionScope

  init(_ tokens: [Token], _ scope: ConditionScope) {
    self.tokens = tokens[...]
    self.scope = scope
  }

  mutating func parse() throws(TextError) -> Condition.Node {
    let node = try condition()
    if let rest = tokens.first {
      throw TextError("\"\(rest.text)\" is too much; conditions are joined with and, or")
    }
    return node
  }

  private mutating func take(_ word: String) -> Bool {
    guard let first = tokens.first, first == .word(word) || first == .symbol(word) else { return false }
    tokens.removeFirst()
    return true
  }

  private mutating func condition() throws(TextError) -> Condition.Node {
    var nodes = [try term()]
    while take("or") { nodes.append(try term()) }
    return nodes.count == 1 ? nodes[0] : .any(nodes)
  }

  private mutating func term() throws(TextError) -> Condition.Node {
    var nodes = [try factor()]
    while take("and") { nodes.append(try factor()) }
    return nodes.count == 1 ? nodes[0] : .all(nodes)
  }

  private mutating func factor() throws(TextError) -> Condition.Node {
    if take("not") { return .not(try factor()) }
    if take("(") {
      let node = try condition()
      guard take(")") else { throw TextError("a ) is missing") }
      return node
    }
    return try atom()
  }

  private mutating func atom() throws(TextError) -> Condition.Node {
    guard let first = tokens.first else { throw TextError("the condition ends too early") }
    if case .word(let word) = first {
      if word == "alarm" {
        tokens.removeFirst()
        return .alarm(try alarms())
      }
      if word == "no" || word == "any" {
        tokens.removeFirst()
        let set = try severity()
        return word == "no" ? .not(.alarm(set)) : .alarm(set)
      }
      if let quantity = WordQuantity.all.first(where: { $0.name == word }) {
        tokens.removeFirst()
        return try isWord(quantity)
      }
    }
    return try comparison()
  }

  private mutating func name(_ of: String) throws(TextError) -> String {
    guard case .word(let name)? = tokens.popFirst() else { throw TextError("\(of) must follow") }
    return name
  }

  private mutating func alarms() throws(TextError) -> AlarmSet {
    let name = try name("alarm: the name or the code of an alarm")
    var set = AlarmSet()
    for alarm in Alarm.allCases where alarm.word == name || alarm.definition.code == name { set.insert(alarm) }
    guard set.isEmpty else { return set }
    let words = Alarm.allCases.map(\.word)
    let guess = nearest(name, among: words).map { " did you mean \($0)?" } ?? ""
    throw TextError("\"\(name)\" is no alarm;\(guess) there are \(words.joined(separator: ", "))")
  }

  private mutating func severity() throws(TextError) -> AlarmSet {
    let name = try name("no or any: alarm, warning or error")
    let isIn: (Alarm) -> Bool
    switch name {
    case "alarm": isIn = { _ in true }
    case "warning": isIn = { $0.definition.severity == .warning }
    case "error": isIn = { $0.definition.severity == .error }
    default: throw TextError("no and any go with alarm (of every severity), warning or error, not with \"\(name)\"")
    }
    return Alarm.allCases.reduce(into: AlarmSet()) { if isIn($1) { $0.insert($1) } }
  }

  private mutating func isWord(_ quantity: WordQuantity) throws(TextError) -> Condition.Node {
    var isNot = false
    if take("is") {
      isNot = take("not")
    } else if take("!=") {
      isNot = true
    } else if !take("==") && !take("=") {
      throw TextError("\(quantity.name) goes with is or is not, as \"\(quantity.name) is \(quantity.words[0])\"")
    }
    let name = try name("\(quantity.name) is: one of \(quantity.words.joined(separator: ", "))")
    guard let index = quantity.words.firstIndex(of: name) else {
      let guess = nearest(name, among: quantity.words).map { " did you mean \($0)?" } ?? ""
      throw TextError(
        "\(quantity.name) is never \"\(name)\";\(guess) it is one of \(quantity.words.joined(separator: ", "))")
    }
    let node = Condition.Node.word(quantity, index)
    return isNot ? .not(node) : node
  }

  private mutating func comparison() throws(TextError) -> Condition.Node {
    let left = try value(like: unitAhead)
    if take("is") {
      let isNot = take("not")
      if take("known") { return isNot ? .not(.known(left)) : .known(left) }
      throw TextError("a number is known or is not known; else compare it with <, <=, >, >=, ==, != or between")
    }
    let isNot = take("not")
    if take("between") {
      let low = try value(like: left.unit)
      guard take("and") else { throw TextError("between goes as: between 3.5 V and 3.6 V") }
      let high = try value(like: left.unit)
      let node = Condition.Node.between(left, low, high)
      return isNot ? .not(node) : node
    }
    guard !isNot, case .symbol(var symbol)? = tokens.popFirst() else {
      throw TextError("a comparison is missing: <, <=, >, >=, ==, !=, between, is known")
    }
    if symbol == "=" { symbol = "==" }
    guard let comparison = Condition.Comparison(rawValue: symbol) else {
      throw TextError("\"\(symbol)\" is no comparison: <, <=, >, >=, ==, !=")
    }
    return .compare(left, comparison, try value(like: left.unit))
  }

  /// The unit of the first quantity of a comparison: a number may stand before it.
  private var unitAhead: String? {
    for token in tokens {
      guard case .word(let word) = token else { continue }
      if word == "and" || word == "or" { return nil }
      if case .success(let quantity) = scope.quantity(word) { return quantity.unit }
    }
    return nil
  }

  private mutating func value(like unit: String?) throws(TextError) -> Condition.Value {
    var value = Condition.Value()
    var unit = unit
    var sign = take("-") ? -1.0 : 1.0
    repeat {
      switch tokens.popFirst() {
      case .number(let number)?:
        value.terms.append((sign, nil, number * (try scale(unit))))
      case .word(let word)?:
        let quantity = try scope.quantity(word).get()
        if let unit, unit != quantity.unit {
          throw TextError("\(word) is in \(quantity.unit), the other side in \(unit)")
        }
        unit = unit ?? quantity.unit
        value.terms.append((sign, quantity, 0))
      case let other: throw TextError("a number or a quantity must stand where \(other?.text ?? "the end") stands")
      }
      if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return value }
    } while true
  }

  /// The unit behind a number, checked against the quantity's: the factor between both.
  private mutating func scale(_ unit: String?) throws(TextError) -> Double {
    let written: String
    if take("%") {
      written = "%"
    } else if case .word(let word)? = tokens.first, !["and", "or", "is", "not", "between"].contains(word) {
      tokens.removeFirst()
      written = word
    } else {
      return 1
    }
    guard let unit else { throw TextError("a unit stands behind a number that is compared with a quantity") }
    let factors: [String: Double] =
      switch unit {
      case "V": ["V": 1, "mV": 0.001]
      case "A": ["A": 1, "mA": 0.001]
      case "W": ["W": 1, "kW": 1000]
      case "s": ["s": 1, "ms": 0.001, "m": 60, "min": 60, "h": 3600, "d": 86_400]
      case "kWh": ["kWh": 1, "Wh": 0.001]
      case "°C": ["°C": 1, "C": 1]
      default: [unit: 1]
      }
    guard let factor = factors[written] else {
      let known = factors.keys.sorted().joined(separator: ", ")
      throw TextError(
        unit.isEmpty ? "\"\(written)\": this number has no unit" : "the unit \"\(written)\" does not fit: \(known)")
    }
    return factor
  }
}
