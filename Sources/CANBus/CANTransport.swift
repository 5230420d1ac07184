public import MonotonicTime

/// A way to a bus, as the thread that runs the BMS needs it: a real interface, or a bus in memory.
///
/// One thread owns a transport and calls everything on it. Nothing here blocks but ``wait(until:wakeup:beside:)``.
public protocol CANTransport: AnyObject {
  /// The clock that received frames are stamped by. All decisions of one program run use this one clock.
  var now: Instant { get }

  /// Whether frames pass.
  var link: LinkState { get }

  /// What has passed and what was lost since the start.
  var counters: TransportCounters { get }

  /// Appends what has arrived to `frames`, oldest first, at most `limit` frames. Appends nothing if nothing has.
  ///
  /// Returns when it looked: not before any of the frames, so that nobody has to ask for the time once more.
  @discardableResult
  func receive(into frames: inout [ReceivedFrame], limit: Int) -> Instant

  /// Hands over frames in their order until one is refused. Error frames are not sent and count as accepted.
  func send(_ frames: [CANFrame]) -> SendOutcome

  /// Waits for a frame, a change of the link or the wakeup descriptor, at most until `deadline`. Can return early.
  ///
  /// `wakeup` is a file descriptor that another thread makes readable (an eventfd); nil if there is none. Its
  /// owner reads it empty.
  ///
  /// `other` is a second transport of the same kind that the same thread owns: what comes there ends the wait, too.
  func wait(until deadline: Instant, wakeup: Int32?, beside other: (any CANTransport)?) -> WakeReasons

  /// The changes of the link since the last call, oldest first; each change once.
  func takeEvents() -> [LinkEvent]

  /// Keeps all frames away that pass none of these filters, from now on. Error frames always pass, and what waits
  /// already may still come.
  func hear(_ filters: [CANFilter])
}

extension CANTransport {
  /// Waits for this transport alone.
  public func wait(until deadline: Instant, wakeup: Int32?) -> WakeReasons {
    wait(until: deadline, wakeup: wakeup, beside: nil)
  }

  /// Offers what waits in `queue`, until it is empty or the interface refuses. `batch` is scratch space that the caller
  /// keeps, so that nothing is allocated.
  ///
  /// After a full interface ``TransmitQueue/nextRetry`` says when to call again. While the link is down frames wait for
  /// it until their deadlines; call again when it has changed.
  public func transmit(_ queue: inout TransmitQueue, batch: inout [CANFrame]) {
    while true {
      let now = now
      queue.next(64, at: now, into: &batch)
      guard !batch.isEmpty else { return }
      let outcome = send(batch)
      queue.accepted(outcome.accepted)
      switch outcome.refusal {
      case nil: continue
      case .full: queue.refused(at: now)
      // The kernel may refuse before it has told that the link is down.
      case .linkDown: if link.carriesFrames { queue.refused(at: now) } else { queue.waitForLink() }
      }
      return
    }
  }
}

/// How many frames of a batch were taken, and why no more.
public struct SendOutcome: Hashable, Sendable {
  /// Why frames were refused.
  public enum Refusal: Hashable, Sendable {
    /// The transmit queue of the interface is full. Worth another try a little later.
    case full
    /// The link does not carry frames. Worth another try when it does.
    case linkDown
  }

  /// The first so many frames of the batch were taken.
  public var accepted: Int
  /// Why the next one was not; nil if all were taken.
  public var refusal: Refusal?

  /// An outcome.
  public init(accepted: Int, refusal: Refusal? = nil) {
    self.accepted = accepted
    self.refusal = refusal
  }
}

/// Why a wait ended. Empty for its deadline.
public struct WakeReasons: OptionSet, Hashable, Sendable {
  /// The set's bits.
  public let rawValue: UInt8

  /// A set of these bits.
  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// Frames may be there.
  public static let frames = WakeReasons(rawValue: 1)
  /// The link may have changed.
  public static let link = WakeReasons(rawValue: 2)
  /// The wakeup descriptor may be readable.
  public static let wakeup = WakeReasons(rawValue: 4)
}

/// What has passed a transport, and what was lost on the way.
public struct TransportCounters: Hashable, Sendable {
  /// Data and remote frames that were received and delivered.
  public var received: UInt64 = 0
  /// Frames that were taken for sending.
  public var sent: UInt64 = 0
  /// Sends that were refused because the interface's transmit queue was full (ENOBUFS).
  public var refusedFull: UInt64 = 0
  /// Frames that the kernel dropped because nobody received them in time.
  public var kernelDrops: UInt64 = 0
  /// CAN FD frames that were seen and refused: this bus is classic CAN.
  public var canFDRefused: UInt64 = 0
  /// Reports of the controller (error frames).
  public var errorFrames: UInt64 = 0
  /// Error frames that a program on this machine wrote, and that were not believed.
  public var errorFramesForged: UInt64 = 0
  /// Messages of the kernel that are no CAN frame of a known form.
  public var malformed: UInt64 = 0

  /// All zero.
  public init() {}
}
