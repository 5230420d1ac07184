import BMSCore
import BMSDevice
import CANBus
import ControlAPI
import MonotonicTime

// What the engine tells, in the words of the control socket.

extension StatusReport {
  init(_ snapshot: EngineSnapshot) {
    self.init()
    let device = snapshot.device
    let status = device.status
    let outputs = status.outputs
    mode = OperatingMode(outputs.mode)
    offCause = outputs.offCause.map { "\($0)" }
    offInSeconds = outputs.offIn?.seconds
    state = "\(outputs.state)"
    stateNumber = Int(outputs.state.rawValue)
    chargePhase = outputs.chargePhase.text
    stateOfCharge = outputs.stateOfCharge.map {
      StateOfChargeReport(
        percent: $0.rounded(to: 2), isTrusted: outputs.isStateOfChargeTrusted,
        errorPercent: outputs.stateOfChargeError?.rounded(to: 2), ageSeconds: outputs.stateOfChargeAge?.seconds)
    }
    consumedAmpereHours = outputs.consumed?.rounded(to: 2)
    timeToGoSeconds = Self.timeToGo(outputs)
    voltageVolts = outputs.voltage?.rounded(to: 3)
    currentAmperes = outputs.current?.rounded(to: 3)
    powerWatts = outputs.power?.rounded(to: 1)
    temperatureCelsius = outputs.temperature?.rounded(to: 2)
    lowestCell = outputs.lowestCell.map(CellReport.init)
    highestCell = outputs.highestCell.map(CellReport.init)
    lowestTemperature = outputs.lowestTemperature.map(TemperatureReport.init)
    highestTemperature = outputs.highestTemperature.map(TemperatureReport.init)
    limits = LimitsReport(outputs)
    contacts = ContactsReport(status)
    alarms = AlarmsReport(device).alarms
    link = snapshot.link.word
    address = status.address.map(Int.init)
    name = "\(status.name)"
    roles = RoleReport.all(device.explanation, device.fuseNames)
    isControlEnabled = device.settings[.remoteControl] != 0
    version = Version.text
    uptimeSeconds = (status.instant - device.started).seconds.rounded(to: 3)
    problems = Self.problems(snapshot, alarms, roles)
    isAllRight = problems.isEmpty
  }

  /// Nil at the cap, which a GX is sent and which is no measurement (R174).
  static func timeToGo(_ outputs: Outputs) -> Double? {
    outputs.timeToGo.flatMap { $0 < Outputs.longestTimeToGo ? $0.seconds : nil }
  }

  /// What an operator should know of, the most serious first. What forbids is told by its alarm where it has one.
  private static func problems(_ snapshot: EngineSnapshot, _ alarms: [AlarmReport], _ roles: [RoleReport]) -> [String] {
    let status = snapshot.device.status
    let outputs = status.outputs
    var problems: [String] = []
    if !snapshot.link.carriesFrames {
      problems.append("the bus carries no frames: its interface is \(snapshot.link.word)")
    } else if status.address == nil, !status.isSilent {
      problems.append("no address on the bus yet: nothing but the claim is sent")
    }
    if let link = snapshot.batteryLink, !link.carriesFrames {
      problems.append("the battery's bus carries no frames: its interface is \(link.word)")
    }
    problems += alarms.map {
      "\($0.code) \($0.message)\($0.cause.map { " (\($0))" } ?? ""): \($0.effect). \($0.advice)"
    }
    if outputs.mode != .on { problems.append("the mode is \(OperatingMode(outputs.mode).rawValue)") }
    if outputs.mode == .on {
      if !outputs.chargeAllowed { problems.append("charge forbidden: \(outputs.chargeReason)") }
      if !outputs.dischargeAllowed { problems.append("discharge forbidden: \(outputs.dischargeReason)") }
    }
    problems += roles.filter { !$0.isAllRight }.map { "\($0.role): \($0.text)" }
    return problems
  }
}

extension OperatingMode {
  init(_ mode: Mode) {
    switch mode {
    case .on: self = .on
    case .standby: self = .standby
    case .off: self = .off
    }
  }

  /// As the core calls it.
  var mode: Mode {
    switch self {
    case .on: .on
    case .standby: .standby
    case .off: .off
    }
  }
}

extension ModeRequesterName {
  /// As the core calls it.
  var requester: ModeRequester {
    switch self {
    case .app: .app
    case .gx: .gx
    }
  }
}

extension LinkState {
  /// As a word that does not change.
  var word: String {
    switch self {
    case .absent: "absent"
    case .down: "down"
    case .up: "up"
    case .errorPassive: "error-passive"
    case .busOff: "bus-off"
    }
  }
}

extension CellReport {
  init(_ placed: PlacedValue) { self.init(volts: placed.value.rounded(to: 3), place: placed.place?.description) }
}

extension TemperatureReport {
  init(_ placed: PlacedValue) { self.init(celsius: placed.value.rounded(to: 2), place: placed.place?.description) }
}

extension LimitsReport {
  init(_ outputs: Outputs) {
    self.init()
    let limits = outputs.limits
    isChargeAllowed = outputs.chargeAllowed
    isDischargeAllowed = outputs.dischargeAllowed
    chargeReason = "\(outputs.chargeReason)"
    dischargeReason = "\(outputs.dischargeReason)"
    chargeVoltageVolts = limits.chargeVoltage?.rounded(to: 3)
    chargeVoltageReason = "\(outputs.chargeVoltageReason)"
    chargeCurrentAmperes = limits.isAvailable ? limits.chargeCurrent.rounded(to: 3) : nil
    chargeCurrentReason = "\(outputs.chargeCurrentReason)"
    dischargeCurrentAmperes = limits.isAvailable ? limits.dischargeCurrent.rounded(to: 3) : nil
    dischargeCurrentReason = "\(outputs.dischargeCurrentReason)"
    lowVoltageVolts = limits.lowVoltage?.rounded(to: 3)
  }
}

extension ContactsReport {
  init(_ status: DeviceStatus) {
    self.init()
    let outputs = status.outputs
    hasContactor = status.switches[.contactor] != nil
    isContactorCommanded = outputs.contactorCommand
    isContactorClosed = outputs.contactorClosed
    contactorPhase = "\(outputs.contactorPhase)"
    contactorFault = outputs.contactorFault.map { "\($0)" }
    isPrechargeCommanded = outputs.prechargeCommand
    isRelayActive = outputs.relayActive
    isAuxiliaryOn = outputs.auxiliary
  }
}

extension AlarmsReport {
  init(_ device: DeviceReport) {
    self.init(
      alarms: device.explanation.alarms.map { alarm, record in
        let row = alarm.definition
        return AlarmReport(
          code: row.code, gxNumber: row.gxNumber, severity: "\(row.severity)",
          message: device.fuseNames.message(of: alarm), cause: record.cause.map { "\($0)" }, effect: row.effect,
          clearedWhen: row.clearedWhen, advice: row.advice,
          sinceSeconds: record.firstSeen.map { (device.status.instant - $0).seconds.rounded(to: 3) },
          count: record.count)
      })
  }
}

extension RoleReport {
  static func all(_ explanation: DeviceExplanation, _ names: FuseNames) -> [RoleReport] {
    let words = EventText(fuseNames: names)
    let senders = explanation.senders.map { role, state in
      let isHeard = if case .heard = state { true } else { false }
      return RoleReport(role: role.key, isAllRight: isHeard, text: words.text(of: state))
    }
    let switches = explanation.switches.compactMap { role, state -> RoleReport? in
      guard let text = words.text(of: state) else { return nil }
      let follows = if case .follows = state { true } else { false }
      return RoleReport(role: role.key, isAllRight: follows, text: text)
    }
    return senders + switches
  }
}

extension ExplanationsReport {
  init(_ device: DeviceReport) {
    self.init(
      explanations: device.explanation.explanations.map {
        ExplanationReport(
          output: $0.subject.path, name: $0.subject.name, value: $0.value, text: $0.text, rule: "\($0.reason.rule)",
          input: $0.reason.input?.name, alarm: $0.alarm?.definition.code,
          sinceSeconds: (device.status.instant - $0.reason.since).seconds.rounded(to: 3))
      })
  }
}

extension Explained {
  /// In a path and on a command line: words with hyphens.
  var path: String {
    switch self {
    case .charge: "charge"
    case .discharge: "discharge"
    case .chargeVoltage: "charge-voltage"
    case .chargeCurrent: "charge-current"
    case .dischargeCurrent: "discharge-current"
    case .mode: "mode"
    case .state: "state"
    case .contactor: "contactor"
    case .precharge: "precharge"
    case .relay: "relay"
    case .auxiliary: "auxiliary"
    case .statusLED: "status-led"
    case .channelLED: "bluetooth-led"
    }
  }
}

extension HistoryReport {
  init(_ device: DeviceReport) {
    self.init()
    let history = device.history
    runningSeconds = history.runningSeconds.rounded(to: 1)
    deepestDischargeAmpereHours = history.deepestDischarge?.rounded(to: 2)
    lastDischargeAmpereHours = history.lastDischarge?.rounded(to: 2)
    averageDischargeAmpereHours = history.averageDischarge?.rounded(to: 2)
    chargeCycles = history.chargeCycles
    fullDischarges = history.fullDischarges
    drawnAmpereHours = history.drawnAmpereHours.rounded(to: 3)
    lowestVoltageVolts = history.lowestVoltage?.rounded(to: 3)
    highestVoltageVolts = history.highestVoltage?.rounded(to: 3)
    lowestCellVolts = history.lowestCell?.rounded(to: 3)
    highestCellVolts = history.highestCell?.rounded(to: 3)
    lowestTemperatureCelsius = history.lowestTemperature?.rounded(to: 2)
    highestTemperatureCelsius = history.highestTemperature?.rounded(to: 2)
    synchronisations = history.synchronisations
    dischargedKilowattHours = history.dischargedEnergy.rounded(to: 4)
    chargedKilowattHours = history.chargedEnergy.rounded(to: 4)
    secondsSinceFullCharge = device.secondsSinceFullCharge?.rounded(to: 1)
    errorShutdowns = history.errorShutdowns
    lastErrors = history.lastErrors.map {
      ErrorEntryReport(
        code: $0.code, gxNumber: $0.gxNumber, ageSeconds: (history.runningSeconds - $0.at).rounded(to: 1))
    }
  }
}

extension SettingsReport {
  init(_ device: DeviceReport) {
    self.init(settings: Setting.allCases.map { SettingReport($0, device) })
  }
}

extension SettingReport {
  init(_ setting: Setting, _ device: DeviceReport) {
    let row = setting.definition
    let (value, configured) = (device.settings[setting], device.configuredSettings[setting])
    // The daemon's default, which differs from the core's where the bus is slower than the core would like.
    let standard = DeviceConfiguration.standardSettings[setting]
    self.init(
      key: row.key, unit: row.unit.rawValue, value: value,
      setBy: value != configured ? .changed : configured != standard ? .configuration : .standard,
      configured: configured, waiting: device.waitingSettings[row.key], standard: standard,
      lowest: row.range.lowerBound, highest: row.range.upperBound,
      choices: row.choices, isWhole: row.isWhole, isShown: !device.hiddenSettings.contains(setting),
      source: row.source)
  }
}

extension FusesReport {
  init(_ device: DeviceReport) {
    self.init(
      distributors: ["A", "B", "C", "D"].enumerated().map { index, letter in
        DistributorReport(
          distributor: letter, state: "\(device.distributors[index])",
          fuses: (index * 4..<index * 4 + 4).map {
            FuseReport(fuse: $0 + 1, name: device.fuseNames.names[$0], state: "\(device.fuses[$0])")
          })
      })
  }
}

extension CheckReport {
  init(_ device: DeviceReport) {
    self.init(
      items: device.explanation.checks.map {
        CheckItemReport(item: "\($0.item)", verdict: "\($0.verdict)", finding: $0.finding, advice: $0.advice)
      })
  }
}

extension Double {
  /// Rounded to so many decimals: what a measurement or a sum has beyond them is noise of binary fractions.
  func rounded(to decimals: Int) -> Double {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    return magnitude < 1e12 ? (self * scale).rounded() / scale : self
  }
}
