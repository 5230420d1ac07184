/// A length of time in nanoseconds, as a distance between two ``Instant``s. Range ±292 years, saturating.
@frozen
public struct TimeSpan: Hashable, Comparable, Sendable {
  /// The length in nanoseconds; negative for a span that points backwards.
  public var nanoseconds: Int64

  /// A span of so many nanoseconds.
  @inlinable
  public init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  /// No time at all.
  @inlinable
  public static var zero: TimeSpan { TimeSpan(nanoseconds: 0) }

  /// Longer than any program run: the length of a timer that never ends.
  @inlinable
  public static var never: TimeSpan { TimeSpan(nanoseconds: .max) }

  /// A span of whole microseconds, saturating.
  @inlinable
  public static func microseconds(_ count: Int64) -> TimeSpan { scaled(count, by: 1_000) }

  /// A span of whole milliseconds, saturating.
  @inlinable
  public static func milliseconds(_ count: Int64) -> TimeSpan { scaled(count, by: 1_000_000) }

  /// A span of whole seconds, saturating.
  @inlinable
  public static func seconds(_ count: Int64) -> TimeSpan { scaled(count, by: 1_000_000_000) }

  /// A span of whole minutes, saturating.
  @inlinable
  public static func minutes(_ count: Int64) -> TimeSpan { scaled(count, by: 60_000_000_000) }

  /// A span of whole hours, saturating.
  @inlinable
  public static func hours(_ count: Int64) -> TimeSpan { scaled(count, by: 3_600_000_000_000) }

  /// A span of whole days, saturating.
  @inlinable
  public static func days(_ count: Int64) -> TimeSpan { scaled(count, by: 86_400_000_000_000) }

  /// A span from a number of seconds, rounded to the nanosecond. Not a number becomes zero; too large saturates.
  @inlinable
  public init(seconds: Double) {
    let nanoseconds = seconds * 1e9
    if nanoseconds.isNaN {
      self.init(nanoseconds: 0)
    } else if nanoseconds >= 0x1p63 {
      self.init(nanoseconds: .max)
    } else if nanoseconds < -0x1p63 {
      self.init(nanoseconds: .min)
    } else {
      self.init(nanoseconds: Int64(nanoseconds.rounded()))
    }
  }

  /// The length in seconds.
  @inlinable
  public var seconds: Double { Double(nanoseconds) * 1e-9 }

  /// The length in hours: the factor from amperes to ampere-hours.
  @inlinable
  public var hours: Double { Double(nanoseconds) / 3.6e12 }

  /// The length for people: "12 s", "3 min 12 s", "5 h 3 min", "2 d 5 h". A negative one is "0 s".
  public var age: String {
    let seconds = max(0, nanoseconds / 1_000_000_000)
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400)
    if days > 0 { return "\(days) d \(hours % 24) h" }
    if hours > 0 { return "\(hours) h \(minutes % 60) min" }
    if minutes > 0 { return "\(minutes) min \(seconds % 60) s" }
    return "\(seconds) s"
  }

  /// Whether `left` is shorter than `right`.
  @inlinable
  public static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The sum, saturating.
  @inlinable
  public static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
    TimeSpan(nanoseconds: saturatingSum(left.nanoseconds, right.nanoseconds))
  }

  /// The difference, saturating.
  @inlinable
  public static func - (left: TimeSpan, right: TimeSpan) -> TimeSpan {
    TimeSpan(nanoseconds: saturatingDifference(left.nanoseconds, right.nanoseconds))
  }

  /// Lengthens the span, saturating.
  @inlinable
  public static func += (left: inout TimeSpan, right: TimeSpan) { left = left + right }

  /// Shortens the span, saturating.
  @inlinable
  public static func -= (left: inout TimeSpan, right: TimeSpan) { left = left - right }

  @inlinable
  static func scaled(_ count: Int64, by factor: Int64) -> TimeSpan {
    let (product, overflow) = count.multipliedReportingOverflow(by: factor)
    return TimeSpan(nanoseconds: overflow ? (count < 0 ? .min : .max) : product)
  }
}
