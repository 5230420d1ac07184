public import MonotonicTime

/// Who is on the bus, by address.
///
/// Facts belong to a NAME, not to an address: when an address changes hands, what was known of the old holder is
/// forgotten. All storage is fixed: 254 addresses, 32 PGNs each.
public struct DeviceTable: Sendable {
  /// A device at an address.
  public struct Device: Hashable, Sendable {
    /// Its address now.
    public var address: UInt8
    /// Its NAME; nil until a claim was heard.
    public var name: Name?
    /// When it was last heard.
    public var lastHeard: Instant
    /// What it says of itself in 126996, when that was heard.
    public var product: ProductDescription?
    /// The PGNs heard from it, ascending, at most 32.
    public var pgns: [PGN]
  }

  /// What a selector finds.
  public enum Match: Hashable, Sendable {
    /// Nobody fits.
    case none
    /// This one.
    case one(address: UInt8, name: Name)
    /// More than one fits: none is chosen by chance.
    case ambiguous(count: Int)
  }

  /// Whether an address is in use.
  enum Occupancy: Hashable, Sendable {
    /// Never heard, or its holder moved away.
    case free
    /// Heard, but not for ``silence``.
    case abandoned
    /// In use.
    case taken
  }

  /// How long a device may be silent before it counts as gone: three heartbeats, or three of Victron's claims.
  public static let silence = TimeSpan.minutes(3)
  /// The least distance of two requests for the claim of one address; it doubles each time.
  static let inquiryDistance = TimeSpan.seconds(2)
  /// How often the claim of one address is asked for before we give up: the last after two minutes.
  static let inquiryLimit: UInt8 = 6

  private struct Entry: Sendable {
    var name: Name?
    var lastHeard = Instant(nanoseconds: .min)
    var isHeard = false
    var inquiries: UInt8 = 0
    var nextInquiry = Instant(nanoseconds: .min)
    var product: ProductDescription?
  }

  private static let addressCount = 254
  private static let pgnsPerAddress = 32
  private var entries = [Entry](repeating: Entry(), count: addressCount)
  /// A hash table for each address: PGN + 1, or 0 for an empty place.
  private var pgns = [UInt32](repeating: 0, count: addressCount * pgnsPerAddress)

  /// A table without devices.
  public init() {}

  // MARK: - Questions

  /// All devices heard, in the order of their addresses.
  public var all: [Device] {
    (0..<UInt8(Self.addressCount)).compactMap { self[$0] }
  }

  /// The device at an address.
  public subscript(address: UInt8) -> Device? {
    let index = Int(address)
    guard index < Self.addressCount, entries[index].isHeard else { return nil }
    let entry = entries[index]
    let first = index * Self.pgnsPerAddress
    let heard = pgns[first..<first + Self.pgnsPerAddress].filter { $0 != 0 }.map { PGN($0 - 1) }.sorted()
    return Device(
      address: address, name: entry.name, lastHeard: entry.lastHeard, product: entry.product, pgns: heard)
  }

  /// The NAME that holds an address.
  public func name(of address: UInt8) -> Name? {
    Int(address) < Self.addressCount ? entries[Int(address)].name : nil
  }

  /// The address that a NAME holds.
  public func address(of name: Name) -> UInt8? {
    entries.firstIndex { $0.name == name }.map { UInt8($0) }
  }

  /// Who fits a selector, among those heard within ``silence``.
  public func match(_ selector: DeviceSelector, at now: Instant) -> Match {
    var found = Match.none
    var count = 0
    for address in 0..<UInt8(Self.addressCount) {
      let entry = entries[Int(address)]
      guard let name = entry.name, now - entry.lastHeard <= Self.silence, selector.matches(name) else { continue }
      count += 1
      found = count == 1 ? .one(address: address, name: name) : .ambiguous(count: count)
    }
    return found
  }

  func occupancy(of address: UInt8, at now: Instant) -> Occupancy {
    guard Int(address) < Self.addressCount, entries[Int(address)].isHeard else { return .free }
    return now - entries[Int(address)].lastHeard > Self.silence ? .abandoned : .taken
  }

  // MARK: - Events

  /// A frame was heard. Returns true when its sender is to be asked for its claim.
  @discardableResult
  mutating func hear(_ pgn: PGN, from source: UInt8, at now: Instant) -> Bool {
    let index = Int(source)
    guard index < Self.addressCount else { return false }
    entries[index].isHeard = true
    entries[index].lastHeard = now
    note(pgn, of: index)
    guard entries[index].name == nil, entries[index].inquiries < Self.inquiryLimit,
      entries[index].nextInquiry <= now
    else { return false }
    return true
  }

  /// Its sender was asked for its claim.
  mutating func noteInquiry(to address: UInt8, at now: Instant) {
    let index = Int(address)
    guard index < Self.addressCount else { return }
    let distance = Self.inquiryDistance.nanoseconds << Int64(entries[index].inquiries)
    entries[index].nextInquiry = now + TimeSpan(nanoseconds: distance)
    entries[index].inquiries += 1
  }

  /// A claim was heard; 254 as its source says that the NAME has no address. Returns true when the address changed
  /// hands.
  @discardableResult
  mutating func claim(_ name: Name, from source: UInt8, at now: Instant) -> Bool {
    let index = Int(source)
    if index < Self.addressCount, entries[index].name == name {
      entries[index].lastHeard = now
      return false
    }
    // The same NAME elsewhere: it moved.
    if let old = entries.firstIndex(where: { $0.name == name }) { forget(UInt8(old)) }
    guard index < Self.addressCount else { return false }
    let hadHolder = entries[index].name != nil
    // What was heard before anybody claimed is the new holder's, as far as we can know, only if nobody held it.
    if hadHolder { forget(source) }
    entries[index].name = name
    entries[index].isHeard = true
    entries[index].lastHeard = now
    return true
  }

  /// A device described itself.
  mutating func describe(_ product: ProductDescription, of source: UInt8) {
    guard Int(source) < Self.addressCount else { return }
    entries[Int(source)].product = product
  }

  /// An address is nobody's any more, or ours.
  mutating func forget(_ address: UInt8) {
    let index = Int(address)
    guard index < Self.addressCount else { return }
    entries[index] = Entry()
    let first = index * Self.pgnsPerAddress
    for place in first..<first + Self.pgnsPerAddress { pgns[place] = 0 }
  }

  /// Notes a PGN; when the table of its sender is full, it is not noted.
  private mutating func note(_ pgn: PGN, of index: Int) {
    let first = index * Self.pgnsPerAddress
    let wanted = pgn.rawValue + 1
    var place = Int((wanted &* 0x9E37_79B1) >> 27)
    for _ in 0..<Self.pgnsPerAddress {
      let found = pgns[first + place]
      if found == wanted { return }
      if found == 0 {
        pgns[first + place] = wanted
        return
      }
      place = (place + 1) % Self.pgnsPerAddress
    }
  }
}

/// Picks a sender by its NAME, never by its address: addresses move. A nil part fits all.
public struct DeviceSelector: Hashable, Sendable {
  /// The manufacturer's code.
  public var manufacturer: UInt16?
  /// The unique number.
  public var uniqueNumber: UInt32?
  /// The device function.
  public var function: UInt8?
  /// The device class.
  public var deviceClass: UInt8?
  /// The device instance.
  public var deviceInstance: UInt8?

  /// A selector of these parts.
  public init(
    manufacturer: UInt16? = nil, uniqueNumber: UInt32? = nil, function: UInt8? = nil, deviceClass: UInt8? = nil,
    deviceInstance: UInt8? = nil
  ) {
    self.manufacturer = manufacturer
    self.uniqueNumber = uniqueNumber
    self.function = function
    self.deviceClass = deviceClass
    self.deviceInstance = deviceInstance
  }

  /// Whether a NAME fits all the given parts.
  public func matches(_ name: Name) -> Bool {
    (manufacturer == nil || manufacturer == name.manufacturer)
      && (uniqueNumber == nil || uniqueNumber == name.uniqueNumber)
      && (function == nil || function == name.function)
      && (deviceClass == nil || deviceClass == name.deviceClass)
      && (deviceInstance == nil || deviceInstance == name.deviceInstance)
  }

  /// Whether one NAME can fit both: no part is given in both with different values.
  public func overlaps(_ other: DeviceSelector) -> Bool {
    func agree<Part: Equatable>(_ part: KeyPath<DeviceSelector, Part?>) -> Bool {
      guard let own = self[keyPath: part], let others = other[keyPath: part] else { return true }
      return own == others
    }
    return agree(\.manufacturer) && agree(\.uniqueNumber) && agree(\.function) && agree(\.deviceClass)
      && agree(\.deviceInstance)
  }
}
