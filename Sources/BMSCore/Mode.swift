// Area C: the modes, who may ask for which, and why a BMS is off (R32-R39, R50, R64).

/// The operating mode, by its number on the GX bus (R32, R63).
public enum Mode: UInt8, Sendable, Hashable, CaseIterable {
  /// 3: contactor closed, ATC and ATD as the battery allows (R33).
  case on = 3
  /// 4: contactor open, everything silent (R35).
  case off = 4
  /// 252: contactor open, AUX and bus stay on (R34).
  case standby = 252
}

/// Who asks for a mode.
public enum ModeRequester: UInt8, Sendable, Hashable, CaseIterable {
  /// The soft switch of the app or of the local operator.
  case app
  /// The soft switch of a GX device.
  case gx
  /// The remote terminals.
  case remote
}

/// Why a mode was refused. Nothing is changed then.
public enum ModeRefusal: UInt8, Error, Sendable, Hashable, CustomStringConvertible {
  /// R39: the soft switch works only while the remote input is closed.
  case remoteOpen
  /// R38: the remote terminals know On and Off only.
  case remoteHasNoStandby
  /// R37: a GX cannot switch off.
  case gxCannotSwitchOff
  /// R37: a GX switches on from Standby only, and nothing from Off.
  case gxOnlyFromStandby
  /// R38: closing the remote terminals ends Off, not Standby.
  case remoteOnlyFromOff
  /// R56: out of an Off that protects the battery only after 5 s of off.
  case offTooShort

  /// A sentence.
  public var description: String {
    switch self {
    case .remoteOpen: "refused: the remote input is open (R39)"
    case .remoteHasNoStandby: "refused: the remote terminals switch between On and Off only (R38)"
    case .gxCannotSwitchOff: "refused: a GX device cannot switch off (R37)"
    case .gxOnlyFromStandby: "refused: a GX device switches on from Standby only (R37)"
    case .remoteOnlyFromOff: "refused: the remote terminals do not end Standby (R38)"
    case .offTooShort: "refused: to force an empty battery on, switch off for 5 s first (R56)"
    }
  }
}

/// The answer to a request.
public enum ModeAnswer: Sendable, Hashable {
  /// It is done.
  case allowed
  /// It is so already.
  case unchanged
  /// It is not done.
  case refused(ModeRefusal)
}

extension Mode {
  /// The 27 cases of R64: this mode, who asks, for what.
  public func answer(to requester: ModeRequester, asking target: Mode) -> ModeAnswer {
    switch (requester, self, target) {
    case (.app, .on, .on), (.app, .standby, .standby), (.app, .off, .off): .unchanged
    case (.app, .on, .standby), (.app, .on, .off): .allowed
    case (.app, .standby, .on), (.app, .standby, .off): .allowed
    case (.app, .off, .on), (.app, .off, .standby): .allowed

    case (.gx, .on, .on), (.gx, .standby, .standby): .unchanged
    case (.gx, .on, .standby), (.gx, .standby, .on): .allowed
    case (.gx, .on, .off), (.gx, .standby, .off), (.gx, .off, .off): .refused(.gxCannotSwitchOff)
    case (.gx, .off, .on), (.gx, .off, .standby): .refused(.gxOnlyFromStandby)

    case (.remote, .on, .on), (.remote, .off, .off): .unchanged
    case (.remote, .on, .off), (.remote, .standby, .off), (.remote, .off, .on): .allowed
    case (.remote, .standby, .on): .refused(.remoteOnlyFromOff)
    case (.remote, .on, .standby), (.remote, .standby, .standby), (.remote, .off, .standby):
      .refused(.remoteHasNoStandby)
    }
  }
}

/// Why a BMS is off. It outlives a power cut, because what ends Off depends on it (R50).
public enum OffCause: UInt8, Sendable, Hashable, CaseIterable {
  /// The remote terminals are open (R44).
  case remote
  /// Somebody switched it off (R36).
  case softSwitch
  /// Five minutes of low cell without charge voltage (R51).
  case lowCell
  /// Five minutes at the discharge floor without charge voltage (R53).
  case lowStateOfCharge
  /// It was off, and the cause was not stored with it. An error never switches off by itself, so that bus and AUX go on
  /// telling of it; an operator ends this one as a soft Off.
  case error
  /// Somebody switched an empty battery off that was off already: neither charger nor cells end it (R49), and it is still to
  /// be forced (R56).
  case softSwitchWhenEmpty

  /// The cell voltage that every cell must be above to end Off by itself (R46, R47, C-11); nil where none does.
  public var cellsEndAbove: Double? {
    switch self {
    case .lowCell: 3.2
    case .lowStateOfCharge: 3.37
    case .remote, .softSwitch, .error, .softSwitchWhenEmpty: nil
    }
  }

  /// Whether it protects an empty battery, so that an operator must force it (R56).
  public var isEmptyBattery: Bool { self == .softSwitchWhenEmpty || cellsEndAbove != nil }
}
