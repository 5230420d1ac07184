/// A message with typed access to its fields.
public protocol Message: Sendable {
  /// What the message is.
  static var definition: MessageDefinition { get }

  /// Reads a payload. Fields past its end are not available; bytes past the last field are ignored.
  init(payload: RawSpan)

  /// Hands the payload, as it is sent, to `body`.
  func withPayload<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result
}

/// A message of at most 16 bytes.
public protocol ShortMessage: Message, Hashable {
  /// The payload.
  var payload: ShortPayload { get set }

  /// The message with this payload.
  init(payload: ShortPayload)
}

extension ShortMessage {
  /// A message with every field not available.
  @inlinable
  public init() {
    self.init(payload: ShortPayload(littleEndian: Self.definition.blank, count: Self.definition.length))
  }

  @inlinable
  public init(payload: RawSpan) {
    self.init(payload: ShortPayload(payload))
  }

  @inlinable
  public func withPayload<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
    let bytes = payload.bytes.littleEndian
    return try Swift.withUnsafeBytes(of: bytes) { buffer in
      try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<payload.count])))
    }
  }
}

/// A message of more than 16 bytes, or of variable length.
public protocol LongMessage: Message, Hashable {
  /// The payload.
  var payload: LongPayload { get set }

  /// The message with this payload.
  init(payload: LongPayload)
}

extension LongMessage {
  @inlinable
  public init(payload: RawSpan) {
    self.init(payload: LongPayload(payload))
  }

  @inlinable
  public func withPayload<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
    try payload.withBytes(body)
  }
}
