public import ArgumentParser
import BMSDevice
import CANBus
public import Logging
import MonotonicTime
import SocketCAN

/// The daemon.
@main
struct Vecand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vecand",
    abstract: "A software Lynx Smart BMS on a VE.Can / NMEA 2000 bus.",
    discussion: """
      Reads a lithium battery's measurements from the bus, decides about charging and discharging, and publishes battery \
      status, DVCC limits (CVL, CCL, DCL) and alarms. It runs in the foreground and logs to standard error.

      Without a configured source its values are not available and its limits forbid.

      Examples:
        vecand --demo                      the whole system on a bus in memory, with a simulated battery
        vecand --demo --speed 60           the same, an hour in a minute
        vecand --interface can0            on a real bus, configured by /etc/vecand/vecand.toml if there is one
        vecand --check-config my.toml      says what is wrong with a configuration
      """,
    version: Version.text)

  @Option(help: ArgumentHelp("The configuration file (TOML).", valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("The SocketCAN interface, as can0. Wins over the file.", valueName: "name"))
  var interface: String?

  @Option(
    help: ArgumentHelp(
      "Where state.db is kept, which is what survives a restart. Wins over the file.", valueName: "directory"))
  var stateDirectory: String?

  @Option(
    help: ArgumentHelp(
      "The Unix socket for questions and commands, with --demo too. Wins over the file; \"\" is none.",
      valueName: "path"))
  var controlSocket: String?

  @Option(help: ArgumentHelp("Check a configuration file, say what is wrong, and end.", valueName: "file"))
  var checkConfig: String?

  @Flag(help: "Run on a bus in memory with a simulated battery. Needs no CAN, no root and no file.")
  var demo = false

  @Option(
    help: ArgumentHelp(
      "Simulated seconds a second, 1 to 1000: with --demo, or on a virtual interface by the clock of vecanctl simulate.",
      valueName: "factor"))
  var speed: Double?

  @Option(
    help: "The least severe log lines to print: \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")).")
  var logLevel: Logger.Level = .info

  func validate() throws {
    let speeds = SharedClock.speeds
    if let speed, !(speeds ~= speed) {
      throw ValidationError(
        "--speed is \(speed), expected 1 to \(Int(speeds.upperBound)), with --demo or on a virtual interface.")
    }
    if let controlSocket, !controlSocket.isEmpty, let fault = ControlSocket.fault(ofPath: controlSocket) {
      throw ValidationError("--control-socket \(controlSocket): \(fault).")
    }
    if demo, interface != nil { throw ValidationError("--demo runs on a bus in memory: leave --interface out.") }
  }

  func run() async throws {
    if let checkConfig {
      try check(checkConfig)
      return
    }
    if demo {
      try await Demo(speed: speed ?? 1, controlSocket: controlSocket).run()
      return
    }
    EarlySignals.keep()
    let file = config ?? (TextFile.exists(Configuration.standardFile) ? Configuration.standardFile : nil)
    let overridden = overridden
    let readAgain: @Sendable () throws -> Configuration = {
      try overridden(file.map { try Vecand.read($0) } ?? Configuration())
    }
    let configuration: Configuration
    do {
      configuration = try readAgain()
    } catch {
      Report.error("\(error)")
      throw ExitCode.failure
    }
    let daemon = Daemon(
      configuration: configuration, reload: file == nil ? nil : readAgain, speed: speed ?? 1, logLevel: logLevel)
    try await daemon.run()
  }

  private func check(_ file: String) throws {
    let configuration: Configuration
    do {
      configuration = try Self.read(file)
    } catch {
      Report.error("\(error)")
      throw ExitCode.failure
    }
    let notes = configuration.remarks + configuration.stateRemarks
    for note in notes { Report.error("\(file): note: \(note)") }
    let verdict = notes.isEmpty ? "all right" : "no mistake, \(notes.count) note\(notes.count == 1 ? "" : "s")"
    let interface = configuration.interface.map { "interface \($0)" } ?? "no interface: give one with --interface"
    do {
      try StandardOutput.line("\(file): \(verdict); \(interface)")
    } catch {
      Report.error("\(error)")
      throw ExitCode.failure
    }
  }

  /// What a file says, with the options over it; they must fit each other.
  private var overridden: @Sendable (Configuration) throws -> Configuration {
    { [interface, stateDirectory, controlSocket, speed] file in
      var configuration = file
      if let interface { configuration.interface = interface }
      if let stateDirectory { configuration.stateDirectory = stateDirectory }
      if let controlSocket { configuration.control.socket = controlSocket.isEmpty ? nil : controlSocket }
      if configuration.control.isOnePlace, let controlSocket {
        throw OptionError(
          description: "--control-socket \(controlSocket) is also control.reading_socket: one commands, the other only "
            + "answers, and each needs a path of its own")
      }
      guard let second = configuration.batteryBus?.interface else { return configuration }
      if interface == second {
        throw OptionError(
          description:
            "--interface \(second) is also bus.battery_interface: the 11-bit frames have a bus of their own, "
            + "or none")
      }
      if let speed, speed != 1 {
        throw OptionError(
          description:
            "--speed goes with one interface: leave bus.battery_interface = \"\(second)\" out of a simulation")
      }
      return configuration
    }
  }

  private static func read(_ file: String) throws -> Configuration {
    try Configuration(bytes: TextFile.bytes(file), file: file)
  }

  /// Options that contradict a file which is right by itself.
  private struct OptionError: Error, CustomStringConvertible {
    var description: String
  }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
