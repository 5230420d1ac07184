import ServiceLifecycle
import UnixSignals

/// What an operator or the package asks by signal.
///
/// SIGUSR1: write into the log why everything is as it is (`systemctl kill -s SIGUSR1 vecand`). SIGUSR2: hand over to a
/// successor, for an upgrade; the service manager starts it.
struct SignalService: Service {
  let mailbox: Mailbox

  func run() async throws {
    for await signal in await UnixSignalsSequence(trapping: .sigusr1, .sigusr2).cancelOnGracefulShutdown() {
      mailbox.post(signal == .sigusr2 ? .handOver : .explain)
    }
  }
}
