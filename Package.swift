// swift-tools-version: 6.2
import PackageDescription

// Every target of this project: Swift 6 language mode, and a warning is an error.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
  name: "vecand",
  targets: [
    .target(name: "MonotonicTime", swiftSettings: strict),
    .target(name: "CANBus", dependencies: ["MonotonicTime"], swiftSettings: strict),
    .target(name: "NMEA2000", dependencies: ["CANBus", "MonotonicTime"], swiftSettings: strict),
    .target(name: "VECan", dependencies: ["NMEA2000"], swiftSettings: strict),
    .target(name: "CANBusBMS", dependencies: ["CANBus"], swiftSettings: strict),
    .target(name: "BMSCore", dependencies: ["MonotonicTime"], swiftSettings: strict),
    .target(name: "BatterySimulator", dependencies: ["BMSCore", "MonotonicTime"], swiftSettings: strict),
    .testTarget(name: "CANBusTests", dependencies: ["CANBus", "MonotonicTime"], swiftSettings: strict),
  ]
)
