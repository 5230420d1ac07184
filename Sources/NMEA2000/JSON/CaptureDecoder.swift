public import CANBus
import MonotonicTime

/// Turns the text of a capture into lines of messages: candump lines in, canboat's JSON or readable text out.
///
/// No I/O here: bytes come in pieces of any size, and text collects in ``text`` for the caller to take. A line that can't
/// be read is counted and never ends the work.
public struct CaptureDecoder: ~Copyable {
  /// What was not a message.
  public struct Report: Sendable {
    /// Lines so far.
    public var lines = 0
    /// Frames of any kind.
    public var frames = 0
    /// Messages written.
    public var messages = 0
    /// Lines that are no lines of a capture.
    public var brokenLines = 0
    /// The first of them: its number, from 1, and what is wrong with it.
    public var firstFault: (line: Int, fault: CandumpFault)?
    /// Frames with 11-bit identifiers, which are not NMEA 2000.
    public var standardFrames = 0
    /// Remote frames, which carry nothing.
    public var remoteFrames = 0
    /// Reports of the recording controller, which were never on the bus.
    public var errorFrames = 0
    /// CAN FD frames, which this bus does not have.
    public var flexibleDataRateFrames = 0
    /// Frames of the transport protocol (60416, 60160) that belong to no message.
    public var strayTransportFrames = 0
  }

  /// Lines longer than this are broken: the longest that candump writes has some 140 characters.
  static let lineLimit = 4096

  /// The text that was written since it was last emptied.
  public var text: TextBuffer
  /// What was not a message.
  public private(set) var report = Report()
  /// What happened to fast packets.
  public var fastPackets: FastPacketAssembler.Statistics { assembler.statistics }
  /// Messages of the transport protocol that were begun and never became whole.
  public var incompleteTransfers: Int { transfers.incomplete }

  private let writer: MessageWriter
  private let isFastPacket: [Bool]
  private var assembler = FastPacketAssembler()
  private var transfers = TransportListener()
  private var clock = WallClockText()
  /// The beginning of a line whose end has not come yet.
  private var pending: [UInt8] = []
  /// Whether the rest of a line that is too long is being skipped.
  private var isSkipping = false

  /// A decoder that writes this form.
  public init(_ style: MessageStyle) {
    writer = MessageWriter(style)
    text = TextBuffer(capacity: 1 << 20)
    var table = [Bool](repeating: false, count: 1 << 18)
    for number in Set(PGNNames.fastPackets.keys).union(Catalogue.definitions.keys.map(\.rawValue)) {
      table[Int(number)] = PGNNames.framing(of: PGN(number)) == .fastPacket
    }
    for number in 0x1FF00...0x1FFFF { table[number] = PGNNames.framing(of: PGN(UInt32(number))) == .fastPacket }
    isFastPacket = table
  }

  /// Takes the next bytes of the capture, up to and including as many line ends as there are.
  ///
  /// - Parameter whenFull: Called when ``text`` has grown beyond a megabyte, to take it away.
  public mutating func decode<Failure>(
    _ bytes: Span<UInt8>, whenFull: (inout TextBuffer) throws(Failure) -> Void
  ) throws(Failure) {
    var start = 0
    while let end = Self.lineEnd(bytes, from: start) {
      if isSkipping {
        isSkipping = false
      } else if pending.isEmpty {
        decode(line: bytes.extracting(start..<end))
      } else {
        for index in start..<end { pending.append(bytes[index]) }
        finishPending()
      }
      start = end &+ 1
      if text.count > 1 << 20 { try whenFull(&text) }
    }
    guard !isSkipping else { return }
    for index in start..<bytes.count { pending.append(bytes[index]) }
    if pending.count > Self.lineLimit {
      report.lines += 1
      note(CandumpFault(.endOfLine, column: Self.lineLimit + 1))
      pending.removeAll(keepingCapacity: true)
      isSkipping = true
    }
  }

  /// Takes the last line when it has no line end. What is under way stays incomplete.
  public mutating func finish() {
    if !pending.isEmpty { finishPending() }
    dropUnderWay()
  }

  private mutating func finishPending() {
    let line = pending
    pending.removeAll(keepingCapacity: true)
    decode(line: line.span)
  }

  /// The next line feed; eight bytes are looked at together.
  @inline(__always)
  private static func lineEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
    var index = start
    let ones: UInt64 = 0x0101_0101_0101_0101
    let raw = bytes.bytes
    while index &+ 8 <= bytes.count {
      let word = UInt64(littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ (ones &* 0x0A)
      let zeros = (word &- ones) & ~word & (ones &* 0x80)
      if zeros != 0 { return index &+ zeros.trailingZeroBitCount / 8 }
      index &+= 8
    }
    while index < bytes.count {
      if bytes[index] == 0x0A { return index }
      index &+= 1
    }
    return nil
  }

  private mutating func note(_ fault: CandumpFault) {
    report.brokenLines += 1
    if report.firstFault == nil { report.firstFault = (report.lines, fault) }
  }

  private mutating func dropUnderWay() {
    assembler.removeAll()
    transfers.removeAll()
  }

  private mutating func decode(line: Span<UInt8>) {
    report.lines &+= 1
    switch CandumpLine(line) {
    case .frame(let record):
      report.frames &+= 1
      switch record.frame {
      case .data(let frame): decode(frame, record.microseconds)
      case .remote: report.remoteFrames += 1
      case .error: report.errorFrames += 1
      }
    case .comment: dropUnderWay()
    case .empty: break
    case .canFD:
      report.frames += 1
      report.flexibleDataRateFrames += 1
    case .broken(let fault): note(fault)
    }
  }

  @inline(__always)
  private mutating func decode(_ frame: CANDataFrame, _ microseconds: Int64?) {
    guard let header = MessageIdentifier(frame.identifier) else {
      report.standardFrames &+= 1
      return
    }
    guard isFastPacket[Int(header.pgn.rawValue)] else {
      if header.pgn == NetworkPGN.transportControl || header.pgn == NetworkPGN.transportData {
        decodeTransport(frame, header, microseconds)
        return
      }
      var bits = frame.payload.bits.littleEndian
      withUnsafeBytes(of: &bits) { buffer in
        let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<frame.payload.count]))
        writer.write(span, header, microseconds: microseconds, clock: &clock, to: &text)
      }
      report.messages &+= 1
      return
    }
    let instant = Self.instant(microseconds)
    let isComplete: Void? = assembler.receive(frame, at: instant) { payload in
      writer.write(payload, header, microseconds: microseconds, clock: &clock, to: &text)
    }
    if isComplete != nil { report.messages &+= 1 }
  }

  /// Frames of the transport protocol are shown as the message that they carry, at the time of its announcement, as
  /// canboat does it.
  private mutating func decodeTransport(
    _ frame: CANDataFrame, _ header: MessageIdentifier, _ microseconds: Int64?
  ) {
    let instant = Self.instant(microseconds)
    guard header.pgn == NetworkPGN.transportData else {
      let isUnderstood = transfers.receiveControl(
        frame.payload, from: header.source, to: header.destination, at: instant)
      if !isUnderstood { report.strayTransportFrames &+= 1 }
      return
    }
    let packet = transfers.receiveData(frame.payload, from: header.source, to: header.destination, at: instant) {
      pgn, payload, announced in
      var message = header
      message.pgn = pgn
      writer.write(
        payload, message, microseconds: microseconds.map { _ in announced.nanoseconds / 1000 }, clock: &clock, to: &text
      )
    }
    switch packet {
    case .last: report.messages &+= 1
    case .part: break
    case .stray: report.strayTransportFrames &+= 1
    }
  }

  /// Microseconds of the log as the monotonic time of the messages: a log has no other clock.
  @inline(__always)
  private static func instant(_ microseconds: Int64?) -> Instant {
    Instant(nanoseconds: (microseconds ?? 0).multipliedReportingOverflow(by: 1000).partialValue)
  }
}
