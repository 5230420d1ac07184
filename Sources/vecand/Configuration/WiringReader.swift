import BMSCore
import BMSDevice
import MonotonicTime
import NMEA2000
import TOMLReading

// [inputs] and [outputs]: which role is wired to which place, and what of it cannot work (design section 4).

extension Configuration {
  mutating func readInputs(_ inputs: TOMLSection) {
    note(inputs, "inputs.")
    if let section = inputs.section("monitor") { device.monitor = readMonitor(section) }
    if let section = inputs.section("cells") { device.cells = readCells(section) }
    if let section = inputs.section("system_voltage") { device.systemVoltage = readValue(section) }
    if let section = inputs.section("battery_temperature") { device.batteryTemperature = readValue(section) }
    if let section = inputs.section("bms_temperature") { device.bmsTemperature = readValue(section) }
    for role in WiredRole.indicatorInputs {
      guard let section = inputs.section(Self.lastKey(of: role)) else { continue }
      if var indicator = readIndicator(section) {
        indicator.isInverted = section.bool("inverted") ?? false
        device.indicators[role] = indicator
      }
      section.finish()
    }
    for role in WiredRole.distributors {
      guard let section = inputs.section(Self.lastKey(of: role)) else { continue }
      device.distributors[role] = readDistributor(section)
    }
    inputs.finish()
  }

  private mutating func note(_ section: TOMLSection, _ prefix: String) {
    named.formUnion(WiredRole.allCases.filter { $0.key.hasPrefix(prefix) && section.has(Self.lastKey(of: $0)) })
  }

  mutating func readOutputs(_ outputs: TOMLSection) {
    note(outputs, "outputs.")
    if let instance = outputs.integer("battery_instance", 0...252) { device.batteryInstance = UInt8(instance) }
    if let instance = outputs.integer("switch_bank_instance", 0...252) { device.switchBankInstance = UInt8(instance) }
    if let frames = outputs.bool("battery_frames") { device.sendsBatteryFrames = frames }
    for role in WiredRole.outputs {
      guard let section = outputs.section(Self.lastKey(of: role)) else { continue }
      if let output = readSwitch(section) { device.switches[role] = output }
      if role == .precharge { readPrecharge(section) }
      section.finish()
    }
    outputs.finish()
  }

  mutating func readFuses(_ fuses: TOMLSection) {
    for number in 1...FuseNames.count {
      let key = "fuse_\(number)"
      guard let name = fuses.string(key) else { continue }
      if !device.fuseNames.set(name, of: number) {
        fuses.report(key, "\"\(name)\" is too long: at most \(FuseNames.longest) characters (R259)")
      }
    }
    fuses.finish()
  }

  private static func lastKey(of role: WiredRole) -> String {
    role.key.split(separator: ".").last.map(String.init) ?? role.key
  }

  // MARK: Places

  /// Who sends: by what its NAME says, never by its address, for addresses move.
  private func readSender(_ section: TOMLSection) -> DeviceSelector {
    var sender = DeviceSelector()
    if let code = section.integer("manufacturer", 0...2047) { sender.manufacturer = UInt16(code) }
    if let number = section.integer("unique_number", 0...0x1F_FFFF) { sender.uniqueNumber = UInt32(number) }
    if let number = section.integer("function", 0...255) { sender.function = UInt8(number) }
    if let number = section.integer("class", 0...127) { sender.deviceClass = UInt8(number) }
    if let number = section.integer("device_instance", 0...255) { sender.deviceInstance = UInt8(number) }
    return sender
  }

  /// Whether anything says who sends, right or wrong.
  private func namesSender(_ section: TOMLSection) -> Bool {
    ["manufacturer", "unique_number", "function", "class", "device_instance"].contains { section.has($0) }
  }

  /// The place by its name; what is no place is reported with those that are.
  private func readPlace<Place: RawRepresentable<String> & CaseIterable>(
    _ section: TOMLSection, _ key: String
  ) -> Place? {
    guard let text = section.string(key) else { return nil }
    if let place = Place(rawValue: text) { return place }
    let known = Place.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    section.report(key, "\"\(text)\" is no place for this; known are \(known)")
    return nil
  }

  private func readMonitor(_ section: TOMLSection) -> MonitorWiring {
    var wiring = MonitorWiring(sender: readSender(section))
    if let place: MonitorWiring.Place = readPlace(section, "place") { wiring.place = place }
    if let instance = section.integer("instance", 0...252) {
      wiring.instance = UInt8(instance)
      if wiring.place != .batteryStatus {
        section.report("instance", "there is no data instance: leave it out, or set place = \"127508\"")
      }
    }
    if wiring.place == .batteryFrames { refuseSender(section, wiring.sender) }
    section.finish()
    return wiring
  }

  private func readCells(_ section: TOMLSection) -> CellWiring {
    var wiring = CellWiring(sender: readSender(section))
    if let place: CellWiring.Place = readPlace(section, "place") { wiring.place = place }
    if let count = section.integer("count", 1...320) { wiring.expectedCells = count }
    if wiring.place == .batteryFrames {
      refuseSender(section, wiring.sender)
      if section.has("count") { section.report("count", "0x373 carries extremes: leave it out") }
    }
    section.finish()
    return wiring
  }

  private func refuseSender(_ section: TOMLSection, _ sender: DeviceSelector) {
    guard sender != DeviceSelector() else { return }
    section.report("place", "11-bit frames name no sender: leave manufacturer, unique_number and the like out")
  }

  private enum ValuePlace: String, CaseIterable {
    case batteryStatus = "127508"
    case register = "register"
  }

  private func readValue(_ section: TOMLSection) -> ValueWiring {
    let place: ValuePlace? = section.has("place") ? readPlace(section, "place") : .batteryStatus
    let instance = section.integer("instance", 0...252)
    switch place {
    case nil: break
    case .batteryStatus:
      if !section.has("instance") {
        section.report("instance", "is missing: the data instance of the 127508 that carries it, 0 to 252")
      }
    case .register:
      if section.has("instance") {
        section.report("instance", "a register has no data instance: leave it out, or set place = \"127508\"")
      }
    }
    let sender = readSender(section)
    section.finish()
    return ValueWiring(
      sender: sender, place: place == .register ? .register : .batteryStatus(instance: UInt8(instance ?? 0)))
  }

  private enum DistributorPlace: String, CaseIterable {
    case registers = "registers"
    case bank = "127501"
  }

  private func readDistributor(_ section: TOMLSection) -> DistributorWiring {
    let place: DistributorPlace? = section.has("place") ? readPlace(section, "place") : .registers
    let sender = readSender(section)
    let bank = section.integer("bank", 0...252)
    let first = section.integer("first_indicator", 1...BinarySwitchBankStatus.indicatorCount - 3)
    let isInverted = section.bool("inverted")
    var wiring = DistributorWiring(sender: sender)
    switch place {
    case nil: break
    case .registers:
      for key in ["bank", "first_indicator", "inverted"] where section.has(key) {
        section.report(key, "belongs to place = \"127501\"")
      }
    case .bank:
      if !namesSender(section) { section.report("unique_number", "is missing: say whose bank it is") }
      if !section.has("first_indicator") {
        section.report("first_indicator", "is missing: the indicator of the first of four fuses, 1 to 25")
      }
      wiring.place = .bank(
        instance: UInt8(bank ?? 0), firstFuse: UInt8(first ?? 1), isInverted: isInverted ?? false)
    }
    section.finish()
    return wiring
  }

  private func readIndicator(_ section: TOMLSection) -> IndicatorWiring? {
    let sender = readSender(section)
    let bank = section.integer("bank", 0...252)
    let indicator = section.integer("indicator", 1...BinarySwitchBankStatus.indicatorCount)
    if !namesSender(section) {
      section.report(
        "unique_number", "is missing: say whose bank it is, or any device with such a bank would be taken")
    }
    if !section.has("indicator") { section.report("indicator", "is missing: 1 to 28, as in the module's 127501") }
    guard let indicator else { return nil }
    return IndicatorWiring(sender: sender, bank: UInt8(bank ?? 0), indicator: UInt8(indicator))
  }

  private func readSwitch(_ section: TOMLSection) -> SwitchWiring? {
    let indicator = readIndicator(section)
    let command: SwitchWiring.Command? = readPlace(section, "command")
    let refresh = section.number("refresh")
    if let refresh, !(0.2...60 ~= refresh) {
      section.report("refresh", "\(refresh) is out of range: 0.2 to 60 s")
    }
    return indicator.map {
      SwitchWiring($0, command: command ?? .groupFunction, refresh: refresh.map { TimeSpan(seconds: $0) })
    }
  }

  private mutating func readPrecharge(_ section: TOMLSection) {
    let standard = Precharge()
    let resistance = section.number("resistance") ?? standard.resistance
    let success = section.number("success") ?? standard.successShare * 100
    let energy = section.number("energy") ?? standard.energyLimit
    let timeout = section.number("timeout") ?? standard.timeout.seconds
    if !(0.01...1000 ~= resistance) { section.report("resistance", "\(resistance) is out of range: 0.01 to 1000 Ohm") }
    if !(50...99 ~= success) { section.report("success", "\(success) is out of range: 50 to 99 %") }
    if !(1...1e6 ~= energy) { section.report("energy", "\(energy) is out of range: 1 to 1000000 J") }
    if !(0.5...60 ~= timeout) { section.report("timeout", "\(timeout) is out of range: 0.5 to 60 s") }
    guard 0.5...60 ~= timeout,
      let circuit = Precharge(
        resistance: resistance, successShare: success / 100, energyLimit: energy, timeout: TimeSpan(seconds: timeout))
    else { return }
    device.precharge = circuit
  }

  // MARK: What cannot work

  /// Wiring that contradicts itself, or that leaves a role that cannot do its work. All of it at once.
  func checkWiring(_ reader: TOMLReader) {
    func require(_ isThere: Bool, _ role: WiredRole, _ message: String) {
      if !isThere { reader.report(role.key, message) }
    }
    if named.contains(.contactor) {
      require(
        named.contains(.precharge), .contactor,
        "needs [outputs.precharge]: no contactor is closed before a pre-charge (R20)")
    }
    if named.contains(.precharge) {
      require(named.contains(.contactor), .precharge, "without [outputs.contactor] there is nothing to pre-charge for")
      require(
        named.contains(.systemVoltage), .precharge,
        "needs [inputs.system_voltage]: without it nobody sees when the pre-charge is complete")
    }
    if named.contains(.secondContactor) {
      require(named.contains(.contactor), .secondContactor, "is the second of two: [outputs.contactor] is missing")
    }
    if named.contains(.secondContactorFeedback) {
      require(
        named.contains(.secondContactor), .secondContactorFeedback, "without [outputs.contactor_2] it says nothing")
    }
    if let monitor = device.monitor, monitor.place == .batteryStatus, let system = device.systemVoltage,
      system.place == .batteryStatus(instance: monitor.instance), system.sender.overlaps(monitor.sender),
      !reader.hasProblem(in: WiredRole.monitor.key), !reader.hasProblem(in: WiredRole.systemVoltage.key)
    {
      reader.report(
        "inputs.system_voltage.instance",
        system.sender == monitor.sender
          ? "is the battery's own voltage: [inputs.monitor] has the same instance"
          : "may be the battery's own voltage: [inputs.monitor] has the same instance, and \(Self.tellApart)")
    }
    if device.usesBatteryFrames, device.sendsBatteryFrames, !reader.hasProblem(in: "outputs.battery_frames") {
      reader.report(
        "outputs.battery_frames",
        "must be false where place = \"11-bit\": the battery sends the same frames on this bus, and nobody could tell them "
          + "apart")
    }
    checkIndicators(reader)
  }

  /// Too few cells would leave some that nobody watches, and more than there are never come.
  func checkCount(_ reader: TOMLReader) {
    guard let count = device.cells?.expectedCells else { return }
    let settings = device.settings
    let (series, all) = (settings.cellsInSeries, cellCount)
    guard count % series != 0 || count > all else { return }
    let volts = Setting.nominalVoltage.valueText(of: settings[.nominalVoltage])
    reader.report(
      "inputs.cells.count",
      "\(count) does not fit: \(volts) are \(series) cells in series, batteries_in_parallel = "
        + "\(settings[.batteriesInParallel].text(upTo: 0)) make \(all)")
  }

  /// All cells of the bank.
  private var cellCount: Int { device.settings.cellsInSeries * Int(device.settings[.batteriesInParallel]) }

  /// The way out where two senders are named by different parts of a NAME.
  private static let tellApart = "one device can fit both senders: name both by the same part, as unique_number"

  /// One indicator is one contact. An auxiliary contact may not be the coil that it is to watch.
  private func checkIndicators(_ reader: TOMLReader) {
    var taken: [IndicatorUse] = []
    for use in indicatorUses where !reader.hasProblem(in: use.role.key) {
      if let other = taken.first(where: { $0.mayShare(use) }) {
        let key = "\(use.role.key).\(use.isFuse ? "first_indicator" : "indicator")"
        reader.report(
          key,
          other.sender == use.sender
            ? "is also that of [\(other.role.key)]: one indicator is one contact"
            : "may also be that of [\(other.role.key)]: one indicator is one contact, and \(Self.tellApart)")
      }
      taken.append(use)
    }
  }

  /// The indicators of a bank that a role takes.
  private struct IndicatorUse {
    let role: WiredRole
    let sender: DeviceSelector
    let bank: UInt8
    let indicators: ClosedRange<UInt8>

    var isFuse: Bool { indicators.count > 1 }

    func mayShare(_ other: IndicatorUse) -> Bool {
      bank == other.bank && indicators.overlaps(other.indicators) && sender.overlaps(other.sender)
    }
  }

  private var indicatorUses: [IndicatorUse] {
    let contacts =
      WiredRole.outputs.compactMap { role in device.switches[role].map { (role, $0.indicator) } }
      + WiredRole.indicatorInputs.compactMap { role in device.indicators[role].map { (role, $0) } }
    let fuses: [IndicatorUse] = WiredRole.distributors.compactMap { role in
      guard let wiring = device.distributors[role], case .bank(let bank, let first, _) = wiring.place
      else { return nil }
      return IndicatorUse(role: role, sender: wiring.sender, bank: bank, indicators: first...first + 3)
    }
    return contacts.map { role, wiring in
      IndicatorUse(
        role: role, sender: wiring.sender, bank: wiring.bank, indicators: wiring.indicator...wiring.indicator)
    } + fuses
  }

  /// The inputs that take whoever comes. 11-bit frames name no sender.
  private var anySenders: [String] {
    var senders: [(key: String, sender: DeviceSelector?)] = [
      ("inputs.system_voltage", device.systemVoltage?.sender),
      ("inputs.battery_temperature", device.batteryTemperature?.sender),
      ("inputs.bms_temperature", device.bmsTemperature?.sender),
    ]
    if let cells = device.cells, cells.place != .batteryFrames { senders.insert(("inputs.cells", cells.sender), at: 0) }
    if let monitor = device.monitor, monitor.place != .batteryFrames {
      senders.insert(("inputs.monitor", monitor.sender), at: 0)
    }
    senders += WiredRole.distributors.map { ($0.key, device.distributors[$0]?.sender) }
    return senders.filter { $0.sender == DeviceSelector() }.map(\.key)
  }

  /// What is allowed and most likely not meant.
  var remarks: [String] {
    var remarks = assumed.map {
      "battery.\($0.definition.key) is not there: \($0.valueText(of: device.settings[$0])) is assumed"
    }
    if device.monitor == nil {
      remarks.append("[inputs.monitor] is not there: voltage and current have no source, and limits forbid")
    }
    if device.cells == nil {
      remarks.append("[inputs.cells] is not there: cell voltages have no source, and limits forbid")
    }
    remarks += anySenders.map {
      "[\($0)] names no sender: every device that sends it fits, the wrong one too, and of two neither is used; add "
        + "manufacturer and unique_number (vecanctl devices shows them)"
    }
    if let count = device.cells?.expectedCells, count < cellCount {
      remarks.append("inputs.cells.count is \(count) of \(cellCount) cells: nobody watches the others")
    }
    if device.switches[.contactor] != nil, device.indicators[.contactorFeedback] == nil {
      remarks.append(
        "[inputs.contactor_feedback] is not there: what the module says of its relay is taken for the contactor, and a "
          + "welded contactor is not seen")
    }
    let isLarge = device.settings[.model] == 1000
    if isLarge, device.switches[.contactor] != nil, device.switches[.secondContactor] == nil {
      remarks.append("model = 1000 has two contactors (R5): [outputs.contactor_2] is not there")
    }
    if !isLarge, device.switches[.secondContactor] != nil {
      remarks.append("[outputs.contactor_2] is there although model = 500 has one contactor (R5)")
    }
    for role in WiredRole.outputs where device.switches[role]?.command == .switchBankControl {
      remarks.append("[\(role.key)] uses 127502: every module with that bank instance will switch")
    }
    return remarks
  }
}
