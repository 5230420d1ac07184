import Logging
import MonotonicTime
import NMEA2000

/// What the log tells of lost addresses: one at once, and of those that follow it how many they were.
///
/// A device that contests what we claim goes on for as long as it is there. What it took is told after ten seconds, then
/// in spans that double up to an hour; and ten seconds after it took the last, when an address is held.
struct AddressNews {
  static let firstSpan = TimeSpan.seconds(10)
  static let longestSpan = TimeSpan.hours(1)

  private var now = Instant.origin
  private var span = AddressNews.firstSpan
  /// When what was held back is told; nil while nothing was lost lately.
  private var due: Instant?
  private var last: (instant: Instant, address: UInt8, winner: Name)?
  private var untold = 0

  /// Whether an event is told later, with the others of its kind.
  mutating func holdsBack(_ event: NodeEvent) -> Bool {
    switch event {
    case .addressLost(let address, let winner):
      last = (now, address, winner)
      guard due != nil else {
        due = now + span
        return false
      }
      untold += 1
      return true
    case .addressClaimed: return untold > 0
    default: return false
    }
  }

  /// What is to be told with a status, which comes about once a second and brings the time.
  mutating func line(at instant: Instant, address: UInt8?) -> EventLine? {
    now = instant
    guard let due, let last else { return nil }
    let isOver = address != nil && now - last.instant >= Self.firstSpan
    guard isOver || due <= now && untold > 0 else { return nil }
    let count = untold
    untold = 0
    span = isOver ? Self.firstSpan : min(span + span, Self.longestSpan)
    self.due = isOver ? nil : now + span
    guard count > 0 else { return nil }
    let state = address.map { "address \($0) is held" } ?? "without an address; take that device off the bus"
    return EventLine(
      level: address == nil ? .warning : .notice,
      text: "\(count) more lost since then, the last of them \(last.address) to NAME \(last.winner): \(state)")
  }
}
