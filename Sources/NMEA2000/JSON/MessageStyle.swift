/// The two forms in which messages are written out.
public enum MessageStyle: Sendable {
  /// One JSON object a line, as canboat's `analyzer -json -nv -si` prints it.
  case json
  /// A line for people: names, values, units.
  case text
}
