import BMSCore
import MonotonicTime

// What the plant's sensors delivered, and when: kept beside the core under test, and without its judgement, so that
// a core that keeps values too long, or judges them wrongly, cannot fool who checks it.

/// One delivered quantity.
struct DeliveredValue: Sendable {
  /// The last value; nil before the first.
  var value: Double?
  var taken = Instant.origin
  /// The last value cannot be true.
  var isImplausible = false

  mutating func take(_ new: Double?, at now: Instant, within range: ClosedRange<Double>) {
    guard let new else { return }
    isImplausible = !range.contains(new)
    guard !isImplausible else { return }
    value = new
    taken = now
  }

  /// The time since the last value that could be true.
  func age(at now: Instant) -> TimeSpan { value == nil ? .never : now - taken }
}

/// Everything that was delivered to the BMS of a loop since it started.
struct Delivered: Sendable {
  var battery = DeliveredValue()
  var system = DeliveredValue()
  var current = DeliveredValue()
  /// The temperature of the first battery.
  var firstTemperature = DeliveredValue()
  /// The lowest and the highest of several batteries.
  var lowestTemperature = DeliveredValue()
  var highestTemperature = DeliveredValue()
  /// In this step.
  var newCurrent: Double?
  var newBattery: Double?
  /// The lowest and the highest cell that were delivered in this step.
  var newLowestCell: Double?
  var newHighestCell: Double?
  /// The same of the last value of each cell, whenever it was; nil before each was delivered once.
  var lowestCell: Double?
  var highestCell: Double?
  /// The age of the oldest cell.
  var cellAge = TimeSpan.never
  var isCellImplausible = false

  private var cells: [Double]
  private var taken: [Instant]
  private var isKnown: [Bool]
  private var implausible: [Bool]

  /// design.md section 2, 3: what a quantity can be (R7, R12, R82).
  private static let bank = 0.0...75.0
  private static let amperes = -2400.0...2400.0
  private static let cell = 0.0...5.0
  private static let celsius = -50.0...120.0

  init(cells count: Int) {
    cells = Array(repeating: 0, count: count)
    taken = Array(repeating: .origin, count: count)
    isKnown = Array(repeating: false, count: count)
    implausible = isKnown
  }

  /// A new run of the BMS knows nothing of what the last one saw.
  mutating func forget() { self = Delivered(cells: cells.count) }

  mutating func take(_ loop: ClosedLoop) {
    let now = loop.now
    let reading = loop.plant.reading
    newBattery = reading.batteryVoltage
    newCurrent = reading.current
    battery.take(reading.batteryVoltage, at: now, within: Delivered.bank)
    current.take(reading.current, at: now, within: Delivered.amperes)
    if loop.sensing.systemVoltage { system.take(reading.systemVoltage, at: now, within: Delivered.bank) }
    takeCells(loop, at: now)
    if loop.sensing.temperatures { takeTemperatures(loop, at: now) }
  }

  private mutating func takeCells(_ loop: ClosedLoop, at now: Instant) {
    var (low, high) = (Double.infinity, -Double.infinity)
    var count = 0
    for index in cells.indices {
      guard let volts = loop.plant.cellReadings[index], Delivered.cell.contains(volts) else { continue }
      low = min(low, volts)
      high = max(high, volts)
      count += 1
    }
    let isComplete = count == cells.count
    newLowestCell = nil
    newHighestCell = nil
    if isComplete {
      // The usual case costs nothing but the walk above.
      (newLowestCell, newHighestCell) = (low, high)
      (lowestCell, highestCell) = (low, high)
      cellAge = .zero
      isCellImplausible = false
      if !loop.sensing.isEachCellTold || count == 0 { return note(all: now) }
      for index in cells.indices { cells[index] = loop.plant.cellReadings[index] ?? 0 }
      return note(all: now)
    }
    guard loop.sensing.isEachCellTold else { return takeExtremes(loop, at: now) }
    if count > 0 { (newLowestCell, newHighestCell) = (low, high) }
    for index in cells.indices {
      guard let volts = loop.plant.cellReadings[index] else { continue }
      implausible[index] = !Delivered.cell.contains(volts)
      guard !implausible[index] else { continue }
      cells[index] = volts
      taken[index] = now
      isKnown[index] = true
    }
    cellAge = .zero
    isCellImplausible = implausible.contains(true)
    (lowestCell, highestCell) = (nil, nil)
    (low, high) = (.infinity, -.infinity)
    for index in cells.indices {
      guard isKnown[index] else {
        cellAge = .never
        return
      }
      cellAge = max(cellAge, now - taken[index])
      low = min(low, cells[index])
      high = max(high, cells[index])
    }
    (lowestCell, highestCell) = (low, high)
  }

  /// Who tells the extremes only tells them while it sees all cells; one of the two may be impossible.
  private mutating func takeExtremes(_ loop: ClosedLoop, at now: Instant) {
    var (low, high) = (Double.infinity, -Double.infinity)
    for index in cells.indices {
      guard let volts = loop.plant.cellReadings[index] else {
        cellAge = isKnown.first == true ? now - taken[0] : .never
        return
      }
      low = min(low, volts)
      high = max(high, volts)
    }
    isCellImplausible = true
    newLowestCell = Delivered.cell.contains(low) ? low : Delivered.cell.contains(high) ? high : nil
    newHighestCell = Delivered.cell.contains(high) ? high : Delivered.cell.contains(low) ? low : nil
    (lowestCell, highestCell) = (newLowestCell, newHighestCell)
    cellAge = .zero
  }

  private mutating func note(all now: Instant) {
    for index in taken.indices {
      taken[index] = now
      isKnown[index] = true
      implausible[index] = false
    }
  }

  private mutating func takeTemperatures(_ loop: ClosedLoop, at now: Instant) {
    firstTemperature.take(loop.plant.temperature(ofBattery: 0), at: now, within: Delivered.celsius)
    let count = loop.plant.bank.batteryCount
    guard count > 1 else { return }
    var (low, high) = (Double.infinity, -Double.infinity)
    for index in 0..<count {
      guard let celsius = loop.plant.temperature(ofBattery: index) else { return }
      low = min(low, celsius)
      high = max(high, celsius)
    }
    lowestTemperature.take(low, at: now, within: Delivered.celsius)
    highestTemperature.take(high, at: now, within: Delivered.celsius)
  }

  /// Whether temperatures are told and one of them is older than this, or cannot be true.
  func isTemperatureLost(_ stale: TimeSpan, isSeveral: Bool, at now: Instant) -> Bool {
    func isLost(_ value: DeliveredValue) -> Bool { value.isImplausible || value.age(at: now) >= stale }
    return isLost(firstTemperature) || isSeveral && (isLost(lowestTemperature) || isLost(highestTemperature))
  }

  /// The coldest that is told.
  var coldest: Double? {
    guard let first = firstTemperature.value else { return lowestTemperature.value }
    return min(first, lowestTemperature.value ?? first)
  }

  /// The hottest that is told.
  var hottest: Double? {
    guard let first = firstTemperature.value else { return highestTemperature.value }
    return max(first, highestTemperature.value ?? first)
  }
}
