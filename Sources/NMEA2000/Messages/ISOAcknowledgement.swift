/// 59392 ISO acknowledgement: the answer to a request or command that has no other (nmea2000.md section 1.4).
public struct ISOAcknowledgement: ShortMessage {
  static let controlField = Field.lookup("Control", at: 0, bits: 8, .isoControl)
  static let groupFunctionField = Field.unsigned("Group Function", at: 8, bits: 8)
  static let reservedField = Field.reserved(at: 16, bits: 24)
  static let pgnField = Field("PGN", at: 40, bits: 24, .pgn)

  public static let definition = MessageDefinition(
    pgn: 59392, name: "ISO Acknowledgement", framing: .single, length: 8, priority: 6,
    fields: [controlField, groupFunctionField, reservedField, pgnField])

  public var payload: ShortPayload

  public init(payload: ShortPayload) { self.payload = payload }

  /// What is answered.
  public var control: Reading<ISOControl> {
    get { payload.code(Self.controlField, as: ISOControl.self) }
    set { payload.set(Self.controlField, code: newValue.map(\.rawValue)) }
  }

  /// The group function that is answered; not available for a request.
  public var groupFunction: Reading<Int> {
    get { payload.integer(Self.groupFunctionField) }
    set { payload.set(Self.groupFunctionField, steps: newValue) }
  }

  /// The PGN that it is about.
  public var acknowledgedPGN: Reading<PGN> {
    get { payload.pgn(Self.pgnField) }
    set { payload.set(Self.pgnField, newValue) }
  }
}

/// The answer of an ISO acknowledgement. A code without a name here is kept as it is.
public struct ISOControl: RawRepresentable, Hashable, Sendable {
  /// The code.
  public let rawValue: UInt32

  /// The code of this number.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Done.
  public static let acknowledge = ISOControl(rawValue: 0)
  /// Not supported.
  public static let negativeAcknowledge = ISOControl(rawValue: 1)
  /// Not allowed.
  public static let accessDenied = ISOControl(rawValue: 2)
  /// Busy (canboat), or cannot respond (J1939). Sources disagree: do not send.
  public static let addressBusy = ISOControl(rawValue: 3)
}
