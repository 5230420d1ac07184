import BMSCore
import BMSDevice
import CANBus
import MonotonicTime
import NMEA2000
import Testing

@Suite("Off is silent (R35): nobody asks, and modules that send their bank on change say nothing")
struct SilenceTests {
  @Test("after 5 min of Off, On is taken: the remote's last word counts; V-B15 is for one that does not answer then")
  func softOff() throws {
    var bench = SwitchBench.onChange([.remote: 1])
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
    try bench.request(.off)
    bench.advance(.minutes(5))
    #expect(bench.isSilent)
    var dead = bench
    try bench.request(.on)
    bench.advance(.seconds(8))
    #expect(bench.outputs.contactorClosed == true)
    #expect(bench.bench.raised.isEmpty)
    dead.modules[1].isAlive = false
    try dead.request(.on)
    dead.advance(.milliseconds(4900))
    #expect(!dead.alarms.contains(.remoteLost))
    dead.advance(.milliseconds(300))
    #expect(dead.alarms.contains(.remoteLost))
    dead.advance(.seconds(61))
    #expect(dead.outputs.mode == .off)
  }

  @Test("an open remote that a module tells of in the silence counts at once, and so does a closed one (R44, R48)")
  func remoteOpens() throws {
    var bench = SwitchBench.onChange([.remote: 1])
    bench.advance(.seconds(8))
    try bench.request(.off)
    bench.advance(.minutes(2))
    bench.modules[1].bank.set(1, false)
    bench.advance(.milliseconds(10))
    #expect(throws: (any Error).self) { try bench.request(.on) }
    bench.advance(.minutes(2))
    #expect(bench.isSilent && bench.outputs.mode == .off)
    bench.modules[1].bank.set(1, true)
    bench.advance(.milliseconds(10))
    #expect(bench.outputs.mode == .on)
  }

  @Test("a remote that was lost before the silence stays lost in it, and its voice ends it")
  func remoteLostBefore() throws {
    var bench = SwitchBench.onChange([.remote: 1])
    bench.advance(.seconds(8))
    bench.modules[1].isAlive = false
    bench.advance(.seconds(70))
    #expect(bench.isSilent)
    bench.advance(.minutes(2))
    #expect(bench.isSilent && bench.alarms.contains(.remoteLost))
    bench.modules[1].isAlive = true
    bench.modules[1].bank.isChanged = true
    bench.advance(.milliseconds(10))
    #expect(bench.outputs.mode == .on)
  }

  @Test("R45: a charger wakes a battery that low cells switched off, 13.6 V on the system side for 2 s")
  func charger() throws {
    var bench = SwitchBench.onChange([.remote: 1])
    bench.advance(.seconds(8))
    bench.bench.voltage = 12
    bench.bench.lowest = 2.59
    bench.advance(.seconds(310))
    #expect(bench.outputs.offCause == .lowCell)
    bench.advance(.minutes(5))
    #expect(bench.isSilent)
    bench.charger = 13.6
    bench.advance(.milliseconds(1900))
    #expect(bench.outputs.mode == .off)
    bench.advance(.milliseconds(500))
    #expect(bench.outputs.mode == .on)
    bench.advance(.seconds(5))
    #expect(bench.outputs.contactorClosed == true)
  }
}
