import CANBus
import NMEA2000

/// Made-up traffic of a battery bus: eight sources whose frames alternate, the same for the same seed.
///
/// The proportions are those of nmea2000.md section 5: of 1,200,000 frames 332,288 are 127508, as many 127506 (two a
/// message), 166,144 are 127501 and 369,280 are 126996 (twenty a message).
struct Traffic {
  static let sourceCount = 8

  private enum Kind { case batteryStatus, detailedStatus, switchBank, productInformation }

  /// Frames in the order of the bus.
  private(set) var frames: [CANDataFrame] = []

  init(frameCount: Int, seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    func share(_ frames: Int, _ framesPerMessage: Int) -> Int {
      max(
        1,
        Int((Double(frameCount) * Double(frames) / 1_200_000 / Double(framesPerMessage * Self.sourceCount)).rounded()))
    }
    let queues = (0..<Self.sourceCount).map { source in
      var kinds =
        [Kind](repeating: .batteryStatus, count: share(332_288, 1))
        + [Kind](repeating: .detailedStatus, count: share(332_288, 2))
        + [Kind](repeating: .switchBank, count: share(166_144, 1))
        + [Kind](repeating: .productInformation, count: share(369_280, 20))
      kinds.shuffle(using: &random)
      var sender = FastPacketSender()
      var queue: [CANDataFrame] = []
      for kind in kinds { Self.append(kind, UInt8(source + 10), &sender, &random, to: &queue) }
      return queue
    }
    frames.reserveCapacity(frameCount)
    for index in 0..<(queues.map(\.count).max() ?? 0) {
      for queue in queues where index < queue.count { frames.append(queue[index]) }
    }
  }

  private static func append(
    _ kind: Kind, _ source: UInt8, _ sender: inout FastPacketSender, _ random: inout SeededGenerator,
    to queue: inout [CANDataFrame]
  ) {
    switch kind {
    case .batteryStatus:
      var message = BatteryStatus()
      message.instance = .value(Int(source) % 4)
      message.voltage = .value(Double(Int.random(in: 1150...1460, using: &random)) / 100)
      message.current = .value(Double(Int.random(in: -2000...2000, using: &random)) / 10)
      message.temperature = .value(Double(Int.random(in: 27_500...31_500, using: &random)) / 100)
      message.sequenceIdentifier = .value(Int.random(in: 0...252, using: &random))
      send(message, BatteryStatus.definition, source, &sender, to: &queue)
    case .detailedStatus:
      var message = DCDetailedStatus()
      message.sequenceIdentifier = .value(Int.random(in: 0...252, using: &random))
      message.instance = .value(Int(source) % 4)
      message.type = .value(.battery)
      message.stateOfCharge = .value(Double(Int.random(in: 0...100, using: &random)))
      message.stateOfHealth = .value(Double(Int.random(in: 80...100, using: &random)))
      message.timeRemaining = .value(.minutes(Int64.random(in: 0...6000, using: &random)))
      message.rippleVoltage = .value(Double(Int.random(in: 0...500, using: &random)) / 1000)
      message.remainingCapacity = .value(Double(Int.random(in: 0...400, using: &random)))
      send(message, DCDetailedStatus.definition, source, &sender, to: &queue)
    case .switchBank:
      var message = BinarySwitchBankStatus()
      message.instance = .value(Int(source) % 4)
      for number in 1...28 { message[indicator: number] = .value(Bool.random(using: &random)) }
      send(message, BinarySwitchBankStatus.definition, source, &sender, to: &queue)
    case .productInformation:
      var message = ProductInformation()
      message.version = .value(2.1)
      message.productCode = .value(Int.random(in: 0...65000, using: &random))
      message.model = "Battery monitor"
      message.softwareVersion = "1.0.7"
      message.modelVersion = "Rev B"
      message.serial = FixedText("SN\(Int.random(in: 100_000...999_999, using: &random))")
      message.certificationLevel = .value(1)
      message.loadEquivalency = .value(1)
      send(message, ProductInformation.definition, source, &sender, to: &queue)
    }
  }

  private static func send(
    _ message: some Message, _ definition: MessageDefinition, _ source: UInt8, _ sender: inout FastPacketSender,
    to queue: inout [CANDataFrame]
  ) {
    let header = MessageIdentifier(priority: definition.priority, pgn: definition.pgn, source: source)
    message.withPayload { payload in
      if definition.framing == .fastPacket {
        sender.send(payload, as: header) { queue.append($0) }
      } else {
        queue.append(CANDataFrame(header.canIdentifier, CANPayload(singleFrame: payload)))
      }
    }
  }
}
