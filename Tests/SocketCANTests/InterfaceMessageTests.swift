import CANBus
import Testing

@testable import SocketCAN

@Suite struct InterfaceMessageTests {
  private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value) { Array($0) }
  }

  private func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
    let padding = [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
    return bytes(UInt16(value.count + 4)) + bytes(type) + value + padding
  }

  /// A message as the kernel builds it (linux/rtnetlink.h): RTM_NEWLINK is 16, RTM_DELLINK 17.
  private func message(_ type: UInt16, family: UInt8 = 0, index: Int32 = 7, flags: UInt32 = 1) -> [UInt8] {
    let information = attribute(18, attribute(1, Array("vcan".utf8) + [0]))
    let attributes = attribute(3, Array("vcan0".utf8) + [0]) + attribute(4, bytes(72 as UInt32)) + information
    let body = [family, 0] + bytes(280 as UInt16) + bytes(index) + bytes(flags) + bytes(0 as UInt32) + attributes
    return bytes(UInt32(16 + body.count)) + bytes(type) + [UInt8](repeating: 0, count: 10) + body
  }

  private func read(_ bytes: [UInt8]) -> [InterfaceMessage] {
    var messages: [InterfaceMessage] = []
    bytes.withUnsafeBytes { InterfaceMessageReader.read($0) { messages.append($0) } }
    return messages
  }

  @Test func interfacesAppearAndGo() {
    let done = bytes(20 as UInt32) + bytes(3 as UInt16) + [UInt8](repeating: 0, count: 14)
    let facts = InterfaceFacts(index: 7, name: "vcan0", isUp: true, isCAN: true, kind: "vcan", mtu: 72)
    #expect(read(message(16) + message(17) + done) == [.changed(facts), .removed(index: 7), .endOfList])
    var down = facts
    down.isUp = false
    #expect(read(message(16, flags: 0)) == [.changed(down)])
  }

  @Test func bridgesSayNothingAboutTheInterface() {
    #expect(read(message(17, family: 7)).isEmpty)
    #expect(read(message(16, family: 7)).isEmpty)
  }

  @Test func brokenMessagesNeverTrap() {
    let whole = message(16) + message(17)
    for length in 0..<whole.count { _ = read(Array(whole.prefix(length))) }
    var random = SeededGenerator(seed: 1)
    var understood = 0
    for _ in 0..<20_000 {
      var changed = whole
      for _ in 0..<3 { changed[Int(random.next() % UInt64(whole.count))] = UInt8(truncatingIfNeeded: random.next()) }
      understood += read(changed).count
    }
    #expect(understood > 10_000)
  }
}
