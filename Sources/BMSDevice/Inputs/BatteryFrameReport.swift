import BMSCore
import CANBus
import CANBusBMS
import MonotonicTime

// What a battery with a BMS of its own says of itself in 0x351 and 0x35A (dvcc-dbus.md section A). It tells the one bus
// that it is on, so it forbids here as it would forbid there.

struct BatteryFrameReport: Sendable {
  /// The limits of the newest 0x351.
  private(set) var limits: LimitsFrame?
  /// When 0x351 came the last time. Presence hangs on it (dvcc-dbus.md A.1).
  private(set) var limitsTaken: Instant?
  /// The alarms of the newest 0x35A. Warnings are the battery's own business.
  private(set) var conditions: BatteryConditions = []
  /// Whether 0x35A has a warning of a low voltage to give: the battery's pre-alarm (R18). Nil before the first.
  private(set) var hasPreAlarmSignal: Bool?
  /// What the newest 0x35A says of the cells.
  private(set) var balance = Balance.unknown

  /// Takes a frame; false when it is neither of the two.
  mutating func take(_ frame: CANDataFrame, at instant: Instant) -> Bool {
    if let limits = LimitsFrame(frame) {
      self.limits = limits
      limitsTaken = instant
      return true
    }
    guard let alarms = AlarmsFrame(frame) else { return false }
    hasPreAlarmSignal = alarms.hasWarning(of: .lowVoltage)
    balance =
      switch alarms[.cellImbalance] {
      case .alarm, .warning: .imbalance
      case .fine: .balanced
      case .unsupported: .unknown
      }
    conditions = []
    for condition in AlarmsFrame.Condition.allCases {
      switch alarms[condition] {
      case .alarm: conditions.formUnion(Self.meaning(of: condition))
      case .warning: if condition == .lowVoltage { conditions.insert(.preAlarm) }
      case .fine, .unsupported: break
      }
    }
    return true
  }

  /// What an alarm forbids. A general one comes beside one that says more, and cells that are apart forbid nothing.
  private static func meaning(of condition: AlarmsFrame.Condition) -> BatteryConditions {
    switch condition {
    case .highVoltage: .highCell
    case .lowVoltage: .lowCell
    case .highTemperature: .highTemperature
    case .lowTemperature, .lowChargeTemperature: .lowTemperature
    case .highChargeTemperature: .highChargeTemperature
    case .highDischargeCurrent: .highDischargeCurrent
    case .highChargeCurrent: .highChargeCurrent
    case .contactor, .shortCircuit, .internalFailure: .fault
    case .general, .cellImbalance: []
    }
  }
}
