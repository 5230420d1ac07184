import CANBus
import NMEA2000
import VECan

/// Writes the lines of ``MonitorLines``: its columns for people, its objects for programs.
struct LineWriter: ~Copyable {
  /// The lines since it was last emptied.
  var text = TextBuffer(capacity: 1 << 16)
  /// How many messages and frames were written, events not counted.
  private(set) var count = 0

  private let style: MessageStyle
  private let writer: MessageWriter
  private var clock = WallClockText()
  /// What a device is called, by address: its model, before that is known its maker.
  private var labels = [String](repeating: "", count: 256)

  init(_ style: MessageStyle) {
    self.style = style
    writer = MessageWriter(style)
  }

  /// From now on the sender at an address is called by its model, or by its maker.
  mutating func call(_ address: UInt8, _ device: DeviceTable.Device?) {
    let maker = device?.name.map { Lookup.manufacturer.name(of: UInt32($0.manufacturer)) ?? "" } ?? ""
    labels[Int(address)] = Plain.safe(device?.product.map(\.model).flatMap { $0.isEmpty ? nil : $0 } ?? maker)
  }

  // MARK: - Lines

  /// Adds a complete message.
  mutating func write(_ payload: RawSpan, _ identifier: MessageIdentifier, _ microseconds: Int64) {
    count += 1
    guard payload.byteCount <= LongPayload.capacity else {
      writeLong(payload, identifier, microseconds)
      return
    }
    guard style == .text else {
      writer.write(payload, identifier, microseconds: microseconds, clock: &clock, to: &text)
      return
    }
    begin(identifier, microseconds)
    if let report = Self.register(payload, identifier.pgn) {
      text.append(" \(identifier.pgn) \(report)\n")
    } else {
      writer.writeContent(payload, of: identifier.pgn, to: &text)
    }
  }

  private static func register(_ payload: RawSpan, _ pgn: PGN) -> RegisterReport? {
    pgn == VictronRegister.definition.pgn || pgn == ProprietaryFastPacket.definition.pgn
      ? RegisterReport(payload) : nil
  }

  /// A frame that may be a whole message or a piece of one: its bytes and no reading of them.
  mutating func write(piece: CANPayload, _ identifier: MessageIdentifier, _ microseconds: Int64) {
    let payload = ShortPayload(littleEndian: UInt128(piece.bits), count: piece.count)
    writeBytes(payload.hexadecimal(from: 0, to: payload.count), identifier, microseconds)
    count += 1
  }

  /// A message of the ISO transport protocol beyond the length of a fast packet: none such is known field by field.
  private mutating func writeLong(_ payload: RawSpan, _ identifier: MessageIdentifier, _ microseconds: Int64) {
    var digits: [String] = []
    for start in stride(from: 0, to: payload.byteCount, by: LongPayload.capacity) {
      let part = LongPayload(payload.extracting(start..<min(payload.byteCount, start + LongPayload.capacity)))
      digits.append(part.hexadecimal(from: 0, to: part.count))
    }
    writeBytes(digits.joined(separator: " "), identifier, microseconds)
  }

  private mutating func writeBytes(_ digits: String, _ identifier: MessageIdentifier, _ microseconds: Int64) {
    let name = PGNNames.name(of: identifier.pgn) ?? PGNNames.rangeName(of: identifier.pgn)
    if style == .text {
      begin(identifier, microseconds)
      text.append(" \(identifier.pgn) \(name): Data: \(digits)\n")
      return
    }
    var object = JSONObject()
    object.add("prio", identifier.priority)
    object.add("src", identifier.source)
    object.add("dst", identifier.destination)
    object.add("pgn", identifier.pgn.rawValue)
    object.add("description", name)
    object.add("fields", json: "{\"Data\":\(JSONObject.quoted(digits))}")
    append(object, microseconds)
  }

  /// Adds a frame that is no NMEA 2000 message, with a remark on what is wrong with it.
  mutating func write(_ frame: CANFrame, _ microseconds: Int64, remark: String? = nil) {
    count += 1
    var reading: BatteryFrameReading?
    if remark == nil, case .data(let data) = frame { reading = BatteryFrameReading(data) }
    let parts = CandumpText.compact(frame).split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    let identifier = String(parts.first ?? "")
    let content = String(parts.last ?? "")

    guard style == .json else {
      begin(frame.identifier?.isExtended == true ? "29-bit" : "11-bit", "", microseconds)
      let words: String
      if case .remote(let remote) = frame {
        words = "remote frame, asks for \(remote.requestedLength) bytes"
      } else {
        words = reading?.text ?? (remark.map { "\(content) (\($0))" } ?? content)
      }
      text.append(" \(identifier) \(words)\n")
      return
    }
    var object = JSONObject()
    object.add("id", identifier)
    var fields = JSONObject()
    if case .remote(let remote) = frame {
      object.add("description", "Remote frame")
      fields.add("Length", remote.requestedLength)
    } else if let reading {
      object.add("description", reading.name)
      for value in reading.values { fields.add(value.name, json: value.json) }
    } else {
      object.add("description", remark.map { "Frame that \($0)" } ?? "Frame")
      fields.add("Data", json: JSONObject.quoted(content))
    }
    object.add("fields", json: fields.text)
    append(object, microseconds)
  }

  /// Adds what happened to the link or the controller.
  mutating func event(_ kind: String, _ words: String, _ microseconds: Int64) {
    guard style == .json else {
      begin(kind, "", microseconds)
      text.append(" \(words)\n")
      return
    }
    var object = JSONObject()
    object.add("event", kind)
    object.add("description", words)
    append(object, microseconds)
  }

  // MARK: - Columns

  private mutating func begin(_ identifier: MessageIdentifier, _ microseconds: Int64) {
    let source = Plain.right(String(identifier.source), 3)
    let isGlobal = identifier.destination == BusAddress.global
    begin(isGlobal ? source : "\(source)>\(identifier.destination)", labels[Int(identifier.source)], microseconds)
  }

  private mutating func begin(_ origin: String, _ label: String, _ microseconds: Int64) {
    clock.append(microseconds, to: &text)
    text.append(" \(Plain.left(origin, 7)) \(Plain.left(label, 20))")
  }

  private mutating func append(_ object: JSONObject, _ microseconds: Int64) {
    text.append("{\"timestamp\":\"")
    clock.append(microseconds, to: &text)
    text.append("\",")
    text.append(String(object.text.dropFirst()))
    text.append("\n")
  }
}
