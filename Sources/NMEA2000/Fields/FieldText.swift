// Single values as text for people. Whole messages are written by ``MessageWriter``, which has no time for strings.

extension NumberFormat {
  /// So many steps as a number with all its decimals and its unit: `14.20 V`. Temperatures, which the bus carries in
  /// kelvin, are shown in degrees Celsius.
  public func text(steps: Int) -> String {
    var value = steps &* Int(multiplier) &+ Int(offset)
    var unitText = unit.rawValue
    if unit == .kelvin, decimals == 2 {
      value &-= 27_315
      unitText = "°C"
    }
    var digits = String(value.magnitude)
    if decimals > 0 {
      digits = String(repeating: "0", count: max(0, Int(decimals) + 1 - digits.count)) + digits
      digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -Int(decimals)))
    }
    return (value < 0 ? "-" : "") + digits + (unitText.isEmpty ? "" : " \(unitText)")
  }
}

extension FieldStorage {
  /// What a field says, for people: a value with its unit, the name of a code, or in words why there is none.
  public func describe(_ field: Field) -> String {
    switch field.kind {
    case .number(let format), .duration(let format):
      switch integer(field) {
      case .value(let steps): return format.text(steps: steps)
      case .notAvailable: return "not available"
      case .error: return "error"
      case .reserved: return "reserved"
      }
    case .lookup(let lookup):
      guard let bits = bits(at: field.bitOffset, count: field.bitCount) else { return "not available" }
      if let name = lookup.name(of: UInt32(truncatingIfNeeded: bits)) { return name }
      switch code(field) {
      case .value(let code): return String(code)
      case .notAvailable: return "not available"
      case .error: return "error"
      case .reserved: return "reserved"
      }
    default:
      let end = field.bitCount == 0 ? count * 8 : field.bitOffset + field.bitCount
      return hexadecimal(from: field.bitOffset / 8, to: (end + 7) / 8)
    }
  }

  /// Bytes as `66 99 90`, from one place to before another one, as far as there are any.
  public func hexadecimal(from start: Int, to end: Int) -> String {
    var text = ""
    for index in max(0, start)..<max(0, start, min(end, count)) {
      let byte = UInt8(truncatingIfNeeded: bits(at: index * 8, count: 8) ?? 0)
      if !text.isEmpty { text += " " }
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
    return text
  }
}
