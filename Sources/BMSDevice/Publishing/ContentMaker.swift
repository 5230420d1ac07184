import BMSCore
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import VECan

/// Turns the core's outputs into what is sent. A nil of the core becomes "not available" here and never a zero (R312).
struct ContentMaker {
  let batteryInstance: Int
  let switchBankInstance: Int
  private var capacity: Double

  init(configuration: DeviceConfiguration) {
    batteryInstance = Int(configuration.batteryInstance)
    switchBankInstance = Int(configuration.switchBankInstance)
    capacity = configuration.settings[.batteryCapacity]
  }

  /// Other settings.
  mutating func apply(_ settings: Settings) { capacity = settings[.batteryCapacity] }

  /// The content of a publication; nil when there is nothing that could honestly be sent.
  func content(of publication: Publication, _ outputs: Outputs, sequenceIdentifier: Int) -> Content? {
    if let register = publication.register {
      return OutputRegisters.message(register, outputs).map(Content.register)
    }
    return switch publication {
    case .batteryStatus: .status(batteryStatus(outputs, sequenceIdentifier))
    case .detailedStatus: .detailed(detailedStatus(outputs, sequenceIdentifier))
    case .switchBank: .bank(switchBank(outputs))
    case .limitsFrame: limitsFrame(outputs).map(Content.frame)
    case .stateOfChargeFrame: outputs.stateOfCharge.map { .frame(StateOfChargeFrame(stateOfCharge: $0).frame) }
    case .measurementsFrame: measurementsFrame(outputs).map(Content.frame)
    case .alarmsFrame: .frame(alarmsFrame(outputs))
    case .manufacturerFrame: .frame(ManufacturerFrame(name: "vecand").frame)
    case .productFrame: .frame(ProductFrame(product: 0, version: Version.pair, capacity: capacity).frame)
    default: nil
    }
  }

  private func batteryStatus(_ outputs: Outputs, _ sequenceIdentifier: Int) -> BatteryStatus {
    var status = BatteryStatus()
    status.instance = .value(batteryInstance)
    status.voltage = Reading(outputs.voltage)
    status.current = Reading(outputs.current)
    status.temperature = Reading(outputs.temperature.map { $0 + 273.15 })
    status.sequenceIdentifier = .value(sequenceIdentifier)
    return status
  }

  private func detailedStatus(_ outputs: Outputs, _ sequenceIdentifier: Int) -> DCDetailedStatus {
    var status = DCDetailedStatus()
    status.sequenceIdentifier = .value(sequenceIdentifier)
    status.instance = .value(batteryInstance)
    status.type = .value(.battery)
    status.stateOfCharge = Reading(outputs.stateOfCharge)
    // In whole minutes; a value above the field's range is not available (R313), not an error.
    status.timeRemaining = Reading(outputs.timeToGo.flatMap { $0 <= .minutes(65_532) ? $0 : nil })
    status.remainingCapacity = Reading(outputs.stateOfCharge.map { $0 / 100 * capacity })
    return status
  }

  /// R308: 1 contactor, 2 alarm, 3 voltage low, 4 voltage high, 5 relay; the rest not available.
  private func switchBank(_ outputs: Outputs) -> BinarySwitchBankStatus {
    var bank = BinarySwitchBankStatus()
    bank.instance = .value(switchBankInstance)
    bank[indicator: 1] = Reading(outputs.contactorClosed)
    bank[indicator: 2] = .value(outputs.alarms.hasAlarm)
    let knowsCells = outputs.lowestCell != nil
    bank[indicator: 3] = outputs.alarms.contains(.lowCell) ? .value(true) : knowsCells ? .value(false) : .notAvailable
    bank[indicator: 4] = outputs.alarms.contains(.highCell) ? .value(true) : knowsCells ? .value(false) : .notAvailable
    bank[indicator: 5] = .value(outputs.relayActive)
    return bank
  }

  private func limitsFrame(_ outputs: Outputs) -> CANDataFrame? {
    guard let chargeVoltage = outputs.limits.chargeVoltage else { return nil }
    return LimitsFrame(
      chargeVoltage: chargeVoltage, chargeCurrent: outputs.limits.chargeCurrent,
      dischargeCurrent: outputs.limits.dischargeCurrent, dischargeVoltage: outputs.limits.lowVoltage ?? 0
    ).frame
  }

  private func measurementsFrame(_ outputs: Outputs) -> CANDataFrame? {
    guard let voltage = outputs.voltage, let current = outputs.current else { return nil }
    return MeasurementsFrame(voltage: voltage, current: current, temperature: outputs.temperature).frame
  }

  private func alarmsFrame(_ outputs: Outputs) -> CANDataFrame {
    let alarms = outputs.alarms
    var frame = AlarmsFrame()
    frame[.general] = alarms.hasAlarm ? .alarm : .fine
    frame[.highVoltage] = alarms.contains(.highCell) ? .alarm : .fine
    frame[.lowVoltage] = alarms.contains(.lowCell) ? .alarm : alarms.contains(.preAlarm) ? .warning : .fine
    frame[.highChargeCurrent] =
      alarms.contains(.highChargeCurrent) ? .alarm : alarms.contains(.highChargeCurrentWarning) ? .warning : .fine
    frame[.highDischargeCurrent] =
      alarms.contains(.highDischargeCurrent) ? .alarm : alarms.contains(.highDischargeCurrentWarning) ? .warning : .fine
    frame[.highTemperature] = alarms.contains(.veryHighTemperature) ? .alarm : .fine
    frame[.highChargeTemperature] = alarms.contains(.highTemperature) ? .alarm : .fine
    frame[.lowChargeTemperature] = alarms.contains(.lowTemperature) ? .alarm : .fine
    frame[.internalFailure] = alarms.hasLostData ? .alarm : alarms.hasLateData ? .warning : .fine
    return frame.frame
  }
}

extension AlarmSet {
  /// Inputs that are lost.
  static let lostData: AlarmSet = [.cellsLost, .voltageLost, .currentLost, .temperatureLost]
  /// Inputs that come late.
  static let lateData: AlarmSet = [.cellsLate, .voltageLate, .currentLate, .temperatureLate]

  /// The level of a condition that some entries warn of and others report.
  func level(warning: AlarmSet, alarm: AlarmSet) -> AlarmLevel {
    !isDisjoint(with: alarm) ? .alarm : !isDisjoint(with: warning) ? .warning : .fine
  }

  var hasLostData: Bool { !isDisjoint(with: Self.lostData) }
  var hasLateData: Bool { !isDisjoint(with: Self.lateData) }
  /// Whether anything more serious than a warning is active.
  var hasAlarm: Bool { contains { $0.definition.severity > .warning } }
}
