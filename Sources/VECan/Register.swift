import NMEA2000

// The table of registers, by the sections of vecan.md. What a register is stands in its row and nowhere else; what it is
// worth in this BMS is BMSDevice's business.

/// A register that this program knows. The raw value is its number.
public enum Register: UInt16, CaseIterable, Sendable {
  // MARK: 2.1 Identity and control

  /// Product: instance, id, and whether it can be updated.
  case productID = 0x0100
  /// Hardware: instance, revision.
  case hardwareRevision = 0x0101
  /// Software: instance, version.
  case applicationVersion = 0x0102
  /// The oldest software that may be put in.
  case minimumVersion = 0x0103
  /// Group.
  case groupID = 0x0104
  /// Serial number.
  case serialNumber = 0x010A
  /// Model.
  case modelName = 0x010B
  /// The owner's name for it.
  case description1 = 0x010C
  /// More of that.
  case description2 = 0x010D
  /// It blinks.
  case identify = 0x010E
  /// Seconds since the start.
  case uptime = 0x0120
  /// Frames that the controller lost.
  case canHardwareOverflows = 0x0130
  /// Frames that the program lost.
  case canSoftwareOverflows = 0x0131
  /// How often the controller was error passive.
  case canErrorPassive = 0x0132
  /// How often the controller was bus off.
  case canBusOff = 0x0133
  /// What it can do as a BMS.
  case bmsCapabilities = 0x0144
  /// On, off, standby.
  case deviceMode = 0x0200
  /// What it is doing.
  case deviceState = 0x0201
  /// What is controlled from outside.
  case remoteControlUsed = 0x0202
  /// Why it is off.
  case offReason = 0x0207

  // MARK: 2.3 History, first block

  /// Ampere-hours, 0 or negative.
  case deepestDischarge = 0x0300
  /// Ampere-hours, 0 or negative.
  case lastDischarge = 0x0301
  /// Ampere-hours, 0 or negative.
  case averageDischarge = 0x0302
  /// Cycles.
  case chargeCycles = 0x0303
  /// Full discharges.
  case fullDischarges = 0x0304
  /// Ampere-hours drawn.
  case cumulativeDrawn = 0x0305
  /// Volts.
  case minimumVoltage = 0x0306
  /// Volts.
  case maximumVoltage = 0x0307
  /// Seconds.
  case secondsSinceFullCharge = 0x0308
  /// Synchronisations.
  case automaticSynchronisations = 0x0309
  /// How often.
  case lowVoltageAlarms = 0x030A
  /// How often.
  case highVoltageAlarms = 0x030B
  /// Kilowatt-hours.
  case dischargedEnergy = 0x0310
  /// Kilowatt-hours.
  case chargedEnergy = 0x0311
  /// Kelvin.
  case maximumTemperature = 0x0312
  /// Kelvin.
  case minimumTemperature = 0x0313

  // MARK: 2.4 Alarms and relay

  /// What is warned of.
  case warningReason = 0x031C
  /// What is wrong.
  case alarmReason = 0x031E
  /// Acknowledges.
  case acknowledgeAlarm = 0x031F
  /// Whether the relay is turned round.
  case relayInvert = 0x034D
  /// Whether the relay is active.
  case relayControl = 0x034E
  /// What moves the relay.
  case relayMode = 0x034F

  // MARK: 2.6 BMS, old block, cells and limits

  /// The first 22 flags of 0x2100.
  case bmsFlagsOld = 0x0370
  /// The state of a Lynx Ion BMS, whose codes are not published.
  case bmsStateOld = 0x0371
  /// The error of a Lynx Ion BMS. A value or bits: the sources contradict each other.
  case bmsErrorsOld = 0x0372
  /// Batteries, cells of each, parallel, series.
  case batteryConfiguration = 0x0380
  /// One cell: battery, cell, volts. Whether numbers begin at 0 or 1 is stated nowhere; they are taken as sent.
  case cellVoltage = 0x0381
  /// Volts.
  case midPointVoltage = 0x0382
  /// Percent.
  case midPointDeviation = 0x0383
  /// The lowest and the highest cell voltage ever, volts.
  case cellVoltageHistory = 0x0384
  /// The lowest and the highest cell voltage, volts.
  case cellVoltages = 0x0385
  /// The lowest and the highest cell temperature, kelvin.
  case cellTemperatures = 0x0386
  /// How many; 0 for automatic.
  case batteriesInParallel = 0x0387
  /// How many; 0 for automatic.
  case batteriesInSeries = 0x0388
  /// CVL, volts. Zero is a limit and never a sane one: what does not exist is all ones.
  case chargeVoltageLimit = 0x0390
  /// CCL, amperes.
  case chargeCurrentLimit = 0x0391
  /// The voltage at which loads should stop.
  case dischargeVoltageLimit = 0x0392
  /// DCL, amperes.
  case dischargeCurrentLimit = 0x0393
  /// Below it nothing is charged, kelvin.
  case minimumChargeTemperature = 0x0394

  // MARK: 2.2 Live values and 2.5 settings of the battery monitor

  /// Ampere-hours since full, 0 or negative.
  case consumed = 0x0FFC
  /// Minutes until the discharge floor.
  case timeToGo = 0x0FFE
  /// Percent.
  case stateOfCharge = 0x0FFF
  /// Ampere-hours.
  case batteryCapacity = 0x1000
  /// Volts.
  case chargedVoltage = 0x1001
  /// Percent of the capacity.
  case tailCurrent = 0x1002
  /// Minutes.
  case chargedDetectionTime = 0x1003
  /// Percent.
  case chargeEfficiency = 0x1004
  /// In hundredths, as canboat leaves it.
  case peukertExponent = 0x1005
  /// Amperes; less counts as none.
  case currentThreshold = 0x1006
  /// Minutes over which the time to go is averaged.
  case averagingTime = 0x1007
  /// Percent.
  case dischargeFloor = 0x1008
  /// Percent.
  case dischargeFloorClear = 0x1009
  /// Calibrates.
  case zeroCurrent = 0x1029
  /// The battery is full.
  case synchronise = 0x102C
  /// Begins the history anew.
  case clearHistory = 0x1030

  // MARK: 2.6 Link between devices

  /// Volts that chargers are told, for 60 s.
  case linkChargeVoltage = 0x2001
  /// Battery voltage as a GX tells chargers (vecan.md section 4); the name is canboat's.
  case linkVoltageSense = 0x2002
  /// Battery temperature in degrees Celsius, the only one.
  case linkTemperatureSense = 0x2003
  /// Battery current.
  case linkCurrentSense = 0x200A
  /// Who controls.
  case linkNetworkMode = 0x200E
  /// Amperes.
  case linkChargeCurrentLimit = 0x2015
  /// Amperes.
  case linkDischargeCurrentLimit = 0x2017
  /// More battery current (vecan.md section 4); the name is canboat's.
  case linkExtraCurrent = 0x201C

  // MARK: 2.6 BMS, new block

  /// What holds.
  case bmsFlags = 0x2100
  /// The number of the error; 0 for none.
  case bmsError = 0x2101
  /// The state (R63).
  case bmsState = 0x2102
  /// Settings that are yes or no.
  case bmsOptions = 0x2103
  /// Alarm relay or alternator ATC (R329).
  case bmsRelayMode = 0x2104
  /// Hours.
  case standbyTimeout = 0x2105
  /// Warnings and alarms.
  case bmsConditions = 0x2107
  /// Inputs and outputs.
  case bmsContacts = 0x2108
  /// Warnings.
  case bmsWarnings = 0x2109
  /// Alarms.
  case bmsAlarms = 0x210A
  /// The discharge floor of a Lynx, percent.
  case minimumStateOfCharge = 0x210B
  /// The last four errors, newest first.
  case lastErrors = 0x2110
  /// When: seconds since 1970.
  case lastErrorTime1 = 0x2111
  /// When: seconds since 1970.
  case lastErrorTime2 = 0x2112
  /// When: seconds since 1970.
  case lastErrorTime3 = 0x2113
  /// When: seconds since 1970.
  case lastErrorTime4 = 0x2114
  /// When: seconds since the start.
  case lastErrorUptime1 = 0x2115
  /// When: seconds since the start.
  case lastErrorUptime2 = 0x2116
  /// When: seconds since the start.
  case lastErrorUptime3 = 0x2117
  /// When: seconds since the start.
  case lastErrorUptime4 = 0x2118

  // MARK: 2.6 Distributors and fuses

  /// The Distributors.
  case distributors = 0x2150
  /// The fuses of Distributor A.
  case fusesA = 0x2152
  /// The fuses of Distributor B.
  case fusesB = 0x2153
  /// The fuses of Distributor C.
  case fusesC = 0x2154
  /// The fuses of Distributor D.
  case fusesD = 0x2155
  /// The fuses of Distributor E.
  case fusesE = 0x2156
  /// The fuses of Distributor F.
  case fusesF = 0x2157
  /// The fuses of Distributor G.
  case fusesG = 0x2158
  /// The fuses of Distributor H.
  case fusesH = 0x2159
  /// The name of fuse 1 of Distributor A.
  case fuseNameA1 = 0x2160
  /// The name of fuse 2 of Distributor A.
  case fuseNameA2 = 0x2161
  /// The name of fuse 3 of Distributor A.
  case fuseNameA3 = 0x2162
  /// The name of fuse 4 of Distributor A.
  case fuseNameA4 = 0x2163
  /// The name of fuse 1 of Distributor B.
  case fuseNameB1 = 0x2164
  /// The name of fuse 2 of Distributor B.
  case fuseNameB2 = 0x2165
  /// The name of fuse 3 of Distributor B.
  case fuseNameB3 = 0x2166
  /// The name of fuse 4 of Distributor B.
  case fuseNameB4 = 0x2167
  /// The name of fuse 1 of Distributor C.
  case fuseNameC1 = 0x2168
  /// The name of fuse 2 of Distributor C.
  case fuseNameC2 = 0x2169
  /// The name of fuse 3 of Distributor C.
  case fuseNameC3 = 0x216A
  /// The name of fuse 4 of Distributor C.
  case fuseNameC4 = 0x216B
  /// The name of fuse 1 of Distributor D.
  case fuseNameD1 = 0x216C
  /// The name of fuse 2 of Distributor D.
  case fuseNameD2 = 0x216D
  /// The name of fuse 3 of Distributor D.
  case fuseNameD3 = 0x216E
  /// The name of fuse 4 of Distributor D.
  case fuseNameD4 = 0x216F

  // MARK: 2.2, 2.5 and 2.6, high numbers

  /// Whether cells are balanced.
  case balancerStatus = 0xEA15
  /// Why discharging is off.
  case dischargeOffReason = 0xEC44
  /// Why charging is off.
  case chargeOffReason = 0xEC45
  /// Why ATD is off.
  case allowToDischargeOffReason = 0xEC46
  /// Why ATC is off.
  case allowToChargeOffReason = 0xEC47
  /// Volts; here the system side of the contactor.
  case channel2Voltage = 0xED7D
  /// Watts.
  case channel2Power = 0xED7E
  /// Amperes.
  case channel2Current = 0xED7F
  /// Amperes in thousandths, charge positive.
  case currentFine = 0xED8C
  /// Volts.
  case voltage = 0xED8D
  /// Watts, charge positive.
  case power = 0xED8E
  /// Amperes, charge positive.
  case current = 0xED8F
  /// Nominal volts of the battery. That the code is the number of volts is inferred.
  case nominalVoltage = 0xEDEA
  /// Kelvin.
  case temperature = 0xEDEC
  /// Nominal volts of the system. That the code is the number of volts is inferred.
  case nominalSystemVoltage = 0xEDEF
  /// Absorption volts of a charger, which VE.Can is documented with (vecan.md section 4).
  case absorptionVoltage = 0xEDF7
  /// Whether the state of charge was ever synchronised.
  case synchronised = 0xEEB6
  /// As 0x0FFC.
  case consumedOld = 0xEEFF
}

extension Register {
  private var row: RegisterDefinition {
    switch self {
    // §2.1 Identity and control
    case .productID:
      .init(
        self, "Product ID",
        .fields(
          [
            Field("Instance", at: 0, bits: 8, .number(.everyCode)),
            Field("Product", at: 8, bits: 16, .number(.everyCode)), .unsigned("Flags", at: 24, bits: 8),
          ], length: 4), from: .confirmed("REGS, KOE"))
    case .hardwareRevision:
      .init(
        self, "Hardware Version",
        .fields(
          [Field("Instance", at: 0, bits: 8, .number(.everyCode)), .unsigned("Revision", at: 8, bits: 16)], length: 3),
        from: .confirmed("REGS, KOE"))
    case .applicationVersion:
      .init(self, "Application Version", .version, from: .confirmed("REGS, REGPDF, GUI2"))
    case .minimumVersion:
      .init(self, "Minimum Version", .version, from: .victron("REGS"))
    case .groupID:
      .init(self, "Group ID", .number(8), from: .confirmed("REGS, CB, KOE"))
    case .serialNumber:
      .init(self, "Serial Number", .text(longest: 32), from: .confirmed("REGS, KOE, KRA"))
    case .modelName:
      .init(self, "Model Name", .text(longest: 64), from: .confirmed("REGS, KOE"))
    case .description1:
      .init(self, "Installation Description 1", .text(longest: 64), access: .readWrite, from: .confirmed("REGS, KOE"))
    case .description2:
      .init(self, "Installation Description 2", .text(longest: 64), access: .readWrite, from: .confirmed("REGS"))
    case .identify:
      .init(self, "Identify", .onOff, access: .readWrite, from: .confirmed("REGS, CB"))
    case .uptime:
      .init(self, "Uptime", .number(32, .seconds), from: .confirmed("REGS, CB"))
    case .canHardwareOverflows:
      .init(self, "CAN Hardware RX Overflows", .number(32), from: .confirmed("REGS, CB"))
    case .canSoftwareOverflows:
      .init(self, "CAN Software RX Overflows", .number(32), from: .confirmed("REGS, CB"))
    case .canErrorPassive:
      .init(self, "CAN Error Passive Counter", .number(32), from: .confirmed("REGS, CB"))
    case .canBusOff:
      .init(self, "CAN Bus Off Counter", .number(32), from: .confirmed("REGS, CB"))
    case .bmsCapabilities:
      .init(self, "BMS Capabilities", .parts(BMSCapability.self, length: 4), from: .victron("REGS"))
    case .deviceMode:
      .init(
        self, "Device Mode", .code(.deviceMode), access: .readWrite, sent: .onChange,
        from: .confirmed("REGS, GUI2, MBTCP"))
    case .deviceState:
      .init(self, "Device State", .code(.deviceState), sent: .onChange, from: .confirmed("REGS, REGPDF"))
    case .remoteControlUsed:
      .init(self, "Remote Control Used", .number(32), from: .confirmed("REGS, CB"))
    case .offReason:
      .init(self, "Off Reason", .parts(OffReason.self, length: 4), from: .confirmed("REGS, KRA"))
    // §2.3 History, first block
    case .deepestDischarge:
      .init(self, "Deepest Discharge", .ampereHours, from: .confirmed("REGS, CB, KOE"))
    case .lastDischarge:
      .init(self, "Last Discharge", .ampereHours, from: .confirmed("REGS, CB, KOE"))
    case .averageDischarge:
      .init(self, "Average Discharge", .ampereHours, from: .confirmed("REGS, CB, KOE"))
    case .chargeCycles:
      .init(self, "Charge Cycles", .count, from: .confirmed("REGS, CB, KOE"))
    case .fullDischarges:
      .init(self, "Full Discharges", .count, from: .confirmed("REGS, CB, KOE"))
    case .cumulativeDrawn:
      .init(self, "Cumulative Ah Drawn", .ampereHours, from: .confirmed("REGS, CB, KOE"))
    case .minimumVoltage:
      .init(self, "Minimum Voltage", .volts(32, signed: true), from: .confirmed("REGS, CB, KOE"))
    case .maximumVoltage:
      .init(self, "Maximum Voltage", .volts(32, signed: true), from: .confirmed("REGS, CB, KOE"))
    case .secondsSinceFullCharge:
      .init(
        self, "Seconds Since Last Full Charge", .number(32, signed: true, .seconds), from: .confirmed("REGS, CB, KOE"))
    case .automaticSynchronisations:
      .init(self, "Automatic Synchronizations", .count, from: .confirmed("REGS, CB, KOE"))
    case .lowVoltageAlarms:
      .init(self, "Low Voltage Alarms", .count, from: .confirmed("REGS, CB, KOE"))
    case .highVoltageAlarms:
      .init(self, "High Voltage Alarms", .count, from: .confirmed("REGS, CB, KOE"))
    case .dischargedEnergy:
      .init(self, "Discharged Energy", .energy, from: .confirmed("REGS, CB, KOE"))
    case .chargedEnergy:
      .init(self, "Charged Energy", .energy, from: .confirmed("REGS, CB, KOE"))
    case .maximumTemperature:
      .init(self, "Maximum Temperature", .kelvin, from: .victron("REGS"))
    case .minimumTemperature:
      .init(self, "Minimum Temperature", .kelvin, from: .victron("REGS"))
    // §2.4 Alarms and relay
    case .warningReason:
      .init(self, "Warning Reason", .parts(MonitorReason.self, length: 2), from: .confirmed("REGS, KRA"))
    case .alarmReason:
      .init(self, "Alarm Reason", .parts(MonitorReason.self, length: 2), from: .confirmed("REGS, KRA"))
    case .acknowledgeAlarm:
      .init(self, "Acknowledge Alarm", .nothing, access: .command, from: .victron("REGS"))
    case .relayInvert:
      .init(self, "Relay Invert", .onOff, access: .readWrite, from: .confirmed("REGS, CB"))
    case .relayControl:
      .init(self, "Relay Control", .onOff, access: .readWrite, from: .confirmed("REGS, CB, KRA"))
    case .relayMode:
      .init(self, "Relay Mode", .number(8), access: .readWrite, from: .confirmed("REGS, CB, KRA"))
    // §2.6 BMS, old block, cells and limits
    case .bmsFlagsOld:
      .init(self, "BMS Flags", .parts(BMSFlag.self, length: 4), from: .confirmed("REGS, CB"))
    case .bmsStateOld:
      .init(self, "BMS State", .number(8), from: .confirmed("REGS, CB"))
    case .bmsErrorsOld:
      .init(self, "BMS Error Flags", .number(32), from: .confirmed("REGS, CB"))
    case .batteryConfiguration:
      .init(
        self, "Battery Configuration", .bytes(["Batteries", "Cells per battery", "Parallel", "Series"]),
        from: .victron("REGS"))
    case .cellVoltage:
      .init(
        self, "Cell Voltage",
        .fields(
          [
            .unsigned("Battery", at: 0, bits: 8), .unsigned("Cell", at: 8, bits: 8),
            Field("Voltage", at: 16, bits: 16, .number(NumberFormat(decimals: 2, unit: .volts))),
          ], length: 4), from: .victron("REGS"))
    case .midPointVoltage:
      .init(self, "Mid-point Voltage", .volts(16), from: .confirmed("REGS, CB, KOE"))
    case .midPointDeviation:
      .init(
        self, "Mid-point Voltage Deviation", .number(16, signed: true, decimals: 1, .percent),
        from: .confirmed("REGS, CB, KOE"))
    case .cellVoltageHistory:
      .init(self, "Historic Cell Voltages", .extremes(.volts), from: .victron("REGS"))
    case .cellVoltages:
      .init(self, "Cell Voltages", .extremes(.volts), from: .victron("REGS"))
    case .cellTemperatures:
      .init(self, "Cell Temperatures", .extremes(.kelvin), from: .victron("REGS"))
    case .batteriesInParallel:
      .init(self, "Batteries in Parallel", .number(8), access: .readWrite, from: .victron("REGS"))
    case .batteriesInSeries:
      .init(self, "Batteries in Series", .number(8), access: .readWrite, from: .victron("REGS"))
    case .chargeVoltageLimit:
      .init(self, "Charge Voltage Limit", .volts(32), sent: .onChange, from: .victron("REGS"))
    case .chargeCurrentLimit:
      .init(self, "Charge Current Limit", .amperes(32), sent: .onChange, from: .victron("REGS"))
    case .dischargeVoltageLimit:
      .init(self, "Discharge Voltage Limit", .volts(32), sent: .onChange, from: .victron("REGS"))
    case .dischargeCurrentLimit:
      .init(self, "Discharge Current Limit", .amperes(32), sent: .onChange, from: .victron("REGS"))
    case .minimumChargeTemperature:
      .init(self, "Minimum Charge Temperature", .kelvin, access: .readWrite, from: .victron("REGS"))
    // §2.2 Live values and 2.5 settings of the battery monitor
    case .consumed:
      .init(self, "Consumed Ah", .ampereHours, from: .victron("REGS"))
    case .timeToGo:
      .init(self, "Time To Go", .minutes, from: .confirmed("REGS, CB, KOE, KRA"))
    case .stateOfCharge:
      .init(self, "State of Charge", .percent(decimals: 2), from: .confirmed("REGS, CB, KOE, KRA"))
    case .batteryCapacity:
      .init(self, "Battery Capacity", .number(16, .ampereHours), access: .readWrite, from: .confirmed("REGS, CB"))
    case .chargedVoltage:
      .init(self, "Charged Voltage", .volts(16, decimals: 1), access: .readWrite, from: .confirmed("REGS, CB"))
    case .tailCurrent:
      .init(self, "Charged Current", .percent(decimals: 1), access: .readWrite, from: .confirmed("REGS, CB"))
    case .chargedDetectionTime:
      .init(self, "Charged Detection Time", .minutes, access: .readWrite, from: .confirmed("REGS, CB"))
    case .chargeEfficiency:
      .init(self, "Charge Efficiency", .number(16), access: .readWrite, from: .confirmed("REGS, CB"))
    case .peukertExponent:
      .init(self, "Peukert Coefficient", .number(16), access: .readWrite, from: .confirmed("REGS, CB"))
    case .currentThreshold:
      .init(self, "Current Threshold", .amperes(16, decimals: 2), access: .readWrite, from: .confirmed("REGS, CB"))
    case .averagingTime:
      .init(self, "Average Time To Go", .minutes, access: .readWrite, from: .confirmed("REGS, CB"))
    case .dischargeFloor:
      .init(self, "Low State of Charge Set", .percent(decimals: 1), access: .readWrite, from: .confirmed("REGS, CB"))
    case .dischargeFloorClear:
      .init(self, "Low State of Charge Clear", .percent(decimals: 1), access: .readWrite, from: .confirmed("REGS, CB"))
    case .zeroCurrent:
      .init(self, "Zero Current", .nothing, access: .command, from: .victron("REGS"))
    case .synchronise:
      .init(self, "Synchronise", .nothing, access: .command, from: .victron("REGS"))
    case .clearHistory:
      .init(self, "Clear History", .nothing, access: .command, from: .victron("REGS"))
    // §2.6 Link between devices
    case .linkChargeVoltage:
      .init(self, "Network Charge Voltage Setpoint", .volts(16), from: .victron("REGS"))
    case .linkVoltageSense:
      .init(self, "DC Voltage", .volts(16), from: .confirmed("REGS, CB"))
    case .linkTemperatureSense:
      .init(
        self, "Network Battery Temperature", .number(16, signed: true, decimals: 2, .celsius), from: .victron("REGS"))
    case .linkCurrentSense:
      .init(self, "Network Battery Current", .amperes(32, signed: true, decimals: 3), from: .victron("REGS"))
    case .linkNetworkMode:
      .init(self, "Network Mode", .number(8), from: .victron("REGS"))
    case .linkChargeCurrentLimit:
      .init(self, "Network Charge Current Limit", .amperes(16), from: .victron("REGS"))
    case .linkDischargeCurrentLimit:
      .init(self, "Network Discharge Current Limit", .amperes(16), from: .victron("REGS"))
    case .linkExtraCurrent:
      .init(self, "DC Current", .amperes(32, signed: true, decimals: 3), from: .confirmed("REGS, CB"))
    // §2.6 BMS, new block
    case .bmsFlags:
      .init(self, "Lynx BMS Flags", .parts(BMSFlag.self, length: 4), sent: .onChange, from: .victron("REGS"))
    case .bmsError:
      .init(self, "Lynx BMS Error", .code(.bmsError), sent: .onChange, from: .confirmed("REGS, VEUTIL, MAN"))
    case .bmsState:
      .init(self, "Lynx BMS State", .code(.bmsState), sent: .onChange, from: .confirmed("REGS, MBTCP, GUI2"))
    case .bmsOptions:
      .init(self, "Lynx BMS Settings", .parts(BMSOption.self, length: 4), access: .readWrite, from: .victron("REGS"))
    case .bmsRelayMode:
      .init(self, "Lynx BMS Relay Mode", .code(.bmsRelayMode), access: .readWrite, from: .victron("REGS"))
    case .standbyTimeout:
      .init(
        self, "Lynx BMS Standby Timeout", .number(16, times: 3600, .seconds), access: .readWrite, from: .victron("REGS")
      )
    case .bmsConditions:
      .init(
        self, "Lynx BMS Warnings and Alarms", .parts(BMSCondition.self, length: 4), sent: .onChange,
        from: .confirmed("REGS, BLESENS"))
    case .bmsContacts:
      .init(
        self, "Lynx BMS Inputs and Outputs", .parts(BMSContact.self, length: 2), sent: .onChange,
        from: .confirmed("REGS, BLESENS"))
    case .bmsWarnings:
      .init(self, "Lynx BMS Warnings", .parts(BMSWarning.self, length: 2), from: .victron("REGS"))
    case .bmsAlarms:
      .init(self, "Lynx BMS Alarms", .parts(BMSAlarm.self, length: 2), from: .victron("REGS"))
    case .minimumStateOfCharge:
      .init(self, "Minimum State of Charge", .percent(decimals: 1), access: .readWrite, from: .victron("REGS"))
    case .lastErrors:
      .init(
        self, "Last Errors",
        .fields((0..<4).map { .lookup("Error \($0 + 1)", at: $0 * 8, bits: 8, .bmsError) }, length: 4),
        from: .victron("REGS"))
    case .lastErrorTime1:
      .init(self, "Time of Last Error 1", .number(32, .seconds), from: .victron("REGS"))
    case .lastErrorTime2:
      .init(self, "Time of Last Error 2", .number(32, .seconds), from: .victron("REGS"))
    case .lastErrorTime3:
      .init(self, "Time of Last Error 3", .number(32, .seconds), from: .victron("REGS"))
    case .lastErrorTime4:
      .init(self, "Time of Last Error 4", .number(32, .seconds), from: .victron("REGS"))
    case .lastErrorUptime1:
      .init(self, "Uptime of Last Error 1", .number(32, .seconds), from: .victron("REGS"))
    case .lastErrorUptime2:
      .init(self, "Uptime of Last Error 2", .number(32, .seconds), from: .victron("REGS"))
    case .lastErrorUptime3:
      .init(self, "Uptime of Last Error 3", .number(32, .seconds), from: .victron("REGS"))
    case .lastErrorUptime4:
      .init(self, "Uptime of Last Error 4", .number(32, .seconds), from: .victron("REGS"))
    // §2.6 Distributors and fuses
    case .distributors:
      .init(self, "Distributors", .parts(DistributorPlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fusesA:
      .init(self, "Fuses of Distributor A", .parts(FusePlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fusesB:
      .init(self, "Fuses of Distributor B", .parts(FusePlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fusesC:
      .init(self, "Fuses of Distributor C", .parts(FusePlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fusesD:
      .init(self, "Fuses of Distributor D", .parts(FusePlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fusesE:
      .init(self, "Fuses of Distributor E", .parts(FusePlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fusesF:
      .init(self, "Fuses of Distributor F", .parts(FusePlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fusesG:
      .init(self, "Fuses of Distributor G", .parts(FusePlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fusesH:
      .init(self, "Fuses of Distributor H", .parts(FusePlace.self, length: 2), from: .confirmed("REGS, GUI2"))
    case .fuseNameA1:
      .init(self, "Fuse Name A1", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameA2:
      .init(self, "Fuse Name A2", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameA3:
      .init(self, "Fuse Name A3", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameA4:
      .init(self, "Fuse Name A4", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameB1:
      .init(self, "Fuse Name B1", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameB2:
      .init(self, "Fuse Name B2", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameB3:
      .init(self, "Fuse Name B3", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameB4:
      .init(self, "Fuse Name B4", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameC1:
      .init(self, "Fuse Name C1", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameC2:
      .init(self, "Fuse Name C2", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameC3:
      .init(self, "Fuse Name C3", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameC4:
      .init(self, "Fuse Name C4", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameD1:
      .init(self, "Fuse Name D1", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameD2:
      .init(self, "Fuse Name D2", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameD3:
      .init(self, "Fuse Name D3", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    case .fuseNameD4:
      .init(self, "Fuse Name D4", .text(longest: 16), access: .readWrite, from: .victron("REGS, MAN"))
    // §2.2, 2.5 and 2.6, high numbers
    case .balancerStatus:
      .init(self, "Balancer Status", .code(.balancerStatus), from: .victron("REGS, MBTCP"))
    case .dischargeOffReason:
      .init(self, "Discharge Off Reason", .parts(BlockReason.self, length: 2), from: .victron("REGS"))
    case .chargeOffReason:
      .init(self, "Charge Off Reason", .parts(BlockReason.self, length: 2), from: .victron("REGS"))
    case .allowToDischargeOffReason:
      .init(self, "ATD Off Reason", .parts(BlockReason.self, length: 2), from: .victron("REGS"))
    case .allowToChargeOffReason:
      .init(self, "ATC Off Reason", .parts(BlockReason.self, length: 2), from: .victron("REGS"))
    case .channel2Voltage:
      .init(self, "Channel 2 Voltage", .volts(16, signed: true), from: .confirmed("REGS, CB"))
    case .channel2Power:
      .init(self, "Channel 2 Power", .number(16, signed: true, .watts), from: .confirmed("REGS, CB"))
    case .channel2Current:
      .init(self, "Channel 2 Current", .amperes(16, signed: true), from: .confirmed("REGS, CB"))
    case .currentFine:
      .init(self, "Channel 1 Current Fine", .amperes(32, signed: true, decimals: 3), from: .confirmed("REGS, KOE"))
    case .voltage:
      .init(self, "Channel 1 Voltage", .volts(16, signed: true), from: .confirmed("REGS, CB, KOE, KRA"))
    case .power:
      .init(self, "Channel 1 Power", .number(16, signed: true, .watts), from: .confirmed("REGS, CB, KOE"))
    case .current:
      .init(self, "Channel 1 Current", .amperes(16, signed: true), from: .confirmed("REGS, CB, KRA"))
    case .nominalVoltage:
      .init(self, "Battery Voltage Setting", .number(8, .volts), access: .readWrite, from: .victron("REGS"))
    case .temperature:
      .init(self, "Battery Temperature", .kelvin, from: .confirmed("REGS, CB, KOE, KRA"))
    case .nominalSystemVoltage:
      .init(self, "Battery Voltage Selection", .number(8, .volts), from: .victron("REGS"))
    case .absorptionVoltage:
      .init(self, "Battery Absorption Voltage Level", .volts(16), from: .victron("REGPDF, CB"))
    case .synchronised:
      .init(self, "Synchronised", .onOff, from: .confirmed("REGS, KOE"))
    case .consumedOld:
      .init(self, "Consumed Ah (old)", .ampereHours, from: .confirmed("REGS, KOE"))
    }
  }

  /// The registers in the order of their numbers.
  public static let sorted: [Register] = allCases.sorted { $0.rawValue < $1.rawValue }

  private static let rows: [RegisterDefinition] = allCases.map(\.row)

  /// For each number the place of its row, and one more; 0 for none. Looked up for every frame of a register.
  private static let places: [UInt8] = allCases.enumerated().reduce(into: .init(repeating: 0, count: 1 << 16)) {
    $0[Int($1.element.rawValue)] = UInt8(truncatingIfNeeded: $1.offset + 1)
  }

  /// The register's row, made once.
  public var definition: RegisterDefinition { Self.rows[Int(Self.places[Int(rawValue)]) - 1] }

  /// The register's number.
  public var id: RegisterID { RegisterID(rawValue) }

  /// The register of a number; nil for one that is not in the table.
  public init?(_ id: RegisterID) { self.init(rawValue: id.rawValue) }

  /// The register of a name as people type it: `charge-voltage-limit`; nil for one that is not in the table.
  public init?(key: String) {
    let key = key.lowercased()
    guard let register = Self.allCases.first(where: { $0.definition.key == key }) else { return nil }
    self = register
  }
}
