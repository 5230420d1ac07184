import ControlAPI
import Glibc
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// A request with who is at the other end.
struct ControlContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  private let channel: any Channel

  init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    channel = source.channel
  }

  /// `struct ucred` of socket(7), which the C library hides.
  private struct Credentials {
    var process: Int32
    var user: UInt32
    var group: UInt32
  }

  /// Who is at the other end, as the kernel says.
  func peer() async throws -> Peer {
    guard let socket = channel as? any SocketOptionProvider else { return Peer(user: UInt32.max) }
    let credentials: Credentials = try await socket.unsafeGetSocketOption(
      level: .init(rawValue: SOL_SOCKET), name: .init(rawValue: SO_PEERCRED)
    ).get()
    return Peer(user: credentials.user)
  }
}

/// The user at the other end of a connection.
struct Peer {
  var user: UInt32

  /// Root on this machine, or who started the daemon by hand: who may enable the control channel again (R320).
  var isAdministrator: Bool { user == 0 || user == geteuid() }
}

/// Stands before every request: lets in so many a second and no more, and gives every error the form that is documented.
struct Doorkeeper: RouterMiddleware {
  let logger: Logger
  private let bucket = RequestBucket()

  init(logger: Logger) { self.logger = logger }

  func handle(
    _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
  ) async throws -> Response {
    let response = try await answer(request, context: context, next: next)
    return request.method == .head ? response.createHeadResponse() : response
  }

  private func answer(
    _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
  ) async throws -> Response {
    guard bucket.take(at: .now) else {
      return try refuse(
        .tooManyRequests, headers: [.retryAfter: "1"],
        "more than \(RequestBucket.perSecond) requests a second, of all clients together; ask less often")
    }
    do {
      return try await next(request, context)
    } catch let error as HTTPError {
      return try refuse(error.status, headers: error.headers, error.body ?? "there is nothing at \(request.uri.path)")
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      logger.error("control socket: \(request.method) \(request.uri.path) failed: \(error)")
      return try refuse(.internalServerError, "\(error)")
    }
  }

  private func refuse(_ status: HTTPResponse.Status, headers: HTTPFields = [:], _ text: String) throws -> Response {
    try .json(Refusal(error: text), status: status, headers: headers)
  }
}

/// So many requests a second, and as many more at once as a page needs that asks for everything.
final class RequestBucket: Sendable {
  static let perSecond = 100
  static let burst = 200

  private let state = Mutex((tokens: Double(burst), filled: ContinuousClock.Instant.now))

  /// Whether there is room for a request now.
  func take(at now: ContinuousClock.Instant) -> Bool {
    state.withLock { state in
      let elapsed = (now - state.filled) / .seconds(1)
      state.tokens = min(Double(Self.burst), state.tokens + max(0, elapsed) * Double(Self.perSecond))
      state.filled = now
      guard state.tokens >= 1 else { return false }
      state.tokens -= 1
      return true
    }
  }
}
