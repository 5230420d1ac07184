import ArgumentParser
import CANBus
import MonotonicTime
import SocketCAN

/// The interface that a command works on.
struct InterfaceOption: ParsableArguments {
  @Option(name: .shortAndLong, help: "The CAN interface, as \"ip link\" names it.")
  var interface = "can0"
}

/// An interface, open for a command, until somebody stops the command.
struct LiveBus {
  let port: SocketCANPort
  /// Ends a wait: for Ctrl-C, and for who has something to be done.
  let wakeup: Wakeup
  private var frames: [ReceivedFrame] = []
  private var reportedDrops: UInt64 = 0
  private var nextDropReport = Instant.origin

  /// Opens an interface that exists.
  ///
  /// - Parameter isListening: False to have the kernel keep all frames away.
  init(_ interface: String, isListening: Bool = true) throws {
    do throws(SocketCANError) {
      port = try SocketCANPort(interface: interface, filters: isListening ? nil : [])
      wakeup = try StopSignal.install()
    } catch {
      throw Failure(error.description)
    }
    // The port would wait for an interface to appear; someone at a terminal has most likely mistyped it.
    guard port.link != .absent else {
      throw Failure(
        "\(interface): there is no CAN interface of this name: \"ip link show type can\" and \"ip link show type vcan\" "
          + "list them")
    }
  }

  /// Readable as soon as the command is to end.
  var stopDescriptor: Int32 { wakeup.descriptor }

  /// What happened on the bus and to the link, in one turn.
  struct Turn {
    var frames: [ReceivedFrame]
    var events: [LinkEvent]
    /// What is added to an instant for wall time, in nanoseconds.
    var wallOffset: Int64

    func microseconds(of instant: Instant) -> Int64 { (instant.nanoseconds &+ wallOffset) / 1000 }
  }

  /// Waits until something happens, at most until `deadline`; nil when the command is to end.
  mutating func next(until deadline: Instant) -> Turn? {
    guard !StopSignal.isRequested else { return nil }
    frames.removeAll(keepingCapacity: true)
    port.receive(into: &frames, limit: 256)
    var events = port.takeEvents()
    if frames.isEmpty, events.isEmpty {
      _ = port.wait(until: deadline, wakeup: wakeup.descriptor)
      port.receive(into: &frames, limit: 256)
      events = port.takeEvents()
    }
    reportDrops()
    return Turn(
      frames: frames, events: events, wallOffset: SystemClock.wallNanoseconds() &- port.now.nanoseconds)
  }

  /// Says how many frames the kernel dropped since it was last said, at most once a second.
  private mutating func reportDrops() {
    let drops = port.counters.kernelDrops
    guard drops > reportedDrops, nextDropReport <= port.now else { return }
    complain("\(drops - reportedDrops) frames lost: they came faster than they were taken")
    reportedDrops = drops
    nextDropReport = port.now + .seconds(1)
  }

  /// Says what is still to be said.
  mutating func finish() {
    nextDropReport = .origin
    reportDrops()
  }

  /// Waits until `instant`, whatever happens on the bus; false when the command is to end.
  mutating func pause(until instant: Instant) -> Bool {
    while port.now < instant {
      guard next(until: instant) != nil else { return false }
    }
    return !StopSignal.isRequested
  }
}

extension LinkState {
  /// Why a command cannot work on an interface in this state, and what helps.
  func words(_ interface: String) -> String {
    switch self {
    case .absent: "\(interface): the interface is gone"
    case .down: "\(interface): the interface is down: \"ip link set \(interface) up\""
    case .busOff:
      "\(interface): the controller is bus-off: check wiring, termination and bitrate, then "
        + "\"ip link set \(interface) type can restart\""
    case .up, .errorPassive: "\(interface): the kernel refused a frame"
    }
  }
}
