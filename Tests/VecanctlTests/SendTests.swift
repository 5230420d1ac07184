import ArgumentParser
import CANBus
import MonotonicTime
import Testing

@testable import vecanctl

@Suite("vecanctl send: what is sent and what is refused")
struct SendTests {
  @Test("frames in the form of cansend", arguments: ["19F21400#00150116F001FF01", "351#8E00", "351#", "123#R4"])
  func frames(text: String) throws {
    #expect(CandumpText.compact(try Send.frame(text)) == text)
  }

  @Test(
    "CAN FD, error frames and what is no frame are wrong arguments, exit code 64",
    arguments: ["123##0112233", "20000004#00", "12#00", "123#0", "123#001122334455667788", "FFF#00", "", "#", "hello"])
  func refused(text: String) {
    #expect(throws: ValidationError.self) { try Send.frame(text) }
    #expect(throws: (any Error).self) { try Send.parse(["--interface", "vcan0", text]) }
  }

  @Test("- stands alone, and --timing needs it")
  func log() throws {
    #expect(throws: (any Error).self) { try Send.parse(["-", "123#00"]) }
    #expect(throws: (any Error).self) { try Send.parse(["--timing", "123#00"]) }
    #expect(throws: (any Error).self) { try Send.parse([]) }
    #expect(try Send.parse(["--timing", "-"]).timing)
  }

  @Test(
    "lines of a log: comments and error frames are passed over, broken lines and CAN FD end the work with their number")
  func lines() throws {
    let record = { (text: String) in try Send.record(Array(text.utf8), number: 7) }
    #expect(try record("(1587256555.571000) can0 351#8E00")?.frame.identifier == .standard(0x351))
    #expect(try record("# another capture") == nil)
    #expect(try record("") == nil)
    #expect(try record("(1587256555.571000) can0 20000004#0004000000000000") == nil)
    #expect { try record("(1587256555.571000) can0 351##08E00") } throws: {
      "\($0)".contains("line 7 is a CAN FD frame")
    }
    #expect { try record("(1587256555.571000) can0 351#8E0") } throws: { "\($0)".contains("line 7 is no line") }
  }

  @Test("a log keeps its distances from its first line; one that steps back begins anew")
  func pace() {
    var pace = LogPace()
    let now = Instant.origin + .seconds(5)
    #expect(pace.instant(of: 1_000_000, now: now) == now)
    #expect(pace.instant(of: 1_250_000, now: now + .milliseconds(3)) == now + .milliseconds(250))
    #expect(pace.instant(of: 3_000_000, now: now + .milliseconds(260)) == now + .seconds(2))
    #expect(pace.instant(of: 500_000, now: now + .seconds(2)) == now + .seconds(2))
    #expect(pace.instant(of: 600_000, now: now + .seconds(2)) == now + .seconds(2) + .milliseconds(100))
  }
}

@Suite("vecanctl: arguments of monitor and devices")
struct LiveArgumentsTests {
  @Test("PGNs are decimal or hexadecimal, up to 0x3FFFF")
  func pgns() throws {
    #expect(try Monitor.parse(["--pgn", "127508", "0x1F212", "--source", "36", "37"]).pgn == [127508, 127506])
    #expect(throws: (any Error).self) { try Monitor.parse(["--pgn", "262144"]) }
    #expect(throws: (any Error).self) { try Monitor.parse(["--pgn", "battery"]) }
  }

  @Test("addresses, counts and times out of range are wrong arguments")
  func ranges() {
    for arguments in [
      ["--source", "255"], ["--source", "256"], ["--count", "0"], ["--duration", "0"], ["--duration", "nan"],
    ] {
      #expect(throws: (any Error).self, "\(arguments)") { try Monitor.parse(arguments) }
    }
    #expect(throws: (any Error).self) { try Devices.parse(["--listen", "-1"]) }
  }
}
