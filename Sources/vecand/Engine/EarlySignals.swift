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
      // The way of libdispatch, which the sources then go on: who gets it blocks it and sends it again, until no thread is
      // left that takes it and it waits in the process. Nothing here but what signal-safety(7) allows.
      action.__sigaction_handler.sa_handler = { signal in
        var blocked = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, signal)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
        kill(getpid(), signal)
      }
      action.sa_flags = SA_RESTART
      sigaction(signal, &action, nil)
    }
  }
}
