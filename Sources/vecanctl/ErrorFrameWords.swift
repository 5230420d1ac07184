import CANBus

extension CANErrorFrame {
  /// The report in words for a person with a screwdriver.
  var words: String {
    var words: [String] = []
    let conditions: [(Conditions, String)] = [
      (.transmitTimeout, "transmission timed out in the driver"), (.lostArbitration, "lost arbitration"),
      (.transceiver, "wiring fault reported by the transceiver"),
      (.noAcknowledge, "nobody acknowledges: alone on the bus, or wrong bitrate"), (.busOff, "bus-off"),
      (.busError, "bus error"), (.restarted, "controller restarted"),
    ]
    for (condition, text) in conditions where self.conditions.contains(condition) { words.append(text) }
    if isErrorActive {
      words.append("error active again")
    } else if self.conditions.contains(.protocolViolation) {
      words.append("protocol violation: check wiring, termination and bitrate")
    }
    let details: [(Controller, String)] = [
      (.receiveOverflow, "receive buffer overflowed"), (.transmitOverflow, "transmit buffer overflowed"),
      (.receiveWarning, "receive error warning"), (.transmitWarning, "transmit error warning"),
      (.receivePassive, "error passive by receive errors"), (.transmitPassive, "error passive by transmit errors"),
    ]
    for (detail, text) in details where controller.contains(detail) { words.append(text) }
    if let transmit = transmitErrorCount, let receive = receiveErrorCount {
      words.append("error counters: transmit \(transmit), receive \(receive)")
    }
    return words.isEmpty ? "error report \(CandumpText.compact(.error(self)))" : words.joined(separator: ", ")
  }
}
