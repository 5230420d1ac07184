import Glibc

/// Keeps signals that come before the services which take them. One of them would end the process in the first half second,
/// while it opens its state: a request for an explanation would stop the BMS, and a stop would go around the engine, which
/// alone opens the contactor that a crashed run left closed.
enum EarlySignals {
  private static let kept = [SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT]

  /// From here on they wait. Each is taken by its signal source as soon as that is there.
  static func keep() {
    for signal in kept {
      var action = sigaction()
      // Who gets it blocks it, from the return of this handler on, and sends it again: at last no thread is left that takes
      // it, and it waits in the process for its source. Nothing here but what signal-safety(7) allows.
      action.__sigaction_handler.sa_sigaction = { signal, _, context in
        guard let context else { return }
        sigaddset(&context.assumingMemoryBound(to: ucontext_t.self).pointee.uc_sigmask, signal)
        kill(getpid(), signal)
      }
      action.sa_flags = SA_RESTART | SA_SIGINFO
      sigaction(signal, &action, nil)
    }
  }
}
