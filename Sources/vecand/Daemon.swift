import ArgumentParser
import BMSDevice
import CANBus
import Logging
import MonotonicTime
import NMEA2000
import ServiceLifecycle
import SocketCAN

/// The daemon on a real interface: everything around the engine.
struct Daemon {
  let configuration: Configuration
  /// Reads the configuration again; nil where it came from no file.
  var reload: (@Sendable () throws -> Configuration)?
  /// How many times as fast the clock runs; 1 on any interface that is not virtual.
  var speed = 1.0
  let logLevel: Logger.Level

  func run() async throws {
    var logger = Logger(label: "vecand") { JournalLogHandler(label: $0) }
    logger.logLevel = logLevel
    guard let interface = configuration.interface else {
      Report.error("no interface: give one with --interface can0, or as bus.interface in \(Configuration.standardFile)")
      throw ExitCode.failure
    }
    for remark in configuration.remarks { logger.warning("\(remark)") }
    let transport = try open(interface, logger)
    let batteryTransport = try configuration.batteryBus.map { try open($0.interface, logger) }
    let store = StateStore(directory: configuration.stateDirectory)
    let restored = RestoredState(from: store, at: .now())
    for line in restored.lines { logger.log(level: line.level, "\(line.text)") }
    var device = configuration.device
    if device.identity.uniqueNumber == nil { device.identity.uniqueNumber = MachineIdentity.uniqueNumber() }
    let keeper: StateKeeper
    let mailbox: Mailbox
    do {
      let commands = try Mailbox()
      mailbox = commands
      keeper = try StateKeeper(store: store, restored: restored, logger: logger) { commands.post(.stateStored($0)) }
    } catch {
      Report.error("\(error)")
      throw ExitCode.failure
    }
    let desk = ControlDesk(
      mailbox: mailbox,
      settle: {
        do throws(StateDefect) {
          try await keeper.settle()
          return nil
        } catch {
          return error.why
        }
      },
      read: { (number, limit) throws(StateDefect) in try await keeper.events(since: number, limit: limit) })
    let service = EngineService(
      device: device, restored: restored, keeper: keeper, logger: logger, transport: transport,
      batteryTransport: batteryTransport, statusInterval: TimeSpan(seconds: speed), goesFirst: speed == 1,
      notifier: ServiceNotifier(),
      interface: interface, batteryBus: configuration.batteryBus, mailbox: mailbox, desk: desk)
    let control = ControlService(sockets: configuration.control.sockets, desk: desk, logger: logger)
    let reload = ReloadService(
      read: reload ?? { throw NoConfigurationFile() }, configuration: configuration, mailbox: mailbox, logger: logger)
    let group = ServiceGroup(
      configuration: .init(
        // Shut down from the last to the first: who serves people may not keep the engine from withdrawing its limits.
        services: [
          .init(service: control, successTerminationBehavior: .ignore, failureTerminationBehavior: .ignore),
          .init(service: SignalService(mailbox: mailbox)),
          .init(service: reload),
          .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
  }

  private func open(_ interface: String, _ logger: Logger) throws -> any CANTransport {
    let port: SocketCANPort
    do {
      port = try SocketCANPort(interface: interface)
    } catch {
      Report.error("\(error)")
      throw ExitCode.failure
    }
    guard speed != 1 else { return port }
    // A battery does not follow a clock: on a real bus every time-out would be wrong.
    guard port.kind == "vcan" || port.kind == "vxcan" else {
      Report.error(
        "--speed is for a virtual interface that is there; \(interface) is \(port.kind.map { "of kind \($0)" } ?? "none")"
      )
      throw ExitCode.failure
    }
    do throws(SocketCANError) {
      let transport = try FollowingTransport(port)
      logger.warning("time is that of a simulation, up to \(speed) times as fast")
      return transport
    } catch {
      Report.error("\(error)")
      throw ExitCode.failure
    }
  }
}

/// There is nothing to read again.
struct NoConfigurationFile: Error, CustomStringConvertible {
  var description: String { "vecand was started without a file; give one with --config" }
}
