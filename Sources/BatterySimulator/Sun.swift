// What the sun gives: a half sine from six to eighteen with clouds that come and go (battery-physics.md section 9).

/// The share of a solar charger's rating that there is, over the day.
public struct Sun: Sendable {
  /// Hour of sunrise.
  public var rises = 6.0
  /// Hour of sunset.
  public var sets = 18.0
  /// Share of the time that clouds cover the sun, 0...1.
  public var cloudiness = 0.3
  /// What a cloud lets through.
  public var underCloud = 0.25
  private var random: SeededGenerator
  private var isCloudy = false
  private var untilChange = 0.0

  /// A sun whose clouds come by this seed.
  public init(seed: UInt64 = 1) { random = SeededGenerator(seed: seed) }

  /// Lets time pass and gives the share at an hour of the day, 0..<24.
  public mutating func availability(hour: Double, seconds: Double) -> Double {
    untilChange -= seconds
    if untilChange <= 0 {
      isCloudy = random.uniform() < cloudiness
      // Clouds and gaps of half a minute to ten minutes.
      untilChange = 30 + 570 * random.uniform()
    }
    let clear = halfSine((hour - rises) / max(sets - rises, 0.1))
    return isCloudy ? clear * underCloud : clear
  }
}
