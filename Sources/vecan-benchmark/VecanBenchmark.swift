import ArgumentParser

/// Measures the codec in memory and makes logs to measure the tools with.
@main
struct VecanBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vecan-benchmark", abstract: "Measures decoding and encoding.",
    subcommands: [Generate.self, Run.self], defaultSubcommand: Run.self)
}
