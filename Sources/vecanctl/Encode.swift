import ArgumentParser
import CANBus
import NMEA2000

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns messages into frames.",
    discussion: """
      Reads JSON lines as decode --json prints them and prints the lines of candump -L that carry them. Fields that are \
      absent are sent as not available. A lookup can be given as {"value":1}, as 1, or by its name.

      Example: echo '{"pgn":127508,"src":22,"fields":{"Instance":0,"Voltage":13.2}}' | vecanctl encode
      """)

  @Argument(help: "The JSON lines; - for standard input.", completion: .file())
  var file = "-"

  @Option(help: "The interface that the lines name.")
  var interface = "can0"

  func validate() throws {
    guard (1...15).contains(interface.utf8.count), !interface.contains(where: \.isWhitespace) else {
      throw ValidationError("An interface has a name of 1 to 15 characters without blanks.")
    }
  }

  func run() throws {
    let input = try InputFile(file)
    var work = Work(interface: interface)
    do throws(FileError) {
      try input.read { bytes throws(FileError) in
        work.take(bytes)
        try work.write()
      }
      work.finish()
      try work.write()
    } catch .readerIsGone {
      return
    } catch {
      throw Failure(error.description)
    }
    guard work.brokenLines == 0 else { throw ExitCode.failure }
  }

  /// Lines in, frames out.
  private struct Work {
    let interface: String
    private(set) var brokenLines = 0
    private let reader = MessageReader()
    private var frames = MessageFrames()
    private var line: [UInt8] = []
    private var number = 0
    private var text: [UInt8] = []

    init(interface: String) { self.interface = interface }

    mutating func take(_ bytes: Span<UInt8>) {
      for index in 0..<bytes.count {
        if bytes[index] == 0x0A {
          finish()
        } else {
          line.append(bytes[index])
        }
      }
    }

    mutating func finish() {
      number += 1
      defer { line.removeAll(keepingCapacity: true) }
      guard line.contains(where: { $0 > 0x20 }) else { return }
      // canboat's analyzer opens with a line about itself.
      if line.starts(with: Array("{\"version\":".utf8)) { return }
      do {
        let message = try reader.message(try JSONValue(parsing: line.span))
        for frame in frames.frames(message) {
          CandumpText.appendLogLine(
            .data(frame), microseconds: message.microseconds ?? 0, interface: interface, to: &text)
        }
      } catch {
        brokenLines += 1
        complain("line \(number): \(error)")
      }
    }

    mutating func write() throws(FileError) {
      try OutputFile.standardOutput.write(text)
      text.removeAll(keepingCapacity: true)
    }
  }
}
