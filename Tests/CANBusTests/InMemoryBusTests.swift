import CANBus
import MonotonicTime
import Testing

@Suite struct InMemoryBusTests {
  private func frame(_ identifier: UInt32, _ number: UInt64 = 0) -> CANFrame {
    .data(CANDataFrame(.extended(identifier), CANPayload(littleEndian: number, count: 8)))
  }

  private func received(_ bus: InMemoryBus, _ node: InMemoryBus.Node, until instant: Instant) -> [ReceivedFrame] {
    var frames: [ReceivedFrame] = []
    bus.receive(for: node, until: instant, into: &frames)
    return frames
  }

  @Test func everyNodeButTheSenderHearsAFrame() {
    let bus = InMemoryBus()
    let (a, b, c) = (bus.attach(), bus.attach(), bus.attach())
    let listener = bus.attach(hearsItself: true)
    #expect(bus.send(frame(1), from: a, at: .origin))
    #expect(bus.send(frame(2), from: listener, at: .origin))
    let end = Instant.origin + .milliseconds(10)
    #expect(received(bus, a, until: end).map(\.frame) == [frame(2)])
    #expect(received(bus, b, until: end).map(\.frame) == [frame(1), frame(2)])
    #expect(received(bus, c, until: end).map(\.frame) == [frame(1), frame(2)])
    #expect(received(bus, listener, until: end).map(\.frame) == [frame(1), frame(2)])
  }

  /// 67 bits of frame and pause and 64 of data are 131 bits: 0.524 ms at 250 kbit/s.
  @Test func framesTakeTheirTimeOnTheWire() {
    let bus = InMemoryBus(bitrate: 250_000)
    let (a, b) = (bus.attach(), bus.attach())
    bus.send(frame(1), from: a, at: .origin)
    bus.send(frame(1, 2), from: a, at: .origin)
    #expect(received(bus, b, until: .origin + .microseconds(523)).isEmpty)
    #expect(received(bus, b, until: .origin + .microseconds(524)).map(\.instant) == [.origin + .microseconds(524)])
    #expect(received(bus, b, until: .origin + .seconds(1)).map(\.instant) == [.origin + .microseconds(1_048)])
  }

  @Test func theLowestIdentifierWinsAmongNodesAndOrderHoldsWithinOne() {
    let bus = InMemoryBus()
    let (a, b, c) = (bus.attach(), bus.attach(), bus.attach())
    bus.send(frame(0x1C00_0000), from: a, at: .origin)
    bus.send(frame(0x0000_0000), from: a, at: .origin)
    bus.send(frame(0x0800_0000), from: b, at: .origin)
    #expect(
      received(bus, c, until: .origin + .seconds(1)).map(\.frame)
        == [frame(0x0800_0000), frame(0x1C00_0000), frame(0x0000_0000)])
  }

  @Test func arbitrationComparesTheBitsAsTheyLieOnTheWire() {
    let bus = InMemoryBus(transmitQueueLength: 1)
    let base: UInt32 = 0x351
    let ascending: [CANFrame] = [
      .data(CANDataFrame(.standard(0x350), [])),
      .remote(CANRemoteFrame(.standard(0x350))),
      .data(CANDataFrame(.standard(0x351), [])),
      .remote(CANRemoteFrame(.standard(0x351))),
      .data(CANDataFrame(.extended(base << 18), [])),
      .remote(CANRemoteFrame(.extended(base << 18))),
      .data(CANDataFrame(.extended(base << 18 | 1), [])),
      .data(CANDataFrame(.extended(0x352 << 18), [])),
    ]
    let listener = bus.attach()
    for frame in ascending.reversed() { bus.send(frame, from: bus.attach(), at: .origin) }
    #expect(received(bus, listener, until: .origin + .seconds(1)).map(\.frame) == ascending)
  }

  @Test func theTransmitQueueOfANodeIsTenFramesLong() {
    let bus = InMemoryBus()
    let (a, b) = (bus.attach(), bus.attach())
    for number in 0..<10 { #expect(bus.send(frame(1, UInt64(number)), from: a, at: .origin)) }
    #expect(!bus.send(frame(1, 10), from: a, at: .origin))
    #expect(bus.send(frame(1, 11), from: a, at: .origin + .milliseconds(1)))
    #expect(received(bus, b, until: .origin + .seconds(1)).count == 11)
  }

  private func traffic(seed: UInt64, _ faults: InMemoryBus.Faults) -> [ReceivedFrame] {
    let bus = InMemoryBus(seed: seed)
    bus.faults = faults
    let (a, b) = (bus.attach(), bus.attach())
    var frames: [ReceivedFrame] = []
    for number in 0..<2_000 {
      let instant = Instant.origin + .milliseconds(Int64(number))
      bus.send(frame(1, UInt64(number)), from: a, at: instant)
      if number % 5 == 0 { bus.receive(for: b, until: instant, into: &frames) }
    }
    bus.receive(for: b, until: .origin + .hours(1), into: &frames)
    return frames
  }

  @Test func oneSeedGivesOneCourseOfEvents() {
    var faults = InMemoryBus.Faults()
    faults.loss = 0.1
    faults.delay = 0.1
    faults.reordering = 0.1
    faults.duplication = 0.1
    faults.flood = 0.01
    #expect(traffic(seed: 1, faults) == traffic(seed: 1, faults))
    #expect(traffic(seed: 1, faults) != traffic(seed: 2, faults))
  }

  @Test func eachFaultDoesWhatItsNameSays() {
    var faults = InMemoryBus.Faults()
    let clean = traffic(seed: 1, faults)
    #expect(clean.count == 2_000)

    faults.loss = 0.25
    #expect((400...600).contains(2_000 - traffic(seed: 1, faults).count))

    faults = InMemoryBus.Faults()
    faults.duplication = 0.25
    #expect((2_400...2_600).contains(traffic(seed: 1, faults).count))

    faults = InMemoryBus.Faults()
    faults.reordering = 0.25
    let swapped = traffic(seed: 1, faults)
    #expect(swapped.map(\.frame) != clean.map(\.frame))
    #expect(Set(swapped.map(\.frame)) == Set(clean.map(\.frame)))
    #expect(swapped.map(\.instant) == clean.map(\.instant))

    faults = InMemoryBus.Faults()
    faults.delay = 0.25
    faults.longestDelay = .milliseconds(50)
    let delayed = traffic(seed: 1, faults)
    #expect(Set(delayed.map(\.frame)) == Set(clean.map(\.frame)))
    #expect(delayed.map(\.instant) == delayed.map(\.instant).sorted())
    for (late, frame) in zip(delayed, delayed.map(\.frame)) {
      let usual = clean.first { $0.frame == frame }?.instant ?? late.instant
      #expect(late.instant - usual <= .milliseconds(50))
    }

    faults = InMemoryBus.Faults()
    faults.flood = 0.01
    faults.floodLength = 10
    #expect((2_100...2_300).contains(traffic(seed: 1, faults).count))
  }

  @Test func aPulledPlugLosesFramesAndNothingElse() {
    let bus = InMemoryBus()
    let (a, b) = (bus.attach(), bus.attach())
    bus.setConnected(false, b)
    bus.send(frame(1), from: a, at: .origin)
    #expect(!bus.send(frame(2), from: b, at: .origin))
    #expect(received(bus, b, until: .origin + .seconds(1)).isEmpty)
    bus.setConnected(true, b)
    bus.send(frame(3), from: a, at: .origin + .seconds(1))
    #expect(received(bus, b, until: .origin + .seconds(2)).map(\.frame) == [frame(3)])
  }

  @Test func aTransportWaitsInVirtualTimeUntilItsNextFrame() {
    let bus = InMemoryBus()
    let peer = bus.attach()
    let transport = InMemoryTransport(bus)
    bus.send(frame(1), from: peer, at: .origin + .milliseconds(5))
    var frames: [ReceivedFrame] = []
    #expect(transport.wait(until: .origin + .milliseconds(5), wakeup: nil) == [])
    #expect(transport.now == .origin + .milliseconds(5))
    #expect(transport.wait(until: .origin + .seconds(1), wakeup: nil) == .frames)
    #expect(transport.now == .origin + .microseconds(5_524))
    transport.receive(into: &frames, limit: 10)
    #expect(frames == [ReceivedFrame(frame(1), at: .origin + .microseconds(5_524))])
    #expect(transport.wait(until: .origin + .seconds(1), wakeup: nil) == [])
    #expect(transport.now == .origin + .seconds(1))
    #expect(transport.counters.received == 1)
  }

  @Test func aTransportRefusesWhenItsQueueIsFullOrItsPlugIsPulled() {
    let bus = InMemoryBus()
    let transport = InMemoryTransport(bus, interface: "demo")
    let frames = (0..<12).map { frame(1, $0) }
    #expect(transport.send(frames) == SendOutcome(accepted: 10, refusal: .full))
    #expect(transport.counters.sent == 10)
    transport.setConnected(false)
    #expect(transport.send(frames) == SendOutcome(accepted: 0, refusal: .linkDown))
    transport.setConnected(true)
    #expect(transport.takeEvents().map(\.state) == [.up, .down, .up])
  }

  @Test func aControllersReportIsReceivedAndMovesTheLink() {
    let transport = InMemoryTransport(InMemoryBus())
    let busOff = CANErrorFrame(.busOff, details: [])
    transport.report(busOff)
    #expect(transport.wait(until: .origin + .seconds(1), wakeup: nil) == .frames)
    var frames: [ReceivedFrame] = []
    transport.receive(into: &frames, limit: 10)
    #expect(frames.map(\.frame) == [.error(busOff)])
    #expect(transport.link == .busOff)
    #expect(transport.send([frame(1)]).refusal == .linkDown)
    #expect(transport.counters.errorFrames == 1)
    #expect(transport.counters.received == 0)
  }

  @Test func aQueueIsEmptiedIntoABusThatIsFullAtTimes() throws {
    let bus = InMemoryBus()
    let listener = bus.attach()
    let transport = InMemoryTransport(bus)
    var queue = TransmitQueue()
    var batch: [CANFrame] = []
    let frames = (0..<100).map { frame(1, $0) }
    queue.enqueue(frames, urgency: .ordinary, deadline: .origin + .seconds(1))
    transport.transmit(&queue, batch: &batch)
    #expect(queue.count == 90)
    while let retry = queue.nextRetry {
      _ = transport.wait(until: retry, wakeup: nil)
      transport.transmit(&queue, batch: &batch)
    }
    #expect(queue.isEmpty)
    #expect(queue.expired == 0)
    #expect(received(bus, listener, until: .origin + .seconds(1)).map(\.frame) == frames)
    // A hundred frames of 0.524 ms take 52.4 ms, and no try came late by more than a few frames.
    #expect(transport.now < .origin + .milliseconds(60))
  }

  @Test func framesWaitForTheLinkUntilTheirDeadline() {
    let transport = InMemoryTransport(InMemoryBus())
    transport.setConnected(false)
    var queue = TransmitQueue()
    var batch: [CANFrame] = []
    queue.enqueue(frame(1), urgency: .ordinary, deadline: .origin + .milliseconds(10))
    queue.enqueue(frame(2), urgency: .ordinary, deadline: .origin + .seconds(10))
    transport.transmit(&queue, batch: &batch)
    #expect(queue.count == 2)
    #expect(queue.nextRetry == nil)
    _ = transport.wait(until: .origin + .seconds(1), wakeup: nil)
    transport.setConnected(true)
    transport.transmit(&queue, batch: &batch)
    #expect(queue.isEmpty)
    #expect(queue.expired == 1)
    #expect(transport.counters.sent == 1)
  }
}
