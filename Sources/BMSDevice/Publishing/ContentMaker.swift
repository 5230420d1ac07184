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
  /// Whether there is a contactor to report on.
  let hasContactor: Bool
  /// Name, its second half, family, serial number, its second half. None but the name changes.
  private var texts: [CANDataFrame]
  private var capacity: Double
  /// Where relay and AUX are as their modules say.
  var seen = SeenContacts()
  /// What was charged and discharged since ever (R189).
  var energy = EnergyFrame(charged: 0, discharged: 0)
  /// What 0x2150 and 0x2152 to 0x2155 are now; empty where no Distributor is wired (R268).
  var distributors: [RegisterMessage] = []
  private let parts: WiredParts

  init(configuration: DeviceConfiguration) {
    batteryInstance = Int(configuration.batteryInstance)
    switchBankInstance = Int(configuration.switchBankInstance)
    capacity = configuration.settings[.batteryCapacity]
    parts = WiredParts(configuration)
    hasContactor = configuration.switches[.contactor] != nil
    texts = Self.name(configuration.identity.installationDescription1) + BatteryText(.family, "vecand").frames
    if !configuration.identity.serial.isEmpty {
      texts += BatteryText(.serial, configuration.identity.serial).frames
    }
  }

  /// Other settings.
  mutating func apply(_ settings: Settings) { capacity = settings[.batteryCapacity] }

  /// Another installation description: 0x370 says what 126998 says.
  mutating func describe(_ text: String) { texts.replaceSubrange(0..<2, with: Self.name(text)) }

  private static func name(_ text: String) -> [CANDataFrame] {
    BatteryText(.name, text.isEmpty ? "vecand" : text).frames
  }

  /// The content of a publication; nil when there is nothing that could honestly be sent.
  func content(of publication: Publication, _ outputs: Outputs, sequenceIdentifier: Int) -> Content? {
    if let register = publication.register {
      let message =
        OutputRegisters.message(register, outputs, parts, seen) ?? distributors.first { $0.id == register.id }
      return message.map(Content.register)
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
    case .cellsFrame: cellsFrame(outputs).map(Content.frame)
    case .modulesFrame: .frame(modulesFrame(outputs))
    case .lowestCellFrame: cellName(.lowestVoltage, outputs.lowestCell)
    case .highestCellFrame: cellName(.highestVoltage, outputs.highestCell)
    case .coldestCellFrame: cellName(.lowestTemperature, outputs.lowestTemperature)
    case .hottestCellFrame: cellName(.highestTemperature, outputs.highestTemperature)
    case .energyFrame: .frame(energy.frame)
    case .installedCapacityFrame: .frame(InstalledCapacityFrame(capacity: capacity).frame)
    case .nameFrame: text(0)
    case .secondNameFrame: text(1)
    case .familyFrame: text(2)
    case .serialFrame: text(3)
    case .secondSerialFrame: text(4)
    default: nil
    }
  }

  private func text(_ index: Int) -> Content? { texts.indices.contains(index) ? .frame(texts[index]) : nil }

  /// A cell is named where its source says which it is.
  private func cellName(_ extreme: CellNameFrame.Extreme, _ cell: PlacedValue?) -> Content? {
    cell?.place.map { .frame(CellNameFrame(extreme, name: "B\($0.battery)C\($0.cell)").frame) }
  }

  private func cellsFrame(_ outputs: Outputs) -> CANDataFrame? {
    guard let lowest = outputs.lowestCell?.value, let highest = outputs.highestCell?.value else { return nil }
    return CellsFrame(
      lowestVoltage: lowest, highestVoltage: highest, lowestTemperature: outputs.lowestTemperature?.value,
      highestTemperature: outputs.highestTemperature?.value
    ).frame
  }

  /// One module: this BMS. It is offline while its limits do not exist (R151).
  private func modulesFrame(_ outputs: Outputs) -> CANDataFrame {
    let isOnline = outputs.limits.isAvailable
    return ModulesFrame(
      online: isOnline ? 1 : 0, blockingCharge: isOnline && !outputs.chargeAllowed ? 1 : 0,
      blockingDischarge: isOnline && !outputs.dischargeAllowed ? 1 : 0, offline: isOnline ? 0 : 1
    ).frame
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

  /// 127513. The standard's types are flooded, gel and AGM: a lithium battery has none, and says so by its chemistry.
  func batteryConfiguration(_ settings: Settings) -> BatteryConfigurationStatus {
    var status = BatteryConfigurationStatus()
    status.instance = .value(batteryInstance)
    status.type = .notAvailable
    status.supportsEqualization = .value(false)
    // Codes 0 to 6 are 6, 12, 24, 32, 36, 42 and 48 V (nmea2000.md section 1.3).
    let codes: [Double: UInt32] = [12: 1, 24: 2, 48: 6]
    status.nominalVoltage = codes[settings[.nominalVoltage]].map { .value($0) } ?? .notAvailable
    status.chemistry = .value(1)
    status.capacity = .value(settings[.batteryCapacity])
    status.temperatureCoefficient = .notAvailable
    status.peukertExponent = .value(Settings.peukertExponent)
    status.chargeEfficiency = .value(Settings.chargeEfficiency * 100)
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
    bank[indicator: 5] = seen.relay ?? .value(outputs.relayActive)
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
    if hasContactor { frame[.contactor] = alarms.contains(.contactorError) ? .alarm : .fine }
    frame[.internalFailure] = alarms.hasLostData ? .alarm : alarms.hasLateData ? .warning : .fine
    return frame.frame
  }
}

extension AlarmSet {
  /// Inputs that are lost.
  static let lostData: AlarmSet = [
    .cellsLost, .cellsStuck, .cellsJump, .cellsContradictPack, .voltageLost, .currentLost, .temperatureLost,
    .batteryLost,
  ]
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
