public import MonotonicTime

// What the battery itself says: by its signal wires, for its thresholds live in it (R82), or by the frames of a BMS of
// its own. It comes on top of what is measured: it forbids and limits, and never allows. A battery that is wired to say
// something and says nothing is a battery whose cable is off (R99, R100).

/// Something that the battery reports of itself.
public struct BatteryConditions: OptionSet, Sendable, Hashable {
  /// The bits.
  public let rawValue: UInt16
  /// From the bits.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// A cell is low: nothing may be drawn.
  public static let lowCell = BatteryConditions(rawValue: 1 << 0)
  /// A cell is nearly low: loads will go.
  public static let preAlarm = BatteryConditions(rawValue: 1 << 1)
  /// A cell is high: nothing may be charged.
  public static let highCell = BatteryConditions(rawValue: 1 << 2)
  /// Too cold to charge.
  public static let lowTemperature = BatteryConditions(rawValue: 1 << 3)
  /// Too hot for anything.
  public static let highTemperature = BatteryConditions(rawValue: 1 << 4)
  /// Too hot to charge.
  public static let highChargeTemperature = BatteryConditions(rawValue: 1 << 5)
  /// Too much charge current.
  public static let highChargeCurrent = BatteryConditions(rawValue: 1 << 6)
  /// Too much discharge current.
  public static let highDischargeCurrent = BatteryConditions(rawValue: 1 << 7)
  /// The battery is faulty.
  public static let fault = BatteryConditions(rawValue: 1 << 8)
  /// Its signal cable is not there.
  public static let cableMissing = BatteryConditions(rawValue: 1 << 9)
  /// It accepts no charge: its own limit is zero.
  public static let acceptsNoCharge = BatteryConditions(rawValue: 1 << 10)
  /// It gives nothing: its own limit is zero.
  public static let givesNothing = BatteryConditions(rawValue: 1 << 11)
  /// Its cells are apart. Forbids nothing: what forbids is the cell that is high or low.
  public static let imbalance = BatteryConditions(rawValue: 1 << 12)

  /// Those that forbid charging. Low temperature does not forbid discharging (R113).
  static let stopCharge: BatteryConditions = [
    .highCell, .lowTemperature, .highTemperature, .highChargeTemperature, .highChargeCurrent, .fault, .cableMissing,
    .acceptsNoCharge,
  ]
  /// Those that forbid discharging.
  static let stopDischarge: BatteryConditions = [
    .lowCell, .highTemperature, .highDischargeCurrent, .fault, .cableMissing, .givesNothing,
  ]
  /// Those that are an alarm and have no name of their own: cells and temperatures have, whoever looked (R82).
  static let alarms: BatteryConditions = [.highChargeCurrent, .highDischargeCurrent, .fault]

  /// The words used in reasons.
  var text: String {
    let names: [(BatteryConditions, String)] = [
      (.lowCell, "low cell"), (.preAlarm, "pre-alarm"), (.highCell, "high cell"), (.lowTemperature, "too cold"),
      (.highTemperature, "too hot"), (.highChargeTemperature, "too hot to charge"),
      (.highChargeCurrent, "too much charge current"), (.highDischargeCurrent, "too much discharge current"),
      (.fault, "a fault of its own"), (.cableMissing, "no cable"), (.acceptsNoCharge, "it accepts no charge"),
      (.givesNothing, "it gives nothing"), (.imbalance, "cells apart"),
    ]
    return names.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
  }
}

/// Whether the cells are balanced, by the codes of register 0xEA15 (R349).
public enum Balance: UInt8, Sendable, Hashable {
  /// Nobody says.
  case unknown = 0
  /// The battery says that its cells are not apart.
  case balanced = 1
  /// The battery is at it. No message that is read here says so.
  case balancing = 2
  /// The battery says that its cells are apart.
  case imbalance = 3
}

/// What the battery reports of itself.
public struct BatteryReport: Sendable, Hashable {
  /// Whether anything is wired to report; without it all of this is empty and means nothing.
  public var isWired = false
  /// When the part of it that was heard the longest ago was heard; nil while a part never was.
  public var taken: Instant?
  /// What it reports.
  public var conditions: BatteryConditions = []
  /// Whether it has a pre-alarm to give (R18); nil when it does not say.
  public var hasPreAlarmSignal: Bool?
  /// Whether its cells are apart, as it says itself.
  public var balance = Balance.unknown
  /// The voltage up to which it wants to be charged, volts; nil when it says none.
  public var chargeVoltage: Double?
  /// The charge current that it takes, amperes; nil when it says none.
  public var chargeCurrent: Double?
  /// The discharge current that it gives, amperes; nil when it says none.
  public var dischargeCurrent: Double?

  /// Nothing is wired.
  public init() {}

  /// Nothing is wired and nothing is said.
  @inline(__always)
  var isEmpty: Bool {
    !isWired && taken == nil && conditions.isEmpty && hasPreAlarmSignal == nil && balance == .unknown
      && chargeVoltage == nil && chargeCurrent == nil && dischargeCurrent == nil
  }
}

/// A report after judging its age.
struct ReportedBattery: Sendable {
  private(set) var isLost = false
  private(set) var report = BatteryReport()
  /// It told of a low cell and has not told of its end: its silence ends nothing, nor does a restart (R51, R82).
  private(set) var isCellLow: Bool

  init(restoring snapshot: Snapshot?) { isCellLow = snapshot?.isLowCellReported ?? false }

  /// The battery tells nothing by itself.
  var isAtRest: Bool { report.isEmpty && !isLost && !isCellLow }

  /// - Parameter least: the voltage below which nothing is charged to, volts.
  @inline(__always)
  mutating func evaluate(_ newest: BatteryReport, at now: Instant, within age: TimeSpan, atLeast least: Double) {
    // The usual battery tells nothing by itself, and there is nothing to take over from it.
    if newest.isEmpty, report.isEmpty, !isCellLow { return }
    report = newest
    isLost = newest.isWired && !(newest.taken.map { ageOf($0, at: now) < age } ?? false)
    isCellLow = newest.isWired && (newest.conditions.contains(.lowCell) || isLost && isCellLow)
    if let volts = newest.chargeVoltage, !(volts >= least) {
      report.chargeVoltage = nil
      report.conditions.insert(.acceptsNoCharge)
    }
    if let limit = newest.chargeCurrent, limit <= 0 { report.conditions.insert(.acceptsNoCharge) }
    if let limit = newest.dischargeCurrent, limit <= 0 { report.conditions.insert(.givesNothing) }
    if newest.balance == .imbalance { report.conditions.insert(.imbalance) }
  }

  /// The conditions, while somebody tells them.
  var conditions: BatteryConditions { report.isWired ? report.conditions : [] }

  /// Up to what it wants to be charged, volts; infinite where it sets no limit. A wish to be charged to less than an empty
  /// battery has is one not to be charged; a CVL like that is never sent.
  var chargeVoltage: Double { report.chargeVoltage ?? .infinity }

  /// What it says of its cells, while it is heard (R349).
  var balance: Balance { report.isWired && !isLost ? report.balance : .unknown }

  func forbids(_ direction: CurrentDirection) -> Bool {
    guard report.isWired else { return false }
    let stops = direction == .charge ? BatteryConditions.stopCharge : BatteryConditions.stopDischarge
    return isLost || !report.conditions.isDisjoint(with: stops)
  }
}
