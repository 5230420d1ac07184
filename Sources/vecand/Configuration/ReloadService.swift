import BMSCore
import BMSDevice
import Logging
import ServiceLifecycle
import UnixSignals

/// SIGHUP reads the configuration file again: `systemctl kill -s SIGHUP vecand`.
///
/// It is judged whole before anything changes; with an error the old one stays in force. Settings and fuse names change at
/// once. What is wired changes with a restart only: a role that moves to another sender is silent until that one is heard,
/// and that is no state to drift into while a contactor is closed.
struct ReloadService: Service {
  /// Reads the file, with what the command line says over it.
  let read: @Sendable () throws -> Configuration
  /// What was read the last time and is in force.
  let configuration: Configuration
  let mailbox: Mailbox
  let logger: Logger

  func run() async throws {
    var inForce = configuration
    for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
      inForce = await reload(inForce)
    }
  }

  /// The configuration that is in force afterwards.
  func reload(_ old: Configuration) async -> Configuration {
    let new: Configuration
    do {
      new = try read()
    } catch {
      logger.error("SIGHUP: the configuration is refused, the old one stays in force: \(error)")
      return old
    }
    for remark in new.remarks { logger.warning("\(remark)") }
    let answer: SettingError?? = await mailbox.ask(within: ControlDesk.patience) {
      .reconfigure(new.device.settings, new.device.fuseNames, $0)
    }
    guard let answer else {
      logger.error("SIGHUP: the engine does not answer, the old configuration stays in force")
      return old
    }
    if let refusal = answer {
      logger.error(
        """
        SIGHUP: the configuration contradicts what was set at run time, the old one stays in force: \(refusal.finding); \
        change the file, or give it back to the file (vecanctl set KEY --reset)
        """)
      return old
    }
    for line in Self.changes(from: old, to: new) { logger.notice("SIGHUP: \(line)") }
    let waiting = new.keysThatDiffer(from: old)
    if !waiting.isEmpty {
      logger.warning("SIGHUP: \(waiting.joined(separator: ", ")) changed and are in force after a restart only")
    }
    // What waits for a restart is told again with the next reload.
    var inForce = old
    inForce.device.settings = new.device.settings
    inForce.device.fuseNames = new.device.fuseNames
    return inForce
  }

  /// What changed at once; that nothing did is worth a line too.
  static func changes(from old: Configuration, to new: Configuration) -> [String] {
    var lines: [String] = []
    for setting in Setting.allCases where old.device.settings[setting] != new.device.settings[setting] {
      let (before, after) = (old.device.settings[setting], new.device.settings[setting])
      lines.append("\(setting.assignment(of: after)) (was \(before.text(upTo: 3)))")
    }
    for (index, name) in new.device.fuseNames.names.enumerated() where old.device.fuseNames.names[index] != name {
      lines.append("fuses.fuse_\(index + 1) = \"\(name)\"")
    }
    return lines.isEmpty ? ["no setting changed"] : lines
  }
}

extension Configuration {
  /// The keys that are in force after a restart only and differ: tables for what is wired, keys for the rest.
  func keysThatDiffer(from other: Configuration) -> [String] {
    var keys: [String] = []
    func compare<Value: Equatable>(_ key: String, _ value: KeyPath<Configuration, Value>) {
      if self[keyPath: value] != other[keyPath: value] { keys.append(key) }
    }
    compare("bus.interface", \.interface)
    compare("bus.battery_interface", \.batteryBus?.interface)
    compare("bus.battery_bitrate", \.batteryBus?.bitrate)
    compare("[identity]", \.device.identity)
    compare("[inputs.monitor]", \.device.monitor)
    compare("[inputs.cells]", \.device.cells)
    compare("[inputs.system_voltage]", \.device.systemVoltage)
    compare("[inputs.battery_temperature]", \.device.batteryTemperature)
    compare("[inputs.bms_temperature]", \.device.bmsTemperature)
    for role in WiredRole.allCases {
      compare("[\(role.key)]", \.device.indicators[role])
      compare("[\(role.key)]", \.device.switches[role])
      compare("[\(role.key)]", \.device.distributors[role])
    }
    compare("[outputs.precharge]", \.device.precharge)
    compare("outputs.battery_instance", \.device.batteryInstance)
    compare("outputs.switch_bank_instance", \.device.switchBankInstance)
    compare("outputs.battery_frames", \.device.sendsBatteryFrames)
    compare("state.directory", \.stateDirectory)
    compare("control.socket", \.control.socket)
    compare("control.reading_socket", \.control.readingSocket)
    return keys.reduce(into: []) { unique, key in if !unique.contains(key) { unique.append(key) } }
  }
}
