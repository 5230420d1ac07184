import FoundationEssentials
import MonotonicTime
import Testing

@testable import BMSCore

@Suite("What survives a power cut")
struct SnapshotTests {
  /// As version 1 wrote it.
  static let first = """
    {"version":1,"isStateOfChargeKnown":true,"isStateOfChargeTrusted":true,"consumed":-20,"missing":21,
     "uncountedSeconds":3,"secondsSinceSynchronisation":60,"isFullCharge":false,"absorbedSeconds":0,
     "secondsSinceFullCharge":86400,"chargeConditions":0,"hasTemperature":true,"lowCell":true,"highCell":false,
     "lowTemperature":false,"highTemperature":false,"veryHighTemperature":false,"dischargeFloor":false,
     "isReduced":false}
    """

  @Test("Version 1 is read: what it knew is kept, what it did not know begins anew")
  func migration() throws {
    let snapshot = try JSONDecoder().decode(Snapshot.self, from: Data(Self.first.utf8))
    #expect(snapshot.version == Snapshot.currentVersion)
    #expect(snapshot.defect == nil)
    #expect(snapshot.missing == 21 && snapshot.secondsSinceFullCharge == 86_400)
    #expect(!snapshot.preAlarm)
    var rig = Rig(restoring: snapshot)
    rig.cells(3.1, 3.3)
    #expect(rig.step().dischargeBlocks == .lowCell)
    #expect(rig.out.stateOfCharge == 89.5)
  }

  @Test("Every field survives writing and reading, and a later version is refused")
  func roundTrip() throws {
    var rig = Rig.resting()
    rig.cells(2.59, 3.76)
    rig.step()
    let snapshot = rig.bms.snapshot
    #expect(snapshot.preAlarm && snapshot.isLowCellHard)
    let data = try JSONEncoder().encode(snapshot)
    #expect(try JSONDecoder().decode(Snapshot.self, from: data) == snapshot)
    var later = snapshot
    later.version = Snapshot.currentVersion + 1
    #expect(later.defect != nil)
    later = snapshot
    later.preAlarmSeconds = .nan
    #expect(later.defect != nil)
  }
}
