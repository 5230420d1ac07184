public import NMEA2000

/// 0x2102: the BMS's state (R63, vecan.md section 2.6).
public struct BMSStateRegister: Register {
  static let field = Field.lookup("State", at: 0, bits: 8, .bmsState)
  public static let definition = RegisterDefinition(0x2102, "BMS state", length: 1, fields: [field])
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// 0...8 initialising, 9 running, 10 error, 12 shutdown, 13 updating, 14 standby, 15 going to run, 16 pre-charging,
  /// 17 contactor check, 18 pending.
  public var state: Reading<Int> {
    get { value.code(Self.field).map { Int($0) } }
    set { value.set(Self.field, code: newValue.map { UInt32(clamping: $0) }) }
  }
}

/// One condition of 0x2107.
public enum AlarmLevel: UInt8, Sendable {
  /// The BMS has no such function.
  case unsupported = 0
  /// All is well.
  case fine = 1
  /// It will lead to a shutdown if ignored.
  case warning = 2
  /// It has acted.
  case alarm = 3
}

/// 0x2107: warnings and alarms, two bits each (vecan.md section 2.7).
public struct BMSAlarmsRegister: Register {
  /// The conditions, by the number of their bit pair.
  public enum Condition: Int, CaseIterable, Sendable {
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

    /// The condition, for people.
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

  public static let definition = RegisterDefinition(
    0x2107, "BMS warnings and alarms", length: 4,
    fields: Condition.allCases.map { .lookup($0.name, at: $0.rawValue * 2, bits: 2, .alarmLevel) })
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// The register with every condition unsupported.
  public init() { value = ShortPayload(littleEndian: 0, count: 4) }

  /// The level of one condition.
  public subscript(condition: Condition) -> AlarmLevel {
    get { AlarmLevel(rawValue: UInt8(value.bits(at: condition.rawValue * 2, count: 2) ?? 0)) ?? .unsupported }
    set { value.setBits(at: condition.rawValue * 2, count: 2, to: UInt64(newValue.rawValue)) }
  }
}

/// One contact of 0x2108.
public enum ContactState: UInt8, Sendable {
  /// Not known, or there is none.
  case notAvailable = 0
  /// Closed, on, allowed.
  case yes = 1
  /// Open, off, not allowed.
  case no = 2

  /// The state of a contact that is known or not.
  public init(_ isOn: Bool?) {
    self = isOn.map { $0 ? .yes : .no } ?? .notAvailable
  }
}

/// 0x2108: inputs and outputs, two bits each (vecan.md section 2.7).
public struct BMSContactsRegister: Register {
  /// The contacts, by the number of their bit pair.
  public enum Contact: Int, CaseIterable, Sendable {
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

    /// The contact, for people.
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

  public static let definition = RegisterDefinition(
    0x2108, "BMS inputs and outputs", length: 2,
    fields: Contact.allCases.map { .lookup($0.name, at: $0.rawValue * 2, bits: 2, .contactState) })
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// The register with every contact not available.
  public init() { value = ShortPayload(littleEndian: 0, count: 2) }

  /// The state of one contact.
  public subscript(contact: Contact) -> ContactState {
    get { ContactState(rawValue: UInt8(value.bits(at: contact.rawValue * 2, count: 2) ?? 0)) ?? .notAvailable }
    set { value.setBits(at: contact.rawValue * 2, count: 2, to: UInt64(newValue.rawValue)) }
  }
}
