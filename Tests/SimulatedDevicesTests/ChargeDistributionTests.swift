import Testing

@testable import SimulatedDevices

@Suite("How chargers share CCL")
struct ChargeDistributionTests {
  @Test("the sum of the shares is CCL, whatever they give", arguments: [[0.0], [10, 50], [3, 3, 90], [0, 0, 0, 0]])
  func sum(currents: [Double]) {
    let shares = ChargeDistribution.shares(of: 100, among: currents)
    #expect(abs(shares.reduce(0, +) - 100) < 1e-9, "\(shares)")
  }

  @Test("a charger in the shade leaves its part to the one in the sun, but for 5 A to rise by")
  func shade() {
    #expect(ChargeDistribution.shares(of: 100, among: [10, 80]) == [15, 85])
  }

  @Test("a CCL of 0 stops all")
  func zero() {
    #expect(ChargeDistribution.shares(of: 0, among: [10, 80]) == [0, 0])
  }
}
