import FoundationEssentials
import Glibc

/// One record as JSON in a file of its own, replaced whole.
struct RecordFile<Record: Codable>: Sendable {
  let directory: String
  let name: String
  /// What is in it, in the words of its defect.
  let contents: String

  private var path: String { "\(directory)/\(name)" }

  /// The record; nil when nothing was stored.
  ///
  /// - Throws: ``FileError`` when the file is there and can't be read, ``RecordDefect`` when it holds no record.
  func load() throws -> Record? {
    guard TextFile.exists(path) else { return nil }
    let text = try TextFile.read(path)
    guard let record = try? JSONDecoder().decode(Record.self, from: Data(text.utf8)) else { throw defect }
    return record
  }

  /// Makes the directory if only that is missing.
  func save(_ record: Record) throws {
    mkdir(directory, 0o750)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try TextFile.replace(path, with: String(decoding: encoder.encode(record), as: UTF8.self) + "\n")
  }

  var defect: RecordDefect { RecordDefect(path: path, contents: contents) }
}

/// A file that is there and does not hold what it should.
struct RecordDefect: Error, CustomStringConvertible {
  var path: String
  var contents: String
  var description: String { "\(path) holds no \(contents)" }
}
