import BMSCore
import BMSDevice

/// Keeps the settings that were changed over the bus over a restart: they count before the configuration's.
struct SettingsStore: Sendable {
  private let file: RecordFile<Record>

  init(directory: String) { file = RecordFile(directory: directory, name: "settings.json", contents: "settings") }

  /// What was changed; nothing when nothing was stored.
  ///
  /// - Throws: ``FileError`` when the file is there and can't be read, ``RecordDefect`` when it holds no settings.
  func load() throws -> ChangedSettings {
    guard let record = try file.load() else { return ChangedSettings() }
    guard let changed = record.changed else { throw file.defect }
    return changed
  }

  func save(_ changed: ChangedSettings) throws { try file.save(Record(changed)) }

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
