public import FoundationEssentials

/// How the types of the control socket are written: JSON with snake_case keys. What is not known is left out, never 0.
public enum ControlJSON {
  /// The longest body that a request may have, bytes.
  public static let longestRequest = 4096

  /// A value as JSON.
  public static func encode(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(value)
  }

  /// A value from JSON. Keys that a newer daemon adds are passed over.
  public static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: data)
  }

  /// A request from JSON.
  ///
  /// - Throws: ``UnknownMember`` where it has a member that nobody asks for.
  public static func decodeRequest<Wanted: ControlRequest>(_ type: Wanted.Type, from data: Data) throws -> Wanted {
    let found = try decode(MemberNames.self, from: data).names
    if let unknown = found.subtracting(type.members).min() { throw UnknownMember(name: unknown) }
    return try decode(type, from: data)
  }

  /// A member of a request that it does not have.
  public struct UnknownMember: Error, Equatable {
    /// As it was written.
    public var name: String
  }

  private struct MemberNames: Decodable {
    var names: Set<String>

    private struct Name: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }

      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
      names = Set(try decoder.container(keyedBy: Name.self).allKeys.map(\.stringValue))
    }
  }
}

/// Where the daemon listens, and on which paths.
public enum ControlPath {
  /// The socket when nothing else is configured.
  public static let socket = "/run/vecand/control.sock"

  public static let status = "/v1/status"
  public static let limits = "/v1/limits"
  public static let alarms = "/v1/alarms"
  public static let explanations = "/v1/explanations"
  public static let history = "/v1/history"
  public static let settings = "/v1/settings"
  public static let mode = "/v1/mode"
  public static let stateOfCharge = "/v1/soc"
  public static let synchronise = "/v1/synchronise"
  public static let fuses = "/v1/fuses"
  public static let check = "/v1/check"
  public static let log = "/v1/log"
  public static let events = "/v1/events"
  public static let trace = "/v1/trace"
  public static let metrics = "/metrics"
  public static let description = "/openapi.json"
}
