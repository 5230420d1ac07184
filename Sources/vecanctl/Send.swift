import ArgumentParser
import CANBus
import MonotonicTime
import SocketCAN

struct Send: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sends frames.",
    discussion: """
      A frame is given as to cansend: an identifier of 3 (11-bit) or 8 (29-bit) hexadecimal digits, #, and up to 8 bytes; \
      R with a length from 0 to 8 makes a remote frame. Quote it, for # begins a comment in many shells. With - instead, \
      lines of candump -L are read from standard input; their interface names are ignored, lines that begin with # and \
      error frames are passed over.

      The frames leave as they are: nothing is checked against the state of a running device on the same address, and \
      nothing claims an address for them. CAN FD frames are refused, for a VE.Can / NMEA 2000 bus is classic CAN.

      Example: vecanctl send --interface can0 '19F21400#00150116F001FF01'
      Example: vecanctl send --interface can0 '351#8E00D00770176800' '123#R8'
      Example: candump -L can0 | vecanctl send --interface vcan0 -
      Example: vecanctl send --interface vcan0 --timing - < capture.log

      How many frames were sent is said on standard error. Exit code 0 when all were handed to the interface; 1 when it \
      refused one or a line could not be read, with the reason; 64 for wrong arguments.
      """)

  @OptionGroup var bus: InterfaceOption

  @Flag(help: "Keep the distances in time between the lines of the log.")
  var timing = false

  @Argument(help: "Frames as for cansend, or - for lines of candump -L on standard input.")
  var frames: [String]

  func validate() throws {
    if frames == ["-"] { return }
    if timing { throw ValidationError("--timing needs lines with a time: use it with -.") }
    for text in frames { _ = try Self.frame(text) }
  }

  /// A frame in the form of cansend.
  static func frame(_ text: String) throws -> CANFrame {
    guard text != "-" else { throw ValidationError("- stands alone: frames come from standard input or from here.") }
    switch CandumpLine(cansend: text) {
    case .frame(let record):
      guard record.frame.identifier != nil else {
        throw ValidationError("\"\(text)\" is an error frame: those are reports of a controller and cannot be sent.")
      }
      return record.frame
    case .canFD: throw ValidationError("\"\(text)\" is a CAN FD frame: this bus is classic CAN.")
    case .broken(let fault): throw ValidationError("\"\(text)\" is no frame: \(fault)")
    case .comment, .empty: throw ValidationError("\"\(text)\" is no frame.")
    }
  }

  func run() throws {
    var sender = FrameSender(try LiveBus(bus.interface, isListening: false))
    defer { sender.report() }
    if frames == ["-"] {
      try sendLog(&sender)
    } else {
      for text in frames where try !sender.send(try Self.frame(text)) { return }
    }
  }

  private func sendLog(_ sender: inout FrameSender) throws {
    var reader = LineReader()
    var pace = LogPace()
    while let line = try reader.next(stop: sender.bus.stopDescriptor) {
      guard let record = try Self.record(line, number: reader.lines) else { continue }
      if timing, let microseconds = record.microseconds {
        guard sender.bus.pause(until: pace.instant(of: microseconds, now: sender.bus.port.now)) else { return }
      }
      guard try sender.send(record.frame) else { return }
    }
  }

  /// The frame of a line; nil for a line with nothing to send.
  static func record(_ line: [UInt8], number: Int) throws -> CandumpRecord? {
    switch CandumpLine(line.span) {
    case .frame(let record): return record.frame.identifier == nil ? nil : record
    case .comment, .empty: return nil
    case .canFD: throw Failure("line \(number) is a CAN FD frame: this bus is classic CAN")
    case .broken(let fault): throw Failure("line \(number) is no line of candump: \(fault)")
    }
  }
}

/// Sends frame by frame and counts.
struct FrameSender {
  /// The longest that the interface may refuse for want of room: a bus that carries anything at all has taken the ten
  /// frames of the kernel's queue after a few milliseconds.
  static let patience = TimeSpan.seconds(1)

  var bus: LiveBus
  private(set) var sent = 0

  init(_ bus: LiveBus) { self.bus = bus }

  /// Hands a frame to the interface, and waits while its queue is full. False when the command is to end.
  mutating func send(_ frame: CANFrame) throws -> Bool {
    let deadline = bus.port.now + Self.patience
    var retry = TimeSpan.milliseconds(1)
    while true {
      switch bus.port.send([frame]).refusal {
      case nil:
        sent += 1
        return true
      case .linkDown:
        throw Failure(bus.port.link.words(bus.port.interface))
      case .full:
        guard bus.port.now < deadline else {
          throw Failure(
            "\(bus.port.interface): the transmit queue stays full: nobody acknowledges on this bus, or it is overloaded "
              + "(ip -details link show \(bus.port.interface))")
        }
        guard bus.pause(until: bus.port.now + retry) else { return false }
        retry = min(retry + retry, .milliseconds(20))
      }
    }
  }

  /// Says how many were sent.
  func report() {
    complain("\(sent) \(sent == 1 ? "frame" : "frames") sent on \(bus.port.interface)")
  }
}

/// When the lines of a log are due, if the first is due at once.
struct LogPace {
  private var origin: (log: Int64, instant: Instant)?
  private var last = Int64.min

  /// When a line of this time is due. A log that steps back begins anew from now: it is two logs in one.
  mutating func instant(of microseconds: Int64, now: Instant) -> Instant {
    defer { last = microseconds }
    guard let origin, microseconds >= last else {
      self.origin = (microseconds, now)
      return now
    }
    return origin.instant + .microseconds(microseconds.subtractingReportingOverflow(origin.log).partialValue)
  }
}
