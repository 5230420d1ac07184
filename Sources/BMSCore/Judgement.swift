import MonotonicTime

// Which inputs may be decided on. Every role is judged in every step; a value that is not usable does not leave here,
// except that a dangerous cell or temperature that is still fresh counts although its neighbours are lost.

/// What is wrong with a role, and where.
struct RoleState: Sendable {
  var fault = InputFault.none
  /// Age of the oldest value the role depends on.
  var age = TimeSpan.zero
  var place: CellPlace?

  @inline(__always)
  var isUsable: Bool { fault.isUsable }

  /// Takes the worse of both, so that one bad cell speaks for all.
  @inline(__always)
  mutating func worsen(_ other: InputFault, age otherAge: TimeSpan, place otherPlace: CellPlace?) {
    age = max(age, otherAge)
    if other.weight > fault.weight {
      fault = other
      place = otherPlace
    }
  }
}

extension InputFault {
  fileprivate var weight: Int {
    switch self {
    case .none: 0
    case .late: 1
    case .notAvailable: 2
    case .stale: 3
    case .incomplete: 4
    case .neverSeen: 5
    case .unassigned: 6
    case .sensorError: 7
    case .outOfRange: 8
    case .jump: 9
    case .stuck: 10
    }
  }
}

/// A step's inputs after judging.
///
/// Not copyable: it is 220 bytes that nearly every part of a step looks at, and no call may copy them unnoticed.
struct Judgement: ~Copyable, Sendable {
  var voltage: Double?
  var current: Double?
  var lowestCell: PlacedValue?
  var highestCell: PlacedValue?
  var temperature: Double?
  var lowestTemperature: PlacedValue?
  var highestTemperature: PlacedValue?

  /// Sum and number of the cells of a complete table; 0 cells where there is none.
  var cellSum = 0.0
  var cellCount = 0

  var voltageState = RoleState()
  var currentState = RoleState()
  var cellState = RoleState()
  var temperatureState = RoleState()

  /// What is known of a role; of one that is not judged, that nothing is wrong.
  func state(of role: InputRole) -> RoleState {
    switch role {
    case .batteryVoltage: voltageState
    case .current: currentState
    case .cells: cellState
    case .temperature: temperatureState
    case .stateOfCharge, .command, .setting, .contactor, .distributor: RoleState()
    }
  }

  init(_ inputs: borrowing Inputs, _ parameters: Parameters, at now: Instant) {
    let late = parameters.measurementLate
    let stale = parameters.measurementStale
    voltageState = judge(inputs.batteryVoltage, Plausible.batteryVoltage, late, stale, now)
    if voltageState.isUsable { voltage = inputs.batteryVoltage.lastGood }
    currentState = judge(inputs.current, Plausible.current, late, stale, now)
    if currentState.isUsable, let measured = inputs.current.lastGood {
      current = parameters.currentReversed ? -measured : measured
    }
    judgeCells(inputs, parameters, now)
    judgeTemperatures(inputs, parameters, now)
  }

  @inline(__always)
  private mutating func judgeCells(_ inputs: borrowing Inputs, _ parameters: Parameters, _ now: Instant) {
    let hasExtremes = inputs.cellExtremes.isAssigned
    let hasTable = inputs.cells.expectedCount > 0
    guard hasExtremes || hasTable else {
      cellState = RoleState(fault: .unassigned, age: .never)
      return
    }
    if hasExtremes {
      let extremes = inputs.cellExtremes
      let low = judge(
        extremes.lowest, Plausible.cellVoltage, parameters.cellLate, parameters.cellStale, now,
        place: extremes.lowestPlace)
      let high = judge(
        extremes.highest, Plausible.cellVoltage, parameters.cellLate, parameters.cellStale, now,
        place: extremes.highestPlace)
      cellState.worsen(low.fault, age: low.age, place: low.place)
      cellState.worsen(high.fault, age: high.age, place: high.place)
      if low.isUsable, high.isUsable, let lowest = extremes.lowest.lastGood,
        let highest = extremes.highest.lastGood, lowest > highest
      {
        cellState.worsen(.outOfRange, age: low.age, place: nil)  // swapped or torn: neither can be believed
      }
      if low.isUsable, let value = extremes.lowest.lastGood {
        noteCell(PlacedValue(value: value, place: extremes.lowestPlace))
      }
      if high.isUsable, let value = extremes.highest.lastGood {
        let highest = PlacedValue(value: value, place: extremes.highestPlace)
        noteCell(highest)
        // At the voltage of the lowest it has a place of its own.
        if value == highestCell?.value { highestCell = highest }
      }
    }
    if hasTable {
      judgeTable(inputs.cells, parameters, now)
    } else if !inputs.cells.entries.isEmpty {
      noteFresh(inputs.cells, parameters, now)
    }
  }

  /// Single cells beside extremes that speak for all: a fresh one counts, a silent one says nothing.
  private mutating func noteFresh(_ cells: borrowing CellTable, _ parameters: Parameters, _ now: Instant) {
    for index in cells.entries.indices {
      let entry = cells.entries[index]
      guard entry.validity == .valid, ageOf(entry.taken, at: now) < parameters.cellStale else { continue }
      noteCell(PlacedValue(value: entry.value, place: entry.place))
    }
  }

  @inline(__always)
  private mutating func judgeTable(_ cells: borrowing CellTable, _ parameters: Parameters, _ now: Instant) {
    cellCount = cells.entries.count
    if !judgeGood(cells, parameters, now) { judgeEach(cells, parameters, now) }
    if cellCount < cells.expectedCount {
      cellState.worsen(cellCount == 0 ? .neverSeen : .incomplete, age: .never, place: nil)
    }
  }

  /// The usual case: every cell is valid and the oldest is fresh. False when it is not so, and nothing is noted then.
  @inline(__always)
  private mutating func judgeGood(_ cells: borrowing CellTable, _ parameters: Parameters, _ now: Instant) -> Bool {
    guard let all = cells.summary else { return false }
    let age = ageOf(all.oldest, at: now)
    let fresh = min(parameters.cellLate, parameters.cellStale)
    // The newest may be from the future, which counts as never taken.
    guard age < fresh, ageOf(all.newest, at: now) < fresh else { return false }
    cellState.age = max(cellState.age, age)
    noteCell(all.lowest)
    noteCell(all.highest)
    cellSum = all.sum
    return true
  }

  private mutating func judgeEach(_ cells: borrowing CellTable, _ parameters: Parameters, _ now: Instant) {
    for entry in cells.entries {
      let age = entry.value.isNaN ? TimeSpan.never : ageOf(entry.taken, at: now)
      let fault = judgeReport(entry.validity, age, parameters.cellLate, parameters.cellStale)
      if fault != .none {
        cellState.worsen(fault, age: age, place: entry.place)
      } else {
        cellState.age = max(cellState.age, age)
      }
      guard fault.isUsable else { continue }
      noteCell(PlacedValue(value: entry.value, place: entry.place))
      cellSum += entry.value
    }
  }

  @inline(__always)
  private mutating func noteCell(_ cell: PlacedValue) {
    if cell.value < lowestCell?.value ?? .infinity { lowestCell = cell }
    if cell.value > highestCell?.value ?? -.infinity { highestCell = cell }
  }

  @inline(__always)
  private mutating func judgeTemperatures(_ inputs: borrowing Inputs, _ parameters: Parameters, _ now: Instant) {
    var isAssigned = false
    // Temperature moves slowly: it has the cells' limits, not those of current and voltage.
    func take(_ measurement: Measurement, _ place: CellPlace?, into state: inout RoleState) -> PlacedValue? {
      guard measurement.validity != .unassigned else { return nil }
      isAssigned = true
      let judged = judge(
        measurement, Plausible.temperature, parameters.cellLate, parameters.cellStale, now, place: place)
      state.worsen(judged.fault, age: judged.age, place: place)
      guard judged.isUsable, let value = measurement.lastGood else { return nil }
      return PlacedValue(value: value, place: place)
    }
    var state = RoleState()
    let battery = take(inputs.batteryTemperature, nil, into: &state)
    noteTemperature(battery)
    guard inputs.temperatureExtremes.isAssigned else {
      temperature = battery?.value
      temperatureState = isAssigned ? state : RoleState(fault: .unassigned, age: .never)
      return
    }
    let extremes = inputs.temperatureExtremes
    let low = take(extremes.lowest, extremes.lowestPlace, into: &state)
    let high = take(extremes.highest, extremes.highestPlace, into: &state)
    noteTemperature(low)
    noteTemperature(high)
    temperature = battery?.value ?? high?.value ?? low?.value
    temperatureState = state
  }

  @inline(__always)
  private mutating func noteTemperature(_ placed: PlacedValue?) {
    guard let placed else { return }
    if placed.value < lowestTemperature?.value ?? .infinity { lowestTemperature = placed }
    if placed.value > highestTemperature?.value ?? -.infinity { highestTemperature = placed }
  }
}

private func judge(
  _ measurement: Measurement, _ range: ClosedRange<Double>, _ late: TimeSpan, _ stale: TimeSpan, _ now: Instant,
  place: CellPlace? = nil
) -> RoleState {
  let age = measurement.age(at: now)
  // Also when the newest report is "not available": the value that would be used is judged.
  if let value = measurement.lastGood, !range.contains(value) {
    return RoleState(fault: .outOfRange, age: age, place: place)
  }
  return RoleState(fault: judgeReport(measurement.validity, age, late, stale), age: age, place: place)
}

/// A silent source and one that says "not available" are given the same time; a source that says something impossible
/// is given none.
private func judgeReport(_ validity: Validity, _ age: TimeSpan, _ late: TimeSpan, _ stale: TimeSpan) -> InputFault {
  switch validity {
  case .unassigned: .unassigned
  case .waiting: .neverSeen
  case .outOfRange: .outOfRange
  case .sensorError: .sensorError
  case .notAvailable: age >= stale ? .notAvailable : age >= late ? .late : .none
  case .valid: age >= stale ? .stale : age >= late ? .late : .none
  }
}
