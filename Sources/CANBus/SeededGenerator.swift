/// A small random generator that gives the same numbers for the same seed on every machine and in every version.
///
/// The standard library promises that for none of its own. The algorithm is SplitMix64 (Steele, Lea, Flood: "Fast
/// splittable pseudorandom number generators", 2014): good enough to lose frames by, useless for secrets.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A generator that starts at `seed`; any number will do.
  public init(seed: UInt64) {
    state = seed
  }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// True with this probability: 0 (or less) is never, 1 (or more) always.
  public mutating func chance(_ probability: Double) -> Bool {
    // 53 bits are what a Double holds; the number is drawn even for 0 and 1, so that a setting changes nothing else.
    Double(next() >> 11) * 0x1p-53 < probability
  }
}
