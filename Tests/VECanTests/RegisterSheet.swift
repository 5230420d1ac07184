/// The registers as vecan.md has them in sections 2.1 to 2.6 (and 4 for 0xEDF7), copied by hand and never from
/// `Register`: what the table of the program is compared with.
///
/// A value is written as its parts in order, little-endian: `u16 0.01 V NA FFFF` is 16 bits without sign, in hundredths
/// of a volt, all ones when not available. `bits` and `pairs` are conditions of one and two bits in so many bytes.
struct RegisterSheet {
  /// One part of a value.
  struct Part: Equatable {
    var offset: Int
    var bits: Int
    var isSigned: Bool
    /// What one step is, in the SI unit of the table (seconds for minutes and hours); nil for a code or a bare number.
    var step: Double?
    var notAvailable: UInt64?
  }

  /// What the whole value is.
  enum Value: Equatable {
    case numbers([Part])
    case conditions(bits: Int, bytes: Int)
    case text(longest: Int)
  }

  var id: UInt16
  var value: Value

  /// The bytes of a value of numbers.
  var byteCount: Int {
    switch value {
    case .numbers(let parts): parts.reduce(0) { $0 + $1.bits } / 8
    case .conditions(_, let bytes): bytes
    case .text: 0
    }
  }

  /// A row, its value in the words above.
  init(_ id: UInt16, _ words: String) {
    self.id = id
    let fields = words.split(separator: " ")
    switch fields.first {
    case "bits"?, "pairs"?: value = .conditions(bits: fields[0] == "bits" ? 1 : 2, bytes: Int(fields[1]) ?? 0)
    case "text"?: value = .text(longest: Int(fields[1]) ?? 0)
    default:
      var offset = 0
      value = .numbers(
        words.split(separator: ",").map { part in
          let fields = part.split(separator: " ")
          let bits = Int(fields[0].dropFirst()) ?? 0
          let steps = ["min": 60.0, "h": 3600]
          let unit = fields.count > 2 ? steps[String(fields[2])] ?? 1 : 1
          let sentinel = fields.firstIndex(of: "NA").flatMap { UInt64(fields[$0 + 1], radix: 16) }
          defer { offset += bits }
          return Part(
            offset: offset, bits: bits, isSigned: fields[0].hasPrefix("s"),
            step: fields.count > 1 ? Double(fields[1]).map { $0 * unit } : nil, notAvailable: sentinel)
        })
    }
  }

  static let rows: [RegisterSheet] =
    [
      // 2.1
      .init(0x0100, "u8, u16, u8"), .init(0x0101, "u8, u16"), .init(0x0102, "u8, u24 NA FFFFFF"),
      .init(0x0103, "u8, u24 NA FFFFFF"), .init(0x0104, "u8"), .init(0x010A, "text 32"), .init(0x010B, "text 64"),
      .init(0x010C, "text 64"), .init(0x010D, "text 64"), .init(0x010E, "u8"), .init(0x0120, "u32 1 s"),
      .init(0x0130, "u32"), .init(0x0131, "u32"), .init(0x0132, "u32"), .init(0x0133, "u32"),
      .init(0x0144, "bits 4"), .init(0x0200, "u8"), .init(0x0201, "u8 NA FF"), .init(0x0202, "u32"),
      .init(0x0207, "bits 4"),
      // 2.2
      .init(0xED8D, "s16 0.01 V NA 7FFF"), .init(0xED8F, "s16 0.1 A NA 7FFF"),
      .init(0xED8C, "s32 0.001 A NA 7FFFFFFF"), .init(0xED8E, "s16 1 W NA 7FFF"),
      .init(0xED7D, "s16 0.01 V NA 7FFF"), .init(0xED7E, "s16 1 W NA 7FFF"), .init(0xED7F, "s16 0.1 A NA 7FFF"),
      .init(0xEDEC, "u16 0.01 K NA FFFF"), .init(0x0FFF, "u16 0.01 % NA FFFF"), .init(0x0FFE, "u16 1 min NA FFFF"),
      .init(0x0FFC, "s32 0.1 Ah"), .init(0xEEFF, "s32 0.1 Ah"), .init(0xEEB6, "u8"),
      .init(0x0382, "u16 0.01 V NA FFFF"), .init(0x0383, "s16 0.1 % NA 7FFF"),
      // 2.3
      .init(0x0300, "s32 0.1 Ah"), .init(0x0301, "s32 0.1 Ah"), .init(0x0302, "s32 0.1 Ah"), .init(0x0303, "s32 1"),
      .init(0x0304, "s32 1"), .init(0x0305, "s32 0.1 Ah"), .init(0x0306, "s32 0.01 V"), .init(0x0307, "s32 0.01 V"),
      .init(0x0308, "s32 1 s"), .init(0x0309, "s32 1"), .init(0x030A, "s32 1"), .init(0x030B, "s32 1"),
      .init(0x0310, "u32 0.01 kWh"), .init(0x0311, "u32 0.01 kWh"), .init(0x0312, "u16 0.01 K"),
      .init(0x0313, "u16 0.01 K"), .init(0x0384, "u16 0.01 V, u16 0.01 V"),
      // 2.4
      .init(0x031C, "bits 2"), .init(0x031E, "bits 2"), .init(0x031F, ""), .init(0x034D, "u8"), .init(0x034E, "u8"),
      .init(0x034F, "u8"),
      // 2.5; 0x1005 is in hundredths, and told in them.
      .init(0x1000, "u16 1 Ah"), .init(0x1001, "u16 0.1 V"), .init(0x1002, "u16 0.1 %"), .init(0x1003, "u16 1 min"),
      .init(0x1004, "u16 1 %"), .init(0x1005, "u16 1"), .init(0x1006, "u16 0.01 A"), .init(0x1007, "u16 1 min"),
      .init(0x1008, "u16 0.1 %"), .init(0x1009, "u16 0.1 %"), .init(0x1029, ""), .init(0x102C, ""),
      .init(0x1030, ""), .init(0x210B, "u16 0.1 %"), .init(0xEDEA, "u8"), .init(0xEDEF, "u8"), .init(0x0387, "u8"),
      .init(0x0388, "u8"),
      // 2.6
      .init(0x0370, "bits 4"), .init(0x0371, "u8"), .init(0x0372, "u32"), .init(0x0380, "u8, u8, u8, u8"),
      .init(0x0381, "u8, u8, u16 0.01 V"), .init(0x0385, "u16 0.01 V, u16 0.01 V"),
      .init(0x0386, "u16 0.01 K, u16 0.01 K"), .init(0x0390, "u32 0.01 V"), .init(0x0391, "u32 0.1 A"),
      .init(0x0392, "u32 0.01 V"), .init(0x0393, "u32 0.1 A"), .init(0x0394, "u16 0.01 K"), .init(0xEC44, "bits 2"),
      .init(0xEC45, "bits 2"), .init(0xEC46, "bits 2"), .init(0xEC47, "bits 2"), .init(0xEA15, "u8"),
      .init(0x2100, "bits 4"), .init(0x2101, "u8"), .init(0x2102, "u8"), .init(0x2103, "bits 4"),
      .init(0x2104, "u8"), .init(0x2105, "u16 1 h"), .init(0x2107, "pairs 4"), .init(0x2108, "pairs 2"),
      .init(0x2109, "pairs 2"), .init(0x210A, "pairs 2"), .init(0x2110, "u8, u8, u8, u8"),
      .init(0x2150, "pairs 2"),
      .init(0x2001, "u16 0.01 V NA FFFF"), .init(0x2002, "u16 0.01 V NA FFFF"), .init(0x2003, "s16 0.01 degC NA 7FFF"),
      .init(0x200A, "s32 0.001 A NA 7FFFFFFF"), .init(0x201C, "s32 0.001 A NA 7FFFFFFF"), .init(0x200E, "u8"),
      .init(0x2015, "u16 0.1 A NA FFFF"), .init(0x2017, "u16 0.1 A NA FFFF"),
      // 4
      .init(0xEDF7, "u16 0.01 V"),
    ] + (0x2111...0x2118).map { .init($0, "u32 1 s") } + (0x2152...0x2159).map { .init($0, "pairs 2") }
    + (0x2160...0x216F).map { .init($0, "text 16") }
}
