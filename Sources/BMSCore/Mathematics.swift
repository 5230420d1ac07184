// The two functions the battery monitor needs. The standard library has neither, and these give the same bits on every
// machine, which a replay depends on. Relative error below 1e-13 for the arguments in use.
//
// The polynomials are written out with constant coefficients: a step calls them twice, and the divisions of a loop over
// terms measured as much as the rest of the step.

private let logarithmOfTwo = 0.693_147_180_559_945_3

/// The natural logarithm of a positive finite number.
func naturalLogarithm(_ value: Double) -> Double {
  guard value > 0, value.isFinite else { return 0 }
  var significand = value.significand
  var exponent = Double(value.exponent)
  if significand > 1.414_213_562_373_095_1 {
    significand *= 0.5
    exponent += 1
  }
  // ln m = 2 atanh((m - 1) / (m + 1)); |s| <= 0.1716, so the first term left out is below 1e-15.
  let s = (significand - 1) / (significand + 1)
  let q = s * s
  let high = ((q * (1.0 / 19) + (1.0 / 17)) * q + (1.0 / 15)) * q + (1.0 / 13)
  let middle = ((high * q + (1.0 / 11)) * q + (1.0 / 9)) * q + (1.0 / 7)
  let sum = ((middle * q + (1.0 / 5)) * q + (1.0 / 3)) * q + 1
  return 2 * s * sum + exponent * logarithmOfTwo
}

/// e to the power of `exponent`, for exponents between -700 and 700; outside it saturates at those.
func exponential(_ exponent: Double) -> Double {
  guard exponent.isFinite else { return 0 }
  let bounded = min(max(exponent, -700), 700)
  let scale = (bounded * 1.442_695_040_888_963_4).rounded()
  let r = bounded - scale * logarithmOfTwo
  // |r| <= 0.35: the first term left out, r^14 / 14!, is below 1e-17.
  let high = ((r * (1.0 / 6_227_020_800) + (1.0 / 479_001_600)) * r + (1.0 / 39_916_800)) * r + (1.0 / 3_628_800)
  let middle = ((high * r + (1.0 / 362_880)) * r + (1.0 / 40_320)) * r + (1.0 / 5_040)
  let low = ((middle * r + (1.0 / 720)) * r + (1.0 / 120)) * r + (1.0 / 24)
  let sum = ((low * r + (1.0 / 6)) * r + 0.5) * r * r + r + 1
  return Double(sign: .plus, exponent: Int(scale), significand: sum)
}
