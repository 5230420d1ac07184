import Glibc

/// A thread of its own, for the engine and for who waits for a card: the cooperative pool of Swift's tasks makes no promise
/// about when it runs, and whoever blocks one of its threads blocks the others' work.
enum EngineThread {
  /// The lowest of the real-time priorities: behind the kernel's threads for interrupts (50), which bring the frames.
  private static let priority: Int32 = 1
  private static let nice: Int32 = -15
  /// SCHED_RESET_ON_FORK of linux/sched.h, which Swift's Glibc does not have: what the thread starts is ordinary.
  private static let resetOnFork: Int32 = 0x4000_0000

  /// Starts a detached thread that runs `body`.
  static func start(named name: String, _ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Body(run: body, name: name))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        // Shown by top -H and gdb; the kernel cuts it to 15 characters.
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        if file >= 0 {
          _ = body.name.withCString { write(file, $0, strlen($0)) }
          close(file)
        }
        body.run()
        return nil
      }, box.toOpaque())
    if result == 0 { pthread_detach(thread) } else { box.release() }
  }

  /// Lets the calling thread go before all that is not real-time: the engine takes little and a battery waits for it, while
  /// a thread that serves people takes all that clients make it take.
  ///
  /// A nice value is a share and no order: at -15 the engine was put off by whole ticks of the scheduler, and so was whoever
  /// held a lock that it waited for. A real-time thread lends its priority to the holder of a `Mutex`, which is a futex of
  /// that kind on Linux. Should the engine ever hang in a loop, the kernel keeps 5 % of the time for others (sched(7)), and
  /// with that the service manager ends what feeds no watchdog.
  ///
  /// Returns the code of the error where the kernel refuses; the thread has the largest share then, if it may.
  static func goFirst() -> Int32? {
    var parameter = sched_param()
    parameter.sched_priority = priority
    // Of this thread only: 0 is the caller (sched_setscheduler(2)), whose answers may start workers of Swift's.
    guard sched_setscheduler(0, SCHED_FIFO | resetOnFork, &parameter) != 0 else { return nil }
    let code = errno
    // On Linux 0 is the calling thread here, too, whatever POSIX says of processes.
    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, nice)
    return code
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    let name: String

    init(run: @escaping @Sendable () -> Void, name: String) {
      self.run = run
      self.name = name
    }
  }
}
