/// The body of a request, with all members that it may have. One more is most likely a misspelt one: who wrote it must not
/// believe that it counted.
public protocol ControlRequest: Codable, Sendable {
  static var members: Set<String> { get }
}

/// `PUT /v1/settings/{key}`.
public struct SettingRequest: ControlRequest, Equatable {
  public static let members: Set<String> = ["value"]

  public var value: Double

  public init(value: Double) { self.value = value }
}

/// `POST /v1/mode`.
public struct ModeRequest: ControlRequest, Equatable {
  public static let members: Set<String> = ["mode", "requester"]

  public var mode: OperatingMode
  /// For whom it is asked: who acts for a GX device has its rights only (R36, R37).
  public var requester: ModeRequesterName?

  public init(mode: OperatingMode, requester: ModeRequesterName? = nil) {
    self.mode = mode
    self.requester = requester
  }
}

/// Who asks for a mode. The remote terminals are wires and ask for themselves.
public enum ModeRequesterName: String, Codable, Sendable, CaseIterable {
  case app, gx
}

/// `PUT /v1/soc`.
public struct StateOfChargeRequest: ControlRequest, Equatable {
  public static let members: Set<String> = ["percent"]

  public var percent: Double

  public init(percent: Double) { self.percent = percent }
}

/// What takes no body: `POST /v1/synchronise`, `POST /v1/settings/reset`, `DELETE /v1/settings/{key}`. None is usual, and an
/// empty object is none.
public struct EmptyRequest: ControlRequest, Equatable {
  public static let members: Set<String> = []

  public init() {}
}

/// The answer to a command that was carried out: what is in force now.
public struct Done: Codable, Sendable, Equatable {
  public var done: String

  public init(done: String) { self.done = done }
}

/// The answer to everything that was not done.
public struct Refusal: Codable, Sendable, Equatable {
  /// What was refused, why, what was expected, what to do.
  public var error: String

  public init(error: String) { self.error = error }
}
