internal import CSocketCAN
internal import Glibc

/// Ends the wait of the thread that owns a port, from any other thread (eventfd(2)).
public final class Wakeup: Sendable {
  /// What to hand to ``SocketCANPort/wait(until:wakeup:)``.
  public let descriptor: Int32

  /// A wakeup that was not yet signalled.
  ///
  /// - Throws: If the process has too many files open.
  public init() throws(SocketCANError) {
    descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard descriptor >= 0 else { throw SocketCANError("create a wakeup", interface: "eventfd", code: errno) }
  }

  deinit { close(descriptor) }

  /// Ends the wait, or the next one. Many signals before it count as one.
  public func signal() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// Takes the signal back, so that the next wait waits; for the thread that was woken.
  public func clear() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
  }
}
