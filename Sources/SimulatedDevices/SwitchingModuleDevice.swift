public import BatterySimulator
public import CANBus
public import MonotonicTime
import NMEA2000

/// A switching module: contactor, pre-charge, ATC, ATD, relay and AUX on a bank of 127501, commanded by 126208.
///
/// What the bank says of contactor and pre-charge is what the plant's own contacts are, never what was commanded: a welded
/// contactor stays on, a stuck one off. Indicator 7 is the contactor's auxiliary contact, which can be wrong by itself.
public struct SwitchingModuleDevice: SimulatedDevice {
  /// The indicators of the bank.
  public enum Contact: Int, CaseIterable, Sendable {
    /// The contactor's main contacts.
    case contactor = 1
    /// The pre-charge switch.
    case precharge
    /// ATC.
    case allowToCharge
    /// ATD.
    case allowToDischarge
    /// The programmable relay.
    case relay
    /// AUX.
    case auxiliary

    /// As people type it.
    public var key: String {
      switch self {
      case .contactor: "contactor"
      case .precharge: "precharge"
      case .allowToCharge: "atc"
      case .allowToDischarge: "atd"
      case .relay: "relay"
      case .auxiliary: "aux"
      }
    }
  }

  /// The data instance of the bank.
  public static let bank = 0
  /// The indicator of the contactor's auxiliary contact.
  public static let feedbackIndicator = 7
  /// The bank is sent on change and this often.
  static let interval = TimeSpan.seconds(1)

  public var port: DevicePort
  private var panel = Panel()
  private var status: Pacer
  private var shown: [Bool] = []
  private var news: [String] = []

  init(_ port: DevicePort, at now: Instant) {
    self.port = port
    status = Pacer(Self.interval, from: now)
  }

  public var nextDeadline: Instant { min(port.nextDeadline, status.next) }

  /// Whether a coil or a contact of the module is on.
  public func isOn(_ contact: Contact) -> Bool { panel.coils[contact.rawValue - 1] }

  public mutating func receive(_ frame: CANDataFrame, at now: Instant) {
    port.receive(frame, at: now, ear: &panel)
    if !panel.news.isEmpty {
      news += panel.news
      panel.news.removeAll()
      status.hurry(at: now)
    }
    if panel.isAsked {
      panel.isAsked = false
      status.hurry(at: now)
    }
  }

  public mutating func takeNews() -> [String] {
    defer { news.removeAll() }
    return news
  }

  public mutating func run(at now: Instant, plant: inout Plant) {
    port.tick(at: now)
    var states = panel.coils
    states[Contact.contactor.rawValue - 1] = plant.contactors.allSatisfy(\.isClosed)
    states[Contact.precharge.rawValue - 1] = plant.precharge.isOn
    states.append(plant.contactors.allSatisfy(\.feedback))
    if states != shown {
      shown = states
      status.hurry(at: now)
    }
    guard port.mayTalk, status.isDue(at: now) else { return }
    var bank = BinarySwitchBankStatus()
    bank.instance = .value(Self.bank)
    for (index, state) in states.enumerated() { bank[indicator: index + 1] = .value(state) }
    port.node.send(bank, at: now)
  }

  /// Does something to it; false when it is nothing that concerns a module.
  mutating func perform(_ order: DeviceOrder) -> Bool {
    switch order {
    case .plug, .unplug: return false
    case .refuse(let indicator): panel.refused.insert(indicator)
    case .pretend(let indicator): panel.pretended.insert(indicator)
    case .move(let indicator, let isOn):
      guard panel.coils.indices.contains(indicator - 1) else { return false }
      panel.coils[indicator - 1] = isOn
    case .obey:
      panel.refused.removeAll()
      panel.pretended.removeAll()
    }
    return true
  }

  /// The bank as commands see it.
  private struct Panel: NodeApplication {
    var coils = [Bool](repeating: false, count: Contact.allCases.count)
    var refused: Set<Int> = []
    var pretended: Set<Int> = []
    var news: [String] = []
    var isAsked = false

    mutating func received(_ header: MessageHeader, _ payload: RawSpan) {}

    mutating func requested(_ request: PGNRequest) -> RequestAnswer {
      guard request.filters.isEmpty else { return .notAvailable }
      isAsked = true
      return .willSend
    }

    /// Nothing of a command is done when a part of it cannot be.
    mutating func commanded(_ command: PGNCommand) -> GroupFunctionAnswer {
      guard command.pgn == BinarySwitchBankStatus.definition.pgn else { return .refused(.notSupported) }
      guard let first = command.parameters.first, first.field == 1 else { return .refused(.notSupported) }
      var answer = GroupFunctionAnswer()
      answer.parameters = command.parameters.map { parameter in
        guard let bits = parameter.bits else { return .outOfRange }
        if parameter.field == 1 { return bits == UInt64(SwitchingModuleDevice.bank) ? .none : .outOfRange }
        let indicator = Int(parameter.field) - 1
        guard coils.indices.contains(indicator - 1) else { return .invalidField }
        guard bits <= 1 else { return .outOfRange }
        return refused.contains(indicator) ? .accessDenied : .none
      }
      guard answer.isAccepted else {
        news.append("refuses a command of \(command.source)")
        return answer
      }
      for parameter in command.parameters.dropFirst() {
        let indicator = Int(parameter.field) - 1
        guard !pretended.contains(indicator), let bits = parameter.bits else { continue }
        guard coils[indicator - 1] != (bits == 1) else { continue }
        coils[indicator - 1] = bits == 1
        let name = Contact(rawValue: indicator)?.key ?? "\(indicator)"
        news.append("\(name) commanded \(bits == 1 ? "on" : "off") by \(command.source)")
      }
      return answer
    }
  }
}
