import CANBus
import Foundation
import MonotonicTime
import Testing

@testable import SocketCAN

/// A CAN controller of the kernel without hardware: the serial line driver (slcan) on a pseudo terminal, whose other end
/// this test holds. For the rest of the kernel it is a real controller, with bitrate, states and a transmit queue.
private final class SerialLineController {
  /// What it says on the line is the protocol of Lawicel adapters: "T18EEFF002" and bytes, "sp" and error counters.
  let line: Int32
  let name: String
  private let terminal: Int32

  /// TIOCSETD and the line discipline N_SLCAN (asm-generic/ioctls.h, linux/tty.h), SIOCGIFNAME (linux/sockios.h).
  private static let setDiscipline: UInt = 0x5423
  private static let slcan: Int32 = 17
  private static let getName: UInt = 0x8910
  /// TIOCSPTLCK and TIOCGPTN: the calls behind unlockpt(3) and ptsname(3).
  private static let unlock: UInt = 0x4004_5431
  private static let getNumber: UInt = 0x8004_5430

  /// Nil where the kernel has no such driver or does not allow it.
  init?() {
    line = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)
    var number: UInt32 = 0
    var locked: Int32 = 0
    let isReady =
      line >= 0 && ioctl(line, Self.unlock, &locked) == 0 && ioctl(line, Self.getNumber, &number) == 0
    terminal = isReady ? open("/dev/pts/\(number)", O_RDWR | O_NOCTTY) : -1
    var discipline = Self.slcan
    var label = [CChar](repeating: 0, count: 16)
    var settings = termios()
    guard terminal >= 0, tcgetattr(terminal, &settings) == 0 else { return nil }
    cfmakeraw(&settings)
    guard tcsetattr(terminal, TCSANOW, &settings) == 0, ioctl(terminal, Self.setDiscipline, &discipline) == 0,
      ioctl(terminal, Self.getName, &label) == 0
    else { return nil }
    name = String(decoding: label.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    if terminal >= 0 { close(terminal) }
    if line >= 0 { close(line) }
  }

  func say(_ text: String) {
    let bytes = Array((text + "\r").utf8)
    #expect(write(line, bytes, bytes.count) == bytes.count)
  }

  /// Takes what the driver has sent, so that it can go on.
  func drain() {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while read(line, &bytes, bytes.count) > 0 {}
  }

  /// Runs `body` while somebody reads the line: the driver waits for its commands to be taken.
  func whileListening(_ body: () throws -> Void) throws {
    let end = try Wakeup()
    let line = line
    Thread.detachNewThread {
      var bytes = [UInt8](repeating: 0, count: 4_096)
      var descriptors = [
        pollfd(fd: line, events: Int16(POLLIN), revents: 0),
        pollfd(fd: end.descriptor, events: Int16(POLLIN), revents: 0),
      ]
      while poll(&descriptors, 2, 1_000) >= 0, descriptors[1].revents == 0 {
        if descriptors[0].revents != 0 { _ = read(line, &bytes, bytes.count) }
      }
    }
    defer { end.signal() }
    try body()
  }

  static let isThere: Bool = {
    guard TestInterface.mayChange else { return false }
    guard SerialLineController() != nil else {
      print("not run: the tests of bitrate, states and a full transmit queue; this kernel has no slcan")
      return false
    }
    return true
  }()
}

@Suite(.serialized, .enabled(if: SerialLineController.isThere, "needs root and the module slcan"))
struct ControllerTests {
  private func frame(_ number: Int) -> CANFrame {
    .data(CANDataFrame(.extended(0x18EE_FF00), CANPayload(littleEndian: UInt64(number), count: 8)))
  }

  private func settle(_ port: SocketCANPort, _ state: LinkState) {
    var frames: [ReceivedFrame] = []
    let deadline = port.now + .seconds(2)
    while port.link != state, port.now < deadline {
      _ = port.wait(until: deadline, wakeup: nil)
      port.receive(into: &frames, limit: 100)
    }
    #expect(port.link == state)
  }

  @Test func bitrateAndStateAreTold() throws {
    let controller = try #require(SerialLineController())
    try TestInterface.ip("link", "set", controller.name, "up")
    guard case .controller(_, true, let facts) = try CANController.report(on: controller.name) else {
      Issue.record("no controller: \(try CANController.report(on: controller.name))")
      return
    }
    #expect(facts.state == .errorActive)
    #expect(facts.restartMilliseconds == 0)
    #expect(facts.bitrate == 0)
  }

  @Test("R310: an interface is brought up with the 250 kbit/s of the bus")
  func anInterfaceIsBroughtUpWithItsBitrate() throws {
    let controller = try #require(SerialLineController())
    try controller.whileListening { try CANController.bringUp(controller.name, bitrate: 250_000) }
    let report = try CANController.report(on: controller.name)
    guard case .controller(_, true, let facts) = report else {
      Issue.record("not up: \(report)")
      return
    }
    #expect(facts.bitrate == 250_000)
    #expect(report.description == "\(controller.name) is up, error active, 250000 bit/s, no restart after bus-off")
    // It is in order, so there is nothing to restart.
    #expect(throws: SocketCANError.self) { try CANController.restart(controller.name) }
  }

  @Test func theControllersStatesBecomeTheLinksWithOneEventEach() throws {
    let controller = try #require(SerialLineController())
    let port = try SocketCANPort(interface: controller.name)
    #expect(port.link == .down)
    try TestInterface.ip("link", "set", controller.name, "up")
    settle(port, .up)
    controller.say("sp128000")
    settle(port, .errorPassive)
    controller.say("sa000000")
    settle(port, .up)
    controller.say("sb000256")
    settle(port, .busOff)
    #expect(port.takeEvents().map(\.state) == [.down, .up, .errorPassive, .up, .busOff])
    #expect(port.counters.errorFrames >= 3)
    #expect(port.send([frame(0)]).refusal == .linkDown)

    // A port that comes later has heard no error frame and knows it nevertheless.
    #expect(try SocketCANPort(interface: controller.name).link == .busOff)
  }

  @Test func framesComeInFromTheLine() throws {
    let controller = try #require(SerialLineController())
    let port = try SocketCANPort(interface: controller.name)
    try TestInterface.ip("link", "set", controller.name, "up")
    settle(port, .up)
    controller.say("T18EEFF0020102")
    var frames: [ReceivedFrame] = []
    let deadline = port.now + .seconds(1)
    while frames.isEmpty, port.now < deadline {
      _ = port.wait(until: deadline, wakeup: nil)
      port.receive(into: &frames, limit: 10)
    }
    #expect(frames.map(\.frame) == [.data(CANDataFrame(.extended(0x18EE_FF00), [1, 2]))])
  }

  @Test func aFullTransmitQueueIsARefusalAndNoLoss() throws {
    let controller = try #require(SerialLineController())
    let port = try SocketCANPort(interface: controller.name)
    try TestInterface.ip("link", "set", controller.name, "up")
    settle(port, .up)
    // The terminal holds some thousand frames as text; then the interface's queue of ten fills.
    let frames = (0..<20_000).map(frame)
    let outcome = port.send(frames)
    #expect(outcome.refusal == .full)
    #expect(outcome.accepted < 20_000)
    #expect(port.counters.refusedFull == 1)
    #expect(port.counters.sent == UInt64(outcome.accepted))

    // By the queue's deadlines everything gets out, in order and without a spin.
    var queue = TransmitQueue()
    for number in 0..<40 { queue.enqueue(frame(number), urgency: .ordinary, deadline: port.now + .seconds(5)) }
    var batch: [CANFrame] = []
    var tries = 0
    let deadline = port.now + .seconds(5)
    while !queue.isEmpty, port.now < deadline {
      queue.next(64, at: port.now, into: &batch)
      if !batch.isEmpty {
        tries += 1
        let outcome = port.send(batch)
        queue.accepted(outcome.accepted)
        if outcome.refusal != nil { queue.refused(at: port.now) }
      }
      if tries >= 3 { controller.drain() }
      if let retry = queue.nextRetry { _ = port.wait(until: retry, wakeup: nil) }
    }
    #expect(queue.isEmpty)
    #expect(tries > 3)
    #expect(tries < 100)
  }

  @Test func anAdapterThatIsPulledAndPutBackIsFollowed() throws {
    var controller = SerialLineController()
    let name = try #require(controller?.name)
    let port = try SocketCANPort(interface: name)
    try TestInterface.ip("link", "set", name, "up")
    settle(port, .up)
    controller = nil
    settle(port, .absent)
    controller = SerialLineController()
    #expect(controller?.name == name)
    try TestInterface.ip("link", "set", name, "up")
    settle(port, .up)
    #expect(port.takeEvents().map(\.state) == [.down, .up, .down, .absent, .down, .up])
  }
}
