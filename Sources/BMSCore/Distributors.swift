public import MonotonicTime

// Area P: Lynx Distributors A to D with four fuses each (R253, R257-R268, OD-15, OD-16).

/// What a fuse is, by its number on a GX device (R261).
public enum FuseState: UInt8, Sendable, Hashable {
  /// 0: nobody can say.
  case notAvailable = 0
  /// 1: disabled by an empty name (R260).
  case notUsed = 1
  /// 2.
  case ok = 2
  /// 3.
  case blown = 3
}

/// What a Distributor is (R262).
public enum DistributorState: UInt8, Sendable, Hashable {
  /// Never heard since the start.
  case absent
  /// Heard, and every fuse that is used is good.
  case ok
  /// A fuse that is used is blown.
  case fuseBlown
  /// It says that its busbar has no power.
  case noPower
  /// Heard before and silent now (R239).
  case communicationLost
  /// Two answer to one address; neither is believed (OD-16).
  case duplicate
}

/// What a Distributor says.
public struct DistributorReport: Sendable, Hashable {
  /// When it was heard the last time; nil when never.
  public var taken: Instant?
  /// One bit for each fuse that is blown, the first fuse is bit 0.
  public var blown: UInt8 = 0
  /// Whether its busbar has power.
  public var hasPower = true
  /// Whether two modules answer to this address.
  public var isDuplicate = false

  /// Nothing heard.
  public init() {}

  /// A report.
  public init(blown: UInt8, hasPower: Bool = true, at taken: Instant) {
    self.taken = taken
    self.blown = blown
    self.hasPower = hasPower
  }
}

/// The names of the 16 fuses: 1-4 on A, 5-8 on B, 9-12 on C, 13-16 on D (R258). An empty name disables a fuse (R260).
public struct FuseNames: Sendable, Hashable {
  /// The names, always 16.
  public private(set) var names: [String]
  /// R259.
  public static let longest = 16
  /// Four on each of four (R257, R258).
  public static let count = 16

  /// "Fuse_1" to "Fuse_16" (C-7).
  public init() { names = (1...FuseNames.count).map { "Fuse_\($0)" } }

  /// Names a fuse, 1 to 16; false when there is no such fuse or the name is too long, and nothing is changed then.
  public mutating func set(_ name: String, of fuse: Int) -> Bool {
    guard 1...FuseNames.count ~= fuse, name.count <= FuseNames.longest else { return false }
    names[fuse - 1] = name
    return true
  }

  /// The message of an alarm, with the fuse's own name where it is about one (R253).
  public func message(of alarm: Alarm) -> String {
    guard let fuse = alarm.fuse else { return alarm.definition.message }
    return "Fuse blown: \(names[fuse - 1])"
  }

  /// One bit for each fuse that is used.
  var used: UInt16 {
    var bits: UInt16 = 0
    for index in names.indices where !names[index].isEmpty { bits |= 1 << UInt16(index) }
    return bits
  }
}

/// Watches the Distributors.
struct DistributorSupervision: Sendable {
  private(set) var states = InlineArray<4, DistributorState>(repeating: .absent)
  /// One bit for each fuse that is used and blown.
  private(set) var blown: UInt16 = 0
  /// One bit for each fuse whose state is known.
  private(set) var known: UInt16 = 0

  /// Whether any of them is not absent.
  private(set) var isAnyThere = false

  /// OD-15.
  static let timeout = TimeSpan.seconds(10)

  mutating func step(
    _ reports: borrowing InlineArray<4, DistributorReport>, used: UInt16, mode: Mode, at now: Instant
  ) {
    // R253: what is blown stays so until its Distributor says that it is good.
    let before = blown & used
    blown = 0
    known = 0
    // A boat without Distributors: what was never heard stays absent. Not a loop: an index that the compiler does not
    // know copies all four reports.
    if !isAnyThere, reports[0].taken == nil, reports[1].taken == nil, reports[2].taken == nil, reports[3].taken == nil {
      return
    }
    defer { noteWhatIsThere() }
    guard mode != .off else {
      // R264, R267: they have no power now; after the restart only those that answer are there.
      states = InlineArray(repeating: .absent)
      return
    }
    for index in states.indices {
      let mask = UInt16(0b1111) << UInt16(index * 4)
      guard let taken = reports[index].taken, ageOf(taken, at: now) < DistributorSupervision.timeout else {
        // One that was never heard in this run is not missing.
        if states[index] != .absent { states[index] = .communicationLost }
        blown |= before & mask
        continue
      }
      let report = reports[index]
      guard !report.isDuplicate else {
        states[index] = .duplicate
        blown |= before & mask
        continue
      }
      guard report.hasPower else {
        states[index] = .noPower
        blown |= before & mask
        continue
      }
      known |= mask
      let bad = UInt16(report.blown & 0b1111) << UInt16(index * 4) & used
      blown |= bad
      states[index] = bad == 0 ? .ok : .fuseBlown
    }
  }

  /// Every one that is there is good.
  var isAtRest: Bool {
    for index in states.indices where states[index] != .absent && states[index] != .ok { return false }
    return true
  }

  /// Every one that is there goes on saying that it is good, and none comes.
  @inline(__always)
  func staysAtRest(
    _ reports: borrowing InlineArray<4, DistributorReport>, used: UInt16, at now: Instant
  ) -> Bool {
    guard !isAnyThere else { return areGood(reports, used, now) }
    guard reports[0].taken == nil, reports[1].taken == nil, reports[2].taken == nil, reports[3].taken == nil else {
      return false
    }
    return true
  }

  private func areGood(_ reports: borrowing InlineArray<4, DistributorReport>, _ used: UInt16, _ now: Instant) -> Bool {
    for index in states.indices {
      let report = reports[index]
      if states[index] == .absent, report.taken == nil { continue }
      let blown = UInt16(report.blown & 0b1111) << UInt16(index * 4) & used
      guard states[index] == .ok, let taken = report.taken, ageOf(taken, at: now) < DistributorSupervision.timeout,
        !report.isDuplicate, report.hasPower, blown == 0
      else { return false }
    }
    return true
  }

  private mutating func noteWhatIsThere() {
    isAnyThere = false
    for index in states.indices where states[index] != .absent { isAnyThere = true }
  }

  /// R260, R261.
  func state(ofFuse fuse: Int, used: UInt16) -> FuseState {
    guard 1...FuseNames.count ~= fuse else { return .notAvailable }
    let bit = UInt16(1) << UInt16(fuse - 1)
    if used & bit == 0 { return .notUsed }
    if known & bit == 0 { return .notAvailable }
    return blown & bit == 0 ? .ok : .blown
  }
}

extension BMS {
  /// What a Distributor is, 0 for A to 3 for D.
  public func distributor(_ index: Int) -> DistributorState {
    0..<4 ~= index ? distributors.states[index] : .absent
  }

  /// What a fuse is, 1 to 16.
  public func fuse(_ fuse: Int) -> FuseState { distributors.state(ofFuse: fuse, used: usedFuses) }

  /// The message of an alarm, with the fuse's own name where it is about one (R253).
  public func message(of alarm: Alarm) -> String { fuseNames.message(of: alarm) }
}

extension Alarm {
  /// The alarm of a fuse, 1 to 16.
  static func fuse(_ fuse: Int) -> Alarm? { Alarm(rawValue: Alarm.fuse1.rawValue + UInt8(clamping: fuse - 1)) }

  /// The fuse this alarm is about, 1 to 16; nil when it is about none.
  public var fuse: Int? {
    Alarm.fuse1.rawValue...Alarm.fuse16.rawValue ~= rawValue ? Int(rawValue - Alarm.fuse1.rawValue) + 1 : nil
  }
}
