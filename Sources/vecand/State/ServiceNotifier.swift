import BMSDevice
import CANBus
import CSystemd
import Synchronization

/// Tells systemd how the service does (sd_notify(3)). Says nothing where no service manager asked.
final class ServiceNotifier: Sendable {
  private let isReady = Mutex(false)

  /// Called about once a second with what a completed turn of the engine reported; nothing else feeds the watchdog.
  ///
  /// Ready is: the address is claimed, or the link is named as not there.
  func status(_ status: DeviceStatus, _ link: LinkState) {
    var lines = ["WATCHDOG=1", "STATUS=\(text(status, link))"]
    isReady.withLock { isReady in
      guard !isReady, status.address != nil || !link.carriesFrames else { return }
      isReady = true
      lines.append("READY=1")
    }
    sd_notify(0, lines.joined(separator: "\n"))
  }

  func stopping() {
    sd_notify(0, "STOPPING=1")
  }

  private func text(_ status: DeviceStatus, _ link: LinkState) -> String {
    guard link.carriesFrames else { return "the link is \(link)" }
    // It gave its address up on purpose.
    if status.isSilent { return "off, and silent until it is switched on" }
    guard let address = status.address else { return "claiming an address" }
    let outputs = status.outputs
    return "address \(address), \(outputs.voltage.volts), \(outputs.current.amperes), SoC "
      + "\(outputs.stateOfCharge.percent), charge \(outputs.chargeAllowed ? "allowed" : "forbidden"), discharge "
      + "\(outputs.dischargeAllowed ? "allowed" : "forbidden")"
  }
}
