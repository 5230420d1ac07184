import Glibc
import SocketCAN

/// Ctrl-C and SIGTERM as a descriptor that ends a wait, so that a command ends in its own words.
///
/// A signal handler may do next to nothing: it sets a flag for those who ask and writes to an eventfd for those who wait.
enum StopSignal {
  private nonisolated(unsafe) static var wasRequested = false
  private nonisolated(unsafe) static var wakeDescriptor: Int32 = -1

  /// Takes the signals from now on. Called once, before there is a second thread.
  static func install() throws(SocketCANError) -> Wakeup {
    let wakeup = try Wakeup()
    wakeDescriptor = wakeup.descriptor
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number) { _ in
        StopSignal.wasRequested = true
        var one: UInt64 = 1
        _ = write(StopSignal.wakeDescriptor, &one, MemoryLayout<UInt64>.size)
      }
    }
    return wakeup
  }

  /// Whether one has come.
  static var isRequested: Bool { wasRequested }
}
