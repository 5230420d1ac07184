import ArgumentParser
import BMSCore
import BMSDevice
import BatterySimulator
import CANBus
import Glibc
import Logging
import MonotonicTime
import NMEA2000
import ServiceLifecycle
import UnixSignals

/// `vecand --demo`: the daemon's own engine and device on a bus in memory, and lines for a person to watch.
struct Demo {
  let speed: Double
  /// Nil for none.
  let controlSocket: String?

  func run() async throws {
    // A pipe that nobody reads any more is told as what it is.
    signal(SIGPIPE, SIG_IGN)
    var logger = Logger(label: "vecand") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let mailbox = try Mailbox()
    let events = DemoEvents()
    let desk = ControlDesk(
      mailbox: mailbox, read: { (number, limit) throws(StateDefect) in events.events(since: number, limit: limit) })
    let control = ControlService(
      sockets: Configuration.Control(socket: controlSocket).sockets, desk: desk,
      logger: Logger(label: "vecand") { JournalLogHandler(label: $0) })
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(service: control, successTerminationBehavior: .ignore, failureTerminationBehavior: .ignore),
          .init(service: DemoSignals(mailbox: mailbox)),
          .init(
            service: DemoService(speed: speed, mailbox: mailbox, desk: desk, events: events),
            successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .gracefullyShutdownGroup),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch let failure as StandardOutput.Failure {
      Report.error("\(failure); the demo has ended")
      throw ExitCode.failure
    }
  }
}

/// The daemon's signals, as far as the demo has what they ask for. None of them kills it.
private struct DemoSignals: Service {
  let mailbox: Mailbox

  func run() async throws {
    for await signal in await UnixSignalsSequence(trapping: .sigusr1, .sigusr2, .sighup).cancelOnGracefulShutdown() {
      switch signal {
      case .sigusr1: mailbox.post(.explain)
      case .sighup: Report.error("SIGHUP: the demo has no configuration to read again")
      default:
        Report.error("SIGUSR2: the demo has nobody to hand over to and ends")
        mailbox.post(.shutDown)
      }
    }
  }
}

private struct DemoService: Service {
  let speed: Double
  let mailbox: Mailbox
  let desk: ControlDesk
  let events: DemoEvents

  func run() async throws {
    let (reports, continuation) = AsyncStream.makeStream(of: TimedReport.self, bufferingPolicy: .bufferingNewest(1024))
    let mailbox = mailbox
    let speed = speed
    let battery = SimpleBattery.Configuration()
    var device = DeviceConfiguration()
    device.identity.uniqueNumber = 2
    device.monitor = MonitorWiring(sender: DeviceSelector(uniqueNumber: DemoBattery.name.uniqueNumber))
    device.cells = CellWiring(sender: DeviceSelector(uniqueNumber: DemoBattery.name.uniqueNumber))
    let configuration = device
    try StandardOutput.line(
      """
      vecand \(Version.text) demo: a simulated 12 V 200 Ah battery on a bus in memory, \(speed.text(0)) times real speed.
      The sun shines four hours, then loads draw for one. Ctrl-C ends it with a summary.
      """)
    EngineThread.start(named: "vecand-engine") {
      let bus = DemoBus(speed: speed, battery: battery, wakeup: mailbox.wakeup.descriptor)
      let transport = bus.transport()
      let engine = Engine(
        transport: transport, device: BMSDevice(configuration: configuration, randomSeed: 1, at: transport.now),
        mailbox: mailbox, statusInterval: TimeSpan(seconds: speed),
        report: { continuation.yield(TimedReport(report: $0, instant: transport.now)) })
      engine.run()
      continuation.finish()
    }
    let failure = await withGracefulShutdownHandler {
      var log = DemoLog()
      for await timed in reports {
        desk.note(timed.report, log.note(timed.report), at: timed.instant)
        events.note(timed.report)
        if log.failure != nil { mailbox.post(.shutDown) }
      }
      log.summarise()
      return log.failure
    } onGracefulShutdown: {
      mailbox.post(.shutDown)
    }
    if let failure { throw failure }
  }
}

/// One clear line a second, every event as it comes, and a summary.
struct DemoLog {
  private var last: DeviceStatus?
  private var first: DeviceStatus?
  private var lowest = Double.infinity
  private var highest = -Double.infinity
  private var alarms = 0
  private var events = EventText()
  /// Nobody takes the lines any more.
  private(set) var failure: StandardOutput.Failure?

  /// Prints a report, and returns its lines for who follows the events.
  mutating func note(_ report: EngineReport) -> [EventLine] {
    switch report {
    case .status(let status, _):
      if first?.outputs.stateOfCharge == nil { first = status }
      last = status
      let outputs = status.outputs
      if let cell = outputs.lowestCell?.value { lowest = min(lowest, cell) }
      if let cell = outputs.highestCell?.value { highest = max(highest, cell) }
      tell(line(status))
    case .device(let event):
      if case .core(let core, _) = event { alarms += core.raised.reduce(0) { count, _ in count + 1 } }
      let lines = events.lines(for: event)
      return tell(lines)
    case .commanded(let words, let refusal): return tell([events.line(for: words, refusal)])
    case .explanation(let explanation): return tell(ExplanationText().lines(for: explanation, clock: nil))
    case .link, .batteryLink, .losses, .forgedErrorFrames, .stored, .state, .ended, .handedOver: break
    }
    return []
  }

  private mutating func tell(_ lines: [EventLine]) -> [EventLine] {
    for line in lines { tell("        \(line.text)") }
    return lines
  }

  private mutating func tell(_ text: String) {
    guard failure == nil else { return }
    do throws(StandardOutput.Failure) { try StandardOutput.line(text) } catch { failure = error }
  }

  mutating func summarise() {
    guard let last else { return }
    let outputs = last.outputs
    tell(
      """

      After \(clock(last)) of simulated time:
        state of charge  \(first?.outputs.stateOfCharge.percent ?? "unknown") -> \(outputs.stateOfCharge.percent)
        cells            \(lowest.text(3)) to \(highest.text(3)) V
        alarms raised    \(alarms)
        frames received  \(last.statistics.framesReceived), messages sent \(last.statistics.messagesSent)
      Limits were withdrawn before the end, as they are at every stop.
      """)
  }

  private func clock(_ status: DeviceStatus) -> String {
    let seconds = Int((status.instant - .origin).seconds)
    return "\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
  }

  private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  private func line(_ status: DeviceStatus) -> String {
    let outputs = status.outputs
    let limits = outputs.limits
    let cells =
      if let low = outputs.lowestCell?.value, let high = outputs.highestCell?.value {
        "cells \(low.text(2))-\(high.text(2)) V"
      } else {
        "cells unknown"
      }
    return [
      clock(status), outputs.voltage.volts, outputs.current.amperes, "SoC \(outputs.stateOfCharge.percent)", cells,
      "CVL \(limits.chargeVoltage.volts)", "CCL \(limits.chargeCurrent.text(0)) A",
      "DCL \(limits.dischargeCurrent.text(0)) A", outputs.chargePhase.text,
    ].joined(separator: "  ")
  }
}
