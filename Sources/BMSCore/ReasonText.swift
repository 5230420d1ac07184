// Reasons in words, made only when somebody asks.

extension Reason: CustomStringConvertible {
  /// A sentence without its subject, for example "battery 2 cell 3 at 3.76 V, until below 3.6 V".
  public var description: String {
    switch rule {
    case .allowed: "nothing forbids it"
    case .waitingForData: "waiting for the first complete data: \(inputText)"
    case .dataLost: "\(inputText), until good values arrive"
    case .withdrawn: "\(inputText) for too long, limits are withdrawn until good values arrive"
    case .shutdown: "the program is leaving"
    case .supplyError: "the BMS's own supply is bad, until it is good"
    case .fan: "a fan stands, until it turns"
    case .sidesReversed: "battery side\(at("V")), less than half of the system side, with the contactor open"
    case .batteriesDiffer: "the batteries report other than the settings, until they agree"
    case .settingsLost: "the stored settings are damaged, until they are reset"
    case .stateNotStored: "state or event log cannot be written, until there is room or another disk"
    case .standby: "in standby, until switched on"
    case .offByRemote: "off, until the remote input is closed"
    case .offByCommand: "off, until switched on"
    case .offAfterError: "off, its cause was lost, until switched on"
    case .updateFailed: "an update failed, until it is repeated"
    case .offAfterLowCell, .offAfterLowStateOfCharge:
      "off to save an empty battery, until charge voltage comes, every cell is above \(end("V")), or it is switched "
        + "off for 5 s and on again"
        + (endsIn.map { "; woken in vain, so not before \($0.seconds.text(0)) s, or by a charger that comes anew" }
          ?? "")
    case .highCell: "\(placeText("highest cell"))\(at("V")), until every cell is below \(end("V"))"
    case .lowCell: "\(placeText("lowest cell"))\(at("V")), until every cell is at \(end("V")) or above"
    case .veryLowCell:
      "\(placeText("lowest cell"))\(at("V")) after a cell fell below 2.6 V, which stops at once, "
        + "until every cell is at \(end("V")) or above for 30 s"
    case .preAlarm: "pre-alarm, \(placeText("lowest cell"))\(at("V")), until every cell is at \(end("V")) for 10 s"
    case .lowTemperature: "\(placeText("battery"))\(at("°C")), until it is at \(end("°C")) or above for 60 s"
    case .highTemperature: "\(placeText("battery"))\(at("°C")), until it is at \(end("°C")) or below"
    case .dischargeFloor: "state of charge\(at("%")), until \(end("%"))"
    case .overcurrent:
      endsIn.map { "too much current for too long, tried again in \($0.seconds.text(0)) s" }
        ?? "current\(at("A")), until at \(end("A")) or below"
    case .contactFailure: "current\(at("A")) flows although its contact is open, until it is gone for 10 s"
    case .wrongSystemVoltage:
      "battery voltage\(at("V")) belongs to another nominal voltage than the one set, until it fits for 10 s"
    case .voltageBetweenWindows:
      "battery voltage\(at("V")) is between the windows of all nominal voltages, until it fits for 10 s"
    case .voltageNotAllowed: "battery voltage\(at("V")) is outside 9 to 60 V, until it fits for 10 s"
    case .contactorStarts: "self-test, pre-charge and closing of the contactor, until it is closed"
    case .prechargeCools: "pre-charge failed and its resistor cools, until the next try"
    case .waitingForGroup: "waits for the group, until it may join"
    case .contactorOpens: "the contactor opens"
    case .contactorFault: "contactor or pre-charge failed, until switched off and on again"
    case .busbarHot: "a busbar is above 130 °C, until its switch closes"
    case .feedbackLost: "\(inputText)"
    case .contactDrop: "\((value ?? 0).text(upTo: 2)) V across the closed contactor, until at most \(end("V"))"
    case .distributor: "as the Distributor says"
    case .cellsAgainstPack:
      "the battery voltage differs from the sum of its cells by \((value ?? 0).text(upTo: 2)) V, "
        + "until by at most \(end("V")) for 10 s"
    case .currentSign: "current\(at("A")) and voltage move in opposite directions, until they agree"
    case .battery:
      conditions.isEmpty ? "the battery's own limit" : "the battery reports \(conditions.text), until it does no more"
    case .batterySilent: "the battery reports nothing: its cable or its own BMS is off, until it is heard"
    case .wiring: wiring.map { "\($0.role.name): \($0.fault.text)" } ?? "something is wrong with the wiring"
    case .emptySoon:
      "on, an empty battery is switched off in \((endsIn?.seconds ?? 0).text(upTo: 0)) s unless charge voltage comes"
    case .secondLine:
      "current flowed although its contact was open, until the cells recover or it is switched off and on"
    case .notNeeded: "nothing asks for it"
    case .updating: "an update goes on"
    case .controlDisabled: "the control channel is disabled"
    case .controlClient: "a client is connected"
    case .fullCharge: "full charge cycle"
    case .resting: "resting"
    case .restingFollowsBattery: "resting, follows the battery\(at("V"))"
    case .installerCap: "the installer's limit"
    case .capacity: "1 A per Ah of capacity"
    case .rating: "the rating of the model"
    case .nearCellEnd: "\(placeText("a cell"))\(at("V")) is near its end, full from \(end("V")) on"
    case .reducedAfterLowCell:
      "reduced after a low cell: \(placeText("lowest cell"))\(at("V")), until above \(end("V"))"
    }
  }

  private var inputText: String {
    let name = input?.name ?? "input"
    guard let place else { return "\(name) \(fault.text)" }
    return "\(name) of \(place) \(fault.text)"
  }

  private func placeText(_ other: String) -> String { place.map { "\($0)" } ?? other }

  private func at(_ unit: String) -> String { value.map { " at \($0.text(upTo: 2)) \(unit)" } ?? "" }

  private func end(_ unit: String) -> String { endsAt.map { "\($0.text(upTo: 2)) \(unit)" } ?? "its limit" }
}

extension Outputs {
  /// "charge forbidden: battery 2 cell 3 at 3.76 V, until every cell is below 3.6 V".
  public var chargeText: String { "charge \(chargeAllowed ? "allowed" : "forbidden"): \(chargeReason)" }

  /// "discharge forbidden: …".
  public var dischargeText: String { "discharge \(dischargeAllowed ? "allowed" : "forbidden"): \(dischargeReason)" }
}

extension SynchronisationRecord.Cause {
  /// Who set it, in words.
  public var text: String {
    switch self {
    case .charged: "charged voltage and tail current held"
    case .commanded: "synchronised by command"
    case .set: "set by command"
    case .reported: "as the battery monitor reports it, to begin with"
    }
  }
}

extension FullChargeTrigger {
  /// What began the cycle, in words.
  public var text: String {
    switch self {
    case .firstStart: "first start, or nothing was stored"
    case .update: "the program was updated"
    case .stateOfCharge: "the state of charge is below soc_threshold"
    case .interval: "repeated_absorption_interval has passed"
    case .lowVoltage: "the battery is below 12 V per 12 V"
    case .lowCell: "a cell was low"
    }
  }
}
