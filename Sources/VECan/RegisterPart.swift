public import NMEA2000

// Registers that are many small conditions: one or two bits each, under the number of their place.

/// One condition of a register, by the number of its place.
public protocol RegisterPart: CaseIterable, RawRepresentable, Sendable where RawValue == Int {
  /// What a condition can be.
  associatedtype State: RegisterPartState
  /// The condition, for people.
  var name: String { get }
}

/// What a condition of a register can be.
public protocol RegisterPartState: RawRepresentable, Sendable where RawValue == UInt8 {
  /// How many bits it has.
  static var bitCount: Int { get }
  /// Its names.
  static var lookup: Lookup { get }
  /// The code 0.
  static var zero: Self { get }
}

/// A flag of one bit.
public enum FlagState: UInt8, RegisterPartState {
  /// It is not so.
  case clear = 0
  /// It is so.
  case set = 1

  public static let bitCount = 1
  public static let lookup = Lookup.noYesBit
  public static let zero = FlagState.clear
}

/// A condition of 0x2107.
public enum AlarmLevel: UInt8, RegisterPartState {
  /// The BMS has no such function.
  case unsupported = 0
  /// All is well.
  case fine = 1
  /// It will lead to a shutdown if ignored.
  case warning = 2
  /// It has acted.
  case alarm = 3

  public static let bitCount = 2
  public static let lookup = Lookup.alarmLevel
  public static let zero = AlarmLevel.unsupported
}

/// A contact of 0x2108, a condition of 0x2109 or 0x210A.
public enum ContactState: UInt8, RegisterPartState {
  /// Not known, or there is none.
  case notAvailable = 0
  /// Closed, on, allowed; it is so.
  case yes = 1
  /// Open, off, not allowed; it is not so.
  case no = 2

  public static let bitCount = 2
  public static let lookup = Lookup.contactState
  public static let zero = ContactState.notAvailable

  /// The state of a contact that is known or not.
  public init(_ isOn: Bool?) {
    self = isOn.map { $0 ? .yes : .no } ?? .notAvailable
  }
}

/// A Distributor of 0x2150.
public enum DistributorLink: UInt8, RegisterPartState {
  /// Not there.
  case notAvailable = 0
  /// Heard.
  case connected = 1
  /// Its busbar has no power.
  case noPower = 2
  /// It fell silent.
  case communicationLost = 3

  public static let bitCount = 2
  public static let lookup = Lookup.distributorLink
  public static let zero = DistributorLink.notAvailable
}

/// A fuse of 0x2152 to 0x2159.
public enum FuseCondition: UInt8, RegisterPartState {
  /// Nobody can say.
  case notAvailable = 0
  /// It has no name (R260).
  case notUsed = 1
  /// It conducts.
  case ok = 2
  /// It does not.
  case blown = 3

  public static let bitCount = 2
  public static let lookup = Lookup.fuseCondition
  public static let zero = FuseCondition.notAvailable
}

/// The conditions of 0x2107 (vecan.md section 2.7).
public enum BMSCondition: Int, RegisterPart {
  public typealias State = AlarmLevel
  /// A cell is low.
  case lowCellVoltage = 0
  /// Too much current.
  case highCurrent = 1
  /// The BMS itself is hot.
  case highBMSTemperature = 2
  /// The closed contactor drops too much voltage.
  case contactorResistance = 3
  /// The signal cable to the batteries, or what stands for it, is lost.
  case batteryCable = 4
  /// Loads will be or are disconnected.
  case loadDisconnect = 5
  /// State of charge low (newer than Victron's register list; read so by its Bluetooth receiver).
  case lowStateOfCharge = 6
  /// A battery is hot (source as for low state of charge).
  case highTemperature = 8

  public var name: String {
    switch self {
    case .lowCellVoltage: "Low cell voltage"
    case .highCurrent: "High current"
    case .highBMSTemperature: "High BMS temperature"
    case .contactorResistance: "Contactor resistance"
    case .batteryCable: "Battery cable"
    case .loadDisconnect: "Load disconnect"
    case .lowStateOfCharge: "Low state of charge"
    case .highTemperature: "High temperature"
    }
  }
}

/// The contacts of 0x2108 (vecan.md section 2.7).
public enum BMSContact: Int, RegisterPart {
  public typealias State = ContactState
  /// The main contactor is closed.
  case contactor = 0
  /// Charging is allowed (ATC).
  case allowToCharge = 1
  /// Discharging is allowed (ATD).
  case allowToDischarge = 2
  /// The programmable relay is active.
  case relay = 3
  /// The auxiliary output is on.
  case auxiliary = 4
  /// The remote input is closed.
  case remote = 5
  /// The relay as alternator ATC.
  case alternatorAllowToCharge = 6

  public var name: String {
    switch self {
    case .contactor: "Contactor"
    case .allowToCharge: "ATC"
    case .allowToDischarge: "ATD"
    case .relay: "Relay"
    case .auxiliary: "AUX"
    case .remote: "Remote"
    case .alternatorAllowToCharge: "Alternator ATC"
    }
  }
}

/// The warnings of 0x2109 (vecan.md section 2.6).
public enum BMSWarning: Int, RegisterPart {
  public typealias State = ContactState
  /// A cell is high, or the battery too cold.
  case highCellOrLowTemperature = 0
  /// A cell is low.
  case lowCellVoltage = 1
  /// Much current into the battery.
  case highChargeCurrent = 2
  /// Much current out of it.
  case highDischargeCurrent = 3
  /// The BMS itself is hot.
  case highBMSTemperature = 4
  /// The closed contactor drops too much voltage.
  case contactorResistance = 5

  public var name: String {
    switch self {
    case .highCellOrLowTemperature: "High cell voltage or low temperature"
    case .lowCellVoltage: "Low cell voltage"
    case .highChargeCurrent: "High charge current"
    case .highDischargeCurrent: "High discharge current"
    case .highBMSTemperature: "High BMS temperature"
    case .contactorResistance: "Contactor resistance"
    }
  }
}

/// The alarms of 0x210A (vecan.md section 2.6).
public enum BMSAlarm: Int, RegisterPart {
  public typealias State = ContactState
  /// A cell is high, or the battery too cold.
  case highCellOrLowTemperature = 0
  /// A cell is low.
  case lowCellVoltage = 1
  /// Loads will be disconnected.
  case preAlarm = 2
  /// Too much current.
  case highCurrent = 3
  /// The cable to the batteries is lost.
  case batteryCable = 4

  public var name: String {
    switch self {
    case .highCellOrLowTemperature: "High cell voltage or low temperature"
    case .lowCellVoltage: "Low cell voltage"
    case .preAlarm: "Pre-alarm"
    case .highCurrent: "High current"
    case .batteryCable: "Battery cable"
    }
  }
}

/// The Distributors of 0x2150.
public enum DistributorPlace: Int, RegisterPart {
  public typealias State = DistributorLink
  /// Address A.
  case a = 0
  /// Address B.
  case b = 1
  /// Address C.
  case c = 2
  /// Address D.
  case d = 3
  /// Address E; a Lynx Smart BMS knows A to D only (R257).
  case e = 4
  /// Address F.
  case f = 5
  /// Address G.
  case g = 6
  /// Address H.
  case h = 7

  public var name: String { "Distributor \("\(self)".uppercased())" }
}

/// The fuses of one Distributor, 0x2152 to 0x2159. A Lynx Distributor has four (R258).
public enum FusePlace: Int, RegisterPart {
  public typealias State = FuseCondition
  /// Fuse 1.
  case fuse1 = 0
  /// Fuse 2.
  case fuse2 = 1
  /// Fuse 3.
  case fuse3 = 2
  /// Fuse 4.
  case fuse4 = 3
  /// Fuse 5.
  case fuse5 = 4
  /// Fuse 6.
  case fuse6 = 5
  /// Fuse 7.
  case fuse7 = 6
  /// Fuse 8.
  case fuse8 = 7

  public var name: String { "Fuse \(rawValue + 1)" }
}

/// The flags of 0x2100, of which the first 22 are those of 0x0370 too (vecan.md section 2.6).
public enum BMSFlag: Int, RegisterPart {
  public typealias State = FlagState
  /// Full.
  case charged = 0
  /// Nearly full.
  case almostCharged = 1
  /// A cell is low.
  case discharged = 2
  /// The pre-alarm of a low cell.
  case almostDischarged = 3
  /// Current flows in.
  case charging = 4
  /// Current flows out.
  case discharging = 5
  /// Cells are being balanced.
  case balancing = 6
  /// The relay for loads is off.
  case relayDischarged = 7
  /// The relay for chargers is off.
  case relayCharged = 8
  /// A cell is too high.
  case overvoltageAlarm = 9
  /// A cell is high.
  case overvoltageWarning = 10
  /// A cell is too low.
  case undervoltageAlarm = 11
  /// A cell is low.
  case undervoltageWarning = 12
  /// Much current in.
  case chargeCurrentWarning = 13
  /// Much current out.
  case dischargeCurrentWarning = 14
  /// Too hot.
  case overtemperatureAlarm = 15
  /// Hot.
  case overtemperatureWarning = 16
  /// Cold for charging.
  case chargeUndertemperatureWarning = 17
  /// Too cold for charging.
  case chargeUndertemperatureAlarm = 18
  /// Cold for discharging.
  case dischargeUndertemperatureWarning = 19
  /// Too cold for discharging.
  case dischargeUndertemperatureAlarm = 20
  /// State of charge low.
  case lowStateOfCharge = 21
  /// Too cold.
  case undertemperatureAlarm = 22
  /// A short circuit.
  case shortCircuit = 23
  /// A part is broken.
  case hardwareFailure = 24
  /// ATC.
  case allowedToCharge = 25
  /// ATD.
  case allowedToDischarge = 26
  /// The pre-alarm.
  case preAlarm = 27
  /// The closed contactor drops too much voltage.
  case badContactorWarning = 28
  /// Too much current.
  case highCurrentAlarm = 29

  public var name: String { Words.spelled("\(self)") }
}

/// The settings of 0x2103 (vecan.md section 2.6).
public enum BMSOption: Int, RegisterPart {
  public typealias State = FlagState
  /// A low cell is announced before it disconnects the loads (R328).
  case preAlarm = 0
  /// The alarm relay is on without pause (R330).
  case continuousAlarm = 1
  /// The remote input switches on and off.
  case followRemoteInput = 2
  /// DCL is 0 while the pre-alarm is on (R331).
  case preAlarmStopsDischarge = 3
  /// Limits are handed out.
  case dvcc = 4

  public var name: String { self == .dvcc ? "DVCC" : Words.spelled("\(self)") }
}

/// Why a device is off, 0x0207 (vecan.md section 2.1).
public enum OffReason: Int, RegisterPart {
  public typealias State = FlagState
  /// Nothing to take energy from.
  case noInputPower = 0
  /// Its switch.
  case hardSwitch = 1
  /// Somebody switched it off.
  case softSwitch = 2
  /// The remote terminals.
  case remoteInput = 3
  /// A reason of its own.
  case internalReason = 4
  /// Not paid for.
  case payAsYouGo = 5
  /// A BMS.
  case bms = 6
  /// The engine is off.
  case engine = 7
  /// It looks at its inputs.
  case analysing = 8
  /// The battery is too cold.
  case lowBatteryTemperature = 9
  /// No sun.
  case noSolarPower = 10
  /// The battery is empty.
  case lowBattery = 11
  /// The mains are low.
  case lowMains = 12
  /// Its partners are not heard.
  case noCANSync = 13
  /// Too few inverters.
  case tooFewInverters = 14
  /// An alarm.
  case activeAlarm = 15

  public var name: String { self == .noCANSync ? "No CAN sync" : Words.spelled("\(self)") }
}

/// Warnings and alarms of a battery monitor, 0x031C and 0x031E (vecan.md section 2.4).
public enum MonitorReason: Int, RegisterPart {
  public typealias State = FlagState
  /// Voltage low.
  case lowVoltage = 0
  /// Voltage high.
  case highVoltage = 1
  /// State of charge low.
  case lowStateOfCharge = 2
  /// Second voltage low.
  case lowAuxiliaryVoltage = 3
  /// Second voltage high.
  case highAuxiliaryVoltage = 4
  /// Too cold.
  case lowTemperature = 5
  /// Too hot.
  case highTemperature = 6
  /// The middle of the bank is not in the middle.
  case midPointVoltage = 7
  /// Too much load.
  case overload = 8
  /// Too much ripple.
  case ripple = 9
  /// AC low.
  case lowACVoltage = 10
  /// AC high.
  case highACVoltage = 11
  /// A short circuit.
  case shortCircuit = 12
  /// The BMS is locked.
  case bmsLockout = 13
  /// The cable of the BMS is lost.
  case bmsCableFailure = 14

  public var name: String {
    switch self {
    case .lowACVoltage: "Low AC voltage"
    case .highACVoltage: "High AC voltage"
    case .bmsLockout: "BMS lockout"
    case .bmsCableFailure: "BMS cable failure"
    default: Words.spelled("\(self)")
    }
  }
}

/// Why charging or discharging is off, 0xEC44 to 0xEC47 (vecan.md section 2.6).
public enum BlockReason: Int, RegisterPart {
  public typealias State = FlagState
  /// The battery.
  case battery = 0
  /// Voltage low.
  case lowInputVoltage = 1
  /// Too hot.
  case highTemperature = 2
  /// The remote terminals.
  case remoteInput = 3
  /// A reason of its own.
  case internalReason = 4
  /// Too much current.
  case overload = 5
  /// The battery voltage is high.
  case highBatteryVoltage = 6
  /// Somebody switched it off.
  case softSwitch = 7

  public var name: String { Words.spelled("\(self)") }
}

/// What a device can do, 0x0144 (vecan.md section 2.1).
public enum BMSCapability: Int, RegisterPart {
  public typealias State = FlagState
  /// It announces a low cell.
  case preAlarm = 0

  public var name: String { "Pre-alarm" }
}

/// Names made of the words of a case.
enum Words {
  /// `lowBatteryTemperature` as `Low battery temperature`.
  static func spelled(_ identifier: String) -> String {
    var text = ""
    for character in identifier {
      if character.isUppercase { text.append(" ") }
      text += text.isEmpty ? character.uppercased() : character.lowercased()
    }
    return text
  }
}
