/// What a CAN controller or its driver reports about itself and the bus (linux/can/error.h).
///
/// One report can hold several conditions.
public struct CANErrorFrame: Hashable, Sendable {
  /// The conditions that a report can name.
  public struct Conditions: OptionSet, Hashable, Sendable {
    /// The error class bits of `can_id`, as the kernel numbers them.
    public let rawValue: UInt32

    /// The conditions of these class bits.
    public init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// A transmission timed out in the driver.
    public static let transmitTimeout = Conditions(rawValue: 0x001)
    /// Arbitration was lost; the controller tries again by itself.
    public static let lostArbitration = Conditions(rawValue: 0x002)
    /// A problem of the controller: overflow, error warning, error passive, active again. See ``CANErrorFrame/controller``.
    public static let controller = Conditions(rawValue: 0x004)
    /// A protocol violation (bit, stuff, form, CRC).
    public static let protocolViolation = Conditions(rawValue: 0x008)
    /// The transceiver reports a wiring fault.
    public static let transceiver = Conditions(rawValue: 0x010)
    /// Nobody acknowledged: alone on the bus, or wrong bitrate.
    public static let noAcknowledge = Conditions(rawValue: 0x020)
    /// The controller took itself off the bus.
    public static let busOff = Conditions(rawValue: 0x040)
    /// A bus error, possibly in great number.
    public static let busError = Conditions(rawValue: 0x080)
    /// The controller was restarted after bus-off.
    public static let restarted = Conditions(rawValue: 0x100)
    /// The bytes 6 and 7 hold the error counters.
    public static let counters = Conditions(rawValue: 0x200)
  }

  /// The controller's details, valid with ``Conditions/controller`` (byte 1 of the report).
  public struct Controller: OptionSet, Hashable, Sendable {
    /// Byte 1, as the kernel numbers it.
    public let rawValue: UInt8

    /// The details of this byte.
    public init(rawValue: UInt8) {
      self.rawValue = rawValue
    }

    /// The controller's receive buffer overflowed.
    public static let receiveOverflow = Controller(rawValue: 0x01)
    /// The controller's transmit buffer overflowed.
    public static let transmitOverflow = Controller(rawValue: 0x02)
    /// Receive error counter at warning level (96).
    public static let receiveWarning = Controller(rawValue: 0x04)
    /// Transmit error counter at warning level (96).
    public static let transmitWarning = Controller(rawValue: 0x08)
    /// Receive error counter above 127: error passive.
    public static let receivePassive = Controller(rawValue: 0x10)
    /// Transmit error counter above 127: error passive.
    public static let transmitPassive = Controller(rawValue: 0x20)
    /// Recovered to error active.
    public static let active = Controller(rawValue: 0x40)
  }

  /// What is reported.
  public var conditions: Conditions
  /// The eight detail bytes, as the kernel lays them out.
  public var details: CANPayload

  /// A report of `conditions` with the kernel's detail bytes.
  public init(_ conditions: Conditions, details: CANPayload) {
    self.conditions = conditions
    self.details = details
  }

  /// The controller's details; empty unless ``Conditions/controller`` is reported.
  public var controller: Controller {
    conditions.contains(.controller) ? Controller(rawValue: details[1]) : []
  }

  /// Whether the controller says that it is error active. Most drivers do by ``Controller/active``; usb_8dev and at91_can
  /// by CAN_ERR_PROT_ACTIVE, an active error flag, which no other controller may send (byte 2).
  public var isErrorActive: Bool {
    controller.contains(.active) || conditions.contains(.protocolViolation) && details[2] & 0x40 != 0
  }

  /// The transmit error counter, 0...255; nil unless the report carries counters.
  public var transmitErrorCount: UInt8? { conditions.contains(.counters) ? details[6] : nil }

  /// The receive error counter, 0...255; nil unless the report carries counters.
  public var receiveErrorCount: UInt8? { conditions.contains(.counters) ? details[7] : nil }
}
