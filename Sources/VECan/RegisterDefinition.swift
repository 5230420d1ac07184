public import NMEA2000

/// A row of the table of registers: the one description that encode, decode, names, units, text and JSON come from.
public struct RegisterDefinition: Sendable {
  /// Who may do what.
  public enum Access: Sendable, Hashable {
    /// Only to be read.
    case read
    /// To be read and written.
    case readWrite
    /// Only to be written: it does something.
    case command
  }

  /// When the register is sent.
  public enum Sending: Sendable, Hashable {
    /// To who asks, and after it was written.
    case onRequest
    /// Also unasked: on change, at most once a second, and from time to time.
    case onChange
  }

  /// Where number and type come from, by the keys of vecan.md, and so how sure they are.
  public enum Source: Sendable, Hashable {
    /// Separate sources agree, [C].
    case confirmed(String)
    /// One source, and it is Victron's, [V].
    case victron(String)
  }

  /// What the value is.
  public enum Content: Sendable {
    /// So many bytes, 0...4, with fields at offsets from the first bit.
    case fields([Field], length: Int)
    /// A text of at most so many bytes, ended by a zero. It travels as a fast packet.
    case text(longest: Int)
  }

  /// Its number.
  public let id: RegisterID
  /// Its name, canboat's where that has one.
  public let name: String
  /// What its value is.
  public let content: Content
  /// Who may do what.
  public let access: Access
  /// When it is sent.
  public let sending: Sending
  /// Where number and type come from.
  public let source: Source
  /// The value in which nothing is available: all ones, the largest for a signed number (R312); zeros where a code of 0
  /// says so. Where Victron's list has no such value this is our choice.
  public let blank: ShortPayload

  /// The fields; none for a text.
  public var fields: [Field] { if case .fields(let fields, _) = content { fields } else { [] } }

  /// The least length of the value in bytes.
  public var length: Int { if case .fields(_, let length) = content { length } else { 0 } }

  /// The longest text in bytes; nil when it is none.
  public var longestText: Int? { if case .text(let longest) = content { longest } else { nil } }

  /// Whether a value to be written can have so many bytes: all of its fields, or a text of at least its closing zero.
  func takes(byteCount: Int) -> Bool {
    switch content {
    case .fields(_, let length): byteCount >= length
    case .text(let longest): 1...(longest + 1) ~= byteCount
    }
  }

  /// The name as people type it: `charge-voltage-limit`.
  public var key: String {
    String(name.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" })
  }

  init(
    _ register: Register, _ name: String, _ content: Content, access: Access = .read,
    sent sending: Sending = .onRequest,
    from source: Source
  ) {
    id = RegisterID(register.rawValue)
    self.name = name
    self.content = content
    self.access = access
    self.sending = sending
    self.source = source
    guard case .fields(let fields, let length) = content else {
      blank = ShortPayload(littleEndian: 0, count: 0)
      return
    }
    var bits = UInt128.zero
    for field in fields {
      guard let format = field.format else { continue }
      let width = UInt128(format.isSigned ? field.bitCount - 1 : field.bitCount)
      bits |= (1 << width - 1) << UInt128(field.bitOffset)
    }
    if fields.count == 1, case .lookup = fields[0].kind, fields[0].bitCount == 8 { bits = 0xFF }
    blank = ShortPayload(littleEndian: bits, count: length)
  }
}

// The kinds of content, each once.
extension RegisterDefinition.Content {
  /// One number.
  static func number(
    _ bits: Int, signed: Bool = false, decimals: UInt8 = 0, times multiplier: Int32 = 1, _ unit: Unit = .none
  ) -> Self {
    let format = NumberFormat(signed: signed, multiplier: multiplier, decimals: decimals, unit: unit)
    return .fields([Field("Value", at: 0, bits: bits, .number(format))], length: bits / 8)
  }

  /// Two numbers of 16 bits: the lowest and the highest of something.
  static func extremes(_ unit: Unit) -> Self {
    let kind = Field.Kind.number(NumberFormat(decimals: 2, unit: unit))
    return .fields(
      [Field("Lowest", at: 0, bits: 16, kind), Field("Highest", at: 16, bits: 16, kind)], length: 4)
  }

  /// A code of 8 bits with names.
  static func code(_ lookup: Lookup) -> Self { .fields([.lookup("Value", at: 0, bits: 8, lookup)], length: 1) }

  /// Conditions of one or two bits each.
  static func parts<Part: RegisterPart>(_ type: Part.Type, length: Int) -> Self {
    .fields(
      Part.allCases.map {
        .lookup($0.name, at: $0.rawValue * Part.State.bitCount, bits: Part.State.bitCount, Part.State.lookup)
      }, length: length)
  }

  /// A version: the instance of the software, then three bytes (vecan.md section 2.1).
  static let version = Self.fields(
    [
      Field("Instance", at: 0, bits: 8, .number(.everyCode)), Field("Version", at: 8, bits: 24, .number(.count)),
    ], length: 4)

  /// Whole numbers of 8 bits under these names.
  static func bytes(_ names: [String]) -> Self {
    .fields(names.enumerated().map { .unsigned($1, at: $0 * 8, bits: 8) }, length: names.count)
  }

  /// Nothing: that it is written is all.
  static let nothing = Self.fields([], length: 0)

  static func volts(_ bits: Int, signed: Bool = false, decimals: UInt8 = 2) -> Self {
    .number(bits, signed: signed, decimals: decimals, .volts)
  }

  static func amperes(_ bits: Int, signed: Bool = false, decimals: UInt8 = 1) -> Self {
    .number(bits, signed: signed, decimals: decimals, .amperes)
  }

  static let ampereHours = Self.number(32, signed: true, decimals: 1, .ampereHours)
  static let count = Self.number(32, signed: true)
  static let kelvin = Self.number(16, decimals: 2, .kelvin)
  static let energy = Self.number(32, decimals: 2, .kilowattHours)
  static let minutes = Self.number(16, times: 60, .seconds)
  static func percent(decimals: UInt8) -> Self { .number(16, decimals: decimals, .percent) }
  static let onOff = Self.code(.offOn)
}
