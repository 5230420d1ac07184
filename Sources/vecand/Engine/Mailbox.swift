import BMSCore
import BMSDevice
import CANBus
import SocketCAN
import Synchronization

/// What the asynchronous edges ask of the engine thread.
enum EngineCommand: Sendable {
  /// Withdraw limits, leave the bus, end.
  case shutDown
  /// End with all as it is, for a successor that takes it over (R24).
  case handOver
  /// Say why everything is as it is.
  case explain
  /// What a restart must find is written, or cannot be.
  case stateStored(Bool)
  /// Tell all there is to tell.
  case report(Reply<EngineSnapshot>)
  /// Do what an operator asks for; `isLocal` as in ``BMSDevice/perform(_:isLocal:at:)``, `words` for the log: who and what.
  case perform(OperatorCommand, isLocal: Bool, words: String, Reply<OperatorRefusal?>)
  /// Take these settings and fuse names of the configuration into force.
  case reconfigure(Settings, FuseNames, Reply<SettingError?>)
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

/// The way back of an answer. Whoever asks may wait; the engine never does, and does nothing for who no longer waits.
final class Reply<Answer: Sendable>: Sendable {
  private enum State {
    case waiting
    /// The engine is at it: it is too late to give up.
    case taken
    case over
  }

  private let state = Mutex(State.waiting)
  private let deliver: @Sendable (Answer?) -> Void

  /// - Parameter deliver: is called once, with nil when the question was given up. It must not wait.
  init(_ deliver: @escaping @Sendable (Answer?) -> Void) { self.deliver = deliver }

  /// Waits no longer, unless the engine is at it.
  func giveUp() {
    if move(from: .waiting, to: .over) { deliver(nil) }
  }

  /// On the engine's thread: answers with what `work` returns, unless nobody waits any more; then nothing is done.
  func resolve(_ work: () -> Answer) {
    guard move(from: .waiting, to: .taken) else { return }
    let answer = work()
    if move(from: .taken, to: .over) { deliver(answer) }
  }

  private func move(from old: State, to new: State) -> Bool {
    state.withLock { state in
      guard state == old else { return false }
      state = new
      return true
    }
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
    var timer: Task<Void, any Error>?
    let answer = await withCheckedContinuation { continuation in
      let reply = Reply<Answer> { continuation.resume(returning: $0) }
      timer = Task {
        try await Task.sleep(for: limit)
        reply.giveUp()
      }
      if !offer(command(reply)) { reply.giveUp() }
    }
    timer?.cancel()
    return answer
  }

  /// Sends a question, if there is room for one more.
  func offer(_ command: EngineCommand) -> Bool {
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
