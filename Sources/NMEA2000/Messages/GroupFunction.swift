/// 126208 group function: what its seven functions have in common (nmea2000.md section 1.4).
public enum GroupFunction: UInt8, Sendable {
  /// Asks for a PGN.
  case request = 0
  /// Sets fields.
  case command = 1
  /// Answers.
  case acknowledge = 2
  /// Asks for fields.
  case readFields = 3
  /// Answers with fields.
  case readFieldsReply = 4
  /// Writes fields.
  case writeFields = 5
  /// Answers with the fields written.
  case writeFieldsReply = 6

  static let functionField = Field.lookup("Function Code", at: 0, bits: 8, .groupFunction)
  static let pgnField = Field("PGN", at: 8, bits: 24, .pgn)
  static let fields = [functionField, pgnField]

  /// The fields of a pair: the number of a field of the PGN, and its value.
  static let pairFields = [
    Field("Parameter", at: 0, bits: 8, .fieldNumber), Field("Value", at: 8, bits: 0, .fieldValue),
  ]

  /// The maker's two bytes, which functions 3 to 6 carry for a proprietary PGN only.
  static let proprietaryFields = [
    Field("Manufacturer Code", at: 32, bits: 11, .lookup(.manufacturer), isProprietaryOnly: true),
    Field("Reserved", at: 43, bits: 2, .reserved, isProprietaryOnly: true),
    Field("Industry Code", at: 45, bits: 3, .lookup(.industry), isProprietaryOnly: true),
  ]

  /// Which function a message is; nil for an unknown one or an empty message.
  public init?(_ payload: LongPayload) {
    guard payload.count > 0 else { return nil }
    self.init(rawValue: payload[0])
  }

  var matches: [MessageDefinition.Match] { [.init(Self.functionField, UInt64(rawValue))] }

  /// `length` bytes with this function and PGN, and ones behind.
  func payload(_ pgn: PGN, length: Int) -> LongPayload {
    var payload = LongPayload(count: length)
    payload.setBits(at: Self.functionField.bitOffset, count: 8, to: UInt64(rawValue))
    payload.setBits(at: Self.pgnField.bitOffset, count: 24, to: UInt64(pgn.rawValue))
    return payload
  }
}

/// A message of 126208.
public protocol GroupFunctionMessage {
  /// Which function it is.
  static var function: GroupFunction { get }
  /// The payload.
  var payload: LongPayload { get }
}

extension GroupFunctionMessage {
  /// The PGN that the function is about; not available in a message that ends before it.
  public var pgn: Reading<PGN> { payload.pgn(GroupFunction.pgnField) }
}

/// The pairs of field number and value in a group function, one after the other.
///
/// How long a value is says only the definition of the field: the reader is told it field by field. After a field whose
/// width is unknown nothing more can be read (nmea2000.md section 1.4).
public struct GroupParameters: Sendable {
  /// The message's payload.
  public let payload: LongPayload
  /// Where the next pair begins.
  public private(set) var offset: Int
  /// How many pairs the message says that still follow; 0 when it ends before it says so, never a made-up number: a
  /// command cut before its count once drew twenty frames of answer (nmea2000.md section 4).
  public private(set) var remaining: Int

  /// The pairs at a byte of a payload.
  public init(_ payload: LongPayload, at offset: Int, count: Reading<Int>) {
    self.payload = payload
    self.offset = offset
    remaining = count.value ?? 0
  }

  /// The number of the field of the next pair; nil behind the last one and behind the end of the payload.
  public var nextFieldNumber: Int? {
    remaining > 0 && offset < payload.count ? Int(payload[offset]) : nil
  }

  /// Takes the next pair, whose field has this definition: the place of its value in the payload.
  ///
  /// Nil, and the end of reading, when there is no pair, its width is unknown, or the payload ends before it does.
  public mutating func next(_ field: Field?) -> Range<Int>? {
    guard nextFieldNumber != nil else { return nil }
    let start = offset + 1
    let end: Int?
    switch field?.kind {
    case nil: end = nil
    case .variableText: end = VariableText.end(in: payload, at: start)
    default: end = field?.wholeByteCount.map { start + $0 }
    }
    guard let end, end <= payload.count else {
      remaining = 0
      return nil
    }
    offset = end
    remaining -= 1
    return start..<end
  }

  /// The value at a place that ``next(_:)`` returned, as a number of at most 64 bits, first byte least significant.
  public func value(at range: Range<Int>) -> UInt64 {
    payload.bits(at: range.lowerBound * 8, count: min(8, range.count) * 8) ?? 0
  }
}

extension LongPayload {
  mutating func appendPair(_ number: Int, _ value: UInt64, byteCount: Int, countingIn field: Field) -> Bool {
    guard case .value(let pairs) = integer(field), pairs < 252, (0...223).contains(byteCount),
      count + 1 + byteCount <= Self.capacity
    else { return false }
    append(UInt8(truncatingIfNeeded: number))
    append(littleEndian: value, byteCount: byteCount)
    set(field, steps: .value(pairs + 1))
    return true
  }
}
