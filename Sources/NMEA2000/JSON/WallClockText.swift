import CANBus

/// Wall time as ISO 8601 in UTC with milliseconds, `2020-04-19T00:35:55.571Z`.
///
/// A busy bus has thousands of messages a second, so the text of the second is kept and only the milliseconds change.
public struct WallClockText: Sendable {
  private var second = Int64.min
  private var digits = InlineArray<20, UInt8>(repeating: 0x30)

  /// A clock that has not been read yet.
  public init() {}

  /// Adds a time, rounded to the millisecond. Times before 1970 and after 9999 are brought into that range.
  @inline(__always)
  public mutating func append(_ microseconds: Int64, to text: inout TextBuffer) {
    let microseconds = UInt64(min(max(0, microseconds), 253_402_300_799_999_000))
    let value = microseconds / 1000 &+ Self.roundedUp(microseconds)
    let now = Int64(value / 1000)
    if now != second { render(now) }
    let fraction = value % 1000
    text.reserve(24)
    for index in 0..<20 { text.append(digits[index]) }
    text.append(0x30 &+ UInt8(truncatingIfNeeded: fraction / 100))
    text.append(0x30 &+ UInt8(truncatingIfNeeded: fraction / 10 % 10))
    text.append(0x30 &+ UInt8(truncatingIfNeeded: fraction % 10))
    text.append(0x5A)
  }

  /// 1 if a time is nearer to the next millisecond, else 0.
  ///
  /// canboat computes with seconds in floating point, rounds the half to the even, and loses up to a microsecond on the
  /// way; where that decides, do as it does, so that logs compare equal.
  @inline(__always)
  private static func roundedUp(_ microseconds: UInt64) -> UInt64 {
    let rest = microseconds % 1000
    guard rest == 500 || rest == 501 else { return rest > 500 ? 1 : 0 }
    let seconds = Double(microseconds) / 1e6
    let fraction = ((seconds - seconds.rounded(.down)) * 1e6).rounded(.down)
    let milliseconds = (fraction / 1000).rounded(.toNearestOrEven)
    return UInt64(milliseconds) > microseconds / 1000 % 1000 ? 1 : 0
  }

  /// The date from a count of days, in the proleptic Gregorian calendar.
  ///
  /// Counted in eras of 400 years (146,097 days) of years that begin in March, so that the leap day comes last.
  private mutating func render(_ now: Int64) {
    second = now
    let days = now / 86_400 + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)

    let time = now % 86_400
    put(year, at: 0, width: 4)
    digits[4] = 0x2D
    put(month, at: 5, width: 2)
    digits[7] = 0x2D
    put(day, at: 8, width: 2)
    digits[10] = 0x54
    put(time / 3_600, at: 11, width: 2)
    digits[13] = 0x3A
    put(time / 60 % 60, at: 14, width: 2)
    digits[16] = 0x3A
    put(time % 60, at: 17, width: 2)
    digits[19] = 0x2E
  }

  /// Microseconds since 1970 of a time as it is written here, with any number of decimals or none; nil for anything else.
  static func microseconds(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int64? {
      var value: Int64 = 0
      for index in range {
        guard index < bytes.count, case let digit = bytes[index] &- 0x30, digit < 10 else { return nil }
        value = value * 10 + Int64(digit)
      }
      return value
    }
    let separators: [(Int, Character)] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")]
    guard bytes.count >= 20, bytes.count <= 36, bytes.last == UInt8(ascii: "Z"),
      separators.allSatisfy({ bytes[$0.0] == $0.1.asciiValue }), let year = number(0..<4), let month = number(5..<7),
      let day = number(8..<10), let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60,
      second < 61
    else { return nil }
    var fraction: Int64 = 0
    if bytes.count > 20 {
      guard bytes[19] == UInt8(ascii: "."), number(20..<bytes.count - 1) != nil else { return nil }
      for index in 20..<26 {
        fraction = fraction * 10 + (index < bytes.count - 1 ? Int64(bytes[index] &- 0x30) : 0)
      }
    }
    // The inverse of what `render` does.
    let days = CalendarDate.daysSince1970(year: year, month: month, day: day)
    return (days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000_000 + fraction
  }

  private mutating func put(_ value: Int64, at start: Int, width: Int) {
    var rest = value
    for index in stride(from: start + width - 1, through: start, by: -1) {
      digits[index] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
  }
}
