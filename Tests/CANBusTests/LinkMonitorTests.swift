import CANBus
import MonotonicTime
import Testing

@Suite struct LinkMonitorTests {
  private let passive = CANErrorFrame(.controller, details: [0, 0x20])
  private let warning = CANErrorFrame(.controller, details: [0, 0x08])
  private let active = CANErrorFrame(.controller, details: [0, 0x40])

  @Test func eachChangeIsToldOnce() {
    var monitor = LinkMonitor(interface: "can0")
    for _ in 0..<1_000 { monitor.interfaceIsAbsent(at: .origin) }
    for _ in 0..<1_000 { monitor.interfaceIsDown(at: .origin) }
    for _ in 0..<1_000 { monitor.interfaceIsUp(at: .origin) }
    #expect(monitor.takeEvents(at: .origin).map(\.state) == [.absent, .down, .up])
    #expect(monitor.takeEvents(at: .origin).isEmpty)
  }

  @Test func errorFramesMoveTheState() {
    var monitor = LinkMonitor(interface: "can0")
    monitor.interfaceIsUp(at: .origin)
    monitor.receive(CANErrorFrame(.lostArbitration, details: []), at: .origin)
    #expect(monitor.state == .up)
    monitor.receive(passive, at: .origin)
    #expect(monitor.state == .errorPassive)
    #expect(monitor.state.carriesFrames)
    monitor.receive(CANErrorFrame(.noAcknowledge, details: []), at: .origin)
    #expect(monitor.state == .errorPassive)
    monitor.receive(warning, at: .origin)
    #expect(monitor.state == .up)
    monitor.receive(CANErrorFrame([.busOff, .controller], details: [0, 0x20]), at: .origin)
    #expect(monitor.state == .busOff)
    #expect(!monitor.state.carriesFrames)
    monitor.receive(CANErrorFrame(.restarted, details: []), at: .origin)
    #expect(monitor.state == .up)
    monitor.receive(passive, at: .origin)
    monitor.receive(active, at: .origin)
    #expect(monitor.state == .up)
    monitor.receive(passive, at: .origin)
    monitor.receive(CANErrorFrame(.protocolViolation, details: [0, 0, 0xBF]), at: .origin)
    #expect(monitor.state == .errorPassive)
    // What usb_8dev says when its controller has recovered.
    monitor.receive(CANErrorFrame(.protocolViolation, details: [0, 0, 0x40]), at: .origin)
    #expect(monitor.state == .up)
  }

  @Test func anInterfaceThatWasDownStartsWithAHealthyController() {
    var monitor = LinkMonitor(interface: "can0")
    monitor.interfaceIsUp(at: .origin)
    monitor.receive(CANErrorFrame(.busOff, details: []), at: .origin)
    monitor.interfaceIsDown(at: .origin)
    monitor.receive(passive, at: .origin)
    #expect(monitor.state == .down)
    monitor.interfaceIsUp(at: .origin)
    #expect(monitor.state == .up)
  }

  @Test func aLooseWireIsReportedTenTimesThenOnceInTenSecondsAndItsLastStateAlways() throws {
    var monitor = LinkMonitor(interface: "can0")
    monitor.interfaceIsUp(at: .origin)
    for number in 0..<1_000 { monitor.receive(number.isMultiple(of: 2) ? passive : active, at: .origin) }
    monitor.receive(CANErrorFrame(.busOff, details: []), at: .origin)
    #expect(monitor.state == .busOff)
    #expect(monitor.takeEvents(at: .origin).count == 10)
    #expect(monitor.takeEvents(at: .origin + .milliseconds(9_999)).isEmpty)
    let last = monitor.takeEvents(at: .origin + .seconds(10))
    #expect(last.map(\.state) == [.busOff])
    #expect(try #require(last.first).text.contains("changed"))
    #expect(monitor.takeEvents(at: .origin + .hours(1)).isEmpty)
  }
}
