import MonotonicTime
import NMEA2000

/// What a survey found out about one device, as text and as JSON.
struct DeviceReport {
  let address: UInt8
  let name: Name?
  let product: ProductDescription?
  let traffic: [(pgn: PGN, traffic: DeviceSurvey.Traffic)]

  // MARK: - For people

  /// A block of aligned lines, the address first.
  var text: String {
    var lines: [(String, String)] = []
    if let name {
      lines.append(("NAME", name.description))
      lines.append(
        ("Manufacturer", Self.named(Lookup.manufacturer.name(of: UInt32(name.manufacturer)), name.manufacturer)))
      lines.append(("Unique number", String(name.uniqueNumber)))
      lines.append(("Class", Self.named(Lookup.deviceClass.name(of: UInt32(name.deviceClass)), name.deviceClass)))
      lines.append(("Function", Self.named(Self.function(name), name.function)))
      lines.append(("Instances", "device \(name.deviceInstance), system \(name.systemInstance)"))
    } else {
      lines.append(("NAME", "unknown: it has not claimed its address"))
    }
    if let product {
      lines.append(("Product", "\(Plain.safe(product.model)) (code \(product.productCode))"))
      lines.append(("Software", Plain.safe(product.softwareVersion)))
      lines.append(("Hardware", Plain.safe(product.modelVersion)))
      lines.append(("Serial number", Plain.safe(product.serialNumber)))
    } else {
      lines.append(("Product", "unknown: it has not said"))
    }
    var text = "Address \(address)\n"
    for (title, value) in lines where !value.isEmpty { text += "  \(Plain.left(title, 15)) \(value)\n" }
    let width = traffic.map { $0.traffic.name.count }.max() ?? 0
    for (index, entry) in traffic.enumerated() {
      let title = Plain.left(index == 0 ? "Sends" : "", 15)
      let count = Plain.right(String(entry.traffic.count), 4)
      let interval = entry.traffic.interval.map { ", mean interval \(Self.text($0))" } ?? ""
      let streams = entry.traffic.streams.count
      let kind = entry.traffic.name == VictronRegister.definition.name ? "registers" : "instances"
      text +=
        "  \(title) \(Plain.right(entry.pgn.description, 6)) \(Plain.left(entry.traffic.name, width)) \(count) heard"
        + (streams > 1 ? " of \(streams) \(kind)" : "") + "\(interval)\n"
    }
    return text
  }

  /// `Victron Energy (358)`, or the number alone.
  private static func named(_ name: String?, _ code: some BinaryInteger) -> String {
    name.map { "\($0) (\(code))" } ?? "unknown (\(code))"
  }

  private static func function(_ name: Name) -> String? {
    Lookup.deviceFunction(UInt32(name.function), deviceClass: UInt32(name.deviceClass))
  }

  /// `100 ms`, and from a second on `1.50 s`.
  static func text(_ span: TimeSpan) -> String {
    let milliseconds = (span.nanoseconds + 500_000) / 1_000_000
    return milliseconds < 1000
      ? "\(milliseconds) ms" : NumberFormat(decimals: 2, unit: .seconds).text(steps: Int((milliseconds + 5) / 10))
  }

  // MARK: - For programs

  /// One object in one line. What is not known is left out.
  var json: String {
    var object = JSONObject()
    object.add("address", address)
    if let name {
      object.add("name", name.description)
      object.add(
        "manufacturer", json: Self.pair(name.manufacturer, Lookup.manufacturer.name(of: UInt32(name.manufacturer))))
      object.add("uniqueNumber", name.uniqueNumber)
      object.add(
        "deviceClass", json: Self.pair(name.deviceClass, Lookup.deviceClass.name(of: UInt32(name.deviceClass))))
      object.add("deviceFunction", json: Self.pair(name.function, Self.function(name)))
      object.add("deviceInstance", name.deviceInstance)
      object.add("systemInstance", name.systemInstance)
      object.add("arbitraryAddressCapable", json: name.isArbitraryAddressCapable ? "true" : "false")
    }
    if let product {
      var member = JSONObject()
      member.add("code", product.productCode)
      member.add("model", product.model)
      member.add("softwareVersion", product.softwareVersion)
      member.add("modelVersion", product.modelVersion)
      member.add("serialNumber", product.serialNumber)
      object.add("product", json: member.text)
    }
    object.add("sends", json: JSONObject.list(traffic.map(Self.json)))
    return object.text
  }

  private static func json(_ entry: (pgn: PGN, traffic: DeviceSurvey.Traffic)) -> String {
    var member = JSONObject()
    member.add("pgn", entry.pgn.rawValue)
    member.add("description", entry.traffic.name)
    member.add("count", entry.traffic.count)
    if entry.traffic.streams.count > 1 { member.add("streams", entry.traffic.streams.count) }
    if let interval = entry.traffic.interval {
      let milliseconds = Int((interval.nanoseconds + 500_000) / 1_000_000)
      member.add("intervalSeconds", json: NumberFormat(decimals: 3).text(steps: milliseconds))
    }
    return member.text
  }

  private static func pair(_ value: some BinaryInteger, _ name: String?) -> String {
    var member = JSONObject()
    member.add("value", value)
    member.add("name", name)
    return member.text
  }
}
