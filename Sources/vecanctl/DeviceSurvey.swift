import CANBus
import MonotonicTime
import NMEA2000
import VECan

/// Finds out who is on a bus: listens, and unless it is passive asks, as a node without an address may (nmea2000.md
/// section 1.5): everybody for the claim, and those whose product is unknown for that.
///
/// It claims no address and sends nothing but these requests, at most one each 50 ms: 254 devices that answered at once
/// with 20 frames each would fill the bus for seconds.
struct DeviceSurvey {
  /// The least time between two requests.
  static let requestDistance = TimeSpan.milliseconds(50)
  /// The time that an answer gets before the question is repeated: fast packets are slow devices' last concern.
  static let patience = TimeSpan.seconds(1)
  /// How often a question is asked.
  static let attempts = 2

  /// How often a device sends a message.
  ///
  /// One PGN carries many streams: a battery status for each battery, a register message for each register. Those are
  /// told apart by the message's key field, for the distance between the statuses of two batteries means nothing.
  struct Traffic: Equatable {
    /// Its name.
    var name: String
    /// How many were heard, by the value of the key field; under 0 where the message has none.
    var streams: [UInt64: Stream] = [:]

    /// Messages that follow each other.
    struct Stream: Equatable {
      var count = 0
      var first: Instant
      var last: Instant
    }

    /// How many were heard in all.
    var count: Int { streams.values.reduce(0) { $0 + $1.count } }

    /// The mean distance between two of a stream, of the stream that came most; nil where none came twice.
    var interval: TimeSpan? {
      guard let stream = streams.max(by: { ($0.value.count, $1.key) < ($1.value.count, $0.key) })?.value,
        stream.count > 1
      else { return nil }
      return TimeSpan(nanoseconds: (stream.last - stream.first).nanoseconds / Int64(stream.count - 1))
    }

    mutating func note(_ key: UInt64, at now: Instant) {
      streams[key, default: Stream(first: now, last: now)].count += 1
      streams[key]?.last = now
    }
  }

  private struct Inquiry {
    var attempts = 0
    var last = Instant(nanoseconds: .min)
  }

  private(set) var listener = BusListener()
  /// Devices that are on the bus and got no address.
  private(set) var withoutAddress: [Name] = []
  private var traffic: [UInt8: [PGN: Traffic]] = [:]
  private var claimInquiry = Inquiry()
  private var productInquiries: [UInt8: Inquiry] = [:]
  private var lastRequest = Instant(nanoseconds: .min)
  private let isPassive: Bool

  /// A survey that asks, or, if it is passive, only listens.
  init(isPassive: Bool) { self.isPassive = isPassive }

  /// Who was heard, by address.
  var devices: [DeviceTable.Device] { listener.devices.all }

  /// What a device sends, by PGN.
  func traffic(of address: UInt8) -> [(pgn: PGN, traffic: Traffic)] {
    (traffic[address] ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  // MARK: - Hearing

  /// Takes a frame.
  mutating func receive(_ frame: CANDataFrame, at now: Instant) {
    guard let source = MessageIdentifier(frame.identifier)?.source else { return }
    let holder = listener.devices.name(of: source)
    var heard: (pgn: PGN, name: String, key: UInt64)?
    var claimed: Name?
    _ = listener.receive(frame, at: now) { header, payload in
      heard = (header.pgn, Self.name(header.pgn, payload), Self.key(header.pgn, payload))
      if header.pgn == ISOAddressClaim.definition.pgn { claimed = ISOAddressClaim(payload: payload).name }
    }
    if let claimed {
      withoutAddress.removeAll { $0 == claimed }
      if source == BusAddress.null { withoutAddress.append(claimed) }
      // The address has another holder: what was heard before is not its doing.
      if let holder, holder != claimed {
        traffic[source] = nil
        productInquiries[source] = nil
      }
    }
    if let heard, source < BusAddress.null {
      traffic[source, default: [:]][heard.pgn, default: Traffic(name: heard.name)].note(heard.key, at: now)
    }
  }

  /// The value of a message's key field: the instance, the register.
  private static func key(_ pgn: PGN, _ payload: RawSpan) -> UInt64 {
    let storage = LongPayload(payload)
    let definition = Catalogue.definitions[pgn]?.first { $0.applies(to: storage) }
    guard let field = definition?.fields.first(where: { $0.isKey }) else { return 0 }
    return storage.bits(at: field.bitOffset, count: field.bitCount) ?? 0
  }

  private static func name(_ pgn: PGN, _ payload: RawSpan) -> String {
    if pgn.isProprietary, RegisterReport(payload) != nil { return VictronRegister.definition.name }
    return PGNNames.name(of: pgn) ?? PGNNames.rangeName(of: pgn)
  }

  // MARK: - Asking

  /// The question that is due, if one is. The caller sends it.
  mutating func nextRequest(at now: Instant) -> CANDataFrame? {
    guard !isPassive, lastRequest + Self.requestDistance <= now else { return nil }
    let isSomeoneNameless = devices.contains { $0.name == nil }
    if claimInquiry.attempts == 0 || isSomeoneNameless, Self.ask(&claimInquiry, at: now) {
      lastRequest = now
      return Self.request(ISOAddressClaim.definition.pgn, to: BusAddress.global)
    }
    for device in devices where device.product == nil {
      if Self.ask(&productInquiries[device.address, default: Inquiry()], at: now) {
        lastRequest = now
        return Self.request(ProductInformation.definition.pgn, to: device.address)
      }
    }
    return nil
  }

  private static func ask(_ inquiry: inout Inquiry, at now: Instant) -> Bool {
    guard inquiry.attempts < attempts, inquiry.last + patience <= now else { return false }
    inquiry.attempts += 1
    inquiry.last = now
    return true
  }

  private static func request(_ pgn: PGN, to destination: UInt8) -> CANDataFrame {
    let identifier = MessageIdentifier(
      priority: 6, pgn: ISORequest.definition.pgn, source: BusAddress.null, destination: destination)
    return CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: UInt64(pgn.rawValue), count: 3))
  }
}
