import Glibc

/// A thread of its own, for the engine and for who waits for a card: the cooperative pool of Swift's tasks makes no promise
/// about when it runs, and whoever blocks one of its threads blocks the others' work.
enum EngineThread {
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

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    let name: String

    init(run: @escaping @Sendable () -> Void, name: String) {
      self.run = run
      self.name = name
    }
  }
}
