import MonotonicTime
import NMEA2000

/// Keeps what the bus changed over a restart: address, instances, heartbeat interval, descriptions (nmea2000.md 1.5).
struct NodeStore: Sendable {
  private let file: RecordFile<Record>

  init(directory: String) {
    file = RecordFile(directory: directory, name: "node.json", contents: "record of the node; delete it")
  }

  /// The stored node; nil when nothing was stored.
  ///
  /// - Throws: ``FileError`` when the file is there and can't be read, ``RecordDefect`` when it holds no record.
  func load() throws -> StoredNode? { try file.load()?.node }

  func save(_ node: StoredNode) throws { try file.save(Record(node)) }

  private struct Record: Codable {
    var address: UInt8?
    var uniqueNumber: UInt32?
    var deviceInstance: UInt8?
    var systemInstance: UInt8?
    var heartbeatMilliseconds: Int64?
    var installationDescription1: String?
    var installationDescription2: String?

    init(_ node: StoredNode) {
      address = node.address
      uniqueNumber = node.uniqueNumber
      deviceInstance = node.deviceInstance
      systemInstance = node.systemInstance
      heartbeatMilliseconds = node.heartbeatInterval.map { $0.nanoseconds / 1_000_000 }
      installationDescription1 = node.installationDescription1
      installationDescription2 = node.installationDescription2
    }

    var node: StoredNode {
      StoredNode(
        address: address, uniqueNumber: uniqueNumber, deviceInstance: deviceInstance, systemInstance: systemInstance,
        heartbeatInterval: heartbeatMilliseconds.map { .milliseconds($0) },
        installationDescription1: installationDescription1 ?? "",
        installationDescription2: installationDescription2 ?? "")
    }
  }
}
