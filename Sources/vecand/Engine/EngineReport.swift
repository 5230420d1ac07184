import BMSCore
import BMSDevice
import CANBus
import MonotonicTime
import NMEA2000

/// A report with its moment on the engine's clock.
struct TimedReport: Sendable {
  var report: EngineReport
  var instant: Instant
}

/// What the engine thread tells the asynchronous edges: immutable, and dropped rather than waited for.
enum EngineReport: Sendable {
  /// Something happened in the device.
  case device(DeviceEvent)
  /// Something happened to the link.
  case link(LinkEvent)
  /// Something happened to the link of the bus that the 11-bit frames have for themselves.
  case batteryLink(LinkEvent)
  /// Frames were lost since the last such report.
  case losses(Losses)
  /// A program on this machine wrote error frames since the last such report; so many since the start.
  case forgedErrorFrames(UInt64)
  /// What a restart must not forget changed.
  case stored(StoredNode)
  /// What a restart must not forget of the core, about once a second.
  case state(Snapshot)
  /// How things are, about once a second.
  case status(DeviceStatus, LinkState)
  /// An operator asked for something: who and what, and why it was refused, if it was.
  case commanded(String, OperatorRefusal?)
  /// Why everything is as it is, because somebody asked.
  case explanation(DeviceExplanation)
  /// The engine has left the bus and ended.
  case ended
  /// The engine has ended and left everything as it is, for a successor.
  case handedOver
}
