import BMSCore
import BMSDevice
import CANBus
import Foundation
import Logging
import MonotonicTime
import NMEA2000
import Testing

@testable import vecand

/// A folder that goes away with the test.
private final class Folder {
  let path = NSTemporaryDirectory() + "vecand-\(UUID().uuidString)"
  var store: StateStore { StateStore(directory: path) }
  var file: String { "\(path)/state.db" }

  func bytes() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: file))) }
  func write(_ bytes: some Sequence<UInt8>, to name: String = "state.db") throws {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
  }
  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Numbers that come again with the same seed.
private struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 29
  }
}

private let boot = "11111111-2222-3333-4444-555555555555"

private func moment(boot: String = boot, _ seconds: Double, wall: Double = 1_800_000_000, kept: Bool = true) -> Moment {
  Moment(boot: boot, sinceBoot: seconds, wall: wall, isWallTimeKept: kept)
}

/// A state with everything in it: two settings, fuse names, a node, a battery half empty.
private func values(consumed: Double = 49.5) -> StoredValues {
  var snapshot = Snapshot()
  snapshot.isStateOfChargeKnown = true
  snapshot.isStateOfChargeTrusted = true
  snapshot.missing = 50
  snapshot.consumed = -consumed
  snapshot.isContactorClosed = true
  var names = FuseNames()
  _ = names.set("Windlass", of: 3)
  return StoredValues(
    settings: ChangedSettings(values: [.batteryCapacity: 280, .dischargeFloor: 15], fuseNames: names),
    node: StoredNode(address: 36, deviceInstance: 2, heartbeatInterval: .seconds(30), installationDescription1: "Bow"),
    core: StoredState(snapshot: snapshot, moment: moment(1000), program: Version.text))
}

private func event(_ number: Int, kind: StoredEvent.Kind = .raised, wall: Double = 1_800_000_000) -> StoredEvent {
  StoredEvent(
    kind: kind, code: "V-B01", text: "High cell voltage \(number)", value: 3.76,
    moment: moment(Double(number), wall: wall))
}

@Suite("The state that a restart finds")
struct StateTests {
  /// A folder with a closed database of ``values(consumed:)`` and three events.
  private func stored() throws -> Folder {
    let folder = Folder()
    #expect(try folder.store.write(values(), (1...3).map { event($0) }) == .init(events: 3))
    return folder
  }

  @Test("what is written is read; no file is a first start and not a loss")
  func roundTrip() throws {
    let folder = Folder()
    let first = RestoredState(from: folder.store, at: moment(0))
    #expect(first.snapshot == nil && !first.settings.areLost)
    #expect(!FileManager.default.fileExists(atPath: folder.file))
    #expect(try folder.store.write(values(), []) == .init(events: 0))
    let names = try folder.names()
    #expect(names == ["state.db", "state.db-journal"])
    #expect(try folder.store.open() == values())
    let restored = RestoredState(from: folder.store, at: moment(1012.5))
    #expect(restored.snapshot == values().core.snapshot)
    #expect(restored.settings == values().settings && restored.node == values().node)
    #expect(restored.unseen == TimeSpan(seconds: 12.5))
    #expect(!restored.isUpdated && !restored.settings.areLost)
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

  // MARK: R29: what is damaged

  /// Whether it is refused; if it is not, it must be what was written.
  private func isRefused(_ folder: Folder, _ what: String) throws -> Bool {
    let restored = RestoredState(from: folder.store, at: moment(1001))
    guard restored.settings.areLost else {
      #expect(restored.snapshot == values().core.snapshot, "\(what)")
      #expect(restored.settings == values().settings && restored.node == values().node, "\(what)")
      return false
    }
    #expect(restored.snapshot == nil && restored.node == StoredNode(), "\(what)")
    let line = try #require(restored.lines.last)
    #expect(line.level == .critical && line.text.contains("E-B119") && line.text.contains(folder.file), "\(what)")
    return true
  }

  @Test("R29: a cut at any length is a loss, an empty file too, and the file stays as it is")
  func cut() throws {
    let folder = try stored()
    let whole = try folder.bytes()
    #expect(try !isRefused(folder, "whole"))
    for length in Array(stride(from: 0, to: whole.count, by: 499)) + [1, 16, 100, 4095, 4096, whole.count - 4096] {
      try folder.write(whole[..<length])
      #expect(try isRefused(folder, "\(length) of \(whole.count) bytes"))
      #expect(try folder.bytes() == Array(whole[..<length]), "\(length) bytes were touched")
    }
  }

  @Test("R29: a flipped bit is a loss or does no harm, never another value and never a crash")
  func flipped() throws {
    let folder = try stored()
    let whole = try folder.bytes()
    var random = Seeded(state: 119)
    var refused = 0
    for _ in 0..<400 {
      let bit = Int.random(in: 0..<whole.count * 8, using: &random)
      var bytes = whole
      bytes[bit / 8] ^= 1 << (bit % 8)
      try folder.write(bytes)
      if try isRefused(folder, "bit \(bit)") { refused += 1 }
    }
    // The rest is room that nothing stands in.
    #expect(refused > 20)
    // And where the core stands, every seventh byte.
    let text = Array(try StoredRecord.core.text(of: values()).utf8)
    let place = try #require(whole.indices.first { whole[$0...].starts(with: text) })
    for index in stride(from: 0, to: text.count, by: 7) {
      var bytes = whole
      bytes[place + index] ^= 1 << UInt8(index % 8)
      try folder.write(bytes)
      #expect(try isRefused(folder, "byte \(index) of the core"))
    }
  }

  @Test("R29: rubbish, a database of something else and a directory in its place are losses")
  func foreign() throws {
    let folder = try stored()
    try folder.write(Array("{\"format\":1}\n".utf8))
    #expect(try isRefused(folder, "text"))
    try FileManager.default.removeItem(atPath: folder.file)
    try folder.write([])
    try SQLiteConnection(path: folder.file).execute("CREATE TABLE record (name TEXT, value TEXT, crc32 INTEGER)")
    #expect(try isRefused(folder, "another program's"))
    try FileManager.default.removeItem(atPath: folder.file)
    try FileManager.default.createDirectory(atPath: folder.file, withIntermediateDirectories: true)
    #expect(try isRefused(folder, "a directory"))
  }

  @Test("a record that is missing, changed, or under another's name is a loss")
  func records() throws {
    for statement in [
      "DELETE FROM record WHERE name = 'settings'", "DELETE FROM record WHERE name = 'node'",
      "UPDATE record SET name = 'other' WHERE name = 'node'", "UPDATE record SET crc32 = crc32 + 1 WHERE name = 'core'",
      "UPDATE record SET value = replace(value, 'battery_capacity', 'battery_capacita')",
    ] {
      let folder = try stored()
      try SQLiteConnection(path: folder.file).execute(statement)
      #expect(try isRefused(folder, statement))
    }
  }

  /// Puts a record in place with the checksum that belongs to it.
  private func replace(_ record: StoredRecord, by text: String, in folder: Folder) throws {
    try SQLiteConnection(path: folder.file).rows(
      "UPDATE record SET value = ?, crc32 = ? WHERE name = ?", SQLiteValue(text),
      SQLiteValue(CRC32.of("\(record.rawValue)\n\(text)".utf8)), SQLiteValue(record.rawValue))
  }

  @Test("a setting that is not known here waits, and those that wait are stored beside those that count")
  func waitingSettings() throws {
    let folder = try stored()
    // As the version before wrote it: nothing waits in it.
    try replace(.settings, by: #"{"settings":{"discharge_floor":15,"tail_wind":3}}"#, in: folder)
    let store = folder.store
    var values = try #require(try store.open())
    #expect(values.settings.values == [.dischargeFloor: 15] && values.settings.waiting == ["tail_wind": 3])
    values.settings.waiting["low_soc_warning"] = 12
    _ = try store.write(values, [])
    #expect(
      try StoredRecord.settings.text(of: values)
        == #"{"settings":{"discharge_floor":15},"waiting":{"low_soc_warning":12,"tail_wind":3}}"#)
    let again = Folder()
    _ = try again.store.write(values, [])
    #expect(try again.store.open() == values)
  }

  @Test("a unique number of the version before, which did not say what it replaced, replaced the machine's own")
  func replacedUniqueNumber() throws {
    let folder = try stored()
    try replace(
      .node, by: #"{"installationDescription1":"Bow","installationDescription2":"","uniqueNumber":777}"#, in: folder)
    var node = RestoredState(from: folder.store, at: moment(1001)).node
    #expect(
      node
        == StoredNode(
          uniqueNumber: 777, replacedUniqueNumber: MachineIdentity.uniqueNumber(), installationDescription1: "Bow"))
    node.replacedUniqueNumber = 5
    var left = values()
    left.node = node
    let again = Folder()
    _ = try again.store.write(left, [])
    #expect(RestoredState(from: again.store, at: moment(1001)).node == node)
  }

  @Test("the log says which text of the file is not in force, and how to end that")
  func descriptionTold() {
    var text = EventText()
    let lines = text.lines(for: .descriptionNotInForce(2, configured: "Port", inForce: "Stern"))
    #expect(
      lines.map { "\($0.level) \($0.text)" } == [
        "warning identity.installation_description_2 = \"Port\" is not in force: \"Stern\" was set over the bus and counts "
          + "before it. An empty one set over the bus gives it back to the file: vecanctl register write --device "
          + "ADDRESS installation-description-2 \"\""
      ])
  }

  @Test("R321: the log says what was set at run time only of what is in force, and of the rest why not and what to do")
  func waitingTold() throws {
    let folder = Folder()
    var left = values()
    left.settings = ChangedSettings(
      values: [.maximumChargeCurrent: 20, .lowStateOfChargeWarning: 12, .remoteControl: 0])
    left.settings.waiting["tail_wind"] = 3
    _ = try folder.store.write(left, [])
    let restored = RestoredState(from: folder.store, at: moment(1001))
    #expect(restored.lines.count == 1 && restored.lines[0].text.hasPrefix("state of "))
    var configuration = DeviceConfiguration()
    try configuration.settings.set(.dischargeFloor, to: 14)
    var device = BMSDevice(configuration: configuration, changed: restored.settings, randomSeed: 1, at: .origin)
    var log = EventLog(
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, restored: restored.settings)
    func lines() -> [String] {
      var lines: [String] = []
      while let event = device.nextEvent() { lines += log.note(.device(event)).map { "\($0.level) \($0.text)" } }
      return lines
    }
    #expect(
      lines() == [
        "notice set at run time: maximum_charge_current = 20 A",
        "notice set at run time: remote_control = 0",
        "error set at run time and not in force: low_soc_warning 12 % is refused: discharge_floor is 14 % and may not "
          + "lie above it (R321). In force is low_soc_warning = 15 %. The refused value stays stored and counts at the "
          + "next start or reload that accepts it; set another (vecanctl set low_soc_warning VALUE) or give it up "
          + "(vecanctl set low_soc_warning --reset)",
        "error set at run time and not in force: this version has no setting tail_wind (3). The value stays stored for "
          + "a version that has; give it up with all others by vecanctl set --reset-all",
      ])
    try device.perform(.set(.remoteControl, to: 1), isLocal: true, at: .origin)
    try device.perform(.reset(.lowStateOfChargeWarning), isLocal: true, at: .origin)
    #expect(lines() == ["notice remote_control as configured", "notice low_soc_warning as configured"])

    let both = ChangedSettings(values: [.dischargeFloor: 20, .lowStateOfChargeWarning: 18])
    device = BMSDevice(configuration: configuration, changed: both, randomSeed: 1, at: .origin)
    #expect(
      lines().contains {
        $0.hasPrefix(
          "error set at run time and not in force: discharge_floor 20 % and low_soc_warning 18 %, both stored, contradict "
            + "each other (R321) and neither counts. In force is discharge_floor = 14 %.")
      })
  }

  @Test("a newer version's layout, or its core's, is refused whole and says which, and is not written")
  func newer() throws {
    let folder = try stored()
    try SQLiteConnection(path: folder.file).execute("PRAGMA user_version = 2")
    let before = try folder.bytes()
    let restored = RestoredState(from: folder.store, at: moment(1001))
    #expect(restored.settings.areLost)
    let line = try #require(restored.lines.last?.text)
    #expect(line.contains("newer version: its layout is 2") && !line.contains("before-upgrade"))
    try folder.write([], to: "state.db.before-upgrade")
    let advice = RestoredState(from: folder.store, at: moment(1001)).lines.last?.text
    #expect(advice?.contains("put \(folder.file).before-upgrade, what the version before that one left") == true)
    #expect(try folder.bytes() == before)

    let other = Folder()
    var core = values()
    core.core.snapshot.version = Snapshot.currentVersion + 1
    _ = try other.store.write(core, [])
    let text = RestoredState(from: other.store, at: moment(1001)).lines.last?.text
    #expect(text?.contains("newer version: its core is of layout \(Snapshot.currentVersion + 1)") == true)
  }

  // MARK: A version that may have to come back

  /// A folder with a closed database of another version of the program, and what is in it.
  private func storedByAnother(_ program: String = "0.0.1") throws -> (Folder, StoredValues) {
    let folder = Folder()
    var another = values(consumed: 40)
    another.core.program = program
    _ = try folder.store.write(another, (1...3).map { event($0) })
    return (folder, another)
  }

  @Test("what another version left is kept once before this one writes, and read again when it is put back")
  func copied() throws {
    let (folder, another) = try storedByAnother()
    let copy = "\(folder.file).before-upgrade"
    func bytes() throws -> Data { try Data(contentsOf: URL(fileURLWithPath: copy)) }
    func number() throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: copy)[.systemFileNumber] as? Int
    }
    chmod(folder.file, 0o640)
    let restored = RestoredState(from: folder.store, at: moment(1001))
    #expect(restored.snapshot == another.core.snapshot && restored.isUpdated)
    #expect(restored.lines.last?.level == .notice && restored.lines.last?.text.contains(copy) == true)
    #expect(try folder.names() == ["state.db", "state.db-journal", "state.db.before-upgrade"])
    #expect(try FileManager.default.attributesOfItem(atPath: copy)[.posixPermissions] as? Int == 0o640)

    // Once: not by the next try of a version that ended before it wrote, nor when it has written.
    let (kept, first) = (try bytes(), try number())
    do {
      let store = folder.store
      #expect(try store.open() == another && store.copyLine == nil)
      _ = try store.write(values(consumed: 30), [event(4)])
    }
    let own = folder.store
    #expect(try own.open() == values(consumed: 30) && own.copyLine == nil)
    #expect(try bytes() == kept && number() == first)

    // As postinst puts it back.
    unlink("\(folder.file)-journal")
    #expect(rename(copy, folder.file) == 0)
    let back = folder.store
    #expect(try back.open() == another)
    #expect(try back.events(since: 0, limit: 10).events.count == 3)
  }

  @Test(
    "Standby or Off since takes the copy away: nothing that was switched off comes back On; what was off before stays")
  func copiedWhileOn() throws {
    let soft = OffCause.softSwitch
    let table: [(Mode, OffCause?, Mode, OffCause?, isGone: Bool)] = [
      (.on, nil, .off, soft, true), (.on, nil, .standby, nil, true), (.on, nil, .off, .lowCell, true),
      (.on, nil, .on, nil, false), (.off, soft, .off, soft, false), (.standby, nil, .on, nil, false),
      // What a charger would end is not what somebody switched off as well.
      (.off, .lowCell, .off, .softSwitchWhenEmpty, true), (.off, .lowCell, .off, .lowCell, false),
    ]
    for (before, cause, after, causeAfter, isGone) in table {
      let folder = Folder()
      var another = values()
      another.core.program = "0.0.1"
      another.core.snapshot.mode = before.rawValue
      another.core.snapshot.offCause = cause?.rawValue
      _ = try folder.store.write(another, [])
      let store = folder.store
      #expect(try store.open() == another)
      another.core.snapshot.mode = after.rawValue
      another.core.snapshot.offCause = causeAfter?.rawValue
      _ = try store.write(another, [])
      #expect(try folder.names().contains("state.db.before-upgrade") != isGone, "\(before) \(after)")
    }
  }

  @Test("the next version's upgrade replaces the copy, and what this version wrote itself is not copied")
  func copiedAgain() throws {
    let (folder, another) = try storedByAnother()
    _ = try folder.store.open()
    var later = another
    later.core.program = "0.0.2"
    do {
      let store = folder.store
      _ = try store.open()
      _ = try store.write(later, [])
    }
    let store = folder.store
    #expect(try store.open() == later && store.copyLine?.level == .notice)
    #expect(try folder.names() == ["state.db", "state.db-journal", "state.db.before-upgrade"])
    let texts = try SQLiteConnection(path: "\(folder.file).before-upgrade").rows("SELECT value FROM record")
    #expect(texts.contains { $0[0].text?.contains("\"program\":\"0.0.2\"") == true })

    let own = try stored()
    #expect(try own.store.open() == values())
    #expect(try own.names() == ["state.db", "state.db-journal"])
  }

  @Test("an older layout of the same version is kept too, as it was")
  func copiedLayout() throws {
    let folder = try stored()
    let text = try StoredRecord.core.text(of: values())
    let older = text.replacingOccurrences(of: "\"version\":\(Snapshot.currentVersion)", with: "\"version\":5")
      .replacingOccurrences(of: "\"isLowCellReported\":false,", with: "")
    try #require(older != text && !older.contains("isLowCellReported"))
    try replace(.core, by: older, in: folder)
    let store = folder.store
    #expect(try store.open() == values() && store.copyLine?.level == .notice)
    let kept = try SQLiteConnection(path: "\(folder.file).before-upgrade")
      .rows("SELECT value FROM record WHERE name = 'core'")
    #expect(kept == [[.text(older)]])
  }

  @Test("a disk that takes no copy stops nothing: the state is read and written, and the log says that there is none")
  func noCopy() throws {
    let (folder, another) = try storedByAnother()
    try FileManager.default.createDirectory(
      atPath: "\(folder.file).before-upgrade.new", withIntermediateDirectories: false)
    let restored = RestoredState(from: folder.store, at: moment(1001))
    #expect(restored.snapshot == another.core.snapshot && !restored.settings.areLost)
    #expect(restored.lines.last?.level == .warning)
    #expect(restored.lines.last?.text.contains("no copy of what another version left could be kept") == true)
    let store = folder.store
    #expect(try store.open() == another)
    #expect(try store.write(values(consumed: 12), [event(4)]) == .init(events: 1))
    #expect(access("\(folder.file).before-upgrade", F_OK) != 0)
  }

  @Test("what was refused is kept beside the new one that a reset begins, with its journal, and is readable there")
  func kept() throws {
    let folder = try stored()
    var damaged = try folder.bytes()
    damaged[20] ^= 0xFF
    try folder.write(damaged)
    try folder.write(Array("journal".utf8), to: "state.db-journal")
    for number in 1...2 {
      let store = folder.store
      #expect(throws: StateDefect.self) { try store.open() }
      let written = try store.write(values(consumed: 10), [])
      #expect(written.remark?.contains("state.db.kept-\(number)") == true)
      #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(folder.file).kept-\(number)"))) == damaged)
      #expect(FileManager.default.fileExists(atPath: "\(folder.file).kept-1-journal"))
      #expect(try store.write(values(consumed: 11), []).remark == nil)
      try folder.write(damaged)
    }
  }

  @Test("a second program finds it in use, and takes nothing away from the first")
  func inUse() throws {
    let folder = try stored()
    let first = folder.store
    #expect(try first.open() == values())
    let second = folder.store
    #expect(throws: StateDefect(.inUse, "another program has it open")) { try second.open() }
    #expect(throws: StateDefect(.inUse, "another program has it open")) { try second.write(values(consumed: 1), []) }
    #expect(try first.write(values(consumed: 20), []) == .init(events: 0))
    #expect(try folder.names().filter { $0.contains("kept") } == [])
  }

  @Test("a file that is deleted under the program is written anew; one that took its place is not touched")
  func moved() throws {
    let folder = try stored()
    let store = folder.store
    #expect(try store.open() != nil)
    try FileManager.default.removeItem(atPath: folder.file)
    #expect(try store.write(values(consumed: 30), []).remark?.contains("was deleted") == true)
    #expect(try store.write(values(consumed: 31), []).remark == nil)
    let other = try stored()
    try FileManager.default.removeItem(atPath: folder.file)
    try FileManager.default.copyItem(atPath: other.file, toPath: folder.file)
    let before = try folder.bytes()
    #expect {
      try store.write(values(consumed: 32), [])
    } throws: {
      ($0 as? StateDefect)?.why.contains("another file took its place") == true
    }
    #expect(try folder.bytes() == before)
  }

  // MARK: A disk that takes nothing

  @Test("a full disk takes the state in place and no events, says so, and takes them when there is room")
  func full() throws {
    let folder = try stored()
    let many = (1...100).map { event($0) }
    let pages = try folder.bytes().count / 4096
    do {
      let full = StateStore(directory: folder.path, mostPages: pages)
      _ = try full.open()
      #expect(try full.write(values(consumed: 12), many) == .init(events: 0))
      #expect(try full.write(values(consumed: 13), []) == .init(events: 0))
      #expect(try full.events(since: 0, limit: 1000).events.count == 3)
    }
    let store = folder.store
    #expect(try store.open() == values(consumed: 13))
    #expect(try store.write(values(consumed: 14), many) == .init(events: 100))
    #expect(try store.events(since: 0, limit: 1000).events.count == 103)
  }

  @Test("a directory that cannot be made says where and why, and what to do")
  func unwritable() throws {
    let store = StateStore(directory: "/proc/vecand")
    #expect(try store.open() == nil)
    #expect {
      try store.write(values(), [])
    } throws: {
      guard let defect = $0 as? StateDefect else { return false }
      return defect.kind == .unwritable
        && defect.text(of: store.path).contains("/proc/vecand/state.db can't be written")
    }
  }

  @Test("a directory that is no directory is no first start")
  func noDirectory() throws {
    let folder = try stored()
    let store = StateStore(directory: folder.file)
    #expect(throws: StateDefect.self) { try store.open() }
  }

  // MARK: Events

  @Test("events come back in their order, after the number that is given, at most as many as asked for")
  func events() throws {
    let folder = try stored()
    let store = folder.store
    _ = try store.open()
    let all = try store.events(since: 0, limit: 10)
    #expect(all.events.map(\.id) == [1, 2, 3] && all.last == 3 && all.damaged == 0)
    var first = event(1)
    first.id = 1
    #expect(all.events.first == first)
    #expect(try store.events(since: 1, limit: 1).events.map(\.id) == [2])
    #expect(try store.events(since: 3, limit: 10) == StoredEvents(last: 3))
    let newest = try store.events(since: nil, limit: 2)
    #expect(newest.events.map(\.id) == [2, 3] && newest.last == 3)
    #expect(try store.write(values(), [event(4)]).events == 1)
    #expect(try store.events(since: 3, limit: 10).events.map(\.text) == ["High cell voltage 4"])
  }

  @Test("a damaged event is left out and counted; it is no reason to forbid anything")
  func damagedEvent() throws {
    let folder = try stored()
    try SQLiteConnection(path: folder.file).execute("UPDATE event SET text = 'Low cell voltage' WHERE id = 2")
    let store = folder.store
    #expect(try store.open() == values())
    let answer = try store.events(since: 0, limit: 10)
    #expect(answer.events.map(\.id) == [1, 3] && answer.damaged == 1 && answer.last == 3)
  }

  @Test("4000 events are kept, 4001 are not; the file stays below 2 MiB and grows no more")
  func retention() throws {
    let folder = Folder()
    let store = folder.store
    let long = String(repeating: "x", count: StoredEvent.longestText)
    _ = try store.write(values(), [])
    func add(_ count: Int) throws {
      let events = (0..<count).map { number in
        var event = event(number)
        event.text = long
        return event
      }
      #expect(try store.write(values(), events).events == count)
    }
    func oldest() throws -> Int64? { try store.events(since: 0, limit: 1).events.first?.id }
    for _ in 0..<8 { try add(500) }
    #expect(try oldest() == 1)
    try add(1)
    #expect(try oldest() == 2)
    #expect(try store.events(since: 3999, limit: 9).events.map(\.id) == [4000, 4001])
    try add(499)
    let before = try folder.bytes().count
    for _ in 0..<4 { try add(500) }
    #expect(try oldest() == 2501)
    let size = try folder.bytes().count
    #expect(size < before + 65_536 && size < 2_097_152, "\(before), then \(size) bytes")
  }

  @Test("events older than 400 days go, a day younger they stay; a clock that nobody keeps removes none")
  func age() throws {
    let folder = Folder()
    let store = folder.store
    let now = 1_800_000_000.0
    let old = [401.0, 399.0].enumerated().map { event($0.offset, wall: now - $0.element * 86_400) }
    _ = try store.write(values(), old)
    var unkept = event(2, wall: now + 1e9)
    unkept.moment.isWallTimeKept = false
    _ = try store.write(values(), [unkept])
    #expect(try store.events(since: 0, limit: 9).events.map(\.id) == [1, 2, 3])
    _ = try store.write(values(), [event(3, wall: now)])
    #expect(try store.events(since: 0, limit: 9).events.map(\.id) == [2, 3, 4])
  }

  @Test("alarms, decisions and links become events with code, text and value; a long text is cut at a character")
  func reports() {
    let alarms = EngineReport.device(.raised([(.lowCell, nil)]))
    let raised = StoredEvent.events(of: alarms, fuseNames: FuseNames())
    #expect(raised.map(\.kind) == [.raised] && raised.map(\.code) == ["A-B01"])
    #expect(raised.map(\.text) == ["Low cell voltage"])
    let link = EngineReport.link(LinkEvent(.down, at: .origin, text: String(repeating: "é", count: 200)))
    let events = StoredEvent.events(of: link, fuseNames: FuseNames())
    #expect(events.map(\.code) == ["down"] && events.map(\.text.utf8.count) == [240])
    #expect(StoredEvent.events(of: .ended, fuseNames: FuseNames()).isEmpty)
  }

  // MARK: Killed

  /// 20 times, or as often as VECAND_KILLS says.
  @Test("a writer that is killed at any moment loses nothing that was acknowledged, and leaves no half of a write")
  func killed() async throws {
    let folder = Folder()
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    setenv(KilledWriter.variable, folder.path, 1)
    var last = 0
    for kill in 0..<(Int(ProcessInfo.processInfo.environment["VECAND_KILLS"] ?? "") ?? 20) {
      // Every other one has written three times first: where a disk takes its time none would come so far otherwise.
      setenv(KilledWriter.spared, "\(kill % 2 * 3)", 1)
      await #expect(processExitsWith: .signal(SIGKILL)) { try KilledWriter.run() }
      let acknowledged = try KilledWriter.acknowledged(in: folder.path)
      let store = folder.store
      guard let found = try store.open() else {
        #expect(acknowledged == 0)
        continue
      }
      let number = Int(found.settings.values[.batteryCapacity] ?? 0)
      // Of this writer the last may be there and not acknowledged; the one before may have left such a one too.
      let known = max(acknowledged, last)
      #expect(known...known + 1 ~= number, "\(number) found, \(acknowledged) acknowledged, \(last) found before")
      // Setting, count and event are of one transaction.
      #expect(found.core.snapshot.consumed == -Double(number))
      let events = try store.events(since: Int64(max(0, number - 100)), limit: 200)
      #expect(events.damaged == 0 && events.events.last?.id == Int64(number))
      last = number
    }
    #expect(last > 20, "\(last) writes")
  }

  // MARK: When

  private func content(_ snapshot: Snapshot) -> StateSchedule.Content {
    StateSchedule.Content(settings: ChangedSettings(), node: StoredNode(), snapshot: snapshot)
  }

  @Test("a decision, a setting, the node and an alarm are written after a second, counters after ten")
  func schedule() throws {
    var schedule = StateSchedule(RestoredState(from: Folder().store, at: moment(0)))
    let start = Instant.origin + .seconds(100)
    #expect(schedule.due() == nil)
    var snapshot = Snapshot()
    schedule.offer(snapshot)
    #expect(schedule.due() == .origin)
    schedule.tried((content(snapshot), stored: 0, of: 0), at: start)
    #expect(schedule.due() == nil)
    snapshot.consumed = -1
    snapshot.missing = 1
    schedule.offer(snapshot)
    #expect(schedule.due() == start + .seconds(10))
    var urgent = schedule
    snapshot.isContactorClosed = true
    urgent.offer(snapshot)
    #expect(urgent.due() == start + .seconds(1))
    urgent.tried(nil, at: start + .seconds(1))
    #expect(urgent.due() == start + .seconds(2))
    urgent = schedule
    urgent.offer(ChangedSettings(values: [.batteryCapacity: 100]))
    #expect(urgent.due() == start + .seconds(1))
    urgent = schedule
    urgent.offer(StoredNode(address: 40))
    #expect(urgent.due() == start + .seconds(1))
    urgent = schedule
    urgent.offer(event(1, kind: .decided))
    #expect(urgent.due() == start + .seconds(10))
    urgent.offer(event(1, kind: .raised))
    #expect(urgent.due() == start + .seconds(1))
    // What a full disk did not take is tried again with the next state.
    urgent.tried((content(schedule.content?.snapshot ?? Snapshot()), stored: 0, of: 2), at: start + .seconds(1))
    #expect(urgent.isFull && urgent.due() == start + .seconds(11))
  }

  @Test("what somebody waits for is written after a second, a state of charge that was set too, and not before")
  func awaited() {
    var schedule = StateSchedule(RestoredState(from: Folder().store, at: moment(0)))
    let start = Instant.origin + .seconds(100)
    var snapshot = Snapshot()
    schedule.offer(snapshot)
    _ = schedule.take()
    schedule.tried((content(snapshot), stored: 0, of: 0), at: start)
    #expect(schedule.isStored(schedule.hurry()))
    snapshot.consumed = -30
    schedule.offer(snapshot)
    let set = schedule.hurry()
    #expect(!schedule.isStored(set) && schedule.due() == start + .seconds(1))
    // The state that is written is not yet the one that was offered meanwhile.
    let taken = schedule.take()?.content
    snapshot.consumed = -31
    schedule.offer(snapshot)
    let later = schedule.hurry()
    schedule.tried((taken ?? content(Snapshot()), stored: 0, of: 0), at: start + .seconds(1))
    #expect(schedule.isStored(set) && !schedule.isStored(later) && schedule.due() == start + .seconds(2))
    _ = schedule.take()
    schedule.tried(nil, at: start + .seconds(2))
    #expect(!schedule.isStored(later) && schedule.due() == start + .seconds(3))
    _ = schedule.take()
    schedule.tried((content(snapshot), stored: 0, of: 0), at: start + .seconds(3))
    #expect(schedule.isStored(later))
    snapshot.consumed = -32
    schedule.offer(snapshot)
    #expect(schedule.due() == start + .seconds(13))
  }

  @Test("R29: nothing is written while what was stored is lost, whatever is set, until the settings are reset")
  func lost() {
    var restored = RestoredState(from: Folder().store, at: moment(0))
    restored.settings.areLost = true
    var schedule = StateSchedule(restored)
    schedule.offer(Snapshot())
    schedule.offer(StoredNode(address: 40))
    schedule.offer(event(1))
    var changed = ChangedSettings(values: [.batteryCapacity: 100])
    changed.areLost = true
    schedule.offer(changed)
    #expect(schedule.due() == nil && schedule.content == nil)
    schedule.offer(ChangedSettings())
    #expect(schedule.due() == .origin && schedule.content?.node.address == 40)
  }

  @Test("512 events wait for a disk that takes none; then the oldest go, and no other is taken for written")
  func waiting() {
    var schedule = StateSchedule(RestoredState(from: Folder().store, at: moment(0)))
    schedule.offer(Snapshot())
    for number in 1...512 { schedule.offer(event(number)) }
    let taken = schedule.take()
    #expect(taken?.events.count == 512)
    schedule.offer(event(513))
    #expect(schedule.events.count == 512 && schedule.events.first?.text == "High cell voltage 2")
    schedule.tried((content(Snapshot()), stored: 512, of: 512), at: .origin)
    #expect(schedule.events.map(\.text) == ["High cell voltage 513"])
  }

  @Test("what is settled is on the disk, and events are asked of the thread that owns it")
  func keeper() async throws {
    let folder = Folder()
    let restored = RestoredState(from: folder.store, at: .now())
    let path = folder.path
    let keeper = try StateKeeper(
      store: StateStore(directory: path), restored: restored, logger: Logger(label: "test"), tellStored: { _ in })
    keeper.start()
    await #expect(throws: StateDefect.self) { try await keeper.settle() }
    keeper.offer([event(1)])
    keeper.note(.state(values().core.snapshot))
    keeper.note(.stored(values().node))
    keeper.note(.device(.settingsChanged(values().settings)))
    try await keeper.settle()
    #expect(try await keeper.events(since: 0, limit: 10).events.map(\.id) == [1])
    keeper.finish()
    await #expect(throws: StateDefect(.unwritable, "vecand ends")) { try await keeper.settle() }
  }

  @Test("the checksum is the one that everybody calculates")
  func checksum() {
    #expect(CRC32.of("123456789".utf8) == 0xCBF4_3926)
  }
}

/// Writes as fast as it can, and acknowledges each write in a file, until it is killed in the midst of it.
private enum KilledWriter {
  static let variable = "VECAND_KILLED_WRITER"
  /// So many writes are acknowledged before its time begins.
  static let spared = "VECAND_SPARED_WRITES"

  static func run() throws {
    let environment = ProcessInfo.processInfo.environment
    guard let folder = environment[variable], let spared = Int(environment[spared] ?? "") else { return }
    let store = StateStore(directory: folder)
    var number = Int(try store.open()?.settings.values[.batteryCapacity] ?? 0)
    let file = open("\(folder)/acknowledged", O_WRONLY | O_CREAT, 0o600)
    let microseconds = UInt32.random(in: 0...60_000)
    let first = number
    while true {
      if number == first + spared {
        EngineThread.start(named: "killer") {
          usleep(microseconds)
          kill(getpid(), SIGKILL)
        }
      }
      number += 1
      var next = values(consumed: Double(number))
      next.core.snapshot.missing = Double(number)
      next.settings.values[.batteryCapacity] = Double(number)
      _ = try store.write(next, [event(number)])
      pwrite(file, &number, 8, 0)
    }
  }

  static func acknowledged(in folder: String) throws -> Int {
    guard let bytes = FileManager.default.contents(atPath: "\(folder)/acknowledged"), bytes.count == 8 else { return 0 }
    return bytes.withUnsafeBytes { $0.loadUnaligned(as: Int.self) }
  }
}
