import MonotonicTime

// Smooth limits near the cells' ends: CCL and DCL fall along a table of points, linear in between, before the contact
// opens (OD-2; bms-anchors.md 1: tables of limits against cell voltage). Off by default: the product's limits are all or
// nothing (R148, R149), and this is for chargers and inverters that follow a limit well.
//
// The table itself has no hysteresis: one voltage, one limit. A limit that falls makes the cell fall, and one that rose
// with it at once would swing with the charger's lag. So it falls at once and rises by its full scale in a minute.

struct Derating: Sendable {
  /// Of CCL, 0...1.
  private(set) var charge = 1.0
  /// Of DCL, 0...1.
  private(set) var discharge = 1.0

  struct Point: Sendable {
    let volts: Double
    let share: Double
  }

  /// Highest cell. Ours: all at 3.45 V, where a full LFP cell leaves its plateau; half at 3.55 V, which is 14.2 V in a
  /// balanced bank; nothing at 3.75 V, where ATC opens (R104).
  static let chargeTable: InlineArray<4, Point> = [
    Point(volts: 3.45, share: 1), Point(volts: 3.55, share: 0.5), Point(volts: 3.65, share: 0.1),
    Point(volts: Parameters.highCell, share: 0),
  ]
  /// Volts of the lowest cell above the low cell voltage. Ours: all at 0.3 V, which is the default pre-alarm.
  static let dischargeTable: InlineArray<4, Point> = [
    Point(volts: 0, share: 0), Point(volts: 0.1, share: 0.2), Point(volts: 0.2, share: 0.6),
    Point(volts: 0.3, share: 1),
  ]
  /// Ours, twenty times the 3 s in which a GX hands limits on.
  static let rise = TimeSpan.seconds(60)

  @inline(__always)
  mutating func evaluate(_ judged: borrowing Judgement, _ parameters: Parameters, elapsed: TimeSpan) {
    guard parameters.derates else {
      charge = 1
      discharge = 1
      return
    }
    let step = elapsed.seconds / Derating.rise.seconds
    if let cell = judged.highestCell?.value {
      charge = min(Derating.share(Derating.chargeTable, cell), charge + step)
    }
    if let cell = judged.lowestCell?.value {
      discharge = min(
        Derating.share(Derating.dischargeTable, quantised(cell - parameters.lowCell)), discharge + step)
    }
  }

  /// The table at a voltage; constant outside of it.
  static func share(_ table: InlineArray<4, Point>, _ volts: Double) -> Double {
    var before = table[0]
    if volts <= before.volts { return before.share }
    for index in 1..<table.count {
      let point = table[index]
      if volts <= point.volts {
        return before.share + (point.share - before.share) * (volts - before.volts) / (point.volts - before.volts)
      }
      before = point
    }
    return before.share
  }
}
