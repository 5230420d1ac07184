import CANBus
import MonotonicTime
import NMEA2000
import VECan

/// Asks devices on a bus for registers, or writes one: takes an address of its own, finds the device, asks, and waits for
/// what comes (vecan.md section 1).
///
/// It does no I/O: frames and time go in, frames wait in ``outbox``.
struct RegisterClient {
  /// Which device is meant.
  enum Target: Equatable {
    case address(UInt8)
    case name(Name)
    /// Only to read from.
    case all
  }

  /// What is asked.
  enum Request {
    case read(RegisterID, mask: UInt16)
    case write(RegisterID, LongPayload)

    var id: RegisterID {
      switch self {
      case .read(let id, _), .write(let id, _): id
      }
    }
  }

  /// A value that a device told.
  struct Answer: Equatable {
    var source: UInt8
    var id: RegisterID
    var value: LongPayload
  }

  /// How long answers to a read of many may be apart: a device needs 1.25 ms a frame, old ones 50 ms.
  static let quiet = TimeSpan.milliseconds(500)
  /// The longest that a claim takes on a bus that has an address left.
  static let claimLimit = TimeSpan.seconds(5)

  /// What came so far, in order.
  private(set) var answers: [Answer] = []
  /// Why it ended without what was asked; nil while it did not.
  private(set) var failure: String?
  /// Whether there is nothing more to wait for.
  private(set) var isFinished = false

  private var node: Node
  private var ear = Ear()
  private let target: Target
  private let requests: [Request]
  private let patience: TimeSpan
  private var next = 0
  private var address: UInt8?
  private var begun: Instant
  private var asked: Instant?
  private var isRepeated = false
  private var lastAnswer: Instant?
  private var other: LongPayload?

  init(_ requests: [Request], to target: Target, patience: TimeSpan, seed: UInt64, at now: Instant) {
    self.requests = requests
    self.target = target
    self.patience = patience
    begun = now
    node = Node(
      // A PC gateway (function 130 of class 25), with a code that NMEA has not given away, as vecand's.
      identity: NodeIdentity(
        name: Name(
          uniqueNumber: UInt32(truncatingIfNeeded: seed) & 0x1F_FFFF, manufacturer: 2046, function: 130,
          deviceClass: 25),
        preferredAddress: 200,
        product: ProductDescription(
          productCode: 0, model: "vecanctl", softwareVersion: "", serialNumber: "")),
      transmitted: [VictronRegister.definition.pgn, ProprietaryFastPacket.definition.pgn].map {
        TransmittedPGN($0, isRequestable: false)
      },
      received: [VictronRegister.definition.pgn, ProprietaryFastPacket.definition.pgn], randomSeed: seed)
    node.start(at: now)
  }

  /// The frames to be sent.
  var outbox: Outbox {
    get { node.outbox }
    _modify { yield &node.outbox }
  }

  /// When ``tick(at:)`` is due.
  func nextDeadline(at now: Instant) -> Instant { min(node.nextDeadline, now + .milliseconds(20)) }

  /// Takes a frame.
  mutating func receive(_ frame: CANDataFrame, at now: Instant) {
    node.receive(frame, at: now, application: &ear)
    for message in ear.messages { take(message.source, message.message, at: now) }
    ear.messages.removeAll(keepingCapacity: true)
  }

  /// Does what is due.
  mutating func tick(at now: Instant) {
    guard !isFinished else { return }
    node.tick(at: now)
    guard node.address != nil else {
      if node.isWithoutAddress { fail("no address is free on the bus") }
      if now - begun > Self.claimLimit { fail("no address could be claimed: nobody acknowledges on this bus") }
      return
    }
    guard find(at: now), !isFinished else { return }
    guard let asked else {
      ask(at: now)
      return
    }
    if isMany {
      // Whoever has something to say says it without long pauses.
      if let last = lastAnswer, now - last >= Self.quiet { finishRequest(at: now) }
      if lastAnswer == nil, now - asked >= patience { timeOut() }
      return
    }
    if now - asked >= patience { timeOut() }
    if case .read = requests[next], !isRepeated, now - asked >= TimeSpan(nanoseconds: patience.nanoseconds / 2) {
      isRepeated = true
      send(at: now)
    }
  }

  // MARK: - Inside

  /// Whether several may answer.
  private var isMany: Bool {
    if case .read(_, let mask) = requests[next] { return mask != 0xFFFF || target == .all }
    return false
  }

  private mutating func find(at now: Instant) -> Bool {
    switch target {
    case .all: address = BusAddress.global
    case .address(let number): address = number
    case .name(let name):
      address = node.devices.address(of: name)
      if address == nil, now - begun > patience + .seconds(1) {
        fail("there is no device with NAME \(name) on the bus")
      }
    }
    return address != nil
  }

  private mutating func ask(at now: Instant) {
    asked = now
    isRepeated = false
    lastAnswer = nil
    other = nil
    send(at: now)
  }

  private mutating func send(at now: Instant) {
    guard let address else { return }
    switch requests[next] {
    case .read(let id, let mask): node.send(RegisterMessage.read(id, mask: mask).message, to: address, at: now)
    case .write(let id, let value) where value.count <= 4:
      var bits: UInt32 = 0
      for index in 0..<value.count { bits |= UInt32(value[index]) << UInt32(index * 8) }
      node.send(VictronRegister(register: id.rawValue, value: bits), to: address, at: now)
    case .write(let id, let value): node.send(ProprietaryFastPacket(id, value), to: address, at: now)
    }
  }

  private mutating func take(_ source: UInt8, _ message: LongRegisterMessage, at now: Instant) {
    guard !isFinished, asked != nil, let address, target == .all || source == address else { return }
    let request = requests[next]
    if message.id == .refusal {
      guard let (id, code) = message.short.words else { return }
      if id == request.id {
        fail("device \(source) refuses \(Self.name(id)): \(RefusalCode(code)) (\(RegisterID(code)))")
      }
      if id == .refusal { fail("device \(source) has more requests than it can keep (0x8500); try again") }
      return
    }
    switch request {
    case .read(let id, let mask):
      guard message.id.rawValue & mask == id.rawValue & mask else { return }
      let answer = Answer(source: source, id: message.id, value: message.value)
      // A publication of the same register comes as its answer.
      if answers.contains(where: { $0.source == source && $0.id == message.id }), isMany { return }
      answers.append(answer)
      lastAnswer = now
      if !isMany { finishRequest(at: now) }
    case .write(let id, let value):
      guard message.id == id else { return }
      // A command's answer has no value; another value is one from before, or not the whole truth.
      let isDone = (0..<value.count).allSatisfy { value[$0] == message.value[$0] }
      guard isDone || Register(id)?.definition.access == .command else {
        other = message.value
        return
      }
      answers.append(Answer(source: source, id: id, value: message.value))
      finishRequest(at: now)
    }
  }

  private mutating func finishRequest(at now: Instant) {
    next += 1
    asked = nil
    if next == requests.count { isFinished = true } else { tick(at: now) }
  }

  private mutating func timeOut() {
    let who = target == .all ? "nobody" : "device \(address.map { String($0) } ?? "?")"
    let name = Self.name(requests[next].id)
    if let other {
      let words = Register(requests[next].id)?.definition.words(other) ?? other.hexadecimal(from: 0, to: other.count)
      fail("\(who) did not take the value of \(name): it still says \(words)")
    } else {
      fail("\(who) \(target == .all ? "answered" : "did not answer") for \(name) in \(DeviceReport.text(patience))")
    }
  }

  private mutating func fail(_ reason: String) {
    failure = failure ?? reason
    isFinished = true
  }

  private static func name(_ id: RegisterID) -> String {
    Register(id).map { "\(id) \($0.definition.name)" } ?? "\(id)"
  }

  /// Keeps the messages of registers that one frame completed.
  private struct Ear: NodeApplication {
    var messages: [(source: UInt8, message: LongRegisterMessage)] = []

    mutating func received(_ header: MessageHeader, _ payload: RawSpan) {
      guard header.pgn == VictronRegister.definition.pgn || header.pgn == ProprietaryFastPacket.definition.pgn,
        let message = LongRegisterMessage(ProprietaryFastPacket(payload: payload))
      else { return }
      messages.append((header.source, message))
    }
  }
}
