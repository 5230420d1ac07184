public import MonotonicTime

// What the core knows of the outside: a value, when it was taken, and what the newest report about it said.
// Missing, stale, out of range and zero are four different things from here to the published output (design rule 3).

/// What the newest report about a measured quantity said.
public enum Validity: UInt8, Sendable, Hashable {
  /// Nothing is configured to feed this role. Distinct from a source that fell silent.
  case unassigned
  /// A source is configured, but it has not reported yet.
  case waiting
  /// The newest report carried a usable value.
  case valid
  /// The source reported "not available".
  case notAvailable
  /// The source reported a fault of its own sensor.
  case sensorError
  /// The source reported a value that its role cannot have, or not a number.
  case outOfRange
}

/// A measured quantity: the last good value, when it was taken, and what the newest report said.
///
/// A bad report does not erase the last good value, it only ages it: whoever uses the value asks for its age first.
public struct Measurement: Sendable, Hashable {
  /// What the newest report said.
  public private(set) var validity: Validity
  /// When the last good value was taken; meaningful only when ``lastGood`` is not nil.
  public private(set) var taken: Instant
  private var storage: Double

  private init(validity: Validity) {
    self.validity = validity
    taken = .origin
    storage = .nan
  }

  /// A role that nothing feeds.
  public static let unassigned = Measurement(validity: .unassigned)

  /// A role whose source has not reported yet.
  public static let waiting = Measurement(validity: .waiting)

  /// A good value. Not a number and infinity become ``Validity/outOfRange``.
  public init(_ value: Double, at taken: Instant) {
    self.init(validity: .waiting)
    report(value, at: taken)
  }

  /// The last good value of any age, or nil when there was none yet.
  public var lastGood: Double? { storage.isNaN ? nil : storage }

  /// Takes in a value. Not a number and infinity are kept out and reported as ``Validity/outOfRange``.
  public mutating func report(_ value: Double, at taken: Instant) {
    guard value.isFinite, abs(value) < 1e9 else {
      validity = .outOfRange
      return
    }
    validity = .valid
    storage = quantised(value)
    self.taken = taken
  }

  /// Takes in a report that carries no value: `notAvailable`, `sensorError`, `outOfRange`. The last good value ages on.
  public mutating func report(_ validity: Validity) {
    guard validity != .valid else { return }
    self.validity = validity
    if validity == .unassigned || validity == .waiting { storage = .nan }
  }

  /// The last good value while the newest report is good and no older than `age`.
  func value(at now: Instant, within age: TimeSpan) -> Double? {
    validity == .valid && self.age(at: now) <= age ? lastGood : nil
  }

  /// The last good value while the newest report is good, it is younger than `age` and it can be true.
  @inline(__always)
  func usable(_ range: ClosedRange<Double>, at now: Instant, within age: TimeSpan) -> Double? {
    guard validity == .valid, let value = lastGood, range.contains(value), self.age(at: now) < age else { return nil }
    return value
  }

  /// Its source says nothing, good or bad; a source that reports its own fault is heard.
  func isSilent(at now: Instant, within limit: TimeSpan) -> Bool {
    validity == .waiting || validity == .valid && age(at: now) >= limit
  }

  /// How old the last good value is; ``TimeSpan/never`` when there is none or it claims to be from the future.
  @inline(__always)
  public func age(at now: Instant) -> TimeSpan {
    storage.isNaN ? .never : ageOf(taken, at: now)
  }
}

/// The age of a sample. A sample more than a second ahead of the clock is a fault of the caller's time base: it counts
/// as never taken, because it would otherwise stay fresh for as long as it is wrong.
@inline(__always)
func ageOf(_ taken: Instant, at now: Instant) -> TimeSpan {
  let age = now - taken
  if age >= .zero { return age }
  return age < .seconds(-1) ? .never : .zero
}

/// Rounds to millionths, so that 280 * 0.01 from a bus field is the same number as 2.8 from the manual and every
/// comparison at a threshold is exact. A millionth is finer than any field's resolution.
///
/// Adding 1.5 * 2^52 leaves no room for a fraction: it rounds as the processor does, without the call into the system's
/// library that `rounded()` is, more than twenty times for each second of a bank.
func quantised(_ value: Double) -> Double { (value * 1e6 + 0x1.8p52 - 0x1.8p52) / 1e6 }

/// Where a cell sits, as its source numbers it. Whether register 0x0381 counts from 0 or from 1 is stated nowhere
/// (vecan.md 2.6), so both fit and the number that people read is the one on the bus.
public struct CellPlace: Sendable, Hashable, CustomStringConvertible {
  /// One number for both: places are compared and looked up for each report of a cell, and shown now and then.
  private let number: UInt16

  /// The battery, 0 to 20: at most 20 batteries on one BMS (R3).
  public var battery: UInt8 { UInt8(truncatingIfNeeded: index / (CellPlace.lastCell + 1)) }
  /// The cell in that battery, 0 to 16.
  public var cell: UInt8 { UInt8(truncatingIfNeeded: index % (CellPlace.lastCell + 1)) }

  /// The highest number of a battery.
  public static let lastBattery = 20
  /// The highest number of a cell.
  public static let lastCell = 16
  /// How many places there are.
  static let count = (lastBattery + 1) * (lastCell + 1)

  /// A place, or nil when a number is outside 0...20 or 0...16.
  public init?(battery: Int, cell: Int) {
    guard 0...CellPlace.lastBattery ~= battery, 0...CellPlace.lastCell ~= cell else { return nil }
    self.init(index: battery * (CellPlace.lastCell + 1) + cell)
  }

  init(index: Int) { number = UInt16(truncatingIfNeeded: index) }

  var index: Int { Int(number) }

  /// "battery 2 cell 3".
  public var description: String { "battery \(battery) cell \(cell)" }
}
