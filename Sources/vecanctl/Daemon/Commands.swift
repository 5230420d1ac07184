public import ArgumentParser
public import ControlAPI
import FoundationEssentials

// The commands that ask the daemon to do something. It refuses with a reason what the rules do not allow.

struct ModeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mode", abstract: "Switches on, to standby or off.",
    discussion: """
      The rules of the manual hold (R36 to R39): what the remote terminals switched off stays off. Off opens the \
      contactor: everything behind it goes dark.

      Example: vecanctl mode standby
      """)

  @OptionGroup var daemon: DaemonOptions

  @Argument(help: "on, standby or off.")
  var mode: OperatingMode

  func run() async throws { try await daemon.perform(.POST, ControlPath.mode, ModeRequest(mode: mode)) }
}

extension OperatingMode: ExpressibleByArgument {}

struct StateOfChargeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "soc", abstract: "Sets the state of charge, or synchronises it to 100 %.",
    discussion: """
      A value that was set by hand is trusted to 5 %, and the battery monitor corrects it at the next full charge.

      Example: vecanctl soc 62.5
      Example: vecanctl soc --synchronise
      """)

  @OptionGroup var daemon: DaemonOptions

  @Argument(help: ArgumentHelp("The state of charge, 0 to 100.", valueName: "percent"))
  var percent: Double?

  @Flag(help: "The battery is full: 100 %.")
  var synchronise = false

  func validate() throws {
    guard (percent != nil) != synchronise else { throw ValidationError("Give a percentage, or --synchronise.") }
    guard percent.map({ (0...100).contains($0) }) ?? true else { throw ValidationError("The percentage is 0 to 100.") }
  }

  func run() async throws {
    if let percent {
      try await daemon.perform(.PUT, ControlPath.stateOfCharge, StateOfChargeRequest(percent: percent))
    } else {
      try await daemon.perform(.POST, ControlPath.synchronise)
    }
  }
}

struct TraceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace", abstract: "Saves what the daemon saw and did in the last minutes.",
    subcommands: [TraceSave.self])
}

struct TraceSave: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "save", abstract: "Saves the last minutes: frames, decisions and outputs, one JSON object a line.",
    discussion: """
      It is what a report of something odd should come with. The daemon keeps it in memory only.

      Example: vecanctl trace save odd.jsonl
      """)

  /// All of a full ring, through a slow terminal.
  static let patience = Duration.seconds(60)

  @Option(help: ArgumentHelp("The daemon's control socket.", valueName: "path"))
  var controlSocket = ControlPath.socket

  @Argument(help: ArgumentHelp("The file; \"-\" is standard output.", valueName: "file"))
  var file: String

  func run() async throws {
    let client = ControlClient(socket: controlSocket)
    let trace = try await client.ask(.GET, ControlPath.trace, patience: Self.patience)
    guard file != "-" else { return try say(String(decoding: trace, as: UTF8.self)) }
    let output = try OutputFile(creating: file)
    do throws(FileError) {
      try output.write([UInt8](trace))
    } catch {
      throw Failure(error.description)
    }
    complain("\(file): \(trace.count { $0 == UInt8(ascii: "\n") }) lines")
  }
}
