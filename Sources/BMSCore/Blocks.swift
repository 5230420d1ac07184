// What forbids charging and discharging. One row for each cause: when it holds, and its reason. The order of the cases
// is the order in which they are named as the reason when several hold at once.

/// A cause that forbids charging or discharging.
public enum Block: UInt8, Sendable, Hashable, CaseIterable {
  /// Leaving.
  case shutdown
  /// Standby or Off (R119).
  case mode
  /// The settings were lost (R29).
  case settings
  /// An update failed and was not repeated (R25).
  case update
  /// The BMS's own supply is bad (R78).
  case supply
  /// A required input is missing, stale or impossible.
  case data
  /// The battery voltage is in no window of the bank that is set (area L).
  case voltageWindow
  /// The cells contradict the battery voltage, so that a cell may be hidden.
  case contradiction
  /// The contactor is not closed, or about to open.
  case contactor
  /// High cell.
  case highCell
  /// Low cell.
  case lowCell
  /// Low temperature.
  case lowTemperature
  /// High temperature.
  case highTemperature
  /// Overcurrent in that direction.
  case overcurrent
  /// Discharge floor.
  case dischargeFloor
  /// The battery itself (R82, R99).
  case battery
}

/// What forbids charging or discharging, all causes at once.
public struct Blocks: OptionSet, Sendable, Hashable {
  /// One bit for each ``Block``, by its raw value.
  public let rawValue: UInt16
  /// From the bits.
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// From one cause.
  public init(_ block: Block) { rawValue = 1 << UInt16(block.rawValue) }

  /// Leaving.
  public static let shutdown = Blocks(.shutdown)
  /// Standby or Off.
  public static let mode = Blocks(.mode)
  /// The settings were lost.
  public static let settings = Blocks(.settings)
  /// An update failed and was not repeated.
  public static let update = Blocks(.update)
  /// The BMS's own supply is bad.
  public static let supply = Blocks(.supply)
  /// A required input is missing, stale or impossible.
  public static let data = Blocks(.data)
  /// The battery voltage is in no window of the bank that is set.
  public static let voltageWindow = Blocks(.voltageWindow)
  /// The cells contradict the battery voltage.
  public static let contradiction = Blocks(.contradiction)
  /// The contactor is not closed, or about to open.
  public static let contactor = Blocks(.contactor)
  /// High cell.
  public static let highCell = Blocks(.highCell)
  /// Low cell.
  public static let lowCell = Blocks(.lowCell)
  /// Low temperature.
  public static let lowTemperature = Blocks(.lowTemperature)
  /// High temperature.
  public static let highTemperature = Blocks(.highTemperature)
  /// Overcurrent in that direction.
  public static let overcurrent = Blocks(.overcurrent)
  /// Discharge floor.
  public static let dischargeFloor = Blocks(.dischargeFloor)
  /// The battery itself.
  public static let battery = Blocks(.battery)

  /// The cause that is named first; nil when there is none.
  public var first: Block? {
    isEmpty ? nil : Block(rawValue: UInt8(truncatingIfNeeded: rawValue.trailingZeroBitCount))
  }
}

extension BMS {
  /// Everything that forbids charging and discharging now.
  @inline(__always)
  mutating func blocks(
    isDataLost: Bool, isShutdown: Bool, areSettingsLost: Bool
  ) -> (charge: Blocks, discharge: Blocks) {
    func note(_ block: Block, _ holds: Bool, in blocks: inout Blocks) { if holds { blocks.insert(Blocks(block)) } }
    var both: Blocks = []
    note(.shutdown, isShutdown, in: &both)
    note(.mode, modes.mode != .on, in: &both)
    note(.settings, areSettingsLost, in: &both)
    note(.update, hasUpdateFailed, in: &both)
    note(.supply, isSupplyBad, in: &both)
    note(.data, isDataLost, in: &both)
    note(.voltageWindow, window.verdict != .inside, in: &both)
    // R72: with nothing to open, a hot busbar is at least given no current by those who obey.
    note(.contactor, isBusbarHot && wiring.contactors == .none || isContactorUnseen || contactor.isDoomed, in: &both)

    var charge = both
    note(.contradiction, plausibility.contradiction == .charge, in: &charge)
    note(.contactor, modes.mode == .on && !contactor.allowsCharge, in: &charge)
    note(.overcurrent, overcurrent.charge.isOpen, in: &charge)
    note(.battery, reported.forbids(.charge), in: &charge)
    note(.highCell, protection.highCell, in: &charge)
    note(.lowTemperature, protection.lowTemperature, in: &charge)
    note(.highTemperature, protection.highTemperature, in: &charge)

    var discharge = both
    note(.contradiction, plausibility.contradiction == .discharge, in: &discharge)
    note(.contactor, modes.mode == .on && !contactor.isProven, in: &discharge)
    note(.overcurrent, overcurrent.discharge.isOpen, in: &discharge)
    note(.battery, reported.forbids(.discharge), in: &discharge)
    note(.lowCell, protection.lowCell, in: &discharge)
    note(.highTemperature, protection.veryHighTemperature, in: &discharge)
    note(.dischargeFloor, protection.dischargeFloor, in: &discharge)
    return (charge, discharge)
  }

  /// Why a direction is forbidden by this cause.
  mutating func reason(
    _ block: Block, _ direction: CurrentDirection, _ judged: borrowing Judgement, lost: InputRole?,
    stateOfCharge: Double?
  ) -> Reason {
    func cell(_ rule: Rule, _ cell: PlacedValue?, until volts: Double) -> Reason {
      Reason(rule, .cells, of: cell, endsAt: volts)
    }
    func temperature(_ rule: Rule, _ measured: PlacedValue?, until celsius: Double) -> Reason {
      Reason(rule, .temperature, of: measured, endsAt: celsius)
    }
    switch block {
    case .shutdown: return Reason(.shutdown, .command)
    case .mode: return modeReason()
    case .settings: return Reason(.settingsLost, .setting)
    case .update: return Reason(.updateFailed, .command)
    case .supply: return Reason(.supplyError, .contactor)
    case .data: return lost.map { dataReason($0, judged) } ?? Reason(.waitingForData)
    case .voltageWindow: return windowReason(judged)
    case .contradiction: return sumReason
    case .contactor: return contactorReason
    case .highCell: return cell(.highCell, judged.highestCell, until: Parameters.highCellResume)
    case .lowCell:
      return cell(protection.cell.isHard ? .veryLowCell : .lowCell, judged.lowestCell, until: LowCell.resume)
    case .lowTemperature:
      return temperature(
        .lowTemperature, judged.lowestTemperature,
        until: parameters.minimumChargeTemperature + Parameters.lowTemperatureHysteresis)
    case .highTemperature:
      return temperature(
        .highTemperature, judged.highestTemperature,
        until: direction == .charge ? Parameters.highTemperatureResume : Parameters.veryHighTemperatureResume)
    case .overcurrent:
      var reason = Reason(.overcurrent, .current, value: judged.current)
      reason.endsIn = overcurrent[direction].retryIn
      return reason
    case .battery: return batteryReason
    case .dischargeFloor:
      return Reason(
        .dischargeFloor, .stateOfCharge, value: stateOfCharge, endsAt: parameters.floor + Parameters.floorHysteresis)
    }
  }

  mutating func modeReason() -> Reason { modes.reason }

  var batteryReason: Reason {
    var reason = Reason(reported.isLost ? .batterySilent : .battery)
    reason.conditions = reported.conditions
    return reason
  }

  var contactorReason: Reason {
    if contactor.phase == .open, contactor.awaitsModule {
      return Reason(.waitingForData, .contactor, fault: .neverSeen)
    }
    if isContactorUnseen, contactor.phase == .closed {
      return Reason(.feedbackLost, .contactor, fault: .stale)
    }
    if heldOpen != nil, contactor.phase == .open, !isBusbarHot { return Reason(.secondLine, .current) }
    let rule: Rule =
      switch contactor.phase {
      case .open, .takeover, .selfTest, .precharge, .closing: .contactorStarts
      case .cooling: .prechargeCools
      case .pending: .waitingForGroup
      case .closed: .allowed
      case .lead, .opening: contactor.isDoomed ? .contactorFault : .contactorOpens
      case .failed: .contactorFault
      }
    return Reason(isBusbarHot ? .busbarHot : rule, .contactor)
  }

  mutating func windowReason(_ judged: borrowing Judgement) -> Reason {
    let rule: Rule =
      switch window.verdict {
      case .inside: .allowed
      case .wrongSystem: .wrongSystemVoltage
      case .betweenWindows: .voltageBetweenWindows
      case .notAllowed: .voltageNotAllowed
      }
    return Reason(rule, .batteryVoltage, value: judged.voltage)
  }

  var sumReason: Reason {
    Reason(.cellsAgainstPack, .cells, value: plausibility.difference, endsAt: plausibility.limit)
  }

  mutating func preAlarmReason(_ judged: borrowing Judgement) -> Reason {
    // Where no cell of ours is low, it is the battery that says so.
    protection.cell.isPreAlarm
      ? Reason(.preAlarm, .cells, of: judged.lowestCell, endsAt: parameters.preAlarmRelease) : batteryReason
  }
}

extension ModeControl {
  /// Why the mode is what it is.
  var reason: Reason {
    let rule: Rule =
      switch (mode, offCause) {
      case (.on, _): .allowed
      case (.standby, _): .standby
      case (.off, .remote): .offByRemote
      case (.off, .error): .offAfterError
      case (.off, .softSwitch), (.off, .softSwitchWhenEmpty), (.off, nil): .offByCommand
      case (.off, .lowCell): .offAfterLowCell
      case (.off, .lowStateOfCharge): .offAfterLowStateOfCharge
      }
    var reason = Reason(rule, .command)
    reason.endsAt = offCause?.cellsEndAbove
    reason.endsIn = restsFor
    return reason
  }
}
