/// The first two bytes of every proprietary message: 11 bits of maker, 2 reserved, 3 of industry (vecan.md section 1).
public struct ProprietaryHeader: Hashable, Sendable {
  static let manufacturerField = Field.lookup("Manufacturer Code", at: 0, bits: 11, .manufacturer)
  static let industryField = Field.lookup("Industry Code", at: 13, bits: 3, .industry)

  /// The fields, numbered 1 to 3 in 126208 whatever follows.
  static let fields = [manufacturerField, Field.reserved(at: 11, bits: 2), industryField]

  /// The two bytes, the first least significant: 0x9966 for Victron, marine.
  public let rawValue: UInt16

  /// The header of a maker, 11 bits, in an industry, 3 bits (4: marine).
  public init(manufacturer: UInt16, industry: UInt16 = 4) {
    rawValue = manufacturer & 0x7FF | 0x1800 | industry << 13
  }

  /// The header with these bytes.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The maker's code.
  public var manufacturer: UInt16 { rawValue & 0x7FF }

  /// The industry's code.
  public var industry: UInt16 { rawValue >> 13 }

  var matches: [MessageDefinition.Match] {
    [.init(Self.manufacturerField, UInt64(manufacturer)), .init(Self.industryField, UInt64(industry))]
  }
}
