// The few functions that the plant needs and the standard library lacks. Written out, so that a run gives the same
// bits on every machine and a seeded scenario can be replayed.

/// e to the power of `exponent`; below -80 it is 0, above 80 it stays at e^80.
func exponential(_ exponent: Double) -> Double {
  guard exponent > -80 else { return 0 }
  // 2^-8 of the argument is at most 0.32: eleven terms leave less than 1e-13.
  let part = min(exponent, 80) / 256
  var term = 1.0
  var sum = 1.0
  for divisor in 1...11 {
    term *= part / Double(divisor)
    sum += term
  }
  for _ in 0..<8 { sum *= sum }
  return sum
}

/// The half sine over 0...1, zero outside: Bhaskara's formula, within 0.2 % of the sine.
func halfSine(_ share: Double) -> Double {
  guard share > 0, share < 1 else { return 0 }
  let product = share * (1 - share)
  return 16 * product / (5 - 4 * product)
}

/// The nearest whole number of steps, where `count` is the value in steps. Adding 1.5 * 2^52 leaves no room for a fraction: it rounds as the processor does,
/// without the call into the system's library that `rounded()` is, once for each cell and step.
@inline(__always)
func inSteps(_ value: Double, of step: Double, count: Double) -> Double {
  guard abs(count) < 0x1p51 else { return value }
  return (count + 0x1.8p52 - 0x1.8p52) * step
}

extension SeededGenerator {
  /// A number that is nearly normal with mean 0 and deviation 1, never beyond 3.5: four uniform numbers of 16 bits from
  /// one draw. Spread and noise need no better tails, and a shunt draws one in each step.
  mutating func normal() -> Double {
    let bits = next()
    let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (Double(sum) / 65_535 - 2) * 1.732_050_807_568_877_2
  }

  /// A number from 0 up to 1.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
