import MonotonicTime
import Testing

@testable import SocketCAN

@Suite struct ReceiveTimeTests {
  private let wall: Int64 = 1_700_000_000_000_000_000
  private let start = Instant.origin + .seconds(100)

  private func stamp(_ milliseconds: Int64) -> Int64 { wall + milliseconds * 1_000_000 }

  @Test func theKernelsStampTellsTheAge() {
    var time = ReceiveTime(start: start)
    let now = start + .seconds(1)
    #expect(time.instant(stamp: stamp(-3), now: now, wallNow: wall) == now - .milliseconds(3))
    #expect(time.instant(stamp: stamp(0), now: now, wallNow: wall) == now)
  }

  @Test func aFrameWithoutAStampIsAsOldAsItsPoll() {
    var time = ReceiveTime(start: start)
    #expect(time.instant(stamp: nil, now: start + .seconds(1), wallNow: wall) == start + .seconds(1))
  }

  @Test func aStepOfTheWallClockMovesNoInstantOutOfThePoll() {
    var time = ReceiveTime(start: start)
    time.queueWasEmpty(at: start + .milliseconds(990))
    let now = start + .seconds(1)
    // Set forward by a year between the stamp and the poll: the frame seems a year old.
    #expect(time.instant(stamp: stamp(-31_536_000_000), now: now, wallNow: wall) == start + .milliseconds(990))
    // Set back: the frame seems to come from the future.
    #expect(time.instant(stamp: stamp(31_536_000_000), now: now, wallNow: wall) == now)
    #expect(time.instant(stamp: .min, now: now, wallNow: wall) == now)
  }

  @Test func framesOfOneQueueNeverGoBackInTime() {
    var time = ReceiveTime(start: start)
    let now = start + .seconds(1)
    #expect(time.instant(stamp: stamp(-5), now: now, wallNow: wall) == now - .milliseconds(5))
    #expect(time.instant(stamp: stamp(-8), now: now, wallNow: wall) == now - .milliseconds(5))
  }
}
