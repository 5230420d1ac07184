import Testing

@testable import vecanctl

@Suite("What a person types")
struct TypedArgumentsTests {
  private static func parsed<Command>(_ line: String, as type: Command.Type) throws -> Command? {
    let words = line.split(separator: " ").map(String.init)
    return try VecanCtl.parseAsRoot(TypedArguments.prepared(words)) as? Command
  }

  private static func complaint(_ line: String) -> String {
    do {
      _ = try parsed(line, as: Status.self)
      return ""
    } catch {
      return VecanCtl.message(for: error)
    }
  }

  @Test("a negative number is a value, wherever it stands")
  func negative() throws {
    for line in [
      "set minimum_charge_temperature -5", "set minimum_charge_temperature -5 --json",
      "set --json minimum_charge_temperature -5", "set minimum_charge_temperature --json -5",
      "set minimum_charge_temperature -- -5", "set minimum_charge_temperature --control-socket /x -5",
    ] {
      let command = try #require(try Self.parsed(line, as: SetCommand.self), "\(line)")
      #expect(command.key == "minimum_charge_temperature" && command.value == "-5", "\(line)")
      #expect(command.daemon.json == line.contains("--json"), "\(line)")
    }
    #expect(try Self.parsed("set minimum_charge_temperature -.5", as: SetCommand.self)?.number() == -0.5)
  }

  @Test("a command that there is none of is told the one that was meant, and is a mistake of usage")
  func unknownCommand() throws {
    func complaint(_ line: String) -> String {
      do {
        try TypedArguments.checkCommand(line.split(separator: " ").map(String.init), of: VecanCtl.self)
        return ""
      } catch {
        #expect(VecanCtl.exitCode(for: error) == .validationFailure)
        return VecanCtl.message(for: error)
      }
    }
    #expect(
      complaint("statu") == "vecanctl has no command \"statu\": did you mean status? vecanctl --help lists them")
    #expect(complaint("help foo") == "vecanctl has no command \"foo\": vecanctl --help lists them")
    #expect(
      complaint("register raed 0x0390")
        == "vecanctl register has no command \"raed\": did you mean read? vecanctl register --help lists them")
    let right = [
      "", "help", "help status", "help register read", "status --json", "--help", "--version", "register",
      "explain foo", "trace save -", "decode -", "set discharge_floor 20", "register --help", "help decode foo",
    ]
    for right in right { #expect(complaint(right).isEmpty, "\(right)") }
  }

  @Test("a negative number that is out of range is told the range")
  func outOfRange() {
    #expect(Self.complaint("soc -1") == "The percentage is 0 to 100.")
    #expect(Self.complaint("watch --interval -1") == "--interval is 0.2 to 3600 seconds.")
    #expect(Self.complaint("log --count -1") == "--count is 1 to 1000.")
    #expect(Self.complaint("status -5").contains("-5"))
  }
}
