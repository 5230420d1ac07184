public import MonotonicTime

/// 126993 heartbeat: the node is there and how it feels (nmea2000.md section 1.4).
///
/// Most devices give the interval in milliseconds as the standard says, a few in steps of 10 ms.
public struct Heartbeat: ShortMessage {
  static let intervalField = Field(
    "Data transmit offset", at: 0, bits: 16, .duration(NumberFormat(decimals: 3, unit: .seconds)))
  static let sequenceField = Field.unsigned("Sequence Counter", at: 16, bits: 8)
  static let controller1Field = Field.lookup("Controller 1 State", at: 24, bits: 2, .controllerState)
  static let controller2Field = Field.lookup("Controller 2 State", at: 26, bits: 2, .controllerState)
  static let equipmentField = Field.lookup("Equipment Status", at: 28, bits: 2, .equipmentStatus)
  static let reservedField = Field.reserved(at: 30, bits: 34)

  public static let definition = MessageDefinition(
    pgn: 126993, name: "Heartbeat", framing: .single, length: 8, priority: 7, interval: .seconds(60),
    fields: [intervalField, sequenceField, controller1Field, controller2Field, equipmentField, reservedField])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// The time between heartbeats, to 65.532 s.
  public var interval: Reading<TimeSpan> {
    get { payload.duration(Self.intervalField) }
    set { payload.set(Self.intervalField, newValue) }
  }

  /// Counts from 0 to 252 and starts again.
  public var sequenceCounter: Reading<Int> {
    get { payload.integer(Self.sequenceField) }
    set { payload.set(Self.sequenceField, steps: newValue) }
  }

  /// 0 error active, 1 error passive; bus off is the code 2, which this width calls an error.
  public var controller1: Reading<UInt32> {
    get { payload.code(Self.controller1Field) }
    set { payload.set(Self.controller1Field, code: newValue) }
  }

  /// The state of a second controller.
  public var controller2: Reading<UInt32> {
    get { payload.code(Self.controller2Field) }
    set { payload.set(Self.controller2Field, code: newValue) }
  }

  /// 0 operational, 1 fault.
  public var equipmentStatus: Reading<UInt32> {
    get { payload.code(Self.equipmentField) }
    set { payload.set(Self.equipmentField, code: newValue) }
  }
}
