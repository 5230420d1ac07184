import BMSCore
public import BatterySimulator
public import MonotonicTime

// A run as a picture: panels over one time axis, written as SVG. Each pixel column keeps the least and the most of its
// steps, so that a spike of one step is still there in a picture of a month.

/// Collects a run for a picture.
public struct Plot: Sendable {
  private let clock: ScenarioClock
  private let title: String
  private let from: TimeSpan
  private let to: TimeSpan
  private var panels: [Panel]
  private var rows: [StateRow]
  private var alarms: [Alarm: [(from: TimeSpan, to: TimeSpan?)]] = [:]
  private var active = AlarmSet()

  private static let columns = 940
  private static let left = 150.0
  private static let top = 54.0
  private static let panelHeight = 150.0
  private static let gap = 30.0
  private static let rowHeight = 17.0
  private static var right: Double { left + Double(columns) }

  /// A curve, or the band between two.
  private struct Series: Sendable {
    let name: String
    let colour: String
    let value: @Sendable (ClosedLoop) -> Double?
    var isLimit = false
    var low = [Double](repeating: .infinity, count: Plot.columns)
    var high = [Double](repeating: -.infinity, count: Plot.columns)
  }

  private struct Panel: Sendable {
    let title: String
    let unit: String
    var series: [Series]
    /// What is drawn as a dashed line when it lies in the picture.
    var marks: [(value: Double, text: String)] = []
    /// It shows this much at least.
    var least = 0.0
    /// Limits far above everything else do not decide the scale.
    var isScaledByLimits = true
    /// Left out when nothing in it ever moves by as much.
    var isOptionalBelow = 0.0
  }

  private struct StateRow: Sendable {
    let name: String
    let quantity: WordQuantity
    var changes: [(at: TimeSpan, word: Int)] = []
    /// A change in the first moment is the start and no story.
    var isMoving: Bool { changes.count > 1 && !(changes.count == 2 && changes[1].at < .seconds(10)) }
  }

  /// A picture of a scenario, or of a part of it.
  public init(of scenario: Scenario, from: TimeSpan = .zero, to: TimeSpan? = nil) {
    clock = scenario.clock
    title = scenario.title
    self.from = from
    self.to = max(to ?? scenario.clock.duration, from + .seconds(1))
    func series(_ name: String, _ label: String, _ colour: String, isLimit: Bool = false) -> Series {
      let none: @Sendable (ClosedLoop) -> Double? = { _ in nil }
      let quantity = Quantity.all.first { $0.name == name }
      return Series(name: label, colour: colour, value: quantity?.value ?? none, isLimit: isLimit)
    }
    let factor = scenario.settings.bankFactor
    panels = [
      Panel(
        title: "Voltage", unit: "V",
        series: [
          series("system_voltage", "system", "#9a9a9a"), series("true_voltage", "battery", "#1f5fbf"),
          series("cvl", "CVL", "#d62728", isLimit: true),
        ], least: 0.5 * factor),
      Panel(
        title: "Cells", unit: "V",
        series: [series("true_cell_high", "highest", "#d62728"), series("true_cell_low", "lowest", "#1f5fbf")],
        marks: [
          (3.75, "ATC opens 3.75"), (3.6, "closes 3.60"), (3.2, "ATD closes 3.20"),
          (scenario.settings[.lowCellVoltage], "ATD opens"),
        ], least: 0.05),
      Panel(
        title: "Current, charge positive", unit: "A", series: [series("true_current", "battery", "#1f5fbf")], least: 2),
      Panel(
        title: "Limits", unit: "A",
        series: [series("ccl", "CCL", "#2a8f3c", isLimit: true), series("dcl", "DCL", "#b06a00", isLimit: true)],
        least: 10),
      Panel(
        title: "State of charge", unit: "%",
        series: [series("true_soc", "true", "#9a9a9a"), series("soc", "BMS", "#1f5fbf")], least: 2),
      Panel(
        title: "Temperature", unit: "°C",
        series: [series("temperature_low", "lowest", "#1f5fbf"), series("temperature_high", "highest", "#d62728")],
        least: 2, isOptionalBelow: 2),
    ]
    let names = ["mode", "contactor", "precharge", "atc", "atd", "charge_phase", "relay"]
    rows = names.compactMap { name in
      WordQuantity.all.first { $0.name == name }.map { StateRow(name: name, quantity: $0) }
    }
  }

  /// Takes a step in.
  public mutating func look(_ loop: ClosedLoop, at now: TimeSpan) {
    guard now >= from, now <= to else { return }
    let share = (now - from).seconds / (to - from).seconds
    let column = min(max(Int(share * Double(Plot.columns)), 0), Plot.columns - 1)
    for panel in panels.indices {
      for index in panels[panel].series.indices {
        guard let value = panels[panel].series[index].value(loop), value.isFinite else { continue }
        panels[panel].series[index].low[column] = min(panels[panel].series[index].low[column], value)
        panels[panel].series[index].high[column] = max(panels[panel].series[index].high[column], value)
      }
    }
    for index in rows.indices {
      let word = rows[index].quantity.value(loop)
      if rows[index].changes.last?.word != word { rows[index].changes.append((now, word)) }
    }
    let alarms = loop.outputs.alarms
    guard alarms != active else { return }
    for alarm in alarms.subtracting(active) { self.alarms[alarm, default: []].append((now, nil)) }
    for alarm in active.subtracting(alarms) {
      if let last = self.alarms[alarm]?.indices.last { self.alarms[alarm]?[last].to = now }
    }
    active = alarms
  }

  // MARK: SVG

  /// The picture.
  public func svg(_ entries: [TimeLineEntry] = []) -> String {
    let shown = panels.filter { panel in
      guard let range = Plot.range(panel, isRaw: true) else { return false }
      return panel.isOptionalBelow == 0 || range.upperBound - range.lowerBound >= panel.isOptionalBelow
    }
    let alarmRows = alarms.sorted { $0.key.rawValue < $1.key.rawValue }.prefix(14)
    let stateRows = rows.filter { $0.isMoving || ["mode", "contactor", "atc", "atd"].contains($0.name) }
    let marks = entries.filter { $0.kind == .event && $0.at >= from && $0.at <= to }
    let told = marks.prefix(18)
    let statesTop = Plot.top + Double(shown.count) * (Plot.panelHeight + Plot.gap)
    let rowsHeight = Double(stateRows.count + alarmRows.count) * Plot.rowHeight
    let listTop = statesTop + rowsHeight + 58
    let lines = told.isEmpty ? 0 : (told.count + 1) / 2 + 1
    let height = listTop + Double(lines) * 16 + 10
    let width = Plot.right + 150
    var svg = Drawing(width: width, height: height)
    svg.text(Plot.left, 24, title, size: 17, weight: "bold")
    drawTime(bottom: statesTop + rowsHeight, into: &svg)
    var y = Plot.top
    for panel in shown {
      draw(panel, top: y, into: &svg)
      y += Plot.panelHeight + Plot.gap
    }
    for row in stateRows {
      draw(row, top: y, into: &svg)
      y += Plot.rowHeight
    }
    for (alarm, spans) in alarmRows {
      draw(alarm, spans, top: y, into: &svg)
      y += Plot.rowHeight
    }
    for (index, mark) in told.enumerated() {
      let x = self.x(mark.at)
      svg.line(x, Plot.top - 8, x, y, "#7a5fd0", width: 0.7, dash: "2,3")
      svg.text(x, Plot.top - 10, "\(index + 1)", size: 10, anchor: "middle", fill: "#5a3fb0")
      let column = Double(index % 2) * 560
      let time = clock.text(mark.at)
      svg.text(
        Plot.left - 130 + column, listTop + Double(index / 2) * 16, "\(index + 1)  \(time)  \(mark.text)", size: 11,
        fill: "#5a3fb0")
    }
    if marks.count > told.count {
      svg.text(
        Plot.left - 130, listTop + Double((told.count + 1) / 2) * 16,
        "and \(marks.count - told.count) more events, see the time line", size: 11, fill: "#5a3fb0")
    }
    return svg.finished
  }

  private func x(_ at: TimeSpan) -> Double {
    Plot.left + (at - from).seconds / (to - from).seconds * Double(Plot.columns)
  }

  /// What a panel's curves reach from and to; nil when there is nothing.
  private static func range(_ panel: Panel, isRaw: Bool = false) -> ClosedRange<Double>? {
    var (low, high) = (Double.infinity, -Double.infinity)
    for series in panel.series where panel.isScaledByLimits || !series.isLimit {
      for column in 0..<columns where series.low[column] <= series.high[column] {
        low = min(low, series.low[column])
        high = max(high, series.high[column])
      }
    }
    guard low <= high else { return nil }
    if isRaw { return low...high }
    // The bus of a system that is off is at 0 V, and would squeeze everything else into a line.
    if panel.unit == "V", panel.title == "Voltage", let battery = panel.series.first(where: { $0.name == "battery" }) {
      let least = battery.low.min() ?? low
      if least.isFinite, low < least * 0.8 { low = least - 0.2 }
    }
    let missing = max(panel.least - (high - low), 0) / 2
    let margin = (high - low) * 0.06
    return (low - missing - margin)...(high + missing + margin)
  }

  /// A step of 1, 2 or 5 that makes about five ticks.
  private static func step(_ span: Double, _ count: Double) -> Double {
    var step = 1e-6
    while step * 10 < span / count { step *= 10 }
    for factor in [1.0, 2, 5, 10] where step * factor >= span / count { return step * factor }
    return step * 10
  }

  private func draw(_ panel: Panel, top: Double, into svg: inout Drawing) {
    guard let range = Plot.range(panel) else { return }
    let bottom = top + Plot.panelHeight
    let scale = Plot.panelHeight / (range.upperBound - range.lowerBound)
    func y(_ value: Double) -> Double {
      bottom - (min(max(value, range.lowerBound), range.upperBound) - range.lowerBound) * scale
    }
    svg.text(Plot.left, top - 5, "\(panel.title) (\(panel.unit))", size: 12, weight: "bold")
    let step = Plot.step(range.upperBound - range.lowerBound, 5)
    let places = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3
    var tick = (range.lowerBound / step).rounded(.up) * step
    while tick <= range.upperBound {
      svg.line(Plot.left, y(tick), Plot.right, y(tick), "#e4e4e4")
      svg.text(Plot.left - 6, y(tick) + 4, tick.text(places), size: 11, anchor: "end")
      tick += step
    }
    for mark in panel.marks where range.contains(mark.value) {
      svg.line(Plot.left, y(mark.value), Plot.right, y(mark.value), "#888888", width: 0.8, dash: "5,4")
      svg.text(Plot.right + 6, y(mark.value) + 4, mark.text, size: 10, fill: "#666666")
    }
    for (index, series) in panel.series.enumerated() {
      draw(series, y, into: &svg)
      let x = Plot.right - Double(panel.series.count - index) * 92
      svg.line(x, top - 9, x + 18, top - 9, series.colour, width: 2.5)
      svg.text(x + 23, top - 5, series.name, size: 11)
    }
    svg.frame(Plot.left, top, Double(Plot.columns), Plot.panelHeight)
  }

  /// One vertical stroke for a column, joined to its neighbours; a gap stays one.
  private func draw(_ series: Series, _ y: (Double) -> Double, into svg: inout Drawing) {
    var path = ""
    var last: Double?
    var lastColumn = -10
    for column in 0..<Plot.columns where series.low[column] <= series.high[column] {
      let x = (Plot.left + Double(column) + 0.5).text(1)
      let (low, high) = (y(series.low[column]), y(series.high[column]))
      // A run of few steps leaves columns empty: they belong to the curve, but not to a pause of it.
      let isJoined = last != nil && column - lastColumn <= max(stepColumns * 3, 2)
      let isUp = last.map { abs($0 - low) < abs($0 - high) } ?? true
      let (first, second) = isUp ? (low, high) : (high, low)
      if isJoined, series.isLimit, let last { path += "L\(x),\(last.text(1))" }
      path += isJoined ? "L\(x),\(first.text(1))" : "M\(x),\(first.text(1))"
      if first != second { path += "L\(x),\(second.text(1))" }
      if !isJoined, first == second { path += "h0.5" }
      last = second
      lastColumn = column
    }
    svg.path(path, series.colour, width: series.isLimit ? 1.4 : 1.3, dash: nil)
  }

  /// How many columns one second is.
  private var stepColumns: Int { Int(Double(Plot.columns) / (to - from).seconds) + 1 }

  private func draw(_ row: StateRow, top: Double, into svg: inout Drawing) {
    svg.text(Plot.left - 6, top + 12, row.name, size: 11, anchor: "end")
    for (index, change) in row.changes.enumerated() {
      let end = index + 1 < row.changes.count ? row.changes[index + 1].at : to
      let word = row.quantity.words.indices.contains(change.word) ? row.quantity.words[change.word] : "?"
      let (x0, x1) = (x(max(change.at, from)), x(end))
      svg.box(x0, top + 2, max(x1 - x0, 0.6), Plot.rowHeight - 4, Plot.colour(word))
      if x1 - x0 > Double(word.count) * 6.4 + 8 { svg.text(x0 + 4, top + 12.5, word, size: 10, fill: "#222222") }
    }
  }

  /// What is allowed or works is green, what is forbidden red, what is between yellow, what rests grey.
  private static func colour(_ word: String) -> String {
    switch word {
    case "on", "closed", "resting": "#a8dcae"
    case "open": "#f0a8a4"
    case "standby", "absorption": "#f7dd8c"
    case "bulk", "active": "#9dc4f0"
    default: "#e2e2e2"
    }
  }

  private func draw(
    _ alarm: Alarm, _ spans: [(from: TimeSpan, to: TimeSpan?)], top: Double, into svg: inout Drawing
  ) {
    svg.text(Plot.left - 6, top + 12, "\(alarm.definition.code) \(alarm.word)", size: 10, anchor: "end")
    let colour =
      switch alarm.definition.severity {
      case .warning: "#e8b500"
      case .alarm: "#e0602a"
      case .error: "#b01030"
      }
    for span in spans {
      let (x0, x1) = (x(span.from), x(span.to ?? to))
      svg.box(x0, top + 3, max(x1 - x0, 1.2), Plot.rowHeight - 6, colour)
    }
  }

  private func drawTime(bottom: Double, into svg: inout Drawing) {
    let seconds: [Int64] = [
      1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000,
      864_000, 2_592_000, 5_184_000, 8_640_000, 31_536_000,
    ]
    let span = (to - from).seconds
    let step = seconds.first { Double($0) >= span / 11 } ?? 31_536_000
    let offset = clock.start.nanoseconds / 1_000_000_000
    var tick = ((offset + from.nanoseconds / 1_000_000_000) / step) * step
    while Double(tick - offset) <= to.seconds {
      defer { tick += step }
      let at = TimeSpan.seconds(tick - offset)
      guard at >= from else { continue }
      svg.line(x(at), Plot.top, x(at), bottom + 5, "#dcdcdc")
      let inDay = tick % 86_400
      let day = tick / 86_400 + 1
      func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
      let time = "\(two(inDay / 3600)):\(two(inDay / 60 % 60))" + (step < 60 ? ":\(two(inDay % 60))" : "")
      let label = step >= 86_400 ? "day \(day)" : time
      svg.text(x(at), bottom + 18, label, size: 11, anchor: "middle")
      if step < 86_400, inDay == 0, span > 86_400 || tick > 0 {
        svg.text(x(at), bottom + 32, "day \(day)", size: 11, anchor: "middle", weight: "bold")
      }
    }
  }
}

/// SVG text in the making.
private struct Drawing {
  private var body: String

  init(width: Double, height: Double) {
    let size = "\(width.text(0))\" height=\"\(height.text(0))"
    body = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(size)\" "
    body +=
      "viewBox=\"0 0 \(width.text(0)) \(height.text(0))\" font-family=\"DejaVu Sans, Helvetica, sans-serif\">\n"
    body += "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
  }

  var finished: String { body + "</svg>\n" }

  mutating func line(
    _ x0: Double, _ y0: Double, _ x1: Double, _ y1: Double, _ colour: String, width: Double = 1, dash: String? = nil
  ) {
    let dashes = dash.map { " stroke-dasharray=\"\($0)\"" } ?? ""
    body += "<line x1=\"\(x0.text(1))\" y1=\"\(y0.text(1))\" x2=\"\(x1.text(1))\" y2=\"\(y1.text(1))\" "
    body += "stroke=\"\(colour)\" stroke-width=\"\(width.text(1))\"\(dashes)/>\n"
  }

  mutating func path(_ path: String, _ colour: String, width: Double, dash: String?) {
    guard !path.isEmpty else { return }
    body += "<path d=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"\(width.text(1))\" "
    body += "stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n"
  }

  mutating func box(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ colour: String) {
    body += "<rect x=\"\(x.text(1))\" y=\"\(y.text(1))\" width=\"\(width.text(1))\" "
    body += "height=\"\(height.text(1))\" fill=\"\(colour)\"/>\n"
  }

  mutating func frame(_ x: Double, _ y: Double, _ width: Double, _ height: Double) {
    body += "<rect x=\"\(x.text(1))\" y=\"\(y.text(1))\" width=\"\(width.text(1))\" "
    body += "height=\"\(height.text(1))\" fill=\"none\" stroke=\"#555555\"/>\n"
  }

  mutating func text(
    _ x: Double, _ y: Double, _ text: String, size: Int, anchor: String = "start", weight: String = "normal",
    fill: String = "#222222"
  ) {
    var safe = ""
    for character in text {
      switch character {
      case "&": safe += "&amp;"
      case "<": safe += "&lt;"
      case ">": safe += "&gt;"
      default: safe.append(character)
      }
    }
    body += "<text x=\"\(x.text(1))\" y=\"\(y.text(1))\" font-size=\"\(size)\" text-anchor=\"\(anchor)\" "
    body += "font-weight=\"\(weight)\" fill=\"\(fill)\">\(safe)</text>\n"
  }
}
