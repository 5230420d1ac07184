/// Names for the codes of a field, as canboat prints them.
///
/// A case, not a table, so that a ``Field`` stays plain data. A new lookup is a case, its line in ``names``, and its
/// table in a file of this folder.
public enum Lookup: Sendable, Hashable, CaseIterable {
  /// Off and on, where 2 is an error and 3 not available.
  case offOn
  /// Off and on as an order, where 3 changes nothing (127502).
  case offOnControl
  /// No and yes.
  case noYes
  /// No and yes in a single bit.
  case noYesBit
  /// Who made a device; assigned by NMEA.
  case manufacturer
  /// The industry that a NAME or proprietary message belongs to.
  case industry
  /// What a device is for.
  case deviceClass
  /// What kind of source a DC system has.
  case dcType
  /// What a charger is doing.
  case chargerState
  /// How chargers share the work.
  case chargerMode
  /// What an inverter is doing.
  case inverterState
  /// How the electrolyte of a battery is held.
  case batteryType
  /// The voltage that a battery is sold as.
  case batteryVoltage
  /// What a battery is made of.
  case batteryChemistry
  /// How far a device was certified.
  case certificationLevel
  /// The state of a CAN controller.
  case controllerState
  /// Whether the equipment behind a node works.
  case equipmentStatus
  /// Which list of PGNs follows (126464).
  case pgnListFunction
  /// The answer of an ISO acknowledgement (59392).
  case isoControl
  /// What a group function does (126208).
  case groupFunction
  /// The priority that a command asks for (126208).
  case groupPriority
  /// What was wrong with a PGN (126208).
  case pgnError
  /// What was wrong with an interval or priority (126208).
  case intervalError
  /// What was wrong with a parameter (126208).
  case parameterError
  /// What a BMS of Victron is doing (register 0x2102).
  case bmsState
  /// A condition that a BMS of Victron watches (register 0x2107).
  case alarmLevel
  /// An input or output of a BMS of Victron (register 0x2108).
  case contactState
  /// What a device of Victron is told to be (register 0x0200).
  case deviceMode
  /// What a device of Victron is doing (register 0x0201).
  case deviceState
  /// What is wrong with a BMS of Victron (register 0x2101).
  case bmsError
  /// What moves the relay of a BMS of Victron (register 0x2104).
  case bmsRelayMode
  /// Whether cells are balanced (register 0xEA15).
  case balancerStatus
  /// A Lynx Distributor (register 0x2150).
  case distributorLink
  /// A fuse of a Lynx Distributor (registers 0x2152 to 0x2159).
  case fuseCondition

  /// The name of each known code.
  public var names: [UInt32: String] {
    switch self {
    case .offOn: [0: "Off", 1: "On"]
    case .offOnControl: [0: "Off", 1: "On", 2: "Reserved", 3: "Take no action (no change)"]
    case .noYes, .noYesBit: [0: "No", 1: "Yes"]
    case .manufacturer: Self.manufacturers
    case .industry: Self.industries
    case .deviceClass: Self.deviceClasses
    case .dcType: Self.dcTypes
    case .chargerState: Self.chargerStates
    case .chargerMode: Self.chargerModes
    case .inverterState: Self.inverterStates
    case .batteryType: Self.batteryTypes
    case .batteryVoltage: Self.batteryVoltages
    case .batteryChemistry: Self.batteryChemistries
    case .certificationLevel: [0: "Level A", 1: "Level B"]
    case .controllerState: [0: "Error Active", 1: "Error Passive", 2: "Bus Off"]
    case .equipmentStatus: [0: "Operational", 1: "Fault"]
    case .pgnListFunction: [0: "Transmit PGN list", 1: "Receive PGN list"]
    case .isoControl: [0: "ACK", 1: "NAK", 2: "Access Denied", 3: "Address Busy"]
    case .groupFunction: Self.groupFunctions
    case .groupPriority: Self.groupPriorities
    case .pgnError: Self.pgnErrors
    case .intervalError: Self.intervalErrors
    case .parameterError: Self.parameterErrors
    case .bmsState: Self.bmsStates
    case .alarmLevel: [0: "not supported", 1: "ok", 2: "warning", 3: "alarm"]
    case .contactState: [0: "not available", 1: "yes", 2: "no"]
    case .deviceMode: Self.deviceModes
    case .deviceState: Self.deviceStates
    case .bmsError: Self.bmsErrors
    case .bmsRelayMode: [0: "alarm", 1: "alternator ATC"]
    case .balancerStatus: [0: "unknown", 1: "balanced", 2: "balancing", 3: "imbalance"]
    case .distributorLink: [0: "not available", 1: "connected", 2: "no power", 3: "communication lost"]
    case .fuseCondition: [0: "not available", 1: "not used", 2: "ok", 3: "blown"]
    }
  }

  /// The name of a code; nil for a code without one.
  public func name(of code: UInt32) -> String? { names[code] }
}
