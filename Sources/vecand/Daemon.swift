import ArgumentParser
import BMSDevice
import Logging
import MonotonicTime
import NMEA2000
import ServiceLifecycle
import SocketCAN

/// The daemon on a real interface: everything around the engine.
struct Daemon {
  let configuration: Configuration
  let logLevel: Logger.Level

  func run() async throws {
    var logger = Logger(label: "vecand") { JournalLogHandler(label: $0) }
    logger.logLevel = logLevel
    guard let interface = configuration.interface else {
      Report.error("no interface: give one with --interface can0, or as bus.interface in \(Configuration.standardFile)")
      throw ExitCode.failure
    }
    for remark in configuration.remarks { logger.warning("\(remark)") }
    let transport: SocketCANPort
    do {
      transport = try SocketCANPort(interface: interface)
    } catch {
      Report.error("\(error)")
      throw ExitCode.failure
    }
    let store = NodeStore(directory: configuration.stateDirectory)
    var stored = StoredNode()
    do {
      stored = try store.load() ?? StoredNode()
    } catch {
      logger.warning("\(error); starting with the configured address and instances")
    }
    let settings = SettingsStore(directory: configuration.stateDirectory)
    var changed = ChangedSettings()
    do {
      changed = try settings.load()
      if changed != ChangedSettings() {
        for line in EventText().lines(for: changed) { logger.log(level: line.level, "\(line.text)") }
      }
    } catch {
      changed.areLost = true
      logger.critical(
        "\(error): charge and discharge stay forbidden (E-B119); restore the file, or delete it and start again")
    }
    let restored = RestoredState(from: StateStore(directory: configuration.stateDirectory), at: .now())
    for line in restored.lines { logger.log(level: line.level, "\(line.text)") }
    if restored.isLost { changed.areLost = true }
    var device = configuration.device
    if device.identity.uniqueNumber == nil { device.identity.uniqueNumber = MachineIdentity.uniqueNumber() }
    let keeper: StateKeeper
    do {
      keeper = try StateKeeper(store: StateStore(directory: configuration.stateDirectory), logger: logger)
    } catch {
      Report.error("\(error)")
      throw ExitCode.failure
    }
    let service = EngineService(
      device: device, stored: stored, store: store, changed: changed, settings: settings, restored: restored,
      keeper: keeper, logger: logger, transport: transport, notifier: ServiceNotifier(),
      interface: interface)
    let group = ServiceGroup(
      configuration: .init(
        services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
  }
}
