/// 126998 configuration information: what the installer and the maker wrote about a device (nmea2000.md section 1.4).
public struct ConfigurationInformation: LongMessage {
  public static let definition = MessageDefinition(
    pgn: 126998, name: "Configuration Information", framing: .fastPacket, length: 6, priority: 6,
    fields: [
      Field("Installation Description #1", at: 0, bits: 0, .variableText),
      Field("Installation Description #2", at: 0, bits: 0, .variableText),
      Field("Manufacturer Information", at: 0, bits: 0, .variableText),
    ])

  public var payload: LongPayload

  public init(payload: LongPayload) { self.payload = payload }

  /// A message of three texts, each cut to 70 characters. One that no longer fits the message is sent empty.
  public init(installationDescription1: String = "", installationDescription2: String = "", manufacturer: String = "") {
    payload = LongPayload()
    for (index, text) in [installationDescription1, installationDescription2, manufacturer].enumerated() {
      // Two bytes for each text that still follows must stay free.
      var attempt = payload
      if VariableText.append(text, to: &attempt), attempt.count <= LongPayload.capacity - 2 * (2 - index) {
        payload = attempt
      } else {
        VariableText.append("", to: &payload)
      }
    }
  }

  /// The installer's first text; nil when it is empty.
  public var installationDescription1: String? { text(0) }

  /// The installer's second text; nil when it is empty.
  public var installationDescription2: String? { text(1) }

  /// The maker's text; nil when it is empty.
  public var manufacturerInformation: String? { text(2) }

  private func text(_ index: Int) -> String? {
    var offset = 0
    for _ in 0..<index {
      guard let end = VariableText.end(in: payload, at: offset) else { return nil }
      offset = end
    }
    return VariableText.text(in: payload, at: offset)
  }
}
