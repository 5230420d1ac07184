import FoundationEssentials
import MonotonicTime
import SocketCAN

/// A moment that another run of the program can compare with its own: how long nobody counted (OD-23).
///
/// Within one boot the kernel counts, also while the machine sleeps, and no clock step changes it. From one boot to the
/// next only wall time goes on, and it is believed only where it was kept: a machine without a clock of its own begins
/// each boot at some moment of the past, and its days without power would look like seconds.
struct Moment: Codable, Equatable {
  /// The boot it is of (/proc/sys/kernel/random/boot_id); empty when nobody told.
  var boot: String
  /// CLOCK_BOOTTIME, seconds.
  var sinceBoot: Double
  /// Seconds since 1970.
  var wall: Double
  /// Whether wall time was kept over the boot, or set since.
  var isWallTimeKept: Bool

  /// How long ago an earlier moment was; nil when nobody knows, and then the worst case counts.
  func elapsed(since earlier: Moment) -> TimeSpan? {
    let isSameBoot = !boot.isEmpty && boot == earlier.boot
    if !isSameBoot, !isWallTimeKept || !earlier.isWallTimeKept { return nil }
    let seconds = isSameBoot ? sinceBoot - earlier.sinceBoot : wall - earlier.wall
    // A century is no time between two runs but a clock that was wrong once.
    return 0...3.2e9 ~= seconds ? TimeSpan(seconds: seconds) : nil
  }

  static func now() -> Moment {
    let boot = (try? TextFile.read("/proc/sys/kernel/random/boot_id"))?.split(separator: "\n").first
    return Moment(
      boot: boot.map(String.init) ?? "", sinceBoot: Double(SystemClock.sinceBootNanoseconds()) / 1e9,
      wall: Double(SystemClock.wallNanoseconds()) / 1e9, isWallTimeKept: isWallTimeKept())
  }

  /// A clock that the kernel set its own by at boot (rtc(4)), or systemd-timesyncd's word that it has asked for the time.
  private static func isWallTimeKept() -> Bool {
    let clocks = (0..<4).map { "/sys/class/rtc/rtc\($0)/hctosys" }
    return TextFile.exists("/run/systemd/timesync/synchronized")
      || clocks.contains { (try? TextFile.read($0))?.hasPrefix("1") == true }
  }
}
