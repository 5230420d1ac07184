import Glibc

/// What the program was asked to print. Each line is on its way before the next is made, so that a pipe shows it at once and
/// a kill loses none.
enum StandardOutput {
  /// Nobody takes it any more, or it has no room.
  struct Failure: Error, CustomStringConvertible {
    var code: Int32

    var description: String { "standard output can no longer be written: \(String(cString: strerror(code)))" }
  }

  /// Writes a line, and waits until it is taken. SIGPIPE is to be ignored: it would end the program without a word.
  static func line(_ text: String, on descriptor: Int32 = STDOUT_FILENO) throws(Failure) {
    var rest = Array("\(text)\n".utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      guard count >= 0 else {
        guard errno == EINTR || errno == EAGAIN else { throw Failure(code: errno) }
        var question = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        if errno == EAGAIN { poll(&question, 1, -1) }
        continue
      }
      rest = rest.dropFirst(count)
    }
  }
}
