import CANBus
import CSocketCAN
import Foundation
import MonotonicTime
import Testing

@testable import SocketCAN

/// What this machine offers. The bus tests need a kernel with CAN and, in VECAND_TEST_INTERFACE, the name of an
/// interface made for them: they send nonsense, and switch it off and on. Where there is none, they say so.
enum TestInterface {
  static let name = ProcessInfo.processInfo.environment["VECAND_TEST_INTERFACE"] ?? ""

  static let isThere: Bool = {
    if name.isEmpty {
      print("not run: the tests on a CAN interface; VECAND_TEST_INTERFACE names none")
      return false
    }
    do {
      _ = try SocketCANPort(interface: name)
      return true
    } catch {
      print("not run: the tests on a CAN interface: \(error)")
      return false
    }
  }()

  /// Changing interfaces needs CAP_NET_ADMIN and ip(8).
  static let mayChange = isThere && geteuid() == 0

  static func ip(_ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["ip"] + arguments
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "ip \(arguments.joined(separator: " "))")
  }
}

/// What needs no CAN.
@Suite struct SocketCANErrorTests {
  @Test func aKernelWithoutCANIsNamedWithAdvice() {
    let error = SocketCANError("open a CAN socket", interface: "can0", code: EAFNOSUPPORT)
    #expect(
      error.description
        == "can0: could not open a CAN socket: Address family not supported by protocol (errno 97). This kernel has no CAN "
        + "(AF_CAN): load it with \"modprobe can-raw\", or use a kernel with CONFIG_CAN and CONFIG_CAN_RAW")
  }

  @Test(arguments: ["", "a-name-of-16-byte"])
  func impossibleNamesAreRefused(name: String) {
    #expect(throws: SocketCANError.self) { _ = try SocketCANPort(interface: name) }
  }

  @Test func loopbackIsNoCANInterface() throws {
    #expect(try CANController.report(on: "lo") == .notCAN(name: "lo"))
    #expect(try CANController.report(on: "nosuchthing") == .absent(name: "nosuchthing"))
  }
}

/// On a real kernel. One after the other: they share the interface.
@Suite(.serialized, .enabled(if: TestInterface.isThere, "needs a CAN interface in VECAND_TEST_INTERFACE"))
struct SocketCANPortTests {
  private let name = TestInterface.name

  private func frame(_ identifier: UInt32, _ number: UInt64 = 0) -> CANFrame {
    .data(CANDataFrame(.extended(identifier), CANPayload(littleEndian: number, count: 8)))
  }

  /// Receives until `count` frames are there, or for a second.
  private func received(_ port: SocketCANPort, count: Int) -> [ReceivedFrame] {
    var frames: [ReceivedFrame] = []
    let deadline = port.now + .seconds(1)
    while frames.count < count, port.now < deadline {
      _ = port.wait(until: deadline, wakeup: nil)
      port.receive(into: &frames, limit: count - frames.count)
    }
    return frames
  }

  /// Lets the port notice changes until its link is in `state`, or for two seconds.
  private func settle(_ port: SocketCANPort, _ state: LinkState) {
    let deadline = port.now + .seconds(2)
    var frames: [ReceivedFrame] = []
    while port.link != state, port.now < deadline {
      _ = port.wait(until: deadline, wakeup: nil)
      port.receive(into: &frames, limit: 100)
    }
    #expect(port.link == state)
  }

  /// A plain socket, for what a port never sends.
  private func sendRaw(_ bytes: [UInt8]) throws {
    let descriptor = socket(AF_CAN, Int32(SOCK_RAW.rawValue), Int32(CAN_RAW))
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var enabled: Int32 = 1
    setsockopt(
      descriptor, Int32(SOL_CAN_RAW), Int32(CAN_RAW_FD_FRAMES), &enabled, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_can()
    address.can_family = sa_family_t(AF_CAN)
    address.can_ifindex = Int32(if_nametoindex(name))
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_can>.size))
      }
    }
    try #require(bound == 0)
    #expect(write(descriptor, bytes, bytes.count) == bytes.count)
  }

  @Test func framesOfEveryKindArriveUnchangedAndNotAtTheirSender() throws {
    let sender = try SocketCANPort(interface: name)
    let receiver = try SocketCANPort(interface: name)
    let frames: [CANFrame] = [
      frame(0x18EE_FF00, 0x8877_6655_4433_2211),
      .data(CANDataFrame(.standard(0x7FF), [1, 2, 3])),
      .data(CANDataFrame(.extended(0), [])),
      .remote(CANRemoteFrame(.standard(0x123), requestedLength: 4)),
      .remote(CANRemoteFrame(.extended(0x1FFF_FFFF))),
    ]
    let before = sender.now
    #expect(sender.send(frames) == SendOutcome(accepted: 5))
    let arrived = received(receiver, count: 5)
    #expect(arrived.map(\.frame) == frames)
    for frame in arrived { #expect(frame.instant > before && frame.instant <= receiver.now) }
    #expect(arrived.map(\.instant) == arrived.map(\.instant).sorted())
    #expect(receiver.counters.received == 5)
    #expect(sender.counters.sent == 5)
    var own: [ReceivedFrame] = []
    sender.receive(into: &own, limit: 10)
    #expect(own.isEmpty)
  }

  @Test func ownFramesAreFollowedUntilTheyAreBackAndOneThatWasGivenUpDoesNoHarm() throws {
    let port = try SocketCANPort(interface: TestInterface.name)
    settle(port, .up)
    port.followOwnFrames()
    #expect(port.send([frame(1), frame(2)]).accepted == 2)
    #expect(port.framesOnTheirWay == 2)
    #expect(received(port, count: 1).isEmpty)
    #expect(port.framesOnTheirWay == 0)
    #expect(port.send([frame(3)]).accepted == 1)
    port.forgetOwnFrames()
    #expect(port.framesOnTheirWay == 0)
    #expect(received(port, count: 1).isEmpty)
    #expect(port.framesOnTheirWay == 0)
  }

  @Test func aFrameIsAsOldAsTheKernelSaysHoweverLateItIsReceived() throws {
    let sender = try SocketCANPort(interface: name)
    let receiver = try SocketCANPort(interface: name)
    _ = sender.send([frame(1)])
    let sent = sender.now
    _ = sender.wait(until: sent + .milliseconds(20), wakeup: nil)
    #expect(sender.now >= sent + .milliseconds(20))
    // The kernel stamped it before send returned; half the pause is room for a slow machine's slew.
    #expect(try #require(received(receiver, count: 1).first).instant < sent + .milliseconds(10))
  }

  @Test func moreFramesThanABatchKeepTheirOrder() throws {
    let sender = try SocketCANPort(interface: name)
    let receiver = try SocketCANPort(interface: name)
    let frames = (0..<200).map { frame(0x18EE_FF00, $0) }
    #expect(sender.send(frames) == SendOutcome(accepted: 200))
    #expect(received(receiver, count: 200).map(\.frame) == frames)
  }

  @Test func errorFramesAreNotSentAndHoldUpNothing() throws {
    let sender = try SocketCANPort(interface: name)
    let receiver = try SocketCANPort(interface: name)
    let report = CANFrame.error(CANErrorFrame(.busOff, details: []))
    #expect(sender.send([report, frame(1), report, frame(2), report]) == SendOutcome(accepted: 5))
    #expect(received(receiver, count: 2).map(\.frame) == [frame(1), frame(2)])
    #expect(receiver.counters.errorFrames == 0)
  }

  @Test func flexibleDataRateFramesAreCountedAndNeverDelivered() throws {
    let receiver = try SocketCANPort(interface: name)
    // canfd_frame: identifier 0x123, 12 bytes, 72 bytes in all.
    try sendRaw([0x23, 0x01, 0, 0, 12, 0, 0, 0] + [UInt8](repeating: 0xAA, count: 64))
    try sendRaw([0x23, 0x01, 0, 0, 1, 0, 0, 0, 0x55, 0, 0, 0, 0, 0, 0, 0])
    #expect(received(receiver, count: 1).map(\.frame) == [.data(CANDataFrame(.standard(0x123), [0x55]))])
    #expect(receiver.counters.canFDRefused == 1)
    #expect(receiver.counters.received == 1)
  }

  @Test func theKernelFilters() throws {
    let sender = try SocketCANPort(interface: name)
    let filters = [CANFilter(.standard(0x351)), CANFilter(.extended(0x00EE_0000), mask: 0x00FF_0000)]
    let receiver = try SocketCANPort(interface: name, filters: filters)
    _ = sender.send([
      .data(CANDataFrame(.standard(0x350), [])), .data(CANDataFrame(.standard(0x351), [])), frame(0x351),
      frame(0x18EE_FF00), frame(0x18EF_FF00),
    ])
    #expect(
      received(receiver, count: 2).map(\.frame) == [.data(CANDataFrame(.standard(0x351), [])), frame(0x18EE_FF00)])
    #expect(receiver.counters.received == 2)
  }

  @Test func filtersCanChangeOnAnOpenPortAndErrorFramesPassThemAll() throws {
    let sender = try SocketCANPort(interface: name)
    let receiver = try SocketCANPort(interface: name)
    let narrow = [CANFilter(.extended(0x00EE_0000), mask: 0x3FF_0000), CANFilter(.extended(7), mask: 0xFF)]
    receiver.hear(narrow)
    let all = [frame(0x18EE_FF50), frame(0x19F2_1450), frame(0x19F2_1407)]
    #expect(sender.send(all).accepted == 3)
    #expect(received(receiver, count: 2).map(\.frame) == [all[0], all[2]])
    receiver.hear([.allExtended])
    #expect(sender.send(all).accepted == 3)
    #expect(received(receiver, count: 3).map(\.frame) == all)
    #expect(receiver.counters.received == 5)
    #expect(receiver.link == .up)
    #expect(receiver.takeEvents().filter { $0.state != .up }.isEmpty)
  }

  @Test func aWaitIsCountedFromTheLastLookOnceAndNotForEver() throws {
    let port = try SocketCANPort(interface: name)
    var frames: [ReceivedFrame] = []
    let look = port.receive(into: &frames, limit: 1)
    let deadline = look + .milliseconds(410)
    #expect(port.wait(until: look + .milliseconds(400), wakeup: nil) == [])
    #expect(port.wait(until: deadline, wakeup: nil) == [])
    #expect(port.now >= deadline)
    // Had the second wait been counted from the look as well, it would have lasted 410 ms.
    #expect(port.now < look + .milliseconds(800))
  }

  @Test func whatTheKernelDropsInAFloodIsCounted() throws {
    let sender = try SocketCANPort(interface: name)
    let receiver = try SocketCANPort(interface: name, receiveBufferBytes: 4_096)
    let flood = (0..<1_000).map { frame(1, $0) }
    #expect(sender.send(flood).accepted == 1_000)
    var frames: [ReceivedFrame] = []
    receiver.receive(into: &frames, limit: 2_000)
    #expect(frames.count < 1_000)
    // The kernel tells the count with the next frame that finds room.
    _ = sender.send([frame(2)])
    #expect(received(receiver, count: 1).map(\.frame) == [frame(2)])
    #expect(receiver.counters.kernelDrops == UInt64(1_000 - frames.count))
  }

  @Test func aWaitEndsAtItsDeadlineOrByItsWakeup() throws {
    let port = try SocketCANPort(interface: name)
    let start = port.now
    #expect(port.wait(until: start + .milliseconds(5), wakeup: nil) == [])
    #expect(port.now >= start + .milliseconds(5))
    let wakeup = try Wakeup()
    wakeup.signal()
    wakeup.signal()
    #expect(port.wait(until: port.now + .seconds(5), wakeup: wakeup.descriptor) == .wakeup)
    #expect(port.now < start + .seconds(5))
    wakeup.clear()
    #expect(port.wait(until: port.now + .milliseconds(1), wakeup: wakeup.descriptor) == [])
  }

  @Test func aVirtualInterfaceSaysThatItHasNoBitrate() throws {
    let report = try CANController.report(on: name)
    guard case .virtual = report else {
      print("not run: \(name) is not virtual: \(report)")
      return
    }
    #expect(report.description.contains("is a virtual interface (vcan), up: it has no bitrate"))
    #expect(throws: SocketCANError.self) { try CANController.restart(name) }
  }

  @Test(.enabled(if: TestInterface.mayChange, "needs the right to change interfaces"))
  func anInterfaceGoesDownAndUpAgain() throws {
    let port = try SocketCANPort(interface: name)
    let peer = try SocketCANPort(interface: name)
    #expect(port.takeEvents().map(\.state) == [.up])
    try TestInterface.ip("link", "set", name, "down")
    settle(port, .down)
    settle(peer, .down)
    #expect(port.send([frame(1)]) == SendOutcome(accepted: 0, refusal: .linkDown))
    // Nothing keeps the thread awake meanwhile.
    let start = port.now
    #expect(port.wait(until: start + .milliseconds(20), wakeup: nil) == [])
    #expect(port.now >= start + .milliseconds(20))
    try TestInterface.ip("link", "set", name, "up")
    settle(port, .up)
    settle(peer, .up)
    #expect(port.send([frame(1)]) == SendOutcome(accepted: 1))
    #expect(received(peer, count: 1).map(\.frame) == [frame(1)])
    #expect(port.takeEvents().map(\.state) == [.down, .up])
  }

  @Test(.enabled(if: TestInterface.mayChange, "needs the right to change interfaces"))
  func anInterfaceIsDeletedAndComesBack() throws {
    let other = "vecandtest"
    let port = try SocketCANPort(interface: other)
    #expect(port.link == .absent)
    #expect(port.send([frame(1)]) == SendOutcome(accepted: 0, refusal: .linkDown))
    for round in 0..<2 {
      try TestInterface.ip("link", "add", other, "type", "vcan")
      settle(port, .down)
      try TestInterface.ip("link", "set", other, "up")
      settle(port, .up)
      let peer = try SocketCANPort(interface: other)
      #expect(port.send([frame(1, UInt64(round))]) == SendOutcome(accepted: 1))
      #expect(peer.send([frame(2, UInt64(round))]) == SendOutcome(accepted: 1))
      #expect(received(peer, count: 1).map(\.frame) == [frame(1, UInt64(round))])
      #expect(received(port, count: 1).map(\.frame) == [frame(2, UInt64(round))])
      try TestInterface.ip("link", "delete", other)
      settle(port, .absent)
    }
    // Deleting an interface that is up switches it off first.
    #expect(port.takeEvents().map(\.state) == [.absent, .down, .up, .down, .absent, .down, .up, .down, .absent])
  }

  @Test(.enabled(if: TestInterface.mayChange, "needs the right to change interfaces"))
  func anInterfaceThatIsReplacedBetweenTwoPollsIsFollowed() throws {
    let other = "vecandtest"
    try TestInterface.ip("link", "add", other, "type", "vcan")
    try TestInterface.ip("link", "set", other, "up")
    let port = try SocketCANPort(interface: other)
    #expect(port.link == .up)
    try TestInterface.ip("link", "delete", other)
    try TestInterface.ip("link", "add", other, "type", "vcan")
    try TestInterface.ip("link", "set", other, "up")
    let peer = try SocketCANPort(interface: other)
    settle(peer, .up)
    let deadline = port.now + .milliseconds(50)
    while port.now < deadline { _ = port.wait(until: deadline, wakeup: nil) }
    #expect(port.link == .up)
    #expect(peer.send([frame(9)]) == SendOutcome(accepted: 1))
    #expect(received(port, count: 1).map(\.frame) == [frame(9)])
    try TestInterface.ip("link", "delete", other)
  }
}
