import Glibc
import Synchronization

/// A Unix socket's place in the file system: who has it, and who may use it.
struct ControlSocket: Sendable {
  var path: String
  /// Who may open it: owner and group, or everybody.
  var mode: mode_t
  /// Whether it answers questions and takes no commands.
  var isReadOnly: Bool

  /// The group that may use the control socket, where the system has it.
  static let group = "vecand"

  /// Why there is no socket, in a sentence that says what to do.
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// What is wrong with a path; nil when nothing is.
  static func fault(ofPath path: String) -> String? {
    // sockaddr_un has room for 107 bytes and an end.
    path.utf8.count <= 107 && path.hasPrefix("/") ? nil : "a socket's path is absolute and has at most 107 bytes"
  }

  /// One path for all the ways to write it: without empty parts and dots, and behind the links of its directory
  /// where that is there.
  static func place(ofPath path: String) -> String {
    var parts = path.split(separator: "/").filter { $0 != "." }
    guard let name = parts.popLast() else { return "/" }
    let directory = "/" + parts.joined(separator: "/")
    guard let real = realpath(directory, nil) else { return parts.isEmpty ? "/\(name)" : "\(directory)/\(name)" }
    defer { free(real) }
    let found = String(cString: real)
    return found == "/" ? "/\(name)" : "\(found)/\(name)"
  }

  /// Makes room for the socket: what a dead process left is fit to be replaced, what a living one serves is not.
  func claim() throws(Failure) {
    if let fault = Self.fault(ofPath: path) { throw Failure(description: "\(path): \(fault)") }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno != ENOENT else { return try checkDirectory() }
      throw Failure(description: "can't make the control socket \(path): \(String(cString: strerror(errno)))")
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw Failure(description: "\(path) is there and no socket: remove it, or choose another control socket")
    }
    if isServed {
      throw Failure(description: "another process serves \(path): stop it, or choose another --control-socket")
    }
    guard unlink(path) == 0 else {
      throw Failure(description: "can't replace the old socket \(path): \(String(cString: strerror(errno)))")
    }
  }

  private func checkDirectory() throws(Failure) {
    let directory = path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    guard access(directory.isEmpty ? "/" : directory, W_OK | X_OK) == 0 else {
      throw Failure(
        description:
          "can't make the control socket \(path): \(directory): \(String(cString: strerror(errno))); the unit "
          + "makes it (RuntimeDirectory=vecand), or choose another place with --control-socket")
    }
  }

  /// Whether somebody listens there.
  private var isServed: Bool {
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    // EAGAIN: somebody listens whose queue is full.
    return result == 0 || errno == EAGAIN
  }

  /// Lets in who may use it. Says what could not be done.
  func admit() -> String? {
    // Only root gives files away; everybody else's socket is of the daemon's own group, which the unit sets.
    if geteuid() == 0, !isReadOnly, let entry = getgrnam(Self.group), chown(path, 0, entry.pointee.gr_gid) != 0 {
      return "can't give \(path) to the group \(Self.group): \(String(cString: strerror(errno)))"
    }
    guard chmod(path, mode) == 0 else {
      return "can't set who may use \(path): \(String(cString: strerror(errno)))"
    }
    return nil
  }
}

/// The socket file that this process bound. It is removed when it is served no more; what another process has put in its
/// place since is not.
final class BoundSocket: Sendable {
  private let path: String
  private let file = Mutex<(device: dev_t, number: ino_t)?>(nil)

  init(path: String) { self.path = path }

  private var found: (device: dev_t, number: ino_t)? {
    var status = stat()
    return lstat(path, &status) == 0 ? (status.st_dev, status.st_ino) : nil
  }

  /// Call it once it is bound.
  func note() {
    let found = found
    file.withLock { $0 = found }
  }

  func remove() {
    guard let own = file.withLock(\.self), let found, own == found else { return }
    unlink(path)
  }
}
