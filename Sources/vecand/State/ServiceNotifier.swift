import BMSDevice
import CANBus
import CSystemd
import NMEA2000
import Synchronization

/// Tells systemd how the service does (sd_notify(3)). Says nothing where no service manager asked.
final class ServiceNotifier: Sendable {
  /// After so many reports without an address, one a second, it counts as not to be had for now. They cover the first
  /// attempt (1.2 s at most) and a second one 10 s later. They lie well below the 60 s after which the package goes back
  /// to the version before, and the 90 s after which systemd (DefaultTimeoutStartSec=, systemd-system.conf(5)) kills the
  /// service and starts it again, which would withdraw the limits each time and get no address either.
  static let patience = 15

  private struct Progress {
    var isReady = false
    /// Reports in a row without an address although the link carries frames.
    var reportsWithoutAddress = 0
    /// Who took the last address that was lost.
    var contender: Name?

    var isWithoutAddress: Bool { reportsWithoutAddress >= ServiceNotifier.patience }
  }

  private let progress = Mutex(Progress())

  /// Called about once a second with what a completed turn of the engine reported; nothing else feeds the watchdog.
  ///
  /// Ready is: the address is claimed, or it is named what keeps it from that: the link is not there, it is Off, or no
  /// address is to be had.
  func status(_ status: DeviceStatus, _ link: LinkState) {
    sd_notify(0, message(status, link))
  }

  /// An address was lost to this NAME.
  func addressLost(to winner: Name) {
    progress.withLock { $0.contender = winner }
  }

  /// What is told with a report.
  func message(_ status: DeviceStatus, _ link: LinkState) -> String {
    progress.withLock { progress in
      if status.address != nil { progress.contender = nil }
      let isClaiming = status.address == nil && link.carriesFrames && !status.isSilent
      progress.reportsWithoutAddress = isClaiming ? min(progress.reportsWithoutAddress + 1, Self.patience) : 0
      var lines = ["WATCHDOG=1", "STATUS=\(text(status, link, progress))"]
      let isSettled = status.address != nil || !link.carriesFrames || progress.isWithoutAddress || status.isSilent
      if !progress.isReady, isSettled {
        progress.isReady = true
        lines.append("READY=1")
      }
      return lines.joined(separator: "\n")
    }
  }

  func stopping() {
    sd_notify(0, "STOPPING=1")
  }

  private func text(_ status: DeviceStatus, _ link: LinkState, _ progress: Progress) -> String {
    guard link.carriesFrames else { return "the link is \(link)" }
    // It gave its address up on purpose.
    if status.isSilent { return "off, and silent until it is switched on" }
    guard let address = status.address else {
      guard progress.isWithoutAddress else { return "claiming an address" }
      guard let contender = progress.contender else {
        return "no address could be claimed: all are taken; remove devices from the bus"
      }
      return "no address could be claimed: NAME \(contender) contests it; take that device off the bus"
    }
    let outputs = status.outputs
    return "address \(address), \(outputs.voltage.volts), \(outputs.current.amperes), SoC "
      + "\(outputs.stateOfCharge.percent), charge \(outputs.chargeAllowed ? "allowed" : "forbidden"), discharge "
      + "\(outputs.dischargeAllowed ? "allowed" : "forbidden")"
  }
}
