public import MonotonicTime

// Why an output is what it is: the rule, the input that caused it, since when, and what ends it. Kept as numbers; the
// text is made when somebody asks for it.

/// The rules that decide outputs.
public enum Rule: UInt8, Sendable, Hashable {
  /// Nothing forbids it.
  case allowed
  /// The first complete data has not arrived yet.
  case waitingForData
  /// The program is leaving.
  case shutdown
  /// Standby was asked for (R34).
  case standby
  /// The remote terminals are open (R44).
  case offByRemote
  /// Somebody switched it off (R36).
  case offByCommand
  /// Off after a low cell without charge voltage (R51).
  case offAfterLowCell
  /// Off after the discharge floor without charge voltage (R53).
  case offAfterLowStateOfCharge
  /// Off, and its cause was lost (R50).
  case offAfterError
  /// An update failed and was not repeated within 120 s (R25).
  case updateFailed
  /// The BMS's own supply is bad (R78).
  case supplyError
  /// A fan does not turn (R116).
  case fan
  /// Battery and system side are exchanged (R80).
  case sidesReversed
  /// The batteries differ from the settings (R96, R322).
  case batteriesDiffer
  /// The stored settings were damaged (R29).
  case settingsLost
  /// A required input is lost.
  case dataLost
  /// A required input has been lost for so long that limits are withdrawn (OD-20).
  case withdrawn
  /// A cell at 3.75 V (R104).
  case highCell
  /// A cell at the low cell voltage (R92).
  case lowCell
  /// A cell below 2.6 V, which waits for no announcement (OD-12).
  case veryLowCell
  /// A cell near the low cell voltage (R83, R90).
  case preAlarm
  /// Too cold to charge (R109).
  case lowTemperature
  /// Too hot (OD-4).
  case highTemperature
  /// At the discharge floor (R243).
  case dischargeFloor
  /// More current than the contactor may carry (R198).
  case overcurrent
  /// Current flows although its contact is open (R121, R122).
  case contactFailure
  /// The battery voltage belongs to another bank than the one that is set (R205).
  case wrongSystemVoltage
  /// The battery voltage belongs to no bank (R207).
  case voltageBetweenWindows
  /// The battery voltage is outside 9...60 V (R206).
  case voltageNotAllowed
  /// Self-test, pre-charge or closing (R20).
  case contactorStarts
  /// The pre-charge resistor cools before the next try (OD-18).
  case prechargeCools
  /// The group has not let this BMS join yet.
  case waitingForGroup
  /// The contactor opens; ATC leads by 2 s (R76).
  case contactorOpens
  /// Contactor or pre-charge failed (R66, R67, R73).
  case contactorFault
  /// A busbar's thermal switch is open (R72).
  case busbarHot
  /// The contactor is wired and nothing says where it is.
  case feedbackLost
  /// Both sides of the closed contactor are not at one voltage (R71).
  case contactDrop
  /// What a Distributor says, or that it says nothing (R265).
  case distributor
  /// The cells do not add up to the pack.
  case cellsAgainstPack
  /// Current and voltage move in opposite directions (R81).
  case currentSign
  /// The battery itself forbids or limits (R82).
  case battery
  /// The battery is wired to report and says nothing (R99).
  case batterySilent
  /// Something is wrong with the wiring of a role.
  case wiring
  /// On, and an empty battery will switch it off (R51, R53).
  case emptySoon
  /// Current went on although its contact was open, so the contactor opened (R74).
  case secondLine
  /// Nothing asks for it.
  case notNeeded
  /// An update goes on (R28).
  case updating
  /// The control channel is disabled (R209).
  case controlDisabled
  /// A client is connected (R210).
  case controlClient
  /// CVL of the full charge cycle (R136).
  case fullCharge
  /// CVL of the resting phase (R136).
  case resting
  /// CVL follows a battery that stands above the resting voltage (R152).
  case restingFollowsBattery
  /// The installer's cap.
  case installerCap
  /// CCL of 1 A per Ah (R148).
  case capacity
  /// The model's rating (R5, R149).
  case rating
  /// Reduced charge after a low cell (R153, OD-2).
  case reducedAfterLowCell
  /// CCL or DCL along the table near a cell's end.
  case nearCellEnd
  /// What a restart must find cannot be written (R29).
  case stateNotStored
}

/// Why an output is what it is.
public struct Reason: Sendable, Hashable {
  /// The rule that decided.
  public var rule: Rule
  /// The input it decided on.
  public var input: InputRole?
  /// What is wrong with that input, when the rule is about data.
  public var fault: InputFault = .none
  /// The cell it was about, when it was about one and its place is known.
  public var place: CellPlace?
  /// What is wrong with the wiring, when the rule is about that.
  public var wiring: WiringFinding?
  /// What the battery reports, when the rule is about that.
  public var conditions: BatteryConditions = []
  /// The input's value, in its unit.
  public var value: Double?
  /// What the value is compared with to end this state, in the same unit.
  public var endsAt: Double?
  /// How long until it ends by time alone, where it does.
  public var endsIn: TimeSpan?
  /// Since when this rule decides.
  public var since = Instant.origin

  init(_ rule: Rule) { self.rule = rule }

  init(_ finding: WiringFinding?) {
    rule = .wiring
    wiring = finding
  }

  init(
    _ rule: Rule, _ input: InputRole, fault: InputFault = .none, place: CellPlace? = nil, value: Double? = nil,
    endsAt: Double? = nil
  ) {
    self.rule = rule
    self.input = input
    self.fault = fault
    self.place = place
    self.value = value
    self.endsAt = endsAt
  }

  init(_ rule: Rule, _ input: InputRole, of measured: PlacedValue?, endsAt: Double) {
    self.init(rule, input, place: measured?.place, value: measured?.value, endsAt: endsAt)
  }

  // A step changes the reasons of the last one in place: to make five of 72 bytes anew, compare them with the old and
  // copy them took some 300 of its 4,180 instructions.

  /// Gives way to another. Since when it holds stays while rule, input and fault do: a value that moves is no news.
  mutating func become(_ new: Reason, at now: Instant) {
    let isSame = rule == new.rule && input == new.input && fault == new.fault
    let since = isSame ? since : now
    self = new
    self.since = since
  }

  /// Gives way to one that is a rule and an input and no more than that, as long as it is always that where these two
  /// come together.
  @inline(__always)
  mutating func become(_ rule: Rule, _ input: InputRole?, at now: Instant) {
    guard self.rule != rule || self.input != input else { return }
    self = Reason(rule)
    self.input = input
    since = now
  }
}
