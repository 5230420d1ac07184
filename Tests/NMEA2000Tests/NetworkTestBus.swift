import CANBus
import MonotonicTime

@testable import NMEA2000

/// An application that notes what it is told.
struct NotingApplication: NodeApplication {
  var messages: [(header: MessageHeader, payload: [UInt8])] = []
  var requests: [PGNRequest] = []
  var commands: [PGNCommand] = []
  var requestAnswer = RequestAnswer.willSend
  var commandAnswer = GroupFunctionAnswer.accepted
  var isCounting = true

  mutating func received(_ header: MessageHeader, _ payload: RawSpan) {
    guard isCounting else { return }
    var bytes: [UInt8] = []
    for index in 0..<payload.byteCount {
      bytes.append(payload.unsafeLoadUnaligned(fromByteOffset: index, as: UInt8.self))
    }
    messages.append((header, bytes))
  }

  mutating func requested(_ request: PGNRequest) -> RequestAnswer {
    requests.append(request)
    return requestAnswer
  }

  mutating func commanded(_ command: PGNCommand) -> GroupFunctionAnswer {
    commands.append(command)
    return commandAnswer
  }
}

/// Nodes on a wire without delay, in virtual time.
struct NetworkTestBus {
  struct Sent {
    var at: Instant
    var sender: Int
    var frame: CANDataFrame

    var identifier: MessageIdentifier {
      MessageIdentifier(frame.identifier) ?? MessageIdentifier(priority: 0, pgn: 0, source: 255)
    }
    var pgn: PGN { identifier.pgn }
    var source: UInt8 { identifier.source }
    var destination: UInt8 { identifier.destination }
    var bytes: [UInt8] { Array(frame.payload) }
  }

  var now = Instant.origin
  var nodes: [Node] = []
  var applications: [NotingApplication] = []
  var log: [Sent] = []
  var isLogging = true
  /// Whether senders hear their own frames.
  var echoes = false
  /// Nodes that are off the wire.
  var unplugged: Set<Int> = []

  static let ours = Name(uniqueNumber: 100, manufacturer: 358, function: 170, deviceClass: 35)

  static let product = ProductDescription(
    productCode: 0xA3E5, model: "vecand", softwareVersion: "1.0", modelVersion: "A", serialNumber: "S1",
    certificationLevel: 1, loadEquivalency: 1)

  static let transmitted = [
    TransmittedPGN(127501, interval: .seconds(1)),
    TransmittedPGN(
      127508, interval: .milliseconds(1500), settableIntervals: .milliseconds(100)...(.seconds(5))),
    TransmittedPGN(127506, interval: .milliseconds(1500)),
    TransmittedPGN(61184, isRequestable: false),
  ]

  /// One node, claimed at 22, and silence after it.
  static func single() -> NetworkTestBus {
    var bus = NetworkTestBus()
    bus.add()
    bus.run(.seconds(2))
    bus.log = []
    while bus.nodes[0].nextEvent() != nil {}
    return bus
  }

  @discardableResult
  mutating func add(
    _ name: Name = ours, preferred: UInt8 = 22, stored: StoredNode = StoredNode(), seed: UInt64? = nil,
    claimInterval: TimeSpan? = nil, descriptions: (String, String) = ("", "")
  ) -> Int {
    let identity = NodeIdentity(
      name: name, preferredAddress: preferred, claimInterval: claimInterval, product: Self.product,
      manufacturerInformation: "maker", installationDescription1: descriptions.0,
      installationDescription2: descriptions.1)
    var node = Node(
      identity: identity, transmitted: Self.transmitted, received: [127508], stored: stored,
      randomSeed: seed ?? UInt64(nodes.count))
    node.start(at: now)
    nodes.append(node)
    applications.append(NotingApplication())
    drain()
    return nodes.count - 1
  }

  mutating func drain() {
    var isBusy = true
    while isBusy {
      isBusy = false
      for sender in nodes.indices {
        while let entry = nodes[sender].outbox.popFirst() {
          isBusy = true
          deliver(entry.frame, from: sender)
        }
      }
    }
  }

  mutating func deliver(_ frame: CANDataFrame, from sender: Int) {
    guard !unplugged.contains(sender) else { return }
    if isLogging { log.append(Sent(at: now, sender: sender, frame: frame)) }
    for receiver in nodes.indices where (receiver != sender || echoes) && !unplugged.contains(receiver) {
      nodes[receiver].receive(frame, at: now, application: &applications[receiver])
    }
  }

  /// A frame from somebody who is no node here.
  mutating func inject(
    _ pgn: PGN, from source: UInt8, to destination: UInt8 = 255, priority: UInt8 = 6, _ bytes: [UInt8]
  ) {
    let identifier = MessageIdentifier(priority: priority, pgn: pgn, source: source, destination: destination)
    guard let payload = CANPayload(bytes) else { return }
    for receiver in nodes.indices where !unplugged.contains(receiver) {
      nodes[receiver].receive(
        CANDataFrame(identifier.canIdentifier, payload), at: now, application: &applications[receiver])
    }
    drain()
  }

  /// A message as a fast packet from somebody who is no node here.
  mutating func injectFast(_ pgn: PGN, from source: UInt8, to destination: UInt8 = 255, _ bytes: [UInt8]) {
    var sender = stranger
    var frames: [CANDataFrame] = []
    let identifier = MessageIdentifier(priority: 3, pgn: pgn, source: source, destination: destination)
    sender.send(bytes.span.bytes, as: identifier) { frames.append($0) }
    stranger = sender
    for frame in frames {
      for receiver in nodes.indices where !unplugged.contains(receiver) {
        nodes[receiver].receive(frame, at: now, application: &applications[receiver])
      }
    }
    drain()
  }
  var stranger = FastPacketSender()

  mutating func claim(_ name: Name, from source: UInt8) {
    inject(60928, from: source, (0..<8).map { UInt8(truncatingIfNeeded: name.rawValue >> UInt64($0 * 8)) })
  }

  mutating func run(to end: Instant) {
    while let next = nodes.map(\.nextDeadline).min(), next <= end {
      now = max(now, next)
      for index in nodes.indices where nodes[index].nextDeadline <= now { nodes[index].tick(at: now) }
      drain()
    }
    now = end
    drain()
  }

  mutating func run(_ span: TimeSpan) { run(to: now + span) }

  mutating func events(_ index: Int = 0) -> [NodeEvent] {
    var events: [NodeEvent] = []
    while let event = nodes[index].nextEvent() { events.append(event) }
    return events
  }

  func sent(_ pgn: PGN, by sender: Int = 0) -> [Sent] { log.filter { $0.pgn == pgn && $0.sender == sender } }

  /// The payloads of the fast packets of a PGN that a node sent.
  func fastPackets(_ pgn: PGN, by sender: Int = 0) -> [(destination: UInt8, payload: [UInt8])] {
    var assembler = FastPacketAssembler()
    var result: [(UInt8, [UInt8])] = []
    for entry in sent(pgn, by: sender) {
      let payload: [UInt8]? = assembler.receive(entry.frame, at: entry.at) { span in
        (0..<span.byteCount).map { span.unsafeLoadUnaligned(fromByteOffset: $0, as: UInt8.self) }
      }
      if let payload { result.append((entry.destination, payload)) }
    }
    return result
  }
}
