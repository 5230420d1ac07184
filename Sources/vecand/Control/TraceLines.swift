import BMSDevice
import CANBus
import ControlAPI
import FoundationEssentials
import MonotonicTime

/// The trace as JSON lines, in the order in which it happened: frames in and out as candump writes them, decisions,
/// and the state once a second.
struct TraceLines {
  /// So many lines are made at a time: a download costs no more memory than that.
  static let blockLength = 256

  /// The first line: what the others are of.
  private struct Header: Encodable {
    var kind = "header"
    var version: String
    /// Wall time of the download, and the moment of the last line on the clock of the others.
    var unixSeconds: Int
    var lastAtSeconds: Double
    var frames: Int
    var events: Int
    var statuses: Int
  }

  private struct EventLine: Encodable {
    var kind = "event"
    var atSeconds: Double
    var level: String
    var text: String
  }

  private struct StatusLine: Encodable {
    var kind = "status"
    var atSeconds: Double
    var status: StatusSample
  }

  private var header: Header?
  private var frames: FlattenSequence<[[FrameTrace.Entry]]>.Iterator
  private var events: IndexingIterator<[EventReport]>
  private var statuses: IndexingIterator<[StatusSample]>
  private var nextFrame: FrameTrace.Entry?
  private var nextEvent: EventReport?
  private var nextStatus: StatusSample?

  init(_ trace: FrameTrace, _ events: [EventReport], _ statuses: [StatusSample]) {
    let last = max(
      trace.last.map(\.instant.traceSeconds) ?? 0, events.last?.atSeconds ?? 0, statuses.last?.atSeconds ?? 0)
    header = Header(
      version: Version.text, unixSeconds: WallClockReading.now().seconds, lastAtSeconds: last, frames: trace.count,
      events: events.count, statuses: statuses.count)
    frames = trace.entries.makeIterator()
    self.events = events.makeIterator()
    self.statuses = statuses.makeIterator()
    nextFrame = frames.next()
    nextEvent = self.events.next()
    nextStatus = self.statuses.next()
  }

  /// Some lines more; nil when that was all.
  mutating func nextBlock() throws -> Data? {
    var block = Data()
    var count = 0
    while count < Self.blockLength, let line = try nextLine() {
      block += line
      block.append(UInt8(ascii: "\n"))
      count += 1
    }
    return count == 0 ? nil : block
  }

  private mutating func nextLine() throws -> Data? {
    if let header {
      self.header = nil
      return try ControlJSON.encode(header)
    }
    let frame = nextFrame?.instant.traceSeconds ?? .infinity
    let event = nextEvent?.atSeconds ?? .infinity
    let status = nextStatus?.atSeconds ?? .infinity
    // Of one moment: what came in, what was decided, and how things were then.
    if let entry = nextFrame, frame <= event, frame <= status {
      nextFrame = frames.next()
      return line(entry)
    }
    if let one = nextEvent, event <= status {
      nextEvent = events.next()
      return try ControlJSON.encode(EventLine(atSeconds: one.atSeconds, level: one.level, text: one.text))
    }
    guard let one = nextStatus else { return nil }
    nextStatus = statuses.next()
    return try ControlJSON.encode(StatusLine(atSeconds: one.atSeconds, status: one))
  }

  /// Most lines are frames, and none of their text needs escaping.
  private func line(_ entry: FrameTrace.Entry) -> Data {
    let direction = entry.isSent ? "out" : "in"
    let frame = CandumpText.compact(.data(entry.frame))
    return Data(
      """
      {"at_seconds":\(entry.instant.traceSeconds),"direction":"\(direction)","frame":"\(frame)","kind":"frame"}
      """.utf8)
  }
}
