import ControlAPI
import FoundationEssentials
import Glibc
import Testing

@testable import vecanctl

@Suite("How vecanctl asks over a socket")
struct ControlClientTests {
  private static let body = #"{"done":"it is"}"#
  private static let answer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"

  @Test("an answer that has come counts, however soon the connection ends after it")
  func soonClosed() async throws {
    // It answers as soon as the head is there, and closes.
    let server = try TinyServer { connection in
      _ = connection.readHead()
      connection.write(Self.answer)
    }
    for _ in 0..<200 { try await check(server) }
  }

  @Test("an answer that came before the request was written counts")
  func answeredUnasked() async throws {
    let server = try TinyServer { $0.write(Self.answer) }
    for _ in 0..<200 { try await check(server) }
  }

  private func check(_ server: TinyServer) async throws {
    let client = ControlClient(socket: server.path)
    let got = try await client.ask(.PUT, ControlPath.mode, body: Data(#"{"mode":"on"}"#.utf8))
    #expect(String(decoding: got, as: UTF8.self) == Self.body)
    #expect(try await client.ask(.GET, ControlPath.alarms) == got)
  }

  @Test("half an answer is none, and none is none")
  func cutShort() async throws {
    for piece in ["", "HTTP/1.1 200 OK\r\nContent-Le", String(Self.answer.dropLast())] {
      let server = try TinyServer { connection in
        _ = connection.readHead()
        connection.write(piece)
      }
      await #expect {
        _ = try await ControlClient(socket: server.path).ask(.GET, ControlPath.status)
      } throws: { "\($0)".contains("closed the connection without an answer") }
    }
  }

  @Test("who says nothing is waited for as long as was said")
  func silent() async throws {
    let server = try TinyServer {
      _ = $0.readHead()
      sleep(5)
    }
    await #expect {
      _ = try await ControlClient(socket: server.path).ask(.GET, ControlPath.status, patience: .seconds(1))
    } throws: {
      "\($0)".contains("no answer within 1 s")
    }
  }
}

@Suite("What vecanctl asks")
struct AskedTests {
  private static func answer(_ body: String) -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  @Test("one explanation is asked for by its name, as JSON too; a wrong name is answered with the right ones")
  func explanation() async throws {
    let one = #"{"name":"mode","output":"mode","rule":"allowed","since_seconds":4,"text":"mode On","value":"On"}"#
    let server = try TinyServer { connection in
      let isOne = connection.readHead().hasPrefix("GET /v1/explanations/mode ")
      connection.write(Self.answer(isOne ? one : #"{"explanations":[\#(one)]}"#))
    }
    let command = try Explain.parse(["mode", "--json", "--control-socket", server.path])
    #expect(String(decoding: try await command.one("mode"), as: UTF8.self) == one)
    for wrong in ["moed", "", "../status", "mode?"] {
      await #expect {
        _ = try await command.one(wrong)
      } throws: {
        "\($0)" == "\"\(wrong)\" is no output:\(wrong.hasPrefix("mo") ? " did you mean mode?" : "") there are mode"
      }
    }
  }
}

@Suite("Who does not answer, or answers wrongly")
struct WrongAnswerTests {
  private static func complaint(_ socket: String) async -> String {
    do {
      let answer = try await ControlClient(socket: socket).ask(.GET, ControlPath.status)
      return "\(try answer.decoded(StatusReport.self))"
    } catch {
      return "\(error)"
    }
  }

  @Test("what is no socket is told what it is")
  func noSocket() async {
    let file = "/tmp/vecanctl-test-\(getpid()).file"
    close(open(file, O_CREAT | O_RDONLY, 0o600))
    defer { unlink(file) }
    let kinds = [
      (file, "the file \(file)"), ("/tmp", "the directory /tmp"), ("/dev/null", "the device /dev/null"),
      ("", "an empty name"),
    ]
    for (path, kind) in kinds {
      let words = await Self.complaint(path)
      #expect(words.hasPrefix("\(kind) is no socket; vecand's is /run/"), "\(words)")
    }
  }

  @Test("who has no right is told the socket's own group")
  func group() throws {
    let server = try TinyServer { _ in }
    let name = String(cString: try #require(getgrgid(getgid())).pointee.gr_name)
    let words = ControlClient.words(EACCES, server.path)
    #expect(words.contains(name == "root" ? "Be root: sudo" : "usermod -aG \(name) $USER"), "\(words)")
    if getuid() == 0 {
      #expect(chown(server.path, 0, 1) == 0)
      let group = String(cString: try #require(getgrgid(1)).pointee.gr_name)
      #expect(ControlClient.words(EACCES, server.path).contains("sudo usermod -aG \(group) $USER"))
    }
  }

  @Test("who is not vecand is told so, without a word of the program's insides")
  func foreign() async throws {
    func body(_ status: String, _ text: String) -> String {
      "HTTP/1.1 \(status)\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
    }
    for (answer, words) in [
      ("220 mail.example.org ESMTP\r\n", "it speaks no HTTP"), (body("404 Not Found", "<html>"), "404 Not Found"),
      (body("200 OK", "<html>"), "the answer is not understood"),
      (body("200 OK", "{}"), "the answer is not understood"),
      (body("200 OK", ""), "the answer is not understood"),
    ] {
      let server = try TinyServer { connection in
        _ = connection.readHead()
        connection.write(answer)
      }
      let complaint = await Self.complaint(server.path)
      #expect(complaint.contains(words) && complaint.contains("vecand"), "\(complaint)")
      #expect(!complaint.contains("Error"), "\(complaint)")
    }
  }
}

/// Takes one connection after the other on a socket of its own and does the same with each.
final class TinyServer: Sendable {
  struct Connection {
    fileprivate let descriptor: Int32

    /// What came until an empty line, or the end.
    func readHead() -> String {
      var text = ""
      var byte: UInt8 = 0
      while !text.hasSuffix("\r\n\r\n"), read(descriptor, &byte, 1) == 1 {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      }
      return text
    }

    func write(_ text: String) {
      let bytes = Array(text.utf8)
      _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
  }

  let path: String
  private let descriptor: Int32

  init(_ serve: @escaping @Sendable (Connection) -> Void) throws {
    path = "/tmp/vecanctl-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0 && listen(descriptor, 16) == 0)
    ReaderThread.start { [descriptor] in
      while case let connection = accept(descriptor, nil, nil), connection >= 0 {
        serve(Connection(descriptor: connection))
        close(connection)
      }
      // Here and not in deinit, where the number could become another server's while this one is at work.
      close(descriptor)
    }
  }

  deinit {
    shutdown(descriptor, Int32(SHUT_RDWR))
    unlink(path)
  }
}
