import BMSCore
import BMSDevice
import Testing

@testable import vecand

/// What an installer copies must be right as it stands.
@Suite("The worked examples in Config")
struct ExampleTests {
  private static func example(_ name: String) throws -> Configuration {
    let file = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/Config/\(name).toml"
    return try Configuration(text: TextFile.read(file), file: file)
  }

  @Test(
    "each is accepted without a remark",
    arguments: ["monitor-and-module", "supervised-battery", "two-interfaces", "simulator"])
  func isAccepted(name: String) throws { #expect(try Self.example(name).remarks == []) }

  @Test("what README and help show of vecanctl set is taken by an installation that set nothing")
  func set() throws {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    for file in ["README.md", "Sources/vecanctl/Daemon/SettingsCommands.swift"] {
      let shown = try TextFile.read("\(root)/\(file)").split(separator: "\n").compactMap { line -> [Substring]? in
        guard let words = line.firstRange(of: "vecanctl set ") else { return nil }
        return Array(line[words.upperBound...].split(separator: " ").prefix(2))
      }
      let values = shown.compactMap { words in Double(words.last ?? "").map { (words[0], $0) } }
      #expect(!values.isEmpty, "\(file)")
      for (key, value) in values {
        var settings = DeviceConfiguration.standardSettings
        try settings.set(try #require(Setting(key: String(key))), to: value)
      }
    }
  }

  @Test("a monitor plus a switching module: one contactor with pre-charge and feedback, commands each second")
  func monitorAndModule() throws {
    let device = try Self.example("monitor-and-module").device
    #expect(device.wiring.contactors == .one)
    #expect(device.indicators[.contactorFeedback] != nil && device.systemVoltage != nil)
    #expect(Set(device.switches.keys) == [.contactor, .precharge, .allowToCharge, .allowToDischarge])
    #expect(device.switches[.contactor]?.refresh == .seconds(1))
  }

  @Test("a self-protecting battery: nothing is commanded, and its own frames are not sent beside it")
  func supervisedBattery() throws {
    let device = try Self.example("supervised-battery").device
    #expect(device.wiring.contactors == .none && device.switches.isEmpty)
    #expect(device.monitor?.place == .batteryFrames && device.cells?.place == .batteryFrames)
    #expect(!device.sendsBatteryFrames)
  }

  @Test("two interfaces: 11-bit frames on the second at 500 kbit/s")
  func twoInterfaces() throws {
    let configuration = try Self.example("two-interfaces")
    #expect(configuration.interface == "can0" && configuration.batteryBus?.interface == "can1")
    #expect(configuration.batteryBus?.bitrate == 500_000)
    #expect(configuration.device.sendsBatteryFrames)
  }
}
