import ArgumentParser
import CANBus
import MonotonicTime
import NMEA2000
import VECan

struct RegisterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "register",
    abstract: "Reads and writes Victron registers of devices on a bus.",
    discussion: """
      A register is given by its number, 0x0390 or 912, or by its name as "register list" writes it, \
      charge-voltage-limit. A device is given by its address, or by its NAME in 16 hexadecimal digits as "devices" shows \
      it: addresses move, a NAME stays.
      """,
    subcommands: [RegisterRead.self, RegisterWrite.self, RegisterList.self])
}

/// The device and how long it is waited for.
struct RegisterTarget: ParsableArguments {
  @Option(help: ArgumentHelp("The device: an address, 0 to 251, or a NAME.", valueName: "address|NAME"))
  var device: String

  @Option(help: ArgumentHelp("How long an answer is waited for.", valueName: "seconds"))
  var timeout = 2.0

  func validate() throws {
    _ = try target()
    guard timeout > 0, timeout <= 3600 else {
      throw ValidationError("--timeout is more than 0 seconds, and an hour at most.")
    }
  }

  /// The device meant.
  func target() throws -> RegisterClient.Target {
    if device == "all" { return .all }
    if let address = Numbers.unsigned(device), address <= 251, device.count < 16 { return .address(UInt8(address)) }
    if device.count == 16, let name = UInt64(device, radix: 16) { return .name(Name(rawValue: name)) }
    throw ValidationError("\"\(device)\" is no device: an address from 0 to 251, or a NAME of 16 hexadecimal digits.")
  }

  /// A register by number or name.
  static func register(_ text: String) throws -> RegisterID {
    if let number = Numbers.unsigned(text), number <= 0xFFFF { return RegisterID(UInt16(number)) }
    if let register = Register(key: text) { return register.id }
    throw ValidationError("\"\(text)\" is no register: a number up to 0xFFFF, or a name of \"vecanctl register list\".")
  }

  /// Runs requests on a bus; what came, and why it ended if not all came.
  func run(_ requests: [RegisterClient.Request], on interface: String) throws -> RegisterClient {
    var sender = FrameSender(try LiveBus(interface))
    let port = sender.bus.port
    guard port.link.carriesFrames else { throw Failure(port.link.words(port.interface)) }
    var client = RegisterClient(
      requests, to: try target(), patience: TimeSpan(seconds: timeout), seed: .random(in: .min ... .max), at: port.now)
    while !client.isFinished {
      client.tick(at: port.now)
      while let entry = client.outbox.popFirst() {
        guard try sender.send(.data(entry.frame)) else { return client }
      }
      guard let turn = sender.bus.next(until: client.nextDeadline(at: port.now)) else { break }
      for received in turn.frames {
        if case .data(let frame) = received.frame { client.receive(frame, at: received.instant) }
      }
      for event in turn.events where !event.state.carriesFrames { throw Failure(event.state.words(port.interface)) }
    }
    sender.bus.finish()
    return client
  }
}

struct RegisterRead: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "read",
    abstract: "Reads registers.",
    discussion: """
      One line a register: number, name, value with unit. "--device all" asks everybody; then the address of who answers \
      stands before each line. --mask reads all registers whose number has the bits of the given one where the mask has \
      ones: 0x2100 with mask 0xFF00 is the block of a Lynx Smart BMS.

      It takes an address on the bus for the time it needs, as any device that asks must.

      Example: vecanctl register read --device 35 charge-voltage-limit 0x0391
      Example: vecanctl register read --device 35 --mask 0xFF00 0x2100 --json | jq .

      With --json one object a line: "src", "register", "name", and "value" with "unit" where it has one; a value that \
      is not available is left out, and one whose meaning is not known is in "data" as bytes.

      Exit code 0 when all were answered; 1 when one was refused, nobody answered in time or the interface cannot be \
      used; 64 for wrong arguments.
      """)

  @OptionGroup var bus: InterfaceOption
  @OptionGroup var target: RegisterTarget

  @Flag(help: "Print one JSON object a line.")
  var json = false

  @Option(help: ArgumentHelp("The bits of the number that count, as 0xFF00.", valueName: "mask"))
  var mask: String?

  @Argument(help: "Numbers or names.")
  var registers: [String]

  func validate() throws {
    _ = try requests()
  }

  func requests() throws -> [RegisterClient.Request] {
    guard let bits = Numbers.unsigned(mask ?? "0xFFFF"), bits <= 0xFFFF else {
      throw ValidationError("--mask is a number up to 0xFFFF.")
    }
    if mask != nil, registers.count != 1 { throw ValidationError("--mask goes with one register.") }
    return try registers.map { .read(try RegisterTarget.register($0), mask: UInt16(bits)) }
  }

  func run() throws {
    let client = try target.run(try requests(), on: bus.interface)
    var text = TextBuffer()
    for answer in client.answers {
      text.append((json ? Self.json(answer) : Self.line(answer, isNamed: target.device == "all")) + "\n")
    }
    do throws(FileError) {
      try OutputFile.standardOutput.take(&text)
    } catch .readerIsGone {
      return
    } catch {
      throw Failure(error.description)
    }
    if let failure = client.failure { throw Failure(failure) }
  }

  /// A line for people.
  static func line(_ answer: RegisterClient.Answer, isNamed: Bool) -> String {
    let words = ProprietaryFastPacket(answer.id, answer.value).withPayload { RegisterReport($0)?.description } ?? ""
    return (isNamed ? Plain.right(String(answer.source), 3) + "  " : "") + Plain.safe(words)
  }

  /// An object for programs.
  static func json(_ answer: RegisterClient.Answer) -> String {
    var object = JSONObject()
    object.add("src", answer.source)
    object.add("register", answer.id.rawValue)
    let definition = Register(answer.id)?.definition
    object.add("name", definition?.name)
    if let value = definition?.json(answer.value) {
      object.add("value", json: value)
      object.add("unit", definition?.unit)
    } else if definition == nil {
      object.add("data", answer.value.hexadecimal(from: 0, to: answer.value.count))
    }
    return object.text
  }
}

struct RegisterWrite: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "write",
    abstract: "Writes one register.",
    discussion: """
      The value is a number in the unit that "read" shows (temperatures in degrees Celsius, times in seconds), a code or \
      its name, or a text. A register of several parts takes all its bits as one number, 0x17. A command takes no value. \
      --raw gives the bytes themselves, least significant first, and is the only way to write a register that is not \
      in the table.

      Done is when the device has told the new value. Nothing is asked before and nothing undone after: a wrong value \
      that is in the device's range is in force.

      Example: vecanctl register write --device 35 device-mode standby
      Example: vecanctl register write --device C0A9460A00400023 battery-capacity 300
      Example: vecanctl register write --device 35 0x1000 --raw '2C 01'

      Exit code 0 when the device took it; 1 when it refused, with its reason, or did not answer, or the interface \
      cannot be used; 64 for wrong arguments.
      """)

  @OptionGroup var bus: InterfaceOption
  @OptionGroup var target: RegisterTarget

  @Flag(help: "Print the new value as a JSON object.")
  var json = false

  @Option(help: ArgumentHelp("The bytes of the value in hexadecimal.", valueName: "bytes"))
  var raw: String?

  @Argument(help: "A number or a name.")
  var register: String

  @Argument(help: "The value; none for a command.")
  var value: String?

  func validate() throws {
    _ = try request()
    // To all it would be a report, and no device may take it for an order.
    if try target.target() == .all { throw ValidationError("a register is written to one device.") }
  }

  func request() throws -> RegisterClient.Request {
    let id = try RegisterTarget.register(register)
    if let raw {
      if value != nil { throw ValidationError("a value or --raw, not both.") }
      let digits = raw.filter { $0 != " " }
      let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(digits.dropFirst($0).prefix(2), radix: 16)
      }
      guard digits.count % 2 == 0, bytes.count == digits.count / 2, bytes.count <= 64 else {
        throw ValidationError("--raw is up to 64 bytes of two hexadecimal digits.")
      }
      var payload = LongPayload()
      for byte in bytes { payload.append(byte) }
      return .write(id, payload)
    }
    guard let definition = Register(id)?.definition else {
      throw ValidationError("\(id) is not in the table: how its value is written is known to you only; use --raw.")
    }
    if definition.access == .read { throw ValidationError("\(id) \(definition.name) is only to be read.") }
    do {
      return .write(id, try definition.bytes(typed: value))
    } catch let failure as Failure {
      throw ValidationError(failure.description)
    }
  }

  func run() throws {
    let client = try target.run([try request()], on: bus.interface)
    if let failure = client.failure { throw Failure(failure) }
    for answer in client.answers {
      var text = TextBuffer()
      text.append((json ? RegisterRead.json(answer) : RegisterRead.line(answer, isNamed: false)) + "\n")
      do throws(FileError) {
        try OutputFile.standardOutput.take(&text)
      } catch .readerIsGone {
        return
      } catch {
        throw Failure(error.description)
      }
    }
  }
}

struct RegisterList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists the registers that this program knows.",
    discussion: """
      One line a register: number, name as commands take it, length in bytes (or the longest text), unit, access, and \
      where the knowledge comes from. No bus is needed.

      Example: vecanctl register list limit
      Example: vecanctl register list --json | jq -r .key
      """)

  @Flag(help: "Print one JSON object a line.")
  var json = false

  @Argument(help: "Only those whose number or name contains this.")
  var filter: String?

  func run() throws {
    var text = TextBuffer()
    for register in Register.sorted where Self.passes(register.definition, filter) {
      text.append((json ? Self.json(register.definition) : Self.line(register.definition)) + "\n")
    }
    if text.count == 0 { throw Failure("no register has \"\(filter ?? "")\" in its number or name") }
    do throws(FileError) {
      try OutputFile.standardOutput.take(&text)
    } catch .readerIsGone {
      return
    } catch {
      throw Failure(error.description)
    }
  }

  static func passes(_ definition: RegisterDefinition, _ filter: String?) -> Bool {
    guard let filter = filter?.lowercased() else { return true }
    return definition.key.contains(filter) || definition.name.lowercased().contains(filter)
      || definition.id.description.lowercased().contains(filter)
  }

  static func line(_ definition: RegisterDefinition) -> String {
    let length = definition.longestText.map { "text \($0)" } ?? String(definition.length)
    let (source, tag) = definition.source.words
    return [
      definition.id.description, Plain.left(definition.key, 34), Plain.left(length, 7),
      Plain.left(definition.shownUnit ?? "", 3), Plain.left(definition.access.words, 14), "[\(tag)] \(source)",
    ].joined(separator: "  ")
  }

  static func json(_ definition: RegisterDefinition) -> String {
    var object = JSONObject()
    object.add("register", definition.id.rawValue)
    object.add("key", definition.key)
    object.add("name", definition.name)
    if let longest = definition.longestText {
      object.add("longestText", longest)
    } else {
      object.add("length", definition.length)
    }
    object.add("unit", definition.unit)
    let fields = definition.fields
    if fields.count > 1 { object.add("fields", json: JSONObject.list(fields.map { JSONObject.quoted($0.name) })) }
    object.add("access", definition.access.words)
    object.add("sent", definition.sending == .onChange ? "on change" : "on request")
    let (source, tag) = definition.source.words
    object.add("confidence", tag)
    object.add("source", source)
    return object.text
  }
}

extension RegisterDefinition {
  /// The unit in which people see the value.
  var shownUnit: String? { unit == Unit.kelvin.rawValue ? "°C" : unit }
}

extension RegisterDefinition.Access {
  /// The access in words.
  var words: String {
    switch self {
    case .read: "read"
    case .readWrite: "read and write"
    case .command: "command"
    }
  }
}

extension RegisterDefinition.Source {
  /// The keys of the sources, and the tag of vecan.md.
  var words: (source: String, tag: String) {
    switch self {
    case .confirmed(let source): (source, "C")
    case .victron(let source): (source, "V")
    }
  }
}
