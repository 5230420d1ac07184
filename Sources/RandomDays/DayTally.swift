public import BMSCore
import BatterySimulator

// What occurred in days: a campaign that exercised nothing would break nothing.

/// Counts over one or many days.
public struct DayTally: Sendable {
  /// How often each alarm was raised, by its number.
  public private(set) var alarms = [Int](repeating: 0, count: Alarm.allCases.count)
  /// Days in which each state was seen, by its name.
  public private(set) var states: [String: Int] = [:]
  /// Days in which each cause forbade charging or discharging.
  public private(set) var blocks: [String: Int] = [:]
  /// How often each kind of event was planned.
  public private(set) var events: [String: Int] = [:]
  /// Steps with ATC closed, and with ATD closed.
  public private(set) var allowed = (charge: 0, discharge: 0)
  /// All steps.
  public private(set) var steps = 0
  /// How often ATC, ATD and the contactor closed.
  public private(set) var closings = (charge: 0, discharge: 0, contactor: 0)
  /// How often the state of charge was synchronised by charging.
  public private(set) var synchronisations = 0

  private var stateBits: UInt32 = 0
  private var chargeBits: Blocks = []
  private var dischargeBits: Blocks = []
  private var was = (charge: false, discharge: false, contactor: false)

  /// Nothing yet.
  public init() {}

  mutating func count(_ action: DayAction) { events[action.kind, default: 0] += 1 }

  mutating func look(_ loop: ClosedLoop) {
    steps += 1
    guard loop.isRunning else { return }
    let charge = loop.outputs.chargeAllowed
    let discharge = loop.outputs.dischargeAllowed
    let contactor = loop.outputs.contactorCommand
    if charge { allowed.charge += 1 }
    if discharge { allowed.discharge += 1 }
    if charge, !was.charge { closings.charge += 1 }
    if discharge, !was.discharge { closings.discharge += 1 }
    if contactor, !was.contactor { closings.contactor += 1 }
    was = (charge, discharge, contactor)
    stateBits |= 1 << UInt32(loop.outputs.state.rawValue)
    chargeBits.formUnion(loop.outputs.chargeBlocks)
    dischargeBits.formUnion(loop.outputs.dischargeBlocks)
    if loop.outputs.events.synchronised?.cause == .charged { synchronisations += 1 }
    for alarm in loop.outputs.events.raised { alarms[Int(alarm.rawValue)] += 1 }
  }

  /// Adds a day.
  public mutating func add(_ day: DayTally) {
    for index in alarms.indices { alarms[index] += day.alarms[index] }
    for (name, count) in day.events { events[name, default: 0] += count }
    allowed = (allowed.charge + day.allowed.charge, allowed.discharge + day.allowed.discharge)
    steps += day.steps
    closings = (
      closings.charge + day.closings.charge, closings.discharge + day.closings.discharge,
      closings.contactor + day.closings.contactor
    )
    synchronisations += day.synchronisations
    for number in UInt8(0)..<32 where day.stateBits & (1 << UInt32(number)) != 0 {
      states[State(rawValue: number).map { "\($0)" } ?? "\(number)", default: 0] += 1
    }
    for block in Block.allCases {
      if day.chargeBits.contains(Blocks(block)) { blocks["charge: \(block)", default: 0] += 1 }
      if day.dischargeBits.contains(Blocks(block)) { blocks["discharge: \(block)", default: 0] += 1 }
    }
  }

  /// The alarms that were never raised although a day can raise them.
  public var unseenAlarms: [Alarm] { Alarm.allCases.filter { alarms[Int($0.rawValue)] == 0 } }

  /// Lines for people.
  public var lines: [String] {
    func percent(_ part: Int) -> String { steps > 0 ? "\(part * 100 / steps) %" : "0 %" }
    func row(_ counts: [String: Int]) -> String {
      counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
    let raised = Alarm.allCases.filter { alarms[Int($0.rawValue)] > 0 }
      .map { "\($0.definition.code) \($0) \(alarms[Int($0.rawValue)])" }
    return [
      "steps \(steps), ATC closed in \(percent(allowed.charge)), ATD in \(percent(allowed.discharge)) of them",
      "closed: ATC \(closings.charge) times, ATD \(closings.discharge), contactor \(closings.contactor); "
        + "synchronised \(synchronisations) times",
      "days with state: \(row(states))",
      "days with block: \(row(blocks))",
      "events: \(row(events))",
      "alarms raised: \(raised.joined(separator: ", "))",
      "alarms never raised: \(unseenAlarms.map { "\($0)" }.joined(separator: ", "))",
    ]
  }
}

extension DayAction {
  /// What it is, in a word or two; the words of a scenario file.
  var kind: String {
    switch self {
    case .fault(let fault): fault.word
    case .outside(let fault): fault.rawValue
    case .mode(let mode, let requester): "mode \(mode) by \(requester)"
    case .remote: "remote"
    case .load: "load"
    case .inverter: "inverter"
    case .charger: "charger"
    case .alternator: "alternator"
    case .setting: "settings"
    case .stateOfCharge: "soc"
    case .synchronise: "synchronise"
    case .restart(let areOutputsHeld, let isMemoryKept):
      "restart, outputs \(areOutputsHeld ? "held" : "off"), memory \(isMemoryKept ? "kept" : "lost")"
    case .bmsTemperature: "bms_temperature"
    }
  }
}

extension Fault {
  /// Its name in a scenario file.
  var word: String {
    switch self {
    case .cellCharge: "cell_charge"
    case .cellShort: "cell_short"
    case .chargerRunaway: "charger_runaway"
    case .temperature: "battery_temperature"
    case .ambient: "ambient"
    case .surgeCharge: "surge_charge"
    case .surgeDischarge: "surge_discharge"
    case .bypassLoad: "bypass_load"
    case .sensorLost: "sensor_lost"
    case .sensorFrozen: "sensor_frozen"
    case .sensorOffset: "sensor_offset"
    case .contactor(_, .welded): "contactor_welded"
    case .contactor(_, .stuckOpen): "contactor_stuck_open"
    case .contactor(_, .highResistance): "contactor_resistance"
    case .contactor(_, .feedbackStuck): "contactor_feedback_stuck"
    case .contactor(_, .feedbackInverted): "contactor_feedback_inverted"
    case .prechargeOpen: "precharge_open"
    case .busResistance: "bus_resistance"
    case .stringFuse: "string_fuse"
    case .fuse: "fuse"
    case .distributorSilent: "distributor_silent"
    case .busSilent: "bus_silent"
    case .commandsLost: "commands_lost"
    case .duplicateAddress: "duplicate_address"
    case .clockJump: "clock_jump"
    case .stateCorrupt: "state_corrupt"
    case .diskFull: "disk_full"
    case .processKilled: "process_killed"
    case .memberLost: "member_lost"
    }
  }
}
