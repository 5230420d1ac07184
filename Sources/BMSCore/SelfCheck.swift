// The commissioning checklist as a report (R324 with R81, R99, R143, R158, R180, R322): what the core saw by itself, what it
// cannot know and asks, and what to do next. Made when somebody asks; nothing depends on it.

/// One item of the checklist.
public enum CheckItem: UInt8, Sendable, Hashable, CaseIterable {
  /// Battery voltage has the right sign and is on the battery side (R31, R80).
  case polarity
  /// The nominal voltage is the battery's (R17, R205).
  case systemVoltage
  /// The batteries have the pre-alarm signal that is set (R18).
  case preAlarmSignal
  /// The capacity is the bank's (R158).
  case capacity
  /// The number of batteries in parallel (R322).
  case batteriesInParallel
  /// Self-test, pre-charge and closing (R21).
  case contactor
  /// Pulling a battery's cable stops charge and discharge (R99).
  case cablePull
  /// A load shows a negative current (R81).
  case loadSign
  /// The battery was full and synchronised (R162).
  case fullCharge
  /// Absorption at least once a month (R143).
  case monthlyAbsorption
}

/// What is known of an item.
public enum CheckVerdict: UInt8, Sendable, Hashable {
  /// Seen to be right.
  case passed
  /// Seen to be wrong.
  case failed
  /// Not seen yet; the advice says how.
  case open
  /// Only a person can say.
  case confirm
}

/// An item with its verdict.
public struct Check: Sendable, Hashable {
  /// What was checked.
  public let item: CheckItem
  /// How it stands.
  public let verdict: CheckVerdict
  /// What was seen.
  public let finding: String
  /// What to do; empty when passed.
  public let advice: String
}

/// What count and cells together say about the capacity that is set (R180). A hint for a person: nothing acts on it.
enum CapacityHint: Sendable, Equatable {
  /// A cell was low while at least this many percent were counted to be left.
  case tooLarge(left: Double)
  /// All was counted to be drawn while the lowest cell held this many volts.
  case tooSmall(volts: Double)
}

extension BMS {
  /// R180, ours: so many percent more than the count may be wrong by are no error of the count.
  static let hintAtLeft = 20.0
  /// R180: 25 % of an LFP cell at rest (battery-physics.md section 1).
  static let hintAtVolts = 3.25
  /// R180, ours, in C: with more current the voltage says little about the charge.
  static let hintRate = 0.05

  /// The hint that this step gives, if any.
  mutating func hintOfCapacity(
    _ judged: borrowing Judgement, _ stateOfCharge: Double?, error: Double?, _ parameters: Parameters
  ) -> CapacityHint? {
    guard let percent = stateOfCharge, let error, let current = judged.current, let cell = judged.lowestCell?.value,
      judged.cellState.isUsable, abs(current) <= parameters.capacity * BMS.hintRate
    else { return nil }
    if protection.lowCell, !decided.alarms.contains(.lowCell), percent - error >= BMS.hintAtLeft {
      return .tooLarge(left: percent - error)
    }
    return percent <= 0 && cell >= BMS.hintAtVolts ? .tooSmall(volts: cell) : nil
  }

  /// Batteries need two hours of absorption a month (R143).
  static let longestWithoutAbsorption = 31 * 86_400.0

  /// Whether a setting means something for these batteries and belongs into a list for people (R89). Those of the
  /// pre-alarm do not where the batteries have none: a low cell is then announced by R88.
  public func isShown(_ setting: Setting) -> Bool {
    switch setting {
    case .preAlarm, .preAlarmVoltage: settings[.preAlarmSignal] != 0 && decided.detectedPreAlarmSignal != false
    default: true
    }
  }

  /// The commissioning checklist as it stands (R324), in the order in which it is done.
  public func selfCheck() -> [Check] { CheckItem.allCases.map(check) }

  /// One item of it.
  public func check(_ item: CheckItem) -> Check {
    let out = decided
    func check(_ verdict: CheckVerdict, _ finding: String, _ advice: String = "") -> Check {
      Check(item: item, verdict: verdict, finding: finding, advice: advice)
    }
    switch item {
    case .polarity:
      if out.alarms.contains(.sidesReversed) {
        return check(.failed, "the battery side is dead and the system side is alive", "Exchange the two sides.")
      }
      guard let volts = out.voltage else {
        return check(
          isVoltageImpossible ? .failed : .open,
          isVoltageImpossible ? "the battery voltage is impossible" : "no voltage",
          "Check the battery's polarity and its fuse.")
      }
      return check(.passed, "\(volts.text(upTo: 2)) V")
    case .systemVoltage:
      guard let detected = out.detectedNominalVoltage else {
        return check(.open, "no voltage of a known bank was seen", "Measure the battery voltage by hand.")
      }
      let isRight = detected == settings[.nominalVoltage] && window.verdict == .inside
      return check(
        isRight ? .passed : .failed,
        "the voltage means \(detected.text(upTo: 3)) V, set is \(settings[.nominalVoltage].text(upTo: 3)) V",
        isRight ? "" : "Set nominal_voltage.")
    case .preAlarmSignal:
      let set = "pre_alarm_signal is \(settings[.preAlarmSignal] != 0)"
      guard let detected = out.detectedPreAlarmSignal else {
        return check(
          .confirm, "\(set), and no battery said whether it has one",
          "Batteries made before 2019/2020 have none: set it to false for them.")
      }
      return check(
        detected == (settings[.preAlarmSignal] != 0) ? .passed : .failed,
        "\(set), and the batteries say that they have \(detected ? "one" : "none")",
        detected == (settings[.preAlarmSignal] != 0) ? "" : "Set pre_alarm_signal.")
    case .capacity:
      let set = "\(settings[.batteryCapacity].text(upTo: 3)) Ah"
      switch capacityHint {
      case .tooLarge(let left):
        return check(
          .failed, "\(set), but a cell was low with \(left.text(upTo: 0)) % or more left",
          "The capacity may be set too large, or a cell is weak, or a load bypasses the shunt.")
      case .tooSmall(let volts):
        return check(
          .failed, "\(set), but at 0 % the lowest cell held \(volts.text(upTo: 2)) V",
          "The capacity may be set too small, or a charger bypasses the shunt.")
      case nil: break
      }
      return check(
        .confirm, set,
        "Add the Ah of all strings in parallel; batteries in series do not add.")
    case .batteriesInParallel:
      let set = "\(settings[.batteriesInParallel].text(upTo: 3)) in parallel"
      if out.alarms.contains(.batteryCount) {
        return check(.failed, "\(set), which is not what the cells make", "Set batteries_in_parallel.")
      }
      return check(
        hasCellTable ? .passed : .confirm, set, hasCellTable ? "" : "Count the strings of the bank.")
    case .contactor:
      if wiring.contactors == .none { return check(.passed, "there is none to command") }
      if let fault = contactor.fault { return check(.failed, "\(fault)", "See the alarm.") }
      if contactor.phase == .closed { return check(.passed, "self-test, pre-charge and closing succeeded") }
      return check(.open, "not closed yet", "Switch on.")
    case .cablePull:
      return sawCablePull
        ? check(.passed, "charge and discharge stopped while the cells were lost, and came back")
        : check(.open, "not seen", "Pull one battery cable: ATC and ATD must open. Plug it in again.")
    case .loadSign:
      if plausibility.isSignWrong {
        return check(
          .failed, "current and voltage move in opposite directions", "Set current_reversed or turn the shunt around.")
      }
      if plausibility.rightSigns > 0 { return check(.passed, "current and voltage move in one direction") }
      return keeper.history.drawnAmpereHours > 0
        ? check(.confirm, "a negative current was seen", "It must have been a load.")
        : check(.open, "no negative current was seen", "Switch on a load: the current must be negative.")
    case .fullCharge:
      if parameters.chargedVoltage >= parameters.fullChargeVoltage {
        let (charged, most) = (parameters.chargedVoltage.text(upTo: 2), parameters.fullChargeVoltage.text(upTo: 2))
        return check(
          .failed, "charged_voltage means \(charged) V, and no charger may go above \(most) V",
          "Set charged_voltage below that: it would never synchronise.")
      }
      if let age = out.stateOfChargeAge {
        return check(.passed, "synchronised \((age.seconds / 3600).text(upTo: 1)) h ago")
      }
      return check(.open, "never synchronised", "Charge until the state of charge is 100 %.")
    case .monthlyAbsorption:
      guard let seconds = charge.secondsSinceFullCharge else {
        return check(.open, "no full charge cycle was completed yet", "Charge until the absorption is over.")
      }
      let isRecent = seconds <= BMS.longestWithoutAbsorption
      return check(
        isRecent ? .passed : .failed, "the last absorption ended \((seconds / 86_400).text(upTo: 1)) days ago",
        isRecent ? "" : "Charge with \(parameters.fullChargeVoltage.text(upTo: 3)) V for the absorption time.")
    }
  }
}
