import MonotonicTime

// Whether what the sensors say can be true: against each other, against their own past, against what a cell can do
// (issue: "stale, stuck, implausible (sum of cells against pack, rate, range), each with its own name"; R21, R81, R179).
// Age and range are judged in Judgement.swift; here is what takes more than one sample. The manual has no numbers for
// it; all of them are ours and stand in Parameters with their reason.
//
// What each finding does:
// - sum of cells against pack: warns; when it is gross it forbids the direction in which a cell may be hidden
// - a cell that is stuck: forbids both, it is the same as a lost cell
// - a cell that jumps: forbids both for 10 s; what it says after that is believed again
// - a current or a pack voltage that is stuck, a voltage or a temperature that jumps, a sign that is wrong: warns,
//   because the cells still protect the battery and a wrong verdict would take the loads away
//
// Stuck can be told only where something must have moved: a change of load moves every cell, the pack and the current
// together. Such a change is an event: by 50 mV a cell within 10 s, half of it more than cables and fuses can make of the
// current or seen in the cells themselves, and still there 10 s later, so that every source has reported since. A value that is the same to the bit over three events with both signs among them is stuck. At
// rest, and for temperatures, a value may stay the same for days and nothing is said.

/// Finds the changes of load, at which something must have moved.
struct LoadChanges: Sendable {
  /// The beginning of the last three, newest first.
  private var begun: (Instant?, Instant?, Instant?)
  private var isRise = (false, false, false)
  private var anchor: (value: Double, beside: Double, inside: CellTotals?)?
  private var anchored = Instant.origin
  private var movedSince: Instant?

  /// Takes a value and another beside it; the change of both when an event is complete in this step.
  ///
  /// - Parameters:
  ///   - outside: so much of the change, for each unit of the other, may be outside of what must have moved. What is left
  ///     must be half a step, or nothing is said of what did not move.
  ///   - inside: what shows by itself that it moved, which is enough, too.
  mutating func take(
    _ value: Double, beside: Double, step: Double, outside: Double = 0, inside: CellTotals? = nil, at now: Instant
  ) -> (change: Double, beside: Double)? {
    func settle() {
      anchor = (value, beside, inside)
      anchored = now
      movedSince = nil
    }
    guard let from = anchor else {
      settle()
      return nil
    }
    let change = value - from.value
    guard let since = movedSince else {
      if abs(change) >= step {
        movedSince = now
      } else if now - anchored >= Parameters.eventWindow {
        settle()
      }
      return nil
    }
    guard abs(change) >= step / 2 else {
      settle()
      return nil
    }
    guard now - since >= Parameters.eventHold else { return nil }
    let besideChange = beside - from.beside
    let insideChange = inside.flatMap { inside in from.inside.map { inside.movement(since: $0) } } ?? 0
    if quantised(max(abs(change) - outside * abs(besideChange), insideChange)) >= step / 2 {
      begun = (anchored, begun.0, begun.1)
      isRise = (change > 0, isRise.0, isRise.1)
    }
    settle()
    return (change, besideChange)
  }

  /// What is unchanged since before this instant is stuck; nil while there were too few events.
  var mustHaveMovedSince: Instant? {
    guard let oldest = begun.2, isRise.0 != isRise.1 || isRise.1 != isRise.2 else { return nil }
    return oldest
  }

  /// Nobody looked for a while: what happened meanwhile is not known.
  mutating func lose() {
    anchor = nil
    movedSince = nil
  }

}

/// What the cells say of the pack's voltage.
struct CellTotals: Sendable {
  /// The sum of a whole table, volts; nil where only the extremes are known.
  let sum: Double?
  /// The lowest and the highest, volts; where only these are known, in place of every cell.
  let lowest, highest: Double

  /// How far the pack moved by them, less what one cell alone can have done: a weak one, or one with a loose link.
  func movement(since before: CellTotals) -> Double {
    let (low, high) = (abs(lowest - before.lowest), abs(highest - before.highest))
    guard let sum, let was = before.sum else { return min(low, high) }
    return abs(sum - was) - max(low, high)
  }
}

/// What the last sample of a quantity was and when it changed.
struct SampleHistory: Sendable {
  private var value = Double.nan
  private var taken = Instant.origin
  private(set) var changed = Instant.origin
  /// When it changed by more than it can.
  private(set) var jumped: Instant?

  /// - Parameters:
  ///   - range: outside of it a value is named for that already.
  ///   - limit: the most it can change between two samples that are at most ``Parameters/jumpWindow`` apart.
  mutating func take(_ measurement: Measurement, _ range: ClosedRange<Double>, limit: Double, at now: Instant) {
    guard measurement.validity == .valid, let new = measurement.lastGood, range.contains(new) else { return }
    let sampled = measurement.taken
    guard sampled != taken || value.isNaN else { return }
    if new != value {
      if abs(new - value) > limit, sampled - taken <= Parameters.jumpWindow { jumped = now }
      changed = sampled
    }
    value = new
    taken = sampled
  }

  func hasJumped(within hold: TimeSpan, at now: Instant) -> Bool { jumped.map { now - $0 < hold } ?? false }
}

struct Plausibility: Sendable {
  /// The cells do not add up to the pack (V-B31).
  private(set) var isMismatch = false
  /// They differ so much that a cell may be hidden; the direction that would harm it (V-B32).
  private(set) var contradiction: CurrentDirection?
  /// The pack less the cells' sum, volts, in the last step that could compare them.
  private(set) var difference = 0.0
  /// Within which it is taken for measuring error, volts.
  private(set) var limit = 0.0
  private(set) var isCellStuck = false
  private(set) var stuckPlace: CellPlace?
  private(set) var isCellJump = false
  private(set) var isVoltageJump = false
  private(set) var isTemperatureJump = false
  /// Changes of load at which voltage and current moved in the same, and in opposite directions (R81).
  private(set) var rightSigns = 0
  private(set) var wrongSigns = 0

  private var mismatchFor = TimeSpan.zero
  private var grossFor = TimeSpan.zero
  private var matchFor = TimeSpan.zero
  private var voltageChanges = LoadChanges()
  private var currentChanges = LoadChanges()
  private var lowest = SampleHistory()
  private var highest = SampleHistory()
  private var voltage = SampleHistory()
  private var current = SampleHistory()
  private var temperatures = (SampleHistory(), SampleHistory(), SampleHistory())
  private var stuckSince: (cells: Instant?, voltage: Instant?, current: Instant?)

  var isVoltageStuck: Bool { stuckSince.voltage != nil }
  var isCurrentStuck: Bool { stuckSince.current != nil }

  /// R81: current and voltage move in opposite directions at every change of load.
  var isSignWrong: Bool { wrongSigns >= Parameters.signEvents }

  /// Nothing is found.
  @inline(__always)
  var isAtRest: Bool {
    !isMismatch && contradiction == nil && !isCellStuck && !isCellJump && !isVoltageJump && !isTemperatureJump
      && !isVoltageStuck && !isCurrentStuck && !isSignWrong
  }

  /// Switched on again by somebody who has looked: what seemed stuck is tried anew. At rest nothing would ever move again.
  mutating func restart() {
    voltageChanges = LoadChanges()
    currentChanges = LoadChanges()
    stuckSince = (nil, nil, nil)
    isCellStuck = false
    stuckPlace = nil
  }

  /// Looks at the inputs and takes away what cannot be true.
  mutating func evaluate(
    _ judged: inout Judgement, _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan
  ) {
    lowest.take(inputs.cellExtremes.lowest, Plausible.cellVoltage, limit: Parameters.cellJump, at: now)
    highest.take(inputs.cellExtremes.highest, Plausible.cellVoltage, limit: Parameters.cellJump, at: now)
    voltage.take(
      inputs.batteryVoltage, Plausible.batteryVoltage, limit: Parameters.cellJump * parameters.cells, at: now)
    current.take(inputs.current, Plausible.current, limit: .infinity, at: now)
    temperatures.0.take(inputs.batteryTemperature, Plausible.temperature, limit: Parameters.temperatureJump, at: now)
    temperatures.1.take(
      inputs.temperatureExtremes.lowest, Plausible.temperature, limit: Parameters.temperatureJump, at: now)
    temperatures.2.take(
      inputs.temperatureExtremes.highest, Plausible.temperature, limit: Parameters.temperatureJump, at: now)
    isVoltageJump = voltage.hasJumped(within: Parameters.jumpHold, at: now)
    isTemperatureJump =
      temperatures.0.hasJumped(within: Parameters.temperatureJumpHold, at: now)
      || temperatures.1.hasJumped(within: Parameters.temperatureJumpHold, at: now)
      || temperatures.2.hasJumped(within: Parameters.temperatureJumpHold, at: now)
    compareSum(&judged, parameters, elapsed)
    watchSteps(&judged, inputs, parameters, at: now, elapsed: elapsed)
    judgeCells(&judged, inputs, at: now)
  }

  @inline(__always)
  private mutating func judgeCells(_ judged: inout Judgement, _ inputs: borrowing Inputs, at now: Instant) {
    if let since = stuckSince.cells { findStuck(inputs, since: since, at: now) }
    let tableJump = inputs.cells.lastJump
    let isTableJump = tableJump.map { now - $0.at < Parameters.jumpHold } ?? false
    isCellJump =
      isTableJump || lowest.hasJumped(within: Parameters.jumpHold, at: now)
      || highest.hasJumped(within: Parameters.jumpHold, at: now)
    guard isCellStuck || isCellJump else { return }
    if isCellStuck { judged.cellState.worsen(.stuck, age: judged.cellState.age, place: stuckPlace) }
    if isCellJump {
      judged.cellState.worsen(.jump, age: judged.cellState.age, place: isTableJump ? tableJump?.place : nil)
    }
  }

  // MARK: Sum of cells against pack

  @inline(__always)
  private mutating func compareSum(_ judged: inout Judgement, _ parameters: Parameters, _ elapsed: TimeSpan) {
    guard let pack = judged.voltage, let amperes = judged.current, let bounds = judged.packBounds(parameters),
      elapsed < parameters.cellStale
    else {
      mismatchFor = .zero
      grossFor = .zero
      matchFor = .zero
      return
    }
    limit = quantised(parameters.cells * (Parameters.sumPerCell + Parameters.sumResistance * abs(amperes)))
    difference = quantised(pack > bounds.high ? pack - bounds.high : min(pack - bounds.low, 0))
    let deviation = abs(difference)
    matchFor = deviation <= limit ? matchFor + elapsed : .zero
    mismatchFor = deviation > limit ? mismatchFor + elapsed : .zero
    grossFor = deviation > 2 * limit ? grossFor + elapsed : .zero
    if mismatchFor >= Parameters.sumWarns { isMismatch = true }
    if grossFor >= Parameters.sumForbids {
      // More in the pack than in the cells: one may be higher than it says. Less: one may be lower.
      contradiction = difference > 0 ? .charge : .discharge
    }
    if matchFor >= Parameters.sumClears {
      isMismatch = false
      contradiction = nil
    }
  }

  // MARK: Changes of load

  @inline(__always)
  private mutating func watchSteps(
    _ judged: inout Judgement, _ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan
  ) {
    guard let pack = judged.voltage, let amperes = judged.current, elapsed < parameters.measurementStale else {
      voltageChanges.lose()
      currentChanges.lose()
      return
    }
    // The first value that differs ends it.
    if let since = stuckSince.current, current.changed > since { stuckSince.current = nil }
    if let since = stuckSince.voltage, voltage.changed > since { stuckSince.voltage = nil }
    if let event = voltageChanges.take(
      pack, beside: amperes, step: parameters.cells * Parameters.eventPerCell,
      outside: parameters.cells * Parameters.sumResistance, inside: judged.cellTotals(parameters), at: now)
    {
      noteSign(event, parameters)
      if let since = voltageChanges.mustHaveMovedSince {
        findStuck(inputs, since: since, at: now)
        if current.changed <= since { stuckSince.current = since }
      }
    }
    if currentChanges.take(amperes, beside: pack, step: parameters.capacity * Parameters.eventRate, at: now) != nil,
      let since = currentChanges.mustHaveMovedSince, voltage.changed <= since
    {
      stuckSince.voltage = since
    }
  }

  private mutating func noteSign(_ event: (change: Double, beside: Double), _ parameters: Parameters) {
    guard abs(event.beside) >= parameters.capacity * Parameters.signRate else { return }
    if (event.beside > 0) == (event.change > 0) {
      rightSigns = min(rightSigns + 1, Parameters.signEvents)
      wrongSigns = 0
    } else {
      wrongSigns = min(wrongSigns + 1, Parameters.signEvents)
      rightSigns = 0
    }
  }

  private mutating func findStuck(_ inputs: borrowing Inputs, since: Instant, at now: Instant) {
    let extremes = inputs.cellExtremes
    func isStuck(_ history: SampleHistory, _ measurement: Measurement) -> Bool {
      measurement.validity == .valid && measurement.age(at: now) < Parameters.eventHold && history.changed <= since
    }
    var place: CellPlace?
    var isStuckNow = false
    if isStuck(lowest, extremes.lowest) {
      isStuckNow = true
      place = extremes.lowestPlace
    } else if isStuck(highest, extremes.highest) {
      isStuckNow = true
      place = extremes.highestPlace
    } else if let unchanged = inputs.cells.firstUnchanged(since: since, at: now) {
      isStuckNow = true
      place = unchanged
    }
    isCellStuck = isStuckNow
    stuckPlace = place
    stuckSince.cells = isStuckNow ? since : nil
  }
}

extension Judgement {
  /// What shows that the cells moved; nil where cells and bank cannot be compared.
  @inline(__always)
  mutating func cellTotals(_ parameters: Parameters) -> CellTotals? {
    guard let bounds = packBounds(parameters), let lowest = lowestCell?.value, let highest = highestCell?.value else {
      return nil
    }
    return cellCount > 0
      ? CellTotals(sum: bounds.low, lowest: lowest, highest: highest)
      : CellTotals(sum: nil, lowest: bounds.low, highest: bounds.high)
  }

  /// Between which voltages the pack must be by what the cells say: their sum where every one is known, otherwise the
  /// lowest and the highest in place of all. Nil where cells and bank cannot be compared.
  @inline(__always)
  mutating func packBounds(_ parameters: Parameters) -> (low: Double, high: Double)? {
    guard cellState.isUsable else { return nil }
    if cellCount > 0 {
      // The usual bank, without a division.
      if Double(cellCount) == parameters.cells { return (cellSum, cellSum) }
      let strings = Double(cellCount) / parameters.cells
      guard strings >= 1, strings == strings.rounded() else { return nil }
      // Strings in parallel have one voltage: the mean of their sums is the pack.
      return (cellSum / strings, cellSum / strings)
    }
    guard let lowest = lowestCell?.value, let highest = highestCell?.value else { return nil }
    return (lowest * parameters.cells, highest * parameters.cells)
  }
}
