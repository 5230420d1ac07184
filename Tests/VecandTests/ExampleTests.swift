import BMSCore
import BMSDevice
import CANBusBMS
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

  @Test("README, sample and help name the 11-bit frames that there are, and no others")
  func frames() throws {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    let known =
      [
        BatteryFrameID.limits, BatteryFrameID.stateOfCharge, BatteryFrameID.measurements, BatteryFrameID.alarms,
        BatteryFrameID.manufacturer, BatteryFrameID.product, BatteryFrameID.name.0, BatteryFrameID.name.1,
        BatteryFrameID.modules, BatteryFrameID.cells, BatteryFrameID.energy, BatteryFrameID.installedCapacity,
        BatteryFrameID.serial.0, BatteryFrameID.serial.1, BatteryFrameID.family,
      ].map { Int($0.value) } + CellNameFrame.Extreme.allCases.map { Int($0.rawValue) }
    for (file, begin, end, more) in [
      ("README.md", "where a battery's own BMS is wired | ", "each ten |", []),
      ("Config/vecand.toml", "# Whether to send the 11-bit frames too: ", "\n", []),
      ("Sources/vecanctl/Monitor.swift", "the 11-bit battery frames ", "are shown", [0x305]),
    ] {
      let text = try TextFile.read("\(root)/\(file)")
      let after = try #require(text.firstRange(of: begin), "\(file)").upperBound
      let list = text[after...].prefix(upTo: try #require(text[after...].firstRange(of: end)).lowerBound)
      var named: Set<Int> = []
      for match in list.matches(of: #/0x([0-9A-F]{3})(?: to 0x([0-9A-F]{3}))?/#) {
        let first = try #require(Int(match.1, radix: 16))
        named.formUnion(first...(match.2.flatMap { Int($0, radix: 16) } ?? first))
      }
      #expect(named == Set(known + more), "\(file)")
    }
  }

  @Test("the manual page names every signal that the daemon takes")
  func signals() throws {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    let page = try TextFile.read("\(root)/systemd/man/vecand.8")
    let named = page.split(separator: "\n").filter { $0.hasPrefix(".It Dv ") }.flatMap { $0.split(separator: " ") }
    for signal in ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] { #expect(named.contains(signal[...])) }
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
