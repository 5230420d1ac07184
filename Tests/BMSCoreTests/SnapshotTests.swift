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
    // What version 2 wrote lacks what came with 3.
    var fields = try JSONDecoder().decode([String: JSONValue].self, from: data)
    for key in ["uncertainAmpereHours", "emptySeconds", "isContactorClosed", "prechargeHeat", "heldOpen"] {
      fields[key] = nil
    }
    fields["version"] = .number(2)
    let second = try JSONDecoder().decode(Snapshot.self, from: JSONEncoder().encode(fields))
    #expect(second.version == Snapshot.currentVersion && second.isLowCellHard && !second.isContactorClosed)
    var full = snapshot
    (full.detectedPreAlarmSignal, full.takeoverSeconds, full.isRemoteSilent) = (false, 4, true)
    full.isLowCellReported = true
    (full.emptySeconds, full.isContactorClosed, full.prechargeHeat, full.heldOpen) = (7, true, 3, 1)
    (full.uncertainAmpereHours, full.isLowCellHard, full.offCause, full.mode) = (2, true, 0, Mode.off.rawValue)
    // What version 3 wrote lacks what came with 4.
    fields = try JSONDecoder().decode([String: JSONValue].self, from: JSONEncoder().encode(full))
    fields["version"] = .number(3)
    let third = try JSONDecoder().decode(Snapshot.self, from: JSONEncoder().encode(fields))
    var expected = full
    (expected.detectedPreAlarmSignal, expected.takeoverSeconds, expected.isRemoteSilent) = (nil, 0, false)
    expected.isLowCellReported = false
    #expect(third == expected && third.version == Snapshot.currentVersion)
    // What version 4 wrote lacks what came with 5.
    for key in ["takeoverSeconds", "isRemoteSilent"] { fields[key] = nil }
    fields["version"] = .number(4)
    expected.detectedPreAlarmSignal = false
    #expect(try JSONDecoder().decode(Snapshot.self, from: JSONEncoder().encode(fields)) == expected)
    // What version 5 wrote lacks what came with 6.
    fields = try JSONDecoder().decode([String: JSONValue].self, from: JSONEncoder().encode(full))
    fields["isLowCellReported"] = nil
    fields["version"] = .number(5)
    expected = full
    expected.isLowCellReported = false
    #expect(try JSONDecoder().decode(Snapshot.self, from: JSONEncoder().encode(fields)) == expected)
    // Version 7 has one more cause of Off, and nothing else.
    fields = try JSONDecoder().decode([String: JSONValue].self, from: JSONEncoder().encode(full))
    fields["version"] = .number(6)
    #expect(try JSONDecoder().decode(Snapshot.self, from: JSONEncoder().encode(fields)) == full)
    #expect(try JSONDecoder().decode(Snapshot.self, from: JSONEncoder().encode(full)) == full)
    var later = snapshot
    later.version = Snapshot.currentVersion + 1
    #expect(later.defect != nil)
    let read = try JSONDecoder().decode(Snapshot.self, from: JSONEncoder().encode(later))
    #expect(read.version == later.version && read.defect != nil)
    later = snapshot
    later.preAlarmSeconds = .nan
    #expect(later.defect != nil)
  }

  @Test("A damaged snapshot is refused whole, whatever number it is")
  func defects() {
    func isRefused(_ change: (inout Snapshot) -> Void) -> Bool {
      var snapshot = Snapshot()
      change(&snapshot)
      return snapshot.defect != nil
    }
    #expect(!isRefused { _ in })
    #expect(isRefused { $0.version = 0 })
    #expect(isRefused { $0.mode = 7 })
    #expect(isRefused { $0.offCause = 200 })
    #expect(isRefused { $0.overcurrentSeconds = -1 })
    #expect(isRefused { $0.chargeGraceSeconds = -1 })
    #expect(isRefused { $0.dischargeGraceSeconds = .infinity })
    #expect(isRefused { $0.chargeRetrySeconds = -1 })
    #expect(isRefused { $0.dischargeRetrySeconds = .nan })
    #expect(isRefused { $0.detectedNominalVoltage = .nan })
    #expect(isRefused { $0.uncertainAmpereHours = -1 })
    #expect(isRefused { $0.emptySeconds = -1 })
    #expect(isRefused { $0.prechargeHeat = -1 })
    #expect(isRefused { $0.prechargeHeat = .nan })
    #expect(isRefused { $0.heldOpen = 2 })
    #expect(!isRefused { $0.heldOpen = 1 })
    #expect(isRefused { $0.history.runningSeconds = .nan })
    #expect(isRefused { $0.history.drawnAmpereHours = -1 })
    #expect(isRefused { $0.history.chargedEnergy = .infinity })
    #expect(isRefused { $0.history.lowestCell = .nan })
    #expect(isRefused { $0.history.chargeCycles = -1 })
    #expect(
      isRefused {
        $0.history.lastErrors = [ErrorEntry](repeating: ErrorEntry(code: "E-B36", gxNumber: 36, at: 0), count: 5)
      })
  }

  @Test("Times longer than their rule are cut to it: a stored hour of grace or retry is not an hour")
  func cut() {
    var snapshot = Snapshot()
    snapshot.dischargeRetrySeconds = 3600
    snapshot.chargeGraceSeconds = 3600
    snapshot.overcurrentSeconds = 36_000
    snapshot.preAlarmSeconds = 3600
    snapshot.preAlarm = true
    let current = CurrentSupervision(restoring: snapshot)
    #expect(current.discharge.retryIn == .minutes(5))
    #expect(current.charge.graceUsed == .seconds(30))
    #expect(current.budgetUsed == .minutes(5))
    #expect(LowCell(restoring: snapshot).graceLeft == .zero)
  }
}

/// Any JSON, to take fields away from one.
enum JSONValue: Codable {
  case number(Double)
  case text(String)
  case truth(Bool)
  case list([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let truth = try? value.decode(Bool.self) {
      self = .truth(truth)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let list = try? value.decode([JSONValue].self) {
      self = .list(list)
    } else {
      self = .object(try value.decode([String: JSONValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .number(let number): try value.encode(number)
    case .text(let text): try value.encode(text)
    case .truth(let truth): try value.encode(truth)
    case .list(let list): try value.encode(list)
    case .object(let object): try value.encode(object)
    }
  }
}
