import ArgumentParser
import BMSDevice
import CANBus
import CANBusBMS
import Logging
import MonotonicTime
import NMEA2000
import ServiceLifecycle
import SocketCAN

/// The daemon on a real interface: everything around the engine.
struct Daemon {
  let configuration: Configuration
  let logLevel: Logger.Level

  /// What the kernel lets through: all of NMEA 2000, because a node must know who holds which address, and of the 11-bit
  /// frames the one that the device reads. A second BMS on the bus then wakes nobody.
  static let filters = [
    CANFilter(.extended(0), mask: 0), CANFilter(BatteryFrameID.keepAlive, mask: 0x7FF),
  ]

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
      transport = try SocketCANPort(interface: interface, filters: Self.filters)
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
    var device = configuration.device
    if device.identity.uniqueNumber == nil { device.identity.uniqueNumber = MachineIdentity.uniqueNumber() }
    let service = EngineService(
      device: device, stored: stored, store: store, logger: logger, transport: transport, notifier: ServiceNotifier(),
      interface: interface)
    let group = ServiceGroup(
      configuration: .init(
        services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
  }
}
