/// All messages that this program knows by name. A new message is a file beside this one and its line here.
public enum Catalogue {
  /// The messages in the order of their PGN.
  public static let messages: [any Message.Type] = [
    BatteryStatus.self
  ]
}
