import CANBus
import CANBusBMS
import MonotonicTime
import NMEA2000
import Testing

@testable import BMSDevice

@Suite("The configured identity, and what the bus made of it")
struct ConfiguredIdentityTests {
  /// A device with this text in its file, on the bus for a while.
  private static func running(_ text: String, stored: StoredNode = StoredNode()) -> Bench {
    var configuration = Bench.configuration()
    configuration.identity.installationDescription1 = text
    var bench = Bench()
    bench.device = BMSDevice(configuration: configuration, stored: stored, randomSeed: 1, at: bench.now)
    bench.sent = []
    bench.device.join(at: bench.now)
    bench.claim()
    bench.advance(.seconds(12))
    return bench
  }

  private static func name(_ bench: Bench) -> [UInt8] { bench.last(.standard(0x370)) ?? [] }

  /// The texts of the file that are told not to be in force.
  private static func told(_ bench: Bench) -> [String] {
    bench.events.compactMap {
      if case .descriptionNotInForce(let number, let configured, let inForce) = $0 {
        "\(number) \(configured) \(inForce)"
      } else {
        nil
      }
    }
  }

  @Test("a text of the file is not stored as if the bus had set it, and a changed one counts at the next start")
  func fromFile() {
    let first = Self.running("House")
    #expect(first.device.stored == StoredNode(address: 35))
    #expect(Self.name(first) == Array("House".utf8) + [0, 0, 0])
    let second = Self.running("Bow", stored: first.device.stored)
    #expect(second.device.node.installationDescription(1) == "Bow")
    #expect(Self.name(second) == Array("Bow".utf8) + [0, 0, 0, 0, 0])
    #expect(Self.told(second).isEmpty)
  }

  @Test("what the bus set counts before the file, in 126998, 0x010C and 0x370 alike, until it sets an empty one")
  func fromBus() {
    var bench = Self.running("House")
    #expect(!bench.ask([0x66, 0x99, 0x0C, 0x01] + Array("Stern".utf8) + [0]).isEmpty)
    bench.advance(.seconds(11))
    #expect(Self.name(bench) == Array("Stern".utf8) + [0, 0, 0])
    #expect(bench.device.stored.installationDescription1 == "Stern")
    bench = Self.running("House", stored: bench.device.stored)
    #expect(Self.name(bench) == Array("Stern".utf8) + [0, 0, 0])
    #expect(Self.told(bench) == ["1 House Stern"])
    #expect(!bench.ask([0x66, 0x99, 0x0C, 0x01, 0]).isEmpty)
    bench.advance(.seconds(11))
    #expect(Self.name(bench) == Array("House".utf8) + [0, 0, 0])
    #expect(bench.device.stored == StoredNode(address: 35))
    #expect(Self.told(Self.running("", stored: StoredNode(installationDescription1: "Stern"))).isEmpty)
  }

  @Test("a unique number that the file gives after a conflict counts")
  func uniqueNumber() {
    var configuration = Bench.configuration()
    let stored = StoredNode(uniqueNumber: 777, replacedUniqueNumber: 42)
    #expect(
      BMSDevice(configuration: configuration, stored: stored, randomSeed: 1, at: .origin).node.name.uniqueNumber == 777)
    configuration.identity.uniqueNumber = 43
    #expect(
      BMSDevice(configuration: configuration, stored: stored, randomSeed: 1, at: .origin).node.name.uniqueNumber == 43)
  }
}
