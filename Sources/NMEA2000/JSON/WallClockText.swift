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
  mutating func append(_ microseconds: Int64, to text: inout TextBuffer) {
    let milliseconds = min(max(0, microseconds), 253_402_300_799_999_000) &+ 500
    let value = UInt64(milliseconds) / 1000
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

  private mutating func put(_ value: Int64, at start: Int, width: Int) {
    var rest = value
    for index in stride(from: start + width - 1, through: start, by: -1) {
      digits[index] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
  }
}
