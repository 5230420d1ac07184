import ArgumentParser

/// The operator's tool. Every command is a file beside this one.
@main
struct VecanCtl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vecanctl",
    abstract: "Looks into a VE.Can / NMEA 2000 bus and speaks with vecand.",
    subcommands: [
      Decode.self, Encode.self, Monitor.self, Devices.self, Send.self, RegisterCommand.self, Simulate.self,
    ])
}
