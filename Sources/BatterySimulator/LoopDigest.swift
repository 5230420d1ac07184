import BMSCore

// A run in one number, so that two runs can be compared to the bit.

/// A digest over the steps of a run: outputs, commands and the plant's voltages and current.
public struct LoopDigest: Sendable, Hashable {
  /// The digest up to now.
  public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  /// Of no step.
  public init() {}

  /// Takes in a step.
  public mutating func take(_ loop: ClosedLoop) {
    let outputs = loop.outputs
    mix(UInt64(bitPattern: loop.now.nanoseconds))
    let contacts: [Bool] = [
      outputs.chargeAllowed, outputs.dischargeAllowed, outputs.contactorCommand, outputs.prechargeCommand,
      outputs.relayActive, outputs.auxiliary, outputs.limits.isAvailable, loop.isRunning,
    ]
    var bits: UInt64 = 0
    for contact in contacts { bits = bits << 1 | (contact ? 1 : 0) }
    bits = bits << 8 | UInt64(outputs.state.rawValue)
    bits = bits << 8 | UInt64(outputs.mode.rawValue)
    bits = bits << 8 | UInt64(outputs.contactorPhase.rawValue)
    bits = bits << 8 | UInt64(outputs.chargeReason.rule.rawValue)
    bits = bits << 8 | UInt64(outputs.dischargeReason.rule.rawValue)
    mix(bits)
    mix(UInt64(truncatingIfNeeded: outputs.alarms.bits))
    mix(UInt64(truncatingIfNeeded: outputs.alarms.bits >> 64))
    mix(UInt64(outputs.chargeBlocks.rawValue) << 32 | UInt64(outputs.dischargeBlocks.rawValue))
    mix(outputs.limits.chargeVoltage)
    mix(outputs.limits.chargeCurrent)
    mix(outputs.limits.dischargeCurrent)
    mix(outputs.stateOfCharge)
    mix(outputs.voltage)
    mix(outputs.current)
    mix(outputs.lowestCell?.value)
    mix(outputs.highestCell?.value)
    mix(loop.plant.batteryVoltage)
    mix(loop.plant.systemVoltage)
    mix(loop.plant.current)
  }

  private mutating func mix(_ value: Double?) { mix(value?.bitPattern ?? .max) }

  private mutating func mix(_ word: UInt64) {
    value = (value ^ word) &* 0x9E37_79B9_7F4A_7C15
    value ^= value >> 29
  }
}
