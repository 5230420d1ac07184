public import CANBus
public import MonotonicTime

/// Hears everything on a bus, whoever it is for, and never says a word: what a monitor needs, where ``Node`` is a device.
///
/// It puts messages together and keeps the ``DeviceTable``.
public struct BusListener: Sendable {
  /// What became of a frame.
  public enum Outcome: Hashable, Sendable {
    /// It was or completed a message, which was delivered.
    case delivered
    /// It is a part of a message, or of the protocol that carries one.
    case part
    /// Whether its PGN travels in one frame or in many is not known: it must not be taken for a message.
    case unknownFraming
    /// It has an 11-bit identifier and is no NMEA 2000 at all.
    case foreign
    /// It makes no sense.
    case malformed
  }

  /// Who is on the bus.
  public private(set) var devices = DeviceTable()
  private var assembler = FastPacketAssembler()
  private var transport = TransportListener()
  private let framing = FramingTable.shared

  /// A listener that has heard nothing yet.
  public init() {}

  /// What happened to fast packets.
  public var fastPackets: FastPacketAssembler.Statistics { assembler.statistics }

  /// How many messages of the ISO transport protocol were begun and never became whole.
  public var incompleteTransports: Int { transport.incomplete }

  /// Takes a frame. A message that it completes is handed to `deliver`, its payload for the time of the call.
  public mutating func receive(
    _ frame: CANDataFrame, at now: Instant, deliver: (MessageHeader, RawSpan) -> Void
  ) -> Outcome {
    guard let identifier = MessageIdentifier(frame.identifier) else { return .foreign }
    guard identifier.source != BusAddress.global else { return .malformed }
    if identifier.pgn == NetworkPGN.addressClaim {
      // A short claim is no NAME of ones (nmea2000.md section 4).
      guard frame.payload.count == 8 else { return .malformed }
      if devices.claim(Name(rawValue: frame.payload.bits), from: identifier.source, at: now) {
        assembler.removeAll(from: identifier.source)
        transport.reset(identifier.source)
      }
    }
    devices.hear(identifier.pgn, from: identifier.source, at: now)
    let sender = devices.name(of: identifier.source)

    switch identifier.pgn {
    case NetworkPGN.transportControl:
      let isUnderstood = transport.receiveControl(
        frame.payload, from: identifier.source, to: identifier.destination, at: now)
      return isUnderstood ? .part : .malformed
    case NetworkPGN.transportData:
      var product: ProductDescription?
      let packet = transport.receiveData(
        frame.payload, from: identifier.source, to: identifier.destination, at: now
      ) { pgn, payload, _ in
        let message = MessageIdentifier(
          priority: identifier.priority, pgn: pgn, source: identifier.source, destination: identifier.destination)
        if pgn == NetworkPGN.productInformation { product = Self.product(payload) }
        deliver(MessageHeader(message, at: now, transport: .isoTransport, sender: sender), payload)
      }
      if let product { devices.describe(product, of: identifier.source) }
      return packet == .last ? .delivered : .part
    default:
      break
    }

    switch framing[identifier.pgn] {
    case .single:
      let message = ShortPayload(littleEndian: UInt128(frame.payload.bits), count: frame.payload.count)
      ProprietaryMessage(payload: message).withPayload {
        deliver(MessageHeader(identifier, at: now, sender: sender), $0)
      }
      return .delivered
    case .fastPacket:
      var product: ProductDescription?
      let isComplete: Void? = assembler.receive(frame, at: now) { payload in
        if identifier.pgn == NetworkPGN.productInformation { product = Self.product(payload) }
        deliver(MessageHeader(identifier, at: now, transport: .fastPacket, sender: sender), payload)
      }
      if let product { devices.describe(product, of: identifier.source) }
      return isComplete == nil ? .part : .delivered
    case .isoTransport:
      return .malformed
    case nil:
      return .unknownFraming
    }
  }

  private static func product(_ payload: RawSpan) -> ProductDescription {
    ProductDescription(ProductInformation(payload: payload))
  }
}
