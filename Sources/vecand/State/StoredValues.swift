import BMSCore
import BMSDevice
import FoundationEssentials
import MonotonicTime
import NMEA2000

// What outlives a run, as values, and the text that each is stored as.

/// What a run left of the core, with the moment and the program that left it.
struct StoredState: Codable, Equatable {
  var snapshot: Snapshot
  var moment: Moment
  /// The version of the program: another one begins a full charge cycle (R26, R139).
  var program: String
}

/// All that a restart must find.
struct StoredValues: Equatable {
  /// What differs from the configuration, and what waits to be accepted by it.
  var settings = ChangedSettings()
  /// What the bus changed of the node: address, instances, heartbeat interval, descriptions (nmea2000.md 1.5).
  var node = StoredNode()
  /// The core: state of charge, protections, mode and cause of Off, history (R50, R158, OD-23).
  var core: StoredState
}

/// A value of the database: its name there, and its text.
enum StoredRecord: String, CaseIterable {
  case settings, node, core

  func text(of values: StoredValues) throws -> String {
    switch self {
    case .settings: try Self.text(SettingsRecord(values.settings))
    case .node: try Self.text(NodeRecord(values.node))
    case .core: try Self.text(values.core)
    }
  }

  private static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}

extension StoredValues {
  /// The values of their texts.
  ///
  /// - Throws: ``StateDefect`` when one is not what it should be: half of a state is a wrong state.
  init(texts: [StoredRecord: String]) throws(StateDefect) {
    func value<Value: Decodable>(_ record: StoredRecord, _: Value.Type) throws(StateDefect) -> Value {
      guard let text = texts[record] else { throw StateDefect(.damaged, "its \(record.rawValue) are missing") }
      guard let value = try? JSONDecoder().decode(Value.self, from: Data(text.utf8)) else {
        throw StateDefect(.damaged, "its \(record.rawValue) cannot be read")
      }
      return value
    }
    guard let settings = try value(.settings, SettingsRecord.self).changed else {
      throw StateDefect(.damaged, "its names of fuses are none")
    }
    let core = try value(.core, StoredState.self)
    if core.snapshot.version > Snapshot.currentVersion {
      throw StateDefect(.newer, "its core is of layout \(core.snapshot.version)")
    }
    if let why = core.snapshot.defect { throw StateDefect(.damaged, why) }
    self.init(settings: settings, node: try value(.node, NodeRecord.self).node, core: core)
  }
}

/// Settings by the keys of the configuration.
private struct SettingsRecord: Codable {
  var settings: [String: Double]
  /// Left out where nothing waits, as the versions before did that knew of no waiting.
  var waiting: [String: Double]?
  var fuseNames: [String]?

  init(_ changed: ChangedSettings) {
    settings = Dictionary(
      changed.values.map { ($0.key.definition.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    waiting = changed.waiting.isEmpty ? nil : changed.waiting
    fuseNames = changed.fuseNames?.names
  }

  /// Nil when there are not as many names as fuses, or one is too long: half of the names are wrong names. A setting that is
  /// not known here is another version's, and waits for it: it takes no other one along.
  var changed: ChangedSettings? {
    var changed = ChangedSettings()
    changed.waiting = waiting ?? [:]
    for (key, value) in settings {
      if let setting = Setting(key: key) { changed.values[setting] = value } else { changed.waiting[key] = value }
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

private struct NodeRecord: Codable {
  var address: UInt8?
  var uniqueNumber: UInt32?
  var replacedUniqueNumber: UInt32?
  var deviceInstance: UInt8?
  var systemInstance: UInt8?
  var heartbeatMilliseconds: Int64?
  var installationDescription1: String
  var installationDescription2: String

  init(_ node: StoredNode) {
    address = node.address
    uniqueNumber = node.uniqueNumber
    replacedUniqueNumber = node.replacedUniqueNumber
    deviceInstance = node.deviceInstance
    systemInstance = node.systemInstance
    heartbeatMilliseconds = node.heartbeatInterval.map { $0.nanoseconds / 1_000_000 }
    installationDescription1 = node.installationDescription1
    installationDescription2 = node.installationDescription2
  }

  var node: StoredNode {
    StoredNode(
      address: address, uniqueNumber: uniqueNumber, replacedUniqueNumber: replacedUniqueNumber,
      deviceInstance: deviceInstance, systemInstance: systemInstance,
      heartbeatInterval: heartbeatMilliseconds.map { .milliseconds($0) },
      installationDescription1: installationDescription1, installationDescription2: installationDescription2)
  }
}
