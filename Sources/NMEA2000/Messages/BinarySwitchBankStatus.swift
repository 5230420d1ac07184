/// 127501 binary switch bank status: up to 28 indicators of a bank (nmea2000.md section 1.3).
///
/// The Lynx manual's bank: 1 contactor, 2 alarm, 3 voltage low, 4 voltage high, 5 relay.
public struct BinarySwitchBankStatus: ShortMessage {
  /// How many indicators a bank has.
  public static let indicatorCount = 28

  static let instanceField = Field.unsigned("Instance", at: 0, bits: 8, isKey: true)

  /// Indicator `number`, 1...28.
  static func indicatorField(_ number: Int) -> Field {
    Field("Indicator\(number)", at: bitOffset(number), bits: 2, .lookup(.offOn))
  }

  public static let definition = MessageDefinition(
    pgn: 127501, name: "Binary Switch Bank Status", framing: .single, length: 8, priority: 3,
    fields: [instanceField] + (1...indicatorCount).map(indicatorField))

  @inlinable
  static func bitOffset(_ number: Int) -> Int { 8 &+ 2 &* (number &- 1) }

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The bank's data instance, 0...252.
  public var instance: Reading<Int> {
    get { payload.integer(Self.instanceField) }
    set { payload.set(Self.instanceField, steps: newValue) }
  }

  /// Whether indicator `number`, 1...28, is on. Outside that range it is not available, and writing does nothing.
  @inlinable
  public subscript(indicator number: Int) -> Reading<Bool> {
    get {
      guard number >= 1, number <= Self.indicatorCount else { return .notAvailable }
      return switch payload.bits(at: Self.bitOffset(number), count: 2) {
      case 0: .value(false)
      case 1: .value(true)
      case 2: .error
      default: .notAvailable
      }
    }
    set {
      guard number >= 1, number <= Self.indicatorCount else { return }
      payload.set(at: Self.bitOffset(number), count: 2, code: newValue.map { $0 ? 1 : 0 })
    }
  }

  /// The number of the field of an indicator in 126208: the instance is field 1, indicator 1 is field 2.
  public static func fieldNumber(ofIndicator number: Int) -> Int { number + 1 }
}
