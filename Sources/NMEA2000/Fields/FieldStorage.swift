/// Bytes that fields are read from and written to.
///
/// Reading past the end is allowed and yields nil, which becomes "not available": a payload shorter than the table
/// happens on real buses and must not fail the whole message (nmea2000.md sections 1.1 and 4).
public protocol FieldStorage {
  /// The bits of a field of at most 64 bits; nil when the payload ends before the field's last bit.
  func bits(at bitOffset: Int, count: Int) -> UInt64?
  /// Writes the low `count` bits of `value`. Outside the storage it does nothing.
  mutating func setBits(at bitOffset: Int, count: Int, to value: UInt64)
}

extension FieldStorage {
  /// The reading of a numeric field in its unit.
  @inlinable
  public func number(_ field: Field) -> Reading<Double> {
    guard case .number(let signed, let resolution, _) = field.kind else { return .notAvailable }
    return integer(field, signed: signed).map { Double($0) * resolution }
  }

  /// The reading of a numeric field in steps of its resolution.
  @inlinable
  public func integer(_ field: Field) -> Reading<Int> {
    guard case .number(let signed, _, _) = field.kind else { return .notAvailable }
    return integer(field, signed: signed)
  }

  @inlinable
  func integer(_ field: Field, signed: Bool) -> Reading<Int> {
    guard let bits = bits(at: field.bitOffset, count: field.bitCount) else { return .notAvailable }
    if let missing: Reading<Int> = Codes.missing(bits, bitCount: field.bitCount, signed: signed) { return missing }
    if signed {
      let shift = UInt64(64 - field.bitCount)
      return .value(Int(Int64(bitPattern: bits << shift) >> Int64(shift)))
    }
    return .value(Int(truncatingIfNeeded: bits))
  }

  /// The code of a field with names, whether it has a name or not.
  @inlinable
  public func code(_ field: Field) -> Reading<UInt32> {
    guard let bits = bits(at: field.bitOffset, count: field.bitCount) else { return .notAvailable }
    return Codes.missing(bits, bitCount: field.bitCount, signed: false) ?? .value(UInt32(truncatingIfNeeded: bits))
  }

  /// Writes a number in the field's unit, rounded to its resolution; one that does not fit is sent as "error", never
  /// clamped to a number that nobody measured (nmea2000.md section 1.1).
  @inlinable
  public mutating func set(_ field: Field, _ reading: Reading<Double>) {
    guard case .number(let signed, let resolution, _) = field.kind else { return }
    var steps: Reading<Int> = .notAvailable
    switch reading {
    case .value(let value):
      let raw = (value / resolution).rounded()
      steps = raw.magnitude < 0x1p62 ? .value(Int(raw)) : .error
    case .notAvailable: steps = .notAvailable
    case .error: steps = .error
    case .reserved: steps = .reserved
    }
    write(field, signed: signed, steps)
  }

  /// Writes a number in steps of the field's resolution; one that does not fit is sent as "error".
  @inlinable
  public mutating func set(_ field: Field, steps: Reading<Int>) {
    guard case .number(let signed, _, _) = field.kind else { return }
    write(field, signed: signed, steps)
  }

  /// Writes a code; one that does not fit is sent as "error".
  @inlinable
  public mutating func set(_ field: Field, code: Reading<UInt32>) {
    write(field, signed: false, code.map { Int($0) })
  }

  @inlinable
  mutating func write(_ field: Field, signed: Bool, _ steps: Reading<Int>) {
    let bits: UInt64
    switch steps {
    case .value(let value): bits = Codes.bits(of: value, bitCount: field.bitCount, signed: signed)
    case .notAvailable: bits = Codes.notAvailable(bitCount: field.bitCount, signed: signed)
    case .error: bits = Codes.notAvailable(bitCount: field.bitCount, signed: signed) &- (field.bitCount > 1 ? 1 : 0)
    case .reserved: bits = Codes.notAvailable(bitCount: field.bitCount, signed: signed) &- (field.bitCount > 3 ? 2 : 0)
    }
    setBits(at: field.bitOffset, count: field.bitCount, to: bits)
  }
}

/// The codes that are no values (nmea2000.md section 1.1).
@usableFromInline
enum Codes {
  /// All ones; for a signed number the largest positive.
  @inlinable
  static func notAvailable(bitCount: Int, signed: Bool) -> UInt64 {
    UInt64.max >> UInt64(64 - bitCount + (signed ? 1 : 0))
  }

  /// How many codes at the top of a field's range are no values: none in 1 bit, "not available" in 2 and 3 bits with
  /// "error" in 2 bits, three from 4 bits up.
  @inlinable
  static func missing<Value>(_ bits: UInt64, bitCount: Int, signed: Bool) -> Reading<Value>? {
    let top = notAvailable(bitCount: bitCount, signed: signed)
    guard bitCount > 1, bits <= top, bits &+ 2 >= top else { return nil }
    switch top &- bits {
    case 0: return .notAvailable
    case 1: return bitCount == 3 ? nil : .error
    default: return bitCount > 3 ? .reserved : nil
    }
  }

  /// The bits of a value, or of "error" where the field can't express it.
  @inlinable
  static func bits(of value: Int, bitCount: Int, signed: Bool) -> UInt64 {
    let top = notAvailable(bitCount: bitCount, signed: signed)
    let codes: UInt64 = bitCount > 3 ? 3 : bitCount == 3 ? 1 : bitCount == 2 ? 2 : 0
    let error = bitCount > 1 ? top &- 1 : top
    if value < 0 {
      // The most negative code is not in a signed field's range.
      guard signed, UInt64(value.magnitude) <= top else { return error }
      return UInt64(bitPattern: Int64(value)) & (UInt64.max >> UInt64(64 - bitCount))
    }
    return UInt64(value) <= top &- codes ? UInt64(value) : error
  }
}
