import BMSCore
import BMSDevice
import CANBus
import ControlAPI
import Dispatch
import Foundation
import MonotonicTime
import Testing

@testable import vecand

private func seconds(_ count: Int64) -> Instant { .origin + .seconds(count) }

@Suite("What the control socket writes")
struct ControlTextTests {
  @Test("OpenMetrics: type, unit and help before the samples, quotes and line ends escaped, nothing for no value, EOF")
  func openMetrics() {
    var metrics = OpenMetrics()
    metrics.gauge("a_volts", unit: "volts", "Says \"a\"\nand \\.", 13.25)
    metrics.gauge("b", "Not known.", nil)
    metrics.family("c", .counter, "By where.")
    metrics.sample("c_total", [("where", "a\"b\\c\nd")], 12)
    metrics.gauge("d", "Not a number.", .nan)
    #expect(
      metrics.finished() == #"""
        # TYPE a_volts gauge
        # UNIT a_volts volts
        # HELP a_volts Says \"a\"\nand \\.
        a_volts 13.25
        # TYPE b gauge
        # HELP b Not known.
        # TYPE c counter
        # HELP c By where.
        c_total{where="a\"b\\c\nd"} 12
        # TYPE d gauge
        # HELP d Not a number.
        # EOF

        """#)
  }

  @Test("the description names every setting and every output that there is, and no other")
  func description() throws {
    let object = try JSONSerialization.jsonObject(with: Data(PackageResources.openapi_json))
    let paths = try #require((object as? [String: Any])?["paths"] as? [String: [String: Any]])
    func names(_ path: String) throws -> [String] {
      let parameters = try #require(paths[path]?["parameters"] as? [[String: Any]])
      return try #require((parameters.first?["schema"] as? [String: Any])?["enum"] as? [String])
    }
    #expect(try names("/v1/settings/{key}") == Setting.allCases.map(\.definition.key))
    #expect(try names("/v1/explanations/{output}") == Explained.allCases.map(\.path))
  }

  @Test("a trace is in the order in which it happened: a header, then frames, decisions and states by their time")
  func trace() throws {
    var frames = FrameTrace()
    let claim = CANDataFrame(.extended(0x18EE_FF23), CANPayload(littleEndian: 0x46AA, count: 2))
    frames.note(.data(claim), at: .origin + .milliseconds(1500), isSent: true)
    frames.note(.data(claim), at: .origin + .milliseconds(2500), isSent: false)
    let events = [
      EventReport(atSeconds: 1.5, level: "notice", text: "a \"b\""), .init(atSeconds: 3, level: "info", text: "c"),
    ]
    var lines = TraceLines(frames, events, [])
    var text = Data()
    while let block = try lines.nextBlock() { text += block }
    let written = String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    try #require(written.count == 5)
    #expect(written[0].contains(#""frames":2"#) && written[0].contains(#""kind":"header""#))
    #expect(written[1] == #"{"at_seconds":1.5,"direction":"out","frame":"18EEFF23#AA46","kind":"frame"}"#)
    #expect(written[2] == #"{"at_seconds":1.5,"kind":"event","level":"notice","text":"a \"b\""}"#)
    #expect(written[3] == #"{"at_seconds":2.5,"direction":"in","frame":"18EEFF23#AA46","kind":"frame"}"#)
    #expect(written[4] == #"{"at_seconds":3,"kind":"event","level":"info","text":"c"}"#)
  }

  @Test("a status is written with its units and read again as it was; what is not known is left out")
  func status() throws {
    var device = BMSDevice(configuration: DeviceConfiguration(), randomSeed: 1, at: .origin)
    device.join(at: .origin)
    device.run(at: .origin + .seconds(1))
    let report = device.report(at: .origin + .seconds(1))
    let status = StatusReport(EngineSnapshot(device: report, link: .up, losses: Losses()))
    let data = try ControlJSON.encode(status)
    #expect(try ControlJSON.decode(StatusReport.self, from: data) == status)
    let text = String(decoding: data, as: UTF8.self)
    #expect(text.contains(#""is_all_right":false"#) && text.contains(#""is_charge_allowed":false"#))
    #expect(!text.contains("voltage_volts\""), "no voltage and no CVL: \(text)")
    #expect(text.contains(#""uptime_seconds":1"#))
    #expect(status.problems.contains { $0.contains("charge forbidden") }, "\(status.problems)")
  }

  @Test("R172-R175: time to go is told below 10 days; the cap that a GX is sent, without a current too, is none")
  func timeToGo() {
    var snapshot = Snapshot()
    snapshot.isStateOfChargeKnown = true
    (snapshot.missing, snapshot.consumed) = (100, -100)
    func told(_ current: Double) -> (sent: TimeSpan?, told: Double?) {
      var bms = BMS(restoring: snapshot)
      var inputs = Inputs()
      (inputs.batteryVoltage, inputs.current) = (.waiting, .waiting)
      inputs.cellExtremes = Extremes(lowest: .waiting, highest: .waiting)
      var outputs = Outputs()
      for second in 1...30 {
        let now = seconds(Int64(second))
        inputs.batteryVoltage.report(13.2, at: now)
        inputs.current.report(current, at: now)
        inputs.cellExtremes.lowest.report(3.3, at: now)
        inputs.cellExtremes.highest.report(3.3, at: now)
        outputs = bms.step(inputs, at: now)
      }
      return (outputs.timeToGo, StatusReport.timeToGo(outputs))
    }
    #expect(told(0) == (.days(10), nil))
    #expect(told(-0.1) == (.days(10), nil))
    #expect(told(5) == (nil, nil))
    let loaded = told(-20)
    #expect(loaded.sent != nil && loaded.told == loaded.sent?.seconds)
  }
}

@Suite("The control socket's place")
struct ControlSocketTests {
  private let directory = "/tmp/vecand-\(UUID().uuidString.prefix(8))"

  private func listen(on path: String) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        #expect(bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0)
      }
    }
    #expect(Glibc.listen(descriptor, 1) == 0)
    return descriptor
  }

  @Test("a socket of a living process is an error that says so, one of a dead process is replaced, a file is neither")
  func claim() throws {
    mkdir(directory, 0o700)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = "\(directory)/control.sock"
    let control = ControlSocket(path: path, mode: 0o660, isReadOnly: false)
    try control.claim()

    let descriptor = listen(on: path)
    let living = #expect(throws: ControlSocket.Failure.self) { try control.claim() }
    #expect(living?.description.contains("another process serves \(path)") == true)
    #expect(access(path, F_OK) == 0)
    close(descriptor)
    try control.claim()
    #expect(access(path, F_OK) != 0, "what the dead left is gone")

    try "mine".write(toFile: path, atomically: false, encoding: .utf8)
    let file = #expect(throws: ControlSocket.Failure.self) { try control.claim() }
    #expect(file?.description.contains("is there and no socket") == true)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
  }

  @Test("one that was never bound removes nothing, and a bound one removes its own file and no other's")
  func removed() throws {
    mkdir(directory, 0o700)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = "\(directory)/control.sock"
    let first = listen(on: path)
    defer { close(first) }
    BoundSocket(path: path).remove()
    #expect(access(path, F_OK) == 0, "it is another's")
    let own = BoundSocket(path: path)
    own.note()
    own.remove()
    #expect(access(path, F_OK) != 0)
    let second = listen(on: path)
    defer { close(second) }
    own.remove()
    #expect(access(path, F_OK) == 0, "a successor's")
  }

  @Test("a path is one place however it is written")
  func place() throws {
    mkdir(directory, 0o700)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    symlink(directory, "\(directory)/link")
    let place = ControlSocket.place(ofPath: "\(directory)/a.sock")
    for way in ["\(directory)//a.sock", "\(directory)/./a.sock", "\(directory)/link/a.sock"] {
      #expect(ControlSocket.place(ofPath: way) == place, "\(way)")
    }
    #expect(ControlSocket.place(ofPath: "\(directory)/b.sock") != place)
    #expect(ControlSocket.place(ofPath: "//none/./a") == "/none/a" && ControlSocket.place(ofPath: "//a") == "/a")
    #expect(ControlSocket.place(ofPath: "/") == "/")
  }

  @Test("without its directory it says which is missing; a path of 107 bytes is taken, one of 108 or without / is not")
  func paths() {
    let control = ControlSocket(path: "\(directory)/none/control.sock", mode: 0o660, isReadOnly: false)
    let missing = #expect(throws: ControlSocket.Failure.self) { try control.claim() }
    #expect(missing?.description.contains("\(directory)/none: No such file or directory") == true)
    #expect(ControlSocket.fault(ofPath: "/" + String(repeating: "a", count: 106)) == nil)
    #expect(ControlSocket.fault(ofPath: "/" + String(repeating: "a", count: 107)) != nil)
    #expect(ControlSocket.fault(ofPath: "control.sock") != nil)
  }

  @Test("who may use it: owner and group for commands, everybody for reading; \"\" is none")
  func configured() throws {
    func sockets(_ text: String) throws -> [ControlSocket] {
      try Configuration(text: text, file: "test.toml").control.sockets
    }
    let standard = try sockets("")
    #expect(standard.map(\.path) == ["/run/vecand/control.sock"] && standard.map(\.mode) == [0o660])
    let both = try sockets("[control]\nsocket = \"/a\"\nreading_socket = \"/b\"")
    #expect(both.map(\.path) == ["/a", "/b"] && both.map(\.mode) == [0o660, 0o666])
    #expect(both.map(\.isReadOnly) == [false, true])
    #expect(try sockets("[control]\nsocket = \"\"").isEmpty)
    for wrong in ["socket = \"a\"", "socket = 1", "sockets = \"/a\"", "socket = \"/a\"\nreading_socket = \"//a\""] {
      #expect(throws: ConfigurationError.self, "\(wrong)") { try sockets("[control]\n\(wrong)") }
    }
  }
}

@Suite("Signals before the services that take them")
struct EarlySignalTests {
  @Test("one that comes early ends nothing and is taken by the source that comes later")
  func kept() async {
    EarlySignals.keep()
    kill(getpid(), SIGUSR2)
    let source = DispatchSource.makeSignalSource(signal: SIGUSR2, queue: .global())
    await withCheckedContinuation { taken in
      source.setEventHandler {
        source.cancel()
        taken.resume()
      }
      source.resume()
    }
  }
}
