public import BatterySimulator
public import CANBus
public import MonotonicTime
import NMEA2000
import VECan

/// The electronics of the batteries: cell voltages by register 0x0381 (each cell) or 0x0385 (lowest and highest), and cell
/// temperatures by 0x0386 (vecan.md section 2.6). A cell that is not read is told as not available.
public struct CellMonitorDevice: SimulatedDevice {
  static let interval = TimeSpan.milliseconds(500)
  static let temperatureInterval = TimeSpan.milliseconds(1500)
  static let registers: [Register] = [.batteryConfiguration, .cellVoltages, .cellTemperatures]

  public var port: DevicePort
  private var ear = Ear(Self.registers)
  private let isEachCellTold: Bool
  private let places: [(battery: Int, cell: Int)]
  private let configuration: (batteries: Int, cells: Int, parallel: Int, series: Int)
  private var voltages: Pacer
  private var temperatures: Pacer
  private var volts: [Double?] = []
  private var celsius: [Double?] = []

  init(_ port: DevicePort, isEachCellTold: Bool, plant: Plant, at now: Instant) {
    self.port = port
    self.isEachCellTold = isEachCellTold
    var places: [(battery: Int, cell: Int)] = []
    var battery = 0
    for string in plant.bank.strings {
      for one in string.batteries {
        battery += 1
        for cell in 0..<one.cellCount { places.append((battery, cell + 1)) }
      }
    }
    self.places = places
    let first = plant.bank.strings.first
    configuration = (
      battery, first?.batteries.first?.cellCount ?? 0, plant.bank.strings.count, first?.batteries.count ?? 0
    )
    voltages = Pacer(Self.interval, from: now)
    temperatures = Pacer(Self.temperatureInterval, from: now)
  }

  public var nextDeadline: Instant {
    min(port.nextDeadline, voltages.next, min(temperatures.next, ear.server.nextDeadline))
  }

  public mutating func receive(_ frame: CANDataFrame, at now: Instant) { port.receive(frame, at: now, ear: &ear) }

  public mutating func takeNews() -> [String] { [] }

  public mutating func run(at now: Instant, plant: inout Plant) {
    port.tick(at: now)
    ear.registers.removeAll(keepingCapacity: true)
    volts = plant.cellReadings
    celsius = (0..<plant.bank.batteryCount).map { plant.temperature(ofBattery: $0) }
    guard port.mayTalk else { return }
    if voltages.isDue(at: now) {
      if isEachCellTold {
        for (place, volts) in zip(places, volts) {
          var message = RegisterMessage(.cellVoltage, .value(Double(place.battery)), .value(Double(place.cell)))
          message.set(Reading(volts), field: 2, of: .cellVoltage)
          port.report(message, at: now)
        }
      } else {
        port.report(extremes, at: now)
      }
    }
    if temperatures.isDue(at: now) { port.report(temperatureExtremes, at: now) }
    let own = self
    ear.answer(through: &port, at: now) { own.message($0) }
  }

  private func message(_ register: Register) -> RegisterMessage? {
    switch register {
    case .batteryConfiguration:
      var message = RegisterMessage(register, .value(Double(configuration.batteries)))
      for (field, count) in [configuration.cells, configuration.parallel, configuration.series].enumerated() {
        message.set(.value(Double(count)), field: field + 1, of: register)
      }
      return message
    case .cellVoltages: return extremes
    case .cellTemperatures: return temperatureExtremes
    default: return nil
    }
  }

  /// The extremes speak for all cells: with one unread they are not known.
  private var extremes: RegisterMessage {
    Self.extremes(of: volts, .cellVoltages)
  }

  private var temperatureExtremes: RegisterMessage {
    Self.extremes(of: celsius.map { $0.map { $0 + 273.15 } }, .cellTemperatures)
  }

  private static func extremes(of values: [Double?], _ register: Register) -> RegisterMessage {
    let known = values.compactMap { $0 }
    guard known.count == values.count, let low = known.min(), let high = known.max() else {
      return RegisterMessage(register)
    }
    return RegisterMessage(register, .value(low), .value(high))
  }
}
