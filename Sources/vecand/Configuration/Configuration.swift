import BMSCore
import BMSDevice
import ControlAPI
import NMEA2000
import TOMLReading

/// What the configuration file says: wiring and identity, and the battery's settings at start.
struct Configuration {
  /// Read when the command line names no other, if it is there.
  static let standardFile = "/etc/vecand/vecand.toml"

  /// The SocketCAN interface; nil when neither file nor command line names one.
  var interface: String?
  /// The bus that the 11-bit frames have for themselves; nil when they share the interface.
  var batteryBus: BatteryBus?
  /// Where state is kept.
  var stateDirectory = "/var/lib/vecand"
  /// The sockets for people and their tools.
  var control = Control()
  /// The device: identity, settings, wiring, what it publishes.
  var device = DeviceConfiguration()
  /// What stands in the file under [inputs] and [outputs], also where it could not be understood.
  var named: Set<WiredRole> = []
  /// What nobody said of the battery, so that a default stands for it.
  var assumed: [Setting] = [.nominalVoltage, .batteryCapacity]
}

extension Configuration {
  /// Who may ask and command, by which socket.
  struct Control {
    /// For owner and group: questions and commands; nil for none.
    var socket: String? = ControlPath.socket
    /// For everybody on this machine: questions; nil for none.
    var readingSocket: String?

    /// Whether both sockets would be one file, however the paths are written.
    var isOnePlace: Bool {
      guard let socket, let readingSocket else { return false }
      return ControlSocket.place(ofPath: socket) == ControlSocket.place(ofPath: readingSocket)
    }

    var sockets: [ControlSocket] {
      var sockets: [ControlSocket] = []
      if let socket { sockets.append(ControlSocket(path: socket, mode: 0o660, isReadOnly: false)) }
      if let readingSocket { sockets.append(ControlSocket(path: readingSocket, mode: 0o666, isReadOnly: true)) }
      return sockets
    }
  }

  /// An interface of its own for the 11-bit frames.
  struct BatteryBus {
    var interface: String
    /// What the bus should have, bit/s: BMS-CAN ports of a GX use 500,000.
    var bitrate: UInt32 = 500_000
  }
}

/// The problems that make a configuration unusable, all at once.
struct ConfigurationError: Error, CustomStringConvertible {
  var file: String
  var problems: [TOMLProblem]

  var description: String {
    problems.map { "\(file): \($0)" }.joined(separator: "\n")
  }
}

extension Configuration {
  /// Reads a configuration from the bytes of a file, which are to be UTF-8.
  ///
  /// - Throws: ``ConfigurationError`` with every problem found.
  init(bytes: [UInt8], file: String) throws(ConfigurationError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      // Repaired, the text would hold other characters than the file.
      let line = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        .firstIndex { String(validating: $0, as: UTF8.self) == nil }
      let problem = TOMLProblem(
        line: line.map { $0 + 1 }, key: "", message: "is not UTF-8 text: save the file with that encoding")
      throw ConfigurationError(file: file, problems: [problem])
    }
    try self.init(text: text, file: file)
  }

  /// Reads a configuration.
  ///
  /// - Parameters:
  ///   - text: TOML.
  ///   - file: the file's name, for the messages.
  /// - Throws: ``ConfigurationError`` with every problem found.
  init(text: String, file: String) throws(ConfigurationError) {
    self.init()
    let reader = TOMLReader()
    if let top = reader.parse(text) {
      if let bus = top.section("bus") { readBus(bus) }
      if let identity = top.section("identity") { readIdentity(identity) }
      let before = reader.problems.count
      if let battery = top.section("battery") {
        battery.readSettings(into: &device.settings)
        assumed.removeAll { battery.has($0.definition.key) }
      }
      // A count that contradicts a voltage which was refused would be a second error for one mistake.
      let isBatteryKnown = reader.problems.count == before
      if let inputs = top.section("inputs") { readInputs(inputs) }
      if let outputs = top.section("outputs") { readOutputs(outputs) }
      if let fuses = top.section("fuses") { readFuses(fuses) }
      if let state = top.section("state") {
        if let directory = state.string("directory") {
          stateDirectory = directory
          // The daemon's own place is where the service manager starts it.
          if !directory.hasPrefix("/") {
            state.report("directory", "\"\(directory)\" is not absolute: begin it with /")
          }
        }
        state.finish()
      }
      if let control = top.section("control") { readControl(control) }
      top.finish()
      checkWiring(reader)
      if isBatteryKnown { checkCount(reader) }
    }
    if !reader.problems.isEmpty {
      throw ConfigurationError(file: file, problems: reader.problems)
    }
  }

  private mutating func readBus(_ bus: TOMLSection) {
    interface = readInterface(bus, "interface")
    let hasBatteryBus = bus.has("battery_interface")
    if let name = readInterface(bus, "battery_interface") {
      batteryBus = BatteryBus(interface: name)
      device.hasBatteryBus = true
      if name == interface {
        bus.report("battery_interface", "is the same as interface: leave it out, and 11-bit frames go there")
      }
    }
    if let rate = bus.integer("battery_bitrate", 250...500) {
      if !hasBatteryBus { bus.report("battery_bitrate", "belongs to battery_interface") }
      if rate != 250, rate != 500 { bus.report("battery_bitrate", "\(rate) is neither 250 nor 500 kbit/s") }
      batteryBus?.bitrate = UInt32(rate) * 1000
    }
    bus.finish()
  }

  private mutating func readControl(_ section: TOMLSection) {
    for (key, place) in [("socket", \Control.socket), ("reading_socket", \Control.readingSocket)] {
      guard let path = section.string(key) else { continue }
      // "" is none.
      control[keyPath: place] = path.isEmpty ? nil : path
      if !path.isEmpty, let fault = ControlSocket.fault(ofPath: path) { section.report(key, fault) }
    }
    if control.isOnePlace {
      section.report("reading_socket", "is the same as socket: choose another path, or leave it out")
    }
    section.finish()
  }

  private func readInterface(_ bus: TOMLSection, _ key: String) -> String? {
    guard let name = bus.string(key) else { return nil }
    // The kernel's names have at most 15 bytes (IFNAMSIZ).
    guard !name.isEmpty, name.utf8.count <= 15 else {
      bus.report(key, "an interface's name has 1 to 15 characters, as can0")
      return nil
    }
    return name
  }

  private mutating func readIdentity(_ identity: TOMLSection) {
    if let number = identity.integer("unique_number", 0...0x1F_FFFF) { device.identity.uniqueNumber = UInt32(number) }
    if let code = identity.integer("manufacturer", 0...2046) { device.identity.manufacturer = UInt16(code) }
    if let instance = identity.integer("device_instance", 0...252) {
      device.identity.deviceInstance = UInt8(instance)
    }
    if let instance = identity.integer("system_instance", 0...15) { device.identity.systemInstance = UInt8(instance) }
    if let address = identity.integer("preferred_address", 0...251) {
      device.identity.preferredAddress = UInt8(address)
    }
    if let name = identity.string("installation_description_1") { device.identity.installationDescription1 = name }
    if let name = identity.string("installation_description_2") { device.identity.installationDescription2 = name }
    identity.finish()
  }
}

extension Configuration {
  /// What will be missing of the state's place on this machine. The daemon makes the last folder itself.
  var stateRemarks: [String] {
    if TextFile.isDirectory(stateDirectory) { return [] }
    let parent = stateDirectory.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    let why: String
    if TextFile.exists(stateDirectory) {
      why = "is no directory"
    } else if !TextFile.isDirectory(parent.isEmpty ? "/" : parent) {
      why = "is not there, and neither is \(parent)"
    } else {
      return []
    }
    return ["state.directory \(stateDirectory) \(why): nothing would outlive a restart (V-B49)"]
  }
}
