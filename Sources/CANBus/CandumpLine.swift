/// One line of a capture, as the tools of can-utils write it.
///
/// The forms are those of `candump -L` (also `canplayer` and `log2asc` files), of `candump` on a terminal, and the
/// argument of `cansend`. The `#` line that marks the start of another capture is a form of ours.
///
/// A line is read in place from its bytes: no string is made and nothing is allocated.
public enum CandumpLine: Hashable, Sendable {
  /// A classic frame.
  case frame(CandumpRecord)
  /// A line that starts with `#`: a comment. What follows may be another capture, so reassembly starts anew here.
  case comment
  /// Nothing to read: a blank line, or the indented explanation that `candump -e` writes below an error frame.
  case empty
  /// A well-marked CAN FD frame (`##`, or a two-digit length on a terminal line). This bus is classic CAN.
  case canFD
  /// Not a line of a capture.
  case broken(CandumpFault)
}

/// A frame with what its line tells beside it.
public struct CandumpRecord: Hashable, Sendable {
  /// Which way a frame went, seen from the machine that recorded it (`candump -x`).
  public enum Direction: UInt8, Hashable, Sendable {
    /// It came in from the bus.
    case received
    /// The recording machine sent it.
    case sent
  }

  /// The frame.
  public var frame: CANFrame
  /// The line's time in microseconds: since 1970 for `candump -L`, `-t a` and `-t A`, since the start or the last frame
  /// for `-t z` and `-t d`. Nil if the line has none. Finer digits are cut off. `-t A` writes the recorder's local time
  /// and not in which zone: it is taken as it stands, for UTC.
  public var microseconds: Int64?
  /// Where the interface's name stands in the line; empty in the form of `cansend`.
  public var interface: Range<Int>
  /// The direction, if it was recorded.
  public var direction: Direction?

  /// A record of a frame.
  public init(_ frame: CANFrame, microseconds: Int64?, interface: Range<Int>, direction: Direction? = nil) {
    self.frame = frame
    self.microseconds = microseconds
    self.interface = interface
    self.direction = direction
  }
}

/// Why a line could not be read: what should have stood where.
public struct CandumpFault: Error, Hashable, Sendable, CustomStringConvertible {
  /// What should have been there.
  public enum Expected: String, Hashable, Sendable {
    /// A time.
    case timestamp = "a time such as (1587256555.571000) or (2020-04-19 00:35:55.571000)"
    /// An interface name.
    case interface = "the name of an interface, at most 15 characters"
    /// An identifier.
    case identifier = "an identifier of 3 or 8 hexadecimal digits"
    /// An identifier in range.
    case identifierRange =
      "an identifier up to 7FF (3 digits), 1FFFFFFF (8 digits), or an error frame's 2xxxxxxx or 3xxxxxxx"
    /// `#` or `[length]`.
    case separator = "# or [length] after the identifier"
    /// A length.
    case length = "a length of 0 to 8 in brackets"
    /// A data byte.
    case dataByte = "a data byte of two hexadecimal digits"
    /// No more than 8 bytes.
    case atMostEightBytes = "at most 8 data bytes"
    /// The end.
    case endOfLine = "the end of the line"
  }

  /// What should have been there.
  public var expected: Expected
  /// The column of the first byte that did not fit, counted from 1.
  public var column: Int

  /// A fault.
  public init(_ expected: Expected, column: Int) {
    self.expected = expected
    self.column = column
  }

  /// The fault in words.
  public var description: String { "column \(column): expected \(expected.rawValue)" }
}

extension CandumpLine {
  /// Reads one line, given without its line feed (a carriage return may stay).
  public init(_ line: Span<UInt8>) {
    do throws(CandumpFault) {
      self = try Self.read(line)
    } catch {
      self = .broken(error)
    }
  }

  /// Reads the form that `cansend` takes: `5A1#11.2233.44556677`, `18EEFF00#`, `123#R4`, without time and interface.
  ///
  /// Three digits make an 11-bit identifier, eight a 29-bit one. Dots may separate bytes.
  public init(cansend text: Span<UInt8>) {
    do throws(CandumpFault) {
      let end = Self.trimmedEnd(text)
      guard end > 0 else {
        self = .empty
        return
      }
      var offset = 0
      let frame = try Self.frame(text, at: &offset, end: end)
      guard let frame else {
        self = .canFD
        return
      }
      guard offset == end else { throw CandumpFault(.endOfLine, column: offset + 1) }
      self = .frame(CandumpRecord(frame, microseconds: nil, interface: 0..<0))
    } catch {
      self = .broken(error)
    }
  }

  /// Reads one line of text; for tests and for people's input, not for files.
  public init(_ line: some StringProtocol) {
    self.init(Array(line.utf8).span)
  }

  /// Reads the text of a `cansend` argument.
  public init(cansend text: some StringProtocol) {
    self.init(cansend: Array(text.utf8).span)
  }

  // MARK: - Lines

  @inline(__always)
  private static func read(_ line: Span<UInt8>) throws(CandumpFault) -> CandumpLine {
    let end = trimmedEnd(line)
    var offset = 0
    skipBlanks(line, &offset, end)
    guard offset < end else { return .empty }
    if line[offset] == ascii("#") { return .comment }
    if line[0] == ascii("\t") { return .empty }

    var microseconds: Int64?
    if line[offset] == ascii("(") {
      microseconds = try timestamp(line, at: &offset, end: end)
      skipBlanks(line, &offset, end)
    }

    let start = offset
    while offset < end, line[offset] > 0x20 { offset &+= 1 }
    // IFNAMSIZ is 16 with its terminating zero (linux/if.h).
    guard offset > start, offset &- start < 16 else { throw CandumpFault(.interface, column: start + 1) }
    let interface = Range(uncheckedBounds: (start, offset))
    skipBlanks(line, &offset, end)

    var direction = announcedDirection(line, at: &offset, end: end)
    guard let frame = try frame(line, at: &offset, end: end) else { return .canFD }
    if offset < end {
      if let trailing = trailingDirection(line, at: offset, end: end) {
        direction = trailing
      } else {
        throw CandumpFault(.endOfLine, column: offset + 1)
      }
    }
    return .frame(CandumpRecord(frame, microseconds: microseconds, interface: interface, direction: direction))
  }

  /// `(seconds.fraction)`, with 1 to 12 digits before the point and 1 to 9 after it.
  @inline(__always)
  private static func timestamp(_ line: Span<UInt8>, at offset: inout Int, end: Int) throws(CandumpFault) -> Int64 {
    // The form of every `candump -L` line from 2001 to 2286: ten digits and six.
    if offset &+ 19 <= end, line[offset &+ 11] == ascii("."), line[offset &+ 18] == ascii(")"),
      let high = AsciiDigits.decimal(AsciiDigits.load(line, at: offset &+ 1)),
      let low = AsciiDigits.decimal(AsciiDigits.load(line, at: offset &+ 9, count: 2)),
      let fraction = AsciiDigits.decimal(AsciiDigits.load(line, at: offset &+ 11) << 8 & ~0xFFFF | 0x3030)
    {
      offset &+= 19
      // `low` was padded with six zeros behind its two digits: it is a million times too large, which is what is wanted.
      return high &* 100_000_000 &+ low &+ fraction
    }
    return try unusualTimestamp(line, at: &offset, end: end)
  }

  @inline(never)
  private static func unusualTimestamp(_ line: Span<UInt8>, at offset: inout Int, end: Int) throws(CandumpFault)
    -> Int64
  {
    var index = offset + 1
    var seconds: Int64 = 0
    let first = index
    while index < end, index - first < 12, case let digit = line[index] &- 0x30, digit < 10 {
      seconds = seconds * 10 + Int64(digit)
      index += 1
    }
    if index - first == 4, index < end, line[index] == ascii("-") {
      seconds = try dateAndTime(line, at: &index, end: end, year: seconds)
    }
    guard index > first, index < end, line[index] == ascii(".") else {
      throw CandumpFault(.timestamp, column: index + 1)
    }
    index += 1
    var fraction: Int64 = 0
    var weight: Int64 = 100_000
    let point = index
    while index < end, index - point < 9, case let digit = line[index] &- 0x30, digit < 10 {
      fraction += Int64(digit) * weight
      weight /= 10
      index += 1
    }
    guard index > point, index < end, line[index] == ascii(")") else {
      throw CandumpFault(.timestamp, column: index + 1)
    }
    offset = index + 1
    return seconds * 1_000_000 + fraction
  }

  /// Seconds since 1970 of the rest of `2026-11-29 02:00:00`, from the hyphen behind the year on (`candump -t A`).
  private static func dateAndTime(
    _ line: Span<UInt8>, at index: inout Int, end: Int, year: Int64
  ) throws(CandumpFault) -> Int64 {
    var parts = InlineArray<5, Int64>(repeating: 0)
    let layout: InlineArray<5, (separator: Unicode.Scalar, allowed: ClosedRange<Int64>)> = [
      ("-", 1...12), ("-", 1...31), (" ", 0...23), (":", 0...59), (":", 0...60),
    ]
    for part in layout.indices {
      guard index < end, line[index] == ascii(layout[part].separator) else {
        throw CandumpFault(.timestamp, column: index + 1)
      }
      guard index + 2 < end, case let tens = line[index + 1] &- 0x30, tens < 10,
        case let ones = line[index + 2] &- 0x30, ones < 10, case let value = Int64(tens) * 10 + Int64(ones),
        layout[part].allowed.contains(value)
      else { throw CandumpFault(.timestamp, column: index + 2) }
      parts[part] = value
      index += 3
    }
    guard year >= 1970 else { throw CandumpFault(.timestamp, column: 2) }
    let days = CalendarDate.daysSince1970(year: year, month: parts[0], day: parts[1])
    return ((days * 24 + parts[2]) * 60 + parts[3]) * 60 + parts[4]
  }

  /// `RX - -` or `TX B E` before the identifier, as `candump -x` writes on a terminal.
  @inline(__always)
  private static func announcedDirection(
    _ line: Span<UInt8>, at offset: inout Int, end: Int
  ) -> CandumpRecord.Direction? {
    guard offset &+ 6 < end, line[offset &+ 1] == ascii("X"), line[offset &+ 2] == 0x20 else { return nil }
    let direction: CandumpRecord.Direction
    switch line[offset] {
    case ascii("R"): direction = .received
    case ascii("T"): direction = .sent
    default: return nil
    }
    offset += 3
    skipBlanks(line, &offset, end)
    // The two flags: bit rate switch and error state, of CAN FD frames only.
    if offset + 3 < end, line[offset + 1] == 0x20, line[offset + 3] == 0x20 { offset += 3 }
    skipBlanks(line, &offset, end)
    return direction
  }

  /// ` R` or ` T` at the end, as `candump -L -x` writes.
  private static func trailingDirection(_ line: Span<UInt8>, at start: Int, end: Int) -> CandumpRecord.Direction? {
    var offset = start
    skipBlanks(line, &offset, end)
    guard offset > start, offset + 1 == end else { return nil }
    return switch line[offset] {
    case ascii("R"): .received
    case ascii("T"): .sent
    default: nil
    }
  }

  // MARK: - Frames

  /// What an identifier's digits stand for.
  private enum Subject {
    case identifier(CANIdentifier)
    case error(CANErrorFrame.Conditions)
  }

  /// An identifier and what follows it, in either form; nil for CAN FD.
  @inline(__always)
  private static func frame(_ line: Span<UInt8>, at offset: inout Int, end: Int) throws(CandumpFault) -> CANFrame? {
    let start = offset
    let subject: Subject
    if offset &+ 8 < end, line[offset &+ 8] == ascii("#") || line[offset &+ 8] == 0x20,
      let bytes = AsciiDigits.hexadecimal(AsciiDigits.load(line, at: offset))
    {
      let value = bytes.byteSwapped
      if value <= 0x1FFF_FFFF {
        subject = .identifier(.extended(value))
      } else if value <= 0x3FFF_FFFF {
        // can-utils writes an error frame's class bits with CAN_ERR_FLAG, 0x20000000.
        subject = .error(CANErrorFrame.Conditions(rawValue: value & 0x1FFF_FFFF))
      } else {
        throw CandumpFault(.identifierRange, column: start + 1)
      }
      offset &+= 8
    } else if offset &+ 3 < end, line[offset &+ 3] == ascii("#") || line[offset &+ 3] == 0x20,
      let bytes = AsciiDigits.hexadecimal(AsciiDigits.load(line, at: offset, count: 3))
    {
      let value = bytes.byteSwapped >> 20
      guard let identifier = CANIdentifier(standard: value) else {
        throw CandumpFault(.identifierRange, column: start + 1)
      }
      subject = .identifier(identifier)
      offset &+= 3
    } else {
      throw identifierFault(line, at: start, end: end)
    }

    if line[offset] == ascii("#") {
      offset &+= 1
      return try compactFrame(line, subject, at: &offset, end: end)
    }
    return try spacedFrame(line, subject, at: &offset, end: end)
  }

  @inline(never)
  private static func identifierFault(_ line: Span<UInt8>, at start: Int, end: Int) -> CandumpFault {
    var index = start
    while index < end, AsciiDigits.value(line[index]) != nil { index += 1 }
    let digits = index - start
    return CandumpFault(digits == 3 || digits == 8 ? .separator : .identifier, column: index + 1)
  }

  /// What follows the `#` of `123#...`.
  @inline(__always)
  private static func compactFrame(
    _ line: Span<UInt8>, _ subject: Subject, at offset: inout Int, end: Int
  ) throws(CandumpFault) -> CANFrame? {
    // Sixteen digits and nothing more: the usual line.
    if offset &+ 16 == end || (offset &+ 16 < end && line[offset &+ 16] == 0x20),
      let low = AsciiDigits.hexadecimal(AsciiDigits.load(line, at: offset)),
      let high = AsciiDigits.hexadecimal(AsciiDigits.load(line, at: offset &+ 8))
    {
      offset &+= 16
      return made(subject, CANPayload(littleEndian: UInt64(high) << 32 | UInt64(low), count: 8))
    }
    return try unusualCompactFrame(line, subject, at: &offset, end: end)
  }

  @inline(never)
  private static func unusualCompactFrame(
    _ line: Span<UInt8>, _ subject: Subject, at offset: inout Int, end: Int
  ) throws(CandumpFault) -> CANFrame? {
    guard offset < end else { return made(subject, .empty) }
    if line[offset] == ascii("#") { return nil }
    if line[offset] == ascii("R") {
      guard case .identifier(let identifier) = subject else { throw CandumpFault(.dataByte, column: offset + 1) }
      offset += 1
      var length: UInt8 = 0
      if offset < end, line[offset] != 0x20 {
        length = line[offset] &- 0x30
        guard length <= 8 else { throw CandumpFault(.length, column: offset + 1) }
        offset += 1
        if length == 8 { skipRawLengthCode(line, &offset, end) }
      }
      return .remote(CANRemoteFrame(identifier, requestedLength: length))
    }
    var bits: UInt64 = 0
    var count = 0
    while offset < end, line[offset] != 0x20 {
      if line[offset] == ascii("."), count > 0 {
        offset += 1
        guard offset < end else { break }
      }
      if count == 8 {
        let before = offset
        skipRawLengthCode(line, &offset, end)
        guard offset > before else { throw CandumpFault(.atMostEightBytes, column: offset + 1) }
        break
      }
      let byte = try dataByte(line, at: offset, end: end)
      bits |= UInt64(byte) << (UInt64(count) * 8)
      count += 1
      offset += 2
    }
    return made(subject, CANPayload(littleEndian: bits, count: count))
  }

  /// What follows the identifier on a terminal line: `[8]  01 02 ...`, `[0]  remote request`.
  @inline(never)
  private static func spacedFrame(
    _ line: Span<UInt8>, _ subject: Subject, at offset: inout Int, end: Int
  ) throws(CandumpFault) -> CANFrame? {
    skipBlanks(line, &offset, end)
    guard offset < end, line[offset] == ascii("[") else { throw CandumpFault(.separator, column: offset + 1) }
    // A length of two digits marks CAN FD: "[08]", "[64]".
    if offset + 3 < end, line[offset + 3] == ascii("]"), line[offset + 1] &- 0x30 < 10, line[offset + 2] &- 0x30 < 10 {
      return nil
    }
    guard offset + 2 < end, case let length = line[offset + 1] &- 0x30, length <= 8, line[offset + 2] == ascii("]")
    else {
      throw CandumpFault(.length, column: offset + 2)
    }
    offset += 3
    skipBlanks(line, &offset, end)
    if case .identifier(let identifier) = subject, matches(line, at: offset, end: end, "remote request") {
      offset = end
      return .remote(CANRemoteFrame(identifier, requestedLength: length))
    }
    var bits: UInt64 = 0
    for count in 0..<length {
      skipBlanks(line, &offset, end)
      bits |= UInt64(try dataByte(line, at: offset, end: end)) << (UInt64(count) * 8)
      offset += 2
      guard offset >= end || line[offset] == 0x20 else { throw CandumpFault(.dataByte, column: offset + 1) }
    }
    // Behind the bytes may stand their characters in quotes (-a) and the word for an error frame.
    let endOfBytes = offset
    skipBlanks(line, &offset, end)
    if offset < end {
      guard offset > endOfBytes || length == 0,
        line[offset] == ascii("'") || matches(line, at: offset, end: end, "ERRORFRAME")
      else {
        throw CandumpFault(.endOfLine, column: offset + 1)
      }
      offset = end
    }
    return made(subject, CANPayload(littleEndian: bits, count: Int(length)))
  }

  @inline(__always)
  private static func made(_ subject: Subject, _ payload: CANPayload) -> CANFrame {
    switch subject {
    case .identifier(let identifier): .data(CANDataFrame(identifier, payload))
    case .error(let conditions): .error(CANErrorFrame(conditions, details: payload))
    }
  }

  private static func dataByte(_ line: Span<UInt8>, at offset: Int, end: Int) throws(CandumpFault) -> UInt8 {
    guard offset < end, let high = AsciiDigits.value(line[offset]) else {
      throw CandumpFault(.dataByte, column: offset + 1)
    }
    guard offset + 1 < end, let low = AsciiDigits.value(line[offset + 1]) else {
      throw CandumpFault(.dataByte, column: offset + 2)
    }
    return high << 4 | low
  }

  /// `_9` to `_F` behind a frame of 8 bytes: the length code as it was on the wire (`candump -8`). It says nothing more.
  private static func skipRawLengthCode(_ line: Span<UInt8>, _ offset: inout Int, _ end: Int) {
    if offset + 1 < end, line[offset] == ascii("_"), let code = AsciiDigits.value(line[offset + 1]), code > 8 {
      offset += 2
    }
  }

  // MARK: - Bytes

  @inline(__always)
  private static func ascii(_ character: Unicode.Scalar) -> UInt8 { UInt8(truncatingIfNeeded: character.value) }

  @inline(__always)
  private static func skipBlanks(_ line: Span<UInt8>, _ offset: inout Int, _ end: Int) {
    while offset < end, line[offset] == 0x20 || line[offset] == 0x09 { offset &+= 1 }
  }

  /// The length without blanks and line ends behind.
  @inline(__always)
  private static func trimmedEnd(_ line: Span<UInt8>) -> Int {
    var end = line.count
    while end > 0, line[end &- 1] == 0x20 || (0x09...0x0D).contains(line[end &- 1]) { end &-= 1 }
    return end
  }

  private static func matches(_ line: Span<UInt8>, at offset: Int, end: Int, _ word: StaticString) -> Bool {
    guard end - offset >= word.utf8CodeUnitCount else { return false }
    return word.withUTF8Buffer { letters in
      for index in letters.indices where line[offset + index] != letters[index] { return false }
      return true
    }
  }
}
