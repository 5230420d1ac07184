public import MonotonicTime

/// 127506 DC detailed status: state of charge and health, time remaining (nmea2000.md section 1.3).
///
/// The remaining capacity came to the standard later: devices send 9 or 11 bytes. Both are read, 11 are sent.
public struct DCDetailedStatus: ShortMessage {
  static let sequenceField = Field.unsigned("SID", at: 0, bits: 8)
  static let instanceField = Field.unsigned("Instance", at: 8, bits: 8, isKey: true)
  static let typeField = Field.lookup("DC Type", at: 16, bits: 8, .dcType, isKey: true)
  static let stateOfChargeField = Field("State of Charge", at: 24, bits: 8, .number(NumberFormat(unit: .percent)))
  static let stateOfHealthField = Field("State of Health", at: 32, bits: 8, .number(NumberFormat(unit: .percent)))
  static let timeRemainingField = Field(
    "Time Remaining", at: 40, bits: 16, .duration(NumberFormat(multiplier: 60, unit: .seconds)))
  static let rippleVoltageField = Field(
    "Ripple Voltage", at: 56, bits: 16, .number(NumberFormat(decimals: 3, unit: .volts)))
  static let remainingCapacityField = Field(
    "Remaining capacity", at: 72, bits: 16, .number(NumberFormat(unit: .ampereHours)))

  public static let definition = MessageDefinition(
    pgn: 127506, name: "DC Detailed Status", framing: .fastPacket, length: 11, priority: 6,
    interval: .milliseconds(1500),
    fields: [
      sequenceField, instanceField, typeField, stateOfChargeField, stateOfHealthField, timeRemainingField,
      rippleVoltageField, remainingCapacityField,
    ])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The sequence identifier that ties together messages of one measurement, 0...252.
  public var sequenceIdentifier: Reading<Int> {
    get { payload.integer(Self.sequenceField) }
    set { payload.set(Self.sequenceField, steps: newValue) }
  }

  /// The data instance of the DC system, 0...252.
  public var instance: Reading<Int> {
    get { payload.integer(Self.instanceField) }
    set { payload.set(Self.instanceField, steps: newValue) }
  }

  /// What kind of source it is.
  public var type: Reading<DCType> {
    get { payload.code(Self.typeField, as: DCType.self) }
    set { payload.set(Self.typeField, code: newValue.map(\.rawValue)) }
  }

  /// Percent, 0...252.
  public var stateOfCharge: Reading<Double> {
    get { payload.number(Self.stateOfChargeField) }
    set { payload.set(Self.stateOfChargeField, newValue) }
  }

  /// Percent, 0...252.
  public var stateOfHealth: Reading<Double> {
    get { payload.number(Self.stateOfHealthField) }
    set { payload.set(Self.stateOfHealthField, newValue) }
  }

  /// How long the battery lasts at the present load, in whole minutes to 65532.
  public var timeRemaining: Reading<TimeSpan> {
    get { payload.duration(Self.timeRemainingField) }
    set { payload.set(Self.timeRemainingField, newValue) }
  }

  /// Volts in steps of 0.001, 0...65.532.
  public var rippleVoltage: Reading<Double> {
    get { payload.number(Self.rippleVoltageField) }
    set { payload.set(Self.rippleVoltageField, newValue) }
  }

  /// Ampere-hours, 0...65532.
  public var remainingCapacity: Reading<Double> {
    get { payload.number(Self.remainingCapacityField) }
    set { payload.set(Self.remainingCapacityField, newValue) }
  }
}

/// What kind of source a DC system has. A code without a name here is kept as it is.
public struct DCType: RawRepresentable, Hashable, Sendable {
  /// The code.
  public let rawValue: UInt32

  /// The code of this number.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// A battery.
  public static let battery = DCType(rawValue: 0)
  /// An alternator.
  public static let alternator = DCType(rawValue: 1)
  /// A convertor.
  public static let convertor = DCType(rawValue: 2)
  /// A solar panel.
  public static let solarCell = DCType(rawValue: 3)
  /// A wind generator.
  public static let windGenerator = DCType(rawValue: 4)
}
