public import MonotonicTime

// What the core decides, each with its reason (design rule 8).

/// The state numbers of the GX bus (R63).
public enum State: UInt8, Sendable {
  /// 8: waiting for the first complete data.
  case waiting = 8
  /// 9: running.
  case running = 9
  /// 10: data was lost.
  case error = 10
  /// 12: leaving, or off.
  case shutdown = 12
  /// 14: standby.
  case standby = 14
  /// 15: about to run, the contactor closes.
  case goingToRun = 15
  /// 16: pre-charging.
  case precharging = 16
  /// 17: contactor check.
  case contactorCheck = 17
  /// 18: waits for its group.
  case pending = 18
}

/// The charge phase as its number on the GX bus (R346).
public enum ChargePhase: UInt8, Sendable, Codable {
  /// 3: full charge cycle, voltage not reached yet.
  case bulk = 3
  /// 4: full charge cycle, the absorption time counts.
  case absorption = 4
  /// 249: resting at 13.5 V per 12 V, as recorded from real units.
  case resting = 249
}

/// The limits for chargers and loads.
public struct Limits: Sendable, Hashable {
  /// CVL, volts; nil when no limit exists. Never 0: a charger would take it for "no limit" or shut the bus down.
  public var chargeVoltage: Double?
  /// CCL, amperes.
  public var chargeCurrent: Double
  /// DCL, amperes.
  public var dischargeCurrent: Double
  /// The voltage at which loads should stop, volts (2.6 V per cell, R150); nil when no limit exists.
  public var lowVoltage: Double?

  /// Whether the limits of current exist. While not running they are to be published as "not available", not as 0 A
  /// (R151); the numbers here are 0 then for who cannot tell.
  public var isAvailable = true

  /// No limit exists and nothing is allowed.
  public static let withdrawn = Limits(chargeVoltage: nil, chargeCurrent: 0, dischargeCurrent: 0, lowVoltage: nil)

  /// Limits from their numbers.
  public init(chargeVoltage: Double?, chargeCurrent: Double, dischargeCurrent: Double, lowVoltage: Double?) {
    self.chargeVoltage = chargeVoltage
    self.chargeCurrent = chargeCurrent
    self.dischargeCurrent = dischargeCurrent
    self.lowVoltage = lowVoltage
  }
}

/// What happened to the battery monitor in a step, for the log (R168).
public struct SynchronisationRecord: Sendable, Hashable {
  /// Who set the state of charge.
  public enum Cause: UInt8, Sendable {
    /// The rule of R162: charged voltage and tail current held.
    case charged
    /// An operator synchronised (R167).
    case commanded
    /// An operator set a value (R166).
    case set
    /// Nothing was known, and counting began from what an outside monitor reports.
    case reported
  }
  /// Who.
  public let cause: Cause
  /// The state of charge before, percent; nil when it was unknown.
  public let before: Double?
  /// The state of charge after, percent.
  public let after: Double
  /// Battery voltage then, volts.
  public let voltage: Double?
  /// Current then, amperes.
  public let current: Double?
}

/// A cell voltage or temperature with its place.
public struct PlacedValue: Sendable, Hashable {
  /// Volts or degrees Celsius.
  public let value: Double
  /// Where, when known.
  public let place: CellPlace?
}

/// Everything that changed in a step, so that a log says each thing once.
public struct StepEvents: Sendable, Hashable {
  /// Alarms raised in this step.
  public var raised = AlarmSet()
  /// Alarms cleared in this step.
  public var cleared = AlarmSet()
  /// A full charge cycle began, and why.
  public var fullChargeStarted: FullChargeTrigger?
  /// A full charge cycle ended after its absorption time.
  public var fullChargeCompleted = false
  /// The state of charge was set.
  public var synchronised: SynchronisationRecord?

  /// Whether nothing happened.
  public var isEmpty: Bool { self == StepEvents() }
}

/// Outputs that a restart leaves as the run before left them, until it knows enough to decide on them (R24).
public struct LeftOutputs: OptionSet, Sendable, Hashable {
  /// One bit for each output.
  public let rawValue: UInt8
  /// From the bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The contactors and the pre-charge switch, until their feedback was heard and both sides were seen at one voltage, or
  /// are to open.
  public static let contactor = LeftOutputs(rawValue: 1 << 0)
  /// ATC, until the first complete data, for 5 s at most.
  public static let allowToCharge = LeftOutputs(rawValue: 1 << 1)
  /// ATD, as ATC.
  public static let allowToDischarge = LeftOutputs(rawValue: 1 << 2)
  /// ATC and ATD.
  public static let contacts: LeftOutputs = [.allowToCharge, .allowToDischarge]
}

/// One step's decisions. Values are nil when they are not known; a nil is never published as zero.
public struct Outputs: Sendable {
  /// ATC: charging is allowed.
  public var chargeAllowed = false
  /// ATD: discharging is allowed.
  public var dischargeAllowed = false
  /// CVL, CCL, DCL and the low voltage limit.
  public var limits = Limits.withdrawn
  /// The mode (R32).
  public var mode = Mode.on
  /// Why it is off; nil while it is not.
  public var offCause: OffCause?
  /// Until an empty battery switches itself off (R51, R53); nil while nothing runs.
  public var offIn: TimeSpan?
  /// Whether the bus is to be silent: in Off (R35).
  public var isBusSilent: Bool { mode == .off }
  /// The state number.
  public var state = State.waiting
  /// Close the contactors. Always false where there is none to command.
  public var contactorCommand = false
  /// What is given no command yet after a restart.
  public var left: LeftOutputs = []
  /// Close the pre-charge switch.
  public var prechargeCommand = false
  /// Where the contactor sequence stands.
  public var contactorPhase = ContactorPhase.open
  /// What went wrong with contactor or pre-charge; nil when nothing did.
  public var contactorFault: ContactorFault?
  /// The charge phase.
  public var chargePhase = ChargePhase.resting

  /// Battery voltage, volts, while fresh.
  public var voltage: Double?
  /// Current, amperes, charge positive, direction setting applied, while fresh.
  public var current: Double?
  /// Power, watts, charge positive.
  public var power: Double?
  /// The battery temperature to show, degrees Celsius, while fresh.
  public var temperature: Double?
  /// The lowest cell, while all cells are fresh.
  public var lowestCell: PlacedValue?
  /// The highest cell, while all cells are fresh.
  public var highestCell: PlacedValue?
  /// The lowest of all temperatures, while fresh.
  public var lowestTemperature: PlacedValue?
  /// The highest of all temperatures, while fresh.
  public var highestTemperature: PlacedValue?
  /// Whether the contactor is closed as its feedback says; nil when nothing says so, or one of two says otherwise.
  public var contactorClosed: Bool?

  /// The nominal voltage that the battery voltage meant at the first start: 12, 24 or 48; nil when it meant none (R17,
  /// R208). Only told: a value that is set is never overwritten (R19).
  public var detectedNominalVoltage: Double?
  /// Whether the batteries have a pre-alarm to give, as they said themselves; nil while none did (R18). Only told, as the
  /// nominal voltage is.
  public var detectedPreAlarmSignal: Bool?
  /// What the battery says of its cells (R349).
  public var balance = Balance.unknown

  /// State of charge, 0...100 %; nil before it was set, synchronised or restored.
  public var stateOfCharge: Double?
  /// Whether the state of charge was ever synchronised or set by hand (R182).
  public var isStateOfChargeTrusted = false
  /// Since the last synchronisation to 100 %; nil before the first.
  public var stateOfChargeAge: TimeSpan?
  /// By how much the state of charge may be wrong, percent points either way; grows from one synchronisation to the
  /// next. Nil while it is not trusted, and after a restart that nobody knows the length of.
  public var stateOfChargeError: Double?
  /// Ampere-hours since the last full charge, 0 or negative (R169); nil when not known.
  public var consumed: Double?
  /// Time until the discharge floor, in whole minutes, at most ``longestTimeToGo``; nil while charging or not known.
  public var timeToGo: TimeSpan?
  /// R174: the cap of the time to go, which stands for "without a current" too.
  public static let longestTimeToGo = TimeSpan.days(10)

  /// The level of the low cell alarm (R103).
  public var lowCellLevel = LowCellLevel.fine
  /// The alarms that are active.
  public var alarms = AlarmSet()
  /// AUX: on in On and Standby (R33-R35, R98).
  public var auxiliary = true
  /// The status LED.
  public var statusPattern = StatusPattern.orange
  /// The Bluetooth LED.
  public var channelPattern = ChannelPattern.flashing
  /// The programmable relay (R126).
  public var relayActive = false

  /// Everything that forbids charging now.
  public var chargeBlocks: Blocks = []
  /// Everything that forbids discharging now.
  public var dischargeBlocks: Blocks = []
  /// Why charging is allowed or forbidden.
  public var chargeReason = Reason(.waitingForData)
  /// Why discharging is allowed or forbidden.
  public var dischargeReason = Reason(.waitingForData)
  /// Why CVL is what it is.
  public var chargeVoltageReason = Reason(.waitingForData)
  /// Why CCL is what it is.
  public var chargeCurrentReason = Reason(.waitingForData)
  /// Why DCL is what it is.
  public var dischargeCurrentReason = Reason(.waitingForData)

  /// A permission or a limit was withdrawn in this step for a protective reason: send now, not at the next period.
  public var protectiveChange = false
  /// What happened in this step.
  public var events = StepEvents()
  /// Step again at this instant at the latest, even when no input changed.
  public var nextDeadline = Instant.origin

  /// Nothing known, nothing allowed.
  public init() {}

  /// Begins a step: nothing known, nothing allowed, nothing happened. So what a step does not decide is never what an
  /// earlier one did. The reasons stay, for since when they hold; every step says all five. What every step writes
  /// without a condition (mode, contactor, indicators) and what it is compared with before that (alarms) stays too.
  @inline(__always)
  mutating func forget() {
    chargeAllowed = false
    dischargeAllowed = false
    limits = .withdrawn
    voltage = nil
    current = nil
    power = nil
    temperature = nil
    lowestCell = nil
    highestCell = nil
    lowestTemperature = nil
    highestTemperature = nil
    contactorClosed = nil
    stateOfCharge = nil
    stateOfChargeError = nil
    consumed = nil
    timeToGo = nil
    events = StepEvents()
  }

  /// At the first step there is nothing that a reason could have held before.
  mutating func dateReasons(_ now: Instant) {
    chargeReason.since = now
    dischargeReason.since = now
    chargeVoltageReason.since = now
    chargeCurrentReason.since = now
    dischargeCurrentReason.since = now
  }
}
