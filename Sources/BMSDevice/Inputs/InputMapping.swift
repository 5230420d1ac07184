import BMSCore
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

  private(set) var monitor: SenderWatch?
  private(set) var cells: SenderWatch?
  private let monitorInstance: Int
  private let configuredCells: Int?
  private var expectedCells = 0
  /// Single cells are what the source sends; decided by the first register of either kind.
  private var reportsExtremes = false

  init(configuration: DeviceConfiguration) {
    monitor = configuration.monitor.map { SenderWatch(selector: $0.sender) }
    cells = configuration.cells.map { SenderWatch(selector: $0.sender) }
    monitorInstance = Int(configuration.monitor?.instance ?? 0)
    configuredCells = configuration.cells?.expectedCells
    if monitor != nil {
      inputs.batteryVoltage = .waiting
      inputs.current = .waiting
      inputs.batteryTemperature = .waiting
      inputs.reportedStateOfCharge = .waiting
    }
    if cells != nil {
      inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting)
    }
  }

  /// Other settings: the bank may have another number of cells.
  mutating func apply(_ settings: Settings) {
    expectedCells = configuredCells ?? settings.cellsInSeries * Int(settings[.batteriesInParallel])
    if inputs.cells.expectedCount > 0 { inputs.cells.expectedCount = expectedCells }
  }

  mutating func tick(at now: Instant) {
    monitor?.tick(at: now)
    cells?.tick(at: now)
  }

  mutating func received(_ header: MessageHeader, _ payload: RawSpan) {
    if header.pgn == VictronRegister.definition.pgn || header.pgn == ProprietaryFastPacket.definition.pgn {
      // Whoever asks is answered, with or without a NAME.
      server.receive(header, payload)
    }
    // A message whose sender's claim was not heard is nobody's: the node asks for the claim, and the next one counts.
    guard let sender = header.sender else { return }
    switch header.pgn {
    case BatteryStatus.definition.pgn:
      let status = BatteryStatus(payload: payload)
      guard status.instance.value == monitorInstance, monitor?.accepts(sender, at: arrival) == true else {
        return
      }
      inputs.batteryVoltage.take(status.voltage, at: arrival)
      inputs.current.take(status.current, at: arrival)
      inputs.batteryTemperature.take(status.temperature.map { $0 - 273.15 }, at: arrival)
      changed = true
    case DCDetailedStatus.definition.pgn:
      let status = DCDetailedStatus(payload: payload)
      guard status.instance.value == monitorInstance, monitor?.accepts(sender, at: arrival) == true else {
        return
      }
      inputs.reportedStateOfCharge.take(status.stateOfCharge, at: arrival)
      changed = true
    case VictronRegister.definition.pgn:
      // A register that is sent to one node is a command to it; reports go to all (vecan.md section 1).
      guard header.destination == BusAddress.global,
        let message = RegisterMessage(VictronRegister(payload: payload))
      else { return }
      receive(message, from: sender, at: arrival)
    default: break
    }
  }

  private mutating func receive(_ message: RegisterMessage, from sender: Name, at now: Instant) {
    guard let register = Register(message.id) else { return }
    switch register {
    case .cellVoltages:
      guard let lowest = message.number(register), let highest = message.number(register, field: 1),
        cells?.accepts(sender, at: now) == true
      else { return }
      reportsExtremes = true
      inputs.cellExtremes.lowest.take(lowest, at: now)
      inputs.cellExtremes.highest.take(highest, at: now)
      changed = true
    case .cellVoltage:
      guard let volts = message.number(register, field: 2), cells?.accepts(sender, at: now) == true,
        let place = Self.place(message)
      else { return }
      if !reportsExtremes, inputs.cells.expectedCount == 0 {
        inputs.cells.expectedCount = expectedCells
        inputs.cellExtremes = Extremes()
      }
      switch volts {
      case .value(let volts): inputs.cells.report(volts, of: place, at: now)
      case .notAvailable: inputs.cells.report(.notAvailable, of: place)
      case .error, .reserved: inputs.cells.report(.sensorError, of: place)
      }
      changed = true
    case .cellTemperatures:
      guard let lowest = message.number(register), let highest = message.number(register, field: 1),
        cells?.accepts(sender, at: now) == true
      else { return }
      inputs.temperatureExtremes.lowest.take(lowest.map { $0 - 273.15 }, at: now)
      inputs.temperatureExtremes.highest.take(highest.map { $0 - 273.15 }, at: now)
      changed = true
    default: break
    }
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
  mutating func commanded(_ command: GroupFunctionCommand) -> GroupFunctionAnswer {
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
