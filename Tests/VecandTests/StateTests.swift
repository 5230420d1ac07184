import BMSCore
import BMSDevice
import Foundation
import MonotonicTime
import Testing

@testable import vecand

/// A folder that goes away with the test.
private final class Folder {
  let path = NSTemporaryDirectory() + "vecand-\(UUID().uuidString)"
  var store: StateStore { StateStore(directory: path) }

  func text() throws -> String { try TextFile.read(store.path) }
  func write(_ text: String) throws { try TextFile.replace(store.path, with: text) }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("The state that a restart finds")
struct StateTests {
  private static let boot = "11111111-2222-3333-4444-555555555555"

  private func moment(
    boot: String = boot, _ seconds: Double, wall: Double = 1_800_000_000, kept: Bool = true
  ) -> Moment {
    Moment(boot: boot, sinceBoot: seconds, wall: wall, isWallTimeKept: kept)
  }

  private var state: StoredState {
    var snapshot = Snapshot()
    snapshot.isStateOfChargeKnown = true
    snapshot.isStateOfChargeTrusted = true
    snapshot.missing = 50
    snapshot.consumed = -49.5
    snapshot.isContactorClosed = true
    return StoredState(snapshot: snapshot, moment: moment(1000), program: Version.text)
  }

  @Test("what is written is read; no file is a first start and not a loss")
  func roundTrip() throws {
    let folder = Folder()
    let first = RestoredState(from: folder.store, at: moment(0))
    #expect(first.snapshot == nil && !first.isLost)
    try folder.store.save(state)
    #expect(try folder.store.load() == state)
    let restored = RestoredState(from: folder.store, at: moment(1012.5))
    #expect(restored.snapshot == state.snapshot)
    #expect(restored.unseen == TimeSpan(seconds: 12.5))
    #expect(!restored.isUpdated && !restored.isLost)
  }

  @Test("within a boot the kernel's count decides, whatever wall time does")
  func sameBoot() {
    for wall in [0, 1_700_000_000, 2_000_000_000.0] {
      #expect(moment(1030, wall: wall, kept: false).elapsed(since: moment(1000)) == .seconds(30))
    }
    #expect(moment(999).elapsed(since: moment(1000)) == nil)
  }

  @Test("over a boot wall time decides where it was kept; backwards and not kept are unknown")
  func otherBoot() {
    let before = moment(1000)
    #expect(moment(boot: "b", 20, wall: before.wall + 3600).elapsed(since: before) == .hours(1))
    #expect(moment(boot: "b", 20, wall: before.wall + 3600, kept: false).elapsed(since: before) == nil)
    #expect(moment(boot: "b", 20, wall: before.wall - 1).elapsed(since: before) == nil)
    #expect(moment(boot: "b", 20, wall: before.wall + 1e10).elapsed(since: before) == nil)
    #expect(moment(boot: "", 20, wall: 0).elapsed(since: moment(boot: "", 10)) == nil)
  }

  @Test("R29: every flipped bit, a cut, a foreign layout and rubbish are a loss, never a default and never a crash")
  func damaged() throws {
    let folder = Folder()
    try folder.store.save(state)
    let whole = Array(try folder.text().utf8)
    func expectLoss(_ bytes: [UInt8], _ what: String) throws {
      try folder.write(String(decoding: bytes, as: UTF8.self))
      let restored = RestoredState(from: folder.store, at: moment(1001))
      #expect(restored.isLost && restored.snapshot == nil, "\(what)")
      #expect(restored.lines.last?.text.contains("E-B119") == true)
    }
    for index in whole.indices {
      var bytes = whole
      bytes[index] ^= 1
      try expectLoss(bytes, "bit of byte \(index)")
    }
    for length in stride(from: 0, to: whole.count, by: 97) {
      try expectLoss(Array(whole[..<length]), "\(length) bytes")
    }
    try expectLoss(Array("{\"format\":2,\"crc32\":0}\n{}\n".utf8), "layout 2")
  }

  @Test("a snapshot of a newer program is a loss, and says which layout it is")
  func newer() throws {
    let folder = Folder()
    var newer = state
    newer.snapshot.version = Snapshot.currentVersion + 1
    try folder.store.save(newer)
    let restored = RestoredState(from: folder.store, at: moment(1001))
    #expect(restored.isLost)
    #expect(restored.lines.last?.text.contains("layout \(Snapshot.currentVersion + 1)") == true)
  }

  @Test("a decision is written after a second, counters after ten, and what is written not again")
  func schedule() {
    var schedule = StateSchedule()
    let start = Instant.origin + .seconds(100)
    #expect(schedule.due() == nil)
    var snapshot = Snapshot()
    schedule.offer(snapshot)
    #expect(schedule.due() == .origin)
    schedule.tried(snapshot, isWritten: true, at: start)
    #expect(schedule.due() == nil)
    snapshot.consumed = -1
    snapshot.missing = 1
    schedule.offer(snapshot)
    #expect(schedule.due() == start + .seconds(10))
    snapshot.isContactorClosed = true
    schedule.offer(snapshot)
    #expect(schedule.due() == start + .seconds(1))
    schedule.tried(snapshot, isWritten: false, at: start + .seconds(1))
    #expect(schedule.due() == start + .seconds(2))
  }

  @Test("the checksum is the one that everybody calculates")
  func checksum() {
    #expect(CRC32.of("123456789".utf8) == 0xCBF4_3926)
  }
}
