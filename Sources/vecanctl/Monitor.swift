import ArgumentParser
import CANBus
import MonotonicTime
import NMEA2000

struct Monitor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows live what is said on a bus.",
    discussion: """
      One line a complete message: wall time (UTC), the sender's address and name, PGN, name, and values with their \
      units. A line with 36>42 goes from address 36 to 42 only. Victron's registers and the 11-bit battery frames 0x305, \
      0x351, 0x355, 0x356, 0x35A, 0x35E, 0x35F, 0x370 to 0x379 and 0x380 to 0x382 are shown by name; what is not known, as \
      bytes. Error frames and changes of the link have lines of their own. Nothing is ever sent: a device has a name here once it has told it of \
      itself or "vecanctl devices" has asked.

      With --json each line is an object. NMEA 2000 messages have the form of canboat's analyzer -json -nv -si, as in \
      "decode". Other frames have "id" instead of "pgn", and error frames and changes of the link have "event".

      Example: vecanctl monitor --interface can0 --pgn 127508 127506
      Example: vecanctl monitor --json | jq -c 'select(.pgn == 127508) | .fields'

      Ends with Ctrl-C, with the reader of its output, or as told by --count and --duration. Exit code 0; 1 when the \
      interface cannot be used; 64 for wrong arguments.
      """)

  @OptionGroup var bus: InterfaceOption

  @Flag(help: "Print one JSON object a line.")
  var json = false

  @Option(
    name: .long, parsing: .upToNextOption,
    help: ArgumentHelp("Show these PGNs only, decimal or 0x hexadecimal.", valueName: "number"),
    transform: Monitor.pgn(_:))
  var pgn: [PGN] = []

  @Option(
    name: .long, parsing: .upToNextOption,
    help: ArgumentHelp("Show senders at these addresses only, 0 to 254.", valueName: "address"))
  var source: [UInt8] = []

  @Option(help: "End after so many lines of messages.")
  var count: Int?

  @Option(help: ArgumentHelp("End after so long a time.", valueName: "seconds"))
  var duration: Double?

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count is at least 1.") }
    if let duration, !(duration > 0) { throw ValidationError("--duration is more than 0 seconds.") }
    if source.contains(255) { throw ValidationError("255 is the address of all, no sender has it.") }
  }

  static func pgn(_ text: String) throws -> PGN {
    let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
    guard let number = isHexadecimal ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text), number <= 0x3FFFF else {
      throw ValidationError("\"\(text)\" is no PGN: 0 to 262143.")
    }
    return PGN(number)
  }

  func run() throws {
    var bus = try LiveBus(bus.interface)
    let filter = MonitorFilter(pgns: Set(pgn), sources: Set(source))
    var lines = MonitorLines(json ? .json : .text, filter: filter, limit: count ?? .max)
    let end = duration.map { bus.port.now + TimeSpan(seconds: $0) } ?? Instant(nanoseconds: .max)
    let output = OutputFile.standardOutput
    var isFirstEvent = true
    do throws(FileError) {
      while !lines.isComplete, bus.port.now < end, let turn = bus.next(until: end) {
        for event in turn.events {
          // That the link is up when the work begins is what everybody expects.
          if !isFirstEvent || event.state != .up {
            lines.note(event, microseconds: turn.microseconds(of: event.instant))
          }
          isFirstEvent = false
        }
        for frame in turn.frames {
          lines.receive(frame.frame, at: frame.instant, microseconds: turn.microseconds(of: frame.instant))
        }
        if lines.writer.text.count > 0 { try output.take(&lines.writer.text) }
      }
    } catch .readerIsGone {
      return
    } catch {
      throw Failure(error.description)
    }
    bus.finish()
    Self.explain(lines.listener, malformed: lines.malformed)
  }

  private static func explain(_ listener: BusListener, malformed: Int) {
    let lost = listener.fastPackets.incomplete + listener.fastPackets.evicted + listener.incompleteTransports
    if lost > 0 { complain("\(lost) messages stayed incomplete: a frame of theirs is missing") }
    if malformed > 0 { complain("\(malformed) frames made no sense") }
  }
}
