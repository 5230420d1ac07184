public import NMEA2000

// The four limits that DVCC hands to chargers and loads (vecan.md section 2.6, dvcc-dbus.md section 0.1).
// A limit that does not exist is all ones; zero is a limit, and for the charge voltage never a sane one.

/// 0x0390: charge voltage limit, CVL.
public struct ChargeVoltageLimit: Register {
  static let field = Field(
    "Charge voltage limit", at: 0, bits: 32, .number(NumberFormat(decimals: 2, unit: .volts)))
  public static let definition = RegisterDefinition(0x0390, "Charge voltage limit", length: 4, fields: [field])
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// Volts in steps of 0.01.
  public var limit: Reading<Double> {
    get { value.number(Self.field) }
    set { value.set(Self.field, newValue) }
  }
}

/// 0x0391: charge current limit, CCL.
public struct ChargeCurrentLimit: Register {
  static let field = Field(
    "Charge current limit", at: 0, bits: 32, .number(NumberFormat(decimals: 1, unit: .amperes)))
  public static let definition = RegisterDefinition(0x0391, "Charge current limit", length: 4, fields: [field])
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// Amperes in steps of 0.1.
  public var limit: Reading<Double> {
    get { value.number(Self.field) }
    set { value.set(Self.field, newValue) }
  }
}

/// 0x0392: discharge (low) voltage limit.
public struct DischargeVoltageLimit: Register {
  static let field = Field(
    "Discharge voltage limit", at: 0, bits: 32, .number(NumberFormat(decimals: 2, unit: .volts)))
  public static let definition = RegisterDefinition(0x0392, "Discharge voltage limit", length: 4, fields: [field])
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// Volts in steps of 0.01.
  public var limit: Reading<Double> {
    get { value.number(Self.field) }
    set { value.set(Self.field, newValue) }
  }
}

/// 0x0393: discharge current limit, DCL.
public struct DischargeCurrentLimit: Register {
  static let field = Field(
    "Discharge current limit", at: 0, bits: 32, .number(NumberFormat(decimals: 1, unit: .amperes)))
  public static let definition = RegisterDefinition(0x0393, "Discharge current limit", length: 4, fields: [field])
  public var value: ShortPayload
  public init(value: ShortPayload) { self.value = value }

  /// Amperes in steps of 0.1.
  public var limit: Reading<Double> {
    get { value.number(Self.field) }
    set { value.set(Self.field, newValue) }
  }
}
