import ControlAPI
import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// How much of the daemon the clients of one socket may take, all together.
struct ConnectionLimits: Sendable {
  /// Connections that are served.
  var served = 48
  /// Connections beyond, that are told 503. The next wait in the kernel's queue.
  var refused = 16
  /// From one answer to the next complete request, and from one to the next part of a stream.
  var requestTime = TimeAmount.seconds(10)
  /// A client that takes nothing for so long is dropped.
  var readingTime = TimeAmount.seconds(5)
  /// Bytes of a request, head and body; of a longer one nothing is kept.
  var requestBytes = 32_768

  /// Descriptors that stay for the bus, the state and the log, of those that the process may have.
  static let reserve = 128

  /// As many connections as the process has descriptors for, on so many sockets.
  init(descriptors: Int, sockets: Int) {
    let room = max(0, descriptors - Self.reserve) / max(1, sockets)
    served = min(served, max(2, room * 3 / 4))
    refused = min(refused, max(1, room / 4))
  }

  var all: Int { served + refused }
}

/// HTTP on connections that are guarded.
struct GuardedHTTP: ServerChildChannel {
  let http: HTTP1Channel
  let limits: ConnectionLimits
  let open: OpenConnections
  let logger: Logger

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
    let entry = open.enter(limits.served, at: .now)
    if entry.isNews {
      self.logger.warning("control socket: \(limits.served) connections are open; more are refused")
    }
    channel.closeFuture.whenComplete { [open] _ in open.leave() }
    let (limits, log) = (limits, self.logger)
    return channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandler(
        ConnectionGuard(limits, isRefused: !entry.isServed, logger: log), position: .first)
    }.flatMap { http.setup(channel: channel, logger: logger) }.flatMapThrowing { value in
      let pipeline = channel.pipeline.syncOperations
      let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
      try pipeline.addHandler(HeadErrors(), position: .after(decoder))
      return value
    }
  }

  func handle(value: HTTP1Channel.Value, logger: Logger) async { await http.handle(value: value, logger: logger) }
}

/// How many connections are open.
final class OpenConnections: Sendable {
  /// That some were refused is told so often at most.
  static let noticeInterval = Duration.seconds(60)

  private let state = Mutex((count: 0, told: ContinuousClock.Instant?.none))

  /// A connection more: whether it is served, and whether that it is not is to be told.
  func enter(_ served: Int, at now: ContinuousClock.Instant) -> (isServed: Bool, isNews: Bool) {
    state.withLock { state in
      state.count += 1
      guard state.count > served else { return (true, false) }
      if let told = state.told, now - told < Self.noticeInterval { return (false, false) }
      state.told = now
      return (false, true)
    }
  }

  func leave() { state.withLock { $0.count -= 1 } }
}

/// Sits next to the socket and counts bytes and time, so that no client keeps a connection without using it.
final class ConnectionGuard: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// For the client to read that it was refused, before the connection goes.
  private static let farewell = TimeAmount.milliseconds(100)

  private let limits: ConnectionLimits
  private let logger: Logger
  /// Nothing is taken from the client any more.
  private var isClosing: Bool
  /// Bytes that came since the last answer.
  private var unanswered = 0
  private var head = HeadProgress()
  private var deadline: Scheduled<Void>?
  private var stall: Scheduled<Void>?

  init(_ limits: ConnectionLimits, isRefused: Bool, logger: Logger) {
    self.limits = limits
    self.logger = logger
    isClosing = isRefused
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { begin(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    deadline?.cancel()
    stall?.cancel()
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard deadline == nil else { return }
    if isClosing {
      refuse(context, "503 Service Unavailable", "too many connections; close some, or try again in a second")
    } else {
      expectRequest(context)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isClosing else { return }
    let bytes = unwrapInboundIn(data)
    unanswered += bytes.readableBytes
    head.take(bytes.readableBytesView)
    guard unanswered <= limits.requestBytes else {
      if head.stage == .complete {
        refuse(context, "413 Content Too Large", "a request has at most \(limits.requestBytes) bytes, head and body")
      } else {
        refuseLongHead(context)
      }
      return
    }
    context.fireChannelRead(data)
  }

  /// What the parser found, from ``HeadErrors``.
  func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
    guard let error = event as? HTTPParserError else {
      context.triggerUserOutboundEvent(event, promise: promise)
      return
    }
    promise?.succeed(())
    guard !isClosing else { return }
    switch error {
    case .headerOverflow: refuseLongHead(context)
    case .invalidMethod: refuse(context, "400 Bad Request", "the method is none of HTTP")
    default: refuse(context, "400 Bad Request", "this is no request of HTTP/1.1: \(error)")
    }
  }

  private func refuseLongHead(_ context: ChannelHandlerContext) {
    if head.stage == .requestLine {
      refuse(context, "414 URI Too Long", "a URL has at most \(HeadLimits.field) bytes")
    } else {
      refuse(
        context, "431 Request Header Fields Too Large",
        "a head has at most \(HeadLimits.all) bytes in \(HeadLimits.fields) fields, each of at most \(HeadLimits.field)"
      )
    }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard !isClosing else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    unanswered = 0
    head = HeadProgress()
    context.write(data, promise: promise)
    expectRequest(context)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    stall?.cancel()
    stall = nil
    if !context.channel.isWritable {
      stall = context.eventLoop.assumeIsolated().scheduleTask(in: limits.readingTime) { [self] in
        logger.warning(
          "control socket: a client took nothing for \(limits.readingTime.nanoseconds / 1_000_000_000) s and was dropped"
        )
        context.close(promise: nil)
      }
    }
    context.fireChannelWritabilityChanged()
  }

  /// A request that has begun is told that it took too long; an idle connection just goes.
  private func expectRequest(_ context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: limits.requestTime) { [self] in
      guard unanswered > 0 else {
        context.close(promise: nil)
        return
      }
      refuse(
        context, "408 Request Timeout",
        "a request is complete within \(limits.requestTime.nanoseconds / 1_000_000_000) s")
    }
  }

  /// Says why, takes nothing more, and goes as soon as the client could have read it.
  private func refuse(_ context: ChannelHandlerContext, _ status: String, _ text: String) {
    isClosing = true
    let body = "{\"error\":\"\(text)\"}"
    let answer = """
      HTTP/1.1 \(status)\r
      Content-Type: application/json\r
      Content-Length: \(body.utf8.count)\r
      Retry-After: 1\r
      Connection: close\r
      \r
      \(body)
      """
    deadline?.cancel()
    // What it goes on sending stays in its own kernel's queue.
    try? context.channel.syncOptions?.setOption(.autoRead, value: false)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.farewell) { context.close(promise: nil) }
  }
}

/// How long the head of a request may be, bytes.
enum HeadLimits {
  /// A field, and the URL.
  static let field = 8192
  static let all = 16_384
  static let fields = 100
}

/// How far the head of a request has come.
struct HeadProgress {
  enum Stage { case requestLine, fields, complete }

  private(set) var stage = Stage.requestLine
  private var isLineEmpty = true

  mutating func take(_ bytes: some Sequence<UInt8>) {
    guard stage != .complete else { return }
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\r"): continue
      case UInt8(ascii: "\n"):
        // Empty lines before a request are passed over (RFC 9112, 2.2).
        if !isLineEmpty { stage = .fields } else if stage == .fields { stage = .complete }
        isLineEmpty = true
        if stage == .complete { return }
      default: isLineEmpty = false
      }
    }
  }
}

/// Hands what the parser finds wrong in a head to the ``ConnectionGuard``, which says so to the client. In the body of a
/// request that is being answered, the answer says it.
final class HeadErrors: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private var isAnswering = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .head = unwrapInboundIn(data) { isAnswering = true }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) { isAnswering = false }
    context.write(data, promise: promise)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard error is HTTPParserError, !isAnswering else {
      context.fireErrorCaught(error)
      return
    }
    context.triggerUserOutboundEvent(error, promise: nil)
  }
}

/// Tells when a connection could not be taken, above all because the process has no descriptor left. The next try is a
/// second later; until then clients wait in the kernel's queue.
final class AcceptWatch: ChannelInboundHandler {
  typealias InboundIn = Channel

  /// At most so often.
  private static let noticeInterval = TimeAmount.seconds(60)

  private let logger: Logger
  private var nextNotice = NIODeadline.uptimeNanoseconds(0)

  init(logger: Logger) { self.logger = logger }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let now = NIODeadline.now()
    if now >= nextNotice {
      nextNotice = now + Self.noticeInterval
      let code = (error as? IOError)?.errnoCode
      let why = code == EMFILE || code == ENFILE ? "no descriptor is left: " : ""
      logger.error("control socket: a connection could not be taken, \(why)\(error); the BMS runs on")
    }
    context.fireErrorCaught(error)
  }
}
