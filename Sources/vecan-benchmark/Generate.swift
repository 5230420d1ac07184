import ArgumentParser
import CANBus
import Glibc

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Writes a capture of made-up traffic.")

  @Option(help: "How many frames, about.")
  var frames = 1_200_000

  @Option(help: "The same seed gives the same capture.")
  var seed: UInt64 = 1

  @Option(help: "The file to write.", completion: .file())
  var output: String

  func run() throws {
    guard let file = fopen(output, "w") else { throw ValidationError("\(output): \(String(cString: strerror(errno)))") }
    var text: [UInt8] = []
    var time: Int64 = 1_700_000_000_000_000
    for frame in Traffic(frameCount: frames, seed: seed).frames {
      // A full bus at 250 kbit/s carries about 1850 frames of 8 bytes a second.
      time += 541
      CandumpText.appendLogLine(.data(frame), microseconds: time, interface: "can0", to: &text)
      if text.count > 1 << 20 {
        fwrite(text, 1, text.count, file)
        text.removeAll(keepingCapacity: true)
      }
    }
    fwrite(text, 1, text.count, file)
    guard fclose(file) == 0 else { throw ValidationError("\(output): \(String(cString: strerror(errno)))") }
  }
}
