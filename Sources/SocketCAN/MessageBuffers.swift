internal import CANBus
internal import CSocketCAN
internal import Glibc

/// The memory that recvmmsg(2) and sendmmsg(2) work on, allocated once: a message header, a frame and room for control
/// messages for each frame of a batch.
final class MessageBuffers {
  let messages: UnsafeMutablePointer<mmsghdr>
  private let vectors: UnsafeMutablePointer<iovec>
  private let frames: UnsafeMutableRawPointer
  private let controls: UnsafeMutableRawPointer
  private let count: Int
  private let frameBytes: Int
  private let controlBytes: Int

  init(count: Int, frameBytes: Int, controlBytes: Int) {
    self.count = count
    self.frameBytes = frameBytes
    self.controlBytes = controlBytes
    messages = .allocate(capacity: count)
    vectors = .allocate(capacity: count)
    frames = .allocate(byteCount: count * frameBytes, alignment: 16)
    controls = .allocate(byteCount: count * controlBytes, alignment: 16)
    messages.initialize(repeating: mmsghdr(), count: count)
    frames.initializeMemory(as: UInt8.self, repeating: 0, count: count * frameBytes)
    controls.initializeMemory(as: UInt8.self, repeating: 0, count: count * controlBytes)
    for index in 0..<count {
      vectors[index] = iovec(iov_base: frames + index * frameBytes, iov_len: frameBytes)
      messages[index].msg_hdr.msg_iov = vectors + index
      messages[index].msg_hdr.msg_iovlen = 1
    }
  }

  deinit {
    messages.deallocate()
    vectors.deallocate()
    frames.deallocate()
    controls.deallocate()
  }

  /// The raw frame of a message.
  func frame(_ index: Int) -> UnsafeRawPointer { UnsafeRawPointer(frames + index * frameBytes) }

  /// The bytes that were received for a message.
  func length(of index: Int) -> Int { Int(messages[index].msg_len) }

  func prepareToReceive() {
    for index in 0..<count {
      vectors[index].iov_len = frameBytes
      messages[index].msg_hdr.msg_control = controls + index * controlBytes
      messages[index].msg_hdr.msg_controllen = controlBytes
      messages[index].msg_hdr.msg_flags = 0
    }
  }

  /// Puts a frame into the message at `index`; false for an error frame.
  func prepareToSend(_ frame: CANFrame, at index: Int) -> Bool {
    guard let identifier = frame.identifier else { return false }
    var word = identifier.value | (identifier.isExtended ? UInt32(CAN_EFF_FLAG) : 0)
    var length: UInt8 = 0
    var bits: UInt64 = 0
    switch frame {
    case .data(let data):
      length = UInt8(truncatingIfNeeded: data.payload.count)
      bits = data.payload.bits
    case .remote(let remote):
      word |= UInt32(CAN_RTR_FLAG)
      length = remote.requestedLength
    case .error:
      return false
    }
    let raw = frames + index * frameBytes
    raw.storeBytes(of: word, as: UInt32.self)
    raw.storeBytes(of: UInt32(length).littleEndian, toByteOffset: 4, as: UInt32.self)
    raw.storeBytes(of: bits.littleEndian, toByteOffset: 8, as: UInt64.self)
    vectors[index].iov_len = MemoryLayout<can_frame>.size
    messages[index].msg_hdr.msg_control = nil
    messages[index].msg_hdr.msg_controllen = 0
    messages[index].msg_hdr.msg_flags = 0
    return true
  }

  /// What the kernel noted beside a frame.
  struct Notes {
    /// Nanoseconds of wall time at which it arrived.
    var stamp: Int64?
    /// Frames that this socket has lost so far, if any. Wraps around.
    var drops: UInt32?
  }

  /// Whether a program on this machine sent the frame, rather than the bus or the driver: the kernel marks those with
  /// MSG_DONTROUTE (Documentation/networking/can.rst, 4.1.7).
  func isFromThisMachine(_ index: Int) -> Bool {
    messages[index].msg_hdr.msg_flags & Int32(MSG_DONTROUTE) != 0
  }

  /// Whether this very socket sent the frame (MSG_CONFIRM, same section).
  func isOwn(_ index: Int) -> Bool { messages[index].msg_hdr.msg_flags & Int32(MSG_CONFIRM) != 0 }

  /// Reads the control messages: cmsghdr (length, level, type), then the value; each aligned to the word.
  func notes(of index: Int) -> Notes {
    var notes = Notes()
    let end = min(Int(messages[index].msg_hdr.msg_controllen), controlBytes)
    let control = UnsafeRawBufferPointer(start: controls + index * controlBytes, count: end)
    let header = MemoryLayout<cmsghdr>.size
    let word = MemoryLayout<Int>.size
    var offset = 0
    while offset + header <= end {
      let message = control.loadUnaligned(fromByteOffset: offset, as: cmsghdr.self)
      let length = Int(message.cmsg_len)
      guard length >= header, offset + length <= end else { break }
      let value = offset + header
      if message.cmsg_level == SOL_SOCKET {
        if message.cmsg_type == Int32(SO_TIMESTAMPNS_NEW), length >= header + 16 {
          let seconds = control.loadUnaligned(fromByteOffset: value, as: Int64.self)
          let nanoseconds = control.loadUnaligned(fromByteOffset: value + 8, as: Int64.self)
          notes.stamp = seconds &* 1_000_000_000 &+ nanoseconds
        } else if message.cmsg_type == Int32(SO_RXQ_OVFL), length >= header + 4 {
          notes.drops = control.loadUnaligned(fromByteOffset: value, as: UInt32.self)
        }
      }
      offset += (length + word - 1) & ~(word - 1)
    }
    return notes
  }
}
