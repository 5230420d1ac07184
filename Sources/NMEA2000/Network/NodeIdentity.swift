public import MonotonicTime

/// Everything a node says about itself.
public struct NodeIdentity: Hashable, Sendable {
  /// The NAME as configured. Instances that were stored since win over it, and a unique number that was drawn against a
  /// twin of just this NAME's.
  public var name: Name
  /// The address to begin with when none is stored.
  public var preferredAddress: UInt8
  /// The addresses it may take by itself, 0...251 at most. A commanded address may lie outside.
  public var addresses: ClosedRange<UInt8>
  /// Repeats the claim unasked, as Victron's products do each 60 s (vecan.md section 1); nil for never.
  public var claimInterval: TimeSpan?
  /// What 126996 says.
  public var product: ProductDescription
  /// The last field of 126998: who made it. At most 70 characters.
  public var manufacturerInformation: String
  /// The first field of 126998 as configured. What the bus set since wins over it.
  public var installationDescription1: String
  /// The second one, likewise.
  public var installationDescription2: String

  /// An identity of these parts.
  public init(
    name: Name, preferredAddress: UInt8 = 36, addresses: ClosedRange<UInt8> = 0...BusAddress.lastClaimable,
    claimInterval: TimeSpan? = nil, product: ProductDescription, manufacturerInformation: String = "",
    installationDescription1: String = "", installationDescription2: String = ""
  ) {
    self.name = name
    self.preferredAddress = preferredAddress
    self.addresses = addresses
    self.claimInterval = claimInterval
    self.product = product
    self.manufacturerInformation = manufacturerInformation
    self.installationDescription1 = installationDescription1
    self.installationDescription2 = installationDescription2
  }
}

/// The contents of 126996. Texts are cut to 32 bytes.
public struct ProductDescription: Hashable, Sendable {
  /// The NMEA 2000 version in thousandths, 2100 for 2.100.
  public var nmeaVersion: UInt16
  /// The maker's number for the product.
  public var productCode: UInt16
  /// The product's name.
  public var model: String
  /// The version of its program.
  public var softwareVersion: String
  /// The version of its hardware.
  public var modelVersion: String
  /// Its serial number.
  public var serialNumber: String
  /// 0...3, 255 for none.
  public var certificationLevel: UInt8
  /// Its current from the network in units of 50 mA.
  public var loadEquivalency: UInt8

  /// A description of these parts.
  public init(
    nmeaVersion: UInt16 = 2100, productCode: UInt16, model: String, softwareVersion: String, modelVersion: String = "",
    serialNumber: String, certificationLevel: UInt8 = 0, loadEquivalency: UInt8 = 0
  ) {
    self.nmeaVersion = nmeaVersion
    self.productCode = productCode
    self.model = model
    self.softwareVersion = softwareVersion
    self.modelVersion = modelVersion
    self.serialNumber = serialNumber
    self.certificationLevel = certificationLevel
    self.loadEquivalency = loadEquivalency
  }
}

/// What the bus changed and a restart must not forget (nmea2000.md section 1.5).
public struct StoredNode: Hashable, Sendable {
  /// The address held last.
  public var address: UInt8?
  /// The unique number, when a twin forced another than the configured one.
  public var uniqueNumber: UInt32?
  /// The configured one that it replaced: with another configured one it no longer counts. Nil when nobody knows; then it
  /// always counts.
  public var replacedUniqueNumber: UInt32?
  /// The device instance set by 126208.
  public var deviceInstance: UInt8?
  /// The system instance set by 126208.
  public var systemInstance: UInt8?
  /// The heartbeat's interval set by 126208.
  public var heartbeatInterval: TimeSpan?
  /// The first installation description, when 126208 or a register set another than the configured one; else empty, and the
  /// configured one counts.
  public var installationDescription1: String
  /// The second one, likewise.
  public var installationDescription2: String

  /// A record of these parts.
  public init(
    address: UInt8? = nil, uniqueNumber: UInt32? = nil, replacedUniqueNumber: UInt32? = nil,
    deviceInstance: UInt8? = nil, systemInstance: UInt8? = nil, heartbeatInterval: TimeSpan? = nil,
    installationDescription1: String = "", installationDescription2: String = ""
  ) {
    self.address = address
    self.uniqueNumber = uniqueNumber
    self.replacedUniqueNumber = replacedUniqueNumber
    self.deviceInstance = deviceInstance
    self.systemInstance = systemInstance
    self.heartbeatInterval = heartbeatInterval
    self.installationDescription1 = installationDescription1
    self.installationDescription2 = installationDescription2
  }

  /// Without what the configuration has overtaken, or says itself. An earlier version stored the configured descriptions as
  /// if the bus had set them.
  func fitted(to identity: NodeIdentity) -> StoredNode {
    var fitted = self
    if let replacedUniqueNumber, replacedUniqueNumber != identity.name.uniqueNumber { fitted.uniqueNumber = nil }
    if fitted.uniqueNumber == nil { fitted.replacedUniqueNumber = nil }
    if installationDescription1 == identity.installationDescription1 { fitted.installationDescription1 = "" }
    if installationDescription2 == identity.installationDescription2 { fitted.installationDescription2 = "" }
    return fitted
  }
}

/// A PGN that the application sends, and what the bus may do about it.
public struct TransmittedPGN: Hashable, Sendable {
  /// What is sent.
  public var pgn: PGN
  /// How often, when nobody set another interval; nil for on request or on change.
  public var interval: TimeSpan?
  /// The intervals that 126208 may set; nil to refuse any. "Off" is always refused: a BMS never falls silent on
  /// somebody's request.
  public var settableIntervals: ClosedRange<TimeSpan>?
  /// Whether 59904 and 126208 may ask for it.
  public var isRequestable: Bool

  /// A PGN with these rules.
  public init(
    _ pgn: PGN, interval: TimeSpan? = nil, settableIntervals: ClosedRange<TimeSpan>? = nil, isRequestable: Bool = true
  ) {
    self.pgn = pgn
    self.interval = interval
    self.settableIntervals = settableIntervals
    self.isRequestable = isRequestable
  }
}

extension ProductInformation {
  /// The message that says this.
  public init(_ product: ProductDescription) {
    self.init()
    version = .value(Double(product.nmeaVersion) / 1000)
    productCode = .value(Int(product.productCode))
    model = FixedText(product.model)
    softwareVersion = FixedText(product.softwareVersion)
    modelVersion = FixedText(product.modelVersion)
    serial = FixedText(product.serialNumber)
    certificationLevel = product.certificationLevel == .max ? .notAvailable : .value(UInt32(product.certificationLevel))
    loadEquivalency = product.loadEquivalency == .max ? .notAvailable : .value(Int(product.loadEquivalency))
  }
}

extension ProductDescription {
  /// What a device says; a number that it does not give is all ones, a text empty.
  public init(_ message: ProductInformation) {
    self.init(
      nmeaVersion: message.version.value.map { UInt16(clamping: Int(($0 * 1000).rounded())) } ?? .max,
      productCode: message.productCode.value.map { UInt16(clamping: $0) } ?? .max,
      model: message.model.map(\.description) ?? "",
      softwareVersion: message.softwareVersion.map(\.description) ?? "",
      modelVersion: message.modelVersion.map(\.description) ?? "",
      serialNumber: message.serial.map(\.description) ?? "",
      certificationLevel: message.certificationLevel.value.map { UInt8(clamping: $0) } ?? .max,
      loadEquivalency: message.loadEquivalency.value.map { UInt8(clamping: $0) } ?? .max)
  }
}
