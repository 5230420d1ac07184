import BMSCore
import BMSDevice
import BatterySimulator
import CANBus
import MonotonicTime
import NMEA2000
import Testing

@testable import SimulatedDevices

/// The simulated system and a BMS on one wire, in virtual time.
struct SystemBench {
  var device: BMSDevice
  var system: SimulatedSystem
  var plant: Plant
  var now = Instant.origin
  var news: [(at: Instant, label: String, text: String)] = []

  static let step = TimeSpan.milliseconds(10)

  init() {
    var bank = BankParameters()
    bank.battery = .uniform
    bank.stateOfCharge = 0.6
    plant = Plant(Bank(bank))
    plant.chargers = [Charger(rating: 40)]
    var load = Load(.power(60))
    load.lockoutVoltage = 9.3
    plant.loads = [load]
    plant.measureCells()
    var configuration = SimulatedSystem.Configuration()
    configuration.converters = [.init("solar", charger: 0)]
    system = SimulatedSystem(configuration, plant: plant, at: .origin)
    device = BMSDevice(configuration: Self.wiring, randomSeed: 1, at: .origin)
    device.join(at: .origin)
  }

  /// As Config/simulator.toml.
  static var wiring: DeviceConfiguration {
    var configuration = DeviceConfiguration()
    configuration.identity.uniqueNumber = 42
    let monitor = DeviceSelector(manufacturer: 2046, function: 170, deviceClass: 35, deviceInstance: 1)
    configuration.monitor = MonitorWiring(sender: monitor)
    configuration.systemVoltage = ValueWiring(sender: monitor, place: .batteryStatus(instance: 1))
    configuration.cells = CellWiring(sender: DeviceSelector(manufacturer: 2046, uniqueNumber: 1002))
    let module = DeviceSelector(manufacturer: 2046, uniqueNumber: 1003)
    configuration.indicators[.contactorFeedback] = IndicatorWiring(sender: module, indicator: 7)
    for (index, role) in [WiredRole.contactor, .precharge, .allowToCharge, .allowToDischarge, .relay].enumerated() {
      configuration.switches[role] = SwitchWiring(IndicatorWiring(sender: module, indicator: UInt8(index + 1)))
    }
    return configuration
  }

  mutating func run(_ span: TimeSpan) {
    let end = now + span
    while now < end {
      now += Self.step
      plant.step(system.commands, seconds: Self.step.seconds)
      plant.measureCells()
      exchange()
      for (label, text) in system.takeNews() { news.append((now, label, text)) }
    }
  }

  /// Until nobody has anything to say.
  private mutating func exchange() {
    for _ in 0..<20 {
      system.run(at: now, plant: &plant)
      device.run(at: now)
      var isQuiet = true
      while let frame = system.nextFrame(at: now) {
        device.receive(ReceivedFrame(.data(frame), at: now), at: now)
        isQuiet = false
      }
      while let entry = device.outbox.popFirst() {
        system.receive(entry.frame, at: now)
        isQuiet = false
      }
      if isQuiet { return }
    }
  }
}

@Suite("The simulated system and the BMS on one wire")
struct SimulatedSystemTests {
  @Test("comes up: pre-charge, contactor, limits handed on, and the charger charges")
  func comesUp() {
    var bench = SystemBench()
    bench.run(.seconds(20))
    #expect(bench.plant.contactors[0].isClosed)
    #expect(bench.system.commands.allowsCharge && bench.system.commands.allowsDischarge)
    #expect(bench.system.coordinator?.limits.chargeVoltage == 14.2)
    #expect(bench.plant.chargers[0].current > 35, "\(bench.plant.chargers[0].current) A")
    let order = bench.news.filter { $0.label == "module" }.map(\.text).filter { $0.contains("commanded on") }
    let places = ["precharge", "contactor", "atc"].compactMap { name in order.firstIndex { $0.hasPrefix(name) } }
    #expect(places == places.sorted() && places.count == 3, "\(order)")
  }

  @Test("every device has an address of its own")
  func addresses() {
    var bench = SystemBench()
    bench.run(.seconds(3))
    let addresses = bench.system.labels.filter { $0 != "twin" }.map { bench.system.address(of: $0) }
    #expect(!addresses.contains(nil) && Set(addresses).count == addresses.count, "\(addresses)")
  }

  @Test("what the module says of the contactor is the contactor, not the command")
  func weldedContactor() {
    var bench = SystemBench()
    bench.run(.seconds(5))
    #expect(bench.plant.contactors[0].isClosed)
    bench.plant.begin(.contactor(0, .stuckOpen))
    bench.run(.seconds(2))
    #expect(!bench.plant.contactors[0].isClosed)
    #expect(!bench.system.commands.allowsCharge, "the BMS believes the contact and not its command")
  }

  @Test("a charger stops by itself 60 s after the last order, and not before")
  func coordinatorGone() {
    var bench = SystemBench()
    bench.run(.seconds(15))
    let isDone = bench.system.perform(.unplug, on: "coordinator", at: bench.now)
    #expect(isDone)
    bench.run(.seconds(56))
    #expect(bench.plant.chargers[0].current > 35)
    bench.run(.seconds(5))
    #expect(bench.plant.chargers[0].current == 0)
    #expect(bench.plant.contactors[0].isClosed)
  }

  @Test("without CVL there is no BMS, and nothing is written")
  func withdrawn() {
    var bench = SystemBench()
    bench.run(.seconds(15))
    bench.device.withdraw(at: bench.now)
    bench.run(.seconds(4))
    #expect(bench.system.coordinator?.isControlled == false)
  }
}
