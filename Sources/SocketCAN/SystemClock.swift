internal import Glibc
public import MonotonicTime

/// The clock of the running system.
///
/// It is `CLOCK_MONOTONIC`: never set, only slewed by NTP, zero at boot. It stands still while the machine sleeps, where
/// `CLOCK_BOOTTIME` goes on. A BMS does not sleep; if its machine does nevertheless, everything received before is out of
/// date however long it was, and the first poll after it finds every sender late by the time that the clock did count.
/// `CLOCK_BOOTTIME` would make no decision safer, and poll(2) counts by `CLOCK_MONOTONIC`.
public enum SystemClock {
  /// Now.
  public static func now() -> Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }

  /// Wall time in nanoseconds since 1970: for people and for the kernel's receive times only.
  public static func wallNanoseconds() -> Int64 { read(CLOCK_REALTIME) }

  /// Nanoseconds since boot, those too in which the machine slept.
  public static func sinceBootNanoseconds() -> Int64 { read(CLOCK_BOOTTIME) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}

/// Wall time by the monotonic clock, compared with the real one once a second: half the clock readings of a quiet bus.
///
/// A step of wall time is noticed up to a second late. Until then a frame's age is off by the step, held to the time since
/// the queue was last seen empty (``ReceiveTime``).
struct WallClock {
  private static let interval = TimeSpan.seconds(1)
  private var offset: Int64 = 0
  private var compared: Instant?

  mutating func nanoseconds(at now: Instant) -> Int64 {
    if compared.map({ now - $0 >= Self.interval }) ?? true {
      offset = SystemClock.wallNanoseconds() &- now.nanoseconds
      compared = now
    }
    return now.nanoseconds &+ offset
  }
}
