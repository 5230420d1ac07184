import BMSCore
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import VECan

/// Maps messages of the bus to the core's inputs, by the wiring. Nothing behind it knows a PGN or an address.
struct InputMapping: NodeApplication {
  /// The core's view of the outside; changed in place because of its cell table.
  var inputs = Inputs()
  /// When the frame that is being taken arrived.
  var arrival = Instant.origin
  /// Whether an input changed since the owner looked last.
  var changed = false
  /// The PGNs that somebody asked for, to be sent after the frame was taken.
  var requested: [PGN] = []
  /// What was asked of our registers.
  var server = RegisterServer(DeviceRegisters.all)
  /// What modules answered to commands, for the switchboard to take.
  var switchAnswers: [(module: Name, answer: SwitchAnswer)] = []

  /// The roles that are an indicator of a bank, inputs and outputs.
  let banks: [(role: WiredRole, indicator: IndicatorWiring)]
  /// Who sends the bank of a role: of one indicator, or of a Distributor's four.
  let bankSenders: [(role: WiredRole, sender: DeviceSelector)]
  /// The roles that have a source or a module.
  let wired: [WiredRole]

  private let configuration: DeviceConfiguration
  /// By the role's number; nil where nothing is wired.
  private var watches: [SenderWatch?]
  /// What the bank of an output says of it, by the role's number.
  private var readBacks: [(reading: Reading<Bool>, taken: Instant)?]
  private var expectedCells = 0
  /// What the battery's signals say, by ``WiredRole/signals``; nil while one never said anything.
  private var signals = WiredRole.signals.map { _ -> (isOn: Bool, taken: Instant)? in nil }
  /// What the battery's own BMS says in 0x351 and 0x35A.
  private var frames = BatteryFrameReport()
  /// Since when the bus is silent (R35) and nobody is asked for a bank; nil while banks are asked for.
  private var silentSince: Instant?
  /// When the last silence ended; nil when there was none.
  private var askedSince: Instant?
  /// What the pre-charge switch says of itself. The core sees it by ``settleContacts(within:at:)``.
  private var prechargeFeedback = ContactFeedback.unassigned
  /// Single cells are what the source sends; decided by the first register of either kind.
  private var reportsExtremes = false
  /// Who reported the cells last.
  private var cellSender: Name?
  /// The Distributors that their reader says it does not hear.
  private var lostDistributors = WiredRole.distributors.map { _ in false }

  init(configuration: DeviceConfiguration) {
    self.configuration = configuration
    watches = WiredRole.allCases.map { role in
      configuration.sender(of: role).map { SenderWatch(selector: $0) }
    }
    readBacks = WiredRole.allCases.map { _ in nil }
    banks =
      WiredRole.outputs.compactMap { role in configuration.switches[role].map { (role, $0.indicator) } }
      + WiredRole.indicatorInputs.compactMap { role in configuration.indicators[role].map { (role, $0) } }
    bankSenders =
      banks.map { ($0.role, $0.indicator.sender) }
      + WiredRole.distributors.compactMap { role in
        guard let wiring = configuration.distributors[role], case .bank = wiring.place else { return nil }
        return (role, wiring.sender)
      }
    wired = WiredRole.allCases.filter { configuration.sender(of: $0) != nil }
    switchAnswers.reserveCapacity(8)
    beginWaiting()
  }

  /// What is wired is waited for; what is not stays without a source.
  private mutating func beginWaiting() {
    if configuration.monitor != nil {
      inputs.batteryVoltage = .waiting
      inputs.current = .waiting
      inputs.batteryTemperature = .waiting
      inputs.reportedStateOfCharge = .waiting
    }
    if configuration.batteryTemperature != nil { inputs.batteryTemperature = .waiting }
    if configuration.cells != nil { inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting) }
    if configuration.systemVoltage != nil { inputs.systemVoltage = .waiting }
    if configuration.bmsTemperature != nil { inputs.bmsTemperature = .waiting }
    for (role, _) in banks { take(role) { $0 = .waiting } }
    inputs.battery.isWired =
      configuration.usesBatteryFrames || WiredRole.signals.contains { configuration.indicators[$0] != nil }
  }

  /// Other settings: the bank may have another number of cells.
  mutating func apply(_ settings: Settings) {
    expectedCells =
      configuration.cells?.expectedCells ?? settings.cellsInSeries * Int(settings[.batteriesInParallel])
    if inputs.cells.expectedCount > 0, inputs.cells.expectedCount != expectedCells {
      // Cells that were taken away would be missed for ever.
      inputs.cells.removeAll()
      inputs.cells.expectedCount = expectedCells
    }
    inputs.isControlEnabled = settings[.remoteControl] != 0
  }

  // MARK: Who is heard

  /// Who feeds a role. One that has not answered yet after the silence of Off is silent.
  func state(of role: WiredRole) -> SenderState {
    guard let watch = watches[Int(role.rawValue)] else { return .unwired }
    if case .heard(let name) = watch.state, let heard = watch.lastHeard, let askedSince, heard < askedSince,
      isAsked(role)
    {
      return .silent(name)
    }
    return watch.state
  }

  /// When the sender of a role was heard the last time; nil when it never was.
  func lastHeard(_ role: WiredRole) -> Instant? { watches[Int(role.rawValue)]?.lastHeard }

  /// What the bank of an output said last; nil when it never said anything.
  func readBack(of role: WiredRole) -> (reading: Reading<Bool>, taken: Instant)? { readBacks[Int(role.rawValue)] }

  mutating func tick(at now: Instant) {
    // Who is not asked is not forgotten: another that fits is no replacement.
    for role in wired where !isExcused(role, at: now) { watches[Int(role.rawValue)]?.tick(at: now) }
  }

  private mutating func accepts(_ sender: Name, for role: WiredRole) -> Bool {
    watches[Int(role.rawValue)]?.accepts(sender, at: arrival) == true
  }

  // MARK: The silence of Off

  /// What the contactor is not closed on an old word of. Without a word of any other contact it may be closed, so that an
  /// old one allows nothing.
  private static let closingRoles: [WiredRole] = [
    .remote, .contactor, .secondContactor, .precharge, .contactorFeedback, .secondContactorFeedback, .thermalSwitch,
    .secondThermalSwitch, .supply,
  ]

  /// Nobody is asked.
  var isSilent: Bool { silentSince != nil }

  /// The bus is silent from now on (R35), or is not any more.
  mutating func setSilent(_ isSilent: Bool, at now: Instant) {
    silentSince = isSilent ? now : nil
    askedSince = isSilent ? nil : now
  }

  /// Whether it means nothing that the sender of a role says nothing: its bank is not asked for, or was not for long. One
  /// that was lost before is lost.
  func isExcused(_ role: WiredRole, at now: Instant) -> Bool {
    if case .silent = watches[Int(role.rawValue)]?.state { return false }
    guard isSilent || askedSince.map({ now - $0 < SenderWatch.forgottenAfter }) ?? false else { return false }
    return isAsked(role)
  }

  /// Whether two that fit send the bank of one contact. Which of them is gone shows only when both are asked.
  var isBankAmbiguous: Bool {
    banks.contains { if case .ambiguous = state(of: $0.role) { true } else { false } }
  }

  /// Whether the bank of a role is asked for, but in the silence.
  private func isAsked(_ role: WiredRole) -> Bool { bankSenders.contains { $0.role == role } }

  /// Whether nothing is closed before this contact is heard: it was, but not since the silence.
  func isAwaited(_ role: WiredRole) -> Bool {
    guard isSilent || askedSince != nil, Self.closingRoles.contains(role), let word = readBack(of: role) else {
      return false
    }
    return askedSince.map { word.taken < $0 } ?? true
  }

  /// What the contacts say to the core's next step.
  ///
  /// In the silence a module that sends its bank on change says nothing because nothing changed. What counted when the
  /// silence began, or was said since, counts without age; what was lost before stays lost. And the core, which waits for a
  /// pre-charge switch that was not heard yet, waits until all that it closes on was heard again.
  ///
  /// - Parameters:
  ///   - age: for how long a contact counts otherwise.
  ///   - now: the present.
  mutating func settleContacts(within age: TimeSpan, at now: Instant) {
    if let silentSince {
      for (role, _) in banks {
        guard let word = readBack(of: role), silentSince - word.taken < age else { continue }
        // What counts of one is not what one of two says.
        if case .ambiguous = state(of: role) { continue }
        take(role) { if $0.validity == .valid { $0.taken = now } }
      }
    }
    let isAwaiting = prechargeFeedback.validity != .unassigned && banks.contains { isAwaited($0.role) }
    inputs.prechargeFeedback = isAwaiting ? .waiting : prechargeFeedback
  }

  // MARK: Messages

  mutating func received(_ header: MessageHeader, _ payload: RawSpan) {
    if header.pgn == VictronRegister.definition.pgn || header.pgn == ProprietaryFastPacket.definition.pgn {
      // Whoever asks is answered, with or without a NAME.
      server.receive(header, payload)
    }
    // A message whose sender's claim was not heard is nobody's: the node asks for the claim, and the next one counts.
    guard let sender = header.sender else { return }
    switch header.pgn {
    case BatteryStatus.definition.pgn: receive(BatteryStatus(payload: payload), from: sender)
    case DCDetailedStatus.definition.pgn: receive(DCDetailedStatus(payload: payload), from: sender)
    case BinarySwitchBankStatus.definition.pgn: receive(BinarySwitchBankStatus(payload: payload), from: sender)
    case GroupFunctionAcknowledge.definition.pgn:
      guard header.destination != BusAddress.global, payload.byteCount <= LongPayload.capacity else { return }
      receive(LongPayload(payload), from: sender)
    case VictronRegister.definition.pgn:
      // A register that is sent to one node is a command to it; reports go to all (vecan.md section 1).
      guard header.destination == BusAddress.global,
        let message = RegisterMessage(VictronRegister(payload: payload))
      else { return }
      receive(message, from: sender)
    default: break
    }
  }

  private mutating func receive(_ status: BatteryStatus, from sender: Name) {
    guard let instance = status.instance.value else { return }
    if let monitor = configuration.monitor, monitor.place == .batteryStatus, instance == Int(monitor.instance),
      accepts(sender, for: .monitor)
    {
      inputs.batteryVoltage.take(status.voltage, at: arrival)
      inputs.current.take(status.current, at: arrival)
      takeOwnTemperature(status.temperature.map { $0 - 273.15 })
      changed = true
    }
    if isInstance(instance, of: configuration.systemVoltage), accepts(sender, for: .systemVoltage) {
      inputs.systemVoltage.take(status.voltage, at: arrival)
      changed = true
    }
    if isInstance(instance, of: configuration.bmsTemperature), accepts(sender, for: .bmsTemperature) {
      inputs.bmsTemperature.take(status.temperature.map { $0 - 273.15 }, at: arrival)
      changed = true
    }
    if isInstance(instance, of: configuration.batteryTemperature), accepts(sender, for: .batteryTemperature) {
      inputs.batteryTemperature.take(status.temperature.map { $0 - 273.15 }, at: arrival)
      changed = true
    }
  }

  /// The temperature in the monitor's own messages. One without a sensor says "not available" in each, and is no source:
  /// the cells' temperatures count alone.
  private mutating func takeOwnTemperature(_ reading: Reading<Double>) {
    guard configuration.batteryTemperature == nil else { return }
    if reading == .notAvailable, inputs.batteryTemperature.lastGood == nil {
      inputs.batteryTemperature = .unassigned
    } else {
      inputs.batteryTemperature.take(reading, at: arrival)
    }
  }

  private func isInstance(_ instance: Int, of wiring: ValueWiring?) -> Bool {
    if case .batteryStatus(let wired) = wiring?.place { instance == Int(wired) } else { false }
  }

  private mutating func receive(_ status: DCDetailedStatus, from sender: Name) {
    guard let monitor = configuration.monitor, monitor.place == .batteryStatus,
      status.instance.value == Int(monitor.instance), accepts(sender, for: .monitor)
    else { return }
    inputs.reportedStateOfCharge.takePercent(status.stateOfCharge, at: arrival)
    changed = true
  }

  private mutating func receive(_ bank: BinarySwitchBankStatus, from sender: Name) {
    guard let instance = bank.instance.value else { return }
    for (role, indicator) in banks where Int(indicator.bank) == instance {
      guard accepts(sender, for: role) else { continue }
      let reading = bank[indicator: Int(indicator.indicator)]
      readBacks[Int(role.rawValue)] = (reading, arrival)
      let instant = arrival
      let seen = indicator.isInverted ? reading.map { !$0 } : reading
      take(role) { $0.take(seen, at: instant) }
      if let signal = WiredRole.signals.firstIndex(of: role), case .value(let isOn) = seen {
        signals[signal] = (isOn, arrival)
        reportBattery()
      }
      changed = true
    }
    for (index, role) in WiredRole.distributors.enumerated() {
      guard case .bank(let wired, let first, let isInverted) = configuration.distributors[role]?.place,
        Int(wired) == instance, hears(sender, index)
      else { continue }
      var blown: UInt8 = 0
      for fuse in 0..<4 {
        // What the module does not know is no blown fuse, and none that is good: the core has no third state for one.
        guard case .value(let isOn) = bank[indicator: Int(first) + fuse] else { continue }
        if isOn != isInverted { blown |= 1 << UInt8(fuse) }
      }
      inputs.distributors[index].blown = blown
    }
  }

  // MARK: Distributors

  /// Whether what this sender says of a Distributor counts. Two that say it are told as two (OD-16).
  private mutating func hears(_ sender: Name, _ index: Int) -> Bool {
    let role = WiredRole.distributors[index]
    let isAccepted = accepts(sender, for: role)
    if case .ambiguous = state(of: role) {
      inputs.distributors[index].isDuplicate = true
      inputs.distributors[index].taken = arrival
      changed = true
      return false
    }
    guard isAccepted else { return false }
    inputs.distributors[index].isDuplicate = false
    inputs.distributors[index].taken = arrival
    changed = true
    return true
  }

  /// 0x2150, the Distributors in pairs of bits, and 0x2152 to 0x2155, the fuses of each in pairs of bits (vecan.md
  /// section 2.6). They are read as bits, for all ones are no missing value here but pairs of 3.
  private mutating func receiveDistributors(_ register: Register, _ message: RegisterMessage, from sender: Name) {
    guard message.holds(register.definition), let bits = message.value.bits(at: 0, count: 8) else { return }
    let pairs = (0..<4).map { bits >> UInt64($0 * 2) & 3 }
    for index in WiredRole.distributors.indices
    where configuration.distributors[WiredRole.distributors[index]]?.place == .registers {
      if register == .distributors {
        switch pairs[index] {
        case 1, 2:
          guard hears(sender, index) else { continue }
          inputs.distributors[index].hasPower = pairs[index] == 1
          lostDistributors[index] = false
        default:
          // Not there, or not heard by who reads it (R265): its silence counts here, too, whatever the reader goes on saying
          // of its fuses.
          if accepts(sender, for: WiredRole.distributors[index]) { lostDistributors[index] = true }
        }
      } else if register == Self.fuses[index] {
        // All "not available" is what is said of a Distributor that is not there.
        guard !lostDistributors[index], pairs.contains(where: { $0 != 0 }), hears(sender, index) else { continue }
        var blown: UInt8 = 0
        for fuse in 0..<4 where pairs[fuse] == 3 { blown |= 1 << UInt8(fuse) }
        inputs.distributors[index].blown = blown
      }
    }
  }

  private static let fuses: [Register] = [.fusesA, .fusesB, .fusesC, .fusesD]

  /// Changes the contact of a role. Where no auxiliary contact is wired, what the module says of its switch is the
  /// contactor's feedback.
  private mutating func take(_ role: WiredRole, _ change: (inout ContactFeedback) -> Void) {
    switch role {
    case .contactorFeedback: change(&inputs.contactorFeedback)
    case .secondContactorFeedback: change(&inputs.secondContactorFeedback)
    case .contactor: if configuration.indicators[.contactorFeedback] == nil { change(&inputs.contactorFeedback) }
    case .secondContactor:
      if configuration.indicators[.secondContactorFeedback] == nil { change(&inputs.secondContactorFeedback) }
    case .precharge: change(&prechargeFeedback)
    case .thermalSwitch: change(&inputs.thermalSwitch)
    case .secondThermalSwitch: change(&inputs.secondThermalSwitch)
    case .remote: change(&inputs.remote.bridge)
    case .fan: change(&inputs.fan)
    case .secondFan: change(&inputs.secondFan)
    case .supply: change(&inputs.internalSupply)
    case .monitor, .cells, .systemVoltage, .batteryTemperature, .lowCellSignal, .preAlarmSignal, .highCellSignal,
      .lowTemperatureSignal, .highTemperatureSignal, .batteryCable, .distributorA, .distributorB, .distributorC,
      .distributorD, .bmsTemperature, .allowToCharge, .allowToDischarge, .relay, .auxiliary:
      break
    }
  }

  private mutating func receive(_ payload: LongPayload, from sender: Name) {
    guard GroupFunction(payload) == .acknowledge else { return }
    let acknowledge = GroupFunctionAcknowledge(payload: payload)
    // Nobody who is not commanded can fill this up.
    guard acknowledge.pgn.value == BinarySwitchBankStatus.definition.pgn, switchAnswers.count < 64 else { return }
    switchAnswers.append((sender, SwitchAnswer(acknowledge)))
  }

  // MARK: 11-bit frames

  /// Takes an 11-bit frame of the battery. It names no sender: ``SenderWatch/nameless`` stands for it.
  mutating func receive(_ frame: CANDataFrame) {
    guard configuration.usesBatteryFrames else { return }
    if configuration.monitor?.place == .batteryFrames {
      if let measured = MeasurementsFrame(frame), accepts(.nameless, for: .monitor) {
        inputs.batteryVoltage.report(measured.voltage, at: arrival)
        inputs.current.report(measured.current, at: arrival)
        takeOwnTemperature(measured.temperature.map { .value($0) } ?? .notAvailable)
        changed = true
      } else if let charge = StateOfChargeFrame(frame), accepts(.nameless, for: .monitor) {
        inputs.reportedStateOfCharge.takePercent(.value(charge.stateOfCharge), at: arrival)
        changed = true
      }
    }
    if configuration.cells?.place == .batteryFrames, let cells = CellsFrame(frame), accepts(.nameless, for: .cells) {
      inputs.cellExtremes.lowest.report(cells.lowestVoltage, at: arrival)
      inputs.cellExtremes.highest.report(cells.highestVoltage, at: arrival)
      if let lowest = cells.lowestTemperature, let highest = cells.highestTemperature {
        inputs.temperatureExtremes.lowest.report(lowest, at: arrival)
        inputs.temperatureExtremes.highest.report(highest, at: arrival)
      }
      changed = true
    }
    if frames.take(frame, at: arrival) { reportBattery() }
  }

  /// All that the battery says of itself, as old as the oldest part of it.
  private mutating func reportBattery() {
    var report = BatteryReport()
    report.isWired = true
    var taken: Instant? = Instant(nanoseconds: .max)
    func age(_ part: Instant?) {
      guard let before = taken else { return }
      taken = part.map { min($0, before) }
    }
    if configuration.usesBatteryFrames {
      age(frames.limitsTaken)
      report.conditions = frames.conditions
      report.hasPreAlarmSignal = frames.hasPreAlarmSignal
      report.balance = frames.balance
      report.chargeVoltage = frames.limits?.chargeVoltage
      report.chargeCurrent = frames.limits?.chargeCurrent
      report.dischargeCurrent = frames.limits?.dischargeCurrent
    }
    for (index, role) in WiredRole.signals.enumerated() where configuration.indicators[role] != nil {
      age(signals[index]?.taken)
      guard let signal = signals[index] else { continue }
      switch role {
      case .batteryCable: if !signal.isOn { report.conditions.insert(.cableMissing) }
      case .lowCellSignal: if signal.isOn { report.conditions.insert(.lowCell) }
      case .preAlarmSignal:
        report.hasPreAlarmSignal = true
        if signal.isOn { report.conditions.insert(.preAlarm) }
      case .highCellSignal: if signal.isOn { report.conditions.insert(.highCell) }
      case .lowTemperatureSignal: if signal.isOn { report.conditions.insert(.lowTemperature) }
      case .highTemperatureSignal: if signal.isOn { report.conditions.insert(.highTemperature) }
      default: break
      }
    }
    report.taken = taken
    inputs.battery = report
    changed = true
  }

  // MARK: Registers

  private mutating func receive(_ message: RegisterMessage, from sender: Name) {
    guard let register = Register(message.id) else { return }
    switch register {
    case .cellVoltages, .cellVoltage, .cellTemperatures:
      guard configuration.cells?.place == .registers else { return }
      receiveCells(register, message, from: sender)
    case .distributors, .fusesA, .fusesB, .fusesC, .fusesD: receiveDistributors(register, message, from: sender)
    case .channel2Voltage:
      guard configuration.systemVoltage?.place == .register, let volts = message.number(register),
        accepts(sender, for: .systemVoltage)
      else { return }
      inputs.systemVoltage.take(volts, at: arrival)
      changed = true
    case .temperature:
      guard let kelvin = message.number(register) else { return }
      if configuration.bmsTemperature?.place == .register, accepts(sender, for: .bmsTemperature) {
        inputs.bmsTemperature.take(kelvin.map { $0 - 273.15 }, at: arrival)
        changed = true
      }
      guard acceptsTemperature(of: sender) else { return }
      inputs.batteryTemperature.take(kelvin.map { $0 - 273.15 }, at: arrival)
      changed = true
    case .voltage, .current, .currentFine, .stateOfCharge:
      guard configuration.monitor?.place == .registers, let number = message.number(register),
        accepts(sender, for: .monitor)
      else { return }
      switch register {
      case .voltage: inputs.batteryVoltage.take(number, at: arrival)
      case .stateOfCharge: inputs.reportedStateOfCharge.takePercent(number, at: arrival)
      default: inputs.current.take(number, at: arrival)
      }
      changed = true
    default: break
    }
  }

  private mutating func acceptsTemperature(of sender: Name) -> Bool {
    if let wiring = configuration.batteryTemperature {
      return wiring.place == .register && accepts(sender, for: .batteryTemperature)
    }
    return configuration.monitor?.place == .registers && accepts(sender, for: .monitor)
  }

  /// Another sender may number its cells in another way, or report extremes, and so may the same one when it is back with
  /// other switches or another firmware: those of before would be missed for ever. They are all stale by then.
  private mutating func acceptsCells(of sender: Name) -> Bool {
    let wasSilent = if case .silent = state(of: .cells) { true } else { false }
    guard accepts(sender, for: .cells) else { return false }
    if let before = cellSender, before != sender || wasSilent {
      inputs.cells = CellTable(expectedCount: 0)
      inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting)
      reportsExtremes = false
    }
    cellSender = sender
    return true
  }

  private mutating func receiveCells(_ register: Register, _ message: RegisterMessage, from sender: Name) {
    switch register {
    case .cellVoltages:
      guard let lowest = message.number(register), let highest = message.number(register, field: 1),
        acceptsCells(of: sender)
      else { return }
      // "Not available" says nothing of cells that are reported one by one.
      guard reportsExtremes || lowest != .notAvailable || highest != .notAvailable else { return }
      reportsExtremes = true
      inputs.cellExtremes.lowest.take(lowest, at: arrival)
      inputs.cellExtremes.highest.take(highest, at: arrival)
    case .cellTemperatures:
      guard let lowest = message.number(register), let highest = message.number(register, field: 1),
        acceptsCells(of: sender)
      else { return }
      // Cells without sensors are no source of temperatures beside another one.
      let isKnown = inputs.temperatureExtremes.lowest.validity != .unassigned
      guard isKnown || lowest != .notAvailable || highest != .notAvailable else { return }
      inputs.temperatureExtremes.lowest.take(lowest.map { $0 - 273.15 }, at: arrival)
      inputs.temperatureExtremes.highest.take(highest.map { $0 - 273.15 }, at: arrival)
    default:
      guard let volts = message.number(.cellVoltage, field: 2), acceptsCells(of: sender),
        let place = Self.place(message)
      else { return }
      if !reportsExtremes, inputs.cells.expectedCount == 0 {
        inputs.cells.expectedCount = expectedCells
        inputs.cellExtremes = Extremes()
      }
      switch volts {
      case .value(let volts): inputs.cells.report(volts, of: place, at: arrival)
      case .notAvailable: inputs.cells.report(.notAvailable, of: place)
      case .error, .reserved: inputs.cells.report(.sensorError, of: place)
      }
    }
    changed = true
  }

  private static func place(_ message: RegisterMessage) -> CellPlace? {
    guard let battery = message.number(.cellVoltage)?.value, let cell = message.number(.cellVoltage, field: 1)?.value
    else { return nil }
    return CellPlace(battery: Int(battery), cell: Int(cell))
  }

  mutating func requested(_ request: PGNRequest) -> RequestAnswer {
    guard request.filters.isEmpty else { return .notAvailable }
    if !requested.contains(request.pgn) { requested.append(request.pgn) }
    return .willSend
  }

  /// The bank's contacts are status: a plotter's button must not open a battery (R308).
  mutating func commanded(_ command: PGNCommand) -> GroupFunctionAnswer {
    .refused(.accessDenied)
  }
}

extension Measurement {
  /// Takes a field's reading: missing, faulty and measured stay three things.
  mutating func take(_ reading: Reading<Double>, at now: Instant) {
    switch reading {
    case .value(let value): report(value, at: now)
    case .notAvailable: report(.notAvailable)
    case .error, .reserved: report(.sensorError)
    }
  }
}

extension Measurement {
  /// The same of a share: what is beyond 100 % is none, and nobody's state of charge begins at it.
  mutating func takePercent(_ reading: Reading<Double>, at now: Instant) {
    if case .value(let percent) = reading, !(0...100 ~= percent) { return report(.outOfRange) }
    take(reading, at: now)
  }
}

extension ContactFeedback {
  /// Takes an indicator: missing, faulty and seen stay three things.
  mutating func take(_ reading: Reading<Bool>, at now: Instant) {
    switch reading {
    case .value(let isClosed): self = ContactFeedback(isClosed: isClosed, at: now)
    case .notAvailable: validity = .notAvailable
    case .error, .reserved: validity = .sensorError
    }
  }
}
