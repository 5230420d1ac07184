/// 127513 battery configuration status: what a battery is (nmea2000.md section 1.3).
///
/// The standard has no type for a lithium battery; its chemistry has one.
public struct BatteryConfigurationStatus: ShortMessage {
  static let instanceField = Field.unsigned("Instance", at: 0, bits: 8, isKey: true)
  static let typeField = Field.lookup("Battery Type", at: 8, bits: 4, .batteryType)
  static let equalizationField = Field.lookup("Supports Equalization", at: 12, bits: 2, .noYes)
  static let reservedField = Field.reserved(at: 14, bits: 2)
  static let nominalVoltageField = Field.lookup("Nominal Voltage", at: 16, bits: 4, .batteryVoltage)
  static let chemistryField = Field.lookup("Chemistry", at: 20, bits: 4, .batteryChemistry)
  static let capacityField = Field("Capacity", at: 24, bits: 16, .number(NumberFormat(unit: .ampereHours)))
  static let temperatureCoefficientField = Field(
    "Temperature Coefficient", at: 40, bits: 8, .number(NumberFormat(signed: true, unit: .percent)))
  static let peukertField = Field(
    "Peukert Exponent", at: 48, bits: 8, .number(NumberFormat(multiplier: 2, decimals: 3, offset: 1000)))
  static let chargeEfficiencyField = Field(
    "Charge Efficiency Factor", at: 56, bits: 8, .number(NumberFormat(signed: true, unit: .percent)))

  public static let definition = MessageDefinition(
    pgn: 127513, name: "Battery Configuration Status", framing: .fastPacket, length: 8, priority: 6,
    fields: [
      instanceField, typeField, equalizationField, reservedField, nominalVoltageField, chemistryField, capacityField,
      temperatureCoefficientField, peukertField, chargeEfficiencyField,
    ])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The battery's data instance, 0...252.
  public var instance: Reading<Int> {
    get { payload.integer(Self.instanceField) }
    set { payload.set(Self.instanceField, steps: newValue) }
  }

  /// 0 flooded, 1 gel, 2 AGM.
  public var type: Reading<UInt32> {
    get { payload.code(Self.typeField) }
    set { payload.set(Self.typeField, code: newValue) }
  }

  /// Whether it may be equalised.
  public var supportsEqualization: Reading<Bool> {
    get { payload.flag(Self.equalizationField) }
    set { payload.set(Self.equalizationField, flag: newValue) }
  }

  /// 0 to 6 for 6, 12, 24, 32, 36, 42 and 48 V.
  public var nominalVoltage: Reading<UInt32> {
    get { payload.code(Self.nominalVoltageField) }
    set { payload.set(Self.nominalVoltageField, code: newValue) }
  }

  /// 0 lead, 1 lithium ion, 2 NiCd, 3 ZnO, 4 NiMH.
  public var chemistry: Reading<UInt32> {
    get { payload.code(Self.chemistryField) }
    set { payload.set(Self.chemistryField, code: newValue) }
  }

  /// Ampere-hours, 0...65532.
  public var capacity: Reading<Double> {
    get { payload.number(Self.capacityField) }
    set { payload.set(Self.capacityField, newValue) }
  }

  /// Percent, -127...124.
  public var temperatureCoefficient: Reading<Double> {
    get { payload.number(Self.temperatureCoefficientField) }
    set { payload.set(Self.temperatureCoefficientField, newValue) }
  }

  /// The exponent, 1.000...1.504 in steps of 0.002.
  public var peukertExponent: Reading<Double> {
    get { payload.number(Self.peukertField) }
    set { payload.set(Self.peukertField, newValue) }
  }

  /// Percent, -127...124.
  public var chargeEfficiency: Reading<Double> {
    get { payload.number(Self.chargeEfficiencyField) }
    set { payload.set(Self.chargeEfficiencyField, newValue) }
  }
}
