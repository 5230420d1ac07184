public import BMSCore
public import MonotonicTime

// The BMS and the plant in one loop, in virtual time. Nothing passes between them but what passes in a real system:
// readings in one direction; contacts, coil and limits in the other. Pure: the same calls give the same run to the bit.
//
// Each step lets the plant run under the last commands, reads the sensors, lets the BMS decide, and puts its commands
// out. A decision works from the instant it is made at; what a step can miss is what happens between two readings. So
// steps are short while something happens and long while nothing does.

/// What the BMS of a ``ClosedLoop`` is told; what is off is a role that nothing feeds.
public struct LoopSensing: Sendable, Hashable {
  /// Whether each cell is told by its place, or the lowest and the highest only.
  public var isEachCellTold = true
  /// Voltage behind the contactor.
  public var systemVoltage = true
  /// Feedback of the contactors.
  public var contactorFeedback = true
  /// The thermal switches of the busbars.
  public var thermalSwitches = true
  /// Temperatures of the batteries.
  public var temperatures = true
  /// Temperature of the BMS.
  public var bmsTemperature = true

  /// Everything.
  public init() {}
}

/// What stands on the remote terminals.
public enum LoopRemote: Sendable, Hashable {
  /// Nothing is wired, which counts as closed.
  case notWired
  /// A switch between both that is closed.
  case closed
  /// A switch between both that is open.
  case open
  /// Voltages against battery minus, volts; nil is a terminal that is not wired.
  case voltages(high: Double?, low: Double?)
  /// Wired before, and who reads the terminals says nothing.
  case silent
}

/// How the BMS of a ``ClosedLoop`` stops.
public enum LoopStop: Sendable, Hashable {
  /// Its supply fails: coil, contacts and bus are off (R118).
  case powerCut
  /// The program is gone and who holds its outputs keeps them (R24); limits are not repeated.
  case outputsHeld
}

/// A BMS around a plant.
public struct ClosedLoop: Sendable {
  /// The battery and everything around it. Change parts of it between steps, then call ``excite(for:)``.
  public var plant: Plant
  /// The BMS.
  public private(set) var bms: BMS
  /// What the BMS sees. The loop writes what is measured; group, update and settings flags are free to set.
  public var inputs = Inputs()
  /// What the BMS decided last; ``BMSCore/Outputs/init()`` while it does not run.
  public private(set) var outputs = Outputs()
  /// What the plant obeys.
  public private(set) var commands = Commands()
  /// The time.
  public private(set) var now: Instant
  /// Whether the BMS runs.
  public private(set) var isRunning = true
  /// What is wired to the BMS at all.
  public let wiring: Wiring
  /// Names of the fuses.
  public let fuseNames: FuseNames
  /// What the BMS is told.
  public let sensing: LoopSensing
  /// How often the BMS was started without its memory.
  public private(set) var memoryLosses = 0

  /// What stands on the remote terminals.
  public var remote = LoopRemote.notWired
  /// Which of the two busbars is above 130 °C.
  public var hotBusbars = (first: false, second: false)
  /// Distributors, by address, that another one shares its address with.
  public var duplicateDistributors: Set<Int> = []
  /// Temperature of the BMS itself, degrees Celsius.
  public var bmsCelsius = 25.0
  /// Whether the alternator's enable input hangs on the programmable relay; otherwise it hangs on ATC.
  public var isAlternatorOnRelay: Bool

  /// Length of a step while nothing happens.
  public var interval = TimeSpan.seconds(1)
  /// Length of a step while something happens.
  public var fineInterval = TimeSpan.milliseconds(100)
  /// Length of a step while the contactor moves.
  public var contactorInterval = TimeSpan.milliseconds(10)
  /// Length of a step in Off, where no current flows through the shunt and nothing is counted.
  public var offInterval = TimeSpan.seconds(1)

  private var settledAt: Instant
  private var stoppedAt = Instant.origin
  private var lastExtremes = (low: 0.0, high: 0.0)
  private var places: [CellPlace] = []
  private let ownLoad: Int
  private var ownDemand: Load.Kind?

  /// What of the steps is kept short after something happened.
  static let settling = TimeSpan.seconds(5)
  /// The same after what gives 30 s (R84, R198).
  static let announced = TimeSpan.seconds(31)
  /// A cell that moves faster is near an end, volts a second.
  static let cellRate = 0.005
  /// A Distributor's electronics say "no power" below this on their busbar, volts. Not stated; as an MCU's supply.
  static let distributorSupply = 5.0

  /// A loop at rest.
  ///
  /// - Parameters:
  ///   - plant: Its contactors should be as many as the wiring's.
  ///   - settings: The settings in force.
  ///   - wiring: What the BMS commands. With nothing to command the contactors of the plant stay closed.
  ///   - fuseNames: Names of the fuses.
  ///   - sensing: What the BMS is told.
  ///   - snapshot: What its last run left.
  ///   - start: The time of the beginning.
  public init(
    plant: Plant, settings: Settings = Settings(), wiring: Wiring = Wiring(contactors: .one),
    fuseNames: FuseNames = FuseNames(), sensing: LoopSensing = LoopSensing(), restoring snapshot: Snapshot? = nil,
    at start: Instant = .origin
  ) {
    self.plant = plant
    self.wiring = wiring
    self.fuseNames = fuseNames
    self.sensing = sensing
    bms = BMS(settings: settings, wiring: wiring, fuseNames: fuseNames, restoring: snapshot)
    now = start
    settledAt = start + ClosedLoop.settling
    isAlternatorOnRelay = settings[.relayAlternator] != 0
    // R8: a load of its own before the shunt.
    var own = Load(.power(0))
    own.side = .battery
    own.obeysContact = false
    ownLoad = self.plant.loads.count
    self.plant.loads.append(own)
    places = ClosedLoop.places(of: plant.bank)
    if wiring.contactors == .none {
      for index in self.plant.contactors.indices { self.plant.contactors[index].closeAtOnce() }
      commands.closesContactor = true
    }
    assignRoles()
    setOwnConsumption()
  }

  // MARK: Time

  /// One step: as long as suits, and not beyond `end`. Returns what the BMS decided.
  @discardableResult
  public mutating func step(until end: Instant) -> Outputs {
    advance(by: min(stepLength, end - now))
    return outputs
  }

  /// One step of this length. Nothing happens when it is not above zero.
  public mutating func advance(by span: TimeSpan) {
    guard span > .zero else { return }
    now += span
    let seconds = span.seconds
    if plant.longestStep < seconds, outputs.mode == .off { plant.longestStep = seconds }
    plant.step(commands, seconds: seconds)
    guard isRunning else { return }
    measure(over: seconds)
    let (mode, phase) = (outputs.mode, outputs.contactorPhase)
    let (charge, discharge, relay) = (outputs.chargeAllowed, outputs.dischargeAllowed, outputs.relayActive)
    outputs = bms.step(inputs, at: now)
    command()
    if outputs.mode != mode { setOwnConsumption() }
    if !outputs.events.isEmpty || outputs.mode != mode || outputs.contactorPhase != phase
      || outputs.chargeAllowed != charge || outputs.dischargeAllowed != discharge || outputs.relayActive != relay
    {
      let raised = outputs.events.raised
      let isAnnounced = !raised.isDisjoint(with: [.preAlarm, .highChargeCurrent, .highDischargeCurrent])
      excite(for: isAnnounced ? ClosedLoop.announced : ClosedLoop.settling)
    }
  }

  /// Keeps the steps short for a while: something was done to the plant.
  public mutating func excite(for span: TimeSpan = .seconds(5)) { settledAt = max(settledAt, now + span) }

  /// How long the next step is to be. The core asks to be stepped after 100 ms at the latest, which is the pace of a
  /// bus; only what it asks for sooner than that is a decision that falls due.
  private var stepLength: TimeSpan {
    guard isRunning else { return now < settledAt ? fineInterval : interval }
    switch outputs.contactorPhase {
    case .takeover, .selfTest, .precharge, .closing, .opening: return min(contactorInterval, fineInterval)
    case .open, .pending, .cooling, .closed, .lead, .failed: break
    }
    guard now < settledAt else { return outputs.mode == .off ? max(offInterval, interval) : interval }
    let due = outputs.nextDeadline - now
    return due > .zero ? min(fineInterval, max(due, .milliseconds(1))) : fineInterval
  }

  // MARK: What the BMS sees

  private static func places(of bank: Bank) -> [CellPlace] {
    var places: [CellPlace] = []
    var battery = 0
    for string in bank.strings {
      for one in string.batteries {
        battery += 1
        for cell in 0..<one.cellCount {
          // More than the manual's 20 batteries (R3) have no name; the last one is told twice then.
          if let place = CellPlace(battery: min(battery, CellPlace.lastBattery), cell: cell + 1) {
            places.append(place)
          }
        }
      }
    }
    return places
  }

  /// Which roles something feeds: from then on silence is a fault.
  private mutating func assignRoles() {
    inputs.batteryVoltage = .waiting
    inputs.current = .waiting
    if sensing.isEachCellTold {
      inputs.cells = CellTable(expectedCount: places.count)
    } else {
      inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting)
    }
    if sensing.temperatures {
      inputs.batteryTemperature = .waiting
      if plant.bank.batteryCount > 1 { inputs.temperatureExtremes = Extremes(lowest: .waiting, highest: .waiting) }
    }
    if sensing.systemVoltage { inputs.systemVoltage = .waiting }
    if sensing.bmsTemperature { inputs.bmsTemperature = .waiting }
    if sensing.contactorFeedback, wiring.contactors != .none {
      inputs.contactorFeedback = .waiting
      if wiring.contactors == .two { inputs.secondContactorFeedback = .waiting }
    }
    if sensing.thermalSwitches {
      inputs.thermalSwitch = .waiting
      inputs.secondThermalSwitch = .waiting
    }
  }

  private mutating func measure(over seconds: Double) {
    let reading = plant.reading
    if let volts = reading.batteryVoltage { inputs.batteryVoltage.report(volts, at: now) }
    if let amperes = reading.current { inputs.current.report(amperes, at: now) }
    if sensing.systemVoltage, let volts = reading.systemVoltage { inputs.systemVoltage.report(volts, at: now) }
    measureCells(over: seconds)
    if sensing.temperatures { measureTemperatures() }
    if sensing.bmsTemperature { inputs.bmsTemperature.report(bmsCelsius, at: now) }
    if sensing.contactorFeedback, wiring.contactors != .none, !plant.contactors.isEmpty {
      inputs.contactorFeedback = ContactFeedback(isClosed: plant.contactors[0].feedback, at: now)
      if wiring.contactors == .two, plant.contactors.count > 1 {
        inputs.secondContactorFeedback = ContactFeedback(isClosed: plant.contactors[1].feedback, at: now)
      }
    }
    if sensing.thermalSwitches {
      inputs.thermalSwitch = ContactFeedback(isClosed: !hotBusbars.first, at: now)
      inputs.secondThermalSwitch = ContactFeedback(isClosed: !hotBusbars.second, at: now)
    }
    measureRemote()
    if !plant.distributors.isEmpty { measureDistributors() }
  }

  private mutating func measureCells(over seconds: Double) {
    plant.measureCells()
    var (low, high) = (Double.infinity, -Double.infinity)
    var isComplete = true
    for index in plant.cellReadings.indices where index < places.count {
      guard let volts = plant.cellReadings[index] else {
        isComplete = false
        continue
      }
      low = min(low, volts)
      high = max(high, volts)
    }
    if sensing.isEachCellTold { inputs.cells.report(plant.cellReadings, of: places, at: now) }
    // The extremes speak for all cells: with one unread they are not known.
    if !sensing.isEachCellTold, isComplete {
      inputs.cellExtremes.lowest.report(low, at: now)
      inputs.cellExtremes.highest.report(high, at: now)
    }
    guard low <= high else { return }
    let most = ClosedLoop.cellRate * seconds
    if abs(low - lastExtremes.low) > most || abs(high - lastExtremes.high) > most { excite(for: .seconds(1)) }
    lastExtremes = (low, high)
  }

  private mutating func measureTemperatures() {
    plant.measureTemperatures()
    if let first = plant.temperatureReadings.first, let celsius = first {
      inputs.batteryTemperature.report(celsius, at: now)
    }
    guard plant.temperatureReadings.count > 1 else { return }
    var (low, high) = (Double.infinity, -Double.infinity)
    for reading in plant.temperatureReadings {
      guard let celsius = reading else { return }
      low = min(low, celsius)
      high = max(high, celsius)
    }
    inputs.temperatureExtremes.lowest.report(low, at: now)
    inputs.temperatureExtremes.highest.report(high, at: now)
  }

  private mutating func measureRemote() {
    func terminal(_ measurement: inout Measurement, _ volts: Double?) {
      if let volts { measurement.report(volts, at: now) } else { measurement = .unassigned }
    }
    switch remote {
    case .notWired: inputs.remote = RemoteTerminals()
    case .closed, .open:
      inputs.remote = RemoteTerminals()
      inputs.remote.bridge = ContactFeedback(isClosed: remote == .closed, at: now)
    case .voltages(let high, let low):
      inputs.remote.bridge = .unassigned
      terminal(&inputs.remote.high, high)
      terminal(&inputs.remote.low, low)
    case .silent: break
    }
  }

  /// They live on AUX and are dark in Off (R267).
  private mutating func measureDistributors() {
    guard outputs.auxiliary else { return }
    for distributor in plant.distributors where distributor.answers {
      var blown: UInt8 = 0
      for fuse in 0..<4 where !distributor.conducts(fuse) { blown |= 1 << UInt8(fuse) }
      let hasPower = distributor.isPowered && plant.systemVoltage > ClosedLoop.distributorSupply
      var report = DistributorReport(blown: blown, hasPower: hasPower, at: now)
      report.isDuplicate = duplicateDistributors.contains(Int(distributor.address))
      inputs.distributors[Int(distributor.address)] = report
    }
  }

  // MARK: What the plant is told

  private mutating func command() {
    let limits = outputs.limits
    commands.chargeVoltage = limits.chargeVoltage
    commands.chargeCurrent = limits.chargeCurrent
    commands.dischargeCurrent = limits.dischargeCurrent
    // Until a restart has looked, the outputs are left as the last run left them (R24).
    if !outputs.left.contains(.allowToCharge) { commands.allowsCharge = outputs.chargeAllowed }
    if !outputs.left.contains(.allowToDischarge) { commands.allowsDischarge = outputs.dischargeAllowed }
    commands.allowsAlternator = isAlternatorOnRelay ? outputs.relayActive : outputs.chargeAllowed
    if !outputs.left.contains(.contactor) {
      commands.closesContactor = wiring.contactors == .none || outputs.contactorCommand
    }
    commands.closesPrecharge = outputs.prechargeCommand
    commands.areFresh = !outputs.isBusSilent
  }

  /// R8: OFF 0.3 mA, Standby 0.6 W, On 2.6 W (model 500) or 4.2 W (1000).
  private mutating func setOwnConsumption() {
    guard plant.loads.indices.contains(ownLoad) else { return }
    guard isRunning else {
      plant.loads[ownLoad].isOn = false
      return
    }
    plant.loads[ownLoad].isOn = true
    plant.loads[ownLoad].demand =
      switch outputs.mode {
      case .on: .power(bms.settings[.model] == 1000 ? 4.2 : 2.6)
      case .standby: .power(0.6)
      case .off: .current(0.0003)
      }
  }

  // MARK: Events

  /// One step of the plant alone, commanded by somebody else: a BMS in another process, over a bus. The loop's own must
  /// have been stopped. Nothing happens when the step is not above zero.
  public mutating func advance(by span: TimeSpan, under commands: Commands) {
    guard !isRunning, span > .zero else { return }
    now += span
    self.commands = commands
    plant.step(commands, seconds: span.seconds)
  }

  /// Begins a fault of the plant.
  public mutating func begin(_ fault: Fault) {
    plant.begin(fault)
    excite()
  }

  /// Ends a fault of the plant.
  public mutating func end(_ fault: Fault) {
    plant.end(fault)
    excite()
  }

  /// What an operator asks for; its effect is in the next step.
  public mutating func perform(_ command: Command) throws(CommandError) {
    try bms.perform(command)
    excite()
  }

  /// Takes other settings into force.
  public mutating func apply(_ settings: Settings) {
    bms.apply(settings)
    isAlternatorOnRelay = settings[.relayAlternator] != 0
    setOwnConsumption()
    excite()
  }

  /// Stops the BMS; the plant goes on.
  public mutating func stop(_ stop: LoopStop) {
    if isRunning { stoppedAt = now }
    isRunning = false
    outputs = Outputs()
    switch stop {
    case .powerCut:
      commands = Commands()
      commands.closesContactor = wiring.contactors == .none
      commands.areFresh = false
    case .outputsHeld: commands.areFresh = false
    }
    setOwnConsumption()
    excite()
  }

  /// Starts a new run of the BMS.
  ///
  /// - Parameters:
  ///   - snapshot: What it finds in its memory; `bms.snapshot` is what the last run left.
  ///   - afterUpdate: Whether the program changed (R139).
  public mutating func start(restoring snapshot: Snapshot?, afterUpdate: Bool = false) {
    bms = BMS(
      settings: bms.settings, wiring: wiring, fuseNames: fuseNames, restoring: snapshot, unseenFor: now - stoppedAt,
      afterUpdate: afterUpdate)
    if snapshot == nil { memoryLosses += 1 }
    isRunning = true
    let (flags, remoteState) = (inputs, inputs.remote)
    inputs = Inputs()
    inputs.mayJoin = flags.mayJoin
    inputs.areSettingsLost = flags.areSettingsLost
    inputs.isCalibrationLost = flags.isCalibrationLost
    inputs.isUpdating = flags.isUpdating
    inputs.isControlEnabled = flags.isControlEnabled
    inputs.hasControlClient = flags.hasControlClient
    if remote == .silent { inputs.remote = remoteState }
    assignRoles()
    setOwnConsumption()
    excite()
  }
}
