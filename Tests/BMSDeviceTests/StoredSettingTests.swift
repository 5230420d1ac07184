import MonotonicTime
import NMEA2000
import Testing

@testable import BMSCore
@testable import BMSDevice

@Suite("Settings that were set at run time, at a restart")
struct StoredSettingTests {
  /// A device with a discharge floor in its configuration, and what it told at its start.
  private static func start(
    floor: Double, _ changed: ChangedSettings
  ) throws -> (BMSDevice, stored: ChangedSettings?, waiting: [WaitingSetting]) {
    var configuration = Bench.configuration()
    try configuration.settings.set(.dischargeFloor, to: floor)
    var device = BMSDevice(configuration: configuration, changed: changed, randomSeed: 1, at: .origin)
    let (stored, waiting) = told(&device)
    return (device, stored, waiting)
  }

  /// What is to be stored, if that changed, and what is not in force.
  private static func told(_ device: inout BMSDevice) -> (stored: ChangedSettings?, waiting: [WaitingSetting]) {
    var (stored, waiting) = (ChangedSettings?.none, [WaitingSetting]())
    while let event = device.nextEvent() {
      switch event {
      case .settingsChanged(let settings): stored = settings
      case .settingsWaiting(let settings): waiting = settings
      default: break
      }
    }
    return (stored, waiting)
  }

  /// Set over a file whose discharge floor was 10 %.
  private static let set = ChangedSettings(
    values: [.maximumChargeCurrent: 20, .lowStateOfChargeWarning: 12, .remoteControl: 0])

  @Test("R321: a file that contradicts one of three costs that one: it waits, with its reason and what is in force")
  func one() throws {
    let (device, stored, waiting) = try Self.start(floor: 14, Self.set)
    #expect(device.core.settings[.maximumChargeCurrent] == 20 && device.core.settings[.remoteControl] == 0)
    #expect(device.core.settings[.lowStateOfChargeWarning] == 15)
    #expect(
      waiting == [
        WaitingSetting(
          key: "low_soc_warning", value: 12,
          refusal: .contradictions([.init(.lowStateOfChargeWarning, 12, with: .dischargeFloor, 14)]), inForce: 15)
      ])
    #expect(stored?.values == [.maximumChargeCurrent: 20, .remoteControl: 0])
    #expect(stored?.waiting == ["low_soc_warning": 12])
    #expect(device.report(at: .origin).waitingSettings == ["low_soc_warning": 12])
  }

  @Test("what waits outlives the change of another setting, and counts again when the file suits it")
  func again() throws {
    var (device, _, _) = try Self.start(floor: 14, Self.set)
    try device.perform(.set(.remoteControl, to: 1), isLocal: true, at: .origin)
    try device.perform(.set(.tailCurrent, to: 6), isLocal: false, at: .origin)
    let stored = try #require(Self.told(&device).stored)
    #expect(stored.values == [.maximumChargeCurrent: 20, .tailCurrent: 6])
    #expect(stored.waiting == ["low_soc_warning": 12])
    let (still, same, _) = try Self.start(floor: 14, stored)
    #expect(same == stored && still.core.settings[.lowStateOfChargeWarning] == 15)
    let (restored, last, waiting) = try Self.start(floor: 10, stored)
    #expect(restored.core.settings[.lowStateOfChargeWarning] == 12 && waiting.isEmpty)
    #expect(
      last == ChangedSettings(values: [.maximumChargeCurrent: 20, .tailCurrent: 6, .lowStateOfChargeWarning: 12]))
  }

  @Test("it waits until that setting is set or reset, by whom ever, or all are")
  func decided() throws {
    func waiting(_ command: OperatorCommand) throws -> [String: Double]? {
      var (device, _, _) = try Self.start(floor: 14, ChangedSettings(values: [.lowStateOfChargeWarning: 12]))
      try device.perform(command, isLocal: false, at: .origin)
      return Self.told(&device).stored?.waiting
    }
    #expect(try waiting(.set(.lowStateOfChargeWarning, to: 20)) == [:])
    // What is in force already.
    #expect(try waiting(.set(.lowStateOfChargeWarning, to: 15)) == [:])
    #expect(try waiting(.reset(.lowStateOfChargeWarning)) == [:])
    #expect(try waiting(.resetAll) == [:])
    #expect(try waiting(.reset(.tailCurrent)) == nil)
    #expect(try waiting(.set(.tailCurrent, to: 6)) == ["low_soc_warning": 12])

    var (device, _, _) = try Self.start(floor: 14, ChangedSettings(values: [.lowStateOfChargeWarning: 12]))
    #expect(throws: OperatorRefusal.self) {
      try device.perform(.set(.lowStateOfChargeWarning, to: 13), isLocal: false, at: .origin)
    }
    #expect(device.changedSettings.waiting == ["low_soc_warning": 12])

    var bench = Bench()
    (bench.device, _, _) = try Self.start(floor: 14, ChangedSettings(values: [.dischargeFloor: 100]))
    #expect(bench.device.changedSettings.waiting == ["discharge_floor": 100])
    bench.device.join(at: bench.now)
    bench.claim()
    bench.advance(.seconds(3))
    _ = bench.write(0x1008, 140)
    #expect(bench.device.changedSettings == ChangedSettings())
  }

  @Test("a value outside of its range and a key that is not known here wait likewise, and take nothing along")
  func notAccepted() throws {
    var changed = ChangedSettings(values: [.tailCurrent: 11, .maximumChargeCurrent: 20])
    changed.waiting["tail_wind"] = 3
    let (device, stored, waiting) = try Self.start(floor: 10, changed)
    #expect(device.core.settings[.maximumChargeCurrent] == 20 && device.core.settings[.tailCurrent] == 4)
    #expect(
      waiting == [
        WaitingSetting(key: "tail_current", value: 11, refusal: .notAccepted(.tailCurrent, 11), inForce: 4),
        WaitingSetting(key: "tail_wind", value: 3, refusal: nil, inForce: nil),
      ])
    #expect(stored?.values == [.maximumChargeCurrent: 20])
    #expect(stored?.waiting == ["tail_current": 11, "tail_wind": 3])
  }

  @Test("what was in force before the restart never gives way to what waited then; a second restart changes nothing")
  func precedence() throws {
    var changed = ChangedSettings(values: [.dischargeFloor: 13])
    changed.waiting["low_soc_warning"] = 12
    let (device, stored, _) = try Self.start(floor: 14, changed)
    #expect(device.core.settings[.dischargeFloor] == 13 && device.core.settings[.lowStateOfChargeWarning] == 15)
    #expect(stored == changed)

    // Two that were stored together and contradict each other: neither counts.
    let both = ChangedSettings(values: [.dischargeFloor: 20, .lowStateOfChargeWarning: 18])
    let (second, first, told) = try Self.start(floor: 10, both)
    #expect(second.core.settings[.dischargeFloor] == 10 && second.core.settings[.lowStateOfChargeWarning] == 15)
    #expect(told.map(\.key) == ["discharge_floor", "low_soc_warning"])
    #expect(first?.waiting == ["discharge_floor": 20, "low_soc_warning": 18])
    #expect(try Self.start(floor: 10, first ?? both).stored == first)
  }

  @Test("a configuration that is read again takes what waited and fits now, and tells what still waits")
  func reload() throws {
    var (device, _, _) = try Self.start(floor: 14, Self.set)
    var configured = device.configuredSettings
    try configured.set(.dischargeFloor, to: 13)
    try device.reconfigure(configured, FuseNames(), at: .origin)
    #expect(Self.told(&device).waiting.map(\.key) == ["low_soc_warning"])
    try configured.set(.dischargeFloor, to: 12)
    try device.reconfigure(configured, FuseNames(), at: .origin)
    #expect(device.core.settings[.lowStateOfChargeWarning] == 12)
    #expect(Self.told(&device).stored == Self.set)
  }

  @Test("a start with nothing changed tells nothing, and neither does one whose settings are lost")
  func nothing() throws {
    #expect(try Self.start(floor: 10, ChangedSettings()).stored == nil)
    var lost = ChangedSettings()
    lost.areLost = true
    #expect(try Self.start(floor: 10, lost).stored == nil)
  }
}
