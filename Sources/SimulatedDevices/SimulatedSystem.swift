public import BatterySimulator
public import CANBus
public import MonotonicTime
import NMEA2000

/// A battery system as devices on a bus, for a BMS beside it: battery monitor, cells, switching module, chargers, inverters,
/// Distributors and a GX-like coordinator around one plant.
///
/// The owner moves frames and time, and the plant: after each ``run(at:plant:)`` the plant is to be stepped under
/// ``commands``. The devices hear each other too, as over a wire.
public struct SimulatedSystem: Sendable {
  /// A charger or an inverter or both.
  public struct Converter: Sendable, Hashable {
    /// What people call it.
    public var label: String
    /// Its place among the plant's chargers.
    public var charger: Int?
    /// Its place among the plant's inverters.
    public var inverter: Int?

    /// A converter of these parts.
    public init(_ label: String, charger: Int? = nil, inverter: Int? = nil) {
      self.label = label
      self.charger = charger
      self.inverter = inverter
    }
  }

  /// What there is.
  public struct Configuration: Sendable {
    /// The bank's capacity, ampere-hours.
    public var capacity = 200.0
    /// Whether each cell is told, or the lowest and the highest only.
    public var isEachCellTold = true
    /// Chargers and inverters.
    public var converters: [Converter] = []
    /// Where the coordinator reads the limits from.
    public var coordinatorSource = Coordinator.Source.registers
    /// Whether the alternator's enable input hangs on the programmable relay; otherwise on ATC.
    public var isAlternatorOnRelay = false

    /// A system without chargers.
    public init() {}
  }

  /// The plant is to be stepped this often while nothing moves.
  public static let plantInterval = TimeSpan.milliseconds(100)
  /// While contacts move and the bus is pre-charged.
  public static let finePlantInterval = TimeSpan.milliseconds(10)
  /// Steps stay short so long after a contact was commanded.
  static let settling = TimeSpan.milliseconds(500)

  private var devices: [any SimulatedDevice]
  private var turn = 0
  private var isFineUntil = Instant(nanoseconds: .min)
  private var isAlternatorOnRelay: Bool
  /// What the plant is to obey: what the contacts of the switching module are. Limits go to each device itself.
  public private(set) var commands = Commands()

  /// Devices that are plugged in now.
  public init(_ configuration: Configuration, plant: Plant, at now: Instant) {
    isAlternatorOnRelay = configuration.isAlternatorOnRelay
    let monitor = Self.monitorPort("monitor", uniqueNumber: 1001, address: 20)
    devices = [
      BatteryMonitorDevice(monitor, plant: plant, capacity: configuration.capacity, at: now),
      CellMonitorDevice(
        Self.port("cells", 1002, DeviceFunctions.generation, DeviceFunctions.battery, instance: 2, address: 21),
        isEachCellTold: configuration.isEachCellTold, plant: plant, at: now),
      SwitchingModuleDevice(
        Self.port(
          "module", 1003, DeviceFunctions.distribution, DeviceFunctions.loadController, address: 22,
          transmitted: [BinarySwitchBankStatus.definition.pgn], isRequestable: true), at: now),
      Coordinator(
        Self.port("coordinator", 1004, DeviceFunctions.gxClass, DeviceFunctions.gxFunction, address: 23),
        source: configuration.coordinatorSource, at: now),
    ]
    if !plant.distributors.isEmpty {
      devices.append(
        DistributorDevice(
          Self.port("distributors", 1005, DeviceFunctions.distribution, DeviceFunctions.loadController, address: 24),
          at: now))
    }
    for (index, converter) in configuration.converters.enumerated() {
      let function =
        converter.charger == nil
        ? DeviceFunctions.inverter
        : converter.inverter == nil ? DeviceFunctions.charger : DeviceFunctions.inverterCharger
      devices.append(
        PowerDevice(
          Self.port(
            converter.label, 1010 + UInt32(index), DeviceFunctions.generation, function,
            address: UInt8(min(30 + index, 250)),
            transmitted: [ChargerStatus.definition.pgn, InverterStatus.definition.pgn]), charger: converter.charger,
          inverter: converter.inverter, at: now))
    }
    // A second monitor with the first one's instances, which is not there until it is plugged in.
    devices.append(
      BatteryMonitorDevice(
        Self.monitorPort("twin", uniqueNumber: 1006, address: 25), plant: plant, capacity: configuration.capacity,
        at: now))
    for index in devices.indices where devices[index].port.label != "twin" { devices[index].port.plug(at: now) }
  }

  private static func monitorPort(_ label: String, uniqueNumber: UInt32, address: UInt8) -> DevicePort {
    port(
      label, uniqueNumber, DeviceFunctions.generation, DeviceFunctions.battery, instance: 1, address: address,
      transmitted: [BatteryStatus.definition.pgn, DCDetailedStatus.definition.pgn])
  }

  private static func port(
    _ label: String, _ number: UInt32, _ deviceClass: UInt8, _ function: UInt8, instance: UInt8 = 0, address: UInt8,
    transmitted: [PGN] = [], isRequestable: Bool = false
  ) -> DevicePort {
    DevicePort(
      label,
      Name(
        uniqueNumber: number, manufacturer: DevicePort.manufacturer, deviceInstance: instance, function: function,
        deviceClass: deviceClass), address: address, transmitted: transmitted, isRequestable: isRequestable)
  }

  /// What people call the devices.
  public var labels: [String] { devices.map(\.port.label) }

  /// The address that a device holds; nil when it has none.
  public func address(of label: String) -> UInt8? { devices.first { $0.port.label == label }?.port.node.address }

  /// The coordinator.
  public var coordinator: Coordinator? { devices.lazy.compactMap { $0 as? Coordinator }.first }

  // MARK: Frames and time

  /// When ``run(at:plant:)`` is due.
  public var nextDeadline: Instant {
    devices.reduce(Instant(nanoseconds: .max)) { min($0, $1.nextDeadline) }
  }

  /// How long the plant's next step is to be.
  public func plantInterval(at now: Instant) -> TimeSpan {
    now < isFineUntil || commands.closesPrecharge ? Self.finePlantInterval : Self.plantInterval
  }

  /// Takes a frame from the bus.
  public mutating func receive(_ frame: CANDataFrame, at now: Instant) {
    for index in devices.indices { devices[index].receive(frame, at: now) }
  }

  /// Lets the devices do what is due; those read the plant that have something to do.
  public mutating func run(at now: Instant, plant: inout Plant) {
    for index in devices.indices where devices[index].nextDeadline <= now { devices[index].run(at: now, plant: &plant) }
    takeContacts(at: now)
  }

  /// The next frame for the bus, a message's frames one after the other; nil when none waits. The other devices have
  /// heard it then.
  public mutating func nextFrame(at now: Instant) -> CANDataFrame? {
    for _ in devices.indices {
      if let entry = devices[turn].port.node.outbox.popFirst() {
        let sender = turn
        if entry.remaining == 0 { turn = (turn + 1) % devices.count }
        for index in devices.indices where index != sender { devices[index].receive(entry.frame, at: now) }
        return entry.frame
      }
      turn = (turn + 1) % devices.count
    }
    return nil
  }

  /// The bus is back: everything that is plugged in claims again.
  public mutating func join(at now: Instant) {
    for index in devices.indices where devices[index].port.isPlugged { devices[index].port.node.start(at: now) }
  }

  /// The bus is gone.
  public mutating func linkLost(at now: Instant) {
    for index in devices.indices where devices[index].port.isPlugged { devices[index].port.node.stop(at: now) }
  }

  private mutating func takeContacts(at now: Instant) {
    guard let module = devices.lazy.compactMap({ $0 as? SwitchingModuleDevice }).first else { return }
    var new = Commands()
    new.closesContactor = module.isOn(.contactor)
    new.closesPrecharge = module.isOn(.precharge)
    new.allowsCharge = module.isOn(.allowToCharge)
    new.allowsDischarge = module.isOn(.allowToDischarge)
    new.allowsAlternator = isAlternatorOnRelay ? module.isOn(.relay) : module.isOn(.allowToCharge)
    if new != commands { isFineUntil = now + Self.settling }
    commands = new
  }

  // MARK: What is done to devices

  /// Does something to a device; false when there is no such device, or it is nothing for it.
  public mutating func perform(_ order: DeviceOrder, on label: String, at now: Instant) -> Bool {
    guard let index = devices.firstIndex(where: { $0.port.label == label }) else { return false }
    switch order {
    case .plug: devices[index].port.plug(at: now)
    case .unplug: devices[index].port.unplug(at: now)
    case .refuse, .pretend, .move, .obey:
      guard var module = devices[index] as? SwitchingModuleDevice, module.perform(order) else { return false }
      devices[index] = module
    }
    return true
  }

  /// What happened since the last call, with who it happened to.
  public mutating func takeNews() -> [(label: String, text: String)] {
    var news: [(label: String, text: String)] = []
    for index in devices.indices {
      for text in devices[index].takeNews() { news.append((devices[index].port.label, text)) }
    }
    return news
  }
}
