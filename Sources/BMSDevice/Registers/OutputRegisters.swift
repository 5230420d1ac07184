import BMSCore
import MonotonicTime
import NMEA2000
import VECan

/// What there is, so that what is not there is told as unsupported and not as fine.
struct WiredParts {
  let hasBMSTemperature: Bool
  let hasContactor: Bool
  let hasAuxiliary: Bool

  init(_ configuration: DeviceConfiguration) {
    hasBMSTemperature = configuration.bmsTemperature != nil
    hasContactor = configuration.switches[.contactor] != nil
    hasAuxiliary = configuration.switches[.auxiliary] != nil
  }
}

/// Where the contacts that follow no feedback input are, as their modules say (design rule 7). Nil where no module has the
/// contact: then it is what the core decided.
struct SeenContacts {
  var relay: Reading<Bool>?
  var auxiliary: Reading<Bool>?
}

/// Registers that follow from the core's decisions of this moment. A nil of the core is "not available", never a zero
/// (R312).
enum OutputRegisters {
  /// They, in no order.
  static let all: [Register] = [
    .deviceMode, .deviceState, .offReason, .warningReason, .alarmReason, .relayControl, .bmsFlagsOld, .cellVoltages,
    .cellTemperatures, .chargeVoltageLimit, .chargeCurrentLimit, .dischargeVoltageLimit, .dischargeCurrentLimit,
    .consumed, .consumedOld, .timeToGo, .stateOfCharge, .bmsFlags, .bmsError, .bmsState, .bmsConditions, .bmsContacts,
    .bmsWarnings, .bmsAlarms, .balancerStatus, .dischargeOffReason, .chargeOffReason, .allowToDischargeOffReason,
    .allowToChargeOffReason, .currentFine, .voltage, .power, .current, .temperature, .synchronised,
  ]

  /// The register's value; nil for one that does not follow from the outputs.
  static func message(
    _ register: Register, _ outputs: Outputs, _ parts: WiredParts, _ seen: SeenContacts
  ) -> RegisterMessage? {
    switch register {
    case .deviceMode: RegisterMessage(register, code: outputs.mode.rawValue)
    case .deviceState: RegisterMessage(register, code: deviceState(outputs))
    case .offReason: offReason(outputs)
    case .warningReason: reasons(register, outputs.alarms, level: .warning)
    case .alarmReason: reasons(register, outputs.alarms, level: .alarm)
    case .relayControl: RegisterMessage(register, code: isOn(seen.relay, outputs.relayActive).map { $0 ? 1 : 0 })

    case .cellVoltages:
      RegisterMessage(register, Reading(outputs.lowestCell?.value), Reading(outputs.highestCell?.value))
    case .cellTemperatures:
      RegisterMessage(
        register, kelvin(outputs.lowestTemperature?.value), kelvin(outputs.highestTemperature?.value))

    case .chargeVoltageLimit: RegisterMessage(register, Reading(outputs.limits.chargeVoltage))
    case .chargeCurrentLimit: RegisterMessage(register, current(outputs.limits.chargeCurrent, outputs))
    case .dischargeVoltageLimit: RegisterMessage(register, Reading(outputs.limits.lowVoltage))
    case .dischargeCurrentLimit: RegisterMessage(register, current(outputs.limits.dischargeCurrent, outputs))

    case .voltage: RegisterMessage(register, Reading(outputs.voltage))
    case .current, .currentFine: RegisterMessage(register, Reading(outputs.current))
    case .power: RegisterMessage(register, Reading(outputs.power))
    case .temperature: RegisterMessage(register, kelvin(outputs.temperature))
    case .stateOfCharge: RegisterMessage(register, Reading(outputs.stateOfCharge))
    case .consumed, .consumedOld: RegisterMessage(register, Reading(outputs.consumed))
    case .timeToGo: RegisterMessage(register, Reading(outputs.timeToGo.map(\.seconds)))
    case .synchronised: RegisterMessage(register, code: outputs.isStateOfChargeTrusted ? 1 : 0)

    case .bmsFlags: flags(register, outputs)
    case .bmsFlagsOld: flags(register, outputs)
    case .bmsError: RegisterMessage(register, code: error(outputs.alarms))
    case .bmsState: RegisterMessage(register, code: outputs.state.rawValue)
    case .bmsConditions: conditions(outputs, parts)
    case .bmsContacts: contacts(outputs, parts, seen)
    case .bmsWarnings: warnings(outputs, parts)
    case .bmsAlarms: alarms(outputs)
    case .balancerStatus: RegisterMessage(register, code: outputs.balance.rawValue)
    case .dischargeOffReason, .allowToDischargeOffReason: blocks(register, outputs.dischargeBlocks, outputs)
    case .chargeOffReason, .allowToChargeOffReason: blocks(register, outputs.chargeBlocks, outputs)
    default: nil
    }
  }

  /// A limit of current; not available while the BMS is not running (R151).
  private static func current(_ limit: Double, _ outputs: Outputs) -> Reading<Double> {
    outputs.limits.isAvailable ? .value(limit) : .notAvailable
  }

  private static func kelvin(_ celsius: Double?) -> Reading<Double> { Reading(celsius.map { $0 + 273.15 }) }

  // MARK: - Codes

  /// The charge phase (R346); that an error is "fault" and all but On is "off" is inferred from the names of the codes.
  private static func deviceState(_ outputs: Outputs) -> UInt8 {
    guard outputs.mode == .on, outputs.state != .shutdown else { return 0 }
    return outputs.state == .error ? 2 : outputs.chargePhase.rawValue
  }

  /// The number of the first error; alarms and warnings are blocked in 0x2101 (vecan.md section 2.6).
  private static func error(_ alarms: AlarmSet) -> UInt8 {
    for alarm in alarms where alarm.definition.severity == .error {
      if let number = alarm.definition.gxNumber { return UInt8(clamping: number) }
    }
    return 0
  }

  private static func offReason(_ outputs: Outputs) -> RegisterMessage {
    var message = RegisterMessage(.offReason)
    switch outputs.offCause {
    case .remote: message[OffReason.remoteInput] = true
    case .softSwitch, .softSwitchWhenEmpty: message[OffReason.softSwitch] = true
    case .lowCell, .lowStateOfCharge: message[OffReason.lowBattery] = true
    case .error: message[OffReason.internalReason] = true
    case nil: break
    }
    return message
  }

  // MARK: - Conditions

  /// A battery monitor's words for our alarms: cells stand for voltage.
  private static func reasons(_ register: Register, _ alarms: AlarmSet, level: AlarmLevel) -> RegisterMessage {
    var message = RegisterMessage(register)
    func set(_ reason: MonitorReason, warning: AlarmSet, alarm: AlarmSet) {
      if alarms.level(warning: warning, alarm: alarm) == level { message[reason] = true }
    }
    set(.lowVoltage, warning: [.preAlarm], alarm: [.lowCell])
    set(.highVoltage, warning: [], alarm: [.highCell])
    set(.lowStateOfCharge, warning: [.lowStateOfChargeWarning], alarm: [.lowStateOfCharge])
    set(.lowTemperature, warning: [.lowTemperature], alarm: [])
    set(.highTemperature, warning: [.highTemperature], alarm: [.veryHighTemperature])
    set(
      .overload, warning: [.highChargeCurrentWarning, .highDischargeCurrentWarning],
      alarm: [.highChargeCurrent, .highDischargeCurrent])
    set(.bmsCableFailure, warning: AlarmSet.lateData, alarm: AlarmSet.lostData)
    return message
  }

  /// 0x2100 and, as far as they go, 0x0370.
  private static func flags(_ register: Register, _ outputs: Outputs) -> RegisterMessage {
    let alarms = outputs.alarms
    var message = RegisterMessage(register)
    message[BMSFlag.discharged] = alarms.contains(.lowCell)
    message[BMSFlag.almostDischarged] = alarms.contains(.preAlarm)
    if let current = outputs.current {
      message[BMSFlag.charging] = current > 0
      message[BMSFlag.discharging] = current < 0
    }
    message[BMSFlag.relayDischarged] = !outputs.dischargeAllowed
    message[BMSFlag.relayCharged] = !outputs.chargeAllowed
    message[BMSFlag.overvoltageAlarm] = alarms.contains(.highCell)
    message[BMSFlag.undervoltageAlarm] = alarms.contains(.lowCell)
    message[BMSFlag.undervoltageWarning] = alarms.contains(.preAlarm)
    message[BMSFlag.chargeCurrentWarning] = alarms.contains(.highChargeCurrentWarning)
    message[BMSFlag.dischargeCurrentWarning] = alarms.contains(.highDischargeCurrentWarning)
    message[BMSFlag.overtemperatureAlarm] = alarms.contains(.veryHighTemperature)
    message[BMSFlag.overtemperatureWarning] = alarms.contains(.highTemperature)
    // ATC is off then: it has acted.
    message[BMSFlag.chargeUndertemperatureAlarm] = alarms.contains(.lowTemperature)
    message[BMSFlag.lowStateOfCharge] = alarms.contains(.lowStateOfChargeWarning) || alarms.contains(.lowStateOfCharge)
    guard register == .bmsFlags else { return message }
    message[BMSFlag.hardwareFailure] = alarms.contains(.hardware)
    message[BMSFlag.allowedToCharge] = outputs.chargeAllowed
    message[BMSFlag.allowedToDischarge] = outputs.dischargeAllowed
    message[BMSFlag.preAlarm] = alarms.contains(.preAlarm)
    message[BMSFlag.badContactorWarning] = alarms.contains(.badContact)
    message[BMSFlag.highCurrentAlarm] = alarms.contains(.highChargeCurrent) || alarms.contains(.highDischargeCurrent)
    return message
  }

  private static func conditions(_ outputs: Outputs, _ parts: WiredParts) -> RegisterMessage {
    let alarms = outputs.alarms
    var message = RegisterMessage(.bmsConditions)
    message[BMSCondition.lowCellVoltage] = alarms.level(warning: [.preAlarm], alarm: [.lowCell])
    message[BMSCondition.highCurrent] = alarms.level(
      warning: [.highChargeCurrentWarning, .highDischargeCurrentWarning],
      alarm: [.highChargeCurrent, .highDischargeCurrent])
    if parts.hasBMSTemperature {
      message[BMSCondition.highBMSTemperature] = alarms.level(warning: [.highBMSTemperature], alarm: [])
    }
    if parts.hasContactor {
      message[BMSCondition.contactorResistance] = alarms.level(warning: [.badContact], alarm: [])
    }
    message[BMSCondition.batteryCable] = alarms.level(warning: AlarmSet.lateData, alarm: AlarmSet.lostData)
    message[BMSCondition.loadDisconnect] = alarms.level(warning: [.loadWillDisconnect], alarm: [.loadDisconnected])
    message[BMSCondition.lowStateOfCharge] = alarms.level(
      warning: [.lowStateOfChargeWarning], alarm: [.lowStateOfCharge])
    message[BMSCondition.highTemperature] = alarms.level(warning: [.highTemperature], alarm: [.veryHighTemperature])
    return message
  }

  /// What is seen of a contact, nil where that says nothing; without a module what was decided.
  private static func isOn(_ seen: Reading<Bool>?, _ decided: Bool) -> Bool? { seen.map(\.value) ?? decided }

  private static func contacts(_ outputs: Outputs, _ parts: WiredParts, _ seen: SeenContacts) -> RegisterMessage {
    var message = RegisterMessage(.bmsContacts)
    message[BMSContact.contactor] = ContactState(outputs.contactorClosed)
    message[BMSContact.allowToCharge] = ContactState(outputs.chargeAllowed)
    message[BMSContact.allowToDischarge] = ContactState(outputs.dischargeAllowed)
    message[BMSContact.relay] = ContactState(isOn(seen.relay, outputs.relayActive))
    if parts.hasAuxiliary { message[BMSContact.auxiliary] = ContactState(isOn(seen.auxiliary, outputs.auxiliary)) }
    return message
  }

  private static func warnings(_ outputs: Outputs, _ parts: WiredParts) -> RegisterMessage {
    let alarms = outputs.alarms
    var message = RegisterMessage(.bmsWarnings)
    message[BMSWarning.highCellOrLowTemperature] = ContactState(alarms.contains(.lowTemperature))
    message[BMSWarning.lowCellVoltage] = ContactState(alarms.contains(.preAlarm))
    message[BMSWarning.highChargeCurrent] = ContactState(alarms.contains(.highChargeCurrentWarning))
    if parts.hasBMSTemperature {
      message[BMSWarning.highBMSTemperature] = ContactState(alarms.contains(.highBMSTemperature))
    }
    if parts.hasContactor { message[BMSWarning.contactorResistance] = ContactState(alarms.contains(.badContact)) }
    message[BMSWarning.highDischargeCurrent] = ContactState(alarms.contains(.highDischargeCurrentWarning))
    return message
  }

  private static func alarms(_ outputs: Outputs) -> RegisterMessage {
    let alarms = outputs.alarms
    var message = RegisterMessage(.bmsAlarms)
    message[BMSAlarm.highCellOrLowTemperature] = ContactState(alarms.contains(.highCell))
    message[BMSAlarm.lowCellVoltage] = ContactState(alarms.contains(.lowCell))
    message[BMSAlarm.preAlarm] = ContactState(alarms.contains(.preAlarm))
    message[BMSAlarm.highCurrent] = ContactState(
      alarms.contains(.highChargeCurrent) || alarms.contains(.highDischargeCurrent))
    message[BMSAlarm.batteryCable] = ContactState(alarms.hasLostData)
    return message
  }

  /// Which of Victron's reasons stands for which of our causes is inferred from their names.
  private static func blocks(_ register: Register, _ blocks: Blocks, _ outputs: Outputs) -> RegisterMessage {
    var message = RegisterMessage(register)
    message[BlockReason.battery] = !blocks.isDisjoint(with: [.lowCell, .lowTemperature, .dischargeFloor, .battery])
    message[BlockReason.highTemperature] = blocks.contains(.highTemperature)
    message[BlockReason.highBatteryVoltage] = blocks.contains(.highCell)
    message[BlockReason.overload] = blocks.contains(.overcurrent)
    message[BlockReason.internalReason] = !blocks.isDisjoint(
      with: [.shutdown, .settings, .data, .voltageWindow, .contradiction, .contactor])
    guard blocks.contains(.mode) else { return message }
    switch outputs.offCause {
    case .remote: message[BlockReason.remoteInput] = true
    case .lowCell, .lowStateOfCharge: message[BlockReason.battery] = true
    case .error: message[BlockReason.internalReason] = true
    case .softSwitch, .softSwitchWhenEmpty, nil: message[BlockReason.softSwitch] = true
    }
    return message
  }
}
