// A raw CAN socket (linux/can/raw.h, Documentation/networking/can.rst of the kernel) that survives its interface.

public import CANBus
internal import CSocketCAN
internal import Glibc
public import MonotonicTime

/// A CAN interface of the kernel as a transport.
///
/// The interface may be absent, go down, vanish and come back: the port follows it by itself and tells each change once.
/// Used by one thread. It does not deliver its own frames; other programs on the machine hear them (candump).
public final class SocketCANPort: CANTransport {
  /// Frames in one recvmmsg(2) or sendmmsg(2).
  private static let batch = 64
  private static let controlBytes = 128
  private static let frameBytes = 80
  /// A socket that could not be opened is tried again after this time.
  private static let openRetry = TimeSpan.seconds(1)

  /// The interface's name.
  public let interface: String

  /// What kind of interface it is, by the kernel's word: "can", "vcan", "slcan"; nil while there is none, and for an
  /// interface that has no kind.
  public var kind: String? { facts?.kind }

  /// What has passed and what was lost.
  public private(set) var counters = TransportCounters()

  /// Frames of this port that were not on the bus yet when it last looked: they come back when all listeners on this
  /// machine have them. Only counted after ``followOwnFrames()``.
  private(set) var framesOnTheirWay = 0
  private var followsOwnFrames = false

  private var filters: [CANFilter]?
  private let receiveBufferBytes: Int32
  private let watch: InterfaceWatch
  private let buffers = MessageBuffers(count: batch, frameBytes: frameBytes, controlBytes: controlBytes)
  private var monitor: LinkMonitor
  private var facts: InterfaceFacts?
  private var isInList = false
  private var socket: Int32 = -1
  private var socketDrops: UInt32 = 0
  private var nextOpening: Instant?
  private var wallClock = WallClock()
  /// The clock as ``receive(into:limit:)`` read it, for the wait that follows.
  private var lastLook: Instant?
  private var receiveTime = ReceiveTime(start: .origin)

  /// Opens `interface`, or waits for it to appear.
  ///
  /// - Parameters:
  ///   - interface: The name, such as "can0".
  ///   - filters: What to let through, at most 512 filters; nil for everything. Error frames always pass.
  ///   - receiveBufferBytes: The socket's receive buffer. The kernel counts about 800 bytes a frame and grants up to
  ///     net.core.rmem_max.
  /// - Throws: If the kernel has no CAN or forbids it: nothing that waiting would heal.
  public init(interface: String, filters: [CANFilter]? = nil, receiveBufferBytes: Int = 1 << 20) throws(SocketCANError)
  {
    guard !interface.isEmpty, interface.utf8.count < Int(IFNAMSIZ) else {
      throw SocketCANError("use this as the name of an interface", interface: interface, code: EINVAL)
    }
    if let filters, filters.count > Int(CAN_RAW_FILTER_MAX) {
      throw SocketCANError("set more than \(CAN_RAW_FILTER_MAX) filters", interface: interface, code: EINVAL)
    }
    self.interface = interface
    self.filters = filters
    self.receiveBufferBytes = Int32(clamping: receiveBufferBytes)
    monitor = LinkMonitor(interface: interface)
    watch = try InterfaceWatch(interface: interface)
    // Whether there is CAN at all is known without any interface.
    _ = close(try Self.openSocket(interface))

    watch.readList { handle($0) }
    if facts == nil { monitor.interfaceIsAbsent(at: now) }
  }

  deinit {
    if socket >= 0 { close(socket) }
  }

  // MARK: - CANTransport

  /// The monotonic clock of the system.
  public var now: Instant { SystemClock.now() }

  /// Whether frames pass.
  public var link: LinkState { monitor.state }

  /// The changes of the link since the last call.
  public func takeEvents() -> [LinkEvent] { monitor.hasNews ? monitor.takeEvents(at: now) : [] }

  /// Appends what has arrived, oldest first, at most `limit` frames.
  @discardableResult
  public func receive(into frames: inout [ReceivedFrame], limit: Int) -> Instant {
    let looked = look(into: &frames, limit: limit)
    lastLook = looked
    return looked
  }

  private func look(into frames: inout [ReceivedFrame], limit: Int) -> Instant {
    var room = limit
    var looked: Instant?
    while room > 0, socket >= 0 {
      buffers.prepareToReceive()
      let wanted = min(room, Self.batch)
      let count = Int(recvmmsg(socket, buffers.messages, UInt32(wanted), Int32(MSG_DONTWAIT), nil))
      guard count > 0 else {
        if count == 0 || errno == EAGAIN {
          let now = now
          receiveTime.queueWasEmpty(at: now)
          return now
        }
        if errno == EINTR { continue }
        // The socket reports each going down (ENETDOWN) and vanishing (ENODEV) once; rtnetlink says the same in order.
        readInterfaceMessages()
        return now
      }
      let now = now
      looked = now
      let wallNow = wallClock.nanoseconds(at: now)
      for index in 0..<count {
        let notes = buffers.notes(of: index)
        if let drops = notes.drops {
          counters.kernelDrops += UInt64(drops &- socketDrops)
          socketDrops = drops
        }
        let instant = receiveTime.instant(stamp: notes.stamp, now: now, wallNow: wallNow)
        guard let frame = frame(at: index) else { continue }
        if followsOwnFrames, buffers.isOwn(index) {
          // One that was given up may still come.
          framesOnTheirWay = max(framesOnTheirWay - 1, 0)
          continue
        }
        if case .error = frame, buffers.isFromThisMachine(index) {
          // Anybody here may write an "error frame"; believing one would take a healthy bus for dead.
          counters.errorFramesForged += 1
          continue
        }
        frames.append(ReceivedFrame(frame, at: instant))
        if case .error(let report) = frame {
          counters.errorFrames += 1
          monitor.receive(report, at: instant)
        } else {
          counters.received += 1
        }
      }
      room -= count
      if count < wanted {
        receiveTime.queueWasEmpty(at: now)
        return now
      }
    }
    return looked ?? now
  }

  /// Hands frames to the kernel until it refuses one.
  public func send(_ frames: [CANFrame]) -> SendOutcome {
    guard socket >= 0, monitor.state.carriesFrames else { return SendOutcome(accepted: 0, refusal: .linkDown) }
    var accepted = 0
    while accepted < frames.count {
      // An error frame is nothing to send. It is passed over, alone, so that the others keep their places in a batch.
      guard frames[accepted].identifier != nil else {
        accepted += 1
        continue
      }
      var count = 0
      while count < Self.batch, accepted + count < frames.count,
        buffers.prepareToSend(frames[accepted + count], at: count)
      {
        count += 1
      }
      let taken = Int(sendmmsg(socket, buffers.messages, UInt32(count), Int32(MSG_DONTWAIT)))
      if taken > 0 {
        accepted += taken
        counters.sent += UInt64(taken)
        if followsOwnFrames { framesOnTheirWay += taken }
        continue
      }
      switch errno {
      case EINTR: continue
      case ENOBUFS, EAGAIN, ENOMEM:
        counters.refusedFull += 1
        return SendOutcome(accepted: accepted, refusal: .full)
      default:
        readInterfaceMessages()
        return SendOutcome(accepted: accepted, refusal: .linkDown)
      }
    }
    return SendOutcome(accepted: accepted)
  }

  /// Waits for a frame, a change of the interface or the wakeup descriptor, at most until `deadline`. A signal ends the
  /// wait early.
  ///
  /// The wait is counted from the last ``receive(into:limit:)`` if that was since the last wait: what the caller did in
  /// between makes it that much longer, and one reading of the clock serves a whole turn.
  public func wait(until deadline: Instant, wakeup: Int32?, beside other: (any CANTransport)?) -> WakeReasons {
    let second = other as? SocketCANPort
    // The second of two was looked at after the first: counted from then the wait is no longer than asked for.
    let start = second?.lastLook ?? lastLook ?? now
    lastLook = nil
    second?.lastLook = nil
    var end = deadline
    for port in [self, second] {
      if let port, port.socket < 0, let opening = port.nextOpening { end = min(end, opening) }
    }
    let span = max(0, (end - start).nanoseconds)
    var timeout = timespec(tv_sec: time_t(span / 1_000_000_000), tv_nsec: Int(span % 1_000_000_000))

    // poll(2) passes over negative descriptors.
    var descriptors: InlineArray<5, pollfd> = [
      pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
      pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: wakeup ?? -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: second?.socket ?? -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: second?.watch.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    var list = descriptors.mutableSpan
    let count = second == nil ? 3 : 5
    let ready = list.withUnsafeMutableBufferPointer { ppoll($0.baseAddress, nfds_t(count), &timeout, nil) }

    var reasons: WakeReasons = []
    if ready > 0 {
      reasons = handle(socket: descriptors[0].revents, watch: descriptors[1].revents)
      if descriptors[2].revents != 0 { reasons.insert(.wakeup) }
      if let second { reasons.formUnion(second.handle(socket: descriptors[3].revents, watch: descriptors[4].revents)) }
    }
    reopenIfDue()
    second?.reopenIfDue()
    return reasons
  }

  /// What poll(2) said of the two descriptors.
  private func handle(socket: Int16, watch: Int16) -> WakeReasons {
    var reasons: WakeReasons = []
    if socket != 0 {
      reasons.insert(.frames)
      // A pending error of the socket would end every later wait at once; asking for it clears it.
      if Int32(socket) & POLLIN == 0 {
        _ = option(SO_ERROR)
        readInterfaceMessages()
      }
    }
    if watch != 0 {
      readInterfaceMessages()
      reasons.insert(.link)
    }
    return reasons
  }

  private func reopenIfDue() {
    if socket < 0, let nextOpening, now >= nextOpening { open() }
  }

  /// Lets the kernel pass only these frames on, at most 512 filters.
  ///
  /// The kernel installs the new filters before it removes the old ones: what passes both is not missed. If it has no
  /// memory for them, the socket is opened anew and the link says so: a node that is half deaf must not go on as if.
  public func hear(_ filters: [CANFilter]) {
    guard filters != self.filters else { return }
    self.filters = filters
    guard socket >= 0 else { return }
    do throws(SocketCANError) { try setFilters() } catch { fail(error) }
  }

  // MARK: - Own frames

  /// Has the kernel give the port's own frames back, to be counted (CAN_RAW_RECV_OWN_MSGS), and drops all filters: they
  /// would keep those away, too.
  func followOwnFrames() {
    followsOwnFrames = true
    filters = nil
    guard socket >= 0 else { return }
    closeSocket()
    open()
  }

  /// Waits no longer for those that are missing: the link went down under them.
  func forgetOwnFrames() { framesOnTheirWay = 0 }

  // MARK: - Frames

  /// The frame in a receive buffer: `can_id` with its flag bits, length, data. Nil for what is not a classic frame.
  private func frame(at index: Int) -> CANFrame? {
    switch buffers.length(of: index) {
    case MemoryLayout<can_frame>.size: break
    case MemoryLayout<canfd_frame>.size:
      counters.canFDRefused += 1
      return nil
    default:
      counters.malformed += 1
      return nil
    }
    let raw = buffers.frame(index)
    let word = raw.load(as: UInt32.self)
    let length = raw.load(fromByteOffset: 4, as: UInt8.self)
    let bits = UInt64(littleEndian: raw.load(fromByteOffset: 8, as: UInt64.self))
    let payload = CANPayload(littleEndian: bits, count: Int(length))
    if word & UInt32(CAN_ERR_FLAG) != 0 {
      return .error(CANErrorFrame(CANErrorFrame.Conditions(rawValue: word & UInt32(CAN_ERR_MASK)), details: payload))
    }
    let identifier: CANIdentifier =
      word & UInt32(CAN_EFF_FLAG) != 0 ? .extended(word) : .standard(UInt16(truncatingIfNeeded: word))
    if word & UInt32(CAN_RTR_FLAG) != 0 {
      return .remote(CANRemoteFrame(identifier, requestedLength: length))
    }
    return .data(CANDataFrame(identifier, payload))
  }

  // MARK: - The interface's life

  private func readInterfaceMessages() {
    if !watch.read({ handle($0) }) {
      // Messages were lost. An interface that is not in the new list is gone.
      isInList = false
      watch.requestList()
    }
  }

  private func handle(_ message: InterfaceMessage) {
    switch message {
    case .changed(let facts) where facts.name == interface:
      isInList = true
      adopt(facts)
    case .changed(let other) where other.index == facts?.index:
      leave(because: "\(interface): the interface was renamed to \(other.name); waiting for \(interface) to appear")
    case .removed(let index) where index == facts?.index:
      leave(because: nil)
    case .endOfList where !isInList && facts != nil:
      leave(because: nil)
    default:
      break
    }
  }

  private func adopt(_ new: InterfaceFacts) {
    guard new.isCAN else {
      leave(because: "\(interface): this is not a CAN interface; waiting for one of this name")
      return
    }
    if new.index != facts?.index { closeSocket() }
    facts = new
    if socket < 0 { open() }
    guard socket >= 0 else { return }
    if new.isUp {
      monitor.interfaceIsUp(at: now)
      // Only a real controller has a state to ask for. It may have been bus-off before this socket could hear it, and the
      // kernel announces the carrier that comes and goes with bus-off: so a lost error frame does no lasting harm.
      if let state = CANController.state(new) {
        monitor.controllerIs(busOff: state == .busOff, passive: state == .errorPassive, at: now)
      }
    } else {
      monitor.interfaceIsDown(at: now)
    }
  }

  private func leave(because reason: String?) {
    facts = nil
    closeSocket()
    nextOpening = nil
    monitor.interfaceIsAbsent(at: now, because: reason)
  }

  private func closeSocket() {
    if socket >= 0 { close(socket) }
    socket = -1
    socketDrops = 0
    forgetOwnFrames()
  }

  /// Opens and binds the socket to the interface that is known. A failure is told and tried again.
  private func open() {
    guard let facts else { return }
    nextOpening = nil
    do throws(SocketCANError) {
      socket = try Self.openSocket(interface)
      try configure()
      var address = sockaddr_can()
      address.can_family = sa_family_t(AF_CAN)
      address.can_ifindex = facts.index
      let bound = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(socket, $0, socklen_t(MemoryLayout<sockaddr_can>.size))
        }
      }
      guard bound == 0 else { throw SocketCANError("bind a CAN socket", interface: interface, code: errno) }
      receiveTime.queueWasEmpty(at: now)
      if facts.isUp { monitor.interfaceIsUp(at: now) } else { monitor.interfaceIsDown(at: now) }
    } catch {
      fail(error)
    }
  }

  private func fail(_ error: SocketCANError) {
    closeSocket()
    nextOpening = now + Self.openRetry
    monitor.interfaceIsAbsent(at: now, because: error.description)
  }

  private static func openSocket(_ interface: String) throws(SocketCANError) -> Int32 {
    let descriptor = Glibc.socket(
      AF_CAN, Int32(SOCK_RAW.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), CAN_RAW)
    guard descriptor >= 0 else { throw SocketCANError("open a CAN socket", interface: interface, code: errno) }
    return descriptor
  }

  private func configure() throws(SocketCANError) {
    try set(SOL_CAN_RAW, CAN_RAW_ERR_FILTER, UInt32(CAN_ERR_MASK), "receive error frames")
    // With FD frames enabled they can be counted; without, the kernel would keep them from us in silence.
    try set(SOL_CAN_RAW, CAN_RAW_FD_FRAMES, 1 as Int32, "see CAN FD frames")
    try set(SOL_SOCKET, SO_RXQ_OVFL, 1 as Int32, "count dropped frames")
    // The form with 64-bit seconds on every machine. A kernel before 5.1 has none: then the time of the poll is used.
    try? set(SOL_SOCKET, SO_TIMESTAMPNS_NEW, 1 as Int32, "get receive times")
    try? set(SOL_SOCKET, SO_RCVBUF, receiveBufferBytes, "enlarge the receive buffer")
    if followsOwnFrames { try set(SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, 1 as Int32, "follow the port's own frames") }
    try setFilters()
  }

  private func setFilters() throws(SocketCANError) {
    guard let filters else { return }
    let list = filters.map { filter in
      let kind = UInt32(CAN_EFF_FLAG)
      return can_filter(
        can_id: filter.identifier.value | (filter.identifier.isExtended ? kind : 0),
        can_mask: filter.mask & 0x1FFF_FFFF | kind)
    }
    let result = list.withUnsafeBytes {
      setsockopt(socket, Int32(SOL_CAN_RAW), Int32(CAN_RAW_FILTER), $0.baseAddress, socklen_t($0.count))
    }
    guard result == 0 else { throw SocketCANError("set filters", interface: interface, code: errno) }
  }

  private func set<Value: BitwiseCopyable>(
    _ level: some BinaryInteger, _ option: some BinaryInteger, _ value: Value, _ action: String
  ) throws(SocketCANError) {
    var value = value
    guard setsockopt(socket, Int32(level), Int32(option), &value, socklen_t(MemoryLayout<Value>.size)) == 0 else {
      throw SocketCANError(action, interface: interface, code: errno)
    }
  }

  private func option(_ name: some BinaryInteger) -> Int32 {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(socket, SOL_SOCKET, Int32(name), &value, &size) == 0 ? value : 0
  }
}
