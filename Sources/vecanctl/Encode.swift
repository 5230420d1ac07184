import ArgumentParser
import CANBus
import NMEA2000

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns messages into frames.",
    discussion: """
      Reads JSON lines as decode --json prints them and prints the lines of candump -L that carry them. Fields that are \
      absent are sent as not available. A lookup can be given as {"value":1}, as 1, or by its name. Of lines that can't be \
      read the first ten are told on standard error and the others counted; then the exit code is 1.

      Example: echo '{"pgn":127508,"src":1,"fields":{"Voltage":13}}' | vecanctl encode
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
    if work.brokenLines > Self.told { complain("\(work.brokenLines - Self.told) more lines not understood") }
    guard work.brokenLines == 0 else { throw ExitCode.failure }
  }

  /// So many lines that can't be read are told one by one, and the others counted.
  static let told = 10

  /// Lines in, frames out.
  struct Work {
    /// Longer lines are broken: the longest that decode prints, of a fast packet full of PGNs, has some 10,000.
    static let lineLimit = 1 << 16

    let interface: String
    private(set) var brokenLines = 0
    /// What is wrong with the lines since it was last emptied; the first of all lines only.
    private(set) var faults: [String] = []
    /// The lines since it was last emptied.
    private(set) var text: [UInt8] = []
    private let reader = MessageReader()
    private var frames = MessageFrames()
    private var line: [UInt8] = []
    private var number = 1
    /// Whether the rest of a line that is too long is being skipped.
    private var isSkipping = false

    init(interface: String) { self.interface = interface }

    mutating func take(_ bytes: Span<UInt8>) {
      for index in 0..<bytes.count {
        if bytes[index] == 0x0A {
          finish()
          number += 1
          isSkipping = false
        } else if !isSkipping {
          line.append(bytes[index])
          guard line.count > Self.lineLimit else { continue }
          note("longer than \(Self.lineLimit) bytes")
          line.removeAll(keepingCapacity: true)
          isSkipping = true
        }
      }
    }

    /// Reads the line that is under way.
    mutating func finish() {
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
        note("\(error)")
      }
    }

    private mutating func note(_ fault: String) {
      brokenLines += 1
      if brokenLines <= Encode.told { faults.append("line \(number): \(fault)") }
    }

    mutating func write() throws(FileError) {
      for fault in faults { complain(fault) }
      faults.removeAll()
      try OutputFile.standardOutput.write(text)
      text.removeAll(keepingCapacity: true)
    }
  }
}
