public import MonotonicTime

/// Whether frames can pass between this program and the bus.
public enum LinkState: Hashable, Sendable {
  /// There is no interface of that name.
  case absent
  /// The interface is there and switched off.
  case down
  /// Frames pass.
  case up
  /// Frames pass, but the controller has seen so many errors (counter above 127, ISO 11898-1) that others may not notice
  /// when it does: wiring, termination, bitrate.
  case errorPassive
  /// The controller took itself off the bus (transmit error counter above 255). Nothing passes.
  case busOff

  /// Whether frames pass in this state.
  public var carriesFrames: Bool { self == .up || self == .errorPassive }
}

/// A change of the link that is worth one line of a log.
public struct LinkEvent: Hashable, Sendable {
  /// When it was noticed.
  public var instant: Instant
  /// The state after it.
  public var state: LinkState
  /// What happened, for people.
  public var text: String

  /// A change.
  public init(_ state: LinkState, at instant: Instant, text: String) {
    self.state = state
    self.instant = instant
    self.text = text
  }
}

/// Turns what interface and controller report into one state and one event for each change.
///
/// A bus with a loose wire can change between error active and error passive hundreds of times a second. The state
/// always follows at once. Events are rationed: ten in a row, then one every ten seconds; the next one says how many
/// changes were left out, and the state that remains is always told in the end.
public struct LinkMonitor: Sendable {
  /// So many events can follow each other at once.
  public static let burst = 10
  /// After a burst, one event is told in this time.
  public static let quietSpan = TimeSpan.seconds(10)

  private enum Interface {
    case absent, down, up
  }

  private enum Controller {
    case active, passive, busOff
  }

  private let name: String
  private var interface = Interface.absent
  private var controller = Controller.active
  private var reason: String?
  private var told: LinkState?
  private var untold = 0
  private var allowance = LinkMonitor.burst
  private var allowanceGrows: Instant?
  private var events: [LinkEvent] = []

  /// A monitor of the interface `name`, which counts as absent until something else is reported.
  public init(interface name: String) {
    self.name = name
  }

  /// The state as of the last report.
  public var state: LinkState {
    switch (interface, controller) {
    case (.absent, _): .absent
    case (.down, _): .down
    case (.up, .active): .up
    case (.up, .passive): .errorPassive
    case (.up, .busOff): .busOff
    }
  }

  /// There is no such interface (any more). `reason` replaces the usual words.
  public mutating func interfaceIsAbsent(at instant: Instant, because reason: String? = nil) {
    interface = .absent
    controller = .active
    changed(at: instant, because: reason)
  }

  /// The interface is there and switched off.
  public mutating func interfaceIsDown(at instant: Instant) {
    interface = .down
    controller = .active
    changed(at: instant)
  }

  /// The interface is there and switched on. What the controller reported before stays true.
  public mutating func interfaceIsUp(at instant: Instant) {
    interface = .up
    changed(at: instant)
  }

  /// The controller or its driver reported an error.
  public mutating func receive(_ report: CANErrorFrame, at instant: Instant) {
    guard interface == .up else { return }
    if report.conditions.contains(.busOff) {
      controller = .busOff
    } else if report.conditions.contains(.restarted) {
      controller = .active
    } else if !report.controller.isDisjoint(with: [.receivePassive, .transmitPassive]) {
      controller = .passive
    } else if report.isErrorActive || !report.controller.isDisjoint(with: [.receiveWarning, .transmitWarning]) {
      // The warning level lies below error passive: the controller reports it on the way up and on the way back.
      controller = .active
    }
    changed(at: instant)
  }

  /// The controller's state was asked for, rather than reported (after opening an interface).
  public mutating func controllerIs(busOff: Bool, passive: Bool, at instant: Instant) {
    guard interface == .up else { return }
    controller = busOff ? .busOff : passive ? .passive : .active
    changed(at: instant)
  }

  /// Whether there is anything to tell, now or when it is allowed.
  public var hasNews: Bool { state != told || !events.isEmpty }

  /// The events since the last call, oldest first.
  public mutating func takeEvents(at now: Instant) -> [LinkEvent] {
    tellIfAllowed(at: now)
    guard !events.isEmpty else { return [] }
    defer { events.removeAll(keepingCapacity: true) }
    return events
  }

  private mutating func changed(at instant: Instant, because reason: String? = nil) {
    self.reason = reason
    if state != told, !tellIfAllowed(at: instant) { untold += 1 }
  }

  @discardableResult
  private mutating func tellIfAllowed(at instant: Instant) -> Bool {
    let state = state
    guard state != told else { return false }
    while allowance < Self.burst, let grows = allowanceGrows, grows <= instant {
      allowance += 1
      allowanceGrows = grows + Self.quietSpan
    }
    guard allowance > 0 else { return false }
    if allowance == Self.burst { allowanceGrows = instant + Self.quietSpan }
    allowance -= 1
    told = state
    var text = reason ?? words(for: state)
    if untold > 0 {
      text += " (changed \(untold) times since the last report)"
      untold = 0
    }
    events.append(LinkEvent(state, at: instant, text: text))
    return true
  }

  private func words(for state: LinkState) -> String {
    switch state {
    case .absent: "\(name): no such interface; waiting for it to appear"
    case .down: "\(name): the interface is down; waiting for it (ip link set \(name) up)"
    case .up: "\(name): the link is up"
    case .errorPassive: "\(name): the controller is error passive: check wiring, termination and bitrate"
    case .busOff:
      "\(name): the controller is bus-off and sends and receives nothing until it is restarted "
        + "(ip link set \(name) type can restart-ms 100 makes that automatic)"
    }
  }
}
