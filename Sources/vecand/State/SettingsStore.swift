import BMSCore
import BMSDevice
import FoundationEssentials
import Glibc

/// Keeps the settings that were changed over the bus over a restart: they count before the configuration's.
struct SettingsStore: Sendable {
  let directory: String

  var path: String { "\(directory)/settings.json" }

  /// What was changed; nothing when nothing was stored.
  ///
  /// - Throws: ``FileError`` when the file is there and can't be read, ``Defect`` when it holds no settings.
  func load() throws -> ChangedSettings {
    guard TextFile.exists(path) else { return ChangedSettings() }
    let text = try TextFile.read(path)
    guard let record = try? JSONDecoder().decode(Record.self, from: Data(text.utf8)), let changed = record.changed
    else {
      throw Defect(path: path)
    }
    return changed
  }

  /// Makes the directory if only that is missing.
  func save(_ changed: ChangedSettings) throws {
    mkdir(directory, 0o750)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try TextFile.replace(path, with: String(decoding: encoder.encode(Record(changed)), as: UTF8.self) + "\n")
  }

  /// The file is there and holds no settings.
  struct Defect: Error, CustomStringConvertible {
    var path: String
    var description: String { "\(path) holds no settings" }
  }

  /// By the keys of the configuration.
  private struct Record: Codable {
    var settings: [String: Double]
    var fuseNames: [String]?

    init(_ changed: ChangedSettings) {
      settings = Dictionary(
        changed.values.map { ($0.key.definition.key, $0.value) }, uniquingKeysWith: { first, _ in first })
      fuseNames = changed.fuseNames?.names
    }

    /// Nil when a key is not known or a name is too long: half of the settings are wrong settings.
    var changed: ChangedSettings? {
      var changed = ChangedSettings()
      for (key, value) in settings {
        guard let setting = Setting(key: key) else { return nil }
        changed.values[setting] = value
      }
      if let fuseNames {
        guard fuseNames.count == FuseNames.count else { return nil }
        var names = FuseNames()
        for (index, name) in fuseNames.enumerated() {
          guard names.set(name, of: index + 1) else { return nil }
        }
        changed.fuseNames = names
      }
      return changed
    }
  }
}
