// What must survive a power cut, as a value. The daemon stores it and hands it back; the core never touches a file.

/// The state of the core that a restart must not lose: the battery monitor, the charge cycle, the protections.
///
/// Instants are not in it: their origin dies with the program run.
public struct Snapshot: Sendable, Hashable, Codable {
  /// The version of this layout that this program writes. It also reads the ones before.
  public static let currentVersion = 7

  /// The layout.
  public var version = Snapshot.currentVersion
  /// Whether the state of charge is known.
  public var isStateOfChargeKnown = false
  /// Whether it was ever synchronised or set by hand.
  public var isStateOfChargeTrusted = false
  /// Raw ampere-hours since full, 0 or negative.
  public var consumed = 0.0
  /// Ampere-hours the state of charge lacks, 0 or positive.
  public var missing = 0.0
  /// Seconds that were not counted since the last synchronisation.
  public var uncountedSeconds = 0.0
  /// Running seconds since the last synchronisation.
  public var secondsSinceSynchronisation: Double?
  /// Whether a full charge cycle is going on.
  public var isFullCharge = false
  /// Absorption counted in that cycle, seconds.
  public var absorbedSeconds = 0.0
  /// Running seconds since the last completed full charge (OD-23).
  public var secondsSinceFullCharge: Double?
  /// The trigger conditions that were true, so that a restart does not see them begin again.
  public var chargeConditions: UInt8 = 0
  /// Whether a temperature was ever told.
  public var hasTemperature = false
  /// The protections that were active.
  public var lowCell = false
  /// A high cell was latched.
  public var highCell = false
  /// Low temperature was latched.
  public var lowTemperature = false
  /// High temperature was latched.
  public var highTemperature = false
  /// Very high temperature was latched.
  public var veryHighTemperature = false
  /// The discharge floor was latched.
  public var dischargeFloor = false
  /// Charging was reduced after a low cell.
  public var isReduced = false

  // Since version 2.

  /// A cell was below the hard limit.
  public var isLowCellHard = false
  /// The pre-alarm was active.
  public var preAlarm = false
  /// For how long, seconds, at most 30.
  public var preAlarmSeconds = 0.0

  /// Used of the 5 minutes above the continuous rating, seconds.
  public var overcurrentSeconds = 0.0
  /// Used of the 30 s before ATC opens for overcurrent.
  public var chargeGraceSeconds = 0.0
  /// Used of the 30 s before ATD opens for overcurrent.
  public var dischargeGraceSeconds = 0.0
  /// Until ATC is tried again after overcurrent, seconds; nil while it is not held open for that.
  public var chargeRetrySeconds: Double?
  /// Until ATD is tried again after overcurrent, seconds; nil while it is not held open for that.
  public var dischargeRetrySeconds: Double?
  /// The nominal voltage that the first battery voltage after the first start meant (R17).
  public var detectedNominalVoltage: Double?

  /// The mode, by its number (R63).
  public var mode = Mode.on.rawValue
  /// Why it is off (R50); nil while it is not. Since version 7 it may be ``OffCause/softSwitchWhenEmpty``.
  public var offCause: UInt8?

  /// The history (area J).
  public var history = History()

  // Since version 3.

  /// How much the count may be wrong, ampere-hours; nil when nobody can say.
  public var uncertainAmpereHours: Double?
  /// For how long the battery has been empty without charge voltage, seconds (R51, R53); nil while it is not.
  public var emptySeconds: Double?
  /// The contactor was closed, so that a restart that finds it closed may keep it (R24).
  public var isContactorClosed = false
  /// Joules in the pre-charge resistor.
  public var prechargeHeat = 0.0
  /// The second line of defence holds the contactor open: 0 for charge, 1 for discharge.
  public var heldOpen: UInt8?

  // Since version 4.

  /// Whether the batteries have a pre-alarm to give, as they said; nil while none did (R18).
  public var detectedPreAlarmSignal: Bool?

  // Since version 5.

  /// For how long one restart after the other has kept the contactor closed before it could look at it, seconds (R24).
  public var takeoverSeconds = 0.0
  /// The remote has said nothing for so long that it forces Off; ``mode`` is the one from before.
  public var isRemoteSilent = false

  // Since version 6.

  /// The battery told of a low cell, and not of its end (R82).
  public var isLowCellReported = false

  /// The state of a BMS that has never run.
  public init() {}

  /// Why this snapshot cannot be used, or nil. A damaged one must be refused whole: half a state is a wrong state.
  public var defect: String? {
    if !(1...Snapshot.currentVersion ~= version) { return "layout \(version) is not known here" }
    let numbers = [
      consumed, missing, uncountedSeconds, absorbedSeconds, secondsSinceSynchronisation, secondsSinceFullCharge,
      preAlarmSeconds, overcurrentSeconds, chargeGraceSeconds, dischargeGraceSeconds, chargeRetrySeconds,
      dischargeRetrySeconds, detectedNominalVoltage, uncertainAmpereHours, emptySeconds, prechargeHeat,
      takeoverSeconds,
    ].compactMap(\.self)
    if Mode(rawValue: mode) == nil { return "mode \(mode) is not known" }
    if let offCause, OffCause(rawValue: offCause) == nil { return "cause \(offCause) of off is not known" }
    if !numbers.allSatisfy(\.isFinite) { return "a number is not finite" }
    if consumed > 0 || missing < 0 || uncountedSeconds < 0 || absorbedSeconds < 0 { return "a sign is wrong" }
    // One without the other would be full at the first ampere-second of charge.
    if (missing > 0) != (consumed < 0) { return "consumed and missing contradict each other" }
    let ages = [secondsSinceSynchronisation, secondsSinceFullCharge].compactMap(\.self)
    if ages.contains(where: { $0 < 0 }) { return "an age is negative" }
    let spans = [
      preAlarmSeconds, overcurrentSeconds, chargeGraceSeconds, dischargeGraceSeconds, chargeRetrySeconds,
      dischargeRetrySeconds, emptySeconds, takeoverSeconds,
    ].compactMap(\.self)
    if spans.contains(where: { $0 < 0 }) { return "a time is negative" }
    if let uncertainAmpereHours, uncertainAmpereHours < 0 { return "a sign is wrong" }
    if prechargeHeat < 0 { return "a sign is wrong" }
    if let heldOpen, CurrentDirection(rawValue: heldOpen) == nil { return "direction \(heldOpen) is not known" }
    if !history.isSound { return "a number of the history is impossible" }
    return nil
  }
}

// Written out, because a stored value of an earlier version lacks what came later and must not be refused for that.
extension Snapshot {
  /// Reads any version from 1 on; what an earlier version did not have begins as on a first start.
  public init(from decoder: any Decoder) throws {
    self.init()
    let values = try decoder.container(keyedBy: CodingKeys.self)
    version = try values.decode(Int.self, forKey: .version)
    isStateOfChargeKnown = try values.decode(Bool.self, forKey: .isStateOfChargeKnown)
    isStateOfChargeTrusted = try values.decode(Bool.self, forKey: .isStateOfChargeTrusted)
    consumed = try values.decode(Double.self, forKey: .consumed)
    missing = try values.decode(Double.self, forKey: .missing)
    uncountedSeconds = try values.decode(Double.self, forKey: .uncountedSeconds)
    secondsSinceSynchronisation = try values.decodeIfPresent(Double.self, forKey: .secondsSinceSynchronisation)
    isFullCharge = try values.decode(Bool.self, forKey: .isFullCharge)
    absorbedSeconds = try values.decode(Double.self, forKey: .absorbedSeconds)
    secondsSinceFullCharge = try values.decodeIfPresent(Double.self, forKey: .secondsSinceFullCharge)
    chargeConditions = try values.decode(UInt8.self, forKey: .chargeConditions)
    hasTemperature = try values.decode(Bool.self, forKey: .hasTemperature)
    lowCell = try values.decode(Bool.self, forKey: .lowCell)
    highCell = try values.decode(Bool.self, forKey: .highCell)
    lowTemperature = try values.decode(Bool.self, forKey: .lowTemperature)
    highTemperature = try values.decode(Bool.self, forKey: .highTemperature)
    veryHighTemperature = try values.decode(Bool.self, forKey: .veryHighTemperature)
    dischargeFloor = try values.decode(Bool.self, forKey: .dischargeFloor)
    isReduced = try values.decode(Bool.self, forKey: .isReduced)
    guard version >= 2 else {
      version = Snapshot.currentVersion
      return
    }
    isLowCellHard = try values.decode(Bool.self, forKey: .isLowCellHard)
    preAlarm = try values.decode(Bool.self, forKey: .preAlarm)
    preAlarmSeconds = try values.decode(Double.self, forKey: .preAlarmSeconds)
    overcurrentSeconds = try values.decode(Double.self, forKey: .overcurrentSeconds)
    chargeGraceSeconds = try values.decode(Double.self, forKey: .chargeGraceSeconds)
    dischargeGraceSeconds = try values.decode(Double.self, forKey: .dischargeGraceSeconds)
    chargeRetrySeconds = try values.decodeIfPresent(Double.self, forKey: .chargeRetrySeconds)
    dischargeRetrySeconds = try values.decodeIfPresent(Double.self, forKey: .dischargeRetrySeconds)
    mode = try values.decode(UInt8.self, forKey: .mode)
    offCause = try values.decodeIfPresent(UInt8.self, forKey: .offCause)
    history = try values.decode(History.self, forKey: .history)
    detectedNominalVoltage = try values.decodeIfPresent(Double.self, forKey: .detectedNominalVoltage)
    guard version >= 3 else {
      version = Snapshot.currentVersion
      return
    }
    uncertainAmpereHours = try values.decodeIfPresent(Double.self, forKey: .uncertainAmpereHours)
    emptySeconds = try values.decodeIfPresent(Double.self, forKey: .emptySeconds)
    isContactorClosed = try values.decode(Bool.self, forKey: .isContactorClosed)
    prechargeHeat = try values.decode(Double.self, forKey: .prechargeHeat)
    heldOpen = try values.decodeIfPresent(UInt8.self, forKey: .heldOpen)
    guard version >= 4 else {
      version = Snapshot.currentVersion
      return
    }
    detectedPreAlarmSignal = try values.decodeIfPresent(Bool.self, forKey: .detectedPreAlarmSignal)
    guard version >= 5 else {
      version = Snapshot.currentVersion
      return
    }
    takeoverSeconds = try values.decode(Double.self, forKey: .takeoverSeconds)
    isRemoteSilent = try values.decode(Bool.self, forKey: .isRemoteSilent)
    guard version >= 6 else {
      version = Snapshot.currentVersion
      return
    }
    isLowCellReported = try values.decode(Bool.self, forKey: .isLowCellReported)
    // Version 7 has one more cause, and nothing else. A newer one stays what it is, and is refused.
    if version == 6 { version = Snapshot.currentVersion }
  }
}
