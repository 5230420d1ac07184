import CANBus
import Foundation
import Testing

/// Real captures beside the repository (`../shared/golden`), where they are present.
@Suite struct GoldenLogTests {
  @Test func everyLineOfTheRealCapturesIsReadAndWrittenBackTheSame() throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../shared/golden/real-frames.log").standardizedFileURL
    guard let data = try? Data(contentsOf: url) else {
      print("not run: there is no \(url.path()) to compare with")
      return
    }
    var frames = 0
    var comments = 0
    for line in data.split(separator: 0x0A) {
      let bytes = Array(line)
      switch CandumpLine(bytes.span) {
      case .comment:
        comments += 1
      case .frame(let record):
        frames += 1
        var text: [UInt8] = []
        let interface = String(decoding: bytes[record.interface], as: UTF8.self)
        CandumpText.appendLogLine(
          record.frame, microseconds: try #require(record.microseconds), interface: interface, to: &text)
        #expect(text.dropLast() == bytes[...])
      case let other:
        Issue.record("\(String(decoding: bytes, as: UTF8.self)): \(other)")
      }
    }
    #expect(frames > 0)
    #expect(comments > 0)
  }
}
