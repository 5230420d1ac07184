public import MonotonicTime

/// 126208 as a node answers it (nmea2000.md section 1.4, whose rules follow the certification tests).
///
/// - Every command is acknowledged. A request, read or write is acknowledged only when it cannot be met.
/// - A command, read or write to all is ignored; a request to all is met or ignored, never refused.
/// - An answer never has more parameters than the question holds bytes for: a command cut before its count once drew
///   twenty frames (section 4).
/// - What is accepted is done before the acknowledgement says so, parameter by parameter; commands to the application
///   are handed over only when all of it could be read.
/// - No request turns a message off. A BMS that falls silent because somebody asked is a BMS that nobody watches.
extension Node {
  typealias Acknowledge = GroupFunctionAcknowledge

  mutating func receiveGroupFunction(
    _ payload: LongPayload, _ header: MessageHeader, application: inout some NodeApplication
  ) {
    guard address != nil else { return }
    // Without function or PGN there is nothing to answer about.
    guard let function = GroupFunction(payload), payload.count >= 4 else {
      noteMalformed()
      return
    }
    switch function {
    case .request: receiveRequest(GroupFunctionRequest(payload: payload), header, application: &application)
    case .command: receiveCommand(GroupFunctionCommand(payload: payload), header, application: &application)
    case .readFields: refuse(GroupFunctionReadFields(payload: payload), header)
    case .writeFields: refuse(GroupFunctionWriteFields(payload: payload), header)
    case .acknowledge, .readFieldsReply, .writeFieldsReply: break
    }
  }

  // MARK: - Request

  private mutating func receiveRequest(
    _ request: GroupFunctionRequest, _ header: MessageHeader, application: inout some NodeApplication
  ) {
    guard let pgn = request.pgn.value, let interval = request.interval, request.payload.count >= 11 else {
      noteMalformed()
      acknowledge(request, header, .functionNotSupported)
      return
    }
    let count = Self.parameterCount(request.parameters)
    // An offset of zero asks for nothing that we do not do anyway.
    let hasOffset = request.offset != .notAvailable && request.offset != .value(.zero)
    let candidates: [LongPayload]
    switch pgn {
    case NetworkPGN.addressClaim:
      candidates = [ISOAddressClaim(name).withPayload { LongPayload($0) }]
    case NetworkPGN.productInformation: candidates = [productInformation.payload]
    case NetworkPGN.configurationInformation: candidates = [configurationInformation.payload]
    case NetworkPGN.pgnList: candidates = [transmitList.payload, receiveList.payload]
    case NetworkPGN.heartbeat:
      setHeartbeat(interval, hasOffset: hasOffset, request, header, parameters: count)
      return
    default:
      receiveApplicationRequest(pgn, interval, hasOffset: hasOffset, request, header, application: &application)
      return
    }
    // These have no interval: off is what their repetition is, and by default, too.
    let isInterval = if case .every = interval { true } else { false }
    guard !isInterval, !hasOffset else {
      acknowledge(request, header, interval: .notSupported, parameters: count)
      return
    }
    var errors: [Acknowledge.ParameterError] = []
    var isAnswered = false
    for (index, candidate) in candidates.enumerated() {
      let result = Self.match(request.parameters, pgn: pgn, with: candidate)
      errors = result
      guard result.allSatisfy({ $0 == .none }) else { continue }
      isAnswered = true
      meet(pgn, list: index, header)
    }
    if !isAnswered { acknowledge(request, header, parameterErrors: errors) }
  }

  private mutating func meet(_ pgn: PGN, list: Int, _ header: MessageHeader) {
    switch pgn {
    case NetworkPGN.addressClaim: answerClaimRequest(header)
    case NetworkPGN.productInformation: sendProductInformation(at: header.instant)
    case NetworkPGN.configurationInformation: sendConfigurationInformation(at: header.instant)
    default: sendList(list == 0 ? transmitList : receiveList, to: header.source, at: header.instant)
    }
  }

  /// The heartbeat: its interval can be set without pairs, 1,000 to 60,000 ms; it cannot be asked for nor turned off.
  private mutating func setHeartbeat(
    _ interval: GroupFunctionRequest.Interval, hasOffset: Bool, _ request: GroupFunctionRequest,
    _ header: MessageHeader, parameters: Int
  ) {
    guard parameters == 0 else {
      acknowledge(request, header, .functionNotSupported, parameters: parameters)
      return
    }
    let wanted: TimeSpan
    switch interval {
    case .unchanged:
      if hasOffset {
        acknowledge(request, header, interval: .notSupported)
      } else {
        acknowledge(request, header, .notAvailable)
      }
      return
    case .off:
      acknowledge(request, header, interval: .notSupported)
      return
    case .restoreDefault: wanted = Self.defaultHeartbeat
    case .every(let span): wanted = span
    }
    guard Self.heartbeatRange.contains(wanted), !hasOffset else {
      acknowledge(
        request, header, interval: wanted < Self.heartbeatRange.lowerBound ? .tooLow : .notSupported)
      return
    }
    if wanted != heartbeatInterval {
      stored.heartbeatInterval = wanted
      note(.intervalChanged(NetworkPGN.heartbeat, wanted), at: header.instant)
    }
    sendHeartbeat(at: header.instant)
  }

  private mutating func receiveApplicationRequest(
    _ pgn: PGN, _ interval: GroupFunctionRequest.Interval, hasOffset: Bool, _ request: GroupFunctionRequest,
    _ header: MessageHeader, application: inout some NodeApplication
  ) {
    let count = Self.parameterCount(request.parameters)
    guard let index = transmitted.firstIndex(where: { $0.pgn == pgn }) else {
      // Other PGNs of the network are sent, but not on request.
      let error: Acknowledge.PGNError = NetworkPGN.transmitted.contains(pgn) ? .notAvailable : .notSupported
      acknowledge(request, header, error, parameters: count)
      return
    }
    let declared = transmitted[index]
    guard declared.isRequestable else {
      acknowledge(request, header, .notAvailable, parameters: count)
      return
    }
    let parsed = Self.parse(request.parameters, of: pgn)
    guard parsed.errors.allSatisfy({ $0 == .none }) else {
      acknowledge(request, header, parameterErrors: parsed.errors)
      return
    }
    var wanted: TimeSpan??
    switch interval {
    case .unchanged: wanted = .none
    case .restoreDefault: wanted = .some(nil)
    case .every(let span): wanted = .some(span)
    case .off:
      acknowledge(request, header, interval: .notSupported, parameters: count)
      return
    }
    if hasOffset || (wanted != .none && count > 0) {
      // One interval holds for all instances of a PGN, and its phase is ours.
      acknowledge(request, header, interval: .notSupported, parameters: count)
      return
    }
    if case .some(let choice) = wanted {
      if let span = choice {
        guard let range = declared.settableIntervals, span <= range.upperBound else {
          acknowledge(request, header, interval: .notSupported)
          return
        }
        guard span >= range.lowerBound else {
          acknowledge(request, header, interval: .tooLow)
          return
        }
      }
      if intervals[index] != choice {
        intervals[index] = choice
        if let now = self.interval(of: pgn) { note(.intervalChanged(pgn, now), at: header.instant) }
      }
    }
    let asked = PGNRequest(
      pgn: pgn, source: header.source, isBroadcast: header.destination == BusAddress.global, filters: parsed.pairs)
    switch application.requested(asked) {
    case .willSend: break
    case .notAvailable: acknowledge(request, header, .notAvailable, parameters: count)
    case .accessDenied: acknowledge(request, header, .accessDenied, parameters: count)
    }
  }

  // MARK: - Command

  private mutating func receiveCommand(
    _ command: GroupFunctionCommand, _ header: MessageHeader, application: inout some NodeApplication
  ) {
    guard header.destination != BusAddress.global else { return }
    guard let pgn = command.pgn.value, command.payload.count >= 6 else {
      noteMalformed()
      acknowledge(command, header, .functionNotSupported)
      return
    }
    let count = Self.parameterCount(command.parameters)
    // 8 leaves the priority, 9 restores the default, which it always has; 15 says nothing.
    let priority = command.payload.bits(at: 32, count: 4) ?? 15
    let priorityError: Acknowledge.IntervalError =
      priority == 8 || priority == 9 || priority == 15 ? .none : .notSupported
    let isOwn = pgn == NetworkPGN.addressClaim || pgn == NetworkPGN.configurationInformation
    guard isOwn || transmitted.contains(where: { $0.pgn == pgn }) else {
      let error: Acknowledge.PGNError =
        NetworkPGN.transmitted.contains(pgn) ? .functionNotSupported : .notSupported
      acknowledge(command, header, error, parameters: count)
      return
    }
    let parsed = Self.parse(command.parameters, of: pgn)
    if isOwn {
      let errors =
        pgn == NetworkPGN.addressClaim
        ? setInstances(parsed.pairs, at: header.instant) : setDescriptions(parsed.pairs, at: header.instant)
      acknowledge(
        command, header, interval: priorityError, parameterErrors: errors + parsed.errors.dropFirst(errors.count))
      return
    }
    guard parsed.errors.allSatisfy({ $0 == .none }), priorityError == .none else {
      // Nothing of it is done, so nothing of it may be reported as done.
      acknowledge(
        command, header, interval: priorityError,
        parameterErrors: parsed.errors.map { $0 == .none ? .temporarilyUnable : $0 })
      return
    }
    let answer = application.commanded(
      PGNCommand(pgn: pgn, source: header.source, instant: header.instant, parameters: parsed.pairs))
    let errors = (0..<count).map { answer.parameters.indices.contains($0) ? answer.parameters[$0] : .none }
    acknowledge(command, header, answer.pgn, interval: answer.interval, parameterErrors: errors)
  }

  /// 60928, fields 3, 4 and 8: the instances.
  private mutating func setInstances(_ pairs: [ParameterPair], at now: Instant) -> [Acknowledge.ParameterError] {
    var wanted = name
    let errors = pairs.map { pair -> Acknowledge.ParameterError in
      guard let value = pair.bits else { return .outOfRange }
      switch pair.field {
      case 3:
        guard value <= 7 else { return .outOfRange }
        wanted.deviceInstance = wanted.deviceInstance & ~7 | UInt8(value)
      case 4:
        guard value <= 31 else { return .outOfRange }
        wanted.deviceInstance = wanted.deviceInstance & 7 | UInt8(value) << 3
      case 8:
        guard value <= 15 else { return .outOfRange }
        wanted.systemInstance = UInt8(value)
      default: return .accessDenied
      }
      return .none
    }
    if wanted != name { rename(wanted, at: now) }
    return errors
  }

  /// 126998, fields 1 and 2: the installation descriptions. An empty one gives it back to the configuration.
  private mutating func setDescriptions(_ pairs: [ParameterPair], at now: Instant) -> [Acknowledge.ParameterError] {
    let before = stored
    let errors = pairs.map { pair -> Acknowledge.ParameterError in
      guard case .text(let text) = pair.value else { return .outOfRange }
      guard pair.field == 1 || pair.field == 2 else { return .accessDenied }
      return setDescription(Int(pair.field), to: text) ? .none : .outOfRange
    }
    if stored != before { note(.descriptionsChanged, at: now) }
    return errors
  }

  private mutating func setDescription(_ number: Int, to text: String) -> Bool {
    let kept = stored
    if number == 1 { stored.installationDescription1 = text } else { stored.installationDescription2 = text }
    stored = stored.fitted(to: identity)
    // Texts that would not all fit one message (UTF-16 takes two bytes a character) are refused, not cut.
    let sent = configurationInformation
    if (sent.installationDescription1 ?? "") == installationDescription(1),
      (sent.installationDescription2 ?? "") == installationDescription(2),
      (sent.manufacturerInformation ?? "") == identity.manufacturerInformation
    {
      return true
    }
    stored = kept
    return false
  }

  /// Sets an installation description, 1 or 2, as 126208 on 126998 would: it counts before the configured one, and an empty
  /// one gives it back to the configuration; false, and nothing changed, when the texts
  /// would no longer fit one message.
  public mutating func describeInstallation(_ number: Int, as text: String, at now: Instant) -> Bool {
    let before = stored
    guard number == 1 || number == 2, setDescription(number, to: text) else { return false }
    if stored != before { note(.descriptionsChanged, at: now) }
    return true
  }

  // MARK: - Read and write

  private mutating func refuse(_ message: some GroupFunctionFields, _ header: MessageHeader) {
    guard let pgn = message.pgn.value else { return }
    let isKnown = NetworkPGN.transmitted.contains(pgn) || transmitted.contains { $0.pgn == pgn }
    let count = min(message.parameterCount.value ?? 0, max(0, message.payload.count - 7))
    guard header.destination != BusAddress.global else { return }
    acknowledge(message, header, isKnown ? .readOrWriteNotSupported : .notSupported, parameters: count)
  }

  // MARK: - Acknowledgement

  private mutating func acknowledge(
    _ message: some GroupFunctionMessage, _ header: MessageHeader, _ error: Acknowledge.PGNError = .none,
    interval: Acknowledge.IntervalError = .none, parameters: Int
  ) {
    acknowledge(
      message, header, error, interval: interval,
      parameterErrors: [Acknowledge.ParameterError](
        repeating: .none, count: parameters))
  }

  private mutating func acknowledge(
    _ message: some GroupFunctionMessage, _ header: MessageHeader, _ error: Acknowledge.PGNError = .none,
    interval: Acknowledge.IntervalError = .none, parameterErrors: [Acknowledge.ParameterError] = []
  ) {
    guard header.destination != BusAddress.global, let pgn = message.pgn.value else { return }
    let answer = Acknowledge(pgn, pgnError: error, intervalError: interval, parameters: parameterErrors)
    send(answer, to: header.source, urgency: .answer, validity: Self.answerValidity, at: header.instant)
  }

  // MARK: - Parameters

  /// How many parameters a message has: what it says, and no more than its bytes can hold at two a pair.
  private static func parameterCount(_ parameters: GroupParameters) -> Int {
    min(parameters.remaining, max(0, parameters.payload.count - parameters.offset + 1) / 2)
  }

  /// Reads all pairs, and says of each what is wrong with it. After an invalid field the widths of the rest are unknown:
  /// none of them can be read.
  private static func parse(
    _ parameters: GroupParameters, of pgn: PGN
  ) -> (pairs: [ParameterPair], errors: [Acknowledge.ParameterError]) {
    let count = parameterCount(parameters)
    var reader = parameters
    var pairs: [ParameterPair] = []
    var errors: [Acknowledge.ParameterError] = []
    while errors.count < count, let number = reader.nextFieldNumber {
      let field = Catalogue.field(number, of: pgn)
      guard let field, let place = reader.next(field) else {
        errors.append(field == nil ? .invalidField : .temporarilyUnable)
        break
      }
      let value: ParameterPair.Value
      switch field.kind {
      case .variableText:
        value = .text(VariableText.text(in: parameters.payload, at: place.lowerBound) ?? "")
      case .text:
        value = .text(text(in: parameters.payload, at: place.lowerBound, bits: field.bitCount))
      default: value = .bits(reader.value(at: place))
      }
      pairs.append(ParameterPair(field: UInt8(clamping: number), value: value))
      errors.append(.none)
    }
    while errors.count < count { errors.append(.temporarilyUnable) }
    return (pairs, errors)
  }

  /// Compares the pairs of a request with a message of ours: all must match.
  private static func match(
    _ parameters: GroupParameters, pgn: PGN, with message: LongPayload
  ) -> [Acknowledge.ParameterError] {
    var result = parse(parameters, of: pgn)
    for (index, pair) in result.pairs.enumerated() {
      guard let field = Catalogue.field(Int(pair.field), of: pgn) else { continue }
      let isEqual: Bool
      switch pair.value {
      case .text(let wanted):
        if case .variableText = field.kind {
          var offset = 0
          for _ in 1..<max(1, Int(pair.field)) { offset = VariableText.end(in: message, at: offset) ?? message.count }
          isEqual = (VariableText.text(in: message, at: offset) ?? "") == wanted
        } else {
          isEqual = text(in: message, at: field.bitOffset / 8, bits: field.bitCount) == wanted
        }
      case .bits(let wanted):
        // The bits above a field's width fill its byte up and mean nothing.
        let mask = UInt64.max >> UInt64(64 - min(64, max(1, field.bitCount)))
        isEqual = message.bits(at: field.bitOffset, count: field.bitCount) == wanted & mask
      }
      if !isEqual { result.errors[index] = .outOfRange }
    }
    return result.errors
  }

  private static func text(in payload: LongPayload, at offset: Int, bits: Int) -> String {
    payload.text(Field("", at: offset * 8, bits: bits, .text)).map(\.description) ?? ""
  }
}
