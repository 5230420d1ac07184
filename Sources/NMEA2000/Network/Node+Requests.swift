import MonotonicTime

/// Requests (59904), and what a node says of itself when asked, or each minute (nmea2000.md sections 1.4 and 1.5).
extension Node {
  mutating func receiveRequest(
    _ request: ISORequest, _ header: MessageHeader, application: inout some NodeApplication
  ) {
    // A request of two bytes asks for nothing; TL takes it for PGN 0 and refuses that.
    guard case .value(let pgn) = request.requestedPGN else {
      counters.malformed &+= 1
      return
    }
    let isBroadcast = header.destination == BusAddress.global
    let now = header.instant
    if pgn == NetworkPGN.addressClaim {
      answerClaimRequest(header)
      return
    }
    guard address != nil else { return }
    if answer(pgn, to: header.source, by: header.transport, at: now) { return }
    var refusal = ISOControl.negativeAcknowledge
    if let declared = transmitted.first(where: { $0.pgn == pgn }), declared.isRequestable {
      let request = PGNRequest(pgn: pgn, source: header.source, isBroadcast: isBroadcast, filters: [])
      switch application.requested(request) {
      case .willSend: return
      case .notAvailable: break
      case .accessDenied: refusal = .accessDenied
      }
    }
    guard !isBroadcast else { return }
    var answer = ISOAcknowledgement()
    answer.control = .value(refusal)
    answer.acknowledgedPGN = .value(pgn)
    send(answer, to: header.source, urgency: .answer, validity: Self.answerValidity, at: now)
  }

  /// Answers a request for a PGN of the network; false for any other.
  mutating func answer(
    _ pgn: PGN, to asker: UInt8, by transport: MessageHeader.Transport, at now: Instant
  ) -> Bool {
    switch pgn {
    case NetworkPGN.productInformation:
      if transport == .isoTransport, sendByTransport(productInformation, to: asker, at: now) { return true }
      sendProductInformation(at: now)
    case NetworkPGN.configurationInformation:
      if transport == .isoTransport, sendByTransport(configurationInformation, to: asker, at: now) { return true }
      sendConfigurationInformation(at: now)
    case NetworkPGN.pgnList:
      sendList(transmitList, to: asker, at: now)
      sendList(receiveList, to: asker, at: now)
    default: return false
    }
    return true
  }

  mutating func answerClaimRequest(_ header: MessageHeader) {
    let isBroadcast = header.destination == BusAddress.global
    perform(
      claim.receiveRequest(from: header.source, isBroadcast: isBroadcast, at: header.instant), at: header.instant)
  }

  mutating func rename(_ name: Name, at now: Instant) {
    perform(claim.rename(name, at: now), at: now)
    note(.instancesChanged(device: name.deviceInstance, system: name.systemInstance), at: now)
  }

  // MARK: - What the node says of itself

  var productInformation: ProductInformation { ProductInformation(identity.product) }

  var configurationInformation: ConfigurationInformation {
    ConfigurationInformation(
      installationDescription1: installationDescription(1), installationDescription2: installationDescription(2),
      manufacturer: identity.manufacturerInformation)
  }

  var transmitList: PGNList {
    PGNList(.transmit, Set(transmitted.map(\.pgn) + NetworkPGN.transmitted).sorted())
  }

  var receiveList: PGNList { PGNList(.receive, received) }

  mutating func sendProductInformation(at now: Instant) {
    productAnswer.isDue = productAnswer.last + Self.answerDistance > now
    guard !productAnswer.isDue, address != nil else { return }
    productAnswer.last = now
    let outcome = send(productInformation, urgency: .answer, validity: Self.answerValidity, at: now)
    // Asked for and not sent: tried again, as some displays drop a device that stays silent.
    productAnswer.isDue = outcome == .outboxFull
  }

  mutating func sendConfigurationInformation(at now: Instant) {
    configurationAnswer.isDue = configurationAnswer.last + Self.answerDistance > now
    guard !configurationAnswer.isDue, address != nil else { return }
    configurationAnswer.last = now
    let outcome = send(configurationInformation, urgency: .answer, validity: Self.answerValidity, at: now)
    configurationAnswer.isDue = outcome == .outboxFull
  }

  mutating func sendList(_ list: PGNList, to asker: UInt8, at now: Instant) {
    send(list, to: asker, urgency: .answer, validity: Self.answerValidity, at: now)
  }

  mutating func sendHeartbeat(at now: Instant) {
    guard address != nil else {
      nextHeartbeat = Instant(nanoseconds: .max)
      return
    }
    nextHeartbeat = now + heartbeatInterval
    var beat = Heartbeat()
    beat.interval = .value(heartbeatInterval)
    beat.sequenceCounter = .value(heartbeatSequence)
    beat.controller1 = .value(controllerState.rawValue)
    beat.equipmentStatus = .value(isOperational ? 0 : 1)
    if send(beat, validity: .seconds(1), at: now) == .queued { heartbeatSequence = (heartbeatSequence + 1) % 253 }
  }
}
