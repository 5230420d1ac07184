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
      Ctrl-C ends it. A daemon that goes away is waited for. What does not fit on the terminal is cut at its bottom, and \
      the last line says how much that is. With --json, or where the output is no terminal, each answer follows the one \
      before.

      Example: vecanctl watch --interval 0.5
      """)

  @OptionGroup var daemon: DaemonOptions

  @Option(help: ArgumentHelp("The time from one answer to the next.", valueName: "seconds"))
  var interval = 1.0

  func validate() throws {
    guard (0.2...3600).contains(interval) else { throw ValidationError("--interval is 0.2 to 3600 seconds.") }
  }

  func run() async throws {
    while true {
      try say(await picture())
      try await Task.sleep(for: .seconds(interval))
    }
  }

  private func picture() async throws -> String {
    let screen = Screen.now
    // A line that fills the last column would be shortened by what clears the rest of it.
    let palette = Palette(isOn: Palette.standardOutput.isOn, columns: screen.map { $0.columns - 1 })
    let text: String
    do {
      let answer = try await daemon.client.ask(.GET, ControlPath.status)
      if daemon.json { return answer.line }
      text = StatusText(palette: palette).text(try answer.decoded(StatusReport.self))
    } catch let failure as Failure {
      if daemon.json { throw failure }
      text = palette.wrapped(palette.bad(Plain.safe("\(failure)")), under: 2) + "\n"
    }
    // The last row is the cursor's: a line end there would push the first row out.
    return screen.map { Self.redrawn(Screen.cut(text, to: $0.rows - 1, palette)) } ?? text + "\n"
  }

  /// From the top left corner on, each line to its end, and nothing below: no flicker, nothing left of the one before.
  static func redrawn(_ text: String) -> String {
    "\u{1B}[H" + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\u{1B}[K\n")
      + "\u{1B}[J"
  }
}
