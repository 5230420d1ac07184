// What measuring adds: a shunt with gain error, offset, noise, steps and clip; voltage sensors with offset, steps, delay,
// drop-out and freeze (battery-physics.md section 9).

/// A fault that every sensor can have.
public enum SensorFault: UInt8, Sendable, Hashable {
  /// None.
  case none
  /// It says nothing.
  case lost
  /// It repeats its last value.
  case frozen
}

/// A current sensor.
public struct Shunt: Sendable, Hashable {
  /// Ohms, in the path of the current.
  public var resistance = 0.0001
  /// Share by which it reads too much: 0.1 to 0.5 %.
  public var gainError = 0.002
  /// What it reads without current, amperes: 0 to 50 mA.
  public var offset = 0.0
  /// Deviation of its noise, amperes.
  public var noise = 0.020
  /// Its steps, amperes: 10 mA inside, 0.1 A as published.
  public var resolution = 0.01
  /// The most it can show, amperes.
  public var clip = 1200.0
  /// What is wrong with it.
  public var fault = SensorFault.none
  /// Heat of the resistance, joules.
  public internal(set) var heat = 0.0
  private var shown = 0.0

  /// The default: 0.2 % and 20 mA of noise.
  public init() {}

  /// A perfect one without resistance error; it keeps its resistance.
  public static var ideal: Shunt {
    var shunt = Shunt()
    shunt.gainError = 0
    shunt.noise = 0
    shunt.resolution = 0
    return shunt
  }

  /// What it shows of a true current; nil when it is lost.
  public mutating func measure(_ current: Double, random: inout SeededGenerator) -> Double? {
    guard fault != .lost else { return nil }
    guard fault == .none else { return shown }
    var value = current * (1 + gainError) + offset
    if noise > 0 { value += noise * random.normal() }
    if resolution > 0 { value = inSteps(value, of: resolution, count: value / resolution) }
    shown = min(max(value, -clip), clip)
    return shown
  }
}

/// A voltage sensor, for one cell or the whole bank. It samples, and shows the sample later.
public struct VoltageSensor: Sendable, Hashable {
  /// What it reads too much, volts: 2 mV for a cell.
  public var offset = 0.0
  /// Its steps, volts: 1 mV for a cell, 10 mV for a bank.
  public var resolution: Double {
    didSet {
      stepsPerVolt = resolution > 0 ? 1 / resolution : 0
      noteWhatIsPlain()
    }
  }
  /// It samples and shows this often, seconds: what it shows is up to two periods old.
  public var delay = 0.0 {
    didSet { noteWhatIsPlain() }
  }
  /// Share of the samples that are lost.
  public var dropout = 0.0 {
    didSet { noteWhatIsPlain() }
  }
  /// What is wrong with it.
  public var fault = SensorFault.none {
    didSet { noteWhatIsPlain() }
  }
  private var stepsPerVolt: Double
  /// It is healthy, has steps of a nanovolt or more, loses nothing and shows at once.
  private(set) var isPlain = true
  private var shown: Double?
  private var sampled: Double?
  private var since = 0.0

  /// A sensor without error but its steps.
  public init(resolution: Double = 0.001) {
    self.resolution = resolution
    stepsPerVolt = resolution > 0 ? 1 / resolution : 0
    noteWhatIsPlain()
  }

  /// Lets time pass and takes the true voltage in; returns what it shows, nil when nothing arrives.
  @inline(__always)
  public mutating func measure(_ volts: Double, seconds: Double, random: inout SeededGenerator) -> Double? {
    guard isPlain else { return measureSlowly(volts, seconds: seconds, random: &random) }
    let value = inItsSteps(volts)
    shown = value
    return value
  }

  @inline(__always)
  private func inItsSteps(_ volts: Double) -> Double {
    let value = volts + offset
    return inSteps(value, of: resolution, count: value * stepsPerVolt)
  }

  private mutating func noteWhatIsPlain() {
    isPlain = fault == .none && resolution >= 1e-9 && dropout <= 0 && delay <= 0
  }

  /// What it showed while a ``SensorPair`` did its work.
  mutating func note(_ shown: Double) { self.shown = shown }

  private mutating func measureSlowly(
    _ volts: Double, seconds: Double, random: inout SeededGenerator
  ) -> Double? {
    guard fault != .lost else { return nil }
    if dropout > 0, random.uniform() < dropout { return nil }
    guard fault == .none else { return shown }
    let value = resolution > 0 ? inItsSteps(volts) : volts + offset
    guard delay > 0 else {
      shown = value
      return value
    }
    since += seconds
    if since >= delay || sampled == nil {
      since = 0
      shown = sampled ?? value
      sampled = value
    }
    return shown
  }
}

/// The sensors of two cells side by side, for as long as they are plain: a bank's cells are read in every step, and each
/// sensor then shows what it sees, in its steps.
struct SensorPair: Sendable {
  private var offset = SIMD2<Double>()
  private var stepsPerVolt = SIMD2<Double>()
  private var resolution = SIMD2<Double>()

  /// The sensor of an even cell first, that of an odd one second.
  mutating func put(_ sensor: VoltageSensor, _ cell: Int) {
    offset[cell: cell] = sensor.offset
    stepsPerVolt[cell: cell] = 1 / sensor.resolution
    resolution[cell: cell] = sensor.resolution
  }

  /// What they show of these volts.
  @inline(__always)
  func shown(_ volts: SIMD2<Double>) -> SIMD2<Double> {
    // Rounded as in ``inSteps(_:of:count:)``: a plain sensor's steps leave room for that.
    let count = (volts + offset) * stepsPerVolt
    return (count + 0x1.8p52 - 0x1.8p52) * resolution
  }
}

/// The temperature sensors of the batteries, by the battery's number: no error but what faults on command add.
struct TemperatureSensors: Sendable {
  /// What a frozen one repeats, degrees Celsius.
  var frozen: [Int: Double] = [:]
  /// By how much one is off, kelvin.
  var offsets: [Int: Double] = [:]
  /// Those that say nothing.
  var lost: Set<Int> = []

  /// Whether each shows what it sees.
  var areHealthy: Bool { lost.isEmpty && frozen.isEmpty && offsets.isEmpty }

  /// What the sensor of a battery shows, degrees Celsius; nil when it says nothing.
  func shown(_ celsius: Double, ofBattery index: Int) -> Double? {
    if areHealthy { return celsius }
    guard !lost.contains(index) else { return nil }
    return frozen[index] ?? celsius + (offsets[index] ?? 0)
  }
}
