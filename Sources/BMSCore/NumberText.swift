// Numbers as people read them. Without Foundation, whose formatters cost 7 MB of memory and follow a locale.

extension Double {
  /// The number with exactly so many decimals, rounded; never "-0".
  public func text(_ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    // Beyond this an Int holds no more steps, and nobody reads them.
    guard isFinite, magnitude * scale < 1e18 else { return "\(self)" }
    let steps = Int((magnitude * scale).rounded())
    let whole = steps / Int(scale)
    let sign = self < 0 && steps > 0 ? "-" : ""
    if decimals <= 0 { return "\(sign)\(whole)" }
    let fraction = String(steps % Int(scale))
    return "\(sign)\(whole).\(String(repeating: "0", count: decimals - fraction.count))\(fraction)"
  }

  /// The number with at most so many decimals: as ``text(_:)`` without zeros at the end.
  public func text(upTo decimals: Int) -> String {
    var text = text(decimals)
    guard text.contains("."), !text.contains("e") else { return text }
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
