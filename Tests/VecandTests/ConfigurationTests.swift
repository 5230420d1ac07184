import BMSCore
import BMSDevice
import CANBus
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
    #expect(configuration.remarks.count == 4)
    #expect(configuration.remarks.contains("battery.nominal_voltage is not there: 12 V is assumed"))
    #expect(configuration.remarks.contains("battery.battery_capacity is not there: 200 Ah is assumed"))
  }

  @Test("a bus of its own for the 11-bit frames: 500 kbit/s unless told, never the same interface")
  func batteryBus() throws {
    let configuration = try Configuration(
      text: "[bus]\ninterface = \"can0\"\nbattery_interface = \"can1\"", file: "test.toml")
    #expect(configuration.batteryBus?.interface == "can1")
    #expect(configuration.batteryBus?.bitrate == 500_000)
    #expect(configuration.device.hasBatteryBus)
    #expect(try Configuration(text: "[bus]\ninterface = \"can0\"", file: "test.toml").device.hasBatteryBus == false)
    let same = problems("[bus]\ninterface = \"can0\"\nbattery_interface = \"can0\"")
    #expect(same.count == 1 && same[0].contains("battery_interface"))
    let rate = problems("[bus]\ninterface = \"can0\"\nbattery_interface = \"can1\"\nbattery_bitrate = 300")
    #expect(rate.count == 1 && rate[0].contains("300"))
    #expect(problems("[bus]\nbattery_bitrate = 250").count == 1)
  }

  @Test("a fan, a supply and a temperature of the BMS's own place are roles like others")
  func ownPlace() throws {
    let sender = "manufacturer = 137\nunique_number = 4711\n"
    let configuration = try Configuration(
      text: "[inputs.bms_temperature]\n\(sender)instance = 3\n[inputs.fan]\n\(sender)indicator = 1\n"
        + "[inputs.fan_2]\n\(sender)indicator = 2\n[inputs.supply]\n\(sender)indicator = 3", file: "test.toml")
    #expect(configuration.device.bmsTemperature?.place == .batteryStatus(instance: 3))
    #expect(configuration.device.indicators[.fan]?.indicator == 1)
    #expect(configuration.device.indicators[.secondFan]?.indicator == 2)
    #expect(configuration.device.indicators[.supply]?.indicator == 3)
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
    #expect(
      problems("[battery]\nlow_soc_warning = 5") == [
        "line 2: battery.low_soc_warning: low_soc_warning 5 % is refused: discharge_floor is 10 % and may not lie above it "
          + "(R321); give discharge_floor a value here too"
      ])
    let configuration = try Configuration(
      text: "[battery]\nlow_soc_warning = 40\ndischarge_floor = 30", file: "test.toml")
    #expect(configuration.device.settings[.dischargeFloor] == 30)
    let other = try Configuration(text: "[battery]\ndischarge_floor = 4\nlow_soc_warning = 5", file: "test.toml")
    #expect(other.device.settings[.lowStateOfChargeWarning] == 5)
  }

  @Test("all contradictions come at once, each at its line, and none with a default in place of what was refused")
  func allContradictions() {
    let found = problems(
      """
      [battery]
      low_cell_voltage = 2.7
      pre_alarm_voltage = 2.7
      discharge_floor = 20
      low_soc_warning = 19
      cell_late = 4
      cell_stale = 3
      measurement_late = 2.5
      """)
    #expect(found.count == 4, "\(found)")
    #expect(
      found[0] == "line 2: battery.low_cell_voltage: low_cell_voltage 2.7 V is refused: pre_alarm_voltage is 2.7 V and "
        + "must lie above it (R343); change one of the two")
    #expect(
      found[1].hasPrefix("line 4: battery.discharge_floor: discharge_floor 20 % is refused: low_soc_warning is 19 %"))
    #expect(found[2].hasPrefix("line 6: battery.cell_late: cell_late 4 s is refused: cell_stale is 3 s"))
    #expect(found[3].hasPrefix("line 8: battery.measurement_late:"))
    #expect(
      found[3].hasSuffix(
        "measurement_stale is 2 s and may not lie below it (OD-20); give measurement_stale a value here too"))
    let misspelt = problems("[battery]\ndischarge_floor = 20\nlow_soc_warning = 300")
    #expect(misspelt.count == 1 && misspelt[0].hasPrefix("line 3: "), "\(misspelt)")
  }

  @Test("text that is no TOML names its line")
  func noTOML() {
    let found = problems("[bus]\ninterface = \n")
    #expect(found.count == 1)
    #expect(found[0].hasPrefix("line 2: "))
  }

  @Test("what nobody said of the battery is told, and of a battery that is told nothing is")
  func assumed() throws {
    func assumed(_ text: String) throws -> [String] {
      try Configuration(text: text, file: "test.toml").remarks.filter { $0.contains("assumed") }
    }
    #expect(
      try assumed("[battery]\nnominal_voltage = 24") == ["battery.battery_capacity is not there: 200 Ah is assumed"])
    #expect(try assumed("[battery]\nnominal_voltage = 12\nbattery_capacity = 200").isEmpty)
  }

  @Test("an input that takes whoever sends is told; one with a sender or by 11-bit frames is not")
  func anySender() throws {
    func told(_ text: String) throws -> [String] {
      try Configuration(text: text, file: "test.toml").remarks.filter { $0.contains("names no sender") }
    }
    #expect(
      try told("[inputs.monitor]\ninstance = 0").first?.hasPrefix("[inputs.monitor] names no sender: every") == true)
    #expect(try told("[inputs.monitor]\n[inputs.cells]\n[inputs.distributor_a]").count == 3)
    #expect(try told("[inputs.monitor]\nmanufacturer = 358\n[inputs.cells]\nunique_number = 1").isEmpty)
    let frames = "[inputs.monitor]\nplace = \"11-bit\"\n[inputs.cells]\nplace = \"11-bit\"\n"
    #expect(try told(frames + "[outputs]\nbattery_frames = false").isEmpty)
  }

  @Test(
    "R2: 4 cells a 12 V string times strings; another count is an error, one string of two is told",
    arguments: [
      (48, 1, 4, false), (48, 1, 16, true), (12, 1, 16, false), (12, 1, 5, false), (12, 2, 8, true), (12, 2, 12, false),
      (24, 1, 8, true), (24, 3, 16, true),
    ])
  func cellCount(volts: Int, strings: Int, count: Int, isTaken: Bool) throws {
    let text =
      "[battery]\nnominal_voltage = \(volts)\nbatteries_in_parallel = \(strings)\n[inputs.cells]\nunique_number = 1\n"
      + "count = \(count)"
    #expect(problems(text).isEmpty == isTaken)
    guard isTaken else {
      #expect(
        problems(text).first?.hasPrefix("line 6: inputs.cells.count: \(count) does not fit: \(volts) V are") == true)
      return
    }
    let told = try Configuration(text: text, file: "test.toml").remarks.filter { $0.contains("count") }
    #expect(
      told == (count < volts / 3 * strings ? ["inputs.cells.count is 16 of 24 cells: nobody watches the others"] : []))
  }

  @Test("a state directory is absolute; one that cannot be made is told, one that is there or only lacks itself is not")
  func stateDirectory() throws {
    func told(_ directory: String) throws -> [String] {
      try Configuration(text: "[state]\ndirectory = \"\(directory)\"", file: "test.toml").stateRemarks
    }
    #expect(
      problems("[state]\ndirectory = \"state\"") == [
        "line 2: state.directory: \"state\" is not absolute: begin it with /"
      ])
    #expect(problems("[state]\ndirectory = \"\"").count == 1)
    #expect(try told("/tmp").isEmpty && told("/tmp/vecand-that-is-not-there").isEmpty)
    #expect(
      try told("/tmp/none-such/state").first?.contains(
        "/tmp/none-such/state is not there, and neither is /tmp/none-such")
        == true)
    #expect(try told("/etc/passwd").first?.contains("is no directory") == true)
  }

  @Test("bytes that are no UTF-8 are an error with their line, in a comment too")
  func notUTF8() throws {
    let bytes = Array("[bus]\n# Akku ".utf8) + [0xFC] + Array("\ninterface = \"can0\"\n".utf8)
    let error = #expect(throws: ConfigurationError.self) { try Configuration(bytes: bytes, file: "test.toml") }
    #expect(error?.description == "test.toml: line 2: is not UTF-8 text: save the file with that encoding")
    #expect(try Configuration(bytes: Array("# ü\n[bus]\ninterface = \"can0\"".utf8), file: "a").interface == "can0")
  }

  @Test("a table's name that begins as none does is an error with its line, and ends nothing", arguments: "=,#.-'\"[")
  func tableName(_ letter: Character) {
    let found = problems("[bus]\ninterface = \"can0\"\n[\(letter)state]\n")
    #expect(found.count == 1 && found[0].hasPrefix("line 3: "), "\(found)")
  }

  @Test("a file that was damaged anywhere is read or refused, and ends nothing")
  func damaged() throws {
    let file = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/Config/simulator.toml"
    let whole = try TextFile.bytes(file)
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<3000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0...2, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.insert(Array("=\"'[]{}#\n.,\\0".utf8).randomElement(using: &generator) ?? 0, at: place)
        default: bytes.removeSubrange(place..<min(place + 20, bytes.count))
        }
      }
      do {
        _ = try Configuration(bytes: bytes, file: file).remarks
      } catch {
        #expect(!error.problems.isEmpty && error.problems.allSatisfy { !$0.message.isEmpty })
      }
    }
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
      return line.hasPrefix("# ") && (isKey || body.hasPrefix("[inputs") || body.hasPrefix("[outputs")) ? body : line
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
    #expect(Set(configuration.device.switches.keys) == Set(WiredRole.outputs))
    #expect(Set(configuration.device.indicators.keys) == Set(WiredRole.indicatorInputs))
    #expect(Set(configuration.device.distributors.keys) == Set(WiredRole.distributors))
    #expect(configuration.device.precharge == Precharge())
    #expect(configuration.device.fuseNames == FuseNames())
    #expect(configuration.device.wiring.contactors == .two)
  }
}

@Suite("The wiring in the configuration file")
struct WiringConfigurationTests {
  private static let module = "manufacturer = 137\nunique_number = 4711\n"
  private static let contactor = "[outputs.contactor]\n\(module)bank = 3\nindicator = 1\n"
  private static let precharge = "[outputs.precharge]\n\(module)bank = 3\nindicator = 2\n"
  private static let system = "[inputs.system_voltage]\nunique_number = 5\ninstance = 1\n"

  private func problems(_ text: String) -> [String] {
    do {
      _ = try Configuration(text: text, file: "test.toml")
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  @Test("contactor, pre-charge and system voltage together are a device that commands one contactor")
  func complete() throws {
    let configuration = try Configuration(
      text: Self.contactor + Self.precharge + "resistance = 2.2\ntimeout = 4\n" + Self.system, file: "test.toml")
    #expect(configuration.device.wiring.contactors == .one)
    #expect(configuration.device.wiring.precharge.resistance == 2.2)
    #expect(configuration.device.wiring.precharge.timeout == .seconds(4))
    let wiring = try #require(configuration.device.switches[.contactor])
    #expect(
      wiring.indicator
        == IndicatorWiring(sender: DeviceSelector(manufacturer: 137, uniqueNumber: 4711), bank: 3, indicator: 1))
    #expect(wiring.command == .groupFunction)
    #expect(configuration.device.systemVoltage?.place == .batteryStatus(instance: 1))
    // The one remark that matters: nothing sees a welded contactor.
    #expect(configuration.remarks.contains { $0.contains("[inputs.contactor_feedback]") })
  }

  @Test("a contactor without pre-charge, and a pre-charge without system voltage, are errors with their lines")
  func contradictions() {
    #expect(problems(Self.contactor + Self.system).first?.hasPrefix("line 1: outputs.contactor: needs") == true)
    #expect(problems(Self.contactor + Self.precharge).first?.hasPrefix("line 6: outputs.precharge: needs") == true)
    #expect(problems(Self.precharge + Self.system).first?.contains("nothing to pre-charge for") == true)
    let second = "[outputs.contactor_2]\n\(Self.module)indicator = 4\n"
    #expect(problems(second).first?.contains("second of two") == true)
    let feedback = "[inputs.contactor_feedback_2]\n\(Self.module)indicator = 4\n"
    #expect(problems(feedback).first?.contains("outputs.contactor_2") == true)
  }

  @Test("all problems of the wiring come at once")
  func all() {
    let found = problems(
      """
      [outputs.atc]
      bank = 300
      [outputs.aux]
      manufacturer = 137
      indicator = 29
      command = "127503"
      refresh = 0.1
      [inputs.remote]
      unique_number = 1
      """)
    #expect(found.count == 7)
    #expect(found.contains { $0.hasPrefix("line 2: outputs.atc.bank: 300 is out of range") })
    #expect(found.contains { $0.contains("outputs.atc.indicator: is missing") })
    #expect(found.contains { $0.contains("outputs.atc.unique_number: is missing") })
    #expect(found.contains { $0.hasPrefix("line 5: outputs.aux.indicator: 29 is out of range: 1 to 28") })
    #expect(found.contains { $0.hasPrefix("line 6: outputs.aux.command:") && $0.contains("\"126208\", \"127502\"") })
    #expect(found.contains { $0.hasPrefix("line 7: outputs.aux.refresh:") })
    #expect(found.contains { $0.contains("inputs.remote.indicator: is missing") })
  }

  @Test("one indicator for two contacts is an error, also between output and input")
  func sharedIndicator() {
    let other = "[outputs.atc]\n\(Self.module)bank = 3\nindicator = 1\n"
    let found = problems(Self.contactor + Self.precharge + other + Self.system)
    #expect(found.count == 1)
    #expect(found.first?.contains("one indicator is one contact") == true)
    let feedback = "[inputs.contactor_feedback]\n\(Self.module)bank = 3\nindicator = 1\n"
    #expect(problems(Self.contactor + Self.precharge + feedback + Self.system).count == 1)
  }

  @Test(
    "an indicator is also shared where one device can fit both senders, and where it is one of a Distributor's four",
    arguments: [
      ("unique_number = 4711\n", true), ("manufacturer = 137\nfunction = 140\n", true),
      ("unique_number = 4712\n", false), ("manufacturer = 138\nunique_number = 4711\n", false),
    ])
  func overlappingSenders(sender: String, isShared: Bool) {
    let feedback = "[inputs.contactor_feedback]\n\(sender)bank = 3\nindicator = 1\n"
    let found = problems(Self.contactor + Self.precharge + feedback + Self.system)
    #expect(found.count == (isShared ? 1 : 0), "\(found)")
    #expect(found.allSatisfy { $0.contains("may also be that of") && $0.contains("name both by the same part") })
    for (first, shares) in [(1, true), (2, true), (3, false)] {
      let fuses =
        "[inputs.distributor_a]\nplace = \"127501\"\n\(sender)bank = 3\nfirst_indicator = \(first)\n"
      let found = problems(Self.contactor + Self.precharge + Self.system + fuses)
      #expect(found.count == (isShared && shares ? 1 : 0), "\(first): \(found)")
      #expect(found.allSatisfy { $0.contains("inputs.distributor_a.first_indicator: may also be that of") })
    }
  }

  @Test(
    "a mistake is told once, and not again by what follows from it",
    arguments: [
      contactor.replacing("indicator = 1", with: "indicator = 0") + precharge + system,
      contactor + precharge.replacing("indicator = 2", with: "indicator = 29") + system,
      contactor + precharge + system.replacing("instance = 1", with: "instance = 253"),
      contactor + precharge + "[inputs]\nsystem_voltage = 1\n",
      "[inputs.monitor]\nunique_number = 5\n" + system.replacing("instance = 1", with: "instance = 253"),
      "[inputs.monitor]\nunique_number = 5\ninstance = \"0\"\n"
        + system.replacing("instance = 1", with: "instance = 0"),
      contactor.replacing("bank = 3", with: "bank = 300") + precharge + system
        + "[outputs.atc]\nmanufacturer = 137\nunique_number = 4711\nbank = 0\nindicator = 1\n",
      "[outputs.atc]\nunique_number = 3000000\nindicator = 1\n",
      "[inputs.system_voltage]\nunique_number = 5\nplace = \"registr\"\n",
      "[inputs.distributor_a]\nunique_number = 5\nplace = \"127502\"\nfirst_indicator = 1\n",
      "[inputs.monitor]\nplace = \"11-bit\"\n[outputs]\nbattery_frames = \"no\"\n",
      "[bus]\nbattery_interface = \"\"\nbattery_bitrate = 250\n",
      "[battery]\nnominal_voltage = 47\n[inputs.cells]\nunique_number = 1\ncount = 16\n",
    ])
  func onlyOnce(text: String) {
    let found = problems(text)
    #expect(found.count == 1, "\(found)")
  }

  @Test("the battery's own instance is no system voltage, and a register has no instance")
  func systemVoltage() {
    let monitor = "[inputs.monitor]\nunique_number = 5\ninstance = 1\n"
    #expect(problems(monitor + Self.system).first?.contains("the battery's own voltage") == true)
    let other = "[inputs.monitor]\nmanufacturer = 358\ninstance = 1\n"
    #expect(problems(other + Self.system).first?.contains("may be the battery's own voltage") == true)
    let apart = "[inputs.monitor]\nmanufacturer = 358\nunique_number = 6\ninstance = 1\n"
    #expect(problems(apart + Self.system).isEmpty)
    #expect(problems("[inputs.system_voltage]\nplace = \"register\"\ninstance = 1").count == 1)
    #expect(problems("[inputs.system_voltage]\nunique_number = 1").count == 1)
    #expect(problems("[inputs.monitor]\nplace = \"d-bus\"").first?.contains("\"127508\", \"registers\"") == true)
  }

  @Test("fuse names are taken over, empty ones too; a name of 17 characters is refused (R259, R260)")
  func fuses() throws {
    let configuration = try Configuration(
      text: "[fuses]\nfuse_1 = \"Windlass\"\nfuse_2 = \"\"\nfuse_16 = \"1234567890123456\"", file: "test.toml")
    #expect(configuration.device.fuseNames.names[0] == "Windlass")
    #expect(configuration.device.fuseNames.names[1] == "")
    #expect(configuration.device.fuseNames.names[15] == "1234567890123456")
    #expect(problems("[fuses]\nfuse_3 = \"12345678901234567\"").count == 1)
  }
}
