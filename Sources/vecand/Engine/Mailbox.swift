import SocketCAN
import Synchronization

/// What the asynchronous edges ask of the engine thread.
enum EngineCommand: Sendable {
  /// Withdraw limits, leave the bus, end.
  case shutDown
  /// Say why everything is as it is.
  case explain
}

/// Commands on their way to the engine thread, which they wake.
///
/// The engine never waits for whoever sends; a sender never waits for the engine.
final class Mailbox: Sendable {
  let wakeup: Wakeup
  private let commands = Mutex<[EngineCommand]>([])

  /// - Throws: ``SocketCANError`` when the process has no descriptor left.
  init() throws(SocketCANError) {
    wakeup = try Wakeup()
  }

  func post(_ command: EngineCommand) {
    commands.withLock { $0.append(command) }
    wakeup.signal()
  }

  func take() -> [EngineCommand] {
    wakeup.clear()
    return commands.withLock { waiting in
      defer { waiting.removeAll(keepingCapacity: true) }
      return waiting
    }
  }
}
