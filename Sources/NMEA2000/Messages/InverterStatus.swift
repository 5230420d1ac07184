/// 127509 inverter status (nmea2000.md section 1.3).
///
/// A fast packet although it has 4 bytes (canboat/canboat#428).
public struct InverterStatus: ShortMessage {
  static let instanceField = Field.unsigned("Instance", at: 0, bits: 8, isKey: true)
  static let acInstanceField = Field.unsigned("AC Instance", at: 8, bits: 8, isKey: true)
  static let dcInstanceField = Field.unsigned("DC Instance", at: 16, bits: 8, isKey: true)
  static let stateField = Field.lookup("Operating State", at: 24, bits: 4, .inverterState)
  static let enabledField = Field.lookup("Inverter Enable", at: 28, bits: 2, .offOn)
  static let reservedField = Field.reserved(at: 30, bits: 2)

  public static let definition = MessageDefinition(
    pgn: 127509, name: "Inverter Status", framing: .fastPacket, length: 4, priority: 6, interval: .milliseconds(1500),
    fields: [instanceField, acInstanceField, dcInstanceField, stateField, enabledField, reservedField])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The inverter's data instance, 0...252.
  public var instance: Reading<Int> {
    get { payload.integer(Self.instanceField) }
    set { payload.set(Self.instanceField, steps: newValue) }
  }

  /// The instance of its AC side, 0...252.
  public var acInstance: Reading<Int> {
    get { payload.integer(Self.acInstanceField) }
    set { payload.set(Self.acInstanceField, steps: newValue) }
  }

  /// The instance of its DC side, 0...252.
  public var dcInstance: Reading<Int> {
    get { payload.integer(Self.dcInstanceField) }
    set { payload.set(Self.dcInstanceField, steps: newValue) }
  }

  /// 0 inverts, 1 passes AC through, 2 senses for a load, 3 fault, 4 disabled.
  public var state: Reading<UInt32> {
    get { payload.code(Self.stateField) }
    set { payload.set(Self.stateField, code: newValue) }
  }

  /// Whether it is switched on.
  public var isEnabled: Reading<Bool> {
    get { payload.flag(Self.enabledField) }
    set { payload.set(Self.enabledField, flag: newValue) }
  }
}
