import CANBus
import MonotonicTime
import NMEA2000
import Testing

@testable import vecanctl

private func at(_ milliseconds: Int64) -> Instant { .origin + .milliseconds(milliseconds) }

private func text(_ frame: CANDataFrame?) -> String? { frame.map { CandumpText.compact(.data($0)) } }

private func report(_ survey: DeviceSurvey, _ device: DeviceTable.Device) -> DeviceReport {
  DeviceReport(
    address: device.address, name: device.name, product: device.product,
    traffic: survey.traffic(of: device.address))
}

private let battery = Name(uniqueNumber: 7, manufacturer: 358, deviceInstance: 2, function: 170, deviceClass: 35)

extension DeviceSurvey {
  fileprivate mutating func claim(_ name: Name, from source: UInt8, at now: Instant) {
    let identifier = MessageIdentifier(priority: 6, pgn: 60928, source: source)
    receive(
      CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: name.rawValue, count: 8)), at: now)
  }

  fileprivate mutating func describe(_ model: FixedText, from source: UInt8, at now: Instant) {
    var message = ProductInformation()
    message.model = model
    message.serial = "HQ2149\u{7}"
    message.productCode = .value(41864)
    var sender = FastPacketSender()
    _ = message.withPayload { payload in
      sender.send(payload, as: MessageIdentifier(priority: 6, pgn: 126996, source: source)) { receive($0, at: now) }
    }
  }

  fileprivate mutating func status(from source: UInt8, instance: UInt64 = 0, at now: Instant) {
    let identifier = MessageIdentifier(priority: 6, pgn: 127508, source: source)
    receive(CANDataFrame(identifier.canIdentifier, CANPayload(littleEndian: instance, count: 8)), at: now)
  }
}

@Suite("vecanctl devices: who is asked what, and what comes of it")
struct DeviceSurveyTests {
  @Test("everybody is asked for the claim from address 254, once when all answer")
  func claimRequest() {
    var survey = DeviceSurvey(isPassive: false)
    #expect(text(survey.nextRequest(at: at(0))) == "18EAFFFE#00EE00")
    for time in stride(from: Int64(1), to: 5000, by: 10) { #expect(survey.nextRequest(at: at(time)) == nil) }
  }

  @Test("the claim is asked for once more when somebody stays nameless")
  func secondClaimRequest() {
    var survey = DeviceSurvey(isPassive: false)
    survey.status(from: 0x24, at: at(0))
    var asked: [String] = []
    for time in stride(from: Int64(0), to: 10_000, by: 10) {
      if let request = text(survey.nextRequest(at: at(time))) { asked.append(request) }
    }
    #expect(asked.filter { $0 == "18EAFFFE#00EE00" }.count == 2)
    #expect(asked.filter { $0 == "18EA24FE#14F001" }.count == 2)
    #expect(asked.count == 4)
  }

  @Test("who has not described itself is asked for its product, twice at most, one request each 50 ms")
  func productRequests() {
    var survey = DeviceSurvey(isPassive: false)
    _ = survey.nextRequest(at: at(0))
    survey.claim(battery, from: 0x24, at: at(10))
    survey.claim(Name(rawValue: 1), from: 0x25, at: at(10))
    #expect(survey.nextRequest(at: at(49)) == nil)
    #expect(text(survey.nextRequest(at: at(50))) == "18EA24FE#14F001")
    #expect(survey.nextRequest(at: at(99)) == nil)
    #expect(text(survey.nextRequest(at: at(100))) == "18EA25FE#14F001")
    survey.describe("Battery", from: 0x24, at: at(200))
    #expect(survey.nextRequest(at: at(1099)) == nil)
    #expect(text(survey.nextRequest(at: at(1100))) == "18EA25FE#14F001")
    #expect(survey.nextRequest(at: at(60_000)) == nil)
  }

  @Test("a passive survey asks nothing")
  func passive() {
    var survey = DeviceSurvey(isPassive: true)
    survey.status(from: 0x24, at: at(0))
    survey.claim(battery, from: 0x25, at: at(10))
    for time in stride(from: Int64(0), to: 5000, by: 10) { #expect(survey.nextRequest(at: at(time)) == nil) }
    #expect(survey.devices.map(\.address) == [0x24, 0x25])
  }

  @Test("the interval is the mean distance; one message alone has none")
  func interval() {
    var survey = DeviceSurvey(isPassive: true)
    survey.status(from: 0x24, at: at(0))
    #expect(survey.traffic(of: 0x24).first?.traffic.interval == nil)
    survey.status(from: 0x24, at: at(1400))
    survey.status(from: 0x24, at: at(3000))
    #expect(survey.traffic(of: 0x24).first?.traffic.count == 3)
    #expect(survey.traffic(of: 0x24).first?.traffic.interval == .milliseconds(1500))
  }

  @Test("two batteries of one sender, each every 1.5 s, are two streams of 1.5 s and not one of 0.75 s")
  func instances() throws {
    var survey = DeviceSurvey(isPassive: true)
    for round in 0..<3 {
      survey.status(from: 0x24, at: at(Int64(round) * 1500))
      survey.status(from: 0x24, instance: 1, at: at(Int64(round) * 1500 + 10))
    }
    let traffic = try #require(survey.traffic(of: 0x24).first?.traffic)
    #expect(traffic.count == 6)
    #expect(traffic.streams.count == 2)
    #expect(traffic.interval == .milliseconds(1500))
    let device = try #require(survey.devices.first)
    #expect(report(survey, device).text.hasSuffix("6 heard of 2 instances, mean interval 1.50 s\n"))
    #expect(report(survey, device).json.contains(#""count":6,"streams":2,"intervalSeconds":1.500"#))
  }

  @Test("what an address sent before it changed hands is not the new holder's")
  func newHolder() {
    var survey = DeviceSurvey(isPassive: true)
    survey.claim(battery, from: 0x24, at: at(0))
    survey.status(from: 0x24, at: at(10))
    survey.claim(Name(rawValue: 1), from: 0x24, at: at(20))
    #expect(survey.traffic(of: 0x24).map(\.pgn) == [60928])
  }

  @Test("a device without an address is told, until it finds one")
  func withoutAddress() {
    var survey = DeviceSurvey(isPassive: true)
    survey.claim(battery, from: 254, at: at(0))
    #expect(survey.withoutAddress == [battery])
    survey.claim(battery, from: 0x24, at: at(10))
    #expect(survey.withoutAddress.isEmpty)
  }

  @Test("a device as text: one block, aligned, nothing that steers the terminal")
  func asText() throws {
    var survey = DeviceSurvey(isPassive: true)
    survey.claim(battery, from: 0x24, at: at(0))
    survey.describe("Lynx Smart BMS 500", from: 0x24, at: at(5))
    survey.status(from: 0x24, at: at(10))
    survey.status(from: 0x24, at: at(1510))
    let device = try #require(survey.devices.first)
    #expect(
      report(survey, device).text == """
        Address 36
          NAME            \(battery)
          Manufacturer    Victron Energy (358)
          Unique number   7
          Class           Electrical Generation (35)
          Function        Battery (170)
          Instances       device 2, system 0
          Product         Lynx Smart BMS 500 (code 41864)
          Serial number   HQ2149?
          Sends            60928 ISO Address Claim      1 heard
                          126996 Product Information    1 heard
                          127508 Battery Status         2 heard, mean interval 1.50 s

        """)
  }

  @Test("a device as JSON: what is not known is left out")
  func asJSON() throws {
    var survey = DeviceSurvey(isPassive: true)
    survey.status(from: 0x24, at: at(10))
    survey.status(from: 0x24, at: at(1510))
    let device = try #require(survey.devices.first)
    #expect(
      report(survey, device).json
        == #"{"address":36,"sends":[{"pgn":127508,"description":"Battery Status","count":2,"intervalSeconds":1.500}]}"#)
  }
}
