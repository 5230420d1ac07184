import ArgumentParser

/// Measures the codec, the core and the plant in memory, and makes logs to measure the tools with.
@main
struct VecanBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vecan-benchmark", abstract: "Measures decoding, encoding and deciding.",
    subcommands: [Core.self, Digest.self, Generate.self, Run.self, Year.self], defaultSubcommand: Run.self)
}
