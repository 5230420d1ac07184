internal import Glibc

/// How the daemon's journal and vecanctl word the same things for people.
public enum Wording {
  /// "systemVoltage" is a name for programs; "system voltage" is one for people.
  public static func words(_ name: String) -> String {
    name.reduce(into: "") { $0 += $1.isUppercase ? " \($1.lowercased())" : "\($1)" }
  }

  /// Wall time in the machine's zone, "2026-11-22 01:02:03"; before 1970 and after 9999 the nearest there is.
  public static func localTime(_ unixSeconds: Double) -> String {
    var seconds = time_t(max(0, min(unixSeconds, 253_402_300_799)))
    var parts = tm()
    localtime_r(&seconds, &parts)
    func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday].map(padded).joined(separator: "-") + " "
      + [parts.tm_hour, parts.tm_min, parts.tm_sec].map(padded).joined(separator: ":")
  }
}
