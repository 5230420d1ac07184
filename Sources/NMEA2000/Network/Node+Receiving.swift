public import CANBus
public import MonotonicTime

/// The way of a frame: who sent it, is it for us, is it a whole message, and whose business is that.
extension Node {
  /// Takes a frame from the bus.
  public mutating func receive(
    _ frame: CANDataFrame, at now: Instant, application: inout some NodeApplication
  ) {
    counters.framesReceived &+= 1
    guard let identifier = MessageIdentifier(frame.identifier) else {
      counters.foreignFrames &+= 1
      return
    }
    guard identifier.source != BusAddress.global else {
      counters.malformed &+= 1
      return
    }
    if identifier.pgn == NetworkPGN.addressClaim {
      receiveClaim(frame.payload, identifier, at: now, application: &application)
      return
    }
    if identifier.source == claim.contestedAddress {
      receiveFromOwnAddress(identifier.pgn, at: now)
      return
    }
    if devices.hear(identifier.pgn, from: identifier.source, at: now), address != nil {
      devices.noteInquiry(to: identifier.source, at: now)
      request(NetworkPGN.addressClaim, from: identifier.source, urgency: .answer, at: now)
    }
    let destination = identifier.destination
    guard destination == BusAddress.global || destination == claim.contestedAddress else { return }

    switch identifier.pgn {
    case NetworkPGN.transportControl:
      transport.receiveControl(
        frame.payload, from: identifier.source, to: destination, own: address, at: now, outbox: &outbox)
    case NetworkPGN.transportData:
      receiveTransportData(frame.payload, identifier, at: now, application: &application)
    default:
      switch framing[identifier.pgn] {
      case .single: receiveSingle(frame.payload, identifier, at: now, application: &application)
      case .fastPacket: receiveFastPacket(frame, identifier, at: now, application: &application)
      case .isoTransport:
        // 65240 in a single frame: it has 9 bytes, so this is none.
        counters.malformed &+= 1
      case nil: counters.unknownFraming &+= 1
      }
    }
  }

  mutating func receiveClaim(
    _ payload: CANPayload, _ identifier: MessageIdentifier, at now: Instant, application: inout some NodeApplication
  ) {
    // A claim has 8 bytes. A shorter one read as a NAME full of ones was defended against (nmea2000.md section 4).
    guard payload.count == 8 else {
      counters.malformed &+= 1
      return
    }
    let other = Name(rawValue: payload.bits)
    perform(claim.receive(other, from: identifier.source, at: now, in: devices), at: now)
    guard !claim.isOwn(other, at: now), identifier.source != claim.contestedAddress else { return }
    if devices.claim(other, from: identifier.source, at: now) {
      transport.reset(source: identifier.source)
      assembler.removeAll(from: identifier.source)
    }
    receiveSingle(payload, identifier, at: now, application: &application)
  }

  mutating func receiveFromOwnAddress(_ pgn: PGN, at now: Instant) {
    if sentPGNs.contains(pgn) {
      // An echo, or a stranger that cannot be told from one.
      counters.echoes &+= 1
    } else if address != nil {
      perform(claim.receiveIntrusion(pgn, at: now), at: now)
    }
  }

  mutating func receiveSingle(
    _ payload: CANPayload, _ identifier: MessageIdentifier, at now: Instant, application: inout some NodeApplication
  ) {
    counters.messagesReceived &+= 1
    let header = MessageHeader(identifier, at: now, sender: devices.name(of: identifier.source))
    let message = ShortPayload(littleEndian: UInt128(payload.bits), count: payload.count)
    ProprietaryMessage(payload: message).withPayload { application.received(header, $0) }
    if identifier.pgn == NetworkPGN.request {
      receiveRequest(ISORequest(payload: message), header, application: &application)
    }
  }

  mutating func receiveFastPacket(
    _ frame: CANDataFrame, _ identifier: MessageIdentifier, at now: Instant, application: inout some NodeApplication
  ) {
    let header = MessageHeader(
      identifier, at: now, transport: .fastPacket, sender: devices.name(of: identifier.source))
    let isNetwork = Self.isForNode(identifier.pgn)
    var message: LongPayload?
    let isComplete: Bool? = assembler.receive(frame, at: now) { payload in
      application.received(header, payload)
      if isNetwork { message = LongPayload(payload) }
      return true
    }
    if isComplete == true { counters.messagesReceived &+= 1 }
    if let message { receiveForNode(message, header, application: &application) }
  }

  mutating func receiveTransportData(
    _ payload: CANPayload, _ identifier: MessageIdentifier, at now: Instant, application: inout some NodeApplication
  ) {
    guard
      let message = transport.receiveData(
        payload, from: identifier.source, to: identifier.destination, own: address, at: now, outbox: &outbox)
    else { return }
    let pgn = message.pgn
    // A claim has no business here, and must not get past the checks of a claim.
    guard pgn != NetworkPGN.addressClaim else {
      counters.malformed &+= 1
      return
    }
    counters.messagesReceived &+= 1
    let header = MessageHeader(
      MessageIdentifier(
        priority: identifier.priority, pgn: pgn, source: message.source, destination: message.destination),
      at: now, transport: .isoTransport, sender: devices.name(of: message.source))
    let bytes = message.bytes.span.bytes.extracting(first: message.count)
    application.received(header, bytes)
    if pgn == NetworkPGN.request {
      receiveRequest(ISORequest(payload: bytes), header, application: &application)
    } else if pgn == NetworkPGN.commandedAddress {
      let command = ISOCommandedAddress(payload: bytes)
      guard message.count == 9, let name = command.name, let address = command.address else {
        counters.malformed &+= 1
        return
      }
      perform(claim.receiveCommand(name, address: address, at: now), at: now)
    } else if Self.isForNode(pgn), message.count <= LongPayload.capacity {
      receiveForNode(LongPayload(bytes), header, application: &application)
    }
  }

  static func isForNode(_ pgn: PGN) -> Bool {
    pgn == NetworkPGN.groupFunction || pgn == NetworkPGN.productInformation
  }

  mutating func receiveForNode(
    _ payload: LongPayload, _ header: MessageHeader, application: inout some NodeApplication
  ) {
    if header.pgn == NetworkPGN.productInformation {
      devices.describe(ProductDescription(ProductInformation(payload: payload)), of: header.source)
    } else {
      receiveGroupFunction(payload, header, application: &application)
    }
  }

  mutating func noteMalformed() { counters.malformed &+= 1 }
}
