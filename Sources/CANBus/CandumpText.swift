/// Frames as the text that can-utils reads and writes, appended to a buffer of the caller.
///
/// A buffer that is emptied with `removeAll(keepingCapacity: true)` between lines makes this free of allocations.
public enum CandumpText {
  /// Appends the line `candump -L` would write: `(1587256555.571000) can0 09ED4300#00150116F001FF01`, with a line feed.
  ///
  /// `microseconds` is wall time since 1970; a negative time is written as 0.
  public static func appendLogLine(
    _ frame: CANFrame, microseconds: Int64, interface: some StringProtocol, to text: inout [UInt8]
  ) {
    appendTimestamp(microseconds, to: &text)
    text.append(space)
    text.append(contentsOf: interface.utf8)
    text.append(space)
    appendCompact(frame, to: &text)
    text.append(lineFeed)
  }

  /// Appends the line `candump` would write on a terminal: `  can0  18EEFF00   [8]  01 02 03 04 05 06 07 08`, with a line
  /// feed. An 11-bit identifier stands at the right of its column.
  ///
  /// `microseconds` is a time to put in front, as `candump -t a` does; nil for none.
  public static func appendConsoleLine(
    _ frame: CANFrame, microseconds: Int64? = nil, interface: some StringProtocol, to text: inout [UInt8]
  ) {
    if let microseconds {
      text.append(space)
      appendTimestamp(microseconds, to: &text)
    }
    text.append(space)
    text.append(space)
    text.append(contentsOf: interface.utf8)
    text.append(space)
    text.append(space)
    if let identifier = frame.identifier, !identifier.isExtended { appendCharacters("     ", to: &text) }
    appendIdentifier(of: frame, to: &text)
    appendCharacters("   [", to: &text)
    switch frame {
    case .data(let data):
      text.append(0x30 &+ UInt8(truncatingIfNeeded: data.payload.count))
      appendSpacedBytes(data.payload, to: &text)
    case .remote(let remote):
      text.append(0x30 &+ remote.requestedLength)
      appendCharacters("]  remote request", to: &text)
    case .error(let error):
      text.append(0x30 &+ UInt8(truncatingIfNeeded: error.details.count))
      appendSpacedBytes(error.details, to: &text)
      // candump aligns the word behind eight bytes.
      for _ in error.details.count..<8 { appendCharacters("   ", to: &text) }
      appendCharacters("   ERRORFRAME", to: &text)
    }
    text.append(lineFeed)
  }

  /// Appends the form that `cansend` takes and `candump -L` writes: `09ED4300#0015`, `123#R4`, without a line feed.
  public static func appendCompact(_ frame: CANFrame, to text: inout [UInt8]) {
    appendIdentifier(of: frame, to: &text)
    text.append(0x23)
    switch frame {
    case .data(let data):
      appendBytes(data.payload, to: &text)
    case .remote(let remote):
      text.append(0x52)
      if remote.requestedLength > 0 { text.append(0x30 &+ remote.requestedLength) }
    case .error(let error):
      appendBytes(error.details, to: &text)
    }
  }

  /// The form of ``appendCompact(_:to:)`` as a string, for people.
  public static func compact(_ frame: CANFrame) -> String {
    var text: [UInt8] = []
    appendCompact(frame, to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  // MARK: - Parts

  private static let space: UInt8 = 0x20
  private static let lineFeed: UInt8 = 0x0A

  private static func appendTimestamp(_ microseconds: Int64, to text: inout [UInt8]) {
    let time = max(0, microseconds)
    text.append(0x28)
    appendDecimal(time / 1_000_000, width: 10, to: &text)
    text.append(0x2E)
    appendDecimal(time % 1_000_000, width: 6, to: &text)
    text.append(0x29)
  }

  /// At least `width` digits.
  private static func appendDecimal(_ value: Int64, width: Int, to text: inout [UInt8]) {
    var divisor: Int64 = 1
    var digits = 1
    while digits < width || value / divisor >= 10 {
      divisor *= 10
      digits += 1
    }
    while divisor > 0 {
      text.append(0x30 &+ UInt8(truncatingIfNeeded: value / divisor % 10))
      divisor /= 10
    }
  }

  private static func appendIdentifier(of frame: CANFrame, to text: inout [UInt8]) {
    switch frame {
    case .data(let data): appendIdentifier(data.identifier, to: &text)
    case .remote(let remote): appendIdentifier(remote.identifier, to: &text)
    case .error(let error):
      appendHexadecimal(error.conditions.rawValue & 0x1FFF_FFFF | 0x2000_0000, digits: 8, to: &text)
    }
  }

  private static func appendIdentifier(_ identifier: CANIdentifier, to text: inout [UInt8]) {
    appendHexadecimal(identifier.value, digits: identifier.isExtended ? 8 : 3, to: &text)
  }

  private static func appendHexadecimal(_ value: UInt32, digits: Int, to text: inout [UInt8]) {
    var shift = UInt32(digits) * 4
    while shift > 0 {
      shift -= 4
      text.append(AsciiDigits.digit(UInt8(truncatingIfNeeded: value >> shift)))
    }
  }

  private static func appendBytes(_ payload: CANPayload, to text: inout [UInt8]) {
    for byte in payload {
      text.append(AsciiDigits.digit(byte >> 4))
      text.append(AsciiDigits.digit(byte))
    }
  }

  private static func appendSpacedBytes(_ payload: CANPayload, to text: inout [UInt8]) {
    appendCharacters("] ", to: &text)
    for byte in payload {
      text.append(space)
      text.append(AsciiDigits.digit(byte >> 4))
      text.append(AsciiDigits.digit(byte))
    }
  }

  private static func appendCharacters(_ characters: StaticString, to text: inout [UInt8]) {
    characters.withUTF8Buffer { text.append(contentsOf: $0) }
  }
}
