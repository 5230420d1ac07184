import BMSDevice
import CANBus
import Glibc
import Logging
import MonotonicTime
import NMEA2000
import ServiceLifecycle

/// Runs the engine's thread, and on the asynchronous side of it the log, the store and the service manager.
struct EngineService: Service {
  let device: DeviceConfiguration
  let restored: RestoredState
  let keeper: StateKeeper
  let logger: Logger
  /// Handed over to the engine's thread, which is the only one to use it from then on.
  nonisolated(unsafe) let transport: any CANTransport
  /// The bus of the 11-bit frames, where they have one of their own; handed over likewise.
  nonisolated(unsafe) let batteryTransport: (any CANTransport)?
  /// A second of real time.
  let statusInterval: TimeSpan
  /// Whether the engine's thread goes before all ordinary ones; not in simulated time, which takes all that it is given.
  let goesFirst: Bool
  let notifier: ServiceNotifier
  /// The interface's name, to ask the kernel about it.
  let interface: String
  /// The other interface's name and the bitrate that it should have.
  let batteryBus: Configuration.BatteryBus?
  /// The way to the engine's thread.
  let mailbox: Mailbox
  /// Where people meet the engine.
  let desk: ControlDesk

  /// So many reports may wait for a slow log; then the oldest are dropped, never the engine's time.
  static let reportCapacity = 1024

  func run() async throws {
    let mailbox = mailbox
    let (reports, continuation) = AsyncStream.makeStream(
      of: TimedReport.self, bufferingPolicy: .bufferingNewest(Self.reportCapacity))
    let notifier = notifier
    nonisolated(unsafe) let transport = transport
    nonisolated(unsafe) let batteryTransport = batteryTransport
    let device = device
    let restored = restored
    let keeper = keeper
    keeper.start()
    let statusInterval = statusInterval
    let (goesFirst, logger) = (goesFirst, logger)
    EngineThread.start(named: "vecand-engine") {
      if goesFirst, let code = EngineThread.goFirst() {
        logger.warning(
          """
          the engine's thread has no real-time priority (\(String(cString: strerror(code)))): a busy machine can delay a \
          limit. The package's unit allows it with LimitRTPRIO=1; a container, or a kernel with CONFIG_RT_GROUP_SCHED, may \
          refuse it even so
          """)
      }
      let engine = Engine(
        transport: transport, batteryTransport: batteryTransport,
        device: BMSDevice(
          configuration: device, stored: restored.node, changed: restored.settings, snapshot: restored.snapshot,
          unseenFor: restored.unseen, afterUpdate: restored.isUpdated, randomSeed: UInt64.random(in: .min ... .max),
          at: transport.now),
        mailbox: mailbox, statusInterval: statusInterval,
        report: { report in
          // What is to be stored does not wait behind a slow log, which may have some of it dropped.
          keeper.note(report)
          continuation.yield(TimedReport(report: report, instant: transport.now))
        })
      engine.run()
      continuation.finish()
    }
    await withGracefulShutdownHandler {
      var log = EventLog(logger: logger, fuseNames: device.fuseNames, restored: restored.settings)
      var clocks = ClockWatch()
      for await timed in reports {
        desk.note(timed.report, log.note(timed.report), at: timed.instant)
        keeper.offer(StoredEvent.events(of: timed.report, fuseNames: log.fuseNames))
        handle(timed.report)
        if case .status = timed.report { tell(clocks.lines()) }
      }
    } onGracefulShutdown: {
      notifier.stopping()
      mailbox.post(.shutDown)
    }
    keeper.finish()
  }

  private func handle(_ report: EngineReport) {
    switch report {
    case .status(let status, let link): notifier.status(status, link)
    case .device(.node(.addressLost(_, let winner))): notifier.addressLost(to: winner)
    case .link(let event) where event.state == .up:
      check(interface, InterfaceCheck.bitrate)
    case .batteryLink(let event) where event.state == .up:
      if let batteryBus { check(batteryBus.interface, batteryBus.bitrate) }
    default: break
    }
  }

  private func check(_ interface: String, _ bitrate: UInt32) {
    tell(InterfaceCheck.lines(interface, bitrate: bitrate))
  }

  private func tell(_ lines: [EventLine]) {
    for line in lines { logger.log(level: line.level, "\(line.text)") }
  }
}
