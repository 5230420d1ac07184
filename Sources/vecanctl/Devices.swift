import ArgumentParser
import CANBus
import MonotonicTime
import NMEA2000

struct Devices: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists who is on a bus.",
    discussion: """
      For each device: address, NAME, manufacturer, unique number, class and function, instances, product, and the \
      messages it sends with their mean interval while this command listened. Of a PGN that \
      comes for several instances or registers it is the interval of the one that came most ("streams" in JSON says how \
      many there are).

      It asks, without an address of its own (as 254): everybody for the address claim (60928), and devices that have \
      not described themselves for their product information (126996); at most 20 requests a second and no other frame. \
      With --passive it only listens: then a device is nameless until it claims by itself.

      With --json each device is one object on a line of its own; what is not known is left out.

      Example: vecanctl devices --interface can0 --listen 10
      Example: vecanctl devices --json | jq -r '[.address, .product.model] | @tsv'

      Exit code 0, also when nobody is there; 1 when the interface cannot be used or a request cannot be sent; 64 for \
      wrong arguments.
      """)

  @OptionGroup var bus: InterfaceOption

  @Flag(help: "Print one JSON object a line, one a device.")
  var json = false

  @Option(help: ArgumentHelp("How long to listen.", valueName: "seconds"))
  var listen = 3.0

  @Flag(help: "Send nothing at all.")
  var passive = false

  func validate() throws {
    guard listen > 0 else { throw ValidationError("--listen is more than 0 seconds.") }
  }

  func run() throws {
    var sender = FrameSender(try LiveBus(bus.interface))
    let port = sender.bus.port
    guard port.link.carriesFrames else {
      throw Failure(port.link.words(port.interface))
    }
    var survey = DeviceSurvey(isPassive: passive)
    let end = port.now + TimeSpan(seconds: listen)
    while port.now < end {
      if let request = survey.nextRequest(at: port.now), try !sender.send(.data(request)) { break }
      let deadline = min(end, port.now + DeviceSurvey.requestDistance)
      guard let turn = sender.bus.next(until: deadline) else { break }
      for received in turn.frames {
        if case .data(let frame) = received.frame { survey.receive(frame, at: received.instant) }
      }
      for event in turn.events where !event.state.carriesFrames { throw Failure(event.state.words(port.interface)) }
    }
    sender.bus.finish()
    do throws(FileError) {
      try print(survey)
    } catch .readerIsGone {
      return
    } catch {
      throw Failure(error.description)
    }
  }

  private func print(_ survey: DeviceSurvey) throws(FileError) {
    var text = TextBuffer()
    for device in survey.devices {
      let report = DeviceReport(
        address: device.address, name: device.name, product: device.product,
        traffic: survey.traffic(of: device.address))
      text.append(json ? report.json + "\n" : report.text + "\n")
    }
    for name in survey.withoutAddress {
      let report = DeviceReport(address: BusAddress.null, name: name, product: nil, traffic: [])
      text.append(json ? report.json + "\n" : report.text + "  This device found no free address.\n\n")
    }
    try OutputFile.standardOutput.take(&text)
    if survey.devices.isEmpty, survey.withoutAddress.isEmpty {
      complain("nobody was heard in \(listen) s")
    }
  }
}
