public import BMSCore
public import MonotonicTime

// What an operator asks for who is no register on the bus: the control socket, and whoever comes after it (R36, R166,
// R167, R319-R323). What is refused changes nothing and says why.

/// Something an operator asks of the device.
public enum OperatorCommand: Sendable, Hashable {
  /// A setting is to have this value (R319).
  case set(Setting, to: Double)
  /// A setting goes back to what the configuration says.
  case reset(Setting)
  /// All of them do, and settings that were lost are given up (R29, R323).
  case resetAll
  /// Another mode (R36-R39).
  case requestMode(Mode, by: ModeRequester)
  /// The state of charge, percent (R166).
  case setStateOfCharge(Double)
  /// The battery is full (R167).
  case synchronise
}

/// Why it was not done.
public enum OperatorRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  /// The setting does not take the value.
  case setting(SettingError)
  /// The core does not do it.
  case command(CommandError)
  /// R320: the remote control channel is disabled.
  case controlDisabled
  /// R320: it is not enabled from afar.
  case enabledOnlyLocally

  private static let enabling = "sudo vecanctl set remote_control 1"

  /// A sentence.
  public var description: String {
    switch self {
    case .setting(let error): "\(error)"
    case .command(let error): "\(error)"
    case .controlDisabled:
      "refused: the remote control channel is disabled (R320); root on the machine enables it: \(Self.enabling)"
    case .enabledOnlyLocally:
      "refused: only root on the machine enables the remote control channel (R320): \(Self.enabling)"
    }
  }
}

extension SettingError: Hashable {
  public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

extension BMSDevice {
  /// Does what an operator asks for, or says why not.
  ///
  /// - Parameter isLocal: whether the machine itself asks, which alone may enable the remote control channel (R320).
  public mutating func perform(
    _ command: OperatorCommand, isLocal: Bool, at now: Instant
  ) throws(OperatorRefusal) {
    let isEnabling = isLocal && command == .set(.remoteControl, to: 1)
    guard core.settings[.remoteControl] != 0 || isEnabling else {
      if case .set(.remoteControl, _) = command { throw .enabledOnlyLocally }
      throw .controlDisabled
    }
    switch command {
    case .set(let setting, let value): try set([(setting, value)])
    case .reset(let setting): try set([(setting, configuredSettings[setting])])
    case .resetAll: restoreConfigured(isLocal: isLocal)
    case .requestMode(let mode, let requester): try carryOut(.requestMode(mode, by: requester), at: now)
    case .setStateOfCharge(let percent): try carryOut(.setStateOfCharge(percent), at: now)
    case .synchronise: try carryOut(.synchronise, at: now)
    }
  }

  private mutating func set(_ changes: [(Setting, Double)]) throws(OperatorRefusal) {
    var settings = core.settings
    do throws(SettingError) {
      try settings.set(changes)
    } catch {
      throw .setting(error)
    }
    apply(settings, decided: changes.map(\.0))
  }

  private mutating func carryOut(_ command: Command, at now: Instant) throws(OperatorRefusal) {
    do throws(CommandError) {
      try perform(command, at: now)
    } catch {
      throw .command(error)
    }
  }

  /// R323: what was changed of the settings goes back to what the configuration says, and settings that were lost or wait
  /// are given up. A control channel that was disabled stays so, unless the machine itself asks (R320).
  mutating func restoreConfigured(isLocal: Bool) {
    var settings = configuredSettings
    // No other setting depends on it: it is never refused.
    if !isLocal, core.settings[.remoteControl] == 0 { try? settings.set(.remoteControl, to: 0) }
    let isOnlyGivenUp = settings == core.settings && (mapping.inputs.areSettingsLost || !waiting.isEmpty)
    waiting = [:]
    if mapping.inputs.areSettingsLost {
      mapping.inputs.areSettingsLost = false
      mapping.changed = true
    }
    apply(settings)
    if isOnlyGivenUp { events.append(.settingsChanged(changedSettings)) }
  }

  /// Takes settings and fuse names of a configuration that was read again into force. What was changed at run time still
  /// counts before it; where both contradict each other nothing changes. What waits and is accepted now counts again, as
  /// after a restart.
  public mutating func reconfigure(
    _ configured: Settings, _ names: FuseNames, at now: Instant
  ) throws(SettingError) {
    let changed = changedSettings
    var settings = configured
    try settings.set(changed.values.sorted { $0.key.rawValue < $1.key.rawValue })
    let waiting = settings.restore(waiting: waiting)
    self.waiting = waiting.stored
    configuredSettings = configured
    configuredFuseNames = names
    apply(settings)
    if changed.fuseNames == nil, names != core.fuseNames {
      core.apply(names)
      mapping.changed = true
    }
    // What the file now says too is no longer a change of its own.
    if changedSettings != changed { events.append(.settingsChanged(changedSettings)) }
    if !waiting.isEmpty { events.append(.settingsWaiting(waiting)) }
  }
}
