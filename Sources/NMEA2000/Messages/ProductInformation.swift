/// 126996 product information: what a device is, in words (nmea2000.md section 1.4).
///
/// Devices send 134 bytes, a few 132 without the last two fields; both are read. Makers pad the texts with spaces, 0xFF,
/// zeros or `@`; all are trimmed, and 0xFF is sent.
public struct ProductInformation: LongMessage {
  static let versionField = Field("NMEA 2000 Version", at: 0, bits: 16, .number(NumberFormat(decimals: 3)))
  static let productCodeField = Field.unsigned("Product Code", at: 16, bits: 16)
  static let modelField = Field("Model ID", at: 32, bits: 256, .text)
  static let softwareVersionField = Field("Software Version Code", at: 288, bits: 256, .text)
  static let modelVersionField = Field("Model Version", at: 544, bits: 256, .text)
  static let serialField = Field("Model Serial Code", at: 800, bits: 256, .text)
  static let certificationField = Field.lookup("Certification Level", at: 1056, bits: 8, .certificationLevel)
  static let loadField = Field.unsigned("Load Equivalency", at: 1064, bits: 8)

  public static let definition = MessageDefinition(
    pgn: 126996, name: "Product Information", framing: .fastPacket, length: 134, priority: 6,
    fields: [
      versionField, productCodeField, modelField, softwareVersionField, modelVersionField, serialField,
      certificationField, loadField,
    ])

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }

  /// A message with every field not available.
  public init() { payload = LongPayload(count: Self.definition.length) }

  /// The version of the standard, in steps of 0.001: 2.100 is sent as 2100.
  public var version: Reading<Double> {
    get { payload.number(Self.versionField) }
    set { payload.set(Self.versionField, newValue) }
  }

  /// The maker's number of the product, 0...65532.
  public var productCode: Reading<Int> {
    get { payload.integer(Self.productCodeField) }
    set { payload.set(Self.productCodeField, steps: newValue) }
  }

  /// The model's name.
  public var model: FixedText? {
    get { payload.text(Self.modelField) }
    set { payload.set(Self.modelField, newValue) }
  }

  /// The version of the device's software.
  public var softwareVersion: FixedText? {
    get { payload.text(Self.softwareVersionField) }
    set { payload.set(Self.softwareVersionField, newValue) }
  }

  /// The version of the model.
  public var modelVersion: FixedText? {
    get { payload.text(Self.modelVersionField) }
    set { payload.set(Self.modelVersionField, newValue) }
  }

  /// The serial number.
  public var serial: FixedText? {
    get { payload.text(Self.serialField) }
    set { payload.set(Self.serialField, newValue) }
  }

  /// How far the device was certified: 0 level A, 1 level B.
  public var certificationLevel: Reading<UInt32> {
    get { payload.code(Self.certificationField) }
    set { payload.set(Self.certificationField, code: newValue) }
  }

  /// How much the device takes from the network's supply, in units of 50 mA.
  public var loadEquivalency: Reading<Int> {
    get { payload.integer(Self.loadField) }
    set { payload.set(Self.loadField, steps: newValue) }
  }
}
