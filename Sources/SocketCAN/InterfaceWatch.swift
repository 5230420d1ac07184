// The kernel's word on network interfaces: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h.

internal import CSocketCAN
internal import Glibc
internal import MonotonicTime

/// What the kernel says about one network interface.
struct InterfaceFacts: Equatable {
  var index: Int32
  var name: String
  /// Switched on (IFF_UP).
  var isUp: Bool
  /// Of the hardware type CAN (ARPHRD_CAN).
  var isCAN: Bool
  /// The kind of driver: "can" for controllers, "vcan" and "vxcan" for virtual ones; nil for hardware that has none.
  var kind: String?
  /// The largest frame: 16 for classic CAN, 72 for CAN FD.
  var mtu: UInt32
  /// What a controller's driver tells about it: bit n is set if the attribute n of linux/can/netlink.h is there.
  var offers: UInt64 = 0

  /// Whether the driver tells the attribute `type` (`IFLA_CAN_STATE` and so on).
  func offers(_ type: Int) -> Bool { type >= 0 && type < 64 && offers & 1 << UInt64(type) != 0 }
}

/// A message about interfaces.
enum InterfaceMessage: Equatable {
  /// An interface appeared or changed.
  case changed(InterfaceFacts)
  /// An interface is gone.
  case removed(index: Int32)
  /// The list that was asked for is complete.
  case endOfList
}

/// Reads messages of rtnetlink from a buffer. Works on any bytes.
enum InterfaceMessageReader {
  static func read(_ buffer: UnsafeRawBufferPointer, _ body: (InterfaceMessage) -> Void) {
    var offset = 0
    // nlmsghdr: length, type, flags, sequence, port: 16 bytes, messages aligned to 4.
    while let length: UInt32 = load(buffer, offset), let type: UInt16 = load(buffer, offset + 4),
      length >= 16, offset + Int(length) <= buffer.count
    {
      let message = UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + Int(length)])
      switch Int32(type) {
      case NLMSG_DONE: body(.endOfList)
      case Int32(RTM_NEWLINK): if let facts = facts(message) { body(.changed(facts)) }
      case Int32(RTM_DELLINK):
        // Bridges announce lost ports in the family AF_BRIDGE; the interface itself lives on.
        if load(message, 16) == UInt8(AF_UNSPEC), let index: Int32 = load(message, 20) { body(.removed(index: index)) }
      default: break
      }
      offset += (Int(length) + 3) & ~3
    }
  }

  /// ifinfomsg at 16: family, pad, hardware type (u16), index (i32), flags (u32), change mask; attributes from 32 on.
  private static func facts(_ message: UnsafeRawBufferPointer) -> InterfaceFacts? {
    guard let family: UInt8 = load(message, 16), family == UInt8(AF_UNSPEC), let type: UInt16 = load(message, 18),
      let index: Int32 = load(message, 20), let flags: UInt32 = load(message, 24)
    else { return nil }
    var facts = InterfaceFacts(
      index: index, name: "", isUp: flags & UInt32(IFF_UP) != 0, isCAN: Int32(type) == ARPHRD_CAN, kind: nil,
      mtu: 0)
    forEachAttribute(message, from: 32) { type, value in
      switch Int(type) {
      case Int(IFLA_IFNAME): facts.name = text(value)
      case Int(IFLA_MTU): facts.mtu = load(value, 0) ?? 0
      case Int(IFLA_LINKINFO):
        forEachAttribute(value, from: 0) { type, value in
          switch Int(type) {
          case Int(IFLA_INFO_KIND): facts.kind = text(value)
          case Int(IFLA_INFO_DATA):
            forEachAttribute(value, from: 0) { type, _ in if type < 64 { facts.offers |= 1 << UInt64(type) } }
          default: break
          }
        }
      default: break
      }
    }
    return facts.name.isEmpty ? nil : facts
  }

  /// rtattr: length and type (u16 each), then the value; aligned to 4.
  private static func forEachAttribute(
    _ buffer: UnsafeRawBufferPointer, from start: Int, _ body: (UInt16, UnsafeRawBufferPointer) -> Void
  ) {
    var offset = start
    while let length: UInt16 = load(buffer, offset), let type: UInt16 = load(buffer, offset + 2),
      length >= 4, offset + Int(length) <= buffer.count
    {
      // The two upper bits of a type are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
      body(type & 0x3FFF, UnsafeRawBufferPointer(rebasing: buffer[offset + 4..<offset + Int(length)]))
      offset += (Int(length) + 3) & ~3
    }
  }

  private static func text(_ value: UnsafeRawBufferPointer) -> String {
    String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func load<T: BitwiseCopyable>(_ buffer: UnsafeRawBufferPointer, _ offset: Int) -> T? {
    guard offset >= 0, offset + MemoryLayout<T>.size <= buffer.count else { return nil }
    return buffer.loadUnaligned(fromByteOffset: offset, as: T.self)
  }
}

/// A netlink socket that tells of every interface that appears, changes or goes.
final class InterfaceWatch {
  let descriptor: Int32
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 8)

  init(interface: String) throws(SocketCANError) {
    let action = "watch interfaces (rtnetlink)"
    descriptor = socket(
      AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
    guard descriptor >= 0 else { throw SocketCANError(action, interface: interface, code: errno) }
    var address = sockaddr_nl()
    address.nl_family = sa_family_t(AF_NETLINK)
    address.nl_groups = UInt32(RTMGRP_LINK)
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
      }
    }
    guard bound == 0 else { throw SocketCANError(action, interface: interface, code: errno) }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    buffer.deallocate()
  }

  /// Asks for the list of all interfaces; the answers come as ``InterfaceMessage``s, closed by the end of the list.
  func requestList() {
    var request = (nlmsghdr(), ifinfomsg())
    request.0.nlmsg_len = UInt32(MemoryLayout<nlmsghdr>.size + MemoryLayout<ifinfomsg>.size)
    request.0.nlmsg_type = UInt16(RTM_GETLINK)
    request.0.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_DUMP)
    withUnsafeBytes(of: &request) { bytes in
      _ = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    }
  }

  /// Reads what is there. False if messages were lost because too many came at once: the list has to be asked for anew.
  func read(_ body: (InterfaceMessage) -> Void) -> Bool {
    while true {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count > 0 {
        InterfaceMessageReader.read(UnsafeRawBufferPointer(rebasing: buffer[..<count]), body)
      } else if count < 0, errno == EINTR {
        continue
      } else {
        return !(count < 0 && errno == ENOBUFS)
      }
    }
  }

  /// Asks for the list and waits for it, a second at most. (The kernel answers at once.)
  func readList(_ body: (InterfaceMessage) -> Void) {
    requestList()
    let deadline = SystemClock.now() + .seconds(1)
    var isComplete = false
    while !isComplete, SystemClock.now() < deadline {
      var descriptors = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&descriptors, 1, 100)
      let isWhole = read { message in
        if message == .endOfList { isComplete = true }
        body(message)
      }
      if !isWhole { requestList() }
    }
  }

  /// What the kernel says about the interface `name` now; nil if there is none.
  static func facts(of name: String) throws(SocketCANError) -> InterfaceFacts? {
    var found: InterfaceFacts?
    try InterfaceWatch(interface: name).readList { message in
      switch message {
      case .changed(let facts) where facts.name == name: found = facts
      case .removed(let index) where index == found?.index: found = nil
      default: break
      }
    }
    return found
  }
}
