/// The number of a Victron register (VREG), the same on VE.Can, VE.Direct and Bluetooth (vecan.md section 1).
@frozen
public struct RegisterID: Hashable, Comparable, Sendable {
  /// The number.
  public let rawValue: UInt16

  /// The register of this number.
  @inlinable
  public init(_ number: UInt16) { rawValue = number }

  /// Whether the number of `left` is smaller.
  @inlinable
  public static func < (left: RegisterID, right: RegisterID) -> Bool { left.rawValue < right.rawValue }
}

extension RegisterID: ExpressibleByIntegerLiteral, CustomStringConvertible {
  /// The register of this number.
  @inlinable
  public init(integerLiteral value: UInt16) { self.init(value) }

  /// The number as `0x0390`.
  public var description: String {
    let digits = String(rawValue, radix: 16, uppercase: true)
    return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}

extension RegisterID {
  /// Numbers that are orders and no registers (vecan.md section 1).
  ///
  /// Asks for a register, or for all that match a mask (VREQ).
  public static let read: RegisterID = 0x0001
  /// Refuses (VACK).
  public static let refusal: RegisterID = 0x0002
  /// Is echoed.
  public static let ping: RegisterID = 0x0003
  /// Resets settings, not the history.
  public static let restoreDefaults: RegisterID = 0x0004
}

/// Why a request was refused: the codes of VACK (0x0002), of which bit 15 says that it is an error (vecan.md section 1,
/// single source REGS).
@frozen
public struct RefusalCode: Hashable, Sendable, CustomStringConvertible {
  /// The code.
  public let rawValue: UInt16

  /// The code of this number.
  @inlinable
  public init(_ number: UInt16) { rawValue = number }

  /// There is no such register to read.
  public static let unknownRead = RefusalCode(0x8000)
  /// There is no such register to write, or it does not take that value.
  public static let unknownWrite = RefusalCode(0x8100)
  /// It has no time now.
  public static let busy = RefusalCode(0x8200)
  /// The message makes no sense, or what it asks is not to be had now.
  public static let invalid = RefusalCode(0x8300)
  /// It took too long.
  public static let timeout = RefusalCode(0x8400)
  /// More requests than it can keep.
  public static let overflow = RefusalCode(0x8500)
  /// It does not know yet.
  public static let initialising = RefusalCode(0x8600)

  /// The code in words.
  public var description: String {
    switch rawValue {
    case 0x0000: "accepted"
    case 0x8000: "no such register to read"
    case 0x8100: "no such register to write, or out of range"
    case 0x8200: "busy"
    case 0x8300: "invalid"
    case 0x8400: "time-out"
    case 0x8500: "too many requests"
    case 0x8600: "still initialising"
    case 0xC001: "another panel controls"
    default: "code \(RegisterID(rawValue))"
    }
  }
}
