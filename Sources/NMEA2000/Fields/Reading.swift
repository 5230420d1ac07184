/// What a field of a message says: a value, or one of the ways of having none.
///
/// The top codes of a field are no values (nmea2000.md section 1.1): all ones is "not available", one less "error",
/// two less "reserved". They stay apart from zero and from each other all the way to the person who reads them.
@frozen
public enum Reading<Value> {
  /// A value in the field's range.
  case value(Value)
  /// The sender has no such value, or the payload ends before the field.
  case notAvailable
  /// The sender has one and it cannot be expressed: sensor fault or out of the field's range.
  case error
  /// A code that the standard keeps for later.
  case reserved

  /// The value, or nil for every way of having none.
  @inlinable
  public var value: Value? {
    if case .value(let value) = self { value } else { nil }
  }

  /// The same reading in another unit or type.
  @inlinable
  public func map<Other>(_ transform: (Value) -> Other) -> Reading<Other> {
    switch self {
    case .value(let value): .value(transform(value))
    case .notAvailable: .notAvailable
    case .error: .error
    case .reserved: .reserved
    }
  }
}

extension Reading {
  /// The reading that `transform` makes of the value; the same way of having none otherwise.
  @inlinable
  public func flatMap<Other>(_ transform: (Value) -> Reading<Other>) -> Reading<Other> {
    switch self {
    case .value(let value): transform(value)
    case .notAvailable: .notAvailable
    case .error: .error
    case .reserved: .reserved
    }
  }
}

extension Reading: Sendable where Value: Sendable {}
extension Reading: Equatable where Value: Equatable {
  /// Whether both are the same value, or have none in the same way.
  ///
  /// Written out so that it can be inlined: the derived one costs a hundred times as much outside this module.
  @inlinable
  public static func == (left: Reading, right: Reading) -> Bool {
    switch (left, right) {
    case (.value(let left), .value(let right)): left == right
    case (.notAvailable, .notAvailable), (.error, .error), (.reserved, .reserved): true
    default: false
    }
  }
}

extension Reading: Hashable where Value: Hashable {}

extension Reading {
  /// The value if there is one, else not available.
  @inlinable
  public init(_ value: Value?) {
    self = value.map(Reading.value) ?? .notAvailable
  }
}
