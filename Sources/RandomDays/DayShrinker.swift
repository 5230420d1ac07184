public import BatterySimulator

// Makes a day that breaks an invariant as small as it gets while it still breaks the same one: what is left is what it
// takes. Greedy and without chance, so that the same day shrinks to the same file.

extension DayPlan {
  /// The smallest day found in which `isBroken` still holds, from one in which it does.
  ///
  /// - Parameter budget: The most days that are tried.
  public func shrunk(budget: Int = 600, while isBroken: (DayPlan) -> Bool) -> DayPlan {
    var shrinker = DayShrinker(best: self, left: budget)
    shrinker.shrink(isBroken)
    return shrinker.best
  }

  /// The smallest day found that breaks this invariant.
  public func shrunk(breaking invariant: Invariant, budget: Int = 600) -> DayPlan {
    shrunk(budget: budget) { $0.run(until: invariant).breaks.contains { $0.invariant == invariant } }
  }
}

private struct DayShrinker {
  var best: DayPlan
  var left: Int

  mutating func shrink(_ isBroken: (DayPlan) -> Bool) {
    shorten(isBroken)
    var size = 0
    // Once more as long as something went away: what one thing needed may have gone with another.
    repeat {
      size = best.size
      dropEvents(isBroken)
      shorten(isBroken)
      simplify(isBroken)
    } while best.size < size && left > 0
    moveForward(isBroken)
    shorten(isBroken)
  }

  private mutating func attempt(_ isBroken: (DayPlan) -> Bool, _ change: (inout DayPlan) -> Void) -> Bool {
    guard left > 0 else { return false }
    var plan = best
    change(&plan)
    guard plan != best else { return false }
    left -= 1
    guard isBroken(plan) else { return false }
    best = plan
    return true
  }

  /// Half of them, then quarters, then one by one.
  private mutating func dropEvents(_ isBroken: (DayPlan) -> Bool) {
    var chunk = max(best.events.count / 2, 1)
    while true {
      var start = 0
      while start < best.events.count {
        let range = start..<min(start + chunk, best.events.count)
        if !attempt(isBroken, { $0.events.removeSubrange(range) }) { start += chunk }
      }
      if chunk == 1 { return }
      chunk = max(chunk / 2, 1)
    }
  }

  /// The end comes as early as it can, by bisection.
  private mutating func shorten(_ isBroken: (DayPlan) -> Bool) {
    var (low, high) = (0, best.seconds)
    while high - low > 1, left > 0 {
      let middle = low + (high - low) / 2
      if attempt(isBroken, { $0.seconds = middle }) { high = middle } else { low = middle }
    }
    let end = best.seconds
    _ = attempt(isBroken) { $0.events.removeAll { $0.at >= end } }
  }

  private mutating func simplify(_ isBroken: (DayPlan) -> Bool) {
    let usual = DayPlan()
    for index in best.settings.indices.reversed() { _ = attempt(isBroken) { $0.settings.remove(at: index) } }
    _ = attempt(isBroken) { $0.dropUnusedParts() }
    _ = attempt(isBroken) { plan in
      plan.capacitySpread = 0
      plan.chargeSpread = 0
      plan.resistanceSpread = 0
    }
    _ = attempt(isBroken) { plan in
      plan.strings = 1
      plan.dropEventsWithoutPlace()
    }
    _ = attempt(isBroken) { $0.busCapacitance = usual.busCapacitance }
    _ = attempt(isBroken) { $0.isEachCellTold = true }
    _ = attempt(isBroken) { $0.hasFeedback = true }
    _ = attempt(isBroken) { $0.hasTemperatures = true }
    _ = attempt(isBroken) { $0.hasRemote = false }
    _ = attempt(isBroken) { $0.isFirstStart = false }
    _ = attempt(isBroken) { $0.celsius = usual.celsius }
    _ = attempt(isBroken) { $0.stateOfCharge = usual.stateOfCharge }
    _ = attempt(isBroken) { $0.capacity = usual.capacity }
    _ = attempt(isBroken) { $0.seed = 1 }
    for index in best.events.indices { _ = attempt(isBroken) { $0.events[index].lasting = nil } }
  }

  /// What happens first happens in the first minute.
  private mutating func moveForward(_ isBroken: (DayPlan) -> Bool) {
    for gap in [best.events.first?.at ?? 0, 0] where gap > 60 {
      _ = attempt(isBroken) { plan in
        for index in plan.events.indices { plan.events[index].at -= gap - 60 }
        plan.seconds -= gap - 60
      }
    }
    // Waiting between two events is shortened in the same way.
    for index in best.events.indices.dropFirst() {
      let gap = best.events[index].at - best.events[index - 1].at
      guard gap > 120 else { continue }
      _ = attempt(isBroken) { plan in
        for later in index..<plan.events.count { plan.events[later].at -= gap - 60 }
        plan.seconds -= gap - 60
      }
    }
  }
}

extension DayPlan {
  /// Events that name a battery or string that is not there.
  fileprivate mutating func dropEventsWithoutPlace() {
    let (batteries, strings) = (batteryCount, strings)
    events.removeAll { event in
      switch event.action {
      case .fault(.cellCharge(let battery, _, _)), .fault(.cellShort(let battery, _, _)),
        .fault(.temperature(let battery, _)), .fault(.sensorLost(.cell(let battery, _))),
        .fault(.sensorFrozen(.cell(let battery, _))), .fault(.sensorOffset(.cell(let battery, _), _)),
        .fault(.sensorLost(.temperature(let battery))), .fault(.sensorFrozen(.temperature(let battery))),
        .fault(.sensorOffset(.temperature(let battery), _)):
        battery >= batteries
      case .fault(.stringFuse(let string)): string >= strings
      default: false
      }
    }
  }

  /// What is left to lose.
  fileprivate var size: Int {
    events.count * 10 + settings.count * 10 + chargers.count + alternators.count + loads.count + inverters.count
      + distributors + strings + seconds / 60
  }

  /// Parts at the end of their list that no event names.
  fileprivate mutating func dropUnusedParts() {
    var used = (chargers: 0, alternators: 0, loads: 0, inverters: 0, distributors: 0)
    for event in events {
      switch event.action {
      case .charger(let index, _), .fault(.chargerRunaway(let index, _)): used.chargers = max(used.chargers, index + 1)
      case .alternator(let index, _): used.alternators = max(used.alternators, index + 1)
      case .load(let index, _): used.loads = max(used.loads, index + 1)
      case .inverter(let index, _): used.inverters = max(used.inverters, index + 1)
      case .fault(.fuse(let index, _)), .fault(.distributorSilent(let index)):
        used.distributors = max(used.distributors, index + 1)
      default: break
      }
    }
    chargers.removeLast(chargers.count - min(used.chargers, chargers.count))
    alternators.removeLast(alternators.count - min(used.alternators, alternators.count))
    loads.removeLast(loads.count - min(used.loads, loads.count))
    inverters.removeLast(inverters.count - min(used.inverters, inverters.count))
    distributors = min(distributors, used.distributors)
  }
}
