import BMSCore
import BMSDevice
import CANBus

/// A line of the event log that outlives a restart: alarms that came and went, decisions, the state of the links.
struct StoredEvent: Sendable, Equatable, Codable {
  enum Kind: String, Sendable, Codable {
    /// An alarm was raised or cleared; the code is its.
    case raised, cleared
    /// A decision changed; the code is what was decided.
    case decided
    /// A bus came or went; the code is its state.
    case link
  }

  /// Bytes of a text that are kept, so that so many events have so many bytes.
  static let longestText = 240

  /// Grows by one from event to event; 0 until it is stored.
  var id: Int64 = 0
  var kind: Kind
  var code: String
  var text: String
  /// The value that decided, in the unit that the text names.
  var value: Double?
  /// When it was told, by wall clock and by the count of the boot: the one for people, the other where a clock was set.
  var moment: Moment
}

extension StoredEvent {
  /// What a report of the engine leaves in the log; mostly nothing.
  static func events(of report: EngineReport, fuseNames: FuseNames) -> [StoredEvent] {
    lazy var now = Moment.now()
    func event(_ kind: Kind, _ code: String, _ text: String, _ value: Double? = nil) -> StoredEvent {
      StoredEvent(kind: kind, code: code, text: text.cut(toBytes: longestText), value: value, moment: now)
    }
    switch report {
    case .device(.raised(let alarms)):
      return alarms.map { alarm, cause in
        let because = cause.map { " (\($0))" } ?? ""
        return event(.raised, alarm.definition.code, fuseNames.message(of: alarm) + because, cause?.value)
      }
    case .device(.core(let events, _)):
      return events.cleared.map { event(.cleared, $0.definition.code, fuseNames.message(of: $0)) }
    case .device(.decided(let explanations)):
      return explanations.map { event(.decided, $0.subject.name, $0.text, $0.reason.value) }
    case .link(let link), .batteryLink(let link): return [event(.link, "\(link.state)", link.text)]
    default: return []
    }
  }
}

/// Events as they were asked for.
struct StoredEvents: Sendable, Equatable {
  var events: [StoredEvent] = []
  /// The number after which to ask for more.
  var last: Int64 = 0
  /// So many between them are damaged and left out.
  var damaged = 0
}

// In the table.
extension StoredEvent {
  func insert(into connection: SQLiteConnection, id: Int64) throws(SQLiteError) {
    var event = self
    event.id = id
    // SQLite knows no "not a number".
    event.value = value.flatMap { $0.isFinite ? $0 : nil }
    try connection.rows(
      "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", SQLiteValue(id), SQLiteValue(kind.rawValue),
      SQLiteValue(code), SQLiteValue(text), SQLiteValue(event.value), SQLiteValue(moment.boot),
      SQLiteValue(moment.sinceBoot), SQLiteValue(moment.wall), SQLiteValue(moment.isWallTimeKept ? 1 : 0),
      SQLiteValue(event.checksum))
  }

  static func read(
    from connection: SQLiteConnection, since id: Int64?, limit: Int
  ) throws(SQLiteError) -> StoredEvents {
    var answer = StoredEvents(last: id ?? 0)
    let (order, isReversed) = id == nil ? ("DESC", true) : ("ASC", false)
    let rows = try connection.rows(
      "SELECT * FROM event WHERE id > ? ORDER BY id \(order) LIMIT ?", SQLiteValue(id ?? 0), SQLiteValue(max(0, limit)))
    for row in isReversed ? rows.reversed() : rows {
      answer.last = row[0].integer ?? answer.last
      if let event = StoredEvent(row) { answer.events.append(event) } else { answer.damaged += 1 }
    }
    return answer
  }

  /// Nil when the row is not what was written.
  private init?(_ row: [SQLiteValue]) {
    guard row.count == 10, let id = row[0].integer, let kind = row[1].text.flatMap(Kind.init), let code = row[2].text,
      let text = row[3].text, let boot = row[5].text, let sinceBoot = row[6].real, let wall = row[7].real,
      let isKept = row[8].integer
    else { return nil }
    self.init(
      id: id, kind: kind, code: code, text: text, value: row[4].real,
      moment: Moment(boot: boot, sinceBoot: sinceBoot, wall: wall, isWallTimeKept: isKept != 0))
    guard row[9] == SQLiteValue(checksum) else { return nil }
  }

  private var checksum: UInt32 {
    let parts: [Any?] = [
      id, kind.rawValue, code, text, value, moment.boot, moment.sinceBoot, moment.wall, moment.isWallTimeKept,
    ]
    return CRC32.of(parts.map { $0.map { "\($0)" } ?? "" }.joined(separator: "\n").utf8)
  }
}

extension String {
  /// As many whole characters as so many bytes hold.
  fileprivate func cut(toBytes most: Int) -> String {
    guard utf8.count > most else { return self }
    var end = startIndex
    for index in indices where self[..<index].utf8.count <= most { end = index }
    return String(self[..<end])
  }
}
