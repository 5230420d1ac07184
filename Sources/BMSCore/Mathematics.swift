// The two functions the battery monitor needs. The standard library has neither, and these give the same bits on every
// machine, which a replay depends on. Relative error below 1e-13 for the arguments in use.

/// The natural logarithm of a positive finite number.
func naturalLogarithm(_ value: Double) -> Double {
  guard value > 0, value.isFinite else { return 0 }
  var significand = value.significand
  var exponent = Double(value.exponent)
  if significand > 1.414_213_562_373_095_1 {
    significand /= 2
    exponent += 1
  }
  // ln m = 2 atanh((m - 1) / (m + 1)); |s| <= 0.1716, so the first term left out is below 1e-15.
  let s = (significand - 1) / (significand + 1)
  let square = s * s
  var sum = 0.0
  var divisor = 19.0
  while divisor >= 1 {
    sum = sum * square + 1 / divisor
    divisor -= 2
  }
  return 2 * s * sum + exponent * 0.693_147_180_559_945_3
}

/// e to the power of `exponent`, for exponents between -700 and 700; outside it saturates at those.
func exponential(_ exponent: Double) -> Double {
  guard exponent.isFinite else { return 0 }
  let bounded = min(max(exponent, -700), 700)
  let scale = (bounded / 0.693_147_180_559_945_3).rounded()
  let rest = bounded - scale * 0.693_147_180_559_945_3
  var sum = 1.0
  var term = 14.0
  while term >= 1 {
    sum = 1 + sum * rest / term
    term -= 1
  }
  return Double(sign: .plus, exponent: Int(scale), significand: sum)
}
