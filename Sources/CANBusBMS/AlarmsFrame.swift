public import CANBus

/// 0x35A: alarms in bytes 0...3, warnings in bytes 4...7, two bits a condition (dvcc-dbus.md section A.3).
///
/// The upper and lower bit of a pair: 00 not supported, 01 active, 10 fine. Two public projects have it the other way
/// round and alarm for ever or never; SMA's tables and a BYD capture agree on this one.
public struct AlarmsFrame: Hashable, Sendable {
  /// The conditions, by the number of their bit pair.
  public enum Condition: Int, CaseIterable, Sendable {
    /// Any alarm; Victron does not show it.
    case general = 0
    /// Voltage high.
    case highVoltage = 1
    /// Voltage low.
    case lowVoltage = 2
    /// Temperature high.
    case highTemperature = 3
    /// Temperature low.
    case lowTemperature = 4
    /// Temperature too high to charge.
    case highChargeTemperature = 5
    /// Temperature too low to charge.
    case lowChargeTemperature = 6
    /// Discharge current high.
    case highDischargeCurrent = 7
    /// Charge current high.
    case highChargeCurrent = 8
    /// Contactor; Victron does not show it.
    case contactor = 9
    /// Short circuit; Victron does not show it.
    case shortCircuit = 10
    /// The BMS itself, or what it measures with, failed.
    case internalFailure = 11
    /// Cells apart.
    case cellImbalance = 12

    /// The condition, for people.
    public var name: String {
      switch self {
      case .general: "general"
      case .highVoltage: "high voltage"
      case .lowVoltage: "low voltage"
      case .highTemperature: "high temperature"
      case .lowTemperature: "low temperature"
      case .highChargeTemperature: "high charge temperature"
      case .lowChargeTemperature: "low charge temperature"
      case .highDischargeCurrent: "high discharge current"
      case .highChargeCurrent: "high charge current"
      case .contactor: "contactor"
      case .shortCircuit: "short circuit"
      case .internalFailure: "internal failure"
      case .cellImbalance: "cell imbalance"
      }
    }
  }

  /// What is said of a condition.
  public enum Level: Sendable {
    /// The BMS has no such function.
    case unsupported
    /// All is well.
    case fine
    /// A warning.
    case warning
    /// An alarm.
    case alarm
  }

  private var bits: UInt64 = 0

  /// A frame in which nothing is supported.
  public init() {}

  /// Reads a frame; nil for another identifier and for fewer than 8 bytes.
  public init?(_ frame: CANDataFrame) {
    guard frame.identifier == BatteryFrameID.alarms, frame.payload.count == 8 else { return nil }
    bits = frame.payload.bits
  }

  /// What the frame says of `condition`.
  public subscript(condition: Condition) -> Level {
    get {
      switch (pair(condition.rawValue), pair(condition.rawValue + 16)) {
      case (Self.active, _): .alarm
      case (_, Self.active): .warning
      case (Self.fine, _), (_, Self.fine): .fine
      default: .unsupported
      }
    }
    set {
      switch newValue {
      case .unsupported: set(condition.rawValue, alarm: 0, warning: 0)
      case .fine: set(condition.rawValue, alarm: Self.fine, warning: Self.fine)
      case .warning: set(condition.rawValue, alarm: Self.fine, warning: Self.active)
      case .alarm: set(condition.rawValue, alarm: Self.active, warning: Self.fine)
      }
    }
  }

  /// Whether the BMS has a warning of `condition` to give, active or not.
  public func hasWarning(of condition: Condition) -> Bool { pair(condition.rawValue + 16) != 0 }

  private static let active: UInt64 = 0b01
  private static let fine: UInt64 = 0b10

  private func pair(_ index: Int) -> UInt64 { bits >> UInt64(index * 2) & 3 }

  private mutating func set(_ index: Int, alarm: UInt64, warning: UInt64) {
    bits &= ~(UInt64(3) << UInt64(index * 2) | UInt64(3) << UInt64(index * 2 + 32))
    bits |= alarm << UInt64(index * 2) | warning << UInt64(index * 2 + 32)
  }

  /// The frame.
  public var frame: CANDataFrame { CANDataFrame(BatteryFrameID.alarms, CANPayload(littleEndian: bits, count: 8)) }
}
