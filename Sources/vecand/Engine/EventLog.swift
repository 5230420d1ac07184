import BMSCore
import BMSDevice
import CANBus
import Logging
import MonotonicTime
import NMEA2000
import VECan

/// A line for people about something that happened.
struct EventLine {
  var level: Logger.Level
  var text: String
  /// For the journal, where the line is of a kind that tools look for.
  var fields: JournalFields?
}

/// Words for what happens in the device: each thing once, with what it means and what to do.
struct EventText {
  /// The names of the Distributors' fuses, for their alarms (R253).
  var fuseNames = FuseNames()
  /// What was set at run time, as it was told.
  private(set) var told = ChangedSettings()

  mutating func lines(for event: DeviceEvent) -> [EventLine] {
    switch event {
    case .node(let event): line(for: event).map { [$0] } ?? []
    case .raised(let alarms): alarms.map { line(for: $0.alarm, $0.cause) }
    case .core(let events, _): lines(for: events)
    case .decided(let explanations): ExplanationText.lines(for: explanations)
    case .sender(let role, let state): [line(for: role, state)]
    case .output(let role, let state): line(for: role, state).map { [$0] } ?? []
    case .silence(let isSilent):
      [
        isSilent
          ? EventLine(level: .notice, text: "off: nothing is sent any more until it is switched on")
          : EventLine(level: .notice, text: "no longer off: back on the bus")
      ]
    case .keepAlive(let isHeard):
      [
        isHeard
          ? EventLine(level: .info, text: "0x305: something listens to the 11-bit battery frames")
          : EventLine(level: .warning, text: "0x305: whatever listened to the 11-bit battery frames fell silent")
      ]
    case .registerWritten(let id, let source):
      [
        EventLine(
          level: .notice,
          text: "register \(id)\(Register(id).map { " (\($0.definition.name))" } ?? "") written by address \(source)")
      ]
    case .settingsChanged(let changed): lines(for: changed)
    case .settingsWaiting(let settings): settings.map { line(for: $0) }
    case .descriptionNotInForce(let number, let configured, let inForce):
      [
        EventLine(
          level: .warning,
          text: """
            identity.installation_description_\(number) = "\(configured)" is not in force: "\(inForce)" was set over the bus \
            and counts before it. An empty one set over the bus gives it back to the file: vecanctl register write \
            --device ADDRESS installation-description-\(number) ""
            """)
      ]
    case .outboxFull(let refused):
      [
        EventLine(
          level: .error,
          text: "the bus takes nothing: \(refused) messages could not be queued; check wiring, termination, bitrate")
      ]
    }
  }

  /// What an operator asked for, and what became of it.
  func line(for words: String, _ refusal: OperatorRefusal?) -> EventLine {
    EventLine(level: .notice, text: "\(words)\(refusal.map { ": \($0)" } ?? "")", fields: .commanded)
  }

  /// Whoever reads the configuration file must be able to find out why another value is in force. What was told is not told
  /// again.
  mutating func lines(for changed: ChangedSettings) -> [EventLine] {
    defer { told = changed }
    if changed == ChangedSettings() { return [EventLine(level: .notice, text: "settings as configured")] }
    var texts = Setting.allCases.compactMap { setting -> String? in
      let value = changed.values[setting]
      // A value that waited and is given up has left another one in force already.
      let isGivenUp = value == nil && told.waiting[setting.definition.key] != nil
      let isWaiting = changed.waiting[setting.definition.key] != nil
      if value == told.values[setting], !isGivenUp || isWaiting { return nil }
      return value.map { "set at run time: \(setting.assignment(of: $0))" } ?? "\(setting.definition.key) as configured"
    }
    if changed.fuseNames != told.fuseNames {
      texts.append(changed.fuseNames == nil ? "names of fuses as configured" : "set at run time: names of fuses")
    }
    return texts.map { EventLine(level: .notice, text: $0) }
  }

  /// What was set at run time and is not in force: why not, what is, and how to end that.
  private func line(for waiting: WaitingSetting) -> EventLine {
    let why: String
    switch waiting.refusal {
    case nil:
      return EventLine(
        level: .error,
        text:
          "set at run time and not in force: this version has no setting \(waiting.key) (\(waiting.value.text(upTo: 3))). "
          + "The value stays stored for a version that has; give it up with all others by vecanctl set --reset-all")
    case .contradictions(let all)? where all.contains { $0.isBoth }:
      why = all.map {
        "\($0.setting.text(of: $0.value)) and \($0.other.text(of: $0.otherValue)), both stored, contradict each other "
          + "(\($0.source)) and neither counts"
      }.joined(separator: "; ")
    case let refusal?: why = refusal.finding
    }
    let inForce = Setting(key: waiting.key).flatMap { setting in waiting.inForce.map { setting.assignment(of: $0) } }
    return EventLine(
      level: .error,
      text:
        "set at run time and not in force: \(why). In force is \(inForce ?? waiting.key). The refused value stays stored "
        + "and counts at the next start or reload that accepts it; set another (vecanctl set \(waiting.key) VALUE) or give "
        + "it up (vecanctl set \(waiting.key) --reset)")
  }

  private func line(for event: NodeEvent) -> EventLine? {
    switch event {
    case .addressClaimed(let address): EventLine(level: .notice, text: "claimed address \(address)")
    case .addressLost(let address, let winner):
      EventLine(level: .notice, text: "lost address \(address) to NAME \(winner), taking another")
    case .cannotClaim:
      EventLine(
        level: .error,
        text:
          "no address could be claimed, for all are taken or a device contests each: nothing but the 11-bit frames can be "
          + "sent; remove devices from the bus")
    case .addressCommanded(let address):
      EventLine(level: .notice, text: "commanded to address \(address) (65240)")
    case .addressUsedByAnother(let pgn):
      EventLine(level: .warning, text: "another device sends PGN \(pgn) from our address")
    case .twinName(let name, let newUniqueNumber):
      EventLine(
        level: .error,
        text:
          "another device has our NAME \(name): continuing with unique number \(newUniqueNumber); give one of the two "
          + "an identity.unique_number of its own")
    case .instancesChanged(let device, let system):
      EventLine(level: .notice, text: "instances set over the bus: device \(device), system \(system)")
    case .descriptionsChanged:
      EventLine(
        level: .notice,
        text: "installation description set over the bus: it counts before the file's; an empty one gives it back")
    case .intervalChanged(let pgn, let interval):
      EventLine(level: .notice, text: "interval of PGN \(pgn) set over the bus: \(interval.seconds.text(2)) s")
    case .storedChanged: nil
    }
  }

  /// What raised it stands in the line: the decision that follows may be about another alarm that came before.
  private func line(for alarm: Alarm, _ cause: Reason?) -> EventLine {
    let row = alarm.definition
    let because = cause.map { " (\($0))" } ?? ""
    return EventLine(
      level: row.severity == .warning ? .warning : .error,
      text: "raised \(row.code) \(fuseNames.message(of: alarm))\(because): \(row.effect). \(row.advice)",
      fields: .raised(alarm, cause))
  }

  private func lines(for events: StepEvents) -> [EventLine] {
    var lines: [EventLine] = []
    for alarm in events.cleared {
      let row = alarm.definition
      lines.append(
        EventLine(
          level: .notice, text: "cleared \(row.code) \(fuseNames.message(of: alarm))", fields: .cleared(alarm)))
    }
    if let trigger = events.fullChargeStarted {
      lines.append(EventLine(level: .info, text: "full charge cycle begins: \(trigger.text)"))
    }
    if events.fullChargeCompleted { lines.append(EventLine(level: .info, text: "full charge cycle completed")) }
    if let record = events.synchronised {
      lines.append(
        EventLine(
          level: .info,
          text: "state of charge \(record.before.percent) -> \(record.after.text(1)) % (\(record.cause.text)) at "
            + "\(record.voltage.volts), \(record.current.amperes)"))
    }
    return lines
  }

  func line(for role: WiredRole, _ state: SenderState) -> EventLine {
    let level: Logger.Level =
      switch state {
      case .unwired, .silent: .warning
      case .notHeard, .heard: .notice
      case .ambiguous: .error
      }
    let advice = if case .ambiguous = state { "; add unique_number to [\(role.key)]" } else { "" }
    return EventLine(level: level, text: "\(role.key): \(text(of: state))\(advice)")
  }

  /// Who feeds a role, without its name.
  func text(of state: SenderState) -> String {
    switch state {
    case .unwired: "no source is configured"
    case .notHeard: "waiting for its sender"
    case .heard(.nameless): "fed by 11-bit frames"
    case .silent(.nameless): "the 11-bit frames fell silent"
    case .heard(let name): "fed by NAME \(name)"
    case .silent(let name): "NAME \(name) fell silent"
    case .ambiguous(let first, let second): "NAME \(first) and NAME \(second) both fit and neither is used"
    }
  }

  /// What is known of a switch. Who its module is, and that it fell silent, is told by the sender's line.
  func line(for role: WiredRole, _ state: SwitchState) -> EventLine? {
    guard let text = text(of: state) else { return nil }
    let follows = if case .follows = state { true } else { false }
    return EventLine(level: follows ? .info : .error, text: "\(role.key): \(text)")
  }

  /// What is known of a switch, without its name; nil where the sender's state says it.
  func text(of state: SwitchState) -> String? {
    switch state {
    case .unwired, .notHeard, .commanded, .silent, .ambiguous: nil
    case .follows(let isOn): "is \(isOn ? "on" : "off")"
    case .refused: WiringFault.refused.text
    case .notSupported: WiringFault.notSupported.text
    case .unanswered: WiringFault.unanswered.text
    case .notActing: WiringFault.notActing.text
    case .actedUnasked: WiringFault.actedUnasked.text
    case .faulty: WiringFault.faulty.text
    }
  }
}

/// Writes what the engine reports to the log.
struct EventLog {
  let logger: Logger
  private let configuredFuseNames: FuseNames
  private var text = EventText()
  private var addresses = AddressNews()
  /// The names of the fuses now.
  var fuseNames: FuseNames { text.fuseNames }

  /// - Parameter restored: what was set at run time before. How much of it is in force the device tells at its start.
  init(logger: Logger, fuseNames: FuseNames = FuseNames(), restored: ChangedSettings = ChangedSettings()) {
    self.logger = logger
    configuredFuseNames = fuseNames
    text = EventText(fuseNames: restored.fuseNames ?? fuseNames)
  }

  /// Writes the lines of a report, and returns them for who follows the events.
  @discardableResult
  mutating func note(_ report: EngineReport) -> [EventLine] {
    let lines = lines(for: report)
    for line in lines { logger.log(level: line.level, "\(line.text)", metadata: line.fields?.metadata) }
    return lines
  }

  private mutating func lines(for report: EngineReport) -> [EventLine] {
    switch report {
    case .device(.node(let event)) where addresses.holdsBack(event): return []
    case .device(let event):
      if case .settingsChanged(let changed) = event { text.fuseNames = changed.fuseNames ?? configuredFuseNames }
      return text.lines(for: event)
    case .link(let event), .batteryLink(let event):
      return [
        EventLine(level: event.state == .up ? .notice : .warning, text: event.text, fields: .link("\(event.state)"))
      ]
    case .losses(let losses):
      return [
        EventLine(
          level: .warning,
          text: """
            frames lost since the start: \(losses.kernelDrops) dropped by the kernel, \(losses.canFDRefused) CAN FD \
            refused, \(losses.malformed) malformed, \(losses.expired) not sent in time, \(losses.overflowed) messages \
            found no room
            """)
      ]
    case .forgedErrorFrames(let count):
      return [
        EventLine(
          level: .warning,
          text: """
            \(count) error frames since the start were written by a program on this machine and not believed; find it \
            (candump -e -x shows them as TX) and stop it, or give it an interface of its own
            """)
      ]
    case .commanded(let words, let refusal): return [text.line(for: words, refusal)]
    case .explanation(let explanation):
      return ExplanationText(fuseNames: text.fuseNames).lines(for: explanation, clock: .now())
    case .status(let status, _): return addresses.line(at: status.instant, address: status.address).map { [$0] } ?? []
    case .stored, .state: return []
    case .ended: return [EventLine(level: .notice, text: "left the bus")]
    case .handedOver:
      return [
        EventLine(
          level: .notice,
          text: "handed over: limits and outputs stay as they are, a successor has 120 s to take them over")
      ]
    }
  }
}
