import MonotonicTime

// Most steps of a battery's life are quiet: nothing is wrong, no time runs, and what is measured is far from every
// threshold. Such a step measures and counts, and asks no rule what it thinks of it.
//
// It takes two things. The step before left every rule at rest: each says so itself (`isAtRest`), and means that as long
// as its inputs stay in their quiet ranges it would do nothing, however much time passes. And the inputs are there: these
// comparisons are the protections' own thresholds, so that no step goes by without them (design rule 2). Whatever is
// not known to be quiet goes the whole way, and that is never wrong, only longer.
//
// What every step does, quiet or not: it judges every input and whether it can be true, counts charge, energy and
// absorption, and lets CVL follow the battery.

/// The ranges in which a rule that is at rest stays at rest.
struct QuietRanges: Sendable {
  /// R204.
  let voltage: ClosedRange<Double>
  /// At most, in either direction (R196).
  let current: Double
  /// Every cell above it; below ``Parameters/highCell`` as well.
  let cellsAbove: Double
  /// R109; below ``Parameters/highTemperature`` as well.
  let coldest: Double
}

extension BMS {
  /// Whether a step that asked every rule left them all at rest.
  ///
  /// What holds shows: it is an alarm, forbids something, or keeps the LED from green. The rules tell what else they wait
  /// for; the last are those without a place of their own.
  mutating func isAtRest() -> Bool {
    guard decided.state == .running, decided.statusPattern == .green, decided.alarms.isEmpty,
      decided.chargeBlocks.isEmpty, decided.dischargeBlocks.isEmpty, decided.left.isEmpty, !leavesContacts
    else { return false }
    guard protection.isAtRest, overcurrent.isAtRest, window.isAtRest, reported.isAtRest, modes.isAtRest,
      chargeVoltage.isAtRest, contactor.isAtRest, secondLine.isAtRest, contacts.isAtRest, relay.isAtRest,
      distributors.isAtRest, !parameters.derates
    else { return false }
    return detectedNominalVoltage != nil && updateFailsFor == .zero && reversedFor == .zero && !isFeedbackLost
      && !isBusbarHot && !isSupplyBad && !isFanStill && feedback.0 != .open && feedback.1 != .open
  }

  /// Whether the inputs leave every rule at rest that is.
  @inline(__always)
  mutating func staysAtRest(
    _ judged: borrowing Judgement, _ system: Double?, _ inputs: borrowing Inputs, _ parameters: Parameters,
    at now: Instant
  ) -> Bool {
    let bmsTemperature = inputs.bmsTemperature.usable(Plausible.temperature, at: now, within: parameters.cellStale)
    return judged.isQuiet(parameters.quiet) && plausibility.isAtRest && inputs.isQuiet
      && inputs.areContactsQuiet(feedback, at: now, within: parameters.cellStale)
      && parameters.fits(inputs.cells.expectedCount)
      && (bmsTemperature ?? -.infinity) < Parameters.highBMSTemperature
      && distributors.staysAtRest(inputs.distributors, used: usedFuses, at: now)
      // R71; both voltages are those of one bank.
      && (system.map { abs((judged.voltage ?? $0) - $0) <= ContactorSequence.contactDrop } ?? true)
  }
}

extension Judgement {
  /// Everything that is judged is there, fresh and in its quiet range.
  @inline(__always)
  func isQuiet(_ ranges: QuietRanges) -> Bool {
    guard voltageState.fault == .none, currentState.fault == .none, cellState.fault == .none,
      temperatureState.fault == .none,
      let voltage, let current, let lowestCell, let highestCell, let lowestTemperature, let highestTemperature
    else { return false }
    return ranges.voltage.contains(voltage) && abs(current) <= ranges.current
      && lowestCell.value > ranges.cellsAbove && highestCell.value < Parameters.highCell
      && lowestTemperature.value >= ranges.coldest && highestTemperature.value < Parameters.highTemperature
  }
}

extension Inputs {
  /// Nobody asks for anything, and those who tell only of what is wrong tell nothing.
  @inline(__always)
  var isQuiet: Bool {
    !shutdown && !areSettingsLost && !isStateNotStored && !isCalibrationLost && !isUpdating && !isUpdateFailing
      && batteryLowCellSettings == nil && battery.isEmpty && wiringFaults.isEmpty
  }

  /// The contactors say what they said in the last step, and every other contact that is wired is closed.
  @inline(__always)
  func areContactsQuiet(
    _ feedback: (Feedback.State, Feedback.State), at now: Instant, within age: TimeSpan
  ) -> Bool {
    func isQuiet(_ contact: ContactFeedback) -> Bool {
      contact.validity == .unassigned || contact.state(at: now, within: age) == .closed
    }
    return contactorFeedback.state(at: now, within: age) == feedback.0
      && secondContactorFeedback.state(at: now, within: age) == feedback.1 && isQuiet(thermalSwitch)
      && isQuiet(secondThermalSwitch) && isQuiet(internalSupply) && isQuiet(fan) && isQuiet(secondFan)
      && remote.state(at: now, within: age) == .closed
  }
}
