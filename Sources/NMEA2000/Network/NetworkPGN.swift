/// The PGNs that the network itself is made of (nmea2000.md section 1.2).
enum NetworkPGN {
  static let acknowledgement: PGN = 59392
  static let request: PGN = 59904
  static let transportData: PGN = 60160
  static let transportControl: PGN = 60416
  static let addressClaim: PGN = 60928
  static let commandedAddress: PGN = 65240
  static let groupFunction: PGN = 126208
  static let pgnList: PGN = 126464
  static let heartbeat: PGN = 126993
  static let productInformation: PGN = 126996
  static let configurationInformation: PGN = 126998

  /// What every node sends.
  static let transmitted: [PGN] = [
    acknowledgement, request, transportData, transportControl, addressClaim, groupFunction, pgnList, heartbeat,
    productInformation, configurationInformation,
  ]

  /// What every node understands.
  static let received: [PGN] = [
    acknowledgement, request, transportData, transportControl, addressClaim, commandedAddress, groupFunction,
    productInformation,
  ]
}
