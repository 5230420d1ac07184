import ArgumentParser

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Turns messages into frames.")

  func run() throws {
  }
}
