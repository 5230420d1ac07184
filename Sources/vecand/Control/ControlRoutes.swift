import BMSCore
import BMSDevice
import ControlAPI
import FoundationEssentials
import Glibc
import Hummingbird
import Logging
import NIOCore

/// What is asked for over the control socket, and what is answered. `openapi.json` describes it.
struct ControlRoutes: Sendable {
  let desk: ControlDesk
  /// Whether this socket only reads.
  let isReadOnly: Bool
  let logger: Logger

  func router() -> Router<ControlContext> {
    let router = Router(context: ControlContext.self)
    router.add(middleware: Doorkeeper(logger: logger))
    var methods: [String: [HTTPRequest.Method]] = [:]
    func on(
      _ method: HTTPRequest.Method, _ path: String,
      _ handler: @escaping @Sendable (Request, ControlContext) async throws -> Response
    ) {
      // The doorkeeper leaves the body of what is answered to HEAD out.
      for method in method == .get ? [method, .head] : [method] {
        methods[path, default: []].append(method)
        router.on(RouterPath(path), method: method, use: handler)
      }
    }
    func report<Report: Encodable & SendableMetatype>(
      _ path: String, _ make: @escaping @Sendable (EngineSnapshot) -> Report
    ) {
      on(.get, path) { _, _ in try .json(make(await snapshot())) }
    }

    report(ControlPath.status) { StatusReport($0) }
    report(ControlPath.limits) { LimitsReport($0.device.status.outputs) }
    report(ControlPath.alarms) { AlarmsReport($0.device) }
    report(ControlPath.explanations) { ExplanationsReport($0.device) }
    report(ControlPath.history) { HistoryReport($0.device) }
    report(ControlPath.settings) { SettingsReport($0.device) }
    report(ControlPath.fuses) { FusesReport($0.device) }
    report(ControlPath.check) { CheckReport($0.device) }
    on(.get, ControlPath.explanations + "/:output") { _, context in
      let name = try context.parameters.require("output")
      let all = ExplanationsReport(try await snapshot().device).explanations
      guard let one = all.first(where: { $0.output == name }) else {
        let names = all.map(\.output).joined(separator: ", ")
        throw HTTPError(.notFound, message: "there is no output \"\(name)\"; there are \(names)")
      }
      return try .json(one)
    }
    on(.get, ControlPath.metrics) { _, _ in
      Response(
        .ok, type: "application/openmetrics-text; version=1.0.0; charset=utf-8", Metrics.text(try await snapshot()))
    }
    on(.get, ControlPath.description) { _, _ in
      Response(
        status: .ok, headers: [.contentType: "application/json"],
        body: .init(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
    }
    on(.get, ControlPath.log) { request, _ in
      let number = try whole("after", 0...Int64.max, in: request)
      let limit = try whole("limit", 1...Int64(LogReport.mostCount), in: request) ?? Int64(LogReport.usualCount)
      do {
        return try .json(await desk.log(after: number, limit: Int(limit)))
      } catch let error as StateDefect {
        throw HTTPError(.serviceUnavailable, message: "the log cannot be read: \(error.why)")
      }
    }
    on(.get, ControlPath.events) { request, _ in try request.method == .head ? Self.eventStream() : followEvents() }
    on(.get, ControlPath.trace) { _, _ in try await downloadTrace() }

    on(.get, ControlPath.settings + "/:key") { _, context in
      try .json(SettingReport(setting(context), try await snapshot().device))
    }
    on(.put, ControlPath.settings + "/:key") { request, context in
      let setting = try setting(context)
      let value = try await body(SettingRequest.self, of: request, "{\"value\": number}").value
      return try await perform(.set(setting, to: value), context, setting.assignment(of: value))
    }
    on(.delete, ControlPath.settings + "/:key") { request, context in
      let setting = try setting(context)
      try await refuseBody(of: request)
      return try await perform(.reset(setting), context, "\(setting.definition.key) as configured")
    }
    on(.post, ControlPath.settings + "/reset") { request, context in
      try await refuseBody(of: request)
      return try await perform(.resetAll, context, "all settings as configured")
    }
    on(.post, ControlPath.mode) { request, context in
      let wanted = try await body(
        ModeRequest.self, of: request,
        "{\"mode\": \"on\", \"standby\" or \"off\"}, optionally with \"requester\": \"app\" or \"gx\"")
      let requester = wanted.requester ?? .app
      return try await perform(
        .requestMode(wanted.mode.mode, by: requester.requester), context,
        "mode \(wanted.mode.rawValue), asked for by \(requester.rawValue)")
    }
    on(.put, ControlPath.stateOfCharge) { request, context in
      let percent = try await body(StateOfChargeRequest.self, of: request, "{\"percent\": number}").percent
      return try await perform(.setStateOfCharge(percent), context, "state of charge \(percent.text(upTo: 2)) %")
    }
    on(.post, ControlPath.synchronise) { request, context in
      try await refuseBody(of: request)
      return try await perform(.synchronise, context, "state of charge synchronised to 100 %")
    }

    // What a path does not do is told with what it does.
    let all: [HTTPRequest.Method] = [.get, .head, .put, .post, .delete, .patch, .options, .trace, .connect, .query]
    for (path, known) in methods {
      let allowed = known.map(\.rawValue).sorted().joined(separator: ", ")
      for method in all where !known.contains(method) {
        router.on(RouterPath(path), method: method) { request, _ -> Response in
          throw HTTPError(
            .methodNotAllowed, headers: [.allow: allowed], message: "\(request.method) is not done here, but \(allowed)"
          )
        }
      }
    }
    return router
  }

  // MARK: - Reading

  private func snapshot() async throws -> EngineSnapshot {
    guard let snapshot = await desk.snapshot() else { throw Self.noAnswer }
    return snapshot
  }

  private static let noAnswer = HTTPError(
    .serviceUnavailable, headers: [.retryAfter: "1"],
    message: "the engine does not answer; nothing was changed; see the log (journalctl -u vecand)")

  private func setting(_ context: ControlContext) throws -> Setting {
    let key = try context.parameters.require("key")
    guard let setting = Setting(key: key) else {
      throw HTTPError(.notFound, message: "there is no setting \"\(key)\"; GET \(ControlPath.settings) names them all")
    }
    return setting
  }

  /// A whole number of the query; nil where it is not there.
  private func whole(_ key: String, _ range: ClosedRange<Int64>, in request: Request) throws -> Int64? {
    guard let text = request.uri.queryParameters[Substring(key)] else { return nil }
    guard let number = Int64(text), range.contains(number) else {
      throw HTTPError(
        .badRequest, message: "\(key) is a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private func body<Wanted: ControlRequest>(
    _ type: Wanted.Type, of request: Request, _ expected: String
  ) async throws -> Wanted {
    try decoded(type, from: await bytes(of: request, expected), expected)
  }

  /// A body where none belongs is a misunderstanding, and perhaps of what is commanded.
  private func refuseBody(of request: Request) async throws {
    let buffer = try await bytes(of: request, Self.noBody)
    if buffer.readableBytes > 0 { _ = try decoded(EmptyRequest.self, from: buffer, Self.noBody) }
  }

  private static let noBody = "none, or {}"

  private func bytes(of request: Request, _ expected: String) async throws -> ByteBuffer {
    do {
      return try await request.body.collect(upTo: ControlJSON.longestRequest)
    } catch is NIOTooManyBytesError {
      throw HTTPError(
        .contentTooLarge, headers: [.connection: "close"],
        message: "the body is longer than \(ControlJSON.longestRequest) bytes; expected \(expected)")
    } catch {
      throw HTTPError(
        .badRequest, headers: [.connection: "close"], message: "the body is not whole; expected \(expected) as JSON")
    }
  }

  private func decoded<Wanted: ControlRequest>(
    _ type: Wanted.Type, from buffer: ByteBuffer, _ expected: String
  ) throws -> Wanted {
    do {
      return try ControlJSON.decodeRequest(type, from: Data(buffer.readableBytesView))
    } catch let unknown as ControlJSON.UnknownMember {
      throw HTTPError(
        .badRequest, message: "\"\(unknown.name.prefix(40))\" is unknown here; the body that was expected: \(expected)")
    } catch {
      throw HTTPError(.badRequest, message: "the body is not what was expected: \(expected) as JSON")
    }
  }

  // MARK: - Commands

  private func perform(_ command: OperatorCommand, _ context: ControlContext, _ text: String) async throws -> Response {
    guard !isReadOnly else {
      throw HTTPError(.forbidden, message: "this socket is for reading; commands go to the control socket")
    }
    let peer = try await context.peer()
    let words = "control socket, user \(peer.user): \(text)"
    switch await desk.perform(command, isLocal: peer.isAdministrator, words: words) {
    case .done(let notStored):
      let remark = notStored.map { "; not stored, a restart will not find it: \($0)" } ?? ""
      return try .json(Done(done: text + remark))
    case .refused(let refusal): throw HTTPError(refusal.status, message: "\(refusal)")
    case .noAnswer: throw Self.noAnswer
    }
  }

  // MARK: - Streams

  private func followEvents() throws -> Response {
    guard let (news, number) = desk.follow() else {
      throw HTTPError(
        .serviceUnavailable, headers: [.retryAfter: "10"],
        message: "\(ControlDesk.followers) follow the events already, or the daemon is leaving")
    }
    let (desk, logger) = (desk, logger)
    let body = ResponseBody { writer in
      do {
        for await one in news { try await writer.write(ByteBuffer(bytes: Self.event(one))) }
      } catch {
        _ = desk.unfollow(number)
        throw error
      }
      guard desk.unfollow(number) || desk.hasEnded else {
        logger.warning("control socket: who followed the events read too slowly and was dropped")
        throw SlowReader()
      }
      try await writer.finish(nil)
    }
    return Self.eventStream(body)
  }

  private static func eventStream(_ body: ResponseBody = .init()) -> Response {
    Response(status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"], body: body)
  }

  private static func event(_ news: ControlDesk.News) throws -> Data {
    let (name, json) =
      switch news {
      case .event(let event): ("log", try ControlJSON.encode(event))
      case .status(let sample): ("status", try ControlJSON.encode(sample))
      }
    return Data("event: \(name)\ndata: ".utf8) + json + Data("\n\n".utf8)
  }

  private func downloadTrace() async throws -> Response {
    guard let (frames, events, statuses) = await desk.trace() else { throw Self.noAnswer }
    let body = ResponseBody { writer in
      var lines = TraceLines(frames, events, statuses)
      while let block = try lines.nextBlock() { try await writer.write(ByteBuffer(bytes: block)) }
      try await writer.finish(nil)
    }
    return Response(
      status: .ok,
      headers: [
        .contentType: "application/jsonl", .contentDisposition: "attachment; filename=\"vecand-trace.jsonl\"",
      ], body: body)
  }
}

/// Who follows the events did not keep up.
struct SlowReader: Error {}

extension OperatorRefusal {
  /// What it is in HTTP: no right, not now, or not a value.
  fileprivate var status: HTTPResponse.Status {
    switch self {
    case .controlDisabled, .enabledOnlyLocally: .forbidden
    case .command(.modeRefused): .conflict
    case .command(.stateOfChargeOutOfRange), .setting: .unprocessableContent
    }
  }
}

extension Response {
  init(_ status: HTTPResponse.Status, type: String, _ text: String) {
    self.init(status: status, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: text)))
  }

  /// A report as JSON.
  static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) throws
    -> Response
  {
    var headers = headers
    headers[.contentType] = "application/json"
    return Response(
      status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: try ControlJSON.encode(value))))
  }
}
