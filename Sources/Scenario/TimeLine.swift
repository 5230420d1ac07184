import BMSCore
import BatterySimulator
public import MonotonicTime

// What happened, in words: each change once, with the reason that the BMS gives for it.

/// A line of what happened.
public struct TimeLineEntry: Sendable, Hashable {
  /// What kind of thing happened.
  public enum Kind: String, Sendable {
    /// The scenario did something.
    case event
    /// What it asked for was refused.
    case refused
    /// An alarm was raised.
    case raised
    /// An alarm was cleared.
    case cleared
    /// The BMS decided something.
    case decision
    /// A main contact moved.
    case contactor
  }
  /// When, since the beginning.
  public let at: TimeSpan
  /// What kind of thing.
  public let kind: Kind
  /// The same for every repetition.
  public let key: String
  /// In words.
  public let text: String
}

/// Writes down what changes from step to step.
struct TimeLine: Sendable {
  private(set) var entries: [TimeLineEntry] = []
  private var mode: Mode?
  private var atc: Bool?
  private var atd: Bool?
  private var contacts: [Bool] = []
  private var phase: ContactorPhase?
  private var fault: BMSCore.ContactorFault?
  private var isRunning = true

  /// A run that cycles for years must not fill the memory.
  static let most = 200_000

  mutating func add(_ at: TimeSpan, _ kind: TimeLineEntry.Kind, _ text: String, key: String? = nil) {
    guard entries.count < TimeLine.most else { return }
    entries.append(TimeLineEntry(at: at, kind: kind, key: key ?? text, text: text))
  }

  mutating func look(_ loop: ClosedLoop, at now: TimeSpan) {
    let contacts = loop.plant.contactors.map(\.isClosed)
    if contacts != self.contacts {
      for (index, isClosed) in contacts.enumerated()
      where self.contacts.indices.contains(index) && self.contacts[index] != isClosed {
        let name = contacts.count > 1 ? "contactor \(index + 1)" : "contactor"
        let current = (-loop.plant.contactors[index].lastBrokenCurrent).text(upTo: 1)
        add(
          now, .contactor, isClosed ? "\(name) closed" : "\(name) opened at \(current) A",
          key: "\(name) \(isClosed)")
      }
      self.contacts = contacts
    }
    let outputs = loop.outputs
    guard loop.isRunning else {
      (mode, atc, atd, phase, fault) = (nil, nil, nil, nil, nil)
      return
    }
    lookAtMode(outputs, now)
    lookAtContacts(outputs, now)
    lookAtContactor(loop, outputs, now)
    if !outputs.events.isEmpty { lookAtEvents(loop, outputs, now) }
  }

  private mutating func lookAtMode(_ outputs: Outputs, _ now: TimeSpan) {
    guard outputs.mode != mode else { return }
    if mode != nil || outputs.mode != .on {
      let cause = outputs.offCause.map { ", cause \(snakeCase("\($0)"))" } ?? ""
      let reason = outputs.mode == .on ? "" : ": \(outputs.dischargeReason)"
      add(now, .decision, "mode \(outputs.mode)\(cause)\(reason)", key: "mode \(outputs.mode)")
    }
    mode = outputs.mode
  }

  private mutating func lookAtContacts(_ outputs: Outputs, _ now: TimeSpan) {
    if outputs.chargeAllowed != atc {
      if atc != nil || outputs.chargeAllowed {
        add(
          now, .decision, "ATC \(outputs.chargeAllowed ? "closed" : "open"), \(outputs.chargeText)",
          key: "ATC \(outputs.chargeAllowed)")
      }
      atc = outputs.chargeAllowed
    }
    if outputs.dischargeAllowed != atd {
      if atd != nil || outputs.dischargeAllowed {
        add(
          now, .decision, "ATD \(outputs.dischargeAllowed ? "closed" : "open"), \(outputs.dischargeText)",
          key: "ATD \(outputs.dischargeAllowed)")
      }
      atd = outputs.dischargeAllowed
    }
  }

  private mutating func lookAtContactor(_ loop: ClosedLoop, _ outputs: Outputs, _ now: TimeSpan) {
    if outputs.contactorPhase != phase {
      switch outputs.contactorPhase {
      case .precharge: add(now, .decision, "pre-charge begins", key: "precharge")
      case .cooling: add(now, .decision, "pre-charge failed, its resistor cools", key: "cooling")
      case .pending: add(now, .decision, "waits for the group", key: "pending")
      case .failed: add(now, .decision, "the contactor stays open until it is switched off and on again", key: "failed")
      case .lead:
        let reason = loop.bms.explanation(of: .contactor).reason
        add(now, .decision, "the contactor is to open: \(reason)", key: "lead")
      case .takeover: add(now, .decision, "looks at the contactor that the run before left closed", key: "takeover")
      case .open, .selfTest, .closing, .closed, .opening: break
      }
      phase = outputs.contactorPhase
    }
    fault = outputs.contactorFault
  }

  private mutating func lookAtEvents(_ loop: ClosedLoop, _ outputs: Outputs, _ now: TimeSpan) {
    let events = outputs.events
    for alarm in events.raised {
      let cause = loop.bms.record(of: alarm).cause.map { ": \($0)" } ?? ""
      add(
        now, .raised, "\(alarm.definition.code) \(loop.bms.message(of: alarm))\(cause)", key: "raised \(alarm.word)")
    }
    for alarm in events.cleared {
      add(
        now, .cleared, "\(alarm.definition.code) \(loop.bms.message(of: alarm)) is over", key: "cleared \(alarm.word)")
    }
    if let trigger = events.fullChargeStarted {
      let volts = outputs.limits.chargeVoltage.map { ", CVL \($0.text(upTo: 2)) V" } ?? ""
      add(now, .decision, "full charge begins: \(trigger.text)\(volts)", key: "full charge begins")
    }
    if events.fullChargeCompleted {
      let volts = outputs.limits.chargeVoltage.map { ", CVL \($0.text(upTo: 2)) V" } ?? ""
      add(now, .decision, "full charge is complete\(volts)", key: "full charge completed")
    }
    if let record = events.synchronised {
      let before = record.before.map { "\($0.text(upTo: 1)) %" } ?? "unknown"
      let at = record.voltage.flatMap { volts in
        record.current.map { " at \(volts.text(upTo: 2)) V, \($0.text(upTo: 1)) A" }
      }
      add(
        now, .decision,
        "state of charge \(record.after.text(upTo: 1)) % (\(record.cause.text), was \(before))\(at ?? "")",
        key: "synchronised")
    }
  }

  // MARK: For people

  /// How often something is told before it is only counted.
  static let told = 3
  /// What comes again within this is a repetition.
  static let again = TimeSpan.hours(2)

  /// The lines, with what repeats itself told three times and then counted: a cycling ATC is one story (R106).
  static func grouped(_ entries: [TimeLineEntry]) -> [(at: TimeSpan, text: String)] {
    var lines: [(at: TimeSpan, text: String)] = []
    var seen: [String: (count: Int, last: TimeSpan)] = [:]
    var held: [String: (count: Int, first: TimeSpan, last: TimeLineEntry)] = [:]
    func tell(_ isDue: (TimeSpan) -> Bool) {
      for (key, group) in held.sorted(by: { ($0.value.last.at, $0.key) < ($1.value.last.at, $1.key) })
      where isDue(group.last.at) {
        let times = group.count == 1 ? "once more" : "\(group.count) times more, the last"
        lines.append((group.last.at, "\(times): \(group.last.text)"))
        held[key] = nil
      }
    }
    for entry in entries {
      tell { entry.at - $0 > again }
      var (count, last) = seen[entry.key] ?? (0, entry.at)
      if entry.at - last > again { count = 0 }
      count += 1
      last = entry.at
      seen[entry.key] = (count, last)
      if entry.kind != .event, entry.kind != .refused, count > told {
        let group = held[entry.key] ?? (0, entry.at, entry)
        held[entry.key] = (group.count + 1, group.first, entry)
      } else {
        lines.append((entry.at, entry.text))
      }
    }
    tell { _ in true }
    // What was held is told when it is over, in its place.
    return lines.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
  }
}
