import ArgumentParser
import ControlAPI

struct Status: ReportCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells whether it is all right, and if not, why.",
    discussion: """
      One screen: what is wrong, battery, state of charge, limits with their reasons, contactor, alarms with advice, bus. \
      What is not known is a dash, never a zero.

      Example: vecanctl status
      Example: vecanctl status --json | jq .state_of_charge.percent

      Exit code 0 when the daemon answered, whatever it said; 1 when it did not.
      """)

  @OptionGroup var daemon: DaemonOptions

  var path: String { ControlPath.status }

  func text(_ report: StatusReport, _ palette: Palette) -> String { StatusText(palette: palette).text(report) }
}

struct Watch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the status live, redrawn each second.",
    discussion: """
      Ctrl-C ends it. A daemon that goes away is waited for. With --json, or where the output is no terminal, each answer \
      follows the one before.

      Example: vecanctl watch --interval 0.5
      """)

  @OptionGroup var daemon: DaemonOptions

  @Option(help: ArgumentHelp("The time from one answer to the next.", valueName: "seconds"))
  var interval = 1.0

  func validate() throws {
    guard (0.2...3600).contains(interval) else { throw ValidationError("--interval is 0.2 to 3600 seconds.") }
  }

  func run() async throws {
    let palette = Palette.standardOutput
    while true {
      try say(await screen(palette))
      try await Task.sleep(for: .seconds(interval))
    }
  }

  private func screen(_ palette: Palette) async throws -> String {
    let text: String
    do {
      let answer = try await daemon.client.ask(.GET, ControlPath.status)
      if daemon.json { return answer.line }
      text = StatusText(palette: palette).text(try answer.decoded(StatusReport.self))
    } catch let failure as Failure {
      if daemon.json { throw failure }
      text = palette.bad("\(failure)") + "\n"
    }
    return palette.isOn ? Self.redrawn(text) : text + "\n"
  }

  /// From the top left corner on, each line to its end, and nothing below: no flicker, nothing left of the one before.
  static func redrawn(_ text: String) -> String {
    "\u{1B}[H" + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\u{1B}[K\n")
      + "\u{1B}[J"
  }
}
