public import MonotonicTime

// Warnings, alarms and errors: one row each (requirements section N, R233-R256). Rows that the manual does not number
// carry a code of our own that begins with V, so that they cannot be mistaken for a Victron code.

/// How serious an entry is: a warning announces, an alarm explains a stop that happened, an error is a fault (§11.1).
public enum AlarmSeverity: UInt8, Sendable, Comparable {
  /// Will lead to a stop if ignored.
  case warning
  /// The reason of a stop that happened.
  case alarm
  /// A fault of the system or its wiring.
  case error

  /// Whether `left` is less serious.
  public static func < (left: AlarmSeverity, right: AlarmSeverity) -> Bool { left.rawValue < right.rawValue }
}

/// A row of the alarm table.
public struct AlarmDefinition: Sendable {
  /// The code shown to people.
  public let code: String
  /// The number on a GX device, where there is one.
  public let gxNumber: Int?
  /// How serious it is.
  public let severity: AlarmSeverity
  /// What it is.
  public let message: String
  /// When it is raised.
  public let raisedWhen: String
  /// What it does.
  public let effect: String
  /// What clears it.
  public let clearedWhen: String
  /// What to do.
  public let advice: String
  /// Blinks of the status LED in red (R220-R231).
  public let ledBlinks: Int
  /// Whether it drives the relay in Alarm mode.
  public let drivesRelay: Bool
  /// Whether it only accompanies another entry, so that an export must not show both (R255).
  public let isCompanion: Bool
  /// Where the row comes from.
  public let source: String
}

/// Every warning, alarm and error the core can raise.
public enum Alarm: UInt8, CaseIterable, Sendable {
  /// A-B01.
  case lowCell
  /// A-B06.
  case loadDisconnected
  /// W-B01.
  case preAlarm
  /// W-B06.
  case loadWillDisconnect
  /// W-B07.
  case lowStateOfChargeWarning
  /// A-B07.
  case lowStateOfCharge
  /// A cell at 3.75 V.
  case highCell
  /// Too cold to charge.
  case lowTemperature
  /// Too hot to charge.
  case highTemperature
  /// Too hot to discharge.
  case veryHighTemperature
  /// W-B02 while charging.
  case highChargeCurrentWarning
  /// W-B02 while discharging.
  case highDischargeCurrentWarning
  /// A-B02 while charging.
  case highChargeCurrent
  /// A-B02 while discharging.
  case highDischargeCurrent
  /// E-B36.
  case contactFailure
  /// E-B34.
  case wrongSystemVoltage
  /// E-B09.
  case voltageNotAllowed
  /// The remote terminals are wired and say nothing.
  case remoteLost
  /// E-B11.
  case hardware
  /// E-B25.
  case prechargeOverload
  /// E-B35.
  case prechargeTimeout
  /// E-B26.
  case contactorError
  /// W-B04.
  case badContact
  /// A busbar's thermal switch is open.
  case busbarHot
  /// A contactor or thermal switch that is wired says nothing.
  case feedbackLost
  /// W-B03.
  case highBMSTemperature
  /// E-B119.
  case settingsLost
  /// GX #116.
  case calibrationLost
  /// Cell voltages come late.
  case cellsLate
  /// Battery voltage comes late.
  case voltageLate
  /// Current comes late.
  case currentLate
  /// Temperature comes late or not at all where it is not required.
  case temperatureLate
  /// Cell voltages are lost.
  case cellsLost
  /// Battery voltage is lost.
  case voltageLost
  /// Current is lost.
  case currentLost
  /// Temperature is lost.
  case temperatureLost
  /// The cells do not add up to the pack.
  case cellsAgainstPack
  /// They differ so much that a cell may be hidden.
  case cellsContradictPack
  /// A cell voltage does not change although it must.
  case cellsStuck
  /// A cell voltage changed faster than it can.
  case cellsJump
  /// The battery voltage does not change although it must.
  case voltageStuck
  /// The battery voltage changed faster than it can.
  case voltageJump
  /// The current does not change although it must.
  case currentStuck
  /// Current and voltage move in opposite directions.
  case currentSign
  /// A temperature changed faster than it can.
  case temperatureJump
  /// A fan does not turn.
  case fanFailed
  /// The BMS's own supply is bad.
  case supplyError
  /// Battery side and system side are exchanged.
  case sidesReversed
  /// The batteries have different low cell settings.
  case lowCellSettingsDiffer
  /// The cells do not make the number of batteries in parallel that is set.
  case batteryCount
  /// W-D01.
  case distributorALost
  /// W-D02.
  case distributorBLost
  /// W-D03.
  case distributorCLost
  /// W-D04.
  case distributorDLost
  /// Two Distributors answer to one address (OD-16).
  case distributorDuplicate
  /// A-F01.
  case fuse1
  /// A-F02.
  case fuse2
  /// A-F03.
  case fuse3
  /// A-F04.
  case fuse4
  /// A-F05.
  case fuse5
  /// A-F06.
  case fuse6
  /// A-F07.
  case fuse7
  /// A-F08.
  case fuse8
  /// A-F09.
  case fuse9
  /// A-F10.
  case fuse10
  /// A-F11.
  case fuse11
  /// A-F12.
  case fuse12
  /// A-F13.
  case fuse13
  /// A-F14.
  case fuse14
  /// A-F15.
  case fuse15
  /// A-F16.
  case fuse16
  /// A switching module refuses a command.
  case switchRefused
  /// A switching module does not do what it was commanded.
  case switchNotFollowing
  /// A switch moved without a command.
  case switchedUnasked
  /// The module of a wired output is not heard.
  case moduleLost
  /// Two senders fit one role.
  case senderAmbiguous
  /// The battery itself reports an alarm.
  case batteryAlarm
  /// The battery is wired to report and says nothing, or its cable is off.
  case batteryLost
  /// The battery says that its cells are apart.
  case batteryImbalance
  /// What a restart must find cannot be stored.
  case stateNotStored

  /// The row of this alarm.
  public var definition: AlarmDefinition {
    switch self {
    case .lowCell:
      .init(
        code: "A-B01", gxNumber: 103, severity: .alarm, message: "Low cell voltage",
        raisedWhen: "a cell is at the low cell voltage 30 s after the pre-alarm or below 2.6 V, or the battery says so",
        effect: "discharge forbidden, DCL 0",
        clearedWhen: "all cells are at 3.2 V or above, and the battery no longer says so",
        advice: "Switch loads off and charge the battery. If it stays, measure each cell of the battery named.",
        ledBlinks: 3, drivesRelay: true, isCompanion: false, source: "R82, R92-R94, R240")
    case .loadDisconnected:
      .init(
        code: "A-B06", gxNumber: nil, severity: .alarm, message: "Load disconnected",
        raisedWhen: "discharge is forbidden after it was allowed", effect: "none, it accompanies its cause",
        clearedWhen: "discharge is allowed again", advice: "See the entry beside this one.",
        ledBlinks: 1, drivesRelay: true, isCompanion: true, source: "R242, R255")
    case .preAlarm:
      .init(
        code: "W-B01", gxNumber: nil, severity: .warning, message: "Cell voltage almost low",
        raisedWhen: "one cell reaches the pre-alarm voltage, or the battery says so",
        effect: "DCL 0 where dcl_at_pre_alarm says so",
        clearedWhen: "all cells are 0.05 V above the pre-alarm voltage for 10 s",
        advice: "Reduce loads or charge the battery now.",
        ledBlinks: 3, drivesRelay: true, isCompanion: false, source: "R82, R83, R129, R233, OD-3")
    case .loadWillDisconnect:
      .init(
        code: "W-B06", gxNumber: nil, severity: .warning, message: "Load will disconnect",
        raisedWhen: "a cause is there that forbids discharge 30 s later", effect: "none, it announces",
        clearedWhen: "its cause is gone, or the load is disconnected", advice: "See the entry beside this one.",
        ledBlinks: 1, drivesRelay: false, isCompanion: true, source: "R85, R237, R255")
    case .lowStateOfChargeWarning:
      .init(
        code: "W-B07", gxNumber: nil, severity: .warning, message: "Low state of charge",
        raisedWhen: "the state of charge falls to the warning level", effect: "none",
        clearedWhen: "the state of charge is 1 % above the level", advice: "Charge soon or reduce loads.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R176, R238, OD-8")
    case .lowStateOfCharge:
      .init(
        code: "A-B07", gxNumber: nil, severity: .alarm, message: "Discharge floor reached",
        raisedWhen: "the state of charge falls to the discharge floor", effect: "discharge forbidden, DCL 0",
        clearedWhen: "the state of charge is 5 % above the floor", advice: "Charge the battery.",
        ledBlinks: 1, drivesRelay: true, isCompanion: false, source: "R177, R243, OD-8")
    case .highCell:
      .init(
        code: "V-B01", gxNumber: nil, severity: .alarm, message: "High cell voltage",
        raisedWhen: "one cell reaches 3.75 V, or the battery says so", effect: "charge forbidden, CCL 0",
        clearedWhen: "the highest cell is below 3.6 V",
        advice: "An unbalanced battery does this for hours while it balances; leave charging on. "
          + "If it never ends, check the battery named.",
        ledBlinks: 3, drivesRelay: false, isCompanion: false, source: "R82, R104-R106")
    case .lowTemperature:
      .init(
        code: "V-B02", gxNumber: nil, severity: .warning, message: "Battery too cold to charge",
        raisedWhen: "the lowest temperature is below the limit, or the battery says so",
        effect: "charge forbidden, CCL 0",
        clearedWhen: "2 K above the limit for 60 s", advice: "Warm the battery. Discharging is allowed.",
        ledBlinks: 3, drivesRelay: false, isCompanion: false, source: "R82, R109, R113, OD-6")
    case .highTemperature:
      .init(
        code: "V-B03", gxNumber: nil, severity: .warning, message: "Battery too hot to charge",
        raisedWhen: "the highest temperature reaches 50 °C, or the battery says so", effect: "charge forbidden, CCL 0",
        clearedWhen: "at 45 °C or below", advice: "Reduce current and ventilate.",
        ledBlinks: 3, drivesRelay: false, isCompanion: false, source: "R82, R110, OD-4")
    case .veryHighTemperature:
      .init(
        code: "V-B04", gxNumber: nil, severity: .alarm, message: "Battery too hot",
        raisedWhen: "the highest temperature reaches 55 °C, or the battery says so",
        effect: "discharge forbidden, DCL 0",
        clearedWhen: "at 50 °C or below", advice: "Switch loads off and ventilate. Look for the cause of the heat.",
        ledBlinks: 3, drivesRelay: true, isCompanion: false, source: "R82, R110, OD-4")
    // OD-13: which of #105 and #106 is which is stated nowhere; discharge first, as §9.3 names it.
    case .highDischargeCurrentWarning: .highCurrentWarning("High discharge current", gxNumber: 105)
    case .highChargeCurrentWarning: .highCurrentWarning("High charge current", gxNumber: 106)
    case .highDischargeCurrent:
      .highCurrent("Discharge current too high", gxNumber: 105, effect: "after 30 s: discharge forbidden, DCL 0")
    case .highChargeCurrent:
      .highCurrent("Charge current too high", gxNumber: 106, effect: "after 30 s: charge forbidden, CCL 0")
    case .contactFailure:
      .init(
        code: "E-B36", gxNumber: 36, severity: .error, message: "ATC/ATD failure",
        raisedWhen: "more than 1 A of charge or 1.5 A of discharge 10 s after it was forbidden", effect: "none",
        clearedWhen: "that current is gone for 10 s",
        advice: "A charger or load is not controlled by ATC, ATD or DVCC. Check the wiring of each.",
        ledBlinks: 1, drivesRelay: true, isCompanion: false, source: "R121-R123, R250, OD-11")
    case .wrongSystemVoltage:
      .init(
        code: "E-B34", gxNumber: 34, severity: .error, message: "Probably wrong system voltage",
        raisedWhen: "the battery voltage is not in the window of the nominal voltage set",
        effect: "charge and discharge forbidden", clearedWhen: "in the window for 10 s, or the setting is changed",
        advice: "Check nominal_voltage against the battery.",
        ledBlinks: 7, drivesRelay: true, isCompanion: false, source: "R205, R207, R248")
    case .voltageNotAllowed:
      .init(
        code: "E-B09", gxNumber: 9, severity: .error, message: "Battery voltage not allowed",
        raisedWhen: "the battery voltage is outside 9 to 60 V", effect: "charge and discharge forbidden",
        clearedWhen: "in the window for 10 s", advice: "Measure the battery voltage. Check cells and wiring.",
        ledBlinks: 14, drivesRelay: true, isCompanion: false, source: "R206, R244")
    case .remoteLost:
      .init(
        code: "V-B15", gxNumber: nil, severity: .warning, message: "Remote on/off input lost",
        raisedWhen: "the remote terminals are configured and nothing usable was heard", effect: "Off after 60 s",
        clearedWhen: "they are heard again", advice: "Check the module that reads the remote switch.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R39, R43, OD-20")
    case .hardware:
      .init(
        code: "E-B11", gxNumber: 11, severity: .error, message: "Hardware error",
        raisedWhen: "voltages or feedback cannot be read in the self-test", effect: "the contactor stays open",
        clearedWhen: "restart", advice: "Check the wiring of system voltage and contactor feedback.",
        ledBlinks: 9, drivesRelay: true, isCompanion: false, source: "R21, R78, R245")
    case .prechargeOverload:
      .init(
        code: "E-B25", gxNumber: 25, severity: .error, message: "Pre-charge error",
        raisedWhen: "a short on the system side, or more energy than the pre-charge resistor may take",
        effect: "the contactor stays open; three tries, 30 s apart", clearedWhen: "a try succeeds, or restart",
        advice: "Switch loads off, look for a short circuit on the system side.",
        ledBlinks: 6, drivesRelay: true, isCompanion: false, source: "R67-R69, R246, OD-18")
    case .prechargeTimeout:
      .init(
        code: "E-B35", gxNumber: 35, severity: .error, message: "Pre-charge timeout",
        raisedWhen: "the system side does not rise in time",
        effect: "the contactor stays open; three tries, 30 s apart",
        clearedWhen: "a try succeeds, or restart", advice: "Switch loads off until the contactor is closed.",
        ledBlinks: 5, drivesRelay: true, isCompanion: false, source: "R66, R69, R249, OD-18")
    case .contactorError:
      .init(
        code: "E-B26", gxNumber: 26, severity: .error, message: "Contactor error",
        raisedWhen: "a contactor's feedback disagrees with its command for 200 ms",
        effect: "commanded open, not closed again", clearedWhen: "restart",
        advice: "The contactor is welded or does not close. Disconnect the battery and have it checked.",
        ledBlinks: 10, drivesRelay: true, isCompanion: false, source: "R73, R77, R247, OD-21")
    case .badContact:
      .init(
        code: "W-B04", gxNumber: 112, severity: .warning, message: "Bad contactor",
        raisedWhen: "more than 0.5 V across the closed contactor", effect: "none",
        clearedWhen: "0.5 V or less", advice: "Have contactor and connections checked.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R71, R236")
    case .busbarHot:
      .init(
        code: "V-B05", gxNumber: nil, severity: .alarm, message: "Busbar too hot",
        raisedWhen: "a thermal switch opens at 130 °C", effect: "the contactor opens 2 s after ATC",
        clearedWhen: "both switches are closed", advice: "Reduce current. Check the torque of every connection.",
        ledBlinks: 8, drivesRelay: true, isCompanion: false, source: "R72, R203")
    case .feedbackLost:
      .init(
        code: "V-B16", gxNumber: nil, severity: .warning, message: "Feedback lost",
        raisedWhen: "a contactor, a thermal switch or the supply's contact that is wired says nothing",
        effect: "charge and discharge forbidden while it is a closed contactor, which opens after 60 s",
        clearedWhen: "it is heard again", advice: "Check the module that reads it.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R72, R73, OD-20")
    case .highBMSTemperature:
      .init(
        code: "W-B03", gxNumber: 101, severity: .warning, message: "High BMS temperature",
        raisedWhen: "the BMS itself is at 75 °C or above", effect: "none", clearedWhen: "at 70 °C or below",
        advice: "Reduce current and ventilate. Check that the fans turn.",
        ledBlinks: 4, drivesRelay: false, isCompanion: false, source: "R115, R235, OD-5")
    case .settingsLost:
      .init(
        code: "E-B119", gxNumber: 119, severity: .error, message: "Settings lost",
        raisedWhen: "the stored settings are damaged", effect: "charge and discharge forbidden",
        clearedWhen: "reset to defaults", advice: "Reset to defaults and set the battery's values again.",
        ledBlinks: 9, drivesRelay: true, isCompanion: false, source: "R29, R251")
    case .calibrationLost:
      .init(
        code: "V-B17", gxNumber: 116, severity: .error, message: "Calibration lost",
        raisedWhen: "the stored calibration is damaged", effect: "none; measurements are less exact",
        clearedWhen: "service", advice: "Have the unit calibrated.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R30, R252")
    case .cellsLate: .late("V-B11", "Cell voltages come late")
    case .voltageLate: .late("V-B12", "Battery voltage comes late")
    case .currentLate: .late("V-B13", "Battery current comes late")
    case .temperatureLate: .late("V-B14", "Battery temperature comes late or is not monitored")
    case .cellsLost: .lost("V-B21", "Cell voltages lost")
    case .voltageLost: .lost("V-B22", "Battery voltage lost")
    case .currentLost: .lost("V-B23", "Battery current lost")
    case .temperatureLost:
      .lost(
        "V-B24", "Battery temperature lost",
        advice: " After a sensor was taken away for good: vecanctl set temperature_required on, then off.")
    case .cellsAgainstPack:
      .init(
        code: "V-B31", gxNumber: nil, severity: .warning, message: "Cells do not add up to the battery voltage",
        raisedWhen: "their sum differs by more than 50 mV a cell, and 0.2 mV a cell and ampere, for 30 s",
        effect: "none yet", clearedWhen: "within the limit for 10 s",
        advice: "Measure battery and cells by hand. Check nominal_voltage, sense wires and links.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "sum of cells against pack, our numbers")
    case .cellsContradictPack:
      .init(
        code: "V-B32", gxNumber: 32, severity: .error, message: "Cells contradict the battery voltage",
        raisedWhen: "their sum differs by more than twice the limit of V-B31 for 60 s",
        effect: "charge forbidden while the pack is higher, discharge while it is lower",
        clearedWhen: "within the limit for 10 s",
        advice: "A cell may be higher or lower than it says. Measure battery and cells by hand.",
        ledBlinks: 2, drivesRelay: true, isCompanion: false, source: "sum of cells against pack, our numbers")
    case .cellsStuck:
      .init(
        code: "V-B33", gxNumber: 32, severity: .error, message: "Cell voltage stuck",
        raisedWhen: "unchanged over three changes of load that moved every cell by 50 mV",
        effect: "charge and discharge forbidden", clearedWhen: "it changes, or On after Off",
        advice: "Check the cell's sense wire and the module that reads it; restart the module.",
        ledBlinks: 2, drivesRelay: true, isCompanion: false, source: "stuck sensor, our numbers")
    case .cellsJump:
      .init(
        code: "V-B34", gxNumber: 32, severity: .error, message: "Cell voltage jumps",
        raisedWhen: "two reports within 5 s differ by more than 1.5 V",
        effect: "charge and discharge forbidden", clearedWhen: "10 s without a jump",
        advice: "Check the cell's sense wire.",
        ledBlinks: 2, drivesRelay: true, isCompanion: false, source: "rate, our numbers")
    case .voltageStuck:
      .implausible(
        "V-B35", "Battery voltage stuck", "unchanged over three changes of 0.5 C", "it changes",
        "Check the module that reads the battery voltage.")
    case .voltageJump:
      .implausible(
        "V-B36", "Battery voltage jumps", "two reports within 5 s differ by more than 1.5 V a cell",
        "10 s without a jump", "Check the voltage sense wires and their fuse.")
    case .currentStuck:
      .implausible(
        "V-B37", "Battery current stuck", "unchanged over three changes of load seen in the voltage", "it changes",
        "Check the shunt and its wires, and whether a load or charger bypasses it (R179).")
    case .currentSign:
      .implausible(
        "V-B38", "Direction of the current is doubtful",
        "current and voltage moved in opposite directions at three changes of load", "they move in one direction",
        "A load must show a negative current (R81). Check the shunt's side and current_reversed.")
    case .temperatureJump:
      .implausible(
        "V-B39", "Temperature jumps", "two reports within 5 s differ by more than 20 K", "60 s without a jump",
        "Check the temperature sensor and its cable.")
    case .fanFailed:
      .init(
        code: "V-B18", gxNumber: nil, severity: .warning, message: "Fan failed",
        raisedWhen: "a fan's feedback says that it stands", effect: "none", clearedWhen: "it turns",
        advice: "Clean or replace the fan; without it the BMS is hot at less than its rating.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R116")
    case .supplyError:
      .init(
        code: "V-B19", gxNumber: nil, severity: .error, message: "Internal supply error",
        raisedWhen: "the BMS says that its own supply is bad",
        effect: "charge and discharge forbidden, the contactor stays open", clearedWhen: "the supply is good",
        advice: "Switch off and on; have the unit repaired if it comes back.",
        ledBlinks: 12, drivesRelay: true, isCompanion: false, source: "R78, R230")
    case .sidesReversed:
      .init(
        code: "V-B40", gxNumber: nil, severity: .warning, message: "Battery and system side exchanged",
        raisedWhen:
          "with the contactor open the system side has the bank's voltage and the battery side less than half "
          + "of it, for 2 s", effect: "none", clearedWhen: "the battery side is alive",
        advice: "Check which side the battery is connected to, and current_reversed.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R80")
    case .lowCellSettingsDiffer:
      .init(
        code: "V-B47", gxNumber: nil, severity: .warning, message: "Batteries have different low cell settings",
        raisedWhen: "the batteries report low cell settings that differ from each other or from low_cell_voltage",
        effect: "none", clearedWhen: "all are the same",
        advice: "Give every battery the same setting, and low_cell_voltage too.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R96")
    case .batteryCount:
      .init(
        code: "V-B48", gxNumber: 10, severity: .warning, message: "Number of batteries is wrong",
        raisedWhen: "the cells that must report are not batteries_in_parallel strings of the bank's cells",
        effect: "none", clearedWhen: "they are",
        advice: "Check batteries_in_parallel, nominal_voltage and the number of cells that is expected.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R2, R322")
    case .distributorALost: .distributorLost("W-D01", "A", gxNumber: 221)
    case .distributorBLost: .distributorLost("W-D02", "B", gxNumber: 222)
    case .distributorCLost: .distributorLost("W-D03", "C", gxNumber: 223)
    case .distributorDLost: .distributorLost("W-D04", "D", gxNumber: 224)
    case .distributorDuplicate:
      .init(
        code: "V-D05", gxNumber: nil, severity: .warning, message: "Two Distributors with one address",
        raisedWhen: "two modules answer to one address", effect: "no fuse of either is believed",
        clearedWhen: "one answers", advice: "Give each its own address with its DIP switches.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R263, OD-16")
    case .fuse1, .fuse2, .fuse3, .fuse4, .fuse5, .fuse6, .fuse7, .fuse8, .fuse9, .fuse10, .fuse11, .fuse12, .fuse13,
      .fuse14, .fuse15, .fuse16:
      .fuse(fuse ?? 0)
    case .switchRefused:
      .init(
        code: "V-B41", gxNumber: nil, severity: .error, message: "Switching module refuses",
        raisedWhen: "a module answers a command with a refusal", effect: "what is commanded does not happen",
        clearedWhen: "the module does as commanded",
        advice: "Check bank and indicator in [outputs], and whether the module lets others switch it.",
        ledBlinks: 1, drivesRelay: true, isCompanion: false, source: "design section 4, 126208")
    case .switchNotFollowing:
      .init(
        code: "V-B42", gxNumber: nil, severity: .error, message: "Switch does not follow",
        raisedWhen: "a module takes a command or ignores it, and its switch does not move",
        effect: "opening is commanded on and on; closing is given up",
        clearedWhen: "the switch is as commanded", advice: "Check the module, its fuse and what it switches.",
        ledBlinks: 1, drivesRelay: true, isCompanion: false, source: "design section 4, 126208")
    case .switchedUnasked:
      .init(
        code: "V-B43", gxNumber: nil, severity: .error, message: "Switched without command",
        raisedWhen: "a switch that was as commanded moves",
        effect: "it is commanded back; a contactor is never closed so",
        clearedWhen: "as commanded for 10 s",
        advice: "Something else switches it: a button, a plotter, another BMS. Find it.",
        ledBlinks: 1, drivesRelay: true, isCompanion: false, source: "design section 4")
    case .moduleLost:
      .init(
        code: "V-B44", gxNumber: nil, severity: .error, message: "Module lost",
        raisedWhen: "the module of an output, or the sender of the system voltage, is not heard for 10 s",
        effect: "what it switches cannot be commanded; opening is sent as soon as it is back",
        clearedWhen: "it is heard again", advice: "Check the module's supply and its cable to the bus.",
        ledBlinks: 1, drivesRelay: true, isCompanion: false, source: "design section 4")
    case .senderAmbiguous:
      .init(
        code: "V-B45", gxNumber: nil, severity: .error, message: "Two senders for one role",
        raisedWhen: "two devices fit the wiring of a role", effect: "neither is used",
        clearedWhen: "one of them is silent for 10 s", advice: "Add unique_number to the role in the configuration.",
        ledBlinks: 1, drivesRelay: true, isCompanion: false, source: "design section 4")
    case .batteryAlarm:
      .init(
        code: "V-B51", gxNumber: nil, severity: .alarm, message: "Battery reports an alarm",
        raisedWhen: "the battery's own BMS tells of a fault or of too much current",
        effect: "what it names is forbidden",
        clearedWhen: "the battery says no more so", advice: "See the reason, and the battery's own display.",
        ledBlinks: 3, drivesRelay: true, isCompanion: false, source: "R82, R111, 0x35A")
    case .batteryLost:
      .init(
        code: "V-B25", gxNumber: 32, severity: .error, message: "Battery communication error",
        raisedWhen: "the battery's signals or its own BMS are wired and not heard for 5 s",
        effect: "charge and discharge forbidden", clearedWhen: "they are heard",
        advice: "Check the battery's signal cable.",
        ledBlinks: 2, drivesRelay: true, isCompanion: false, source: "R99, R100, OD-20")
    case .batteryImbalance:
      .init(
        code: "V-B52", gxNumber: nil, severity: .warning, message: "Battery reports a voltage difference",
        raisedWhen: "the battery's own BMS says that its cells are apart", effect: "none",
        clearedWhen: "the battery says no more so",
        advice: "Charge it full and leave it so for some hours; if it stays, see the battery's own display.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R348, 0x35A")
    case .stateNotStored:
      .init(
        code: "V-B49", gxNumber: nil, severity: .warning, message: "State or events not stored",
        raisedWhen: "what a restart must find, or the event log, cannot be written", effect: "none",
        clearedWhen: "it is written again",
        advice: "Look into the log for the reason. Make room on the disk, or replace the card.",
        ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R29, our row")
    }
  }
}

extension AlarmDefinition {
  fileprivate static func late(_ code: String, _ message: String) -> AlarmDefinition {
    AlarmDefinition(
      code: code, gxNumber: nil, severity: .warning, message: message,
      raisedWhen: "the last good value is older than the warning limit", effect: "none yet",
      clearedWhen: "a good value arrives", advice: "Check the bus load and the sender's interval.",
      ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "OD-20")
  }

  fileprivate static func implausible(
    _ code: String, _ message: String, _ raised: String, _ cleared: String, _ advice: String
  ) -> AlarmDefinition {
    AlarmDefinition(
      code: code, gxNumber: nil, severity: .warning, message: message, raisedWhen: raised,
      effect: "none; the cells protect the battery", clearedWhen: cleared, advice: advice,
      ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "plausibility, our numbers")
  }

  fileprivate static func highCurrentWarning(_ message: String, gxNumber: Int) -> AlarmDefinition {
    AlarmDefinition(
      code: "W-B02", gxNumber: gxNumber, severity: .warning, message: message,
      raisedWhen: "above the continuous rating for 10 s", effect: "none; 5 minutes of it are allowed",
      clearedWhen: "at the continuous rating or below", advice: "Reduce the current.",
      ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R196, R234, OD-13, OD-24")
  }

  fileprivate static func highCurrent(_ message: String, gxNumber: Int, effect: String) -> AlarmDefinition {
    AlarmDefinition(
      code: "A-B02", gxNumber: gxNumber, severity: .alarm, message: message,
      raisedWhen: "above the peak rating, or above the continuous rating with its 5 minutes used up", effect: effect,
      clearedWhen: "the current is lower; a contact that was opened is tried again after 5 minutes",
      advice: "Reduce the current. It is no fuse: a short circuit is cleared by fuses only.",
      ledBlinks: 8, drivesRelay: true, isCompanion: false, source: "R13, R197-R202, R241, OD-13, OD-22")
  }

  fileprivate static func distributorLost(_ code: String, _ name: String, gxNumber: Int) -> AlarmDefinition {
    AlarmDefinition(
      code: code, gxNumber: gxNumber, severity: .warning, message: "Communication with Distributor \(name) lost",
      raisedWhen: "a Distributor that was heard is silent for 10 s", effect: "its fuses are not watched",
      clearedWhen: "it answers again, or restart", advice: "Check the cable to the Distributor and its fuses.",
      ledBlinks: 1, drivesRelay: false, isCompanion: false, source: "R239, R265, OD-15")
  }

  fileprivate static func fuse(_ number: Int) -> AlarmDefinition {
    AlarmDefinition(
      code: number < 10 ? "A-F0\(number)" : "A-F\(number)", gxNumber: 200 + number, severity: .alarm,
      message: "Fuse blown", raisedWhen: "a Distributor reports the fuse blown", effect: "none",
      clearedWhen: "the fuse is good again, or its name is emptied", advice: "Find out why before you replace it.",
      ledBlinks: 1, drivesRelay: true, isCompanion: false, source: "R253, R258, R265")
  }

  fileprivate static func lost(_ code: String, _ message: String, advice: String = "") -> AlarmDefinition {
    AlarmDefinition(
      code: code, gxNumber: 32, severity: .error, message: message,
      raisedWhen: "no good value within the limit, or an impossible one",
      effect: "charge and discharge forbidden, CCL 0, DCL 0; limits withdrawn after 60 s",
      clearedWhen: "good values arrive",
      advice: "Check the cable and the sender named in the reason.\(advice)",
      ledBlinks: 2, drivesRelay: true, isCompanion: false, source: "R99, R100, OD-20")
  }
}

/// A set of alarms in one number, so that keeping and comparing them allocates nothing.
public struct AlarmSet: Sendable, Hashable, Sequence, ExpressibleByArrayLiteral {
  /// One bit for each alarm, by its raw value.
  public private(set) var bits: UInt128 = 0

  /// The set of these alarms.
  public init(arrayLiteral alarms: Alarm...) {
    for alarm in alarms { insert(alarm) }
  }

  /// No alarm.
  public init() {}

  /// Adds an alarm.
  public mutating func insert(_ alarm: Alarm) { bits |= 1 << UInt128(alarm.rawValue) }

  /// Adds the alarms of another set.
  public mutating func formUnion(_ other: AlarmSet) { bits |= other.bits }

  /// Whether the alarm is in the set.
  public func contains(_ alarm: Alarm) -> Bool { bits & 1 << UInt128(alarm.rawValue) != 0 }

  /// Whether no alarm is in the set.
  public var isEmpty: Bool { bits == 0 }

  /// How many alarms are in the set.
  public var count: Int { bits.nonzeroBitCount }

  /// The alarms of this set that are not in the other.
  public func subtracting(_ other: AlarmSet) -> AlarmSet {
    var result = self
    result.bits &= ~other.bits
    return result
  }

  /// The alarms that are in both sets.
  public func intersection(_ other: AlarmSet) -> AlarmSet {
    var result = self
    result.bits &= other.bits
    return result
  }

  /// Whether both have no alarm in common.
  public func isDisjoint(with other: AlarmSet) -> Bool { bits & other.bits == 0 }

  /// The alarms in the order of the table.
  public func makeIterator() -> Iterator { Iterator(bits: bits) }

  /// Walks over the set bits.
  public struct Iterator: IteratorProtocol, Sendable {
    var bits: UInt128

    /// The next alarm.
    public mutating func next() -> Alarm? {
      while bits != 0 {
        let bit = bits.trailingZeroBitCount
        bits &= bits - 1
        if let alarm = Alarm(rawValue: UInt8(bit)) { return alarm }
      }
      return nil
    }
  }
}

/// When an alarm was seen, and what caused it then.
public struct AlarmRecord: Sendable, Hashable {
  /// Whether it is active now.
  public internal(set) var isActive = false
  /// When it was raised the last time; nil when never.
  public internal(set) var firstSeen: Instant?
  /// When it was active the last time; nil when never.
  public internal(set) var lastSeen: Instant?
  /// How often it was raised since start. A cycling high cell is one grouped event by this count (R106).
  public internal(set) var count = 0
  /// What raised it the last time.
  public internal(set) var cause: Reason?
}
