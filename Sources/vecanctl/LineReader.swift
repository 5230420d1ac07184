import Glibc

/// Lines of standard input, each as soon as it is there, until its end or Ctrl-C.
struct LineReader {
  /// A longer line is handed out in pieces, none of which will be understood.
  static let longest = 4096

  /// How many lines were handed out.
  private(set) var lines = 0
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false

  /// The next line without its line feed; nil at the end, and when `stop` becomes readable.
  mutating func next(stop: Int32) throws(FileError) -> [UInt8]? {
    while true {
      if let end = buffer[start...].firstIndex(of: 0x0A) {
        defer { start = end + 1 }
        return hand(buffer[start..<end])
      }
      if isAtEnd || buffer.count - start > Self.longest {
        defer { start = buffer.count }
        return start < buffer.count ? hand(buffer[start...]) : nil
      }
      buffer.removeFirst(start)
      start = 0
      guard try fill(stop: stop) else { return nil }
    }
  }

  private mutating func hand(_ line: ArraySlice<UInt8>) -> [UInt8] {
    lines += 1
    return Array(line)
  }

  private mutating func fill(stop: Int32) throws(FileError) -> Bool {
    var descriptors = [
      pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0), pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
    ]
    guard poll(&descriptors, 2, -1) > 0 else { return errno == EINTR }
    guard descriptors[1].revents == 0 else { return false }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(STDIN_FILENO, &bytes, bytes.count)
    guard count >= 0 else {
      if errno == EINTR { return true }
      throw FileError.last("standard input")
    }
    isAtEnd = count == 0
    buffer.append(contentsOf: bytes[..<count])
    return true
  }
}
