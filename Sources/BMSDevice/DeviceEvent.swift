public import BMSCore
public import MonotonicTime
public import NMEA2000
public import VECan

/// What happened in the device that its owner should log or store.
public enum DeviceEvent: Sendable {
  /// The node on the bus.
  case node(NodeEvent)
  /// Alarms were raised, each with what raised it.
  case raised([(alarm: Alarm, cause: Reason?)])
  /// Decisions changed, or the rules that make them: with value, rule, cause and what ends it.
  case decided([Explanation])
  /// The core: alarms, charge cycle, state of charge. With the outputs of that step, for values and reasons.
  case core(StepEvents, Outputs)
  /// The sender of a role came, fell silent, or is not the only one.
  case sender(WiredRole, SenderState)
  /// What is known of a switch that is commanded changed.
  case output(WiredRole, SwitchState)
  /// The mode is Off and everything is open: nothing is sent any more (R35); or sending begins again.
  case silence(Bool)
  /// The device that reads the 11-bit frames (0x305) came or fell silent.
  case keepAlive(isHeard: Bool)
  /// A register was written and something changed: which, and the address of the writer.
  case registerWritten(RegisterID, source: UInt8)
  /// What differs from the configuration, to be stored for the next start.
  case settingsChanged(ChangedSettings)
  /// What was set at run time before the start, or the reload, and is not in force.
  case settingsWaiting([WaitingSetting])
  /// The configured installation description, 1 or 2, is not in force at the start: the bus set another one.
  case descriptionNotInForce(Int, configured: String, inForce: String)
  /// A message could not be queued: the bus takes nothing.
  case outboxFull(refused: UInt64)
}

/// The device at one moment, for people and their tools.
public struct DeviceStatus: Sendable {
  /// When.
  public var instant: Instant
  /// The address; nil while it has none.
  public var address: UInt8?
  /// The NAME.
  public var name: Name
  /// The core's decisions.
  public var outputs: Outputs
  /// Who feeds the monitor role.
  public var monitor: SenderState
  /// Who feeds the cell role.
  public var cells: SenderState
  /// Who feeds each wired role, or is its module.
  public var senders: [WiredRole: SenderState]
  /// What is known of each switch that is commanded.
  public var switches: [WiredRole: SwitchState]
  /// Whether nothing is sent because the mode is Off (R35).
  public var isSilent: Bool
  /// Counters of the node.
  public var statistics: Node.Statistics
}
