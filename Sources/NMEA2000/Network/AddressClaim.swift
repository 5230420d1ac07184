public import CANBus
public import MonotonicTime

/// Getting, defending and losing an address (nmea2000.md section 1.5; J1939-81).
///
/// What is ours to choose, and why:
///
/// - **Start.** We ask everyone for 60928 from 254, listen 50 ms plus the random delay of 0...153 ms, claim, and wait
///   250 ms: ready after at most 468 ms. Asking costs one frame and shows taken addresses, so that a start throws nobody
///   off an address; we contest a higher NAME only when nothing else is free.
/// - **Winning** is answered at once, but claims are at least 50 ms apart. One that comes too early is answered when the
///   50 ms are over, still well inside the contender's 250 ms.
/// - **Losing** leads to the next address, as soon as claims may follow each other. Ten losses without a claim that held
///   in between are no neighbours but a device that contests whatever we claim: its addresses look free again as soon as
///   it has claimed another. Then no address is left.
/// - **No address left.** We announce it from 254 and look again each 10 s: an address whose holder moved, or was not
///   heard for 3 minutes, is free again (a Victron product claims each 60 s, an NMEA node beats each 60 s).
/// - **Our own NAME from the bus** is an echo if it comes within a second of a claim of ours. Otherwise somebody else may
///   have it, and we ask that address for its claim: an echo does not answer, a twin does. Only then we draw another
///   unique number, because that is the part of the NAME that exists to be unique. Instances are not touched: people
///   set them and displays group by them. Both facts are reported. The one that was there first cannot be known, so the
///   one that notices gives way, and no stand-off can last.
public struct AddressClaim: Sendable {
  enum State: Hashable, Sendable {
    /// Not on the bus.
    case stopped
    /// Has asked who is there; claims when the time is over.
    case listening(until: Instant)
    /// Has claimed, or will as soon as claims may follow each other; may send when nobody objected until then.
    case waiting(address: UInt8, until: Instant)
    /// May send.
    case claimed(address: UInt8)
    /// Has no address; looks for one again at `retry`.
    case cannotClaim(retry: Instant)
  }

  /// What a step asks of the node: at most one frame and one event.
  public struct Step: Hashable, Sendable {
    /// To be sent at once.
    public var frame: CANDataFrame?
    /// To be reported.
    public var event: NodeEvent?

    /// Nothing to do.
    public static let nothing = Step()
  }

  /// The times of this state machine.
  enum Timing {
    /// How long answers to our first request are waited for, before the random delay: 50 nodes answer in 50 frames,
    /// 27 ms at 250 kbit/s. Who is slower is not harmed: it defends its address by its NAME as ever. (Peers ask and wait
    /// 1,000 ms, or do not ask at all and wait 200 ms.)
    static let listen = TimeSpan.milliseconds(50)
    /// J1939-81: after a claim nothing else for 250 ms. They begin when the claim is on the wire, which on a busy bus and
    /// machine is a queue later than it was decided: 15 ms are 28 full frames.
    static let wait = TimeSpan.milliseconds(265)
    /// The least distance of two claims, whatever they are for: what others send must not make us fill the bus.
    static let spacing = TimeSpan.milliseconds(50)
    /// How long an echo of our own frame may be under way through gateways.
    static let echo = TimeSpan.seconds(1)
    /// How long a twin may take to answer a request.
    static let probe = TimeSpan.milliseconds(500)
    /// The least distance of two inquiries after a twin or of two claims against an intruder.
    static let inquiry = TimeSpan.seconds(5)
    /// How often a node without an address looks again.
    static let retry = TimeSpan.seconds(10)
    /// The J1939 random delay: 0.6 ms times 0...255.
    static let delayStep = TimeSpan.microseconds(600)
  }

  /// So many addresses are lost in a row before we give up until ``Timing/retry``. A start hears who is there before it
  /// claims, so that neighbours cost one or two; ten losses take half a second, and 1 % of the bus for so long.
  static let lossLimit = 10

  /// The NAME claimed with.
  public private(set) var name: Name
  /// The address that is tried first: stored, commanded or configured.
  public private(set) var preferredAddress: UInt8
  /// Our own claims heard back.
  public private(set) var echoes: UInt64 = 0
  /// Contests won.
  public private(set) var contestsWon: UInt64 = 0
  /// Contests lost.
  public private(set) var contestsLost: UInt64 = 0

  private let addresses: ClosedRange<UInt8>
  private let interval: TimeSpan?
  private var state = State.stopped
  private var random: SeededGenerator
  /// A claim, or "cannot claim", that is due at this instant.
  private var pending: Instant?
  private var lastSent: Instant?
  private var lastSentAddress = BusAddress.null
  private var lastSentName: Name?
  /// The address and NAME before the last change: their echo may still be under way.
  private var previousAddress = BusAddress.null
  private var previousName: Name?
  private var probe: (address: UInt8, until: Instant)?
  private var lastProbe: Instant?
  private var lastIntrusion: Instant?
  private var nextRepetition = Instant(nanoseconds: .max)
  /// Addresses lost since a claim held.
  private var lossesInARow = 0
  /// Where to look again after giving up: each look tries another address than the one before.
  private var nextLook: UInt8?
  private var isCannotClaimTold = false

  /// A claim that has not begun.
  public init(
    name: Name, preferredAddress: UInt8, addresses: ClosedRange<UInt8> = 0...BusAddress.lastClaimable,
    interval: TimeSpan? = nil, randomSeed: UInt64
  ) {
    self.name = name
    self.addresses = addresses.clamped(to: 0...BusAddress.lastClaimable)
    self.preferredAddress =
      preferredAddress <= BusAddress.lastClaimable ? preferredAddress : self.addresses.lowerBound
    self.interval = interval.map { max($0, .seconds(1)) }
    random = SeededGenerator(seed: randomSeed)
  }

  /// The address that may be sent from; nil unless claimed and uncontested for 250 ms.
  public var address: UInt8? {
    if case .claimed(let address) = state { address } else { nil }
  }

  /// The address that is held or being claimed.
  public var contestedAddress: UInt8? {
    switch state {
    case .claimed(let address), .waiting(let address, _): address
    case .stopped, .listening, .cannotClaim: nil
    }
  }

  /// Whether no address could be had.
  public var isWithoutAddress: Bool {
    if case .cannotClaim = state { true } else { false }
  }

  /// Whether a NAME is ours, or was until a moment ago.
  func isOwn(_ other: Name, at now: Instant) -> Bool {
    other == name || (other == previousName && isEchoTime(now))
  }

  // MARK: - Events

  /// Goes on the bus, with the address held before if there was one.
  public mutating func start(at now: Instant) -> Step {
    pending = nil
    probe = nil
    forgetLosses()
    state = .listening(until: now + Timing.listen + randomDelay())
    return Step(frame: Self.request(to: BusAddress.global, from: BusAddress.null))
  }

  /// Leaves the bus without a word: the interface is gone.
  public mutating func stop() {
    pending = nil
    probe = nil
    state = .stopped
  }

  /// When ``tick(at:in:)`` is due.
  public var nextDeadline: Instant {
    var deadline = pending ?? Instant(nanoseconds: .max)
    switch state {
    case .stopped: break
    case .listening(let until), .waiting(_, let until): deadline = min(deadline, until)
    case .claimed: deadline = min(deadline, nextRepetition)
    case .cannotClaim(let retry): deadline = min(deadline, retry)
    }
    return deadline
  }

  /// Does what is due.
  public mutating func tick(at now: Instant, in table: DeviceTable) -> Step {
    if let due = pending, due <= now {
      pending = nil
      switch state {
      case .waiting(let address, _), .claimed(let address):
        return Step(frame: claimFrame(from: address, at: now))
      case .cannotClaim:
        let isTold = isCannotClaimTold
        isCannotClaimTold = true
        return Step(frame: claimFrame(from: BusAddress.null, at: now), event: isTold ? nil : .cannotClaim)
      case .stopped, .listening: break
      }
    }
    switch state {
    case .stopped: return .nothing
    case .listening(let until):
      guard until <= now else { return .nothing }
      return claim(candidate(from: preferredAddress, at: now, in: table), at: now)
    case .waiting(let address, let until):
      guard until <= now else { return .nothing }
      state = .claimed(address: address)
      preferredAddress = address
      forgetLosses()
      nextRepetition = interval.map { now + $0 } ?? Instant(nanoseconds: .max)
      return Step(event: .addressClaimed(address))
    case .claimed:
      guard let interval, nextRepetition <= now else { return .nothing }
      nextRepetition = now + interval
      return repeatClaim(at: now)
    case .cannotClaim(let retry):
      guard retry <= now else { return .nothing }
      guard let address = candidate(from: nextLook ?? preferredAddress, at: now, in: table) else {
        state = .cannotClaim(retry: now + Timing.retry)
        return .nothing
      }
      return claim(address, at: now)
    }
  }

  /// A claim was heard. `table` does not know of it yet.
  public mutating func receive(_ other: Name, from source: UInt8, at now: Instant, in table: DeviceTable) -> Step {
    if isOwn(other, at: now) { return receiveOwnName(other, from: source, at: now, in: table) }
    guard let mine = contestedAddress, source == mine else { return .nothing }
    if name < other {
      contestsWon &+= 1
      return repeatClaim(at: now)
    }
    contestsLost &+= 1
    lossesInARow += 1
    let isHopeless = lossesInARow >= Self.lossLimit
    if isHopeless, name.isArbitraryAddressCapable { nextLook = mine &+ 1 }
    var step = claim(isHopeless ? nil : nextCandidate(after: mine, at: now, in: table), at: now)
    step.event = .addressLost(mine, to: other)
    return step
  }

  /// 60928 was asked for, of all or of our address (of 254: by nobody).
  public mutating func receiveRequest(from source: UInt8, isBroadcast: Bool, at now: Instant) -> Step {
    switch state {
    case .stopped, .listening: return .nothing
    case .waiting(let address, _), .claimed(let address):
      // Our own inquiry after a twin, heard back.
      if !isBroadcast, source == BusAddress.null, let probe, probe.address == address, now <= probe.until {
        return .nothing
      }
      return repeatClaim(at: now)
    case .cannotClaim:
      if pending == nil { pending = max(now + randomDelay(), earliestClaim) }
      return .nothing
    }
  }

  /// 65240 commanded an address to this NAME. Whether it is ours is checked here.
  public mutating func receiveCommand(_ other: Name, address: UInt8, at now: Instant) -> Step {
    guard other == name, address <= BusAddress.lastClaimable else { return .nothing }
    switch state {
    case .stopped, .listening: return .nothing
    case .claimed(let current) where current == address: return repeatClaim(at: now)
    case .waiting(let current, _) where current == address: return .nothing
    case .waiting, .claimed, .cannotClaim:
      var step = claim(address, at: now)
      step.event = .addressCommanded(address)
      return step
    }
  }

  /// Somebody sent, from our address, a PGN that we never send: it is told so by our claim.
  public mutating func receiveIntrusion(_ pgn: PGN, at now: Instant) -> Step {
    if let lastIntrusion, now - lastIntrusion < Timing.inquiry { return .nothing }
    lastIntrusion = now
    var step = repeatClaim(at: now)
    step.event = .addressUsedByAnother(pgn: pgn)
    return step
  }

  /// A claim could not be queued: it is repeated as soon as claims may follow each other.
  public mutating func postpone(at now: Instant) {
    switch state {
    case .stopped: break
    case .listening, .waiting, .claimed, .cannotClaim: pending = now + Timing.spacing
    }
  }

  /// The instances in the NAME were changed: claims with the new one, now or as soon as claims may follow each other.
  public mutating func rename(_ newName: Name, at now: Instant) -> Step {
    guard newName != name else { return .nothing }
    // One that was never sent has no echo.
    if name == lastSentName { previousName = name }
    name = newName
    return repeatClaim(at: now)
  }

  // MARK: - Parts

  private mutating func receiveOwnName(
    _ other: Name, from source: UInt8, at now: Instant, in table: DeviceTable
  ) -> Step {
    if source == BusAddress.null || isEchoTime(now) && (source == lastSentAddress || source == previousAddress) {
      echoes &+= 1
      return .nothing
    }
    switch state {
    case .stopped, .cannotClaim:
      return .nothing
    case .listening:
      // Nothing of ours is under way, so this is no echo but an answer to our request.
      return takeNewName(except: nil, at: now, in: table)
    case .waiting(let address, _), .claimed(let address):
      if let probe, probe.address == source, now <= probe.until {
        return takeNewName(except: source == address ? source : nil, at: now, in: table)
      }
      if let lastProbe, now - lastProbe < Timing.inquiry { return .nothing }
      lastProbe = now
      probe = (source, now + Timing.probe)
      return Step(frame: Self.request(to: source, from: BusAddress.null))
    }
  }

  /// A twin is proven. `except` is the address both have.
  private mutating func takeNewName(except taken: UInt8?, at now: Instant, in table: DeviceTable) -> Step {
    let oldName = name
    probe = nil
    repeat {
      name.uniqueNumber = UInt32(truncatingIfNeeded: random.next() >> 16) & 0x1F_FFFF
    } while name == oldName || table.address(of: name) != nil
    var step: Step
    if let taken {
      step = claim(nextCandidate(after: taken, at: now, in: table), at: now)
    } else {
      step = repeatClaim(at: now)
    }
    step.event = .twinName(oldName, newUniqueNumber: name.uniqueNumber)
    return step
  }

  /// Claims an address, now or as soon as claims may follow each other, and waits; without one, announces that after the
  /// random delay.
  private mutating func claim(_ address: UInt8?, at now: Instant) -> Step {
    pending = nil
    guard let address else {
      state = .cannotClaim(retry: now + Timing.retry)
      pending = max(now + randomDelay(), earliestClaim)
      return .nothing
    }
    let due = max(now, earliestClaim)
    state = .waiting(address: address, until: due + Timing.wait)
    return repeatClaim(at: now)
  }

  /// Claims the address, now or as soon as claims may follow each other.
  private mutating func repeatClaim(at now: Instant) -> Step {
    guard let address = contestedAddress else { return .nothing }
    guard earliestClaim <= now else {
      if pending == nil { pending = earliestClaim }
      return .nothing
    }
    pending = nil
    return Step(frame: claimFrame(from: address, at: now))
  }

  private mutating func forgetLosses() {
    lossesInARow = 0
    nextLook = nil
    isCannotClaimTold = false
  }

  private var earliestClaim: Instant {
    lastSent.map { $0 + Timing.spacing } ?? Instant(nanoseconds: .min)
  }

  private func isEchoTime(_ now: Instant) -> Bool {
    lastSent.map { now - $0 <= Timing.echo } ?? false
  }

  /// The address to claim after the loss of one.
  private func nextCandidate(after lost: UInt8, at now: Instant, in table: DeviceTable) -> UInt8? {
    name.isArbitraryAddressCapable ? candidate(from: lost &+ 1, at: now, in: table, except: lost) : nil
  }

  /// The first address, from `start` upwards and around, that is worth a claim.
  private func candidate(
    from start: UInt8, at now: Instant, in table: DeviceTable, except lost: UInt8? = nil
  ) -> UInt8? {
    // A stored or commanded address may lie outside the range and is still the first choice.
    if start == preferredAddress, start != lost, table.occupancy(of: start, at: now) == .free { return start }
    guard name.isArbitraryAddressCapable else {
      // It has only this one to contest.
      guard start != lost, let holder = table.name(of: start) else { return start == lost ? nil : start }
      return name < holder ? start : nil
    }
    for wanted in [DeviceTable.Occupancy.free, .abandoned] {
      if let address = first(from: start, where: { $0 != lost && table.occupancy(of: $0, at: now) == wanted }) {
        return address
      }
    }
    return first(from: start) { address in
      address != lost && table.name(of: address).map { name < $0 } ?? false
    }
  }

  private func first(from start: UInt8, where fits: (UInt8) -> Bool) -> UInt8? {
    let count = addresses.count
    let offset = addresses.contains(start) ? Int(start - addresses.lowerBound) : 0
    for step in 0..<count {
      let address = addresses.lowerBound + UInt8((offset + step) % count)
      if fits(address) { return address }
    }
    return nil
  }

  private mutating func randomDelay() -> TimeSpan {
    TimeSpan(nanoseconds: Timing.delayStep.nanoseconds * Int64(random.next() >> 56))
  }

  private mutating func claimFrame(from source: UInt8, at now: Instant) -> CANDataFrame {
    if source != lastSentAddress {
      previousAddress = lastSentAddress
      lastSentAddress = source
      // The 250 ms begin with the first claim from this address, however late that is.
      if case .waiting(source, _) = state { state = .waiting(address: source, until: now + Timing.wait) }
    }
    lastSent = now
    lastSentName = name
    let identifier = MessageIdentifier(priority: 6, pgn: NetworkPGN.addressClaim, source: source)
    return CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: name.rawValue, count: 8))
  }

  private static func request(to destination: UInt8, from source: UInt8) -> CANDataFrame {
    let identifier = MessageIdentifier(
      priority: 6, pgn: NetworkPGN.request, source: source, destination: destination)
    return CANDataFrame(
      identifier.canIdentifier,
      CANPayload(littleEndian: UInt64(NetworkPGN.addressClaim.rawValue), count: 3))
  }
}
