/// A text that carries its own length: a length byte that counts itself and the type byte, the type (0 UTF-16, 1 single
/// bytes), the text (nmea2000.md section 1.4, PGN 126998).
public enum VariableText {
  /// The most characters that devices accept in one field; three such fields still fit a fast packet.
  public static let characterLimit = 70

  /// Where the text at `offset` ends; nil when it would end behind the payload.
  ///
  /// Some devices send an empty text as a lone 0xFF (canboat `analyzer/tests/pgn-126998-lau-ff.in`), or as a length of 0
  /// or 1; each counts as one byte.
  public static func end(in payload: LongPayload, at offset: Int) -> Int? {
    guard offset >= 0, offset < payload.count else { return nil }
    let length = Int(payload[offset])
    guard length >= 2, length != 0xFF else { return offset + 1 }
    return offset + length <= payload.count ? offset + length : nil
  }

  /// The text at `offset`; nil when it is missing, empty, or does not fit the payload.
  public static func text(in payload: LongPayload, at offset: Int) -> String? {
    guard let end = end(in: payload, at: offset), end - offset > 2 else { return nil }
    var bytes = (offset + 2..<end).map { payload[$0] }
    if payload[offset + 1] == 0 {
      let units = stride(from: 0, to: bytes.count - 1, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
      return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
    }
    if let zero = bytes.firstIndex(of: 0) { bytes.removeSubrange(zero...) }
    while let last = bytes.last, FixedText.isPadding(last) { bytes.removeLast() }
    return bytes.isEmpty ? nil : FixedText.decode(bytes)
  }

  /// Adds a text; characters beyond the limit are cut off. False, and no change, when it does not fit the payload.
  ///
  /// ASCII goes as single bytes, anything else as UTF-16: makers do not agree on what single bytes above 127 are.
  @discardableResult
  public static func append(_ text: String, to payload: inout LongPayload) -> Bool {
    let text = text.prefix(characterLimit)
    let before = payload
    var fits = true
    if text.utf8.allSatisfy({ $0 < 0x80 }) {
      fits = payload.append(UInt8(text.utf8.count + 2)) && payload.append(1)
      for byte in text.utf8 where fits { fits = payload.append(byte) }
    } else {
      let count = text.utf16.count * 2 + 2
      fits = count <= 0xFE && payload.append(UInt8(truncatingIfNeeded: count)) && payload.append(0)
      for unit in text.utf16 where fits { fits = payload.append(littleEndian: UInt64(unit), byteCount: 2) }
    }
    if !fits { payload = before }
    return fits
  }
}
