/// All registers that this program knows field by field. A new register is its type and its line here.
public enum RegisterCatalogue {
  /// The registers in the order of their numbers.
  public static let registers: [any Register.Type] = [
    CellVoltageRegister.self,
    CellExtremesRegister.self,
    CellTemperaturesRegister.self,
    ChargeVoltageLimit.self,
    ChargeCurrentLimit.self,
    DischargeVoltageLimit.self,
    DischargeCurrentLimit.self,
    BMSStateRegister.self,
    BMSAlarmsRegister.self,
    BMSContactsRegister.self,
  ]

  /// Their definitions, by number.
  public static let definitions: [RegisterID: RegisterDefinition] = Dictionary(
    registers.map { ($0.definition.id, $0.definition) }, uniquingKeysWith: { first, _ in first })
}
