/// Days of the proleptic Gregorian calendar, which logs write and computers count.
public enum CalendarDate {
  /// The days from 1970-01-01 to a date, counted by years that begin in March, so that the leap day comes last.
  public static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let shiftedMonth = month > 2 ? month - 3 : month + 9
    let dayOfYear = (153 * shiftedMonth + 2) / 5 + day - 1
    let yearOfEra = shiftedYear % 400
    return shiftedYear / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}
