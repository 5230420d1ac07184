/// A unique number that stays the same over restarts and reinstalls of the program.
enum MachineIdentity {
  /// 21 bits of the machine's id (machine-id(5)), mixed so that the id itself is not given away; 1 without one.
  static func uniqueNumber() -> UInt32 {
    guard let text = try? TextFile.read("/etc/machine-id") else { return 1 }
    // FNV-1a with a word of our own in front: machine-id(5) asks for a keyed hash, not for the id on a network.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in Array("vecand".utf8) + Array(text.utf8) {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
    }
    return UInt32(truncatingIfNeeded: hash ^ hash >> 21 ^ hash >> 42) & 0x1F_FFFF
  }
}
