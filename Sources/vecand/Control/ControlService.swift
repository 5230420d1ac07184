import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Serves the control sockets, on a thread of its own beside the engine's. That there is none is told loudly and is never a
/// reason not to protect.
struct ControlService: Service {
  /// A socket that could not be made is tried again this often.
  static let retryInterval = Duration.seconds(10)

  let sockets: [ControlSocket]
  let desk: ControlDesk
  let logger: Logger

  func run() async throws {
    guard !sockets.isEmpty else {
      try? await gracefulShutdown()
      return
    }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let executor = LoopExecutor(loop: group.any())
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let limits = ConnectionLimits(descriptors: Int(clamping: limit.rlim_cur), sockets: sockets.count)
    await cancelWhenGracefulShutdown {
      // The address claim comes first: on a small machine a server that starts beside it costs it time.
      await desk.waitForEngine()
      await withTaskGroup { tasks in
        for socket in sockets {
          tasks.addTask(executorPreference: executor) { await serve(socket, group, limits) }
        }
      }
    }
    try? await group.shutdownGracefully()
  }

  /// Serves one socket until it is cancelled.
  private func serve(_ socket: ControlSocket, _ group: MultiThreadedEventLoopGroup, _ limits: ConnectionLimits) async {
    var told = ""
    while !Task.isCancelled {
      // Before it is bound, what lies there is not ours.
      let bound = BoundSocket(path: socket.path)
      do {
        try socket.claim()
        defer { bound.remove() }
        try await listen(socket, bound, group, limits)
      } catch is CancellationError {
        break
      } catch {
        let text = "\(error)"
        if text != told, !Task.isCancelled {
          logger.error("no control socket, the BMS runs on without: \(text); tried again each 10 s")
        }
        told = text
      }
      try? await Task.sleep(for: Self.retryInterval)
    }
  }

  private func listen(
    _ socket: ControlSocket, _ bound: BoundSocket, _ group: MultiThreadedEventLoopGroup, _ limits: ConnectionLimits
  ) async throws {
    // Hummingbird tells of each start and each error of a client; what an operator should know is told here.
    var quiet = logger
    quiet.logLevel = .critical
    let (log, open) = (logger, OpenConnections())
    let http = HTTPServerBuilder { responder in
      GuardedHTTP(
        http: HTTP1Channel(
          responder: responder,
          configuration: .init(
            httpDecoderConfiguration: .init(
              maxHeaderFieldSize: HeadLimits.field, maxHeaderListSize: HeadLimits.all,
              maxHeaderFieldCount: HeadLimits.fields))),
        limits: limits, open: open, logger: log)
    }
    let routes = ControlRoutes(desk: desk, isReadOnly: socket.isReadOnly, logger: log)
    let application = Application(
      router: routes.router(), server: http,
      configuration: .init(
        address: .unixDomainSocket(path: socket.path), backlog: 128,
        availableConnectionsDelegate: MaximumAvailableConnections(limits.all, logger: quiet)),
      onServerRunning: { channel in
        bound.note()
        channel.eventLoop.execute {
          try? channel.pipeline.syncOperations.addHandler(AcceptWatch(logger: log), position: .first)
        }
        if let failure = socket.admit() { log.error("\(failure)") }
        log.notice("\(socket.isReadOnly ? "reading" : "control") socket \(socket.path)")
      },
      eventLoopGroupProvider: .shared(group), logger: quiet)
    try await application.run()
  }
}

/// Runs tasks on an event loop's thread, so that all that serves clients shares that one thread.
private final class LoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
  }
}
