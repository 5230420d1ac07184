import BMSCore
import FoundationEssentials
import Glibc
import MonotonicTime

/// What a run left of the core, with the moment and the program that left it.
struct StoredState: Codable, Equatable {
  var snapshot: Snapshot
  var moment: Moment
  /// The version of the program: another one begins a full charge cycle (R26, R139).
  var program: String
}

/// Keeps the core's state over a restart and a power cut: state of charge, protections, mode and cause of Off, history
/// (R50, R158, OD-23).
///
/// Two lines: the layout with the CRC-32 of the second, and the state as JSON. What is damaged is refused whole and told
/// as E-B119 (R29): half of a state, or none where there was one, could switch on what was off for a reason.
struct StateStore: Sendable {
  /// The layout of the file; the snapshot inside has a version of its own.
  static let format = 1

  let directory: String

  var path: String { "\(directory)/state.json" }

  /// The stored state; nil when nothing was stored.
  ///
  /// - Throws: ``FileError`` when the file is there and can't be read, ``Defect`` when it holds no sound state.
  func load() throws -> StoredState? {
    guard TextFile.exists(path) else { return nil }
    let lines = try TextFile.read(path).split(separator: "\n", omittingEmptySubsequences: false)
    func defect(_ why: String) -> Defect { Defect(path: path, why: why) }
    guard lines.count == 3, lines[2].isEmpty,
      let header = try? JSONDecoder().decode(Header.self, from: Data(lines[0].utf8))
    else { throw defect("it is not whole") }
    guard header.format == Self.format else { throw defect("layout \(header.format) is not known here") }
    guard header.crc32 == CRC32.of(lines[1].utf8) else { throw defect("its checksum is wrong") }
    guard let state = try? JSONDecoder().decode(StoredState.self, from: Data(lines[1].utf8)) else {
      throw defect("it holds no state")
    }
    if let why = state.snapshot.defect { throw defect(why) }
    return state
  }

  /// Makes the directory if only that is missing.
  func save(_ state: StoredState) throws {
    mkdir(directory, 0o750)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let body = String(decoding: try encoder.encode(state), as: UTF8.self)
    let header = String(
      decoding: try encoder.encode(Header(format: Self.format, crc32: CRC32.of(body.utf8))), as: UTF8.self)
    try TextFile.replace(path, with: "\(header)\n\(body)\n")
  }

  /// The file is there and holds no sound state.
  struct Defect: Error, CustomStringConvertible {
    var path: String
    var why: String
    var description: String { "\(path) is damaged: \(why)" }
  }

  private struct Header: Codable {
    var format: Int
    var crc32: UInt32
  }
}

/// The checksum of Ethernet, zip and PNG (ISO 3309): it finds every flipped bit and every burst of up to 32.
enum CRC32 {
  static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(UInt32.max) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 0 ? 0 : 0xEDB8_8320) }
    }
  }
}
