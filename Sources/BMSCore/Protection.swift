import MonotonicTime

// The protections of areas E and F. They latch on the raising side, and release on good data only: data that is lost
// while a protection is active can neither end it nor restart its hold time. Each rule with a course of its own has its
// own file.

struct Protection: Sendable {
  private(set) var cell: LowCell
  private(set) var highCell: Bool
  private(set) var lowTemperature: Bool
  private(set) var highTemperature: Bool
  private(set) var veryHighTemperature: Bool
  private(set) var dischargeFloor: Bool
  private(set) var lowStateOfChargeWarning = false
  private(set) var highBMSTemperature = false
  /// Charging is reduced after a low cell (OD-2).
  private(set) var isReduced: Bool
  private var warmSince: Instant?

  var lowCell: Bool { cell.isActive }

  /// Nothing holds and no time counts.
  var isAtRest: Bool {
    cell.isAtRest && !highCell && !lowTemperature && !highTemperature && !veryHighTemperature && !isReduced
      && isCharged && !highBMSTemperature
  }

  /// Neither the discharge floor nor its warning is there.
  @inline(__always)
  var isCharged: Bool { !dischargeFloor && !lowStateOfChargeWarning }

  /// When time alone changes the next decision: the end of the 30 s must not wait for the next period.
  @inline(__always)
  var timeToDecision: TimeSpan {
    cell.isPreAlarm && cell.graceLeft > .zero ? cell.graceLeft : .never
  }

  init(restoring snapshot: Snapshot?) {
    cell = LowCell(restoring: snapshot)
    highCell = snapshot?.highCell ?? false
    lowTemperature = snapshot?.lowTemperature ?? false
    highTemperature = snapshot?.highTemperature ?? false
    veryHighTemperature = snapshot?.veryHighTemperature ?? false
    dischargeFloor = snapshot?.dischargeFloor ?? false
    isReduced = snapshot?.isReduced ?? false
  }

  mutating func evaluate(_ judged: borrowing Judgement, _ parameters: Parameters, at now: Instant, elapsed: TimeSpan) {
    cell.evaluate(judged, parameters, elapsed: elapsed)
    if let lowest = judged.lowestCell?.value {
      // The cell decides, not the alarm: reduced charging need not wait 30 s.
      if lowest <= parameters.lowCell {
        isReduced = true
      } else if judged.cellState.isUsable, lowest > Parameters.reducedUntil {
        isReduced = false
      }
    }
    if let cell = judged.highestCell?.value {
      if cell >= Parameters.highCell {  // R104
        highCell = true
      } else if judged.cellState.isUsable, cell < Parameters.highCellResume {  // R105
        highCell = false
      }
    }
    evaluateCold(judged, parameters, at: now)
    evaluateHot(judged)
  }

  private mutating func evaluateCold(_ judged: borrowing Judgement, _ parameters: Parameters, at now: Instant) {
    guard let lowest = judged.lowestTemperature?.value else {
      warmSince = nil
      return
    }
    if lowest < parameters.minimumChargeTemperature { lowTemperature = true }  // R109
    guard lowTemperature else { return }
    let isWarm = lowest >= parameters.minimumChargeTemperature + Parameters.lowTemperatureHysteresis
    guard isWarm, judged.temperatureState.isUsable else {
      warmSince = nil
      return
    }
    let since = warmSince ?? now
    warmSince = since
    if now - since >= Parameters.lowTemperatureHold {  // OD-6
      lowTemperature = false
      warmSince = nil
    }
  }

  private mutating func evaluateHot(_ judged: borrowing Judgement) {
    guard let highest = judged.highestTemperature?.value else { return }
    let isComplete = judged.temperatureState.isUsable
    if highest >= Parameters.highTemperature {
      highTemperature = true
    } else if isComplete, highest <= Parameters.highTemperatureResume {
      highTemperature = false
    }
    if highest >= Parameters.veryHighTemperature {
      veryHighTemperature = true
    } else if isComplete, highest <= Parameters.veryHighTemperatureResume {
      veryHighTemperature = false
    }
  }

  /// R115, R235, OD-5. A sensor that is lost keeps what it said last.
  mutating func evaluate(bmsTemperature: Double?) {
    guard let celsius = bmsTemperature else { return }
    if celsius >= Parameters.highBMSTemperature {
      highBMSTemperature = true
    } else if celsius <= Parameters.highBMSTemperatureResume {
      highBMSTemperature = false
    }
  }

  /// The state of charge is the monitor's, so this comes after counting. Only a trusted state of charge stops loads.
  mutating func evaluate(stateOfCharge: Double?, isTrusted: Bool, _ parameters: Parameters) {
    guard let stateOfCharge, isTrusted else {
      dischargeFloor = false
      lowStateOfChargeWarning = false
      return
    }
    if parameters.floor <= 0 {  // R54
      dischargeFloor = false
    } else if stateOfCharge <= parameters.floor {  // R177
      dischargeFloor = true
    } else if stateOfCharge >= min(parameters.floor + Parameters.floorHysteresis, 100) {
      dischargeFloor = false
    }
    if stateOfCharge <= parameters.warningLevel {  // R176
      lowStateOfChargeWarning = true
    } else if stateOfCharge > min(parameters.warningLevel + Parameters.warningHysteresis, 99.99) {
      lowStateOfChargeWarning = false
    }
  }
}
