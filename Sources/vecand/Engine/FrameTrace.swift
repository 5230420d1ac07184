import CANBus
import MonotonicTime

/// The last frames that the engine took and sent, in a ring of bounded size: what a decision was made on, and what came
/// of it.
///
/// A copy shares the parts that are full, so that handing it over costs the engine one part at most.
struct FrameTrace: Sendable {
  /// A frame on its way in or out.
  struct Entry: Sendable {
    var instant: Instant
    var frame: CANDataFrame
    var isSent: Bool
  }

  /// 16,384 frames are some five minutes of a bus with a battery and two chargers, and half a megabyte.
  static let parts = 32
  static let partLength = 512

  /// The oldest first; only the last is not full.
  private var kept: [[Entry]] = [[]]

  mutating func note(_ frame: CANFrame, at instant: Instant, isSent: Bool) {
    guard case .data(let frame) = frame else { return }
    if kept[kept.count - 1].count == Self.partLength { startPart() }
    kept[kept.count - 1].append(Entry(instant: instant, frame: frame, isSent: isSent))
  }

  /// The oldest part's memory is used again, unless somebody still reads it.
  private mutating func startPart() {
    var next: [Entry] = []
    if kept.count == Self.parts {
      next = kept.removeFirst()
      next.removeAll(keepingCapacity: true)
    }
    next.reserveCapacity(Self.partLength)
    kept.append(next)
  }

  /// All of them, the oldest first.
  var entries: FlattenSequence<[[Entry]]> { kept.joined() }

  /// The newest; nil while there is none.
  var last: Entry? { kept.last?.last }

  /// How many there are.
  var count: Int { kept.reduce(0) { $0 + $1.count } }
}
