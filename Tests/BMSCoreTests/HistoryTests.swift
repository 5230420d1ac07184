import MonotonicTime
import Testing

@testable import BMSCore

@Suite("History, area J")
struct HistoryTests {
  @Test("R184: below 65 % and then above 90 % is a cycle; 65 % and 90 % themselves are none; and once only")
  func cycles() throws {
    var rig = Rig.resting(soc: 95)
    func cycles(_ percents: Double...) throws -> Int {
      for percent in percents {
        try rig.bms.perform(.setStateOfCharge(percent))
        rig.step()
      }
      return rig.bms.history.chargeCycles
    }
    #expect(try cycles(65, 95) == 0)
    #expect(try cycles(64.9, 90) == 0)
    #expect(try cycles(90.1) == 1)
    #expect(try cycles(80, 95, 91) == 1)
    #expect(try cycles(10, 100) == 2)
  }

  @Test("R185, OD-10: a full discharge counts below 5 % and again only after more than 15 %")
  func fullDischarges() throws {
    var rig = Rig.resting(try settings((.dischargeFloor, 0), (.lowStateOfChargeWarning, 0)), soc: 50)
    func count(_ percents: Double...) throws -> Int {
      for percent in percents {
        try rig.bms.perform(.setStateOfCharge(percent))
        rig.step()
      }
      return rig.bms.history.fullDischarges
    }
    #expect(try count(5) == 0)
    #expect(try count(4.9) == 1)
    #expect(try count(15, 4.9) == 1)
    #expect(try count(15.1, 4.9) == 2)
  }

  @Test("R183, R186, R189, R191: an hour of 20 A at 13 V out and half an hour in")
  func energy() throws {
    var rig = Rig.resting(soc: 100)
    rig.period = .seconds(1)
    rig.voltage = 13
    rig.current = -20
    rig.step()
    rig.run(.hours(1))
    rig.current = 20
    rig.step()
    rig.run(.minutes(30))
    let history = rig.bms.history
    #expect(abs(history.drawnAmpereHours - 20) < 0.01)
    #expect(abs(history.dischargedEnergy - 0.26) < 0.001)
    #expect(abs(history.chargedEnergy - 0.13) < 0.001)
    #expect(abs((try #require(history.deepestDischarge)) + 20) < 0.01)
    #expect(history.averageDischarge == nil)
    try rig.bms.perform(.setStateOfCharge(60))
    rig.step()
    try rig.bms.perform(.setStateOfCharge(95))
    rig.step()
    #expect(rig.bms.history.averageDischarge == -rig.bms.history.drawnAmpereHours)
  }

  @Test("R191: the mean of nothing drawn is 0 and not -0")
  func nothingDrawn() {
    var history = History()
    history.chargeCycles = 1
    #expect(history.averageDischarge?.sign == .plus)
  }

  @Test("R161: 0.05 A counts as a discharge, 0.04 A does not")
  func threshold() {
    for (current, counts) in [(-0.05, true), (-0.04, false)] {
      var rig = Rig.resting()
      rig.period = .seconds(1)
      rig.current = current
      rig.run(.minutes(10))
      #expect((rig.bms.history.drawnAmpereHours > 0) == counts)
      #expect((rig.bms.history.dischargedEnergy > 0) == counts)
    }
  }

  @Test("R187, R193, Z-10: extremes are empty at first and take nothing that is not running")
  func extremes() {
    var rig = Rig()
    rig.voltage = 0.7
    rig.step()
    #expect(rig.bms.history.lowestVoltage == nil, "not in its window, so not running normally")
    rig.temperature = nil
    rig.voltage = 13.2
    rig.inputs.batteryTemperature = .unassigned
    var fresh = Rig()
    fresh.temperature = nil
    (fresh.lowest, fresh.highest) = (nil, nil)
    fresh.step()
    #expect(fresh.bms.history.lowestVoltage == nil && fresh.bms.history.lowestTemperature == nil)
    fresh.cells(3.2, 3.4)
    fresh.temperature = 12
    fresh.step()
    fresh.voltage = 14
    fresh.temperature = 30
    fresh.cells(3.1, 3.5)
    fresh.step()
    let history = fresh.bms.history
    #expect(history.lowestVoltage == 13.2 && history.highestVoltage == 14)
    #expect(history.lowestCell == 3.1 && history.highestCell == 3.5)
    #expect(history.lowestTemperature == 12 && history.highestTemperature == 30)
  }

  @Test("R188: a synchronisation from 90 % is not counted, one from 89.9 % is")
  func synchronisations() throws {
    var rig = Rig.resting(soc: 90)
    try rig.bms.perform(.synchronise)
    rig.step()
    #expect(rig.bms.history.synchronisations == 0)
    try rig.bms.perform(.setStateOfCharge(89.9))
    rig.step()
    try rig.bms.perform(.synchronise)
    rig.step()
    #expect(rig.bms.history.synchronisations == 1)
  }

  @Test("R194: the last four errors, newest first, warnings and alarms are none")
  func errors() {
    var rig = Rig.resting()
    rig.cells(2.5, 3.8)
    rig.step()
    #expect(rig.bms.history.lastErrors.isEmpty)
    for volts in [26, 61, 26, 61.0, 26] {
      rig = {
        var next = rig; next.voltage = volts; return next
      }()
      rig.run(.seconds(3))
    }
    #expect(rig.bms.history.lastErrors.map(\.gxNumber) == [34, 9, 34, 9])
    #expect(rig.bms.history.lastErrors.map(\.code) == ["E-B34", "E-B09", "E-B34", "E-B09"])
    let times = rig.bms.history.lastErrors.map(\.at)
    #expect(times == times.sorted(by: >))
  }

  @Test("R195: an error that ends running counts once, a shutdown by command does not")
  func errorShutdowns() throws {
    var rig = Rig.resting()
    (rig.lowest, rig.highest) = (nil, nil)
    rig.run(.seconds(20))
    #expect(rig.bms.history.errorShutdowns == 1)
    rig.cells(3.3, 3.3)
    rig.step()
    try rig.bms.perform(.requestMode(.off, by: .app))
    rig.step()
    #expect(rig.bms.history.errorShutdowns == 1)
  }

  @Test("R190: clearing clears all of it and nothing else; it survives a restart before that")
  func clear() throws {
    var rig = Rig.resting(soc: 50)
    rig.period = .seconds(1)
    rig.current = -20
    rig.run(.minutes(10))
    let next = Rig(restoring: rig.bms.snapshot)
    #expect(next.bms.history == rig.bms.history && next.bms.history.drawnAmpereHours > 3)
    let before = rig.bms.snapshot
    try rig.bms.perform(.clearHistory)
    var after = rig.bms.snapshot
    #expect(after.history == History())
    after.history = before.history
    #expect(after == before)
  }
}

@Suite("Distributors and fuses, area P")
struct DistributorTests {
  func rig(_ names: FuseNames = FuseNames()) -> Rig {
    var rig = Rig.resting()
    rig.bms = BMS(wiring: Wiring(), fuseNames: names, restoring: rig.bms.snapshot)
    rig.step()
    return rig
  }

  @Test("R258: fuses 1-4 are on A, 5-8 on B, 9-12 on C, 13-16 on D, with GX numbers 201 to 216", arguments: 1...16)
  func numbers(fuse: Int) throws {
    var rig = rig()
    let index = (fuse - 1) / 4
    rig.inputs.distributors[index] = DistributorReport(blown: 1 << UInt8((fuse - 1) % 4), at: rig.now)
    rig.step()
    let alarm = try #require(Array(rig.out.alarms).first)
    #expect(rig.out.alarms.count == 1 && alarm.fuse == fuse)
    #expect(alarm.definition.gxNumber == 200 + fuse)
    #expect(alarm.definition.code == (fuse < 10 ? "A-F0\(fuse)" : "A-F\(fuse)"))
    #expect(rig.bms.message(of: alarm) == "Fuse blown: Fuse_\(fuse)")
    #expect(rig.bms.fuse(fuse) == .blown && rig.bms.distributor(index) == .fuseBlown)
    for other in 1...16 where other != fuse {
      #expect(rig.bms.fuse(other) == ((other - 1) / 4 == index ? .ok : .notAvailable))
    }
    rig.inputs.distributors[index] = DistributorReport(blown: 0, at: rig.now)
    #expect(rig.step().alarms.isEmpty)
    #expect(rig.bms.distributor(index) == .ok)
  }

  @Test("R259, R260, R261: a name of 16 characters is taken, 17 are not; an empty one disables the fuse")
  func names() {
    var names = FuseNames()
    #expect(names.set(String(repeating: "x", count: 16), of: 1) == true)
    #expect(names.set(String(repeating: "x", count: 17), of: 1) == false)
    #expect(names.set("Bilge", of: 0) == false)
    #expect(names.set("", of: 2) == true)
    var rig = rig(names)
    rig.inputs.distributors[0] = DistributorReport(blown: 0b10, at: rig.now)
    #expect(rig.step().alarms.isEmpty)
    #expect(rig.bms.fuse(2) == .notUsed && rig.bms.distributor(0) == .ok)
    #expect([FuseState.notAvailable, .notUsed, .ok, .blown].map(\.rawValue) == [0, 1, 2, 3])
  }

  @Test(
    "R239, R253, R265, OD-15: one that was heard is lost after 10 s of silence; what was blown stays so until it is good"
  )
  func lost() {
    var rig = rig()
    rig.inputs.distributors[1] = DistributorReport(blown: 0b1, at: rig.now)
    rig.step()
    rig.run(.milliseconds(9_800))
    #expect(rig.out.alarms == [.fuse5])
    rig.step()
    #expect(rig.out.alarms == [.distributorBLost, .fuse5])
    #expect(rig.bms.fuse(5) == .notAvailable && rig.bms.distributor(1) == .communicationLost)
    #expect(rig.bms.distributor(0) == .absent, "never heard is not lost")
    rig.inputs.distributors[1].taken = rig.now
    #expect(rig.step().alarms == [.fuse5])
    rig.inputs.distributors = InlineArray(repeating: DistributorReport())
    #expect(
      rig.step().alarms.contains(.distributorBLost), "one that was there is missing when its reports are forgotten")
    for change: (inout DistributorReport) -> Void in [{ $0.isDuplicate = true }, { $0.hasPower = false }] {
      rig.inputs.distributors[1] = DistributorReport(blown: 0, at: rig.now)
      change(&rig.inputs.distributors[1])
      #expect(rig.step().alarms.contains(.fuse5), "nobody says that it is good")
    }
    rig.inputs.distributors[1] = DistributorReport(blown: 0b10, at: rig.now)
    #expect(rig.step().alarms == [.fuse6])
  }

  @Test("R264, R267: in Off nothing is lost, and a restart forgets who is gone")
  func off() throws {
    var rig = rig()
    rig.inputs.distributors[3] = DistributorReport(blown: 0, at: rig.now)
    rig.step()
    rig.run(.seconds(11))
    #expect(rig.out.alarms == [.distributorDLost])
    try rig.bms.perform(.requestMode(.off, by: .app))
    #expect(rig.step().alarms.isEmpty)
    rig.run(.seconds(30))
    #expect(rig.out.alarms.isEmpty)
    try rig.bms.perform(.requestMode(.on, by: .app))
    rig.run(.seconds(30))
    #expect(rig.out.alarms.isEmpty && rig.bms.distributor(3) == .absent)
  }

  @Test("R263, OD-16: two with one address are told and no fuse of them is ok; R262: without power none is blown")
  func duplicate() {
    var rig = rig()
    rig.inputs.distributors[0] = DistributorReport(blown: 0b1, at: rig.now)
    rig.inputs.distributors[0].isDuplicate = true
    #expect(rig.step().alarms == [.distributorDuplicate])
    #expect(rig.bms.fuse(1) == .notAvailable && rig.bms.distributor(0) == .duplicate)
    rig.inputs.distributors[0] = DistributorReport(blown: 0b1111, hasPower: false, at: rig.now)
    #expect(rig.step().alarms.isEmpty)
    #expect(rig.bms.distributor(0) == .noPower && rig.bms.fuse(1) == .notAvailable)
  }
}
