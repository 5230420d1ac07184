import BMSCore
import BMSDevice
import CANBus
import MonotonicTime
import NMEA2000
import Testing

@Suite("Lynx Distributors on the bus (R257-R268)")
struct DistributorTests {
  private static func bench(_ place: DistributorWiring.Place = .registers) -> Bench {
    var configuration = Bench.configuration()
    for role in WiredRole.distributors {
      configuration.distributors[role] = DistributorWiring(
        sender: DeviceSelector(manufacturer: 358, function: 170), place: place)
    }
    _ = configuration.fuseNames.set("Windlass", of: 6)
    _ = configuration.fuseNames.set("", of: 7)
    return Bench.running(configuration)
  }

  @Test("0x2150 and 0x2153: fuse 2 of Distributor B is A-F06 with its own name; an unused one raises nothing")
  func registers() {
    var bench = Self.bench()
    bench.sendRegister(0x2150, 0b0101)
    bench.sendRegister(0x2152, 0b1010_1010)
    bench.sendRegister(0x2153, 0b1011_1110)  // 2 and 3 blown; 3 is fuse 7, which has no name
    let outputs = bench.device.status(at: bench.now).outputs
    #expect(outputs.alarms.contains(.fuse6))
    #expect(!outputs.alarms.contains(.fuse7))
    #expect(!outputs.alarms.contains(.fuse2))
    bench.sendRegister(0x2153, 0b1010_1010)
    #expect(!bench.device.status(at: bench.now).outputs.alarms.contains(.fuse6))
  }

  @Test("a Distributor that was heard and is silent for 10 s is W-D01, one that was never heard is none (R239)")
  func lost() {
    var bench = Self.bench()
    bench.sendRegister(0x2150, 0b01)
    bench.advance(.milliseconds(9900))
    #expect(bench.device.status(at: bench.now).outputs.alarms.isEmpty)
    bench.advance(.milliseconds(300))
    let alarms = bench.device.status(at: bench.now).outputs.alarms
    #expect(alarms.contains(.distributorALost))
    #expect(!alarms.contains(.distributorBLost))
  }

  @Test("one whose reader says that it is lost is lost, although the reader goes on talking")
  func lostByItsReader() {
    var bench = Self.bench()
    bench.sendRegister(0x2150, 0b01)
    for _ in 0..<12 {
      bench.advance(.seconds(1))
      bench.sendRegister(0x2150, 0b11)
    }
    #expect(bench.device.status(at: bench.now).outputs.alarms.contains(.distributorALost))
  }

  @Test("so are its fuses, which the reader repeats as it knew them last, until it is heard again (R265)")
  func lostWithFuses() {
    var bench = Self.bench()
    bench.sendRegister(0x2150, 0b01)
    bench.sendRegister(0x2152, 0b1010_1010)
    for _ in 0..<12 {
      bench.advance(.seconds(1))
      bench.sendRegister(0x2150, 0b11)
      bench.sendRegister(0x2152, 0b1010_1010)
    }
    #expect(bench.device.status(at: bench.now).outputs.alarms.contains(.distributorALost))
    bench.sendRegister(0x2150, 0b01)
    bench.sendRegister(0x2152, 0b1010_1011)
    let alarms = bench.device.status(at: bench.now).outputs.alarms
    #expect(!alarms.contains(.distributorALost) && alarms.contains(.fuse1))
  }

  @Test("two that tell of one Distributor: neither is believed, V-D05 (OD-16)")
  func duplicate() {
    var bench = Self.bench()
    bench.claim(Name(uniqueNumber: 7, manufacturer: 358, function: 170, deviceClass: 35), at: 99)
    bench.sendRegister(0x2150, 0b01)
    bench.sendRegister(0x2150, 0b01, from: 99)
    bench.sendRegister(0x2152, 0b1111_1111, from: 99)
    let alarms = bench.device.status(at: bench.now).outputs.alarms
    #expect(alarms.contains(.distributorDuplicate))
    #expect(!alarms.contains(.fuse1))
  }

  @Test("four indicators of a bank: on is blown; with inverted, off is")
  func bank() {
    for isInverted in [false, true] {
      var bench = Self.bench(.bank(instance: 4, firstFuse: 5, isInverted: isInverted))
      var status = BinarySwitchBankStatus()
      status.instance = .value(4)
      for number in 5...8 { status[indicator: number] = .value((number == 6) != isInverted) }
      bench.put(status.payload, 127501, priority: 3, from: Bench.batteryAddress)
      let alarms = bench.device.status(at: bench.now).outputs.alarms
      #expect(alarms.contains(.fuse2))
      #expect(!alarms.contains(.fuse1))
    }
  }

  @Test("a bank that is sent on change only is asked for: a fuse that blew before the start is told, W-D01 is not")
  func bankOnChange() {
    var module = SwitchModule()
    module.period = .minutes(60)
    module.bank.isOn[6] = true
    // It sent its bank before the device was there.
    for _ in 0..<100 {
      module.run(at: .origin + .seconds(1))
      module.node.outbox.removeAll()
    }
    var configuration = Bench.configuration()
    configuration.distributors[.distributorA] = DistributorWiring(
      sender: DeviceSelector(manufacturer: 137, function: 140),
      place: .bank(instance: 3, firstFuse: 5, isInverted: false))
    var bench = SwitchBench(configuration, modules: [module])
    bench.advance(.seconds(5))
    #expect(bench.alarms.contains(.fuse2))
    bench.advance(.minutes(2))
    #expect(bench.alarms.contains(.fuse2))
    #expect(!bench.bench.raised.contains(.distributorALost))
    bench.modules[0].isAlive = false
    bench.advance(.seconds(13))
    #expect(bench.alarms.contains(.distributorALost))
  }
}
