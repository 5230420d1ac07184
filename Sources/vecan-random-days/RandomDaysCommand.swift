import ArgumentParser
import BMSCore
import BatterySimulator
import Foundation
import MonotonicTime
import RandomDays

// The campaign of random days: `Tests/random-days` builds and runs it.

@main
struct RandomDaysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "random-days",
    abstract: "Runs random days of BMS and battery and checks the invariants in every step.",
    discussion: """
      Day i of seed S is the same day everywhere. A day that breaks an invariant is made small and written as a \
      scenario file. Exit code 1 when anything broke. A change that only makes BMS or plant faster leaves the digest as it was.
      """)

  @Argument(help: "How many days.") var days = 100
  @Argument(help: "The seed of the first day; each day has the next one.") var seed: UInt64 = 1
  @Option(help: "Where the files of broken days go.") var output = ".build/random-days"
  @Option(help: "Every so many days one is run twice and compared to the bit; 0 never.") var twice = 10
  @Option(help: "Stop after so many broken days.") var mostBroken = 20
  @Option(help: "Print every step from this second on, of one day.") var trace: Double?
  @Flag(help: "Leave broken days as they are.") var asIs = false

  func run() throws {
    if let trace { return printSteps(from: trace) }
    var tally = DayTally()
    var broken: [Invariant: Int] = [:]
    var brokenDays = 0
    let start = Date()
    var done = 0
    var digest: UInt64 = 0
    for day in 0..<UInt64(max(days, 0)) {
      let number = seed &+ day
      let plan = DayPlan.random(seed: number)
      let result = plan.run()
      tally.add(result.tally)
      digest = (digest ^ result.digest.value) &* 0x9E37_79B9_7F4A_7C15
      done += 1
      if let found = result.breaks.first {
        brokenDays += 1
        broken[found.invariant, default: 0] += 1
        say("day \(number): \(found)")
        // The first of each kind is worth the time.
        if broken[found.invariant] == 1 { try write(plan, found, number) }
        if brokenDays >= mostBroken { break }
      } else if twice > 0, day % UInt64(twice) == 0, plan.run().digest != result.digest {
        brokenDays += 1
        say("day \(number): two runs differ")
        try write(plan, nil, number)
      }
      if done % 100 == 0 {
        let seconds = Date().timeIntervalSince(start)
        say("\(done) days, \(brokenDays) broken, \(Int(seconds)) s, \(Int(seconds * 1000) / done) ms a day")
      }
    }
    let seconds = Date().timeIntervalSince(start)
    say("\(done) days from seed \(seed) in \(Int(seconds)) s (\(Int(seconds * 1000) / max(done, 1)) ms a day)")
    say("  digest of all steps: \(String(digest, radix: 16))")
    for line in tally.lines { say("  \(line)") }
    for (invariant, count) in broken.sorted(by: { $0.value > $1.value }) {
      say("  broken: \(invariant) in \(count) days")
    }
    say("\(done - brokenDays) passed, \(brokenDays) failed")
    if brokenDays > 0 { throw ExitCode(1) }
  }

  private func printSteps(from second: Double) {
    let result = DayPlan.random(seed: seed).run { _, _, loop in
      let seconds = (loop.now - .origin).seconds
      guard seconds >= second else { return }
      let outputs = loop.outputs
      let cells = "\(outputs.lowestCell?.value ?? .nan)..\(outputs.highestCell?.value ?? .nan) V"
      say(
        "\(seconds) \(outputs.mode) \(outputs.contactorPhase) \(outputs.voltage ?? .nan) V, \(outputs.current ?? .nan) A, "
          + "cells \(cells), ATC \(outputs.chargeReason.rule), ATD \(outputs.dischargeReason.rule), "
          + outputs.alarms.map { "\($0)" }.joined(separator: " "))
    }
    for found in result.breaks { say("\(found)") }
  }

  private func write(_ plan: DayPlan, _ found: InvariantBreak?, _ number: UInt64) throws {
    var small = plan
    var story = "two runs differ"
    if let found {
      if !asIs { small = plan.shrunk(breaking: found.invariant) }
      let again = small.run(until: found.invariant).breaks.first { $0.invariant == found.invariant }
      story = (again ?? found).description
    }
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    let path = "\(output)/day-\(number).toml"
    try small.scenario(story: story).write(toFile: path, atomically: true, encoding: .utf8)
    say("  as a scenario: \(path), \(small.events.count) events, \(small.seconds) s: \(story)")
  }

  /// Unbuffered, so that a campaign in the background can be followed.
  private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}
