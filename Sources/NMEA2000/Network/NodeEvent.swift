public import MonotonicTime

/// What happened to a node that its owner should show, log or store.
public enum NodeEvent: Hashable, Sendable {
  /// The node may send from this address.
  case addressClaimed(UInt8)
  /// A lower NAME took the address; another one is claimed if there is one.
  case addressLost(UInt8, to: Name)
  /// No address is to be had, or each is contested: the node is silent and looks again. Said once until a claim holds.
  case cannotClaim
  /// 65240 commanded an address.
  case addressCommanded(UInt8)
  /// Somebody else sends from our address.
  case addressUsedByAnother(pgn: PGN)
  /// Another device has our NAME. We took a new unique number so that the two can be told apart.
  case twinName(Name, newUniqueNumber: UInt32)
  /// 126208 set the instances.
  case instancesChanged(device: UInt8, system: UInt8)
  /// 126208 set an installation description.
  case descriptionsChanged
  /// 126208 set the interval of a PGN.
  case intervalChanged(PGN, TimeSpan)
  /// ``Node/stored`` is to be saved.
  case storedChanged
}

/// Events that wait for the owner: a fixed number, the oldest given up for the newest.
struct NodeEventQueue: Sendable {
  static let capacity = 32
  private var events: [NodeEvent] = []
  /// How many were given up.
  private(set) var dropped: UInt64 = 0

  init() {
    events.reserveCapacity(Self.capacity)
  }

  mutating func append(_ event: NodeEvent) {
    if event == .storedChanged, events.contains(.storedChanged) { return }
    if events.count == Self.capacity {
      events.removeFirst()
      dropped &+= 1
    }
    events.append(event)
  }

  mutating func popFirst() -> NodeEvent? {
    events.isEmpty ? nil : events.removeFirst()
  }
}
