import BMSCore
import NMEA2000
import VECan

/// Registers that are settings of the core, or fixed numbers of it (R325-R345, R345). What a setting may be is the
/// core's table; here is only how a register counts it.
enum SettingRegisters {
  /// They, in no order.
  static let all: [Register] = [
    .batteryCapacity, .chargedVoltage, .tailCurrent, .chargedDetectionTime, .chargeEfficiency, .peukertExponent,
    .currentThreshold, .dischargeFloor, .minimumStateOfCharge, .nominalVoltage, .nominalSystemVoltage,
    .batteriesInParallel, .batteryConfiguration, .minimumChargeTemperature, .bmsOptions, .bmsRelayMode,
  ]

  /// The one setting behind a register, and how many of the register's units one of the setting's is and where its zero
  /// lies; nil for a register that is none or several.
  private static func link(_ register: Register, _ settings: Settings) -> (Setting, scale: Double, offset: Double)? {
    switch register {
    case .batteryCapacity: (.batteryCapacity, 1, 0)
    // Kept per 12 V, told as the bank's volts.
    case .chargedVoltage: (.chargedVoltage, settings.bankFactor, 0)
    case .tailCurrent: (.tailCurrent, 1, 0)
    case .chargedDetectionTime: (.chargedDetectionTime, 60, 0)
    // Both name the discharge floor: the first for every battery monitor, the second for a Lynx.
    case .dischargeFloor, .minimumStateOfCharge: (.dischargeFloor, 1, 0)
    case .nominalVoltage: (.nominalVoltage, 1, 0)
    case .batteriesInParallel: (.batteriesInParallel, 1, 0)
    case .minimumChargeTemperature: (.minimumChargeTemperature, 1, 273.15)
    case .bmsRelayMode: (.relayAlternator, 1, 0)
    default: nil
    }
  }

  /// The register's value; nil for one that is no setting.
  static func message(_ register: Register, _ settings: Settings) -> RegisterMessage? {
    switch register {
    case .chargeEfficiency: return RegisterMessage(register, .value((Settings.chargeEfficiency * 100).rounded()))
    case .peukertExponent: return RegisterMessage(register, .value((Settings.peukertExponent * 100).rounded()))
    case .currentThreshold: return RegisterMessage(register, .value(Settings.currentThreshold))
    case .nominalSystemVoltage: return RegisterMessage(register, .value(settings[.nominalVoltage]))
    case .bmsRelayMode: return RegisterMessage(register, code: settings[.relayAlternator] != 0 ? 1 : 0)
    case .batteryConfiguration:
      // How many batteries make a string, and with how many cells each, nobody told.
      var message = RegisterMessage(register)
      message.set(.value(settings[.batteriesInParallel]), field: 2, of: register)
      return message
    case .bmsOptions:
      var message = RegisterMessage(register)
      message[BMSOption.preAlarm] = settings[.preAlarm] != 0
      message[BMSOption.continuousAlarm] = settings[.relayIntermittent] == 0
      // The remote terminals are followed wherever they are wired (R39, R44), and limits are always handed out.
      message[BMSOption.followRemoteInput] = true
      message[BMSOption.preAlarmStopsDischarge] = settings[.dischargeLimitAtPreAlarm] != 0
      message[BMSOption.dvcc] = true
      return message
    default:
      guard let (setting, scale, offset) = link(register, settings) else { return nil }
      return RegisterMessage(register, .value(settings[setting] * scale + offset))
    }
  }

  /// The settings that a written register asks for; nil when it asks for something that no setting is.
  static func changes(_ message: RegisterMessage, of register: Register, _ settings: Settings) -> [(Setting, Double)]? {
    if register == .bmsOptions { return options(message, settings) }
    guard let (setting, scale, offset) = link(register, settings) else { return nil }
    if register == .bmsRelayMode { return message.code(register).map { [(setting, Double($0))] } }
    guard case .value(let number)? = message.number(register) else { return nil }
    // The steps of a register are decimals; what is left of the division is noise of binary fractions.
    return [(setting, (((number - offset) / scale) * 1e6).rounded() / 1e6)]
  }

  /// Flags that cannot be set here must be asked for as they are.
  private static func options(_ message: RegisterMessage, _ settings: Settings) -> [(Setting, Double)]? {
    guard var rest = self.message(.bmsOptions, settings), message.holds(Register.bmsOptions.definition) else {
      return nil
    }
    for option in [BMSOption.preAlarm, .continuousAlarm, .preAlarmStopsDischarge] {
      let isSet: Bool = message[option]
      rest[option] = isSet
    }
    guard rest.value.bytes == message.value.bytes else { return nil }
    return [
      (.preAlarm, message[BMSOption.preAlarm] ? 1 : 0),
      (.relayIntermittent, message[BMSOption.continuousAlarm] ? 0 : 1),
      (.dischargeLimitAtPreAlarm, message[BMSOption.preAlarmStopsDischarge] ? 1 : 0),
    ]
  }
}
