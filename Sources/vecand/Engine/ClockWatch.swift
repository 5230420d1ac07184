import Logging
import SocketCAN

/// Notices that the machine's wall clock was set, or that the machine slept. No decision depends on either: the engine's
/// clock is never set. But time stamps do, and a BMS that slept protected nothing.
struct ClockWatch {
  /// Seconds of three clocks, read at one moment.
  struct Reading: Equatable {
    /// CLOCK_REALTIME: wall time.
    var wall: Double
    /// CLOCK_MONOTONIC: counts while the machine is awake.
    var awake: Double
    /// CLOCK_BOOTTIME: counts always.
    var boot: Double

    static func now() -> Reading {
      Reading(
        wall: Double(SystemClock.wallNanoseconds()) / 1e9, awake: Double(SystemClock.now().nanoseconds) / 1e9,
        boot: Double(SystemClock.sinceBootNanoseconds()) / 1e9)
    }
  }

  /// NTP slews by at most 500 ppm, and two readings are a second apart: what differs by more was set.
  static let stepSeconds = 1.0

  private var last: Reading?

  /// What there is to tell since the last time.
  mutating func lines(_ now: Reading = .now()) -> [EventLine] {
    defer { last = now }
    guard let last else { return [] }
    var lines: [EventLine] = []
    let slept = (now.boot - last.boot) - (now.awake - last.awake)
    if slept >= Self.stepSeconds {
      lines.append(
        EventLine(
          level: .error,
          text:
            "the machine slept for \(slept.text(0)) s and protected nothing meanwhile: a machine with a BMS must not "
            + "sleep (systemctl mask sleep.target)"))
    }
    let step = (now.wall - last.wall) - (now.boot - last.boot)
    if abs(step) >= Self.stepSeconds {
      lines.append(
        EventLine(
          level: .notice,
          text: "the wall clock was set \(step > 0 ? "forward" : "back") by \(abs(step).text(0)) s: time stamps jump, "
            + "decisions do not depend on it"))
    }
    return lines
  }
}
