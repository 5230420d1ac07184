import SocketCAN

/// What is worth saying about an interface when it comes up: asked on the asynchronous side, for it talks to the kernel.
enum InterfaceCheck {
  /// VE.Can and NMEA 2000 (R310).
  static let bitrate: UInt32 = 250_000

  /// The interface in a sentence, and what is wrong with it.
  static func lines(_ interface: String, bitrate: UInt32) -> [EventLine] {
    let report: CANInterfaceReport
    do {
      report = try CANController.report(on: interface)
    } catch {
      return [EventLine(level: .warning, text: "\(error)")]
    }
    var lines = [EventLine(level: .info, text: "\(report)")]
    guard case .controller(_, _, let facts) = report else { return lines }
    if let rate = facts.bitrate, rate != bitrate {
      lines.append(
        EventLine(
          level: .error,
          text: "\(interface): the bitrate is \(rate), this bus uses \(bitrate): ip link set \(interface) "
            + "down; ip link set \(interface) up type can bitrate \(bitrate) restart-ms 100"))
    }
    if facts.restartMilliseconds == 0 {
      lines.append(
        EventLine(
          level: .warning,
          text: "\(interface): after bus-off it stays off until somebody restarts it: ip link set \(interface) type "
            + "can restart-ms 100"))
    }
    return lines
  }
}
