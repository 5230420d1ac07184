// What is wrong with the wiring of a role: with the module that is commanded, or with who feeds an input. The device
// that speaks to the modules finds it; here it becomes an alarm with its reason (design section 4).

/// A role that is wired to a place outside.
public enum WiredRole: UInt8, Sendable, Hashable, CaseIterable {
  /// Battery voltage, current and temperature.
  case monitor
  /// Cell voltages.
  case cells
  /// Voltage on the system side of the contactor.
  case systemVoltage
  /// A temperature sensor of its own.
  case batteryTemperature
  /// The contactor's auxiliary contact.
  case contactorFeedback
  /// The second contactor's auxiliary contact (R77).
  case secondContactorFeedback
  /// The busbar's thermal switch (R72).
  case thermalSwitch
  /// The other busbar's thermal switch.
  case secondThermalSwitch
  /// The remote on/off input (R40).
  case remote
  /// The battery's low cell signal.
  case lowCellSignal
  /// The battery's pre-alarm signal.
  case preAlarmSignal
  /// The battery's high cell signal.
  case highCellSignal
  /// The battery's low temperature signal.
  case lowTemperatureSignal
  /// The battery's high temperature signal.
  case highTemperatureSignal
  /// Whether the battery's signal cable is there (R99).
  case batteryCable
  /// Lynx Distributor A (R257).
  case distributorA
  /// Lynx Distributor B.
  case distributorB
  /// Lynx Distributor C.
  case distributorC
  /// Lynx Distributor D.
  case distributorD
  /// A temperature of the BMS's own place (R115).
  case bmsTemperature
  /// Whether a fan turns (R116).
  case fan
  /// Whether the other fan turns.
  case secondFan
  /// Whether the supply of the BMS and its modules is good (R78).
  case supply
  /// The contactor.
  case contactor
  /// The second contactor of a model 1000.
  case secondContactor
  /// The pre-charge switch.
  case precharge
  /// ATC.
  case allowToCharge
  /// ATD.
  case allowToDischarge
  /// The programmable relay.
  case relay
  /// AUX.
  case auxiliary

  /// The words used in reasons.
  public var name: String {
    switch self {
    case .monitor: "battery monitor"
    case .cells: "cell voltages"
    case .systemVoltage: "system voltage"
    case .batteryTemperature: "battery temperature"
    case .contactorFeedback: "contactor feedback"
    case .secondContactorFeedback: "second contactor feedback"
    case .thermalSwitch: "thermal switch"
    case .secondThermalSwitch: "second thermal switch"
    case .remote: "remote on/off"
    case .lowCellSignal: "low cell signal"
    case .preAlarmSignal: "pre-alarm signal"
    case .highCellSignal: "high cell signal"
    case .lowTemperatureSignal: "low temperature signal"
    case .highTemperatureSignal: "high temperature signal"
    case .batteryCable: "battery cable"
    case .distributorA: "Distributor A"
    case .distributorB: "Distributor B"
    case .distributorC: "Distributor C"
    case .distributorD: "Distributor D"
    case .bmsTemperature: "BMS temperature"
    case .fan: "fan"
    case .secondFan: "second fan"
    case .supply: "supply"
    case .contactor: "contactor"
    case .secondContactor: "second contactor"
    case .precharge: "pre-charge"
    case .allowToCharge: "ATC"
    case .allowToDischarge: "ATD"
    case .relay: "relay"
    case .auxiliary: "AUX"
    }
  }

  /// Whether it is commanded; the others are heard.
  public var isOutput: Bool { rawValue >= WiredRole.contactor.rawValue }
}

/// What is wrong with the wiring of a role.
public enum WiringFault: UInt8, Sendable, Hashable, CaseIterable {
  /// The module answers that it will not.
  case refused
  /// The module answers that it has no such switch, or takes no such command.
  case notSupported
  /// The module is there and neither answers nor acts.
  case unanswered
  /// The module took the command, and its switch is where it was.
  case notActing
  /// The switch moved without a command.
  case actedUnasked
  /// The module was never heard, or is not heard any more.
  case lost
  /// The module says that its switch is faulty.
  case faulty
  /// Two senders fit the role, and neither is used.
  case ambiguous

  /// The words used in reasons.
  public var text: String {
    switch self {
    case .refused: "the module refuses the command"
    case .notSupported: "the module does not support the command"
    case .unanswered: "the module does not answer the command"
    case .notActing: "the module took the command and does not act"
    case .actedUnasked: "switched without being commanded"
    case .lost: "its module is not heard"
    case .faulty: "the module reports a fault of its switch"
    case .ambiguous: "two senders fit, and neither is used"
    }
  }

  /// The alarm that tells of it.
  var alarm: Alarm {
    switch self {
    case .refused, .notSupported: .switchRefused
    case .unanswered, .notActing, .faulty: .switchNotFollowing
    case .actedUnasked: .switchedUnasked
    case .lost: .moduleLost
    case .ambiguous: .senderAmbiguous
    }
  }
}

/// One thing that is wrong: where and what.
public struct WiringFinding: Sendable, Hashable {
  /// The role.
  public let role: WiredRole
  /// The fault.
  public let fault: WiringFault
}

/// All that is wrong with the wiring now.
public struct WiringFaults: Sendable, Hashable {
  /// For each fault one bit for each role.
  private var roles = InlineArray<8, UInt32>(repeating: 0)

  /// Nothing is wrong.
  public init() {}

  /// Whether nothing is wrong.
  public var isEmpty: Bool {
    for index in roles.indices where roles[index] != 0 { return false }
    return true
  }

  /// Whether this fault is there for this role.
  public subscript(fault: WiringFault, role: WiredRole) -> Bool {
    get { roles[Int(fault.rawValue)] & 1 << UInt32(role.rawValue) != 0 }
    set {
      let bit = UInt32(1) << UInt32(role.rawValue)
      if newValue { roles[Int(fault.rawValue)] |= bit } else { roles[Int(fault.rawValue)] &= ~bit }
    }
  }

  /// The first of the faults that this alarm tells of: outputs before inputs, for what cannot be switched matters most.
  func first(of alarm: Alarm) -> WiringFinding? {
    for fault in WiringFault.allCases where fault.alarm == alarm {
      let bits = roles[Int(fault.rawValue)]
      guard bits != 0 else { continue }
      let outputs = bits & UInt32.max << UInt32(WiredRole.contactor.rawValue)
      let bit = (outputs != 0 ? outputs : bits).trailingZeroBitCount
      if let role = WiredRole(rawValue: UInt8(bit)) { return WiringFinding(role: role, fault: fault) }
    }
    return nil
  }

  /// The alarms that tell of it.
  var alarms: AlarmSet {
    var alarms = AlarmSet()
    guard !isEmpty else { return alarms }
    for fault in WiringFault.allCases where roles[Int(fault.rawValue)] != 0 { alarms.insert(fault.alarm) }
    return alarms
  }

  /// Whether both are the same.
  public static func == (left: WiringFaults, right: WiringFaults) -> Bool {
    for index in left.roles.indices where left.roles[index] != right.roles[index] { return false }
    return true
  }

  /// Hashes every bit.
  public func hash(into hasher: inout Hasher) {
    for index in roles.indices { hasher.combine(roles[index]) }
  }
}
