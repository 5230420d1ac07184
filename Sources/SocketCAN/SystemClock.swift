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

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
