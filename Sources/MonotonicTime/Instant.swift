/// A point on the monotonic clock that all decisions are made by.
///
/// The origin is arbitrary (boot, the start of a test, zero of a simulation) and the same for every part of one
/// program run. Wall time never becomes an `Instant`: a clock step must change no decision (design rule 6).
///
/// Range: 292 years from the origin. Arithmetic saturates at the ends instead of trapping, because an instant can be
/// computed from a number that came over the bus.
///
/// The standard library's `Duration` is 128 bits wide; one subtraction and comparison with it measured 26 ns, the whole
/// budget of a frame. Hence 64 bits of nanoseconds.
@frozen
public struct Instant: Hashable, Comparable, Sendable {
  /// Nanoseconds since the origin.
  public var nanoseconds: Int64

  /// The point `nanoseconds` after the origin.
  @inlinable
  public init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  /// The origin itself.
  @inlinable
  public static var origin: Instant { Instant(nanoseconds: 0) }

  /// Whether `left` comes before `right`.
  @inlinable
  public static func < (left: Instant, right: Instant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  /// The instant that lies `span` after `instant`, saturating.
  @inlinable
  public static func + (instant: Instant, span: TimeSpan) -> Instant {
    Instant(nanoseconds: saturatingSum(instant.nanoseconds, span.nanoseconds))
  }

  /// The instant that lies `span` before `instant`, saturating.
  @inlinable
  public static func - (instant: Instant, span: TimeSpan) -> Instant {
    Instant(nanoseconds: saturatingDifference(instant.nanoseconds, span.nanoseconds))
  }

  /// The span from `earlier` to `later`; negative when they are the other way round. Saturating.
  @inlinable
  public static func - (later: Instant, earlier: Instant) -> TimeSpan {
    TimeSpan(nanoseconds: saturatingDifference(later.nanoseconds, earlier.nanoseconds))
  }

  /// Moves the instant by `span`, saturating.
  @inlinable
  public static func += (instant: inout Instant, span: TimeSpan) {
    instant = instant + span
  }
}

@inlinable
func saturatingSum(_ left: Int64, _ right: Int64) -> Int64 {
  let (sum, overflow) = left.addingReportingOverflow(right)
  return overflow ? (right < 0 ? .min : .max) : sum
}

@inlinable
func saturatingDifference(_ left: Int64, _ right: Int64) -> Int64 {
  let (difference, overflow) = left.subtractingReportingOverflow(right)
  return overflow ? (right < 0 ? .max : .min) : difference
}
