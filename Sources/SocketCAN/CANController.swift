// Bitrate, state and restart of CAN controllers, by libsocketcan.
//
// libsocketcan prints to standard error when an interface has no controller, or a controller has not got what is asked
// for (a bitrate, while none is set). So the kernel is asked first what there is, and libsocketcan only for that.

internal import CSocketCAN
internal import Glibc

/// What is known about an interface.
public enum CANInterfaceReport: Hashable, Sendable, CustomStringConvertible {
  /// There is none of that name.
  case absent(name: String)
  /// There is one, for something else (Ethernet).
  case notCAN(name: String)
  /// A virtual interface (vcan, vxcan): no controller, no bitrate, no states.
  case virtual(name: String, kind: String, isUp: Bool)
  /// A real controller.
  case controller(name: String, isUp: Bool, CANControllerFacts)

  /// The report as a sentence.
  public var description: String {
    switch self {
    case .absent(let name): "\(name): there is no such interface"
    case .notCAN(let name): "\(name) is not a CAN interface"
    case .virtual(let name, let kind, let isUp):
      "\(name) is a virtual interface (\(kind)), \(isUp ? "up" : "down"): it has no bitrate, no error states and nothing to restart"
    case .controller(let name, let isUp, let facts):
      "\(name) is \(isUp ? "up" : "down"), \(facts)"
    }
  }
}

/// What a controller's driver says. Nil is what it did not say.
public struct CANControllerFacts: Hashable, Sendable, CustomStringConvertible {
  /// A controller's state as the kernel names it.
  public enum State: Int32, Hashable, Sendable {
    /// In order.
    case errorActive = 0
    /// Error counter at 96.
    case errorWarning = 1
    /// Error counter above 127.
    case errorPassive = 2
    /// Off the bus.
    case busOff = 3
    /// Down.
    case stopped = 4
    /// Asleep.
    case sleeping = 5
  }

  /// The state.
  public var state: State?
  /// Bits a second; 0 if none is set.
  public var bitrate: UInt32?
  /// Where in a bit it is sampled, in thousandths.
  public var samplePointPermille: UInt32?
  /// Milliseconds from bus-off to the automatic restart; 0 means no automatic restart.
  public var restartMilliseconds: UInt32?

  /// The facts as a phrase.
  public var description: String {
    let state =
      switch state {
      case .errorActive: "error active"
      case .errorWarning: "error warning"
      case .errorPassive: "error passive"
      case .busOff: "bus-off"
      case .stopped: "stopped"
      case .sleeping: "sleeping"
      case nil: "in an unknown state"
      }
    let bitrate =
      switch bitrate {
      case 0: "no bitrate set"
      case let rate?: "\(rate) bit/s"
      case nil: "bitrate unknown"
      }
    let restart =
      switch restartMilliseconds {
      case 0: "no restart after bus-off"
      case let time?: "restart \(time) ms after bus-off"
      case nil: "restart unknown"
      }
    return "\(state), \(bitrate), \(restart)"
  }
}

/// Asks and commands the controller behind an interface.
public enum CANController {
  /// What is known about the interface `name`. Needs no rights.
  public static func report(on name: String) throws(SocketCANError) -> CANInterfaceReport {
    guard let facts = try InterfaceWatch.facts(of: name) else { return .absent(name: name) }
    guard facts.isCAN else { return .notCAN(name: name) }
    guard facts.kind == "can" else { return .virtual(name: name, kind: facts.kind ?? "no kind", isUp: facts.isUp) }
    return .controller(name: name, isUp: facts.isUp, controllerFacts(facts))
  }

  /// Takes a controller out of bus-off. Needs CAP_NET_ADMIN. One that is not bus-off is refused.
  public static func restart(_ name: String) throws(SocketCANError) {
    if case .controller(_, _, let facts) = try report(on: name), facts.state != .busOff {
      throw SocketCANError("restart the controller, which is not bus-off", interface: name, code: EINVAL)
    }
    try command("restart the controller", name) { can_do_restart(name) }
  }

  /// Sets bitrate and automatic restart and switches the interface on. Needs CAP_NET_ADMIN; VE.Can and NMEA 2000 use
  /// 250,000 bit/s. A nil restart time leaves it as it is; not every driver has one.
  public static func bringUp(
    _ name: String, bitrate: UInt32 = 250_000, restartMilliseconds: UInt32? = nil
  ) throws(SocketCANError) {
    try command("switch the interface off to set its bitrate", name) { can_do_stop(name) }
    try command("set the bitrate \(bitrate)", name) { can_set_bitrate(name, bitrate) }
    if let restartMilliseconds {
      try command("set the restart time", name) { can_set_restart_ms(name, restartMilliseconds) }
    }
    try command("switch the interface on", name) { can_do_start(name) }
  }

  private static func controllerFacts(_ interface: InterfaceFacts) -> CANControllerFacts {
    var facts = CANControllerFacts(state: state(interface), bitrate: 0)
    var timing = can_bittiming()
    if interface.offers(Int(IFLA_CAN_BITTIMING)), can_get_bittiming(interface.name, &timing) == 0 {
      facts.bitrate = timing.bitrate
      facts.samplePointPermille = timing.sample_point
    }
    var restart: UInt32 = 0
    if interface.offers(Int(IFLA_CAN_RESTART_MS)), can_get_restart_ms(interface.name, &restart) == 0 {
      facts.restartMilliseconds = restart
    }
    return facts
  }

  /// The state of the controller behind an interface; nil if there is none.
  static func state(_ interface: InterfaceFacts) -> CANControllerFacts.State? {
    guard interface.kind == "can", interface.offers(Int(IFLA_CAN_STATE)) else { return nil }
    var state: Int32 = 0
    return can_get_state(interface.name, &state) == 0 ? CANControllerFacts.State(rawValue: state) : nil
  }

  private static func command(_ action: String, _ name: String, _ body: () -> Int32) throws(SocketCANError) {
    guard case .controller = try report(on: name) else {
      throw SocketCANError("\(action): it has no controller", interface: name, code: EOPNOTSUPP)
    }
    errno = 0
    guard body() == 0 else { throw SocketCANError(action, interface: name, code: errno == 0 ? EIO : errno) }
  }
}
