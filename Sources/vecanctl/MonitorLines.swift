import CANBus
import MonotonicTime
import NMEA2000

/// Which messages a monitor shows. Empty sets let everything pass.
struct MonitorFilter {
  var pgns: Set<PGN> = []
  var sources: Set<UInt8> = []

  var isEmpty: Bool { pgns.isEmpty && sources.isEmpty }

  func passes(_ identifier: MessageIdentifier) -> Bool {
    (pgns.isEmpty || pgns.contains(identifier.pgn)) && (sources.isEmpty || sources.contains(identifier.source))
  }
}

/// Turns what is heard on a bus into lines: one a complete message, one a frame that is none, one a change of the link.
///
/// A line has the wall time, who sent it, and what it says:
///
///     2026-11-21T09:00:00.000Z  36      vecand                127508 Battery Status: Instance: 0, Voltage: 13.27 V
///     2026-11-21T09:00:00.010Z 11-bit                         351 Battery limits: CVL: 14.2 V, CCL: 200.0 A
struct MonitorLines: ~Copyable {
  /// Who and what was heard, written or not.
  private(set) var listener = BusListener()
  /// Frames that make no sense.
  private(set) var malformed = 0
  /// What is written.
  var writer: LineWriter

  private let filter: MonitorFilter
  private let limit: Int

  /// Lines in this style, of what passes `filter`, at most `limit`.
  init(_ style: MessageStyle, filter: MonitorFilter = MonitorFilter(), limit: Int = .max) {
    self.filter = filter
    self.limit = limit
    writer = LineWriter(style)
  }

  /// Whether as many lines as wanted are written.
  var isComplete: Bool { writer.count >= limit }

  /// Takes a frame that was heard at `instant`, in wall time so many microseconds since 1970.
  mutating func receive(_ frame: CANFrame, at instant: Instant, microseconds: Int64) {
    guard !isComplete else { return }
    switch frame {
    case .data(let data): receive(data, at: instant, microseconds)
    case .remote: if filter.isEmpty { writer.write(frame, microseconds) }
    case .error(let report): writer.event("error", report.words, microseconds)
    }
  }

  /// Takes a change of the link.
  mutating func note(_ link: LinkEvent, microseconds: Int64) { writer.event("link", link.text, microseconds) }

  private mutating func receive(_ frame: CANDataFrame, at instant: Instant, _ microseconds: Int64) {
    var isNews = false
    let outcome = listener.receive(frame, at: instant) { header, payload in
      isNews = header.pgn == ISOAddressClaim.definition.pgn || header.pgn == ProductInformation.definition.pgn
      if filter.passes(header.identifier) { writer.write(payload, header.identifier, microseconds) }
    }
    let identifier = MessageIdentifier(frame.identifier)
    if isNews, let identifier { writer.call(identifier.source, listener.devices[identifier.source]) }
    switch outcome {
    case .delivered, .part:
      break
    case .foreign:
      if filter.isEmpty { writer.write(.data(frame), microseconds) }
    case .unknownFraming:
      if let identifier, filter.passes(identifier) { writer.write(piece: frame.payload, identifier, microseconds) }
    case .malformed:
      malformed += 1
      if let identifier, filter.passes(identifier) {
        writer.write(.data(frame), microseconds, remark: "makes no sense")
      }
    }
  }
}
