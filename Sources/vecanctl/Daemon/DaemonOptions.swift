import ArgumentParser
import BMSDevice
import ControlAPI
import FoundationEssentials
import NIOHTTP1

/// Where the daemon is, and how its answer is printed.
struct DaemonOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The daemon's control socket.", valueName: "path"))
  var controlSocket = ControlPath.socket

  @Flag(help: "Print the daemon's answer as JSON, one object in a line.")
  var json = false

  var client: ControlClient { ControlClient(socket: controlSocket) }

  /// Carries a command out, and says what is in force now.
  func perform(_ method: HTTPMethod, _ path: String, _ body: (any Encodable)? = nil) async throws {
    let answer = try await client.ask(method, path, body: try body.map { try ControlJSON.encode($0) })
    try say(json ? answer.line : Self.sentence(try answer.decoded(Done.self)) + "\n")
  }

  /// "remote_control = 1 " of a daemon that writes a unit where there is none.
  static func sentence(_ done: Done) -> String {
    String(Plain.safe(done.done).reversed().drop { $0 == " " }.reversed())
  }
}

/// A command that asks one question and prints the answer.
protocol ReportCommand: AsyncParsableCommand {
  associatedtype Report: Decodable, Sendable
  var daemon: DaemonOptions { get }
  /// What is asked.
  var path: String { get }
  /// The answer for people.
  func text(_ report: Report, _ palette: Palette) throws -> String
}

extension ReportCommand {
  func run() async throws { try await printReport() }

  func printReport() async throws {
    let answer = try await daemon.client.ask(.GET, path)
    try say(daemon.json ? answer.line : text(answer.decoded(Report.self), .standardOutput))
  }
}

extension Data {
  /// The body as a line.
  var line: String { String(decoding: self, as: UTF8.self) + "\n" }

  /// The body as what it says.
  func decoded<Report: Decodable>(_ type: Report.Type) throws -> Report {
    do {
      return try ControlJSON.decode(type, from: self)
    } catch {
      throw Failure(
        "the answer is not understood: it comes from another version than this vecanctl \(Version.text), or not from vecand"
      )
    }
  }
}
