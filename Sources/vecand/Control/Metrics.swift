import BMSCore
import ControlAPI
import MonotonicTime

/// `GET /metrics`: what a monitoring system draws and alerts on.
enum Metrics {
  static func text(_ snapshot: EngineSnapshot) -> String {
    let device = snapshot.device
    let status = StatusReport(snapshot)
    var metrics = OpenMetrics()
    metrics.family("vecand", .info, "The daemon.")
    metrics.sample("vecand_info", [("version", status.version), ("name", status.name)], 1)
    metrics.gauge(
      "vecand_all_right", "1 while there is nothing that an operator should know of.", status.isAllRight ? 1 : 0)
    metrics.gauge("vecand_uptime_seconds", unit: "seconds", "Since the daemon started.", status.uptimeSeconds)
    metrics.states(
      "vecand_mode", "The mode (R32).", OperatingMode.allCases.map(\.rawValue), now: status.mode.rawValue)
    metrics.gauge("vecand_state", "The state number on a GX device (R63).", Double(status.stateNumber))

    metrics.gauge(
      "vecand_battery_voltage_volts", unit: "volts", "Battery voltage, while it is measured.", status.voltageVolts)
    metrics.gauge(
      "vecand_battery_current_amperes", unit: "amperes", "Battery current, charge positive.", status.currentAmperes)
    metrics.gauge("vecand_battery_power_watts", unit: "watts", "Power, charge positive.", status.powerWatts)
    metrics.gauge(
      "vecand_battery_temperature_celsius", unit: "celsius", "Battery temperature.", status.temperatureCelsius)
    metrics.gauge(
      "vecand_battery_soc_percent", unit: "percent", "State of charge, 0 to 100.", status.stateOfCharge?.percent)
    metrics.gauge(
      "vecand_battery_soc_trusted", "1 once the state of charge was synchronised or set (R182).",
      status.stateOfCharge.map { $0.isTrusted ? 1 : 0 })
    metrics.gauge(
      "vecand_battery_consumed_ampere_hours", unit: "ampere_hours", "Since the last full charge, 0 or negative.",
      status.consumedAmpereHours)
    metrics.gauge(
      "vecand_battery_time_to_go_seconds", unit: "seconds", "Until the discharge floor, below 10 days.",
      status.timeToGoSeconds)
    metrics.family("vecand_cell_voltage_volts", .gauge, unit: "volts", "The lowest and the highest cell.")
    metrics.sample("vecand_cell_voltage_volts", [("cell", "lowest")], status.lowestCell?.volts)
    metrics.sample("vecand_cell_voltage_volts", [("cell", "highest")], status.highestCell?.volts)

    let limits = status.limits
    metrics.gauge("vecand_charge_allowed", "1 while charging is allowed (ATC).", limits.isChargeAllowed ? 1 : 0)
    metrics.gauge(
      "vecand_discharge_allowed", "1 while discharging is allowed (ATD).", limits.isDischargeAllowed ? 1 : 0)
    metrics.gauge(
      "vecand_charge_voltage_limit_volts", unit: "volts", "CVL, while there is one.", limits.chargeVoltageVolts)
    metrics.gauge(
      "vecand_charge_current_limit_amperes", unit: "amperes", "CCL, while there is one.", limits.chargeCurrentAmperes)
    metrics.gauge(
      "vecand_discharge_current_limit_amperes", unit: "amperes", "DCL, while there is one.",
      limits.dischargeCurrentAmperes)
    metrics.gauge(
      "vecand_contactor_closed", "1 while its feedback says that the contactor is closed.",
      status.contacts.isContactorClosed.map { $0 ? 1 : 0 })
    metrics.family("vecand_alarm_active", .gauge, "1 for each alarm that is active.")
    for alarm in status.alarms {
      metrics.sample("vecand_alarm_active", [("code", alarm.code), ("severity", alarm.severity)], 1)
    }

    metrics.gauge("vecand_link_up", "1 while the interface carries frames.", snapshot.link.carriesFrames ? 1 : 0)
    let statistics = device.status.statistics
    metrics.counter("vecand_frames_received", "Frames taken from the bus.", Double(statistics.framesReceived))
    metrics.counter("vecand_messages_sent", "Messages given to the bus.", Double(statistics.messagesSent))
    metrics.family("vecand_frames_lost", .counter, "Frames and messages lost, by where.")
    let losses = snapshot.losses
    for (cause, count) in [
      ("kernel", losses.kernelDrops), ("can_fd", losses.canFDRefused), ("malformed", losses.malformed),
      ("expired", losses.expired), ("overflowed", losses.overflowed),
    ] {
      metrics.sample("vecand_frames_lost_total", [("cause", cause)], Double(count))
    }

    let history = device.history
    metrics.gauge(
      "vecand_history_charge_cycles", "Charge cycles since the history was cleared (R184).",
      Double(history.chargeCycles))
    metrics.gauge(
      "vecand_history_charged_kilowatt_hours", unit: "kilowatt_hours", "Energy in, since then (R189).",
      history.chargedEnergy)
    metrics.gauge(
      "vecand_history_discharged_kilowatt_hours", unit: "kilowatt_hours", "Energy out, since then (R189).",
      history.dischargedEnergy)
    return metrics.finished()
  }
}
