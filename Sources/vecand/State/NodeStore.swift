import FoundationEssentials
import Glibc
import MonotonicTime
import NMEA2000

/// Keeps what the bus changed over a restart: address, instances, heartbeat interval, descriptions (nmea2000.md 1.5).
struct NodeStore: Sendable {
  let directory: String

  var path: String { "\(directory)/node.json" }

  /// The stored node; nil when nothing was stored.
  ///
  /// - Throws: ``FileError`` when the file is there and can't be read, ``Defect`` when it holds no record.
  func load() throws -> StoredNode? {
    guard TextFile.exists(path) else { return nil }
    let text = try TextFile.read(path)
    do {
      return try JSONDecoder().decode(Record.self, from: Data(text.utf8)).node
    } catch {
      throw Defect(path: path)
    }
  }

  /// Makes the directory if only that is missing.
  func save(_ node: StoredNode) throws {
    mkdir(directory, 0o750)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try TextFile.replace(path, with: String(decoding: encoder.encode(Record(node)), as: UTF8.self) + "\n")
  }

  /// The file is there and holds no record.
  struct Defect: Error, CustomStringConvertible {
    var path: String
    var description: String { "\(path) holds no record of the node; delete it" }
  }

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
