internal import CSocketCAN
internal import Glibc

/// What went wrong with an interface, and what one can do about it.
public struct SocketCANError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was tried, such as "open a CAN socket".
  public var action: String
  /// On which interface.
  public var interface: String
  /// The error number of the system (errno).
  public var code: Int32

  /// An error with this number.
  public init(_ action: String, interface: String, code: Int32) {
    self.action = action
    self.interface = interface
    self.code = code
  }

  /// The error in words, with advice where there is one.
  public var description: String {
    let words = "\(interface): could not \(action): \(String(cString: strerror(code))) (errno \(code))"
    return advice.map { "\(words). \($0)" } ?? words
  }

  private var advice: String? {
    switch code {
    case EAFNOSUPPORT:
      "This kernel has no CAN (AF_CAN): load it with \"modprobe can-raw\", or use a kernel with CONFIG_CAN and CONFIG_CAN_RAW"
    case EPROTONOSUPPORT:
      "This kernel has CAN but no raw sockets: load the module with \"modprobe can-raw\""
    case EPERM, EACCES:
      "The process lacks the right: raw CAN needs none, but a sandbox (RestrictAddressFamilies= of systemd) must allow "
        + "AF_CAN and AF_NETLINK, and setting bitrate or state needs CAP_NET_ADMIN"
    case ENODEV, ENXIO:
      "There is no such interface: \"ip link show type can\" and \"ip link show type vcan\" list them"
    case ENETDOWN:
      "The interface is down: \"ip link set \(interface) up\""
    case EMFILE, ENFILE:
      "Too many files are open: raise LimitNOFILE= of the service"
    case EOPNOTSUPP:
      "The driver of this interface does not offer that"
    case EBUSY:
      "The interface is up: its bitrate can only be set while it is down"
    default:
      nil
    }
  }
}
