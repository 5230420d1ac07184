import BMSCore
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import VECan

/// Everything that the device sends by itself, in the order in which it goes out when all is due: limits first.
enum Publication: Int, CaseIterable {
  case chargeCurrentLimit
  case dischargeCurrentLimit
  case chargeVoltageLimit
  case dischargeVoltageLimit
  case limitsFrame
  case switchBank
  case contacts
  case alarms
  case alarmsFrame
  case state
  case flags
  case error
  case mode
  case deviceState
  case distributors
  case fusesA
  case fusesB
  case fusesC
  case fusesD
  case batteryStatus
  case detailedStatus
  case stateOfChargeFrame
  case measurementsFrame
  case manufacturerFrame
  case productFrame
  case cellsFrame
  case modulesFrame
  case lowestCellFrame
  case highestCellFrame
  case coldestCellFrame
  case hottestCellFrame
  case energyFrame
  case installedCapacityFrame
  case nameFrame
  case secondNameFrame
  case serialFrame
  case secondSerialFrame
  case familyFrame

  /// How often it is sent when nothing changes.
  ///
  /// 127506 and 127508: 1.5 s, NMEA's default. 127501 has none; registers are unknown for a Lynx (vecan.md 3.6), VELIB
  /// repeats each 5 s: 1.5 s for what decides about currents, so that a charger that wakes up knows its limits within two seconds at 0.3 % of
  /// the bus. 11-bit frames: 1 s, names 10 s (dvcc-dbus.md A.1).
  var interval: TimeSpan {
    switch self {
    case .limitsFrame, .alarmsFrame, .stateOfChargeFrame, .measurementsFrame, .cellsFrame: .seconds(1)
    case .manufacturerFrame, .productFrame, .modulesFrame, .lowestCellFrame, .highestCellFrame, .coldestCellFrame,
      .hottestCellFrame, .energyFrame, .installedCapacityFrame, .nameFrame, .secondNameFrame, .serialFrame,
      .secondSerialFrame, .familyFrame:
      .seconds(10)
    case .flags, .error, .mode, .deviceState, .distributors, .fusesA, .fusesB, .fusesC, .fusesD: .seconds(5)
    default: .milliseconds(1500)
    }
  }

  /// Whether a change is sent before the interval is over. Measurements change all the time and wait.
  var isSentOnChange: Bool {
    switch self {
    case .batteryStatus, .detailedStatus, .stateOfChargeFrame, .measurementsFrame, .manufacturerFrame, .productFrame,
      .cellsFrame, .modulesFrame, .lowestCellFrame, .highestCellFrame, .coldestCellFrame, .hottestCellFrame,
      .energyFrame, .installedCapacityFrame, .nameFrame, .secondNameFrame, .serialFrame, .secondSerialFrame,
      .familyFrame:
      false
    default: true
    }
  }

  /// The PGN, for those whose interval 126208 can set and 59904 can ask for.
  var pgn: PGN? {
    switch self {
    case .batteryStatus: BatteryStatus.definition.pgn
    case .detailedStatus: DCDetailedStatus.definition.pgn
    case .switchBank: BinarySwitchBankStatus.definition.pgn
    default: nil
    }
  }
}

extension Publication {
  /// Whether it is an 11-bit frame.
  var isFrame: Bool { pgn == nil && register == nil }

  /// The register that it is; nil for a PGN and a frame.
  var register: Register? {
    switch self {
    case .chargeVoltageLimit: .chargeVoltageLimit
    case .chargeCurrentLimit: .chargeCurrentLimit
    case .dischargeVoltageLimit: .dischargeVoltageLimit
    case .dischargeCurrentLimit: .dischargeCurrentLimit
    case .contacts: .bmsContacts
    case .alarms: .bmsConditions
    case .state: .bmsState
    case .flags: .bmsFlags
    case .error: .bmsError
    case .mode: .deviceMode
    case .deviceState: .deviceState
    case .distributors: .distributors
    case .fusesA: .fusesA
    case .fusesB: .fusesB
    case .fusesC: .fusesC
    case .fusesD: .fusesD
    default: nil
    }
  }
}

/// What a publication says at one moment.
enum Content: Equatable {
  case status(BatteryStatus)
  case detailed(DCDetailedStatus)
  case bank(BinarySwitchBankStatus)
  case register(RegisterMessage)
  case frame(CANDataFrame)
}
