import BMSCore
import MonotonicTime
import Testing

@testable import Scenario

#if canImport(Glibc)
  import Glibc
#endif

/// The files in Tests/Scenarios and their documentation.
@Suite("The folder of scenarios", .serialized)
struct FolderTests {
  static let folder = #filePath.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/Scenarios"

  static let files: [String] = {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.hasSuffix(".toml") { names.append(name) }
    }
    return names.sorted()
  }()

  static func read(_ name: String) throws -> String {
    let file = try #require(fopen("\(folder)/\(name)", "r"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return try #require(String(validating: bytes, as: UTF8.self))
  }

  @Test("there are files")
  func exist() { #expect(FolderTests.files.count >= 15) }

  /// Only what is short enough for every run of the tests; Tests/Scenarios/run has them all.
  @Test("each file is right, and what is short passes", arguments: FolderTests.files)
  func passes(name: String) throws {
    let scenario = try Scenario(text: try FolderTests.read(name), file: name)
    #expect(!scenario.expectations.isEmpty)
    #expect(!scenario.story.isEmpty)
    guard scenario.clock.duration <= .minutes(20) else { return }
    for broken in scenario.run().broken {
      Issue.record("\(name): \(broken.name): expected \(broken.expected), found \(broken.found)")
    }
  }

  // MARK: The documentation

  /// The rows of the table below this heading's table head.
  private func rows(_ head: String) throws -> [String] {
    let lines = try FolderTests.read("README.md").split(separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex { $0.hasPrefix(head) }, "\(head) is not in the README")
    return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { String($0) }
  }

  @Test(
    "it lists every quantity, state, alarm, fault and setting as the code has it", arguments: DocumentedTable.allCases)
  func tables(table: DocumentedTable) throws {
    if getenv("UPDATE_DOCUMENTATION") != nil { try FolderTests.write(table) }
    let rows = try rows(table.rawValue)
    for row in table.rows where !rows.contains(row) { Issue.record("missing: \(row); \(FolderTests.advice)") }
    for row in rows where !table.rows.contains(row) { Issue.record("not so any more: \(row); \(FolderTests.advice)") }
    #expect(rows.count == table.rows.count)
  }

  static let advice = "UPDATE_DOCUMENTATION=1 swift test --filter FolderTests writes the tables anew"

  /// Puts a table as the code has it into the documentation.
  private static func write(_ table: DocumentedTable) throws {
    var lines = try read("README.md").split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    let head = try #require(lines.firstIndex { $0.hasPrefix(table.rawValue) })
    let end = lines[(head + 2)...].firstIndex { !$0.hasPrefix("|") } ?? lines.endIndex
    lines.replaceSubrange((head + 2)..<end, with: table.rows)
    let file = try #require(fopen("\(folder)/README.md", "w"))
    fputs(lines.joined(separator: "\n"), file)
    fclose(file)
  }

  @Test("it lists every rule")
  func rules() throws {
    let text = try FolderTests.read("README.md").split(separator: "\n").joined(separator: " ")
    #expect(text.contains(DocumentedTable.rules), "\(DocumentedTable.rules)")
  }

  @Test("it lists every kind of event and of expectation")
  func kinds() throws {
    let events = try rows("| `do` |").compactMap { $0.split(separator: "`").dropFirst().first.map { String($0) } }
    #expect(events == EventKind.allCases.map(\.rawValue))
    let text = try FolderTests.read("README.md")
    for kind in Expectation.kinds { #expect(text.contains("`\(kind) = "), "\(kind)") }
  }
}

/// A table of the documentation, by its head, and its rows as the code has them.
enum DocumentedTable: String, CaseIterable, Sendable {
  case quantities = "| quantity |"
  case states = "| state |"
  case alarms = "| alarm |"
  case faults = "| fault |"
  case settings = "| setting |"

  static var rules: String {
    "Rules: " + WordQuantity.every(Rule.init(rawValue:)).map { "`\(snakeCase("\($0)"))`" }.joined(separator: ", ") + "."
  }

  var rows: [String] {
    switch self {
    case .quantities: Quantity.all.map { "| `\($0.name)` | \($0.unit) | \($0.meaning) |" }
    case .states:
      WordQuantity.all.map { quantity in
        var words = quantity.words.joined(separator: ", ")
        if quantity.name.hasSuffix("_reason") { words = "a rule, below" }
        if quantity.name == "led" { words = quantity.words.prefix(7).joined(separator: ", ") + ", red_1 to red_14" }
        return "| `\(quantity.name)` | \(quantity.meaning) | \(words) |"
      }
    case .alarms:
      Alarm.allCases.map { alarm in
        let row = alarm.definition
        return "| `\(alarm.word)` | \(row.code) | \(row.severity) | \(row.message) | \(row.raisedWhen) |"
      }
    case .faults:
      FaultKind.all.map { fault in
        let parameters = fault.parameters.map { parameter in
          "`\(parameter.key)` (\(parameter.meaning)\(parameter.standard.map { "; default \($0)" } ?? ""))"
        }
        return "| `\(fault.name)` | \(parameters.joined(separator: ", ")) | \(fault.meaning) |"
      }
    case .settings:
      Setting.allCases.map { setting in
        let row = setting.definition
        guard row.choices != [0, 1] else {
          return "| `\(row.key)` |  | \(row.standard == 1 ? "true" : "false") | true, false |"
        }
        let choices = row.choices.map { $0.text(upTo: 3) }.joined(separator: ", ")
        let (low, high) = (row.range.lowerBound.text(upTo: 3), row.range.upperBound.text(upTo: 3))
        let range = row.choices.isEmpty ? "\(low) to \(high)" : choices
        return "| `\(row.key)` | \(row.unit.rawValue) | \(row.standard.text(upTo: 3)) | \(range) |"
      }
    }
  }
}
