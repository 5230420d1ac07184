/// 127502 switch bank control: orders up to 28 switches (nmea2000.md section 1.3).
///
/// Deprecated in favour of a 126208 command on 127501; only old modules need it.
public struct SwitchBankControl: ShortMessage {
  /// How many switches a bank has.
  public static let switchCount = 28

  static let instanceField = Field.unsigned("Instance", at: 0, bits: 8, isKey: true)

  /// Switch `number`, 1...28.
  static func switchField(_ number: Int) -> Field {
    Field("Switch\(number)", at: BinarySwitchBankStatus.bitOffset(number), bits: 2, .lookup(.offOnControl))
  }

  public static let definition = MessageDefinition(
    pgn: 127502, name: "Switch Bank Control", framing: .single, length: 8, priority: 3,
    fields: [instanceField] + (1...switchCount).map(switchField))

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The bank's data instance, 0...252.
  public var instance: Reading<Int> {
    get { payload.integer(Self.instanceField) }
    set { payload.set(Self.instanceField, steps: newValue) }
  }

  /// What switch `number`, 1...28, shall do: on or off; not available leaves it as it is; 2 is reserved.
  ///
  /// Outside that range it is not available, and writing does nothing.
  public subscript(switch number: Int) -> Reading<Bool> {
    get {
      guard number >= 1, number <= Self.switchCount else { return .notAvailable }
      let reading = payload.code(at: BinarySwitchBankStatus.bitOffset(number), count: 2).map { $0 != 0 }
      return reading == .error ? .reserved : reading
    }
    set {
      guard number >= 1, number <= Self.switchCount else { return }
      // What cannot be said must not switch anything: an unclear order is sent as "no change", not as the reserved code.
      let order: Reading<UInt32> = if case .value(let isOn) = newValue { .value(isOn ? 1 : 0) } else { .notAvailable }
      payload.set(at: BinarySwitchBankStatus.bitOffset(number), count: 2, code: order)
    }
  }
}
