import Glibc
import Logging
import Synchronization

/// Log lines for systemd's journal, with their level and fields, or with the time when a person reads the terminal.
struct JournalLogHandler: LogHandler {
  var logLevel = Logger.Level.info
  var metadata = Logger.Metadata()
  private let isJournal = Journal.isBehind(STDERR_FILENO)

  init(label: String) {}

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let text = "\(event.message)"
    guard isJournal else { return Report.line("\(Self.clock()) \(event.level): \(text)") }
    let fields = (event.metadata ?? [:]).map { ($0.key, "\($0.value)") }
    guard !Journal.write(text, priority: event.level.priority, fields) else { return }
    // The level as sd-daemon(3) has it.
    Report.line("<\(event.level.priority)>\(text)")
  }

  private static func clock() -> String {
    var now = time(nil)
    var parts = tm()
    localtime_r(&now, &parts)
    var text = [CChar](repeating: 0, count: 16)
    strftime(&text, text.count, "%H:%M:%S", &parts)
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

extension Logger.Level {
  /// The level as syslog numbers it.
  fileprivate var priority: Int {
    switch self {
    case .critical: 2
    case .error: 3
    case .warning: 4
    case .notice: 5
    case .info: 6
    case .debug, .trace: 7
    }
  }
}

/// systemd's journal in its own protocol, which takes fields (systemd.io/JOURNAL_NATIVE_PROTOCOL).
///
/// Not by sd_journal_sendv(3): that waits for a journal that takes nothing, and who waits here feeds the watchdog.
enum Journal {
  private static let path = "/run/systemd/journal/socket"
  private static let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)

  /// Whether what is written to a descriptor goes to the journal: JOURNAL_STREAM is its device and inode (systemd.exec(5)).
  static func isBehind(
    _ descriptor: Int32, stream: String? = getenv("JOURNAL_STREAM").map { String(cString: $0) }
  ) -> Bool {
    var found = stat()
    return fstat(descriptor, &found) == 0 && stream == "\(found.st_dev):\(found.st_ino)"
  }

  /// Hands an entry over without waiting: whether the journal took it.
  static func write(_ text: String, priority: Int, _ fields: [(String, String)]) -> Bool {
    let all = [("MESSAGE", text), ("PRIORITY", "\(priority)"), ("SYSLOG_IDENTIFIER", "vecand")] + fields
    let entry = all.map { field($0, $1) }.joined()
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        Array(entry.utf8).withUnsafeBytes { bytes in
          sendto(
            socket, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), address,
            socklen_t(MemoryLayout<sockaddr_un>.size)) == bytes.count
        }
      }
    }
  }

  /// A field of the protocol. A line end would begin another one; no text of ours has one.
  static func field(_ key: String, _ value: String) -> String {
    "\(key)=\(String(value.map { $0.isNewline ? " " : $0 }))\n"
  }
}

/// Lines on standard error. Nothing waits for who reads them: what finds no room is lost, and counted.
enum Report {
  /// So long a line may wait for room; after one that found none, the next do not wait.
  static let patienceMilliseconds: Int32 = 20
  private static let lost = Atomic(0)

  /// Each line says who speaks.
  static func error(_ text: String) {
    for text in text.split(separator: "\n", omittingEmptySubsequences: false) { line("vecand: \(text)") }
  }

  static func line(_ text: String) {
    guard hasRoom(STDERR_FILENO) else {
      lost.add(1, ordering: .relaxed)
      return
    }
    let before = lost.exchange(0, ordering: .relaxed)
    let text = (before == 0 ? "" : "\(before) lines before this one are lost: nobody took the log\n") + text + "\n"
    text.withCString { _ = write(STDERR_FILENO, $0, strlen($0)) }
  }

  /// A pipe has room when a page of it is free, which is more than a line (pipe(7)).
  private static func hasRoom(_ descriptor: Int32) -> Bool {
    var question = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&question, 1, lost.load(ordering: .relaxed) == 0 ? patienceMilliseconds : 0) != 0
  }
}
