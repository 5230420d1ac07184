import Glibc
import Logging

/// Log lines as systemd's journal reads their level (sd-daemon(3)), or with the time when a person reads the terminal.
struct JournalLogHandler: LogHandler {
  var logLevel = Logger.Level.info
  var metadata = Logger.Metadata()
  private let isJournal = getenv("JOURNAL_STREAM") != nil

  init(label: String) {}

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    Report.line(
      isJournal ? "<\(event.level.priority)>\(event.message)" : "\(Self.clock()) \(event.level): \(event.message)")
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

/// Lines on standard error.
enum Report {
  static func error(_ text: String) { line("vecand: \(text)") }

  static func line(_ text: String) {
    let text = text + "\n"
    text.withCString { _ = write(STDERR_FILENO, $0, strlen($0)) }
  }
}
