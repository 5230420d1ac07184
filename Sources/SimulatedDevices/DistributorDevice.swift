public import BatterySimulator
public import CANBus
public import MonotonicTime
import NMEA2000
import VECan

/// Who reads the Lynx Distributors: registers 0x2150 and 0x2152 to 0x2155 (vecan.md section 2.6).
public struct DistributorDevice: SimulatedDevice {
  static let interval = TimeSpan.seconds(1)
  /// A Distributor's electronics say "no power" below this on their busbar, volts. Not stated; as an MCU's supply.
  static let supply = 5.0
  static let fuses: [Register] = [.fusesA, .fusesB, .fusesC, .fusesD]

  public var port: DevicePort
  private var ear = Ear([.distributors] + Self.fuses)
  private var status: Pacer
  private var distributors: [Distributor] = []
  private var bus = 0.0

  init(_ port: DevicePort, at now: Instant) {
    self.port = port
    status = Pacer(Self.interval, from: now)
  }

  public var nextDeadline: Instant { min(port.nextDeadline, status.next, ear.server.nextDeadline) }

  public mutating func receive(_ frame: CANDataFrame, at now: Instant) { port.receive(frame, at: now, ear: &ear) }

  public mutating func takeNews() -> [String] { [] }

  public mutating func run(at now: Instant, plant: inout Plant) {
    port.tick(at: now)
    ear.registers.removeAll(keepingCapacity: true)
    distributors = plant.distributors
    bus = plant.systemVoltage
    guard port.mayTalk else { return }
    if status.isDue(at: now) {
      for register in [Register.distributors] + Self.fuses {
        if let message = message(register) { port.report(message, at: now) }
      }
    }
    let own = self
    ear.answer(through: &port, at: now) { own.message($0) }
  }

  private func message(_ register: Register) -> RegisterMessage? {
    if register == .distributors {
      var message = RegisterMessage(register)
      for (address, place) in [DistributorPlace.a, .b, .c, .d].enumerated() {
        guard let distributor = distributor(address) else { continue }
        let hasPower = distributor.isPowered && bus > Self.supply
        message[place] = !distributor.answers ? .communicationLost : hasPower ? .connected : .noPower
      }
      return message
    }
    guard let address = Self.fuses.firstIndex(of: register), let distributor = distributor(address),
      distributor.answers
    else { return nil }
    var message = RegisterMessage(register)
    for (fuse, place) in [FusePlace.fuse1, .fuse2, .fuse3, .fuse4].enumerated() {
      message[place] = distributor.conducts(fuse) ? .ok : .blown
    }
    return message
  }

  private func distributor(_ address: Int) -> Distributor? { distributors.first { Int($0.address) == address } }
}
