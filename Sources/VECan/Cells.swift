public import NMEA2000

/// 0x0381: the voltage of one cell (vecan.md section 2.6).
public struct CellVoltageRegister: Register {
  static let batteryField = Field.unsigned("Battery", at: 0, bits: 8)
  static let cellField = Field.unsigned("Cell", at: 8, bits: 8)
  static let voltageField = Field("Voltage", at: 16, bits: 16, .number(NumberFormat(decimals: 2, unit: .volts)))
  public static let definition = RegisterDefinition(
    0x0381, "Cell voltage", length: 4, fields: [batteryField, cellField, voltageField])
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// The battery's number. Whether numbers begin at 0 or 1 is stated nowhere; it is taken as sent.
  public var battery: Reading<Int> {
    get { value.integer(Self.batteryField) }
    set { value.set(Self.batteryField, steps: newValue) }
  }

  /// The cell's number in its battery, as sent.
  public var cell: Reading<Int> {
    get { value.integer(Self.cellField) }
    set { value.set(Self.cellField, steps: newValue) }
  }

  /// Volts in steps of 0.01.
  public var voltage: Reading<Double> {
    get { value.number(Self.voltageField) }
    set { value.set(Self.voltageField, newValue) }
  }
}

/// 0x0385: the lowest and the highest cell voltage (vecan.md section 2.6).
public struct CellExtremesRegister: Register {
  static let lowestField = Field("Lowest", at: 0, bits: 16, .number(NumberFormat(decimals: 2, unit: .volts)))
  static let highestField = Field("Highest", at: 16, bits: 16, .number(NumberFormat(decimals: 2, unit: .volts)))
  public static let definition = RegisterDefinition(
    0x0385, "Lowest and highest cell voltage", length: 4, fields: [lowestField, highestField])
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// Volts in steps of 0.01.
  public var lowest: Reading<Double> {
    get { value.number(Self.lowestField) }
    set { value.set(Self.lowestField, newValue) }
  }

  /// Volts in steps of 0.01.
  public var highest: Reading<Double> {
    get { value.number(Self.highestField) }
    set { value.set(Self.highestField, newValue) }
  }
}

/// 0x0386: the lowest and the highest cell temperature (vecan.md section 2.6).
public struct CellTemperaturesRegister: Register {
  static let lowestField = Field("Lowest", at: 0, bits: 16, .number(NumberFormat(decimals: 2, unit: .kelvin)))
  static let highestField = Field("Highest", at: 16, bits: 16, .number(NumberFormat(decimals: 2, unit: .kelvin)))
  public static let definition = RegisterDefinition(
    0x0386, "Lowest and highest cell temperature", length: 4, fields: [lowestField, highestField])
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// Kelvin in steps of 0.01.
  public var lowest: Reading<Double> {
    get { value.number(Self.lowestField) }
    set { value.set(Self.lowestField, newValue) }
  }

  /// Kelvin in steps of 0.01.
  public var highest: Reading<Double> {
    get { value.number(Self.highestField) }
    set { value.set(Self.highestField, newValue) }
  }
}
