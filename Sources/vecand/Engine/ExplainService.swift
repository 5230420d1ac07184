import ServiceLifecycle
import UnixSignals

/// SIGUSR1 asks the daemon to write into its log why everything is as it is: `systemctl kill -s SIGUSR1 vecand`.
struct ExplainService: Service {
  let mailbox: Mailbox

  func run() async throws {
    for await _ in await UnixSignalsSequence(trapping: .sigusr1).cancelOnGracefulShutdown() { mailbox.post(.explain) }
  }
}
