public import MonotonicTime

/// Who is on the bus, by address.
public struct DeviceTable: Sendable {
  /// A device at an address.
  public struct Device: Hashable, Sendable {
    /// Its address now.
    public var address: UInt8
    /// Its NAME; nil until a claim was heard.
    public var name: Name?
    /// When it was last heard.
    public var lastHeard: Instant
    /// What it says of itself in 126996, when that was heard.
    public var product: ProductDescription?
    /// The PGNs heard from it, at most 32.
    public var pgns: [PGN]
  }

  /// What a selector finds.
  public enum Match: Hashable, Sendable {
    /// Nobody fits.
    case none
    /// This one, at this address.
    case one(Device)
    /// More than one fits: none is chosen by chance.
    case ambiguous(count: Int)
  }

  /// All devices heard, in the order of their addresses.
  public var all: [Device] { [] }

  /// The device at an address.
  public subscript(address: UInt8) -> Device? { nil }

  /// The NAME that holds an address; no allocation.
  public func name(of address: UInt8) -> Name? { nil }

  /// The address that a NAME holds.
  public func address(of name: Name) -> UInt8? { nil }

  /// Who fits a selector.
  public func match(_ selector: DeviceSelector) -> Match { .none }
}

/// Picks a sender by its NAME, never by its address: addresses move. A nil part fits all.
public struct DeviceSelector: Hashable, Sendable {
  /// The manufacturer's code.
  public var manufacturer: UInt16?
  /// The unique number.
  public var uniqueNumber: UInt32?
  /// The device function.
  public var function: UInt8?
  /// The device class.
  public var deviceClass: UInt8?
  /// The device instance.
  public var deviceInstance: UInt8?

  /// A selector of these parts.
  public init(
    manufacturer: UInt16? = nil, uniqueNumber: UInt32? = nil, function: UInt8? = nil, deviceClass: UInt8? = nil,
    deviceInstance: UInt8? = nil
  ) {
    self.manufacturer = manufacturer
    self.uniqueNumber = uniqueNumber
    self.function = function
    self.deviceClass = deviceClass
    self.deviceInstance = deviceInstance
  }

  /// Whether a NAME fits all the given parts.
  public func matches(_ name: Name) -> Bool {
    (manufacturer == nil || manufacturer == name.manufacturer)
      && (uniqueNumber == nil || uniqueNumber == name.uniqueNumber)
      && (function == nil || function == name.function)
      && (deviceClass == nil || deviceClass == name.deviceClass)
      && (deviceInstance == nil || deviceInstance == name.deviceInstance)
  }
}
