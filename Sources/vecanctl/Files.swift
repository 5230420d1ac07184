import ArgumentParser
import Glibc
import NMEA2000

/// What went wrong with a file.
enum FileError: Error, CustomStringConvertible {
  /// The reader of the output has closed it.
  case readerIsGone
  /// A system call failed.
  case failed(String, path: String)

  var description: String {
    switch self {
    case .readerIsGone: "nobody reads the output any more"
    case .failed(let reason, let path): "\(path): \(reason)"
    }
  }

  static func last(_ path: String) -> FileError {
    .failed(String(cString: strerror(errno)), path: path)
  }
}

/// A failure with its reason, for exit code 1.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Writes a line on standard error.
func complain(_ text: String) {
  var line = Array("vecanctl: \(text)\n".utf8)[...]
  while !line.isEmpty {
    let count = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    guard count > 0 else { return }
    line = line.dropFirst(count)
  }
}

/// Writes on standard output. That its reader has closed it ends the command, and is his own business.
func say(_ text: String) throws {
  do throws(FileError) {
    try OutputFile.standardOutput.write(text)
  } catch .readerIsGone {
    throw ExitCode.success
  } catch {
    throw Failure(error.description)
  }
}

/// A file, or standard input, read in large pieces.
struct InputFile {
  private let descriptor: Int32
  private let path: String
  /// Whether it is a pipe or terminal, where bytes come as they are made.
  let isLive: Bool

  init(_ path: String) throws {
    self.path = path == "-" ? "standard input" : path
    descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(FileError.last(path).description) }
    var status = stat()
    isLive = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
  }

  /// Hands over the bytes, piece by piece, to the end.
  func read(_ body: (Span<UInt8>) throws(FileError) -> Void) throws(FileError) {
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw FileError.last(path)
      }
      if count == 0 { return }
      try body(buffer.span.extracting(first: count))
    }
  }
}

/// A file that is written in large pieces.
struct OutputFile {
  let descriptor: Int32

  private let path: String

  static let standardOutput = OutputFile(descriptor: STDOUT_FILENO, path: "standard output")

  private init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// A new file; one that is there is replaced.
  init(creating path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Failure(FileError.last(path).description) }
    self.init(descriptor: descriptor, path: path)
  }

  /// Writes a text.
  func write(_ text: String) throws(FileError) { try write(Array(text.utf8)) }

  /// Writes all text and empties the buffer.
  func take(_ text: inout TextBuffer) throws(FileError) {
    try text.withBytes { bytes throws(FileError) in try write(bytes) }
    text.removeAll()
  }

  /// Writes all bytes.
  func write(_ bytes: [UInt8]) throws(FileError) {
    let result = bytes.withUnsafeBytes { bytes in Result { () throws(FileError) in try write(bytes) } }
    try result.get()
  }

  /// Writes all bytes.
  func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    signal(SIGPIPE, SIG_IGN)
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw errno == EPIPE ? .readerIsGone : .last(path)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }
}
