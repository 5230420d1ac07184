/// The version of this program, in its one place.
public enum Version {
  /// As people read it.
  public static let text = "0.1.0"
  /// Major and minor, as 0x35F carries them.
  static let pair: (major: UInt8, minor: UInt8) = (0, 1)
}
