/// 126208 functions 3 to 6: read fields, its reply, write fields, its reply (nmea2000.md section 1.4).
///
/// One layout for the four: after the PGN, and the maker's two bytes when it is proprietary, an id that the reply
/// repeats, the number of selection pairs and of parameters, then the pairs, then the parameters: field numbers alone in
/// function 3, with values in the others.
public protocol GroupFunctionFields: LongMessage, GroupFunctionMessage {}

extension GroupFunctionFields {
  static func makeDefinition(name: String) -> MessageDefinition {
    let parameter = Field("Parameter", at: 0, bits: 8, .fieldNumber)
    return MessageDefinition(
      pgn: 126208, name: name, framing: .fastPacket, length: 7, priority: 3, matches: function.matches,
      fields: GroupFunction.fields + GroupFunction.proprietaryFields + [
        .unsigned("Unique ID", at: 48, bits: 8),
        .unsigned("Number of Selection Pairs", at: 56, bits: 8),
        .unsigned("Number of Parameters", at: 64, bits: 8),
      ],
      repeated: [
        .init(
          [
            Field("Selection Parameter", at: 0, bits: 8, .fieldNumber),
            Field("Selection Value", at: 8, bits: 0, .fieldValue),
          ], countField: 7),
        .init(function == .readFields ? [parameter] : [parameter, GroupFunction.pairFields[1]], countField: 8),
      ])
  }

  /// Where the unique id is: behind the maker's two bytes for a proprietary PGN.
  private var start: Int { pgn.value?.isProprietary == true ? 6 : 4 }

  /// The maker, for a proprietary PGN.
  public var header: ProprietaryHeader? {
    guard start == 6 else { return nil }
    return payload.bits(at: 32, count: 16).map { ProprietaryHeader(rawValue: UInt16(truncatingIfNeeded: $0)) }
  }

  /// The id that ties the reply to the question; nil in a message that ends before it.
  public var uniqueIdentifier: UInt8? { start < payload.count ? payload[start] : nil }

  /// The pairs that select a message of the PGN.
  public var selection: GroupParameters {
    GroupParameters(payload, at: start + 3, count: payload.integer(.unsigned("", at: (start + 1) * 8, bits: 8)))
  }

  /// How many parameters follow the selection.
  public var parameterCount: Reading<Int> { payload.integer(.unsigned("", at: (start + 2) * 8, bits: 8)) }
}

/// 126208 function 3: asks for the values of fields.
public struct GroupFunctionReadFields: GroupFunctionFields {
  public static let function = GroupFunction.readFields
  public static let definition = makeDefinition(name: "NMEA - Read Fields group function")

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }
}

/// 126208 function 4: the values of fields that were asked for.
public struct GroupFunctionReadFieldsReply: GroupFunctionFields {
  public static let function = GroupFunction.readFieldsReply
  public static let definition = makeDefinition(name: "NMEA - Read Fields reply group function")

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }
}

/// 126208 function 5: values to be written into fields.
public struct GroupFunctionWriteFields: GroupFunctionFields {
  public static let function = GroupFunction.writeFields
  public static let definition = makeDefinition(name: "NMEA - Write Fields group function")

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }
}

/// 126208 function 6: the values of fields after they were written.
public struct GroupFunctionWriteFieldsReply: GroupFunctionFields {
  public static let function = GroupFunction.writeFieldsReply
  public static let definition = makeDefinition(name: "NMEA - Write Fields reply group function")

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }
}
