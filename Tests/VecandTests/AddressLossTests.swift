import BMSDevice
import CANBus
import Logging
import MonotonicTime
import NMEA2000
import Testing

@testable import vecand

private func seconds(_ count: Int64) -> Instant { .origin + .seconds(count) }
private let rival = Name(rawValue: 1)

/// What log and service manager are told while addresses are lost.
@Suite struct AddressLossTests {
  /// A status as the engine makes it, without an address.
  private func status() throws -> DeviceStatus {
    let bench = try EngineBench()
    bench.run(until: seconds(1))
    var status = try #require(
      bench.reports.lazy.compactMap { if case .status(let status, _) = $0 { status } else { nil } }.first)
    status.address = nil
    return status
  }

  @Test("With an address, or without a link, it is ready with the first report")
  func readyAtOnce() throws {
    var status = try status()
    #expect(ServiceNotifier().message(status, .down) == "WATCHDOG=1\nSTATUS=the link is down\nREADY=1")
    status.address = 22
    let notifier = ServiceNotifier()
    #expect(notifier.message(status, .up).hasSuffix("\nREADY=1"))
    #expect(!notifier.message(status, .up).contains("READY"))
  }

  @Test("In Off it says that it is silent, and not that it claims; that is no contest")
  func silent() throws {
    var status = try status()
    status.isSilent = true
    let notifier = ServiceNotifier()
    notifier.addressLost(to: rival)
    let text = "WATCHDOG=1\nSTATUS=off, and silent until it is switched on"
    #expect(notifier.message(status, .up) == "\(text)\nREADY=1", "a start in Off waits for no address")
    for _ in 1...20 { #expect(notifier.message(status, .up) == text) }
  }

  @Test("On a link without an address it is not ready with 14 reports and is with 15, and says who contests it")
  func readyWithoutAddress() throws {
    var status = try status()
    let notifier = ServiceNotifier()
    notifier.addressLost(to: rival)
    for _ in 1...14 { #expect(notifier.message(status, .up) == "WATCHDOG=1\nSTATUS=claiming an address") }
    let text = "no address could be claimed: NAME \(rival) contests it; take that device off the bus"
    #expect(notifier.message(status, .up) == "WATCHDOG=1\nSTATUS=\(text)\nREADY=1")
    #expect(notifier.message(status, .up) == "WATCHDOG=1\nSTATUS=\(text)")
    // An address begins the count anew, and who took the one before is no longer to blame.
    status.address = 22
    #expect(notifier.message(status, .up).contains("STATUS=address 22, "))
    status.address = nil
    for _ in 1...14 { #expect(notifier.message(status, .up).hasSuffix("STATUS=claiming an address")) }
    #expect(notifier.message(status, .up).hasSuffix("claimed: all are taken; remove devices from the bus"))
  }

  @Test("An address that is lost and the one claimed for it are told at once")
  func oneLoss() throws {
    var log = EventLog(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    #expect(
      log.note(.device(.node(.addressLost(22, to: rival)))).map(\.text) == [
        "lost address 22 to NAME \(rival), taking another"
      ])
    #expect(log.note(.device(.node(.addressClaimed(23)))).map(\.text) == ["claimed address 23"])
    var status = try status()
    status.address = 23
    for second in Int64(1)...20 {
      status.instant = seconds(second)
      #expect(log.note(.status(status, .up)).isEmpty)
    }
    #expect(log.note(.device(.node(.addressLost(23, to: rival)))).count == 1)
  }

  @Test("Ten losses in a second are a line, and after 10 s another with how many they were and what is held")
  func tenLosses() throws {
    var log = EventLog(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    for address in UInt8(22)...31 { log.note(.device(.node(.addressLost(address, to: rival)))) }
    #expect(log.note(.device(.node(.addressClaimed(32)))).isEmpty)
    var status = try status()
    status.address = 32
    status.instant = .origin + .milliseconds(9999)
    #expect(log.note(.status(status, .up)).isEmpty)
    status.instant = seconds(10)
    #expect(
      log.note(.status(status, .up)).map(\.text) == [
        "9 more lost since then, the last of them 31 to NAME \(rival): address 32 is held"
      ])
  }

  @Test("A contest that goes on for a day is told 9 times in the first hour and then once an hour")
  func lastingContest() throws {
    var log = EventLog(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    var status = try status()
    var told: [Int64] = []
    for second in Int64(0)..<86_400 {
      if !log.note(.device(.node(.addressLost(22, to: rival)))).isEmpty { told.append(second) }
      status.instant = seconds(second)
      if !log.note(.status(status, .up)).isEmpty { told.append(second) }
    }
    #expect(told.prefix(5) == [0, 10, 30, 70, 150])
    #expect(told.count { $0 < 3600 } == 9)
    #expect(told.count { $0 >= 3600 } <= 24)
    // It ends: an address is held for 10 s, and the next loss is told at once.
    status.address = 23
    for second in Int64(86_400)...86_410 {
      status.instant = seconds(second)
      log.note(.status(status, .up))
    }
    #expect(log.note(.device(.node(.addressLost(23, to: rival)))).count == 1)
  }
}
