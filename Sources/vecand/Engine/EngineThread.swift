import Glibc

/// A thread of its own, for the engine and for who waits for a card: the cooperative pool of Swift's tasks makes no promise
/// about when it runs, and whoever blocks one of its threads blocks the others' work.
enum EngineThread {
  /// Before everybody else: the engine takes little and a battery waits for it, while a thread that serves people takes
  /// all that clients make it take. The unit allows it (LimitNICE); where nothing does, it stays at 0.
  static let engineNice: Int32 = -15

  /// Starts a detached thread that runs `body`, with that nice value if the process may have it.
  static func start(named name: String, nice: Int32 = 0, _ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Body(run: body, name: name, nice: nice))
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
        // Of this thread only: on Linux 0 is the caller's, whatever POSIX says of processes.
        if body.nice != 0 { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, body.nice) }
        body.run()
        return nil
      }, box.toOpaque())
    if result == 0 { pthread_detach(thread) } else { box.release() }
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    let name: String
    let nice: Int32

    init(run: @escaping @Sendable () -> Void, name: String, nice: Int32) {
      self.run = run
      self.name = name
      self.nice = nice
    }
  }
}
