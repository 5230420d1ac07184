import ArgumentParser
import Testing

@testable import vecanctl

@Suite("The help")
struct HelpTests {
  private static func commands(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
    [command] + command.configuration.subcommands.flatMap(commands)
  }

  @Test("an example stands on one line of 80 columns, and no line ends in the middle of a sentence")
  func lines() {
    for command in Self.commands(VecanCtl.self) {
      let paragraphs = command.configuration.discussion.split(separator: "\n\n")
      for paragraph in paragraphs {
        let lines = paragraph.split(separator: "\n")
        for line in lines where line.hasPrefix("Example:") || lines.count > 1 {
          #expect(line.count <= 80, "\(line)")
          #expect(line.hasPrefix("Example:") || lines[0].hasPrefix("Example:"), "\(line)")
        }
      }
    }
  }

  @Test("codes, files and origins are named as they are")
  func names() {
    #expect(Alarms.helpMessage().contains("V-Bnn"))
    #expect(Fuses.helpMessage().contains("[fuses]"))
    for origin in ["default", "configuration", "changed"] {
      #expect(SettingsCommand.helpMessage().contains("\"\(origin)\""))
    }
  }
}
