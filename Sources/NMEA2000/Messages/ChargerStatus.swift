public import MonotonicTime

/// 127507 charger status: what a charger is doing (nmea2000.md section 1.3).
///
/// Half of the captured messages declare 8 bytes for these 6.
public struct ChargerStatus: ShortMessage {
  static let instanceField = Field.unsigned("Instance", at: 0, bits: 8, isKey: true)
  static let batteryInstanceField = Field.unsigned("Battery Instance", at: 8, bits: 8, isKey: true)
  static let stateField = Field.lookup("Operating State", at: 16, bits: 4, .chargerState)
  static let modeField = Field.lookup("Charge Mode", at: 20, bits: 4, .chargerMode)
  static let enabledField = Field.lookup("Enabled", at: 24, bits: 2, .offOn)
  static let equalizationPendingField = Field.lookup("Equalization Pending", at: 26, bits: 2, .offOn)
  static let reservedField = Field.reserved(at: 28, bits: 4)
  static let equalizationTimeField = Field(
    "Equalization Time Remaining", at: 32, bits: 16, .duration(NumberFormat(multiplier: 60, unit: .seconds)))

  public static let definition = MessageDefinition(
    pgn: 127507, name: "Charger Status", framing: .fastPacket, length: 6, priority: 6, interval: .milliseconds(1500),
    fields: [
      instanceField, batteryInstanceField, stateField, modeField, enabledField, equalizationPendingField, reservedField,
      equalizationTimeField,
    ])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The charger's data instance, 0...252.
  public var instance: Reading<Int> {
    get { payload.integer(Self.instanceField) }
    set { payload.set(Self.instanceField, steps: newValue) }
  }

  /// The instance of the battery it charges, 0...252.
  public var batteryInstance: Reading<Int> {
    get { payload.integer(Self.batteryInstanceField) }
    set { payload.set(Self.batteryInstanceField, steps: newValue) }
  }

  /// What the charger is doing.
  public var state: Reading<ChargerState> {
    get { payload.code(Self.stateField, as: ChargerState.self) }
    set { payload.set(Self.stateField, code: newValue.map(\.rawValue)) }
  }

  /// How it shares the work with other chargers: 0 standalone, 1 primary, 2 secondary, 3 echo.
  public var mode: Reading<UInt32> {
    get { payload.code(Self.modeField) }
    set { payload.set(Self.modeField, code: newValue) }
  }

  /// Whether it is switched on.
  public var isEnabled: Reading<Bool> {
    get { payload.flag(Self.enabledField) }
    set { payload.set(Self.enabledField, flag: newValue) }
  }

  /// Whether an equalisation will follow.
  public var isEqualizationPending: Reading<Bool> {
    get { payload.flag(Self.equalizationPendingField) }
    set { payload.set(Self.equalizationPendingField, flag: newValue) }
  }

  /// How long the equalisation still takes, in whole minutes to 65532.
  public var equalizationTimeRemaining: Reading<TimeSpan> {
    get { payload.duration(Self.equalizationTimeField) }
    set { payload.set(Self.equalizationTimeField, newValue) }
  }
}

/// What a charger is doing. A code without a name here is kept as it is.
public struct ChargerState: RawRepresentable, Hashable, Sendable {
  /// The code.
  public let rawValue: UInt32

  /// The code of this number.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Not charging.
  public static let notCharging = ChargerState(rawValue: 0)
  /// Bulk.
  public static let bulk = ChargerState(rawValue: 1)
  /// Absorption.
  public static let absorption = ChargerState(rawValue: 2)
  /// Overcharge.
  public static let overcharge = ChargerState(rawValue: 3)
  /// Equalisation.
  public static let equalise = ChargerState(rawValue: 4)
  /// Float.
  public static let float = ChargerState(rawValue: 5)
  /// Full, without float.
  public static let noFloat = ChargerState(rawValue: 6)
  /// Constant voltage and current.
  public static let constantVI = ChargerState(rawValue: 7)
  /// Disabled.
  public static let disabled = ChargerState(rawValue: 8)
  /// Fault.
  public static let fault = ChargerState(rawValue: 9)
}
