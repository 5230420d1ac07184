import Glibc

/// A file that could not be read or written: which, and why.
struct FileError: Error, CustomStringConvertible {
  var action: String
  var path: String
  var code: Int32

  var description: String { "can't \(action) \(path): \(String(cString: strerror(code)))" }
}

/// Small text files.
enum TextFile {
  /// More than any configuration needs; a wrong path such as a device file must not fill the memory.
  static let longest = 1 << 20

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func isDirectory(_ path: String) -> Bool {
    var found = stat()
    return stat(path, &found) == 0 && found.st_mode & S_IFMT == S_IFDIR
  }

  /// The whole text; what is not UTF-8 in it is replaced.
  static func read(_ path: String) throws(FileError) -> String { String(decoding: try bytes(path), as: UTF8.self) }

  /// All bytes.
  static func bytes(_ path: String) throws(FileError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw FileError(action: "read", path: path, code: errno) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = Glibc.read(file, &block, block.count)
      guard count >= 0 else { throw FileError(action: "read", path: path, code: errno) }
      if count == 0 { break }
      bytes.append(contentsOf: block[..<count])
      guard bytes.count <= longest else { throw FileError(action: "read", path: path, code: EFBIG) }
    }
    return bytes
  }

  /// Replaces the file whole: after a power cut the old or the new text is there, never half of one.
  static func replace(_ path: String, with text: String) throws(FileError) {
    let temporary = path + ".new"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
    guard file >= 0 else { throw FileError(action: "write", path: temporary, code: errno) }
    let isWritten = text.utf8.withContiguousStorageIfAvailable { write(file, $0.baseAddress, $0.count) == $0.count }
    let isSynced = isWritten == true && fsync(file) == 0
    let code = errno
    close(file)
    guard isSynced else { throw FileError(action: "write", path: temporary, code: code) }
    guard rename(temporary, path) == 0 else { throw FileError(action: "write", path: path, code: errno) }
  }
}
