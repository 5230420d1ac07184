/// Industries, device classes and device functions of a NAME (canboat docs/canboat.json; nmea2000.md section 1.4).
extension Lookup {
  static let industries: [UInt32: String] = [
    0: "Global",
    1: "Highway",
    2: "Agriculture",
    3: "Construction",
    4: "Marine Industry",
    5: "Industrial",
  ]

  static let deviceClasses: [UInt32: String] = [
    0: "Reserved for 2000 Use",
    10: "System tools",
    20: "Safety systems",
    25: "Internetwork device",
    30: "Electrical Distribution",
    35: "Electrical Generation",
    40: "Steering and Control surfaces",
    50: "Propulsion",
    60: "Navigation",
    70: "Communication",
    75: "Sensor Communication Interface",
    80: "Instrumentation/general systems",
    85: "External Environment",
    90: "Internal Environment",
    100: "Deck + cargo + fishing equipment systems",
    110: "Human Interface",
    120: "Display",
    125: "Entertainment",
  ]

  /// The functions of each class: 170 is a battery in class 35 and a navigation system in class 60.
  static let deviceFunctions: [UInt32: [UInt32: String]] = [
    10: [
      130: "Diagnostic",
      140: "Bus Traffic Logger",
    ],
    20: [
      110: "Alarm Enunciator",
      130: "Emergency Position Indicating Radio Beacon (EPIRB)",
      135: "Man Overboard",
      140: "Voyage Data Recorder",
      150: "Camera",
    ],
    25: [
      130: "PC Gateway",
      131: "NMEA 2000 to Analog Gateway",
      132: "Analog to NMEA 2000 Gateway",
      133: "NMEA 2000 to Serial Gateway",
      135: "NMEA 0183 Gateway",
      136: "NMEA Network Gateway",
      137: "NMEA 2000 Wireless Gateway",
      140: "Router",
      150: "Bridge",
      160: "Repeater",
    ],
    30: [
      130: "Binary Event Monitor",
      140: "Load Controller",
      141: "AC/DC Input",
      150: "Function Controller",
    ],
    35: [
      140: "Engine",
      141: "DC Generator/Alternator",
      142: "Solar Panel (Solar Array)",
      143: "Wind Generator (DC)",
      144: "Fuel Cell",
      145: "Network Power Supply",
      151: "AC Generator",
      152: "AC Bus",
      153: "AC Mains (Utility/Shore)",
      154: "AC Output",
      160: "Power Converter - Battery Charger",
      161: "Power Converter - Battery Charger+Inverter",
      162: "Power Converter - Inverter",
      163: "Power Converter - DC",
      170: "Battery",
      180: "Engine Gateway",
    ],
    40: [
      130: "Follow-up Controller",
      140: "Mode Controller",
      150: "Autopilot",
      155: "Rudder",
      160: "Heading Sensors",
      170: "Trim (Tabs)/Interceptors",
      180: "Attitude (Pitch, Roll, Yaw) Control",
    ],
    50: [
      130: "Engineroom Monitoring",
      140: "Engine",
      141: "DC Generator/Alternator",
      150: "Engine Controller",
      151: "AC Generator",
      155: "Motor",
      160: "Engine Gateway",
      165: "Transmission",
      170: "Throttle/Shift Control",
      180: "Actuator",
      190: "Gauge Interface",
      200: "Gauge Large",
      210: "Gauge Small",
    ],
    60: [
      130: "Bottom Depth",
      135: "Bottom Depth/Speed",
      136: "Bottom Depth/Speed/Temperature",
      140: "Ownship Attitude",
      145: "Ownship Position (GNSS)",
      150: "Ownship Position (Loran C)",
      155: "Speed",
      160: "Turn Rate Indicator",
      170: "Integrated Navigation",
      175: "Integrated Navigation System",
      190: "Navigation Management",
      195: "Automatic Identification System (AIS)",
      200: "Radar",
      201: "Infrared Imaging",
      205: "ECDIS",
      210: "ECS",
      220: "Direction Finder",
      230: "Voyage Status",
    ],
    70: [
      130: "EPIRB",
      140: "AIS",
      150: "DSC",
      160: "Data Receiver/Transceiver",
      170: "Satellite",
      180: "Radio-telephone (MF/HF)",
      190: "Radiotelephone",
    ],
    75: [
      130: "Temperature",
      140: "Pressure",
      150: "Fluid Level",
      160: "Flow",
      170: "Humidity",
    ],
    80: [
      130: "Time/Date Systems",
      140: "VDR",
      150: "Integrated Instrumentation",
      160: "General Purpose Displays",
      170: "General Sensor Box",
      180: "Weather Instruments",
      190: "Transducer/General",
      200: "NMEA 0183 Converter",
    ],
    85: [
      130: "Atmospheric",
      160: "Aquatic",
    ],
    90: [
      130: "HVAC"
    ],
    100: [
      130: "Scale (Catch)"
    ],
    110: [
      130: "Button Interface",
      135: "Switch Interface",
      140: "Analog Interface",
    ],
    120: [
      130: "Display",
      140: "Alarm Enunciator",
    ],
    125: [
      130: "Multimedia Player",
      140: "Multimedia Controller",
    ],
  ]

  /// The name of a device function; nil for one without a name in its class.
  public static func deviceFunction(_ function: UInt32, deviceClass: UInt32) -> String? {
    deviceFunctions[deviceClass]?[function]
  }
}
