// Faults on command: the list of bms-anchors.md section 4.3, and what each does to the plant.

/// A sensor of the plant. Batteries are numbered over all strings, from 0.
public enum Sensor: Sendable, Hashable {
  /// The shunt.
  case current
  /// Before the contactor.
  case batteryVoltage
  /// Behind the contactor.
  case systemVoltage
  /// One cell.
  case cell(battery: Int, cell: Int)
  /// The temperature of one battery.
  case temperature(battery: Int)
}

/// Something that breaks, and can be whole again.
public enum Fault: Sendable, Hashable {
  /// Over-voltage of one cell: this much charge, ampere-hours, appears in it; less than nothing is under-voltage.
  /// It happens once; ending it changes nothing.
  case cellCharge(battery: Int, cell: Int, ampereHours: Double)
  /// A short inside of a cell drains it, amperes.
  case cellShort(battery: Int, cell: Int, amperes: Double)
  /// Over-voltage of all: a charger obeys nobody and charges to this, volts.
  case chargerRunaway(charger: Int, volts: Double)
  /// Over- or under-temperature: a battery has this many degrees Celsius at once.
  case temperature(battery: Int, celsius: Double)
  /// The air around all batteries, degrees Celsius; ending it brings back what was.
  case ambient(celsius: Double)
  /// Over-current into the battery, amperes, from a source that obeys nobody.
  case surgeCharge(amperes: Double)
  /// Over-current out of it, amperes, into a load that obeys nobody.
  case surgeDischarge(amperes: Double)
  /// A load that the shunt does not see, amperes.
  case bypassLoad(amperes: Double)
  /// A sensor says nothing.
  case sensorLost(Sensor)
  /// A sensor repeats its last value.
  case sensorFrozen(Sensor)
  /// A sensor reads this much too much, in its unit.
  case sensorOffset(Sensor, by: Double)
  /// A contactor of the one or two is ill.
  case contactor(Int, ContactorFault)
  /// The pre-charge resistor is broken: its switch does nothing.
  case prechargeOpen
  /// A resistance across the bus, ohms: a short circuit (0.01) or a load too large to pre-charge (5).
  case busResistance(ohms: Double)
  /// A string's fuse is blown.
  case stringFuse(Int)
  /// A fuse of a distributor is blown.
  case fuse(distributor: Int, fuse: Int)
  /// A distributor does not answer.
  case distributorSilent(Int)
  /// The bus carries nothing: no measurement arrives, and chargers hear no limits.
  case busSilent
  /// The process that commands is gone: chargers hear no limits, contacts hold what they had.
  case commandsLost
  /// A second device with the same address. The plant does not know of it.
  case duplicateAddress
  /// The wall clock jumps, seconds. The plant has no wall clock.
  case clockJump(seconds: Double)
  /// The stored state is damaged. The plant stores nothing.
  case stateCorrupt
  /// Nothing can be stored.
  case diskFull
  /// The process is killed. What drives the plant must start it again.
  case processKilled
  /// A member of a parallel group is gone. A plant is one member.
  case memberLost

  /// Whether the plant itself shows the fault; the others are the work of what drives it.
  public var isPhysical: Bool {
    switch self {
    case .duplicateAddress, .clockJump, .stateCorrupt, .diskFull, .processKilled, .memberLost: false
    default: true
    }
  }
}
