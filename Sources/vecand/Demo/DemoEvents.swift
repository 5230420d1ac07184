import BMSCore
import Synchronization

/// The demo's event log: as that of the daemon's database, and gone with the demo.
final class DemoEvents: Sendable {
  private struct Kept {
    var events = Ring<StoredEvent>(capacity: ControlDesk.keptEvents)
    var last: Int64 = 0
  }

  private let kept = Mutex(Kept())

  func note(_ report: EngineReport) {
    for event in StoredEvent.events(of: report, fuseNames: FuseNames()) {
      kept.withLock { kept in
        kept.last += 1
        var event = event
        event.id = kept.last
        kept.events.append(event)
      }
    }
  }

  /// The events after a number, the oldest first; nil asks for the newest.
  func events(since id: Int64?, limit: Int) -> StoredEvents {
    let events = kept.withLock { $0.events.elements }
    let asked = id.map { id in Array(events.filter { $0.id > id }.prefix(limit)) } ?? events.suffix(limit)
    return StoredEvents(events: asked, last: asked.last?.id ?? id ?? 0)
  }
}
