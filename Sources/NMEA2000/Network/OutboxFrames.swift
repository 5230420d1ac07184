public import CANBus
public import MonotonicTime

extension Outbox {
  /// Queues a frame that is no NMEA 2000 message, as an 11-bit one; false when there is no room.
  public mutating func append(
    _ frame: CANDataFrame, urgency: Urgency, validity: TimeSpan, at now: Instant
  ) -> Bool {
    append(Entry(frame: frame, urgency: urgency, queued: now, deadline: now + validity, remaining: 0))
  }
}
