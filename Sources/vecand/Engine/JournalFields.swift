import BMSCore
import Logging

/// What a line of the journal has beside its text (systemd.journal-fields(7)), so that a tool need not read words:
/// `journalctl -u vecand VECAND_CODE=A-B01`, `journalctl MESSAGE_ID=3f662d2892d247f2b1399ab48080fc57`.
struct JournalFields: Equatable {
  /// What kind of line it is. These never change: monitors search for them.
  enum Message: String {
    /// An alarm was raised.
    case raised = "3f662d2892d247f2b1399ab48080fc57"
    /// An alarm was cleared.
    case cleared = "641067d9c3c943d5b66cd13182dd2edc"
    /// A decision changed: an output, a limit, the mode.
    case decided = "c0475158c5c442118dfa15de21a39f60"
    /// A bus came or went.
    case link = "f93b75d363144b20a04aa39b678ce6a1"
    /// An operator asked for something, over the socket.
    case commanded = "51e8886990c141d588ffd5ce04431295"
  }

  private(set) var message: Message
  /// The alarm's code, `A-B01`.
  private(set) var code: String?
  /// The alarm's number on a GX device.
  private(set) var gxNumber: Int?
  /// Where the alarm's rule comes from: R-numbers, sections of the manual.
  private(set) var source: String?
  /// What was decided, `charge-current`.
  private(set) var output: String?
  /// The value that decided, in the unit that the text names.
  private(set) var value: Double?
  /// The link's state.
  private(set) var link: String?

  static func raised(_ alarm: Alarm, _ cause: Reason?) -> JournalFields {
    var fields = cleared(alarm)
    fields.message = .raised
    fields.value = cause?.value
    return fields
  }

  static func cleared(_ alarm: Alarm) -> JournalFields {
    let row = alarm.definition
    var fields = JournalFields(message: .cleared)
    fields.code = row.code
    fields.gxNumber = row.gxNumber
    fields.source = row.source
    return fields
  }

  static func decided(_ explanation: Explanation) -> JournalFields {
    var fields = JournalFields(message: .decided)
    fields.output = explanation.subject.path
    fields.value = explanation.reason.value
    return fields
  }

  static func link(_ state: String) -> JournalFields {
    var fields = JournalFields(message: .link)
    fields.link = state
    return fields
  }

  static let commanded = JournalFields(message: .commanded)

  private init(message: Message) { self.message = message }

  /// As the log takes them; what is not known is left out.
  var metadata: Logger.Metadata {
    let all: [(String, String?)] = [
      ("MESSAGE_ID", message.rawValue), ("VECAND_CODE", code), ("VECAND_GX_NUMBER", gxNumber.map { "\($0)" }),
      ("VECAND_SOURCE", source), ("VECAND_OUTPUT", output), ("VECAND_VALUE", value.map { $0.text(upTo: 3) }),
      ("VECAND_LINK", link),
    ]
    return Logger.Metadata(
      uniqueKeysWithValues: all.compactMap { key, value in value.map { (key, .string($0)) } })
  }
}
