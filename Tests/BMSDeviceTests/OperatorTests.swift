import BMSDevice
import Testing

@Suite("What an operator is refused")
struct OperatorTests {
  @Test("R320: a disabled channel names the command that enables it")
  func disabled() {
    for refusal in [OperatorRefusal.controlDisabled, .enabledOnlyLocally] {
      #expect("\(refusal)".contains("sudo vecanctl set remote_control 1"))
      #expect("\(refusal)".contains("R320"))
    }
  }
}
