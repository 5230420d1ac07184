import BMSCore
import MonotonicTime
import NMEA2000
import VECan

/// The registers of the device: what each is worth now, and what writing it does.
///
/// Of a Lynx's registers these are absent, and asking for them is refused: product id and hardware version, as long as
/// vecand has no number of its own; the counters of the CAN controller; the thresholds of the alarm and the relay, which a
/// Lynx has not; 0x0371 and 0x0372, whose codes the sources do not agree on; and what vecan.md calls unknown.
enum DeviceRegisters {
  /// What is neither an output, nor a setting, nor history.
  private static let own: [Register] = [
    .applicationVersion, .serialNumber, .modelName, .description1, .description2, .uptime, .bmsCapabilities,
    .synchronise, .clearHistory, .distributors, .fusesA, .fusesB, .fusesC, .fusesD,
  ]

  /// The fuse names, fuse 1 to 16.
  static let fuseNames: [Register] = [
    .fuseNameA1, .fuseNameA2, .fuseNameA3, .fuseNameA4, .fuseNameB1, .fuseNameB2, .fuseNameB3, .fuseNameB4,
    .fuseNameC1, .fuseNameC2, .fuseNameC3, .fuseNameC4, .fuseNameD1, .fuseNameD2, .fuseNameD3, .fuseNameD4,
  ]

  /// All that the device has.
  static let all = OutputRegisters.all + SettingRegisters.all + HistoryRegisters.all + own + fuseNames
}

/// A register's value, short or long.
enum RegisterContent: Equatable {
  case short(RegisterMessage)
  case long(LongRegisterMessage)
}

extension BMSDevice {
  /// What a register is worth; nil for one that the device has not, or that has no value.
  func content(of register: Register, at now: Instant) -> RegisterContent? {
    if let text = text(of: register) { return .long(LongRegisterMessage(register, text)) }
    return message(register, at: now).map(RegisterContent.short)
  }

  private func message(_ register: Register, at now: Instant) -> RegisterMessage? {
    OutputRegisters.message(register, outputs, parts, publisher.seen)
      ?? SettingRegisters.message(register, core.settings)
      ?? HistoryRegisters.message(
        register, core.history, sinceFullCharge: core.snapshot.secondsSinceFullCharge, uptime: now - started)
      ?? ownMessage(register, at: now)
  }

  private func ownMessage(_ register: Register, at now: Instant) -> RegisterMessage? {
    switch register {
    case .applicationVersion:
      // Major and minor as v00.01 is written: a high byte of 0, then two decimal digits each.
      var message = RegisterMessage(register, .value(0))
      let (major, minor) = Version.pair
      message.set(.value(Double(Self.decimalDigits(major) << 8 | Self.decimalDigits(minor))), field: 1, of: register)
      return message
    case .uptime: return RegisterMessage(register, .value((now - started).seconds.rounded(.down)))
    case .bmsCapabilities:
      var message = RegisterMessage(register)
      message[BMSCapability.preAlarm] = true
      return message
    case .distributors:
      var message = RegisterMessage(register)
      for (index, place) in [DistributorPlace.a, .b, .c, .d].enumerated() {
        message[place] = DistributorLink(core.distributor(index))
      }
      return message
    case .fusesA: return fuses(register, distributor: 0)
    case .fusesB: return fuses(register, distributor: 1)
    case .fusesC: return fuses(register, distributor: 2)
    case .fusesD: return fuses(register, distributor: 3)
    default: return nil
    }
  }

  private static func decimalDigits(_ number: UInt8) -> Int { Int(number) / 10 % 10 << 4 | Int(number) % 10 }

  /// 0x2150 and 0x2152 to 0x2155 as they are published (R268).
  var distributorMessages: [RegisterMessage] {
    [.distributors, .fusesA, .fusesB, .fusesC, .fusesD].compactMap { ownMessage($0, at: started) }
  }

  private func fuses(_ register: Register, distributor: Int) -> RegisterMessage {
    var message = RegisterMessage(register)
    for (index, place) in [FusePlace.fuse1, .fuse2, .fuse3, .fuse4].enumerated() {
      message[place] = FuseCondition(rawValue: core.fuse(distributor * 4 + index + 1).rawValue) ?? .notAvailable
    }
    return message
  }

  private func text(of register: Register) -> String? {
    switch register {
    case .serialNumber: identity.serial
    case .modelName: BMSDevice.model
    case .description1: node.installationDescription(1)
    case .description2: node.installationDescription(2)
    default: DeviceRegisters.fuseNames.firstIndex(of: register).map { core.fuseNames.names[$0] }
    }
  }

  // MARK: - Writing

  /// Carries out what was written since the last time.
  mutating func takeWrites(at now: Instant) {
    while let write = mapping.server.nextWrite() {
      if let refusal = carryOut(write, at: now) { mapping.server.refuse(write.id, refusal, to: write.source) }
    }
  }

  /// Does what was written, or says why not; then nothing has changed.
  private mutating func carryOut(_ write: RegisterServer.Write, at now: Instant) -> RefusalCode? {
    if write.id == .restoreDefaults { return restoreDefaults(from: write.source) }
    guard let register = Register(write.id) else { return .unknownWrite }
    switch register {
    case .deviceMode: return setMode(write)
    case .synchronise, .clearHistory:
      do throws(CommandError) {
        try core.perform(register == .synchronise ? .synchronise : .clearHistory)
      } catch {
        return .invalid
      }
      mapping.changed = true
      mapping.server.acknowledge(write.id)
      events.append(.registerWritten(write.id, source: write.source))
      return nil
    case .description1, .description2:
      guard let text = write.text,
        node.describeInstallation(register == .description1 ? 1 : 2, as: text, at: now)
      else { return .unknownWrite }
      mapping.server.report(register)
      return nil
    default:
      if let fuse = DeviceRegisters.fuseNames.firstIndex(of: register) { return nameFuse(fuse + 1, write, register) }
      guard let changes = SettingRegisters.changes(write.message, of: register, core.settings) else {
        return .unknownWrite
      }
      return set(changes, by: write.source, register)
    }
  }

  /// R36-R39. Whoever speaks by register is a GX, or something that acts for one.
  private mutating func setMode(_ write: RegisterServer.Write) -> RefusalCode? {
    guard let code = write.message.code(.deviceMode), let mode = Mode(rawValue: code) else { return .unknownWrite }
    do throws(CommandError) {
      try core.perform(.requestMode(mode, by: .gx))
    } catch {
      // The value is one that the register takes, but not now or not from there.
      return .invalid
    }
    mapping.changed = true
    // Answered once the mode is in force: its value is that of the next step.
    mapping.server.report(.deviceMode)
    if mode != outputs.mode { events.append(.registerWritten(write.id, source: write.source)) }
    return nil
  }

  private mutating func nameFuse(_ fuse: Int, _ write: RegisterServer.Write, _ register: Register) -> RefusalCode? {
    var names = core.fuseNames
    guard let text = write.text, names.set(text, of: fuse) else { return .unknownWrite }
    mapping.server.report(register)
    guard names != core.fuseNames else { return nil }
    core.apply(names)
    mapping.changed = true
    events.append(.settingsChanged(changedSettings))
    events.append(.registerWritten(write.id, source: write.source))
    return nil
  }

  /// Settings go through the core's table: in force with the next step, or refused as a whole.
  private mutating func set(_ changes: [(Setting, Double)], by source: UInt8, _ register: Register) -> RefusalCode? {
    let before = core.settings
    var settings = before
    do throws(SettingError) {
      try settings.set(changes)
    } catch {
      return .unknownWrite
    }
    apply(settings, decided: changes.map(\.0))
    // One setting can be told by several registers.
    for other in SettingRegisters.all
    where SettingRegisters.message(other, before) != SettingRegisters.message(other, settings) {
      mapping.server.report(other)
    }
    mapping.server.report(register)
    if settings != before { events.append(.registerWritten(register.id, source: source)) }
    return nil
  }

  /// Takes settings into force and tells the owner which differ from the configuration's. For what somebody decided no
  /// earlier value waits any more, also where that changes nothing.
  mutating func apply(_ settings: Settings, decided: [Setting] = []) {
    let waited = waiting
    for setting in decided { waiting[setting.definition.key] = nil }
    guard settings != core.settings || waiting != waited else { return }
    core.apply(settings)
    mapping.apply(settings)
    publisher.apply(settings)
    mapping.changed = true
    events.append(.settingsChanged(changedSettings))
  }

  /// 0x0004 (R323): what the bus changed of the settings goes back to what the configuration says. History, names and
  /// the address stay.
  private mutating func restoreDefaults(from source: UInt8) -> RefusalCode? {
    restoreConfigured(isLocal: false)
    mapping.server.acknowledge(.restoreDefaults)
    events.append(.registerWritten(.restoreDefaults, source: source))
    return nil
  }

  // MARK: - Answers

  /// Sends what was asked for, as far as the pace allows.
  mutating func sendAnswers(at now: Instant) {
    while let answer = mapping.server.nextAnswer(at: now) {
      guard let frames = send(answer, at: now) else {
        mapping.server.postpone(at: now)
        return
      }
      mapping.server.sent(answer, frames: frames, at: now)
    }
  }

  /// How many frames wait in the outbox for it; nil when there was no room or no address.
  private mutating func send(_ answer: RegisterServer.Answer, at now: Instant) -> Int? {
    switch answer {
    case .value(let register):
      switch content(of: register, at: now) {
      case .short(let message): return send(message, to: BusAddress.global, at: now)
      case .long(let message):
        let outcome = node.send(message.message, urgency: .answer, validity: Publisher.validity, at: now)
        return outcome == .queued ? 1 + message.message.payload.count / 7 : nil
      case nil:
        // A register without a value is not in the server's list; should one get there, it must not block the others.
        return 0
      }
    case .report(let message): return send(message, to: BusAddress.global, at: now)
    case .refusal(let message, let address): return send(message, to: address, at: now)
    }
  }

  private mutating func send(_ message: RegisterMessage, to address: UInt8, at now: Instant) -> Int? {
    node.send(message.message, to: address, urgency: .answer, validity: Publisher.validity, at: now) == .queued
      ? 1 : nil
  }
}

extension DistributorLink {
  /// What a register says of a Distributor: a blown fuse is told with the fuses.
  init(_ state: DistributorState) {
    self =
      switch state {
      case .absent: .notAvailable
      case .ok, .fuseBlown: .connected
      case .noPower: .noPower
      case .communicationLost, .duplicate: .communicationLost
      }
  }
}
