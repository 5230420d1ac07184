import CANBus
import MonotonicTime
import NMEA2000
import Testing

@testable import BMSDevice

@Suite("How much of the bus the device uses by itself")
struct BusLoadTests {
  /// The most bits that a frame can have, stuff bits and the pause of three bits included (ISO 11898-1): 34 or 54 bits
  /// and the data can be stuffed, one after four at worst; 13 follow that are not.
  static func worstBits(_ frame: CANDataFrame) -> Int {
    let stuffed = (frame.identifier.isExtended ? 54 : 34) + 8 * frame.payload.count
    return stuffed + (stuffed - 1) / 4 + 13
  }

  /// Percent of 250 kbit/s over the time of the bench.
  static func percent(_ bench: Bench, over span: TimeSpan) -> Double {
    let bits = bench.sent.reduce(0) { $0 + worstBits($1.entry.frame) }
    return 100 * Double(bits) / span.seconds / 250_000
  }

  @Test("a full frame has at most 160 bits with 29-bit identifiers, 135 with 11-bit ones")
  func bits() {
    #expect(Self.worstBits(CANDataFrame(.extended(1), [0, 0, 0, 0, 0, 0, 0, 0])) == 160)
    #expect(Self.worstBits(CANDataFrame(.standard(1), [0, 0, 0, 0, 0, 0, 0, 0])) == 135)
    #expect(Self.worstBits(CANDataFrame(.standard(1), [])) == 55)
  }

  @Test("with a steady battery it is less than 1 %, every 11-bit frame included")
  func steady() {
    var configuration = Bench.configuration()
    configuration.identity.serial = "V12345678"
    var bench = Bench.running(configuration)
    bench.sent.removeAll()
    bench.advance(.minutes(2))
    let percent = Self.percent(bench, over: .minutes(2))
    #expect(percent > 0.5 && percent < 1, "\(percent) %")
  }

  @Test("with all that can change changing each second it is less than 2 %")
  func restless() {
    var bench = Bench.running()
    bench.sent.removeAll()
    // Limits, contacts, alarms, flags and the alarm of the bank, to and fro.
    for second in 0..<60 {
      let isHigh = second % 2 == 0
      (bench.highest, bench.lowest) = (isHigh ? 3.76 : 3.33, isHigh ? 3.05 : 3.3)
      bench.current = isHigh ? 10 : -10
      bench.advance(.seconds(1))
    }
    let percent = Self.percent(bench, over: .minutes(1))
    #expect(percent > 0.8 && percent < 2, "\(percent) %")
  }

  @Test("asking for everything all the time cannot take more than half of the bus")
  func asked() {
    var bench = Bench.running()
    bench.sent.removeAll()
    for _ in 0..<200 {
      _ = bench.ask([0x66, 0x99, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00], within: .milliseconds(10))
    }
    let percent = Self.percent(bench, over: .seconds(2))
    #expect(percent > 20 && percent < 55, "\(percent) %")
  }
}
