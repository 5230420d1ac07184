import BMSCore
import MonotonicTime
import NMEA2000
import VECan

/// Registers that tell what happened to the battery (area J). What never was is not available, not zero and not absolute
/// zero (R193).
enum HistoryRegisters {
  /// They, in no order.
  static let all: [Register] = [
    .deepestDischarge, .lastDischarge, .averageDischarge, .chargeCycles, .fullDischarges, .cumulativeDrawn,
    .minimumVoltage, .maximumVoltage, .secondsSinceFullCharge, .automaticSynchronisations, .lowVoltageAlarms,
    .highVoltageAlarms, .dischargedEnergy, .chargedEnergy, .maximumTemperature, .minimumTemperature,
    .cellVoltageHistory, .lastErrors, .lastErrorTime1, .lastErrorTime2, .lastErrorTime3, .lastErrorTime4,
    .lastErrorUptime1, .lastErrorUptime2, .lastErrorUptime3, .lastErrorUptime4,
  ]

  /// The register's value; nil for one that is no history.
  ///
  /// - Parameters:
  ///   - sinceFullCharge: seconds.
  ///   - uptime: how long the program runs.
  static func message(
    _ register: Register, _ history: History, sinceFullCharge: Double?, uptime: TimeSpan
  ) -> RegisterMessage? {
    switch register {
    case .deepestDischarge: RegisterMessage(register, Reading(history.deepestDischarge))
    case .lastDischarge: RegisterMessage(register, Reading(history.lastDischarge))
    case .averageDischarge: RegisterMessage(register, Reading(history.averageDischarge))
    case .chargeCycles: RegisterMessage(register, .value(Double(history.chargeCycles)))
    case .fullDischarges: RegisterMessage(register, .value(Double(history.fullDischarges)))
    // Negative, as real units tell it (vecan.md section 2.2).
    case .cumulativeDrawn: RegisterMessage(register, .value(-history.drawnAmpereHours))
    case .minimumVoltage: RegisterMessage(register, Reading(history.lowestVoltage))
    case .maximumVoltage: RegisterMessage(register, Reading(history.highestVoltage))
    case .secondsSinceFullCharge: RegisterMessage(register, Reading(sinceFullCharge?.rounded(.down)))
    case .automaticSynchronisations: RegisterMessage(register, .value(Double(history.synchronisations)))
    // Not counted by the core.
    case .lowVoltageAlarms, .highVoltageAlarms: RegisterMessage(register)
    case .dischargedEnergy: RegisterMessage(register, .value(history.dischargedEnergy))
    case .chargedEnergy: RegisterMessage(register, .value(history.chargedEnergy))
    case .maximumTemperature: RegisterMessage(register, Reading(history.highestTemperature.map { $0 + 273.15 }))
    case .minimumTemperature: RegisterMessage(register, Reading(history.lowestTemperature.map { $0 + 273.15 }))
    case .cellVoltageHistory: RegisterMessage(register, Reading(history.lowestCell), Reading(history.highestCell))
    case .lastErrors: lastErrors(history)
    // The core knows no wall time (design rule 6).
    case .lastErrorTime1, .lastErrorTime2, .lastErrorTime3, .lastErrorTime4: RegisterMessage(register)
    case .lastErrorUptime1: errorUptime(register, 0, history, uptime)
    case .lastErrorUptime2: errorUptime(register, 1, history, uptime)
    case .lastErrorUptime3: errorUptime(register, 2, history, uptime)
    case .lastErrorUptime4: errorUptime(register, 3, history, uptime)
    default: nil
    }
  }

  private static func lastErrors(_ history: History) -> RegisterMessage {
    var bits = UInt128.zero
    for (place, error) in history.lastErrors.prefix(4).enumerated() {
      bits |= UInt128(UInt8(clamping: error.gxNumber)) << UInt128(place * 8)
    }
    return RegisterMessage(Register.lastErrors.id, value: ShortPayload(littleEndian: bits, count: 4))
  }

  /// When an error was raised, on the clock of 0x0120; not available for one of an earlier run.
  private static func errorUptime(
    _ register: Register, _ place: Int, _ history: History, _ uptime: TimeSpan
  ) -> RegisterMessage {
    guard history.lastErrors.indices.contains(place) else { return RegisterMessage(register) }
    let age = history.runningSeconds - history.lastErrors[place].at
    let instant = uptime.seconds - age
    return RegisterMessage(register, instant >= 0 ? .value(instant.rounded(.down)) : .notAvailable)
  }
}
