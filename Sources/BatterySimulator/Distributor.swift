// Lynx Distributors: four fuses each, a letter A to D, and a bus supply that can fail.

/// One distributor as the BMS sees it.
public struct Distributor: Sendable, Hashable {
  /// Its address: 0 is A, 3 is D.
  public var address: UInt8
  /// Which of its four fuses are blown.
  public var blown: [Bool] = [false, false, false, false]
  /// Whether it answers.
  public var answers = true
  /// Whether it has supply: without, every fuse is dark.
  public var isPowered = true

  /// A distributor with four good fuses.
  public init(address: UInt8) { self.address = address & 3 }

  /// Whether a fuse conducts; one that does not exist does not.
  public func conducts(_ fuse: Int) -> Bool { blown.indices.contains(fuse) && !blown[fuse] }
}
