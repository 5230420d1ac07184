import BMSCore
import BMSDevice
import CSQLite
import Glibc

/// Keeps what outlives a run in one SQLite file, `state.db`, for one thread at a time.
///
/// - A rollback journal and not a write-ahead log: between two transactions all there is stands in the one file, where a
///   cut or a flipped bit is found. A damaged log is silently a shorter one, and would bring back an older state.
///   `synchronous=FULL`: what was written survives a power cut. The journal stays where it is (`PERSIST`), which saves the
///   file system's own writes, and lets a full disk take the state that is written in place.
/// - One program at a time: a second one finds it in use.
/// - Each value has a checksum, for SQLite finds a flipped bit only in what holds its pages together.
/// - What is damaged, of a newer version or unreadable is refused whole and told as E-B119 (R29): half of a state, or none
///   where there was one, could switch on what was off for a reason. It stays as it is until somebody resets the settings;
///   then it is kept beside the new one.
/// - What another version left is copied before this one writes: that version may have to come back, and refuses what a
///   newer one wrote.
final class StateStore {
  /// How near to On a stored state leaves the BMS.
  private enum Readiness: Int, Comparable {
    /// Somebody has to switch it on.
    case off
    /// An empty battery is off: a charger or the cells end that (R45-R47).
    case wakes
    case on

    init(_ snapshot: Snapshot) {
      let wakes = snapshot.offCause.flatMap(OffCause.init(rawValue:))?.cellsEndAbove != nil
      self = snapshot.mode == Mode.on.rawValue ? .on : wakes ? .wakes : .off
    }

    static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
  }

  static let name = "state.db"
  /// What another version left, the last time: one name, so that copies do not pile up. postinst knows it.
  static func copy(of path: String) -> String { "\(path).before-upgrade" }
  /// "veca" in the header of the file: a database of something else is not taken for ours.
  static let applicationID: Int64 = 0x7665_6361
  /// So many events are kept, the newest, and of these none that is older than 400 days.
  static let mostEvents: Int64 = 4000
  static let oldestEventSeconds = 400.0 * 86_400
  /// 4 MiB.
  static let standardPages = 1024

  /// A step for each version of the layout (PRAGMA user_version), from an empty file on.
  private static let migrations = [
    """
    CREATE TABLE record (name TEXT PRIMARY KEY, value TEXT NOT NULL, crc32 INTEGER NOT NULL) STRICT;
    CREATE TABLE event (
      id INTEGER PRIMARY KEY, kind TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL, value REAL,
      boot TEXT NOT NULL, since_boot REAL NOT NULL, wall REAL NOT NULL, is_wall_kept INTEGER NOT NULL,
      crc32 INTEGER NOT NULL) STRICT;
    """
  ]

  let directory: String
  let path: String
  /// The file grows to so many pages of 4096 bytes, whatever happens.
  private let mostPages: Int
  private var connection: SQLiteConnection?
  /// What is there was refused: it makes room for a new one only when the settings are reset.
  private var refused: StateDefect?
  /// What is there is a new one of this run, of which nobody knows whether its name is on the disk.
  private var isHalfMade = false
  private var writtenTexts: [StoredRecord: String] = [:]
  private var newestEvent: Int64 = 0
  /// What became of the copy; nil when there was none to make.
  private(set) var copyLine: EventLine?
  /// How near the copy of this start would bring the BMS to On.
  private var copied = Readiness.off

  init(directory: String, mostPages: Int = standardPages) {
    self.directory = directory
    self.mostPages = mostPages
    path = "\(directory)/\(Self.name)"
  }

  // MARK: Opening

  /// The stored values; nil when nothing was stored. Writes nothing but what an earlier layout lacks and a copy of what
  /// another version left, and takes back what a power cut left half done.
  ///
  /// - Throws: ``StateDefect`` when there is something, and it cannot be used.
  func open() throws(StateDefect) -> StoredValues? {
    do {
      guard try isThere() else { return nil }
      try checkHeader()
      let connection = try connect()
      let values = try StoredValues(texts: check(connection))
      // What this version, with this layout, would write otherwise.
      let isAnothers = values.core.program != Version.text || (try? texts(of: values)) != writtenTexts
      if isAnothers { keepCopy(connection) }
      copied = isAnothers ? Readiness(values.core.snapshot) : .off
      self.connection = connection
      return values
    } catch {
      let defect = StateDefect(error)
      refused = defect
      throw defect
    }
  }

  /// A file that can't be asked about is no first start.
  private func isThere() throws -> Bool {
    if access(path, F_OK) == 0 { return true }
    let code = errno
    guard code == ENOENT else { throw StateDefect(.unreadable, String(cString: strerror(code))) }
    return false
  }

  /// SQLite takes an empty file for a database that it may begin. Before the first connection: a file that is closed takes
  /// all locks of this process on it along (fcntl(2)).
  private func checkHeader() throws(StateDefect) {
    let magic = Array("SQLite format 3\0".utf8)
    var bytes = [UInt8](repeating: 0, count: magic.count)
    let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    let count = file >= 0 ? read(file, &bytes, bytes.count) : -1
    let code = errno
    if file >= 0 { close(file) }
    guard count >= 0 else { throw StateDefect(.unreadable, String(cString: strerror(code))) }
    guard bytes == magic else { throw StateDefect(.damaged, "it is no SQLite database") }
  }

  private func connect() throws(SQLiteError) -> SQLiteConnection {
    let connection = try SQLiteConnection(path: path)
    try prepare(connection)
    // The lock is taken at once and kept. Who may only read is told so with the first write.
    try connection.execute(connection.isReadOnly ? "BEGIN; COMMIT" : "BEGIN EXCLUSIVE; COMMIT")
    return connection
  }

  private func prepare(_ connection: SQLiteConnection) throws(SQLiteError) {
    try connection.execute(
      """
      PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL;
      PRAGMA temp_store = MEMORY; PRAGMA cache_size = -256; PRAGMA max_page_count = \(mostPages);
      PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;
      """)
  }

  /// The records, if all is as it should be.
  private func check(_ connection: SQLiteConnection) throws -> [StoredRecord: String] {
    func number(_ pragma: String) throws -> Int64 { try connection.rows("PRAGMA \(pragma)").first?.first?.integer ?? 0 }
    guard try number("application_id") == Self.applicationID else {
      throw StateDefect(.damaged, "it is no database of vecand")
    }
    let version = try number("user_version")
    guard version <= Self.migrations.count else { throw StateDefect(.newer, "its layout is \(version)") }
    let findings = try connection.rows("PRAGMA quick_check(1)").compactMap { $0.first?.text }
    guard findings == ["ok"] else { throw StateDefect(.damaged, findings.first ?? "it could not be checked") }
    guard version > 0 else { throw StateDefect(.damaged, "its layout is \(version)") }
    if version < Self.migrations.count { keepCopy(connection) }
    try Self.migrate(connection, from: Int(version))
    writtenTexts = [:]
    for row in try connection.rows("SELECT name, value, crc32 FROM record") {
      guard let name = row[0].text, let record = StoredRecord(rawValue: name), let text = row[1].text,
        row[2] == Self.checksum(record, text)
      else { throw StateDefect(.damaged, "the checksum of \(row[0].text ?? "a record") is wrong") }
      writtenTexts[record] = text
    }
    newestEvent = try connection.rows("SELECT max(id) FROM event").first?.first?.integer ?? 0
    return writtenTexts
  }

  /// Keeps a copy of what another version left. A disk that takes none is no reason not to start.
  private func keepCopy(_ connection: SQLiteConnection) {
    // Not again at each try of a version that ends before it has written, nor after it has brought the layout up to date.
    let copyPath = Self.copy(of: path)
    let core = "SELECT value, crc32 FROM record WHERE name = 'core'"
    if let kept = try? SQLiteConnection(path: copyPath).rows(core), kept == (try? connection.rows(core)) { return }
    let new = copyPath + ".new"
    do {
      try makeCopy(connection, new)
      guard rename(new, copyPath) == 0 else { throw FileError(action: "write", path: copyPath, code: errno) }
      try syncDirectory()
      copyLine = EventLine(level: .notice, text: "what another version left is kept as \(copyPath)")
    } catch {
      unlink(new)
      copyLine = EventLine(
        level: .warning,
        text: "no copy of what another version left could be kept as \(copyPath): \(error). "
          + "If that version comes back, it may refuse what this one writes")
    }
  }

  /// By SQLite: to open the file beside it would lose the lock (``checkHeader()``).
  private func makeCopy(_ connection: SQLiteConnection, _ new: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else { throw FileError(action: "read", path: path, code: errno) }
    for leftover in [new, new + "-journal"] { unlink(leftover) }
    let file = Glibc.open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw FileError(action: "write", path: new, code: errno) }
    defer { close(file) }
    // Whoever could read and write it can after it has come back.
    fchmod(file, status.st_mode & 0o777)
    try connection.rows("VACUUM INTO ?", SQLiteValue(new))
    guard fsync(file) == 0 else { throw FileError(action: "write", path: new, code: errno) }
  }

  private static func migrate(_ connection: SQLiteConnection, from version: Int) throws(SQLiteError) {
    guard version < migrations.count else { return }
    try connection.transaction { () throws(SQLiteError) in
      for step in migrations[version...] { try connection.execute(step) }
      try connection.execute("PRAGMA user_version = \(migrations.count)")
    }
  }

  /// Over name and text: a text under a wrong name is damaged too.
  private static func checksum(_ record: StoredRecord, _ text: String) -> SQLiteValue {
    SQLiteValue(CRC32.of("\(record.rawValue)\n\(text)".utf8))
  }

  // MARK: Writing

  /// What became of a write that succeeded.
  struct Written: Equatable {
    /// How many of the events are stored: none where the disk is full.
    var events: Int
    /// What a person should know of.
    var remark: String?
  }

  /// Stores the values and adds events, all of it or, on a full disk, the values alone. Makes the database where there is
  /// none; what was found at the start and refused is kept beside it.
  ///
  /// - Throws: ``StateDefect`` when it is not on the disk.
  func write(_ values: StoredValues, _ events: [StoredEvent]) throws(StateDefect) -> Written {
    do {
      if let connection, !connection.isMoved {
        return Written(events: try store(values, events, connection))
      }
      var remark = connection.map { _ in "\(path) was deleted: a new one is written" }
      if try isThere(), !isHalfMade {
        guard let refused else {
          throw StateDefect(.unwritable, "another file took its place; start vecand again to have it read")
        }
        guard refused.kind != .inUse else { throw refused }
        remark = "what could not be used is kept as \(freeName())"
      }
      connection = nil
      try create(values, events)
      refused = nil
      return Written(events: events.count, remark: remark)
    } catch {
      let defect = StateDefect(error)
      throw defect.kind == .inUse ? defect : StateDefect(.unwritable, defect.why)
    }
  }

  /// How many of the events are stored.
  private func store(
    _ values: StoredValues, _ events: [StoredEvent], _ connection: SQLiteConnection
  ) throws -> Int {
    let texts = try texts(of: values)
    // Who switches off while an upgrade fails must not be switched on by the way back.
    if Readiness(values.core.snapshot) < copied {
      unlink(Self.copy(of: path))
      copied = .off
    }
    do throws(SQLiteError) {
      try insert(texts, events, connection)
      return events.count
    } catch {
      // The records are written in place, which a full disk can take; events need room.
      guard error.code == SQLITE_FULL, !events.isEmpty else { throw error }
      try insert(texts, [], connection)
      return 0
    }
  }

  private func texts(of values: StoredValues) throws -> [StoredRecord: String] {
    var texts: [StoredRecord: String] = [:]
    for record in StoredRecord.allCases { texts[record] = try record.text(of: values) }
    return texts
  }

  private func insert(
    _ texts: [StoredRecord: String], _ events: [StoredEvent], _ connection: SQLiteConnection
  ) throws(SQLiteError) {
    let newest = newestEvent
    try connection.transaction { () throws(SQLiteError) in
      for (record, text) in texts where writtenTexts[record] != text {
        // An update leaves the index of the names alone: a page less to write than a replacement.
        try connection.rows(
          """
          INSERT INTO record VALUES (?, ?, ?)
          ON CONFLICT (name) DO UPDATE SET value = excluded.value, crc32 = excluded.crc32
          """, SQLiteValue(record.rawValue), SQLiteValue(text), Self.checksum(record, text))
      }
      for (offset, event) in events.enumerated() {
        try event.insert(into: connection, id: newest + Int64(offset) + 1)
      }
      if let last = events.last { try forget(before: last.moment, newest + Int64(events.count), connection) }
    }
    writtenTexts = texts
    newestEvent = newest + Int64(events.count)
  }

  /// Only of the oldest is the age asked, so that it costs the same however many there are. The newest stays: its number
  /// is the last that was given.
  private func forget(
    before now: Moment, _ newest: Int64, _ connection: SQLiteConnection
  ) throws(SQLiteError) {
    try connection.rows("DELETE FROM event WHERE id <= ?", SQLiteValue(newest - Self.mostEvents))
    // A clock that nobody keeps would make everything old at once.
    guard now.isWallTimeKept else { return }
    try connection.rows(
      "DELETE FROM event WHERE id <= (SELECT min(id) FROM event) + 100 AND id < ? AND is_wall_kept AND wall < ?",
      SQLiteValue(newest), SQLiteValue(now.wall - Self.oldestEventSeconds))
  }

  /// A new database appears whole, under its name, or not at all: an empty file is never a first start.
  private func create(_ values: StoredValues, _ events: [StoredEvent]) throws {
    mkdir(directory, 0o750)
    let new = path + ".new"
    for leftover in [new, new + "-journal"] { unlink(leftover) }
    let file = Glibc.open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
    guard file >= 0 else { throw FileError(action: "write", path: new, code: errno) }
    close(file)
    try fill(new) { connection in
      self.writtenTexts = [:]
      self.newestEvent = 0
      try self.insert(try self.texts(of: values), events, connection)
    }
    unlink(new + "-journal")
    if !isHalfMade { try keepBeside() }
    // A journal without its database would be taken for that of the new one.
    unlink(path + "-journal")
    guard rename(new, path) == 0 else { throw FileError(action: "write", path: path, code: errno) }
    isHalfMade = true
    try syncDirectory()
    let connection = try connect()
    self.connection = connection
    isHalfMade = false
    // The journal gets the room that each later write needs, so that a full disk can take them; for that something has to
    // change, and back. If there is no room, the next write tells.
    try? connection.transaction { () throws(SQLiteError) in
      for _ in 1...2 { try connection.execute("UPDATE record SET crc32 = -crc32") }
    }
  }

  private func fill(_ path: String, _ insert: (SQLiteConnection) throws -> Void) throws {
    let connection = try SQLiteConnection(path: path)
    try prepare(connection)
    try connection.execute("PRAGMA application_id = \(Self.applicationID)")
    try Self.migrate(connection, from: 0)
    try insert(connection)
  }

  /// Gives what is there a name under which nothing touches it any more.
  private func keepBeside() throws {
    guard try isThere() else { return }
    let kept = freeName()
    guard rename(path, kept) == 0 else { throw FileError(action: "rename", path: path, code: errno) }
    rename(path + "-journal", kept + "-journal")
  }

  private func freeName() -> String {
    var number = 1
    while access("\(path).kept-\(number)", F_OK) == 0 { number += 1 }
    return "\(path).kept-\(number)"
  }

  /// The names are on the disk too.
  private func syncDirectory() throws(FileError) {
    let file = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw FileError(action: "open", path: directory, code: errno) }
    defer { close(file) }
    guard fsync(file) == 0 else { throw FileError(action: "write", path: directory, code: errno) }
  }

  // MARK: Events

  /// The events after a number, the oldest first; 0 begins with the oldest that is kept, nil asks for the newest.
  ///
  /// - Throws: ``StateDefect`` when they can't be read.
  func events(since id: Int64?, limit: Int) throws(StateDefect) -> StoredEvents {
    if let refused { throw refused }
    guard let connection else { return StoredEvents() }
    do {
      return try StoredEvent.read(from: connection, since: id, limit: limit)
    } catch {
      throw StateDefect(error)
    }
  }
}

/// Why the database is refused, or why it is not written.
struct StateDefect: Error, Equatable {
  enum Kind {
    /// Another program has it open.
    case inUse
    /// It cannot be opened or read.
    case unreadable
    /// It does not hold what was written.
    case damaged
    /// A newer program left it.
    case newer
    /// It cannot be written.
    case unwritable
  }

  var kind: Kind
  var why: String

  init(_ kind: Kind, _ why: String) {
    self.kind = kind
    self.why = why
  }

  init(_ error: any Error) {
    switch error {
    case let defect as StateDefect: self = defect
    case let error as SQLiteError:
      switch error.code {
      case SQLITE_BUSY, SQLITE_LOCKED: self.init(.inUse, "another program has it open")
      case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_NOMEM:
        self.init(.unreadable, error.description)
      default: self.init(.damaged, error.description)
      }
    default: self.init(.unreadable, "\(error)")
    }
  }

  /// What is wrong with the file of that path, and what to do.
  func text(of path: String) -> String {
    switch kind {
    case .inUse: "\(path) is in use: \(why); end that one, or give this one a --state-directory of its own"
    case .unreadable:
      "\(path) can't be read: \(why); let the service's user read and write it and its directory, and start again"
    case .damaged: "\(path) is damaged: \(why); restore it from a copy, or delete it, and start again"
    case .newer:
      "\(path) was left by a newer version: \(why); install that version again\(Self.wayBack(path))"
    case .unwritable:
      "\(path) can't be written: \(why); make room, or let the service's user write, or replace the card"
    }
  }

  /// A person decides on it: what was counted and set since is lost.
  private static func wayBack(_ path: String) -> String {
    let copy = StateStore.copy(of: path)
    guard access(copy, F_OK) == 0 else { return "" }
    return ", or stop vecand, put \(copy), what the version before that one left, in its place, remove \(path)-journal "
      + "and start again, without what was counted and set since"
  }
}
