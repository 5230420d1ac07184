import CAllocationCount
import Glibc

/// The processor time of this process and its requests for memory between two moments.
///
/// Processor time, not wall time: on a machine with other work the difference is the other work.
struct Stopwatch {
  private let requestsBefore = allocation_count()
  private let start = Stopwatch.now()

  /// Since the watch was made.
  var nanoseconds: Double { Double(Stopwatch.now() - start) }

  /// Since the watch was made.
  var requests: UInt64 { allocation_count() - requestsBefore }

  private static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// A number with so many places.
func text(_ value: Double, places: Int = 1) -> String {
  var scale = 1
  for _ in 0..<places { scale *= 10 }
  let rounded = Int((abs(value) * Double(scale)).rounded())
  let fraction = String(rounded % scale)
  let sign = value < 0 && rounded > 0 ? "-" : ""
  guard places > 0 else { return "\(sign)\(rounded)" }
  return "\(sign)\(rounded / scale).\(String(repeating: "0", count: places - fraction.count))\(fraction)"
}
