import ArgumentParser
import BMSDevice

/// The operator's tool. Every command is a file beside this one.
@main
struct VecanCtl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vecanctl",
    abstract: "Looks into a VE.Can / NMEA 2000 bus and speaks with vecand.",
    version: Version.text,
    groupedSubcommands: [
      CommandGroup(
        name: "The daemon:",
        subcommands: [
          Status.self, Watch.self, Explain.self, Alarms.self, HistoryCommand.self, LogCommand.self,
          SettingsCommand.self,
          SetCommand.self, ModeCommand.self, StateOfChargeCommand.self, Fuses.self, Checklist.self, TraceCommand.self,
        ]),
      CommandGroup(
        name: "The bus:",
        subcommands: [Monitor.self, Devices.self, Send.self, RegisterCommand.self, Simulate.self]),
      CommandGroup(name: "Captures:", subcommands: [Decode.self, Encode.self]),
    ])

  static func main() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      try TypedArguments.checkCommand(arguments, of: Self.self)
    } catch {
      exit(withError: error)
    }
    await main(TypedArguments.prepared(arguments))
  }
}
