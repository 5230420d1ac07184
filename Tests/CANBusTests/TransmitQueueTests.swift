import CANBus
import MonotonicTime
import Testing

@Suite struct TransmitQueueTests {
  private let start = Instant.origin
  private let later = Instant.origin + .seconds(1)

  private func frame(_ identifier: UInt32, _ byte: UInt8 = 0) -> CANFrame {
    .data(CANDataFrame(.extended(identifier), [byte]))
  }

  private func batch(_ queue: inout TransmitQueue, at instant: Instant, limit: Int = 100) -> [CANFrame] {
    var frames: [CANFrame] = []
    queue.next(limit, at: instant, into: &frames)
    return frames
  }

  @Test func framesLeaveInTheOrderOfComing() {
    var queue = TransmitQueue()
    for byte in 0..<5 { queue.enqueue(frame(3, UInt8(byte)), urgency: .ordinary, deadline: later) }
    #expect(batch(&queue, at: start, limit: 2) == [frame(3, 0), frame(3, 1)])
    queue.accepted(2)
    #expect(batch(&queue, at: start) == [frame(3, 2), frame(3, 3), frame(3, 4)])
    queue.accepted(3)
    #expect(queue.isEmpty)
  }

  @Test func protectiveFramesGoFirst() {
    var queue = TransmitQueue()
    queue.enqueue(frame(1), urgency: .ordinary, deadline: later)
    queue.enqueue(frame(2, 1), urgency: .protective, deadline: later)
    queue.enqueue(frame(2, 2), urgency: .protective, deadline: later)
    #expect(batch(&queue, at: start) == [frame(2, 1), frame(2, 2), frame(1)])
    queue.accepted(1)
    queue.enqueue(frame(4), urgency: .protective, deadline: later)
    #expect(batch(&queue, at: start) == [frame(2, 2), frame(4), frame(1)])
  }

  @Test func framesOfOneIdentifierAreNeverReordered() {
    var queue = TransmitQueue()
    queue.enqueue([frame(7, 0), frame(7, 1)], urgency: .ordinary, deadline: later)
    queue.enqueue(frame(8), urgency: .ordinary, deadline: later)
    queue.enqueue([frame(7, 2)], urgency: .ordinary, deadline: later)
    queue.enqueue([frame(7, 3), frame(7, 4)], urgency: .protective, deadline: later)
    #expect(batch(&queue, at: start) == [frame(7, 0), frame(7, 1), frame(7, 2), frame(7, 3), frame(7, 4), frame(8)])
  }

  @Test func refusalsAreRetriedAfterTwoMillisecondsThenTwiceAsLongUpToFifty() throws {
    var queue = TransmitQueue()
    queue.enqueue(frame(1), urgency: .ordinary, deadline: .origin + .hours(1))
    var now = start
    for expected in [2, 4, 8, 16, 32, 50, 50] as [Int64] {
      #expect(batch(&queue, at: now).count == 1)
      queue.refused(at: now)
      let retry = try #require(queue.nextRetry)
      #expect(retry - now == .milliseconds(expected))
      #expect(batch(&queue, at: retry - TimeSpan(nanoseconds: 1)).isEmpty)
      now = retry
    }
    #expect(batch(&queue, at: now).count == 1)
    queue.accepted(1)
    #expect(queue.nextRetry == nil)
    queue.enqueue(frame(1), urgency: .ordinary, deadline: .origin + .hours(1))
    queue.refused(at: now)
    #expect(queue.nextRetry == now + .milliseconds(2))
  }

  @Test func afterAFullInterfaceALinkThatWentDownIsWaitedFor() throws {
    let transport = InMemoryTransport(InMemoryBus(transmitQueueLength: 1))
    var queue = TransmitQueue()
    var scratch: [CANFrame] = []
    for byte in 0..<4 { queue.enqueue(frame(1, UInt8(byte)), urgency: .ordinary, deadline: later) }
    transport.transmit(&queue, batch: &scratch)
    _ = transport.wait(until: try #require(queue.nextRetry), wakeup: nil)
    transport.setConnected(false)
    transport.transmit(&queue, batch: &scratch)
    #expect(queue.nextRetry == nil, "it would be due at once, and again and again")
    #expect(!queue.isEmpty)
  }

  @Test func aLinkThatIsDownBeforeItSaysSoIsAskedNoMoreOftenThanAFullOne() {
    let transport = DeadTransport()
    var queue = TransmitQueue()
    var scratch: [CANFrame] = []
    queue.enqueue(frame(1), urgency: .ordinary, deadline: later)
    transport.transmit(&queue, batch: &scratch)
    #expect(queue.nextRetry == start + .milliseconds(2))
  }

  @Test func acceptingAPartAndRefusingTheRestStartsTheWaitAnew() {
    var queue = TransmitQueue()
    for byte in 0..<3 { queue.enqueue(frame(1, UInt8(byte)), urgency: .ordinary, deadline: later) }
    for _ in 0..<6 { queue.refused(at: start) }
    queue.accepted(1)
    queue.refused(at: start)
    #expect(queue.nextRetry == start + .milliseconds(2))
    #expect(batch(&queue, at: start + .milliseconds(2)) == [frame(1, 1), frame(1, 2)])
  }

  @Test func aProtectiveFrameDoesNotSitOutALongWait() {
    var queue = TransmitQueue()
    queue.enqueue(frame(1), urgency: .ordinary, deadline: later)
    for _ in 0..<6 { queue.refused(at: start) }
    #expect(queue.nextRetry == start + .milliseconds(50))
    queue.enqueue(frame(2), urgency: .protective, deadline: later)
    #expect(queue.nextRetry == start + .milliseconds(2))
    #expect(batch(&queue, at: start + .milliseconds(2)) == [frame(2), frame(1)])
  }

  @Test func messagesAreDroppedWholeAtTheirDeadline() {
    var queue = TransmitQueue()
    queue.enqueue([frame(1, 0), frame(1, 1)], urgency: .protective, deadline: start + .milliseconds(100))
    queue.enqueue(frame(2), urgency: .ordinary, deadline: later)
    #expect(batch(&queue, at: start + .milliseconds(99)).count == 3)
    #expect(batch(&queue, at: start + .milliseconds(100)) == [frame(2)])
    #expect(queue.expired == 2)
    queue.enqueue(frame(3), urgency: .protective, deadline: later)
    #expect(batch(&queue, at: start + .milliseconds(100)) == [frame(3), frame(2)])
  }

  @Test func nothingIsLeftToRetryWhenAllHasExpired() {
    var queue = TransmitQueue()
    queue.enqueue(frame(1), urgency: .ordinary, deadline: start + .milliseconds(1))
    queue.refused(at: start)
    #expect(batch(&queue, at: start + .milliseconds(2)).isEmpty)
    #expect(queue.nextRetry == nil)
  }

  @Test func aFullQueueRefusesWholeMessagesAndCountsThem() {
    var queue = TransmitQueue(capacity: 4)
    let outcome1 = queue.enqueue([frame(1), frame(1), frame(1)], urgency: .ordinary, deadline: later)
    #expect(outcome1)
    let outcome2 = queue.enqueue([frame(2), frame(2)], urgency: .ordinary, deadline: later)
    #expect(!outcome2)
    let outcome3 = queue.enqueue(frame(2), urgency: .ordinary, deadline: later)
    #expect(outcome3)
    #expect(queue.overflowed == 1)
    #expect(queue.count == 4)
  }

  @Test func ordinaryMessagesGiveWayToProtectiveOnes() {
    var queue = TransmitQueue(capacity: 4)
    queue.enqueue(frame(1), urgency: .ordinary, deadline: later)
    queue.enqueue([frame(2, 0), frame(2, 1), frame(2, 2)], urgency: .ordinary, deadline: later)
    let outcome4 = queue.enqueue(frame(9), urgency: .protective, deadline: later)
    #expect(outcome4)
    #expect(batch(&queue, at: start) == [frame(9), frame(1)])
    #expect(queue.overflowed == 1)
    for _ in 0..<3 { queue.enqueue(frame(9), urgency: .protective, deadline: later) }
    #expect(queue.overflowed == 2)
    let outcome5 = queue.enqueue(frame(9), urgency: .protective, deadline: later)
    #expect(!outcome5)
    #expect(queue.count == 4)
    #expect(queue.overflowed == 3)
  }

  @Test func errorFramesAreNothingToSend() {
    var queue = TransmitQueue()
    let report = CANFrame.error(CANErrorFrame(.busOff, details: []))
    let isQueued = queue.enqueue(report, urgency: .ordinary, deadline: later)
    #expect(!isQueued)
    #expect(queue.isEmpty)
  }

  /// Against a plain model: whatever is queued, order within an identifier stays, and nothing is lost or doubled.
  @Test func orderHoldsForRandomTraffic() {
    var random = SeededGenerator(seed: 5)
    var queue = TransmitQueue(capacity: 64)
    var expected: [UInt32: [UInt64]] = [:]
    var number: UInt64 = 0
    var frames: [CANFrame] = []
    var sent = 0
    for _ in 0..<20_000 {
      let identifier = UInt32(random.next() % 5)
      let message = (0..<Int(1 + random.next() % 4)).map { _ in
        number += 1
        return CANFrame.data(CANDataFrame(.extended(identifier), CANPayload(littleEndian: number, count: 8)))
      }
      if queue.count + message.count <= 64 {
        queue.enqueue(message, urgency: random.chance(0.3) ? .protective : .ordinary, deadline: later)
        for case .data(let data) in message { expected[identifier, default: []].append(data.payload.bits) }
      }
      queue.next(8, at: start, into: &frames)
      let taken = Int(random.next() % UInt64(frames.count + 1))
      for case .data(let data) in frames.prefix(taken) {
        #expect(expected[data.identifier.value]?.removeFirst() == data.payload.bits)
        sent += 1
      }
      queue.accepted(taken)
    }
    #expect(sent > 10_000)
    #expect(expected.values.reduce(0) { $0 + $1.count } == queue.count)
  }
}

/// An interface that was set down a moment ago: the kernel takes nothing, and has not said why.
private final class DeadTransport: CANTransport {
  let now = Instant.origin
  let link = LinkState.up
  let counters = TransportCounters()

  func receive(into frames: inout [ReceivedFrame], limit: Int) -> Instant { now }
  func send(_ frames: [CANFrame]) -> SendOutcome { SendOutcome(accepted: 0, refusal: .linkDown) }
  func wait(until deadline: Instant, wakeup: Int32?, beside other: (any CANTransport)?) -> WakeReasons { [] }
  func takeEvents() -> [LinkEvent] { [] }
  func hear(_ filters: [CANFilter]) {}
}
