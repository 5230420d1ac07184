import CANBus
import CANBusBMS
import MonotonicTime
import Testing
import VECan

@testable import vecand

private func after(_ seconds: Double) -> Instant { .origin + TimeSpan(seconds: seconds) }
private let limitsFrame = CANIdentifier.standard(0x351)

@Suite("VE.Can and a BMS-CAN with one core")
struct TwoBusTests {
  @Test("29-bit frames are on the one bus only and 11-bit frames on the other only, with the same limits")
  func apart() throws {
    let bench = try EngineBench(batteryBus: .output)
    bench.run(until: after(8))
    #expect(bench.heard.allSatisfy { $0.frame.identifier?.isExtended == true })
    #expect(bench.heardOnBatteryBus.allSatisfy { $0.frame.identifier?.isExtended == false })
    let last = try #require(bench.batteryFrames(limitsFrame, between: after(5), and: after(7.9)).last)
    #expect(LimitsFrame(CANDataFrame(limitsFrame, last))?.chargeCurrent == 200)
    #expect(bench.values(of: .chargeCurrentLimit, between: after(5), and: after(7.9)).last == .value(200))
  }

  @Test("the BMS-CAN goes down and comes back: VE.Can misses no limit, and 0x351 is back within a period")
  func batteryBusDown() throws {
    let bench = try EngineBench(batteryBus: .output)
    bench.at(after(6)) { $0.batteryTransport?.setConnected(false) }
    bench.at(after(16)) { $0.batteryTransport?.setConnected(true) }
    bench.run(until: after(20))
    #expect(bench.batteryFrames(limitsFrame, between: after(6.01), and: after(16)).isEmpty)
    #expect(!bench.batteryFrames(limitsFrame, between: after(16), and: after(17.1)).isEmpty)
    #expect(bench.values(of: .chargeCurrentLimit, between: after(6), and: after(16)).count >= 6)
    let links = bench.reports.compactMap { if case .batteryLink(let event) = $0 { event.state } else { nil } }
    #expect(links == [.up, .down, .up])
  }

  @Test("VE.Can goes down: 0x351 goes on each second, and withdraws when the data are stale")
  func mainBusDown() throws {
    let bench = try EngineBench(batteryBus: .output)
    bench.at(after(6)) { $0.transport?.setConnected(false) }
    bench.at(after(16)) { $0.transport?.setConnected(true) }
    bench.run(until: after(22))
    let frames = bench.batteryFrames(limitsFrame, between: after(6.1), and: after(16))
    #expect(frames.count >= 9)
    // OD-20: what measured is on the dead bus; charging is forbidden, and the BMS-CAN hears it.
    let last = try #require(frames.last)
    #expect(LimitsFrame(CANDataFrame(limitsFrame, last))?.chargeCurrent == 0)
    #expect(bench.values(of: .chargeCurrentLimit, between: after(18), and: after(21.9)).last == .value(200))
  }

  @Test("a high cell on VE.Can is CCL 0 on the BMS-CAN within 20 ms")
  func reaction() throws {
    let bench = try EngineBench(batteryBus: .output)
    bench.at(after(6)) { $0.highest = 3.76 }
    bench.run(until: after(9))
    let seen = try #require(
      bench.heardOnBatteryBus.first {
        guard case .data(let frame) = $0.frame, $0.instant > after(6) else { return false }
        return LimitsFrame(frame)?.chargeCurrent == 0
      })
    // The battery tells it each half second.
    #expect(seen.instant <= after(6.52))
  }

  @Test("a battery's own BMS on the BMS-CAN is the source, and the registers on VE.Can tell its limits")
  func source() throws {
    let bench = try EngineBench(batteryBus: .source)
    bench.run(until: after(10))
    #expect(bench.values(of: .chargeCurrentLimit, between: after(7), and: after(9.9)).last == .value(50))
    #expect(bench.values(of: .dischargeCurrentLimit, between: after(7), and: after(9.9)).last == .value(80))
    #expect(bench.heardOnBatteryBus.isEmpty, "nothing is sent to the battery's bus")
  }
}
