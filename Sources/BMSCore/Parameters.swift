import MonotonicTime

// The numbers a step works with, made once from the settings: bank volts instead of volts per 12 V, spans instead of
// seconds. The fixed numbers of the manual stand here and nowhere else.

struct Parameters: Sendable {
  /// R104, R105: high cell, fixed.
  static let highCell = 3.75
  static let highCellResume = 3.6
  /// OD-2: charging is reduced after a low cell until every cell is above.
  static let reducedUntil = 3.0
  /// OD-2: in amperes per ampere-hour.
  static let reducedRate = 0.1
  /// OD-6.
  static let lowTemperatureHysteresis = 2.0
  static let lowTemperatureHold = TimeSpan.seconds(60)
  /// OD-4.
  static let highTemperature = 50.0
  static let highTemperatureResume = 45.0
  static let veryHighTemperature = 55.0
  static let veryHighTemperatureResume = 50.0
  /// OD-5.
  static let highBMSTemperature = 75.0
  static let highBMSTemperatureResume = 70.0
  /// A reported state of charge begins the count while it is no older than this: six periods of 127506.
  static let reportedUntil = TimeSpan.seconds(9)
  /// OD-8.
  static let warningHysteresis = 1.0
  static let floorHysteresis = 5.0
  /// R159-R161, R345.
  static let chargeEfficiency = 0.99
  static let peukertExponent = 1.05
  static let peukertHours = 20.0
  static let currentThreshold = 0.05

  /// R80; ours, as long as other things that both voltages must agree on.
  static let reversedHold = TimeSpan.seconds(2)
  /// R25: so long after an update began to fail everything opens, and so old may a snapshot be that keeps a contactor.
  static let updateGrace = TimeSpan.seconds(120)

  // The error of the state of charge. Gain and offset are the worst of battery-physics.md section 9, twice the offset
  // because current below 0.05 A is not counted (R161); a real cell gives back 99.95 % (section 12). The other two are
  // ours: a tail of 4 % C above 3.5 V leaves less than 2 % to charge, and a hand sets no better than 5 %.
  static let shuntGain = 0.005
  static let shuntOffset = 0.1
  static let efficiencyError = 0.01
  static let synchronisedUncertainty = 0.02
  static let setUncertainty = 0.05

  // Plausibility. All ours, chosen so that a healthy bank stays at least twice away from each.

  /// Sum of cells against pack: 10 mV of each cell's sensor, 0.5 % of the pack's (17 mV a cell), doubled.
  static let sumPerCell = 0.05
  /// Ohms a cell for links, cables and fuses between cell and pack sensor: three times a good bank's.
  static let sumResistance = 0.0002
  /// A load that comes and goes puts cells and pack at different moments for one report, not for so long.
  static let sumWarns = TimeSpan.seconds(30)
  static let sumForbids = TimeSpan.seconds(60)
  static let sumClears = TimeSpan.seconds(10)
  /// 1200 A of change through 50 Ah cells (1 mOhm by battery-physics.md) moves a cell by 1.2 V; real banks of that
  /// rating have a tenth. What a broken sense wire shows is the whole cell, 3 V.
  static let cellJump = 1.5
  /// Two reports further apart than a stale one say nothing about speed.
  static let jumpWindow = TimeSpan.seconds(5)
  static let jumpHold = TimeSpan.seconds(10)
  /// Kelvin: a battery's mass takes minutes for one.
  static let temperatureJump = 20.0
  static let temperatureJumpHold = TimeSpan.seconds(60)
  /// A change of load, in volts a cell: five steps of the coarsest cell report (10 mV).
  static let eventPerCell = 0.05
  static let eventWindow = TimeSpan.seconds(10)
  /// Twice the age at which a cell is stale, so that every cell that is heard was sampled after the change.
  static let eventHold = TimeSpan.seconds(10)
  /// A change of current that a pack must show, in C: 25 mV a cell at 50 mOhm times Ah.
  static let eventRate = 0.5
  /// A change of current that has a sign, in C.
  static let signRate = 0.05
  static let signEvents = 3

  let nominal: Double
  /// Cells in series.
  let cells: Double
  /// R327.
  let strings: Double
  let capacity: Double
  let lowCell: Double
  /// Whether low cells are announced (R86).
  let preAlarm: Bool
  /// R83; without the batteries' signal it is the low cell voltage itself (R88).
  let preAlarmCell: Double
  /// OD-3.
  let preAlarmRelease: Double
  /// R90.
  let stopsDischargeAtPreAlarm: Bool
  /// R329, R330, R133.
  let relayIsAlternator: Bool
  let relayIsIntermittent: Bool
  let relayOnWarning: Bool
  let minimumChargeTemperature: Double
  let temperatureRequired: Bool
  let currentReversed: Bool
  /// OD-2.
  let derates: Bool
  /// R75.
  let opensAfterContact: Bool

  let floor: Double
  let warningLevel: Double
  let chargedVoltage: Double
  let tailCurrent: Double
  let chargedDetection: TimeSpan

  /// R136, capped by the installer.
  let fullChargeVoltage: Double
  let restingVoltage: Double
  let voltageCap: Double
  let fullChargeVoltageUncapped: Double
  /// R152.
  let restingDrop: Double
  /// OD-19.
  let absorptionStart: Double
  let absorptionPause: Double
  let absorptionSeconds: Double
  let intervalSeconds: Double
  let threshold: Double
  /// R140.
  let lowVoltageTrigger: Double
  /// R45.
  let chargeVoltageLevel: Double
  /// R150.
  let lowVoltageLimit: Double

  let rating: Double
  let peak: Double
  /// What may flow while nobody looks, amperes: 1 C, and no more than the contactor carries.
  let unseenRate: Double
  let chargeCap: Double
  let dischargeCap: Double

  /// Within these no rule that is at rest has anything to do (QuietStep.swift).
  let quiet: QuietRanges

  let cellLate: TimeSpan
  let cellStale: TimeSpan
  let measurementLate: TimeSpan
  let measurementStale: TimeSpan
  let withdrawn: TimeSpan

  init(_ settings: Settings) {
    let factor = settings.bankFactor
    nominal = settings[.nominalVoltage]
    strings = settings[.batteriesInParallel]
    cells = Double(settings.cellsInSeries)
    capacity = settings[.batteryCapacity]
    lowCell = settings[.lowCellVoltage]
    preAlarm = settings[.preAlarm] != 0
    preAlarmCell = settings[.preAlarmSignal] != 0 ? settings[.preAlarmVoltage] : settings[.lowCellVoltage]
    preAlarmRelease = quantised(preAlarmCell + LowCell.preAlarmHysteresis)
    stopsDischargeAtPreAlarm = settings[.dischargeLimitAtPreAlarm] != 0
    relayIsAlternator = settings[.relayAlternator] != 0
    relayIsIntermittent = settings[.relayIntermittent] != 0
    relayOnWarning = settings[.relayOnWarning] != 0
    minimumChargeTemperature = settings[.minimumChargeTemperature]
    temperatureRequired = settings[.temperatureRequired] != 0
    currentReversed = settings[.currentReversed] != 0
    derates = settings[.limitsNearCellEnds] != 0
    opensAfterContact = settings[.contactorAfterDischargeContact] != 0
    floor = settings[.dischargeFloor]
    warningLevel = settings[.lowStateOfChargeWarning]
    chargedVoltage = settings[.chargedVoltage] * factor
    tailCurrent = quantised(settings[.tailCurrent] * settings[.batteryCapacity] / 100)
    chargedDetection = TimeSpan(seconds: settings[.chargedDetectionTime] * 60)
    voltageCap = settings[.maximumChargeVoltage] * factor
    fullChargeVoltageUncapped = 14.2 * factor
    fullChargeVoltage = min(fullChargeVoltageUncapped, voltageCap)
    restingVoltage = min(13.5 * factor, voltageCap)
    restingDrop = 0.15 * factor
    absorptionStart = quantised(fullChargeVoltage - 0.05 * factor)
    absorptionPause = quantised(fullChargeVoltage - 0.2 * factor)
    absorptionSeconds = settings[.absorptionTime] * 3600
    intervalSeconds = settings[.repeatedAbsorptionInterval] * 86_400
    threshold = settings[.stateOfChargeThreshold]
    lowVoltageTrigger = 12 * factor
    chargeVoltageLevel = quantised(ChargeVoltage.level * factor)
    lowVoltageLimit = quantised(2.6 * Double(settings.cellsInSeries))
    rating = settings.continuousRating
    peak = settings.peakRating
    quiet = QuietRanges(
      voltage: VoltageWindows.window(of: nominal), current: min(rating, peak),
      cellsAbove: max(preAlarmCell, lowCell, LowCell.hardLimit), coldest: minimumChargeTemperature)
    unseenRate = min(settings[.batteryCapacity], settings.continuousRating)
    chargeCap = settings[.maximumChargeCurrent]
    dischargeCap = settings[.maximumDischargeCurrent]
    cellLate = TimeSpan(seconds: settings[.cellLate])
    cellStale = TimeSpan(seconds: settings[.cellStale])
    measurementLate = TimeSpan(seconds: settings[.measurementLate])
    measurementStale = TimeSpan(seconds: settings[.measurementStale])
    withdrawn = TimeSpan(seconds: settings[.limitsWithdrawn])
  }

  /// Whether so many cells are the bank that is set; 0 where it is not told how many there are (R2, R322).
  func fits(_ expectedCells: Int) -> Bool { expectedCells <= 0 || Double(expectedCells) == cells * strings }
}
