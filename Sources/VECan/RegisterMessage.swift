public import NMEA2000

/// A register's value in one frame: PGN 61184, addressed, 8 bytes (vecan.md section 1).
///
/// `66 99`, register little-endian, value little-endian, filled with zeros. Reports go to 255 whoever asked; a value
/// that is sent to 255 is a report and never a command.
public struct RegisterMessage: Hashable, Sendable {
  /// Which register.
  public let id: RegisterID
  /// Its value: 4 bytes, of which a shorter register uses the first.
  public private(set) var value: ShortPayload

  /// A message with these bytes as the value.
  public init(_ id: RegisterID, value: ShortPayload) {
    self.id = id
    self.value = value
  }

  /// A register in which nothing is available.
  public init(_ register: Register) {
    let definition = register.definition
    id = definition.id
    value = definition.blank
  }

  /// A register of one number, in its unit.
  public init(_ register: Register, _ number: Reading<Double>) {
    self.init(register)
    set(number, field: 0, of: register)
  }

  /// A register of two numbers.
  public init(_ register: Register, _ first: Reading<Double>, _ second: Reading<Double>) {
    self.init(register, first)
    set(second, field: 1, of: register)
  }

  /// A register of one code; one that is not known is all ones.
  public init(_ register: Register, code: UInt8?) {
    self.init(register)
    value.setBits(at: 0, count: 8, to: UInt64(code ?? 0xFF))
  }

  /// The register in a message of 61184; nil for another maker's, and for one too short to hold a register's number.
  public init?(_ message: VictronRegister) {
    guard message.isVictron, let id = message.register else { return nil }
    self.id = RegisterID(id)
    value = ShortPayload(littleEndian: message.payload.bytes >> 32, count: min(4, message.payload.count - 4))
  }

  /// Writes a number into a field, rounded to its steps; one that does not fit is "error" and never clamped.
  public mutating func set(_ number: Reading<Double>, field: Int, of register: Register) {
    let fields = register.definition.fields
    if fields.indices.contains(field) { value.set(fields[field], number) }
  }

  /// A number of the register; nil when this is another register, or too few bytes for it came.
  public func number(_ register: Register, field: Int = 0) -> Reading<Double>? {
    let definition = register.definition
    guard holds(definition), definition.fields.indices.contains(field) else { return nil }
    return value.number(definition.fields[field])
  }

  /// The code of the register; nil when this is another register, or no byte of it came.
  public func code(_ register: Register) -> UInt8? {
    holds(register.definition) ? value[0] : nil
  }

  /// Whether this is `definition`'s register with all of its value.
  public func holds(_ definition: RegisterDefinition) -> Bool {
    id == definition.id && value.count >= definition.length
  }

  /// One condition of a register that consists of them.
  public subscript<Part: RegisterPart>(part: Part) -> Part.State {
    get {
      let bits = value.bits(at: part.rawValue * Part.State.bitCount, count: Part.State.bitCount) ?? 0
      return Part.State(rawValue: UInt8(truncatingIfNeeded: bits)) ?? .zero
    }
    set {
      value.setBits(
        at: part.rawValue * Part.State.bitCount, count: Part.State.bitCount, to: UInt64(newValue.rawValue))
    }
  }

  /// One flag of a register that consists of flags.
  public subscript<Part: RegisterPart>(flag: Part) -> Bool where Part.State == FlagState {
    get { self[flag] == .set }
    set { self[flag] = newValue ? .set : .clear }
  }

  /// The message as it is sent. Bytes past the value are zeros.
  public var message: VictronRegister {
    let used = UInt128(1) << UInt128(value.count * 8) - 1
    return VictronRegister(register: id.rawValue, value: UInt32(truncatingIfNeeded: value.bytes & used))
  }
}

// Orders: what is sent to one device (vecan.md section 1).
extension RegisterMessage {
  /// Asks for the registers whose number has the bits of `id` where `mask` has ones.
  public static func read(_ id: RegisterID, mask: UInt16 = 0xFFFF) -> RegisterMessage {
    RegisterMessage(
      .read, value: ShortPayload(littleEndian: UInt128(mask) << 16 | UInt128(id.rawValue), count: 4))
  }

  /// Refuses a request for `id`.
  public static func refusal(of id: RegisterID, _ code: RefusalCode) -> RegisterMessage {
    RegisterMessage(
      .refusal, value: ShortPayload(littleEndian: UInt128(code.rawValue) << 16 | UInt128(id.rawValue), count: 4))
  }

  /// The two numbers of 16 bits in the value of ``RegisterID/read`` and ``RegisterID/refusal``; nil when cut.
  public var words: (id: RegisterID, code: UInt16)? {
    guard let id = value.bits(at: 0, count: 16), let code = value.bits(at: 16, count: 16) else { return nil }
    return (RegisterID(UInt16(truncatingIfNeeded: id)), UInt16(truncatingIfNeeded: code))
  }
}

/// A register's value of more than 4 bytes, or a text: PGN 126720 as a fast packet (vecan.md section 1).
public struct LongRegisterMessage: Hashable, Sendable {
  /// Which register.
  public let id: RegisterID
  /// The payload behind the register's number.
  public let value: LongPayload

  /// A text, cut to what the register holds at a whole character, and ended by a zero.
  public init(_ register: Register, _ text: String) {
    let definition = register.definition
    id = definition.id
    var value = LongPayload()
    for character in text {
      let bytes = character.utf8
      guard value.count + bytes.count <= definition.longestText ?? 0 else { break }
      for byte in bytes { value.append(byte) }
    }
    value.append(0)
    self.value = value
  }

  /// The register in a message of 126720; nil for another maker's, and for one too short to hold a register's number.
  public init?(_ message: ProprietaryFastPacket) {
    guard message.header?.manufacturer == VictronRegister.manufacturer, message.header?.industry == 4,
      let id = message.payload.bits(at: 16, count: 16)
    else { return nil }
    self.id = RegisterID(UInt16(truncatingIfNeeded: id))
    value = message.payload.withBytes { LongPayload($0.extracting(droppingFirst: 4)) }
  }

  /// The message as that of a short register, with the first four bytes of its value.
  public var short: RegisterMessage { RegisterMessage(id, value: value.short) }

  /// The value as a text, to the first zero; nil when it is none.
  public var text: String? {
    var bytes: [UInt8] = []
    for index in 0..<value.count {
      if value[index] == 0 { break }
      bytes.append(value[index])
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// The message as it is sent.
  public var message: ProprietaryFastPacket {
    var message = ProprietaryFastPacket(ProprietaryHeader(manufacturer: VictronRegister.manufacturer))
    message.payload.append(littleEndian: UInt64(id.rawValue), byteCount: 2)
    for index in 0..<value.count { message.payload.append(value[index]) }
    return message
  }
}
