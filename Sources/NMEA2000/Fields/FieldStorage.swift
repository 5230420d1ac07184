public import MonotonicTime

/// Bytes that fields are read from and written to.
///
/// Reading past the end is allowed and yields nil, which becomes "not available": a payload shorter than the table
/// happens on real buses and must not fail the whole message (nmea2000.md sections 1.1 and 4).
public protocol FieldStorage {
  /// How many bytes there are.
  var count: Int { get }
  /// The bits of a field of at most 57 bits, or of 64 at a whole byte; nil when the payload ends before the last bit.
  func bits(at bitOffset: Int, count: Int) -> UInt64?
  /// Writes the low `count` bits of `value`. Outside the storage it does nothing.
  mutating func setBits(at bitOffset: Int, count: Int, to value: UInt64)
}

extension FieldStorage {
  /// The reading of a numeric field in its unit.
  @inlinable
  @inline(__always)
  public func number(_ field: Field) -> Reading<Double> {
    guard let format = field.format else { return .notAvailable }
    return steps(field, format).map { format.value(steps: $0) }
  }

  /// The reading of a numeric field in steps of its resolution.
  @inlinable
  @inline(__always)
  public func integer(_ field: Field) -> Reading<Int> {
    guard let format = field.format else { return .notAvailable }
    return steps(field, format)
  }

  /// The reading of a length of time.
  @inlinable
  @inline(__always)
  public func duration(_ field: Field) -> Reading<TimeSpan> {
    guard let format = field.format else { return .notAvailable }
    // A field of 32 bits in milliseconds is 4.3e15 ns: far from the end of 64 bits.
    return steps(field, format).map {
      TimeSpan(nanoseconds: Int64($0 &* Int(format.multiplier)) &* (1_000_000_000 / Int64(format.divisor)))
    }
  }

  @inlinable
  @inline(__always)
  func steps(_ field: Field, _ format: NumberFormat) -> Reading<Int> {
    guard let bits = bits(at: field.bitOffset, count: field.bitCount) else { return .notAvailable }
    return Codes.reading(bits, bitCount: field.bitCount, format)
  }

  /// The code of a field with names, whether it has a name or not.
  @inlinable
  @inline(__always)
  public func code(_ field: Field) -> Reading<UInt32> {
    code(at: field.bitOffset, count: field.bitCount)
  }

  @inlinable
  @inline(__always)
  func code(at bitOffset: Int, count: Int) -> Reading<UInt32> {
    guard let bits = bits(at: bitOffset, count: count) else { return .notAvailable }
    return Codes.missing(bits, bitCount: count, signed: false) ?? .value(UInt32(truncatingIfNeeded: bits))
  }

  /// The code of a field with names, as a type of its own.
  @inlinable
  @inline(__always)
  public func code<Code: RawRepresentable>(_ field: Field, as: Code.Type) -> Reading<Code>
  where Code.RawValue == UInt32 {
    code(field).flatMap { Code(rawValue: $0).map(Reading.value) ?? .reserved }
  }

  /// A field of two bits that is off or on: 0 and 1; 2 is an error and 3 not available.
  @inlinable
  @inline(__always)
  public func flag(_ field: Field) -> Reading<Bool> {
    code(field).map { $0 != 0 }
  }

  /// A PGN of 24 bits.
  @inlinable
  @inline(__always)
  public func pgn(_ field: Field) -> Reading<PGN> {
    code(field).map { PGN($0) }
  }

  /// Writes a number in the field's unit, rounded to its resolution; one that does not fit is sent as "error", never
  /// clamped to a number that nobody measured (nmea2000.md section 1.1).
  @inlinable
  @inline(__always)
  public mutating func set(_ field: Field, _ reading: Reading<Double>) {
    guard let format = field.format else { return }
    write(field, format, reading.flatMap { format.steps(value: $0).map(Reading.value) ?? .error })
  }

  /// Writes a number in steps of the field's resolution; one that does not fit is sent as "error".
  @inlinable
  @inline(__always)
  public mutating func set(_ field: Field, steps: Reading<Int>) {
    guard let format = field.format else { return }
    write(field, format, steps)
  }

  /// Writes a length of time, rounded to the field's resolution; one that does not fit is sent as "error".
  @inlinable
  @inline(__always)
  public mutating func set(_ field: Field, _ reading: Reading<TimeSpan>) {
    set(field, reading.map { $0.seconds })
  }

  /// Writes a code; one that does not fit is sent as "error".
  @inlinable
  @inline(__always)
  public mutating func set(_ field: Field, code: Reading<UInt32>) {
    set(at: field.bitOffset, count: field.bitCount, code: code)
  }

  @inlinable
  @inline(__always)
  mutating func set(at bitOffset: Int, count: Int, code: Reading<UInt32>) {
    let bits = Codes.bits(of: code.map { Int($0) }, bitCount: count, .count)
    setBits(at: bitOffset, count: count, to: bits)
  }

  /// Writes off or on, or one of the codes for neither.
  @inlinable
  @inline(__always)
  public mutating func set(_ field: Field, flag: Reading<Bool>) {
    set(field, code: flag.map { $0 ? 1 : 0 })
  }

  /// Writes a PGN.
  @inlinable
  @inline(__always)
  public mutating func set(_ field: Field, _ reading: Reading<PGN>) {
    set(field, code: reading.map { $0.rawValue })
  }

  @inlinable
  @inline(__always)
  mutating func write(_ field: Field, _ format: NumberFormat, _ steps: Reading<Int>) {
    setBits(
      at: field.bitOffset, count: field.bitCount, to: Codes.bits(of: steps, bitCount: field.bitCount, format))
  }

  /// Writes a text into a fixed field and fills up with 0xFF, as most devices do (nmea2000.md section 1.4).
  public mutating func set(_ field: Field, _ text: FixedText?) {
    for index in 0..<field.bitCount / 8 {
      setBits(at: field.bitOffset + index * 8, count: 8, to: UInt64(text?[index] ?? 0xFF))
    }
  }
}

/// The codes that are no values (nmea2000.md section 1.1, and canboat's count of them by width).
@usableFromInline
enum Codes {
  /// All ones; for a signed number the largest positive.
  @inlinable
  @inline(__always)
  static func notAvailable(bitCount: Int, signed: Bool) -> UInt64 {
    UInt64.max &>> UInt64(64 &- bitCount &+ (signed ? 1 : 0))
  }

  /// How many codes at the top of a field's range are no values.
  ///
  /// "Not available" is one from 2 bits up, "error" one in 2 bits and from 4 bits up, "reserved" one from 8 bits up.
  @inlinable
  @inline(__always)
  static func missingCount(bitCount: Int) -> UInt64 {
    switch bitCount {
    case ...1: 0
    case 2: 2
    case 3: 1
    case ...7: 2
    default: 3
    }
  }

  /// What the bits say when they are no value; nil when they are one.
  @inlinable
  @inline(__always)
  static func missing<Value>(_ bits: UInt64, bitCount: Int, signed: Bool) -> Reading<Value>? {
    let top = notAvailable(bitCount: bitCount, signed: signed)
    guard bits <= top, top &- bits < missingCount(bitCount: bitCount) else { return nil }
    switch top &- bits {
    case 0: return .notAvailable
    case 1: return .error
    default: return .reserved
    }
  }

  /// The reading of the bits of a number.
  @inlinable
  @inline(__always)
  static func reading(_ bits: UInt64, bitCount: Int, _ format: NumberFormat) -> Reading<Int> {
    if format.hasMissingCodes,
      let missing: Reading<Int> = missing(bits, bitCount: bitCount, signed: format.isSigned)
    {
      return missing
    }
    guard format.isSigned else { return .value(Int(truncatingIfNeeded: bits)) }
    let shift = UInt64(64 &- bitCount)
    return .value(Int(Int64(bitPattern: bits &<< shift) &>> Int64(shift)))
  }

  /// The bits of a reading; those of "error" for a value that the field can't express.
  @inlinable
  static func bits(of reading: Reading<Int>, bitCount: Int, _ format: NumberFormat) -> UInt64 {
    let top = notAvailable(bitCount: bitCount, signed: format.isSigned)
    let missing = missingCount(bitCount: bitCount)
    let error = missing > 1 ? top &- 1 : top
    switch reading {
    case .notAvailable: return top
    case .error: return error
    case .reserved: return missing > 2 ? top &- 2 : error
    case .value(let value):
      if value < 0 {
        // The most negative code is not in a signed field's range.
        guard format.isSigned, UInt64(value.magnitude) <= top else { return error }
        return UInt64(bitPattern: Int64(value)) & (UInt64.max >> UInt64(64 &- bitCount))
      }
      return UInt64(value) <= top &- (format.hasMissingCodes ? missing : 0) ? UInt64(value) : error
    }
  }
}
