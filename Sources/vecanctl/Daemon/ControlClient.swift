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

  private struct Answer {
    var status = HTTPResponseStatus.ok
    var body = Data()
  }

  /// The body of the answer.
  ///
  /// - Parameters:
  ///   - body: What is sent along, as JSON.
  ///   - patience: How long the whole answer may take.
  /// - Throws: ``Failure`` that says who did not answer or what was refused, and what to do.
  func ask(
    _ method: HTTPMethod, _ path: String, body: Data? = nil, patience: Duration = Self.patience
  ) async throws -> Data {
    let answer = try await within(patience) { try await exchange(method, path, body) }
    guard (200..<300).contains(answer.status.code) else {
      let refusal = try? ControlJSON.decode(Refusal.self, from: answer.body)
      throw Failure(refusal?.error ?? "vecand refuses \(method) \(path): \(answer.status)")
    }
    return answer.body
  }

  private func exchange(_ method: HTTPMethod, _ path: String, _ body: Data?) async throws -> Answer {
    let channel = try await connect()
    return try await channel.executeThenClose { inbound, outbound in
      var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
      head.headers = ["Host": "vecand", "Connection": "close"]
      if let body {
        head.headers.add(name: "Content-Type", value: "application/json")
        head.headers.add(name: "Content-Length", value: "\(body.count)")
      }
      try await outbound.write(.head(head))
      if let body { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
      try await outbound.write(.end(nil))
      var answer = Answer()
      for try await part in inbound {
        switch part {
        case .head(let head): answer.status = head.status
        case .body(let bytes): answer.body.append(contentsOf: bytes.readableBytesView)
        case .end: return answer
        }
      }
      throw Failure("\(socket): vecand closed the connection without an answer; see journalctl -u vecand")
    }
  }

  private func connect() async throws -> NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart> {
    do {
      return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .connect(unixDomainSocketPath: socket) { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
          }
        }
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
    case ECONNREFUSED: "\(socket): nobody listens any more: vecand has ended. See systemctl status vecand"
    case EACCES, EPERM:
      "\(socket): no right to ask. Be root, or a member of its group: sudo usermod -aG vecand $USER, then log in again"
    case EAGAIN: "\(socket): vecand has more connections than it takes; try again"
    default: "\(socket): \(String(cString: strerror(code)))"
    }
  }

  private func within<Value: Sendable>(
    _ patience: Duration, _ work: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let late = Failure("\(socket): no answer within \(patience.components.seconds) s; see journalctl -u vecand")
    return try await withThrowingTaskGroup(of: Value.self) { group in
      group.addTask { try await work() }
      group.addTask {
        try await Task.sleep(for: patience)
        throw late
      }
      defer { group.cancelAll() }
      guard let value = try await group.next() else { throw late }
      return value
    }
  }
}
