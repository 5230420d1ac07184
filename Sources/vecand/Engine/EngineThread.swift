import Glibc

/// A thread of its own, for the engine and for who waits for a card: the cooperative pool of Swift's tasks makes no promise
/// about when it runs, and whoever blocks one of its threads blocks the others' work.
enum EngineThread {
  /// The lowest of the real-time priorities: before every other program, behind the kernel's own threads (50), some of which
  /// bring the frames.
  private static let priority: Int32 = 1
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

  /// Lets the calling thread go before every other program's: the engine takes little and a battery waits for it, while a
  /// thread that serves people takes all that clients make it take. The code of the error where the kernel refuses.
  ///
  /// A nice value would be a share and no order: at -15 the engine was put off by whole ticks of the scheduler, and so was
  /// whoever held a lock that it waited for. A real-time thread lends its priority to the holder of a `Mutex`, which is a
  /// futex of that kind on Linux. Should it ever spin, the kernel keeps 5 % of the time for the others
  /// (sched_rt_runtime_us), and with that the service manager's watchdog ends it.
  static func goFirst() -> Int32? {
    var parameter = sched_param()
    parameter.sched_priority = priority
    // Of this thread only: 0 is the caller (sched_setscheduler(2)), whose answers may start workers of Swift's.
    let result = sched_setscheduler(0, SCHED_FIFO | resetOnFork, &parameter)
    return result == 0 ? nil : errno
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
