import BMSCore
import BMSDevice
import NMEA2000
import Testing

@testable import vecand

@Suite("The configuration file")
struct ConfigurationTests {
  private func problems(_ text: String) -> [String] {
    do {
      _ = try Configuration(text: text, file: "test.toml")
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  @Test("an empty file is a device without a source")
  func empty() throws {
    let configuration = try Configuration(text: "", file: "test.toml")
    #expect(configuration.interface == nil)
    #expect(configuration.device.monitor == nil)
    #expect(configuration.device.cells == nil)
    #expect(configuration.remarks.count == 2)
  }

  @Test("wiring and settings are taken over")
  func wiring() throws {
    let configuration = try Configuration(
      text: """
        [bus]
        interface = "vcan0"
        [identity]
        unique_number = 4711
        preferred_address = 66
        [battery]
        nominal_voltage = 24
        battery_capacity = 400
        current_reversed = true
        [inputs.monitor]
        manufacturer = 358
        unique_number = 477826
        instance = 3
        [inputs.cells]
        class = 35
        function = 170
        count = 8
        """, file: "test.toml")
    #expect(configuration.interface == "vcan0")
    #expect(configuration.device.identity.uniqueNumber == 4711)
    #expect(configuration.device.identity.preferredAddress == 66)
    #expect(configuration.device.settings[.nominalVoltage] == 24)
    #expect(configuration.device.settings[.batteryCapacity] == 400)
    #expect(configuration.device.settings[.currentReversed] == 1)
    #expect(configuration.device.monitor?.sender == DeviceSelector(manufacturer: 358, uniqueNumber: 477_826))
    #expect(configuration.device.monitor?.instance == 3)
    #expect(configuration.device.cells?.sender == DeviceSelector(function: 170, deviceClass: 35))
    #expect(configuration.device.cells?.expectedCells == 8)
  }

  @Test("all problems come at once, in order, with line and key")
  func allProblems() {
    let found = problems(
      """
      [bus]
      interfac = "can0"
      [battery]
      nominal_voltage = 13
      model = "big"
      [identity]
      preferred_address = 252
      """)
    #expect(found.count == 4)
    #expect(found[0].hasPrefix("line 2: bus.interfac: unknown key"))
    #expect(found[1].hasPrefix("line 4: battery.nominal_voltage:"))
    #expect(found[1].contains("12, 24, 48"))
    #expect(found[2] == "line 5: battery.model: is a string, expected a number")
    #expect(found[3] == "line 7: identity.preferred_address: 252 is out of range: 0 to 251")
  }

  @Test("contradicting settings are found whatever their order (R321)")
  func contradiction() throws {
    #expect(problems("[battery]\nlow_soc_warning = 5").count == 1)
    let configuration = try Configuration(
      text: "[battery]\nlow_soc_warning = 40\ndischarge_floor = 30", file: "test.toml")
    #expect(configuration.device.settings[.dischargeFloor] == 30)
    let other = try Configuration(text: "[battery]\ndischarge_floor = 4\nlow_soc_warning = 5", file: "test.toml")
    #expect(other.device.settings[.lowStateOfChargeWarning] == 5)
  }

  @Test("text that is no TOML names its line")
  func noTOML() {
    let found = problems("[bus]\ninterface = \n")
    #expect(found.count == 1)
    #expect(found[0].hasPrefix("line 2: "))
  }

  @Test("a table where a value belongs, and a value where a table belongs, are named")
  func wrongShape() {
    #expect(problems("bus = 3") == ["line 1: bus: is an integer, expected a table, as [bus]"])
    #expect(problems("[bus.interface]\nx = 1").first?.contains("expected text in quotes") == true)
  }

  /// The sample is the manual of the file: it may neither fall behind the table of settings nor promise what is not there.
  @Test("the sample file names every setting with its default, and every key in it is known")
  func sample() throws {
    let file = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/Config/vecand.toml"
    let text = try TextFile.read(file)
    #expect(try Configuration(text: text, file: file).interface == "can0")
    // All examples switched on: a key is what stands before an equals sign behind "# ".
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> Substring in
      let body = line.drop { $0 == "#" }.drop { $0 == " " }
      let key = body.prefix { $0.isLowercase || $0 == "_" || $0.isNumber }
      let isKey = !key.isEmpty && body.dropFirst(key.count).hasPrefix(" = ")
      return line.hasPrefix("# ") && (isKey || body.hasPrefix("[inputs")) ? body : line
    }
    let everything = lines.joined(separator: "\n")
    let configuration = try Configuration(text: everything, file: file)
    for setting in Setting.allCases {
      #expect(everything.contains("\n\(setting.definition.key) = "), "\(setting.definition.key) is not in the sample")
      #expect(
        configuration.device.settings[setting] == DeviceConfiguration.standardSettings[setting],
        "\(setting.definition.key) is not shown with its default")
    }
    #expect(configuration.device.monitor != nil)
    #expect(configuration.device.cells?.expectedCells == 4)
  }
}
