import ArgumentParser
import CANBus
import CAllocationCount
import Glibc
import MonotonicTime
import NMEA2000

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures in memory: reassembly and typed decode of every field, and encode.",
    discussion: "Prints the best and the median of the rounds in nanoseconds, and how often memory was asked for.")

  @Option(help: "How many frames, about.")
  var frames = 1_200_000

  @Option(help: "The seed of the traffic.")
  var seed: UInt64 = 1

  @Option(help: "How many rounds.")
  var rounds = 9

  func run() throws {
    let traffic = Traffic(frameCount: frames, seed: seed).frames
    print("\(traffic.count) frames of made-up traffic, \(rounds) rounds")

    // The counter must count: 1000 arrays are at least 1000 requests.
    let before = allocation_count()
    var kept = 0
    for size in 1...1000 { kept += [UInt8](repeating: 1, count: size + kept % 2).count }
    print("counter check: \(allocation_count() - before) requests for 1000 arrays (\(kept) bytes)")

    var decoder = TypedDecoder()
    measure("reassembly and typed decode", perFrames: traffic.count) {
      for frame in traffic { decoder.receive(frame) }
    }
    print("  \(decoder.messages / (rounds + 1)) messages a round, checksum \(decoder.checksum)")

    var encoder = TypedEncoder()
    let count = traffic.count / 2
    measure("encode 127508, 127506, 127501 to frames", perFrames: count) {
      encoder.send(count)
    }
    print("  checksum \(encoder.checksum)")

    let writer = MessageWriter(.json)
    var clock = WallClockText()
    var text = TextBuffer(capacity: 1 << 22)
    var assembler = FastPacketAssembler()
    measure("reassembly and JSON text", perFrames: traffic.count) {
      var microseconds: Int64 = 1_700_000_000_000_000
      for frame in traffic {
        microseconds += 541
        guard let header = MessageIdentifier(frame.identifier) else { continue }
        if header.pgn == 127508 || header.pgn == 127501 {
          var bits = frame.payload.bits.littleEndian
          withUnsafeBytes(of: &bits) {
            writer.write(
              RawSpan(_unsafeBytes: $0), header, microseconds: microseconds, clock: &clock, to: &text)
          }
        } else {
          _ = assembler.receive(frame, at: Instant(nanoseconds: microseconds * 1000)) {
            writer.write($0, header, microseconds: microseconds, clock: &clock, to: &text)
          }
        }
        if text.count > 1 << 20 { text.removeAll() }
      }
    }
  }

  /// Runs `work` once to warm up and then for every round.
  private func measure(_ name: String, perFrames count: Int, _ work: () -> Void) {
    work()
    var times: [Double] = []
    times.reserveCapacity(rounds)
    var requests: UInt64 = 0
    for _ in 0..<rounds {
      let requestsBefore = allocation_count()
      let start = Self.now()
      work()
      times.append(Double(Self.now() - start) / Double(count))
      requests += allocation_count() - requestsBefore
    }
    times.sort()
    let median = times[times.count / 2]
    print("\(name): best \(tenths(times[0])) ns a frame, median \(tenths(median)) ns, \(requests) requests for memory")
  }

  private func tenths(_ value: Double) -> String {
    let rounded = Int((value * 10).rounded())
    return "\(rounded / 10).\(rounded % 10)"
  }

  private static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// Puts messages together and reads every field of them.
struct TypedDecoder {
  private var assembler = FastPacketAssembler()
  private var time = Instant.origin
  private(set) var messages = 0
  private(set) var checksum = 0.0

  mutating func receive(_ frame: CANDataFrame) {
    time += .microseconds(541)
    guard let header = MessageIdentifier(frame.identifier) else { return }
    switch header.pgn {
    case 127508:
      let message = BatteryStatus(
        payload: ShortPayload(littleEndian: UInt128(frame.payload.bits), count: frame.payload.count))
      var sum = 0.0
      if let value = message.instance.value { sum += Double(value) }
      if let value = message.voltage.value { sum += value }
      if let value = message.current.value { sum += value }
      if let value = message.temperature.value { sum += value }
      if let value = message.sequenceIdentifier.value { sum += Double(value) }
      checksum += sum
      messages &+= 1
    case 127501:
      let message = BinarySwitchBankStatus(
        payload: ShortPayload(littleEndian: UInt128(frame.payload.bits), count: frame.payload.count))
      var on = message.instance.value ?? 0
      for number in 1...28 where message[indicator: number] == .value(true) { on &+= 1 }
      checksum += Double(on)
      messages &+= 1
    case 127506:
      let sum = assembler.receive(frame, at: time) { payload in
        let message = DCDetailedStatus(payload: payload)
        var sum = 0.0
        if let value = message.sequenceIdentifier.value { sum += Double(value) }
        if let value = message.instance.value { sum += Double(value) }
        if let value = message.type.value { sum += Double(value.rawValue) }
        if let value = message.stateOfCharge.value { sum += value }
        if let value = message.stateOfHealth.value { sum += value }
        if let value = message.timeRemaining.value { sum += Double(value.nanoseconds) * 1e-9 }
        if let value = message.rippleVoltage.value { sum += value }
        if let value = message.remainingCapacity.value { sum += value }
        return sum
      }
      if let sum {
        checksum += sum
        messages &+= 1
      }
    case 126996:
      let sum = assembler.receive(frame, at: time) { payload in
        let message = ProductInformation(payload: payload)
        var sum = 0.0
        if let value = message.version.value { sum += value }
        if let value = message.productCode.value { sum += Double(value) }
        if let text = message.model { sum += Double(text.count) + Double(text[0]) }
        if let text = message.softwareVersion { sum += Double(text.count) + Double(text[0]) }
        if let text = message.modelVersion { sum += Double(text.count) + Double(text[0]) }
        if let text = message.serial { sum += Double(text.count) + Double(text[0]) }
        if let value = message.certificationLevel.value { sum += Double(value) }
        if let value = message.loadEquivalency.value { sum += Double(value) }
        return sum
      }
      if let sum {
        checksum += sum
        messages &+= 1
      }
    default: break
    }
  }
}

/// Makes messages from numbers and cuts them into frames.
struct TypedEncoder {
  private var sender = FastPacketSender()
  private(set) var checksum: UInt64 = 0

  mutating func send(_ count: Int) {
    let status = MessageIdentifier(priority: 6, pgn: 127508, source: 22).canIdentifier
    let bank = MessageIdentifier(priority: 3, pgn: 127501, source: 22).canIdentifier
    let detailed = MessageIdentifier(priority: 6, pgn: 127506, source: 22)
    var sent = 0
    var step = 0
    while sent < count {
      step &+= 1
      var battery = BatteryStatus()
      battery.instance = .value(1)
      battery.voltage = .value(12 + Double(step & 255) * 0.01)
      battery.current = .value(Double(step & 1023) - 512)
      battery.temperature = .value(293.15)
      battery.sequenceIdentifier = .value(step % 253)
      battery.withPayload { take(CANDataFrame(status, CANPayload(singleFrame: $0))) }

      var switches = BinarySwitchBankStatus()
      switches.instance = .value(0)
      for number in 1...5 { switches[indicator: number] = .value(step >> number & 1 == 1) }
      switches.withPayload { take(CANDataFrame(bank, CANPayload(singleFrame: $0))) }

      var detail = DCDetailedStatus()
      detail.sequenceIdentifier = .value(step % 253)
      detail.instance = .value(1)
      detail.type = .value(.battery)
      detail.stateOfCharge = .value(Double(step % 101))
      detail.timeRemaining = .value(.minutes(Int64(step % 1000)))
      detail.remainingCapacity = .value(100)
      var sum = checksum
      detail.withPayload { payload in
        _ = sender.send(payload, as: detailed) { sum = sum &* 31 &+ $0.payload.bits }
      }
      checksum = sum
      sent &+= 4
    }
  }

  private mutating func take(_ frame: CANDataFrame) { checksum = checksum &* 31 &+ frame.payload.bits }
}
