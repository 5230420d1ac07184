import ArgumentParser
import TOMLReading

/// What a person types, as the parser of arguments reads it.
enum TypedArguments {
  /// The options that have no value, of the commands that take a number beside them.
  private static let flags: Set<String> = ["--json", "--reset", "--reset-all", "--synchronise"]

  /// Negative numbers as what they are: to the parser each word that begins with "-" is an option.
  ///
  /// One that stands behind an option is its value; any other is an argument, and those may follow behind "--".
  static func prepared(_ arguments: [String]) -> [String] {
    var kept: [String] = []
    var numbers: [String] = []
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    for argument in arguments[..<end] {
      if !isNegativeNumber(argument) {
        kept.append(argument)
      } else if let option = kept.last, option.hasPrefix("--"), !option.contains("="), !flags.contains(option) {
        kept[kept.count - 1] = "\(option)=\(argument)"
      } else {
        numbers.append(argument)
      }
    }
    let others = arguments[end...].dropFirst()
    return numbers.isEmpty && end == arguments.endIndex ? kept : kept + ["--"] + numbers + others
  }

  /// Refuses a command that there is none of with the one that was meant; the parser shows all of its help instead.
  static func checkCommand(_ arguments: [String], of root: any ParsableCommand.Type) throws {
    var command = root
    var path = root._commandName
    for word in arguments.first == "help" ? arguments.dropFirst() : arguments[...] {
      let known = command.configuration.subcommands
      if word.hasPrefix("-") || known.isEmpty { return }
      guard let next = known.first(where: { $0._commandName == word }) else {
        let guess = meant(word, among: known.map { $0._commandName })
        throw ValidationError("\(path) has no command \"\(Plain.safe(word))\":\(guess) \(path) --help lists them")
      }
      command = next
      path += " \(word)"
    }
  }

  /// " did you mean status?", or nothing.
  static func meant(_ word: String, among words: [String]) -> String {
    nearest(word, among: words).map { " did you mean \($0)?" } ?? ""
  }

  /// "-5", "-.5"; also "-5,5" and "-5%", so that the command can say what it takes.
  private static func isNegativeNumber(_ text: String) -> Bool {
    let letters = text.utf8.dropFirst()
    let digit = letters.first == UInt8(ascii: ".") ? letters.dropFirst().first : letters.first
    return text.hasPrefix("-") && digit.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
  }
}
