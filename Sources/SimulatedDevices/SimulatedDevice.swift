public import BatterySimulator
public import CANBus
public import MonotonicTime

/// A device of the simulated system: a part of the plant with a node of its own.
///
/// Frames and time go in; frames wait in its port's node. What it measures it reads from the plant, and what it does it
/// does to the plant: nothing else passes between two devices but frames.
public protocol SimulatedDevice: Sendable {
  /// Its place on the bus.
  var port: DevicePort { get set }
  /// When ``run(at:plant:)`` is due.
  var nextDeadline: Instant { get }
  /// Takes a frame of somebody else.
  mutating func receive(_ frame: CANDataFrame, at now: Instant)
  /// Does what is due.
  mutating func run(at now: Instant, plant: inout Plant)
  /// What happened in it since the last call, in words.
  mutating func takeNews() -> [String]
}

/// Something that is done to a device, and not to the plant.
public enum DeviceOrder: Sendable, Hashable {
  /// It is on the bus.
  case plug
  /// It is off the bus, without a word; its contacts stay as they are.
  case unplug
  /// A switching module refuses commands to an indicator.
  case refuse(Int)
  /// A switching module acknowledges commands to an indicator and does nothing.
  case pretend(Int)
  /// A switching module moves one of its contacts that nobody commanded.
  case move(Int, isOn: Bool)
  /// A switching module obeys again.
  case obey
}
