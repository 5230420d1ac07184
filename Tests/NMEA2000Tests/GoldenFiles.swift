import Foundation

/// Files beside the repository that are not copied into it.
enum GoldenFiles {
  static var folder: String {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { url.deleteLastPathComponent() }
    return url.appendingPathComponent("shared/golden").path
  }

  static func bytes(_ name: String) -> [UInt8]? {
    FileManager.default.contents(atPath: folder + "/" + name).map(Array.init)
  }

  /// The names of the Swift files of a folder of this repository.
  static func sources(_ path: String) -> [String] {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { url.deleteLastPathComponent() }
    let folder = url.appendingPathComponent(path).path
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".swift") }
      .sorted()
  }

  static func text(_ path: String) -> String {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { url.deleteLastPathComponent() }
    let bytes = FileManager.default.contents(atPath: url.appendingPathComponent(path).path) ?? Data()
    return String(decoding: bytes, as: UTF8.self)
  }
}
