/// All messages that this program knows field by field. A new message is a file beside this one and its line here; a test
/// compares the folder with this list.
public enum Catalogue {
  /// The messages in the order of their PGN. Of several with one PGN the first that applies to a payload is taken.
  public static let messages: [any Message.Type] = [
    ISOAcknowledgement.self,
    ISORequest.self,
    ISOAddressClaim.self,
    VictronRegister.self,
    ProprietaryMessage.self,
    ISOCommandedAddress.self,
    GroupFunctionRequest.self,
    GroupFunctionCommand.self,
    GroupFunctionAcknowledge.self,
    GroupFunctionReadFields.self,
    GroupFunctionReadFieldsReply.self,
    GroupFunctionWriteFields.self,
    GroupFunctionWriteFieldsReply.self,
    PGNList.self,
    ProprietaryFastPacket.self,
    Heartbeat.self,
    ProductInformation.self,
    ConfigurationInformation.self,
    BinarySwitchBankStatus.self,
    SwitchBankControl.self,
    DCDetailedStatus.self,
    ChargerStatus.self,
    BatteryStatus.self,
    InverterStatus.self,
    BatteryConfigurationStatus.self,
  ]

  /// Their definitions, by PGN.
  public static let definitions: [PGN: [MessageDefinition]] = Dictionary(
    grouping: messages.map { $0.definition }, by: \.pgn)

  /// The definition of field `number`, from 1, of a PGN, as 126208 names fields; nil when it is not known.
  ///
  /// Of a proprietary PGN the fields 1 to 3 are known whoever made it: maker, reserved, industry.
  public static func field(_ number: Int, of pgn: PGN) -> Field? {
    let fields = pgn.isProprietary ? ProprietaryHeader.fields : definitions[pgn]?.first?.fields ?? []
    return fields.indices.contains(number - 1) ? fields[number - 1] : nil
  }
}
