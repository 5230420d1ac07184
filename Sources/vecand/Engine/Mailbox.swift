import BMSDevice
import CANBus
import SocketCAN
import Synchronization

/// What the asynchronous edges ask of the engine thread.
enum EngineCommand: Sendable {
  /// Withdraw limits, leave the bus, end.
  case shutDown
  /// Say why everything is as it is.
  case explain
  /// Tell all there is to tell.
  case report(Reply<EngineSnapshot>)
  /// Do what an operator asks for; `isLocal` as in ``BMSDevice/perform(_:isLocal:at:)``.
  case perform(OperatorCommand, isLocal: Bool, Reply<OperatorRefusal?>)
  /// Hand over the last minutes of frames.
  case trace(Reply<FrameTrace>)
}

/// Everything at one moment, for the control socket.
struct EngineSnapshot: Sendable {
  var device: DeviceReport
  var link: LinkState
  /// The bus of the 11-bit frames, where they have one of their own.
  var batteryLink: LinkState?
  var losses: Losses
}

/// The way back of an answer. Whoever asks waits; the engine never does, and it does nothing for who no longer waits.
final class Reply<Answer: Sendable>: Sendable {
  private enum State {
    case new
    case waiting(CheckedContinuation<Answer?, Never>)
    /// The engine is at it: it is too late to give up.
    case taken(CheckedContinuation<Answer?, Never>)
    case over
  }

  private let state = Mutex(State.new)

  /// Waits for the answer; nil when it was given up. `post` sends the question, and says whether it was taken.
  func answer(to post: () -> Bool) async -> Answer? {
    await withCheckedContinuation { continuation in
      state.withLock { $0 = .waiting(continuation) }
      if !post() { giveUp() }
    }
  }

  /// Waits no longer, unless the engine is at it.
  func giveUp() {
    let waiting = state.withLock { state -> CheckedContinuation<Answer?, Never>? in
      guard case .waiting(let continuation) = state else { return nil }
      state = .over
      return continuation
    }
    waiting?.resume(returning: nil)
  }

  /// On the engine's thread: answers with what `work` returns, unless nobody waits any more; then nothing is done.
  func resolve(_ work: () -> Answer) {
    let isWanted = state.withLock { state in
      guard case .waiting(let continuation) = state else { return false }
      state = .taken(continuation)
      return true
    }
    guard isWanted else { return }
    let answer = work()
    let waiting = state.withLock { state -> CheckedContinuation<Answer?, Never>? in
      guard case .taken(let continuation) = state else { return nil }
      state = .over
      return continuation
    }
    waiting?.resume(returning: answer)
  }
}

/// Commands on their way to the engine thread, which they wake.
///
/// The engine never waits for whoever sends; a sender never waits for the engine.
final class Mailbox: Sendable {
  /// So many questions may wait: more than any operator asks, and few enough for one turn of the engine.
  static let capacity = 32

  let wakeup: Wakeup
  private let commands = Mutex<[EngineCommand]>([])

  /// - Throws: ``SocketCANError`` when the process has no descriptor left.
  init() throws(SocketCANError) {
    wakeup = try Wakeup()
  }

  /// Sends a command of the program's own, which always finds room.
  func post(_ command: EngineCommand) {
    commands.withLock { $0.append(command) }
    wakeup.signal()
  }

  /// Asks the engine, and waits for its answer for at most so long; nil when there was no room or no answer. Then nothing
  /// was done, and nothing will be.
  func ask<Answer>(
    within limit: Duration, _ command: (Reply<Answer>) -> EngineCommand
  ) async -> Answer? {
    let reply = Reply<Answer>()
    let timer = Task {
      try await Task.sleep(for: limit)
      reply.giveUp()
    }
    defer { timer.cancel() }
    return await reply.answer { offer(command(reply)) }
  }

  private func offer(_ command: EngineCommand) -> Bool {
    let isTaken = commands.withLock { waiting in
      guard waiting.count < Self.capacity else { return false }
      waiting.append(command)
      return true
    }
    if isTaken { wakeup.signal() }
    return isTaken
  }

  func take() -> [EngineCommand] {
    wakeup.clear()
    return commands.withLock { waiting in
      defer { waiting.removeAll(keepingCapacity: true) }
      return waiting
    }
  }
}
