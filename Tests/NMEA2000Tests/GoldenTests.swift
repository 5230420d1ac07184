import CANBus
import MonotonicTime
import NMEA2000
import Testing

/// Real frames against what canboat's analyzer makes of them (../shared/golden, beside the repository).
@Suite struct GoldenTests {
  /// One message of the capture, decoded here.
  struct Row {
    let block: Int
    let payload: [UInt8]
    let header: MessageIdentifier
    let framing: MessageDefinition.Framing
    let json: JSONValue
  }

  static let folder = GoldenFiles.folder

  // MARK: - The files

  static func decodedRows(_ log: [UInt8]) throws -> [Row] {
    var rows: [Row] = []
    var assembler = FastPacketAssembler()
    let writer = MessageWriter(.json)
    var clock = WallClockText()
    var block = -1
    for line in log.split(separator: 0x0A) {
      if line.starts(with: "# block ".utf8) {
        block = Int(String(decoding: line.dropFirst(8).prefix { $0 != 0x20 }, as: UTF8.self)) ?? -1
        assembler.removeAll()
        continue
      }
      guard case .frame(let record) = CandumpLine(String(decoding: line, as: UTF8.self)),
        case .data(let frame) = record.frame, let header = MessageIdentifier(frame.identifier)
      else { continue }
      let framing = PGNNames.framing(of: header.pgn)
      var payload: [UInt8]?
      if framing == .fastPacket {
        let instant = Instant(nanoseconds: (record.microseconds ?? 0) * 1000)
        payload = assembler.receive(frame, at: instant) { span in
          (0..<span.byteCount).map { span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
      } else {
        payload = Array(frame.payload)
      }
      guard let payload else { continue }
      var text = TextBuffer()
      writer.write(payload.span.bytes, header, microseconds: record.microseconds, clock: &clock, to: &text)
      rows.append(
        Row(
          block: block, payload: payload, header: header, framing: framing,
          json: try JSONValue(parsing: Array(text.string.utf8).span)))
    }
    return rows
  }

  /// The rows of the other decoder: one a line between the brackets.
  static func goldenRows(_ text: [UInt8]) throws -> [(block: Int, decoded: JSONValue)] {
    guard case .array(let rows) = try JSONValue(parsing: text.span) else { return [] }
    return rows.compactMap { row in
      guard case .number(let block) = row["block"], let decoded = row["decoded"] else { return nil }
      return (Int(block), decoded)
    }
  }

  // MARK: - Equality

  /// What differs, as a path and both values; nil when nothing does. Names may come in any order, numbers are equal when
  /// they are to a millionth.
  static func difference(_ ours: JSONValue, _ theirs: JSONValue, _ path: String = "") -> String? {
    switch (ours, theirs) {
    case (.number(let left), .number(let right)):
      return abs(left - right) <= 1e-6 * max(1, abs(right)) ? nil : "\(path): \(left), not \(right)"
    case (.object(let left), .object(let right)):
      let names = Set(left.map(\.name)).union(right.map(\.name))
      for name in names.sorted() {
        guard let left = ours[name] else { return "\(path).\(name): missing" }
        guard let right = theirs[name] else { return "\(path).\(name): too much" }
        if let found = difference(left, right, "\(path).\(name)") { return found }
      }
      return nil
    case (.array(let left), .array(let right)):
      guard left.count == right.count else { return "\(path): \(left.count) elements, not \(right.count)" }
      for index in left.indices {
        if let found = difference(left[index], right[index], "\(path)[\(index)]") { return found }
      }
      return nil
    default:
      return ours == theirs ? nil : "\(path): \(ours), not \(theirs)"
    }
  }

  /// A value of a maker's own field inside a group function, which canboat knows from its list of proprietary messages
  /// and we show as bytes. The fields 1 to 3 of such a message, and everything else, must be equal.
  static func isMakersParameter(_ theirs: JSONValue, _ path: String) -> Bool {
    guard theirs["pgn"] == .number(126208), case .number(let pgn) = theirs["fields"]?["PGN"]?["value"],
      PGN(UInt32(pgn)).isProprietary, path.hasPrefix(".fields.list"),
      case .array(let list) = theirs["fields"]?["list"]
    else { return false }
    // A list that ends early ends with the first of the maker's own fields.
    if path.hasPrefix(".fields.list:") { return list.contains { ownNumber($0) > 3 } }
    guard let index = Int(path.dropFirst(".fields.list[".count).prefix { $0 != "]" }), list.indices.contains(index)
    else {
      return false
    }
    return ownNumber(list[index]) > 3
  }

  private static func ownNumber(_ parameter: JSONValue) -> Double {
    if case .number(let number) = parameter["Parameter"] { number } else { 0 }
  }

  // MARK: - Tests

  @Test("Every message that canboat decodes is decoded, with every field equal")
  func decode() throws {
    guard let log = GoldenFiles.bytes("real-frames.log"), let json = GoldenFiles.bytes("real-frames.json") else {
      print("golden files are not there: \(Self.folder)")
      return
    }
    let ours = try Self.decodedRows(log)
    let theirs = try Self.goldenRows(json)
    #expect(theirs.count > 1000)

    // Ours may hold more: canboat gives up messages of 126208 with a maker's field that it can't tell, and one 126996 of
    // block 58 whose slot it had filled with the rest of an earlier message.
    var position = 0
    var additional: [String: Int] = [:]
    var makersParameters = 0
    var problems: [String] = []
    for (block, decoded) in theirs {
      var match = position
      while match < ours.count, !Self.isSameMessage(ours[match], block, decoded) { match += 1 }
      guard match < ours.count else {
        problems.append("missing in block \(block): \(decoded)")
        continue
      }
      for extra in ours[position..<match] { additional["\(extra.header.pgn)", default: 0] += 1 }
      position = match + 1
      if let difference = Self.difference(ours[match].json, decoded) {
        let path = String(difference.prefix { $0 != " " }).trimmingSuffix(":")
        if Self.isMakersParameter(decoded, difference.hasPrefix(".fields.list:") ? ".fields.list:" : path) {
          makersParameters += 1
        } else {
          problems.append("block \(block) at \(decoded["timestamp"] ?? .null): \(difference)")
        }
      }
    }
    for extra in ours[min(position, ours.count)...] { additional["\(extra.header.pgn)", default: 0] += 1 }
    #expect(problems.isEmpty, "\(problems.count) problems, first: \(problems.prefix(5).joined(separator: "\n"))")
    #expect(makersParameters == 15)
    #expect(additional == ["126208": 2, "126996": 1])
  }

  /// Same message, whatever its fields: the time in the other decoder's milliseconds is compared later.
  private static func isSameMessage(_ row: Row, _ block: Int, _ decoded: JSONValue) -> Bool {
    row.block == block
      && ["timestamp", "prio", "src", "dst", "pgn", "description"].allSatisfy { row.json[$0] == decoded[$0] }
  }

  @Test("Encoding canboat's JSON gives the same bytes")
  func encode() throws {
    guard let log = GoldenFiles.bytes("real-frames.log") else {
      print("golden files are not there: \(Self.folder)")
      return
    }
    let reader = MessageReader()
    var same = 0
    var exceptions: [String: Int] = [:]
    var problems: [String] = []
    for row in try Self.decodedRows(log) {
      let message = try reader.message(row.json)
      var bytes: [UInt8] = []
      for index in 0..<message.payload.count { bytes.append(message.payload[index]) }
      #expect(message.header == row.header)
      #expect(message.framing == row.framing)
      if bytes == row.payload {
        same += 1
      } else if let reason = Self.reason(bytes, row) {
        exceptions[reason, default: 0] += 1
      } else {
        problems.append("PGN \(row.header.pgn) block \(row.block): \(bytes), not \(row.payload)")
      }
    }
    #expect(problems.isEmpty, "\(problems.count) problems, first: \(problems.prefix(5).joined(separator: "\n"))")
    #expect(same == 4427)
    #expect(
      exceptions == [
        "127506: the capture has 9 bytes, 11 are sent": 7,
        "127507: the capture has two bytes behind the last field": 39,
        "126996: other padding behind the texts": 61,
        // 127506: 0xFFFE as time remaining. 127501: indicators in error. 60928: unique numbers in the top three codes.
        "127506: codes for no value, or bytes behind the last field": 79,
        "127501: codes for no value, or bytes behind the last field": 11,
        "60928: codes for no value, or bytes behind the last field": 28,
        // Acknowledgements whose last half byte is 0 instead of F, and reserved bits inside a parameter.
        "126208: codes for no value, or bytes behind the last field": 8,
      ])
  }

  /// Why bytes may differ from the captured ones without a loss of anything that the JSON says.
  private static func reason(_ bytes: [UInt8], _ row: Row) -> String? {
    switch row.header.pgn {
    case 127506 where row.payload.count == 9 && Array(bytes[..<9]) == row.payload:
      return "127506: the capture has 9 bytes, 11 are sent"
    case 127507 where row.payload.count == 8 && Array(row.payload[..<6]) == bytes:
      return "127507: the capture has two bytes behind the last field"
    case 126996 where isCodeOnly(bytes, row) != nil:
      return "126996: other padding behind the texts"
    default:
      break
    }
    // Error and reserved codes are left out of the JSON, so they come back as not available.
    return Self.isCodeOnly(bytes, row)
  }

  /// Equal once both are decoded again: only codes that mean "no value" were changed.
  private static func isCodeOnly(_ bytes: [UInt8], _ row: Row) -> String? {
    let writer = MessageWriter(.json)
    var clock = WallClockText()
    var ours = TextBuffer()
    var theirs = TextBuffer()
    writer.write(bytes.span.bytes, row.header, microseconds: nil, clock: &clock, to: &ours)
    writer.write(row.payload.span.bytes, row.header, microseconds: nil, clock: &clock, to: &theirs)
    return ours.string == theirs.string ? "\(row.header.pgn): codes for no value, or bytes behind the last field" : nil
  }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
