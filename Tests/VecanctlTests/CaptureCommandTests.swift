import ArgumentParser
import Glibc
import Testing

@testable import vecanctl

@Suite("decode and encode")
struct CaptureCommandTests {
  private static func decode(_ text: String) throws {
    let path = "/tmp/vecanctl-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).log"
    defer { unlink(path) }
    try OutputFile(creating: path).write(text)
    try Decode.parse([path]).run()
  }

  @Test("what has not one frame is refused; what is empty, or has some, is not")
  func noFrames() {
    for text in ["hello\n", "{}", "\n\nx\n", String(repeating: "x", count: 100_000)] {
      #expect {
        try Self.decode(text)
      } throws: {
        "\($0)".contains("not one frame in it; lines of candump -L")
      }
    }
    for text in ["", "\n", "# nothing\n", "hello\n(1.0) can0 123#00\n", "(1.0) can0 123##0\n"] {
      #expect(throws: Never.self) { try Self.decode(text) }
    }
  }

  private static func encode(_ lines: [String]) -> Encode.Work {
    var work = Encode.Work(interface: "can0")
    let bytes = Array(lines.joined(separator: "\n").utf8)
    work.take(bytes.span)
    work.finish()
    return work
  }

  @Test("of many lines that can't be read ten are told, with their numbers, and all are counted")
  func brokenLines() {
    let work = Self.encode((1...30).map { $0 == 2 ? #"{"pgn":127508,"src":22}"# : "x" })
    #expect(work.brokenLines == 29)
    #expect(work.faults.count == 10)
    #expect(work.faults[0].hasPrefix("line 1: column 1: expected "))
    #expect(work.faults[1].hasPrefix("line 3: "))
    #expect(String(decoding: work.text, as: UTF8.self) == "(0000000000.000000) can0 19F21416#FFFF7FFF7FFFFFFF\n")
  }

  @Test("an endless line is one that can't be read, and the next one is read")
  func endless() {
    let long = String(repeating: " ", count: Encode.Work.lineLimit + 100_000) + "x"
    let work = Self.encode(["", long, #"{"pgn":127508,"src":22}"#, "x"])
    #expect(work.faults == ["line 2: longer than 65536 bytes", "line 4: column 1: expected a value"])
    #expect(!work.text.isEmpty)
  }
}
