import BMSCore
import MonotonicTime
import NMEA2000

// All switches that are commanded (design section 4): what the core decided goes out as commands to the modules, what
// the modules say comes back as the state of each switch and as faults of the wiring.

struct Switchboard: Sendable {
  /// A bank that was not heard for so long is asked for: many modules send it on change only (nmea2000.md section 1.3).
  static let bankInterval = TimeSpan.seconds(2)
  /// After a command its bank is asked for this soon, when the module has not sent it by itself.
  static let readBackInterval = TimeSpan.milliseconds(200)
  /// Whether banks have to be asked for is looked at this often.
  static let questionInterval = TimeSpan.milliseconds(100)
  /// An opening to a module that is not heard, or to two of which one is the right one, is repeated this often.
  static let blindRepeat = TimeSpan.seconds(1)
  /// A module that was not heard this long after the start is lost.
  static let startTime = TimeSpan.seconds(10)
  /// When what the node could not take is tried again.
  static let retryInterval = TimeSpan.milliseconds(50)
  /// A closing that waited for so long on a busy bus says nothing about now any more.
  static let validity = TimeSpan.milliseconds(100)
  /// An opening stays true until the next one.
  static let openingValidity = TimeSpan.seconds(1)

  private struct Output {
    let role: WiredRole
    let wiring: SwitchWiring
    var channel: SwitchChannel
    var reported = SwitchState.unwired
    var lastBlind = Instant(nanoseconds: .min)
  }

  /// A command that the module has not answered yet.
  private struct Question {
    var module: Name
    var output: Int
    var sent: Instant
  }

  private var outputs: [Output]
  private var questions: [Question] = []
  private var bankRequests: [(address: UInt8, instant: Instant)] = []
  private var nextQuestion = Instant(nanoseconds: .min)
  private var started: Instant?
  /// When ``run(_:_:through:at:)`` is due next.
  private(set) var nextDeadline = Instant(nanoseconds: .max)
  /// What is wrong now.
  private(set) var faults = WiringFaults()

  init(configuration: DeviceConfiguration) {
    outputs = WiredRole.outputs.compactMap { role in
      configuration.switches[role].map { wiring in
        Output(
          role: role, wiring: wiring,
          channel: SwitchChannel(
            carriesCurrent: role == .contactor || role == .secondContactor || role == .precharge,
            refresh: wiring.refresh, isAnswered: wiring.command == .groupFunction))
      }
    }
    questions.reserveCapacity(16)
    bankRequests.reserveCapacity(8)
  }

  /// Whether nothing is commanded on, and every switch says that it is off.
  var isReleased: Bool { outputs.allSatisfy { $0.channel.isReleased } }

  /// The state of a switch.
  func state(of role: WiredRole) -> SwitchState {
    outputs.first { $0.role == role }?.channel.state ?? .unwired
  }

  /// Where a switch is as its module says; nil when it is not wired.
  func seen(_ role: WiredRole) -> Reading<Bool>? {
    guard let output = outputs.first(where: { $0.role == role }) else { return nil }
    return output.channel.seen
  }

  /// Takes what the core decided and what the modules said, and sends what is due.
  ///
  /// - Parameters:
  ///   - decided: the core's outputs.
  ///   - mapping: who is heard, and what the banks say.
  ///   - node: what to send through.
  ///   - now: the present.
  mutating func run(_ decided: Outputs, _ mapping: inout InputMapping, through node: inout Node, at now: Instant) {
    if started == nil { started = now }
    nextDeadline = Instant(nanoseconds: .max)
    takeAnswers(&mapping, at: now)
    for index in outputs.indices {
      let role = outputs[index].role
      if let bank = mapping.readBack(of: role) { outputs[index].channel.read(bank.reading, at: bank.taken) }
      if !Self.isLeft(role, decided.left) {
        outputs[index].channel.want(Self.wanted(role, decided), at: now)
      }
      let sender = mapping.state(of: role)
      // After the silence of Off a module has to say anew where its switches are, and is not lost before.
      if case .silent = sender, mapping.isExcused(role, at: now) {
        outputs[index].channel.evaluate(.notHeard)
      } else {
        outputs[index].channel.evaluate(sender)
      }
      if case .heard = sender { outputs[index].channel.judge(at: now) }
    }
    if node.address != nil {
      for index in outputs.indices { command(index, mapping.state(of: outputs[index].role), &node, at: now) }
      if nextQuestion <= now {
        nextQuestion = now + Self.questionInterval
        askForBanks(mapping, &node, at: now)
      }
    }
    noteFaults(mapping, at: now)
  }

  /// Takes the oldest change of a switch's state that was not told yet.
  mutating func nextChange() -> (role: WiredRole, state: SwitchState)? {
    for index in outputs.indices where outputs[index].reported != outputs[index].channel.state {
      outputs[index].reported = outputs[index].channel.state
      return (outputs[index].role, outputs[index].channel.state)
    }
    return nil
  }

  /// Whether a restart leaves it as it is for now (R24).
  private static func isLeft(_ role: WiredRole, _ left: LeftOutputs) -> Bool {
    switch role {
    case .contactor, .secondContactor, .precharge: left.contains(.contactor)
    case .allowToCharge: left.contains(.allowToCharge)
    case .allowToDischarge: left.contains(.allowToDischarge)
    default: false
    }
  }

  private static func wanted(_ role: WiredRole, _ decided: Outputs) -> Bool {
    switch role {
    case .contactor, .secondContactor: decided.contactorCommand
    case .precharge: decided.prechargeCommand
    case .allowToCharge: decided.chargeAllowed
    case .allowToDischarge: decided.dischargeAllowed
    case .relay: decided.relayActive
    case .auxiliary: decided.auxiliary
    case .monitor, .cells, .systemVoltage, .batteryTemperature, .contactorFeedback, .secondContactorFeedback,
      .thermalSwitch, .secondThermalSwitch, .remote, .lowCellSignal, .preAlarmSignal, .highCellSignal,
      .lowTemperatureSignal, .highTemperatureSignal, .batteryCable, .distributorA, .distributorB, .distributorC,
      .distributorD, .bmsTemperature, .fan, .secondFan, .supply:
      false
    }
  }

  // MARK: Commands

  private mutating func command(_ index: Int, _ sender: SenderState, _ node: inout Node, at now: Instant) {
    guard outputs[index].channel.isCommanded else { return }
    let isWanted = outputs[index].channel.isWanted
    switch sender {
    case .unwired: break
    case .heard(let name):
      guard let due = outputs[index].channel.nextCommand(at: now), let address = node.devices.address(of: name) else {
        return
      }
      guard due <= now else { return note(due) }
      // Answers do not say what they answer, so one command at a time waits for its answer. Off waits for nothing.
      if isWanted, let last = questions.last(where: { $0.module == name && $0.output != index }),
        now - last.sent < SwitchChannel.answerTime
      {
        return note(last.sent + SwitchChannel.answerTime)
      }
      guard send(index, isWanted, to: address, &node, at: now) else { return note(now + Self.retryInterval) }
      outputs[index].channel.sent(at: now)
      if outputs[index].wiring.command == .groupFunction {
        questions.append(Question(module: name, output: index, sent: now))
      }
      if let next = outputs[index].channel.nextCommand(at: now) { note(next) }
    case .notHeard, .silent, .ambiguous:
      // Closing needs somebody who says what became of it. Opening goes to whoever it may concern.
      guard !isWanted, now - outputs[index].lastBlind >= Self.blindRepeat else { return }
      outputs[index].lastBlind = now
      for address in addresses(sender, outputs[index].wiring.indicator.sender, node, at: now) {
        _ = send(index, false, to: address, &node, at: now)
      }
    }
  }

  private func addresses(
    _ sender: SenderState, _ selector: DeviceSelector, _ node: Node, at now: Instant
  ) -> [UInt8] {
    switch sender {
    case .unwired: return []
    case .heard(let name), .silent(let name): return node.devices.address(of: name).map { [$0] } ?? []
    case .ambiguous(let first, let second): return [first, second].compactMap { node.devices.address(of: $0) }
    case .notHeard:
      if case .one(let address, _) = node.devices.match(selector, at: now) { return [address] }
      return []
    }
  }

  /// All commands have one urgency, so that an old "on" can never overtake a new "off" on its way to the bus.
  private func send(_ index: Int, _ isOn: Bool, to address: UInt8, _ node: inout Node, at now: Instant) -> Bool {
    let wiring = outputs[index].wiring
    let number = Int(wiring.indicator.indicator)
    let validity = isOn ? Self.validity : Self.openingValidity
    switch wiring.command {
    case .groupFunction:
      var command = GroupFunctionCommand(BinarySwitchBankStatus.definition.pgn)
      command.append(field: 1, value: UInt64(wiring.indicator.bank), byteCount: 1)
      command.append(
        field: BinarySwitchBankStatus.fieldNumber(ofIndicator: number), value: isOn ? 1 : 0, byteCount: 1)
      return node.send(command, to: address, urgency: .protective, validity: validity, at: now) == .queued
    case .switchBankControl:
      var control = SwitchBankControl()
      control.instance = .value(Int(wiring.indicator.bank))
      control[switch: number] = .value(isOn)
      return node.send(control, urgency: .protective, validity: validity, at: now) == .queued
    }
  }

  private mutating func note(_ deadline: Instant) { nextDeadline = min(nextDeadline, deadline) }

  // MARK: What comes back

  private mutating func takeAnswers(_ mapping: inout InputMapping, at now: Instant) {
    // An answer that is so late is not told from the next one.
    questions.removeAll { now - $0.sent > .seconds(1) }
    for (module, answer) in mapping.switchAnswers {
      guard let place = questions.firstIndex(where: { $0.module == module }) else { continue }
      outputs[questions.remove(at: place).output].channel.answered(answer)
    }
    mapping.switchAnswers.removeAll(keepingCapacity: true)
  }

  private mutating func askForBanks(_ mapping: borrowing InputMapping, _ node: inout Node, at now: Instant) {
    bankRequests.removeAll { now - $0.instant > Self.bankInterval }
    for index in outputs.indices
    where outputs[index].channel.awaitsReading || outputs[index].channel.mustSeeFirst(at: now) {
      ask(outputs[index].role, outputs[index].wiring.indicator.sender, mapping, Self.readBackInterval, &node, at: now)
    }
    for (role, sender) in mapping.bankSenders {
      ask(role, sender, mapping, Self.bankInterval, &node, at: now)
    }
  }

  private mutating func ask(
    _ role: WiredRole, _ sender: DeviceSelector, _ mapping: borrowing InputMapping, _ interval: TimeSpan,
    _ node: inout Node, at now: Instant
  ) {
    guard mapping.isAwaited(role) || mapping.lastHeard(role).map({ now - $0 >= interval }) ?? true else { return }
    for address in addresses(mapping.state(of: role), sender, node, at: now) {
      let isAsked = bankRequests.contains { $0.address == address && now - $0.instant < interval }
      guard !isAsked else { continue }
      bankRequests.append((address, now))
      node.request(BinarySwitchBankStatus.definition.pgn, from: address, at: now)
    }
  }

  // MARK: Faults

  private mutating func noteFaults(_ mapping: borrowing InputMapping, at now: Instant) {
    faults = WiringFaults()
    let isStarting = started.map { now - $0 < Self.startTime } ?? true
    for output in outputs {
      let fault: WiringFault? =
        switch output.channel.state {
        case .unwired, .commanded, .follows: nil
        case .notHeard: isStarting || mapping.isExcused(output.role, at: now) ? nil : .lost
        case .refused: .refused
        case .notSupported: .notSupported
        case .unanswered: .unanswered
        case .notActing: .notActing
        case .actedUnasked: .actedUnasked
        case .faulty: .faulty
        case .silent: .lost
        case .ambiguous: .ambiguous
        }
      if let fault { faults[fault, output.role] = true }
    }
    // The core tells of a Distributor's own two senders (OD-16).
    for role in mapping.wired where !role.isOutput && !WiredRole.distributors.contains(role) {
      switch mapping.state(of: role) {
      case .ambiguous: faults[.ambiguous, role] = true
      // Every other input that is lost has an alarm of its own in the core.
      case .notHeard where Self.isOnlyMissedHere(role) && !isStarting: faults[.lost, role] = true
      case .silent where Self.isOnlyMissedHere(role) && !mapping.isExcused(role, at: now): faults[.lost, role] = true
      case .unwired, .notHeard, .heard, .silent: break
      }
    }
  }

  /// Inputs that the core goes on without, so that nothing there tells that they are gone.
  private static func isOnlyMissedHere(_ role: WiredRole) -> Bool {
    role == .systemVoltage || role == .bmsTemperature || role == .fan || role == .secondFan || role == .supply
  }
}
