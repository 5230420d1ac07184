public import CANBus

extension Node {
  /// The frames that matter to the node and its application, so that the kernel can keep the others away: most of a bus
  /// concerns others, and each frame of it would wake the program.
  ///
  /// While the node has no address it hears everything, because a device that never claims still shows by any frame that
  /// its address is taken. Once it has one it hears what it understands, heartbeats and claims (who is still there), and
  /// whatever comes from its own address, which is how it notices an intruder. What it then does not know is a stranger
  /// that neither claims nor sends anything of interest.
  public var filters: [CANFilter] {
    guard let address else { return [.allExtended] }
    return (received + [NetworkPGN.heartbeat]).map(\.filter) + [CANFilter(.extended(UInt32(address)), mask: 0xFF)]
  }
}

extension PGN {
  /// Passes the messages of this PGN, of any priority, from anybody and to anybody.
  public var filter: CANFilter {
    CANFilter(.extended(rawValue << 8), mask: isAddressed ? 0x3FF_0000 : 0x3FF_FF00)
  }
}
