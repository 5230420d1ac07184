import CANBus
import MonotonicTime
import Testing

@testable import NMEA2000

/// Address claim: nmea2000.md section 1.5.
@Suite struct NetworkAddressClaimTests {
  static let ours = Name(uniqueNumber: 100, manufacturer: 358, function: 170, deviceClass: 35)
  static let lower = Name(uniqueNumber: 99, manufacturer: 358, function: 170, deviceClass: 35)
  static let higher = Name(uniqueNumber: 101, manufacturer: 358, function: 170, deviceClass: 35)

  static func at(_ milliseconds: Int64) -> Instant { .origin + .milliseconds(milliseconds) }

  /// A claim machine with the table that its node would keep.
  struct Driver {
    var claim: AddressClaim
    var table = DeviceTable()
    var now = Instant.origin
    var frames: [(at: Instant, frame: CANDataFrame)] = []
    var events: [NodeEvent] = []

    init(
      name: Name = ours, preferred: UInt8 = 22, addresses: ClosedRange<UInt8> = 0...251, interval: TimeSpan? = nil,
      seed: UInt64 = 1
    ) {
      claim = AddressClaim(
        name: name, preferredAddress: preferred, addresses: addresses, interval: interval, randomSeed: seed)
    }

    mutating func take(_ step: AddressClaim.Step) {
      if let frame = step.frame { frames.append((now, frame)) }
      if let event = step.event { events.append(event) }
    }

    mutating func start() { take(claim.start(at: now)) }

    mutating func run(to end: Instant) {
      while claim.nextDeadline <= end {
        now = max(now, claim.nextDeadline)
        take(claim.tick(at: now, in: table))
      }
      now = end
    }

    mutating func run(_ span: TimeSpan) { run(to: now + span) }

    /// Runs beside a peer that claims each address that we claim, a frame of 0.54 ms later, and does so `times` times.
    mutating func run(_ span: TimeSpan, contestedBy rival: Name, times: Int = .max) {
      let end = now + span
      var seen = frames.firstIndex { $0.at >= now } ?? frames.count
      var contests = 0
      while true {
        while contests < times, seen < frames.count {
          let (sent, frame) = frames[seen]
          seen += 1
          guard let id = MessageIdentifier(frame.identifier), id.pgn == 60928, id.source <= 251 else { continue }
          run(to: max(now, sent + .microseconds(540)))
          hear(rival, from: id.source)
          contests += 1
        }
        guard claim.nextDeadline <= end else { break }
        now = max(now, claim.nextDeadline)
        take(claim.tick(at: now, in: table))
      }
      now = end
    }

    mutating func hear(_ name: Name, from source: UInt8) {
      take(claim.receive(name, from: source, at: now, in: table))
      if source != claim.contestedAddress, !claim.isOwn(name, at: now) { table.claim(name, from: source, at: now) }
    }

    mutating func claimed() {
      start()
      run(.seconds(5))
      frames = []
      events = []
    }

    var claims: [(at: Instant, source: UInt8, name: UInt64)] {
      frames.compactMap { entry in
        guard let id = MessageIdentifier(entry.frame.identifier), id.pgn == 60928 else { return nil }
        return (entry.at, id.source, entry.frame.payload.bits)
      }
    }

    /// The least distance of two claims, those from 254 included.
    var leastDistance: TimeSpan { zip(claims, claims.dropFirst()).map { $1.at - $0.at }.min() ?? .never }

    var requests: [(at: Instant, source: UInt8, destination: UInt8)] {
      frames.compactMap { entry in
        guard let id = MessageIdentifier(entry.frame.identifier), id.pgn == 59904 else { return nil }
        return (entry.at, id.source, id.destination)
      }
    }
  }

  @Test("A quiet start asks from 254, claims the preferred address within 203 ms and is ready 265 ms later")
  func start() throws {
    for seed in UInt64(0)..<200 {
      var driver = Driver(seed: seed)
      driver.start()
      driver.run(.milliseconds(468))
      #expect(driver.requests.count == 1)
      #expect(driver.requests.first?.source == 254)
      #expect(driver.requests.first?.destination == 255)
      let first = try #require(driver.claims.first)
      #expect(driver.claims.count == 1)
      #expect(first.source == 22)
      #expect(first.name == Self.ours.rawValue)
      #expect(first.at >= Self.at(50))
      #expect(first.at <= Self.at(203))
      #expect(driver.claim.address == 22)
      #expect(driver.events == [.addressClaimed(22)])
    }
  }

  @Test("The claim is priority 6, to all, 8 bytes little-endian: the worked example of the specification")
  func claimBytes() throws {
    var driver = Driver(
      name: Name(uniqueNumber: 9, manufacturer: 2046, function: 170, deviceClass: 35), preferred: 22)
    driver.start()
    driver.run(.seconds(1))
    let frame = try #require(driver.frames.last?.frame)
    #expect(frame.identifier == .extended(0x18EE_FF16))
    #expect(Array(frame.payload) == [0x09, 0x00, 0xC0, 0xFF, 0x00, 0xAA, 0x46, 0xC0])
  }

  @Test("The random delay differs between seeds and is a multiple of 0.6 ms from 0 to 153 ms")
  func randomDelay() throws {
    var delays: Set<Int64> = []
    for seed in UInt64(0)..<400 {
      var driver = Driver(seed: seed)
      driver.start()
      driver.run(.seconds(1))
      let delay = try #require(driver.claims.first).at - Self.at(50)
      #expect(delay.nanoseconds % 600_000 == 0)
      #expect(delay >= .zero && delay <= .milliseconds(153))
      delays.insert(delay.nanoseconds)
    }
    #expect(delays.count > 150)
  }

  @Test("Nothing may be sent 264 ms after the claim, and may 265 ms after it")
  func waits() throws {
    var driver = Driver()
    driver.start()
    driver.run(.milliseconds(203))
    let claimed = try #require(driver.claims.first).at
    driver.run(to: claimed + .milliseconds(264))
    #expect(driver.claim.address == nil)
    driver.run(to: claimed + .milliseconds(265))
    #expect(driver.claim.address == 22)
  }

  @Test("A higher NAME on our address is answered by our claim at once, and we keep it")
  func wins() throws {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.higher, from: 22)
    #expect(driver.claims.map(\.source) == [22])
    #expect(driver.claims.first?.at == driver.now)
    #expect(driver.claim.address == 22)
    #expect(driver.claim.contestsWon == 1)
  }

  @Test("A lower NAME on our address gets it; we claim the next one and wait 250 ms again")
  func loses() throws {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.lower, from: 22)
    #expect(driver.claims.map(\.source) == [23])
    #expect(driver.claim.address == nil)
    #expect(driver.events == [.addressLost(22, to: Self.lower)])
    driver.run(.milliseconds(265))
    #expect(driver.claim.address == 23)
    #expect(driver.table.name(of: 22) == Self.lower)
  }

  @Test("A claim from another address is no contest")
  func otherAddress() {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.lower, from: 23)
    #expect(driver.frames.isEmpty)
    #expect(driver.claim.address == 22)
  }

  @Test("A thousand higher claims in a second are answered at most every 50 ms, the last one too")
  func noStorm() throws {
    var driver = Driver()
    driver.claimed()
    for _ in 0..<1000 {
      driver.hear(Self.higher, from: 22)
      driver.run(.milliseconds(1))
    }
    let last = driver.now
    driver.run(.milliseconds(100))
    #expect(driver.claims.count <= 22)
    #expect(driver.claims.count >= 20)
    #expect(try #require(driver.claims.last).at >= last - .milliseconds(1))
    for (earlier, later) in zip(driver.claims, driver.claims.dropFirst()) {
      #expect(later.at - earlier.at >= .milliseconds(50))
    }
    #expect(driver.claim.address == 22)
  }

  @Test("Losing five times in a row walks upward past every address that was heard")
  func losesInARow() {
    var driver = Driver()
    driver.claimed()
    driver.table.hear(127508, from: 25, at: driver.now)
    for (index, expected) in [23, 24, 26, 27, 28].enumerated() {
      let name = Name(rawValue: UInt64(index + 1))
      driver.hear(name, from: driver.claim.contestedAddress ?? 0)
      #expect(driver.claim.contestedAddress == UInt8(expected))
    }
    // 50 ms after the claim of 23, and 265 ms more: what was lost in between was never claimed.
    driver.run(.milliseconds(50 + 265))
    #expect(driver.claims.map(\.source) == [23, 28])
    #expect(driver.claim.address == 28)
  }

  @Test(
    "An address lost 49 ms after its claim is followed by the next claim at 50 ms; one lost at 50 or 51 ms, at once",
    arguments: [(0, 50), (1, 50), (49, 50), (50, 50), (51, 51)] as [(Int64, Int64)])
  func spacing(lost: Int64, next: Int64) throws {
    var driver = Driver()
    driver.start()
    driver.run(.milliseconds(203))
    let first = try #require(driver.claims.first).at
    driver = Driver()
    driver.start()
    driver.run(to: first + .milliseconds(lost))
    driver.hear(Self.lower, from: 22)
    #expect(driver.claim.contestedAddress == 23)
    driver.run(to: first + .milliseconds(200))
    #expect(driver.claims.map(\.source) == [22, 23])
    #expect(try #require(driver.claims.last).at == first + .milliseconds(next))
    // The 250 ms begin with the claim and not with the loss.
    driver.run(to: first + .milliseconds(next + 264))
    #expect(driver.claim.address == nil)
    driver.run(to: first + .milliseconds(next + 265))
    #expect(driver.claim.address == 23)
  }

  @Test("A peer that contests every address gets ten claims 50 ms apart, then one each 10 s, each of another address")
  func contestsEverything() throws {
    var driver = Driver()
    driver.start()
    driver.run(.seconds(100), contestedBy: Self.lower)
    let ours = driver.claims.filter { $0.source <= 251 }
    #expect(driver.leastDistance >= .milliseconds(50))
    #expect(ours.prefix(10).map(\.source) == Array(22...31))
    #expect(try #require(ours.dropFirst(9).first).at - ours[0].at == .milliseconds(450))
    #expect(ours.map(\.source) == (0..<ours.count).map { UInt8(22 + $0) })
    #expect(ours.count == 19)
    for (earlier, later) in zip(ours.dropFirst(9), ours.dropFirst(10)) {
      #expect(later.at - earlier.at >= .seconds(10))
    }
    // Each time it says from 254 that it has none, and to its owner the first time.
    #expect(driver.claims.count { $0.source == 254 } == 10)
    #expect(driver.events.count { $0 == .cannotClaim } == 1)
    #expect(driver.events.dropLast().contains(.cannotClaim))
    #expect(driver.claim.contestsLost == 19)
    #expect(driver.claim.isWithoutAddress)
  }

  @Test("After nine losses in a row the tenth claim holds; the count begins anew with it")
  func contestsNine() {
    var driver = Driver()
    driver.start()
    driver.run(.seconds(2), contestedBy: Self.lower, times: 9)
    #expect(driver.claim.address == 31)
    #expect(driver.leastDistance >= .milliseconds(50))
    #expect(!driver.events.contains(.cannotClaim))
    driver.hear(Self.lower, from: 31)
    driver.run(.seconds(2), contestedBy: Self.lower, times: 8)
    #expect(driver.claim.address == 40)
    #expect(!driver.events.contains(.cannotClaim))
  }

  @Test("After ten losses in a row it waits 10 s; if the peer has stopped by then, the address that follows is held")
  func contestsTen() throws {
    var driver = Driver()
    driver.start()
    driver.run(.seconds(5), contestedBy: Self.lower, times: 10)
    #expect(driver.claim.isWithoutAddress)
    let last = try #require(driver.claims.last { $0.source <= 251 }).at
    driver.run(to: last + .seconds(10))
    #expect(driver.claim.isWithoutAddress)
    driver.run(.milliseconds(300))
    #expect(driver.claim.address == 32)
    driver.claim.stop()
    driver.frames = []
    driver.start()
    driver.run(.seconds(1))
    #expect(driver.claims.map(\.source) == [32])
  }

  @Test("An address that a lower NAME claims while our claim of it is put off is never claimed")
  func putOff() {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.lower, from: 22)
    driver.hear(Self.lower, from: 23)
    driver.run(.milliseconds(49))
    #expect(driver.claim.contestedAddress == 24)
    driver.hear(Name(rawValue: 1), from: 24)
    driver.run(.seconds(1))
    #expect(driver.claims.map(\.source) == [23, 25])
    #expect(driver.leastDistance == .milliseconds(50))
    #expect(driver.claim.address == 25)
  }

  @Test("That no address is left is announced 50 ms after the last claim at the earliest")
  func announcementSpacing() throws {
    for seed in UInt64(0)..<200 {
      var driver = Driver(addresses: 22...22, seed: seed)
      driver.start()
      driver.run(.seconds(1), contestedBy: Self.lower, times: 1)
      #expect(driver.claims.map(\.source) == [22, 254])
      #expect(driver.leastDistance >= .milliseconds(50))
      #expect(driver.leastDistance <= .milliseconds(154))
      #expect(driver.events == [.addressLost(22, to: Self.lower), .cannotClaim])
    }
  }

  @Test("Commands to two addresses in turn, one a millisecond, are claims 50 ms apart")
  func commandSpacing() {
    var driver = Driver()
    driver.claimed()
    for index in 0..<500 {
      driver.take(driver.claim.receiveCommand(Self.ours, address: index % 2 == 0 ? 66 : 67, at: driver.now))
      driver.run(.milliseconds(1))
    }
    #expect(driver.leastDistance >= .milliseconds(50))
    #expect(driver.claims.count <= 11)
    driver.run(.milliseconds(315))
    #expect(driver.claim.address == 67)
  }

  @Test("A new NAME because of a twin elsewhere is claimed 50 ms after the claim before")
  func twinSpacing() {
    var driver = Driver()
    driver.claimed()
    driver.take(driver.claim.receiveRequest(from: 5, isBroadcast: true, at: driver.now))
    driver.hear(Self.ours, from: 50)
    driver.hear(Self.ours, from: 50)
    driver.run(.seconds(1))
    #expect(driver.claims.map(\.name) == [Self.ours.rawValue, driver.claim.name.rawValue])
    #expect(driver.leastDistance == .milliseconds(50))
  }

  @Test("The search wraps from 251 to 0 and never takes 252 to 255")
  func wraps() {
    var driver = Driver(preferred: 251)
    driver.claimed()
    driver.hear(Self.lower, from: 251)
    #expect(driver.claim.contestedAddress == 0)
  }

  @Test("A configured range is kept on loss")
  func range() {
    var driver = Driver(preferred: 101, addresses: 100...101)
    driver.claimed()
    driver.hear(Self.lower, from: 101)
    #expect(driver.claim.contestedAddress == 100)
    driver.hear(Name(rawValue: 1), from: 100)
    #expect(driver.claim.contestedAddress == nil)
  }

  @Test("A taken preferred address is left alone at the start, whoever has it")
  func polite() {
    var driver = Driver()
    driver.start()
    driver.hear(Self.higher, from: 22)
    driver.run(.seconds(1))
    #expect(driver.claim.address == 23)
    #expect(driver.claims.map(\.source) == [23])
  }

  /// A driver whose every address is held by a NAME below ours.
  func crowded() -> Driver {
    var driver = Driver()
    driver.claimed()
    for address in UInt8(0)...251 where address != 22 {
      driver.hear(Name(rawValue: UInt64(address) + 1), from: address)
    }
    driver.hear(Name(rawValue: 1000), from: 22)
    return driver
  }

  @Test("With all addresses held by lower NAMEs it announces that from 254 within 153 ms and falls silent")
  func cannotClaim() throws {
    var driver = crowded()
    let lost = driver.now
    #expect(driver.claim.isWithoutAddress)
    #expect(driver.events.last == .addressLost(22, to: Name(rawValue: 1000)))
    driver.run(.milliseconds(153))
    #expect(driver.claims.map(\.source) == [254])
    #expect(try #require(driver.claims.first).at <= lost + .milliseconds(153))
    driver.frames = []
    driver.run(.seconds(60))
    #expect(driver.frames.isEmpty)
    #expect(driver.claim.address == nil)
  }

  @Test("Without an address, requests for 60928 are answered from 254, a hundred at once by one claim")
  func answersFrom254() {
    var driver = crowded()
    driver.run(.seconds(1))
    driver.frames = []
    for _ in 0..<100 { driver.take(driver.claim.receiveRequest(from: 5, isBroadcast: true, at: driver.now)) }
    driver.run(.milliseconds(200))
    #expect(driver.claims.map(\.source) == [254])
  }

  @Test("Without an address, requests each millisecond are answered after random delays, 50 ms apart at least")
  func answersFrom254Apart() {
    var driver = crowded()
    driver.run(.seconds(1))
    driver.frames = []
    for _ in 0..<2000 {
      driver.take(driver.claim.receiveRequest(from: 5, isBroadcast: true, at: driver.now))
      driver.run(.milliseconds(1))
    }
    for (earlier, later) in zip(driver.claims, driver.claims.dropFirst()) {
      #expect(later.at - earlier.at >= .milliseconds(50))
    }
    let distances = zip(driver.claims, driver.claims.dropFirst()).map { ($1.at - $0.at).nanoseconds }
    #expect(Set(distances).count > 3)
    #expect(driver.claims.count >= 10)
  }

  @Test("Addresses that were not heard for more than 3 minutes are tried again")
  func abandoned() {
    var driver = crowded()
    driver.run(.seconds(170))
    #expect(driver.claim.isWithoutAddress)
    driver.run(.seconds(30))
    #expect(driver.claim.address != nil)
  }

  @Test("An address that becomes free is taken at the next look, within 10 s")
  func retries() {
    var driver = crowded()
    driver.run(.seconds(1))
    driver.hear(Name(rawValue: 8), from: 254)
    driver.run(.seconds(11))
    #expect(driver.claim.address == 7)
  }

  @Test("With all addresses taken, one held by a higher NAME is contested")
  func contests() {
    var driver = Driver()
    driver.claimed()
    for address in UInt8(0)...251 where address != 22 {
      driver.hear(address == 40 ? Self.higher : Name(rawValue: UInt64(address) + 1), from: address)
    }
    driver.hear(Name(rawValue: 1000), from: 22)
    #expect(driver.claim.contestedAddress == 40)
  }

  @Test("A NAME that is not arbitrary-address capable takes no other address")
  func notArbitrary() {
    let name = Name(
      uniqueNumber: 100, manufacturer: 358, function: 170, deviceClass: 35, isArbitraryAddressCapable: false)
    var driver = Driver(name: name)
    driver.claimed()
    driver.hear(Name(rawValue: 1), from: 22)
    #expect(driver.claim.contestedAddress == nil)
    driver.run(.milliseconds(153))
    #expect(driver.claims.map(\.source) == [254])
  }

  @Test("An echo of our claim, once or a hundred times within a second, changes nothing and is not answered")
  func echo() {
    var driver = Driver()
    driver.start()
    driver.run(.milliseconds(300))
    driver.frames = []
    for _ in 0..<100 { driver.hear(Self.ours, from: 22) }
    driver.run(.milliseconds(500))
    driver.hear(Self.ours, from: 22)
    #expect(driver.frames.isEmpty)
    #expect(driver.claim.address == 22)
    #expect(driver.claim.echoes == 101)
  }

  @Test("An echo of the claim at the address before is not taken for a twin")
  func echoAfterMove() {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.lower, from: 22)
    driver.frames = []
    driver.hear(Self.ours, from: 22)
    #expect(driver.frames.isEmpty)
  }

  @Test("Our NAME from our address out of the blue is asked about; without an answer nothing changes")
  func suspectedTwin() {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.ours, from: 22)
    #expect(driver.requests.map(\.destination) == [22])
    #expect(driver.requests.map(\.source) == [254])
    // The inquiry itself, heard back, is not answered by us.
    driver.take(driver.claim.receiveRequest(from: 254, isBroadcast: false, at: driver.now))
    #expect(driver.claims.isEmpty)
    driver.run(.seconds(10))
    #expect(driver.claim.address == 22)
    #expect(driver.claim.name == Self.ours)
    #expect(driver.events.isEmpty)
  }

  @Test("Our NAME each 600 ms, too late to be an answer, is asked about once in 5 s")
  func inquiryDistance() {
    var driver = Driver()
    driver.claimed()
    for _ in 0..<9 {
      driver.hear(Self.ours, from: 50)
      driver.run(.milliseconds(600))
    }
    #expect(driver.requests.count == 1)
    driver.hear(Self.ours, from: 50)
    #expect(driver.requests.count == 2)
    #expect(driver.events.isEmpty)
  }

  @Test("A twin that answers is left the address; we take a new unique number, keep the instances, and say so")
  func provenTwin() {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.ours, from: 22)
    driver.run(.milliseconds(2))
    driver.hear(Self.ours, from: 22)
    let name = driver.claim.name
    #expect(name.uniqueNumber != Self.ours.uniqueNumber)
    var restored = name
    restored.uniqueNumber = Self.ours.uniqueNumber
    #expect(restored == Self.ours)
    #expect(driver.events == [.twinName(Self.ours, newUniqueNumber: name.uniqueNumber)])
    #expect(driver.claim.contestedAddress == 23)
    driver.run(.seconds(1))
    #expect(driver.claim.address == 23)
  }

  @Test("A twin at another address leaves us our address; only the unique number changes")
  func twinElsewhere() {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.ours, from: 50)
    driver.hear(Self.ours, from: 50)
    #expect(driver.claim.name != Self.ours)
    #expect(driver.claim.address == 22)
    #expect(driver.claims.map(\.name) == [driver.claim.name.rawValue])
  }

  @Test("A twin found at the start, before we claimed, is avoided without a contest")
  func twinAtStart() {
    var driver = Driver()
    driver.start()
    driver.hear(Self.ours, from: 22)
    driver.run(.seconds(1))
    #expect(driver.claim.name != Self.ours)
    #expect(driver.claim.address == 23)
  }

  @Test("Our NAME repeated a thousand times from our address causes at most one inquiry in 5 s and one new number")
  func twinStorm() {
    var driver = Driver()
    driver.claimed()
    for _ in 0..<1000 {
      driver.hear(Self.ours, from: 22)
      driver.run(.milliseconds(1))
    }
    #expect(driver.frames.count == 2)
    #expect(
      driver.events == [.twinName(Self.ours, newUniqueNumber: driver.claim.name.uniqueNumber), .addressClaimed(23)])
  }

  @Test("A commanded address is claimed at once and held after 250 ms")
  func commanded() {
    var driver = Driver()
    driver.claimed()
    driver.take(driver.claim.receiveCommand(Self.ours, address: 66, at: driver.now))
    #expect(driver.claims.map(\.source) == [66])
    #expect(driver.events == [.addressCommanded(66)])
    driver.run(.milliseconds(265))
    #expect(driver.claim.address == 66)
    #expect(driver.claim.preferredAddress == 66)
  }

  @Test("A command for another NAME, or to 252 and above, is ignored; 251 is taken")
  func commandLimits() {
    var driver = Driver()
    driver.claimed()
    driver.take(driver.claim.receiveCommand(Self.higher, address: 66, at: driver.now))
    for address in UInt8(252)...255 {
      driver.take(driver.claim.receiveCommand(Self.ours, address: address, at: driver.now))
    }
    #expect(driver.frames.isEmpty)
    driver.take(driver.claim.receiveCommand(Self.ours, address: 251, at: driver.now))
    #expect(driver.claim.contestedAddress == 251)
  }

  @Test("A commanded address that a lower NAME defends is lost like any other")
  func commandedContested() {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.lower, from: 66)
    driver.take(driver.claim.receiveCommand(Self.ours, address: 66, at: driver.now))
    driver.hear(Self.lower, from: 66)
    driver.run(.milliseconds(50 + 265))
    #expect(driver.leastDistance == .milliseconds(50))
    #expect(driver.claim.address == 67)
  }

  @Test("The claim is repeated each 60 s when asked for, and never by default")
  func repetition() {
    var driver = Driver(interval: .seconds(60))
    driver.claimed()
    driver.run(.seconds(181))
    #expect(driver.claims.count == 3)
    var quiet = Driver()
    quiet.claimed()
    quiet.run(.seconds(600))
    #expect(quiet.frames.isEmpty)
  }

  @Test("After the interface came back, the same address is claimed, not the configured one")
  func restart() {
    var driver = Driver()
    driver.claimed()
    driver.hear(Self.lower, from: 22)
    driver.run(.seconds(1))
    driver.claim.stop()
    #expect(driver.claim.address == nil)
    driver.run(.seconds(60))
    driver.frames = []
    driver.start()
    driver.run(.milliseconds(600))
    #expect(driver.claims.map(\.source) == [23])
    #expect(driver.claim.address == 23)
  }

  @Test("A changed instance is claimed at once, and the echo of the old NAME does no harm")
  func rename() {
    var driver = Driver()
    driver.claimed()
    var name = Self.ours
    name.deviceInstance = 3
    driver.take(driver.claim.rename(name, at: driver.now))
    #expect(driver.claims.map(\.name) == [name.rawValue])
    #expect(driver.claim.address == 22)
    driver.hear(Self.ours, from: 22)
    #expect(driver.claim.address == 22)
    #expect(driver.claims.count == 1)
  }

  @Test("Of three changes of the NAME within 50 ms the first is claimed at once and the last 50 ms later")
  func renameTwice() {
    var driver = Driver()
    driver.claimed()
    var name = Self.ours
    for instance: UInt8 in [5, 4, 3] {
      name.deviceInstance = instance
      driver.take(driver.claim.rename(name, at: driver.now))
    }
    var first = name
    first.deviceInstance = 5
    // Only the first is on the wire: its echo is ours, and no contest.
    driver.hear(first, from: 22)
    driver.run(.milliseconds(100))
    driver.hear(first, from: 22)
    #expect(driver.claims.map(\.name) == [first.rawValue, name.rawValue])
    #expect(driver.leastDistance == .milliseconds(50))
    #expect(driver.claim.address == 22)
    #expect(driver.claim.contestsWon == 0)
    #expect(driver.claim.contestsLost == 0)
  }

  @Test("A stored address outside the range is the first choice; after its loss the range holds")
  func preferredOutsideRange() {
    var driver = Driver(preferred: 66, addresses: 100...110)
    driver.claimed()
    #expect(driver.claim.address == 66)
    driver.hear(Self.lower, from: 66)
    #expect(driver.claim.contestedAddress == 100)
  }

  @Test("A frame of a PGN we never send, from our address, is answered by our claim, once in 5 s")
  func intrusion() {
    var driver = Driver()
    driver.claimed()
    for _ in 0..<4999 {
      driver.take(driver.claim.receiveIntrusion(129029, at: driver.now))
      driver.run(.milliseconds(1))
    }
    #expect(driver.claims.count == 1)
    driver.run(.milliseconds(2))
    driver.take(driver.claim.receiveIntrusion(129029, at: driver.now))
    #expect(driver.claims.count == 2)
    #expect(driver.events.count == 2)
  }
}
