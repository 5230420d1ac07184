import CSQLite
import Glibc

/// A connection to a file of SQLite (sqlite.org/c3ref), for one thread at a time.
///
/// The few calls that one file with two tables needs. GRDB does more, and brings all of Foundation: a binary of 106 MB
/// instead of 45, 6 MiB resident and some 60 ms until the address is claimed.
final class SQLiteConnection {
  private let handle: OpaquePointer

  /// - Throws: ``SQLiteError`` when there is no such file, or it can't be opened.
  init(path: String) throws(SQLiteError) {
    var handle: OpaquePointer?
    // Never mapped into memory: an unreadable sector would then end the process (SIGBUS) instead of being an error.
    let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
    guard code == SQLITE_OK, let handle else {
      let error = SQLiteError(handle, code)
      sqlite3_close_v2(handle)
      throw error
    }
    sqlite3_extended_result_codes(handle, 1)
    self.handle = handle
  }

  deinit { sqlite3_close_v2(handle) }

  /// The file can be read and not written.
  var isReadOnly: Bool { sqlite3_db_readonly(handle, "main") == 1 }

  /// The file was moved or deleted since it was opened; what is written goes nowhere.
  var isMoved: Bool {
    var isMoved: Int32 = 0
    return sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &isMoved) == SQLITE_OK && isMoved != 0
  }

  /// Runs statements that have no result.
  func execute(_ statements: String) throws(SQLiteError) {
    let code = sqlite3_exec(handle, statements, nil, nil, nil)
    guard code == SQLITE_OK else { throw SQLiteError(handle, code) }
  }

  /// Runs one statement with values in place of its question marks; its rows.
  @discardableResult
  func rows(_ statement: String, _ values: SQLiteValue...) throws(SQLiteError) -> [[SQLiteValue]] {
    var prepared: OpaquePointer?
    let code = sqlite3_prepare_v2(handle, statement, -1, &prepared, nil)
    guard code == SQLITE_OK, let prepared else { throw SQLiteError(handle, code) }
    defer { sqlite3_finalize(prepared) }
    for (index, value) in values.enumerated() {
      let code = value.bind(to: prepared, at: Int32(index + 1))
      guard code == SQLITE_OK else { throw SQLiteError(handle, code) }
    }
    var rows: [[SQLiteValue]] = []
    while true {
      switch sqlite3_step(prepared) {
      case SQLITE_ROW: rows.append((0..<sqlite3_column_count(prepared)).map { SQLiteValue(prepared, column: $0) })
      case SQLITE_DONE: return rows
      case let code: throw SQLiteError(handle, code)
      }
    }
  }

  /// All of it, or nothing.
  func transaction(_ body: () throws(SQLiteError) -> Void) throws(SQLiteError) {
    do throws(SQLiteError) {
      try execute("BEGIN IMMEDIATE")
      try body()
      try execute("COMMIT")
    } catch {
      // SQLite has taken it back by itself after some errors.
      if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
      throw error
    }
  }
}

/// A value of a column.
enum SQLiteValue: Equatable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)

  init(_ text: String) { self = .text(text) }
  init(_ integer: some BinaryInteger) { self = .integer(Int64(integer)) }
  init(_ real: Double?) { self = real.map { .real($0) } ?? .null }

  var text: String? { if case .text(let text) = self { text } else { nil } }
  var integer: Int64? { if case .integer(let integer) = self { integer } else { nil } }
  var real: Double? { if case .real(let real) = self { real } else { nil } }

  fileprivate init(_ statement: OpaquePointer, column: Int32) {
    switch sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER: self = .integer(sqlite3_column_int64(statement, column))
    case SQLITE_FLOAT: self = .real(sqlite3_column_double(statement, column))
    case SQLITE_TEXT:
      let bytes = UnsafeBufferPointer(
        start: sqlite3_column_text(statement, column), count: Int(sqlite3_column_bytes(statement, column)))
      self = .text(String(decoding: bytes, as: UTF8.self))
    default: self = .null
    }
  }

  fileprivate func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    switch self {
    case .null: sqlite3_bind_null(statement, index)
    case .integer(let integer): sqlite3_bind_int64(statement, index, integer)
    case .real(let real): sqlite3_bind_double(statement, index, real)
    case .text(let text):
      text.withCString {
        // SQLITE_TRANSIENT, a cast of -1 that Swift does not import: SQLite keeps a copy.
        sqlite3_bind_text64(
          statement, index, $0, sqlite3_uint64(text.utf8.count),
          unsafeBitCast(-1, to: sqlite3_destructor_type.self), UInt8(SQLITE_UTF8))
      }
    }
  }
}

/// What SQLite says about what went wrong.
struct SQLiteError: Error, CustomStringConvertible {
  /// The result code without what extends it (sqlite.org/rescode.html).
  var code: Int32
  var description: String

  fileprivate init(_ handle: OpaquePointer?, _ code: Int32) {
    self.code = code & 0xFF
    description = String(cString: handle.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
    // SQLite's words for it are "unable to open database file" and "disk I/O error".
    let system = handle.map { sqlite3_system_errno($0) } ?? 0
    if system != 0, self.code == SQLITE_CANTOPEN || self.code == SQLITE_IOERR {
      description += ": \(String(cString: strerror(system)))"
    }
  }
}
