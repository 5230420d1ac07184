import BMSCore
import BMSDevice
import CANBus
import ControlAPI
import Foundation
import Logging
import MonotonicTime
import Synchronization
import Testing
import VECan

@testable import vecand

private func seconds(_ count: Int64) -> Instant { .origin + .seconds(count) }

/// What the engine answered, from its thread to the test's.
private final class Answers<Answer: Sendable>: Sendable {
  private let kept = Mutex<[Answer?]>([])

  var all: [Answer?] { kept.withLock { $0 } }

  func reply() -> Reply<Answer> { Reply { answer in self.kept.withLock { $0.append(answer) } } }
}

extension EngineBench {
  /// Asks for something at a moment of the run, as the control socket does.
  fileprivate func command(
    _ command: OperatorCommand, isLocal: Bool = false, at instant: Instant, _ answers: Answers<OperatorRefusal?>
  ) {
    at(instant) { #expect($0.mailbox.offer(.perform(command, isLocal: isLocal, words: "\(command)", answers.reply()))) }
  }

  /// Looks at everything at a moment of the run.
  fileprivate func look(at instant: Instant, _ answers: Answers<EngineSnapshot>) {
    at(instant) { #expect($0.mailbox.offer(.report(answers.reply()))) }
  }
}

@Suite("Commands of an operator on their way to the engine")
struct ControlCommandTests {
  @Test(
    "R319, R320: everything is set and seen from afar; from afar it is disabled, and only the machine itself enables it"
  )
  func remoteControl() throws {
    let bench = try EngineBench()
    let answers = Answers<OperatorRefusal?>()
    let looks = Answers<EngineSnapshot>()
    let commands: [(OperatorCommand, isLocal: Bool)] = [
      (.set(.chargedVoltage, to: 14.1), false),
      (.set(.remoteControl, to: 0), false),
      // Nothing is taken from afar any more, least of all that it is on again; nor by way of a reset.
      (.set(.remoteControl, to: 1), false),
      (.set(.chargedVoltage, to: 13.9), false),
      (.reset(.remoteControl), false),
      (.resetAll, false),
      (.requestMode(.standby, by: .app), false),
      (.setStateOfCharge(50), false),
      (.synchronise, false),
      // On the machine itself it is enabled first.
      (.synchronise, true),
      (.set(.remoteControl, to: 1), true),
      (.set(.chargedVoltage, to: 13.8), false),
    ]
    for (index, command) in commands.enumerated() {
      bench.command(command.0, isLocal: command.isLocal, at: seconds(2) + .milliseconds(Int64(index) * 100), answers)
    }
    bench.look(at: seconds(2) + .milliseconds(950), looks)
    bench.look(at: seconds(5), looks)
    bench.run(until: seconds(6))
    let expected: [OperatorRefusal?] = [
      nil, nil, .enabledOnlyLocally, .controlDisabled, .controlDisabled, .controlDisabled, .controlDisabled,
      .controlDisabled, .controlDisabled, .controlDisabled, nil, nil,
    ]
    #expect(answers.all == expected.map(Optional.some))
    let disabled = try #require(looks.all.first ?? nil)
    #expect(disabled.device.settings[.remoteControl] == 0)
    #expect(disabled.device.settings[.chargedVoltage] == 14.1)
    #expect(disabled.device.status.outputs.mode == .on)
    #expect(StatusReport(disabled).isControlEnabled == false)
    let enabled = try #require(looks.all.last ?? nil)
    #expect(enabled.device.settings[.remoteControl] == 1)
    #expect(enabled.device.settings[.chargedVoltage] == 13.8)
    // It is stored with the other settings, so that a restart enables nothing.
    let stored = bench.reports.compactMap { report -> ChangedSettings? in
      guard case .device(.settingsChanged(let changed)) = report else { return nil }
      return changed
    }
    #expect(stored.contains { $0.values[.remoteControl] == 0 })
  }

  @Test("R320: a reset over the bus leaves a disabled control channel disabled, and resets the rest")
  func resetOverTheBus() throws {
    let bench = try EngineBench()
    let answers = Answers<OperatorRefusal?>()
    let looks = Answers<EngineSnapshot>()
    bench.command(.set(.chargedVoltage, to: 14.1), at: seconds(2), answers)
    bench.command(.set(.remoteControl, to: 0), at: seconds(2), answers)
    // Register 0x0004, restore defaults.
    bench.at(seconds(3)) { $0.say([0x66, 0x99, 0x04, 0x00, 0, 0, 0, 0], at: seconds(3)) }
    bench.look(at: seconds(4), looks)
    bench.run(until: seconds(5))
    let look = try #require(looks.all.first ?? nil)
    #expect(look.device.settings[.chargedVoltage] == 14.0)
    #expect(look.device.settings[.remoteControl] == 0)
  }

  @Test("a refused value says why and changes nothing: 14.6 V is taken, 14.7 V is not")
  func refused() throws {
    let bench = try EngineBench()
    let answers = Answers<OperatorRefusal?>()
    let looks = Answers<EngineSnapshot>()
    bench.command(.set(.chargedVoltage, to: 14.6), at: seconds(2), answers)
    bench.command(.set(.chargedVoltage, to: 14.7), at: seconds(2), answers)
    bench.command(.set(.dischargeFloor, to: 50), at: seconds(2), answers)
    bench.command(.setStateOfCharge(100.5), at: seconds(2), answers)
    bench.command(.requestMode(.off, by: .gx), at: seconds(2), answers)
    bench.look(at: seconds(3), looks)
    bench.run(until: seconds(4))
    #expect(
      answers.all
        == [
          nil, .setting(.notAccepted(.chargedVoltage, 14.7)),
          .setting(.contradictions([.init(.dischargeFloor, 50, with: .lowStateOfChargeWarning, 15)])),
          .command(.stateOfChargeOutOfRange(100.5)), .command(.modeRefused(.gxCannotSwitchOff)),
        ].map(Optional.some))
    let look = try #require(looks.all.first ?? nil)
    let setting = SettingReport(.chargedVoltage, look.device)
    #expect(setting.value == 14.6 && setting.setBy == .changed && setting.configured == 14)
    #expect(look.device.settings[.dischargeFloor] == 10)
    #expect(look.device.status.outputs.mode == .on)
  }

  @Test("R36: standby is taken and told on the bus; a reset of one setting leaves the others changed")
  func carriedOut() throws {
    let bench = try EngineBench()
    let answers = Answers<OperatorRefusal?>()
    let looks = Answers<EngineSnapshot>()
    bench.command(.setStateOfCharge(55), at: seconds(2), answers)
    bench.command(.set(.tailCurrent, to: 5), at: seconds(2), answers)
    bench.command(.set(.chargedVoltage, to: 14.1), at: seconds(2), answers)
    bench.command(.reset(.tailCurrent), at: seconds(3), answers)
    bench.command(.requestMode(.standby, by: .app), at: seconds(3), answers)
    bench.at(seconds(4)) { $0.ask(0x0200, at: seconds(4)) }
    bench.look(at: seconds(4), looks)
    bench.run(until: seconds(5))
    #expect(answers.all.allSatisfy { $0 == .some(nil) })
    let look = try #require(looks.all.first ?? nil)
    #expect(look.device.settings[.tailCurrent] == 4)
    #expect(look.device.settings[.chargedVoltage] == 14.1)
    let status = StatusReport(look)
    #expect(status.mode == .standby && !status.isAllRight && status.problems.contains("the mode is standby"))
    #expect(status.stateOfCharge?.percent.rounded() == 55 && status.stateOfCharge?.isTrusted == true)
    #expect(bench.payloads.contains { $0.starts(with: [0x66, 0x99, 0x00, 0x02, 252]) }, "register 0x0200")
  }

  @Test("a mailbox full of questions: CCL 0 is on the wire within 20 ms of a high cell, and the 33rd finds no room")
  func flood() throws {
    let bench = try EngineBench()
    let looks = Answers<EngineSnapshot>()
    let moment = seconds(5)
    bench.at(moment) { bench in
      let taken = (0..<40).filter { _ in bench.mailbox.offer(.report(looks.reply())) }
      #expect(taken.count == Mailbox.capacity)
    }
    bench.raiseCell(to: 3.76, at: moment)
    bench.run(until: seconds(6))
    #expect(looks.all.count { $0 != nil } == Mailbox.capacity)
    let zero = try #require(
      bench.values(of: .chargeCurrentLimit).first { $0.instant >= moment && $0.number == .value(0) })
    #expect(zero.instant - moment <= .milliseconds(20), "\((zero.instant - moment).seconds) s")
  }

  @Test("a question that nobody waits for any more is not carried out, and no answer is nil within the time")
  func givenUp() async throws {
    let bench = try EngineBench()
    let answers = Answers<OperatorRefusal?>()
    let looks = Answers<EngineSnapshot>()
    let reply = answers.reply()
    bench.at(seconds(2)) { bench in
      #expect(bench.mailbox.offer(.perform(.set(.chargedVoltage, to: 14.1), isLocal: true, words: "late", reply)))
      reply.giveUp()
    }
    bench.look(at: seconds(3), looks)
    bench.run(until: seconds(4))
    #expect(answers.all == [nil])
    #expect((looks.all.first ?? nil)?.device.settings[.chargedVoltage] == 14)

    // Nobody reads this mailbox.
    let mailbox = try Mailbox()
    // That this ends at all is what counts: how soon is up to a machine that runs a thousand tests at once.
    let nothing: EngineSnapshot? = await mailbox.ask(within: .milliseconds(50), EngineCommand.report)
    #expect(nothing == nil)
  }
}

@Suite("What the control socket keeps and lets in")
struct ControlLimitTests {
  @Test("the trace keeps at most 16,384 frames, the newest; a copy stays as it was")
  func frames() {
    var trace = FrameTrace()
    func frame(_ number: Int) -> CANFrame {
      .data(CANDataFrame(.extended(0x1DF2_1400), CANPayload(littleEndian: UInt64(number), count: 8)))
    }
    for number in 0..<20_000 { trace.note(frame(number), at: seconds(Int64(number)), isSent: number % 2 == 0) }
    let copy = trace
    for number in 20_000..<20_600 { trace.note(frame(number), at: seconds(Int64(number)), isSent: false) }
    #expect(15_872...16_384 ~= copy.count && 15_872...16_384 ~= trace.count)
    #expect(copy.last?.instant == seconds(19_999) && trace.last?.instant == seconds(20_599))
    let instants = trace.entries.map(\.instant)
    #expect(instants == instants.sorted() && instants.count == trace.count)
    #expect(instants.first == seconds(Int64(20_600 - trace.count)))
  }

  @Test("200 requests at once and 100 a second: the 201st is refused, and one is let in 10 ms later")
  func rate() {
    let bucket = RequestBucket()
    let now = ContinuousClock.now
    #expect((0..<200).allSatisfy { _ in bucket.take(at: now) })
    #expect(!bucket.take(at: now))
    #expect(!bucket.take(at: now + .milliseconds(9)))
    #expect(bucket.take(at: now + .milliseconds(19)))
    #expect(!bucket.take(at: now + .milliseconds(19)))
  }

  @Test("128 descriptors are kept for the rest: 1024 serve 48 and refuse 16 more, 160 serve 24 and 8, 100 still two")
  func descriptors() {
    func limits(_ descriptors: Int, _ sockets: Int = 1) -> [Int] {
      let limits = ConnectionLimits(descriptors: descriptors, sockets: sockets)
      return [limits.served, limits.refused]
    }
    #expect(limits(1024) == [48, 16] && limits(1024, 2) == [48, 16])
    #expect(limits(160) == [24, 8] && limits(160, 2) == [12, 4])
    #expect(limits(100) == [2, 1])
  }

  @Test("a follower is told all until 64 events wait for it; with the 65th it is dropped, and the others are not")
  func followers() async throws {
    let desk = ControlDesk(mailbox: try Mailbox())
    let slow = try #require(desk.follow())
    let quick = try #require(desk.follow())
    var reader = quick.news.makeAsyncIterator()
    for number in 1...65 {
      desk.note(.forgedErrorFrames(1), [EventLine(level: .notice, text: "\(number)")], at: seconds(1))
      guard case .event(let event)? = await reader.next() else {
        Issue.record("the quick follower was dropped at \(number)")
        return
      }
      #expect(event.text == "\(number)")
    }
    var told = 0
    for await _ in slow.news { told += 1 }
    #expect(told == 64)
    #expect(!desk.unfollow(slow.number), "it was dropped")
    #expect(desk.unfollow(quick.number))
    // 16 follow, the 17th is told that there are too many.
    let many = (0..<17).map { _ in desk.follow() }
    #expect(many.count { $0 != nil } == ControlDesk.followers)
  }

  @Test("lines of alarms, decisions, links and commands carry their journal fields; of what is not known there is none")
  func journalFields() throws {
    func fields(_ report: EngineReport) -> [[String: String]] {
      var log = EventLog(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      return log.note(report).compactMap { $0.fields?.metadata.mapValues { "\($0)" } }
    }
    var cause = Outputs().dischargeReason
    cause.value = 2.795
    let raised: DeviceEvent = .raised([(.lowCell, cause), (.highCell, nil)])
    #expect(
      fields(.device(raised)) == [
        [
          "MESSAGE_ID": "3f662d2892d247f2b1399ab48080fc57", "VECAND_CODE": "A-B01", "VECAND_GX_NUMBER": "103",
          "VECAND_SOURCE": Alarm.lowCell.definition.source, "VECAND_VALUE": "2.795",
        ],
        [
          "MESSAGE_ID": "3f662d2892d247f2b1399ab48080fc57", "VECAND_CODE": "V-B01",
          "VECAND_SOURCE": Alarm.highCell.definition.source,
        ].merging(Alarm.highCell.definition.gxNumber.map { ["VECAND_GX_NUMBER": "\($0)"] } ?? [:]) { $1 },
      ])
    #expect(
      fields(.commanded("mode on", nil)) == [["MESSAGE_ID": "51e8886990c141d588ffd5ce04431295"]])
    let out = BMS().explanation(of: .chargeCurrent)
    let decided = try #require(fields(.device(.decided([out]))).first)
    #expect(decided["MESSAGE_ID"] == "c0475158c5c442118dfa15de21a39f60" && decided["VECAND_OUTPUT"] == "charge-current")
  }

  @Test("what is set at run time is told once, with the number as it was given; the others are not told again")
  func setAtRunTime() {
    var log = EventLog(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    func lines(_ values: [Setting: Double], _ names: FuseNames? = nil) -> [String] {
      log.note(.device(.settingsChanged(ChangedSettings(values: values, fuseNames: names)))).map(\.text)
    }
    #expect(lines([.tailCurrent: 6]) == ["set at run time: tail_current = 6 %"])
    #expect(lines([.tailCurrent: 6, .nominalVoltage: 24]) == ["set at run time: nominal_voltage = 24 V"])
    #expect(lines([.tailCurrent: 6, .nominalVoltage: 24, .preAlarm: 0]) == ["set at run time: pre_alarm = 0"])
    #expect(
      lines([.tailCurrent: 6.5, .nominalVoltage: 24], FuseNames()) == [
        "pre_alarm as configured", "set at run time: tail_current = 6.5 %", "set at run time: names of fuses",
      ])
    #expect(lines([:]) == ["settings as configured"])
  }

  @Test("a wall clock that is set by a second or more is told with its direction, a machine that slept is an error")
  func clocks() {
    func lines(wall: Double, awake: Double, boot: Double) -> [String] {
      var watch = ClockWatch()
      #expect(watch.lines(.init(wall: 1000, awake: 10, boot: 20)).isEmpty)
      return watch.lines(.init(wall: 1000 + wall, awake: 10 + awake, boot: 20 + boot)).map { "\($0.level) \($0.text)" }
    }
    #expect(lines(wall: 1, awake: 1, boot: 1) == [])
    #expect(lines(wall: 1.99, awake: 1, boot: 1) == [] && lines(wall: 0.01, awake: 1, boot: 1) == [])
    #expect(
      lines(wall: 3601, awake: 1, boot: 1).first?.hasPrefix("notice the wall clock was set forward by 3600 s") == true)
    #expect(
      lines(wall: -86_399, awake: 1, boot: 1).first?.hasPrefix("notice the wall clock was set back by 86400 s") == true)
    // Asleep all three clocks but one go on.
    let asleep = lines(wall: 31, awake: 1, boot: 31)
    #expect(asleep.count == 1 && asleep.first?.hasPrefix("error the machine slept for 30 s") == true)
    #expect(lines(wall: 1.99, awake: 1, boot: 1.99) == [])
  }

  @Test("standard error is the journal's only where JOURNAL_STREAM is its device and inode")
  func journalStream() {
    var found = stat()
    fstat(STDERR_FILENO, &found)
    for (stream, isJournal) in [
      ("\(found.st_dev):\(found.st_ino)", true), ("\(found.st_dev):\(found.st_ino + 1)", false), ("", false),
    ] {
      #expect(Journal.isBehind(STDERR_FILENO, stream: stream) == isJournal)
    }
    #expect(!Journal.isBehind(STDERR_FILENO, stream: nil))
  }

  @Test("the newest so many are kept, in their order")
  func ring() {
    var ring = Ring<Int>(capacity: 3)
    #expect(ring.elements.isEmpty)
    for number in 1...3 { ring.append(number) }
    #expect(ring.elements == [1, 2, 3])
    for number in 4...8 { ring.append(number) }
    #expect(ring.elements == [6, 7, 8])
  }
}
