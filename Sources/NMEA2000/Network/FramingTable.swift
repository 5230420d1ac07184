/// How the messages of each PGN travel.
///
/// The frame alone does not tell: a chunk of a fast packet read as a message of its own has shown batteries that do not
/// exist (nmea2000.md section 4). What the lists do not know is decided by the ranges of the standard, and where a
/// range mixes both, the frame is left alone.
struct FramingTable: Sendable {
  private static let capacity = 2048
  /// A hash table: PGN, then its framing; PGN 0x40000 marks an empty place, as none has 19 bits.
  private var places: [(number: UInt32, framing: MessageDefinition.Framing)]

  /// Made once, at the first use.
  static let shared = FramingTable()

  private init() {
    places = [(UInt32, MessageDefinition.Framing)](repeating: (0x40000, .single), count: Self.capacity)
    for number in PGNNames.singleFrames.keys { insert(PGN(number), .single) }
    for number in PGNNames.fastPackets.keys { insert(PGN(number), .fastPacket) }
    // What is known field by field is known best.
    for message in Catalogue.messages { insert(message.definition.pgn, message.definition.framing) }
    insert(NetworkPGN.transportControl, .single)
    insert(NetworkPGN.transportData, .single)
  }

  private mutating func insert(_ pgn: PGN, _ framing: MessageDefinition.Framing) {
    var place = Self.place(pgn)
    // Never more than half full: some 300 are known.
    for _ in 0..<Self.capacity / 2 {
      if places[place].number == 0x40000 || places[place].number == pgn.rawValue {
        places[place] = (pgn.rawValue, framing)
        return
      }
      place = (place + 1) % Self.capacity
    }
  }

  private static func place(_ pgn: PGN) -> Int { Int((pgn.rawValue &* 0x9E37_79B1) >> 21) }

  /// How a PGN travels; nil when nobody can tell.
  subscript(pgn: PGN) -> MessageDefinition.Framing? {
    var place = Self.place(pgn)
    while places[place].number != 0x40000 {
      if places[place].number == pgn.rawValue { return places[place].framing }
      place = (place + 1) % Self.capacity
    }
    return switch pgn.rawValue {
    case 0...0xFFFF: .single
    case 0x1ED00...0x1EEFF, 0x1FF00...0x1FFFF: .fastPacket
    default: nil
    }
  }
}
