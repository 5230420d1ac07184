/// 127508 battery status: voltage, current and temperature of one battery (nmea2000.md section 1.3).
///
/// The sign of the current is a convention of devices (positive into the battery), not text of the standard.
public struct BatteryStatus: ShortMessage {
  static let instanceField = Field.unsigned("Instance", at: 0, bits: 8, isKey: true)
  static let voltageField = Field(
    "Voltage", at: 8, bits: 16, .number(NumberFormat(signed: true, decimals: 2, unit: .volts)))
  static let currentField = Field(
    "Current", at: 24, bits: 16, .number(NumberFormat(signed: true, decimals: 1, unit: .amperes)))
  static let temperatureField = Field(
    "Temperature", at: 40, bits: 16, .number(NumberFormat(decimals: 2, unit: .kelvin)))
  static let sequenceField = Field.unsigned("SID", at: 56, bits: 8)

  public static let definition = MessageDefinition(
    pgn: 127508, name: "Battery Status", framing: .single, length: 8, priority: 6, interval: .milliseconds(1500),
    fields: [instanceField, voltageField, currentField, temperatureField, sequenceField])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The battery's data instance, 0...252.
  public var instance: Reading<Int> {
    get { payload.integer(Self.instanceField) }
    set { payload.set(Self.instanceField, steps: newValue) }
  }

  /// Volts in steps of 0.01, -327.67...327.64.
  public var voltage: Reading<Double> {
    get { payload.number(Self.voltageField) }
    set { payload.set(Self.voltageField, newValue) }
  }

  /// Amperes in steps of 0.1, positive into the battery, -3276.7...3276.4.
  public var current: Reading<Double> {
    get { payload.number(Self.currentField) }
    set { payload.set(Self.currentField, newValue) }
  }

  /// Kelvin in steps of 0.01, 0...655.32.
  public var temperature: Reading<Double> {
    get { payload.number(Self.temperatureField) }
    set { payload.set(Self.temperatureField, newValue) }
  }

  /// The sequence identifier that ties together messages of one measurement, 0...252.
  public var sequenceIdentifier: Reading<Int> {
    get { payload.integer(Self.sequenceField) }
    set { payload.set(Self.sequenceField, steps: newValue) }
  }
}
