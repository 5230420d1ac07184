import Glibc
import Testing

@testable import BMSCore

@Suite("Logarithm and exponential beside those of the C library")
struct MathematicsTests {
  @Test("The logarithm from 1e-6 to 1e6 to 4e-16 of its size, and 0 for what has none")
  func logarithm() {
    var worst = 0.0
    for step in 0...4000 {
      let value = exp(-13.8 + 27.6 * Double(step) / 4000)
      worst = max(worst, abs(naturalLogarithm(value) - log(value)) / max(abs(log(value)), 1))
    }
    #expect(worst < 4e-16)
    #expect(naturalLogarithm(1) == 0)
    for nothing in [0, -0.5, -1, .infinity, .nan] { #expect(naturalLogarithm(nothing) == 0, "\(nothing)") }
  }

  @Test(
    "The exponential from -0.34 to 0.34 to 3e-16 of its size, to 20 to 2e-15; beyond 700 it stays at its end, and not a number is 0"
  )
  func exponentials() {
    for (reach, bound) in [(0.34, 3e-16), (20.0, 2e-15)] {
      var worst = 0.0
      for step in -4000...4000 {
        let value = reach * Double(step) / 4000
        worst = max(worst, abs(exponential(value) / exp(value) - 1))
      }
      #expect(worst < bound, "up to \(reach)")
    }
    #expect(exponential(0) == 1)
    for value in [700.0, -700, 699.5, -699.5] { #expect(abs(exponential(value) / exp(value) - 1) < 1e-13, "\(value)") }
    #expect(exponential(701) == exponential(700) && exponential(-701) == exponential(-700))
    for nothing in [Double.infinity, -.infinity, .nan] { #expect(exponential(nothing) == 0) }
  }
}
