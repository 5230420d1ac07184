import BMSCore
import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import VECan

/// Decides when each publication goes out: periodically, on change at most once a second, and at once when a limit or a
/// permission is withdrawn for a protective reason.
struct Publisher {
  /// The shortest time between two reports of a change that protects nobody (vecan.md section 1).
  static let changeInterval = TimeSpan.seconds(1)
  /// A state that was not sent for so long is replaced by the next one: no receiver should act on it any more.
  static let validity = TimeSpan.seconds(2)

  /// The shortest time between two answers to requests for the same PGN: asking must not fill the bus.
  static let requestInterval = TimeSpan.milliseconds(50)
  /// When a message that the node could not take (no address, no room) is tried again.
  static let retryInterval = TimeSpan.milliseconds(50)

  private struct Slot {
    var due: Instant
    var lastSent = Instant(nanoseconds: .min)
    var last: Content?
    /// A protective change that is not on its way yet.
    var isUrgent = false
  }

  private var maker: ContentMaker
  private let sendsBatteryFrames: Bool
  /// What was charged and discharged since ever (R189).
  var energy: EnergyFrame {
    get { maker.energy }
    set { maker.energy = newValue }
  }

  /// Where relay and AUX are as their modules say.
  var seen: SeenContacts {
    get { maker.seen }
    set { maker.seen = newValue }
  }
  /// What the registers of the Distributors are now; empty where none is wired.
  var distributors: [RegisterMessage] {
    get { maker.distributors }
    set { maker.distributors = newValue }
  }
  private var slots: [Slot]
  /// Whether PGNs and registers, and whether 11-bit frames can be sent now.
  private var carriesMessages = false
  private var carriesFrames = false
  private var sequenceIdentifier = 0

  init(configuration: DeviceConfiguration, at now: Instant) {
    maker = ContentMaker(configuration: configuration)
    sendsBatteryFrames = configuration.sendsBatteryFrames
    slots = Publication.allCases.map { _ in Slot(due: now) }
  }

  /// Other settings.
  mutating func apply(_ settings: Settings) { maker.apply(settings) }

  /// The installation description that is in force.
  mutating func describe(_ text: String) { maker.describe(text) }

  /// Whether anything can be sent.
  var carriesAnything: Bool { carriesMessages || carriesFrames }

  /// What can be sent from now on. What could not before is due at once.
  mutating func carry(messages: Bool, frames: Bool, at now: Instant) {
    let frames = frames && sendsBatteryFrames
    let areFramesNew = frames && !carriesFrames
    carriesMessages = messages
    carriesFrames = frames
    guard areFramesNew else { return }
    for publication in Publication.allCases where publication.isFrame { slots[publication.rawValue].due = now }
  }

  private func carries(_ publication: Publication) -> Bool { publication.isFrame ? carriesFrames : carriesMessages }

  /// Sends whatever is due and can be sent.
  ///
  /// - Parameters:
  ///   - outputs: the core's decisions.
  ///   - isUrgent: a protective change is among them.
  ///   - node: what to send through.
  ///   - now: the present.
  mutating func publish(_ outputs: Outputs, isUrgent: Bool, through node: inout Node, at now: Instant) {
    for publication in Publication.allCases where carries(publication) {
      let index = publication.rawValue
      let isDue = slots[index].due <= now
      guard isDue || publication.isSentOnChange else { continue }
      let content = maker.content(of: publication, outputs, sequenceIdentifier: sequenceIdentifier)
      let hasChanged = publication.isSentOnChange && content != slots[index].last
      if hasChanged, isUrgent { slots[index].isUrgent = true }
      let mayReportChange = slots[index].isUrgent || now - slots[index].lastSent >= Self.changeInterval
      guard isDue || hasChanged && mayReportChange else { continue }
      if let content {
        let urgency: Outbox.Urgency = slots[index].isUrgent ? .protective : .periodic
        guard send(content, urgency: urgency, through: &node, at: now) else {
          slots[index].due = now + Self.retryInterval
          continue
        }
        slots[index].lastSent = now
      }
      slots[index].last = content
      slots[index].isUrgent = false
      // From the due time, not from now, so that the period does not drift; but never a burst after a pause.
      let interval = publication.pgn.flatMap { node.interval(of: $0) } ?? publication.interval
      let next = slots[index].due + interval
      slots[index].due = isDue && next > now ? next : now + interval
      if publication == .detailedStatus { sequenceIdentifier = (sequenceIdentifier + 1) % 253 }
    }
  }

  /// When something is due next. A change that waits for its second is looked at with the core's next step.
  var nextDeadline: Instant {
    guard carriesAnything else { return Instant(nanoseconds: .max) }
    return Publication.allCases.reduce(Instant(nanoseconds: .max)) {
      carries($1) ? min($0, slots[$1.rawValue].due) : $0
    }
  }

  /// Somebody asked for this PGN. Many who ask at once get one answer.
  mutating func request(_ pgn: PGN, at now: Instant) {
    for publication in Publication.allCases where publication.pgn == pgn {
      let index = publication.rawValue
      slots[index].due = min(slots[index].due, max(now, slots[index].lastSent + Self.requestInterval))
    }
  }

  /// What 127513 says.
  func batteryConfiguration(_ settings: Settings) -> BatteryConfigurationStatus {
    maker.batteryConfiguration(settings)
  }

  /// Everything is due now, as after the address was claimed.
  mutating func restart(at now: Instant) {
    for publication in Publication.allCases where !publication.isFrame || carriesFrames {
      slots[publication.rawValue].due = now
    }
  }

  private func send(_ content: Content, urgency: Outbox.Urgency, through node: inout Node, at now: Instant) -> Bool {
    switch content {
    case .status(let message): send(message, urgency, &node, now)
    case .detailed(let message): send(message, urgency, &node, now)
    case .bank(let message): send(message, urgency, &node, now)
    case .register(let register): send(register.message, urgency, &node, now)
    case .frame(let frame):
      node.outbox.append(frame, urgency: urgency, validity: Self.validity, at: now)
    }
  }

  private func send(_ message: some Message, _ urgency: Outbox.Urgency, _ node: inout Node, _ now: Instant) -> Bool {
    node.send(message, urgency: urgency, validity: Self.validity, at: now) == .queued
  }
}
