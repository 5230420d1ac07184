// Strings in parallel: they share the voltage, and the currents follow (battery-physics.md section 9).

/// How a bank is made.
public struct BankParameters: Sendable, Hashable {
  /// Each of its batteries.
  public var battery = BatteryParameters()
  /// Batteries in series in a string.
  public var batteriesInSeries = 1
  /// Strings in parallel.
  public var strings = 1
  /// State of charge at the start, 0...1.
  public var stateOfCharge = 0.9
  /// Temperature of batteries and air at the start, degrees Celsius.
  public var celsius = 25.0
  /// The seed of all spreads.
  public var seed: UInt64 = 1

  /// One 12.8 V battery of 200 Ah.
  public init() {}
}

/// Strings in parallel at two terminals.
public struct Bank: Sendable {
  /// The strings.
  public internal(set) var strings: [BatteryString] {
    get { members }
    set {
      members = newValue
      prepared.seconds = 0
    }
  }
  /// Voltage at the terminals as the mean of the last step, volts; before the first step at rest.
  public private(set) var stepVoltage: Double
  /// Current of the last step, amperes, charge positive.
  public private(set) var current = 0.0
  /// Energy that came in through the terminals, joules.
  public private(set) var energyIn = 0.0

  private var members: [BatteryString]
  /// The bank in a step as long as the last one, when nothing but steps changed it.
  private var prepared = Prepared()

  private struct Prepared: Sendable {
    var seconds = 0.0
    var conductance = 0.0
    var injection = 0.0
  }

  /// A rested bank; the manual allows up to 20 batteries.
  public init(_ parameters: BankParameters = BankParameters()) {
    var random = SeededGenerator(seed: parameters.seed)
    let strings = min(max(parameters.strings, 1), 20)
    let series = min(max(parameters.batteriesInSeries, 1), 20)
    self.init(
      (0..<strings).map { _ in
        BatteryString(
          (0..<series).map { _ in
            Battery(
              parameters.battery, stateOfCharge: parameters.stateOfCharge, celsius: parameters.celsius,
              random: &random)
          })
      })
  }

  /// A bank of these strings.
  public init(_ strings: [BatteryString]) {
    members = strings
    stepVoltage = strings.first?.voltage ?? 0
  }

  /// Voltage at the terminals now, volts: the mean of the connected strings, which agree but for the last digits.
  public var voltage: Double {
    var sum = 0.0
    var count = 0.0
    for string in strings where string.isConnected {
      sum += string.voltage
      count += 1
    }
    return count > 0 ? sum / count : 0
  }

  /// The batteries of all strings in order.
  public var batteryCount: Int { strings.reduce(0) { $0 + $1.batteries.count } }

  /// Mean of the cells' states of charge, each within 0...1, by capacity.
  public var stateOfCharge: Double {
    var charge = 0.0
    var capacity = 0.0
    for string in strings {
      for battery in string.batteries {
        charge += battery.usableCharge
        capacity += battery.capacity
      }
    }
    return capacity > 0 ? charge / capacity : 0
  }

  /// Sets the air around all batteries, degrees Celsius.
  public mutating func setAmbient(_ celsius: Double) {
    for string in members.indices {
      for battery in members[string].batteries.indices { members[string].batteries[battery].ambient = celsius }
    }
  }

  /// Makes ready for a step: the bank as a conductance to ground with a current beside it.
  @inline(__always)
  mutating func prepare(seconds: Double) -> (conductance: Double, injection: Double) {
    if prepared.seconds != seconds {
      prepared = Prepared(seconds: seconds)
      for index in members.indices {
        members[index].prepare(seconds: seconds)
        prepared.conductance += members[index].stepConductance
        prepared.injection += members[index].stepSource * members[index].stepConductance
      }
    }
    return (prepared.conductance, prepared.injection)
  }

  /// Moves the prepared step on with this voltage at the terminals.
  @inline(__always)
  mutating func advance(voltage: Double, seconds: Double) {
    stepVoltage = voltage
    var sum = 0.0
    var next = Prepared(seconds: seconds)
    var strings = members.mutableSpan
    for index in strings.indices {
      strings[index].advance(voltage: voltage, seconds: seconds)
      sum += strings[index].current
      next.conductance += strings[index].stepConductance
      next.injection += strings[index].stepSource * strings[index].stepConductance
    }
    current = sum
    energyIn += voltage * sum * seconds
    prepared = next
  }

  /// Moves on by a step with a given current at the terminals, amperes, charge positive.
  public mutating func advance(current: Double, seconds: Double) {
    guard seconds > 0, seconds.isFinite, current.isFinite else { return }
    let (conductance, injection) = prepare(seconds: seconds)
    advance(voltage: conductance > 0 ? (injection + current) / conductance : 0, seconds: seconds)
  }

  /// Lets plain sensors look at all cells, and puts what they show into the readings. False when there are not as many
  /// sensors or readings as cells. Mutating although it changes nothing: a call that is not copies the batteries.
  @inline(__always)
  mutating func show(by sensors: [SensorPair], in readings: inout [Double?]) -> Bool {
    var strings = members.mutableSpan
    let sensors = sensors.span
    var readings = readings.mutableSpan
    var (place, pair) = (0, 0)
    for string in strings.indices {
      let current = strings[string].current
      var batteries = strings[string].batteries.mutableSpan
      for battery in batteries.indices {
        let count = batteries[battery].cellCount
        let end = pair + (count + 1) / 2
        guard end <= sensors.count, place + count <= readings.count else { return false }
        batteries[battery].show(at: current, by: sensors.extracting(pair..<end), in: &readings, from: place)
        place += count
        pair = end
      }
    }
    return true
  }

  /// Puts the temperatures of the batteries into the readings.
  @inline(__always)
  func showTemperatures(in readings: inout [Double?]) {
    let strings = members.span
    var readings = readings.mutableSpan
    var index = 0
    for string in strings.indices {
      let batteries = strings[string].batteries.span
      for battery in batteries.indices where index < readings.count {
        readings[index] = batteries[battery].celsius
        index += 1
      }
    }
  }

  /// Energy in the bank as charge and as heat, joules.
  public var totalEnergy: Double {
    strings.reduce(0) { $0 + $1.batteries.reduce(0) { $0 + $1.totalEnergy } }
  }
  /// Heat that left it into the air, joules.
  public var heatLost: Double {
    strings.reduce(0) { $0 + $1.wiringHeat + $1.batteries.reduce(0) { $0 + $1.heatLost } }
  }
  /// Energy that faults on command put in, joules.
  public var injected: Double { strings.reduce(0) { $0 + $1.batteries.reduce(0) { $0 + $1.injected } } }
}
