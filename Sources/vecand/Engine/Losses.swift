import CANBus

/// What was lost since the start, of all that can be lost, on all buses.
struct Losses: Equatable {
  var kernelDrops: UInt64 = 0
  var canFDRefused: UInt64 = 0
  var malformed: UInt64 = 0
  /// Frames that were not sent in time.
  var expired: UInt64 = 0
  /// Messages that found no room in a queue.
  var overflowed: UInt64 = 0

  init() {}

  init(_ counters: TransportCounters, _ queue: TransmitQueue) {
    kernelDrops = counters.kernelDrops
    canFDRefused = counters.canFDRefused
    malformed = counters.malformed
    expired = queue.expired
    overflowed = queue.overflowed
  }

  mutating func add(_ other: Losses) {
    kernelDrops += other.kernelDrops
    canFDRefused += other.canFDRefused
    malformed += other.malformed
    expired += other.expired
    overflowed += other.overflowed
  }
}
