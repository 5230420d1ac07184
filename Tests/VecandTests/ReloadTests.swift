import BMSCore
import BMSDevice
import MonotonicTime
import Synchronization
import Testing

@testable import vecand

private func seconds(_ count: Int64) -> Instant { .origin + .seconds(count) }

@Suite("A configuration that is read again")
struct ReloadTests {
  private func configuration(_ text: String) throws -> Configuration {
    try Configuration(text: text, file: "test.toml")
  }

  @Test("settings and fuse names change at once; what was set at run time counts before the file")
  func inForce() throws {
    let bench = try EngineBench()
    let looks = Mutex<[EngineSnapshot?]>([])
    let answers = Mutex<[SettingError??]>([])
    let new = try configuration("[battery]\ntail_current = 6\ncharged_voltage = 13.8\n[fuses]\nfuse_1 = \"Winch\"")
    bench.at(seconds(2)) { bench in
      #expect(
        bench.mailbox.offer(.perform(.set(.chargedVoltage, to: 14.2), isLocal: false, words: "", Reply { _ in })))
      #expect(
        bench.mailbox.offer(
          .reconfigure(
            new.device.settings, new.device.fuseNames, Reply { answer in answers.withLock { $0.append(answer) } })))
    }
    bench.at(seconds(3)) { bench in
      #expect(bench.mailbox.offer(.report(Reply { look in looks.withLock { $0.append(look) } })))
    }
    bench.run(until: seconds(4))
    #expect(answers.withLock { $0 } == [.some(nil)])
    let device = try #require(looks.withLock { $0.first ?? nil }).device
    #expect(device.settings[.tailCurrent] == 6 && device.settings[.chargedVoltage] == 14.2)
    #expect(device.configuredSettings[.chargedVoltage] == 13.8)
    #expect(device.fuseNames.names[0] == "Winch")
  }

  @Test(
    "a file that contradicts what was set at run time changes nothing: a floor of 15 above a warning at 14; 14 is taken"
  )
  func contradiction() throws {
    var device = BMSDevice(configuration: DeviceConfiguration(), randomSeed: 1, at: .origin)
    try device.perform(.set(.lowStateOfChargeWarning, to: 14), isLocal: false, at: .origin)
    let old = device.report(at: .origin).configuredSettings
    var configured = old
    try configured.set(.dischargeFloor, to: 15)
    #expect(throws: SettingError.contradictions([.init(.lowStateOfChargeWarning, 14, with: .dischargeFloor, 15)])) {
      try device.reconfigure(configured, FuseNames(), at: .origin)
    }
    #expect(device.report(at: .origin).settings[.dischargeFloor] == 10)
    #expect(device.report(at: .origin).configuredSettings == old)
    try configured.set(.dischargeFloor, to: 14)
    try device.reconfigure(configured, FuseNames(), at: .origin)
    #expect(device.report(at: .origin).settings[.dischargeFloor] == 14)
    #expect(device.changedSettings.values == [.lowStateOfChargeWarning: 14])
  }

  @Test("a setting that the file now says too is no longer a change of its own")
  func adopted() throws {
    var device = BMSDevice(configuration: DeviceConfiguration(), randomSeed: 1, at: .origin)
    try device.perform(.set(.tailCurrent, to: 6), isLocal: false, at: .origin)
    var configured = device.report(at: .origin).configuredSettings
    try configured.set(.tailCurrent, to: 6)
    try device.reconfigure(configured, FuseNames(), at: .origin)
    #expect(device.changedSettings == ChangedSettings())
  }

  @Test("what changed is told with both values, and what needs a restart by its keys")
  func told() throws {
    let old = try configuration("[bus]\ninterface = \"can0\"\n[battery]\ntail_current = 4")
    let new = try configuration(
      """
      [bus]
      interface = "can1"
      [battery]
      tail_current = 6
      [inputs.monitor]
      unique_number = 7
      [control]
      reading_socket = "/tmp/status.sock"
      """)
    #expect(ReloadService.changes(from: old, to: new) == ["tail_current = 6 % (was 4)"])
    #expect(ReloadService.changes(from: old, to: old) == ["no setting changed"])
    #expect(new.keysThatDiffer(from: old) == ["bus.interface", "[inputs.monitor]", "control.reading_socket"])
    #expect(old.keysThatDiffer(from: old).isEmpty)
  }
}
