internal import MonotonicTime

/// Turns the kernel's receive times into instants.
///
/// The kernel stamps a frame with wall time as the interrupt handler sees it, which is more exact than the time of the
/// poll that finds it. But wall time can be set at any moment, and no step may move an `Instant` (design rule 6). So the
/// offset between the clocks is measured for each batch, and the result is held to what is known anyway: a frame came
/// after the last time the queue was seen empty, not before the frame in front of it, and not after now.
struct ReceiveTime {
  private var earliest: Instant

  /// Frames can not have come before `start`.
  init(start: Instant) {
    earliest = start
  }

  /// The instant of a frame with the kernel's stamp (nanoseconds of wall time, nil if there was none), found at `now`,
  /// when wall time was `wallNow`.
  mutating func instant(stamp: Int64?, now: Instant, wallNow: Int64) -> Instant {
    var instant = now
    if let stamp {
      let (age, overflow) = wallNow.subtractingReportingOverflow(stamp)
      if !overflow { instant = now - TimeSpan(nanoseconds: age) }
    }
    instant = min(now, max(earliest, instant))
    earliest = instant
    return instant
  }

  /// The queue was seen empty at `now`.
  mutating func queueWasEmpty(at now: Instant) {
    earliest = max(earliest, now)
  }
}
