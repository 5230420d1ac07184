public import MonotonicTime

// Everything the core is told, by role. Where a role comes from (a PGN, a register, a simulator) is not known here.

/// The lowest and the highest of a quantity over all cells, as a source that reports only extremes gives them
/// (register 0x0385 for voltage, 0x0386 for temperature).
public struct Extremes: Sendable, Hashable {
  /// The lowest of all.
  public var lowest: Measurement
  /// The highest of all.
  public var highest: Measurement
  /// Where the lowest sits, when the source says so.
  public var lowestPlace: CellPlace?
  /// Where the highest sits, when the source says so.
  public var highestPlace: CellPlace?

  /// Extremes from two measurements; by default nothing feeds them.
  public init(
    lowest: Measurement = .unassigned, highest: Measurement = .unassigned,
    lowestPlace: CellPlace? = nil, highestPlace: CellPlace? = nil
  ) {
    self.lowest = lowest
    self.highest = highest
    self.lowestPlace = lowestPlace
    self.highestPlace = highestPlace
  }

  /// Whether a source is configured.
  @inline(__always)
  var isAssigned: Bool { lowest.validity != .unassigned || highest.validity != .unassigned }
}

/// Single cell voltages, each with its own age: up to 20 batteries of 16 cells.
///
/// One silent cell among many is stale although the others are fresh. The storage is allocated once, at the first
/// report, and changed in place from then on as long as nobody keeps a copy. It is not inline: a table of 5 kB by value
/// made every pass of ``Inputs`` a copy, and the copies took two thirds of a step.
public struct CellTable: Sendable {
  /// What is known of one cell.
  struct Entry: Sendable {
    var value = Double.nan
    var taken = Instant.origin
    /// When it took on this value.
    var changed = Instant.origin
    var validity = Validity.waiting
    let place: CellPlace

    /// Takes in a good value; whether it differs from the one before by more than a cell can change.
    @inline(__always)
    mutating func take(_ new: Double, at instant: Instant) -> Bool {
      let hasJumped = abs(new - value) > Parameters.cellJump && instant - taken <= Parameters.jumpWindow
      if new != value { changed = instant }
      value = new
      taken = instant
      validity = .valid
      return hasJumped
    }
  }

  /// How many cells must report; fewer than that is "incomplete" and forbids. With 0 none must: single cells that are
  /// reported beside extremes count while they are fresh, and their silence means nothing.
  public var expectedCount: Int

  /// What is known of all cells at once.
  struct Summary: Sendable {
    let lowest: PlacedValue
    let highest: PlacedValue
    let sum: Double
    /// When the first and the last of them were taken.
    let oldest: Instant
    let newest: Instant

    fileprivate static let none = Summary(
      lowest: PlacedValue(value: .nan, place: nil), highest: PlacedValue(value: .nan, place: nil), sum: 0,
      oldest: .origin, newest: .origin)
  }

  /// The last report that differs from the one before by more than a cell can change.
  var lastJump: (at: Instant, place: CellPlace)?
  /// The cells that ever reported, in the order of their places: a step walks over these and no others.
  private(set) var entries: [Entry] = []
  /// For each possible place the number of its entry, or ``absent``. Empty until the first report.
  private var slots: [UInt16] = []
  private static let absent = UInt16.max
  /// What the newest report said of all cells at once.
  private var told = Summary.none
  /// Whether nothing was reported since.
  private var isTold = false

  /// An empty table that waits for `expectedCount` cells.
  public init(expectedCount: Int = 0) {
    self.expectedCount = min(max(expectedCount, 0), CellPlace.count)
  }

  /// How many cells have ever reported.
  public var reportedCount: Int { entries.count }

  /// Takes in one cell voltage. Values no cell can have (R82: hard range 0...5 V) and not a number are kept out.
  public mutating func report(_ volts: Double, of place: CellPlace, at instant: Instant) {
    isTold = false
    let slot = slot(of: place)
    guard let value = CellTable.plausible(volts) else {
      entries[slot].validity = .outOfRange
      return
    }
    if entries[slot].take(value, at: instant) { lastJump = (instant, place) }
  }

  /// Takes in what one source says of many cells at one instant; nil is a cell that it says nothing of.
  ///
  /// The same as one report after the other, in two thirds of the time: that nobody else holds the table is looked at
  /// once, and what all cells together are is known when the last is taken in, so that a step need not walk over them.
  public mutating func report(_ volts: [Double?], of places: [CellPlace], at instant: Instant) {
    isTold = false
    let count = min(volts.count, places.count)
    var next = 0
    if count == entries.count, count > 0 {
      next = CellTable.reportAll(volts, of: places, at: instant, &entries, &lastJump, &told)
      isTold = next == count
    }
    while next < count {
      if let volts = volts[next] { report(volts, of: places[next], at: instant) }
      next += 1
    }
  }

  /// Takes in the reports, as many as there are entries, as long as they are good and in the order of the entries. How many
  /// that are; when it is all of them, also what they are together.
  private static func reportAll(
    _ volts: [Double?], of places: [CellPlace], at instant: Instant, _ entries: inout [Entry],
    _ lastJump: inout (at: Instant, place: CellPlace)?, _ all: inout Summary
  ) -> Int {
    let volts = volts.span
    let places = places.span
    var entries = entries.mutableSpan
    let count = entries.count
    var (lowest, highest, sum) = (Double.infinity, -Double.infinity, 0.0)
    var (lowestAt, highestAt) = (0, 0)
    var at = 0
    while at < count {
      guard let reported = volts[at], let value = plausible(reported), entries[unchecked: at].place == places[at] else {
        return at
      }
      if entries[unchecked: at].take(value, at: instant) { lastJump = (instant, places[at]) }
      sum += value
      lowestAt = value < lowest ? at : lowestAt
      lowest = lowestAt == at ? value : lowest
      highestAt = value > highest ? at : highestAt
      highest = highestAt == at ? value : highest
      at += 1
    }
    all = Summary(
      lowest: PlacedValue(value: lowest, place: places[lowestAt]),
      highest: PlacedValue(value: highest, place: places[highestAt]), sum: sum, oldest: instant, newest: instant)
    return count
  }

  /// The voltage as it is kept; nil when no cell can have it.
  @inline(__always)
  private static func plausible(_ volts: Double) -> Double? {
    // Not a number and infinity are in no range.
    let value = quantised(volts)
    return Plausible.cellVoltage.contains(value) ? value : nil
  }

  /// Takes in a report without a value about one cell.
  public mutating func report(_ newest: Validity, of place: CellPlace) {
    guard newest == .notAvailable || newest == .sensorError || newest == .outOfRange else { return }
    isTold = false
    entries[slot(of: place)].validity = newest
  }

  /// Forgets every cell, for example when the source changes.
  public mutating func removeAll() { self = CellTable(expectedCount: expectedCount) }

  /// The newest state of one cell.
  public subscript(_ place: CellPlace) -> Measurement {
    guard expectedCount > 0 else { return .unassigned }
    var measurement = Measurement.waiting
    guard !slots.isEmpty, slots[place.index] != CellTable.absent else { return measurement }
    let entry = entries[Int(slots[place.index])]
    if !entry.value.isNaN { measurement.report(entry.value, at: entry.taken) }
    if entry.validity != .waiting { measurement.report(entry.validity) }
    return measurement
  }

  /// The first cell that goes on reporting and has not changed since.
  func firstUnchanged(since: Instant, at now: Instant) -> CellPlace? {
    for entry in entries {
      guard entry.validity == .valid, ageOf(entry.taken, at: now) < Parameters.eventHold else { continue }
      if entry.changed <= since { return entry.place }
    }
    return nil
  }

  /// What all cells together are, where every one's newest report is good; nil where one's is not.
  ///
  /// Sixteen cells in every step are most of what a step judges. Nothing but a bad cell leaves the walk over them.
  @inline(__always)
  var summary: Summary? {
    if isTold { return told }
    let entries = entries.span
    guard entries.count > 0 else { return nil }
    var (lowest, highest, sum) = (Double.infinity, -Double.infinity, 0.0)
    var (lowestAt, highestAt) = (0, 0)
    var (oldest, newest) = (Instant(nanoseconds: .max), Instant(nanoseconds: .min))
    var at = 0
    while at < entries.count {
      let entry = entries[unchecked: at]
      guard entry.validity == .valid else { return nil }
      oldest = min(oldest, entry.taken)
      newest = max(newest, entry.taken)
      sum += entry.value
      lowestAt = entry.value < lowest ? at : lowestAt
      lowest = lowestAt == at ? entry.value : lowest
      highestAt = entry.value > highest ? at : highestAt
      highest = highestAt == at ? entry.value : highest
      at += 1
    }
    return Summary(
      lowest: PlacedValue(value: lowest, place: entries[lowestAt].place),
      highest: PlacedValue(value: highest, place: entries[highestAt].place), sum: sum, oldest: oldest, newest: newest)
  }

  /// Where the entry of a place is; it is made at the place's first report.
  @inline(__always)
  private mutating func slot(of place: CellPlace) -> Int {
    let index = place.index
    guard index < slots.count, slots[index] != CellTable.absent else { return makeEntry(index) }
    return Int(slots[index])
  }

  private mutating func makeEntry(_ index: Int) -> Int {
    if slots.isEmpty { slots = Array(repeating: CellTable.absent, count: CellPlace.count) }
    let new = entries.firstIndex { $0.place.index > index } ?? entries.count
    entries.insert(Entry(place: CellPlace(index: index)), at: new)
    for moved in new..<entries.count { slots[entries[moved].place.index] = UInt16(moved) }
    return new
  }
}

/// What a contact says of itself: the state is what feedback says, never what was asked for (design rule 7).
public struct ContactFeedback: Sendable, Hashable {
  /// What the newest report said; `valid` when `isClosed` holds.
  public var validity: Validity
  /// Whether the contact is closed, when `validity` is valid.
  public var isClosed: Bool
  /// When that was reported.
  public var taken: Instant

  /// A report.
  public init(isClosed: Bool, at taken: Instant) {
    validity = .valid
    self.isClosed = isClosed
    self.taken = taken
  }

  private init(validity: Validity) {
    self.validity = validity
    isClosed = false
    taken = .origin
  }

  /// Nothing feeds this role.
  public static let unassigned = ContactFeedback(validity: .unassigned)
  /// A source is configured, but it has not reported yet.
  public static let waiting = ContactFeedback(validity: .waiting)
}

/// One moment's view of the outside.
///
/// Keep one and change it in place.
public struct Inputs: Sendable {
  /// Battery side voltage, volts.
  public var batteryVoltage = Measurement.unassigned
  /// Battery current, amperes, charge positive.
  public var current = Measurement.unassigned
  /// Battery temperature, degrees Celsius.
  public var batteryTemperature = Measurement.unassigned
  /// State of charge as an outside monitor reports it, percent. Counting begins from it when nothing else is known;
  /// it is not trusted, so that it stops no load, and later reports change nothing.
  public var reportedStateOfCharge = Measurement.unassigned
  /// Lowest and highest cell voltage, volts.
  public var cellExtremes = Extremes()
  /// Lowest and highest cell temperature, degrees Celsius.
  public var temperatureExtremes = Extremes()
  /// Single cell voltages, volts.
  public var cells = CellTable()
  /// What the contactor says of itself.
  public var contactorFeedback = ContactFeedback.unassigned
  /// What the second contactor of a model 1000 says of itself (R77).
  public var secondContactorFeedback = ContactFeedback.unassigned
  /// What the pre-charge switch says of itself. Where it is wired, a pre-charge begins when it is closed and not when it
  /// was commanded: what lies between is the way over the bus.
  public var prechargeFeedback = ContactFeedback.unassigned
  /// The busbar's thermal switch, closed while it is below 130 °C (R72).
  public var thermalSwitch = ContactFeedback.unassigned
  /// The other busbar's thermal switch.
  public var secondThermalSwitch = ContactFeedback.unassigned
  /// Whether the group lets this BMS join; true for a BMS alone.
  public var mayJoin = true
  /// Voltage on the system side of the contactor, volts.
  public var systemVoltage = Measurement.unassigned
  /// The Lynx Distributors A to D (R257).
  public var distributors = InlineArray<4, DistributorReport>(repeating: DistributorReport())
  /// Temperature of the BMS itself, degrees Celsius (R115).
  public var bmsTemperature = Measurement.unassigned
  /// Whether each of the BMS's two fans turns; closed while it does (R116).
  public var fan = ContactFeedback.unassigned
  /// The other fan.
  public var secondFan = ContactFeedback.unassigned
  /// Whether the BMS's own supply is good; closed while it is (R78).
  public var internalSupply = ContactFeedback.unassigned
  /// The lowest and the highest low cell setting that the batteries report, volts; nil where they report none (R96).
  public var batteryLowCellSettings: ClosedRange<Double>?
  /// Whether the control channel is enabled (R209).
  public var isControlEnabled = true
  /// Whether a client is connected to it (R210).
  public var hasControlClient = false
  /// The stored settings were damaged: nothing is allowed on guessed ones (R29).
  public var areSettingsLost = false
  /// What a restart must find cannot be written.
  public var isStateNotStored = false
  /// The stored calibration was damaged (R30).
  public var isCalibrationLost = false
  /// The program is being updated (R28).
  public var isUpdating = false
  /// An update has failed and nobody has begun it again: 120 s later everything opens (R25).
  public var isUpdateFailing = false
  /// The remote on/off terminals.
  public var remote = RemoteTerminals()
  /// What the battery says of itself.
  public var battery = BatteryReport()
  /// What is wrong with the wiring of roles.
  public var wiringFaults = WiringFaults()
  /// The program is about to leave: limits are withdrawn and everything is forbidden.
  public var shutdown = false

  /// Inputs that nothing feeds yet.
  public init() {}
}

/// What the core judges on: each role is required or not, and has its own limits.
public enum InputRole: UInt8, Sendable, Hashable, CaseIterable {
  /// Battery side voltage.
  case batteryVoltage
  /// Battery current.
  case current
  /// Cell voltages, single or extremes.
  case cells
  /// Battery or cell temperatures.
  case temperature
  /// The state of charge that the battery monitor counts.
  case stateOfCharge
  /// An operator or the program itself.
  case command
  /// A setting.
  case setting
  /// The contactor and its pre-charge.
  case contactor
  /// A Lynx Distributor.
  case distributor

  /// The word used in reasons.
  public var name: String {
    switch self {
    case .batteryVoltage: "battery voltage"
    case .current: "battery current"
    case .cells: "cell voltages"
    case .temperature: "battery temperature"
    case .stateOfCharge: "state of charge"
    case .command: "command"
    case .setting: "setting"
    case .contactor: "contactor"
    case .distributor: "Distributor"
    }
  }
}

/// What is wrong with an input.
public enum InputFault: UInt8, Sendable, Hashable {
  /// Nothing.
  case none
  /// Older than the warning limit, not yet forbidden.
  case late
  /// Older than the limit that forbids.
  case stale
  /// A source is configured but never reported.
  case neverSeen
  /// Fewer cells than expected ever reported.
  case incomplete
  /// No source is configured.
  case unassigned
  /// The source says "not available" for longer than the limit.
  case notAvailable
  /// The source reports a fault of its sensor.
  case sensorError
  /// The value cannot be true.
  case outOfRange
  /// The value does not change although it must have.
  case stuck
  /// The value changed faster than it can.
  case jump

  /// Whether the input may still be decided on.
  @inline(__always)
  public var isUsable: Bool { self == .none || self == .late }

  /// The words used in reasons.
  public var text: String {
    switch self {
    case .none: "good"
    case .late: "late"
    case .stale: "stale"
    case .neverSeen: "not received yet"
    case .incomplete: "incomplete"
    case .unassigned: "without a source"
    case .notAvailable: "not available"
    case .sensorError: "reported faulty by their sensor"
    case .outOfRange: "out of range"
    case .stuck: "stuck: unchanged over three changes of load"
    case .jump: "changed faster than they can"
    }
  }
}

/// What a quantity can be at all. Outside of it a number is a fault of its source, not a measurement.
enum Plausible {
  /// R7: the input survives 75 V; R31: a negative voltage is reverse polarity, never a bank.
  static let batteryVoltage = 0.0...75.0
  /// Twice the peak of the largest model (R5).
  static let current = -2400.0...2400.0
  /// A lithium cell outside of this is not a cell any more, or not measured.
  static let cellVoltage = 0.0...5.0
  /// R12 and the data sheet's ranges, with room on both sides.
  static let temperature = -50.0...120.0
}
