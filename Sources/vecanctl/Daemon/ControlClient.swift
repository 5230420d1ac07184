import ControlAPI
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks the daemon over its control socket: HTTP/1.1, one connection for each request.
struct ControlClient {
  /// So long the daemon may take for an answer. It answers within milliseconds, or it is not well.
  static let patience = Duration.seconds(5)

  /// The socket's path.
  let socket: String

  /// The body of the answer.
  ///
  /// - Parameters:
  ///   - body: What is sent along, as JSON.
  ///   - patience: How long the whole answer may take.
  /// - Throws: ``Failure`` that says who did not answer or what was refused, and what to do.
  func ask(
    _ method: HTTPMethod, _ path: String, body: Data? = nil, patience: Duration = Self.patience
  ) async throws -> Data {
    let answer = try await exchange(method, path, body, patience)
    guard (200..<300).contains(answer.status.code) else {
      let refusal = try? ControlJSON.decode(Refusal.self, from: answer.body)
      throw Failure(refusal?.error ?? Self.foreign(socket, "it says \"\(answer.status)\""))
    }
    return answer.body
  }

  private func exchange(
    _ method: HTTPMethod, _ path: String, _ body: Data?, _ patience: Duration
  ) async throws -> ControlAnswer {
    var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
    head.headers = ["Host": "vecand", "Connection": "close"]
    if let body {
      head.headers.add(name: "Content-Type", value: "application/json")
      head.headers.add(name: "Content-Length", value: "\(body.count)")
    }
    let request = [HTTPClientRequestPart.head(head)] + (body.map { [.body(.byteBuffer(ByteBuffer(bytes: $0)))] } ?? [])
    let group = MultiThreadedEventLoopGroup.singleton
    let answer = group.next().makePromise(of: ControlAnswer.self)
    do {
      try await ClientBootstrap(group: answer.futureResult.eventLoop)
        .connect(unixDomainSocketPath: socket) { [socket] channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(
              AnswerCollector(request + [.end(nil)], answer, patience: patience, socket: socket))
          }
        }
    } catch {
      answer.fail(error)
    }
    do {
      return try await answer.futureResult.get()
    } catch let error as IOError {
      throw Failure(Self.words(error.errnoCode, socket))
    } catch is SocketAddressError {
      throw Failure("\(socket) is too long for the path of a socket: 107 bytes at most")
    }
  }

  /// Why nobody answers, and what to do.
  static func words(_ code: Int32, _ socket: String) -> String {
    switch code {
    case ENOENT:
      "\(socket): no such socket. Does vecand run? See systemctl status vecand; --control-socket names another"
    case ECONNREFUSED:
      kind(socket).map { "\($0) is no socket; vecand's is \(ControlPath.socket) where nothing else is configured" }
        ?? "\(socket): nobody listens any more: vecand has ended. See systemctl status vecand"
    case EACCES, EPERM: "\(socket): no right to ask. \(rights(socket))"
    case EAGAIN: "\(socket): vecand has more connections than it takes; try again"
    default: "\(socket): \(String(cString: strerror(code)))"
    }
  }

  /// Somebody else answers.
  fileprivate static func foreign(_ socket: String, _ why: String) -> String {
    "\(socket): what answers there is not vecand, for \(why); --control-socket names another"
  }

  /// What stands there instead of a socket; nil where one does, or nothing can be known.
  private static func kind(_ path: String) -> String? {
    guard !path.isEmpty else { return "an empty name" }
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return switch status.st_mode & S_IFMT {
    case S_IFREG: "the file \(path)"
    case S_IFDIR: "the directory \(path)"
    case S_IFCHR, S_IFBLK: "the device \(path)"
    case S_IFIFO: "the pipe \(path)"
    default: nil
    }
  }

  /// Who may ask: who may write to the socket.
  private static func rights(_ socket: String) -> String {
    var status = stat()
    var path = socket[...]
    // What lies in a directory that is closed to us most likely has its group.
    while stat(String(path), &status) != 0 {
      guard errno == EACCES, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
        return joining("vecand")
      }
      path = path[..<slash]
    }
    guard status.st_gid != 0 else { return "Be root: sudo vecanctl ..." }
    return joining(getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(status.st_gid)")
  }

  private static func joining(_ group: String) -> String {
    "Be root, or a member of its group: sudo usermod -aG \(group) $USER, then log in again"
  }
}

/// An answer of the daemon.
private struct ControlAnswer {
  var status = HTTPResponseStatus.ok
  var body = Data()
}

/// Sends a request and collects its answer.
///
/// Whether the whole answer came decides, and nothing else. Who has answered may close at once, also before all of the
/// request is written: that writing, reading or closing fails then says nothing about the answer.
private final class AnswerCollector: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private let request: [HTTPClientRequestPart]
  private let promise: EventLoopPromise<ControlAnswer>
  private let patience: Duration
  private let socket: String
  private var answer = ControlAnswer()
  private var isComplete = false

  init(
    _ request: [HTTPClientRequestPart], _ promise: EventLoopPromise<ControlAnswer>, patience: Duration, socket: String
  ) {
    self.request = request
    self.promise = promise
    self.patience = patience
    self.socket = socket
  }

  func channelActive(context: ChannelHandlerContext) {
    let late = Failure("\(socket): no answer within \(patience.components.seconds) s; see journalctl -u vecand")
    context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(patience)) {
      self.finish(.failure(late), context)
    }
    for part in request { context.write(wrapOutboundOut(part), promise: nil) }
    context.flush()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): answer.status = head.status
    case .body(let bytes): answer.body.append(contentsOf: bytes.readableBytesView)
    case .end: finish(.success(answer), context)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A connection that is reset becomes inactive next, and what came before has been read.
    guard !(error is IOError) else { return }
    let isCut = error as? HTTPParserError == .invalidEOFState
    finish(.failure(isCut ? broken : Failure(ControlClient.foreign(socket, "it speaks no HTTP"))), context)
  }

  func channelInactive(context: ChannelHandlerContext) { finish(.failure(broken), context) }

  private var broken: Failure {
    Failure("\(socket): vecand closed the connection without an answer; see journalctl -u vecand")
  }

  private func finish(_ result: Result<ControlAnswer, any Error>, _ context: ChannelHandlerContext) {
    guard !isComplete else { return }
    isComplete = true
    promise.completeWith(result)
    context.close(promise: nil)
  }
}
