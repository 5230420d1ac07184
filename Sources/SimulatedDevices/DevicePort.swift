import CANBus
import MonotonicTime
public import NMEA2000
import VECan

// What every simulated device has: a node with its own NAME on the bus, a plug that can be pulled, and registers that can
// be read.

/// A device's place on the bus.
public struct DevicePort: Sendable {
  /// The code that NMEA has not given away: nothing here pretends to be somebody's product.
  static let manufacturer: UInt16 = 2046

  /// What people call it.
  public let label: String
  /// Its node.
  public internal(set) var node: Node
  /// Whether it is plugged in.
  public private(set) var isPlugged = false

  /// A device that is not plugged in yet.
  ///
  /// - Parameters:
  ///   - label: what people call it; also its model.
  ///   - name: its NAME.
  ///   - address: where it begins.
  ///   - transmitted: what it sends beside what each node must.
  ///   - isRequestable: whether that may be asked for.
  init(_ label: String, _ name: Name, address: UInt8, transmitted: [PGN], isRequestable: Bool = false) {
    self.label = label
    node = Node(
      identity: NodeIdentity(
        name: name, preferredAddress: address,
        product: ProductDescription(
          productCode: 0, model: "simulated \(label)", softwareVersion: "", serialNumber: "SIM\(name.uniqueNumber)")),
      transmitted: transmitted.map { TransmittedPGN($0, isRequestable: isRequestable) }
        + [TransmittedPGN(VictronRegister.definition.pgn, isRequestable: false)],
      received: [VictronRegister.definition.pgn], randomSeed: UInt64(name.uniqueNumber))
  }

  /// Whether it may send.
  var mayTalk: Bool { isPlugged && node.address != nil }

  /// When something is due of the node itself.
  var nextDeadline: Instant { isPlugged ? node.nextDeadline : Instant(nanoseconds: .max) }

  /// Puts it on the bus.
  mutating func plug(at now: Instant) {
    guard !isPlugged else { return }
    isPlugged = true
    node.start(at: now)
  }

  /// Takes it off the bus, without a word.
  mutating func unplug(at now: Instant) {
    guard isPlugged else { return }
    isPlugged = false
    node.stop(at: now)
  }

  mutating func receive(_ frame: CANDataFrame, at now: Instant, ear: inout some NodeApplication) {
    guard isPlugged else { return }
    node.receive(frame, at: now, application: &ear)
  }

  mutating func tick(at now: Instant) {
    guard isPlugged else { return }
    node.tick(at: now)
    while node.nextEvent() != nil {}
  }

  /// Reports a register to all.
  mutating func report(_ message: RegisterMessage, at now: Instant) { node.send(message.message, at: now) }
}

/// Something that is due each so often. What was missed is not made up for.
struct Pacer: Sendable {
  var interval: TimeSpan
  private(set) var next: Instant

  init(_ interval: TimeSpan, from start: Instant) {
    self.interval = interval
    next = start
  }

  /// Whether it is due; then it is done.
  mutating func isDue(at now: Instant) -> Bool {
    guard next <= now else { return false }
    next += interval
    if next <= now { next = now + interval }
    return true
  }

  /// Makes it due now.
  mutating func hurry(at now: Instant) { next = min(next, now) }
}

/// Hears messages and keeps those that a device may want until it looks; never more than fit into a burst.
struct Ear: NodeApplication {
  struct Heard {
    var header: MessageHeader
    var message: RegisterMessage
  }

  /// Registers, reported to all or addressed to the device.
  var registers: [Heard] = []
  /// The state of charge that somebody tells.
  var charges: [(sender: Name, percent: Double?)] = []
  /// What is asked of the registers that the device has.
  var server: RegisterServer
  /// Whether the state of charge is wanted.
  let hearsCharge: Bool

  static let capacity = 256

  init(_ registers: [Register], hearsCharge: Bool = false) {
    server = RegisterServer(registers)
    self.hearsCharge = hearsCharge
  }

  mutating func received(_ header: MessageHeader, _ payload: RawSpan) {
    switch header.pgn {
    case VictronRegister.definition.pgn:
      server.receive(header, payload)
      guard registers.count < Self.capacity, let message = RegisterMessage(VictronRegister(payload: payload)) else {
        return
      }
      registers.append(Heard(header: header, message: message))
    case DCDetailedStatus.definition.pgn where hearsCharge && charges.count < Self.capacity:
      guard let sender = header.sender else { return }
      charges.append((sender, DCDetailedStatus(payload: payload).stateOfCharge.value))
    default: break
    }
  }

  /// Sends what the registers were asked for.
  mutating func answer(through port: inout DevicePort, at now: Instant, _ value: (Register) -> RegisterMessage?) {
    while let answer = server.nextAnswer(at: now) {
      switch answer {
      case .value(let register): if let message = value(register) { port.report(message, at: now) }
      case .report(let message): port.report(message, at: now)
      case .refusal(let message, let address): port.node.send(message.message, to: address, at: now)
      }
      server.sent(answer, frames: 1, at: now)
    }
    // Nothing is written to these devices.
    while let write = server.nextWrite() { server.refuse(write.id, .unknownWrite, to: write.source) }
  }
}
