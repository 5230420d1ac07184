import ArgumentParser
import NMEA2000

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns captured frames into messages.",
    discussion: """
      Reads lines of candump -L, or of candump on a terminal, and prints one message a line. A line that begins with # \
      starts another capture: what was incomplete before it is dropped. Lines that can't be read are counted on standard \
      error and never end the work. A time of candump -t A is that of the recorder's zone, and is shown as it stands.

      Example: candump -L can0 | vecanctl decode --json | jq 'select(.pgn == 127508)'

      Exit code 1 when what was read is not one line of a capture.
      """)

  @Argument(help: "The capture; - for standard input.", completion: .file())
  var file = "-"

  @Flag(help: "Print one JSON object a line, in the form of canboat's analyzer -json -nv -si.")
  var json = false

  func run() throws {
    let input = try InputFile(file)
    let output = OutputFile.standardOutput
    var decoder = CaptureDecoder(json ? .json : .text)
    do throws(FileError) {
      try input.read { bytes throws(FileError) in
        try decoder.decode(bytes) { text throws(FileError) in try output.take(&text) }
        // On a pipe from a live bus nobody wants to wait for a full buffer.
        if input.isLive { try output.take(&decoder.text) }
      }
      decoder.finish()
      try output.take(&decoder.text)
    } catch .readerIsGone {
      // `| head` has seen enough.
      return
    } catch {
      throw Failure(error.description)
    }
    Self.explain(decoder.report, decoder.fastPackets, incompleteTransfers: decoder.incompleteTransfers)
    guard decoder.report.frames > 0 || decoder.report.brokenLines == 0 else {
      let name = file == "-" ? "standard input" : file
      throw Failure("\(name): not one frame in it; lines of candump -L, or of candump on a terminal, are wanted")
    }
  }

  private static func explain(
    _ report: CaptureDecoder.Report, _ packets: FastPacketAssembler.Statistics, incompleteTransfers: Int
  ) {
    if let (line, fault) = report.firstFault {
      complain("\(plural(report.brokenLines, "line")) not understood, first: line \(line): \(fault)")
    }
    let ignored = [
      (report.standardFrames, "with an 11-bit identifier (not NMEA 2000)"), (report.remoteFrames, "remote"),
      (report.errorFrames, "that report an error of the controller"), (report.flexibleDataRateFrames, "of CAN FD"),
      (report.strayTransportFrames, "of the transport protocol without its message"),
    ].filter { $0.0 > 0 }
    for (count, kind) in ignored { complain("\(plural(count, "frame")) \(kind) left out") }
    let lost = packets.incomplete + packets.evicted
    if lost > 0 { complain("\(plural(lost, "fast packet")) incomplete") }
    if incompleteTransfers > 0 { complain("\(plural(incompleteTransfers, "transport protocol message")) incomplete") }
    if packets.refusedLengths > 0 {
      complain("\(plural(packets.refusedLengths, "fast packet")) with an impossible length")
    }
    if packets.shortFrames > 0 { complain("\(plural(packets.shortFrames, "fast packet frame")) too short") }
  }

  private static func plural(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
